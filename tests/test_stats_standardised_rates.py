import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.one_group.proportions import wilson
from equitydata.stats.two_groups.mover import mover_difference
from equitydata.stats.two_groups.proportions import risk_difference
from equitydata.stats.two_groups.standardised_rates import (
    standardised_rate_difference,
    standardised_rate_difference_wald,
    standardised_rate_ratio,
)

CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "standardised_comparison.csv").open()))
VARIANCES = ("value", "variance", "comparator_value", "comparator_variance")
LIMITS = ("value", "lower", "upper", "comparator_value", "comparator_lower", "comparator_upper")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['value']}-{case['confidence']}")
def test_ratio_and_difference_equal_the_known_ones(case):
    numbers = {key: float(text) for key, text in case.items() if key != "source"}
    confidence = numbers["confidence"]
    ratio = standardised_rate_ratio(**{key: numbers[key] for key in VARIANCES}, confidence=confidence)
    gap = standardised_rate_difference(**{key: numbers[key] for key in LIMITS}, confidence=confidence)
    wald = standardised_rate_difference_wald(
        **{key: numbers[key] for key in VARIANCES}, confidence=confidence
    )
    got = [ratio.value, ratio.lower, ratio.upper, gap.value, gap.lower, gap.upper, wald.lower, wald.upper]
    known = ["ratio", "ratio_lower", "ratio_upper", "difference", "difference_lower", "difference_upper"]
    known = [numbers[key] for key in [*known, "wald_lower", "wald_upper"]]
    assert [float(number) for number in got] == pytest.approx(known, rel=1e-8), case["source"]


def test_mover_of_wilson_limits_is_newcombe():
    first, second = (
        wilson([56, 9], [70, 10], confidence=(0.9, 0.95)),
        wilson([48, 3], [80, 10], confidence=(0.9, 0.95)),
    )
    lower, upper = mover_difference(
        value=[56 / 70, 0.9],
        lower=first[0],
        upper=first[1],
        comparator_value=[48 / 80, 0.3],
        comparator_lower=second[0],
        comparator_upper=second[1],
    )
    newcombe = risk_difference(
        numerator=[56, 9],
        denominator=[70, 10],
        comparator_numerator=[48, 3],
        comparator_denominator=[80, 10],
        confidence=(0.9, 0.95),
    )
    assert lower == pytest.approx(newcombe.lower)
    assert upper == pytest.approx(newcombe.upper)


ARM = st.floats(0, 50)
PART = st.tuples(st.floats(-100, 100), ARM, ARM)


def limits(first, second):
    return mover_difference(
        value=first[0],
        lower=first[0] - first[1],
        upper=first[0] + first[2],
        comparator_value=second[0],
        comparator_lower=second[0] - second[1],
        comparator_upper=second[0] + second[2],
    )


@settings(max_examples=80, deadline=None)
@given(PART, PART)
def test_mover_is_as_wide_as_each_part_at_least_and_both_parts_at_most(first, second):
    lower, upper = limits(first, second)
    below, above = first[0] - second[0] - lower, upper - (first[0] - second[0])
    assert max(first[1], second[2]) - 1e-9 <= below <= first[1] + second[2] + 1e-9
    assert max(first[2], second[1]) - 1e-9 <= above <= first[2] + second[1] + 1e-9


@settings(max_examples=40, deadline=None)
@given(PART, PART)
def test_swapping_the_parts_negates_the_limits(first, second):
    there, back = limits(first, second), limits(second, first)
    assert [float(limit) for limit in there] == pytest.approx([-float(back[1]), -float(back[0])], abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0.001, 10), st.floats(1e-6, 1), st.floats(0.001, 10), st.floats(1e-6, 1), st.floats(0.01, 1e5)
)
def test_the_unit_of_the_rates_and_the_order_do_what_they_should_to_a_ratio(d1, v1, d2, v2, unit):
    there = standardised_rate_ratio(value=d1, variance=v1, comparator_value=d2, comparator_variance=v2)
    other = standardised_rate_ratio(
        value=d1 * unit, variance=v1 * unit**2, comparator_value=d2 * unit, comparator_variance=v2 * unit**2
    )
    back = standardised_rate_ratio(value=d2, variance=v2, comparator_value=d1, comparator_variance=v1)
    assert [other.value, other.lower, other.upper] == pytest.approx(
        [there.value, there.lower, there.upper], rel=1e-6
    )
    with np.errstate(divide="ignore"):
        turned = [1 / back.value, 1 / back.upper, 1 / back.lower]
    assert [there.value, there.lower, there.upper] == pytest.approx(turned, rel=1e-6)


def test_a_withheld_rate_withholds_the_comparison_and_says_why(recwarn):
    ratio = standardised_rate_ratio(
        value=[np.nan, 0, 2, 0, 3],
        variance=[1, 1, 1, 1, np.nan],
        comparator_value=[2, 2, 0, 0, 1],
        comparator_variance=1,
    )
    assert ratio.value == pytest.approx([np.nan, 0, np.inf, np.nan, 3], nan_ok=True)
    assert np.isnan([ratio.lower, ratio.upper]).all()
    assert ratio.note.tolist() == [
        "a standardised rate is withheld or missing",
        "a standardised rate is 0: no limits of a ratio",
        "a standardised rate is 0: no limits of a ratio",
        "both standardised rates are 0: no ratio",
        "the limits of a standardised rate are missing",
    ]
    gap = standardised_rate_difference(
        value=[np.nan, 2],
        lower=[[np.nan, np.nan], [1, 0.5]],
        upper=[[np.nan, np.nan], [3, 4]],
        comparator_value=[1, 1],
        comparator_lower=[[0.5, 0.2], [0.5, 0.2]],
        comparator_upper=[[2, 3], [2, np.nan]],
        confidence=(0.95, 0.998),
    )
    assert gap.note.tolist() == [
        "a standardised rate is withheld or missing",
        "the limits of a standardised rate are missing",
    ]
    assert np.isfinite(gap.lower[1, 0]) and np.isnan(gap.lower[1, 1])
    assert not recwarn.list


def test_several_levels_and_no_entries_keep_their_shapes():
    ratio = standardised_rate_ratio(
        value=[2, 3],
        variance=[0.1, 0.1],
        comparator_value=[1, 1],
        comparator_variance=0.1,
        confidence=(0.9, 0.95),
    )
    assert ratio.lower.shape == (2, 2) and (ratio.lower[:, 0] > ratio.lower[:, 1]).all()
    empty = standardised_rate_ratio(value=[], variance=[], comparator_value=[], comparator_variance=[])
    assert empty.value.shape == (0,)


def test_entries_that_cannot_be_are_refused():
    with pytest.raises(ContractError, match="variance is negative"):
        standardised_rate_ratio(value=1, variance=-1, comparator_value=1, comparator_variance=1)
    with pytest.raises(ContractError, match="not of the shape"):
        standardised_rate_difference(
            value=[1],
            lower=[0.5],
            upper=[2],
            comparator_value=[1],
            comparator_lower=[0.5],
            comparator_upper=[2],
            confidence=(0.95, 0.998),
        )
    with pytest.raises(ContractError, match="comparator_value lies outside"):
        limits((1, 0, 0), (2, -1, 3))
    with pytest.raises(ContractError, match="unequal shape"):
        mover_difference(
            value=[1, 2],
            lower=[0.5, 1],
            upper=[2, 3],
            comparator_value=[1],
            comparator_lower=[0.5],
            comparator_upper=[2],
        )
