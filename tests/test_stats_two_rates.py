import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.stats.rates import confint_poisson_2indep, test_poisson_2indep

import plain_two_groups as plain
from equitydata.stats.contracts import ContractError
from equitydata.stats.two_groups.rates import (
    RATE_DIFFERENCE,
    RATE_RATIO,
    TWO_RATES,
    rate_difference,
    rate_ratio,
    two_rate_test,
)

test_poisson_2indep.__test__ = False  # a function of statsmodels, not a test of ours

NAMES = ("numerator", "denominator", "comparator_numerator", "comparator_denominator")
MEASURES = {"rate_ratio": rate_ratio, "rate_difference": rate_difference}
EVERY = [("rate_ratio", m) for m in RATE_RATIO] + [("rate_difference", m) for m in RATE_DIFFERENCE]


def cases(name):
    with (Path(__file__).parent / "known_answers" / f"{name}.csv").open() as file:
        return [(name, row) for row in csv.DictReader(file)]


def told(case):
    return "-".join([case[0], *list(case[1].values())[:6]]) if isinstance(case, tuple) else str(case)


def counts(x1, t1, x2, t2):
    return dict(zip(NAMES, (x1, t1, x2, t2), strict=True))


@pytest.mark.parametrize("case", [*cases("rate_ratio"), *cases("rate_difference")], ids=told)
def test_limits_equal_the_known_ones(case):
    name, row = case
    answer = MEASURES[name](
        **{key: float(row[key]) for key in NAMES}, confidence=float(row["confidence"]), method=row["method"]
    )
    tolerance = float(row["tolerance"])
    for key in ("value", "lower", "upper"):
        known = pytest.approx(float(row[key]), rel=max(tolerance, 1e-8), abs=1e-12)
        assert float(getattr(answer, key)) == known, (key, row["source"])
    assert answer.method.item() == row["method"]


@pytest.mark.parametrize("case", cases("two_rate_test"), ids=told)
def test_p_values_equal_the_known_ones(case):
    row = case[1]
    test = two_rate_test(**{key: float(row[key]) for key in NAMES}, method=row["method"])
    assert float(test.p_value) == pytest.approx(float(row["p_value"]), rel=1e-8), row["source"]


EVENTS = st.integers(0, 60)
TIME = st.integers(1, 500)
RATES = st.tuples(EVENTS, TIME, EVENTS, TIME)
LARGE = st.tuples(st.integers(0, 10**6), st.integers(1, 10**9), st.integers(0, 10**6), st.integers(1, 10**9))


@settings(max_examples=50, deadline=None)
@given(RATES, st.booleans())
def test_exact_p_values_equal_those_in_fractions(table, mid_p):
    assume(table[0] + table[2] > 0)
    test = two_rate_test(**counts(*table), method="conditional_mid_p" if mid_p else "conditional_exact")
    expected = plain.binomial_tails(*table, mid_p=mid_p)
    assert float(test.p_value) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@settings(max_examples=25, deadline=None)
@given(RATES)
def test_score_p_values_and_limits_equal_statsmodels(table):
    assume(table[0] > 0 and table[2] > 0)
    theirs = test_poisson_2indep(*table, method="score").pvalue
    assert float(two_rate_test(**counts(*table), method="score").p_value) == pytest.approx(theirs, rel=1e-8)
    answer = rate_ratio(**counts(*table), method="score")
    limits = confint_poisson_2indep(*table, method="score", compare="ratio")
    assert [answer.lower, answer.upper] == pytest.approx(limits, rel=1e-6, abs=1e-7)  # their search is coarse
    wald = rate_difference(**counts(*table), method="wald")
    limits = confint_poisson_2indep(*table, method="wald", compare="diff")
    assert [wald.lower, wald.upper] == pytest.approx(limits, rel=1e-8, abs=1e-12)


AGREEING = [("score", "score"), ("conditional_exact", "conditional_exact"), ("mid_p", "conditional_mid_p")]


@settings(max_examples=100, deadline=None)
@given(st.one_of(RATES, LARGE), st.sampled_from([0.8, 0.95, 0.998]), st.sampled_from(AGREEING))
def test_limits_exclude_1_exactly_when_the_test_of_the_same_kind_rejects(table, confidence, kinds):
    p_value = float(two_rate_test(**counts(*table), method=kinds[1]).p_value)
    assume(not abs(p_value - (1 - confidence)) < 1e-8)
    answer = rate_ratio(**counts(*table), confidence=confidence, method=kinds[0])
    assert bool(answer.lower > 1 or answer.upper < 1) == (p_value < 1 - confidence)


@settings(max_examples=50, deadline=None)
@given(RATES, st.sampled_from([0.8, 0.95, 0.998]))
def test_score_limits_of_the_difference_exclude_0_exactly_when_the_score_test_rejects(table, confidence):
    p_value = float(two_rate_test(**counts(*table), method="score").p_value)
    assume(not abs(p_value - (1 - confidence)) < 1e-8)
    answer = rate_difference(**counts(*table), confidence=confidence, method="score")
    assert bool(answer.lower > 0 or answer.upper < 0) == (p_value < 1 - confidence)


@settings(max_examples=60, deadline=None)
@given(RATES, st.sampled_from(EVERY))
def test_swapping_the_groups_inverts_ratios_and_negates_differences(table, which):
    measure, method = which
    x1, t1, x2, t2 = table
    there = MEASURES[measure](**counts(*table), method=method)
    back = MEASURES[measure](**counts(x2, t2, x1, t1), method=method)
    if measure == "rate_difference":
        turned = [-back.value, -back.upper, -back.lower]
    else:
        with np.errstate(divide="ignore"):
            turned = [1 / back.value, 1 / back.upper, 1 / back.lower]
    assert [there.value, there.lower, there.upper] == pytest.approx(turned, rel=1e-8, abs=1e-12, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(RATES, st.sampled_from(TWO_RATES))
def test_swapping_the_groups_keeps_p_and_turns_the_sign_of_z(table, method):
    x1, t1, x2, t2 = table
    there = two_rate_test(**counts(*table), method=method)
    back = two_rate_test(**counts(x2, t2, x1, t1), method=method)
    assert float(there.p_value) == pytest.approx(float(back.p_value), rel=1e-9, nan_ok=True)
    assert float(there.statistic) == pytest.approx(-float(back.statistic), abs=1e-12, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(RATES, st.integers(2, 500), st.sampled_from([which for which in EVERY if which[1] != "auto"]))
def test_multiplying_all_counts_keeps_the_value_and_narrows_the_limits(table, times, which):
    assume(table[0] > 0 and table[2] > 0)
    measure, method = which
    few = MEASURES[measure](**counts(*table), method=method)
    many = MEASURES[measure](**counts(*(count * times for count in table)), method=method)
    assert float(many.value) == pytest.approx(float(few.value), rel=1e-12, abs=1e-15)
    assert few.lower < many.lower < many.upper < few.upper


@settings(max_examples=40, deadline=None)
@given(RATES, st.floats(0.001, 1000))
def test_the_unit_of_time_does_not_matter_to_a_ratio(table, unit):
    x1, t1, x2, t2 = table
    plain_unit, other = rate_ratio(**counts(*table)), rate_ratio(**counts(x1, t1 * unit, x2, t2 * unit))
    for key in ("value", "lower", "upper"):
        assert float(getattr(other, key)) == pytest.approx(
            float(getattr(plain_unit, key)), rel=1e-9, nan_ok=True
        )


def test_few_events_get_exact_limits_and_many_get_score_limits():
    answer = rate_ratio(**counts([10, 9, 10, 0], 100, [10, 10, 9, 0], 100))
    assert answer.method.tolist() == ["score", "conditional_exact", "conditional_exact", ""]
    test = two_rate_test(**counts([5, 4, 0], 100, [5, 5, 0], 100))
    assert test.method.tolist() == ["score", "conditional_mid_p", ""]


@pytest.mark.parametrize("method", RATE_RATIO)
def test_no_events_give_a_ratio_with_one_finite_limit_and_none_at_all_gives_a_reason(method):
    answer = rate_ratio(**counts([0, 5, 0], 20, [5, 0, 0], 30), method=method)
    assert (answer.value[0], answer.lower[0]) == (0, 0)
    assert 0 < answer.upper[0] < np.inf
    assert (answer.value[1], answer.upper[1]) == (np.inf, np.inf)
    assert 0 < answer.lower[1] < np.inf
    assert np.isnan([answer.value[2], answer.lower[2], answer.upper[2]]).all()
    assert answer.note[2] == "no cases in either group: no ratio"


def test_no_events_leave_a_difference_of_0_with_limits_but_not_by_wald():
    none = counts(0, 20, 0, 30)
    for method in ("mover", "score"):
        answer = rate_difference(**none, method=method)
        assert float(answer.lower) < 0 == float(answer.value) < float(answer.upper)
    wald = rate_difference(**none, method="wald")
    assert np.isnan([wald.lower, wald.upper]).all() and "no limits by wald" in wald.note.item()


def test_events_may_pass_person_time():
    assert float(rate_ratio(**counts(30, 10, 20, 10)).value) == 1.5


@pytest.mark.parametrize(("measure", "method"), EVERY)
def test_entries_are_worked_out_apart_and_keep_their_order(measure, method):
    tables = np.array([(7, 34, 1, 34), (0, 16, 15, 72), (80, 400, 90, 300), (12, 5, 11, 7)])
    together = MEASURES[measure](**counts(*tables.T), method=method, confidence=(0.95, 0.998))
    assert together.lower.shape == together.upper.shape == (4, 2)
    for place, table in enumerate(tables):
        for level, confidence in enumerate((0.95, 0.998)):
            alone = MEASURES[measure](**counts(*table), method=method, confidence=confidence)
            assert together.lower[place, level] == pytest.approx(float(alone.lower), rel=1e-10, nan_ok=True)
            assert together.upper[place, level] == pytest.approx(float(alone.upper), rel=1e-10, nan_ok=True)


@pytest.mark.parametrize(("measure", "method"), EVERY)
def test_missing_empty_and_huge_groups_do_not_warn(measure, method, recwarn):
    answer = MEASURES[measure](
        **counts([np.nan, 0, 1, 1, 5e8], [5, 0, 5, 1, 1e9], [1, 1, 0, 1, 5.001e8], [5, 5, 0, 1, 1e9]),
        method=method,
    )
    assert np.isnan([answer.value[:3], answer.lower[:3], answer.upper[:3]]).all()
    assert answer.note[:3].tolist() == [
        "a count is missing",
        "nobody counted",
        "nobody counted in the comparator",
    ]
    assert (answer.lower[3:] < answer.value[3:]).all() and (answer.value[3:] < answer.upper[3:]).all()
    empty = MEASURES[measure](**counts([], [], [], []), method=method, confidence=(0.9, 0.95))
    assert empty.value.shape == (0,) and empty.lower.shape == (0, 2)
    assert not recwarn.list


@pytest.mark.parametrize("method", TWO_RATES)
def test_tests_of_missing_and_empty_groups_are_missing_and_do_not_warn(method, recwarn):
    test = two_rate_test(**counts([np.nan, 0, 0], [5, 0, 5], [1, 1, 0], [5, 5, 5]), method=method)
    assert np.isnan(test.p_value).all() and all(test.note)
    assert two_rate_test(**counts([], [], [], []), method=method).p_value.shape == (0,)
    assert not recwarn.list


@pytest.mark.parametrize("function", [rate_ratio, rate_difference, two_rate_test])
def test_counts_that_cannot_be_and_unknown_methods_are_refused(function):
    for table in ((-1, 5, 1, 5), (1, -5, 1, 5), (1, 5, [1, 2], [5, 5, 5]), (1, np.inf, 1, 5)):
        with pytest.raises(ContractError):
            function(**counts(*table))
    with pytest.raises(ContractError, match="no method 'byar'"):
        function(**counts(1, 5, 1, 5), method="byar")
