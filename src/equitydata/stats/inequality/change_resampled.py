"""Change of inequality where the same people, or some of them, are counted at both times.

The two values then lean on each other, so their variances do not add. People are drawn anew, each with both of
their outcomes, which keeps whatever the two times share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equitydata.stats.answers import Estimates, FloatArray, texts
from equitydata.stats.contracts import Confidence, ContractError, as_asked, as_floats, refuse_where, tails

DRAWS, SEED = 10_000, 1
LEAST_DRAWS = 1_000
# Limits of draws of which more than this share has no value would be limits of another question.
MOST_WITHOUT_VALUE = 0.01
NUMBERS_AT_ONCE = 4_000_000

# Shares of people with the outcome (..., groups) and the groups' shares of all people (..., groups) -> values (...).
Measure = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class ResampledChange:
    """estimates : the change, shape (). earlier, later : the measure at either time. draws, seed : of the limits."""

    estimates: Estimates
    earlier: float
    later: float
    draws: int
    seed: int


def resampled_change(
    *,
    people: ArrayLike,
    measure: Measure,
    ratio: bool = False,
    confidence: Confidence = 0.95,
    draws: int = DRAWS,
    seed: int = SEED,
) -> ResampledChange:
    """Change of a measure between two times, with percentile limits from people drawn anew.

    people : whole numbers, shape (groups, 3, 3): people by group, by what they were at the earlier time (not
        counted, without the outcome, with it) and at the later one. Who is counted at neither has no cell.
    measure : for example `lambda share, population: share[..., 0] - share[..., -1]`.
    ratio : the later over the earlier, in place of the later less the earlier.
    Missing, with the reason, where the measure has no value at one of the times; without limits where it has
    none in more than one draw of a hundred. Raises ContractError for counts that cannot be.
    Efron B, Tibshirani RJ (1993) An Introduction to the Bootstrap, chapter 13.
    """
    counts = _checked(people, draws)
    earlier, later = (float(value[0]) for value in _measured(counts[np.newaxis], measure))
    answer = _estimates(earlier, later, ratio=ratio, confidence=confidence)
    if np.isfinite(answer.value):
        changes = _changes(counts, measure, ratio=ratio, draws=draws, seed=seed)
        without = 1 - len(changes) / draws
        if without > MOST_WITHOUT_VALUE:
            answer.note[...] = f"no limits: the measure has no value in {without:.0%} of the draws"
        else:
            tail = tails(confidence)
            answer.lower[...], answer.upper[...] = np.quantile(changes, [tail, 1 - tail])
    return ResampledChange(answer, earlier, later, draws, seed)


def _checked(people: ArrayLike, draws: int) -> FloatArray:
    (counts,) = as_floats(people=people)
    if counts.ndim != 3 or counts.shape[1:] != (3, 3):
        raise ContractError(f"people has shape {counts.shape}, and not (groups, 3, 3)")
    refuse_where(np.isnan(counts) | (counts < 0) | (counts != np.floor(counts)), "people is no whole number")
    refuse_where(counts[:, 0, 0] > 0, "people are counted at neither time")
    if counts.sum() == 0:
        raise ContractError("nobody is counted at either time")
    if draws < LEAST_DRAWS:
        raise ContractError(f"draws is at least {LEAST_DRAWS:,}")
    return counts


def _estimates(earlier: float, later: float, *, ratio: bool, confidence: Confidence) -> Estimates:
    note = ""
    if not (np.isfinite(earlier) and np.isfinite(later)):
        value, note = np.nan, "the measure has no value at one of the times"
    elif ratio and (earlier <= 0 or later <= 0):
        value, note = np.nan, "a ratio is not above 0"
    else:
        value = later / earlier if ratio else later - earlier
    empty = np.full(np.shape(confidence), np.nan)
    return Estimates(
        np.asarray(value),
        empty,
        empty.copy(),
        as_asked(confidence),
        texts((), "resampled people"),
        texts((), note),
    )


def _measured(counts: FloatArray, measure: Measure) -> tuple[FloatArray, FloatArray]:
    """The measure at both times, for draws of counts (draws, groups, 3, 3)."""
    found = []
    for at in (counts.sum(axis=-1), counts.sum(axis=-2)):
        seen = at[..., 1] + at[..., 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            found.append(np.asarray(measure(at[..., 2] / seen, seen / seen.sum(axis=-1, keepdims=True))))
    return found[0], found[1]


def _changes(counts: FloatArray, measure: Measure, *, ratio: bool, draws: int, seed: int) -> FloatArray:
    """The change in each draw, less the draws in which it has no value."""
    rng = np.random.default_rng(seed)
    total, cells = int(counts.sum()), (counts / counts.sum()).ravel()
    at_once = max(1, NUMBERS_AT_ONCE // len(cells))
    parts = []
    for start in range(0, draws, at_once):
        drawn = rng.multinomial(total, cells, size=min(at_once, draws - start)).astype(float)
        before, after = _measured(drawn.reshape(-1, *counts.shape), measure)
        with np.errstate(divide="ignore", invalid="ignore"):
            parts.append(
                np.where((before > 0) & (after > 0), after / before, np.nan) if ratio else after - before
            )
    changes = np.concatenate(parts)
    return changes[np.isfinite(changes)]
