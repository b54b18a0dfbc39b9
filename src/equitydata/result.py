"""EquityResult: the one object that every page reads. Frozen; to and from JSON.

In memory it holds true counts; `release` makes the one that may be written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from equitydata.maturity.tiers import Maturity
from equitydata.model import AboutService, Intake, Rejection, SourceFile
from equitydata.rulebook import Choice
from equitydata.tables import HIDDEN, SPECS, plain

if TYPE_CHECKING:
    from equitydata.plots.accessor import Plots
    from equitydata.profiles import Profile
    from equitydata.showing import ShownTable

# Tables that live on the maturity object, so that each table stands in one place.
MATURITY_TABLES = ("criteria", "areas", "next_steps")


@dataclass(frozen=True)
class EquityResult:
    """Everything that was found.

    tables : name -> tidy frame, one row as its specification in `tables` says.
    maturity : criteria, areas, next steps and tiers.
    intake : rows read, used and rejected by reason.
    choices : every rule that was a choice, in force.
    disclosure : the small-number rule applied; "" while it holds true counts.
    hidden_cells : table -> rows hidden in it. hidden_besides : of these, rows hidden so that others stay unknown.
    released_numbers : name of each count -> as it was released, for the audit of later releases; empty before.
    """

    about: AboutService
    tables: Mapping[str, pd.DataFrame]
    maturity: Maturity
    intake: Intake
    choices: Mapping[str, Choice]
    notes: tuple[str, ...] = ()
    disclosure: str = ""
    hidden_cells: Mapping[str, int] = field(default_factory=dict)
    hidden_besides: Mapping[str, int] = field(default_factory=dict)
    released_numbers: Mapping[str, int | None] = field(default_factory=dict)

    def table(self, name: str) -> pd.DataFrame:
        """One table by name; a copy, so that a notebook cannot change the result."""
        source = getattr(self.maturity, name) if name in MATURITY_TABLES else self.tables[name]
        return source.copy()

    @property
    def completeness(self) -> pd.DataFrame:
        """How well each characteristic is recorded: one row per characteristic, measure and unit."""
        return self.table("completeness")

    @property
    def statuses(self) -> pd.DataFrame:
        """The seven statuses of every characteristic, over people and records."""
        return self.table("statuses")

    @property
    def breakdown(self) -> pd.DataFrame:
        """Completeness by age band, sex, deprivation, point of care, site, month and contacts."""
        return self.table("breakdown")

    @property
    def categories(self) -> pd.DataFrame:
        """People in each category, with categories that the list in use does not collect."""
        return self.table("categories")

    @property
    def codes(self) -> pd.DataFrame:
        """Every recorded value and how it was read, unmatched ones with the nearest label."""
        return self.table("codes")

    @property
    def verification(self) -> pd.DataFrame:
        """Repeat recordings, agreement, self-report."""
        return self.table("verification")

    @property
    def flags(self) -> pd.DataFrame:
        """Quality flags: prompts to look."""
        return self.table("flags")

    @property
    def outcomes(self) -> pd.DataFrame:
        """Every measure in every group, with limits; people of unknown group in rows of their own."""
        return self.table("outcomes")

    @property
    def comparisons(self) -> pd.DataFrame:
        """Each group against the rest and other comparators: difference, ratio, test and flag."""
        return self.table("comparisons")

    @property
    def inequality(self) -> pd.DataFrame:
        """One figure for all groups of a characteristic, absolute and relative."""
        return self.table("inequality")

    @property
    def representation(self) -> pd.DataFrame:
        """Users, and people with each outcome, against residents: local, region and nation."""
        return self.table("representation")

    @property
    def trends(self) -> pd.DataFrame:
        """Outcomes by group and period."""
        return self.table("trends")

    @property
    def findings(self) -> pd.DataFrame:
        """What to look at first, ranked; prompts to look, not proof."""
        return self.table("findings")

    def profile(self, **groups: str) -> Profile:
        """One population across every table: result.profile(ethnicity="Bangladeshi", sex="Female").

        groups : one or two characteristics with their category. Raises ConfigError for one that is not there.
        """
        from equitydata.profiles import make_profile

        return make_profile(self, **groups)

    def community_profile(self) -> Profile:
        """The whole service: who it sees beside who lives there, outcomes, findings, and what cannot be said."""
        from equitydata.profiles import make_community_profile

        return make_community_profile(self)

    @property
    def plot(self) -> Plots:
        """Every chart by its name: `result.plot.forest()`; each shows itself in a notebook."""
        from equitydata.plots.accessor import Plots

        return Plots(self)

    def figure(self, name: str) -> dict[str, Any]:
        """One figure that criteria rest on, as a mapping of its columns. KeyError if unknown."""
        table = self.tables["figures"]
        found = table[table["figure"] == name]
        if found.empty:
            raise KeyError(name)
        return dict(found.iloc[0])

    def __repr__(self) -> str:
        people = "few" if self.about.people is None else f"{self.about.people:,}"
        return (
            f"EquityResult({self.about.name!r}, {people} {self.about.counted}, "
            f"data-domain tier {self.maturity.tier!r})"
        )

    def show(
        self, name: str, frame: pd.DataFrame | None = None, *, columns: Sequence[str] = (), rows: int = 20
    ) -> ShownTable:
        """One table as people read it: shares as per cent, hidden counts as [c], what a column means on its heading.

        name : as `table` takes it. frame : rows chosen from it; all when left out. columns : those to show; the ones
        that people read first when left out. rows : at most so many. Raises ConfigError for a name that is not there.
        """
        from equitydata.showing import shown_table

        return shown_table(self, name, frame, columns=columns, rows=rows)

    def _repr_html_(self) -> str:
        from equitydata.showing import result_html

        return result_html(self)

    # ------------------------------------------------------------ JSON

    def to_json(self) -> str:
        """The whole result as JSON text; `from_json` gives an equal result back."""
        content = {
            "about": asdict(self.about),
            "intake": asdict(self.intake),
            "maturity": {
                key: getattr(self.maturity, key)
                for key in ("level", "tier", "tier_measured", "tier_other_reading", "matrix_tier")
            },
            "tables": {name: _to_rows(self.table(name)) for name in (*self.tables, *MATURITY_TABLES)},
            "choices": [asdict(choice) for choice in self.choices.values()],
            "notes": list(self.notes),
            "disclosure": self.disclosure,
            "hidden_cells": dict(self.hidden_cells),
            "hidden_besides": dict(self.hidden_besides),
            "released_numbers": dict(self.released_numbers),
        }
        return json.dumps(content, ensure_ascii=False, indent=1, default=_as_text)

    @classmethod
    def from_json(cls, text: str) -> EquityResult:
        """A result from the text of `to_json`."""
        content = json.loads(text)
        released = bool(content["disclosure"])
        tables = {name: _from_rows(name, rows, released=released) for name, rows in content["tables"].items()}
        own = {name: tables.pop(name) for name in MATURITY_TABLES}
        return cls(
            about=_about_from(content["about"]),
            tables=tables,
            maturity=Maturity(
                **content["maturity"],
                criteria=own["criteria"],
                areas=own["areas"],
                next_steps=own["next_steps"],
            ),
            intake=_intake_from(content["intake"]),
            choices={choice["name"]: _choice_from(choice) for choice in content["choices"]},
            notes=tuple(content["notes"]),
            disclosure=content["disclosure"],
            hidden_cells=content["hidden_cells"],
            hidden_besides=content.get("hidden_besides", {}),
            released_numbers=content.get("released_numbers", {}),
        )


def _about_from(about: Mapping[str, Any]) -> AboutService:
    days = {key: _day(about[key]) for key in ("period_from", "period_to", "as_of")}
    lists = {key: tuple(about[key]) for key in ("areas", "area_codes")}
    ages = tuple(about["ages"]) if about["ages"] else None
    return AboutService(**{**about, **days, **lists, "ages": ages})


def _intake_from(intake: Mapping[str, Any]) -> Intake:
    rejections = [{**each, "lines": tuple(each["lines"])} for each in intake["rejections"]]
    return Intake(
        rows_read=intake["rows_read"],
        rejections=tuple(Rejection(**each) for each in rejections),
        files=tuple(SourceFile(**each) for each in intake["files"]),
        notes=tuple(intake["notes"]),
    )


def _choice_from(choice: Mapping[str, Any]) -> Choice:
    lists = {key: tuple(value) for key, value in choice.items() if isinstance(value, list)}
    return Choice(**{**choice, **lists})


def _to_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): plain(value) for key, value in row.items()} for row in frame.to_dict("records")]


def _from_rows(name: str, rows: list[dict[str, Any]], *, released: bool) -> pd.DataFrame:
    """A table as it was: JSON has no missing number and no column without a row."""
    spec = SPECS[name]
    hidden = [HIDDEN] if released and spec.counts else []
    frame = pd.DataFrame(rows, columns=[*spec.columns, *hidden])
    shares = (column for share in spec.shares for column in (share.value, share.lower, share.upper))
    wanted = [column for column in (*spec.counts, *shares, *spec.estimates) if column in frame]
    numbers = {column: pd.to_numeric(frame[column], errors="coerce") for column in wanted}
    blanked = {
        column: frame[column].astype("object").where(frame[column].notna(), None)
        for column in spec.derived
        if released and column in frame
    }
    return frame.assign(**numbers, **blanked, **{column: frame[column].astype(bool) for column in hidden})


def _as_text(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return plain(value) if hasattr(value, "item") else str(value)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
