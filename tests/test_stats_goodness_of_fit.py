import csv
import itertools
from math import comb, factorial, prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.many_groups.goodness_of_fit import goodness_of_fit

pytestmark = pytest.mark.filterwarnings("error")
CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "goodness_of_fit.csv").open()))


def numbers(text):
    return [float(number) for number in text.split()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["counts"])
def test_goodness_of_fit_gives_the_known_answer(case):
    fit = goodness_of_fit(
        counts=numbers(case["counts"]), shares=numbers(case["shares"]), method=case["method"]
    )
    assert fit.test.statistic == pytest.approx(float(case["statistic"]), rel=1e-8), case["source"]
    assert fit.test.p_value == pytest.approx(float(case["p_value"]), rel=1e-8), case["source"]
    assert fit.residual == pytest.approx(numbers(case["residuals"]), abs=1e-8), case["source"]


def by_hand(counts, shares):
    def probability(outcome):
        ways = factorial(sum(outcome)) // prod(factorial(count) for count in outcome)
        return ways * prod(share**count for share, count in zip(shares, outcome, strict=True))

    total = sum(counts)
    outcomes = [
        (*head, total - sum(head))
        for head in itertools.product(range(total + 1), repeat=len(counts) - 1)
        if sum(head) <= total
    ]
    observed = probability(counts)
    return sum(p for p in map(probability, outcomes) if p <= observed * (1 + 1e-7))


@given(st.lists(st.integers(0, 5), min_size=2, max_size=4).filter(any))
@settings(max_examples=60, deadline=None)
def test_the_exact_p_value_equals_trying_every_outcome(counts):
    shares = np.array([0.4, 0.3, 0.2, 0.1])[: len(counts)]
    shares = shares / shares.sum()
    fit = goodness_of_fit(counts=counts, shares=shares, method="exact")
    assert fit.test.p_value == pytest.approx(by_hand(counts, shares), abs=1e-9)


def test_auto_takes_the_exact_test_when_an_expected_count_is_below_five():
    assert goodness_of_fit(counts=[7, 2, 1], shares=[0.5, 0.3, 0.2]).test.method == "exact_multinomial"
    assert goodness_of_fit(counts=[70, 20, 10], shares=[0.5, 0.3, 0.2]).test.method == "chi_square"


def test_auto_draws_when_there_are_too_many_outcomes_to_list():
    shares = np.full(12, 1 / 12)
    fit = goodness_of_fit(counts=[3, 1, 4, 1, 5, 2, 2, 5, 3, 5, 2, 1], shares=shares, draws=4000, seed=1)
    assert (fit.test.method, fit.test.draws, fit.test.seed) == ("monte_carlo", 4000, 1)
    assert comb(34 + 11, 11) > 200_000
    chi_square = goodness_of_fit(
        counts=[3, 1, 4, 1, 5, 2, 2, 5, 3, 5, 2, 1], shares=shares, method="chi_square"
    )
    assert fit.test.p_value == pytest.approx(chi_square.test.p_value, abs=0.05)


def test_drawn_p_values_lie_near_the_exact_one():
    # With two groups of equal shares both order outcomes alike, so exact and drawn p-values aim at one number.
    asked = {"counts": [14, 5], "shares": [0.5, 0.5]}
    exact = goodness_of_fit(**asked, method="exact").test.p_value
    drawn = goodness_of_fit(**asked, method="monte_carlo", draws=20_000).test.p_value
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000))


def test_counts_in_step_with_the_shares_have_no_effect():
    fit = goodness_of_fit(counts=[50, 30, 20], shares=[0.5, 0.3, 0.2])
    assert (fit.test.statistic, fit.test.p_value, fit.effect) == pytest.approx((0, 1, 0), abs=1e-12)
    assert fit.residual == pytest.approx([0, 0, 0], abs=1e-9)


def test_a_count_where_the_share_is_zero_is_told():
    fit = goodness_of_fit(counts=[5, 5, 1], shares=[0.5, 0.5, 0])
    assert fit.test.statistic == np.inf and fit.test.p_value == 0
    assert "share is 0" in fit.note[2] and "share is 0" in fit.test.note


def test_a_group_with_neither_share_nor_count_changes_nothing():
    with_it = goodness_of_fit(counts=[50, 0, 40], shares=[0.5, 0, 0.5])
    without = goodness_of_fit(counts=[50, 40], shares=[0.5, 0.5])
    assert with_it.test == without.test and "left out" in with_it.note[1]


@pytest.mark.parametrize(
    ("counts", "shares"), [([5, np.nan], [0.5, 0.5]), ([0, 0], [0.5, 0.5]), ([], []), ([4], [1.0])]
)
def test_nothing_to_test_gives_a_reason(counts, shares):
    fit = goodness_of_fit(counts=counts, shares=shares)
    assert np.isnan(fit.test.p_value) and fit.test.note


def test_a_thousand_million_people_are_tested():
    fit = goodness_of_fit(counts=[500_000_000, 500_000_000], shares=[0.5001, 0.4999])
    assert fit.test.p_value < 1e-8 and fit.effect == pytest.approx(0.0002, rel=1e-3)


def test_weighted_counts_that_are_small_are_rough():
    fit = goodness_of_fit(counts=[2.5, 3.5], shares=[0.5, 0.5])
    assert fit.test.method == "chi_square" and "rough" in fit.test.note


@pytest.mark.parametrize(
    ("counts", "shares", "method"),
    [
        ([-1, 5], [0.5, 0.5], "auto"),
        ([1, 5], [0.5, 0.6], "auto"),
        ([1, 5], [1.5, -0.5], "auto"),
        ([1, 5, 6], [0.5, 0.5], "auto"),
        ([1, 5], [0.5, 0.5], "g_test"),
        ([1.5, 5], [0.5, 0.5], "exact"),
        ([500, 500, 500, 500], [0.25] * 4, "exact"),
    ],
)
def test_input_that_cannot_be_is_refused(counts, shares, method):
    with pytest.raises(ContractError):
        goodness_of_fit(counts=counts, shares=shares, method=method)
