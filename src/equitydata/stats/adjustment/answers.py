"""The answer of an adjusted comparison: values, contrasts and the model, one entry for each declared group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equitydata.stats.adjustment.cells import CellGrid
from equitydata.stats.adjustment.marginal import (
    Contrast,
    Standardised,
    differences,
    log_ratios,
    standardise_model,
)
from equitydata.stats.adjustment.models import LINKS, Cells, Fitted
from equitydata.stats.answers import Estimates, FloatArray, Tests, TextArray, add_note, texts
from equitydata.stats.contracts import Confidence, as_asked, beside, tails

# Below this many events (linear: people) for each coefficient a model is noted as sparse.
SPARSE = 5
OVERDISPERSED = 2
# A fit settles to about this share of its values.
ROUNDING = 1e-8

EFFECTS = {
    ("risk", "logistic"): "odds ratio",
    ("risk", "poisson"): "risk ratio",
    ("rate", "poisson"): "rate ratio",
    ("mean", "linear"): "difference of means",
}


@dataclass(frozen=True)
class AdjustedGroups:
    """Groups compared at equal covariates; arrays have one entry for each declared group, by its number.

    value : the group's value if the whole standard population were of the group, covariates left as they are.
    difference, ratio : value against that of the comparator.
    effect : the group's coefficient against the comparator's, at equal covariates; effect_measure says what it
        is. An odds ratio is not the ratio of standardised odds. Against the rest the comparator's coefficient is
        the average of the others by their people, so that a ratio is to a geometric mean; the effect against a
        named group is easier to tell.
    test : Wald test of the ratio against 1 (means: of the difference against 0); it agrees with those limits.
    crude, crude_difference : the same without covariates. reversed_ : crude and adjusted differences have
        opposite signs (Simpson's paradox).
    reference : the group held against, None for the rest.
    fitted : the model. Its note, if any, says why everything is withheld.
    """

    value: Estimates
    difference: Estimates
    ratio: Estimates
    effect: Estimates
    effect_measure: str
    test: Tests
    crude: FloatArray
    crude_difference: FloatArray
    reversed_: NDArray[np.bool_]
    reference: int | None
    fitted: Fitted


@dataclass(frozen=True)
class Asked:
    """What was asked, beside the model. scarce : events (or people) that the coefficients are drawn from."""

    measure: str
    reference: int | None
    confidence: Confidence
    standard: FloatArray
    scarce: float


def answer(asked: Asked, grid: CellGrid, cells: Cells, fitted: Fitted) -> AdjustedGroups:
    """Standardise, contrast and write down."""
    with np.errstate(all="ignore"):
        people = np.bincount(grid.group, weights=grid.size, minlength=len(grid.modelled)).astype(float)
        weights = _comparators(grid, people, asked.reference)
        crude = np.bincount(grid.group, weights=grid.size * cells.mean, minlength=len(people)) / people
        if fitted.note:
            nothing = np.full((len(people), len(people)), np.nan)
            standardised = Standardised(np.full(len(people), np.nan), nothing)
        else:
            standardised = standardise_model(fitted, grid.covariates, asked.standard)
        return _written(
            asked, grid, fitted, _Modelled(standardised, weights, crude, _thin(grid, cells, fitted))
        )


@dataclass(frozen=True)
class _Modelled:
    """What is known of the groups in the model; thin ones have too few observations for robust errors."""

    standardised: Standardised
    weights: FloatArray
    crude: FloatArray
    thin: NDArray[np.bool_]


def _written(asked: Asked, grid: CellGrid, fitted: Fitted, known: _Modelled) -> AdjustedGroups:
    value, covariance = known.standardised.value, known.standardised.covariance
    own = slice(0, len(value))
    notes = _value_notes(asked, grid, fitted, known)
    versus = _contrast_notes(notes, grid, known, asked.reference)
    write = _Writer(asked, grid, fitted)
    level = Contrast(value, np.sqrt(np.maximum(np.diag(covariance), 0)))
    difference = differences(value, covariance, known.weights)
    ratio = log_ratios(value, covariance, known.weights)
    effect = differences(fitted.coefficients[own], fitted.covariance[own, own], known.weights)
    plain = asked.measure == "mean"
    thin = known.thin
    beside_thin = thin | (
        thin[grid.modelled == asked.reference].any() if asked.reference is not None else False
    )
    crude_difference = known.crude - known.weights @ known.crude
    return AdjustedGroups(
        write.estimates(
            level, {"risk": "logit", "rate": "log", "mean": "identity"}[asked.measure], notes, thin
        ),
        write.estimates(difference, "identity", versus, beside_thin),
        write.estimates(ratio, "exp", versus, beside_thin),
        write.estimates(effect, "identity" if plain else "exp", versus, beside_thin),
        EFFECTS[asked.measure, fitted.model],
        write.tests(difference if plain else ratio, versus, beside_thin),
        write.spread(known.crude),
        write.spread(crude_difference),
        write.spread(_reversed(crude_difference, difference.value, known.crude)) > 0,
        asked.reference,
        fitted,
    )


def _reversed(crude: FloatArray, adjusted: FloatArray, values: FloatArray) -> FloatArray:
    """1 where two differences have opposite signs; a difference within the fit's rounding has no sign."""
    least = ROUNDING * np.max(np.abs(values), initial=0)
    return ((crude * adjusted < 0) & (np.minimum(np.abs(crude), np.abs(adjusted)) > least)).astype(float)


def _comparators(grid: CellGrid, people: FloatArray, reference: int | None) -> FloatArray:
    """Row g: the shares of the groups that g is held against; NaN where there is no comparator."""
    count = len(people)
    if reference is None:
        others = np.tile(people, (count, 1)) * (1 - np.eye(count))
        return others / others.sum(axis=1, keepdims=True)
    if reference not in grid.modelled:
        return np.full((count, count), np.nan)
    return np.tile((grid.modelled == reference).astype(float), (count, 1))


def _thin(grid: CellGrid, cells: Cells, fitted: Fitted) -> NDArray[np.bool_]:
    """Groups whose own residuals must vanish, so that robust errors would call them certain."""
    count = len(grid.modelled)
    if fitted.errors not in ("hc0", "hc1"):
        return np.zeros(count, dtype=bool)
    observations = np.ones(len(grid.group)) if cells.within is None else grid.size
    return np.bincount(grid.group, weights=observations, minlength=count) < 2


def _value_notes(asked: Asked, grid: CellGrid, fitted: Fitted, known: _Modelled) -> TextArray:
    """The notes of the standardised values: first why one is missing, then what to keep in mind."""
    notes = grid.note.copy()
    inside = np.isin(np.arange(len(notes)), grid.modelled)
    if fitted.note:
        add_note(notes, inside, fitted.note)
        return notes
    counted = "people" if asked.measure == "mean" else "events"
    coefficients = len(fitted.coefficients)
    if asked.scarce < SPARSE * coefficients:
        add_note(notes, inside, f"sparse: {asked.scarce:g} {counted} for {coefficients} coefficients")
    if fitted.df <= 0 and (asked.measure == "mean" or fitted.errors != "model"):
        add_note(notes, inside, "no observations beyond the coefficients, so no limits")
    elif fitted.errors == "quasi" and np.isnan(fitted.dispersion):
        add_note(notes, inside, "no cells beyond the coefficients, so no limits")
    if asked.measure == "rate" and fitted.errors == "model" and fitted.dispersion > OVERDISPERSED:
        add_note(notes, inside, f"cells vary more than the model has it: dispersion {fitted.dispersion:.1f}")
    if asked.measure == "risk" and fitted.model == "poisson" and _above_one(grid, fitted):
        add_note(notes, inside, "the model fits risks above 1 at some covariates")
    thin = np.isin(np.arange(len(notes)), grid.modelled[known.thin])
    add_note(notes, thin, "one observation in the group, too few for robust limits")
    return notes


def _above_one(grid: CellGrid, fitted: Fitted) -> bool:
    groups = len(grid.modelled)
    common = grid.covariates @ fitted.coefficients[groups:]
    return bool(LINKS["poisson"].mean(common.max() + fitted.coefficients[:groups].max()) > 1)


def _contrast_notes(notes: TextArray, grid: CellGrid, known: _Modelled, reference: int | None) -> TextArray:
    """Those of the values, and what concerns the comparator."""
    notes = notes.copy()
    numbers = np.arange(len(notes))
    inside = np.isin(numbers, grid.modelled)
    if reference is not None:
        add_note(notes, numbers == reference, "the reference group itself")
        if reference not in grid.modelled:
            add_note(notes, inside, "the reference group is not in the model")
        elif known.thin[grid.modelled == reference].any():
            add_note(notes, inside, "one observation in the reference group, too few for robust limits")
        return notes
    if len(grid.modelled) == 1:
        add_note(notes, inside, "no other group in the model")
    elif not inside.all():
        left = ", ".join(str(number) for number in numbers[~inside])
        add_note(notes, inside, f"the rest is without groups that are not in the model ({left})")
    return notes


class _Writer:
    """Writes what is known of the groups in the model into arrays over all declared groups."""

    def __init__(self, asked: Asked, grid: CellGrid, fitted: Fitted) -> None:
        self.asked, self.grid, self.fitted = asked, grid, fitted
        self.groups = len(grid.note)
        self.normal = asked.measure != "mean"

    def spread(self, values: FloatArray) -> FloatArray:
        """Values of the groups in the model, NaN for the others."""
        filled = np.full((self.groups, *values.shape[1:]), np.nan)
        filled[self.grid.modelled] = values
        return filled

    def estimates(
        self, contrast: Contrast, scale: str, notes: TextArray, thin: NDArray[np.bool_]
    ) -> Estimates:
        """Limits on a scale, carried back; missing where the error is nought or not known."""
        from scipy.special import expit, logit, ndtri, stdtrit

        tail = tails(self.asked.confidence)
        quantile = ndtri(1 - tail) if self.normal else stdtrit(max(self.fitted.df, 1), 1 - tail)
        value = contrast.value
        error = np.where((contrast.error > 0) & ~thin, contrast.error, np.nan)
        if scale == "logit":
            inside = np.where((value > 0) & (value < 1), value, np.nan)
            centre, error, back = logit(inside), error / (inside * (1 - inside)), expit
        elif scale == "log":
            centre, error, back = np.log(value), error / value, np.exp
        else:
            centre, back = value, (np.exp if scale == "exp" else np.asarray)
        spread = beside(error, quantile) * quantile
        lower, upper = back(beside(centre, quantile) - spread), back(beside(centre, quantile) + spread)
        shown = self.spread(np.exp(value) if scale == "exp" else value)
        bounds = self.spread(np.asarray(lower)), self.spread(np.asarray(upper))
        method = f"{self.fitted.model} {self.fitted.errors}, delta on {scale.replace('exp', 'log')}"
        silent = (
            ~np.isnan(shown) & np.isnan(bounds[0] if quantile.ndim == 0 else bounds[0][:, 0]) & (notes == "")
        )
        said = notes.copy()
        add_note(said, silent, "the model leaves no error to draw limits from")
        unshown = np.isnan(shown) & (notes == "")
        add_note(said, unshown, "a value or its comparator is not above 0, so there is no ratio")
        return Estimates(shown, *bounds, as_asked(self.asked.confidence), texts((self.groups,), method), said)

    def tests(self, contrast: Contrast, notes: TextArray, thin: NDArray[np.bool_]) -> Tests:
        """Two-sided Wald tests against no difference."""
        from scipy.special import ndtr, stdtr

        error = np.where((contrast.error > 0) & ~thin, contrast.error, np.nan)
        statistic = self.spread(contrast.value / error)
        tail = ndtr(-np.abs(statistic)) if self.normal else stdtr(max(self.fitted.df, 1), -np.abs(statistic))
        method = f"Wald {'z' if self.normal else 't'}, {self.fitted.model} {self.fitted.errors}"
        return Tests(statistic, 2 * tail, texts((self.groups,), method), notes.copy())
