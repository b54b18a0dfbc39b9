"""Residents of the service's area in the categories that records are coded to."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from equitydata import codelists, reference
from equitydata.errors import ConfigError

ENGLISH_CELL = "ts0290002"


def residents_by_ethnicity(area_codes: Sequence[str]) -> pd.Series:
    """Residents by detailed ethnic category (2021 names), summed over the areas; empty without an area."""
    if not area_codes:
        return pd.Series(dtype="int64")
    census = reference.population("ethnic_group", area_codes)
    listed = codelists.categories("ethnicity").dropna(subset=["census_2021_code"])
    names = dict(zip(listed["census_2021_code"].astype(str), listed["category"], strict=True))
    return census.set_index(census["category_code"].astype(str).map(names))["count"].rename_axis("category")


def english_share(area_codes: Sequence[str]) -> float | None:
    """Share of residents aged 3 and over whose main language is English; None without an area or figures."""
    if not area_codes:
        return None
    try:
        census = reference.population("english_proficiency", area_codes, leaves=True)
    except ConfigError:
        return None
    total = census["count"].sum()
    return (
        float(census.loc[census["category_code"] == ENGLISH_CELL, "count"].sum() / total) if total else None
    )
