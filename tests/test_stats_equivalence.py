import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from equitydata.stats.contracts import ContractError
from equitydata.stats.judgement.equivalence import equivalence, two_one_sided_tests

pytestmark = pytest.mark.filterwarnings("error")


def test_only_an_interval_wholly_inside_the_band_is_similar():
    answer = equivalence(lower=[0.85, 0.75, 0.9, 0.80], upper=[1.2, 1.1, 1.3, 1.25], confidence=0.90)
    assert answer.similar.tolist() == [True, False, False, True]


def test_a_missing_or_infinite_limit_is_never_similar():
    answer = equivalence(lower=[np.nan, 0.9, 0.9], upper=[1.1, np.nan, np.inf], confidence=0.90)
    assert not answer.similar.any() and [bool(note) for note in answer.note] == [True, True, False]


def test_limits_at_another_confidence_are_refused():
    with pytest.raises(ContractError, match=r"0\.9"):
        equivalence(lower=[0.9], upper=[1.1], confidence=0.95)
    assert equivalence(lower=[0.9], upper=[1.1], confidence=0.95, alpha=0.025).similar.all()


@given(st.floats(0.5, 2), st.floats(0.01, 0.5))
@settings(max_examples=100, deadline=None)
def test_the_interval_and_the_p_value_agree(ratio, error):
    spread = norm.ppf(0.95) * error
    lower, upper = np.exp(np.log(ratio) - spread), np.exp(np.log(ratio) + spread)
    p_value = float(two_one_sided_tests(ratio=ratio, log_error=error).p_value)
    if abs(p_value - 0.05) > 1e-6:
        assert bool(equivalence(lower=lower, upper=upper, confidence=0.90).similar) == (p_value < 0.05)


def test_the_p_value_is_the_larger_of_two_one_sided_ones():
    p_value = two_one_sided_tests(ratio=[1.1], log_error=[0.05]).p_value[0]
    below = norm.sf((np.log(1.1) - np.log(0.8)) / 0.05)
    above = norm.sf((np.log(1.25) - np.log(1.1)) / 0.05)
    assert p_value == pytest.approx(max(below, above))


@pytest.mark.parametrize(("ratio", "error"), [(np.nan, 0.1), (1, np.nan), (0, 0.1), (np.inf, 0.1), (1, 0)])
def test_no_test_gives_a_reason(ratio, error):
    test = two_one_sided_tests(ratio=[ratio], log_error=[error])
    assert np.isnan([test.p_value[0], test.statistic[0]]).all() and test.note[0]


def test_nothing_gives_nothing():
    assert two_one_sided_tests(ratio=[], log_error=[]).p_value.shape == (0,)
    assert equivalence(lower=[], upper=[], confidence=0.9).similar.shape == (0,)


@pytest.mark.parametrize("band", [(1.25, 0.8), (0.8, 0.9), (0, 1.25), (0.8, np.inf)])
def test_an_impossible_band_is_refused(band):
    with pytest.raises(ContractError):
        equivalence(lower=[0.9], upper=[1.1], confidence=0.9, band=band)


def test_impossible_input_is_refused():
    with pytest.raises(ContractError, match="entries 0"):
        equivalence(lower=[1.2], upper=[1.1], confidence=0.9)
    with pytest.raises(ContractError):
        equivalence(lower=[0.9, 0.9], upper=[1.1], confidence=0.9)
    with pytest.raises(ContractError):
        two_one_sided_tests(ratio=[-1], log_error=[0.1])
    with pytest.raises(ContractError):
        equivalence(lower=[0.9], upper=[1.1], confidence=0.0, alpha=0.5)
