"""How values fall away, where and over time, as pictures: the words say what the numbers of the tables say."""

from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from equitydata.plots.completeness import MOST_CELLS, SHADES, by_place, fall, over_time
from equitydata.plots.style import COLOURS
from equitydata.written import percent
from report_sample import framed, sample_result, without_extract
from tables_helper import analysed, released_as

BUILDERS = (fall, by_place, over_time)
HOSTILE = ("<script>alert(1)</script>", "{{7*7}}", "=cmd|' /C calc'!A0", "\u202eabc\u2066", "x" * 40_000)


made_by_hand = cache(sample_result)


def with_table(name, rows, *, hidden=None):
    """The result made by hand with another table; hidden: which rows are hidden in it."""
    whole = made_by_hand()
    frame = framed(name, rows)
    if hidden is not None:
        frame = frame.assign(hidden=hidden)
        frame.loc[frame["hidden"], ["numerator", "denominator", "value", "lower", "upper"]] = np.nan
    return replace(whole, tables={**whole.tables, name: frame})


def places(shares, *, by="site", flagged=(), characteristic="joint", label="Ethnicity and language together"):
    """Rows of the breakdown: group -> (known, people)."""
    return [
        {
            "characteristic": characteristic,
            "label": label,
            "by": by,
            "group": group,
            "order": order,
            "unit": "people",
        }
        | {"numerator": known, "denominator": people, "flagged": group in flagged}
        for order, (group, (known, people)) in enumerate(shares.items(), start=1)
    ]


def all_hidden():
    """The released result with every row hidden, as that of a handful of people is."""
    result = released_as()
    numbers = ["numerator", "denominator", "value", "lower", "upper"]
    blanked = {
        name: frame.assign(hidden=True, **{each: np.nan for each in numbers if each in frame})
        for name, frame in result.tables.items()
        if "hidden" in frame
    }
    return replace(result, tables={**result.tables, **blanked})


def check_chart(chart):
    """What holds for every chart: an SVG that parses, with ids of its own, no script, and a table of text."""
    root = ElementTree.XML(chart.svg)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) and all(each.startswith(f"{chart.name}-") for each in ids)
    assert "<script" not in chart.svg and len(chart.svg) < 60_000
    assert chart.table.map(lambda cell: isinstance(cell, str) and cell != "").all(axis=None)
    assert chart.table.columns.is_unique and all(chart.table.columns)
    assert not any("nan" in text.split() for text in texts(chart))
    assert len(chart.title) < 250 and chart.title and chart.alternative and chart.source


def texts(chart):
    """Everything that is written in the picture."""
    return [
        element.text or "" for element in ElementTree.XML(chart.svg).iter() if element.tag.endswith("}text")
    ]


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize("result", [analysed, released_as, all_hidden, made_by_hand])
def test_every_chart_is_whole_for_true_released_and_hidden_numbers(builder, result):
    for chart in builder(result()):
        check_chart(chart)


def test_every_dimension_has_its_heat_map():
    charts = [
        chart
        for by in ("site", "point_of_care", "age_band", "sex", "deprivation", "month", "contacts")
        for chart in by_place(released_as(), by)
    ]
    assert len({chart.name for chart in charts}) == 7
    for chart in charts:
        check_chart(chart)


@pytest.mark.parametrize("builder", BUILDERS)
def test_nothing_is_drawn_where_nothing_was_counted(builder):
    assert builder(without_extract()) == ()
    whole = made_by_hand()
    bare = {name: frame for name, frame in whole.tables.items() if name not in ("completeness", "breakdown")}
    assert builder(replace(whole, tables=bare)) == ()


@pytest.mark.parametrize("builder", BUILDERS)
def test_the_same_result_gives_the_same_picture(builder):
    first, second = builder(released_as()), builder(released_as())
    assert first and [chart.svg for chart in first] == [chart.svg for chart in second]


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_labels_are_shown_harmless(label):
    site = by_place(
        with_table("breakdown", places({label: (10, 100), "North": (99, 100)}, flagged=[label], label=label))
    )
    steps = [{"characteristic": "ethnicity", "label": label, "measure": "known", "unit": "people"}]
    fallen = fall(with_table("completeness", [{**steps[0], "numerator": 90, "denominator": 100}]))
    for chart in (*site, *fallen):
        check_chart(chart)
        assert "\u202e" not in chart.svg and "\u2066" not in chart.table.to_csv()
    assert len(site) == len(fallen) == 1


# ---------------------------------------------------------------- the fall


def test_the_fall_shows_the_numbers_of_the_table():
    result = analysed()
    table = result.completeness.query("characteristic == 'ethnicity' and unit == 'people'").set_index(
        "measure"
    )
    chart = fall(result, "ethnicity")[0]
    known = chart.table[chart.table["Step"] == "The answer is known"].iloc[0]
    assert known["Share"] == percent(table["value"]["known"]) and known["Share"] in chart.title
    assert known["Number"] == str(table["numerator"]["known"])
    assert set(chart.table["Share"]) <= set(texts(chart))


def test_who_gave_the_value_is_counted_of_records():
    chart = fall(analysed(), "ethnicity")[0]
    own = chart.table[chart.table["Step"] == "The person gave it"].iloc[0]
    counted = (
        analysed().verification.query("characteristic == 'ethnicity' and measure == 'self_reported'").iloc[0]
    )
    assert own["Counted"] == "records with a known answer"
    assert (own["Number"], own["Of"]) == (str(counted["numerator"]), str(counted["denominator"]))
    assert "Of the records with a known answer" in texts(chart)
    assert "The person gave it" not in set(fall(analysed(), "language")[0].table["Step"])


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (949_600, "94.96% of people, below the 95% mark"),
        (950_000, "95.0% of people, at or above the 95% mark"),
    ],
)
def test_a_share_below_the_mark_is_never_rounded_up_to_it(known, words):
    row = {"characteristic": "ethnicity", "measure": "known", "unit": "people"}
    chart = fall(with_table("completeness", [{**row, "numerator": known, "denominator": 1_000_000}]))[0]
    assert chart.title == f"Ethnic group: known for {words}"


def test_steps_that_are_not_there_are_left_out():
    row = {"characteristic": "ethnicity", "unit": "people", "denominator": 100}
    rows = [{**row, "measure": "populated", "numerator": 90}, {**row, "measure": "known", "numerator": 60}]
    chart = fall(with_table("completeness", rows))[0]
    assert list(chart.table["Step"])[:2] == ["Something is recorded", "The answer is known"]
    assert "The widest step down leads to “The answer is known”" in chart.alternative


def test_a_hidden_step_reads_so_and_is_no_zero():
    row = {"characteristic": "ethnicity", "unit": "people", "denominator": 100}
    rows = [{**row, "measure": "populated", "numerator": 90}, {**row, "measure": "known", "numerator": 60}]
    chart = fall(with_table("completeness", rows, hidden=[False, True]))[0]
    assert chart.title == "Ethnic group: how many answers are known is not shown"
    assert list(chart.table["Share"])[:2] == ["90.0%", "[c]"] and "[c]" in texts(chart)
    assert "0.0%" not in texts(chart)


def test_a_characteristic_that_is_not_there_draws_nothing():
    assert fall(analysed(), "shoe_size") == ()


# ---------------------------------------------------------------- places


def test_flagged_places_are_the_message_and_stand_first():
    shares = {"North": (96, 100), "South": (60, 100), "West": (90, 100)}
    chart = by_place(with_table("breakdown", places(shares, flagged=["South"])))[0]
    assert chart.title == "Values are known far less often than overall for South"
    assert list(chart.table["Site"]) == ["South", "West", "North"]
    assert list(chart.table.iloc[:, -1]) == ["60.0%, flagged", "90.0%", "96.0%"]
    assert "flagged: far below the whole" in texts(chart)


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({"North": (96, 100), "South": (90, 100)}, "below the 95% mark for South; no site is flagged"),
        (
            {"North": (91, 100), "South": (90, 100)},
            "below the 95% mark for every site with a number; none is flagged",
        ),
        (
            {"North": (96, 100), "South": (98, 100)},
            "at or above the 95% mark for every site with a number; none is flagged",
        ),
    ],
)
def test_without_flags_the_message_is_where_the_mark_is_missed(shares, words):
    chart = by_place(with_table("breakdown", places(shares)))[0]
    assert chart.title == f"Ethnicity and language together: {words}"
    assert "flagged: far below the whole" not in texts(chart)


def test_hidden_cells_and_people_of_no_place_come_last():
    shares = {"Not recorded": (1, 100), "North": (96, 100), "South": (9, 90)}
    chart = by_place(with_table("breakdown", places(shares), hidden=[False, False, True]))[0]
    assert chart.table["Site"][0] == "North" and chart.table.set_index("Site").iloc[:, -1]["South"] == "[c]"
    assert "[c] hidden, a small number" in texts(chart)
    assert chart.title.endswith("at or above the 95% mark for every site with a number; none is flagged")


def test_groups_with_an_order_of_their_own_keep_it_and_months_have_names():
    shares = {"2025-04": (90, 100), "2025-05": (60, 100), "2025-06": (80, 100)}
    chart = by_place(with_table("breakdown", places(shares, by="month", flagged=["2025-05"])), "month")[0]
    assert list(chart.table["Month"]) == ["April 2025", "May 2025", "June 2025"]
    assert chart.title.endswith("for May 2025")


def test_a_field_says_nothing_within_its_own_dimension():
    columns = {by: set(by_place(analysed(), by)[0].table.columns) for by in ("sex", "site")}
    # The dimension itself is the first column.
    assert "Ethnic group" in columns["sex"] and "Sex" in columns["site"]
    assert list(by_place(analysed(), "sex")[0].table.columns).count("Sex") == 1
    assert by_place(analysed(), "shoe_size") == ()


def test_many_places_and_fields_are_cut_and_the_picture_says_so():
    rows = [
        row
        for name in ["joint", "ethnicity", "language", *(f"field{n}" for n in range(12))]
        for row in places(
            {f"Site {n}": (n + 1, 100) for n in range(50)},
            characteristic=name,
            label=name,
            flagged=["Site 3"] if name == "field11" else [],
        )
    ]
    chart = by_place(with_table("breakdown", rows))[0]
    check_chart(chart)
    assert len(chart.table) == 30 and chart.table["Site"][0] == "Site 0"
    assert (len(chart.table.columns) - 2) * 30 <= MOST_CELLS
    assert list(chart.table.columns[2:5]) == ["joint", "ethnicity", "language"]
    assert "field11" in chart.table, "a flagged field is kept"
    assert "the rest is in breakdown.csv" in chart.subtitle


def test_a_flag_that_the_picture_has_no_room_for_is_told_all_the_same():
    shares = {f"Site {n}": (n + 1, 100) for n in range(50)}
    chart = by_place(with_table("breakdown", places(shares, flagged=["Site 49"])))[0]
    assert "Site 49" not in set(chart.table["Site"])
    assert chart.title.endswith("for Site 49") and "No cell shown is flagged" in chart.alternative


def test_columns_cut_to_the_same_words_stay_apart():
    rows = [
        row
        for name, label in {"one": "x" * 60, "two": "x" * 61}.items()
        for row in places({"North": (9, 10), "South": (8, 10)}, characteristic=name, label=label)
    ]
    check_chart(by_place(with_table("breakdown", rows))[0])


def test_the_numbers_of_a_heat_map_can_be_read_on_their_colour():
    def light(colour):
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    for shade, ink in zip(SHADES, ("ink", "ink", "paper", "paper"), strict=True):
        dark, bright = sorted((light(shade), light(COLOURS[ink])))
        assert (bright + 0.05) / (dark + 0.05) >= 4.5, shade


# ---------------------------------------------------------------- time


def months(shares):
    return [
        row
        for name in ("joint", "ethnicity", "language")
        for row in places(shares, by="month", characteristic=name, label=name)
    ]


@pytest.mark.parametrize(
    ("last", "change"),
    [((850, 1000), "no clear change"), ((950, 1000), "which is higher"), ((700, 1000), "which is lower")],
)
def test_a_change_is_claimed_only_where_limits_do_not_meet(last, change):
    chart = over_time(with_table("breakdown", months({"2025-04": (840, 1000), "2025-05": last})))[0]
    share = percent(last[0] / last[1], 0.95)
    assert chart.title == f"joint: known for 84.0% in April 2025 and {share} in May 2025, {change}"


def test_a_month_without_anyone_has_its_place():
    chart = over_time(with_table("breakdown", months({"2025-11": (84, 100), "2026-02": (85, 100)})))[0]
    assert list(chart.table["Month"]) == ["November 2025", "December 2025", "January 2026", "February 2026"]
    assert list(chart.table["joint"]) == ["84.0%", "[x]", "[x]", "85.0%"]


def test_a_hidden_month_breaks_the_line_and_reads_so():
    rows = places({"2025-04": (84, 100), "2025-05": (3, 5), "2025-06": (85, 100)}, by="month", label="Both")
    chart = over_time(with_table("breakdown", rows, hidden=[False, True, False]))[0]
    assert list(chart.table["Both"]) == ["84.0%", "[c]", "85.0%"] and "[c]" in texts(chart)
    assert "It is below the mark in every month shown" in chart.alternative


def test_one_month_is_no_course():
    assert over_time(with_table("breakdown", months({"2025-04": (84, 100)}))) == ()


def test_of_many_months_the_latest_are_drawn():
    shares = {f"{2015 + n // 12}-{n % 12 + 1:02d}": (84, 100) for n in range(120)}
    chart = over_time(with_table("breakdown", months(shares)))[0]
    check_chart(chart)
    assert len(chart.table) == 36 and chart.table["Month"].iloc[-1] == "December 2024"


def test_the_numbers_of_the_charts_are_those_of_the_released_tables():
    result = released_as()
    table = result.breakdown.query("unit == 'people'")
    shares = {percent(value, 0.95) for value in table["value"].dropna()} | {"[c]", "[x]"}
    for chart in (*by_place(result), *by_place(result, "sex"), *over_time(result)):
        words = chart.table.iloc[:, 1:].map(lambda cell: cell.removesuffix(", flagged"))
        drawn = words.loc[:, ~words.columns.str.contains("limits") & (words.columns != "People")]
        assert set(pd.unique(drawn.to_numpy().ravel())) <= shares


def test_places_that_share_one_word_stand_in_one_row():
    result = analysed()
    breakdown = result.table("breakdown")
    sites = breakdown["by"] == "site"
    unnamed = breakdown.assign(group=breakdown["group"].mask(sites, "[a place of few records]"))
    kept = pd.concat([breakdown[sites].assign(group="North"), unnamed[sites], breakdown[~sites]])
    (chart,) = by_place(replace(result, tables={**result.tables, "breakdown": kept}))
    assert sorted(chart.table.iloc[:, 0]) == ["North", "[a place of few records]"]
