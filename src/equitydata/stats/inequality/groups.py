"""The groups of a population that an inequality measure is worked out from, checked once.

Every measure of `inequality`, `attributable`, `concentration` and `slope_index` takes the `Groups` made here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equitydata.stats.answers import FloatArray
from equitydata.stats.contracts import Confidence, ContractError, as_floats, refuse_where, tails

SCALES = ("proportion", "rate", "plain")
GAPS_TOLERATED = 0.15
FEW = {2: "fewer than two groups", 3: "fewer than three groups"}


@dataclass(frozen=True)
class Groups:
    """The groups that have an estimate and people, and what is known of all of them.

    estimate, standard_error, lower, upper : shape (k,), the groups kept. The last three are NaN where unknown.
    limits_confidence : the confidence of lower and upper.
    population : people, or shares, of each group kept. share : the same as shares that sum to 1.
    favourable : a high value is good. ordered : the groups run from the most disadvantaged to the most
        advantaged. reference : place of the reference group among the groups kept, or None.
    scale : proportion (0 to 1), rate (0 and above) or plain (any number).
    declared : groups given. gaps : those of them left out, for want of an estimate or of people.
    refusal : why no measure of these groups can be had, or ''. note : what to keep in mind, or ''.
    """

    estimate: FloatArray
    standard_error: FloatArray
    lower: FloatArray
    upper: FloatArray
    limits_confidence: float
    population: FloatArray
    share: FloatArray
    favourable: bool
    ordered: bool
    reference: int | None
    scale: str
    declared: int
    gaps: int
    refusal: str
    note: str

    @property
    def mean(self) -> float:
        """Mean of the estimates, weighted by population."""
        return float(weighted_mean(self.estimate, self.share))

    @property
    def has_errors(self) -> bool:
        """Whether every group kept has a standard error, so that limits can be had."""
        return not bool(np.isnan(self.standard_error).any())


def as_groups(
    *,
    estimate: ArrayLike,
    population: ArrayLike,
    favourable: bool,
    ordered: bool,
    scale: str,
    standard_error: ArrayLike | None = None,
    lower: ArrayLike | None = None,
    upper: ArrayLike | None = None,
    limits_confidence: float = 0.95,
    reference: int | None = None,
) -> Groups:
    """Check the groups of a population once, for all measures.

    estimate : shape (k,); the value of each group. Ordered groups stand in order, the most disadvantaged first.
    population : people of each group, or shares; Walter's limits (`attributable`) need people.
    favourable : whether a high value is good; the direction of the measures follows from it. Never guessed.
    scale : 'proportion' for fractions from 0 to 1, 'rate' for values from 0, 'plain' for any number. It says on
        which scale values are redrawn, and is never guessed from their size.
    standard_error, or lower and upper with limits_confidence : how sure each estimate is. Where only the limits
        are given, the standard error is their distance over twice the normal quantile. Without either, the
        measures have values and no limits.
    reference : place of the reference group from 0, where one is named.
    A group without an estimate or without people is a gap. Ordered groups with a gap have no result; others
    have one while at most 15% of them are gaps. Raises ContractError for values that cannot be.
    """
    if scale not in SCALES:
        raise ContractError(f"no scale {scale!r}; one of {', '.join(SCALES)}")
    blank = np.full(np.shape(estimate), np.nan)
    y, n, s, low, high = as_floats(
        estimate=estimate,
        population=population,
        standard_error=blank if standard_error is None else standard_error,
        lower=blank if lower is None else lower,
        upper=blank if upper is None else upper,
    )
    _refuse_impossible(y, n, s, low, high, scale)
    if reference is not None and not 0 <= reference < len(y):
        raise ContractError(f"reference {reference} is not one of {len(y)} groups, counted from 0")
    distance = 2 * quantile(limits_confidence)
    s = np.where(np.isnan(s), (high - low) / distance, s)
    kept = ~np.isnan(y) & (n > 0)
    gaps = int((~kept).sum())
    total = n[kept].sum()
    refusal, note = _gaps_told(len(y), gaps, ordered)
    if reference is not None and not kept[reference]:
        note, reference = _joined(note, "the reference group has no estimate or no people"), None
    return Groups(
        estimate=y[kept],
        standard_error=s[kept],
        lower=low[kept],
        upper=high[kept],
        limits_confidence=limits_confidence,
        population=n[kept],
        share=n[kept] / total if total > 0 else n[kept],
        favourable=favourable,
        ordered=ordered,
        reference=None if reference is None else int(kept[:reference].sum()),
        scale=scale,
        declared=len(y),
        gaps=gaps,
        refusal=refusal,
        note=note,
    )


def refusal_of(groups: Groups, *, least: int = 3, relative: bool = False, positive: bool = False) -> str:
    """Why a measure of the groups has no result, or ''.

    least : groups that it needs. relative : it divides by the mean. positive : it takes no negative estimate.
    """
    if groups.refusal:
        return groups.refusal
    if len(groups.estimate) < least:
        return FEW[least]
    if positive and (groups.estimate < 0).any():
        return "an estimate is negative"
    return "a relative measure needs a mean above 0" if relative and not groups.mean > 0 else ""


def weighted_mean(estimate: FloatArray, share: FloatArray) -> FloatArray:
    """Mean over the last axis. Worked out from the first value, so that equal values give it exactly."""
    first = estimate[..., :1]
    return first[..., 0] + ((estimate - first) * share).sum(axis=-1)


def midpoint_rank(share: FloatArray) -> FloatArray:
    """Rank of the middle of each group, from 0 to 1: the share before it and half of its own."""
    return np.cumsum(share) - share / 2


def _refuse_impossible(
    y: FloatArray, n: FloatArray, s: FloatArray, low: FloatArray, high: FloatArray, scale: str
) -> None:
    if y.ndim != 1:
        raise ContractError("the groups of one population are one axis: arrays of shape (k,)")
    refuse_where(n < 0, "population is negative")
    refuse_where(s < 0, "standard_error is negative")
    refuse_where((low > y) | (high < y), "an estimate is outside its own limits")
    if scale != "plain":
        refuse_where((y < 0) | (low < 0), f"a {scale} is negative")
    if scale == "proportion":
        refuse_where((y > 1) | (high > 1), "a proportion is above 1; give fractions, not per cent")


def _gaps_told(declared: int, gaps: int, ordered: bool) -> tuple[str, str]:
    """Why there is no result, and what to keep in mind."""
    if not gaps:
        return "", ""
    told = f"{gaps} of {declared} groups have no estimate or no people"
    if ordered:
        return f"{told}, and ordered measures need every group", ""
    if gaps > GAPS_TOLERATED * declared:
        return f"{told}, more than {GAPS_TOLERATED:.0%}", ""
    return "", f"{told} and are left out"


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def quantile(confidence: Confidence) -> FloatArray:
    """Normal quantile of 1 less half of what confidence leaves."""
    from scipy.special import ndtri

    return ndtri(1 - tails(confidence))
