"""Limits and bias of an inequality measure by redrawing the estimates of its groups.

Each estimate is redrawn as normal on the scale where its error is near symmetric: the logit of a proportion,
the logarithm of a rate, a plain number as it is. The measure of each draw shows how far noise alone moves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from equitydata.stats.answers import FloatArray
from equitydata.stats.contracts import Confidence, ContractError, as_asked
from equitydata.stats.inequality.answer import (
    NO_ERRORS,
    Inequality,
    as_limits,
    joined,
    no_limits,
    normal_limits,
    percentile_limits,
    without_result,
)
from equitydata.stats.inequality.groups import Groups, quantile, refusal_of

DRAWS, SEED = 10_000, 1
LEAST_DRAWS = 10_000
NUMBERS_AT_ONCE = 4_000_000
# Draws of so few numbers are kept for the next measure of the same groups.
NUMBERS_KEPT = 500_000
AT_THE_END = "an estimate at the end of its scale is redrawn as a plain number"
NO_SPREAD = "no standard error: the measure is 0 or infinite in some draws"
NO_BIAS = "bias not worked out: the measure has no value in some draws"
NO_VALUE_DRAWN = "no limits: the measure has no value in some draws"
NO_SUCH_ERROR = "no limits: the standard error does not exist at this value"
NOT_DRAWN = "bias not worked out: a group has no standard error"

Statistic = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Asked:
    """What is asked of every measure: confidence, a fraction or fractions; draws, at least 10,000; the seed."""

    confidence: Confidence
    draws: int
    seed: int

    def __post_init__(self) -> None:
        if self.draws < LEAST_DRAWS:
            raise ContractError(f"draws is at least {LEAST_DRAWS:,}")


def measured(
    measure: str,
    groups: Groups,
    statistic: Statistic,
    asked: Asked,
    *,
    refusal: str,
    standard_error: float | None = None,
    method: str = "delta",
    noisy: bool = True,
    ratio: bool = False,
    centre: float | None = None,
    cut: tuple[float, float] = (-np.inf, np.inf),
    note: str = "",
) -> Inequality:
    """The answer of one measure.

    statistic : estimates (..., k) to values (...). refusal : why there is no result, or ''.
    standard_error : for normal limits (of the logarithm for a ratio); without one, limits are percentiles of
        draws. noisy : noise pushes the measure away from equality, so its bias is simulated.
    centre : what normal limits stand around, where it is not the value.
    cut : the values the measure can take; limits are cut there.
    """
    equality = 1.0 if ratio else 0.0
    confidence = asked.confidence
    if refusal:
        return without_result(measure, refusal, confidence=confidence, equality=equality)
    value = float(statistic(groups.estimate))
    drawn, expected, corrected, told_of_noise = np.array([]), np.nan, np.nan, ""
    if groups.has_errors and (noisy or standard_error is None):
        drawn = simulate(statistic, groups, draws=asked.draws, seed=asked.seed)
        told_of_noise = AT_THE_END if at_the_end(groups).any() else ""
    if noisy and len(drawn):
        expected, corrected, told_of_noise = _bias(statistic, value, drawn, groups, asked, ratio=ratio)
    elif noisy and standard_error is not None and np.isfinite(standard_error):
        told_of_noise = NOT_DRAWN
    centre = value if centre is None else centre
    spread, limits, told = _spread(centre, drawn, standard_error, confidence=confidence, ratio=ratio)
    if np.isnan(limits[0]).all():
        method = "none"
    elif standard_error is None:
        method = "simulated"
    lower, upper = (np.clip(limit, *cut) for limit in limits)
    if method != "none" and (np.any(lower != limits[0]) or np.any(upper != limits[1])):
        told = joined(told, "a limit is cut at the end of what the measure can be")
    none, used = no_limits(confidence), len(drawn) > 0
    return Inequality(
        measure=measure,
        value=value,
        standard_error=spread,
        lower=none if method == "none" else as_limits(lower),
        upper=none if method == "none" else as_limits(upper),
        confidence=as_asked(confidence),
        method=method,
        note=joined(groups.note, note, told_of_noise, told),
        equality=equality,
        expected=expected,
        corrected=corrected,
        draws=asked.draws if used else 0,
        seed=asked.seed if used else None,
    )


def _spread(
    centre: float, drawn: FloatArray, standard_error: float | None, *, confidence: Confidence, ratio: bool
) -> tuple[float, tuple[FloatArray, FloatArray], str]:
    """Standard error, limits, and why there are none."""
    none = np.asarray(no_limits(confidence))
    if standard_error is not None:
        if not np.isfinite(standard_error):
            return np.nan, (none, none), NO_ERRORS if np.isnan(standard_error) else NO_SUCH_ERROR
        limits = normal_limits(centre, standard_error, confidence=confidence, ratio=ratio)
        return standard_error, limits, ""
    if not len(drawn):
        return np.nan, (none, none), NO_ERRORS
    if np.isnan(drawn).any():
        return np.nan, (none, none), NO_VALUE_DRAWN
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = float(np.std(np.log(drawn) if ratio else drawn, ddof=1))
    told = "" if np.isfinite(spread) else NO_SPREAD
    return spread if not told else np.nan, percentile_limits(drawn, confidence=confidence), told


def _bias(
    statistic: Statistic, value: float, drawn: FloatArray, groups: Groups, asked: Asked, *, ratio: bool
) -> tuple[float, float, str]:
    """The mean under equality; the value less its bias as the draws show it, not past equality; a note."""
    even = simulate(statistic, groups, draws=asked.draws, seed=asked.seed, equal=True)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        now, mean = (np.log(value), np.log(drawn).mean()) if ratio else (value, drawn.mean())
        less = 2 * now - mean
        kept = 0.0 if less * now < 0 else less
        corrected = float(np.exp(kept) if ratio else kept)
        expected = float(even.mean())
    expected, corrected = (found if np.isfinite(found) else np.nan for found in (expected, corrected))
    return (
        expected,
        corrected,
        joined(
            AT_THE_END if at_the_end(groups).any() else "",
            NO_BIAS if np.isnan(expected + corrected) else "",
        ),
    )


def simulated(
    measure: str,
    groups: Groups,
    statistic: Statistic,
    asked: Asked,
    *,
    relative: bool = False,
    refusal: str = "",
) -> Inequality:
    """The answer of a measure that cannot be negative and has simulated limits."""
    refusal = refusal_of(groups, relative=relative) or refusal
    return measured(measure, groups, statistic, asked, refusal=refusal)


def simulate(
    statistic: Statistic, groups: Groups, *, draws: int, seed: int, equal: bool = False
) -> FloatArray:
    """The statistic of each draw, shape (draws, ...).

    equal : redraw as if every group had the mean, with its own error: what noise alone gives.
    """
    with np.errstate(all="ignore"):
        return np.concatenate([statistic(y) for y in redrawn(groups, draws=draws, seed=seed, equal=equal)])


def redrawn(groups: Groups, *, draws: int, seed: int, equal: bool = False) -> Iterator[FloatArray]:
    """Draws of the estimates, (some, k) at a time so that many groups do not fill the memory."""
    generator = np.random.default_rng(seed)
    to_scale, _ = _scale(groups.scale)
    plain = at_the_end(groups)
    middle = np.full(len(groups.estimate), groups.mean) if equal else groups.estimate
    with np.errstate(all="ignore"):
        plain = plain | ~np.isfinite(to_scale(middle))
        centre = np.where(plain, middle, to_scale(middle))
        error = np.where(plain, groups.standard_error, scale_errors(groups))
    if draws * len(centre) <= NUMBERS_KEPT:
        key = tuple(np.asarray(each, dtype=float).tobytes() for each in (centre, error, plain))
        yield _drawn(groups.scale, draws, seed, key)
        return
    block = max(1, NUMBERS_AT_ONCE // max(1, len(middle)))
    for start in range(0, draws, block):
        some = min(block, draws - start)
        yield _on_scale(groups.scale, centre, error, plain, generator.standard_normal((some, len(centre))))


@lru_cache(maxsize=4)
def _drawn(scale: str, draws: int, seed: int, key: tuple[bytes, ...]) -> FloatArray:
    """The draws of one set of groups, kept, as all measures of it ask for the same ones.

    key : centre, error and which groups are drawn as they are, as bytes.
    """
    centre, error, plain = (np.frombuffer(each, dtype=float) for each in key)
    standard = np.random.default_rng(seed).standard_normal((draws, len(centre)))
    drawn = _on_scale(scale, centre, error, plain.astype(bool), standard)
    drawn.setflags(write=False)
    return drawn


def _on_scale(
    scale: str, centre: FloatArray, error: FloatArray, plain: NDArray[np.bool_], standard: FloatArray
) -> FloatArray:
    """Estimates drawn on their scale, and taken back from it."""
    least, most = _range(scale)
    drawn = centre + error * standard
    with np.errstate(all="ignore"):
        return np.where(plain, np.clip(drawn, least, most), _scale(scale)[1](drawn))


def scale_errors(groups: Groups) -> FloatArray:
    """Standard error on the scale of the draws.

    From the limits where they are given, the finite one alone where the other is at the end of the scale;
    else from the standard error and the derivative of the scale.
    """
    to_scale, _ = _scale(groups.scale)
    y, z = groups.estimate, float(quantile(groups.limits_confidence))
    with np.errstate(all="ignore"):
        below, here, above = (to_scale(at) for at in (groups.lower, y, groups.upper))
        both, down, up = (above - below) / (2 * z), (here - below) / z, (above - here) / z
        slope = {"proportion": y * (1 - y), "rate": y, "plain": np.ones_like(y)}[groups.scale]
        error = groups.standard_error / slope
    for from_limits in (up, down, both):
        error = np.where(np.isfinite(from_limits), from_limits, error)
    return error


def at_the_end(groups: Groups) -> NDArray[np.bool_]:
    """Which groups have an estimate at the end of its scale, where the scale of the draws is infinite."""
    to_scale, _ = _scale(groups.scale)
    with np.errstate(all="ignore"):
        return ~np.isfinite(to_scale(groups.estimate))


def _scale(name: str) -> tuple[Statistic, Statistic]:
    from scipy.special import expit, logit

    return {
        "proportion": (logit, expit),
        "rate": (np.log, np.exp),
        "plain": (np.asarray, np.asarray),
    }[name]


def _range(name: str) -> tuple[float, float]:
    return {"proportion": (0.0, 1.0), "rate": (0.0, np.inf), "plain": (-np.inf, np.inf)}[name]
