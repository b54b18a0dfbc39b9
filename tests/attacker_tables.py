"""Released tables -> counts by name: what is shown, what is hidden, and which counts of two tables are the same.

Written from docs/tables.md, docs/completeness.md and docs/outcomes.md, apart from the names that `equitydata.release`
gives. A name is a tuple. Counts of people of one group are named by (population, period, what, characteristic, level,
category). The population is "users" or a measure; what is people, num, den, not (met), cases or time; the category is
a group, "known" for all whose group is known, "?missing" for people of unknown group, "?" for all of these together,
or "!group" for the rest of a group.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from equitydata import codelists

Key = tuple[Any, ...]
INF = np.inf
CROSS, CROSS_CATEGORY = " x ", " × "
KNOWN, WHOLE = "known", ("all", "all", "Everyone")
# What tables call the people of unknown group.
UNKNOWN_WORDS = {
    "Declined": "declined",
    "Not sure": "unsure",
    "Not known": "not_known",
    "Does not apply": "not_applicable",
    "Invalid code": "invalid",
    "Missing": "missing",
}
FEW_WORDS = "Groups of few people"
COUNTED_STATUSES = {
    "populated": ("known", "unsure", "declined", "not_known", "invalid"),
    "valid": ("known", "unsure", "declined", "not_known"),
    "asked": ("known", "unsure", "declined"),
    "known_or_declined": ("known", "declined"),
}
LEVELS = {
    ("deprivation", "detailed"): "decile",
    ("deprivation", "group"): "quintile",
    ("age", "detailed"): "year",
    ("age", "group"): "year",
}

# The columns that the reading below needs; rows of all others would be slow.
_COLUMNS = """
    measure characteristic level category status statistic unit period figure of by group site place point_of_care
    people numerator denominator comparator_numerator comparator_denominator unknown records records_carried_back
    comparator comparator_category adjustment area_kind area residents note value step first last second changed
    first_period last_period gap_first gap_last known_value unknown_value own observed
"""
READ_COLUMNS = frozenset(_COLUMNS.split())


# ---------------------------------------------------------------- the rule


@dataclass(frozen=True)
class Rule:
    """The public rule: counts from 1 to `hide_up_to` hidden, the others to the nearest `round_to`, halves up.

    least_range : a hidden count is broken where less than this lies between its lowest and highest value.
    midpoint : nothing is hidden for being small; a count stands as the middle of its class of `round_to`.
    """

    hide_up_to: int = 7
    round_to: int = 5
    least_range: int = 3
    midpoint: bool = False

    def behind(self, shown: float) -> tuple[float, float]:
        """The lowest and the highest count that is shown so."""
        if self.round_to <= 1:
            return shown, shown
        if self.midpoint:
            if shown == 0:
                return 0.0, 0.0
            middle = self.round_to // 2
            return shown + middle - self.round_to + 1, shown + middle
        if shown == 0:  # a small count would be hidden
            return 0.0, 0.0
        half = self.round_to / 2
        return max(np.ceil(shown - half), self.hide_up_to + 1.0), np.ceil(shown + half) - 1

    @property
    def least_shown(self) -> float:
        """The smallest count above 0 that is not hidden."""
        return 1.0 if self.midpoint else self.hide_up_to + 1.0


NHS = Rule()


# ---------------------------------------------------------------- what a table says


@dataclass(frozen=True)
class Cell:
    """One count of one row: shown, hidden, or (a complement) to be had from two others.

    value : as written; missing where hidden. least, most : counts that stand so.
    """

    key: Key
    table: str
    row: int
    column: str
    value: float
    hidden: bool


class Reader:
    """Tables -> cells. The same keys are given to released tables and to true ones."""

    def __init__(
        self,
        tables: Mapping[str, pd.DataFrame],
        units: Mapping[str, str] | None = None,
        folded: Mapping[Key, set[str]] | None = None,
    ) -> None:
        self.tables = {name: frame for name, frame in tables.items() if len(frame)}
        self.units = dict(units) if units is not None else self._units()
        self.unlisted = self._not_applicable_nowhere()
        self.folded = self._folded_groups() if folded is None else folded

    def _units(self) -> dict[str, str]:
        """What each measure counts: people, or contacts of people."""
        found: dict[str, str] = {}
        outcomes = self.tables.get("outcomes")
        if outcomes is not None:
            found = dict(zip(outcomes["measure"], outcomes["unit"], strict=True))
            means = outcomes.loc[~outcomes["statistic"].isin(["share"]), "measure"]
            found |= dict.fromkeys(means, "contacts")
        for name in ("trends", "comparisons", "places"):
            frame = self.tables.get(name)
            if frame is None:
                continue
            same = (frame["people"] == frame["denominator"]) | frame["people"].isna()
            for measure, alike in same.groupby(frame["measure"], sort=False).all().items():
                found.setdefault(str(measure), "people" if alike else "contacts")
        return found

    def _not_applicable_nowhere(self) -> set[str]:
        """Characteristics that apply to everyone: their parts of a table share its denominators."""
        statuses = self.tables.get("statuses")
        if statuses is None:
            return set()
        rows = statuses[statuses["status"] == "not_applicable"]
        shown = (rows[["people", "records"]].fillna(1) == 0).all(axis=1)
        return set(rows.loc[shown, "characteristic"])

    def _folded_groups(self) -> dict[Key, set[str]]:
        """(characteristic, level, group) -> groups that the table of residents counts within it, as the notes say."""
        frame = self.tables.get("representation")
        found: dict[Key, set[str]] = defaultdict(set)
        if frame is None:
            return found
        columns = ("characteristic", "level", "category", "note")
        rows = set(zip(*(frame[column].fillna("").astype(str) for column in columns), strict=True))
        for characteristic, level, category, note in rows:
            within = re.search(r"residents' table counts this group within: ([^;]+)", note)
            if within:
                found[characteristic, level, within[1]].add(category)
            holds = re.search(r"holds all that the residents' table counts here: ([^;]+)", note)
            for other in holds[1].split(", ") if holds else ():
                found[characteristic, level, category].add(other)
        return found

    # ------------------------------------------------------------ names

    def stratum(self, pop: str, period: str, what: str, row: Mapping[str, Any]) -> Key:
        """The name of a count of people of one group."""
        if what == "people" and pop != "users" and self.units.get(pop) == "people":
            what = "den"
        if what == "cases" and self.units.get(pop) == "people":
            what = "num"
        characteristic, level = str(row["characteristic"]), str(row.get("level", ""))
        category, status = str(row["category"]), row.get("status")
        if characteristic == "all":
            return (pop, period, what, *WHOLE)
        if status is None or status == "" or status != status:
            status = UNKNOWN_WORDS.get(category, "few" if category == FEW_WORDS else KNOWN)
        if status == "few":
            return (pop, period, what, characteristic, level, "?few")
        if status != KNOWN:
            return (pop, period, what, characteristic, "", f"?{status}")
        return (pop, period, what, characteristic, level_of(characteristic, level), category)

    def all_known(self, pop: str, period: str, what: str, row: Mapping[str, Any]) -> Key:
        """The name of the people whose group is known; of a crossing, at one of its levels."""
        whole = self.stratum(pop, period, what, {"characteristic": "all", "category": "", "level": ""})
        characteristic = str(row["characteristic"])
        level = str(row.get("level", "")) if CROSS in characteristic else ""
        return (*whole[:3], characteristic, level, KNOWN)

    # ------------------------------------------------------------ tables

    def cells(self) -> Iterator[Cell]:
        for name in self.tables:
            read = getattr(self, f"_of_{name}", None)
            if read is not None:
                yield from read(name, self.tables[name])

    def rows(self, frame: pd.DataFrame) -> Iterator[tuple[int, dict[str, Any], bool]]:
        hidden = (
            frame["hidden"].astype(bool).to_numpy() if "hidden" in frame else np.zeros(len(frame), dtype=bool)
        )
        columns = list(frame.columns)
        for place, values in enumerate(zip(*(frame[column].tolist() for column in columns), strict=True)):
            yield place, dict(zip(columns, values, strict=True)), bool(hidden[place])

    def _pair(
        self, table: str, place: int, row: Mapping[str, Any], hidden: bool, top: Key, bottom: Key, rest: Key
    ) -> Iterator[Cell]:
        """Numerator, denominator and what is left of it."""
        yield Cell(top, table, place, "numerator", row["numerator"], hidden)
        yield Cell(bottom, table, place, "denominator", row["denominator"], hidden)
        yield Cell(rest, table, place, "complement", row["denominator"] - row["numerator"], hidden)

    def _of_outcomes(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        for place, row, hidden in self.rows(frame):
            if row.get("status") == "not collected":
                continue
            period = str(row["period"]) if table == "trends" else ""
            yield from self._of_measure(table, place, row, hidden, str(row["measure"]), period)

    _of_trends = _of_outcomes

    def _of_measure(
        self, table: str, place: int, row: Mapping[str, Any], hidden: bool, pop: str, period: str
    ) -> Iterator[Cell]:
        people = self.stratum(pop, period, "people", row)
        yield Cell(people, table, place, "people", row["people"], hidden)
        if row["statistic"] in ("mean", "quantile"):
            yield Cell(
                self.stratum(pop, period, "den", row),
                table,
                place,
                "denominator",
                row["denominator"],
                hidden,
            )
        elif row["statistic"] == "share":
            yield from self._pair(
                table,
                place,
                row,
                hidden,
                *(self.stratum(pop, period, what, row) for what in ("num", "den", "not")),
            )
        else:
            yield Cell(
                self.stratum(pop, period, "num", row), table, place, "numerator", row["numerator"], hidden
            )
            if row["statistic"] == "rate":
                time = self.stratum(pop, period, "time", row)
                yield Cell(time, table, place, "denominator", row["denominator"], hidden)

    def _of_comparisons(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        for place, row, hidden in self.rows(frame):
            if row["adjustment"] != "crude":
                continue
            yield from self._of_measure(table, place, row, hidden, str(row["measure"]), "")
            if row["statistic"] in ("quantile", "population_rate"):
                continue
            mean, pop = row["statistic"] == "mean", str(row["measure"])
            bottom = "time" if row["statistic"] == "rate" else "den"
            other = {name: self._comparator(row, pop, name) for name in ("num", bottom, "not")}
            if other[bottom] is None:
                continue
            if not mean:
                yield Cell(
                    other["num"], table, place, "comparator_numerator", row["comparator_numerator"], hidden
                )
            yield Cell(
                other[bottom], table, place, "comparator_denominator", row["comparator_denominator"], hidden
            )
            if row["statistic"] == "share":
                left = row["comparator_denominator"] - row["comparator_numerator"]
                yield Cell(other["not"], table, place, "comparator complement", left, hidden)

    def _comparator(self, row: Mapping[str, Any], pop: str, what: str) -> Any:
        """The name of a comparator's count; None for one that is no part of the service."""
        if row["comparator"] == "rest":
            return (*self.stratum(pop, "", what, row)[:5], f"!{row['category']}")
        if row["comparator"] == "overall":
            return self.all_known(pop, "", what, row)
        if row["comparator"] in ("largest", "reference"):
            other = {**row, "category": row["comparator_category"], "status": KNOWN}
            return self.stratum(pop, "", what, other)
        return None

    def _of_representation(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        for place, row, hidden in self.rows(frame):
            of = str(row["of"])
            if row["status"] == "not collected" or ": " in of:
                continue
            own = self.resident_group(row)
            yield Cell(own, table, place, "numerator", row["numerator"], hidden)
            crossed = CROSS in str(row["characteristic"])
            if (
                row["status"] == KNOWN
                and not crossed
                and (hidden or row["denominator"] == row["denominator"])
            ):
                base = self.compared(row)
                yield Cell(base, table, place, "denominator", row["denominator"], hidden)
                left = row["denominator"] - row["numerator"]
                yield Cell((*base, str(row["category"])), table, place, "complement", left, hidden)
            if not crossed and (hidden or row["unknown"] == row["unknown"]):
                unknown = (*self.all_known(of, "", "people" if of == "users" else "cases", row)[:5], "?")
                yield Cell(unknown, table, place, "unknown", row["unknown"], hidden)

    def resident_group(self, row: Mapping[str, Any]) -> Key:
        """The name of the people of a group as the residents are counted: with the groups that are counted in it."""
        if self.folded.get((row["characteristic"], row["level"], row["category"])):
            return ("held", *(str(row[column]) for column in ("of", "characteristic", "level", "category")))
        of = str(row["of"])
        return self.stratum(of, "", "people" if of == "users" else "cases", row)

    def compared(self, row: Mapping[str, Any]) -> Key:
        """The name of the people whom residents are held against: not all groups have residents."""
        return (
            "compared",
            *(str(row[column]) for column in ("of", "characteristic", "level", "area_kind", "area")),
        )

    def _of_categories(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        for place, row, hidden in self.rows(frame):
            if not hidden and row["numerator"] != row["numerator"]:  # not collected
                continue
            own = self.stratum("users", "", "people", {**row, "status": KNOWN})
            yield from self._pair(
                table,
                place,
                row,
                hidden,
                own,
                self.all_known("users", "", "people", row),
                (*own[:5], f"!{own[5]}"),
            )

    def _of_unknowns(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        for place, row, hidden in self.rows(frame):
            pop = str(row["measure"]) or "users"
            of_measure = row["of"] == "outcome"
            what = "people" if of_measure or pop == "users" else "cases"
            own = self.stratum(pop, "", what, row) if of_measure else self.resident_group({**row, "of": pop})
            yield Cell(own, table, place, "people", row["people"], hidden)
            if CROSS not in str(row["characteristic"]):
                unknown = (*self.all_known(pop, "", what, row)[:5], "?")
                yield Cell(unknown, table, place, "unknown", row["unknown"], hidden)

    def _of_known_or_not(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        for place, row, hidden in self.rows(frame):
            known = self.all_known(str(row["measure"]), "", "people", row)
            yield Cell(known, table, place, "people", row["people"], hidden)
            yield Cell((*known[:5], "?"), table, place, "unknown", row["unknown"], hidden)

    def _of_changes(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        for place, row, hidden in self.rows(frame):
            if not hidden and row["people"] != row["people"]:
                continue
            own = self.stratum(str(row["measure"]), "first or last", "people", row)
            yield Cell((*own[:2], "people", *own[3:]), table, place, "people", row["people"], hidden)

    def _of_places(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        for place, row, hidden in self.rows(frame):
            pop = str(row["measure"])

            def key(
                what: str, pop: str = pop, by: str = str(row["by"]), where: str = str(row["place"])
            ) -> Key:
                return ("place", pop, by, where, what)

            if row["people"] == row["people"] and self.units.get(pop) != "people":
                yield Cell(key("people"), table, place, "people", row["people"], hidden)
            if row["statistic"] == "mean":
                yield Cell(key("den"), table, place, "denominator", row["denominator"], hidden)
            elif row["statistic"] == "share":
                yield from self._pair(table, place, row, hidden, key("num"), key("den"), key("not"))
            else:
                yield Cell(key("num"), table, place, "numerator", row["numerator"], hidden)

    # ------------------------------------------------------------ how well things are recorded

    def status(self, unit: str, characteristic: str, status: str) -> Key:
        """The name of the people (or records) whose value has a status."""
        if unit == "people":
            words = KNOWN if status == KNOWN else f"?{status}"
            return ("users", "", "people", characteristic, "", words)
        return ("status", unit, characteristic, status)

    def everyone(self, unit: str) -> Key:
        """The name of everybody, or of all records."""
        return ("users", "", "people", *WHOLE) if unit == "people" else ("records used",)

    def applicable(self, unit: str, characteristic: str) -> Key:
        """The name of those to whom a characteristic applies."""
        if characteristic in self.unlisted:
            return self.everyone(unit)
        return ("applies", unit, characteristic)

    def _of_statuses(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        for place, row, hidden in self.rows(frame):
            for unit in ("people", "records", "records_carried_back"):
                key = self.status(unit, str(row["characteristic"]), str(row["status"]))
                yield Cell(key, table, place, unit, row[unit], hidden)

    def met(self, unit: str, characteristic: str, measure: str) -> Key:
        """The name of those who meet a measure of completeness."""
        if measure == KNOWN and characteristic != "joint":
            return self.status(unit, characteristic, KNOWN)
        return ("met", unit, characteristic, measure)

    def _of_completeness(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        for place, row, hidden in self.rows(frame):
            unit, name, measure = str(row["unit"]), str(row["characteristic"]), str(row["measure"])
            yield from self._pair(
                table,
                place,
                row,
                hidden,
                self.met(unit, name, measure),
                self.joint_base(unit, name),
                ("lacking", unit, name, measure),
            )

    def joint_base(self, unit: str, name: str) -> Key:
        if name == "joint" and {"ethnicity", "language"} <= self.unlisted:
            return self.everyone(unit)
        return self.applicable(unit, name)

    def _of_figures(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        for place, row, hidden in self.rows(frame):
            if row["unit"] == "points of care" or not (
                hidden or row["numerator"] == row["numerator"]
            ):  # not measured, or places
                continue
            yield from self._pair(table, place, row, hidden, *self._figure(str(row["figure"])))

    _of_criteria = _of_figures

    def _figure(self, figure: str) -> tuple[Key, Key, Key]:
        """Numerator, denominator and complement of a figure that criteria rest on."""
        name, _, reading = figure.partition("_known")
        measure = KNOWN + reading
        if figure.endswith(("_known", "_known_or_declined")):
            top, bottom = self.met("people", name, measure), self.joint_base("people", name)
            return top, bottom, ("lacking", "people", name, measure)
        if figure == "ethnicity_detailed":
            known = self.status("people", "ethnicity", KNOWN)
            return self.met("people", "ethnicity", "detailed"), known, ("figure", figure, "not")
        return ("figure", figure, "num"), ("figure", figure, "den"), ("figure", figure, "not")

    def _of_breakdown(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        for place, row, hidden in self.rows(frame):
            name, unit = str(row["characteristic"]), str(row["unit"])
            here = (str(row["by"]), str(row["group"]), unit)
            applies_to_all = name in self.unlisted or (
                name == "joint" and {"ethnicity", "language"} <= self.unlisted
            )
            bottom = ("by", "" if applies_to_all else name, *here, "everyone")
            yield from self._pair(
                table, place, row, hidden, ("by", name, *here, KNOWN), bottom, ("by", name, *here, "lacking")
            )

    def _of_needs(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        for place, row, hidden in self.rows(frame):
            key = ("by", str(row["characteristic"]), "site", str(row["site"]), "people", "lacking")
            yield Cell(key, table, place, "people", row["people"], hidden)

    def _of_points_of_care(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        for place, row, hidden in self.rows(frame):
            name, where = str(row["characteristic"]), str(row["point_of_care"])
            yield from self._pair(
                table,
                place,
                row,
                hidden,
                ("point", name, where, KNOWN),
                ("point", "", where, "everyone"),
                ("point", name, where, "lacking"),
            )

    def _of_verification(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        bottoms = {
            "repeated": "again",
            "independent": "again",
            "agree_detailed": "compared",
            "agree_group": "compared",
        }
        for place, row, hidden in self.rows(frame):
            name, measure = str(row["characteristic"]), str(row["measure"])
            if measure in ("self_reported", "proxy", "other_source", "no_source"):
                bottom = self.status("records", name, KNOWN)
            else:
                bottom = ("verified", name, bottoms.get(measure, f"of {measure}"))
            yield from self._pair(
                table,
                place,
                row,
                hidden,
                ("verified", name, measure),
                bottom,
                ("verified", name, f"not {measure}"),
            )

    def _of_agreement(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        for place, row, hidden in self.rows(frame):
            name, level, group = str(row["characteristic"]), str(row["level"]), str(row["group"])
            yield from self._pair(
                table,
                place,
                row,
                hidden,
                ("agreed", name, level, group),
                ("agreed", name, "compared", group),
                ("agreed", name, f"not {level}", group),
            )

    def _of_swaps(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        for place, row, hidden in self.rows(frame):
            key = ("swap", str(row["characteristic"]), str(row["first"]), str(row["second"]))
            yield Cell(key, table, place, "people", row["people"], hidden)

    def _of_observed(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        for place, row, hidden in self.rows(frame):
            key = ("observed", str(row["characteristic"]), str(row["own"]), str(row["observed"]))
            yield Cell(key, table, place, "records", row["records"], hidden)

    def _of_steps(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        for place, row, hidden in self.rows(frame):
            key = ("step", str(row["characteristic"]), str(row["step"]), str(row["unit"]))
            yield Cell(key, table, place, "changed", row["changed"], hidden)

    def _of_codes(self, table: str, frame: pd.DataFrame) -> Iterator[Cell]:
        before: dict[Key, int] = defaultdict(int)
        for place, row, hidden in self.rows(frame):
            words = (str(row[column]) for column in ("characteristic", "status", "value", "category"))
            key = ("code", *words)
            before[key] += 1
            key = (*key, before[key])
            yield Cell(key, table, place, "records", row["records"], hidden)


def is_stratum(key: Key) -> bool:
    """Whether a name is (population, period, what, characteristic, level, category)."""
    return len(key) == 6 and key[2] in ("people", "num", "den", "not", "cases", "time")


def level_of(characteristic: str, level: str) -> str:
    """One name for a level, whatever a table calls it."""
    return LEVELS.get((characteristic, level), "groups" if level == "group" else level)


# ---------------------------------------------------------------- which groups hold which


@cache
def _listed(characteristic: str) -> Mapping[str, Mapping[str, str]]:
    """Level -> finest category -> group, as the public lists of categories have it."""
    try:
        listed = codelists.categories(characteristic)
    except (KeyError, ValueError, OSError):
        return {}
    finest = [str(each) for each in listed["category"]]

    def by(column: str, names: Mapping[str, str] | None = None) -> dict[str, str]:
        if column not in listed:
            return {}
        words = [str(each).removesuffix(".0") for each in listed[column]]
        return {fine: (names or {}).get(word, word) for fine, word in zip(finest, words, strict=True) if word}

    found: dict[str, Mapping[str, str]] = {
        "detailed": dict(zip(finest, finest, strict=True)),
        "groups": by("group"),
    }
    if characteristic == "deprivation":
        found = {"decile": found["detailed"], "quintile": found["groups"]}
        found["core20"] = by("core20", {"1": "Core20 (deciles 1 and 2)", "0": "Deciles 3 to 10"})
    found["english"] = by("is_english", {"1": "English", "0": "Other than English"})
    found["settled"] = by("settled", {"1": "Settled", "0": "Not settled"})
    return {level: groups for level, groups in found.items() if groups}


@cache
def holders(
    characteristic: str, finer: str, fine: tuple[str, ...], coarser: str, coarse: tuple[str, ...]
) -> dict[str, str]:
    """Group of the finer level -> group of the coarser one that holds it whole; empty where one is not told."""
    if characteristic == "age" and finer == "year":
        found = {year: next((band for band in coarse if _in_band(year, band)), "") for year in fine}
    else:
        listed = _listed(characteristic)
        if finer not in listed or coarser not in listed:
            return {}
        above: dict[str, set[str]] = defaultdict(set)
        for category, group in listed[finer].items():
            above[group].add(listed[coarser].get(category, ""))
        found = {group: "".join(above.get(group, "")) if len(above[group]) == 1 else "" for group in fine}
    return found if all(group in coarse for group in found.values()) else {}


def _in_band(year: str, band: str) -> bool:
    ends = [int(number) for number in re.findall(r"\d+", band)]
    if not year.isdigit() or not ends:
        return False
    return ends[0] <= int(year) <= (ends[1] if len(ends) > 1 else INF if "over" in band else ends[0])
