"""Released counts -> the shares, rates, gaps and ratios that rest on them, worked out again."""

from __future__ import annotations

import numpy as np
import pandas as pd

from equitydata.release.book import Flags, Numbers
from equitydata.release.naming_outcomes import SHARE
from equitydata.release.rounding import floats
from equitydata.stats.one_group.counts import count_limits
from equitydata.stats.one_group.proportions import wilson
from equitydata.tables import TableSpec

# Statistics that are a count over a count, or over time.
COUNTED = (SHARE, "rate", "population_rate")


def worked_out_again(frame: pd.DataFrame, spec: TableSpec, *, confidence: float = 0.95) -> pd.DataFrame:
    """Shares, rates, gaps and ratios of a released table from the counts that it shows.

    Limits of rates, and all of representation, are worked out from the shown counts too, as they would tell a count.
    Other limits move with their estimate. Values that are standardised or adjusted, means and quantiles stay, and so do
    figures that come from elsewhere, such as a target.
    """
    shown = frame.copy()
    if spec.name == "representation":
        return _representation_again(shown, confidence)
    if "statistic" not in spec.columns or "numerator" not in spec.columns:
        return shown
    counted = np.array(frame["statistic"].isin(COUNTED), dtype=bool)
    if spec.name == "comparisons":
        counted &= np.array(frame["adjustment"] == "crude", dtype=bool)
    for value, prefix in (("value", ""), ("comparator_value", "comparator_")):
        if not {value, f"{prefix}numerator"} <= set(spec.columns):
            continue
        again = quotient(frame[f"{prefix}numerator"], frame[f"{prefix}denominator"])
        before = floats(frame[value])
        usable = counted & np.isfinite(again) & np.isfinite(before)
        shown[value] = np.where(usable, again, before)
        if not prefix and {"lower", "upper"} <= set(spec.columns):
            _scale(shown, ("lower", "upper"), before, again, usable)
    if {"lower", "upper", "design_effect"} <= set(spec.columns):
        _rate_limits(shown, counted & np.array(frame["statistic"] != SHARE, dtype=bool), confidence)
    if {"difference", "comparator_numerator"} <= set(spec.columns):
        gap = floats(shown["value"]) - floats(shown["comparator_value"])
        move(shown, "difference", gap, counted)
        stretch(shown, "ratio", quotient(shown["value"], shown["comparator_value"]), counted)
    return shown


def _rate_limits(shown: pd.DataFrame, where: Flags, confidence: float) -> None:
    """Limits of rates from the shown counts, divided by the design effect as the true ones were."""
    effect = np.nan_to_num(floats(shown["design_effect"]), nan=1.0)
    events, time = (floats(shown[column]) / effect for column in ("numerator", "denominator"))
    lower, upper = count_limits(np.where(where, events, np.nan), confidence=confidence)
    for name, limit in (("lower", lower), ("upper", upper)):
        shown[name] = np.where(where & np.isfinite(limit), _over(limit, time), floats(shown[name]))


def _over(top: Numbers, bottom: Numbers) -> Numbers:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Numbers = np.where(bottom > 0, top / bottom, np.nan)
    return found


def _representation_again(shown: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Every estimate from the shown counts and the residents, which are public; missing ones stay missing."""
    people, of = floats(shown["numerator"]), floats(shown["denominator"])
    residents, theirs = floats(shown["residents"]), floats(shown["residents_share"])
    share = _over(people, of)
    low, high = wilson(np.where(people <= of, people, np.nan), of, confidence=confidence)
    fewest, most = count_limits(people, confidence=confidence)
    standard = floats(shown["standardised_ratio"])
    before = floats(shown["_true_numerator"]) if "_true_numerator" in shown else people
    expected = _over(before, standard)
    again = {
        "ratio": (_over(share, theirs), _over(low, theirs), _over(high, theirs)),
        "gap": (share - theirs, low - theirs, high - theirs),
        "rate": tuple(1000 * _over(each, residents) for each in (people, fewest, most)),
        "standardised_ratio": tuple(_over(each, expected) for each in (people, fewest, most)),
    }
    for name, estimates in again.items():
        for column, values in zip((name, f"{name}_lower", f"{name}_upper"), estimates, strict=True):
            had = np.isfinite(floats(shown[column]))
            shown[column] = np.where(had, values, np.nan)
    for column, values in (
        ("gap_people", people - of * theirs),
        ("share_of_all", _over(people, of + floats(shown["unknown"]))),
    ):
        shown[column] = np.where(np.isfinite(floats(shown[column])), values, np.nan)
    return shown.drop(columns="_true_numerator", errors="ignore")


def quotient(over: pd.Series | Numbers, under: pd.Series | Numbers) -> Numbers:
    """One over the other, missing where that is not a positive number of anything."""
    top, bottom = (floats(pd.Series(each)) for each in (over, under))
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Numbers = np.where(bottom > 0, top / bottom, np.nan)
    return found


def move(shown: pd.DataFrame, name: str, again: Numbers, where: Flags) -> None:
    """An estimate worked out again, its limits moved by as much."""
    before = floats(shown[name])
    usable = where & np.isfinite(before) & np.isfinite(again)
    for column in (f"{name}_lower", f"{name}_upper"):
        if column in shown:
            limit = floats(shown[column])
            shown[column] = np.where(usable, limit + again - before, limit)
    shown[name] = np.where(usable, again, before)


def stretch(shown: pd.DataFrame, name: str, again: Numbers, where: Flags) -> None:
    """An estimate on a scale of ratios worked out again, its limits in proportion."""
    before = floats(shown[name])
    usable = where & np.isfinite(before) & np.isfinite(again)
    _scale(shown, (f"{name}_lower", f"{name}_upper"), before, again, usable)
    shown[name] = np.where(usable, again, before)


def _scale(
    shown: pd.DataFrame, limits: tuple[str, str], before: Numbers, again: Numbers, usable: Flags
) -> None:
    usable = usable & (before > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(usable, again / before, 1.0)
    for column in limits:
        shown[column] = floats(shown[column]) * factor
