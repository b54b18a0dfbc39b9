"""Exact and drawn p-values of tables with fixed margins: for counts too small for chi-square.

A table is as extreme as the observed one when it is no more probable under independence (Fisher). Probabilities
within one part in ten million count as equal, since equal ones differ by rounding.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import FloatArray, Test
from equitydata.stats.contracts import ContractError, as_floats, refuse_where
from equitydata.stats.many_groups.answers import NO_CONTRAST, no_test

MOST_TABLES = 200_000  # tables listed at most for an exact p-value: a fraction of a second
DRAWS = 10_000
SEED = 20_240_501
TIE = 1e-7
DRAWN_CELLS = 4_000_000  # drawn at a time, which keeps memory at some tens of megabytes
MOST_DRAWN = 2**31 - 1  # people in a table that can be drawn
TOO_MANY = "too many people for tables to be drawn"


def fisher(table: ArrayLike, *, draws: int = DRAWS, seed: int = SEED, most_tables: int = MOST_TABLES) -> Test:
    """Fisher's test that rows and columns of a table are independent, for tables of any size.

    table : whole counts, shape (r, c). Rows and columns that hold nobody add nothing.
    Exact by listing every table with the same margins while there are at most most_tables (method `fisher`);
    drawn beyond that (method `fisher_monte_carlo`, with draws and seed), p-value (1 + hits)/(1 + draws).
    statistic : probability of the observed table given its margins; df is NaN.
    Missing, with the reason, when a count is missing or only one row or column holds anybody.
    Raises ContractError for negative or broken counts.
    Fisher RA (1935); Freeman GH, Halton JH (1951) Biometrika 38:141-149.
    """
    counts = as_table(table)
    if np.isnan(counts).any():
        return no_test("fisher", "a count is missing")
    refuse_where(counts != np.floor(counts), "counts are not whole numbers")
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(counts.shape) < 2:
        return no_test("fisher", NO_CONTRAST)
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    observed = _log_probability(counts, rows, columns)
    listed = log_probabilities_of_tables(rows, columns, most_tables)
    if listed is not None:
        p_value = float(np.exp(listed[listed <= observed + tie(counts.sum())]).sum())
        return Test(float(np.exp(observed)), float("nan"), min(p_value, 1.0), "fisher")
    if not can_be_drawn(counts):
        return no_test("fisher", TOO_MANY)
    hits = sum(
        int((_log_probability(drawn, rows, columns) <= observed + tie(counts.sum())).sum())
        for drawn in drawn_tables(rows, columns, draws, seed)
    )
    p_value = (1 + hits) / (1 + draws)
    return Test(float(np.exp(observed)), float("nan"), p_value, "fisher_monte_carlo", "", draws, seed)


def chi_square_drawn(table: FloatArray, statistic: float, draws: int, seed: int) -> float:
    """Share of drawn tables with the margins of this one whose chi-square is as large, (1 + hits)/(1 + draws)."""
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    expected = np.outer(rows, columns) / table.sum()
    hits = 0
    for drawn in drawn_tables(rows, columns, draws, seed):
        drawn_statistics = ((drawn - expected) ** 2 / expected).sum(axis=(1, 2))
        hits += int((drawn_statistics >= statistic * (1 - TIE)).sum())
    return (1 + hits) / (1 + draws)


def can_be_drawn(table: FloatArray) -> bool:
    """Whether tables with these margins can be drawn: whole counts of fewer than two thousand million people."""
    return bool((table == np.floor(table)).all() and table.sum() <= MOST_DRAWN)


def tie(total: float) -> float:
    """How far apart two log probabilities may lie and still count as equal, given what rounding does to them."""
    from scipy.special import gammaln

    return max(TIE, float(16 * np.finfo(float).eps * gammaln(total + 1)))


def as_table(table: ArrayLike) -> FloatArray:
    """A table of counts as floats, shape (r, c). Raises ContractError for another shape or negative counts."""
    (counts,) = as_floats(table=table)
    if counts.ndim != 2:
        raise ContractError(f"a table has rows and columns; found shape {counts.shape}")
    refuse_where(counts < 0, "counts are negative")
    return counts


def log_probabilities_of_tables(rows: FloatArray, columns: FloatArray, most: int) -> FloatArray | None:
    """Log probability of every table with these margins under independence; None if there are more than most.

    Cell by cell, all part-filled tables at once: each is continued by every count that its row and column
    leave open. Margins alone decide, so no part-filled table is a dead end.
    """
    from scipy.special import gammaln

    if len(columns) > len(rows):
        rows, columns = columns, rows  # fewer columns: less to carry along
    open_columns = columns[np.newaxis, :].copy()
    logs = np.zeros(1)
    for row in rows[:-1]:
        row_left = np.full(len(logs), row)
        for j in range(len(columns) - 1):
            later = open_columns[:, j + 1 :].sum(axis=1)
            least = np.maximum(0, row_left - later)
            choices = (np.minimum(row_left, open_columns[:, j]) - least + 1).astype(np.int64)
            if choices.sum() > most:
                return None
            parent, place = expand(choices)
            count = least[parent] + place
            open_columns, row_left, logs = open_columns[parent], row_left[parent] - count, logs[parent]
            open_columns[:, j] -= count
            logs -= gammaln(count + 1)
        open_columns[:, -1] -= row_left
        logs -= gammaln(row_left + 1)
    logs -= gammaln(open_columns + 1).sum(axis=1)
    return logs + _log_margins(rows, columns)


def drawn_tables(rows: FloatArray, columns: FloatArray, draws: int, seed: int) -> Iterator[NDArray]:
    """Tables drawn under independence with these margins, in batches of shape (some, r, c)."""
    from scipy.stats import random_table

    if draws < 1:
        raise ContractError("draws is at least 1")
    generator = np.random.default_rng(seed)
    source = random_table(rows.astype(np.int64), columns.astype(np.int64))
    batch = max(1, DRAWN_CELLS // (len(rows) * len(columns)))
    for start in range(0, draws, batch):
        yield source.rvs(size=min(batch, draws - start), random_state=generator)


def expand(choices: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each choice of each part-filled table: whose it is, and its place 0, 1, 2... among them."""
    parent = np.repeat(np.arange(len(choices)), choices)
    starts = np.cumsum(choices) - choices
    return parent, np.arange(len(parent)) - starts[parent]


def _log_margins(rows: FloatArray, columns: FloatArray) -> float:
    from scipy.special import gammaln

    return float(gammaln(rows + 1).sum() + gammaln(columns + 1).sum() - gammaln(rows.sum() + 1))


def _log_probability(tables: NDArray, rows: FloatArray, columns: FloatArray) -> FloatArray:
    from scipy.special import gammaln

    return _log_margins(rows, columns) - gammaln(tables + 1.0).sum(axis=(-2, -1))
