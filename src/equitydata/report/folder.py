"""Result -> a folder that can be shared: pages, workbook, summary, rating, tables, manifest.

The result is released first, so nothing true and small is ever written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from equitydata.errors import DisclosureError
from equitydata.history.log import append_run, log_of, run_of
from equitydata.rating import make_rating
from equitydata.release.earlier import Earlier, read_earlier
from equitydata.release.released import release
from equitydata.report.manifest import make_manifest
from equitydata.report.page import TEMPLATES, render_page
from equitydata.report.writing import MANIFEST, csv_bytes, json_bytes, write_folder
from equitydata.result import MATURITY_TABLES, EquityResult
from equitydata.rulebook import disclosure_rule
from equitydata.service import Service
from equitydata.tables import HIDDEN, SPECS
from equitydata.written import CUT_MARK

if TYPE_CHECKING:
    from equitydata.profiles import Profile

PAGE, RATING, TABLES, GUIDE = "index.html", "rating.json", "tables", "tables/README.txt"
MATURITY, SUMMARY, WORKBOOK, PROFILES = "maturity.html", "summary.md", "workbook.xlsx", "profiles"


@dataclass(frozen=True)
class ReportPaths:
    """Where a report lies."""

    folder: Path
    page: Path
    maturity: Path
    summary: Path
    workbook: Path
    rating: Path
    manifest: Path
    tables: Path


def write_report(
    result: EquityResult,
    folder: str | Path,
    *,
    disclosure: str | None = None,
    previous: Sequence[str | Path] = (),
    profiles: Sequence[Mapping[str, str]] = (),
    force: bool = False,
) -> ReportPaths:
    """Release a result and write its report folder, whole or not at all.

    disclosure : name of a small-number rule; the service's choice when left out.
    previous : report folders or manifests of earlier releases, whose numbers join the audit.
    profiles : populations that get a page of their own, each as one or two characteristics with their category.
    force : replace an earlier report in the folder.
    Raises ConfigError for an unknown rule or population, InputError for a path that is no manifest, DisclosureError
    where small numbers cannot be protected or the result was already released under another rule, OutputError where
    the folder is taken or cannot be written; then nothing has changed.
    """
    released = _released(result, disclosure, [read_earlier(path) for path in previous])
    target = write_folder(
        report_files(released, profiles),
        folder,
        force=force,
        private=not disclosure_rule(released.disclosure).hide_up_to,
    )
    return ReportPaths(
        folder=target,
        page=target / PAGE,
        maturity=target / MATURITY,
        summary=target / SUMMARY,
        workbook=target / WORKBOOK,
        rating=target / RATING,
        manifest=target / MANIFEST,
        tables=target / TABLES,
    )


def log_run(
    result: EquityResult,
    service: Service,
    *,
    date: date,
    report: bool,
    audience: str = "",
    role: str = "",
) -> Path:
    """Add a run to the log of the service, in released numbers only; returns the file.

    date : day of the run. report : a report was written. audience : whom it is for. role : who ran it.
    """
    released = release(result)
    findings = released.tables.get("findings")
    run = run_of(
        released.tables,
        released.about,
        date=date,
        tier=released.maturity.tier,
        recommendations=len(released.maturity.next_steps) + (0 if findings is None else len(findings)),
        profile=report and bool(service.measures),
        report=report,
        audience=audience,
        role=role,
    )
    return append_run(log_of(service), run)


def report_files(released: EquityResult, profiles: Sequence[Mapping[str, str]] = ()) -> dict[str, bytes]:
    """Every file of a report by its name below the folder, in the order written.

    profiles : populations that get a page of their own. Raises DisclosureError for a result that was not released,
    ConfigError for a population that is not there.
    """
    from equitydata.report.maturity_page import render_maturity
    from equitydata.report.profile_page import render_profile
    from equitydata.report.summary import render_summary
    from equitydata.report.workbook import workbook_bytes

    if not released.disclosure:
        raise DisclosureError(
            "The result holds true counts.", mend="Use write_report, which releases it first."
        )
    rating = make_rating(released)
    populations = _populations(released, profiles)
    texts = {
        PAGE: render_page(
            released, rating, profiles={name: each.title for name, each in populations.items()}
        ),
        MATURITY: render_maturity(released, rating),
        SUMMARY: render_summary(released, rating),
        **{name: render_profile(released, each) for name, each in populations.items()},
    }
    files = {name: text.encode("utf-8") for name, text in texts.items()}
    files[WORKBOOK] = workbook_bytes(released, rating)
    files[RATING] = json_bytes(rating.model_dump(mode="json"))
    for name in (*released.tables, *MATURITY_TABLES):
        files[f"{TABLES}/{name}.csv"] = csv_bytes(released.table(name), SPECS[name])
    files[GUIDE] = _tables_guide(released).encode("utf-8")
    return {**files, MANIFEST: json_bytes(make_manifest(released, files))}


def _populations(released: EquityResult, asked: Sequence[Mapping[str, str]]) -> dict[str, Profile]:
    """File of each profile page -> its profile: the whole service where anybody was counted, then those asked for."""
    from equitydata.profiles import make_community_profile, make_profile

    found = {}
    if any(len(released.tables.get(name, ())) for name in ("outcomes", "representation")):
        found[f"{PROFILES}/community.html"] = make_community_profile(released)
    for groups in asked:
        made = make_profile(released, **groups)
        words = "-".join(_as_file_name(word) for pair in groups.items() for word in pair)
        name = f"{PROFILES}/{words}.html"
        found[name if name not in found else f"{PROFILES}/{words}-{len(found)}.html"] = made
    return found


def _as_file_name(word: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", word.casefold()).strip("-")[:40] or "group"


def _released(result: EquityResult, disclosure: str | None, earlier: Sequence[Earlier]) -> EquityResult:
    if disclosure and result.disclosure and disclosure_rule(disclosure).name != result.disclosure:
        raise DisclosureError(
            f"The result was released under '{result.disclosure}' and cannot be written under another rule.",
            mend="Write the result that `analyse` gave, or leave the rule out.",
        )
    if earlier and result.disclosure:
        raise DisclosureError(
            "The result was released without a look at earlier releases.",
            mend="Write the result that `analyse` gave.",
        )
    return release(result, disclosure, earlier=earlier)


def _tables_guide(released: EquityResult) -> str:
    """What stands beside the tables: the symbols, and each table's row and columns."""
    rule = disclosure_rule(released.disclosure)
    stamp = "" if rule.hide_up_to else "\nTRUE COUNTS: NOT TO BE SHARED\n"
    besides = sum(released.hidden_besides.values())
    audit = (
        "All numbers of this folder were audited\ntogether: no hidden count can be worked out from the others. "
        f"{besides:,} rows are hidden for that alone."
        if rule.hide_up_to
        else ""
    )
    guide = Template((TEMPLATES / "tables_readme.txt").read_text(encoding="utf-8"))
    tables = "\n".join(_described(released, name) for name in (*released.tables, *MATURITY_TABLES))
    return guide.substitute(
        rule=rule.label, source=rule.source, stamp=stamp, audit=audit, cut=CUT_MARK, tables=tables
    )


def _described(released: EquityResult, name: str) -> str:
    spec = SPECS[name]
    columns = dict(spec.columns)
    if HIDDEN in released.table(name):
        columns[HIDDEN] = "true where the small-number rule hides the row's counts"
    wide = max(map(len, columns))
    lines = [f"  {column:<{wide}}  {meaning}" for column, meaning in columns.items()]
    return "\n".join([f"{name}.csv: {spec.title}", f"  one row: {spec.row}", *lines, ""])
