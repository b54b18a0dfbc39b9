"""Staged people -> the distinct combinations of their quasi-identifiers, which the search works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import ibis
import numpy as np
import pandas as pd

from equitydata.records.deidentifying.levels import Attribute, Codes, Level, make_attribute
from equitydata.records.deidentifying.search import Combinations, Solution, level_losses
from equitydata.records.deidentifying.staging import Staged, label_of
from equitydata.records.engine import Engine
from equitydata.service import Service

# More combinations than this are not fetched: the characteristic with most values starts coarser then.
MOST_COMBINATIONS_FETCHED = 500_000


@dataclass(frozen=True)
class Combined:
    """People by combination. placed : ibis table of person and combination, the row of `combinations`."""

    attributes: tuple[Attribute, ...]
    combinations: Combinations
    placed: Any


def combine(staged: Staged, service: Service) -> tuple[Staged, Combined]:
    """The quasi-identifiers with their levels, and how many people have each combination of their values."""
    people, engine = staged.people, staged.engine
    if not staged.plan.grouped:
        counted = np.array([engine.count(people)], dtype=np.int64)
        placed = people.select("person", combination=ibis.literal(0, "int32"))
        nothing = np.zeros((1, 0), dtype=np.int64)
        return staged, Combined((), Combinations(nothing, counted), placed)
    staged, coarser = _few_enough(staged, service)
    people, names = staged.people, [f"q_{name}" for name in staged.plan.grouped]
    frame = engine.to_frame(people.group_by(*names).agg(people=people.count()).order_by(*names))
    frame = frame.assign(combination=np.arange(len(frame), dtype="int32"))
    keys = engine.lookup(frame[[*names, "combination"]], "combinations")
    placed = engine.stage(people.inner_join(keys, names).select("person", "combination"), "placed")
    codes, counts = frame[names].to_numpy(dtype=np.int64), frame["people"].to_numpy(dtype=np.int64)
    attributes = tuple(
        coarser.get(name) or _attribute(name, staged, service, codes[:, number], counts)
        for number, name in enumerate(staged.plan.grouped)
    )
    return staged, Combined(attributes, Combinations(codes, counts), placed)


def kept_people(combined: Combined, solution: Solution, engine: Engine) -> Any:
    """The people who stay: ibis table of person and combination."""
    if solution.kept.all():
        return combined.placed
    numbers = np.flatnonzero(solution.kept).astype("int32")
    kept = engine.lookup(pd.DataFrame({"combination": numbers}), "kept")
    return combined.placed.semi_join(kept, "combination")


# ---------------------------------------------------------------- quasi-identifiers


def _few_enough(staged: Staged, service: Service) -> tuple[Staged, dict[str, Attribute]]:
    """The people with few enough combinations: the widest quasi-identifiers start at a coarser level, if need be."""
    people, engine = staged.people, staged.engine
    coarser: dict[str, Attribute] = {}
    widths = {name: len(staged.values[name]) for name in staged.plan.grouped}
    while _distinct(people, list(widths), engine) > MOST_COMBINATIONS_FETCHED:
        widest = max(widths, key=lambda name: widths[name])
        if widths[widest] == 1:
            break
        codes, counts = _counted(widest, people, engine)
        attribute = coarser.get(widest) or _attribute(widest, staged, service, codes, counts)
        # The first level that puts values together; the last one, which leaves the column out, always does.
        place = next(n for n, each in enumerate(attribute.levels) if len(each.labels) < len(attribute.values))
        people = _folded(people, f"q_{widest}", attribute.levels[place], engine)
        by_value = np.bincount(codes, weights=counts, minlength=len(attribute.values))
        coarser[widest] = _coarser(attribute, place, level_losses(attribute, by_value)[place])
        widths[widest] = len(attribute.levels[place].labels)
    return replace(staged, people=people), coarser


def _counted(name: str, people: Any, engine: Engine) -> tuple[Codes, Codes]:
    """The values of one quasi-identifier that occur, and people with each."""
    counted = people.group_by(value=people[f"q_{name}"]).agg(people=people.count())
    found = engine.to_frame(counted)
    return found["value"].to_numpy(dtype=np.int64), found["people"].to_numpy(dtype=np.int64)


def _attribute(name: str, staged: Staged, service: Service, codes: Codes, counts: Codes) -> Attribute:
    """A quasi-identifier with its levels. codes, counts : values by number, and people; a value may occur often."""
    values = staged.values[name]
    people = np.bincount(codes, weights=counts, minlength=len(values)).astype(np.int64)
    column = staged.plan.grouped[name]
    return make_attribute(name, label_of(name), column, values, people, service.rulebook)


def _folded(people: Any, number: str, level: Level, engine: Engine) -> Any:
    """People with the groups of a level in place of a quasi-identifier's values."""
    frame = pd.DataFrame({"__raw": np.arange(len(level.fold)), "__fold": level.fold}).astype("int32")
    folds = engine.lookup(frame, "fold")
    joined = people.left_join(folds, people[number] == folds["__raw"])
    others = [column for column in people.columns if column != number]
    return engine.stage(joined.select(*others, **{number: joined["__fold"]}), "people")


def _coarser(attribute: Attribute, place: int, lost: float) -> Attribute:
    """The attribute with the groups of a level as its values. lost : share of its information that this level loses."""
    level = attribute.levels[place]
    first = {number: value for value, number in reversed(list(enumerate(level.fold.tolist())))}
    values = [first.get(number, 0) for number in range(len(level.labels))]
    levels = tuple(replace(each, fold=each.fold[values]) for each in attribute.levels[place:])
    begun = 1 - (1 - attribute.begun) * (1 - lost)
    return replace(attribute, values=level.labels, levels=levels, begun=begun)


def _distinct(people: Any, names: Sequence[str], engine: Engine) -> int:
    return engine.count(people.select(*(f"q_{name}" for name in names)).distinct())
