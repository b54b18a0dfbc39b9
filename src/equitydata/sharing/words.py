"""What the command line says of a shared file: rows, protection, columns and what was lost, from its manifest."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from equitydata.console import WIDTH
from equitydata.written import visible

HIDDEN_NUMBER = "[c]"
IDENTIFIER = "looks like a direct identifier: "
MOST_NAMED = 24


def summary(manifest: Mapping[str, Any]) -> str:
    """A manifest in words, lines of at most WIDTH characters where names allow it."""
    parts = (
        _rows(manifest),
        _protection(manifest),
        _columns(manifest),
        _levels(manifest),
        _left_out(manifest),
        _notes(manifest),
    )
    return "\n".join(line for part in parts for line in part)


def _number(value: Any) -> str:
    return HIDDEN_NUMBER if value is None else f"{value:,}"


def _share(value: Any) -> str:
    return HIDDEN_NUMBER if value is None else f"{value * 100:.0f}%"


def _rows(manifest: Mapping[str, Any]) -> Iterator[str]:
    rows, people = manifest["rows"], manifest["people"]
    left_out = rows["read"] - rows["written"]
    yield f"Rows read {rows['read']:,} = written {rows['written']:,} + left out {left_out:,}"
    for each in rows["left_out"]:
        yield f"  {each['rows']:>9,}  {visible(each['reason'])}"
    if people["counted"] == "people":
        share = manifest["loss"]["people_left_out_share"]
        more = "" if share is None else f" ({share:.1%} left out)"
        yield f"People {_number(people['before'])} in the extract, {_number(people['after'])} in the file{more}"


def _protection(manifest: Mapping[str, Any]) -> Iterator[str]:
    held, people = manifest["protection"], manifest["people"]["counted"]
    yield ""
    over = ", ".join(held["quasi_identifiers_left"])
    if over:
        yield f"OK    {held['k_reached']} {people} or more are alike in {over}"
    else:
        yield f"WARN  no quasi-identifier is left: with k = {held['k_asked']}, the {people} are too few or too varied"
    if held["l_asked"] is not None:
        yield f"OK    {held['l_reached']} values or more in every group of: {', '.join(held['sensitive'])}"
    yield "OK    no direct identifier is left"


def _columns(manifest: Mapping[str, Any]) -> Iterator[str]:
    written = [each for each in manifest["columns"] if each["written"]]
    rows = [(visible(each["column"], 30), visible(each["written"], 60), each["how"]) for each in written]
    heads = ("Column", "Written as")
    widths = [max(len(head), *(len(row[n]) for row in rows), 20) + 2 for n, head in enumerate(heads)]
    yield ""
    for column, names, how in [(*heads, "What was done"), *rows]:
        yield f"{column:<{widths[0]}}{names:<{widths[1]}}{how}".rstrip()
    yield from _dropped(manifest)


def _dropped(manifest: Mapping[str, Any]) -> Iterator[str]:
    """The columns that were left out: identifiers and free text by name, of the others as many as are read."""
    dropped = [each for each in manifest["columns"] if not each["written"]]
    found = {
        each["column"]: each["why"].removeprefix(IDENTIFIER) for each in dropped if IDENTIFIER in each["why"]
    }
    prose = [each["column"] for each in dropped if each["why"] == "free text"]
    others = [each["column"] for each in dropped if each["column"] not in (*found, *prose)]
    named = [f"{visible(column, 40)} ({kind})" for column, kind in found.items()]
    for words, columns in (
        ("Identifiers left out", named),
        ("Free text left out", [visible(column, 40) for column in prose]),
        ("Left out besides" if found or prose else "Left out", [visible(column, 40) for column in others]),
    ):
        more = f" and {len(columns) - MOST_NAMED} more" if len(columns) > MOST_NAMED else ""
        if columns:
            yield from _wrapped(f"{words}: {', '.join(columns[:MOST_NAMED])}{more}.", "  ")


def _levels(manifest: Mapping[str, Any]) -> Iterator[str]:
    levels = manifest["levels"]
    if not levels:
        return
    yield ""
    yield f"{'What was lost of':<34}{'detail lost':>12}{'known before':>14}{'after':>10}{'shares moved':>14}"
    for each in levels:
        known = (_number(each["known_before"]), _number(each["known_after"]))
        moved = "gone" if not each["written"] else _share(each["change"])
        label = visible(each["label"], 32)
        yield f"{label:<34}{_share(each['lost']):>12}{known[0]:>14}{known[1]:>10}{moved:>14}"


def _left_out(manifest: Mapping[str, Any]) -> Iterator[str]:
    blank = manifest["loss"]["blank_cells_share"]
    if blank:
        yield f"Blank for being rare: {blank:.1%} of the filled cells of other columns"


def _notes(manifest: Mapping[str, Any]) -> Iterator[str]:
    pseudonyms = manifest["pseudonyms"]
    yield ""
    for note in manifest["notes"]:
        yield from _wrapped(f"NOTE  {visible(note, 400)}", "      ")
    if pseudonyms is not None and pseudonyms["key_mark"] is None:
        yield from _wrapped(
            "NOTE  The key was one of chance and is gone: pseudonyms of another file will not match. Use --key-file.",
            "      ",
        )
    yield from _wrapped(f"NOTE  {manifest['personal_data']}", "      ")


def _wrapped(words: str, indent: str) -> list[str]:
    return textwrap.wrap(words, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
