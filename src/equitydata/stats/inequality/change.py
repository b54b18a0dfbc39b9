"""Change of inequality between two times, absolute and relative side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equitydata.stats.answers import Estimates, add_note, texts
from equitydata.stats.contracts import (
    Confidence,
    ContractError,
    as_asked,
    as_floats,
    beside,
    refuse_where,
    tails,
)
from equitydata.stats.inequality.answer import Inequality


@dataclass(frozen=True)
class Changes:
    """Change of an absolute and of a relative measure of the same inequality.

    absolute, relative : Estimates of shape (); a difference, or for a ratio the later over the earlier.
    absolute_direction, relative_direction : 'narrowed', 'widened', 'unchanged', or 'unknown', of the values
        as they are, without regard to their limits.
    note : '' or that the two point in opposite directions, as they can when the overall level moves.
    """

    absolute: Estimates
    relative: Estimates
    absolute_direction: str
    relative_direction: str
    note: str


def change(
    *,
    earlier: ArrayLike,
    earlier_standard_error: ArrayLike,
    later: ArrayLike,
    later_standard_error: ArrayLike,
    ratio: bool = False,
    confidence: Confidence = 0.95,
) -> Estimates:
    """Difference of two independent inequality values, later less earlier; variances add.

    ratio : the values are ratios (R, RII), and their standard errors are of their logarithms; the answer is
        the later over the earlier, with limits worked out on the log scale.
    Independent means other people at each time. For the same people, or periods that overlap, the limits are
    too wide or too narrow: resample the people instead. Missing where a value is, and without limits where a
    standard error is.
    """
    before, s_before, after, s_after = as_floats(
        earlier=earlier,
        earlier_standard_error=earlier_standard_error,
        later=later,
        later_standard_error=later_standard_error,
    )
    refuse_where(s_before < 0, "earlier_standard_error is negative")
    refuse_where(s_after < 0, "later_standard_error is negative")
    from scipy.special import ndtri

    z = ndtri(1 - tails(confidence))
    notes = texts(before.shape)
    missing = np.isnan(before) | np.isnan(after)
    add_note(notes, missing, "a value is missing")
    no_ratio = ~missing & ratio & ((before <= 0) | (after <= 0))
    add_note(notes, no_ratio, "a ratio is not above 0")
    error = np.hypot(s_before, s_after)
    add_note(notes, ~missing & ~no_ratio & np.isnan(error), "no limits: a standard error is missing")
    reach = beside(error, z) * z
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        value = np.where(no_ratio, np.nan, after / before if ratio else after - before)
        middle = beside(value, z)
        lower = middle * np.exp(-reach) if ratio else middle - reach
        upper = middle * np.exp(reach) if ratio else middle + reach
    method = "log difference" if ratio else "difference"
    return Estimates(value, lower, upper, as_asked(confidence), texts(before.shape, method), notes)


def changes(
    *,
    absolute: tuple[Inequality, Inequality],
    relative: tuple[Inequality, Inequality],
    confidence: Confidence = 0.95,
) -> Changes:
    """Change of an absolute and a relative measure together, each as (earlier, later).

    Give both: when the overall level moves, one can narrow while the other widens. A ratio is compared on the
    log scale, all others by difference. Raises ContractError for a pair of unlike measures.
    """
    told = [_direction(*pair) for pair in (absolute, relative)]
    opposite = set(told) == {"narrowed", "widened"}
    return Changes(
        absolute=_change_of(*absolute, confidence=confidence),
        relative=_change_of(*relative, confidence=confidence),
        absolute_direction=told[0],
        relative_direction=told[1],
        note=f"absolute inequality {told[0]} while relative inequality {told[1]}" if opposite else "",
    )


def _change_of(earlier: Inequality, later: Inequality, *, confidence: Confidence) -> Estimates:
    if earlier.measure != later.measure or earlier.equality != later.equality:
        raise ContractError(f"unlike measures: {earlier.measure} and {later.measure}")
    return change(
        earlier=_finite(earlier.value),
        earlier_standard_error=earlier.standard_error,
        later=_finite(later.value),
        later_standard_error=later.standard_error,
        ratio=earlier.equality == 1,
        confidence=confidence,
    )


def _direction(earlier: Inequality, later: Inequality) -> str:
    """Whether the later value is nearer to equality than the earlier one."""
    before, after = (_distance(answer) for answer in (earlier, later))
    if np.isnan(before) or np.isnan(after):
        return "unknown"
    if before == after:
        return "unchanged"
    return "narrowed" if after < before else "widened"


def _distance(answer: Inequality) -> float:
    if answer.equality == 1:
        return float(abs(np.log(answer.value))) if answer.value > 0 else np.nan
    return abs(answer.value)


def _finite(value: float) -> float:
    return value if np.isfinite(value) else np.nan
