import csv
from fractions import Fraction
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from equitydata.stats.contracts import ContractError
from equitydata.stats.one_group.proportions import PROPORTION_INTERVALS, clopper_pearson, proportion

pytestmark = pytest.mark.filterwarnings("error")

CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "proportions.csv").open()))
EVERY_METHOD = pytest.mark.parametrize("method", PROPORTION_INTERVALS)


@pytest.mark.parametrize(
    "case",
    CASES,
    ids=lambda case: f"{case['method']}-{case['numerator']}/{case['denominator']}-{case['confidence']}",
)
def test_a_proportion_has_the_limits_of_the_reference(case):
    answer = proportion(
        int(case["numerator"]),
        int(case["denominator"]),
        confidence=float(case["confidence"]),
        method=case["method"],
    )
    assert answer.lower == pytest.approx(float(case["lower"]), rel=1e-8, abs=1e-12), case["source"]
    assert answer.upper == pytest.approx(float(case["upper"]), rel=1e-8), case["source"]


def binomial_at_most(x, n, p):
    return sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(x + 1))


@pytest.mark.parametrize("n", [1, 2, 7, 20])
def test_each_clopper_pearson_limit_leaves_half_the_rest_in_its_tail(n):
    for x in range(n + 1):
        lower, upper = (Fraction(float(limit)) for limit in clopper_pearson(x, n))
        if x < n:
            assert float(binomial_at_most(x, n, upper)) == pytest.approx(0.025, rel=1e-9)
        if x > 0:
            assert float(1 - binomial_at_most(x - 1, n, lower)) == pytest.approx(0.025, rel=1e-9)


@pytest.mark.parametrize("n", [5, 20])
def test_clopper_pearson_never_covers_less_than_it_says(n):
    lower, upper = clopper_pearson(np.arange(n + 1), np.full(n + 1, n))
    for p in np.linspace(0.001, 0.999, 199):
        covered = [k for k in range(n + 1) if lower[k] <= p <= upper[k]]
        assert sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in covered) >= 0.95


COUNTS = st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
NAMES = {"clopper_pearson": "beta", "jeffreys": "jeffreys", "agresti_coull": "agresti_coull"}


@pytest.mark.parametrize("method", NAMES)
@settings(max_examples=40, deadline=None)
@given(COUNTS, st.sampled_from([0.8, 0.95, 0.998]))
def test_limits_equal_the_independent_implementation(method, counts, confidence):
    x, n = counts
    answer = proportion(x, n, confidence=confidence, method=method)
    lower, upper = proportion_confint(x, n, alpha=1 - confidence, method=NAMES[method])
    # The other does not set Jeffreys' ends to 0 and 1; Brown, Cai and DasGupta do.
    lower, upper = (0.0 if x == 0 else lower), (1.0 if x == n else upper)
    assert answer.lower == pytest.approx(max(lower, 0), abs=1e-9)
    assert answer.upper == pytest.approx(min(upper, 1), abs=1e-9)


@EVERY_METHOD
@settings(max_examples=40, deadline=None)
@given(COUNTS, st.sampled_from([0.5, 0.95, 0.998]))
def test_limits_hold_the_value_and_stay_within_0_and_1(method, counts, confidence):
    x, n = counts
    answer = proportion(x, n, confidence=confidence, method=method)
    assert 0 <= answer.lower <= answer.value <= answer.upper <= 1


@EVERY_METHOD
@settings(max_examples=40, deadline=None)
@given(COUNTS)
def test_counting_the_others_mirrors_the_limits(method, counts):
    x, n = counts
    those, others = proportion(x, n, method=method), proportion(n - x, n, method=method)
    assert those.lower == pytest.approx(1 - others.upper, abs=1e-9)
    assert those.upper == pytest.approx(1 - others.lower, abs=1e-9)


@EVERY_METHOD
def test_none_has_lower_limit_zero_and_all_have_upper_limit_one(method):
    answer = proportion([0, 20, 0, 1], [20, 20, 1, 1], method=method, confidence=(0.95, 0.998))
    assert (answer.lower[[0, 2]] == 0).all()
    assert (answer.upper[[1, 3]] == 1).all()
    assert ((answer.upper[[0, 2]] > 0) & (answer.upper[[0, 2]] <= 1)).all()


@EVERY_METHOD
def test_several_confidence_levels_are_each_as_asked_alone(method):
    answer = proportion([3, 0], [10, 5], method=method, confidence=(0.8, 0.95, 0.998))
    assert answer.value.shape == (2,) and answer.lower.shape == (2, 3)
    assert answer.confidence == (0.8, 0.95, 0.998)
    for level, confidence in enumerate(answer.confidence):
        one = proportion([3, 0], [10, 5], method=method, confidence=confidence)
        assert np.array_equal(answer.lower[:, level], one.lower)
        assert np.array_equal(answer.upper[:, level], one.upper)
    assert (np.diff(answer.upper, axis=-1) > 0).all()


@EVERY_METHOD
def test_a_huge_denominator_keeps_limits_close(method):
    answer = proportion([1, 5 * 10**8], [10**9, 10**9], method=method)
    assert answer.upper[0] < 1e-8
    assert answer.upper[1] - answer.lower[1] == pytest.approx(2 * 1.959964 * 0.5 / 10**4.5, rel=1e-4)


@EVERY_METHOD
def test_missing_and_empty_groups_have_no_result_and_say_why(method):
    answer = proportion([np.nan, 0, 3], [5, 0, np.nan], method=method)
    assert np.isnan(answer.value).all()
    assert np.isnan(answer.lower).all() and np.isnan(answer.upper).all()
    assert answer.note.tolist() == ["a count is missing", "nobody counted", "a count is missing"]


@EVERY_METHOD
def test_nothing_asked_gives_nothing(method):
    answer = proportion([], [], method=method, confidence=(0.95, 0.998))
    assert answer.value.shape == (0,) and answer.lower.shape == (0, 2)


def test_weighted_counts_are_accepted_with_a_note():
    answer = proportion([2.5, 2], [10.0, 10])
    assert answer.note.tolist() == ["counts are not whole numbers", ""]
    assert answer.lower[0] < 0.25 < answer.upper[0]


def test_the_answer_names_its_method_on_each_entry():
    assert proportion([1, 2], [5, 5], method="jeffreys").method.tolist() == ["jeffreys", "jeffreys"]


@pytest.mark.parametrize(
    ("numerator", "denominator", "options"),
    [
        ([-1], [5], {}),
        ([6], [5], {}),
        ([1], [-5], {}),
        ([1, 2], [5], {}),
        ([1, 2], [5, 5, 5], {}),
        ([1], [np.inf], {}),
        ([1], [5], {"confidence": 95}),
        ([1], [5], {"confidence": 0.4}),
        ([1], [5], {"confidence": (0.95, 1.0)}),
        ([1], [5], {"method": "wald"}),
    ],
)
def test_input_that_cannot_be_is_refused(numerator, denominator, options):
    with pytest.raises(ContractError):
        proportion(numerator, denominator, **options)


def test_the_entries_at_fault_are_named():
    with pytest.raises(ContractError, match=r"numerator is above denominator \(entries 0, 2\)"):
        proportion([6, 5, 9], [5, 5, 5])
