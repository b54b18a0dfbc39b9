"""Forest plots and the spine chart: what they say, what they draw, and that it is what the tables hold."""

import math
import re
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import pandas as pd
import pytest

from equitydata.plots.marks import MOST, MOST_MARKS
from equitydata.plots.outcomes import forest
from equitydata.plots.spine import spine
from equitydata.plots.style import COLOURS
from equitydata.release import release
from equitydata.written import figure, ratio
from findings_helper import filled
from report_sample import sample_result, without_extract
from tables_helper import table

HOSTILE = ["<script>alert(1)</script>", "{{7*7}}", "=cmd|' /C calc'!A0", "a\u202eb", "x" * 40_000]

# One group higher to its disadvantage, one lower, one alike, one of too few, one hidden.
GROUPS = table("""
    category | people | value | comparator_value | ratio | ratio_lower | ratio_upper | flag              | similar
    Asian    | 400    | 0.20  | 0.10             | 2.0   | 1.5         | 2.6         | high            | false
    Black    | 300    | 0.06  | 0.12             | 0.5   | 0.4         | 0.7         | low             | false
    Mixed    | 200    | 0.11  | 0.11             | 1.0   | 0.9         | 1.1         | no_evidence       | true
    Other    | 12     | 0.25  | 0.11             | 2.3   | 0.7         | 5.5         | insufficient_data | false
    White    |        |       |                  |       |             |             |                   | false
""").replace({"flag": {"high": "disproportionate_high", "low": "disproportionate_low"}})
GROUPS = GROUPS.assign(harm=["harm", "benefit", "", "", ""], hidden=GROUPS["category"] == "White")


def compared(frame, **others):
    """Rows of the table of comparisons with the rest, of one measure and characteristic unless they say otherwise."""
    given = {
        "measure": "dna",
        "measure_label": "Did not attend",
        "characteristic": "ethnicity",
        "label": "Ethnic group",
        "level": "groups",
        "comparator": "rest",
        "adjustment": "crude",
        "statistic": "share",
        "harm": "",
        "similar": False,
        "hidden": False,
        **others,
    }
    full = frame.assign(
        **{name: value for name, value in given.items() if name not in frame or name in others}
    )
    hidden = full["hidden"].tolist()
    return filled("comparisons", full.drop(columns="hidden")).assign(hidden=hidden)


def result(*parts, outcomes=None):
    """The sample with comparisons of these rows, and with outcomes where they are given."""
    tables = {**sample().tables, "comparisons": pd.concat(parts, ignore_index=True)}
    return replace(sample(), tables={**tables, **({} if outcomes is None else {"outcomes": outcomes})})


@cache
def released():
    return release(sample_result(), "nhs")


@cache
def sample():
    return sample_result(equity=False)


def groups(**others):
    return compared(GROUPS, **others)


def many(number, **others):
    """Groups of 1, 2, 3 ... people that do not differ."""
    frame = pd.DataFrame({"category": [f"Group {place:03d}" for place in range(number)]})
    frame = frame.assign(people=range(1, number + 1), value=0.1, comparator_value=0.1, ratio=1.0)
    return compared(frame.assign(ratio_lower=0.9, ratio_upper=1.1, flag="no_evidence"), **others)


def words(chart):
    """The text elements of a chart, once the SVG is seen to be whole and its ids its own."""
    root = ElementTree.fromstring(chart.svg)  # noqa: S314 - our own
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) and all(each.startswith(f"{chart.name}-") for each in ids)
    assert "<script" not in chart.svg
    fills = {fill.lower() for fill in re.findall(r"<text[^>]*fill: (#[0-9A-Fa-f]+)", chart.svg)}
    assert fills <= {COLOURS[name].lower() for name in ("ink", "blue", "plum")}
    return ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("}text")]


# ---------------------------------------------------------------- forest


def test_a_forest_says_who_is_furthest_and_how_many_are_flagged():
    (chart,) = forest(result(groups()))
    assert chart.name == "figure-forest-dna" and chart.csv == "comparisons"
    assert chart.title == (
        "Did not attend: 2 of 5 groups flagged; furthest above the rest: Asian people (ratio 2.00)"
    )
    assert "2.00, 1.50 to 2.60; 20.0% against 10.0%" in chart.alternative
    assert "Disproportionately low" in chart.alternative and "0.50, 0.40 to 0.70" in chart.alternative
    assert "Not enough data: 1 of the groups drawn. Hidden [c]: 1 of the groups drawn." in chart.alternative
    assert chart.subtitle.startswith("Ratio to the rest with 95% limits; ")


def test_the_furthest_is_of_those_to_a_disadvantage_before_any_other():
    frame = compared(
        table("""
            category | ratio | ratio_lower | ratio_upper | flag
            Asian    | 1.3   | 1.2         | 1.4         | disproportionate_high
            Black    | 1.6   | 1.4         | 1.8         | disproportionate_high
            Mixed    | 0.3   | 0.2         | 0.4         | disproportionate_low
        """).assign(harm=["harm", "harm", "benefit"])
    )
    assert forest(result(frame))[0].title.endswith("furthest above the rest: Black people (ratio 1.60)")
    (neutral,) = forest(result(frame.assign(harm="")))
    assert neutral.title.endswith("furthest below the rest: Mixed people (ratio 0.30)")


def test_the_table_of_a_forest_holds_every_row_as_it_is_written():
    (chart,) = forest(result(groups()))
    rows = chart.table.set_index("Group")
    assert chart.table.columns.is_unique and chart.table["Group"].tolist()[0] == "Ethnic group: Asian"
    assert rows.loc["Ethnic group: Asian"].tolist() == [
        *("400", "20.0%", "10.0%", "2.00", "1.50 to 2.60", "[x]", "[x]"),
        "Disproportionately high, to the group’s disadvantage",
    ]
    assert rows.loc["Ethnic group: Mixed", "Flag"] == "Similar"
    assert rows.loc["Ethnic group: Other", "Flag"] == "Not enough data"
    hidden = rows.loc["Ethnic group: White"].drop(["Ratio at equal age and sex", "Its limits"])
    assert set(hidden) == {"[c]"}


def test_the_picture_names_groups_in_declared_order_with_value_and_flag():
    (chart,) = forest(result(groups()))
    said = words(chart)
    places = [said.index(name) for name in ("Ethnic group", "Asian", "Black", "Mixed", "Other", "White")]
    assert places == sorted(places)
    assert {"20.0%", "6.0%", "[c]", "Higher", "Lower", "Similar", "Not enough data", "Hidden"} <= set(said)
    assert not any(re.search(r"\bnan\b", line) for line in said)


def test_harm_is_written_on_the_side_where_it_lies_and_nowhere_without_polarity():
    def sides(frame):
        (chart,) = forest(result(frame))
        return [
            line for line in words(chart) if "Lower" in line or "Higher" in line or "disadvantage" in line
        ]

    adverse = GROUPS
    favourable = adverse.assign(harm=adverse["harm"].map({"harm": "benefit", "benefit": "harm"}).fillna(""))
    texts = {name: " ".join(sides(compared(frame))) for name, frame in (("+", adverse), ("-", favourable))}
    after = {name: said.partition("Higher →")[2] for name, said in texts.items()}
    assert "disadvantage" in after["+"] and "disadvantage" not in texts["+"].partition("Higher →")[0]
    assert "disadvantage" not in after["-"] and "disadvantage" in texts["-"].partition("Higher →")[0]
    assert "disadvantage" not in " ".join(sides(compared(adverse.assign(harm=""))))


def test_a_forest_claims_no_more_than_the_flags_allow():
    def title(*flags, hidden=False):
        frame = pd.DataFrame({"category": [f"g{place}" for place in range(len(flags))], "flag": flags})
        given = compared(frame.assign(ratio=1.1, ratio_lower=1.0, ratio_upper=1.2), hidden=hidden)
        return forest(result(given))[0].title.removeprefix("Did not attend: ")

    assert title("different_small", "no_evidence") == (
        "1 of 2 groups clearly different from the rest, none by enough to be flagged"
    )
    assert title("no_evidence", "uncertain") == "no group clearly different from the rest"
    assert title("no_evidence", "insufficient_data") == (
        "no group clearly different from the rest; not enough data for 1 of 2"
    )
    assert title("insufficient_data", "insufficient_data") == "not enough data to compare any group"
    assert title("", "", hidden=True) == "every group is hidden ([c])"


def test_the_ratio_at_equal_age_and_sex_is_a_hollow_mark_and_a_column():
    held = GROUPS.assign(ratio=1.25, ratio_lower=1.05, ratio_upper=1.45)
    held = held.assign(hidden=held["category"] == "Black")
    (chart,) = forest(result(groups(), compared(held, adjustment="standardised", flag="", harm="")))
    rows = chart.table.set_index("Group")["Ratio at equal age and sex"]
    assert rows["Ethnic group: Asian"] == "1.25" and rows["Ethnic group: Black"] == "[x]"
    assert any("hollow square: at equal age and sex" in line for line in words(chart))
    (without,) = forest(result(groups()))
    assert not any("hollow square" in line for line in words(without))


def test_of_many_groups_the_flagged_and_the_largest_are_drawn_and_it_says_so():
    frame = many(40)
    frame.loc[0, ["flag", "ratio", "harm"]] = ["disproportionate_high", 1.6, "harm"]
    frame.loc[1, "flag"] = "different_small"
    (chart,) = forest(result(frame))
    drawn = chart.table["Group"].tolist()
    assert len(drawn) == MOST
    assert drawn == [f"Ethnic group: Group {place:03d}" for place in (0, 1, *range(12, 40))]
    assert "flagged and largest 30 of 40 groups, the others in comparisons.csv" in chart.subtitle
    assert "1 of 40 groups flagged" in chart.title


def test_the_first_level_is_drawn_and_crossings_only_where_asked():
    given = result(
        many(2, level="detailed"),
        many(3),
        many(4, characteristic="ethnicity x sex", level="groups x detailed"),
        many(5, characteristic="sex", label="Sex", level="detailed"),
    )
    assert [len(chart.table) for chart in forest(given)] == [2 + 5]
    assert [len(chart.table) for chart in forest(given, characteristic="ethnicity")] == [2]
    assert [len(chart.table) for chart in forest(given, characteristic="ethnicity", level="groups")] == [3]
    assert [len(chart.table) for chart in forest(given, characteristic="ethnicity x sex")] == [4]
    assert forest(given, characteristic="unknown") == ()


def test_each_measure_has_a_forest_or_the_one_that_is_asked_for():
    given = result(groups(), groups(measure="hba1c", measure_label="HbA1c within target"))
    assert [chart.name for chart in forest(given)] == ["figure-forest-dna", "figure-forest-hba1c"]
    assert [chart.name for chart in forest(given, "hba1c")] == ["figure-forest-hba1c"]
    assert forest(given, "unknown") == ()


def test_a_ratio_beyond_the_axis_is_an_arrowhead_and_none_without_limits():
    frame = compared(
        table("""
            category | people | value | ratio | ratio_lower | ratio_upper | flag
            None     | 50     | 0     | 0     | 0           | 0.4         | no_evidence
            Endless  | 50     | 0.9   | 40    | 20          | 90          | no_evidence
            Nobody   | 0      |       |       |             |             | insufficient_data
        """)
    )
    frame.loc[1, "ratio_upper"] = math.inf
    (chart,) = forest(result(frame))
    assert "Nobody counted" in words(chart)
    assert chart.table["Ratio"].tolist() == ["0.00", "40.00", "[x]"]
    assert chart.table["Limits"].tolist() == ["0.00 to 0.40", "20.00 to no limit", "[x]"]


def test_every_number_of_the_table_is_one_of_the_result():
    frame = groups()
    (chart,) = forest(result(frame))
    for shown, (_, row) in zip(chart.table.to_dict("records"), frame.iterrows(), strict=True):
        if not row["hidden"]:
            assert shown["Value"] == figure(row["value"], "share")
            assert shown["The rest"] == figure(row["comparator_value"], "share")
            assert shown["Ratio"] == ratio(row["ratio"])


# ---------------------------------------------------------------- spine


def whole(frame=None, **others):
    """The groups against the whole: rows without a flag, as in the table."""
    given = GROUPS.assign(flag="", harm="", comparator_value=0.12) if frame is None else frame
    return compared(given, comparator="overall", **others)


def everyone(*measures):
    rows = pd.DataFrame({"measure": measures, "value": 0.12, "statistic": "share", "category": "Everyone"})
    return filled("outcomes", rows.assign(characteristic="all", level="all")).assign(hidden=False)


def test_a_spine_takes_flags_from_the_rest_and_ratios_from_the_whole():
    ratios = GROUPS.assign(flag="", harm="", comparator_value=0.12, ratio=[1.7, 0.5, 0.9, 2.1, math.nan])
    (chart,) = spine(result(groups(), whole(ratios), outcomes=everyone("dna")))
    rows = chart.table.set_index("Group")
    asian = rows.loc["Did not attend, Ethnic group: Asian"]
    assert asian.tolist() == [
        "20.0%",
        "12.0%",
        "1.70",
        "Disproportionately high, to the group’s disadvantage",
    ]
    assert set(rows.loc["Did not attend, Ethnic group: White"]) == {"[c]"}
    # 0.5 lies further from 1 than 1.7 does.
    assert chart.title.startswith("Flagged groups in 1 of 1 rows; furthest from the whole: Did not attend, ")
    assert "(6.0% against 12.0%)" in chart.title
    assert {"Everyone", "12.0%", "Black, 6.0%, 1 more", "Ethnic group, 1 [c]"} <= set(words(chart))


def test_a_spine_without_flags_says_so():
    frame = many(3)
    (chart,) = spine(result(frame, whole(frame.assign(flag=""))))
    assert chart.title == "No group is flagged on any measure"
    assert "none flagged" in words(chart) and "[x]" in words(chart)
    few = frame.assign(flag="insufficient_data")
    (chart,) = spine(result(few, whole(frame.assign(flag=""))))
    assert chart.title == "Not enough data to compare any group" and "not enough data" in words(chart)


def test_of_many_rows_the_spine_draws_the_widest_and_keeps_their_order():
    parts = []
    for place in range(35):
        frame = many(2, measure=f"m{place:02d}", measure_label=f"Measure {place}")
        frame = frame.assign(ratio=[1.0, 1 + place / 100])
        parts += [frame, whole(frame.assign(flag=""), measure=f"m{place:02d}")]
    parts[0].loc[1, "flag"] = "disproportionate_high"
    (chart,) = spine(result(*parts))
    named = [group.partition(",")[0] for group in chart.table["Group"][::2]]
    assert named == [f"Measure {place}" for place in (0, *range(6, 35))]
    assert "widest 30 of 35 rows" in chart.subtitle


def test_a_spine_of_very_many_groups_stays_small():
    parts = []
    for place in range(20):
        frame = many(60, measure=f"m{place}")
        parts += [frame, whole(frame.assign(flag=""), measure=f"m{place}")]
    (chart,) = spine(result(*parts))
    assert len(chart.table) <= MOST_MARKS and len(chart.svg) < 60_000
    assert "at most 30 groups a row" in chart.subtitle and "widest 10 of 20 rows" in chart.subtitle


# ---------------------------------------------------------------- both


@pytest.mark.parametrize("build", [forest, spine])
def test_nothing_compared_is_nothing_drawn(build):
    bare = {name: frame for name, frame in sample().tables.items() if name != "comparisons"}
    for given in (sample(), without_extract(), replace(sample(), tables=bare)):
        assert build(given) == ()


def test_a_released_result_shows_its_own_numbers_and_what_it_hides():
    given = released()
    (chart,) = forest(given, "did_not_attend")
    rows = given.table("comparisons")
    rows = rows[
        (rows["comparator"] == "rest")
        & (rows["adjustment"] == "crude")
        & (rows["measure"] == "did_not_attend")
    ]
    assert rows["hidden"].any() and len(rows) == len(chart.table)
    for shown, (_, row) in zip(chart.table.to_dict("records"), rows.iterrows(), strict=True):
        cells = [shown[name] for name in ("People", "Value", "The rest", "Ratio", "Flag")]
        if row["hidden"]:
            assert set(cells) == {"[c]"}
        else:
            assert cells[:3] == [
                f"{row['people']:,.0f}",
                *(f"{row[name] * 100:.1f}%" for name in ("value", "comparator_value")),
            ]
            assert cells[3] == f"{row['ratio']:.2f}"
    assert "[c]" in words(chart)


@pytest.mark.parametrize("build", [forest, spine])
def test_all_hidden_shows_hidden_and_no_number(build):
    blank = GROUPS[["category"]].assign(flag=None, harm=None, similar=None)
    (chart,) = build(result(compared(blank, hidden=True), compared(blank, hidden=True, comparator="overall")))
    assert "very group is hidden ([c])" in chart.title
    assert len(chart.table) == 5 and (chart.table.iloc[:, 1] == "[c]").all()
    assert any("[c]" in line for line in words(chart))


@pytest.mark.parametrize("build", [forest, spine])
def test_hostile_labels_are_shown_harmless(build):
    frame = GROUPS.assign(category=HOSTILE)
    others = {"label": HOSTILE[0], "measure_label": HOSTILE[4], "measure": HOSTILE[0]}
    (chart,) = build(result(compared(frame, **others), compared(frame, comparator="overall", **others)))
    said = words(chart)
    assert chart.name.isascii() and "<" not in chart.name
    assert "\u202e" not in chart.svg + chart.alternative + chart.title + chart.table.to_csv()
    assert max(map(len, said)) < 120 and chart.table.map(len).max().max() < 140
    assert len(chart.title) < 300 and len(chart.svg) < 60_000


@pytest.mark.parametrize("build", [forest, spine])
def test_the_same_result_gives_the_same_charts(build):
    given = result(groups(), whole())
    first, second = build(given)[0], build(given)[0]
    assert (
        first.svg == second.svg
        and first.table.equals(second.table)
        and first == replace(first, title=second.title)
    )
