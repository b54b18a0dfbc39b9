"""The workbook of a report: the numbers of the CSV files, laid out for people, with nothing alive in it."""

import csv
import hashlib
import io
import os
import posixpath
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import openpyxl
import pandas as pd
import pytest
from openpyxl.utils import range_boundaries
from python_calamine import CalamineWorkbook

from equitydata.errors import DisclosureError
from equitydata.rating import make_rating
from equitydata.release.released import release
from equitydata.report import spreadsheet, workbook
from equitydata.report.workbook import heading, workbook_bytes
from equitydata.report.writing import csv_bytes, guarded_columns, with_symbols
from equitydata.result import MATURITY_TABLES, EquityResult
from equitydata.tables import HIDDEN, SPECS
from equitydata.written import CUT_MARK, FLAG_MEANINGS, count
from report_sample import framed, sample_result, without_extract

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
LINKED = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
OWN_SHEETS = [spreadsheet.COVER, workbook.CONTENTS, workbook.NOTES, workbook.COLUMNS]
ALIVE = "=cmd|' /C calc'!A1"
MARKUP = '<r><t>other</t></r><f>1+1</f></si><si><r><t xml:space="preserve">more</t></r>'
LONG = (
    "{{7*7}} $\\frac{1}$ \u202eevil\x00\x07\r\n https://example.org/ _x0041_ <script>alert(1)</script>"
    + "x" * 40_000
)


def hostile_result() -> EquityResult:
    result = sample_result(name=ALIVE, site=MARKUP, value="https://example.org/", file=LONG, measure=LONG)
    codes = result.tables["codes"].copy()
    hostile = [
        "@SUM(1+1)",
        "+1",
        "-2",
        "\t=1",
        "＝1",
        "mailto:a@example.org",
        "_x0041_",
        "internal:Cover!A1",
        "[c]",
    ]
    more = pd.concat([codes.tail(1)] * len(hostile), ignore_index=True).assign(value=hostile, records=900)
    tables = {**result.tables, "codes": pd.concat([codes, more], ignore_index=True)}
    return replace(result, notes=(LONG,), tables=tables)


RESULTS = {
    "sample": lambda: release(sample_result()),
    "audit alone": lambda: release(sample_result(equity=False)),
    "without extract": lambda: release(without_extract()),
    "true counts": lambda: release(sample_result(rules={"disclosure": "none"})),
    "hostile labels": lambda: release(hostile_result()),
    "all hidden": lambda: release(
        sample_result(rules={"disclosure": "threshold-10"}, sites={"A": (3, 5), "B": (2, 4)}, people=3)
    ),
}
EVERY_RESULT = pytest.mark.parametrize("kind", RESULTS)


@cache
def released(kind: str) -> EquityResult:
    return RESULTS[kind]()


@cache
def content(kind: str) -> bytes:
    return workbook_bytes(released(kind), make_rating(released(kind)))


@dataclass(frozen=True)
class Table:
    """A table of a sheet as openpyxl reads it."""

    name: str
    top: int
    headings: list
    rows: list[list]


@cache
def opened(kind: str) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(content(kind)))


def table(kind: str, sheet: str) -> Table:
    page = opened(kind)[sheet]
    ((name, ref),) = page.tables.items()
    first, top, last, bottom = range_boundaries(ref if isinstance(ref, str) else ref.ref)
    assert first == 1
    cells = page.iter_rows(min_row=top, max_row=bottom, min_col=first, max_col=last, values_only=True)
    headings, *rows = map(list, cells)
    return Table(name, top, headings, rows)


@cache
def parts(kind: str) -> dict[str, ElementTree.Element]:
    """Every part of the file, each as a tree: one that does not parse would be repaired, or refused."""
    with zipfile.ZipFile(io.BytesIO(content(kind))) as archive:
        assert archive.testzip() is None
        return {name: ElementTree.fromstring(archive.read(name)) for name in archive.namelist()}  # noqa: S314


def sheet_parts(kind: str) -> list[ElementTree.Element]:
    return [tree for name, tree in parts(kind).items() if name.startswith("xl/worksheets/sheet")]


def tables_of(kind: str) -> list[str]:
    """Tables of the result that have rows, in the order of the folder `tables`."""
    result = released(kind)
    return [name for name in (*result.tables, *MATURITY_TABLES) if len(result.table(name))]


def csv_rows(kind: str, name: str) -> list[list[str]]:
    text = csv_bytes(released(kind).table(name), SPECS[name]).decode("utf-8")
    return list(csv.reader(io.StringIO(text)))


def assert_same(cell: object, written: str) -> None:
    """A cell of the workbook holds what the CSV file says."""
    if isinstance(cell, str):
        text = cell.removesuffix(" ") if cell.startswith("<r>") else cell
        expected = {"": "[z]", "inf": "no limit", "-inf": "no limit"}.get(written, written)
        assert expected in (text, f"'{text}")
    else:
        assert isinstance(cell, (int, float)) and not isinstance(cell, bool)
        assert cell == float(written)


# ---------------------------------------------------------------- the numbers


@EVERY_RESULT
def test_every_cell_is_the_cell_of_the_csv_file(kind):
    for name in tables_of(kind):
        _, *rows = csv_rows(kind, name)
        found = table(kind, name).rows
        assert len(found) == len(rows)
        for cells, written in zip(found, rows, strict=True):
            for cell, text in zip(cells, written, strict=True):
                assert_same(cell, text)


@EVERY_RESULT
def test_another_reader_finds_the_same(kind):
    book = CalamineWorkbook.from_filelike(io.BytesIO(content(kind)))
    assert book.sheet_names == opened(kind).sheetnames
    for name in tables_of(kind):
        here = table(kind, name)
        found = book.get_sheet_by_name(name).to_python(skip_empty_area=False)[here.top - 1 :]
        assert found == [here.headings, *here.rows]


@EVERY_RESULT
def test_numbers_are_numbers_and_text_is_text(kind):
    for name in tables_of(kind):
        frame = with_symbols(released(kind).table(name), SPECS[name])
        rows = table(kind, name).rows
        for place, column in enumerate(frame):
            texts = [
                isinstance(value, (str, bool)) or value in (float("inf"), -float("inf"))
                for value in frame[column]
            ]
            assert [isinstance(row[place], str) for row in rows] == texts, (name, column)


def test_counts_shares_and_p_values_are_shown_each_in_their_form():
    page, top = opened("sample")["completeness"], table("sample", "completeness").top
    forms = {page.cell(top, c).value: page.cell(top + 1, c) for c in range(1, page.max_column + 1)}
    assert {name: cell.number_format for name, cell in forms.items() if cell.data_type == "n"} == {
        "Numerator": "#,##0",
        "Denominator": "#,##0",
        "Value (%)": "0.00%",
        "Lower limit (%)": "0.00%",
        "Upper limit (%)": "0.00%",
    }
    assert {cell.alignment.horizontal for cell in forms.values() if cell.data_type == "n"} == {"right"}
    page, top = opened("sample")["comparisons"], table("sample", "comparisons").top
    forms = {page.cell(top, c).value: page.cell(top + 1, c) for c in range(1, page.max_column + 1)}
    assert forms["p-value, adjusted"].number_format == '[<0.001]"<0.001";0.000'
    # One column holds shares, rates and means: four places, in which none reads 0.
    assert forms["Value"].number_format == "#,##0.0000"


def test_a_small_number_is_never_shown_as_none():
    tests = framed("tests", [{"measure": "m", "effect_size": 0.00001}, {"measure": "m", "effect_size": 0.31}])
    result = replace(released("sample"), tables={**released("sample").tables, "tests": tests})
    book = openpyxl.load_workbook(io.BytesIO(workbook_bytes(result, make_rating(result))))
    (cell,) = [cell for row in book["tests"].iter_rows() for cell in row if cell.value == 0.00001]
    assert cell.number_format == "General"


def test_of_a_hidden_row_no_number_is_left():
    seen = 0
    for name in tables_of("all hidden"):
        frame = released("all hidden").table(name)
        hidden = frame[HIDDEN].astype(bool).tolist() if HIDDEN in frame else []
        places = [list(SPECS[name].columns).index(column) for column in guarded_columns(SPECS[name])]
        for gone, row in zip(hidden, table("all hidden", name).rows, strict=False):
            if gone:
                seen += 1
                assert {row[place] for place in places} == {"[c]"}, name
    assert seen > 10


# ---------------------------------------------------------------- the layout


@EVERY_RESULT
def test_the_sheets_are_the_cover_contents_notes_columns_and_the_tables_that_have_rows(kind):
    assert opened(kind).sheetnames == [*OWN_SHEETS, *tables_of(kind)]


def test_what_has_no_sheet_is_named_in_the_contents():
    (line,) = [
        row[0] for row in opened("audit alone")["Contents"].values if str(row[0]).startswith("Tables without")
    ]
    assert "outcomes" in line and "findings" in line and "completeness" not in line
    assert "outcomes" not in opened("audit alone").sheetnames


@EVERY_RESULT
def test_each_sheet_has_its_title_in_the_first_cell_and_one_table_below(kind):
    for page in opened(kind).worksheets:
        assert isinstance(page["A1"].value, str) and page["A1"].value
        assert page["A1"].font.bold
        assert len(page.tables) == (0 if page.title == spreadsheet.COVER else 1)
        if page.tables:
            here = table(kind, page.title)
            above = [page.cell(row, 1).value for row in range(1, here.top)]
            assert all(above), "no empty row between the title and the table"
            assert any("This sheet has one table." in line for line in above)
            assert page.max_row == here.top + len(here.rows), "nothing stands below the table"


@EVERY_RESULT
def test_headings_are_unique_and_no_cell_of_a_table_is_empty(kind):
    for name in opened(kind).sheetnames[1:]:
        here = table(kind, name)
        assert all(here.headings)
        assert len({each.casefold() for each in here.headings}) == len(here.headings)
        assert all(cell not in (None, "") for row in here.rows for cell in row), name


@pytest.mark.parametrize("form", ["", workbook.PERCENT])
def test_no_two_columns_of_any_table_have_the_same_heading(form):
    for spec in SPECS.values():
        headings = [heading(name, spec, form) for name in (*spec.columns, HIDDEN)]
        assert len({each.casefold() for each in headings}) == len(headings), spec.name


def test_the_names_of_sheets_and_of_tables_are_valid_for_every_table():
    names = [*OWN_SHEETS, *SPECS]
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z_]{0,30}", name) for name in names)
    assert len({name.casefold() for name in names}) == len(names)


@EVERY_RESULT
def test_nothing_is_merged_hidden_filtered_or_frozen_and_the_cursor_is_at_the_start(kind):
    for tree in sheet_parts(kind):
        for tag in ("mergeCells", "pane", "autoFilter", "sheetProtection", "dataValidations"):
            assert tree.find(f".//{MAIN}{tag}") is None
        assert not [e for e in tree.iter() if e.get("hidden") or e.get("collapsed")]
        assert [e.get("activeCell") for e in tree.iter(f"{MAIN}selection")] in ([], ["A1"])
    assert not [e for e in parts(kind)["xl/workbook.xml"].iter(f"{MAIN}sheet") if e.get("state")]
    assert not [
        e for name, tree in parts(kind).items() if "tables/" in name for e in tree.iter(f"{MAIN}autoFilter")
    ]
    assert opened(kind).active.title == spreadsheet.COVER


@EVERY_RESULT
def test_every_table_is_marked_up_with_the_headings_that_its_cells_show(kind):
    trees = [tree for name, tree in parts(kind).items() if name.startswith("xl/tables/")]
    names = [tree.get("name") for tree in trees]
    assert len(trees) == len(opened(kind).sheetnames) - 1
    assert len(set(names)) == len(names)
    by_name = {tree.get("name"): [c.get("name") for c in tree.iter(f"{MAIN}tableColumn")] for tree in trees}
    for sheet in opened(kind).sheetnames[1:]:
        here = table(kind, sheet)
        assert by_name[here.name] == here.headings


def test_text_wraps_and_its_row_is_high_enough():
    page, here = opened("sample")["criteria"], table("sample", "criteria")
    place = here.headings.index("Criterion")
    long = max(range(len(here.rows)), key=lambda row: len(here.rows[row][place]))
    cell = page.cell(here.top + 1 + long, place + 1)
    assert cell.alignment.wrap_text
    assert len(cell.value) > 100
    assert page.row_dimensions[cell.row].height >= 16 * len(cell.value) / 55


# ---------------------------------------------------------------- the words


@EVERY_RESULT
def test_symbols_and_notes_that_a_sheet_speaks_of_are_explained(kind):
    notes = {row[0]: row[1] for row in table(kind, workbook.NOTES).rows}
    assert {"[c]", "[x]", "[z]", "no limit", CUT_MARK, *FLAG_MEANINGS} <= set(notes)
    for name in tables_of(kind):
        here = table(kind, name)
        above = " ".join(opened(kind)[name].cell(row, 1).value for row in range(2, here.top))
        for note in re.findall(r"\[note \d\]", above):
            assert notes[note]
        for symbol in ("[c]", "[x]", "[z]", "no limit"):
            assert (f"{symbol} {workbook.SYMBOLS[symbol]}" in above) == any(
                symbol in row for row in here.rows
            )


def test_notes_name_what_concerns_the_table():
    notes = {row[0]: row[1] for row in table("sample", workbook.NOTES).rows}
    above = " ".join(
        str(row[0]) for row in opened("sample")["findings"].iter_rows(max_row=4, values_only=True)
    )
    told = " ".join(notes[note] for note in re.findall(r"\[note \d\]", above))
    assert "prompt to look, not proof" in told
    assert "Counts of 1 to 7 hidden" in told


@EVERY_RESULT
def test_every_column_is_explained_under_its_heading(kind):
    told = [(sheet, title) for sheet, title, _, _ in table(kind, workbook.COLUMNS).rows]
    assert told == [(name, title) for name in tables_of(kind) for title in table(kind, name).headings]


@EVERY_RESULT
def test_the_cover_says_whose_it_is_which_tier_and_which_rule(kind):
    result = released(kind)
    lines = [row[0] for row in opened(kind)[spreadsheet.COVER].values]
    words = "\n".join(lines)
    assert all(lines), "no empty row"
    assert words.startswith(f"Health-equity data audit: {result.about.name[:20]}")
    assert f"{result.maturity.tier}. From measured criteria alone: {result.maturity.tier_measured}." in words
    assert make_rating(result).disclosure.label in words
    if result.about.period_from:
        assert "Period: 1 April 2025 to 31 March 2026" in words
    people = "no extract was audited" if kind == "without extract" else count(result.about.people)
    people = "[c]" if result.about.people is None else people
    assert f"People: {people}" in lines


@EVERY_RESULT
def test_true_counts_are_stamped_on_every_sheet(kind):
    stamped = [workbook.STAMP in [row[0] for row in page.values] for page in opened(kind).worksheets]
    assert set(stamped) == {kind == "true counts"}


def test_a_result_that_was_not_released_is_refused():
    with pytest.raises(DisclosureError, match="true counts"):
        workbook_bytes(sample_result(), make_rating(released("sample")))


def test_rows_beyond_the_end_of_a_sheet_are_said_to_be_elsewhere(monkeypatch):
    monkeypatch.setattr(workbook, "ROWS_OF_A_SHEET", 3)
    cut = workbook_bytes(released("sample"), make_rating(released("sample")))
    page = openpyxl.load_workbook(io.BytesIO(cut))["criteria"]
    assert f"Only the first 3 of {len(released('sample').maturity.criteria)} rows fit" in page["A2"].value
    assert page.max_row == 8


# ---------------------------------------------------------------- nothing is alive


@EVERY_RESULT
def test_there_is_no_formula_and_no_link_out_of_the_workbook(kind):
    for tree in sheet_parts(kind):
        assert tree.find(f".//{MAIN}f") is None
        assert all(e.get(LINKED) is None and e.get("location") for e in tree.iter(f"{MAIN}hyperlink"))
        assert {e.get("t") for e in tree.iter(f"{MAIN}c")} <= {"s", None}
    for name, tree in parts(kind).items():
        if name.endswith(".rels"):
            assert not [e for e in tree if e.get("TargetMode") == "External"], name
    assert not [
        name for name in parts(kind) if re.search("vba|macro|external|connection|drawing|embed", name, re.I)
    ]


@EVERY_RESULT
def test_links_are_of_the_contents_alone_and_lead_to_every_sheet(kind):
    for page in opened(kind).worksheets:
        links = [cell.hyperlink for row in page.iter_rows() for cell in row if cell.hyperlink]
        targets = [link.location for link in links]
        wanted = opened(kind).sheetnames[2:] if page.title == workbook.CONTENTS else []
        assert targets == [f"'{name}'!A1" for name in wanted]


def test_the_contents_say_what_each_sheet_holds_and_how_many_rows():
    found = {name: (holds, rows) for name, holds, rows in table("sample", workbook.CONTENTS).rows}
    assert found["completeness"] == ("Completeness", len(released("sample").completeness))
    assert found[workbook.NOTES] == (
        "Symbols, notes and states of a flag",
        len(table("sample", "Notes").rows),
    )


@EVERY_RESULT
def test_every_relation_of_the_file_has_its_part(kind):
    for name, tree in parts(kind).items():
        if name.endswith(".rels"):
            folder = posixpath.dirname(posixpath.dirname(name))
            for relation in tree:
                target = relation.get("Target")
                path = target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target)
                assert posixpath.normpath(path) in parts(kind)


def test_hostile_labels_are_text_to_the_letter():
    words = {cell for page in opened("hostile labels").worksheets for row in page.values for cell in row}
    texts = {word for word in words if isinstance(word, str)}
    assert {"@SUM(1+1)", "+1", "-2", "[U+0009]=1", "＝1", "_x0041_", "internal:Cover!A1"} <= texts
    assert {"https://example.org/", "mailto:a@example.org", f"{MARKUP} ".rstrip()} <= {
        text.rstrip() for text in texts
    }
    assert f"Health-equity data audit: {ALIVE}" in texts
    assert any(
        text.endswith(CUT_MARK) and "[U+202E]evil[U+0000][U+0007][U+000D][U+000A]" in text for text in texts
    )
    assert max(map(len, texts)) < 1_500
    assert not [text for text in texts if re.search("[\x00-\x1f\u202a-\u202e]", text)]


def test_a_label_that_looks_like_markup_stays_one_text():
    (strings,) = [
        tree for name, tree in parts("hostile labels").items() if name.endswith("sharedStrings.xml")
    ]
    assert strings.find(f".//{MAIN}r") is None
    assert len(strings) == int(strings.get("uniqueCount"))


def test_text_stays_text_when_its_cell_is_edited():
    page, here = opened("hostile labels")["codes"], table("hostile labels", "codes")
    place = here.headings.index("Value") + 1
    cells = [page.cell(row, place) for row in range(here.top + 1, here.top + 1 + len(here.rows))]
    assert {cell.quotePrefix for cell in cells} == {True}


# ---------------------------------------------------------------- the same bytes


def test_the_same_result_gives_the_same_bytes_whatever_the_clock_and_the_hash_seed():
    program = (
        "import hashlib\n"
        "from test_workbook import content\n"
        "print(hashlib.sha256(content('sample')).hexdigest())"
    )
    where = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "TZ": "Asia/Tokyo"}
    where.pop("SOURCE_DATE_EPOCH", None)
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**where, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == hashlib.sha256(content("sample")).hexdigest()


def test_the_day_of_the_document_is_that_of_the_rating_or_the_one_that_is_set(monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    made = [workbook_bytes(released("audit alone"), make_rating(released("audit alone"))) for _ in range(2)]
    assert made[0] == made[1]
    properties = openpyxl.load_workbook(io.BytesIO(made[0])).properties
    assert properties.created == properties.modified == datetime(2026, 4, 1)
    assert (
        properties.title
        == "Health-equity data audit: Community clinic (made up), 1 April 2025 to 31 March 2026"
    )
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    of_epoch = workbook_bytes(released("audit alone"), make_rating(released("audit alone")))
    assert openpyxl.load_workbook(io.BytesIO(of_epoch)).properties.created == datetime(1970, 1, 1)


def test_nothing_heavy_is_loaded_before_a_workbook_is_written():
    program = "import sys, equitydata.report.workbook\nprint('xlsxwriter' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


# ---------------------------------------------------------------- another program

OFFICE = shutil.which("soffice")
WITH_OFFICE = pytest.mark.skipif(
    OFFICE is None,
    reason="LIBREOFFICE IS NOT INSTALLED: that the workbook opens there was not tested (libreoffice-calc-nogui)",
)


@pytest.fixture(scope="module")
def by_office(tmp_path_factory):
    """Workbooks opened by LibreOffice and saved in another form: all of a form in one start of the program."""
    folder = tmp_path_factory.mktemp("office")

    def saved(form: str, *kinds: str) -> Path:
        sources = [folder / f"{kind.replace(' ', '-')}.xlsx" for kind in kinds]
        for source, kind in zip(sources, kinds, strict=True):
            source.write_bytes(content(kind))
        own = f"-env:UserInstallation={(folder / 'settings').as_uri()}"
        target = folder / form[:4]
        command = [OFFICE, "--headless", own, "--convert-to", form, "--outdir", target, *sources]
        subprocess.run(command, check=True, capture_output=True, timeout=180)
        return target

    return saved


@WITH_OFFICE
def test_libreoffice_opens_it_and_finds_the_same_cells(by_office):
    saved = by_office("xlsx", "sample", "hostile labels")
    for kind in ("sample", "hostile labels"):
        book = openpyxl.load_workbook(saved / f"{kind.replace(' ', '-')}.xlsx")
        assert book.sheetnames == opened(kind).sheetnames
        for page in opened(kind).worksheets:
            found = book[page.title]
            assert list(found.values) == list(page.values), page.title
            assert {cell.data_type for row in found.iter_rows() for cell in row} <= {"s", "n"}
            assert [t.ref for t in found.tables.values()] == [t.ref for t in page.tables.values()]


@WITH_OFFICE
def test_libreoffice_shows_numbers_as_people_read_them(by_office):
    every_sheet_as_shown = "csv:Text - txt - csv (StarCalc):44,34,76,1,,2057,false,true,true,false,false,-1"
    saved = by_office(every_sheet_as_shown, "true counts")

    def shown(sheet: str) -> list[list[str]]:
        text = (saved / f"true-counts-{sheet}.csv").read_text(encoding="utf-8")
        return list(csv.reader(io.StringIO(text)))[table("true counts", sheet).top :]

    assert len(list(saved.iterdir())) == len(opened("true counts").sheetnames)
    for cells, row in zip(table("true counts", "completeness").rows, shown("completeness"), strict=True):
        assert row[4:6] == [each if isinstance(each, str) else f"{each:,}" for each in cells[4:6]]
        assert row[6:9] == [each if isinstance(each, str) else f"{each:.2%}" for each in cells[6:9]]
    place = table("true counts", "known_or_not").headings.index("p-value")
    assert [row[place] for row in table("true counts", "known_or_not").rows] == [0.0004]
    assert [row[place] for row in shown("known_or_not")] == ["<0.001"]
