"""Bytes -> layout: dirty files are read rightly with a note, or refused with a reason."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.errors import ConfigError, InputError
from equitydata.records.engine import Engine, open_engine
from equitydata.records.extract import Extract, open_extract
from equitydata.records.preflight import clean_names, file_kind, read_layout
from equitydata.records.preflight_excel import check_workbook
from equitydata.records.text_records import find_records
from intake_files import DIRTY_FILES, DirtyFile, hostile_workbooks, text


@pytest.fixture
def engine() -> Iterator[Engine]:
    with open_engine(threads=1, memory_limit="500MB") as opened:
        yield opened


def rows_of(extract: Extract) -> list[tuple[object, ...]]:
    frame = extract.engine.to_frame(extract.table).astype(object)
    return sorted(
        (tuple(None if value != value else value for value in row) for row in frame.to_numpy()), key=repr
    )


@pytest.mark.parametrize("dirty", DIRTY_FILES, ids=str)
def test_a_dirty_file_is_read_rightly_or_refused(dirty: DirtyFile, tmp_path: Path, engine: Engine) -> None:
    path = tmp_path / "extract.csv"
    path.write_bytes(dirty.content)
    if dirty.refused:
        with pytest.raises(InputError) as refusal:
            open_extract(path, engine=engine, **dirty.options)
        assert dirty.refused in str(refusal.value)
        assert "extract.csv" in str(refusal.value) or "no rows" in str(refusal.value)
        return
    extract = open_extract(path, engine=engine, **dirty.options)
    assert extract.columns == dirty.columns
    assert rows_of(extract) == sorted(dirty.rows, key=repr)
    rejected = {each.reason: (each.rows, each.lines) for each in extract.intake.rejections}
    assert rejected == dirty.rejected
    assert any(dirty.note in note for note in extract.intake.notes) or not dirty.note
    assert extract.intake.rows_used == len(dirty.rows)


def test_there_are_at_least_thirty_dirty_files() -> None:
    assert len({each.name for each in DIRTY_FILES}) >= 30


@pytest.mark.parametrize(
    "name", [each.name for each in DIRTY_FILES if each.rows and len(each.content) < 10_000]
)
def test_packing_a_file_changes_nothing_but_its_hash(name: str, tmp_path: Path) -> None:
    dirty = next(each for each in DIRTY_FILES if each.name == name)
    layouts = []
    for file_name, content in (("a.csv", dirty.content), ("a.csv.gz", gzip.compress(dirty.content))):
        (tmp_path / file_name).write_bytes(content)
        layouts.append(read_layout(tmp_path / file_name, **dirty.options))
    plain, packed = layouts
    for same in ("encoding", "delimiter", "header_line", "columns", "lines", "footer_lines", "data_offset"):
        assert getattr(plain, same) == getattr(packed, same)
    assert plain.sha256 != packed.sha256


def test_a_refusal_holds_no_value_of_the_file(tmp_path: Path, engine: Engine) -> None:
    canary = "CANARY7731"
    for dirty in DIRTY_FILES:
        if not dirty.refused or b"," not in dirty.content:
            continue
        path = tmp_path / "extract.csv"
        path.write_bytes(dirty.content.replace(b"001", canary.encode()))
        with pytest.raises(InputError) as refusal:
            open_extract(path, engine=engine)
            raise InputError("read after all", where="extract.csv")
        assert canary not in str(refusal.value)
        assert refusal.value.__cause__ is None


def test_the_kind_of_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "really_text.xlsx"
    path.write_bytes(text("a,b", "1,2"))
    assert file_kind(path) == "text"
    path.write_bytes(b"PAR1....PAR1")
    assert file_kind(path) == "parquet"


@pytest.mark.parametrize("suffix", [".pkl", ".pickle", ".joblib", ".py", ".rds"])
def test_a_program_or_pickle_is_refused_unopened(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"extract{suffix}"
    path.write_bytes(text("a,b", "1,2"))
    path.chmod(0)
    with pytest.raises(InputError, match="cannot be read"):
        file_kind(path)


def test_a_layout_names_lines_and_never_values(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text("Report", "", "person,sex", "001,1", "Total,9", end="\r\n"))
    layout = read_layout(path)
    assert (layout.encoding, layout.has_bom, layout.delimiter, layout.quote) == ("utf-8", False, ",", '"')
    assert (layout.header_line, layout.columns) == (3, ("person", "sex"))
    assert (layout.preamble_lines, layout.footer_lines, layout.lines) == ((1,), (5,), 5)


def test_an_unknown_encoding_or_delimiter_is_a_config_error(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text("a,b", "1,2"))
    with pytest.raises(ConfigError, match="utf-99"):
        read_layout(path, encoding="utf-99")
    with pytest.raises(ConfigError, match="one plain character"):
        read_layout(path, delimiter="::")
    with pytest.raises(InputError, match="Line 9 is not a header"):
        read_layout(path, header_row=9)


def test_names_are_unique_whatever_comes() -> None:
    names, notes = clean_names(["a", "A", "a", "a_2", "", " ", "a"])
    assert len({name.casefold() for name in names}) == 7
    assert names[:2] == ("a", "A_2")
    assert len(notes) == 6


@given(st.lists(st.text(max_size=6), min_size=1, max_size=12))
def test_any_names_become_unique_and_filled(raw: list[str]) -> None:
    names, _ = clean_names(raw)
    assert len({name.casefold() for name in names}) == len(raw)
    assert all(name.strip() for name in names)


# ---------------------------------------------------------------- records in bytes


def split_by_hand(block: str) -> list[tuple[int, int, int, bool]]:
    """Character by character: (end, first line, fields, text after a closing quote) of each record."""
    records, state, fields, line, first_line, junk = [], "start", 1, 1, 1, False
    for place, letter in enumerate(block):
        following = block[place + 1 : place + 2]
        ends_line = letter == "\n" or (letter == "\r" and following != "\n")
        if state in ("quoted", "doubled"):
            if state == "doubled":
                state = "quoted"
            elif letter == '"':
                state = "doubled" if following == '"' else "closed"
        elif letter == ",":
            fields, state = fields + 1, "start"
        elif ends_line:
            records.append((place + 1, first_line, fields, junk))
            fields, state, junk, first_line = 1, "start", False, line + 1
        elif letter == '"' and state == "start":
            state = "quoted"
        elif letter != "\r" or following != "\n":
            junk |= state == "closed"
            state = "text"
        line += ends_line
    return records


@settings(max_examples=500)
@given(st.lists(st.sampled_from(["a", '"', ",", "\n", "\r\n", "\r", '""', '","', "é"]), max_size=30))
def test_records_are_found_as_a_reader_by_hand_finds_them(pieces: list[str]) -> None:
    block = "".join(pieces).replace("é", "e") + "\n"
    found = find_records(block.encode(), delimiter=",", first_line=1)
    by_hand = split_by_hand(block)
    assert (
        list(
            zip(
                found.end.tolist(),
                found.line.tolist(),
                found.fields.tolist(),
                found.unfinished_quote.tolist(),
                strict=True,
            )
        )
        == by_hand
    )
    assert np.all(found.start[1:] == found.end[:-1])


# ---------------------------------------------------------------- hostile workbooks


@pytest.mark.parametrize("name", list(hostile_workbooks()))
def test_a_hostile_workbook_is_refused_in_a_moment(name: str, tmp_path: Path, engine: Engine) -> None:
    content, why = hostile_workbooks()[name]
    path = tmp_path / "book.xlsx"
    path.write_bytes(content)
    started = time.perf_counter()
    with pytest.raises(InputError, match=why):
        open_extract(path, engine=engine)
    assert time.perf_counter() - started < 2


def test_a_part_that_unpacks_to_more_than_it_says_is_refused(tmp_path: Path) -> None:
    content, _ = hostile_workbooks()["zip bomb"]
    size = (80 * 1024**2).to_bytes(4, "little")
    path = tmp_path / "book.xlsx"
    path.write_bytes(content.replace(size, (1000).to_bytes(4, "little")))
    with pytest.raises(InputError, match="damaged"):
        check_workbook(path)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_flipped_byte_gives_a_result_or_an_input_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("flip", numbered=True)
    content = bytearray(text("person,sex,site", "001,1,A", '002,2,"B, C"', "003,1,Siân", "004,2,"))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    path = folder / "extract.csv"
    path.write_bytes(bytes(content))
    with open_engine(threads=1) as engine:
        try:
            extract = open_extract(path, engine=engine)
        except InputError:
            return
        assert engine.count(extract.table) == extract.intake.rows_used
