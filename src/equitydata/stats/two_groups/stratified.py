"""Two groups compared with a third thing held fixed, by Mantel and Haenszel: risks, odds and rates within strata.

Every answer holds the crude comparison beside the adjusted one. Where they point in opposite ways the difference
in how the groups spread over the strata hides or feigns the result (Simpson's paradox), and `reversed_` is set.
One adjusted number is a fair summary only where strata agree: `homogeneity` in stratified_tests asks that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import Estimates, FloatArray, add_note, texts
from equitydata.stats.contracts import Confidence, as_asked, beside
from equitydata.stats.two_groups.proportions import log_limits, odds_ratio, risk_difference, risk_ratio
from equitydata.stats.two_groups.rates import rate_difference, rate_ratio
from equitydata.stats.two_groups.strata import Strata, strata
from equitydata.stats.two_groups.two_by_two import quantiles

ZERO_TERM = "adjusted ratio is 0 or infinite: no limits"
NO_VARIATION = "no variation within strata: no limits"
REVERSED = "the adjusted comparison points the other way than the crude one (Simpson's paradox)"

Adjusted = tuple[FloatArray, FloatArray]


@dataclass(frozen=True)
class Stratified:
    """A comparison adjusted for strata, and the crude one beside it: shape S, that of the input less its last axis.

    adjusted : the Mantel-Haenszel estimate. crude : from the counts of all strata together, with the default
        interval of the plain comparison. It takes in the people of strata that dropped out of the adjusted one.
    reversed_ : True where both are there and lie on opposite sides of no difference.
    dropped : for each comparison a tuple of the numbers (from 0) of strata that add nothing: a group with nobody,
        or (for ratios) no cases, or (for odds) no non-cases.
    """

    adjusted: Estimates
    crude: Estimates
    reversed_: NDArray[np.bool_]
    dropped: NDArray[np.object_]


def stratified_risk_ratio(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    comparator_numerator: ArrayLike,
    comparator_denominator: ArrayLike,
    confidence: Confidence = 0.95,
) -> Stratified:
    """Mantel-Haenszel risk ratio: sum(x1 n2 / n) / sum(x2 n1 / n) over strata.

    Counts of one shape with the strata along the last axis; axes before it are separate comparisons.
    confidence : fraction or fractions. Limits on the log scale, good for many thin strata and for few thick ones.
    A missing count in any stratum makes the whole comparison missing. No cases in one group: 0 or infinite,
    without limits. Raises ContractError for counts that cannot be.
    Greenland S, Robins JM (1985). Biometrics 41:55-68.
    """
    counts = strata(
        numerator=numerator,
        denominator=denominator,
        comparator_numerator=comparator_numerator,
        comparator_denominator=comparator_denominator,
        needs="cases",
    )
    return _ratio(counts, _risk_ratio, risk_ratio, "mantel_haenszel_greenland_robins", confidence)


def stratified_odds_ratio(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    comparator_numerator: ArrayLike,
    comparator_denominator: ArrayLike,
    confidence: Confidence = 0.95,
) -> Stratified:
    """Mantel-Haenszel odds ratio: sum(x1 y2 / n) / sum(y1 x2 / n) over strata, y being non-cases.

    Crude and adjusted odds ratios can differ without any confounding, unlike risk ratios and differences.
    Arguments, edges and errors as in `stratified_risk_ratio`.
    Robins J, Breslow N, Greenland S (1986). Biometrics 42:311-323.
    """
    counts = strata(
        numerator=numerator,
        denominator=denominator,
        comparator_numerator=comparator_numerator,
        comparator_denominator=comparator_denominator,
        needs="both",
    )
    return _ratio(counts, mantel_haenszel_odds_ratio, odds_ratio, "mantel_haenszel_rbg", confidence)


def stratified_rate_ratio(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    comparator_numerator: ArrayLike,
    comparator_denominator: ArrayLike,
    confidence: Confidence = 0.95,
) -> Stratified:
    """Mantel-Haenszel rate ratio: sum(x1 t2 / t) / sum(x2 t1 / t) over strata, t being person-time.

    Events may pass person-time. Arguments, edges and errors else as in `stratified_risk_ratio`.
    Greenland S, Robins JM (1985). Biometrics 41:55-68.
    """
    counts = strata(
        numerator=numerator,
        denominator=denominator,
        comparator_numerator=comparator_numerator,
        comparator_denominator=comparator_denominator,
        needs="events",
    )
    return _ratio(counts, _rate_ratio, rate_ratio, "mantel_haenszel_greenland_robins", confidence)


def stratified_risk_difference(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    comparator_numerator: ArrayLike,
    comparator_denominator: ArrayLike,
    confidence: Confidence = 0.95,
) -> Stratified:
    """Mantel-Haenszel risk difference: the strata's differences weighted by n1 n2 / n.

    Strata without cases count here, as a difference of 0. Arguments and errors else as in `stratified_risk_ratio`.
    Sato T (1989). Biometrics 45:1323-1324, a variance good for many thin strata and for few thick ones.
    """
    counts = strata(
        numerator=numerator,
        denominator=denominator,
        comparator_numerator=comparator_numerator,
        comparator_denominator=comparator_denominator,
        needs="people",
    )
    return _difference(counts, _risk_difference, risk_difference, "mantel_haenszel_sato", confidence)


def stratified_rate_difference(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    comparator_numerator: ArrayLike,
    comparator_denominator: ArrayLike,
    confidence: Confidence = 0.95,
) -> Stratified:
    """Mantel-Haenszel rate difference: the strata's differences weighted by t1 t2 / t.

    Strata without events count here, as a difference of 0. Arguments and errors else as in `stratified_rate_ratio`.
    Greenland S, Robins JM (1985). Biometrics 41:55-68.
    """
    counts = strata(
        numerator=numerator,
        denominator=denominator,
        comparator_numerator=comparator_numerator,
        comparator_denominator=comparator_denominator,
        needs="time",
    )
    return _difference(
        counts, _rate_difference, rate_difference, "mantel_haenszel_greenland_robins", confidence
    )


def mantel_haenszel_odds_ratio(counts: Strata) -> Adjusted:
    """The adjusted odds ratio and the variance of its logarithm."""
    same, crossed = counts.x1 * counts.y2 / counts.n, counts.y1 * counts.x2 / counts.n
    same_share, crossed_share = (counts.x1 + counts.y2) / counts.n, (counts.y1 + counts.x2) / counts.n
    all_same, all_crossed = counts.total(same), counts.total(crossed)
    variance = (
        counts.total(same_share * same) / (2 * all_same**2)
        + counts.total(same_share * crossed + crossed_share * same) / (2 * all_same * all_crossed)
        + counts.total(crossed_share * crossed) / (2 * all_crossed**2)
    )
    return all_same / all_crossed, variance


def _risk_ratio(counts: Strata) -> Adjusted:
    above, below = (
        counts.total(counts.x1 * counts.n2 / counts.n),
        counts.total(counts.x2 * counts.n1 / counts.n),
    )
    terms = (counts.n1 * counts.n2 * counts.x / counts.n - counts.x1 * counts.x2) / counts.n
    return above / below, counts.total(terms) / (above * below)


def _rate_ratio(counts: Strata) -> Adjusted:
    above, below = (
        counts.total(counts.x1 * counts.n2 / counts.n),
        counts.total(counts.x2 * counts.n1 / counts.n),
    )
    return above / below, counts.total(counts.x * counts.n1 * counts.n2 / counts.n**2) / (above * below)


def _risk_difference(counts: Strata) -> Adjusted:
    n1, n2, n = counts.n1, counts.n2, counts.n
    weight = counts.total(n1 * n2 / n)
    value = counts.total((counts.x1 * n2 - counts.x2 * n1) / n) / weight
    tilt = (n1**2 * counts.x2 - n2**2 * counts.x1 + n1 * n2 * (n2 - n1) / 2) / n**2
    spread = (counts.x1 * counts.y2 + counts.x2 * counts.y1) / (2 * n)
    tilted, spread_out = value * counts.total(tilt), counts.total(spread)
    # Where no stratum varies the two cancel, but for rounding.
    still = tilted + spread_out <= 1e-12 * (np.abs(tilted) + spread_out)
    return value, np.where(still, 0.0, tilted + spread_out) / weight**2


def _rate_difference(counts: Strata) -> Adjusted:
    n1, n2, n = counts.n1, counts.n2, counts.n
    weight = counts.total(n1 * n2 / n)
    value = counts.total((counts.x1 * n2 - counts.x2 * n1) / n) / weight
    return value, counts.total((counts.x1 * n2**2 + counts.x2 * n1**2) / n**2) / weight**2


def _ratio(
    counts: Strata,
    adjust: Callable[[Strata], Adjusted],
    plain: Callable[..., Estimates],
    method: str,
    confidence: Confidence,
) -> Stratified:
    with np.errstate(divide="ignore", invalid="ignore"):
        value, variance = adjust(counts)
        limitless = (value == 0) | np.isinf(value)
        lower, upper = log_limits(value, np.where(limitless, np.nan, variance), confidence)
    add_note(counts.notes, limitless, ZERO_TERM)
    return _beside_crude(counts, value, lower, upper, plain, method, confidence, equal=1)


def _difference(
    counts: Strata,
    adjust: Callable[[Strata], Adjusted],
    plain: Callable[..., Estimates],
    method: str,
    confidence: Confidence,
) -> Stratified:
    z = quantiles(confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        value, variance = adjust(counts)
        still = variance <= 0
        spread = z * np.sqrt(beside(np.where(still, np.nan, variance), z))
    add_note(counts.notes, still, NO_VARIATION)
    lower, upper = beside(value, z) - spread, beside(value, z) + spread
    return _beside_crude(counts, value, lower, upper, plain, method, confidence, equal=0)


def _beside_crude(
    counts: Strata,
    value: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    plain: Callable[..., Estimates],
    method: str,
    confidence: Confidence,
    *,
    equal: float,
) -> Stratified:
    x1, n1, x2, n2 = counts.crude
    crude = plain(
        numerator=x1,
        denominator=n1,
        comparator_numerator=x2,
        comparator_denominator=n2,
        confidence=confidence,
    )
    with np.errstate(invalid="ignore"):
        reversed_ = np.asarray(np.sign(value - equal) * np.sign(crude.value - equal) == -1)
    add_note(counts.notes, reversed_, REVERSED)
    adjusted = Estimates(value, lower, upper, as_asked(confidence), texts(value.shape, method), counts.notes)
    return Stratified(adjusted, crude, reversed_, counts.dropped)
