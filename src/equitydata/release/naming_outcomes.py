"""Tables of outcomes, comparisons, trends, places and residents -> what their counts are counts of.

The groups of a level add up to everyone with those of unknown group; detailed groups to their parents; cells of a
crossing to its margins; periods to the time analysed; a group and its rest to all known groups. A name begins with
the measure and what is counted of it (`did_not_attend:numerator`), in a period (`did_not_attend:numerator@2025 Q2`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import pandas as pd

from equitydata.release.book import Book, Places
from equitydata.release.nesting import nestings
from equitydata.rulebook import stratum_levels
from equitydata.sparse import parents_shown
from equitydata.strata import ALL, CROSS, CROSS_CATEGORY, FEW_STATUS, STATUS_WORDS, USERS

PEOPLE = "people"
SHARE = "share"
KNOWN = "(all known)"  # in the place of a category: everyone whose group is known at a level
FEW_WORDS = STATUS_WORDS[FEW_STATUS]
UNKNOWN_WORDS = frozenset(STATUS_WORDS.values())
# Helper column of a table: counts withheld by themselves, which the audit must know; never written.
WITHHELD_COUNT = "_withheld"
COUNTED = ("people", "numerator", "denominator")
# People come in several periods; what they do does not.
ADDS_UP_OVER_TIME = ("numerator", "denominator")


@dataclass(frozen=True)
class Present:
    """A table that the release holds: its true counts, rows numbered from 0, and their rows in the release."""

    frame: pd.DataFrame
    rows: Places


Others: TypeAlias = Mapping[str, Present]
# A whole, its parts, and the name of what they leave over where another sum needs it.
NamedSum: TypeAlias = tuple[str, tuple[str, ...], str]
# Characteristic, level, category, and whether it is a group.
Stratum: TypeAlias = tuple[str, str, str, bool]
Levels: TypeAlias = Mapping[tuple[str, str], tuple[list[str], list[str]]]


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


def levels_of_strata(characteristic: pd.Series, level: pd.Series) -> pd.Series:
    """Levels of the table of categories under the names that strata give them: its groups may be fifths."""
    called = {}
    for name in characteristic.unique():
        rules = stratum_levels(str(name))
        groups = (each for each, rule in rules.items() if rule.get("column") == "group")
        finest = (each for each, rule in rules.items() if "column" not in rule and "lookup" not in rule)
        called[f"{name}|group"] = next(groups, "groups")
        called[f"{name}|detailed"] = next(finest, "detailed")
    return (characteristic + "|" + level).map(called).fillna(level)


def strata_of(frame: pd.DataFrame, known: pd.Series) -> pd.Series:
    """The stratum of each row, as `name_strata` takes them. known : which rows are groups."""
    columns = (text(frame[each]) for each in ("characteristic", "level", "category"))
    strata = np.empty(len(frame), dtype=object)
    strata[:] = list(zip(*columns, known, strict=True))
    return pd.Series(strata, index=frame.index)


def name_strata(book: Book, prefix: str, strata: Iterable[Stratum]) -> None:
    """Everything that adds up among the strata of one count."""
    for whole, parts, left in _sums_of(tuple(strata)):
        book.sum(
            f"{prefix}|{whole}",
            [f"{prefix}|{part}" for part in parts],
            left=f"{prefix}|{left}" if left else "",
        )


@lru_cache(maxsize=64)
def _sums_of(strata: tuple[Stratum, ...]) -> tuple[NamedSum, ...]:
    """Sums of strata: levels, parents, margins of crossings. Measures and periods share their strata."""
    levels: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for characteristic, level, category, known in strata:
        if characteristic != ALL:
            levels.setdefault((characteristic, level), ([], []))[0 if known else 1].append(category)
    found: list[NamedSum] = []
    for (characteristic, level), (known_words, unknown_words) in levels.items():
        at = f"{characteristic}|{level}"
        totals = f"{at}|{KNOWN}", f"{characteristic}|unknown"
        found += [
            (totals[0], tuple(f"{at}|{each}" for each in known_words), ""),
            (f"{characteristic}|known", totals[:1], ""),
            (totals[1], tuple(f"{characteristic}|unknown|{each}" for each in unknown_words), ""),
            (ALL, totals, ""),
        ]
        found += [
            (whole, tuple(f"{at}|{each}" for each in parts), "")
            for whole, parts in _parents(characteristic, level, known_words, levels)
        ]
        found += _crossed(characteristic, level, levels)
    return tuple(found)


def _crossed(characteristic: str, level: str, levels: Levels) -> Iterator[NamedSum]:
    """What the cells of a crossing of two characteristics say of each, and of people who are in no cell."""
    names, sides = characteristic.split(CROSS), level.split(CROSS)
    if len(names) != 2 or len(sides) != 2:
        return
    at = f"{characteristic}|{level}"
    cells, unknown = levels[(characteristic, level)]
    few = f"{characteristic}|unknown|{FEW_WORDS}"
    not_crossed: list[str] = []
    for side, (name, finer) in enumerate(zip(names, sides, strict=True)):
        groups: dict[str, list[str]] = {}
        for category in cells:
            parts = category.split(CROSS_CATEGORY)
            if len(parts) == 2:
                groups.setdefault(parts[side], []).append(category)
        for group, held in groups.items():
            left = f"{name}|{finer}|{group} in no cell of {at}"
            yield f"{name}|{finer}|{group}", tuple(f"{at}|{each}" for each in held), left
        # Who is in no cell is of unknown group on the other side, or of a group too small to cross.
        others = f"unknown of {names[1 - side]} or too few for {at}"
        yield others, (f"{names[1 - side]}|unknown", few), ""
        yield others, tuple(f"{name}|{finer}|{group} in no cell of {at}" for group in groups), ""
        met = levels.get((name, finer), ([], []))[0]
        not_crossed += [f"{name}|{finer}|{group}" for group in met if group not in groups]
    yield f"not in {at}", tuple(not_crossed), ""
    yield f"not in {at}", (few,), ""
    for words in unknown:
        if words != FEW_WORDS:
            # Unknown on the first side, or known there and unknown on the second.
            second = f"{characteristic}|unknown|{words} of {names[1]}"
            yield f"{characteristic}|unknown|{words}", (f"{names[0]}|unknown|{words}",), second
            yield f"{names[1]}|unknown|{words}", (second,), ""


def _parents(
    characteristic: str,
    level: str,
    categories: list[str],
    levels_met: Levels,
) -> Iterator[tuple[str, list[str]]]:
    """Categories of coarser levels and those that each holds, for plain levels and for either side of crossings."""
    names, levels = characteristic.split(CROSS), level.split(CROSS)
    if len(names) != len(levels):
        return
    for side, (name, finer) in enumerate(zip(names, levels, strict=True)):
        for nesting in nestings(name):
            if nesting.finer != finer:
                continue
            fine, coarse = (levels_met.get((name, each), ([], []))[0] for each in (finer, nesting.coarser))
            # Sparse groups may be merged on either level.
            parents = parents_shown(fine, coarse, nesting.parents) if coarse else nesting.parents
            held: dict[str, list[str]] = {}
            for category in categories:
                parts = category.split(CROSS_CATEGORY) if len(names) > 1 else [category]
                parent = parents.get(parts[side]) if len(parts) == len(names) else None
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

    def show(self, names: pd.Series, values: pd.Series, rows: Places, *, implied: bool = False) -> None:
        if len(self.shown) < 2:
            self.shown[len(self.shown)] = names


# ---------------------------------------------------------------- outcomes


def _outcomes(book: Book, here: Present, _: Others) -> None:
    frame, measure = here.frame, text(here.frame["measure"])
    known = known_rows(frame)
    _show_counts(book, here, measure, known)
    strata = strata_of(frame, known)
    for name, rows in frame.groupby("measure", sort=False):
        for column in COUNTED:
            name_strata(book, f"{name}:{column}", strata[rows.index])
        _within_users(book, str(name), rows, known)


def _show_counts(book: Book, here: Present, measure: pd.Series, known: pd.Series) -> None:
    """People, numerator and denominator of each stratum, and of shares those who did not meet it."""
    frame = here.frame
    names = {column: strata_names(measure + f":{column}", frame, known) for column in COUNTED}
    for column, words in names.items():
        book.show(words, frame[column], here.rows)
    _not_met(book, here, names)
    _people_of_contacts(book, frame, names)


def _people_of_contacts(book: Book, frame: pd.DataFrame, names: Mapping[str, pd.Series]) -> None:
    """Whoever is counted has a contact: people are no more than the contacts that a share or a mean is of."""
    counted = text(frame["statistic"]).isin([SHARE, "mean", "quantile"])
    for whole, part in zip(names["denominator"][counted], names["people"][counted], strict=True):
        book.sum(whole, [part])


def _not_met(book: Book, here: Present, names: Mapping[str, pd.Series]) -> None:
    """Of shares, those who did not meet the measure: person-time less events counts nobody."""
    frame, share = here.frame, text(here.frame["statistic"]) == SHARE
    top, bottom = names["numerator"][share], names["denominator"][share]
    met, of = frame["numerator"][share], frame["denominator"][share]
    book.part(top, bottom, met, of, here.rows[share.to_numpy()])


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
    _not_met(book, here, names)
    _people_of_contacts(book, frame, names)
    for (name, when), strata in strata_of(frame, known).groupby([measure, period], sort=False):
        for column in COUNTED:
            name_strata(book, f"{name}:{column}@{when}", strata)
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
    for name, strata in strata_of(frame, known).groupby(measure, sort=False):
        name_strata(book, f"{name}:people of change", strata)


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
        here.rows[share.to_numpy()],
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
    _not_met(book, here, names)
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
    names = strata_names(prefix, frame, known)
    compared = pd.to_numeric(frame["denominator"], errors="coerce").notna()
    # Beside an area, groups that have no residents of their own are left out, and a group may hold narrower ones.
    block = prefix + "|" + name + "|" + text(frame["level"])
    beside = text(frame["area_kind"]) + " " + text(frame["area"])
    shown = names.where(~_wider(names, frame, present), names + " with narrower ones, beside " + beside)
    whole = block + "|(compared) beside " + beside
    book.show(shown, frame["numerator"], here.rows)
    book.show(whole, frame["denominator"], here.rows)
    unknown = prefix + "|" + name + "|unknown"
    book.show(unknown, frame["unknown"], here.rows)
    if WITHHELD_COUNT in frame:
        book.show(unknown, frame[WITHHELD_COUNT], np.full(len(frame), -1))
    book.part(shown, whole, frame["numerator"], frame["denominator"], here.rows)
    named = {
        "name": names,
        "shown": shown,
        "prefix": prefix,
        "block": block,
        "stratum": strata_of(frame, known),
        "known": known,
        "compared": compared & known,
        "placed": frame["residents_share"].notna(),
    }
    columns = {column: words.to_numpy() for column, words in named.items()}
    for total, rows in prefix.groupby(whole, sort=False).indices.items():
        _sums_beside_an_area(book, str(total), {column: words[rows] for column, words in columns.items()})
    if "outcomes" in present:
        _outcomes_behind(book, frame, known, present["outcomes"].frame)


def _sums_beside_an_area(book: Book, total: str, named: Mapping[str, np.ndarray]) -> None:
    """What adds up among the groups of a level beside one area. total : name of all who are compared."""
    names, shown, compared = named["name"], named["shown"], named["compared"]
    name_strata(book, named["prefix"][0], named["stratum"])
    book.sum(total, shown[compared & named["placed"]])
    book.sum(total, names[compared])
    book.sum(f"{named['block'][0]}|{KNOWN}", [total, *names[~compared & named["known"]]])
    for wide, own in zip(shown[shown != names], names[shown != names], strict=True):
        book.sum(wide, [own])


def _wider(names: pd.Series, frame: pd.DataFrame, present: Others) -> pd.Series:
    """Rows whose people are more than the group has by itself, as another table counts it."""
    own: dict[str, float] = {}
    if "categories" in present:
        others = present["categories"].frame
        level = levels_of_strata(text(others["characteristic"]), text(others["level"]))
        words = strata_names(PEOPLE, others.assign(level=level), pd.Series(True, index=others.index))
        own |= dict(zip(words, pd.to_numeric(others["numerator"], errors="coerce"), strict=True))
    if "outcomes" in present:
        others = present["outcomes"].frame
        of_people = others[text(others["unit"]) == PEOPLE]
        words = strata_names(text(of_people["measure"]) + ":met", of_people, known_rows(of_people))
        own |= dict(zip(words, pd.to_numeric(of_people["numerator"], errors="coerce"), strict=True))
    least = frame.groupby(names.to_numpy())["numerator"].transform("min")
    alone = names.map(own).fillna(least)
    return pd.to_numeric(frame["numerator"], errors="coerce") > alone


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


def _findings(book: Book, here: Present, present: Others) -> None:
    frame = here.frame
    beside = ""
    if "representation" in present:
        areas = present["representation"].frame
        local = text(areas["area"])[text(areas["area_kind"]) == "local"]
        beside = f"local {local.iloc[0]}" if len(local) else ""
    about, measure = text(frame["about"]), text(frame["measure"])
    known = pd.Series(True, index=frame.index)
    by_place = text(frame["category"])
    for column in COUNTED:
        outcome = strata_names(measure + f":{column}", frame, known)
        residents = strata_names(_of_prefix(measure), frame, known)
        if column == "denominator":
            at = text(frame["characteristic"]) + "|" + text(frame["level"])
            residents = _of_prefix(measure) + "|" + at + f"|(compared) beside {beside}"
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
