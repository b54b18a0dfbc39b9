"""One figure for all groups of a characteristic: how far apart they lie, absolute and relative.

The statistics are those of `stats.inequality`; here the groups of each measure and level are put before them:
which end is disadvantaged, which direction is good, how many people stand for each, and how sure each value is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from equitydata.roughly import roughly
from equitydata.rulebook import Rulebook, stratum_levels
from equitydata.service import Measure
from equitydata.stats import inequality as measures_of
from equitydata.stats.inequality import Groups, Inequality
from equitydata.strata import CROSS, NOT_COLLECTED, Strata
from equitydata.tables.equity import INEQUALITY_TABLE
from equitydata.tables.spec import empty, shape

SEED = 1
# Ten thousand draws place a limit to within about a fiftieth of the width of its interval, also for SII and RII.
DRAWS = 10_000
# Draws grow dear with the groups, and a summary of so many says little: beyond these (wards, crossings) BGV alone.
MOST_GROUPS = 30
# A group of fewer people is a shaky thing to hold all others against.
SHAKY_BELOW = 30
# p-value of the test for lack of fit below which the slope is said to tell only part of the gradient.
LACK_OF_FIT = 0.05
SCALES = {
    "share": "proportion",
    "rate": "rate",
    "population_rate": "rate",
    "mean": "plain",
    "quantile": "plain",
}

# Short name -> words, and whether it is a difference (absolute) or a comparison (relative).
SUMMARIES: Mapping[str, tuple[str, str]] = {
    "D": ("Difference between two groups", "absolute"),
    "R": ("Ratio of two groups", "relative"),
    "SII": ("Slope index of inequality", "absolute"),
    "RII": ("Relative index of inequality", "relative"),
    "ACI": ("Absolute concentration index", "absolute"),
    "RCI": ("Relative concentration index", "relative"),
    "BGV": ("Between-group variance", "absolute"),
    "BGSD": ("Between-group standard deviation", "absolute"),
    "COV": ("Coefficient of variation, per cent of the mean", "relative"),
    "Theil": ("Theil index", "relative"),
    "MLD": ("Mean log deviation", "relative"),
    "MDMU": ("Mean difference from the mean, each group alike", "absolute"),
    "MDMW": ("Mean difference from the mean, each person alike", "absolute"),
    "MDBU": ("Mean difference from the best group, each group alike", "absolute"),
    "MDBW": ("Mean difference from the best group, each person alike", "absolute"),
    "MDRU": ("Mean difference from the reference group, each group alike", "absolute"),
    "MDRW": ("Mean difference from the reference group, each person alike", "absolute"),
    "IDISU": ("Index of disparity, each group alike, per cent of the mean", "relative"),
    "IDISW": ("Index of disparity, each person alike, per cent of the mean", "relative"),
    "PAR": ("Population attributable risk", "absolute"),
    "PAF": ("Population attributable fraction, per cent of the mean", "relative"),
}
FROM_BEST = {"MDBU", "MDBW", "PAR", "PAF"}
FROM_REFERENCE = {"MDRU", "MDRW"}
OF_TWO = {"D", "R"}
OF_QUANTILES = {"D", "R", "SII", "RII"}
OF_RANK = {"SII", "RII", "ACI", "RCI"}


@dataclass(frozen=True)
class _Level:
    """The groups of one measure at one level.

    groups : as the statistics take them. names : of the groups kept, in their order. people : of each of them.
    """

    measure: Measure
    statistic: str
    groups: Groups
    names: tuple[str, ...]
    people: np.ndarray
    left_out: int
    note: str

    @property
    def reference(self) -> str | None:
        at = self.groups.reference
        return None if at is None else self.names[at]

    @property
    def best(self) -> str:
        estimate = self.groups.estimate
        return self.names[int(np.argmax(estimate) if self.groups.favourable else np.argmin(estimate))]


def inequality_table(
    outcomes: pd.DataFrame,
    strata: Strata,
    measures: Mapping[str, Measure],
    reference: Mapping[str, str],
    rulebook: Rulebook,
) -> pd.DataFrame:
    """Every inequality summary that applies to each measure at each level of at least two groups: INEQUALITY_TABLE.

    outcomes : OUTCOMES_TABLE; values and limits, which allow for repeated contacts. strata : says which levels are
    ordered. reference : characteristic -> category, where one is named; at a level that lacks it there is none.
    - Groups weigh by their denominators, so that the mean of all is the value of everyone known.
    - Ordered by disadvantage (rules/strata.toml): rank 0 is the most disadvantaged. Ages have an order and no
      disadvantage, so they are taken as groups without order, and the note says so.
    - People of unknown group and groups that nobody is in are left out and counted. An ordered group that has people
      and no value leaves the level without a result.
    - A neutral measure has no best group: nothing is measured from one, nor against the reference in D and R.
    - Crossings have none: their groups are compared one by one.
    - Two groups have D and R alone; quantiles have no mean over groups, so only D, R, SII and RII; more than
      MOST_GROUPS groups have only what needs no draws.
    Limits are seeded. A summary that cannot be below 0 has its value under equality beside it: what chance alone
    would give. Harper S, Lynch J (2005) NCI; Schlotheuber A, Hosseinpoor AR (2022) Int J Environ Res Public Health.
    """
    confidence = float(rulebook.value("confidence"))
    is_ordered = _is_ordered(strata.strata)
    rows: list[dict[str, Any]] = []
    by = ["measure", "characteristic", "level"]
    crossed = outcomes["characteristic"].str.contains(CROSS, regex=False)
    here = outcomes[outcomes["measure"].isin(list(measures)) & ~crossed]
    for (name, characteristic, level), found in here.groupby(by, sort=False):
        ordered = is_ordered.get((str(characteristic), str(level)), False)
        made = _level(found, measures[str(name)], reference.get(str(characteristic)), confidence, ordered)
        if made is None:
            continue
        first = found.iloc[0]
        same = {key: first[key] for key in (*by, "measure_label", "label")}
        rows += [{**same, **_row(made, answer)} for answer in _summaries(made, confidence)]
    return shape(pd.DataFrame(rows), INEQUALITY_TABLE) if rows else empty(INEQUALITY_TABLE)


def _is_ordered(strata: pd.DataFrame) -> dict[tuple[str, str], bool]:
    levels = strata[["characteristic", "level", "ordered"]].drop_duplicates(["characteristic", "level"])
    return {(str(c), str(level)): bool(o) for c, level, o in levels.itertuples(index=False)}


def _most_disadvantaged(characteristic: str, level: str) -> str:
    """Which end of the order is the most disadvantaged: first, last, or '' where neither is."""
    if CROSS in characteristic:
        return ""
    return str(stratum_levels(characteristic).get(level, {}).get("disadvantage", ""))


def _level(
    found: pd.DataFrame, measure: Measure, reference: str | None, confidence: float, has_order: bool
) -> _Level | None:
    """The groups of a level, or nothing where there are fewer than two."""
    statistic = str(found["statistic"].iloc[0])
    end = _most_disadvantaged(str(found["characteristic"].iloc[0]), str(found["level"].iloc[0]))
    ordered = has_order and end != ""
    declared = found[found["status"] == "known"].sort_values("order", ascending=end != "last", kind="stable")
    known = declared[~(declared["denominator"] == 0)]
    nobody, small = len(declared) - len(known), 0
    if statistic in ("mean", "quantile"):
        without = known["lower"].isna() | known["upper"].isna()
        # Of few people a mean has no limits: one such group would leave every summary without.
        small = 0 if ordered else int(without.sum())
        known = known.assign(value=known["value"].mask(without)) if ordered else known[~without]
    if known["value"].notna().sum() < 2:
        return None
    groups = _groups(known, measure, statistic, reference, confidence, ordered)
    kept = known[known["value"].notna() & (known["denominator"] > 0)]
    unknown = found[~found["status"].isin(["known", NOT_COLLECTED]) & (found["people"] > 0)]
    notes = []
    if has_order and not ordered:
        notes.append("an order without disadvantage: taken as groups without order")
    if nobody:
        notes.append(f"groups that nobody is in, left out: {nobody}")
    if small:
        notes.append(f"groups of too few people for limits, left out: {small}")
    total = kept["people"].sum() + unknown["people"].sum()
    if len(unknown) and total > 0:
        notes.append(
            f"{roughly(unknown['people'].sum() / total)} of people are of unknown group and left out"
        )
    return _Level(
        measure=measure,
        statistic=statistic,
        groups=groups,
        names=tuple(str(each) for each in kept["category"]),
        people=kept["people"].to_numpy(dtype=float),
        left_out=len(declared) - len(kept) + len(unknown),
        note="; ".join(notes),
    )


def _groups(
    known: pd.DataFrame,
    measure: Measure,
    statistic: str,
    reference: str | None,
    confidence: float,
    ordered: bool,
) -> Groups:
    value, people, effect = (
        known[name].to_numpy(dtype=float) for name in ("value", "people", "design_effect")
    )
    size = known["denominator"].to_numpy(dtype=float)
    if not (measure.counts == "people" and statistic == "share"):
        # Walter's limits of attributable risk take the sizes as people drawn one by one; of shares they know nothing.
        size = size / np.nansum(size)
    categories = known["category"].tolist()
    return measures_of.as_groups(
        estimate=value,
        population=size,
        standard_error=_errors(known, statistic, value, people, effect, confidence),
        lower=known["lower"],
        upper=known["upper"],
        limits_confidence=confidence,
        favourable=measure.polarity != "adverse",
        ordered=ordered,
        scale=SCALES[statistic],
        reference=categories.index(reference) if reference in categories else None,
    )


def _errors(
    known: pd.DataFrame,
    statistic: str,
    value: np.ndarray,
    people: np.ndarray,
    effect: np.ndarray,
    confidence: float,
) -> np.ndarray:
    """Standard errors with design effects; missing, to be taken from the limits, at 0 or 1 and for quantiles."""
    from scipy.special import stdtrit

    size = known["denominator"].to_numpy(dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        if statistic == "mean":
            half = (known["upper"] - known["lower"]).to_numpy(dtype=float) / 2
            return half / stdtrit(np.where(people > 1, people - 1, np.nan), (1 + confidence) / 2)
        if statistic == "quantile":
            return np.full(len(known), np.nan)
        spread = value * (1 - value) if statistic == "share" else value
        error = np.sqrt(np.maximum(spread, 0) / size * effect)
        return np.where(error > 0, error, np.nan)


def _summaries(level: _Level, confidence: float) -> Iterator[Inequality]:
    """The summaries that apply, in the order of SUMMARIES."""
    groups, asked = level.groups, {"confidence": confidence, "seed": SEED}
    neutral = level.measure.polarity == "neutral"
    many = len(groups.estimate) > MOST_GROUPS
    drawn: dict[str, Any] = {**asked, "draws": DRAWS}
    against = replace(groups, reference=None) if neutral else groups
    answers: dict[str, Inequality] = {}
    if len(groups.estimate) == 2:
        found = [measures_of.difference(against, **drawn), measures_of.ratio(against, **drawn)]
    elif many and not groups.ordered:
        found = [measures_of.between_group_variance(groups, **drawn)]
    elif groups.ordered:
        found = _ordered_summaries(against, drawn)
    else:
        found = list(measures_of.summarise(against, **drawn))
        if neutral and groups.reference is not None:
            found += [
                measures_of.mean_difference_from_reference(groups, weighted=weighted, **drawn)
                for weighted in (False, True)
            ]
    answers = {answer.measure: answer for answer in found}
    for name in SUMMARIES:
        if name not in answers or (neutral and name in FROM_BEST):
            continue
        if level.statistic == "quantile" and name not in OF_QUANTILES:
            continue
        yield answers[name]


def _ordered_summaries(groups: Groups, drawn: dict[str, Any]) -> list[Inequality]:
    """As `stats.inequality.summarise`, with DRAWS for the slope too: 100,000 would be most of the time of a run."""
    slope = measures_of.slope_index(groups, **drawn)
    bent = slope.lack_of_fit.p_value < LACK_OF_FIT
    told = "the groups do not lie on a line over their ranks, so the slope tells only part" if bent else ""
    return [
        measures_of.difference(groups, **drawn),
        measures_of.ratio(groups, **drawn),
        *(replace(each, note="; ".join(filter(None, (each.note, told)))) for each in (slope.sii, slope.rii)),
        measures_of.absolute_concentration(groups, **drawn),
        measures_of.relative_concentration(groups, **drawn),
        measures_of.attributable_risk(groups, **drawn),
        measures_of.attributable_fraction(groups, **drawn),
    ]


def _row(level: _Level, answer: Inequality) -> dict[str, Any]:
    words, scale = SUMMARIES[answer.measure]
    method = answer.method
    if answer.draws and method == "simulated":
        method = f"{method}, {answer.draws:,} draws, seed {answer.seed}"
    return {
        "summary": answer.measure,
        "summary_label": words,
        "scale": scale,
        "value": answer.value,
        "lower": answer.lower,
        "upper": answer.upper,
        "method": method,
        "under_equality": answer.expected,
        "compared": _compared(level, answer.measure),
        "groups": len(level.names),
        "left_out": level.left_out,
        "note": "; ".join(text for text in (answer.note, level.note, _shaky(level, answer.measure)) if text),
    }


def _ends(level: _Level) -> tuple[int, int]:
    """Places of the two groups of D and R, as `stats.inequality.difference` takes them."""
    groups = level.groups
    y, at, last = groups.estimate, groups.reference, len(groups.estimate) - 1
    if groups.ordered:
        return (last, 0) if groups.favourable else (0, last)
    if at is None or level.measure.polarity == "neutral":
        return int(np.argmax(y)), last - int(np.argmin(y[::-1]))
    others = np.delete(np.arange(len(y)), at)
    if groups.favourable:
        return at, int(others[np.argmin(y[others])])
    return int(others[np.argmax(y[others])]), at


def _compared(level: _Level, summary: str) -> str:
    """The groups compared, or which end is rank 0."""
    if summary in OF_TWO:
        first, second = _ends(level)
        return f"{level.names[first]} against {level.names[second]}"
    if summary in OF_RANK:
        return f"rank 0 is {level.names[0]}, rank 1 is {level.names[-1]}"
    if summary in FROM_REFERENCE:
        return f"from {level.reference}" if level.reference else ""
    if summary in ("PAR", "PAF"):
        return f"all as {_held_against(level)}"
    return f"from {level.best}" if summary in FROM_BEST else "all groups"


def _held_against(level: _Level) -> str:
    """Whom PAR and PAF hold everyone against: the reference, the most advantaged, or the best."""
    if level.reference is not None:
        return level.reference
    return level.names[-1] if level.groups.ordered else level.best


def _shaky(level: _Level, summary: str) -> str:
    """A warning where the group that others are held against has few people."""
    if summary in ("PAR", "PAF"):
        against = _held_against(level)
    elif summary in FROM_BEST:
        against = level.best
    elif summary in FROM_REFERENCE and level.reference is not None:
        against = level.reference
    elif summary in OF_TWO:
        few = [level.names[at] for at in _ends(level) if level.people[at] < SHAKY_BELOW]
        return f"fewer than {SHAKY_BELOW} people are {' and '.join(few)}" if few else ""
    else:
        return ""
    people = level.people[level.names.index(against)]
    return f"fewer than {SHAKY_BELOW} people are {against}" if people < SHAKY_BELOW else ""
