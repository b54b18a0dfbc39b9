"""Values at the age and sex structure of the whole, against plain weighted sums and against chance."""

import numpy as np
import pandas as pd
import pytest

from equitydata.rates.effective import effective
from equitydata.rates.standardised import standardise
from equitydata.service import Measure
from equitydata.stats.one_group import directly_standardised_rate
from plain_sums import cells_of, cells_of_whole, strata_of, whole_of

SHARE = Measure(label="Missed", kind="access", numerator={"column": "a", "in": ["x"]}, polarity="adverse")
MEASURES = {
    "missed": SHARE.model_copy(update={"counts": "people"}),
    "contacts": SHARE,
    "rate": SHARE.model_copy(update={"person_time": "days"}),
    "wait": Measure(label="Wait", kind="access", value="days", polarity="adverse"),
    "median": Measure(label="Wait", kind="access", value="days", quantile=0.5, polarity="adverse"),
}
BANDS = (0, 18, 35, 50, 65)


def people(
    sizes: dict[tuple[str, int, str], int], risk: dict[int, float] | float, seed: int = 2
) -> pd.DataFrame:
    """One record a person: sizes by (category, age_from, sex), risk by age_from."""
    chance = np.random.default_rng(seed)
    rows = [
        (category, f"{category}{age}{sex}{i}", age, sex)
        for (category, age, sex), many in sizes.items()
        for i in range(many)
    ]
    frame = pd.DataFrame(rows, columns=["category", "person", "age_from", "sex"])
    risks = frame["age_from"].map(risk) if isinstance(risk, dict) else risk
    return frame.assign(n=1.0, x=(chance.random(len(frame)) < risks).astype(float))


def even(categories: str, many: int = 40) -> dict[tuple[str, int, str], int]:
    return {(c, age, sex): many for c in categories for age in BANDS for sex in ("Female", "Male")}


def worked_out(
    records: pd.DataFrame, measure: str = "missed", characteristic: str = "ethnicity"
) -> pd.DataFrame:
    strata = pd.concat(
        [
            whole_of(records, measure=measure),
            strata_of(records, measure=measure, characteristic=characteristic),
        ],
        ignore_index=True,
    )
    cells = pd.concat(
        [
            cells_of_whole(records, measure=measure),
            cells_of(records, measure=measure, characteristic=characteristic),
        ],
        ignore_index=True,
    )
    found = effective(strata, MEASURES)
    answer = standardise(found, cells, MEASURES, bands=BANDS, confidence=0.95)
    return pd.concat([found, answer], axis=1).set_index("category")


def plain(records: pd.DataFrame, category: str, by: list[str]) -> float:
    """Sum over cells of the whole's share of the denominator times the group's own value there."""
    weights = records.groupby(by)["n"].sum() / records["n"].sum()
    mine = records[records["category"] == category].groupby(by)[["n", "x"]].sum()
    return float((weights * mine["x"] / mine["n"]).sum())


def test_a_young_and_an_old_group_with_the_same_risk_at_each_age_have_the_same_standardised_share() -> None:
    sizes = even("AB", 30)
    sizes |= {("A", age, sex): 900 for age in (0, 18) for sex in ("Female", "Male")}
    sizes |= {("B", age, sex): 900 for age in (50, 65) for sex in ("Female", "Male")}
    records = people(sizes, {0: 0.1, 18: 0.2, 35: 0.3, 50: 0.5, 65: 0.7})
    found = worked_out(records)
    assert found.loc["B", "value"] - found.loc["A", "value"] > 0.3
    assert abs(found.loc["B", "standardised"] - found.loc["A", "standardised"]) < 0.06
    for category in "AB":
        expected = plain(records, category, ["age_from", "sex"])
        assert found.loc[category, "standardised"] == pytest.approx(expected)
        assert found.loc[category, "standardised_note"] == ""
    assert found.loc["A", "standardised_lower"] < found.loc["A", "standardised"]


@pytest.mark.parametrize("measure", ["missed", "contacts", "rate", "wait"])
def test_the_whole_at_its_own_structure_keeps_its_own_value(measure: str) -> None:
    records = people({**even("AB", 20), ("B", 18, "Male"): 200}, {0: 0.1, 18: 0.2, 35: 0.3, 50: 0.5, 65: 0.7})
    again = records.sample(frac=0.5, random_state=1)
    records = pd.concat([records, again], ignore_index=True) if measure != "missed" else records
    whole = worked_out(records, measure).loc["Everyone"]
    assert whole["standardised"] == pytest.approx(whole["value"])


def test_limits_of_the_whole_are_near_its_crude_ones() -> None:
    found = worked_out(people(even("AB", 60), 0.3)).loc["Everyone"]
    assert found["standardised_se"] == pytest.approx(found["se"], rel=0.03)


def test_rates_are_those_of_dobson() -> None:
    records = people(even("AB", 50), {0: 0.1, 18: 0.2, 35: 0.3, 50: 0.5, 65: 0.7})
    records["n"] = np.random.default_rng(1).uniform(0.5, 3, len(records))
    found = worked_out(records, "rate").loc["A"]
    mine = records[records["category"] == "A"].groupby(["age_from", "sex"])[["n", "x"]].sum()
    weights = records.groupby(["age_from", "sex"])["n"].sum()
    answer = directly_standardised_rate(
        events=mine["x"],
        person_time=mine["n"],
        weights=weights,
        squared_events=mine["x"] * found["design_effect"],
    )
    assert found["standardised"] == pytest.approx(answer.value[0])
    assert found["standardised_lower"] == pytest.approx(answer.estimates.lower[0])
    assert found["standardised_upper"] == pytest.approx(answer.estimates.upper[0])


def test_means_have_the_variance_of_a_weighted_sum_of_band_means() -> None:
    records = people(even("AB", 25), 0.4)
    records["x"] = records["age_from"] / 10 + np.random.default_rng(4).normal(20, 5, len(records))
    found = worked_out(records, "wait").loc["A"]
    cells = records[records["category"] == "A"].groupby(["age_from", "sex"])["x"]
    weights = records.groupby(["age_from", "sex"])["n"].sum() / len(records)
    assert found["standardised"] == pytest.approx(float((weights * cells.mean()).sum()))
    parts = weights**2 * cells.var() / cells.size()
    assert found["standardised_se"] == pytest.approx(float(parts.sum()) ** 0.5)
    from scipy.stats import t

    df = parts.sum() ** 2 / (parts**2 / (cells.size() - 1)).sum()
    reach = t.ppf(0.975, df) * float(parts.sum()) ** 0.5
    assert found["standardised_upper"] - found["standardised"] == pytest.approx(reach)


def test_neighbouring_bands_are_joined_until_each_holds_five() -> None:
    sizes = even("AB", 40) | {
        ("A", 0, "Male"): 3,
        ("A", 18, "Male"): 4,
        ("A", 65, "Male"): 2,
        ("A", 65, "Female"): 0,
    }
    records = people(sizes, 0.4)
    found = worked_out(records).loc["A"]
    assert found["standardised_note"] == "standardised: age bands joined where the group has few people"
    # Males of 0 and 18 are one band; 50 and 65 are one band of either sex.
    joined = records.assign(
        band=records["age_from"]
        .replace({65: 50})
        .where((records["sex"] == "Female") | (records["age_from"] != 18), 0)
    )
    assert found["standardised"] == pytest.approx(plain(joined, "A", ["band", "sex"]))


def test_a_group_that_lacks_much_of_the_structure_has_no_standardised_value() -> None:
    sizes = even("AB", 40) | {("A", age, sex): 0 for age in (50, 65) for sex in ("Female", "Male")}
    found = worked_out(people(sizes, 0.4)).loc["A"]
    assert np.isnan(found["standardised"]) and np.isnan(found["standardised_upper"])
    assert found["standardised_note"] == (
        "not standardised: the group lacks ages or sexes that are 25% of the whole"
    )
    women = even("AB", 40) | {("A", age, "Male"): 0 for age in BANDS}
    found = worked_out(people(women, 0.4)).loc["A"]
    assert found["standardised_note"] == (
        "not standardised: the group lacks ages or sexes that are 33% of the whole"
    )


def test_a_rare_sex_that_the_group_lacks_is_left_out_and_said() -> None:
    sizes = even("AB", 60) | {("B", 35, "Indeterminate"): 37}
    records = people(sizes, 0.4)
    found = worked_out(records)
    assert (
        found.loc["A", "standardised_note"] == "standardised: a sex that is under 5% of the whole is left out"
    )
    covered = records[records["sex"] != "Indeterminate"]
    assert found.loc["A", "standardised"] == pytest.approx(plain(covered, "A", ["age_from", "sex"]))
    assert found.loc["B", "standardised_note"] == ""
    commoner = worked_out(people(sizes | {("B", 35, "Indeterminate"): 90}, 0.4))
    assert np.isnan(commoner.loc["A", "standardised"])


def test_a_group_that_was_not_counted_by_age_and_sex_says_so() -> None:
    records = people(even("AB", 20), 0.4)
    strata = effective(strata_of(records, measure="missed", characteristic="ethnicity"), MEASURES)
    answer = standardise(
        strata, cells_of_whole(records, measure="missed"), MEASURES, bands=BANDS, confidence=0.95
    )
    assert answer["standardised"].isna().all()
    assert answer["standardised_note"].str.contains("too many groups to count by them").all()


def test_groups_of_an_age_are_standardised_by_sex_and_those_of_a_sex_by_age() -> None:
    records = people(even("A", 40) | {("A", 18, "Male"): 300}, {0: 0.1, 18: 0.2, 35: 0.3, 50: 0.5, 65: 0.7})
    by_age = worked_out(records.assign(category=records["age_from"].astype(str)), characteristic="age")
    grouped = records.assign(category=records["age_from"].astype(str))
    assert by_age.loc["18", "standardised"] == pytest.approx(plain(grouped, "18", ["sex"]))
    by_sex = worked_out(records.assign(category=records["sex"]), characteristic="sex")
    grouped = records.assign(category=records["sex"])
    assert by_sex.loc["Male", "standardised"] == pytest.approx(plain(grouped, "Male", ["age_from"]))
    crossed = worked_out(
        records.assign(category=records["sex"] + " × " + records["age_from"].astype(str)),
        characteristic="age x sex",
    ).loc["Male × 18"]
    assert np.isnan(crossed["standardised"]) and "no other age or sex" in crossed["standardised_note"]


def test_few_events_and_few_without_the_event_are_withheld_with_the_reason() -> None:
    sizes = {(c, 35, sex): 50 for c in "ABC" for sex in ("Female", "Male")}
    records = people(sizes, 0.5)
    order = records.groupby("category").cumcount()
    events = records["category"].map({"A": 9, "B": 91, "C": 15})
    found = worked_out(records.assign(x=(order < events).astype(float)))
    assert found.loc["A", "standardised_note"] == "not standardised: fewer than 10 events"
    assert found.loc["B", "standardised_note"] == "not standardised: fewer than 10 without the event"
    assert np.isnan(found.loc[["A", "B"], "standardised_lower"]).all()
    assert found.loc["C", "standardised_note"] == "standardised: fewer than 20 events: low reliability"
    waits = worked_out(records.groupby("category").head(4).assign(x=4.0), "wait")
    assert "fewer than 5 people" in waits.loc["A", "standardised_note"]
    waits = worked_out(
        records[records["sex"] == "Male"].groupby("category").head(8).assign(x=np.arange(24.0)), "wait"
    )
    assert waits.loc["A", "standardised_note"] == "not standardised: fewer than 10 people"


def test_people_of_unknown_age_or_sex_are_left_out_and_said() -> None:
    records = people(even("AB", 40), 0.4)
    unknown = people({("A", -1, "Female"): 100, ("A", 35, ""): 33}, 0.9)
    found = worked_out(pd.concat([records, unknown], ignore_index=True)).loc["A"]
    assert found["standardised"] == pytest.approx(plain(records, "A", ["age_from", "sex"]))
    assert found["standardised_note"] == "standardised: about 25% of unknown age or sex left out"


def test_without_any_age_the_structure_is_by_sex_and_without_either_there_is_none() -> None:
    records = people(even("AB", 40) | {("A", 18, "Male"): 200}, 0.4)
    found = worked_out(records.assign(age_from=-1)).loc["A"]
    assert found["standardised"] == pytest.approx(plain(records, "A", ["sex"]))
    found = worked_out(records.assign(age_from=-1, sex="")).loc["A"]
    assert np.isnan(found["standardised"]) and found["standardised_note"].startswith("not standardised")


def test_quantiles_and_empty_groups_have_no_standardised_value() -> None:
    records = people(even("AB", 10), 0.4)
    assert (
        worked_out(records.assign(measure="median"), "median").loc["A", "standardised_note"]
        == "not standardised: a quantile"
    )
    strata = strata_of(records, measure="missed", characteristic="ethnicity")
    nobody = strata.assign(people=0.0, cases=0.0, n=0.0, x=0.0, nn=0.0, nx=0.0, xx=0.0)
    answer = standardise(
        effective(nobody, MEASURES),
        cells_of_whole(records, measure="missed").assign(characteristic="ethnicity", level="detailed"),
        MEASURES,
        bands=BANDS,
        confidence=0.95,
    )
    assert answer["standardised"].isna().all()


def test_limits_hold_the_truth_as_often_as_they_say() -> None:
    # 400 young groups of about 130 people, all of the same risk at each age, in a whole with many older people.
    risk = {0: 0.1, 18: 0.2, 35: 0.3, 50: 0.5, 65: 0.7}
    many = dict(zip(BANDS, (20, 16, 12, 9, 7), strict=True))
    sizes = {(f"G{i}", age, sex): many[age] for i in range(400) for age in BANDS for sex in "FM"}
    sizes |= {("Others", age, sex): 12_000 for age in (50, 65) for sex in "FM"}
    records = people(sizes, risk)
    truth = records["age_from"].map(risk).mean()
    found = worked_out(records).drop(["Everyone", "Others"])
    held = (found["standardised_lower"] <= truth) & (truth <= found["standardised_upper"])
    assert truth - found["value"].mean() > 0.05
    assert 0.93 <= held.mean() <= 0.985


def test_repeated_contacts_widen_the_limits() -> None:
    once = people(even("AB", 20), 0.4)
    four = pd.concat([once] * 4, ignore_index=True)
    alone, repeated = worked_out(once, "contacts").loc["A"], worked_out(four, "contacts").loc["A"]
    assert repeated["standardised"] == pytest.approx(alone["standardised"])
    assert repeated["design_effect"] == pytest.approx(4, rel=0.02)
    assert repeated["standardised_se"] == pytest.approx(alone["standardised_se"], rel=0.03)
