import csv
import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats import inequality as eq
from equitydata.stats.contracts import ContractError
from equitydata.stats.inequality.simulated import redrawn, scale_errors

pytestmark = pytest.mark.filterwarnings("error")
CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "inequality.csv").open()))


def numbers(text):
    return [float(part) for part in text.split(";")]


def both(measure):
    return {
        "U": lambda groups, **asked: measure(groups, weighted=False, **asked),
        "W": lambda groups, **asked: measure(groups, weighted=True, **asked),
    }


MEASURES = {
    "D": eq.difference,
    "R": eq.ratio,
    "BGV": eq.between_group_variance,
    "BGSD": eq.between_group_sd,
    "COV": eq.coefficient_of_variation,
    "Theil": eq.theil_index,
    "MLD": eq.mean_log_deviation,
    "PAR": eq.attributable_risk,
    "PAF": eq.attributable_fraction,
    **{f"MDM{v}": f for v, f in both(eq.mean_difference_from_mean).items()},
    **{f"MDB{v}": f for v, f in both(eq.mean_difference_from_best).items()},
    **{f"MDR{v}": f for v, f in both(eq.mean_difference_from_reference).items()},
    **{f"IDIS{v}": f for v, f in both(eq.index_of_disparity).items()},
}
NEVER_NEGATIVE = [name for name in MEASURES if name not in ("D", "R", "PAR", "PAF")]
RATES = {"estimate": [3.0, 5.0, 4.0, 8.0], "population": [100, 250, 50, 600]}
ERRORS = {"standard_error": [0.3, 0.4, 0.5, 0.6]}


def groups(**given):
    asked = {"favourable": True, "ordered": False, "scale": "plain", **RATES, **ERRORS, **given}
    return eq.as_groups(**asked)


# Known answers


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['measure']}-{case['ordered']}")
def test_a_measure_gives_the_published_value_and_error(case):
    given = groups(
        estimate=np.array(numbers(case["estimate"])) / 100,
        standard_error=np.array(numbers(case["standard_error"])) / 100,
        population=numbers(case["population"]),
        ordered=case["ordered"] == "1",
        reference=int(case["reference"]) if case["reference"] else None,
        scale="proportion",
    )
    answer = MEASURES[case["measure"]](given)
    published = float(case["value"]) / float(case["value_times"])
    assert answer.value == pytest.approx(published, rel=2e-5), case["source"]  # single precision
    if case["error"]:
        error = float(case["error"]) / float(case["error_times"])
        assert answer.standard_error == pytest.approx(error, rel=5e-5), case["source"]


# An independent second implementation, slow and plain


def plain_measures(y, n, *, reference, favourable):
    total = sum(n)
    p = [each / total for each in n]
    mean = sum(a * b for a, b in zip(p, y, strict=True))
    best = max(y) if favourable else min(y)
    worst = min(y) if favourable else max(y)
    mean_of = {"U": [1 / len(y)] * len(y), "W": p}
    found = {
        "D": max(y) - min(y),
        "R": max(y) / min(y),
        "BGV": sum(a * (b - mean) ** 2 for a, b in zip(p, y, strict=True)),
        "Theil": sum(a * b / mean * math.log(b / mean) for a, b in zip(p, y, strict=True)),
        "MLD": -sum(a * math.log(b / mean) for a, b in zip(p, y, strict=True)),
        "PAR": best - mean,
        "PAF": 100 * (best - mean) / mean,
        "worst": worst,
    }
    found["BGSD"] = math.sqrt(found["BGV"])
    found["COV"] = 100 * found["BGSD"] / mean
    for version, weight in mean_of.items():
        for name, target in (("MDM", mean), ("MDB", best), ("MDR", y[reference])):
            found[name + version] = sum(w * abs(b - target) for w, b in zip(weight, y, strict=True))
        found["IDIS" + version] = 100 * found["MDM" + version] / mean
    return found


LISTS = st.lists(
    st.tuples(st.floats(0.5, 99), st.integers(1, 10**6), st.floats(0, 5)), min_size=3, max_size=8
).filter(lambda rows: len({round(row[0], 3) for row in rows}) == len(rows))


@settings(max_examples=40, deadline=None)
@given(LISTS, st.booleans())
def test_every_measure_equals_the_plain_implementation(rows, favourable):
    y, n, _ = zip(*rows, strict=True)
    given = groups(estimate=y, population=n, standard_error=None, favourable=favourable)
    plain = plain_measures(y, n, reference=1, favourable=favourable)
    named = groups(estimate=y, population=n, standard_error=None, favourable=favourable, reference=1)
    for name, measure in MEASURES.items():
        found = measure(named if name.startswith("MDR") else given).value
        assert found == pytest.approx(plain[name], rel=1e-7, abs=1e-9), name


@settings(max_examples=40, deadline=None)
@given(LISTS, st.sampled_from(["Theil", "MLD", "PAR", "PAF"]))
def test_a_delta_error_equals_that_of_numerical_derivatives(rows, name):
    y, n, s = (list(column) for column in zip(*rows, strict=True))
    variance = 0.0
    for at, error in enumerate(s):
        step = 1e-5 * y[at]
        up, down = list(y), list(y)
        up[at], down[at] = y[at] + step, y[at] - step
        ends = [plain_measures(v, n, reference=0, favourable=True)[name] for v in (up, down)]
        variance += ((ends[0] - ends[1]) / (2 * step) * error) ** 2
    asked = {"method": "delta"} if name in ("PAR", "PAF") else {}
    given = groups(estimate=y, population=n, standard_error=s)
    assert MEASURES[name](given, **asked).standard_error == pytest.approx(
        math.sqrt(variance), rel=1e-3, abs=1e-7
    )


def test_the_error_of_d_and_of_the_logarithm_of_r_are_of_the_two_groups():
    d, r = eq.difference(groups()), eq.ratio(groups())
    assert d.standard_error == pytest.approx(math.sqrt(0.6**2 + 0.3**2))
    assert (d.lower, d.upper) == pytest.approx((5 - 1.959964 * 0.67082, 5 + 1.959964 * 0.67082), abs=1e-5)
    log_error = math.sqrt((0.6 / 8) ** 2 + (0.3 / 3) ** 2)
    assert r.standard_error == pytest.approx(log_error)
    assert r.upper == pytest.approx(8 / 3 * math.exp(1.959964 * log_error), rel=1e-6)


def test_the_variance_of_bgv_is_that_of_many_samples():
    y, s = np.array([3.0, 5, 4, 8]), np.array([2.0, 1, 3, 1.5])
    p = np.array([0.1, 0.25, 0.05, 0.6])
    drawn = y + s * np.random.default_rng(5).standard_normal((400_000, 4))
    mean = drawn @ p
    found = ((drawn - mean[:, None]) ** 2) @ p
    answer = eq.between_group_variance(groups(standard_error=s))
    assert answer.standard_error == pytest.approx(found.std(), rel=0.01)
    assert answer.value + answer.expected == pytest.approx(found.mean(), rel=0.01)


def test_bgv_is_corrected_by_what_errors_add_to_it_on_average():
    answer = eq.between_group_variance(groups())
    p, s = [0.1, 0.25, 0.05, 0.6], ERRORS["standard_error"]
    added = sum(a * (1 - a) * e**2 for a, e in zip(p, s, strict=True))
    assert answer.expected == pytest.approx(added)
    assert answer.corrected == pytest.approx(answer.value - added)
    assert eq.between_group_variance(groups(standard_error=[9] * 4)).corrected == 0


def test_walter_gives_the_error_of_samples_of_the_whole_population():
    counted, rate = np.array([3000, 4000, 3000]), np.array([0.3, 0.2, 0.1])
    cells = np.concatenate([counted * rate, counted * (1 - rate)]) / counted.sum()
    drawn = np.random.default_rng(3).multinomial(counted.sum(), cells, size=20_000)
    cases, people = drawn[:, :3], drawn[:, :3] + drawn[:, 3:]
    fraction = (cases[:, 2] / people[:, 2]) / (cases.sum(axis=1) / people.sum(axis=1)) - 1
    given = groups(
        estimate=rate,
        population=counted,
        standard_error=None,
        favourable=False,
        ordered=True,
        scale="proportion",
    )
    answer = eq.attributable_fraction(given)
    assert answer.method == "walter"
    assert answer.standard_error == pytest.approx(100 * fraction.std(), rel=0.03)


def test_the_expected_value_under_equality_is_that_of_a_plain_simulation():
    rng = random.Random(4)
    n, s = RATES["population"], ERRORS["standard_error"]
    mean = sum(a * b for a, b in zip(n, RATES["estimate"], strict=True)) / sum(n)
    found = [
        plain_measures([rng.gauss(mean, e) for e in s], n, reference=0, favourable=True)["MDMW"]
        for _ in range(20_000)
    ]
    expected = eq.mean_difference_from_mean(groups(), weighted=True).expected
    assert expected == pytest.approx(sum(found) / len(found), rel=0.02)


# Equality, direction, scale


@settings(max_examples=10, deadline=None)
@given(st.floats(0.01, 0.99), st.lists(st.integers(1, 10**9), min_size=3, max_size=7), st.booleans())
def test_equal_groups_have_no_inequality(value, people, ordered):
    given = groups(
        estimate=[value] * len(people),
        standard_error=[0.01] * len(people),
        population=people,
        ordered=ordered,
        reference=0,
        scale="proportion",
    )
    for answer in eq.summarise(given):
        # Logarithms and exponents of the two ends may leave the last digit.
        assert answer.value == pytest.approx(answer.equality, abs=1e-12), answer.measure
    assert eq.difference(given).value == 0
    assert eq.ratio(given).value == 1


@settings(max_examples=25, deadline=None)
@given(LISTS, st.randoms(use_true_random=False))
def test_the_order_of_groups_without_order_changes_nothing(rows, rng):
    shuffled = list(rows)
    rng.shuffle(shuffled)
    (y, n, s), (z, m, r) = (zip(*those, strict=True) for those in (rows, shuffled))
    for name, measure in MEASURES.items():
        if name.startswith("MDR"):
            continue
        given, turned = (
            groups(estimate=y, population=n, standard_error=None),
            groups(estimate=z, population=m, standard_error=None),
        )
        assert measure(given).value == pytest.approx(measure(turned).value, rel=1e-9, abs=1e-12), name
    for name in ("D", "R", "BGV", "Theil", "MLD", "PAR", "PAF"):
        a = MEASURES[name](groups(estimate=y, population=n, standard_error=s))
        b = MEASURES[name](groups(estimate=z, population=m, standard_error=r))
        assert np.allclose([a.lower, a.upper], [b.lower, b.upper], equal_nan=True), name


@settings(max_examples=8, deadline=None)
@given(LISTS, st.floats(0.01, 1000))
def test_a_change_of_unit_moves_absolute_measures_and_no_relative_one(rows, times):
    y, n, s = (np.array(column) for column in zip(*rows, strict=True))
    one = groups(estimate=y, population=n, standard_error=s)
    other = groups(estimate=y * times, population=n, standard_error=s * times)
    powers = {"D": 1, "BGV": 2, "BGSD": 1, "MDMU": 1, "MDMW": 1, "MDBU": 1, "MDBW": 1, "PAR": 1}
    for name, measure in MEASURES.items():
        if name.startswith("MDR"):
            continue
        a, b, factor = measure(one), measure(other), times ** powers.get(name, 0)
        for attribute in ("value", "standard_error", "lower", "upper", "expected", "corrected"):
            before, after = getattr(a, attribute) * factor, getattr(b, attribute)
            assert after == pytest.approx(before, rel=1e-6, abs=1e-8 * factor, nan_ok=True), (name, attribute)


@settings(max_examples=30, deadline=None)
@given(LISTS)
def test_splitting_a_group_in_two_changes_no_weighted_measure(rows):
    y, n, _ = (list(column) for column in zip(*rows, strict=True))
    one = groups(estimate=y, population=n, standard_error=None)
    other = groups(estimate=[y[0], *y], population=[n[0] / 2, n[0] / 2, *n[1:]], standard_error=None)
    for name in ("BGV", "BGSD", "COV", "Theil", "MLD", "MDMW", "MDBW", "IDISW", "PAR", "PAF"):
        assert MEASURES[name](one).value == pytest.approx(MEASURES[name](other).value, rel=1e-7, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(LISTS)
def test_turning_polarity_round_negates_d_and_inverts_r_with_their_limits(rows):
    y, n, s = zip(*rows, strict=True)
    good, bad = (
        groups(estimate=y, population=n, standard_error=s, ordered=True, favourable=f) for f in (True, False)
    )
    d, e = eq.difference(good), eq.difference(bad)
    assert (d.value, d.lower, d.upper) == pytest.approx((-e.value, -e.upper, -e.lower))
    r, q = eq.ratio(good), eq.ratio(bad)
    assert (r.value, r.lower, r.upper) == pytest.approx((1 / q.value, 1 / q.upper, 1 / q.lower))


def test_d_of_ordered_groups_is_above_0_where_the_disadvantaged_are_worse_off():
    assert eq.difference(groups(ordered=True, favourable=True)).value == 8 - 3
    assert eq.difference(groups(ordered=True, favourable=False)).value == 3 - 8


def test_d_against_a_reference_takes_the_worst_of_the_others():
    assert eq.difference(groups(reference=1)).value == 5 - 3
    assert eq.difference(groups(reference=1, favourable=False)).value == 8 - 5
    assert eq.difference(groups(reference=0)).value == 3 - 4  # the reference is itself worse off than all


def test_the_attributable_risk_is_0_where_the_reference_is_no_better():
    par = eq.attributable_risk(groups(reference=0))
    assert par.value == 0 and par.lower == 0
    assert par.upper == 0  # 3 lies far below the mean of 6.4: no gain is within the limits
    near = eq.attributable_risk(groups(reference=0, estimate=[6.3, 5, 6, 8]))
    assert near.value == 0 and near.lower == 0 < near.upper
    assert "cut" in near.note
    adverse = eq.attributable_risk(groups(reference=3, favourable=False))
    assert adverse.value == 0 and adverse.upper == 0


def test_the_attributable_risk_of_an_adverse_indicator_is_below_0():
    assert eq.attributable_risk(groups(favourable=False)).value == pytest.approx(3 - 6.55)


def test_rescaling_moves_value_error_and_limits_alike():
    theil = eq.theil_index(groups())
    thousand = eq.rescale(theil, 1000)
    for name in ("value", "standard_error", "lower", "upper", "expected", "corrected"):
        assert getattr(thousand, name) == pytest.approx(1000 * getattr(theil, name))


def test_a_negative_multiplier_turns_limits_round_and_inverts_ratios():
    d, r = eq.difference(groups()), eq.ratio(groups())
    turned, inverted = eq.rescale(d, -1), eq.rescale(r, -1)
    assert (turned.value, turned.lower, turned.upper) == (-d.value, -d.upper, -d.lower)
    assert (inverted.value, inverted.lower) == pytest.approx((1 / r.value, 1 / r.upper))
    assert inverted.standard_error == r.standard_error
    assert eq.rescale(r, 100) == r
    with pytest.raises(ContractError):
        eq.rescale(d, 0)


# Noise


@pytest.mark.parametrize("name", ["D", *NEVER_NEGATIVE])
def test_noise_alone_makes_inequality_and_the_correction_takes_off_some_of_it(name):
    given = groups(
        estimate=[5.0, 5.1, 5.05, 4.95], standard_error=[0.5] * 4, population=[1, 1, 1, 1], reference=0
    )
    answer = MEASURES[name](groups(estimate=[5.0, 5.1, 5.05, 4.95]) if name == "D" else given)
    assert answer.expected > answer.value > answer.corrected >= 0


def test_ratio_of_the_highest_to_the_lowest_is_corrected_on_the_log_scale():
    answer = eq.ratio(groups(estimate=[5.0, 5.1, 5.05, 4.95], standard_error=[0.5] * 4))
    assert answer.expected > answer.value > answer.corrected >= 1


def test_a_simulated_error_equals_the_error_of_a_linear_measure():
    # With the reference far below the others, the mean difference from it is linear in the estimates.
    given = groups(estimate=[1.0, 50, 60, 70], standard_error=[0.1, 1, 2, 3], reference=0)
    p = np.array(RATES["population"]) / 1000
    answer = eq.mean_difference_from_reference(given, weighted=True, draws=100_000)
    slope = np.array([-p[1:].sum(), *p[1:]])
    assert answer.standard_error == pytest.approx(
        float(np.sqrt(((slope * [0.1, 1, 2, 3]) ** 2).sum())), rel=0.01
    )
    assert answer.upper - answer.lower == pytest.approx(2 * 1.96 * answer.standard_error, rel=0.02)


def test_the_same_seed_gives_the_same_limits_and_another_seed_others():
    one, same, other = (eq.between_group_sd(groups(), seed=seed) for seed in (7, 7, 8))
    assert (one.lower, one.upper) == (same.lower, same.upper)
    assert one.lower != other.lower
    assert (one.draws, one.seed) == (10_000, 7)


def test_many_groups_are_drawn_a_part_at_a_time():
    many = groups(
        estimate=np.linspace(1, 2, 5000), population=np.ones(5000), standard_error=np.full(5000, 0.1)
    )
    sizes = [drawn.shape for drawn in redrawn(many, draws=10_000, seed=1)]
    assert len(sizes) > 1 and sum(rows for rows, _ in sizes) == 10_000


def test_draws_of_a_proportion_stay_within_0_and_1_and_of_a_rate_above_0():
    wide = {"estimate": [0.02, 0.5, 0.97], "standard_error": [0.05, 0.2, 0.05], "population": [1, 1, 1]}
    for scale, most in (("proportion", 1.0), ("rate", np.inf)):
        drawn = next(iter(redrawn(groups(scale=scale, **wide), draws=10_000, seed=1)))
        assert drawn.min() >= 0 and drawn.max() <= most


def test_limits_of_an_estimate_give_its_error_on_the_scale_of_the_draws():
    z = 1.959963984540054
    low, high = np.exp(np.log([3.0, 5, 4, 8]) - z * 0.2), np.exp(np.log([3.0, 5, 4, 8]) + z * 0.2)
    given = groups(scale="rate", standard_error=None, lower=low, upper=high)
    assert scale_errors(given) == pytest.approx(np.full(4, 0.2))
    assert given.standard_error == pytest.approx((high - low) / (2 * z))


def test_a_limit_at_the_end_of_its_scale_leaves_the_other_one_to_go_by():
    given = groups(scale="rate", standard_error=None, lower=[0, 3, 2, 6], upper=[9, 7, 8, 10])
    assert scale_errors(given)[0] == pytest.approx(math.log(9 / 3) / 1.959963984540054)


def test_an_estimate_of_0_is_redrawn_as_a_plain_number_and_the_note_says_so():
    answer = eq.between_group_sd(groups(scale="rate", estimate=[0, 5, 4, 8]))
    assert np.isfinite([answer.lower, answer.upper]).all()
    assert "end of its scale" in answer.note


# Edges


@pytest.mark.parametrize("name", [n for n in MEASURES if not n.startswith("MDR")])
@pytest.mark.parametrize("gap", ["estimate", "population"])
def test_ordered_groups_need_every_group(name, gap):
    with_gap = [*RATES[gap][:-1], np.nan]
    answer = MEASURES[name](groups(ordered=True, **{gap: with_gap}))
    assert np.isnan(answer.value) and "every group" in answer.note


def test_groups_without_order_bear_15_per_cent_of_gaps_and_say_so():
    seven = {"population": [10] * 7, "standard_error": [0.1] * 7}
    one_of_seven = eq.theil_index(groups(estimate=[np.nan, 2, 3, 4, 5, 6, 7], **seven))
    two_of_seven = eq.theil_index(groups(estimate=[np.nan, np.nan, 3, 4, 5, 6, 7], **seven))
    without = eq.theil_index(
        groups(estimate=[2, 3, 4, 5, 6, 7], population=[10] * 6, standard_error=[0.1] * 6)
    )
    assert one_of_seven.value == without.value and "1 of 7 groups" in one_of_seven.note
    assert np.isnan(two_of_seven.value) and "2 of 7 groups" in two_of_seven.note


def test_a_group_with_nobody_is_a_gap():
    answer = eq.between_group_sd(
        groups(estimate=[9, 2, 3, 4, 5, 6, 7], population=[0, 1, 1, 1, 1, 1, 1], standard_error=[0.1] * 7)
    )
    assert answer.value == pytest.approx(np.std([2, 3, 4, 5, 6, 7]))
    assert "1 of 7" in answer.note


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("people", [0, 1, 2])
def test_too_few_groups_give_no_result_and_say_why(name, people):
    given = groups(
        estimate=[3.0, 4][:people], population=[10, 20][:people], standard_error=[0.1, 0.1][:people]
    )
    answer = MEASURES[name](given)
    if people == 2 and name in ("D", "R"):
        assert np.isfinite([answer.value, answer.lower, answer.upper]).all()
    else:
        assert np.isnan([answer.value, answer.lower]).all() and "fewer than" in answer.note


@pytest.mark.parametrize("name", MEASURES)
def test_without_errors_there_is_a_value_without_limits_and_a_reason(name):
    answer = MEASURES[name](groups(standard_error=None, reference=0))
    assert np.isfinite(answer.value)
    assert np.isnan([answer.lower, answer.upper, answer.standard_error]).all()
    assert "no standard error" in answer.note and answer.method == "none" and answer.draws == 0


@pytest.mark.parametrize("name", MEASURES)
def test_several_confidence_levels_give_as_many_limits_each_inside_the_next(name):
    answer = MEASURES[name](groups(reference=1), confidence=(0.8, 0.95, 0.998))
    assert answer.lower.shape == answer.upper.shape == (3,)
    assert (np.diff(answer.lower) <= 0).all() and (np.diff(answer.upper) >= 0).all()
    assert answer.confidence == (0.8, 0.95, 0.998)
    one = MEASURES[name](groups(reference=1), confidence=0.95)
    assert (one.lower, one.upper) == pytest.approx((answer.lower[1], answer.upper[1]))


@pytest.mark.parametrize("name", MEASURES)
def test_a_missing_result_has_limits_of_the_shape_asked(name):
    answer = MEASURES[name](groups(estimate=[np.nan] * 4), confidence=(0.95, 0.998))
    assert answer.lower.shape == (2,) and np.isnan(answer.lower).all() and answer.note


def test_mdr_without_a_reference_is_missing_and_says_so():
    answer = eq.mean_difference_from_reference(groups(), weighted=True)
    assert np.isnan(answer.value) and answer.note == "no reference group"


def test_a_reference_behind_a_gap_keeps_its_group():
    given = groups(
        estimate=[np.nan, 2, 3, 4, 5, 6, 7], population=[1] * 7, standard_error=[0.1] * 7, reference=2
    )
    assert given.estimate[given.reference] == 3
    lost = groups(
        estimate=[np.nan, 2, 3, 4, 5, 6, 7], population=[1] * 7, standard_error=[0.1] * 7, reference=0
    )
    assert lost.reference is None and "reference group" in lost.note


def test_a_group_at_0_adds_nothing_to_theil_and_makes_mld_infinite():
    zero = groups(estimate=[0, 5, 4, 8])
    p, y = np.array(RATES["population"]) / 1000, np.array([0, 5, 4, 8])
    r = y[1:] / (p @ y)
    theil = eq.theil_index(zero)
    assert theil.value == pytest.approx(float((p[1:] * r * np.log(r)).sum()))
    assert np.isnan(theil.lower) and "standard error does not exist" in theil.note
    assert np.isfinite(eq.theil_index(groups(estimate=[0, 5, 4, 8], standard_error=[0, 1, 1, 1])).lower)
    assert np.isnan(eq.mean_log_deviation(zero).value)
    replaced = eq.mean_log_deviation(zero, zero_as=0.001)
    same = eq.mean_log_deviation(groups(estimate=[0.001, 5, 4, 8]))
    assert replaced.value == same.value and "taken as 0.001" in replaced.note


def test_a_ratio_over_0_is_missing_and_one_of_0_has_no_limits():
    over = eq.ratio(groups(estimate=[0, 5, 4, 8]))
    assert np.isnan(over.value) and "not above 0" in over.note
    of = eq.ratio(groups(estimate=[0, 5, 4, 8], ordered=True, favourable=False))
    assert of.value == 0 and np.isnan(of.upper) and "does not exist" in of.note


def test_all_groups_at_0_have_absolute_measures_of_0_and_no_relative_ones():
    given = groups(estimate=[0] * 4, scale="proportion")
    found = {answer.measure: answer for answer in eq.summarise(given)}
    for name in ("D", "BGV", "BGSD", "MDMU", "MDMW", "MDBU", "MDBW", "PAR"):
        assert found[name].value == 0
    for name in ("R", "COV", "Theil", "MLD", "IDISU", "IDISW", "PAF"):
        assert np.isnan(found[name].value) and found[name].note


def test_all_groups_at_1_have_no_inequality():
    given = groups(estimate=[1] * 4, scale="proportion")
    assert all(answer.value == answer.equality for answer in eq.summarise(given))


def test_negative_estimates_have_no_measure_of_logarithms():
    given = groups(estimate=[-1, 5, 4, 8])
    assert "negative" in eq.theil_index(given).note and "negative" in eq.mean_log_deviation(given).note
    assert np.isnan(eq.coefficient_of_variation(groups(estimate=[-9, -5, -4, 1])).value)


def test_walter_without_a_case_in_the_reference_group_has_no_limits():
    given = groups(estimate=[0.2, 0.1, 0.0, 0.3], favourable=False, scale="proportion")
    answer = eq.attributable_fraction(given)
    assert answer.value == -100 and np.isnan(answer.lower) and "does not exist" in answer.note


def test_walter_needs_people_and_proportions():
    shares = groups(estimate=[0.2, 0.1, 0.3, 0.3], population=[0.1, 0.2, 0.3, 0.4], scale="proportion")
    assert eq.attributable_risk(shares).method == "delta"
    for unfit in (shares, groups()):
        with pytest.raises(ContractError):
            eq.attributable_risk(unfit, method="walter")


def test_people_in_billions_are_borne():
    given = groups(
        estimate=[0.1, 0.2, 0.3, 0.4], standard_error=[1e-6] * 4, population=[1e9] * 4, scale="proportion"
    )
    for answer in eq.summarise(given):
        assert np.isfinite([answer.value, answer.lower, answer.upper]).all(), answer.measure


@pytest.mark.parametrize(
    "wrong",
    [
        {"estimate": [1, 2]},
        {"population": [-1, 1, 1, 1]},
        {"standard_error": [-1, 1, 1, 1]},
        {"estimate": [0.1, 0.2, 0.3, 1.2], "scale": "proportion"},
        {"estimate": [-0.1, 0.2, 0.3, 0.2], "scale": "rate"},
        {"estimate": [np.inf, 2, 3, 4]},
        {"lower": [4, 1, 1, 1], "upper": [9, 9, 9, 9]},
        {"scale": "per cent"},
        {"reference": 4},
        {"limits_confidence": 95},
        {"estimate": [[3.0, 5, 4, 8]], "population": [[1, 1, 1, 1]], "standard_error": None},
    ],
)
def test_groups_that_cannot_be_are_refused(wrong):
    with pytest.raises(ContractError):
        groups(**wrong)


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ContractError):
        eq.difference(groups(), confidence=95)
    with pytest.raises(ContractError):
        eq.between_group_sd(groups(), draws=100)
    with pytest.raises(ContractError):
        eq.mean_log_deviation(groups(), zero_as=0)
    with pytest.raises(ContractError):
        eq.attributable_risk(groups(), method="wald")


def test_a_summary_gives_what_applies_with_absolute_and_relative_measures():
    ordered = {answer.measure for answer in eq.summarise(groups(ordered=True))}
    assert ordered == {"D", "R", "SII", "RII", "ACI", "RCI", "PAR", "PAF"}
    others = {answer.measure for answer in eq.summarise(groups())}
    assert others == {name for name in MEASURES if not name.startswith("MDR")}
    assert {answer.measure for answer in eq.summarise(groups(reference=0))} == set(MEASURES)


ODD = st.one_of(st.just(0.0), st.just(1.0), st.just(math.nan), st.floats(0, 1))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(ODD, st.sampled_from([0.0, 0.01, 0.3, math.nan]), st.sampled_from([0, 1, 50, 1e9])),
        max_size=7,
    ),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["proportion", "rate", "plain"]),
)
def test_nothing_is_missing_without_a_reason_and_limits_hold_in_order(rows, ordered, favourable, scale):
    y, s, n = zip(*rows, strict=True) if rows else ([], [], [])
    given = groups(
        estimate=y,
        standard_error=s,
        population=n,
        ordered=ordered,
        favourable=favourable,
        scale=scale,
        reference=0 if rows else None,
    )
    for answer in eq.summarise(given):
        if np.isnan([answer.value, answer.lower, answer.upper, answer.standard_error]).any():
            assert answer.note, answer
        if not np.isnan([answer.lower, answer.upper]).any():
            assert answer.lower <= answer.upper, answer
        assert (answer.draws > 0) == (answer.seed is not None)
