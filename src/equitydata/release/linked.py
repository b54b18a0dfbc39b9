"""Tables of the equity analysis -> rows that must be hidden together, since one would give the other away.

Outcomes, trends, representation and categories count the same people in many ways: groups of a level add up to
the whole, detailed groups to their parents, cells of a crossing to its margins, periods to the period analysed.
Those sums are named here and guarded in `hiding`. What is worked out from a group (its comparisons, changes,
findings, what the unknown could do) is hidden where the group is.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from equitydata import codelists
from equitydata.release.hiding import Flags, Sum, Tie, hidden_in_sums, small
from equitydata.rulebook import RULES_FOLDER, DisclosureRule
from equitydata.strata import ALL, CROSS, CROSS_CATEGORY, USERS

SHARE = "share"
# Words of people of unknown group where a table has no column `status`.
UNKNOWN = frozenset(
    {"Declined", "Not sure", "Not known", "Does not apply", "Invalid code", "Missing", "Invalid", "Unsure"}
)
STRATUM = ["characteristic", "level", "category"]
# Table -> what its groups add up within.
WITHIN: Mapping[str, list[str]] = {
    "outcomes": ["measure"],
    "trends": ["measure", "period"],
    "changes": ["measure"],
    "representation": ["of", "area_kind", "area"],
    "places": ["measure", "by"],
    "categories": [],
}
PEOPLE_ONLY = {"changes": "people", "representation": "numerator", "categories": "numerator"}
Key: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True)
class Nesting:
    """Categories of a finer level, each with the category of a coarser one that holds it."""

    finer: str
    coarser: str
    parents: Mapping[str, str]


def linked_rows(
    tables: Mapping[str, pd.DataFrame], small_rows: Mapping[str, Flags], rule: DisclosureRule
) -> dict[str, Flags]:
    """Which rows of each table are hidden, for themselves or for another's sake.

    tables : of true counts, by name; those of the equity analysis, and `categories`. small_rows : by the same
    names, the rows that hold a small count. Returns flags for the tables that add up or follow, by name.
    """
    present = {name: tables[name].reset_index(drop=True) for name in WITHIN if len(tables.get(name, ()))}
    starts, at = {}, 0
    for name, frame in present.items():
        starts[name], at = at, at + len(frame)
    hidden: dict[str, Flags] = {}
    if present:
        counts = np.vstack([_counts(name, frame) for name, frame in present.items()])
        first = np.concatenate([small_rows[name] for name in present])
        sums = [each for name in present for each in _sums(name, present, starts)]
        found = hidden_in_sums(counts, sums, list(_ties(present, starts)), rule, first=first)
        hidden = {name: found[starts[name] : starts[name] + len(frame)] for name, frame in present.items()}
    return hidden | _followers(tables, small_rows, hidden, rule)


def _counts(name: str, frame: pd.DataFrame) -> NDArray[np.float64]:
    """People, numerator, denominator and those who did not meet a share: shape (rows, 4)."""
    counts = np.full((len(frame), 4), np.nan)
    if name in PEOPLE_ONLY:
        counts[:, 0] = _numbers(frame[PEOPLE_ONLY[name]])
        return counts
    for place, column in enumerate(("people", "numerator", "denominator")):
        counts[:, place] = _numbers(frame[column])
    counts[:, 3] = np.where(frame["statistic"] == SHARE, counts[:, 2] - counts[:, 1], np.nan)
    return counts


def _numbers(column: pd.Series) -> NDArray[np.float64]:
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)


# ---------------------------------------------------------------- what adds up


def _sums(name: str, present: Mapping[str, pd.DataFrame], starts: Mapping[str, int]) -> Iterator[Sum]:
    frame, start = present[name], starts[name]
    if name == "places":
        for rows in _groups(frame, WITHIN[name]):
            yield Sum(tuple(start + rows), strict=True)
        return
    known = _known(name, present)
    within = WITHIN[name]
    for rows in _groups(frame, within):
        yield from _sums_of_strata(frame.loc[rows], known[rows], start)
    if name == "trends" and "outcomes" in present:
        yield from _sums_of_periods(present, starts)


def _groups(frame: pd.DataFrame, within: list[str]) -> Iterator[NDArray[np.intp]]:
    """Places of the rows of a frame that share the values of some columns."""
    if not within:
        yield np.arange(len(frame))
        return
    numbers = frame.groupby(within, sort=False, dropna=False).ngroup().to_numpy()
    yield from (np.flatnonzero(numbers == number) for number in range(numbers.max(initial=-1) + 1))


def _known(name: str, present: Mapping[str, pd.DataFrame]) -> Flags:
    """Which rows are groups, and not people of unknown group."""
    frame = present[name]
    if "status" in frame:
        return np.isin(frame["status"].astype(str), ["known", "not collected"])
    if name == "categories":
        return np.ones(len(frame), dtype=bool)
    statuses = {}
    if "outcomes" in present:
        outcomes = present["outcomes"]
        statuses = dict(zip(_keys(outcomes, STRATUM), outcomes["status"], strict=True))
    fallback = frame["category"].isin(UNKNOWN)
    words = (statuses.get(key) for key in _keys(frame, STRATUM))
    return np.array(
        [
            not lacking if word is None else word == "known"
            for word, lacking in zip(words, fallback, strict=True)
        ],
        dtype=bool,
    )


def _sums_of_strata(frame: pd.DataFrame, known: Flags, start: int) -> Iterator[Sum]:
    """Sums within one measure (and period, or area): levels, parents, margins of crossings.

    frame : rows numbered by their place in the table.
    """
    places = frame.index.to_numpy()
    stratum = list(zip(frame["characteristic"], frame["level"], frame["category"], strict=True))
    whole, where, levels = None, {}, dict[tuple[str, str], tuple[list[int], list[int]]]()
    for place, is_known, (characteristic, level, category) in zip(places, known, stratum, strict=True):
        row = start + int(place)
        if characteristic == ALL:
            whole = row
            continue
        parts = levels.setdefault((characteristic, level), ([], []))
        parts[0 if is_known else 1].append(row)
        if is_known:
            where[(characteristic, level, category)] = row
    for (characteristic, level), (groups, unknown) in levels.items():
        yield Sum((*groups, *unknown), whole=whole, strict=True, before=frozenset(unknown))
        # A group and its rest, which comparisons show, make everyone whose group is known.
        yield Sum(tuple(groups))
        yield from _margins(characteristic, level, where)
    for characteristic in {name for name, _ in levels if CROSS not in name}:
        for nesting in nestings(characteristic):
            yield from _parents(characteristic, nesting, where)


def _margins(characteristic: str, level: str, where: Mapping[Key, int]) -> Iterator[Sum]:
    names, levels = characteristic.split(CROSS), level.split(CROSS)
    if len(names) != 2 or len(levels) != 2:
        return
    cells = [
        (key[2].split(CROSS_CATEGORY), row)
        for key, row in where.items()
        if key[:2] == (characteristic, level)
    ]
    for side in (0, 1):
        margins: dict[str, list[int]] = {}
        for categories, row in cells:
            if len(categories) == 2:
                margins.setdefault(categories[side], []).append(row)
        for category, rows in margins.items():
            yield Sum(tuple(rows), whole=where.get((names[side], levels[side], category)))


def _parents(characteristic: str, nesting: Nesting, where: Mapping[Key, int]) -> Iterator[Sum]:
    families: dict[str, list[int]] = {}
    for category, parent in nesting.parents.items():
        row = where.get((characteristic, nesting.finer, category))
        if row is not None:
            families.setdefault(parent, []).append(row)
    for parent, rows in families.items():
        whole = where.get((characteristic, nesting.coarser, parent))
        if whole is not None:
            yield Sum(tuple(rows), whole=whole)


def _sums_of_periods(present: Mapping[str, pd.DataFrame], starts: Mapping[str, int]) -> Iterator[Sum]:
    """The periods of a group add up to what is analysed of it; people, who may come in several, do not."""
    wholes = _positions(present["outcomes"], ["measure", *STRATUM], starts["outcomes"])
    for key, rows in _positions_of_all(present["trends"], ["measure", *STRATUM], starts["trends"]).items():
        if key in wholes:
            yield Sum(tuple(rows), whole=wholes[key], columns=(1, 2, 3))


@cache
def nestings(characteristic: str) -> tuple[Nesting, ...]:
    """Which levels of a characteristic hold which; from rules/strata.toml and the lists of categories."""
    levels = _strata_rules().get(characteristic, {})
    try:
        listed = codelists.categories(characteristic)
    except (KeyError, ValueError, OSError):
        return ()
    words = {}
    for level, entry in levels.items():
        column = entry.get("column", "category")
        if column in listed and not entry.get("lookup") and not entry.get("bands"):
            names = {str(key): value for key, value in entry.get("names", {}).items()}
            words[level] = listed[column].astype(str).map(lambda text, names=names: names.get(text, text))
    found = []
    for finer, fine in words.items():
        for coarser, coarse in words.items():
            pairs = pd.DataFrame({"fine": fine, "coarse": coarse}).drop_duplicates()
            if (
                finer != coarser
                and not pairs["fine"].duplicated().any()
                and pairs["coarse"].duplicated().any()
            ):
                found.append(Nesting(finer, coarser, dict(zip(pairs["fine"], pairs["coarse"], strict=True))))
    return tuple(found)


@cache
def _strata_rules() -> Mapping[str, Any]:
    path = RULES_FOLDER / "strata.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


# ---------------------------------------------------------------- what hides with what


def _keys(frame: pd.DataFrame, columns: list[str]) -> list[Key]:
    return list(zip(*(frame[column] for column in columns), strict=True))


def _positions(frame: pd.DataFrame, columns: list[str], start: int) -> dict[Key, int]:
    return {key: start + place for place, key in enumerate(_keys(frame, columns))}


def _positions_of_all(frame: pd.DataFrame, columns: list[str], start: int) -> dict[Key, list[int]]:
    found: dict[Key, list[int]] = {}
    for place, key in enumerate(_keys(frame, columns)):
        found.setdefault(key, []).append(start + place)
    return found


def _ties(present: Mapping[str, pd.DataFrame], starts: Mapping[str, int]) -> Iterator[Tie]:
    by_measure = ["measure", *STRATUM]
    if "outcomes" in present:
        outcomes = _positions(present["outcomes"], by_measure, starts["outcomes"])
        for name in ("trends", "changes"):
            if name in present:
                for key, rows in _positions_of_all(present[name], by_measure, starts[name]).items():
                    if key in outcomes:
                        yield Tie(outcomes[key], tuple(rows))
    if {"trends", "changes"} <= set(present):
        changes = _positions(present["changes"], by_measure, starts["changes"])
        ends = dict(
            zip(
                _keys(present["changes"], by_measure),
                _keys(present["changes"], ["first_period", "last_period"]),
                strict=True,
            )
        )
        for place, (key, period) in enumerate(
            zip(_keys(present["trends"], by_measure), present["trends"]["period"], strict=True)
        ):
            if key in changes and period in ends[key]:
                yield Tie(starts["trends"] + place, (changes[key],))
    if "representation" in present:
        yield from _ties_of_people(present, starts)


def _ties_of_people(present: Mapping[str, pd.DataFrame], starts: Mapping[str, int]) -> Iterator[Tie]:
    """The same people in several places: against each area, among users and in the list of categories."""
    together: dict[Key, list[int]] = {}
    frame = present["representation"]
    for place, (of, *stratum) in enumerate(_keys(frame, ["of", *STRATUM])):
        together.setdefault((of, stratum[0], stratum[2]), []).append(starts["representation"] + place)
    if "categories" in present:
        for place, (characteristic, category) in enumerate(
            _keys(present["categories"], ["characteristic", "category"])
        ):
            key = (USERS, characteristic, category)
            if key in together:
                together[key].append(starts["categories"] + place)
    if "outcomes" in present:
        outcomes = present["outcomes"]
        for place, (measure, unit, characteristic, _, category) in enumerate(
            _keys(outcomes, ["measure", "unit", *STRATUM])
        ):
            key = (measure, characteristic, category)
            if unit == "people" and key in together:
                together[key].append(starts["outcomes"] + place)
    for rows in together.values():
        if len(rows) > 1:
            yield from (Tie(row, tuple(each for each in rows if each != row)) for row in rows)


def _followers(
    tables: Mapping[str, pd.DataFrame],
    small_rows: Mapping[str, Flags],
    hidden: Mapping[str, Flags],
    rule: DisclosureRule,
) -> dict[str, Flags]:
    """Rows of the tables that are worked out from a group, where the group is hidden."""
    followers: dict[str, Flags] = {}
    by_measure = ["measure", *STRATUM]
    gone = _hidden_keys(tables, hidden, "outcomes", by_measure)
    represented = _hidden_keys(tables, hidden, "representation", ["of", *STRATUM])
    if len(tables.get("comparisons", ())):
        frame = tables["comparisons"]
        against = frame.assign(category=frame["comparator_category"])
        flags = small_rows["comparisons"] | _in(frame, by_measure, gone) | _in(against, by_measure, gone)
        # All comparators and adjustments of a group tell of its counts: one small rest hides them all.
        lost = {key for key, flag in zip(_keys(frame, by_measure), flags, strict=True) if flag}
        own = (frame["comparator"] == "rest").to_numpy(dtype=bool)
        gone = gone | {
            key for key, flag, rest in zip(_keys(frame, by_measure), flags, own, strict=True) if flag and rest
        }
        followers["comparisons"] = flags | (_in(frame, by_measure, gone) if lost else flags)
    if len(tables.get("changes", ())):
        followers["changes"] = hidden["changes"] | _in(tables["changes"], by_measure, gone)
    if len(tables.get("unknowns", ())):
        frame = tables["unknowns"]
        of_outcome = (frame["of"] == "outcome").to_numpy(dtype=bool)
        users = frame.assign(measure=frame["measure"].replace("", USERS))
        followers["unknowns"] = small_rows["unknowns"] | np.where(
            of_outcome, _in(frame, by_measure, gone), _in(users, by_measure, represented)
        )
    if len(tables.get("known_or_not", ())):
        followers["known_or_not"] = small_rows["known_or_not"] | _small_unknown(tables, rule)
    if len(tables.get("findings", ())):
        changed = _hidden_keys(tables, {**hidden, **followers}, "changes", by_measure)
        followers["findings"] = small_rows["findings"] | _findings(tables, hidden, gone, represented, changed)
    return followers


def _hidden_keys(
    tables: Mapping[str, pd.DataFrame], hidden: Mapping[str, Flags], name: str, columns: list[str]
) -> set[Key]:
    if name not in hidden:
        return set()
    return {key for key, flag in zip(_keys(tables[name], columns), hidden[name], strict=True) if flag}


def _in(frame: pd.DataFrame, columns: list[str], keys: set[Key]) -> Flags:
    return np.array([key in keys for key in _keys(frame, columns)], dtype=bool)


def _small_unknown(tables: Mapping[str, pd.DataFrame], rule: DisclosureRule) -> Flags:
    """Rows whose people of known or of unknown group meet the measure in a small number, or all but a few do."""
    frame, outcomes = tables["known_or_not"], tables.get("outcomes")
    if outcomes is None or outcomes.empty:
        return np.zeros(len(frame), dtype=bool)
    here = outcomes[outcomes["status"] != "not collected"]
    counts = pd.DataFrame(_counts("outcomes", here), index=here.index).fillna(0.0)
    keys = ["measure", "characteristic", "level"]
    is_known = (here["status"] == "known").rename("known")
    sums = counts.groupby([*(here[key] for key in keys), is_known]).sum()
    flagged = sums[small(sums.to_numpy(), rule).any(axis=1)]
    found = {(measure, characteristic) for measure, characteristic, _, _ in flagged.index}
    return _in(frame, ["measure", "characteristic"], found)


def _findings(
    tables: Mapping[str, pd.DataFrame],
    hidden: Mapping[str, Flags],
    gone: set[Key],
    represented: set[Key],
    changed: set[Key],
) -> Flags:
    """Findings whose group or place is hidden where the finding comes from."""
    frame = tables["findings"].assign(measure=lambda f: f["measure"].fillna(""))
    # A finding on users, or on a grade of staff, names no measure.
    of_people = {("", *key[1:]) for key in represented if key[0] == USERS or ": " in str(key[0])}
    by_measure = ["measure", *STRATUM]
    each = {
        "outcome": _in(frame, by_measure, gone),
        "representation": _in(frame, by_measure, represented | of_people),
        "change": _in(frame, by_measure, changed | gone),
        "place": _in(
            frame, ["measure", "category"], _hidden_keys(tables, hidden, "places", ["measure", "place"])
        ),
    }
    about = frame["about"].to_numpy()
    flags = np.zeros(len(frame), dtype=bool)
    for name, found in each.items():
        flags |= (about == name) & found
    return flags
