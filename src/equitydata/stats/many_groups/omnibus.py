"""Several groups at once: does the outcome differ between them at all, how much, and which groups carry it?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from equitydata.stats.answers import WEIGHTED, FloatArray, Test, TextArray, add_note, texts
from equitydata.stats.contracts import ContractError, as_counts, as_floats, refuse_where
from equitydata.stats.many_groups.answers import (
    LEFT_OUT_EMPTY,
    LEFT_OUT_MISSING,
    NO_CONTRAST,
    NO_EVENTS,
    ROUGH,
    SOME_MISSING,
    TOO_FEW_GROUPS,
    GroupsTest,
    no_test,
)
from equitydata.stats.many_groups.exact_tables import (
    DRAWS,
    SEED,
    TOO_MANY,
    as_table,
    can_be_drawn,
    chi_square_drawn,
    fisher,
)
from equitydata.stats.many_groups.goodness_of_fit import goodness_of_fit

METHODS = ("auto", "chi_square", "fisher", "monte_carlo")
SMALL, SMALLEST, MOST_SMALL = 5, 1, 0.20


def chi_square(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    method: str = "auto",
    draws: int = DRAWS,
    seed: int = SEED,
) -> GroupsTest:
    """Test that the share with the outcome is the same in every group.

    numerator, denominator : people with the outcome and all people, by group, shape (k,).
    Groups without people, or with a missing count, are left out and say so in note.
    Returns expected numerators and residuals by group; method and errors as in `chi_square_table`.
    """
    x, n = as_counts(numerator=numerator, denominator=denominator)
    if x.ndim != 1:
        raise ContractError("numerator and denominator have one axis")
    answer = chi_square_table(np.column_stack([x, n - x]), method=method, draws=draws, seed=seed)
    return replace(answer, expected=answer.expected[:, 0], residual=answer.residual[:, 0])


def chi_square_table(
    table: ArrayLike, *, method: str = "auto", draws: int = DRAWS, seed: int = SEED
) -> GroupsTest:
    """Test that rows (groups) and columns (outcomes) of a table are independent. No continuity correction.

    table : counts, shape (r, c), one row a group. Rows with nobody or a missing count, and columns with nobody,
        are left out.
    method : chi_square, fisher, monte_carlo (chi-square of drawn tables with the same margins), or auto:
        chi_square unless more than 20% of expected counts are below 5 or any is below 1; then Fisher's exact test
        while its tables can be listed, else monte_carlo. Counts that are not whole keep chi_square, with a note.
    test.statistic is chi-square whatever the method; df is NaN for an exact or drawn p-value.
    Missing, with the reason, when fewer than two groups are left or only one outcome occurs.
    Raises ContractError for negative counts, and for exact or drawn p-values of counts that are not whole.
    Pearson K (1900) Phil Mag 50:157-175; Cochran WG (1954) Biometrics 10:417-451; Haberman SJ (1973)
    Biometrics 29:205-220 for the residuals; Cramér H (1946) for V.
    """
    if method not in METHODS:
        raise ContractError(f"no method {method!r}; one of {', '.join(METHODS)}")
    counts = as_table(table)
    notes, held = _held(counts)
    expected, residual = np.full(counts.shape, np.nan), np.full(counts.shape, np.nan)
    columns = counts[held].sum(axis=0) > 0
    used = counts[held][:, columns]
    overall = SOME_MISSING if np.isnan(counts).any() else ""
    if min(used.shape) < 2:
        reason = TOO_FEW_GROUPS if used.shape[0] < 2 else NO_CONTRAST
        return GroupsTest(no_test("chi_square", reason), np.nan, "cramers_v", expected, residual, notes)
    total = used.sum()
    rows, cols = used.sum(axis=1, keepdims=True) / total, used.sum(axis=0, keepdims=True) / total
    fitted = total * rows * cols
    place = np.ix_(held, columns)
    expected[place] = fitted
    residual[place] = (used - fitted) / np.sqrt(fitted * (1 - rows) * (1 - cols))
    statistic = float(((used - fitted) ** 2 / fitted).sum())
    effect = float(np.sqrt(statistic / (total * (min(used.shape) - 1))))
    test = _tested(used, fitted, statistic, method=method, draws=draws, seed=seed)
    test = replace(test, note="; ".join(text for text in (test.note, overall) if text))
    return GroupsTest(test, effect, "cramers_v", expected, residual, notes)


def rate_homogeneity(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    method: str = "auto",
    draws: int = DRAWS,
    seed: int = SEED,
) -> GroupsTest:
    """Test that the rate of events is the same in every group, the events being Poisson.

    numerator : events; denominator : person-time or people, by group, shape (k,); the numerator may be larger.
    Given their total, the events fall on the groups in proportion to person-time: expected counts come from the
    pooled rate, and the test is `goodness_of_fit` against shares of person-time. method : as there, or
    deviance (2 Σ x ln(x / expected), k - 1 df). effect : Cohen's w.
    Groups without person-time or with a missing count are left out. Missing, with the reason, without events or
    with fewer than two groups. Raises ContractError for negative entries and events without person-time.
    Breslow NE, Day NE (1987) IARC vol II.
    """
    x, t = as_counts(at_most=False, numerator=numerator, denominator=denominator)
    if x.ndim != 1:
        raise ContractError("numerator and denominator have one axis")
    refuse_where((t == 0) & (x > 0), "events without person-time")
    missing = np.isnan(x) | np.isnan(t)
    notes, held = texts(x.shape), ~missing & (t > 0)
    add_note(notes, missing, LEFT_OUT_MISSING)
    add_note(notes, ~missing & (t == 0), LEFT_OUT_EMPTY)
    add_note(notes, held & (x != np.floor(x)), WEIGHTED)
    expected, residual = np.full(x.shape, np.nan), np.full(x.shape, np.nan)
    if held.sum() < 2 or x[held].sum() == 0:
        reason = TOO_FEW_GROUPS if held.sum() < 2 else NO_EVENTS
        return GroupsTest(no_test("chi_square", reason), np.nan, "cohens_w", expected, residual, notes)
    kind = "chi_square" if method == "deviance" else method
    fit = goodness_of_fit(counts=x[held], shares=t[held] / t[held].sum(), method=kind, draws=draws, seed=seed)
    expected[held], residual[held] = fit.expected, fit.residual
    test = _deviance(x[held], fit.expected) if method == "deviance" else fit.test
    overall = "; ".join(text for text in (test.note, SOME_MISSING if missing.any() else "") if text)
    return GroupsTest(replace(test, note=overall), fit.effect, "cohens_w", expected, residual, notes)


@dataclass(frozen=True)
class MeansTest:
    """One test over the means of several groups.

    test : statistic F, df of the numerator (k - 1). df_within : df of the denominator.
    effect : eta squared, the share of all variance that lies between groups, 0 to 1.
    residual : each mean less the precision-weighted mean of all, over its standard error; about standard normal
        under no difference. note : for each group, '' or why it is left out.
    """

    test: Test
    df_within: float
    effect: float
    residual: FloatArray
    note: TextArray


def welch_anova(*, people: ArrayLike, mean: ArrayLike, variance: ArrayLike) -> MeansTest:
    """Test that the mean is the same in every group, the variances being free to differ.

    people, mean, variance : by group, shape (k,); variance with n - 1 below.
    A group of fewer than two people, without spread, or with a missing entry is left out and says so.
    Missing, with the reason, when fewer than two groups are left. Raises ContractError for negative entries.
    Welch BL (1951) Biometrika 38:330-336.
    """
    from scipy.special import fdtrc

    n, m, v = as_floats(people=people, mean=mean, variance=variance)
    if n.ndim != 1:
        raise ContractError("people, mean and variance have one axis")
    refuse_where(n < 0, "people is negative")
    refuse_where(v < 0, "variance is negative")
    notes, residual = texts(n.shape), np.full(n.shape, np.nan)
    few = n < 2
    missing = ~few & (np.isnan(n) | np.isnan(m) | np.isnan(v))
    add_note(notes, few, "left out: fewer than two people")
    add_note(notes, missing, "left out: people, mean or variance is missing")
    add_note(notes, ~few & (v == 0), "left out: no spread within the group")
    held = ~few & ~missing & (v > 0)
    k = int(held.sum())
    if k < 2:
        return MeansTest(no_test("welch", TOO_FEW_GROUPS), np.nan, np.nan, residual, notes)
    n, m, v = n[held], m[held], v[held]
    w = n / v
    centre = (w * m).sum() / w.sum()
    spread = ((1 - w / w.sum()) ** 2 / (n - 1)).sum()
    between = (w * (m - centre) ** 2).sum() / (k - 1)
    f = float(between / (1 + 2 * (k - 2) / (k**2 - 1) * spread))
    df_within = float((k**2 - 1) / (3 * spread))
    residual[held] = (m - centre) / np.sqrt(1 / w - 1 / w.sum())
    square = (n * (m - (n * m).sum() / n.sum()) ** 2).sum()
    effect = float(square / (square + ((n - 1) * v).sum()))
    note = "groups are left out" if k < len(notes) else ""
    p_value = float(fdtrc(k - 1.0, df_within, f))
    return MeansTest(Test(f, k - 1.0, p_value, "welch", note), df_within, effect, residual, notes)


def _held(counts: FloatArray) -> tuple[TextArray, np.ndarray]:
    """Which rows take part, and the notes of all rows."""
    notes, missing = texts(counts.shape[:1]), np.isnan(counts).any(axis=1)
    empty = ~missing & (counts.sum(axis=1) == 0)
    add_note(notes, missing, LEFT_OUT_MISSING)
    add_note(notes, empty, LEFT_OUT_EMPTY)
    add_note(notes, ~missing & (counts != np.floor(counts)).any(axis=1), WEIGHTED)
    return notes, ~missing & ~empty


def _tested(
    counts: FloatArray, expected: FloatArray, statistic: float, *, method: str, draws: int, seed: int
) -> Test:
    from scipy.special import chdtrc

    whole, note = bool((counts == np.floor(counts)).all()), ""
    if method in ("fisher", "monte_carlo") and not whole:
        raise ContractError(f"{method} needs whole counts")
    if method == "auto":
        sparse = bool((expected < SMALL).mean() > MOST_SMALL or (expected < SMALLEST).any())
        method = "chi_square" if not sparse or not whole else "auto"
        note = ROUGH if sparse and not whole else ""
    if method == "chi_square":
        df = (counts.shape[0] - 1.0) * (counts.shape[1] - 1.0)
        return Test(statistic, df, float(chdtrc(df, statistic)), "chi_square", note)
    if method in ("fisher", "auto"):
        # Draws of Fisher's test would be wasted where drawn chi-square takes over.
        exact = fisher(counts, draws=draws if method == "fisher" else 1, seed=seed)
        if method == "fisher" or exact.method == "fisher":
            return replace(exact, statistic=statistic)
    if not can_be_drawn(counts):
        return no_test("monte_carlo", TOO_MANY)
    p_value = chi_square_drawn(counts, statistic, draws, seed)
    return Test(statistic, float("nan"), p_value, "monte_carlo", "", draws, seed)


def _deviance(x: FloatArray, expected: FloatArray) -> Test:
    from scipy.special import chdtrc, xlogy

    statistic, df = float(max(0.0, 2 * xlogy(x, x / expected).sum())), len(x) - 1.0
    return Test(statistic, df, float(chdtrc(df, statistic)), "deviance")
