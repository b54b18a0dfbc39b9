import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import StratifiedTable

from equitydata.stats.contracts import ContractError
from equitydata.stats.two_groups.proportions import odds_ratio, risk_ratio
from equitydata.stats.two_groups.stratified import (
    stratified_odds_ratio,
    stratified_rate_difference,
    stratified_rate_ratio,
    stratified_risk_difference,
    stratified_risk_ratio,
)
from equitydata.stats.two_groups.stratified_tests import (
    MEASURES,
    cochran_mantel_haenszel_test,
    homogeneity,
    mantel_haenszel_rate_test,
)

NAMES = ("numerator", "denominator", "comparator_numerator", "comparator_denominator")
ADJUSTED = {
    "odds_ratio": stratified_odds_ratio,
    "risk_ratio": stratified_risk_ratio,
    "rate_ratio": stratified_rate_ratio,
    "risk_difference": stratified_risk_difference,
    "rate_difference": stratified_rate_difference,
}
CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "mantel_haenszel.csv").open()))
# Admissions by department, men against women: the crude ratio and the adjusted one lie on either side of 1.
BERKELEY = ([512, 353, 120, 138, 53, 22], [825, 560, 325, 417, 191, 373], [89, 17, 202, 131, 94, 24])
BERKELEY = dict(zip(NAMES, (*BERKELEY, [108, 25, 593, 375, 393, 341]), strict=True))


def counts(x1, n1, x2, n2):
    return dict(zip(NAMES, (x1, n1, x2, n2), strict=True))


def worked_out(case):
    given_counts = {name: [float(entry) for entry in case[name].split()] for name in NAMES}
    quantity = case["quantity"]
    if quantity in ADJUSTED:
        adjusted = ADJUSTED[quantity](**given_counts).adjusted
        return [adjusted.value, adjusted.lower, adjusted.upper]
    if quantity.startswith("inverse_variance_"):
        measure = quantity.removeprefix("inverse_variance_")
        test = homogeneity(**given_counts, measure=measure, method="inverse_variance")
    elif quantity.startswith("breslow_day"):
        test = homogeneity(**given_counts, measure="odds_ratio", method=quantity)
    elif quantity == "mantel_haenszel_rates":
        test = mantel_haenszel_rate_test(**given_counts)
    else:
        test = cochran_mantel_haenszel_test(**given_counts, yates=quantity == "cmh_yates")
    return [test.statistic, test.p_value]


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case['data']}-{case['quantity']}-{case['source'][:25]}"
)
def test_adjusted_measures_and_tests_equal_the_known_ones(case):
    got = [float(number) for number in worked_out(case)]
    known = [float(case[key]) for key in ("value", "lower", "upper")][: len(got)]
    assert got == pytest.approx(known, rel=float(case["tolerance"]), abs=1e-12), case["source"]


STRATUM = st.tuples(st.integers(1, 30), st.integers(1, 30)).flatmap(
    lambda people: st.tuples(
        st.integers(0, people[0]), st.just(people[0]), st.integers(0, people[1]), st.just(people[1])
    )
)
STRATA = st.lists(STRATUM, min_size=2, max_size=6).map(lambda rows: np.array(rows, dtype=float).T)


@settings(max_examples=50, deadline=None)
@given(STRATA)
def test_odds_ratios_and_tests_equal_statsmodels(table):
    x1, n1, x2, n2 = table
    assume(((x1 + x2 > 0) & (x1 + x2 < n1 + n2)).all())
    answer = stratified_odds_ratio(**counts(*table)).adjusted
    # Theirs has no test of agreement where the adjusted odds ratio is exactly 1.
    assume(0 < answer.value < np.inf and abs(answer.value - 1) > 1e-9)
    theirs = StratifiedTable([np.array([[a, n - a], [c, m - c]]) for a, n, c, m in table.T])
    assert float(answer.value) == pytest.approx(theirs.oddsratio_pooled, rel=1e-9)
    assert [answer.lower, answer.upper] == pytest.approx(theirs.oddsratio_pooled_confint(), rel=1e-7)
    cmh = cochran_mantel_haenszel_test(**counts(*table))
    assert float(cmh.statistic) == pytest.approx(theirs.test_null_odds(correction=False).statistic, abs=1e-9)
    for method, adjust in (("breslow_day", False), ("breslow_day_tarone", True)):
        ours = homogeneity(**counts(*table), measure="odds_ratio", method=method)
        their_test = theirs.test_equal_odds(adjust=adjust)
        assert float(ours.statistic) == pytest.approx(their_test.statistic, rel=1e-6, abs=1e-8)
        assert float(ours.p_value) == pytest.approx(their_test.pvalue, rel=1e-6, abs=1e-9)


def test_admissions_at_berkeley_turn_round_when_departments_are_held_fixed():
    answer = stratified_odds_ratio(**BERKELEY)
    assert float(answer.crude.value) == pytest.approx(1.84108, abs=1e-5)
    assert float(answer.adjusted.value) < 1 < float(answer.crude.lower)
    assert bool(answer.reversed_)
    assert "Simpson" in answer.adjusted.note.item()
    assert bool(stratified_risk_difference(**BERKELEY).reversed_)
    assert answer.crude.note.item() == ""


def test_a_comparison_that_keeps_its_direction_is_not_marked():
    answer = stratified_risk_ratio(**counts([30, 40], [100, 100], [10, 20], [100, 100]))
    assert not answer.reversed_ and answer.adjusted.note.item() == ""


@settings(max_examples=50, deadline=None)
@given(STRATUM, st.integers(2, 5))
def test_one_stratum_or_copies_of_it_give_the_plain_value(stratum, copies):
    x1, n1, x2, n2 = stratum
    assume(x1 > 0 and x2 > 0 and x1 + x2 < n1 + n2)
    for adjusted, plain in ((stratified_risk_ratio, risk_ratio), (stratified_odds_ratio, odds_ratio)):
        repeated = [[count] * copies for count in stratum]
        value = float(plain(**counts(*stratum)).value)
        assert float(adjusted(**counts(*repeated)).adjusted.value) == pytest.approx(value, rel=1e-9)


@settings(max_examples=50, deadline=None)
@given(STRATA, st.sampled_from(sorted(ADJUSTED)))
def test_swapping_the_groups_inverts_ratios_and_negates_differences(table, measure):
    x1, n1, x2, n2 = table
    there = ADJUSTED[measure](**counts(x1, n1, x2, n2)).adjusted
    back = ADJUSTED[measure](**counts(x2, n2, x1, n1)).adjusted
    if measure.endswith("difference"):
        turned = [-back.value, -back.upper, -back.lower]
    else:
        with np.errstate(divide="ignore"):
            turned = [1 / back.value, 1 / back.upper, 1 / back.lower]
    assert [there.value, there.lower, there.upper] == pytest.approx(turned, rel=1e-6, abs=1e-9, nan_ok=True)


@settings(max_examples=50, deadline=None)
@given(STRATA, st.sampled_from(sorted(ADJUSTED)), st.randoms())
def test_the_order_of_the_strata_does_not_matter_and_empty_ones_add_nothing_but_are_listed(
    table, measure, random
):
    order = list(range(table.shape[1]))
    random.shuffle(order)
    there = ADJUSTED[measure](**counts(*table))
    shuffled = ADJUSTED[measure](**counts(*table[:, order]))
    widened = np.column_stack([[0, 0, 3, 9], table, [2, 5, 0, 0]])
    wider = ADJUSTED[measure](**counts(*widened))
    last = table.shape[1] + 1
    for other in (shuffled, wider):
        got = [other.adjusted.value, other.adjusted.lower, other.adjusted.upper]
        known = [there.adjusted.value, there.adjusted.lower, there.adjusted.upper]
        # A variance of 0 but for rounding may or may not be told from 0.
        assert got == pytest.approx(known, rel=1e-6, abs=1e-7, nan_ok=True)
    assert wider.dropped.item() == (0, *(number + 1 for number in there.dropped.item()), last)


def test_strata_that_tell_nothing_are_listed_for_each_measure():
    table = counts([0, 4, 5, 2, 0], [5, 4, 5, 9, 0], [0, 6, 1, 3, 1], [6, 6, 7, 8, 4])
    assert stratified_risk_difference(**table).dropped.item() == (4,)
    assert stratified_risk_ratio(**table).dropped.item() == (0, 4)
    assert stratified_odds_ratio(**table).dropped.item() == (0, 1, 4)
    assert stratified_rate_ratio(**table).dropped.item() == (0, 4)
    assert stratified_rate_difference(**table).dropped.item() == (4,)


def test_the_crude_comparison_takes_in_every_stratum():
    answer = stratified_risk_ratio(**counts([3, 0], [10, 0], [2, 5], [10, 10]))
    assert float(answer.crude.value) == pytest.approx((3 / 10) / (7 / 20))
    assert float(answer.adjusted.value) == pytest.approx((3 / 10) / (2 / 10))


@pytest.mark.parametrize("measure", sorted(ADJUSTED))
def test_several_comparisons_at_once_equal_each_on_its_own(measure):
    tables = [np.array(list(BERKELEY.values())), np.array(list(BERKELEY.values()))[:, ::-1] // 2 + 1]
    together = ADJUSTED[measure](**counts(*np.stack(tables, axis=1)), confidence=(0.95, 0.998))
    assert together.adjusted.lower.shape == (2, 2)
    assert together.reversed_.shape == together.dropped.shape == (2,)
    for place, table in enumerate(tables):
        for level, confidence in enumerate((0.95, 0.998)):
            alone = ADJUSTED[measure](**counts(*table), confidence=confidence).adjusted
            assert together.adjusted.lower[place, level] == pytest.approx(float(alone.lower))
            assert together.adjusted.upper[place, level] == pytest.approx(float(alone.upper))


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0.2, 5), st.lists(st.tuples(st.floats(0.05, 0.9), st.integers(5, 500)), min_size=2, max_size=6)
)
def test_strata_with_one_exact_ratio_give_that_ratio_and_no_heterogeneity(ratio, strata):
    risk = np.array([stratum[0] for stratum in strata]) / max(1, ratio)
    people = np.array([stratum[1] for stratum in strata], dtype=float)
    table = counts(risk * ratio * people, people, risk * 2 * people, 2 * people)
    assert float(stratified_risk_ratio(**table).adjusted.value) == pytest.approx(ratio)
    assert float(stratified_rate_ratio(**table).adjusted.value) == pytest.approx(ratio)
    assert float(homogeneity(**table, measure="risk_ratio").statistic) == pytest.approx(0, abs=1e-6)
    odds = risk / (1 - risk) * ratio
    table = counts(odds / (1 + odds) * people, people, risk * 2 * people, 2 * people)
    assert float(stratified_odds_ratio(**table).adjusted.value) == pytest.approx(ratio)
    tarone = homogeneity(**table, measure="odds_ratio")
    assert float(tarone.statistic) == pytest.approx(0, abs=1e-6)
    assert float(tarone.p_value) == pytest.approx(1, abs=1e-2)


def test_no_cases_in_one_group_give_0_or_infinity_without_limits(recwarn):
    for measure in ("risk_ratio", "odds_ratio", "rate_ratio"):
        none = ADJUSTED[measure](**counts([0, 0], [5, 6], [2, 3], [7, 8])).adjusted
        all_here = ADJUSTED[measure](**counts([2, 3], [7, 8], [0, 0], [5, 6])).adjusted
        assert (float(none.value), float(all_here.value)) == (0, math.inf)
        assert np.isnan([none.lower, none.upper, all_here.lower, all_here.upper]).all()
        assert "no limits" in none.note.item() and "no limits" in all_here.note.item()
    assert not recwarn.list


@pytest.mark.parametrize("measure", sorted(ADJUSTED))
def test_missing_counts_and_strata_that_tell_nothing_are_missing_with_the_reason(measure, recwarn):
    answer = ADJUSTED[measure](**counts([[1, np.nan], [0, 0]], [[5, 5], [0, 0]], [[1, 1], [0, 0]], 5))
    assert np.isnan([answer.adjusted.value, answer.adjusted.lower, answer.adjusted.upper]).all()
    assert answer.adjusted.note.tolist() == [
        "a count is missing",
        "no stratum holds both groups with what the measure needs",
    ]
    assert not answer.reversed_.any()
    assert answer.dropped.tolist() == [(), (0, 1)]
    empty = ADJUSTED[measure](**counts([], [], [], []))
    assert math.isnan(empty.adjusted.value) and empty.adjusted.note.item()
    assert not recwarn.list


def test_differences_without_variation_have_no_limits_instead_of_none_to_speak_of(recwarn):
    for measure in ("risk_difference", "rate_difference"):
        answer = ADJUSTED[measure](**counts([0, 0], [5, 6], [0, 0], [7, 8])).adjusted
        assert float(answer.value) == 0 and np.isnan([answer.lower, answer.upper]).all()
        assert answer.note.item() == "no variation within strata: no limits"
    assert not recwarn.list


def test_tests_of_missing_or_empty_strata_say_why(recwarn):
    table = counts([[1, np.nan], [0, 0], [3, 2]], [[5, 5], [5, 5], [5, 5]], [[1, 1], [0, 0], [1, 1]], 5)
    for test in (cochran_mantel_haenszel_test(**table), mantel_haenszel_rate_test(**table)):
        assert np.isnan(test.p_value[:2]).all() and test.p_value[2] > 0
        assert test.note.tolist() == [
            "a count is missing",
            "no stratum holds both groups with what the measure needs",
            "",
        ]
    for measure in MEASURES:
        test = homogeneity(**table, measure=measure)
        assert np.isnan(test.p_value[0]) and test.note[0] == "a count is missing"
        assert np.isnan(test.p_value[1]) and test.note[1]
        assert test.df[2] == 1 and 0 < test.p_value[2] <= 1
    assert not recwarn.list


def test_homogeneity_needs_two_strata_and_an_adjusted_ratio(recwarn):
    one = homogeneity(**counts([3, 0], [9, 0], [2, 4], [8, 9]), measure="odds_ratio")
    assert np.isnan(one.p_value) and one.note.item() == "fewer than two strata to compare"
    none = homogeneity(**counts([0, 0], [9, 9], [2, 4], [8, 9]), measure="odds_ratio")
    assert np.isnan(none.p_value) and "0 or infinite" in none.note.item()
    left_out = homogeneity(**counts([0, 3, 4], [9, 9, 9], [2, 4, 3], [8, 9, 9]), measure="risk_ratio")
    assert float(left_out.df) == 1 and "left out" in left_out.note.item()
    assert not recwarn.list


def test_strata_can_be_compared_also_where_the_adjusted_odds_ratio_is_exactly_1():
    table = counts([4, 2], [8, 8], [2, 4], [8, 8])
    assert float(stratified_odds_ratio(**table).adjusted.value) == 1
    test = homogeneity(**table, measure="odds_ratio", method="breslow_day")
    # Expected cases are half of 6 in either stratum, so the gap is 1 and each variance 1 / (1/3 + 1/5 + 1/3 + 1/5).
    assert float(test.statistic) == pytest.approx(2 * (1 / 3 + 1 / 5 + 1 / 3 + 1 / 5))


def test_huge_strata_do_not_warn(recwarn):
    table = counts([5e8, 3], [1e9, 1e9], [4e8, 1], [1e9, 1e9])
    for measure, adjusted in ADJUSTED.items():
        answer = adjusted(**table).adjusted
        assert float(answer.lower) < float(answer.value) < float(answer.upper)
        assert 0 <= float(homogeneity(**table, measure=measure).p_value) <= 1
    assert float(cochran_mantel_haenszel_test(**table).p_value) == 0
    assert not recwarn.list


def test_weighted_counts_are_taken_with_a_note():
    answer = stratified_risk_ratio(**counts([2.5, 3], [9, 8], [1, 2], [7, 9]))
    assert answer.adjusted.note.item() == "counts are not whole numbers"
    assert stratified_rate_ratio(**counts([2, 3], [9.5, 8], [1, 2], [7, 9])).adjusted.note.item() == ""


@pytest.mark.parametrize("function", [*ADJUSTED.values(), cochran_mantel_haenszel_test])
def test_counts_that_cannot_be_are_refused(function):
    for table in (
        ([-1, 1], 5, [1, 1], 5),
        ([1, 1], [5, -5], [1, 1], 5),
        ([1, 1], 5, [1, 1, 1], 5),
        (1, 5, 1, 5),
    ):
        with pytest.raises(ContractError):
            function(**counts(*table))


def test_more_cases_than_people_are_refused_as_risks_and_taken_as_rates():
    table = counts([6, 3], [5, 5], [2, 2], [5, 5])
    with pytest.raises(ContractError, match="numerator is above denominator"):
        stratified_risk_ratio(**table)
    assert float(stratified_rate_ratio(**table).adjusted.value) == pytest.approx(9 / 4)


def test_unknown_measures_and_methods_that_do_not_fit_are_refused():
    table = counts([3, 2], [5, 5], [2, 2], [5, 5])
    with pytest.raises(ContractError, match="no method 'risk'"):
        homogeneity(**table, measure="risk")
    with pytest.raises(ContractError, match="no method 'breslow_day'"):
        homogeneity(**table, measure="risk_ratio", method="breslow_day")
