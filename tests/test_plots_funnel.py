"""Funnel plots of places: what they say, when they are a funnel, and that they draw the limits of the table."""

import re
from dataclasses import replace
from functools import cache
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from equitydata.plots.funnel import MOST, MOST_NAMED, MOST_ROWS, funnel
from equitydata.plots.style import COLOURS, WIDTH
from equitydata.release import release
from findings_helper import filled
from report_sample import sample_result, without_extract
from tables_helper import table

HOSTILE = ["<script>alert(1)</script>", "{{7*7}}", "=cmd|' /C calc'!A0", "a\u202eb", "x" * 40_000, "ok"]
AVERAGE = 0.1
# Six places: one far above, one a little below, one hidden, and one where nobody was counted.
PLACES = table("""
    place   | denominator | value | position      | position_overdispersed
    North   | 400         | 0.17  | much higher   | higher
    South   | 900         | 0.075 | lower         | not different
    East    | 100         | 0.12  | not different | not different
    West    | 2500        | 0.10  | not different | not different
    Centre  | 1600        | 0.11  | not different | not different
    Harbour |             |       |               |
    Moor    | 0           |       | not assessed  | not assessed
""").assign(hidden=[False] * 5 + [True, False])


def placed(frame, **others):
    """Rows of the table of places, of one measure and kind unless they say otherwise; limits narrow with size."""
    given = {
        "measure": "dna",
        "measure_label": "Did not attend",
        "by": "site",
        "statistic": "share",
        "average": AVERAGE,
        "hidden": False,
        **others,
    }
    full = frame.assign(
        **{name: value for name, value in given.items() if name not in frame or name in others}
    )
    full = full.assign(people=full["denominator"])
    error = np.sqrt(AVERAGE * (1 - AVERAGE) / full["denominator"].where(full["denominator"] > 0))
    for name, z in (("lower_95", -1.96), ("upper_95", 1.96), ("lower_998", -3.09), ("upper_998", 3.09)):
        if name not in full:
            full[name] = (AVERAGE + z * error).clip(lower=0)
    hidden = full["hidden"].to_numpy()
    shown = full.assign(average=full["average"].mask(hidden))
    return filled("places", shown.drop(columns="hidden")).assign(hidden=hidden)


@cache
def sample():
    return sample_result(equity=False)


def result(*parts, **tables):
    return replace(
        sample(), tables={**sample().tables, "places": pd.concat(parts, ignore_index=True), **tables}
    )


def alike(number, **others):
    frame = pd.DataFrame({"place": [f"Site {place:03d}" for place in range(number)], "value": AVERAGE})
    sizes = range(100, 100 + number)
    return placed(frame.assign(denominator=sizes, position="not different"), **others)


def words(chart):
    """The text elements of a chart, once the SVG is seen to be whole and its ids its own."""
    root = ElementTree.fromstring(chart.svg)  # noqa: S314 - our own
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) and all(each.startswith(f"{chart.name}-") for each in ids)
    assert "<script" not in chart.svg
    fills = {fill.lower() for fill in re.findall(r"<text[^>]*fill: (#[0-9A-Fa-f]+)", chart.svg)}
    assert fills <= {COLOURS[name].lower() for name in ("ink", "blue", "plum")}
    said = ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("}text")]
    assert not any(re.search(r"\bnan\b", line) for line in said)
    return said


def axes_of(chart):
    figure = Figure(figsize=(WIDTH, chart.height))
    chart.draw(figure)
    return figure.axes[0]


def test_a_funnel_says_how_many_places_are_outside_and_names_the_furthest():
    (chart,) = funnel(result(placed(PLACES)))
    assert chart.name == "figure-funnel-dna-site" and chart.csv == "places"
    assert chart.title == (
        "Did not attend by site: 1 of 5 sites outside the 99.8% limits: North much higher (17.0% against 10.0%)"
    )
    assert "5 sites assessed, average 10.0%" in chart.alternative
    assert "North much higher (17.0% against 10.0%) and South lower (7.5% against 10.0%)" in chart.alternative
    assert "Not outside once limits allow for differences between places: South." in chart.alternative
    assert "Hidden [c]: Harbour." in chart.alternative and "Nobody counted: Moor." in chart.alternative


def test_the_picture_names_places_outside_and_not_those_inside():
    (chart,) = funnel(result(placed(PLACES)))
    said = words(chart)
    assert {"North 17.0%", "South 7.5%", "99.8%", "95%", "average 10.0%", "Hidden [c]: Harbour."} <= set(said)
    assert not any("East" in line or "West" in line for line in said)


def test_the_table_holds_every_place_as_it_is_written():
    outcomes = filled("outcomes", pd.DataFrame({"measure": ["dna"], "unit": ["contacts"]}))
    (chart,) = funnel(result(placed(PLACES), outcomes=outcomes))
    rows = chart.table.set_index("Site")
    assert chart.table.columns.is_unique and list(rows.index) == PLACES["place"].tolist()
    assert rows.loc["West"].tolist() == [
        *("2,500", "10.0%", "10.0%", "8.8% to 11.2%", "8.1% to 11.9%", "Not different", "Not different")
    ]
    assert set(rows.loc["Harbour"]) == {"[c]"}
    assert rows.loc["Moor", ["Contacts", "Value", "95% limits", "Position"]].tolist() == [
        *("0", "[x]", "[x]", "Not assessed")
    ]


def test_places_within_the_inner_limits_or_only_the_outer_ones_are_told_apart():
    (chart,) = funnel(result(alike(6)))
    assert chart.title == "Did not attend by site: none of 6 sites outside the 95% limits"
    one = alike(6).assign(position=["higher"] + ["not different"] * 5)
    (chart,) = funnel(result(one))
    assert chart.title.startswith(
        "Did not attend by site: 1 of 6 sites outside the 95% limits, none outside 99.8%: Site 000 higher"
    )


def test_curves_go_through_the_limits_of_the_table():
    frame = placed(PLACES)
    axes = axes_of(funnel(result(frame))[0])
    curves = [line for line in axes.get_lines() if len(line.get_xdata()) == 60]
    assert len(curves) == 4
    known = frame.dropna(subset=["upper_95"])
    for line, name in zip(curves, ("lower_998", "lower_95", "upper_95", "upper_998"), strict=True):
        x, y = line.get_xdata()[::-1], line.get_ydata()[::-1]
        assert x.min() == pytest.approx(100) and x.max() == pytest.approx(2500)
        # Not steeper than the places themselves: no limit is drawn beyond the smallest and largest place.
        assert np.interp(known["denominator"], x, y) == pytest.approx(known[name].to_numpy(), abs=0.003)


def test_limits_that_do_not_belong_to_size_alone_are_drawn_for_each_place():
    means = alike(6).assign(statistic="mean", value=10.5, average=10.0)
    uneven = alike(6)
    uneven["upper_95"] = [0.12, 0.19, 0.12, 0.19, 0.12, 0.19]
    for frame in (means, uneven):
        axes = axes_of(funnel(result(frame))[0])
        assert not [line for line in axes.get_lines() if len(line.get_xdata()) == 60]
        drawn = [path for lines in axes.collections for path in lines.get_paths()]
        assert len(drawn) == 18


def test_fewer_than_five_places_are_rows_with_their_limits():
    (chart,) = funnel(result(placed(PLACES[PLACES["place"].isin(["North", "South", "Harbour", "Moor"])])))
    said = words(chart)
    assert chart.alternative.startswith("Dot plot")
    assert {"North", "South", "Harbour", "Moor", "17.0%", "[c]", "[x]", "Hidden", "Much higher"} <= set(said)
    assert len([path for lines in axes_of(chart).collections for path in lines.get_paths()]) == 6


def test_places_without_limits_say_why():
    note = "people were not told apart by place: no standard error of the mean"
    frame = alike(3).assign(position="not assessed", note=note, statistic="mean")
    frame[["lower_95", "upper_95", "lower_998", "upper_998"]] = np.nan
    (chart,) = funnel(result(frame))
    assert chart.title == "Did not attend by site: no site could be assessed"
    assert chart.subtitle.startswith(f"Value of each site, without limits ({note}); ")
    said = words(chart)
    assert said.count("Not assessed") == 3 and "Upright line: average of all sites, 0.1" in said


def test_the_side_of_harm_is_plum_and_in_words():
    flags = {"flag": ["disproportionate_high"], "harm": ["harm"], "measure": ["dna"]}
    adverse = filled("comparisons", pd.DataFrame(flags))

    def colours(**tables):
        axes = axes_of(funnel(result(placed(PLACES), **tables))[0])
        return {line.get_color() for line in axes.get_lines() if line.get_marker() in ("^", "v")}

    assert colours(comparisons=adverse) == {COLOURS["plum"]}
    assert colours(comparisons=adverse.assign(harm="benefit")) == {COLOURS["blue"]} == colours()
    assert "higher: to people’s disadvantage" in words(funnel(result(placed(PLACES), comparisons=adverse))[0])


def test_each_measure_and_kind_of_place_has_a_chart_and_single_places_none():
    given = result(
        alike(6),
        alike(6, by="point_of_care"),
        alike(1, measure="wait", measure_label="Days waited"),
        alike(6, measure="hba1c", measure_label="HbA1c within target"),
    )
    assert [chart.name for chart in funnel(given)] == [
        *("figure-funnel-dna-site", "figure-funnel-dna-point-of-care", "figure-funnel-hba1c-site")
    ]
    assert [chart.name for chart in funnel(given, "hba1c")] == ["figure-funnel-hba1c-site"]
    assert "6 points of care" in funnel(given)[1].title


def test_of_very_many_places_those_outside_and_the_largest_are_drawn():
    frame = alike(400)
    frame.loc[0, "position"] = "much lower"
    (chart,) = funnel(result(frame))
    assert len(chart.table) == MOST and chart.table.iloc[0, 0] == "Site 000"
    assert f"{MOST} of 400 sites, the others in places.csv" in chart.subtitle
    assert "1 of 400 sites outside" in chart.title and len(chart.svg) < 60_000
    (rows,) = funnel(result(frame.assign(position="not assessed")))
    assert len(rows.table) == MOST_ROWS


def names_of(axes):
    """Names of places beside their marks: the boxes they take in the picture, in pixels."""
    renderer = axes.figure._get_renderer()
    return [text.get_window_extent(renderer) for text in axes.texts if text.get_text().startswith("Site")]


def test_many_places_outside_have_names_that_do_not_lie_on_each_other():
    frame = alike(40).assign(position="much higher", value=0.3 + np.arange(40) % 7 / 100)
    axes = axes_of(funnel(result(frame))[0])
    boxes = names_of(axes)
    assert 2 <= len(boxes) <= MOST_NAMED
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert axes.get_xlabel().endswith("(not all outside are named: see the table)")
    few = alike(40).assign(position=["higher", "lower"] + ["not different"] * 38)
    axes = axes_of(funnel(result(few))[0])
    assert len(names_of(axes)) == 2 and "not all" not in axes.get_xlabel()


def test_nothing_by_place_is_nothing_drawn():
    bare = {name: frame for name, frame in sample().tables.items() if name != "places"}
    for given in (sample(), without_extract(), replace(sample(), tables=bare)):
        assert funnel(given) == ()


def test_all_hidden_shows_hidden_and_no_number():
    frame = placed(PLACES.assign(denominator=np.nan, value=np.nan, position=None), hidden=True)
    (chart,) = funnel(result(frame))
    assert chart.title == "Did not attend by site: every site is hidden ([c])"
    assert (chart.table.iloc[:, 1:] == "[c]").all().all() and words(chart).count("Hidden") == 7


def test_a_released_result_shows_its_own_numbers():
    given = release(sample_result(), "nhs")
    (chart,) = funnel(given)
    words(chart)
    for shown, (_, row) in zip(chart.table.to_dict("records"), given.table("places").iterrows(), strict=True):
        assert shown["Contacts"] == f"{row['denominator']:,.0f}"
        assert shown["Value"] == f"{row['value'] * 100:.1f}%"
        assert shown["Position"].lower() == row["position"]


@pytest.mark.parametrize("least", [3, 6])
def test_hostile_labels_are_shown_harmless(least):
    frame = placed(
        PLACES.head(least).assign(place=HOSTILE[:least], position="much higher", hidden=False, value=0.2),
        measure=HOSTILE[0],
        measure_label=HOSTILE[4],
        by=HOSTILE[0],
    )
    (chart,) = funnel(result(frame.assign(denominator=frame["denominator"].fillna(50))))
    said = words(chart)
    assert chart.name.isascii() and "<" not in chart.name
    assert "\u202e" not in chart.svg + chart.alternative + chart.title + chart.table.to_csv()
    assert max(map(len, said)) < 120 and len(chart.title) < 300
    assert chart.table.columns.is_unique


def test_the_same_result_gives_the_same_chart():
    first, second = (funnel(result(placed(PLACES)))[0] for _ in range(2))
    assert first.svg == second.svg and first.table.equals(second.table)
