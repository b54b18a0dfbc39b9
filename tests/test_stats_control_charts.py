import csv
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.units.control_charts import NO_RANGE, NO_VARIATION, SCREENED, TOO_FEW, xmr

CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "control_charts.csv").open()))


@pytest.fixture(autouse=True)
def no_warnings(recwarn):
    yield
    assert not recwarn.list


def numbers(text):
    return [float(part) for part in text.split(";") if part]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["values"][:20])
def test_limits_and_screened_ranges_are_those_of_r(case):
    chart = xmr(numbers(case["values"]))
    for name in ("mean", "mean_range", "lower", "upper", "range_limit"):
        assert getattr(chart, name) == pytest.approx(float(case[name]), abs=6e-9), case["source"]
    # R counts points from 1.
    assert [place + 1 for place in np.flatnonzero(chart.screened)] == numbers(case["screened_points"])


def plain(values):
    """The chart written out one point at a time."""
    ranges = [abs(b - a) for a, b in pairwise(values)]
    first = sum(ranges) / len(ranges)
    kept = [r for r in ranges if first == 0 or r < 3.267 * first]
    mean, mean_range = sum(values) / len(values), sum(kept) / len(kept)
    return mean - 2.66 * mean_range, mean + 2.66 * mean_range


@settings(max_examples=100)
@given(st.lists(st.integers(-50, 50), min_size=2, max_size=40))
def test_limits_equal_a_slow_second_writing_and_points_beyond_are_signals(values):
    chart = xmr(values)
    lower, upper = plain(values)
    assert (chart.lower, chart.upper) == pytest.approx((lower, upper))
    for value, signal in zip(values, chart.signal, strict=True):
        assert (signal == "above_limit") == (value > chart.upper)
        assert (signal == "below_limit") == (value < chart.lower)


@settings(max_examples=100)
@given(st.lists(st.sampled_from([0, 1, 2, 3, 4]), min_size=2, max_size=40), st.integers(2, 9))
def test_a_run_is_so_many_points_in_a_row_on_one_side(values, run_length):
    chart = xmr(values, run_length=run_length)
    side = [(v > chart.mean) - (v < chart.mean) for v in values]
    for place in range(len(values)):
        start = stop = place
        while start > 0 and side[start - 1] == side[place]:
            start -= 1
        while stop + 1 < len(values) and side[stop + 1] == side[place]:
            stop += 1
        in_run = side[place] != 0 and stop - start + 1 >= run_length
        assert (chart.signal[place] != "") >= in_run
        assert (chart.signal[place] == "run") <= in_run


def test_an_exceptional_step_is_screened_once_and_said():
    chart = xmr([12, 14, 11, 13, 12, 15, 12, 13, 11, 12, 14, 13, 40, 12, 13, 14])
    assert chart.note.tolist()[12:14] == [SCREENED, SCREENED]
    assert chart.signal[12] == "above_limit"
    assert chart.remark == ""


def test_a_step_of_exactly_the_factor_is_screened():
    # Ranges 0, ..., 0, d have mean d / k; the last is k times the mean.
    assert xmr([1, 1, 1, 1, 2]).screened.tolist() == [False] * 4 + [True]
    assert not xmr([1, 1, 1, 2]).screened.any()


def test_a_gap_is_missing_and_breaks_ranges_and_runs():
    chart = xmr([1, 2, np.nan, 2, 3, 2, 1, 3, 2, 3, 1], run_length=2)
    assert np.isnan(chart.moving_range[[0, 2, 3]]).all() and chart.note[2] == "the value is missing"
    assert chart.mean == 2.0 and chart.signal[2] == ""


def test_fewer_than_10_points_are_noted():
    assert xmr([1, 2, 3, 2, 1, 2, 3, 2, 1]).remark == TOO_FEW
    assert xmr([1, 2, 3, 2, 1, 2, 3, 2, 1, 2]).remark == ""


@pytest.mark.parametrize("values", [[], [3], [np.nan, np.nan], [1, np.nan, 2]])
def test_without_two_values_in_a_row_there_are_no_limits(values):
    chart = xmr(values)
    assert chart.remark == NO_RANGE and np.isnan([chart.lower, chart.upper, chart.mean_range]).all()
    assert not any(chart.signal) and chart.moving_range.shape == (len(values),)


def test_a_constant_series_has_its_mean_as_limits_and_no_signal():
    chart = xmr([5.0] * 12)
    assert chart.lower == chart.upper == 5 and chart.remark == NO_VARIATION and not any(chart.signal)


def test_huge_values_work():
    chart = xmr([1e9, 1e9 + 10] * 10)
    assert chart.upper - chart.mean == pytest.approx(26.6) and not chart.screened.any()


def test_adding_and_multiplying_move_the_limits_alike():
    values = np.array([3.0, 5, 4, 6, 5, 7, 3, 4, 6, 5])
    there, back = xmr(values), xmr(values * 100 + 7)
    assert (back.lower, back.upper) == pytest.approx((there.lower * 100 + 7, there.upper * 100 + 7))
    assert (there.signal == back.signal).all()


def test_the_input_is_left_alone():
    values = np.array([1.0, 2, 3])
    chart = xmr(values)
    values[0] = 99
    assert chart.value[0] == 1 and not math.isnan(chart.mean)


@pytest.mark.parametrize(
    "wrong", [lambda: xmr([[1, 2]]), lambda: xmr([1, np.inf]), lambda: xmr([1, 2], run_length=1)]
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ContractError):
        wrong()
