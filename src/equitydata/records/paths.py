"""A path, folder, glob or list -> the data files it means, in a fixed order."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from equitydata.errors import InputError, nearest

DATA_SUFFIXES = (
    ".csv",
    ".tsv",
    ".txt",
    ".psv",
    ".csv.gz",
    ".tsv.gz",
    ".txt.gz",
    ".xlsx",
    ".xlsm",
    ".parquet",
)


def find_files(source: str | Path | Sequence[str | Path]) -> tuple[list[Path], list[str]]:
    """The files that a source means, and notes on what was passed over.

    A folder means its own data files, known by their suffix; folders inside it are not looked at.
    Raises InputError for a missing path (with the nearest name), a folder without data, or a file twice.
    """
    if isinstance(source, str | Path):
        paths, notes = _expand(Path(source))
    else:
        if not source:
            raise InputError("The list of files is empty.", mend="Name at least one file.")
        expanded = [_expand(Path(each)) for each in source]
        paths = [path for each, _ in expanded for path in each]
        notes = [note for _, each in expanded for note in each]
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise InputError(
                f"'{path.name}' is named twice: each row would count twice.", mend="Name it once."
            )
        seen.add(path.resolve())
    return paths, notes


def _expand(path: Path) -> tuple[list[Path], list[str]]:
    if path.is_dir():
        return _in_folder(path)
    if path.exists():
        return [path], []
    if glob.has_magic(str(path)):
        found = sorted(Path(each) for each in glob.glob(str(path)))  # noqa: PTH207 (Path.glob refuses absolute ones)
        found = [each for each in found if each.is_file() and not _is_hidden(each)]
        if found:
            return found, []
        raise InputError(f"No file matches '{path.name}'.", mend="Check the folder and the pattern.")
    raise InputError(f"There is no file '{path.name}'.", mend=_nearby(path))


def _in_folder(folder: Path) -> tuple[list[Path], list[str]]:
    files = sorted(each for each in folder.iterdir() if each.is_file() and not _is_hidden(each))
    data = [each for each in files if each.name.lower().endswith(DATA_SUFFIXES)]
    if not data:
        raise InputError(
            f"The folder '{folder.name}' holds no data files.",
            mend=f"Data files end in {', '.join(DATA_SUFFIXES)}. Name the file itself if it ends otherwise.",
        )
    others = len(files) - len(data)
    return data, [f"{others} other file(s) in the folder were passed over"] if others else []


def _is_hidden(path: Path) -> bool:
    """Hidden files, and the lock files of spreadsheet programs."""
    return path.name.startswith((".", "~$"))


def _nearby(path: Path) -> str:
    if not path.parent.is_dir():
        return f"The folder '{path.parent.name}' does not exist either."
    names = [each.name for each in path.parent.iterdir() if not _is_hidden(each)]
    return nearest(path.name, names)
