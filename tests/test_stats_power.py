import csv
from functools import cache
from math import comb, exp, factorial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_effectsize

from equitydata.stats.contracts import ContractError
from equitydata.stats.judgement.power import detectable_rate_ratio, detectable_ratio

pytestmark = pytest.mark.filterwarnings("error")
CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "power.csv").open()))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["people"])
def test_the_detectable_ratio_equals_the_known_one(case):
    answer = detectable_ratio(
        people=int(case["people"]),
        comparator_people=int(case["comparator_people"]),
        comparator_share=float(case["comparator_share"]),
        method=case["method"],
    )
    assert float(answer.above) == pytest.approx(float(case["above"]), rel=1e-6), case["source"]


@pytest.mark.parametrize("share", [0.05, 0.3, 0.8])
@pytest.mark.parametrize("sizes", [(400, 4000), (3000, 3000), (9000, 700)])
def test_the_arcsine_ratio_has_the_power_asked_for_by_an_independent_implementation(share, sizes):
    answer = detectable_ratio(
        people=sizes[0], comparator_people=sizes[1], comparator_share=share, method="arcsine"
    )
    for ratio in (float(answer.above), float(answer.below)):
        effect = abs(proportion_effectsize(share * ratio, share))
        power = NormalIndPower().power(
            effect, sizes[0], 0.025, ratio=sizes[1] / sizes[0], alternative="larger"
        )
        assert power == pytest.approx(0.80, abs=1e-9)


@cache
def people_tails(n1, n2, total):
    """Mid-P tails of every possible count of the first group."""
    mass = {k: comb(n1, k) * comb(n2, total - k) for k in range(max(0, total - n2), min(n1, total) + 1)}
    every = sum(mass.values())
    return {
        k: ((sum(m for j, m in mass.items() if j < k) + mass[k] / 2) / every,
            (sum(m for j, m in mass.items() if j > k) + mass[k] / 2) / every)
        for k in mass
    }  # fmt: skip


def power_by_hand(n1, n2, p1, p2, high):
    def mass(n, p):
        return [comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]

    return sum(
        a * b
        for x1, a in enumerate(mass(n1, p1))
        for x2, b in enumerate(mass(n2, p2))
        if people_tails(n1, n2, x1 + x2)[x1][1 if high else 0] < 0.025
    )


@pytest.mark.parametrize(
    ("n1", "n2", "share"),
    [(12, 60, 0.2), (60, 12, 0.3), (20, 20, 0.4), (25, 70, 0.9), (40, 15, 0.75), (8, 90, 0.5)],
)
def test_the_exact_ratio_is_the_nearest_with_the_power_when_all_tables_are_tried(n1, n2, share):
    answer = detectable_ratio(people=n1, comparator_people=n2, comparator_share=share)
    assert answer.method == "exact"
    for ratio, end, high in ((float(answer.above), 1.0, True), (float(answer.below), 0.0, False)):
        if np.isnan(ratio):
            assert power_by_hand(n1, n2, end, share, high) < 0.80
        else:
            assert power_by_hand(n1, n2, share * ratio, share, high) == pytest.approx(0.80, abs=1e-6)


def rate_power_by_hand(e1, e2, part, high, most):
    def mass(mean):
        return [exp(-mean) * mean**k / factorial(k) for k in range(most)]

    @cache
    def tail(x, total):
        weights = [comb(total, k) * part**k * (1 - part) ** (total - k) for k in range(total + 1)]
        return (sum(weights[x + 1 :]) if high else sum(weights[:x])) + weights[x] / 2

    return sum(
        a * b for x1, a in enumerate(mass(e1)) for x2, b in enumerate(mass(e2)) if tail(x1, x1 + x2) < 0.025
    )


@pytest.mark.parametrize(("t1", "t2", "most"), [(4, 9, 45), (20, 8, 100)])
def test_the_exact_rate_ratio_has_the_power_when_all_counts_are_tried(t1, t2, most):
    answer = detectable_rate_ratio(time=t1, comparator_time=t2, comparator_rate=1.0)
    assert answer.method == "exact"
    above, below = float(answer.above), float(answer.below)
    assert rate_power_by_hand(t1 * above, t2, t1 / (t1 + t2), high=True, most=most) == pytest.approx(
        0.80, abs=1e-4
    )
    if np.isnan(below):
        assert rate_power_by_hand(0, t2, t1 / (t1 + t2), high=False, most=most) < 0.80
    else:
        assert rate_power_by_hand(t1 * below, t2, t1 / (t1 + t2), high=False, most=most) == pytest.approx(
            0.80, abs=1e-4
        )


def test_the_plain_rate_ratio_is_found_in_four_fifths_of_simulated_comparisons():
    answer = detectable_rate_ratio(time=3000, comparator_time=9000, comparator_rate=0.05)
    assert answer.method == "square_root"
    rng = np.random.default_rng(2)
    x2 = rng.poisson(9000 * 0.05, 20_000)
    for ratio in (float(answer.above), float(answer.below)):
        x1 = rng.poisson(3000 * 0.05 * ratio, 20_000)
        z = 2 * (np.sqrt(x1 / 3000) - np.sqrt(x2 / 9000)) / np.sqrt(1 / 3000 + 1 / 9000)
        assert (np.abs(z) > 1.959964).mean() == pytest.approx(0.80, abs=0.012)


@given(st.integers(5, 10**6), st.integers(5, 10**9), st.floats(0.001, 0.999))
@settings(max_examples=40, deadline=None)
def test_above_lies_above_one_and_below_below(people, comparator_people, share):
    answer = detectable_ratio(people=people, comparator_people=comparator_people, comparator_share=share)
    above, below = float(answer.above), float(answer.below)
    assert np.isnan(above) or 1 < above <= 1 / share * (1 + 1e-9)
    assert np.isnan(below) or 0 <= below < 1
    assert ("above" in str(answer.note)) == np.isnan(above) and ("below" in str(answer.note)) == np.isnan(
        below
    )


def test_more_people_detect_ratios_nearer_to_one():
    people = np.array([10, 30, 90, 300, 3000, 30_000])
    answer = detectable_ratio(people=people, comparator_people=10**6, comparator_share=0.1)
    assert answer.method.tolist() == ["exact"] * 3 + ["arcsine"] * 3
    assert (np.diff(answer.above) < 0).all() and (np.diff(answer.below[~np.isnan(answer.below)]) > 0).all()


def test_exact_and_plain_ratios_meet_where_auto_changes():
    for share in (0.1, 0.9):
        asked = {"people": [99], "comparator_people": [5000], "comparator_share": [share]}
        exact, plain = detectable_ratio(**asked), detectable_ratio(**asked, method="arcsine")
        assert exact.method[0] == "exact" and exact.above[0] == pytest.approx(plain.above[0], rel=0.05)


def test_a_group_of_one_detects_nothing_and_says_so():
    answer = detectable_ratio(people=[1], comparator_people=[1000], comparator_share=[0.2])
    assert np.isnan([answer.above[0], answer.below[0]]).all()
    assert answer.note[0] == "no ratio above 1 could be detected; no ratio below 1 could be detected"


def test_a_thousand_million_people_detect_very_little():
    answer = detectable_ratio(people=10**9, comparator_people=10**9, comparator_share=0.5)
    assert 1 < answer.above < 1.0002
    rare = detectable_ratio(people=10**9, comparator_people=10**9, comparator_share=2e-9)
    assert rare.method == "exact" and 3 < rare.above < 8


@pytest.mark.parametrize(
    ("people", "comparator", "share"),
    [
        (np.nan, 10, 0.5),
        (10, np.nan, 0.5),
        (10, 10, np.nan),
        (0, 10, 0.5),
        (10, 0, 0.5),
        (10, 10, 0),
        (10, 10, 1),
    ],
)
def test_no_design_gives_a_reason(people, comparator, share):
    answer = detectable_ratio(people=[people], comparator_people=[comparator], comparator_share=[share])
    assert np.isnan([answer.above[0], answer.below[0]]).all() and answer.note[0]


def test_no_rate_design_gives_a_reason():
    answer = detectable_rate_ratio(time=[0, 5, np.nan], comparator_time=10, comparator_rate=[1, 0, 1])
    assert np.isnan(answer.above).all() and all(answer.note)


def test_nothing_gives_nothing():
    assert detectable_ratio(people=[], comparator_people=[], comparator_share=[]).above.shape == (0,)
    assert detectable_rate_ratio(time=[], comparator_time=[], comparator_rate=[]).above.shape == (0,)


@pytest.mark.parametrize(
    "changed",
    [{"people": [-1]}, {"comparator_share": [1.5]}, {"power": 80}, {"alpha": 0.7}, {"method": "wald"},
     {"people": [5, 5]}, {"power": 0.3}],
)  # fmt: skip
def test_input_that_cannot_be_is_refused(changed):
    asked = {"people": [50], "comparator_people": [100, 100, 100], "comparator_share": [0.5] * 3} | changed
    if "people" not in changed:
        asked["comparator_people"] = [100]
        asked["comparator_share"] = changed.get("comparator_share", [0.5])
    with pytest.raises(ContractError):
        detectable_ratio(**asked)
    with pytest.raises(ContractError):
        detectable_rate_ratio(time=[-1], comparator_time=[5], comparator_rate=[1])
