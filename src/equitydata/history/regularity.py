"""Was something done regularly? Days -> how often, with what gaps, and how long ago."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd


@dataclass(frozen=True)
class Regularity:
    """How regularly something was done up to a day.

    days : different days on which it was done. first, last : None where there was none.
    longest_gap : days between two that follow each other, None with fewer than two.
    age : days from the last to the day asked about, None where there was none.
    gap_too_long, lapsed : longer than allowed between two days, or since the last.
    """

    days: int
    first: datetime.date | None
    last: datetime.date | None
    longest_gap: int | None
    age: int | None
    gap_too_long: bool
    lapsed: bool
    enough: bool

    @property
    def regular(self) -> bool:
        """Often enough, without too long a gap, and lately."""
        return self.enough and not self.gap_too_long and not self.lapsed


def months_before(day: datetime.date, months: int) -> datetime.date:
    """The same day some months before; the last of the month where that month is shorter."""
    return (pd.Timestamp(day) - pd.DateOffset(months=months)).date()


def how_regular(
    days: Iterable[datetime.date],
    as_of: datetime.date,
    *,
    months: int,
    least: int,
    since: datetime.date | None = None,
) -> Regularity:
    """How regularly something was done.

    days : when it was done; days after `as_of` or before `since` do not count, several on one day count once.
    months : the longest time allowed between two days, and from the last one to `as_of`. least : days needed.
    """
    done = sorted({day for day in days if day <= as_of and (since is None or day >= since)})
    pairs = list(pairwise(done))
    return Regularity(
        days=len(done),
        first=done[0] if done else None,
        last=done[-1] if done else None,
        longest_gap=max(((later - earlier).days for earlier, later in pairs), default=None),
        age=(as_of - done[-1]).days if done else None,
        gap_too_long=any(earlier < months_before(later, months) for earlier, later in pairs),
        lapsed=bool(done) and done[-1] < months_before(as_of, months),
        enough=bool(done) and len(done) >= least,
    )


def is_regular(
    days: Iterable[datetime.date],
    as_of: datetime.date,
    *,
    months: int,
    least: int,
    since: datetime.date | None = None,
) -> bool:
    """Whether something was done often enough, without too long a gap, and lately; see `how_regular`."""
    return how_regular(days, as_of, months=months, least=least, since=since).regular
