"""Mean and quantiles of a measurement in one group, with limits, from sums and frequencies.

The records stay in the engine; what comes here adds up over groups: how many, their sum, the sum of their
squares, and how often each distinct value was seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import (
    MISSING_COUNT,
    NOBODY,
    WEIGHTED,
    Estimates,
    FloatArray,
    TextArray,
    add_note,
    texts,
)
from equitydata.stats.contracts import (
    Confidence,
    ContractError,
    as_asked,
    as_floats,
    beside,
    refuse_where,
    tails,
)

ONE_VALUE = "one value: no limits"
SPREAD_LOST = "the spread is lost in rounding: take a constant off the values before they are summed"
NO_LOWER_RANK = "too few values for a lower limit"
NO_UPPER_RANK = "too few values for an upper limit"
WEIGHTED_RANKS = "no limits, because frequencies are not whole numbers"

# Whole numbers up to here are exact as floats.
EXACT_UP_TO = 2.0**53


def mean(
    *, n: ArrayLike, total: ArrayLike, total_squares: ArrayLike, confidence: Confidence = 0.95
) -> Estimates:
    """Mean of a measurement, with limits from Student's t on n - 1 degrees of freedom.

    n, total, total_squares : shape S; how many values, their sum, and the sum of their squares.
    n = 1 has a value and no limits; n = 0 or a missing entry has neither, and says why. Values that lie
    close together far from 0 (dates as numbers) lose their spread in the rounding of the squares: then
    there are no limits, and a note.
    Raises ContractError for n or total_squares below 0, for a total of nobody, and for sums that no values
    have: a sum of squares below total**2 / n.
    Student (1908). Biometrika 6:1-25.
    """
    from scipy.special import stdtrit

    count, t, squares = as_floats(n=n, total=total, total_squares=total_squares)
    refuse_where(count < 0, "n is negative")
    refuse_where(squares < 0, "total_squares is negative")
    refuse_where((count == 0) & ((np.abs(t) > 0) | (squares > 0)), "nobody was counted, yet there is a total")
    tail = tails(confidence)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread, lost = _spread(count, t, squares)
        value = np.where(count > 0, t / count, np.nan)
        known = (count > 1) & ~lost
        error = np.sqrt(np.where(known, spread / (count - 1) / count, np.nan))
        reach = -stdtrit(beside(np.where(known, count - 1, np.nan), tail), tail) * beside(error, tail)
    notes = texts(count.shape)
    # An engine's sum over nobody is blank: that is nobody, not a missing sum.
    missing = np.isnan(count) | ((count > 0) & np.isnan(t + squares))
    value = np.where(missing, np.nan, value)
    add_note(notes, missing, MISSING_COUNT)
    add_note(notes, count == 0, NOBODY)
    add_note(notes, ~missing & (count > 0) & (count <= 1), ONE_VALUE)
    add_note(notes, (count > 1) & lost, SPREAD_LOST)
    add_note(notes, ~missing & (count != np.floor(count)), WEIGHTED)
    middle = beside(value, tail)
    return Estimates(
        value, middle - reach, middle + reach, as_asked(confidence), texts(count.shape, "t"), notes
    )


def _spread(n: FloatArray, total: FloatArray, squares: FloatArray) -> tuple[FloatArray, NDArray]:
    """Sum of squares around the mean, and where it is lost in rounding.

    The sums of an engine are taken to be off by up to 8 units in the last place times sqrt(n): a spread
    within a hundred times that is not good to 1%. Sums of whole numbers are exact and lose nothing.
    """
    scaled = n * squares - total**2
    whole = (n == np.floor(n)) & (total == np.floor(total)) & (squares == np.floor(squares))
    exact = whole & (n * squares < EXACT_UP_TO) & (total**2 < EXACT_UP_TO)
    rounding = np.where(exact, 0, 8 * np.finfo(float).eps * np.sqrt(n)) * n * squares
    refuse_where(scaled < -rounding, "total_squares is below total**2 / n, which no values have")
    refuse_where((n == 1) & (scaled > rounding), "total_squares is not the square of the one value")
    lost = ~exact & (np.abs(scaled) <= 100 * rounding)
    return np.maximum(scaled, 0) / n, lost


def median(values: ArrayLike, frequencies: ArrayLike, *, confidence: Confidence = 0.95) -> Estimates:
    """The median of each group: `quantile` at one half."""
    return quantile(values, frequencies, probability=0.5, confidence=confidence)


def quantile(
    values: ArrayLike, frequencies: ArrayLike, *, probability: float = 0.5, confidence: Confidence = 0.95
) -> Estimates:
    """A quantile of each group from how often each value was seen, with distribution-free limits.

    values : shape (v,), numbers in any order. frequencies : shape (v,) for one group or (g, v) for g groups.
    probability : a fraction between 0 and 1, one half for the median.
    The quantile is the smallest value with at least that share of the group at or below it; where the share
    is met exactly, it is halfway to the next value (definition 2 of Hyndman and Fan, the usual median). The
    limits are two of the values, so chosen by the binomial distribution that they hold the true quantile
    with at least the confidence asked for, whatever the distribution. A small group may have no such value
    on a side: then that limit is NaN, with a note. Answer of shape () or (g,).
    Raises ContractError for a missing value, a negative frequency or shapes that do not fit.
    Hyndman RJ, Fan Y (1996) Am Stat 50:361-365; Conover WJ (1999) Practical Nonparametric Statistics, 3.2.
    """
    ordered, seen = _table(values, frequencies)
    if not 0 < probability < 1:
        raise ContractError("probability is a fraction between 0 and 1, for example 0.5")
    tail = tails(confidence)
    reached = np.cumsum(seen, axis=-1)
    n = reached[..., -1] if seen.shape[-1] else np.zeros(seen.shape[:-1])
    whole = (seen == np.floor(seen)).all(axis=-1)
    value = _quantile_at(ordered, reached, n, probability)
    lower_rank, upper_rank = _limit_ranks(np.where(whole, n, np.nan), probability, tail)
    with np.errstate(invalid="ignore"):
        lower = _value_at(ordered, reached, np.where(lower_rank >= 1, lower_rank, np.nan))
        upper = _value_at(ordered, reached, np.where(upper_rank <= beside(n, tail), upper_rank, np.nan))
    notes = _quantile_notes(n, whole, lower, upper, tail)
    method = texts(n.shape, "order statistics")
    return Estimates(value, lower, upper, as_asked(confidence), method, notes)


def _table(values: ArrayLike, frequencies: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Values in ascending order, and the frequencies in the order of the values."""
    (numbers,), (seen,) = as_floats(values=values), as_floats(frequencies=frequencies)
    if numbers.ndim != 1 or seen.ndim not in (1, 2) or seen.shape[-1] != len(numbers):
        raise ContractError(f"one frequency for each value: values {numbers.shape}, frequencies {seen.shape}")
    refuse_where(np.isnan(numbers), "values has a missing entry: leave it out, or give it a number")
    refuse_where(seen < 0, "frequencies is negative")
    order = np.argsort(numbers, kind="stable")
    return numbers[order], seen[..., order]


def _quantile_at(ordered: FloatArray, reached: FloatArray, n: FloatArray, probability: float) -> FloatArray:
    """The quantile by definition 2: between two values where the share is met exactly."""
    wanted = np.where(n > 0, n * probability, np.nan)
    slack = 4 * np.finfo(float).eps * np.maximum(1, wanted)
    at_it = _value_at(ordered, reached, wanted - slack)
    just_beyond = _value_at(ordered, reached, wanted + slack)
    return (at_it + just_beyond) / 2


def _limit_ranks(n: FloatArray, probability: float, tail: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Ranks (from 1) of the limits; 0 and n + 1 where no value will do.

    Binomial(n, p) people lie at or below the true quantile. The lower rank is the largest with less than
    the tail below it; the upper rank is the same seen from above.
    """
    from scipy.stats import binom

    people = beside(n, tail)
    lower = binom.ppf(tail, people, probability)
    upper = people + 1 - binom.ppf(tail, people, 1 - probability)
    return lower, upper


def _value_at(ordered: FloatArray, reached: FloatArray, rank: FloatArray) -> FloatArray:
    """The first value by which each group has reached that rank; NaN for a rank of NaN.

    reached : (v,) or (g, v), running totals. rank : without that axis, or with one of confidence levels.
    """
    if not len(ordered):
        return np.full(rank.shape, np.nan)
    rows = reached.reshape(-1, len(ordered))
    ranks = rank.reshape(len(rows), rank.size // max(len(rows), 1))
    first, past = np.zeros(ranks.shape, dtype=int), np.full(ranks.shape, len(ordered) - 1)
    # Bisection for all groups at once. A rank beyond the last running total by rounding is the last value.
    for _ in range(len(ordered).bit_length()):
        middle = (first + past) // 2
        short = (np.take_along_axis(rows, middle, axis=1) < ranks) & (first < past)
        first, past = np.where(short, middle + 1, first), np.where(short, past, middle)
    return np.where(np.isnan(ranks), np.nan, ordered[first]).reshape(rank.shape)


def _quantile_notes(
    n: FloatArray, whole: NDArray, lower: FloatArray, upper: FloatArray, tail: FloatArray
) -> TextArray:
    notes = texts(n.shape)
    missing = np.isnan(n)
    some = ~missing & (n > 0)
    add_note(notes, missing, MISSING_COUNT)
    add_note(notes, n == 0, NOBODY)
    add_note(notes, some & ~whole, WEIGHTED_RANKS)
    for limit, text in ((lower, NO_LOWER_RANK), (upper, NO_UPPER_RANK)):
        lost = np.isnan(limit).any(axis=-1) if tail.ndim else np.isnan(limit)
        add_note(notes, some & whole & lost, text)
    return notes
