"""The interval of a difference, from the intervals of its two parts: the method of variance estimates recovery."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from equitydata.stats.answers import FloatArray
from equitydata.stats.contracts import ContractError, refuse_where
from equitydata.stats.one_group.proportions import Limits


def mover_difference(
    *,
    value: ArrayLike,
    lower: ArrayLike,
    upper: ArrayLike,
    comparator_value: ArrayLike,
    comparator_lower: ArrayLike,
    comparator_upper: ArrayLike,
) -> Limits:
    """Limits of a value less its comparator's, from any two independent intervals of one confidence.

    value, comparator_value : shape S. The limits : S, or S + (k,) for k confidence levels.
    Of each value only the distance to the limit that matters is used, so lopsided intervals stay lopsided.
    NaN goes through. Raises ContractError for unequal shapes and for a value outside its limits.
    Donner A, Zou GY (2012). Stat Methods Med Res 21:347-359. With Wilson limits it is Newcombe's hybrid.
    """
    below, above = _arms(value, lower, upper, "value")
    comparator_below, comparator_above = _arms(
        comparator_value, comparator_lower, comparator_upper, "comparator_value"
    )
    if below.shape != comparator_below.shape:
        raise ContractError(
            f"arrays of unequal shape: limits {below.shape}, comparator {comparator_below.shape}"
        )
    difference = np.asarray(value, dtype=float) - np.asarray(comparator_value, dtype=float)
    if below.ndim > difference.ndim:
        difference = difference[..., np.newaxis]
    return difference - np.hypot(below, comparator_above), difference + np.hypot(above, comparator_below)


def _arms(value: ArrayLike, lower: ArrayLike, upper: ArrayLike, name: str) -> tuple[FloatArray, FloatArray]:
    """How far the limits lie below and above the value."""
    middle, low, high = (np.asarray(array, dtype=float) for array in (value, lower, upper))
    if low.shape != high.shape or low.shape[: middle.ndim] != middle.shape or low.ndim > middle.ndim + 1:
        told = f"{name} {middle.shape}, lower {low.shape}, upper {high.shape}"
        raise ContractError(f"arrays of unequal shape: {told}")
    if low.ndim > middle.ndim:
        middle = middle[..., np.newaxis]
    # Rounding may leave a limit a hair on the wrong side of a value at the edge of its range.
    slack = 1e-9 * np.abs(middle)
    refuse_where((low > middle + slack) | (high < middle - slack), f"{name} lies outside its limits")
    return np.maximum(middle - low, 0), np.maximum(high - middle, 0)
