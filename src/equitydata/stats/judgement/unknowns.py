"""What people of unknown group could do to a finding: bounds, and where it would turn.

Nothing here says which group the unknown belong to. It says how far their true groups could move a result, and
how many of them would have to belong to one group for the finding to turn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import MISSING_COUNT, Estimates, FloatArray, TextArray, add_note, texts
from equitydata.stats.contracts import ContractError, as_floats, refuse_where, tails
from equitydata.stats.judgement.band import FOUR_FIFTHS, Band, checked, side_of_band
from equitydata.stats.many_groups.representation import NO_SHARE, SHARE_ZERO, representation_ratio

CRITERIA = ("limit", "band")
GRIDS = (100, *(10,) * 8)  # a hundred steps, then tenths of a step, of a tenth, ...
NO_RATIO = "no ratio from the known"
NO_UNKNOWN = "nobody is of unknown group"
NO_FINDING = "no finding that could turn"
NEVER = "no share of the unknown turns the finding"
TURNED = "the finding has turned already with the unknown given pro rata"

Limits = Callable[..., Estimates]
Counts = tuple[FloatArray, FloatArray]


@dataclass(frozen=True)
class Bounds:
    """A ratio under different assumptions about the people of unknown group. Shape S throughout.

    known : leaving the unknown out. none, everyone : none or all of them given to the group. pro_rata : given in
        proportion, the share pro_rata_share of them to the group. lowest, highest : the extremes of any assignment.
    finding : of the known, 1 high, -1 low, 0 none, by the criterion asked for.
    fragile : the finding turns when the unknown are given pro rata. firm : it holds with none, pro rata and all
        given. A finding that is neither turns at a bound only. Both are False without a finding.
    at_most, at_least : the tipping points: the finding turns when the group's share of the unknown is at most, or
        at least, this fraction. NaN where it does not turn in that direction.
    note : '' or why an entry is NaN, has no finding, or never turns.
    """

    known: FloatArray
    none: FloatArray
    everyone: FloatArray
    pro_rata: FloatArray
    pro_rata_share: FloatArray
    lowest: FloatArray
    highest: FloatArray
    finding: NDArray[np.int64]
    fragile: NDArray[np.bool_]
    firm: NDArray[np.bool_]
    at_most: FloatArray
    at_least: FloatArray
    note: TextArray


def representation_bounds(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    unknown: ArrayLike,
    share: ArrayLike,
    criterion: str = "limit",
    band: Band = FOUR_FIFTHS,
    confidence: float = 0.95,
) -> Bounds:
    """Bounds and tipping points of a representation ratio when some of those counted are of unknown group.

    numerator : those counted in the group; denominator : all counted whose group is known; unknown : counted, group
        not known; share : population share, a fraction. Shape S, or single numbers.
    criterion : limit (Wilson limits of the ratio exclude 1) or band (the ratio lies outside the band).
    Pro rata gives the group its population share of the unknown, which draws the ratio towards 1: what not
    knowing does if being unknown has nothing to do with the group. Given in proportion to the known instead, the
    ratio would stay as it is.
    Missing, with the reason, for missing entries, a share of 0, or nobody known.
    Raises ContractError for counts that cannot be, and several confidence levels.
    """
    x, n, u, pi = as_floats(numerator=numerator, denominator=denominator, unknown=unknown, share=share)
    _refuse(x, n, "numerator is above denominator")
    refuse_where(u < 0, "unknown is negative")
    refuse_where((pi < 0) | (pi > 1), "share lies outside 0 to 1")
    over = np.where(pi > 0, pi, np.nan)

    def ratio(q: FloatArray, some: FloatArray, limits: bool) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Ratio and limits with the fraction q of some unknown given to the group; pairs of equal shape."""
        cases = np.minimum(x + q * some, n + some)
        if not limits:
            with np.errstate(invalid="ignore", divide="ignore"):
                value = cases / (n + some) / over
            return value, value, value
        with np.errstate(invalid="ignore"):
            found = representation_ratio(
                numerator=cases,
                denominator=np.broadcast_to(n + some, cases.shape),
                share=np.broadcast_to(pi, cases.shape),
                confidence=confidence,
            )
        return found.value, found.lower, found.upper

    notes = texts(x.shape)
    add_note(notes, np.isnan(x + n + u), MISSING_COUNT)
    add_note(notes, np.isnan(pi), NO_SHARE)
    add_note(notes, pi == 0, SHARE_ZERO)
    state = _state_by(criterion, band, confidence, ratio)
    return _bounds(ratio, state, pi, u, (None, None), notes)


def outcome_bounds(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    comparator_numerator: ArrayLike,
    comparator_denominator: ArrayLike,
    unknown_numerator: ArrayLike,
    unknown_denominator: ArrayLike,
    criterion: str = "limit",
    band: Band = FOUR_FIFTHS,
    confidence: float = 0.95,
    ratio_of: Limits | None = None,
) -> Bounds:
    """Bounds and tipping points of a risk ratio of a group to the rest, when some people are of unknown group.

    numerator, denominator : people with the outcome and all people in the group; comparator_... : in the rest;
        unknown_... : of unknown group. Shape S, or single numbers.
    The unknown are given to the group in part and to the rest for what remains, with the outcome as common among
    those given as among all unknown; pro rata gives the group its share of the known. lowest and highest give the
    unknown by their outcome instead, all with it to one side and all without it to the other.
    criterion, band : as in `representation_bounds`. ratio_of : gives the limits, called as
        `comparing.risk_ratio`, which it is by default.
    Missing, with the reason, for missing entries or where the known have no ratio.
    Raises ContractError for counts that cannot be, and several confidence levels.
    """
    names = ("numerator", "comparator_numerator", "unknown_numerator")
    x1, n1, x2, n2, ux, un = as_floats(
        numerator=numerator, denominator=denominator,
        comparator_numerator=comparator_numerator, comparator_denominator=comparator_denominator,
        unknown_numerator=unknown_numerator, unknown_denominator=unknown_denominator,
    )  # fmt: skip
    for name, x, n in zip(names, (x1, x2, ux), (n1, n2, un), strict=True):
        _refuse(x, n, f"{name} is above its denominator")
    limits_of = _risk_ratio_limits if ratio_of is None else ratio_of
    common = np.where(un > 0, ux / np.where(un > 0, un, 1.0), 0.0)

    def ratio(q: FloatArray, some: FloatArray, limits: bool) -> tuple[FloatArray, FloatArray, FloatArray]:
        given, kept = q * some, (1 - q) * some
        first = np.minimum(x1 + given * common, n1 + given), n1 + given
        second = np.minimum(x2 + kept * common, n2 + kept), n2 + kept
        if not limits:
            value = _risk_ratio(first, second)
            return value, value, value
        found = limits_of(
            numerator=first[0], denominator=first[1],
            comparator_numerator=second[0], comparator_denominator=second[1], confidence=confidence,
        )  # fmt: skip
        return found.value, found.lower, found.upper

    notes = texts(x1.shape)
    add_note(notes, np.isnan(x1 + n1 + x2 + n2 + ux + un), MISSING_COUNT)
    with np.errstate(invalid="ignore", divide="ignore"):
        part = n1 / (n1 + n2)
    without = un - ux
    highest = _risk_ratio((x1 + ux, n1 + ux), (x2, n2 + without))
    lowest = _risk_ratio((x1, n1 + without), (x2 + ux, n2 + ux))
    return _bounds(ratio, _state_by(criterion, band, confidence, ratio), part, un, (lowest, highest), notes)


def _risk_ratio_limits(**counts: Any) -> Estimates:
    from equitydata.stats.two_groups.proportions import risk_ratio

    return risk_ratio(**counts)


def _refuse(x: FloatArray, n: FloatArray, above: str) -> None:
    refuse_where((x < 0) | (n < 0), "counts are negative")
    refuse_where(x > n, above)


def _risk_ratio(first: Counts, second: Counts) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return (first[0] / first[1]) / (second[0] / second[1])


def _state_by(
    criterion: str, band: Band, confidence: float, ratio: Callable
) -> Callable[[FloatArray, FloatArray], NDArray]:
    """How to tell a finding: high (1), low (-1) or none (0)."""
    if criterion not in CRITERIA:
        raise ContractError(f"no criterion {criterion!r}; one of {', '.join(CRITERIA)}")
    if tails(confidence).ndim:
        raise ContractError("one confidence at a time: a finding rests on one interval")
    checked(band)

    def state(q: FloatArray, some: FloatArray) -> NDArray[np.int64]:
        value, lower, upper = ratio(q, some, criterion == "limit")
        if criterion == "band":
            return side_of_band(value, band)
        return (lower > 1).astype(np.int64) - (upper < 1).astype(np.int64)

    return state


def _bounds(
    ratio: Callable,
    state: Callable[[FloatArray, FloatArray], NDArray],
    part: FloatArray,
    unknown: FloatArray,
    extremes: tuple[FloatArray | None, FloatArray | None],
    notes: TextArray,
) -> Bounds:
    nobody, zero, one = np.zeros_like(unknown), np.zeros_like(unknown), np.ones_like(unknown)
    at = partial(ratio, some=unknown, limits=False)
    known, none, everyone = ratio(zero, nobody, False)[0], at(zero)[0], at(one)[0]
    pro_rata = at(part)[0]
    finding = state(zero, nobody)
    lowest = np.minimum(none, everyone) if extremes[0] is None else extremes[0]
    highest = np.maximum(none, everyone) if extremes[1] is None else extremes[1]
    add_note(notes, np.isnan(known) & (notes == ""), NO_RATIO)
    add_note(notes, (notes == "") & (unknown == 0), NO_UNKNOWN)
    usable = notes == ""
    add_note(notes, usable & (finding == 0), NO_FINDING)
    told = usable & (finding != 0)
    fragile = told & (state(part, unknown) != finding)
    firm = (finding != 0) & ~fragile & ((unknown == 0) | usable)
    firm &= (state(zero, unknown) == finding) & (state(one, unknown) == finding)
    at_most, at_least = _tipping(lambda q: state(q, unknown) == finding, part, told & ~fragile)
    at_most, at_least = np.where(fragile, part, at_most), np.where(fragile, part, at_least)
    add_note(notes, fragile, TURNED)
    add_note(notes, told & np.isnan(at_most) & np.isnan(at_least), NEVER)
    return Bounds(
        known, none, everyone, pro_rata, part, lowest, highest, finding, fragile, firm, at_most, at_least, notes
    )  # fmt: skip


def _tipping(
    holds: Callable[[FloatArray], NDArray[np.bool_]], start: FloatArray, wanted: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """The nearest fractions below and above start at which the finding no longer holds; NaN where it always does.

    A grid from start to each end finds the first step that turns, because a finding can turn and turn back; finer
    grids then place the turn within that step. Grids lie along a first axis, which costs few calls of holds.
    """
    sides = []
    for end in (0.0, 1.0):
        inside = np.where(wanted, start, 0.0)
        outside, found = np.full(start.shape, end), wanted
        for steps in GRIDS:
            parts = np.linspace(0, 1, steps + 1).reshape((-1,) + (1,) * start.ndim)
            grid = inside * (1 - parts) + outside * parts
            turned = ~holds(grid[1:])
            found = found & turned.any(axis=0)
            first = np.where(found, turned.argmax(axis=0), 0)[np.newaxis]
            inside = np.take_along_axis(grid, first, axis=0)[0]
            outside = np.take_along_axis(grid, first + 1, axis=0)[0]
        sides.append(np.where(found, outside, np.nan))
    return sides[0], sides[1]
