"""The engine that counts: DuckDB in memory behind Ibis, or the backend of a table that a user passes.

No record is written to disk on purpose: text is staged in a compressed database in memory. Beyond the memory
limit DuckDB spills to a private folder, which goes when the engine closes; folders that a killed process
left behind go when the next engine opens.
"""

from __future__ import annotations

import contextlib
import ctypes
import glob
import hashlib
import itertools
import os
import platform
import re
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import ibis
import pandas as pd
import pyarrow as pa

from equitydata.errors import ConfigError, EquityDataError, InputError

MAX_ROWS_FETCHED = 2_000_000
SPILL_PREFIX = "equitydata-spill"
# Ten million contacts with ten characteristics are gathered by person within it; beyond it people come in parts.
DEFAULT_MEMORY_LIMIT = 3 * 1024**3
# Text is compressed whenever this much of it has come in, so that the peak is one such part and not the file.
COMPRESS_EVERY_BYTES = 256 * 1024**2

_STAGE = "stage"
# DuckDB itself takes four fifths of what the machine, or its container, allows.
_SHARE_OF_DUCKDB_DEFAULT = 0.8
_NAMES_ONLY = (duckdb.BinderException, duckdb.CatalogException)


class Engine:
    """One place where records are held and counted; a context manager.

    connection : the ibis backend. Open one with `open_engine`, or wrap a user's backend with `for_table`.
    """

    def __init__(
        self, connection: Any, *, spill: Path | None = None, closes_connection: bool = False
    ) -> None:
        self.connection = connection
        self._closes_connection = closes_connection or spill is not None
        self._names = itertools.count(1)
        self._staged: set[str] = set()
        self._attached: dict[Path, str] = {}
        self._opened_for_others = contextlib.ExitStack()
        self._spill = spill
        # Runs at close, when the engine is let go, or when the program ends, whichever comes first.
        self._remove_spill = (
            weakref.finalize(self, shutil.rmtree, spill, ignore_errors=True) if spill else None
        )

    @classmethod
    def for_table(cls, table: Any) -> Engine:
        """The engine that a user's Ibis table already lives in; closing it leaves their connection open."""
        try:
            return cls(table.get_backend())
        except Exception:  # ibis raises several kinds here, and the cause is always the same
            raise InputError(
                "This Ibis table belongs to no connection.",
                mend="Make it with connection.table(...), or pass the pandas table itself.",
            ) from None

    @property
    def is_duckdb(self) -> bool:
        """True where DuckDB's own words may be used."""
        return bool(self.connection.name == "duckdb")

    @cached_property
    def finds_nulls(self) -> bool:
        """True where DuckDB finds a null in a list, as its later versions do."""
        return self.is_duckdb and self.connection.con.execute(
            "SELECT list_position([NULL::TEXT], NULL)"
        ).fetchall() == [(1,)]

    @property
    def is_ours(self) -> bool:
        """True for the private in-memory engine, which files and frames are read into."""
        return self._spill is not None

    @property
    def memory(self) -> float:
        """Bytes that the engine may use; as the default where another engine does not say."""
        return _memory_setting(self.connection.con) if self.is_duckdb else float(DEFAULT_MEMORY_LIMIT)

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop what was staged and remove the spill folder. A second call does nothing."""
        self._opened_for_others.close()
        if self._closes_connection:
            self.connection.disconnect()
        else:
            for name in tuple(self._staged):
                self.drop(name)
        self._staged.clear()
        if self._remove_spill is not None:
            self._remove_spill()

    def adopt(self, other: Engine) -> Engine:
        """Close another engine when this one closes; returns it."""
        self._opened_for_others.callback(other.close)
        return other

    def stage(self, expression: Any, name: str) -> Any:
        """Work an Ibis expression out once and hold it; returns the held Ibis table.

        The name is a stem: each call makes a table of its own, so that an expression may read an earlier one.
        """
        table_name = self.new_name(name)
        with guarded():
            if self.is_ours:
                return self.connection.create_table(table_name, expression, database=(_STAGE, "main"))
            return self.connection.create_table(table_name, expression, temp=True)

    def stage_first_rows(self, table: Any, rows: int, name: str) -> Any:
        """Hold the first so many rows of an Ibis table, the same ones on every run; returns the held table."""
        if not self.is_duckdb:
            return self.stage(table.limit(rows), name)
        setting = "preserve_insertion_order"
        (before,) = self.connection.con.execute(f"SELECT current_setting('{setting}')").fetchall()[0]
        self.connection.con.execute(f"SET {setting} = true")
        try:
            return self.stage(table.limit(rows), name)
        finally:
            self.connection.con.execute(f"SET {setting} = {before}")

    def stage_batches(
        self,
        batches: Iterable[pa.RecordBatch],
        schema: pa.Schema,
        name: str,
        *,
        names: list[str] | None = None,
    ) -> Any:
        """Hold a stream of Arrow batches, compressed as it comes; returns the Ibis table.

        batches : all of `schema`; read once, in order, never held together.
        names : column names to hold them under, `schema.names` where left out.
        Errors raised by the stream come out as they are.
        """
        self._needs_own()
        table_name = self.new_name(name)
        target = f"{_STAGE}.main.{quoted(table_name)}"
        empty = schema.empty_table().rename_columns(names or schema.names)
        stream = _Stream(batches)
        with guarded(), self._registered(empty) as view:
            self.connection.con.execute(f"CREATE TABLE {target} AS SELECT * FROM {view}")  # noqa: S608
        while not stream.ended:
            self._insert_part(target, stream, schema)
            self.compress()
        return self.connection.table(table_name, database=(_STAGE, "main"))

    def _insert_part(self, target: str, stream: _Stream, schema: pa.Schema) -> None:
        reader = pa.RecordBatchReader.from_batches(schema, stream.part(COMPRESS_EVERY_BYTES))
        try:
            with guarded(), self._registered(reader) as view:
                self.connection.con.execute(f"INSERT INTO {target} SELECT * FROM {view}")  # noqa: S608
        finally:
            # DuckDB wraps an error of the stream in its own words; the original says what and where.
            if stream.error is not None:
                raise stream.error from None

    def compress(self) -> None:
        """Compress what has been staged since the last call (where the DuckDB version can)."""
        with guarded():
            self.connection.con.execute(f"CHECKPOINT {_STAGE}")

    @contextlib.contextmanager
    def _registered(self, data: Any) -> Iterator[str]:
        view = f"arrow_{next(self._names)}"
        self.connection.con.register(view, data)
        try:
            yield view
        finally:
            self.connection.con.unregister(view)

    def lookup(self, frame: pd.DataFrame | pa.Table, name: str) -> Any:
        """Put a small table into the engine, under a name of its own; returns the Ibis table."""
        table = as_arrow(frame)
        table_name = self.new_name(name)
        with guarded():
            if not self.is_duckdb:
                return self.connection.create_table(table_name, table, temp=True)
            with self._registered(table) as view:
                self.connection.con.execute(
                    f"CREATE TEMP TABLE {quoted(table_name)} AS SELECT * FROM {view}"  # noqa: S608
                )
            return self.connection.table(table_name, database=("temp", "main"))

    def view(self, table: pa.Table, name: str) -> Any:
        """Show an Arrow table to the engine without a copy; returns the Ibis table."""
        self._needs_own()
        table_name = self.new_name(name)
        with guarded():
            self.connection.con.register(table_name, table)
            return self.connection.table(table_name)

    def parquet(self, path: Path) -> Any:
        """Read a Parquet file in place; returns the Ibis table."""
        self._needs_own()
        # DuckDB takes *, ? and [ in a file name for a pattern.
        literal = glob.escape(str(path))
        with guarded(path.name):
            return self.connection.read_parquet(literal, table_name=self.new_name("parquet"))

    def attach(self, path: Path) -> str:
        """Attach a DuckDB file for reading, once; returns its catalog name. Raises what DuckDB raises."""
        self._needs_own()
        place = path.resolve()
        if place not in self._attached:
            catalog = self.new_name("database")
            literal = "'" + str(place).replace("'", "''") + "'"
            self.connection.con.execute(f"ATTACH {literal} AS {quoted(catalog)} (READ_ONLY)")
            self._attached[place] = catalog
        return self._attached[place]

    def _needs_own(self) -> None:
        if not self.is_ours:
            raise ConfigError(
                "Files and tables in memory are read into an engine of their own.",
                mend="Pass the engine that open_engine() gives.",
            )

    def to_frame(self, expression: Any) -> pd.DataFrame:
        """Fetch an aggregated result as a pandas table.

        Raises EquityDataError beyond MAX_ROWS_FETCHED rows: no step may pull the records by mistake.
        """
        table = expression.as_table()
        with guarded():
            frame = self.connection.execute(table.limit(MAX_ROWS_FETCHED + 1))
        if len(frame) > MAX_ROWS_FETCHED:
            raise EquityDataError(
                f"A result of more than {MAX_ROWS_FETCHED:,} rows was asked for.",
                mend="Count or group first. Does a mapped column hold a different value in each row?",
            )
        return frame

    def count(self, table: Any) -> int:
        """Number of rows of an Ibis table."""
        with guarded():
            return int(self.connection.execute(table.count()))

    def drop(self, table: Any) -> None:
        """Let go of a staged table, given as the Ibis table or by its name. Unknown names are left alone."""
        name = table if isinstance(table, str) else table.op().name
        if name not in self._staged:
            return
        self._staged.discard(name)
        with guarded():
            if not self.is_duckdb:
                self.connection.drop_table(name, force=True)
                return
            found = self.connection.con.execute(
                "SELECT database_name, schema_name FROM duckdb_tables() WHERE table_name = ?", [name]
            ).fetchall()
            for database, schema in found:
                place = ".".join(quoted(part) for part in (database, schema, name))
                self.connection.con.execute(f"DROP TABLE IF EXISTS {place}")

    def new_name(self, stem: str) -> str:
        """A name that nothing else in this engine has."""
        name = f"{re.sub('[^0-9a-zA-Z_]', '_', stem)[:40]}_{next(self._names)}"
        self._staged.add(name)
        return name


class _Stream:
    """Arrow batches handed out in parts; keeps the first error, which DuckDB would reword."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = iter(batches)
        self.ended = False
        self.error: BaseException | None = None

    def part(self, limit: int) -> Iterator[pa.RecordBatch]:
        """Yield batches until their bytes reach the limit."""
        seen = 0
        while seen < limit:
            try:
                batch = next(self._batches, None)
            except BaseException as error:
                self.error, self.ended = error, True
                raise
            if batch is None:
                self.ended = True
                return
            seen += batch.nbytes
            yield batch


def open_engine(*, threads: int | None = None, memory_limit: str | None = None) -> Engine:
    """Open DuckDB in memory, with no extension to install and no way to the network.

    threads : all cores where left out.
    memory_limit : such as "4GB"; where left out 3 GB, or half the machine's memory if that is less.
    Raises ConfigError for a setting that does not hold.
    """
    sweep_spill_folders()
    spill = Path(tempfile.mkdtemp(prefix=f"{_spill_stem()}-{os.getpid()}-"))
    try:
        connection = ibis.duckdb.connect(
            ":memory:", **_settings(spill, threads=threads, memory_limit=memory_limit)
        )
        if memory_limit is None:
            connection.con.execute(f"SET memory_limit = '{_default_memory(connection.con)}B'")
        _attach_stage(connection.con)
    except duckdb.Error:
        shutil.rmtree(spill, ignore_errors=True)
        raise ConfigError(
            f"The engine does not start with threads = {threads!r} and memory_limit = {memory_limit!r}.",
            mend='Give threads as a whole number of 1 or more, and memory_limit like "4GB".',
        ) from None
    return Engine(connection, spill=spill)


def _settings(spill: Path, *, threads: int | None, memory_limit: str | None) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
        "extension_directory": str(spill / "no-extensions"),
        "temp_directory": str(spill),
        "preserve_insertion_order": False,
    }
    if threads is not None:
        settings["threads"] = threads
    if memory_limit is not None:
        settings["memory_limit"] = memory_limit
    return settings


def _attach_stage(connection: Any) -> None:
    try:
        connection.execute(f"ATTACH ':memory:' AS {_STAGE} (COMPRESS)")
    except duckdb.Error:
        # DuckDB before 1.4 cannot compress in memory; it holds the same rows in more room.
        connection.execute(f"ATTACH ':memory:' AS {_STAGE}")


def _default_memory(connection: Any) -> int:
    """Bytes: 3 GB, or half of what the machine has if that is less."""
    machine = _memory_setting(connection) / _SHARE_OF_DUCKDB_DEFAULT
    return int(min(DEFAULT_MEMORY_LIMIT, machine / 2))


def _memory_setting(connection: Any) -> float:
    """Bytes that DuckDB may use."""
    shown = connection.execute("SELECT current_setting('memory_limit')").fetchall()[0][0]
    number, unit = re.fullmatch(r"([\d.]+)\s*(\w+)", shown).groups()  # type: ignore[union-attr]
    powers = {"bytes": 0, "KiB": 1, "MiB": 2, "GiB": 3, "TiB": 4}
    return float(number) * 1024 ** powers.get(unit, 3)


# ---------------------------------------------------------------- spill folders


def _spill_stem() -> str:
    """Prefix of this machine's spill folders: a shared /tmp may hold those of another container."""
    host = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    return f"{SPILL_PREFIX}-{host}"


def sweep_spill_folders() -> int:
    """Remove the spill folders of processes that no longer run; returns how many."""
    removed = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{_spill_stem()}-*"):
        pid = folder.name.removeprefix(f"{_spill_stem()}-").partition("-")[0]
        if folder.is_symlink() or not pid.isdigit() or not _is_mine(folder) or _is_running(int(pid)):
            continue
        shutil.rmtree(folder, ignore_errors=True)
        removed += 1
    return removed


def _is_mine(folder: Path) -> bool:
    try:
        return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
    except OSError:
        return False


def _is_running(pid: int) -> bool:
    if os.name == "nt":
        # os.kill with signal 0 would end the process on Windows.
        kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
        handle = kernel.OpenProcess(0x1000, False, pid)
        if handle:
            kernel.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


# ---------------------------------------------------------------- helpers


def quoted(name: str) -> str:
    """An SQL identifier: whatever it holds is a name and nothing else."""
    return '"' + name.replace('"', '""') + '"'


@contextlib.contextmanager
def guarded(where: str = "") -> Iterator[None]:
    """Turn an error of DuckDB into one of ours: its own message may repeat a value of a record."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise InputError(
            "The engine ran out of memory.",
            where=where,
            mend="Give it more, with memory_limit such as '8GB'.",
        ) from None
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except RuntimeError as error:
        # What DuckDB says of Ctrl-C in the middle of a checkpoint.
        if "interrupted" in str(error):
            raise KeyboardInterrupt from None
        raise
    except _NAMES_ONLY as error:
        first_line = str(error).splitlines()[0][:200]
        raise EquityDataError(f"The engine does not know a name: {first_line}", where=where) from None
    except duckdb.Error as error:
        raise InputError(
            f"The engine could not read or count this ({type(error).__name__}).",
            where=where,
            mend="Check that the file is whole and that each column holds one kind of value.",
        ) from None


def as_arrow(frame: pd.DataFrame | pa.Table) -> pa.Table:
    """A small pandas table as Arrow, index left out; a column of nothing but blanks becomes text."""
    table = frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame, preserve_index=False)
    return map_columns(
        table, lambda column: column.cast(pa.string()) if pa.types.is_null(column.type) else column
    )


def map_columns(table: pa.Table, change: Callable[[pa.ChunkedArray], pa.ChunkedArray]) -> pa.Table:
    """The same Arrow table with every column changed by a function."""
    return pa.Table.from_arrays([change(column) for column in table.columns], names=table.column_names)
