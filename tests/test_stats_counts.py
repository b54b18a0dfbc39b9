import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.one_group.counts import byar, count, count_limits, poisson_exact, rate

pytestmark = pytest.mark.filterwarnings("error")

KNOWN = Path(__file__).parent / "known_answers"
COUNTS = list(csv.DictReader((KNOWN / "counts.csv").open()))
RATES = list(csv.DictReader((KNOWN / "rates.csv").open()))
INTERVALS = {"exact": poisson_exact, "byar": byar}


@pytest.mark.parametrize(
    "case", COUNTS, ids=lambda case: f"{case['method']}-{case['events']}-{case['confidence']}"
)
def test_a_count_has_the_limits_of_the_reference(case):
    lower, upper = INTERVALS[case["method"]](float(case["events"]), confidence=float(case["confidence"]))
    assert lower == pytest.approx(float(case["lower"]), rel=1e-9), case["source"]
    assert upper == pytest.approx(float(case["upper"]), rel=1e-9), case["source"]


@pytest.mark.parametrize("case", RATES, ids=lambda case: f"{case['events']}/{case['person_time']}")
def test_a_rate_has_the_limits_of_the_reference(case):
    answer = rate(
        float(case["events"]),
        float(case["person_time"]),
        multiplier=float(case["multiplier"]),
        confidence=float(case["confidence"]),
    )
    assert answer.method == case["used"]
    assert answer.value == pytest.approx(float(case["value"]), rel=1e-9), case["source"]
    assert answer.lower == pytest.approx(float(case["lower"]), rel=1e-9), case["source"]
    assert answer.upper == pytest.approx(float(case["upper"]), rel=1e-9), case["source"]


def poisson_at_most(x, expected):
    return math.fsum(math.exp(-expected) * expected**k / math.factorial(k) for k in range(x + 1))


@pytest.mark.parametrize("x", range(15))
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.998])
def test_each_exact_limit_leaves_half_the_rest_in_its_tail(x, confidence):
    lower, upper = poisson_exact(x, confidence=confidence)
    assert poisson_at_most(x, float(upper)) == pytest.approx((1 - confidence) / 2, rel=1e-9)
    if x:
        at_least = 1 - poisson_at_most(x - 1, float(lower))
        assert at_least == pytest.approx((1 - confidence) / 2, rel=1e-6)


def test_byar_uses_one_event_more_above_and_none_more_below():
    lower, upper = byar(10)
    with_half = 10.5 * (1 - 1 / (9 * 10.5) - 1.959963984540054 / (3 * math.sqrt(10.5))) ** 3
    assert lower < with_half - 0.2
    assert upper == pytest.approx(11 * (1 - 1 / 99 + 1.959963984540054 / (3 * math.sqrt(11))) ** 3)


def test_limits_are_exact_below_ten_events_and_byar_from_ten():
    lower, upper = count_limits([9, 10])
    assert (lower[0], upper[0]) == tuple(map(float, poisson_exact(9)))
    assert (lower[1], upper[1]) == tuple(map(float, byar(10)))
    assert count([9, 10]).method.tolist() == ["exact", "byar"]


def test_from_ten_events_byar_is_within_a_hundredth_of_an_event_of_the_exact_limits():
    events = np.unique(np.round(np.logspace(1, 9, 400)))
    for exact, approximate in zip(poisson_exact(events), byar(events), strict=True):
        assert np.abs(exact - approximate).max() < 0.01


def test_no_events_have_lower_limit_zero():
    for interval in (poisson_exact, byar, count_limits):
        lower, upper = interval([0, 0.0], confidence=(0.95, 0.998))
        assert (lower == 0).all()
        assert (upper > 0).all()


def test_a_negative_cube_has_no_lower_limit_and_says_so():
    answer = count([1, 2, 50], confidence=0.998, method="byar")
    assert np.isnan(answer.lower).tolist() == [True, False, False]
    assert answer.note.tolist() == ["too few events for a lower limit by Byar at this confidence", "", ""]
    assert np.isfinite(answer.upper).all()


def test_a_missing_count_has_a_missing_result_with_its_reason():
    answer = count([np.nan, 3])
    assert np.isnan([answer.value[0], answer.lower[0], answer.upper[0]]).all()
    assert answer.note.tolist() == ["a count is missing", ""]
    assert answer.method.tolist() == ["", "exact"]


def test_a_weighted_count_is_accepted_with_a_note():
    answer = count([2.5])
    assert answer.lower[0] < 2.5 < answer.upper[0]
    assert answer.note[0] == "counts are not whole numbers"


def test_no_person_time_has_no_rate_and_no_zero():
    answer = rate([0, 3, 3, 3], [0, 0, np.nan, 2])
    assert np.isnan(answer.value).tolist() == [True, True, True, False]
    assert np.isnan(answer.lower).tolist() == np.isnan(answer.upper).tolist() == [True, True, True, False]
    assert answer.note.tolist() == ["nobody counted", "nobody counted", "a count is missing", ""]


def test_a_rate_may_have_more_events_than_person_time():
    assert rate(7, 2).value == 3.5


def test_several_confidence_levels_stand_in_a_last_axis():
    answer = rate([[5, 50], [0, 500]], 100, confidence=(0.95, 0.998))
    assert answer.value.shape == (2, 2)
    assert answer.lower.shape == answer.upper.shape == (2, 2, 2)
    assert answer.confidence == (0.95, 0.998)
    for level, confidence in enumerate((0.95, 0.998)):
        one = rate([[5, 50], [0, 500]], 100, confidence=confidence)
        assert np.array_equal(answer.lower[..., level], one.lower)
        assert np.array_equal(answer.upper[..., level], one.upper)


def test_nothing_asked_gives_nothing():
    answer = rate([], [], confidence=(0.95, 0.998))
    assert answer.value.shape == answer.note.shape == (0,)
    assert answer.lower.shape == (0, 2)


def test_a_huge_count_keeps_its_limits_finite_and_close():
    answer = count([1e9, 1e15])
    assert np.isfinite(answer.lower).all()
    assert answer.upper / answer.value == pytest.approx([1, 1], abs=1e-4)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: count([-1]),
        lambda: rate([1], [-5]),
        lambda: rate([1, 2], [5]),
        lambda: rate([1, 2], [5, 6, 7]),
        lambda: count([np.inf]),
        lambda: count([1], confidence=95),
        lambda: count([1], confidence=()),
        lambda: count([1], method="wald"),
        lambda: rate([1], [5], multiplier=0),
        lambda: rate([1], [5], multiplier=math.nan),
    ],
)
def test_input_that_cannot_be_is_refused(wrong):
    with pytest.raises(ContractError):
        wrong()


def test_the_entries_at_fault_are_named():
    with pytest.raises(ContractError, match=r"events is negative \(entries 1, 3\)") as refused:
        count([1, -1, 2, -2])
    assert refused.value.entries == (1, 3)


def test_the_input_is_left_as_it_was():
    events, time = np.array([0.0, 20.0]), np.array([10.0, 10.0])
    rate(events, time)
    assert events.tolist() == [0, 20] and time.tolist() == [10, 10]


EVENTS = st.lists(st.integers(0, 10**7), min_size=1, max_size=8)


@settings(max_examples=100, deadline=None)
@given(EVENTS, st.sampled_from([0.5, 0.8, 0.95, 0.998]))
def test_an_interval_holds_its_count(events, confidence):
    lower, upper = count_limits(events, confidence=confidence)
    assert ((lower >= 0) & (lower <= events) & (events < upper)).all()


@settings(max_examples=100, deadline=None)
@given(EVENTS)
def test_more_confidence_is_never_narrower(events):
    lower, upper = count_limits(events, confidence=(0.8, 0.95, 0.998))
    assert (np.diff(lower, axis=-1) <= 0).all()
    assert (np.diff(upper, axis=-1) >= 0).all()


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 10**5), st.integers(1, 10**6), st.integers(2, 50))
def test_more_of_the_same_leaves_the_rate_and_narrows_its_limits(events, time, times):
    once, more = rate(events, time), rate(events * times, time * times)
    assert more.value == pytest.approx(once.value)
    assert more.lower > once.lower and more.upper < once.upper


@settings(max_examples=50, deadline=None)
@given(st.permutations(list(range(6))))
def test_the_order_of_groups_changes_only_the_order_of_answers(order):
    events, time = np.array([0, 9, 10, 500, np.nan, 3]), np.array([1, 20, 30, 4, 5, 0])
    plain, turned = rate(events, time), rate(events[order], time[order])
    assert np.array_equal(plain.upper[order], turned.upper, equal_nan=True)
    assert plain.note[order].tolist() == turned.note.tolist()
