"""Proportion of one group, with limits.

Nothing here needs scipy until an interval other than Wilson is asked for: every audit imports this module.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from equitydata.stats.answers import Estimates, FloatArray, texts
from equitydata.stats.contracts import (
    Confidence,
    ContractError,
    as_asked,
    as_counts,
    beside,
    count_notes,
    tails,
)

Limits = tuple[FloatArray, FloatArray]


def proportion(
    numerator: ArrayLike, denominator: ArrayLike, *, confidence: Confidence = 0.95, method: str = "wilson"
) -> Estimates:
    """Share of people with a finding, and where its true value plausibly lies.

    numerator, denominator : counts of one shape, 0 <= numerator <= denominator.
    confidence : fraction or fractions. method : wilson, clopper_pearson (never covers less than it says, so
        it is wider), jeffreys or agresti_coull.
    Returns fractions from 0 to 1; missing, with the reason, where nobody is counted or a count is missing.
    Raises ContractError (a ValueError) for counts that cannot be.
    Newcombe RG, Altman DG (2000); Brown LD, Cai TT, DasGupta A (2001) Stat Sci 16:101-133.
    """
    if method not in PROPORTION_INTERVALS:
        raise ContractError(f"no interval {method!r}; one of {', '.join(PROPORTION_INTERVALS)}")
    x, n = as_counts(numerator=numerator, denominator=denominator)
    lower, upper = PROPORTION_INTERVALS[method](x, n, confidence=confidence)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(n > 0, x / n, np.nan)
    return Estimates(value, lower, upper, as_asked(confidence), texts(x.shape, method), count_notes(x, n))


def wilson(numerator: ArrayLike, denominator: ArrayLike, *, confidence: Confidence = 0.95) -> Limits:
    """Wilson score limits of a proportion.

    Exactly 0 at numerator 0 and exactly 1 at numerator = denominator on that side; NaN where nobody is
    counted or a count is missing (`proportion` says which). Arguments and errors as in `proportion`.
    Wilson EB (1927). J Am Stat Assoc 22:209-212.
    """
    x, n = as_counts(numerator=numerator, denominator=denominator)
    z = _normal_quantiles(tails(confidence))
    x, n = beside(x, z), beside(n, z)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = 2 * x + z**2
        spread = z * np.sqrt(z**2 + 4 * x * (1 - x / n))
        lower = (centre - spread) / (2 * (n + z**2))
        upper = (centre + spread) / (2 * (n + z**2))
    return _known(x, n, np.where(x == 0, 0.0, lower), np.where(x == n, 1.0, upper))


def agresti_coull(numerator: ArrayLike, denominator: ArrayLike, *, confidence: Confidence = 0.95) -> Limits:
    """Agresti-Coull limits: the plain interval around the centre of Wilson's, cut to 0 and 1.

    Agresti A, Coull BA (1998). Am Stat 52:119-126. Arguments and errors as in `proportion`.
    """
    x, n = as_counts(numerator=numerator, denominator=denominator)
    z = _normal_quantiles(tails(confidence))
    x, n = beside(x, z), beside(n, z)
    larger = n + z**2
    centre = (x + z**2 / 2) / larger
    spread = z * np.sqrt(centre * (1 - centre) / larger)
    return _known(x, n, centre - spread, centre + spread)


def clopper_pearson(numerator: ArrayLike, denominator: ArrayLike, *, confidence: Confidence = 0.95) -> Limits:
    """Clopper-Pearson limits: both exact binomial tails hold half of what confidence leaves.

    Clopper CJ, Pearson ES (1934). Biometrika 26:404-413. Arguments and errors as in `proportion`.
    """
    return _beta_limits(numerator, denominator, confidence, lower_extra=(0, 1), upper_extra=(1, 0))


def jeffreys(numerator: ArrayLike, denominator: ArrayLike, *, confidence: Confidence = 0.95) -> Limits:
    """Jeffreys limits: equal tails of the posterior under a Beta(1/2, 1/2) prior, the ends set to 0 and 1.

    Brown LD, Cai TT, DasGupta A (2001). Stat Sci 16:101-133. Arguments and errors as in `proportion`.
    """
    return _beta_limits(numerator, denominator, confidence, lower_extra=(0.5, 0.5), upper_extra=(0.5, 0.5))


def _beta_limits(
    numerator: ArrayLike,
    denominator: ArrayLike,
    confidence: Confidence,
    *,
    lower_extra: tuple[float, float],
    upper_extra: tuple[float, float],
) -> Limits:
    from scipy.special import betaincinv

    x, n = as_counts(numerator=numerator, denominator=denominator)
    tail = tails(confidence)
    x, n = beside(x, tail), beside(n, tail)
    with np.errstate(invalid="ignore"):
        lower = betaincinv(x + lower_extra[0], n - x + lower_extra[1], tail)
        upper = betaincinv(x + upper_extra[0], n - x + upper_extra[1], 1 - tail)
    return _known(x, n, np.where(x == 0, 0.0, lower), np.where(x == n, 1.0, upper))


def _normal_quantiles(tail: FloatArray) -> FloatArray:
    """Normal quantiles of 1 - tail."""
    return np.vectorize(NormalDist().inv_cdf, otypes=[float])(1 - tail)


def _known(x: FloatArray, n: FloatArray, lower: FloatArray, upper: FloatArray) -> Limits:
    """Limits within 0 and 1, NaN where there is nothing to estimate from."""
    empty = ~(n > 0) | np.isnan(x)
    return np.where(empty, np.nan, np.clip(lower, 0, 1)), np.where(empty, np.nan, np.clip(upper, 0, 1))


PROPORTION_INTERVALS: dict[str, Callable[..., Limits]] = {
    "wilson": wilson,
    "clopper_pearson": clopper_pearson,
    "jeffreys": jeffreys,
    "agresti_coull": agresti_coull,
}
