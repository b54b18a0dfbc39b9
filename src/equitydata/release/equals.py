"""Counts that must be equal are one: the audit's problem with each group of them as a single cell.

A sum of two cells that says `one less the other is 0` makes them the same unknown. About a sixth of the counts of a
release are such (a measure of shares has as many people as its denominator), and each takes part in every programme.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from equitydata.release.worlds import Cells, Numbers

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from equitydata.release.protecting import Problem


def with_equals_as_one(problem: Problem) -> tuple[Problem, Cells]:
    """The same problem with fewer cells and sums, and the new cell of each old one, shape (old cells,).

    A merged cell has the value that any of its cells has, is exact or sensitive if any is, and is known as closely as
    all of them together are.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    sums = csr_matrix(problem.sums, dtype=float)
    sums.sum_duplicates()
    sums.eliminate_zeros()
    cells = sums.shape[1]
    first, second = _equal_pairs(sums, problem)
    links = csr_matrix((np.ones(len(first)), (first, second)), shape=(cells, cells))
    count, place = connected_components(links, directed=False)
    if count == cells:
        return problem, np.arange(cells, dtype=np.intp)
    place = place.astype(np.intp)
    merge = csr_matrix((np.ones(cells), (np.arange(cells), place)), shape=(cells, count))
    merged = csr_matrix(sums @ merge)
    merged.eliminate_zeros()
    merged = merged[np.flatnonzero(np.diff(merged.indptr))]
    return replace(
        problem,
        values=_gathered(problem.values, place, count, np.fmax, np.nan),
        sums=merged,
        exact=np.bincount(place, problem.exact, count) > 0,
        sensitive=np.bincount(place, problem.sensitive, count) > 0,
        cell=place[problem.cell],
        lower=None if problem.lower is None else _gathered(problem.lower, place, count, np.fmax, -np.inf),
        upper=None if problem.upper is None else _gathered(problem.upper, place, count, np.fmin, np.inf),
    ), place


def _equal_pairs(sums: csr_matrix, problem: Problem) -> tuple[Cells, Cells]:
    """Cells of sums of two. A pair whose values contradict each other, or of which only one is exact, stays a sum."""
    start = sums.indptr[:-1][np.diff(sums.indptr) == 2]
    start = start[sums.data[start] == -sums.data[start + 1]]
    first, second = sums.indices[start], sums.indices[start + 1]
    one, other = problem.values[first], problem.values[second]
    same = ((one == other) | np.isnan(one) | np.isnan(other)) & (
        problem.exact[first] == problem.exact[second]
    )
    return first[same], second[same]


def _gathered(values: Numbers, place: Cells, count: int, take: np.ufunc, empty: float) -> Numbers:
    found = np.full(count, empty)
    take.at(found, place, values)
    return found
