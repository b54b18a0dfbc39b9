"""manifest.json: how a report was made, so that it can be made again and checked.

It names files, rows, rules, versions and hashes; never a value of a record, a user or a path.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import Any

from equitydata import codelists, reference
from equitydata.model import Intake
from equitydata.release.earlier import kept_numbers
from equitydata.report.writing import SENTENCE_LIMIT, TOOL, sha256, visible
from equitydata.result import EquityResult
from equitydata.rulebook import disclosure_rule

MANIFEST_VERSION = "1.0"
LIBRARIES = ("pandas", "numpy", "ibis-framework", "duckdb", "pyarrow", "jinja2", "pydantic")


def make_manifest(result: EquityResult, files: Mapping[str, bytes]) -> dict[str, Any]:
    """The manifest of a released result and of the files written from it.

    files : name below the report folder -> content; the manifest itself is not among them.
    """
    return {
        "tool": TOOL,
        "manifest_version": MANIFEST_VERSION,
        "version": result.about.version,
        "made": _made().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "rated_as_of": result.about.as_of.isoformat(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "rules": [
            {"name": each.name, "value": each.value, "default": each.default, "changed": each.changed}
            for each in result.choices.values()
        ],
        "inputs": [_words(asdict(file)) for file in result.intake.files],
        "rows": _rows(result.intake),
        "notes": [visible(note, SENTENCE_LIMIT) for note in (*result.notes, *result.intake.notes)],
        "code_lists": _code_lists(result),
        "reference_tables": _reference_tables(),
        "disclosure": {
            **asdict(disclosure_rule(result.disclosure)),
            "hidden_rows": dict(result.hidden_cells),
            "hidden_to_guard_others": dict(result.hidden_besides),
        },
        "period": {"from": _day(result.about.period_from), "to": _day(result.about.period_to)},
        "outputs": {name: sha256(content) for name, content in files.items()},
        "released_numbers": kept_numbers(result.released_numbers),
    }


def _day(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _made() -> datetime:
    """Now, or the moment of SOURCE_DATE_EPOCH where it is set, in UTC."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(epoch), tz=UTC) if epoch else datetime.now(tz=UTC)


def _words(facts: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with harmless text: a file name may hold anything."""
    return {key: visible(value) if isinstance(value, str) else value for key, value in facts.items()}


def _rows(intake: Intake) -> dict[str, Any]:
    return {
        "read": intake.rows_read,
        "used": intake.rows_used,
        "rejected": intake.rows_rejected,
        "rejections": [
            {
                "reason": visible(each.reason, SENTENCE_LIMIT),
                "rows": each.rows,
                "first_lines": list(each.lines),
            }
            for each in intake.rejections
        ],
    }


def _code_lists(result: EquityResult) -> list[dict[str, str]]:
    """Lists of the package that the recorded values were read with."""
    used = set(result.tables["codes"]["code_list"])
    listed = codelists.catalogue()
    columns = ["code_list", "title", "year", "source", "licence"]
    rows = listed.loc[listed["code_list"].isin(used), columns].to_dict("records")
    return [{str(key): str(value) for key, value in row.items()} for row in rows]


def _reference_tables() -> list[dict[str, str]]:
    """Reference tables that this version carries, each with its date."""
    columns = ["name", "reference_date", "source", "licence"]
    rows = reference.catalogue()[columns].to_dict("records")
    return [{str(key): str(value) for key, value in row.items()} for row in rows]
