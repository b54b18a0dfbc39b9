"""The tables of what `deidentify` did: columns, quasi-identifiers with their levels, and people by written group."""

from __future__ import annotations

from equitydata.tables.spec import TableSpec

SHARED_COLUMNS_TABLE = TableSpec(
    "shared_columns",
    "What became of each column",
    "column of the extract",
    {
        "column": "column of the extract",
        "written": "names of the columns that it gives, parted by commas; empty where it was left out",
        "action": "pseudonym, grouped, date, values or dropped",
        "how": "what was done, in words",
        "why": "why it stayed or was left out",
        "filled": "cells with a value in the rows that stay; empty where that was not asked",
        "shown": "cells of these that are written; the others are blank",
    },
    counts=("filled", "shown"),
)

SHARED_LEVELS_TABLE = TableSpec(
    "shared_levels",
    "How coarse each quasi-identifier is, and what that lost",
    "quasi-identifier",
    {
        "characteristic": "quasi-identifier, by the name of its characteristic",
        "label": "name that people read",
        "written": "name of the column; empty where it was left out",
        "level": "chosen level of rules/deidentify.toml",
        "level_label": "chosen level, in words",
        "finest": "finest level there was",
        "groups": "groups that are written, people of unknown value among them",
        "lost": "share of its information (entropy) that is no longer there, fraction",
        "known_before": "people with a known value in the extract",
        "known_after": "people with a known value in the file",
        "change": "how far the shares of its groups moved by leaving people out: total variation, fraction",
    },
    counts=("known_before", "known_after"),
)

SHARED_GROUPS_TABLE = TableSpec(
    "shared_groups",
    "People by written group, before and after people were left out",
    "group of a quasi-identifier",
    {
        "characteristic": "quasi-identifier",
        "group": "written group; those of which nobody stays are one row",
        "before": "people in the extract",
        "after": "people in the file",
    },
    counts=("before", "after"),
)
