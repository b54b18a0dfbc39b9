"""A reader who wants the hidden numbers: what follows from released tables and from nothing else.

Written apart from `equitydata.release`, from what is public: the rule, the meaning of the tables, the lists of
categories. It names every count that a table shows or hides (`attacker_tables`), writes down each sum and inequality
that must hold among them (`attacker_laws`), and asks linear and integer programming for the lowest and the highest
value that a hidden count can have. It knows the tables; the truth is known to the judge alone.

    knowledge = Knowledge.of(released)                 counts with their bounds, and the laws among them
    truth = true_counts(tables, released)              what the judge knows
    attack(knowledge, small_hidden(knowledge, truth))  the counts that are worked out too closely, and by which laws
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import LinearConstraint, linprog, milp
from scipy.sparse import coo_array, csr_array, vstack
from scipy.sparse.csgraph import connected_components

from attacker_laws import Knowledge, Law
from attacker_tables import INF, Key, Reader, Rule, is_stratum

# ---------------------------------------------------------------- the attack


@dataclass(frozen=True)
class Broken:
    """A hidden count that the reader works out too closely.

    low, high : what it can be. cells : where it stands. equations : what gives it away, the shortest set found.
    """

    key: Key
    low: float
    high: float
    cells: tuple[str, ...]
    equations: tuple[str, ...]

    def __str__(self) -> str:
        words = "\n    ".join(self.equations)
        return f"{self.key} is {self.low:g} to {self.high:g} ({'; '.join(self.cells)})\n    {words}"


class InconsistentError(Exception):
    """No counts at all agree with what is written: the reader has misread, or the tables contradict each other."""


@dataclass
class Solver:
    """Bounds and laws as arrays, and the ranges that follow."""

    knowledge: Knowledge
    seed: int = 0

    def __post_init__(self) -> None:
        k = self.knowledge
        if k.contradictions:
            raise InconsistentError("; ".join(k.contradictions[:5]))
        self.low, self.high = np.array(k.low), np.array(k.high)
        self.whole = np.array(k.whole, dtype=bool)
        self.first = (self.low.copy(), self.high.copy())
        rows = np.repeat(np.arange(len(k.laws)), [len(law.terms) for law in k.laws])
        columns = np.array([at for law in k.laws for at, _ in law.terms], dtype=np.intp)
        values = np.array([value for law in k.laws for _, value in law.terms])
        self.rows, self.columns, self.values = rows.astype(np.intp), columns, values
        self.law_low = np.array([law.low for law in k.laws])
        self.law_high = np.array([law.high for law in k.laws])
        self._narrow()
        self.blocks, self.block_of = self._split()

    # ------------------------------------------------------------ bounds

    def _narrow(self, rounds: int = 60) -> None:
        """Each count within what the others of its law leave it, until nothing narrows."""
        if not len(self.rows):
            return
        for _ in range(rounds):
            before = (
                self.high.sum(where=np.isfinite(self.high)) - self.low.sum(),
                np.isfinite(self.high).sum(),
            )
            self._narrow_once()
            if (self.low > self.high + 1e-6).any():
                at = int(np.flatnonzero(self.low > self.high + 1e-6)[0])
                key = next(key for key, place in self.knowledge.place.items() if place == at)
                raise InconsistentError(f"no value is left for {key}")
            after = self.high.sum(where=np.isfinite(self.high)) - self.low.sum(), np.isfinite(self.high).sum()
            if after == before:
                return

    def _narrow_once(self) -> None:
        rows, columns, values, laws = self.rows, self.columns, self.values, len(self.law_low)
        up = values > 0
        least = values * np.where(up, self.low[columns], self.high[columns])
        most = values * np.where(up, self.high[columns], self.low[columns])
        with np.errstate(invalid="ignore"):
            found = []
            for sides, limit in ((least, self.law_high), (most, self.law_low)):
                open_ended = ~np.isfinite(sides)
                closed = np.where(open_ended, 0.0, sides)
                total = np.bincount(rows, closed, laws)
                openings = np.bincount(rows, open_ended, laws)
                others_closed = openings[rows] - open_ended == 0
                left = np.where(others_closed, limit[rows] - (total[rows] - closed), np.nan) / values
                found.append(left)
        upper = np.where(up, found[0], found[1])
        lower = np.where(up, found[1], found[0])
        whole = self.whole[columns]
        upper = np.where(whole, np.floor(upper + 1e-6), upper + 1e-7)
        lower = np.where(whole, np.ceil(lower - 1e-6), lower - 1e-7)
        np.fmin.at(self.high, columns, np.where(np.isnan(upper), INF, upper))
        np.fmax.at(self.low, columns, np.where(np.isnan(lower), -INF, lower))
        self.high = np.where(~self.whole & (self.high < self.low), self.low, self.high)

    def _split(self) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
        """Independent blocks: laws that bounds do not settle, joined by counts that are not fixed."""
        size, laws = len(self.low), len(self.law_low)
        open_count = self.high - self.low > 1e-9
        up = self.values > 0
        sides = [
            np.bincount(
                self.rows,
                self.values
                * np.where(up == first, self.low[self.columns], np.minimum(self.high[self.columns], 1e12)),
                laws,
            )
            for first in (True, False)
        ]
        settled = (sides[0] >= self.law_low - 1e-6) & (sides[1] <= self.law_high + 1e-6)
        used = open_count[self.columns] & ~settled[self.rows]
        graph = coo_array(
            (np.ones(used.sum()), (self.rows[used], laws + self.columns[used])),
            shape=(laws + size, laws + size),
        )
        _, label = connected_components(graph, directed=False)
        order_laws, order_counts = label[:laws], label[laws:]
        blocks, block_of = [], np.full(size, -1)
        live = np.unique(order_laws[np.unique(self.rows[used])]) if used.any() else []
        by_law, by_count = (
            pd.Series(np.arange(len(each))).groupby(each).indices for each in (order_laws, order_counts)
        )
        for name in live:
            block_of[by_count[name]] = len(blocks)
            blocks.append((by_law[name], by_count[name]))
        return blocks, block_of

    # ------------------------------------------------------------ ranges

    def ranges(
        self, keys: Iterable[Key], *, guess: bool, patience: int = 6
    ) -> dict[Key, tuple[float, float]]:
        """Lowest and highest value of each count, exact where it is broken.

        guess : the reader supposes that the count is small, 1 to the limit of the rule; those that cannot be are left
        out. Counts whose range is wide enough are told as far as it was seen.
        """
        k = self.knowledge
        places = {key: k.place[key] for key in keys}
        found: dict[Key, tuple[float, float]] = {}
        waiting: dict[int, list[Key]] = defaultdict(list)
        for key, at in places.items():
            low, high = self._guessed(float(self.low[at]), float(self.high[at]), guess)
            if low > high or high < 1:  # it cannot be small, and the rule does not protect it
                continue
            found[key] = (low, high)
            if high - low >= k.rule.least_range and self.block_of[at] >= 0:
                waiting[int(self.block_of[at])].append(key)
        for block, names in waiting.items():
            found |= self._ranges_of(block, names, guess, patience)
        return {key: (low, high) for key, (low, high) in found.items() if low <= high}

    def _guessed(self, low: float, high: float, guess: bool) -> tuple[float, float]:
        return (max(low, 1.0), min(high, float(self.knowledge.rule.hide_up_to))) if guess else (low, high)

    def _ranges_of(
        self, block: int, keys: list[Key], guess: bool, patience: int
    ) -> dict[Key, tuple[float, float]]:
        """Ranges within one block: seen together as far as that goes, then one by one.

        In a small block only whole numbers count: a range that fractions alone make wide is looked at again.
        """
        task = _Task.of(self, *self.blocks[block])
        at = np.array([task.at[self.knowledge.place[key]] for key in keys])
        seen = _Seen(task, at, guess, self.knowledge.rule, np.random.default_rng(self.seed))
        seen.look(patience, whole=False)
        narrow = seen.one_by_one(~seen.wide(), whole=False)
        if task.integer:
            open_still = np.array([place not in narrow for place in range(len(at))])
            seen.look(patience, whole=True, among=open_still)
            narrow |= seen.one_by_one(open_still & ~seen.wide(whole=True), whole=True)
        ends = seen.ends(whole=task.integer)
        return {key: narrow.get(place, ends[place]) for place, key in enumerate(keys)}

    # ------------------------------------------------------------ why

    def equations_behind(self, key: Key, *, most: int = 12) -> tuple[str, ...]:
        """The laws that a linear programme needs to reach both ends of a range, with what is shown of their counts."""
        k, at = self.knowledge, self.knowledge.place[key]
        matrix = csr_array((self.values, (self.rows, self.columns)), shape=(len(k.laws), len(k.low)))
        laws = np.arange(len(k.laws))
        equal = self.law_low == self.law_high
        above, below = laws[~equal & np.isfinite(self.law_high)], laws[~equal & np.isfinite(self.law_low)]
        names = {place: name for name, place in k.place.items()}
        words: dict[str, None] = {}
        for sign in (1.0, -1.0):
            aim = np.zeros(len(k.low))
            aim[at] = sign
            found = linprog(
                aim,
                A_ub=vstack([matrix[above], -matrix[below]]),
                b_ub=np.concatenate([self.law_high[above], -self.law_low[below]]),
                A_eq=matrix[equal],
                b_eq=self.law_low[equal],
                bounds=np.column_stack(self.first),
                method="highs",
            )
            if found.x is None:
                continue
            weights = np.concatenate([found.eqlin.marginals, found.ineqlin.marginals])
            order = np.concatenate([laws[equal], above, below])
            for place in np.argsort(-np.abs(weights), kind="stable"):
                if abs(weights[place]) > 1e-7:
                    words[self._written(k.laws[order[place]], names)] = None
        return tuple(list(words)[:most])

    def _written(self, law: Law, names: Mapping[int, Key]) -> str:
        def term(at: int, coefficient: float) -> str:
            low, high = self.first[0][at], self.first[1][at]
            size = f"{low:g}" if low == high else f"{low:g}..{high:g}"
            sign = "+" if coefficient > 0 else "-"
            factor = "" if abs(coefficient) == 1 else f"{abs(coefficient):g} "
            name = names[at]
            word = f"{name[2]} {name[5]}" if is_stratum(name) else " ".join(str(each) for each in name[1:])
            return f"{sign}{factor}{word}[{size}]"

        shown = " ".join(term(*each) for each in law.terms[:14]) + (" ..." if len(law.terms) > 14 else "")
        return f"{law.why}: {law.low:g} <= {shown} <= {law.high:g}"


@dataclass
class _Task:
    """One block as a programme: matrix, bounds, and which counts are whole numbers."""

    matrix: csr_array
    law_low: np.ndarray
    law_high: np.ndarray
    low: np.ndarray
    high: np.ndarray
    whole: np.ndarray
    at: dict[int, int]
    integer: bool

    @classmethod
    def of(cls, solver: Solver, laws: np.ndarray, counts: np.ndarray, *, integer_up_to: int = 4000) -> _Task:
        inside = np.full(len(solver.low), -1)
        inside[counts] = np.arange(len(counts))
        law_place = np.full(len(solver.law_low), -1)
        law_place[laws] = np.arange(len(laws))
        here = law_place[solver.rows] >= 0
        rows, columns, values = law_place[solver.rows[here]], solver.columns[here], solver.values[here]
        fixed = inside[columns] < 0
        shift = np.bincount(rows[fixed], values[fixed] * solver.low[columns[fixed]], len(laws))
        matrix = csr_array(
            (values[~fixed], (rows[~fixed], inside[columns[~fixed]])), shape=(len(laws), len(counts))
        )
        return cls(
            matrix,
            solver.law_low[laws] - shift,
            solver.law_high[laws] - shift,
            solver.low[counts],
            # Without an end a programme would not stop; nothing hidden is so large.
            np.minimum(solver.high[counts], 1e7),
            solver.whole[counts],
            {int(count): place for place, count in enumerate(counts)},
            integer=len(counts) <= integer_up_to,
        )

    def turns(self, at: np.ndarray) -> np.ndarray:
        """A sign for each of some counts, so that two of one law are pushed in different ways where that goes."""
        place = {int(count): number for number, count in enumerate(at)}
        signs = np.zeros(len(at))
        sizes = np.diff(self.matrix.indptr)
        for law in np.argsort(sizes, kind="stable"):
            ends = slice(self.matrix.indptr[law], self.matrix.indptr[law + 1])
            here = [
                (place[int(count)], np.sign(value))
                for count, value in zip(self.matrix.indices[ends], self.matrix.data[ends], strict=True)
                if int(count) in place
            ]
            balance = sum(signs[number] * value for number, value in here)
            for number, value in here:
                if not signs[number]:
                    signs[number] = -value if balance > 0 else value
                    balance += signs[number] * value
        return np.where(signs == 0, 1.0, signs)

    def all_whole(self, point: np.ndarray) -> bool:
        """Whether a point counts in whole numbers."""
        return bool((np.abs(point - np.round(point))[self.whole] < 1e-5).all())

    def solve(
        self,
        aim: np.ndarray,
        *,
        whole: bool,
        gap: float = 0.0,
        box: tuple[int, float, float] | None = None,
    ) -> np.ndarray:
        """Counts that agree with everything and make the aim least.

        gap : how far from the least a point of whole numbers may lie. box : one count, and where it is supposed to lie.
        """
        low, high = self.low, self.high
        if box is not None:
            low, high = low.copy(), high.copy()
            low[box[0]], high[box[0]] = max(box[1], low[box[0]]), min(box[2], high[box[0]])
        found = milp(
            aim,
            constraints=LinearConstraint(self.matrix, self.law_low - 1e-7, self.law_high + 1e-7),
            bounds=(low, high),
            integrality=self.whole.astype(int) if whole else None,
            options={"time_limit": 20.0, "mip_rel_gap": gap} if whole else {},
        )
        if found.x is None:
            raise InconsistentError(f"no counts agree with everything: {found.message}")
        solution: np.ndarray = found.x
        return solution


@dataclass
class _Seen:
    """The values that some counts of a block were seen to take in possible worlds."""

    task: _Task
    at: np.ndarray
    guess: bool
    rule: Rule
    chance: np.random.Generator

    def __post_init__(self) -> None:
        size = len(self.at)
        self.low = {whole: np.full(size, INF) for whole in (False, True)}
        self.high = {whole: np.full(size, -INF) for whole in (False, True)}

    def ends(self, *, whole: bool = False) -> list[tuple[float, float]]:
        """The lowest and the highest value seen of each."""
        pairs = zip(self.low[whole], self.high[whole], strict=True)
        return [self._guessed(float(low), float(high)) for low, high in pairs]

    def _guessed(self, low: float, high: float) -> tuple[float, float]:
        return (max(low, 1.0), min(high, float(self.rule.hide_up_to))) if self.guess else (low, high)

    def wide(self, *, whole: bool = False) -> np.ndarray:
        """Which were seen as far apart as the rule wants."""
        return np.array([high - low >= self.rule.least_range - 1e-6 for low, high in self.ends(whole=whole)])

    def look(self, patience: int, *, whole: bool, among: np.ndarray | None = None) -> None:
        """Push those that are not wide yet to either side, all at once, until nothing more is seen."""
        among = np.full(len(self.at), True) if among is None else among
        turns = self.task.turns(self.at)
        signs = [turns, -turns, np.ones(len(self.at)), -np.ones(len(self.at))]
        idle = 0
        while idle < patience:
            waiting = among & ~self.wide(whole=whole)
            if not waiting.any():
                return
            sign = signs.pop(0) if signs else self.chance.choice([-1.0, 1.0], len(self.at))
            aim = np.zeros(len(self.task.low))
            aim[self.at[waiting]] = sign[waiting]
            self._note(self.task.solve(aim, whole=whole, gap=0.2))
            idle = idle + 1 if (among & ~self.wide(whole=whole)).sum() == waiting.sum() and not signs else 0

    def _note(self, point: np.ndarray) -> None:
        near = np.round(point)
        point = np.where(np.abs(point - near) < 1e-5, near, point)
        for whole in (False, True) if self.task.all_whole(point) else (False,):
            self.low[whole] = np.fmin(self.low[whole], point[self.at])
            self.high[whole] = np.fmax(self.high[whole], point[self.at])

    def one_by_one(self, which: np.ndarray, *, whole: bool) -> dict[int, tuple[float, float]]:
        """The exact range of some of them, where it is narrower than the rule wants."""
        found = {}
        for place in np.flatnonzero(which):
            count = int(self.at[place])
            box = (count, *self._guessed(self.task.low[count], self.task.high[count]))
            aim = np.zeros(len(self.task.low))
            aim[count] = 1.0
            try:
                points = [self.task.solve(sign * aim, whole=whole, box=box) for sign in (1.0, -1.0)]
            except InconsistentError:  # it cannot be small, and the rule does not protect it
                continue
            for point in points:
                self._note(point)
            ends = [float(point[count]) for point in points]
            if self.task.whole[count]:
                ends = [float(np.ceil(ends[0] - 1e-5)), float(np.floor(ends[1] + 1e-5))]
            if ends[1] - ends[0] < self.rule.least_range - 1e-6:
                found[int(place)] = (ends[0], ends[1])
        return found


def attack(
    knowledge: Knowledge, keys: Iterable[Key] | None = None, *, guess: bool = True, explain: int = 3
) -> list[Broken]:
    """The hidden counts that the reader works out more closely than the rule allows.

    keys : those to attack; all hidden ones where left out. guess : the reader supposes that each is small.
    explain : for so many of them the equations are told.
    """
    wanted = knowledge.hidden_counts() if keys is None else list(keys)
    solver = Solver(knowledge)
    broken = []
    for key, (low, high) in solver.ranges(wanted, guess=guess).items():
        if high - low < knowledge.rule.least_range - 1e-6:
            equations = solver.equations_behind(key) if len(broken) < explain else ()
            cells = tuple(
                f"{cell.table} row {cell.row} {cell.column}" for cell in knowledge.stands.get(key, ())
            )
            broken.append(Broken(key, low, high, cells, equations))
    return broken


# ---------------------------------------------------------------- the judge, who knows the truth


def true_counts(true: Mapping[str, pd.DataFrame], released: Mapping[str, pd.DataFrame]) -> dict[Key, float]:
    """The true count behind every name that released tables give one.

    Raises AssertionError where two tables hold different counts under one name: the reader would have misread.
    """
    reader = Reader(released)
    truth: dict[Key, float] = {}
    for cell in Reader(true, reader.units, reader.folded).cells():
        if cell.value != cell.value:
            continue
        before = truth.setdefault(cell.key, float(cell.value))
        assert abs(before - cell.value) < 1e-6, (
            f"{cell.key} is {before} and {cell.value} ({cell.table} row {cell.row})"
        )
    return truth


def small_hidden(knowledge: Knowledge, truth: Mapping[Key, float]) -> list[Key]:
    """Hidden counts whose truth the rule protects."""
    return [key for key in knowledge.hidden_counts() if 1 <= truth.get(key, 0) <= knowledge.rule.hide_up_to]


def laws_broken_by(knowledge: Knowledge, truth: Mapping[Key, float]) -> list[str]:
    """Bounds and laws that the true counts do not keep: faults of the reader. Laws of unknown counts are left out."""
    found = []
    names = {place: key for key, place in knowledge.place.items()}
    for key, at in knowledge.place.items():
        value = truth.get(key)
        if value is not None and not knowledge.low[at] - 1e-6 <= value <= knowledge.high[at] + 1e-6:
            found.append(f"{key} is {value:g}, read as {knowledge.low[at]:g} to {knowledge.high[at]:g}")
    for law in knowledge.laws:
        values = [truth.get(names[at]) for at, _ in law.terms]
        if any(value is None for value in values):
            continue
        total = sum(
            coefficient * value
            for (_, coefficient), value in zip(law.terms, values, strict=True)
            if value is not None
        )
        if not law.low - 1e-6 <= total <= law.high + 1e-6:
            found.append(f"{law.why}: {total:g} is outside {law.low:g} to {law.high:g}")
    return found
