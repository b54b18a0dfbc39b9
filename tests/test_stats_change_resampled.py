import numpy as np
import pytest

from equitydata.stats.contracts import ContractError
from equitydata.stats.inequality.change import change
from equitydata.stats.inequality.change_resampled import resampled_change

pytestmark = pytest.mark.filterwarnings("error")


def gap(share, population):
    return share[..., 0] - share[..., -1]


def share_ratio(share, population):
    return share[..., 0] / share[..., -1]


def cells(*, absent_before=(0, 0), absent_after=(0, 0), both=((0, 0), (0, 0))):
    """One group: people by outcome (without, with) where they are counted."""
    return [
        [0, *absent_before],
        [absent_after[0], *both[0]],
        [absent_after[1], *both[1]],
    ]


OTHER_PEOPLE = [
    cells(absent_after=(70, 30), absent_before=(80, 20)),
    cells(absent_after=(180, 20), absent_before=(190, 10)),
]


def test_the_change_itself_is_plain_arithmetic():
    found = resampled_change(people=OTHER_PEOPLE, measure=gap, draws=1_000)
    assert found.earlier == pytest.approx(0.30 - 0.10)
    assert found.later == pytest.approx(0.20 - 0.05)
    assert float(found.estimates.value) == pytest.approx(-0.05)
    assert (found.draws, found.seed) == (1_000, 1)


def test_other_people_at_each_time_give_the_limits_of_independent_values():
    found = resampled_change(people=OTHER_PEOPLE, measure=gap, draws=40_000).estimates

    def error(*pairs):
        return float(np.sqrt(sum(p * (1 - p) / n for p, n in pairs)))

    formula = change(
        earlier=0.20,
        earlier_standard_error=error((0.3, 100), (0.1, 200)),
        later=0.15,
        later_standard_error=error((0.2, 100), (0.05, 200)),
    )
    assert float(found.lower) == pytest.approx(float(formula.lower), abs=0.012)
    assert float(found.upper) == pytest.approx(float(formula.upper), abs=0.012)


def test_people_whose_outcome_does_not_change_leave_no_doubt():
    still = [cells(both=((70, 0), (0, 30))), cells(both=((180, 0), (0, 20)))]
    found = resampled_change(people=still, measure=gap, draws=2_000).estimates
    assert float(found.value) == float(found.lower) == float(found.upper) == 0


def test_the_same_people_give_the_spread_of_their_own_changes():
    # One group of 400: 40 gained the outcome, 20 lost it. The share changes by the mean of +1, -1 and 0.
    moved = np.repeat([1, -1, 0], [40, 20, 340])
    rest = cells(both=((1000, 0), (0, 1000)))
    people = [cells(both=((240, 40), (20, 100))), rest]
    found = resampled_change(people=people, measure=gap, draws=40_000).estimates
    error = moved.std() / np.sqrt(len(moved))
    assert float(found.value) == pytest.approx(moved.mean())
    assert float(found.upper - found.lower) == pytest.approx(2 * 1.96 * error, rel=0.04)


def test_a_ratio_is_the_later_over_the_earlier_at_several_confidence_levels():
    found = resampled_change(
        people=OTHER_PEOPLE, measure=share_ratio, ratio=True, confidence=(0.8, 0.95), draws=5_000
    ).estimates
    assert float(found.value) == pytest.approx((0.20 / 0.05) / (0.30 / 0.10))
    assert found.lower[1] < found.lower[0] < found.value < found.upper[0] < found.upper[1]


def test_the_seed_decides_the_draws():
    one, same, other = (
        resampled_change(people=OTHER_PEOPLE, measure=gap, draws=1_000, seed=seed).estimates
        for seed in (5, 5, 6)
    )
    assert (one.lower, one.upper) == (same.lower, same.upper)
    assert (one.lower, one.upper) != (other.lower, other.upper)


def test_a_measure_without_a_value_says_so():
    empty = [cells(absent_after=(70, 30)), cells(absent_before=(190, 10), absent_after=(180, 20))]
    found = resampled_change(people=empty, measure=gap, draws=1_000).estimates
    assert np.isnan(found.value) and "no value" in str(found.note)
    none = [
        cells(absent_after=(70, 30), absent_before=(80, 20)),
        cells(absent_after=(99, 1), absent_before=(99, 1)),
    ]
    found = resampled_change(people=none, measure=share_ratio, ratio=True, draws=1_000).estimates
    assert np.isfinite(found.value) and np.isnan(found.lower) and "of the draws" in str(found.note)


@pytest.mark.parametrize(
    ("people", "what"),
    [
        ([[1, 2], [3, 4]], "shape"),
        ([cells(both=((-1, 2), (3, 4)))], "whole number"),
        ([cells(both=((0.5, 2), (3, 4)))], "whole number"),
        ([[[1, 2, 3], [0, 1, 1], [0, 1, 1]]], "neither time"),
        ([cells()], "nobody"),
    ],
)
def test_counts_that_cannot_be_are_refused(people, what):
    with pytest.raises(ContractError, match=what):
        resampled_change(people=people, measure=gap)


def test_too_few_draws_are_refused():
    with pytest.raises(ContractError, match="draws"):
        resampled_change(people=OTHER_PEOPLE, measure=gap, draws=10)
