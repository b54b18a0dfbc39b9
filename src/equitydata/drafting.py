"""A first service file, written from what an extract seems to be; every guess carries a comment."""

from __future__ import annotations

import calendar
import textwrap
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from equitydata.records.databases import is_address
from equitydata.records.engine import open_engine
from equitydata.records.extract import open_extract
from equitydata.records.profile import Guess, GuessedField, guess_columns
from equitydata.rulebook import characteristics

SURE = 0.95
# A longer suggestion is an explanation, which `equitydata check` gives.
LONGEST_LABEL = 60
MOST_UNUSED = 60
LINE_LENGTH = 110
# Endings of file names that say nothing about a service.
SUFFIXES = (".gz", ".csv", ".tsv", ".txt", ".psv", ".xlsx", ".xlsm", ".parquet")


def draft_service(
    extract: Any, *, name: str = "", path: str = "", sheet: str | None = None, table: str | None = None
) -> str:
    """The text of a service file for an extract.

    extract : path, database address, data frame or table. name : of the service.
    path : how the file names the extract. A database address is never written, as it may hold a password.
    Returns TOML that `load_service` reads; guesses and gaps stand in comments.
    Raises InputError where the extract cannot be read.
    """
    with open_engine() as engine:
        opened = open_extract(extract, engine=engine, sheet=sheet, table=table)
        guess = guess_columns(opened, engine)
        columns = opened.columns
    address = isinstance(extract, str) and is_address(extract)
    where = _where(path, sheet, table, address=address)
    parts = [_head(), _service(guess, name or _title(path)), _extract(guess, where), _fields(guess.fields)]
    parts += [_unused(guess, columns), _measures(), _attestations()]
    return "\n".join(parts)


def quoted(text: str) -> str:
    """A TOML string, whatever the text holds."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def _title(path: str) -> str:
    """A name for the service from the name of its file: "clinic_contacts.csv.gz" -> "clinic contacts"."""
    title = Path(path).name
    for suffix in SUFFIXES:
        title = title.removesuffix(suffix)
    return title.replace("_", " ").strip() or "Unnamed service"


def _head() -> str:
    return (
        "# Written by `equitydata init` from the columns and values of the extract.\n"
        "# Lines marked GUESS deserve a look; then run `equitydata check` on this file.\n"
    )


def _service(guess: Guess, name: str) -> str:
    lines = [
        "[service]",
        f"name = {quoted(name)}",
        'level = "service"                     # or "organisation"',
    ]
    if guess.area:
        lines.append(
            f"area = [{quoted(guess.area)}]               # GUESS: {guess.area_name}, "
            f"where {guess.area_share:.0%} of the records with an area code live"
        )
    else:
        lines.append(
            '# area = ["E09000025"]               # whom it serves: codes or names of local authorities'
        )
    lines.append("# ages = [18, 120]                    # who is eligible")
    if guess.first and guess.last:
        first, last = guess.first.replace(day=1), _month_end(guess.last)
        lines.append(
            f"# period = {{ from = {first}, to = {last} }}   # the dates of the extract lie inside these months"
        )
    else:
        lines.append("# period = { from = 2025-04-01, to = 2026-03-31 }")
    return "\n".join(lines) + "\n"


def _month_end(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def _where(path: str, sheet: str | None, table: str | None, *, address: bool) -> list[str]:
    """The lines that say where the records are."""
    lines = [f"path = {quoted(path)}"] if path else []
    if address:
        lines.append(
            '# url = "..."   # the database address; a password belongs in the environment, not here'
        )
    return lines + [
        f"{key} = {quoted(value)}" for key, value in (("sheet", sheet), ("table", table)) if value
    ]


def _extract(guess: Guess, where: Sequence[str]) -> str:
    lines = ["[extract]", *where]
    meaning = {
        "person": "tells people apart; a pseudonym is enough",
        "date": "date of the contact",
        "record": "tells records apart",
        "point_of_care": "setting or step where a value can be checked again",
        "site": "place",
    }
    for role, words in meaning.items():
        column = getattr(guess, role)
        if column:
            lines.append(f"{role} = {quoted(column)}   # GUESS: {words}")
        else:
            lines.append(f'# {role} = "..."   # {words}; no column looked like it')
    copies = (
        f"{guess.duplicates:,} {'row is an exact copy' if guess.duplicates == 1 else 'rows are exact copies'}"
    )
    if guess.duplicates and guess.person:
        lines.append(f'duplicates = "drop"   # {copies} of another')
    elif guess.duplicates:
        lines.append(f'duplicates = "keep"   # {copies} of another; without a person column they may be real')
    else:
        lines.append('duplicates = "keep"   # no row is an exact copy of another')
    lines.append('# exclude = [{ column = "test_patient", in = ["Y"] }]   # rows that concern no patient')
    return "\n".join(lines) + "\n"


def _fields(fields: Sequence[GuessedField]) -> str:
    return "\n".join(_field(field) for field in fields)


def _field(field: GuessedField) -> str:
    label = characteristics()[field.name].label
    sure = "" if field.share >= SURE else "GUESS: "
    lines = [
        f"[characteristics.{field.name}]   # {label}",
        f"column = {quoted(field.column)}   # {sure}{field.share:.1%} of the filled values can be read",
    ]
    if field.code_list:
        lines.append(f"code_list = {quoted(field.code_list)}")
    if field.observed:
        lines.append(
            f"observed = {quoted(field.observed)}   # GUESS: the same as seen by an observer; only compared"
        )
    if field.recorded:
        lines.append(f"recorded = {quoted(field.recorded)}   # GUESS: the day the value was recorded")
    if field.source:
        own = ", ".join(map(quoted, field.self_reported))
        others = ", ".join(map(quoted, field.proxy))
        lines.append(
            f"source = {{ column = {quoted(field.source)}, self_reported = [{own}], proxy = [{others}] }}   # GUESS"
        )
    elif characteristics()[field.name].core:
        named = "GUESS: the column's name says that the person said it" if field.named_self_reported else ""
        words = (
            f"{named}; uncomment if so" if named else "where every value of this column came from the person"
        )
        lines.append(f"# self_reported = true   # {words}")
    if field.unmatched:
        lines += [
            "",
            "# Values that no list knows. Say what they mean, as a category or a status, and uncomment:",
        ]
        lines.append(f"# [characteristics.{field.name}.map]")
        for value, records, near in field.unmatched:
            nearest = f"; {near}" if near and len(near) <= LONGEST_LABEL else ""
            lines.append(f'# {quoted(value)} = ""   # {records:,} records{nearest}')
    return "\n".join(lines) + "\n"


def _unused(guess: Guess, columns: Sequence[str]) -> str:
    used = {guess.person, guess.record, guess.date, guess.point_of_care, guess.site}
    for field in guess.fields:
        used |= {field.column, field.source, field.recorded, field.observed}
    left = [column for column in columns if column not in used]
    if not left:
        return ""
    shown = ", ".join(commented(column) for column in left[:MOST_UNUSED])
    more = f" and {len(left) - MOST_UNUSED} more" if len(left) > MOST_UNUSED else ""
    lines = textwrap.wrap(
        shown + more, LINE_LENGTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )
    return "\n".join(["# Columns that are not used:", *lines]) + "\n"


def commented(text: str) -> str:
    """Text that cannot end the comment that it stands in, whatever it holds."""
    return text if text.isprintable() else quoted(text)


def _measures() -> str:
    return (
        "# Outcomes are stratified by the characteristics above. One table each, for example:\n"
        "# [measures.did_not_attend]\n"
        '# label = "Did not attend"\n'
        '# kind = "access"                      # access uptake experience outcome safety quality prevalence\n'
        '# denominator = { column = "attendance", in = ["5", "6", "3", "7"] }\n'
        '# numerator = { column = "attendance", in = ["3", "7"] }\n'
        '# polarity = "adverse"\n'
    )


def _attestations() -> str:
    return (
        "# What no extract can show; `equitydata criteria` lists the criteria. For example:\n"
        "# [attestations]\n"
        '# S-QUAN-F8 = { met = true, evidence = "Privacy notice", owner = "Service manager", date = 2026-01-12 }\n'
    )
