"""Result -> a result fit to share: the last step before anything is written.

1. **First step.** A row with a small count, or with a small number of its whole left over, is hidden whole: every
   count and all that was worked out from it, with the mark of the column `hidden`. What is worked out from a hidden
   group is hidden with it (`ties`).
2. **Audit.** All counts of all tables are written down once (`naming`), with everything that adds up. The range that a
   reader could work out for each small count is found by linear programming over all published numbers together
   (`feasible`); where it is narrower than the rule allows, more rows are hidden, the cheapest that help
   (`protecting`). Where nothing helps, the release is refused and the tables that clash are named.
3. **Rounding.** The counts that are left are rounded; shares, rates, limits, gaps and ratios are worked out again from
   them (`again`); other estimates keep few digits, p-values stand in steps (`rounding`). Tests and summaries of levels
   with a hidden group are withheld, findings repeat what the tables show (`summaries`).

A table is covered by its specification in `tables`: one whose counts have no names is audited row by row. Numbers of
places are neither people nor records and stay. Criteria, tiers and flags rest on true counts. `none` hides and
rounds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from equitydata.errors import DisclosureError
from equitydata.model import Intake
from equitydata.release.across import worked_out_across
from equitydata.release.again import worked_out_again
from equitydata.release.book import Counts, Flags
from equitydata.release.earlier import (
    OF_ONE_RELEASE,
    Earlier,
    Source,
    Told,
    refuse_small_differences,
    told_before,
)
from equitydata.release.naming import name_counts
from equitydata.release.naming_outcomes import WITHHELD_COUNT
from equitydata.release.offers import merging_offers
from equitydata.release.places import few_places, without_few_places
from equitydata.release.protecting import Problem, Protection, protect
from equitydata.release.rounding import floats, round_count, round_counts, with_few_digits
from equitydata.release.smallness import counts_places, first_hidden
from equitydata.release.summaries import findings_as_shown, without_small_cells, without_summaries_of_hidden
from equitydata.release.ties import tied_rows
from equitydata.release.words import keep_back_text, release_words, released_words, whole_groups
from equitydata.result import MATURITY_TABLES, EquityResult
from equitydata.rulebook import DisclosureRule, disclosure_rule
from equitydata.tables import HIDDEN, SPECS, TableSpec, with_shares

# What hiding a row costs: more for larger counts, and a great deal for everyone.
WHOLE_COST = 1e6


@dataclass(frozen=True)
class ReleasedTables:
    """Tables fit to share, and what it took.

    tables : as they are written, with the column `hidden` where a table holds counts.
    first, second : rows hidden for their own small counts (and with them), and to guard others, by table.
    people : everyone who is counted, rounded; None where that number is not shown.
    numbers : name of each count -> as it is shown, None where it is hidden; for the audit of later releases.
    hidden : which rows of each table of true counts are hidden, by position.
    """

    tables: Mapping[str, pd.DataFrame]
    first: Mapping[str, int]
    second: Mapping[str, int]
    people: int | None = None
    numbers: Mapping[str, int | None] = field(default_factory=dict)
    hidden: Mapping[str, Flags] = field(default_factory=dict)


def release(
    result: EquityResult, rule: str | None = None, *, earlier: Sequence[Earlier] = ()
) -> EquityResult:
    """A result whose every count obeys a small-number rule, so that no small one can be worked out.

    rule : name of a rule of rules/disclosure.toml; the service's choice when left out.
    earlier : releases of the same service that somebody may hold beside this one.
    A released result is given back unchanged. Raises ConfigError for an unknown rule, DisclosureError where small
    counts cannot be protected.
    """
    if result.disclosure:
        return result
    chosen = disclosure_rule(rule or result.choices["disclosure"].value)
    own = {name: getattr(result.maturity, name) for name in MATURITY_TABLES}
    released = release_tables(
        {**result.tables, **own},
        chosen,
        confidence=float(result.choices["confidence"].value),
        people=result.about.people,
        intake=result.intake,
        earlier=earlier,
        source=source_of(result),
    )
    tables = dict(released.tables)
    offers = merging_offers(result.tables, released.hidden, rule=chosen, choices=result.choices)
    warnings = (*whole_groups(tables), *offers) if chosen.hide_up_to else ()
    criteria, areas, next_steps = (tables.pop(name) for name in ("criteria", "areas", "next_steps"))
    return replace(
        result,
        about=replace(result.about, people=released.people),
        tables=tables,
        maturity=replace(result.maturity, criteria=criteria, areas=areas, next_steps=next_steps),
        notes=(*(release_words(note, chosen) for note in result.notes), *warnings),
        disclosure=chosen.name,
        hidden_cells={name: released.first[name] + released.second[name] for name in released.first},
        hidden_besides=released.second,
        released_numbers=released.numbers,
    )


def source_of(result: EquityResult) -> Source:
    """What a result was made from, as far as later releases must know it."""
    days = (result.about.period_from, result.about.period_to)
    return Source(
        inputs=frozenset(file.sha256 for file in result.intake.files if file.sha256),
        rows=result.intake.rows_used,
        period=(str(days[0] or ""), str(days[1] or "")),
    )


def release_tables(
    tables: Mapping[str, pd.DataFrame],
    rule: DisclosureRule | str,
    *,
    confidence: float = 0.95,
    people: int | None = None,
    intake: Intake | None = None,
    earlier: Sequence[Earlier] = (),
    source: Source | None = None,
    audit: bool = True,
) -> ReleasedTables:
    """Tables of true counts under a rule, all audited together.

    tables : name -> frame, shape as its specification says; never changed. people : everyone who is counted.
    intake : rows read and used, which are written exactly. audit : False leaves the search over all tables out; what
    is written then may give small counts away. earlier, source : releases before this one, and what this one is of.
    Raises DisclosureError where a small count cannot be protected.
    """
    chosen = disclosure_rule(rule) if isinstance(rule, str) else rule
    ready = {name: _ready(frame, SPECS[name], chosen) for name, frame in tables.items()}
    first = first_hidden(ready, chosen)
    counts, rows = name_counts(ready, people=people, intake=intake)
    total = sum(map(len, ready.values()))
    # Behind the tables stands one row more: the number of people.
    few_people = round_count(people, chosen) is None
    hidden = np.concatenate([*first.values(), [few_people]]) if first else np.array([few_people])
    close = tied_rows(ready, rows).close
    told = told_before(counts, earlier, source, chosen) if earlier and source else None
    if told is not None:
        hidden[counts.row[told.hide[counts.cell]]] = True
    hidden = close(hidden)
    besides = np.zeros_like(hidden)
    if audit and chosen.hide_up_to:
        found = protect(_problem(counts, total + 1, told), hidden, chosen, close)
        _refuse_unsafe(found, counts, rows)
        besides, hidden = found.hidden & ~hidden, found.hidden
    numbers = _numbers(counts, hidden, chosen)
    if earlier and source:
        refuse_small_differences(earlier, numbers, source, chosen)
    shown = {
        name: _as_shown(frame, SPECS[name], chosen, hidden[rows[name]], confidence=confidence)
        for name, frame in ready.items()
    }
    if chosen.hide_up_to:
        shown = worked_out_across(shown)
    few = few_places(ready, chosen)
    shown = without_few_places(without_summaries_of_hidden(shown, chosen), few)
    counted = [name for name in ready if SPECS[name].counts]
    second = {name: int(besides[rows[name]].sum()) for name in counted}
    released = ReleasedTables(
        tables=shown,
        first={name: int(hidden[rows[name]].sum()) - second[name] for name in counted},
        second=second,
        people=None if hidden[-1] else round_count(people, chosen),
        numbers={name: number for name, number in numbers.items() if few.isdisjoint(name.split("|"))},
        hidden={name: hidden[part] for name, part in rows.items()},
    )
    if chosen.hide_up_to and len(shown.get("findings", ())):
        return replace(released, tables={**shown, "findings": findings_as_shown(shown)})
    return released


def _ready(frame: pd.DataFrame, spec: TableSpec, rule: DisclosureRule) -> pd.DataFrame:
    """A table with the rows that are written: texts of few records are one row."""
    if spec.counts and spec.text:
        frame = keep_back_text(frame, spec, rule)
    return without_small_cells(frame.reset_index(drop=True), spec.name, rule)


def _numbers(counts: Counts, hidden: Flags, rule: DisclosureRule) -> dict[str, int | None]:
    """Every count that stands in some row, as it is shown; None where all its rows are hidden.

    Of a count that its row only implies there is no number, but there is a None.
    """
    shown = ~hidden[counts.row]
    published, implied = np.zeros((2, len(counts.values)), dtype=bool)
    published[counts.cell[~counts.implied & shown]] = True
    implied[counts.cell[counts.implied & shown]] = True
    rounded = round_counts(pd.Series(counts.values), rule).to_numpy()
    stands = np.unique(counts.cell)
    return {
        str(counts.names[place]): int(rounded[place]) if published[place] else None
        for place in stands[published[stands] | ~implied[stands]][::-1]
        if OF_ONE_RELEASE not in counts.names[place]
    }


def _problem(counts: Counts, rows: int, told: Told | None) -> Problem:
    """The audit's view of all counts. Hiding costs by the size of what is hidden."""
    sizes = np.zeros(rows)
    np.maximum.at(sizes, counts.row, counts.values[counts.cell])
    cost = 1.0 + np.log2(1.0 + sizes)
    for name in ("people|all", "records|all"):
        everyone = np.flatnonzero(counts.names == name)
        cost[np.unique(counts.row[np.isin(counts.cell, everyone)])] = WHOLE_COST
    return Problem(
        values=counts.values,
        sums=counts.sums,
        exact=counts.exact,
        sensitive=counts.sensitive,
        cell=counts.cell,
        row=counts.row,
        implied=counts.implied,
        rows=rows,
        cost=cost,
        lower=None if told is None else told.lower,
        upper=None if told is None else told.upper,
    )


def _refuse_unsafe(found: Protection, counts: Counts, rows: Mapping[str, slice]) -> None:
    if not len(found.unsafe):
        return
    where = np.isin(counts.cell, found.unsafe)
    clash = sorted(
        {name for name, part in rows.items() for row in counts.row[where] if part.start <= row < part.stop}
    )
    raise DisclosureError(
        f"{len(found.unsafe)} small counts could be worked out from what is shown, whatever else is hidden.",
        where=", ".join(clash) or "the numbers of rows read",
        mend='Choose a rule that rounds, merge sparse categories ([rules] sparse_categories = "merge"), or leave '
        "out a breakdown.",
    )


def _as_shown(
    frame: pd.DataFrame, spec: TableSpec, rule: DisclosureRule, hidden: Flags, *, confidence: float
) -> pd.DataFrame:
    """One table as it is written: hidden rows blanked whole, other counts rounded, shares worked out again.

    Returns the columns of the specification, and `hidden` where the table holds counts.
    """
    if not spec.counts:
        return released_words(frame, spec, rule)
    kept, places = ~hidden, counts_places(frame)
    shown = frame.drop(columns=WITHHELD_COUNT, errors="ignore")
    if spec.name == "representation" and rule.hide_up_to:
        shown["_true_numerator"] = floats(shown["numerator"])
    for column in spec.counts:
        numbers = pd.Series(floats(shown[column]), index=frame.index)
        shown[column] = round_counts(numbers, rule).where(~places, numbers).where(kept)
    for column in spec.estimates:
        shown[column] = pd.Series(floats(shown[column]), index=frame.index).where(kept)
    if rule.hide_up_to:
        shown = worked_out_again(shown, spec, confidence=confidence)
        shown = with_few_digits(shown, spec)
    for share in spec.shares:
        if {share.lower, share.upper} <= set(spec.columns):
            shown = with_shares(shown, confidence=confidence, share=share)
    for column in spec.derived:
        shown[column] = shown[column].astype("object").where(kept, None)
    return shown.assign(**{HIDDEN: hidden})
