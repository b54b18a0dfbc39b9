"""Indirectly standardised ratios and rates: events against what reference rates lead one to expect.

Needs no count of events by band, only their total, so it serves small groups where a directly standardised
rate would be withheld.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from equitydata.stats.answers import Estimates, FloatArray, add_note
from equitydata.stats.contracts import Confidence, ContractError, as_floats, beside, refuse_where, tails
from equitydata.stats.one_group.counts import count, refuse_multiplier
from equitydata.stats.one_group.direct_standardisation import as_groups

NOT_COMPARABLE = "each ratio rests on its own group's structure: not strictly comparable with one another"


def standardised_ratio(
    *, observed: ArrayLike, expected: ArrayLike, confidence: Confidence = 0.95
) -> Estimates:
    """Events observed over events expected, with the limits of the observed count over the expected.

    observed, expected : shape S, totals of each group; expected from `expected_events`, taken as known.
    1 is as many as expected. Limits are exact below 10 observed events, Byar from 10.
    Where there is more than one group the notes say that the ratios are not strictly comparable with each
    other: each holds its group against the reference, weighted by its own structure.
    A missing entry has a missing result. Raises ContractError for an expected number of 0 or below.
    Breslow NE, Day NE (1987) Statistical Methods in Cancer Research II. IARC.
    """
    return _against(observed, expected, 1.0, confidence)


def indirectly_standardised_rate(
    *,
    observed: ArrayLike,
    expected: ArrayLike,
    reference_rate: float,
    multiplier: float = 1.0,
    confidence: Confidence = 0.95,
) -> Estimates:
    """The standardised ratio times the crude rate of the reference population, per multiplier.

    reference_rate : all events over all person-time of the reference population. Otherwise as
    `standardised_ratio`.
    """
    refuse_multiplier(multiplier)
    if not reference_rate > 0 or not np.isfinite(reference_rate):
        raise ContractError("reference_rate is a number above 0")
    return _against(observed, expected, reference_rate * multiplier, confidence)


def expected_events(
    *,
    person_time: ArrayLike,
    reference_rates: ArrayLike,
    group: ArrayLike | None = None,
    groups: int | None = None,
) -> FloatArray:
    """Events that each group would have at the reference rates of its bands.

    person_time, reference_rates : shape (n,), one entry for each group and band; rates are events over
        person-time of the band in the reference population, as fractions (not per 1,000).
    group, groups : as in `directly_standardised_rate`. Returns shape (g,).
    A band without person-time adds nothing, whatever its rate; otherwise a missing entry makes the group
    missing. Raises ContractError for a negative entry. A group of nobody expects 0.
    """
    time, rates = (
        np.atleast_1d(column)
        for column in as_floats(person_time=person_time, reference_rates=reference_rates)
    )
    if time.ndim != 1:
        raise ContractError(f"one entry for each group and band, in one row: {time.shape}")
    refuse_where(time < 0, "person_time is negative")
    refuse_where(rates < 0, "reference_rates is negative")
    number, many = as_groups(group, groups, len(time))
    return np.bincount(number, weights=np.where(time == 0, 0.0, time * rates), minlength=many).astype(float)


def _against(observed: ArrayLike, expected: ArrayLike, scale: float, confidence: Confidence) -> Estimates:
    x, e = as_floats(observed=observed, expected=expected)
    refuse_where(x < 0, "observed is negative")
    refuse_where(e <= 0, "expected is not above 0")
    counted = count(np.where(np.isnan(e), np.nan, x), confidence=confidence)
    wide = beside(scale / e, tails(confidence))
    notes = counted.note
    if x.size > 1:
        add_note(notes, ~np.isnan(counted.value), NOT_COMPARABLE)
    return Estimates(
        counted.value * scale / e,
        counted.lower * wide,
        counted.upper * wide,
        counted.confidence,
        counted.method,
        notes,
    )
