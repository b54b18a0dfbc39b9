"""The grid of cells that an adjusted comparison is fitted to: one row a cell, people counted and not listed.

Every cell holds the people of one group who have the same covariates. What cannot enter a model (a cell with
a missing entry, a group with nobody or without a single event, a covariate that repeats another) is put
aside here, and said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import NOBODY, FloatArray, TextArray, add_note, texts
from equitydata.stats.contracts import ContractError, as_floats, refuse_where

# A column is taken for a combination of earlier ones where less than this share of its length is left over.
NOTHING_NEW = 1e-9


@dataclass(frozen=True)
class CellGrid:
    """Cells that enter a model, and what was put aside.

    cells : shape (m,); which entries of the input are in. size : (m,) people or person-time of each.
    group : (m,) place of its group within `modelled`. modelled : (g,) numbers of the groups in the model.
    covariates : (m, p) columns, without an intercept; numbers are centred at their mean. terms : their names.
    note : shape (declared groups,); what was put aside, as far as it concerns the group.
    confounded : why no group can be told from the covariates, or ''.
    """

    cells: NDArray[np.intp]
    size: FloatArray
    group: NDArray[np.intp]
    modelled: NDArray[np.intp]
    covariates: FloatArray
    terms: tuple[str, ...]
    note: TextArray
    confounded: str

    @property
    def columns(self) -> FloatArray:
        """Columns of the model, (m, g + p): one for each group, then the covariates."""
        return np.hstack([np.eye(len(self.modelled))[self.group], self.covariates])


def group_numbers(group: ArrayLike, groups: int | None) -> tuple[FloatArray, int]:
    """Group of each cell as floats (NaN is missing), and how many groups are declared.

    Raises ContractError unless the numbers are whole, from 0, and below `groups` where that is given.
    """
    (numbers,) = as_floats(group=group)
    if numbers.ndim != 1:
        raise ContractError("one entry a cell is wanted: arrays of one dimension")
    refuse_where(
        (numbers < 0) | (numbers != np.floor(numbers)) & ~np.isnan(numbers), "group is no whole number"
    )
    present = int(np.nanmax(numbers)) + 1 if np.any(~np.isnan(numbers)) else 0
    if groups is not None and groups < present:
        raise ContractError(f"{groups} groups are declared, and group {present - 1} occurs")
    return numbers, present if groups is None else groups


def lay_out(
    *,
    group: FloatArray,
    size: FloatArray,
    complete: NDArray[np.bool_],
    groups: int,
    categories: Mapping[str, ArrayLike] | None,
    numbers: Mapping[str, ArrayLike] | None,
    needed: Mapping[str, FloatArray],
) -> CellGrid:
    """Lay out the cells of a model.

    group, size, complete : one entry a cell; complete is False where the outcome is missing.
    categories, numbers : covariates by name, each one entry a cell.
    needed : reason -> one amount a cell; a group whose amounts come to 0 stays out of the model for that reason.
    """
    codes = {name: _codes(name, values, len(group)) for name, values in (categories or {}).items()}
    lines = {name: _line(name, values, len(group)) for name, values in (numbers or {}).items()}
    usable = complete & ~np.isnan(group) & ~np.isnan(size)
    for column in (*codes.values(), *lines.values()):
        usable = usable & ~np.isnan(column)
    note, out = _put_aside(group, size, usable, groups, needed)
    keep = usable & (size > 0)
    keep[keep] = ~out[group[keep].astype(int)]
    cells = np.flatnonzero(keep)
    modelled, place = np.unique(group[cells].astype(int), return_inverse=True)
    columns, terms, linear = _columns(
        {name: values[cells] for name, values in codes.items()},
        {name: values[cells] for name, values in lines.items()},
        len(cells),
    )
    fresh = independent(np.hstack([np.ones((len(cells), 1)), columns]))[1:]
    if len(cells) and not fresh.all():
        repeated = ", ".join(term for term, new in zip(terms, fresh, strict=True) if not new)
        add_note(note, ~out, f"covariates that repeat others are left out: {repeated}")
    if linear.any():
        columns[:, linear] -= np.average(columns[:, linear], axis=0, weights=size[cells])
    columns, terms = columns[:, fresh], tuple(np.array(terms, dtype=object)[fresh])
    apart = independent(np.hstack([np.eye(len(modelled))[place], columns])).all()
    together = (
        "" if apart else "groups and covariates go together, so that their effects cannot be told apart"
    )
    return CellGrid(cells, size[cells], place, modelled, columns, terms, note, together)


def _put_aside(
    group: FloatArray,
    size: FloatArray,
    usable: NDArray[np.bool_],
    groups: int,
    needed: Mapping[str, FloatArray],
) -> tuple[TextArray, NDArray[np.bool_]]:
    """What to say of each group, and which groups are out of the model."""
    note = texts((groups,))
    out = np.zeros(groups, dtype=bool)
    for reason, amounts in {NOBODY: size, **needed}.items():
        nothing = np.bincount(group[usable].astype(int), weights=amounts[usable], minlength=groups) == 0
        add_note(note, nothing & ~out, reason)
        out = out | nothing
    if lost := int(np.sum(~usable)):
        add_note(note, np.full(groups, True), f"{lost} of {len(group)} cells left out: an entry is missing")
    return note, out


def _codes(name: str, values: ArrayLike, cells: int) -> FloatArray:
    """A category of each cell as a number, NaN where it is missing (NaN or None)."""
    raw = np.asarray(values)
    if raw.shape != (cells,):
        raise ContractError(f"covariate {name} has shape {raw.shape}, {cells} cells are given")
    if raw.dtype.kind in "fiub":
        return raw.astype(float)
    missing = np.array([value is None or value != value for value in raw.tolist()], dtype=bool)
    _, numbers = np.unique(np.array([str(value) for value in raw.tolist()]), return_inverse=True)
    return np.where(missing, np.nan, numbers)


def _line(name: str, values: ArrayLike, cells: int) -> FloatArray:
    """A numeric covariate of each cell."""
    raw = np.asarray(values, dtype=float)
    if raw.shape != (cells,):
        raise ContractError(f"covariate {name} has shape {raw.shape}, {cells} cells are given")
    refuse_where(np.isinf(raw), f"covariate {name} is infinite")
    return raw


def _columns(
    codes: Mapping[str, FloatArray], lines: Mapping[str, FloatArray], cells: int
) -> tuple[FloatArray, tuple[str, ...], NDArray[np.bool_]]:
    """Columns of the covariates, their names, and which of them are numbers.

    A category has one column for each of its codes but the first.
    """
    columns: list[FloatArray] = [np.zeros((cells, 0))]
    terms: list[str] = []
    for name, values in codes.items():
        levels = np.unique(values)[1:]
        columns.append((values[:, np.newaxis] == levels).astype(float))
        terms.extend(f"{name}={level:g}" for level in levels)
    columns.extend(values[:, np.newaxis] for values in lines.values())
    linear = np.arange(len(terms) + len(lines)) >= len(terms)
    return np.hstack(columns), (*terms, *lines), linear


def independent(columns: FloatArray) -> NDArray[np.bool_]:
    """Which columns are no combination of the columns before them (Gram-Schmidt, each step done twice)."""
    basis, found = np.zeros((min(columns.shape), len(columns))), 0
    new = np.zeros(columns.shape[1], dtype=bool)
    for place, column in enumerate(columns.T):
        length = np.linalg.norm(column)
        if length == 0:
            continue
        left = column / length
        for _ in range(2):
            left = left - (basis[:found] @ left) @ basis[:found]
        over = np.linalg.norm(left)
        new[place] = over > NOTHING_NEW and found < len(basis)
        if new[place]:
            basis[found] = left / over
            found += 1
    return new
