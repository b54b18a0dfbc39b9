"""Two proportions compared: their difference, their ratio, their odds ratio, and a test that they are equal.

Both an absolute and a relative measure belong in every comparison. Two intervals that overlap do not show that
two groups are alike: compare the groups with the functions here instead.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import Estimates, FloatArray, Tests, add_note, texts
from equitydata.stats.contracts import Confidence, as_asked, beside, tails
from equitydata.stats.one_group.proportions import Limits, wilson
from equitydata.stats.two_groups.exact import conditional_odds_ratio_limits, fisher_p_values
from equitydata.stats.two_groups.mover import mover_difference
from equitydata.stats.two_groups.score import odds_ratio_score, risk_difference_score, risk_ratio_score
from equitydata.stats.two_groups.two_by_two import (
    NO_CASES,
    NO_COMPARED_CASES,
    NOTHING_TO_TEST,
    TwoGroups,
    one_of,
    quantiles,
    two_groups,
)

RISK_DIFFERENCE = ("newcombe", "miettinen_nurminen", "mee")
RISK_RATIO = ("koopman", "miettinen_nurminen", "katz")
ODDS_RATIO = ("score", "miettinen_nurminen", "woolf", "mid_p", "conditional_exact")
TWO_PROPORTIONS = ("auto", "pooled_score", "fisher_mid_p", "fisher_exact", "central_mid_p", "central_exact")

ALL_CASES = "everyone is a case in both groups: no odds ratio"
NO_COMPARED_ODDS = "a cell below the line is 0: the odds ratio has no upper limit"
NOT_WHOLE = "exact methods need whole counts: score used"
TOO_FEW_FOR = "too few for {}: score used"
ONE_PERSON = "weights add up to one person or fewer: no limits by this method"
WOOLF_FROM = 10
EXPECTED_FROM = 5


def risk_difference(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    comparator_numerator: ArrayLike,
    comparator_denominator: ArrayLike,
    confidence: Confidence = 0.95,
    method: str = "newcombe",
) -> Estimates:
    """Proportion of a group less that of its comparator, from -1 to 1: how many more cases per person.

    All counts of one shape, cases at most people. confidence : fraction or fractions.
    method : newcombe (from both Wilson intervals), miettinen_nurminen or mee (score limits, the first with the
        variance times N / (N - 1)). Limits are there also when no one or everyone is a case.
    Missing, with the reason, where a group has nobody or a count is missing. Raises ContractError for counts
    that cannot be.
    Newcombe RG (1998). Stat Med 17:873-890. Miettinen O, Nurminen M (1985). Stat Med 4:213-226.
    """
    one_of(method, RISK_DIFFERENCE)
    groups = two_groups(
        numerator=numerator,
        denominator=denominator,
        comparator_numerator=comparator_numerator,
        comparator_denominator=comparator_denominator,
    )
    p1, p2 = groups.x1 / groups.n1, groups.x2 / groups.n2
    if method == "newcombe":
        first = wilson(groups.x1, groups.n1, confidence=confidence)
        second = wilson(groups.x2, groups.n2, confidence=confidence)
        lower, upper = mover_difference(
            value=p1,
            lower=first[0],
            upper=first[1],
            comparator_value=p2,
            comparator_lower=second[0],
            comparator_upper=second[1],
        )
        lower, upper = np.clip(lower, -1, 1), np.clip(upper, -1, 1)
    else:
        lower, upper = _score_limits(risk_difference_score, groups, confidence, method)
    return Estimates(p1 - p2, lower, upper, as_asked(confidence), texts(p1.shape, method), groups.notes)


def risk_ratio(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    comparator_numerator: ArrayLike,
    comparator_denominator: ArrayLike,
    confidence: Confidence = 0.95,
    method: str = "koopman",
) -> Estimates:
    """Proportion of a group over that of its comparator: 1.5 reads as half as much again.

    Arguments and errors as in `risk_difference`.
    method : koopman (score; excludes 1 exactly when the pooled score test rejects), miettinen_nurminen (the same
        with the variance times N / (N - 1)) or katz (log; needs cases in both groups, and non-cases in one, and
        where it lacks them the limits are koopman's and named so).
    No cases in the group: value and lower limit 0. None in the comparator: value and upper limit infinite. None
    in either: missing.
    Koopman PAR (1984). Biometrics 40:513-517. Katz D et al. (1978). Biometrics 34:469-474.
    """
    one_of(method, RISK_RATIO)
    groups = two_groups(
        numerator=numerator,
        denominator=denominator,
        comparator_numerator=comparator_numerator,
        comparator_denominator=comparator_denominator,
    )
    used = texts(groups.x1.shape, method)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (groups.x1 / groups.n1) / (groups.x2 / groups.n2)
        lower, upper = _score_limits(risk_ratio_score, groups, confidence, method)
        if method == "katz":
            variance = groups.y1 / groups.x1 / groups.n1 + groups.y2 / groups.x2 / groups.n2
            fits = (groups.x1 > 0) & (groups.x2 > 0) & (variance > 0)
            lower, upper = _choose(fits, log_limits(value, variance, confidence), (lower, upper), confidence)
            _name_score(groups, used, ~fits & ~np.isnan(value), "koopman", TOO_FEW_FOR.format("katz"))
    add_note(groups.notes, groups.x1 + groups.x2 == 0, NO_CASES)
    add_note(groups.notes, (groups.x2 == 0) & (groups.x1 > 0), NO_COMPARED_CASES)
    return Estimates(value, lower, upper, as_asked(confidence), used, groups.notes)


def odds_ratio(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    comparator_numerator: ArrayLike,
    comparator_denominator: ArrayLike,
    confidence: Confidence = 0.95,
    method: str = "score",
) -> Estimates:
    """Odds of being a case in a group over the odds in its comparator.

    Further from 1 than the risk ratio unless cases are rare: read it as odds, not as risk.
    Arguments and errors as in `risk_difference`. The value is the cross product x1 y2 / (y1 x2) for every method.
    method : score (excludes 1 exactly when the pooled score test rejects), miettinen_nurminen (the same with the
        variance times N / (N - 1)), woolf (log; used where every cell is 10 or more, score elsewhere), mid_p or
        conditional_exact (given all margins; whole counts only, score elsewhere). The answer names which.
    A zero cell: value 0 or infinite with one finite limit. No cases at all, or no non-cases: missing.
    Woolf B (1955). Ann Hum Genet 19:251-253. Fagerland MW, Lydersen S, Laake P (2015). Stat Methods Med Res 24:224-254.
    """
    one_of(method, ODDS_RATIO)
    groups = two_groups(
        numerator=numerator,
        denominator=denominator,
        comparator_numerator=comparator_numerator,
        comparator_denominator=comparator_denominator,
    )
    used = texts(groups.x1.shape, method)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = groups.x1 * groups.y2 / (groups.y1 * groups.x2)
        limits = _score_limits(odds_ratio_score, groups, confidence, method)
        if method == "woolf":
            cells = np.stack([groups.x1, groups.y1, groups.x2, groups.y2])
            fits = cells.min(axis=0) >= WOOLF_FROM
            limits = _choose(fits, log_limits(value, (1 / cells).sum(axis=0), confidence), limits, confidence)
            _name_score(groups, used, ~fits & ~np.isnan(value), "score", TOO_FEW_FOR.format("woolf"))
        if method in ("mid_p", "conditional_exact"):
            exact = conditional_odds_ratio_limits(groups, tails(confidence), mid_p=method == "mid_p")
            limits = _choose(groups.whole, exact, limits, confidence)
            _name_score(groups, used, ~groups.whole & ~np.isnan(value), "score", NOT_WHOLE)
    none, all_of_them = groups.x1 + groups.x2 == 0, groups.y1 + groups.y2 == 0
    add_note(groups.notes, none, NO_CASES)
    add_note(groups.notes, all_of_them, ALL_CASES)
    add_note(groups.notes, np.isinf(value), NO_COMPARED_ODDS)
    return Estimates(value, *limits, as_asked(confidence), used, groups.notes)


def two_proportion_test(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    comparator_numerator: ArrayLike,
    comparator_denominator: ArrayLike,
    method: str = "auto",
) -> Tests:
    """Whether two proportions could be equal: two-sided p-values.

    Counts as in `risk_difference`.
    method : auto (pooled_score where all four expected counts are 5 or more, else fisher_mid_p), pooled_score
        (Pearson's chi-squared without correction), fisher_mid_p, fisher_exact (both count the tables that are no
        likelier than the observed one), central_mid_p, central_exact (both take twice the smaller tail, and so
        agree with the odds ratio's mid_p and conditional_exact limits).
    statistic : the pooled z in every entry, positive where the group is higher, also where p is exact.
    pooled_score agrees at every margin with koopman, mee and score limits; the others can differ from them there.
    Missing, with the reason, where no one or everyone is a case in both groups.
    Lydersen S, Fagerland MW, Laake P (2009). Stat Med 28:1159-1175.
    """
    from scipy.special import ndtr

    one_of(method, TWO_PROPORTIONS)
    groups = two_groups(
        numerator=numerator,
        denominator=denominator,
        comparator_numerator=comparator_numerator,
        comparator_denominator=comparator_denominator,
    )
    testable = (groups.x1 + groups.x2 > 0) & (groups.y1 + groups.y2 > 0)
    z = np.where(testable, _pooled_z(groups), np.nan)
    exact = testable & ((_smallest_expected(groups) < EXPECTED_FROM) | (method != "auto"))
    exact &= method != "pooled_score"
    kind = "fisher_mid_p" if method == "auto" else method
    used = texts(z.shape, "pooled_score")
    used[exact & groups.whole] = kind
    if method == "auto":
        used[~testable] = ""
    p_value = 2 * ndtr(-np.abs(z))
    if exact.any():
        chosen = groups.only(exact)
        p_value = np.where(exact & groups.whole, fisher_p_values(chosen, kind), p_value)
    add_note(groups.notes, exact & ~groups.whole, NOT_WHOLE)
    add_note(groups.notes, groups.known & ~testable, NOTHING_TO_TEST)
    return Tests(z, p_value, used, groups.notes)


def log_limits(ratio: FloatArray, variance: FloatArray, confidence: Confidence) -> Limits:
    """Limits of a ratio whose logarithm has this variance. Ratio 0 or infinite gives limits without meaning."""
    z = quantiles(confidence)
    with np.errstate(all="ignore"):
        factor = np.exp(z * np.sqrt(beside(variance, z)))
        return beside(ratio, z) / factor, beside(ratio, z) * factor


def _score_limits(
    score: Callable[..., Limits], groups: TwoGroups, confidence: Confidence, method: str
) -> Limits:
    """Score limits, with the squared quantile inflated for Miettinen and Nurminen."""
    z2 = quantiles(confidence) ** 2
    wide = groups.beside(z2)
    if method == "miettinen_nurminen":
        people = wide.n1 + wide.n2
        with np.errstate(divide="ignore", invalid="ignore"):
            z2 = np.where(people > 1, z2 * people / (people - 1), np.nan)
        add_note(groups.notes, groups.n1 + groups.n2 <= 1, ONE_PERSON)
    limits: Limits = score(
        wide.x1, wide.n1, wide.x2, wide.n2, np.broadcast_to(z2, np.broadcast_shapes(wide.x1.shape, z2.shape))
    )
    return limits


def _choose(where: NDArray, these: Limits, others: Limits, confidence: Confidence) -> Limits:
    where = beside(where, tails(confidence))
    return np.where(where, these[0], others[0]), np.where(where, these[1], others[1])


def _name_score(groups: TwoGroups, used: NDArray, where: NDArray, name: str, why: str) -> None:
    used[where] = name
    add_note(groups.notes, where, why)


def _counts(groups: TwoGroups) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    return groups.x1, groups.n1, groups.x2, groups.n2


def _pooled_z(groups: TwoGroups) -> FloatArray:
    """The difference over its standard error when both groups share one proportion."""
    x1, n1, x2, n2 = _counts(groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled, others = (x1 + x2) / (n1 + n2), (groups.y1 + groups.y2) / (n1 + n2)
        return np.asarray((x1 / n1 - x2 / n2) / np.sqrt(pooled * others * (1 / n1 + 1 / n2)))


def _smallest_expected(groups: TwoGroups) -> FloatArray:
    cases, others = groups.x1 + groups.x2, groups.y1 + groups.y2
    smaller_group = np.minimum(groups.n1, groups.n2)
    return np.asarray(smaller_group * np.minimum(cases, others) / (groups.n1 + groups.n2))
