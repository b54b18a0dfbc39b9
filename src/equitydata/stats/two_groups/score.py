"""Score limits: the values of a difference or ratio that a score test of the same data would not reject.

Fixing a difference or ratio pulls the counts away from what was seen. Each function below measures that pull by
one number per entry (the Lagrange multiplier of the constraint). Given the pull, the restricted estimates are
closed forms without cancellation, and the squared score statistic rises steadily with it. So one safe root
per limit is enough, where working on the difference or ratio itself needs a cubic for every trial value.

All functions take arrays of one shape: cases x, people n, squared normal quantile z2, of which the caller may
inflate the last (N / (N - 1) gives Miettinen and Nurminen's limits). NaN goes through. The upper limit is the
lower limit of the swapped groups turned round, so swapping groups inverts or negates exactly.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from equitydata.stats.answers import FloatArray
from equitydata.stats.one_group.proportions import Limits
from equitydata.stats.two_groups.roots import increasing_root

Term = tuple[FloatArray, FloatArray]
Lower = Callable[..., FloatArray]


def risk_ratio_score(
    x1: FloatArray, n1: FloatArray, x2: FloatArray, n2: FloatArray, z2: FloatArray
) -> Limits:
    """Limits of a ratio of two proportions; NaN where neither group has a case.

    Koopman PAR (1984). Biometrics 40:513-517. Nam J (1995). Biom J 37:375-379 for the form without iteration.
    """
    return _both_ratio_limits(_risk_ratio_lower, x1, n1, x2, n2, z2)


def odds_ratio_score(
    x1: FloatArray, n1: FloatArray, x2: FloatArray, n2: FloatArray, z2: FloatArray
) -> Limits:
    """Limits of an odds ratio; NaN where all or none of both groups are cases.

    Cornfield J (1956). Proc Third Berkeley Symp 4:135-148 (without his continuity correction).
    Miettinen O, Nurminen M (1985). Stat Med 4:213-226.
    """
    lower, upper = _both_ratio_limits(_odds_ratio_lower, x1, n1, x2, n2, z2)
    all_cases = (x1 == n1) & (x2 == n2)
    return np.where(all_cases, np.nan, lower), np.where(all_cases, np.nan, upper)


def risk_difference_score(
    x1: FloatArray, n1: FloatArray, x2: FloatArray, n2: FloatArray, z2: FloatArray
) -> Limits:
    """Limits of a difference of two proportions, from -1 to 1.

    Mee RW (1984). Biometrics 40:1175-1176. Miettinen O, Nurminen M (1985). Stat Med 4:213-226.
    """
    return _risk_difference_lower(x1, n1, x2, n2, z2), -_risk_difference_lower(x2, n2, x1, n1, z2)


def rate_difference_score(
    x1: FloatArray, t1: FloatArray, x2: FloatArray, t2: FloatArray, z2: FloatArray
) -> Limits:
    """Limits of a difference of two Poisson rates, x events over person-time t.

    Miettinen O, Nurminen M (1985). Stat Med 4:213-226.
    """
    return _rate_difference_lower(x1, t1, x2, t2, z2), -_rate_difference_lower(x2, t2, x1, t1, z2)


def _both_ratio_limits(
    lower_limit: Lower, x1: FloatArray, n1: FloatArray, x2: FloatArray, n2: FloatArray, z2: FloatArray
) -> Limits:
    with np.errstate(all="ignore"):
        lower = lower_limit(x1, n1, x2, n2, z2)
        upper = 1 / lower_limit(x2, n2, x1, n1, z2)
        no_cases = x1 + x2 == 0
        return np.where(no_cases, np.nan, lower), np.where(no_cases, np.nan, upper)


def _risk_ratio_lower(
    x1: FloatArray, n1: FloatArray, x2: FloatArray, n2: FloatArray, z2: FloatArray
) -> FloatArray:
    """The pull takes cases from the group and lends them to its comparator."""
    share1, share2 = (n1 - x1) / n1, (n2 - x2) / n2
    pull = _pull([(share1, x1)], [(share2, x2)], z2)
    # If all of the group are cases, its proportion stays 1 until the comparator can give way no more.
    left = np.maximum(0, z2 - pull**2 * share2 / (x2 + pull))
    p1 = np.where(share1 == 0, 1 / (1 + left / n1), (x1 - pull) / (n1 - pull))
    p2 = (x2 + pull) / (n2 + pull)
    return np.where(x1 == 0, 0.0, p1 / p2)


def _odds_ratio_lower(
    x1: FloatArray, n1: FloatArray, x2: FloatArray, n2: FloatArray, z2: FloatArray
) -> FloatArray:
    """The pull moves people between the four cells while the margins stay."""
    one = np.ones_like(x1 + z2)
    y1, y2 = n1 - x1, n2 - x2
    pull = _pull([(one, x1), (one, y2)], [(one, y1), (one, x2)], z2)
    ratio = (x1 - pull) * (y2 - pull) / ((y1 + pull) * (x2 + pull))
    return np.where((x1 == 0) | (y2 == 0), 0.0, ratio)


def _rate_difference_lower(
    x1: FloatArray, t1: FloatArray, x2: FloatArray, t2: FloatArray, z2: FloatArray
) -> FloatArray:
    """The pull lengthens the time of the group and shortens that of its comparator."""
    with np.errstate(all="ignore"):
        pull = _pull([(x2 / t2, t2)], [(x1 / t1, t1)], z2)
        rate1 = x1 / (t1 + pull)
        # A comparator without events stays at rate 0 until the group can give way no more.
        left = np.maximum(0, z2 - pull**2 * x1 / (t1 * (t1 + pull)))
        rate2 = np.where(x2 == 0, left / t2, x2 / (t2 - pull))
        return rate1 - rate2


def _pull(toward: list[Term], away: list[Term], z2: FloatArray) -> FloatArray:
    """The pull at which the squared score, pull^2 * (sum of weight / (room -+ pull)), reaches z2.

    toward : (weight, room) of the parts that shrink with the pull, away : of those that grow.
    Every part rises with the pull. So where a single part alone reaches z2 the sum is at or above it, and where
    none has reached its equal portion of z2 the sum is below it: that brackets the root closely.
    """

    def reached(z2: FloatArray) -> FloatArray:
        shrinking = [2 * room / (1 + np.sqrt(1 + 4 * weight * room / z2)) for weight, room in toward]
        growing = [(z2 + np.sqrt(z2**2 + 4 * weight * z2 * room)) / (2 * weight) for weight, room in away]
        return np.minimum.reduce([*shrinking, *growing])

    def excess(pull: FloatArray) -> FloatArray:
        shrinking = [np.where(weight > 0, weight / (room - pull), 0) for weight, room in toward]
        growing = [np.where(weight > 0, weight / (room + pull), 0) for weight, room in away]
        return pull**2 * np.add.reduce([*shrinking, *growing]) - z2

    with np.errstate(all="ignore"):
        return increasing_root(excess, reached(z2 / (len(toward) + len(away))), reached(z2))


def _risk_difference_lower(
    x1: FloatArray, n1: FloatArray, x2: FloatArray, n2: FloatArray, z2: FloatArray
) -> FloatArray:
    """The pull lowers the proportion of the group and raises that of its comparator."""

    def pulled(pull: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        p1, q1 = _pulled_proportion(x1, n1, pull)
        p2, q2 = _pulled_proportion(x2, n2, -pull)
        return p1, p2, p1 * q1 / n1 + p2 * q2 / n2

    def excess(pull: FloatArray) -> FloatArray:
        return pull**2 * pulled(pull)[2] - z2

    def reached(z2: FloatArray) -> FloatArray:
        # A single group alone reaches z2 where its proportion is its own Wilson limit.
        return np.fmin(_pull_at_wilson(x1, n1, z2), _pull_at_wilson(n2 - x2, n2, z2))

    with np.errstate(all="ignore"):
        pull = increasing_root(excess, reached(z2 / 2) * (1 - 1e-9), reached(z2) * (1 + 1e-9))
        p1, p2, _ = pulled(pull)
        return np.where((x1 == 0) & (x2 == n2), -1.0, np.clip(p1 - p2, -1, 1))


def _pulled_proportion(x: FloatArray, n: FloatArray, pull: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The proportion p, and 1 - p, at which x/p - (n - x)/(1 - p) equals the pull."""
    y = n - x
    root = np.sqrt(np.where(pull > 0, (n - pull) ** 2 + 4 * pull * y, (n + pull) ** 2 - 4 * pull * x))
    p = np.where(n + pull > 0, 2 * x / (n + pull + root), (root - n - pull) / (-2 * pull))
    q = np.where(n - pull > 0, 2 * y / (n - pull + root), (root - n + pull) / (2 * pull))
    return p, q


def _pull_at_wilson(x: FloatArray, n: FloatArray, z2: FloatArray) -> FloatArray:
    """The pull that brings a proportion to its lower Wilson limit; infinite where that is 0."""
    y = n - x
    spread = np.sqrt(z2**2 + 4 * z2 * x * y / n)
    p = 2 * x**2 / (n * (2 * x + z2 + spread))
    q = (2 * y + z2 + spread) / (2 * (n + z2))
    return np.where(x == 0, np.inf, n * (x / n - p) / (p * q))
