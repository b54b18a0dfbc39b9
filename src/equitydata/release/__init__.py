"""Result -> a result fit to share: the last step before anything is written."""

from equitydata.release.released import ReleasedTables, release, release_tables

__all__ = ["ReleasedTables", "release", "release_tables"]
