"""Two groups compared within strata: checked counts, and the strata that have nothing to say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import MISSING_COUNT, WEIGHTED, FloatArray, TextArray, add_note, texts
from equitydata.stats.contracts import ContractError, as_counts, as_floats

NO_STRATUM = "no stratum holds both groups with what the measure needs"


@dataclass(frozen=True)
class Strata:
    """Counts with the strata along the last axis; strata that drop out hold NaN, so sums must pass over NaN.

    x1, n1, x2, n2 : cases and people (or person-time) of the group and of its comparator.
    dropped : for each comparison the numbers of the strata that dropped out, from 0.
    missing : comparisons with a missing count in any stratum; they have no result. notes say so.
    crude : the counts of all strata together, in the same order.
    """

    x1: FloatArray
    n1: FloatArray
    x2: FloatArray
    n2: FloatArray
    dropped: NDArray[np.object_]
    missing: NDArray[np.bool_]
    notes: TextArray
    crude: tuple[FloatArray, ...]

    @property
    def y1(self) -> FloatArray:
        """Non-cases of the group."""
        return self.n1 - self.x1

    @property
    def y2(self) -> FloatArray:
        """Non-cases of the comparator."""
        return self.n2 - self.x2

    @property
    def n(self) -> FloatArray:
        """People (or person-time) of both groups."""
        return self.n1 + self.n2

    @property
    def x(self) -> FloatArray:
        """Cases of both groups."""
        return self.x1 + self.x2

    def total(self, terms: FloatArray) -> FloatArray:
        """A sum over the strata that are left; NaN where a count is missing or no stratum is left."""
        nothing = self.missing | np.isnan(self.x1).all(axis=-1)
        return np.where(nothing, np.nan, np.nansum(terms, axis=-1))


def strata(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    comparator_numerator: ArrayLike,
    comparator_denominator: ArrayLike,
    needs: str,
) -> Strata:
    """The counts of two groups in strata, checked.

    All of one shape, strata along the last axis.
    needs : what a stratum must have to count: 'people' (both groups, nothing more), 'cases', 'both' (cases and
        non-cases), 'time' or 'events' (the first two for rates, of which events may pass person-time).
    Raises ContractError for counts that cannot be, and for numbers without an axis of strata.
    """
    x1, n1, x2, n2 = as_floats(
        numerator=numerator,
        denominator=denominator,
        comparator_numerator=comparator_numerator,
        comparator_denominator=comparator_denominator,
    )
    if x1.ndim == 0:
        raise ContractError("counts need an axis of strata, the last one")
    at_most = needs not in ("time", "events")
    as_counts(at_most=at_most, numerator=x1, denominator=n1)
    as_counts(at_most=at_most, comparator_numerator=x2, comparator_denominator=n2)
    unknown = np.asarray(np.isnan(x1 + n1 + x2 + n2))
    missing = np.asarray(unknown.any(axis=-1))
    informative = NEEDS[needs](x1, n1, x2, n2) & (n1 > 0) & (n2 > 0)
    notes = texts(missing.shape)
    add_note(notes, missing, MISSING_COUNT)
    add_note(notes, ~missing & ~informative.any(axis=-1), NO_STRATUM)
    checked = (x1, n1, x2, n2) if at_most else (x1, x2)
    whole = np.logical_and.reduce([count == np.floor(count) for count in checked])
    add_note(notes, ~missing & ~whole.all(axis=-1), WEIGHTED)
    kept = [np.where(informative & ~missing[..., np.newaxis], count, np.nan) for count in (x1, n1, x2, n2)]
    crude = tuple(np.where(missing, np.nan, np.sum(count, axis=-1)) for count in (x1, n1, x2, n2))
    x1, n1, x2, n2 = kept
    return Strata(x1, n1, x2, n2, _numbers(~informative & ~unknown), missing, notes, crude)


def _numbers(out: NDArray[np.bool_]) -> NDArray[np.object_]:
    """The numbers of the strata marked, as a tuple for each comparison."""
    numbers = np.empty(out.shape[:-1], dtype=object)
    numbers.fill(())
    for place in map(tuple, np.argwhere(out.any(axis=-1))):
        numbers[place] = tuple(int(number) for number in np.flatnonzero(out[place]))
    return numbers


NEEDS: dict[str, Callable[..., NDArray[np.bool_]]] = {
    "people": lambda x1, n1, x2, n2: x1 + x2 >= 0,
    "time": lambda x1, n1, x2, n2: x1 + x2 >= 0,
    "cases": lambda x1, n1, x2, n2: x1 + x2 > 0,
    "events": lambda x1, n1, x2, n2: x1 + x2 > 0,
    "both": lambda x1, n1, x2, n2: (x1 + x2 > 0) & (x1 + x2 < n1 + n2),
}
