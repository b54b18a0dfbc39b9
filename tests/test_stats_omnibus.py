import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency
from statsmodels.stats.oneway import anova_generic

from equitydata.stats.contracts import ContractError
from equitydata.stats.many_groups.omnibus import chi_square, chi_square_table, rate_homogeneity, welch_anova

pytestmark = pytest.mark.filterwarnings("error")
KNOWN = Path(__file__).parent / "known_answers"
TABLES = list(csv.DictReader((KNOWN / "chi_square.csv").open()))
MEANS = list(csv.DictReader((KNOWN / "anova.csv").open()))


def numbers(text):
    return [float(number) for number in text.split()]


@pytest.mark.parametrize("case", TABLES, ids=lambda case: case["table"][:30])
def test_chi_square_gives_the_known_answer(case):
    answer = chi_square_table([numbers(row) for row in case["table"].split(";")])
    assert answer.test.statistic == pytest.approx(float(case["statistic"]), rel=1e-8), case["source"]
    assert answer.test.df == float(case["df"])
    assert answer.test.p_value == pytest.approx(float(case["p_value"]), rel=1e-8), case["source"]
    assert answer.effect == pytest.approx(float(case["cramers_v"]), rel=1e-8), case["source"]
    assert answer.residual.ravel() == pytest.approx(numbers(case["residuals"]), abs=1e-7), case["source"]


GROUPS = st.lists(
    st.integers(30, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=2, max_size=6
)


@given(GROUPS)
@settings(max_examples=60, deadline=None)
def test_chi_square_of_groups_equals_the_independent_implementation(groups):
    x, n = np.array(groups, dtype=float).T
    if x.sum() in (0, n.sum()):
        assert np.isnan(chi_square(numerator=x, denominator=n).test.p_value)
        return
    answer = chi_square(numerator=x, denominator=n, method="chi_square")
    theirs = chi2_contingency(np.column_stack([x, n - x]), correction=False)
    assert answer.test.statistic == pytest.approx(theirs.statistic, rel=1e-9, abs=1e-9)
    assert answer.test.p_value == pytest.approx(theirs.pvalue, rel=1e-7)
    assert answer.expected == pytest.approx(theirs.expected_freq[:, 0])


@given(GROUPS.filter(lambda groups: 0 < sum(x for x, _ in groups) < sum(n for _, n in groups)), st.randoms())
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_groups_changes_nothing_else(groups, random):
    order = list(range(len(groups)))
    random.shuffle(order)
    x, n = np.array(groups, dtype=float).T
    first = chi_square(numerator=x, denominator=n, method="chi_square")
    second = chi_square(numerator=x[order], denominator=n[order], method="chi_square")
    assert second.test.p_value == pytest.approx(first.test.p_value)
    assert second.residual == pytest.approx(first.residual[order], nan_ok=True)


def test_equal_groups_have_no_effect():
    answer = chi_square(numerator=[10, 20, 40], denominator=[100, 200, 400])
    assert (answer.test.statistic, answer.test.p_value, answer.effect) == pytest.approx((0, 1, 0), abs=1e-12)


def test_the_square_of_the_residual_of_two_groups_is_chi_square():
    answer = chi_square(numerator=[20, 35], denominator=[100, 100])
    assert answer.residual**2 == pytest.approx([answer.test.statistic] * 2)
    assert answer.residual[0] < 0 < answer.residual[1]


def test_sparse_groups_are_tested_exactly():
    assert chi_square(numerator=[3, 1, 5], denominator=[10, 12, 9]).test.method == "fisher"
    assert chi_square(numerator=[30, 10, 50], denominator=[100, 120, 90]).test.method == "chi_square"


def test_one_expected_count_below_one_is_enough_for_an_exact_test():
    x, n = [0, 30, 40, 35, 30, 38], [2, 100, 100, 100, 100, 100]
    assert chi_square(numerator=x, denominator=n).test.method != "chi_square"


def test_tables_too_many_to_list_are_drawn_with_draws_and_seed():
    table = np.random.default_rng(5).poisson(3, (7, 6))
    answer = chi_square_table(table, draws=4000, seed=9)
    assert (answer.test.method, answer.test.draws, answer.test.seed) == ("monte_carlo", 4000, 9)
    plain = chi_square_table(table, method="chi_square")
    assert answer.test.p_value == pytest.approx(plain.test.p_value, abs=0.05)
    assert answer.test.statistic == plain.test.statistic
    assert chi_square_table(table, draws=4000, seed=9).test.p_value == answer.test.p_value


def test_groups_without_people_or_with_a_missing_count_are_left_out_and_say_so():
    answer = chi_square(numerator=[20, 0, np.nan, 35], denominator=[100, 0, 50, 100])
    plain = chi_square(numerator=[20, 35], denominator=[100, 100])
    assert answer.test.p_value == plain.test.p_value and "missing" in answer.test.note
    assert [bool(note) for note in answer.note] == [False, True, True, False]
    assert np.isnan(answer.residual).tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("x", "n"), [([], []), ([3], [10]), ([0, 0], [10, 20]), ([10, 20], [10, 20]), ([np.nan, 1], [5, 5])]
)
def test_nothing_to_compare_gives_a_reason(x, n):
    answer = chi_square(numerator=x, denominator=n)
    assert np.isnan([answer.test.p_value, answer.test.statistic, answer.effect]).all() and answer.test.note


def test_weighted_counts_keep_chi_square_with_a_note():
    answer = chi_square(numerator=[1.5, 2.5], denominator=[10, 10])
    assert answer.test.method == "chi_square" and "rough" in answer.test.note
    assert answer.note[0] == "counts are not whole numbers"


def test_a_thousand_million_people_with_few_events_are_tested():
    answer = chi_square(numerator=[5, 3, 2], denominator=[1e9, 1e8, 200])
    assert answer.test.method == "fisher" and 0 < answer.test.p_value < 1e-10


@pytest.mark.parametrize(
    ("x", "n", "method"),
    [([-1, 2], [5, 5], "auto"), ([6, 2], [5, 5], "auto"), ([1, 2, 3], [5, 5], "auto"), ([1, 2], [5, 5], "yates"),
     ([1.5, 2], [5, 5], "fisher")],
)  # fmt: skip
def test_counts_that_cannot_be_are_refused(x, n, method):
    with pytest.raises(ContractError):
        chi_square(numerator=x, denominator=n, method=method)


def test_rates_are_compared_with_counts_expected_from_the_pooled_rate():
    answer = rate_homogeneity(numerator=[30, 50, 40], denominator=[1000, 1000, 2000])
    expected = np.array([30, 30, 60])
    assert answer.expected == pytest.approx(expected)
    assert answer.test.statistic == pytest.approx(
        (((np.array([30, 50, 40]) - expected) ** 2) / expected).sum()
    )
    assert answer.test.df == 2


def test_the_deviance_of_rates_equals_the_deviance_of_a_poisson_regression():
    import statsmodels.genmod.families as families
    from statsmodels.genmod.generalized_linear_model import GLM

    x, t = np.array([30.0, 50, 0, 40]), np.array([1000.0, 1000, 100, 2000])
    fitted = GLM(x, np.ones((4, 1)), family=families.Poisson(), offset=np.log(t)).fit()
    answer = rate_homogeneity(numerator=x, denominator=t, method="deviance")
    assert answer.test.statistic == pytest.approx(fitted.deviance, rel=1e-7)
    assert (answer.test.df, answer.test.method) == (3, "deviance")


def test_few_events_make_the_rates_exact():
    answer = rate_homogeneity(numerator=[3, 0], denominator=[1000, 1000])
    assert answer.test.method == "exact_multinomial" and answer.test.p_value == pytest.approx(0.25)


def test_more_events_than_people_are_a_rate_too():
    assert rate_homogeneity(numerator=[30, 50], denominator=[10, 10]).test.p_value < 0.05


@pytest.mark.parametrize(("x", "t"), [([0, 0], [10, 20]), ([3], [5]), ([], []), ([np.nan, 3], [5, 5])])
def test_no_rates_to_compare_gives_a_reason(x, t):
    answer = rate_homogeneity(numerator=x, denominator=t)
    assert np.isnan(answer.test.p_value) and answer.test.note


def test_events_without_person_time_are_refused():
    with pytest.raises(ContractError, match="entries 1"):
        rate_homogeneity(numerator=[1, 2], denominator=[5, 0])


@pytest.mark.parametrize("case", MEANS, ids=lambda case: case["source"][:60])
def test_welch_gives_the_known_answer(case):
    people, mean, variance = (numbers(case[name]) for name in ("people", "mean", "variance"))
    answer = welch_anova(people=people, mean=mean, variance=variance)
    assert answer.test.statistic == pytest.approx(float(case["statistic"]), rel=1e-8), case["source"]
    assert answer.test.df == float(case["df"])
    assert answer.df_within == pytest.approx(float(case["df_within"]), rel=1e-8)
    assert answer.test.p_value == pytest.approx(float(case["p_value"]), rel=1e-7)
    assert answer.effect == pytest.approx(float(case["eta_squared"]), rel=1e-8)


@given(
    st.lists(st.tuples(st.integers(2, 500), st.floats(-50, 50), st.floats(0.1, 100)), min_size=2, max_size=6)
)
@settings(max_examples=40, deadline=None)
def test_welch_equals_the_independent_implementation(groups):
    n, m, v = np.array(groups).T
    answer = welch_anova(people=n, mean=m, variance=v)
    theirs = anova_generic(m, v, n, use_var="unequal", welch_correction=True)
    assert answer.test.statistic == pytest.approx(theirs.statistic, rel=1e-7, abs=1e-9)
    assert answer.test.p_value == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-12)


def test_groups_of_one_or_without_spread_are_left_out():
    answer = welch_anova(people=[10, 1, 12, 5, 8], mean=[1, 2, 1.5, 2, np.nan], variance=[1, np.nan, 1, 0, 1])
    assert answer.note.tolist()[1::2] == [
        "left out: fewer than two people",
        "left out: no spread within the group",
    ]
    plain = welch_anova(people=[10, 12], mean=[1, 1.5], variance=[1, 1])
    assert answer.test.p_value == plain.test.p_value and answer.test.note


def test_one_group_has_no_test():
    answer = welch_anova(people=[10], mean=[1], variance=[1])
    assert np.isnan(answer.test.p_value) and answer.test.note


@pytest.mark.parametrize(("people", "variance"), [([-1, 5], [1, 1]), ([5, 5], [-1, 1]), ([5, 5, 5], [1, 1])])
def test_means_that_cannot_be_are_refused(people, variance):
    with pytest.raises(ContractError):
        welch_anova(people=people, mean=[1, 2], variance=variance)
