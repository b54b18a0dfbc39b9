"""Two directly standardised rates compared: their ratio and their difference.

Both rates must come from the same standard population. A rate that was withheld is NaN here, and so is its
comparison.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from equitydata.stats.answers import Estimates, FloatArray, TextArray, add_note, texts
from equitydata.stats.contracts import Confidence, as_asked, as_floats, beside, refuse_where, tails
from equitydata.stats.two_groups.mover import mover_difference
from equitydata.stats.two_groups.proportions import log_limits
from equitydata.stats.two_groups.two_by_two import quantiles

WITHHELD = "a standardised rate is withheld or missing"
NO_LIMITS = "the limits of a standardised rate are missing"
ZERO_RATE = "a standardised rate is 0: no limits of a ratio"
NO_RATES = "both standardised rates are 0: no ratio"


def standardised_rate_ratio(
    *,
    value: ArrayLike,
    variance: ArrayLike,
    comparator_value: ArrayLike,
    comparator_variance: ArrayLike,
    confidence: Confidence = 0.95,
) -> Estimates:
    """One directly standardised rate over another, with limits from the variances on the log scale.

    All of one shape, rates and variances in the same unit (rates per 100,000: variances per 100,000 squared).
    confidence : fraction or fractions. var(log ratio) = variance / value^2, summed over both.
    A rate of 0 has a ratio of 0 or infinity without limits. Raises ContractError for a negative entry.
    Breslow NE, Day NE (1987) Statistical Methods in Cancer Research II, section 2.3. IARC.
    """
    d1, v1, d2, v2 = _as_rates(value, variance, comparator_value, comparator_variance)
    notes = _notes(d1, d2)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = d1 / d2
        log_variance = np.where((d1 > 0) & (d2 > 0), v1 / d1**2 + v2 / d2**2, np.nan)
    lower, upper = log_limits(ratio, log_variance, confidence)
    add_note(notes, (d1 == 0) & (d2 == 0), NO_RATES)
    add_note(notes, (d1 == 0) != (d2 == 0), ZERO_RATE)
    add_note(notes, ~np.isnan(d1 + d2) & np.isnan(v1 + v2), NO_LIMITS)
    return Estimates(ratio, lower, upper, as_asked(confidence), texts(ratio.shape, "log_delta"), notes)


def standardised_rate_difference(
    *,
    value: ArrayLike,
    lower: ArrayLike,
    upper: ArrayLike,
    comparator_value: ArrayLike,
    comparator_lower: ArrayLike,
    comparator_upper: ArrayLike,
    confidence: Confidence = 0.95,
) -> Estimates:
    """One directly standardised rate less another, from the limits of both.

    value, comparator_value : shape S. The limits : S for one confidence, S + (k,) for k of them.
    confidence : that of the limits given; it is passed on in the answer and cannot be changed here.
    Raises ContractError for unequal shapes, and for a rate outside its limits.
    Donner A, Zou GY (2012). Stat Methods Med Res 21:347-359.
    """
    d1, d2 = as_floats(value=value, comparator_value=comparator_value)
    shape = d1.shape + tails(confidence).shape
    limits = [np.asarray(limit, dtype=float) for limit in (lower, upper, comparator_lower, comparator_upper)]
    refuse_where(
        [limit.shape != shape for limit in limits], "limits are not of the shape of value and confidence"
    )
    low, high = mover_difference(
        value=d1,
        lower=limits[0],
        upper=limits[1],
        comparator_value=d2,
        comparator_lower=limits[2],
        comparator_upper=limits[3],
    )
    notes = _notes(d1, d2)
    lost = np.isnan(low + high)
    add_note(notes, ~np.isnan(d1 + d2) & (lost.any(axis=-1) if lost.ndim > d1.ndim else lost), NO_LIMITS)
    return Estimates(d1 - d2, low, high, as_asked(confidence), texts(d1.shape, "mover"), notes)


def standardised_rate_difference_wald(
    *,
    value: ArrayLike,
    variance: ArrayLike,
    comparator_value: ArrayLike,
    comparator_variance: ArrayLike,
    confidence: Confidence = 0.95,
) -> Estimates:
    """One directly standardised rate less another, with symmetric limits from the variances: for large counts.

    Arguments and errors as in `standardised_rate_ratio`.
    """
    d1, v1, d2, v2 = _as_rates(value, variance, comparator_value, comparator_variance)
    z = quantiles(confidence)
    spread = z * np.sqrt(beside(v1 + v2, z))
    lower, upper = beside(d1 - d2, z) - spread, beside(d1 - d2, z) + spread
    notes = _notes(d1, d2)
    add_note(notes, ~np.isnan(d1 + d2) & np.isnan(v1 + v2), NO_LIMITS)
    return Estimates(d1 - d2, lower, upper, as_asked(confidence), texts(d1.shape, "wald"), notes)


def _as_rates(
    value: ArrayLike, variance: ArrayLike, comparator_value: ArrayLike, comparator_variance: ArrayLike
) -> tuple[FloatArray, ...]:
    named = {
        "value": value,
        "variance": variance,
        "comparator_value": comparator_value,
        "comparator_variance": comparator_variance,
    }
    arrays = as_floats(**named)
    for name, entries in zip(named, arrays, strict=True):
        refuse_where(entries < 0, f"{name} is negative")
    return arrays


def _notes(d1: FloatArray, d2: FloatArray) -> TextArray:
    notes = texts(d1.shape)
    add_note(notes, np.isnan(d1 + d2), WITHHELD)
    return notes
