"""Records -> a table fit to share inside the organisation: pseudonyms, coarser values, groups of k people or more.

`table` is the run, top to bottom: `plan` decides what becomes of each column, `opening` and `staging` bring people and
rows into two tables, `combining` counts who is alike, `levels` tells how a characteristic is made coarser and `search`
how coarse it must be, `shown` which other values may be written, `output` puts the rows together, and `writing` brings
them to disk.
"""

from equitydata.records.deidentifying.choices import DeidentifyChoices, load_choices
from equitydata.records.deidentifying.keys import Key, chance_key, make_key, read_key
from equitydata.records.deidentifying.plan import Asked, ColumnPlan, what_is_asked
from equitydata.records.deidentifying.shown import Shown
from equitydata.records.deidentifying.table import Grouped, SharedTable, deidentify_records
from equitydata.records.deidentifying.writing import check_place, manifest_of, open_workshop

__all__ = [
    "Asked",
    "ColumnPlan",
    "DeidentifyChoices",
    "Grouped",
    "Key",
    "SharedTable",
    "Shown",
    "chance_key",
    "check_place",
    "deidentify_records",
    "load_choices",
    "make_key",
    "manifest_of",
    "open_workshop",
    "read_key",
    "what_is_asked",
]
