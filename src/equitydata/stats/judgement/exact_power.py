"""Exact power of the conditional mid-P tests of two proportions and two rates, for small expected counts.

Given the total of events in both groups, the count of one group has a known distribution under no difference
(hypergeometric for people, binomial for person-time), and is significantly high or low where the mid-P tail is
below alpha / 2. For each count x of the smaller group, the listed one, there is a largest total at which x is still
high, and a smallest at which it is low. So only the smaller group's counts need listing: the larger group's enter
by their distribution function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equitydata.stats.answers import FloatArray
from equitydata.stats.many_groups.binomial_tails import at_most_tail

SPARE = (
    25  # counts listed beyond mean + 6 standard deviations; whatever lies higher counts as the highest listed
)
AT_ONCE = 64  # entries worked out together, which bounds memory
HALVINGS = 60
MOST_RATIO = 1e6
Pair = tuple[FloatArray, FloatArray]
Tail = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class Design:
    """A batch of comparisons, with the counts of the listed group along the second axis.

    listed_first : whether the listed group is the one whose level is sought. level : of the comparator.
    high_to, low_from : the largest total at which a listed count is high, the smallest at which it is low.
    listed_upto, other_upto : distribution functions, P(count <= x) at a level.
    """

    listed_first: NDArray[np.bool_]
    level: FloatArray
    counts: FloatArray
    high_to: FloatArray
    low_from: FloatArray
    listed_upto: Tail
    other_upto: Tail


def exact_shares(n1: FloatArray, n2: FloatArray, p2: FloatArray, *, power: float, alpha: float) -> Pair:
    """Detectable ratios above and below 1 of the share in n1 people to the share p2 in n2; NaN where there is none.

    Meant for a small expected count in the smaller group: min(n1, n2) min(p2, 1 - p2) below about 10.
    """
    swap = p2 > 0.5  # then those without the outcome are fewer, and are counted instead
    fewer = np.where(swap, 1 - p2, p2)
    high, low = np.full(p2.shape, np.nan), np.full(p2.shape, np.nan)
    for some in _batches(np.minimum(n1, n2) * fewer):
        design = _shares(n1[some], n2[some], fewer[some], alpha)
        high[some] = _found(design, power, up=True, end=np.ones(len(some)))
        low[some] = _found(design, power, up=False, end=np.zeros(len(some)))
    return np.where(swap, 1 - low, high) / p2, np.where(swap, 1 - high, low) / p2


def exact_rates(e1: FloatArray, e2: FloatArray, *, power: float, alpha: float) -> Pair:
    """Detectable rate ratios above and below 1, from the counts e1, e2 expected under no difference."""
    high, low = np.full(e1.shape, np.nan), np.full(e1.shape, np.nan)
    for some in _batches(np.minimum(e1, e2)):
        design = _rates(e1[some], e2[some], alpha)
        high[some] = _found(design, power, up=True, end=np.full(len(some), MOST_RATIO))
        low[some] = _found(design, power, up=False, end=np.zeros(len(some)))
    return high, low


def _batches(mean: FloatArray) -> list[NDArray[np.intp]]:
    """Places of the entries, those with alike means together, so that none is listed much further than it needs."""
    order = np.argsort(mean, kind="stable")
    return [order[start : start + AT_ONCE] for start in range(0, len(order), AT_ONCE)]


def _counts(mean: FloatArray, people: float) -> FloatArray:
    return np.arange(min(float(np.ceil(mean + 6 * np.sqrt(mean) + SPARE).max()), people) + 1)


def _shares(n1: FloatArray, n2: FloatArray, p2: FloatArray, alpha: float) -> Design:
    n, other = np.minimum(n1, n2)[:, None], np.maximum(n1, n2)[:, None]
    x = _counts(n[:, 0] * p2, float(n.max()))

    def upto(size: FloatArray) -> Tail:
        return lambda count, level: at_most_tail(count, size, level[:, None])

    high_to, low_from = _bounds(x, lambda total: _people_middle(x, n, other, total), other, alpha / 2)
    return Design(n1 < n2, p2, x, high_to, low_from, upto(n), upto(other))


def _rates(e1: FloatArray, e2: FloatArray, alpha: float) -> Design:
    from scipy.special import pdtr

    mean, other = np.minimum(e1, e2)[:, None], np.maximum(e1, e2)[:, None]
    x = _counts(mean[:, 0], np.inf)

    def upto(expected: FloatArray) -> Tail:
        def tail(count: FloatArray, ratio: FloatArray) -> FloatArray:
            return np.where(count < 0, 0.0, pdtr(np.maximum(count, 0), expected * ratio[:, None]))

        return tail

    part = mean / (mean + other)
    # Totals beyond this make even the highest listed count low: six standard deviations and more above its mean.
    furthest = np.ceil((x[-1] + 60) * (2 + other / mean))
    high_to, low_from = _bounds(x, lambda total: _time_middle(x, part, total), furthest, alpha / 2)
    return Design(e1 < e2, np.ones(len(mean)), x, high_to, low_from, upto(mean), upto(other))


def _bounds(
    x: FloatArray, middle: Callable[[FloatArray], FloatArray], furthest: FloatArray, tail: float
) -> Pair:
    """The largest total at which x is high (x - 1 where there is none), the smallest at which it is low (or inf).

    middle : P(X < x) + P(X = x) / 2 given a total, which falls as the total rises. furthest : the other count's end.
    """
    shape = np.broadcast_shapes(x.shape, furthest.shape)
    start, end = np.broadcast_to(x, shape), np.broadcast_to(x + furthest, shape)
    steps = int(np.ceil(np.log2(furthest.max() + 2))) + 1

    def last(holds: Callable[[FloatArray], NDArray[np.bool_]]) -> FloatArray:
        """The last total for which a condition holds that holds up to some total."""
        inside, outside = start - 1, end + 1
        for _ in range(steps):
            total = np.floor((inside + outside) / 2)
            moving, still = outside - inside > 1, holds(np.clip(total, start, end))
            inside = np.where(moving & still, total, inside)
            outside = np.where(moving & ~still, total, outside)
        return inside

    high_to = last(lambda total: middle(total) > 1 - tail)
    low_from = last(lambda total: middle(total) >= tail) + 1
    return high_to, np.where(low_from > end, np.inf, low_from)


def _people_middle(x: FloatArray, n: FloatArray, other: FloatArray, total: FloatArray) -> FloatArray:
    """P(X < x) + P(X = x) / 2 when a total of events falls on n and other people at random."""
    from scipy.special import gammaln

    row, k = np.tril_indices(len(x))  # for each x, the counts k = 0..x
    m, rest = total[:, row], total[:, row] - k
    possible = (k <= n) & (rest <= other) & (m <= n + other)
    rest = np.where(possible, rest, 0.0)
    logs = (
        gammaln(n + 1) - gammaln(k + 1.0) - gammaln(np.where(possible, n - k, 0.0) + 1)
        + gammaln(other + 1) - gammaln(rest + 1) - gammaln(other - rest + 1)
    )  # fmt: skip
    every = gammaln(n + other + 1) - gammaln(total + 1) - gammaln(np.maximum(n + other - total, 0) + 1)
    mass = np.where(possible, np.exp(logs - every[:, row]), 0.0) * np.where(k == row, 0.5, 1.0)
    return np.add.reduceat(mass, np.flatnonzero(k == 0), axis=1)


def _time_middle(x: FloatArray, part: FloatArray, total: FloatArray) -> FloatArray:
    """P(X < x) + P(X = x) / 2 when a total of events falls on a part of the person-time at random."""
    from scipy.special import betainc

    upto = np.where(x < total, betainc(np.maximum(total - x, 1), x + 1, 1 - part), 1.0)
    below = np.where(x > 0, betainc(total - x + 1, np.maximum(x, 1), 1 - part), 0.0)
    return (upto + below) / 2


def _found(design: Design, power: float, *, up: bool, end: FloatArray) -> FloatArray:
    """The level nearest to the comparator's, towards end, that is found with the power; NaN where none is."""
    possible = _power(design, end, up) >= power
    inside, outside = design.level.copy(), end.copy()
    for step in range(HALVINGS):
        # Powers of ten lie between 1 and the largest rate ratio: halve those first.
        on_logs = up and step < HALVINGS / 2
        middle = np.sqrt(inside * outside) if on_logs else (inside + outside) / 2
        enough = _power(design, middle, up) >= power
        inside, outside = np.where(enough, inside, middle), np.where(enough, middle, outside)
    return np.where(possible, outside, np.nan)


def _power(design: Design, level: FloatArray, up: bool) -> FloatArray:
    """Probability that the group at this level is found to differ from its comparator, in the right direction."""
    first = design.listed_first
    listed_level = np.where(first, level, design.level)
    other_level = np.where(first, design.level, level)
    listed_high = design.other_upto(design.high_to - design.counts, other_level)
    listed_low = 1 - design.other_upto(design.low_from - design.counts - 1, other_level)
    found = np.where((first == up)[:, None], listed_high, listed_low)
    upto = design.listed_upto(np.broadcast_to(design.counts, found.shape), listed_level)
    upto[:, -1] = 1.0
    return (np.diff(upto, axis=1, prepend=0.0) * found).sum(axis=1)
