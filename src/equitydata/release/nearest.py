"""The two worlds nearest to the truth in which a count is high and low, and the rows that must be hidden for them.

A linear programme. Each cell steps up or down in either world. Steps within what is known cost next to nothing; steps
beyond what is shown of a cell cost what its rows are worth, for only if they are hidden may it go there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from equitydata.release.worlds import ALMOST, SECONDS, Cells, Flags, Ground, Numbers, Pair, holds

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# A step within what is known costs so much of a row: few steps are better than many.
STEP = 1e-3
# Steps of one world in a programme of whole numbers: more never end in time, and time differs between machines.
MOST_WHOLE = 3000
ELASTIC = 50  # steps either way, far more than a count must differ by


@dataclass(frozen=True)
class Room:
    """How far each cell may step away from the truth: as the release stands, and if all its rows are hidden.

    lower, upper : now, shape (cells,). far_lower, far_upper : hidden; the same where that changes nothing.
    """

    lower: Numbers
    upper: Numbers
    far_lower: Numbers
    far_upper: Numbers


@dataclass(frozen=True)
class Doors:
    """Rows that may be hidden. A cell leaves what is shown of it only if all the rows that show it are hidden.

    cell, row : the shown numbers of cells all of whose rows may be hidden. cost : (rows,), infinite for a row that may
    not. leader, follower : rows hidden with others.
    """

    cell: Cells
    row: Cells
    cost: Numbers
    leader: Cells
    follower: Cells


@dataclass(frozen=True)
class Found:
    """Two worlds, high and low, and the rows that must be hidden for them.

    worlds : None where the programme found no whole numbers. moved : cells that step in either.
    """

    worlds: Pair | None
    rows: Cells
    moved: Cells


def supposing(room: Room, cells: Sequence[int], lowest: Numbers, highest: Numbers) -> Room:
    """The room where some cells may step no farther than is supposed of them. lowest, highest : shape (all cells,)."""
    here = np.asarray(cells, dtype=np.intp)
    bounds = [each.copy() for each in (room.lower, room.upper, room.far_lower, room.far_upper)]
    for number, (limit, narrower) in enumerate(((lowest, np.maximum), (highest, np.minimum)) * 2):
        bounds[number][here] = narrower(bounds[number][here], limit[here])
    return Room(*bounds)


def elastic_cells(ground: Ground, room: Room) -> Cells:
    """For each sum a cell that stands in no other and may step far either way, -1 where it has none. Shape (sums,).

    Such a cell takes up whatever the others of its sum do: nothing farther away need be looked at through that sum.
    """
    alone = np.diff(ground.by_cell.indptr) == 1
    cells = np.flatnonzero(alone & (room.lower <= -ELASTIC) & (room.upper >= ELASTIC))
    found = np.full(ground.by_sum.shape[0], -1, dtype=np.intp)
    entries = ground.by_cell.indptr[cells]
    single = np.abs(ground.by_cell.data[entries]) == 1
    found[ground.by_cell.indices[entries[single]]] = cells[single]
    return found


def around(
    ground: Ground, cells: Iterable[int], among: Flags, most: int, first: Flags, elastic: Cells
) -> tuple[Cells, bool]:
    """Cells that hang together with some through sums, the nearest first, and whether those are all there are.

    among : cells that may be taken. most : about as many. first : of those equally near, which go first.
    elastic : as `elastic_cells` gives them; through a sum that has one, that one alone is reached.
    """
    taken = np.zeros(len(among), dtype=bool)
    edge = np.unique(np.fromiter(cells, dtype=np.intp))
    taken[edge] = True
    count = len(edge)
    while len(edge):
        sums = np.unique(ground.by_cell[:, edge].indices)
        ends = elastic[sums]
        reached = ground.by_sum[sums[ends < 0]].indices
        edge = np.unique(np.concatenate([reached, ends[ends >= 0]])).astype(np.intp)
        edge = edge[among[edge] & ~taken[edge]]
        if count + len(edge) > most:
            kept = max(most - count, int(first[edge].sum()))
            taken[edge[np.argsort(~first[edge], kind="stable")][:kept]] = True
            return np.flatnonzero(taken), False
        taken[edge] = True
        count += len(edge)
    return np.flatnonzero(taken), True


def nearest_worlds(
    ground: Ground,
    cells: Cells,
    wanted: Sequence[int],
    least: int,
    room: Room,
    doors: Doors | None = None,
    *,
    whole: bool = False,
    seed: int = 5,
) -> Found | None:
    """The two worlds nearest to the truth in which all wanted cells differ by `least`.

    cells : those that may step, rising, the wanted among them. doors : rows that may be hidden; none where left out.
    whole : by integer programming, within SECONDS. seed : for steps that cost the same.
    Returns None where there are none, or too many for whole numbers.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import bmat

    steps = _steps(cells, room, doors)
    if whole and len(steps.place) > MOST_WHOLE:
        return None
    balance = _balance(ground, cells, steps)
    asked = steps.of_cells()[np.searchsorted(cells, np.asarray(wanted, dtype=np.intp))]
    # None costs the same, so that the answer is one corner and not a mixture of many.
    cost = STEP * (1 + np.random.default_rng(seed).random(len(steps.place)))
    lines = [[balance, None], [None, balance], [asked, -asked]]
    low = [np.zeros(2 * balance.shape[0]), np.full(len(wanted), float(least))]
    high = [np.zeros(2 * balance.shape[0]), np.full(len(wanted), np.inf)]
    row_cost, rows = np.empty(0), np.empty(0, dtype=np.intp)
    if doors is not None:
        hiding = _hiding(cells, steps, doors, least)
        cost = cost + np.where(steps.far, hiding.price[steps.place], 0.0)
        row_cost, rows = hiding.cost, hiding.rows
        if len(rows):
            lines = [[*each, None] for each in lines]
            lines += [[hiding.leave, hiding.leave, hiding.doors], [None, None, hiding.ties]]
            low.append(np.full(hiding.doors.shape[0] + hiding.ties.shape[0], -np.inf))
            high.append(np.zeros(hiding.doors.shape[0] + hiding.ties.shape[0]))
    may = np.isfinite(row_cost)
    # Presolve costs more than it saves here, and may write a line of its own to the standard output.
    answer = milp(
        np.concatenate([cost, cost, np.where(may, row_cost, 0.0)]),
        constraints=LinearConstraint(bmat(lines, format="csc"), np.concatenate(low), np.concatenate(high)),
        bounds=Bounds(0.0, np.concatenate([steps.most, steps.most, np.where(may, np.inf, 0.0)])),
        integrality=np.repeat([1, 0], [2 * len(cost), len(row_cost)]) if whole else None,
        options={"presolve": False, "time_limit": SECONDS, "mip_rel_gap": 0.1},
    )
    if answer.x is None:
        return None
    in_high, in_low, used = np.split(answer.x, [len(cost), 2 * len(cost)])
    taken = np.maximum(in_high, in_low) > ALMOST
    left = np.unique(cells[steps.place[steps.far & taken]])
    worlds = _worlds(ground, cells, (steps.signed(in_high), steps.signed(in_low)), room, left)
    if doors is not None:
        rows = np.union1d(rows[used > ALMOST], doors.row[np.isin(doors.cell, left)])
    return Found(worlds, rows, np.unique(cells[steps.place[taken]]))


@dataclass(frozen=True)
class _Steps:
    """The steps of one world, a column each: number of the cell, direction, beyond what is shown or not, how many."""

    cells: int
    place: Cells
    sign: Numbers
    far: Flags
    most: Numbers

    def of_cells(self) -> csr_matrix:
        """What each step adds to its cell: (cells, steps)."""
        from scipy.sparse import csr_matrix

        return csr_matrix(
            (self.sign, (self.place, np.arange(len(self.place)))), shape=(self.cells, len(self.place))
        )

    def signed(self, steps: Numbers) -> Numbers:
        """How far each cell steps in all."""
        return np.bincount(self.place, self.sign * steps, self.cells).astype(float)


def _steps(cells: Cells, room: Room, doors: Doors | None) -> _Steps:
    near = [room.upper[cells], -room.lower[cells]]
    beyond = [np.zeros(len(cells))] * 2
    if doors is not None:
        able = np.isin(cells, doors.cell)
        beyond = [
            _less(room.far_upper[cells], room.upper[cells], able),
            _less(-room.far_lower[cells], -room.lower[cells], able),
        ]
    most = np.concatenate([*near, *beyond])
    there = most > 0
    return _Steps(
        cells=len(cells),
        place=np.tile(np.arange(len(cells)), 4)[there],
        sign=np.repeat([1.0, -1.0, 1.0, -1.0], len(cells))[there],
        far=np.repeat([False, False, True, True], len(cells))[there],
        most=most[there],
    )


def _less(far: Numbers, near: Numbers, where: Flags) -> Numbers:
    """far - near where asked for, else 0; nothing where near is infinite already."""
    return np.subtract(far, near, out=np.zeros(len(far)), where=where & np.isfinite(near))


def _balance(ground: Ground, cells: Cells, steps: _Steps) -> csr_matrix:
    """What each step adds to each sum of the cells: (sums, steps)."""
    part = ground.by_cell[:, cells]
    touched = part[np.unique(part.indices)]
    return touched @ steps.of_cells()


@dataclass(frozen=True)
class _Hiding:
    """What hiding costs, for the steps beyond what is shown.

    price : of one such step of each cell, where its rows show no other such cell. For other rows there is a column
    each, so that two cells of a row do not pay twice. rows, cost : those rows. leave : (shown numbers, steps) the
    steps beyond; doors : (shown numbers, rows) the row that must be hidden for them. ties : (ties, rows).
    """

    price: Numbers
    rows: Cells
    cost: Numbers
    leave: csr_matrix
    doors: csr_matrix
    ties: csr_matrix


def _hiding(cells: Cells, steps: _Steps, doors: Doors, least: int) -> _Hiding:
    from scipy.sparse import csr_matrix

    leaves = np.zeros(steps.cells, dtype=bool)
    leaves[steps.place[steps.far]] = True
    here = np.isin(doors.cell, cells[leaves])
    cell, row = np.searchsorted(cells, doors.cell[here]), doors.row[here]
    alone = np.bincount(row, minlength=len(doors.cost)) == 1
    alone[doors.leader] = alone[doors.follower] = False
    scale = (float(np.median(doors.cost[row])) if len(row) else 1.0) or 1.0
    paid = np.where(alone[row], doors.cost[row], 0.0) / (scale * least)
    price = np.bincount(cell, paid, steps.cells).astype(float)
    cell, row = cell[~alone[row]], row[~alone[row]]
    rows = np.unique(np.concatenate([row, doors.leader, doors.follower])).astype(np.intp)
    beyond = np.flatnonzero(steps.far)
    leave = csr_matrix(
        (np.ones(len(beyond)), (steps.place[beyond], beyond)), shape=(steps.cells, len(steps.place))
    )
    ties = np.arange(len(doors.leader))
    return _Hiding(
        price=price,
        rows=rows,
        cost=doors.cost[rows] / scale,
        leave=leave[cell],
        doors=csr_matrix(
            (np.full(len(row), -float(least)), (np.arange(len(row)), np.searchsorted(rows, row))),
            shape=(len(row), len(rows)),
        ),
        ties=csr_matrix(
            (
                np.repeat([1.0, -1.0], len(ties)),
                (np.tile(ties, 2), np.searchsorted(rows, np.concatenate([doors.leader, doors.follower]))),
            ),
            shape=(len(ties), len(rows)),
        ),
    )


def _worlds(
    ground: Ground, cells: Cells, steps: tuple[Numbers, Numbers], room: Room, left: Cells
) -> Pair | None:
    """The worlds of an answer, None where they are not worlds in whole numbers. left : cells beyond what is shown."""
    lower, upper = room.lower.copy(), room.upper.copy()
    lower[left], upper[left] = room.far_lower[left], room.far_upper[left]
    found = []
    for each in steps:
        moved = np.flatnonzero(np.round(each))
        world = dict(zip(cells[moved].tolist(), np.round(each[moved]).astype(int).tolist(), strict=True))
        if not holds(world, ground, lower, upper):
            return None
        found.append(world)
    return found[0], found[1]
