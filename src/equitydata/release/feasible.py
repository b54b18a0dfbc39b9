"""What a reader can work out of counts that add up: the range of each, and which are too narrow.

Arrays in, arrays out. A cell is one count; a sum is a row of whole-number weights under which the true counts make 0
(the parts less their whole); lower and upper are what the reader knows of each cell by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from equitydata.release.nearest import Room, around, elastic_cells, nearest_worlds, supposing
from equitydata.release.worlds import (
    ALMOST,
    Cells,
    Flags,
    Ground,
    Numbers,
    Pair,
    Walker,
    apart,
    blocks,
    ground,
)

if TYPE_CHECKING:
    from scipy.sparse import csc_matrix, csr_matrix

PASSES = 12  # of tightening; what it leaves, linear programming decides
NEAR = (200, 800, 3200)  # cells near a count that are searched before its whole block is


def ranges(sums: csr_matrix, lower: Numbers, upper: Numbers, cells: Cells) -> tuple[Numbers, Numbers]:
    """Lowest and highest whole number that some cells can have, all sums and limits taken together.

    sums : (sums, cells), sums @ counts = 0. lower, upper : (cells,), upper may be infinite. cells : those asked for.
    Returns low and high, shape as cells; by linear programming, rounded inward, so that whole numbers alone may allow
    less but never more. Raises ValueError where nothing fits the sums and limits.
    """
    from scipy.sparse import csr_matrix

    sums = csr_matrix(sums, dtype=float)
    sums.eliminate_zeros()
    lower, upper = tighten(sums, sums.tocsc(), lower, upper)
    low, high = lower[cells], upper[cells]
    block = np.full(len(lower), -1)
    members = blocks(sums, upper > lower)
    for number, each in enumerate(members):
        block[each] = number
    for number in np.unique(block[cells]):
        if number < 0:
            continue
        asked = np.flatnonzero(block[cells] == number)
        low[asked], high[asked] = _ranges_of_block(sums, lower, upper, members[number], cells[asked])
    return low, high


def _ranges_of_block(
    sums: csr_matrix, lower: Numbers, upper: Numbers, block: Cells, cells: Cells
) -> tuple[Numbers, Numbers]:
    from scipy.optimize import Bounds, LinearConstraint, milp

    part = sums[:, block]
    rows = np.flatnonzero(part.getnnz(axis=1))
    fixed = np.where(np.isin(np.arange(len(lower)), block), 0.0, lower)
    rest = -(sums[rows] @ fixed)
    limits = Bounds(lower[block], upper[block])
    laws = [LinearConstraint(part[rows], rest, rest)] if len(rows) else None
    ends = np.empty((2, len(cells)))
    if milp(np.zeros(len(block)), constraints=laws, bounds=limits).status == 2:
        raise ValueError(f"No counts fit the sums and limits of cells {block[:5]}.")
    for place, cell in enumerate(np.searchsorted(block, cells)):
        for end, sign in enumerate((1.0, -1.0)):
            aim = np.zeros(len(block))
            aim[cell] = sign
            answer = milp(aim, constraints=laws, bounds=limits)
            # There is a solution, so that none is the best only where there is no end.
            ends[end, place] = -sign * np.inf if answer.x is None else answer.x[cell]
    low, high = np.ceil(ends[0] - ALMOST), np.floor(ends[1] + ALMOST)
    return np.maximum(low, lower[cells]), np.minimum(high, upper[cells])


def tighten(
    by_sum: csr_matrix, by_cell: csc_matrix, lower: Numbers, upper: Numbers, cells: Cells | None = None
) -> tuple[Numbers, Numbers]:
    """Limits that follow from one sum after the other, as whole numbers: never narrower than the true range.

    by_sum, by_cell : the sums, by row and by column. lower, upper : (cells,). cells : those whose limits were narrowed
    since they were last tightened; all where left out. Raises ValueError where a cell is left no number.
    """
    lower, upper = np.ceil(lower - ALMOST), np.floor(upper + ALMOST)
    part = by_sum if cells is None else by_sum[_sums_of(by_cell, cells)]
    for _ in range(PASSES):
        row = np.repeat(np.arange(part.shape[0]), np.diff(part.indptr))
        column, weight = part.indices, part.data
        least = np.where(weight > 0, weight * lower[column], weight * upper[column])
        most = np.where(weight > 0, weight * upper[column], weight * lower[column])
        one = -_sum_of_others(row, most, part.shape[0]) / weight
        other = -_sum_of_others(row, least, part.shape[0]) / weight
        new_lower, new_upper = lower.copy(), upper.copy()
        np.maximum.at(new_lower, column, np.ceil(np.minimum(one, other) - ALMOST))
        np.minimum.at(new_upper, column, np.floor(np.maximum(one, other) + ALMOST))
        moved = np.flatnonzero((new_lower != lower) | (new_upper != upper))
        lower, upper = new_lower, new_upper
        crossed = moved[lower[moved] > upper[moved]]
        if len(crossed):
            raise ValueError(f"No counts fit the sums and limits of cells {crossed[:5]}.")
        if not len(moved):
            break
        part = by_sum[_sums_of(by_cell, moved)]
    return lower, upper


def _sums_of(by_cell: csc_matrix, cells: Cells) -> Cells:
    return np.unique(by_cell[:, cells].indices).astype(np.intp)


def _sum_of_others(row: Cells, terms: Numbers, rows: int) -> Numbers:
    """For each term the sum of the other terms of its row, where one or more may be infinite."""
    endless = np.isinf(terms)
    finite = np.where(endless, 0.0, terms)
    others = (np.bincount(row, finite, rows)[row] - finite).astype(float)
    if not endless.any():
        return others
    endless_others = (np.bincount(row, endless, rows)[row] - endless) > 0
    # The terms of a row are endless on the same side.
    side = np.bincount(row, np.where(endless, np.sign(terms), 0.0), rows)[row]
    return np.where(endless_others, np.where(side > 0, np.inf, -np.inf), others)


def too_narrow(
    sums: csr_matrix, values: Numbers, lower: Numbers, upper: Numbers, targets: Cells, least: int
) -> Cells:
    """Those of some cells that a reader can work out more closely than is allowed.

    sums : (sums, cells) of whole numbers, sums @ values = 0. values : (cells,) the true whole numbers, NaN where even
    we do not know it. lower, upper : (cells,) what the reader knows of each by itself, upper may be infinite; true
    values lie within. targets : cells asked for. least : smallest allowed distance from lowest to highest whole number.
    Returns cells, in the order of targets. A cell is left out only where two worlds of whole numbers were found in
    which it differs by `least`; where time runs out before, it is among the narrow ones. Raises ValueError as `ground`
    and `tighten` do.
    """
    base = ground(sums, values, lower, upper)
    lower, upper = tighten(base.by_sum, base.by_cell, lower, upper)
    down, up = lower - base.truth, upper - base.truth
    walker = Walker(base)
    walker.limit(down, up)
    beside = beside_unfinished(base, up > down)
    return np.array(
        [
            cell
            for cell in np.asarray(targets, dtype=np.intp).tolist()
            if beside[cell]
            or up[cell] - down[cell] < least
            or (
                walker.pair(cell, least) is None
                and wide_pair(base, down, up, cell, least, near=(*NEAR, len(down))) is None
            )
        ],
        dtype=np.intp,
    )


def beside_unfinished(base: Ground, movable: Flags) -> Flags:
    """Cells that hang together with one that has no number, so that nothing is proved of them."""
    found = base.unfinished.copy()
    if found.any():
        for block in blocks(base.by_sum, movable | base.unfinished):
            found[block] = base.unfinished[block].any()
    return found


def wide_pair(
    base: Ground,
    down: Numbers,
    up: Numbers,
    cell: int,
    least: int,
    *,
    near: Sequence[int] = NEAR,
    within: tuple[float, float] | None = None,
) -> Pair | None:
    """Two worlds in which a cell differs by `least`, by programmes: near it first, then farther away.

    down, up : (cells,) how far each may step away from the truth. near : how many cells are searched, in turn.
    within : how far the cell itself may step, beside its limits.
    None where there are none, or none was found in time.
    """
    room, movable = Room(down, up, down, up), up > down
    if within is not None:
        supposed = np.full(len(up), within[0]), np.full(len(up), within[1])
        room = supposing(room, [cell], *supposed)
    elastic = elastic_cells(base, room)
    for most in near:
        cells, everything = around(base, [cell], movable, most, movable, elastic)
        found = nearest_worlds(base, cells, [cell], least, room)
        if found is not None and found.worlds is None:
            found = nearest_worlds(base, cells, [cell], least, room, whole=True)
        if found is not None and found.worlds is not None and apart(found.worlds, cell) >= least:
            return found.worlds
        if everything:
            return None
    return None
