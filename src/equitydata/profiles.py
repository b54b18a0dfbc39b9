"""One population across every table of a result, and the community profile of the whole service.

A profile gathers; it works nothing out anew. Of a released result hidden rows stay hidden: they are said to be
hidden, and are never 0. What the data cannot say is said as well: that is half of a profile's use.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import pandas as pd

from equitydata.completeness import JOINT
from equitydata.errors import ConfigError, nearest
from equitydata.findings.words import finding_rules, lower_first, number, rows_of, text
from equitydata.listening.tables import themes_for
from equitydata.model import AboutService
from equitydata.rulebook import characteristics
from equitydata.stats.judgement.flags import INSUFFICIENT_DATA, NO_EVIDENCE, UNCERTAIN
from equitydata.strata import ALL, CROSS, CROSS_CATEGORY, NOT_COLLECTED, USERS
from equitydata.tables import HIDDEN, SPECS, empty, plain

MOST_CHARACTERISTICS = 2
KEYS = ["characteristic", "level", "category"]
# Dimension of the completeness breakdown -> the characteristic that its groups are of, where the name differs.
DIMENSIONS: Mapping[str, str] = MappingProxyType({"age_band": "age"})
# Table of a profile -> its title and the columns that people read first; to_dict holds all of them.
SHOWN: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "who": (
            "Who is seen, and who lives there",
            (
                "group",
                "area",
                "numerator",
                "share",
                "residents",
                "residents_share",
                "ratio",
                "ratio_lower",
                "ratio_upper",
                "standardised_ratio",
                "flag",
            ),
        ),
        "age_sex": (
            "Age and sex of those seen, against residents",
            ("label", "category", "area", "numerator", "share", "residents_share", "ratio", "flag"),
        ),
        "groups": (
            "Every group, against residents",
            ("label", "category", "area", "numerator", "share", "residents_share", "ratio", "flag"),
        ),
        "completeness": (
            "How completely things are recorded",
            ("label", "group", "numerator", "denominator", "value", "flagged"),
        ),
        "measures": (
            "Outcomes",
            (
                "group",
                "measure_label",
                "people",
                "value",
                "lower",
                "upper",
                "comparator_value",
                "ratio",
                "ratio_lower",
                "ratio_upper",
                "standardised_ratio",
                "flag",
                "robustness",
            ),
        ),
        "flagged": (
            "Groups that are flagged",
            (
                "measure_label",
                "label",
                "category",
                "people",
                "value",
                "comparator_value",
                "ratio",
                "flag",
                "harm",
            ),
        ),
        "changes": (
            "Change from the first to the last period",
            ("measure_label", "category", "first_period", "first", "last_period", "last", "gap_change"),
        ),
        "trends": ("Over time", ("measure_label", "category", "period", "people", "value", "lower", "upper")),
        "findings": ("Findings", ("finding", "adjustment", "heard", "look")),
        "themes": ("What was heard", ("theme", "category", "heard", "times", "date", "used_for")),
        "listening_gaps": ("Groups not listened to", ("label", "category", "residents_share", "gap")),
        "checks": ("How far users and residents can be compared", ("label", "severity", "finding")),
    }
)


# Column -> its head, where the name of the column is not word enough.
HEADS: Mapping[str, str] = MappingProxyType(
    {
        "measure_label": "measure",
        "label": "characteristic",
        "numerator": "people",
        "denominator": "of",
        "share": "share of those known",
        "residents_share": "share of residents",
        "comparator_value": "everyone else",
        "lower": "lower limit",
        "upper": "upper limit",
        "ratio_lower": "ratio, lower limit",
        "ratio_upper": "ratio, upper limit",
        "standardised_ratio": "ratio with age and sex",
        "gap_change": "change of the gap",
        "value": "value",
        "flagged": "far below the whole",
    }
)


class Result(Protocol):
    """What a profile reads: an `EquityResult`, of true counts or released."""

    @property
    def about(self) -> AboutService:
        """Whose data it is."""

    @property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Tables by name."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of the run."""

    @property
    def disclosure(self) -> str:
        """The small-number rule applied; "" for true counts."""

    def table(self, name: str) -> pd.DataFrame:
        """One table by name, as a copy."""


@dataclass(frozen=True)
class Profile:
    """One population, or the whole service, across every table.

    title : what it is of. service : whose data. stratum : characteristic -> category, empty for the whole service.
    tables : name -> tidy frame; see SHOWN for what each holds. Rows that are hidden say so in `hidden`.
    cannot_say : what the data cannot say, a sentence each. notes : how the figures were made.
    disclosure : the small-number rule applied; '' while it holds true counts.
    """

    title: str
    service: str
    stratum: Mapping[str, str]
    tables: Mapping[str, pd.DataFrame]
    cannot_say: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    disclosure: str = ""

    def table(self, name: str) -> pd.DataFrame:
        """One table by name; a copy. Raises ConfigError naming the nearest."""
        if name not in self.tables:
            raise ConfigError(f"A profile has no table '{name}'.", mend=nearest(name, self.tables))
        return self.tables[name].copy()

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON: missing and hidden numbers are null, hidden rows say so."""
        return {
            "title": self.title,
            "service": self.service,
            "stratum": dict(self.stratum),
            "disclosure": self.disclosure,
            "tables": {
                name: [{key: plain(value) for key, value in row.items()} for row in rows_of(frame)]
                for name, frame in self.tables.items()
            },
            "cannot_say": list(self.cannot_say),
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """The same as JSON text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1, default=str)

    def to_markdown(self) -> str:
        """The profile as text: sections with tables, what cannot be said, notes."""
        parts = [f"# {_one_line(self.title)}", _one_line(self.service)]
        for title, head, cells in self._sections():
            parts.append(f"## {title}")
            rows = [head, ["---"] * len(head), *cells]
            parts.append("\n".join("| " + " | ".join(_in_cell(cell) for cell in row) + " |" for row in rows))
        for title, sentences in self._lists():
            parts.append(f"## {title}")
            parts.append("\n".join(f"- {_one_line(each)}" for each in sentences))
        return "\n\n".join(parts) + "\n"

    def _repr_html_(self) -> str:
        parts = [f"<h2>{escape(self.title)}</h2><p>{escape(self.service)}</p>"]
        for title, head, cells in self._sections():
            heads = "".join(f'<th scope="col">{escape(each)}</th>' for each in head)
            body = "".join(
                "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in cells
            )
            parts.append(
                f"<table><caption>{escape(title)}</caption><thead><tr>{heads}</tr></thead>"
                f"<tbody>{body}</tbody></table>"
            )
        for title, sentences in self._lists():
            items = "".join(f"<li>{escape(each)}</li>" for each in sentences)
            parts.append(f"<h3>{escape(title)}</h3><ul>{items}</ul>")
        return "".join(parts)

    def __repr__(self) -> str:
        return (
            f"Profile({self.title!r}, {len(self.tables)} tables, {len(self.cannot_say)} things it cannot say)"
        )

    def _sections(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """Title, heads and cells of every table that has rows."""
        found = []
        for name, frame in self.tables.items():
            if frame.empty:
                continue
            title, columns = SHOWN[name]
            shown = [column for column in columns if column in frame]
            cells = [[cell_words(row, column) for column in shown] for row in rows_of(frame)]
            heads = [HEADS.get(column, column.replace("_", " ")) for column in shown]
            found.append((title, heads, cells))
        return found

    def _lists(self) -> list[tuple[str, tuple[str, ...]]]:
        lists = [("What the data cannot say", self.cannot_say), ("How the figures were made", self.notes)]
        return [(title, sentences) for title, sentences in lists if sentences]


# ---------------------------------------------------------------- one population


def make_profile(result: Result, **groups: str) -> Profile:
    """The profile of one population, named by one or two characteristics.

    result : in memory or released; hidden rows stay hidden.
    groups : characteristic = category, for example ethnicity="Bangladeshi", sex="Female". Letter case is free. Of two,
        the crossing is taken in either order; where it was not counted, each is shown alone and that is said.
    Raises ConfigError, with the nearest name, for a characteristic or category that the result does not hold.
    """
    chosen = _chosen(result, groups)
    strata = [*_crossed(result, chosen), *({name: category} for name, category in chosen.items())]
    names = [(CROSS.join(s), CROSS_CATEGORY.join(s.values())) for s in strata]
    crossed = len(chosen) == 1 or len(strata) > len(chosen)
    tables = {
        "who": _who(result, names),
        "completeness": _recorded(result, chosen),
        "measures": _measures(result, names),
        "changes": _with_statistic(_of(result, "changes", names), result),
        "trends": _of(result, "trends", names),
        "findings": _of(result, "findings", names),
        "themes": _themes(result, chosen),
    }
    return Profile(
        title=_title(chosen),
        service=result.about.name,
        stratum=MappingProxyType(dict(chosen)),
        tables=MappingProxyType(tables),
        cannot_say=tuple(_cannot_say(result, chosen, names, tables, crossed=crossed)),
        notes=_notes(result),
        disclosure=result.disclosure,
    )


def _title(chosen: Mapping[str, str]) -> str:
    return ", ".join(f"{_label(name)}: {category}" for name, category in chosen.items())


def _label(name: str) -> str:
    return characteristics()[name].label if name in characteristics() else name


def _table(result: Result, name: str) -> pd.DataFrame:
    """A table of the result, with `hidden` in every case; empty where the run did not make it."""
    frame = result.table(name) if name in result.tables else empty(SPECS[name])
    hidden = frame[HIDDEN].astype(bool) if HIDDEN in frame else pd.Series(False, index=frame.index)
    return frame.assign(**{HIDDEN: hidden})


def _chosen(result: Result, groups: Mapping[str, str]) -> dict[str, str]:
    """The groups asked for, as the result spells them."""
    known = _groups_known(result)
    if not groups or len(groups) > MOST_CHARACTERISTICS:
        raise ConfigError(
            "A profile is of one group, or of the people in two groups at once.",
            mend='Name one or two, for example ethnicity="Bangladeshi", sex="Female".',
        )
    chosen = {}
    for given, category in groups.items():
        name = given.strip().casefold()
        if name not in known:
            raise ConfigError(f"There is no group of '{given}' in this result.", mend=nearest(given, known))
        folded = {each.casefold(): each for each in reversed(known[name])}
        if str(category).strip().casefold() not in folded:
            raise ConfigError(
                f"'{category}' is no category of {name} in this result.",
                mend=nearest(str(category), known[name]),
            )
        chosen[name] = folded[str(category).strip().casefold()]
    return chosen


def _groups_known(result: Result) -> dict[str, list[str]]:
    """Characteristic -> its categories, finest level first, from every table that holds groups."""
    frames = []
    for name in ("outcomes", "representation"):
        frame = _table(result, name)
        here = frame["status"].isin(["known", NOT_COLLECTED]) & ~frame["characteristic"].astype(
            str
        ).str.contains(CROSS, regex=False)
        frames.append(frame.loc[here & (frame["characteristic"] != ALL), ["characteristic", "category"]])
    frames.append(_table(result, "categories")[["characteristic", "category"]])
    every = pd.concat([frame.astype("object") for frame in frames], ignore_index=True).drop_duplicates()
    return {
        str(name): [str(each) for each in frame["category"]]
        for name, frame in every.groupby("characteristic", sort=False)
    }


def _crossed(result: Result, chosen: Mapping[str, str]) -> list[dict[str, str]]:
    """The two groups in the order in which they were crossed; none where they were not, or of one group."""
    if len(chosen) < MOST_CHARACTERISTICS:
        return []
    for order in (chosen, {name: chosen[name] for name in reversed(list(chosen))}):
        name, category = CROSS.join(order), CROSS_CATEGORY.join(order.values())
        for table in ("outcomes", "representation"):
            frame = _table(result, table)
            if ((frame["characteristic"] == name) & (frame["category"] == category)).any():
                return [dict(order)]
    return []


def _of(result: Result, table: str, names: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """Rows of the groups, in their order; of a category at several levels the first level only."""
    frame, counted = _table(result, table), _table(result, "outcomes")
    parts = []
    for name, category in names:
        here = frame[(frame["characteristic"] == name) & (frame["category"] == category)]
        if "status" in here:
            here = here[here["status"].isin(["known", NOT_COLLECTED])]
        if table != "findings":  # a finding of any level is of the same people, or of none
            same = (counted["characteristic"] == name) & (counted["category"] == category)
            levels = [
                level for level in dict.fromkeys(counted.loc[same, "level"]) if (here["level"] == level).any()
            ]
            here = here[here["level"] == (levels or [*here["level"], ""])[0]]
        parts.append(here.assign(group=category))
    found = pd.concat(parts, ignore_index=True) if parts else frame.assign(group="").iloc[:0]
    return found[["group", *(column for column in found if column != "group")]]


def _with_statistic(frame: pd.DataFrame, result: Result) -> pd.DataFrame:
    """The frame with what each measure is, so that shares can be told from means."""
    outcomes = _table(result, "outcomes").drop_duplicates("measure").set_index("measure")["statistic"]
    return frame.assign(statistic=frame["measure"].map(outcomes.to_dict()))


def _who(result: Result, names: list[tuple[str, str]]) -> pd.DataFrame:
    found = _of(result, "representation", names)
    return found[found["of"] == USERS].reset_index(drop=True)


def _recorded(result: Result, chosen: Mapping[str, str]) -> pd.DataFrame:
    """Completeness among the people of a group, where the breakdown is by its characteristic."""
    frame = _table(result, "breakdown")
    by = frame["by"].map(lambda name: DIMENSIONS.get(name, name))
    here = pd.Series(False, index=frame.index)
    for name, category in chosen.items():
        here |= (by == name) & (frame["group"].astype(str).str.casefold() == category.casefold())
    return frame[here & (frame["unit"] == "people")].reset_index(drop=True)


def _measures(result: Result, names: list[tuple[str, str]]) -> pd.DataFrame:
    """Every measure of the groups: value, the rest, difference, ratio, flag, and the ratio with age and sex."""
    keys = ["measure", *KEYS]
    outcomes = _of(result, "outcomes", names)
    every = _of(result, "comparisons", names)
    rest = every[every["comparator"] == "rest"]
    wanted = [
        "comparator_value",
        *(f"{name}{end}" for name in ("difference", "ratio") for end in ("", "_lower", "_upper")),
        *("p_adjusted", "flag", "similar", "harm", "detectable_low", "detectable_high", "disagrees"),
    ]
    crude = rest[rest["adjustment"] == "crude"][[*keys, *wanted, HIDDEN]].rename(columns={HIDDEN: "_hidden"})
    found = outcomes.merge(crude, on=keys, how="left", validate="one_to_one")
    for kind in ("standardised", "adjusted"):
        ratios = {f"ratio{end}": f"{kind}_ratio{end}" for end in ("", "_lower", "_upper")}
        other = rest[rest["adjustment"] == kind][[*keys, *ratios]].rename(columns=ratios)
        found = found.merge(other, on=keys, how="left", validate="one_to_one")
    unknowns = _of(result, "unknowns", names)
    robust = unknowns[unknowns["of"] == "outcome"][[*keys, "robustness"]]
    found = found.merge(robust, on=keys, how="left", validate="one_to_one")
    found[HIDDEN] = found[HIDDEN].astype(bool) | found["_hidden"].fillna(False).astype(bool)
    texts = ["flag", "harm", "robustness"]
    found[texts] = found[texts].astype("object").where(found[texts].notna(), "")
    return found.drop(columns="_hidden").reset_index(drop=True)


def _themes(result: Result, chosen: Mapping[str, str]) -> pd.DataFrame:
    """What was heard from the groups, or from wider or narrower ones."""
    themes = _table(result, "themes")
    found = [themes_for(themes, name, category) for name, category in chosen.items()]
    return pd.concat(found, ignore_index=True).drop_duplicates(ignore_index=True)


# ---------------------------------------------------------------- what the data cannot say


def _cannot_say(
    result: Result,
    chosen: Mapping[str, str],
    names: list[tuple[str, str]],
    tables: Mapping[str, pd.DataFrame],
    *,
    crossed: bool,
) -> list[str]:
    said: list[str] = []
    words: Mapping[str, str] = finding_rules()["profile"]["cannot_say"]
    if not crossed:
        first, second = chosen
        said.append(
            words["no_crossing"].format(
                first=_label(first), second=lower_first(_label(second)), first_name=first, second_name=second
            )
        )
    said += _not_collected(result, chosen, words)
    said += _unknown_shares(result, chosen, words)
    # Of two groups the crossing comes first; where it has no residents, its parts are only a background.
    said += _of_who(tables["who"][tables["who"]["group"] == names[0][1]], words)
    said += _of_measures(result, tables["measures"], names, words)
    both = len(names) > MOST_CHARACTERISTICS
    if both or tables["completeness"].empty:
        said.append(words["no_completeness_of_both" if both else "no_completeness"])
    if not tables["trends"]["group"].eq(names[0][1]).any():
        said.append(words["no_trend"])
    return said + _of_listening(result, chosen, tables["themes"], words)


def _not_collected(result: Result, chosen: Mapping[str, str], words: Mapping[str, str]) -> list[str]:
    said = []
    for name, category in chosen.items():
        for table in ("outcomes", "representation"):
            here = _of(result, table, [(name, category)])
            if len(here) and (here["status"] == NOT_COLLECTED).all():
                said.append(words["not_collected"].format(category=category))
                break
    return said


def _unknown_shares(result: Result, chosen: Mapping[str, str], words: Mapping[str, str]) -> list[str]:
    """How many people could belong to the group without its being known."""
    frame = _table(result, "completeness")
    said = []
    for name in chosen:
        here = frame[
            (frame["characteristic"] == name) & (frame["measure"] == "known") & (frame["unit"] == "people")
        ]
        if here.empty:
            continue
        row, label = rows_of(here)[0], _label(name)
        if row[HIDDEN]:
            said.append(words["unknown_hidden"].format(label=label))
        elif number(row["value"]) < 1:
            said.append(words["unknown"].format(label=label, share=_percent(1 - number(row["value"]))))
    return said


def _of_who(who: pd.DataFrame, words: Mapping[str, str]) -> list[str]:
    with_residents = who[who["residents"].notna() | who[HIDDEN].astype(bool)]
    if with_residents.empty:
        return [words["no_residents"]]
    hidden = with_residents[with_residents[HIDDEN].astype(bool)]
    return [
        words["hidden_users"].format(area=area) for area in dict.fromkeys(hidden["area"].map(text).tolist())
    ]


def _of_measures(
    result: Result,
    measures: pd.DataFrame,
    names: list[tuple[str, str]],
    words: Mapping[str, str],
) -> list[str]:
    """What each measure cannot say, of the group that the profile is of (the crossing, where it was counted)."""
    every = dict(
        zip(
            *(_table(result, "outcomes")[column].map(text) for column in ("measure", "measure_label")),
            strict=True,
        )
    )
    if not every:
        return [words["no_measures"]]
    said = []
    for name, category in names[:1] if len(names) != MOST_CHARACTERISTICS else names:
        rows = rows_of(measures[(measures["characteristic"] == name) & (measures["category"] == category)])
        several = f" ({category})" if len(names) == MOST_CHARACTERISTICS else ""
        counted = {text(row["measure"]) for row in rows}
        missing = [label for measure, label in every.items() if measure not in counted]
        said += [words["no_outcome"].format(measure=f"{label}{several}") for label in missing]
        for row in rows:
            if row["status"] == NOT_COLLECTED:
                continue
            label = f"{text(row['measure_label'])}{several}"
            said += [words[key].format(measure=label) for key in _limits_of(row)]
    return said


def _limits_of(row: Mapping[str, Any]) -> list[str]:
    """Names of the sentences that hold of one measure of a group."""
    if row[HIDDEN]:
        return ["hidden"]
    flag = text(row["flag"])
    found = []
    if flag in ("", INSUFFICIENT_DATA):
        found.append("too_few")
    elif flag == UNCERTAIN:
        found.append("uncertain")
    elif flag == NO_EVIDENCE and row["similar"] is not True and text(row["similar"]) != "True":
        found.append("not_similar")
    found += {"fragile": ["fragile"], "turns at a bound": ["bound"]}.get(text(row["robustness"]), [])
    adjusted = [number(row[f"{kind}_ratio"]) for kind in ("standardised", "adjusted")]
    if np.isnan(adjusted).all() and flag not in ("", INSUFFICIENT_DATA):
        found.append("not_adjusted")
    return found


def _of_listening(
    result: Result, chosen: Mapping[str, str], themes: pd.DataFrame, words: Mapping[str, str]
) -> list[str]:
    gaps = _table(result, "listening_gaps")
    said = []
    for name, category in chosen.items():
        here = gaps[(gaps["characteristic"] == name) & (gaps["category"] == category)]
        found = [text(gap) for gap in here["gap"] if text(gap)]
        if found:
            said.append(words["nobody_listened"].format(gap=f"{category}: {found[0]}"))
    if not said and themes.empty:
        said.append(words["no_register"])
    return said


def _notes(result: Result) -> tuple[str, ...]:
    rule = f"Small-number rule applied: {result.disclosure}." if result.disclosure else ""
    return tuple(filter(None, [*finding_rules()["profile"]["notes"], rule, *result.notes]))


# ---------------------------------------------------------------- the whole service


def make_community_profile(result: Result) -> Profile:
    """The profile of the whole service: who is seen beside who lives there, how things are recorded, what was found.

    result : in memory or released; hidden rows stay hidden.
    """
    representation = _table(result, "representation")
    users = representation[(representation["of"] == USERS) & _nearest_area(representation)]
    own = users["characteristic"].isin(["age", "sex", f"age{CROSS}sex", f"sex{CROSS}age"])
    crossing = users["characteristic"].astype(str).str.contains(CROSS, regex=False)
    completeness = _table(result, "completeness")
    known = completeness[(completeness["unit"] == "people") & (completeness["measure"] == "known")]
    outcomes, comparisons = _table(result, "outcomes"), _table(result, "comparisons")
    crude = comparisons[(comparisons["comparator"] == "rest") & (comparisons["adjustment"] == "crude")]
    flagged = crude[crude["flag"].map(text).str.startswith("disproportionate")]
    trends = _table(result, "trends")
    gaps, checks = _table(result, "listening_gaps"), _table(result, "population_checks")
    findings = _table(result, "findings")
    tables = {
        "age_sex": users[own],
        "groups": users[~own & ~crossing],
        "completeness": _core_first(known.assign(group="Everyone")),
        "measures": outcomes[outcomes["characteristic"] == ALL].assign(group="Everyone"),
        "flagged": flagged,
        "trends": trends[trends["characteristic"] == ALL],
        "findings": findings.iloc[: int(finding_rules()["profile"]["most_findings"])],
        "themes": _table(result, "themes"),
        "listening_gaps": gaps[~gaps["gap"].map(text).eq("") & gaps["characteristic"].ne(ALL)],
        "checks": checks[~checks["severity"].map(text).isin(["", "passed"])],
    }
    tables = {name: frame.reset_index(drop=True) for name, frame in tables.items()}
    return Profile(
        title=f"Community profile: {result.about.name}",
        service=_about(result),
        stratum=MappingProxyType({}),
        tables=MappingProxyType(tables),
        cannot_say=tuple(_cannot_say_of_service(result, tables)),
        notes=_notes(result),
        disclosure=result.disclosure,
    )


def _nearest_area(representation: pd.DataFrame) -> pd.Series:
    """Rows of the local area; of the region or nation where there is no local one."""
    kinds = [kind for kind in ("local", "region", "nation") if (representation["area_kind"] == kind).any()]
    return representation["area_kind"] == (kinds[0] if kinds else "local")


def _core_first(frame: pd.DataFrame) -> pd.DataFrame:
    return (
        frame.assign(_first=frame["characteristic"] != JOINT)
        .sort_values("_first", kind="stable")
        .drop(columns="_first")
    )


def _about(result: Result) -> str:
    about = result.about
    areas = ", ".join(about.areas) or "no area given"
    ages = f"ages {about.ages[0]} to {about.ages[1]}" if about.ages else "all ages"
    people = "few" if about.people is None else f"{about.people:,}"
    days = [day.isoformat() if day else "" for day in (about.period_from, about.period_to)]
    period = f", {days[0] or 'the start'} to {days[1] or 'the end'}" if any(days) else ""
    return f"{about.name}: {people} {about.counted}; serves {areas}, {ages}{period}."


def _cannot_say_of_service(result: Result, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    words: Mapping[str, str] = finding_rules()["profile"]["cannot_say_of_service"]
    said = []
    if tables["groups"].empty and tables["age_sex"].empty:
        said.append(words["no_residents"])
    elif tables["age_sex"].empty:
        said.append(words["no_age_sex"])
    if tables["measures"].empty:
        said.append(finding_rules()["profile"]["cannot_say"]["no_measures"])
    collected = tables["groups"]
    absent = collected.loc[collected["status"] == NOT_COLLECTED, "category"].map(text)
    cannot = finding_rules()["profile"]["cannot_say"]["not_collected"]
    said += [cannot.format(category=category) for category in dict.fromkeys(absent)]
    if tables["themes"].empty and _table(result, "listening").empty:
        said.append(words["no_listening"])
    hidden = sum(int(frame[HIDDEN].sum()) for frame in tables.values() if HIDDEN in frame)
    if hidden:
        said.append(words["hidden"])
    return said


# ---------------------------------------------------------------- cells in words

HIDDEN_WORD, MISSING_WORD = "hidden", "–"
_FRACTIONS = frozenset({"share", "residents_share"})
_OF_STATISTIC = frozenset({"value", "lower", "upper", "comparator_value", "first", "last", "gap_change"})
_COUNTS = frozenset({"people", "numerator", "denominator", "residents", "times"})


def cell_words(row: Mapping[str, Any], column: str) -> str:
    """One cell as people read it: shares in per cent, counts with commas; hidden and missing are said, never 0."""
    value = row[column]
    missing = value is None or value is pd.NA or (isinstance(value, float) and value != value)
    numeric = column in _FRACTIONS | _OF_STATISTIC | _COUNTS or "ratio" in column
    if row.get(HIDDEN) and (missing or value == ""):
        return HIDDEN_WORD if numeric or missing else ""
    if missing:
        return MISSING_WORD if numeric else ""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else ""
    if not isinstance(value, (int, float, np.integer, np.floating)):
        return str(value).replace("_", " ") if column in ("flag", "harm") else str(value)
    figure = float(value)
    # Completeness and representation hold shares throughout; other tables say which statistic a row holds.
    share = row.get("statistic", "share" if "unit" in row or "residents_share" in row else "")
    if column in _FRACTIONS or (column in _OF_STATISTIC and share == "share"):
        return _percent(figure)
    if column in _COUNTS:
        return f"{figure:,.0f}"
    return f"{figure:.2f}" if "ratio" in column else f"{figure:.3g}"


def _percent(fraction: float) -> str:
    return f"{fraction * 100:.1f}%"


def _one_line(sentence: str) -> str:
    return " ".join(sentence.split())


def _in_cell(cell: str) -> str:
    return _one_line(cell).replace("\\", "\\\\").replace("|", "\\|")
