"""Outcomes by place, each against the average of all places: funnels, with and without overdispersion.

A funnel asks of each place alone whether chance could explain its distance from the average. Places often differ by
more than chance for reasons of no concern (who they serve), so each is also held against limits that allow for the
differences between places; such limits can hide a common failing, and the reader sees both.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from equitydata.completeness import NOT_RECORDED
from equitydata.rates.effective import effective
from equitydata.rulebook import Rulebook
from equitydata.service import Measure
from equitydata.stats.answers import MISSING_COUNT, NOBODY, FloatArray, TextArray, add_note, texts
from equitydata.stats.contracts import tails
from equitydata.stats.units import (
    Funnel,
    overdispersed_funnel,
    overdispersion,
    proportion_funnel,
    rate_funnel,
    tail_labels,
)
from equitydata.stats.units.funnels import NO_SPREAD
from equitydata.strata import ALL, Strata
from equitydata.tables import PLACES_TABLE, empty, shape

# A quantile has no sums, and a rate against residents no residents of each place.
COMPARED = ("share", "rate", "mean")
LIMITS = (0.95, 0.998)
POSITIONS: Mapping[str, str] = {
    "low_0.001": "much lower",
    "low_0.025": "lower",
    "not_different": "not different",
    "high_0.025": "higher",
    "high_0.001": "much higher",
    "not_assessed": "not assessed",
}
NOT_ASSESSED = "not assessed"
EXTREMES = ("much lower", "lower", "not different", "higher", "much higher")
# Chance is spread alike for every value on these scales; the root has a place for a place without events.
SCALES: Mapping[str, str] = {"share": "arcsine", "rate": "root"}
WINSORISED = 0.1
TOLD_FROM = 1.005  # a design effect of 1.00 is not worth a word
FEW_PLACES = 10

NO_PLACE = "place not recorded: not in the average and held against none"
ONE_PLACE = "fewer than 2 places: nothing to compare"
NOT_TOLD_APART = "people were not told apart by place: no standard error of the mean"
NO_DIFFERENCES = "everyone has the same value: no standard error"
POORLY_KNOWN = "fewer than 10 places: the differences between them are poorly known"


def place_table(strata: Strata, measures: Mapping[str, Measure], rulebook: Rulebook) -> pd.DataFrame:
    """Every share, rate and mean by place, against the average of all places. Shape: PLACES_TABLE.

    strata : its `places` hold the sums by site and by point of care; its row of the whole the design effect.
    measures : by name. Measures with a quantile or a rate against residents are not compared by place.
    - The average is all events over the whole denominator of the places (of means, all values): each place is part
      of it. Records without a place are a row of their own with its value; they are no place, so they are not in
      the average and not assessed.
    - share, rate: limits whose Wilson (share) or exact Poisson (rate) interval just touches the average. Where
      contacts are counted, people behind them are not told apart by place: the counts are divided by the design
      effect of the whole before they are judged, which is right where people keep to one place and makes limits
      too wide, never too narrow, where they go to several.
    - mean: average -+ t x standard error of the place between its people; assessed from the rule `flag_least_people`
      on, and only where the sums of people were kept.
    - dispersion (phi) is the mean squared z of the places, the outer tenths drawn in, on a scale where chance is
      spread alike for every value (arcsine, root; a mean as it is); between (tau) is what they differ by beyond
      chance on that scale, 0 where phi gives no sign of it. The second position allows for tau; it is never more
      extreme than the first. With fewer than 10 places tau is poorly known, and the note says so.
    Limits are 95% and 99.8%, whatever the rule `confidence`. Spiegelhalter DJ (2005) Stat Med 24:1185-1202;
    Spiegelhalter DJ (2005) Qual Saf Health Care 14:347-351.
    """
    compared = [name for name, measure in measures.items() if measure.statistic in COMPARED]
    places = strata.places[strata.places["measure"].isin(compared)]
    if places.empty:
        return empty(PLACES_TABLE)
    found = effective(places, measures, pool_by=("measure", "by"))
    found = found.merge(_design_effects(strata, measures), on="measure", how="left", validate="many_to_one")
    parts = [
        _against_average(part.reset_index(drop=True), rulebook.value("flag_least_people"))
        for _, part in found.groupby(["measure", "by"], sort=False)
    ]
    table = pd.concat(parts, ignore_index=True)
    return shape(
        table.assign(
            measure_label=table["measure"].map({name: measure.label for name, measure in measures.items()}),
            numerator=table["x"].mask(table["statistic"] == "mean"),
            denominator=table["n"],
        ),
        PLACES_TABLE,
    )


def _design_effects(strata: Strata, measures: Mapping[str, Measure]) -> pd.DataFrame:
    """The design effect of each measure over everyone: measure, whole_effect."""
    rows = strata.strata
    whole = rows[(rows["characteristic"] == ALL) & rows["measure"].isin(measures)]
    return effective(whole, measures)[["measure", "design_effect"]].rename(
        columns={"design_effect": "whole_effect"}
    )


def _against_average(places: pd.DataFrame, least_people: float) -> pd.DataFrame:
    """The places of one measure and kind: value, average, limits, positions, dispersion and notes."""
    recorded = (places["place"] != NOT_RECORDED).to_numpy()
    statistic = str(places["statistic"].iloc[0])
    judge = _means if statistic == "mean" else _counts
    funnel, spread = judge(places, recorded, least_people)
    alone = int(np.isfinite(places["value"].to_numpy()[recorded]).sum()) < 2
    judged = recorded & (not alone)

    plain = _positions(funnel.label)
    widened = _milder(plain, _positions(spread.funnel.label)) if spread.tau > 0 else plain
    note = funnel.note.copy()
    add_note(note, ~recorded, NO_PLACE)
    add_note(note, recorded & alone, ONE_PLACE)
    known = judged & (plain != NOT_ASSESSED)
    add_note(note, known & (spread.places < FEW_PLACES), POORLY_KNOWN)
    return places.assign(
        average=funnel.average,
        **{
            f"{side}_{digits}": np.where(judged, getattr(funnel, side)[:, level], np.nan)
            for level, digits in enumerate(("95", "998"))
            for side in ("lower", "upper")
        },
        position=np.where(judged, plain, NOT_ASSESSED),
        dispersion=np.nan if alone else spread.phi,
        between=np.nan if alone else spread.tau,
        places=spread.places,
        position_overdispersed=np.where(judged, widened, NOT_ASSESSED),
        note=note,
    )


@dataclass(frozen=True)
class _Spread:
    """What places differ by beyond chance: phi, tau, how many places show it, and the funnel that allows for tau."""

    phi: float
    tau: float
    places: int
    funnel: Funnel


def _counts(places: pd.DataFrame, recorded: NDArray[np.bool_], least_people: float) -> tuple[Funnel, _Spread]:
    """Shares and rates: counts divided by the design effect of the whole against their average."""
    share = places["statistic"].iloc[0] == "share"
    x, n = (places[name].to_numpy(dtype=float) for name in ("x", "n"))
    effect = float(np.nanmax([1.0, places["whole_effect"].iloc[0]]))
    average = _average(x, n, recorded)
    if share:
        funnel = proportion_funnel(
            numerator=x / effect, denominator=n / effect, average=_given(average), confidence=LIMITS
        )
    else:
        funnel = rate_funnel(
            events=x / effect, denominator=n / effect, average=_given(average), confidence=LIMITS
        )
    found = overdispersion(
        numerator=np.where(recorded, x / effect, np.nan),
        denominator=np.where(recorded, n / effect, np.nan),
        scale=SCALES["share" if share else "rate"],
        average=_given(average),
        winsorise=WINSORISED,
    )
    notes = texts(x.shape)
    add_note(notes, np.isnan(x) | np.isnan(n), MISSING_COUNT)
    add_note(notes, n == 0, NOBODY)
    add_note(notes, share & (average in (0.0, 1.0)) & (n > 0), NO_SPREAD)
    if effect >= TOLD_FROM:
        told = f"judged on counts divided by the design effect, {effect:.2f}"
        add_note(notes, recorded & (n > 0), told)
    return dataclasses.replace(funnel, average=average, note=notes), _Spread(
        found.phi, math.sqrt(found.tau_squared), found.units, overdispersed_funnel(found, confidence=LIMITS)
    )


def _means(places: pd.DataFrame, recorded: NDArray[np.bool_], least_people: float) -> tuple[Funnel, _Spread]:
    """Means: the distance from the average in standard errors of the place between its people."""
    x, n, value, error, people = (
        places[name].to_numpy(dtype=float) for name in ("x", "n", "value", "se", "people")
    )
    average = _average(x, n, recorded)
    notes = texts(x.shape)
    add_note(notes, np.isnan(n), MISSING_COUNT)
    add_note(notes, n == 0, NOBODY)
    add_note(notes, (n > 0) & np.isnan(people), NOT_TOLD_APART)
    add_note(notes, (n > 0) & (people < least_people), f"fewer than {least_people:g} people")
    enough = (n > 0) & (people >= least_people) & (people > 1)
    add_note(notes, enough & (error == 0), NO_DIFFERENCES)
    error = np.where(enough & (error > 0), error, np.nan)
    phi, tau, units = _beyond_chance((value - average) / error, error, recorded)
    plain, widened = (
        _mean_funnel(value, n, average, np.hypot(error, between), people, notes) for between in (0.0, tau)
    )
    return plain, _Spread(phi, tau, units, widened)


def _mean_funnel(
    value: FloatArray, n: FloatArray, average: float, error: FloatArray, people: FloatArray, notes: TextArray
) -> Funnel:
    """Means against their average by Student's t on people - 1 degrees of freedom."""
    from scipy.special import stdtr, stdtrit

    df = np.where(np.isfinite(error), people - 1, np.nan)
    t = (value - average) / error
    low, high = stdtr(df, t), stdtr(df, -t)
    reach = -stdtrit(df[:, np.newaxis], tails(LIMITS)) * error[:, np.newaxis]
    return Funnel(
        average=average,
        value=value,
        denominator=n,
        lower=average - reach,
        upper=average + reach,
        confidence=LIMITS,
        low_tail=low,
        high_tail=high,
        label=tail_labels(low, high),
        method="t",
        note=notes,
    )


def _beyond_chance(z: FloatArray, error: FloatArray, recorded: NDArray[np.bool_]) -> tuple[float, float, int]:
    """phi, tau and the number of places of values that are normal as they are; as `stats.units.overdispersion`."""
    here = recorded & np.isfinite(z)
    k = int(here.sum())
    if k < 2:
        return math.nan, math.nan, k
    drawn_in = np.clip(z[here], *np.quantile(z[here], [WINSORISED, 1 - WINSORISED]))
    phi = float(np.mean(drawn_in**2))
    weights = 1 / error[here] ** 2
    beyond = (k * phi - (k - 1)) / (weights.sum() - (weights**2).sum() / weights.sum())
    return phi, math.sqrt(max(0.0, beyond)), k


def _average(x: FloatArray, n: FloatArray, recorded: NDArray[np.bool_]) -> float:
    """All of x over all of n in the places that are recorded and have both; missing where there is none."""
    here = recorded & np.isfinite(x) & (n > 0)
    return float(x[here].sum() / n[here].sum()) if here.any() else math.nan


def _given(average: float) -> float | None:
    """The average as the funnels take it: left out where there is none, so that they find none either."""
    return None if math.isnan(average) else average


def _positions(labels: TextArray) -> TextArray:
    named = texts(labels.shape)
    for label, position in POSITIONS.items():
        named[labels == label] = position
    return named


def _milder(one: TextArray, other: TextArray) -> TextArray:
    """The position that is nearer to the average; not different where they lie on different sides of it."""
    rank = {position: place - 2 for place, position in enumerate(EXTREMES)}
    a, b = (np.array([rank.get(position, np.nan) for position in each], dtype=float) for each in (one, other))
    nearer = np.where(a * b > 0, np.sign(a) * np.minimum(np.abs(a), np.abs(b)), 0 * a * b)
    return np.array([NOT_ASSESSED if np.isnan(at) else EXTREMES[int(at) + 2] for at in nearer], dtype=object)
