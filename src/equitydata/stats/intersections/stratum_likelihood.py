"""The likelihood of grouped counts with one random intercept for each, and its maximum.

One stratum is one grouped count, so the likelihood is a product of single integrals over a normal variable,
each found by Gauss-Legendre quadrature on either side of its own mode. The parameters are the coefficients
and the standard deviation of the intercepts, whose sign does not matter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from equitydata.stats.answers import FloatArray

NODES = 40
# How far, on the log, a density falls before the rest of it is left out.
FALL = 40.0
# A standard deviation of the log odds below this is no variation at all.
NO_DEVIATION = 1e-3


@dataclass(frozen=True)
class StratumCounts:
    """Events and people of k strata, shape (k,), and their design, shape (k, p), intercept included."""

    x: FloatArray
    n: FloatArray
    design: FloatArray


@dataclass(frozen=True)
class StratumFit:
    """The maximum: coefficients with their covariance, the standard deviation of the strata (0 if the top lies
    there), the log likelihood, and what it is with no variance."""

    beta: FloatArray
    deviation: float
    covariance: FloatArray
    log_likelihood: float
    at_zero: float


def maximum_likelihood(data: StratumCounts) -> StratumFit | None:
    """Maximum likelihood, or None where it is not reached."""
    from scipy.optimize import minimize

    start = _logistic(data)
    if start is None:
        return None
    beta, information = start
    flat = np.append(beta, 0.0)
    at_zero = _likelihood(flat, data)[0]
    strata = len(data.x)

    def negative(at: FloatArray) -> tuple[float, FloatArray]:
        value, slope = _likelihood(at, data)
        return -value / strata, -slope / strata

    with np.errstate(all="ignore"):
        found = minimize(negative, np.append(beta, 0.5), jac=True, method="BFGS", options={"gtol": 1e-6}).x
        at, hessian = _polish(found, data)
        best = _likelihood(at, data)[0]
        zero = StratumFit(beta, 0.0, np.asarray(np.linalg.inv(information)), at_zero, at_zero)
        if abs(at[-1]) < NO_DEVIATION or best <= at_zero + 1e-9 * abs(at_zero):
            return zero
        if hessian is None or not np.isfinite(best):
            return None
        return StratumFit(
            at[:-1], abs(float(at[-1])), np.asarray(np.linalg.inv(hessian)[:-1, :-1]), best, at_zero
        )


def _polish(at: FloatArray, data: StratumCounts) -> tuple[FloatArray, FloatArray | None]:
    """Uphill by Newton steps to the top; with the information there, or None if the top is not reached."""
    at = at.copy()
    value, slope = _likelihood(at, data)
    for _ in range(50):
        hessian = _information(at, data)
        if not np.isfinite(hessian).all():
            return at, None
        sharpness, axes = np.linalg.eigh(hessian)
        # Uphill even where the surface is not yet curved like a top.
        step = axes @ ((axes.T @ slope) / np.maximum(np.abs(sharpness), 1e-8))
        if slope @ step < 1e-10:
            return at, hessian if sharpness[0] > 0 else None
        for _ in range(30):
            higher, slope = _likelihood(at + step, data)
            if higher > value or slope @ step > 0:
                break
            step = step / 2
        at, value = at + step, higher
    return at, None


def _information(at: FloatArray, data: StratumCounts) -> FloatArray:
    """The negative second derivatives, by central differences of the slopes."""
    columns = []
    for place in range(len(at)):
        nudge = np.zeros(len(at))
        nudge[place] = 1e-4 * max(1.0, abs(at[place]))
        rise = _likelihood(at + nudge, data)[1] - _likelihood(at - nudge, data)[1]
        columns.append(-rise / (2 * nudge[place]))
    hessian = np.column_stack(columns)
    return (hessian + hessian.T) / 2


def _likelihood(at: FloatArray, data: StratumCounts) -> tuple[float, FloatArray]:
    """Log likelihood and its slopes in the coefficients and the standard deviation of the strata."""
    from scipy.special import gammaln, logsumexp

    expected, deviation = data.design @ at[:-1], float(at[-1])
    mode, curvature = modes(expected, deviation, data)
    v, log_weight = _nodes(mode, expected, deviation, data)
    terms = _log_density(v, expected[:, None], deviation, data.x[:, None], data.n[:, None]) + log_weight
    total = logsumexp(terms, axis=1)
    choices = gammaln(data.n + 1) - gammaln(data.x + 1) - gammaln(data.n - data.x + 1)
    value = (total - math.log(2 * math.pi) / 2 + choices).sum()
    weight = np.exp(terms - total[:, None])
    return float(value), _slopes(data, v, weight, expected[:, None] + deviation * v, curvature, deviation)


def _log_density(
    v: FloatArray, expected: FloatArray, deviation: float, x: FloatArray, n: FloatArray
) -> FloatArray:
    """Log of the counts' probability times the normal density at a standardised intercept, but for constants."""
    log_odds = expected + deviation * v
    return x * log_odds - n * np.logaddexp(0, log_odds) - v**2 / 2


def _nodes(
    mode: FloatArray, expected: FloatArray, deviation: float, data: StratumCounts
) -> tuple[FloatArray, FloatArray]:
    """Nodes and the logs of their weights: shape (k, 2 NODES), on either side of each mode.

    The nodes reach to where the density has fallen by exp(-FALL), found by bisection on each side: strata with
    no events have a density like a cut-off bell, to which nodes by the curvature at the mode do not fit.
    """
    from numpy.polynomial.legendre import leggauss

    side = np.array([-1.0, 1.0])
    middle, x, n = (values[:, None] for values in (expected, data.x, data.n))
    bottom = _log_density(mode[:, None], middle, deviation, x, n) - FALL
    # The normal density alone falls that far within sqrt(2 FALL).
    near, far = np.zeros((len(mode), 2)), np.full((len(mode), 2), math.sqrt(2 * FALL))
    for _ in range(40):
        between = (near + far) / 2
        inside = _log_density(mode[:, None] + side * between, middle, deviation, x, n) > bottom
        near, far = np.where(inside, between, near), np.where(inside, far, between)
    places, weights = leggauss(NODES)
    reach = (places + 1) / 2
    v = mode[:, None, None] + (side * far)[:, :, None] * reach
    log_weight = np.log(far / 2)[:, :, None] + np.log(weights)
    return v.reshape(len(mode), -1), log_weight.reshape(len(mode), -1)


def _slopes(
    data: StratumCounts,
    v: FloatArray,
    weight: FloatArray,
    log_odds: FloatArray,
    curvature: FloatArray,
    deviation: float,
) -> FloatArray:
    """Slopes of the log likelihood: means over what each stratum's intercept can be, given its counts.

    Two forms of the same mean. In large strata events less expected events are a small difference of large
    numbers, so the form by the intercept itself is used; in small ones, or without deviation, the other.
    """
    from scipy.special import expit

    excess = weight * (data.x[:, None] - data.n[:, None] * expit(log_odds))
    by_counts = excess.sum(axis=1), (excess * v).sum(axis=1)
    safe = deviation if deviation else 1.0
    by_intercept = (weight * v).sum(axis=1) / safe, ((weight * v**2).sum(axis=1) - 1) / safe
    large = curvature > 2
    in_mean, in_deviation = (np.where(large, a, b) for a, b in zip(by_intercept, by_counts, strict=True))
    return np.append(data.design.T @ in_mean, in_deviation.sum())


def modes(expected: FloatArray, deviation: float, data: StratumCounts) -> tuple[FloatArray, FloatArray]:
    """The most likely standardised intercept of each stratum, and how sharply it is known."""
    from scipy.special import expit

    mode = np.zeros(len(expected))
    for _ in range(200):
        risk = expit(expected + deviation * mode)
        curvature = deviation**2 * data.n * risk * (1 - risk) + 1
        step = (deviation * (data.x - data.n * risk) - mode) / curvature
        # Steps of at most 1 on the log odds: the curve is far from a parabola there.
        step = np.clip(step, -1 / max(abs(deviation), 1e-3), 1 / max(abs(deviation), 1e-3))
        mode = mode + step
        if np.abs(step).max(initial=0) < 1e-10:
            break
    risk = expit(expected + deviation * mode)
    return mode, deviation**2 * data.n * risk * (1 - risk) + 1


def _logistic(data: StratumCounts) -> tuple[FloatArray, FloatArray] | None:
    """The model without random intercepts: coefficients and information; None where it does not converge."""
    from scipy.special import expit, logit

    def log_likelihood(at: FloatArray) -> float:
        log_odds = data.design @ at
        return float((data.x * log_odds - data.n * np.logaddexp(0, log_odds)).sum())

    beta = np.zeros(data.design.shape[1])
    beta[0] = logit(data.x.sum() / data.n.sum())
    for _ in range(50):
        risk = expit(data.design @ beta)
        weighted = data.design * (data.n * risk * (1 - risk))[:, None]
        information = data.design.T @ weighted
        if not np.isfinite(information).all() or np.linalg.cond(information) > 1e13:
            return None
        step = np.linalg.solve(information, data.design.T @ (data.x - data.n * risk))
        if np.abs(step).max() < 1e-9:
            return beta + step, information
        # A full step can overshoot from far away.
        while log_likelihood(beta + step) < log_likelihood(beta) and np.abs(step).max() > 1e-9:
            step = step / 2
        beta = beta + step
    return None
