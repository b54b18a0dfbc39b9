"""Places against their average: funnels by hand, and what places differ by beyond chance."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from equitydata.places import place_table
from equitydata.rulebook import load_rulebook
from equitydata.service import Measure
from equitydata.stats.units import overdispersion
from equitydata.strata import SUMS, Strata
from equitydata.tables import PLACES_TABLE
from tables_helper import table

RULES = load_rulebook()
MET = {"column": "attendance", "in": ["5"]}
SHARE = Measure(label="Attended", kind="access", numerator=MET, polarity="favourable")
RATE = Measure(label="Falls", kind="safety", numerator=MET, person_time="days", polarity="adverse")
MEAN = Measure(label="Days waited", kind="access", value="wait_days", polarity="adverse")
OF_PEOPLE = SHARE.model_copy(update={"counts": "people"})
MEAN_OF_PEOPLE = MEAN.model_copy(update={"counts": "people"})


def strata_of(places: pd.DataFrame, whole: dict[str, float] | None = None) -> Strata:
    """Strata of places alone: measure m by site; sums that are not given are not known, as for contacts.

    whole : sums of everyone; those of as many people with one contact each when left out.
    """
    named = places.assign(measure="m", by="site") if "measure" not in places else places
    placed = named.reindex(columns=["measure", "by", "place", *SUMS])
    n, x = placed["n"].sum(), placed["x"].sum()
    sums = whole or {"people": n, "cases": x, "n": n, "x": x, "nn": n, "nx": x, "xx": x}
    rows = [
        {"measure": measure, "characteristic": "all", "label": "Everyone", "level": "all", "ordered": False}
        | {"category": "Everyone", "order": 1, "status": "known"}
        | sums
        for measure in placed["measure"].unique()
    ]
    nothing = pd.DataFrame()
    return Strata(
        strata=pd.DataFrame(rows),
        cells=nothing,
        values=nothing,
        periods=nothing,
        pairs=nothing,
        places=placed,
        labels={},
    )


EIGHT = table("""
    place | n    | x
    A     | 1000 | 300
    B     | 1000 | 310
    C     | 400  | 118
    D     | 400  | 190
    E     | 100  | 41
    F     | 100  | 15
    G     | 900  | 262
    H     | 10   | 4
""")


def test_a_share_is_labelled_by_its_tails_and_lies_where_its_limits_say() -> None:
    found = place_table(strata_of(EIGHT), {"m": SHARE}, RULES)
    assert list(found.columns) == list(PLACES_TABLE.columns)
    average = EIGHT["x"].sum() / EIGHT["n"].sum()
    assert found["average"].tolist() == pytest.approx([average] * 8)
    error = np.sqrt(average * (1 - average) / EIGHT["n"])
    for digits, level in (("95", 0.95), ("998", 0.998)):
        reach = stats.norm.ppf(0.5 + level / 2) * error
        assert np.allclose(found[f"lower_{digits}"], np.clip(average - reach, 0, 1))
        assert np.allclose(found[f"upper_{digits}"], np.clip(average + reach, 0, 1))
    above = (found["value"] > found["upper_95"]).astype(int) + (found["value"] > found["upper_998"])
    below = (found["value"] < found["lower_95"]).astype(int) + (found["value"] < found["lower_998"])
    words = {-2: "much lower", -1: "lower", 0: "not different", 1: "higher", 2: "much higher"}
    assert found["position"].tolist() == [words[side] for side in above - below]
    assert found.set_index("place")["position"][["A", "D", "E", "F"]].tolist() == [
        "not different",
        "much higher",
        "higher",
        "much lower",
    ]
    assert found["numerator"].tolist() == EIGHT["x"].tolist()
    assert set(found["note"]) == {"fewer than 10 places: the differences between them are poorly known"}


def test_dispersion_and_the_second_position_allow_for_differences_between_places() -> None:
    found = place_table(strata_of(EIGHT), {"m": SHARE}, RULES)
    plain = overdispersion(numerator=EIGHT["x"], denominator=EIGHT["n"], scale="arcsine")
    assert found["dispersion"].tolist() == pytest.approx([plain.phi] * 8)
    assert found["between"].tolist() == pytest.approx([np.sqrt(plain.tau_squared)] * 8)
    assert plain.phi > 2
    assert found["places"].tolist() == [8] * 8
    distance = np.arcsin(np.sqrt(EIGHT["x"] / EIGHT["n"])) - np.arcsin(np.sqrt(found["average"]))
    z = distance / np.sqrt(1 / (4 * EIGHT["n"]) + found["between"] ** 2)
    different = found["position_overdispersed"] != "not different"
    assert different.tolist() == (z.abs() > 1.959964).tolist()
    positions = found.set_index("place")[["position", "position_overdispersed"]]
    assert positions.loc["E"].tolist() == ["higher", "not different"]
    assert positions.loc["D"].tolist() == ["much higher", "much higher"]


def test_the_second_position_is_never_more_extreme_than_the_first() -> None:
    chance = np.random.default_rng(3)
    order = ["much lower", "lower", "not different", "higher", "much higher"]
    milder = 0
    for _ in range(60):
        n = chance.integers(5, 400, 25)
        x = chance.binomial(n, np.clip(0.1 + chance.normal(size=25) * 0.06, 0, 1))
        frame = pd.DataFrame({"place": [f"P{k}" for k in range(25)], "n": n, "x": x})
        found = place_table(strata_of(frame), {"m": SHARE}, RULES)
        first, second = (found[name].map(order.index) - 2 for name in ("position", "position_overdispersed"))
        assert ((second.abs() <= first.abs()) & (first * second >= 0)).all()
        milder += (second.abs() < first.abs()).sum()
        assert (found["note"] == "").all()
    assert milder > 50


def test_places_that_differ_by_chance_only_show_no_dispersion() -> None:
    chance = np.random.default_rng(8)
    n = chance.integers(200, 900, 40)
    frame = pd.DataFrame({"place": [f"P{k}" for k in range(40)], "n": n, "x": chance.binomial(n, 0.3)})
    found = place_table(strata_of(frame), {"m": SHARE}, RULES)
    assert found["dispersion"].iloc[0] == pytest.approx(
        0.83, abs=0.35
    )  # of normal z with outer tenths drawn in
    assert (found["position"] == "not different").mean() > 0.85
    assert found["between"].iloc[0] == 0
    assert (found["position"] == found["position_overdispersed"]).all()


def test_repeated_contacts_are_judged_on_counts_divided_by_the_design_effect() -> None:
    # 700 people with four contacts each, alike within a person: every contact of theirs met it, or none did.
    n = 2800.0
    whole = {"people": 700.0, "cases": 210.0, "n": n, "x": 840.0}
    whole |= {"nn": 700 * 16.0, "nx": 210 * 16.0, "xx": 210 * 16.0}
    frame = pd.DataFrame({"place": ["A", "B", "C"], "n": [400.0, 1200, 1200], "x": [144.0, 348, 348]})
    one = place_table(strata_of(frame, whole), {"m": SHARE}, RULES).set_index("place").loc["A"]
    effect = 4 * 700 / 699
    error = np.sqrt(0.3 * 0.7 / (400 / effect))
    assert one["upper_95"] == pytest.approx(0.3 + 1.959964 * error)
    assert one["position"] == "not different"
    assert "judged on counts divided by the design effect, 4.01" in one["note"]
    with_blank = pd.concat([frame, pd.DataFrame({"place": ["Not recorded"], "n": [9.0], "x": [3.0]})])
    blank = place_table(strata_of(with_blank, whole), {"m": SHARE}, RULES).set_index("place")
    assert blank.loc["Not recorded", "note"] == "place not recorded: not in the average and held against none"
    alone = place_table(strata_of(frame), {"m": SHARE}, RULES).set_index("place").loc["A"]
    assert alone["position"] == "higher"
    assert alone["value"] == one["value"] == 0.36


def test_records_without_a_place_are_shown_and_not_in_the_average() -> None:
    frame = pd.concat([EIGHT, pd.DataFrame({"place": ["Not recorded"], "n": [500], "x": [450]})])
    found = place_table(strata_of(frame), {"m": SHARE}, RULES).set_index("place")
    without = place_table(strata_of(EIGHT), {"m": SHARE}, RULES).set_index("place")
    pd.testing.assert_frame_equal(found.drop(index="Not recorded"), without)
    gone = found.loc["Not recorded"]
    assert (gone["value"], gone["numerator"]) == (0.9, 450)
    assert (gone["position"], gone["position_overdispersed"]) == ("not assessed", "not assessed")
    assert np.isnan(gone["upper_95"])
    assert gone["note"] == "place not recorded: not in the average and held against none"


def test_a_rate_has_exact_poisson_limits() -> None:
    frame = table("""
        place | n    | x
        A     | 1000 | 44
        B     | 3000 | 56
        C     | 2000 | 44
        D     | 100  | 0
    """)
    found = place_table(strata_of(frame), {"m": RATE}, RULES).set_index("place")
    average = 144 / 6100
    assert found["average"].iloc[0] == pytest.approx(average)
    one = found.loc["A"]
    expected = 1000 * average
    assert stats.poisson.sf(43, expected) < 0.001
    assert one["position"] == "much higher"
    # At the upper limit, a count whose exact lower limit is the expected one: its upper tail is 0.025.
    at = one["upper_95"] * 1000
    assert stats.gamma.cdf(expected, at) == pytest.approx(0.025, rel=1e-6)
    assert found.loc["D", "position"] == "not different"
    assert found.loc["D", "lower_95"] == 0
    plain = overdispersion(numerator=frame["x"], denominator=frame["n"], scale="root")
    assert found["dispersion"].iloc[0] == pytest.approx(plain.phi)


def people_of(values: dict[str, np.ndarray]) -> pd.DataFrame:
    """Sums of one value a person."""
    return pd.DataFrame(
        [
            (place, len(v), (v > 0).sum(), len(v), v.sum(), len(v), v.sum(), (v**2).sum())
            for place, v in values.items()
        ],
        columns=["place", *SUMS],
    )


def test_a_mean_is_held_against_the_average_by_the_spread_of_its_people() -> None:
    chance = np.random.default_rng(2)
    values = {f"P{k}": 40 + 8 * chance.normal(size=60) for k in range(12)}
    values["P3"] = values["P3"] + 9
    values["P4"] = values["P4"] - 3
    found = place_table(strata_of(people_of(values)), {"m": MEAN_OF_PEOPLE}, RULES).set_index("place")
    average = np.concatenate(list(values.values())).mean()
    assert found["average"].iloc[0] == pytest.approx(average)
    assert found.loc["P3", "position"] == "much higher"
    z = []
    for place, v in values.items():
        test = stats.ttest_1samp(v, average)
        z.append(test.statistic)
        inside = found.loc[place, "lower_95"] <= v.mean() <= found.loc[place, "upper_95"]
        assert inside == (test.pvalue > 0.05)
        assert (found.loc[place, "position"] == "not different") == (test.pvalue > 0.05)
    low, high = np.quantile(z, [0.1, 0.9])
    assert found["dispersion"].iloc[0] == pytest.approx((np.clip(z, low, high) ** 2).mean())
    assert found["numerator"].isna().all()
    assert found["places"].iloc[0] == 12


def test_what_means_differ_by_is_found_again() -> None:
    # The standard deviation between 200 places is 3, and the middle 80% of them are judged by.
    chance = np.random.default_rng(4)
    values = {f"P{k}": 40 + 3 * chance.normal() + 8 * chance.normal(size=50) for k in range(200)}
    found = place_table(strata_of(people_of(values)), {"m": MEAN_OF_PEOPLE}, RULES)
    assert 2 < found["between"].iloc[0] < 3.2
    plain, widened = (
        (found[name] != "not different").mean() for name in ("position", "position_overdispersed")
    )
    assert plain > 0.3
    assert widened < 0.15


def test_means_without_sums_of_people_and_places_of_few_people_are_not_assessed() -> None:
    contacts = pd.DataFrame({"place": ["A", "B"], "n": [400.0, 300], "x": [8000.0, 7000]})
    found = place_table(strata_of(contacts), {"m": MEAN}, RULES)
    assert found["value"].tolist() == [20, 7000 / 300]
    assert set(found["position"]) == {"not assessed"}
    assert set(found["note"]) == {"people were not told apart by place: no standard error of the mean"}
    assert found[["lower_95", "dispersion"]].isna().all(axis=None)

    chance = np.random.default_rng(1)
    values = {"A": chance.normal(size=80), "B": chance.normal(size=80), "C": chance.normal(size=29)}
    values["D"] = np.full(40, 2.0)
    few = place_table(strata_of(people_of(values)), {"m": MEAN_OF_PEOPLE}, RULES).set_index("place")
    assert few.loc["C", "position"] == few.loc["D", "position"] == "not assessed"
    assert few.loc["C", "note"] == "fewer than 30 people"
    assert few.loc["D", "note"] == "everyone has the same value: no standard error"
    assert few["places"].iloc[0] == 2


def test_one_place_nobody_and_no_spread_are_said() -> None:
    one = place_table(
        strata_of(pd.DataFrame({"place": ["A", "Not recorded"], "n": [50, 50], "x": [10, 30]})),
        {"m": SHARE},
        RULES,
    ).set_index("place")
    assert one.loc["A", "note"] == "fewer than 2 places: nothing to compare"
    assert set(one["position"]) == {"not assessed"}
    assert one["dispersion"].isna().all()

    nobody = place_table(
        strata_of(pd.DataFrame({"place": ["A", "B", "C"], "n": [50, 60, 0], "x": [0, 0, 0]})),
        {"m": SHARE},
        RULES,
    ).set_index("place")
    assert nobody.loc["C", "position"] == "not assessed"
    assert nobody.loc["C", "note"] == "nobody counted"
    assert np.isnan(nobody.loc["C", "value"])
    assert nobody.loc["A", "note"].startswith("the average is 0 or 1")
    assert nobody.loc["A", "position"] == "not different"


def test_each_kind_of_place_and_measure_has_an_average_of_its_own() -> None:
    frame = table("""
        measure | by            | place | n   | x
        m       | site          | A     | 100 | 20
        m       | site          | B     | 100 | 40
        m       | point_of_care | GP    | 150 | 30
        m       | point_of_care | Ward  | 150 | 90
        o       | site          | A     | 80  | 8
        o       | site          | B     | 120 | 12
        users   | site          | A     | 80  | 80
    """)
    found = place_table(strata_of(frame), {"m": SHARE, "o": SHARE}, RULES)
    averages = found.groupby(["measure", "by"], sort=False)["average"].unique().map(list)
    assert averages.tolist() == [[0.3], [0.4], [0.1]]
    assert "users" not in set(found["measure"])


def test_without_places_or_with_quantiles_alone_the_table_is_empty() -> None:
    quantile = Measure(label="Median", kind="access", value="w", quantile=0.5, polarity="adverse")
    for strata, measures in ((strata_of(EIGHT.iloc[:0]), {"m": SHARE}), (strata_of(EIGHT), {"m": quantile})):
        found = place_table(strata, measures, RULES)
        assert (len(found), list(found.columns)) == (0, list(PLACES_TABLE.columns))


def test_a_share_of_people_by_place_has_no_design_effect() -> None:
    values = {"A": np.repeat([1.0, 0], [30, 70]), "B": np.repeat([1.0, 0], [55, 65])}
    found = place_table(strata_of(people_of(values)), {"m": OF_PEOPLE}, RULES)
    average = 85 / 220
    error = np.sqrt(average * (1 - average) / 100)
    assert found["lower_95"].iloc[0] == pytest.approx(average - 1.959964 * error)
    assert found["people"].tolist() == [100, 120]
