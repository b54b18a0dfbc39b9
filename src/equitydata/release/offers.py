"""What is hidden as small and could be seen if it were merged: one sentence for each characteristic.

Merging comes before the analysis, so a release cannot do it: it offers it, and says of which groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from equitydata.completeness import LEVEL_OF_STRATA, merged_categories
from equitydata.release.book import Flags
from equitydata.rulebook import Choice, DisclosureRule, characteristics, load_rulebook, stratum_levels
from equitydata.sparse import MERGE

CHOICE = "sparse_categories"
NAMED_AT_MOST = 6
# Kinds whose levels are no roll-ups of one list: the table of categories does not show them as outcomes do.
BEYOND_LISTS = ("age", "area")


@dataclass(frozen=True)
class _Offer:
    """Groups of one level that are hidden and could be merged. words : what the groups of the level are called."""

    label: str
    words: str
    groups: tuple[str, ...]

    def __str__(self) -> str:
        number, names = len(self.groups), ", ".join(self.groups[:NAMED_AT_MOST])
        names += f" and {number - NAMED_AT_MOST} more" if number > NAMED_AT_MOST else ""
        are, they, their = ("is", "it is", "its") if number == 1 else ("are", "they are", "their")
        return (
            f"{self.label}: {number} of the {self.words} {are} hidden as small ({names}). "
            f'With [rules] {CHOICE} = "{MERGE}" {they} shown together with others of {their} broader group.'
        )


def merging_offers(
    tables: Mapping[str, pd.DataFrame],
    hidden: Mapping[str, Flags],
    *,
    rule: DisclosureRule,
    choices: Mapping[str, Choice],
) -> tuple[str, ...]:
    """A sentence for each characteristic of which groups of few people are hidden and merging would show them.

    tables : of true counts; `categories` and `outcomes` are looked at. hidden : their hidden rows, by position.
    rule : the small-number rule in force. choices : those of the result.
    Empty where groups are merged already, and where merging would show nothing more. Names of groups only.
    """
    chosen = {name: choice.value for name, choice in choices.items()}
    if not rule.hide_up_to or chosen.get(CHOICE) == MERGE:
        return ()
    offers: dict[str, _Offer] = {}
    if "categories" in tables:
        merging = {**chosen, CHOICE: MERGE, "disclosure": rule.name}
        offers |= _in_categories(tables["categories"], hidden["categories"], rule, merging)
    if "outcomes" in tables:
        offers |= _in_outcomes(tables["outcomes"], hidden["outcomes"], rule)
    return tuple(str(offer) for offer in offers.values())


def _in_categories(
    frame: pd.DataFrame, hidden: Flags, rule: DisclosureRule, merging: Mapping[str, object]
) -> dict[str, _Offer]:
    """Hidden categories that would be merged if they were; of each characteristic the first level with any."""
    # Ages and areas have levels of their own in the outcomes; here they are years and authorities.
    beyond = frame["characteristic"].map(lambda name: _kind(str(name)) in BEYOND_LISTS).astype(bool)
    detailed = frame[(frame["level"] == "detailed") & ~beyond & frame["numerator"].notna()]
    people = detailed[["characteristic", "category"]].assign(people=detailed["numerator"].astype(float))
    would_be = merged_categories(people, {}, load_rulebook(merging))
    small = frame[hidden & (frame["numerator"] <= rule.hide_up_to) & (frame["numerator"] > 0)]
    found: dict[str, _Offer] = {}
    for (name, level), merged in would_be.items():
        here = small[(small["characteristic"] == name) & (small["level"] == level)]
        parts = {part for each in merged for part in each.parts}
        groups = tuple(str(each) for each in here["category"] if each in parts)
        if groups and name not in found:
            words = _level_words(name, LEVEL_OF_STRATA[level])
            found[name] = _Offer(str(here["label"].iloc[0]), words, groups)
    return found


def _in_outcomes(frame: pd.DataFrame, hidden: Flags, rule: DisclosureRule) -> dict[str, _Offer]:
    """Hidden bands of age and areas: of each characteristic the level with most of them, if there are several."""
    here = frame.assign(_hidden=hidden)[frame["status"] == "known"]
    here = here[here["characteristic"].map(lambda name: _kind(str(name)) in BEYOND_LISTS).astype(bool)]
    found: dict[str, _Offer] = {}
    for (each, at), rows in here.groupby(["characteristic", "level"], sort=False):
        name, level = str(each), str(at)
        groups = rows.groupby("category", sort=False).agg(people=("people", "max"), hidden=("_hidden", "all"))
        small = groups[groups["hidden"] & (groups["people"] > 0) & (groups["people"] <= rule.hide_up_to)]
        names = tuple(str(group) for group in small.index)
        most = len(found[name].groups) if name in found else 0
        if len(names) > max(most, 1 if _kind(name) == "area" else 0):
            found[name] = _Offer(str(rows["label"].iloc[0]), _level_words(name, level), names)
    return found


def _kind(name: str) -> str:
    return characteristics()[name].kind if name in characteristics() else ""


def _level_words(name: str, level: str) -> str:
    return str(stratum_levels(name).get(level, {}).get("label", "")) or "groups"
