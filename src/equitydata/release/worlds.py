"""Other worlds: whole numbers that a reader cannot tell from the truth, found close to it.

A *world* gives each count a whole number so that every sum holds and each lies within what the reader knows. The
truth is one. Two worlds in which a count differs by 3 prove that nobody can work it out more closely than that: no
search over all worlds is needed, and nothing rests on the tolerance of a solver, for each world is checked in whole
numbers before it counts. A world is held as its steps away from the truth: cell -> difference.

* `Walker` moves one count by one, which leaves its sums out of balance, and balances them one by one by the count that
  upsets other sums least. Fast where most counts have room, as rounded ones do.
* `nearest_worlds` asks a linear programme for the two worlds closest to the truth, and at a price lets counts leave
  what is shown of them: then it tells which rows to hide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csc_matrix, csr_matrix

Numbers: TypeAlias = NDArray[np.float64]
Cells: TypeAlias = NDArray[np.intp]
Flags: TypeAlias = NDArray[np.bool_]
World: TypeAlias = Mapping[int, int]
Pair: TypeAlias = tuple[World, World]  # one where the count is high, one where it is low

LONGEST_WALK = 400  # steps that balance one step
MOST_UNBALANCED = 200  # sums out of balance at once
FAILED_WALKS = 40  # each way, before a count is left to the linear programme
WIDEST_LOOK = 64  # cells of one sum that a step chooses from
ALMOST = 1e-6
SECONDS = 10.0  # that an integer programme may take; what it has not found by then counts as not there


@dataclass(frozen=True)
class Ground:
    """The sums and one world that keeps them: the truth, with whole numbers that fit where even we know none.

    by_sum, by_cell : the sums by row and by column. truth : whole numbers, shape (cells,).
    unfinished : cells for which no whole number was found in time; nothing near them can be proved.
    """

    by_sum: csr_matrix
    by_cell: csc_matrix
    truth: Numbers
    unfinished: Flags


def ground(sums: csr_matrix, values: Numbers, lower: Numbers, upper: Numbers) -> Ground:
    """Sums and values made ready, unknown values filled in.

    sums : (sums, cells) of whole numbers. values : (cells,), NaN where unknown. lower, upper : what the reader knows.
    Raises ValueError where the sizes differ, a value or weight is not whole, a known value lies outside what the reader
    knows, a sum does not hold, or no whole numbers fit the unknown.
    """
    from scipy.sparse import csr_matrix

    by_sum = csr_matrix(sums, dtype=float)
    by_sum.sum_duplicates()
    by_sum.eliminate_zeros()
    cells = by_sum.shape[1]
    if not cells == len(values) == len(lower) == len(upper):
        sizes = f"{cells}, {len(values)}, {len(lower)}, {len(upper)}"
        raise ValueError(f"Sums, values, lower and upper must agree in cells, and have {sizes}.")
    known = ~np.isnan(values)
    if (by_sum.data != np.round(by_sum.data)).any() or (values[known] != np.round(values[known])).any():
        raise ValueError("Values and weights of sums must be whole numbers.")
    _refuse(known & ((values < lower) | (values > upper)), "lie outside what the reader is said to know")
    truth, unfinished = np.where(known, values, 0.0), np.zeros(cells, dtype=bool)
    if not known.all():
        truth, unfinished = _filled_in(by_sum, truth, ~known, np.ceil(lower), np.floor(upper))
    broken = by_sum @ truth != 0
    broken[np.unique(by_sum[:, np.flatnonzero(unfinished)].nonzero()[0])] = False
    if broken.any():
        raise ValueError(
            f"{int(broken.sum())} sums do not hold for the values, first: {np.flatnonzero(broken)[:5]}."
        )
    return Ground(by_sum, by_sum.tocsc(), truth, unfinished)


def _refuse(flags: Flags, what: str) -> None:
    if flags.any():
        raise ValueError(f"{int(flags.sum())} values {what}, first: cells {np.flatnonzero(flags)[:5]}.")


def _filled_in(
    by_sum: csr_matrix, truth: Numbers, unknown: Flags, lower: Numbers, upper: Numbers
) -> tuple[Numbers, Flags]:
    """Whole numbers for the unknown cells that keep all sums, block by block; flags of those not found in time."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    truth, unfinished = truth.copy(), np.zeros(len(truth), dtype=bool)
    wanted = -(by_sum @ truth)
    for cells in blocks(by_sum, unknown):
        part = by_sum[:, cells]
        rows = np.flatnonzero(part.getnnz(axis=1))
        answer = milp(
            np.zeros(len(cells)),
            constraints=[LinearConstraint(part[rows], wanted[rows], wanted[rows])] if len(rows) else None,
            bounds=Bounds(lower[cells], upper[cells]),
            integrality=np.ones(len(cells)),
            options={"time_limit": SECONDS},
        )
        if answer.x is not None and (part[rows] @ np.round(answer.x) == wanted[rows]).all():
            truth[cells] = np.clip(np.round(answer.x), lower[cells], upper[cells])
        elif answer.status == 2:
            raise ValueError(f"No whole numbers fit the unknown values of cells {cells[:5]} and their sums.")
        else:
            unfinished[cells] = True
    return truth, unfinished


def blocks(by_sum: csr_matrix, among: Flags) -> list[Cells]:
    """Flagged cells that hang together through sums, group by group; a cell of no sum is a group of its own."""
    from scipy.sparse import bmat
    from scipy.sparse.csgraph import connected_components

    cells = np.flatnonzero(among)
    if not len(cells):
        return []
    part = by_sum[:, cells]
    _, labels = connected_components(bmat([[None, part], [part.T, None]], format="csr"), directed=False)
    labels = labels[part.shape[0] :]
    order = np.argsort(labels, kind="stable")
    return np.split(cells[order], np.flatnonzero(np.diff(labels[order])) + 1)


def holds(world: World, ground: Ground, lower: Numbers, upper: Numbers) -> bool:
    """Whether a world keeps every sum and every limit. lower, upper : limits of the steps away from the truth."""
    cells = np.fromiter(world, dtype=np.intp, count=len(world))
    steps = np.fromiter(world.values(), dtype=float, count=len(world))
    if ((steps < lower[cells]) | (steps > upper[cells])).any():
        return False
    return not (ground.by_cell[:, cells] @ steps).any()


def apart(pair: Pair, cell: int) -> int:
    """By how much a cell differs between two worlds."""
    return pair[0].get(cell, 0) - pair[1].get(cell, 0)


# ---------------------------------------------------------------- step by step


class Walker:
    """Finds worlds by single steps. Limits may be widened and narrowed between walks."""

    def __init__(self, ground: Ground, *, seed: int = 5) -> None:
        self._ground = ground
        self._parts: list[list[tuple[int, int]]] = [[] for _ in range(ground.by_sum.shape[0])]
        self._sums: list[list[tuple[int, int]]] = [[] for _ in ground.truth]
        self._lower: list[float] = [0.0] * len(ground.truth)
        self._upper: list[float] = [0.0] * len(ground.truth)
        self._linked = ground.unfinished.copy()
        self._random = Random(seed)  # noqa: S311 - which way to walk, nothing secret

    def limit(self, lower: Numbers, upper: Numbers, cells: Cells | None = None) -> None:
        """Sets how far cells may step away from the truth.

        lower, upper : shape (all cells,). cells : those whose limits changed; all where left out.
        """
        if cells is None:
            self._lower, self._upper = lower.tolist(), upper.tolist()
            cells = np.arange(len(lower))
        else:
            for cell in cells.tolist():
                self._lower[cell], self._upper[cell] = float(lower[cell]), float(upper[cell])
        self._link(cells[(upper[cells] > lower[cells]) & ~self._linked[cells]])

    def _link(self, cells: Cells) -> None:
        by_cell = self._ground.by_cell
        self._linked[cells] = True
        for cell in cells.tolist():
            part = slice(by_cell.indptr[cell], by_cell.indptr[cell + 1])
            links = list(zip(by_cell.indices[part].tolist(), map(int, by_cell.data[part]), strict=True))
            self._sums[cell] = links
            for each, weight in links:
                self._parts[each].append((cell, weight))

    def pair(self, cell: int, least: int, *, tries: int = FAILED_WALKS) -> Pair | None:
        """Two worlds in which a cell differs by `least`; None where so many walks each way failed."""
        up, down = self._upper[cell], -self._lower[cell]
        if self._ground.unfinished[cell] or up + down < least:
            return None
        worlds: dict[int, dict[int, int]] = {1: {}, -1: {}}
        gained = 0
        for way in (1, -1) if up >= down else (-1, 1):
            failed = 0
            while (
                gained < least
                and failed < tries
                and abs(worlds[way].get(cell, 0)) < (up if way > 0 else down)
            ):
                if self._step(cell, way, worlds[way]):
                    gained += 1
                else:
                    failed += 1
        return (worlds[1], worlds[-1]) if gained >= least else None

    def _step(self, cell: int, way: int, world: dict[int, int]) -> bool:
        """Moves a cell by one in a world and balances all sums again; False, and no change, where that fails."""
        sums, lower, upper, random = self._sums, self._lower, self._upper, self._random.random
        steps = {cell: way}
        off = {each: weight * way for each, weight in sums[cell]}
        for _ in range(LONGEST_WALK):
            if not off:
                for other, by in steps.items():
                    total = world.get(other, 0) + by
                    if total:
                        world[other] = total
                    else:
                        world.pop(other, None)
                return True
            if len(off) > MOST_UNBALANCED:
                return False
            # From the last sum upset, or from the first: one alone runs in circles more often.
            chosen = next(reversed(off)) if random() < 0.5 else next(iter(off))
            high = off[chosen] > 0
            parts = self._parts[chosen]
            if len(parts) > WIDEST_LOOK:
                start = int(random() * len(parts))
                parts = (parts[start:] + parts[:start])[:WIDEST_LOOK]
            best, least_upset = None, np.inf
            for other, weight in parts:
                move = -1 if high == (weight > 0) else 1
                taken = steps.get(other, 0)
                if taken * move < 0 or other == cell:
                    continue
                if not lower[other] <= world.get(other, 0) + taken + move <= upper[other]:
                    continue
                upset = random()
                for each, size in sums[other]:
                    before = off.get(each, 0)
                    upset += abs(before + size * move) - abs(before)
                if upset < least_upset:
                    best, least_upset = (other, move), upset
            if best is None:
                return False
            other, move = best
            steps[other] = steps.get(other, 0) + move
            for each, size in sums[other]:
                left = off.get(each, 0) + size * move
                if left:
                    off[each] = left
                else:
                    del off[each]
        return False


# ---------------------------------------------------------------- by linear programming


@dataclass(frozen=True)
class Room:
    """How far each cell may step away from the truth: as the release stands, and if its rows are hidden.

    lower, upper : now, shape (cells,). far_lower, far_upper : hidden; the same where that changes nothing.
    """

    lower: Numbers
    upper: Numbers
    far_lower: Numbers
    far_upper: Numbers

    @property
    def movable(self) -> Flags:
        """Cells that may move, now or hidden."""
        flags: Flags = self.far_upper > self.far_lower
        return flags


@dataclass(frozen=True)
class Doors:
    """Rows that may be hidden, for cells that may leave what is shown of them only if all of their rows are.

    cell, row : the shown numbers, each once. cost : shape (rows,). leader, follower : rows hidden with others.
    """

    cell: Cells
    row: Cells
    cost: Numbers
    leader: Cells
    follower: Cells


@dataclass(frozen=True)
class Found:
    """Two worlds, high and low, and what they need.

    worlds : None where the programme found no whole numbers. rows : to be hidden for them. cost : of those rows, as
    the programme counts it. moved : cells that move.
    """

    worlds: Pair | None
    rows: Cells
    cost: float
    moved: Cells


def around(ground: Ground, cells: Iterable[int], among: Flags, most: int, first: Flags) -> tuple[Cells, bool]:
    """Cells that hang together with some through sums, the nearest first, and whether those are all there are.

    among : cells that may be taken. most : about as many. first : of those equally near, which go first.
    """
    taken = np.zeros(len(among), dtype=bool)
    edge = np.unique(np.fromiter(cells, dtype=np.intp))
    taken[edge] = True
    count = len(edge)
    while len(edge):
        sums = np.unique(ground.by_cell[:, edge].indices)
        edge = np.unique(ground.by_sum[sums].indices).astype(np.intp)
        edge = edge[among[edge] & ~taken[edge]]
        if count + len(edge) > most:
            edge = edge[np.argsort(~first[edge], kind="stable")][: max(most - count, int(first[edge].sum()))]
            taken[edge] = True
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

    cells : those that may move, the wanted among them. doors : rows that may be hidden, at their cost; none where left
    out, and nothing leaves what is shown of it. whole : by integer programming, within SECONDS.
    Returns None where there are none.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    programme = _Programme.of(ground, cells, wanted, least, room, doors, seed=seed)
    answer = milp(
        programme.cost,
        constraints=LinearConstraint(programme.matrix, programme.low, programme.high),
        bounds=Bounds(np.zeros(len(programme.cost)), programme.most),
        integrality=programme.whole if whole else None,
        options={"presolve": whole or len(cells) < 2000, "time_limit": SECONDS, "mip_rel_gap": 0.1},
    )
    return None if answer.x is None else programme.read(answer.x, ground, room)


@dataclass(frozen=True)
class _Programme:
    """One linear programme: steps up and down of each cell, in the world where wanted cells are high and the other.

    cells, sign, far : cell of each step of one world, its direction, and whether it leaves what is shown.
    rows : rows with a column of their own, behind the steps of both worlds.
    """

    cells: Cells
    sign: Numbers
    far: Flags
    rows: Cells
    doors: Doors | None
    cost: Numbers
    most: Numbers
    whole: Numbers
    matrix: Any
    low: Numbers
    high: Numbers

    @classmethod
    def of(
        cls,
        ground: Ground,
        cells: Cells,
        wanted: Sequence[int],
        least: int,
        room: Room,
        doors: Doors | None,
        *,
        seed: int,
    ) -> _Programme:
        from scipy.sparse import block_diag, coo_matrix, csr_matrix, diags, hstack, vstack

        nothing = np.zeros(len(cells))
        near = (room.upper[cells], -room.lower[cells])
        more = (nothing, nothing)
        if doors is not None:
            beyond = (room.far_upper[cells] - room.upper[cells], room.lower[cells] - room.far_lower[cells])
            can = np.isin(cells, doors.cell)
            with np.errstate(invalid="ignore"):
                more = (np.where(can, beyond[0], 0.0), np.where(can, beyond[1], 0.0))
            # Two infinite limits leave nothing beyond.
            more = (
                np.nan_to_num(more[0], nan=0.0, posinf=np.inf),
                np.nan_to_num(more[1], nan=0.0, posinf=np.inf),
            )
        most = np.concatenate([*near, *more])
        place = np.tile(np.arange(len(cells)), 4)
        sign = np.repeat([1.0, -1.0, 1.0, -1.0], len(cells))
        far = np.repeat([False, False, True, True], len(cells))
        there = most > 0
        most, place, sign, far = most[there], place[there], sign[there], far[there]
        # Near steps cost almost nothing, and none the same: the answer is one corner, with few steps.
        cost = 1e-3 * (1 + np.random.default_rng(seed).random(len(place)))

        part = ground.by_cell[:, cells]
        part = part[np.unique(part.indices)].tocsc()
        one = part[:, place] @ diags(sign)
        steps = len(place)
        number = np.full(len(ground.truth), -1)
        number[cells] = np.arange(len(cells))
        asked = number[np.asarray(wanted, dtype=np.intp)]
        at = csr_matrix((sign, (place, np.arange(steps))), shape=(len(cells), steps))[asked]
        lines = [block_diag((one, one)), hstack([at, -at])]
        low = [np.zeros(2 * one.shape[0]), np.full(len(asked), float(least))]
        high = [np.zeros(2 * one.shape[0]), np.full(len(asked), np.inf)]
        rows = np.empty(0, dtype=np.intp)
        row_cost = np.empty(0)
        if doors is not None and far.any():
            inside = number[doors.cell] >= 0
            able = np.zeros(len(cells), dtype=bool)
            able[place[far]] = True
            inside[inside] = able[number[doors.cell[inside]]]
            door_cell, door_row = number[doors.cell[inside]], doors.row[inside]
            tied = np.zeros(len(doors.cost), dtype=bool)
            tied[doors.leader] = tied[doors.follower] = True
            alone = (np.bincount(door_row, minlength=len(tied)) == 1) & ~tied
            scale = float(np.median(doors.cost[door_row])) or 1.0
            # A row that shows one such cell needs no column: its cost lies on the steps of the cell.
            price = np.bincount(
                door_cell, np.where(alone[door_row], doors.cost[door_row], 0.0) / (scale * least), len(cells)
            )
            cost = cost + np.where(far, price[place], 0.0)
            shared = ~alone[door_row]
            rows = np.unique(np.concatenate([door_row[shared], doors.leader, doors.follower]))
            row_cost = doors.cost[rows] / scale
            column = np.full(len(tied), -1)
            column[rows] = np.arange(len(rows))
            if len(rows):
                leave = csr_matrix(
                    (far[far] * 1.0, (place[far], np.flatnonzero(far))), shape=(len(cells), steps)
                )
                leave = leave[door_cell[shared]]
                count = int(shared.sum())
                door = coo_matrix(
                    (np.full(count, -float(least)), (np.arange(count), column[door_row[shared]])),
                    shape=(count, len(rows)),
                )
                ties = len(doors.leader)
                follow = coo_matrix(
                    (
                        np.repeat([1.0, -1.0], ties),
                        (
                            np.tile(np.arange(ties), 2),
                            np.concatenate([column[doors.leader], column[doors.follower]]),
                        ),
                    ),
                    shape=(ties, len(rows)),
                )
                lines = [
                    hstack([vstack(lines), coo_matrix((sum(each.shape[0] for each in lines), len(rows)))]),
                    hstack([leave, leave, door]),
                    hstack([coo_matrix((ties, 2 * steps)), follow]),
                ]
                low += [np.full(count + ties, -np.inf)]
                high += [np.zeros(count + ties)]
        return cls(
            cells=cells[place],
            sign=sign,
            far=far,
            rows=rows,
            doors=doors,
            cost=np.concatenate([cost, cost, np.where(np.isfinite(row_cost), row_cost, 0.0)]),
            most=np.concatenate([most, most, np.where(np.isfinite(row_cost), np.inf, 0.0)]),
            whole=np.concatenate([np.ones(2 * steps), np.zeros(len(rows))]),
            matrix=vstack(lines, format="csc"),
            low=np.concatenate(low),
            high=np.concatenate(high),
        )

    def read(self, answer: Numbers, ground: Ground, room: Room) -> Found:
        """The worlds and rows of an answer."""
        steps = len(self.cells)
        moved = np.stack([answer[:steps], answer[steps : 2 * steps]])
        rows = self.rows[answer[2 * steps :] > ALMOST]
        left = np.unique(self.cells[self.far & (moved > ALMOST).any(axis=0)])
        if self.doors is not None:
            rows = np.union1d(rows, self.doors.row[np.isin(self.doors.cell, left)])
        worlds = []
        wide_lower, wide_upper = room.lower.copy(), room.upper.copy()
        wide_lower[left], wide_upper[left] = room.far_lower[left], room.far_upper[left]
        together = np.zeros((2, len(ground.truth)))
        for number in (0, 1):
            np.add.at(together[number], self.cells, self.sign * moved[number])
            found = np.flatnonzero(np.abs(together[number]) > 0.5)
            world = dict(
                zip(found.tolist(), np.round(together[number][found]).astype(int).tolist(), strict=True)
            )
            worlds.append(world)
        kept = all(holds(world, ground, wide_lower, wide_upper) for world in worlds)
        costs = self.doors.cost[rows].sum() if self.doors is not None else 0.0
        return Found(
            worlds=(worlds[0], worlds[1]) if kept else None,
            rows=rows.astype(np.intp),
            cost=float(costs),
            moved=np.flatnonzero((np.abs(together) > ALMOST).any(axis=0)),
        )
