"""Flags: evidence, size and information, answered one by one and then joined.

A flag is a prompt to look, and no proof of unfairness or of its cause. Which direction is harm is not decided
here: that depends on the measure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import FloatArray, TextArray, add_note, texts
from equitydata.stats.contracts import ContractError, refuse_where
from equitydata.stats.judgement.band import FOUR_FIFTHS, Band, side_of_band, within_band

DISPROPORTIONATE_HIGH = "disproportionate_high"
DISPROPORTIONATE_LOW = "disproportionate_low"
DIFFERENT_SMALL = "different_small"
UNCERTAIN = "uncertain"
NO_EVIDENCE = "no_evidence"
INSUFFICIENT_DATA = "insufficient_data"
STATES = (
    DISPROPORTIONATE_HIGH,
    DISPROPORTIONATE_LOW,
    DIFFERENT_SMALL,
    UNCERTAIN,
    NO_EVIDENCE,
    INSUFFICIENT_DATA,
)
PRESETS = ("expected", "idea")
LEAST_EVENTS = 10


@dataclass(frozen=True)
class Flags:
    """A flag for each entry, with the three answers it rests on. Shape S throughout.

    state : one of the six STATES. evidence : adjusted p below alpha. size : the ratio is outside the band.
    information : enough people and events to say anything. All three are False where their input is missing.
    similar : the interval lies wholly inside the band; only then may a group be called similar, and only when
        the state is no_evidence or different_small.
    note : what is short where the state is insufficient_data.
    """

    state: TextArray
    evidence: NDArray[np.bool_]
    size: NDArray[np.bool_]
    information: NDArray[np.bool_]
    similar: NDArray[np.bool_]
    note: TextArray


def flag(
    *,
    ratio: ArrayLike,
    lower: ArrayLike,
    upper: ArrayLike,
    adjusted_p: ArrayLike,
    people: ArrayLike,
    expected_events: ArrayLike | None = None,
    expected_non_events: ArrayLike | None = None,
    events: ArrayLike | None = None,
    comparator_people: ArrayLike | None = None,
    comparator_events: ArrayLike | None = None,
    alpha: float = 0.05,
    band: Band = FOUR_FIFTHS,
    least_people: float = 30,
    least_expected: float = 5,
    least_events: float = LEAST_EVENTS,
    preset: str = "expected",
) -> Flags:
    """Join evidence, size and information into one state for each group.

    ratio, lower, upper : ratio to the comparator and its limits, shape S; 0 and infinity allowed.
    adjusted_p : p-values adjusted within their family. people : in the group.
    preset `expected` : people >= least_people, and expected_events (and expected_non_events for proportions; leave
        it out for rates, and both for means) >= least_expected under no difference.
    preset `idea` : people >= least_people and events >= least_events, in the group and in its comparator; needs
        events, comparator_people and comparator_events.
    A missing number in any of these, ratio and adjusted_p included, is insufficient_data with the reason; a missing
    limit only makes similar False. A ratio at the edge of the band is inside.
    Raises ContractError for unequal shapes, negative entries, p-values outside 0 to 1 and an impossible band.
    """
    if preset not in PRESETS:
        raise ContractError(f"no preset {preset!r}; one of {', '.join(PRESETS)}")
    if not 0 < alpha < 1:
        raise ContractError("alpha is a fraction between 0 and 1")
    needed: dict[str, tuple[ArrayLike | None, float]] = {"people": (people, least_people)}
    if preset == "idea":
        if events is None or comparator_people is None or comparator_events is None:
            raise ContractError("preset idea needs events, comparator_people and comparator_events")
        needed["events"] = (events, least_events)
        needed["people in the comparator"] = (comparator_people, least_people)
        needed["events in the comparator"] = (comparator_events, least_events)
    else:
        needed["expected events"] = (expected_events, least_expected)
        needed["expected non-events"] = (expected_non_events, least_expected)
    given = {name: (values, least) for name, (values, least) in needed.items() if values is not None}
    r, low, high, p, *amounts = _alike(ratio, lower, upper, adjusted_p, *(v for v, _ in given.values()))
    refuse_where((p < 0) | (p > 1), "adjusted_p lies outside 0 to 1")
    refuse_where(r < 0, "ratio is negative")
    notes, information = texts(r.shape), np.ones(r.shape, dtype=bool)
    for (name, (_, least)), values in zip(given.items(), amounts, strict=True):
        information &= _enough(values, least, name, notes)
    add_note(notes, np.isnan(r), "the ratio is missing")
    add_note(notes, np.isnan(p), "the p-value is missing")
    evidence, side = p < alpha, side_of_band(r, band)
    usable = information & ~np.isnan(r) & ~np.isnan(p)
    state = _joined(evidence, side, usable)
    return Flags(state, evidence, side != 0, information, within_band(low, high, band), notes)


def _joined(evidence: NDArray, side: NDArray, usable: NDArray) -> TextArray:
    """The table of states."""
    state = texts(usable.shape, INSUFFICIENT_DATA)
    state[usable & evidence & (side > 0)] = DISPROPORTIONATE_HIGH
    state[usable & evidence & (side < 0)] = DISPROPORTIONATE_LOW
    state[usable & evidence & (side == 0)] = DIFFERENT_SMALL
    state[usable & ~evidence & (side != 0)] = UNCERTAIN
    state[usable & ~evidence & (side == 0)] = NO_EVIDENCE
    return state


def _enough(values: FloatArray, least: float, name: str, notes: TextArray) -> NDArray[np.bool_]:
    refuse_where(values < 0, f"{name}: negative")
    add_note(notes, np.isnan(values), f"{name}: missing")
    add_note(notes, values < least, f"{name}: fewer than {least:g}")
    return values >= least


def _alike(*arrays: ArrayLike | None) -> list[FloatArray]:
    """Arrays of one shape, single numbers spread; infinite entries allowed."""
    floats = [np.asarray(values, dtype=float) for values in arrays]
    shapes = {values.shape for values in floats if values.shape}
    if len(shapes) > 1:
        raise ContractError(f"arrays of unequal shape: {', '.join(str(shape) for shape in sorted(shapes))}")
    shape = shapes.pop() if shapes else ()
    return [np.broadcast_to(values, shape) for values in floats]
