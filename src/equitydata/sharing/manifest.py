"""NAME.deidentified.json: how a shared file was made and what that lost.

It names columns, levels, rows and groups. No key, no value of one person, no small number: counts of people obey the
small-number rule of the service, and shares are worked out from the counts as shown.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from equitydata.records.deidentifying import Asked, Grouped, Key, SharedTable, load_choices
from equitydata.release.rounding import round_count
from equitydata.rulebook import DisclosureRule, disclosure_rule
from equitydata.service import Service
from equitydata.sharing.evidence import MANIFEST_KIND
from equitydata.tables import HIDDEN, TableSpec, plain, shape
from equitydata.tables.deidentified import (
    SHARED_COLUMNS_TABLE,
    SHARED_GROUPS_TABLE,
    SHARED_LEVELS_TABLE,
)

MANIFEST_VERSION = "1.0"
STILL_PERSONAL = (
    "Pseudonymised personal data (UK GDPR, Article 4(5)): it is personal data still, and may be shared inside the "
    "organisation only."
)
NOBODY_STAYS = "(groups of which nobody stays)"
# A change or loss is told to so many decimals.
DECIMALS = 2


@dataclass(frozen=True)
class Tables:
    """The tables of a shared file, as they may be shown. Shapes: tables.deidentified, and `hidden`."""

    columns: pd.DataFrame
    levels: pd.DataFrame
    groups: pd.DataFrame


def make_tables(made: SharedTable, rule: DisclosureRule) -> Tables:
    """Columns, levels and groups under a small-number rule."""
    groups = _groups(made.grouped, rule)
    return Tables(_columns(made, rule), _levels(made, groups, rule), groups)


def make_manifest(
    made: SharedTable,
    tables: Tables,
    *,
    service: Service,
    asked: Asked,
    key: Key,
    file: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The manifest of a shared file.

    file : name, format, bytes and sha256 of the finished file; None where none was written.
    """
    rule = disclosure_rule(service.rulebook.value("disclosure"))
    return {
        "tool": "equitydata",
        "kind": MANIFEST_KIND,
        "manifest_version": MANIFEST_VERSION,
        "version": version("equitydata"),
        "made": _made().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "service": service.service.name,
        "personal_data": STILL_PERSONAL,
        "file": None if file is None else dict(file),
        "rows": _rows(made, asked),
        "people": _people(made, rule),
        "protection": _protection(made, asked),
        "pseudonyms": _pseudonyms(made, service, key),
        "dates": _dates(asked),
        "direct_identifiers_left": [],
        "loss": _loss(made, tables, asked, rule),
        "columns": _records(tables.columns),
        "levels": _records(tables.levels),
        "groups": _records(tables.groups),
        "notes": list(made.notes),
        "disclosure": asdict(rule),
        "inputs": [{"name": each.name, "sha256": each.sha256} for each in made.intake.files],
    }


def _made() -> datetime:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(epoch), tz=UTC) if epoch else datetime.now(tz=UTC)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


# ---------------------------------------------------------------- facts


def _left_out_reason(made: SharedTable, asked: Asked) -> str:
    """Why the rows of people who are in no group large enough were left out."""
    who = "of people in groups" if made.has_person else "in groups"
    varied = f" or with fewer than {asked.l} values of a sensitive column" if asked.sensitive else ""
    return f"{who} of fewer than {asked.k}{varied}"


def _rows(made: SharedTable, asked: Asked) -> dict[str, Any]:
    """Rows read = rows written + rows left out; exact, as in every manifest."""
    intake = made.intake
    left_out = [{"reason": each.reason, "rows": each.rows} for each in intake.rejections]
    suppressed = intake.rows_used - made.rows
    if suppressed:
        left_out.append({"reason": _left_out_reason(made, asked), "rows": suppressed})
    return {"read": intake.rows_read, "written": made.rows, "left_out": left_out}


def _people(made: SharedTable, rule: DisclosureRule) -> dict[str, Any]:
    return {
        "counted": "people" if made.has_person else "records",
        "before": round_count(made.people_before, rule),
        "after": round_count(made.people_after, rule),
    }


def _protection(made: SharedTable, asked: Asked) -> dict[str, Any]:
    return {
        "k_asked": asked.k,
        # The smallest group itself is a count of few people: it is told down to the last five.
        "k_reached": max(asked.k, made.smallest // 5 * 5),
        "l_asked": asked.l if asked.sensitive else None,
        "l_reached": min(made.least_values.values(), default=None),
        "quasi_identifiers": [each.attribute.name for each in made.grouped],
        "quasi_identifiers_left": [each.attribute.name for each in made.grouped if not each.level.none],
        "sensitive": list(made.least_values),
        "suppress_at_most": asked.suppress_at_most,
        "groups": made.groups,
        "method": "every combination of levels that could be better was looked at"
        if made.solution.every
        else "levels were looked for from neighbour to neighbour",
        "combinations_looked_at": made.solution.looked_at,
    }


def _pseudonyms(made: SharedTable, service: Service, key: Key) -> dict[str, Any] | None:
    person = service.extract.person
    columns = [each.column for each in made.plan.of("pseudonym")]
    if not columns:
        return None
    digits = load_choices().value("pseudonym_digits")
    return {
        "method": f"HMAC-SHA256 of the trimmed text, first {digits} hexadecimal digits",
        "columns": columns,
        "person": person if person in columns else None,
        "key": "from a file" if key.kept else "of chance, thrown away: the pseudonyms hold within this file",
        "key_mark": key.mark if key.kept else None,
    }


def _dates(asked: Asked) -> str:
    if asked.dates == "offset":
        most = load_choices().value("offset_days")
        return (
            f"moved by days of the person's own, at most {most} either way; days between two dates are kept"
        )
    return f"first day of the {asked.dates}"


# ---------------------------------------------------------------- what was lost


def _loss(made: SharedTable, tables: Tables, asked: Asked, rule: DisclosureRule) -> dict[str, Any]:
    before, after = round_count(made.people_before, rule), round_count(made.people_after, rule)
    people_lost = None if not before or after is None else round(max(0.0, 1 - after / before), DECIMALS + 1)
    return {
        "people_left_out_share": people_lost,
        "coarser_cells_share": _coarser_share(made.grouped),
        "blank_cells_share": _blank_share(tables.columns),
        "search_loss": round(made.solution.loss, DECIMALS),
        # People in a group on average, over the least there could be (LeFevre et al. 2006).
        "average_group_over_k": None
        if after is None or not made.groups
        else round(after / made.groups / asked.k, 1),
    }


def _coarser_share(grouped: Sequence[Grouped]) -> float | None:
    """Share of the known values of quasi-identifiers that are written in a group with others, or left out."""
    known = coarser = 0
    for each in grouped:
        several = np.bincount(each.level.fold, weights=each.finest > 0)
        apart = (several[each.level.fold] == 1) & (each.level.fold > 0) & (each.attribute.begun == 0)
        known += int(each.finest[1:].sum())
        coarser += int(each.finest[1:][~apart[1:]].sum())
    return round(coarser / known, DECIMALS) if known else None


def _blank_share(columns: pd.DataFrame) -> float | None:
    """Share of the filled cells of kept columns that are blank, from the counts as shown."""
    filled, shown = (pd.to_numeric(columns[name], errors="coerce").sum() for name in ("filled", "shown"))
    return round(float(max(0.0, 1 - shown / filled)), DECIMALS + 1) if filled else None


# ---------------------------------------------------------------- tables


def _columns(made: SharedTable, rule: DisclosureRule) -> pd.DataFrame:
    cells = {each.column.column: (each.filled, each.written) for each in made.shown}
    rows = []
    for each in made.plan.columns:
        filled, shown = cells.get(each.column, (None, None))
        words = (each.column, ", ".join(each.written), each.action, each.how, each.why)
        rows.append((*words, filled, shown))
    frame = pd.DataFrame(rows, columns=list(SHARED_COLUMNS_TABLE.columns))
    return _rounded(frame, SHARED_COLUMNS_TABLE, _small(frame, SHARED_COLUMNS_TABLE, rule), rule)


def _groups(grouped: Sequence[Grouped], rule: DisclosureRule) -> pd.DataFrame:
    """People by group. Groups of which nobody stays are one row: their names could tell of single people.

    One small group alone takes the next smallest with it, or the total would tell it.
    """
    rows: list[tuple[str, str, int, int]] = []
    hidden: list[bool] = []
    for each in grouped:
        if each.level.none:
            continue
        stay = each.after > 0
        here = [
            (each.attribute.name, label, int(before), int(after))
            for label, before, after in zip(each.level.labels, each.before, each.after, strict=True)
            if after
        ]
        gone = int(each.before[~stay].sum())
        here += [(each.attribute.name, NOBODY_STAYS, gone, 0)] if gone else []
        frame = pd.DataFrame(here, columns=list(SHARED_GROUPS_TABLE.columns))
        small = _small(frame, SHARED_GROUPS_TABLE, rule)
        if small.sum() == 1 and len(frame) > 1:
            small = small | (frame.index == frame.loc[~small, "before"].idxmin())
        rows += here
        hidden += small.tolist()
    frame = pd.DataFrame(rows, columns=list(SHARED_GROUPS_TABLE.columns))
    return _rounded(frame, SHARED_GROUPS_TABLE, pd.Series(hidden, dtype=bool), rule)


def _levels(made: SharedTable, groups: pd.DataFrame, rule: DisclosureRule) -> pd.DataFrame:
    rows = []
    for each in made.grouped:
        level = each.level
        rows.append(
            {
                "characteristic": each.attribute.name,
                "label": each.attribute.label,
                "written": "" if level.none else level.written,
                "level": level.name,
                "level_label": level.label,
                "finest": each.attribute.levels[0].name,
                "groups": 0 if level.none else int((each.after > 0).sum()),
                "lost": round(each.lost, DECIMALS),
                "known_before": int(each.finest[1:].sum()),
                "known_after": 0 if level.none else int(each.after[1:].sum()),
                "change": _change(groups[groups["characteristic"] == each.attribute.name]),
            }
        )
    frame = pd.DataFrame(rows, columns=list(SHARED_LEVELS_TABLE.columns))
    return _rounded(frame, SHARED_LEVELS_TABLE, _small(frame, SHARED_LEVELS_TABLE, rule), rule)


def _change(groups: pd.DataFrame) -> float | None:
    """Total variation between the shares of the groups before and after, from the counts as shown."""
    before, after = (
        pd.to_numeric(groups[name], errors="coerce").fillna(0).to_numpy(dtype=float)
        for name in ("before", "after")
    )
    if not before.sum() or not after.sum():
        return None
    return round(float(np.abs(before / before.sum() - after / after.sum()).sum() / 2), DECIMALS)


def _small(frame: pd.DataFrame, spec: TableSpec, rule: DisclosureRule) -> pd.Series:
    """Rows with a count that the rule hides."""
    hidden = pd.Series(False, index=frame.index)
    for column in spec.counts:
        numbers = pd.to_numeric(frame[column], errors="coerce")
        hidden |= numbers.map(lambda n: n == n and round_count(int(n), rule) is None).astype(bool)
    return hidden


def _rounded(frame: pd.DataFrame, spec: TableSpec, hidden: pd.Series, rule: DisclosureRule) -> pd.DataFrame:
    shown = shape(frame, spec)
    for column in spec.counts:
        numbers = pd.to_numeric(shown[column], errors="coerce")
        shown[column] = numbers.map(lambda n: n if n != n else round_count(int(n), rule)).where(~hidden)
    return shown.assign(**{HIDDEN: hidden.astype(bool)})
