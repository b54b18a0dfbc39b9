"""Many intersectional strata at once: a multilevel logistic model with strata as random intercepts.

The null model tells how much of the variation lies between strata (VPC) and shrinks each stratum's risk. The
model with main effects tells how much of that variance the characteristics explain by adding up on the log
odds (PCV); what is left is interaction. How the models are fitted stands in `stratum_likelihood`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import Estimates, FloatArray, add_note, texts
from equitydata.stats.contracts import (
    Confidence,
    ContractError,
    as_asked,
    as_counts,
    beside,
    count_notes,
    tails,
)
from equitydata.stats.intersections.stratum_likelihood import (
    StratumCounts,
    StratumFit,
    maximum_likelihood,
    modes,
)

Mask = NDArray[np.bool_]
LOGISTIC_VARIANCE = math.pi**2 / 3
FEW_STRATA = 20

TOO_FEW_STRATA = "too few strata with people for this model"
POORLY_KNOWN = "fewer than 20 strata: the variance between them is poorly known"
NO_VARIANCE = "no variance between strata beyond chance"
ONE_EACH = "one person in each stratum: variance between strata cannot be told from chance"
NOTHING_HAPPENS = "no events, or only events: risks have no finite log odds"
SEPARATED = "a category has no events, or only events: its main effect is not finite"
ENTANGLED = "main effects cannot be told apart in these strata"
NOT_CONVERGED = "the fit did not converge"
NO_NULL_VARIANCE = "no variance between strata to explain"


@dataclass(frozen=True)
class StrataModel:
    """One multilevel model of k strata; NaN throughout, with the remark, where it cannot be fitted.

    coefficients, standard_errors : shape (p,); log odds; the intercept first.
    variance : of the strata on the log odds. vpc : the share of the variation that lies between strata,
        variance / (variance + pi^2 / 3).
    p_value : likelihood-ratio test of no variance (half the chi-squared tail, as variance cannot be negative).
    risk : shape (k,); shrunk risk of each stratum. residual : (k,); how far the log odds of a stratum lie from
        what the coefficients expect; in the model with main effects, its interaction. Limits allow for the
        coefficients being estimated, and take the variance as known.
    remark : '' or what to know about the model.
    """

    coefficients: FloatArray
    standard_errors: FloatArray
    variance: float
    vpc: float
    log_likelihood: float
    p_value: float
    risk: Estimates
    residual: Estimates
    remark: str


@dataclass(frozen=True)
class Strata:
    """Both models of the same strata. pcv : the share of the null model's variance that main effects explain;
    below 0 where it grows, NaN (the remark says why) where a model is missing or there is nothing to explain."""

    null: StrataModel
    main: StrataModel
    pcv: float
    remark: str


def intersectional_strata(
    *, numerator: ArrayLike, denominator: ArrayLike, characteristics: ArrayLike, confidence: Confidence = 0.95
) -> Strata:
    """The null model and the model with main effects.

    numerator, denominator : shape (k,); one entry for each stratum, 0 <= numerator <= denominator.
    characteristics : shape (k, c); the category that each stratum has of each characteristic, as any codes.
    Strata with nobody or a missing count have no result and no part in the fit.
    Raises ContractError for counts that cannot be. Evans CR et al. (2018) Soc Sci Med 203:64-73;
    Merlo J (2018) Soc Sci Med 203:74-80.
    """
    codes = np.asarray(characteristics)
    x, n = as_counts(numerator=numerator, denominator=denominator)
    if x.ndim != 1 or codes.ndim != 2 or len(codes) != len(x):
        raise ContractError(f"characteristics have shape (k, c) for counts (k,), not {codes.shape}")
    here = ~np.isnan(x) & (n > 0)
    design, levels = _dummies(codes, here)
    null = strata_model(numerator=x, denominator=n, confidence=confidence)
    events, people = levels[here].T @ x[here], levels[here].T @ n[here]
    remark = SEPARATED if ((events == 0) | (events == people)).any() else ""
    main = _model(x, n, design, confidence, remark)
    if math.isnan(null.variance) or math.isnan(main.variance):
        return Strata(null, main, float("nan"), main.remark or null.remark)
    if null.variance == 0:
        return Strata(null, main, float("nan"), NO_NULL_VARIANCE)
    return Strata(null, main, 1 - main.variance / null.variance, "")


def strata_model(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    covariates: ArrayLike | None = None,
    confidence: Confidence = 0.95,
) -> StrataModel:
    """One multilevel model of grouped counts.

    numerator, denominator : shape (k,). covariates : shape (k, p - 1); columns beside the intercept.
    Raises ContractError for counts that cannot be, or covariates of another length or with missing entries.
    """
    x, n = as_counts(numerator=numerator, denominator=denominator)
    if x.ndim != 1:
        raise ContractError("counts are one entry for each stratum: arrays of one dimension")
    columns = np.zeros((len(x), 0)) if covariates is None else np.asarray(covariates, dtype=float)
    if columns.ndim != 2 or len(columns) != len(x) or not np.isfinite(columns).all():
        raise ContractError("covariates have shape (k, p) for counts (k,), none of them missing")
    return _model(x, n, np.column_stack([np.ones(len(x)), columns]), confidence, "")


def _model(
    x: FloatArray, n: FloatArray, design: FloatArray, confidence: Confidence, remark: str
) -> StrataModel:
    here = ~np.isnan(x) & (n > 0)
    data = StratumCounts(x[here], n[here], design[here])
    remark = _reason(data) or remark
    fit = None if remark else maximum_likelihood(data)
    if fit is None:
        return _unfitted(x, n, design.shape[1], confidence, remark or NOT_CONVERGED)
    remarks = [POORLY_KNOWN] if len(data.x) < FEW_STRATA else []
    remarks += [NO_VARIANCE] if fit.deviation == 0 else []
    variance = fit.deviation**2
    rise = max(0.0, 2 * (fit.log_likelihood - fit.at_zero))
    risk, residual = _strata(x, n, here, data, fit, confidence)
    return StrataModel(
        coefficients=fit.beta,
        standard_errors=np.sqrt(np.diag(fit.covariance)),
        variance=variance,
        vpc=variance / (variance + LOGISTIC_VARIANCE),
        log_likelihood=fit.log_likelihood,
        p_value=math.erfc(math.sqrt(rise / 2)) / 2 if variance else 1.0,
        risk=risk,
        residual=residual,
        remark="; ".join(remarks),
    )


def _reason(data: StratumCounts) -> str:
    """Why a model cannot be fitted, or ''."""
    if len(data.x) < data.design.shape[1] + 2:
        return TOO_FEW_STRATA
    if data.x.sum() == 0 or data.x.sum() == data.n.sum():
        return NOTHING_HAPPENS
    if data.n.max() <= 1:
        return ONE_EACH
    if np.linalg.matrix_rank(data.design) < data.design.shape[1]:
        return ENTANGLED
    return ""


def _dummies(codes: NDArray, here: Mask) -> tuple[FloatArray, FloatArray]:
    """The design (an intercept, and a column for each category but the first) and a column for every category."""
    columns, levels = [np.ones(len(here))], []
    for code in codes.T:
        for place, category in enumerate(np.unique(code[here])):
            levels.append((code == category).astype(float))
            if place:
                columns.append(levels[-1])
    return np.column_stack(columns), np.column_stack(levels) if levels else np.zeros((len(here), 0))


def _strata(
    x: FloatArray, n: FloatArray, here: Mask, data: StratumCounts, fit: StratumFit, confidence: Confidence
) -> tuple[Estimates, Estimates]:
    """Risk and residual of every stratum, with limits."""
    from scipy.special import expit, ndtri

    tail, expected = tails(confidence), data.design @ fit.beta
    mode, curvature = modes(expected, fit.deviation, data)
    residual, own = fit.deviation * mode, fit.deviation**2 / curvature
    # The part of a stratum's log odds that is its own evidence; the rest comes from the coefficients.
    evidence = 1 - 1 / curvature
    shared = np.einsum("ij,jk,ik->i", data.design, fit.covariance, data.design)
    answers = []
    for middle, variance, back in (
        (expected + residual, own + (1 - evidence) ** 2 * shared, expit),
        (residual, own + evidence**2 * shared, np.asarray),
    ):
        spread = beside(np.sqrt(variance), tail) * ndtri(1 - tail)
        value, lower, upper = (
            _spread_out(back(part), here)
            for part in (middle, beside(middle, tail) - spread, beside(middle, tail) + spread)
        )
        method = texts(x.shape, "multilevel_logistic")
        answers.append(Estimates(value, lower, upper, as_asked(confidence), method, count_notes(x, n)))
    return answers[0], answers[1]


def _spread_out(values: FloatArray, here: Mask) -> FloatArray:
    """Values of the strata in the fit at their places among all strata, NaN elsewhere."""
    everywhere = np.full(here.shape + values.shape[1:], np.nan)
    everywhere[here] = values
    return everywhere


def _unfitted(x: FloatArray, n: FloatArray, size: int, confidence: Confidence, remark: str) -> StrataModel:
    notes, nan = count_notes(x, n), float("nan")
    add_note(notes, (n > 0) & ~np.isnan(x), remark)
    limits = np.full(x.shape + tails(confidence).shape, nan)
    method = texts(x.shape, "multilevel_logistic")
    missing = Estimates(np.full(x.shape, nan), limits, limits, as_asked(confidence), method, notes)
    none = np.full(size, nan)
    return StrataModel(none, none, nan, nan, nan, nan, missing, missing, remark)
