"""What a notebook shows of a result and its tables: their numbers, said as people read them, and harmless."""

import dataclasses
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import equitydata as eq
from equitydata import written
from equitydata.showing import (
    ShownTable,
    doors,
    first_columns,
    result_html,
    shown_table,
    table_html,
    written_cells,
)
from equitydata.tables import SPECS
from tables_helper import analysed, released_as, table

HOSTILE = (
    "<script>alert(1)</script>",
    "{{7*7}}",
    "=cmd|' /C calc'!A0",
    "abc\u202edef",
    "x" * 40_000,
    '"><img src=x>',
)


class Page(HTMLParser):
    """Cells of all tables, heads, captions and items of a piece of HTML; fails on a tag that is not closed."""

    VOID = frozenset({"br"})

    def __init__(self, text):
        super().__init__()
        self.open, self.rows, self.heads, self.items, self.captions, self.titles = [], [], [], [], [], []
        self.tags = set()
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            (self.rows[-1]).append("")
            self.titles.append(dict(attrs).get("title", ""))
        if tag == "li":
            self.items.append("")
        if tag == "caption":
            self.captions.append("")

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open}"
        self.open.pop()

    def handle_data(self, data):
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data
        if "li" in self.open:
            self.items[-1] += data
        if "caption" in self.open:
            self.captions[-1] += data


def cells(frame, name, *columns):
    return written_cells(frame, SPECS[name], list(columns)).to_numpy().tolist()


# ---------------------------------------------------------------- cells


def test_numbers_are_written_as_they_are_read():
    frame = table("""
        characteristic | numerator | denominator | value | lower | upper
        joint          | 10787     | 12000       | 0.8989 | 0.8934 | 0.9042
    """)
    shown = cells(frame, "completeness", "numerator", "denominator", "value", "lower", "upper")
    assert shown == [["10,787", "12,000", "89.9%", "89.3%", "90.4%"]]


def test_a_value_is_written_by_the_statistic_of_its_row():
    frame = table("""
        statistic       | value | comparator_value | difference | ratio | ratio_lower | ratio_upper | p
        share           | 0.17  | 0.117            | 0.053      | 1.453 | 1.37        | 1.54        | 0.0001
        mean            | 25.5  | 17.8             | 7.68       | 1.431 | 1.39        | 1.47        | 0.04
        population_rate | 0.021 | 0.03             | -0.009     | 0.7   | 0.5         | 0.98        | 0.0321
    """)
    names = ("value", "comparator_value", "difference", "ratio", "ratio_lower", "ratio_upper", "p")
    assert cells(frame, "comparisons", *names) == [
        ["17.0%", "11.7%", "+5.3 points", "1.45", "1.37", "1.54", "<0.001"],
        ["25.5", "17.8", "+7.68", "1.43", "1.39", "1.47", "0.040"],
        ["21.0 per 1,000", "30.0 per 1,000", "-9.0 per 1,000", "0.70", "0.50", "0.98", "0.032"],
    ]


def test_shares_of_residents_gaps_and_rates_have_their_forms():
    frame = table("""
        share | residents | residents_share | ratio | gap   | gap_people | rate  | standardised_ratio_lower
        0.118 | 55677     | 0.159           | 0.745 | -0.04 | -470.6     | 24.68 | 0.7123
    """)
    shown = cells(frame, "representation", *frame.columns)
    assert shown == [["11.8%", "55,677", "15.9%", "0.74", "-4.0 points", "-471", "24.7", "0.71"]]


def test_a_threshold_is_a_share_or_a_number_of_places():
    frame = pd.DataFrame({"threshold": [0.95, 2.0, 0.427613, None]})
    assert cells(frame, "criteria", "threshold") == [["95%"], ["2"], ["42.8%"], ["[x]"]]


def test_a_share_below_its_threshold_is_not_rounded_up_in_words_that_decide():
    # The outcome stands beside it: what is shown here is the share itself, with one decimal.
    assert cells(pd.DataFrame({"value": [0.9496]}), "criteria", "value") == [["95.0%"]]


def test_a_flag_is_said_in_words_with_its_direction():
    frame = table("""
        flag                  | similar | harm
        disproportionate_high | false   | harm
        no_evidence           | true    |
        no_evidence           | false   |
        insufficient_data     | false   |
    """)
    words = [row[0] for row in cells(frame, "comparisons", "flag")]
    assert words[0] == "Disproportionately high, to the group’s disadvantage"
    assert words[1:] == ["Similar", "No evidence of a difference", "Not enough data"]


def test_the_name_of_a_quality_flag_stays_as_it_is():
    assert cells(pd.DataFrame({"flag": ["mixed code lists"]}), "flags", "flag") == [["mixed code lists"]]


@pytest.mark.parametrize("value", [None, np.nan, pd.NA, pd.NaT])
def test_what_is_not_there_is_said_and_is_no_zero(value):
    frame = pd.DataFrame({"people": pd.Series([value, 3], dtype="object"), "value": [value, 0.5]})
    assert cells(frame, "outcomes", "people", "value")[0] == ["[x]", "[x]"]


def test_a_hidden_row_hides_its_counts_and_all_that_rests_on_them_and_keeps_its_labels():
    frame = pd.DataFrame(
        {
            "category": ["Small", "Large"],
            "statistic": ["share", "share"],
            "people": [np.nan, 100.0],
            "value": [np.nan, 0.25],
            "note": [None, "a note"],
            "hidden": [True, False],
        }
    )
    shown = cells(frame, "outcomes", "category", "people", "value", "note")
    assert shown == [["Small", "[c]", "[c]", "[c]"], ["Large", "100", "25.0%", "a note"]]


def test_counts_that_a_service_hid_in_its_rating_read_c():
    frame = table("""
        service | numerator | denominator | counts_are
        Large   | 90        | 100         | shown
        Small   |           |             | hidden
        Other   |           |             | none
    """)
    shown = cells(frame, "services", "service", "numerator")
    assert shown == [["Large", "90"], ["Small", "[c]"], ["Other", "[x]"]]


def test_every_hidden_count_of_a_released_result_reads_c():
    released, seen = released_as("nhs"), 0
    for name in released.tables:
        frame, spec = released.table(name), SPECS[name]
        if "hidden" not in frame or not frame["hidden"].any():
            continue
        hidden = frame[frame["hidden"]].head(30)
        shown = written_cells(hidden, spec, list(spec.counts))
        assert (shown == written.HIDDEN_CELL).all(axis=None), name
        seen += len(shown)
    assert seen > 20


# ---------------------------------------------------------------- a table


@pytest.mark.parametrize("name", sorted(SPECS))
def test_every_table_shows_itself_true_released_and_empty(name):
    for result in (analysed(), released_as("nhs")):
        frame = shown_table(result, name).frame
        for each in (frame, frame.head(0)):
            page = Page(table_html(each, SPECS[name], rows=5))
            assert page.captions == [f"{SPECS[name].title}. One row: {SPECS[name].row}"]
            assert len(page.rows) == 1 + min(5, len(each))
            assert len({len(row) for row in page.rows}) == 1
            assert not {"nan", "NaN", "None", "NaT", "<NA>"} & {cell for row in page.rows for cell in row}


def test_a_table_says_how_much_is_not_shown():
    frame = analysed().breakdown
    html = table_html(frame, SPECS["breakdown"], columns=("group", "value"), rows=3)
    page = Page(html)
    assert len(page.rows) == 4
    assert f"{len(frame) - 3:,} more rows." in html and "10 more columns." in html
    assert "more row" not in table_html(frame.head(3), SPECS["breakdown"], rows=3)
    assert "1 more row." in table_html(frame.head(4), SPECS["breakdown"], rows=3)


def test_each_column_says_what_it_means():
    page = Page(
        table_html(analysed().completeness, SPECS["completeness"], columns=("label", "numerator", "value"))
    )
    assert page.rows[0] == ["characteristic", "numerator", "value"]
    meanings = SPECS["completeness"].columns
    assert page.titles[:3] == [meanings["label"], meanings["numerator"], meanings["value"]]


def test_shown_numbers_are_those_of_the_table():
    frame = analysed().completeness.head(12)
    page = Page(table_html(frame, SPECS["completeness"], columns=("numerator", "denominator", "value")))
    wanted = [
        [written.count(row.numerator), written.count(row.denominator), written.percent(row.value)]
        for row in frame.itertuples()
    ]
    assert page.rows[1:] == wanted


@pytest.mark.parametrize("label", HOSTILE, ids=lambda label: label[:12])
def test_hostile_labels_are_shown_harmless(label):
    frame = pd.DataFrame({"category": [label], "people": [12], label: [1]})
    html = table_html(frame, SPECS["outcomes"], columns=["category", "people", label], stamp=label[:50])
    page = Page(html)
    assert page.tags <= {"table", "caption", "thead", "tbody", "tr", "th", "td", "p", "small"}
    assert "\u202e" not in html and len(html) < 3000
    assert page.rows[1][0] == written.visible(label)


def test_a_wide_table_shows_the_columns_that_people_read_first():
    names = first_columns(analysed().comparisons, SPECS["comparisons"])
    assert "ratio" in names and "flag" in names and len(names) <= 12
    assert set(names) <= set(SPECS["comparisons"].columns)


def test_the_columns_to_read_first_are_columns_of_their_tables():
    for spec in SPECS.values():
        frame = pd.DataFrame(columns=list(spec.columns))
        names = first_columns(frame, spec)
        assert names and set(names) <= set(spec.columns), spec.name


def test_names_for_machines_give_way_to_words():
    names = first_columns(analysed().completeness, SPECS["completeness"])
    assert "label" in names and "characteristic" not in names and "measure" in names


def test_a_table_of_a_result_is_found_by_name_and_a_wrong_name_is_mended():
    shown = shown_table(analysed(), "completeness", rows=2)
    assert isinstance(shown, ShownTable) and dataclasses.is_dataclass(shown)
    assert "True counts: not to be shared" in shown._repr_html_()
    assert repr(shown).startswith("Completeness: 2 of ")
    with pytest.raises(eq.ConfigError, match="completeness"):
        shown_table(analysed(), "completness")
    with pytest.raises(eq.ConfigError, match="denominator"):
        shown_table(analysed(), "completeness", columns=["denominatr"])
    with pytest.raises(dataclasses.FrozenInstanceError):
        shown.rows = 3


def test_a_released_table_is_stamped_with_its_rule():
    html = shown_table(released_as("nhs"), "outcomes", rows=3)._repr_html_()
    assert "Released: Counts of 1 to 7 hidden" in html and "True counts" not in html


# ---------------------------------------------------------------- a result


def test_a_result_shows_tier_areas_findings_and_next_steps():
    result = analysed()
    page = Page(result_html(result))
    areas = result.maturity.areas
    assert [row[0] for row in page.rows[1:]] == list(areas["area"])
    assert [row[1] for row in page.rows[1:]] == list(areas["tier"])
    html = result_html(result)
    assert f"<strong>{result.maturity.tier}</strong>" in html
    assert f"Findings: {len(result.findings)}" in html
    first = result.findings["finding"].iloc[0].split(". ")[0]
    assert any(written.visible(first)[:60] in item for item in page.items)
    assert "<script" not in html and "True counts: not to be shared" in html


def test_how_sure_the_tier_is_adds_up():
    result = analysed()
    data = result.maturity.areas.query("data_domain")
    criteria = int(data["criteria"].sum())
    open_ = int(data["not_assessed"].sum())
    html = result_html(result)
    assert f"Of {criteria} criteria of the data domain" in html and f"and {open_} are not assessed" in html


def test_a_released_result_says_its_rule_and_shows_no_small_count():
    html = result_html(released_as("nhs"))
    assert "Released: Counts of 1 to 7 hidden" in html and "True counts" not in html
    assert "True counts" in result_html(released_as("none"))


def test_hidden_people_are_no_number():
    few = dataclasses.replace(analysed(), about=dataclasses.replace(analysed().about, people=None))
    assert "[c] people" in result_html(few)


def test_an_audit_alone_shows_no_findings_and_leads_to_what_it_has():
    tables = {
        name: frame.head(0) if name in ("outcomes", "findings") else frame
        for name, frame in analysed().tables.items()
    }
    audit = dataclasses.replace(analysed(), tables=tables)
    assert "Findings" not in result_html(audit) and "No findings" not in result_html(audit)
    assert not any("forest" in each or "profile" in each for each in doors(audit))
    bare = dataclasses.replace(analysed(), tables={})
    assert doors(bare) == ['result.show("next_steps")']
    assert Page(result_html(bare)).rows


def test_without_an_extract_that_is_said():
    rated = eq.rate(eq.make_service({"service": {"name": "Ward <b>"}}))
    html = result_html(rated)
    assert "No extract was read" in html and "0 people" not in html and "Ward &lt;b&gt;" in html


def test_the_calls_that_are_offered_run():
    result = analysed()
    for call in doors(result):
        if ".plot." not in call:
            assert eval(call, {"result": result}) is not None  # noqa: S307 (our own words, just made)


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: name[:12])
def test_a_hostile_service_name_is_shown_harmless(name):
    hostile = dataclasses.replace(
        analysed(), about=dataclasses.replace(analysed().about, name=name, areas=(name,))
    )
    html = result_html(hostile)
    assert Page(html).tags <= {
        *(
            "p",
            "strong",
            "h3",
            "table",
            "caption",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "ol",
            "ul",
            "li",
            "code",
        ),
        "small",
    }
    assert "\u202e" not in html and len(html) < 40_000


def test_the_same_result_shows_the_same_text():
    assert result_html(analysed()) == result_html(analysed())
