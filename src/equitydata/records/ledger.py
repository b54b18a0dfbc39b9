"""The ledger of an intake: every row that was read is used or rejected, once, with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from equitydata.errors import InputError
from equitydata.model import Rejection

LINES_SHOWN = 5
MAX_REASONS = 10

BLANK_LINE = "blank line"
FOOTER_LINE = "total or note row below the table"
REPEATED_HEADER = "header line repeated"
HARMLESS = frozenset({BLANK_LINE, FOOTER_LINE, REPEATED_HEADER})


@dataclass
class Ledger:
    """Counts while a file is read; `rejections` makes it final.

    stop_at_damage : raise InputError as soon as five damaged lines are known, or at the end.
    stray_quotes : quotes in the middle of a field, which were kept as text.
    """

    file: str
    stop_at_damage: bool = False
    rows_used: int = 0
    stray_quotes: int = 0
    _rows: dict[str, int] = field(default_factory=dict)
    _lines: dict[str, list[int]] = field(default_factory=dict)

    @property
    def rows_read(self) -> int:
        """Rows used and rejected so far."""
        return self.rows_used + sum(self._rows.values())

    def reject(self, reason: str, rows: int, lines: Iterable[int] = ()) -> None:
        """Count rows that are not used; beyond MAX_REASONS kinds of damage the rest share one reason."""
        if not rows:
            return
        if reason not in self._rows and reason not in HARMLESS and len(self._rows) >= MAX_REASONS:
            reason = "damaged in another way"
        self._rows[reason] = self._rows.get(reason, 0) + int(rows)
        known = self._lines.setdefault(reason, [])
        known.extend(int(line) for line in lines)
        self._lines[reason] = sorted(known)[:LINES_SHOWN]

    def check(self, *, ended: bool) -> None:
        """Raise InputError where damage is to stop the run, or where damage left nothing to use."""
        damage = {reason: rows for reason, rows in self._rows.items() if reason not in HARMLESS}
        if self.stop_at_damage and damage and (ended or sum(damage.values()) >= LINES_SHOWN):
            raise self._refusal(
                "The file has damaged lines",
                damage,
                'Mend them, or set bad_rows = "reject" under [extract], which counts them and goes on.',
            )
        if ended and damage and not self.rows_used:
            raise self._refusal("Not one row can be used", damage, "Check the delimiter and the header row.")

    def _refusal(self, what: str, damage: dict[str, int], mend: str) -> InputError:
        shown = sorted((line, reason) for reason in damage for line in self._lines[reason])[:LINES_SHOWN]
        listed = "; ".join(f"line {line}: {reason}" for line, reason in shown)
        return InputError(f"{what}: {listed}.", where=self.file, mend=mend)

    def rejections(self, *, name_file: bool = False) -> tuple[Rejection, ...]:
        """One Rejection a reason; name_file adds the file's name, where there are several."""
        suffix = f" [{self.file}]" if name_file else ""
        return tuple(
            Rejection(reason + suffix, rows, tuple(self._lines[reason]))
            for reason, rows in self._rows.items()
        )
