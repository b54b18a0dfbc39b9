"""What rests on several rows at once: tests, summaries and findings, where some of those rows are hidden."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from equitydata.release.naming_outcomes import WITHHELD_COUNT
from equitydata.release.rounding import DIGITS, LIMIT_DIGITS, P_VALUES, floats, next_step, significant, small
from equitydata.rulebook import DisclosureRule
from equitydata.strata import USERS
from equitydata.tables import HIDDEN

# Table -> a count that says how many people have no known group, and what is worked out from it: when it is
# small, it is withheld by itself, and the groups stay.
UNKNOWN_CELLS: Mapping[str, tuple[str, ...]] = {"representation": ("unknown", "share_of_all")}
FEW_UNKNOWN = "The number of people of unknown group is small and not shown."
# Tables without counts whose figures are worked out from several groups at once.
SUMMARIES: Mapping[str, tuple[str, ...]] = {
    "inequality": ("value", "lower", "upper", "under_equality"),
    "tests": ("statistic_value", "p", "effect_size"),
}
WITHHELD = "Withheld: with the groups that are shown it would give a hidden number away."


def without_small_cells(frame: pd.DataFrame, name: str, rule: DisclosureRule) -> pd.DataFrame:
    """A table without its small counts of people of unknown group, which are withheld by themselves."""
    columns = UNKNOWN_CELLS.get(name, ())
    if not columns or frame.empty or rule.midpoint:
        return frame
    unknown = pd.to_numeric(frame[columns[0]], errors="coerce")
    few = small(floats(unknown), rule)
    notes = frame["note"].astype("object").fillna("")
    blanked = {column: pd.to_numeric(frame[column], errors="coerce").mask(few) for column in columns}
    # What is withheld is still a count that others may give away: the audit has to know it.
    return frame.assign(
        **blanked,
        note=notes.mask(few, (notes + " " + FEW_UNKNOWN).str.strip()),
        **{WITHHELD_COUNT: unknown.where(few)},
    )


def without_summaries_of_hidden(
    tables: Mapping[str, pd.DataFrame], rule: DisclosureRule
) -> dict[str, pd.DataFrame]:
    """Summaries and tests rounded, and withheld where a hidden group could be worked out from one.

    Every figure for all groups of a level is an equation for those that are hidden, and several such figures are
    enough to solve it: they are shown for levels of which no group is hidden.
    """
    outcomes = tables.get("outcomes")
    found = dict(tables)
    if outcomes is None or not rule.hide_up_to:
        return found
    keys = ["measure", "characteristic", "level"]
    groups = outcomes[outcomes["status"] == "known"]
    hidden = set(zip(*(groups.loc[groups[HIDDEN], key] for key in keys), strict=True))
    for name, columns in SUMMARIES.items():
        frame = tables.get(name)
        if frame is None or frame.empty:
            continue
        lost = pd.Series(
            [key in hidden for key in zip(*(frame[key] for key in keys), strict=True)],
            index=frame.index,
            dtype=bool,
        )
        numbers = {
            column: (
                next_step(frame[column])
                if column in P_VALUES
                else significant(frame[column], digits=LIMIT_DIGITS if name == "tests" else DIGITS)
            ).mask(lost)
            for column in columns
        }
        # Which two groups lie furthest apart is a figure of the hidden group too.
        words = {
            column: frame[column].astype("object").mask(lost, "")
            for column in ("compared",)
            if column in frame
        }
        found[name] = frame.assign(
            **numbers, **words, note=frame["note"].astype("object").fillna("").mask(lost, WITHHELD)
        )
    return found


# Column of a finding -> the column of the released table that it repeats.
_OF_COMPARISONS = {
    name: name
    for name in (
        "value", "comparator_value", "difference", "difference_lower", "difference_upper", "ratio", "ratio_lower",
        "ratio_upper",
    )
}  # fmt: skip
_OF_REPRESENTATION = {
    "value": "share",
    "comparator_value": "residents_share",
    **{f"difference{end}": f"gap{end}" for end in ("", "_lower", "_upper")},
    **{f"ratio{end}": f"ratio{end}" for end in ("", "_lower", "_upper")},
}


def findings_as_shown(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Findings with the numbers that the released tables show; hidden ones are left out.

    A hidden finding would say by its presence that the group was flagged.
    """
    found = tables["findings"]
    found = found[~found[HIDDEN].astype(bool)].reset_index(drop=True)
    sources = []
    if len(tables.get("comparisons", ())):
        rest = tables["comparisons"]
        rest = rest[(rest["comparator"] == "rest") & rest["adjustment"].isin(["crude", "adjusted"])]
        adjusted = found["statistic"].astype(str).str.startswith("adjusted")
        for name, rows in (("crude", ~adjusted), ("adjusted", adjusted)):
            here = rest[rest["adjustment"] == name].rename(columns={"measure": "_key"})
            sources.append((here, (found["about"] == "outcome") & rows, found["measure"], _OF_COMPARISONS))
    if len(tables.get("representation", ())):
        local = tables["representation"]
        local = local[local["area_kind"] == "local"].rename(columns={"of": "_key"})
        users = found["measure"].astype(str).where(found["measure"].astype(str) != "", USERS)
        sources.append((local, found["about"] == "representation", users, _OF_REPRESENTATION))
    for source, where, key, columns in sources:
        keys = ["_key", "characteristic", "level", "category"]
        one = source.drop_duplicates(keys).set_index(keys)
        index = pd.MultiIndex.from_arrays([key, *(found[name] for name in keys[1:])])
        for column, theirs in columns.items():
            values = one[theirs].reindex(index).to_numpy(dtype=float)
            usable = where.to_numpy(dtype=bool) & ~np.isnan(values)
            found[column] = np.where(usable, values, floats(found[column]))
    return found.assign(order=np.arange(1, len(found) + 1))
