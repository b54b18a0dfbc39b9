import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.one_group.direct_standardisation import (
    BELOW_ZERO,
    directly_standardised_rate,
    repeat_sums,
)

pytestmark = pytest.mark.filterwarnings("error")

CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "direct_standardisation.csv").open()))

# Ten events and more, in three bands.
BANDS = {"events": [4, 9, 30], "person_time": [1000, 800, 300], "weights": [50, 30, 20]}


def numbers(text):
    return [float(word) for word in text.split()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['method']}-{case['confidence']}")
def test_a_rate_has_the_limits_of_the_reference(case):
    answer = directly_standardised_rate(
        events=numbers(case["events"]),
        person_time=numbers(case["person_time"]),
        weights=numbers(case["weights"]),
        multiplier=float(case["multiplier"]),
        confidence=float(case["confidence"]),
        method=case["method"],
        withheld_below=0,
    )
    # The vignette prints three decimals of some results; R's own are compared to nine figures.
    near = {"abs": 6e-4} if "printed" in case["source"] else {"rel": 1e-9}
    assert answer.value[0] == pytest.approx(float(case["value"]), **near), case["source"]
    assert answer.estimates.lower[0] == pytest.approx(float(case["lower"]), **near), case["source"]
    assert answer.estimates.upper[0] == pytest.approx(float(case["upper"]), **near), case["source"]


def test_groups_in_one_call_are_each_as_alone():
    group = [0, 1, 0, 1, 1, 0]
    events, time, weights = [30, 2, 9, 14, 7, 4], [300, 90, 800, 50, 70, 1000], [20, 1, 30, 2, 3, 50]
    for method in ("dobson", "fay_feuer"):
        both = directly_standardised_rate(
            events=events, person_time=time, weights=weights, group=group, method=method
        )
        for number in (0, 1):
            mine = [place for place in range(6) if group[place] == number]
            alone = directly_standardised_rate(
                events=[events[i] for i in mine],
                person_time=[time[i] for i in mine],
                weights=[weights[i] for i in mine],
                method=method,
            )
            assert both.value[number] == pytest.approx(alone.value[0])
            assert both.variance[number] == pytest.approx(alone.variance[0])
            assert both.estimates.lower[number] == pytest.approx(alone.estimates.lower[0])
            assert both.estimates.upper[number] == pytest.approx(alone.estimates.upper[0])
            assert both.observed[number] == alone.observed[0]


def test_fewer_than_ten_events_are_withheld_with_the_reason_and_the_count_stays():
    answer = directly_standardised_rate(
        events=[9, 10, 19, 20], person_time=[100] * 4, weights=[1] * 4, group=[0, 1, 2, 3]
    )
    assert np.isnan(answer.value).tolist() == [True, False, False, False]
    assert np.isnan([answer.variance[0], answer.estimates.lower[0], answer.estimates.upper[0]]).all()
    assert answer.observed.tolist() == [9, 10, 19, 20]
    low = "fewer than 20 events: low reliability"
    assert answer.estimates.note.tolist() == ["fewer than 10 events: withheld", low, low, ""]


def test_a_lower_threshold_shows_few_events():
    answer = directly_standardised_rate(
        events=[3, 1], person_time=[50, 40], weights=[1, 2], method="fay_feuer", withheld_below=3
    )
    assert answer.estimates.lower[0] < answer.value[0] == pytest.approx((3 / 50 + 2 / 40) / 3)


def test_no_events_have_an_upper_limit_by_fay_and_feuer_only():
    none = {"events": [0, 0], "person_time": [10, 20], "weights": [1, 3], "withheld_below": 0}
    gamma = directly_standardised_rate(**none, method="fay_feuer")
    assert gamma.value[0] == gamma.estimates.lower[0] == 0
    # One event more at its largest weight (3/4 over 20): an exponential, so its limit has a plain form.
    assert gamma.estimates.upper[0] == pytest.approx(-np.log(0.025) * 0.75 / 20)
    dobson = directly_standardised_rate(**none)
    assert dobson.value[0] == 0 and np.isnan(dobson.estimates.upper[0])
    assert "no limits by Dobson" in dobson.estimates.note[0]


def test_events_only_where_there_is_no_weight_have_no_limits_by_dobson():
    answer = directly_standardised_rate(events=[40, 0], person_time=[10, 20], weights=[0, 1])
    assert answer.value[0] == 0 and np.isnan(answer.estimates.upper[0])
    assert answer.estimates.note[0] == "no events in a band that has weight: no limits by Dobson"


def test_a_lower_limit_below_zero_is_noted_and_fay_and_feuer_stay_above():
    bands = {"events": [1, 19], "person_time": [10, 1000], "weights": [90, 10]}
    dobson = directly_standardised_rate(**bands, confidence=(0.5, 0.998)).estimates
    assert dobson.lower[0, 0] > 0 > dobson.lower[0, 1]
    assert dobson.note[0] == BELOW_ZERO
    assert directly_standardised_rate(**bands, confidence=0.5).estimates.note[0] == ""
    gamma = directly_standardised_rate(**bands, confidence=0.998, method="fay_feuer").estimates
    assert gamma.lower[0] >= 0 and gamma.note[0] == ""


def test_a_missing_count_in_a_band_is_no_events_and_noted():
    known = directly_standardised_rate(**{**BANDS, "events": [0, 9, 30]})
    missing = directly_standardised_rate(**{**BANDS, "events": [np.nan, 9, 30]})
    assert missing.value == known.value and missing.estimates.upper == known.estimates.upper
    assert known.estimates.note[0] == ""
    assert missing.estimates.note[0] == "a band without a count of events is taken to have none"


@pytest.mark.parametrize("column", ["person_time", "weights"])
def test_a_missing_size_or_weight_makes_the_group_missing(column):
    bands = {name: [*values, 30] for name, values in BANDS.items()}
    bands[column] = [np.nan, *bands[column][1:]]
    answer = directly_standardised_rate(**bands, group=[0, 0, 0, 1])
    assert np.isnan(answer.value).tolist() == [True, False]
    assert np.isnan(answer.estimates.lower[0])
    assert answer.estimates.note.tolist() == ["a count is missing", ""]


def test_a_declared_group_without_people_is_there_and_missing():
    answer = directly_standardised_rate(**BANDS, group=[1, 1, 1], groups=3)
    assert np.isnan(answer.value).tolist() == [True, False, True]
    assert answer.observed.tolist() == [0, 43, 0]
    assert answer.estimates.note.tolist() == ["nobody counted", "", "nobody counted"]


def test_no_weight_at_all_gives_no_rate():
    answer = directly_standardised_rate(events=[20], person_time=[10], weights=[0])
    assert np.isnan(answer.value[0])
    assert answer.estimates.note[0] == "no standard weight on any band"


def test_several_confidence_levels_stand_in_a_last_axis():
    for method in ("dobson", "fay_feuer"):
        answer = directly_standardised_rate(**BANDS, confidence=(0.95, 0.998), method=method).estimates
        assert answer.value.shape == (1,) and answer.lower.shape == (1, 2)
        for level, confidence in enumerate((0.95, 0.998)):
            one = directly_standardised_rate(**BANDS, confidence=confidence, method=method).estimates
            assert answer.lower[0, level] == one.lower[0] and answer.upper[0, level] == one.upper[0]


def test_the_multiplier_scales_value_limits_and_variance_alike():
    plain = directly_standardised_rate(**BANDS)
    scaled = directly_standardised_rate(**BANDS, multiplier=1000)
    assert scaled.value == pytest.approx(plain.value * 1000)
    assert scaled.estimates.upper == pytest.approx(plain.estimates.upper * 1000)
    assert scaled.variance == pytest.approx(plain.variance * 1000**2)


# ---------------------------------------------------------------- events that repeat

PERSONS = [[10, 3, 1], [20, 0, 2], [5, 6, 0]]


def test_people_are_summed_to_events_and_squared_events():
    events, squares = repeat_sums(PERSONS)
    assert events.tolist() == [10 + 6 + 3, 20 + 6, 5 + 12]
    assert squares.tolist() == [10 + 12 + 9, 20 + 18, 5 + 24]


def test_the_variance_of_repeat_events_is_the_sum_over_k_of_k_squared_times_that_of_the_people():
    events, squares = repeat_sums(PERSONS)
    sizes = {"person_time": [100, 200, 50], "weights": [5, 3, 2]}
    answer = directly_standardised_rate(events=events, squared_events=squares, **sizes)
    by_k = [
        directly_standardised_rate(events=[row[k] for row in PERSONS], **sizes, withheld_below=0)
        for k in range(3)
    ]
    assert answer.value == pytest.approx(sum((k + 1) * part.value for k, part in enumerate(by_k)))
    assert answer.variance == pytest.approx(sum((k + 1) ** 2 * part.variance for k, part in enumerate(by_k)))
    assert answer.estimates.method[0] == "dobson, repeat events"


def test_repeat_events_widen_the_limits_and_single_events_do_not():
    events, squares = repeat_sums(PERSONS)
    sizes = {"person_time": [100, 200, 50], "weights": [5, 3, 2]}
    alone = directly_standardised_rate(events=events, **sizes).estimates
    single = directly_standardised_rate(events=events, squared_events=events, **sizes).estimates
    repeated = directly_standardised_rate(events=events, squared_events=squares, **sizes).estimates
    assert repeated.lower < alone.lower and repeated.upper > alone.upper
    assert single.lower == alone.lower and single.upper == alone.upper


def test_unsplit_events_that_can_repeat_are_warned_of():
    note = directly_standardised_rate(**BANDS, can_repeat=True).estimates.note[0]
    assert note.endswith("limits are too narrow")
    split = directly_standardised_rate(**BANDS, squared_events=BANDS["events"], can_repeat=True)
    assert split.estimates.note[0] == ""


# ---------------------------------------------------------------- contracts


@pytest.mark.parametrize(
    "changed",
    [
        {"events": [-1, 9, 30]},
        {"person_time": [0, 800, 300]},
        {"person_time": [-5, 800, 300]},
        {"weights": [-1, 1, 1]},
        {"weights": [1, 1]},
        {"events": [np.inf, 1, 1]},
        {"group": [0, 1]},
        {"group": [0, 0, 0.5]},
        {"group": [0, 0, -1]},
        {"group": [0, 0, np.nan]},
        {"group": [0, 0, 3], "groups": 3},
        {"squared_events": [3, 9, 30]},
        {"squared_events": [np.nan, 9, 30]},
        {"squared_events": [4, 9, 30], "method": "fay_feuer"},
        {"method": "wald"},
        {"confidence": 95},
        {"multiplier": -1},
        {"events": [[4, 9, 30]], "person_time": [[1, 1, 1]], "weights": [[1, 1, 1]]},
    ],
)
def test_input_that_cannot_be_is_refused(changed):
    with pytest.raises(ContractError):
        directly_standardised_rate(**{**BANDS, **changed})


def test_the_bands_at_fault_are_named():
    with pytest.raises(ContractError, match=r"person_time is not above 0 \(entries 1\)"):
        directly_standardised_rate(events=[1, 2], person_time=[5, 0], weights=[1, 1])


def test_persons_that_cannot_be_are_refused():
    with pytest.raises(ContractError):
        repeat_sums([1, 2, 3])
    with pytest.raises(ContractError):
        repeat_sums([[1, -2]])


def test_no_entries_are_one_group_of_nobody_or_none():
    one = directly_standardised_rate(events=[], person_time=[], weights=[])
    assert one.estimates.note.tolist() == ["nobody counted"]
    none = directly_standardised_rate(events=[], person_time=[], weights=[], group=[])
    assert none.value.shape == none.estimates.lower.shape == (0,)


def test_huge_counts_have_close_limits():
    answer = directly_standardised_rate(
        events=[1e8, 9e8], person_time=[1e9, 1e9], weights=[1, 1], method="fay_feuer"
    )
    assert answer.estimates.upper / answer.value == pytest.approx([1], abs=1e-4)


# ---------------------------------------------------------------- laws

BAND = st.tuples(st.integers(0, 60), st.integers(1, 5000), st.integers(1, 100))
ROWS = st.lists(BAND, min_size=1, max_size=8).filter(lambda rows: sum(row[0] for row in rows) >= 10)


def columns(rows):
    events, time, weights = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    return {"events": events, "person_time": time, "weights": weights}


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_standardising_to_its_own_structure_returns_the_crude_rate(rows):
    bands = columns(rows)
    bands["weights"] = bands["person_time"]
    answer = directly_standardised_rate(**bands)
    assert answer.value[0] == pytest.approx(bands["events"].sum() / bands["person_time"].sum())


@settings(max_examples=100, deadline=None)
@given(ROWS, st.sampled_from(["dobson", "fay_feuer"]), st.sampled_from([0.8, 0.95, 0.998]))
def test_an_interval_holds_its_rate_and_is_not_negative_unsaid(rows, method, confidence):
    answer = directly_standardised_rate(**columns(rows), method=method, confidence=confidence).estimates
    assert answer.lower[0] <= answer.value[0] <= answer.upper[0]
    assert answer.lower[0] >= 0 or answer.note[0].endswith(BELOW_ZERO)


@settings(max_examples=100, deadline=None)
@given(ROWS, st.integers(2, 20), st.sampled_from(["dobson", "fay_feuer"]))
def test_more_of_the_same_leaves_the_rate_and_narrows_its_limits(rows, times, method):
    bands = columns(rows)
    more = {name: column * (times if name != "weights" else 1) for name, column in bands.items()}
    once, many = (directly_standardised_rate(**b, method=method) for b in (bands, more))
    assert many.value == pytest.approx(once.value)
    assert many.estimates.lower > once.estimates.lower and many.estimates.upper < once.estimates.upper


@settings(max_examples=50, deadline=None)
@given(ROWS, st.floats(0.001, 1000), st.randoms(use_true_random=False))
def test_unit_of_weights_and_order_of_bands_change_nothing(rows, unit, random):
    turned = random.sample(rows, len(rows))
    plain, other = columns(rows), columns(turned)
    other["weights"] = other["weights"] * unit
    first, second = (directly_standardised_rate(**bands).estimates for bands in (plain, other))
    assert first.value == pytest.approx(second.value)
    assert first.lower == pytest.approx(second.lower, abs=1e-12)
    assert first.upper == pytest.approx(second.upper)


def test_dobson_limits_cover_the_true_rate_about_as_often_as_they_say():
    rng = np.random.default_rng(20)
    time, weights = np.array([400.0, 300, 200, 100]), np.array([30.0, 30, 20, 20])
    rates = np.array([0.01, 0.02, 0.05, 0.1])
    draws = 20_000
    events = rng.poisson(time * rates, (draws, 4))
    answer = directly_standardised_rate(
        events=events.ravel(),
        person_time=np.tile(time, draws),
        weights=np.tile(weights, draws),
        group=np.repeat(np.arange(draws), 4),
        withheld_below=1,
    ).estimates
    truth = (rates * weights).sum() / weights.sum()
    covered = ((answer.lower <= truth) & (truth <= answer.upper)).mean()
    assert 0.945 < covered < 0.975
