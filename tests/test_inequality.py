"""Inequality summaries of the groups of an outcome, by formulas written out here and by models of single records."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from equitydata.inequality import MOST_GROUPS, SUMMARIES, inequality_table
from equitydata.rates.outcomes import outcome_table
from equitydata.rulebook import load_rulebook
from equitydata.service import Measure
from equitydata.tables.equity import INEQUALITY_TABLE
from plain_sums import SUMS
from tables_helper import table

ADVERSE = Measure(
    label="Did not attend", kind="access", numerator={"column": "a", "in": ["x"]}, polarity="adverse"
)
WAIT = Measure(label="Days waited", kind="access", value="days", polarity="adverse")
MEASURES = {
    "missed": ADVERSE.model_copy(update={"counts": "people"}),
    "contacts": ADVERSE,
    "seen": ADVERSE.model_copy(update={"counts": "people", "polarity": "favourable"}),
    "neutral": ADVERSE.model_copy(update={"counts": "people", "polarity": "neutral"}),
    "falls": ADVERSE.model_copy(update={"person_time": "days"}),
    "wait": WAIT.model_copy(update={"counts": "people"}),
    "median": WAIT.model_copy(update={"quantile": 0.5}),
}
RULES = load_rulebook()
ETHNICITY = """
    category | n    | x
    Arab     | 50   | 20
    Asian    | 400  | 100
    Black    | 200  | 60
    White    | 1000 | 150
    """
FIFTHS = """
    category | n   | x
    Fifth 1  | 300 | 120
    Fifth 2  | 250 | 90
    Fifth 3  | 200 | 60
    Fifth 4  | 150 | 40
    Fifth 5  | 100 | 20
    """
DEPRIVATION = {"characteristic": "deprivation", "label": "Deprivation", "level": "quintile", "ordered": True}


def strata_drawn(text: str, **given) -> pd.DataFrame:
    frame = table(text)
    if "nn" not in frame:  # each person counted once
        frame = frame.assign(people=frame["n"], cases=frame["x"], nn=frame["n"], nx=frame["x"], xx=frame["x"])
    filled = {
        "measure": "missed",
        "characteristic": "ethnicity",
        "label": "Ethnicity",
        "level": "groups",
        "ordered": False,
        "status": "known",
        "order": np.arange(len(frame)),
        **given,
    }
    frame = frame.assign(**{name: value for name, value in filled.items() if name not in frame})
    return frame.astype(dict.fromkeys(SUMS, float))


def summaries(strata: pd.DataFrame, *, reference=None, values=None) -> pd.DataFrame:
    """The table, by the short names of the summaries."""
    keys = ["measure", "characteristic", "level", "category", "status", "value", "people"]
    tables = SimpleNamespace(
        strata=strata,
        cells=strata.iloc[:0].assign(age_from=0, sex=""),
        values=pd.DataFrame(columns=keys) if values is None else values,
    )
    outcomes = outcome_table(tables, MEASURES, RULES)
    found = inequality_table(outcomes, tables, MEASURES, reference or {}, RULES)
    assert list(found.columns) == list(INEQUALITY_TABLE.columns)
    return found.set_index("summary")


def test_groups_without_order_have_the_summaries_of_their_formulas() -> None:
    found = summaries(strata_drawn(ETHNICITY))
    n, x = np.array([50, 400, 200, 1000.0]), np.array([20, 100, 60, 150.0])
    y, p = x / n, n / n.sum()
    mean = x.sum() / n.sum()
    expected = {
        "D": 0.4 - 0.15,
        "R": 0.4 / 0.15,
        "BGV": (p * (y - mean) ** 2).sum(),
        "BGSD": (p * (y - mean) ** 2).sum() ** 0.5,
        "COV": 100 * (p * (y - mean) ** 2).sum() ** 0.5 / mean,
        "Theil": (p * y / mean * np.log(y / mean)).sum(),
        "MLD": -(p * np.log(y / mean)).sum(),
        "MDMU": abs(y - mean).mean(),
        "MDMW": (p * abs(y - mean)).sum(),
        "MDBU": (y - 0.15).mean(),
        "MDBW": (p * (y - 0.15)).sum(),
        "IDISU": 100 * abs(y - mean).mean() / mean,
        "IDISW": 100 * (p * abs(y - mean)).sum() / mean,
        "PAR": 0.15 - mean,
        "PAF": 100 * (0.15 - mean) / mean,
    }
    assert found["value"].to_dict() == pytest.approx(expected)
    reach = 1.959964 * (0.4 * 0.6 / 50 + 0.15 * 0.85 / 1000) ** 0.5
    assert found.loc["D", "upper"] == pytest.approx(0.25 + reach, abs=1e-6)
    assert found.loc["D", "compared"] == "Arab against White"
    assert found.loc["MDBU", "compared"] == "from White" and found.loc["PAR", "compared"] == "all as White"
    assert (found["groups"] == 4).all() and (found["left_out"] == 0).all()
    assert found.loc["R", "scale"] == "relative" and found.loc["D", "scale"] == "absolute"
    assert set(found.index) <= set(SUMMARIES)
    assert found.loc["MDMW", "method"] == "simulated, 10,000 draws, seed 1"


def test_what_cannot_be_below_0_has_what_chance_alone_would_give_beside_it() -> None:
    chance = np.random.default_rng(12)
    n = np.array([60, 80, 100, 120, 140, 160.0])
    strata = strata_drawn("category | n | x\n" + "\n".join(f"G{i} | {int(k)} | 1" for i, k in enumerate(n)))
    runs = []
    for _ in range(25):
        x = chance.binomial(n.astype(int), 0.3).astype(float)
        runs.append(summaries(strata.assign(x=x, cases=x, nx=x, xx=x)))
    for name in ("D", "BGSD", "MDMW", "MDBU", "IDISU", "Theil"):
        values = np.mean([run.loc[name, "value"] for run in runs])
        beside = np.mean([run.loc[name, "under_equality"] for run in runs])
        assert beside > 0 and values == pytest.approx(beside, rel=0.2), name
    assert runs[0].loc[["PAR"], "lower"].notna().all()


def test_an_ordered_level_has_the_slope_of_single_records_on_their_rank() -> None:
    found = summaries(strata_drawn(FIFTHS, **DEPRIVATION))
    assert found.index.tolist() == ["D", "R", "SII", "RII", "ACI", "RCI", "PAR", "PAF"]
    n, x = np.array([300, 250, 200, 150, 100]), np.array([120, 90, 60, 40, 20])
    rank = np.repeat((np.cumsum(n) - n / 2) / n.sum(), n)
    outcome = np.concatenate([np.repeat([1.0, 0.0], [a, b - a]) for a, b in zip(x, n, strict=True)])
    line = sm.OLS(outcome, sm.add_constant(rank)).fit()
    assert found.loc["SII", "value"] == pytest.approx(line.params[1])
    assert found.loc["RII", "value"] == pytest.approx((line.params[0] + line.params[1]) / line.params[0])
    width = (found.loc["SII", "upper"] - found.loc["SII", "lower"]) / (2 * 1.96)
    assert width == pytest.approx(line.bse[1], rel=0.1)
    assert found.loc["SII", "compared"] == "rank 0 is Fifth 1, rank 1 is Fifth 5"
    # Adverse: the most less the least disadvantaged, above 0 where the disadvantaged are worse off.
    assert found.loc["D", "value"] == pytest.approx(0.4 - 0.2)
    assert found.loc["D", "compared"] == "Fifth 1 against Fifth 5"
    relative = 2 * np.cov(rank, outcome, bias=True)[0, 1] / outcome.mean()
    assert found.loc["RCI", "value"] == pytest.approx(relative)
    assert found.loc["RCI", "value"] < 0
    favourable = summaries(strata_drawn(FIFTHS, **DEPRIVATION, measure="seen"))
    assert favourable.loc["D", "value"] == pytest.approx(0.2 - 0.4)
    assert favourable.loc["SII", "value"] == pytest.approx(line.params[1])


def test_a_gradient_that_is_no_line_is_told() -> None:
    assert not summaries(strata_drawn(FIFTHS, **DEPRIVATION))["note"].str.contains("on a line").any()
    step = """
        category | n    | x
        Fifth 1  | 3000 | 1200
        Fifth 2  | 2500 | 400
        Fifth 3  | 2000 | 320
        Fifth 4  | 1500 | 240
        Fifth 5  | 1000 | 160
        """
    found = summaries(strata_drawn(step, **DEPRIVATION))
    assert found["note"].str.contains("do not lie on a line").to_dict() == {
        name: name in ("SII", "RII") for name in found.index
    }


def test_the_order_of_the_rows_says_nothing_the_order_of_the_level_does() -> None:
    strata = strata_drawn(FIFTHS, **DEPRIVATION)
    turned = summaries(strata.sample(frac=1, random_state=4))
    pd.testing.assert_frame_equal(turned, summaries(strata))


def test_ages_have_an_order_and_no_disadvantage() -> None:
    age = {**DEPRIVATION, "characteristic": "age", "label": "Age", "level": "band"}
    found = summaries(strata_drawn(FIFTHS, **age))
    assert "SII" not in found.index and "BGSD" in found.index
    assert found["note"].str.contains("an order without disadvantage: taken as groups without order").all()


def test_a_neutral_measure_has_no_best_group() -> None:
    found = summaries(strata_drawn(ETHNICITY, measure="neutral"), reference={"ethnicity": "White"})
    assert not set(found.index) & {"MDBU", "MDBW", "PAR", "PAF"}
    assert found.loc["D", "value"] == pytest.approx(0.25)
    assert found.loc["D", "compared"] == "Arab against White"
    assert found.loc["MDRU", "value"] == pytest.approx(np.mean([0.25, 0.1, 0.15, 0.0]))
    ordered = summaries(strata_drawn(FIFTHS, **DEPRIVATION, measure="neutral"))
    assert ordered.index.tolist() == ["D", "R", "SII", "RII", "ACI", "RCI"]


def test_a_reference_is_held_against_where_the_level_has_it() -> None:
    found = summaries(strata_drawn(ETHNICITY), reference={"ethnicity": "Asian"})
    assert found.loc["D", "value"] == pytest.approx(0.4 - 0.25)
    assert found.loc["D", "compared"] == "Arab against Asian"
    assert found.loc["MDRU", "compared"] == "from Asian" and found.loc["PAF", "compared"] == "all as Asian"
    favourable = summaries(strata_drawn(ETHNICITY, measure="seen"), reference={"ethnicity": "Asian"})
    assert favourable.loc["D", "compared"] == "Asian against White"
    assert favourable.loc["D", "value"] == pytest.approx(0.25 - 0.15)
    elsewhere = summaries(strata_drawn(ETHNICITY), reference={"ethnicity": "White British"})
    assert "MDRU" not in elsewhere.index and elsewhere.loc["D", "value"] == pytest.approx(0.25)


def test_unknown_and_empty_groups_are_left_out_and_counted() -> None:
    found = summaries(
        strata_drawn("""
            category | status        | n    | x
            Arab     | known         | 50   | 20
            Asian    | known         | 400  | 100
            Black    | known         | 150  | 45
            Gypsy    | known         | 0    | 0
            Roma     | not collected |      |
            White    | known         | 1000 | 150
            Declined | declined      | 300  | 290
            Missing  | missing       | 100  | 1
            Invalid  | invalid       | 0    | 0
            """)
    )
    assert (found["groups"] == 4).all() and (found["left_out"] == 3).all()
    assert found["note"].str.contains("about 20% of people are of unknown group and left out").all()
    assert found["note"].str.contains("groups that nobody is in, left out: 1").all()
    same = summaries(strata_drawn(ETHNICITY.replace("200  | 60", "150  | 45")))
    assert found["value"].to_dict() == pytest.approx(same["value"].to_dict())


def test_an_ordered_group_of_nobody_has_no_rank_and_one_without_a_value_leaves_no_result() -> None:
    strata = strata_drawn(FIFTHS, **DEPRIVATION)
    nobody = strata.copy()
    nobody.loc[4, SUMS] = 0.0
    found = summaries(nobody)
    assert found.loc["SII", "compared"] == "rank 0 is Fifth 1, rank 1 is Fifth 4"
    assert found.loc["SII", "groups"] == 4 and found.loc["SII", "left_out"] == 1
    lone = strata.assign(measure="wait", xx=strata["x"] * 2)
    lone.loc[2, SUMS] = [1.0, 1.0, 1.0, 3.0, 1.0, 3.0, 9.0]
    refused = summaries(lone)
    assert refused["value"].isna().all()
    assert refused["note"].str.contains("ordered measures need every group").all()


def test_repeated_contacts_widen_the_limits() -> None:
    once = strata_drawn(ETHNICITY, measure="contacts")
    four = once.assign(n=once["n"] * 4, x=once["x"] * 4, nn=once["nn"] * 16, nx=once["nx"] * 16)
    four = four.assign(xx=once["xx"] * 16)
    alone, repeated = summaries(once), summaries(four)
    assert repeated["value"].to_dict() == pytest.approx(alone["value"].to_dict())
    reach = (alone["upper"] - alone["lower"]).loc[["D", "BGV", "MDMW", "PAR"]]
    wider = (repeated["upper"] - repeated["lower"]).loc[["D", "BGV", "MDMW", "PAR"]]
    assert wider.to_numpy() == pytest.approx(reach.to_numpy(), rel=0.05)


def test_two_groups_have_a_difference_and_a_ratio_alone_and_one_group_has_nothing() -> None:
    two = summaries(strata_drawn("category | n | x\nFemale | 100 | 30\nMale | 120 | 60"))
    assert two.index.tolist() == ["D", "R"]
    assert two["value"].tolist() == pytest.approx([0.5 - 0.3, 0.5 / 0.3])
    assert two.loc["D", "compared"] == "Male against Female"
    assert summaries(strata_drawn("category | n | x\nFemale | 100 | 30")).empty
    assert summaries(strata_drawn("category | n | x\nFemale | 100 | 30\nMale | 0 | 0")).empty
    unknown = strata_drawn("category | n | x\nDeclined | 9 | 3\nMissing | 8 | 2").assign(status="declined")
    assert summaries(unknown).empty


def test_a_group_without_events_says_what_cannot_be_had() -> None:
    found = summaries(strata_drawn("category | n | x\nA | 100 | 0\nB | 120 | 60\nC | 90 | 30"))
    assert found.loc["D", "value"] == 0.5
    assert found.loc["D", "lower"] < 0.5 < found.loc["D", "upper"]
    assert np.isnan(found.loc["R", "value"]) and "not above 0" in found.loc["R", "note"]
    assert np.isnan(found.loc["MLD", "value"]) and "infinite" in found.loc["MLD", "note"]
    none = summaries(strata_drawn("category | n | x\nA | 100 | 0\nB | 120 | 0\nC | 90 | 0"))
    assert none.loc["D", "value"] == 0 and np.isnan(none.loc["COV", "value"])


def test_a_shaky_best_group_is_told() -> None:
    found = summaries(strata_drawn("category | n | x\nA | 12 | 1\nB | 120 | 60\nC | 90 | 30"))
    assert found.loc["D", "note"].endswith("fewer than 30 people are A")
    assert found.loc["MDBU", "note"].endswith("fewer than 30 people are A")
    assert "fewer than 30" not in found.loc["MDMU", "note"]


def test_rates_and_means_have_theirs_too() -> None:
    falls = summaries(
        strata_drawn(
            """
            category | people | cases | n    | x   | nn   | nx  | xx
            A        | 100    | 30    | 120  | 30  | 160  | 36  | 30
            B        | 200    | 90    | 240  | 90  | 320  | 108 | 90
            C        | 300    | 60    | 360  | 60  | 480  | 72  | 60
            """,
            measure="falls",
        )
    )
    assert falls.loc["R", "value"] == pytest.approx((90 / 240) / (60 / 360))
    assert falls.loc["PAR", "method"] == "delta"
    waits = strata_drawn(
        """
        category | people | cases | n   | x    | nn  | nx   | xx
        A        | 40     | 40    | 40  | 400  | 40  | 400  | 4390
        B        | 90     | 90    | 90  | 1350 | 90  | 1350 | 21140
        C        | 60     | 60    | 60  | 780  | 60  | 780  | 10730
        D        | 1      | 1     | 1   | 50   | 1   | 50   | 2500
        """,
        measure="wait",
    )
    found = summaries(waits)
    errors = [((xx - x**2 / n) / (n - 1) / n) ** 0.5 for n, x, xx in ((90, 1350, 21140), (40, 400, 4390))]
    assert found.loc["D", "value"] == 5
    assert found.loc["D", "upper"] == pytest.approx(5 + 1.959964 * np.hypot(*errors), abs=1e-5)
    assert (found["left_out"] == 1).all() and found["note"].str.contains(
        "too few people for limits, left out: 1"
    ).all()


def test_quantiles_have_no_mean_over_groups() -> None:
    strata = strata_drawn("category | n | x\nA | 60 | 0\nB | 60 | 0\nC | 60 | 0", measure="median")
    values = strata[["measure", "characteristic", "level", "category", "status"]].merge(
        pd.DataFrame({"value": np.arange(60.0)}), how="cross"
    )
    values["value"] += values["category"].map({"A": 0, "B": 10, "C": 25})
    found = summaries(strata, values=values.assign(people=1.0))
    assert found.index.tolist() == ["D", "R"]
    assert found.loc["D", "value"] == 25


def test_many_groups_have_only_what_needs_no_draws() -> None:
    lines = "\n".join(f"Ward {i:03d} | 50 | {i % 20 + 1}" for i in range(MOST_GROUPS + 1))
    found = summaries(strata_drawn("category | n | x\n" + lines))
    assert found.index.tolist() == ["BGV"] and found.loc["BGV", "lower"] >= 0
    assert found.loc["BGV", "under_equality"] > 0


def test_every_measure_and_level_has_its_own_rows_and_an_empty_table_has_the_columns() -> None:
    strata = pd.concat(
        [
            strata_drawn(ETHNICITY),
            strata_drawn(ETHNICITY, measure="seen"),
            strata_drawn(FIFTHS, **DEPRIVATION),
            strata_drawn("category | n | x\nEveryone | 9 | 3", characteristic="all", level="all"),
        ],
        ignore_index=True,
    )
    found = summaries(strata)
    assert set(zip(found["measure"], found["characteristic"], strict=True)) == {
        ("missed", "ethnicity"),
        ("seen", "ethnicity"),
        ("missed", "deprivation"),
    }
    assert summaries(strata.iloc[:0]).empty
