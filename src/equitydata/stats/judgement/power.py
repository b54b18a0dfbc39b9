"""Power: the smallest ratio that a comparison of this size would have found.

Only what was known beforehand enters (how many people, and the comparator's level), never the observed effect:
power worked out from an observed effect says nothing that its p-value has not said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equitydata.stats.answers import FloatArray, TextArray, add_note, texts
from equitydata.stats.contracts import ContractError, as_floats, refuse_where
from equitydata.stats.judgement.exact_power import exact_rates, exact_shares

METHODS = ("auto", "arcsine", "score", "exact")
FEW_EXPECTED = 10
HALVINGS = 80
MISSING = "a design quantity is missing"
NOBODY = "nobody in the group or its comparator"
NOTHING_TO_COMPARE = "the comparator's level is 0 or 1"
NOTHING_ABOVE = "no ratio above 1 could be detected"
NOTHING_BELOW = "no ratio below 1 could be detected"


@dataclass(frozen=True)
class Detectable:
    """The ratios nearest to 1 that would have been found with the power asked for. Shape S throughout.

    above : the smallest detectable ratio above 1; below : the largest below 1. NaN where no such ratio can be
        detected: the share would have to pass 1, or even a level of 0 would not stand out.
    power, alpha : as asked, alpha two-sided. method : arcsine, square_root, score or exact, by entry.
    note : '' or why a ratio is NaN.
    """

    above: FloatArray
    below: FloatArray
    power: float
    alpha: float
    method: TextArray
    note: TextArray


def detectable_ratio(
    *,
    people: ArrayLike,
    comparator_people: ArrayLike,
    comparator_share: ArrayLike,
    power: float = 0.80,
    alpha: float = 0.05,
    method: str = "auto",
) -> Detectable:
    """Smallest detectable ratio of two proportions, above and below 1.

    people, comparator_people : in the group and its comparator; comparator_share : share with the outcome there,
        a fraction. Shape S, or single numbers.
    method : arcsine (closed form), score (normal, pooled variance under no difference), exact (mid-P Fisher test,
        the power summed over both binomials), or auto: exact where any expected count is below 10, else arcsine.
        exact is for expected counts below 10 in either group; entries above are answered by arcsine.
    Missing, with the reason, for missing entries, nobody, and a share of 0 or 1.
    Raises ContractError for negative counts and shares, power or alpha outside 0 to 1.
    Cohen J (1988) Statistical Power Analysis, chapter 6; Fleiss JL, Levin B, Paik MC (2003) chapter 4.
    """
    n1, n2, p2 = as_floats(
        people=people, comparator_people=comparator_people, comparator_share=comparator_share
    )
    refuse_where((n1 < 0) | (n2 < 0), "people is negative")
    refuse_where((p2 < 0) | (p2 > 1), "comparator_share lies outside 0 to 1")
    z = _quantiles(power, alpha, method, METHODS)
    notes = texts(p2.shape)
    add_note(notes, np.isnan(n1 + n2 + p2), MISSING)
    add_note(notes, (n1 == 0) | (n2 == 0), NOBODY)
    add_note(notes, (p2 == 0) | (p2 == 1), NOTHING_TO_COMPARE)
    usable = (notes == "") & np.isfinite(n1 + n2 + p2)
    with np.errstate(invalid="ignore"):
        few = usable & (np.minimum(n1, n2) * np.minimum(p2, 1 - p2) < FEW_EXPECTED)
    exactly = few & (method in ("auto", "exact"))
    above, below = np.full(p2.shape, np.nan), np.full(p2.shape, np.nan)
    closed = _score_shares if method == "score" else _arcsine_shares
    plain = usable & ~exactly
    above[plain], below[plain] = closed(n1[plain], n2[plain], p2[plain], *z)
    if exactly.any():
        # Part-people have no exact test: they count as the whole people they contain.
        whole = np.maximum(1, np.floor(n1[exactly])), np.maximum(1, np.floor(n2[exactly]))
        above[exactly], below[exactly] = exact_shares(*whole, p2[exactly], power=power, alpha=alpha)
    named = texts(p2.shape, "score" if method == "score" else "arcsine")
    return _answer(above, below, exactly, usable, named, notes, power, alpha)


def detectable_rate_ratio(
    *,
    time: ArrayLike,
    comparator_time: ArrayLike,
    comparator_rate: ArrayLike,
    power: float = 0.80,
    alpha: float = 0.05,
    method: str = "auto",
) -> Detectable:
    """Smallest detectable ratio of two Poisson rates, above and below 1.

    time, comparator_time : person-time (or people) of the group and its comparator; comparator_rate : events per
        unit of it there. Shape S, or single numbers.
    method : square_root (closed form), exact (conditional mid-P test, the power summed over both Poisson counts),
        or auto: exact where either expected count is below 10. exact as in `detectable_ratio`.
    Missing entries and errors as there; a rate of 0 is missing.
    Gu K, Ng HKT, Tang ML, Schucany WR (2008) Biom J 50:283-298.
    """
    t1, t2, r2 = as_floats(time=time, comparator_time=comparator_time, comparator_rate=comparator_rate)
    refuse_where((t1 < 0) | (t2 < 0), "time is negative")
    refuse_where(r2 < 0, "comparator_rate is negative")
    z = _quantiles(power, alpha, method, ("auto", "square_root", "exact"))
    notes = texts(r2.shape)
    add_note(notes, np.isnan(t1 + t2 + r2), MISSING)
    add_note(notes, (t1 == 0) | (t2 == 0), NOBODY)
    add_note(notes, r2 == 0, NOTHING_TO_COMPARE)
    usable = notes == ""
    with np.errstate(invalid="ignore"):
        few = usable & (np.minimum(t1, t2) * r2 < FEW_EXPECTED)
    exactly = few & (method in ("auto", "exact"))
    above, below = np.full(r2.shape, np.nan), np.full(r2.shape, np.nan)
    plain = usable & ~exactly
    above[plain], below[plain] = _root_rates(t1[plain], t2[plain], r2[plain], *z)
    if exactly.any():
        above[exactly], below[exactly] = exact_rates(
            t1[exactly] * r2[exactly], t2[exactly] * r2[exactly], power=power, alpha=alpha
        )
    return _answer(above, below, exactly, usable, texts(r2.shape, "square_root"), notes, power, alpha)


def _answer(
    above: FloatArray,
    below: FloatArray,
    exactly: np.ndarray,
    usable: np.ndarray,
    named: TextArray,
    notes: TextArray,
    power: float,
    alpha: float,
) -> Detectable:
    named[exactly] = "exact"
    add_note(notes, usable & np.isnan(above), NOTHING_ABOVE)
    add_note(notes, usable & np.isnan(below), NOTHING_BELOW)
    return Detectable(above, below, power, alpha, named, notes)


def _quantiles(power: float, alpha: float, method: str, methods: tuple[str, ...]) -> tuple[float, float]:
    from scipy.special import ndtri

    if method not in methods:
        raise ContractError(f"no method {method!r}; one of {', '.join(methods)}")
    if not 0 < alpha < 0.5 < power < 1:
        raise ContractError("alpha is a fraction below 0.5 and power one above it, for example 0.05 and 0.80")
    return float(ndtri(1 - alpha / 2)), float(ndtri(power))


def _arcsine_shares(
    n1: FloatArray, n2: FloatArray, p2: FloatArray, z_alpha: float, z_power: float
) -> tuple[FloatArray, FloatArray]:
    """Solve 2 |asin √p1 - asin √p2| = (z_alpha + z_power) sqrt(1/n1 + 1/n2) for p1 on either side of p2."""
    half = (z_alpha + z_power) * np.sqrt(1 / n1 + 1 / n2) / 2
    angle = np.arcsin(np.sqrt(p2))
    above = np.where(angle + half <= np.pi / 2, np.sin(angle + half) ** 2 / p2, np.nan)
    below = np.where(angle - half >= 0, np.sin(angle - half) ** 2 / p2, np.nan)
    return above, below


def _root_rates(
    t1: FloatArray, t2: FloatArray, r2: FloatArray, z_alpha: float, z_power: float
) -> tuple[FloatArray, FloatArray]:
    """Solve 2 |√r1 - √r2| = (z_alpha + z_power) sqrt(1/t1 + 1/t2) for r1 on either side of r2."""
    half = (z_alpha + z_power) * np.sqrt(1 / t1 + 1 / t2) / 2
    root = np.sqrt(r2)
    return (root + half) ** 2 / r2, np.where(root >= half, (root - half) ** 2 / r2, np.nan)


def _score_shares(
    n1: FloatArray, n2: FloatArray, p2: FloatArray, z_alpha: float, z_power: float
) -> tuple[FloatArray, FloatArray]:
    def surplus(p1: FloatArray) -> FloatArray:
        """What the difference exceeds that which is needed by."""
        pooled = (n1 * p1 + n2 * p2) / (n1 + n2)
        under_none = np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2))
        return (
            np.abs(p1 - p2)
            - z_alpha * under_none
            - z_power * np.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
        )

    return (
        _nearest(surplus, p2, np.ones_like(p2)) / p2,
        _nearest(surplus, p2, np.zeros_like(p2)) / p2,
    )


def _nearest(surplus: Callable[[FloatArray], FloatArray], start: FloatArray, end: FloatArray) -> FloatArray:
    """Where the surplus turns positive between start and end, by halving; NaN where it is negative at the end."""
    possible, inside, outside = surplus(end) >= 0, start, end
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        enough = surplus(middle) >= 0
        inside, outside = np.where(enough, inside, middle), np.where(enough, middle, outside)
    return np.where(possible, outside, np.nan)
