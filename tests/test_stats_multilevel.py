import csv
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate

from equitydata.stats.contracts import ContractError
from equitydata.stats.intersections.multilevel import (
    ENTANGLED,
    NO_NULL_VARIANCE,
    NO_VARIANCE,
    NOT_CONVERGED,
    NOTHING_HAPPENS,
    ONE_EACH,
    POORLY_KNOWN,
    SEPARATED,
    TOO_FEW_STRATA,
    intersectional_strata,
    strata_model,
)
from equitydata.stats.intersections.stratum_likelihood import StratumCounts, _likelihood

CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "multilevel.csv").open()))
Z = 1.959963984540054
RARE_COEFFICIENTS = [-2.442347, 0.168609, -2.458932, -3.128754]
RARE_ERRORS = [0.521286, 0.444687, 0.621324, 0.618744]
X2, N2 = [25, 6, 30, 70, 2, 12, 10, 50, 5, 20, 19, 1], [50, 60, 45, 80, 30, 25, 70, 55, 40, 35, 20, 15]


@pytest.fixture(autouse=True)
def no_warnings(recwarn):
    yield
    assert not recwarn.list


def numbers(text):
    return np.array([float(part) for part in text.split(";")])


def strata_of(case):
    codes = [[int(part) for part in stratum.split("/")] for stratum in case["characteristics"].split(";")]
    return intersectional_strata(
        numerator=numbers(case["numerator"]), denominator=numbers(case["denominator"]), characteristics=codes
    )


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['dataset']}-{c['model']}")
def test_models_are_those_of_lme4(case):
    found = strata_of(case)
    model = getattr(found, case["model"])
    assert math.sqrt(model.variance) == pytest.approx(float(case["deviation"]), rel=2e-5), case["source"]
    assert model.coefficients == pytest.approx(numbers(case["coefficients"]), abs=2e-5)
    # lme4 takes its second derivatives by coarser differences.
    assert model.standard_errors == pytest.approx(numbers(case["standard_errors"]), rel=2e-3)
    assert model.risk.value == pytest.approx(numbers(case["risk"]), abs=1e-5)
    assert model.residual.value == pytest.approx(numbers(case["residual"]), abs=5e-5)
    logits = np.log([model.risk.lower / (1 - model.risk.lower), model.risk.upper / (1 - model.risk.upper)])
    assert (logits[1] - logits[0]) / (2 * Z) == pytest.approx(numbers(case["risk_log_odds_error"]), rel=1e-3)
    spread = (model.residual.upper - model.residual.lower) / (2 * Z)
    assert spread == pytest.approx(numbers(case["residual_error"]), rel=1e-3)
    if case["pcv"]:
        assert found.pcv == pytest.approx(float(case["pcv"]), abs=2e-5)
        gain = 2 * (found.main.log_likelihood - found.null.log_likelihood)
        assert gain == pytest.approx(float(case["twice_log_likelihood_gain"]), abs=2e-5)


def test_vpc_is_the_share_of_the_latent_variation():
    model = strata_model(numerator=X2, denominator=N2)
    assert model.vpc == pytest.approx(model.variance / (model.variance + 3.289868133696453))


def plain_log_likelihood(x, n, intercept, deviation, pieces=600):
    """The same likelihood by brute-force integration, one stratum at a time."""
    total = 0.0
    for events, people in zip(x, n, strict=True):

        def density(v, events=events, people=people):
            p = 1 / (1 + math.exp(-(intercept + deviation * v)))
            return math.comb(people, events) * p**events * (1 - p) ** (people - events) * math.exp(-v * v / 2)

        ends = np.linspace(-16, 16, pieces)
        whole = sum(integrate.fixed_quad(np.vectorize(density), a, b, n=12)[0] for a, b in pairwise(ends))
        total += math.log(whole / math.sqrt(2 * math.pi))
    return total


def test_the_likelihood_is_that_of_brute_force_integration_and_is_at_its_top():
    model = strata_model(numerator=X2, denominator=N2)
    beta, deviation = model.coefficients[0], math.sqrt(model.variance)
    top = plain_log_likelihood(X2, N2, beta, deviation)
    assert model.log_likelihood == pytest.approx(top, abs=1e-6)
    for step, factor in ((0.02, 1), (-0.02, 1), (0, 1.02), (0, 0.98)):
        assert plain_log_likelihood(X2, N2, beta + step, deviation * factor) < top


def test_the_p_value_is_half_the_chi_squared_tail_of_the_likelihood_ratio():
    x, n = [18, 30, 45, 25, 28, 33, 20, 38], [120, 150, 180, 135, 160, 170, 110, 140]
    model = strata_model(numerator=x, denominator=n)
    p = sum(x) / sum(n)
    flat = sum(
        math.log(math.comb(b, a)) + a * math.log(p) + (b - a) * math.log(1 - p)
        for a, b in zip(x, n, strict=True)
    )
    ratio = 2 * (model.log_likelihood - flat)
    assert model.variance > 0 and ratio > 0
    assert model.p_value == pytest.approx(0.5 * math.erfc(math.sqrt(ratio / 2)), rel=1e-6)


def test_strata_that_differ_by_chance_only_have_no_variance_and_one_risk():
    model = strata_model(numerator=[20, 21, 19, 20, 20, 22, 18, 20], denominator=[100] * 8)
    assert model.variance == 0 and model.vpc == 0 and model.p_value == 1
    assert model.risk.value == pytest.approx([0.2] * 8) and (model.residual.value == 0).all()
    assert model.remark == f"{POORLY_KNOWN}; {NO_VARIANCE}"
    error = math.sqrt(1 / (800 * 0.2 * 0.8))
    assert model.risk.upper[0] == pytest.approx(1 / (1 + 4 * math.exp(-Z * error)))


def test_without_variance_between_strata_there_is_nothing_to_explain():
    found = intersectional_strata(
        numerator=[20, 21, 19, 20], denominator=[100] * 4, characteristics=[[0], [0], [1], [1]]
    )
    assert math.isnan(found.pcv) and found.remark == NO_NULL_VARIANCE


def test_main_effects_that_explain_everything_have_a_pcv_of_1():
    risks = [(a, b) for a in range(3) for b in range(4)]
    n = [4000] * 12
    x = [round(4000 / (1 + math.exp(2 - 0.5 * a - 0.3 * b))) for a, b in risks]
    found = intersectional_strata(numerator=x, denominator=n, characteristics=risks)
    assert found.pcv == 1 and found.main.variance == 0
    assert found.main.coefficients == pytest.approx([-2, 0.5, 1, 0.3, 0.6, 0.9], abs=0.01)


def test_categories_may_be_words_and_a_characteristic_may_have_one_category():
    x, n = X2, N2
    words = [["man" if i % 2 else "woman", "one"] for i in range(12)]
    codes = [[1 if i % 2 else 2] for i in range(12)]
    # The first category in order is the reference: man and 1.
    a = intersectional_strata(numerator=x, denominator=n, characteristics=words)
    b = intersectional_strata(numerator=x, denominator=n, characteristics=codes)
    assert a.main.coefficients == pytest.approx(b.main.coefficients) and a.pcv == pytest.approx(b.pcv)


def test_covariates_are_the_columns_of_the_model():
    z = [0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 1, 0]
    a = strata_model(numerator=X2, denominator=N2, covariates=np.array(z)[:, None])
    b = intersectional_strata(numerator=X2, denominator=N2, characteristics=np.array(z)[:, None]).main
    assert a.coefficients == pytest.approx(b.coefficients) and a.variance == pytest.approx(b.variance)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(30, 300)), min_size=4, max_size=12))
def test_a_shrunk_risk_lies_between_the_raw_and_the_common_one_and_within_its_limits(units):
    x, n = np.array(units, dtype=float).T
    model = strata_model(numerator=x, denominator=n)
    if x.sum() == 0:
        assert model.remark == NOTHING_HAPPENS
        return
    # One unit where everyone meets it, and none elsewhere, may have no finite fit; the remark says so.
    assume(NOT_CONVERGED not in model.remark)
    common = 1 / (1 + math.exp(-model.coefficients[0]))
    low, high = np.minimum(x / n, common), np.maximum(x / n, common)
    if model.variance:
        assert (model.risk.value >= low - 1e-9).all() and (model.risk.value <= high + 1e-9).all()
    assert (model.risk.lower <= model.risk.value).all() and (model.risk.value <= model.risk.upper).all()
    assert 0 <= model.vpc < 1 and 0 <= model.p_value <= 1


def test_the_order_of_strata_changes_nothing_else():
    order = np.random.default_rng(5).permutation(12)
    there = strata_model(numerator=X2, denominator=N2)
    back = strata_model(numerator=np.array(X2)[order], denominator=np.array(N2)[order])
    assert there.risk.value[order] == pytest.approx(back.risk.value)
    assert there.variance == pytest.approx(back.variance)


def test_missing_and_empty_strata_have_no_result_and_no_part():
    found = strata_model(numerator=[np.nan, *X2, 0], denominator=[50, *N2, 0], confidence=(0.95, 0.998))
    alone = strata_model(numerator=X2, denominator=N2)
    assert found.variance == pytest.approx(alone.variance) and found.risk.lower.shape == (14, 2)
    assert found.risk.note[0] == "a count is missing" and found.risk.note[-1] == "nobody counted"
    assert np.isnan([found.risk.value[0], found.residual.upper[-1, 0]]).all()
    assert (found.risk.lower[1:-1, 1] < found.risk.lower[1:-1, 0]).all()


@pytest.mark.parametrize(("x", "n"), [([], []), ([3], [10]), ([3, 4], [10, 10]), ([np.nan] * 5, [10] * 5)])
def test_too_few_strata_are_said(x, n):
    model = strata_model(numerator=x, denominator=n)
    assert model.remark == TOO_FEW_STRATA and math.isnan(model.variance) and len(model.risk.value) == len(x)
    assert all(note in (TOO_FEW_STRATA, "a count is missing") for note in model.risk.note)


def test_more_main_effects_than_strata_can_carry_are_said_and_the_null_model_stands():
    found = intersectional_strata(
        numerator=[5, 9, 3, 20], denominator=[30] * 4, characteristics=[[0, 0], [0, 1], [1, 0], [1, 1]]
    )
    assert found.null.variance > 0 and found.remark == TOO_FEW_STRATA and math.isnan(found.pcv)


@pytest.mark.parametrize("x", [[0] * 5, [30] * 5])
def test_no_events_or_only_events_leave_no_model(x):
    model = strata_model(numerator=x, denominator=[30] * 5)
    assert model.remark == NOTHING_HAPPENS and set(model.risk.note) == {NOTHING_HAPPENS}


def test_one_person_in_each_stratum_leaves_no_model():
    assert strata_model(numerator=[0, 1, 0, 1, 1], denominator=[1] * 5).remark == ONE_EACH


def test_a_category_without_events_has_no_finite_main_effect():
    found = intersectional_strata(
        numerator=[5, 9, 3, 20, 0, 0], denominator=[30] * 6, characteristics=[[0], [0], [0], [1], [2], [2]]
    )
    assert found.remark == SEPARATED and found.main.remark == SEPARATED and found.null.variance > 0


def test_characteristics_that_say_the_same_cannot_be_told_apart():
    found = intersectional_strata(
        numerator=X2, denominator=N2, characteristics=[[i % 2, (i + 1) % 2] for i in range(12)]
    )
    assert found.main.remark == ENTANGLED and math.isnan(found.pcv)


def test_a_stratum_without_events_among_others_is_shrunk_and_not_0():
    model = strata_model(numerator=[0, 5, 9, 12, 40], denominator=[20, 50, 60, 45, 60])
    assert 0 < model.risk.lower[0] < model.risk.value[0] < 0.2


def test_huge_and_single_person_strata_work():
    x, n = [4e8, 5e8, 6e8, 5.5e8, 0, 1], [1e9, 1e9, 1e9, 1e9, 1, 1]
    model = strata_model(numerator=x, denominator=n)
    assert NOT_CONVERGED not in model.remark
    assert model.risk.value[:4] == pytest.approx([0.4, 0.5, 0.6, 0.55], rel=1e-6)
    logits = np.log(np.array([0.4, 0.5, 0.6, 0.55]) / (1 - np.array([0.4, 0.5, 0.6, 0.55])))
    # Risks known exactly: the variance is that of their log odds, but for the two people.
    assert model.variance == pytest.approx(logits.var(), rel=0.02)


def test_rare_events_do_not_throw_the_first_steps_off():
    codes = [[0, 2], [1, 1], [0, 1], [1, 2], [0, 0], [1, 1], [0, 0], [1, 2], [0, 0], [1, 2], [0, 2]]
    x, n = [8, 3, 7, 3, 1, 0, 3, 2, 0, 0, 0], [2000, 150, 1000, 1000, 10, 150, 30, 150, 10, 50, 9]
    main = intersectional_strata(numerator=x, denominator=n, characteristics=codes).main
    # R 4.2.2 glm(); lme4 1.1-31 glmer(nAGQ = 25) finds no variance either.
    assert main.variance == 0
    assert main.coefficients == pytest.approx(RARE_COEFFICIENTS, abs=2e-6)
    assert main.standard_errors == pytest.approx(RARE_ERRORS, abs=2e-6)


@pytest.mark.parametrize("deviation", [0.01, 0.3, 2.0, 8.0, 20.0])
def test_likelihood_and_slopes_hold_for_small_and_large_spread(deviation):
    x, n = [0, 3, 5, 20, 1, 150], [3, 3, 12, 400, 1, 151]
    data = StratumCounts(np.array(x, dtype=float), np.array(n, dtype=float), np.ones((6, 1)))
    value, slopes = _likelihood(np.array([-1.0, deviation]), data)
    assert value == pytest.approx(plain_log_likelihood(x, n, -1.0, deviation, 2000), abs=1e-6)
    for place, nudge in enumerate(([1e-4, 0], [0, 1e-4])):
        up, down = (
            _likelihood(np.array([-1.0, deviation]) + sign * np.array(nudge), data)[0] for sign in (1, -1)
        )
        assert slopes[place] == pytest.approx((up - down) / 2e-4, rel=1e-4, abs=1e-5)


def test_a_search_that_ends_nowhere_is_said(monkeypatch):
    from equitydata.stats.intersections import stratum_likelihood

    monkeypatch.setattr(stratum_likelihood, "_polish", lambda at, data: (at, None))
    model = strata_model(numerator=X2, denominator=N2)
    assert model.remark == NOT_CONVERGED and set(model.risk.note) == {NOT_CONVERGED}
    assert math.isnan(model.vpc)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: strata_model(numerator=[-1], denominator=[5]),
        lambda: strata_model(numerator=[6], denominator=[5]),
        lambda: strata_model(numerator=[[1, 2]], denominator=[[5, 5]]),
        lambda: strata_model(numerator=[1, 2], denominator=[5, 5], covariates=[[1]]),
        lambda: strata_model(numerator=X2, denominator=N2, covariates=[[np.nan]] * 12),
        lambda: strata_model(numerator=X2, denominator=N2, confidence=95),
        lambda: intersectional_strata(numerator=X2, denominator=N2, characteristics=[1] * 12),
        lambda: intersectional_strata(numerator=X2, denominator=N2, characteristics=[[1]] * 3),
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ContractError):
        wrong()
