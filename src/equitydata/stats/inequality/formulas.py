"""The formulas of the inequality measures: estimates (..., k) and shares (k,) to values (...).

Each works on one population and on many draws of it at once. Nothing is checked here. Variances are delta
method: the squared derivative by each estimate, times its squared standard error, summed.
"""

from __future__ import annotations

import numpy as np

from equitydata.stats.answers import FloatArray
from equitydata.stats.inequality.groups import weighted_mean


def _gaps_from_mean(y: FloatArray, p: FloatArray) -> FloatArray:
    return y - weighted_mean(y, p)[..., np.newaxis]


def between_variance(y: FloatArray, p: FloatArray) -> FloatArray:
    """Sum of p(y - mean)^2."""
    return (p * _gaps_from_mean(y, p) ** 2).sum(axis=-1)


def between_variance_bias(s: FloatArray, p: FloatArray) -> float:
    """What the errors of independent estimates add to the between-group variance, on average."""
    return float((p * (1 - p) * s**2).sum())


def between_variance_variance(y: FloatArray, s: FloatArray, p: FloatArray) -> float:
    """Variance of a quadratic form in independent normal estimates, its second-order term included."""
    first = 4 * (p**2 * s**2 * _gaps_from_mean(y, p) ** 2).sum()
    second = (p**2 * s**2).sum() ** 2 - (p**4 * s**4).sum() + (p**2 * (1 - p) ** 2 * s**4).sum()
    return float(first + 2 * second)


def between_sd(y: FloatArray, p: FloatArray) -> FloatArray:
    """Root of the between-group variance."""
    return np.sqrt(between_variance(y, p))


def variation(y: FloatArray, p: FloatArray) -> FloatArray:
    """Between-group standard deviation, per cent of the mean."""
    return 100 * between_sd(y, p) / weighted_mean(y, p)


def mean_distance(y: FloatArray, p: FloatArray, target: FloatArray, *, weighted: bool) -> FloatArray:
    """Mean distance of the groups from a target (...), each group or each person counting the same."""
    distance = np.abs(y - target[..., np.newaxis])
    return (p * distance).sum(axis=-1) if weighted else distance.mean(axis=-1)


def disparity_index(y: FloatArray, p: FloatArray, *, weighted: bool) -> FloatArray:
    """Mean distance from the mean, per cent of the mean; the mean is weighted in either version."""
    mean = weighted_mean(y, p)
    return 100 * mean_distance(y, p, mean, weighted=weighted) / mean


def theil(y: FloatArray, p: FloatArray) -> FloatArray:
    """Sum of p r ln r, r = y / mean; a group at 0 adds nothing, as in the limit."""
    r = y / weighted_mean(y, p)[..., np.newaxis]
    return (p * r * np.log(np.where(r == 0, 1, r))).sum(axis=-1)


def theil_variance(y: FloatArray, s: FloatArray, p: FloatArray) -> float:
    """Delta method: the sum of p r (1 + ln r) is 1 + Theil, so the derivative is p (ln r - Theil) / mean.

    Infinite with a group at 0 that has an error: the derivative is.
    """
    mean = weighted_mean(y, p)
    with np.errstate(divide="ignore"):
        return _squared(p * s / mean, np.log(y / mean) - theil(y, p))


def log_deviation(y: FloatArray, p: FloatArray) -> FloatArray:
    """Minus the sum of p ln r, r = y / mean."""
    r = y / weighted_mean(y, p)[..., np.newaxis]
    with np.errstate(divide="ignore"):
        return -(p * np.log(r)).sum(axis=-1)


def log_deviation_variance(y: FloatArray, s: FloatArray, p: FloatArray) -> float:
    """Delta method."""
    mean = weighted_mean(y, p)
    return _squared(p * s / mean, 1 - mean / y)


def _squared(error: FloatArray, derivative: FloatArray) -> float:
    """Sum of squared products. A group without error adds nothing, even where its derivative is infinite."""
    held = np.where(error == 0, 0.0, derivative)
    return float(((error * held) ** 2).sum())
