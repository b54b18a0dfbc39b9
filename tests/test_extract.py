"""Whatever holds the records gives the same table, and every row that came in is accounted for."""

from __future__ import annotations

import csv
import datetime as dt
import io
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from equitydata.errors import ConfigError, EquityDataError, InputError
from equitydata.records import engine as engine_module
from equitydata.records import extract as extract_module
from equitydata.records import text_stream
from equitydata.records.engine import Engine, open_engine, sweep_spill_folders
from equitydata.records.extract import (
    Extract,
    count_duplicates,
    drop_duplicates,
    open_extract,
    reject_rows,
)
from intake_files import DIRTY_FILES, text, workbook

PEOPLE = pd.DataFrame(
    {
        "person": ["001", "002", "003", "004"],
        "ethnic category": ["A", None, "Z", "99"],
        "Site": ["North, east", 'The "Hub"', "Siân's", " x "],
    }
)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with open_engine(threads=2, memory_limit="500MB") as opened:
        yield opened


def rows_of(extract: Extract) -> list[tuple[Any, ...]]:
    frame = extract.engine.to_frame(extract.table).astype(object)
    rows = [tuple(None if value != value else value for value in row) for row in frame.to_numpy()]
    return sorted(rows, key=repr)


EXPECTED = sorted(
    (tuple(None if value != value else value for value in row) for row in PEOPLE.astype(object).to_numpy()),
    key=repr,
)


def as_sqlite(frame: pd.DataFrame, path: Path, table: str) -> None:
    with sqlite3.connect(path) as connection:
        frame.to_sql(table, connection, index=False)
    connection.close()


def as_duckdb(frame: pd.DataFrame, path: Path, table: str) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.register("frame", frame)
        name = table.replace('"', '""')
        connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM frame')


# ---------------------------------------------------------------- every kind of source


def sources(folder: Path) -> dict[str, tuple[Any, dict[str, Any]]]:
    PEOPLE.to_csv(folder / "a.csv", index=False)
    PEOPLE.to_csv(folder / "a.csv.gz", index=False)
    PEOPLE.to_csv(folder / "a.tsv", index=False, sep="\t", encoding="utf-16")
    PEOPLE.to_parquet(folder / "a[1].parquet", index=False)
    (folder / "parts").mkdir()
    PEOPLE[:2].to_csv(folder / "parts" / "p1.csv", index=False)
    PEOPLE[2:][["Site", "person", "ethnic category"]].to_csv(folder / "parts" / "p2.csv", index=False)
    cells = [list(PEOPLE.columns), *PEOPLE.astype(object).where(PEOPLE.notna(), None).to_numpy().tolist()]
    workbook(folder / "a.xlsx", {"Data": cells, "Notes": [["x"]]}, hidden=("Notes",))
    as_sqlite(PEOPLE, folder / "a.sqlite", "people")
    as_duckdb(PEOPLE, folder / "a.duckdb", "people")
    return {
        "path": (folder / "a.csv", {}),
        "path as text": (str(folder / "a.csv"), {}),
        "gzip": (folder / "a.csv.gz", {}),
        "utf-16 tabs": (folder / "a.tsv", {}),
        "folder": (folder / "parts", {}),
        "glob": (str(folder / "parts" / "*.csv"), {}),
        "list": ([folder / "parts" / "p2.csv", folder / "parts" / "p1.csv"], {}),
        "excel": (folder / "a.xlsx", {}),
        "excel sheet": (folder / "a.xlsx", {"sheet": "Data"}),
        "parquet": (folder / "a[1].parquet", {}),
        "pandas": (PEOPLE, {}),
        "pandas categories": (PEOPLE.astype("category"), {}),
        "pandas arrow types": (PEOPLE.convert_dtypes(dtype_backend="pyarrow"), {}),
        "pandas with an index": (PEOPLE.set_axis(["x", "x", "y", "z"]), {}),
        "polars": (pl.from_pandas(PEOPLE), {}),
        "polars lazy": (pl.from_pandas(PEOPLE).lazy(), {}),
        "pyarrow": (pa.Table.from_pandas(PEOPLE), {}),
        "record batch": (pa.RecordBatch.from_pandas(PEOPLE), {}),
        "sqlite": (f"sqlite:///{folder}/a.sqlite", {"table": "people"}),
        "duckdb": (f"duckdb:///{folder}/a.duckdb", {}),
    }


SOURCE_NAMES = [
    "path", "path as text", "gzip", "utf-16 tabs", "folder", "glob", "list", "excel", "excel sheet",
    "parquet",
    "pandas", "pandas categories", "pandas arrow types", "pandas with an index", "polars", "polars lazy",
    "pyarrow", "record batch", "sqlite", "duckdb",
]  # fmt: skip


@pytest.mark.parametrize("name", SOURCE_NAMES)
def test_every_kind_of_source_gives_the_same_table(name: str, tmp_path: Path, engine: Engine) -> None:
    source, options = sources(tmp_path)[name]
    extract = open_extract(source, engine=engine, **options)
    frame = extract.engine.to_frame(extract.table[list(PEOPLE.columns)]).astype(object)
    rows = [tuple(None if value != value else value for value in row) for row in frame.to_numpy()]
    assert sorted(rows, key=repr) == EXPECTED
    assert (extract.intake.rows_read, extract.intake.rows_used) == (4, 4)


def test_every_source_is_tried(tmp_path: Path) -> None:
    assert list(sources(tmp_path)) == SOURCE_NAMES


def test_an_ibis_table_stays_in_its_own_connection(engine: Engine) -> None:
    connection = ibis.duckdb.connect()
    connection.con.execute("CREATE TABLE people AS SELECT '001' AS person, 5 AS n UNION ALL SELECT '001', 5")
    with engine:
        extract = open_extract(connection.table("people"), engine=engine)
        assert extract.engine is not engine
        assert extract.intake.rows_read == 2
        assert rows_of(drop_duplicates(extract)) == [("001", 5)]
    assert connection.table("people").count().execute() == 2
    assert [row[0] for row in connection.con.execute("SHOW TABLES").fetchall()] == ["people"]


def test_what_is_passed_is_not_changed(engine: Engine) -> None:
    frame = PEOPLE.copy()
    extract = open_extract(frame, engine=engine)
    drop_duplicates(reject_rows(extract, {"one": extract.table["person"] == "001"}))
    pd.testing.assert_frame_equal(frame, PEOPLE)


def test_only_the_columns_asked_for_are_read(tmp_path: Path, engine: Engine) -> None:
    for name, (source, options) in sources(tmp_path).items():
        extract = open_extract(source, engine=engine, columns=["Site", "person"], **options)
        assert set(extract.columns) == {"person", "Site"}, name
    with pytest.raises(InputError, match="Did you mean 'person'"):
        open_extract(tmp_path / "a.csv", engine=engine, columns=["persom"])


# ---------------------------------------------------------------- round trip


CELL = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\r\t"), max_size=8)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cells=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    block=st.integers(1, 40),
)
def test_what_csv_writes_comes_back_as_it_was(
    cells: list[tuple[str, str]],
    encoding: str,
    quoting: Any,
    delimiter: str,
    block: int,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=quoting, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(["key", "first", "second", "last"])
    rows = [(f"k{number}", *pair, "end") for number, pair in enumerate(cells)]
    writer.writerows(rows)
    path = tmp_path_factory.mktemp("round") / "extract.csv"
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    path.write_bytes((mark + buffer.getvalue()).encode(encoding))
    monkeypatch.setattr(text_stream, "BLOCK_BYTES", block)
    with open_engine(threads=1) as engine:
        extract = open_extract(path, engine=engine)
        got = rows_of(extract)
    assert got == sorted((tuple(cell or None for cell in row) for row in rows), key=repr)
    assert extract.intake.rows_read == len(rows)
    assert not extract.intake.rejections


@pytest.mark.parametrize("block", [1, 2, 3, 5, 8, 13])
def test_blocks_may_be_cut_anywhere(
    block: int, tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_stream, "BLOCK_BYTES", block)
    for dirty in DIRTY_FILES:
        if not dirty.rows or len(dirty.content) > 1000:
            continue
        path = tmp_path / "extract.csv"
        path.write_bytes(dirty.content)
        extract = open_extract(path, engine=engine, **dirty.options)
        assert rows_of(extract) == sorted(dirty.rows, key=repr), dirty.name
        rejected = {each.reason: (each.rows, each.lines) for each in extract.intake.rejections}
        assert rejected == dirty.rejected, dirty.name


USED = {"1,2,3": True, '"a,b",2,3': True, '"a\nb",2,3': True, "1,2": False, "1,2,3,4": False, "": False}
USED |= {",,": False, '"x"y,2,3': False, "Total,9,9": True}


@settings(max_examples=60, deadline=None)
@given(lines=st.lists(st.sampled_from(list(USED)), max_size=10))
def test_rows_read_are_rows_used_and_rejected(
    lines: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "extract.csv"
    path.write_bytes(text("person,sex,site", *["p,q,r"] * 30, *lines))
    with open_engine(threads=1) as engine:
        extract = open_extract(path, engine=engine)
        held = engine.count(extract.table)
    # A total is a total at the very end; higher up it is a row like any other.
    body = list(lines)
    while body and body[-1] in ("Total,9,9", "", ",,"):
        body.pop()
    assert held == extract.intake.rows_used == 30 + sum(USED[line] for line in body)
    assert extract.intake.rows_read == 30 + len(lines)
    assert extract.intake.rows_rejected == sum(each.rows for each in extract.intake.rejections)


# ---------------------------------------------------------------- damage


def test_stop_names_the_first_five_damaged_lines(tmp_path: Path, engine: Engine) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text("person,sex,site", *["002,2"] * 7, "", *["003,1,C"] * 9))
    with pytest.raises(InputError) as refusal:
        open_extract(path, engine=engine, on_bad_rows="stop")
    shown = str(refusal.value)
    assert all(f"line {line}: line has 2 fields" in shown for line in range(2, 7))
    assert "line 7:" not in shown
    with pytest.raises(ConfigError, match="Did you mean 'stop'"):
        open_extract(path, engine=engine, on_bad_rows="stopp")


def test_stop_does_not_mind_blank_lines_and_totals(tmp_path: Path, engine: Engine) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text("person,sex,site", "001,1,A", "", "Total,1,"))
    intake = open_extract(path, engine=engine, on_bad_rows="stop").intake
    assert (intake.rows_read, intake.rows_used) == (3, 1)


def test_very_many_kinds_of_damage_share_one_reason(tmp_path: Path, engine: Engine) -> None:
    path = tmp_path / "a.csv"
    good = ["001,1,A"] * 60
    path.write_bytes(text("person,sex,site", *good, *["x" + ",x" * number for number in range(3, 40)]))
    intake = open_extract(path, engine=engine).intake
    assert len(intake.rejections) <= 11
    assert intake.rows_rejected == 37


# ---------------------------------------------------------------- several files


def test_several_files_need_the_same_columns(tmp_path: Path, engine: Engine) -> None:
    (tmp_path / "a.csv").write_bytes(text("person,sex", "001,1"))
    (tmp_path / "b.csv").write_bytes(text("person,gender", "002,2"))
    with pytest.raises(
        InputError, match=r"'b.csv' lacks 'sex' and has 'gender' besides, compared with 'a.csv'"
    ):
        open_extract(tmp_path, engine=engine)


def test_several_files_keep_their_ledgers_apart(tmp_path: Path, engine: Engine) -> None:
    (tmp_path / "a.csv").write_bytes(text("person,sex", "001,1", "002"))
    (tmp_path / "b.csv").write_bytes(text("sex;person", "1;003"))
    (tmp_path / "c.csv").write_bytes(text("person,sex"))
    (tmp_path / "readme.md").write_bytes(b"hello")
    (tmp_path / "~$a.xlsx").write_bytes(b"lock")
    extract = open_extract(tmp_path, engine=engine)
    intake = extract.intake
    assert rows_of(extract) == [("001", "1"), ("003", "1")]
    assert [(each.reason, each.rows, each.lines) for each in intake.rejections] == [
        ("line has 1 field, the header has 2 [a.csv]", 1, (3,))
    ]
    assert [(file.name, file.delimiter) for file in intake.files] == [
        ("a.csv", ","),
        ("b.csv", ";"),
        ("c.csv", ","),
    ]
    assert "c.csv: no rows below the header" in intake.notes
    assert "1 other file(s) in the folder were passed over" in intake.notes


def test_the_same_file_twice_is_refused(tmp_path: Path, engine: Engine) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes(text("person,sex", "001,1"))
    with pytest.raises(InputError, match=r"'a.csv' and 'b.csv' are the same file"):
        open_extract(tmp_path, engine=engine)
    with pytest.raises(InputError, match=r"'a.csv' is named twice"):
        open_extract([tmp_path / "a.csv", tmp_path / "." / "a.csv"], engine=engine)


def test_a_missing_path_gets_the_nearest_name(tmp_path: Path, engine: Engine) -> None:
    (tmp_path / "contacts.csv").write_bytes(text("person,sex", "001,1"))
    with pytest.raises(InputError, match=r"Did you mean 'contacts.csv'"):
        open_extract(tmp_path / "contact.csv", engine=engine)
    with pytest.raises(InputError, match="does not exist either"):
        open_extract(tmp_path / "nowhere" / "contact.csv", engine=engine)
    with pytest.raises(InputError, match="No file matches"):
        open_extract(str(tmp_path / "*.parquet"), engine=engine)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no data files"):
        open_extract(tmp_path / "empty", engine=engine)
    with pytest.raises(InputError, match="list of files is empty"):
        open_extract([], engine=engine)


def test_parquet_files_of_different_types_are_read_as_text(tmp_path: Path, engine: Engine) -> None:
    pd.DataFrame({"person": ["001"], "n": [1]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"n": ["x"], "person": ["002"]}).to_parquet(tmp_path / "b.parquet")
    extract = open_extract(tmp_path, engine=engine)
    assert rows_of(extract) == [("001", "1"), ("002", "x")]
    assert extract.intake.notes == ("'n' has different types in different files: read as text",)
    (tmp_path / "c.csv").write_bytes(text("person,n", "003,1"))
    with pytest.raises(InputError, match=r"'c.csv' is not Parquet"):
        open_extract(tmp_path, engine=engine)


def test_parquet_keeps_its_types(tmp_path: Path, engine: Engine) -> None:
    frame = pd.DataFrame({"n": [1, 2], "day": pd.to_datetime(["2025-04-01", None]), "flag": [True, False]})
    frame.to_parquet(tmp_path / "a.parquet")
    extract = open_extract(tmp_path / "a.parquet", engine=engine)
    types = {name: str(kind) for name, kind in extract.table.schema().items()}
    assert (types["n"], types["flag"]) == ("int64", "boolean")
    assert types["day"].startswith("timestamp")


# ---------------------------------------------------------------- Excel


def test_cells_of_a_sheet_read_as_a_csv_export_would(tmp_path: Path, engine: Engine) -> None:
    path = workbook(
        tmp_path / "a.xlsx",
        {
            "Data": [
                ["Community service"],
                [],
                ["person", "day", "seen", "n", "flag"],
                ["0001", dt.date(2025, 4, 1), dt.datetime(2025, 4, 1, 10, 30), 9434765919, True],
                [],
                ["2", None, None, 1.5, False],
                ["Total", None, None, 2, None],
            ]
        },
    )
    extract = open_extract(path, engine=engine)
    assert extract.columns == ("person", "day", "seen", "n", "flag")
    assert rows_of(extract) == [
        ("0001", "2025-04-01", "2025-04-01 10:30:00", "9434765919", "TRUE"),
        ("2", None, None, "1.5", "FALSE"),
    ]
    rejected = {each.reason: each.lines for each in extract.intake.rejections}
    assert rejected == {"blank line": (5,), "total or note row below the table": (7,)}
    assert (extract.intake.files[0].header_line, extract.intake.files[0].sheet) == (3, "Data")


def test_one_of_several_sheets_must_be_named(tmp_path: Path, engine: Engine) -> None:
    path = workbook(
        tmp_path / "a.xlsx",
        {"People": [["a", "b"], ["x", "y"]], "Notes": [["c", "d"], ["1", "2"]], "Empty": []},
    )
    with pytest.raises(InputError, match="3 visible sheets: 'People', 'Notes', 'Empty'"):
        open_extract(path, engine=engine)
    assert open_extract(path, engine=engine, sheet="Notes").columns == ("c", "d")
    with pytest.raises(InputError, match="Did you mean 'People'"):
        open_extract(path, engine=engine, sheet="Peopel")
    with pytest.raises(InputError, match="The sheet 'Empty' is empty"):
        open_extract(path, engine=engine, sheet="Empty")


def test_a_long_sheet_is_read_in_parts(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("equitydata.records.excel_reader.BATCH_ROWS", 30)
    rows = [[f"p{number}", number] for number in range(100)]
    path = workbook(tmp_path / "a.xlsx", {"Data": [["person", "n"], *rows, ["Total", 4950]]})
    extract = open_extract(path, engine=engine)
    assert Counter(rows_of(extract)) == Counter((person, str(n)) for person, n in rows)
    assert extract.intake.rejections[0].lines == (102,)


# ---------------------------------------------------------------- tables in memory


def test_odd_frames_give_a_table_or_an_input_error(engine: Engine) -> None:
    frame = pd.DataFrame(
        {
            0: [1, "a", None],
            "big": [2**63, 1, 2],
            "huge": [2**80, 1, 2],
            "inf": [float("inf"), float("-inf"), float("nan")],
            "none": [None, None, None],
            "when": [dt.date(1900, 1, 1), dt.date(9999, 12, 31), None],
            "period": pd.period_range("2025-04", periods=3, freq="M"),
            "nullable": pd.array([1, None, 3], dtype="Int64"),
            "complex": [1 + 2j, 0, 0],
            "half": pd.Series([1, 2, 3], dtype="float16"),
        }
    )
    extract = open_extract(frame, engine=engine)
    assert extract.columns[0] == "0"
    assert extract.intake.rows_used == 3
    held = engine.to_frame(extract.table)
    assert held["0"].tolist()[:2] == ["1", "a"]
    assert sorted(held["period"]) == ["2025-04", "2025-05", "2025-06"]
    assert any("'0' holds values of different kinds" in note for note in extract.intake.notes)


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "'a' more than once"),
        (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "several levels"),
        (pd.DataFrame(), "no columns"),
        (pd.DataFrame({"a": []}), "no rows"),
        (pa.table([[1], [2]], names=["a", "a"]), "'a' more than once"),
        (12, "cannot be read from a int"),
        ([1, 2], "cannot be read from a list"),
        (pl.Series([1]), "polars table is needed"),
    ],
)
def test_a_frame_that_is_no_table_is_refused(frame: Any, why: str, engine: Engine) -> None:
    with pytest.raises(InputError, match=why):
        open_extract(frame, engine=engine)


def test_names_that_differ_in_capitals_alone_are_kept_apart(engine: Engine) -> None:
    extract = open_extract(pd.DataFrame({"Age": [1], "age": [2]}), engine=engine)
    assert extract.columns == ("Age", "age_2")
    assert rows_of(extract) == [(1, 2)]


def test_files_need_an_engine_of_their_own(tmp_path: Path) -> None:
    foreign = Engine(ibis.duckdb.connect())
    with pytest.raises(ConfigError, match="engine of their own"):
        open_extract(PEOPLE, engine=foreign)


# ---------------------------------------------------------------- databases


NASTY = [
    "x; DROP TABLE people--",
    'a"b',
    "a'b",
    "[brackets]",
    "two words",
    "sélect",
    "select",
    "a.b",
    "%s",
    "{x}",
]


@pytest.mark.parametrize("name", NASTY)
def test_table_and_column_names_are_names_and_nothing_else(name: str, tmp_path: Path, engine: Engine) -> None:
    frame = pd.DataFrame({name: ["001", "002"], "person": ["a", "b"]})
    as_sqlite(frame, tmp_path / "a.sqlite", name)
    as_duckdb(frame, tmp_path / "a.duckdb", name)
    for kind in ("sqlite", "duckdb"):
        extract = open_extract(f"{kind}:///{tmp_path}/a.{kind}", engine=engine, table=name)
        assert rows_of(extract) == [("001", "a"), ("002", "b")]
        assert count_duplicates(extract) == 0
        again = open_extract(f"{kind}:///{tmp_path}/a.{kind}", engine=engine)
        assert again.intake.rows_read == 2


def test_an_unknown_table_gets_the_nearest_name(tmp_path: Path, engine: Engine) -> None:
    for kind, write in (("sqlite", as_sqlite), ("duckdb", as_duckdb)):
        write(PEOPLE, tmp_path / f"a.{kind}", "people")
        write(PEOPLE, tmp_path / f"a.{kind}", "sites")
        address = f"{kind}:///{tmp_path}/a.{kind}"
        with pytest.raises(InputError, match="Did you mean 'people'"):
            open_extract(address, engine=engine, table="poeple")
        with pytest.raises(ConfigError, match="Available: people, sites"):
            open_extract(address, engine=engine)
        with pytest.raises(InputError, match=f"Did you mean 'a.{kind}'"):
            open_extract(f"{kind}:///{tmp_path}/b.{kind}", engine=engine)


def test_a_database_is_opened_for_reading_alone(tmp_path: Path, engine: Engine) -> None:
    as_duckdb(PEOPLE, tmp_path / "a.duckdb", "people")
    before = (tmp_path / "a.duckdb").read_bytes()
    extract = open_extract(f"duckdb:///{tmp_path}/a.duckdb", engine=engine)
    drop_duplicates(extract)
    engine.close()
    assert (tmp_path / "a.duckdb").read_bytes() == before


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "mysql", "mssql", "nosuch"])
def test_an_address_with_a_password_is_never_shown(scheme: str, engine: Engine) -> None:
    with pytest.raises(EquityDataError) as refusal:
        open_extract(f"{scheme}://someone:hunter2@db.invalid/x", engine=engine, table="people")
    assert "hunter2" not in str(refusal.value)
    assert "db.invalid" not in str(refusal.value)
    assert refusal.value.__suppress_context__


@pytest.mark.parametrize(
    "address", ["https://example.invalid/a.csv", "s3://bucket/a.parquet", "file:///a.csv"]
)
def test_nothing_is_fetched(address: str, engine: Engine) -> None:
    with pytest.raises(ConfigError, match="Nothing is fetched"):
        open_extract(address, engine=engine)


def test_a_damaged_database_or_parquet_file_is_refused(tmp_path: Path, engine: Engine) -> None:
    as_sqlite(PEOPLE, tmp_path / "a.sqlite", "people")
    as_duckdb(PEOPLE, tmp_path / "a.duckdb", "people")
    PEOPLE.to_parquet(tmp_path / "a.parquet")
    for name in ("a.sqlite", "a.duckdb", "a.parquet"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        kind = name.partition(".")[2]
        source = tmp_path / name if kind == "parquet" else f"{kind}:///{tmp_path}/{name}"
        with pytest.raises(InputError):
            open_extract(source, engine=engine)


# ---------------------------------------------------------------- rejecting rows and copies


def test_a_row_is_rejected_once_under_the_first_reason(engine: Engine) -> None:
    extract = open_extract(
        pd.DataFrame({"n": [1, 2, 3, 4, None], "k": ["a", "b", None, "b", "a"]}), engine=engine
    )
    table = extract.table
    kept = reject_rows(
        extract, {"large": table.n > 2, "never": table.n > 9, "b": table.k == "b", "null": table.n.isnull()}
    )
    assert [(each.reason, each.rows) for each in kept.intake.rejections] == [
        ("large", 2),
        ("b", 1),
        ("null", 1),
    ]
    assert rows_of(kept) == [(1.0, "a")]
    assert (kept.intake.rows_read, kept.intake.rows_used) == (5, 1)
    assert extract.intake.rejections == ()
    assert reject_rows(extract, {}) is extract
    assert reject_rows(extract, {"never": table.n > 9}) is extract


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["a", "b", "", None]), st.sampled_from([1, 2, None])),
        min_size=1,
        max_size=30,
    ),
    hashes=st.sampled_from([1, 2, 1_000_000]),
)
def test_exact_copies_are_counted_exactly_even_where_hashes_collide(
    rows: list[tuple[str | None, int | None]], hashes: int
) -> None:
    real = extract_module._hashed
    name = extract_module._HASH
    with pytest.MonkeyPatch.context() as patch, open_engine(threads=1) as engine:
        patch.setattr(
            extract_module,
            "_hashed",
            lambda each: real(each).mutate(**{name: lambda t: t[name].abs() % hashes}),
        )
        frame = pd.DataFrame(rows, columns=["k", "n"]).astype({"k": "string", "n": "Int64"})
        extract = open_extract(frame, engine=engine)
        copies = len(rows) - len(set(rows))
        assert count_duplicates(extract) == copies
        single = drop_duplicates(extract)
        assert engine.count(single.table) == len(set(rows)) == single.intake.rows_used
        assert [each.rows for each in single.intake.rejections] == ([copies] if copies else [])


def test_copies_are_dropped_from_text_too(tmp_path: Path, engine: Engine) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text("person,sex,site", "001,1,A", "002,2,", "001,1,A", "002,2,", "002,,2"))
    single = drop_duplicates(open_extract(path, engine=engine))
    assert rows_of(single) == [("001", "1", "A"), ("002", "2", None), ("002", None, "2")]
    assert single.intake.rejections[-1].reason == "exact copy of another row"


# ---------------------------------------------------------------- the engine


def spill_folders() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"{engine_module._spill_stem()}-{os.getpid()}-*"))


def test_the_spill_folder_is_private_and_goes_with_the_engine() -> None:
    before = set(spill_folders())
    with open_engine() as engine:
        (folder,) = set(spill_folders()) - before
        if os.name == "posix":
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "spilled").write_bytes(b"x")
        engine.close()
        assert not folder.exists()
    assert set(spill_folders()) == before


def test_a_spill_folder_goes_when_the_program_ends_in_an_error() -> None:
    program = (
        "from equitydata.records.engine import open_engine\n"
        "engine = open_engine(threads=1)\n"
        "print(engine._spill, flush=True)\n"
        "raise SystemExit('stopped')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert not Path(done.stdout.strip()).exists()


def test_folders_of_killed_programs_are_swept_and_others_left() -> None:
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    stem = engine_module._spill_stem()
    left = Path(tempfile.mkdtemp(prefix=f"{stem}-{dead.pid}-"))
    live = Path(tempfile.mkdtemp(prefix=f"{stem}-{os.getpid()}-"))
    other = Path(tempfile.mkdtemp(prefix=f"equitydata-spill-otherhost-{dead.pid}-"))
    try:
        sweep_spill_folders()
        assert (left.exists(), live.exists(), other.exists()) == (False, True, True)
    finally:
        live.rmdir()
        other.rmdir()


def test_no_step_can_fetch_the_records_by_mistake(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "MAX_ROWS_FETCHED", 3)
    extract = open_extract(PEOPLE, engine=engine)
    with pytest.raises(EquityDataError, match="more than 3 rows"):
        engine.to_frame(extract.table)
    assert engine.to_frame(extract.table.count()).iloc[0, 0] == 4


def test_more_than_memory_spills_and_still_counts(tmp_path: Path) -> None:
    with open_engine(threads=1, memory_limit="100MB") as engine:
        numbers = ibis.range(4_000_000).unnest().name("i").as_table()
        numbers = numbers.select(k=(numbers.i % 3_000_000).cast("string"))
        counted = numbers.group_by("k").agg(n=lambda t: t.count())
        assert engine.to_frame(
            counted.agg(keys=counted.count(), rows=counted.n.sum())
        ).to_numpy().tolist() == [[3_000_000, 4_000_000]]


def test_settings_that_do_not_hold_are_config_errors() -> None:
    before = set(spill_folders())
    for wrong in ({"threads": 0}, {"memory_limit": "plenty"}):
        with pytest.raises(ConfigError, match="does not start"):
            open_engine(**wrong)
    assert set(spill_folders()) == before


def test_the_engine_never_installs_or_loads_an_extension(engine: Engine) -> None:
    with pytest.raises(EquityDataError), engine_module.guarded():
        engine.connection.con.execute("SELECT * FROM read_csv('https://example.invalid/a.csv')")
    settings = (
        "SELECT current_setting('autoinstall_known_extensions'), current_setting('autoload_known_extensions')"
    )
    assert engine.connection.con.execute(settings).fetchone() == (False, False)


def test_an_engine_error_holds_no_value(engine: Engine) -> None:
    extract = open_extract(pd.DataFrame({"n": ["CANARY7731"]}), engine=engine)
    with pytest.raises(EquityDataError) as refusal:
        engine.to_frame(extract.table.select(n=extract.table.n.cast("int64")))
    assert "CANARY" not in str(refusal.value)
    assert refusal.value.__suppress_context__


def test_staged_tables_have_names_of_their_own_and_can_be_let_go(engine: Engine) -> None:
    extract = open_extract(PEOPLE, engine=engine)
    first = engine.stage(extract.table, "same")
    second = engine.stage(first.filter(first.person != "001"), "same")
    assert (engine.count(first), engine.count(second)) == (4, 3)
    engine.drop(first)
    with pytest.raises(EquityDataError):
        engine.count(first)
    assert engine.count(second) == 3


def test_a_lookup_joins(engine: Engine) -> None:
    extract = open_extract(PEOPLE, engine=engine)
    codes = engine.lookup(
        pd.DataFrame({"code": ["A", "Z"], "status": ["known", "declined"], "n": [None, None]}), "c"
    )
    joined = extract.table.left_join(codes, extract.table["ethnic category"] == codes.code)
    counts = engine.to_frame(joined.group_by("status").agg(n=joined.count()).order_by("status"))
    assert counts["n"].tolist() == [1, 1, 2]
