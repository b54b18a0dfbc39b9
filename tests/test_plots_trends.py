"""Charts of change: outcomes by period, gaps to the rest, progress over runs. Tables by hand, answers known."""

import re
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

import equitydata as eq
from equitydata.errors import ConfigError
from equitydata.plots.gaps import gaps
from equitydata.plots.runs import runs
from equitydata.plots.trends import apart, trend
from equitydata.release import release
from equitydata.tables import HIDDEN
from report_sample import framed, sample_result, without_extract

HOSTILE = "<script>alert(1)</script>{{7*7}}\u202e=cmd" + "x" * 40_000
DNA = {"measure": "dna", "measure_label": "Did not attend"}
EVERYONE = {"characteristic": "all", "label": "Everyone", "level": "all", "category": "Everyone"}
ETHNIC = {"characteristic": "ethnicity", "label": "Ethnic group", "level": "groups"}


@cache
def bare_result() -> eq.EquityResult:
    return sample_result(equity=False)


@cache
def released_result() -> eq.EquityResult:
    return release(sample_result(), "nhs")


def with_tables(**tables: pd.DataFrame) -> eq.EquityResult:
    return replace(bare_result(), tables={**bare_result().tables, **tables})


def periods(of: dict, counts: list[tuple[int, int]]) -> list[dict]:
    """Rows of a share by quarter: (numerator, denominator) of each."""
    return [
        {**DNA, **of, "period": f"2025 Q{place}", "order": place, "statistic": "share", "people": n}
        | {"numerator": x, "denominator": n, "design_effect": 1.0, "note": ""}
        for place, (x, n) in enumerate(counts, start=1)
    ]


def group(category: str) -> dict:
    return {**ETHNIC, "category": category}


def change(of: dict, low: float, high: float, **more) -> dict:
    ends = {"first_period": "2025 Q1", "last_period": "2025 Q3", "change": (low + high) / 2}
    return {
        **DNA,
        **of,
        **ends,
        "change_lower": low,
        "change_upper": high,
        "opposite": False,
        "note": "",
        **more,
    }


def trends_of(*groups: tuple[dict, list[tuple[int, int]]]) -> pd.DataFrame:
    return framed("trends", [row for of, counts in groups for row in periods(of, counts)])


def flagged(*flags: tuple[str, str, int]) -> pd.DataFrame:
    """Comparisons with the rest: (category, flag, people)."""
    return framed(
        "comparisons",
        [
            {**DNA, **group(category), "comparator": "rest", "adjustment": "crude", "statistic": "share"}
            | {"flag": flag, "people": people}
            for category, flag, people in flags
        ],
    )


def _elements(chart) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(chart.svg).iter())  # noqa: S314 - our own


def check(charts) -> None:
    """What holds for every chart: readable SVG with ids of its own, and a table of text."""
    names = [chart.name for chart in charts]
    assert len(set(names)) == len(names)
    for chart in charts:
        ids = [element.get("id") for element in _elements(chart) if element.get("id")]
        assert len(set(ids)) == len(ids)
        assert all(each.startswith(chart.name) for each in ids)
        assert "<script" not in chart.svg
        assert len(chart.svg) < 60_000
        assert re.fullmatch(r"figure-[a-z0-9-]+", chart.name)
        assert len(chart.title) < 250
        assert chart.alternative
        assert len(set(chart.table.columns)) == len(chart.table.columns)
        assert chart.table.map(lambda cell: isinstance(cell, str) and cell != "").all().all()
        assert chart.table.iloc[:, 0].is_unique


def texts(chart) -> list[str]:
    return [element.text for element in _elements(chart) if element.tag.endswith("}text")]


def lines_of(chart) -> list[np.ndarray]:
    """The values of every line with marks that the chart draws."""
    axes = chart.figure.subfigs[1].axes[0]
    return [np.asarray(line.get_ydata(), dtype=float) for line in axes.lines if line.get_marker() != "None"]


# ---------------------------------------------------------------- trend


STEADY = [(100, 1000), (105, 1000), (102, 1000)]
RISING = [(100, 1000), (150, 1000), (200, 1000)]


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        (0.05, 0.15, "risen from 10.0% in 2025 Q1 to 20.0% in 2025 Q3"),
        (-0.15, -0.05, "fallen from 10.0% in 2025 Q1 to 20.0% in 2025 Q3"),
        (-0.01, 0.15, "no clear change (10.0% in 2025 Q1, 20.0% in 2025 Q3)"),
        (np.nan, np.nan, "not enough data to judge the change"),
    ],
)
def test_the_title_says_risen_or_fallen_only_where_the_limits_leave_out_no_change(low, high, says):
    result = with_tables(
        trends=trends_of((EVERYONE, RISING)), changes=framed("changes", [change(EVERYONE, low, high)])
    )
    assert [chart.title for chart in trend(result)] == [f"Did not attend: {says}"]


def test_groups_that_clearly_moved_are_named_and_the_others_are_not():
    result = with_tables(
        trends=trends_of((EVERYONE, STEADY), (group("Asian"), RISING), (group("Black"), STEADY)),
        changes=framed(
            "changes",
            [
                change(EVERYONE, -0.02, 0.02),
                change(group("Asian"), 0.05, 0.15),
                change(group("Black"), -0.1, 0.1),
            ],
        ),
        comparisons=flagged(
            ("Asian", "disproportionate_high", 1000), ("Black", "disproportionate_low", 1000)
        ),
    )
    (chart,) = trend(result)
    assert (
        chart.title == "Did not attend: no clear change (10.0% in 2025 Q1, 10.2% in 2025 Q3); risen for Asian"
    )
    assert "Black (Ethnic group) from 10.0% to 10.2% (no clear change)" in chart.alternative


def test_flagged_groups_are_drawn_clear_ones_before_small_ones_and_large_before_small_three_at_most():
    sizes = {"Asian": 100, "Black": 900, "Mixed": 500, "Other": 300, "White": 5000}
    result = with_tables(
        trends=trends_of(
            (EVERYONE, STEADY), *((group(name), [(10, size)] * 3) for name, size in sizes.items())
        ),
        comparisons=flagged(
            ("Asian", "disproportionate_low", 100),
            ("Black", "different_small", 900),
            ("Mixed", "different_small", 500),
            ("Other", "disproportionate_high", 300),
            ("White", "no_evidence", 5000),
        ),
    )
    (chart,) = trend(result)
    drawn = list(dict.fromkeys(label.rsplit(", ", 1)[0] for label in chart.table.iloc[:, 0]))
    assert drawn == ["Everyone", *(f"{name} (Ethnic group)" for name in ("Other", "Asian", "Black"))]
    (of_all,) = trend(result, characteristic="ethnicity")
    assert of_all.name == "figure-trend-dna-ethnicity"
    assert "White (Ethnic group), 2025 Q1" not in set(
        of_all.table.iloc[:, 0]
    )  # three flagged ones go before it


def test_without_flags_a_named_characteristic_shows_its_largest_groups_and_the_default_everyone_alone():
    result = with_tables(
        trends=trends_of((EVERYONE, STEADY), (group("A"), [(5, 50)] * 3), (group("B"), STEADY))
    )
    (everyone,), (groups,) = trend(result), trend(result, characteristic="ethnicity")
    assert set(everyone.table.iloc[:, 0]) == {f"Everyone, 2025 Q{place}" for place in (1, 2, 3)}
    assert list(groups.table.iloc[:, 0])[3::3] == ["B (Ethnic group), 2025 Q1", "A (Ethnic group), 2025 Q1"]


def test_no_line_goes_through_a_hidden_period_and_its_symbol_stands_below():
    counts = [(100, 1000), (100, 1000), (3, 1000), (120, 1000), (110, 1000)]
    trends = trends_of((EVERYONE, counts))
    trends[HIDDEN] = [False, False, True, False, False]
    trends.loc[2, ["people", "numerator", "denominator", "value", "lower", "upper"]] = np.nan
    (chart,) = trend(with_tables(trends=trends))
    (line,) = [values for values in lines_of(chart) if len(values) == 5]
    assert np.isnan(line[2])
    assert np.isfinite(line[[0, 1, 3, 4]]).all()
    assert texts(chart).count("[c]") == 1
    assert list(chart.table.iloc[2]) == ["Everyone, 2025 Q3", "[c]", "[c]", "[c]"]
    assert "Lines break where a value is hidden or missing: 1 of the points." in chart.alternative


def test_a_value_that_is_shown_in_a_hidden_row_is_not_drawn():
    trends = trends_of((EVERYONE, STEADY))
    trends[HIDDEN] = [False, True, False]  # a number left by mistake
    (chart,) = trend(with_tables(trends=trends))
    assert "10.5%" not in chart.svg + chart.table.to_string() + chart.alternative
    assert np.isnan(lines_of(chart)[0][1])


def test_a_period_without_anybody_is_not_zero():
    (chart,) = trend(with_tables(trends=trends_of((EVERYONE, [(100, 1000), (0, 0), (90, 1000)]))))
    assert list(chart.table["Value"]) == ["10.0%", "[x]", "9.0%"]
    assert texts(chart).count("[x]") == 1


def test_the_axis_of_values_begins_at_0_or_the_subtitle_says_that_it_does_not():
    low, high = (with_tables(trends=trends_of((EVERYONE, [(x, 1000)] * 3))) for x in (40, 900))
    (low_chart,), (high_chart,) = trend(low), trend(high)
    assert low_chart.figure.subfigs[1].axes[0].get_ylim()[0] == 0
    assert "does not begin at 0" not in low_chart.subtitle
    assert high_chart.figure.subfigs[1].axes[0].get_ylim()[0] > 0.5
    assert "(the axis does not begin at 0)" in high_chart.subtitle


def test_one_period_is_no_trend():
    assert trend(with_tables(trends=trends_of((EVERYONE, [(100, 1000)])))) == ()


def test_many_periods_are_cut_to_the_latest_and_the_subtitle_says_so():
    rows = [
        row | {"period": f"{2020 + place // 12}-{place % 12 + 1:02d}", "order": place}
        for place, row in enumerate(periods(EVERYONE, [(100, 1000)] * 40))
    ]
    (chart,) = trend(with_tables(trends=framed("trends", rows)))
    assert len(chart.table) == 24
    assert ", the latest 24 of 40" in chart.subtitle
    assert chart.table.iloc[-1, 0] == "Everyone, 2023-04"
    check([chart])


def months(of: dict, many: int) -> list[dict]:
    rows = periods(of, [(100 + 5 * place, 1000) for place in range(many)])
    return [row | {"period": f"2025-{place + 1:02d}"} for place, row in enumerate(rows)]


def test_lines_over_many_periods_are_untangled_each_group_beside_everyone():
    trends = framed(
        "trends", [row for of in (EVERYONE, group("Asian"), group("Black")) for row in months(of, 12)]
    )
    trends[HIDDEN] = [place in (14, 15, 30) for place in range(36)]
    flags = flagged(("Asian", "disproportionate_high", 1000), ("Black", "disproportionate_low", 1000))
    (chart,) = trend(with_tables(trends=trends, comparisons=flags))
    plots = chart.figure.subfigs[1].axes
    assert len(plots) == 2
    for plot, hidden in zip(plots, ([2, 3], [6]), strict=True):
        whole = [line for line in plot.lines if len(line.get_xdata()) == 12]
        everyone, one = (np.asarray(line.get_ydata(), dtype=float) for line in whole)
        assert np.isfinite(everyone).all()
        assert list(np.flatnonzero(np.isnan(one))) == hidden
    assert texts(chart).count("[c]") == 2  # two neighbours share one
    assert list(chart.table["Value"]).count("[c]") == 3
    assert {"Asian", "Black", "and everyone"} <= set(texts(chart))
    check([chart])


def test_people_of_unknown_group_are_no_group_to_draw():
    trends = trends_of((EVERYONE, STEADY), (group("Declined"), STEADY), (group("Asian"), STEADY))
    outcomes = framed(
        "outcomes",
        [
            {**DNA, **group("Declined"), "status": "declined", "unit": "contacts", "statistic": "share"},
            {**DNA, **group("Asian"), "status": "known", "unit": "contacts", "statistic": "share"},
        ],
    )
    (chart,) = trend(with_tables(trends=trends, outcomes=outcomes), characteristic="ethnicity")
    assert "Declined" not in chart.table.to_string()
    assert "Asian" in chart.table.to_string()
    assert chart.subtitle.startswith("Share of contacts by period")


def test_an_unknown_measure_is_refused_with_the_names_there_are():
    with pytest.raises(ConfigError, match="Available: dna"):
        trend(with_tables(trends=trends_of((EVERYONE, STEADY))), measure="dnaa")


def test_labels_at_the_ends_are_moved_apart_and_stay_in_order():
    assert apart([0.2, 0.5], 0.1) == [0.2, 0.5]
    assert apart([0.5, 0.5, 0.55], 0.1) == pytest.approx([0.5, 0.6, 0.7])
    assert apart([0.98, 0.99], 0.1) == pytest.approx([0.9, 1.0])


# ---------------------------------------------------------------- gaps


def gap_row(category: str, gap: tuple, limits: tuple, ratio: tuple, ratio_limits: tuple, **more) -> dict:
    first, last = gap
    numbers = {"gap_first": first, "gap_last": last, "gap_change": last - first}
    numbers |= {"gap_change_lower": limits[0], "gap_change_upper": limits[1]}
    numbers |= {"ratio_first": ratio[0], "ratio_last": ratio[1], "ratio_change": ratio[1] / ratio[0]}
    numbers |= {"ratio_change_lower": ratio_limits[0], "ratio_change_upper": ratio_limits[1]}
    return change(group(category), -1, 1, **(numbers | more))


UP = gap_row("Asian", (0.01, 0.08), (0.03, 0.11), (1.1, 1.8), (1.2, 2.2))
DOWN = gap_row("Black", (0.05, -0.01), (-0.1, -0.02), (1.5, 0.9), (0.4, 0.9))
RATIO_ONLY = gap_row("Mixed", (0.05, 0.04), (-0.03, 0.01), (1.5, 2.5), (1.1, 2.2), opposite=True)
STILL = gap_row("Other", (0.02, 0.021), (-0.03, 0.03), (1.2, 1.19), (0.8, 1.3), opposite=True)


def gaps_result(*rows: dict, hidden: tuple[bool, ...] = ()) -> eq.EquityResult:
    frame = framed("changes", list(rows))
    trends = trends_of((EVERYONE, STEADY))  # says that the measure is a share
    return with_tables(changes=frame.assign(**{HIDDEN: list(hidden)}) if hidden else frame, trends=trends)


def test_groups_whose_gap_clearly_moved_come_first_and_are_named_by_direction():
    (chart,) = gaps(gaps_result(STILL, RATIO_ONLY, DOWN, UP))
    assert chart.title == (
        "Did not attend: 3 of 4 gaps to the rest clearly moved, up for Asian and Mixed and down for Black"
    )
    assert list(chart.table["Group"]) == [
        f"{name} (Ethnic group)" for name in ("Asian", "Black", "Mixed", "Other")
    ]
    assert list(chart.table["Reading"]) == [
        "Clearly moved; up",
        "Clearly moved; down",
        "Clearly moved; up, ratio only; opposite ways",
        "No clear change; opposite ways",
    ]
    assert "opposite ways for Mixed (ethnicity) and Other (ethnicity)" in chart.alternative
    assert {"up", "down", "up, ratio only; opposite ways", "opposite ways"} <= set(texts(chart))
    check([chart])


def test_the_table_of_gaps_holds_the_numbers_of_the_result():
    (chart,) = gaps(gaps_result(UP))
    assert dict(chart.table.iloc[0]) == {
        "Group": "Asian (Ethnic group)",
        "Gap, first": "+1.0 points",
        "Gap, last": "+8.0 points",
        "Change": "+7.0 points",
        "Limits of the change": "+3.0 to +11.0 points",
        "Ratio, first": "1.10",
        "Ratio, last": "1.80",
        "Ratio of ratios": "1.64",
        "Its limits": "1.20 to 2.20",
        "Reading": "Clearly moved; up",
    }


@pytest.mark.parametrize(("people", "moved"), [(60, 0), (6000, 3)])
def test_what_the_rounding_of_counts_alone_may_have_moved_is_not_called_clear(people, moved):
    few = [(people // 5, people)] * 3
    trends = trends_of(
        (EVERYONE, STEADY), *((group(name), few) for name in ("Asian", "Black", "Mixed", "Other"))
    )
    changes = framed("changes", [UP, DOWN, RATIO_ONLY, STILL])
    true = with_tables(changes=changes, trends=trends)
    assert "3 of 4 gaps to the rest clearly moved" in gaps(true)[0].title
    (released,) = gaps(replace(true, disclosure="nhs"))
    assert list(released.table["Reading"].str.startswith("Clearly moved")).count(True) == moved


def test_a_small_rise_of_rounded_counts_is_no_rise():
    for counts, says in ((60, "no clear change"), (60_000, "risen")):
        true = with_tables(
            trends=trends_of((EVERYONE, [(counts // 5, counts)] * 3)),
            changes=framed("changes", [change(EVERYONE, 0.01, 0.2)]),
        )
        assert f"Did not attend: {says}" in trend(replace(true, disclosure="nhs"))[0].title
        assert "Did not attend: risen" in trend(true)[0].title


def test_no_gap_that_clearly_moved_is_said():
    (chart,) = gaps(gaps_result(STILL))
    assert chart.title == "Did not attend: no gap to the rest has clearly moved (1 group)"
    assert "No gap clearly moved." in chart.alternative


def test_the_limits_of_the_change_are_drawn_from_the_first_value():
    (chart,) = gaps(gaps_result(UP))
    absolute, relative = chart.figure.subfigs[1].axes
    drawn = [np.asarray(line.get_xdata(), dtype=float) for line in absolute.lines]
    assert any(np.allclose(x[:2], [0.01 + 0.03, 0.01 + 0.11]) for x in drawn if len(x) == 3)
    assert relative.get_xscale() == "log"


def test_hidden_groups_and_those_without_enough_data_stand_as_rows_with_symbols():
    few = gap_row("White", (np.nan, np.nan), (np.nan, np.nan), (np.nan, np.nan), (np.nan, np.nan))
    (chart,) = gaps(gaps_result(STILL, few, DOWN, hidden=(False, False, True)))
    assert chart.title.endswith("no gap to the rest has clearly moved (1 group)")
    assert list(chart.table["Gap, last"]) == ["+2.1 points", "[x]", "[c]"]
    assert list(chart.table["Reading"])[1:] == ["Not enough data", "Hidden, small numbers"]
    assert texts(chart).count("[c]") == texts(chart).count("[x]") == 2
    assert "-1.0 points" not in chart.table.to_string()


def test_all_hidden_gaps_say_so():
    (chart,) = gaps(gaps_result(UP, DOWN, hidden=(True, True)))
    assert chart.title == "Did not attend: gaps to the rest over time are hidden by the small-number rule"
    check([chart])


def test_many_groups_are_cut_and_the_headings_say_of_how_many():
    rows = [
        gap_row(f"Group {place:02d}", (0.02, 0.03), (-0.1, 0.1), (1.2, 1.3), (0.8, 1.3))
        for place in range(60)
    ]
    (chart,) = gaps(gaps_result(UP, *rows))
    assert len(chart.table) == 22
    assert "No clear change (21 of 60)" in texts(chart)
    assert chart.title.startswith("Did not attend: 1 of 61 gaps")


# ---------------------------------------------------------------- runs


def run(day: str, share: float | None, tier: str, service: str = "Clinic") -> dict:
    people = None if share is None else 1200
    return {"date": day, "service": service, "joint_known": share, "people": people, "tier": tier}


def runs_result(*rows: dict) -> eq.EquityResult:
    return with_tables(runs=framed("runs", list(rows)))


def test_progress_names_the_first_and_the_latest_run_the_mark_and_the_tier():
    (chart,) = runs(
        runs_result(
            run("2025-04-01", 0.871, "Working towards Fundamental"),
            run("2025-10-01", 0.9, "Fundamental"),
            run("2026-04-01", 0.9496, "Fundamental"),
        )
    )
    assert chart.title == (
        "Known ethnicity and language: 87.1% at first, 94.96% at the latest run, below the 95% mark; "
        "tier up from Working towards Fundamental to Fundamental"
    )
    assert list(chart.table["Run"]) == ["1 April 2025", "1 October 2025", "1 April 2026"]
    assert list(chart.table["Known ethnicity and language"]) == ["87.1%", "90.0%", "94.96%"]
    check([chart])


def test_of_several_runs_of_a_day_the_last_counts_and_a_single_day_is_no_progress():
    first, second = run("2026-04-01", 0.8, "Fundamental"), run("2026-04-01", 0.9, "Fundamental")
    assert runs(runs_result(first, second)) == ()
    (chart,) = runs(runs_result(run("2025-04-01", 0.7, "Fundamental"), first, second))
    assert list(chart.table["Known ethnicity and language"]) == ["70.0%", "90.0%"]
    assert "tier Fundamental as before" in chart.title


def test_a_run_without_a_share_breaks_the_line():
    (chart,) = runs(
        runs_result(
            *(run(f"202{year}-04-01", share, "Fundamental") for year, share in enumerate((0.9, None, 0.92)))
        )
    )
    assert np.isnan(lines_of(chart)[0][1])
    assert texts(chart).count("[x]") == 1


def test_each_service_of_the_log_has_a_chart():
    rows = [
        run(f"202{year}-04-01", 0.9, "Fundamental", name) for name in ("North", "South") for year in (4, 5)
    ]
    charts = runs(runs_result(*rows))
    assert [chart.source for chart in charts] == ["log of runs of North", "log of runs of South"]
    check(charts)


# ---------------------------------------------------------------- any result


def hostile_result() -> eq.EquityResult:
    bad = {**ETHNIC, "category": HOSTILE, "label": HOSTILE}
    rows = [row | {"measure_label": HOSTILE} for row in periods(bad, STEADY)]
    moved = UP | {"measure_label": HOSTILE, "category": HOSTILE, "label": HOSTILE}
    log = [run(day, 0.9, HOSTILE, HOSTILE) for day in ("2025-04-01", "2026-04-01")]
    return with_tables(
        trends=framed("trends", rows), changes=framed("changes", [moved]), runs=framed("runs", log)
    )


def test_hostile_labels_are_shown_harmless():
    result = hostile_result()
    charts = [*trend(result, characteristic="ethnicity"), *gaps(result), *runs(result)]
    assert len(charts) == 3
    check(charts)
    for chart in charts:
        assert "\u202e" not in chart.svg + chart.title + chart.table.to_string()
        assert len(chart.table.to_string()) < 5000


@pytest.mark.parametrize("draw", [trend, gaps, runs])
def test_a_result_without_outcomes_has_nothing_to_draw(draw):
    assert draw(bare_result()) == draw(without_extract()) == ()
    assert draw(replace(bare_result(), tables={})) == ()


@pytest.mark.parametrize("draw", [trend, gaps, runs])
def test_a_released_result_is_drawn_the_same_way_each_time(draw):
    first, second = draw(released_result()), draw(released_result())
    check(first)
    assert [chart.svg for chart in first] == [chart.svg for chart in second]
