"""Who is seen beside who lives there, as pictures: titles that claim no more than the flags, and numbers of the table."""

# ruff: noqa: E501 (a table drawn as text is as wide as its columns)

import math
import re
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from equitydata.errors import ConfigError
from equitydata.plots.pyramid import pyramid
from equitydata.plots.representation import MARKERS, representation, standing
from equitydata.plots.represented import HIGH, LOW, TOO_FEW
from equitydata.plots.style import COLOURS, house_style
from equitydata.written import count, flag_words, limits, percent, ratio
from findings_helper import filled
from report_sample import without_extract
from tables_helper import analysed, released_as, table

HOSTILE = ("<script>alert(1)</script>", "{{7*7}}", "=cmd|' /C calc'!A0", "\u202eabc\u2066", "x" * 40_000)
ETHNICITY = """
    category    | order | numerator | share | residents_share | ratio | ratio_lower | ratio_upper | flag                  | similar | status
    Bangladeshi | 1     | 120       | 0.12  | 0.16            | 0.75  | 0.63        | 0.88        | disproportionate_low  | false   | known
    Indian      | 2     | 150       | 0.15  | 0.10            | 1.5   | 1.29        | 1.73        | disproportionate_high | false   | known
    Chinese     | 3     | 20        | 0.02  | 0.02            | 1.0   | 0.61        | 1.54        | no_evidence           | false   | known
    Roma        | 4     |           |       |                 |       |             |             |                       | false   | not collected
    Declined    | 5     | 60        |       |                 |       |             |             |                       | false   | declined
"""
AGE_SEX = """
    category          | order | numerator | share | residents_share | ratio | ratio_lower | ratio_upper | flag                  | similar | status
    18 to 64 × Male   | 1     | 100       | 0.1   | 0.35            | 0.29  | 0.24        | 0.34        | disproportionate_low  | false   | known
    18 to 64 × Female | 2     | 300       | 0.3   | 0.36            | 0.83  | 0.76        | 0.91        | different_small       | false   | known
    18 to 64 × Other  | 3     | 10        |       |                 |       |             |             |                       | false   | known
    65 and over × Male   | 4  | 250       | 0.25  | 0.14            | 1.79  | 1.60        | 1.98        | disproportionate_high | false   | known
    65 and over × Female | 5  | 350       | 0.35  | 0.15            | 2.33  | 2.14        | 2.53        | disproportionate_high | false   | known
    Not known            | 6  | 5         |       |                 |       |             |             |                       | false   | not_known
"""


def rows(text, *, characteristic="ethnicity", label="Ethnic group", level="detailed", **others):
    """Rows of the table of representation, drawn as text; everything else as in a table of users of one place."""
    same = {
        **{"of": "users", "of_label": "Service users", "characteristic": characteristic, "label": label},
        **{"level": level, "area_kind": "local", "area": "Newham", "reference": "Census 2021: a table"},
        **{"denominator": 1000.0, "unknown": 65.0, **others},
    }
    drawn = table(text) if isinstance(text, str) else text
    return filled("representation", drawn.assign(**{k: v for k, v in same.items() if k not in drawn}))


def holding(*frames):
    """A result with these rows alone in its table of representation."""
    whole = analysed()
    return replace(whole, tables={**whole.tables, "representation": pd.concat(frames, ignore_index=True)})


def hidden(frame, *categories):
    """The rows as a release hides them: no number of the service is left."""
    here = frame["category"].isin(categories)
    blank = ["numerator", "denominator", "unknown", "share", "ratio", "ratio_lower", "ratio_upper"]
    frame = frame.assign(hidden=here, flag=frame["flag"].where(~here, None).astype(object))
    frame.loc[here, blank] = np.nan
    return frame


def one(charts):
    (chart,) = charts
    return chart


def drawn(chart):
    """The axes of a chart, drawn."""
    from matplotlib.figure import Figure

    with house_style(chart.name):
        figure = Figure(figsize=(7.6, chart.height))
        chart.draw(figure)
        return figure.axes


def texts(chart):
    return [e.text or "" for e in ElementTree.XML(chart.svg).iter() if e.tag.endswith("}text")]


@cache
def nothing_shown():
    whole = released_as()
    frame = whole.table("representation")
    frame = hidden(frame, *frame["category"])
    return replace(whole, tables={**whole.tables, "representation": frame})


def hostile():
    """A group, a characteristic and an area of every label that could do harm."""
    frames = [
        rows(ETHNICITY.replace("Indian", "H"), characteristic=name, label=word, area=word, of_label=word)
        for name, word in zip(("ethnicity", "language", "deprivation", "age", "sex"), HOSTILE, strict=True)
    ]
    every = pd.concat(frames, ignore_index=True)
    names = every["category"].where(every["category"] != "H", every["label"])
    return holding(every.assign(category=names, note=every["label"]))


@cache
def charts_of(made):
    """Every chart of a result, made and drawn once."""
    return every_chart(made())


def every_chart(result):
    return [*standing(result), *representation(result), *pyramid(result), *representation(result, "age")]


# ---------------------------------------------------------------- every chart


@pytest.mark.parametrize("made", [analysed, released_as, nothing_shown, hostile])
def test_every_chart_is_whole(made):
    charts = charts_of(made)
    assert len(charts) >= 3
    for chart in charts:
        root = ElementTree.XML(chart.svg)
        ids = [element.get("id") for element in root.iter() if element.get("id")]
        assert len(ids) == len(set(ids)) and all(each.startswith(f"{chart.name}-") for each in ids)
        assert "<script" not in chart.svg and "\u202e" not in chart.svg and len(chart.svg) < 60_000
        assert chart.table.map(lambda cell: isinstance(cell, str) and cell != "").all(axis=None)
        assert chart.table.columns.is_unique and all(chart.table.columns)
        assert not any("nan" in text.split() for text in [*texts(chart), chart.title, chart.alternative])
        assert len(chart.title) < 220 and len(chart.name) < 120
        assert chart.csv == "representation"


@pytest.mark.parametrize("made", [analysed, released_as, hostile])
def test_the_same_result_gives_the_same_charts(made):
    first, second = charts_of(made), every_chart(made())
    assert [(c.title, c.svg, c.alternative, c.table.to_csv()) for c in first] == [
        (c.title, c.svg, c.alternative, c.table.to_csv()) for c in second
    ]


@pytest.mark.parametrize("build", [representation, standing, pyramid])
def test_nothing_is_drawn_where_nobody_is_held_against_residents(build):
    assert build(without_extract()) == ()
    whole = analysed()
    bare = {name: frame for name, frame in whole.tables.items() if name != "representation"}
    assert build(replace(whole, tables=bare)) == ()
    empty = whole.tables["representation"].head(0)
    assert build(replace(whole, tables={**whole.tables, "representation": empty})) == ()


@pytest.mark.parametrize("made", [analysed, released_as])
def test_every_number_of_the_table_beside_a_chart_is_one_of_the_result(made):
    result = made()
    frame = result.table("representation")
    charts = dict(zip(("ethnicity", "language", "deprivation"), representation(result), strict=True))
    charts["age"] = one(pyramid(result))
    for characteristic, chart in charts.items():
        here = frame[(frame["characteristic"] == characteristic) & (frame["area_kind"] == "local")]
        here = here[here["level"] == here["level"].iloc[0]]
        here = here[here["status"].isin(["known", "not collected"])].set_index("category")
        assert [*here.index] == [*chart.table["Group"]]
        for _, cells in chart.table.iterrows():
            row = here.loc[cells["Group"]]
            if row.get("hidden", False):
                assert {*cells[["People", "Share of service users", "Ratio", "95% limits"]]} == {"[c]"}
                continue
            assert cells["People"] == count(row["numerator"])
            assert cells["Share of service users"] == percent(row["share"])
            assert cells["Share of residents"] == percent(row["residents_share"])
            if not math.isnan(row["ratio"]):
                assert cells["Ratio"] == ratio(row["ratio"])
                assert cells["95% limits"] == limits(row["ratio_lower"], row["ratio_upper"], ratio)
            if row["flag"]:
                assert cells["Flag"] == flag_words(row["flag"], similar=bool(row["similar"]))


@pytest.mark.parametrize("made", [analysed, released_as, nothing_shown])
def test_every_number_said_or_drawn_stands_in_the_table_beside_it(made):
    for chart in charts_of(made):
        cells = set(re.findall(r"\d[\d,.]*%?", " ".join(map(str, chart.table.to_numpy().ravel()))))
        said = re.findall(r"\d+\.\d+%?", chart.title)
        assert {*said} <= cells
        pictured = [text for text in texts(chart) if re.fullmatch(r"[▲▼ ]*\d+\.\d%", text)]
        assert {text.strip("▲▼ ") for text in pictured} <= cells


def test_text_is_in_the_colours_that_are_read_on_white():
    allowed = {COLOURS[name].lower() for name in ("ink", "blue", "plum")}
    for chart in charts_of(released_as):
        root = ElementTree.XML(chart.svg)
        styles = [e.get("style", "") for e in root.iter() if e.tag.endswith("}text")]
        fills = {found for style in styles for found in re.findall(r"fill: (#\w+)", style.lower())}
        assert fills <= allowed


# ---------------------------------------------------------------- paired bars with a ratio


def test_the_title_names_the_groups_furthest_above_and_below():
    chart = one(representation(holding(rows(ETHNICITY))))
    assert chart.title == (
        "Ethnic group: Indian furthest above its share of residents (ratio 1.50), Bangladeshi furthest below (0.75)"
    )
    assert "Indian, 15.0% against 10.0% of residents, ratio 1.50 (1.29 to 1.73)" in chart.alternative
    assert "need not mirror its residents" in chart.alternative


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("no_evidence", "uncertain"), "no group is clearly above or below its share of residents"),
        (
            ("no_evidence", "different_small"),
            "no group is far from its share of residents; 1 differs a little",
        ),
        (
            ("different_small", "different_small"),
            "no group is far from its share of residents; 2 differ a little",
        ),
        (
            ("no_evidence", "insufficient_data"),
            "no group is clearly above or below its share of residents; 1 has not enough data",
        ),
        (
            ("insufficient_data", "insufficient_data"),
            "not enough data to say who is above or below the share of residents",
        ),
        (("", ""), "shown beside residents, and not judged, as the comparison is approximate"),
        (
            ("disproportionate_low", "no_evidence"),
            "Bangladeshi furthest below its share of residents (ratio 0.75); none is flagged above",
        ),
        (
            ("no_evidence", "disproportionate_high"),
            "Indian furthest above its share of residents (ratio 1.50); none is flagged below",
        ),
    ],
)
def test_the_title_claims_no_more_than_the_flags(flags, message):
    frame = rows(ETHNICITY).head(2).assign(flag=list(flags))
    assert one(representation(holding(frame))).title == f"Ethnic group: {message}"


def test_a_title_never_rests_on_a_hidden_group():
    frame = hidden(rows(ETHNICITY), "Indian")
    assert "Indian" not in one(representation(holding(frame))).title
    frame = hidden(rows(ETHNICITY), "Indian", "Bangladeshi", "Chinese", "Roma")
    chart = one(representation(holding(frame)))
    assert chart.title == "Ethnic group: the numbers are hidden"
    assert not {"0.75", "1.50", "1.00", "12.0%", "15.0%"} & {*" ".join(texts(chart)).split()}


def test_of_groups_that_nobody_uses_the_one_with_most_residents_is_named():
    frame = rows(ETHNICITY).head(3).assign(flag=LOW, ratio=0.0, ratio_lower=0.0, share=0.0)
    assert "Bangladeshi furthest below" in one(representation(holding(frame))).title


def test_hidden_not_collected_and_not_compared_groups_are_rows_with_words():
    frame = hidden(rows(ETHNICITY), "Chinese")
    apart = frame[frame["category"] == "Indian"].assign(
        category="Apart", order=6, residents_share=np.nan, ratio=np.nan, flag=""
    )
    chart = one(representation(holding(pd.concat([frame, apart], ignore_index=True))))
    words = texts(chart)
    assert [name for name in words if name in ("Chinese", "Roma", "Apart")] == ["Chinese", "Roma", "Apart"]
    assert {"[c] hidden", "Not collected", "Not compared", "[c]", "[x]"} <= {*words}
    assert chart.table.set_index("Group").loc["Chinese", "Flag"] == "[c] hidden"
    assert "Declined" not in words and "Declined" not in [*chart.table["Group"]]


def test_who_is_in_no_share_is_said():
    assert "65 people of unknown group are in no share." in " ".join(
        texts(one(representation(holding(rows(ETHNICITY)))))
    )
    assert "unknown group" not in " ".join(texts(one(representation(holding(rows(ETHNICITY, unknown=0.0))))))


def test_bars_have_the_length_of_the_shares_and_begin_at_nothing():
    bars, _ = drawn(one(representation(holding(rows(ETHNICITY)))))
    users, living = (sorted((bar.get_y(), bar.get_width()) for bar in group) for group in bars.containers)
    assert [width for _, width in users] == [0.12, 0.15, 0.02, 0]
    assert [width for _, width in living] == [0.16, 0.10, 0.02, 0]
    assert bars.get_xlim()[0] == 0


def test_ratios_stand_on_a_log_axis_with_one_and_the_band_marked():
    _, ratios = drawn(one(representation(holding(rows(ETHNICITY)))))
    assert ratios.get_xscale() == "log"
    assert 1.0 in ratios.get_xticks()
    (band,) = ratios.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.8, 1.25))
    marks = {
        round(float(line.get_xdata()[0]), 2): line.get_marker()
        for line in ratios.lines
        if len(line.get_xdata()) == 1
    }
    assert marks == {0.75: "v", 1.5: "^", 1.0: "o"}
    lines = [
        tuple(line.get_xdata())
        for line in ratios.lines
        if len(set(line.get_ydata())) == 1 and len(line.get_xdata()) == 2
    ]
    assert lines == [(0.63, 0.88), (1.29, 1.73), (0.61, 1.54)]


def test_a_group_with_not_enough_data_has_a_hollow_mark():
    assert MARKERS[TOO_FEW][1] == COLOURS["paper"]
    frame = rows(ETHNICITY).head(1).assign(flag=TOO_FEW)
    _, ratios = drawn(one(representation(holding(frame))))
    (mark,) = [line for line in ratios.lines if line.get_marker() == "o"]
    assert mark.get_markerfacecolor() == COLOURS["paper"]
    assert "Not enough data" in texts(one(representation(holding(frame))))


def test_a_ratio_of_nothing_stays_on_the_axis_and_an_arrow_points_beyond():
    frame = (
        rows(ETHNICITY).head(2).assign(ratio=[0.0, 33.0], ratio_lower=[0.0, 26.0], ratio_upper=[0.4, 40.0])
    )
    chart = one(representation(holding(frame)))
    _, ratios = drawn(chart)
    low, high = ratios.get_xlim()
    assert 0 < low < high < 20
    assert all(low <= x <= high for line in ratios.lines for x in line.get_xdata())
    assert {line.get_marker() for line in ratios.lines} >= {"<", ">", "v", "^"}
    assert "An arrow points beyond the axis." in " ".join(texts(chart))
    assert "0.00 (0.00 to 0.40)" in texts(chart) and "33.00 (26.00 to 40.00)" in texts(chart)


def test_ticks_never_stand_over_each_other():
    for lower, upper in ((0.05, 30.0), (0.9, 1.1), (0.2, 1.2), (0.7, 9.0)):
        frame = (
            rows(ETHNICITY)
            .head(1)
            .assign(ratio=1.0, ratio_lower=lower, ratio_upper=upper, flag="no_evidence")
        )
        _, ratios = drawn(one(representation(holding(frame))))
        places = np.log(ratios.get_xticks()) / np.log(ratios.get_xlim()[1] / ratios.get_xlim()[0])
        assert len(places) >= 2 and np.diff(places).min() > 0.15


def test_the_ratio_at_the_same_ages_stands_in_the_table_where_there_is_one():
    frame = rows(ETHNICITY).assign(
        standardised_ratio=[0.9, 1.02, np.nan, np.nan, np.nan],
        standardised_ratio_lower=[0.8, 0.95, np.nan, np.nan, np.nan],
        standardised_ratio_upper=[1.0, 1.1, np.nan, np.nan, np.nan],
    )
    assert [*one(representation(holding(frame))).table["Ratio at the same ages and sexes"]] == [
        "0.90 (0.80 to 1.00)",
        "1.02 (0.95 to 1.10)",
        "[x]",
        "[x]",
    ]
    assert (
        one(standing(holding(frame))).table.iloc[0]["Ratio at the same ages and sexes"]
        == "1.02 (0.95 to 1.10)"
    )
    concealed = hidden(frame, "Indian").assign(standardised_ratio=[0.9, *[np.nan] * 4])
    table_of = one(representation(holding(concealed))).table.set_index("Group")
    assert table_of.loc["Indian", "Ratio at the same ages and sexes"] == "[c]"
    assert not any("same ages" in head for head in one(representation(holding(rows(ETHNICITY)))).table)


def test_the_first_level_is_drawn_and_another_on_request():
    result = holding(
        rows(ETHNICITY), rows(ETHNICITY.replace("Indian", "Asian"), level="groups", area="Newham")
    )
    assert "Indian" in texts(one(representation(result, "ethnicity")))
    assert "Asian" in texts(one(representation(result, "ethnicity", level="groups")))
    assert representation(result, "religion") == ()
    assert representation(result, "ethnicity", level="none") == ()


def test_the_core_characteristics_are_drawn_when_none_is_named():
    frames = [
        rows(ETHNICITY, characteristic=name) for name in ("age", "deprivation", "ethnicity", "language")
    ]
    assert [chart.name.rsplit("-", 1)[1] for chart in representation(holding(*frames))] == [
        "ethnicity",
        "language",
        "deprivation",
    ]


def test_people_with_an_outcome_are_named_as_such():
    frame = rows(ETHNICITY, of="dna", of_label="Did not attend")
    assert representation(holding(frame)) == ()
    chart = one(representation(holding(frame), of="dna"))
    assert chart.title.startswith("Ethnic group, Did not attend: ")
    assert "Share of people with: Did not attend" in chart.table.columns
    assert "People with: Did not attend" in texts(chart)


def test_staff_of_a_grade_are_named_as_such():
    frame = rows(ETHNICITY, of="grade: Band 7", of_label="Staff, grade: Band 7")
    chart = one(representation(holding(frame), of="grade: Band 7"))
    assert chart.title.startswith("Ethnic group, staff, grade: Band 7: ")
    assert "Staff, grade: Band 7" in texts(chart)


def test_the_next_wider_area_stands_in_and_is_named():
    frame = rows(ETHNICITY, area_kind="nation", area="England")
    chart = one(representation(holding(frame)))
    assert "Residents of England" in texts(chart) and "residents of England" in chart.alternative
    both = holding(rows(ETHNICITY), frame)
    assert "Residents of Newham" in texts(one(representation(both)))
    assert "Residents of England" in texts(one(representation(both, area_kind="nation")))


def test_an_area_of_no_kind_is_told_with_the_nearest():
    with pytest.raises(ConfigError, match="There is no kind of area 'nations'"):
        representation(analysed(), area_kind="nations")


def test_of_many_groups_the_flagged_and_the_largest_are_drawn_in_order():
    many = pd.DataFrame(
        {
            "category": [f"Group {number}" for number in range(45)],
            "order": range(45),
            "numerator": 10.0,
            "share": [0.001 * number for number in range(45)],
            "residents_share": 0.001,
            "ratio": 1.0,
            "ratio_lower": 0.9,
            "ratio_upper": 1.1,
            "flag": ["no_evidence", HIGH, *["no_evidence"] * 43],
            "similar": False,
            "status": "known",
        }
    )
    chart = one(representation(holding(rows(many))))
    assert [*chart.table["Group"]] == ["Group 1", *(f"Group {number}" for number in range(16, 45))]
    assert "30 of 45 groups; all in the table representation" in chart.subtitle
    assert len(chart.svg) < 60_000


# ---------------------------------------------------------------- flagged groups, ranked


def test_flagged_groups_of_all_characteristics_are_ranked():
    result = holding(
        rows(ETHNICITY),
        rows(ETHNICITY, level="groups"),
        rows(AGE_SEX, characteristic="age x sex", label="Age × sex", level="band x detailed"),
        rows(ETHNICITY.replace("1.5 ", "2.0 "), characteristic="religion", label="Religion"),
        rows(ETHNICITY, area_kind="nation", area="England"),
        rows(ETHNICITY, of="dna", of_label="Did not attend"),
    )
    chart = one(standing(result))
    assert [*chart.table["Group"]] == [
        "Religion: Indian",
        "Ethnic group: Indian",
        "Ethnic group: Bangladeshi",
        "Religion: Bangladeshi",
    ]
    assert [*chart.table["Ratio"]] == ["2.00", "1.50", "0.75", "0.75"]
    assert chart.title == (
        "4 groups stand out from residents: Religion, Indian most above (ratio 2.00); "
        "Religion, Bangladeshi most below (ratio 0.75)"
    )
    assert "2 above" in chart.alternative and "2 below" in chart.alternative


def test_one_flagged_group_is_one():
    title = one(standing(holding(rows(ETHNICITY).tail(4)))).title
    assert title == "1 group stands out from residents: Ethnic group, Indian most above (ratio 1.50)"


def test_there_is_no_ranking_without_flagged_groups():
    assert standing(holding(rows(ETHNICITY).assign(flag="different_small"))) == ()
    assert standing(holding(hidden(rows(ETHNICITY), "Indian", "Bangladeshi"))) == ()


def test_at_most_twenty_flagged_groups_are_drawn_and_the_rest_is_said():
    frames = [
        rows(ETHNICITY, characteristic=f"own{number}", label=f"Own {number}").assign(
            ratio=[0.75, 1.5 + number / 10, 1.0, np.nan, np.nan]
        )
        for number in range(12)
    ]
    chart = one(standing(holding(*frames)))
    assert len(chart.table) == 20
    assert chart.title.startswith("24 groups stand out") and "the 20 furthest from 1 of 24" in chart.subtitle
    ratios = [*map(float, chart.table["Ratio"])]
    assert ratios == sorted(ratios, reverse=True) and ratios.count(0.75) == 8


# ---------------------------------------------------------------- pyramid


def crossed(text=AGE_SEX, name="age x sex"):
    return rows(text, characteristic=name, label="Age × sex", level="band x detailed")


def test_a_pyramid_has_users_as_bars_and_residents_as_outlines():
    chart = one(pyramid(holding(crossed())))
    male, female = drawn(chart)
    assert (male.get_title(), female.get_title()) == ("Male", "Female")
    assert [bar.get_width() for bar in male.patches] == [0.1, 0.25]
    assert [bar.get_width() for bar in female.patches] == [0.3, 0.35]
    for axes, living in ((male, (0.35, 0.14)), (female, (0.36, 0.15))):
        assert {tuple(line.get_xdata()) for line in axes.lines} == {
            (0, living[0], living[0], living[1], living[1], 0)
        }
    assert male.get_xlim()[1] == 0 and female.get_xlim()[0] == 0
    assert male.get_xlim()[0] == female.get_xlim()[1]
    assert male.get_ylim()[0] < male.get_ylim()[1]  # the oldest on top


def test_a_pyramid_says_who_is_furthest_and_what_is_flagged():
    chart = one(pyramid(holding(crossed())))
    assert chart.title == (
        "Age and sex: 65 and over × Female furthest above its share of residents (ratio 2.33), "
        "18 to 64 × Male furthest below (0.29)"
    )
    assert {"▼ 10.0%", "30.0%", "▲ 25.0%", "▲ 35.0%", "14.0%"} <= {*texts(chart)}
    assert [*chart.table["Group"]] == [
        "18 to 64 × Male",
        "18 to 64 × Female",
        "65 and over × Male",
        "65 and over × Female",
    ]
    assert "Male left and Female right" in chart.alternative


def test_a_pyramid_reads_the_crossing_in_either_order():
    turned = crossed(re.sub(r"(\d[\w ]+?) × (\w+)", r"\2 × \1", AGE_SEX), "sex x age")
    one_way, other_way = (one(pyramid(holding(frame))) for frame in (crossed(), turned))
    assert [bar.get_width() for axes in drawn(one_way) for bar in axes.patches] == [
        bar.get_width() for axes in drawn(other_way) for bar in axes.patches
    ]


def test_hidden_cells_of_a_pyramid_are_said():
    frame = hidden(crossed(), "65 and over × Male")
    chart = one(pyramid(holding(frame)))
    assert texts(chart).count("[c]") == 1 and "▲ 25.0%" not in texts(chart)
    assert [bar.get_width() for bar in drawn(chart)[0].patches] == [0.1, 0]


def test_ages_alone_stand_beside_each_other_where_sex_is_not_crossed():
    ages = rows(
        ETHNICITY.replace("Bangladeshi", "18 to 24")
        .replace("Indian", "25 to 34")
        .replace("Chinese", "35 to 44"),
        characteristic="age",
        label="Age",
        level="band",
    )
    chart = one(pyramid(holding(ages.head(3))))
    assert chart.subtitle.startswith("Ages alone (age by sex is not counted)")
    users, residents = drawn(chart)
    assert [bar.get_width() for bar in users.patches] == [0.12, 0.15, 0.02]
    assert [bar.get_width() for bar in residents.patches] == [0.16, 0.10, 0.02]
    one_sex = crossed().query("category.str.contains('× Male')")
    assert "Ages alone" in one(pyramid(holding(ages.head(3), one_sex))).subtitle


def test_of_many_ages_the_ones_with_most_residents_are_drawn():
    cells = pd.DataFrame(
        [
            {"category": f"{age} to {age} × {sex}", "residents_share": 0.001 * (age + 1), "share": 0.01}
            for age in range(40)
            for sex in ("Male", "Female")
        ]
    ).assign(
        status="known",
        order=range(80),
        numerator=10.0,
        ratio=1.0,
        ratio_lower=0.9,
        ratio_upper=1.1,
        similar=True,
    )
    chart = one(pyramid(holding(rows(cells, characteristic="age x sex", label="Age × sex"))))
    assert "30 of 40 ages" in chart.subtitle and len(chart.table) == 60
    assert chart.table["Group"].iloc[0] == "10 to 10 × Male"
    assert len(chart.svg) < 60_000
