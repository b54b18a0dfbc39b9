"""The table of outcomes: every measure for every stratum, by methods worked out anew here."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from equitydata.rates.effective import USERS
from equitydata.rates.outcomes import outcome_table, with_residents
from equitydata.rulebook import load_rulebook
from equitydata.service import Measure
from equitydata.tables.equity import OUTCOMES_TABLE
from plain_sums import SUMS, cells_of, cells_of_whole, strata_of, whole_of
from tables_helper import table

SHARE = Measure(
    label="Did not attend", kind="access", numerator={"column": "a", "in": ["x"]}, polarity="adverse"
)
WAIT = Measure(label="Days waited", kind="access", value="days", polarity="adverse")
MEASURES = {
    "missed": SHARE,
    "missed_people": SHARE.model_copy(update={"counts": "people"}),
    "rate": SHARE.model_copy(update={"person_time": "days", "label": "Falls"}),
    "users_rate": SHARE.model_copy(update={"per_residents": True, "counts": "people", "label": "Users"}),
    "wait": WAIT,
    "wait_people": WAIT.model_copy(update={"counts": "people"}),
    "median": WAIT.model_copy(update={"quantile": 0.5}),
}
RULES = load_rulebook()
NO_VALUES = pd.DataFrame(
    columns=["measure", "characteristic", "level", "category", "status", "value", "people"]
)


def outcomes(strata: pd.DataFrame, *, cells=None, values=NO_VALUES, **asked) -> pd.DataFrame:
    if cells is None:
        cells = strata.iloc[:0].assign(age_from=0, sex="")
    tables = SimpleNamespace(strata=strata, cells=cells, values=values)
    return outcome_table(tables, MEASURES, RULES, **asked)


def drawn(text: str, **given) -> pd.DataFrame:
    """STRATA drawn as text, with what is left out filled in."""
    frame = table(text)
    if "nn" not in frame:  # each person counted once
        frame = frame.assign(people=frame["n"], cases=frame["x"], nn=frame["n"], nx=frame["x"], xx=frame["x"])
    filled = {
        "measure": "missed",
        "characteristic": "ethnicity",
        "label": "Ethnicity",
        "level": "detailed",
        "ordered": False,
        "status": "known",
        "order": np.arange(len(frame)),
        **given,
    }
    frame = frame.assign(**{name: value for name, value in filled.items() if name not in frame})
    return frame.astype(dict.fromkeys(SUMS, float))


def wilson(x: float, n: float) -> tuple[float, float]:
    z = stats.norm.ppf(0.975)
    p = x / n
    middle, reach = p + z**2 / (2 * n), z * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
    return (middle - reach) / (1 + z**2 / n), (middle + reach) / (1 + z**2 / n)


def test_a_share_of_people_has_the_limits_of_wilson() -> None:
    found = outcomes(
        drawn("""
            category | n   | x
            Asian    | 100 | 30
            White    | 400 | 80
            """)
    )
    assert list(found.columns) == list(OUTCOMES_TABLE.columns)
    assert found["category"].tolist() == ["Asian", "White"]
    for at, (x, n) in enumerate([(30, 100), (80, 400)]):
        row = found.iloc[at]
        assert (row["value"], row["numerator"], row["denominator"], row["people"]) == (x / n, x, n, n)
        assert (row["lower"], row["upper"]) == pytest.approx(wilson(x, n))
    assert found["method"].tolist() == ["wilson", "wilson"]
    assert found["measure_label"].unique().tolist() == ["Did not attend"]
    assert found["unit"].unique().tolist() == ["contacts"]
    assert found["note"].str.startswith("not standardised").all()


def test_a_share_of_repeated_contacts_has_the_limits_of_its_effective_counts() -> None:
    # 50 people with 4 contacts each, all alike within a person: 20 of them missed all four.
    found = outcomes(
        drawn("""
            category | people | cases | n   | x  | nn  | nx  | xx
            Asian    | 50     | 20    | 200 | 80 | 800 | 320 | 320
            """)
    ).iloc[0]
    effect = 4 * 50 / 49
    assert found["design_effect"] == pytest.approx(effect)
    assert (found["lower"], found["upper"]) == pytest.approx(wilson(80 / effect, 200 / effect))
    assert (found["numerator"], found["denominator"]) == (80, 200)
    assert found["method"] == "wilson, effective counts"
    assert "whole numbers" not in found["note"]


def test_rates_are_exact_below_ten_events_and_byar_from_ten_and_few_events_are_marked() -> None:
    found = outcomes(
        drawn(
            """
            category | people | cases | n     | x  | nn    | nx   | xx
            A        | 100    | 0     | 120.5 | 0  | 160   | 0    | 0
            B        | 100    | 2     | 120.5 | 2  | 160   | 2.4  | 2
            C        | 100    | 9     | 120.5 | 9  | 160   | 10.8 | 9
            D        | 900    | 90    | 950.5 | 90 | 1200  | 95   | 90
            """,
            measure="rate",
        )
    )
    assert found["value"].tolist() == pytest.approx([0, 2 / 120.5, 9 / 120.5, 90 / 950.5])
    assert found["method"].str.split(",").str[0].tolist() == ["exact", "exact", "exact", "byar"]
    assert found["lower"].iloc[0] == 0 and found["upper"].iloc[0] == pytest.approx(
        stats.chi2.ppf(0.975, 2) / 2 / 120.5 * found["design_effect"].iloc[0]
    )
    told = found["note"].str.split("; ").str[0].tolist()
    assert told[:3] == [
        "fewer than 3 events: read the limits alone",
        "fewer than 3 events: read the limits alone",
        "fewer than 20 events: low reliability",
    ]
    assert "events:" not in told[3]
    assert found["unit"].unique().tolist() == ["contacts"]


def test_means_have_the_limits_of_t_between_people() -> None:
    chance = np.random.default_rng(7)
    records = pd.DataFrame({"category": "A", "person": chance.integers(0, 15, 60).astype(str), "n": 1.0})
    records["x"] = chance.normal(20, 4, 60) + records["person"].astype(int)
    found = outcomes(strata_of(records, measure="wait", characteristic="ethnicity")).iloc[0]
    mean = records["x"].mean()
    squares = sum((of["x"] - mean).sum() ** 2 for _, of in records.groupby("person"))
    m = records["person"].nunique()
    error = (squares * m / (m - 1)) ** 0.5 / 60
    assert found["value"] == pytest.approx(mean)
    assert (found["lower"], found["upper"]) == pytest.approx(
        (mean - stats.t.ppf(0.975, m - 1) * error, mean + stats.t.ppf(0.975, m - 1) * error)
    )
    assert (found["denominator"], found["people"]) == (60, m)
    assert np.isnan(found["numerator"]) and np.isnan(found["design_effect"])
    # Each person once: the ordinary interval of a mean.
    once = records.groupby("person", as_index=False)["x"].mean().assign(category="A", n=1.0)
    found = outcomes(strata_of(once, measure="wait_people", characteristic="ethnicity")).iloc[0]
    low, high = stats.t.interval(0.95, m - 1, once["x"].mean(), stats.sem(once["x"]))
    assert (found["lower"], found["upper"]) == pytest.approx((low, high))
    assert found["design_effect"] == 1


def test_one_person_has_a_mean_without_limits() -> None:
    found = outcomes(
        drawn(
            """
            category | people | cases | n | x | nn | nx | xx
            A        | 1      | 1     | 2 | 9 | 4  | 18 | 81
            """,
            measure="wait",
        )
    ).iloc[0]
    assert found["value"] == 4.5 and np.isnan(found["lower"])
    assert found["note"].startswith("one person: no limits")


@pytest.mark.parametrize("at_once", [1, 4_000_000])
def test_quantiles_are_those_of_the_people_of_each_stratum(monkeypatch, at_once: int) -> None:
    monkeypatch.setattr("equitydata.rates.outcomes.NUMBERS_AT_ONCE", at_once)
    chance = np.random.default_rng(1)
    people = pd.DataFrame({"category": chance.choice(list("ABC"), 300), "value": chance.integers(0, 90, 300)})
    people.loc[people.index[:5], "category"] = "D"
    values = people.groupby(["category", "value"]).size().rename("people").reset_index()
    values = values.assign(measure="median", characteristic="ethnicity", level="detailed", status="known")
    strata = drawn(
        """
        category | n   | x
        A        | 100 | 0
        B        | 100 | 0
        C        | 100 | 0
        D        | 5   | 0
        E        | 0   | 0
        """,
        measure="median",
    ).assign(people=lambda f: f["category"].map(people["category"].value_counts()).fillna(0).astype(float))
    found = outcomes(strata, values=values.sample(frac=1, random_state=3)).set_index("category")
    for category in "ABCD":
        mine = sorted(people.loc[people["category"] == category, "value"])
        assert found.loc[category, "value"] == np.median(mine)
        assert found.loc[category, "denominator"] == len(mine)
        if category != "D":
            below = int(stats.binom.ppf(0.025, len(mine), 0.5))
            assert found.loc[category, "lower"] == mine[below - 1]
            assert found.loc[category, "upper"] == mine[len(mine) - below]
    assert np.isnan(found.loc["D", "lower"]) and "too few values" in found.loc["D", "note"]
    assert np.isnan(found.loc["E", "value"]) and found.loc["E", "note"] == "nobody counted"
    assert found["unit"].unique().tolist() == ["people"]
    assert found.loc["E", "method"] == "none"


def test_unknown_empty_and_not_collected_groups_are_visible_rows() -> None:
    found = outcomes(
        drawn("""
            category     | status        | n   | x
            Asian        | known         | 100 | 30
            Arab         | known         | 0   | 0
            Roma         | not collected |     |
            Declined     | declined      | 20  | 5
            Missing      | missing       | 0   | 0
            """)
    ).set_index("category")
    assert found["status"].tolist() == ["known", "known", "not collected", "declined", "missing"]
    assert found.loc["Arab", "note"] == "nobody counted"
    assert found.loc["Arab", "people"] == 0 and np.isnan(found.loc["Arab", "value"])
    assert found.loc["Roma", "note"] == "not in the code list in use"
    assert (
        found.loc["Roma", ["people", "numerator", "denominator", "value", "lower", "design_effect"]]
        .isna()
        .all()
    )
    assert found.loc["Declined", "value"] == 0.25
    assert found.loc[["Arab", "Roma", "Missing"], "method"].tolist() == ["none"] * 3


def test_rates_against_residents_have_residents_as_their_denominator() -> None:
    strata = drawn(
        """
        characteristic | level    | category | status   | people | cases | n | x  | nn | nx | xx
        all            | all      | Everyone | known    | 65     | 65    | 0 | 65 | 0  | 0  | 65
        ethnicity      | detailed | Asian    | known    | 40     | 40    | 0 | 40 | 0  | 0  | 40
        ethnicity      | detailed | White    | known    | 5      | 5     | 0 | 5  | 0  | 0  | 5
        ethnicity      | detailed | Arab     | known    | 12     | 12    | 0 | 12 | 0  | 0  | 12
        ethnicity      | detailed | Declined | declined | 8      | 8     | 0 | 8  | 0  | 0  | 8
        """,
        measure="users_rate",
    )
    residents = table("""
        characteristic | level    | category | residents
        all            | all      | Everyone | 5000
        ethnicity      | detailed | Asian    | 2000
        ethnicity      | detailed | White    | 4
        """)
    found = outcomes(strata, residents=residents).set_index("category")
    assert found.loc["Asian", "value"] == pytest.approx(40 / 2000)
    assert found.loc["Everyone", "denominator"] == 5000
    assert found.loc["Asian", "lower"] == pytest.approx(
        40 * (1 - 1 / 360 - stats.norm.ppf(0.975) / (3 * 40**0.5)) ** 3 / 2000
    )
    assert found.loc["White", "value"] > 1 and "do not match" in found.loc["White", "note"]
    assert np.isnan(found.loc["Arab", "value"]) and np.isnan(found.loc["Arab", "denominator"])
    assert found.loc["Arab", "note"] == "no count of residents of this group"
    assert found.loc["Declined", "note"] == "residents of unknown group cannot be counted"
    assert found.loc["Declined", "numerator"] == 8
    assert found.loc["Asian", "note"].startswith("not standardised: residents")
    without = outcomes(strata)
    assert without["value"].isna().all() and without["denominator"].isna().all()


def test_residents_of_a_group_given_twice_are_refused() -> None:
    strata = drawn("category | n | x\nAsian | 1 | 1", measure="users_rate")
    twice = pd.DataFrame(
        {"characteristic": "ethnicity", "level": "detailed", "category": ["Asian"] * 2, "residents": [1, 2]}
    )
    with pytest.raises(pd.errors.MergeError):
        with_residents(strata, MEASURES, twice)


def test_standardised_values_stand_beside_the_crude_ones() -> None:
    chance = np.random.default_rng(3)
    rows = [
        (category, f"{category}{i}", int(age), sex)
        for category, old in (("Asian", 0.2), ("White", 0.8))
        for i, (age, sex) in enumerate(
            zip(chance.choice([35, 75], 600, p=[1 - old, old]), chance.choice(["F", "M"], 600), strict=True)
        )
    ]
    records = pd.DataFrame(rows, columns=["category", "person", "age_from", "sex"])
    risk = np.where(records["age_from"] == 75, 0.6, 0.2)
    records = records.assign(n=1.0, x=(chance.random(1200) < risk).astype(float))
    named = {"measure": "missed_people"}
    strata = pd.concat(
        [whole_of(records, **named), strata_of(records, **named, characteristic="ethnicity")],
        ignore_index=True,
    )
    cells = pd.concat(
        [cells_of_whole(records, **named), cells_of(records, **named, characteristic="ethnicity")]
    )
    found = outcomes(strata, cells=cells).set_index("category")
    weights = records.groupby(["age_from", "sex"]).size() / 1200
    for category in ("Asian", "White"):
        mine = records[records["category"] == category].groupby(["age_from", "sex"])["x"].mean()
        assert found.loc[category, "standardised"] == pytest.approx(float((weights * mine).sum()))
    assert found.loc["White", "value"] - found.loc["Asian", "value"] > 0.15
    assert abs(found.loc["White", "standardised"] - found.loc["Asian", "standardised"]) < 0.08
    assert found.loc["Everyone", "standardised"] == pytest.approx(found.loc["Everyone", "value"])
    assert (found["note"] == "").all()


def test_users_are_no_measure_and_no_measure_gives_an_empty_table() -> None:
    strata = drawn("category | n | x\nAsian | 10 | 10", measure=USERS)
    found = outcomes(strata)
    assert found.empty and list(found.columns) == list(OUTCOMES_TABLE.columns)
    mixed = outcomes(pd.concat([strata, drawn("category | n | x\nAsian | 10 | 1")], ignore_index=True))
    assert mixed["measure"].tolist() == ["missed"]


def test_confidence_of_the_rules_is_used() -> None:
    strata = drawn("category | n | x\nAsian | 100 | 30")
    wide = outcome_table(
        SimpleNamespace(strata=strata, cells=strata.iloc[:0].assign(age_from=0, sex=""), values=NO_VALUES),
        MEASURES,
        load_rulebook({"confidence": 0.998}),
    )
    assert wide["lower"].iloc[0] < outcomes(strata)["lower"].iloc[0]
