"""Groups compared at equal covariates: risks, rates and means adjusted by a regression model.

Each function takes the cells of a grid (one entry a cell: a group, its covariates, its counts), fits one model,
and answers for every group with its standardised value, the difference and the ratio to its comparator, and the
model's own effect. The model has a coefficient for each group and adds the covariates to it: the effect of a
group is taken to be the same at all covariates (on the scale of the model), which the data need not obey.

The comparator is a reference group, or the rest: the standardised values of all other groups in the model,
averaged by their people. Without covariates this is the crude value of everyone else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.adjustment.answers import AdjustedGroups, Asked, answer
from equitydata.stats.adjustment.cells import CellGrid, group_numbers, lay_out
from equitydata.stats.adjustment.models import Cells, fit
from equitydata.stats.answers import FloatArray
from equitydata.stats.contracts import Confidence, ContractError, as_counts, as_floats, refuse_where

NO_EVENTS = "no events, so that the model has no finite estimate for the group"
ONLY_EVENTS = "nothing but events, so that the model has no finite estimate for the group"
# A sum of squares around the mean below this share of the sum of squares is the rounding of sums.
TINY = 1e-11
ROUNDING = 1e-9

Covariates = Mapping[str, ArrayLike] | None


def adjusted_risks(
    *,
    group: ArrayLike,
    events: ArrayLike,
    people: ArrayLike,
    categories: Covariates = None,
    numbers: Covariates = None,
    reference: int | None = None,
    groups: int | None = None,
    standard: ArrayLike | None = None,
    model: str = "logistic",
    errors: str | None = None,
    confidence: Confidence = 0.95,
) -> AdjustedGroups:
    """Risks of groups at equal covariates.

    group : whole number from 0 of each cell, NaN where unknown. events, people : counts of each cell.
    categories, numbers : covariates by name, one entry a cell: codes or texts, each a category of its own, and
        numbers with a straight-line effect. A cell with a missing entry is left out, and said.
    reference : number of the group to hold the others against; None is the rest.
    groups : how many groups are declared, where the last ones may have no cell.
    standard : weight of each cell's covariates in the standard population; None is people.
    model : logistic, whose effect is an odds ratio; or poisson, whose effect is a risk ratio (the modified
        Poisson regression) and which can fit risks above 1.
    errors : model (logistic only), hc0 or hc1: robust, with each person as one observation. None is model for
        logistic and hc1 for poisson.
    Returns AdjustedGroups, one entry a group. A group without events, or with nothing but events, is left out and
        withheld; where the covariates foretell the events without fail (separation), or the model does not
        converge, everything is withheld with the reason.
    Raises ContractError for counts, groups or names that cannot be.
    Zou G (2004). Am J Epidemiol 159:702-706. Lane PW, Nelder JA (1982). Biometrics 38:613-621.
    """
    allowed = {"logistic": ("model", "hc0", "hc1"), "poisson": ("hc1", "hc0")}
    errors = _chosen(model, errors, allowed)
    x, n = as_counts(events=events, people=people)
    question = _Question(
        "risk",
        model,
        errors,
        x,
        n,
        n - x,
        {NO_EVENTS: x, ONLY_EVENTS: n - x},
        (categories, numbers),
        standard,
    )
    return _adjust(question, group, groups, reference, confidence, within=x - x**2 / np.where(n > 0, n, 1))


def adjusted_rates(
    *,
    group: ArrayLike,
    events: ArrayLike,
    person_time: ArrayLike,
    categories: Covariates = None,
    numbers: Covariates = None,
    reference: int | None = None,
    groups: int | None = None,
    standard: ArrayLike | None = None,
    errors: str | None = None,
    confidence: Confidence = 0.95,
) -> AdjustedGroups:
    """Rates of groups at equal covariates, by Poisson regression on events and person-time.

    errors : model (default); quasi, multiplied by the dispersion (Pearson chi-square over its degrees of
        freedom); hc0 or hc1: robust, with each cell as one observation, because single people are not seen.
    Returns rates for one unit of person-time; the effect is a rate ratio. standard None is person-time. The
    other arguments, what is withheld, and errors raised: as in `adjusted_risks`.
    McCullagh P, Nelder JA (1989) Generalized Linear Models, chapter 6.
    """
    errors = _chosen("poisson", errors, {"poisson": ("model", "quasi", "hc0", "hc1")})
    x, t = as_counts(events=events, person_time=person_time, at_most=False)
    refuse_where((t == 0) & (x > 0), "events without person_time")
    question = _Question("rate", "poisson", errors, x, t, x, {NO_EVENTS: x}, (categories, numbers), standard)
    return _adjust(question, group, groups, reference, confidence, within=None)


def adjusted_means(
    *,
    group: ArrayLike,
    people: ArrayLike,
    total: ArrayLike,
    total_squares: ArrayLike,
    categories: Covariates = None,
    numbers: Covariates = None,
    reference: int | None = None,
    groups: int | None = None,
    standard: ArrayLike | None = None,
    errors: str | None = None,
    confidence: Confidence = 0.95,
) -> AdjustedGroups:
    """Means of groups at equal covariates, by linear regression on the sums of each cell.

    people, total, total_squares : count, sum and sum of squares of the people of each cell; they hold all that
        the regression on single people needs, its errors included.
    errors : hc1 (default) or hc0: robust, people may vary more in one group than in another; model: one
        variance for all. Limits by Student t, with people less coefficients as degrees of freedom.
    Returns means; the effect is the difference of means, the same as `difference`. The other arguments, what is
    withheld, and errors raised: as in `adjusted_risks`.
    MacKinnon JG, White H (1985). J Econometrics 29:305-325.
    """
    errors = _chosen("linear", errors, {"linear": ("hc1", "hc0", "model")})
    n, total_, squares = as_floats(people=people, total=total, total_squares=total_squares)
    refuse_where(n < 0, "people is negative")
    # An engine's sum over nobody is blank: that is nobody, not a missing sum.
    total_ = np.where((n == 0) & np.isnan(total_), 0, total_)
    squares = np.where((n == 0) & np.isnan(squares), 0, squares)
    refuse_where((n == 0) & ((total_ != 0) | (squares != 0)), "a total without people")
    within = squares - total_**2 / np.where(n > 0, n, 1)
    refuse_where(
        within < -ROUNDING * np.maximum(squares, 1), "total_squares is below total squared over people"
    )
    question = _Question("mean", "linear", errors, total_, n, n, {}, (categories, numbers), standard)
    unknown = np.isnan(total_) | np.isnan(squares)
    within = np.where(unknown, np.nan, np.where(within > TINY * squares, within, 0))
    return _adjust(question, group, groups, reference, confidence, within=within)


@dataclass(frozen=True)
class _Question:
    """What is modelled: total and size of each cell, what counts as information, what each group needs."""

    measure: str
    model: str
    errors: str
    total: FloatArray
    size: FloatArray
    scarce: FloatArray
    needed: dict[str, FloatArray]
    covariates: tuple[Covariates, Covariates]
    standard: ArrayLike | None


def _chosen(model: str, errors: str | None, allowed: Mapping[str, tuple[str, ...]]) -> str:
    if model not in allowed:
        raise ContractError(f"no model {model!r}; one of {', '.join(allowed)}")
    if errors is not None and errors not in allowed[model]:
        raise ContractError(f"no errors {errors!r} for {model}; one of {', '.join(allowed[model])}")
    return errors or allowed[model][0]


def _adjust(
    question: _Question,
    group: ArrayLike,
    groups: int | None,
    reference: int | None,
    confidence: Confidence,
    *,
    within: FloatArray | None,
) -> AdjustedGroups:
    """Lay out the cells, fit the model, and answer."""
    numbers, declared = group_numbers(group, groups)
    size, total = question.size, question.total
    if size.shape != numbers.shape:
        raise ContractError(f"arrays of unequal shape: group {numbers.shape}, counts {size.shape}")
    if reference is not None and not 0 <= reference < declared:
        raise ContractError(f"reference group {reference} is none of the {declared} groups")
    standard = _standard(question.standard, size)
    complete = ~np.isnan(total) & ~np.isnan(size if within is None else within) & ~np.isnan(standard)
    grid = lay_out(
        group=numbers,
        size=size,
        complete=complete,
        groups=declared,
        categories=question.covariates[0],
        numbers=question.covariates[1],
        needed=question.needed,
    )
    terms = (*(f"group {number}" for number in grid.modelled), *grid.terms)
    cells = _cells(question, grid, within)
    fitted = fit(cells, model=question.model, errors=question.errors, terms=terms, withheld=grid.confounded)
    scarce = float(question.scarce[grid.cells].sum())
    if question.measure == "risk":
        scarce = min(scarce, float(total[grid.cells].sum()))
    weights = standard[grid.cells]
    if len(weights) and not weights.sum() > 0:
        raise ContractError("standard has no weight in the cells of the model")
    asked = Asked(question.measure, reference, confidence, weights, scarce)
    return answer(asked, grid, cells, fitted)


def _standard(standard: ArrayLike | None, size: FloatArray) -> FloatArray:
    if standard is None:
        return size
    (weights,) = as_floats(standard=standard)
    if weights.shape != size.shape:
        raise ContractError(f"arrays of unequal shape: standard {weights.shape}, counts {size.shape}")
    refuse_where(weights < 0, "standard is negative")
    return weights


def _cells(question: _Question, grid: CellGrid, within: FloatArray | None) -> Cells:
    total, size = question.total[grid.cells], grid.size
    sides: NDArray[np.float64] = np.where(total == 0, -1.0, 0.0)
    if question.measure == "risk":
        sides = np.where(total == size, 1.0, sides)
    inside = None if within is None else within[grid.cells]
    return Cells(grid.columns, total / size, size, inside, sides)
