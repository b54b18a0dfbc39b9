"""Intervals of one group: arrays in, arrays out."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray


def wilson(
    numerator: ArrayLike, denominator: ArrayLike, *, confidence: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson score interval of a proportion: where its true value plausibly lies.

    numerator, denominator : array_like, shape (n,); counts, 0 <= numerator <= denominator.
    confidence : fraction, 0.95 and not 95.
    Returns lower and upper, fractions within 0 and 1, exactly 0 at numerator 0 and exactly 1 at
    numerator = denominator on that side; NaN where the denominator is 0 or either count is missing.
    Raises ValueError for a negative count, a numerator above its denominator, unequal lengths or a
    confidence outside 0.5 to 1.
    Wilson EB (1927). J Am Stat Assoc 22:209-212.

    statsmodels holds the same interval; importing it costs seconds that every audit would pay, so it serves
    as the independent check in the tests.
    """
    x = np.asarray(numerator, dtype=float)
    n = np.asarray(denominator, dtype=float)
    if x.shape != n.shape:
        raise ValueError(f"numerator has shape {x.shape}, denominator {n.shape}")
    if not 0.5 <= confidence < 1:
        raise ValueError("confidence is a fraction from 0.5 to below 1, for example 0.95")
    if np.any(x < 0) or np.any(n < 0) or np.any(x > n):
        raise ValueError("counts must satisfy 0 <= numerator <= denominator")
    z = NormalDist().inv_cdf(1 - (1 - confidence) / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = x / n
        centre = 2 * x + z**2
        spread = z * np.sqrt(z**2 + 4 * x * (1 - p))
        lower = (centre - spread) / (2 * (n + z**2))
        upper = (centre + spread) / (2 * (n + z**2))
    lower = np.where(x == 0, 0.0, np.clip(lower, 0, 1))
    upper = np.where(x == n, 1.0, np.clip(upper, 0, 1))
    empty = ~(n > 0) | np.isnan(x)
    return np.where(empty, np.nan, lower), np.where(empty, np.nan, upper)
