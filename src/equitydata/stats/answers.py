"""The shapes in which a statistic answers: frozen arrays, one entry for each entry that was asked about.

A result that cannot be had is NaN and its note says why; a note on a result that is there says what to
keep in mind. The words of the notes stand here, so that each reason is said in one way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
TextArray = NDArray[np.object_]

# Reasons for a missing result.
NOBODY = "nobody counted"
MISSING_COUNT = "a count is missing"
# To be kept in mind.
WEIGHTED = "counts are not whole numbers"


@dataclass(frozen=True)
class Estimates:
    """Values with their limits.

    value : shape S of the input. lower, upper : S for one confidence, S + (k,) for k of them.
    confidence : as asked, a fraction or a tuple of fractions.
    method : shape S; the name of the interval, which may differ by entry (exact for few events, Byar above).
    note : shape S; '' or what to know, first of all why a value or a limit is NaN.
    """

    value: FloatArray
    lower: FloatArray
    upper: FloatArray
    confidence: float | tuple[float, ...]
    method: TextArray
    note: TextArray


@dataclass(frozen=True)
class Tests:
    """One test for each entry: shape S throughout. note says why a p-value is NaN."""

    statistic: FloatArray
    p_value: FloatArray
    method: TextArray
    note: TextArray


@dataclass(frozen=True)
class Test:
    """One test of one table.

    df : degrees of freedom; NaN where the method has none. draws, seed : 0 and None where nothing was drawn.
    """

    statistic: float
    df: float
    p_value: float
    method: str
    note: str = ""
    draws: int = 0
    seed: int | None = None


def texts(shape: tuple[int, ...], text: str = "") -> TextArray:
    """An array of one text throughout."""
    filled = np.empty(shape, dtype=object)
    filled[...] = text
    return filled


def add_note(notes: TextArray, where: ArrayLike, text: str) -> None:
    """Add a note to the entries where a condition holds, behind what is noted there already. In place."""
    for earlier in set(notes[np.asarray(where, dtype=bool)].tolist()):
        here = np.asarray(where, dtype=bool) & (notes == earlier)
        notes[here] = f"{earlier}; {text}" if earlier else text
