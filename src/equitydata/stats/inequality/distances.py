"""How far the groups of a population lie, on average, from its mean, its best group or a reference.

In every measure `weighted` says who counts the same: each person, or each group.
"""

from __future__ import annotations

from equitydata.stats.answers import FloatArray
from equitydata.stats.contracts import Confidence
from equitydata.stats.inequality import formulas
from equitydata.stats.inequality.answer import Inequality
from equitydata.stats.inequality.groups import Groups, weighted_mean
from equitydata.stats.inequality.simulated import DRAWS, SEED, Asked, simulated


def mean_difference_from_mean(
    groups: Groups,
    *,
    weighted: bool,
    confidence: Confidence = 0.95,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Inequality:
    """MDM, the mean distance of the groups from the mean of the population. Simulated limits.

    weighted : each person counts the same (MDMW) rather than each group (MDMU). The mean of the population is
        weighted in either case.
    """
    p = groups.share

    def statistic(y: FloatArray) -> FloatArray:
        return formulas.mean_distance(y, p, weighted_mean(y, p), weighted=weighted)

    return simulated(_version("MDM", weighted), groups, statistic, Asked(confidence, draws, seed))


def mean_difference_from_best(
    groups: Groups,
    *,
    weighted: bool,
    confidence: Confidence = 0.95,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Inequality:
    """MDB, the mean distance of the groups from the best one, which is itself among them. Simulated limits.

    The best is the highest of a favourable indicator and the lowest of an adverse one, anew in every draw.
    weighted : each person counts the same (MDBW) rather than each group (MDBU).
    """
    p = groups.share

    def statistic(y: FloatArray) -> FloatArray:
        best = y.max(axis=-1) if groups.favourable else y.min(axis=-1)
        return formulas.mean_distance(y, p, best, weighted=weighted)

    return simulated(_version("MDB", weighted), groups, statistic, Asked(confidence, draws, seed))


def mean_difference_from_reference(
    groups: Groups,
    *,
    weighted: bool,
    confidence: Confidence = 0.95,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Inequality:
    """MDR, the mean distance of the groups from the reference group. Simulated limits.

    Missing where no reference is named. weighted : each person counts the same (MDRW) rather than each group
    (MDRU).
    """
    p, at = groups.share, groups.reference
    refusal = "no reference group" if at is None else ""
    return simulated(
        _version("MDR", weighted),
        groups,
        lambda y: formulas.mean_distance(y, p, y[..., at], weighted=weighted),
        Asked(confidence, draws, seed),
        refusal=refusal,
    )


def index_of_disparity(
    groups: Groups,
    *,
    weighted: bool,
    confidence: Confidence = 0.95,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Inequality:
    """IDIS, the mean difference from the mean per cent of the mean. Simulated limits.

    weighted : each person counts the same (IDISW) rather than each group (IDISU).
    """

    def statistic(y: FloatArray) -> FloatArray:
        return formulas.disparity_index(y, groups.share, weighted=weighted)

    return simulated(
        _version("IDIS", weighted), groups, statistic, Asked(confidence, draws, seed), relative=True
    )


def _version(name: str, weighted: bool) -> str:
    return f"{name}W" if weighted else f"{name}U"
