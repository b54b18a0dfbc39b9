"""Is a ratio shown to be similar to 1, which is more than not shown to differ?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import Tests, TextArray, add_note, texts
from equitydata.stats.contracts import ContractError, refuse_where
from equitydata.stats.judgement.band import FOUR_FIFTHS, Band, checked, within_band

MISSING_LIMIT = "a limit is missing"
MISSING_RATIO = "the ratio or its standard error is missing"
NO_SCALE = "no log ratio: the ratio is 0 or infinite, or its standard error is 0"


@dataclass(frozen=True)
class Equivalence:
    """Whether each interval lies wholly inside the band. Shape S.

    similar : True when it does; False says only that similarity is not shown.
    band, alpha : as asked. note : why nothing can be said.
    """

    similar: NDArray[np.bool_]
    band: Band
    alpha: float
    note: TextArray


def equivalence(
    *, lower: ArrayLike, upper: ArrayLike, confidence: float, alpha: float = 0.05, band: Band = FOUR_FIFTHS
) -> Equivalence:
    """Show that a ratio is similar to 1: two one-sided tests, each at alpha, by way of an interval.

    lower, upper : limits of the ratio, shape S, at a confidence of 1 - 2 alpha: 0.90 for the usual alpha of 0.05.
        Limits at another confidence are refused, because the error rate would not be the one stated.
    band : two ratios with 1 between them.
    Missing limits are not similar, with a note. Raises ContractError for a lower limit above its upper limit.
    Schuirmann DJ (1987) J Pharmacokinet Biopharm 15:657-680.
    """
    if not 0 < alpha < 0.5:
        raise ContractError("alpha is a fraction between 0 and 0.5")
    if abs(confidence - (1 - 2 * alpha)) > 1e-9:
        raise ContractError(f"limits at confidence {1 - 2 * alpha:g} are needed for alpha {alpha:g}")
    lows, highs = np.asarray(lower, dtype=float), np.asarray(upper, dtype=float)
    if lows.shape != highs.shape:
        raise ContractError(f"arrays of unequal shape: lower {lows.shape}, upper {highs.shape}")
    refuse_where(lows > highs, "lower is above upper")
    notes = texts(lows.shape)
    add_note(notes, np.isnan(lows) | np.isnan(highs), MISSING_LIMIT)
    return Equivalence(within_band(lows, highs, band), checked(band), alpha, notes)


def two_one_sided_tests(*, ratio: ArrayLike, log_error: ArrayLike, band: Band = FOUR_FIFTHS) -> Tests:
    """P-value for the ratio lying inside the band: the larger of two one-sided p-values on the log scale.

    ratio : shape S; log_error : standard error of its logarithm. A small p-value shows similarity.
    statistic : distance of the log ratio from the nearer edge in standard errors, negative outside the band.
    Missing, with the reason, for a ratio of 0 or infinity or a standard error of 0.
    Raises ContractError for negative entries. Schuirmann DJ (1987) J Pharmacokinet Biopharm 15:657-680.
    """
    from scipy.special import ndtr

    lowest, highest = checked(band)
    ratios, errors = np.asarray(ratio, dtype=float), np.asarray(log_error, dtype=float)
    if ratios.shape != errors.shape:
        raise ContractError(f"arrays of unequal shape: ratio {ratios.shape}, log_error {errors.shape}")
    refuse_where(ratios < 0, "ratio is negative")
    refuse_where(errors < 0, "log_error is negative")
    missing = np.isnan(ratios) | np.isnan(errors)
    useless = ~missing & ((ratios == 0) | np.isinf(ratios) | (errors == 0) | np.isinf(errors))
    notes = texts(ratios.shape)
    add_note(notes, missing, MISSING_RATIO)
    add_note(notes, useless, NO_SCALE)
    usable = ~missing & ~useless
    logs = np.log(np.where(usable, ratios, 1.0))
    distance = np.minimum(logs - np.log(lowest), np.log(highest) - logs) / np.where(usable, errors, 1.0)
    statistic = np.where(usable, distance, np.nan)
    return Tests(statistic, ndtr(-statistic), texts(ratios.shape, "two_one_sided"), notes)
