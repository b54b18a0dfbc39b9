"""Two groups side by side: checked counts, and why a comparison of them may be missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equitydata.stats.answers import MISSING_COUNT, NOBODY, WEIGHTED, FloatArray, TextArray, add_note, texts
from equitydata.stats.contracts import Confidence, ContractError, as_counts, as_floats, beside, tails

NOBODY_COMPARED = "nobody counted in the comparator"
NO_CASES = "no cases in either group: no ratio"
NO_COMPARED_CASES = "no cases in the comparator: the ratio has no upper limit"
NOTHING_TO_TEST = "everyone alike in both groups: nothing to test"


@dataclass(frozen=True)
class TwoGroups:
    """Counts of one shape; NaN throughout in an entry that cannot be compared, and notes say why.

    x1, n1 : cases and people (or person-time) of the group. x2, n2 : of its comparator.
    y1, y2 : people who are no cases (without meaning for rates).
    """

    x1: FloatArray
    n1: FloatArray
    x2: FloatArray
    n2: FloatArray
    notes: TextArray

    @property
    def y1(self) -> FloatArray:
        """Non-cases of the group."""
        return self.n1 - self.x1

    @property
    def y2(self) -> FloatArray:
        """Non-cases of the comparator."""
        return self.n2 - self.x2

    @property
    def known(self) -> np.ndarray:
        """Entries that can be compared."""
        return ~np.isnan(self.x1)

    @property
    def whole(self) -> np.ndarray:
        """Known entries of which every count is a whole number, as exact methods need."""
        counts = (self.x1, self.n1, self.x2, self.n2)
        return np.logical_and.reduce([count == np.floor(count) for count in counts])

    def swapped(self) -> TwoGroups:
        """The comparator as the group, and the group as its comparator."""
        return TwoGroups(self.x2, self.n2, self.x1, self.n1, self.notes)

    def only(self, where: np.ndarray) -> TwoGroups:
        """The counts of some entries, NaN in the others."""
        x1, n1, x2, n2 = (np.where(where, count, np.nan) for count in (self.x1, self.n1, self.x2, self.n2))
        return TwoGroups(x1, n1, x2, n2, self.notes)

    def beside(self, per_level: FloatArray) -> TwoGroups:
        """The counts with an axis more where several confidence levels are asked."""
        x1, n1, x2, n2 = (beside(count, per_level) for count in (self.x1, self.n1, self.x2, self.n2))
        return TwoGroups(x1, n1, x2, n2, self.notes)


def two_groups(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    comparator_numerator: ArrayLike,
    comparator_denominator: ArrayLike,
    at_most: bool = True,
) -> TwoGroups:
    """The counts of two groups, checked and of one shape.

    at_most : a numerator may not pass its denominator (shares, not rates).
    Raises ContractError for counts that cannot be.
    """
    x1, n1, x2, n2 = as_floats(
        numerator=numerator,
        denominator=denominator,
        comparator_numerator=comparator_numerator,
        comparator_denominator=comparator_denominator,
    )
    as_counts(at_most=at_most, numerator=x1, denominator=n1)
    as_counts(at_most=at_most, comparator_numerator=x2, comparator_denominator=n2)
    notes = texts(x1.shape)
    missing = np.isnan(x1 + n1 + x2 + n2)
    add_note(notes, missing, MISSING_COUNT)
    add_note(notes, ~missing & (n1 == 0), NOBODY)
    add_note(notes, ~missing & (n2 == 0), NOBODY_COMPARED)
    known = ~missing & (n1 > 0) & (n2 > 0)
    x1, n1, x2, n2 = (np.where(known, count, np.nan) for count in (x1, n1, x2, n2))
    # Person-time is rarely a whole number: of rates only the events are asked to be.
    checked = (x1, n1, x2, n2) if at_most else (x1, x2)
    whole = np.logical_and.reduce([count == np.floor(count) for count in checked])
    add_note(notes, known & ~whole, WEIGHTED)
    return TwoGroups(x1, n1, x2, n2, notes)


def quantiles(confidence: Confidence) -> FloatArray:
    """The normal quantiles of the confidence levels: shape () or (k,)."""
    from scipy.special import ndtri

    return np.asarray(ndtri(1 - tails(confidence)))


def one_of(method: str, methods: tuple[str, ...]) -> None:
    """Raise ContractError unless the method is known."""
    if method not in methods:
        raise ContractError(f"no method {method!r}; one of {', '.join(methods)}")
