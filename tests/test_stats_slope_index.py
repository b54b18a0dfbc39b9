import csv
import math
import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.inequality.answer import Inequality
from equitydata.stats.inequality.groups import as_groups
from equitydata.stats.inequality.slope_from_counts import slope_index_from_counts
from equitydata.stats.inequality.slope_index import lack_of_fit, slope_index

pytestmark = pytest.mark.filterwarnings("error")
CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "slope_index.csv").open()))
AGGREGATED = [case for case in CASES if case["kind"] == "aggregated"]
COUNTS = [case for case in CASES if case["kind"] == "counts"]


def numbers(text):
    return [float(part) for part in text.split(";")]


def groups(**given):
    asked = {
        "estimate": [0.2, 0.3, 0.4, 0.5, 0.6],
        "standard_error": [0.01] * 5,
        "population": [78, 91, 162, 103, 105],
        "favourable": True,
        "ordered": True,
        "scale": "plain",
        **given,
    }
    return as_groups(**asked)


def quick(given, **asked):
    return slope_index(given, draws=10_000, **asked)


@pytest.mark.parametrize("case", AGGREGATED, ids=lambda c: f"{c['transform']}-{len(c['estimate'])}")
def test_aggregated_values_give_what_r_gives(case):
    given = groups(**{name: numbers(case[name]) for name in ("estimate", "standard_error", "population")})
    found = slope_index(given, transform=case["transform"])
    assert found.sii.value == pytest.approx(float(case["sii"]), rel=1e-9), case["source"]
    assert found.rii.value == pytest.approx(float(case["rii"]), rel=1e-9), case["source"]
    if case["sii_se"] != "NA":  # the line is linear in the values, so its error is known without draws
        assert found.sii.standard_error == pytest.approx(float(case["sii_se"]), rel=0.01)
        assert found.lack_of_fit.statistic == pytest.approx(float(case["fit"]), rel=1e-9)


@pytest.mark.parametrize("case", COUNTS, ids=lambda c: f"{c['family']}-{c['errors']}-{c['numerator']}")
def test_counts_give_what_r_gives(case):
    found = slope_index_from_counts(
        numbers(case["numerator"]), numbers(case["population"]), family=case["family"], errors=case["errors"]
    )
    assert found.sii.value == pytest.approx(float(case["sii"]), rel=1e-7), case["source"]
    assert found.rii.value == pytest.approx(float(case["rii"]), rel=1e-7), case["source"]
    assert found.sii.standard_error == pytest.approx(float(case["sii_se"]), rel=1e-5), case["source"]
    assert found.rii.standard_error == pytest.approx(float(case["rii_log_se"]), rel=1e-5), case["source"]
    assert found.lack_of_fit.statistic == pytest.approx(float(case["fit"]), rel=1e-5), case["source"]


WHOLE = st.lists(st.tuples(st.integers(0, 100), st.integers(1, 40)), min_size=3, max_size=8)


@settings(max_examples=40, deadline=None)
@given(WHOLE)
def test_the_linear_slope_is_exactly_that_of_weighted_least_squares_in_fractions(rows):
    total = sum(n for _, n in rows)
    share = [Fraction(n, total) for _, n in rows]
    rank = [sum(share[:at], Fraction(0)) + share[at] / 2 for at in range(len(rows))]
    y = [Fraction(value) for value, _ in rows]
    mean_y = sum(a * b for a, b in zip(share, y, strict=True))
    mean_r = sum(a * b for a, b in zip(share, rank, strict=True))
    across = sum(a * (r - mean_r) * (b - mean_y) for a, r, b in zip(share, rank, y, strict=True))
    slope = across / sum(a * (r - mean_r) ** 2 for a, r in zip(share, rank, strict=True))
    bottom = mean_y - slope * mean_r
    given = groups(estimate=[v for v, _ in rows], population=[n for _, n in rows], standard_error=None)
    found = quick(given)
    assert found.sii.value == pytest.approx(float(slope), rel=1e-9, abs=1e-9)
    assert found.intercept == pytest.approx(float(bottom), rel=1e-9, abs=1e-9)
    if bottom > Fraction(1, 1000) and bottom + slope > Fraction(1, 1000):
        assert found.rii.value == pytest.approx(float((bottom + slope) / bottom), rel=1e-7)
    if mean_y > 0:
        assert found.relative_slope.value == pytest.approx(float(slope / mean_y), rel=1e-7, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(WHOLE)
def test_the_grouped_slope_equals_the_regression_of_the_records_on_the_same_ranks(rows):
    given = groups(estimate=[v for v, _ in rows], population=[n for _, n in rows], standard_error=None)
    found = quick(given)
    people = [n for _, n in rows]
    slope, intercept = np.polyfit(np.repeat(found.rank, people), np.repeat(given.estimate, people), 1)
    assert found.sii.value == pytest.approx(slope, rel=1e-7, abs=1e-7)
    assert found.intercept == pytest.approx(intercept, rel=1e-7, abs=1e-7)


@settings(max_examples=8, deadline=None)
@given(WHOLE.filter(lambda rows: sum(v for v, _ in rows) > 0), st.integers(2, 50))
def test_more_people_in_the_same_shares_change_nothing(rows, times):
    y, n = ([row[at] for row in rows] for at in (0, 1))
    one, other = (
        quick(groups(estimate=y, population=m, standard_error=[1.0] * len(y)))
        for m in (n, [each * times for each in n])
    )
    assert one.sii.value == pytest.approx(other.sii.value, rel=1e-9, abs=1e-9)
    assert one.sii.upper == pytest.approx(other.sii.upper, rel=1e-9, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 99), st.integers(100, 900)), min_size=3, max_size=8))
def test_ten_times_the_counts_keep_the_index_and_narrow_its_limits(rows):
    x, n = (np.array([row[at] for row in rows]) for at in (0, 1))
    one, ten = slope_index_from_counts(x, n), slope_index_from_counts(10 * x, 10 * n)
    assert ten.sii.value == pytest.approx(one.sii.value, rel=1e-6, abs=1e-9)
    assert ten.rii.value == pytest.approx(one.rii.value, rel=1e-6)
    assert ten.sii.standard_error <= one.sii.standard_error * (1 + 1e-6)


def test_equal_groups_have_no_slope():
    for transform in ("none", "log", "logit"):
        found = quick(groups(estimate=[0.3] * 5, scale="proportion"), transform=transform)
        assert found.sii.value == 0 and found.rii.value == 1 and found.slope == 0
        assert found.sii.lower < 0 < found.sii.upper and found.rii.lower < 1 < found.rii.upper
    for family in ("binomial", "poisson"):
        found = slope_index_from_counts([30, 60, 90], [100, 200, 300], family=family)
        assert found.sii.value == pytest.approx(0, abs=1e-9)
        assert found.rii.value == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("made", ["values", "counts"])
def test_turning_the_order_round_negates_the_sii_and_inverts_the_rii(made):
    def index(order):
        if made == "counts":
            return slope_index_from_counts([20, 30, 50, 60][::order], [100, 120, 140, 100][::order])
        return quick(groups(estimate=[0.2, 0.3, 0.4, 0.5, 0.6][::order], standard_error=None,
                            population=[78, 91, 162, 103, 105][::order]))  # fmt: skip

    one, other = index(1), index(-1)
    assert one.sii.value == pytest.approx(-other.sii.value)
    assert one.rii.value == pytest.approx(1 / other.rii.value)
    if made == "counts":
        assert (one.sii.lower, one.rii.lower) == pytest.approx((-other.sii.upper, 1 / other.rii.upper))


@pytest.mark.parametrize("multiplier", [-1, -100])
def test_a_negative_multiplier_negates_the_sii_swaps_its_limits_and_inverts_the_rii(multiplier):
    one, other = quick(groups()), quick(groups(), multiplier=multiplier)
    assert other.sii.value == pytest.approx(multiplier * one.sii.value)
    assert (other.sii.lower, other.sii.upper) == pytest.approx(
        (multiplier * one.sii.upper, multiplier * one.sii.lower)
    )
    assert other.sii.standard_error == pytest.approx(abs(multiplier) * one.sii.standard_error)
    assert (other.rii.value, other.rii.lower, other.rii.upper) == pytest.approx(
        (1 / one.rii.value, 1 / one.rii.upper, 1 / one.rii.lower)
    )
    assert other.relative_slope.value == -one.relative_slope.value


def test_a_positive_multiplier_moves_the_sii_alone():
    one, other = quick(groups()), quick(groups(), multiplier=100)
    assert (other.sii.value, other.sii.lower) == pytest.approx((100 * one.sii.value, 100 * one.sii.lower))
    assert other.rii == one.rii


def test_simulated_limits_of_the_linear_slope_are_normal():
    given = groups(standard_error=[0.01, 0.02, 0.01, 0.03, 0.02])
    found = slope_index(given, confidence=(0.8, 0.95, 0.998))
    reach = np.array([1.2816, 1.95996, 3.0902]) * found.sii.standard_error
    assert found.sii.lower == pytest.approx(found.sii.value - reach, rel=0.03)
    assert found.sii.upper == pytest.approx(found.sii.value + reach, rel=0.03)
    assert (found.sii.draws, found.sii.seed) == (100_000, 1)


def test_simulated_limits_of_a_transformed_fit_follow_both_coefficients_together():
    # On the log scale both ends are linear in the logarithms of the values: their joint law is known.
    y, n, s = np.array([31.0, 25, 22, 18, 12]), np.array([10, 20, 30, 25, 15]), np.array([2.0, 1, 1.5, 1, 2])
    found = slope_index(
        groups(estimate=y, population=n, standard_error=s, scale="rate"), transform="log", draws=200_000
    )
    design = np.column_stack([np.ones(5), found.rank])
    weight = np.diag(n / n.sum())
    hat = np.linalg.solve(design.T @ weight @ design, design.T @ weight)
    covariance = hat @ np.diag((s / y) ** 2) @ hat.T
    assert found.rii.standard_error == pytest.approx(math.sqrt(covariance[1, 1]), rel=0.01)
    ends = np.random.default_rng(9).multivariate_normal(hat @ np.log(y), covariance, size=200_000)
    gap = np.exp(ends.sum(axis=1)) - np.exp(ends[:, 0])
    assert (found.sii.lower, found.sii.upper) == pytest.approx(
        tuple(np.quantile(gap, [0.025, 0.975])), rel=0.02
    )


def test_the_redraw_is_on_the_scale_of_the_indicator():
    y, s = [0.02, 0.03, 0.05, 0.06, 0.1], [0.01, 0.01, 0.02, 0.02, 0.03]
    found = slope_index(groups(estimate=y, standard_error=s, scale="proportion", population=[1] * 5))
    rng, slopes = random.Random(8), []
    for _ in range(20_000):
        drawn = []
        for value, error in zip(y, s, strict=True):
            logit = math.log(value / (1 - value)) + rng.gauss(0, error / (value * (1 - value)))
            drawn.append(1 / (1 + math.exp(-logit)))
        ranks = (-0.4, -0.2, 0, 0.2, 0.4)
        slopes.append(sum(r * v for r, v in zip(ranks, drawn, strict=True)) / 0.4)
    slopes.sort()
    assert found.sii.lower == pytest.approx(slopes[500], abs=0.002)
    assert found.sii.upper == pytest.approx(slopes[19_500], abs=0.003)
    plain = slope_index(groups(estimate=y, standard_error=s, population=[1] * 5))
    assert plain.sii.value == found.sii.value and plain.sii.lower < found.sii.lower - 0.005


def test_the_same_seed_gives_the_same_limits_and_another_seed_others():
    one, same, other = (quick(groups(), seed=seed).sii for seed in (3, 3, 4))
    assert (one.lower, one.upper) == (same.lower, same.upper) != (other.lower, other.upper)


def test_a_curved_gradient_shows_as_lack_of_fit_and_less_so_on_its_own_scale():
    y = np.exp([0.0, 1, 2, 3, 4])
    given = groups(estimate=y, standard_error=y * 0.05, population=[1] * 5)
    straight, curved = quick(given), quick(given, transform="log")
    assert straight.lack_of_fit.p_value < 1e-6 < 0.5 < curved.lack_of_fit.p_value
    assert curved.residual == pytest.approx(np.zeros(5), abs=1e-9)
    assert straight.residual == pytest.approx(y - straight.fitted)


def test_lack_of_fit_is_as_rare_by_chance_as_its_p_value_says():
    rng = np.random.default_rng(6)
    n, s = [10, 30, 20, 25, 15], np.array([0.5, 0.2, 0.4, 0.3, 0.6])
    rank = np.array([0.05, 0.25, 0.5, 0.725, 0.925])
    found = [
        lack_of_fit(groups(estimate=3 + 2 * rank + s * rng.standard_normal(5), standard_error=s, population=n),
                    rank, "none")
        for _ in range(3000)
    ]  # fmt: skip
    shares = [np.mean([test.p_value < level for test in found]) for level in (0.05, 0.2, 0.5)]
    assert shares == pytest.approx([0.05, 0.2, 0.5], abs=0.03)
    assert found[0].df == 3


def test_model_errors_are_widened_by_the_dispersion_and_say_so():
    straight = slope_index_from_counts([16, 27, 65, 52, 63], [78, 91, 162, 103, 105])
    broken = slope_index_from_counts([40, 90, 55, 30, 60, 20], [500, 700, 650, 600, 720, 480])
    assert "dispersion" not in straight.sii.method and "dispersion" in broken.sii.method


@pytest.mark.parametrize(
    ("x", "n", "family", "reason"),
    [
        ([0, 0, 0], [9, 9, 9], "binomial", "no events"),
        ([0, 0, 0], [9, 9, 9], "poisson", "no events"),
        ([9, 9, 9], [9, 9, 9], "binomial", "everyone"),
        ([5, 0, 0], [9, 9, 9], "binomial", "parts"),
        ([0, 0, 5], [9, 9, 9], "binomial", "parts"),
        ([0, 5, 9], [9, 9, 9], "binomial", "parts"),
        ([5, 0, 0], [9, 9, 9], "poisson", "one end"),
        ([0, 0, 5], [9, 9, 9], "poisson", "one end"),
        ([1, 2], [9, 9], "binomial", "fewer than three"),
        ([1], [9], "binomial", "fewer than three"),
        ([], [], "binomial", "fewer than three"),
        ([1, np.nan, 2], [9, 9, 9], "binomial", "missing"),
        ([1, 0, 2], [9, 0, 9], "poisson", "nobody"),
    ],
)
def test_counts_without_an_answer_give_none_and_the_reason(x, n, family, reason):
    found = slope_index_from_counts(x, n, family=family)
    for answer in (found.sii, found.rii, found.relative_slope):
        assert np.isnan([answer.value, answer.lower, answer.upper]).all() and reason in answer.note
    assert reason in found.lack_of_fit.note


@pytest.mark.parametrize("family", ["binomial", "poisson"])
@pytest.mark.parametrize("errors", ["model", "robust"])
def test_zero_all_and_huge_counts_are_borne(family, errors):
    for x, n in (([0, 5, 10, 5], [10, 10, 10, 10]), ([1, 1, 0], [1, 1, 1]),
                 ([3e8, 4e8, 2e8, 1e8, 2.5e8], [1e9] * 5)):  # fmt: skip
        found = slope_index_from_counts(x, n, family=family, errors=errors)
        if not np.isnan(found.sii.value):
            assert np.isfinite([found.sii.lower, found.sii.upper, found.rii.lower, found.rii.upper]).all()
        else:
            assert "parts" in found.sii.note


def test_weighted_counts_are_borne_with_a_note():
    assert "not whole" in slope_index_from_counts([1.5, 4, 3.2], [10, 10, 10]).sii.note


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"ordered": False}, "ordered"),
        ({"estimate": [0.2, np.nan, 0.4, 0.5, 0.6]}, "every group"),
        ({"population": [1, 0, 1, 1, 1]}, "every group"),
        ({"estimate": [0.2, 0.3], "population": [1, 1], "standard_error": [0.1] * 2}, "fewer than three"),
        ({"estimate": [], "population": [], "standard_error": []}, "fewer than three"),
    ],
)
def test_groups_without_an_answer_give_none_and_the_reason(given, reason):
    found = quick(groups(**given), confidence=(0.95, 0.998))
    for answer in (found.sii, found.rii, found.relative_slope):
        assert np.isnan(answer.value) and np.isnan(answer.lower).all() and reason in answer.note
        assert answer.lower.shape == (2,)


def test_an_estimate_at_the_end_has_no_transform():
    assert "no log" in quick(groups(estimate=[0, 0.3, 0.4, 0.5, 0.6]), transform="log").sii.note
    assert "no logit" in quick(groups(estimate=[0.1, 0.3, 0.4, 0.5, 1]), transform="logit").sii.note


def test_a_line_that_crosses_0_has_a_slope_and_no_ratio():
    found = quick(groups(estimate=[0, 0.1, 0.2, 0.6, 0.9]))
    assert np.isfinite(found.sii.lower) and np.isnan(found.rii.value) and "not above 0" in found.rii.note


def test_a_line_that_crosses_0_in_some_draws_has_an_infinite_ratio_there():
    found = quick(groups(estimate=[0.2, 0.35, 0.5, 0.65, 0.8], standard_error=[0.1] * 5, population=[1] * 5))
    assert np.isfinite(found.rii.value) and found.rii.upper == np.inf and found.rii.lower > 1
    assert np.isnan(found.rii.standard_error) and "infinite in some draws" in found.rii.note


def test_values_without_errors_have_no_limits_and_a_reason():
    found = quick(groups(standard_error=None))
    assert np.isnan(found.sii.lower) and "no standard error" in found.sii.note
    assert np.isnan(found.lack_of_fit.p_value) and found.lack_of_fit.note


def test_the_answer_says_what_rank_0_is_and_that_few_groups_are_few():
    few = quick(groups(estimate=[0.1, 0.2, 0.4], population=[1, 1, 1], standard_error=[0.1] * 3))
    assert "rank 0 is the most disadvantaged end" in few.sii.note and few.rank_zero.startswith("rank 0")
    assert "five or more" in few.sii.note and "five or more" not in quick(groups()).sii.note
    assert "five or more" in slope_index_from_counts([1, 2, 3], [9, 9, 9]).sii.note


def test_what_cannot_be_asked_is_refused():
    for wrong in ({"transform": "root"}, {"multiplier": 0}, {"confidence": 95}):
        with pytest.raises(ContractError):
            quick(groups(), **wrong)
    with pytest.raises(ContractError):
        slope_index(groups(), draws=1000)
    for x, n, asked in (
        ([10, 1, 1], [9, 9, 9], {}),
        ([-1, 1, 1], [9, 9, 9], {}),
        ([1, 1], [9, 9, 9], {}),
        ([1, 1, 2], [9, 9, 9], {"family": "gamma"}),
        ([1, 1, 2], [9, 9, 9], {"errors": "HC3"}),
        ([[1, 1, 2]], [[9, 9, 9]], {}),
    ):
        with pytest.raises(ContractError):
            slope_index_from_counts(x, n, **asked)


def test_several_levels_of_counts_give_as_many_limits():
    found = slope_index_from_counts([16, 27, 65], [78, 91, 162], confidence=(0.95, 0.998))
    one = slope_index_from_counts([16, 27, 65], [78, 91, 162])
    assert isinstance(found.sii, Inequality) and found.sii.lower.shape == (2,)
    assert found.rii.lower[0] == pytest.approx(one.rii.lower) and found.rii.lower[1] < found.rii.lower[0]
