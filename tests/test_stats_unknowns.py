import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.judgement.unknowns import outcome_bounds, representation_bounds
from equitydata.stats.one_group.proportions import wilson
from equitydata.stats.two_groups.proportions import risk_ratio

pytestmark = pytest.mark.filterwarnings("error")


def shares(**changed):
    asked = {"numerator": [5], "denominator": [200], "unknown": [40], "share": [0.08]} | changed
    return representation_bounds(**asked)


def outcomes(**changed):
    asked = {
        "numerator": [30], "denominator": [100], "comparator_numerator": [150], "comparator_denominator": [1000],
        "unknown_numerator": [10], "unknown_denominator": [100],
    } | changed  # fmt: skip
    return outcome_bounds(**asked)


def test_the_bounds_of_a_share_are_the_counts_with_none_and_all_given():
    answer = shares()
    assert answer.known[0] == pytest.approx(5 / 200 / 0.08)
    assert answer.none[0] == pytest.approx(5 / 240 / 0.08)
    assert answer.everyone[0] == pytest.approx(45 / 240 / 0.08)
    assert answer.pro_rata[0] == pytest.approx((5 + 40 * 0.08) / 240 / 0.08)
    assert (answer.lowest[0], answer.highest[0]) == (answer.none[0], answer.everyone[0])


def test_the_tipping_point_of_a_share_is_where_its_limit_reaches_one():
    answer = shares()
    assert answer.finding[0] == -1 and not answer.fragile[0] and np.isnan(answer.at_most[0])
    _, upper = wilson(5 + answer.at_least * 40, 240)
    assert upper[0] == pytest.approx(0.08, abs=1e-9)


def test_a_high_finding_turns_when_too_few_of_the_unknown_are_of_the_group():
    answer = shares(numerator=[26], unknown=[100])
    assert answer.finding[0] == 1 and np.isnan(answer.at_least[0])
    lower, _ = wilson(26 + answer.at_most * 100, 300)
    assert lower[0] == pytest.approx(0.08, abs=1e-9)
    assert answer.at_most[0] < 26 / 200


def test_a_finding_that_turns_pro_rata_is_fragile():
    answer = shares(numerator=[25], unknown=[600])
    assert answer.finding[0] == 1 and answer.fragile[0] and not answer.firm[0]
    assert answer.at_most[0] == answer.at_least[0] == 0.08 and "pro rata" in answer.note[0]


def test_a_finding_that_nothing_turns_is_firm():
    answer = shares(numerator=[60], unknown=[10])
    assert answer.firm[0] and np.isnan([answer.at_most[0], answer.at_least[0]]).all()
    assert answer.note[0] == "no share of the unknown turns the finding"


def test_the_band_criterion_turns_where_the_ratio_reaches_the_band():
    answer = shares(criterion="band")
    assert (5 + answer.at_least[0] * 40) / 240 / 0.08 == pytest.approx(0.80, abs=1e-6)


@given(st.integers(1, 200), st.integers(0, 300), st.floats(0.02, 0.9))
@settings(max_examples=60, deadline=None)
def test_no_assignment_leaves_the_bounds_and_the_finding_holds_up_to_its_tipping_point(x, unknown, share):
    answer = representation_bounds(numerator=x, denominator=200, unknown=unknown, share=share)
    given_ = np.arange(unknown + 1)
    ratios = (x + given_) / (200 + unknown) / share
    assert (ratios >= answer.lowest - 1e-12).all() and (ratios <= answer.highest + 1e-12).all()
    if answer.finding == 0 or answer.fragile or unknown == 0:
        return
    lower, upper = wilson(np.minimum(x + given_, 200 + unknown), np.full(unknown + 1, 200 + unknown))
    holds = lower > share if answer.finding == 1 else upper < share
    q = given_ / unknown
    expected = np.ones(unknown + 1, dtype=bool)
    if not np.isnan(answer.at_most):
        expected &= q > answer.at_most
    if not np.isnan(answer.at_least):
        expected &= q < answer.at_least
    edge = np.isclose(q, answer.at_most, atol=1e-6) | np.isclose(q, answer.at_least, atol=1e-6)
    assert (holds == expected)[~edge].all()


def test_outcome_bounds_are_the_ratios_of_the_assigned_counts():
    answer = outcomes()
    assert answer.known[0] == pytest.approx(2.0)
    assert answer.none[0] == pytest.approx((30 / 100) / (160 / 1100))
    assert answer.everyone[0] == pytest.approx((40 / 200) / (150 / 1000))
    part = 100 / 1100
    assert answer.pro_rata_share[0] == pytest.approx(part)
    assert answer.pro_rata[0] == pytest.approx(
        ((30 + 10 * part) / (100 + 100 * part)) / ((150 + 10 * (1 - part)) / (1000 + 100 * (1 - part)))
    )
    assert answer.highest[0] == pytest.approx((40 / 110) / (150 / 1090))
    assert answer.lowest[0] == pytest.approx((30 / 190) / (160 / 1010))


@given(st.integers(0, 20), st.integers(1, 40), st.integers(0, 12), st.integers(0, 12))
@settings(max_examples=40, deadline=None)
def test_no_assignment_of_people_leaves_lowest_and_highest(x1, x2, with_it, without):
    answer = outcomes(
        numerator=[x1], denominator=[25], comparator_numerator=[x2], comparator_denominator=[60],
        unknown_numerator=[with_it], unknown_denominator=[with_it + without],
    )  # fmt: skip
    for a in range(with_it + 1):
        for b in range(without + 1):
            first = (x1 + a) / (25 + a + b)
            second = (x2 + with_it - a) / (60 + with_it - a + without - b)
            assert answer.lowest[0] - 1e-12 <= first / second <= answer.highest[0] + 1e-12


def test_the_tipping_point_of_an_outcome_is_where_its_limit_reaches_one():
    answer = outcomes()
    q = answer.at_least
    assert answer.finding[0] == 1 and not answer.firm[0] and not answer.fragile[0]
    found = risk_ratio(
        numerator=30 + q * 10, denominator=100 + q * 100,
        comparator_numerator=150 + (1 - q) * 10, comparator_denominator=1000 + (1 - q) * 100,
    )  # fmt: skip
    assert found.lower[0] == pytest.approx(1, abs=1e-6)


def test_other_limits_may_be_asked_for():
    def katz(**counts):
        return risk_ratio(**counts, method="katz")

    assert outcomes(ratio_of=katz).at_least[0] == pytest.approx(outcomes().at_least[0], abs=0.05)
    assert outcomes(ratio_of=katz).at_least[0] != outcomes().at_least[0]


def test_swapping_group_and_rest_mirrors_the_tipping_point():
    swapped = outcomes(
        numerator=[150], denominator=[1000], comparator_numerator=[30], comparator_denominator=[100]
    )
    plain = outcomes()
    assert swapped.finding[0] == -plain.finding[0] and swapped.known[0] == pytest.approx(1 / plain.known[0])
    assert swapped.at_most[0] == pytest.approx(1 - plain.at_least[0], abs=1e-6)
    assert swapped.highest[0] == pytest.approx(1 / plain.lowest[0])


def test_no_finding_has_nothing_to_turn():
    for answer in (shares(numerator=[16]), outcomes(numerator=[15])):
        assert answer.finding[0] == 0 and not answer.fragile[0] and not answer.firm[0]
        assert answer.note[0] == "no finding that could turn"


def test_nobody_unknown_leaves_everything_as_it_is():
    for answer in (shares(unknown=[0]), outcomes(unknown_numerator=[0], unknown_denominator=[0])):
        assert (
            answer.known[0] == answer.none[0] == answer.everyone[0] == answer.lowest[0] == answer.highest[0]
        )
        assert answer.firm[0] and answer.note[0] == "nobody is of unknown group"


@pytest.mark.parametrize(
    "changed", [{"numerator": [np.nan]}, {"unknown": [np.nan]}, {"share": [np.nan]}, {"share": [0]}]
)
def test_no_share_gives_a_reason(changed):
    answer = shares(**changed)
    assert np.isnan(answer.known[0]) or np.isnan(answer.none[0])
    assert answer.note[0] and not answer.fragile[0] and not answer.firm[0]


def test_nobody_known_gives_a_reason():
    assert shares(numerator=[0], denominator=[0]).note[0]
    answer = outcomes(numerator=[0], denominator=[0])
    assert np.isnan(answer.known[0]) and answer.note[0]


def test_none_and_a_thousand_million_are_worked_out():
    none = outcomes(numerator=[0])
    assert none.known[0] == 0 and none.finding[0] == -1
    many = shares(numerator=[10**8], denominator=[10**9], unknown=[10**7])
    assert many.finding[0] == 1 and many.firm[0]
    assert representation_bounds(numerator=[], denominator=[], unknown=[], share=[]).known.shape == (0,)


@pytest.mark.parametrize(
    "changed",
    [{"numerator": [-1]}, {"numerator": [300]}, {"unknown": [-1]}, {"share": [2]}, {"criterion": "p"},
     {"numerator": [1, 2], "share": [0.1, 0.1, 0.1]}, {"band": (2, 3)}, {"confidence": (0.95, 0.998)}],
)  # fmt: skip
def test_shares_that_cannot_be_are_refused(changed):
    with pytest.raises(ContractError):
        shares(**changed)


@pytest.mark.parametrize(
    "changed",
    [{"numerator": [-1]}, {"unknown_numerator": [101]}, {"comparator_numerator": [1001]}, {"criterion": "p"}],
)
def test_outcomes_that_cannot_be_are_refused(changed):
    with pytest.raises(ContractError):
        outcomes(**changed)
