"""Which differences are disproportionate: the flag, from evidence, size and information; and do groups differ at all?

A flag is a prompt to look, and no proof of unfairness or of its cause. The three answers it rests on stand beside it,
and so does the smallest ratio that the data could have shown, because not to find a difference is not to find equality.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from equitydata.comparison.contrast import LEVEL, RATES, known_groups, said
from equitydata.errors import ConfigError
from equitydata.rulebook import Rulebook
from equitydata.service import AnalysisSettings, Measure
from equitydata.stats.answers import FloatArray, TextArray, texts
from equitydata.stats.judgement import detectable_rate_ratio, detectable_ratio, flag
from equitydata.stats.judgement.flags import DISPROPORTIONATE_HIGH, DISPROPORTIONATE_LOW
from equitydata.stats.many_groups import (
    GroupsTest,
    Trend,
    adjust,
    chi_square,
    cochran_armitage,
    poisson_trend,
    rate_homogeneity,
    welch_anova,
)
from equitydata.strata import Strata
from equitydata.tables import TESTS_TABLE, empty, shape

HARM, BENEFIT = "harm", "benefit"
SIMILAR_STATES = ("no_evidence", "different_small")
# Below this many expected events the exact answer is "almost nothing", and the closed form says it as well.
EXACT_FROM = 1.0
EFFECTS = {
    "cramers_v": "Cramér's V",
    "cohens_w": "Cohen's w",
    "eta_squared": "eta squared",
}
GROUPS_EQUAL = "all groups equal"
TREND = "trend over the groups in order"
DEPARTURE = "departure from the trend"
CLUSTERED = "counts divided by the design effect"


@dataclass(frozen=True)
class Thresholds:
    """What a flag asks for, as the rules have it."""

    alpha: float
    band: tuple[float, float]
    least_people: float
    least_expected: float
    preset: str
    adjustment: str
    power: float


def thresholds(rulebook: Rulebook) -> Thresholds:
    """The thresholds in force. Raises ConfigError for a band without 1 inside, and an alpha or power out of range."""
    asked = Thresholds(
        alpha=float(rulebook.value("flag_alpha")),
        band=(float(rulebook.value("flag_band_low")), float(rulebook.value("flag_band_high"))),
        least_people=float(rulebook.value("flag_least_people")),
        least_expected=float(rulebook.value("flag_least_expected")),
        preset=str(rulebook.value("flag_preset")),
        adjustment=str(rulebook.value("flag_adjustment")),
        power=float(rulebook.value("detectable_power")),
    )
    if not 0 < asked.alpha < 0.5:
        raise ConfigError(
            "The threshold of evidence is a fraction below one half.",
            where="[rules] flag_alpha",
            mend="For example 0.05.",
        )
    if not 0.5 < asked.power < 1:
        raise ConfigError(
            "Power is a fraction above one half.", where="[rules] detectable_power", mend="For example 0.8."
        )
    if not 0 < asked.band[0] < 1:
        raise ConfigError(
            "The lower end of the band is a ratio below 1.",
            where="[rules] flag_band_low",
            mend="For example 0.8.",
        )
    if not 1 < asked.band[1] < np.inf:
        raise ConfigError(
            "The upper end of the band is a ratio above 1.",
            where="[rules] flag_band_high",
            mend="For example 1.25.",
        )
    for name, least in (
        ("flag_least_people", asked.least_people),
        ("flag_least_expected", asked.least_expected),
    ):
        if least < 0:
            raise ConfigError("The fewest is 0 or more.", where=f"[rules] {name}", mend="For example 30.")
    return asked


def judged(
    compared: pd.DataFrame,
    measures: Mapping[str, Measure],
    analysis: AnalysisSettings,
    rulebook: Rulebook,
) -> pd.DataFrame:
    """Crude comparisons with the rest, judged: p adjusted, the flag and the answers it rests on.

    compared : one row a group, with the columns of `contrast.against_rest` and of `contrast.contrast`.
    Returns, on its index, p_adjusted, flag, evidence, size, information, similar, harm, detectable_low,
    detectable_high and note (what is short).
    A group, or its rest, below the fewest people or the fewest expected events (and non-events of a share; people
    above and below the quantile of all) is not tested: it has no adjusted p, and does not count in its family. The
    family is the measure and the characteristic, all its levels; with family = "report" everything.
    Effective counts are what is expected of; people are people. harm : the flag's direction held against polarity.
    """
    rule = thresholds(rulebook)
    amounts = _amounts(compared, rule)
    p = compared["p"].to_numpy(dtype=float)
    family = np.zeros(len(compared), dtype=np.int64)
    if analysis.family == "characteristic":
        keys = pd.MultiIndex.from_frame(compared[["measure", "characteristic"]])
        family = pd.factorize(keys)[0].astype(np.int64)
    enough = _flags(compared, np.where(np.isnan(p), np.nan, 1.0), amounts, rule).information
    adjusted = adjust(p, method=rule.adjustment, family=family, tested=enough).adjusted
    # A group that is not tested has no evidence; that its p is not adjusted is no further reason.
    shown = np.where(enough | np.isnan(p), adjusted, 1.0)
    flags = _flags(compared, shown, amounts, rule)
    low, high = _detectable(compared, rule)
    return pd.DataFrame(
        {
            "p_adjusted": adjusted,
            "flag": flags.state,
            "evidence": flags.evidence & enough,
            "size": flags.size,
            "information": flags.information,
            "similar": flags.similar & np.isin(flags.state, SIMILAR_STATES),
            "harm": harm_of(flags.state, compared["measure"], measures),
            "detectable_low": low,
            "detectable_high": high,
            "note": _whose(flags.note, compared, rule),
        },
        index=compared.index,
    )


def harm_of(states: TextArray, measure: pd.Series, measures: Mapping[str, Measure]) -> TextArray:
    """harm, benefit or '' for each flag: a high flag on an adverse measure is harm, on a favourable one benefit."""
    polarity = measure.map({name: each.polarity for name, each in measures.items()}).to_numpy(dtype=object)
    found = texts(states.shape)
    high, low = states == DISPROPORTIONATE_HIGH, states == DISPROPORTIONATE_LOW
    adverse, favourable = polarity == "adverse", polarity == "favourable"
    found[(high & adverse) | (low & favourable)] = HARM
    found[(high & favourable) | (low & adverse)] = BENEFIT
    return found


def tests_table(
    strata: Strata,
    measures: Mapping[str, Measure],
    rulebook: Rulebook,
    *,
    residents: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Whether the known groups of each level differ at all, and whether ordered ones rise or fall. TESTS_TABLE.

    Share: chi-square, Fisher or drawn tables where counts are small and whole. Rate: Poisson, given all events.
    Mean: Welch's analysis of variance between people. Quantile: chi-square of people above the quantile of all
    (Mood). Counts are effective counts. Ordered levels: Cochran-Armitage or Poisson trend with the place in the
    order as score (mean: weighted least squares), its slope as effect, and what the trend leaves unexplained.
    """
    groups = known_groups(
        strata, measures, confidence=float(rulebook.value("confidence")), residents=residents
    )
    rows = [
        {**dict(zip(LEVEL, keys, strict=True)), "label": level["label"].iloc[0], **row}
        for keys, level in groups.groupby(LEVEL, sort=False)
        for row in _tests(level)
    ]
    if not rows:
        return empty(TESTS_TABLE)
    labels = {name: measure.label for name, measure in measures.items()}
    table = pd.DataFrame(rows)
    return shape(table.assign(measure_label=table["measure"].map(labels)), TESTS_TABLE)


def _amounts(compared: pd.DataFrame, rule: Thresholds) -> dict[str, Any]:
    """What the information rule looks at: always the smaller side of the comparison."""
    statistic = compared["statistic"].to_numpy()
    x1, n1, people1 = (
        compared[name].to_numpy(dtype=float) for name in ("effective_x", "effective_n", "people")
    )
    x2, n2, people2 = (
        compared[f"comparator_{name}"].to_numpy(dtype=float)
        for name in ("effective_x", "effective_n", "people")
    )
    raw = [
        compared[f"{side}{name}"].to_numpy(dtype=float) for name in ("x", "n") for side in ("", "comparator_")
    ]
    quantile = statistic == "quantile"
    # The common level is that of the counts themselves; a quantile's are people above the quantile of all.
    events = np.where(quantile, x1 + x2, raw[0] + raw[1])
    amount = np.where(quantile, n1 + n2, raw[2] + raw[3])
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.where(amount > 0, events / amount, np.nan)
    fewer = np.minimum(n1, n2)
    mean, share = statistic == "mean", np.isin(statistic, ("share", "quantile"))
    unlimited = np.where(np.isnan(fewer), np.nan, np.inf)
    people = np.minimum(people1, people2)
    if rule.preset == "idea":
        none = mean | quantile
        return {
            "people": people1,
            "events": np.where(none, unlimited, x1),
            "comparator_people": people2,
            "comparator_events": np.where(none, unlimited, x2),
        }
    return {
        "people": people,
        "expected_events": np.where(mean, unlimited, level * fewer),
        "expected_non_events": np.where(share, (1 - level) * fewer, unlimited),
    }


def _flags(compared: pd.DataFrame, p: FloatArray, amounts: dict[str, Any], rule: Thresholds) -> Any:
    ratio, lower, upper = (
        compared[name].to_numpy(dtype=float) for name in ("ratio", "ratio_lower", "ratio_upper")
    )
    return flag(
        ratio=ratio,
        lower=lower,
        upper=upper,
        adjusted_p=p,
        **amounts,
        alpha=rule.alpha,
        band=rule.band,
        least_people=rule.least_people,
        least_expected=rule.least_expected,
        preset=rule.preset,
    )


def _whose(notes: TextArray, compared: pd.DataFrame, rule: Thresholds) -> TextArray:
    """Notes that say so where it is the comparator that has too few."""
    if rule.preset == "idea":
        return notes
    smaller = (compared["comparator_people"] < compared["people"]).to_numpy()
    renamed = notes.copy()
    for text in set(notes[smaller].tolist()):
        told = text
        for name in ("people", "expected events", "expected non-events"):
            told = told.replace(f"{name}: fewer", f"{name} in the comparator: fewer")
        renamed[smaller & (notes == text)] = told
    return renamed


def _detectable(compared: pd.DataFrame, rule: Thresholds) -> tuple[FloatArray, FloatArray]:
    """The ratios nearest to 1, below and above, that would have been found; missing for quantiles."""
    low, high = np.full(len(compared), np.nan), np.full(len(compared), np.nan)
    statistic = compared["statistic"].to_numpy()
    n1, n2 = (compared[name].to_numpy(dtype=float) for name in ("effective_n", "comparator_effective_n"))
    level = compared["comparator_value"].to_numpy(dtype=float)
    power = {"power": rule.power, "alpha": rule.alpha}
    there = (n1 > 0) & (n2 > 0) & (level > 0)
    share = there & (statistic == "share") & (level < 1)
    counted = there & np.isin(statistic, RATES)
    for here, expected, exact in (
        (share, np.minimum(n1, n2) * np.minimum(level, 1 - level), True),
        (share, np.minimum(n1, n2) * np.minimum(level, 1 - level), False),
        (counted, np.minimum(n1, n2) * level, True),
        (counted, np.minimum(n1, n2) * level, False),
    ):
        with np.errstate(invalid="ignore"):
            some = here & ((expected >= EXACT_FROM) == exact)
        if not some.any():
            continue
        # Levels hold the same groups more than once: each design is worked out once.
        designs, place = np.unique(np.column_stack([n1, n2, level])[some], axis=0, return_inverse=True)
        if here is share:
            found = detectable_ratio(
                people=designs[:, 0], comparator_people=designs[:, 1], comparator_share=designs[:, 2],
                method="auto" if exact else "arcsine", **power,
            )  # fmt: skip
        else:
            found = detectable_rate_ratio(
                time=designs[:, 0], comparator_time=designs[:, 1], comparator_rate=designs[:, 2],
                method="auto" if exact else "square_root", **power,
            )  # fmt: skip
        low[some], high[some] = found.below[place.ravel()], found.above[place.ravel()]
    mean = there & (statistic == "mean")
    if mean.any():
        low[mean], high[mean] = _detectable_means(compared[mean], rule)
    return low, high


def _detectable_means(compared: pd.DataFrame, rule: Thresholds) -> tuple[FloatArray, FloatArray]:
    """From the spread between people, which is no effect: normal, with both standard errors as they are."""
    from scipy.special import ndtri

    errors = [compared[name].to_numpy(dtype=float) for name in ("se", "comparator_se")]
    level = compared["comparator_value"].to_numpy(dtype=float)
    reach = (ndtri(1 - rule.alpha / 2) + ndtri(rule.power)) * np.hypot(*errors) / level
    return np.where(reach < 1, 1 - reach, np.nan), 1 + reach


def _tests(level: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of one level of groups."""
    statistic = str(level["statistic"].iloc[0])
    level = level.sort_values("order", kind="stable")
    clustered = bool((level["design_effect"] > 1).any())
    people = level["people"].to_numpy(dtype=float)
    n, x = (level[name].to_numpy(dtype=float) for name in ("effective_n", "effective_x"))
    x = np.where(n > 0, x, 0.0) if statistic in RATES else x
    used = int((n > 0).sum())
    rows = []
    if statistic == "mean":
        value, variance = (
            level["value"].to_numpy(dtype=float),
            level["se"].to_numpy(dtype=float) ** 2 * people,
        )
        means = welch_anova(people=np.nan_to_num(people), mean=value, variance=variance)
        rows.append(_row(GROUPS_EQUAL, "welch", means.test, used, "eta_squared", means.effect))
        trend = _trend_in_means(value, level["se"].to_numpy(dtype=float))
    elif statistic in RATES:
        rows.append(_omnibus(rate_homogeneity(numerator=x, denominator=n), used))
        trend = poisson_trend(numerator=x, denominator=n)
    else:
        rows.append(_omnibus(chi_square(numerator=x, denominator=n), used))
        trend = cochran_armitage(numerator=x, denominator=n)
    if bool(level["ordered"].any()):
        rows.extend(_trend_rows(trend, used))
    if clustered:
        for row in rows:
            row["note"] = "; ".join(part for part in (row["note"], CLUSTERED) if part)
    if statistic == "quantile":
        for row in rows:
            row["note"] = "; ".join(
                part for part in (row["note"], "of people above the quantile of all") if part
            )
    return rows


def _omnibus(found: GroupsTest, used: int) -> dict[str, Any]:
    return _row(GROUPS_EQUAL, found.test.method, found.test, used, found.effect_name, found.effect)


def _row(test: str, method: str, found: Any, used: int, effect: str, size: float) -> dict[str, Any]:
    return {
        "test": f"{test} ({method})",
        "groups": used,
        "statistic_value": found.statistic,
        "df": found.df,
        "p": found.p_value,
        "effect": EFFECTS[effect],
        "effect_size": size,
        "note": said(np.array([found.note], dtype=object))[0],
    }


def _trend_rows(trend: Trend, used: int) -> list[dict[str, Any]]:
    effect = (
        "log rate ratio from one group to the next"
        if trend.method == "poisson_trend"
        else ("change from one group to the next")
    )
    slope = {
        "test": f"{TREND} ({trend.method})",
        "groups": used,
        "statistic_value": trend.statistic,
        "df": np.nan,
        "p": trend.p_value,
        "effect": effect,
        "effect_size": trend.slope,
        "note": trend.note,
    }
    left = {
        "test": f"{DEPARTURE} (chi_square)",
        "groups": used,
        "statistic_value": trend.departure,
        "df": trend.departure_df,
        "p": trend.departure_p,
        "effect": "",
        "effect_size": np.nan,
        "note": trend.note or ("" if np.isfinite(trend.departure) else "fewer than three groups"),
    }
    return [slope, left]


def _trend_in_means(value: FloatArray, error: FloatArray) -> Trend:
    """Weighted least squares of means on their place in the order, with the weights of their standard errors."""
    from scipy.special import chdtrc, ndtr

    held = np.isfinite(value) & (error > 0)
    nan = float("nan")
    method, notes = "weighted_least_squares", texts(value.shape)
    if held.sum() < 2:
        return Trend(nan, nan, nan, nan, nan, nan, method, "fewer than two groups can be compared", notes)
    d, m, w = np.arange(len(value))[held].astype(float), value[held], 1 / error[held] ** 2
    centred = d - (w * d).sum() / w.sum()
    spread = (w * centred**2).sum()
    slope = float((w * centred * m).sum() / spread)
    z = float(slope * np.sqrt(spread))
    about = float((w * (m - (w * m).sum() / w.sum()) ** 2).sum())
    df = held.sum() - 2.0
    departure = max(0.0, about - z**2) if df > 0 else nan
    p = float(chdtrc(df, departure)) if df > 0 else nan
    return Trend(z, float(2 * ndtr(-abs(z))), slope, departure, df or nan, p, method, "", notes)
