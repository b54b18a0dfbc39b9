"""A staged table -> a file and its manifest beside it, both whole or neither.

Both are written into a private folder beside their place, and moved there when they are complete. The rows are in the
order of what they hold, so that nothing is left of the order that the extract had. Only the owner can open the files.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import ibis

from equitydata.errors import ConfigError, OutputError
from equitydata.records.engine import Engine, guarded, quoted

FORMATS = {".csv": "csv", ".parquet": "parquet"}
MANIFEST_SUFFIX = ".deidentified.json"
# A cell that a spreadsheet would calculate: OWASP, CSV Injection. A plain number stays as it is.
_FORMULA = "^[ \u00a0\u3000\ufeff\n\x0b\x0c]*[=+\\-@\t\r＝＋－＠]"
_PLAIN_NUMBER = r"^[+-]?[0-9]{1,15}(\.[0-9]+)?$"
_STALE_SECONDS = 3600
_OWNER_ALONE = 0o600


def manifest_of(out: Path) -> Path:
    """Where the manifest of a shared file lies: shared.csv has shared.deidentified.json."""
    return out.with_name(out.stem + MANIFEST_SUFFIX)


def check_place(out: Path, *, inputs: Sequence[Path], force: bool) -> None:
    """Refuse a place that must not be written to, before the work.

    inputs : files that the run reads, and which it never overwrites.
    Raises ConfigError for another kind of file, OutputError for a place that is taken.
    """
    if out.suffix.lower() not in FORMATS:
        raise ConfigError(
            f"'{out.name}' is neither CSV nor Parquet.",
            where="--out",
            mend="End its name in .csv or .parquet.",
        )
    read = {path.resolve() for path in inputs}
    for path in (out, manifest_of(out)):
        if path.resolve() in read:
            raise OutputError(
                "That is a file which is read in this run.", where=path.name, mend="Choose another name."
            )
        if path.is_symlink() or path.is_dir():
            kind = "link" if path.is_symlink() else "folder"
            raise OutputError(
                f"There is a {kind} of that name.", where=path.name, mend="Choose another name."
            )
        if path.exists() and not force:
            raise OutputError(
                "The file exists already.", where=path.name, mend="Choose another name, or add --force."
            )
    if not _writable(out):
        raise OutputError("Nothing can be written there.", where=out.name, mend="Choose another folder.")


def _writable(out: Path) -> bool:
    there = next(parent for parent in (out.absolute().parent, *out.absolute().parents) if parent.exists())
    return there.is_dir() and os.access(there, os.W_OK)


@dataclass(frozen=True)
class Workshop:
    """A private folder beside the target, in which the file and its manifest are made before they are moved."""

    folder: Path
    out: Path
    inputs: Sequence[Path]
    force: bool

    def write(self, table: Any, engine: Engine) -> Path:
        """Write a staged table; returns the finished file, still in the workshop."""
        fresh = self.folder / self.out.name
        _copy(table, fresh, engine)
        _make_private(fresh)
        return fresh

    def publish(self, manifest: bytes) -> Path:
        """Move the written file and its manifest into place; returns the place of the manifest."""
        beside, target = self.folder / manifest_of(self.out).name, manifest_of(self.out)
        beside.write_bytes(manifest)
        _make_private(beside)
        # Another run may have come first.
        check_place(self.out, inputs=self.inputs, force=self.force)
        _move({self.folder / self.out.name: self.out, beside: target}, self.folder)
        return target


@contextmanager
def open_workshop(out: Path, *, inputs: Sequence[Path], force: bool) -> Iterator[Workshop]:
    """The workshop of one shared file, gone afterwards whatever happens.

    Raises OutputError where the disk refuses; an earlier pair of files is then as it was.
    """
    try:
        with _folder_beside(out) as folder:
            yield Workshop(folder, out, tuple(inputs), force)
    except (OSError, duckdb.IOException) as error:
        cause = getattr(error, "strerror", None) or "the disk refuses"
        raise OutputError(
            f"The file could not be written: {cause}. Nothing was changed.",
            where=out.name,
            mend="Check the free space and your rights in that place, or choose another folder.",
        ) from None


def _copy(table: Any, path: Path, engine: Engine) -> None:
    """The table as CSV or Parquet, in the order of its content."""
    as_csv = FORMATS[path.suffix.lower()] == "csv"
    shown = table
    if as_csv:
        shown = _filled(
            table.select(**{_harmless_name(name): _harmless(table[name]) for name in table.columns})
        )
    query = ibis.to_sql(shown, dialect="duckdb")
    literal = "'" + str(path).replace("'", "''") + "'"
    kind = "(FORMAT csv, HEADER true)" if as_csv else "(FORMAT parquet, COMPRESSION zstd)"
    order = ", ".join(quoted(name) for name in shown.columns)
    try:
        engine.connection.con.execute(
            f"COPY (SELECT * FROM ({query}) ORDER BY {order}) TO {literal} {kind}"  # noqa: S608 (names are quoted)
        )
    except duckdb.IOException:
        raise
    except duckdb.Error:
        with guarded():
            raise


def _filled(table: Any) -> Any:
    """A table of one column with blanks as empty text: a null would be an empty line, which readers pass over."""
    if len(table.columns) > 1:
        return table
    name = table.columns[0]
    return table.select(**{name: table[name].cast("string").fill_null("")})


def _harmless(column: Any) -> Any:
    """Text that a spreadsheet shows and does not calculate: a leading apostrophe where it would."""
    if not column.type().is_string():
        return column
    live = column.re_search(_FORMULA) & ~column.re_search(_PLAIN_NUMBER)
    return ibis.ifelse(live, ibis.literal("'") + column, column)


def _harmless_name(name: str) -> str:
    return f"'{name}" if name.lstrip().startswith(tuple("=+-@＝＋－＠")) else name


def _make_private(path: Path) -> None:
    path.chmod(_OWNER_ALONE)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _move(files: dict[Path, Path], workshop: Path) -> None:
    """Move all files into place, or put back what was there."""
    earlier = workshop / "earlier"
    earlier.mkdir()
    moved: list[Path] = []
    try:
        for target in files.values():
            if target.exists():
                target.rename(earlier / target.name)
        for fresh, target in files.items():
            fresh.rename(target)
            moved.append(target)
    except BaseException:
        for target in moved:
            target.unlink(missing_ok=True)
        for kept in earlier.iterdir():
            kept.rename(next(target for target in files.values() if target.name == kept.name))
        raise


@contextmanager
def _folder_beside(out: Path) -> Iterator[Path]:
    """A private folder beside the target; folders that were made for it go where nothing was written."""
    parent = out.absolute().parent
    made = [each for each in (parent, *parent.parents) if not each.exists()]
    parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{out.name[:60]}.equitydata-"
    try:
        _sweep(parent, prefix)
        workshop = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))  # mode 0700
        try:
            yield workshop
        finally:
            shutil.rmtree(workshop, ignore_errors=True)
    finally:
        if not out.exists():
            for each in made:
                with suppress(OSError):  # someone else has put something there
                    each.rmdir()


def _sweep(parent: Path, prefix: str) -> None:
    """Clear what a killed run left; a young workshop may belong to a run that is still writing.

    A run that was killed between the two moves left the earlier pair in its workshop: it goes back.
    """
    before = time.time() - _STALE_SECONDS
    for path in parent.iterdir():
        if path.name.startswith(prefix) and path.is_dir() and path.stat().st_mtime < before:
            for kept in (path / "earlier").glob("*"):
                if not (parent / kept.name).exists():
                    kept.rename(parent / kept.name)
            shutil.rmtree(path, ignore_errors=True)
