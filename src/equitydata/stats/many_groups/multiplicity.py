"""Many p-values at once: adjusted so that chance findings stay few."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import FloatArray, TextArray, add_note, texts
from equitydata.stats.contracts import ContractError, refuse_where

METHODS = ("bh", "by", "holm", "bonferroni", "none")
NO_P_VALUE = "no p-value"
NOT_TESTED = "not tested, so not in the family"


@dataclass(frozen=True)
class Adjusted:
    """P-values with their adjusted values, in the order given. Shape S throughout.

    p_value : as given. adjusted : NaN where there is no p-value or the entry is not tested.
    family_size : how many p-values were adjusted together with this one; 0 where it was not.
    method : how, once for all. note : '' or why an entry is not adjusted.
    """

    p_value: FloatArray
    adjusted: FloatArray
    family_size: NDArray[np.int64]
    method: str
    note: TextArray


def adjust(
    p_values: ArrayLike,
    *,
    method: str = "bh",
    family: ArrayLike | None = None,
    tested: ArrayLike | None = None,
) -> Adjusted:
    """Adjust p-values for how many were looked at.

    p_values : shape S, fractions; NaN stays NaN and does not count.
    method : bh (Benjamini-Hochberg: the share of false findings among findings), by (the same under any
        dependence), holm or bonferroni (the chance of any false finding), or none.
    family : whole numbers of shape S; entries of one number are adjusted together, by default all.
    tested : booleans of shape S; entries set to False (too few people, group unknown) are kept apart: they get no
        adjusted value and do not count.
    Raises ContractError for p-values outside 0 to 1, unequal shapes and families that are not whole numbers.
    Benjamini Y, Hochberg Y (1995) JRSS B 57:289-300; Benjamini Y, Yekutieli D (2001) Ann Stat 29:1165-1188;
    Holm S (1979) Scand J Stat 6:65-70.
    """
    if method not in METHODS:
        raise ContractError(f"no method {method!r}; one of {', '.join(METHODS)}")
    p = np.asarray(p_values, dtype=float)
    refuse_where((p < 0) | (p > 1), "p-values lie outside 0 to 1")
    families = _families(family, p.shape)
    asked = np.ones(p.shape, dtype=bool) if tested is None else np.asarray(tested)
    if asked.shape != p.shape or asked.dtype != bool:
        raise ContractError("tested is booleans in the shape of the p-values")
    notes = texts(p.shape)
    add_note(notes, ~asked, NOT_TESTED)
    add_note(notes, asked & np.isnan(p), NO_P_VALUE)
    held = asked & ~np.isnan(p)
    adjusted, sizes = np.full(p.shape, np.nan), np.zeros(p.shape, dtype=np.int64)
    adjusted[held], sizes[held] = _adjusted(p[held], families[held], method)
    return Adjusted(p, adjusted, sizes, method, notes)


def _families(family: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.int64]:
    if family is None:
        return np.zeros(shape, dtype=np.int64)
    families = np.asarray(family)
    if families.shape != shape or not np.issubdtype(families.dtype, np.integer):
        raise ContractError("family is whole numbers in the shape of the p-values")
    return families.astype(np.int64)


def _adjusted(
    p: FloatArray, families: NDArray[np.int64], method: str
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Adjusted values and family sizes, every family at once: sorted by family, then by p-value."""
    order = np.lexsort((p, families))
    _, start, place, size = np.unique(
        families[order], return_index=True, return_inverse=True, return_counts=True
    )
    sizes, sorted_p = size[place], p[order]
    ranks = np.arange(len(p)) - start[place] + 1
    if method == "bonferroni":
        values = sorted_p * sizes
    elif method == "holm":
        # From the smallest up, never below the one before: the running maximum.
        values = -_running_minimum_ahead(-(sorted_p * (sizes - ranks + 1))[::-1], place[::-1])[::-1]
    elif method in ("bh", "by"):
        factor = _harmonic(sizes) if method == "by" else 1.0
        # From the largest down, never above the one before: the running minimum.
        values = _running_minimum_ahead(sorted_p * sizes / ranks * factor, place)
    else:
        values = sorted_p
    adjusted, family_size = np.empty(len(p)), np.empty(len(p), dtype=np.int64)
    adjusted[order], family_size[order] = np.minimum(values, 1.0), sizes
    return adjusted, family_size


def _running_minimum_ahead(values: FloatArray, place: NDArray[np.int64]) -> FloatArray:
    """The least of each value and those behind it in its family; families stand together.

    Each pass doubles how far ahead an entry has looked, so a million entries take twenty passes.
    """
    least, reach = values.copy(), 1
    longest = int(np.bincount(place).max()) if len(place) else 0
    while reach < longest:
        same = place[:-reach] == place[reach:]
        least[:-reach] = np.where(same, np.minimum(least[:-reach], least[reach:]), least[:-reach])
        reach *= 2
    return least


def _harmonic(sizes: NDArray[np.int64]) -> FloatArray:
    """1 + 1/2 + ... + 1/m for each family size m."""
    sums = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, int(sizes.max(initial=0)) + 1))])
    return sums[sizes]
