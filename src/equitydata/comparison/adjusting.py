"""A group against the rest when age and sex are taken into account: standardised, and adjusted by a model.

Both answer what is left of a difference between people of like age and sex. Standardising weighs the groups' own
figures by the ages and sexes of the whole service; a model takes the effect of age and of sex to be the same in
every group, and so lasts longer when groups are small. A characteristic is not adjusted for itself: age bands are
compared at equal sex, sexes at equal age. Neither shows a cause, nor what would be fair to hold equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from equitydata.comparison.contrast import ESTIMATES, GROUP, KNOWN, LEVEL, NOT_POSITIVE, said
from equitydata.rates.standardised import standardise
from equitydata.rulebook import Rulebook
from equitydata.service import Measure
from equitydata.stats.adjustment import AdjustedGroups, adjusted_means, adjusted_rates, adjusted_risks
from equitydata.stats.answers import FloatArray, TextArray, add_note, texts
from equitydata.stats.contracts import tails
from equitydata.stats.two_groups import (
    mean_difference,
    mean_test,
    standardised_rate_difference,
    standardised_rate_ratio,
)
from equitydata.strata import ALL, CROSS, SUMS, Strata

AGE, SEX = "age", "sex"
ANSWER = ("value", "comparator_value", *ESTIMATES, "method", "note")
FEWEST_EVENTS = 10  # as for a standardised rate of one group (methods.md section 2)
FEWEST_IN_BAND = 5  # events and non-events of an age band or sex in a model, else its effect has no estimate
MOST_GROUPS = 40  # a model of more groups than this would cost more than it tells
SMALL_LOSS = 0.05
PARTS = ("", "_lower", "_upper", "_se")

BY_ITSELF = "age and sex are the groups themselves: nothing to take into account"
NOT_FOR_QUANTILES = "not worked out for a quantile"
NOT_FOR_RESIDENTS = "needs residents by age and sex"
NO_CELLS = "no counts by age and sex"
NO_ESTIMATE = "the model has no estimate for the group"
FEW_EVENTS = f"fewer than {FEWEST_EVENTS} events on one side: withheld"
FEW_NON_EVENTS = f"fewer than {FEWEST_EVENTS} without the event on one side: withheld"
UNKNOWN_LEFT_OUT = "people without age or sex are left out"
TOO_MANY_GROUPS = f"more than {MOST_GROUPS} groups: no model"
ONE_GROUP = "no other known group"


def standardised_against_rest(
    compared: pd.DataFrame,
    strata: Strata,
    measures: Mapping[str, Measure],
    rulebook: Rulebook,
) -> pd.DataFrame:
    """Each group against the rest, both standardised to the ages and sexes of the whole service.

    compared : as `contrast.against_rest` gives it. Returns ANSWER, on its index.
    The group's value is that of the outcomes (`standardised.standardise`: its bands, its reasons to withhold), and
    the value of the rest is worked out in the same way from all other known groups together. Ratio by the delta
    method on the log scale, tested by its z; difference by MOVER from both intervals. A mean: Welch, with people.
    """
    answer = _blank(compared)
    wanted = _usable(compared, strata, answer)
    if not wanted.any():
        return answer
    confidence, bands = float(rulebook.value("confidence")), tuple(rulebook.value("age_bands"))
    rows = compared[wanted]
    cells = _banded(strata, rows, bands)
    whole = cells[cells["characteristic"] == ALL]
    rest_cells = pd.concat([whole, _cells_of_rest(rows, cells)], ignore_index=True)
    rest_rows = rows.assign(n=rows["comparator_n"], design_effect=rows["comparator_design_effect"])
    own, rest = (
        standardise(each, counted, measures, bands=bands, confidence=confidence)
        for each, counted in ((rows, cells), (rest_rows, rest_cells))
    )
    found = _compare(rows, own, rest, confidence)
    answer.loc[rows.index, list(ANSWER)] = found[list(ANSWER)]
    return answer


def adjusted_against_rest(
    compared: pd.DataFrame,
    strata: Strata,
    measures: Mapping[str, Measure],
    rulebook: Rulebook,
) -> pd.DataFrame:
    """Each group against the rest at equal age and sex, by one regression model for each level of groups.

    compared, and what is returned: as in `standardised_against_rest`. Share: logistic; rate: Poisson; mean: linear
    with robust errors; values are averaged over the ages and sexes of all groups in the model. Counts go in
    divided by each group's design effect. Neighbouring age bands are merged until each has FEWEST_IN_BAND events
    and non-events; a sex with fewer is left out. Withheld, with the reason, where a group has too few events, where
    the model has no finite estimate, and above MOST_GROUPS groups.
    """
    answer = _blank(compared)
    wanted = _usable(compared, strata, answer)
    if not wanted.any():
        return answer
    confidence = float(rulebook.value("confidence"))
    cells, unplaced = _placed(compared[wanted], _banded(strata, compared, tuple(rulebook.value("age_bands"))))
    by_level = dict(list(cells.groupby(LEVEL, sort=False)))
    answers = []
    for keys, rows in compared[wanted].groupby(LEVEL, sort=False):
        found = _model(rows, by_level[keys], confidence) if keys in by_level else _blank(rows)
        note = texts((len(rows),))
        add_note(note, unplaced.reindex(rows.index).to_numpy() > SMALL_LOSS, UNKNOWN_LEFT_OUT)
        add_note(note, (found["note"] == "") & found["difference"].isna(), NO_ESTIMATE)
        answers.append(found.assign(note=said(found["note"], note)))
    found = pd.concat(answers)
    answer.loc[found.index, list(ANSWER)] = found[list(ANSWER)]
    return answer


def disagreements(crude: pd.DataFrame, standardised: pd.DataFrame, adjusted: pd.DataFrame) -> np.ndarray:
    """Whether crude and what is left of it differ in direction or in being clear of no difference.

    Frames of ESTIMATES on one index. Each is above, below or not clear of no difference by its own limits (those
    of the ratio, or of the difference where there is no ratio); they disagree where these differ. What is withheld
    does not count.
    """
    states = np.column_stack([_clear(frame) for frame in (crude, standardised, adjusted)])
    there = ~np.isnan(states)
    high = np.where(there, states, -np.inf).max(axis=1)
    low = np.where(there, states, np.inf).min(axis=1)
    return np.asarray((there.sum(axis=1) > 1) & (high > low))


def _clear(frame: pd.DataFrame) -> FloatArray:
    by_ratio, by_difference = (
        frame[[f"{name}_lower", f"{name}_upper"]].to_numpy(dtype=float) - nothing
        for name, nothing in (("ratio", 1.0), ("difference", 0.0))
    )
    limits = np.where(np.isnan(by_ratio).any(axis=1, keepdims=True), by_difference, by_ratio)
    state = (limits[:, 0] > 0).astype(float) - (limits[:, 1] < 0).astype(float)
    return np.where(np.isnan(limits).any(axis=1), np.nan, state)


def held_equal(characteristic: str) -> tuple[bool, bool]:
    """Whether age and sex can be held equal between the groups of a characteristic, which may be a crossing."""
    parts = characteristic.split(CROSS)
    return AGE not in parts, SEX not in parts


def _blank(compared: pd.DataFrame) -> pd.DataFrame:
    answer = pd.DataFrame(np.nan, index=compared.index, columns=list(ANSWER))
    answer["method"], answer["note"] = "", ""
    return answer


def _usable(compared: pd.DataFrame, strata: Strata, answer: pd.DataFrame) -> np.ndarray:
    """Which groups can be adjusted at all; the reason of the others goes into the note. In place."""
    by_age, by_sex = _held(compared)
    notes = texts((len(compared),))
    add_note(notes, compared["statistic"] == "quantile", NOT_FOR_QUANTILES)
    add_note(notes, compared["statistic"] == "population_rate", NOT_FOR_RESIDENTS)
    add_note(notes, (notes == "") & ~by_age & ~by_sex, BY_ITSELF)
    counted = compared["measure"].isin(set(strata.cells["measure"])).to_numpy()
    add_note(notes, (notes == "") & ~counted, NO_CELLS)
    add_note(notes, (notes == "") & ~(compared["n"] > 0).to_numpy(), "nobody counted")
    add_note(notes, (notes == "") & ~(compared["comparator_n"] > 0).to_numpy(), ONE_GROUP)
    answer["note"] = notes
    return np.asarray(notes == "")


def _held(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    held = {name: held_equal(name) for name in frame["characteristic"].unique()}
    return tuple(
        frame["characteristic"].map({name: both[place] for name, both in held.items()}).to_numpy(dtype=bool)
        for place in (0, 1)
    )  # type: ignore[return-value]


def _banded(strata: Strata, compared: pd.DataFrame, bands: tuple[int, ...]) -> pd.DataFrame:
    """Cells of the measures compared, with age at the lower end of its band and -1 where it is not known."""
    cells = strata.cells[strata.cells["measure"].isin(set(compared["measure"]))]
    ends = np.asarray(bands)
    age = cells["age_from"].to_numpy(dtype=float)
    place = np.maximum(np.searchsorted(ends, age, side="right") - 1, 0)
    keys = [*GROUP, "status", "age_from", "sex"]
    cells = cells.assign(age_from=np.where(age >= 0, ends[place], -1))
    return cells.groupby(keys, sort=False)[list(SUMS)].sum().reset_index()


def _cells_of_rest(rows: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Cells of the rest of each group: those of its level less its own, under the name of the group."""
    cell, sums = ["age_from", "sex"], list(SUMS)
    known = cells[cells["status"] == KNOWN]
    level = known.groupby([*LEVEL, *cell], sort=False)[sums].sum().reset_index()
    grid = rows[GROUP].merge(level, on=LEVEL)
    own = known[[*GROUP, *cell, *sums]]
    grid = grid.merge(own, on=[*GROUP, *cell], how="left", suffixes=("", "_own"), validate="one_to_one")
    for name in sums:
        left = grid[name] - grid[f"{name}_own"].fillna(0.0)
        # What a subtraction of person-time leaves of nobody is rounding.
        grid[name] = left.where(left > 1e-9 * grid[name], 0.0)
    return grid.assign(status=KNOWN)[[*GROUP, "status", *cell, *sums]]


def _placed(rows: pd.DataFrame, cells: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Cells of the groups with the place of their group, and the fraction of a group's people left out.

    Left out are people without the age or the sex that is held equal.
    """
    own = cells[cells["status"] == KNOWN].merge(
        rows[GROUP].assign(place=rows.index), on=GROUP, validate="many_to_one"
    )
    by_age, by_sex = _held(own)
    here = ((own["age_from"] >= 0) | ~by_age) & ((own["sex"] != "") | ~by_sex) & (own["n"] > 0)
    everyone, kept = (
        frame.groupby("place")["people"].sum().reindex(rows.index).fillna(0.0) for frame in (own, own[here])
    )
    return own[here], (1 - kept / everyone.where(everyone > 0)).fillna(0.0)


def _compare(rows: pd.DataFrame, own: pd.DataFrame, rest: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """The contrast of two standardised values."""
    from scipy.special import ndtr, ndtri

    v1, l1, u1, e1 = (own[f"standardised{part}"].to_numpy(dtype=float) for part in PARTS)
    v2, l2, u2, e2 = (rest[f"standardised{part}"].to_numpy(dtype=float) for part in PARTS)
    mean, positive = (rows["statistic"] == "mean").to_numpy(), (v1 > 0) & (v2 > 0)
    shown = ~np.isnan(v1 + v2)
    ratio = standardised_rate_ratio(
        value=np.where(positive, v1, np.nan),
        variance=e1**2,
        comparator_value=np.where(positive, v2, np.nan),
        comparator_variance=e2**2,
        confidence=confidence,
    )
    difference = standardised_rate_difference(
        value=v1, lower=l1, upper=u1, comparator_value=v2, comparator_lower=l2, comparator_upper=u2,
        confidence=confidence,
    )  # fmt: skip
    low, high = difference.lower, difference.upper
    with np.errstate(divide="ignore", invalid="ignore"):
        log_error = np.log(ratio.upper / ratio.lower) / (2 * ndtri(1 - tails(confidence)))
        p = 2 * ndtr(-np.abs(np.log(ratio.value) / log_error))
    if mean.any():
        people, others = (rows[f"{side}people"].to_numpy(dtype=float) for side in ("", "comparator_"))
        asked = {
            "size": people, "mean": v1, "variance": e1**2 * people,
            "comparator_size": others, "comparator_mean": v2, "comparator_variance": e2**2 * others,
        }  # fmt: skip
        welch = mean_difference(**asked, confidence=confidence)
        low, high = np.where(mean, welch.lower, low), np.where(mean, welch.upper, high)
        p = np.where(mean, mean_test(**asked).p_value, p)
    note = said(own["standardised_note"], _of_the_rest(rest["standardised_note"]))
    add_note(note, shown & ~positive, NOT_POSITIVE)
    method = np.where(
        mean, "standardised: welch_t, log_delta, welch_t", "standardised: mover, log_delta, wald"
    )
    found = {
        "value": np.where(shown, v1, np.nan),
        "comparator_value": np.where(shown, v2, np.nan),
        "difference": v1 - v2,
        "difference_lower": low,
        "difference_upper": high,
        "ratio": ratio.value,
        "ratio_lower": ratio.lower,
        "ratio_upper": ratio.upper,
        "p": p,
    }
    return pd.DataFrame(found, index=rows.index).assign(method=np.where(shown, method, ""), note=note)


def _of_the_rest(notes: pd.Series) -> TextArray:
    """Notes on the rest, as notes of the row; that its bands were joined is of no interest."""
    told = texts((len(notes),))
    withheld = notes.str.startswith("not standardised").to_numpy(dtype=bool)
    said_of_rest = notes.str.replace("not standardised: ", "not standardised, of the rest: ", regex=False)
    told[withheld] = said_of_rest.to_numpy(dtype=object)[withheld]
    return told


def _model(rows: pd.DataFrame, cells: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """One model for the groups of one level."""
    found = _blank(rows)
    if len(rows) > MOST_GROUPS:
        return found.assign(note=TOO_MANY_GROUPS)
    statistic = str(rows["statistic"].iloc[0])
    number = pd.Series(np.arange(len(rows)), index=rows.index)
    group = number[cells["place"]].to_numpy()
    effect = rows["design_effect"].to_numpy(dtype=float)[group]
    n, x, nn, nx, xx = (cells[name].to_numpy(dtype=float) for name in ("n", "x", "nn", "nx", "xx"))
    by_age, by_sex = held_equal(str(rows["characteristic"].iloc[0]))
    scarce = _scarce(statistic, x / effect, n / effect)
    bands = _merged_bands(cells["age_from"].to_numpy(), scarce)
    sexes, lost = _frequent(cells["sex"].to_numpy(dtype=object), scarce)
    covariates: dict[str, Any] = {"age": bands} if by_age and len(np.unique(bands)) > 1 else {}
    if by_sex and len({sex for sex in sexes if sex is not None}) > 1:
        covariates["sex"] = sexes
    if not covariates:
        return found.assign(note="too few events by age and sex for a model")
    shared: dict[str, Any] = {
        "group": group, "groups": len(rows), "categories": covariates, "confidence": confidence
    }  # fmt: skip
    if statistic == "share":
        fitted = adjusted_risks(events=x / effect, people=n / effect, **shared)
    elif statistic == "rate":
        fitted = adjusted_rates(events=x / effect, person_time=n / effect, **shared)
    else:
        # A cell's people about its mean, repeats included, are its sum of squares: robust errors by person follow.
        within = np.maximum(xx - 2 * x / n * nx + (x / n) ** 2 * nn, 0.0)
        fitted = adjusted_means(people=n, total=x, total_squares=within + x**2 / n, **shared)
    return _from_model(rows, fitted, _few(rows, statistic), sparse_sex=lost)


def _scarce(statistic: str, x: FloatArray, n: FloatArray) -> tuple[FloatArray, ...]:
    """What a band needs some of, by cell: events, and for a share non-events; for a mean, values."""
    if statistic == "share":
        return x, n - x
    return (x,) if statistic == "rate" else (n,)


def _merged_bands(ages: np.ndarray, scarce: tuple[FloatArray, ...]) -> np.ndarray:
    """Age bands with neighbours merged, from the youngest up, until each holds enough."""
    merged: dict[int, int] = {}
    start, held = None, np.zeros(len(scarce))
    ends = np.unique(ages)
    starts = []
    for end in ends:
        if start is None:
            start, held = end, np.zeros(len(scarce))
            starts.append(start)
        merged[end] = start
        held = held + np.array([amount[ages == end].sum() for amount in scarce])
        if (held >= FEWEST_IN_BAND).all():
            start = None
    if start is not None and len(starts) > 1:  # the oldest band is short: it joins the one below
        merged = {end: starts[-2] if own == start else own for end, own in merged.items()}
    return np.array([merged[age] for age in ages])


def _frequent(sexes: np.ndarray, scarce: tuple[FloatArray, ...]) -> tuple[np.ndarray, bool]:
    """Sexes, with None for one that holds too little to be told apart; and whether these are more than a few people."""
    rare = {
        sex for sex in set(sexes) if any(amount[sexes == sex].sum() < FEWEST_IN_BAND for amount in scarce)
    }
    left_out = np.isin(sexes.astype(str), list(rare))
    lost = max((amount[left_out].sum() / amount.sum() for amount in scarce if amount.sum() > 0), default=0.0)
    return np.array([None if sex in rare else sex for sex in sexes], dtype=object), lost > SMALL_LOSS


def _few(rows: pd.DataFrame, statistic: str) -> TextArray:
    """Why a group's adjusted figure is withheld, or ''."""
    note = texts((len(rows),))
    x, n, people = (rows[name].to_numpy(dtype=float) for name in ("effective_x", "effective_n", "people"))
    if statistic == "mean":
        add_note(note, people < FEWEST_EVENTS, f"fewer than {FEWEST_EVENTS} people: withheld")
        return note
    add_note(note, x < FEWEST_EVENTS, FEW_EVENTS)
    add_note(note, (statistic == "share") & (n - x < FEWEST_EVENTS), FEW_NON_EVENTS)
    return note


def _from_model(
    rows: pd.DataFrame, fitted: AdjustedGroups, few: TextArray, *, sparse_sex: bool
) -> pd.DataFrame:
    shown = (few == "") & ~np.isnan(fitted.difference.value)
    value, difference = fitted.value.value, fitted.difference.value
    columns = {
        "value": value,
        "comparator_value": value - difference,
        "difference": difference,
        "difference_lower": fitted.difference.lower,
        "difference_upper": fitted.difference.upper,
        "ratio": fitted.ratio.value,
        "ratio_lower": fitted.ratio.lower,
        "ratio_upper": fitted.ratio.upper,
        "p": fitted.test.p_value,
    }
    found = pd.DataFrame({k: np.where(shown, v, np.nan) for k, v in columns.items()}, index=rows.index)
    notes = np.array([_in_words(note) for note in fitted.difference.note], dtype=object)
    if sparse_sex:
        add_note(notes, np.full(len(notes), True), "a sex with few events is left out")
    return found.assign(
        method=np.where(shown, f"adjusted: {fitted.fitted.model}, {fitted.fitted.errors} errors", ""),
        note=np.where(few == "", notes, few),
    )


def _in_words(note: str) -> str:
    """A note of the model without the numbers that it gives to groups and cells, which readers do not know."""
    kept = []
    for part in (part for part in note.split("; ") if part):
        if part.startswith("the rest is without groups"):
            part = "the rest is without groups that the model cannot hold"
        elif part.startswith("sparse:"):
            part = "few events for so many groups, ages and sexes"
        elif "cells left out" in part:
            continue
        elif part.startswith("separation:"):
            part = (
                "age and sex foretell the outcome without fail somewhere: the model has no finite estimates"
            )
        kept.append(part)
    return "; ".join(kept)
