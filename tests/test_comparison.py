"""Each group against its comparators: against plain computations, statsmodels and scipy, and at the edges."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.discrete.discrete_model import Logit
from statsmodels.stats import multitest, proportion, rates

from equitydata.comparison.table import COMPARATORS, comparison_table
from equitydata.errors import ConfigError
from equitydata.rulebook import load_rulebook
from equitydata.service import AnalysisSettings
from equitydata.tables import COMPARISONS_TABLE
from plain_strata import measure, strata_from

RULES = load_rulebook()
BY_ETHNICITY = {("ethnicity", "groups"): "eth"}
ESTIMATES = ["difference", "ratio"]


def people(counts: dict[str, tuple[int, int]], **more: object) -> pd.DataFrame:
    """One record a person: group -> (people who met it, people)."""
    rows = [(group, float(k < met)) for group, (met, n) in counts.items() for k in range(n)]
    frame = pd.DataFrame(rows, columns=["eth", "x"])
    return frame.assign(person=range(len(frame)), n=1.0, **more)


def compared(records: pd.DataFrame, *, analysis: AnalysisSettings | None = None, **settings) -> pd.DataFrame:
    given = {key: settings.pop(key) for key in ("characteristics", "ordered", "declared") if key in settings}
    strata = strata_from(records, **{"characteristics": BY_ETHNICITY, **given})
    residents = settings.pop("residents", None)
    rules = settings.pop("rules", RULES)
    return comparison_table(
        strata, measure(**settings), analysis or AnalysisSettings(), rules, residents=residents
    )


def pick(
    table: pd.DataFrame, category: str, comparator: str = "rest", adjustment: str = "crude"
) -> pd.Series:
    rows = table[
        (table["category"] == category)
        & (table["comparator"] == comparator)
        & (table["adjustment"] == adjustment)
    ]
    assert len(rows) == 1
    return rows.iloc[0]


COUNTS = {"Asian": (30, 200), "Black": (45, 150), "White": (80, 650)}


def test_a_share_is_held_against_everyone_else_who_is_known():
    records = people({**COUNTS, "?missing": (9, 90)})
    row = pick(compared(records), "Black")
    x1, n1, x2, n2 = 45, 150, 110, 850
    assert (row["numerator"], row["denominator"]) == (x1, n1)
    assert (row["comparator_numerator"], row["comparator_denominator"]) == (x2, n2)
    assert row["difference"] == pytest.approx(x1 / n1 - x2 / n2)
    assert row["ratio"] == pytest.approx((x1 / n1) / (x2 / n2))
    low, high = proportion.confint_proportions_2indep(x1, n1, x2, n2, method="newcomb", compare="diff")
    assert (row["difference_lower"], row["difference_upper"]) == pytest.approx((low, high), abs=1e-8)
    low, high = proportion.confint_proportions_2indep(
        x1, n1, x2, n2, method="score", compare="ratio", correction=False
    )
    assert (row["ratio_lower"], row["ratio_upper"]) == pytest.approx((low, high), rel=1e-4)
    assert row["p"] == pytest.approx(stats.chi2_contingency([[45, 105], [110, 740]], correction=False).pvalue)


def test_rates_are_compared_as_poisson_counts_over_their_time():
    records = people({"A": (40, 100), "B": (60, 250)})
    records["n"] = np.where(records["eth"] == "A", 2.0, 1.5)
    row = pick(compared(records, counts="contacts", person_time="days"), "A")
    assert row["ratio"] == pytest.approx((40 / 200) / (60 / 375))
    expected = rates.test_poisson_2indep(40, 200, 60, 375, method="score")
    assert row["p"] == pytest.approx(expected.pvalue)
    assert (row["statistic"], row["comparator_denominator"]) == ("rate", 375)


def test_means_are_compared_by_welch_between_people():
    chance = np.random.default_rng(5)
    records = people({"A": (0, 40), "B": (0, 90), "C": (0, 60)})
    records["x"] = chance.gamma(3, 4, len(records)) + np.where(records["eth"] == "A", 4, 0)
    table = compared(records, value="wait")
    row = pick(table, "A")
    own, others = records.loc[records["eth"] == "A", "x"], records.loc[records["eth"] != "A", "x"]
    welch = stats.ttest_ind(own, others, equal_var=False)
    limits = welch.confidence_interval()
    assert row["p"] == pytest.approx(max(welch.pvalue, stats.ttest_ind(own, others).pvalue))
    assert (row["difference_lower"], row["difference_upper"]) == pytest.approx((limits.low, limits.high))
    error = np.sqrt(own.var() / 40 / own.mean() ** 2 + others.var() / 150 / others.mean() ** 2)
    reach = stats.t.ppf(0.975, welch.df) * error
    assert np.log(row["ratio_upper"] / row["ratio"]) == pytest.approx(reach)
    assert np.isnan(row["numerator"]) and row["denominator"] == 40


def test_means_of_repeated_contacts_have_the_errors_of_people():
    import statsmodels.api as sm

    chance = np.random.default_rng(8)
    persons = pd.DataFrame({"person": range(300), "eth": chance.choice(["A", "B"], 300)})
    persons["own"] = chance.normal(20, 6, 300)
    records = persons.loc[persons.index.repeat(chance.integers(1, 6, 300))].reset_index(drop=True)
    records = records.assign(n=1.0, x=records["own"] + chance.normal(0, 1, len(records)))
    row = pick(compared(records, value="wait", counts="contacts"), "A")
    design = sm.add_constant((records["eth"] == "A").astype(float))
    fitted = sm.OLS(records["x"], design).fit(cov_type="cluster", cov_kwds={"groups": records["person"]})
    assert row["difference"] == pytest.approx(fitted.params.iloc[1])
    width = (row["difference_upper"] - row["difference_lower"]) / 2 / 1.968
    assert width == pytest.approx(fitted.bse.iloc[1], rel=0.01)


def test_medians_are_tested_by_mood_and_have_order_statistic_limits():
    chance = np.random.default_rng(2)
    records = people({"A": (0, 120), "B": (0, 300)})
    records["x"] = chance.integers(1, 60, len(records)).astype(float) + np.where(records["eth"] == "A", 6, 0)
    row = pick(compared(records, value="wait", quantile=0.5), "A")
    own, others = records.loc[records["eth"] == "A", "x"], records.loc[records["eth"] != "A", "x"]
    assert row["value"] == np.median(own) and row["comparator_value"] == np.median(others)
    assert row["ratio"] == pytest.approx(np.median(own) / np.median(others))
    assert row["difference_lower"] < row["difference"] < row["difference_upper"]
    assert row["ratio_lower"] < row["ratio"] < row["ratio_upper"]
    mood = stats.median_test(own, others, correction=False)
    assert row["p"] == pytest.approx(mood.pvalue)
    assert pick(compared(records, value="wait", quantile=0.5), "A", "overall")[
        "comparator_value"
    ] == np.median(records["x"])


def test_the_whole_is_a_reading_aid_derived_from_the_rest():
    row, rest = (pick(compared(people(COUNTS)), "Black", name) for name in ("overall", "rest"))
    assert row["comparator_value"] == pytest.approx(155 / 1000)
    assert row["ratio"] == pytest.approx(0.3 / 0.155) and row["difference"] == pytest.approx(0.3 - 0.155)
    assert (row["ratio_lower"] > 1) == (rest["ratio_lower"] > 1)
    assert np.isnan(row["p"]) and np.isnan(row["p_adjusted"]) and row["flag"] == ""


def test_a_reference_replaces_the_largest_group_and_has_no_row_itself():
    analysis = AnalysisSettings(reference={"ethnicity": "White"})
    table = compared(people(COUNTS), analysis=analysis)
    assert pick(table, "Black", "reference")["ratio"] == pytest.approx(0.3 / (80 / 650))
    assert "largest" not in set(table["comparator"])
    assert "White" not in set(table.loc[table["comparator"] == "reference", "category"])
    without = compared(people(COUNTS), analysis=AnalysisSettings(reference={"ethnicity": "Black"}))
    assert set(without.loc[without["comparator"] == "largest", "comparator_category"]) == {"White"}


def test_a_small_reference_is_warned_of():
    analysis = AnalysisSettings(reference={"ethnicity": "Roma"})
    row = pick(compared(people({**COUNTS, "Roma": (4, 20)}), analysis=analysis), "Black", "reference")
    assert "fewer than 30 people" in row["note"] and "fewer than 10 events" in row["note"]


@pytest.mark.parametrize(
    ("reference", "words"),
    [({"ethnicity": "Whit"}, "Did you mean 'White'"), ({"ethnic": "White"}, "ethnicity")],
)
def test_a_reference_that_names_no_group_is_told_with_the_nearest(reference, words):
    with pytest.raises(ConfigError, match=words) as error:
        compared(people(COUNTS), analysis=AnalysisSettings(reference=reference))
    assert "[analysis.reference]" in str(error.value)


def test_a_target_is_a_fixed_figure():
    row = pick(compared(people(COUNTS), target=0.2), "Black", "target")
    assert row["ratio"] == pytest.approx(1.5) and row["comparator_value"] == 0.2
    low, high = proportion.proportion_confint(45, 150, method="wilson")
    assert (row["difference_lower"], row["ratio_upper"]) == pytest.approx((low - 0.2, high / 0.2))
    mid = stats.binom.sf(45, 150, 0.2) + 0.5 * stats.binom.pmf(45, 150, 0.2)
    assert row["p"] == pytest.approx(2 * mid)
    assert np.isnan(row["comparator_denominator"])


def test_the_target_of_a_rate_is_given_as_the_rate_is_shown():
    records = people({"A": (40, 100), "B": (60, 250)})
    row = pick(
        compared(records, counts="contacts", person_time="days", multiplier=1000, target=300), "A", "target"
    )
    assert row["comparator_value"] == pytest.approx(0.3) and row["ratio"] == pytest.approx(0.4 / 0.3)
    high = stats.poisson.sf(40, 30) + 0.5 * stats.poisson.pmf(40, 30)
    assert row["p"] == pytest.approx(2 * high)


def test_means_and_medians_are_held_against_a_target():
    chance = np.random.default_rng(4)
    records = people({"A": (0, 60), "B": (0, 60)}).assign(x=lambda f: chance.integers(1, 40, len(f)) * 1.0)
    own = records.loc[records["eth"] == "A", "x"]
    row = pick(compared(records, value="wait", target=18), "A", "target")
    test = stats.ttest_1samp(own, 18)
    limits = test.confidence_interval()
    assert row["p"] == pytest.approx(test.pvalue)
    assert (row["difference_lower"], row["difference_upper"]) == pytest.approx(
        (limits.low - 18, limits.high - 18)
    )
    row = pick(compared(records, value="wait", quantile=0.5, target=18), "A", "target")
    above = int((own > 18).sum())
    tail = min(stats.binom.cdf(above, 60, 0.5), stats.binom.sf(above - 1, 60, 0.5))
    assert row["p"] == pytest.approx(min(1, 2 * (tail - 0.5 * stats.binom.pmf(above, 60, 0.5))))
    assert row["comparator_value"] == 18


def test_a_wider_area_with_counts_is_a_second_sample():
    benchmark = {"label": "England", "numerator": 100, "denominator": 1000, "source": "made up"}
    row = pick(compared(people(COUNTS), benchmark=benchmark), "Black", "benchmark")
    assert (row["comparator_category"], row["comparator_denominator"]) == ("England", 1000)
    assert row["p"] == pytest.approx(stats.chi2_contingency([[45, 105], [100, 900]], correction=False).pvalue)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"target": 90}, "target"),
        ({"benchmark": {"label": "E", "numerator": 9, "denominator": 3, "source": "s"}}, "benchmark"),
    ],
)
def test_a_figure_that_no_share_can_have_is_refused(settings, key):
    with pytest.raises(ConfigError, match=key):
        compared(people(COUNTS), **settings)


def test_empty_groups_are_rows_with_missing_estimates():
    table = compared(people(COUNTS), declared={"eth": ["Asian", "Black", "Roma", "White"]})
    roma = table[table["category"] == "Roma"]
    assert set(roma["comparator"]) >= {"rest", "overall"}
    assert roma[[*ESTIMATES, "value", "p"]].isna().all(axis=None)
    assert (
        pick(table, "Roma")["flag"] == "insufficient_data" and pick(table, "Roma")["note"] == "nobody counted"
    )


def test_people_of_unknown_group_are_in_no_comparison():
    table = compared(people({**COUNTS, "?declined": (50, 50)}))
    assert set(table["category"]) == {"Asian", "Black", "White"}
    assert pick(table, "White")["comparator_denominator"] == 350
    assert compared(people({"?missing": (5, 50)})).columns.tolist() == list(COMPARISONS_TABLE.columns)
    assert compared(people({"?missing": (5, 50)})).empty


def test_one_group_alone_has_no_rest():
    row = pick(compared(people({"A": (10, 100)})), "A")
    assert row["flag"] == "insufficient_data" and np.isnan(row["ratio"]) and row["value"] == 0.1
    assert "comparator" in row["note"]


def test_where_nobody_met_it_there_is_no_ratio_and_no_test():
    row = pick(compared(people({"A": (0, 100), "B": (0, 200)})), "A")
    assert np.isnan(row["ratio"]) and np.isnan(row["p"]) and row["difference"] == 0
    assert row["flag"] == "insufficient_data"


def by_age(seed: int = 1, size: int = 4000) -> pd.DataFrame:
    """Group B is older, and only age moves the outcome."""
    chance = np.random.default_rng(seed)
    old = chance.random(size)
    frame = pd.DataFrame({"person": range(size), "n": 1.0, "age": np.where(old < 0.5, 30.0, 70.0)})
    frame["eth"] = np.where(chance.random(size) < np.where(frame["age"] > 50, 0.7, 0.3), "B", "A")
    frame["sex"] = chance.choice(["Female", "Male"], size)
    frame["x"] = (chance.random(size) < np.where(frame["age"] > 50, 0.4, 0.1)).astype(float)
    return frame


def test_a_difference_that_is_all_age_goes_when_age_is_held_equal():
    table = compared(by_age())
    rows = [pick(table, "B", adjustment=name) for name in ("crude", "standardised", "adjusted")]
    crude, standardised, adjusted = rows
    assert crude["ratio_lower"] > 1
    for row in (standardised, adjusted):
        assert row["ratio_lower"] < 1 < row["ratio_upper"]
    assert (standardised["flag"], adjusted["flag"]) == ("", "no_evidence")
    assert all(row["disagrees"] for row in rows)


def test_a_difference_that_age_hides_is_flagged_when_age_is_held_equal():
    """B is older, and the old do better; at each age B does worse, so the plain comparison sees nothing."""
    records = by_age(5)
    better = np.where(records["age"] > 50, 0.15, 0.35)
    chance = np.random.default_rng(6).random(len(records))
    records["x"] = (chance < better + np.where(records["eth"] == "B", 0.1, 0.0)).astype(float)
    table = compared(records)
    crude, adjusted = (pick(table, "B", adjustment=name) for name in ("crude", "adjusted"))
    assert not crude["flag"].startswith("disproportionate")
    assert (adjusted["flag"], adjusted["evidence"]) == ("disproportionate_high", True)
    assert adjusted["p_adjusted"] < 0.05


def test_the_standardised_contrast_is_that_of_weighted_cell_values():
    records = by_age(3)
    row = pick(compared(records), "B", adjustment="standardised")
    weight = records.groupby(["age", "sex"]).size() / len(records)
    own, rest = (
        (records[records["eth"] == group].groupby(["age", "sex"])["x"].mean() * weight).sum()
        for group in "BA"
    )
    assert (row["value"], row["comparator_value"]) == pytest.approx((own, rest))
    assert (row["difference"], row["ratio"]) == pytest.approx((own - rest, own / rest))
    assert row["difference_lower"] < own - rest < row["difference_upper"]


def test_the_adjusted_contrast_is_that_of_a_logistic_model_on_people():
    records = by_age(7)
    row = pick(compared(records), "B", adjustment="adjusted")
    design = np.column_stack(
        [np.ones(len(records)), records["eth"] == "B", records["age"] > 50, records["sex"] == "Male"]
    ).astype(float)
    fitted = Logit(records["x"].to_numpy(), design).fit(disp=0)
    everyone = [design.copy(), design.copy()]
    everyone[0][:, 1], everyone[1][:, 1] = 1, 0
    own, rest = (fitted.predict(each).mean() for each in everyone)
    assert (row["value"], row["comparator_value"]) == pytest.approx((own, rest), rel=1e-6)
    assert row["ratio"] == pytest.approx(own / rest, rel=1e-6)


def test_adjusted_means_are_those_of_a_regression_on_people():
    import statsmodels.api as sm

    records = by_age(9)
    records["x"] = records["x"] * 10 + records["age"] / 10 + (records["eth"] == "B") * 2 + 5
    row = pick(compared(records, value="wait"), "B", adjustment="adjusted")
    design = np.column_stack(
        [np.ones(len(records)), records["eth"] == "B", records["age"] > 50, records["sex"] == "Male"]
    ).astype(float)
    fitted = sm.OLS(records["x"].to_numpy(), design).fit(cov_type="HC1")
    assert row["difference"] == pytest.approx(fitted.params[1])
    assert (row["difference_upper"] - row["difference"]) == pytest.approx(1.96 * fitted.bse[1], rel=2e-3)


def test_a_characteristic_is_not_adjusted_for_itself():
    records = by_age().assign(both=lambda f: f["sex"] + " × " + f["age"].astype(str))
    table = compared(
        records,
        characteristics={("sex", "detailed"): "sex", ("age x sex", "band x detailed"): "both"},
    )
    crossed = table[(table["characteristic"] == "age x sex") & (table["adjustment"] != "crude")]
    assert crossed["ratio"].isna().all() and set(crossed["note"]) == {
        "age and sex are the groups themselves: nothing to take into account"
    }
    female = pick(table, "Female", adjustment="adjusted")
    assert female["ratio"] == pytest.approx(pick(table, "Female")["ratio"], rel=0.1)


def test_what_cannot_be_adjusted_says_why():
    few = compared(people({"A": (3, 100), "B": (60, 900)}, age=40.0, sex="Female"))
    for adjustment in ("standardised", "adjusted"):
        row = pick(few, "A", adjustment=adjustment)
        assert np.isnan(row["ratio"]) and row["note"]
    middle = compared(by_age().assign(x=lambda f: f["x"] + f["age"]), value="wait", quantile=0.5)
    assert pick(middle, "B", adjustment="adjusted")["note"] == "not worked out for a quantile"


def test_repeated_contacts_widen_the_limits_as_clustered_errors_do():
    import statsmodels.api as sm

    chance = np.random.default_rng(12)
    size = 500
    persons = pd.DataFrame({"person": range(size), "eth": chance.choice(["A", "B"], size)})
    persons["own"] = chance.beta(0.6, 1.4, size)
    records = persons.loc[persons.index.repeat(chance.integers(1, 9, size))].reset_index(drop=True)
    records["x"], records["n"] = (chance.random(len(records)) < records["own"]).astype(float), 1.0
    row = pick(compared(records, counts="contacts"), "A")
    design = sm.add_constant((records["eth"] == "A").astype(float))
    fitted = sm.OLS(records["x"], design).fit(cov_type="cluster", cov_kwds={"groups": records["person"]})
    width = (row["difference_upper"] - row["difference_lower"]) / 2 / 1.96
    assert width == pytest.approx(fitted.bse.iloc[1], rel=0.02)
    assert row["numerator"] == records.loc[records["eth"] == "A", "x"].sum()


def test_rates_against_residents_have_residents_below():
    records = people({"A": (40, 40), "B": (60, 60)})
    residents = pd.DataFrame(
        {"characteristic": "ethnicity", "level": "groups", "category": ["A", "B"], "residents": [1000, 4000]}
    )
    row = pick(compared(records, per_residents=True, residents=residents), "A")
    assert row["ratio"] == pytest.approx((40 / 1000) / (60 / 4000))
    assert row["people"] == row["denominator"] == 1000
    expected = rates.test_poisson_2indep(40, 1000, 60, 4000, method="score")
    assert row["p"] == pytest.approx(expected.pvalue)
    assert row["flag"] == "disproportionate_high"
    without = pick(compared(records, per_residents=True), "A")
    assert np.isnan(without["ratio"]) and without["flag"] == "insufficient_data"
    assert "residents of the group are not known" in without["note"]


def two_levels() -> pd.DataFrame:
    records = people({"Indian": (30, 200), "Chinese": (12, 40), "White": (80, 650), "Roma": (5, 12)})
    return records.assign(group=records["eth"].replace({"Indian": "Asian", "Chinese": "Asian"}))


def test_one_family_holds_all_levels_of_a_characteristic_and_no_group_that_is_not_tested():
    characteristics = {("ethnicity", "detailed"): "eth", ("ethnicity", "groups"): "group"}
    table = compared(two_levels(), characteristics=characteristics)
    rest = table[(table["comparator"] == "rest") & (table["adjustment"] == "crude")]
    untested = rest[rest["category"] == "Roma"]
    assert untested["p_adjusted"].isna().all() and untested["p"].notna().all()
    assert (untested["flag"] == "insufficient_data").all()
    tested = rest[rest["category"] != "Roma"]
    assert len(tested) == 5
    assert tested["p_adjusted"].tolist() == pytest.approx(
        multitest.multipletests(tested["p"], method="fdr_bh")[1].tolist()
    )
    others = table[(table["comparator"] != "rest") | (table["adjustment"] != "crude")]
    assert others["p_adjusted"].isna().all() and (others["flag"] == "").all()


def test_a_report_may_be_one_family():
    records = by_age()
    characteristics = {**BY_ETHNICITY, ("sex", "detailed"): "sex"}
    one, two = (
        compared(records, characteristics=characteristics, analysis=AnalysisSettings(family=family))
        for family in ("report", "characteristic")
    )
    p = one.loc[(one["comparator"] == "rest") & (one["adjustment"] == "crude")]
    assert p["p_adjusted"].tolist() == pytest.approx(
        multitest.multipletests(p["p"], method="fdr_bh")[1].tolist()
    )
    assert (p["p_adjusted"] > two.loc[p.index, "p_adjusted"] * 1.5).sum() == 2


def test_two_groups_are_each_others_rest():
    table = compared(people({"A": (30, 200), "B": (45, 150)}, age=40.0, sex="Female"))
    first, second = pick(table, "A"), pick(table, "B")
    assert first["ratio"] == pytest.approx(1 / second["ratio"])
    assert first["ratio_lower"] == pytest.approx(1 / second["ratio_upper"], rel=1e-6)
    assert first["difference_lower"] == pytest.approx(-second["difference_upper"])
    assert first["p"] == pytest.approx(second["p"])


def test_the_order_of_the_rows_changes_nothing_else():
    strata = strata_from(by_age(), characteristics={**BY_ETHNICITY, ("sex", "detailed"): "sex"})
    mixed = strata.strata.sample(frac=1, random_state=1).reset_index(drop=True)
    import dataclasses

    keys = ["characteristic", "category", "comparator", "adjustment"]
    tables = [
        comparison_table(each, measure(), AnalysisSettings(), RULES).sort_values(keys).reset_index(drop=True)
        for each in (strata, dataclasses.replace(strata, strata=mixed))
    ]
    pd.testing.assert_frame_equal(*tables, rtol=1e-6)


def test_rows_stand_in_the_order_of_the_strata_and_of_the_comparators():
    table = compared(people(COUNTS), target=0.2)
    assert table["category"].drop_duplicates().tolist() == ["Asian", "Black", "White"]
    places = table.loc[table["category"] == "Asian", "comparator"].map(COMPARATORS.index)
    assert places.is_monotonic_increasing
    assert not table.duplicated(["level", "category", "comparator", "adjustment"]).any()
