"""Two means compared, from sizes, means and variances: their difference, and a test that they are equal."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from equitydata.stats.answers import (
    MISSING_COUNT,
    NOBODY,
    Estimates,
    FloatArray,
    Tests,
    TextArray,
    add_note,
    texts,
)
from equitydata.stats.contracts import Confidence, as_asked, as_floats, beside, refuse_where, tails
from equitydata.stats.two_groups.two_by_two import NOBODY_COMPARED

ONE_PERSON = "one person in a group: no limits and no test"
NO_VARIATION = "no variation in either group: no limits and no test"
MISSING_VALUE = "a mean or a variance is missing"


def mean_difference(
    *,
    size: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    comparator_size: ArrayLike,
    comparator_mean: ArrayLike,
    comparator_variance: ArrayLike,
    confidence: Confidence = 0.95,
) -> Estimates:
    """Mean of a group less that of its comparator, with Welch limits: variances may differ.

    size : people with a value, of one shape with the others. variance : the sample variance, over size - 1; not
    looked at in a group of one person, and may be NaN there. `mean_and_variance` gives both from sums.
    confidence : fraction or fractions. Returns the unit of the means.
    One person in a group, or no variation in either: a value without limits. Missing, with the reason, where a
    group has nobody or an entry is missing. Raises ContractError for a negative size or variance.
    Welch BL (1947). Biometrika 34:28-35.
    """
    from scipy.special import stdtrit

    value, error, df, notes = _welch(
        size, mean, variance, comparator_size, comparator_mean, comparator_variance
    )
    tail = tails(confidence)
    with np.errstate(invalid="ignore"):
        spread = stdtrit(beside(df, tail), 1 - tail) * beside(error, tail)
    lower, upper = beside(value, tail) - spread, beside(value, tail) + spread
    return Estimates(value, lower, upper, as_asked(confidence), texts(value.shape, "welch_t"), notes)


def mean_test(
    *,
    size: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    comparator_size: ArrayLike,
    comparator_mean: ArrayLike,
    comparator_variance: ArrayLike,
) -> Tests:
    """Whether two means could be equal: two-sided Welch t-test, in agreement with the limits of `mean_difference`.

    Arguments, edges and errors as there. statistic : t, positive where the group is higher.
    """
    from scipy.special import stdtr

    value, error, df, notes = _welch(
        size, mean, variance, comparator_size, comparator_mean, comparator_variance
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        t = value / error
        p_value = 2 * stdtr(df, -np.abs(t))
    return Tests(np.asarray(t), np.asarray(p_value), texts(value.shape, "welch_t"), notes)


def mean_and_variance(
    *, size: ArrayLike, total: ArrayLike, total_of_squares: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Mean and sample variance from the sums that a database can count: of values, and of their squares.

    All of one shape. The variance is NaN for one person, both are NaN for nobody or a missing entry. Digits are
    lost where the mean is large beside the spread (a mean of a million and a spread of 1 keep about 4 of 16):
    sum values less a round number near their mean instead, which changes the mean by that number and no variance.
    Raises ContractError for a negative size, and where the squares are too small for the sum of the values.
    """
    n, s, q = as_floats(size=size, total=total, total_of_squares=total_of_squares)
    refuse_where(n < 0, "size is negative")
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(n > 0, s / n, np.nan)
        about_mean = q - s * mean
        refuse_where(about_mean < -1e-9 * np.abs(q), "total_of_squares is too small for total")
        variance = np.where(n > 1, np.maximum(about_mean, 0) / (n - 1), np.nan)
    return mean, variance


def _welch(
    size: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    comparator_size: ArrayLike,
    comparator_mean: ArrayLike,
    comparator_variance: ArrayLike,
) -> tuple[FloatArray, FloatArray, FloatArray, TextArray]:
    """The difference, its standard error, the degrees of freedom of Welch and Satterthwaite, and notes."""
    n1, m1, v1, n2, m2, v2 = as_floats(
        size=size,
        mean=mean,
        variance=variance,
        comparator_size=comparator_size,
        comparator_mean=comparator_mean,
        comparator_variance=comparator_variance,
    )
    for name, entries in (
        ("size", n1),
        ("variance", v1),
        ("comparator_size", n2),
        ("comparator_variance", v2),
    ):
        refuse_where(entries < 0, f"{name} is negative")
    nobody, nobody_compared, uncounted = n1 == 0, n2 == 0, np.isnan(n1 + n2)
    single = ~uncounted & ~nobody & ~nobody_compared & (np.minimum(n1, n2) <= 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        part1, part2 = np.where(single, np.nan, v1 / n1), np.where(single, np.nan, v2 / n2)
        value = np.where(nobody | nobody_compared | uncounted, np.nan, m1 - m2)
        still = part1 + part2 == 0
        error = np.where(still | np.isnan(value), np.nan, np.sqrt(part1 + part2))
        # Shares of the variance, so that neither tiny nor huge variances leave the range of doubles.
        share1, share2 = part1 / (part1 + part2), part2 / (part1 + part2)
        df = 1 / (share1**2 / (n1 - 1) + share2**2 / (n2 - 1))
    notes = texts(value.shape)
    add_note(notes, uncounted, MISSING_COUNT)
    add_note(notes, nobody, NOBODY)
    add_note(notes, nobody_compared, NOBODY_COMPARED)
    counted = ~(nobody | nobody_compared | uncounted)
    blank = np.isnan(m1 + m2) | (~single & np.isnan(v1 + v2))
    add_note(notes, counted & blank, MISSING_VALUE)
    add_note(notes, counted & ~blank & single, ONE_PERSON)
    add_note(notes, counted & ~blank & still, NO_VARIATION)
    return value, error, df, notes
