import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.two_groups.means import mean_difference
from equitydata.stats.two_groups.part_and_whole import (
    difference_to_overall,
    naive_z_factor,
    ratio_to_overall,
    rest_of,
)
from equitydata.stats.two_groups.proportions import odds_ratio, risk_difference, risk_ratio
from equitydata.stats.two_groups.rates import rate_ratio

CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "part_and_whole.csv").open()))
NAMES = ("numerator", "denominator", "total_numerator", "total_denominator")


def against_rest(function, numerator, denominator, total_numerator, total_denominator, **options):
    rest_cases, rest_people = rest_of(
        numerator=numerator,
        denominator=denominator,
        total_numerator=total_numerator,
        total_denominator=total_denominator,
    )
    return function(
        numerator=numerator,
        denominator=denominator,
        comparator_numerator=rest_cases,
        comparator_denominator=rest_people,
        **options,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["source"][-25:])
def test_ratio_and_difference_to_the_total_equal_those_worked_out_directly(case):
    x, n, all_x, all_n = (float(case[name]) for name in NAMES)
    ratio = ratio_to_overall(against_rest(risk_ratio, x, n, all_x, all_n), share=n / all_n)
    gap = difference_to_overall(against_rest(risk_difference, x, n, all_x, all_n), share=n / all_n)
    assert float(ratio.value) == pytest.approx(float(case["ratio_to_overall"]), rel=1e-9), case["source"]
    assert float(gap.value) == pytest.approx(float(case["difference_to_overall"]), rel=1e-8), case["source"]


PART = st.tuples(st.integers(1, 200), st.integers(1, 200)).flatmap(
    lambda people: st.tuples(
        st.integers(0, people[0]), st.just(people[0]), st.integers(1, people[1]), st.just(people[1])
    )
)


@settings(max_examples=100, deadline=None)
@given(PART)
def test_the_comparison_with_the_total_excludes_equality_exactly_when_that_with_the_rest_does(counts):
    x, n, rest_x, rest_n = counts
    share = n / (n + rest_n)
    to_rest = against_rest(risk_ratio, x, n, x + rest_x, n + rest_n)
    to_all = ratio_to_overall(to_rest, share=share)
    assert float(to_all.value) == pytest.approx((x / n) / ((x + rest_x) / (n + rest_n)), rel=1e-9)
    assert bool(to_rest.lower > 1) == bool(to_all.lower > 1)
    assert bool(to_rest.upper < 1) == bool(to_all.upper < 1)
    assert to_all.lower <= to_all.value + 1e-12 and to_all.value <= to_all.upper + 1e-12
    gap_rest = against_rest(risk_difference, x, n, x + rest_x, n + rest_n)
    gap = difference_to_overall(gap_rest, share=share)
    assert float(gap.value) == pytest.approx(x / n - (x + rest_x) / (n + rest_n), abs=1e-12)
    assert bool(gap_rest.lower > 0) == bool(gap.lower > 0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0.5, 500)), min_size=2, max_size=8))
def test_ratios_to_the_total_weighted_by_share_of_time_average_to_1(groups):
    events, time = np.array([group[0] for group in groups]), np.array([group[1] for group in groups])
    if (events > 0).sum() < 2:
        return
    to_rest = against_rest(rate_ratio, events, time, float(events.sum()), float(time.sum()))
    share = time / time.sum()
    ratio = ratio_to_overall(to_rest, share=share)
    assert float((ratio.value * share).sum()) == pytest.approx(1)


def test_a_ratio_without_upper_limit_becomes_one_over_the_share():
    to_rest = against_rest(risk_ratio, 5, 10, 5, 40, confidence=(0.95, 0.998))
    answer = ratio_to_overall(to_rest, share=0.25)
    assert float(answer.value) == 4
    assert answer.upper.tolist() == [4, 4]
    assert (to_rest.lower / (0.25 * to_rest.lower + 0.75)).tolist() == pytest.approx(answer.lower.tolist())
    assert answer.method.item() == "koopman, derived from the rest"


def test_a_ratio_of_0_stays_0():
    answer = ratio_to_overall(against_rest(risk_ratio, 0, 10, 5, 40), share=0.25)
    assert (float(answer.value), float(answer.lower)) == (0, 0)


def test_missing_shares_and_a_group_of_everyone_are_missing_with_the_reason(recwarn):
    to_rest = risk_ratio(numerator=[5] * 3, denominator=10, comparator_numerator=7, comparator_denominator=20)
    for mapped in (ratio_to_overall, difference_to_overall):
        answer = mapped(to_rest, share=[np.nan, 1, 0])
        assert np.isnan([answer.value[:2], answer.lower[:2], answer.upper[:2]]).all()
        assert answer.note.tolist() == [
            "the group's share is missing",
            "the group is everyone: no rest to compare with",
            "",
        ]
    assert ratio_to_overall(to_rest, share=[0, 0, 0]).value == pytest.approx(to_rest.value)
    assert to_rest.note.tolist() == ["", "", ""]
    assert against_rest(risk_ratio, 5, 10, 5, 10).note.item() == "nobody counted in the comparator"
    assert not recwarn.list


def test_each_entry_keeps_the_method_of_its_own():
    to_rest = rate_ratio(
        numerator=[5, 50], denominator=100, comparator_numerator=[60, 60], comparator_denominator=100
    )
    assert ratio_to_overall(to_rest, share=0.5).method.tolist() == [
        "conditional_exact, derived from the rest",
        "score, derived from the rest",
    ]


def test_rest_is_what_the_total_has_besides_the_group():
    cases, people = rest_of(
        numerator=[3, np.nan], denominator=[9, 4], total_numerator=10, total_denominator=50
    )
    assert cases == pytest.approx([7, np.nan], nan_ok=True)
    assert people.tolist() == [41, 46]
    for wrong in ((11, 20, 10, 50), (3, 60, 10, 50), (-1, 5, 10, 50)):
        with pytest.raises(ContractError):
            rest_of(**dict(zip(NAMES, wrong, strict=True)))


@settings(max_examples=50, deadline=None)
@given(st.floats(0.01, 0.99), st.floats(-5, 5), st.floats(-5, 5), st.floats(0.1, 10))
def test_the_naive_z_times_its_factor_is_the_z_against_the_rest(share, mean, rest_mean, spread):
    n = 1000.0
    overall = share * mean + (1 - share) * rest_mean
    naive = (mean - overall) / math.sqrt(spread**2 / (share * n) + spread**2 / n)
    right = (mean - rest_mean) / math.sqrt(spread**2 / (share * n) + spread**2 / ((1 - share) * n))
    assert naive * float(naive_z_factor(share)) == pytest.approx(right, rel=1e-9, abs=1e-12)


def test_the_factor_at_its_ends(recwarn):
    assert naive_z_factor([0, 0.5, 1, np.nan]) == pytest.approx(
        [1, math.sqrt(3), np.inf, np.nan], nan_ok=True
    )
    assert not recwarn.list


def test_differences_of_means_go_to_the_total_as_well():
    to_rest = mean_difference(
        size=10, mean=5, variance=4, comparator_size=30, comparator_mean=3, comparator_variance=4
    )
    assert float(difference_to_overall(to_rest, share=0.25).value) == 1.5


def test_wrong_shares_shapes_and_negative_ratios_are_refused():
    to_rest = against_rest(risk_ratio, [5, 6], [10, 10], 20, 40)
    for share in (1.2, -0.1, [0.1, 0.2, 0.3]):
        with pytest.raises(ContractError):
            ratio_to_overall(to_rest, share=share)
    with pytest.raises(ContractError, match="not a ratio"):
        ratio_to_overall(against_rest(risk_difference, [1, 6], [10, 10], 20, 40), share=0.25)
    with pytest.raises(ContractError):
        naive_z_factor(1.1)


def test_odds_ratios_do_not_go_through_the_map_and_the_docstring_says_so():
    x, n, all_x, all_n = 30, 50, 60, 200
    odds = ratio_to_overall(against_rest(odds_ratio, x, n, all_x, all_n), share=n / all_n)
    direct = (x / (n - x)) / (all_x / (all_n - all_x))
    assert float(odds.value) != pytest.approx(direct, rel=1e-3)
    assert "Not for odds ratios" in ratio_to_overall.__doc__
