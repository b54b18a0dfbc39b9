"""Overdispersion: do units differ by more than chance, and how wide are funnel limits that allow for it?

Measured on a scale on which chance has the same spread for every value; reported always, applied to limits on
request only. Widened limits call fewer units different, and can hide a common failing: that is a judgement.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equitydata.stats.answers import FloatArray, TextArray, add_note
from equitydata.stats.contracts import (
    Confidence,
    ContractError,
    as_asked,
    as_counts,
    as_floats,
    beside,
    count_notes,
    refuse_where,
    tails,
)
from equitydata.stats.units.funnels import FUNNEL_CONFIDENCE, Funnel, tail_labels

Limits = tuple[FloatArray, FloatArray]

SCALES = ("arcsine", "root", "log", "count_ratio")
FORMS = ("additive", "multiplicative")
FEW_UNITS = 10
HALF = 0.5

NO_EVENTS_NO_LOG = "no events: the log is not defined, left out of phi and tau"
POORLY_KNOWN = "fewer than 10 units: tau is poorly known"
NO_UNITS = "fewer than 2 units with counts: overdispersion cannot be judged"
NO_AVERAGE_SCALE = "the average is 0 (or 1 for a proportion): there is no spread to judge by"


@dataclass(frozen=True)
class Overdispersion:
    """How far units differ beyond chance.

    average : what every unit is held against. value, denominator, numerator : shape S.
    z : S; distance from the average in standard errors of chance alone, before winsorising.
    standard_error : S; of chance alone, on the scale.
    phi : mean of the squared winsorised z; about 1 where there is chance only.
    tau_squared : variance between units beyond chance, on the scale; 0 where phi gives no sign of any.
    units : how many units phi rests on. winsorised : the share drawn in at each end.
    note : S; why a unit has no z. remark : '' or what to know about phi and tau_squared.
    """

    average: float
    value: FloatArray
    numerator: FloatArray
    denominator: FloatArray
    scale: str
    z: FloatArray
    standard_error: FloatArray
    phi: float
    tau_squared: float
    units: int
    winsorised: float
    note: TextArray
    remark: str


def overdispersion(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    scale: str,
    average: float | None = None,
    winsorise: float = 0.1,
) -> Overdispersion:
    """phi and tau squared of many units.

    numerator, denominator : shape S.
    scale : arcsine (proportions); root or log (rates and ratios; denominator is the person-time or the expected
        cases); count_ratio (both are counts that vary, +0.5 to each). log has no place for a unit without
        events, root has.
    average : without it, the total numerator over the total denominator.
    winsorise : the share of z drawn in to the quantile at each end, 0 to below 0.5.
    tau squared = (k phi - (k - 1)) / (sum w - sum w^2 / sum w), w = 1 / s^2, where above 0.
    Raises ContractError for counts that cannot be. Spiegelhalter DJ (2005) Qual Saf Health Care 14:347-351;
    Spiegelhalter DJ et al. (2012) J R Stat Soc A 175:1-47.
    """
    if scale not in SCALES:
        raise ContractError(f"no scale {scale!r}; one of {', '.join(SCALES)}")
    if not 0 <= winsorise < 0.5:
        raise ContractError("winsorise is a fraction from 0 to below 0.5, for example 0.1")
    x, n = as_counts(at_most=scale == "arcsine", numerator=numerator, denominator=denominator)
    centre = _centre(x, n, average, scale)
    s = _standard_error(x, n, centre, scale)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (_transform(x, n, centre, scale) - _target(centre, scale)) / s
    notes = count_notes(x, n)
    add_note(notes, (n > 0) & (x == 0) & (scale == "log"), NO_EVENTS_NO_LOG)
    z = np.where(np.isfinite(z), z, np.nan)
    phi, tau_squared, k, remark = _spread(z, s, winsorise)
    if centre == 0 or (centre == 1 and scale == "arcsine"):
        remark = NO_AVERAGE_SCALE
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(n > 0, x / n, np.nan)
    return Overdispersion(
        average=centre,
        value=value,
        numerator=np.array(x),
        denominator=np.array(n),
        scale=scale,
        z=z,
        standard_error=np.where(np.isnan(z), np.nan, s),
        phi=phi,
        tau_squared=tau_squared,
        units=k,
        winsorised=winsorise,
        note=notes,
        remark=remark,
    )


def overdispersed_limits(
    found: Overdispersion,
    *,
    denominator: ArrayLike,
    confidence: Confidence = FUNNEL_CONFIDENCE,
    form: str = "additive",
) -> Limits:
    """Funnel limits that allow for overdispersion, at any denominators: the curves.

    additive : target -+ z sqrt(s^2 + tau^2). multiplicative : target -+ z s sqrt(phi), phi at least 1.
    Both on the scale, then transformed back in full to the unit of `value`. For count_ratio the chance part is
    that of the numerator expected at the average. Returns lower and upper, S + (k,) for k confidences.
    """
    (n,) = as_floats(denominator=denominator)
    refuse_where(n < 0, "denominator is negative")
    s = _standard_error(n * found.average, n, found.average, found.scale)
    return _limits(found, n, s, confidence, form)


def overdispersed_funnel(
    found: Overdispersion, *, confidence: Confidence = FUNNEL_CONFIDENCE, form: str = "additive"
) -> Funnel:
    """The same units labelled against limits that allow for overdispersion: the answer of a funnel, widened.

    Tails are normal tails on the scale. A unit without z (its note says why) is not assessed.
    """
    from scipy.special import ndtr

    s = found.standard_error
    lower, upper = _limits(found, found.denominator, s, confidence, form)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = found.z * s / _widened(found, s, form)
    low, high = ndtr(z), ndtr(-z)
    notes = found.note.copy()
    add_note(notes, ~np.isnan(found.value) & math.isnan(found.phi), found.remark)
    return Funnel(
        average=found.average,
        value=found.value,
        denominator=np.where(np.isnan(found.value), np.nan, found.denominator),
        lower=lower,
        upper=upper,
        confidence=as_asked(confidence),
        low_tail=low,
        high_tail=high,
        label=tail_labels(low, high),
        method=f"{form}_{found.scale}",
        note=notes,
    )


def _limits(found: Overdispersion, n: FloatArray, s: FloatArray, confidence: Confidence, form: str) -> Limits:
    from scipy.special import ndtri

    tail = tails(confidence)
    spread = ndtri(1 - tail) * beside(_widened(found, s, form), tail)
    target, size = _target(found.average, found.scale), beside(n, tail)
    lower = _back(target - spread, size, found)
    upper = _back(target + spread, size, found)
    none = ~(size > 0) | np.isnan(spread)
    return np.where(none, np.nan, lower), np.where(none, np.nan, upper)


def _widened(found: Overdispersion, s: FloatArray, form: str) -> FloatArray:
    if form not in FORMS:
        raise ContractError(f"no form {form!r}; one of {', '.join(FORMS)}")
    if form == "additive":
        return np.sqrt(s**2 + found.tau_squared)
    return s * math.sqrt(max(found.phi, 1.0)) if not math.isnan(found.phi) else np.full(s.shape, np.nan)


def _spread(z: FloatArray, s: FloatArray, winsorise: float) -> tuple[float, float, int, str]:
    """phi, tau squared, the number of units and a remark."""
    here = ~np.isnan(z)
    k = int(here.sum())
    if k < 2:
        return float("nan"), float("nan"), k, NO_UNITS
    drawn_in = np.clip(z[here], *np.quantile(z[here], [winsorise, 1 - winsorise]))
    phi = float(np.mean(drawn_in**2))
    weights = 1 / s[here] ** 2
    beyond = (k * phi - (k - 1)) / (weights.sum() - (weights**2).sum() / weights.sum())
    return phi, max(0.0, float(beyond)), k, POORLY_KNOWN if k < FEW_UNITS else ""


def _centre(x: FloatArray, n: FloatArray, given: float | None, scale: str) -> float:
    if given is not None:
        if not (np.isfinite(given) and given >= 0 and (given <= 1 or scale != "arcsine")):
            raise ContractError(f"average cannot be {given}")
        return float(given)
    both = ~np.isnan(x) & (n > 0)
    return float(x[both].sum() / n[both].sum()) if both.any() else float("nan")


def _target(average: float, scale: str) -> float:
    """The average on the scale; root and log are of the ratio to the expected count: 1 and 0."""
    if scale == "arcsine":
        return math.asin(math.sqrt(average)) if not math.isnan(average) else average
    if scale == "count_ratio":
        return math.log(average) if average > 0 else float("nan")
    return {"root": 1.0, "log": 0.0}[scale]


def _transform(x: FloatArray, n: FloatArray, average: float, scale: str) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        if scale == "arcsine":
            return np.arcsin(np.sqrt(x / n))
        if scale == "count_ratio":
            return np.log((x + HALF) / (n + HALF))
        ratio = x / (n * average)
        return np.sqrt(ratio) if scale == "root" else np.log(ratio)


def _standard_error(x: FloatArray, n: FloatArray, average: float, scale: str) -> FloatArray:
    """The standard error that chance alone gives on the scale."""
    with np.errstate(invalid="ignore", divide="ignore"):
        if scale == "arcsine":
            return 1 / (2 * np.sqrt(n))
        if scale == "count_ratio":
            return np.sqrt(x / (x + HALF) ** 2 + n / (n + HALF) ** 2)
        return (0.5 if scale == "root" else 1.0) / np.sqrt(n * average)


def _back(limit: FloatArray, n: FloatArray, found: Overdispersion) -> FloatArray:
    """From the scale to the unit of the value, every step of the way there undone."""
    if found.scale == "arcsine":
        return np.sin(np.clip(limit, 0, math.pi / 2)) ** 2
    if found.scale == "root":
        return np.maximum(limit, 0) ** 2 * found.average
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if found.scale == "log":
            return np.exp(limit) * found.average
        return np.maximum((np.exp(limit) * (n + HALF) - HALF) / n, 0)
