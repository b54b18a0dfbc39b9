"""A group held against a total that contains it.

The two are correlated, so an interval or test for independent groups does not fit. Test the group against the
rest, everyone not in it, and derive the comparison with the total from that: the functions here do it exactly.
Hayes LJ, Berry G (2006). J Public Health 28:278-282.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import Estimates, FloatArray, add_note, texts
from equitydata.stats.contracts import ContractError, as_counts, as_floats, refuse_where

NO_REST = "the group is everyone: no rest to compare with"
MISSING_SHARE = "the group's share is missing"


def rest_of(
    *, numerator: ArrayLike, denominator: ArrayLike, total_numerator: ArrayLike, total_denominator: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Cases and people of everyone not in a group, from those of the group and of the total containing it.

    All of one shape; a single total is spread over the groups. NaN goes through. Raises ContractError where a
    group passes its total: then it is no part of it.
    """
    x, n, all_x, all_n = as_floats(
        numerator=numerator,
        denominator=denominator,
        total_numerator=total_numerator,
        total_denominator=total_denominator,
    )
    as_counts(at_most=False, numerator=x, denominator=n)
    refuse_where(x > all_x, "numerator is above total_numerator")
    refuse_where(n > all_n, "denominator is above total_denominator")
    return all_x - x, all_n - n


def ratio_to_overall(to_rest: Estimates, *, share: ArrayLike) -> Estimates:
    """The ratio of a group to the total containing it, from its ratio to the rest.

    to_rest : a risk, rate or mean ratio to the rest. share : the group's share f of all people (of all
    person-time for rates), a fraction, of the shape of the value. ratio / (f * ratio + 1 - f) rises with the
    ratio, so the limits go through it as the value does, and exclude 1 exactly when the limits to the rest do.
    An infinite ratio to the rest becomes 1 / f. Missing, with the reason, where the share is 1 or missing.
    Not for odds ratios. Raises ContractError for a share outside 0 to 1 and a negative ratio.
    """
    f = _as_share(share, to_rest)
    for name in ("value", "lower", "upper"):
        refuse_where(getattr(to_rest, name) < 0, f"{name} is negative: not a ratio")

    def mapped(ratio: FloatArray) -> FloatArray:
        part = f[..., np.newaxis] if ratio.ndim > f.ndim else f
        with np.errstate(divide="ignore"):
            return np.asarray(1 / (part + (1 - part) / ratio))

    return _derived(to_rest, f, mapped(to_rest.value), mapped(to_rest.lower), mapped(to_rest.upper))


def difference_to_overall(to_rest: Estimates, *, share: ArrayLike) -> Estimates:
    """The difference of a group from the total containing it: 1 - share times its difference from the rest.

    to_rest : a difference of risks, rates or means from the rest. share, edges and errors as in
    `ratio_to_overall`.
    """
    f = _as_share(share, to_rest)
    wide = f[..., np.newaxis] if to_rest.lower.ndim > f.ndim else f
    return _derived(
        to_rest, f, (1 - f) * to_rest.value, (1 - wide) * to_rest.lower, (1 - wide) * to_rest.upper
    )


def naive_z_factor(share: ArrayLike) -> FloatArray:
    """What to multiply a z by that was worked out as if a group and its total were independent.

    For use where only the total is known: sqrt((1 + share) / (1 - share)), exact if people of the group and of
    the rest vary alike. 1 at share 0, infinite at share 1, NaN where the share is missing.
    Raises ContractError for a share outside 0 to 1.
    """
    (f,) = as_floats(share=share)
    refuse_where((f < 0) | (f > 1), "share is a fraction from 0 to 1")
    with np.errstate(divide="ignore"):
        return np.asarray(np.sqrt((1 + f) / (1 - f)))


def _as_share(share: ArrayLike, to_rest: Estimates) -> FloatArray:
    """The share, of the shape of the value."""
    (f,) = as_floats(share=share)
    if f.shape not in ((), to_rest.value.shape):
        raise ContractError(f"arrays of unequal shape: share {f.shape}, value {to_rest.value.shape}")
    refuse_where((f < 0) | (f > 1), "share is a fraction from 0 to 1")
    return np.array(np.broadcast_to(f, to_rest.value.shape))


def _derived(to_rest: Estimates, f: FloatArray, value: NDArray, lower: NDArray, upper: NDArray) -> Estimates:
    notes, method = to_rest.note.copy(), texts(value.shape)
    there = ~np.isnan(to_rest.value)
    add_note(notes, there & np.isnan(f), MISSING_SHARE)
    add_note(notes, there & (f == 1), NO_REST)
    for name in set(to_rest.method.ravel().tolist()):
        method[np.equal(to_rest.method, name)] = f"{name}, derived from the rest"
    value, lower, upper = (
        np.where(f[..., np.newaxis] < 1 if array.ndim > f.ndim else f < 1, array, np.nan)
        for array in (value, lower, upper)
    )
    return dataclasses.replace(to_rest, value=value, lower=lower, upper=upper, method=method, note=notes)
