"""Names of places that few records hold: a site met once may be a person's home, so it is not named."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from equitydata.release.naming_outcomes import text
from equitydata.release.rounding import floats, small
from equitydata.rulebook import DisclosureRule

FEW_PLACES = "[a place of few records]"
# Table -> the column with the name of a place, and the count of people or records there.
PLACES_IN: Mapping[str, tuple[str, str]] = {
    "breakdown": ("group", "denominator"),
    "points_of_care": ("point_of_care", "denominator"),
    "places": ("place", "denominator"),
}
# Tables that name places without counting everyone there.
NAMED_IN: Mapping[str, str] = {"needs": "site", "flags": "place", "findings": "category"}
SENTENCES: Mapping[str, tuple[str, ...]] = {
    "next_steps": ("places",),
    "flags": ("finding",),
    "findings": ("finding", "look"),
}
BY_PLACE = ("site", "point_of_care")


def few_places(tables: Mapping[str, pd.DataFrame], rule: DisclosureRule) -> frozenset[str]:
    """Places of which no table counts more people or records than a rule calls small. tables : of true counts."""
    most: dict[str, float] = {}
    for name, (column, count) in PLACES_IN.items():
        frame = tables.get(name)
        if frame is None or frame.empty:
            continue
        here = frame[text(frame["by"]).isin(BY_PLACE)] if name == "breakdown" else frame
        for place, number in zip(text(here[column]), floats(here[count]), strict=True):
            if number == number:
                most[place] = max(most.get(place, 0.0), number)
    numbers = pd.Series(most, dtype="float64")
    return frozenset(numbers.index[small(floats(numbers), rule)])


def without_few_places(tables: Mapping[str, pd.DataFrame], few: frozenset[str]) -> dict[str, pd.DataFrame]:
    """Tables in which such places have no name. tables : as they are written."""
    found = dict(tables)
    if not few:
        return found
    # The longest first, as one name may hold another.
    any_of_them = re.compile("|".join(map(re.escape, sorted(few, key=len, reverse=True))))
    for name, frame in tables.items():
        columns = [PLACES_IN[name][0]] if name in PLACES_IN else [NAMED_IN[name]] if name in NAMED_IN else []
        named = {column: text(frame[column]) for column in columns}
        changed = {
            column: frame[column].where(~words.isin(list(few)), FEW_PLACES) for column, words in named.items()
        }
        for column in SENTENCES.get(name, ()):
            changed[column] = (
                text(frame[column])
                .str.replace(any_of_them, FEW_PLACES, regex=True)
                .where(frame[column].notna(), frame[column])
            )
        if changed and len(frame):
            found[name] = frame.assign(**changed)
    return found
