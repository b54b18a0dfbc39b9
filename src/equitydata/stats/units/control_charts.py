"""XmR charts: one value after another in time, with the limits that routine variation stays within."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import FloatArray, TextArray, add_note, texts
from equitydata.stats.contracts import ContractError, as_floats

Mask = NDArray[np.bool_]

# 3 / 1.128 and 1 + 3 x 0.853 / 1.128, the constants of ranges of two values, as charts round them.
LIMIT_FACTOR = 2.66
RANGE_FACTOR = 3.267
FEW_POINTS = 10

ABOVE, BELOW, RUN = "above_limit", "below_limit", "run"
MISSING_VALUE = "the value is missing"
SCREENED = "the moving range to this point is exceptional and left out of the limits"
TOO_FEW = "fewer than 10 points: limits are provisional"
NO_RANGE = "no two values follow one another: there are no limits"
NO_VARIATION = "no variation from point to point: the limits are the mean"


@dataclass(frozen=True)
class XmR:
    """An XmR chart.

    value : shape (n,), in order of time. moving_range : (n,); the step from the point before, NaN at the first
        point and beside a gap. mean : of the values. mean_range : of the moving ranges kept.
    lower, upper : of single values; not cut, so a lower limit of a share may lie below 0.
    range_limit : of the moving ranges. screened : (n,); moving ranges left out of mean_range.
    signal : (n,); above_limit, below_limit, run or ''. note : (n,). remark : about the chart as a whole.
    """

    value: FloatArray
    moving_range: FloatArray
    mean: float
    mean_range: float
    lower: float
    upper: float
    range_limit: float
    screened: Mask
    signal: TextArray
    note: TextArray
    remark: str


def xmr(values: ArrayLike, *, run_length: int = 8) -> XmR:
    """Limits mean -+ 2.66 mean moving range, and the points that routine variation does not explain.

    values : shape (n,), in order of time, evenly spaced; NaN leaves a gap.
    Moving ranges of at least 3.267 times their mean are left out once, then the mean is taken again.
    run_length : so many points in a row on one side of the mean are a signal, each point of them.
    Raises ContractError for values of more than one dimension. Wheeler DJ (2000) Understanding Variation, 2nd ed.
    """
    (x,) = as_floats(values=values)
    if x.ndim != 1:
        raise ContractError("values are one series: an array of one dimension")
    if run_length < 2:
        raise ContractError("run_length is at least 2")
    ranges = np.concatenate([np.full(min(1, len(x)), np.nan), np.abs(np.diff(x))])
    screened, mean_range = _screen(ranges)
    here = ~np.isnan(x)
    mean = float(x[here].mean()) if here.any() else float("nan")
    lower, upper = mean - LIMIT_FACTOR * mean_range, mean + LIMIT_FACTOR * mean_range
    notes = texts(x.shape)
    add_note(notes, ~here, MISSING_VALUE)
    add_note(notes, screened, SCREENED)
    signal = texts(x.shape)
    signal[_in_run(np.sign(x - mean), run_length)] = RUN
    signal[x > upper] = ABOVE
    signal[x < lower] = BELOW
    remark = _remark(int(here.sum()), mean_range)
    limit = RANGE_FACTOR * mean_range
    return XmR(np.array(x), ranges, mean, mean_range, lower, upper, limit, screened, signal, notes, remark)


def _screen(ranges: FloatArray) -> tuple[Mask, float]:
    """Which moving ranges are exceptional, and the mean of the others."""
    known = ~np.isnan(ranges)
    if not known.any():
        return np.zeros(ranges.shape, dtype=bool), float("nan")
    first = ranges[known].mean()
    screened = known & (ranges >= RANGE_FACTOR * first) & (first > 0)
    return screened, float(ranges[known & ~screened].mean())


def _in_run(side: FloatArray, run_length: int) -> Mask:
    """Points that stand in a row of at least run_length on one side; a gap or a point on the mean ends it."""
    if not len(side):
        return np.zeros(0, dtype=bool)
    side = np.where(np.isnan(side), 0, side)
    number = np.cumsum(np.concatenate([[True], side[1:] != side[:-1]])) - 1
    return (np.bincount(number)[number] >= run_length) & (side != 0)


def _remark(points: int, mean_range: float) -> str:
    if np.isnan(mean_range):
        return NO_RANGE
    said = [TOO_FEW] if points < FEW_POINTS else []
    return "; ".join([*said, NO_VARIATION] if mean_range == 0 else said)
