"""Rows that add up -> which of them are hidden, so that no sum gives a small count away.

A `Sum` says that some rows (the parts) together make another (the whole). Where a hidden count stands alone among
the parts, or beside others so few that their sum is small, the whole less what is shown gives it away, up to the
rounding of all of them. Then

* in a strict sum (the groups of one level with those of unknown group) the next smallest part is hidden too, as long
  as it holds no more than a tenth of the whole: no large group is given up for a few people;
* in any other sum, and where the next smallest is large, it is hidden where the rounded numbers leave the hidden
  count fewer than four possible values.

No search is made over all sums together: that is the audit of a later release.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from equitydata.rulebook import DisclosureRule

Rows: TypeAlias = NDArray[np.intp]
Flags: TypeAlias = NDArray[np.bool_]
LARGEST_GUARD = 0.1  # share of the whole that is hidden to guard another
LEAST_RANGE = 3  # between the lowest and the highest value that a lone hidden count could have


@dataclass(frozen=True)
class Sum:
    """Rows that add up to another.

    parts : positions of the rows. whole : position of their sum, None where no row holds it but it can be known.
    strict : a hidden part does not stand alone if that costs no more than a tenth of the whole.
    before : parts that are hidden before others to guard one: people of unknown group before a group.
    columns : counts that add up there; people seen in several periods do not.
    """

    parts: tuple[int, ...]
    whole: int | None = None
    strict: bool = False
    before: frozenset[int] = frozenset()
    columns: tuple[int, ...] = (0, 1, 2, 3)


@dataclass(frozen=True)
class Tie:
    """A row without which others would give it away: where it is hidden, they are."""

    leader: int
    followers: tuple[int, ...]


def small(counts: NDArray[np.float64], rule: DisclosureRule) -> Flags:
    """Which counts are small: from 1 to the limit of the rule. Shape as given; missing is not small."""
    with np.errstate(invalid="ignore"):
        return (counts > 0) & (counts <= rule.hide_up_to)


def hidden_in_sums(
    counts: NDArray[np.float64],
    sums: Sequence[Sum],
    ties: Sequence[Tie],
    rule: DisclosureRule,
    *,
    first: Flags | None = None,
) -> Flags:
    """Which rows are hidden, for their own counts or to guard another's.

    counts : shape (rows, columns); 0 or missing where there is nothing to hide.
    first : rows that are hidden anyway.
    Each column is guarded by itself first, so that tables which share a column hide the same rows of it.
    """
    values = np.nan_to_num(counts, nan=0.0)
    hidden = np.zeros(len(values), dtype=bool) if first is None else first.copy()
    if not rule.hide_up_to:
        return hidden
    columns = [
        (values[:, number], _parts(values[:, number], number, sums)) for number in range(values.shape[1])
    ]
    for column, parts in columns:
        hidden |= _guard(column, parts, small(column, rule), rule)
    while True:
        before = hidden.copy()
        for tie in ties:
            if hidden[tie.leader]:
                hidden[list(tie.followers)] = True
        for column, parts in columns:
            hidden = _guard(column, parts, hidden, rule)
        if (hidden == before).all():
            return hidden


def _parts(values: NDArray[np.float64], column: int, sums: Iterable[Sum]) -> list[tuple[Rows, Sum]]:
    """Each sum of a column with those of its parts that count anybody."""
    here = (each for each in sums if column in each.columns)
    return [(np.array([row for row in each.parts if values[row] > 0], dtype=np.intp), each) for each in here]


def _guard(
    values: NDArray[np.float64], sums: Sequence[tuple[Rows, Sum]], hidden: Flags, rule: DisclosureRule
) -> Flags:
    """Hidden rows of one column, with those that its sums need besides."""
    hidden = hidden.copy()
    changed = bool(hidden.any())
    while changed:
        changed = False
        for parts, each in sums:
            more = _needed(values, parts, each, hidden, rule)
            if more is not None:
                hidden[more] = changed = True
    return hidden


def _needed(
    values: NDArray[np.float64], parts: Rows, each: Sum, hidden: Flags, rule: DisclosureRule
) -> int | None:
    """The row that one sum needs hidden besides, None where what is hidden in it is safe."""
    kept_back, shown = parts[hidden[parts]], parts[~hidden[parts]]
    if each.whole is not None and hidden[each.whole]:
        # A hidden whole of parts that are all shown is their sum.
        return None if len(kept_back) or not len(shown) else int(shown[np.argmin(values[shown])])
    if not len(kept_back):
        return None
    together = values[kept_back].sum()
    if len(kept_back) > 1 and together > rule.hide_up_to:
        return None
    whole = values[parts].sum() if each.whole is None else values[each.whole]
    next_one = _next_smallest(values, shown, each, LARGEST_GUARD * whole)
    if each.strict and next_one is not None and values[next_one] <= LARGEST_GUARD * whole:
        return next_one
    return None if _left_open(together, whole, values[shown], rule) else next_one


def _next_smallest(values: NDArray[np.float64], shown: Rows, each: Sum, largest: float) -> int | None:
    """The row to hide next: the smallest of those that go first, if it is not large, else the smallest of all."""
    first = [row for row in shown if int(row) in each.before and values[row] <= largest]
    rows = first or list(shown)
    return int(min(rows, key=lambda row: values[row])) if rows else None


def _left_open(hidden: float, whole: float, shown: NDArray[np.float64], rule: DisclosureRule) -> bool:
    """Whether the rounded numbers leave what is hidden at least four possible values."""
    left = _rounded(np.array([whole]), rule)[0] - _rounded(shown, rule).sum()
    slack = (rule.round_to // 2) * (len(shown) + 1)
    lowest, highest = max(left - slack, 1.0), left + slack
    if highest < 1:  # the parts overlap, so nothing can be told from their sum
        return True
    if hidden <= rule.hide_up_to:
        highest = min(highest, float(rule.hide_up_to))
    return bool(highest - lowest >= LEAST_RANGE)


def _rounded(values: NDArray[np.float64], rule: DisclosureRule) -> NDArray[np.float64]:
    rounded: NDArray[np.float64] = np.floor(values / rule.round_to + 0.5) * rule.round_to
    return rounded
