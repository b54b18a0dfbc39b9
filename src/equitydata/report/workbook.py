"""Released result -> workbook.xlsx: every table on a sheet of its own, for people who work with spreadsheets.

Laid out as the Analysis Function asks of accessible spreadsheets: cover, contents, notes, columns, then one marked-up
table a sheet that starts in column A, with its title in A1; no merged, hidden, filtered, frozen or empty cell.
A number is the number of the table's CSV file, at most shown in fewer digits; what is text stays text and runs nothing.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from equitydata.errors import DisclosureError
from equitydata.rating import Rating
from equitydata.report.spreadsheet import Column, Sheet, spreadsheet_bytes
from equitydata.report.writing import number_form, with_symbols
from equitydata.result import MATURITY_TABLES, EquityResult
from equitydata.rulebook import disclosure_rule
from equitydata.tables import HIDDEN, SPECS, TableSpec
from equitydata.written import (
    CUT_MARK,
    FLAG_MEANINGS,
    FLAG_WORDS,
    HIDDEN_CELL,
    LABEL_LIMIT,
    NOT_APPLICABLE_CELL,
    SENTENCE_LIMIT,
    SENTENCES,
    UNAVAILABLE_CELL,
    count,
    day,
    mark,
    shown,
    visible,
)

if TYPE_CHECKING:
    pass

CONTENTS, NOTES, COLUMNS = "Contents", "Notes", "Columns"
STAMP = "TRUE COUNTS: NOT TO BE SHARED"
NO_LIMIT = "no limit"
SYMBOLS = {
    HIDDEN_CELL: "hidden by the small-number rule",
    UNAVAILABLE_CELL: "not available: it was not measured, or does not exist",
    NOT_APPLICABLE_CELL: "not applicable: there is nothing to say here, or the record was blank",
    NO_LIMIT: "a limit without end",
}
WHOLE, PERCENT, P_VALUE = "#,##0", "0.00%", '[<0.001]"<0.001";0.000'
MOST_PLACES = 4
ROWS_OF_A_SHEET = 1_000_000  # Excel ends at 1,048,576
# Fractions that are shares of people, beside those that a specification names.
_SHARES = ("share", "share_of_all", "residents_share", "joint_known")
_HEADINGS = {
    "label": "Characteristic, in words",
    "measure_label": "Measure, in words",
    "summary_label": "Summary, in words",
    "criterion_id": "Criterion number",
    "service_criterion_id": "Criterion number of the service",
    "gap_people": "Gap in people",
    "tier_measured": "Tier by measures alone",
    "by": "Grouped by",
    "of": "What is compared",
    "of_label": "What is compared, in words",
    "p": "p-value",
    "p_adjusted": "p-value, adjusted",
    "df": "Degrees of freedom",
    "lower": "Lower limit",
    "upper": "Upper limit",
    "lower_95": "Lower 95% control limit",
    "upper_95": "Upper 95% control limit",
    "lower_998": "Lower 99.8% control limit",
    "upper_998": "Upper 99.8% control limit",
    HIDDEN: "Hidden by the small-number rule",
}
_HIDDEN_MEANING = (
    "true where the small-number rule hides the row's counts, and all that is worked out from them"
)


def workbook_bytes(released: EquityResult, rating: Rating) -> bytes:
    """The tables of a released result as an .xlsx workbook; the same result gives the same bytes.

    rating : as `make_rating` gives it for the same result. Tables without a row have no sheet; the contents say so.
    Raises DisclosureError for a result that was not released.
    """
    if not released.disclosure:
        raise DisclosureError("The result holds true counts.", mend="Release it first.")
    tables = _table_sheets(released)
    others = [_notes(released), _columns(released, tables), *tables]
    sheets = [_contents(released, others), *others]
    return spreadsheet_bytes(
        _cover(released, rating), sheets, stamp=_stamp(released), properties=_properties(released)
    )


# ---------------------------------------------------------------- the tables


def _table_sheets(released: EquityResult) -> list[Sheet]:
    names = (name for name in (*released.tables, *MATURITY_TABLES) if len(released.table(name)))
    return [_table_sheet(released, SPECS[name]) for name in names]


def _table_sheet(released: EquityResult, spec: TableSpec) -> Sheet:
    frame = with_symbols(released.table(spec.name), spec)
    columns = tuple(_column(values, spec) for _, values in frame.head(ROWS_OF_A_SHEET).items())
    return Sheet(
        name=spec.name,
        title=f"{spec.title}: {_whose(released)}",
        lines=(
            f"This sheet has one table. One row: {spec.row}.{_left_out(len(frame))}",
            f"{_symbols_used(columns)} {_notes_used(released, spec)}".strip(),
            f"What each column means is on the sheet {COLUMNS}. As a file of data alone: tables/{spec.name}.csv.",
        ),
        columns=columns,
    )


def _left_out(rows: int) -> str:
    if rows <= ROWS_OF_A_SHEET:
        return ""
    return f" Only the first {count(ROWS_OF_A_SHEET)} of {count(rows)} rows fit; all are in the CSV file."


def _column(values: pd.Series, spec: TableSpec) -> Column:
    name = str(values.name)
    limit = SENTENCE_LIMIT if name in SENTENCES else LABEL_LIMIT
    # Few distinct values in many rows: each is written once.
    cells = {value: _cell(value, limit, digits=number_form(name, spec)) for value in values.unique()}
    distinct = frozenset(cells.values())
    form = _form(name, spec, [cell for cell in distinct if not isinstance(cell, str)])
    return Column(
        heading=heading(name, spec, form),
        cells=[cells[value] for value in values.tolist()],
        form=form,
        distinct=distinct,
    )


def _cell(value: Any, limit: int, *, digits: str) -> str | float:
    """A number as the CSV file has it, or text that is not empty."""
    if isinstance(value, str):
        return _plain_text(visible(value, limit)) or NOT_APPLICABLE_CELL
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    return NO_LIMIT if math.isinf(value) else float(format(value, digits))


def _plain_text(text: str) -> str:
    """Text that XlsxWriter does not take for markup: what stands between <r> and </r> it writes as it is."""
    return f"{text} " if text.startswith("<r>") and text.endswith("</r>") else text


def _form(name: str, spec: TableSpec, numbers: Sequence[float]) -> str:
    """How Excel shows the numbers of a column, in one precision; "" where there are none."""
    if name in ("p", "p_adjusted"):
        return P_VALUE
    if name in _SHARES or number_form(name, spec) == ".4f":
        return PERCENT
    if not numbers:
        return WHOLE if name in (*spec.counts, *spec.estimates) else ""
    places = min(max(map(_places, numbers)), MOST_PLACES)
    if any(0 < abs(number) < 0.5 * 10**-places for number in numbers):
        return "General"  # a small number is never shown as 0
    return f"{WHOLE}.{'0' * places}" if places else WHOLE


def _places(number: float) -> int:
    """Decimal places that a number is written with: 2 for 0.25."""
    return len(f"{number:.10f}".rstrip("0").partition(".")[2])


def heading(name: str, spec: TableSpec, form: str = "") -> str:
    """A column's name in words, with its unit: "Lower limit (%)". No two columns of a table have the same.

    form : how its numbers are shown.
    """
    base = name.removesuffix("_lower").removesuffix(
        "_upper"
    )  # limits have the unit of what they are limits of
    meaning = spec.columns.get(base, spec.columns.get(name, ""))
    return f"{_words(name)}{_unit(meaning, form)}"


def _words(name: str) -> str:
    if name in _HEADINGS:
        return _HEADINGS[name]
    for limit in ("lower", "upper"):
        if name.endswith(f"_{limit}"):
            return f"{_words(name.removesuffix(f'_{limit}'))}, {limit} limit"
    return name.replace("_", " ").capitalize()


def _unit(meaning: str, form: str) -> str:
    if form == PERCENT:
        return " (%)"
    if meaning.endswith("fraction"):
        return " (fraction)"
    return " (per 1,000 residents)" if "per 1,000 residents" in meaning else ""


# ---------------------------------------------------------------- what stands above and before the tables


def _symbols_used(columns: Sequence[Column]) -> str:
    used = [symbol for symbol in SYMBOLS if any(symbol in column.distinct for column in columns)]
    return f"Symbols: {'; '.join(f'{symbol} {SYMBOLS[symbol]}' for symbol in used)}." if used else ""


def _notes_used(released: EquityResult, spec: TableSpec) -> str:
    """The notes that concern a table, by number."""
    concerned = {
        "small numbers": HIDDEN in released.table(spec.name),
        "shares": bool(spec.shares),
        "estimates": bool(spec.estimates),
        "flags": bool({"flag", "flagged", "finding"} & set(spec.columns)),
        "unknown": {"status", "category"} <= set(spec.columns),
    }
    numbers = [number for number, name in enumerate(_note_texts(released), start=1) if concerned[name]]
    return (
        f"Notes, on the sheet {NOTES}: {', '.join(f'[note {each}]' for each in numbers)}." if numbers else ""
    )


def _note_texts(released: EquityResult) -> dict[str, str]:
    """Every note by what it is about, in order."""
    rule = disclosure_rule(released.disclosure)
    rounded = " Crude differences, ratios and rates are worked out from the counts as shown too."
    digits = {
        "estimates": "Other estimates, such as standardised and adjusted ones, keep three digits; their p-values are "
        "written as the next of a few steps."
    }
    return {
        "small numbers": f"Small-number rule: {rule.label}. Source of the rule: {rule.source}.",
        "shares": f"Shares and their limits are worked out from the counts as shown.{rounded}",
        **(digits if rule.hide_up_to else {}),
        "flags": "A flag or a finding is a prompt to look, not proof of unfairness or cause. Not enough data is not "
        "the same as no difference.",
        "unknown": "People of unknown group have rows of their own, told by the column Status.",
    }


def _notes(released: EquityResult) -> Sheet:
    noted = {f"[note {number}]": text for number, text in enumerate(_note_texts(released).values(), start=1)}
    marks = {
        **SYMBOLS,
        CUT_MARK: f"the text was longer than {LABEL_LIMIT} characters, a sentence longer than {SENTENCE_LIMIT}",
        "[U+202E]": "a control or direction character, spelt out by its number",
        **noted,
        **{flag: f"{FLAG_WORDS[flag]}: {meaning}" for flag, meaning in FLAG_MEANINGS.items()},
    }
    return Sheet(
        name=NOTES,
        title="Symbols, notes and states of a flag",
        lines=("This sheet has one table.",),
        columns=(
            _text_column("Symbol, note or state", list(marks)),
            _text_column("Meaning", list(marks.values())),
        ),
    )


def _contents(released: EquityResult, others: Sequence[Sheet]) -> Sheet:
    names = [sheet.name for sheet in others]
    titles = [SPECS[sheet.name].title if sheet.name in SPECS else sheet.title for sheet in others]
    rows: list[str | float] = [sheet.rows for sheet in others]
    without = [name for name in (*released.tables, *MATURITY_TABLES) if name not in names]
    nothing = f"Tables without a row have no sheet: {', '.join(without)}." if without else ""
    return Sheet(
        name=CONTENTS,
        title=f"Contents: {_whose(released)}",
        lines=("This sheet has one table. Each name in the first column leads to its sheet.", nothing),
        columns=(
            _text_column("Sheet", names, links=True),
            _text_column("What it holds", titles),
            Column(heading="Rows", cells=rows, form=WHOLE, distinct=frozenset(rows)),
        ),
    )


def _columns(released: EquityResult, tables: Sequence[Sheet]) -> Sheet:
    """What each column of each table is, the dictionary of the workbook."""
    rows = [
        (sheet.name, column.heading, name, SPECS[sheet.name].columns.get(name, _HIDDEN_MEANING))
        for sheet in tables
        for name, column in zip(_names(released, sheet.name), sheet.columns, strict=True)
    ]
    headings = ("Sheet", "Heading", "Name in the CSV file", "Meaning")
    columns = [
        _text_column(title, cells) for title, cells in zip(headings, zip(*rows, strict=True), strict=True)
    ]
    return Sheet(
        name=COLUMNS,
        title="What each column means",
        lines=(
            "This sheet has one table. Shares are shown in per cent here; in the CSV files they are fractions.",
        ),
        columns=tuple(columns),
    )


def _names(released: EquityResult, table: str) -> list[str]:
    hidden = [HIDDEN] if HIDDEN in released.table(table) else []
    return [*SPECS[table].columns, *hidden]


def _text_column(title: str, cells: Sequence[str], *, links: bool = False) -> Column:
    return Column(heading=title, cells=list(cells), form="", distinct=frozenset(cells), links=links)


def _whose(released: EquityResult) -> str:
    about = released.about
    return ", ".join(filter(None, (visible(about.name), _period(released))))


def _period(released: EquityResult) -> str:
    first, last = day(released.about.period_from), day(released.about.period_to)
    return f"{first} to {last}" if first and last else first or last


def _stamp(released: EquityResult) -> str:
    return "" if disclosure_rule(released.disclosure).hide_up_to else STAMP


# ---------------------------------------------------------------- the cover


def _cover(released: EquityResult, rating: Rating) -> list[tuple[str, tuple[str, ...]]]:
    """Headings of the cover and the lines below each; the first is the title."""
    return [
        (
            f"Health-equity data audit: {visible(released.about.name)}",
            ("The tables of the report, as a workbook.",),
        ),
        ("Data-domain tier", _tier_lines(rating)),
        ("Whom it is about", _about_lines(rating, released)),
        ("Small numbers", _small_number_lines(released)),
        ("How to read it", _reading_lines(released)),
        ("Where things are", _place_lines(released)),
    ]


def _tier_lines(rating: Rating) -> tuple[str, ...]:
    domain, core = rating.data_domain, rating.data_domain.core_criteria
    return (
        f"{domain.tier}. From measured criteria alone: {domain.tier_measured_only}.",
        f"Core criteria of the three data areas: {core.met_measured} met by a measure, {core.met_attested} by an "
        f"attestation, {core.met_shown} by what was kept of runs and of listening; {core.not_met} not met, "
        f"{core.not_assessed} not assessed, {core.not_applicable} not applicable. Not assessed never counts as met.",
    )


def _about_lines(rating: Rating, released: EquityResult) -> tuple[str, ...]:
    about = rating.about
    ages = f"{about.ages[0]} to {about.ages[1]}" if about.ages else ""
    people = count(shown(about.people, about.people is None))
    facts = {
        "Period": _period(released),
        "Areas": ", ".join(about.areas),
        "Ages": ages,
        about.counted.capitalize(): people if rating.intake.rows_read else "no extract was audited",
        "Rated as of": day(about.as_of),
    }
    return tuple(f"{name}: {fact}" for name, fact in facts.items() if fact)


def _small_number_lines(released: EquityResult) -> tuple[str, ...]:
    rule = disclosure_rule(released.disclosure)
    lines = (f"{rule.label}.", f"Source of the rule: {rule.source}.")
    if not rule.hide_up_to:
        return lines
    besides = sum(released.hidden_besides.values())
    alone = f" {count(besides)} rows are hidden for that alone." if besides else ""
    return (
        *lines,
        f"All numbers were audited together: no hidden count can be worked out from the others.{alone}",
    )


def _reading_lines(released: EquityResult) -> tuple[str, ...]:
    return (
        "A flag is a prompt to look, not proof of unfairness or cause. Not enough data is not the same as no "
        "difference.",
        f"Limits are {mark(released.choices['confidence'].value)} limits.",
        *(f"{symbol}: {meaning}." for symbol, meaning in SYMBOLS.items()),
    )


def _place_lines(released: EquityResult) -> tuple[str, ...]:
    return (
        f"{CONTENTS}: the tables, with a link to each. {NOTES}: symbols and notes. {COLUMNS}: what each column means. "
        "Then one sheet a table.",
        f"Made with equitydata {visible(released.about.version)}.",
    )


def _properties(released: EquityResult) -> dict[str, Any]:
    """Properties of the document; its day is the rating's, or the moment of SOURCE_DATE_EPOCH: never the clock's."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    rated = datetime.combine(released.about.as_of, time())
    made = datetime.fromtimestamp(int(epoch), tz=UTC).replace(tzinfo=None) if epoch else rated
    return {
        "title": f"Health-equity data audit: {_whose(released)}",
        "subject": _stamp(released) or "Tables of a health-equity data audit",
        "created": made,
    }
