"""How an inequality measure answers, and the ways from a value to its limits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from equitydata.stats.answers import FloatArray
from equitydata.stats.contracts import Confidence, ContractError, as_asked, tails

NO_ERRORS = "no limits: a group has no standard error"


@dataclass(frozen=True)
class Inequality:
    """One inequality measure of one population.

    measure : its name. value : NaN where it cannot be had, and note says why.
    standard_error : of the value; of its logarithm for a ratio. NaN without limits.
    lower, upper : floats for one confidence, arrays (k,) for k of them; NaN where there are none.
    confidence : as asked, a fraction or a tuple of fractions.
    method : how the limits were had. note : '' or what to know.
    equality : the value when all groups are equal: 1 for a ratio, 0 for every other measure.
    expected : the mean of the measure under equality, by simulation, for a measure that noise can only push
        away from equality; NaN for others. A value near it is no sign of inequality.
    corrected : the value less its bias (twice the value less the mean of the draws; the same on the log scale
        for a ratio), cut at equality; NaN for a measure without that bias.
    draws, seed : of whatever was simulated; 0 and None where nothing was.
    """

    measure: str
    value: float
    standard_error: float
    lower: float | FloatArray
    upper: float | FloatArray
    confidence: float | tuple[float, ...]
    method: str
    note: str = ""
    equality: float = 0.0
    expected: float = np.nan
    corrected: float = np.nan
    draws: int = 0
    seed: int | None = None


def without_result(measure: str, reason: str, *, confidence: Confidence, equality: float = 0.0) -> Inequality:
    """A measure that cannot be had, with the reason."""
    none = no_limits(confidence)
    return Inequality(
        measure, np.nan, np.nan, none, none, as_asked(confidence), "none", reason, equality=equality
    )


def no_limits(confidence: Confidence) -> float | FloatArray:
    """Missing limits, in the shape of the confidence asked."""
    return as_limits(np.full(tails(confidence).shape, np.nan))


def as_limits(limits: FloatArray) -> float | FloatArray:
    """Limits as an answer carries them: a float for one confidence."""
    return limits if np.ndim(limits) else float(limits)


def normal_limits(
    value: float, standard_error: float, *, confidence: Confidence, ratio: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Value less and plus the normal quantile times the standard error; on the log scale for a ratio."""
    from scipy.special import ndtri

    reach = ndtri(1 - tails(confidence)) * standard_error
    if ratio:
        with np.errstate(over="ignore"):
            return np.asarray(value * np.exp(-reach)), np.asarray(value * np.exp(reach))
    return np.asarray(value - reach), np.asarray(value + reach)


def percentile_limits(drawn: FloatArray, *, confidence: Confidence) -> tuple[FloatArray, FloatArray]:
    """The quantiles of the draws that leave half of 1 - confidence on either side."""
    tail = tails(confidence)
    if np.isfinite(drawn).all():
        return np.quantile(drawn, tail), np.quantile(drawn, 1 - tail)
    # Between two infinite draws there is nothing to interpolate.
    lower, upper = (np.quantile(drawn, part, method="inverted_cdf") for part in (tail, 1 - tail))
    return lower, upper


def joined(*notes: str) -> str:
    """Notes one after the other, the empty ones left out."""
    return "; ".join(note for note in notes if note)


def rescale(answer: Inequality, multiplier: float) -> Inequality:
    """The same measure in another unit: value, standard error, limits, expected and corrected alike.

    multiplier : 100 for percentage points, 1,000 for a Theil index that is easier to read. Below 0 it also
        turns the direction round: limits change places. A ratio has no unit, so a multiplier above 0 leaves
        it as it is and one below 0 inverts it.
    The answer is multiplied, not the estimates: a variance of percentages is 10,000 times that of fractions.
    """
    if not np.isfinite(multiplier) or multiplier == 0:
        raise ContractError("multiplier is a number other than 0")
    if answer.equality == 1:
        return _inverted(answer) if multiplier < 0 else answer
    ends = (answer.lower * multiplier, answer.upper * multiplier)
    lower, upper = ends if multiplier > 0 else ends[::-1]
    return replace(
        answer,
        value=answer.value * multiplier,
        standard_error=answer.standard_error * abs(multiplier),
        lower=lower,
        upper=upper,
        expected=answer.expected * multiplier,
        corrected=answer.corrected * multiplier,
    )


def _inverted(answer: Inequality) -> Inequality:
    with np.errstate(divide="ignore"):
        value, lower, upper, expected, corrected = (
            np.divide(1.0, end)
            for end in (answer.value, answer.upper, answer.lower, answer.expected, answer.corrected)
        )
    return replace(
        answer,
        value=float(value),
        lower=as_limits(lower),
        upper=as_limits(upper),
        expected=float(expected),
        corrected=float(corrected),
    )
