import csv
from fractions import Fraction
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.one_group.means import median, quantile

pytestmark = pytest.mark.filterwarnings("error")

CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "quantiles.csv").open()))


def numbers(text):
    return [float(word) for word in text.split()]


def number(text):
    return float(text) if text else np.nan


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case['source'][80:]}-{case['probability']}-{case['confidence']}"
)
def test_a_quantile_has_the_limits_of_the_reference(case):
    answer = quantile(
        numbers(case["values"]),
        numbers(case["frequencies"]),
        probability=float(case["probability"]),
        confidence=float(case["confidence"]),
    )
    assert answer.value == pytest.approx(float(case["value"])), case["source"]
    assert answer.lower == pytest.approx(number(case["lower"]), nan_ok=True), case["source"]
    assert answer.upper == pytest.approx(number(case["upper"]), nan_ok=True), case["source"]


def chance_between(n, p, lower_rank, upper_rank):
    """Exact chance that the true quantile of a continuous measurement lies between two ranks."""
    return sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(lower_rank, upper_rank))


@pytest.mark.parametrize("p", [Fraction(1, 2), Fraction(1, 4), Fraction(9, 10)])
@pytest.mark.parametrize("confidence", [Fraction(80, 100), Fraction(95, 100), Fraction(998, 1000)])
def test_limits_hold_the_quantile_with_at_least_the_confidence_and_no_nearer_rank_would(p, confidence):
    for n in (*range(1, 41), 150):
        answer = quantile(np.arange(1, n + 1), np.ones(n), probability=float(p), confidence=float(confidence))
        lower = 0 if np.isnan(answer.lower) else int(answer.lower)
        upper = n + 1 if np.isnan(answer.upper) else int(answer.upper)
        tail = (1 - confidence) / 2
        below, above = chance_between(n, p, 0, lower), chance_between(n, p, upper, n + 1)
        assert below <= tail and above <= tail
        # The next rank inwards would leave more than the tail outside (or exactly the tail).
        assert chance_between(n, p, 0, lower + 1) >= tail
        assert chance_between(n, p, upper - 1, n + 1) >= tail


def test_the_median_of_an_even_number_is_halfway():
    assert median([1, 2, 7, 9], [1, 1, 1, 1]).value == 4.5
    assert median([1, 2, 7], [1, 1, 1]).value == 2


def test_a_share_met_exactly_is_seen_through_rounding():
    # As floats, 100 x 0.55 is a little more than 55, and 100 x 0.29 a little less than 29.
    assert 100 * 0.55 > 55 and 100 * 0.29 < 29
    assert quantile(np.arange(1, 101), np.ones(100), probability=0.55).value == 55.5
    assert quantile(np.arange(1, 101), np.ones(100), probability=0.29).value == 29.5


def test_values_may_come_in_any_order_and_more_than_once():
    plain = median([1, 2, 3], [5, 4, 9])
    turned = median([3, 1, 2, 1], [9, 2, 4, 3])
    assert (plain.value, plain.lower, plain.upper) == (turned.value, turned.lower, turned.upper)


def test_too_few_values_have_no_limit_on_that_side_and_say_so():
    answer = median([1, 2, 3], [[1, 1, 1], [1, 0, 0], [30, 30, 30]])
    assert np.isnan(answer.lower).tolist() == [True, True, False]
    assert answer.value.tolist() == [2, 1, 2]
    assert answer.note[0] == "too few values for a lower limit; too few values for an upper limit"
    assert answer.note[2] == ""


def test_a_high_quantile_can_lack_an_upper_limit_only():
    answer = quantile(np.arange(20), np.ones(20), probability=0.9)
    assert np.isfinite(answer.lower) and np.isnan(answer.upper)
    assert answer.note == "too few values for an upper limit"


def test_a_group_of_nobody_and_a_group_with_a_gap_have_no_quantile():
    answer = median([1, 2], [[0, 0], [np.nan, 5], [10, 0]])
    assert np.isnan(answer.value).tolist() == [True, True, False]
    assert answer.note.tolist() == ["nobody counted", "a count is missing", ""]


def test_weighted_frequencies_have_a_value_and_no_limits():
    answer = median([1, 2, 3], [[0.5, 0.5, 2.5], [0.5, 0.5, 1.0]])
    assert answer.value.tolist() == [3, 2.5]
    assert np.isnan(answer.lower).all()
    assert answer.note[0] == "no limits, because frequencies are not whole numbers"


def test_nothing_asked_gives_nothing():
    assert median([], []).note == "nobody counted"
    assert np.isnan(median([], []).value)
    assert median([1, 2], np.zeros((0, 2)), confidence=(0.95, 0.998)).lower.shape == (0, 2)


def test_a_huge_group_is_answered():
    answer = median([1, 2, 3], [4e8, 2e8, 4e8], confidence=(0.95, 0.998))
    assert (answer.value, *answer.lower, *answer.upper) == (2, 2, 2, 2, 2)


def test_several_confidence_levels_stand_in_a_last_axis():
    frequencies = np.random.default_rng(2).poisson(3, (4, 50))
    answer = median(np.arange(50), frequencies, confidence=(0.8, 0.95))
    assert answer.value.shape == (4,) and answer.lower.shape == (4, 2)
    for group in range(4):
        for level, confidence in enumerate((0.8, 0.95)):
            one = median(np.arange(50), frequencies[group], confidence=confidence)
            assert (one.value, one.lower, one.upper) == (
                answer.value[group],
                answer.lower[group, level],
                answer.upper[group, level],
            )


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: median([1, np.nan], [1, 1]),
        lambda: median([1, 2], [1, -1]),
        lambda: median([1, 2], [1, 1, 1]),
        lambda: median([[1, 2]], [1, 1]),
        lambda: median([1, 2], np.ones((1, 1, 2))),
        lambda: quantile([1, 2], [1, 1], probability=0),
        lambda: quantile([1, 2], [1, 1], probability=50),
        lambda: quantile([1, 2], [1, 1], probability=np.nan),
        lambda: median([1, 2], [1, 1], confidence=95),
    ],
)
def test_input_that_cannot_be_is_refused(wrong):
    with pytest.raises(ContractError):
        wrong()


RECORDS = st.lists(st.integers(-20, 20), min_size=1, max_size=60)


@settings(max_examples=100, deadline=None)
@given(RECORDS, st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9]))
def test_frequencies_give_the_same_as_the_records(records, probability):
    from scipy.stats import quantile_test

    values, seen = np.unique(records, return_counts=True)
    answer = quantile(values, seen, probability=probability)
    assert answer.value == np.quantile(records, probability, method="averaged_inverted_cdf")
    reference = quantile_test(records, q=0, p=probability).confidence_interval(0.95)
    assert np.array_equal([answer.lower, answer.upper], reference, equal_nan=True)


@settings(max_examples=100, deadline=None)
@given(RECORDS, st.integers(2, 9))
def test_more_of_the_same_leaves_the_median(records, times):
    values, seen = np.unique(records, return_counts=True)
    assert median(values, seen).value == median(values, seen * times).value


@settings(max_examples=100, deadline=None)
@given(RECORDS, st.integers(1, 5), st.integers(-50, 50))
def test_a_change_of_unit_changes_value_and_limits_alike(records, scale, shift):
    values, seen = np.unique(records, return_counts=True)
    plain, changed = median(values, seen), median(values * scale + shift, seen)
    assert changed.value == plain.value * scale + shift
    assert np.array_equal(changed.lower, plain.lower * scale + shift, equal_nan=True)
