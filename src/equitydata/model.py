"""The nouns of a data-quality audit: frozen values, no behaviour beyond reading them.

Every value of every characteristic stands in exactly one `Status` before anything is counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum


class Status(StrEnum):
    """What a recorded value says; exactly one holds for each value."""

    KNOWN = "known"
    UNSURE = "unsure"
    DECLINED = "declined"
    NOT_KNOWN = "not_known"
    NOT_APPLICABLE = "not_applicable"
    INVALID = "invalid"
    MISSING = "missing"


STATUSES: tuple[str, ...] = tuple(status.value for status in Status)


class Tier(StrEnum):
    """Levels of the maturity matrix, lowest first."""

    WORKING_TOWARDS = "Working towards Fundamental"
    FUNDAMENTAL = "Fundamental"
    INTERMEDIATE = "Intermediate"
    ADVANCED = "Advanced"


TIERS: tuple[str, ...] = tuple(tier.value for tier in Tier)


@dataclass(frozen=True)
class Rejection:
    """Rows of the input that were not used, for one reason.

    lines : the first few line numbers of the file, where known; never the content.
    """

    reason: str
    rows: int
    lines: tuple[int, ...] = ()


@dataclass(frozen=True)
class SourceFile:
    """One file that was read, by name only: a path may name a person."""

    name: str
    bytes: int
    sha256: str
    encoding: str = ""
    delimiter: str = ""
    header_line: int = 0
    sheet: str = ""


@dataclass(frozen=True)
class Intake:
    """What came in: rows_read = rows_used + the rows of all rejections, always."""

    rows_read: int
    rejections: tuple[Rejection, ...] = ()
    files: tuple[SourceFile, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def rows_rejected(self) -> int:
        """Rows of the input that were not used, for any reason."""
        return sum(rejection.rows for rejection in self.rejections)

    @property
    def rows_used(self) -> int:
        """Rows that every count rests on."""
        return self.rows_read - self.rows_rejected


@dataclass(frozen=True)
class AboutService:
    """Whose data it is, and for whom and when it was analysed."""

    name: str
    level: str
    areas: tuple[str, ...]
    area_codes: tuple[str, ...]
    ages: tuple[int, int] | None
    period_from: date | None
    period_to: date | None
    as_of: date
    people: int | None
    counted: str
    version: str
