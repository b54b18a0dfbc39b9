"""Releases that were made before: what was published then joins the audit of what is published now.

A manifest keeps the numbers of its release as they were shown, with a mark where one was hidden, under digests of
their names: nothing that the tables beside it do not say, and no word of the data. Two releases tell about each other

* of the **same data** (the same input files): one count has one value, so both shown numbers bound it, and what was
  hidden then stays hidden;
* of **nearly the same data**: a count cannot have changed by more than the rows did. Where so few rows came or went
  that they are a small group themselves, every number that changed would tell of those few, and the release is
  refused;
* of **periods that overlap**: months and quarters that both hold are the same data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equitydata.errors import DisclosureError, InputError
from equitydata.release.book import Counts, Flags, Numbers
from equitydata.release.rounding import range_of
from equitydata.rulebook import DisclosureRule, disclosure_rule

MANIFEST = "manifest.json"
# What stands in a name that means the rows of one release alone.
OF_ONE_RELEASE = "#"
# How a name says of which month or period it counts, whatever the whole period is.
OF_A_PERIOD = ("@", "|month|")


@dataclass(frozen=True)
class Source:
    """What a release was made from. inputs : SHA-256 of its files. rows : records used. period : first, last day."""

    inputs: frozenset[str]
    rows: int
    period: tuple[str, str]


@dataclass(frozen=True)
class Earlier:
    """One earlier release.

    label : how messages name it. numbers : digest of the name of a count -> as it was shown, None where it was hidden.
    of_periods : digests of counts of single months and periods, which mean the same whatever the whole period is.
    """

    label: str
    source: Source
    rule: DisclosureRule
    numbers: Mapping[str, int | None]
    of_periods: frozenset[str] = frozenset()


def digest(name: str) -> str:
    """A name as manifests keep it."""
    return hashlib.sha256(name.encode("utf-8")).hexdigest()[:16]


def read_earlier(path: str | Path) -> Earlier:
    """An earlier release from its manifest, or from the report folder that holds it.

    Raises InputError for a file that is no manifest, or one of a release that kept no numbers.
    """
    file = Path(path)
    file = file / MANIFEST if file.is_dir() else file
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise InputError(
            "The earlier manifest cannot be read.", where=file.name, mend="Check the path."
        ) from None
    except (ValueError, RecursionError):
        raise InputError("That is no manifest: it is not JSON.", where=file.name, mend=_MEND) from None
    try:
        return _earlier(content, file.parent.name or file.name)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError("The manifest keeps no released numbers.", where=file.name, mend=_MEND) from None


_MEND = "Name the manifest.json of a report that this version or a later one wrote."


def _earlier(content: Mapping[str, Any], label: str) -> Earlier:
    kept = content["released_numbers"]
    numbers = {
        str(name): None if value is None else int(value)
        for held in kept.values()
        for name, value in held.items()
    }
    return Earlier(
        label=f"{label} of {str(content['made'])[:10]}",
        source=Source(
            inputs=frozenset(str(each["sha256"]) for each in content["inputs"]),
            rows=int(content["rows"]["used"]),
            period=(str(content["period"]["from"]), str(content["period"]["to"])),
        ),
        rule=disclosure_rule(content["disclosure"]["name"]),
        numbers=numbers,
        of_periods=frozenset(kept["single_periods"]),
    )


def kept_numbers(numbers: Mapping[str, int | None]) -> dict[str, dict[str, int | None]]:
    """Released numbers as a manifest keeps them: by digest, those of the whole period and of single ones apart."""
    kept: dict[str, dict[str, int | None]] = {"whole_period": {}, "single_periods": {}}
    for name, value in numbers.items():
        single = any(mark in name for mark in OF_A_PERIOD)
        kept["single_periods" if single else "whole_period"][digest(name)] = value
    return {start: dict(sorted(held.items())) for start, held in kept.items()}


@dataclass(frozen=True)
class Told:
    """What earlier releases tell of the counts of this one.

    lower, upper : bounds of each cell. hide : cells that were hidden and may not be shown now.
    """

    lower: Numbers
    upper: Numbers
    hide: Flags


def told_before(counts: Counts, earlier: Sequence[Earlier], now: Source, rule: DisclosureRule) -> Told:
    """Bounds that earlier releases set for the counts of this one, and cells that must stay hidden for their sake."""
    lower, upper = np.zeros(len(counts.values)), np.full(len(counts.values), np.inf)
    hide = np.zeros(len(counts.values), dtype=bool)
    names = [*enumerate(map(str, counts.names))]
    places = {digest(name): place for place, name in reversed(names) if OF_ONE_RELEASE not in name}
    for each in earlier:
        for name, low, high, moved in _comparable(each, now):
            place = places.get(name)
            if place is None or not np.isfinite(counts.values[place]):
                continue
            true = counts.values[place]
            if low - moved <= true <= high + moved:
                lower[place] = max(lower[place], low - moved)
                upper[place] = min(upper[place], high + moved)
            elif np.isnan(low) and (_nearly_the_same(moved, rule) or _tells(true, moved, rule, each.rule)):
                hide[place] = True
    return Told(lower, upper, hide)


def _nearly_the_same(moved: float, rule: DisclosureRule) -> bool:
    """Whether so few rows came or went that what changes in the release tells of those few people."""
    return moved <= rule.hide_up_to


def _tells(now: float, moved: float, rule: DisclosureRule, before: DisclosureRule) -> bool:
    """Whether a count that is shown now leaves one that was hidden then too few possible values."""
    if 0 < now <= rule.hide_up_to:
        return False
    lowest = max(now - rule.round_to / 2 - moved, 1.0)
    return lowest <= before.hide_up_to and before.hide_up_to - lowest < before.least_range


def _comparable(earlier: Earlier, now: Source) -> Iterator[tuple[str, float, float, float]]:
    """(digest, lowest and highest that was shown as it was, most that it can have changed) of counts in both releases.

    Lowest and highest are missing where the count was hidden.
    """
    same_period = earlier.source.period == now.period
    moved = _moved(earlier.source, now)
    shown = np.array([np.nan if value is None else value for value in earlier.numbers.values()], dtype=float)
    lowest, highest = range_of(shown, earlier.rule)
    for name, low, high in zip(earlier.numbers, lowest.tolist(), highest.tolist(), strict=True):
        if same_period:
            yield name, low, high, moved
        elif name in earlier.of_periods:
            yield name, low, high, 0.0


def _moved(then: Source, now: Source) -> float:
    """Rows that came or went, at least: none where the files are the same."""
    return 0.0 if then.inputs and then.inputs == now.inputs else float(max(abs(then.rows - now.rows), 1))


def _shows_a_change(
    then: int | None, now: int | None, moved: float, rule: DisclosureRule, before: DisclosureRule
) -> bool:
    """Whether two numbers tell that a count changed. A large one that is hidden now only guards others."""
    if then is not None and now is None:
        lowest, _ = range_of(np.array([then], dtype=float), before)
        return bool(lowest[0] - moved <= rule.hide_up_to)
    return then != now


def refuse_small_differences(
    earlier: Sequence[Earlier], numbers: Mapping[str, int | None], now: Source, rule: DisclosureRule
) -> None:
    """Refuse a release that differs from an earlier one by a few people, where that shows in any number.

    Raises DisclosureError, which names the earlier release and how many numbers changed.
    """
    shown = {digest(name): value for name, value in numbers.items()}
    for each in earlier:
        moved = _moved(each.source, now)
        if each.source.period != now.period or moved == 0 or not _nearly_the_same(moved, rule):
            continue
        changed = [
            name
            for name, value in each.numbers.items()
            if name in shown and _shows_a_change(value, shown[name], moved, rule, each.rule)
        ]
        if changed:
            raise DisclosureError(
                f"This release and an earlier one are of nearly the same records: they differ by {moved:.0f} rows or a "
                f"few more, and {len(changed):,} numbers changed. Whoever holds both learns about those few people.",
                where=each.label,
                mend="Release again when more records have come, or withdraw the earlier release and leave out "
                "--previous.",
            )
