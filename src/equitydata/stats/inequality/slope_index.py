"""Slope and relative index of inequality (SII, RII): the two ends of a line fitted over the social rank.

From aggregated values here; from counts in `slope_counts`. Mackenbach JP, Kunst AE (1997) Soc Sci Med
44:757-771; Low A, Low A (2004) J Public Health 26:387-395; Sergeant JC, Firth D (2006) Biostatistics 7:213-224.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from equitydata.stats.answers import FloatArray, Test
from equitydata.stats.contracts import Confidence, ContractError
from equitydata.stats.inequality.answer import Inequality, joined, rescale, without_result
from equitydata.stats.inequality.groups import Groups, midpoint_rank, refusal_of, weighted_mean
from equitydata.stats.inequality.simulated import SEED, Asked, Statistic, measured

SLOPE_DRAWS = 100_000
TRANSFORMS = ("none", "log", "logit")
Line = Callable[[FloatArray, FloatArray], FloatArray]
RANK_ZERO = "rank 0 is the most disadvantaged end, rank 1 the most advantaged"
FEW_GROUPS = "fewer than five groups: five or more are advised"


@dataclass(frozen=True)
class SlopeIndex:
    """Slope and relative index of inequality of one population, with the line they come from.

    sii : value at rank 1 less value at rank 0. rii : their ratio; its standard error is on the log scale.
    relative_slope : the slope over the mean of the groups, another measure that some call RII.
    intercept, slope : of the line, on the scale of the fit. transform : that scale: none, log or logit.
    rank, fitted, residual : shape (k,); middle rank of each group, value of the line there, and estimate less
        fitted, all in the unit of the estimates and before any multiplier.
    lack_of_fit : whether the groups depart from the line by more than their errors; a small p-value says that
        the gradient is curved or broken, and that the index tells only part of it.
    rank_zero : which end rank 0 is.
    """

    sii: Inequality
    rii: Inequality
    relative_slope: Inequality
    intercept: float
    slope: float
    transform: str
    rank: FloatArray
    fitted: FloatArray
    residual: FloatArray
    lack_of_fit: Test
    rank_zero: str = RANK_ZERO


def slope_index(
    groups: Groups,
    *,
    transform: str = "none",
    multiplier: float = 1.0,
    confidence: Confidence = 0.95,
    draws: int = SLOPE_DRAWS,
    seed: int = SEED,
) -> SlopeIndex:
    """SII and RII of aggregated values, by least squares weighted by population.

    groups : ordered, the most disadvantaged first, each with an estimate and people; at least three.
    transform : 'log' (values above 0) or 'logit' (between 0 and 1) fits a line there, for a curved gradient;
        the ends are taken back before they are compared.
    multiplier : of the SII; below 0 it turns the direction round: the SII changes sign, its limits change
        places, and the RII is inverted.
    Limits are percentiles of refits to redrawn estimates; without standard errors there are none. The RII has
    no value where an end of the line is not above 0, and limits of 0 or infinity where that is so in draws.
    """
    if transform not in TRANSFORMS:
        raise ContractError(f"no transform {transform!r}; one of {', '.join(TRANSFORMS)}")
    refusal = _refusal(groups, transform)
    rank = midpoint_rank(groups.share)
    asked = Asked(confidence, draws, seed)
    if refusal:
        return no_slope(refusal, transform=transform, rank=rank, confidence=confidence)
    line = _line(groups.share, rank, transform)
    note = joined(RANK_ZERO, FEW_GROUPS if len(groups.estimate) < 5 else "")
    ends = line(groups.estimate, np.array([0.0, 1.0]))
    no_ratio = "" if (ends > 0).all() else "an end of the fitted line is not above 0"
    no_share = "" if groups.mean > 0 else "a relative measure needs a mean above 0"

    def gap(y: FloatArray) -> FloatArray:
        fitted = line(y, np.array([0.0, 1.0]))
        return fitted[..., 1] - fitted[..., 0]

    def relative(y: FloatArray) -> FloatArray:
        return gap(y) / weighted_mean(y, groups.share)

    sii = measured("SII", groups, gap, asked, refusal="", noisy=False, note=note)
    rii = measured(
        "RII", groups, _end_ratio(line), asked, refusal=no_ratio, noisy=False, ratio=True, note=note
    )
    over_mean = measured("SII/mean", groups, relative, asked, refusal=no_share, noisy=False, note=note)
    coefficients = scale_of_fit(transform)[0](ends)
    fitted = line(groups.estimate, rank)
    return SlopeIndex(
        sii=rescale(sii, multiplier),
        rii=rescale(rii, multiplier),
        relative_slope=rescale(over_mean, float(np.sign(multiplier))),
        intercept=float(coefficients[0]),
        slope=float(coefficients[1] - coefficients[0]),
        transform=transform,
        rank=rank,
        fitted=fitted,
        residual=groups.estimate - fitted,
        lack_of_fit=lack_of_fit(groups, rank, transform),
    )


def no_slope(reason: str, *, transform: str, rank: FloatArray, confidence: Confidence) -> SlopeIndex:
    """A slope index that cannot be had, with the reason."""
    empty = np.full(len(rank), np.nan)
    sii = without_result("SII", reason, confidence=confidence)
    return SlopeIndex(
        sii=sii,
        rii=without_result("RII", reason, confidence=confidence, equality=1.0),
        relative_slope=replace(sii, measure="SII/mean"),
        intercept=np.nan,
        slope=np.nan,
        transform=transform,
        rank=rank,
        fitted=empty,
        residual=empty,
        lack_of_fit=Test(np.nan, np.nan, np.nan, "none", reason),
    )


def scale_of_fit(transform: str) -> tuple[Statistic, Statistic]:
    """The transform and its inverse."""
    from scipy.special import expit, logit

    return {"none": (np.asarray, np.asarray), "log": (np.log, np.exp), "logit": (logit, expit)}[transform]


def _line(share: FloatArray, rank: FloatArray, transform: str) -> Line:
    """A function of estimates (..., k) and ranks (m,) to the values (..., m) of the line fitted to them."""
    forward, inverse = scale_of_fit(transform)
    distance = rank - 0.5  # the mean rank, weighted by population, is a half
    weight = share * distance / (share * distance**2).sum()

    def fitted(y: FloatArray, at: FloatArray) -> FloatArray:
        z = forward(y)
        mean = weighted_mean(z, share)[..., np.newaxis]
        slope = ((z - mean) * weight).sum(axis=-1)[..., np.newaxis]
        return inverse(mean + slope * (at - 0.5))

    return fitted


def _end_ratio(line: Line) -> Statistic:
    """The ratio of the ends; infinite or 0 where one end is not above 0, none where neither is."""

    def statistic(y: FloatArray) -> FloatArray:
        ends = line(y, np.array([0.0, 1.0]))
        bottom, top = ends[..., 0], ends[..., 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.maximum(top, 0) / np.maximum(bottom, 0)

    return statistic


def _refusal(groups: Groups, transform: str) -> str:
    if not groups.ordered:
        return "a slope index needs ordered groups"
    if refusal := refusal_of(groups):
        return refusal
    if transform != "none" and (groups.estimate <= 0).any():
        return f"an estimate that is not above 0 has no {transform}"
    if transform == "logit" and (groups.estimate >= 1).any():
        return "an estimate that is not below 1 has no logit"
    return ""


def lack_of_fit(groups: Groups, rank: FloatArray, transform: str) -> Test:
    """Whether groups depart from a line over their ranks by more than their errors.

    The least sum of squared standardised residuals that any line leaves, against chi-squared with two degrees
    of freedom fewer than groups. rank, transform : as in SlopeIndex.
    """
    from scipy.special import chdtrc

    method = "chi-squared of residuals"
    y, s = groups.estimate, groups.standard_error
    if not (s > 0).all():
        reason = "a group has no standard error, or one of 0"
        return Test(np.nan, float(len(y) - 2), np.nan, method, reason)
    error = s if transform == "none" else s / y  # delta method: 1 / y of a logarithm, 1 / y(1 - y) of a logit
    error = error / (1 - y) if transform == "logit" else error
    z = scale_of_fit(transform)[0](y)
    design = np.column_stack([np.ones_like(rank), rank]) / error[:, np.newaxis]
    left = z / error - design @ np.linalg.lstsq(design, z / error, rcond=None)[0]
    statistic, df = float(left @ left), len(y) - 2
    return Test(statistic, float(df), float(chdtrc(df, statistic)), method)
