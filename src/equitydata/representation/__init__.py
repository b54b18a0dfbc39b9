"""Service users, and people with each outcome, against the residents of an area."""

from equitydata.representation.own_tables import add_table
from equitydata.representation.table import representation_table, representation_unknowns, residents_table

__all__ = ["add_table", "representation_table", "representation_unknowns", "residents_table"]
