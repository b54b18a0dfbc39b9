"""Exact methods for a two by two table: the distribution of one cell when all margins stay as they are.

Every distinct table is worked out once, in a loop. Cells too unlikely to matter in double precision are left
out, so that a table of a thousand million people takes milliseconds. Only whole counts can be worked out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equitydata.stats.answers import FloatArray
from equitydata.stats.one_group.proportions import Limits
from equitydata.stats.two_groups.two_by_two import TwoGroups

# Beyond this many standard deviations (and this many cells, for a skew distribution) a probability is below 1e-300.
FAR, FAR_CELLS = 60, 400
# Tables as likely as the observed one, but for rounding, count as no more likely. R's fisher.test allows as much.
TIE = 1 + 1e-7


def fisher_p_values(groups: TwoGroups, kind: str) -> FloatArray:
    """Two-sided p-values of no difference, NaN where a count is missing or not whole.

    kind : fisher_exact (all tables no likelier than the observed one), fisher_mid_p (the same, of the observed
        table only half), central_exact (twice the smaller tail), central_mid_p (twice the smaller mid-P tail).
    Fisher RA (1935). J R Stat Soc 98:39-82. Lydersen S, Fagerland MW, Laake P (2009). Stat Med 28:1159-1175.
    """
    tables, places, answer = _distinct(groups)
    for place, (x1, n1, x2, n2) in enumerate(tables):
        cells, weights = _cells(x1, n1, x2, n2, about=_expected(x1, n1, x2, n2))
        answer[place] = _p_value(cells, weights / weights.sum(), x1, kind)
    return _spread(answer, places, groups)


def conditional_odds_ratio_limits(groups: TwoGroups, tail: FloatArray, *, mid_p: bool) -> Limits:
    """Limits of the odds ratio from the exact distribution given the margins, NaN where it cannot be had.

    tail : shape () or (k,), the probability each limit leaves. mid_p : count the observed table by half.
    Cornfield J (1956). Proc Third Berkeley Symp 4:135-148. Mehta CR, Walsh SJ (1992). Am Stat 46:146-150.
    """
    levels = np.atleast_1d(tail)
    limits = []
    for side in (groups, groups.swapped()):
        tables, places, _ = _distinct(side)
        lower = np.array([[_lower_odds_ratio(table, level, mid_p) for level in levels] for table in tables])
        lower = lower.reshape(len(tables), len(levels))
        spread = [_spread(lower[:, level], places, side) for level in range(len(levels))]
        limits.append(np.stack(spread, axis=-1) if np.ndim(tail) else spread[0])
    with np.errstate(divide="ignore"):
        return limits[0], 1 / limits[1]


def _distinct(groups: TwoGroups) -> tuple[FloatArray, NDArray, FloatArray]:
    """The distinct whole tables, which of them each entry is (-1 for none), and room for their answers."""
    counts = np.stack([groups.x1, groups.n1, groups.x2, groups.n2], axis=-1).reshape(-1, 4)
    usable = groups.whole.ravel()
    tables, which = np.unique(counts[usable], axis=0, return_inverse=True)
    places = np.full(len(counts), -1)
    places[usable] = which.ravel()
    return tables, places, np.empty(len(tables))


def _spread(answers: FloatArray, places: NDArray, groups: TwoGroups) -> FloatArray:
    """The answers of the distinct tables at the entries they belong to, NaN elsewhere."""
    return np.append(answers, np.nan)[places].reshape(groups.x1.shape)


def _expected(x1: float, n1: float, x2: float, n2: float) -> float:
    return float(n1 * (x1 + x2) / (n1 + n2))


def _cells(x1: float, n1: float, x2: float, n2: float, *, about: float) -> tuple[FloatArray, FloatArray]:
    """The possible first cells near one of them, and their relative probabilities when the odds ratio is 1.

    Built from the ratios of neighbours, because factorials of large counts lose the digits that matter.
    """
    cases = x1 + x2
    first = np.array([about, n1 - about, cases - about, n2 - cases + about])
    far = FAR / np.sqrt(np.sum(1 / (np.maximum(first, 0) + 0.5))) + FAR_CELLS
    lowest = max(0.0, cases - n2, np.floor(about - far))
    highest = min(n1, cases, np.ceil(about + far))
    cells = np.arange(lowest, highest + 1)
    earlier = cells[:-1]
    steps = np.log((n1 - earlier) * (cases - earlier) / ((earlier + 1) * (n2 - cases + earlier + 1)))
    logs = np.concatenate([[0.0], np.cumsum(steps)])
    return cells, np.exp(logs - logs.max())


def _p_value(cells: FloatArray, probability: FloatArray, x1: float, kind: str) -> float:
    if not cells[0] <= x1 <= cells[-1]:
        return 0.0  # too far out to be told from 0
    observed = float(probability[int(x1 - cells[0])])
    half = observed / 2 if kind.endswith("mid_p") else 0.0
    if kind.startswith("fisher"):
        return min(1.0, float(probability[probability <= observed * TIE].sum()) - half)
    below, above = float(probability[cells <= x1].sum()), float(probability[cells >= x1].sum())
    return min(1.0, 2 * (min(below, above) - half))


def _lower_odds_ratio(table: FloatArray, tail: float, mid_p: bool) -> float:
    """The odds ratio at which the observed first cell, or a larger one, has the probability of one tail."""
    from scipy.optimize import brentq

    x1, n1, x2, n2 = (float(count) for count in table)
    if x1 + x2 == 0 or x1 + x2 == n1 + n2:
        return float("nan")
    if x1 == max(0.0, x1 + x2 - n2):
        return 0.0
    cells, weights = _cells(x1, n1, x2, n2, about=x1)
    with np.errstate(divide="ignore"):
        logs = np.log(weights)
    share = np.where(cells > x1, 1.0, 0.0)
    share[int(x1 - cells[0])] = 0.5 if mid_p else 1.0

    def excess(log_ratio: float) -> float:
        tilted = logs + (cells - x1) * log_ratio
        tilted = np.exp(tilted - tilted.max())
        return float((tilted * share).sum() / tilted.sum()) - tail

    low, high = -1.0, 1.0
    while excess(low) > 0:
        low *= 2
    while excess(high) < 0:
        high *= 2
    return float(np.exp(brentq(excess, low, high, xtol=1e-13, rtol=1e-13)))
