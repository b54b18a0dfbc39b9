import csv
import statistics
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.one_group.means import SPREAD_LOST, mean

pytestmark = pytest.mark.filterwarnings("error")

CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "means.csv").open()))


def mean_of(values, **options):
    values = np.asarray(values, dtype=float)
    return mean(n=len(values), total=values.sum(), total_squares=(values**2).sum(), **options)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['source'][24:]}-{case['confidence']}")
def test_a_mean_has_the_limits_of_the_reference(case):
    sums = {name: float(case[name]) for name in ("n", "total", "total_squares")}
    answer = mean(**sums, confidence=float(case["confidence"]))
    assert answer.value == pytest.approx(float(case["value"]), rel=1e-9), case["source"]
    assert answer.lower == pytest.approx(float(case["lower"]), rel=1e-7, abs=1e-9), case["source"]
    assert answer.upper == pytest.approx(float(case["upper"]), rel=1e-7), case["source"]


def test_one_value_has_a_mean_and_no_limits():
    answer = mean(n=[1], total=[7], total_squares=[49])
    assert answer.value[0] == 7
    assert np.isnan(answer.lower[0]) and np.isnan(answer.upper[0])
    assert answer.note[0] == "one value: no limits"


def test_nobody_has_no_mean_whether_the_sums_are_zero_or_blank():
    answer = mean(n=[0, 0], total=[0, np.nan], total_squares=[0, np.nan])
    assert np.isnan(answer.value).all() and np.isnan(answer.lower).all()
    assert answer.note.tolist() == ["nobody counted", "nobody counted"]


def test_a_missing_sum_has_a_missing_mean_with_its_reason():
    answer = mean(n=[5, 5, np.nan], total=[np.nan, 5, 5], total_squares=[5, np.nan, 5])
    assert np.isnan(answer.value).all() and np.isnan(answer.upper).all()
    assert answer.note.tolist() == ["a count is missing"] * 3


def test_equal_whole_values_have_limits_at_the_mean():
    answer = mean(n=4, total=12, total_squares=36)
    assert answer.lower == answer.value == answer.upper == 3
    assert answer.note == ""


def test_values_too_close_for_their_squares_have_no_limits_and_say_so():
    far_off = 1.7e9 + np.random.default_rng(1).normal(0, 5, 1000)
    answer = mean_of(far_off)
    assert answer.value == pytest.approx(far_off.mean())
    assert np.isnan(answer.lower) and np.isnan(answer.upper)
    assert answer.note == SPREAD_LOST


def test_far_from_zero_limits_are_right_until_they_are_withheld():
    noise = np.random.default_rng(3).normal(0, 0.5, 500)
    reach = 1.964729 * statistics.stdev(noise) / 500**0.5
    withheld = []
    for offset in np.logspace(3, 9, 61):
        answer = mean_of(offset + noise)
        withheld.append(answer.note == SPREAD_LOST)
        if not withheld[-1]:
            assert answer.upper - answer.value == pytest.approx(reach, rel=0.01)
    assert withheld == sorted(withheld) and 10 < sum(withheld) < 50


def test_a_constant_taken_off_brings_the_limits_back():
    far_off = 1.7e9 + np.random.default_rng(1).normal(0, 5, 1000)
    answer = mean_of(far_off - 1.7e9)
    error = statistics.stdev(far_off - 1.7e9) / 1000**0.5
    assert answer.upper - answer.value == pytest.approx(1.9623 * error, rel=1e-4)
    assert answer.note == ""


@pytest.mark.parametrize(
    ("n", "total", "total_squares"),
    [(5, 15, 44), (10, 100, 999), (1, 3, 8), (1, 3, 10), (-1, 3, 9), (2, 3, -9), (0, 3, 9), (0, 0, 9)],
)
def test_sums_that_no_values_have_are_refused(n, total, total_squares):
    with pytest.raises(ContractError):
        mean(n=n, total=total, total_squares=total_squares)


def test_sums_of_unequal_length_are_refused():
    with pytest.raises(ContractError, match="unequal shape"):
        mean(n=[1, 2], total=[1, 2, 3], total_squares=[1, 2])


def test_the_entry_at_fault_is_named():
    with pytest.raises(ContractError, match=r"total_squares is below .* \(entries 1\)"):
        mean(n=[2, 5], total=[2, 15], total_squares=[4, 44])


def test_a_huge_group_has_a_mean_with_close_limits():
    answer = mean(n=1e9, total=5e9, total_squares=26e9)
    assert answer.value == 5
    # Standard deviation 1, so the error is 1 / sqrt(1e9).
    assert answer.upper - answer.value == pytest.approx(1.959964e-4 / 10**0.5, rel=1e-5)


def test_several_confidence_levels_stand_in_a_last_axis():
    answer = mean(n=[5, 1, 0], total=[15, 3, 0], total_squares=[55, 9, 0], confidence=(0.95, 0.998))
    assert answer.lower.shape == (3, 2) and answer.confidence == (0.95, 0.998)
    assert answer.lower[0, 1] < answer.lower[0, 0] < 3 < answer.upper[0, 0] < answer.upper[0, 1]


def test_nothing_asked_gives_nothing():
    assert mean(n=[], total=[], total_squares=[]).lower.shape == (0,)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=40))
def test_sums_give_the_same_as_the_records(values):
    from scipy.stats import ttest_1samp

    answer = mean_of(values)
    assert answer.value == pytest.approx(statistics.fmean(values), abs=1e-9)
    if len(set(values)) > 1:
        reference = ttest_1samp(values, 0).confidence_interval(0.95)
        assert answer.lower == pytest.approx(reference.low, rel=1e-9, abs=1e-9)
        assert answer.upper == pytest.approx(reference.high, rel=1e-9, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_limits_are_good_to_one_per_cent_or_not_there(values):
    assume(len(set(values)) > 1)
    answer = mean_of(values)
    if answer.note == SPREAD_LOST:
        assert np.isnan(answer.lower)
    else:
        from scipy.special import stdtrit

        reach = -stdtrit(len(values) - 1, 0.025) * statistics.stdev(values) / len(values) ** 0.5
        assert answer.upper - answer.value == pytest.approx(reach, rel=0.01, abs=1e-9 * abs(answer.value))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 100), min_size=2, max_size=10, unique=True), st.integers(2, 20))
def test_more_of_the_same_leaves_the_mean_and_narrows_its_limits(values, times):
    once, more = mean_of(values), mean_of(values * times)
    assert more.value == pytest.approx(once.value)
    assert more.lower > once.lower and more.upper < once.upper
