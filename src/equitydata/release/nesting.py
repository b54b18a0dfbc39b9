"""Which level of a characteristic holds which: detailed groups in five, deciles in fifths, small areas in wards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import pandas as pd

from equitydata import codelists
from equitydata.rulebook import stratum_levels
from equitydata.strata import areas_around

ALMOST_ALL = 0.99


@dataclass(frozen=True)
class Nesting:
    """Categories of a finer level, each with the category of a coarser one that holds it."""

    finer: str
    coarser: str
    parents: Mapping[str, str]


@cache
def nestings(characteristic: str) -> tuple[Nesting, ...]:
    """Every pair of levels of a characteristic of which one holds the other; from rules/strata.toml and its lists."""
    words = _words_of_levels(characteristic)
    return tuple(_pairs(words))


def _words_of_levels(characteristic: str) -> pd.DataFrame:
    """One row for each of the finest categories, one column for each level: the words it goes under there."""
    levels = stratum_levels(characteristic)
    lookups = {name: entry["lookup"] for name, entry in levels.items() if "lookup" in entry}
    if lookups:
        around = {name: areas_around(column) for name, column in lookups.items()}
        areas = pd.Series(
            list(dict.fromkeys(area for each in around.values() for area in each)), dtype="object"
        )
        finest = {name: areas for name, entry in levels.items() if "lookup" not in entry}
        return pd.DataFrame({**{name: areas.map(each) for name, each in around.items()}, **finest})
    try:
        listed = codelists.categories(characteristic)
    except (KeyError, ValueError, OSError):
        # A characteristic of the extract's own has no list of categories, hence no levels.
        return pd.DataFrame()
    words = {}
    for name, entry in levels.items():
        column = entry.get("column", "category")
        if column in listed and not entry.get("bands"):
            names = {str(key): value for key, value in entry.get("names", {}).items()}
            words[name] = (
                listed[column].astype(str).map(lambda text, names=names: names.get(text, text) or "Other")
            )
    return pd.DataFrame(words)


def _pairs(words: pd.DataFrame) -> Iterator[Nesting]:
    for finer in words:
        for coarser in words:
            if finer == coarser:
                continue
            pairs = words[[finer, coarser]].drop_duplicates().dropna()
            apart = pairs[~pairs[finer].duplicated(keep=False)]
            # A few middle-layer areas lie across two authorities; what holds all but a few is a nesting.
            if len(apart) > ALMOST_ALL * len(pairs) and apart[coarser].duplicated().any():
                parents = dict(zip(apart[finer].astype(str), apart[coarser].astype(str), strict=True))
                yield Nesting(str(finer), str(coarser), parents)
