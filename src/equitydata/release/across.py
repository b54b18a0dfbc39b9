"""Figures that rest on rows of another table, worked out again from what that table shows.

Changes rest on the periods of a trend, the average of places on all places, and what is known of people of unknown
group on their rows in the outcomes: digits of the true values would tell the counts behind them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from equitydata.release.again import COUNTED, move, quotient, stretch
from equitydata.release.book import Flags, Numbers
from equitydata.release.naming_outcomes import known_rows, text
from equitydata.release.rounding import floats, with_few_digits
from equitydata.strata import ALL
from equitydata.tables import SPECS

STRATUM = ["measure", "characteristic", "level", "category"]
PLACE_LIMITS = ("lower_95", "upper_95", "lower_998", "upper_998")


def worked_out_across(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Changes, places and known_or_not of released tables, from the rows that trends, places and outcomes show."""
    found = dict(tables)
    if len(found.get("changes", ())) and len(found.get("trends", ())):
        found["changes"] = _changes(found["changes"], found["trends"])
    outcomes = found.get("outcomes")
    if len(found.get("places", ())):
        found["places"] = _places(found["places"], outcomes)
    if len(found.get("known_or_not", ())) and outcomes is not None and len(outcomes):
        found["known_or_not"] = _known_or_not(found["known_or_not"], outcomes)
    return {
        name: with_few_digits(frame, SPECS[name])
        if name in ("changes", "places", "known_or_not") and frame is not tables[name]
        else frame
        for name, frame in found.items()
    }


def _sums(frame: pd.DataFrame, where: pd.Series, keys: list[str]) -> pd.DataFrame:
    """Numerators and denominators that are shown, added up by some columns."""
    here = frame.loc[where, keys].assign(
        numerator=floats(frame.loc[where, "numerator"]), denominator=floats(frame.loc[where, "denominator"])
    )
    return here.groupby(keys, sort=False)[["numerator", "denominator"]].sum()


def _looked_up(sums: pd.DataFrame, *keys: pd.Series) -> tuple[Numbers, Numbers]:
    index = pd.MultiIndex.from_arrays(list(keys)) if len(keys) > 1 else pd.Index(keys[0])
    found = sums.reindex(index)
    return floats(found["numerator"]), floats(found["denominator"])


# ---------------------------------------------------------------- changes


def _changes(frame: pd.DataFrame, trends: pd.DataFrame) -> pd.DataFrame:
    shown = frame.copy()
    counted = text(trends["statistic"]).isin(COUNTED)
    own = _sums(trends, counted & trends["numerator"].notna(), [*STRATUM, "period"])
    whole = _sums(trends, counted & (trends["characteristic"] == ALL), ["measure", "period"])
    unknown = _sums(trends, counted & ~known_rows(trends), ["measure", "characteristic", "level", "period"])
    values, rests = {}, {}
    for end in ("first", "last"):
        period = frame[f"{end}_period"]
        n, d = _looked_up(own, *(frame[key] for key in STRATUM), period)
        all_n, all_d = _looked_up(whole, frame["measure"], period)
        no_n, no_d = _looked_up(unknown, frame["measure"], frame["characteristic"], frame["level"], period)
        values[end] = quotient(n, d)
        rests[end] = quotient(all_n - np.nan_to_num(no_n) - n, all_d - np.nan_to_num(no_d) - d)
        _put(shown, end, values[end])
        _put(shown, f"gap_{end}", values[end] - rests[end])
        _put(shown, f"ratio_{end}", quotient(values[end], rests[end]))
    where = np.isfinite(values["first"]) & np.isfinite(values["last"])
    move(shown, "change", values["last"] - values["first"], where)
    stretch(shown, "relative_change", quotient(values["last"], values["first"]), where)
    gaps = {end: values[end] - rests[end] for end in values}
    move(shown, "gap_change", gaps["last"] - gaps["first"], where)
    ratios = {end: quotient(values[end], rests[end]) for end in values}
    stretch(shown, "ratio_change", quotient(ratios["last"], ratios["first"]), where)
    return shown


def _put(shown: pd.DataFrame, name: str, again: Numbers) -> None:
    """A figure worked out again, where it was there before and can be."""
    before = floats(shown[name])
    shown[name] = np.where(np.isfinite(before) & np.isfinite(again), again, before)


# ---------------------------------------------------------------- places


def _places(frame: pd.DataFrame, outcomes: pd.DataFrame | None) -> pd.DataFrame:
    """The average of all places: of those shown where none is hidden, else of everyone."""
    shown = frame.copy()
    keys = ["measure", "by"]
    sums = _sums(frame, text(frame["statistic"]).isin(COUNTED), keys)
    average = quotient(*_looked_up(sums, frame["measure"], frame["by"]))
    some_hidden = frame.groupby(keys, sort=False)["hidden"].transform("any").to_numpy(dtype=bool)
    if outcomes is not None and len(outcomes):
        everyone = _sums(outcomes, outcomes["characteristic"] == ALL, ["measure"])
        average = np.where(some_hidden, quotient(*_looked_up(everyone, frame["measure"])), average)
    counted = np.array(text(frame["statistic"]).isin(COUNTED), dtype=bool)
    before = floats(shown["average"])
    usable = counted & np.isfinite(before) & np.isfinite(average)
    shown["average"] = np.where(usable, average, before)
    for limit in PLACE_LIMITS:
        value = floats(shown[limit])
        shown[limit] = np.where(usable, np.maximum(value + average - before, 0.0), value)
    return shown


# ---------------------------------------------------------------- people of unknown group


def _known_or_not(frame: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """People of unknown group are the rows of theirs that are shown; those of known group are everyone else."""
    shown = frame.copy()
    first = outcomes.groupby(["measure", "characteristic"], sort=False)["level"].transform("first")
    counted: pd.Series = text(outcomes["statistic"]).isin(COUNTED)
    everyone = _sums(outcomes, counted & (outcomes["characteristic"] == ALL), ["measure"])
    of_unknown = counted & ~known_rows(outcomes) & (outcomes["level"] == first)
    unknown = _sums(outcomes, of_unknown, ["measure", "characteristic"])
    n, d = _looked_up(unknown, frame["measure"], frame["characteristic"])
    all_n, all_d = _looked_up(everyone, frame["measure"])
    not_known, known = quotient(n, d), quotient(all_n - n, all_d - d)
    usable: Flags = np.isfinite(not_known) & np.isfinite(known)
    for name, again in (("known_value", known), ("unknown_value", not_known)):
        _put(shown, name, again)
    move(shown, "difference", floats(shown["known_value"]) - floats(shown["unknown_value"]), usable)
    stretch(shown, "ratio", quotient(shown["known_value"], shown["unknown_value"]), usable)
    return shown
