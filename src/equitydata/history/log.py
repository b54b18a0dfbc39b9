"""The log of runs: what was analysed when, kept beside the service file, and what it shows.

One line of JSON per run (`equitydata-runs.jsonl`). Only released numbers are written: people rounded or left
out by the small-number rule, shares worked out from rounded counts. A line is added whole or not at all, and
lines that are there are never changed, not even damaged ones: those are named and left out.
"""

from __future__ import annotations

import datetime
import json
import os
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pydantic
from pydantic import BaseModel, ConfigDict, Field

from equitydata.errors import ConfigError, InputError, OutputError
from equitydata.history.regularity import Regularity, how_regular, months_before
from equitydata.identifier_patterns import WITHHELD, identifiers_in
from equitydata.model import TIERS, AboutService
from equitydata.rulebook import RULES_FOLDER, Rulebook
from equitydata.service import Service
from equitydata.shown import MET, NOT_ASSESSED, NOT_MET, Shown, rule_in_words
from equitydata.tables import PROGRESS_TABLE, RUNS_TABLE, empty, shape

LOG_NAME = "equitydata-runs.jsonl"
MAX_LOG_BYTES = 20_000_000
BETWEEN = "; "
_WAIT_SECONDS, _STALE_SECONDS = 10.0, 60.0


class Run(BaseModel):
    """One run, in released numbers. A key that a later version added is passed over when read."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    log: Literal[1] = Field(1, description="Version of the form of a line.")
    date: datetime.date = Field(description="Day of the run.")
    version: str = Field("", description="Version of equitydata.")
    service: str = Field(description="Name of the service.")
    level: str = Field("service", description="Service or organisation.")
    period_from: datetime.date | None = Field(None, description="First day analysed.")
    period_to: datetime.date | None = Field(None, description="Last day analysed.")
    measures: tuple[str, ...] = Field((), description="Measures stratified, by name.")
    characteristics: tuple[str, ...] = Field((), description="Characteristics they were stratified by.")
    compared: bool = Field(False, description="People were compared with residents.")
    profile: bool = Field(False, description="A community profile was made.")
    report: bool = Field(False, description="A report was written.")
    recommendations: int = Field(0, ge=0, description="Next steps and findings in the report.")
    audience: str = Field("", description="Whom the report was for.")
    role: str = Field("", description="Role that ran it.")
    tier: str = Field("", description="Tier of the data domain.")
    people: int | None = Field(None, ge=0, description="People analysed, rounded; none where hidden.")
    joint_known: float | None = Field(
        None, ge=0, le=1, description="Share of people with known ethnicity and language."
    )


def run_of(
    tables: Mapping[str, pd.DataFrame],
    about: AboutService,
    *,
    date: datetime.date,
    tier: str = "",
    recommendations: int = 0,
    profile: bool = False,
    report: bool = False,
    audience: str = "",
    role: str = "",
) -> Run:
    """What the log keeps of a run. What is written to the log comes from a released result.

    tables, about : of a result. date : day of the run. tier : of the data domain. recommendations : next steps and
    findings. profile, report : made from it. audience : whom the report is for. role : who ran it.
    """
    outcomes = _stratified(tables.get("outcomes"))
    figures = tables.get("figures", pd.DataFrame())
    joint: Any = figures.loc[figures["figure"] == "joint_known", "value"] if len(figures) else []
    return Run(
        date=date,
        version=about.version,
        service=about.name,
        level=about.level,
        period_from=about.period_from,
        period_to=about.period_to,
        measures=tuple(dict.fromkeys(outcomes["measure"])),
        characteristics=tuple(dict.fromkeys(outcomes["characteristic"])),
        compared=_compared(tables.get("representation")),
        profile=profile,
        report=report,
        recommendations=recommendations,
        audience=audience.strip(),
        role=role.strip(),
        tier=tier,
        people=about.people,
        joint_known=_number(joint),
    )


def _stratified(outcomes: pd.DataFrame | None) -> pd.DataFrame:
    """Rows of known groups, of the whole apart, that have a value."""
    if outcomes is None or outcomes.empty:
        return pd.DataFrame({"measure": [], "characteristic": []})
    has_value = pd.to_numeric(outcomes["value"], errors="coerce").notna()
    return outcomes[has_value & outcomes["status"].eq("known") & outcomes["characteristic"].ne("all")]


def _compared(representation: pd.DataFrame | None) -> bool:
    if representation is None or representation.empty:
        return False
    return bool(pd.to_numeric(representation["ratio"], errors="coerce").notna().any())


def _number(values: Any) -> float | None:
    numbers = pd.to_numeric(pd.Series(values, dtype="object"), errors="coerce").dropna()
    return float(numbers.iloc[0]) if len(numbers) else None


# ---------------------------------------------------------------- the file


def log_of(service: Service) -> Path:
    """Where the log of a service is: `[history] path`, relative to its file."""
    return service.folder / service.history.path


def append_run(path: str | Path, run: Run) -> Path:
    """Add a run to the log, whole or not at all. Returns the file.

    path : the log, or the folder that holds `equitydata-runs.jsonl`. Another run that writes at the same time is
    waited for. Raises ConfigError where audience or role look like an identifier, OutputError where the disk refuses.
    """
    path = _file(path)
    for name in ("audience", "role"):
        if identifiers_in(getattr(run, name)):
            raise ConfigError(
                "It looks as if it could identify someone.",
                where=name,
                mend="Name a role or a group, such as 'Service board', and not a person.",
            )
    line = json.dumps(run.model_dump(mode="json"), ensure_ascii=False, allow_nan=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            kept = path.read_bytes() if path.exists() else b""
            if kept and not kept.endswith(b"\n"):
                kept += b"\n"
            _replace(path, kept + line.encode("utf-8"))
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise OutputError(
            f"The log of runs could not be written: {cause}. Nothing was changed.",
            where=path.name,
            mend="Check the free space and your rights in that place, or set [history] path.",
        ) from None
    return path


def read_runs(path: str | Path, *, service: str = "") -> pd.DataFrame:
    """The log of runs, the oldest first. Shape: RUNS_TABLE; empty where there is no log.

    path : the log, or its folder. service : runs of this service only, by its name; all when left out.
    Damaged lines are left out; `damaged_lines` names them. Raises InputError for a file that cannot be read.
    """
    runs = [run for run in _lines(_file(path)).values() if isinstance(run, Run)]
    return _table(run for run in runs if service in ("", run.service))


def damaged_lines(path: str | Path) -> tuple[str, ...]:
    """A sentence per line of the log that cannot be read, with its number and why, never its content."""
    path = _file(path)
    return tuple(
        f"{path.name}, line {number}: {fault}. The run is left out."
        for number, fault in _lines(path).items()
        if isinstance(fault, str)
    )


def with_run(runs: pd.DataFrame, run: Run) -> pd.DataFrame:
    """A log of runs with one more, as it will be once this run is written. Shape: RUNS_TABLE."""
    added = _table([run])
    return added if runs.empty else _in_order(pd.concat([runs, added], ignore_index=True))


def _file(path: str | Path) -> Path:
    path = Path(path)
    return path / LOG_NAME if path.is_dir() else path


def _lines(path: Path) -> dict[int, Run | str]:
    """Line number -> the run, or why it cannot be read."""
    try:
        if path.stat().st_size > MAX_LOG_BYTES:
            raise InputError("The file is too large to be a log of runs.", where=path.name)
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"Cannot be read ({error.strerror}).", where=path.name) from None
    lines = enumerate(content.split(b"\n"), start=1)
    return {number: _run(line) for number, line in lines if line.strip()}


def _run(line: bytes) -> Run | str:
    try:
        return Run.model_validate(json.loads(line.decode("utf-8-sig"), parse_constant=_refuse))
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        return f"not a run ({key}: {first['msg'].casefold()})" if key else "not a run"
    except (ValueError, RecursionError):
        return "not a line of JSON"


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _table(runs: Any) -> pd.DataFrame:
    rows = [
        run.model_dump()
        | {
            "date": run.date.isoformat(),
            "period_from": run.period_from.isoformat() if run.period_from else "",
            "period_to": run.period_to.isoformat() if run.period_to else "",
            "measures": BETWEEN.join(run.measures),
            "characteristics": BETWEEN.join(run.characteristics),
            # A line may have been written by hand.
            "audience": _safe(run.audience),
            "role": _safe(run.role),
        }
        for run in runs
    ]
    if not rows:
        return empty(RUNS_TABLE)
    frame = pd.DataFrame(rows)
    numbers = {name: pd.to_numeric(frame[name]).astype("float64") for name in ("people", "joint_known")}
    return _in_order(shape(frame.assign(**numbers), RUNS_TABLE))


def _safe(words: str) -> str:
    return WITHHELD if identifiers_in(words) else words


def _in_order(runs: pd.DataFrame) -> pd.DataFrame:
    return runs.sort_values("date", kind="stable", ignore_index=True)


def _replace(path: Path, content: bytes) -> None:
    """A file with new content: written beside it first, then put in its place at once."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Within, no other run writes to the log. A lock that a killed run left is taken away after a minute."""
    lock = path.with_name(f".{path.name}.lock")
    until = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError:
            with suppress(FileNotFoundError):
                if lock.stat().st_mtime < time.time() - _STALE_SECONDS:
                    lock.unlink()
                    continue
            if time.monotonic() > until:
                raise OSError(16, "another run is writing to it") from None
            time.sleep(0.05)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            lock.unlink()


# ---------------------------------------------------------------- what it shows


def regularity(runs: pd.DataFrame, as_of: datetime.date, rulebook: Rulebook) -> Regularity:
    """How regularly there were runs up to a day: number of days, longest gap, age of the last.

    runs : shape RUNS_TABLE. Runs of one day count once; those after `as_of`, and those before
    `regular_lookback_months`, do not count.
    """
    return how_regular(
        _days(runs),
        as_of,
        months=rulebook.value("regular_months"),
        least=rulebook.value("regular_runs"),
        since=months_before(as_of, rulebook.value("regular_lookback_months")),
    )


def _days(runs: pd.DataFrame) -> list[datetime.date]:
    return [datetime.date.fromisoformat(str(day)) for day in runs["date"]]


def run_evidence(
    runs: pd.DataFrame, as_of: datetime.date, rulebook: Rulebook, level: str = "service"
) -> Mapping[str, Shown]:
    """What the log of runs shows of the criteria of one matrix, by criterion id.

    runs : shape RUNS_TABLE, of one service, with the present run where it counts. level : service or organisation.
    """
    past = runs[pd.Series([day <= as_of for day in _days(runs)], index=runs.index, dtype=bool)]
    found: dict[str, Shown] = {}
    for name, check in _checks().items():
        shown = _CHECKS[name](past, as_of, rulebook, rule_in_words(check["rule"], rulebook))
        for criterion in check["criteria"]:
            if criterion.startswith(level[:1].upper() + "-"):
                found[criterion] = shown
    return found


@cache
def _checks() -> Mapping[str, Any]:
    with (RULES_FOLDER / "history.toml").open("rb") as file:
        checks: Mapping[str, Any] = tomllib.load(file)["checks"]
    return checks


def _nothing(reason: str) -> Shown:
    return Shown(NOT_ASSESSED, "", None, reason)


def _last(runs: pd.DataFrame) -> datetime.date | None:
    return max(_days(runs), default=None)


def _lately(runs: pd.DataFrame, as_of: datetime.date, rulebook: Rulebook) -> pd.DataFrame:
    since = months_before(as_of, rulebook.value("regular_months")).isoformat()
    return runs[runs["date"] >= since]


def _regular(runs: pd.DataFrame, as_of: datetime.date, rulebook: Rulebook, rule: str) -> Shown:
    stratified = runs[runs["measures"].ne("")]
    if stratified.empty:
        return _nothing("The log holds no run with outcomes by group.")
    return _shown_regular(stratified, as_of, rulebook, rule, "with outcomes by group")


def _reviewed(runs: pd.DataFrame, as_of: datetime.date, rulebook: Rulebook, rule: str) -> Shown:
    reported = runs[runs["measures"].ne("") & runs["report"].astype(bool)]
    if reported.empty:
        return _nothing("The log holds no report of outcomes by group.")
    return _shown_regular(reported, as_of, rulebook, rule, "with a report of outcomes by group")


def _shown_regular(
    runs: pd.DataFrame, as_of: datetime.date, rulebook: Rulebook, rule: str, what: str
) -> Shown:
    found = regularity(runs, as_of, rulebook)
    if found.last is None or found.age is None:
        lookback = rulebook.value("regular_lookback_months")
        return Shown(NOT_MET, f"No run {what} in the last {lookback} months", _last(runs), rule)
    evidence = f"Runs on {found.days} {'day' if found.days == 1 else 'days'} {what}"
    evidence += f", longest gap {found.longest_gap} days" if found.longest_gap is not None else ""
    evidence += f", the last {found.age} days before"
    months, least = rulebook.value("regular_months"), rulebook.value("regular_runs")
    faults = {
        f"Run it on {least} days or more: once is not regular.": not found.enough,
        f"A gap was longer than {months} months.": found.gap_too_long,
        f"The last run was more than {months} months ago.": found.lapsed,
    }
    reason = " ".join(words for words, holds in faults.items() if holds)
    return Shown(MET if found.regular else NOT_MET, evidence, found.last, reason or rule)


def _made(column: str, what: str) -> Callable[[pd.DataFrame, datetime.date, Rulebook, str], Shown]:
    def check(runs: pd.DataFrame, as_of: datetime.date, rulebook: Rulebook, rule: str) -> Shown:
        made = runs[runs[column].astype(bool)]
        lately = _lately(made, as_of, rulebook)
        months = rulebook.value("regular_months")
        if not lately.empty:
            return Shown(MET, f"{what} in a run within {months} months", _last(lately), rule)
        if made.empty:
            return _nothing(f"{what}: the log holds no such run.")
        return Shown(NOT_MET, f"{what}, last more than {months} months ago", _last(made), rule)

    return check


def _roles(runs: pd.DataFrame, as_of: datetime.date, rulebook: Rulebook, rule: str) -> Shown:
    lately = _lately(runs, as_of, rulebook)
    # The same role in other letters is the same role.
    roles = {role.strip().casefold(): role for role in lately["role"] if role.strip()}
    if not roles:
        return _nothing("The log does not say which roles ran the analysis.")
    evidence = f"Roles that ran the analysis: {', '.join(sorted(roles.values()))}"
    met = len(roles) >= rulebook.value("analysis_roles")
    return Shown(MET if met else NOT_MET, evidence, _last(lately), rule)


def _shared(runs: pd.DataFrame, as_of: datetime.date, rulebook: Rulebook, rule: str) -> Shown:
    reported = runs[runs["report"].astype(bool)]
    if reported.empty:
        return _nothing("The log holds no report.")
    lately = _lately(reported, as_of, rulebook)
    months = rulebook.value("regular_months")
    if lately.empty:
        return Shown(NOT_MET, f"The last report is more than {months} months old", _last(reported), rule)
    advising = lately[lately["recommendations"] > 0]
    shared = advising[advising["audience"].str.strip().ne("")]
    if not shared.empty:
        audiences = ", ".join(dict.fromkeys(shared["audience"]))
        evidence = f"Report with recommendations for: {audiences}"
        return Shown(MET, evidence, _last(shared), rule)
    if advising.empty:
        return Shown(NOT_MET, "Reports without a recommendation", _last(lately), rule)
    # A report without an audience may have been shared all the same.
    return Shown(
        NOT_ASSESSED, "Report with recommendations", _last(advising), "The log names no audience of it."
    )


_CHECKS: Mapping[str, Callable[[pd.DataFrame, datetime.date, Rulebook, str], Shown]] = {
    "regular": _regular,
    "compared": _made("compared", "Comparison with residents"),
    "profile": _made("profile", "Community profile"),
    "roles": _roles,
    "reviewed": _reviewed,
    "shared": _shared,
}


# ---------------------------------------------------------------- progress


def progress_table(runs: pd.DataFrame) -> pd.DataFrame:
    """How the tier and the joint share went over runs. Shape: PROGRESS_TABLE, the oldest first.

    runs : shape RUNS_TABLE. The last run of a day stands for it. Changes are points as fractions, missing for
    the first run and where a share is hidden.
    """
    if runs.empty:
        return empty(PROGRESS_TABLE)
    last = runs.drop_duplicates(["service", "date"], keep="last").reset_index(drop=True)
    frames = [_progress(each) for _, each in last.groupby("service", sort=False)]
    return shape(
        pd.concat(frames).sort_values(["service", "date"], kind="stable", ignore_index=True), PROGRESS_TABLE
    )


def _progress(runs: pd.DataFrame) -> pd.DataFrame:
    days = pd.to_datetime(runs["date"])
    joint = pd.to_numeric(runs["joint_known"], errors="coerce").astype("float64")
    # A tier that this version does not know has no place among the others.
    rank = runs["tier"].map({tier: place for place, tier in enumerate(TIERS)}).astype("float64")
    step = rank.diff()
    words = step.map(
        lambda each: "" if pd.isna(each) else "same" if each == 0 else "up" if each > 0 else "down"
    )
    return runs.assign(
        tier_change=words,
        joint_known=joint,
        joint_change=joint.diff(),
        joint_since_first=(joint - joint.iloc[0]).where(runs.index != runs.index[0]),
        measures=runs["measures"].map(lambda names: len([each for each in names.split(BETWEEN) if each])),
        days_since_previous=days.diff().dt.days,
    )
