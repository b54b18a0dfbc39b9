"""Outcomes of groups at one age and sex structure: that of the whole service.

A young group and an old one differ in outcomes by their age alone. Here each group's values by age and sex are
weighted as if the group had the ages and sexes of everyone in the denominator of the measure. What is left
between two groups is then not due to age or sex, as far as the bands tell ages apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from equitydata.roughly import roughly
from equitydata.service import Measure
from equitydata.stats.answers import FloatArray, TextArray, add_note, texts
from equitydata.stats.one_group import directly_standardised_rate, wilson
from equitydata.stats.one_group.direct_standardisation import LOW_RELIABILITY_BELOW, WITHHELD_BELOW
from equitydata.strata import ALL, CROSS

STRATUM = ("measure", "characteristic", "level", "category", "status")
# Bands of a group are joined to their neighbours until each holds so many of its people: a value of fewer is noise.
LEAST_IN_A_BAND = 5
# A group that has nobody in more than this share of the structure would be judged on ages that it does not have.
MOST_EMPTY = 0.15
# A sex that the group lacks may be left out of the structure up to this share; from 1% on the note says so.
MOST_LEFT_OUT = 0.05
# Less than this of the structure left out is not worth a note on every row: it moves nothing that is shown.
LEFT_OUT_UNSAID = 0.01
# Below this share of the denominator with a known age and sex, the note says how many are left out.
MOST_KNOWN = 0.95

_SUMS = ("people", "n", "x", "nn", "nx", "xx")


@dataclass(frozen=True)
class _Bands:
    """Sums of strata by sex and joined age band: shape (strata, sexes, bands); a band joined to another is empty.

    weight : share of the standard structure, 0 where it is left out. joined, left_out, empty : shape (strata,);
    whether bands were joined, the share of the structure left out, and the share where the group has nobody.
    """

    people: FloatArray
    n: FloatArray
    x: FloatArray
    nn: FloatArray
    nx: FloatArray
    xx: FloatArray
    weight: FloatArray
    joined: NDArray[np.bool_]
    left_out: FloatArray
    empty: FloatArray


def standardise(
    strata: pd.DataFrame,
    cells: pd.DataFrame,
    measures: Mapping[str, Measure],
    *,
    bands: Sequence[int],
    confidence: float,
) -> pd.DataFrame:
    """Each stratum's value at the age and sex structure of the whole service.

    strata : rows of `effective` (measure, characteristic, level, category, status, statistic, n, design_effect).
    cells : the same strata by age_from and sex, with their sums; those of characteristic all are the structure,
        which is the denominators of the measure by age band and sex: so the whole keeps its own value.
    bands : lower ends of age bands, as in the rule age_bands.
    Returns, in the rows of strata: standardised, standardised_lower, standardised_upper, standardised_se,
    standardised_note. Missing, with the reason, where it cannot be had.
    - Groups of an age are standardised by sex alone, those of a sex by age alone.
    - Neighbouring age bands of a sex are joined until each holds LEAST_IN_A_BAND people of the group. Nothing is
      given for a group with nobody in ages and sexes that make up more than MOST_EMPTY of the structure.
    - Rates: Dobson's limits, withheld under 10 events. Shares: Wilson's limits on the denominator that has the
      variance of the standardised share; withheld under 10 with, or 10 without, the event. Means: t by people
      within bands, degrees of freedom by Satterthwaite; withheld under 10 people.
    - Repeated contacts widen shares and rates by the design effect of the stratum.
    Dobson AJ et al. (1991) Stat Med 10:457-462; Korn EL, Graubard BI (1998) Surv Methodol 24:193-201, for limits on
    an effective denominator; Satterthwaite FE (1946) Biometrics Bull 2:110-114.
    """
    rows = strata.reset_index(drop=True)
    found = pd.DataFrame(
        {
            "standardised": np.nan,
            "standardised_lower": np.nan,
            "standardised_upper": np.nan,
            "standardised_se": np.nan,
            "standardised_note": "",
        },
        index=rows.index,
    )
    standard = cells[(cells["characteristic"] == ALL) & (cells["n"] > 0)]
    with_age = set(standard.loc[standard["age_from"] >= 0, "measure"])
    with_sex = set(standard.loc[standard["sex"] != "", "measure"])
    parts = rows["characteristic"].str.split(CROSS, regex=False)
    by_age = rows["measure"].isin(with_age) & ~parts.map(lambda names: "age" in names)
    by_sex = rows["measure"].isin(with_sex) & ~parts.map(lambda names: "sex" in names)
    statistic = rows["statistic"]
    can = statistic.isin(["share", "rate", "mean"]) & (rows["n"] > 0)
    found.loc[(rows["n"] > 0) & (statistic == "quantile"), "standardised_note"] = (
        "not standardised: a quantile"
    )
    against = (rows["n"] > 0) & (statistic == "population_rate")
    found.loc[against, "standardised_note"] = (
        "not standardised: residents are not counted by age and sex here"
    )
    neither = can & ~by_age & ~by_sex
    found.loc[neither, "standardised_note"] = "not standardised: no other age or sex to standardise by"
    for age, sex in ((True, True), (True, False), (False, True)):
        here = can & (by_age == age) & (by_sex == sex)
        if here.any():
            some = _by_structure(
                rows[here], cells, standard, measures, bands if age else None, sex, confidence
            )
            found.loc[here, found.columns] = some.to_numpy()
    numbers = [column for column in found.columns if column != "standardised_note"]
    return found.astype(dict.fromkeys(numbers, float)).set_index(strata.index)


def _by_structure(
    rows: pd.DataFrame,
    cells: pd.DataFrame,
    standard: pd.DataFrame,
    measures: Mapping[str, Measure],
    bands: Sequence[int] | None,
    by_sex: bool,
    confidence: float,
) -> pd.DataFrame:
    """Strata that are all standardised by the same: age and sex, age alone, or sex alone."""
    sexes = sorted(set(standard.loc[standard["sex"] != "", "sex"])) if by_sex else [""]
    shape = (len(sexes), 1 if bands is None else len(bands))
    number = rows[list(STRATUM)].assign(stratum=np.arange(len(rows)))
    mine = cells.merge(number, on=list(STRATUM), how="inner", validate="many_to_one")
    sums = {
        name: _summed(mine, mine["stratum"].to_numpy(), len(rows), name, bands, sexes, shape)
        for name in _SUMS
    }
    names = list(measures)
    of_measure = standard["measure"].map({name: at for at, name in enumerate(names)})
    kept = standard[of_measure.notna()]
    structure = _summed(
        kept, of_measure[kept.index].to_numpy(dtype=int), len(names), "n", bands, sexes, shape
    )
    weight = structure[rows["measure"].map({name: at for at, name in enumerate(names)}).to_numpy(dtype=int)]
    joined = _join(sums, weight)

    statistic = rows["statistic"].to_numpy(dtype=object)
    effect = rows["design_effect"].to_numpy(dtype=float)
    value, lower, upper, error = (np.full(len(rows), np.nan) for _ in range(4))
    notes = texts((len(rows),))
    add_note(notes, joined.joined, "age bands joined where the group has few people")
    _note_left_out(notes, rows["n"].to_numpy(dtype=float), sums["n"].sum(axis=(1, 2)), joined)
    for name, method in (("share", _shares), ("rate", _rates), ("mean", _means)):
        here = statistic == name
        if here.any():
            some = _only(joined, here)
            answer = method(some, effect[here], confidence)
            value[here], lower[here], upper[here], error[here] = answer
    reasons = _reasons(joined, statistic)
    uncounted = (sums["people"].sum(axis=(1, 2)) == 0) & (rows["people"] >= LEAST_IN_A_BAND).to_numpy()
    reasons[uncounted] = "its people are of unknown age and sex, or too many groups to count by them"
    withheld = reasons != ""
    for column in (value, lower, upper, error):
        column[withheld] = np.nan
    events = np.where(statistic == "mean", np.inf, _fewest(joined, statistic))
    add_note(
        notes,
        ~withheld & (events < LOW_RELIABILITY_BELOW),
        f"fewer than {LOW_RELIABILITY_BELOW} events: low reliability",
    )
    told = [
        f"not standardised: {reason}" if reason else (f"standardised: {note}" if note else "")
        for reason, note in zip(reasons, notes, strict=True)
    ]
    return pd.DataFrame(
        {
            "standardised": value,
            "standardised_lower": lower,
            "standardised_upper": upper,
            "standardised_se": error,
            "standardised_note": told,
        }
    )


def _summed(
    cells: pd.DataFrame,
    number: NDArray,
    many: int,
    name: str,
    bands: Sequence[int] | None,
    sexes: Sequence[str],
    shape: tuple[int, int],
) -> FloatArray:
    """Sums by number, sex and age band; cells of unknown age or sex are left out where these matter."""
    age = cells["age_from"].to_numpy(dtype=float)
    band = np.zeros(len(cells), dtype=int)
    if bands is not None:
        # Someone younger than the first band stands in it, as in the bands of the age table.
        band = np.where(age >= 0, np.maximum(np.searchsorted(list(bands), age, side="right") - 1, 0), -1)
    sex = np.zeros(len(cells), dtype=int)
    if list(sexes) != [""]:
        sex = cells["sex"].map({each: at for at, each in enumerate(sexes)}).fillna(-1).to_numpy(dtype=int)
    known = (band >= 0) & (sex >= 0)
    place = (number * shape[0] + sex) * shape[1] + band
    weights = np.nan_to_num(cells[name].to_numpy(dtype=float))[known]
    size = many * shape[0] * shape[1]
    summed = np.bincount(place[known], weights=weights, minlength=size).astype(float)
    return summed.reshape(many, *shape)


def _join(sums: Mapping[str, FloatArray], structure: FloatArray) -> _Bands:
    """Join neighbouring age bands, young to old, until each holds enough people of the group.

    What is left over at the old end joins the band before it. A sex with too few people of any age is left out.
    """
    people = sums["people"]
    strata, sexes, bands = people.shape
    start = np.zeros((strata, sexes), dtype=int)
    previous = np.full((strata, sexes), -1)
    held = np.zeros((strata, sexes))
    label = np.zeros(people.shape, dtype=int)
    for band in range(bands):
        label[..., band] = start
        held = held + people[..., band]
        full = held >= LEAST_IN_A_BAND
        previous, start = np.where(full, start, previous), np.where(full, band + 1, start)
        held = np.where(full, 0.0, held)
    left_over = label == start[..., np.newaxis]
    label = np.where(left_over, np.maximum(previous, 0)[..., np.newaxis], label)

    row, sex = np.indices(people.shape)[:2]
    place = ((row * sexes + sex) * bands + label).ravel()

    def gathered(values: NDArray) -> FloatArray:
        summed = np.bincount(place, weights=values.ravel(), minlength=values.size).astype(float)
        return summed.reshape(values.shape)

    with np.errstate(invalid="ignore", divide="ignore"):
        share = structure / structure.sum(axis=(1, 2), keepdims=True)
    absent = (previous < 0)[..., np.newaxis]
    covered = np.where(absent, 0.0, share)
    left_out = np.where(absent, share, 0.0).sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = gathered(covered / covered.sum(axis=(1, 2), keepdims=True))
    return _Bands(
        **{name: gathered(np.where(absent, 0.0, sums[name])) for name in _SUMS},
        weight=np.nan_to_num(weight),
        joined=np.asarray((gathered(covered > 0) > 1).any(axis=(1, 2))),
        left_out=left_out,
        empty=np.where(people == 0, share, 0.0).sum(axis=(1, 2)),
    )


def _only(bands: _Bands, here: NDArray[np.bool_]) -> _Bands:
    return _Bands(**{name: getattr(bands, name)[here] for name in bands.__dataclass_fields__})


def _shares(bands: _Bands, effect: FloatArray, confidence: float) -> tuple[FloatArray, ...]:
    """Wilson's limits on the denominator with which a simple share would have the same variance."""
    with np.errstate(invalid="ignore", divide="ignore"):
        used = bands.n > 0
        own = np.where(used, bands.x / bands.n, 0.0)
        value = _given((bands.weight * own).sum(axis=(1, 2)), bands)
        crude = bands.x.sum(axis=(1, 2)) / bands.n.sum(axis=(1, 2))
        # A band without events is not without error: for its variance one contact more at the group's own share.
        middle = (bands.x + crude[:, None, None]) / (bands.n + 1)
        spread = np.where(used, bands.weight**2 * middle * (1 - middle) / bands.n, 0.0)
        variance = spread.sum(axis=(1, 2)) * effect
        alike = value * (1 - value) / variance
        alike = np.where(np.isfinite(alike) & (alike > 0), alike, np.nan)
        lower, upper = wilson(np.minimum(value, 1.0) * alike, alike, confidence=confidence)
    return value, lower, upper, np.sqrt(variance)


def _rates(bands: _Bands, effect: FloatArray, confidence: float) -> tuple[FloatArray, ...]:
    """Dobson's limits, with the squared events that the design effect implies."""
    used = bands.n > 0
    row = np.nonzero(used)[0]
    answer = directly_standardised_rate(
        events=bands.x[used],
        person_time=bands.n[used],
        weights=bands.weight[used],
        group=row,
        groups=len(effect),
        squared_events=(bands.x * effect[:, None, None])[used],
        confidence=confidence,
    )
    estimates = answer.estimates
    return estimates.value, np.asarray(estimates.lower), np.asarray(estimates.upper), np.sqrt(answer.variance)


def _means(bands: _Bands, effect: FloatArray, confidence: float) -> tuple[FloatArray, ...]:
    """Student's t: the variance between people within bands, its degrees of freedom by Satterthwaite."""
    from scipy.special import stdtrit

    with np.errstate(invalid="ignore", divide="ignore"):
        used = bands.n > 0
        own = np.where(used, bands.x / bands.n, 0.0)
        value = _given((bands.weight * own).sum(axis=(1, 2)), bands)
        squares = np.maximum(bands.xx - 2 * own * bands.nx + own**2 * bands.nn, 0.0)
        free = bands.people - 1
        parts = np.where(used & (free > 0), bands.weight**2 * squares / bands.n**2 * bands.people / free, 0.0)
        variance = parts.sum(axis=(1, 2))
        df = variance**2 / np.where(free > 0, parts**2 / free, 0.0).sum(axis=(1, 2))
        reach = stdtrit(df, (1 + confidence) / 2) * np.sqrt(variance)
    return value, value - reach, value + reach, np.sqrt(variance)


def _given(value: FloatArray, bands: _Bands) -> FloatArray:
    """Missing rather than 0 where the group covers nothing of the structure."""
    return np.where(bands.weight.sum(axis=(1, 2)) > 0, value, np.nan)


def _fewest(bands: _Bands, statistic: NDArray) -> FloatArray:
    """Events, or for shares the fewer of events and non-events; for means the people."""
    events, all_of_them = bands.x.sum(axis=(1, 2)), bands.n.sum(axis=(1, 2))
    people = bands.people.sum(axis=(1, 2))
    fewer = np.minimum(events, np.where(statistic == "share", all_of_them - events, np.inf))
    return np.where(statistic == "mean", people, fewer)


def _reasons(bands: _Bands, statistic: NDArray) -> TextArray:
    """Why a stratum has no standardised value, or ''; the first reason that holds."""
    reasons = texts((len(statistic),))
    nothing = ~(bands.people.sum(axis=(1, 2)) > 0)
    reasons[nothing] = f"fewer than {LEAST_IN_A_BAND} people of known age and sex"
    few = (reasons == "") & (_fewest(bands, statistic) < WITHHELD_BELOW)
    events = bands.x.sum(axis=(1, 2))
    reasons[few & (events < WITHHELD_BELOW)] = f"fewer than {WITHHELD_BELOW} events"
    reasons[few & (events >= WITHHELD_BELOW)] = f"fewer than {WITHHELD_BELOW} without the event"
    reasons[few & (statistic == "mean")] = f"fewer than {WITHHELD_BELOW} people"
    for share, most in ((bands.empty, MOST_EMPTY), (bands.left_out, MOST_LEFT_OUT)):
        for at in np.flatnonzero((reasons == "") & (share > most)):
            reasons[at] = f"the group lacks ages or sexes that are {share[at]:.0%} of the whole"
    return reasons


def _note_left_out(notes: TextArray, n: FloatArray, used: FloatArray, bands: _Bands) -> None:
    """Say what share of the group or of the structure the standardised value does not speak of."""
    with np.errstate(invalid="ignore", divide="ignore"):
        unknown = 1 - used / n
    for at in np.flatnonzero(unknown > 1 - MOST_KNOWN):
        add_note(notes, np.arange(len(notes)) == at, f"{roughly(unknown[at])} of unknown age or sex left out")
    for at in np.flatnonzero((bands.left_out >= LEFT_OUT_UNSAID) & (bands.left_out <= MOST_LEFT_OUT)):
        covered = f"a sex that is {roughly(bands.left_out[at])} of the whole is left out"
        add_note(notes, np.arange(len(notes)) == at, covered)
