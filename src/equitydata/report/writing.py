"""Words made harmless, tables as CSV, and a folder that is written whole or not at all.

What comes from outside (labels, column and file names) may hold anything: control and direction characters,
spreadsheet formulas, forty thousand letters. What leaves through here shows such things and runs none.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from equitydata.errors import OutputError
from equitydata.tables import HIDDEN, TableSpec
from equitydata.written import (
    HIDDEN_CELL,
    LABEL_LIMIT,
    SENTENCE_LIMIT,
    SENTENCES,
    UNAVAILABLE_CELL,
    visible,
    without_formula,
)

TOOL = "equitydata"
MANIFEST = "manifest.json"
# What file managers leave in any folder; nobody misses it.
_LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
_EARLIER = "earlier"
_STALE_SECONDS = 3600


# ---------------------------------------------------------------- tables


def guarded_columns(spec: TableSpec) -> tuple[str, ...]:
    """Columns that give a hidden count away: the counts and all that is worked out from them."""
    return tuple(dict.fromkeys((*spec.counts, *share_columns(spec), *spec.estimates, *spec.derived)))


def share_columns(spec: TableSpec) -> tuple[str, ...]:
    """Columns of shares and of their limits, as far as the table has them."""
    names = (name for share in spec.shares for name in (share.value, share.lower, share.upper))
    return tuple(name for name in dict.fromkeys(names) if name in spec.columns)


def number_form(column: str, spec: TableSpec) -> str:
    """How a number of a column is written: shares with 4 decimals, a column that holds rates too with 4 digits."""
    mixed = {
        name
        for share in spec.shares
        if share.only is not None
        for name in (share.value, share.lower, share.upper)
    }
    if column in mixed:
        return ".4g"
    return ".4f" if column == "share" or column in share_columns(spec) else ".10g"


def with_symbols(frame: pd.DataFrame, spec: TableSpec) -> pd.DataFrame:
    """A released table whose empty cells say why: [c] hidden, [x] not available; text stays, numbers stay.

    Returns the columns of the specification and, where the table holds counts, `hidden`.
    """
    columns = [*spec.columns, *([HIDDEN] if HIDDEN in frame.columns else [])]
    shown = frame[columns].astype("object").reset_index(drop=True)
    shown = shown.mask(shown.isna(), UNAVAILABLE_CELL)
    if HIDDEN in shown:
        rows = shown[HIDDEN].astype(bool)
        for column in guarded_columns(spec):
            shown[column] = shown[column].mask(rows, HIDDEN_CELL)
    return shown


def csv_bytes(frame: pd.DataFrame, spec: TableSpec) -> bytes:
    """A released table as CSV: UTF-8 without a byte order mark, shares with 4 decimals, no live formula."""
    shown = with_symbols(frame, spec)
    written = {}
    for column in shown:
        # Few distinct values in many rows: each is written once.
        limit = SENTENCE_LIMIT if column in SENTENCES else LABEL_LIMIT
        form = number_form(str(column), spec)
        texts = {value: _csv_cell(value, limit, form=form) for value in shown[column].unique()}
        written[column] = shown[column].map(texts)
    return (
        pd.DataFrame(written, columns=shown.columns).to_csv(index=False, lineterminator="\n").encode("utf-8")
    )


def _csv_cell(value: Any, limit: int, *, form: str) -> str:
    if isinstance(value, str):
        return without_formula(value, limit)
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    return format(value, form)


# ---------------------------------------------------------------- files


def json_bytes(content: Any) -> bytes:
    """JSON as UTF-8, indented, in the order given; NaN is refused."""
    return (json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode("utf-8")


def sha256(content: bytes) -> str:
    """SHA-256 as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def write_folder(files: Mapping[str, bytes], folder: str | Path, *, force: bool, private: bool) -> Path:
    """Write a whole report folder, or nothing.

    files : name below the folder, with "/" -> content; manifest.json among them.
    force : an earlier report in its place is replaced.
    private : the folder can be opened by its owner alone.
    Everything is first written to a fresh private folder beside the target and then moved into place; an
    earlier report stays as it is until the new one is complete. Returns the absolute folder.
    Raises OutputError where the place is taken by something else, or the disk refuses.
    """
    # abspath and not resolve: a link in place of the folder must be seen, not followed.
    target = Path(os.path.abspath(folder))  # noqa: PTH100
    _refuse_taken(target, force=force)
    try:
        with _workshop(target) as workshop:
            fresh = workshop / "fresh"
            _fill(fresh, files, private=private)
            _refuse_taken(target, force=force)  # another run may have come first
            if target.exists():
                target.rename(workshop / _EARLIER)
            fresh.rename(target)
            _sync_folder(target.parent)
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise OutputError(
            f"The report could not be written: {cause}. Nothing was changed.",
            where=target.name,
            mend="Check the free space and your rights in that place, or choose another folder.",
        ) from None
    return target


def _refuse_taken(target: Path, *, force: bool) -> None:
    """Raise OutputError unless the target is free, empty, or an earlier report that may be replaced."""
    another = "Choose another folder."
    if target.is_symlink():
        raise OutputError("The output folder is a link.", where=target.name, mend="Name the folder itself.")
    if not target.exists():
        return
    if not target.is_dir():
        raise OutputError("There is a file of that name.", where=target.name, mend=another)
    present = _present(target)
    if not present:
        return
    ours = _listed_outputs(target)
    if ours is None:
        raise OutputError(
            "The folder holds something other than an equitydata report.", where=target.name, mend=another
        )
    strangers = sorted(present - ours - {MANIFEST})
    if strangers:
        raise OutputError(
            f"The folder holds {len(strangers)} files that are not the report's, which would be lost: "
            f"{', '.join(visible(name) for name in strangers[:3])}{' …' if len(strangers) > 3 else ''}.",
            where=target.name,
            mend="Move them elsewhere, or choose another folder.",
        )
    if not force:
        raise OutputError(
            "The folder already holds a report.",
            where=target.name,
            mend="Add --force or choose another folder.",
        )


def _present(folder: Path) -> set[str]:
    """Files below a folder, by name with "/"; links and empty folders count, litter does not."""
    found = set()
    for path in folder.rglob("*"):
        if path.name in _LITTER or (path.is_dir() and not path.is_symlink() and any(path.iterdir())):
            continue
        found.add(path.relative_to(folder).as_posix())
    return found


def _listed_outputs(folder: Path) -> set[str] | None:
    """Files that an earlier manifest of ours lists; None where there is no such manifest."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return set(manifest["outputs"]) if manifest["tool"] == TOOL else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def _workshop(target: Path) -> Iterator[Path]:
    """A private folder beside the target, gone afterwards whatever happens."""
    made = _make_parents(target.parent)
    try:
        prefix = f".{target.name[:60]}.{TOOL}-"
        _sweep(target, prefix)
        workshop = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))  # mode 0700
        try:
            yield workshop
        finally:
            _clear(workshop, target)
    finally:
        if not target.exists():
            for parent in made:
                with suppress(OSError):  # someone else has put something there
                    parent.rmdir()


def _make_parents(folder: Path) -> list[Path]:
    """Make missing folders above the target. Returns those made, the deepest first."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _clear(workshop: Path, target: Path) -> None:
    """Put an earlier report back where the new one did not get into place, and remove the workshop."""
    earlier = workshop / _EARLIER
    if earlier.exists() and not target.exists():
        earlier.rename(target)
    # What cannot be removed now (a file open elsewhere) is swept by a later run.
    shutil.rmtree(workshop, ignore_errors=True)


def _sweep(target: Path, prefix: str) -> None:
    """Clear what a killed run left; a young workshop may belong to a run that is still writing."""
    before = time.time() - _STALE_SECONDS
    for path in target.parent.iterdir():
        if path.name.startswith(prefix) and path.is_dir() and path.stat().st_mtime < before:
            _clear(path, target)


def _fill(folder: Path, files: Mapping[str, bytes], *, private: bool) -> None:
    folder.mkdir(mode=0o700 if private else 0o777)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    for each in {(folder / name).parent for name in files}:
        _sync_folder(each)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
