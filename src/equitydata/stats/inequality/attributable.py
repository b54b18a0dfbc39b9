"""Population attributable risk and fraction: what the whole would gain if all groups were as the reference.

Walter SD (1978) Int J Epidemiol 7:175-182; Schlotheuber A, Hosseinpoor AR (2022).
"""

from __future__ import annotations

import numpy as np

from equitydata.stats.answers import FloatArray
from equitydata.stats.contracts import Confidence, ContractError
from equitydata.stats.inequality.answer import Inequality
from equitydata.stats.inequality.groups import Groups, refusal_of, weighted_mean
from equitydata.stats.inequality.simulated import DRAWS, SEED, Asked, measured

METHODS = ("walter", "delta")


def attributable_risk(
    groups: Groups,
    *,
    method: str | None = None,
    confidence: Confidence = 0.95,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Inequality:
    """PAR, the reference less the mean: above 0 for a favourable indicator, below 0 for an adverse one.

    The reference is the one named, else the most advantaged of ordered groups, else the best of the others.
    0 where the reference is no better than the mean, and limits are cut at 0 alike.
    method : 'walter', for proportions of counted people, takes each group as drawn from a whole of known size
        and needs no standard errors, the mean being held fixed; 'delta' takes the standard errors of the
        groups. Without one: Walter for proportions where population holds people, delta for all else.
    A best group picked by the data flatters itself: see `expected` and `corrected`.
    """
    return _attributable("PAR", groups, method, Asked(confidence, draws, seed))


def attributable_fraction(
    groups: Groups,
    *,
    method: str | None = None,
    confidence: Confidence = 0.95,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Inequality:
    """PAF, the population attributable risk per cent of the mean. Arguments as in `attributable_risk`."""
    return _attributable("PAF", groups, method, Asked(confidence, draws, seed))


def walter_standard_error(groups: Groups, reference: int) -> float:
    """Walter's standard error of the attributable fraction, as a fraction; proportions and people.

    Infinite where the formula gives 0, as if all were certain: no case in the reference group, or all are cases.
    """
    n, y = groups.population, groups.estimate
    exposed = np.arange(len(n)) != reference
    a, b = (y * n)[exposed].sum(), ((1 - y) * n)[exposed].sum()
    c, d = (y * n)[reference], ((1 - y) * n)[reference]
    if c == 0:
        return np.inf
    total = a + b + c + d
    variance = c * total * (a * d * (total - c) + b * c**2) / ((a + c) ** 3 * (c + d) ** 3)
    return float(np.sqrt(variance)) if variance > 0 else np.inf


def _attributable(
    measure: str,
    groups: Groups,
    method: str | None,
    asked: Asked,
) -> Inequality:
    relative = measure == "PAF"
    method = _method(groups, method)
    refusal = refusal_of(groups, relative=relative)
    named = len(groups.estimate) - 1 if groups.ordered else None
    named = named if groups.reference is None else groups.reference

    def signed(y: FloatArray) -> FloatArray:
        best = y.max(axis=-1) if groups.favourable else y.min(axis=-1)
        mean = weighted_mean(y, groups.share)
        gain = (best if named is None else y[..., named]) - mean
        return 100 * gain / mean if relative else gain

    def statistic(y: FloatArray) -> FloatArray:
        return np.maximum(signed(y), 0) if groups.favourable else np.minimum(signed(y), 0)

    error = np.nan if refusal else _standard_error(groups, named, method, relative=relative)
    return measured(
        measure,
        groups,
        statistic,
        asked,
        refusal=refusal,
        standard_error=error,
        method=method,
        noisy=named is None,
        centre=np.nan if refusal else float(signed(groups.estimate)),
        cut=(0, np.inf) if groups.favourable else (-np.inf, 0),
    )


def _method(groups: Groups, method: str | None) -> str:
    people = groups.population.sum() > 1
    if method is None:
        return "walter" if groups.scale == "proportion" and people else "delta"
    if method not in METHODS:
        raise ContractError(f"no method {method!r}; one of {', '.join(METHODS)}")
    if method == "walter" and not (groups.scale == "proportion" and people):
        raise ContractError("Walter's limits need proportions, and people rather than shares")
    return method


def _standard_error(groups: Groups, named: int | None, method: str, *, relative: bool) -> float:
    y, mean = groups.estimate, groups.mean
    at = named if named is not None else int(np.argmax(y) if groups.favourable else np.argmin(y))
    if method == "walter":
        fraction = walter_standard_error(groups, at) if mean > 0 else np.inf
        return 100 * fraction if relative else mean * fraction
    chosen = np.arange(len(y)) == at
    slope = chosen - groups.share
    if relative:
        slope = 100 * (chosen / mean - y[at] * groups.share / mean**2)
    return float(np.sqrt(((slope * groups.standard_error) ** 2).sum()))
