"""Charts of one figure for all groups of a characteristic, and the layout of rows that other charts share."""

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
from equitydata.plots.inequality import inequality
from equitydata.plots.lines import (
    Line,
    Panel,
    Part,
    Span,
    between,
    cell,
    draw_lines,
    gap_between,
    group_label,
    group_name,
    inside,
    most_of,
)
from equitydata.release import release
from equitydata.release.summaries import WITHHELD
from equitydata.written import ratio
from report_sample import framed, sample_result, without_extract

HOSTILE = "<script>alert(1)</script>{{7*7}}\u202e=cmd" + "x" * 40_000
DNA = {"measure": "dna", "measure_label": "Did not attend"}
LABELS = {"ethnicity": "Ethnic group", "age": "Age", "deprivation": "Deprivation (IMD decile)"}


@cache
def bare_result() -> eq.EquityResult:
    return sample_result(equity=False)


def with_tables(**tables: pd.DataFrame) -> eq.EquityResult:
    return replace(bare_result(), tables={**bare_result().tables, **tables})


def summary(
    of: str, name: str, numbers: tuple, *, chance: float = math.nan, level="detailed", **more
) -> dict:
    """A row of `inequality`: numbers are value, lower and upper."""
    value, lower, upper = numbers
    row = {**DNA, "characteristic": of, "label": LABELS.get(of, of), "level": level, "summary": name}
    row |= {"summary_label": f"Summary {name}", "value": value, "lower": lower, "upper": upper}
    row |= {
        "under_equality": chance,
        "compared": "Black against White",
        "groups": 5,
        "left_out": 0,
        "note": "",
    }
    return row | more


def pair(
    of: str, difference: tuple, of_two: tuple, chances: tuple = (math.nan, math.nan), **more
) -> list[dict]:
    return [
        summary(of, "D", difference, chance=chances[0], **more),
        summary(of, "R", of_two, chance=chances[1], **more),
    ]


FAR = pair("age", (0.12, 0.09, 0.14), (2.1, 1.8, 2.4), (0.02, 1.16))
BY_CHANCE = pair("ethnicity", (0.08, 0.05, 0.1), (1.7, 1.4, 1.9), (0.06, 1.5))


def result_of(*rows: dict) -> eq.EquityResult:
    shares = framed("known_or_not", [{**DNA, "characteristic": "age", "statistic": "share", "note": ""}])
    return with_tables(inequality=framed("inequality", list(rows)), known_or_not=shares)


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


# ---------------------------------------------------------------- what is clear


def test_groups_are_further_apart_than_chance_only_where_the_limits_pass_what_chance_gives():
    (chart,) = inequality(result_of(*BY_CHANCE, *FAR))
    assert chart.title == "Did not attend: groups further apart than chance by age (1 of 2 characteristics)"
    assert list(chart.table["Characteristic"]) == ["Ethnic group", "Age"]
    assert list(chart.table["Reading"]) == ["Not clearly beyond chance", "Further apart than chance"]
    written = texts(chart)
    assert written.index("Further apart than chance") < written.index("Age")
    assert written.index("Not clearly beyond chance") < written.index("Ethnic group")
    assert "a single group may still differ from the rest" in chart.alternative
    check([chart])


@pytest.mark.parametrize(
    ("slope", "relative", "clear"),
    [
        ((-0.09, -0.1, -0.07), (0.5, 0.4, 0.6), True),
        ((-0.09, -0.1, 0.01), (0.5, 0.4, 1.1), False),
        ((-0.09, -0.1, -0.07), (0.5, 0.4, 1.1), False),
    ],
)
def test_a_slope_is_clear_where_its_limits_leave_out_equality_on_both_scales(slope, relative, clear):
    rows = [summary("deprivation", "SII", slope), summary("deprivation", "RII", relative)]
    (chart,) = inequality(result_of(*rows))
    assert ("further apart than chance by deprivation" in chart.title) == clear
    assert ("no characteristic has groups clearly further apart than chance" in chart.title) != clear


def test_the_slope_goes_before_the_two_ends_and_its_ends_are_said():
    more = {"level": "decile", "compared": "rank 0 is 1, rank 1 is 10"}
    rows = [
        *pair("deprivation", (0.06, 0.03, 0.09), (1.6, 1.2, 2.1), level="decile"),
        summary("deprivation", "SII", (-0.09, -0.1, -0.07), **more),
        summary("deprivation", "RII", (0.5, 0.4, 0.6), **more),
    ]
    (chart,) = inequality(result_of(*rows))
    assert dict(chart.table.iloc[0]) == {
        "Characteristic": "Deprivation (IMD decile)",
        "Compared": "Slope from decile 1 to decile 10",
        "Difference": "-9.0 points",
        "Its limits": "-10.0 to -7.0 points",
        "By chance alone": "–",
        "Ratio": "0.50",
        "Limits of the ratio": "0.40 to 0.60",
        "Ratio by chance alone": "–",
        "Summary": "Summary SII and Summary RII",
        "Reading": "Further apart than chance",
    }


def test_a_slope_without_a_value_gives_way_to_the_two_ends():
    rows = [
        summary("deprivation", "SII", (math.nan,) * 3),
        *pair("deprivation", (0.06, 0.03, 0.09), (1.6, 1.2, 2.1)),
    ]
    (chart,) = inequality(result_of(*rows))
    assert list(chart.table["Difference"]) == ["+6.0 points"]


def test_only_the_first_level_of_a_characteristic_and_no_crossing_is_shown():
    rows = [
        *FAR,
        *pair("age", (0.5, 0.4, 0.6), (3, 2, 4), level="other"),
        *pair("age x sex", (1, 1, 1), (2, 2, 2)),
    ]
    (chart,) = inequality(result_of(*rows))
    assert list(chart.table["Difference"]) == ["+12.0 points"]


def test_withheld_summaries_are_hidden_and_all_withheld_is_said():
    hidden = pair("ethnicity", (math.nan,) * 3, (math.nan,) * 3, note=WITHHELD)
    (some,), (all_hidden,) = inequality(result_of(*FAR, *hidden)), inequality(result_of(*hidden))
    assert list(some.table["Difference"]) == ["+12.0 points", "[c]"]
    assert texts(some).count("[c]") == 2
    assert list(some.table["Compared"]) == [
        "Black against White",
        "[c]",
    ]  # the widest pair would tell of both
    assert texts(some).count("Black against White") == 1
    assert "1 more cannot be shown" in some.alternative
    assert all_hidden.title == "Did not attend: how far groups lie apart is withheld by the small-number rule"
    check([some, all_hidden])


def test_a_summary_that_could_not_be_worked_out_is_not_called_hidden():
    (chart,) = inequality(result_of(*pair("ethnicity", (math.nan,) * 3, (math.nan,) * 3)))
    assert list(chart.table["Difference"]) == ["[x]"]
    assert "not known: not enough data" in chart.title


def test_the_difference_alone_is_drawn_where_there_is_no_ratio():
    (chart,) = inequality(result_of(FAR[0]))
    assert list(chart.table["Ratio"]) == ["[x]"]
    assert chart.title.endswith("by age (1 of 1 characteristics)")


def test_a_mean_has_no_percentage_points():
    days = {"measure": "wait", "measure_label": "Days waited"}
    means = framed("known_or_not", [{**days, "characteristic": "age", "statistic": "mean", "note": ""}])
    rows = framed("inequality", [row | days for row in pair("age", (4.2, 3.1, 5.3), (1.3, 1.2, 1.4))])
    (chart,) = inequality(with_tables(inequality=rows, known_or_not=means))
    assert list(chart.table.loc[0, ["Difference", "Its limits"]]) == ["+4.2", "+3.1 to +5.3"]


def test_marks_stand_at_the_numbers_of_the_table():
    (chart,) = inequality(result_of(*FAR))
    difference, of_two = chart.figure.subfigs[1].axes
    for axes, at, chance in ((difference, 0.12, 0.02), (of_two, 2.1, 1.16)):
        marks = {line.get_marker(): np.asarray(line.get_xdata(), dtype=float) for line in axes.lines}
        assert list(marks["o"]) == [at]
        assert list(marks["|"]) == [chance]
    assert of_two.get_xscale() == "log"


# ---------------------------------------------------------------- layout of rows


def lines(many: int) -> tuple[Line, ...]:
    return tuple(Line(f"Row {place}", (Span(1.1, 0.9, 1.3),)) for place in range(many))


def test_rows_are_cut_from_the_last_part_and_every_part_keeps_three():
    parts = most_of([Part("First", lines(40), strong=True), Part("None", ()), Part("Last", lines(10))], 30)
    assert [(len(part.lines), part.words) for part in parts] == [
        (27, "First (27 of 40)"),
        (3, "Last (3 of 10)"),
    ]
    (whole,) = most_of([Part("All", lines(5))], 30)
    assert whole.words == "All"


def drawn(*spans: Span, equal: float = 1.0):
    from matplotlib.figure import Figure

    canvas = Figure()
    parts = most_of([Part("Rows", tuple(Line(str(place), (span,)) for place, span in enumerate(spans)))])
    draw_lines(canvas, parts, [Panel("Ratio", equal, lambda value: f"{value:g}")])
    return canvas.axes[0]


def test_endless_and_far_limits_end_in_arrows_at_the_edge():
    axes = drawn(Span(2.0, 0.001, math.inf), Span(1.1, 0.9, 1.3))
    low, high = axes.get_xlim()
    marks = {line.get_marker(): list(line.get_xdata()) for line in axes.lines}
    assert (marks["<"], marks[">"]) == ([low], [high])
    assert low > 0.01
    bars = next(line for line in axes.lines if len(line.get_xdata()) == 6)
    assert list(bars.get_xdata())[:2] == [low, high]


def test_a_ratio_of_0_is_drawn_at_the_edge_and_does_not_break_the_axis():
    low, _ = drawn(Span(0.0, 0.0, 0.8)).get_xlim()
    assert low > 0


def test_the_axis_holds_every_mark_and_names_equality():
    axes = drawn(Span(1.02, 0.99, 1.05), equal=1)
    ticks = [label.get_text() for label in axes.get_xticklabels()]
    assert "1" in ticks
    plain = drawn(Span(0.4, 0.2, 0.9), Span(-0.3, -0.8, 0.1), equal=0)
    low, high = plain.get_xlim()
    assert low < -0.8 < 0.9 < high


# ---------------------------------------------------------------- words


def test_numbers_say_why_they_are_not_there():
    assert cell(0.5, True, ratio) == "[c]"
    assert [cell(absent, False, ratio) for absent in (None, math.nan, pd.NA)] == ["[x]"] * 3
    assert cell(math.inf, False, ratio) == "no limit"
    assert cell(0.5, False, ratio) == "0.50"
    assert between(0.5, math.inf, False, ratio) == "0.50 to no limit"
    assert between(0.5, 0.7, True, ratio) == "[c]"
    assert gap_between(0.004, 0.057, False, "share") == "+0.4 to +5.7 points"
    assert gap_between(None, None, False, "share") == "[x]"


def test_groups_say_what_they_are():
    decile = {"level": "decile", "category": "2", "characteristic": "deprivation"}
    assert group_label(decile) == "Decile 2 (deprivation)"
    assert group_name(decile) == "Decile 2"
    long = {"level": "detailed", "category": "x" * 90, "characteristic": "sexual_orientation"}
    assert len(group_label(long)) <= 36
    assert (inside("Ethnic group"), inside("HbA1c in range"), inside("IMD decile")) == (
        "ethnic group",
        "HbA1c in range",
        "IMD decile",
    )


# ---------------------------------------------------------------- any result


def test_hostile_labels_are_shown_harmless():
    bad = {"measure_label": HOSTILE, "label": HOSTILE, "compared": HOSTILE, "level": HOSTILE}
    charts = inequality(result_of(*(row | bad for row in FAR)))
    check(charts)
    assert "\u202e" not in charts[0].svg + charts[0].title + charts[0].table.to_string()


def test_an_unknown_measure_is_refused_with_the_names_there_are():
    with pytest.raises(ConfigError, match="Available: dna"):
        inequality(result_of(*FAR), measure="dnaa")
    assert len(inequality(result_of(*FAR), measure="dna")) == 1


def test_a_result_without_outcomes_has_nothing_to_draw():
    assert inequality(bare_result()) == inequality(without_extract()) == ()
    assert inequality(replace(bare_result(), tables={})) == ()


def test_a_released_result_is_drawn_the_same_way_each_time():
    released = release(sample_result(), "nhs")
    first, second = inequality(released), inequality(released)
    check(first)
    assert len(first) == 1
    assert [chart.svg for chart in first] == [chart.svg for chart in second]
