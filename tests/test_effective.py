"""Design effects and effective counts against clusters counted one by one, statsmodels, and chance itself."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from equitydata.errors import EquityDataError
from equitydata.rates.effective import LEAST_PEOPLE, effective
from equitydata.service import Measure
from plain_sums import SUMS, person_sums, strata_of

SHARE = Measure(label="Missed", kind="access", numerator={"column": "a", "in": ["x"]}, polarity="adverse")
PEOPLE = SHARE.model_copy(update={"counts": "people"})
RATE = SHARE.model_copy(update={"person_time": "days"})
RESIDENTS = SHARE.model_copy(update={"per_residents": True})
MEAN = Measure(label="Wait", kind="access", value="days", polarity="adverse")
MEDIAN = MEAN.model_copy(update={"quantile": 0.5})
MEASURES = {
    "missed": SHARE,
    "missed_people": PEOPLE,
    "rate": RATE,
    "residents": RESIDENTS,
    "wait": MEAN,
    "median": MEDIAN,
}


def contacts(*, people: int, seed: int = 3, between: float = 0.25, categories: str = "AB") -> pd.DataFrame:
    """Contacts of people who each have a risk of their own, 1 to 6 contacts a person."""
    chance = np.random.default_rng(seed)
    rows = []
    for category in categories:
        for person in range(people):
            risk = chance.beta(0.3 * (1 / between - 1), 0.7 * (1 / between - 1))
            for _ in range(chance.integers(1, 7)):
                rows.append((category, f"{category}{person}", 1.0, float(chance.random() < risk)))
    return pd.DataFrame(rows, columns=["category", "person", "n", "x"])


def row(**sums: float) -> dict[str, object]:
    return {
        "measure": "missed",
        "characteristic": "sex",
        "level": "detailed",
        "category": "A",
        "status": "known",
        **dict.fromkeys(SUMS, 0.0),
        **sums,
    }


def test_design_effect_is_the_variance_between_people_over_that_of_independent_contacts() -> None:
    records = contacts(people=60)
    found = effective(strata_of(records, measure="missed", characteristic="sex"), MEASURES)
    for _, stratum in found.iterrows():
        mine = records[records["category"] == stratum["category"]]
        share, count = mine["x"].mean(), len(mine)
        residuals = [float((of["x"] - share).sum()) for _, of in mine.groupby("person")]
        variance = sum(r**2 for r in residuals) / count**2 * len(residuals) / (len(residuals) - 1)
        assert stratum["value"] == pytest.approx(share)
        assert stratum["design_effect"] == pytest.approx(variance / (share * (1 - share) / count))
        assert stratum["se"] == pytest.approx(variance**0.5)
        assert stratum["effective_n"] == pytest.approx(count / stratum["design_effect"])
        assert stratum["effective_x"] / stratum["effective_n"] == pytest.approx(share)
        assert stratum["design_effect"] > 1.2


def test_standard_errors_are_those_of_statsmodels_with_clusters() -> None:
    records = contacts(people=60)
    records["value"] = records["x"] * 3 + np.arange(len(records)) % 7
    shares = effective(strata_of(records, measure="missed", characteristic="sex"), MEASURES)
    means = effective(
        strata_of(records.assign(x=records["value"]), measure="wait", characteristic="sex"), MEASURES
    )
    for found, column in ((shares, "x"), (means, "value")):
        for _, stratum in found.iterrows():
            mine = records[records["category"] == stratum["category"]]
            model = sm.OLS(mine[column], np.ones(len(mine))).fit(
                cov_type="cluster", cov_kwds={"groups": pd.factorize(mine["person"])[0]}
            )
            m, n = mine["person"].nunique(), len(mine)
            # statsmodels multiplies by (n - 1) / (n - 1) * m / (m - 1) for one coefficient.
            assert stratum["value"] == pytest.approx(model.params.iloc[0])
            assert stratum["se"] == pytest.approx(model.bse.iloc[0]), (column, m, n)


def test_limits_of_repeated_contacts_hold_the_truth_as_often_as_they_say() -> None:
    chance = np.random.default_rng(11)
    runs, people = 1000, 80
    n_i = chance.integers(1, 9, (runs, people)).astype(float)
    x_i = chance.binomial(n_i.astype(int), chance.beta(0.9, 2.1, (runs, people))).astype(float)
    frame = pd.DataFrame(
        {
            "people": people,
            "cases": (x_i > 0).sum(axis=1),
            "n": n_i.sum(axis=1),
            "x": x_i.sum(axis=1),
            "nn": (n_i**2).sum(axis=1),
            "nx": (n_i * x_i).sum(axis=1),
            "xx": (x_i**2).sum(axis=1),
        }
    ).assign(measure="missed", characteristic="sex", level="detailed", status="known")
    found = effective(frame, MEASURES)
    away = (found["value"] - 0.3).abs()
    plain = (found["value"] * (1 - found["value"]) / found["n"]) ** 0.5
    assert 0.92 < (away < 1.96 * found["se"]).mean() < 0.965
    assert (away < 1.96 * plain).mean() < 0.88


def test_one_contact_a_person_and_people_as_the_unit_have_no_design_effect() -> None:
    once = pd.DataFrame(
        {"category": "A", "person": [f"P{i}" for i in range(50)], "n": 1.0, "x": [1.0] * 20 + [0.0] * 30}
    )
    assert effective(strata_of(once, measure="missed", characteristic="sex"), MEASURES)[
        "design_effect"
    ].tolist() == [1.0]
    clustered = pd.DataFrame([row(people=40, cases=20, n=160, x=80, nn=640, nx=320, xx=320)])
    assert effective(clustered, MEASURES)["design_effect"].iloc[0] == pytest.approx(4 * 40 / 39)
    assert effective(clustered.assign(measure="missed_people"), MEASURES)["design_effect"].tolist() == [1.0]


def test_small_groups_and_groups_at_0_or_1_borrow_the_design_effect_of_all_known_groups() -> None:
    big, small = contacts(people=60, categories="AB"), contacts(people=LEAST_PEOPLE - 1, categories="C")
    none = contacts(people=40, categories="D").assign(x=0.0)
    unknown = contacts(people=50, categories="E", seed=8).assign(status="declined")
    records = pd.concat([big, small, none, unknown])
    records["status"] = records["status"].fillna("known")
    found = effective(strata_of(records, measure="missed", characteristic="sex"), MEASURES).set_index(
        "category"
    )
    known = records[records["status"] == "known"]
    squares, independent, people = 0.0, 0.0, 0
    for _, group in known.groupby("category"):
        share = group["x"].mean()
        squares += sum((person["x"] - share).sum() ** 2 for _, person in group.groupby("person"))
        independent += len(group) * share * (1 - share)
        people += group["person"].nunique()
    pooled = squares / independent * people / (people - 4)
    assert found.loc["C", "design_effect"] == pytest.approx(pooled)
    assert found.loc["D", "design_effect"] == pytest.approx(pooled)
    assert found.loc["D", "effective_n"] == pytest.approx(found.loc["D", "n"] / pooled)
    assert found.loc["A", "design_effect"] != pytest.approx(pooled)
    assert found.loc["E", "design_effect"] != pytest.approx(pooled)


def test_rates_are_overdispersed_by_events_that_gather_in_few_people() -> None:
    chance = np.random.default_rng(5)
    records = pd.DataFrame({"category": "A", "person": [f"P{i}" for i in range(200)]})
    records["n"] = chance.uniform(0.2, 2.0, 200)
    records["x"] = chance.poisson(records["n"] * chance.gamma(0.5, 2.0, 200)).astype(float)
    found = effective(strata_of(records, measure="rate", characteristic="sex"), MEASURES).iloc[0]
    rate = records["x"].sum() / records["n"].sum()
    squares = float(((records["x"] - rate * records["n"]) ** 2).sum())
    assert found["design_effect"] == pytest.approx(squares * 200 / 199 / records["x"].sum())
    assert found["se"] == pytest.approx((squares * 200 / 199) ** 0.5 / records["n"].sum())
    # A Poisson model whose scale is the same squares, by GEE with people as clusters.
    model = sm.GEE(
        records["x"],
        np.ones(200),
        groups=np.arange(200),
        family=sm.families.Poisson(),
        offset=np.log(records["n"]),
    ).fit()
    assert found["se"] / found["value"] * (199 / 200) ** 0.5 == pytest.approx(model.bse.iloc[0], rel=1e-4)


def test_rates_against_residents_take_the_events_per_person() -> None:
    # 30 people with 1 event, 10 with 4: 70 events, squares 30 + 160.
    frame = pd.DataFrame([row(people=0, cases=40, n=0, x=70, xx=190)]).assign(measure="residents")
    before = effective(frame, MEASURES).iloc[0]
    assert np.isnan(before["value"]) and np.isnan(before["se"])
    assert before["design_effect"] == pytest.approx(190 / 70)
    after = effective(frame.assign(n=7000.0), MEASURES).iloc[0]
    assert after["value"] == pytest.approx(0.01)
    assert after["se"] == pytest.approx(190**0.5 / 7000)
    few = frame.assign(cases=10.0, x=10.0, xx=10.0, category="B")
    both = effective(pd.concat([frame, few], ignore_index=True), MEASURES)
    assert both["design_effect"].iloc[1] == pytest.approx((190 + 10) / 80)


def test_means_stand_on_people_not_on_values() -> None:
    records = contacts(people=12)
    found = effective(strata_of(records, measure="wait", characteristic="sex"), MEASURES)
    assert found["effective_n"].tolist() == [12, 12]
    assert (found["design_effect"] == 1).all()
    one = pd.DataFrame([row(people=1, cases=1, n=3, x=9, nn=9, nx=27, xx=81)]).assign(measure="wait")
    lone = effective(one, MEASURES).iloc[0]
    assert lone["value"] == 3 and np.isnan(lone["se"])


def test_nothing_known_is_missing_and_never_0() -> None:
    frame = pd.DataFrame(
        [
            row(),
            row(**dict.fromkeys(SUMS, np.nan), category="B") | {"status": "not collected"},
            row(people=3, cases=0, n=9, nn=27, category="C"),
        ]
    )
    for measure in MEASURES:
        found = effective(frame.assign(measure=measure), MEASURES)
        assert (found["design_effect"] == 1).all()
        assert np.isnan(found["value"].iloc[0]) and np.isnan(found["se"].iloc[0])
        assert np.isnan(found["effective_n"].iloc[1])
    assert effective(frame, MEASURES)["value"].iloc[2] == 0
    assert effective(frame.iloc[:0], MEASURES).empty


def test_quantiles_have_no_value_here() -> None:
    found = effective(pd.DataFrame([row(people=5, n=5, x=40)]).assign(measure="median"), MEASURES).iloc[0]
    assert np.isnan(found["value"]) and found["design_effect"] == 1 and found["effective_n"] == 5


def test_everyone_who_used_the_service_counts_once() -> None:
    frame = pd.DataFrame([row(people=50, cases=50, n=50, x=50, nn=50, nx=50, xx=50)]).assign(measure="users")
    found = effective(frame, {}).iloc[0]
    assert (found["statistic"], found["value"], found["design_effect"]) == ("share", 1.0, 1.0)


def test_a_row_of_no_measure_is_a_fault() -> None:
    with pytest.raises(EquityDataError, match="no measure"):
        effective(pd.DataFrame([row()]).assign(measure="other"), MEASURES)


def test_cells_and_periods_keep_their_columns_and_pool_over_what_is_asked() -> None:
    records = contacts(people=20).assign(period=lambda r: np.where(np.arange(len(r)) % 2, "Q1", "Q2"))
    frame = person_sums(records, ["category", "period"]).assign(
        measure="missed", characteristic="sex", level="detailed", status="known"
    )
    over_all = effective(frame, MEASURES)
    by_period = effective(frame, MEASURES, pool_by=("measure", "characteristic", "level", "period"))
    assert over_all["design_effect"].nunique() == 1
    assert by_period.groupby("period")["design_effect"].nunique().tolist() == [1, 1]
    assert by_period["design_effect"].nunique() == 2
    assert over_all["period"].tolist() == frame["period"].tolist()
    places = frame.drop(columns=["status", "characteristic", "level"]).assign(by="site")
    assert (effective(places, MEASURES, pool_by=("measure", "by"))["design_effect"] >= 1).all()


def test_order_of_the_rows_changes_nothing() -> None:
    frame = strata_of(contacts(people=25, categories="ABCD"), measure="missed", characteristic="sex")
    turned = effective(frame.sample(frac=1, random_state=1), MEASURES).sort_index()
    pd.testing.assert_frame_equal(turned, effective(frame, MEASURES))
