"""Outcomes by group: every measure for every stratum, with limits, crude and at the structure of the whole.

Sums over people come in, the table of outcomes goes out. Everyone is a row: people of unknown group, groups that
the code list has and nobody belongs to, and groups that the code list in use could not have held.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from equitydata.rates.effective import effective
from equitydata.rates.standardised import standardise
from equitydata.rulebook import Rulebook
from equitydata.service import Measure
from equitydata.stats.answers import NOBODY, TextArray, add_note, texts
from equitydata.stats.one_group import proportion, quantile, rate
from equitydata.strata import NOT_COLLECTED, Strata
from equitydata.tables.equity import OUTCOMES_TABLE
from equitydata.tables.spec import empty, shape

# Public health practice: a rate of fewer events is not shown by itself, and one of fewer than 20 is marked.
LEAST_EVENTS, RELIABLE_EVENTS = 3, 20
NUMBERS_AT_ONCE = 4_000_000


def outcome_table(
    strata: Strata,
    measures: Mapping[str, Measure],
    rulebook: Rulebook,
    *,
    residents: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Every measure for every stratum, OUTCOMES_TABLE.

    residents : characteristic, level, category, residents; the denominators of measures per_residents. The whole
        stands there as characteristic and level all, category Everyone. Left out, such measures have no rate.
    Limits are Wilson's for shares, exact (below 10 events) or Byar's for rates, Student's t for means, order
    statistics for quantiles; all but the last allow for several contacts of one person (`effective`).
    Rates are events per unit of person-time, or per resident: the multiplier of the measure is for the page.
    """
    rows = strata.strata[strata.strata["measure"].isin(list(measures))].reset_index(drop=True)
    if rows.empty:
        return empty(OUTCOMES_TABLE)
    confidence = rulebook.value("confidence")
    found = effective(with_residents(rows, measures, residents), measures)
    found = _with_limits(found, strata.values, measures, confidence=confidence)
    at_whole = standardise(
        found, strata.cells, measures, bands=rulebook.value("age_bands"), confidence=confidence
    )
    found = pd.concat([found, at_whole], axis=1)
    of_people = (
        found["measure"].map({name: m.counts == "people" for name, m in measures.items()}).astype(bool)
    )
    statistic = found["statistic"]
    counted = statistic.isin(["share", "rate", "population_rate"])
    single_values_unknown = (statistic == "mean") & ~of_people
    found = found.assign(
        measure_label=found["measure"].map({name: m.label for name, m in measures.items()}),
        unit=np.where(of_people | (statistic == "quantile"), "people", "contacts"),
        numerator=found["x"].where(counted),
        denominator=found["n"].where(statistic != "quantile", found["people"]),
        design_effect=found["design_effect"].where(~single_values_unknown & found["people"].notna()),
    )
    return shape(found.assign(note=_notes(found)), OUTCOMES_TABLE)


def with_residents(
    rows: pd.DataFrame, measures: Mapping[str, Measure], residents: pd.DataFrame | None
) -> pd.DataFrame:
    """The rows, with the residents of each known group as the denominator of measures per_residents.

    rows : STRATA. residents : characteristic, level, category, residents, each group once. A group without
    residents, and people of unknown group, have a missing denominator: of them no rate is known.
    """
    against = rows["measure"].map({name: m.per_residents for name, m in measures.items()}).fillna(False)
    against = against.astype(bool)
    if not against.any():
        return rows
    keys = ["characteristic", "level", "category"]
    if residents is None:
        living = pd.Series(np.nan, index=rows.index)
    else:
        found = rows[keys].merge(residents[[*keys, "residents"]], on=keys, how="left", validate="many_to_one")
        living = found["residents"].astype(float).set_axis(rows.index)
    living = living.where(rows["status"] == "known")
    return rows.assign(n=rows["n"].where(~against, living))


def _with_limits(
    found: pd.DataFrame, values: pd.DataFrame, measures: Mapping[str, Measure], *, confidence: float
) -> pd.DataFrame:
    """The rows of `effective` with lower, upper, method and note, each statistic by its own method."""
    lower, upper = np.full(len(found), np.nan), np.full(len(found), np.nan)
    value = found["value"].to_numpy(dtype=float).copy()
    method, note = texts((len(found),)), texts((len(found),))
    statistic = found["statistic"].to_numpy(dtype=object)
    x, n = (found[name].to_numpy(dtype=float) for name in ("effective_x", "effective_n"))

    shares = statistic == "share"
    wilson = proportion(x[shares], n[shares], confidence=confidence)
    lower[shares], upper[shares], method[shares] = wilson.lower, wilson.upper, wilson.method

    rates = (statistic == "rate") | (statistic == "population_rate")
    poisson = rate(x[rates], n[rates], confidence=confidence)
    lower[rates], upper[rates], method[rates] = poisson.lower, poisson.upper, poisson.method

    repeated = (shares | rates) & (found["design_effect"].to_numpy(dtype=float) > 1)
    method[repeated] = method[repeated] + ", effective counts"

    means = statistic == "mean"
    reach = _t_reach(found[means], confidence=confidence)
    lower[means], upper[means] = value[means] - reach, value[means] + reach
    method[means] = "t, between people"
    note[means & (found["people"] == 1).to_numpy()] = "one person: no limits"

    for name, measure in measures.items():
        here = (statistic == "quantile") & (found["measure"] == name).to_numpy()
        if here.any() and measure.quantile is not None:
            answer = _quantiles(found[here], values, measure.quantile, confidence=confidence)
            value[here], lower[here], upper[here], note[here] = answer
            method[here] = "order statistics"
    method[np.isnan(value)] = "none"
    return found.assign(value=value, lower=lower, upper=upper, method=method, note=note)


def _t_reach(rows: pd.DataFrame, *, confidence: float) -> NDArray[np.float64]:
    """Half the width of Student's interval of a mean, with people less 1 degrees of freedom."""
    from scipy.special import stdtrit

    free = rows["people"].to_numpy(dtype=float) - 1
    return stdtrit(np.where(free > 0, free, np.nan), (1 + confidence) / 2) * rows["se"].to_numpy(dtype=float)


def _quantiles(
    rows: pd.DataFrame, values: pd.DataFrame, probability: float, *, confidence: float
) -> tuple[NDArray, NDArray, NDArray, TextArray]:
    """A quantile of each stratum of one measure, from how many people have each value.

    Strata are taken some at a time, so that many small areas by many values do not fill the memory.
    """
    by = ["measure", "characteristic", "level", "category", "status"]
    number = rows[by].assign(stratum=np.arange(len(rows)))
    mine = values.merge(number, on=by, how="inner", validate="many_to_one").sort_values("stratum")
    stratum, people = mine["stratum"].to_numpy(), mine["people"].to_numpy(dtype=float)
    distinct, at = np.unique(mine["value"].to_numpy(dtype=float), return_inverse=True)
    value, lower, upper = (np.full(len(rows), np.nan) for _ in range(3))
    note = texts((len(rows),))
    some = max(1, NUMBERS_AT_ONCE // max(1, len(distinct)))
    for first in range(0, len(rows), some):
        last = min(first + some, len(rows))
        here = slice(*np.searchsorted(stratum, [first, last]))
        place = (stratum[here] - first) * len(distinct) + at[here]
        size = (last - first) * len(distinct)
        seen = np.bincount(place, weights=people[here], minlength=size).reshape(last - first, len(distinct))
        answer = quantile(distinct, seen, probability=probability, confidence=confidence)
        value[first:last], lower[first:last], upper[first:last] = answer.value, answer.lower, answer.upper
        note[first:last] = np.where(answer.note == NOBODY, "", answer.note)
    return value, lower, upper, note


def _notes(found: pd.DataFrame) -> TextArray:
    """What to know of each row: why there is no value first, then what to keep in mind."""
    notes = texts((len(found),))
    status, statistic = found["status"], found["statistic"]
    x, n, people = found["x"], found["n"], found["people"]
    collected = status != NOT_COLLECTED
    against = statistic == "population_rate"
    events = statistic.isin(["rate", "population_rate"]) & found["value"].notna()
    add_note(notes, ~collected, "not in the code list in use")
    add_note(notes, collected & ~against & (people == 0), NOBODY)
    add_note(
        notes,
        collected & ~against & (people > 0) & ~(n > 0),
        "no person-time or values: nothing to divide by",
    )
    add_note(notes, collected & against & (status != "known"), "residents of unknown group cannot be counted")
    add_note(
        notes, collected & against & (status == "known") & ~(n > 0), "no count of residents of this group"
    )
    over = against & (x > n) & (n > 0)
    add_note(notes, over, "more than there are residents: the two populations do not match")
    add_note(notes, events & (x < LEAST_EVENTS), f"fewer than {LEAST_EVENTS} events: read the limits alone")
    few = events & (x >= LEAST_EVENTS) & (x < RELIABLE_EVENTS)
    add_note(notes, few, f"fewer than {RELIABLE_EVENTS} events: low reliability")
    for column in ("note", "standardised_note"):
        told = found[column].fillna("").to_numpy(dtype=object)
        for text in sorted(set(told) - {""}):
            add_note(notes, told == text, text)
    return notes
