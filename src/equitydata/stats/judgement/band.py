"""The practical band around a ratio of 1: inside it, a difference is too small to matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.contracts import ContractError

Band = tuple[float, float]
FOUR_FIFTHS: Band = (0.80, 1.25)
ROUNDING = 1e-9  # 0.16 / 0.20 is not quite 0.80 in a computer, and is not outside the band


def checked(band: Band) -> Band:
    """The band, or ContractError unless it is two ratios with 1 between them."""
    lowest, highest = band
    if not 0 < lowest < 1 < highest < np.inf:
        raise ContractError(
            f"a band is two ratios with 1 between them, for example (0.80, 1.25); found {band}"
        )
    return float(lowest), float(highest)


def side_of_band(ratio: ArrayLike, band: Band = FOUR_FIFTHS) -> NDArray[np.int64]:
    """-1 below the band, 0 inside or at its edge, 1 above it; 0 for a missing ratio."""
    lowest, highest = checked(band)
    values = np.asarray(ratio, dtype=float)
    above, below = values > highest * (1 + ROUNDING), values < lowest * (1 - ROUNDING)
    return above.astype(np.int64) - below.astype(np.int64)


def within_band(lower: ArrayLike, upper: ArrayLike, band: Band = FOUR_FIFTHS) -> NDArray[np.bool_]:
    """Whether an interval lies wholly inside the band; False where a limit is missing."""
    lows, highs = np.asarray(lower, dtype=float), np.asarray(upper, dtype=float)
    known = ~(np.isnan(lows) | np.isnan(highs))
    return known & (side_of_band(lows, band) == 0) & (side_of_band(highs, band) == 0)
