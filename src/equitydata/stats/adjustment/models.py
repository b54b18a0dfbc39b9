"""Regression models fitted to cells of a grid, with the errors of the people in them.

A cell counts for its people: the coefficients and their covariance are those that the same model gives on one
row per person. The three models use the natural link of their family, so the score of a person is always
(observed - fitted) times the person's columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equitydata.stats.answers import FloatArray

ROUNDS = 100
HALVINGS = 30
CLOSE = 1e-9


@dataclass(frozen=True)
class Link:
    """A model's family with its natural link.

    mean : linear predictor -> mean; slope : its derivative, the variance of one person; cumulant : what has the mean as
    derivative; start : means -> linear predictors to begin with.
    """

    mean: Callable[[FloatArray], FloatArray]
    slope: Callable[[FloatArray], FloatArray]
    cumulant: Callable[[FloatArray], FloatArray]
    start: Callable[[FloatArray], FloatArray]


def _expit(eta: FloatArray) -> FloatArray:
    from scipy.special import expit

    return expit(eta)


def _start_logistic(mean: FloatArray) -> FloatArray:
    inside = (mean + 0.5) / 2
    return np.log(inside / (1 - inside))


LINKS = {
    "logistic": Link(
        _expit,
        lambda eta: _expit(eta) * _expit(-eta),
        lambda eta: np.logaddexp(0.0, eta),
        _start_logistic,
    ),
    # As usual, each mean is drawn to that of all before its logarithm is taken.
    "poisson": Link(np.exp, np.exp, np.exp, lambda mean: np.log((mean + mean.mean()) / 2)),
    "linear": Link(lambda eta: eta, np.ones_like, lambda eta: eta**2 / 2, lambda mean: mean),
}


@dataclass(frozen=True)
class Cells:
    """What a model is fitted to, one entry a cell throughout.

    mean : events or total over size. size : people or person-time. within : sum of squares of the people of the
    cell around its mean; None for person-time, whose people are not seen one by one, so that a cell counts as
    one observation. one_sided : -1 without events, +1 with nothing but events, 0 otherwise.
    """

    columns: FloatArray
    mean: FloatArray
    size: FloatArray
    within: FloatArray | None
    one_sided: FloatArray

    @property
    def units(self) -> float:
        """How many independent observations there are: people, or cells of person-time."""
        return float(len(self.size) if self.within is None else self.size.sum())

    def squares(self, fitted: FloatArray) -> FloatArray:
        """Squared residuals of the observations of each cell, summed."""
        apart = self.mean - fitted
        return (self.size * apart) ** 2 if self.within is None else self.within + self.size * apart**2


@dataclass(frozen=True)
class Fitted:
    """A model fitted to cells.

    terms : names of the coefficients, one for each group in the model and then the covariates; a group's
        coefficient is the linear predictor of the group where all covariates are 0 or at their first category.
    coefficients, covariance : NaN where withheld. errors : how the covariance was worked out.
    dispersion : Pearson chi-square over its degrees of freedom (linear: the variance of one person); NaN
        where there are none.
    df : units less coefficients. cells : how many were fitted. note : '' or why nothing is estimated.
    """

    model: str
    errors: str
    terms: tuple[str, ...]
    coefficients: FloatArray
    covariance: FloatArray
    dispersion: float
    df: float
    cells: int
    note: str


def fit(cells: Cells, *, model: str, errors: str, terms: tuple[str, ...], withheld: str = "") -> Fitted:
    """Fit a model to cells; a model without finite estimates is withheld, with the reason in its note."""
    count = cells.columns.shape[1]
    df = cells.units - count
    reason = withheld or ("" if count else "no group can be modelled") or _separated(cells, model)
    coefficients, converged = (np.full(count, np.nan), True) if reason else _coefficients(cells, model)
    if not converged:
        reason, coefficients = "the model did not converge", np.full(count, np.nan)
    if reason:
        nothing = np.full((count, count), np.nan)
        return Fitted(model, errors, terms, coefficients, nothing, np.nan, df, len(cells.mean), reason)
    covariance, dispersion = _covariance(cells, model, errors, coefficients, df)
    return Fitted(model, errors, terms, coefficients, covariance, dispersion, df, len(cells.mean), "")


def _coefficients(cells: Cells, model: str) -> tuple[FloatArray, bool]:
    """Coefficients by Newton's method, and whether they settled.

    With the natural link the score is X'n(y - mean) and its derivative X'n slope X, so Newton's method is the usual
    iterated least squares. A step is halved while it makes the likelihood smaller.
    McCullagh P, Nelder JA (1989). Generalized Linear Models, 2.5.
    """
    link, columns = LINKS[model], cells.columns
    weights = cells.size / cells.size.mean()  # of any size in sum, so that closeness means the same for all
    eta = link.start(cells.mean)
    coefficients = np.zeros(columns.shape[1])
    with np.errstate(all="ignore"):
        for round_ in range(ROUNDS):
            slope = link.slope(eta)
            pull = weights * (slope * eta + cells.mean - link.mean(eta))
            try:
                wanted = _solved(_cross(columns, weights * slope), columns.T @ pull)
            except np.linalg.LinAlgError:
                return np.full(columns.shape[1], np.nan), False
            if not np.isfinite(wanted).all():
                return wanted, False
            change = np.abs(wanted - coefficients)
            settled = bool((change <= CLOSE * (1 + np.abs(wanted))).all())
            if round_:
                wanted = _not_beyond(cells, link, weights, coefficients, wanted)
            coefficients, eta = wanted, columns @ wanted
            if settled:
                return coefficients, True
    return coefficients, False


def _not_beyond(
    cells: Cells, link: Link, weights: FloatArray, here: FloatArray, wanted: FloatArray
) -> FloatArray:
    """The step wanted, halved while the likelihood is smaller there than here."""
    now = _likelihood(cells, link, weights, here)
    for _ in range(HALVINGS):
        there = _likelihood(cells, link, weights, wanted)
        if there >= now - CLOSE * (1 + abs(now)):
            break
        wanted = (here + wanted) / 2
    return wanted


def _likelihood(cells: Cells, link: Link, weights: FloatArray, coefficients: FloatArray) -> float:
    """Log likelihood up to a constant: y eta less the cumulant of eta."""
    eta = cells.columns @ coefficients
    return float(np.sum(weights * (cells.mean * eta - link.cumulant(eta))))


def _solved(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Solution of equations whose unknowns may be of very different size."""
    length = np.sqrt(np.diag(matrix))
    return np.linalg.solve(matrix / np.outer(length, length), right / length) / length


def _covariance(
    cells: Cells, model: str, errors: str, coefficients: FloatArray, df: float
) -> tuple[FloatArray, float]:
    """Covariance of the coefficients, and the dispersion."""
    eta = cells.columns @ coefficients
    mean, slope = LINKS[model].mean(eta), LINKS[model].slope(eta)
    bread = _inverse(_cross(cells.columns, cells.size * slope))
    dispersion = _dispersion(cells, model, mean, slope, df)
    if errors in ("model", "quasi"):
        spread = dispersion if errors == "quasi" or model == "linear" else 1.0
        return spread * bread, dispersion
    if df <= 0:
        return np.full(bread.shape, np.nan), dispersion
    small = cells.units / df if errors == "hc1" else 1.0
    return small * bread @ _cross(cells.columns, cells.squares(mean)) @ bread, dispersion


def _dispersion(cells: Cells, model: str, mean: FloatArray, slope: FloatArray, df: float) -> float:
    """Variance of one person in a linear model; else Pearson's chi-square of the cells over what they leave."""
    if model == "linear":
        return float(np.sum(cells.squares(mean)) / df) if df > 0 else np.nan
    left = cells.columns.shape[0] - cells.columns.shape[1]
    return float(np.sum(cells.size * (cells.mean - mean) ** 2 / slope)) / left if left > 0 else np.nan


def _cross(columns: FloatArray, weights: FloatArray) -> FloatArray:
    return (columns * weights[:, np.newaxis]).T @ columns


def _inverse(matrix: FloatArray) -> FloatArray:
    """Inverse, worked out with a diagonal of ones: columns may be of very different size."""
    length = np.sqrt(np.diag(matrix))
    return np.linalg.inv(matrix / np.outer(length, length)) / np.outer(length, length)


def _separated(cells: Cells, model: str) -> str:
    """Why the likelihood has no maximum, or ''.

    There is none if some change of the coefficients leaves every mixed cell where it is and moves the one-sided
    cells only the way they point. The changes that leave mixed cells alone are few, mostly none; among those a
    linear programme looks for the one that moves most cells.
    Albert A, Anderson JA (1984). Biometrika 71:1-10. For the log link: Correia S, Guimaraes P, Zylkin T (2020).
    """
    if model == "linear":
        return ""
    sides = np.minimum(cells.one_sided, 0) if model == "poisson" else cells.one_sided
    pointed = sides != 0
    if not pointed.any():
        return ""
    free = _null_space(cells.columns[~pointed], cells.columns.shape[1])
    if not free.shape[1]:
        return ""
    moves = sides[pointed, np.newaxis] * (cells.columns[pointed] @ free)
    moved = _most_moved(moves)
    if moved is None:
        return "whether the model has finite estimates could not be told"
    if not moved.any():
        return ""
    return (
        f"separation: the covariates foretell the events without fail in {int(moved.sum())} of {len(sides)} "
        "cells, so the model has no finite estimates"
    )


def _null_space(rows: FloatArray, width: int) -> FloatArray:
    """Directions, as columns, that no row sees."""
    if not len(rows):
        return np.eye(width)
    length = np.linalg.norm(rows, axis=0)
    length = np.where(length > 0, length, 1.0)
    # The triangle of a QR has the directions of the rows, and is small however many rows there are.
    _, sizes, directions = np.linalg.svd(np.linalg.qr(rows / length, mode="r"), full_matrices=True)
    seen = int(np.sum(sizes > 1e-9 * max(sizes.max(), 1.0)))
    return directions[seen:].T / length[:, np.newaxis]


def _most_moved(moves: FloatArray) -> NDArray[np.bool_] | None:
    """Which rows a direction can move forward while it moves none backward; None if the programme fails."""
    from scipy.optimize import linprog

    cells, width = moves.shape
    moves = moves / np.maximum(np.abs(moves).max(), 1e-300)
    cost = np.concatenate([np.zeros(width), -np.ones(cells)])
    result = linprog(
        cost,
        A_ub=np.hstack([-moves, np.eye(cells)]),
        b_ub=np.zeros(cells),
        bounds=[(None, None)] * width + [(0, 1)] * cells,
        method="highs",
    )
    return np.asarray(result.x[width:] > 0.5) if result.status == 0 else None
