"""Counts at the finest categories -> strata: every group at every level, with those of unknown group beside them.

A level folds the categories of a characteristic to fewer (`rules/strata.toml`): detailed ethnic groups to five, deciles
to fifths. Categories that the code list in use does not have are shown as not collected, declared ones that nobody is
in with zeros, and people of unknown group in rows of their own, so that the rows of a level add up to everyone. Groups
of few people are put together with others where the rules say so (`sparse`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product

import numpy as np
import pandas as pd

from equitydata import codelists, reference
from equitydata.completeness import FEW, LISTED_KINDS, MOST_LISTED, band_labels, few_together
from equitydata.errors import ConfigError, nearest
from equitydata.records.outcomes import ALL, PAIR_SUMS, SUMS, USERS, OutcomeCounts
from equitydata.rulebook import Rulebook, characteristics, stratum_levels
from equitydata.service import Service
from equitydata.sparse import (
    Grouping,
    Merged,
    SparseRule,
    group_names,
    listed_groupings,
    merge_sparse,
    merging_notes,
    shown_as,
    sparse_rule,
)

__all__ = [
    "ALL",
    "ALL_CATEGORY",
    "CROSS",
    "CROSS_CATEGORY",
    "NOT_COLLECTED",
    "SUMS",
    "USERS",
    "Strata",
    "areas_around",
    "stratify",
]

ALL_CATEGORY = "Everyone"
CROSS, CROSS_CATEGORY = " x ", " × "
FEW_STATUS = "few"
NOT_COLLECTED = "not collected"
KEYS = ["characteristic", "label", "level", "ordered", "category", "order", "status"]
STATUS_WORDS: Mapping[str, str] = {
    "declined": "Declined",
    "unsure": "Not sure",
    "not_known": "Not known",
    "not_applicable": "Does not apply",
    "invalid": "Invalid code",
    "missing": "Missing",
    "few": "Groups of few people",
}
# A level of more groups (small areas of a large service) is left out: nobody reads it, and no group in it is large.
MOST_GROUPS = 400
OTHER_AREA = "Elsewhere"
DEFAULT_CROSSINGS: Mapping[str, Sequence[tuple[str, str]]] = {
    "patients": (("ethnicity", "sex"), ("ethnicity", "deprivation")),
    "staff": (("ethnicity", "grade"), ("ethnicity", "level"), ("sex", "grade"), ("sex", "level")),
}
# People for each cell that a crossing may have at its coarsest; below that nothing in it could be judged.
PEOPLE_A_CELL = 5
FINEST_KINDS = ("birth_date", "postcode")


@dataclass(frozen=True)
class Level:
    """One way to group a characteristic.

    fold : finest category -> group; a category that is not in it is a group of its own where `own` holds.
    declared : groups in order. collected : of these, the ones that the code list in use has.
    """

    name: str
    label: str
    ordered: bool
    fold: Mapping[str, str]
    declared: tuple[str, ...]
    collected: frozenset[str]


@dataclass(frozen=True)
class Strata:
    """Every group at every level, for every measure; see the columns in the functions that read them.

    strata : measure, KEYS and SUMS, one row a measure and stratum. People of unknown group have a status and words.
    cells : measure, characteristic, level, category, status, age_from, sex and SUMS.
    values : measure, characteristic, level, category, status, value, people, for measures that are quantiles.
    periods : as strata by period and order. pairs : sums of products between the first and the last period.
    places : measure, by, place and SUMS. labels : characteristic -> words.
    notes : what was left out or put together, and why.
    merged : (characteristic, level) -> groups of few people that are shown as one.
    """

    strata: pd.DataFrame
    cells: pd.DataFrame
    values: pd.DataFrame
    periods: pd.DataFrame
    pairs: pd.DataFrame
    places: pd.DataFrame
    labels: Mapping[str, str]
    notes: tuple[str, ...] = ()
    merged: Mapping[tuple[str, str], tuple[Merged, ...]] = field(default_factory=dict)

    def parts_of(self, characteristic: str, level: str, category: str) -> tuple[str, ...]:
        """The groups that a category stands for: itself, or those shown as one; of a crossing on both sides."""
        names, levels = characteristic.split(CROSS), level.split(CROSS)
        sides = category.split(CROSS_CATEGORY) if len(names) > 1 else [category]
        if len(sides) != len(names) or len(levels) != len(names):
            return (category,)
        held = [
            next((each.parts for each in self.merged.get((name, one), ()) if each.name == side), (side,))
            for name, one, side in zip(names, levels, sides, strict=True)
        ]
        return tuple(CROSS_CATEGORY.join(each) for each in product(*held))


def stratify(
    counts: OutcomeCounts,
    *,
    labels: Mapping[str, str],
    code_lists: Mapping[str, Sequence[str]],
    rulebook: Rulebook,
    keep: Mapping[str, str] | None = None,
) -> Strata:
    """Every group at every level that its characteristic has.

    labels : characteristic -> words, of those that are stratified. code_lists : the lists met in each.
    keep : characteristic -> group that is not put together with others, such as one that others are held against.
    """
    met: dict[str, pd.Series] = _categories_met(counts.cells)
    nobody = pd.Series(dtype="float64")
    levels = {
        name: _levels(name, met.get(name, nobody), code_lists.get(name, ()), rulebook) for name in labels
    }
    notes = [
        f"{labels[name]}: {level.label} are more than {MOST_GROUPS} groups and are left out."
        for name, found in levels.items()
        for level in found
        if len(level.declared) > MOST_GROUPS
    ]
    kept = {
        name: [level for level in found if len(level.declared) <= MOST_GROUPS]
        for name, found in levels.items()
    }
    merged: dict[tuple[str, str], tuple[Merged, ...]] = {}
    for name, found in kept.items():
        rule = sparse_rule(rulebook, keep=[keep[name]] if keep and name in keep else [])
        if rule is not None:
            merged |= _put_together(name, found, met.get(name, nobody), rule)
    notes += merging_notes(
        merged, labels, {(name, each.name): each.label for name, found in kept.items() for each in found}
    )
    kept = {
        name: [_as_merged(each, merged.get((name, each.name), ())) for each in kept[name]] for name in kept
    }
    fold = _Folding(kept, {**labels, ALL: "Everyone"}, met, rulebook.value("crossing_least_cell"))
    return Strata(
        strata=fold.strata(counts.cells),
        cells=fold.folded(counts.cells, ["age_from", "sex"], SUMS),
        values=fold.folded(counts.values, ["value"], ("people",)),
        periods=fold.folded(counts.periods, ["period", "order"], SUMS),
        pairs=fold.folded(counts.pairs, [], PAIR_SUMS),
        places=counts.places,
        labels=fold.labels,
        notes=(*counts.notes, *notes),
        merged={at: found for at, found in merged.items() if found},
    )


# ---------------------------------------------------------------- crossings


def crossings_of(service: Service, mapped: Iterable[str], people: int) -> list[tuple[str, str]]:
    """The pairs to cross: those asked for, else the usual ones that are mapped.

    Usual are ethnicity by sex and by deprivation; of a workforce ethnicity and sex by grade and level of post.

    mapped : characteristics that people can be stratified by.
    Raises ConfigError for a pair that names what is not mapped, crosses a characteristic with itself or with what is
    made from it, or has more cells at its coarsest levels than the people allow.
    """
    here = list(mapped)
    asked = service.analysis.crossings
    if asked is None:
        usual = DEFAULT_CROSSINGS[service.service.counted]
        return [pair for pair in usual if set(pair) <= set(here)]
    found = []
    for words in asked:
        pair = _pair(words, here, service)
        cells = int(np.prod([_coarsest_groups(name) for name in pair]))
        if cells * PEOPLE_A_CELL > people:
            raise ConfigError(
                f"'{words}' has at least {cells:,} groups, more than {people:,} people allow.",
                where=f"{service.file} [analysis] crossings",
                mend="Cross characteristics of fewer groups, or leave the crossing out.",
            )
        found.append(pair)
    return list(dict.fromkeys(found))


SAME_SOURCE = ({"geography", "deprivation", "postcode"}, {"age", "birth_date"})


def _pair(words: str, mapped: Sequence[str], service: Service) -> tuple[str, str]:
    where = f"{service.file} [analysis] crossings"
    parts = [part.strip() for part in words.replace("×", " x ").split(CROSS)]
    if len(parts) != 2:
        raise ConfigError(f"'{words}' is not a crossing.", where=where, mend='Write "ethnicity x sex".')
    for part in parts:
        if part not in mapped:
            raise ConfigError(f"'{part}' is not mapped.", where=where, mend=nearest(part, mapped))
    overlap = any(set(parts) <= same for same in SAME_SOURCE)
    if parts[0] == parts[1] or overlap:
        raise ConfigError(
            f"'{words}' crosses groups that overlap: one is made from the other.",
            where=where,
            mend="Cross two different characteristics.",
        )
    return parts[0], parts[1]


def _coarsest_groups(name: str) -> int:
    """How many groups the coarsest level of a characteristic has, 2 where that is not told in advance."""
    rules = stratum_levels(name)
    if not rules or any("bands" in rule or "lookup" in rule for rule in rules.values()):
        return 2
    listed = codelists.categories(name)
    sizes = [listed[rule.get("column", "category")].replace("", np.nan).nunique() for rule in rules.values()]
    return max(2, min(sizes))


def stratified(service: Service, mapped: Iterable[str]) -> list[str]:
    """The characteristics that outcomes are stratified by: those asked for, else all that are mapped.

    Raises ConfigError for one that is not mapped.
    """
    here = list(mapped)
    if service.analysis.characteristics is None:
        return here
    for name in service.analysis.characteristics:
        if name not in here:
            raise ConfigError(
                f"'{name}' is not mapped.",
                where=f"{service.file} [analysis] characteristics",
                mend=nearest(name, here),
            )
    return list(service.analysis.characteristics)


# ---------------------------------------------------------------- levels


def _categories_met(cells: pd.DataFrame) -> dict[str, pd.Series]:
    """People by the finest categories that anyone is in, for each characteristic."""
    known = (cells["measure"] == USERS) & (cells["status"] == "known")
    here = cells[known & (cells["characteristic_2"] == "")]
    people = here.groupby(["characteristic", "category"], sort=True)["people"].sum()
    return {str(name): found.droplevel(0) for name, found in people.groupby(level=0, sort=False)}


def _levels(name: str, people: pd.Series, lists: Sequence[str], rulebook: Rulebook) -> list[Level]:
    met = tuple(str(category) for category in people.index)
    if characteristics()[name].kind == "own":
        return _own_words(people, rulebook.value("identifier_k"))
    rules = stratum_levels(name) or {"detailed": {"label": ""}}
    found = []
    for level, rule in rules.items():
        if "bands" in rule:
            found.append(_age_level(level, rule, met, rulebook))
        elif "lookup" in rule:
            found.append(_area_level(level, rule, met))
        else:
            found.append(_listed_level(name, level, rule, met, lists))
    # A level that tells no more than the one before it (a list of five groups has no detailed ones) is left out.
    kept = [
        level
        for place, level in enumerate(found)
        if len(level.declared) > 1 and not any(_same(level, other) for other in found[:place])
    ]
    # A characteristic that is known of nobody still has its people, in rows of unknown group.
    return kept or found[:1]


def _own_words(people: pd.Series, least: float) -> list[Level]:
    """The extract's own words; those that few people share are one group."""
    fold = few_together(people, least)
    declared = tuple(sorted(set(fold.values()), key=lambda name: (name == FEW, name)))
    return [Level("detailed", "", False, fold, declared, frozenset(declared))]


def _same(level: Level, other: Level) -> bool:
    return level.declared == other.declared and dict(level.fold) == dict(other.fold)


def _age_level(level: str, rule: Mapping[str, object], met: Sequence[str], rulebook: Rulebook) -> Level:
    """Years to bands; ages that came as bands keep their own words, in the order of their lower ends."""
    ends = list(rulebook.value(str(rule["bands"])))
    years = pd.to_numeric(pd.Series(met, dtype="object"), errors="coerce")
    names = band_labels(ends)
    cut = pd.cut(years, [*ends, np.inf], right=False, labels=names).astype("object")
    fold = {age: (band if isinstance(band, str) else age) for age, band in zip(met, cut, strict=True)}
    own = sorted((age for age in met if fold[age] == age and age not in names), key=_first_number)
    used = [name for name in names if name in set(fold.values())]
    first, last = (names.index(used[0]), names.index(used[-1])) if used else (0, -1)
    declared = (*names[first : last + 1], *own)
    return Level(level, str(rule["label"]), True, fold, declared, frozenset(declared))


def _first_number(text: str) -> tuple[float, str]:
    words = text.casefold()
    digits = "".join(letter if letter.isdigit() else " " for letter in words).split()
    below = words.startswith(("under", "<", "up to", "below"))
    above = words.startswith(("over", ">", "above"))
    return ((float(digits[0]) if digits else np.inf) - 0.5 * below + 0.5 * above, text)


@cache
def areas_around(column: str) -> dict[str, str]:
    """Small area of either year -> the area around it; wards carry the name of their authority."""
    places = reference.read_table("lsoa21_msoa21_ward24_ltla24_icb24").drop_duplicates("lsoa21_code")
    names = places[column].astype(str)
    if column == "ward24_name":
        names = names + ", " + places["ltla24_name"].astype(str)
    newer = dict(zip(places["lsoa21_code"], names, strict=True))
    older = reference.read_table("lsoa11_lsoa21_ltla22").drop_duplicates("lsoa11_code")
    linked = older.set_index("lsoa11_code")["lsoa21_code"].map(newer).dropna().to_dict()
    return {**linked, **newer}


def _area_level(level: str, rule: Mapping[str, object], met: Sequence[str]) -> Level:
    around = areas_around(str(rule["lookup"]))
    fold = {area: around.get(area, area) for area in met}
    declared = tuple(sorted(set(fold.values())))
    return Level(level, str(rule["label"]), False, fold, declared, frozenset(declared))


def _listed_level(
    name: str, level: str, rule: Mapping[str, object], met: Sequence[str], lists: Sequence[str]
) -> Level:
    """Categories, or the groups that a column of their list puts them in."""
    listed = codelists.categories(name) if characteristics()[name].kind in LISTED_KINDS else None
    label, ordered = str(rule["label"]), bool(rule.get("ordered"))
    if listed is None:
        declared = tuple(sorted(met))
        return Level(level, label, ordered, {each: each for each in met}, declared, frozenset(declared))
    whole = bool(lists) and len(listed) <= MOST_LISTED
    collected = _collected(listed, met, lists) if whole else set(met)
    unused_broad = set(listed.loc[listed["detail"] == "broad", "category"]) - set(met)
    shown = [each for each in listed["category"] if whole or each in collected]
    shown = [
        each for each in [*shown, *sorted(set(met) - set(listed["category"]))] if each not in unused_broad
    ]
    column = rule.get("column")
    if column is None:
        fold = {each: each for each in shown}
        return Level(level, label, ordered, fold, tuple(shown), frozenset(collected & set(shown)))
    words = rule.get("names")
    names = {str(key): str(group) for key, group in words.items()} if isinstance(words, Mapping) else {}
    fold = group_names(listed, shown, str(column), names)
    declared = tuple(dict.fromkeys(fold[each] for each in shown))
    used = frozenset(fold[each] for each in shown if each in collected)
    return Level(level, label, ordered, fold, declared, used)


def _collected(listed: pd.DataFrame, met: Sequence[str], lists: Sequence[str]) -> set[str]:
    unlisted = set(lists) - set(codelists.catalogue()["code_list"])
    return set(listed["category"]) if unlisted else set(codelists.collected_by(lists)) | set(met)


# ---------------------------------------------------------------- groups of few people


def _put_together(
    name: str, levels: Sequence[Level], people: pd.Series, rule: SparseRule
) -> dict[tuple[str, str], tuple[Merged, ...]]:
    """(characteristic, level) -> the groups of few people that are shown as one there."""
    kind = characteristics()[name].kind
    if kind in LISTED_KINDS:
        # By every roll-up of the list, those too that are no level: the table of categories shows the same groups.
        listed = listed_groupings(name, levels[0].fold)
        found = merge_sparse(list(listed.values()), people, rule)
        rules = stratum_levels(name)
        columns = {each.name: str(rules.get(each.name, {}).get("column", "category")) for each in levels}
        return {(name, level): found[column] for level, column in columns.items()}
    things = "areas" if kind == "area" else "groups"
    groupings = [
        Grouping(each.name, each.fold, each.declared, each.ordered, things=things) for each in levels
    ]
    return {(name, level): found for level, found in merge_sparse(groupings, people, rule).items()}


def _as_merged(level: Level, merged: Sequence[Merged]) -> Level:
    """The level with groups of few people as one; it stands where the first of them stood."""
    names = shown_as(merged)
    return replace(
        level,
        fold={category: names.get(group, group) for category, group in level.fold.items()},
        declared=tuple(dict.fromkeys(names.get(group, group) for group in level.declared)),
        collected=frozenset(names.get(group, group) for group in level.collected),
    )


# ---------------------------------------------------------------- folding


@dataclass(frozen=True)
class _Folding:
    """Levels by characteristic, the words of characteristics, and people by finest category.

    least : people that a cell of a crossing holds on average, at least; a group whose cells hold fewer is not crossed.
    """

    levels: Mapping[str, Sequence[Level]]
    words: Mapping[str, str]
    people: Mapping[str, pd.Series]
    least: float

    @property
    def labels(self) -> dict[str, str]:
        """Words of every characteristic and of every crossing that can be made."""
        return dict(self.words)

    def strata(self, cells: pd.DataFrame) -> pd.DataFrame:
        """One row a measure and stratum, declared and not collected ones too."""
        sums = self.folded(cells, [], SUMS)
        measures = pd.DataFrame({"measure": list(dict.fromkeys(cells["measure"]))})
        declared = measures.merge(self._declared(cells), how="cross")
        keys = ["measure", "characteristic", "level", "category", "status"]
        joined = declared.merge(sums, on=keys, how="outer", validate="one_to_one")
        empty = (joined["status"] != NOT_COLLECTED) & joined["people"].isna()
        joined.loc[empty, list(SUMS)] = 0.0
        joined["order"] = joined["order"].fillna(len(joined)).astype("int64")
        places = {name: place for place, name in enumerate(dict.fromkeys(declared["characteristic"]))}
        levels = {
            pair: place
            for place, pair in enumerate(
                dict.fromkeys(zip(declared["characteristic"], declared["level"], strict=True))
            )
        }
        joined = joined.assign(
            _measure=joined["measure"].map({m: place for place, m in enumerate(measures["measure"])}),
            _characteristic=joined["characteristic"].map(places),
            _level=[
                levels.get(pair, 0) for pair in zip(joined["characteristic"], joined["level"], strict=True)
            ],
        ).sort_values(["_measure", "_characteristic", "_level", "order"], kind="stable")
        return joined[["measure", *KEYS, *SUMS]].reset_index(drop=True)

    def folded(self, frame: pd.DataFrame, further: list[str], sums: Sequence[str]) -> pd.DataFrame:
        """A frame at the finest categories, added up to every level; columns measure, stratum, further and sums."""
        keys = ["measure", "characteristic", "level", "category", "status", *further]
        parts = []
        for (first, second), here in self._in_order(frame):
            for level, categories, name in self._folds(str(first), str(second), here):
                known = here["status"] == "known"
                status = here["status"].mask(known & categories.isna(), FEW_STATUS)
                part = here.assign(
                    characteristic=name,
                    level=level,
                    status=status,
                    category=categories.where(status == "known", status.map(STATUS_WORDS)),
                )
                parts.append(part.groupby(keys, sort=True)[list(sums)].sum().reset_index())
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*keys, *sums])

    def _in_order(self, frame: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
        """The rows of each characteristic and crossing, in the order of the words: engines give no order."""
        places = {name: place for place, name in enumerate([ALL, "", *self.words])}
        groups = frame.groupby(["characteristic", "characteristic_2"], sort=False)
        found = [((str(first), str(second)), here) for (first, second), here in groups]
        return sorted(found, key=lambda each: (each[0][1] != "", places[each[0][0]], places[each[0][1]]))

    def _folds(self, first: str, second: str, here: pd.DataFrame) -> Iterable[tuple[str, pd.Series, str]]:
        """Level, category of each row and name, for each level of a characteristic or crossing.

        The category is missing where a group of so few people is not crossed.
        """
        if first == ALL:
            yield ALL, pd.Series(ALL_CATEGORY, index=here.index), ALL
        elif not second:
            for level in self.levels[first]:
                yield level.name, here["category"].map(level.fold), first
        else:
            for one, two in self._crossed_levels(first, second):
                rare = self._rare(first, one, second, two)
                across = here["category_2"].map(two.fold)
                sides = (here["category"].map(one.fold), across.mask(across.isin(rare)))
                # As text even where nobody's group is known.
                left, right = (side.astype("string") for side in sides)
                both = (left + CROSS_CATEGORY + right).astype(object)
                yield f"{one.name}{CROSS}{two.name}", both, f"{first}{CROSS}{second}"

    def _rare(self, first: str, one: Level, second: str, two: Level) -> set[str]:
        """Groups of the second characteristic so few that their cells would hold hardly anyone on average.

        Crossed, a handful of people of a rare sex would hide the cells beside them: of a sum that is known, a small
        count cannot be hidden alone.
        """
        groups = self._people_of(first, one).size
        across = self._people_of(second, two)
        return {str(name) for name, people in across.items() if people < self.least * max(groups, 1)}

    def _people_of(self, name: str, level: Level) -> pd.Series:
        """People by group of a level; empty where nobody's group is known."""
        people = self.people.get(name, pd.Series(dtype="float64"))
        return people.groupby(people.index.map(level.fold)).sum()

    def _crossed_levels(self, first: str, second: str) -> list[tuple[Level, Level]]:
        """Every level of the first with the coarsest of the second: fifths or core20 rather than deciles."""
        coarse = min(self.levels[second], key=lambda level: len(level.declared), default=None)
        return [(one, coarse) for one in self.levels[first]] if coarse is not None else []

    def _declared(self, cells: pd.DataFrame) -> pd.DataFrame:
        """Every declared stratum with its order, and the statuses of people of unknown group that were met."""
        rows = [(ALL, "Everyone", ALL, False, ALL_CATEGORY, 1, "known")]
        pairs = cells[["characteristic", "characteristic_2", "status"]].drop_duplicates()
        for (first, second), here in self._in_order(pairs):
            if first == ALL:
                continue
            met = set(here["status"])
            for name, label, level, few in self._declared_levels(str(first), str(second)):
                unknown = [
                    status for status in STATUS_WORDS if status in met or (few and status == FEW_STATUS)
                ]
                listed = [
                    (category, "known" if category in level.collected else NOT_COLLECTED)
                    for category in level.declared
                ]
                listed += [(STATUS_WORDS[status], status) for status in unknown]
                rows += [
                    (name, label, level.name, level.ordered, category, order, status)
                    for order, (category, status) in enumerate(listed, start=1)
                ]
        return pd.DataFrame(rows, columns=KEYS)

    def _declared_levels(self, first: str, second: str) -> Iterable[tuple[str, str, Level, bool]]:
        """Name, words and level, and whether groups of few people were not crossed."""
        if not second:
            yield from ((first, self.words[first], level, False) for level in self.levels[first])
            return
        for one, two in self._crossed_levels(first, second):
            rare = self._rare(first, one, second, two)
            across = [name for name in two.declared if name not in rare]
            # Nobody is in some declared groups of the second: they are crossed with nobody and left out.
            met = set(self._people_of(second, two).index)
            across = [name for name in across if name in met]
            declared = tuple(f"{a}{CROSS_CATEGORY}{b}" for a in one.declared for b in across)
            collected = frozenset(f"{a}{CROSS_CATEGORY}{b}" for a in one.collected for b in across)
            crossed = Level(f"{one.name}{CROSS}{two.name}", "", False, {}, declared, collected)
            label = (
                f"{self.words[first]}{CROSS_CATEGORY}{self.words[second][0].lower()}{self.words[second][1:]}"
            )
            yield f"{first}{CROSS}{second}", label, crossed, bool(rare & met)
