import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

import plain_two_groups as plain
from equitydata.stats.two_groups import roots
from equitydata.stats.two_groups.roots import increasing_root
from equitydata.stats.two_groups.score import (
    odds_ratio_score,
    rate_difference_score,
    risk_difference_score,
    risk_ratio_score,
)

TABLES = [
    (7, 34, 1, 34),
    (0, 16, 15, 72),
    (3, 20, 0, 25),
    (15, 15, 7, 12),
    (2, 9, 9, 9),
    (1, 1, 26, 37),
    (0, 1, 1, 1),
    (44, 52, 24, 45),
    (480, 4000, 300, 1000),
]
LEVELS = [0.8, 0.95, 0.998]


def limits(function, table, confidence):
    z2 = np.float64(norm.ppf((1 + confidence) / 2) ** 2)
    lower, upper = function(*(np.float64(count) for count in table), z2)
    return float(lower), float(upper)


@pytest.mark.parametrize("confidence", LEVELS)
@pytest.mark.parametrize("table", TABLES, ids=str)
def test_difference_limits_equal_those_found_by_plain_search(table, confidence):
    z = norm.ppf((1 + confidence) / 2)
    expected = plain.score_limits(plain.z_difference, table, z, -1 + 1e-9, 1 - 1e-9, log=False)
    assert limits(risk_difference_score, table, confidence) == pytest.approx(expected, abs=2e-8)


@pytest.mark.parametrize("confidence", LEVELS)
@pytest.mark.parametrize("table", TABLES, ids=str)
def test_ratio_limits_equal_those_found_by_plain_search(table, confidence):
    z = norm.ppf((1 + confidence) / 2)
    lower, upper = plain.score_limits(plain.z_ratio, table, z, -9, 9, log=True)
    expected = (0.0 if table[0] == 0 else lower, math.inf if table[2] == 0 else upper)
    assert limits(risk_ratio_score, table, confidence) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("confidence", LEVELS)
@pytest.mark.parametrize("table", TABLES, ids=str)
def test_odds_ratio_limits_equal_those_found_by_plain_search(table, confidence):
    x1, n1, x2, n2 = table
    z = norm.ppf((1 + confidence) / 2)
    lower, upper = plain.score_limits(plain.z_odds, table, z, -12, 12, log=True)
    expected = (0.0 if x1 == 0 or x2 == n2 else lower, math.inf if x2 == 0 or x1 == n1 else upper)
    assert limits(odds_ratio_score, table, confidence) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("confidence", LEVELS)
@pytest.mark.parametrize(
    "table", [(60, 515.5, 30, 543.0), (0, 5, 8, 7), (3, 10, 0, 12), (0, 4, 0, 9), (4, 2, 1, 1)]
)
def test_rate_difference_limits_equal_those_found_by_plain_search(table, confidence):
    z = norm.ppf((1 + confidence) / 2)
    expected = plain.score_limits(plain.z_rate_difference, table, z, -40, 40, log=False)
    assert limits(rate_difference_score, table, confidence) == pytest.approx(expected, abs=1e-7)


def test_ratio_limits_with_cases_only_are_known_in_closed_form():
    z2 = norm.ppf(0.975) ** 2
    lower, upper = limits(risk_ratio_score, (9, 9, 5, 5), 0.95)
    assert lower == pytest.approx(1 / (1 + z2 / 9), rel=1e-12)
    assert upper == pytest.approx(1 + z2 / 5, rel=1e-12)


def test_rare_cases_among_very_many_keep_their_digits():
    # With vanishing risks a ratio of risks, of odds and of Poisson rates are one; the last is Wilson's in closed form.
    share = norm.ppf(0.975) ** 2
    lower = 3 / (3 + share)  # Wilson's lower limit of 3 out of 3
    expected = lower / (1 - lower)
    for function in (risk_ratio_score, odds_ratio_score):
        got, infinite = limits(function, (3, 1e9, 0, 1e9), 0.95)
        assert got == pytest.approx(expected, rel=1e-7)
        assert infinite == math.inf


def test_few_non_cases_among_very_many_keep_their_digits():
    few = limits(risk_difference_score, (1e9 - 5, 1e9, 1e9 - 20, 1e9), 0.95)
    mirrored = limits(risk_difference_score, (20, 1e9, 5, 1e9), 0.95)
    assert few == pytest.approx(mirrored, rel=1e-7)


@settings(max_examples=100, deadline=None)
@given(st.floats(-50, 50), st.floats(0.1, 5), st.integers(1, 9))
def test_the_root_of_an_increasing_function_is_found(place, scale, power):
    root = increasing_root(
        lambda x: np.sign(x - place) * np.abs((x - place) * scale) ** power,
        np.array([-60.0]),
        np.array([70.0]),
    )
    assert root[0] == pytest.approx(place, rel=1e-12, abs=1e-12)


def test_a_root_outside_the_bounds_gives_the_nearer_bound_and_nan_stays_nan():
    root = increasing_root(lambda x: x - 5, np.array([6.0, 0.0, np.nan, 5.0]), np.array([9.0, 4.0, 9.0, 5.0]))
    assert root == pytest.approx([6, 4, np.nan, 5], nan_ok=True)


def test_too_few_steps_raise_instead_of_giving_a_guess(monkeypatch):
    monkeypatch.setattr(roots, "STEPS", 3)
    with pytest.raises(ArithmeticError, match="3 steps"):
        increasing_root(lambda x: x**9 - 2, np.array([-60.0]), np.array([70.0]))
