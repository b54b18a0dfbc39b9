"""Which rows of a table hold a small count, or leave a small number of their whole over: a release's first step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from equitydata.figures import PLACES
from equitydata.release.book import Flags
from equitydata.release.naming_outcomes import SHARE, text
from equitydata.release.rounding import floats, small
from equitydata.rulebook import DisclosureRule
from equitydata.tables import SPECS, TableSpec


def first_hidden(tables: Mapping[str, pd.DataFrame], rule: DisclosureRule) -> dict[str, Flags]:
    """Rows of each table that are hidden for their own counts. Under a rule of midpoints there are none."""
    flags = {name: np.zeros(len(frame), dtype=bool) for name, frame in tables.items()}
    if rule.midpoint or not rule.hide_up_to:
        return flags
    for name, frame in tables.items():
        if SPECS[name].counts:
            flags[name] |= small_rows(frame, SPECS[name], rule).to_numpy(dtype=bool)
    if "known_or_not" in tables:
        flags["known_or_not"] |= _small_unknown(tables["known_or_not"], tables.get("outcomes"), rule)
    return flags


def small_rows(frame: pd.DataFrame, spec: TableSpec, rule: DisclosureRule) -> pd.Series:
    """Which rows hold a small count of people or records, or a small complement of one within its whole."""
    hidden = pd.Series(False, index=frame.index)
    columns = [pd.to_numeric(frame[column], errors="coerce") for column in spec.counts]
    for share in spec.shares:
        numerator = pd.to_numeric(frame[share.numerator], errors="coerce")
        rest = pd.to_numeric(frame[share.denominator], errors="coerce") - numerator
        # Person-time less events counts nobody.
        columns.append(rest if share.only is None else rest.where(frame[share.only[0]] == share.only[1]))
    if not spec.shares and {"statistic", "numerator", "denominator"} <= set(spec.columns):
        rest = pd.to_numeric(frame["denominator"], errors="coerce") - pd.to_numeric(
            frame["numerator"], errors="coerce"
        )
        columns.append(rest.where(frame["statistic"] == SHARE))
    for values in columns:
        hidden |= pd.Series(small(floats(values), rule), index=frame.index)
    return hidden & ~counts_places(frame)


def counts_places(frame: pd.DataFrame) -> pd.Series:
    """Which rows count places, which may be told."""
    return frame["unit"] == PLACES if "unit" in frame else pd.Series(False, index=frame.index)


def _small_unknown(frame: pd.DataFrame, outcomes: pd.DataFrame | None, rule: DisclosureRule) -> Flags:
    """Rows of which few people of known or of unknown group meet the measure, or all of them but few."""
    if outcomes is None or outcomes.empty:
        return np.zeros(len(frame), dtype=bool)
    here = outcomes[text(outcomes["status"]) != "not collected"]
    counts = here[["people", "numerator", "denominator"]].apply(pd.to_numeric, errors="coerce")
    rest = (counts["denominator"] - counts["numerator"]).where(text(here["statistic"]) == SHARE)
    keys = ["measure", "characteristic", "level"]
    is_known = (text(here["status"]) == "known").rename("known")
    sums = counts.assign(rest=rest).fillna(0.0).groupby([*(here[key] for key in keys), is_known]).sum()
    flagged = np.column_stack([small(floats(sums[column]), rule) for column in sums]).any(axis=1)
    found = {(measure, name) for measure, name, _, _ in sums.index[flagged]}
    pairs = zip(frame["measure"], frame["characteristic"], strict=True)
    return np.array([pair in found for pair in pairs], dtype=bool)
