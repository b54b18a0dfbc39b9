"""A result and its tables as HTML for a notebook: what it found, how sure it is, and what to look at next.

Numbers are those of the tables, in the form of `equitydata.written`; a hidden one reads [c], one that is not there [x].
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from equitydata import written
from equitydata.errors import ConfigError, nearest
from equitydata.rulebook import disclosure_rule
from equitydata.tables import HIDDEN, SPECS, TableSpec, empty

if TYPE_CHECKING:
    from equitydata.result import EquityResult

ROWS = 20
FIRST = 3
NO_STATISTIC = ""
TRUE_COUNTS = "True counts: not to be shared"

# Column -> its form, where every row has the same. A limit is written as what it is a limit of.
_FORMS: Mapping[str, Callable[[Any], str]] = MappingProxyType(
    {
        **dict.fromkeys(("share", "share_of_all", "residents_share", "joint_known"), written.percent),
        **dict.fromkeys(("turns_at_most", "turns_at_least"), written.percent),
        **dict.fromkeys(("ratio", "ratio_none", "ratio_all", "ratio_pro_rata"), written.ratio),
        **dict.fromkeys(("lowest", "highest", "detectable_low", "detectable_high"), written.ratio),
        **dict.fromkeys(("ratio_first", "ratio_last", "ratio_change"), written.ratio),
        **dict.fromkeys(("standardised_ratio", "relative_change"), written.ratio),
        **dict.fromkeys(("p", "p_adjusted"), written.p_value),
        **dict.fromkeys(
            ("gap", "joint_change", "joint_since_first"), lambda value: written.gap(value, "share")
        ),
        **dict.fromkeys(("residents", "residents_total", "needed"), written.count),
        "threshold": lambda value: value if isinstance(value, str) else _threshold(float(value)),
    }
)
# Columns whose form follows from the statistic that the row holds, and the differences between two of them.
_VALUES = frozenset(
    {
        *("value", "comparator_value", "known_value", "unknown_value", "standardised", "average"),
        *("lower_95", "upper_95", "lower_998", "upper_998"),
    }
)
_LIMITS = ("_lower", "_upper")
# Names for machines that stand beside words for people.
_FOR_MACHINES: Mapping[str, str] = MappingProxyType(
    {"characteristic": "label", "measure": "measure_label", "of": "of_label"}
)
_HEADS: Mapping[str, str] = MappingProxyType(
    {"label": "characteristic", "tier_measured": "by what is measured"}
)
# Tables that are too wide to read whole -> the columns that people read first.
_FIRST_COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "outcomes": (
            *("measure_label", "label", "category", "status", "people", "numerator", "denominator"),
            *("value", "lower", "upper", "standardised"),
        ),
        "comparisons": (
            *("measure_label", "label", "category", "comparator", "adjustment", "people", "value"),
            *("comparator_value", "ratio", "ratio_lower", "ratio_upper", "flag"),
        ),
        "representation": (
            *("of_label", "label", "category", "area", "numerator", "share", "residents_share"),
            *("ratio", "ratio_lower", "ratio_upper", "flag"),
        ),
        "findings": ("order", "finding", "people", "value", "comparator_value", "ratio", "robustness", "look"),
        "changes": (
            *("measure_label", "label", "category", "first_period", "first", "last_period", "last"),
            *("change", "change_lower", "change_upper", "gap_change"),
        ),
        "places": ("measure_label", "by", "place", "people", "value", "average", "position", "position_overdispersed"),
        "criteria": ("criterion_id", "area", "tier", "criterion", "required", "outcome", "rests_on", "reason"),
        "inequality": ("measure_label", "label", "summary_label", "scale", "value", "lower", "upper", "compared"),
        "unknowns": (
            *("measure_label", "label", "category", "people", "unknown", "ratio", "lowest", "highest"),
            *("turns_at_most", "turns_at_least", "robustness"),
        ),
    }
)  # fmt: skip


# ---------------------------------------------------------------- a table


@dataclass(frozen=True)
class ShownTable:
    """Rows of one table of a result, as people read them; shows itself in a notebook.

    frame : rows of the table, with its columns or some of them. spec : what they mean.
    columns : those to show, in order; the ones that people read first when empty. rows : at most so many are shown.
    stamp : whether numbers are true or released, '' to leave it out.
    """

    frame: pd.DataFrame = field(repr=False, compare=False)
    spec: TableSpec = field(repr=False)
    columns: tuple[str, ...] = ()
    rows: int = ROWS
    stamp: str = ""

    def _repr_html_(self) -> str:
        return table_html(self.frame, self.spec, columns=self.columns, rows=self.rows, stamp=self.stamp)

    def __repr__(self) -> str:
        shown = min(self.rows, len(self.frame))
        return f"{self.spec.title}: {shown:,} of {len(self.frame):,} rows shown" + (
            f". {self.stamp}" if self.stamp else ""
        )


def shown_table(
    result: EquityResult,
    name: str,
    frame: pd.DataFrame | None = None,
    *,
    columns: Sequence[str] = (),
    rows: int = ROWS,
) -> ShownTable:
    """A table of a result, or rows that were chosen from it, to stand in a notebook cell.

    name : of the table. frame : rows of it, for example `result.breakdown.query(...)`; the whole table when left out.
    Raises ConfigError, with the nearest name, for a table or a column that is not there.
    """
    if name not in SPECS:
        raise ConfigError(f"There is no table '{written.label(name)}'.", mend=nearest(name, SPECS))
    here = _table(result, name) if frame is None else frame
    for column in columns:
        if column not in here.columns:
            wanted = f"The table '{name}' has no column '{written.label(column)}'."
            raise ConfigError(wanted, mend=nearest(column, [str(each) for each in here.columns]))
    return ShownTable(here, SPECS[name], tuple(columns), rows, stamp_of(result))


def _table(result: EquityResult, name: str) -> pd.DataFrame:
    """A table of a result; empty where the run did not make it."""
    try:
        return result.table(name)
    except KeyError:
        return empty(SPECS[name])


def table_html(
    frame: pd.DataFrame,
    spec: TableSpec,
    *,
    columns: Sequence[str] = (),
    rows: int = ROWS,
    stamp: str = "",
) -> str:
    """A table with meaning: caption, columns that say what they hold, numbers as they are read, and what is left out.

    frame : rows of the table of `spec`; columns of its own are shown as they are. columns, rows, stamp : as ShownTable.
    """
    names = list(columns) or first_columns(frame, spec)
    texts = written_cells(frame.head(rows), spec, names)
    numeric = [_is_numeric(frame[name]) for name in names]
    heads = [_head(name, spec, number=number) for name, number in zip(names, numeric, strict=True)]
    body = [_row(cells, numeric) for cells in texts.itertuples(index=False)]
    return (
        f"<table><caption>{escape(spec.title)}. One row: {escape(spec.row)}</caption>"
        f"<thead><tr>{''.join(heads)}</tr></thead><tbody>{''.join(body)}</tbody></table>"
        f"{_foot(frame, spec, names, rows=rows, stamp=stamp)}"
    )


def first_columns(frame: pd.DataFrame, spec: TableSpec) -> list[str]:
    """The columns of a table that people read first; names for machines give way to the words beside them."""
    chosen = [name for name in _FIRST_COLUMNS.get(spec.name, ()) if name in frame]
    if len(chosen) > 1:
        return chosen
    every = [str(name) for name in frame.columns if name not in (HIDDEN, "order")]
    return [name for name in every if _FOR_MACHINES.get(name) not in every]


def written_cells(frame: pd.DataFrame, spec: TableSpec, columns: Sequence[str]) -> pd.DataFrame:
    """The cells of some columns as text: shares in per cent, counts with separators, [c] and [x]."""
    records = frame.to_dict("records")
    guarded = _guarded(spec)
    rows = [[_cell(row, name, spec, hidden=name in guarded) for name in columns] for row in records]
    return pd.DataFrame(rows, columns=list(columns), dtype="object")


def _guarded(spec: TableSpec) -> frozenset[str]:
    """Columns that are hidden with the counts of their row."""
    shares = (name for each in spec.shares for name in (each.value, each.lower, each.upper))
    return frozenset({*spec.counts, *shares, *spec.derived, *spec.estimates})


def _cell(row: Mapping[Any, Any], name: str, spec: TableSpec, *, hidden: bool) -> str:
    value = row[name]
    # A service hands over its rating with a word for counts that it hid.
    if hidden and (row.get(HIDDEN) is True or row.get("counts_are") == "hidden"):
        return written.HIDDEN_CELL
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return written.UNAVAILABLE_CELL
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, str):
        return _words(row, name, value)
    return _number(row, name, value, spec)


def _words(row: Mapping[Any, Any], name: str, value: str) -> str:
    if name == "flag" and value in written.FLAG_WORDS:
        return written.flag_words(value, similar=row.get("similar"), harm=row.get("harm", ""))
    return written.visible(
        value, written.SENTENCE_LIMIT if name in written.SENTENCES else written.LABEL_LIMIT
    )


def _number(row: Mapping[Any, Any], name: str, value: Any, spec: TableSpec) -> str:
    """A number in the form of its column, and where that is not said a whole one as a count."""
    base = next((name.removesuffix(end) for end in _LIMITS if name.endswith(end)), name)
    statistic = _statistic(row, spec)
    if name in spec.counts:
        return written.count(value)
    if base in _VALUES or name in ("lower", "upper"):
        return written.figure(float(value), statistic)
    if base == "difference":
        return written.gap(float(value), statistic)
    if base in _FORMS:
        return _FORMS[base](value)
    return _plain_number(value)


def _threshold(value: float) -> str:
    """What a figure is held against: a number of places, or a share; one that was worked out with one decimal."""
    if value > 1:
        return written.count(value)
    said = written.mark(value)
    return said if len(said) <= len("12.5%") else written.percent(value)


def _plain_number(value: Any) -> str:
    """A number of which nothing is known: a whole one as a count. What is no number stays words."""
    if not isinstance(value, (int, float, np.number)):
        return written.visible(str(value))
    return written.count(value) if float(value).is_integer() else written.number(float(value))


def _statistic(row: Mapping[Any, Any], spec: TableSpec) -> str:
    """What the values of a row are: said by the row, or shares throughout, or not said."""
    if "statistic" in row:
        return str(row["statistic"])
    everywhere = any(share.only is None and share.value == "value" for share in spec.shares)
    return "share" if everywhere else NO_STATISTIC


def _is_numeric(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column))


def _side(number: bool) -> str:
    # A notebook sets all cells to the right: words are read from the left.
    return "right" if number else "left"


def _head(name: str, spec: TableSpec, *, number: bool) -> str:
    meaning = spec.columns.get(name, "")
    title = f' title="{escape(meaning)}"' if meaning else ""
    words = escape(written.label(_HEADS.get(name, name.replace("_label", "").replace("_", " "))))
    return f'<th scope="col" style="text-align:{_side(number)}"{title}>{words}</th>'


def _row(cells: Iterable[str], numeric: Sequence[bool]) -> str:
    parts = []
    for place, (cell, number) in enumerate(zip(cells, numeric, strict=True)):
        tag = "td" if place else 'th scope="row"'
        parts.append(f'<{tag} style="text-align:{_side(number)}">{escape(cell)}</{tag[:2]}>')
    return f"<tr>{''.join(parts)}</tr>"


def _foot(frame: pd.DataFrame, spec: TableSpec, names: Sequence[str], *, rows: int, stamp: str) -> str:
    """How much is not shown, what the symbols say, and whether the counts are true."""
    more, besides = len(frame) - rows, len([name for name in spec.columns if name in frame]) - len(names)
    parts = [
        f"{more:,} more row{'s' * (more > 1)}." if more > 0 else "",
        f"{besides} more column{'s' * (besides > 1)}." if besides > 0 else "",
        "[c]: hidden by the small-number rule." if HIDDEN in frame and frame[HIDDEN].any() else "",
        f"{written.visible(stamp)}." if stamp else "",
    ]
    words = " ".join(escape(part) for part in parts if part)
    return f"<p><small>{words}</small></p>" if words else ""


# ---------------------------------------------------------------- a result


def stamp_of(result: EquityResult) -> str:
    """Whether the numbers are true, or by which rule they were released."""
    rule = disclosure_rule(result.disclosure) if result.disclosure else None
    return f"Released: {rule.label}" if rule and rule.hide_up_to else TRUE_COUNTS


def result_html(result: EquityResult) -> str:
    """What a result found at first sight: tier and how sure it is, areas, findings, next steps, what to try next."""
    parts = (
        f"<p><strong>{escape(stamp_of(result))}.</strong></p>",
        f"<h3>{escape(written.label(result.about.name))}</h3>",
        f"<p>{escape(_about(result))}</p>",
        _tier(result),
        _areas(result),
        _list(_findings_head(result), _findings(result)),
        _list("What would lift the data domain", _steps(result)),
        _list("What to look at next", [f"<code>{escape(each)}</code>" for each in doors(result)], kind="ul"),
    )
    return "".join(part for part in parts if part)


def _about(result: EquityResult) -> str:
    """Whose data it is: people, places, period, rows. Without an extract that is said."""
    about, intake = result.about, result.intake
    if not intake.rows_read:
        return "No extract was read: rated without one."
    people = written.HIDDEN_CELL if about.people is None else written.count(about.people)
    period = [written.day(each) for each in (about.period_from, about.period_to) if each]
    parts = [
        f"{people} {about.counted}",
        ", ".join(map(written.label, about.areas)),
        " to ".join(period),
        f"{intake.rows_used:,} of {intake.rows_read:,} rows used",
    ]
    return "; ".join(part for part in parts if part)


def _tier(result: EquityResult) -> str:
    maturity = result.maturity

    def beside(tier: str) -> str:
        return "the same" if tier == maturity.tier else tier

    criteria = maturity.criteria[maturity.criteria["area"].isin(_data_areas(result))]
    judged = criteria[criteria["outcome"] != "not assessed"]
    attested = int((judged["rests_on"] == "attested").sum())
    sure = (
        f"Of {len(criteria)} criteria of the data domain {len(judged) - attested} rest on what was measured or shown, "
        f"{attested} on an attestation, and {len(criteria) - len(judged)} are not assessed."
    )
    return (
        f"<p>Data domain: <strong>{escape(maturity.tier)}</strong>. "
        f"By what is measured alone: {escape(beside(maturity.tier_measured))}. "
        f"With declined answers read the other way: {escape(beside(maturity.tier_other_reading))}.</p>"
        f"<p>{escape(sure)}</p>"
    )


def _data_areas(result: EquityResult) -> list[str]:
    areas = result.maturity.areas
    return [str(area) for area in areas.loc[areas["data_domain"].astype(bool), "area"]]


def _areas(result: EquityResult) -> str:
    columns = ("area", "tier", "tier_measured", "met", "not_met", "not_assessed")
    return table_html(result.maturity.areas, SPECS["areas"], columns=columns).split("<p>")[0]


def _list(head: str, items: Sequence[str], *, kind: str = "ol") -> str:
    """A headed list of HTML; nothing where there is none."""
    if not items:
        return f"<p>{escape(head)}.</p>" if head.startswith("No ") else ""
    return f"<p><strong>{escape(head)}</strong></p><{kind}>{''.join(f'<li>{item}</li>' for item in items)}</{kind}>"


def _findings_head(result: EquityResult) -> str:
    found = len(_table(result, "findings"))
    if found:
        return f"Findings: {found:,}, each a prompt to look and no proof"
    return "" if _table(result, "outcomes").empty else "No findings"


def _findings(result: EquityResult) -> list[str]:
    """The first findings: their first sentence, with group and comparator beside each other where both are shown."""
    items = []
    for row in _table(result, "findings").head(FIRST).to_dict("records"):
        sentence = str(row["finding"]).split(". ")[0].rstrip(".")
        numbers = [_cell(row, name, SPECS["findings"], hidden=True) for name in ("value", "comparator_value")]
        there = not set(numbers) & {written.UNAVAILABLE_CELL, written.HIDDEN_CELL}
        words = f"{sentence}: {' against '.join(numbers)}" if there else sentence
        items.append(escape(written.visible(words, written.SENTENCE_LIMIT)))
    return items


def _steps(result: EquityResult) -> list[str]:
    """The first next steps, with how many people (or other units) each needs."""
    items = []
    for row in result.maturity.next_steps.head(FIRST).to_dict("records"):
        needed = _cell(row, "needed", SPECS["next_steps"], hidden=True)
        places = f", {row['places']}" if row["places"] else ""
        more = f"{needed} more {row['unit']} need {row['what']}{places}."
        counted = more if needed != written.UNAVAILABLE_CELL else ""
        items.append(escape(written.visible(f"{counted} {row['action']}".strip(), written.SENTENCE_LIMIT)))
    return items


def doors(result: EquityResult) -> list[str]:
    """Calls that show more of this very result, to be copied into the next cell."""
    calls = ['result.show("next_steps")']
    if not _table(result, "completeness").empty:
        calls += ['result.show("completeness")', "result.plot.fall()"]
    if not _table(result, "outcomes").empty:
        calls += ['result.show("findings")', "result.plot.forest()", _profile_call(result)]
    if not _table(result, "representation").empty:
        calls.append("result.plot.representation()")
    if not _table(result, "services").empty:
        calls.append('result.show("services")')
    return calls


def _profile_call(result: EquityResult) -> str:
    """A profile of a group that is there: the first known one of ethnicity, or the whole service."""
    outcomes = _table(result, "outcomes")
    here = outcomes[(outcomes["characteristic"] == "ethnicity") & (outcomes["status"] == "known")]
    if here.empty:
        return "result.community_profile()"
    return f"result.profile(ethnicity={written.label(str(here['category'].iloc[0]))!r})"
