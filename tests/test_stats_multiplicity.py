import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from equitydata.stats.contracts import ContractError
from equitydata.stats.many_groups.multiplicity import adjust

pytestmark = pytest.mark.filterwarnings("error")
CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "multiplicity.csv").open()))
THEIRS = {"bh": "fdr_bh", "by": "fdr_by", "holm": "holm", "bonferroni": "bonferroni"}
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)
METHODS = st.sampled_from(sorted(THEIRS))


def numbers(text):
    return [float(number) for number in text.split()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['method']} {case['p_values'][:12]}")
def test_adjusting_gives_the_known_answer(case):
    adjusted = adjust(numbers(case["p_values"]), method=case["method"]).adjusted
    assert adjusted == pytest.approx(numbers(case["adjusted"]), rel=1e-9), case["source"]


def test_the_published_example_keeps_four_findings():
    p_values = numbers(CASES[0]["p_values"])
    assert (adjust(p_values).adjusted <= 0.05).sum() == 4
    assert (adjust(p_values, method="bonferroni").adjusted <= 0.05).sum() == 3


@given(P_VALUES, METHODS)
@settings(max_examples=100, deadline=None)
def test_adjusting_equals_the_independent_implementation(p_values, method):
    theirs = multipletests(p_values, method=THEIRS[method])[1]
    assert adjust(p_values, method=method).adjusted == pytest.approx(theirs, abs=1e-12)


@given(P_VALUES, METHODS)
@settings(max_examples=60, deadline=None)
def test_an_adjusted_value_is_never_below_its_own_and_keeps_the_order(p_values, method):
    adjusted = adjust(p_values, method=method).adjusted
    assert (adjusted >= np.array(p_values) - 1e-15).all() and (adjusted <= 1).all()
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(adjusted[order]) >= -1e-15).all()


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(-2, 2)), min_size=1, max_size=40), METHODS)
@settings(max_examples=60, deadline=None)
def test_families_are_adjusted_as_if_each_stood_alone(entries, method):
    p, family = np.array([p for p, _ in entries]), np.array([f for _, f in entries])
    answer = adjust(p, method=method, family=family)
    for one in set(family.tolist()):
        here = family == one
        assert answer.adjusted[here] == pytest.approx(adjust(p[here], method=method).adjusted, abs=1e-15)
        assert (answer.family_size[here] == here.sum()).all()


def test_a_missing_p_value_stays_missing_and_does_not_count():
    answer = adjust([0.01, np.nan, 0.04], method="bonferroni")
    assert answer.adjusted == pytest.approx([0.02, np.nan, 0.08], nan_ok=True)
    assert answer.note[1] == "no p-value" and answer.family_size.tolist() == [2, 0, 2]


def test_an_entry_that_is_not_tested_is_kept_apart():
    answer = adjust([0.01, 0.02, 0.04], method="bonferroni", tested=[True, False, True])
    assert answer.adjusted == pytest.approx([0.02, np.nan, 0.08], nan_ok=True)
    assert "not tested" in answer.note[1] and answer.p_value[1] == 0.02


def test_none_leaves_p_values_as_they_are():
    assert adjust([0.5, 0.01], method="none").adjusted.tolist() == [0.5, 0.01]


def test_tiny_p_values_keep_their_digits_in_late_families():
    p = np.tile([1e-300, 0.5], 1000)
    answer = adjust(p, family=np.repeat(np.arange(1000), 2))
    assert answer.adjusted[-2:] == pytest.approx([2e-300, 0.5], rel=1e-12)


def test_any_shape_is_kept_and_nothing_gives_nothing():
    assert adjust([[0.01, 0.5], [0.2, np.nan]]).adjusted.shape == (2, 2)
    assert adjust([]).adjusted.shape == (0,)
    assert np.isnan(adjust([np.nan]).adjusted).all()
    assert adjust([0.03]).adjusted.tolist() == [0.03]


@pytest.mark.parametrize(
    "asked",
    [
        {"p_values": [1.1]},
        {"p_values": [-0.1]},
        {"p_values": [0.1], "method": "sidak"},
        {"p_values": [0.1, 0.2], "family": [1]},
        {"p_values": [0.1], "family": [0.5]},
        {"p_values": [0.1], "tested": [1]},
        {"p_values": [0.1, 0.2], "tested": [True]},
    ],
)
def test_input_that_cannot_be_is_refused(asked):
    with pytest.raises(ContractError):
        adjust(**asked)
