"""Write the parts of the documentation that follow from the code, the rules and the catalogues.

`python tools/write_docs.py` fills every region between `<!-- generated: NAME -->` and `<!-- end -->` of the
pages, and runs their examples to write the output that they show anew. With --quick the examples are left
alone; with --check nothing is written, and the exit code is 1 where a page is out of date.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from doc_examples import ROOT, prepare, run_page, shared_runs, with_outputs
from equitydata import codelists, reference
from equitydata.combining import rolls_up
from equitydata.result import HIDDEN, MATURITY_TABLES
from equitydata.rulebook import (
    CriterionCheck,
    characteristics,
    criterion_checks,
    disclosure_rules,
    load_rulebook,
)
from equitydata.service import service_schema
from equitydata.tables import SPECS, TableSpec

STATISTICS_DOORS = (
    "one_group",
    "two_groups",
    "many_groups",
    "inequality",
    "units",
    "intersections",
    "adjustment",
    "judgement",
)
PAGES = ("README.md", "docs/*.md", "notebooks/README.md")
_REGION = re.compile(r"(<!-- generated: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
# Model of the schema -> heading of its table in the service file, and what its page says above the keys.
SERVICE_TABLES: Mapping[str, str] = {
    "About": "[service]",
    "Period": "period",
    "ExtractSettings": "[extract]",
    "CharacteristicSettings": "[characteristics.NAME]",
    "SourceSettings": "source",
    "Measure": "[measures.NAME]",
    "Benchmark": "benchmark",
    "AnalysisSettings": "[analysis]",
    "ReferenceSettings": "[reference]",
    "ListeningSettings": "[listening]",
    "HistorySettings": "[history]",
    "Attestation": "[attestations.ID]",
    "Sharing": "[sharing]",
    "Condition": "A condition",
    "DaysApart": "days",
}
# Check of a criterion -> when it is met; a figure has the words below.
CHECKS: Mapping[str, str] = {
    "share": "the share of {figure} is",
    "every": "for every mapped field, the share of people with a known value is",
    "any": "for the best mapped field, the share of people with a known value is",
    "points": "the number of points of care that hold both fields is",
    "no_flag": "the flag “{flag}” is not raised",
    "identifiers": "no direct identifier is left, and the size of the smallest group is",
    "outcomes": "measures of kind {kinds} with a completed breakdown by {fields} are at least {wanted}",
    "family": "a measure has a completed breakdown by one of: {fields}",
    "residents": "people were held against residents by {fields}, with area and source",
    "rigour": "every step of the checklist below was taken",
    "profile": "a community health profile was built in the run",
    "workforce": "an extract of staff was held against residents",
    "shown": "the {rests_on} shows it",
}
FROM_AN_EXTRACT = ("share", "every", "any", "points", "no_flag", "identifiers")
FIGURES: Mapping[str, str] = {
    "ethnicity_{declined}": "people with a known ethnicity (with `joint`: and a known language)",
    "language_{declined}": "people with a known language (with `joint`: and a known ethnicity)",
    "core_self_reported": "known ethnicity and language values that came from the person",
    "core_valid": "recorded ethnicity and language values that are valid in one named list each",
    "ethnicity_detailed": "people with a known ethnicity who have a detailed one",
    "other_self_reported": "known values of the other fields that came from the person",
}
LONG_LIST = 100


def pages() -> list[Path]:
    """The pages that this tool looks after."""
    return sorted(path for pattern in PAGES for path in ROOT.glob(pattern))


def filled(page: str) -> str:
    """A page with its generated regions as they should be now."""
    return _REGION.sub(lambda found: f"{found[1]}\n{REGIONS[found['name']]()}\n{found[3]}", page)


# ---------------------------------------------------------------- Markdown


def cell(value: Any) -> str:
    """Text that stays inside its cell."""
    return " ".join(str(value).split()).replace("|", "\\|")


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines) + "\n"


def code(value: Any) -> str:
    """A setting as it is written in a service file."""
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)}`"


# ---------------------------------------------------------------- the service file


def service_keys() -> str:
    """Keys of every table of the service file, from its models."""
    schema = service_schema()
    parts = []
    for model, heading in SERVICE_TABLES.items():
        found = schema["$defs"][model]
        title = f"`{heading}`" if heading.startswith("[") or heading.islower() else heading
        needed = found.get("required", ())
        rows = [
            (f"`{key}`", _kind(entry), _default(key, entry, needed), entry.get("description", ""))
            for key, entry in found["properties"].items()
        ]
        parts += [
            f"### {title}\n",
            found["description"] + "\n",
            table(("key", "type", "default", "what it is"), rows),
        ]
    return "\n".join(parts)


def _kind(entry: Mapping[str, Any]) -> str:
    """The type of a key, in words."""
    if "anyOf" in entry:
        kinds = [_kind(each) for each in entry["anyOf"] if each.get("type") != "null"]
        return " or ".join(kinds)
    if "$ref" in entry:
        heading = SERVICE_TABLES[entry["$ref"].rsplit("/", 1)[1]]
        return "condition" if heading == "A condition" else "table, below"
    if "enum" in entry:
        return " or ".join(f'`"{each}"`' for each in entry["enum"])
    if entry.get("format") == "date":
        return "date"
    if entry["type"] == "array":
        if "prefixItems" in entry:
            return "two whole numbers" if entry["prefixItems"][0]["type"] == "integer" else "two numbers"
        return f"list of {_kind(entry['items'])}"
    if entry["type"] == "object":
        return "table: text = text"
    return {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}[
        entry["type"]
    ]


def _default(key: str, entry: Mapping[str, Any], needed: Sequence[str]) -> str:
    if key in needed:
        return "required"
    default = entry.get("default")
    return "–" if default in (None, "", [], {}) or isinstance(default, dict) else code(default)


def characteristic_rows() -> str:
    """Every characteristic that can be mapped."""
    rows = [
        (
            f"`{name}`",
            each.label,
            each.family.replace("_", " "),
            _column_holds(each.kind, each.code_lists),
            f"{each.from_age} and over" if each.from_age else "everyone",
        )
        for name, each in characteristics().items()
    ]
    return table(("name", "label", "family", "the column holds", "applies to"), rows)


def _column_holds(kind: str, lists: Sequence[str]) -> str:
    plain = {
        "age": "age in years, an age band, or hospital age codes",
        "birth_date": "date of birth; ages are reckoned at the end of the period",
        "area": "LSOA code of 2011 or 2021; deprivation follows from it",
        "postcode": "postcode; only whether there is one counts",
        "decile": "decile of deprivation, 1 (most deprived) to 10",
        "own": "the extract's own words; those of few people are one group",
    }
    return plain.get(kind) or "codes or words of " + ", ".join(f"`{name}`" for name in lists)


# ---------------------------------------------------------------- rules


def choices() -> str:
    """Every choice with its default, reason and source."""
    parts = []
    for name, choice in load_rulebook().choices.items():
        parts.append(f"### `{name}`\n\n{choice.label}. Default: {code(choice.default)}.\n")
        parts.append(f"{choice.reason}\n\nSource: {choice.source}.\n")
    return "\n".join(parts)


def disclosure() -> str:
    """The small-number rules."""
    rows = [(f"`{rule.name}`", rule.label, rule.source) for rule in disclosure_rules().values()]
    return table(("rule", "what it does", "source"), rows)


def measured_criteria() -> str:
    """Service criteria that completeness decides, and when each is met."""
    return _criteria_rows(lambda check: check.check in FROM_AN_EXTRACT)


def computed_criteria() -> str:
    """Service criteria that outcomes, residents, the log of runs or the register decide, and when each is met."""
    return _criteria_rows(lambda check: check.check not in FROM_AN_EXTRACT)


def _criteria_rows(wanted: Callable[[CriterionCheck], bool]) -> str:
    rows = [
        (identity, wording, _passes(check), "yes" if required == "core" else f"no ({required})")
        for identity, wording, required, check in _checked()
        if wanted(check)
    ]
    return table(("criterion", "wording", "met when", "blocks the tier"), rows)


def rolled_up_criteria() -> str:
    """Criteria of an organisation that its services decide, and the service's criterion each rolls up from."""
    listed = reference.criteria("organisation").set_index("criterion_id")["criterion"]
    rows = [
        (identity, listed[identity], check.same_as)
        for identity, check in criterion_checks().items()
        if rolls_up(check)
    ]
    return table(("criterion", "wording", "rolls up from"), rows)


def _checked() -> list[tuple[str, str, str, CriterionCheck]]:
    checks = criterion_checks()
    listed = reference.criteria("service")
    listed = listed[listed["criterion_id"].isin(list(checks))]
    columns = listed[["criterion_id", "criterion", "required"]].fillna("core")
    return [
        (identity, wording, required, checks[identity])
        for identity, wording, required in columns.itertuples(index=False)
    ]


def _passes(check: CriterionCheck) -> str:
    fields = [
        each.label
        for name, each in characteristics().items()
        if name != "birth_date" and (each.family == check.family or name in check.also)
    ]
    words = CHECKS[check.check].format(
        flag=check.flag,
        figure=FIGURES.get(check.figure, check.figure),
        kinds=" or ".join(check.kinds),
        fields=", ".join(fields),
        wanted=check.wanted,
        rests_on={"register": "register of listening", "run log": "log of runs"}.get(check.rests_on),
    )
    if not check.threshold or check.check == "family":
        return words
    default = load_rulebook().value(check.threshold)
    compare = "more than" if check.compare == "more_than" else "at least"
    return f"{words} {compare} {default} (`{check.threshold}`)"


# ---------------------------------------------------------------- lists, tables, reference data


def code_lists() -> str:
    """The code lists of the package, by characteristic."""
    listed = codelists.catalogue()
    parts = []
    for name in (*characteristics(), "*"):
        rows = listed[listed["characteristic"] == name]
        if rows.empty:
            continue
        parts.append(f"### {'Any flag' if name == '*' else f'`{name}`'}\n")
        parts += [_code_list(row) for row in rows.to_dict("records")]
        parts.append("")
    return "\n".join(parts)


def _code_list(row: Mapping[str, Any]) -> str:
    kind = f"{row['level']}, of the ONS" if row["ons"] == "yes" else str(row["level"])
    note = f" Note: {row['notes']}" if row["notes"] else ""
    origin = f"Source: {_end(row['source'])} Licence: {_end(row['licence'])}"
    return f"- `{row['code_list']}`: {row['title']} ({kind}). {origin}{note}"


def _end(text: Any) -> str:
    """A sentence with its full stop."""
    return f"{str(text).rstrip('.')}."


def categories() -> str:
    """The categories that a local word may lead to."""
    rows = []
    for name, each in characteristics().items():
        if each.kind not in ("coded", "flag"):
            continue
        listed = codelists.categories(name)
        shown = "; ".join(listed["category"])
        if len(listed) > LONG_LIST:
            shown = "any language of ISO 639-3 by its name, and the groups of Census 2021"
        rows.append((f"`{name}`", shown))
    return table(("characteristic", "categories"), rows)


def table_specs() -> str:
    """Every table of a report."""
    return "\n".join(_described(SPECS[name]) for name in SPECS)


def _described(spec: TableSpec) -> str:
    rows = [
        (f"`{column}`", meaning, "yes" if column in spec.counts else "")
        for column, meaning in spec.columns.items()
    ]
    if spec.counts:
        rows.append(
            (f"`{HIDDEN}`", "true where the small-number rule hides the row; only in what is released", "")
        )
    place = (
        "`result.maturity." + spec.name + "`"
        if spec.name in MATURITY_TABLES
        else f'`result.table("{spec.name}")`'
    )
    return "\n".join(
        [
            f"## {spec.name}\n",
            f"{spec.title}. One row: {spec.row}. In Python: {place}.\n",
            table(("column", "meaning", "a count"), rows),
        ]
    )


def reference_tables() -> str:
    """The catalogue of reference tables, by kind."""
    parts = []
    for kind, frame in reference.catalogue().groupby("kind", sort=False):
        parts.append(f"### {KINDS[str(kind)]}\n")
        parts += [_reference_table(row) for row in frame.to_dict("records")]
        parts.append("")
    return "\n".join(parts)


def _reference_table(row: Mapping[str, Any]) -> str:
    note = "" if pd.isna(row["notes"]) or not row["notes"] else f" Note: {_end(row['notes'])}"
    return (
        f"- `{row['name']}`: {_end(row['title'])} Date {row['reference_date']}. Base: {_end(row['population_base'])} "
        f"Places: {_end(row['geography'])} Source: {_end(row['source'])} Licence: {_end(row['licence'])}{note}"
    )


KINDS: Mapping[str, str] = {
    "population": "People by one characteristic",
    "crossed_population": "People by two characteristics",
    "deprivation": "Deprivation",
    "lookup": "Places",
    "standard": "Standard population",
    "codebook": "Codebook",
    "criteria": "Criteria",
}

# ---------------------------------------------------------------- statistics


def statistics() -> str:
    """Every function behind the doors of `equitydata.stats`, with the first words of its docstring."""
    rows = []
    for door in STATISTICS_DOORS:
        module = importlib.import_module(f"equitydata.stats.{door}")
        functions = {name: getattr(module, name) for name in module.__all__}
        rows += [
            (f"`{door}`", f"`{name}`", inspect.getdoc(function).splitlines()[0])
            for name, function in functions.items()
            if inspect.isfunction(function)
        ]
    return table(("door", "function", "what it gives"), rows)


REGIONS: Mapping[str, Callable[[], str]] = {
    "service-keys": service_keys,
    "characteristics": characteristic_rows,
    "choices": choices,
    "disclosure-rules": disclosure,
    "measured-criteria": measured_criteria,
    "computed-criteria": computed_criteria,
    "rolled-up-criteria": rolled_up_criteria,
    "code-lists": code_lists,
    "categories": categories,
    "tables": table_specs,
    "reference-tables": reference_tables,
    "statistics": statistics,
}


# ---------------------------------------------------------------- writing


def with_examples(path: Path, page: str) -> str:
    """A page whose shown output is what its examples print now."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), page)
        inside = "notebooks" if path.parent.name == "notebooks" else "."
        return with_outputs(page, run_page(page, Path(folder), inside=inside))


def main() -> int:
    """Write, or check, every page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave the output of examples alone")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 where a page is out of date"
    )
    options = parser.parse_args()
    stale = []
    with shared_runs():
        for path in pages():
            before = path.read_text(encoding="utf-8")
            after = filled(before)
            if not options.quick and "```text output" in after:
                after = with_examples(path, after)
            if after != before:
                stale.append(path.relative_to(ROOT).as_posix())
                if not options.check:
                    path.write_text(after, encoding="utf-8")
    print("\n".join(stale) or "Every page is up to date.")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
