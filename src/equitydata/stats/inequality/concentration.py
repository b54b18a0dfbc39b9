"""Concentration indices: whether an outcome gathers among the advantaged or the disadvantaged.

Above 0 it is concentrated among the advantaged (rank 1), below 0 among the disadvantaged (rank 0). Kakwani NC
(1977) Econometrica 45:719-727; O'Donnell O et al. (2008) Analyzing health equity, World Bank.
"""

from __future__ import annotations

import numpy as np

from equitydata.stats.answers import FloatArray
from equitydata.stats.contracts import Confidence, ContractError, refuse_where
from equitydata.stats.inequality.answer import Inequality
from equitydata.stats.inequality.groups import Groups, midpoint_rank, refusal_of, weighted_mean
from equitydata.stats.inequality.simulated import DRAWS, SEED, Asked, measured

ERRORS = ("simulated", "regression")
Bounds = tuple[float, float]


def absolute_concentration(
    groups: Groups,
    *,
    errors: str = "simulated",
    bounds: Bounds | None = None,
    confidence: Confidence = 0.95,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Inequality:
    """ACI, the relative concentration index times the mean; in the unit of the estimates.

    groups : ordered, the most disadvantaged first; every one of them is needed.
    errors : 'simulated' redraws the estimates with their standard errors; 'regression' takes the error of the
        slope of the convenient regression, which knows nothing of the size of the groups: it is 0 where they
        lie on a line, and it holds the mean fixed.
    bounds : least and most that the outcome can be, to rescale it to 0 to 1 first.
    """
    return _concentration("ACI", groups, errors, bounds, Asked(confidence, draws, seed))


def relative_concentration(
    groups: Groups,
    *,
    errors: str = "simulated",
    bounds: Bounds | None = None,
    confidence: Confidence = 0.95,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Inequality:
    """RCI, from -1 to 1: twice the area between the concentration curve and the line of equality.

    Worked out as the slope of 2 var(rank) estimate / mean on the rank of the middle of each group, weighted by
    population. Arguments as in `absolute_concentration`.
    """
    return _concentration("RCI", groups, errors, bounds, Asked(confidence, draws, seed))


def wagstaff_index(
    groups: Groups,
    *,
    errors: str = "simulated",
    bounds: Bounds = (0.0, 1.0),
    confidence: Confidence = 0.95,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Inequality:
    """Concentration index of a bounded outcome over 1 less its mean; the same, negated, for the complement.

    Wagstaff A (2005) Health Econ 14:429-432. Arguments as in `absolute_concentration`.
    """
    return _concentration("Wagstaff", groups, errors, bounds, Asked(confidence, draws, seed))


def erreygers_index(
    groups: Groups,
    *,
    errors: str = "simulated",
    bounds: Bounds = (0.0, 1.0),
    confidence: Confidence = 0.95,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Inequality:
    """Concentration index of a bounded outcome times four times its mean; negated for the complement.

    Erreygers G (2009) J Health Econ 28:504-515. Arguments as in `absolute_concentration`.
    """
    return _concentration("Erreygers", groups, errors, bounds, Asked(confidence, draws, seed))


def _concentration(
    measure: str,
    groups: Groups,
    errors: str,
    bounds: Bounds | None,
    asked: Asked,
) -> Inequality:
    if errors not in ERRORS:
        raise ContractError(f"no errors {errors!r}; one of {', '.join(ERRORS)}")
    low, high = bounds or (0.0, 1.0)
    if not low < high:
        raise ContractError("bounds are the least and the most that the outcome can be")
    if bounds:
        refuse_where((groups.estimate < low) | (groups.estimate > high), "an estimate is outside the bounds")
    p, rank = groups.share, midpoint_rank(groups.share)

    def statistic(y: FloatArray) -> FloatArray:
        y = (y - low) / (high - low)
        mean = weighted_mean(y, p)
        absolute = 2 * (p * (y - mean[..., np.newaxis]) * (rank - 0.5)).sum(axis=-1)
        return absolute / _divisor(measure, mean)

    refusal = _refusal(measure, groups, low, high)
    error = None
    if errors == "regression":
        error = np.nan if refusal else _regression_error(measure, groups, rank, (low, high))
    return measured(
        measure,
        groups,
        statistic,
        asked,
        refusal=refusal,
        standard_error=error,
        method="regression",
        noisy=False,
        note="rank 0 is the most disadvantaged end",
    )


def _divisor(measure: str, mean: FloatArray) -> FloatArray:
    """What the absolute index of an outcome from 0 to 1 is divided by."""
    divisors = {"ACI": np.ones_like(mean), "RCI": mean, "Wagstaff": mean * (1 - mean)}
    return divisors.get(measure, np.full_like(mean, 0.25))


def _regression_error(measure: str, groups: Groups, rank: FloatArray, bounds: Bounds) -> float:
    """Standard error of the slope of the weighted convenient regression, the mean held fixed."""
    low, high = bounds
    y, p = (groups.estimate - low) / (high - low), groups.share
    variance = float((p * (rank - 0.5) ** 2).sum())
    response = 2 * variance * (y - weighted_mean(y, p))
    slope = float((p * (rank - 0.5) * response).sum()) / variance
    residual = response - slope * (rank - 0.5)
    spread = float((p * residual**2).sum()) / (len(y) - 2)
    return float(np.sqrt(spread / variance) / _divisor(measure, weighted_mean(y, p)))


def _refusal(measure: str, groups: Groups, low: float, high: float) -> str:
    if not groups.ordered:
        return "a concentration index needs ordered groups"
    if refusal := refusal_of(groups):
        return refusal
    if measure in ("RCI", "Wagstaff") and not groups.mean > low:
        return "the index needs a mean above the least that the outcome can be"
    if measure == "Wagstaff" and not groups.mean < high:
        return "the index needs a mean below the most that the outcome can be"
    return ""
