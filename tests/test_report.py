"""What is written: a folder that is whole or absent, a page for anyone, nothing small or live in it."""

import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element

import html5lib
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equitydata import written as written_form
from equitydata.completeness import MEASURES, UNITS
from equitydata.errors import ConfigError, DisclosureError, OutputError
from equitydata.model import STATUSES
from equitydata.release.released import release
from equitydata.report import page, writing
from equitydata.report.folder import report_files, write_report
from equitydata.result import EquityResult
from equitydata.tables import SPECS
from report_sample import sample_result, without_extract

HOSTILE = (
    "<script>alert(1)</script>{{7*7}}$\\frac{1}$\u202eevil\x00\x07 https://example.org/ =1+1 " + "x" * 40_000
)
TEMPLATE = page.TEMPLATES / "report.html.j2"
STYLE = page.TEMPLATES / "style.css.j2"
OWN_PAGES = ("profiles/community.html",)


def hostile_result() -> EquityResult:
    result = sample_result(name=HOSTILE, site=HOSTILE, value=HOSTILE, file=HOSTILE, measure=HOSTILE)
    return replace(result, notes=(HOSTILE,), intake=replace(result.intake, notes=(HOSTILE,)))


RESULTS = {
    "sample": sample_result,
    "audit alone": lambda: sample_result(equity=False),
    "without extract": without_extract,
    "true counts": lambda: sample_result(rules={"disclosure": "none"}),
    "hostile labels": hostile_result,
    "all hidden": lambda: sample_result(
        rules={"disclosure": "threshold-10"}, sites={"A": (3, 5), "B": (2, 4)}, people=3
    ),
}
EVERY_RESULT = pytest.mark.parametrize("kind", RESULTS)


@cache
def files(kind: str) -> dict[str, bytes]:
    return report_files(release(RESULTS[kind]()))


def html(kind: str) -> str:
    return files(kind)["index.html"].decode("utf-8")


@cache
def tree(kind: str) -> Element:
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(html(kind))


def table(kind: str, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(files(kind)[f"tables/{name}.csv"].decode("utf-8"))))


def text(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def table_rows(kind: str, caption_id: str) -> list[list[str]]:
    """Body rows of one table of the page, as text."""
    for element in tree(kind).iter("table"):
        if element.find("caption").get("id") == caption_id:
            return [[text(cell) for cell in row] for row in element.find("tbody")]
    raise KeyError(caption_id)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


# ---------------------------------------------------------------- the page as HTML


@EVERY_RESULT
def test_the_page_is_strictly_valid_html(kind):
    assert tree(kind).get("lang") == "en-GB"


@EVERY_RESULT
def test_headings_start_with_one_h1_and_skip_no_level(kind):
    levels = [
        int(e.tag[1]) for e in tree(kind).iter() if isinstance(e.tag, str) and re.fullmatch("h[1-6]", e.tag)
    ]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in pairwise(levels))


@EVERY_RESULT
def test_nothing_is_run_and_nothing_is_fetched(kind):
    tags = {element.tag for element in tree(kind).iter()}
    assert not tags & {"script", "iframe", "object", "embed", "img", "form", "base", "svg", "video", "audio"}
    for element in tree(kind).iter():
        for name, value in element.attrib.items():
            assert not name.startswith("on"), name
            if name in ("href", "src", "action", "srcset"):
                assert value.startswith("#") or value == "data:," or value in OWN_PAGES
    style = text(next(tree(kind).iter("style")))
    assert "url(" not in style and "@import" not in style


def test_the_content_policy_forbids_what_the_page_does_not_need():
    (policy,) = [e.get("content") for e in tree("sample").iter("meta") if e.get("http-equiv")]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@EVERY_RESULT
def test_ids_are_unique_and_every_reference_has_its_target(kind):
    ids = [e.get("id") for e in tree(kind).iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    named = [e.get("aria-labelledby") for e in tree(kind).iter() if e.get("aria-labelledby")]
    led_to = [e.get("href") for e in tree(kind).iter("a")]
    wanted = {href[1:] for href in led_to if href.startswith("#")} | {
        each for ids in named for each in ids.split()
    }
    assert wanted <= set(ids)
    assert (
        {href for href in led_to if not href.startswith("#")} <= set(OWN_PAGES) <= {*files(kind), *OWN_PAGES}
    )


@EVERY_RESULT
def test_there_are_landmarks_and_a_skip_link_first(kind):
    body = tree(kind).find("body")
    tags = [child.tag for child in body]
    assert [tags.count(tag) for tag in ("header", "nav", "main", "footer")] == [1, 1, 1, 1]
    assert body[0].get("class") == "skip" and body[0].get("href") == "#" + body.find("main").get("id")


@EVERY_RESULT
def test_every_table_has_a_caption_scoped_headers_and_a_region_that_keyboards_reach(kind):
    parents = {child: parent for parent in tree(kind).iter() for child in parent}
    for each in tree(kind).iter("table"):
        caption = each.find("caption")
        region = parents[each]
        assert (region.get("role"), region.get("tabindex")) == ("region", "0")
        assert region.get("aria-labelledby") == caption.get("id") and text(caption)
        heads = list(each.iter("th"))
        assert all(head.get("scope") in ("col", "row") and text(head) for head in heads)
        width = len(each.find("thead")[0])
        assert all(len(row) == width for row in each.find("tbody"))


@EVERY_RESULT
def test_captions_of_regions_differ(kind):
    names = [text(caption) for caption in tree(kind).iter("caption")]
    assert len(names) == len(set(names))


@EVERY_RESULT
def test_no_cell_of_the_page_is_blank(kind):
    assert all(text(cell) for each in tree(kind).iter("tbody") for row in each for cell in row)


def test_names_of_the_code_are_put_in_words():
    codes = {part for e in tree("sample").iter("code") for part in e.itertext()}
    shown = " ".join(part for part in tree("sample").find("body").itertext() if part not in codes)
    # Keys and options that people write in a service file keep their spelling.
    typed = {"not_relevant", "quasi_identifiers", "most_frequent_known", "source_priority"}
    assert set(re.findall(r"\b\w+_\w+\b", shown)) <= typed


def test_every_measure_status_group_and_step_has_its_words():
    told = set(re.findall(r'"(\w+)":', TEMPLATE.read_text(encoding="utf-8").split("%}")[0]))
    verified = {"repeated", "independent", "agree_detailed", "agree_group", "self_reported", "proxy"}
    verified |= {"other_source", "no_source", "observed_agrees"}
    steps = {"carry_back", "self_first", "overridden", "conflict"}
    names = {*MEASURES, "detailed", "specific", "group", *STATUSES, *UNITS, *page.DIMENSIONS}
    assert names | verified | steps <= told


def test_the_order_of_the_parts_is_from_the_tier_to_the_sources():
    titles = [e.get("id") for e in tree("sample").find("body").find("main").iter("section")]
    assert titles == [
        *(
            "tier",
            "areas",
            "next",
            "findings",
            "headline",
            "completeness",
            "groups",
            "categories",
            "codes",
            "verification",
        ),
        *("flags", "person-rule", "outcomes", "comparisons", "trends", "places", "representation"),
        *("listening", "profile", "history", "criteria", "rows", "rules", "method", "sources"),
    ]


# ---------------------------------------------------------------- colours


def colours() -> dict[str, str]:
    return dict(re.findall(r"--(\w+): (#[0-9A-F]{6})", STYLE.read_text(encoding="utf-8")))


def luminance(colour: str) -> float:
    """Relative luminance of a colour, WCAG 2.2."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_calculated_as_the_standard_does():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#767676", "#FFFFFF") == pytest.approx(4.54, abs=0.005)  # the grey that just passes


@pytest.mark.parametrize("ink", ["ink", "blue", "plum"])
@pytest.mark.parametrize("ground", ["paper", "wash"])
def test_text_is_readable(ink, ground):
    assert contrast(colours()[ink], colours()[ground]) >= 4.5


@pytest.mark.parametrize(
    ("shape", "neighbour"),
    [
        ("teal", "paper"),
        ("grey", "paper"),
        ("plum", "paper"),
        ("ink", "teal"),
        ("plum", "teal"),
        ("plum", "orange"),
        ("blue", "wash"),
    ],
)
def test_shapes_stand_out_from_what_is_beside_them(shape, neighbour):
    assert contrast(colours()[shape], colours()[neighbour]) >= 3


def test_text_never_has_a_colour_that_is_for_shapes():
    style = STYLE.read_text(encoding="utf-8")
    used = set(re.findall(r"[{;\s](?<!-)color: var\(--(\w+)\)", style))
    assert used == {"ink", "paper", "blue", "plum"}
    assert set(re.findall(r"#[0-9A-Fa-f]{3,6}\b", style)) == set(colours().values())


# ---------------------------------------------------------------- what the page says


def test_the_tier_is_said_first_with_what_it_rests_on():
    tier = text(next(e for e in tree("sample").iter("section") if e.get("id") == "tier"))
    ladder = "FundamentalIntermediateAdvanced"
    assert tier.startswith(
        f"Tier of the data domain Working towards Fundamental {ladder} It is the lowest of the three"
    )
    assert "By measures alone" in tier and "If declined answers counted as collected" in tier
    assert "met by a measure of the extract and 1 by an attestation" in tier


def test_the_ten_areas_show_their_criteria():
    (grid,) = [e for e in tree("sample").iter("ul") if e.get("class") == "grid"]
    shown = [text(item) for item in grid]
    areas = sample_result().maturity.areas
    assert len(shown) == 10
    for words, row in zip(shown, areas.to_dict("records"), strict=True):
        assert row["area"] in words and row["tier"] in words
        assert re.search(
            rf"\b{row['met']} met( \([^)]+\))? {row['not_met']} not met {row['not_assessed']} not assessed",
            words,
        )
    assert "4 met (3 measured, 1 attested) 3 not met" in " ".join(shown)


def test_the_headline_shows_share_interval_counts_and_the_mark():
    words = text(next(e for e in tree("sample").iter("section") if e.get("id") == "headline"))
    assert "87.0% 1,740 of 2,000 people. 95% interval 85.5% to 88.4%." in words
    assert "95% mark" in words and "With declined answers counted: 90.0%." in words


def test_the_first_three_steps_stand_out_and_all_are_listed():
    section = next(e for e in tree("sample").iter("section") if e.get("id") == "next")
    (first,) = [e for e in section.iter("ol") if e.get("class") == "first"]
    assert len(first) == 3
    assert text(first[0]).startswith(
        "160 more people need both a known ethnicity and a known language, most of"
    )
    steps = len(sample_result().maturity.next_steps)
    assert f"All {steps} steps" in html("sample")


def test_completeness_has_a_row_a_characteristic_and_says_what_does_not_apply():
    rows = {row[0]: row[1:] for row in table_rows("sample", "completeness-people")}
    assert rows["Ethnic group"] == ["2,000", "95.0%", "94.0%", "93.5%", "93.2%", "90.2%", "88.9% to 91.5%"]
    assert rows["Ethnicity and language together"][1:4] == ["[z]", "[z]", "[z]"]


def test_low_groups_are_flagged_in_words():
    rows = {row[0]: row for row in table_rows("sample", "by-site")}
    assert rows["Custom House"][1:3] == ["300", "66.7% 61.2% to 71.8% Flagged"]
    assert rows["Stratford"][3] == "91.7% 90.0% to 93.1%"
    assert table_rows("sample", "other-flagged")[0][:3] == ["Sex", "Site", "Custom House"]


def test_a_category_that_is_not_collected_is_not_nought():
    rows = {row[0]: row[1:] for row in table_rows("sample", "categories-1-ethnicity")}
    assert rows["Roma"] == ["not collected by this code list", "[x]", "[x]"]


def test_values_that_match_nothing_are_shown_with_the_nearest_label():
    assert table_rows("sample", "codes-table") == [["Bangla", "Ethnic group", "50", "Invalid", "Bangladeshi"]]


def test_steps_that_changed_nothing_are_left_to_the_table():
    assert [row[1] for row in table_rows("sample", "steps-table")] == ["Carried back"]
    assert [row["changed"] for row in table("sample", "steps")] == ["260", "0"]


def test_people_of_a_group_are_shown_where_any_characteristic_shows_them():
    # Ethnicity of 20 of 20 people is known, language of 17: the 3 without one hide that row alone.
    result = sample_result(sites={"A": (20, 20), "B": (500, 900)})
    breakdown = result.tables["breakdown"].copy()
    lacking = (breakdown["group"] == "A") & breakdown["characteristic"].isin(["joint", "language"])
    breakdown.loc[lacking, "numerator"] = 17
    released = release(replace(result, tables={**result.tables, "breakdown": breakdown}))
    groups = page.page_view(released)["breakdown"]["dimensions"]["site"].rows[0]
    assert (groups["denominator"], groups["joint"], groups["ethnicity"]) == (20, "[c]", 1.0)


def test_text_that_few_records_hold_is_nowhere():
    written = report_files(release(sample_result(held_by_few=True)))
    assert not [name for name, content in written.items() if b"told us in confidence" in content]
    assert b"[values held by few records]" in written["tables/codes.csv"]


def test_an_attested_criterion_shows_evidence_owner_and_day():
    assert "Attested: Leaflet, version 3. Service manager, 12 January 2026" in text(tree("sample"))


def test_rows_read_are_rows_used_and_rejected():
    assert "6,012 rows read = 6,000 used + 12 rejected." in text(tree("sample"))
    assert table_rows("sample", "rejections-table")[0] == ["Test patient", "9", "17, 230"]


def test_a_changed_rule_is_marked_and_the_others_are_not():
    changed = html5lib.parse(
        report_files(release(sample_result(rules={"gap_flag": 0.2})))["index.html"].decode(),
        namespaceHTMLElements=False,
    )
    marked = [
        text(row) for row in changed.iter("tr") if any(e.get("class") == "changed" for e in row.iter("span"))
    ]
    assert len(marked) == 1 and "gap_flag 0.2 Changed 0.1" in marked[0]
    assert "None was changed for this service." in text(tree("sample"))


def test_limits_and_readings_are_stated():
    words = text(tree("sample"))
    for sentence in (
        "A flag is a prompt to look, not proof of unfairness or cause.",
        "Race is read as ethnic group.",
        "[c] hidden by the small-number rule, [x] not available, [z] does not apply.",
        "Counts of 1 to 7 hidden, others rounded to the nearest 5",
        "Two title lines stand above the header.",
    ):
        assert sentence in words


def test_sources_and_licences_are_named():
    rows = {row[0]: row[1:] for row in table_rows("sample", "sources-table")}
    assert rows["Ethnic group: 19 categories in five groups"][0] == "2021-03-21"
    assert table_rows("sample", "lists-table")[0][0] == "NHS ethnic category 2001 (16+1)"


def test_a_page_without_an_extract_does_not_claim_that_nothing_was_found():
    words = text(tree("without extract"))
    assert "Flags raised: not measured, as no extract was audited." in words
    assert "No extract was audited" in words


def test_the_page_of_ten_thousand_sites_is_no_larger_than_it_need_be():
    sites = {f"Site {number:05d}": (500 + number % 400, 1000) for number in range(10_000)}
    written = report_files(release(sample_result(sites=sites)))
    few = len(html("sample").encode())
    assert few < len(written["index.html"]) < min(2_000_000, few + 100_000)
    many = html5lib.parse(written["index.html"].decode(), namespaceHTMLElements=False)
    assert "50 of 10,000 rows are shown here, those with the lowest share." in text(many)
    assert (
        written["tables/breakdown.csv"].count(b"\n") == 40_013
    )  # header, 4 characteristics, 3 groups of sex each


# ---------------------------------------------------------------- outcomes, comparisons, representation


def section(kind: str, name: str) -> str:
    return text(next(e for e in tree(kind).iter("section") if e.get("id") == name))


def test_findings_stand_near_the_top_with_size_robustness_and_a_next_look():
    words = section("sample", "findings")
    assert "Bangladeshi people did not attend more often than everyone else." in words
    assert (
        "22.0% against 11.7%; difference +10.3 points (+7.3 to +13.3); ratio 1.88 (1.69 to 2.07); 610 people"
        in words
    )
    assert "Heard from them: Text messages in English only. Next look: Ask how reminders reach them." in words
    assert (
        "1 more is hidden by the small-number rule." in words and "not proof of unfairness or cause" in words
    )


def test_outcomes_show_people_of_unknown_group_hidden_ones_and_what_is_not_collected():
    rows = {row[0]: row[1:] for row in table_rows("sample", "outcomes-1-1")}
    assert rows["Bangladeshi"][:3] == ["610", "335 of 1,520", "22.0% 20.0% to 24.2%"]
    assert rows["Missing"][:2] == ["135", "80 of 285"]
    assert rows["Chinese"] == ["[c]"] * 5
    assert rows["Roma (not collected by this code list)"][:2] == ["[x]", "[x]"]
    measures = {row[0]: row[1:] for row in table_rows("sample", "measures-table")}
    assert measures["Days waited"] == ["1,950", "4,100", "contacts", "23.5 21.2 to 25.7"]


def test_flagged_groups_stand_with_crude_and_standardised_ratio_and_robustness():
    (row,) = table_rows("sample", "flagged-table")
    assert row[2:4] == ["Bangladeshi", "Disproportionately high, to the group’s disadvantage"]
    assert row[4:8] == ["22.0%", "11.7%", "+10.3 points +7.3 to +13.3", "1.88 1.69 to 2.07"]
    assert row[8].startswith("1.88 (1.69 to 2.07)") and row[9:] == ["–", "turns at a bound"]


def test_each_state_of_the_flag_is_told_in_words_and_counted():
    words = section("sample", "comparisons")
    assert all(each in words for each in written_form.FLAG_WORDS.values())
    (tally,) = table_rows("sample", "tally-table")
    assert tally == ["Did not attend", "1", "0", "0", "0", "3", "0", "1"]
    rows = {row[0]: row[1] for row in table_rows("sample", "comparisons-1-1")}
    assert (
        rows["Chinese"] == "[c]"
        and rows["Black African"] == "Similar"
        and rows["Indian"] == "No evidence of a difference"
    )


def test_a_summary_that_names_a_hidden_group_is_not_on_the_page():
    rows = {row[2]: row[4:] for row in table_rows("sample", "inequality-table")}
    assert rows["Largest difference"][0] == "[x]" and rows["Largest difference"][2].startswith("Withheld")
    assert rows["Between-group variance"][0] == "[x]", "one group of the level is hidden alone"


def test_users_are_held_against_residents_of_the_nearest_area():
    rows = {row[0]: row[1:] for row in table_rows("sample", "represented-1")}
    assert rows["Bangladeshi"][:4] == ["No evidence of a difference", "610", "33.8% 31.6% to 36.0%", "23.5%"]
    assert rows["Chinese"][1] == "15", "fourteen people are not few, and are rounded"
    words = section("sample", "representation")
    assert "residents of Newham (Ethnic group, 2021-03-21)" in words
    assert "few people live outside the area." in words and "3 people" not in words
    assert "No group has more users than residents" not in words, "checks that passed are in the file"


def test_places_trends_listening_and_runs_are_shown():
    assert table_rows("sample", "places-table")[0][1:3] == ["Stratford", "280 of 2,000"]
    assert [row[1] for row in table_rows("sample", "trends-table")] == ["2025 Q2", "2025 Q3"]
    ways = {row[0]: row[5] for row in table_rows("sample", "listening-table")}
    assert ways == {"Yearly survey": "210", "Visit to a centre": "[c]"}
    assert table_rows("sample", "runs-table")[0][:3] == ["2025-04-02", "Working towards Fundamental", "1,905"]


def test_an_audit_alone_says_that_no_outcome_was_stratified():
    assert "No outcome was stratified" in section("audit alone", "outcomes")
    assert "Users were not compared with residents" in section("audit alone", "representation")
    assert not [
        e for e in tree("audit alone").iter("section") if e.get("id") in ("findings", "places", "trends")
    ]


@EVERY_RESULT
def test_every_entry_of_the_contents_is_a_part_in_their_order(kind):
    (contents,) = tree(kind).iter("nav")
    named = [e.get("href")[1:] for e in contents.iter("a")]
    assert named == [e.get("id") for e in tree(kind).find("body").find("main").iter("section")]


@pytest.mark.parametrize(
    ("value", "statistic", "written"),
    [
        (0.12345, "share", "12.3%"),
        (0.0123, "population_rate", "12.3 per 1,000"),
        (0.0012345, "rate", "0.00123"),
        (23.456, "mean", "23.5"),
        (12345.6, "quantile", "12,300"),
        ("[c]", "share", "[c]"),
        (float("inf"), "mean", "no limit"),
    ],
)
def test_a_value_is_written_as_its_kind_is_read(value, statistic, written):
    assert written_form.figure(value, statistic) == written


@pytest.mark.parametrize(
    ("value", "statistic", "written"),
    [
        (0.0512, "share", "+5.1 points"),
        (-0.0512, "share", "-5.1 points"),
        (2.5, "mean", "+2.5"),
        ("[x]", "mean", "[x]"),
    ],
)
def test_a_difference_keeps_its_sign(value, statistic, written):
    assert written_form.gap(value, statistic) == written


def test_a_group_is_called_similar_only_where_the_interval_says_so():
    assert written_form.flag_words("no_evidence", similar=True) == "Similar"
    assert written_form.flag_words("no_evidence", similar=False) == "No evidence of a difference"
    assert written_form.flag_words("insufficient_data", harm="harm") == "Not enough data"
    assert written_form.flag_words("") == "–" and written_form.flag_words("[c]") == "[c]"


# ---------------------------------------------------------------- the form of numbers


@pytest.mark.parametrize(
    ("value", "against", "written"),
    [
        (0.93149, None, "93.1%"),
        (1.0, None, "100.0%"),
        (0.9496, 0.95, "94.96%"),
        (0.94999, 0.95, "94.999%"),
        (0.95, 0.95, "95.0%"),
        (0.9504, 0.95, "95.0%"),
        (float("nan"), None, "[x]"),
        (None, None, "[x]"),
        ("[c]", 0.95, "[c]"),
    ],
)
def test_a_share_is_never_rounded_up_to_its_mark(value, against, written):
    assert written_form.percent(value, against) == written


def test_numbers_days_and_settings_are_written_as_people_read_them():
    assert written_form.count(1234567) == "1,234,567"
    assert written_form.day(None) == ""
    assert written_form.mark(0.975) == "97.5%"
    assert [written_form.setting(value) for value in (True, 0.95, 2, "nhs", (0, 1))] == [
        "true",
        "0.95",
        "2",
        '"nhs"',
        "[0, 1]",
    ]


# ---------------------------------------------------------------- small numbers


@EVERY_RESULT
def test_a_hidden_row_shows_only_symbols_in_its_numbers(kind):
    for name in SPECS:
        guarded = writing.guarded_columns(SPECS[name])
        for row in table(kind, name):
            shown = {row[column] for column in guarded}
            assert shown == {"[c]"} if row.get("hidden") == "true" else "[c]" not in shown


@EVERY_RESULT
def test_no_number_of_a_table_is_blank(kind):
    for name in SPECS:
        for row in table(kind, name):
            numbers = {*SPECS[name].counts, *SPECS[name].estimates, *writing.share_columns(SPECS[name])}
            assert all(row[column] != "" for column in numbers)


def test_the_sample_hides_rows_and_they_are_the_small_ones():
    hidden = [row["category"] for row in table("sample", "categories") if row["hidden"] == "true"]
    assert (
        "African" in hidden and len(hidden) < 4
    )  # 3 people; another row only where the sums would tell them


def test_hidden_cells_of_the_page_read_c_and_never_nought():
    rows = {row[0]: row[1:] for row in table_rows("sample", "by-site")}
    assert rows["East Ham"] == ["[c]"] * 4  # 4 of 500 known
    sex = table_rows("sample", "statuses-table")[2]
    assert sex[0] == "Sex" and sex[-1] == "[c]" and sex[2:7] == ["0"] * 5


def test_a_true_count_reaches_no_file():
    for name in ("index.html", "rating.json", *(f"tables/{each}.csv" for each in SPECS)):
        content = files("sample")[name].decode("utf-8")
        assert not re.search(r"\b1,?(742|803|812|996)\b", content), name


def test_true_counts_are_stamped_on_the_page_and_said_beside_the_tables():
    stamps = [text(e) for e in tree("true counts").iter("p") if e.get("class") == "stamp"]
    assert stamps == ["True counts: not to be shared"] * 2
    assert "TRUE COUNTS" in files("true counts")["tables/README.txt"].decode()
    assert "stamp" not in {e.get("class") for e in tree("sample").iter("p")}


def test_true_counts_lie_in_a_folder_that_only_its_owner_opens(tmp_path):
    paths = write_report(sample_result(), tmp_path / "report", disclosure="none")
    assert os.name != "posix" or paths.folder.stat().st_mode & 0o077 == 0


def test_a_result_of_true_counts_is_not_made_into_files():
    with pytest.raises(DisclosureError):
        report_files(sample_result())


def test_a_result_released_under_one_rule_is_not_written_under_another(tmp_path):
    loose = release(sample_result(), "none")
    with pytest.raises(DisclosureError, match="none"):
        write_report(loose, tmp_path / "report", disclosure="nhs")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_rule_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ConfigError, match="Did you mean 'nhs'"):
        write_report(sample_result(), tmp_path / "report", disclosure="nhss")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- words that would do harm


@pytest.mark.parametrize(
    "start",
    [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "＝1",
        "＋1",
        "－1",
        "＠x",
        " =1+1",
        "\u00a0@x",
        "\ufeff=1",
    ],
)
def test_text_that_a_spreadsheet_would_calculate_is_text(start):
    assert written_form.without_formula(start).startswith("'")


@pytest.mark.parametrize("number", ["-5", "+44", "-0.5", "12"])
def test_a_number_stays_a_number(number):
    assert written_form.without_formula(number) == number


@given(st.text(max_size=300))
def test_no_text_can_start_a_formula_or_hide_a_character(value):
    written = written_form.without_formula(value)
    assert not written.startswith(tuple("=@\t\r＝＋－＠")) and not re.match(
        r"[+-](?![0-9]+(\.[0-9]+)?$)", written
    )
    assert all(char.isprintable() or char in "\u200c\u200d" or not char.isascii() for char in written)
    assert not set(written) & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u2028\x00\x1b"
    )
    written.encode("utf-8")


def test_long_text_is_cut_with_a_mark():
    assert written_form.visible("x" * 200) == "x" * 200
    assert written_form.visible("x" * 201) == "x" * 200 + "… [cut]"


def test_words_of_other_scripts_are_left_alone():
    assert written_form.visible("می‌خواهم বাংলা Ελλάδα") == "می‌خواهم বাংলা Ελλάδα"


def test_hostile_labels_are_shown_and_do_nothing():
    words = text(tree("hostile labels"))
    assert "<script>alert(1)</script>{{7*7}}" in words  # as text
    assert "49" not in text(next(tree("hostile labels").iter("h1")))
    assert "[U+202E]evil[U+0000][U+0007]" in words and "\u202e" not in words
    assert "x" * 600 not in words and "… [cut]" in words
    assert len(html("hostile labels")) < 500_000


def test_hostile_labels_do_nothing_in_any_other_file():
    for name, content in files("hostile labels").items():
        if name.endswith(".xlsx"):  # read back by the tests of the workbook
            continue
        decoded = content.decode("utf-8")
        assert not set(decoded) & set("\x00\x07\u202e"), name
        assert "x" * 601 not in decoded, name


def test_a_formula_in_a_label_is_not_live_in_any_table():
    bad = "=cmd|' /C calc'!A0"
    written = report_files(release(sample_result(name=bad, site=bad, value=bad, file=bad)))
    cells = [
        cell
        for name, content in written.items()
        if name.endswith(".csv")
        for row in csv.reader(io.StringIO(content.decode("utf-8")))
        for cell in row
    ]
    assert "'" + bad in cells
    assert not [cell for cell in cells if cell.startswith(("=", "@", "＝")) or re.match(r"[+-][^0-9]", cell)]


# ---------------------------------------------------------------- the tables


def test_every_table_of_the_result_is_written():
    names = {name.removeprefix("tables/") for name in files("sample") if name.startswith("tables/")}
    assert names == {f"{name}.csv" for name in SPECS} | {"README.txt"}


def test_tables_are_utf8_without_a_byte_order_mark_and_start_with_their_columns():
    for name, spec in SPECS.items():
        head = files("sample")[f"tables/{name}.csv"].decode("utf-8").split("\n")[0].split(",")
        assert head[: len(spec.columns)] == list(spec.columns)


def test_shares_have_four_decimals_and_counts_none():
    row = next(row for row in table("sample", "completeness") if row["measure"] == "known")
    assert (row["numerator"], row["denominator"], row["value"]) == ("1805", "2000", "0.9025")
    assert (row["lower"], row["upper"]) == ("0.8887", "0.9147")


def test_the_numbers_of_a_table_can_be_read_back_as_numbers():
    content = io.BytesIO(files("sample")["tables/completeness.csv"])
    frame = pd.read_csv(content, na_values=["[c]", "[x]"])
    assert frame["value"].between(0, 1).sum() == (~frame["hidden"]).sum() > 0


def test_truth_values_are_words():
    assert {row["data_domain"] for row in table("sample", "areas")} == {"true", "false"}


def test_the_guide_explains_the_symbols_and_every_column():
    guide = files("sample")["tables/README.txt"].decode("utf-8")
    assert all(symbol in guide for symbol in ("[c]", "[x]", "UTF-8 without"))
    for name, spec in SPECS.items():
        part = guide.split(f"{name}.csv: {spec.title}\n  one row: {spec.row}\n")[1].split("\n\n")[0]
        assert [line.split()[0] for line in part.splitlines() if line.strip() != ""][
            : len(spec.columns)
        ] == list(spec.columns)


# ---------------------------------------------------------------- the manifest


def manifest(kind: str = "sample") -> dict:
    return json.loads(files(kind)["manifest.json"])


def test_the_manifest_holds_the_hash_of_every_other_file():
    others = {
        name: hashlib.sha256(content).hexdigest()
        for name, content in files("sample").items()
        if name != "manifest.json"
    }
    assert manifest()["outputs"] == others


def test_the_manifest_says_how_the_report_was_made():
    found = manifest()
    assert found["tool"] == "equitydata" and {"pandas", "numpy", "ibis-framework", "duckdb"} <= set(
        found["libraries"]
    )
    assert found["rows"] == {
        "read": 6012,
        "used": 6000,
        "rejected": 12,
        "rejections": [
            {"reason": "Test patient", "rows": 9, "first_lines": [17, 230]},
            {"reason": "Wrong number of columns", "rows": 3, "first_lines": [4001]},
        ],
    }
    assert found["inputs"][0]["name"] == "contacts.csv" and found["inputs"][0]["header_line"] == 3
    assert found["disclosure"]["hide_up_to"] == 7 and found["disclosure"]["hidden_rows"]["categories"] > 0
    assert [each["code_list"] for each in found["code_lists"]] == ["nhs-ethnic-category-2001"]
    assert {"name": "ethnic_group", "reference_date": "2021-03-21"}.items() <= found["reference_tables"][
        0
    ].items()


def test_the_manifest_marks_changed_rules():
    found = json.loads(report_files(release(sample_result(rules={"gap_flag": 0.2})))["manifest.json"])
    assert [each["name"] for each in found["rules"] if each["changed"]] == ["gap_flag"]


def test_the_manifest_holds_no_value_of_the_data_and_no_path(tmp_path):
    paths = write_report(sample_result(), tmp_path / "report")
    written = paths.manifest.read_text(encoding="utf-8")
    for word in (
        "Custom House",
        "Bangla",
        str(tmp_path),
        str(Path.home()) + "/",
        str(Path(page.__file__).parent),
    ):
        assert word not in written


def test_the_time_comes_from_source_date_epoch(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    found = json.loads(report_files(release(sample_result()))["manifest.json"])
    assert found["made"] == "2026-01-01T00:00:00Z"


def test_the_same_result_gives_the_same_bytes(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    assert report_files(release(sample_result())) == report_files(release(sample_result()))


def test_hash_seed_time_zone_and_locale_change_no_byte(monkeypatch):
    program = (
        "import hashlib; from report_sample import sample_result; from equitydata.release.released import release;"
        "from equitydata.report.folder import report_files;"
        "print({n: hashlib.sha256(c).hexdigest() for n, c in report_files(release(sample_result())).items()})"
    )
    seen = set()
    for seed, zone, language in (("1", "Asia/Tokyo", "C"), ("2", "America/New_York", "C.UTF-8")):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "TZ": zone,
            "LC_ALL": language,
            "SOURCE_DATE_EPOCH": "0",
        }
        ran = subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parent,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        seen.add(ran.stdout)
    assert len(seen) == 1


# ---------------------------------------------------------------- whole or not at all


def test_a_report_lies_where_its_paths_say(tmp_path):
    paths = write_report(sample_result(), tmp_path / "new" / "report")
    assert paths.folder == tmp_path / "new" / "report"
    assert (
        all(path.is_file() for path in (paths.page, paths.rating, paths.manifest)) and paths.tables.is_dir()
    )
    assert set(bytes_of(paths.folder)) == set(files("sample"))
    assert list(paths.folder.parent.iterdir()) == [paths.folder]


def fail_at(monkeypatch, name: str, number: int, error: BaseException) -> None:
    """Let the number-th call of os.fsync, or of a rename of a folder, fail."""
    home = os if name == "fsync" else Path
    true, calls = getattr(home, name), []

    def failing(*args):
        calls.append(args)
        if len(calls) == number:
            raise error
        return true(*args)

    monkeypatch.setattr(home, name, failing)


FAULTS = [("fsync", 1), ("fsync", 8), ("fsync", 21), ("rename", 1), ("rename", 2)]


@pytest.mark.parametrize(("name", "number"), FAULTS)
def test_a_failure_leaves_the_earlier_report_as_it_was(name, number, tmp_path, monkeypatch):
    earlier = bytes_of(write_report(sample_result(), tmp_path / "report").folder)
    fail_at(monkeypatch, name, number, OSError(28, "No space left on device"))
    with pytest.raises(OutputError, match="No space left on device"):
        write_report(sample_result(name="Another"), tmp_path / "report", force=True)
    monkeypatch.undo()
    assert bytes_of(tmp_path / "report") == earlier
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


@pytest.mark.parametrize(("name", "number"), FAULTS[:4])
def test_a_failure_leaves_nothing_where_nothing_was(name, number, tmp_path, monkeypatch):
    fail_at(monkeypatch, name, number, OSError(28, "No space left on device"))
    with pytest.raises(OutputError):
        write_report(sample_result(), tmp_path / "new" / "report")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "number"), FAULTS)
def test_an_interruption_leaves_the_earlier_report_as_it_was(name, number, tmp_path, monkeypatch):
    earlier = bytes_of(write_report(sample_result(), tmp_path / "report").folder)
    fail_at(monkeypatch, name, number, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        write_report(sample_result(name="Another"), tmp_path / "report", force=True)
    monkeypatch.undo()
    assert bytes_of(tmp_path / "report") == earlier
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_later_run_clears_up_after_one_that_was_killed(tmp_path):
    earlier = bytes_of(write_report(sample_result(), tmp_path / "report").folder)
    workshop = tmp_path / ".report.equitydata-abc"  # killed between its two renames
    workshop.mkdir()
    (tmp_path / "report").rename(workshop / "earlier")
    an_hour_ago = time.time() - 3700
    os.utime(workshop, (an_hour_ago, an_hour_ago))
    with pytest.raises(OutputError, match="already holds a report"):
        write_report(sample_result(name="Another"), tmp_path / "report")
    assert bytes_of(tmp_path / "report") == earlier
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_the_workshop_of_a_run_under_way_is_left_alone(tmp_path):
    (tmp_path / ".report.equitydata-abc").mkdir()
    write_report(sample_result(), tmp_path / "report")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".report.equitydata-abc", "report"]


def test_an_earlier_report_is_replaced_only_by_force(tmp_path):
    write_report(sample_result(), tmp_path / "report")
    with pytest.raises(OutputError, match="Add --force or choose another folder"):
        write_report(sample_result(name="Another"), tmp_path / "report")
    write_report(sample_result(name="Another"), tmp_path / "report", force=True)
    assert json.loads((tmp_path / "report" / "rating.json").read_text())["about"]["name"] == "Another"


@pytest.mark.parametrize("content", ["", "{}", '{"tool": "other", "outputs": {}}', "[]", "\udcff"])
def test_a_folder_that_is_no_report_of_ours_is_refused(content, tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "manifest.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(OutputError, match="something other than an equitydata report"):
        write_report(sample_result(), tmp_path / "report", force=True)
    assert list((tmp_path / "report").iterdir()) == [tmp_path / "report" / "manifest.json"]


def test_a_file_that_someone_put_into_a_report_is_not_lost(tmp_path):
    write_report(sample_result(), tmp_path / "report")
    (tmp_path / "report" / "notes.docx").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.docx"):
        write_report(sample_result(), tmp_path / "report", force=True)
    assert (tmp_path / "report" / "notes.docx").read_text() == "mine"


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "report").mkdir()
    assert write_report(sample_result(), tmp_path / "report").page.is_file()


def test_a_file_or_a_link_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("file", "link"):
        with pytest.raises(OutputError):
            write_report(sample_result(), tmp_path / name, force=True)
    assert (tmp_path / "file").read_text() == "mine" and list((tmp_path / "elsewhere").iterdir()) == []


def test_the_input_is_not_changed_by_writing(tmp_path):
    result = sample_result()
    before = result.to_json()
    write_report(result, tmp_path / "report")
    assert result.to_json() == before


def test_a_tier_may_be_asked_for_as_a_profile():
    words = report_files(release(sample_result(rules={"tier_rule": "profile"})))["index.html"].decode()
    assert "ask for the three data areas side by side" in words
