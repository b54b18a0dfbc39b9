"""Whatever holds the records -> an `Extract`: one Ibis table, and a ledger of every row that came in.

Text (CSV, Excel, SQLite) is staged once, compressed, in memory, every column as text. Parquet, tables in
memory, Ibis tables and database tables are read where they are, with their own types.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa

from equitydata.errors import ConfigError, InputError, nearest
from equitydata.model import Intake, Rejection, SourceFile
from equitydata.records import databases, frames
from equitydata.records.engine import Engine, guarded
from equitydata.records.excel_reader import SheetLayout, read_sheet_batches, read_sheet_layout
from equitydata.records.ledger import Ledger
from equitydata.records.paths import find_files
from equitydata.records.preflight import TextLayout, clean_names, file_kind, read_layout
from equitydata.records.text_reader import read_batches, text_schema
from equitydata.records.text_stream import sha256_of

EXACT_COPY = "exact copy of another row"
Columns = Sequence[str] | Mapping[str, str]
ON_BAD_ROWS = ("reject", "stop")
# Enough to tell what a column holds: no more is read of one that nobody asked for.
FIRST_ROWS = 20_000
_REASON, _HASH = "__reason_number", "__row_hash"


@dataclass(frozen=True)
class Extract:
    """The records of one extract, not yet coded.

    table : Ibis table with one row a record; text columns of CSV and Excel hold the text exactly as it was,
        and null where a field was empty.
    intake : rows read, used and rejected, with the files they came from.
    kind : "text", "excel", "parquet", "frame", "ibis" or "database".
    engine : where the table lives; count there.
    beside : Ibis table of the first FIRST_ROWS rows with every column of the source, for the scan of columns that the
        analysis does not read; None where it reads all of them.
    """

    table: Any
    intake: Intake
    kind: str
    engine: Engine
    beside: Any = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names, in order."""
        return tuple(self.table.columns)


def open_extract(
    source: Any,
    *,
    engine: Engine,
    encoding: str | None = None,
    delimiter: str | None = None,
    header_row: int | None = None,
    sheet: str | None = None,
    table: str | None = None,
    on_bad_rows: str = "reject",
    columns: Columns | None = None,
) -> Extract:
    """Open an extract, whatever it is held in.

    source : a path, folder, glob or list of paths (CSV in any common form, .xlsx, Parquet); a pandas, polars
        or pyarrow table; an Ibis table; a database address such as duckdb:///file, with `table`.
    engine : files and frames are read into it. A database or Ibis table lives elsewhere: use `.engine` of
        the answer, which closes with this one.
    header_row : line (or sheet row) of the header, from 1, where it is not found by itself.
    on_bad_rows : "reject" counts damaged lines and goes on; "stop" raises InputError with the first five.
    columns : only these are read, perhaps with the key of the service file that names each; all where left out.

    Every line below the header counts as a row read; blank lines are rejected as such. Raises InputError or
    ConfigError for what cannot be read rightly; no message holds a value.
    """
    if on_bad_rows not in ON_BAD_ROWS:
        raise ConfigError(f"on_bad_rows is '{on_bad_rows}'.", mend=nearest(on_bad_rows, ON_BAD_ROWS))
    if isinstance(source, str) and databases.is_address(source):
        extract = _open_database(source, table, engine)
    elif isinstance(source, str | Path) or frames.is_list_of_paths(source):
        paths, notes = find_files(source)
        options = _Options(encoding, delimiter, header_row, sheet, on_bad_rows == "stop", columns)
        extract = _open_files(paths, options, engine)
        extract = _with_notes(extract, notes)
    elif isinstance(source, ibis.Table):
        extract = _open_table(source, "ibis", Engine.for_table(source), engine)
    else:
        arrow, notes = frames.to_arrow(source)
        extract = _with_notes(_counted(engine.view(arrow, "frame"), "frame", engine), notes)
    if columns is not None:
        extract = _narrowed(extract, columns)
    if not extract.intake.rows_used:
        raise InputError("The extract has no rows.", mend="Check that the export ran for the right period.")
    return extract


def _narrowed(extract: Extract, columns: Columns) -> Extract:
    """The extract with the columns asked for; text was narrowed while it was read."""
    wanted, beside = _wanted(extract.columns, columns, "the extract"), extract.beside
    if len(wanted) < len(extract.columns):
        beside = extract.engine.stage_first_rows(extract.table, FIRST_ROWS, "beside")
    return replace(extract, table=extract.table.select(*wanted), beside=beside)


@dataclass(frozen=True)
class _Options:
    encoding: str | None
    delimiter: str | None
    header_row: int | None
    sheet: str | None
    stop_at_damage: bool
    columns: Columns | None


def _wanted(known: Sequence[str], columns: Columns | None, where: str) -> list[str]:
    """The columns to read, in the order they have in the source."""
    if columns is None:
        return list(known)
    for column in columns:
        if column not in known:
            asked = f", which {columns[column]} names" if isinstance(columns, Mapping) else ""
            raise InputError(
                f"There is no column '{column}'{asked}.", where=where, mend=nearest(column, known)
            )
    return [column for column in known if column in set(columns)]


def _with_notes(extract: Extract, notes: Sequence[str]) -> Extract:
    return replace(extract, intake=replace(extract.intake, notes=(*notes, *extract.intake.notes)))


def _counted(table: Any, kind: str, engine: Engine, *, name: str = "") -> Extract:
    """An extract of a table that needs no staging: cleaned names, rows counted."""
    names, notes = clean_names(table.columns)
    if names != tuple(table.columns):
        table = table.rename(dict(zip(names, table.columns, strict=True)))
    with guarded(name):
        rows = engine.count(table)
    return Extract(table, Intake(rows_read=rows, notes=tuple(notes)), kind, engine)


def _open_table(table: Any, kind: str, own: Engine, engine: Engine) -> Extract:
    return _counted(table, kind, engine.adopt(own))


def _open_database(address: str, table: str | None, engine: Engine) -> Extract:
    found = databases.open_table(address, table, engine)
    if isinstance(found, databases.StreamedTable):
        staged = engine.stage_batches(found.batches, found.schema, "database", names=list(found.schema.names))
        return _counted(staged, "database", engine)
    return _counted(found.table, "database", found.engine)


# ---------------------------------------------------------------- files


def _open_files(paths: Sequence[Path], options: _Options, engine: Engine) -> Extract:
    kinds = {path: file_kind(path) for path in paths}
    if "parquet" not in kinds.values():
        return _open_text(paths, kinds, options, engine)
    if set(kinds.values()) != {"parquet"}:
        other = next(path for path in paths if kinds[path] != "parquet")
        raise InputError(
            f"Parquet files and others cannot be read as one extract ('{other.name}' is not Parquet).",
            mend="Name the files of one kind.",
        )
    return _open_parquet(paths, engine)


def _open_text(
    paths: Sequence[Path], kinds: Mapping[Path, str], options: _Options, engine: Engine
) -> Extract:
    """CSV and Excel: every column as text, all files staged into one table."""
    layouts = {path: _layout(path, kinds[path], options) for path in paths}
    first = layouts[paths[0]]
    for path in paths[1:]:
        _check_same_columns(first.name, first.columns, path.name, layouts[path].columns)
    files = tuple(_source_file(path, layouts[path]) for path in paths)
    _check_no_file_twice(files)
    columns = _wanted(first.columns, options.columns, first.name)
    ledgers = {path: Ledger(path.name, options.stop_at_damage) for path in paths}

    def batches() -> Iterator[pa.RecordBatch]:
        for path, layout in layouts.items():
            if isinstance(layout, SheetLayout):
                yield from read_sheet_batches(layout, columns=columns, ledger=ledgers[path])
            else:
                yield from read_batches(path, layout, columns=columns, ledger=ledgers[path])

    table = engine.stage_batches(batches(), text_schema(columns), "extract")
    beside = None
    if len(columns) < len(first.columns):
        schema = text_schema(first.columns)
        beside = engine.stage_batches(_first_batches(layouts, schema), schema, "beside")
    several = len(paths) > 1
    intake = Intake(
        rows_read=sum(ledger.rows_read for ledger in ledgers.values()),
        rejections=tuple(
            rejection for ledger in ledgers.values() for rejection in ledger.rejections(name_file=several)
        ),
        files=files,
        notes=tuple(note for path in paths for note in _file_notes(layouts[path], ledgers[path], several)),
    )
    return Extract(table, intake, "excel" if set(kinds.values()) == {"xlsx"} else "text", engine, beside)


def _first_batches(
    layouts: Mapping[Path, TextLayout | SheetLayout], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The first rows of every file with all columns, FIRST_ROWS together."""
    for path, layout in layouts.items():
        left = -(-FIRST_ROWS // len(layouts))
        # What is damaged stands in the ledger of the reading proper.
        ledger = Ledger(path.name)
        batches = (
            read_sheet_batches(layout, columns=schema.names, ledger=ledger)
            if isinstance(layout, SheetLayout)
            else read_batches(path, layout, columns=schema.names, ledger=ledger)
        )
        for batch in batches:
            yield batch.slice(0, left)
            left -= batch.num_rows
            if left <= 0:
                break


def _layout(path: Path, kind: str, options: _Options) -> TextLayout | SheetLayout:
    if kind == "xlsx":
        return read_sheet_layout(path, sheet=options.sheet, header_row=options.header_row)
    return read_layout(
        path, encoding=options.encoding, delimiter=options.delimiter, header_row=options.header_row
    )


def _source_file(path: Path, layout: TextLayout | SheetLayout) -> SourceFile:
    if isinstance(layout, SheetLayout):
        return SourceFile(
            name=path.name,
            bytes=path.stat().st_size,
            sha256=sha256_of(path),
            header_line=layout.header.line,
            sheet=layout.sheet,
        )
    return SourceFile(
        name=path.name,
        bytes=layout.size,
        sha256=layout.sha256,
        encoding=layout.encoding,
        delimiter=layout.delimiter,
        header_line=layout.header_line,
    )


def _file_notes(layout: TextLayout | SheetLayout, ledger: Ledger, several: bool) -> list[str]:
    notes = list(layout.notes)
    if ledger.stray_quotes:
        notes.append(f"{ledger.stray_quotes} quote(s) in the middle of a field were kept as text")
    if not ledger.rows_used:
        notes.append("no rows below the header")
    return [f"{layout.name}: {note}" for note in notes] if several else notes


def _check_same_columns(first_name: str, first: Sequence[str], other_name: str, other: Sequence[str]) -> None:
    """Files read as one extract need the same columns, in any order."""
    lacking, extra = sorted(set(first) - set(other)), sorted(set(other) - set(first))
    if not lacking and not extra:
        return
    parts = [f"lacks {_listed(lacking)}"] if lacking else []
    parts += [f"has {_listed(extra)} besides"] if extra else []
    raise InputError(
        f"'{other_name}' {' and '.join(parts)}, compared with '{first_name}'.",
        where="Files read as one extract need the same columns",
        mend="Rename the columns so that they agree, or name only the files that belong together.",
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:6])
    return shown + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _check_no_file_twice(files: Sequence[SourceFile]) -> None:
    seen: dict[str, str] = {}
    for file in files:
        if file.sha256 in seen:
            raise InputError(
                f"'{seen[file.sha256]}' and '{file.name}' are the same file: each row would count twice.",
                mend="Leave one of them out.",
            )
        seen[file.sha256] = file.name


def _open_parquet(paths: Sequence[Path], engine: Engine) -> Extract:
    """Read in place. Columns that differ in type from file to file are read as text."""
    tables = {path: engine.parquet(path) for path in paths}
    first = tables[paths[0]]
    for path in paths[1:]:
        _check_same_columns(paths[0].name, first.columns, path.name, tables[path].columns)
    files = tuple(SourceFile(path.name, path.stat().st_size, sha256_of(path)) for path in paths)
    _check_no_file_twice(files)
    differing = [c for c in first.columns if len({str(t[c].type()) for t in tables.values()}) > 1]
    as_one = [
        table.select(
            *(table[c].cast("string").name(c) if c in differing else table[c] for c in first.columns)
        )
        for table in tables.values()
    ]
    table = as_one[0] if len(as_one) == 1 else ibis.union(*as_one, distinct=False)
    extract = _counted(table, "parquet", engine, name=paths[0].name)
    notes = [f"'{column}' has different types in different files: read as text" for column in differing]
    return _with_notes(replace(extract, intake=replace(extract.intake, files=files)), notes)


# ---------------------------------------------------------------- rejecting rows


def reject_rows(extract: Extract, conditions: Mapping[str, Any]) -> Extract:
    """Leave out the rows for which a condition holds, and enter them in the ledger.

    conditions : reason -> Ibis boolean value over `extract.table`. A null condition does not hold. A row
        that meets several counts once, under the first. All are counted in one pass.
    """
    if not conditions:
        return extract
    held = {reason: condition.fill_null(False) for reason, condition in conditions.items()}
    first_to_hold = ibis.cases(
        *((condition, number) for number, condition in enumerate(held.values())), else_=len(held)
    )
    numbered = extract.table.mutate(**{_REASON: first_to_hold})
    counts = extract.engine.to_frame(
        numbered.group_by(_REASON).agg(rows=lambda rows: rows.count())
    ).set_index(_REASON)["rows"]
    met = [(reason, int(counts[number])) for number, reason in enumerate(held) if number in counts.index]
    if not met:
        return extract
    rejected = held[met[0][0]]
    for reason, _ in met[1:]:
        rejected = rejected | held[reason]
    intake = replace(
        extract.intake,
        rejections=(*extract.intake.rejections, *(Rejection(reason, rows) for reason, rows in met)),
    )
    return replace(extract, table=extract.table.filter(~rejected), intake=intake)


def count_duplicates(extract: Extract) -> int:
    """Rows that are an exact copy of another row, over all columns, the first of each set not counted."""
    suspects = _suspects(extract)
    if suspects is None:
        return 0
    counted = suspects.group_by(list(extract.columns)).agg(copies=lambda rows: rows.count() - 1)
    total = extract.engine.to_frame(counted.agg(copies=counted["copies"].sum()))["copies"].iloc[0]
    extract.engine.drop(suspects)
    return int(total)


def drop_duplicates(extract: Extract) -> Extract:
    """Keep one of each set of exact copies; the rest are entered in the ledger."""
    suspects = _suspects(extract)
    if suspects is None:
        return extract
    engine, columns = extract.engine, list(extract.columns)
    single = engine.stage(suspects.select(*columns).distinct(), "distinct_copies")
    copies = engine.count(suspects) - engine.count(single)
    if not copies:
        return extract
    hashes = suspects.select(_HASH).distinct()
    hashed = _hashed(extract)
    alone = hashed.anti_join(hashes, _HASH).select(*columns)
    table = engine.stage(ibis.union(alone, single, distinct=False), "without_copies")
    engine.drop(suspects)
    intake = replace(extract.intake, rejections=(*extract.intake.rejections, Rejection(EXACT_COPY, copies)))
    return replace(extract, table=table, intake=intake)


def _suspects(extract: Extract) -> Any:
    """Staged rows whose 64-bit hash occurs more than once, with the hash; None where there are none.

    Different rows may share a hash, so these few are compared in full afterwards.
    """
    hashed = _hashed(extract)
    counted = hashed.group_by(_HASH).agg(copies=lambda rows: rows.count())
    repeated = extract.engine.stage(counted.filter(counted["copies"] > 1).select(_HASH), "repeated")
    if not extract.engine.count(repeated):
        extract.engine.drop(repeated)
        return None
    suspects = extract.engine.stage(hashed.semi_join(repeated, _HASH), "suspects")
    extract.engine.drop(repeated)
    return suspects


def _hashed(extract: Extract) -> Any:
    table = extract.table
    # Engines differ in what they can hash; without a hash all rows are compared in full.
    row_hash = ibis.literal(0, "int64")
    if extract.engine.is_duckdb:
        row_hash = ibis.struct({column: table[column] for column in table.columns}).hash()
    return table.mutate(**{_HASH: row_hash})
