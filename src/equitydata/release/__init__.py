"""Result -> a result fit to share: the last step before anything is written."""

from equitydata.release.released import release, release_table

__all__ = ["release", "release_table"]
