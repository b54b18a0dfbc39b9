"""Words -> one function call -> where the output lies.

Results go to stdout, progress and errors to stderr. Exit codes: 0 done; 1 a criterion is not met (only with
--fail-under); 2 wrong use or service file; 3 input refused; 4 output failed; 130 interrupted.
Heavy libraries are imported inside the commands, so that --help starts at once.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from equitydata.errors import ConfigError, EquityDataError, OutputError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from equitydata.release.earlier import Earlier
    from equitydata.result import EquityResult
    from equitydata.service import Service

app = typer.Typer(
    name="equitydata",
    help="From a service extract to its data-domain tier, with the evidence for every criterion.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
reference_app = typer.Typer(
    help="Reference tables: who lives here, with source and date.", no_args_is_help=True
)
config_app = typer.Typer(help="The service file.", no_args_is_help=True)
app.add_typer(reference_app, name="reference")
app.add_typer(config_app, name="config")

SECONDS_BEFORE_PROGRESS = 1.0
INTERRUPTED = 130
DEMO_FOLDER = Path("equitydata-report-demo")

ServiceFile = Annotated[
    Path, typer.Argument(help="service.toml, or an extract whose columns are then guessed.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the report.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an earlier report in that folder.")]
Disclosure = Annotated[
    str | None,
    typer.Option(
        "--disclosure",
        help="Small-number rule: nhs, opensafely, under-5, threshold-10, hide-N-round-M or none.",
    ),
]
MergeSparse = Annotated[
    bool,
    typer.Option(
        "--merge-sparse", help="Put groups of few people together with others of their broader group."
    ),
]
Previous = Annotated[
    list[Path] | None,
    typer.Option(
        "--previous", help="Report folder or manifest.json of an earlier release; may be given several times."
    ),
]
AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="Day of the rating; today when left out."),
]
FailUnder = Annotated[
    str | None, typer.Option("--fail-under", help="Exit with 1 below this tier of the data domain.")
]
ExtractPath = Annotated[
    str | None, typer.Option("--extract", help="Another file, folder or glob than the service file names.")
]
Audience = Annotated[
    str, typer.Option("--audience", help="Whom the report is for, for the log of runs: a role or a board.")
]
Memory = Annotated[str | None, typer.Option("--memory-limit", help='For the engine, for example "4GB".')]


def main() -> None:
    """Run the command line; every error is one clear message and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        # Without its standalone mode, the library gives the code of an early end back.
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except EquityDataError as error:
        _fail(f"Error: {error}", error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except typer.Exit as stop:
        code = stop.exit_code
    except BrokenPipeError:
        # Whoever read the output has seen enough; what is left must not complain when the program ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        _unexpected(error)
    if code == INTERRUPTED:
        _fail("Interrupted: no half-written report is left.", INTERRUPTED)
    if code:
        sys.exit(code)


def _fail(words: str, code: int) -> NoReturn:
    print(words, file=sys.stderr)
    sys.exit(code)


def _unexpected(error: Exception) -> NoReturn:
    """Say where it happened and nothing of the data: a library's own message may quote a value."""
    show = getattr(error, "show", None)
    if callable(show):  # wrong use of the command line
        show(file=sys.stderr)
        sys.exit(int(getattr(error, "exit_code", 2)))
    if isinstance(error, MemoryError):
        _fail("Error: not enough memory.\n  What to do: add --memory-limit, or use a larger machine.", 3)
    frame, place = error.__traceback__, "an unknown place"
    while frame is not None:
        file = Path(frame.tb_frame.f_code.co_filename)
        if "equitydata" in file.parts:
            place = f"{file.name}, line {frame.tb_lineno}"
        frame = frame.tb_next
    _fail(
        f"Error: a fault of equitydata itself ({type(error).__name__} in {place}).\n"
        "  What to do: report it with these words; no data is in them.",
        3,
    )


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from importlib.metadata import version as installed

        print(f"equitydata {installed('equitydata')}")
        raise typer.Exit


# ---------------------------------------------------------------- commands


# The sample ends in March 2026; on a later day its attestations would lapse and the demo would change.
DEMO_DAY = datetime(2026, 4, 1)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the report.")] = DEMO_FOLDER,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Run the main job on the shipped sample: synthetic data, no network."""
    from equitydata.reference import sample_folder

    # The demo's own folder may always be replaced; any other may hold a real report.
    force = force or out == DEMO_FOLDER
    _check_folder(out, force=force)
    result = _analyse(_load(sample_folder() / "service.toml"), None, DEMO_DAY, None)
    released = _release(result, None)
    page = _write(released, out, force=force)
    _show(result, released, as_json=as_json, page=page)


@app.command()
def init(
    extract: Annotated[
        str, typer.Argument(help="CSV, Excel or Parquet file, folder, glob or database address.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Service file to write.")] = Path("service.toml"),
    name: Annotated[str, typer.Option("--name", help="Name of the service.")] = "",
    sheet: Annotated[str | None, typer.Option("--sheet", help="Sheet of an Excel workbook.")] = None,
    table: Annotated[str | None, typer.Option("--table", help="Table of a database.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing service file.")] = False,
    as_json: Json = False,
) -> None:
    """Write a commented service file from an extract."""
    from equitydata.drafting import draft_service
    from equitydata.service import load_service

    if out.exists() and not force:
        raise OutputError(
            "The service file exists already.", where=str(out), mend="Choose --out, or add --force."
        )
    _progress("Looking at the columns and values")
    path = "" if "://" in extract else _relative(extract, out)
    text = draft_service(extract, name=name, path=path, sheet=sheet, table=table)
    _write_text(out, text)
    service = load_service(out)
    if as_json:
        _print_json({"service_file": out.name, "characteristics": sorted(service.characteristics)})
        return
    print(f"OK    {out}: {_mapped(service)}")
    for lack in _lacks(service):
        print(f"WARN  {lack}")
    print(f"Next  look at the lines marked GUESS, then: equitydata check {out}")


def _mapped(service: Service) -> str:
    names = ", ".join(service.characteristics)
    count = len(service.characteristics)
    return f"{count} {'characteristic' if count == 1 else 'characteristics'} found{f': {names}' if names else ''}"


def _lacks(service: Service) -> list[str]:
    """What the rating rests on and no column looked like."""
    absent = [name for name in ("ethnicity", "language") if name not in service.characteristics]
    lacks = [f"no column looked like {name}: the 95% rule needs it" for name in absent]
    if service.extract.person is None:
        lacks.append("no column tells people apart: every record will count as one person")
    return lacks


@app.command()
def check(
    service_file: ServiceFile, extract: ExtractPath = None, as_json: Json = False, memory_limit: Memory = None
) -> None:
    """Read the extract and say how each column was understood; nothing is rated or written."""
    from equitydata import console
    from equitydata.analysis import check as run_check
    from equitydata.release.released import release

    service, data = _load_any(service_file, extract)
    # Measures are tried too, so that a column that does not hold is found here and not in the long run.
    released = release(run_check(service, data, memory_limit=memory_limit, progress=_slow_progress()))
    if as_json:
        from equitydata.console import measure_words

        _print_json(
            {
                "intake": _intake(released),
                "measures": {
                    name: {"label": measure.label, "words": measure_words(measure)}
                    for name, measure in service.measures.items()
                },
                "codes": _records(released.table("codes")),
                "identifiers": _records(released.table("identifiers")),
                "notes": list(released.notes),
            }
        )
        return
    console.print_intake(released)
    console.print_columns(released, service)
    console.print_measures(service)
    for note in released.notes:
        print(f"NOTE  {note}")
    console.print_rule(released)


@app.command()
def audit(
    service_file: ServiceFile,
    extract: ExtractPath = None,
    out: Out = None,
    disclosure: Disclosure = None,
    force: Force = False,
    as_of: AsOf = None,
    fail_under: FailUnder = None,
    as_json: Json = False,
    memory_limit: Memory = None,
    previous: Previous = None,
    merge_sparse: MergeSparse = False,
) -> None:
    """Audit completeness and verification, and rate the data domain; no outcome is counted."""
    result, *_ = _run(
        service_file,
        extract,
        out,
        disclosure,
        force,
        as_of,
        fail_under,
        as_json,
        memory_limit,
        previous,
        merge_sparse,
        full=False,
    )
    _judge(result, fail_under)


@app.command()
def analyse(
    service_file: ServiceFile,
    extract: ExtractPath = None,
    out: Out = Path("equitydata-report"),
    disclosure: Disclosure = None,
    force: Force = False,
    as_of: AsOf = None,
    fail_under: FailUnder = None,
    as_json: Json = False,
    memory_limit: Memory = None,
    audience: Audience = "",
    no_history: Annotated[
        bool, typer.Option("--no-history", help="Leave this run out of the log of runs.")
    ] = False,
    previous: Previous = None,
    merge_sparse: MergeSparse = False,
    profile: Annotated[
        list[str] | None,
        typer.Option(
            "--profile",
            help="Population that gets a page of its own: ethnicity=Bangladeshi,sex=Female. Repeatable.",
        ),
    ] = None,
) -> None:
    """Everything: audit, outcomes by group, comparison with residents, rating, and the report folder."""
    _check_audience(audience)
    result, service, released = _run(
        service_file,
        extract,
        out,
        disclosure,
        force,
        as_of,
        fail_under,
        as_json,
        memory_limit,
        previous,
        merge_sparse,
        full=True,
        profiles=_populations(profile or []),
    )
    # An extract without a service file has no place of its own for a log, which keeps to the service's own rule.
    if service_file.suffix.lower() == ".toml" and not no_history:
        _log(result if disclosure else released, service, audience=audience, as_json=as_json)
    _judge(result, fail_under)


@app.command()
def rate(
    service_file: ServiceFile,
    extract: ExtractPath = None,
    as_of: AsOf = None,
    fail_under: FailUnder = None,
    as_json: Json = False,
    memory_limit: Memory = None,
) -> None:
    """The tier of each area and what would lift the data domain; from attestations alone without an extract."""
    from equitydata import console
    from equitydata.analysis import rate as rate_alone
    from equitydata.release.released import release

    _check_choices(None, fail_under)
    service, data = _load_any(service_file, extract)
    if data is None and service.extract.path is None and service.extract.url is None:
        result = rate_alone(service, as_of=as_of.date() if as_of else None)
    else:
        result = _analyse(service, data, as_of, memory_limit)
    released = release(result)
    if as_json:
        _print_rating(released)
    else:
        print(f"{released.about.name}\nData domain: {released.maturity.tier}")
        console.print_areas(released)
        console.print_next_steps(released, most=10)
        console.print_rule(released)
    _judge(result, fail_under)


@app.command()
def profile(
    service_file: ServiceFile,
    group: Annotated[
        list[str] | None,
        typer.Option("--group", help="characteristic=category, one or two: --group ethnicity=Bangladeshi."),
    ] = None,
    extract: ExtractPath = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File for the profile: .md, or .json with --json.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    disclosure: Disclosure = None,
    as_of: AsOf = None,
    as_json: Json = False,
    memory_limit: Memory = None,
) -> None:
    """One population across every table; of the whole service where no group is named."""
    from equitydata.profiles import make_community_profile, make_profile
    from equitydata.release.released import release

    _check_choices(disclosure, None)
    groups = _groups(group or [], option="--group")
    if out is not None and out.exists() and not force:
        raise OutputError("The file exists already.", where=str(out), mend="Choose --out, or add --force.")
    service, data = _load_any(service_file, extract)
    released = release(_analyse(service, data, as_of, memory_limit), disclosure)
    made = make_profile(released, **groups) if groups else make_community_profile(released)
    text = made.to_json() if as_json else made.to_markdown()
    if out is None:
        print(text)
        return
    _write_text(out, text)
    print(f"Profile: {out}")


def _groups(given: Sequence[str], *, option: str) -> dict[str, str]:
    """The groups that an option names, as characteristic=category; each characteristic once."""
    groups: dict[str, str] = {}
    for each in given:
        name, equals, category = (part.strip() for part in each.partition("="))
        if not (name and equals and category):
            raise ConfigError(
                f"'{each}' is no group.", where=option, mend=f"Write it as {option} ethnicity=Bangladeshi."
            )
        if name in groups:
            raise ConfigError(
                f"'{name}' is named twice.", where=option, mend="A profile is of one category of each."
            )
        groups[name] = category
    return groups


def _populations(given: Sequence[str]) -> list[dict[str, str]]:
    """Populations of --profile options; a comma parts two groups only where another characteristic follows."""
    return [_groups(re.split(r",(?=\s*\w+\s*=)", each), option="--profile") for each in given]


@app.command()
def deidentify(
    service_file: ServiceFile,
    extract: ExtractPath = None,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="File to write: .csv or .parquet; its manifest lies beside it."),
    ] = Path("shared/shared.csv"),
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file", help="Key of the pseudonyms; without it they hold within this file alone."
        ),
    ] = None,
    make_key: Annotated[
        bool, typer.Option("--make-key", help="Make the key file if it is not there.")
    ] = False,
    quasi_identifier: Annotated[
        list[str] | None,
        typer.Option("--by", help="Characteristic that stays, in groups; may be given several times."),
    ] = None,
    sensitive: Annotated[
        list[str] | None,
        typer.Option("--sensitive", help="Column of which every group must hold several values; repeatable."),
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", help="Further column that stays; repeatable.")
    ] = None,
    k: Annotated[int | None, typer.Option("--k", help="People in the smallest group.", min=2)] = None,
    variety: Annotated[
        int | None, typer.Option("--l", help="Values of each sensitive column in a group.", min=1)
    ] = None,
    dates: Annotated[
        str | None, typer.Option("--dates", help="month, quarter, year, or offset (moved person by person).")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and lost; nothing is written.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier file of that name.")] = False,
    as_json: Json = False,
    memory_limit: Memory = None,
) -> None:
    """Make the extract fit to share inside the organisation: pseudonyms, coarser values, no small groups."""
    from equitydata.deidentifying import deidentify as run

    service, data = _load_any(service_file, extract)
    made = run(
        service,
        data,
        out=None if dry_run else out,
        key_file=key_file,
        make_key=make_key,
        quasi_identifiers=quasi_identifier or None,
        sensitive=sensitive or None,
        keep=keep or None,
        k=k,
        l=variety,
        dates=dates,
        force=force,
        memory_limit=memory_limit,
        progress=_slow_progress(),
    )
    if as_json:
        _print_json(made.manifest)
        return
    print(f"{service.service.name}: {'a trial run, nothing is written' if dry_run else out}")
    print(made)
    if made.manifest_path is not None:
        print(f"\nManifest: {made.manifest_path}")


@app.command()
def combine(
    ratings: Annotated[
        list[Path], typer.Argument(help="rating.json of each service, or the folders of their reports.")
    ],
    organisation: Annotated[
        Path | None,
        typer.Option(
            "--organisation", help="Service file of the organisation, with its name and attestations."
        ),
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option(
            "--rule", help="How services roll up: every, pooled or share; see `roll_up` under [rules]."
        ),
    ] = None,
    out: Out = None,
    force: Force = False,
    as_of: AsOf = None,
    fail_under: FailUnder = None,
    as_json: Json = False,
) -> None:
    """Combine the ratings of services into the rating of their organisation."""
    from equitydata import console
    from equitydata.analysis import run_date
    from equitydata.combining import combine as roll_up
    from equitydata.combining import read_services
    from equitydata.release.released import release
    from equitydata.rulebook import load_rulebook

    _check_choices(None, fail_under)
    if out is not None:
        _check_folder(out, force=force)
    own = _load(organisation) if organisation is not None else None
    changes = {**(own.rules if own else {}), **({"roll_up": rule} if rule else {})}
    result = roll_up(
        read_services(ratings),
        own,
        rulebook=load_rulebook(changes),
        as_of=as_of.date() if as_of else run_date(),
    )
    released = release(result)
    page = _write(released, out, force=force) if out is not None else None
    if as_json:
        _print_rating(released)
    else:
        print(f"{released.about.name}\nData domain: {released.maturity.tier}")
        console.print_services(released)
        console.print_areas(released)
        console.print_next_steps(released, most=10)
        console.print_rule(released)
        if page is not None:
            print(f"Report: {page}")
    _judge(result, fail_under)


@app.command()
def history(
    place: Annotated[Path, typer.Argument(help="service.toml, or the folder or file of the log of runs.")],
    as_json: Json = False,
) -> None:
    """Progress over runs: the tier, and how many people have ethnicity and language known."""
    from equitydata import console
    from equitydata.history.log import damaged_lines, log_of, progress_table, read_runs

    if place.suffix.lower() == ".toml":
        service = _load(place)
        log, name = log_of(service), service.service.name
    else:
        if not place.exists():
            raise ConfigError(
                "There is no such file or folder.",
                where=str(place),
                mend="Give the service file or its folder.",
            )
        log, name = place, ""
    progress = progress_table(read_runs(log, service=name))
    for words in damaged_lines(log):
        print(f"WARN  {words}", file=sys.stderr)
    if as_json:
        _print_json(_records(progress))
        return
    console.print_progress(progress)


@app.command()
def criteria(
    level: Annotated[str, typer.Argument(help="service or organisation.")] = "service",
    area: Annotated[str | None, typer.Option("--area", help="Four letters, for example QUAN.")] = None,
    as_json: Json = False,
) -> None:
    """List the criteria of a matrix with how each is decided."""
    from equitydata.reference import criteria as all_criteria

    levels = ("service", "organisation")
    if level not in levels:
        raise ConfigError(f"No level '{level}'.", mend=nearest(level, levels))
    table = all_criteria(level)
    codes = table["criterion_id"].str.split("-").str[1]
    if area is not None:
        if area.upper() not in set(codes):
            raise ConfigError(f"No area '{area}'.", mend=nearest(area.upper(), set(codes)))
        table = table[codes == area.upper()]
    if as_json:
        _print_json(_records(table))
        return
    for name, frame in table.groupby("area", sort=False):
        print(f"\n{name}")
        for row in frame.itertuples(index=False):
            marks = f"{row.tier}, {row.evidence_type}" + (
                "" if row.required == "core" else f", {row.required}"
            )
            print(f"  {row.criterion_id:<11} {row.criterion}\n              [{marks}] {row.how_measured}")


@reference_app.command("list")
def reference_list(as_json: Json = False) -> None:
    """List the reference tables with date, population base and source."""
    from equitydata.reference import catalogue

    table = catalogue()
    if as_json:
        _print_json(_records(table))
        return
    for row in table.itertuples(index=False):
        print(f"{row.name:<36} {row.rows:>7,} rows  {row.reference_date:<11} {row.title}")


@reference_app.command("show")
def reference_show(
    name: Annotated[str, typer.Argument(help="Name of a table, as `reference list` gives it.")],
    area: Annotated[
        list[str] | None, typer.Option("--area", help="Code or name of an area; may be repeated.")
    ] = None,
    rows: Annotated[int, typer.Option("--rows", help="Rows to show.", min=1)] = 40,
    as_json: Json = False,
) -> None:
    """Show a table with its source; a census topic is summed over the areas asked for."""
    from equitydata import reference

    found = reference.catalogue().set_index("name")
    table = reference.read_table(name)
    if area:
        codes = [each.code for each in reference.resolve_areas(area)]
        table = reference.population(name, codes, leaves=False)
    if as_json:
        _print_json(_records(table if area else table.head(rows)))
        return
    entry = found.loc[name]
    print(f"{entry['title']}\n  Date: {entry['reference_date']}   Base: {entry['population_base']}")
    print(f"  Source: {entry['source']}\n  Licence: {entry['licence']}")
    if str(entry["notes"]) not in ("", "nan"):
        print(f"  Note: {entry['notes']}")
    print(table.head(rows).to_string(index=False))
    if len(table) > rows:
        print(f"... {len(table) - rows:,} more rows")


@reference_app.command("add")
def reference_add(
    file: Annotated[
        Path, typer.Argument(help="CSV of residents: tidy, a Nomis download, or an ONS custom table.")
    ],
    characteristic: Annotated[
        str, typer.Option("--characteristic", help="Of which its categories are, for example ethnicity.")
    ],
    name: Annotated[str, typer.Option("--name", help="Short name; from the file when left out.")] = "",
    folder: Annotated[
        Path, typer.Option("--folder", help="Where it is kept: `reference` beside the service file.")
    ] = Path("reference"),
    title: Annotated[str, typer.Option("--title", help="Title, where the file has none.")] = "",
    date: Annotated[str, typer.Option("--date", help="Day or year that it is of: 2021-03-21.")] = "",
    source: Annotated[str, typer.Option("--source", help="Who published it.")] = "",
    licence: Annotated[str, typer.Option("--licence", help="Licence that it came under.")] = "",
    base: Annotated[
        str, typer.Option("--base", help="Whom it counts: All usual residents aged 16 and over.")
    ] = "",
    from_age: Annotated[
        int | None,
        typer.Option("--from-age", help="Youngest age in it; read from its base when left out.", min=0),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a table of that name.")] = False,
    as_json: Json = False,
) -> None:
    """Add a table of residents of your own, to be looked at before those of the package."""
    from equitydata.representation.own_tables import add_table

    if not file.is_file():
        raise ConfigError("There is no such file.", where=str(file), mend="Give the CSV that was downloaded.")
    added = add_table(
        file,
        characteristic=characteristic,
        folder=folder,
        name=name,
        title=title,
        date=date,
        source=source,
        licence=licence,
        base=base,
        from_age=from_age,
        replace=force,
    )
    if as_json:
        facts = ("name", "characteristic", "level", "layout", "title", "reference_date", "notes")
        _print_json({**{fact: getattr(added, fact) for fact in facts}, "file": added.file.name})
        return
    print(f"OK    {added.name}: {added.title} ({added.reference_date})")
    areas, groups = added.table["area_code"].nunique(), added.table["category"].nunique()
    print(f"      {areas:,} areas, {groups:,} categories, layout {added.layout}: {added.file}")
    for note in added.notes:
        print(f"NOTE  {note}")


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of the service file."""
    from equitydata.service import service_schema

    _print_json(service_schema())


# ---------------------------------------------------------------- running


def _load(path: Path) -> Service:
    from equitydata.service import load_service

    return load_service(path)


def _load_any(path: Path, extract: str | None) -> tuple[Service, Any]:
    """A service file; or an extract, whose columns are then guessed."""
    if path.suffix.lower() == ".toml":
        return _load(path), extract
    import tomllib

    from equitydata.drafting import draft_service
    from equitydata.service import make_service

    _progress("Guessing the columns, as no service file was given (`equitydata init` writes one)")
    text = draft_service(str(path), path=path.name)
    return make_service(tomllib.loads(text), folder=path.parent, text=text), extract


def _analyse(
    service: Service,
    extract: Any,
    as_of: datetime | None,
    memory_limit: str | None,
    *,
    outcomes: bool = True,
) -> EquityResult:
    from equitydata.analysis import analyse as run

    day = as_of.date() if as_of else None
    return run(
        service, extract, as_of=day, outcomes=outcomes, memory_limit=memory_limit, progress=_slow_progress()
    )


def _slow_progress() -> Callable[[str], None]:
    """Progress that is silent until a run takes longer than a moment."""
    started = time.monotonic()

    def progress(words: str) -> None:
        if time.monotonic() - started >= SECONDS_BEFORE_PROGRESS:
            _progress(words)

    return progress


def _run(
    service_file: Path,
    extract: str | None,
    out: Path | None,
    disclosure: str | None,
    force: bool,
    as_of: datetime | None,
    fail_under: str | None,
    as_json: bool,
    memory_limit: str | None,
    previous: Sequence[Path] | None,
    merge_sparse: bool,
    *,
    full: bool,
    profiles: Sequence[Mapping[str, str]] = (),
) -> tuple[EquityResult, Service, EquityResult]:
    """Analyse, release, write and show, as `audit` and `analyse` (full) do; gives the true and the released result."""
    _check_choices(disclosure, fail_under)
    earlier = _earlier(previous)
    if out is not None:
        _check_folder(out, force=force)
    service, data = _load_any(service_file, extract)
    if merge_sparse:
        # What is merged is what the rule in force would hide.
        rules = {"sparse_categories": "merge", **({"disclosure": disclosure} if disclosure else {})}
        service = service.model_copy(update={"rules": {**service.rules, **rules}})
    result = _analyse(service, data, as_of, memory_limit, outcomes=full)
    released = _release(result, disclosure, earlier)
    page = _write(released, out, force=force, profiles=profiles) if out is not None else None
    _show(result, released, as_json=as_json, page=page, full=full)
    return result, service, released


def _earlier(previous: Sequence[Path] | None) -> list[Earlier]:
    """Earlier releases, read before the work so that a wrong path is told at once."""
    if not previous:
        return []
    from equitydata.release.earlier import read_earlier

    return [read_earlier(path) for path in previous]


def _release(result: EquityResult, disclosure: str | None, earlier: Sequence[Earlier] = ()) -> EquityResult:
    from equitydata.release.released import release

    _progress("Looking for small numbers that could be worked out")
    return release(result, disclosure, earlier=earlier)


def _log(result: EquityResult, service: Service, *, audience: str, as_json: bool) -> None:
    """Add the run to the log beside the service file, and say so."""
    from equitydata.report.folder import log_run

    path = log_run(result, service, date=result.about.as_of, report=True, audience=audience)
    if not as_json:
        print(f"Log of runs: {path}")


def _check_choices(disclosure: str | None, fail_under: str | None) -> None:
    """Refuse a misspelt option before the work, and not after it."""
    from equitydata.model import TIERS
    from equitydata.rulebook import disclosure_rule

    if disclosure is not None:
        disclosure_rule(disclosure)
    if fail_under is not None and fail_under.casefold() not in {tier.casefold() for tier in TIERS}:
        raise ConfigError(f"No tier '{fail_under}'.", where="--fail-under", mend=nearest(fail_under, TIERS))


def _check_audience(audience: str) -> None:
    """Refuse words that could identify someone before the work; `append_run` looks again."""
    from equitydata.identifier_patterns import identifiers_in

    if audience and identifiers_in(audience):
        raise ConfigError(
            "It looks as if it could identify someone.",
            where="--audience",
            mend="Name a role or a group, such as 'Service board', and not a person.",
        )


def _check_folder(out: Path, *, force: bool) -> None:
    """Refuse a folder that will be refused anyway before the work; `write_report` looks again, and closer."""
    if (out / "manifest.json").is_file() and not force:
        raise OutputError(
            "The folder already holds a report.", where=out.name, mend="Add --force or choose another folder."
        )
    there = next(parent for parent in (out.absolute().parent, *out.absolute().parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise OutputError("Nothing can be written there.", where=there.name, mend="Choose another folder.")


def _write(
    released: EquityResult, out: Path, *, force: bool, profiles: Sequence[Mapping[str, str]] = ()
) -> Path:
    from equitydata.report.folder import write_report

    _progress("Writing the report")
    return write_report(released, out, force=force, profiles=profiles).page


def _judge(result: EquityResult, fail_under: str | None) -> None:
    from equitydata.model import TIERS

    if fail_under is None:
        return
    wanted = next(tier for tier in TIERS if tier.casefold() == fail_under.casefold())
    reached = TIERS.index(result.maturity.tier) if result.maturity.tier in TIERS else 0
    if reached < TIERS.index(wanted):
        print(f"FAIL  the data domain is below {wanted}", file=sys.stderr)
        raise typer.Exit(1)


# ---------------------------------------------------------------- printing


def _progress(words: str) -> None:
    print(f"{words} ...", file=sys.stderr, flush=True)


def _show(
    result: EquityResult, released: EquityResult, *, as_json: bool, page: Path | None, full: bool = True
) -> None:
    from equitydata import console

    if as_json:
        _print_rating(released)
        return
    console.print_result(result, released, full=full)
    if page is not None:
        print(f"Report: {page}")


def _print_rating(released: EquityResult) -> None:
    from equitydata.rating import make_rating

    print(make_rating(released).model_dump_json(indent=1))


def _records(table: Any) -> list[dict[str, Any]]:
    from equitydata.tables import plain

    return [{key: plain(value) for key, value in row.items()} for row in table.to_dict("records")]


def _intake(result: EquityResult) -> dict[str, Any]:
    from dataclasses import asdict

    intake = result.intake
    return {**asdict(intake), "rows_used": intake.rows_used, "rows_rejected": intake.rows_rejected}


def _print_json(content: Any) -> None:
    print(json.dumps(content, indent=1, ensure_ascii=False, default=str))


def _relative(extract: str, out: Path) -> str:
    """How the service file names the extract: relative to itself; in full where they lie on different drives."""
    here = Path(extract).absolute()
    try:
        return Path(os.path.relpath(here, out.absolute().parent)).as_posix()
    except ValueError:
        return here.as_posix()


def _write_text(path: Path, text: str) -> None:
    """Write whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise OutputError(
            f"Cannot be written ({error.strerror}).",
            where=str(path),
            mend="Choose --out in a folder of yours.",
        ) from None
