"""Counts shown in rows -> rows hidden besides, until no small count can be worked out too closely.

The numeric core of the audit: arrays in, arrays out. For each count whose range is too narrow, a linear programme finds
the cheapest rows without which two worlds (see `worlds`) leave it wide enough: those rows are hidden. At the end rows
that turn out not to be needed are shown again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from equitydata.release.feasible import tighten, wide_pair
from equitydata.release.worlds import (
    ALMOST,
    FAILED_WALKS,
    Cells,
    Doors,
    Flags,
    Found,
    Ground,
    Numbers,
    Pair,
    Room,
    Walker,
    World,
    apart,
    around,
    ground,
    holds,
    nearest_worlds,
)
from equitydata.rulebook import DisclosureRule

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Limits: TypeAlias = tuple[Numbers, Numbers]

ATTEMPTS = 12
AT_ONCE = 80  # counts in need that are looked at one by one; of more, some share a programme
MOST_TOGETHER = 6  # counts that share one
ACCEPT = 3
FAREST = 15_000  # cells that one programme looks over
SHOW_AGAIN = 400  # programmes spent on showing rows again, each over so many cells:
CLOSE = 600
TRIES = 3  # walks that fail, each way, before such a programme is asked


@dataclass(frozen=True)
class Problem:
    """What a release would show, as the audit sees it.

    values : (cells,) the true whole numbers, NaN where unknown. sums : (sums, cells) whole-number weights, sums @ values
    = 0. exact : (cells,) known to everyone as they are. sensitive : (cells,) count people or records.
    cell, row : the published numbers, that a cell is shown in a row; a row is hidden whole, and a cell is published if
    any of its rows is shown. rows : how many rows there are. cost : (rows,) what is lost when a row is hidden, infinite
    where it must be shown. lower, upper : (cells,) what earlier releases tell of each cell.
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

    hidden : (rows,). first, second : how many rows were hidden before, and how many besides. unsafe : small cells whose
    range stays too narrow, or could not be proved wide in time. rounds : programmes solved to find rows.
    """

    hidden: Flags
    first: int
    second: int
    unsafe: Cells
    rounds: int


def protected(problem: Problem, rule: DisclosureRule) -> Cells:
    """The cells that a rule protects: small counts of people or records that not everyone knows."""
    return np.flatnonzero(_small(problem.values, rule) & problem.sensitive & ~problem.exact)


def known(problem: Problem, hidden: Flags, rule: DisclosureRule) -> tuple[Numbers, Numbers]:
    """What a reader knows of each cell by itself: lower and upper, shape (cells,).

    A published cell lies in what its rounded number stands for, and one not published is supposed small if it is;
    what earlier releases tell is added. Raises ValueError where a published cell has no value.
    """
    shown = np.zeros(len(problem.values), dtype=bool)
    here = ~hidden[problem.row]
    written = here if problem.implied is None else here & ~problem.implied
    shown[problem.cell[written]] = True
    if np.isnan(problem.values[shown]).any():
        raise ValueError("A cell without a value cannot be published.")
    lower, upper = _behind_shown(problem.values, rule)
    small = _small(problem.values, rule) & problem.sensitive
    lower = np.where(shown, lower, np.where(small, _least_small(rule), 0.0))
    upper = np.where(shown, upper, np.where(small, float(rule.hide_up_to), np.inf))
    if problem.implied is not None and not rule.midpoint:
        said = np.zeros(len(problem.values), dtype=bool)
        said[problem.cell[here & problem.implied]] = True
        said &= ~shown & ~small
        nobody = said & (problem.values == 0)
        lower = np.where(said & ~nobody, rule.hide_up_to + 1.0, lower)
        upper = np.where(nobody, 0.0, upper)
    lower, upper = (np.where(problem.exact, problem.values, each) for each in (lower, upper))
    if problem.lower is not None:
        lower = np.fmax(lower, problem.lower)
    if problem.upper is not None:
        upper = np.fmin(upper, problem.upper)
    return lower, upper


def _least_small(rule: DisclosureRule) -> float:
    return 0.0 if rule.hide_zeros else 1.0


def _small(values: Numbers, rule: DisclosureRule) -> Flags:
    flags: Flags = (values >= _least_small(rule)) & (values <= rule.hide_up_to) & (rule.hide_up_to > 0)
    return flags


def _behind_shown(values: Numbers, rule: DisclosureRule) -> tuple[Numbers, Numbers]:
    """The lowest and highest count that is shown as each value is. 0 stands for itself where small counts are hidden."""
    base = float(rule.round_to)
    if rule.midpoint:
        upper = np.ceil(values / base) * base
        return np.where(values == 0, 0.0, upper - base + 1), upper
    rounded = np.floor(values / base + 0.5) * base
    lower, upper = rounded - np.floor(base / 2), rounded + np.floor((base - 1) / 2)
    lower = np.where(
        values > rule.hide_up_to, np.maximum(lower, rule.hide_up_to + 1.0), np.maximum(lower, 0.0)
    )
    nobody = (values == 0) & (upper <= rule.hide_up_to)
    return lower, np.where(nobody, 0.0, upper)


def protect(
    problem: Problem, hidden: Flags, rule: DisclosureRule, close: Callable[[Flags], Flags]
) -> Protection:
    """Hides rows until every protected cell keeps its least range, at the least cost that is found.

    hidden : (rows,) hidden already; rows that show a protected cell as it is join them. close : hidden rows -> those
    and all that must be hidden with them. Deterministic, but for programmes that run out of time. Raises ValueError where values, sums
    and earlier releases contradict each other.
    """
    targets = protected(problem, rule)
    open_small = np.zeros(problem.rows, dtype=bool)
    if not rule.midpoint:
        open_small[problem.row[np.isin(problem.cell, targets)]] = True
    start = close(hidden | (open_small & np.isfinite(problem.cost)))
    least = min(rule.least_range, rule.hide_up_to - int(_least_small(rule)))
    if not len(targets) or least <= 0:
        return Protection(start, int(start.sum()), 0, np.empty(0, dtype=np.intp), 0)
    # A count of few sums has few ways out, and its way may serve those of many.
    sums_of_each = np.bincount(problem.sums.indices, minlength=len(problem.values))
    order = targets[np.argsort(sums_of_each[targets], kind="stable")]
    found = []
    for number in range(ATTEMPTS):
        order = np.random.default_rng(number).permutation(order) if number else order
        audit = _Audit(problem, start, rule, close, order.tolist(), least)
        audit.hide_what_helps()
        audit.show_what_is_not_needed()
        found.append(audit.protection())
    return min(found, key=lambda each: (len(each.unsafe), problem.cost[each.hidden].sum()))


class _Audit:
    """One search: hidden rows, and two worlds for each count that is safe with them."""

    def __init__(
        self,
        problem: Problem,
        hidden: Flags,
        rule: DisclosureRule,
        close: Callable[[Flags], Flags],
        targets: Sequence[int],
        least: int,
    ) -> None:
        self.problem, self.rule, self.close, self.targets, self.least = problem, rule, close, targets, least
        self.start, self.hidden = hidden, hidden.copy()
        lower, upper = known(problem, hidden, rule)
        self.base: Ground = ground(problem.sums, problem.values, lower, upper)
        # How far each cell may step away from the truth: as it is known, as follows from sums, and if all were hidden.
        self.known = self._steps(lower, upper)
        self.tight = self._steps(*tighten(self.base.by_sum, self.base.by_cell, lower, upper))
        self.far = self._steps(*known(problem, np.ones(problem.rows, dtype=bool), rule))
        self.walker = Walker(self.base)
        self.walker.limit(*self.tight)
        self.worlds: dict[int, Pair] = {}
        self.unsafe: set[int] = set()
        self.rounds = 0
        self.left = SHOW_AGAIN
        self.cost = problem.cost.copy()
        self.leader: list[int] = []
        self.follower: list[int] = []

    def _steps(self, lower: Numbers, upper: Numbers) -> Limits:
        return np.ceil(lower) - self.base.truth, np.floor(upper) - self.base.truth

    def protection(self) -> Protection:
        """The answer, after each pair of worlds was held against what is shown at the end."""
        unsafe = [cell for cell in sorted(self.targets) if not self._is_safe(cell)]
        first = int(self.start.sum())
        return Protection(
            self.hidden, first, int(self.hidden.sum()) - first, np.array(unsafe, dtype=np.intp), self.rounds
        )

    def _is_safe(self, cell: int) -> bool:
        pair = self.worlds.get(cell)
        if pair is None or apart(pair, cell) < self.least:
            return False
        return all(holds(world, self.base, *self.known) for world in pair)

    # ------------------------------------------------------------ hide

    def hide_what_helps(self) -> None:
        """Hides rows until each count is safe, or nothing would help it."""
        waiting = [cell for cell in self.targets if not self._walk(cell)]
        together = min(max(1, len(waiting) // AT_ONCE), MOST_TOGETHER)
        while waiting:
            some: list[int] = []
            while waiting and len(some) < together:
                cell = waiting.pop(0)
                if not self._walk(cell):
                    some.append(cell)
            if some:
                self._help(some)

    def _walk(self, cell: int, *, tries: int = FAILED_WALKS) -> bool:
        if cell not in self.worlds and self._is_open(cell):
            pair = self.walker.pair(cell, self.least, tries=tries)
            if pair is not None:
                self.worlds[cell] = pair
        return cell in self.worlds

    def _is_open(self, cell: int) -> bool:
        """Whether no single sums, one after the other, leave a count too narrow."""
        return bool(self.tight[1][cell] - self.tight[0][cell] >= self.least)

    def _help(self, cells: Sequence[int]) -> None:
        found = self._way_out(cells)
        if found is None and len(cells) > 1:
            for cell in cells:
                self._help([cell])
            return
        if found is None:
            self.unsafe.update(cells)
            return
        self._hide(found.rows)
        for cell in cells:
            if found.worlds is not None:
                self.worlds[cell] = found.worlds
            elif not self._walk(cell):
                self._help_in_whole_numbers(cell)

    def _help_in_whole_numbers(self, cell: int) -> None:
        """A count that the linear programme thinks is safe, and no whole numbers show it."""
        found = self._way_out([cell], whole=True)
        if found is not None and found.worlds is not None:
            self._hide(found.rows)
            self.worlds[cell] = found.worlds
        else:
            self.unsafe.add(cell)

    def _way_out(self, cells: Sequence[int], *, whole: bool = False) -> Found | None:
        """The cheapest rows whose hiding makes counts safe, with what must be hidden with them; None where none do."""
        room = Room(*self.known, *self.far)
        movable = room.movable & ((room.upper > room.lower) | self._may_be_hidden())
        free = room.upper > room.lower
        found: Found | None = None
        for most in (CLOSE, FAREST):
            near, everything = around(self.base, cells, movable, most, free)
            for _ in range(4):
                self.rounds += 1
                found = nearest_worlds(self.base, near, cells, self.least, room, self._doors(), whole=whole)
                if found is None or not self._learn(found.rows):
                    break
            # What costs next to nothing is not to be had cheaper farther away.
            if everything or (found is not None and len(found.rows) <= ACCEPT):
                return found
        return found

    def _doors(self) -> Doors:
        open_numbers = ~self.hidden[self.problem.row] & self._may_be_hidden()[self.problem.cell]
        return Doors(
            cell=self.problem.cell[open_numbers],
            row=self.problem.row[open_numbers],
            cost=self.cost,
            leader=np.array(self.leader, dtype=np.intp),
            follower=np.array(self.follower, dtype=np.intp),
        )

    def _may_be_hidden(self) -> Flags:
        """Cells of which every row that shows them may be hidden."""
        flags = np.ones(len(self.problem.values), dtype=bool)
        must = ~self.hidden & ~np.isfinite(self.cost)
        flags[self.problem.cell[must[self.problem.row]]] = False
        return flags

    def _learn(self, rows: Cells) -> bool:
        """Remembers what must be hidden with some rows; whether that is news."""
        news = False
        for row in rows.tolist():
            if row in self.leader:
                continue
            alone = self.hidden.copy()
            alone[row] = True
            for other in np.flatnonzero(self.close(alone) & ~alone).tolist():
                self.leader.append(row)
                self.follower.append(other)
                news = True
        return news

    def _hide(self, rows: Iterable[int]) -> None:
        flags = self.hidden.copy()
        flags[np.asarray(rows, dtype=np.intp)] = True
        self._set(self.close(flags))

    def _set(self, hidden: Flags, *, narrower: bool = False) -> Cells:
        """Takes other rows as hidden; the cells of which a reader knows less or more now.

        narrower : fewer rows are hidden than before, so that what was known of cells goes on.
        """
        lower, upper = known(self.problem, hidden, self.rule)
        now = self._steps(lower, upper)
        changed = _differ(now, self.known)
        cells = None
        if narrower:
            lower = np.fmax(lower, self.tight[0] + self.base.truth)
            upper = np.fmin(upper, self.tight[1] + self.base.truth)
            cells = changed
        tight = self._steps(*tighten(self.base.by_sum, self.base.by_cell, lower, upper, cells))
        self._take(hidden, now, tight)
        return changed

    def _take(self, hidden: Flags, now: Limits, tight: Limits) -> None:
        self.walker.limit(*tight, _differ(tight, self.tight))
        self.hidden, self.known, self.tight = hidden, now, tight

    # ------------------------------------------------------------ show again

    def show_what_is_not_needed(self) -> None:
        """Shows rows of the second step again where every count stays safe, the most costly first."""
        for _ in range(2):
            besides = np.flatnonzero(self.hidden & ~self.start)
            order = besides[np.argsort(-self.problem.cost[besides], kind="stable")].tolist()
            shown = False
            for row in order:
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
        changed = self._set(trial, narrower=True)
        in_doubt = self._no_longer_shown_safe(changed)
        for cell in in_doubt:
            del self.worlds[cell]
        if all(self._is_open(cell) for cell in in_doubt) and all(
            self._walk(cell, tries=TRIES) or self._is_wide(cell) for cell in in_doubt
        ):
            return True
        self.worlds = worlds
        self._take(*before)
        return False

    def _no_longer_shown_safe(self, changed: Cells) -> list[int]:
        """Counts whose worlds break the limits of some cells."""
        limits = {cell: (self.known[0][cell], self.known[1][cell]) for cell in changed.tolist()}

        def breaks(world: World) -> bool:
            return any(
                not low <= world[cell] <= high for cell, (low, high) in limits.items() if cell in world
            )

        return [cell for cell, pair in self.worlds.items() if any(map(breaks, pair))]

    def _is_wide(self, cell: int) -> bool:
        """Whether a programme finds worlds for a count as the rows are now; no more than SHOW_AGAIN are asked."""
        if self.left <= 0:
            return False
        self.left -= 1
        pair = wide_pair(self.base, *self.tight, cell, self.least, near=(CLOSE,))
        if pair is not None:
            self.worlds[cell] = pair
        return pair is not None


def _differ(now: Limits, before: Limits) -> Cells:
    """Cells whose limits are not what they were."""
    return np.flatnonzero((now[0] != before[0]) | (now[1] != before[1]))
