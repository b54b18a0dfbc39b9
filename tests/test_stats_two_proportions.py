import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats.contingency import odds_ratio as scipy_odds_ratio
from scipy.stats.contingency import relative_risk
from statsmodels.stats.proportion import confint_proportions_2indep

import plain_two_groups as plain
from equitydata.stats.contracts import ContractError
from equitydata.stats.two_groups.proportions import (
    ODDS_RATIO,
    RISK_DIFFERENCE,
    RISK_RATIO,
    TWO_PROPORTIONS,
    odds_ratio,
    risk_difference,
    risk_ratio,
    two_proportion_test,
)

NAMES = ("numerator", "denominator", "comparator_numerator", "comparator_denominator")
MEASURES = {"risk_difference": risk_difference, "risk_ratio": risk_ratio, "odds_ratio": odds_ratio}
METHODS = {"risk_difference": RISK_DIFFERENCE, "risk_ratio": RISK_RATIO, "odds_ratio": ODDS_RATIO}
EVERY = [(measure, method) for measure, methods in METHODS.items() for method in methods]


def cases(name):
    with (Path(__file__).parent / "known_answers" / f"{name}.csv").open() as file:
        return [(name, row) for row in csv.DictReader(file)]


def counts(x1, n1, x2, n2):
    return dict(zip(NAMES, (x1, n1, x2, n2), strict=True))


def told(case):
    return "-".join([case[0], *list(case[1].values())[:6]]) if isinstance(case, tuple) else str(case)


@pytest.mark.parametrize(
    "case", [*cases("risk_difference"), *cases("risk_ratio"), *cases("odds_ratio")], ids=told
)
def test_limits_equal_the_known_ones(case):
    name, row = case
    answer = MEASURES[name](
        **{key: float(row[key]) for key in NAMES}, confidence=float(row["confidence"]), method=row["method"]
    )
    tolerance = float(row["tolerance"])
    for key in ("value", "lower", "upper"):
        known = pytest.approx(float(row[key]), rel=max(tolerance, 1e-8), abs=min(tolerance, 1e-4))
        assert float(getattr(answer, key)) == known, (key, row["source"])
    assert answer.method.item() == row["method"]


@pytest.mark.parametrize("case", cases("two_proportion_test"), ids=told)
def test_p_values_equal_the_known_ones(case):
    row = case[1]
    test = two_proportion_test(**{key: float(row[key]) for key in NAMES}, method=row["method"])
    tolerance = float(row["tolerance"])
    assert float(test.p_value) == pytest.approx(float(row["p_value"]), rel=1e-8, abs=tolerance), row["source"]


GROUP = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
TABLE = st.tuples(GROUP, GROUP).map(lambda groups: (*groups[0], *groups[1]))
LARGE = st.integers(1, 10**9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
LARGE_TABLE = st.tuples(LARGE, LARGE).map(lambda groups: (*groups[0], *groups[1]))


@settings(max_examples=60, deadline=None)
@given(TABLE, st.sampled_from(TWO_PROPORTIONS[2:]))
def test_exact_p_values_equal_those_in_fractions(table, kind):
    x1, n1, x2, n2 = table
    assume(0 < x1 + x2 < n1 + n2)
    test = two_proportion_test(**counts(*table), method=kind)
    assert float(test.p_value) == pytest.approx(plain.fisher(*table, kind), rel=1e-9, abs=1e-14)


@settings(max_examples=60, deadline=None)
@given(TABLE)
def test_score_ratio_limits_equal_statsmodels_where_it_has_them(table):
    x1, n1, x2, n2 = table
    assume(0 < x1 < n1 and 0 < x2 < n2)
    for method, correction in (("koopman", False), ("miettinen_nurminen", True)):
        answer = risk_ratio(**counts(*table), method=method)
        theirs = confint_proportions_2indep(*table, compare="ratio", method="score", correction=correction)
        assert [answer.lower, answer.upper] == pytest.approx(np.real(theirs), rel=1e-5)
    for method, correction in (("score", False), ("miettinen_nurminen", True)):
        answer = odds_ratio(**counts(*table), method=method)
        with np.errstate(invalid="ignore"):  # they warn on their way
            theirs = confint_proportions_2indep(*table, compare="or", method="score", correction=correction)
        assert [answer.lower, answer.upper] == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("table", [(7, 34, 1, 34), (56, 70, 48, 80), (30, 400, 12, 90)])
def test_katz_and_exact_limits_equal_scipy(table):
    x1, n1, x2, n2 = table
    answer = risk_ratio(**counts(*table), method="katz")
    theirs = relative_risk(x1, n1, x2, n2).confidence_interval(0.95)
    assert [answer.lower, answer.upper] == pytest.approx([theirs.low, theirs.high], rel=1e-9)
    exact = odds_ratio(**counts(*table), method="conditional_exact")
    theirs = scipy_odds_ratio([[x1, n1 - x1], [x2, n2 - x2]]).confidence_interval(0.95)
    assert [exact.lower, exact.upper] == pytest.approx([theirs.low, theirs.high], rel=1e-6)


@settings(max_examples=100, deadline=None)
@given(st.one_of(TABLE, LARGE_TABLE), st.sampled_from([0.8, 0.95, 0.998]))
def test_score_limits_exclude_equality_exactly_when_the_pooled_score_test_rejects(table, confidence):
    p_value = float(two_proportion_test(**counts(*table), method="pooled_score").p_value)
    assume(not abs(p_value - (1 - confidence)) < 1e-9)
    rejected = p_value < 1 - confidence
    ratio = risk_ratio(**counts(*table), confidence=confidence)
    odds = odds_ratio(**counts(*table), confidence=confidence)
    gap = risk_difference(**counts(*table), confidence=confidence, method="mee")
    assert bool(ratio.lower > 1 or ratio.upper < 1) == rejected
    assert bool(odds.lower > 1 or odds.upper < 1) == rejected
    assert bool(gap.lower > 0 or gap.upper < 0) == rejected


@settings(max_examples=60, deadline=None)
@given(TABLE, st.sampled_from([0.8, 0.95]), st.sampled_from(["exact", "mid_p"]))
def test_exact_odds_limits_exclude_1_exactly_when_the_central_test_rejects(table, confidence, kind):
    p_value = float(two_proportion_test(**counts(*table), method=f"central_{kind}").p_value)
    assume(not abs(p_value - (1 - confidence)) < 1e-9)
    method = {"exact": "conditional_exact", "mid_p": "mid_p"}[kind]
    answer = odds_ratio(**counts(*table), confidence=confidence, method=method)
    assert bool(answer.lower > 1 or answer.upper < 1) == (p_value < 1 - confidence)


@settings(max_examples=60, deadline=None)
@given(st.one_of(TABLE, LARGE_TABLE))
def test_newcombe_limits_hold_the_difference_and_stay_within_minus_1_and_1(table):
    for method in RISK_DIFFERENCE:
        answer = risk_difference(**counts(*table), method=method)
        assert -1 <= answer.lower <= answer.value + 1e-12
        assert answer.value - 1e-12 <= answer.upper <= 1


@settings(max_examples=60, deadline=None)
@given(TABLE, st.sampled_from(EVERY))
def test_swapping_the_groups_inverts_ratios_and_negates_differences(table, which):
    measure, method = which
    x1, n1, x2, n2 = table
    there = MEASURES[measure](**counts(*table), method=method)
    back = MEASURES[measure](**counts(x2, n2, x1, n1), method=method)
    if measure == "risk_difference":
        turned = [-back.value, -back.upper, -back.lower]
    else:
        with np.errstate(divide="ignore"):
            turned = [1 / back.value, 1 / back.upper, 1 / back.lower]
    assert [there.value, there.lower, there.upper] == pytest.approx(turned, rel=1e-9, abs=1e-12, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(TABLE, st.sampled_from(TWO_PROPORTIONS))
def test_swapping_the_groups_keeps_p_and_turns_the_sign_of_z(table, method):
    x1, n1, x2, n2 = table
    there = two_proportion_test(**counts(*table), method=method)
    back = two_proportion_test(**counts(x2, n2, x1, n1), method=method)
    assert float(there.p_value) == pytest.approx(float(back.p_value), rel=1e-9, abs=1e-15, nan_ok=True)
    assert float(there.statistic) == pytest.approx(-float(back.statistic), abs=1e-12, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(TABLE, st.integers(2, 1000), st.sampled_from(EVERY[:8]))
def test_multiplying_all_counts_keeps_the_value_and_narrows_the_limits(table, times, which):
    x1, n1, x2, n2 = table
    assume(0 < x1 < n1 and 0 < x2 < n2)
    measure, method = which
    assume(method not in ("katz", "woolf"))
    few = MEASURES[measure](**counts(*table), method=method)
    many = MEASURES[measure](**counts(*(count * times for count in table)), method=method)
    assert float(many.value) == pytest.approx(float(few.value), rel=1e-12)
    assert few.lower < many.lower < many.upper < few.upper


@pytest.mark.parametrize(("measure", "method"), EVERY)
def test_entries_are_worked_out_apart_and_keep_their_order(measure, method):
    tables = np.array([(7, 34, 1, 34), (0, 16, 15, 72), (15, 15, 7, 12), (7, 34, 1, 34), (80, 400, 90, 300)])
    together = MEASURES[measure](**counts(*tables.T), method=method, confidence=(0.95, 0.998))
    assert together.lower.shape == together.upper.shape == (5, 2)
    assert together.confidence == (0.95, 0.998)
    for place, table in enumerate(tables):
        for level, confidence in enumerate((0.95, 0.998)):
            alone = MEASURES[measure](**counts(*table), method=method, confidence=confidence)
            assert together.lower[place, level] == pytest.approx(float(alone.lower), rel=1e-10, nan_ok=True)
            assert together.upper[place, level] == pytest.approx(float(alone.upper), rel=1e-10, nan_ok=True)


@pytest.mark.parametrize("method", RISK_RATIO)
def test_zero_cases_give_a_ratio_with_one_finite_limit_and_none_at_all_gives_a_reason(method):
    answer = risk_ratio(**counts([0, 5, 0], [20, 20, 20], [5, 0, 0], [30, 30, 30]), method=method)
    assert (answer.value[0], answer.lower[0]) == (0, 0)
    assert 0 < answer.upper[0] < np.inf
    assert (answer.value[1], answer.upper[1]) == (np.inf, np.inf)
    assert 0 < answer.lower[1] < np.inf
    assert np.isnan([answer.value[2], answer.lower[2], answer.upper[2]]).all()
    assert answer.note[2] == "no cases in either group: no ratio"


@pytest.mark.parametrize("method", ODDS_RATIO)
def test_odds_without_cases_or_without_non_cases_are_missing_with_the_reason(method):
    answer = odds_ratio(**counts([0, 20, 20], [20, 20, 20], [0, 30, 5], [30, 30, 30]), method=method)
    assert np.isnan(answer.value[:2]).all()
    assert np.isnan(answer.lower[:2]).all()
    assert "no cases" in answer.note[0]
    assert "everyone is a case" in answer.note[1]
    assert answer.upper[2] == np.inf > answer.lower[2] > 1


def test_large_sample_intervals_fall_back_to_score_where_they_do_not_fit_and_say_so():
    few = counts([9, 10, 0], [100, 100, 100], [40, 40, 40], [100, 100, 100])
    odds = odds_ratio(**few, method="woolf")
    assert odds.method.tolist() == ["score", "woolf", "score"]
    assert "score used" in odds.note[0] and odds.note[1] == ""
    ratio = risk_ratio(**few, method="katz")
    assert ratio.method.tolist() == ["katz", "katz", "koopman"]
    assert "score used" in ratio.note[2]


def test_small_expected_counts_are_tested_exactly_and_larger_ones_by_score():
    test = two_proportion_test(**counts([5, 4, 0], [20, 20, 9], [5, 5, 3], [20, 20, 9]))
    assert test.method.tolist() == ["pooled_score", "fisher_mid_p", "fisher_mid_p"]


def test_no_one_or_everyone_a_case_leaves_nothing_to_test():
    test = two_proportion_test(**counts([0, 9], [9, 9], [0, 7], [7, 7]))
    assert np.isnan(test.p_value).all()
    assert set(test.note) == {"everyone alike in both groups: nothing to test"}


def test_weighted_counts_are_taken_with_a_note_and_exact_methods_give_way():
    weighted = counts(2.5, 9.5, 1.25, 8.0)
    assert risk_ratio(**weighted).note.item() == "counts are not whole numbers"
    exact = odds_ratio(**weighted, method="mid_p")
    assert exact.method.item() == "score" and "whole counts" in exact.note.item()
    assert float(exact.lower) == float(odds_ratio(**weighted).lower)
    test = two_proportion_test(**weighted)
    assert test.method.item() == "pooled_score" and "whole counts" in test.note.item()


@pytest.mark.parametrize(("measure", "method"), EVERY)
def test_missing_and_empty_groups_are_missing_with_the_reason_and_no_warning(measure, method, recwarn):
    answer = MEASURES[measure](
        **counts([np.nan, 0, 1, 3], [5, 0, 5, 10], [1, 1, 0, 2], [5, 5, 0, np.nan]), method=method
    )
    assert np.isnan([answer.value, answer.lower, answer.upper]).all()
    assert answer.note.tolist() == [
        "a count is missing",
        "nobody counted",
        "nobody counted in the comparator",
        "a count is missing",
    ]
    empty = MEASURES[measure](**counts([], [], [], []), method=method, confidence=(0.9, 0.95))
    assert empty.value.shape == (0,) and empty.lower.shape == (0, 2)
    assert not recwarn.list


@pytest.mark.parametrize("method", TWO_PROPORTIONS)
def test_tests_of_missing_and_empty_groups_are_missing_and_do_not_warn(method, recwarn):
    test = two_proportion_test(**counts([np.nan, 0], [5, 0], [1, 1], [5, 5]), method=method)
    assert np.isnan(test.p_value).all() and all(test.note)
    assert two_proportion_test(**counts([], [], [], []), method=method).p_value.shape == (0,)
    assert not recwarn.list


@pytest.mark.parametrize(("measure", "method"), EVERY)
def test_edges_and_a_thousand_million_people_do_not_warn(measure, method, recwarn):
    tables = np.array(
        [(0, 1, 0, 1), (1, 1, 1, 1), (0, 1, 1, 1), (1, 1, 0, 1), (3, 1e9, 0, 1e9), (5e8, 1e9, 5.001e8, 1e9)]
    )
    if method == "conditional_exact":
        tables[5] = (5e6, 1e7, 5.001e6, 1e7)  # the exact ones of a thousand million are as slow twice
    answer = MEASURES[measure](**counts(*tables.T), method=method)
    assert (np.isnan(answer.lower) == np.isnan(answer.upper)).all()
    assert (np.isnan(answer.lower) <= (answer.note != "")).all()
    assert answer.lower[5] < answer.value[5] < answer.upper[5]
    assert not recwarn.list


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (([1, -1], [5, 5], [1, 1], [5, 5]), "numerator is negative (entries 1)"),
        (([1, 6], [5, 5], [1, 1], [5, 5]), "numerator is above denominator (entries 1)"),
        (
            ([1, 1], [5, 5], [1, 8], [5, 7]),
            "comparator_numerator is above comparator_denominator (entries 1)",
        ),
        (([1, 1], [5, 5], [1, 1], [5, -5]), "comparator_denominator is negative"),
        (([1, 1, 1], [5, 5], [1, 1], [5, 5]), "unequal shape"),
        (([1, 1], [5, np.inf], [1, 1], [5, 5]), "infinite"),
    ],
)
@pytest.mark.parametrize("function", [risk_difference, risk_ratio, odds_ratio, two_proportion_test])
def test_counts_that_cannot_be_are_refused_by_name(function, table, told):
    with pytest.raises(ContractError) as error:
        function(**counts(*table))
    assert told in str(error.value)


@pytest.mark.parametrize("function", [risk_difference, risk_ratio, odds_ratio])
def test_unknown_methods_and_percentages_are_refused(function):
    with pytest.raises(ContractError, match="no method 'wald'"):
        function(**counts(1, 5, 1, 5), method="wald")
    with pytest.raises(ContractError, match="fraction"):
        function(**counts(1, 5, 1, 5), confidence=95)
