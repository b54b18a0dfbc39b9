"""Released result -> index.html: what each part of the page shows, and how a number is written.

The words stand in `templates/report.html.j2`; here are the rows that it shows and the form of their numbers.
Nothing is worked out anew: every number is a cell of a table of the released result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from equitydata import codelists, reference
from equitydata.completeness import JOINT, MEASURES
from equitydata.model import STATUSES, Intake, SourceFile
from equitydata.plots.gallery import charts_by_section
from equitydata.rating import Rating
from equitydata.report.charts import shown_charts
from equitydata.report.page_equity import equity_view
from equitydata.report.writing import MANIFEST, with_symbols
from equitydata.result import MATURITY_TABLES, EquityResult
from equitydata.rulebook import characteristics
from equitydata.tables import HIDDEN, SPECS
from equitydata.written import (
    LABEL_LIMIT,
    NOT_APPLICABLE_CELL,
    SENTENCE_LIMIT,
    SENTENCES,
    UNAVAILABLE_CELL,
    count,
    day,
    label,
    mark,
    percent,
    setting,
    shown,
    visible,
    width,
)

TEMPLATES = Path(__file__).parents[1] / "templates"
ROWS_SHOWN = 50
NOTES_SHOWN = 50
# What a criterion rests on, as the page says it.
RESTS_ON = {
    "measured": "measured",
    "run log": "by the log of runs",
    "register": "by the register",
    "services": "by the services",
    "attested": "attested",
}
CORE = (JOINT, "ethnicity", "language")
DIMENSIONS = ("site", "point_of_care", "age_band", "sex", "deprivation", "month", "contacts")


@dataclass(frozen=True)
class Excerpt:
    """Rows of a table as the page shows them.

    rows : cells by column; text, numbers, or a symbol such as [c].
    total : rows of the table; more than are shown where it is long.
    file : where all of them are.
    ordered_by : column by which a long table was cut, "" where it is shown in its own order.
    """

    rows: tuple[dict[str, Any], ...]
    total: int
    file: str
    ordered_by: str = ""

    @property
    def left_out(self) -> int:
        """Rows that are in the file only."""
        return self.total - len(self.rows)


def render_page(result: EquityResult, rating: Rating, *, profiles: Mapping[str, str] | None = None) -> str:
    """The page of a released result as HTML.

    rating : as `make_rating` gives it for the same result. profiles : file of each profile page -> its title.
    """
    template = environment().get_template("report.html.j2")
    return template.render(view=page_view(result), rating=rating, profiles=profiles or {}) + "\n"


def page_view(result: EquityResult) -> dict[str, Any]:
    """Everything that the page shows beside the rating, by part of the page."""
    frames = {
        name: with_symbols(result.table(name), SPECS[name]) for name in (*result.tables, *MATURITY_TABLES)
    }
    return {
        "completeness": {unit: _completeness(frames, unit) for unit in ("people", "records")},
        "detail": _excerpt(
            _only(frames["completeness"], measure=("detailed", "specific"), characteristic=CORE),
            "completeness",
        ),
        "carried_back": _excerpt(
            _only(frames["completeness"], measure=("known",), unit=("records_carried_back",)), "completeness"
        ),
        "statuses": _statuses(frames["statuses"]),
        "breakdown": _breakdown(frames["breakdown"]),
        "needs": _excerpt(_only(frames["needs"], characteristic=(JOINT,)), "needs", largest="people"),
        "categories": _categories(frames["categories"]),
        "unmatched": _unmatched(frames["codes"]),
        **{
            name: _excerpt(frames[name], name)
            for name in (
                "points_of_care",
                "verification",
                "agreement",
                "swaps",
                "steps",
                "flags",
                "identifiers",
            )
        },
        "steps": _excerpt(frames["steps"][frames["steps"]["changed"] != 0], "steps"),
        "observed": _excerpt(frames["observed"], "observed", largest="records"),
        "rests_on": _rests_on(frames["criteria"]),
        "choices": tuple(result.choices.values()),
        "threshold": float(result.choices["completeness_threshold"].value),
        "confidence": float(result.choices["confidence"].value),
        "joint_rule": bool(result.choices["joint"].value),
        "intake": result.intake,
        **_intake(result.intake),
        "notes": (*result.notes, *result.intake.notes)[:NOTES_SHOWN],
        "code_lists": _code_lists(frames["codes"]),
        "sources": _excerpt(reference.catalogue(), "", file=MANIFEST),
        "equity": equity_view(result, _excerpt),
        "charts": {section: shown_charts(charts) for section, charts in charts_by_section(result).items()},
        "rows_shown": ROWS_SHOWN,
        "besides": sum(result.hidden_besides.values()),
    }


# ---------------------------------------------------------------- rows


def _excerpt(
    frame: pd.DataFrame, table: str, *, largest: str = "", lowest: str = "", file: str = ""
) -> Excerpt:
    """The first rows of a table; of a long one, those with the largest or lowest numbers where asked."""
    column = largest or lowest
    cut = frame
    if len(frame) > ROWS_SHOWN and column:
        numbers = pd.to_numeric(frame[column], errors="coerce")
        order = numbers.sort_values(ascending=bool(lowest), kind="stable", na_position="last").index
        cut = frame.loc[order]
    rows = [
        {str(key): _clean(str(key), cell) for key, cell in row.items()}
        for row in cut.head(ROWS_SHOWN).to_dict("records")
    ]
    return Excerpt(
        tuple(rows), len(frame), file or f"tables/{table}.csv", column if len(frame) > ROWS_SHOWN else ""
    )


def _clean(column: str, cell: Any) -> Any:
    if isinstance(cell, str):
        return visible(cell, SENTENCE_LIMIT if column in SENTENCES else LABEL_LIMIT)
    return cell


def _only(frame: pd.DataFrame, **wanted: Sequence[str]) -> pd.DataFrame:
    """Rows whose columns hold one of the wanted values."""
    keep = pd.Series(True, index=frame.index)
    for column, values in wanted.items():
        keep &= frame[column].isin(values)
    return frame[keep]


def _wide(frame: pd.DataFrame, across: str, cells: str, order: Sequence[str], missing: str) -> pd.DataFrame:
    """One row per characteristic, one column per value of `across`; what has no row reads `missing`."""
    wide = frame.pivot(index="characteristic", columns=across, values=cells)
    wide = wide.reindex(index=frame["characteristic"].drop_duplicates(), columns=list(order))
    return wide.astype("object").mask(wide.isna(), missing).rename_axis(columns=None)


def _completeness(frames: dict[str, pd.DataFrame], unit: str) -> Excerpt:
    """Every measure of every characteristic in one row, with the limits of the known share."""
    here = _only(frames["completeness"], unit=(unit,))
    shares = _wide(here, "measure", "value", tuple(MEASURES), NOT_APPLICABLE_CELL)
    known = here[here["measure"] == "known"].set_index("characteristic")
    table = shares.join(known[["label", "numerator", "denominator", "lower", "upper"]])
    return _excerpt(table.reset_index(), "completeness")


def _statuses(frame: pd.DataFrame) -> Excerpt:
    labels = frame.drop_duplicates("characteristic").set_index("characteristic")["label"]
    table = _wide(frame, "status", "people", STATUSES, UNAVAILABLE_CELL).join(labels)
    return _excerpt(table.reset_index(), "statuses")


def _breakdown(frame: pd.DataFrame) -> dict[str, Any]:
    """Groups of each dimension with the known shares of the core fields; flagged groups of the others."""
    people = _only(frame, unit=("people",))
    present = people.drop_duplicates("characteristic").set_index("characteristic")["label"]
    shown = [name for name in CORE if name in present.index] or list(present.index[:3])
    dimensions = {
        by: _groups(people[people["by"] == by], shown) for by in DIMENSIONS if (people["by"] == by).any()
    }
    flagged = people["flagged"].map(lambda cell: cell is True or (isinstance(cell, np.bool_) and bool(cell)))
    others = people[flagged & ~people["characteristic"].isin(shown)]
    return {
        "columns": [(name, visible(present[name]), "group") for name in shown],
        "dimensions": dimensions,
        "others": _excerpt(others, "breakdown", lowest="value"),
    }


def _groups(frame: pd.DataFrame, names: Sequence[str]) -> Excerpt:
    """One row per group: people, and for each characteristic its share, limits and flag."""
    table = frame.drop_duplicates("group").set_index("group")[["order"]]
    # A row hidden for one characteristic may show its people for another.
    people = frame[frame["characteristic"].isin(names)].sort_values(HIDDEN, kind="stable")
    table = table.join(people.drop_duplicates("group").set_index("group")["denominator"])
    for name in names:
        here = frame[frame["characteristic"] == name].set_index("group")
        renamed = {"value": name, **{key: f"{name}_{key}" for key in ("lower", "upper", "flagged")}}
        table = table.join(here[list(renamed)].rename(columns=renamed))
    table = table.astype("object").mask(table.isna(), UNAVAILABLE_CELL).sort_values("order", kind="stable")
    return _excerpt(table.reset_index(), "breakdown", lowest=names[0])


def _categories(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Each characteristic with its categories and, where they differ, its groups."""
    shown = []
    for name, here in frame.groupby("characteristic", sort=False):
        levels = {str(level): rows for level, rows in here.groupby("level", sort=False)}
        if "group" in levels and set(levels["group"]["category"]) == set(here["category"]):
            levels.pop("group")
        excerpts = {
            level: _excerpt(rows, "categories", largest="numerator") for level, rows in levels.items()
        }
        shown.append({"characteristic": name, "label": here["label"].iloc[0], "levels": excerpts})
    return shown


def _unmatched(frame: pd.DataFrame) -> Excerpt:
    """Recorded values that no list names, the most frequent first."""
    here = frame[(frame["matched_by"] == "none") | (frame["status"] == "invalid")]
    numbers = pd.to_numeric(here["records"], errors="coerce")
    order = numbers.sort_values(ascending=False, kind="stable", na_position="last").index
    labels = {name: kind.label for name, kind in characteristics().items()}
    labelled = here.loc[order].assign(label=here["characteristic"].map(labels).fillna(here["characteristic"]))
    return _excerpt(labelled, "codes", largest="records")


def _rests_on(criteria: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Of each area, what the criteria that are met rest on, and how many on each."""
    met = criteria[criteria["outcome"] == "met"]
    found: dict[str, list[dict[str, Any]]] = {}
    for kind, words in RESTS_ON.items():
        numbers = met.loc[met["rests_on"] == kind, "area"].value_counts(sort=False)
        for area, number in numbers.items():
            found.setdefault(str(area), []).append({"number": int(number), "words": words})
    return found


def _code_lists(frame: pd.DataFrame) -> Excerpt:
    listed = codelists.catalogue()
    return _excerpt(listed[listed["code_list"].isin(set(frame["code_list"]))], "", file=MANIFEST)


def _intake(intake: Intake) -> dict[str, Excerpt]:
    """Rejections and files of the input."""
    rejections = pd.DataFrame(
        [asdict(each) for each in intake.rejections], columns=["reason", "rows", "lines"]
    )
    lines = rejections["lines"].map(lambda numbers: ", ".join(map(count, numbers)))
    columns = [field.name for field in fields(SourceFile)]
    files = pd.DataFrame([asdict(each) for each in intake.files], columns=columns)
    return {
        "rejections": _excerpt(rejections.assign(lines=lines), "", largest="rows", file=MANIFEST),
        "files": _excerpt(files, "", file=MANIFEST),
    }


@cache
def environment() -> Environment:
    """Where every page's template is read and filled: each expression escaped, an unknown name an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    for use in (count, percent, mark, shown, day, setting, width, label):
        made.filters[use.__name__] = use
    return made


def _finalize(value: Any) -> Any:
    """The last gate of every expression of the page, before it is escaped."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return visible(value, SENTENCE_LIMIT)
