"""The board's page: ten areas, both levels, next steps, progress over runs and services in scope."""

import json
from dataclasses import replace
from datetime import date
from functools import cache

import pandas as pd
import pytest

from equitydata import reference
from equitydata.combining import combine
from equitydata.history.log import Run, with_run
from equitydata.model import TIERS
from equitydata.rating import Rating, make_rating
from equitydata.release.released import release
from equitydata.report.maturity_page import render_maturity
from equitydata.result import EquityResult
from equitydata.tables import RUNS_TABLE, empty
from page_checks import (
    HOSTILE,
    check_page,
    forms_of,
    numbers_in,
    numbers_of_frames,
    text_of,
    tree_of,
    words_without_pictures,
)
from report_sample import sample_result, without_extract


def runs_of(*runs: tuple[str, float | None, int | None, str], service: str = "Clinic") -> pd.DataFrame:
    frame = empty(RUNS_TABLE)
    for day, joint, people, tier in runs:
        run = Run(date=date.fromisoformat(day), service=service, joint_known=joint, people=people, tier=tier)
        frame = with_run(frame, run)
    return frame


def organisation(name: str = "Second clinic") -> EquityResult:
    one = make_rating(release(sample_result(name="First clinic")))
    other = json.loads(one.model_dump_json())
    other["about"]["name"] = name
    for row in other["criteria"]:
        if row["criterion_id"] in ("S-QUAN-F1", "S-QUAN-F2"):
            row |= {"hidden": True, **dict.fromkeys(("numerator", "denominator", "value", "lower", "upper"))}
    return combine([one, other], as_of=date(2026, 4, 1))


@cache
def made(kind: str) -> tuple[EquityResult, Rating, pd.DataFrame | None]:
    before = (("2025-04-02", 0.701, 1800, TIERS[0]), ("2025-10-02", 0.804, None, TIERS[1]))
    result = {
        "sample": sample_result,
        "runs": sample_result,
        "audit alone": lambda: sample_result(equity=False),
        "without extract": without_extract,
        "true counts": lambda: sample_result(rules={"disclosure": "none"}),
        "hostile": lambda: sample_result(name=HOSTILE, site=HOSTILE, value=HOSTILE, measure=HOSTILE),
        "few people": lambda: sample_result(
            rules={"disclosure": "threshold-10"}, sites={"A": (3, 5), "B": (2, 4)}, people=3
        ),
        "organisation": organisation,
        "hostile organisation": lambda: organisation(HOSTILE),
    }[kind]()
    released = release(result)
    runs = runs_of(*before, service=released.about.name) if kind == "runs" else None
    if kind == "hostile":
        runs = runs_of(*before, service=HOSTILE)
    return released, make_rating(released), runs


KINDS = (
    *("sample", "runs", "audit alone", "without extract", "true counts", "hostile", "few people"),
    *("organisation", "hostile organisation"),
)
EVERY = pytest.mark.parametrize("kind", KINDS)


@cache
def html(kind: str) -> str:
    return render_maturity(*made(kind))


def section(kind: str, name: str) -> str:
    return text_of(next(each for each in tree_of(html(kind)).iter("section") if each.get("id") == name))


def rows(kind: str, name: str) -> list[dict[str, str]]:
    for each in tree_of(html(kind)).iter("table"):
        if each.find("caption").get("id") == name:
            heads = [text_of(head) for head in each.findall("./thead/tr/th")]
            return [dict(zip(heads, map(text_of, row), strict=True)) for row in each.findall("./tbody/tr")]
    raise KeyError(name)


@EVERY
def test_the_page_is_valid_closed_and_reachable(kind):
    check_page(html(kind))


@EVERY
def test_the_ten_areas_show_tier_outcomes_and_what_they_rest_on(kind):
    _, rating, _ = made(kind)
    words = section(kind, "areas")
    assert len(rating.areas) == 10
    for area in rating.areas:
        assert f"{area.area} {area.step}" in words
        assert f"{area.met} met {area.not_met} not met {area.not_assessed} not assessed" in words


def test_each_area_says_how_many_are_measured_and_attested():
    assert "Met: 3 measured, 1 attested." in section("sample", "areas")
    assert "Nothing is met." in section("sample", "areas")


@EVERY
def test_the_matrix_counts_the_core_criteria_of_every_tier(kind):
    _, rating, _ = made(kind)
    shown = rows(kind, "matrix-table")
    assert [row["Area"] for row in shown] == [area.area for area in rating.areas]
    for area, row in zip(rating.areas, shown, strict=True):
        for place, tier in enumerate(TIERS[1:], start=1):
            core = [
                each.outcome
                for each in rating.criteria
                if (each.area, each.tier, each.required) == (area.area, tier, "core")
            ]
            asked = len(core) - core.count("not applicable")
            reached = "Reached" if place <= TIERS.index(area.tier) else "Not reached"
            assert row[tier].startswith(reached)
            assert f"{core.count('met')} of {asked} met" in row[tier] or not core


@EVERY
def test_every_criterion_stands_once_with_its_outcome(kind):
    _, rating, _ = made(kind)
    words = section(kind, "criteria")
    for each in rating.criteria:
        assert words.count(f"{each.criterion_id} ") == 1
        before = words.split(f" {each.criterion_id} ")[0]
        assert before.endswith(
            {"met": "✓ Met", "not met": "✕ Not met"}.get(each.outcome, each.outcome.capitalize())
        )


@pytest.mark.parametrize(("kind", "other"), [("sample", "organisation"), ("organisation", "service")])
def test_the_other_level_is_shown_as_asked_and_not_assessed(kind, other):
    words = section(kind, "other")
    for row in reference.criteria(other).to_dict("records"):
        assert f"{row['criterion_id']} {' '.join(row['criterion'].split())}" in words
    levels = rows(kind, "levels-table")
    assert {row[f"{other.capitalize()}: tier"] for row in levels} == {"Not assessed here"}
    core = reference.criteria(other).query("required == 'core'")
    assert sum(int(row["Core criteria asked there"].split()[0]) for row in levels) == len(core)


def test_next_steps_say_how_many_more_are_needed():
    words = section("sample", "next")
    assert "160 more people need both a known ethnicity and a known language" in words
    assert "✕ Not met" in words


def test_progress_shows_earlier_runs_and_this_one_the_latest_first():
    shown = rows("runs", "progress-table")
    assert [row["Day"] for row in shown] == ["1 April 2026", "2 October 2025", "2 April 2025"]
    assert [row["People"] for row in shown] == ["2,000", "[c]", "1,800"]
    assert [row["Ethnicity and language known"] for row in shown] == ["87.0%", "80.4%", "70.1%"]
    assert [row["Change"] for row in shown] == ["+6.6 points", "+10.3 points", "–"]
    assert [row["Since the first run"] for row in shown] == ["+16.9 points", "+10.3 points", "–"]
    assert [row["Against the run before"] for row in shown] == ["↓ Lower", "↑ Higher", "First run"]
    assert '<svg xmlns="http://www.w3.org/2000/svg" ' in html("runs")


def test_a_first_run_has_no_progress_and_no_picture():
    result, rating, _ = made("sample")
    page = render_maturity(result, rating, empty(RUNS_TABLE))
    assert "This is the first run" in page and "<svg" not in page


def test_services_in_scope_stand_with_what_is_in_the_way():
    first, second = rows("organisation", "services-table")
    assert (first["Service"], second["Service"]) == ("First clinic", "Second clinic")
    ways = {(row["Criterion"], row["Service"]): row for row in rows("organisation", "in-the-way-table")}
    assert ways["O-QUAN-F3", "First clinic"]["Met it"] == "1,740 of 2,000"
    assert ways["O-QUAN-F3", "First clinic"]["Share"] == "87.0%"
    hidden = ways["O-QUAN-F3", "Second clinic"]
    assert (hidden["Met it"], hidden["Share"], hidden["Outcome"]) == ("[c]", "[c]", "Not met")
    assert "This page is of one service." in section("sample", "services")


def test_a_hidden_share_reads_c():
    released, _, _ = made("sample")
    figures = released.tables["figures"]
    numbers = ["numerator", "denominator", "value", "lower", "upper"]
    joint = figures["figure"].str.startswith("joint")
    hidden = figures.assign(hidden=figures["hidden"] | joint, **{n: figures[n].mask(joint) for n in numbers})
    result = replace(released, tables={**released.tables, "figures": hidden})
    page = tree_of(render_maturity(result, make_rating(result)))
    words = text_of(next(each for each in page.iter("section") if each.get("id") == "headline"))
    assert words.count("[c] Hidden by the small-number rule.") == 1


@pytest.mark.parametrize("kind", [each for each in KINDS if "hostile" not in each])
def test_every_number_of_the_page_stands_in_the_rating_or_the_tables(kind):
    released, rating, _ = made(kind)
    content = json.loads(rating.model_dump_json())
    allowed = numbers_in(json.dumps(content)) | {str(place) for place in range(230)}
    for each in (*content["criteria"], *content["headline"], *content["next_steps"]):
        for value in each.values():
            allowed |= forms_of(value) if not isinstance(value, list | bool) else set()
    allowed |= numbers_of_frames({name: released.tables[name] for name in ("services", "runs", "figures")})
    allowed |= numbers_in(
        " ".join(reference.criteria()["criterion"]) + " ".join(reference.criteria()["how_measured"])
    )
    allowed |= {"95%", "2022", *numbers_in(rating.disclosure.label)}
    if kind == "runs":
        allowed |= numbers_in("1,800 70.1% 80.4% 6.6 10.3 16.9 2025")
    assert numbers_in(" ".join(words_without_pictures(tree_of(html(kind))))) <= allowed


@pytest.mark.parametrize("kind", ["hostile", "hostile organisation"])
def test_labels_of_the_data_are_harmless_and_cut(kind):
    page = html(kind)
    assert "<script" not in page and "<img" not in page and "\u202e" not in page and "\x07" not in page
    assert "{{7*7}}" in page and "x" * 601 not in page and len(page) < 200_000


def test_true_counts_are_stamped():
    page = html("true counts")
    assert page.count('<p class="stamp">True counts: not to be shared</p>') == 2
    assert "<title>TRUE COUNTS" in page


@EVERY
def test_the_same_input_gives_the_same_page(kind):
    assert render_maturity(*made(kind)) == html(kind)
