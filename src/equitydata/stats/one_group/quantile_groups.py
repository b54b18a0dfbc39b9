"""Quantile groups of areas or other units: fifths of deprivation, tenths of a score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import FloatArray, TextArray, add_note, texts
from equitydata.stats.contracts import ContractError, as_floats, refuse_where

MISSING_VALUE = "the value is missing"
TOO_FEW_UNITS = "fewer units than groups"
FIRSTS = ("lowest", "highest")


@dataclass(frozen=True)
class QuantileGroups:
    """The quantile group of each unit.

    group : shape (n,), 1 to groups; NaN where there is none, and note says why.
    first : which values group 1 holds, 'lowest' or 'highest'. groups : how many there are.
    ranked : shape (n,), how many units were ranked together with each.
    """

    group: FloatArray
    first: str
    groups: int
    ranked: FloatArray
    note: TextArray


def quantile_groups(
    values: ArrayLike, *, groups: int, first: str, within: ArrayLike | None = None
) -> QuantileGroups:
    """Part units into groups of near equal size by the rank of their values.

    values : shape (n,). groups : 5 for fifths, 10 for tenths.
    first : 'lowest' or 'highest', the values that group 1 holds; it has no default, because readers mix
        the ends up. within : shape (n,), the number from 0 of the area in which each unit is ranked.
    Equal values are never parted: they share the lower rank, so groups can differ in size. A missing value
    is not ranked. Where fewer units are ranked than there are groups, none has one.
    Raises ContractError for fewer than 2 groups or another word for first.
    """
    if first not in FIRSTS:
        raise ContractError(f"first is {' or '.join(FIRSTS)}, not {first!r}")
    if groups != int(groups) or groups < 2:
        raise ContractError("groups is a whole number from 2, for example 5")
    (numbers,) = as_floats(values=values)
    if numbers.ndim != 1:
        raise ContractError(f"values is one row of units: {numbers.shape}")
    area = _areas(within, len(numbers))
    known = ~np.isnan(numbers)
    ascending = numbers if first == "lowest" else -numbers
    ranked = np.bincount(area[known], minlength=int(area.max(initial=-1)) + 1)[area]
    found = np.full(len(numbers), np.nan)
    rank = _ranks(ascending[known], area[known])
    found[known] = _group_of(rank, ranked[known], int(groups))
    notes = texts(numbers.shape)
    add_note(notes, ~known, MISSING_VALUE)
    add_note(notes, known & (ranked < groups), TOO_FEW_UNITS)
    return QuantileGroups(
        np.where(ranked < groups, np.nan, found), first, int(groups), ranked.astype(float), notes
    )


def _areas(within: ArrayLike | None, units: int) -> NDArray[np.intp]:
    if within is None:
        return np.zeros(units, dtype=np.intp)
    (area,) = as_floats(within=within)
    if area.shape != (units,):
        raise ContractError(f"one area for each of {units} units: {area.shape}")
    refuse_where(~(area >= 0) | (area != np.floor(area)), "within is not a number from 0")
    return area.astype(np.intp)


def _ranks(values: FloatArray, area: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rank of each value among those of its area, from 1; equal values share the lower rank."""
    order = np.lexsort((values, area))
    v, a = values[order], area[order]
    place = np.arange(len(v))
    new_area = np.append(True, a[1:] != a[:-1])[: len(v)]
    new_value = new_area | np.append(True, v[1:] != v[:-1])[: len(v)]
    area_start = np.maximum.accumulate(np.where(new_area, place, 0))
    value_start = np.maximum.accumulate(np.where(new_value, place, 0))
    rank = np.empty(len(v), dtype=np.intp)
    rank[order] = value_start - area_start + 1
    return rank


def _group_of(rank: NDArray[np.intp], ranked: NDArray[np.intp], groups: int) -> NDArray[np.intp]:
    """groups + 1 - ceil((ranked + 1 - rank) * groups / ranked): at least 1, since ranks start at 1.

    In whole numbers, because a ratio off by one rounding would move a unit to the next group.
    """
    above = (ranked + 1 - rank) * groups
    return groups + 1 + -above // ranked
