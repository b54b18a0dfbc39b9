import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.intersections.interaction import (
    ALL_EVENTS,
    EMPTY_CELL,
    NO_JOINT_EVENTS,
    NO_REFERENCE_EVENTS,
    NO_SINGLE_EVENTS,
    NO_SYNERGY,
    PROTECTIVE,
    TOO_MANY_LOST,
    joint_effect,
)

CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "interaction.csv").open()))
MEASURES = (
    "ratio_10",
    "ratio_01",
    "ratio_11",
    "reri",
    "attributable_proportion",
    "synergy",
    "multiplicative",
)
# Groups [a][b]: neither, second only; first only, both.
EVENTS, PEOPLE = [[30, 48], [55, 120]], [[1000, 800], [900, 950]]


@pytest.fixture(autouse=True)
def no_warnings(recwarn):
    yield
    assert not recwarn.list


def square(text):
    """Groups 00, 10, 01, 11 in the order of the file, as [a][b]."""
    g00, g10, g01, g11 = (float(part) for part in text.split(";"))
    return [[g00, g01], [g10, g11]]


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['scale']}-{c['measure']}-{c['value']}")
def test_measures_and_delta_limits_are_the_published_ones(case):
    found = getattr(
        joint_effect(events=square(case["events"]), people=square(case["people"]), scale=case["scale"]),
        case["measure"],
    )
    # The largest limits have more digits than matter.
    within = {"abs": float(case["tolerance"]), "rel": 1e-4}
    assert found.value == pytest.approx(float(case["value"]), **within), case["source"]
    assert found.lower == pytest.approx(float(case["lower"]), **within)
    assert found.upper == pytest.approx(float(case["upper"]), **within)


def measure_of(name, logs):
    """One measure from the logs of the four groups' risks or odds, on the scale its limits are taken on."""
    g00, g01, g10, g11 = (math.exp(v) for v in logs)
    r10, r01, r11 = g10 / g00, g01 / g00, g11 / g00
    return {
        "ratio_10": lambda: math.log(r10),
        "ratio_01": lambda: math.log(r01),
        "ratio_11": lambda: math.log(r11),
        "reri": lambda: r11 - r10 - r01 + 1,
        "attributable_proportion": lambda: (r11 - r10 - r01 + 1) / r11,
        "synergy": lambda: math.log((r11 - 1) / (r10 + r01 - 2)),
        "multiplicative": lambda: math.log(r11 / r10 / r01),
    }[name]()


@settings(max_examples=60)
@given(
    st.lists(st.integers(5, 400), min_size=4, max_size=4),
    st.lists(st.integers(401, 4000), min_size=4, max_size=4),
    st.sampled_from(["risk", "odds"]),
)
def test_delta_limits_equal_those_of_numerical_slopes(events, people, scale):
    found = joint_effect(events=np.reshape(events, (2, 2)), people=np.reshape(people, (2, 2)), scale=scale)
    pairs = list(zip(events, people, strict=True))
    logs = [math.log(x / n if scale == "risk" else x / (n - x)) for x, n in pairs]
    variances = [1 / x - 1 / n if scale == "risk" else 1 / x + 1 / (n - x) for x, n in pairs]
    for name in MEASURES:
        answer = getattr(found, name)
        # Near a synergy of 0 over 0 the numerical slope itself fails.
        if name == "synergy" and (np.isnan(answer.value) or abs(found.ratio_11.value - 1) < 0.01):
            continue
        if name == "synergy" and abs(found.ratio_10.value + found.ratio_01.value - 2) < 0.01:
            continue
        slopes = []
        for place in range(4):
            up, down = logs.copy(), logs.copy()
            up[place] += 1e-6
            down[place] -= 1e-6
            slopes.append((measure_of(name, up) - measure_of(name, down)) / 2e-6)
        error = math.sqrt(sum(s * s * v for s, v in zip(slopes, variances, strict=True)))
        on_log = name not in ("reri", "attributable_proportion")
        width = math.log(answer.upper) - math.log(answer.lower) if on_log else answer.upper - answer.lower
        assert width == pytest.approx(2 * 1.959963984540054 * error, rel=1e-3)


def test_bootstrap_limits_are_near_the_delta_ones_for_large_groups():
    events, people = np.array(EVENTS) * 100, np.array(PEOPLE) * 100
    delta = joint_effect(events=events, people=people)
    drawn = joint_effect(events=events, people=people, limits="bootstrap", draws=4000, seed=7)
    assert (drawn.draws, drawn.seed, delta.draws, delta.seed) == (4000, 7, 0, None)
    for name in MEASURES:
        a, b = getattr(delta, name), getattr(drawn, name)
        width = a.upper - a.lower
        assert b.value == a.value and b.method == "bootstrap"
        assert abs(b.lower - a.lower) < 0.05 * width and abs(b.upper - a.upper) < 0.05 * width


def test_the_same_seed_gives_the_same_limits_whatever_stands_beside():
    alone = joint_effect(events=EVENTS, people=PEOPLE, limits="bootstrap", draws=200, seed=3)
    beside = joint_effect(
        events=[[[3, 4], [9, 10]], EVENTS], people=[PEOPLE, PEOPLE], limits="bootstrap", draws=200, seed=3
    )
    other = joint_effect(events=EVENTS, people=PEOPLE, limits="bootstrap", draws=200, seed=4)
    assert alone.reri.lower == beside.reri.lower[1] and alone.reri.lower != other.reri.lower


def test_effects_that_add_up_have_no_additive_interaction_and_those_that_multiply_no_other():
    people = [[1000, 1000], [1000, 1000]]
    adds = joint_effect(events=[[10, 30], [50, 70]], people=people)
    assert (adds.reri.value, adds.attributable_proportion.value) == pytest.approx((0, 0))
    assert adds.synergy.value == pytest.approx(1) and adds.multiplicative.value < 1
    multiplies = joint_effect(events=[[10, 30], [50, 150]], people=people)
    assert multiplies.multiplicative.value == pytest.approx(1) and multiplies.reri.value == pytest.approx(8)


def test_swapping_the_two_characteristics_swaps_the_single_ratios_only():
    there = joint_effect(events=EVENTS, people=PEOPLE)
    back = joint_effect(events=np.transpose(EVENTS), people=np.transpose(PEOPLE))
    assert there.ratio_10.value == back.ratio_01.value
    for name in ("reri", "attributable_proportion", "synergy", "multiplicative"):
        a, b = getattr(there, name), getattr(back, name)
        assert np.allclose([a.lower, a.value, a.upper], [b.lower, b.value, b.upper])


def test_multiplying_all_counts_keeps_the_measures_and_narrows_their_limits():
    small = joint_effect(events=EVENTS, people=PEOPLE)
    large = joint_effect(events=np.array(EVENTS) * 50, people=np.array(PEOPLE) * 50)
    for name in MEASURES:
        a, b = getattr(small, name), getattr(large, name)
        assert a.value == pytest.approx(b.value) and b.upper - b.lower < a.upper - a.lower


def test_several_confidences_and_several_entries_stand_side_by_side():
    for limits in ("delta", "bootstrap"):
        found = joint_effect(
            events=[EVENTS] * 3, people=[PEOPLE] * 3, confidence=(0.95, 0.998), limits=limits, draws=500
        )
        assert found.reri.value.shape == (3,) and found.reri.lower.shape == (3, 2)
        assert (found.reri.lower[:, 1] < found.reri.lower[:, 0]).all()
        assert (found.synergy.upper[:, 1] > found.synergy.upper[:, 0]).all()


@pytest.mark.parametrize("limits", ["delta", "bootstrap"])
def test_no_events_in_the_reference_group_leave_no_ratio(limits):
    found = joint_effect(events=[[0, 5], [6, 9]], people=[[50, 50], [50, 50]], limits=limits, draws=100)
    for name in MEASURES:
        answer = getattr(found, name)
        assert np.isnan([answer.value, answer.lower, answer.upper]).all()
        assert NO_REFERENCE_EVENTS in answer.note.item()


def test_no_events_in_another_group_leave_values_without_delta_limits():
    found = joint_effect(events=[[5, 10], [0, 20]], people=[[50, 50], [50, 50]])
    assert found.reri.value == pytest.approx(4 - 0 - 2 + 1) and math.isnan(found.reri.lower)
    assert EMPTY_CELL in found.reri.note.item() and PROTECTIVE in found.reri.note.item()
    assert math.isnan(found.multiplicative.value) and NO_SINGLE_EVENTS in found.multiplicative.note.item()
    joint = joint_effect(events=[[5, 10], [8, 0]], people=[[50, 50], [50, 50]])
    assert math.isnan(joint.attributable_proportion.value) and joint.multiplicative.value == 0
    assert NO_JOINT_EVENTS in joint.attributable_proportion.note.item()
    assert EMPTY_CELL in joint.multiplicative.note.item()


def test_the_bootstrap_gives_limits_where_delta_cannot():
    found = joint_effect(events=[[25, 50], [0, 90]], people=[[500] * 2] * 2, limits="bootstrap", draws=1000)
    assert found.reri.lower < found.reri.value < found.reri.upper


def test_too_many_undefined_draws_leave_no_limits():
    found = joint_effect(events=[[1, 5], [6, 9]], people=[[50, 50], [50, 50]], limits="bootstrap", draws=500)
    assert math.isnan(found.reri.lower) and found.reri.value == pytest.approx(-1)
    assert TOO_MANY_LOST in found.reri.note.item()


def test_a_group_of_events_only_has_a_risk_but_no_odds():
    events, people = [[5, 10], [12, 50]], [[50, 50], [50, 50]]
    risk, odds = (
        joint_effect(events=events, people=people),
        joint_effect(events=events, people=people, scale="odds"),
    )
    assert risk.reri.lower < risk.reri.value < risk.reri.upper
    assert math.isnan(odds.reri.value) and odds.reri.note.item() == ALL_EVENTS


def test_protective_characteristics_are_pointed_out():
    found = joint_effect(events=[[40, 60], [25, 50]], people=[[400] * 2] * 2)
    assert PROTECTIVE in found.reri.note.item() and found.multiplicative.note.item() == ""


def test_a_synergy_of_mixed_signs_is_not_defined():
    found = joint_effect(events=[[20, 30], [30, 10]], people=[[100] * 2] * 2)
    assert math.isnan(found.synergy.value) and NO_SYNERGY in found.synergy.note.item()
    equal = joint_effect(events=[[20, 20], [20, 20]], people=[[100] * 2] * 2)
    assert math.isnan(equal.synergy.value) and equal.reri.value == 0 and equal.multiplicative.value == 1


@pytest.mark.parametrize("limits", ["delta", "bootstrap"])
def test_missing_and_empty_groups_give_missing_results_with_their_reason(limits):
    found = joint_effect(
        events=[[[np.nan, 5], [6, 9]], [[0, 5], [6, 9]], EVENTS],
        people=[[[50, 50], [50, 50]], [[0, 50], [50, 50]], PEOPLE],
        limits=limits,
        draws=200,
    )
    for name in MEASURES:
        answer = getattr(found, name)
        assert np.isnan(answer.value[:2]).all() and np.isnan(answer.upper[:2]).all()
        assert answer.note.tolist() == ["a count is missing", "nobody counted", ""]


def test_weighted_counts_are_noted_and_not_drawn_again():
    events = [[5.5, 10], [12, 20]]
    found = joint_effect(events=events, people=[[50] * 2] * 2)
    assert found.reri.note.item() == "counts are not whole numbers"
    with pytest.raises(ContractError):
        joint_effect(events=events, people=[[50] * 2] * 2, limits="bootstrap")


def test_no_entries_and_huge_groups_work():
    none = joint_effect(events=np.zeros((0, 2, 2)), people=np.zeros((0, 2, 2)))
    assert none.reri.value.shape == (0,)
    huge = joint_effect(events=np.array(EVENTS) * 1e6, people=np.array(PEOPLE) * 1e6)
    assert huge.reri.upper - huge.reri.lower < 0.01


@pytest.mark.parametrize(
    "wrong",
    [
        {"events": [1, 2]},
        {"events": [[-1, 2], [3, 4]]},
        {"events": [[2000, 2], [3, 4]]},
        {"scale": "rate"},
        {"limits": "exact"},
        {"limits": "bootstrap", "draws": 10},
        {"confidence": 95},
        {"confidence": ()},
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ContractError):
        joint_effect(**({"events": EVENTS, "people": PEOPLE} | wrong))


def test_counts_that_are_no_square_are_refused():
    with pytest.raises(ContractError):
        joint_effect(events=[1, 2, 3], people=[4, 5, 6])
