import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.inequality.change import change, changes
from equitydata.stats.inequality.gaps import difference, ratio
from equitydata.stats.inequality.groups import as_groups

pytestmark = pytest.mark.filterwarnings("error")
CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "change.csv").open()))
NAMES = ("earlier", "earlier_standard_error", "later", "later_standard_error")


def groups(estimate):
    return as_groups(
        estimate=estimate,
        standard_error=[0.01, 0.01, 0.01],
        population=[1, 1, 1],
        favourable=False,
        ordered=True,
        scale="proportion",
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['earlier']} to {case['later']}")
def test_a_change_is_that_of_a_fixed_effect_meta_regression(case):
    found = change(**{name: float(case[name]) for name in NAMES}, ratio=case["ratio"] == "1")
    wanted = [float(case[name]) for name in ("value", "lower", "upper")]
    assert [float(found.value), float(found.lower), float(found.upper)] == pytest.approx(wanted, rel=1e-7)


VALUE, ERROR = st.floats(-100, 100), st.floats(0, 10)


@given(VALUE, ERROR, VALUE, ERROR)
def test_turning_time_round_negates_a_difference_and_its_limits(one, s_one, other, s_other):
    there = change(earlier=one, earlier_standard_error=s_one, later=other, later_standard_error=s_other)
    back = change(earlier=other, earlier_standard_error=s_other, later=one, later_standard_error=s_one)
    assert there.value == -back.value
    assert there.lower == pytest.approx(-back.upper) and there.lower <= there.value <= there.upper


@given(st.floats(0.01, 100), st.floats(0, 3), st.floats(0.01, 100), st.floats(0, 3))
def test_turning_time_round_inverts_a_ratio_and_its_limits(one, s_one, other, s_other):
    there, back = (
        change(earlier=a, earlier_standard_error=s, later=b, later_standard_error=t, ratio=True)
        for a, s, b, t in ((one, s_one, other, s_other), (other, s_other, one, s_one))
    )
    assert there.value == pytest.approx(1 / back.value)
    assert there.lower == pytest.approx(1 / back.upper)


def test_limits_cover_the_true_change_as_often_as_they_say():
    rng = np.random.default_rng(1)
    before, after = 0.2 + 0.03 * rng.standard_normal(20_000), 0.1 + 0.04 * rng.standard_normal(20_000)
    found = change(earlier=before, earlier_standard_error=0.03, later=after, later_standard_error=0.04,
                   confidence=(0.8, 0.95))  # fmt: skip
    covered = ((found.lower <= -0.1) & (found.upper >= -0.1)).mean(axis=0)
    assert covered == pytest.approx([0.8, 0.95], abs=0.01)


def test_what_is_missing_is_missing_and_says_why():
    found = change(
        earlier=[np.nan, 1, 1, -1],
        earlier_standard_error=[1, np.nan, 1, 1],
        later=[1, 2, 2, 2],
        later_standard_error=[1, 1, 1, 1],
        ratio=True,
        confidence=(0.95, 0.998),
    )
    assert found.lower.shape == (4, 2)
    assert np.isnan(found.value).tolist() == [True, False, False, True]
    assert np.isnan(found.lower).all(axis=1).tolist() == [True, True, False, True]
    assert found.note.tolist() == [
        "a value is missing",
        "no limits: a standard error is missing",
        "",
        "a ratio is not above 0",
    ]


def test_nothing_gives_nothing():
    found = change(earlier=[], earlier_standard_error=[], later=[], later_standard_error=[])
    assert found.value.shape == found.lower.shape == found.note.shape == (0,)


@pytest.mark.parametrize(
    "wrong",
    [
        {"earlier_standard_error": -1},
        {"later_standard_error": [-1]},
        {"later": [1, 2], "earlier": [1, 2, 3]},
        {"confidence": 95},
        {"later": np.inf},
    ],
)
def test_what_cannot_be_asked_is_refused(wrong):
    with pytest.raises(ContractError):
        change(**{**dict.fromkeys(NAMES, 1), **wrong})


def test_absolute_and_relative_change_are_told_together_and_may_point_apart():
    earlier, later = groups([0.40, 0.35, 0.20]), groups([0.15, 0.10, 0.05])
    found = changes(
        absolute=(difference(earlier), difference(later)), relative=(ratio(earlier), ratio(later))
    )
    assert found.absolute.value == pytest.approx(0.10 - 0.20)
    assert found.relative.value == pytest.approx(3.0 / 2.0)
    assert (found.absolute_direction, found.relative_direction) == ("narrowed", "widened")
    assert "while" in found.note
    error = np.sqrt(sum((0.01 / y) ** 2 for y in (0.40, 0.20, 0.15, 0.05)))
    assert found.relative.upper == pytest.approx(1.5 * np.exp(1.959964 * error), rel=1e-6)


def test_a_gap_that_changes_sign_is_judged_by_its_size():
    earlier, later = groups([0.30, 0.25, 0.20]), groups([0.15, 0.20, 0.40])
    found = changes(
        absolute=(difference(earlier), difference(later)), relative=(ratio(earlier), ratio(later))
    )
    assert (found.absolute_direction, found.relative_direction) == ("widened", "widened")
    assert found.note == ""


def test_no_change_is_unchanged_and_a_missing_value_unknown():
    one = groups([0.3, 0.2, 0.1])
    same = changes(absolute=(difference(one), difference(one)), relative=(ratio(one), ratio(one)))
    assert same.absolute.value == 0 and same.relative.value == 1
    assert (same.absolute_direction, same.relative_direction) == ("unchanged", "unchanged")
    gone = groups([np.nan, 0.2, 0.1])
    lost = changes(absolute=(difference(one), difference(gone)), relative=(ratio(one), ratio(gone)))
    assert (lost.absolute_direction, lost.relative_direction) == ("unknown", "unknown")
    assert np.isnan(lost.absolute.value) and str(lost.absolute.note) == "a value is missing"


def test_unlike_measures_are_refused():
    one = groups([0.3, 0.2, 0.1])
    with pytest.raises(ContractError):
        changes(absolute=(difference(one), ratio(one)), relative=(ratio(one), ratio(one)))
    with pytest.raises(ContractError):
        named = replace(difference(one), measure="BGV")
        changes(absolute=(difference(one), named), relative=(ratio(one), ratio(one)))
