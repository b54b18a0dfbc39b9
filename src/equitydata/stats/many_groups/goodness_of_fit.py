"""Counts of several groups against fixed shares: are the groups represented as the shares say?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from equitydata.stats.answers import MISSING_COUNT, WEIGHTED, FloatArray, Test, add_note, texts
from equitydata.stats.contracts import ContractError, as_floats, refuse_where
from equitydata.stats.many_groups.answers import NO_EVENTS, ROUGH, TOO_FEW_GROUPS, GroupsTest, no_test
from equitydata.stats.many_groups.exact_tables import DRAWS, MOST_TABLES, SEED, TIE, expand, tie

METHODS = ("auto", "chi_square", "exact", "monte_carlo")
LEAST_EXPECTED = 5
SHARES_SUM = 1e-6
NO_SHARE = "left out: neither a share nor a count"
CASES_WITHOUT_SHARE = "counted in a group whose share is 0"


def goodness_of_fit(
    *, counts: ArrayLike, shares: ArrayLike, method: str = "auto", draws: int = DRAWS, seed: int = SEED
) -> GroupsTest:
    """Test that counts of several groups follow fixed shares.

    counts : cases by group, shape (k,). shares : fractions of the population by group, summing to 1.
    method : chi_square (k - 1 df), exact (multinomial: outcomes no more probable than the observed one),
        monte_carlo (chi-square of drawn counts), or auto: chi_square when every expected count is at least 5,
        else exact while at most 200,000 outcomes can be listed, else monte_carlo.
    statistic : chi-square, whatever the method. effect : Cohen's w, sqrt(chi-square / total).
    A group with a share of 0 and no count is left out; with a count it makes the statistic infinite and p 0.
    A missing count or share, or no events, makes the result missing, with the reason.
    Raises ContractError for negative entries, shares that do not sum to 1, and exact or drawn p-values of counts
    that are not whole.
    Pearson K (1900) Phil Mag 50:157-175.
    """
    if method not in METHODS:
        raise ContractError(f"no method {method!r}; one of {', '.join(METHODS)}")
    x, share = as_floats(counts=counts, shares=shares)
    refuse_where(x < 0, "counts is negative")
    refuse_where(share < 0, "shares is negative")
    if x.ndim != 1:
        raise ContractError("counts and shares have one axis")
    notes = texts(x.shape)
    add_note(notes, np.isnan(x) | np.isnan(share), MISSING_COUNT)
    if np.isnan(x).any() or np.isnan(share).any() or not len(x):
        blank = np.full(x.shape, np.nan)
        reason = MISSING_COUNT if len(x) else TOO_FEW_GROUPS
        return GroupsTest(no_test("chi_square", reason), np.nan, "cohens_w", blank, blank, notes)
    if abs(share.sum() - 1) > SHARES_SUM:
        raise ContractError(f"shares sum to {share.sum():.6g} and not to 1")
    share, total = share / share.sum(), x.sum()
    add_note(notes, (share == 0) & (x == 0), NO_SHARE)
    add_note(notes, (share == 0) & (x > 0), CASES_WITHOUT_SHARE)
    add_note(notes, x != np.floor(x), WEIGHTED)
    test = _tested(x, share, method, draws, seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        residual = np.where(share > 0, (x - total * share) / np.sqrt(total * share * (1 - share)), np.nan)
        effect = float(np.sqrt(np.float64(test.statistic) / total))
    residual = np.where(np.isinf(residual), np.nan, residual)
    return GroupsTest(test, effect, "cohens_w", total * share, residual, notes)


def _tested(x: FloatArray, share: FloatArray, method: str, draws: int, seed: int) -> Test:
    from scipy.special import chdtrc

    total, held = x.sum(), share > 0
    if x[~held].any():
        return Test(float("inf"), float("nan"), 0.0, "chi_square", CASES_WITHOUT_SHARE)
    x, share = x[held], share[held]
    if len(x) < 2:
        return no_test("chi_square", TOO_FEW_GROUPS)
    if total == 0:
        return no_test("chi_square", NO_EVENTS)
    expected = total * share
    statistic, df = float(((x - expected) ** 2 / expected).sum()), len(x) - 1.0
    whole, note = bool((x == np.floor(x)).all()), ""
    if method in ("exact", "monte_carlo") and not whole:
        raise ContractError(f"{method} needs whole counts")
    if method == "auto":
        sparse = bool((expected < LEAST_EXPECTED).any())
        note = ROUGH if sparse and not whole else ""
        can_list = _outcomes(total, len(x)) <= MOST_TABLES
        method = "chi_square" if not sparse or not whole else "exact" if can_list else "monte_carlo"
    if method == "chi_square":
        return Test(statistic, df, float(chdtrc(df, statistic)), method, note)
    if method == "exact":
        return Test(statistic, float("nan"), _exact(x, share), "exact_multinomial")
    p_value = _drawn(x, share, statistic, draws, seed)
    return Test(statistic, float("nan"), p_value, "monte_carlo", "", draws, seed)


def _outcomes(total: float, groups: int) -> float:
    """In how many ways a total can fall on groups."""
    from scipy.special import comb

    return float(comb(total + groups - 1, groups - 1))


def _exact(x: FloatArray, share: FloatArray) -> float:
    """Multinomial probability of all outcomes no more probable than the observed one."""
    from scipy.special import gammaln

    if _outcomes(x.sum(), len(x)) > MOST_TABLES:
        raise ContractError("too many outcomes to list; ask for monte_carlo")
    left, logs = np.array([x.sum()]), np.array([float(gammaln(x.sum() + 1))])
    for part in share[:-1]:
        parent, count = expand(left.astype(np.int64) + 1)
        left, logs = left[parent] - count, logs[parent] + count * np.log(part) - gammaln(count + 1)
    logs = logs + left * np.log(share[-1]) - gammaln(left + 1)
    observed = gammaln(x.sum() + 1) + (x * np.log(share) - gammaln(x + 1)).sum()
    return min(1.0, float(np.exp(logs[logs <= observed + tie(x.sum())]).sum()))


def _drawn(x: FloatArray, share: FloatArray, statistic: float, draws: int, seed: int) -> float:
    if draws < 1:
        raise ContractError("draws is at least 1")
    expected = x.sum() * share
    drawn = np.random.default_rng(seed).multinomial(int(x.sum()), share, size=draws)
    hits = int((((drawn - expected) ** 2 / expected).sum(axis=1) >= statistic * (1 - TIE)).sum())
    return (1 + hits) / (1 + draws)
