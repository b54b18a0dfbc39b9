"""What people of unknown group could do to a finding: against plain arithmetic, and at the edges."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats import proportion

from equitydata.comparison.unknowns import known_or_not_table, unknowns_table
from equitydata.rulebook import load_rulebook
from equitydata.tables import KNOWN_OR_NOT_TABLE, UNKNOWNS_TABLE
from plain_strata import measure, strata_from

RULES = load_rulebook()
BY_ETHNICITY = {("ethnicity", "groups"): "eth"}


def people(counts: dict[str, tuple[int, int]]) -> pd.DataFrame:
    """One record a person: group -> (people who met it, people)."""
    rows = [(group, float(k < met)) for group, (met, n) in counts.items() for k in range(n)]
    frame = pd.DataFrame(rows, columns=["eth", "x"])
    return frame.assign(person=range(len(frame)), n=1.0)


def bounds(records: pd.DataFrame, *, residents=None, **settings) -> pd.DataFrame:
    strata = strata_from(records, characteristics=BY_ETHNICITY)
    table = unknowns_table(strata, measure(**settings), RULES, residents=residents)
    assert list(table.columns) == list(UNKNOWNS_TABLE.columns)
    return table


def row_of(table: pd.DataFrame, category: str) -> pd.Series:
    (row,) = (row for _, row in table[table["category"] == category].iterrows())
    return row


COUNTS = {"Black": (60, 200), "White": (120, 800), "?missing": (10, 60), "?declined": (8, 40)}


def test_a_ratio_is_worked_out_with_none_all_and_a_share_of_the_unknown():
    row = row_of(bounds(people(COUNTS)), "Black")
    x1, n1, x2, n2, ux, un = 60, 200, 120, 800, 18, 100
    assert (row["of"], row["people"], row["unknown"]) == ("outcome", 200, 100)
    assert row["ratio"] == pytest.approx((x1 / n1) / (x2 / n2))
    assert row["ratio_none"] == pytest.approx((x1 / n1) / ((x2 + ux) / (n2 + un)))
    assert row["ratio_all"] == pytest.approx(((x1 + ux) / (n1 + un)) / (x2 / n2))
    assert row["ratio_pro_rata"] == pytest.approx(((x1 + ux * 0.2) / 220) / ((x2 + ux * 0.8) / 880))
    assert row["highest"] == pytest.approx(((x1 + ux) / (n1 + ux)) / (x2 / (n2 + un - ux)))
    assert row["lowest"] == pytest.approx((x1 / (n1 + un - ux)) / ((x2 + ux) / (n2 + ux)))


def test_a_wide_finding_is_firm_and_a_narrow_one_turns():
    assert row_of(bounds(people(COUNTS)), "Black")["robustness"] == "firm"
    turned = row_of(bounds(people({**COUNTS, "?missing": (0, 150)})), "Black")
    assert turned["robustness"] == "turns at a bound"
    share = turned["turns_at_least"]
    given = [
        (60 + 8 * q, 200 + 190 * q, 120 + 8 * (1 - q), 800 + 190 * (1 - q)) for q in (share - 0.01, share)
    ]
    low = [
        proportion.confint_proportions_2indep(*each, method="score", compare="ratio", correction=False)[0]
        for each in given
    ]
    assert low[0] > 1 >= low[1] - 1e-6


def test_a_finding_that_pro_rata_turns_is_fragile():
    """Just clear of no difference; the unknown have the outcome rarely, and draw both sides together."""
    row = row_of(bounds(people({"A": (60, 200), "B": (180, 800), "?missing": (180, 2000)})), "A")
    assert row["robustness"] == "fragile"
    assert row["turns_at_most"] == row["turns_at_least"] == pytest.approx(0.2)


def test_without_a_finding_there_is_no_robustness():
    table = bounds(people({"A": (20, 200), "B": (85, 800), "?missing": (3, 30)}))
    assert (table["robustness"] == "").all() and (table["note"] == "no finding that could turn").all()


def test_without_unknown_people_a_finding_stands():
    row = row_of(bounds(people({"A": (60, 200), "B": (120, 800)})), "A")
    assert row["robustness"] == "firm" and row["unknown"] == 0
    assert row["ratio"] == row["ratio_none"] == row["ratio_all"] == row["lowest"] == row["highest"]


def test_people_to_whom_it_does_not_apply_are_not_unknown():
    row = row_of(bounds(people({**COUNTS, "?not_applicable": (50, 100)})), "Black")
    assert row["unknown"] == 100


def test_empty_groups_and_no_cases_have_no_ratio():
    table = bounds(people({"A": (0, 50), "B": (0, 100), "?missing": (2, 20)}))
    assert table["ratio"].isna().all() and (table["note"] == "no ratio from the known").all()
    assert bounds(people({"?missing": (2, 20)})).empty


def test_rates_are_bounded_in_the_same_way():
    records = people({"A": (60, 200), "B": (90, 800), "?missing": (30, 100)})
    records["n"] = 2.0
    row = row_of(bounds(records, counts="contacts", person_time="days"), "A")
    assert row["ratio"] == pytest.approx((60 / 400) / (90 / 1600))
    assert row["ratio_all"] == pytest.approx((90 / 600) / (90 / 1600))
    assert row["ratio_none"] == pytest.approx((60 / 400) / (120 / 1800))
    assert row["ratio_pro_rata"] == pytest.approx((66 / 440) / (114 / 1760))
    assert row["lowest"] <= min(row["ratio_none"], row["ratio_all"])
    assert row["highest"] >= max(row["ratio_none"], row["ratio_all"])
    assert row["robustness"] == "firm"


def test_means_are_bounded_by_giving_the_unknown_their_own_mean():
    chance = np.random.default_rng(3)
    records = people({"A": (0, 200), "B": (0, 800), "?missing": (0, 900)})
    records["x"] = chance.gamma(4, 5, len(records))
    records.loc[records["eth"] == "A", "x"] += 4
    row = row_of(bounds(records, value="wait"), "A")
    a, b, unknown = (records.loc[records["eth"] == g, "x"] for g in ("A", "B", "?missing"))
    assert row["ratio"] == pytest.approx(a.mean() / b.mean())
    assert row["ratio_none"] == pytest.approx(a.mean() / pd.concat([b, unknown]).mean())
    assert row["ratio_all"] == pytest.approx(pd.concat([a, unknown]).mean() / b.mean())
    assert row["robustness"] == "turns at a bound"
    q = row["turns_at_least"]
    assert 0.2 < q < 1
    # Just at the tipping share the limits of the ratio reach 1.
    m1 = (a.sum() + q * unknown.sum()) / (200 + q * 900)
    m2 = (b.sum() + (1 - q) * unknown.sum()) / (800 + (1 - q) * 900)
    squares = [(s**2).sum() for s in (a, b, unknown)]
    n1, n2 = 200 + q * 900, 800 + (1 - q) * 900
    v1 = (squares[0] + q * squares[2] - n1 * m1**2) / (n1 - 1) / n1
    v2 = (squares[1] + (1 - q) * squares[2] - n2 * m2**2) / (n2 - 1) / n2
    lower = np.log(m1 / m2) - 1.9615 * np.sqrt(v1 / m1**2 + v2 / m2**2)
    assert lower == pytest.approx(0, abs=2e-3)


def test_rates_against_residents_give_only_events_of_the_unknown():
    records = people({"A": (80, 80), "B": (100, 100), "?missing": (20, 20)})
    residents = pd.DataFrame(
        {"characteristic": "ethnicity", "level": "groups", "category": ["A", "B"], "residents": [1000, 3000]}
    )
    row = row_of(bounds(records, per_residents=True, residents=residents), "A")
    assert row["ratio_all"] == pytest.approx((100 / 1000) / (100 / 3000))
    assert row["ratio_none"] == pytest.approx((80 / 1000) / (120 / 3000))
    assert row["robustness"] == "firm"


def test_quantiles_have_no_bounds():
    assert bounds(people(COUNTS), value="wait", quantile=0.5).empty


def test_the_ratio_of_repeated_contacts_is_that_of_the_contacts():
    chance = np.random.default_rng(5)
    records = people(COUNTS)
    records = records.loc[records.index.repeat(chance.integers(1, 6, len(records)))]
    row = row_of(bounds(records, counts="contacts"), "Black")
    sums = records.groupby("eth")[["x", "n"]].sum()
    unknown = sums.loc[["?missing", "?declined"]].sum()
    own, rest = sums.loc["Black"], sums.loc["White"]
    expected = ((own + unknown)["x"] / (own + unknown)["n"]) / (rest["x"] / rest["n"])
    assert row["ratio_all"] == pytest.approx(expected)


# ---------------------------------------------------------------- known or not


def known_or_not(records: pd.DataFrame, **settings) -> pd.Series:
    strata = strata_from(records, characteristics=BY_ETHNICITY)
    table = known_or_not_table(strata, measure(**settings), RULES)
    assert list(table.columns) == list(KNOWN_OR_NOT_TABLE.columns)
    (row,) = (row for _, row in table.iterrows())
    return row


def test_people_of_known_group_are_held_against_those_of_unknown_group():
    row = known_or_not(people(COUNTS))
    assert (row["people"], row["unknown"]) == (1000, 100)
    assert (row["known_value"], row["unknown_value"]) == pytest.approx((0.18, 0.18))
    assert row["p"] == pytest.approx(1) and row["note"].startswith("no sign")
    row = known_or_not(people({**COUNTS, "?missing": (40, 60)}))
    assert row["p"] == pytest.approx(stats.chi2_contingency([[180, 820], [48, 52]], correction=False).pvalue)
    assert row["ratio"] == pytest.approx(0.18 / 0.48) and "do not stand for everyone" in row["note"]


def test_nobody_unknown_nobody_known_and_few_unknown_are_said():
    row = known_or_not(people({"A": (5, 50)}))
    assert row["note"] == "everyone's group is known" and np.isnan(row["unknown_value"])
    row = known_or_not(people({"?missing": (5, 50), "A": (1, 5)}))
    assert row["unknown"] == 50
    row = known_or_not(people({"A": (50, 500), "?missing": (4, 9)}))
    assert "few people of unknown group" in row["note"]


def test_rates_means_and_medians_are_compared_in_the_same_way():
    chance = np.random.default_rng(1)
    records = people({"A": (0, 100), "B": (0, 100), "?missing": (0, 90)})
    records["x"] = chance.integers(1, 40, len(records)) + (records["eth"] == "?missing") * 5.0
    known, unknown = (
        records.loc[here, "x"] for here in (records["eth"] != "?missing", records["eth"] == "?missing")
    )
    row = known_or_not(records, value="wait")
    both = [stats.ttest_ind(known, unknown, equal_var=alike).pvalue for alike in (True, False)]
    assert row["p"] == pytest.approx(max(both))
    row = known_or_not(records, value="wait", quantile=0.5)
    assert (row["known_value"], row["unknown_value"]) == (known.median(), unknown.median())
    row = known_or_not(records.assign(n=3.0), counts="contacts", person_time="days")
    assert row["known_value"] == pytest.approx(known.sum() / 600)


def test_rates_against_residents_cannot_tell():
    row = known_or_not(people({"A": (5, 5), "?missing": (3, 3)}), per_residents=True)
    assert np.isnan(row["ratio"]) and row["note"] == "residents of unknown group cannot be counted"
    assert (row["people"], row["unknown"]) == (5, 3)
