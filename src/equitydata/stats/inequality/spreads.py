"""How far the groups of a population spread about its mean, squared or by logarithms; weighted by people.

Ahn J et al. (2018) JCO Clin Cancer Inform 2:1-19 for the variances.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from equitydata.stats.contracts import Confidence, ContractError
from equitydata.stats.inequality import formulas
from equitydata.stats.inequality.answer import Inequality
from equitydata.stats.inequality.groups import Groups, refusal_of
from equitydata.stats.inequality.simulated import DRAWS, SEED, Asked, measured, simulated


def between_group_variance(
    groups: Groups, *, confidence: Confidence = 0.95, draws: int = DRAWS, seed: int = SEED
) -> Inequality:
    """BGV, the mean squared distance from the mean, weighted by population; in squared units.

    Normal limits from the exact variance for independent normal estimates. `expected` and `corrected` are
    exact too: errors add the sum of p(1 - p)s^2 on average.
    """
    y, s, p = groups.estimate, groups.standard_error, groups.share
    answer = measured(
        "BGV",
        groups,
        lambda drawn: formulas.between_variance(drawn, p),
        Asked(confidence, draws, seed),
        refusal=refusal_of(groups),
        standard_error=float(np.sqrt(formulas.between_variance_variance(y, s, p))) if len(y) else np.nan,
        noisy=False,
        cut=(0, np.inf),
    )
    bias = formulas.between_variance_bias(s, p) if np.isfinite(answer.value) else np.nan
    return replace(answer, expected=bias, corrected=float(np.maximum(answer.value - bias, 0)))


def between_group_sd(
    groups: Groups, *, confidence: Confidence = 0.95, draws: int = DRAWS, seed: int = SEED
) -> Inequality:
    """BGSD, the root of the between-group variance, in the unit of the estimates. Simulated limits."""
    return simulated(
        "BGSD", groups, lambda y: formulas.between_sd(y, groups.share), Asked(confidence, draws, seed)
    )


def coefficient_of_variation(
    groups: Groups, *, confidence: Confidence = 0.95, draws: int = DRAWS, seed: int = SEED
) -> Inequality:
    """COV, the between-group standard deviation per cent of the mean. Simulated limits."""
    return simulated(
        "COV",
        groups,
        lambda y: formulas.variation(y, groups.share),
        Asked(confidence, draws, seed),
        relative=True,
    )


def theil_index(
    groups: Groups, *, confidence: Confidence = 0.95, draws: int = DRAWS, seed: int = SEED
) -> Inequality:
    """Theil index, the sum of p r ln r with r = estimate / mean; often shown times 1,000 (`rescale`).

    A group at 0 adds nothing to the value; where it has a standard error there are no limits.
    """
    y, s, p = groups.estimate, groups.standard_error, groups.share
    refusal = refusal_of(groups, relative=True, positive=True)
    error = np.nan if refusal else float(np.sqrt(formulas.theil_variance(y, s, p)))
    return measured(
        "Theil",
        groups,
        lambda drawn: formulas.theil(drawn, p),
        Asked(confidence, draws, seed),
        refusal=refusal,
        standard_error=error,
        cut=(0, np.inf),
    )


def mean_log_deviation(
    groups: Groups,
    *,
    zero_as: float | None = None,
    confidence: Confidence = 0.95,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Inequality:
    """MLD, minus the sum of p ln r with r = estimate / mean; often shown times 1,000 (`rescale`).

    zero_as : what a group at 0 is taken as, above 0. Without it a group at 0 makes the measure infinite, and
        the result is missing.
    """
    if zero_as is not None and not zero_as > 0:
        raise ContractError("zero_as is above 0")
    zeros = int((groups.estimate == 0).sum())
    note = ""
    if zeros and zero_as is not None:
        groups = replace(groups, estimate=np.where(groups.estimate == 0, zero_as, groups.estimate))
        note = f"{zeros} groups at 0 are taken as {zero_as:g}"
    refusal = refusal_of(groups, relative=True, positive=True)
    if not refusal and zeros and zero_as is None:
        refusal = "a group at 0 makes the measure infinite"
    y, s, p = groups.estimate, groups.standard_error, groups.share
    error = np.nan if refusal else float(np.sqrt(formulas.log_deviation_variance(y, s, p)))
    return measured(
        "MLD",
        groups,
        lambda drawn: formulas.log_deviation(drawn, p),
        Asked(confidence, draws, seed),
        refusal=refusal,
        standard_error=error,
        cut=(0, np.inf),
        note=note,
    )
