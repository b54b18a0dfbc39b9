import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind_from_stats

from equitydata.stats.contracts import ContractError
from equitydata.stats.two_groups.means import mean_and_variance, mean_difference, mean_test

NAMES = ("size", "mean", "variance", "comparator_size", "comparator_mean", "comparator_variance")
CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "mean_difference.csv").open()))


def groups(*entries):
    return dict(zip(NAMES, entries, strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['data']}-{case['confidence']}")
def test_welch_limits_and_p_value_equal_the_known_ones(case):
    given_groups = {name: float(case[name]) for name in NAMES}
    answer = mean_difference(**given_groups, confidence=float(case["confidence"]))
    test = mean_test(**given_groups)
    got = [answer.value, answer.lower, answer.upper, test.statistic, test.p_value]
    known = [float(case[key]) for key in ("value", "lower", "upper", "t", "p_value")]
    assert [float(number) for number in got] == pytest.approx(known, rel=1e-8), case["source"]


GROUP = st.tuples(st.integers(2, 500), st.floats(-100, 100), st.floats(0.001, 1000))


@settings(max_examples=60, deadline=None)
@given(GROUP, GROUP)
def test_p_value_equals_scipy_and_agrees_with_the_limits(first, second):
    test, answer = mean_test(**groups(*first, *second)), mean_difference(**groups(*first, *second))
    theirs = ttest_ind_from_stats(
        first[1], first[2] ** 0.5, first[0], second[1], second[2] ** 0.5, second[0], equal_var=False
    )
    assert float(test.p_value) == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-290)
    assume(abs(theirs.pvalue - 0.05) > 1e-9)
    assert bool(answer.lower > 0 or answer.upper < 0) == (theirs.pvalue < 0.05)


@settings(max_examples=40, deadline=None)
@given(GROUP, GROUP)
def test_swapping_the_groups_negates_the_difference(first, second):
    there, back = mean_difference(**groups(*first, *second)), mean_difference(**groups(*second, *first))
    assert [there.value, there.lower, there.upper] == pytest.approx([-back.value, -back.upper, -back.lower])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=30))
def test_mean_and_variance_from_sums_equal_those_from_the_values(values):
    mean, variance = mean_and_variance(
        size=len(values), total=sum(values), total_of_squares=sum(value**2 for value in values)
    )
    assert float(mean) == pytest.approx(np.mean(values), abs=1e-9)
    assert float(variance) == pytest.approx(np.var(values, ddof=1), rel=1e-9, abs=1e-6)


def test_sums_of_nobody_of_one_person_and_with_a_gap_are_missing_and_do_not_warn(recwarn):
    mean, variance = mean_and_variance(size=[0, 1, np.nan], total=[0, 7, 3], total_of_squares=[0, 49, 9])
    assert mean == pytest.approx([np.nan, 7, np.nan], nan_ok=True)
    assert np.isnan(variance).all()
    assert not recwarn.list


def test_impossible_sums_are_refused():
    with pytest.raises(ContractError, match="too small"):
        mean_and_variance(size=[3, 3], total=[6, 6], total_of_squares=[14, 11])
    with pytest.raises(ContractError, match="size is negative"):
        mean_and_variance(size=-1, total=0, total_of_squares=0)


def test_one_person_and_no_variation_give_a_value_without_limits(recwarn):
    answer = mean_difference(**groups([1, 5], [3, 3], [np.nan, 0], [9, 6], [1, 1], [2, 0]))
    test = mean_test(**groups([1, 5], [3, 3], [np.nan, 0], [9, 6], [1, 1], [2, 0]))
    assert answer.value.tolist() == [2, 2]
    assert np.isnan([answer.lower, answer.upper, test.p_value]).all()
    assert answer.note.tolist() == [
        "one person in a group: no limits and no test",
        "no variation in either group: no limits and no test",
    ]
    assert not recwarn.list


def test_one_group_without_variation_still_has_limits():
    answer = mean_difference(**groups(5, 3, 0, 9, 1, 4))
    assert float(answer.lower) < 2 < float(answer.upper)
    assert answer.note.item() == ""


def test_missing_entries_and_nobody_are_missing_with_the_reason(recwarn):
    answer = mean_difference(
        **groups([np.nan, 0, 5, 5, 5], [1, 1, 1, np.nan, 1], [1, 1, 1, 1, np.nan], [5, 5, 0, 5, 5], 1, 1),
        confidence=(0.95, 0.998),
    )
    assert answer.lower.shape == (5, 2)
    assert np.isnan(answer.lower).all() and np.isnan(answer.value[:4]).all()
    assert answer.note.tolist() == [
        "a count is missing",
        "nobody counted",
        "nobody counted in the comparator",
        "a mean or a variance is missing",
        "a mean or a variance is missing",
    ]
    assert not recwarn.list


def test_huge_and_empty_groups_do_not_warn(recwarn):
    answer = mean_difference(**groups(1e9, 5, 4, 1e9, 5.001, 4))
    assert float(answer.upper) < 0
    assert mean_difference(**groups([], [], [], [], [], [])).value.shape == (0,)
    assert not recwarn.list


def test_limits_at_two_levels_equal_those_asked_one_by_one():
    both = mean_difference(**groups([5, 9], [1, 2], [3, 4], [8, 8], [0, 0], [2, 2]), confidence=(0.9, 0.99))
    for level, confidence in enumerate((0.9, 0.99)):
        one = mean_difference(**groups([5, 9], [1, 2], [3, 4], [8, 8], [0, 0], [2, 2]), confidence=confidence)
        assert both.lower[:, level] == pytest.approx(one.lower)
        assert both.upper[:, level] == pytest.approx(one.upper)


@pytest.mark.parametrize("function", [mean_difference, mean_test])
def test_negative_sizes_and_variances_and_unequal_lengths_are_refused(function):
    for entries in (
        (-5, 1, 1, 5, 1, 1),
        (5, 1, -1, 5, 1, 1),
        (5, 1, 1, 5, 1, -1),
        ([5, 5], [1, 1, 1], 1, 5, 1, 1),
    ):
        with pytest.raises(ContractError):
            function(**groups(*entries))
