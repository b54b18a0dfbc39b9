import csv
import math
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from equitydata.stats.contracts import ContractError
from equitydata.stats.one_group.counts import count_limits
from equitydata.stats.one_group.proportions import wilson
from equitydata.stats.units.shrinkage import (
    ALL_OR_NONE,
    NO_VARIATION,
    ONE_EACH,
    ONE_UNIT,
    shrink_proportions,
    shrink_rates,
)

ROWS = list(csv.DictReader((Path(__file__).parent / "known_answers" / "shrinkage.csv").open()))
SETS = [list(rows) for _, rows in groupby(ROWS, key=lambda r: (r["dataset"], r["model"], r["fit"]))]
FITS = ["moments", "maximum_likelihood"]
EVENTS, TIME = [2, 5, 0, 12, 33, 8, 1, 19, 27, 3], [120, 150, 90, 400, 600, 310, 55, 700, 480, 160]


@pytest.fixture(autouse=True)
def no_warnings(recwarn):
    yield
    assert not recwarn.list


def shrink(model, x, n, **options):
    if model == "rate":
        return shrink_rates(events=x, denominator=n, **options)
    return shrink_proportions(numerator=x, denominator=n, **options)


def column(rows, name):
    return np.array([float(row[name]) for row in rows])


@pytest.mark.parametrize("rows", SETS, ids=lambda rows: "-".join(list(rows[0].values())[:3]))
def test_shrunk_values_and_limits_are_those_of_r(rows):
    first = rows[0]
    found = shrink(first["model"], column(rows, "numerator"), column(rows, "denominator"), fit=first["fit"])
    assert found.value == pytest.approx(column(rows, "value"), rel=2e-5), first["source"]
    assert found.pooled == pytest.approx(float(first["pooled"]), rel=2e-6)
    if first["between_variance"]:
        assert found.between_variance == pytest.approx(float(first["between_variance"]), rel=2e-4, abs=1e-12)
    if first["lower"]:
        assert found.lower == pytest.approx(column(rows, "lower"), rel=2e-5)
        assert found.upper == pytest.approx(column(rows, "upper"), rel=2e-5)


def test_limits_hold_the_posterior_probability_found_by_integration():
    found = shrink_rates(events=EVENTS, denominator=TIME, confidence=0.9)
    shape, rate = found.pooled**2 / found.between_variance, found.pooled / found.between_variance

    def density(theta, x, n):
        return theta ** (x + shape - 1) * math.exp(-(n + rate) * theta)

    for i in (0, 2, 4):
        whole = integrate.quad(density, 0, 0.3, args=(EVENTS[i], TIME[i]), epsabs=0, limit=200)[0]
        below = integrate.quad(density, 0, found.lower[i], args=(EVENTS[i], TIME[i]), epsabs=0)[0]
        above = integrate.quad(density, found.upper[i], 0.3, args=(EVENTS[i], TIME[i]), epsabs=0)[0]
        assert (below / whole, above / whole) == pytest.approx((0.05, 0.05), rel=1e-6)


@pytest.mark.parametrize("model", ["rate", "proportion"])
def test_the_likelihood_is_at_its_top(model):
    x, n = np.array(EVENTS), np.array(TIME)
    found = shrink(model, x, n, fit="maximum_likelihood")

    def log_likelihood(mean, variance):
        total = 0.0
        for events, size in zip(EVENTS, TIME, strict=True):
            if model == "rate":
                a, b = mean**2 / variance, mean / variance
                total += sum(math.log(a + i) for i in range(events)) - a * math.log1p(size / b)
                total -= events * math.log(b + size)
            else:
                people = mean * (1 - mean) / variance - 1
                a, b = mean * people, (1 - mean) * people
                total += sum(math.log(a + i) for i in range(events))
                total += sum(math.log(b + i) for i in range(size - events))
                total -= sum(math.log(people + i) for i in range(size))
        return total

    top = log_likelihood(found.pooled, found.between_variance)
    for mean, variance in ((0.99, 1), (1.01, 1), (1, 0.97), (1, 1.03)):
        assert log_likelihood(found.pooled * mean, found.between_variance * variance) < top


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(40, 900)), min_size=2, max_size=12),
    st.sampled_from(["rate", "proportion"]),
    st.sampled_from(FITS),
)
def test_a_shrunk_value_lies_between_the_raw_and_the_pooled_value_and_within_its_limits(units, model, fit):
    x, n = np.array(units, dtype=float).T
    found = shrink(model, x, n, fit=fit)
    low, high = np.minimum(found.raw, found.pooled), np.maximum(found.raw, found.pooled)
    assert (found.value >= low - 1e-12).all() and (found.value <= high + 1e-12).all()
    assert ((found.own_weight >= 0) & (found.own_weight <= 1)).all()
    assert (found.lower <= found.value + 1e-9).all() and (found.value <= found.upper + 1e-9).all()
    # The larger of two units keeps more of its own value.
    assert (np.diff(found.own_weight[np.argsort(n)]) >= -1e-12).all()


@pytest.mark.parametrize("fit", FITS)
def test_without_variation_every_unit_has_the_pooled_value_and_its_limits(fit):
    rates = shrink_rates(events=[10, 11, 9], denominator=[100, 110, 90], fit=fit)
    assert rates.value == pytest.approx([0.1] * 3) and rates.between_variance == 0
    assert set(rates.note) == {NO_VARIATION}
    assert (rates.lower[0], rates.upper[0]) == pytest.approx(tuple(v / 300 for v in count_limits(30)))
    shares = shrink_proportions(numerator=[10, 11, 9], denominator=[100, 110, 90], fit=fit)
    assert (shares.own_weight == 0).all() and set(shares.note) == {NO_VARIATION}
    assert (shares.lower[2], shares.upper[2]) == pytest.approx(tuple(map(float, wilson(30, 300))))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("model", ["rate", "proportion"])
def test_no_events_anywhere_shrink_to_0(model, fit):
    found = shrink(model, [0, 0, 0], [10, 20, 30], fit=fit)
    assert (found.value == 0).all() and (found.lower == 0).all() and (found.upper > 0).all()
    assert set(found.note) == {NO_VARIATION}


@pytest.mark.parametrize("fit", FITS)
def test_everybody_everywhere_shrinks_to_1(fit):
    found = shrink_proportions(numerator=[10, 20, 30], denominator=[10, 20, 30], fit=fit)
    assert (found.value == 1).all() and (found.upper == 1).all() and set(found.note) == {NO_VARIATION}


@pytest.mark.parametrize("fit", FITS)
def test_units_of_all_or_none_are_not_shrunk(fit):
    found = shrink_proportions(numerator=[10, 0, 30], denominator=[10, 20, 30], fit=fit)
    assert found.value.tolist() == [1, 0, 1] and set(found.note) == {ALL_OR_NONE}
    assert found.lower == pytest.approx(wilson([10, 0, 30], [10, 20, 30])[0])


@pytest.mark.parametrize("fit", FITS)
def test_one_person_in_each_unit_cannot_tell_variation_from_chance(fit):
    found = shrink_proportions(numerator=[1, 0, 1, 0], denominator=[1, 1, 1, 1], fit=fit)
    assert (found.value == 0.5).all() and set(found.note) == {ONE_EACH}


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("model", ["rate", "proportion"])
def test_a_single_unit_has_its_own_value_and_says_so(model, fit):
    found = shrink(model, [3, np.nan], [10, 10], fit=fit)
    assert found.value[0] == 0.3 and found.note.tolist() == [ONE_UNIT, "a count is missing"]
    assert math.isnan(found.value[1]) and math.isnan(found.lower[1])


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("model", ["rate", "proportion"])
def test_missing_and_empty_units_have_no_part_in_the_fit(model, fit):
    with_gaps = shrink(model, [np.nan, *EVENTS, 0], [50, *TIME, 0], fit=fit)
    without = shrink(model, EVENTS, TIME, fit=fit)
    assert with_gaps.value[1:-1] == pytest.approx(without.value)
    assert with_gaps.note[0] == "a count is missing" and with_gaps.note[-1] == "nobody counted"
    assert np.isnan([with_gaps.value[0], with_gaps.upper[-1], with_gaps.own_weight[-1]]).all()


@pytest.mark.parametrize("model", ["rate", "proportion"])
def test_no_units_give_empty_answers(model):
    found = shrink(model, [], [], confidence=(0.95, 0.998))
    assert found.value.shape == (0,) and found.lower.shape == (0, 2) and math.isnan(found.pooled)


@pytest.mark.parametrize("model", ["rate", "proportion"])
def test_no_usable_unit_gives_missing_values_with_their_reasons(model):
    found = shrink(model, [np.nan, 0], [5, 0])
    assert np.isnan(found.value).all() and found.note.tolist() == ["a count is missing", "nobody counted"]


@pytest.mark.parametrize("model", ["rate", "proportion"])
@pytest.mark.parametrize("fit", FITS)
def test_several_confidences_stand_side_by_side(model, fit):
    both = shrink(model, EVENTS, TIME, fit=fit, confidence=(0.95, 0.998))
    one = shrink(model, EVENTS, TIME, fit=fit, confidence=0.998)
    assert both.lower.shape == (10, 2) and np.array_equal(both.upper[:, 1], one.upper)
    assert (both.lower[:, 1] < both.lower[:, 0]).all()


@pytest.mark.parametrize("model", ["rate", "proportion"])
@pytest.mark.parametrize("fit", FITS)
def test_huge_units_keep_their_own_value(model, fit):
    found = shrink(model, [4e8, 5e8, 6e8], [1e9] * 3, fit=fit)
    assert found.value == pytest.approx([0.4, 0.5, 0.6], rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(10)), st.sampled_from(FITS))
def test_the_order_of_units_changes_nothing_else(order, fit):
    order = list(order)
    there = shrink_rates(events=EVENTS, denominator=TIME, fit=fit)
    back = shrink_rates(events=np.array(EVENTS)[order], denominator=np.array(TIME)[order], fit=fit)
    assert there.value[order] == pytest.approx(back.value, rel=1e-5)


def test_weighted_counts_are_noted():
    found = shrink_rates(events=[2.5, 5, 20], denominator=[120, 150, 90])
    assert found.note.tolist() == ["counts are not whole numbers", "", ""]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: shrink_rates(events=[-1], denominator=[5]),
        lambda: shrink_rates(events=[1, 2], denominator=[5]),
        lambda: shrink_rates(events=[1], denominator=[5], fit="guess"),
        lambda: shrink_rates(events=[1], denominator=[5], confidence=95),
        lambda: shrink_proportions(numerator=[6], denominator=[5]),
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ContractError):
        wrong()
