import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.one_group.proportions import wilson
from equitydata.stats.units import funnels
from equitydata.stats.units.funnels import (
    FUNNEL_CONFIDENCE,
    NO_SPREAD,
    TOO_FEW_EVENTS,
    ZERO_NEEDS_DENOMINATOR,
    false_discovery_line,
    proportion_funnel,
    proportion_limits,
    rate_funnel,
    rate_limits,
    standardised_rate_funnel,
)

CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "funnels.csv").open()))
CURVES = {"proportion": proportion_limits, "rate": rate_limits}
Z = {0.95: 1.959963984540054, 0.998: 3.090232306167813}


@pytest.fixture(autouse=True)
def no_warnings(recwarn):
    yield
    assert not recwarn.list


def poisson_at_most(x, mean):
    return sum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(x + 1))


@pytest.mark.parametrize(
    "case", CASES, ids=lambda c: f"{c['kind']}-{c['denominator']}-{c['confidence']}{c['side']}"
)
def test_the_curves_are_the_published_ones(case):
    lower, upper = CURVES[case["kind"]](
        float(case["denominator"]), average=float(case["average"]), confidence=float(case["confidence"])
    )
    found = lower if case["side"] == "lower" else upper
    # The published search for the Poisson limit stops at about 1e-5 of it.
    assert found == pytest.approx(float(case["limit"]), rel=1e-5, abs=2e-8), case["source"]


@settings(max_examples=100)
@given(st.floats(0.01, 0.99), st.integers(20, 10**6), st.sampled_from(FUNNEL_CONFIDENCE))
def test_the_wilson_interval_of_a_point_on_the_curve_just_touches_the_average(average, n, confidence):
    lower, upper = proportion_limits(n, average=average, confidence=confidence)
    if upper < 1:
        assert wilson(upper * n, n, confidence=confidence)[0] == pytest.approx(average, rel=1e-6, abs=1e-9)
    if lower > 0:
        assert wilson(lower * n, n, confidence=confidence)[1] == pytest.approx(average, rel=1e-6, abs=1e-9)


@settings(max_examples=100)
@given(st.integers(0, 60), st.floats(0.5, 60), st.sampled_from(FUNNEL_CONFIDENCE))
def test_a_count_beyond_the_poisson_curve_has_a_small_exact_tail_and_one_within_has_not(
    x, expected, confidence
):
    lower, upper = rate_limits(expected, average=1.0, confidence=confidence)
    tail = (1 - confidence) / 2
    at_most, at_least = poisson_at_most(x, expected), 1 - (poisson_at_most(x - 1, expected) if x else 0)
    if abs(at_least / tail - 1) > 1e-6:
        assert (x / expected > upper) == (at_least < tail)
    if abs(at_most / tail - 1) > 1e-6 and x > 0:
        assert (x / expected < lower) == (at_most < tail)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 80), st.integers(80, 5000)), min_size=2, max_size=12))
def test_labels_and_curves_agree(units):
    x, n = np.array(units, dtype=float).T
    for found in (proportion_funnel(numerator=x, denominator=n), rate_funnel(events=x, denominator=n)):
        # Two per million off the line: on it, rounding decides.
        above = found.value[:, None] > found.upper * (1 + 2e-6)
        below = found.value[:, None] < found.lower * (1 - 2e-6)
        assert np.isin(found.label[above[:, 0]], ["high_0.025", "high_0.001"]).all()
        assert (found.label[above[:, 1]] == "high_0.001").all()
        assert np.isin(found.label[below[:, 0]], ["low_0.025", "low_0.001"]).all()
        assert (found.label[below[:, 1]] == "low_0.001").all()
        inside = (found.value > found.lower[:, 0] * (1 + 2e-6)) & (
            found.value < found.upper[:, 0] * (1 - 2e-6)
        )
        assert (found.label[inside] == "not_different").all()


def test_labels_follow_the_tails_of_025_and_001():
    found = proportion_funnel(numerator=[50, 62, 70, 38, 30], denominator=[100] * 5, average=0.5)
    assert found.label.tolist() == ["not_different", "high_0.025", "high_0.001", "low_0.025", "low_0.001"]
    assert found.high_tail[1] == pytest.approx(0.5 * math.erfc(2.4 / math.sqrt(2)))


def test_poisson_tails_are_sums_of_the_distribution():
    found = rate_funnel(events=[0, 3, 12, 25], denominator=[6, 6, 6, 6], average=1.5)
    assert found.low_tail == pytest.approx([poisson_at_most(x, 9) for x in (0, 3, 12, 25)])
    assert found.high_tail == pytest.approx([1, *(1 - poisson_at_most(x - 1, 9) for x in (3, 12, 25))])
    assert found.label.tolist() == ["low_0.001", "low_0.025", "not_different", "high_0.001"]


def test_the_average_is_all_events_over_all_people_of_complete_units():
    found = rate_funnel(events=[1, 5, np.nan, 4], denominator=[10, 20, 1000, np.nan])
    assert found.average == pytest.approx(6 / 30)
    assert found.label.tolist()[2:] == ["not_assessed", "not_assessed"]
    assert found.note.tolist() == ["", "", "a count is missing", "a count is missing"]
    assert np.isnan(found.lower[2:]).all() and np.isnan(found.high_tail[2:]).all()


def test_the_limits_of_a_proportion_stay_in_0_to_1_and_of_a_rate_above_0():
    lower, upper = proportion_limits([1, 2, 3], average=0.9)
    assert (lower >= 0).all() and (upper <= 1).all() and upper[0, 0] == 1
    lower, _ = rate_limits([0.001, 1, 3], average=1.0)
    assert (lower == 0)[:2].all()


def test_nobody_has_no_limits_and_says_so():
    found = proportion_funnel(numerator=[0, 5], denominator=[0, 20])
    assert found.note[0] == "nobody counted" and found.label[0] == "not_assessed"
    assert np.isnan([found.value[0], *found.lower[0], *found.upper[0]]).all()


@pytest.mark.parametrize("x", [[0, 0], [20, 30]])
def test_where_every_unit_is_none_or_all_no_unit_differs(x):
    found = proportion_funnel(numerator=x, denominator=[20, 30])
    assert found.label.tolist() == ["not_different"] * 2 and set(found.note) == {NO_SPREAD}
    assert (found.lower == found.average).all() and (found.upper == found.average).all()


def test_no_events_anywhere_is_an_average_of_0_with_nothing_unusual():
    found = rate_funnel(events=[0, 0], denominator=[20, 30])
    assert found.average == 0 and found.label.tolist() == ["not_different"] * 2
    assert (found.lower == 0).all() and (found.upper == 0).all()


def test_huge_and_single_units_work():
    found = proportion_funnel(numerator=[5e8, 1], denominator=[1e9, 1])
    assert found.lower[0, 0] == pytest.approx(found.average - Z[0.95] * math.sqrt(0.25 / 1e9), rel=1e-8)
    lower, upper = rate_limits(1e9, average=1.0, confidence=0.95)
    assert (lower, upper) == pytest.approx((1 - Z[0.95] / 1e9**0.5, 1 + Z[0.95] / 1e9**0.5), abs=1e-8)


def test_no_units_give_empty_answers_and_no_average():
    found = rate_funnel(events=[], denominator=[])
    assert math.isnan(found.average) and found.upper.shape == (0, 2) and found.label.shape == (0,)
    assert false_discovery_line(found).units == 0


def test_one_confidence_has_the_shape_of_the_input():
    found = rate_funnel(events=[3, 4], denominator=[10, 10], confidence=0.95)
    assert found.lower.shape == (2,) and found.confidence == 0.95


def test_a_standardised_rate_on_fewer_than_10_events_is_not_assessed():
    found = standardised_rate_funnel(rate=[0.01, 0.02, 0.04], events=[9, 10, 120])
    assert found.label.tolist() == ["not_assessed", "not_different", "high_0.025"]
    assert found.note.tolist() == [TOO_FEW_EVENTS, "", ""]
    assert found.denominator == pytest.approx([900, 500, 3000])
    assert found.average == pytest.approx(139 / 4400)


def test_a_standardised_rate_without_events_needs_a_denominator():
    without = standardised_rate_funnel(rate=[0, 0.02], events=[0, 50])
    assert without.note[0] == ZERO_NEEDS_DENOMINATOR and math.isnan(without.value[0])
    given = standardised_rate_funnel(rate=[0, 0.02], events=[0, 50], denominator=[400, np.nan])
    assert given.average == pytest.approx(50 / 2900) and given.value[0] == 0
    assert given.note.tolist() == [TOO_FEW_EVENTS, ""]


def test_missing_rates_and_events_are_told_apart():
    found = standardised_rate_funnel(rate=[np.nan, 0.02, 0.01], events=[12, np.nan, 20])
    assert found.note.tolist() == ["a rate is missing", "a count is missing", ""]


def test_the_discovery_line_is_the_benjamini_hochberg_cut():
    x, n = [50, 75, 40, 80, 22, 51, 66], [100] * 7
    found = proportion_funnel(numerator=x, denominator=n, average=0.5)
    line = false_discovery_line(found, rate=0.05)
    p = sorted(math.erfc(abs(v - 50) / 5 / math.sqrt(2)) for v in x)
    cut = max(0.05 * (i + 1) / 7 for i in range(7) if p[i] <= 0.05 * (i + 1) / 7)
    assert line.confidence == pytest.approx(1 - cut) and line.units == 7
    assert line.discovered.tolist() == [False, True, False, True, True, False, True]
    lower, upper = proportion_limits(100, average=0.5, confidence=line.confidence)
    assert [v > 100 * upper or v < 100 * lower for v in x] == line.discovered.tolist()


def test_without_discoveries_there_is_no_line():
    line = false_discovery_line(proportion_funnel(numerator=[50, 51], denominator=[100, 100]))
    assert line.tail == 0 and math.isnan(line.confidence) and not line.discovered.any()


def test_the_library_inverse_is_replaced_where_it_strays(monkeypatch):
    import scipy.special

    right = rate_limits([0.5, 5, 50], average=1.0)
    monkeypatch.setattr(scipy.special, "gdtrib", lambda *_: np.full(6, np.nan))
    assert np.allclose(rate_limits([0.5, 5, 50], average=1.0), right, rtol=1e-8)


@settings(max_examples=50)
@given(st.permutations(range(5)))
def test_the_order_of_units_changes_nothing_else(order):
    x, n = np.array([5, 9, 30, 2, 14.0]), np.array([50, 60, 200, 80, 90.0])
    there, back = rate_funnel(events=x, denominator=n), rate_funnel(events=x[order], denominator=n[order])
    assert back.average == pytest.approx(there.average)
    assert np.allclose(there.upper[order], back.upper) and (there.label[order] == back.label).all()


def test_multiplying_all_counts_keeps_the_average_and_narrows_the_funnel():
    small = proportion_funnel(numerator=[5, 9], denominator=[20, 30])
    large = proportion_funnel(numerator=[500, 900], denominator=[2000, 3000])
    assert large.average == small.average
    assert (large.upper - large.lower < small.upper - small.lower).all()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: proportion_funnel(numerator=[-1], denominator=[5]),
        lambda: proportion_funnel(numerator=[6], denominator=[5]),
        lambda: proportion_funnel(numerator=[1, 2], denominator=[5]),
        lambda: proportion_funnel(numerator=[1], denominator=[5], average=1.2),
        lambda: rate_funnel(events=[1], denominator=[5], average=-1),
        lambda: rate_funnel(events=[1], denominator=[5], average=float("nan")),
        lambda: rate_funnel(events=[1], denominator=[5], confidence=95),
        lambda: rate_limits([-1], average=1.0),
        lambda: rate_limits([1], average=-1.0),
        lambda: proportion_limits([1], average=1.5),
        lambda: proportion_limits([-1], average=0.5),
        lambda: standardised_rate_funnel(rate=[0], events=[12]),
        lambda: standardised_rate_funnel(rate=[0.1], events=[0]),
        lambda: standardised_rate_funnel(rate=[0.1], events=[12], denominator=[-3]),
        lambda: false_discovery_line(rate_funnel(events=[1], denominator=[5]), rate=0),
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ContractError):
        wrong()


def test_every_label_has_a_name():
    assert len({v for k, v in vars(funnels).items() if k.startswith(("HIGH", "LOW", "NOT_"))}) == 6
