"""A characteristic -> its levels: which of its values are one at each, from the finest to none at all.

Works on lists of categories, never on records. Number 0 of every level is 'not known', as of the coded values that
are folded. Each level is made from the one before it, so that values which are one stay one: only then can a group
of people not become smaller where a level is raised.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from equitydata import codelists, reference
from equitydata.records.ages import OLDEST, code_ages
from equitydata.records.deidentifying.choices import LevelRule, load_choices
from equitydata.rulebook import Rulebook, characteristics, stratum_levels

NOT_KNOWN = "Not known"
LEFT_OUT = "left_out"
LISTED_KINDS = ("coded", "flag", "decile")
Codes = NDArray[np.int64]
Groups = Mapping[str, str]


@dataclass(frozen=True)
class Level:
    """One level of a characteristic.

    written : name of the column at this level. fold : number of the value -> number of its group, shape (values,).
    labels : what each group is called, number 0 'not known'. none : the column is left out at this level.
    """

    name: str
    label: str
    written: str
    fold: Codes
    labels: tuple[str, ...]

    @property
    def none(self) -> bool:
        """True where nothing is left of the characteristic."""
        return self.name == LEFT_OUT


@dataclass(frozen=True)
class Attribute:
    """A quasi-identifier with its levels, the finest first; the last one is that it is left out.

    values : what is recorded, by number; 0 is 'not known'. weight : of a lost distinction.
    begun : share of the recorded information that was given up before any level was looked for, as there were too many
    combinations; 0 as a rule.
    """

    name: str
    label: str
    column: str
    values: tuple[str, ...]
    levels: tuple[Level, ...]
    weight: float
    begun: float = 0.0

    def place(self, level: str) -> int | None:
        """Where a level of that name stands, None where there is none."""
        return next((place for place, each in enumerate(self.levels) if each.name == level), None)


def make_attribute(
    name: str,
    label: str,
    column: str,
    values: Sequence[str],
    people: Codes,
    rulebook: Rulebook,
    *,
    shapes: str = "",
) -> Attribute:
    """The levels of one characteristic.

    values : recorded categories by number, "" first for 'not known'. people : how many people have each.
    shapes : name of the hierarchy, where it is not the characteristic's own.
    """
    choices = load_choices()
    listed = tuple(values)
    rules = choices.levels.get(shapes or name) or (
        LevelRule("detailed", "categories", "", {"level": "detailed"}),
    )
    makers: dict[str, Callable[[], list[_Made]]] = {
        "age": lambda: _ages(listed, rules, rulebook),
        "geography": lambda: [_area(listed, rule) for rule in rules],
        "postcode": lambda: [_cut(listed, rule) for rule in rules],
    }
    made = makers.get(shapes or name, lambda: [_listed(name, listed, rule, people) for rule in rules])()
    return Attribute(
        name=name,
        label=label,
        column=column,
        values=(NOT_KNOWN, *listed[1:]),
        levels=_nested(name, made, len(listed)),
        weight=choices.weights.get(shapes or name, 1.0),
    )


# ---------------------------------------------------------------- nesting


@dataclass(frozen=True)
class _Made:
    """A level as its rule has it: value -> group, "" for not known. order : of the groups, if not by letter."""

    name: str
    label: str
    written: str
    groups: Sequence[str]
    order: tuple[str, ...] = ()


def _nested(name: str, made: Sequence[_Made], values: int) -> tuple[Level, ...]:
    """Levels of which each is a fold of the one before; one that changes nothing is left out."""
    levels: list[Level] = []
    before = np.arange(values, dtype=np.int64)
    for each in made:
        groups = _no_finer(each.groups, before)
        labels = (NOT_KNOWN, *_in_order(set(groups) - {""}, each.order))
        numbers = {label: number for number, label in enumerate(labels)}
        fold = np.array([numbers.get(group, 0) for group in groups], dtype=np.int64)
        fold[0] = 0
        if levels and _same(fold, levels[-1].fold):
            continue
        levels.append(Level(each.name, each.label, each.written or name, fold, labels))
        before = fold
    everything = np.zeros(values, dtype=np.int64)
    return (*levels, Level(LEFT_OUT, "left out", name, everything, (NOT_KNOWN,)))


def _no_finer(groups: Sequence[str], before: Codes) -> list[str]:
    """Groups in which values that were one before are one: where they differ, they are not known."""
    found: dict[int, str] = {}
    for number, group in zip(before[1:], groups[1:], strict=True):
        found[int(number)] = group if found.get(int(number), group) == group else ""
    # What was not known at the level before stays so.
    found[0] = ""
    return ["", *(found[int(number)] for number in before[1:])]


def _same(fold: Codes, other: Codes) -> bool:
    pairs = set(zip(fold.tolist(), other.tolist(), strict=True))
    return len(pairs) == len(set(fold.tolist())) == len(set(other.tolist()))


def _in_order(labels: set[str], order: Sequence[str]) -> list[str]:
    first = [label for label in order if label in labels]
    return [*first, *sorted(labels - set(first))]


# ---------------------------------------------------------------- categories of a list


def _listed(name: str, values: tuple[str, ...], rule: LevelRule, people: Codes) -> _Made:
    groups = list(values)
    if "rare" in rule.rule:
        groups = _rarer(name, values, str(rule.rule["rare"]), people)
    elif rule.rule["level"]:
        fold = _fold_of(name, str(rule.rule["level"]))
        groups = [fold(value) for value in values]
    return _Made(rule.name, rule.label, rule.written, groups, _reading_order(name, groups))


def _rarer(name: str, values: tuple[str, ...], level: str, people: Codes) -> list[str]:
    """Categories that few people have by the name of their group, which tells that it is the rest of it."""
    least = load_choices().value("rare_share") * people.sum()
    fold = _fold_of(name, level)
    return [
        value if not value or count >= least else f"{fold(value)}, rarer groups"
        for value, count in zip(values, people, strict=True)
    ]


def _fold_of(name: str, level: str) -> Callable[[str], str]:
    """Category -> its group at a level of strata.toml; "" stays."""
    rule: Mapping[str, Any] = stratum_levels(name).get(level, {})
    column = rule.get("column")
    if column is None:
        return lambda value: value
    listed = codelists.categories(name).set_index("category")[str(column)]
    names = {str(key): str(words) for key, words in dict(rule.get("names", {})).items()}
    groups = {category: _key(value) for category, value in listed.items()}

    def fold(value: str) -> str:
        if not value:
            return ""
        key = groups.get(value, "")
        return names.get(key, key) or "Other"

    return fold


def _key(value: Any) -> str:
    """A cell of a list of categories as the key of a name: 1.0 is "1", and a blank is blank."""
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _reading_order(name: str, groups: Sequence[str]) -> tuple[str, ...]:
    if characteristics()[name].kind not in LISTED_KINDS:
        return ()
    met = set(groups)
    return tuple(each for each in codelists.categories(name)["category"] if each in met)


# ---------------------------------------------------------------- ages


def _ages(values: tuple[str, ...], rules: Sequence[LevelRule], rulebook: Rulebook) -> list[_Made]:
    ends = _age_ends(values)
    single = ends["lower"].eq(ends["upper"])
    if not single.any():
        return _own_bands(ends, rules)
    made, before = [], None
    for rule in rules:
        cuts = _cuts(rule.rule, rulebook)
        cuts = cuts if before is None else [cut for cut in cuts if cut in before]
        made.append(_Made(rule.name, rule.label, rule.written, _cut_ages(ends, cuts), _band_names(cuts)))
        before = cuts
    return made


def _age_ends(values: tuple[str, ...]) -> pd.DataFrame:
    """Lowest and highest age of each value, missing where it tells none; the first row is 'not known'."""
    frame = pd.DataFrame({"value": list(values), "records": 1})
    return code_ages(frame).table[["lower", "upper"]].astype("float64")


def _cuts(rule: Mapping[str, Any], rulebook: Rulebook) -> list[int]:
    """Lower ends of bands, rising from 0."""
    bands = list(rulebook.value("age_bands"))
    if "step" in rule:
        return sorted({*range(0, int(rule["top"]) + 1, int(rule["step"])), *bands})
    ends = rule["ends"]
    return sorted({0, *(rulebook.value(ends) if isinstance(ends, str) else ends)})


def _cut_ages(ends: pd.DataFrame, cuts: Sequence[int]) -> list[str]:
    """The band that a value lies in as a whole; "" for one that lies across two."""
    names = _band_names(cuts)
    edges = np.array(cuts, dtype=float)
    lower, upper = ends["lower"].to_numpy(), ends["upper"].fillna(OLDEST).to_numpy()
    known = ~np.isnan(lower)
    first = np.searchsorted(edges, np.where(known, lower, 0), side="right") - 1
    last = np.searchsorted(edges, np.where(known, upper, 0), side="right") - 1
    inside = known & (first == last)
    return [names[place] if here else "" for place, here in zip(first, inside, strict=True)]


def _band_names(cuts: Sequence[int]) -> tuple[str, ...]:
    """What bands are called: 0-17, 18, 65+."""
    closed = [str(low) if high == low + 1 else f"{low}-{high - 1}" for low, high in pairwise(cuts)]
    return (*closed, f"{cuts[-1]}+")


def _own_bands(ends: pd.DataFrame, rules: Sequence[LevelRule]) -> list[_Made]:
    """Ages that came as bands: the extract's own bands, then two and two of them, and so on."""
    cuts = sorted({0, *(int(low) for low in ends["lower"].dropna())})
    made = []
    for number, rule in enumerate(rules):
        step = cuts[:: 2**number]
        label = (
            "age bands as recorded" if not number else f"{2**number} of the recorded age bands put together"
        )
        if number and len(step) < 2:
            break
        made.append(_Made(rule.name, label, rule.written, _cut_ages(ends, step), _band_names(step)))
    return made


# ---------------------------------------------------------------- places


def _area(values: tuple[str, ...], rule: LevelRule) -> _Made:
    column = str(rule.rule["column"])
    around = _areas(column) if column else {}
    groups = [around.get(value, value) for value in values]
    return _Made(rule.name, rule.label, rule.written, groups)


@cache
def _areas(column: str) -> dict[str, str]:
    """Small area of either year -> the area around it."""
    places = reference.read_table("lsoa21_msoa21_ward24_ltla24_icb24").drop_duplicates("lsoa21_code")
    newer = dict(zip(places["lsoa21_code"].astype(str), places[column].astype(str), strict=True))
    older = reference.read_table("lsoa11_lsoa21_ltla22").drop_duplicates("lsoa11_code")
    linked = older.set_index("lsoa11_code")["lsoa21_code"].map(newer).dropna()
    return {**{str(code): str(name) for code, name in linked.items()}, **newer}


def _cut(values: tuple[str, ...], rule: LevelRule) -> _Made:
    pattern = str(rule.rule["pattern"])
    found = [re.search(pattern, value) if pattern else None for value in values]
    groups = [
        value if not pattern or match is None else match[0]
        for value, match in zip(values, found, strict=True)
    ]
    return _Made(rule.name, rule.label, rule.written, groups)
