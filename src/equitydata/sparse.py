"""Groups of few people -> one group with others of their broader group, before anything is analysed.

What is hidden in a release is lost; what is put together beforehand is seen, under a broader name. The roll-ups of
the code lists say what belongs together: detailed ethnic groups within the five, deciles within fifths, small areas
within middle-layer ones. Levels are gone through from the coarsest to the finest, so that a group that is put
together on one level holds whole groups of every finer level.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import pandas as pd

from equitydata import codelists
from equitydata.rulebook import Rulebook, characteristics, disclosure_rule, stratum_levels

MERGE = "merge"
LONGEST_NAME = 60
NUMBERS = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
# A few middle-layer areas lie across two authorities: a level that holds all but so few groups whole is their parent.
ALMOST_ALL = 0.99
MOST_TOLD = 40  # groups that one note lists
SPAN = re.compile(r"(\D*?)(\d+)(?:(?: to | and )(\d+)|( and over))?")
TOGETHER = re.compile(r"[A-Z]\w+ (?:(.+) (?:groups|areas) together|(?:groups|areas) together \((.+)\))")
SMALLER = re.compile("Smaller (?:groups|areas) together")
AND_OVER = 10**6


@dataclass(frozen=True)
class SparseRule:
    """Which groups are put together. few : most people of a group that is sparse.

    joined : share of all people that a group may hold at most to join others that are still few together.
    neighbour : the same of a band that a neighbouring one of few people joins.
    keep : groups that stay as they are, such as one that others are held against.
    """

    few: int
    joined: float
    neighbour: float
    keep: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Grouping:
    """One way to group the finest categories of a characteristic.

    fold : finest category -> group. order : its groups in order. ordered : neighbours belong together (bands).
    broad : groups whose people are known no closer ("Asian (broad)"); they go together with none but broad ones.
    things : what its groups are called together. unit : what a group of a bare number is called ("Decile").
    """

    name: str
    fold: Mapping[str, str]
    order: tuple[str, ...]
    ordered: bool = False
    broad: frozenset[str] = frozenset()
    things: str = "groups"
    unit: str = ""


@dataclass(frozen=True)
class Merged:
    """Groups that are shown as one: its name, and the groups that it holds in their order."""

    name: str
    parts: tuple[str, ...]


def sparse_rule(rulebook: Rulebook, keep: Iterable[str] = ()) -> SparseRule | None:
    """The rule in force; None where groups of few people stay as they are. keep : see SparseRule."""
    few = disclosure_rule(rulebook.value("disclosure")).hide_up_to
    if rulebook.value("sparse_categories") != MERGE or not few:
        return None
    return SparseRule(
        few=few,
        joined=float(rulebook.value("sparse_joined_share")),
        neighbour=float(rulebook.value("sparse_neighbour_share")),
        keep=frozenset(keep),
    )


def shown_as(merged: Iterable[Merged]) -> dict[str, str]:
    """Group -> the merged one that it is in."""
    return {part: each.name for each in merged for part in each.parts}


# ---------------------------------------------------------------- roll-ups of the lists


def group_names(
    listed: pd.DataFrame, categories: Iterable[str], column: str, names: Mapping[str, str]
) -> dict[str, str]:
    """Category -> the group that a column of its list puts it in: itself where no list names it, else "Other".

    names : what the values of the column are called, where they are not words already.
    """
    groups = dict(zip(listed["category"], listed[column].map(_as_key), strict=True))
    keys = {each: groups.get(each, each) for each in categories}
    return {each: names.get(key, key) or "Other" for each, key in keys.items()}


def _as_key(value: object) -> str:
    """A cell of a list as text: 1.0 and 1 are the same group."""
    return "" if value is None or value != value else str(value).removesuffix(".0")


def listed_groupings(name: str, categories: Iterable[str]) -> dict[str, Grouping]:
    """Every roll-up of the list of a characteristic by its column; `category` is the categories themselves.

    categories : those that are shown. They are taken in the order of the list, and others by name.
    """
    listed = codelists.categories(name)
    levels = {str(rule.get("column", "category")): rule for rule in stratum_levels(name).values()}
    columns = [each for each in dict.fromkeys(["category", "group", *levels]) if each in listed]
    place = {each: number for number, each in enumerate(listed["category"])}
    inside = sorted(categories, key=lambda each: (place.get(each, len(place)), each))
    broad = frozenset(listed.loc[listed["detail"] == "broad", "category"]) & set(inside)
    bare = "Decile" if characteristics()[name].kind == "decile" else ""
    found = {}
    for column in columns:
        rule = levels.get(column, {})
        fold = group_names(listed, inside, column, rule.get("names", {}))
        found[column] = Grouping(
            name=column,
            fold=fold,
            order=tuple(dict.fromkeys(fold.values())),
            ordered=bool(rule.get("ordered")),
            broad=broad if column == "category" else frozenset(),
            unit=bare if column == "category" else "",
        )
    return found


# ---------------------------------------------------------------- which groups are put together


def merge_sparse(
    groupings: Sequence[Grouping], people: pd.Series, rule: SparseRule
) -> dict[str, tuple[Merged, ...]]:
    """The groups that are put together, by the name of the grouping.

    groupings : of the same finest categories, the nearest levels beside each other. people : people by finest category.
    Of each parent the sparse groups go together; where they are still few, the next smallest of the parent joins, if it
    is not large. What is still sparse then goes with others of the parent as that one is itself put together. Ordered
    groups go with the smaller of their neighbours, one by one. A group of nobody stays as it is, and no level is left
    with one group alone.
    """
    found: dict[str, tuple[Merged, ...]] = {}
    for grouping in sorted(groupings, key=lambda each: len(each.order)):
        sizes = people.groupby([grouping.fold[str(each)] for each in people.index]).sum()
        level = _Level(grouping, {str(group): float(size) for group, size in sizes.items()}, rule)
        holder, parents = _holders(grouping, groupings)
        level.put_together(parents)
        if holder and found[holder]:
            above = shown_as(found[holder])
            level.put_together({group: above.get(parent, parent) for group, parent in parents.items()})
        found[grouping.name] = level.merged()
    return found


def _holders(grouping: Grouping, others: Sequence[Grouping]) -> tuple[str, dict[str, str]]:
    """The grouping of the level above, '' for none, and the parent of each group.

    Above is the nearest of the coarser ones that holds (almost) every group whole; a group across two has no parent.
    """
    at = next(place for place, other in enumerate(others) if other.name == grouping.name)
    for _, other in sorted(enumerate(others), key=lambda each: abs(each[0] - at)):
        if len(other.order) >= len(grouping.order):
            continue
        held: dict[str, set[str]] = {}
        for category, group in grouping.fold.items():
            held.setdefault(group, set()).add(other.fold[category])
        parents = {group: next(iter(above)) for group, above in held.items() if len(above) == 1}
        if len(parents) >= ALMOST_ALL * len(held):
            return other.name, parents
    return "", dict.fromkeys(grouping.order, "")


@dataclass
class _Level:
    """One level while its groups are put together: blocks of groups in order, and the parent that each was made in."""

    grouping: Grouping
    people: Mapping[str, float]
    rule: SparseRule
    blocks: list[tuple[str, ...]] = field(default_factory=list)
    made_in: dict[tuple[str, ...], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.blocks = [(group,) for group in self.grouping.order]

    def size(self, block: tuple[str, ...]) -> float:
        return sum(self.people.get(group, 0.0) for group in block)

    def is_sparse(self, block: tuple[str, ...]) -> bool:
        return 0 < self.size(block) <= self.rule.few

    def merged(self) -> tuple[Merged, ...]:
        return tuple(
            Merged(_name(self.grouping, block, self.made_in[block]), block)
            for block in self.blocks
            if len(block) > 1
        )

    def put_together(self, parents: Mapping[str, str]) -> None:
        """Put sparse blocks together with others of the same parent. parents : group -> parent."""
        for parent, broad in product(dict.fromkeys(parents.values()), (False, True)):
            inside = [
                block
                for block in self.blocks
                if parents.get(block[0]) == parent
                and (block[0] in self.grouping.broad) == broad
                and not self.rule.keep & set(block)
            ]
            if self.grouping.ordered:
                while pair := self._neighbours(inside):
                    inside = [each for each in inside if each not in pair] + [self._join(pair, parent)]
            elif siblings := self._siblings(inside):
                self._join(siblings, parent)

    def _join(self, blocks: Sequence[tuple[str, ...]], parent: str) -> tuple[str, ...]:
        held = {group for block in blocks for group in block}
        joined = tuple(group for group in self.grouping.order if group in held)
        first = min(self.blocks.index(block) for block in blocks)
        self.blocks[first] = joined
        self.blocks = [block for block in self.blocks if block == joined or block not in blocks]
        self.made_in[joined] = parent
        return joined

    def _leaves_two(self, joining: int) -> bool:
        """Whether two groups with people are left where so many become one."""
        return sum(self.size(block) > 0 for block in self.blocks) - joining >= 1

    def is_large(self, block: tuple[str, ...], share: float) -> bool:
        """Whether a block holds more than a share of all people, so that it is not given up for a few."""
        return self.size(block) > max(share * sum(self.people.values()), self.rule.few)

    def _siblings(self, inside: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
        few = [block for block in inside if self.is_sparse(block)]
        if sum(map(self.size, few)) <= self.rule.few:
            others = sorted((block for block in inside if self.size(block) > self.rule.few), key=self.size)
            if not few or not others or self.is_large(others[0], self.rule.joined):
                return []
            few.append(others[0])
        return few if len(few) > 1 and self._leaves_two(len(few)) else []

    def _neighbours(self, inside: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """The smallest sparse block that has a neighbour, with the smaller one, and what is empty between them."""
        if not self._leaves_two(2):
            return []
        for block in sorted(filter(self.is_sparse, inside), key=self.size):
            at = self.blocks.index(block)
            runs = [
                run
                for way in (self.blocks[at + 1 :], self.blocks[:at][::-1])
                if (run := self._up_to_people(way, inside))
            ]
            if runs:
                return [block, *min(runs, key=lambda run: self.size(run[-1]))]
        return []

    def _up_to_people(
        self, way: Sequence[tuple[str, ...]], inside: Sequence[tuple[str, ...]]
    ) -> list[tuple[str, ...]]:
        """The blocks along a way up to the first with people; empty where that is large or in another parent."""
        for place, block in enumerate(way):
            if block not in inside or self.is_large(block, self.rule.neighbour):
                return []
            if self.size(block) > 0:
                return list(way[: place + 1])
        return []


# ---------------------------------------------------------------- names


def _name(grouping: Grouping, block: tuple[str, ...], parent: str) -> str:
    """What a merged group is called: "Arab or Any other", "Three White groups together", "75 and over"."""
    name = _span(grouping, block) if grouping.ordered else ""
    if not name and len(block) == 2:
        name = (" with " if any(" or " in part for part in block) else " or ").join(block)
    if name and len(name) <= LONGEST_NAME:
        return name
    if not parent or SMALLER.fullmatch(parent):
        return f"Smaller {grouping.things} together"
    # What is itself put together is named by what holds it.
    parent = _held_in(parent) or parent
    number = NUMBERS[len(block)].capitalize() if len(block) < len(NUMBERS) else "Many"
    if " " not in parent:
        return f"{number} {parent} {grouping.things} together"
    start = f"{number} {grouping.things} together"
    return f"{start} ({textwrap.shorten(parent, LONGEST_NAME - len(start) - 3, placeholder=' ...')})"


def _span(grouping: Grouping, block: tuple[str, ...]) -> str:
    """The name of neighbours by their ends: "0 to 4", "Deciles 9 and 10"; the first and the last of words."""
    first, last = SPAN.fullmatch(block[0]), SPAN.fullmatch(block[-1])
    if not first or not last or first[1] != last[1]:
        return "" if len(block) == 2 else f"{block[0]} to {block[-1]}"
    unit, low, high = first[1].strip() or grouping.unit, first[2], last[3] or last[2]
    if last[4]:
        return f"{low} and over"
    between = "and" if unit and int(high) == int(low) + 1 else "to"
    return f"{unit}s {low} {between} {high}" if unit else f"{low} to {high}"


def parts_told(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """The groups that the name of a merged one tells: of "Arab or Any other", "Deciles 9 and 10", "75 and over".

    known : the groups of the level. Empty where the name tells none, or is a group's own.
    """
    groups = list(known)
    if name in groups:
        return ()
    for between in (" or ", " with "):
        places = [each.start() for each in re.finditer(between, name)]
        for place in places:
            pair = name[:place], name[place + len(between) :]
            if set(pair) <= set(groups):
                return pair
    span = _numbers(name)
    inside = [each for each in groups if span and (own := _numbers(each)) and _within(own, span)]
    return tuple(inside) if len(inside) > 1 else ()


def parents_shown(finer: Iterable[str], coarser: Iterable[str], parents: Mapping[str, str]) -> dict[str, str]:
    """Group of a finer level -> the one of a coarser level that holds it, where either may be merged; by their names.

    finer, coarser : the groups that are shown. parents : group -> parent, as the roll-ups have them.
    A group is left out where the names do not tell which one holds it.
    """
    above, shown = set(parents.values()), set(coarser)
    stands = {parent: parent for parent in above & shown}
    unnamed = []
    for name in shown - above:
        parts = parts_told(name, above)
        stands |= dict.fromkeys(parts, name)
        if not parts and _is_together(name):
            unnamed.append(name)
    if len(unnamed) == 1:
        stands = dict.fromkeys(above - stands.keys(), unnamed[0]) | stands
    found = {}
    for name in finer:
        held = {stands.get(parents[part]) for part in parts_told(name, parents) or (name,) if part in parents}
        if not held and _is_together(name):
            told = _held_in(name) or name
            alike = [other for other in unnamed if other == name or _held_in(other) == told]
            held = {told if told in shown else stands.get(told, alike[0] if len(alike) == 1 else None)}
        holder = held.pop() if len(held) == 1 else None
        if holder is not None:
            found[name] = holder
    return found


def _is_together(name: str) -> bool:
    return TOGETHER.fullmatch(name) is not None or SMALLER.fullmatch(name) is not None


def _held_in(name: str) -> str:
    """The group that a name says it lies in: of "Three White groups together" White; empty where it says none."""
    told = TOGETHER.fullmatch(name)
    return (told[1] or told[2]) if told else ""


def _numbers(name: str) -> tuple[int, int] | None:
    span = SPAN.fullmatch(name)
    if not span:
        return None
    return int(span[2]), AND_OVER if span[4] else int(span[3] or span[2])


def _within(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return other[0] <= one[0] and one[1] <= other[1]


# ---------------------------------------------------------------- notes


def merging_notes(
    merged: Mapping[tuple[str, str], Sequence[Merged]],
    labels: Mapping[str, str],
    levels: Mapping[tuple[str, str], str],
) -> tuple[str, ...]:
    """What was put together, in words: once that it was, and the groups of each whose name does not tell them.

    merged : (characteristic, level) -> what was put together there. labels : characteristic -> words.
    levels : (characteristic, level) -> what its groups are called. Names of groups only, and no counts.
    """
    if not any(merged.values()):
        return ()
    notes = [
        "Groups of few people are shown together with others of their broader group "
        f'([rules] sparse_categories = "{MERGE}").'
    ]
    for (name, level), groups in merged.items():
        label, called = labels.get(name, name), levels.get((name, level), "")
        start = f"{label}, {called}: " if called else f"{label}: "
        said = [each for each in groups if not parts_told(each.name, each.parts)]
        if sum(len(each.parts) for each in said) > MOST_TOLD:
            notes.append(f"{start}{len(said)} groups each hold several that are not listed here.")
        else:
            notes += [f"{start}{each.name} are {_listed(each.parts)}." for each in said]
    return tuple(dict.fromkeys(notes))


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
