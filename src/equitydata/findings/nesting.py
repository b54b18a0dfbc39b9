"""Which groups hold which, and one finding for one group that is seen at several levels.

Bangladeshi people are Asian people too; Core20 are deciles 1 and 2. The rules, with their reasons, stand in
`rules/findings.toml` under levels and crossings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import permutations, product
from types import MappingProxyType

import pandas as pd

from equitydata import codelists, reference
from equitydata.rulebook import characteristics, stratum_levels
from equitydata.stats.judgement.band import FOUR_FIFTHS, side_of_band
from equitydata.stats.judgement.flags import DISPROPORTIONATE_HIGH, DISPROPORTIONATE_LOW, INSUFFICIENT_DATA
from equitydata.strata import CROSS, CROSS_CATEGORY

DIRECTIONS: Mapping[str, int] = MappingProxyType({DISPROPORTIONATE_HIGH: 1, DISPROPORTIONATE_LOW: -1})

Group = tuple[str, str]  # level and category


def levels_of(characteristic: str) -> tuple[str, ...]:
    """Levels of a characteristic, finest first as a rule; of a crossing the levels of its parts, joined."""
    parts = [tuple(stratum_levels(part) or {"detailed": {}}) for part in characteristic.split(CROSS)]
    return tuple(CROSS.join(names) for names in product(*parts))


def wider(characteristic: str, level: str, category: str) -> frozenset[Group]:
    """The groups of coarser levels that hold every person of this one, itself left out.

    Of a crossing: those that hold it by one part or by both. A group that no list knows is held by none.
    """
    parts = list(
        zip(
            characteristic.split(CROSS), level.split(CROSS), category.split(CROSS_CATEGORY), strict=False
        )  # names with a sign of crossing in them are no crossing, and are held by none
    )
    each = [{(one, name), *_holders(part).get((one, name), ())} for part, one, name in parts]
    held = {
        (CROSS.join(one for one, _ in names), CROSS_CATEGORY.join(name for _, name in names))
        for names in product(*each)
    }
    return frozenset(held - {(level, category)})


@cache
def _holders(characteristic: str) -> Mapping[Group, frozenset[Group]]:
    """(level, category) -> groups of other levels that hold it whole: those that it alone leads to."""
    named = _names_by_level(characteristic)
    found: dict[Group, set[Group]] = {}
    for fine, coarse in permutations(named, 2):
        pairs = pd.DataFrame({"fine": named[fine], "coarse": named[coarse]}).drop_duplicates()
        # A group that lies in several others is held by none; of two that are the same people, the later level holds.
        whole = pairs.drop_duplicates("fine", keep=False)
        if list(named).index(fine) > list(named).index(coarse):
            whole = whole[whole["coarse"].map(pairs["coarse"].value_counts()) > 1]
        for one, other in zip(whole["fine"], whole["coarse"], strict=True):
            found.setdefault((fine, one), set()).add((coarse, other))
    return {group: frozenset(holders) for group, holders in found.items()}


def _names_by_level(characteristic: str) -> dict[str, list[str]]:
    """Level -> the group of each of the finest categories, in one order; empty for a single level."""
    levels = stratum_levels(characteristic)
    if len(levels) < 2 or characteristic not in characteristics():
        return {}
    if any("lookup" in rules for rules in levels.values()):
        places = reference.read_table("lsoa21_msoa21_ward24_ltla24_icb24").drop_duplicates("lsoa21_code")
        named = {
            level: places[str(rules["lookup"]) if "lookup" in rules else "lsoa21_code"].astype(str)
            for level, rules in levels.items()
        }
        if "ward" in named:  # many authorities have a Castle ward: strata name them both
            named["ward"] = named["ward"] + ", " + places["ltla24_name"].astype(str)
        return {level: list(names) for level, names in named.items()}
    listed = codelists.categories(characteristic)
    return {
        level: [
            _group_name(value, rules.get("names", {})) for value in listed[rules.get("column", "category")]
        ]
        for level, rules in levels.items()
        if rules.get("column", "category") in listed
    }


def _group_name(value: object, names: Mapping[str, str]) -> str:
    """A cell of a list of categories as `strata` names the group: 1.0 and 1 alike, blanks Other."""
    key = "" if value is None or value != value else str(value).removesuffix(".0")
    return names.get(key, key) or "Other"


# ---------------------------------------------------------------- one finding for one group


@dataclass(frozen=True)
class Seen:
    """One stratum with its flag, as `explain` needs it.

    key : measure, or what is compared with residents. observed, expected : what was counted, and what the
    comparator's value would give; NaN where a sum has no meaning. same : marks strata of the very same people.
    rest : the same mark of its comparator, so that two groups that are each other's rest are known.
    """

    key: str
    characteristic: str
    level: str
    category: str
    flag: str
    harm: str
    people: float
    ratio: float
    observed: float
    expected: float
    same: tuple[float, ...] = ()
    rest: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """The category, with its level where it is a bare number: "decile 1"."""
        return f"{self.level} {self.category}" if self.category.isdigit() else self.category

    @property
    def group(self) -> Group:
        """Level and category."""
        return self.level, self.category

    @property
    def direction(self) -> int:
        """1 high, -1 low by the flag; by the ratio where the flag has no direction; 0 where neither has one."""
        if self.flag in DIRECTIONS:
            return DIRECTIONS[self.flag]
        return 0 if math.isnan(self.ratio) or self.ratio == 1 else (1 if self.ratio > 1 else -1)

    @property
    def size(self) -> float:
        """|ln ratio|: 0 for none, infinite for a ratio of 0."""
        if math.isnan(self.ratio):
            return 0.0
        return math.inf if self.ratio in (0, math.inf) else abs(math.log(self.ratio))


@dataclass
class Told:
    """What the words of a listed finding say of its relatives: names of categories."""

    same: list[str] = field(default_factory=list)
    drives: list[str] = field(default_factory=list)
    parts_all: list[str] = field(default_factory=list)
    parts_some: list[str] = field(default_factory=list)
    within: list[str] = field(default_factory=list)
    crossing: str = ""


Place = tuple[str, str, str, str]  # key, characteristic, level, category


Still = Callable[[Seen, float], bool]


def explain(
    strata: Iterable[Seen],
    *,
    more: float,
    preferred: tuple[str, ...],
    band: tuple[float, float] = FOUR_FIFTHS,
) -> dict[Place, Told]:
    """Which flagged strata are listed, and what is said of those that are not.

    strata : all known ones, flagged or not. more : factor by which a crossing must go beyond its parts.
    preferred : "characteristic.level" whose name is taken for the same people.
    band : what is left of a wider group without its flagged parts still shows it when it lies outside.
    """

    def still(parent: Seen, left: float) -> bool:
        return bool(side_of_band([left], band)[0] == parent.direction)

    families = by_family(strata)
    listed: dict[Place, Told] = {}
    for (key, characteristic), family in families.items():
        if CROSS not in characteristic:
            found = _within_family(family, frozenset(DIRECTIONS), preferred, still)
            listed |= {(key, characteristic, *group): told for group, told in found.items()}
    for (key, characteristic), family in families.items():
        if CROSS in characteristic:
            beyond = _beyond_parts(family, families, listed, more)
            others = [each for each in family if each.flag not in DIRECTIONS]
            found = _within_family([*beyond, *others], frozenset(DIRECTIONS), preferred, still)
            for group, told in found.items():
                told.crossing = beyond[next(each for each in beyond if each.group == group)]
                listed[(key, characteristic, *group)] = told
    return listed


def explain_small(
    strata: Iterable[Seen], *, flag: str, preferred: tuple[str, ...], part: float
) -> dict[Place, Told]:
    """The same for one flag without a direction, crossings left aside: which strata are listed, and what is said.

    part : what is left of a wider group still shows it when this part of its log ratio is left.
    """

    def still(parent: Seen, left: float) -> bool:
        return left <= 0 or parent.direction * math.log(left) >= part * parent.size

    listed: dict[Place, Told] = {}
    for (key, characteristic), family in by_family(strata).items():
        if CROSS not in characteristic:
            found = _within_family(family, frozenset([flag]), preferred, still)
            listed |= {(key, characteristic, *group): told for group, told in found.items()}
    return listed


def by_family(strata: Iterable[Seen]) -> dict[tuple[str, str], list[Seen]]:
    """Strata by key and characteristic."""
    found: dict[tuple[str, str], list[Seen]] = {}
    for each in strata:
        found.setdefault((each.key, each.characteristic), []).append(each)
    return found


def _within_family(
    family: list[Seen], flags: frozenset[str], preferred: tuple[str, ...], still: Still
) -> dict[Group, Told]:
    """Flagged strata of one characteristic: mirrors and same people once, then parents against their parts."""
    flagged = {each.group: each for each in family if each.flag in flags}
    told = {group: Told() for group in flagged}
    for each in _mirrors(list(flagged.values())):
        del told[each.group]
    _merge_same_people([flagged[group] for group in told], told, preferred)
    # The widest first: it is held by the fewest.
    for parent in sorted((flagged[group] for group in told), key=lambda each: len(_wider(each))):
        if parent.group in told:
            _part_or_whole(parent, family, flagged, told, still)
    return told


def _mirrors(flagged: list[Seen]) -> list[Seen]:
    """Of two groups that are each other's rest, the one that is not listed."""
    dropped: list[Seen] = []
    by_rest: dict[tuple[float, ...], list[Seen]] = {}
    for each in flagged:
        if each.rest:
            by_rest.setdefault(each.rest, []).append(each)
    for each in flagged:
        for other in by_rest.get(each.same, ()) if each.same else ():
            if other.direction == -each.direction and other.rest == each.same and each.rest == other.same:
                first = min((each, other), key=lambda s: (s.harm != "harm", s.people, s.category))
                last = other if first is each else each
                if last not in dropped:
                    dropped.append(last)
    return dropped


def _merge_same_people(flagged: list[Seen], told: dict[Group, Told], preferred: tuple[str, ...]) -> None:
    together: dict[tuple[float, ...], list[Seen]] = {}
    for each in flagged:
        if each.same:
            together.setdefault(each.same, []).append(each)
    for several in together.values():
        kept = next((s for s in several if f"{s.characteristic}.{s.level}" in preferred), several[0])
        related = [
            other
            for other in several
            if other.group != kept.group and (other.group in _wider(kept) or kept.group in _wider(other))
        ]
        for other in related:
            told[kept.group].same.append(other.name)
            del told[other.group]


def _wider(each: Seen) -> frozenset[Group]:
    return wider(each.characteristic, each.level, each.category)


def _part_or_whole(
    parent: Seen,
    family: list[Seen],
    flagged: Mapping[Group, Seen],
    told: dict[Group, Told],
    still: Still,
) -> None:
    """List the parent or its flagged parts: whichever says it more exactly."""
    parts = [each for each in family if each.people > 0 and parent.group in _wider(each)]
    relatives = [
        each
        for each in parts
        if each.group in flagged and each.group in told and each.direction == parent.direction
    ]
    if not relatives:
        return
    # One level alone, the finest that shows it: a person would count twice else.
    by_level = {each.level: [other for other in parts if other.level == each.level] for each in relatives}
    parts = max(by_level.values(), key=len)
    able = [each for each in parts if each.flag != INSUFFICIENT_DATA]
    alike = [each for each in able if each.group in flagged and each.direction == parent.direction]
    expected = parent.expected - sum(each.expected for each in alike)
    observed = parent.observed - sum(each.observed for each in alike)
    left = observed / expected if expected > 1e-9 * parent.expected else math.nan
    if len(alike) == len(able) > 1:
        told[parent.group].parts_all = [each.name for each in alike]
    elif not math.isnan(left) and still(parent, left):
        told[parent.group].parts_some = [each.name for each in alike]
    else:
        for each in alike:
            if each.group in told:
                told[each.group].drives += [parent.name, *told[parent.group].same]
        del told[parent.group]
        return
    for each in relatives:
        told.pop(each.group, None)


def _beyond_parts(
    family: list[Seen],
    families: Mapping[tuple[str, str], list[Seen]],
    listed: dict[Place, Told],
    more: float,
) -> dict[Seen, str]:
    """Flagged strata of a crossing that say more than their parts, and how; the others are named with the part."""
    found: dict[Seen, str] = {}
    for each in family:
        if each.flag not in DIRECTIONS:
            continue
        relatives = [other for other in _relatives_of_parts(each, families) if other.flag == each.flag]
        if not relatives:
            found[each] = "crossing"
        elif each.size >= max(other.size for other in relatives) + math.log(more):
            found[each] = "crossing_more"
        else:
            for other in relatives:
                place = (other.key, other.characteristic, other.level, other.category)
                if place in listed:
                    listed[place].within.append(each.name)
    return found


def _relatives_of_parts(each: Seen, families: Mapping[tuple[str, str], list[Seen]]) -> list[Seen]:
    """Strata of one characteristic that are a part of the crossing, or wider or narrower than one."""
    names = zip(
        each.characteristic.split(CROSS),
        each.level.split(CROSS),
        each.category.split(CROSS_CATEGORY),
        strict=False,
    )
    found = []
    for characteristic, level, category in names:
        up = wider(characteristic, level, category) | {(level, category)}
        for other in families.get((each.key, characteristic), ()):
            if other.group in up or (level, category) in _wider(other):
                found.append(other)
    return found
