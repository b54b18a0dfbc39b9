"""Many units against their common average: funnel limits, labels and the false-discovery line.

A funnel asks of each unit alone whether chance could explain its distance from the average. The limits depend
on the size of the unit only, so they can be drawn as curves; the label of a unit and the place of its point
against the curves always agree, because both invert the same test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import MISSING_COUNT, FloatArray, TextArray, add_note, texts
from equitydata.stats.contracts import (
    Confidence,
    ContractError,
    as_asked,
    as_counts,
    as_floats,
    beside,
    count_notes,
    refuse_where,
    tails,
)

Limits = tuple[FloatArray, FloatArray]

FUNNEL_CONFIDENCE = (0.95, 0.998)
# The label names the tail that the unit lies in; the smaller tail wins.
HIGH_0001, HIGH_0025 = "high_0.001", "high_0.025"
LOW_0001, LOW_0025 = "low_0.001", "low_0.025"
NOT_DIFFERENT, NOT_ASSESSED = "not_different", "not_assessed"
FEW_EVENTS = 10

NO_SPREAD = "the average is 0 or 1: no unit can differ by chance"
TOO_FEW_EVENTS = "fewer than 10 events: not assessed"
ZERO_NEEDS_DENOMINATOR = "no events and no denominator: the size of the unit is not known"
MISSING_RATE = "a rate is missing"


@dataclass(frozen=True)
class Funnel:
    """Units against their average.

    average : the value every unit is held against; NaN where no unit has both counts.
    value, denominator : shape S; the size of each unit in the units of the curve's axis.
    lower, upper : S + (k,) for k confidences (S for one); the limits at the size of the unit.
    low_tail, high_tail : S; probability, if the unit were average, of a value this low or lower, this high or
        higher. label : S; high_0.001, high_0.025, low_0.025, low_0.001, not_different or not_assessed.
    note : S; why a unit is not assessed, or what to keep in mind.
    """

    average: float
    value: FloatArray
    denominator: FloatArray
    lower: FloatArray
    upper: FloatArray
    confidence: float | tuple[float, ...]
    low_tail: FloatArray
    high_tail: FloatArray
    label: TextArray
    method: str
    note: TextArray


@dataclass(frozen=True)
class DiscoveryLine:
    """Where the false-discovery rate draws its line through one funnel.

    tail : the one-sided tail of the line; 0 where no unit is discovered. confidence : 1 - 2 tail, to be given
    to the limit functions for the curve; NaN where no unit is discovered. discovered : shape S.
    units : how many were tested.
    """

    rate: float
    tail: float
    confidence: float
    discovered: NDArray[np.bool_]
    units: int


def proportion_funnel(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    average: float | None = None,
    confidence: Confidence = FUNNEL_CONFIDENCE,
) -> Funnel:
    """Proportions of many units against their average; limits as in `proportion_limits`.

    numerator, denominator : shape S, 0 <= numerator <= denominator.
    average : a fraction; without it, all events over all people of the units that have both counts.
    A unit with nobody or a missing count is not assessed. Raises ContractError for counts that cannot be.
    Spiegelhalter DJ (2005) Stat Med 24:1185-1202.
    """
    from scipy.special import ndtr

    x, n = as_counts(numerator=numerator, denominator=denominator)
    centre = _average(x, n, average, at_most=1.0)
    lower, upper = proportion_limits(n, average=centre, confidence=confidence)
    notes = count_notes(x, n)
    add_note(notes, (centre in (0.0, 1.0)) & (n > 0), NO_SPREAD)
    value = _ratio(x, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (value - centre) / np.sqrt(centre * (1 - centre) / n)
    z = np.where((value == centre) & (centre in (0.0, 1.0)), 0.0, z)
    return _funnel(
        centre, value, n, (lower, upper), confidence, (ndtr(z), ndtr(-z)), "inverted_wilson", notes
    )


def rate_funnel(
    *,
    events: ArrayLike,
    denominator: ArrayLike,
    average: float | None = None,
    confidence: Confidence = FUNNEL_CONFIDENCE,
) -> Funnel:
    """Rates or ratios of many units against their average; limits as in `rate_limits`.

    events : shape S; events or observed cases. denominator : shape S; person-time, or the expected cases of an
        indirectly standardised ratio (then `average=1` holds each unit against the standard itself).
    average : events per unit of denominator; without it, all events over the whole denominator.
    A unit with no denominator or a missing count is not assessed. Raises ContractError for a negative entry.
    Spiegelhalter DJ (2005) Stat Med 24:1185-1202.
    """
    x, n = as_counts(at_most=False, events=events, denominator=denominator)
    centre = _average(x, n, average)
    limits = rate_limits(n, average=centre, confidence=confidence)
    value, notes = _ratio(x, n), count_notes(x, n)
    return _funnel(
        centre, value, n, limits, confidence, _poisson_tails(x, n * centre), "exact_poisson", notes
    )


def standardised_rate_funnel(
    *,
    rate: ArrayLike,
    events: ArrayLike,
    denominator: ArrayLike | None = None,
    confidence: Confidence = FUNNEL_CONFIDENCE,
) -> Funnel:
    """Directly standardised rates of many units: each as if its events came from events / rate people.

    rate : shape S; per unit of denominator (not per 100,000). events : shape S; the events it rests on.
    denominator : shape S; used where there are no events, since 0 / 0 gives no size.
    A rate on fewer than 10 events is not assessed and says so, but counts towards the average.
    Raises ContractError for a negative entry, or a rate of 0 that has events (or the other way round).
    """
    d, x = as_counts(at_most=False, rate=rate, events=events)
    refuse_where((d == 0) & (x > 0), "rate is 0 but there are events")
    refuse_where((d > 0) & (x == 0), "rate is above 0 but there are no events")
    given = (
        np.full(x.shape, np.nan) if denominator is None else as_floats(denominator=denominator, events=x)[0]
    )
    refuse_where(given < 0, "denominator is negative")
    size = np.where((x == 0) & (d == 0), given, _ratio(x, d))
    centre = _average(x, size, None)
    limits = rate_limits(size, average=centre, confidence=confidence)
    notes = texts(x.shape)
    add_note(notes, np.isnan(x), MISSING_COUNT)
    add_note(notes, np.isnan(d) & ~np.isnan(x), MISSING_RATE)
    add_note(notes, (x == 0) & (d == 0) & ~(given > 0), ZERO_NEEDS_DENOMINATOR)
    add_note(notes, (x < FEW_EVENTS) & (size > 0), TOO_FEW_EVENTS)
    few = x < FEW_EVENTS
    low, high = (np.where(few, np.nan, tail) for tail in _poisson_tails(x, size * centre))
    value = np.where(size > 0, d, np.nan)
    return _funnel(centre, value, size, limits, confidence, (low, high), "exact_poisson", notes)


def proportion_limits(
    denominator: ArrayLike, *, average: float, confidence: Confidence = FUNNEL_CONFIDENCE
) -> Limits:
    """The proportions whose Wilson interval just touches the average, at any denominators.

    Wilson's interval inverts the score test, so these are average -+ z sqrt(average (1 - average) / n), cut to
    0 and 1. denominator : shape S. Returns lower and upper, S + (k,) for k confidences; NaN where nobody is
    counted or the average is not known.
    """
    from scipy.special import ndtri

    (n,) = as_floats(denominator=denominator)
    refuse_where(n < 0, "denominator is negative")
    _refuse_average(average, at_most=1.0)
    tail = tails(confidence)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = ndtri(1 - tail) * np.sqrt(average * (1 - average) / beside(n, tail))
    none = ~(beside(n, tail) > 0)
    lower, upper = np.clip(average - spread, 0, 1), np.clip(average + spread, 0, 1)
    return np.where(none, np.nan, lower), np.where(none, np.nan, upper)


def rate_limits(
    denominator: ArrayLike, *, average: float, confidence: Confidence = FUNNEL_CONFIDENCE
) -> Limits:
    """The rates whose exact Poisson limits just touch the average, at any denominators.

    With E = denominator x average expected events, the upper curve is the count whose lower Poisson limit is
    E, the lower curve the count whose upper limit is E (0 where even no events would not be unusual), both
    over the denominator; counts between whole numbers by the gamma form of the Poisson distribution.
    Shapes as in `proportion_limits`. Garwood F (1936) Biometrika 28:437-442.
    """
    (n,) = as_floats(denominator=denominator)
    refuse_where(n < 0, "denominator is negative")
    _refuse_average(average)
    tail = tails(confidence)
    # Each size once: the inverse of the Poisson tail is slow, and units share sizes.
    sizes, place = np.unique(n, return_inverse=True)
    size, tail = np.broadcast_arrays(beside(sizes, tail), tail)
    expected = size * average
    known = (size > 0) & (expected > 0)
    lower, upper = np.full(size.shape, np.nan), np.full(size.shape, np.nan)
    lower[known] = np.maximum(_shape_of_gamma(1 - tail[known], expected[known]) - 1, 0) / size[known]
    upper[known] = _shape_of_gamma(tail[known], expected[known]) / size[known]
    never = (size > 0) & (expected == 0)
    place = place.reshape(n.shape)
    return np.where(never, 0.0, lower)[place], np.where(never, 0.0, upper)[place]


def false_discovery_line(funnel: Funnel, *, rate: float = 0.05) -> DiscoveryLine:
    """The line beyond which at most `rate` of the units singled out are expected to be average ones.

    Benjamini-Hochberg over the two-sided p-values (twice the smaller tail) of the assessed units; the line
    lies at the critical value of the last unit that passes. One whole funnel is the family.
    Jones HE, Ohlssen DI, Spiegelhalter DJ (2008) J Clin Epidemiol 61:232-240.
    """
    if not 0 < rate <= 0.5:
        raise ContractError(
            "the false-discovery rate is a fraction above 0 and at most 0.5, for example 0.05"
        )
    p = np.minimum(1.0, 2 * np.minimum(funnel.low_tail, funnel.high_tail))
    tested = np.sort(p[~np.isnan(p)])
    units = len(tested)
    critical = rate * np.arange(1, units + 1) / max(units, 1)
    passes = np.flatnonzero(tested <= critical)
    cut = float(critical[passes[-1]]) if len(passes) else 0.0
    with np.errstate(invalid="ignore"):
        discovered = (p <= cut) & (cut > 0)
    return DiscoveryLine(rate, cut / 2, 1 - cut if cut else float("nan"), discovered, units)


def tail_labels(low_tail: FloatArray, high_tail: FloatArray) -> TextArray:
    """The label of each unit from its two tails; not_assessed where they are missing."""
    labels = texts(low_tail.shape, NOT_DIFFERENT)
    labels[np.isnan(low_tail) | np.isnan(high_tail)] = NOT_ASSESSED
    for tail, within, label in (
        (high_tail, 0.025, HIGH_0025),
        (low_tail, 0.025, LOW_0025),
        (high_tail, 0.001, HIGH_0001),
        (low_tail, 0.001, LOW_0001),
    ):
        labels[tail < within] = label
    return labels


def _funnel(
    average: float,
    value: FloatArray,
    size: FloatArray,
    limits: Limits,
    confidence: Confidence,
    both_tails: Limits,
    method: str,
    notes: TextArray,
) -> Funnel:
    none = np.isnan(value)
    low, high = (np.where(none, np.nan, tail) for tail in both_tails)
    size, labels = np.where(none, np.nan, size), tail_labels(low, high)
    per_level = beside(none, tails(confidence))
    lower, upper = (np.where(per_level, np.nan, limit) for limit in limits)
    asked = as_asked(confidence)
    return Funnel(average, value, size, lower, upper, asked, low, high, labels, method, notes)


def _ratio(x: FloatArray, n: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > 0, x / n, np.nan)


def _average(x: FloatArray, n: FloatArray, given: float | None, *, at_most: float = np.inf) -> float:
    """The average given, or all events over the whole denominator of the units that have both."""
    if given is not None:
        _refuse_average(given, at_most=at_most)
        if np.isnan(given):
            raise ContractError("average is not a number; leave it out to have it worked out")
        return float(given)
    both = ~np.isnan(x) & (n > 0)
    return float(x[both].sum() / n[both].sum()) if both.any() else float("nan")


def _refuse_average(average: float, *, at_most: float = np.inf) -> None:
    """An unknown average (NaN) is no violation: what is asked of it is unknown too."""
    if average < 0 or average > at_most or np.isinf(average):
        raise ContractError(f"average is a number from 0{' to 1' if at_most == 1 else ''}, not {average}")


def _poisson_tails(x: FloatArray, expected: FloatArray) -> Limits:
    """P(count <= x) and P(count >= x) for the counts expected; gamma forms, so x need not be whole."""
    from scipy.special import gammainc, gammaincc

    with np.errstate(invalid="ignore"):
        low = gammaincc(x + 1, expected)
        high = np.where(x == 0, 1.0, gammainc(np.where(x == 0, 1.0, x), expected))
    none = np.isnan(x) | np.isnan(expected)
    return np.where(none, np.nan, low), np.where(none, np.nan, high)


def _shape_of_gamma(probability: FloatArray, at: FloatArray) -> FloatArray:
    """The shape for which a gamma variable of scale 1 lies below `at` with this probability.

    The library's inverse is checked, and replaced by bisection in the few entries where it strays.
    """
    from scipy.special import gammainc, gdtrib

    with np.errstate(all="ignore"):
        shape = np.asarray(gdtrib(1.0, probability, at), dtype=float)
        astray = ~(np.abs(gammainc(shape, at) - probability) <= 1e-7 * probability)
    if astray.any():
        shape[astray] = _bisect(lambda s: gammainc(s, at[astray]) - probability[astray], at[astray])
    return shape


def _bisect(falling: Callable[[FloatArray], FloatArray], at: FloatArray) -> FloatArray:
    """The root of a falling function of the shape, between 0 and far above the expected count."""
    low, high = np.zeros(at.shape), at + 40 * np.sqrt(at) + 400
    for _ in range(100):
        middle = (low + high) / 2
        above = falling(middle) > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return (low + high) / 2
