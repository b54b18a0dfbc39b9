"""Tests over strata: whether two groups differ at all with the strata held fixed, and whether strata agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equitydata.stats.answers import FloatArray, Tests, TextArray, add_note, texts
from equitydata.stats.two_groups.strata import NO_STRATUM, Strata, strata
from equitydata.stats.two_groups.stratified import mantel_haenszel_odds_ratio
from equitydata.stats.two_groups.two_by_two import one_of

MEASURES = ("odds_ratio", "risk_ratio", "rate_ratio", "risk_difference", "rate_difference")
HOMOGENEITY = ("auto", "breslow_day_tarone", "breslow_day", "inverse_variance")

ONE_STRATUM = "fewer than two strata to compare"
NO_SUMMARY = "adjusted odds ratio is 0 or infinite: strata cannot be compared"
LEFT_OUT = "strata with a zero cell left out"


@dataclass(frozen=True)
class Homogeneity:
    """Whether strata agree: shape S throughout, that of the input less its last axis.

    statistic : chi-squared. df : strata compared, less 1. p_value : small where strata differ more than by chance.
    method : the test. note : why a p-value is NaN, or what to know.
    """

    statistic: FloatArray
    df: FloatArray
    p_value: FloatArray
    method: TextArray
    note: TextArray


def cochran_mantel_haenszel_test(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    comparator_numerator: ArrayLike,
    comparator_denominator: ArrayLike,
    yates: bool = False,
) -> Tests:
    """Whether two groups differ in their risk with the strata held fixed: chi-squared on 1 degree of freedom.

    Counts with the strata along the last axis, as in `stratified_risk_ratio`.
    yates : take half a case from the gap (named cmh_yates in the answer); more conservative, off by default.
    Strata without both groups, cases and non-cases add nothing. Missing, with the reason, where none is left.
    Blind to differences that point opposite ways in different strata: see `homogeneity`.
    Mantel N, Haenszel W (1959). J Natl Cancer Inst 22:719-748.
    """
    counts = strata(
        numerator=numerator,
        denominator=denominator,
        comparator_numerator=comparator_numerator,
        comparator_denominator=comparator_denominator,
        needs="both",
    )
    share = counts.n1 / counts.n
    others = counts.y1 + counts.y2
    with np.errstate(divide="ignore", invalid="ignore"):
        # Weights may add up to less than one person, of whom nothing can be said.
        people = np.where(counts.n > 1, counts.n - 1, np.nan)
        variance = share * (counts.n2 / counts.n) * counts.x * others / people
    return _gap_test(
        counts, np.where(counts.n > 1, counts.x1 - counts.x * share, np.nan), variance, "cmh", yates=yates
    )


def mantel_haenszel_rate_test(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    comparator_numerator: ArrayLike,
    comparator_denominator: ArrayLike,
) -> Tests:
    """Whether two groups differ in their rate with the strata held fixed: chi-squared on 1 degree of freedom.

    Events and person-time with the strata along the last axis. Edges as in `cochran_mantel_haenszel_test`.
    Breslow NE, Day NE (1987) Statistical Methods in Cancer Research II, section 3.6. IARC.
    """
    counts = strata(
        numerator=numerator,
        denominator=denominator,
        comparator_numerator=comparator_numerator,
        comparator_denominator=comparator_denominator,
        needs="events",
    )
    share = counts.n1 / counts.n
    variance = counts.x * share * (counts.n2 / counts.n)
    return _gap_test(counts, counts.x1 - counts.x * share, variance, "mantel_haenszel_rates", yates=False)


def homogeneity(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    comparator_numerator: ArrayLike,
    comparator_denominator: ArrayLike,
    measure: str,
    method: str = "auto",
) -> Homogeneity:
    """Whether the strata could share one odds ratio, risk ratio, rate ratio or difference.

    Counts with the strata along the last axis. measure : odds_ratio, risk_ratio, rate_ratio, risk_difference or
    rate_difference: strata that agree on one of them need not agree on another.
    method : auto (breslow_day_tarone for odds ratios, inverse_variance for the others), breslow_day (odds ratios
        only), inverse_variance (spread of the strata's own values about their weighted mean; strata with a zero
        cell, or cell without which a variance cannot be had, are left out and the note says so).
    The test has little power with few people: a large p-value does not show that strata agree.
    Breslow NE, Day NE (1980) IARC vol I, section 4.4. Tarone RE (1985). Biometrika 72:91-95.
    """
    one_of(measure, MEASURES)
    one_of(method, HOMOGENEITY)
    if method == "auto":
        method = "breslow_day_tarone" if measure == "odds_ratio" else "inverse_variance"
    if measure != "odds_ratio":
        one_of(method, ("inverse_variance",))
    counts = strata(
        numerator=numerator,
        denominator=denominator,
        comparator_numerator=comparator_numerator,
        comparator_denominator=comparator_denominator,
        needs=NEEDED[measure],
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        if method == "inverse_variance":
            statistic, compared = _inverse_variance(counts, measure)
        else:
            statistic, compared = _breslow_day(counts, tarone=method == "breslow_day_tarone")
    return _homogeneity(counts, statistic, compared, method)


def _gap_test(counts: Strata, gap: FloatArray, variance: FloatArray, method: str, *, yates: bool) -> Tests:
    """Chi-squared of the summed gap between cases and their expected number."""
    from scipy.special import chdtrc

    total = np.abs(counts.total(gap))
    if yates:
        total = np.maximum(total - 0.5, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = counts.total(variance)
        statistic = np.where(spread > 0, total**2 / spread, np.nan)
    add_note(counts.notes, np.isnan(statistic) & (counts.notes == ""), NO_STRATUM)
    named = texts(statistic.shape, f"{method}_yates" if yates else method)
    return Tests(statistic, np.asarray(chdtrc(1, statistic)), named, counts.notes)


def _homogeneity(counts: Strata, statistic: FloatArray, compared: FloatArray, method: str) -> Homogeneity:
    from scipy.special import chdtrc

    df = np.where(counts.missing, np.nan, np.maximum(compared - 1, 0))
    testable = df > 0
    statistic = np.where(testable, statistic, np.nan)
    left_out = (~np.isnan(counts.x1)).sum(axis=-1) > compared
    add_note(counts.notes, ~counts.missing & ~testable & (counts.notes == ""), ONE_STRATUM)
    add_note(counts.notes, testable & np.isnan(statistic), NO_SUMMARY)
    add_note(counts.notes, testable & left_out, LEFT_OUT)
    p_value = np.where(np.isnan(statistic), np.nan, chdtrc(np.maximum(df, 1), statistic))
    return Homogeneity(statistic, df, p_value, texts(df.shape, method), counts.notes)


def _breslow_day(counts: Strata, *, tarone: bool) -> tuple[FloatArray, FloatArray]:
    """Cases against those expected if every stratum had the adjusted odds ratio."""
    ratio, _ = mantel_haenszel_odds_ratio(counts)
    # An adjusted ratio of 0 or infinity leaves some cells expected to be 0.
    ratio = np.where((ratio > 0) & np.isfinite(ratio), ratio, np.nan)[..., np.newaxis]
    expected = _expected_cases(counts, ratio)
    gap = counts.x1 - expected
    cells = np.stack([expected, counts.n1 - expected, counts.x - expected, counts.n2 - counts.x + expected])
    variance = 1 / (1 / cells).sum(axis=0)
    statistic = counts.total(gap**2 / variance)
    if tarone:
        # Never below 0, but for rounding.
        statistic = np.maximum(statistic - counts.total(gap) ** 2 / counts.total(variance), 0)
    statistic = np.where(np.isnan(ratio[..., 0]), np.nan, statistic)
    return statistic, (~np.isnan(counts.x1)).sum(axis=-1).astype(float)


def _expected_cases(counts: Strata, ratio: FloatArray) -> FloatArray:
    """The group's cases at which a stratum with its margins has this odds ratio: the root of a quadratic."""
    slope = counts.n2 - counts.x + ratio * (counts.n1 + counts.x)
    root = np.sqrt(slope**2 - 4 * (ratio - 1) * ratio * counts.n1 * counts.x)
    # This form keeps its digits also where the odds ratio is 1 and the equation is no longer quadratic.
    return np.asarray(2 * ratio * counts.n1 * counts.x / (slope + root))


def _inverse_variance(counts: Strata, measure: str) -> tuple[FloatArray, FloatArray]:
    """Squared distances of the strata's values from their mean, all weighted by inverse variance."""
    value, variance = _own_values(counts, measure)
    usable = np.isfinite(value) & (variance > 0) & np.isfinite(variance)
    weight = np.where(usable, 1 / variance, 0.0)
    value = np.where(usable, value, 0.0)
    mean = (weight * value).sum(axis=-1) / weight.sum(axis=-1)
    return (weight * (value - mean[..., np.newaxis]) ** 2).sum(axis=-1), usable.sum(axis=-1).astype(float)


def _own_values(counts: Strata, measure: str) -> tuple[FloatArray, FloatArray]:
    """Each stratum's own value, ratios as logarithms, and its variance."""
    x1, n1, x2, n2, y1, y2 = counts.x1, counts.n1, counts.x2, counts.n2, counts.y1, counts.y2
    if measure == "odds_ratio":
        return np.log(x1 * y2 / (y1 * x2)), 1 / x1 + 1 / y1 + 1 / x2 + 1 / y2
    if measure == "risk_ratio":
        return np.log(x1 * n2 / (n1 * x2)), y1 / x1 / n1 + y2 / x2 / n2
    if measure == "rate_ratio":
        return np.log(x1 * n2 / (n1 * x2)), 1 / x1 + 1 / x2
    if measure == "risk_difference":
        return x1 / n1 - x2 / n2, x1 * y1 / n1**3 + x2 * y2 / n2**3
    return x1 / n1 - x2 / n2, x1 / n1**2 + x2 / n2**2


NEEDED = {
    "odds_ratio": "both",
    "risk_ratio": "cases",
    "rate_ratio": "events",
    "risk_difference": "people",
    "rate_difference": "time",
}
