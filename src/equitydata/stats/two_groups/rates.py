"""Two rates of events per person-time compared: their ratio, their difference, and a test that they are equal.

Events are taken to be independent of one another (Poisson). Where the same person has several, limits are too
narrow and p-values too small.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import Estimates, FloatArray, Tests, add_note, texts
from equitydata.stats.contracts import Confidence, as_asked, beside, tails
from equitydata.stats.one_group.counts import count_limits
from equitydata.stats.one_group.proportions import Limits, clopper_pearson, wilson
from equitydata.stats.two_groups.mover import mover_difference
from equitydata.stats.two_groups.proportions import log_limits
from equitydata.stats.two_groups.roots import increasing_root
from equitydata.stats.two_groups.score import rate_difference_score
from equitydata.stats.two_groups.two_by_two import (
    NO_CASES,
    NO_COMPARED_CASES,
    TwoGroups,
    one_of,
    quantiles,
    two_groups,
)

RATE_RATIO = ("auto", "score", "conditional_exact", "mid_p", "log_wald")
RATE_DIFFERENCE = ("mover", "score", "wald")
TWO_RATES = ("auto", "score", "conditional_mid_p", "conditional_exact")

EXACT_BELOW = 10
EXPECTED_FROM = 5
NO_EVENTS_TO_TEST = "no events in either group: nothing to test"
NO_WALD = "no events in either group: no limits by wald"
NO_LOG = "log_wald needs events in both groups: score used"


def rate_ratio(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    comparator_numerator: ArrayLike,
    comparator_denominator: ArrayLike,
    confidence: Confidence = 0.95,
    method: str = "auto",
) -> Estimates:
    """Events per person-time of a group over those of its comparator: 1.5 reads as half as many again.

    numerator, denominator : events and person-time, of one shape; events may pass person-time.
    confidence : fraction or fractions.
    method : auto (score, but conditional_exact where either group has fewer than 10 events; the answer names
        which), score, conditional_exact, mid_p (less conservative), log_wald (needs events in both groups).
    No events in the group: value and lower limit 0. None in the comparator: value and upper limit infinite. None
    in either: missing. Raises ContractError for entries that cannot be.
    Given all events, those of the group are binomial: score limits map Wilson's, exact ones Clopper-Pearson's.
    Gu K et al. (2008). Biom J 50:283-298. Breslow NE, Day NE (1987) IARC vol II, section 3.4.
    """
    one_of(method, RATE_RATIO)
    groups = two_groups(
        numerator=numerator,
        denominator=denominator,
        comparator_numerator=comparator_numerator,
        comparator_denominator=comparator_denominator,
        at_most=False,
    )
    with np.errstate(all="ignore"):
        value = (groups.x1 / groups.n1) / (groups.x2 / groups.n2)
        fewest = np.minimum(groups.x1, groups.x2)
        used = texts(value.shape, method)
        if method == "auto":
            used[...] = np.where(fewest < EXACT_BELOW, "conditional_exact", "score")
            used[np.isnan(value)] = ""
        if method == "log_wald":
            used[(fewest == 0) & ~np.isnan(value)] = "score"
            add_note(groups.notes, used == "score", NO_LOG)
        lower, upper = _ratio_limits(groups, value, used, confidence)
    add_note(groups.notes, groups.x1 + groups.x2 == 0, NO_CASES)
    add_note(groups.notes, (groups.x2 == 0) & (groups.x1 > 0), NO_COMPARED_CASES)
    return Estimates(value, lower, upper, as_asked(confidence), used, groups.notes)


def rate_difference(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    comparator_numerator: ArrayLike,
    comparator_denominator: ArrayLike,
    confidence: Confidence = 0.95,
    method: str = "mover",
) -> Estimates:
    """Events per person-time of a group less those of its comparator.

    Arguments and errors as in `rate_ratio`.
    method : mover (from the exact or Byar limits of both counts), score, or wald (for large counts only; without
        events in either group it has no limits).
    Donner A, Zou GY (2012). Stat Methods Med Res 21:347-359. Miettinen O, Nurminen M (1985). Stat Med 4:213-226.
    """
    one_of(method, RATE_DIFFERENCE)
    groups = two_groups(
        numerator=numerator,
        denominator=denominator,
        comparator_numerator=comparator_numerator,
        comparator_denominator=comparator_denominator,
        at_most=False,
    )
    rate1, rate2 = groups.x1 / groups.n1, groups.x2 / groups.n2
    z = quantiles(confidence)
    if method == "mover":
        lower, upper = _mover_limits(groups, rate1, rate2, confidence)
    elif method == "score":
        wide = groups.beside(z)
        z2 = np.broadcast_to(z**2, np.broadcast_shapes(wide.x1.shape, z.shape))
        lower, upper = rate_difference_score(wide.x1, wide.n1, wide.x2, wide.n2, z2)
    else:
        variance = rate1 / groups.n1 + rate2 / groups.n2
        add_note(groups.notes, variance == 0, NO_WALD)
        spread = z * np.sqrt(beside(np.where(variance == 0, np.nan, variance), z))
        lower, upper = beside(rate1 - rate2, z) - spread, beside(rate1 - rate2, z) + spread
    return Estimates(
        rate1 - rate2, lower, upper, as_asked(confidence), texts(rate1.shape, method), groups.notes
    )


def two_rate_test(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    comparator_numerator: ArrayLike,
    comparator_denominator: ArrayLike,
    method: str = "auto",
) -> Tests:
    """Whether two rates could be equal: two-sided p-values.

    Events and person-time as in `rate_ratio`.
    method : auto (score where both expected numbers of events are 5 or more, else conditional_mid_p), score,
        conditional_mid_p, conditional_exact. The last two take twice the smaller binomial tail.
    statistic : the score z in every entry, positive where the group is higher, also where p is exact.
    Each agrees at every margin with the rate ratio's limits of the same name, and can differ from others there.
    Missing, with the reason, where neither group has an event.
    Gu K et al. (2008). Biom J 50:283-298.
    """
    from scipy.special import ndtr

    one_of(method, TWO_RATES)
    groups = two_groups(
        numerator=numerator,
        denominator=denominator,
        comparator_numerator=comparator_numerator,
        comparator_denominator=comparator_denominator,
        at_most=False,
    )
    events = groups.x1 + groups.x2
    testable = events > 0
    share, others = groups.n1 / (groups.n1 + groups.n2), groups.n2 / (groups.n1 + groups.n2)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(
            testable, (groups.x1 * others - groups.x2 * share) / np.sqrt(events * share * others), np.nan
        )
    score = events * np.minimum(share, others) >= EXPECTED_FROM if method == "auto" else method == "score"
    kind = "conditional_mid_p" if method == "auto" else method
    used = texts(z.shape, kind)
    used[testable & score] = "score"
    if method == "auto":
        used[~testable] = ""
    exact = _binomial_p_values(groups, share, others, mid_p=kind == "conditional_mid_p")
    p_value = np.where(testable, np.where(score, 2 * ndtr(-np.abs(z)), exact), np.nan)
    add_note(groups.notes, groups.known & ~testable, NO_EVENTS_TO_TEST)
    return Tests(z, p_value, used, groups.notes)


def _ratio_limits(groups: TwoGroups, value: FloatArray, used: NDArray, confidence: Confidence) -> Limits:
    """The limits named for each entry, each kind worked out only where it is used."""
    tail = tails(confidence)
    shape = beside(value, tail).shape[: value.ndim] + tail.shape
    lower, upper = np.full(shape, np.nan), np.full(shape, np.nan)
    log = used == "log_wald"
    variance = 1 / groups.x1[log] + 1 / groups.x2[log]
    lower[log], upper[log] = log_limits(value[log], variance, confidence)
    for kind, limits in SHARES_OF_EVENTS.items():
        here = used == kind
        events, others = groups.x1[here], groups.x2[here]
        time_ratio = beside(groups.n2[here] / groups.n1[here], tail)
        # Limits of both shares are worked out, because 1 - a share near 1 has lost its digits.
        of_group = limits(events, events + others, confidence=confidence)
        of_comparator = limits(others, events + others, confidence=confidence)
        lower[here] = of_group[0] / of_comparator[1] * time_ratio
        upper[here] = of_group[1] / of_comparator[0] * time_ratio
    return lower, upper


def _mid_p_limits(events: FloatArray, all_events: FloatArray, *, confidence: Confidence) -> Limits:
    """Limits of a proportion at which the mid-P tail is what confidence leaves. NaN where there are no events.

    Berry G, Armitage P (1995). The Statistician 44:417-423.
    """
    tail = tails(confidence)
    x, n = beside(events, tail), beside(all_events, tail)
    x, n = np.broadcast_arrays(np.where(n > 0, x, np.nan), n, tail)[:2]
    return _mid_p_lower(x, n - x, tail), 1 - _mid_p_lower(n - x, x, tail)


def _mid_p_lower(x: FloatArray, y: FloatArray, tail: FloatArray) -> FloatArray:
    from scipy.special import betainc, betaincinv

    some = np.where(x > 0, x, 1.0)
    more = np.where(y > 0, y, 1.0)

    def excess(p: FloatArray) -> FloatArray:
        beyond = np.where(y > 0, betainc(some + 1, more, p), 0.0)
        return np.asarray((betainc(some, y + 1, p) + beyond) / 2 - tail)

    root = increasing_root(excess, betaincinv(some, y + 1, tail), betaincinv(some, y + 1, 2 * tail))
    return np.where(np.isnan(x), np.nan, np.where(x == 0, 0.0, root))


def _mover_limits(groups: TwoGroups, rate1: FloatArray, rate2: FloatArray, confidence: Confidence) -> Limits:
    tail = tails(confidence)
    time1, time2 = beside(groups.n1, tail), beside(groups.n2, tail)
    first, second = (count_limits(events, confidence=confidence) for events in (groups.x1, groups.x2))
    return mover_difference(
        value=rate1,
        lower=first[0] / time1,
        upper=first[1] / time1,
        comparator_value=rate2,
        comparator_lower=second[0] / time2,
        comparator_upper=second[1] / time2,
    )


def _binomial_p_values(
    groups: TwoGroups, share: FloatArray, others: FloatArray, *, mid_p: bool
) -> FloatArray:
    """Twice the smaller tail of the group's events, given the events of both."""
    high = _tail(groups.x1, groups.x2, share, mid_p=mid_p)
    low = _tail(groups.x2, groups.x1, others, mid_p=mid_p)
    return np.asarray(np.minimum(1, 2 * np.minimum(high, low)))


def _tail(x: FloatArray, y: FloatArray, share: FloatArray, *, mid_p: bool) -> FloatArray:
    """Probability of x events or more out of x + y, x itself counted by half if mid_p."""
    from scipy.special import betainc

    known = np.where(np.isnan(x), np.nan, 1.0)
    here = np.where(x > 0, betainc(np.where(x > 0, x, 1.0), y + 1, share), known)
    beyond = np.where(y > 0, betainc(x + 1, np.where(y > 0, y, 1.0), share), 0.0)
    return (here + beyond) / 2 if mid_p else here


SHARES_OF_EVENTS: dict[str, Callable[..., Limits]] = {
    "score": wilson,
    "conditional_exact": clopper_pearson,
    "mid_p": _mid_p_limits,
}
