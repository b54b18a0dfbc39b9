"""What went wrong, where, and how to mend it.

Every error that a user can meet is one of these. A message never holds a value of a record: it names
files, lines, columns, keys and counts.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EquityDataError(Exception):
    """Base of every error that equitydata raises on purpose.

    what : what was found, one sentence.
    where : file, line, column or key; empty where it is plain.
    mend : what to do about it.
    """

    exit_code = 3

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        self.what, self.where, self.mend = what, where, mend
        super().__init__(str(self))

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        mend = f"\n  What to do: {self.mend}" if self.mend else ""
        return f"{where}{self.what}{mend}"


class InputError(EquityDataError):
    """An extract that cannot be read rightly. Exit code 3."""

    exit_code = 3


class ConfigError(EquityDataError):
    """A service file, an option or a name that does not hold. Exit code 2."""

    exit_code = 2


class DisclosureError(EquityDataError):
    """A release that would identify someone. Exit code 4: nothing was written."""

    exit_code = 4


class OutputError(EquityDataError):
    """A result that could not be written. Exit code 4."""

    exit_code = 4


def nearest(wanted: str, known: Iterable[str]) -> str:
    """The mend for an unknown name: the nearest known one, and what there is.

    Returns a sentence such as "Did you mean 'ethnicity'? Available: age, ethnicity, sex."
    """
    names = sorted({str(name) for name in known})
    folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(wanted.casefold(), folded, n=1, cutoff=0.6)
    guess = f"Did you mean '{folded[close[0]]}'? " if close else ""
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return f"{guess}Available: {shown or 'none'}."
