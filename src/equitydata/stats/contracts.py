"""What every statistic asks of its input, checked in one place.

A missing entry (NaN) is no violation: its result is missing too, and says so. A violation (a negative count,
more cases than people) is the caller's mistake, and the error names the entries.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import MISSING_COUNT, NOBODY, WEIGHTED, FloatArray, TextArray, add_note, texts

ENTRIES_NAMED = 5
Confidence = float | Sequence[float]


class ContractError(ValueError):
    """Input that a statistic cannot be worked out from; `entries` are the places at fault, from 0."""

    def __init__(self, what: str, entries: Sequence[int] = ()) -> None:
        self.what, self.entries = what, tuple(entries)
        named = ", ".join(str(entry) for entry in self.entries[:ENTRIES_NAMED])
        more = len(self.entries) - ENTRIES_NAMED
        where = f" (entries {named}{f' and {more} more' if more > 0 else ''})" if self.entries else ""
        super().__init__(f"{what}{where}")


def refuse_where(condition: ArrayLike, what: str) -> None:
    """Raise ContractError, naming the entries, if the condition holds anywhere."""
    entries = np.flatnonzero(condition)
    if len(entries):
        raise ContractError(what, [int(entry) for entry in entries])


def as_floats(**arrays: ArrayLike) -> tuple[FloatArray, ...]:
    """The arrays as floats, all of one shape; a single number is spread to the shape of the others.

    Raises ContractError for unequal shapes and for infinite entries.
    """
    floats = {name: np.asarray(values, dtype=float) for name, values in arrays.items()}
    shapes = {values.shape for values in floats.values() if values.shape}
    if len(shapes) > 1:
        told = ", ".join(f"{name} {values.shape}" for name, values in floats.items())
        raise ContractError(f"arrays of unequal shape: {told}")
    shape = shapes.pop() if shapes else ()
    for name, values in floats.items():
        refuse_where(np.isinf(values), f"{name} is infinite")
    return tuple(np.broadcast_to(values, shape) for values in floats.values())


def as_counts(*, at_most: bool = True, **arrays: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Numerator and denominator as floats of one shape.

    at_most : the numerator may not pass the denominator (a share, not a rate).
    Raises ContractError for a negative entry, or a numerator above its denominator.
    """
    (first, second), (x, n) = arrays, as_floats(**arrays)
    refuse_where(x < 0, f"{first} is negative")
    refuse_where(n < 0, f"{second} is negative")
    if at_most:
        refuse_where(x > n, f"{first} is above {second}")
    return x, n


def count_notes(numerator: FloatArray, denominator: FloatArray) -> TextArray:
    """Why an entry has no result (a count is missing, nobody counted), or that its counts are weighted."""
    notes = texts(numerator.shape)
    missing = np.isnan(numerator) | np.isnan(denominator)
    add_note(notes, missing, MISSING_COUNT)
    add_note(notes, ~missing & (denominator == 0), NOBODY)
    whole = missing | ((numerator == np.floor(numerator)) & (denominator == np.floor(denominator)))
    add_note(notes, ~whole, WEIGHTED)
    return notes


def tails(confidence: Confidence) -> FloatArray:
    """The probability left in one tail, half of 1 - confidence: shape () or (k,).

    Raises ContractError unless every confidence is a fraction from 0.5 to below 1.
    """
    levels = np.asarray(confidence, dtype=float)
    if levels.ndim > 1 or levels.size == 0 or not np.all((levels >= 0.5) & (levels < 1)):
        raise ContractError("confidence is a fraction from 0.5 to below 1, for example 0.95")
    return (1 - levels) / 2


def as_asked(confidence: Confidence) -> float | tuple[float, ...]:
    """The confidence as an answer carries it."""
    levels = np.asarray(confidence, dtype=float)
    return tuple(levels.tolist()) if levels.ndim else float(levels)


def beside(values: NDArray, per_level: FloatArray) -> NDArray:
    """Values with an axis more where several confidence levels are asked, so that both broadcast."""
    return values[..., np.newaxis] if per_level.ndim else values
