"""Standardised values from a fitted model: what each group's value would be if all had the same covariates.

Everyone in the standard population is taken to be of group 1, then of group 2, and so on, with the covariates
left as they are; the predictions of each round are averaged (regression standardisation, g-computation). The
covariates of the standard population are taken as fixed; limits are by the delta method.
Lane PW, Nelder JA (1982). Biometrics 38:613-621.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equitydata.stats.adjustment.models import LINKS, Fitted
from equitydata.stats.answers import FloatArray


@dataclass(frozen=True)
class Standardised:
    """One entry for each group in the model: values (g,) and their covariance (g, g)."""

    value: FloatArray
    covariance: FloatArray


def standardise_model(fitted: Fitted, covariates: FloatArray, standard: FloatArray) -> Standardised:
    """Average the predictions of a model over a standard population, once for each group.

    covariates : (m, p) columns of the cells. standard : (m,) weight of each cell's covariates.
    """
    link = LINKS[fitted.model]
    shares = standard / standard.sum()
    groups = len(fitted.coefficients) - covariates.shape[1]
    own, common = fitted.coefficients[:groups], covariates @ fitted.coefficients[groups:]
    eta = common[:, np.newaxis] + own
    change = shares[:, np.newaxis] * link.slope(eta)
    gradient = np.hstack([np.diag(change.sum(axis=0)), change.T @ covariates])
    return Standardised(shares @ link.mean(eta), gradient @ fitted.covariance @ gradient.T)


@dataclass(frozen=True)
class Contrast:
    """Values held against their comparators: estimates (g,) and standard errors (g,)."""

    value: FloatArray
    error: FloatArray


def differences(values: FloatArray, covariance: FloatArray, weights: FloatArray) -> Contrast:
    """Each value less its comparator. weights : (g, g), row g the shares of the groups in g's comparator."""
    rows = np.eye(len(values)) - weights
    return Contrast(rows @ values, _errors(rows, covariance))


def log_ratios(values: FloatArray, covariance: FloatArray, weights: FloatArray) -> Contrast:
    """Logarithm of each value over its comparator; NaN unless both are above 0."""
    comparator = weights @ values
    with np.errstate(invalid="ignore", divide="ignore"):
        rows = np.diag(1 / values) - weights / comparator[:, np.newaxis]
        positive = (values > 0) & (comparator > 0)
        logs = np.log(values) - np.log(comparator)
    return Contrast(np.where(positive, logs, np.nan), np.where(positive, _errors(rows, covariance), np.nan))


def _errors(rows: FloatArray, covariance: FloatArray) -> FloatArray:
    return np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", rows, covariance, rows), 0))
