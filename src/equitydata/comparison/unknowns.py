"""What the people of unknown group could do to each finding, and whether their outcome differs from that of the known.

Comparisons are made among people whose group is known. Nothing here says which group the others belong to: it says
how far their true groups could move a result, and how many of them would have to be of one group for it to turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from equitydata.comparison.contrast import (
    ESTIMATES,
    GROUP,
    KNOWN,
    LEVEL,
    against_rest,
    contrast,
    known_groups,
)
from equitydata.comparison.disproportionality import thresholds
from equitydata.rates.effective import effective
from equitydata.rulebook import Rulebook
from equitydata.service import Measure
from equitydata.stats.answers import FloatArray, TextArray, add_note, texts
from equitydata.stats.judgement import outcome_bounds
from equitydata.strata import ALL, CROSS, NOT_COLLECTED, SUMS, Strata
from equitydata.tables import KNOWN_OR_NOT_TABLE, UNKNOWNS_TABLE, empty, shape

OUTCOME = "outcome"
FIRM, AT_A_BOUND, FRAGILE = "firm", "turns at a bound", "fragile"
# People to whom a characteristic does not apply, and categories that nobody was asked for, are not of unknown group.
NOT_UNKNOWN = (KNOWN, "not_applicable", NOT_COLLECTED)
STEPS, REFINED = 10, 3
FEW = 30
NO_BAND = (1e-12, 1e12)  # no ratio lies outside, so that nothing is looked for
BOUNDS = (
    "ratio",
    "ratio_none",
    "ratio_all",
    "ratio_pro_rata",
    "lowest",
    "highest",
    "turns_at_most",
    "turns_at_least",
)

NO_RATIO = "no ratio from the known"
NOBODY_UNKNOWN = "nobody is of unknown group"
NO_FINDING = "no finding that could turn"
NEVER = "no share of the unknown turns the finding"
TURNED = "the finding has turned already with the unknown given pro rata"
TOGETHER = "lowest and highest give all of the unknown to one side, with their own mean"
NO_RESIDENTS = "residents of unknown group cannot be counted"
ALL_KNOWN = "everyone's group is known"
NOBODY_KNOWN = "nobody's group is known"
FEW_UNKNOWN = "few people of unknown group: little can be said"
DIFFERENT = "people of unknown group differ: figures of the known groups do not stand for everyone"
NOT_SHOWN = "no sign that people of unknown group differ, which does not show that they are alike"


def unknowns_table(
    strata: Strata,
    measures: Mapping[str, Measure],
    rulebook: Rulebook,
    *,
    residents: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Each known group's ratio to the rest under what the unknown could be. Shape: UNKNOWNS_TABLE, of outcomes.

    Every share, rate and mean; a quantile has no such bounds and no rows. The unknown are those declined, not known,
    missing, invalid and unsure of the same level; given to the group in part (none, all, or its share of the known)
    and to the rest for what remains, with their own outcome. lowest and highest give those with the outcome to one
    side and those without to the other (mean: all to one side). Of a rate against residents only events are given.
    robustness, of a ratio whose crude limits exclude 1: firm (holds with none, pro rata and all given), fragile
    (turns when given pro rata), or turns at a bound. turns_at_most, turns_at_least: the tipping shares.
    """
    confidence = float(rulebook.value("confidence"))
    wanted = {name: each for name, each in measures.items() if each.statistic != "quantile"}
    groups = known_groups(strata, wanted, confidence=confidence, residents=residents)
    if groups.empty:
        return empty(UNKNOWNS_TABLE)
    compared = against_rest(groups, strata, wanted, confidence=confidence)
    compared = _with_unknown(compared, strata, wanted)
    found = pd.DataFrame(np.nan, index=compared.index, columns=list(BOUNDS))
    found["robustness"], found["note"] = "", ""
    shares = (compared["statistic"] == "share").to_numpy()
    for here, worked_out in ((shares, _of_shares), (~shares, _of_sums)):
        if here.any():
            found.loc[here] = worked_out(compared[here], wanted, confidence)
    table = compared[["measure", "characteristic", "label", "level", "category", "people"]].join(found)
    return shape(
        table.assign(
            of=OUTCOME,
            measure_label=table["measure"].map({name: each.label for name, each in measures.items()}),
            unknown=compared["unknown_people"],
        ),
        UNKNOWNS_TABLE,
    )


def known_or_not_table(strata: Strata, measures: Mapping[str, Measure], rulebook: Rulebook) -> pd.DataFrame:
    """Outcome of people whose group is known, against that of those whose group is not. KNOWN_OR_NOT_TABLE.

    One row for each measure and characteristic, crossings apart; who is known is taken from its first level.
    Difference, ratio and p as in comparisons, known less unknown and known over unknown; p is not adjusted. A small p
    says that the complete cases are not like the rest, so that what is found among them need not hold for everyone.
    """
    confidence, alpha = float(rulebook.value("confidence")), thresholds(rulebook).alpha
    two = _known_and_unknown(strata, measures)
    groups = known_groups(two, measures, confidence=confidence)
    if groups.empty:
        return empty(KNOWN_OR_NOT_TABLE)
    compared = against_rest(groups, two, measures, confidence=confidence)
    compared = compared[compared["category"] == KNOWN]
    table = compared.join(contrast(compared, confidence=confidence))
    residents = (table["statistic"] == "population_rate").to_numpy()
    people, unknown = (
        np.where(residents, two_people, table[name].to_numpy(dtype=float))
        for name, two_people in zip(("people", "comparator_people"), _cases(two, table), strict=True)
    )
    p = table["p"].to_numpy(dtype=float)
    note = texts((len(table),))
    add_note(note, residents, NO_RESIDENTS)
    add_note(note, ~residents & (people == 0), NOBODY_KNOWN)
    add_note(note, ~residents & (unknown == 0) & (people > 0), ALL_KNOWN)
    open_ = (note == "") & ~np.isnan(p)
    add_note(note, open_ & (unknown < FEW), FEW_UNKNOWN)
    add_note(note, open_ & (p < alpha), DIFFERENT)
    add_note(note, open_ & (p >= alpha) & (unknown >= FEW), NOT_SHOWN)
    silent = note == ""
    note[silent] = table["note"].to_numpy(dtype=object)[silent]
    columns = ["measure", "characteristic", "label", "statistic", *ESTIMATES]
    return shape(
        table[columns].assign(
            measure_label=table["measure"].map({name: each.label for name, each in measures.items()}),
            people=people,
            unknown=unknown,
            known_value=table["value"],
            unknown_value=table["comparator_value"],
            note=note,
        ),
        KNOWN_OR_NOT_TABLE,
    )


def _unknown_rows(frame: pd.DataFrame, measures: Mapping[str, Measure]) -> pd.DataFrame:
    here = ~frame["status"].isin(NOT_UNKNOWN) & (frame["characteristic"] != ALL)
    return frame[here & frame["measure"].isin(list(measures))]


def _with_unknown(compared: pd.DataFrame, strata: Strata, measures: Mapping[str, Measure]) -> pd.DataFrame:
    """The comparisons with the sums of the people of unknown group of their level, and with their effective counts."""
    sums = _unknown_rows(strata.strata, measures).groupby(LEVEL, sort=False)[list(SUMS)].sum().reset_index()
    unknown = compared[LEVEL].drop_duplicates().merge(sums, on=LEVEL, how="left", validate="one_to_one")
    unknown = unknown.fillna(dict.fromkeys(SUMS, 0.0)).assign(status="unknown", category="")
    # The groups come along so that a few unknown people borrow the design effect of the known.
    both = pd.concat([compared[[*GROUP, "status", *SUMS]], unknown], ignore_index=True)
    worked_out = effective(both, measures).iloc[len(compared) :]
    columns = [*SUMS, "effective_x", "effective_n"]
    theirs = worked_out[[*LEVEL, *columns]].rename(columns={name: f"unknown_{name}" for name in columns})
    merged = compared[LEVEL].merge(theirs, on=LEVEL, how="left", validate="many_to_one")
    return compared.assign(**{f"unknown_{name}": merged[f"unknown_{name}"].to_numpy() for name in columns})


def _of_shares(rows: pd.DataFrame, measures: Mapping[str, Measure], confidence: float) -> pd.DataFrame:
    """Bounds of risk ratios: findings by the limits of effective counts, ratios by the counts themselves."""

    def counts(x: str, n: str) -> dict[str, Any]:
        return {
            f"{whose}{count}": rows[f"{whose}{column}"].to_numpy(dtype=float)
            for whose in ("", "comparator_", "unknown_")
            for count, column in (("numerator", x), ("denominator", n))
        }

    found = outcome_bounds(**counts("effective_x", "effective_n"), confidence=confidence)
    # Each side has a design effect of its own, by which its counts must not weigh less in a ratio of sums.
    plain = outcome_bounds(**counts("x", "n"), criterion="band", band=NO_BAND)
    robustness = _robustness(found.finding != 0, found.firm, found.fragile)
    numbers = (
        plain.known,
        plain.none,
        plain.everyone,
        plain.pro_rata,
        plain.lowest,
        plain.highest,
        found.at_most,
        found.at_least,
    )
    return pd.DataFrame(
        {**dict(zip(BOUNDS, numbers, strict=True)), "robustness": robustness, "note": found.note},
        index=rows.index,
    )


def _of_sums(rows: pd.DataFrame, measures: Mapping[str, Measure], confidence: float) -> pd.DataFrame:
    """The same of rates and means, by giving the group a part of the sums of the unknown, and the rest what remains."""
    residents = (rows["statistic"] == "population_rate").to_numpy()
    size, other = (rows[f"{whose}n"].to_numpy(dtype=float) for whose in ("", "comparator_"))
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(size + other > 0, size / (size + other), np.nan)
    # Nobody of unknown group is anybody's resident, so it is their events that count.
    unknown = np.where(residents, rows["unknown_x"], rows["unknown_people"]).astype(float)

    def given(share: FloatArray, of: pd.DataFrame, *, none: bool = False) -> pd.DataFrame:
        return _given(of, share, measures, confidence, none=none)

    known = given(np.zeros(len(rows)), rows, none=True)
    ends = [given(np.full(len(rows), share), rows) for share in (0.0, 1.0)]
    pro_rata = given(np.nan_to_num(part), rows)
    finding = _clear(known)
    states = [_clear(each) for each in (*ends, pro_rata)]
    ratio = known["ratio"].to_numpy(dtype=float)
    some = ~np.isnan(ratio) & (unknown > 0)
    told = some & (finding != 0)
    fragile = told & (states[2] != finding)
    firm = (
        (finding != 0)
        & ~np.isnan(ratio)
        & ~fragile
        & ((unknown == 0) | np.all([s == finding for s in states], axis=0))
    )
    at_most, at_least = np.where(fragile, part, np.nan), np.where(fragile, part, np.nan)
    search = told & ~fragile
    if search.any():
        at_most[search], at_least[search] = _tipping(rows[search], part[search], finding[search], given)
    none, everyone = (each["ratio"].to_numpy(dtype=float) for each in ends)
    lowest, highest = _extremes(rows, none, everyone)
    note = texts((len(rows),))
    add_note(note, np.isnan(ratio), NO_RATIO)
    add_note(note, ~np.isnan(ratio) & (unknown == 0), NOBODY_UNKNOWN)
    add_note(note, some & (finding == 0), NO_FINDING)
    add_note(note, fragile, TURNED)
    add_note(note, told & np.isnan(at_most) & np.isnan(at_least), NEVER)
    add_note(note, some & (rows["statistic"] == "mean").to_numpy(), TOGETHER)
    numbers = (ratio, none, everyone, pro_rata["ratio"].to_numpy(), lowest, highest, at_most, at_least)
    columns = dict(zip(BOUNDS, numbers, strict=True))
    robustness = _robustness((finding != 0) & ~np.isnan(ratio), firm, fragile)
    return pd.DataFrame({**columns, "robustness": robustness, "note": note}, index=rows.index)


def _given(
    rows: pd.DataFrame, share: FloatArray, measures: Mapping[str, Measure], confidence: float, *, none: bool
) -> pd.DataFrame:
    """The contrast with a share of the unknown in the group and what remains of them in the rest.

    none : leave the unknown out altogether.
    """
    residents = (rows["statistic"] == "population_rate").to_numpy()
    sides = []
    for whose, part in (("", share), ("comparator_", 1 - share)):
        part = np.zeros(len(rows)) if none else part
        sums = {}
        for name in SUMS:
            own = rows[f"{whose}{name}"].to_numpy(dtype=float)
            theirs = rows[f"unknown_{name}"].to_numpy(dtype=float)
            living = residents & (name in ("n", "nn", "people"))
            sums[name] = own + np.where(living, 0.0, part * theirs)
        copy = rows.get("copy", 0)
        sides.append(rows[[*GROUP, "status"]].assign(copy=copy, **sums))
    group, rest = (effective(side, measures, pool_by=(*LEVEL, "copy")) for side in sides)
    columns = ["people", "n", "x", "nn", "value", "se", "design_effect", "effective_x", "effective_n"]
    both = group.assign(**{f"comparator_{name}": rest[name] for name in columns})
    return contrast(both, confidence=confidence)


def _clear(found: pd.DataFrame) -> FloatArray:
    """1 where the limits of the ratio lie above 1, -1 below, 0 otherwise."""
    lower, upper = (found[f"ratio_{end}"].to_numpy(dtype=float) for end in ("lower", "upper"))
    return (lower > 1).astype(float) - (upper < 1).astype(float)


def _tipping(
    rows: pd.DataFrame,
    part: FloatArray,
    finding: FloatArray,
    given: Callable[[FloatArray, pd.DataFrame], pd.DataFrame],
) -> tuple[FloatArray, FloatArray]:
    """The nearest shares of the unknown, below and above pro rata, at which the finding turns.

    By tenths of the way to none and to all, and then by tenths of the tenth in which it turns: a finding can turn and
    turn back, so the first turn is looked for. All steps of both sides are worked out at once.
    """
    count = len(rows)
    inside = np.concatenate([part, part])
    outside = np.concatenate([np.zeros(count), np.ones(count)])
    wanted = np.concatenate([finding, finding])
    found = np.ones(2 * count, dtype=bool)
    for _ in range(REFINED):
        steps = inside + (outside - inside) * (np.arange(STEPS + 1) / STEPS)[:, np.newaxis]
        many = pd.concat([rows] * (2 * STEPS), ignore_index=True)
        many["copy"] = np.repeat(np.arange(2 * STEPS), count)
        turned = _clear(given(steps[1:].ravel(), many)).reshape(STEPS, -1) != wanted
        found = found & turned.any(axis=0)
        first = np.where(found, turned.argmax(axis=0), 0)[np.newaxis]
        inside = np.take_along_axis(steps, first, axis=0)[0]
        outside = np.take_along_axis(steps, first + 1, axis=0)[0]
    tipping = np.where(found, outside, np.nan)
    return tipping[:count], tipping[count:]


def _extremes(rows: pd.DataFrame, none: FloatArray, everyone: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest ratio: for rates all events of the unknown to one side, and all their time to the other."""
    lowest, highest = np.fmin(none, everyone), np.fmax(none, everyone)
    rate = (rows["statistic"] == "rate").to_numpy()
    x1, n1, x2, n2, ux, un = (
        rows[name].to_numpy(dtype=float)
        for name in ("x", "n", "comparator_x", "comparator_n", "unknown_x", "unknown_n")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        high = (x1 + ux) / n1 / (x2 / (n2 + un))
        low = x1 / (n1 + un) / ((x2 + ux) / n2)
    return np.where(rate, low, lowest), np.where(rate, high, highest)


def _robustness(told: np.ndarray, firm: np.ndarray, fragile: np.ndarray) -> TextArray:
    found = texts(told.shape)
    found[told] = AT_A_BOUND
    found[told & firm] = FIRM
    found[told & fragile] = FRAGILE
    return found


def _known_and_unknown(strata: Strata, measures: Mapping[str, Measure]) -> Strata:
    """Strata with two groups for each characteristic: people whose group is known, and those whose group is not."""
    frame = strata.strata[strata.strata["measure"].isin(list(measures))]
    single = (frame["characteristic"] != ALL) & ~frame["characteristic"].str.contains(CROSS, regex=False)
    frame = frame[single]
    first = frame.groupby("characteristic", sort=False)["level"].first()
    frame = frame[frame["level"] == frame["characteristic"].map(first)]
    frame = frame[~frame["status"].isin(("not_applicable", NOT_COLLECTED))]
    side = frame["status"].where(frame["status"] == KNOWN, "unknown")
    keys = ["measure", "characteristic", "label", "level"]
    sums = (
        frame.assign(category=side).groupby([*keys, "category"], sort=False)[list(SUMS)].sum().reset_index()
    )
    # Where nobody is of unknown group, that side is there all the same, and empty.
    pairs = sums[keys].drop_duplicates().merge(pd.DataFrame({"category": [KNOWN, "unknown"]}), how="cross")
    both = pairs.merge(sums, on=[*keys, "category"], how="left").fillna(dict.fromkeys(SUMS, 0.0))
    both = both.assign(status=KNOWN, ordered=False, order=1)
    return Strata(
        strata=both,
        cells=strata.cells.iloc[:0],
        values=_known_and_unknown_values(strata.values, first),
        periods=strata.periods,
        pairs=strata.pairs,
        places=strata.places,
        labels=strata.labels,
    )


def _known_and_unknown_values(values: pd.DataFrame, first: pd.Series) -> pd.DataFrame:
    if values.empty:
        return values
    kept = values[values["level"] == values["characteristic"].map(first)]
    kept = kept[~kept["status"].isin(("not_applicable", NOT_COLLECTED))]
    side = kept["status"].where(kept["status"] == KNOWN, "unknown")
    return kept.assign(category=side, status=KNOWN)


def _cases(two: Strata, table: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """People who met the numerator, on both sides: what is known of people where residents are the denominator."""
    cases = two.strata.pivot_table(index=LEVEL, columns="category", values="cases", aggfunc="sum")
    found = cases.reindex(pd.MultiIndex.from_frame(table[LEVEL]))
    return tuple(found[side].to_numpy(dtype=float) for side in (KNOWN, "unknown"))  # type: ignore[return-value]
