import csv
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.genmod import families
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.regression.linear_model import OLS

from equitydata.stats.adjustment.adjusted import adjusted_means, adjusted_rates, adjusted_risks
from equitydata.stats.contracts import ContractError

KNOWN = Path(__file__).parent / "known_answers"
CASES = list(csv.DictReader((KNOWN / "adjustment.csv").open()))
CELLS = list(csv.DictReader((KNOWN / "adjustment_cells.csv").open()))
COVARIATES = {
    "ucb": (("a",), ()),
    "esoph": (("a", "b"), ()),
    "ships": (("a", "b"), ()),
    "lungDK": ((), ("number",)),
    "birthwt": (("a",), ("number",)),
}


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def cells_of(dataset):
    rows = [row for row in CELLS if row["dataset"] == dataset]
    names = ("group", "a", "b", "number", "people", "events", "total", "total_squares")
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in names}


def fitted(dataset, model, errors, reference, **more):
    cells = cells_of(dataset)
    categories, numbers = COVARIATES[dataset]
    shared = {
        "group": cells["group"],
        "categories": {name: cells[name] for name in categories},
        "numbers": {name: cells[name] for name in numbers},
        "reference": reference,
        "errors": errors,
        **more,
    }
    if dataset in ("ships", "lungDK"):
        return adjusted_rates(events=cells["events"], person_time=cells["people"], **shared)
    if model == "linear":
        sums = {name: cells[name] for name in ("people", "total", "total_squares")}
        return adjusted_means(**sums, **shared)
    return adjusted_risks(events=cells["events"], people=cells["people"], model=model, **shared)


BY_FIT: dict = {}
for _case in CASES:
    BY_FIT.setdefault(tuple(_case[k] for k in ("dataset", "model", "errors", "reference")), []).append(_case)


@pytest.mark.parametrize("which", BY_FIT, ids=" ".join)
def test_adjusted_figures_are_those_of_r(which):
    dataset, model, errors, reference = which
    answer = fitted(dataset, model, errors, int(reference) if reference else None)
    for case in BY_FIT[which]:
        if case["quantity"] == "dispersion":
            assert answer.fitted.dispersion == pytest.approx(float(case["value"]), rel=1e-7), case["source"]
            continue
        found, place = getattr(answer, case["quantity"]), int(case["group"])
        got = [found.value[place], found.lower[place], found.upper[place]]
        wanted = [float(case[name]) for name in ("value", "lower", "upper")]
        assert got == pytest.approx(wanted, rel=3e-6, abs=1e-9), (case["quantity"], place, case["source"])


def test_berkeley_women_are_admitted_less_often_and_yet_no_department_prefers_men():
    """Admissions to Berkeley, 1973: women applied where few are admitted (Bickel, Hammel, O'Connell 1975)."""
    answer = fitted("ucb", "logistic", None, 0)
    assert answer.crude_difference[1] < -0.14
    assert answer.difference.value[1] > 0
    assert answer.reversed_.tolist() == [False, True]
    assert answer.effect_measure == "odds ratio" and answer.effect.value[1] > 1
    assert answer.test.p_value[1] > 0.05


# People one by one: an independent implementation


def listed(cells):
    """One row a person: group, a, b, event."""
    rows = []
    for g, a, b, n, x in zip(*(cells[k] for k in ("group", "a", "b", "people", "events")), strict=True):
        rows.extend([(g, a, b, 1.0)] * int(x) + [(g, a, b, 0.0)] * int(n - x))
    return np.array(rows)


def dummies(codes):
    return (codes[:, None] == np.unique(codes)[1:]).astype(float)


@pytest.mark.parametrize("kind", ["HC0", "HC1"])
@pytest.mark.parametrize(("model", "family"), [("poisson", "Poisson"), ("logistic", "Binomial")])
def test_errors_from_cells_equal_errors_from_single_people(kind, model, family):
    people = listed(cells_of("esoph"))
    columns = np.column_stack(
        [np.ones(len(people)), dummies(people[:, 0]), dummies(people[:, 1]), dummies(people[:, 2])]
    )
    theirs = GLM(people[:, 3], columns, family=getattr(families, family)())
    theirs = theirs.fit(tol=1e-12, cov_type="HC0")
    # statsmodels gives HC0 for a GLM whatever HC is asked for; HC1 differs by people over degrees of freedom.
    small = {"HC0": 1.0, "HC1": np.sqrt(len(people) / (len(people) - columns.shape[1]))}[kind]
    ours = fitted("esoph", model, kind.lower(), 0).effect
    for group in (1, 2, 3):
        spread = 1.959963984540054 * theirs.bse[group] * small
        wanted = np.exp(theirs.params[group] + np.array([0, -spread, spread]))
        got = [ours.value[group], ours.lower[group], ours.upper[group]]
        assert got == pytest.approx(list(wanted), rel=1e-6)


def test_events_and_non_events_as_weighted_rows_give_the_same_robust_errors():
    cells = cells_of("ucb")
    weights = np.concatenate([cells["events"], cells["people"] - cells["events"]])
    columns = np.column_stack([np.ones(12), cells["group"], dummies(cells["a"])])
    happened = np.repeat([1.0, 0.0], 12)
    theirs = GLM(happened, np.vstack([columns] * 2), family=families.Poisson(), freq_weights=weights).fit(
        tol=1e-12, cov_type="HC0"
    )
    ours = fitted("ucb", "poisson", "hc0", 0).effect
    width = np.log(ours.upper[1] / ours.lower[1]) / (2 * 1.959963984540054)
    assert width == pytest.approx(theirs.bse[1], rel=1e-6)


def test_sums_of_cells_give_the_regression_on_single_people():
    rng = np.random.default_rng(4)
    group, code = rng.integers(0, 3, 300), rng.integers(0, 4, 300)
    y = 50 + 3.0 * group - 2 * code + rng.normal(0, 1 + group, 300)
    keys, place = np.unique(np.column_stack([group, code]), axis=0, return_inverse=True)
    sums = {
        "people": np.bincount(place.ravel()),
        "total": np.bincount(place.ravel(), weights=y),
        "total_squares": np.bincount(place.ravel(), weights=y**2),
    }
    columns = np.column_stack([np.ones(300), dummies(group), dummies(code)])
    for errors, kind in [("model", "nonrobust"), ("hc0", "HC0"), ("hc1", "HC1")]:
        ours = adjusted_means(
            group=keys[:, 0], categories={"c": keys[:, 1]}, reference=0, errors=errors, **sums
        )
        theirs = OLS(y, columns).fit(cov_type=kind, use_t=True)
        wanted = theirs.conf_int()[1:3]
        assert np.column_stack([ours.effect.lower, ours.effect.upper])[1:] == pytest.approx(wanted, rel=1e-8)
        assert ours.test.p_value[1:] == pytest.approx(theirs.pvalues[1:3], rel=1e-6)
        assert ours.difference.lower[1:] == pytest.approx(wanted[:, 0], rel=1e-8)


def test_delta_limits_agree_with_a_bootstrap_of_people():
    """The standardised ratio's error, with people redrawn within each cell (covariates stay as they are)."""
    cells = cells_of("ucb")
    rng = np.random.default_rng(11)
    logs = []
    for _ in range(300):
        drawn = rng.binomial(cells["people"].astype(int), cells["events"] / cells["people"])
        answer = adjusted_risks(
            group=cells["group"],
            events=drawn,
            people=cells["people"],
            categories={"a": cells["a"]},
            reference=0,
            errors="hc0",
        )
        logs.append(np.log(answer.ratio.value[1]))
    ours = fitted("ucb", "logistic", "hc0", 0).ratio
    width = np.log(ours.upper[1] / ours.lower[1]) / (2 * 1.959964)
    # The model does not fit department A, so the two need not be the same; 300 draws know an error within 10%.
    assert width == pytest.approx(np.std(logs), rel=0.15)


# What must hold for any counts

TABLES = st.lists(
    st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40)),
    min_size=2,
    max_size=4,
)


def table_cells(table):
    """Groups in rows; for each, events and non-events at two categories of a covariate."""
    counts = np.array(table, dtype=float)
    group = np.repeat(np.arange(len(counts)), 2)
    code = np.tile([0, 1], len(counts))
    events = counts[:, [0, 2]].ravel()
    return group, code, events, events + counts[:, [1, 3]].ravel()


@given(TABLES)
@settings(max_examples=30, deadline=None)
def test_without_covariates_the_comparison_is_the_crude_one(table):
    group, _, events, people = table_cells(table)
    answer = adjusted_risks(group=group, events=events, people=people)
    x, n = np.bincount(group, weights=events), np.bincount(group, weights=people)
    rest = (x.sum() - x) / (n.sum() - n)
    assert answer.value.value == pytest.approx(x / n, rel=1e-7)
    assert answer.difference.value == pytest.approx(x / n - rest, abs=1e-7)
    assert answer.ratio.value == pytest.approx(x / n / rest, rel=1e-7)
    assert not answer.reversed_.any()


@given(TABLES, st.sampled_from(["logistic", "poisson"]))
@settings(max_examples=30, deadline=None)
def test_standardised_to_its_own_people_a_group_has_its_crude_value(table, model):
    group, code, events, people = table_cells(table)
    for own in np.unique(group):
        answer = adjusted_risks(
            group=group,
            events=events,
            people=people,
            categories={"code": code},
            standard=np.where(group == own, people, 0),
            model=model,
        )
        crude = events[group == own].sum() / people[group == own].sum()
        assert answer.value.value[own] == pytest.approx(crude, rel=1e-6)


@given(TABLES, st.integers(2, 50))
@settings(max_examples=30, deadline=None)
def test_more_of_the_same_people_leave_values_and_narrow_limits(table, times):
    group, code, events, people = table_cells(table)
    once = adjusted_risks(group=group, events=events, people=people, categories={"c": code})
    more = adjusted_risks(group=group, events=times * events, people=times * people, categories={"c": code})
    assert more.ratio.value == pytest.approx(once.ratio.value, rel=1e-6)
    shrunk = np.log(more.ratio.upper / more.ratio.lower) * np.sqrt(times)
    assert shrunk == pytest.approx(np.log(once.ratio.upper / once.ratio.lower), rel=1e-5)


@given(TABLES, st.sampled_from(["logistic", "poisson"]))
@settings(max_examples=30, deadline=None)
def test_swapping_two_groups_inverts_the_ratio_and_keeps_the_p_value(table, model):
    group, code, events, people = table_cells(table)
    shared = {"events": events, "people": people, "categories": {"c": code}, "model": model}
    first = adjusted_risks(group=group, reference=0, **shared)
    second = adjusted_risks(group=group, reference=1, **shared)
    assert second.ratio.value[0] == pytest.approx(1 / first.ratio.value[1], rel=1e-6)
    assert second.ratio.lower[0] == pytest.approx(1 / first.ratio.upper[1], rel=1e-5)
    assert second.effect.upper[0] == pytest.approx(1 / first.effect.lower[1], rel=1e-5)
    assert second.difference.lower[0] == pytest.approx(-first.difference.upper[1], abs=1e-6)
    assert second.test.p_value[0] == pytest.approx(first.test.p_value[1], abs=1e-5)


@given(TABLES, st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_order_of_cells_and_split_cells_change_nothing(table, random):
    group, code, events, people = table_cells(table)
    order = random.sample(range(len(group)), len(group))
    plain = adjusted_risks(group=group, events=events, people=people, categories={"c": code}, errors="hc1")
    two = {
        "group": np.concatenate([group[order], group]),
        "events": np.concatenate([events[order] - 1, np.ones(len(group))]),
        "people": np.concatenate([people[order] - 2, np.full(len(group), 2.0)]),
    }
    split = adjusted_risks(**two, categories={"c": np.concatenate([code[order], code])}, errors="hc1")
    assert split.ratio.lower == pytest.approx(plain.ratio.lower, rel=1e-6)
    assert split.value.upper == pytest.approx(plain.value.upper, rel=1e-6)


@given(TABLES)
@settings(max_examples=30, deadline=None)
def test_the_ratio_excludes_1_exactly_when_the_test_says_so(table):
    group, code, events, people = table_cells(table)
    answer = adjusted_risks(group=group, events=events, people=people, categories={"c": code})
    excludes = (answer.ratio.lower > 1) | (answer.ratio.upper < 1)
    assert excludes.tolist() == (answer.test.p_value < 0.05).tolist()


def test_a_difference_within_rounding_is_no_reversal():
    """28 of 54 against 84 of 162: nothing between them, whatever the last digits of the fit say."""
    answer = adjusted_risks(
        group=[0, 0, 1, 1, 2, 2], events=[2, 26, 4, 40, 5, 35], people=[3, 51, 5, 78, 6, 73]
    )
    assert answer.difference.value[0] == pytest.approx(0, abs=1e-9) and not answer.reversed_.any()


def test_equal_groups_have_difference_0_and_ratio_1():
    answer = adjusted_risks(
        group=[0, 0, 1, 1, 2, 2],
        events=[10, 30, 20, 60, 5, 15],
        people=[100, 100, 200, 200, 50, 50],
        categories={"age": [0, 1] * 3},
    )
    assert answer.difference.value == pytest.approx([0, 0, 0], abs=1e-9)
    assert answer.ratio.value == pytest.approx([1, 1, 1], rel=1e-9)
    assert answer.test.p_value == pytest.approx([1, 1, 1], abs=1e-6)


# What a model cannot tell is said, and withheld


def all_missing(answer, place=slice(None)):
    parts = (answer.value, answer.difference, answer.ratio, answer.effect)
    return all(
        np.isnan(np.concatenate([np.ravel(part.value[place]), np.ravel(part.lower[place])])).all()
        and all(np.atleast_1d(part.note[place]))
        for part in parts
    )


def test_a_group_without_events_is_withheld_and_the_others_are_compared_without_it():
    answer = adjusted_risks(
        group=[0, 0, 1, 1, 2, 2], events=[5, 9, 0, 0, 7, 12], people=[50] * 6, categories={"c": [0, 1] * 3}
    )
    assert all_missing(answer, 1) and answer.value.note[1].startswith("no events")
    assert "without groups that are not in the model (1)" in answer.ratio.note[0]
    without = adjusted_risks(
        group=[0, 0, 1, 1], events=[5, 9, 7, 12], people=[50] * 4, categories={"c": [0, 1] * 2}
    )
    assert answer.ratio.value[[0, 2]] == pytest.approx(without.ratio.value)


def test_a_group_with_nothing_but_events_is_withheld():
    answer = adjusted_risks(group=[0, 1, 2], events=[5, 20, 7], people=[20, 20, 20], model="poisson")
    assert all_missing(answer, 1) and answer.value.note[1].startswith("nothing but events")
    assert np.isfinite(answer.value.value[[0, 2]]).all()


def test_a_reference_without_events_leaves_nothing_to_compare_with():
    answer = adjusted_risks(group=[0, 1, 2], events=[0, 5, 7], people=[20, 20, 20], reference=0)
    assert np.isnan(answer.ratio.value).all()
    assert answer.ratio.note[1] == "the reference group is not in the model"
    assert np.isfinite(answer.value.value[1:]).all()


@pytest.mark.parametrize("model", ["logistic", "poisson"])
def test_quasi_separation_by_a_covariate_is_withheld(model):
    answer = adjusted_risks(
        group=[0, 0, 1, 1], events=[0, 9, 0, 8], people=[30] * 4, categories={"c": [0, 1, 0, 1]}, model=model
    )
    assert all_missing(answer)
    assert "separation" in answer.fitted.note and "2 of 4 cells" in answer.fitted.note
    assert np.isnan(answer.fitted.coefficients).all()


def test_complete_separation_by_a_number_is_withheld():
    answer = adjusted_risks(
        group=[0, 1, 0, 1], events=[0, 0, 1, 1], people=[1] * 4, numbers={"age": [20, 21, 60, 61]}
    )
    assert all_missing(answer) and "4 of 4 cells" in answer.fitted.note


def test_separation_that_no_single_covariate_shows_is_found():
    """Each category of each covariate has events and non-events; only their sum foretells (corners of a table)."""
    answer = adjusted_risks(
        group=[0, 0, 0, 1, 1, 1],
        events=[0, 3, 9, 0, 4, 9],
        people=[9, 9, 9, 9, 9, 9],
        categories={"a": [0, 0, 1, 0, 0, 1], "b": [0, 1, 1, 0, 1, 1]},
    )
    assert "separation" in answer.fitted.note


def test_empty_corners_are_no_separation_where_the_estimates_are_finite():
    answer = adjusted_risks(
        group=[0, 0, 1, 1], events=[0, 9, 5, 6], people=[30, 30, 30, 30], categories={"c": [0, 1, 0, 1]}
    )
    assert answer.fitted.note == "" and np.isfinite(answer.ratio.lower).all()


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2)), min_size=6, max_size=6),
    st.sampled_from(["logistic", "poisson"]),
)
@settings(max_examples=60, deadline=None)
def test_separation_is_said_exactly_when_the_fit_runs_away(cells, model):
    """Against a fit that is pushed on: with separation a coefficient grows with every round."""
    events = np.array([min(x, n) for x, n in cells], dtype=float)
    people = np.array([n for _, n in cells], dtype=float)
    group, code = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2] * 2)
    answer = adjusted_risks(group=group, events=events, people=people, categories={"c": code}, model=model)
    if any("the model has no finite estimate for" in note for note in answer.value.note):
        return
    columns = np.column_stack([1.0 - group, group, code == 1, code == 2]).astype(float)
    assert ("separation" in answer.fitted.note) == runs_away(columns, events, people, model)


def runs_away(columns, events, people, model):
    """Newton's method, damped, 60 rounds: are fitted values on the way to their bounds?"""
    beta = np.zeros(columns.shape[1])

    def likelihood(b):
        eta = columns @ b
        if model == "poisson":
            return events @ eta - people @ np.exp(np.minimum(eta, 50))
        return events @ eta - people @ np.logaddexp(0, eta)

    for _ in range(60):
        eta = columns @ beta
        mean = np.exp(eta) if model == "poisson" else 1 / (1 + np.exp(-eta))
        slope = mean if model == "poisson" else mean * (1 - mean)
        information = columns.T @ (columns * (people * slope)[:, None]) + 1e-14 * np.eye(columns.shape[1])
        step = np.linalg.solve(information, columns.T @ (events - people * mean))
        size = 1.0
        while likelihood(beta + size * step) < likelihood(beta) - 1e-12 and size > 1e-6:
            size /= 2
        beta = beta + size * np.clip(step, -2, 2)
    eta = columns @ beta
    mean = np.exp(eta) if model == "poisson" else 1 / (1 + np.exp(-eta))
    return bool((mean < 1e-4).any() or (model == "logistic" and (mean > 1 - 1e-4).any()))


def test_a_covariate_that_goes_with_the_group_is_withheld():
    answer = adjusted_risks(
        group=[0, 1, 2], events=[5, 6, 7], people=[20] * 3, categories={"area": [0, 1, 1]}
    )
    assert all_missing(answer) and "cannot be told apart" in answer.fitted.note


def test_a_repeated_covariate_is_left_out_and_said():
    cells = cells_of("ucb")
    twice = {"a": cells["a"], "again": cells["a"]}
    shared = {"group": cells["group"], "events": cells["events"], "people": cells["people"], "reference": 0}
    answer = adjusted_risks(categories=twice, **shared)
    assert "repeat others are left out: again=1" in answer.value.note[0]
    assert answer.effect.value[1] == pytest.approx(fitted("ucb", "logistic", None, 0).effect.value[1])


def test_few_events_for_many_coefficients_are_noted():
    answer = adjusted_risks(
        group=[0, 0, 1, 1], events=[3, 2, 4, 5], people=[9] * 4, categories={"c": [0, 1, 0, 1]}
    )
    assert answer.value.note[0] == "sparse: 14 events for 3 coefficients"


def test_a_model_that_does_not_settle_is_withheld(monkeypatch):
    monkeypatch.setattr("equitydata.stats.adjustment.models.ROUNDS", 1)
    answer = fitted("ucb", "logistic", None, 0)
    assert all_missing(answer) and answer.fitted.note == "the model did not converge"


def test_overdispersed_rates_are_noted():
    assert "dispersion 78.5" in fitted("lungDK", "poisson", "model", 0).value.note[0]
    assert fitted("ships", "poisson", "model", 0).value.note[0] == ""


def test_risks_above_1_are_said():
    answer = adjusted_risks(
        group=[0, 0, 1, 1],
        events=[30, 60, 80, 95],
        people=[100] * 4,
        categories={"c": [0, 1, 0, 1]},
        model="poisson",
    )
    assert "risks above 1" in answer.value.note[0]


def test_a_group_of_one_person_has_a_mean_and_no_robust_limits():
    shared = {"group": [0, 1, 2], "people": [1, 5, 6], "total": [4, 25, 24], "total_squares": [16, 140, 110]}
    answer = adjusted_means(**shared)
    assert answer.value.value[0] == pytest.approx(4) and np.isnan(answer.value.lower[0])
    assert "one observation" in answer.value.note[0]
    assert np.isfinite(answer.value.lower[1:]).all()
    assert np.isnan(adjusted_means(**shared, reference=0).difference.lower).all()


def test_people_who_are_all_alike_leave_no_limits_and_it_is_said():
    answer = adjusted_means(group=[0, 1], people=[10, 10], total=[30, 50], total_squares=[90, 250])
    assert np.isnan(answer.difference.lower).all() and answer.difference.value[1] == pytest.approx(2)
    assert answer.difference.note[1] == "the model leaves no error to draw limits from"
    # 1.1 ten times: the sums leave 2e-15 around the mean, which is rounding.
    rounded = adjusted_means(
        group=[0, 1], people=[10, 10], total=[11.0, 22.0], total_squares=[10 * 1.1**2, 48.4]
    )
    assert np.isnan(rounded.difference.lower).all()


def test_as_many_people_as_coefficients_leave_no_limits():
    answer = adjusted_means(group=[0, 1], people=[1, 1], total=[3, 5], total_squares=[9, 25], errors="model")
    assert np.isnan(answer.value.lower).all() and "so no limits" in answer.value.note[0]


def test_a_ratio_of_means_needs_values_above_0():
    answer = adjusted_means(group=[0, 1], people=[9, 9], total=[-9, 9], total_squares=[30, 40], reference=0)
    assert np.isnan(answer.ratio.value[1]) and "no ratio" in answer.ratio.note[1]
    assert answer.difference.value[1] == pytest.approx(2)


# Edges


def test_missing_entries_are_left_out_and_said():
    cells = cells_of("ucb")
    more = {name: np.append(cells[name], [1, 1, 1]) for name in ("group", "a", "events", "people")}
    more["events"][-3], more["group"][-2] = np.nan, np.nan
    department = np.array([*"AABBCCDDEEFFAA", None], dtype=object)
    answer = adjusted_risks(
        group=more["group"],
        events=more["events"],
        people=more["people"],
        categories={"department": department},
        reference=0,
    )
    assert answer.effect.value[1] == pytest.approx(fitted("ucb", "logistic", None, 0).effect.value[1])
    assert answer.value.note[0] == "3 of 15 cells left out: an entry is missing"


def test_a_cell_without_a_standard_weight_is_left_out_and_said():
    answer = adjusted_risks(
        group=[0, 1, 1], events=[5, 6, 9], people=[20, 20, 20], standard=[1, 2, np.nan], reference=0
    )
    assert answer.value.value == pytest.approx([5 / 20, 6 / 20])
    assert answer.value.note[0] == "1 of 3 cells left out: an entry is missing"


def test_a_blank_sum_over_nobody_is_nobody():
    nobody = {
        "group": [0, 1, 1],
        "people": [9, 9, 0],
        "total": [9, 18, np.nan],
        "total_squares": [20, 50, np.nan],
    }
    assert adjusted_means(**nobody).value.note.tolist() == ["", ""]


def test_a_declared_group_without_people_is_missing_with_its_reason():
    answer = adjusted_risks(group=[0, 2], events=[5, 6], people=[20, 20], groups=5)
    assert answer.value.value.shape == (5,)
    assert answer.value.note[[1, 3, 4]].tolist() == ["nobody counted"] * 3
    assert np.isnan(answer.value.value[[1, 3, 4]]).all() and np.isfinite(answer.ratio.lower[[0, 2]]).all()


def test_a_single_group_has_a_value_and_no_comparison():
    answer = adjusted_risks(group=[0, 0], events=[5, 6], people=[20, 20])
    assert answer.value.value[0] == pytest.approx(11 / 40) and answer.value.lower[0] > 0
    assert np.isnan(answer.ratio.value[0]) and answer.ratio.note[0] == "no other group in the model"


@pytest.mark.parametrize("groups", [None, 0, 2])
def test_no_cells_give_an_empty_answer(groups):
    answer = adjusted_risks(group=[], events=[], people=[], groups=groups, categories={"c": []})
    assert answer.value.value.shape == (groups or 0,)
    assert all_missing(answer)


def test_billions_of_people_are_no_trouble():
    answer = adjusted_risks(
        group=[0, 0, 1, 1],
        events=[10**8, 3 * 10**8, 1.1e8, 3.2e8],
        people=[10**9] * 4,
        categories={"c": [0, 1, 0, 1]},
        reference=0,
    )
    assert answer.fitted.note == "" and answer.ratio.lower[1] > 1.07
    assert answer.ratio.upper[1] / answer.ratio.lower[1] < 1.001


def test_a_calendar_year_is_an_ordinary_number():
    cells = cells_of("birthwt")
    shared = {"group": cells["group"], "events": cells["events"], "people": cells["people"], "reference": 0}
    plain = adjusted_risks(numbers={"age": cells["number"]}, **shared)
    late = adjusted_risks(numbers={"age": cells["number"] * 1e5 + 1.7e9}, **shared)
    assert late.ratio.lower[1:] == pytest.approx(plain.ratio.lower[1:], rel=1e-6)


def test_several_confidence_levels_stand_side_by_side():
    two = fitted("ucb", "logistic", None, 0, confidence=(0.95, 0.998))
    one = fitted("ucb", "logistic", None, 0, confidence=0.998)
    assert two.value.lower.shape == (2, 2) and two.value.confidence == (0.95, 0.998)
    assert two.ratio.lower[1, 1] == pytest.approx(one.ratio.lower[1])
    assert (two.value.lower[:, 1] < two.value.lower[:, 0]).all()


GOOD = {"group": [0, 1], "events": [3, 4], "people": [9, 9]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"events": [-1, 4]},
        {"events": [10, 4]},
        {"people": [9]},
        {"group": [0]},
        {"group": [0, -1]},
        {"group": [0, 0.5]},
        {"groups": 1},
        {"reference": 2},
        {"reference": -1},
        {"confidence": 95},
        {"model": "probit"},
        {"errors": "hc3"},
        {"model": "poisson", "errors": "model"},
        {"categories": {"c": [1]}},
        {"numbers": {"c": [1, np.inf]}},
        {"standard": [1]},
        {"standard": [-1, 1]},
        {"standard": [0, 0]},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ContractError):
        adjusted_risks(**{**GOOD, **wrong})


def test_sums_and_rates_that_cannot_be_are_refused():
    with pytest.raises(ContractError, match="total_squares"):
        adjusted_means(group=[0, 1], people=[2, 2], total=[10, 10], total_squares=[40, 60])
    with pytest.raises(ContractError, match="without people"):
        adjusted_means(group=[0, 1], people=[0, 2], total=[10, 10], total_squares=[100, 60])
    with pytest.raises(ContractError, match="without person_time"):
        adjusted_rates(group=[0, 1], events=[1, 2], person_time=[0, 5])
