"""Counts of events, and rates of events per person-time, with limits.

Events can repeat, so a count may pass the number of people: limits come from the Poisson distribution.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import (
    MISSING_COUNT,
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
    as_counts,
    as_floats,
    beside,
    count_notes,
    refuse_where,
    tails,
)

Limits = tuple[FloatArray, FloatArray]

EXACT_BELOW = 10
NO_BYAR_LOWER = "too few events for a lower limit by Byar at this confidence"


def count(events: ArrayLike, *, confidence: Confidence = 0.95, method: str = "auto") -> Estimates:
    """A count of events, and where its expected number plausibly lies.

    events : shape S, 0 or more. confidence : fraction or fractions.
    method : auto (exact below 10 events, Byar from 10), exact or byar; the answer names it for each entry.
    A missing count has a missing result, no method and a note. Raises ContractError for a negative count.
    """
    (x,) = _as_events(events)
    lower, upper = _intervals(method)(x, confidence=confidence)
    notes = texts(x.shape)
    add_note(notes, np.isnan(x), MISSING_COUNT)
    add_note(notes, ~np.isnan(x) & (x != np.floor(x)), WEIGHTED)
    _note_no_lower(notes, np.isnan(x), lower, confidence)
    return Estimates(np.array(x), lower, upper, as_asked(confidence), _methods(x, method), notes)


def rate(
    events: ArrayLike,
    person_time: ArrayLike,
    *,
    multiplier: float = 1.0,
    confidence: Confidence = 0.95,
    method: str = "auto",
) -> Estimates:
    """Events per person-time, with the limits of the count over the person-time.

    events, person_time : shape S; events may pass person_time. person_time is taken as known without error.
    multiplier : what value and limits are given per: 1000 for events per 1,000 person-years.
    method, confidence : as in `count`.
    Missing, with the reason, where the person-time is 0 or an entry is missing. Raises ContractError for a
    negative entry or a multiplier that is not above 0.
    Breslow NE, Day NE (1987) Statistical Methods in Cancer Research II. IARC.
    """
    refuse_multiplier(multiplier)
    x, time = as_counts(at_most=False, events=events, person_time=person_time)
    lower, upper = _intervals(method)(x, confidence=confidence)
    notes = count_notes(x, time)
    none = np.isnan(x) | ~(time > 0)
    _note_no_lower(notes, none, lower, confidence)
    per = multiplier / np.where(time > 0, time, np.nan)
    wide = beside(per, tails(confidence))
    return Estimates(x * per, lower * wide, upper * wide, as_asked(confidence), _methods(x, method), notes)


def count_limits(events: ArrayLike, *, confidence: Confidence = 0.95) -> Limits:
    """Limits of a count: exact below 10 events, Byar from 10. NaN where the count is missing.

    At 95% confidence the two differ by less than 0.01 of an event from 10 events on.
    """
    (x,) = _as_events(events)
    few = beside(x < EXACT_BELOW, tails(confidence))
    # Each interval is worked out only where it is used: the exact one is slow for large counts.
    exact = poisson_exact(np.where(x < EXACT_BELOW, x, np.nan), confidence=confidence)
    approximate = byar(np.where(x < EXACT_BELOW, np.nan, x), confidence=confidence)
    return np.where(few, exact[0], approximate[0]), np.where(few, exact[1], approximate[1])


def poisson_exact(events: ArrayLike, *, confidence: Confidence = 0.95) -> Limits:
    """Exact Poisson limits of a count: each tail holds half of what confidence leaves.

    events : shape S, 0 or more, whole or not. Lower is exactly 0 at no events; NaN where the count is missing.
    Garwood F (1936). Biometrika 28:437-442.
    """
    from scipy.special import gammainccinv, gammaincinv

    (x,) = _as_events(events)
    tail = tails(confidence)
    x = beside(x, tail)
    with np.errstate(invalid="ignore"):
        # A gamma quantile is half the chi-squared quantile of the usual formula.
        lower = np.where(x == 0, 0.0, gammaincinv(np.where(x == 0, 1.0, x), tail))
        upper = gammainccinv(x + 1, tail)
    return lower, upper


def byar(events: ArrayLike, *, confidence: Confidence = 0.95) -> Limits:
    """Byar limits of a count: the cube-root approximation to the exact ones, close from 10 events.

    The upper limit uses events + 1, the lower limit events (a variant with events + 0.5 in both is not this).
    Lower is 0 at no events, and NaN where the cube would be negative: few events at a high confidence.
    Breslow NE, Day NE (1987) Statistical Methods in Cancer Research II, formula 2.13. IARC.
    """
    from scipy.special import ndtri

    (x,) = _as_events(events)
    tail = tails(confidence)
    z = -ndtri(tail)
    x = beside(x, tail)
    some = np.where(x == 0, 1.0, x)
    with np.errstate(invalid="ignore"):
        root = 1 - 1 / (9 * some) - z / (3 * np.sqrt(some))
        lower = np.where(root < 0, np.nan, some * root**3)
        upper = (x + 1) * (1 - 1 / (9 * (x + 1)) + z / (3 * np.sqrt(x + 1))) ** 3
    return np.where(x == 0, 0.0, lower), upper


def refuse_multiplier(multiplier: float) -> None:
    """Raise ContractError unless rates can be given per this number."""
    if not (math.isfinite(multiplier) and multiplier > 0):
        raise ContractError("multiplier is a number above 0, for example 100_000")


def _as_events(events: ArrayLike) -> tuple[FloatArray, ...]:
    (x,) = as_floats(events=events)
    refuse_where(x < 0, "events is negative")
    return (x,)


def _intervals(method: str) -> Callable[..., Limits]:
    if method not in COUNT_INTERVALS:
        raise ContractError(f"no interval {method!r}; one of {', '.join(COUNT_INTERVALS)}")
    return COUNT_INTERVALS[method]


def _methods(x: FloatArray, method: str) -> TextArray:
    """The interval used for each entry: none for a missing count, where auto had nothing to choose by."""
    if method != "auto":
        return texts(x.shape, method)
    named = texts(x.shape)
    named[x < EXACT_BELOW] = "exact"
    named[x >= EXACT_BELOW] = "byar"
    return named


def _note_no_lower(notes: TextArray, none: NDArray, lower: FloatArray, confidence: Confidence) -> None:
    lost = np.isnan(lower).any(axis=-1) if tails(confidence).ndim else np.isnan(lower)
    add_note(notes, lost & ~none, NO_BYAR_LOWER)


COUNT_INTERVALS: dict[str, Callable[..., Limits]] = {
    "auto": count_limits,
    "exact": poisson_exact,
    "byar": byar,
}
