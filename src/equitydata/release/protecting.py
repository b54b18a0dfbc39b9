"""Counts shown in rows -> rows hidden besides, until no small count can be worked out too closely.

The numeric core of the audit: arrays in, arrays out. For each count whose range is too narrow, a linear programme finds
the cheapest rows without which two worlds (see `worlds`) leave it wide enough: those rows are hidden. At the end rows
that turn out not to be needed are shown again. What is kept for each count is the proof that it is safe, two worlds in
whole numbers; a count without one is reported as unsafe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from equitydata.release.equals import with_equals_as_one
from equitydata.release.feasible import beside_unfinished, tighten, wide_pair
from equitydata.release.nearest import Doors, Found, Room, around, elastic_cells, nearest_worlds, supposing
from equitydata.release.rounding import as_rounded, range_of, small
from equitydata.release.worlds import (
    Cells,
    Flags,
    Ground,
    Numbers,
    Pair,
    Walker,
    World,
    apart,
    ground,
    holds,
)
from equitydata.rulebook import DisclosureRule

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Limits: TypeAlias = tuple[Numbers, Numbers]

# Counts in need that are helped one by one; of more, some share a programme, at most so many.
ONE_BY_ONE, TOGETHER = 80, 6
# Cells that a programme looks over: near a count, and if that costs more than a few rows, far from it.
REACH, FAR, FEW_ROWS = (600, 2500, 15_000), 15_000, 3
LESSONS = 4  # programmes for one count while it is learnt what must be hidden with the rows that they choose
# Spent on showing rows again: programmes, and for each count walks each way, and steps of a walk.
SHOW_AGAIN, SHORT_WALKS, SHORT_WALK = 400, 3, 100
NEIGHBOURS = 40  # rows that are hidden one by one beside a count that nothing else settles
# A small problem is tried in several orders, and the cheapest answer taken.
ORDERS, SMALL_PROBLEM = 3, 300


@dataclass(frozen=True)
class Problem:
    """What a release would show, as the audit sees it.

    values : (cells,) the true whole numbers, NaN where unknown. sums : (sums, cells) whole-number weights, under which
    the values make 0. exact : (cells,) known to everyone as they are. sensitive : (cells,) count people or records.
    cell, row : the published numbers: a cell stands in a row. A row is hidden whole; a cell is published if any of its
    rows is shown. rows : how many there are. cost : (rows,) what is lost when a row is hidden, infinite where it must
    be shown. lower, upper : (cells,) what earlier releases tell of each cell.
    implied : of each published number, whether it is not written, and its row only says that it is nobody or not small.
    """

    values: Numbers
    sums: csr_matrix
    exact: Flags
    sensitive: Flags
    cell: Cells
    row: Cells
    rows: int
    cost: Numbers
    lower: Numbers | None = None
    upper: Numbers | None = None
    implied: Flags | None = None


@dataclass(frozen=True)
class Protection:
    """Which rows are hidden so that small counts are safe.

    hidden : (rows,). first, second : how many rows were hidden before, and how many besides. unsafe : cells that stay
    too narrow whatever is hidden, that a row shows which must be shown, or that were not proved safe in time.
    rounds : programmes that were solved to find rows.
    """

    hidden: Flags
    first: int
    second: int
    unsafe: Cells
    rounds: int


def protected(problem: Problem, rule: DisclosureRule) -> Cells:
    """The cells that a rule protects: small counts of people or records that not everyone knows."""
    return np.flatnonzero(_small(problem, rule) & ~problem.exact)


def known(problem: Problem, hidden: Flags, rule: DisclosureRule) -> Limits:
    """What a reader knows of each cell by itself: lower and upper, shape (cells,).

    A published cell is what its rounded number stands for, any other is 0 or more. What earlier releases tell is added.
    Raises ValueError where a published or exact cell has no value.
    """
    shown = np.zeros(len(problem.values), dtype=bool)
    here = ~hidden[problem.row]
    written = here if problem.implied is None else here & ~problem.implied
    shown[problem.cell[written]] = True
    if np.isnan(problem.values[shown | problem.exact]).any():
        raise ValueError("A cell without a value cannot be published.")
    lowest, highest = range_of(as_rounded(problem.values, rule), rule)
    # A small count is not shown, unless its row must be.
    lowest, highest = np.fmin(lowest, problem.values), np.fmax(highest, problem.values)
    lower, upper = np.where(shown, lowest, 0.0), np.where(shown, highest, np.inf)
    if problem.implied is not None and not rule.midpoint:
        said = np.zeros(len(problem.values), dtype=bool)
        said[problem.cell[here & problem.implied]] = True
        said &= ~shown & ~_small(problem, rule)
        nobody = said & (problem.values == 0)
        lower = np.where(said & ~nobody, rule.hide_up_to + 1.0, lower)
        upper = np.where(nobody, 0.0, upper)
    lower, upper = (np.where(problem.exact, problem.values, each) for each in (lower, upper))
    if problem.lower is not None:
        lower = np.fmax(lower, problem.lower)
    if problem.upper is not None:
        upper = np.fmin(upper, problem.upper)
    return lower, upper


def _least_small(rule: DisclosureRule) -> int:
    return 0 if rule.hide_zeros else 1


def _small(problem: Problem, rule: DisclosureRule) -> Flags:
    return small(problem.values, rule) & problem.sensitive


def protect(
    problem: Problem, hidden: Flags, rule: DisclosureRule, close: Callable[[Flags], Flags]
) -> Protection:
    """Hides rows until every protected cell keeps its least range, at the least cost that is found.

    hidden : (rows,) hidden already; rows that show a small cell as it is join them. close : hidden rows -> those and
    all that must be hidden with them. The same problem has the same answer, unless a programme ran out of time.
    Raises ValueError where values, sums and what earlier releases tell contradict each other.
    """
    merged, place = with_equals_as_one(problem)
    found = _protect(merged, hidden, rule, close)
    unsafe = np.intersect1d(protected(problem, rule), np.flatnonzero(np.isin(place, found.unsafe)))
    return replace(found, unsafe=unsafe)


def _protect(
    problem: Problem, hidden: Flags, rule: DisclosureRule, close: Callable[[Flags], Flags]
) -> Protection:
    targets = protected(problem, rule)
    shows_small = np.zeros(problem.rows, dtype=bool)
    if not rule.midpoint:
        shows_small[problem.row[np.isin(problem.cell, targets)]] = True
    start = close(hidden | (shows_small & np.isfinite(problem.cost)))
    # Where all small counts together span less than the least range, so may one.
    least = min(rule.least_range, rule.hide_up_to - _least_small(rule))
    if not len(targets) or least <= 0:
        return Protection(start, int(start.sum()), 0, np.empty(0, dtype=np.intp), 0)
    # A count of few sums has few ways out, and its way may serve those of many.
    sums_of_each = np.bincount(problem.sums.indices, minlength=len(problem.values))
    order = targets[np.argsort(sums_of_each[targets], kind="stable")]
    best = _Audit(problem, start, rule, close, order.tolist(), least).protection()
    if (best.second or len(best.unsafe)) and len(problem.values) <= SMALL_PROBLEM:
        for seed in range(1, ORDERS):
            order = np.random.default_rng(seed).permutation(order)
            other = _Audit(problem, start, rule, close, order.tolist(), least).protection()
            best = min(best, other, key=lambda each: (len(each.unsafe), problem.cost[each.hidden].sum()))
    return best


class _Audit:
    """One search: hidden rows, and two worlds for each count that is safe with them.

    start, hidden : rows hidden at first and now. known, tight, far : how far each cell may step away from the truth, as
    a reader knows it, as follows from one sum after the other, and if all rows were hidden. worlds : cell -> the proof
    that it is safe. leader, follower : what was learnt of rows that must be hidden with others.
    """

    def __init__(
        self,
        problem: Problem,
        start: Flags,
        rule: DisclosureRule,
        close: Callable[[Flags], Flags],
        targets: Sequence[int],
        least: int,
    ) -> None:
        self.problem, self.rule, self.close, self.targets, self.least = problem, rule, close, targets, least
        self.start, self.hidden = start, start
        lower, upper = known(problem, start, rule)
        self.base: Ground = ground(problem.sums, problem.values, lower, upper)
        self.known = self._steps(lower, upper)
        self.tight = self._steps(*tighten(self.base.by_sum, self.base.by_cell, lower, upper))
        self.far = self._steps(*known(problem, np.ones(problem.rows, dtype=bool), rule))
        self.hopeless = beside_unfinished(self.base, self.far[1] > self.far[0])
        # Of the one count that is looked at, the reader supposes that it is hidden for being small.
        self.supposed = (
            _least_small(rule) - self.base.truth,
            rule.hide_up_to - self.base.truth,
        )
        self.walker = Walker(self.base)
        self.walker.limit(*self.tight)
        self.worlds: dict[int, Pair] = {}
        self.leader: list[int] = []
        self.follower: list[int] = []
        self.rounds, self.left = 0, SHOW_AGAIN

    def protection(self) -> Protection:
        """The answer, after each pair of worlds was held once more against what is known at the end."""
        self._hide_what_helps()
        self._show_what_is_not_needed()
        shown = np.zeros(len(self.problem.values), dtype=bool)
        if not self.rule.midpoint:
            shown[self.problem.cell[~self.hidden[self.problem.row]]] = True
        unsafe = [cell for cell in sorted(self.targets) if shown[cell] or not self._is_safe(cell)]
        first = int(self.start.sum())
        second = int(self.hidden.sum()) - first
        return Protection(self.hidden, first, second, np.array(unsafe, dtype=np.intp), self.rounds)

    def _is_safe(self, cell: int) -> bool:
        pair = self.worlds.get(cell)
        if pair is None or apart(pair, cell) < self.least:
            return False
        lowest, highest = self._within(cell)
        if not all(lowest <= world.get(cell, 0) <= highest for world in pair):
            return False
        return all(holds(world, self.base, *self.known) for world in pair)

    def _steps(self, lower: Numbers, upper: Numbers) -> Limits:
        return np.ceil(lower) - self.base.truth, np.floor(upper) - self.base.truth

    # ------------------------------------------------------------ hide

    def _hide_what_helps(self) -> None:
        """Hides rows until each count is safe, or nothing would help it."""
        waiting = self._by_row(
            [cell for cell in self.targets if not self.hopeless[cell] and not self._walk(cell)]
        )
        together = min(max(1, len(waiting) // ONE_BY_ONE), TOGETHER)
        for start in range(0, len(waiting), together):
            some = [
                cell for each in waiting[start : start + together] for cell in each if not self._walk(cell)
            ]
            if some:
                self._help(some)

    def _by_row(self, cells: Sequence[int]) -> list[list[int]]:
        """Cells in groups that stand in one row, in the order of each group's first: one other row may guard all."""
        numbers = np.isin(self.problem.cell, cells)
        row_of = dict(
            zip(self.problem.cell[numbers].tolist(), self.problem.row[numbers].tolist(), strict=True)
        )
        groups: dict[int, list[int]] = {}
        for cell in cells:
            groups.setdefault(row_of.get(cell, -1 - cell), []).append(cell)
        return list(groups.values())

    def _walk(self, cell: int, **walks: int) -> bool:
        """Whether a count is safe, by what is known of it or by a walk."""
        if cell not in self.worlds and self._is_open(cell):
            pair = self.walker.pair(cell, self.least, within=self._within(cell), **walks)
            if pair is not None:
                self.worlds[cell] = pair
        return cell in self.worlds

    def _within(self, cell: int) -> tuple[float, float]:
        """How far a count may step away from the truth and be small still."""
        return float(self.supposed[0][cell]), float(self.supposed[1][cell])

    def _is_open(self, cell: int) -> bool:
        """Whether the sums, one after the other, leave a count wide enough; all of them together may not."""
        lowest, highest = self._within(cell)
        room = min(self.tight[1][cell], highest) - max(self.tight[0][cell], lowest)
        return bool(room >= self.least)

    def _help(self, cells: Sequence[int]) -> None:
        """Hides the cheapest rows that make some counts safe."""
        found = self._way_out(cells)
        if found is None:
            # Together they may ask for too much.
            for cell in cells:
                if len(cells) > 1:
                    self._help([cell])
                else:
                    self._help_by_neighbours(cell)
            return
        self._hide(found.rows)
        for cell in cells:
            if found.worlds is not None:
                self.worlds[cell] = found.worlds
            elif not self._walk(cell):
                self._help_in_whole_numbers(cell)

    def _help_in_whole_numbers(self, cell: int) -> None:
        found = self._way_out([cell], whole=True)
        if found is not None and found.worlds is not None:
            self._hide(found.rows)
            self.worlds[cell] = found.worlds
        else:
            self._help_by_neighbours(cell)

    def _help_by_neighbours(self, cell: int) -> None:
        """Hides rows of counts that stand in one sum with a count, the cheapest first, until a walk shows it safe.

        Plain and never out of time: for what the programmes did not settle. Rows that were not needed are shown again.
        """
        lines = self.problem.sums[:, [cell]].nonzero()[0]
        beside = np.unique(self.problem.sums[lines].nonzero()[1])
        numbers = np.isin(self.problem.cell, beside) & self._may_be_hidden()[self.problem.cell]
        rows = np.unique(self.problem.row[numbers & ~self.hidden[self.problem.row]])
        rows = rows[np.isfinite(self.problem.cost[rows])]
        for row in rows[np.argsort(self.problem.cost[rows], kind="stable")][:NEIGHBOURS]:
            self._hide(np.array([row]))
            if self._walk(cell):
                return

    def _way_out(self, cells: Sequence[int], *, whole: bool = False) -> Found | None:
        """The cheapest rows that make counts safe if hidden, and all that is hidden with them; None if none do."""
        room = supposing(Room(*self.known, *self.far), cells, *self.supposed)
        free = room.upper > room.lower
        movable = free | (self._may_be_hidden() & (room.far_upper > room.far_lower))
        elastic = elastic_cells(self.base, room)
        best, size = None, 0
        for most in (*REACH, len(free)):
            near, everything = around(self.base, cells, movable, most, free, elastic)
            if best is None and len(near) == size:
                continue
            size = len(near)
            for _ in range(LESSONS):
                self.rounds += 1
                found = nearest_worlds(self.base, near, cells, self.least, room, self._doors(), whole=whole)
                if found is None or not self._learn(found.rows):
                    break
                if len(near) > REACH[1]:
                    # What was learnt changes little: an answer is near the last one.
                    near, _ = around(self.base, [*cells, *found.moved], movable, REACH[1], free, elastic)
            if found is not None and best is not None and self._cost(found) >= self._cost(best):
                return best
            best = best if found is None else found
            if everything or (best is not None and (whole or len(best.rows) <= FEW_ROWS or most >= FAR)):
                return best
        return best

    def _cost(self, found: Found) -> float:
        return float(self.problem.cost[found.rows].sum())

    def _may_be_hidden(self) -> Flags:
        """Cells of which every row that shows them may be hidden."""
        flags = np.ones(len(self.problem.values), dtype=bool)
        must = ~self.hidden & ~np.isfinite(self.problem.cost)
        flags[self.problem.cell[must[self.problem.row]]] = False
        return flags

    def _doors(self) -> Doors:
        numbers = ~self.hidden[self.problem.row] & self._may_be_hidden()[self.problem.cell]
        leader, follower = np.array(self.leader, dtype=np.intp), np.array(self.follower, dtype=np.intp)
        news = ~self.hidden[follower]
        return Doors(
            cell=self.problem.cell[numbers],
            row=self.problem.row[numbers],
            cost=self.problem.cost,
            leader=leader[news],
            follower=follower[news],
        )

    def _learn(self, rows: Cells) -> bool:
        """Remembers what must be hidden with some rows; whether that is news."""
        before = len(self.leader)
        for row in set(rows.tolist()) - set(self.leader):
            alone = self.hidden.copy()
            alone[row] = True
            followers = np.flatnonzero(self.close(alone) & ~alone).tolist()
            self.leader += [row] * len(followers)
            self.follower += followers
        return len(self.leader) > before

    def _hide(self, rows: Cells) -> None:
        flags = self.hidden.copy()
        flags[rows] = True
        self._set(self.close(flags))

    def _set(self, hidden: Flags, *, narrower: bool = False) -> Cells:
        """Takes other rows as hidden; the cells of which a reader knows less or more now.

        narrower : fewer rows are hidden than before, so that what followed from sums still does.
        """
        lower, upper = known(self.problem, hidden, self.rule)
        now = self._steps(lower, upper)
        changed = _differ(now, self.known)
        if narrower:
            lower = np.maximum(lower, self.tight[0] + self.base.truth)
            upper = np.minimum(upper, self.tight[1] + self.base.truth)
        since = changed if narrower else None
        tight = self._steps(*tighten(self.base.by_sum, self.base.by_cell, lower, upper, since))
        self._take(hidden, now, tight)
        return changed

    def _take(self, hidden: Flags, now: Limits, tight: Limits) -> None:
        self.walker.limit(*tight, _differ(tight, self.tight))
        self.hidden, self.known, self.tight = hidden, now, tight

    # ------------------------------------------------------------ show again

    def _show_what_is_not_needed(self) -> None:
        """Shows rows of the second step again where every count stays safe, the most costly first, twice over."""
        for _ in range(2):
            besides = np.flatnonzero(self.hidden & ~self.start)
            shown = False
            for row in besides[np.argsort(-self.problem.cost[besides], kind="stable")].tolist():
                if self.hidden[row]:
                    followers = self._hidden_only_with(row)
                    shown |= self._show([row, *followers]) or (bool(followers) and self._show([row]))
            if not shown:
                return

    def _hidden_only_with(self, row: int) -> list[int]:
        """Rows of the second step that are hidden because one is, and for nothing else."""
        alone = self.start.copy()
        alone[row] = True
        followers = self.close(alone) & ~alone
        rest = self.hidden & ~followers
        rest[row] = False
        return np.flatnonzero(followers & self.hidden & ~self.close(rest)).tolist()

    def _show(self, rows: Sequence[int]) -> bool:
        """Shows rows again if every count stays safe; whether it did."""
        trial = self.hidden.copy()
        trial[rows] = False
        if (self.close(trial) != trial).any():
            return False
        before, worlds = (self.hidden, self.known, self.tight), dict(self.worlds)
        in_doubt = self._without_proof(self._set(trial, narrower=True))
        for cell in in_doubt:
            del self.worlds[cell]
        if all(map(self._is_open, in_doubt)) and all(map(self._is_still_safe, in_doubt)):
            return True
        self.worlds = worlds
        self._take(*before)
        return False

    def _without_proof(self, changed: Cells) -> list[int]:
        """Counts whose worlds break the limits of cells that changed."""
        limits = {cell: (self.known[0][cell], self.known[1][cell]) for cell in changed.tolist()}

        def breaks(world: World) -> bool:
            return any(not low <= world.get(cell, 0) <= high for cell, (low, high) in limits.items())

        return [cell for cell, pair in self.worlds.items() if any(map(breaks, pair))]

    def _is_still_safe(self, cell: int) -> bool:
        """Whether a short walk finds other worlds for a count, or a programme, of which SHOW_AGAIN are asked in all."""
        if self._walk(cell, tries=SHORT_WALKS, longest=SHORT_WALK):
            return True
        if self.left <= 0:
            return False
        self.left -= 1
        pair = wide_pair(self.base, *self.tight, cell, self.least, near=REACH[:2], within=self._within(cell))
        if pair is not None:
            self.worlds[cell] = pair
        return pair is not None


def _differ(now: Limits, before: Limits) -> Cells:
    """Cells whose limits are not what they were."""
    return np.flatnonzero((now[0] != before[0]) | (now[1] != before[1]))
