"""Counts by name -> what must hold among them: levels, parents, margins, periods, nested measures, digits.

The laws are those that the meaning of the tables gives to any reader. None rests on how numbers were hidden, but one:
a row that is shown holds no small count, and no small remainder of its denominator.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from attacker_tables import (
    COUNTED_STATUSES,
    CROSS,
    CROSS_CATEGORY,
    INF,
    KNOWN,
    NHS,
    WHOLE,
    Cell,
    Key,
    Reader,
    Rule,
    holders,
    is_stratum,
    level_of,
)
from equitydata import codelists

Terms = list[tuple[Key, float]]


# ---------------------------------------------------------------- what must hold


@dataclass(frozen=True)
class Law:
    """low <= sum of coefficient x count <= high."""

    terms: tuple[tuple[int, float], ...]
    low: float
    high: float
    why: str


@dataclass
class Knowledge:
    """What a reader knows: counts by name with their bounds, where each stands, and the laws among them.

    shown : key -> cells. hidden : keys of counts in hidden rows. contradictions : numbers that do not go together.
    """

    rule: Rule
    place: dict[Key, int] = field(default_factory=dict)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    laws: list[Law] = field(default_factory=list)
    stands: dict[Key, list[Cell]] = field(default_factory=lambda: defaultdict(list))
    contradictions: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        tables: Mapping[str, pd.DataFrame],
        rule: Rule = NHS,
        *,
        exact: Mapping[Key, float] | None = None,
    ) -> Knowledge:
        """What released tables tell. exact : counts that are written somewhere as they are."""
        knowledge = cls(rule)
        reader = Reader(tables)
        for cell in reader.cells():
            knowledge._see(cell)
        knowledge._shown_complements(reader)
        for key, value in (exact or {}).items():
            knowledge.bound(key, value, value, "written exactly")
        _Laws(knowledge, reader).write()
        return knowledge

    # ------------------------------------------------------------ facts

    def count(self, key: Key) -> int:
        """The number of a count, which is made where it is new."""
        found = self.place.get(key)
        if found is None:
            found = self.place[key] = len(self.low)
            self.low.append(0.0)
            self.high.append(INF)
            self.whole.append("time" not in key)
        return found

    def bound(self, key: Key, low: float, high: float, why: str) -> None:
        """A count lies in a range."""
        at = self.count(key)
        if max(low, self.low[at]) > min(high, self.high[at]):
            self.contradictions.append(
                f"{key}: {why} says {low:g} to {high:g}, others {self.low[at]:g} to {self.high[at]:g}"
            )
            return
        self.low[at], self.high[at] = max(low, self.low[at]), min(high, self.high[at])

    def law(self, terms: Terms, low: float, high: float, why: str) -> None:
        """A sum of counts lies in a range."""
        together: dict[int, float] = defaultdict(float)
        for key, coefficient in terms:
            together[self.count(key)] += coefficient
        rest = tuple((at, coefficient) for at, coefficient in together.items() if coefficient)
        if rest:
            self.laws.append(Law(rest, low, high, why))

    def adds_up(self, parts: Sequence[Key], whole: Sequence[Key], why: str) -> None:
        """The parts make the whole, or the wholes together."""
        self.law([*((key, 1.0) for key in parts), *((key, -1.0) for key in whole)], 0.0, 0.0, why)

    def at_most(self, parts: Sequence[Key], whole: Sequence[Key], why: str) -> None:
        """The parts are no more than the wholes together."""
        self.law([*((key, 1.0) for key in parts), *((key, -1.0) for key in whole)], -INF, 0.0, why)

    def _see(self, cell: Cell) -> None:
        self.stands[cell.key].append(cell)
        at = self.count(cell.key)
        if cell.hidden or cell.column.endswith("complement") or cell.value != cell.value:
            return
        low, high = self.rule.behind(float(cell.value))
        if not self.whole[at]:  # person-time is rounded, and no small number
            half = self.rule.round_to / 2
            low, high = max(0.0, cell.value - half), cell.value + half
        self.bound(cell.key, low, high, f"{cell.table} row {cell.row} {cell.column}")

    def _shown_complements(self, reader: Reader) -> None:
        """What is left of a shown denominator is nothing, or no small number: else the row were hidden."""
        for key, cells in self.stands.items():
            for cell in cells:
                if cell.hidden or not cell.column.endswith("complement") or cell.value != cell.value:
                    continue
                # Two counts rounded to 5 lie at most 4 nearer to each other, or farther, than they are shown.
                slack = max(self.rule.round_to - 1, 0)
                least, most = max(0.0, cell.value - slack), cell.value + slack
                if most < self.rule.least_shown:
                    least = most = 0.0
                elif least > 0:
                    least = max(least, self.rule.least_shown)
                self.bound(key, least, most, f"{cell.table} row {cell.row} {cell.column}")

    def hidden_counts(self) -> list[Key]:
        """Counts that stand in a hidden row and are shown nowhere."""
        return [key for key, cells in self.stands.items() if any(cell.hidden for cell in cells)]


class _Laws:
    """Writes down every sum and inequality among the counts that are known by name."""

    def __init__(self, knowledge: Knowledge, reader: Reader) -> None:
        self.k, self.reader = knowledge, reader
        for key in [key for key in knowledge.place if key[0] == "held"]:
            knowledge.count(self._without_folded(key))
        # (pop, period, what) -> characteristic -> level -> category -> key
        self.strata: dict[Key, dict[str, dict[str, dict[str, Key]]]] = {}
        for key in list(knowledge.place):
            if is_stratum(key):
                pop, period, what, characteristic, level, category = key
                levels = self.strata.setdefault((pop, period, what), {}).setdefault(characteristic, {})
                levels.setdefault(level, {})[category] = key
        statuses = reader.tables.get("statuses")
        self.with_statuses = set() if statuses is None else set(statuses["characteristic"])

    def _without_folded(self, key: Key) -> Key:
        """The name of a group alone, which residents are counted in with others."""
        _, of, characteristic, level, category = key
        row = {"characteristic": characteristic, "level": level, "category": category, "status": KNOWN}
        return self.reader.stratum(of, "", "people" if of == "users" else "cases", row)

    def write(self) -> None:
        for where, characteristics in self.strata.items():
            for characteristic, levels in characteristics.items():
                if characteristic != "all":
                    self._levels(where, characteristic, levels)
            for characteristic, levels in characteristics.items():
                if CROSS in characteristic:
                    self._crossing(where, characteristic, levels)
        self._within_people()
        self._measures_within_users()
        self._periods()
        self._changes()
        self._places()
        self._statuses()
        self._completeness()
        self._representation()
        self._breakdown()
        self._points_of_care()
        self._verification()
        self._codes()
        self._figures()
        self._digits()

    # ------------------------------------------------------------ groups of one level

    def _levels(self, where: Key, characteristic: str, levels: Mapping[str, Mapping[str, Key]]) -> None:
        """Groups make those known, who make everyone with those of unknown group; finer groups make coarser ones."""
        of = f"{' '.join(filter(None, where))} by {characteristic}"
        unknown = [key for word, key in levels.get("", {}).items() if word.startswith("?") and word != "?"]
        crossed = CROSS in characteristic
        named = {
            level: {word: key for word, key in groups.items() if word[0] not in "?!" and word != KNOWN}
            for level, groups in levels.items()
            if level
        }
        for level, groups in named.items():
            known = (*where, characteristic, level if crossed else "", KNOWN)
            if groups and self._is_whole(where, characteristic, level):
                self.k.adds_up(list(groups.values()), [known], f"{of}: groups of {level} make those known")
            for word, key in levels[level].items():
                if word[0] == "!":
                    group = (*where, characteristic, level, word[1:])
                    self.k.adds_up([key, group], [known], f"{of}: {word[1:]} and its rest make those known")
            if crossed:
                few = levels[level].get("?few")
                self._everyone(where, known, [*unknown, *([few] if few else [])], of)
        known = (*where, characteristic, "", KNOWN)
        if not crossed:
            if unknown or self._lists_unknown(where, characteristic):
                self._everyone(where, known, unknown, of)
            elif known in self.k.place:
                self.k.at_most([known], [(*where, *WHOLE)], f"{of}: those known are among everyone")
        together = (*where, characteristic, "", "?")
        if together in self.k.place and (unknown or self._lists_unknown(where, characteristic)):
            self.k.adds_up(unknown, [together], f"{of}: people of unknown group")
        elif together in self.k.place:
            self._everyone(where, known, [together], of)
        for finer, fine in named.items():
            for coarser, coarse in named.items():
                if finer != coarser:
                    self._parents(of, characteristic, (finer, fine), (coarser, coarse))

    def _is_whole(self, where: Key, characteristic: str, level: str) -> bool:
        """Whether a level lists all of its groups: the wholes of tables do, single comparisons may not."""
        return any(
            cell.table in ("outcomes", "trends", "representation", "categories", "changes")
            for key in self.strata[where][characteristic][level].values()
            for cell in self.k.stands.get(key, ())
        )

    def _lists_unknown(self, where: Key, characteristic: str) -> bool:
        """Whether some table would list the people of unknown group, were there any."""
        return any(
            cell.table in ("outcomes", "trends", "representation", "statuses")
            for groups in self.strata[where][characteristic].values()
            for key in groups.values()
            for cell in self.k.stands.get(key, ())
        )

    def _everyone(self, where: Key, known: Key, unknown: Sequence[Key], of: str) -> None:
        self.k.adds_up([known, *unknown], [(*where, *WHOLE)], f"{of}: known and unknown make everyone")

    def _parents(
        self,
        of: str,
        characteristic: str,
        fine: tuple[str, Mapping[str, Key]],
        coarse: tuple[str, Mapping[str, Key]],
    ) -> None:
        families: dict[str, list[Key]] = defaultdict(list)
        for child, parent in holders(
            characteristic, fine[0], tuple(fine[1]), coarse[0], tuple(coarse[1])
        ).items():
            families[parent].append(fine[1][child])
        for parent, children in families.items():
            self.k.adds_up(children, [coarse[1][parent]], f"{of}: {fine[0]} groups make {parent}")

    def _crossing(self, where: Key, characteristic: str, levels: Mapping[str, Mapping[str, Key]]) -> None:
        """Cells of a crossing against the groups of either side; some people of a group are in no cell."""
        names = characteristic.split(CROSS)
        for level, groups in levels.items():
            sides = level.split(CROSS)
            cells = {
                word: key
                for word, key in groups.items()
                if len(word.split(CROSS_CATEGORY)) == 2 and word[0] not in "?!"
            }
            if len(names) != 2 or len(sides) != 2 or not cells:
                continue
            for side in (0, 1):
                other = self.strata[where].get(names[side], {}).get(level_of(names[side], sides[side]), {})
                margins: dict[str, list[Key]] = defaultdict(list)
                for word, key in cells.items():
                    margins[word.split(CROSS_CATEGORY)[side]].append(key)
                lost = []
                for group, parts in margins.items():
                    if group in other:
                        left = (*where, characteristic, level, f"lost {side} {group}")
                        of = " ".join(filter(None, where))
                        why = f"{of}: cells of {characteristic} make {group}, less those in no cell"
                        self.k.adds_up([*parts, left], [other[group]], why)
                        lost.append(left)
                # Who is in no cell is of unknown group on the other side, or of a group of few that is not crossed.
                others = self._unknown(where, names[1 - side])
                few = groups.get("?few")
                if side == 0 and few is not None:
                    others = None if others is None else [*others, few]
                if lost and others is not None:
                    self.k.at_most(
                        lost, others, f"{characteristic}: people in no cell are of unknown group or few"
                    )
                rare = [key for word, key in other.items() if word[0] not in "?!" and word not in margins]
                if side == 1 and few is not None and rare:
                    self.k.at_most(
                        [few], rare, f"{characteristic}: groups of few people are those that are not crossed"
                    )
                    first = self._unknown(where, names[0])
                    if first is not None:
                        self.k.at_most(
                            rare,
                            [few, *first],
                            f"{characteristic}: groups that are not crossed are few or unknown",
                        )
        crossed = {word: key for word, key in levels.get("", {}).items() if word[0] == "?"}
        for word, key in crossed.items():
            sides_unknown = [self.strata[where].get(name, {}).get("", {}).get(word) for name in names]
            if all(self._unknown(where, name) is not None for name in names):
                self.k.at_most(
                    [key],
                    [each for each in sides_unknown if each],
                    f"{characteristic}: unknown {word} on a side",
                )
                if sides_unknown[0] is not None:
                    self.k.at_most(
                        [sides_unknown[0]], [key], f"{characteristic}: unknown {word} on the first side"
                    )

    def _unknown(self, where: Key, characteristic: str) -> list[Key] | None:
        """Those of unknown group; None where no table lists them."""
        levels = self.strata[where].get(characteristic)
        if levels is None or not self._lists_unknown(where, characteristic):
            return None
        return [key for word, key in levels.get("", {}).items() if word[0] == "?" and word != "?"]

    # ------------------------------------------------------------ one count within another

    def _within_people(self) -> None:
        for key in list(self.k.place):
            if not is_stratum(key) or key[2] != "den":
                continue
            top, left, people, cases = (
                (*key[:2], what, *key[3:]) for what in ("num", "not", "people", "cases")
            )
            if top in self.k.place or left in self.k.place:
                self.k.adds_up([top, left], [key], f"{key}: met and not met")
            if people in self.k.place:
                self.k.at_most([people], [key], f"{key}: each person counts once at least")
            if cases in self.k.place:
                self.k.at_most([cases], [top], f"{key}: each case counts once at least")
                if people in self.k.place:
                    self.k.at_most([cases], [people], f"{key}: cases are people")
        for key in list(self.k.place):
            if len(key) == 5 and key[0] == "place" and key[4] == "den":
                top, left = (*key[:4], "num"), (*key[:4], "not")
                if top in self.k.place:
                    self.k.adds_up([top, left], [key], f"{key}: met and not met")

    def _measures_within_users(self) -> None:
        """Who counts in a measure is a user of the same group."""
        for key in list(self.k.place):
            if not is_stratum(key) or key[0] == "users" or key[1] or key[5].startswith(("!", "lost")):
                continue
            if key[2] == ("den" if self.reader.units.get(key[0]) == "people" else "people"):
                user = ("users", "", "people", *key[3:])
                if user in self.k.place:
                    self.k.at_most([key], [user], f"{key}: counted people are users")

    def _periods(self) -> None:
        """Contacts of all periods make those of the whole time; people, who may come in several, do not."""
        parts: dict[Key, list[Key]] = defaultdict(list)
        for key in self.k.place:
            if (
                is_stratum(key)
                and key[1]
                and key[1] != "first or last"
                and key[5][0] != "!"
                and "lost" not in key[5]
            ):
                parts[(key[0], "", *key[2:])].append(key)
        for whole, keys in parts.items():
            if whole not in self.k.place:
                continue
            people = self.reader.units.get(whole[0]) == "people" or whole[2] == "people"
            if not people:
                self.k.adds_up(keys, [whole], f"{whole}: its periods make the whole time")
                continue
            self.k.at_most([whole], keys, f"{whole}: everyone is of some period")
            if whole[2] in ("people", "den"):
                for key in keys:
                    self.k.at_most([key], [whole], f"{key}: people of a period are among all")

    def _changes(self) -> None:
        frame = self.reader.tables.get("changes")
        if frame is None:
            return
        for _, row, _ in self.reader.rows(frame):
            pop = str(row["measure"])
            first, last = (
                self.reader.stratum(pop, str(row[end]), "people", row)
                for end in ("first_period", "last_period")
            )
            either = self.reader.stratum(pop, "first or last", "people", row)
            either = (*either[:2], "people", *either[3:])
            if not {first, last, either} <= set(self.k.place):
                continue
            self.k.at_most([either], [first, last], f"{either}: seen in either period")
            for end in (first, last):
                self.k.at_most([end], [either], f"{either}: seen in one of them")

    def _places(self) -> None:
        found: dict[Key, list[Key]] = defaultdict(list)
        for key in self.k.place:
            if key[0] == "place":
                found[(key[1], key[2], key[4])].append(key)
        for (measure, by, what), keys in found.items():
            whole = (measure, "", what, *WHOLE)
            if what != "people" and whole in self.k.place:
                self.k.adds_up(keys, [whole], f"{measure}: places ({by}) make the whole")
            if what == "den" and self.reader.units.get(measure) == "people":
                for key in keys:
                    there = ("by", "", by, key[3], "people", "everyone")
                    if there in self.k.place:
                        self.k.at_most([key], [there], f"{key}: people of a place")

    # ------------------------------------------------------------ how well things are recorded

    def _statuses(self) -> None:
        frame = self.reader.tables.get("statuses")
        if frame is None:
            return
        for name, rows in frame.groupby("characteristic", sort=False):
            for unit in ("people", "records", "records_carried_back"):
                keys = {status: self.reader.status(unit, str(name), status) for status in rows["status"]}
                everyone = self.reader.everyone(unit)
                self.k.adds_up(list(keys.values()), [everyone], f"{name}: statuses of {unit} make all")
                if name not in self.reader.unlisted:
                    applies = self.reader.applicable(unit, str(name))
                    others = [key for status, key in keys.items() if status != "not_applicable"]
                    self.k.adds_up(others, [applies], f"{name}: those to whom it applies")
            # A record stands behind every person, and behind every status of a person.
            for status in rows["status"]:
                person, carried = (
                    self.reader.status(unit, str(name), status) for unit in ("people", "records_carried_back")
                )
                self.k.at_most([person], [carried], f"{name}: each person of status {status} has a record")
            known = [
                self.reader.status(unit, str(name), KNOWN) for unit in ("records", "records_carried_back")
            ]
            self.k.at_most([known[0]], [known[1]], f"{name}: a known record makes its person known")

    def _completeness(self) -> None:
        frame = self.reader.tables.get("completeness")
        keys = [key for key in self.k.place if key[0] == "met"]
        for key in keys:
            _, unit, name, measure = key
            if name != "joint" and measure in COUNTED_STATUSES and name in self.with_statuses:
                parts = [self.reader.status(unit, name, status) for status in COUNTED_STATUSES[measure]]
                self.k.adds_up(parts, [key], f"{name}: {measure} is made of statuses of {unit}")
        for key in list(self.k.place):
            if key[0] == "lacking":
                _, unit, name, measure = key
                everyone = self.reader.joint_base(unit, name)
                top = self.reader.met(unit, name, measure)
                self.k.adds_up(
                    [top, key], [everyone], f"{name}: {measure} and not make all to whom it applies"
                )
        self._nested_measures(frame)
        self._joint()
        self._detail()

    def _nested_measures(self, frame: pd.DataFrame | None) -> None:
        """Each measure is inside the one before it, whatever the statuses say."""
        order = ["populated", "valid", "asked", "known_or_declined", KNOWN, "detailed", "specific"]
        if frame is None:
            return
        for (name, unit), rows in frame.groupby(["characteristic", "unit"], sort=False):
            here = [
                self.reader.met(str(unit), str(name), measure)
                for measure in order
                if measure in set(rows["measure"])
            ]
            for outer, inner in pairwise(here):
                self.k.at_most([inner], [outer], f"{name}: measures of {unit} are nested")

    def _joint(self) -> None:
        for measure in (KNOWN, "known_or_declined"):
            joint = ("met", "people", "joint", measure)
            sides = [self.reader.met("people", name, measure) for name in ("ethnicity", "language")]
            if joint not in self.k.place or not set(sides) <= set(self.k.place):
                continue
            for side in sides:
                self.k.at_most([joint], [side], f"both {measure}: within each")
            if {"ethnicity", "language"} <= self.reader.unlisted:
                self.k.at_most(
                    sides,
                    [joint, self.reader.everyone("people")],
                    f"both {measure}: at least their sum less all",
                )

    def _detail(self) -> None:
        """People known in detail, and in detail and not as 'any other': sums of categories."""
        strata = self.strata.get(("users", "", "people"), {})
        for name in {key[2] for key in self.k.place if key[0] == "met"} - {"joint"}:
            level = {"deprivation": "decile"}.get(name, "detailed")
            groups = strata.get(name, {}).get(level, {})
            groups = {word: key for word, key in groups.items() if word[0] not in "?!" and word != KNOWN}
            if not groups or not self._is_whole(("users", "", "people"), name, level):
                continue
            try:
                listed = codelists.categories(name).set_index("category")
            except (KeyError, ValueError, OSError):
                continue
            broad, residual = (
                set(listed.index[listed["detail"] == "broad"]),
                set(listed.index[listed["residual"] == 1]),
            )
            for measure, out in (("detailed", broad), ("specific", broad | residual)):
                key = ("met", "people", name, measure)
                if key in self.k.place:
                    parts = [each for word, each in groups.items() if word not in out]
                    self.k.adds_up(parts, [key], f"{name}: categories make those {measure}")

    def _representation(self) -> None:
        """Groups that have residents make those who are compared; of a hidden row it may not be told."""
        frame = self.reader.tables.get("representation")
        if frame is None:
            return
        narrow = {(*key[:2], other) for key, others in self.reader.folded.items() for other in others}
        inside: dict[Key, tuple[list[Key], list[Key]]] = {}
        for _, row, hidden in self.reader.rows(frame):
            if row["status"] != KNOWN or CROSS in str(row["characteristic"]) or ": " in str(row["of"]):
                continue
            base, own = self.reader.compared(row), self.reader.resident_group(row)
            sure, perhaps = inside.setdefault(base, ([], []))
            if (row["characteristic"], row["level"], row["category"]) not in narrow:
                if row["residents"] == row["residents"] or (
                    not hidden and row["denominator"] == row["denominator"]
                ):
                    sure.append(own)
                elif hidden:
                    perhaps.append(own)
            left = (*base, str(row["category"]))
            if left in self.k.place:
                self.k.adds_up([own, left], [base], f"{own}: compared and not in the group")
            if own[0] == "held":
                plain = {**row, "status": KNOWN}
                what = "people" if row["of"] == "users" else "cases"
                parts = [
                    self.reader.stratum(str(row["of"]), "", what, {**plain, "category": each})
                    for each in (
                        row["category"],
                        *self.reader.folded[row["characteristic"], row["level"], row["category"]],
                    )
                ]
                self.k.adds_up(parts, [own], f"{own}: with the groups that residents are counted in")
        for base, (sure, perhaps) in inside.items():
            if base in self.k.place:
                self.k.at_most(sure, [base], f"{base}: groups with residents are compared")
                self.k.at_most(
                    [base], [*sure, *perhaps], f"{base}: who is compared is of a group with residents"
                )

    def _breakdown(self) -> None:
        frame = self.reader.tables.get("breakdown")
        names: dict[Key, list[Key]] = defaultdict(list)
        for key in list(self.k.place):
            if key[0] == "by":
                names[(key[1], key[2], key[4], key[5])].append(key)
                if key[5] == KNOWN:
                    self._one_group(key)
        if frame is None:
            self._needs_alone()
            return
        for (name, by, unit, what), keys in names.items():
            if what == KNOWN:
                whole = self.reader.met(unit, name, KNOWN) if name != "joint" else ("met", unit, name, KNOWN)
            elif what == "everyone":
                whole = self.reader.everyone(unit) if name == "" else self.reader.joint_base(unit, name)
            else:
                continue
            self.k.adds_up(keys, [whole], f"{name or 'all'}: groups by {by} make the whole ({unit}, {what})")
        self._own_dimensions()
        self._joint_by_group()

    def _one_group(self, key: Key) -> None:
        _, name, by, group, unit, _ = key
        shared = ("by", "", by, group, unit, "everyone")
        own = ("by", name, by, group, unit, "everyone")
        everyone = own if own in self.k.place else shared
        lacking = ("by", name, by, group, unit, "lacking")
        self.k.adds_up(
            [key, lacking], [everyone], f"{name} by {by} {group}: known and lacking make its {unit}"
        )

    def _needs_alone(self) -> None:
        """Sites add up to everyone without a known value."""
        found: dict[str, list[Key]] = defaultdict(list)
        for key in self.k.place:
            if key[0] == "by" and key[5] == "lacking" and key[2] == "site":
                found[key[1]].append(key)
        for name, keys in found.items():
            whole = ("lacking", "people", name, KNOWN)
            if whole in self.k.place:
                self.k.adds_up(keys, [whole], f"{name}: sites make all without a known value")

    def _own_dimensions(self) -> None:
        """Age bands, sexes and fifths of the breakdown are the groups of users themselves."""
        strata = self.strata.get(("users", "", "people"), {})
        sides = {
            "age_band": ("age", "band"),
            "sex": ("sex", "groups"),
            "deprivation": ("deprivation", "quintile"),
        }
        for key in list(self.k.place):
            if key[0] != "by" or key[2] not in sides or key[4] != "people" or key[5] != "everyone" or key[1]:
                continue
            name, level = sides[key[2]]
            word = f"Quintile {key[3][:1]}" if name == "deprivation" else key[3]
            if key[3] == "Not recorded":
                self.k.adds_up(
                    [key, ("users", "", "people", name, "", KNOWN)],
                    [self.reader.everyone("people")],
                    f"breakdown by {key[2]}: not recorded is what is not known",
                )
            for each in (level, "detailed"):
                user = strata.get(name, {}).get(each, {}).get(word)
                if user is not None:
                    self.k.adds_up(
                        [key], [user], f"breakdown by {key[2]}: {word} are the users of that group"
                    )

    def _joint_by_group(self) -> None:
        for key in list(self.k.place):
            if key[0] != "by" or key[1] != "joint" or key[5] != KNOWN:
                continue
            sides = [("by", name, *key[2:]) for name in ("ethnicity", "language")]
            if not set(sides) <= set(self.k.place):
                continue
            for side in sides:
                self.k.at_most([key], [side], f"both known by {key[2]} {key[3]}: within each")
            everyone = ("by", "", *key[2:5], "everyone")
            if everyone in self.k.place:
                self.k.at_most(
                    sides, [key, everyone], f"both known by {key[2]} {key[3]}: at least their sum less all"
                )

    def _points_of_care(self) -> None:
        for key in list(self.k.place):
            if key[0] != "point" or key[3] != KNOWN:
                continue
            everyone, lacking = ("point", "", key[2], "everyone"), (*key[:3], "lacking")
            self.k.adds_up([key, lacking], [everyone], f"{key[1]} at {key[2]}: known there and not")
        for key in list(self.k.place):
            if key[0] == "point" and key[3] == "everyone":
                latest = ("by", "", "point_of_care", key[2], "people", "everyone")
                if latest in self.k.place:
                    self.k.at_most([latest], [key], f"{key[2]}: the latest contact was there")
                records = ("by", "", "point_of_care", key[2], "records", "everyone")
                if records in self.k.place:
                    self.k.at_most([key], [records], f"{key[2]}: each person seen there has a record")

    def _verification(self) -> None:
        for key in list(self.k.place):
            if (
                key[0] != "verified"
                or str(key[2]).startswith(("not ", "of "))
                or key[2] in ("again", "compared")
            ):
                continue
            _, name, measure = key
            left = ("verified", name, f"not {measure}")
            if measure in ("repeated", "independent"):
                whole: Key = ("verified", name, "again")
            elif measure in ("agree_detailed", "agree_group"):
                whole = ("verified", name, "compared")
            elif measure in ("self_reported", "proxy", "other_source", "no_source"):
                whole = self.reader.status("records", name, KNOWN)
            else:
                whole = ("verified", name, f"of {measure}")
            self.k.adds_up([key, left], [whole], f"{name}: {measure} and not")
        for name in {key[1] for key in self.k.place if key[0] == "verified"}:
            keys = {
                word: ("verified", name, word)
                for word in ("repeated", "independent", "compared", "agree_detailed", "agree_group")
            }
            here = {word: key for word, key in keys.items() if key in self.k.place}
            for inner, outer in (
                ("independent", "repeated"),
                ("compared", "independent"),
                ("agree_detailed", "agree_group"),
            ):
                if {inner, outer} <= set(here):
                    self.k.at_most([here[inner]], [here[outer]], f"{name}: {inner} within {outer}")
            sources = [
                ("verified", name, word) for word in ("self_reported", "proxy", "other_source", "no_source")
            ]
            if set(sources) <= set(self.k.place):
                self.k.adds_up(
                    sources, [self.reader.status("records", name, KNOWN)], f"{name}: sources of known records"
                )
        self._agreement()

    def _agreement(self) -> None:
        found: dict[Key, list[Key]] = defaultdict(list)
        for key in list(self.k.place):
            if key[0] != "agreed":
                continue
            _, name, level, group = key
            found[(name, level)].append(key)
            if level in ("detailed", "group"):
                whole = ("agreed", name, "compared", group)
                self.k.adds_up(
                    [key, ("agreed", name, f"not {level}", group)], [whole], f"{name}: {group} agrees or not"
                )
                finer = ("agreed", name, "detailed", group)
                if level == "group" and finer in self.k.place:
                    self.k.at_most([finer], [key], f"{name}: {group} agreeing in detail agrees by group")
        for (name, level), keys in found.items():
            whole = (
                "verified",
                name,
                {"detailed": "agree_detailed", "group": "agree_group", "compared": "compared"}.get(level, ""),
            )
            if whole in self.k.place:
                self.k.adds_up(keys, [whole], f"{name}: groups make all that {level}")

    def _codes(self) -> None:
        found: dict[Key, list[Key]] = defaultdict(list)
        for key in self.k.place:
            if key[0] == "code":
                found[(key[1], key[2])].append(key)
        for (name, status), keys in found.items():
            whole = self.reader.status("records", name, status)
            self.k.adds_up(keys, [whole], f"{name}: recorded values make the records of {status}")

    def _figures(self) -> None:
        for key in list(self.k.place):
            if key[0] != "figure" or key[2] != "not":
                continue
            if key[1] == "ethnicity_detailed":
                top, bottom = (
                    self.reader.met("people", "ethnicity", "detailed"),
                    self.reader.status("people", "ethnicity", KNOWN),
                )
            else:
                top, bottom = ("figure", key[1], "num"), ("figure", key[1], "den")
            self.k.adds_up([top, key], [bottom], f"figure {key[1]}: met and not met")
        both = [self.reader.status("people", name, KNOWN) for name in ("ethnicity", "language")]
        if ("figure", "core_self_reported", "den") in self.k.place:
            self.k.adds_up(
                both, [("figure", "core_self_reported", "den")], "core_self_reported: known values of both"
            )
        if ("figure", "core_valid", "den") in self.k.place and {
            "ethnicity",
            "language",
        } <= self.with_statuses:
            missing = [self.reader.status("records", name, "missing") for name in ("ethnicity", "language")]
            self.k.law(
                [
                    (("figure", "core_valid", "den"), 1.0),
                    *((key, 1.0) for key in missing),
                    (("records used",), -2.0),
                ],
                0.0,
                0.0,
                "core_valid: recorded values are the records that are not missing",
            )

    # ------------------------------------------------------------ digits

    def _digits(self) -> None:
        """Shares that are printed with more digits than the shown counts account for."""
        self._of_changes()
        self._of_averages()

    def _ratio(self, top: Terms, bottom: Terms, value: float, half: float, why: str) -> None:
        """A share that lies within half a last digit of a value, as an inequality on either side."""

        def less(share: float) -> Terms:
            return [*top, *((key, -share * coefficient) for key, coefficient in bottom)]

        self.k.law(less(value + half), -INF, 0.0, f"{why}: at most {value + half:.6g}")
        self.k.law(less(value - half), 0.0, INF, f"{why}: at least {value - half:.6g}")

    def _tells(self, values: Sequence[float], tops: Sequence[float], bottoms: Sequence[float]) -> bool:
        """Whether a column of shares is worked out from other counts than those that are shown.

        One that does not follow from the shown counts tells that none of the column does.
        """
        shown, top, bottom = (np.asarray(each, dtype=float) for each in (values, tops, bottoms))
        with np.errstate(divide="ignore", invalid="ignore"):
            again = top / bottom
            known = np.isfinite(shown) & np.isfinite(again)
            size = 10.0 ** np.floor(np.log10(np.maximum(np.abs(shown), 1e-12)))
        return bool(
            (np.abs(shown - again)[known] > 0.51 * 10.0 ** (1 - _digits_of(values)) * size[known]).any()
        )

    def _middle(self, key: Key) -> float:
        """The count as it is shown somewhere."""
        values = [
            cell.value for cell in self.k.stands.get(key, ()) if not cell.hidden and cell.value == cell.value
        ]
        return float(values[0]) if values else np.nan

    def _of_changes(self) -> None:
        """The shares of the first and the last period, and their gaps to the rest, which stand beside the change."""
        frame = self.reader.tables.get("changes")
        if frame is None or "trends" not in self.reader.tables:
            return
        rows, gaps = [], []
        for place, row, hidden in self.reader.rows(frame):
            for end in ("first", "last"):
                pop, period = str(row["measure"]), str(row[f"{end}_period"])
                top, bottom = (self.reader.stratum(pop, period, what, row) for what in ("num", "den"))
                if hidden or not {top, bottom} <= set(self.k.place):
                    continue
                rows.append((top, bottom, row[end], f"changes row {place} {end}"))
                known = [self.reader.all_known(pop, period, what, row) for what in ("num", "den")]
                if top[4] and set(known) <= set(self.k.place):
                    gaps.append((rows[-1], known, row[f"gap_{end}"]))
        if not self._ratios(rows):
            return
        digits = _digits_of([row[2] for row in rows]), _digits_of([gap for _, _, gap in gaps])
        for (top, bottom, value, why), (known_top, known_bottom), gap in gaps:
            if np.isfinite(value) and np.isfinite(gap):
                half = _half(value, digits[0]) + _half(gap, digits[1])
                rest = [(known_top, 1.0), (top, -1.0)], [(known_bottom, 1.0), (bottom, -1.0)]
                self._ratio(*rest, value - gap, half, f"{why} of the rest")

    def _ratios(self, rows: Sequence[tuple[Key, Key, Any, str]]) -> bool:
        """Shares as inequalities, where they rest on other counts than those that are shown."""
        values = [float(row[2]) for row in rows]
        tops, bottoms = ([self._middle(row[place]) for row in rows] for place in (0, 1))
        tells = bool(rows) and self._tells(values, tops, bottoms)
        for (top, bottom, _, why), value in zip(rows, values, strict=True) if tells else ():
            if np.isfinite(value) and {top, bottom} <= set(self.k.place):
                self._ratio([(top, 1.0)], [(bottom, 1.0)], value, _half(value, _digits_of(values)), why)
        return tells

    def _of_averages(self) -> None:
        """Averages of places, where they do not follow from the places that are shown."""
        frame = self.reader.tables.get("places")
        if frame is None:
            return
        rows = []
        for (measure, _), part in frame[frame["statistic"] == "share"].groupby(["measure", "by"]):
            shown = part[part["average"].notna()]
            if shown.empty:
                continue
            again = shown["numerator"].sum() / shown["denominator"].sum()
            average = float(shown["average"].iloc[0])
            if part["numerator"].notna().all() and round(average, 3) == round(again, 3):
                continue
            whole = [(str(measure), "", what, *WHOLE) for what in ("num", "den")]
            rows.append((*whole, average, f"places: average of {measure}"))
        self._ratios(list(dict.fromkeys(rows)))


def _digits_of(values: Sequence[float]) -> int:
    """How many significant digits a column of numbers is written with: 1 to 6."""
    found = [
        f"{abs(value):.6g}".split("e")[0].replace(".", "").strip("0")
        for value in values
        if np.isfinite(value)
    ]
    return max((min(len(digits), 6) for digits in found), default=1) or 1


def _half(value: float, digits: int) -> float:
    """Half a last digit of a number written with so many significant ones."""
    size = np.floor(np.log10(abs(value))) if value else 0.0
    return float(0.50001 * 10.0 ** (size - digits + 1))
