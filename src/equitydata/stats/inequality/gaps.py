"""The simple measures: the gap between two groups of a population, as a difference and as a ratio."""

from __future__ import annotations

import numpy as np

from equitydata.stats.answers import FloatArray
from equitydata.stats.contracts import Confidence
from equitydata.stats.inequality.answer import Inequality
from equitydata.stats.inequality.groups import Groups, refusal_of
from equitydata.stats.inequality.simulated import DRAWS, SEED, Asked, Statistic, measured


def difference(
    groups: Groups, *, confidence: Confidence = 0.95, draws: int = DRAWS, seed: int = SEED
) -> Inequality:
    """D, the gap between two groups, in the unit of the estimates.

    Ordered groups: the most less the least advantaged for a favourable indicator, the reverse for an adverse
    one, so that above 0 the disadvantaged are worse off. Others: against the reference where one is named
    (reference less the lowest other group, or the highest other less reference), else the highest less the
    lowest. The ends of groups without order are picked by the data: noise alone makes a gap, so `expected` and
    `corrected` stand beside the value, and the limits do not allow for the picking.
    """
    ends, (first, second) = _ends(groups)
    s = groups.standard_error
    error = float(np.hypot(s[first], s[second])) if len(s) > 1 else np.nan
    return measured(
        "D",
        groups,
        lambda y: ends(y)[..., 0] - ends(y)[..., 1],
        Asked(confidence, draws, seed),
        refusal=refusal_of(groups, least=2),
        standard_error=error,
        noisy=not groups.ordered,
    )


def ratio(
    groups: Groups, *, confidence: Confidence = 0.95, draws: int = DRAWS, seed: int = SEED
) -> Inequality:
    """R, the ratio of the two groups of `difference`; its limits are worked out on the log scale.

    Missing where the second group is at 0; without limits where the first one is. `standard_error` is that
    of the logarithm.
    """
    ends, (first, second) = _ends(groups)
    refusal = refusal_of(groups, least=2)
    if not refusal and not groups.estimate[second] > 0:
        refusal = "the group below the line of the ratio is not above 0"
    if not refusal and groups.estimate[first] < 0:
        refusal = "an estimate is negative"
    error = np.nan
    if not refusal:
        y, s = groups.estimate[[first, second]], groups.standard_error[[first, second]]
        with np.errstate(divide="ignore", invalid="ignore"):
            error = float(np.hypot(*(s / y))) if y[0] > 0 else np.inf
    return measured(
        "R",
        groups,
        lambda y: ends(y)[..., 0] / ends(y)[..., 1],
        Asked(confidence, draws, seed),
        refusal=refusal,
        standard_error=error,
        noisy=not groups.ordered,
        ratio=True,
    )


def _ends(groups: Groups) -> tuple[Statistic, tuple[int, int]]:
    """The two groups of the simple measures: estimates (..., k) to both (..., 2), and their places now."""
    y, favourable, at = groups.estimate, groups.favourable, groups.reference
    if len(y) < 2:
        return lambda drawn: drawn, (0, 0)
    if groups.ordered:
        places = [-1, 0] if favourable else [0, -1]
        return lambda drawn: drawn[..., places], (places[0], places[1])
    if at is None:
        lowest = len(y) - 1 - int(np.argmin(y[::-1]))  # the last of equals, so that the ends are two groups
        return lambda drawn: _both(drawn.max(axis=-1), drawn.min(axis=-1)), (int(np.argmax(y)), lowest)
    others = np.delete(np.arange(len(y)), at)
    if favourable:
        worst = int(others[np.argmin(y[others])])
        return lambda drawn: _both(drawn[..., at], drawn[..., others].min(axis=-1)), (at, worst)
    worst = int(others[np.argmax(y[others])])
    return lambda drawn: _both(drawn[..., others].max(axis=-1), drawn[..., at]), (worst, at)


def _both(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.stack([first, second], axis=-1)
