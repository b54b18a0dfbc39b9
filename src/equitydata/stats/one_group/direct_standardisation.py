"""Directly standardised rates: made comparable across groups of different structure.

Input is in long form, one entry for each group and band (of age, say): `group` holds the number of the
group, from 0, of each entry. So groups may have different bands, each with its own standard weights.
"""

from __future__ import annotations

from dataclasses import dataclass

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
from equitydata.stats.one_group.counts import Limits, count_limits, refuse_multiplier

WITHHELD_BELOW = 10
LOW_RELIABILITY_BELOW = 20

LOW_RELIABILITY = f"fewer than {LOW_RELIABILITY_BELOW} events: low reliability"
EVENTS_TAKEN_AS_NONE = "a band without a count of events is taken to have none"
NO_WEIGHT = "no standard weight on any band"
REPEATS_NOT_SPLIT = "people can have several events and these are not split by person: limits are too narrow"
BELOW_ZERO = "the lower limit is below 0: few events carry most of the weight; fay_feuer stays above"
NO_WEIGHTED_EVENTS = "no events in a band that has weight: no limits by Dobson"


@dataclass(frozen=True)
class StandardisedRates:
    """Directly standardised rates, shape (g,) throughout, one entry for each group.

    estimates : rate per multiplier, its limits, the method, and notes (why withheld, low reliability).
    variance : of the rate per multiplier; NaN where the rate is withheld or missing.
    observed : events over all bands, also where the rate is withheld. person_time : over all bands.
    multiplier : what the rates are given per.
    """

    estimates: Estimates
    variance: FloatArray
    observed: FloatArray
    person_time: FloatArray
    multiplier: float

    @property
    def value(self) -> FloatArray:
        """The rates per multiplier."""
        return self.estimates.value


def directly_standardised_rate(
    *,
    events: ArrayLike,
    person_time: ArrayLike,
    weights: ArrayLike,
    group: ArrayLike | None = None,
    groups: int | None = None,
    squared_events: ArrayLike | None = None,
    can_repeat: bool = False,
    multiplier: float = 1.0,
    confidence: Confidence = 0.95,
    method: str = "dobson",
    withheld_below: float = WITHHELD_BELOW,
) -> StandardisedRates:
    """The rate a group would have if its bands were as large as those of the standard population.

    events, person_time, weights : shape (n,), one entry for each group and band; weights are the standard
        population of the band, in any unit.
    group : number of the group of each entry, 0 to groups - 1; left out, all entries are one group.
    groups : how many groups there are, where some may have no entry; else as many as are numbered.
    squared_events : where one person can have several events, the sum over people of their squared number
        of events (`repeat_sums`). The variance is then that of people, not of events.
    can_repeat : True says that people can have several events although squared_events is not known; the
        limits are then too narrow, and the note says so.
    method : dobson (scaled limits of the total count; exact below 10 events, Byar from 10) or fay_feuer
        (gamma; conservative, usable for few events; not for events that repeat).
    withheld_below : with fewer events, value, variance and limits are NaN, with the reason. From there to
        19 events the note says low reliability. 0 withholds nothing.
    A missing count of events is none, with a note; missing person-time or weight makes the group missing.
    Raises ContractError for person-time of 0 or below, negative events or weights.
    Dobson AJ et al. (1991) Stat Med 10:457-462; Fay MP, Feuer EJ (1997) Stat Med 16:791-801.
    """
    refuse_multiplier(multiplier)
    if method not in ("dobson", "fay_feuer"):
        raise ContractError(f"no interval {method!r}; one of dobson, fay_feuer")
    if method == "fay_feuer" and squared_events is not None:
        raise ContractError("fay_feuer limits are for events that do not repeat; use dobson")
    x, time, weight, squares = _bands(events, person_time, weights, squared_events)
    number, many = as_groups(group, groups, len(x))
    sums = _weighted_sums(x, time, weight, squares, number, many)
    notes = _direct_notes(x, sums, number, can_repeat and squared_events is None)
    shown = ~np.isnan(sums.rate) & (sums.observed >= withheld_below)
    few = ~np.isnan(sums.rate) & ~shown
    add_note(notes, few, f"fewer than {withheld_below:g} events: withheld")
    add_note(notes, shown & (sums.observed < LOW_RELIABILITY_BELOW), LOW_RELIABILITY)
    lower, upper = (_dobson if method == "dobson" else _fay_feuer)(sums, confidence)
    if method == "dobson":
        add_note(notes, shown & (sums.variance == 0), NO_WEIGHTED_EVENTS)
    blank = np.where(shown, multiplier, np.nan)
    wide = beside(blank, tails(confidence))
    below = lower * wide < 0
    add_note(notes, below.any(axis=-1) if below.ndim > 1 else below, BELOW_ZERO)
    named = texts((many,), method if squared_events is None else f"{method}, repeat events")
    estimates = Estimates(sums.rate * blank, lower * wide, upper * wide, as_asked(confidence), named, notes)
    return StandardisedRates(estimates, sums.variance * blank**2, sums.observed, sums.person_time, multiplier)


def repeat_sums(persons: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Events and squared events of each band, from people split by how many events they had.

    persons : shape (n, k); column j holds how many people had j + 1 events. A missing entry is none.
    Returns events and squared_events, shape (n,), for `directly_standardised_rate`: the variance from them
    is the sum over k of k squared times the variance from the people with k events.
    """
    (people,) = as_floats(persons=persons)
    if people.ndim != 2:
        raise ContractError(f"persons has one row for each band and a column for each k: {people.shape}")
    refuse_where(people < 0, "persons is negative")
    k = np.arange(1, people.shape[1] + 1, dtype=float)
    people = np.nan_to_num(people)
    return people @ k, people @ k**2


@dataclass(frozen=True)
class _Sums:
    rate: FloatArray
    variance: FloatArray
    observed: FloatArray
    person_time: FloatArray
    largest_weight: FloatArray  # the largest standardised weight over person-time
    missing: NDArray
    empty: NDArray


def _bands(
    events: ArrayLike, person_time: ArrayLike, weights: ArrayLike, squared_events: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """The long form, checked. Squared events are the events themselves where nobody has two."""
    squares = events if squared_events is None else squared_events
    x, time, weight, squares = (
        np.atleast_1d(column)
        for column in as_floats(
            events=events, person_time=person_time, weights=weights, squared_events=squares
        )
    )
    if x.ndim != 1:
        raise ContractError(f"one entry for each group and band, in one row: {x.shape}")
    refuse_where(x < 0, "events is negative")
    refuse_where(time <= 0, "person_time is not above 0")
    refuse_where(weight < 0, "weights is negative")
    refuse_where(squares < x * (1 - 1e-9), "squared_events is below events")
    refuse_where(np.isnan(squares) & ~np.isnan(x), "squared_events is missing where events are known")
    return x, time, weight, squares


def as_groups(group: ArrayLike | None, groups: int | None, entries: int) -> tuple[NDArray[np.intp], int]:
    """The number of the group of each entry, and how many groups there are; all are group 0 if none is given.

    Raises ContractError for a number that is missing, not whole, below 0 or not below groups.
    """
    if group is None:
        return np.zeros(entries, dtype=np.intp), 1 if groups is None else groups
    (numbers,) = as_floats(group=group)
    if numbers.shape != (entries,):
        raise ContractError(f"one group for each of {entries} entries: {numbers.shape}")
    refuse_where(~(numbers >= 0) | (numbers != np.floor(numbers)), "group is not a number from 0")
    many = (int(numbers.max()) + 1 if entries else 0) if groups is None else groups
    refuse_where(numbers >= many, f"group is not below groups, {many}")
    return numbers.astype(np.intp), many


def _weighted_sums(
    x: FloatArray,
    time: FloatArray,
    weight: FloatArray,
    squares: FloatArray,
    number: NDArray[np.intp],
    groups: int,
) -> _Sums:
    def over_bands(column: FloatArray) -> FloatArray:
        return np.bincount(number, weights=column, minlength=groups).astype(float)

    share = weight / time
    total = over_bands(weight)
    largest = np.full(groups, -np.inf)
    events = np.nan_to_num(x)
    with np.errstate(invalid="ignore", divide="ignore"):
        np.maximum.at(largest, number, share)
        per = np.where(total > 0, 1 / total, np.nan)
        return _Sums(
            rate=over_bands(share * events) * per,
            variance=over_bands(share**2 * np.nan_to_num(squares)) * per**2,
            observed=over_bands(events),
            person_time=over_bands(time),
            largest_weight=largest * per,
            missing=np.isnan(over_bands(time + weight)),
            empty=np.bincount(number, minlength=groups) == 0,
        )


def _direct_notes(x: FloatArray, sums: _Sums, number: NDArray[np.intp], repeats_unsplit: bool) -> TextArray:
    def any_band(condition: NDArray) -> NDArray:
        return np.bincount(number, weights=condition, minlength=len(sums.rate)) > 0

    notes = texts(sums.rate.shape)
    add_note(notes, sums.empty, NOBODY)
    add_note(notes, sums.missing, MISSING_COUNT)
    add_note(notes, ~sums.empty & ~sums.missing & np.isnan(sums.rate), NO_WEIGHT)
    add_note(notes, any_band(np.isnan(x)), EVENTS_TAKEN_AS_NONE)
    add_note(notes, any_band(~np.isnan(x) & (x != np.floor(x))), WEIGHTED)
    add_note(notes, ~np.isnan(sums.rate) & repeats_unsplit, REPEATS_NOT_SPLIT)
    return notes


def _dobson(sums: _Sums, confidence: Confidence) -> Limits:
    """The limits of the total count, moved to the rate and scaled by its standard error."""
    lower, upper = count_limits(sums.observed, confidence=confidence)
    tail = tails(confidence)
    rate, observed = beside(sums.rate, tail), beside(sums.observed, tail)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = beside(np.where(sums.variance > 0, sums.variance, np.nan), tail)
        scale = np.sqrt(variance / observed)
        return rate + scale * (lower - observed), rate + scale * (upper - observed)


def _fay_feuer(sums: _Sums, confidence: Confidence) -> Limits:
    """Quantiles of gamma distributions; above, one event more in the band where an event weighs most."""
    from scipy.special import gammainccinv, gammaincinv

    tail = tails(confidence)
    rate, variance = beside(sums.rate, tail), beside(sums.variance, tail)
    more = beside(sums.largest_weight, tail)
    with np.errstate(invalid="ignore", divide="ignore"):
        lower = gammaincinv(rate**2 / variance, tail) * variance / rate
        above, wider = rate + more, variance + more**2
        upper = gammainccinv(above**2 / wider, tail) * wider / above
    return np.where(rate == 0, 0.0, lower), upper
