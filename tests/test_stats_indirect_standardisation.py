import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.one_group.counts import rate
from equitydata.stats.one_group.indirect_standardisation import (
    NOT_COMPARABLE,
    expected_events,
    indirectly_standardised_rate,
    standardised_ratio,
)

pytestmark = pytest.mark.filterwarnings("error")

FILE = Path(__file__).parent / "known_answers" / "indirect_standardisation.csv"
CASES = list(csv.DictReader(FILE.open()))


def numbers(text):
    return np.array([float(word) for word in text.split()])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['observed']}-{case['confidence']}")
def test_ratio_and_rate_are_those_of_the_reference(case):
    events, time = numbers(case["reference_events"]), numbers(case["reference_person_time"])
    expected = expected_events(person_time=numbers(case["person_time"]), reference_rates=events / time)
    assert expected[0] == pytest.approx(float(case["expected"]), rel=1e-9), case["source"]
    asked = {"observed": [float(case["observed"])], "expected": expected}
    ratio = standardised_ratio(**asked, confidence=float(case["confidence"]))
    assert ratio.value[0] == pytest.approx(float(case["ratio"]), rel=1e-9), case["source"]
    assert ratio.lower[0] == pytest.approx(float(case["lower"]), rel=1e-9), case["source"]
    assert ratio.upper[0] == pytest.approx(float(case["upper"]), rel=1e-9), case["source"]
    crude = events.sum() / time.sum()
    per = indirectly_standardised_rate(**asked, reference_rate=crude, multiplier=100_000)
    assert per.value[0] == pytest.approx(float(case["rate"]), rel=1e-9), case["source"]


def test_limits_are_exact_below_ten_observed_and_byar_from_ten():
    assert standardised_ratio(observed=[9, 10], expected=[5, 5]).method.tolist() == ["exact", "byar"]


def test_nothing_observed_has_ratio_and_lower_limit_zero():
    answer = standardised_ratio(observed=0, expected=4)
    assert answer.value == answer.lower == 0
    assert answer.upper == pytest.approx(-np.log(0.025) / 4)


def test_two_ratios_say_that_they_are_not_comparable_and_one_does_not():
    two = standardised_ratio(observed=[5, 20], expected=[4, 10])
    assert two.note.tolist() == [NOT_COMPARABLE, NOT_COMPARABLE]
    assert standardised_ratio(observed=[5], expected=[4]).note[0] == ""


def test_a_missing_total_has_a_missing_ratio():
    answer = standardised_ratio(observed=[5, np.nan], expected=[np.nan, 3])
    assert np.isnan([*answer.value, *answer.lower, *answer.upper]).all()
    assert answer.note.tolist() == ["a count is missing"] * 2


def test_a_band_of_nobody_adds_nothing_whatever_its_rate():
    expected = expected_events(person_time=[100, 0, 0], reference_rates=[0.1, 0.5, np.nan])
    assert expected.tolist() == [10]


def test_a_missing_band_makes_the_expected_of_its_group_missing():
    expected = expected_events(person_time=[100, np.nan, 7], reference_rates=[0.1, 0.5, 1], group=[0, 0, 1])
    assert np.isnan(expected).tolist() == [True, False]


def test_groups_are_summed_by_their_numbers():
    expected = expected_events(
        person_time=[10, 20, 30], reference_rates=[0.1, 0.2, 0.3], group=[2, 0, 2], groups=4
    )
    assert expected == pytest.approx([4, 0, 10, 0])


def test_several_confidence_levels_stand_in_a_last_axis():
    answer = standardised_ratio(observed=[5, 50], expected=[4, 40], confidence=(0.95, 0.998))
    assert answer.lower.shape == (2, 2)
    one = standardised_ratio(observed=[5, 50], expected=[4, 40], confidence=0.998)
    assert np.array_equal(answer.upper[:, 1], one.upper)


def test_nothing_asked_gives_nothing():
    assert standardised_ratio(observed=[], expected=[], confidence=(0.9, 0.95)).lower.shape == (0, 2)
    assert expected_events(person_time=[], reference_rates=[], group=[]).shape == (0,)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: standardised_ratio(observed=[5], expected=[0]),
        lambda: standardised_ratio(observed=[5], expected=[-1]),
        lambda: standardised_ratio(observed=[-5], expected=[1]),
        lambda: standardised_ratio(observed=[5, 6], expected=[1]),
        lambda: standardised_ratio(observed=[5], expected=[1], confidence=0.4),
        lambda: expected_events(person_time=[-1], reference_rates=[0.1]),
        lambda: expected_events(person_time=[1], reference_rates=[-0.1]),
        lambda: expected_events(person_time=[[1]], reference_rates=[[0.1]]),
        lambda: indirectly_standardised_rate(observed=[5], expected=[1], reference_rate=0),
        lambda: indirectly_standardised_rate(observed=[5], expected=[1], reference_rate=np.nan),
        lambda: indirectly_standardised_rate(observed=[5], expected=[1], reference_rate=1, multiplier=0),
    ],
)
def test_input_that_cannot_be_is_refused(wrong):
    with pytest.raises(ContractError):
        wrong()


def test_the_group_that_expects_nothing_is_named():
    with pytest.raises(ContractError, match=r"expected is not above 0 \(entries 1\)"):
        standardised_ratio(observed=[5, 6], expected=[2, 0])


BAND = st.tuples(st.integers(1, 60), st.integers(1, 5000))


@settings(max_examples=100, deadline=None)
@given(st.lists(BAND, min_size=1, max_size=8))
def test_a_group_held_against_itself_has_ratio_one_and_its_crude_rate(bands):
    events, time = (np.array(column, dtype=float) for column in zip(*bands, strict=True))
    asked = {
        "observed": events.sum(),
        "expected": expected_events(person_time=time, reference_rates=events / time)[0],
    }
    assert standardised_ratio(**asked).value == pytest.approx(1)
    crude = rate(events.sum(), time.sum())
    own = indirectly_standardised_rate(**asked, reference_rate=float(crude.value))
    assert own.value == pytest.approx(crude.value)
    assert own.lower == pytest.approx(crude.lower) and own.upper == pytest.approx(crude.upper)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 10**5), st.floats(0.1, 10**5), st.integers(2, 30))
def test_more_of_the_same_leaves_the_ratio_and_narrows_its_limits(observed, expected, times):
    once = standardised_ratio(observed=observed, expected=expected)
    more = standardised_ratio(observed=observed * times, expected=expected * times)
    assert more.value == pytest.approx(once.value)
    assert once.lower < more.lower <= more.value <= more.upper < once.upper
