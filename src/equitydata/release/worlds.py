"""Other worlds: whole numbers that a reader cannot tell from the truth, found close to it.

A *world* gives each count a whole number so that every sum holds and each lies within what the reader knows. The
truth is one. Two worlds in which a count differs by 3 prove that nobody can work it out more closely than that: no
search over all worlds is needed, and nothing rests on the tolerance of a solver, for each world is checked in whole
numbers before it counts. A world is held as its steps away from the truth: cell -> difference.

`Walker` moves one count by one, which leaves its sums out of balance, and balances them one after the other by the
count that upsets other sums least. Fast where most counts have room, as rounded ones do; where few have, `nearest`
asks a linear programme.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, TypeAlias

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
SECONDS = 3.0  # that an integer programme may take; what it has not found by then counts as not there


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

    def pair(
        self,
        cell: int,
        least: int,
        *,
        within: tuple[float, float] = (-np.inf, np.inf),
        tries: int = FAILED_WALKS,
        longest: int = LONGEST_WALK,
    ) -> Pair | None:
        """Two worlds in which a cell differs by `least`; None where so many walks each way, so long, failed.

        within : how far the cell itself may step, beside its limits.
        """
        up, down = min(self._upper[cell], within[1]), -max(self._lower[cell], within[0])
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
                if self._step(cell, way, worlds[way], longest):
                    gained += 1
                else:
                    failed += 1
        return (worlds[1], worlds[-1]) if gained >= least else None

    def _step(self, cell: int, way: int, world: dict[int, int], longest: int) -> bool:
        """Moves a cell by one in a world and balances all sums again; False, and no change, where that fails."""
        sums, lower, upper, random = self._sums, self._lower, self._upper, self._random.random
        steps = {cell: way}
        off = {each: weight * way for each, weight in sums[cell]}
        for _ in range(longest):
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
