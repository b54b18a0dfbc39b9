"""Report folders of every kind that a page has to cope with, each written once a process by `eq.write_report`."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd

import equitydata as eq
from equitydata.release import release
from equitydata.report.folder import ReportPaths
from equitydata.report.writing import guarded_columns
from equitydata.result import EquityResult
from equitydata.tables import HIDDEN, SPECS
from equitydata.written import SENTENCES
from report_sample import ATTESTATIONS, sample_result
from tables_helper import released_as

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
TEMPLATE = "{{7*7}} {% raw %} ${7*7} $\\frac{1}{2}$"
FORMULA = "=cmd|' /C calc'!A0"
UNSEEN = "\u202eevil\u2066\x07\x1b\u2028\ufeff end"
LONG = "x" * 40_000  # one word, so that nothing can break the line but the page itself
ALL_AT_ONCE = f"{SCRIPT}{IMAGE}{TEMPLATE}{UNSEEN} {FORMULA} {LONG}"
HOSTILE = (SCRIPT, IMAGE, TEMPLATE, FORMULA, UNSEEN, LONG, ALL_AT_ONCE)

# Label of the sample -> what stands in its place in the hostile report, the same in every table.
_HOSTILE_FOR = {
    "Bangladeshi": SCRIPT,
    "Indian": IMAGE,
    "Chinese": TEMPLATE,
    "African": UNSEEN + " African",
    "Black African": UNSEEN,
    "White British": LONG,
    "English, Welsh, Scottish, Northern Irish or British": LONG + " and others",
    "Female": FORMULA,
    "Stratford": IMAGE,
    "East Ham": LONG,
    "Clinic": SCRIPT,
    "Telephone": LONG,
    "Ethnic group": SCRIPT + " group",
    "Sex": LONG + " sex",
    "Everyone else": FORMULA,
    "Days waited": UNSEEN + IMAGE,
    "Newham": LONG,
    "2025 Q2": SCRIPT,
    "2025 Q3": LONG,
}


def hostile_result() -> EquityResult:
    """The sample with a hostile text wherever a label can come from outside: no true count is another."""
    result = sample_result(
        name=ALL_AT_ONCE, site=ALL_AT_ONCE, value=ALL_AT_ONCE, file=ALL_AT_ONCE, measure=ALL_AT_ONCE
    )
    return replace(
        result,
        about=replace(result.about, areas=HOSTILE),
        tables={name: _relabelled(frame, _HOSTILE_FOR) for name, frame in result.tables.items()},
        notes=HOSTILE,
        intake=replace(
            result.intake,
            notes=HOSTILE,
            rejections=tuple(replace(each, reason=ALL_AT_ONCE) for each in result.intake.rejections),
        ),
    )


def _relabelled(frame: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """A table whose cells are relabelled; in sentences the labels are replaced where they stand."""
    changed = {}
    for column in frame.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]]:
        changed[column] = frame[column].map(
            lambda cell, inside=column in SENTENCES: _label(cell, labels, inside=inside)
        )
    return frame.assign(**changed)


def _label(cell: object, labels: Mapping[str, str], *, inside: bool) -> object:
    if not isinstance(cell, str):
        return cell
    if inside:
        for old, new in labels.items():
            cell = cell.replace(old, new[:300])
        return cell
    return labels.get(cell, cell)


def all_hidden_result() -> EquityResult:
    """The released sample with every row hidden that the rule can hide, and the number of people too."""
    released = release(sample_result())
    tables = {name: _hidden(frame, name) for name, frame in released.tables.items()}
    own = {name: _hidden(released.table(name), name) for name in ("criteria", "areas", "next_steps")}
    return replace(
        released,
        about=replace(released.about, people=None),
        # A hidden finding would say by its presence that the group was flagged: none is left.
        tables={**tables, "findings": tables["findings"].head(0)},
        maturity=replace(released.maturity, **own),
        hidden_cells={name: len(frame) for name, frame in released.tables.items() if HIDDEN in frame},
    )


def _hidden(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """A released table as a rule leaves it that hides each of its rows."""
    if HIDDEN not in frame:
        return frame
    spec = SPECS[name]
    kept = [column for column in guarded_columns(spec) if column not in spec.derived]
    blank = {column: float("nan") for column in kept} | dict.fromkeys(spec.derived, None)
    return frame.assign(**blank, **{HIDDEN: True})


def empty_result() -> EquityResult:
    """A rating without an extract: attestations alone, no count."""
    return eq.rate(
        eq.make_service({"service": {"name": "Rating without an extract"}, "attestations": ATTESTATIONS}),
        as_of=sample_result().about.as_of,
    )


RESULTS = {
    "small": released_as,
    "rich": sample_result,
    "empty": empty_result,
    "audit alone": lambda: sample_result(equity=False),
    "all hidden": all_hidden_result,
    "hostile": hostile_result,
}

# Kind -> populations that get a page of their own.
PROFILES = {
    "rich": [{"ethnicity": "Bangladeshi"}],
    "all hidden": [{"ethnicity": "Bangladeshi"}],
    "hostile": [{"ethnicity": _HOSTILE_FOR["Bangladeshi"]}, {"ethnicity": _HOSTILE_FOR["White British"]}],
}


@cache
def _home() -> tempfile.TemporaryDirectory:
    """Where the reports of this process lie; gone with it."""
    return tempfile.TemporaryDirectory(prefix="equitydata-reports-")


@cache
def released(kind: str) -> EquityResult:
    """The result that a report of that kind is written from. Not to be changed."""
    return release(RESULTS[kind]())


@cache
def report(kind: str) -> ReportPaths:
    """The report folder of a kind of RESULTS, written once. Not to be changed."""
    folder = Path(_home().name) / kind.replace(" ", "-")
    return eq.write_report(released(kind), folder, profiles=PROFILES.get(kind, ()))


def pages(kind: str) -> list[Path]:
    """Every page of the report folder of a kind, the first of them index.html."""
    folder = report(kind).folder
    return [report(kind).page, *sorted(set(folder.rglob("*.html")) - {report(kind).page})]
