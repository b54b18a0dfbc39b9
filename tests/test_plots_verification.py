"""Who gave the values, where, and how far recordings agree, as pictures."""

from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import numpy as np
import pytest

from equitydata.plots.verification import agreement, observed, points_of_care, sources, swaps
from equitydata.written import percent
from report_sample import framed, sample_result, without_extract
from tables_helper import analysed, released_as

BUILDERS = (agreement, points_of_care, sources, swaps, observed)
HOSTILE = ("<script>alert(1)</script>", "{{7*7}}", "=cmd|' /C calc'!A0", "\u202eabc\u2066", "x" * 40_000)
NUMBERS = ("numerator", "denominator", "value", "lower", "upper", "people", "records")


made_by_hand = cache(sample_result)


def with_tables(**tables):
    """The result made by hand with other tables; a row with hidden true loses its numbers."""
    frames = {}
    for name, rows in tables.items():
        frame = framed(name, rows).assign(hidden=[row.get("hidden", False) for row in rows])
        frame.loc[frame["hidden"], [each for each in NUMBERS if each in frame]] = np.nan
        frames[name] = frame
    whole = made_by_hand()
    return replace(whole, tables={**whole.tables, **frames})


def all_hidden():
    result = released_as()
    blanked = {
        name: frame.assign(hidden=True, **{each: np.nan for each in NUMBERS if each in frame})
        for name, frame in result.tables.items()
        if "hidden" in frame
    }
    return replace(result, tables={**result.tables, **blanked})


def group(name, agree, compared, **more):
    row = {"characteristic": "ethnicity", "level": "group", "group": name, "flagged": False}
    return {**row, "numerator": agree, "denominator": compared, **more}


def everyone(agree, compared, note="", **more):
    row = {"characteristic": "ethnicity", "measure": "agree_group", "unit": "people", "note": note}
    return {**row, "numerator": agree, "denominator": compared, **more}


def source(name, *counts, hidden=()):
    """Rows of the table of verification: records by who gave the value."""
    measures = ("self_reported", "proxy", "other_source", "no_source")
    return [
        {
            "characteristic": name,
            "measure": measure,
            "unit": "records",
            "note": "",
            "hidden": measure in hidden,
        }
        | {"numerator": n, "denominator": sum(counts)}
        for measure, n in zip(measures, counts, strict=True)
    ]


def point(name, known, seen, **more):
    row = {"characteristic": "ethnicity", "point_of_care": name, "numerator": known, "denominator": seen}
    return {**row, "filled": known / seen >= 0.5, **more}


def texts(chart):
    """Everything that is written in the picture."""
    root = ElementTree.XML(chart.svg)
    return [element.text or "" for element in root.iter() if element.tag.endswith("}text")]


def check_chart(chart):
    root = ElementTree.XML(chart.svg)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) and all(each.startswith(f"{chart.name}-") for each in ids)
    assert "<script" not in chart.svg and len(chart.svg) < 60_000
    assert chart.table.map(lambda cell: isinstance(cell, str) and cell != "").all(axis=None)
    assert chart.table.columns.is_unique and all(chart.table.columns)
    assert not any("nan" in text.split() for text in texts(chart))
    assert len(chart.title) < 300 and chart.title and chart.alternative and chart.source


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize("result", [analysed, released_as, all_hidden, made_by_hand])
def test_every_chart_is_whole_for_true_released_and_hidden_numbers(builder, result):
    for chart in builder(result()):
        check_chart(chart)


@pytest.mark.parametrize("builder", BUILDERS)
def test_nothing_is_drawn_where_nothing_was_counted(builder):
    assert builder(without_extract()) == ()
    whole = made_by_hand()
    gone = ("agreement", "verification", "points_of_care", "swaps", "observed")
    assert builder(replace(whole, tables={k: v for k, v in whole.tables.items() if k not in gone})) == ()


@pytest.mark.parametrize("builder", BUILDERS)
def test_the_same_result_gives_the_same_picture(builder):
    # Nobody's value was observed in the small extract.
    result = made_by_hand() if builder is observed else released_as()
    first, second = builder(result), builder(result)
    assert first and [chart.svg for chart in first] == [chart.svg for chart in second]


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_labels_are_shown_harmless(label):
    result = with_tables(
        agreement=[group(label, 80, 100, label=label)],
        verification=[
            everyone(80, 100),
            *({**row, "label": label} for row in source("ethnicity", 8, 1, 1, 0)),
        ],
        points_of_care=[point(label, 30, 100, label=label)],
        swaps=[pair(label, f"{label}!", 20, label=label)],
        observed=[seen(label, f"{label}!", 20, label=label), seen(label, label, 20, label=label)],
    )
    for builder in BUILDERS:
        (chart,) = builder(result)
        check_chart(chart)
        assert "\u202e" not in chart.svg and "\u2066" not in chart.table.to_csv()


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_characteristic_that_is_not_there_draws_nothing(builder):
    if builder is not sources:
        assert builder(analysed(), "shoe_size") == ()


# ---------------------------------------------------------------- agreement


def test_a_flagged_group_is_the_message():
    rows = [group("Asian", 990, 1000), group("Mixed", 60, 100, flagged=True)]
    chart = agreement(with_tables(agreement=rows, verification=[everyone(1050, 1100)]))[0]
    assert chart.title == (
        "Ethnic group: independent recordings agree for 95.5% of people, lower for Mixed (60.0%); "
        "clearly below 90% for Mixed"
    )
    assert list(chart.table["Reading"]) == ["not flagged", "not flagged", "flagged: clearly below the floor"]
    assert "60.0%, flagged" in texts(chart)


def test_a_difference_inside_the_limits_is_not_called_one():
    rows = [group("Asian", 950, 1000), group("Mixed", 90, 100)]
    chart = agreement(with_tables(agreement=rows, verification=[everyone(1040, 1100)]))[0]
    assert chart.title == (
        "Ethnic group: independent recordings agree for 94.5% of people; no group is clearly below 90%"
    )


def test_few_people_are_no_finding():
    rows = [group("Asian", 3, 6), group("Mixed", 4, 5, hidden=True)]
    chart = agreement(with_tables(agreement=rows, verification=[everyone(9, 11)]))[0]
    assert chart.title.endswith("not enough people to judge any group")
    assert list(chart.table["Reading"])[1:] == ["not enough people to judge", "hidden, a small number"]
    assert "50.0%, few people" in texts(chart) and "[c]" in texts(chart)


def test_what_agreement_cannot_say_stands_beside_it():
    rows = {"agreement": [group("Asian", 99, 100)], "verification": [everyone(99, 100, "Copies count.")]}
    assert agreement(with_tables(**rows))[0].subtitle.endswith(". Copies count.")


def test_of_many_groups_the_lowest_are_drawn_in_their_own_order():
    rows = [group(f"Group {n}", 100 + (n * 37) % 50, 200) for n in range(50)]
    chart = agreement(with_tables(agreement=rows, verification=[everyone(9000, 10000)]))[0]
    check_chart(chart)
    shown = list(chart.table["Group"])[1:]
    assert len(shown) == 30 and shown == sorted(shown, key=lambda name: int(name.split()[1]))
    assert set(chart.table["Share"][1:]) == {percent((100 + n) / 200) for n in range(30)}
    assert "agreement.csv" in chart.subtitle


# ---------------------------------------------------------------- points of care


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [point("Clinic", 90, 100), point("Ward", 60, 100)],
            "every point of care shown records it for 50% or more of the people seen",
        ),
        (
            [point("Clinic", 9, 100), point("Ward", 6, 100)],
            "no point of care shown records it for 50% or more of the people seen",
        ),
        (
            [point("Clinic", 90, 100), point("Ward", 6, 100)],
            "recorded for 50% or more of the people seen at Clinic, and not at Ward",
        ),
        ([point("Clinic", 90, 100, hidden=True)], "how far points of care record it is hidden"),
    ],
)
def test_the_message_is_which_points_of_care_are_filled(rows, words):
    chart = points_of_care(with_tables(points_of_care=rows))[0]
    assert chart.title == f"Ethnic group: {words}"


def test_a_point_that_is_not_filled_says_so_in_words():
    chart = points_of_care(with_tables(points_of_care=[point("Clinic", 90, 100), point("Ward", 6, 100)]))[0]
    assert list(chart.table["Reading"]) == ["filled", "not filled"] and "6.0%, not filled" in texts(chart)


def test_a_verdict_that_rounding_turned_says_that_it_came_before():
    chart = points_of_care(with_tables(points_of_care=[point("Clinic", 50, 100, filled=False)]))[0]
    assert list(chart.table["Reading"]) == ["not filled, before rounding"]


# ---------------------------------------------------------------- sources


@pytest.mark.parametrize(
    ("ethnic", "language", "words"),
    [
        (
            (960, 10, 20, 10),
            (970, 10, 10, 10),
            "Ethnic group 96.0% and Main or preferred language 97.0%; at or above the 95% mark",
        ),
        (
            (900, 10, 80, 10),
            (970, 10, 10, 10),
            "Ethnic group 90.0% and Main or preferred language 97.0%; below the 95% mark for Ethnic group",
        ),
        (
            (900, 10, 80, 10),
            (800, 10, 180, 10),
            "Ethnic group 90.0% and Main or preferred language 80.0%; below the 95% mark",
        ),
    ],
)
def test_the_message_is_what_the_person_gave(ethnic, language, words):
    rows = [*source("ethnicity", *ethnic), *source("language", *language)]
    chart = sources(with_tables(verification=rows))[0]
    assert chart.title == f"Given by the person: {words}"
    assert list(chart.table["The person"]) == [percent(ethnic[0] / 1000), percent(language[0] / 1000)]
    assert set(chart.table.iloc[:, 2:].to_numpy().ravel()) <= set(texts(chart))


def test_a_hidden_part_reads_so():
    chart = sources(with_tables(verification=source("ethnicity", 90, 3, 7, 0, hidden=["proxy"])))[0]
    assert list(chart.table.iloc[0, 2:]) == ["90.0%", "[c]", "7.0%", "0.0%"] and "[c]" in texts(chart)
    hidden = source("ethnicity", 90, 3, 7, 0, hidden=["self_reported"])
    assert sources(with_tables(verification=hidden))[0].title == "How many values the person gave is hidden"


def test_the_parts_of_a_bar_are_told_apart_without_colour():
    chart = sources(with_tables(verification=source("ethnicity", 60, 20, 10, 10)))[0]
    assert {"person", "for them", "source", "recorded"} <= set(texts(chart))
    assert "pattern" in chart.svg, "values without a source are hatched"


# ---------------------------------------------------------------- swaps


def pair(first, second, people, **more):
    return {"characteristic": "ethnicity", "first": first, "second": second, "people": people, **more}


def test_the_most_frequent_pairs_are_the_message():
    rows = [pair("Indian", "Asian other", 40), pair("White British", "White other", 82)]
    chart = swaps(with_tables(swaps=rows))[0]
    assert chart.title == (
        "Ethnic group: the same people are recorded most often as both White British and White other (82 people)"
    )
    assert list(chart.table["People"]) == ["82", "40"] and {"82", "40"} <= set(texts(chart))


def test_pairs_that_are_equal_are_named_together_and_hidden_ones_come_last():
    rows = [pair("A", "B", 3, hidden=True), pair("C", "D", 40), pair("E", "F", 40)]
    chart = swaps(with_tables(swaps=rows))[0]
    assert chart.title.endswith("as both C and D; or E and F (40 people)")
    assert list(chart.table["People"]) == ["40", "40", "[c]"] and "[c]" in texts(chart)
    assert "hidden" in swaps(with_tables(swaps=rows[:1]))[0].title


# ---------------------------------------------------------------- the observer


def seen(own, observer, records, **more):
    return {"characteristic": "ethnicity", "own": own, "observed": observer, "records": records, **more}


def test_the_matrix_holds_every_pair_and_names_the_agreement():
    known = [seen("Asian", "Asian", 90), seen("Asian", "Black", 10)]
    rows = [*known, seen("Not known", "Asian", 7), seen("Black", "Black", 5, hidden=True)]
    agrees = {"characteristic": "ethnicity", "measure": "observed_agrees", "unit": "records", "note": ""}
    chart = observed(
        with_tables(observed=rows, verification=[{**agrees, "numerator": 95, "denominator": 105}])
    )[0]
    assert (
        chart.title == "Ethnic group: an observer’s group agrees with the person’s own for 90.5% of records"
    )
    assert chart.table.to_numpy().tolist() == [
        ["Asian", "90", "10"],
        ["Black", "–", "[c]"],
        ["Not known", "7", "–"],
    ]
    assert {"90", "10", "[c]", "they agree"} <= set(texts(chart))


def test_of_many_groups_those_with_the_most_records_are_drawn():
    rows = [seen(f"Group {n:02d}", f"Group {n:02d}", 100 + n) for n in range(40)]
    chart = observed(with_tables(observed=rows))[0]
    check_chart(chart)
    assert list(chart.table.iloc[:, 0]) == [f"Group {n}" for n in range(28, 40)]
    assert "observed.csv" in chart.subtitle


# ---------------------------------------------------------------- the numbers


def test_the_numbers_of_the_charts_are_those_of_the_released_tables():
    result = released_as()
    tables = ("agreement", "points_of_care", "verification")
    shares = {percent(value) for name in tables for value in result.table(name)["value"].dropna()} | {
        "[c]",
        "[x]",
    }
    for chart in (*agreement(result), *points_of_care(result)):
        assert set(chart.table["Share"]) <= shares
    for chart in sources(result):
        assert set(chart.table.iloc[:, 2:].to_numpy().ravel()) <= shares
