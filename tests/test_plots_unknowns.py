"""Charts of people of unknown group: what they could do to each finding, and whether their outcome differs."""

import math
import re
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

import equitydata as eq
from equitydata.errors import ConfigError
from equitydata.plots.unknowns import known_or_not, unknowns
from equitydata.release import release
from equitydata.tables import HIDDEN
from report_sample import framed, sample_result, without_extract

HOSTILE = "<script>alert(1)</script>{{7*7}}\u202e=cmd" + "x" * 40_000
DNA = {"measure": "dna", "measure_label": "Did not attend"}
ETHNIC = {"characteristic": "ethnicity", "label": "Ethnic group", "level": "groups"}


@cache
def bare_result() -> eq.EquityResult:
    return sample_result(equity=False)


def with_tables(**tables: pd.DataFrame) -> eq.EquityResult:
    return replace(bare_result(), tables={**bare_result().tables, **tables})


def finding(category: str, ratios: tuple, robustness: str, **more) -> dict:
    """A row of `unknowns`: ratios are of those known, with none, with all, lowest and highest."""
    known, none, everyone, lowest, highest = ratios
    row = {**DNA, **ETHNIC, "category": category, "of": "outcome", "people": 400, "unknown": 150}
    row |= {"ratio": known, "ratio_none": none, "ratio_all": everyone, "lowest": lowest, "highest": highest}
    return row | {"robustness": robustness, "note": ""} | more


BOUND = finding("Asian", (1.23, 1.22, 1.05, 0.3, 3.6), "turns at a bound", turns_at_least=0.0314)
FRAGILE = finding("Black", (0.8, 0.83, 0.97, 0.7, 1.2), "fragile", turns_at_most=0.1, turns_at_least=0.1)
FIRM = finding("White", (1.5, 1.5, 1.4, 1.2, 1.7), "firm")
FIRM_BUT_FOR_EXTREMES = finding("Mixed", (1.5, 1.5, 1.3, 0.9, 1.9), "firm")
NO_FINDING = finding("Other", (1.01, 1.01, 1.0, 0.7, 1.4), "")


def result_of(*rows: dict, hidden: tuple[bool, ...] = ()) -> eq.EquityResult:
    frame = framed("unknowns", list(rows))
    return with_tables(unknowns=frame.assign(**{HIDDEN: list(hidden)}) if hidden else frame)


def _elements(chart) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(chart.svg).iter())  # noqa: S314 - our own


def texts(chart) -> list[str]:
    return [element.text for element in _elements(chart) if element.tag.endswith("}text")]


def check(charts) -> None:
    """What holds for every chart: readable SVG with ids of its own, and a table of text."""
    for chart in charts:
        ids = [element.get("id") for element in _elements(chart) if element.get("id")]
        assert len(set(ids)) == len(ids)
        assert all(each.startswith(chart.name) for each in ids)
        assert "<script" not in chart.svg
        assert len(chart.svg) < 60_000
        assert re.fullmatch(r"figure-[a-z0-9-]+", chart.name)
        assert len(chart.title) < 250
        assert len(set(chart.table.columns)) == len(chart.table.columns)
        assert chart.table.map(lambda cell: isinstance(cell, str) and cell != "").all().all()


# ---------------------------------------------------------------- what the unknown could do


def test_findings_that_could_turn_come_first_fragile_ones_at_the_top_and_are_named():
    (chart,) = unknowns(result_of(FIRM, BOUND, NO_FINDING, FRAGILE))
    assert (
        chart.title
        == "Did not attend: 2 of 3 findings could turn on people of unknown group: Black and Asian"
    )
    assert list(chart.table["Group"]) == [f"{name} (Ethnic group)" for name in ("Black", "Asian", "White")]
    assert list(chart.table["Reading"]) == ["Could turn", "Could turn", "Holds for any share"]
    assert list(chart.table["Of the unknown, turns at"]) == ["its share of the known", "3.1% or more", "–"]
    assert {"its share of the known", "3.1% or more"} <= set(texts(chart))
    check([chart])


def test_the_table_holds_the_numbers_of_the_result():
    (chart,) = unknowns(result_of(BOUND))
    assert dict(chart.table.iloc[0]) == {
        "Group": "Asian (Ethnic group)",
        "People": "400",
        "Unknown": "150",
        "Ratio of those known": "1.23",
        "With none of the unknown": "1.22",
        "With all of them": "1.05",
        "Lowest": "0.30",
        "Highest": "3.60",
        "Of the unknown, turns at": "3.1% or more",
        "Reading": "Could turn",
    }


def test_findings_that_hold_do_so_for_any_share_but_perhaps_not_at_an_extreme():
    (chart,) = unknowns(result_of(FIRM, FIRM_BUT_FOR_EXTREMES))
    assert chart.title == (
        "Did not attend: none of 2 findings would turn, whichever share of the unknown is of the group"
    )
    assert list(chart.table["Of the unknown, turns at"]) == ["–", "an extreme alone"]
    assert "Of these, 1 would turn if only people with the outcome" in chart.alternative


def test_both_tipping_shares_are_said():
    row = finding(
        "Asian", (1.2, 1.3, 1.1, 0.9, 1.4), "turns at a bound", turns_at_most=0.05, turns_at_least=0.6
    )
    (chart,) = unknowns(result_of(row))
    assert list(chart.table["Of the unknown, turns at"]) == ["5.0% or less; 60.0% or more"]


def test_bars_stand_at_the_numbers_of_the_table():
    (chart,) = unknowns(result_of(BOUND))
    (axes,) = chart.figure.subfigs[1].axes
    bars = {
        line.get_linewidth(): list(line.get_xdata())[:2] for line in axes.lines if len(line.get_xdata()) == 3
    }
    assert bars == {1.4: [0.3, 3.6], 6: [1.22, 1.05]}
    (mark,) = [line for line in axes.lines if line.get_marker() == "D"]
    assert list(mark.get_xdata()) == [1.23]
    assert axes.get_xscale() == "log"


def test_users_against_residents_have_a_chart_and_cases_against_residents_have_none():
    users = FIRM | {"of": "representation", "measure": "users", "measure_label": "Users"}
    cases = FIRM | {"of": "representation"}
    charts = unknowns(result_of(BOUND, cases, users))
    assert [chart.name for chart in charts] == ["figure-unknowns-dna", "figure-unknowns-users"]
    assert len(charts[0].table) == 1
    assert charts[1].title.startswith("Who is served: none of 1 finding would turn")
    assert charts[1].subtitle.startswith("Ratio to residents")
    assert [chart.name for chart in unknowns(result_of(BOUND, users), measure="users")] == [
        "figure-unknowns-users"
    ]


def test_hidden_rows_stand_with_a_symbol_and_without_their_numbers():
    (chart,) = unknowns(result_of(FIRM, BOUND, hidden=(False, True)))
    assert chart.title.startswith("Did not attend: none of 1 finding")
    assert list(chart.table["Lowest"]) == ["1.20", "[c]"]
    assert "3.60" not in chart.svg + chart.table.to_string() + chart.alternative
    assert texts(chart).count("[c]") == 1


def test_all_hidden_is_said():
    (chart,) = unknowns(
        result_of(FIRM | {"robustness": None}, BOUND | {"robustness": None}, hidden=(True, True))
    )
    assert chart.title == (
        "Did not attend: what people of unknown group could do is hidden by the small-number rule"
    )
    check([chart])


def test_measures_without_a_finding_have_no_chart():
    assert unknowns(result_of(NO_FINDING)) == ()


def test_endless_ratios_are_drawn_to_the_edge():
    row = finding("Asian", (1.5, 1.5, math.inf, 0.0, math.inf), "turns at a bound", turns_at_least=0.5)
    (chart,) = unknowns(result_of(row))
    assert list(chart.table.loc[0, ["With all of them", "Lowest", "Highest"]]) == [
        "no limit",
        "0.00",
        "no limit",
    ]
    check([chart])


def test_many_findings_are_cut_and_the_heading_says_of_how_many():
    rows = [FIRM | {"category": f"Group {place}"} for place in range(60)]
    (chart,) = unknowns(result_of(BOUND, *rows))
    assert len(chart.table) == 30
    assert "Holds for any share (29 of 60)" in texts(chart)
    assert chart.title.startswith("Did not attend: 1 of 61 findings")
    check([chart])


# ---------------------------------------------------------------- known or not


def known(of: str, label: str, values: tuple[float, float], ratios: tuple[float, float, float]) -> dict:
    ratio, lower, upper = ratios
    row = {**DNA, "characteristic": of, "label": label, "statistic": "share", "people": 900, "unknown": 100}
    row |= {"known_value": values[0], "unknown_value": values[1], "ratio": ratio, "note": ""}
    return row | {"ratio_lower": lower, "ratio_upper": upper}


DIFFERENT = known("religion", "Religion or belief", (0.14, 0.15), (0.93, 0.87, 0.99))
ALIKE = known("ethnicity", "Ethnic group", (0.14, 0.15), (0.93, 0.8, 1.1))


def known_result(*rows: dict, hidden: tuple[bool, ...] = ()) -> eq.EquityResult:
    frame = framed("known_or_not", list(rows))
    return with_tables(known_or_not=frame.assign(**{HIDDEN: list(hidden)}) if hidden else frame)


def test_people_differ_only_where_the_limits_leave_out_1():
    (chart,) = known_or_not(known_result(ALIKE, DIFFERENT))
    assert chart.title == "Did not attend: people differ by whether their religion or belief is known"
    assert dict(chart.table.iloc[0]) == {
        "Characteristic": "Religion or belief",
        "People, known": "900",
        "People, not known": "100",
        "Value, known": "14.0%",
        "Value, not known": "15.0%",
        "Ratio": "0.93",
        "Limits": "0.87 to 0.99",
        "Reading": "Clearly different",
    }
    assert chart.table.iloc[1, 0] == "Ethnic group"
    check([chart])


@pytest.mark.parametrize(
    ("note", "reading"),
    [
        (
            "people of unknown group differ: figures of the known groups do not stand for everyone",
            "Clearly different",
        ),
        (
            "no sign that people of unknown group differ, which does not show that they are alike",
            "No clear difference",
        ),
        ("few people of unknown group: little can be said", "Not enough data"),
    ],
)
def test_what_the_analysis_said_of_true_counts_goes_before_limits_of_rounded_ones(note, reading):
    for row in (ALIKE, DIFFERENT):
        (chart,) = known_or_not(known_result(row | {"note": note}))
        assert list(chart.table["Reading"]) == [reading]


def test_no_sign_of_a_difference_is_not_called_alike():
    (chart,) = known_or_not(known_result(ALIKE))
    assert chart.title == "Did not attend: no sign that people of unknown group differ, by 1 characteristic"
    assert "does not show that they are alike" in chart.alternative


def test_hidden_and_unjudged_characteristics_are_told_apart():
    unjudged = known("age", "Age", (0.14, math.nan), (math.nan, math.nan, math.nan))
    (chart,) = known_or_not(known_result(unjudged, DIFFERENT, hidden=(False, True)))
    assert (
        chart.title
        == "Did not attend: whether people of unknown group differ is hidden by the small-number rule"
    )
    assert list(chart.table["Ratio"]) == ["[x]", "[c]"]
    assert list(chart.table["Reading"]) == ["Not enough data", "Hidden, small numbers"]
    assert {"[x]", "[c]", "14.0%, [x]"} <= set(texts(chart))
    (alone,) = known_or_not(known_result(unjudged))
    assert alone.title.endswith("whether people of unknown group differ is not known")


def test_ratios_of_known_or_not_stand_at_their_numbers():
    (chart,) = known_or_not(known_result(DIFFERENT))
    (axes,) = chart.figure.subfigs[1].axes
    (bar,) = [line for line in axes.lines if len(line.get_xdata()) == 3]
    assert np.allclose(list(bar.get_xdata())[:2], [0.87, 0.99])


# ---------------------------------------------------------------- any result


def test_hostile_labels_are_shown_harmless():
    bad = {"measure_label": HOSTILE, "label": HOSTILE}
    charts = [
        *unknowns(result_of(BOUND | bad | {"category": HOSTILE})),
        *known_or_not(known_result(DIFFERENT | bad)),
    ]
    assert len(charts) == 2
    check(charts)
    for chart in charts:
        assert "\u202e" not in chart.svg + chart.title + chart.table.to_string()


@pytest.mark.parametrize("draw", [unknowns, known_or_not])
def test_an_unknown_measure_is_refused_with_the_names_there_are(draw):
    result = with_tables(unknowns=framed("unknowns", [BOUND]), known_or_not=framed("known_or_not", [ALIKE]))
    with pytest.raises(ConfigError, match="Available: dna"):
        draw(result, measure="dnaa")


@pytest.mark.parametrize("draw", [unknowns, known_or_not])
def test_a_result_without_outcomes_has_nothing_to_draw(draw):
    assert draw(bare_result()) == draw(without_extract()) == ()
    assert draw(replace(bare_result(), tables={})) == ()


@pytest.mark.parametrize("draw", [unknowns, known_or_not])
def test_a_released_result_is_drawn_the_same_way_each_time(draw):
    released = release(sample_result(), "nhs")
    first, second = draw(released), draw(released)
    check(first)
    assert len(first) == 1
    assert [chart.svg for chart in first] == [chart.svg for chart in second]
