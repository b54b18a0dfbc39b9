import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.many_groups.trend import cochran_armitage, poisson_trend

pytestmark = pytest.mark.filterwarnings("error")
CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "trend.csv").open()))
BOTH = pytest.mark.parametrize("trend", [cochran_armitage, poisson_trend])


def numbers(text):
    return [float(number) for number in text.split()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['kind']} {case['numerator']}")
def test_a_trend_gives_the_known_answer(case):
    trend = cochran_armitage if case["kind"] == "proportion" else poisson_trend
    x, n, d = (numbers(case[name]) for name in ("numerator", "denominator", "scores"))
    answer = trend(numerator=x, denominator=n, scores=d)
    assert answer.statistic == pytest.approx(float(case["statistic"]), rel=1e-8), case["source"]
    assert answer.p_value == pytest.approx(float(case["p_value"]), rel=1e-6), case["source"]
    assert answer.slope == pytest.approx(float(case["slope"]), rel=1e-7), case["source"]
    assert answer.departure == pytest.approx(float(case["departure"]), rel=1e-7), case["source"]
    assert answer.departure_df == len(x) - 2


COUNTS = st.lists(st.tuples(st.integers(1, 60), st.integers(61, 300)), min_size=3, max_size=6)


@BOTH
@given(counts=COUNTS, shift=st.floats(-5, 5), scale=st.floats(0.1, 10))
@settings(max_examples=40, deadline=None)
def test_only_the_spacing_of_the_scores_matters_for_the_test(trend, counts, shift, scale):
    x, n = np.array(counts, dtype=float).T
    d = np.arange(len(x))
    plain = trend(numerator=x, denominator=n)
    moved = trend(numerator=x, denominator=n, scores=shift + scale * d)
    assert moved.p_value == pytest.approx(plain.p_value, rel=1e-6)
    assert moved.slope * scale == pytest.approx(plain.slope, rel=1e-6, abs=1e-9)


@BOTH
@given(counts=COUNTS)
@settings(max_examples=30, deadline=None)
def test_reading_the_groups_backwards_turns_the_sign(trend, counts):
    x, n = np.array(counts, dtype=float).T
    forward, backward = trend(numerator=x, denominator=n), trend(numerator=x[::-1], denominator=n[::-1])
    assert backward.statistic == pytest.approx(-forward.statistic, abs=1e-8)
    assert backward.slope == pytest.approx(-forward.slope, abs=1e-8)


@given(COUNTS)
@settings(max_examples=30, deadline=None)
def test_the_poisson_slope_solves_its_likelihood_equation(counts):
    x, t = np.array(counts, dtype=float).T
    d = np.arange(len(x))
    slope = poisson_trend(numerator=x, denominator=t).slope
    fitted = t * np.exp(slope * d)
    fitted *= x.sum() / fitted.sum()
    assert (fitted * d).sum() == pytest.approx((x * d).sum(), rel=1e-8)


@BOTH
def test_equal_groups_have_no_trend(trend):
    answer = trend(numerator=[10, 20, 40], denominator=[100, 200, 400])
    assert (answer.statistic, answer.p_value, answer.slope) == pytest.approx((0, 1, 0), abs=1e-9)


@BOTH
def test_an_empty_group_keeps_its_place_in_the_order(trend):
    answer = trend(numerator=[10, 0, 40], denominator=[100, 0, 100])
    plain = trend(numerator=[10, 40], denominator=[100, 100], scores=[0, 2])
    assert answer.slope == pytest.approx(plain.slope) and answer.p_value == plain.p_value
    assert "nobody" in answer.group_note[1] and np.isnan(answer.departure_p)


@BOTH
def test_a_missing_count_is_left_out_and_told(trend):
    answer = trend(numerator=[10, np.nan, 40], denominator=[100, 90, 100])
    assert answer.p_value < 0.01 and "missing" in answer.note and "missing" in answer.group_note[1]


@BOTH
@pytest.mark.parametrize(("x", "n"), [([0, 0, 0], [5, 5, 5]), ([2], [5]), ([], []), ([2, np.nan], [5, 5])])
def test_no_trend_to_test_gives_a_reason(trend, x, n):
    answer = trend(numerator=x, denominator=n)
    assert np.isnan([answer.p_value, answer.statistic, answer.slope]).all() and answer.note


def test_everybody_with_the_outcome_is_no_trend():
    answer = cochran_armitage(numerator=[5, 5], denominator=[5, 5])
    assert np.isnan(answer.p_value) and answer.note


def test_events_at_one_end_only_make_the_slope_infinite():
    assert poisson_trend(numerator=[0, 0, 20], denominator=[10, 10, 10]).slope == np.inf
    assert poisson_trend(numerator=[20, 0, 0], denominator=[10, 10, 10]).slope == -np.inf


def test_a_steep_slope_is_reached():
    answer = poisson_trend(numerator=[1, 10**9], denominator=[10**9, 1])
    assert answer.slope == pytest.approx(np.log(1e18), rel=1e-9)


@BOTH
def test_few_events_are_rough(trend):
    assert "fewer than 10" in trend(numerator=[1, 2, 4], denominator=[50, 50, 50]).note


@BOTH
@pytest.mark.parametrize(
    ("x", "n", "scores"),
    [
        ([-1, 2], [5, 5], None),
        ([1, 2], [5, 5], [0, np.nan]),
        ([1, 2], [5, 5], [0, 1, 2]),
        ([1, 2, 3], [5, 5], None),
    ],
)
def test_input_that_cannot_be_is_refused(trend, x, n, scores):
    with pytest.raises(ContractError):
        trend(numerator=x, denominator=n, scores=scores)
