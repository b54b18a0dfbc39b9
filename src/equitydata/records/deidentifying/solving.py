"""Combinations and kept columns -> the levels that lose least, who stays, and which values may be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from equitydata.errors import DisclosureError
from equitydata.records.deidentifying.choices import load_choices
from equitydata.records.deidentifying.combining import Combined, kept_people
from equitydata.records.deidentifying.levels import Attribute
from equitydata.records.deidentifying.plan import DROPPED, Asked
from equitydata.records.deidentifying.search import Combinations, Search, Sensitive, Solution, Wanted
from equitydata.records.deidentifying.shown import Shown, shown_values, value_table
from equitydata.records.deidentifying.staging import Staged, is_moved
from equitydata.records.engine import Engine

# Leaving people out can make a value of a sensitive column rare, which is then left blank, and so on.
MOST_ROUNDS = 6


def solve(staged: Staged, combined: Combined, asked: Asked) -> tuple[Staged, Solution, list[Shown]]:
    """The levels that lose least, and the values that may be written beside them.

    Whether a value may be written depends on who stays, and who stays on the values of sensitive columns: both are
    worked out again until nothing changes.
    Raises DisclosureError where nothing holds within what may be left out.
    """
    rows, engine = staged.rows, staged.engine
    if combined.combinations.total < asked.k:
        raise DisclosureError(
            f"The extract holds fewer than {asked.k} people, so no group can be large enough.",
            mend="Share an extract of more people.",
        )
    shown = _shown(rows, staged, asked)
    staged, shown = _without_useless(staged, shown)
    for _ in range(MOST_ROUNDS):
        sensitive = tuple(_pairs(rows, each, combined, engine) for each in shown if each.column.sensitive)
        solution = _searched(combined.attributes, replace(combined.combinations, sensitive=sensitive), asked)
        if solution.kept.all():
            return staged, solution, shown
        kept = rows.semi_join(kept_people(combined, solution, engine), "person")
        again = _shown(kept, staged, asked)
        if all(a.same_as(b) for a, b in zip(shown, again, strict=True) if a.column.sensitive):
            return staged, solution, again
        shown = again
    raise DisclosureError(
        "The values of a sensitive column become too rare each time that people are left out.",
        where="[sharing] sensitive",
        mend="Leave the column out, or give k or l a smaller number.",
    )


def _shown(rows: Any, staged: Staged, asked: Asked) -> list[Shown]:
    return shown_values(rows, staged.kept, asked.k, staged.engine, exact=lambda each: is_moved(each, asked))


def _without_useless(staged: Staged, shown: list[Shown]) -> tuple[Staged, list[Shown]]:
    """Columns whose values are nearly all held by too few people are left out."""
    least = load_choices().value("least_shown")
    useless = {each.column.column for each in shown if each.share < least}
    plan = staged.plan
    for each in plan.columns:
        if each.column not in useless:
            continue
        if each.sensitive:
            raise DisclosureError(
                f"Most values of '{each.column}' are held by too few people to be written.",
                where="[sharing] sensitive",
                mend="Put its values into larger groups in the extract, or leave the column out.",
            )
        why = "most of its values are held by too few people"
        plan = plan.with_column(replace(each, action=DROPPED, why=why))
    kept = tuple(each for each in staged.kept if each.column not in useless)
    return replace(staged, plan=plan, kept=kept), [
        each for each in shown if each.column.column not in useless
    ]


def _pairs(rows: Any, shown: Shown, combined: Combined, engine: Engine) -> Sensitive:
    """Which values of a sensitive column the people of each combination have; a blank is a value of its own."""
    values = value_table(shown, engine)
    left = rows.select("person", __value=rows[shown.column.staged])
    joined = left.left_join(values, left["__value"] == values["__raw"])
    numbered = joined.select("person", number=joined["__number"].fill_null(0))
    placed = numbered.inner_join(combined.placed, "person").select("combination", "number").distinct()
    found = engine.to_frame(placed)
    engine.drop(values)
    row, value = (found[name].to_numpy(dtype=np.int64) for name in ("combination", "number"))
    return Sensitive(shown.column.written, row, value)


# ---------------------------------------------------------------- the search


def _searched(attributes: Sequence[Attribute], given: Combinations, asked: Asked) -> Solution:
    # However much may be left out, somebody must stay.
    most = min(int(asked.suppress_at_most * given.total + 1e-9), given.total - asked.k)
    search = Search(
        attributes,
        given,
        Wanted(k=asked.k, l=asked.l, most=most),
        coarsest=[_coarsest(each, asked) for each in attributes],
        most_nodes=load_choices().value("most_combinations"),
        left_out_counts=load_choices().value("left_out_counts"),
    )
    solution = search.find()
    if solution is None:
        raise _cannot(search, attributes, given, asked)
    return solution


def _coarsest(attribute: Attribute, asked: Asked) -> int:
    """Place of the coarsest level that is allowed: the one named, or where it tells no more than a finer one, that."""
    level = asked.coarsest.get(attribute.name)
    if level is None:
        return len(attribute.levels) - 1
    names = [each.name for each in load_choices().levels.get(attribute.name, ())] or [level]
    finer = names[: names.index(level) + 1]
    return max((place for each in finer if (place := attribute.place(each)) is not None), default=0)


def _cannot(
    search: Search, attributes: Sequence[Attribute], given: Combinations, asked: Asked
) -> DisclosureError:
    """Why no levels hold, and what would help."""
    for each in given.sensitive:
        if len(set(each.value.tolist())) < asked.l:
            return DisclosureError(
                f"'{each.name}' holds fewer than {asked.l} values that may be written.",
                where="[sharing] sensitive",
                mend="Take it out of sensitive, or ask for a smaller l.",
            )
    share = search.suppressed(search.top) / given.total
    helps = [_without_limit(each, attributes, search) for each in attributes if each.name in asked.coarsest]
    name, least = min(helps, key=lambda pair: pair[1], default=("", share))
    more = f" Without the limit on {name} it would be {_percent(least)}." if name else ""
    return DisclosureError(
        f"At the coarsest levels allowed, {_percent(share)} of people are still in groups that are too small or too "
        f"alike; at most {_percent(asked.suppress_at_most)} may be left out.{more}",
        where="[sharing]",
        mend="Allow coarser levels under coarsest, name fewer quasi_identifiers or sensitive columns, raise "
        "suppress_at_most, or give k or l a smaller number.",
    )


def _without_limit(
    attribute: Attribute, attributes: Sequence[Attribute], search: Search
) -> tuple[str, float]:
    places = [
        len(each.levels) - 1 if each is attribute else top
        for each, top in zip(attributes, search.top, strict=True)
    ]
    return attribute.name, search.suppressed(tuple(places)) / search.given.total


def _percent(share: float) -> str:
    """A share in words that tells no single person."""
    return f"{share:.0%}" if share >= 0.01 or share == 0 else "under 1%"
