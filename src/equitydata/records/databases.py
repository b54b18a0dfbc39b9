"""A database address and a table name -> that table. The address may hold a password and is never shown."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import duckdb
import ibis
import pyarrow as pa

from equitydata.errors import ConfigError, InputError, nearest
from equitydata.records.engine import Engine, quoted

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_NOT_DATABASES = frozenset(
    {"http", "https", "ftp", "ftps", "sftp", "s3", "gs", "gcs", "az", "abfs", "abfss", "file"}
)
_ROWS_AT_A_TIME = 50_000
_TABLES_AND_VIEWS = """
    SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = ? AND NOT internal
    UNION ALL
    SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = ? AND NOT internal
    ORDER BY ALL
"""


@dataclass(frozen=True)
class LiveTable:
    """A table that is counted where it is."""

    table: Any
    engine: Engine


@dataclass(frozen=True)
class StreamedTable:
    """A table that is read once into the engine, every column as text."""

    batches: Iterator[pa.RecordBatch]
    schema: pa.Schema


def is_address(source: str) -> bool:
    """True for scheme://...; a path is not one."""
    return _ADDRESS.match(source) is not None


def open_table(address: str, table: str | None, engine: Engine) -> LiveTable | StreamedTable:
    """Open one table of a database, for reading.

    A DuckDB file is attached to the engine read-only; an SQLite file is streamed into it, since SQLite has
    no fixed types; any other database is counted where it is, through Ibis.
    Raises ConfigError for an unknown kind of address or a missing library, InputError for the rest.
    """
    scheme = _ADDRESS.match(address)[1].lower()  # type: ignore[index]
    if scheme in _NOT_DATABASES:
        raise ConfigError(
            f"Nothing is fetched from a {scheme} address.",
            mend="Download the file yourself and give its path.",
        )
    if scheme == "duckdb":
        return _open_duckdb(_path_of(address), table, engine)
    if scheme == "sqlite":
        return _open_sqlite(_path_of(address), table)
    return _open_through_ibis(address, scheme, table, engine)


def _path_of(address: str) -> Path:
    """duckdb:///folder/file is absolute; duckdb://folder/file, or an absolute path not there, relative."""
    parts = urlsplit(address)
    absolute = Path(unquote(parts.netloc + parts.path))
    relative = Path(unquote(parts.path).lstrip("/"))
    for path in (absolute, relative):
        if path.is_file():
            return path
    folder = absolute.parent
    names = [each.name for each in folder.iterdir()] if folder.is_dir() else []
    raise InputError(f"There is no database file '{absolute.name}'.", mend=nearest(absolute.name, names))


def _choose(wanted: str | None, tables: Sequence[str], where: str) -> str:
    if wanted is None and len(tables) == 1:
        return tables[0]
    if wanted is None:
        raise ConfigError("Which table?", where=where, mend=nearest("", tables))
    if wanted not in tables:
        raise InputError(f"There is no table '{wanted}'.", where=where, mend=nearest(wanted, tables))
    return wanted


def _open_duckdb(path: Path, table: str | None, engine: Engine) -> LiveTable:
    connection = engine.connection
    try:
        catalog = engine.attach(path)
        listed = connection.con.execute(_TABLES_AND_VIEWS, [catalog, catalog]).fetchall()
    except duckdb.Error:  # its message holds the whole path
        raise InputError(
            "The DuckDB database cannot be opened.",
            where=path.name,
            mend="Close other programs that use it, and check that this version of DuckDB can read it.",
        ) from None
    found = {(name if schema == "main" else f"{schema}.{name}"): (schema, name) for schema, name in listed}
    schema, name = found[_choose(table, list(found), path.name)]
    return LiveTable(connection.table(name, database=(catalog, schema)), engine)


def _open_sqlite(path: Path, table: str | None) -> StreamedTable:
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)
        connection.text_factory = lambda text: text.decode("utf-8", errors="replace")
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
        ).fetchall()
        name = _choose(table, sorted(row[0] for row in names), path.name)
        listed = connection.execute("SELECT name FROM pragma_table_info(?)", [name]).fetchall()
    except sqlite3.Error:
        raise _damaged(path) from None
    columns = [row[0] for row in listed]
    schema = pa.schema([(column, pa.string()) for column in columns])
    as_text = ", ".join(f"NULLIF(CAST({quoted(column)} AS TEXT), '')" for column in columns)
    query = f"SELECT {as_text} FROM {quoted(name)}"  # noqa: S608 (identifiers are quoted)

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            cursor = connection.execute(query)
            while rows := cursor.fetchmany(_ROWS_AT_A_TIME):
                arrays = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]
                yield pa.record_batch(arrays, schema=schema)
        except sqlite3.Error:
            raise _damaged(path) from None
        finally:
            connection.close()

    return StreamedTable(batches(), schema)


def _damaged(path: Path) -> InputError:
    return InputError("The SQLite database cannot be read.", where=path.name, mend="Check that it is whole.")


def _open_through_ibis(address: str, scheme: str, table: str | None, engine: Engine) -> LiveTable:
    backend = {"postgresql": "postgres"}.get(scheme, scheme)
    try:
        connection = ibis.connect(address)
    except ImportError:
        raise ConfigError(
            f"Reading a {backend} database needs another library.",
            mend=f"Install it: python -m pip install 'ibis-framework[{backend}]'",
        ) from None
    except ValueError:
        raise ConfigError(
            f"'{scheme}' is no kind of database that is known here.",
            mend="Try duckdb, sqlite, postgres, mssql, mysql, snowflake or databricks.",
        ) from None
    except Exception:  # a driver's message may repeat the address, with the password in it
        raise InputError(
            f"The {backend} database did not open.", mend="Check the address, the password and the network."
        ) from None
    own = engine.adopt(Engine(connection, closes_connection=True))
    schema, _, name = (table or "").rpartition(".")
    tables = connection.list_tables(database=schema or None) if table else connection.list_tables()
    chosen = _choose(name or None, tables, f"the {backend} database")
    return LiveTable(connection.table(chosen, database=schema or None), own)
