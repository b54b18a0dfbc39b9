"""Tables of outcomes, comparisons, trends, places and residents -> what their counts are counts of.

The groups of a level add up to everyone with those of unknown group; detailed groups to their parents; cells of a
crossing to its margins; periods to the time analysed; a group and its rest to all known groups. A name begins with
the measure and what is counted of it (`did_not_attend:numerator`), in a period (`did_not_attend:numerator@2025 Q2`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import pandas as pd

from equitydata.release.book import Book, Places
from equitydata.release.nesting import nestings
from equitydata.strata import ALL, CROSS, CROSS_CATEGORY, STATUS_WORDS, USERS

PEOPLE = "people"
SHARE = "share"
KNOWN = "(all known)"  # in the place of a category: everyone whose group is known at a level
UNKNOWN_WORDS = frozenset(STATUS_WORDS.values())
COUNTED = ("people", "numerator", "denominator")
# People come in several periods; what they do does not.
ADDS_UP_OVER_TIME = ("numerator", "denominator")


@dataclass(frozen=True)
class Present:
    """A table that the release holds: its true counts, rows numbered from 0, and their rows in the release."""

    frame: pd.DataFrame
    rows: Places


Others: TypeAlias = Mapping[str, Present]


def text(column: pd.Series) -> pd.Series:
    """A column of words, missing as empty."""
    return column.astype("object").where(column.notna(), "").astype(str)


def known_rows(frame: pd.DataFrame) -> pd.Series:
    """Which rows are groups, and not people of unknown group."""
    if "status" in frame:
        return text(frame["status"]).isin(["known", "not collected"])
    return ~text(frame["category"]).isin(UNKNOWN_WORDS)


def strata_names(prefix: pd.Series | str, frame: pd.DataFrame, known: pd.Series) -> pd.Series:
    """The name of each row's stratum; people of unknown group go under no level."""
    name, level, category = (text(frame[each]) for each in ("characteristic", "level", "category"))
    of_group = prefix + "|" + name + "|" + level + "|" + category
    of_unknown = prefix + "|" + name + "|unknown|" + category
    return of_group.where(known, of_unknown).where(name != ALL, prefix + f"|{ALL}")


def name_strata(book: Book, prefix: str, rows: pd.DataFrame, known: pd.Series) -> None:
    """Everything that adds up among the strata of one count.

    rows : with characteristic, level, category. known : which of them are groups.
    """
    columns = (text(rows[each]) for each in ("characteristic", "level", "category"))
    for whole, parts in _sums_of(tuple(zip(*columns, known[rows.index], strict=True))):
        book.sum(f"{prefix}|{whole}", [f"{prefix}|{part}" for part in parts])


@lru_cache(maxsize=64)
def _sums_of(strata: tuple[tuple[str, str, str, bool], ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(whole, parts) of strata: levels, parents, margins of crossings. Measures and periods share their strata."""
    levels: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for characteristic, level, category, known in strata:
        if characteristic != ALL:
            levels.setdefault((characteristic, level), ([], []))[0 if known else 1].append(category)
    found: list[tuple[str, tuple[str, ...]]] = []
    for (characteristic, level), (known_words, unknown_words) in levels.items():
        at = f"{characteristic}|{level}"
        totals = f"{at}|{KNOWN}", f"{characteristic}|unknown"
        found += [
            (totals[0], tuple(f"{at}|{each}" for each in known_words)),
            (f"{characteristic}|known", totals[:1]),
            (totals[1], tuple(f"{characteristic}|unknown|{each}" for each in unknown_words)),
            (ALL, totals),
        ]
        for wholes in (
            _margins(characteristic, level, known_words),
            _parents(characteristic, level, known_words),
        ):
            found += [(whole, tuple(f"{at}|{each}" for each in parts)) for whole, parts in wholes]
    return tuple(found)


def _margins(characteristic: str, level: str, cells: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Cells of a crossing add up to the group of either side, less its people who are unknown on the other."""
    names, levels = characteristic.split(CROSS), level.split(CROSS)
    if len(names) < 2 or len(names) != len(levels):
        return
    for side, (name, at) in enumerate(zip(names, levels, strict=True)):
        groups: dict[str, list[str]] = {}
        for category in cells:
            parts = category.split(CROSS_CATEGORY)
            if len(parts) == len(names):
                groups.setdefault(parts[side], []).append(category)
        yield from ((f"{name}|{at}|{group}", held) for group, held in groups.items())


def _parents(characteristic: str, level: str, categories: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Categories of coarser levels and those that each holds, for plain levels and for either side of crossings."""
    names, levels = characteristic.split(CROSS), level.split(CROSS)
    if len(names) != len(levels):
        return
    for side, (name, finer) in enumerate(zip(names, levels, strict=True)):
        for nesting in nestings(name):
            if nesting.finer != finer:
                continue
            held: dict[str, list[str]] = {}
            for category in categories:
                parts = category.split(CROSS_CATEGORY) if len(names) > 1 else [category]
                parent = nesting.parents.get(parts[side]) if len(parts) == len(names) else None
                if parent is not None:
                    whole = CROSS_CATEGORY.join([*parts[:side], parent, *parts[side + 1 :]])
                    held.setdefault(whole, []).append(category)
            coarser = CROSS.join([*levels[:side], nesting.coarser, *levels[side + 1 :]])
            yield from ((f"{characteristic}|{coarser}|{whole}", parts) for whole, parts in held.items())


def numbers_of(
    here: Present, named: Callable[[Book, Present, Others], None], present: Others
) -> dict[tuple[float, float], tuple[str, str]]:
    """(numerator, denominator) -> the names that a table gives them."""
    book = _Names()
    named(book, here, present)
    names, columns = list(book.shown.values()), here.frame
    tops, bottoms = (pd.to_numeric(columns[each], errors="coerce") for each in ("numerator", "denominator"))
    pairs = zip(tops, bottoms, zip(names[0], names[1], strict=True), strict=True)
    return {(float(top), float(bottom)): names for top, bottom, names in pairs if top == top}


class _Names(Book):
    """A book that only takes down which names a table gives its first two columns."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: dict[int, pd.Series] = {}

    def show(self, names: pd.Series, values: pd.Series, rows: Places) -> None:
        if len(self.shown) < 2:
            self.shown[len(self.shown)] = names


# ---------------------------------------------------------------- outcomes


def _outcomes(book: Book, here: Present, _: Others) -> None:
    frame, measure = here.frame, text(here.frame["measure"])
    known = known_rows(frame)
    _show_counts(book, here, measure, known)
    for name, rows in frame.groupby("measure", sort=False):
        for column in COUNTED:
            name_strata(book, f"{name}:{column}", rows, known)
        _within_users(book, str(name), rows, known)


def _show_counts(book: Book, here: Present, measure: pd.Series, known: pd.Series) -> None:
    """People, numerator and denominator of each stratum, and of shares those who did not meet it."""
    frame = here.frame
    names = {column: strata_names(measure + f":{column}", frame, known) for column in COUNTED}
    for column, words in names.items():
        book.show(words, frame[column], here.rows)
    _not_met(book, frame, names)


def _not_met(book: Book, frame: pd.DataFrame, names: Mapping[str, pd.Series]) -> None:
    """Of shares, those who did not meet the measure: person-time less events counts nobody."""
    share = text(frame["statistic"]) == SHARE
    top, bottom = names["numerator"][share], names["denominator"][share]
    book.part(top, bottom, frame["numerator"][share], frame["denominator"][share])


def _within_users(book: Book, measure: str, rows: pd.DataFrame, known: pd.Series) -> None:
    """People of a measure are among the service's users of the same group."""
    of_measure = strata_names(f"{measure}:{PEOPLE}", rows, known[rows.index])
    users = strata_names(PEOPLE, rows, known[rows.index])
    for whole, part in zip(users, of_measure, strict=True):
        book.sum(whole, [part])


def _trends(book: Book, here: Present, _: Others) -> None:
    frame = here.frame
    measure, period = text(frame["measure"]), text(frame["period"])
    known = known_rows(frame)
    prefixes = {column: measure + f":{column}@" + period for column in COUNTED}
    names = {column: strata_names(prefix, frame, known) for column, prefix in prefixes.items()}
    for column, words in names.items():
        book.show(words, frame[column], here.rows)
    _not_met(book, frame, names)
    for (name, when), rows in frame.groupby(["measure", "period"], sort=False):
        for column in COUNTED:
            name_strata(book, f"{name}:{column}@{when}", rows, known)
    for column in COUNTED:
        wholes = strata_names(measure + f":{column}", frame, known)
        for whole, place in names[column].groupby(wholes, sort=False).groups.items():
            parts = [str(each) for each in names[column][place]]
            for some in [parts] if column in ADDS_UP_OVER_TIME else [[each] for each in parts]:
                book.sum(str(whole), some)


def _changes(book: Book, here: Present, _: Others) -> None:
    frame, measure = here.frame, text(here.frame["measure"])
    known = known_rows(frame)
    names = strata_names(measure + ":people of change", frame, known)
    book.show(names, frame["people"], here.rows)
    wholes = strata_names(measure + f":{PEOPLE}", frame, known)
    for whole, part in zip(wholes, names, strict=True):
        book.sum(whole, [part])
    for end in ("first_period", "last_period"):
        parts = strata_names(measure + f":{PEOPLE}@" + text(frame[end]), frame, known)
        for whole, part in zip(names, parts, strict=True):
            book.sum(whole, [part])
    for measure_name, rows in frame.groupby("measure", sort=False):
        name_strata(book, f"{measure_name}:people of change", rows, known)


def _comparisons(book: Book, here: Present, _: Others) -> None:
    frame, measure = here.frame, text(here.frame["measure"])
    everyone_known = pd.Series(True, index=frame.index)
    own = {column: strata_names(measure + f":{column}", frame, everyone_known) for column in COUNTED}
    for column, words in own.items():
        book.show(words, frame[column], here.rows)
    name, level = text(frame["characteristic"]), text(frame["level"])
    comparator, other = text(frame["comparator"]), text(frame["comparator_category"])
    against: dict[str, pd.Series] = {}
    for column in ("numerator", "denominator"):
        start = measure + f":{column}|" + name
        group = start + "|" + level + "|" + other
        against[column] = (
            group.where(comparator != "rest", "rest of " + own[column])
            .where(comparator != "overall", start + "|" + level + f"|{KNOWN}")
        )  # fmt: skip
        book.show(against[column], frame[f"comparator_{column}"], here.rows)
        rest = comparator == "rest"
        wholes = (start + "|" + level + f"|{KNOWN}")[rest]
        for whole, part, others in zip(wholes, own[column][rest], against[column][rest], strict=True):
            book.sum(whole, [part, others])
    share = text(frame["statistic"]) == SHARE
    book.part(
        against["numerator"][share],
        against["denominator"][share],
        frame["comparator_numerator"][share],
        frame["comparator_denominator"][share],
    )


def _unknowns(book: Book, here: Present, _: Others) -> None:
    frame = here.frame
    of, name = text(frame["measure"]), text(frame["characteristic"])
    outcome = text(frame["of"]) == "outcome"
    prefix = (of + f":{PEOPLE}").where(outcome, _of_prefix(of))
    known = pd.Series(True, index=frame.index)
    book.show(strata_names(prefix, frame, known), frame["people"], here.rows)
    book.show(prefix + "|" + name + "|unknown", frame["unknown"], here.rows)


def _known_or_not(book: Book, here: Present, _: Others) -> None:
    frame = here.frame
    start = text(frame["measure"]) + f":{PEOPLE}|" + text(frame["characteristic"])
    for column, words in (("people", "known"), ("unknown", "unknown")):
        book.show(start + f"|{words}", frame[column], here.rows)


def _places(book: Book, here: Present, _: Others) -> None:
    frame = here.frame
    measure, by, place = (text(frame[each]) for each in ("measure", "by", "place"))
    names = {column: measure + f":{column}|by " + by + "|" + place for column in COUNTED}
    for column in COUNTED:
        book.show(names[column], frame[column], here.rows)
    _not_met(book, frame, names)
    for (name, _by), rows in frame.groupby(["measure", "by"], sort=False):
        for column in ADDS_UP_OVER_TIME:
            book.sum(f"{name}:{column}|{ALL}", names[column][rows.index])


# ---------------------------------------------------------------- residents


def _of_prefix(of: pd.Series) -> pd.Series:
    """What is counted where users, or people with an outcome, are set beside residents."""
    return (of + ":met").where(~of.isin(["", USERS]), PEOPLE)


def _representation(book: Book, here: Present, present: Others) -> None:
    frame = here.frame
    of, name = text(frame["of"]), text(frame["characteristic"])
    known = known_rows(frame)
    prefix = _of_prefix(of)
    # Beside each area the people may be cut to other ages, and a group may hold narrower ones: other counts then.
    names = strata_names(prefix, frame, known)
    book.show(names, frame["numerator"], here.rows)
    whole = prefix + "|" + name + "|" + text(frame["level"]) + f"|{KNOWN}"
    book.show(whole, frame["denominator"], here.rows)
    book.show(prefix + "|" + name + "|unknown", frame["unknown"], here.rows)
    book.part(names, whole, frame["numerator"], frame["denominator"])
    keys = ["of", "characteristic", "level", "area_kind", "area"]
    for (each, *_), rows in frame.groupby(keys, sort=False):
        name_strata(book, str(_of_prefix(pd.Series([str(each)])).iloc[0]), rows, known)
    if "outcomes" in present:
        _outcomes_behind(book, frame, known, present["outcomes"].frame)


def _outcomes_behind(book: Book, frame: pd.DataFrame, known: pd.Series, outcomes: pd.DataFrame) -> None:
    """People with an outcome are among those whom the measure is about, or are its numerator."""
    units = dict(zip(text(outcomes["measure"]), text(outcomes["unit"]), strict=True))
    here = frame[text(frame["of"]).isin(list(units))]
    of = text(here["of"])
    column = of.map(units).map({PEOPLE: "numerator"}).fillna(PEOPLE)
    wholes = strata_names(of + ":" + column, here, known[here.index])
    parts = strata_names(_of_prefix(of), here, known[here.index])
    for whole, part in zip(wholes, parts, strict=True):
        book.sum(whole, [part])


# ---------------------------------------------------------------- findings repeat the others


def _findings(book: Book, here: Present, _: Others) -> None:
    frame = here.frame
    about, measure = text(frame["about"]), text(frame["measure"])
    known = pd.Series(True, index=frame.index)
    by_place = text(frame["category"])
    for column in COUNTED:
        outcome = strata_names(measure + f":{column}", frame, known)
        residents = strata_names(_of_prefix(measure), frame, known)
        if column == "denominator":
            at = text(frame["characteristic"]) + "|" + text(frame["level"])
            residents = _of_prefix(measure) + "|" + at + f"|{KNOWN}"
        alone = pd.Series([f"finding#{place}: {column}" for place in here.rows], index=frame.index)
        names = (
            alone.where(about != "outcome", outcome)
            .where(about != "representation", residents)
            .where(about != "place", measure + f":{column}|by site|" + by_place)
            .where((about != "change") | (column != "people"), measure + ":people of change|" + by_place)
        )
        book.show(names, frame[column], here.rows)


OUTCOME_NAMES: Mapping[str, Callable[[Book, Present, Others], None]] = {
    "outcomes": _outcomes,
    "comparisons": _comparisons,
    "unknowns": _unknowns,
    "known_or_not": _known_or_not,
    "trends": _trends,
    "changes": _changes,
    "places": _places,
    "representation": _representation,
    "findings": _findings,
}
