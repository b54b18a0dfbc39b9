import csv
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.many_groups.representation import (
    repeat_dispersion,
    representation_gap,
    representation_ratio,
    sampled_ratio,
    share_test,
)
from equitydata.stats.one_group.proportions import clopper_pearson
from equitydata.stats.two_groups.proportions import risk_ratio

pytestmark = pytest.mark.filterwarnings("error")
KNOWN = Path(__file__).parent / "known_answers"
CASES = list(csv.DictReader((KNOWN / "shares.csv").open()))
REPEATS = list(csv.DictReader((KNOWN / "repeat_dispersion.csv").open()))
COUNTS = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
SHARES = st.floats(0.01, 0.99)
METHODS = ("exact", "mid_p", "minlike", "score")


def counts(case):
    return {name: [float(case[name])] for name in ("numerator", "denominator", "share")}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['numerator']}/{case['denominator']}")
def test_representation_gives_the_known_limits_and_p_values(case):
    ratio = representation_ratio(**counts(case))
    assert ratio.lower[0] == pytest.approx(float(case["lower"]), abs=1e-9), case["source"]
    assert ratio.upper[0] == pytest.approx(float(case["upper"]), abs=1e-9), case["source"]
    for method in METHODS:
        p_value = share_test(**counts(case), method=method).p_value[0]
        assert p_value == pytest.approx(float(case[method]), rel=1e-8), (method, case["source"])


def by_hand(x, n, share, method):
    mass = [comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
    if method == "minlike":
        return min(1.0, sum(m for m in mass if m <= mass[x] * (1 + 1e-7)))
    half = mass[x] / 2 if method == "mid_p" else 0
    return min(1.0, 2 * (min(sum(mass[: x + 1]), sum(mass[x:])) - half))


@given(COUNTS, SHARES, st.sampled_from(METHODS[:3]))
@settings(max_examples=100, deadline=None)
def test_exact_p_values_equal_adding_up_the_binomial_by_hand(pair, share, method):
    x, n = pair
    p_value = share_test(numerator=[x], denominator=[n], share=[share], method=method).p_value[0]
    assert p_value == pytest.approx(by_hand(x, n, share, method), rel=1e-6, abs=1e-12)


@given(COUNTS, SHARES)
@settings(max_examples=60, deadline=None)
def test_clopper_pearson_limits_exclude_the_share_exactly_when_the_exact_p_value_is_small(pair, share):
    lower, upper = clopper_pearson(*pair)
    p_value = float(share_test(numerator=pair[0], denominator=pair[1], share=share).p_value)
    if abs(p_value - 0.05) > 1e-9:
        assert (not lower <= share <= upper) == (p_value < 0.05)


@given(COUNTS, SHARES)
@settings(max_examples=60, deadline=None)
def test_the_wilson_limits_of_the_ratio_exclude_one_exactly_when_the_score_p_value_is_small(pair, share):
    ratio = representation_ratio(numerator=pair[0], denominator=pair[1], share=share)
    p_value = float(share_test(numerator=pair[0], denominator=pair[1], share=share, method="score").p_value)
    if abs(p_value - 0.05) > 1e-9:
        assert (not ratio.lower <= 1 <= ratio.upper) == (p_value < 0.05)


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(100, 1000)), min_size=2, max_size=6))
@settings(max_examples=40, deadline=None)
def test_the_representation_ratio_is_the_rate_over_the_overall_rate(groups):
    x, n = np.array(groups, dtype=float).T
    ratio = representation_ratio(numerator=x, denominator=x.sum(), share=n / n.sum())
    assert ratio.value == pytest.approx((x / n) / (x.sum() / n.sum()))
    assert (ratio.value * n / n.sum()).sum() == pytest.approx(1)


@given(COUNTS, SHARES)
@settings(max_examples=30, deadline=None)
def test_more_people_leave_the_ratio_and_narrow_its_limits(pair, share):
    one, ten = (
        representation_ratio(numerator=pair[0] * k, denominator=pair[1] * k, share=share) for k in (1, 10)
    )
    assert ten.value == pytest.approx(one.value)
    assert ten.upper - ten.lower < one.upper - one.lower


def test_the_gap_is_the_ratio_less_one_times_the_share():
    asked = {"numerator": [12, 0, 20], "denominator": [20, 20, 20], "share": [0.4, 0.1, 0.7]}
    gap, ratio = representation_gap(**asked), representation_ratio(**asked)
    for g, r in ((gap.value, ratio.value), (gap.lower, ratio.lower), (gap.upper, ratio.upper)):
        assert g == pytest.approx((r - 1) * np.array(asked["share"]))


def test_none_and_all_have_exact_ends():
    ratio = representation_ratio(numerator=[0, 20], denominator=20, share=0.5)
    assert (ratio.value[0], ratio.lower[0], ratio.value[1], ratio.upper[1]) == (0, 0, 2, 2)


def test_several_confidence_levels_add_an_axis():
    ratio = representation_ratio(numerator=[5, 9], denominator=50, share=0.2, confidence=(0.95, 0.998))
    assert ratio.lower.shape == (2, 2) and (ratio.lower[:, 1] < ratio.lower[:, 0]).all()
    one = representation_ratio(numerator=[5, 9], denominator=50, share=0.2, confidence=0.998)
    assert ratio.upper[:, 1].tolist() == one.upper.tolist()


@pytest.mark.parametrize(
    ("x", "n", "share"), [(np.nan, 5, 0.5), (3, np.nan, 0.5), (0, 0, 0.5), (3, 5, np.nan), (3, 5, 0)]
)
def test_no_ratio_gives_a_reason(x, n, share):
    ratio = representation_ratio(numerator=[x], denominator=[n], share=[share])
    assert np.isnan([ratio.value[0], ratio.lower[0], ratio.upper[0]]).all() and ratio.note[0]


def test_no_test_gives_a_reason():
    test = share_test(numerator=[np.nan, 0, 3], denominator=[5, 0, 5], share=[0.5, 0.5, np.nan])
    assert np.isnan(test.p_value).all() and all(test.note)


def test_a_share_of_nothing_or_everything_allows_only_one_count():
    test = share_test(numerator=[0, 1, 5, 4], denominator=5, share=[0, 0, 1, 1])
    assert test.p_value.tolist() == [1, 0, 1, 0] and np.isnan(test.statistic).all()
    score = share_test(numerator=[0, 1, 5, 4], denominator=5, share=[0, 0, 1, 1], method="score")
    assert score.p_value.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("method", METHODS)
def test_a_thousand_million_people_are_tested(method):
    test = share_test(numerator=[500_100_000, 500_000_000], denominator=10**9, share=0.5, method=method)
    assert test.p_value == pytest.approx([2.54e-10, 1], rel=0.01)


def test_one_number_alone_is_enough():
    assert representation_ratio(numerator=5, denominator=10, share=0.25).value == 2
    assert share_test(numerator=5, denominator=10, share=0.5).p_value == 1
    assert representation_ratio(numerator=[], denominator=[], share=0.25).value.shape == (0,)


@pytest.mark.parametrize("case", REPEATS, ids=lambda case: case["events"])
def test_the_dispersion_of_repeated_events_equals_the_clustered_variance(case):
    names = ("events", "squares", "all_events", "all_squares")
    dispersion = repeat_dispersion(**{name: [float(case[name])] for name in names})
    assert dispersion[0] == pytest.approx(float(case["dispersion"]), rel=1e-9), case["source"]


def test_people_with_one_event_each_have_no_extra_dispersion():
    assert repeat_dispersion(
        events=[3, 0, 9], squares=[3, 0, 9], all_events=9, all_squares=9
    ) == pytest.approx(1)


def test_dispersion_divides_the_counts_and_z_by_its_root():
    asked = {"numerator": [30], "denominator": [100], "share": [0.2]}
    wide = representation_ratio(**asked, dispersion=4)
    quarter = representation_ratio(numerator=[7.5], denominator=[25], share=[0.2])
    assert (wide.lower[0], wide.upper[0]) == (quarter.lower[0], quarter.upper[0])
    assert wide.method[0] == "quasi_wilson"
    plain, quasi = share_test(**asked, method="score"), share_test(**asked, dispersion=4)
    assert quasi.statistic[0] == pytest.approx(plain.statistic[0] / 2) and quasi.method[0] == "quasi_score"


def test_a_dispersed_test_keeps_its_error_rate_where_the_plain_one_does_not():
    rng = np.random.default_rng(11)
    people, reports = 400, 1500
    events = rng.geometric(0.35, (reports, people)).astype(float)
    group = rng.random((reports, people)) < 0.2
    x, q = (events * group).sum(1), (events**2 * group).sum(1)
    n, q_all = events.sum(1), (events**2).sum(1)
    phi = repeat_dispersion(events=x, squares=q, all_events=n, all_squares=q_all)
    quasi = share_test(numerator=x, denominator=n, share=0.2, dispersion=phi).p_value
    plain = share_test(numerator=x, denominator=n, share=0.2, method="score").p_value
    assert 0.035 < (quasi < 0.05).mean() < 0.075
    assert (plain < 0.05).mean() > 0.2


def test_no_events_have_no_dispersion():
    assert np.isnan(repeat_dispersion(events=0, squares=0, all_events=0, all_squares=0))


def test_a_sampled_share_is_a_comparison_of_two_samples():
    asked = {"numerator": [20], "denominator": [100]}
    sampled = sampled_ratio(**asked, sample_numerator=[100], sample_denominator=[1000])
    theirs = risk_ratio(**asked, comparator_numerator=[100], comparator_denominator=[1000])
    assert (sampled.value[0], sampled.lower[0]) == (pytest.approx(2), theirs.lower[0])
    census = representation_ratio(**asked, share=[0.1])
    assert sampled.upper[0] - sampled.lower[0] > census.upper[0] - census.lower[0]


@pytest.mark.parametrize(
    "asked",
    [
        {"numerator": [-1], "denominator": [5], "share": [0.5]},
        {"numerator": [6], "denominator": [5], "share": [0.5]},
        {"numerator": [1, 2], "denominator": [5, 5], "share": [0.5, 0.5, 0.5]},
        {"numerator": [1], "denominator": [5], "share": [1.5]},
        {"numerator": [1], "denominator": [5], "share": [0.5], "dispersion": 0},
    ],
)
@pytest.mark.parametrize("function", [representation_ratio, representation_gap, share_test])
def test_input_that_cannot_be_is_refused(function, asked):
    with pytest.raises(ContractError):
        function(**asked)


def test_unknown_methods_and_impossible_squares_are_refused():
    with pytest.raises(ContractError):
        share_test(numerator=1, denominator=5, share=0.5, method="wald")
    with pytest.raises(ContractError):
        share_test(numerator=1.5, denominator=5, share=0.5, method="minlike")
    with pytest.raises(ContractError):
        repeat_dispersion(events=5, squares=3, all_events=9, all_squares=20)
