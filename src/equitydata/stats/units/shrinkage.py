"""Shrinkage: the values of small units drawn towards the pooled value, by as much as chance blurs them.

For ranking and for small groups, where the raw value swings by chance. Tests and flags use the raw counts;
raw and shrunk stand side by side in the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import FloatArray, TextArray, add_note
from equitydata.stats.contracts import (
    Confidence,
    ContractError,
    as_asked,
    as_counts,
    beside,
    count_notes,
    tails,
)
from equitydata.stats.one_group.counts import count_limits
from equitydata.stats.one_group.proportions import wilson

Mask = NDArray[np.bool_]
Limits = tuple[FloatArray, FloatArray]
Quantiles = Callable[[FloatArray], FloatArray]

FITS = ("moments", "maximum_likelihood")
NO_VARIATION = "no variation between units beyond chance: the pooled value throughout"
ALL_OR_NONE = "every unit is all or none: nothing is shrunk"
ONE_UNIT = "a single unit: variation between units cannot be judged"
ONE_EACH = "one person in each unit: variation between units cannot be told from chance"
NO_FIT = "the fit did not converge"


@dataclass(frozen=True)
class Shrunk:
    """Shrunk values beside the raw ones.

    raw, value : shape S; the unit's own value, and the value shrunk towards `pooled`.
    own_weight : S; from 0 (the pooled value) to 1 (the raw value): value = pooled + own_weight (raw - pooled).
    lower, upper : S + (k,) for k confidences; where the true value of the unit plausibly lies, given the
        spread of all units. That spread is taken as known, so with few units the limits are too narrow.
        Where there is no spread they are the limits of the pooled value.
    pooled : the value shrunk towards. between_variance : of the true values; 0 where chance explains all.
    fit : moments or maximum_likelihood. note : S; why a value is missing, or what to keep in mind.
    """

    raw: FloatArray
    value: FloatArray
    own_weight: FloatArray
    lower: FloatArray
    upper: FloatArray
    confidence: float | tuple[float, ...]
    pooled: float
    between_variance: float
    fit: str
    note: TextArray


@dataclass(frozen=True)
class _Spread:
    """The distribution of the true values: its mean, its variance, and what to know about them."""

    mean: float
    variance: float
    remark: str = ""


def shrink_rates(
    *, events: ArrayLike, denominator: ArrayLike, fit: str = "moments", confidence: Confidence = 0.95
) -> Shrunk:
    """Rates or ratios shrunk by the gamma-Poisson model.

    events, denominator : shape S; denominator is person-time or expected cases; values are per unit of it.
    fit : moments (pooled value = all events over the whole denominator, variance by Marshall, floored at 0) or
        maximum_likelihood (pooled value and variance together, from the negative binomial).
    Units with no denominator or a missing count have no value and no part in the fit.
    Raises ContractError for a negative entry. Marshall RJ (1991) Appl Stat 40:283-294.
    """
    from scipy.special import gammaincinv

    x, n = as_counts(at_most=False, events=events, denominator=denominator)
    here = ~np.isnan(x) & (n > 0)
    spread = _fitted(fit, x[here], n[here], _rate_moments, _rate_likelihood)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        # The gamma prior tells as much as `prior_events` seen over `prior_time`.
        prior_time = spread.mean / np.float64(spread.variance)
        shape, time = x + spread.mean * prior_time, n + prior_time
        weight = n / time
    tail = tails(confidence)

    def quantile(probability: FloatArray) -> FloatArray:
        return gammaincinv(beside(shape, tail), probability) / beside(time, tail)

    everyone = np.array(n[here].sum() or np.nan)
    pooled = tuple(limit / everyone for limit in count_limits(x[here].sum(), confidence=confidence))
    return _answer(x, n, here, weight, quantile, pooled, spread, fit, confidence)


def shrink_proportions(
    *, numerator: ArrayLike, denominator: ArrayLike, fit: str = "moments", confidence: Confidence = 0.95
) -> Shrunk:
    """Proportions shrunk by the beta-binomial model. Arguments and errors as in `shrink_rates`, with
    0 <= numerator <= denominator.

    Marshall RJ (1991) Appl Stat 40:283-294, the binomial case for moments.
    """
    from scipy.special import betaincinv

    x, n = as_counts(numerator=numerator, denominator=denominator)
    here = ~np.isnan(x) & (n > 0)
    spread = _fitted(fit, x[here], n[here], _proportion_moments, _proportion_likelihood)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        # The beta prior tells as much as `prior_people` seen.
        prior_people = np.maximum(spread.mean * (1 - spread.mean) / np.float64(spread.variance) - 1, 0)
        weight = n / (n + prior_people)
    tail = tails(confidence)
    with_event, without = x + spread.mean * prior_people, n - x + (1 - spread.mean) * prior_people

    def quantile(probability: FloatArray) -> FloatArray:
        return betaincinv(beside(with_event, tail), beside(without, tail), probability)

    pooled = wilson(x[here].sum(), n[here].sum(), confidence=confidence)
    if spread.remark == ALL_OR_NONE:
        lower, upper = wilson(np.where(here, x, np.nan), np.where(here, n, np.nan), confidence=confidence)
        return _answer(x, n, here, weight, None, (lower, upper), spread, fit, confidence)
    return _answer(x, n, here, weight, quantile, pooled, spread, fit, confidence)


def _answer(
    x: FloatArray,
    n: FloatArray,
    here: Mask,
    weight: FloatArray,
    quantile: Quantiles | None,
    pooled: Limits,
    spread: _Spread,
    fit: str,
    confidence: Confidence,
) -> Shrunk:
    """The answer of either model; without quantiles, or without variance, the limits are those given."""
    notes, tail = count_notes(x, n), tails(confidence)
    add_note(notes, here & bool(spread.remark), spread.remark)
    known = here & ~np.isnan(spread.mean)
    with np.errstate(invalid="ignore", divide="ignore"):
        raw = np.where(here, x / n, np.nan)
        weight = np.where(known, 0.0 if spread.variance == 0 else weight, np.nan)
        if quantile is None or spread.variance == 0:
            lower, upper = pooled
        else:
            lower, upper = quantile(tail), quantile(1 - tail)
    shown = beside(known, tail)
    return Shrunk(
        raw=raw,
        value=spread.mean + weight * (raw - spread.mean),
        own_weight=weight,
        lower=np.where(shown, lower, np.nan),
        upper=np.where(shown, upper, np.nan),
        confidence=as_asked(confidence),
        pooled=spread.mean,
        between_variance=spread.variance,
        fit=fit,
        note=notes,
    )


def _fitted(
    fit: str,
    x: FloatArray,
    n: FloatArray,
    moments: Callable[[FloatArray, FloatArray], _Spread],
    likelihood: Callable[[FloatArray, FloatArray, _Spread], _Spread],
) -> _Spread:
    """The spread of the units that have counts; NaN where there are none."""
    if fit not in FITS:
        raise ContractError(f"no fit {fit!r}; one of {', '.join(FITS)}")
    if not len(x):
        return _Spread(float("nan"), float("nan"))
    if len(x) == 1:
        return _Spread(float(x[0] / n[0]), 0.0, ONE_UNIT)
    start = moments(x, n)
    return start if fit == "moments" or start.remark in (ALL_OR_NONE, ONE_EACH) else likelihood(x, n, start)


def _rate_moments(x: FloatArray, n: FloatArray) -> _Spread:
    mean = x.sum() / n.sum()
    observed = (n * (x / n - mean) ** 2).sum() / n.sum()
    variance = max(0.0, float(observed - mean / n.mean()))
    return _Spread(float(mean), variance, "" if variance > 0 else NO_VARIATION)


def _proportion_moments(x: FloatArray, n: FloatArray) -> _Spread:
    mean = x.sum() / n.sum()
    if n.mean() <= 1:
        return _Spread(float(mean), 0.0, ONE_EACH)
    chance = mean * (1 - mean)
    observed = (n * (x / n - mean) ** 2).sum() / n.sum()
    variance = max(0.0, float((observed - chance / n.mean()) / (1 - 1 / n.mean())))
    # Rounding can leave a trace where chance explains all, and take it just past the largest there can be.
    if variance <= 1e-12 * chance:
        return _Spread(float(mean), 0.0, NO_VARIATION)
    if ((x == 0) | (x == n)).all():
        return _Spread(float(mean), float(chance), ALL_OR_NONE)
    return _Spread(float(mean), variance)


def _rate_likelihood(x: FloatArray, n: FloatArray, start: _Spread) -> _Spread:
    from scipy.special import gammaln

    mean = x.sum() / n.sum()
    # The likelihood rises from variance 0 only if counts scatter more than Poisson counts do.
    if ((x - n * mean) ** 2 - x).sum() <= 0:
        return _Spread(float(mean), 0.0, NO_VARIATION)

    def negative(at: FloatArray) -> float:
        log_mean, log_shape = at
        shape = np.exp(log_shape)
        time = shape / np.exp(log_mean)
        terms = gammaln(x + shape) - gammaln(shape) - shape * np.log1p(n / time) - x * np.log(time + n)
        return -float(terms.sum())

    guess = start.variance or mean / n.mean() * 0.1
    best = _minimum(negative, [np.log(mean), np.log(mean**2 / guess)])
    if best is None:
        return _Spread(float("nan"), float("nan"), NO_FIT)
    found = float(np.exp(best[0]))
    return _Spread(found, float(found**2 / np.exp(best[1])))


def _proportion_likelihood(x: FloatArray, n: FloatArray, start: _Spread) -> _Spread:
    from scipy.special import betaln, expit, logit

    mean = x.sum() / n.sum()
    if mean in (0.0, 1.0):
        return _Spread(float(mean), 0.0, NO_VARIATION)
    rises = x * (x - 1) / mean + (n - x) * (n - x - 1) / (1 - mean) - n * (n - 1)
    if rises.sum() <= 0:
        return _Spread(float(mean), 0.0, NO_VARIATION)

    def negative(at: FloatArray) -> float:
        people = np.exp(at[1])
        a, b = expit(at[0]) * people, expit(-at[0]) * people
        return -float((betaln(x + a, n - x + b) - betaln(a, b)).sum())

    guess = start.variance or mean * (1 - mean) / n.mean() * 0.1
    best = _minimum(negative, [logit(mean), np.log(max(mean * (1 - mean) / guess - 1, 1e-3))])
    if best is None:
        return _Spread(float("nan"), float("nan"), NO_FIT)
    found = float(expit(best[0]))
    return _Spread(found, float(found * (1 - found) / (np.exp(best[1]) + 1)))


def _minimum(negative: Callable[[FloatArray], float], start: list[float]) -> FloatArray | None:
    """The lowest point, or None where the search does not settle."""
    from scipy.optimize import minimize

    flat = 1e-12 * max(1.0, abs(negative(np.array(start))))
    with np.errstate(all="ignore"):
        options = {"xatol": 1e-8, "fatol": max(flat, 1e-10), "maxiter": 2000, "maxfev": 4000}
        found = minimize(negative, start, method="Nelder-Mead", options=options)
    return found.x if found.success and np.isfinite(found.x).all() else None
