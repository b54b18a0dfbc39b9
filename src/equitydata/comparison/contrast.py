"""A group beside what it is held against: the counts of both, and their difference, ratio and test.

Everything here is whole columns over all groups at once. Shares and rates go in as effective counts, which are
the counts divided by the design effect where one person stands behind several contacts; means with their standard
errors between people; quantiles with order-statistic limits, and with how many people lie above the quantile of all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from equitydata.rates.effective import effective
from equitydata.service import Measure
from equitydata.stats.answers import WEIGHTED, Estimates, FloatArray, Tests, TextArray, add_note, texts
from equitydata.stats.contracts import tails
from equitydata.stats.many_groups import share_test
from equitydata.stats.one_group import quantile, rate, wilson
from equitydata.stats.two_groups import (
    mean_difference,
    mean_test,
    mover_difference,
    rate_difference,
    rate_ratio,
    risk_difference,
    risk_ratio,
    standardised_rate_ratio,
    two_proportion_test,
    two_rate_test,
)
from equitydata.strata import ALL, SUMS, Strata

KNOWN = "known"
LEVEL = ["measure", "characteristic", "level"]
GROUP = [*LEVEL, "category"]
SIDE = (
    "people",
    "n",
    "x",
    "nn",
    "value",
    "lower",
    "upper",
    "se",
    "design_effect",
    "effective_x",
    "effective_n",
)
ESTIMATES = (
    "difference",
    "difference_lower",
    "difference_upper",
    "ratio",
    "ratio_lower",
    "ratio_upper",
    "p",
)
RATES = ("rate", "population_rate")

NO_RESIDENTS = "residents of the group are not known"
NOT_POSITIVE = "a value is not above 0: no ratio"


def known_groups(
    strata: Strata,
    measures: Mapping[str, Measure],
    *,
    confidence: float,
    residents: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Every known group of every measure, with what a comparison needs of it. Rows numbered from 0.

    strata : as counted. measures : by name; rows of others are left aside. residents : characteristic, level,
    category, residents, the denominators of rates against residents.
    Returns the columns of `strata.strata`, `statistic` and SIDE: value (share, rate, mean or quantile), its se,
    design effect and effective counts. Of a quantile effective_x is the people above the quantile of all known
    groups and effective_n the people; lower and upper are its order-statistic limits, and `overall` is the quantile
    of all known groups; these three are missing for the others.
    The whole (characteristic all) and people of unknown group are no groups. Empty groups are there with n = 0.
    """
    frame = strata.strata
    keep = (
        frame["measure"].isin(list(measures)) & (frame["status"] == KNOWN) & (frame["characteristic"] != ALL)
    )
    groups = _with_residents(frame[keep].reset_index(drop=True), measures, residents)
    return _with_quantiles(effective(groups, measures), strata.values, measures, confidence, rest=False)


def _with_residents(
    frame: pd.DataFrame, measures: Mapping[str, Measure], residents: pd.DataFrame | None
) -> pd.DataFrame:
    """The frame with residents as n and people of each rate against residents; missing where they are not known."""
    per_residents = frame["measure"].map(
        {name: m.statistic == "population_rate" for name, m in measures.items()}
    )
    there = per_residents.fillna(False).to_numpy(dtype=bool)
    if not there.any():
        return frame
    keys = ["characteristic", "level", "category"]
    if residents is None:
        known = np.full(len(frame), np.nan)
    else:
        merged = frame[keys].merge(
            residents[[*keys, "residents"]], on=keys, how="left", validate="many_to_one"
        )
        known = merged["residents"].to_numpy(dtype=float)
    # Each resident counts once, so that the sums over residents follow from the events.
    new = {"people": known, "n": known, "nn": known, "nx": frame["x"].to_numpy(dtype=float)}
    return frame.assign(**{name: np.where(there, values, frame[name]) for name, values in new.items()})


def against_rest(
    groups: pd.DataFrame, strata: Strata, measures: Mapping[str, Measure], *, confidence: float
) -> pd.DataFrame:
    """The groups, each with `comparator_` columns of the rest: all other known groups of its level.

    The sums of the rest are those of the level less the group's own, so the design effect of the rest is that
    of the rest's own people. People of unknown group are in no rest.
    """
    rest = groups[[*LEVEL, "category", "status", *SUMS]].copy()
    uncounted = rest[["n", "x"]].isna().any(axis=1)
    sums = rest[list(SUMS)].mask(uncounted, 0.0)
    total = sums.groupby([groups[key] for key in LEVEL], sort=False).transform("sum")
    left = total - sums
    # What a subtraction of person-time leaves of nobody is rounding.
    alone = (left["people"] <= 0) | (left["n"] <= 1e-9 * total["n"])
    rest[list(SUMS)] = left.mask(alone, 0.0)
    rest = _with_quantiles(effective(rest, measures), strata.values, measures, confidence, rest=True)
    columns = dict.fromkeys((*SIDE, *SUMS))
    return groups.assign(**{f"comparator_{name}": rest[name].to_numpy() for name in columns})


def contrast(frame: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Difference, ratio and test of each row's group and its comparator.

    frame : `statistic`, SIDE of the group, and SIDE with `comparator_` before each name.
    Returns ESTIMATES, method (of difference, ratio and test) and note, on the index of the frame.
    - share: Newcombe, Koopman, and the score test or Fisher's mid-P, on effective counts.
    - rate: MOVER, score or conditional exact, and the score test or conditional mid-P, on effective counts.
      With repeated contacts, p is the larger by each side's own design effect and by one for both.
    - mean: Welch between people; the ratio of two positive means by the delta method on the log scale with
      Welch's degrees of freedom. p is the larger of Welch's and Student's: see `_one_spread`.
    A p that is the larger of two can stand above alpha while the limits just exclude no difference.
    - quantile: MOVER from both order-statistic intervals, for the ratio on the log scale; tested by the shares
      above the quantile of all (Mood's test), which need not agree with the limits at the margin.
    """
    found = pd.DataFrame(np.nan, index=frame.index, columns=list(ESTIMATES))
    found["method"], found["note"] = "", ""
    for statistics, worked_out in (
        (("share",), _shares),
        (RATES, _rates),
        (("mean",), _means),
        (("quantile",), _quantiles),
    ):
        here = frame["statistic"].isin(statistics).to_numpy()
        if here.any():
            found.loc[here] = worked_out(frame[here], confidence)
    return found


def against_figure(frame: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Difference, ratio and test of each row's group against a fixed figure, in the shape of `contrast`.

    frame : `statistic`, SIDE, `figure` in the unit of the value, and for quantiles `above` (people above the
    figure) and `quantile`. The figure is taken as known without error: a one-sample comparison.
    Wilson (share), exact or Byar (rate), t between people (mean) or order statistics (quantile), less and over
    the figure. Tests: binomial mid-P, or score with the design effect; Poisson mid-P; t; binomial mid-P of the
    people above the figure.
    """
    figure = frame["figure"].to_numpy(dtype=float)
    value, lower, upper, p = _one_sample(frame, figure, confidence)
    named = {"share": "wilson, binomial mid-P", "mean": "t", "quantile": "order statistics, binomial mid-P"}
    note = texts(figure.shape)
    add_note(note, np.isnan(value), "nobody counted")
    add_note(note, ~(figure > 0), "the figure is not above 0: no ratio")
    over = np.where(figure > 0, figure, np.nan)
    return pd.DataFrame(
        {
            "difference": value - figure,
            "difference_lower": lower - figure,
            "difference_upper": upper - figure,
            "ratio": value / over,
            "ratio_lower": lower / over,
            "ratio_upper": upper / over,
            "p": p,
            "method": [named.get(kind, "exact or byar, poisson mid-P") for kind in frame["statistic"]],
            "note": note,
        },
        index=frame.index,
    )


def said(*notes: TextArray | pd.Series) -> TextArray:
    """Notes of one shape joined, each reason once; that effective counts are not whole is no news."""
    together = pd.DataFrame({place: np.asarray(note, dtype=object) for place, note in enumerate(notes)})
    codes, kinds = pd.factorize(pd.MultiIndex.from_frame(together))
    joined = np.empty(len(kinds), dtype=object)
    for place, kind in enumerate(kinds):
        parts = dict.fromkeys(part for note in kind for part in str(note).split("; ") if part)
        joined[place] = "; ".join(part for part in parts if part != WEIGHTED)
    return np.asarray(joined[codes] if len(codes) else np.empty(0, dtype=object))


def _with_empty_groups(known: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """The values, with a row of nobody for each group of quantiles that nobody is in: its rest is everyone."""
    groups = frame.loc[frame["statistic"] == "quantile", GROUP].drop_duplicates()
    met = pd.MultiIndex.from_frame(known[GROUP])
    absent = groups[~pd.MultiIndex.from_frame(groups).isin(met)]
    some = known.drop_duplicates(LEVEL)[[*LEVEL, "value"]]
    added = absent.merge(some, on=LEVEL, validate="many_to_one").assign(people=0.0, status=KNOWN)
    return pd.concat([known, added[known.columns.intersection(added.columns)]], ignore_index=True)


def _with_quantiles(
    frame: pd.DataFrame,
    values: pd.DataFrame,
    measures: Mapping[str, Measure],
    confidence: float,
    *,
    rest: bool,
) -> pd.DataFrame:
    """The frame with value, limits and the people above the quantile of all, in its rows of quantiles."""
    frame = frame.assign(lower=np.nan, upper=np.nan, overall=np.nan)
    if not (frame["statistic"] == "quantile").any() or values.empty:
        return frame
    known = _with_empty_groups(
        values[(values["status"] == KNOWN) & values["measure"].isin(list(measures))], frame
    )
    found = [
        _level_quantiles(level, keys, float(measures[str(keys[0])].quantile or 0.5), confidence, rest=rest)
        for keys, level in known.groupby(LEVEL, sort=False)
        if measures[str(keys[0])].statistic == "quantile"
    ]
    if not found:
        return frame
    there = frame[GROUP].merge(pd.concat(found), on=GROUP, how="left", validate="one_to_one")
    there.index = frame.index
    here = (frame["statistic"] == "quantile") & there["people"].notna()
    for name in ("people", "n", "value", "lower", "upper", "overall", "effective_x", "effective_n"):
        source = "people" if name in ("n", "effective_n") else name
        frame[name] = frame[name].where(~here, there[source])
    return frame


def _level_quantiles(
    level: pd.DataFrame, keys: tuple, probability: float, confidence: float, *, rest: bool
) -> pd.DataFrame:
    """Quantiles of the groups of one level, or of the rest of each, from how often each value was seen."""
    seen = level.pivot_table(
        index="category", columns="value", values="people", aggfunc="sum", fill_value=0.0
    )
    numbers, people = seen.columns.to_numpy(dtype=float), seen.to_numpy(dtype=float)
    total = people.sum(axis=0)
    overall = float(quantile(numbers, total, probability=probability, confidence=confidence).value)
    used = total - people if rest else people
    found = quantile(numbers, used, probability=probability, confidence=confidence)
    return pd.DataFrame(
        {
            **dict(zip(LEVEL, keys, strict=True)),
            "category": seen.index,
            "people": used.sum(axis=1),
            "value": found.value,
            "lower": found.lower,
            "upper": found.upper,
            "overall": overall,
            "effective_x": used[:, numbers > overall].sum(axis=1),
        }
    )


def _two_sides(frame: pd.DataFrame) -> dict[str, Any]:
    """Effective counts of both sides, under the names that the statistics know."""
    return {
        "numerator": frame["effective_x"].to_numpy(dtype=float),
        "denominator": frame["effective_n"].to_numpy(dtype=float),
        "comparator_numerator": frame["comparator_effective_x"].to_numpy(dtype=float),
        "comparator_denominator": frame["comparator_effective_n"].to_numpy(dtype=float),
    }


def _shares(frame: pd.DataFrame, confidence: float) -> pd.DataFrame:
    counts = _two_sides(frame)
    difference = risk_difference(**counts, confidence=confidence)
    ratio = risk_ratio(**counts, confidence=confidence)
    return _written(frame, difference, ratio, _larger_p(frame, counts, two_proportion_test, share=True))


def _rates(frame: pd.DataFrame, confidence: float) -> pd.DataFrame:
    counts = _two_sides(frame)
    difference = rate_difference(**counts, confidence=confidence)
    ratio = rate_ratio(**counts, confidence=confidence)
    found = _written(frame, difference, ratio, _larger_p(frame, counts, two_rate_test, share=False))
    unhoused = (frame["statistic"] == "population_rate") & frame["n"].isna()
    return found.assign(note=found["note"].mask(unhoused, NO_RESIDENTS))


def _larger_p(
    frame: pd.DataFrame, counts: dict[str, Any], test: Callable[..., Tests], *, share: bool
) -> Tests:
    """The test by each side's own design effect, and by one design effect for both: the larger p of the two.

    A group of a few dozen people tells its own design effect badly, and chance makes it small as often as large.
    Were there no difference, the spread of both sides together would be the better guess.
    """
    own = test(**counts)
    d1, d2 = (frame[f"{side}design_effect"].to_numpy(dtype=float) for side in ("", "comparator_"))
    x1, n1, x2, n2 = (np.asarray(values, dtype=float) for values in counts.values())
    with np.errstate(divide="ignore", invalid="ignore"):
        p1, p2 = x1 / n1, x2 / n2
        # What the variance would be without repeats, on each side, in contacts: the weights of the design effects.
        plain1, plain2 = d1 * n1 * p1 * (1 - p1 * share), d2 * n2 * p2 * (1 - p2 * share)
        common = np.nan_to_num((d1 * plain1 + d2 * plain2) / (plain1 + plain2), nan=1.0)
    common = np.where(d1 == d2, d1, np.maximum(common, 1.0))
    other = test(
        **{
            name: values * effect / common
            for (name, values), effect in zip(counts.items(), (d1, d1, d2, d2), strict=True)
        }
    )
    p_value = np.fmax(own.p_value, other.p_value)
    method = own.method.copy()
    method[(d1 != d2) & (own.method != "")] += " (own or common design effect)"
    return Tests(own.statistic, p_value, method, own.note)


def _means(frame: pd.DataFrame, confidence: float) -> pd.DataFrame:
    from scipy.special import ndtri, stdtrit

    size, other = (frame[f"{side}people"].to_numpy(dtype=float) for side in ("", "comparator_"))
    m1, m2 = (frame[f"{side}value"].to_numpy(dtype=float) for side in ("", "comparator_"))
    v1, v2 = (frame[f"{side}se"].to_numpy(dtype=float) ** 2 for side in ("", "comparator_"))
    asked = {
        "size": size,
        "mean": m1,
        "variance": v1 * size,
        "comparator_size": other,
        "comparator_mean": m2,
        "comparator_variance": v2 * other,
    }
    difference, test = mean_difference(**asked, confidence=confidence), mean_test(**asked)
    test = replace(
        test,
        p_value=np.fmax(test.p_value, _one_spread(frame, v1, v2)),
        method=test.method + " or student_t",
    )
    positive = (m1 > 0) & (m2 > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Student's quantile in place of the normal one, as in the test: variances grow by its square.
        df = (v1 + v2) ** 2 / (v1**2 / (size - 1) + v2**2 / (other - 1))
        wider = (stdtrit(df, 1 - tails(confidence)) / ndtri(1 - tails(confidence))) ** 2
    ratio = standardised_rate_ratio(
        value=np.where(positive, m1, np.nan),
        variance=v1 * wider,
        comparator_value=np.where(positive, m2, np.nan),
        comparator_variance=v2 * wider,
        confidence=confidence,
    )
    notes = texts(m1.shape)
    add_note(notes, ~positive & ~np.isnan(m1 + m2), NOT_POSITIVE)
    found = _written(frame, difference, ratio, test)
    return found.assign(note=said(notes, difference.note))


def _one_spread(frame: pd.DataFrame, v1: FloatArray, v2: FloatArray) -> FloatArray:
    """P-value of Student's test with one spread between people for both sides.

    Where values are skewed (waits), a small group that is low by chance has a small spread too, and Welch's test calls
    it certain. Student's test does not, but errs where spreads differ in truth; so both must agree.
    """
    from scipy.special import stdtr

    m1, n1, nn1, m2, n2, nn2 = (
        frame[f"{side}{name}"].to_numpy(dtype=float)
        for side in ("", "comparator_")
        for name in ("people", "n", "nn")
    )
    difference = frame["value"].to_numpy(dtype=float) - frame["comparator_value"].to_numpy(dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = v1 * n1**2 * (m1 - 1) / m1 + v2 * n2**2 * (m2 - 1) / m2
        df = m1 + m2 - 2
        spread = squares / (nn1 + nn2) * (m1 + m2) / df
        error = np.sqrt(spread * (nn1 / n1**2 + nn2 / n2**2))
        return np.asarray(2 * stdtr(df, -np.abs(difference / error)))


def _quantiles(frame: pd.DataFrame, confidence: float) -> pd.DataFrame:
    m1, l1, u1 = (frame[name].to_numpy(dtype=float) for name in ("value", "lower", "upper"))
    m2, l2, u2 = (frame[f"comparator_{name}"].to_numpy(dtype=float) for name in ("value", "lower", "upper"))
    lower, upper = mover_difference(
        value=m1, lower=l1, upper=u1, comparator_value=m2, comparator_lower=l2, comparator_upper=u2
    )
    positive = (m1 > 0) & (m2 > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [np.log(np.where(positive & (side >= 0), side, np.nan)) for side in (m1, l1, u1, m2, l2, u2)]
        low, high = mover_difference(
            value=logs[0], lower=logs[1], upper=logs[2],
            comparator_value=logs[3], comparator_lower=logs[4], comparator_upper=logs[5],
        )  # fmt: skip
    test = two_proportion_test(**_two_sides(frame))
    note = texts(m1.shape)
    there = ~np.isnan(m1 + m2)
    add_note(note, ~there, "nobody counted on one side")
    add_note(note, there & ~positive, NOT_POSITIVE)
    add_note(note, there & np.isnan(lower + upper), "too few people for limits of a quantile")
    return pd.DataFrame(
        {
            "difference": m1 - m2,
            "difference_lower": lower,
            "difference_upper": upper,
            "ratio": np.where(positive, m1 / np.where(positive, m2, 1.0), np.nan),
            "ratio_lower": np.exp(low),
            "ratio_upper": np.exp(high),
            "p": test.p_value,
            "method": "mover, mover on logs, mood by " + pd.Series(test.method, index=frame.index),
            "note": note,
        },
        index=frame.index,
    )


def _written(frame: pd.DataFrame, difference: Estimates, ratio: Estimates, test: Tests) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "difference": difference.value,
            "difference_lower": difference.lower,
            "difference_upper": difference.upper,
            "ratio": ratio.value,
            "ratio_lower": ratio.lower,
            "ratio_upper": ratio.upper,
            "p": test.p_value,
            "method": [
                ", ".join(part for part in parts if part)
                for parts in zip(difference.method, ratio.method, test.method, strict=True)
            ],
            "note": said(ratio.note, difference.note, test.note),
        },
        index=frame.index,
    )


def _one_sample(
    frame: pd.DataFrame, figure: FloatArray, confidence: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Value, its limits, and p-value against the figure."""
    from scipy.special import stdtr, stdtrit

    value, lower, upper, x, n, people, se, effect = (
        frame[name].to_numpy(dtype=float)
        for name in (
            "value", "lower", "upper", "effective_x", "effective_n", "people", "se", "design_effect"
        )
    )  # fmt: skip
    kind, p = frame["statistic"].to_numpy(), np.full(figure.shape, np.nan)
    lower, upper = lower.copy(), upper.copy()
    share, mean, middle = kind == "share", kind == "mean", kind == "quantile"
    if share.any():
        lower[share], upper[share] = wilson(x[share], n[share], confidence=confidence)
        p[share] = share_test(
            numerator=x[share] * effect[share], denominator=n[share] * effect[share], share=figure[share],
            method="mid_p", dispersion=effect[share],
        ).p_value  # fmt: skip
    counted = np.isin(kind, RATES)
    if counted.any():
        found = rate(x[counted], n[counted], confidence=confidence)
        lower[counted], upper[counted] = found.lower, found.upper
        p[counted] = _poisson_mid_p(x[counted], figure[counted] * n[counted])
    if mean.any():
        with np.errstate(divide="ignore", invalid="ignore"):
            df = np.where(people > 1, people - 1, np.nan)[mean]
            spread = stdtrit(df, 1 - tails(confidence)) * se[mean]
            p[mean] = 2 * stdtr(
                df, -np.abs((value[mean] - figure[mean]) / np.where(se > 0, se, np.nan)[mean])
            )
        lower[mean], upper[mean] = value[mean] - spread, value[mean] + spread
    if middle.any():
        p[middle] = share_test(
            numerator=frame["above"].to_numpy(dtype=float)[middle], denominator=people[middle],
            share=1 - frame["quantile"].to_numpy(dtype=float)[middle], method="mid_p",
        ).p_value  # fmt: skip
    return value, lower, upper, p


def _poisson_mid_p(x: FloatArray, expected: FloatArray) -> FloatArray:
    """Twice the smaller mid-P tail of a count against its expected number; real counts are allowed."""
    from scipy.special import gammainc

    some = np.where(x > 0, x, 1.0)
    here = np.where(np.isnan(x), np.nan, np.where(x > 0, gammainc(some, expected), 1.0))
    high = (here + gammainc(x + 1, expected)) / 2
    return np.asarray(np.minimum(1.0, 2 * np.minimum(high, 1 - high)))
