import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from equitydata.stats.one_group.proportions import wilson

CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "wilson.csv").open()))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['numerator']}/{case['denominator']}")
def test_wilson_gives_the_published_limits(case):
    lower, upper = wilson(
        [int(case["numerator"])], [int(case["denominator"])], confidence=float(case["confidence"])
    )
    assert lower[0] == pytest.approx(float(case["lower"]), abs=6e-5), case["source"]
    assert upper[0] == pytest.approx(float(case["upper"]), abs=6e-5), case["source"]


COUNTS = st.integers(1, 10**7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS, st.sampled_from([0.8, 0.95, 0.998]))
def test_wilson_equals_the_independent_implementation(counts, confidence):
    numerator, denominator = counts
    lower, upper = wilson([numerator], [denominator], confidence=confidence)
    theirs = proportion_confint(numerator, denominator, alpha=1 - confidence, method="wilson")
    assert lower[0] == pytest.approx(theirs[0], abs=1e-9)
    assert upper[0] == pytest.approx(theirs[1], abs=1e-9)


@given(st.integers(1, 10**9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_value_and_stays_in_0_to_1(counts):
    numerator, denominator = counts
    lower, upper = wilson([numerator], [denominator])
    assert 0 <= lower[0] <= numerator / denominator <= upper[0] <= 1


def test_nobody_gives_no_interval_and_no_warning(recwarn):
    lower, upper = wilson([0, np.nan], [0, 5])
    assert np.isnan([*lower, *upper]).all()
    assert not recwarn.list


def test_the_ends_are_exact_at_none_and_all():
    lower, upper = wilson([0, 20], [20, 20])
    assert lower[0] == 0 and upper[1] == 1


@pytest.mark.parametrize(
    ("numerator", "denominator", "confidence"),
    [([-1], [5], 0.95), ([6], [5], 0.95), ([1, 2], [5], 0.95), ([1], [5], 95), ([1], [5], 0.3)],
)
def test_counts_that_cannot_be_are_refused(numerator, denominator, confidence):
    with pytest.raises(ValueError):
        wilson(numerator, denominator, confidence=confidence)
