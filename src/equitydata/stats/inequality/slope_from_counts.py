"""Slope and relative index of inequality from counts, by a binomial or Poisson regression on the social rank."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equitydata.stats.answers import WEIGHTED, FloatArray, Test
from equitydata.stats.contracts import Confidence, ContractError, as_asked, as_counts
from equitydata.stats.inequality.answer import Inequality, as_limits, joined, normal_limits, rescale
from equitydata.stats.inequality.groups import midpoint_rank
from equitydata.stats.inequality.slope_index import FEW_GROUPS, RANK_ZERO, SlopeIndex, no_slope, scale_of_fit

FAMILIES = {"binomial": "logit", "poisson": "log"}
ERRORS = ("model", "robust")


def slope_index_from_counts(
    numerator: ArrayLike,
    denominator: ArrayLike,
    *,
    family: str = "binomial",
    errors: str = "model",
    multiplier: float = 1.0,
    confidence: Confidence = 0.95,
) -> SlopeIndex:
    """SII and RII from events and people of ordered groups, the most disadvantaged first.

    numerator, denominator : shape (k,), at least three groups; counts, or person-time for poisson. Each person
        counts once: the counts are the response, and nothing is weighted by them again.
    family : 'binomial' with a logit for events out of people, 'poisson' with a logarithm for rates. The ends
        are proportions or rates.
    errors : 'model' takes the errors of the family, widened by the dispersion where that is above 1
        (quasi-likelihood, named in `method`); 'robust' takes HC1 with each group as one observation, which
        knows little with few groups and is near 0 where they lie on the curve.
    multiplier : as in `slope_index`. Limits of the SII are by the delta method, those of the RII on the log
    scale. No result where a group is missing or has nobody, or where the fit runs off to infinity (events
    parted from non-events by rank).
    """
    if family not in FAMILIES:
        raise ContractError(f"no family {family!r}; one of {', '.join(FAMILIES)}")
    if errors not in ERRORS:
        raise ContractError(f"no errors {errors!r}; one of {', '.join(ERRORS)}")
    x, n = as_counts(at_most=family == "binomial", numerator=numerator, denominator=denominator)
    if x.ndim != 1:
        raise ContractError("the groups of one population are one axis: arrays of shape (k,)")
    transform = FAMILIES[family]
    refusal = _refusal(x, n, family)
    if refusal:
        return no_slope(refusal, transform=transform, rank=np.full(len(x), np.nan), confidence=confidence)
    rank = midpoint_rank(n / n.sum())
    fit = _fit(x, n, rank, family, errors)
    if not fit.converged:
        reason = "the regression did not converge"
        return no_slope(reason, transform=transform, rank=rank, confidence=confidence)
    note = joined(
        RANK_ZERO,
        FEW_GROUPS if len(x) < 5 else "",
        "" if (x == np.floor(x)).all() and (n == np.floor(n)).all() else WEIGHTED,
    )
    return _answer(x, n, rank, fit, transform, note=note, multiplier=multiplier, confidence=confidence)


@dataclass(frozen=True)
class _Fit:
    """Coefficients, their covariance, how it was had, and Pearson's chi-squared of the fit."""

    coefficients: FloatArray
    covariance: FloatArray
    method: str
    pearson: float
    converged: bool


def _fit(x: FloatArray, n: FloatArray, rank: FloatArray, family: str, errors: str) -> _Fit:
    from statsmodels.genmod.families import Binomial, Poisson
    from statsmodels.genmod.generalized_linear_model import GLM
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    design = np.column_stack([np.ones_like(rank), rank])
    if family == "binomial":
        model = GLM(np.column_stack([x, n - x]), design, family=Binomial())
    else:
        model = GLM(x, design, family=Poisson(), offset=np.log(n))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        # Raised for any perfect fit; separation itself was ruled out before.
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        # By the coefficients: the deviance of huge counts never settles to a fixed tolerance.
        fit = model.fit(maxiter=200, tol_criterion="params", atol=1e-10, rtol=1e-10)
    covariance, method = np.asarray(fit.cov_params()), f"{family} regression, {errors} errors"
    if errors == "robust":
        # With the link of either family the score of a group is events less events fitted.
        score = design * (x - fit.fittedvalues * (n if family == "binomial" else 1))[:, np.newaxis]
        covariance = covariance @ (score.T @ score) @ covariance * len(x) / (len(x) - 2)
    dispersion = float(fit.pearson_chi2) / (len(x) - 2)
    if errors == "robust":
        method = f"{method} (HC1)"
    elif dispersion > 1:
        covariance, method = covariance * dispersion, f"{method}, dispersion {dispersion:.2f}"
    converged = bool(fit.converged) and bool(np.isfinite(covariance).all())
    return _Fit(np.asarray(fit.params), covariance, method, float(fit.pearson_chi2), converged)


def _answer(
    x: FloatArray,
    n: FloatArray,
    rank: FloatArray,
    fit: _Fit,
    transform: str,
    *,
    note: str,
    multiplier: float,
    confidence: Confidence,
) -> SlopeIndex:
    from scipy.special import chdtrc

    inverse = scale_of_fit(transform)[1]
    intercept, slope = fit.coefficients
    ends = inverse(np.array([intercept, intercept + slope]))
    spread, log_spread = _errors(ends, fit.covariance, transform)

    def answer(measure: str, value: float, spread: float, *, ratio: bool = False) -> Inequality:
        lower, upper = (
            as_limits(end) for end in normal_limits(value, spread, confidence=confidence, ratio=ratio)
        )
        return Inequality(
            measure, value, spread, lower, upper, as_asked(confidence), fit.method, note, float(ratio)
        )

    gap, mean = float(ends[1] - ends[0]), float(x.sum() / n.sum())
    fitted = inverse(intercept + slope * rank)
    df = len(x) - 2
    return SlopeIndex(
        sii=rescale(answer("SII", gap, spread), multiplier),
        rii=rescale(answer("RII", float(ends[1] / ends[0]), log_spread, ratio=True), multiplier),
        # The mean is held fixed: it is known far better than the slope.
        relative_slope=rescale(answer("SII/mean", gap / mean, spread / mean), float(np.sign(multiplier))),
        intercept=float(intercept),
        slope=float(slope),
        transform=transform,
        rank=rank,
        fitted=fitted,
        residual=x / n - fitted,
        lack_of_fit=Test(fit.pearson, float(df), float(chdtrc(df, fit.pearson)), "Pearson chi-squared"),
    )


def _errors(ends: FloatArray, covariance: FloatArray, transform: str) -> tuple[float, float]:
    """Delta-method errors of the difference of the ends and of the logarithm of their ratio."""
    steep = ends * (1 - ends) if transform == "logit" else ends
    by_coefficient = steep[:, np.newaxis] * np.array([[1.0, 0.0], [1.0, 1.0]])
    gap = by_coefficient[1] - by_coefficient[0]
    ratio = by_coefficient[1] / ends[1] - by_coefficient[0] / ends[0]
    return float(np.sqrt(gap @ covariance @ gap)), float(np.sqrt(ratio @ covariance @ ratio))


def _refusal(x: FloatArray, n: FloatArray, family: str) -> str:
    """Why there is no fit. The likelihood has no highest point where rank parts events from the others."""
    if np.isnan(x).any() or np.isnan(n).any():
        return "a count is missing, and ordered measures need every group"
    if (n == 0).any():
        return "nobody is counted in a group, and ordered measures need every group"
    if len(x) < 3:
        return "fewer than three groups"
    with_event = np.flatnonzero(x > 0)
    if not len(with_event):
        return "no events"
    if family == "poisson":
        apart = with_event.max() == 0 or with_event.min() == len(x) - 1
        return "all events are in the group at one end" if apart else ""
    without = np.flatnonzero(x < n)
    if not len(without):
        return "everyone has the event"
    apart = with_event.max() <= without.min() or without.max() <= with_event.min()
    return "rank parts those with the event from those without" if apart else ""
