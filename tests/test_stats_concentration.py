import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.inequality.concentration import (
    absolute_concentration,
    erreygers_index,
    relative_concentration,
    wagstaff_index,
)
from equitydata.stats.inequality.groups import as_groups

pytestmark = pytest.mark.filterwarnings("error")
CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "concentration.csv").open()))
INDICES = {
    "ACI": absolute_concentration,
    "RCI": relative_concentration,
    "Wagstaff": wagstaff_index,
    "Erreygers": erreygers_index,
}


def numbers(text):
    return [float(part) for part in text.split(";")]


def groups(**given):
    asked = {
        "estimate": [0.62, 0.71, 0.70, 0.83, 0.91],
        "standard_error": [0.02, 0.018, 0.02, 0.015, 0.01],
        "population": [900, 1200, 1000, 800, 600],
        "favourable": True,
        "ordered": True,
        "scale": "proportion",
        **given,
    }
    return as_groups(**asked)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['measure']}-{c['low']}-{c['estimate'][:4]}")
def test_an_index_and_its_regression_error_are_those_published_or_of_r(case):
    estimate = numbers(case["estimate"])
    given = groups(
        estimate=estimate, standard_error=None, population=numbers(case["population"]), scale="plain"
    )
    asked = {"bounds": (float(case["low"]), float(case["high"]))} if case["low"] else {}
    found = INDICES[case["measure"]](given, errors="regression", **asked)
    assert found.value == pytest.approx(float(case["value"]), rel=2e-7), case["source"]
    assert found.standard_error == pytest.approx(float(case["standard_error"]), rel=5e-6), case["source"]
    assert found.method == "regression" and np.isfinite([found.lower, found.upper]).all()


def twice_the_area(y, n):
    """One less twice the area under the concentration curve, by trapezia: a second way to the same index."""
    people, events = sum(n), sum(a * b for a, b in zip(y, n, strict=True))
    before = area = 0.0
    for value, count in zip(y, n, strict=True):
        after = before + value * count / events
        area += count / people * (before + after) / 2
        before = after
    return 1 - 2 * area


ROWS = st.lists(st.tuples(st.floats(0.001, 0.999), st.integers(1, 10**6)), min_size=3, max_size=10)


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_the_relative_index_is_twice_the_area_between_curve_and_diagonal(rows):
    y, n = zip(*rows, strict=True)
    given = groups(estimate=y, population=n, standard_error=None)
    area = twice_the_area(y, n)
    mean = sum(a * b for a, b in zip(y, n, strict=True)) / sum(n)
    assert relative_concentration(given).value == pytest.approx(area, rel=1e-7, abs=1e-9)
    assert absolute_concentration(given).value == pytest.approx(area * mean, rel=1e-7, abs=1e-9)
    assert wagstaff_index(given).value == pytest.approx(area / (1 - mean), rel=1e-7, abs=1e-9)
    assert erreygers_index(given).value == pytest.approx(4 * mean * area, rel=1e-7, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_the_bounded_indices_of_the_complement_are_negated(rows):
    y, n = (np.array(column) for column in zip(*rows, strict=True))
    one, other = (groups(estimate=v, population=n, standard_error=None) for v in (y, 1 - y))
    for index in (wagstaff_index, erreygers_index):
        assert index(one).value == pytest.approx(-index(other).value, rel=1e-6, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_turning_the_order_round_negates_every_index(rows):
    y, n = zip(*rows, strict=True)
    one, other = (groups(estimate=y[::step], population=n[::step], standard_error=None) for step in (1, -1))
    for index in INDICES.values():
        assert index(one).value == pytest.approx(-index(other).value, rel=1e-6, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(ROWS, st.floats(1, 1000))
def test_bounds_make_an_index_independent_of_the_unit(rows, times):
    y, n = (np.array(column) for column in zip(*rows, strict=True))
    one = groups(estimate=y, population=n, standard_error=None, scale="plain")
    other = groups(estimate=3 + times * y, population=n, standard_error=None, scale="plain")
    for index in INDICES.values():
        a, b = index(one, bounds=(0, 1)).value, index(other, bounds=(3, 3 + times)).value
        assert b == pytest.approx(a, rel=1e-5, abs=1e-9)


def test_an_index_is_above_0_where_the_outcome_gathers_among_the_advantaged():
    assert all(index(groups()).value > 0 for index in INDICES.values())
    assert "rank 0 is the most disadvantaged end" in relative_concentration(groups()).note


def test_equal_groups_have_no_concentration():
    assert all(index(groups(estimate=[0.3] * 5)).value == 0 for index in INDICES.values())


def test_the_simulated_error_of_the_absolute_index_is_that_of_its_linear_form():
    given = groups(scale="plain")
    p = given.share
    rank = np.cumsum(p) - p / 2
    exact = float(np.sqrt(((2 * p * (rank - 0.5) * given.standard_error) ** 2).sum()))
    found = absolute_concentration(given, draws=100_000)
    assert found.standard_error == pytest.approx(exact, rel=0.01)
    assert (found.lower, found.upper) == pytest.approx(
        (found.value - 1.96 * exact, found.value + 1.96 * exact), rel=0.02
    )
    assert (found.method, found.draws, found.seed) == ("simulated", 100_000, 1)


def test_the_regression_error_is_0_on_a_line_and_the_simulated_one_is_not():
    rank = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    given = groups(estimate=0.2 + 0.5 * rank, population=[1] * 5)
    assert absolute_concentration(given, errors="regression").standard_error == pytest.approx(0, abs=1e-9)
    assert absolute_concentration(given).standard_error > 0.001


@pytest.mark.parametrize("name", INDICES)
def test_several_confidence_levels_give_as_many_limits(name):
    found = INDICES[name](groups(), confidence=(0.95, 0.998))
    assert found.lower.shape == (2,) and found.lower[1] < found.lower[0] < found.upper[0] < found.upper[1]
    assert INDICES[name](groups()).lower == pytest.approx(found.lower[0])


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"ordered": False}, "ordered"),
        ({"estimate": [0.6, np.nan, 0.7, 0.8, 0.9]}, "every group"),
        ({"population": [1, 1, 0, 1, 1]}, "every group"),
        ({"estimate": [0.6], "population": [1], "standard_error": [0.1]}, "fewer than three"),
        ({"estimate": [], "population": [], "standard_error": []}, "fewer than three"),
    ],
)
@pytest.mark.parametrize("errors", ["simulated", "regression"])
def test_groups_without_an_answer_give_none_and_the_reason(name, given, reason, errors):
    found = INDICES[name](groups(**given), errors=errors)
    assert np.isnan([found.value, found.lower, found.upper]).all() and reason in found.note


def test_a_mean_at_either_end_of_the_bounds_leaves_some_indices_without_a_value():
    none, everyone = groups(estimate=[0] * 5), groups(estimate=[1] * 5)
    assert absolute_concentration(none).value == erreygers_index(none).value == 0
    assert np.isnan(relative_concentration(none).value) and np.isnan(wagstaff_index(none).value)
    assert relative_concentration(everyone).value == 0
    assert np.isnan(wagstaff_index(everyone).value) and "below the most" in wagstaff_index(everyone).note


def test_without_errors_there_is_a_value_without_limits_and_a_reason():
    found = relative_concentration(groups(standard_error=None))
    assert np.isfinite(found.value) and np.isnan(found.lower) and "no standard error" in found.note


def test_people_in_billions_are_borne():
    found = relative_concentration(groups(population=[1e9] * 5))
    assert np.isfinite([found.value, found.lower, found.upper]).all()


@pytest.mark.parametrize("wrong", [{"errors": "wald"}, {"bounds": (1, 0)}, {"bounds": (0, 0.5)}])
def test_what_cannot_be_asked_is_refused(wrong):
    with pytest.raises(ContractError):
        wagstaff_index(groups(), **wrong)
