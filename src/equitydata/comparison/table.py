"""Each group against a comparator: difference and ratio, crude, standardised and adjusted, with the flag.

The rest, all other known groups of the same level, is the comparator of tests and flags: unlike the whole it does not
hold the group itself. The whole is shown as a reading aid, a reference where policy names one, the largest group, a
wider area and a target where there are such. A flag is a prompt to look, and no proof of unfairness or of its cause.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from equitydata.comparison.adjusting import adjusted_against_rest, disagreements, standardised_against_rest
from equitydata.comparison.contrast import (
    ESTIMATES,
    GROUP,
    KNOWN,
    LEVEL,
    RATES,
    SIDE,
    against_figure,
    against_rest,
    contrast,
    known_groups,
    said,
)
from equitydata.comparison.disproportionality import judged
from equitydata.errors import ConfigError, nearest
from equitydata.rulebook import Rulebook
from equitydata.service import AnalysisSettings, Measure
from equitydata.stats.answers import Estimates, add_note, texts
from equitydata.stats.two_groups import difference_to_overall, ratio_to_overall
from equitydata.strata import ALL, Strata
from equitydata.tables import COMPARISONS_TABLE, empty, shape

COMPARATORS = ("rest", "overall", "reference", "largest", "benchmark", "target")
ADJUSTMENTS = ("crude", "standardised", "adjusted")
REST, OVERALL, TARGET = "All other known groups", "All known groups", "Target"
FEW_PEOPLE, FEW_EVENTS = 30, 10
JUDGEMENTS = (
    "p_adjusted",
    "flag",
    "evidence",
    "size",
    "information",
    "similar",
    "harm",
    "detectable_low",
    "detectable_high",
)
SMALL_COMPARATOR = f"what it is compared with has fewer than {FEW_PEOPLE} people"
RARE_COMPARATOR = f"what it is compared with has fewer than {FEW_EVENTS} events"
FIXED = "compared with a figure taken as known without error"
NO_LIMITS_TO_OVERALL = "limits to the whole are not worked out for a quantile"
NO_DETECTABLE = "the smallest detectable ratio is not worked out for a quantile"


def comparison_table(
    strata: Strata,
    measures: Mapping[str, Measure],
    analysis: AnalysisSettings,
    rulebook: Rulebook,
    *,
    residents: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Every known group of every measure against its comparators. Shape: COMPARISONS_TABLE.

    strata : as stratified. measures : by name. analysis : reference groups, and what a family of p-values is.
    residents : characteristic, level, category, residents, for rates against residents.
    - rest: crude, standardised and adjusted, each in a row; the crude and the adjusted one are judged and flagged, each
      in a family of its own.
    - overall: derived from the comparison with the rest, as it holds the group itself; not tested.
    - reference, largest: two groups, with a raw p that is in no family. A note where they are small.
    - benchmark: two samples where the wider area gives counts (share, rate); else, like a target, a fixed figure.
      A target of a rate is per `multiplier`, as rates are shown.
    Counts of repeated contacts go in divided by their design effect. People of unknown group, and categories that
    were not collected, are in no comparison; empty groups have rows with missing estimates.
    Raises ConfigError for a reference that names no group, and for a target or benchmark that no share can have.
    """
    check_references(strata, analysis)
    check_figures(measures)
    confidence = float(rulebook.value("confidence"))
    groups = known_groups(strata, measures, confidence=confidence, residents=residents)
    if groups.empty:
        return empty(COMPARISONS_TABLE)
    compared = against_rest(groups, strata, measures, confidence=confidence)
    crude = compared.join(contrast(compared, confidence=confidence))
    parts = [
        *_with_rest(crude, strata, measures, analysis, rulebook),
        _rows(_with_overall(crude, confidence), "overall"),
        *_with_others(groups, strata, measures, analysis, confidence),
    ]
    table = pd.concat(parts, ignore_index=True)
    table = table.assign(
        measure_label=table["measure"].map({name: measure.label for name, measure in measures.items()}),
        _comparator=table["comparator"].map({name: place for place, name in enumerate(COMPARATORS)}),
        _adjustment=table["adjustment"].map({name: place for place, name in enumerate(ADJUSTMENTS)}),
    ).sort_values(["_place", "_comparator", "_adjustment"], kind="stable")
    return shape(table, COMPARISONS_TABLE)


def check_references(strata: Strata, analysis: AnalysisSettings) -> None:
    """Raise ConfigError for a reference of the service file that names no characteristic or no group of it."""
    frame = strata.strata
    here = frame[(frame["characteristic"] != ALL) & (frame["status"] == KNOWN)]
    for name, category in analysis.reference.items():
        where = f"[analysis.reference] {name}"
        if name not in set(here["characteristic"]):
            raise ConfigError(
                f"'{name}' is not among the characteristics that are analysed.",
                where=where,
                mend=nearest(name, here["characteristic"].unique()),
            )
        known = here.loc[here["characteristic"] == name, "category"]
        if category not in set(known):
            raise ConfigError(
                f"'{category}' is no group of {name}.", where=where, mend=nearest(category, known.unique())
            )


def check_figures(measures: Mapping[str, Measure]) -> None:
    """Raise ConfigError for a target or benchmark that lies outside what its measure can be."""
    for name, measure in measures.items():
        share = measure.statistic == "share"
        if share and measure.target is not None and not 0 <= measure.target <= 1:
            raise ConfigError(
                "The target of a share lies between 0 and 1.",
                where=f"[measures.{name}] target",
                mend="Write 0.9 and not 90.",
            )
        if measure.statistic in RATES and measure.target is not None and measure.target < 0:
            raise ConfigError("The target of a rate is 0 or more.", where=f"[measures.{name}] target")
        given = measure.benchmark
        if given is None or measure.statistic not in ("share", *RATES):
            continue
        if given.numerator < 0 or (share and given.numerator > given.denominator):
            raise ConfigError(
                "The numerator of the benchmark is none that its denominator can have.",
                where=f"[measures.{name}.benchmark] numerator",
                mend="Give counts: those who met it, of those who could have.",
            )


def _with_rest(
    crude: pd.DataFrame,
    strata: Strata,
    measures: Mapping[str, Measure],
    analysis: AnalysisSettings,
    rulebook: Rulebook,
) -> Iterator[pd.DataFrame]:
    """Rows against the rest: crude with its flag, standardised and adjusted, and whether they disagree."""
    verdict = judged(crude, measures, analysis, rulebook)
    standardised = standardised_against_rest(crude, strata, measures, rulebook)
    adjusted = adjusted_against_rest(crude, strata, measures, rulebook)
    apart = disagreements(crude, standardised, adjusted)
    no_power = texts((len(crude),))
    add_note(no_power, (crude["statistic"] == "quantile").to_numpy(), NO_DETECTABLE)
    # Of an empty group it is enough to say so, and a missing p has its reason already.
    told = (crude["note"] != "") & (verdict["note"] != "")
    bare = (
        verdict["note"]
        .str.replace(r"(; )?the (ratio|p-value) is missing", "", regex=True)
        .str.removeprefix("; ")
    )
    short = verdict["note"].mask(told, bare).where(crude["n"] > 0, "")
    note = said(crude["note"], short, no_power)
    flagged = crude.assign(
        **{name: verdict[name] for name in JUDGEMENTS}, note=note, disagrees=apart, comparator_category=REST
    )
    yield _rows(flagged, "rest")
    for name, answer in (("standardised", standardised), ("adjusted", adjusted)):
        held = crude.assign(**{str(column): answer[column] for column in answer})
        if name == "adjusted":
            held = _judged_when_held_equal(held, measures, analysis, rulebook)
        yield _rows(held.assign(disagrees=apart, comparator_category=REST), "rest", name)


def _judged_when_held_equal(
    held: pd.DataFrame, measures: Mapping[str, Measure], analysis: AnalysisSettings, rulebook: Rulebook
) -> pd.DataFrame:
    """The adjusted rows with a flag of their own: age can hide a difference, as it can make one.

    A family of their own, so that what is said of the crude comparisons does not depend on them.
    """
    has = held["p"].notna() & held["ratio"].notna()
    verdict = judged(held.assign(p=held["p"].where(has)), measures, analysis, rulebook)
    blank = {"flag": "", "harm": "", "p_adjusted": np.nan, "evidence": False, "size": False, "similar": False}
    kept = {name: verdict[name].where(has, value) for name, value in blank.items()}
    return held.assign(**kept, information=verdict["information"])


def _with_overall(crude: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """The comparison with everyone known, the group included, from that with the rest."""
    n, other = (crude[f"{side}n"].to_numpy(dtype=float) for side in ("", "comparator_"))
    x, other_x = (crude[f"{side}x"].to_numpy(dtype=float) for side in ("", "comparator_"))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(n + other > 0, n / (n + other), np.nan)
        whole = np.where(n + other > 0, (x + other_x) / (n + other), np.nan)
    ratio = ratio_to_overall(_estimates(crude, "ratio", confidence), share=share)
    difference = difference_to_overall(_estimates(crude, "difference", confidence), share=share)
    value = crude["value"].to_numpy(dtype=float)
    middle = (crude["statistic"] == "quantile").to_numpy()
    whole = np.where(middle, crude["overall"].to_numpy(dtype=float), whole)
    note = said(ratio.note, difference.note)
    add_note(note, middle, NO_LIMITS_TO_OVERALL)
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.where(middle & (value > 0) & (whole > 0), value / whole, np.nan)
    columns = {"comparator_value": whole, "comparator_n": n + other, "comparator_x": x + other_x, "p": np.nan}
    for name, found, plain in (("difference", difference, value - whole), ("ratio", ratio, quotient)):
        columns[name] = np.where(middle, plain, found.value)
        columns[f"{name}_lower"] = np.where(middle, np.nan, found.lower)
        columns[f"{name}_upper"] = np.where(middle, np.nan, found.upper)
    method = np.where(
        middle, "", "derived from the rest: " + crude["method"].str.replace(r", [^,]*$", "", regex=True)
    )
    return crude.assign(**columns, method=method, note=note, comparator_category=OVERALL)


def _estimates(frame: pd.DataFrame, name: str, confidence: float) -> Estimates:
    value, lower, upper = (frame[f"{name}{part}"].to_numpy(dtype=float) for part in ("", "_lower", "_upper"))
    note = frame["note"].to_numpy(dtype=object)
    return Estimates(value, lower, upper, confidence, texts(value.shape), note)


def _with_others(
    groups: pd.DataFrame,
    strata: Strata,
    measures: Mapping[str, Measure],
    analysis: AnalysisSettings,
    confidence: float,
) -> Iterator[pd.DataFrame]:
    """Rows against a named group, the largest group, a wider area and a target."""
    references = _references(groups, analysis)
    largest = _largest(groups)
    chosen = references[LEVEL].assign(_reference=references["category"])
    largest = largest.merge(chosen, on=LEVEL, how="left", validate="one_to_one")
    largest = largest[largest["category"] != largest["_reference"]]
    for name, others in (("reference", references), ("largest", largest[GROUP])):
        pairs = _pairs(groups, others)
        if not pairs.empty:
            found = pairs.join(contrast(pairs, confidence=confidence))
            yield _rows(found.assign(note=said(found["note"], _small(pairs))), name)
    benchmarks = _benchmarks(groups, measures)
    if not benchmarks.empty:
        found = benchmarks.join(contrast(benchmarks, confidence=confidence))
        yield _rows(found.assign(note=said(found["note"], _small(benchmarks))), "benchmark")
    for name, figures in _figures(measures).items():
        fixed = groups[groups["measure"].isin(list(figures))]
        if fixed.empty:
            continue
        figure = fixed["measure"].map({measure: number for measure, (number, _) in figures.items()})
        words = fixed["measure"].map({measure: label for measure, (_, label) in figures.items()})
        fixed = _as_fixed(fixed, strata, measures, figure, words)
        found = fixed.join(against_figure(fixed, confidence=confidence))
        note = texts((len(found),), FIXED if name == "benchmark" else "")
        yield _rows(found.assign(note=said(found["note"], note)), name)


def _references(groups: pd.DataFrame, analysis: AnalysisSettings) -> pd.DataFrame:
    """The reference group of each measure and level that has it."""
    wanted = groups["characteristic"].map(dict(analysis.reference))
    return groups.loc[groups["category"] == wanted, GROUP]


def _largest(groups: pd.DataFrame) -> pd.DataFrame:
    """The group with most people of each measure and level; the first in order where several have as many."""
    peopled = groups[groups["people"] > 0]
    return peopled.loc[peopled.groupby(LEVEL, sort=False)["people"].idxmax(), GROUP]


def _pairs(groups: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Each group beside the one group of its level in `others`, which has no row itself."""
    named = others.rename(columns={"category": "comparator_category"})
    theirs = groups[[*GROUP, *SIDE]].rename(columns={"category": "comparator_category"})
    theirs = theirs.rename(columns={name: f"comparator_{name}" for name in SIDE})
    sides = named.merge(theirs, on=[*LEVEL, "comparator_category"], how="left", validate="one_to_one")
    pairs = groups.assign(_place=groups.index).merge(sides, on=LEVEL, validate="many_to_one")
    pairs = pairs[pairs["category"] != pairs["comparator_category"]]
    return pairs.set_index("_place").rename_axis(None)


def _benchmarks(groups: pd.DataFrame, measures: Mapping[str, Measure]) -> pd.DataFrame:
    """Each group beside the counts of a wider area, which are taken as a sample of their own."""
    there = {
        name: measure.benchmark
        for name, measure in measures.items()
        if measure.benchmark is not None and measure.statistic in ("share", *RATES)
    }
    rows = groups[groups["measure"].isin(list(there))]
    x, n = (
        rows["measure"].map({name: getattr(given, part) for name, given in there.items()}).astype(float)
        for part in ("numerator", "denominator")
    )
    label = rows["measure"].map({name: given.label for name, given in there.items()})
    return rows.assign(
        comparator_category=label,
        comparator_people=np.where(rows["statistic"] == "share", n, np.nan),
        comparator_n=n,
        comparator_x=x,
        comparator_nn=n,
        comparator_value=x / n,
        comparator_lower=np.nan,
        comparator_upper=np.nan,
        comparator_se=np.nan,
        comparator_design_effect=1.0,
        comparator_effective_x=x,
        comparator_effective_n=n,
    )


def _figures(measures: Mapping[str, Measure]) -> dict[str, dict[str, tuple[float, str]]]:
    """Fixed figures by comparator and measure, in the unit of the value, with what they are."""
    figures: dict[str, dict[str, tuple[float, str]]] = {"benchmark": {}, "target": {}}
    for name, measure in measures.items():
        given = measure.benchmark
        if given is not None and measure.statistic not in ("share", *RATES):
            figures["benchmark"][name] = (given.numerator / given.denominator, given.label)
        if measure.target is not None:
            per = measure.multiplier if measure.statistic in RATES else 1.0
            figures["target"][name] = (measure.target / per, TARGET)
    return figures


def _as_fixed(
    rows: pd.DataFrame,
    strata: Strata,
    measures: Mapping[str, Measure],
    figure: pd.Series,
    words: pd.Series,
) -> pd.DataFrame:
    """Groups beside a figure that has no counts; of quantiles also how many people lie above it."""
    rows = rows.assign(
        figure=figure,
        quantile=rows["measure"].map({name: measure.quantile for name, measure in measures.items()}),
        comparator_category=words,
        comparator_value=figure,
        comparator_x=np.nan,
        comparator_n=np.nan,
        above=np.nan,
    )
    if not (rows["statistic"] == "quantile").any() or strata.values.empty:
        return rows
    values = strata.values.merge(rows[[*GROUP, "figure"]].drop_duplicates(), on=GROUP)
    values = values[(values["status"] == KNOWN) & (values["value"] > values["figure"])]
    above = values.groupby(GROUP)["people"].sum().rename("_above").reset_index()
    found = rows[GROUP].merge(above, on=GROUP, how="left", validate="one_to_one")["_above"].fillna(0.0)
    return rows.assign(above=np.where(rows["n"] > 0, found.to_numpy(), np.nan))


def _small(pairs: pd.DataFrame) -> np.ndarray:
    """Warnings where what a group is held against is itself small."""
    note = texts((len(pairs),))
    add_note(note, (pairs["comparator_people"] < FEW_PEOPLE).to_numpy(), SMALL_COMPARATOR)
    counted = pairs["statistic"].isin(["share", *RATES]) & (pairs["comparator_x"] < FEW_EVENTS)
    add_note(note, counted.to_numpy(), RARE_COMPARATOR)
    return note


def _rows(found: pd.DataFrame, comparator: str, adjustment: str = "crude") -> pd.DataFrame:
    """Rows of the table from groups beside their comparator; what is not judged is neither evident nor flagged."""
    counted = found["statistic"].isin(["share", *RATES])
    unjudged: dict[str, Any] = {
        "p_adjusted": np.nan, "flag": "", "evidence": False, "size": False, "information": False,
        "similar": False, "harm": "", "detectable_low": np.nan, "detectable_high": np.nan, "disagrees": False,
    }  # fmt: skip
    missing = {name: value for name, value in unjudged.items() if name not in found}
    columns = ["measure", "characteristic", "label", "level", "category", "statistic", "people", "value"]
    return found[[*columns, "comparator_value", *ESTIMATES, "method", "note"]].assign(
        method=found["method"].where(found["difference"].notna(), ""),
        _place=found.index,
        comparator=comparator,
        comparator_category=found["comparator_category"],
        adjustment=adjustment,
        numerator=found["x"].where(counted),
        denominator=found["n"],
        comparator_numerator=found["comparator_x"].where(counted),
        comparator_denominator=found["comparator_n"],
        **missing,
        **{name: found[name] for name in unjudged if name in found},
    )
