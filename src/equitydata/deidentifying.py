"""The run of `deidentify`, top to bottom: an extract and its service file -> a file fit to share, and its manifest.

The file is still personal data: pseudonyms can be undone by whoever has the key, and people who know more can know
more. It is for sharing inside the organisation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from equitydata.errors import ConfigError
from equitydata.records.databases import is_address
from equitydata.records.deidentifying import (
    Asked,
    Key,
    SharedTable,
    chance_key,
    check_place,
    deidentify_records,
    open_workshop,
    read_key,
    what_is_asked,
)
from equitydata.records.deidentifying import make_key as write_key
from equitydata.records.engine import Engine, open_engine
from equitydata.records.extract import Extract, open_extract
from equitydata.records.paths import find_files
from equitydata.records.text_stream import sha256_of
from equitydata.report.writing import json_bytes
from equitydata.rulebook import disclosure_rule
from equitydata.service import Service
from equitydata.sharing.manifest import Tables, make_manifest, make_tables
from equitydata.sharing.words import summary

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Deidentified:
    """A shared file and what was done to make it; nothing in here is of one person.

    path, manifest_path : the file and its manifest; None for a trial run, which writes nothing.
    manifest : its content. columns, levels, groups : its tables. Counts obey the service's small-number rule.
    """

    path: Path | None
    manifest_path: Path | None
    manifest: Mapping[str, Any]
    columns: pd.DataFrame
    levels: pd.DataFrame
    groups: pd.DataFrame

    def __str__(self) -> str:
        return summary(self.manifest)


def silent(_: str) -> None:
    """The progress of a run that nobody watches."""


def deidentify(
    service: Service,
    extract: Any = None,
    *,
    out: str | Path | None,
    key_file: str | Path | None = None,
    make_key: bool = False,
    quasi_identifiers: Sequence[str] | None = None,
    sensitive: Sequence[str] | None = None,
    keep: Sequence[str] | None = None,
    dropped: Sequence[str] | None = None,
    pseudonymise: Sequence[str] | None = None,
    k: int | None = None,
    l: int | None = None,  # noqa: E741 (the letter that the literature has)
    suppress_at_most: float | None = None,
    dates: str | None = None,
    coarsest: Mapping[str, str] | None = None,
    force: bool = False,
    memory_limit: str | None = None,
    progress: Progress = silent,
) -> Deidentified:
    """Make an extract fit to share inside the organisation.

    service : as `load_service` or `make_service` give it; its [sharing] says what is wanted.
    extract : a path, data frame or table in place of the one that the service file names. Never changed.
    out : CSV or Parquet file, by its ending; None for a trial run that writes nothing.
    key_file : of the pseudonyms; without one they hold within this file alone. make_key : make it if it is not there.
    The other arguments go before the keys of [sharing] that have their names.
    force : an earlier file of that name is replaced. memory_limit : for the engine, such as "4GB".
    Raises InputError and ConfigError for what does not hold, DisclosureError where the groups cannot be made large
    enough, OutputError where the file cannot be written. Then nothing is written.
    """
    options = {
        "quasi_identifiers": _names(quasi_identifiers),
        "sensitive": _names(sensitive),
        "keep": _names(keep),
        "dropped": _names(dropped),
        "pseudonymise": _names(pseudonymise),
        "k": k,
        "l": l,
        "suppress_at_most": suppress_at_most,
        "dates": dates,
        "coarsest": None if coarsest is None else dict(coarsest),
    }
    asked = what_is_asked(service, options)
    target = None if out is None else Path(out)
    source = _source(service, extract)
    inputs = _inputs(service, source, asked)
    if target is not None:
        check_place(target, inputs=inputs, force=force)
    key = _key(service, key_file, target, make=make_key)
    with open_engine(memory_limit=memory_limit) as engine:
        progress("Reading the extract")
        opened = _open(service, source, engine)
        made = deidentify_records(opened, service, asked, key, engine, progress=progress)
        tables = make_tables(made, disclosure_rule(service.rulebook.value("disclosure")))
        told = partial(make_manifest, made, tables, service=service, asked=asked, key=key)
        if target is None:
            return Deidentified(None, None, told(file=None), tables.columns, tables.levels, tables.groups)
        progress("Writing the file")
        return _write(made, tables, target, lambda file: told(file=file), inputs, force=force)


def _names(given: Sequence[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    return (given,) if isinstance(given, str) else tuple(given)


# ---------------------------------------------------------------- reading


def _source(service: Service, given: Any) -> Any:
    """What the extract is read from."""
    settings = service.extract
    if given is not None:
        return str(given) if isinstance(given, Path) else given
    if settings.url is not None:
        return settings.url
    if settings.path is None:
        raise ConfigError(
            "The service file names no extract.",
            where="[extract]",
            mend='Add path = "contacts.csv", or pass one.',
        )
    paths = (settings.path,) if isinstance(settings.path, str) else settings.path
    found = [str(service.folder / each) for each in paths]
    return found[0] if len(found) == 1 else found


def _inputs(service: Service, source: Any, asked: Asked) -> list[Path]:
    """Files that the run reads and never overwrites."""
    inputs = [service.folder / service.file, *([asked.postcode_lookup] if asked.postcode_lookup else [])]
    is_path = isinstance(source, str) and not is_address(source)
    if is_path or (isinstance(source, list) and all(isinstance(each, (str, Path)) for each in source)):
        inputs += find_files(source)[0]
    return inputs


def _open(service: Service, source: Any, engine: Engine) -> Extract:
    settings = service.extract
    return open_extract(
        source,
        engine=engine,
        encoding=settings.encoding,
        delimiter=settings.delimiter,
        header_row=settings.header_row,
        sheet=settings.sheet,
        table=settings.table,
        on_bad_rows=settings.bad_rows,
    )


def _key(service: Service, given: str | Path | None, target: Path | None, *, make: bool) -> Key:
    """The key of the file that was named, made first where that is asked; one of chance where none was named."""
    named = service.sharing.key_file if service.sharing else None
    path = Path(given) if given is not None else None if named is None else service.folder / named
    if path is None:
        if make:
            raise ConfigError(
                "A key is to be made, but no file is named for it.",
                where="--make-key",
                mend="Add --key-file, in a folder that is not shared.",
            )
        return chance_key()
    if make and not path.exists():
        if target is None:
            return chance_key()
        write_key(path, output=target)
    return read_key(path, output=target)


# ---------------------------------------------------------------- writing


def _write(
    made: SharedTable,
    tables: Tables,
    out: Path,
    manifest_of: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    inputs: Sequence[Path],
    *,
    force: bool,
) -> Deidentified:
    """The file and its manifest, both or neither. manifest_of : facts of the finished file -> the manifest."""
    with open_workshop(out, inputs=inputs, force=force) as workshop:
        finished = workshop.write(made.table, made.engine)
        manifest = manifest_of(
            {
                "name": out.name,
                "format": out.suffix.lower().removeprefix("."),
                "bytes": finished.stat().st_size,
                "sha256": sha256_of(finished),
            }
        )
        beside = workshop.publish(json_bytes(manifest))
    return Deidentified(out, beside, manifest, tables.columns, tables.levels, tables.groups)
