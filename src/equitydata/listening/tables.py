"""How a service listens to people and what it heard: tables, gaps against the local population, evidence.

The register is read in `register`. Nothing of it that looks like a direct identifier leaves this module: a
field with a hit is withheld in the table of ways, and an entry with a hit in the table of themes.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd

from equitydata.history.regularity import is_regular, months_before
from equitydata.identifier_patterns import WITHHELD, identifiers_in
from equitydata.listening.register import (
    ENGLISH,
    EVERYONE,
    NO_REGISTER,
    Heard,
    Register,
    Way,
    accessible_formats,
    levels,
    listening_rules,
    methods,
    read_register,
    service_register,
)
from equitydata.rulebook import Rulebook, characteristics
from equitydata.shown import MET, NOT_ASSESSED, NOT_MET, Shown, rule_in_words
from equitydata.tables import LISTENING_GAPS_TABLE, LISTENING_TABLE, THEMES_TABLE, empty, shape

__all__ = [
    "NO_REGISTER",
    "WITHHELD",
    "Register",
    "listening_gaps_table",
    "listening_table",
    "read_register",
    "register_evidence",
    "scan_register",
    "service_register",
    "themes_for",
    "themes_table",
]

NOBODY, NOT_FOR_A_WHILE = "nobody", "not for a while"
NO_REGISTER_WORDS = "There is no register of listening (qualitative.toml)."
_RESIDENTS = ("characteristic", "level", "category", "residents", "residents_share")
_BANDS = ((r"(\d+) ?[-–] ?(\d+)", 0), (r"(\d+) ?(?:\+|(?:and|or) (?:over|above|older))()", 0))
OLDEST = 120


# ---------------------------------------------------------------- identifiers


@dataclass(frozen=True)
class _Field:
    """One free text of a register: where it stands, and the words themselves, which stay in this module."""

    entry: str
    field: str
    words: str


def scan_register(register: Register) -> pd.DataFrame:
    """Look through every free text of a register for direct identifiers.

    Returns one row per field and kind: file, entry ("heard 3, line 41"), field, kind; never the text. Empty
    where nothing was seen, which a reader must still confirm.
    """
    rows = [
        (register.file, each.entry, each.field, kind)
        for each in _free_text(register)
        for kind in identifiers_in(each.words)
    ]
    return pd.DataFrame(rows, columns=["file", "entry", "field", "kind"])


def _free_text(register: Register) -> list[_Field]:
    fields = []
    for number, (name, way) in enumerate(register.ways.items(), start=1):
        entry = _entry(register, "way", number, ("ways", name))
        # A name such as mrs_smith is read as it would be spoken.
        texts = {"name": re.sub(r"[_-]+", " ", name).title(), "label": way.label, "used_for": way.used_for}
        texts |= {"owner": way.owner, "link": way.link, "communities": "; ".join(way.communities)}
        texts |= {"groups": "; ".join(each for group in way.groups.values() for each in group)}
        fields += [_Field(entry, field, words) for field, words in texts.items() if words]
    for number, each in enumerate(register.heard, start=1):
        entry = _entry(register, "heard", number, ("heard", str(number)))
        texts = {"theme": each.theme, "words": each.words, "used_for": each.used_for}
        texts |= {"category": each.category}
        fields += [_Field(entry, field, words) for field, words in texts.items() if words]
    if register.reviewed is not None:
        fields.append(_Field("reviewed", "owner", register.reviewed.owner))
    return fields


def _entry(register: Register, kind: str, number: int, place: tuple[str, str]) -> str:
    line = register.lines.get(place)
    return f"{kind} {number}, line {line}" if line else f"{kind} {number}"


def _safe(words: str) -> str:
    """The words, or that they are withheld."""
    return WITHHELD if words and identifiers_in(words) else words


def _safe_name(name: str) -> str:
    return WITHHELD if identifiers_in(re.sub(r"[_-]+", " ", name).title()) else name


def _is_safe(heard: Heard) -> bool:
    return not any(
        identifiers_in(words) for words in (heard.theme, heard.words, heard.used_for, heard.category)
    )


# ---------------------------------------------------------------- tables


def listening_table(register: Register) -> pd.DataFrame:
    """Every way of listening, in the order of the register. Shape: LISTENING_TABLE.

    people : true counts, missing where not counted; `release` hides the small ones. Days are ISO text, "" where
    there was no round yet. A text that looks like an identifier is replaced by WITHHELD.
    """
    if not register.ways:
        return empty(LISTENING_TABLE)
    rows = [
        {
            "name": _safe_name(name),
            "label": _safe(way.label),
            "method": methods()[way.method].label,
            "groups": _safe(_groups_in_words(way)),
            "languages": ", ".join(way.languages),
            "formats": ", ".join(way.formats),
            "co_designed": _yes_or_no(way.co_designed),
            "tested": _yes_or_no(way.tested),
            "first": way.rounds[0].isoformat() if way.rounds else "",
            "last": way.rounds[-1].isoformat() if way.rounds else "",
            "rounds": len(way.rounds),
            "people": way.people,
            "used_for": _safe(way.used_for),
            "owner": _safe(way.owner),
        }
        for name, way in register.ways.items()
    ]
    frame = pd.DataFrame(rows)
    return shape(frame.assign(people=pd.to_numeric(frame["people"]).astype("float64")), LISTENING_TABLE)


def _groups_in_words(way: Way) -> str:
    named = [
        f"{characteristics()[name].label}: {', '.join(categories)}" for name, categories in way.groups.items()
    ]
    return "; ".join([*named, *way.communities])


def _yes_or_no(value: bool | None) -> str:
    return "not said" if value is None else "yes" if value else "no"


def themes_table(register: Register) -> pd.DataFrame:
    """What was heard, by theme and group; what was heard most often, then most lately, first.

    Shape: THEMES_TABLE. times : entries, not people. Entries that look as if they could identify someone stand
    together in a row of their own per group, with WITHHELD in place of their words.
    """
    if not register.heard:
        return empty(THEMES_TABLE)
    rows = pd.DataFrame([_theme(each, register) for each in register.heard])
    keys = ["theme", "characteristic", "category"]
    # The same theme in other letters is the same theme.
    folded = rows["theme"].str.casefold()
    rows["theme"] = rows.groupby(folded, sort=False)["theme"].transform("first")
    grouped = rows.groupby(keys, sort=False)
    table = grouped.agg(
        measure=("measure", _joined),
        heard=("heard", lambda words: _joined(words, " / ")),
        ways=("way", _joined),
        times=("way", "size"),
        date=("date", "max"),
        used_for=("used_for", _joined),
    ).reset_index()
    order = table.sort_values(["times", "date", "theme"], ascending=[False, False, True], kind="stable")
    return shape(order, THEMES_TABLE)


def _theme(heard: Heard, register: Register) -> dict[str, str]:
    safe = _is_safe(heard)
    return {
        "theme": heard.theme if safe else WITHHELD,
        "measure": heard.measure,
        "characteristic": heard.characteristic,
        "category": _safe(heard.category),
        "heard": heard.words if safe else WITHHELD,
        "way": _safe(register.ways[heard.way].label),
        "date": heard.date.isoformat(),
        "used_for": heard.used_for if safe else "",
    }


def _joined(words: Iterable[str], between: str = "; ") -> str:
    return between.join(dict.fromkeys(word for word in words if word))


def themes_for(
    themes: pd.DataFrame, characteristic: str, category: str, *, measure: str | None = None
) -> pd.DataFrame:
    """What was heard from one group, or from a part of it or a group that it is part of.

    themes : shape THEMES_TABLE. A crossing ("ethnicity x sex", "Bangladeshi × Female") takes what either part
    of it said. measure : what bears on this measure or on none, first what bears on it. Returns the same columns.
    """
    parts = list(zip(characteristic.split(" x "), category.split(" × "), strict=False))
    said = pd.Series(
        [
            any(own == name and _reaches(name, group, wanted) for name, wanted in parts)
            for own, group in zip(themes["characteristic"], themes["category"], strict=True)
        ],
        index=themes.index,
        dtype=bool,
    )
    found = themes[said]
    if measure is None:
        return found.reset_index(drop=True)
    bears = found["measure"].map(lambda names: measure in str(names).split("; ")).astype(bool)
    none = found["measure"].eq("")
    return pd.concat([found[bears], found[none & ~bears]], ignore_index=True)


# ---------------------------------------------------------------- gaps


def listening_gaps_table(
    register: Register, residents: pd.DataFrame, as_of: datetime.date, rulebook: Rulebook
) -> pd.DataFrame:
    """Groups of the local population, and who has listened to them. Shape: LISTENING_GAPS_TABLE.

    residents : characteristic, level, category, residents, residents_share (fraction); counts of the Census,
        not of the service. Rows keep their order.
    Groups from `listening_minimum_share` on are looked for, and smaller ones that someone has listened to. A
    group is reached by a way that names it, a group that it is part of ("Asian" reaches Bangladeshi people), or
    a part of it. gap : "nobody" where no way with a round by `as_of` reached it, "not for a while" where the last
    was more than `listening_months` ago, "" otherwise.
    """
    if residents.empty:
        return empty(LISTENING_GAPS_TABLE)
    lapsed = months_before(as_of, rulebook.value("listening_months"))
    rows = []
    for name, level, category, number, share in residents[list(_RESIDENTS)].itertuples(index=False):
        reached = _reached_by(register, str(name), str(category), as_of)
        if pd.isna(share) or (share < rulebook.value("listening_minimum_share") and not reached):
            continue
        last = max((day for _, day in reached), default=None)
        rows.append(
            {
                "characteristic": name,
                "label": characteristics()[name].label if name in characteristics() else str(name),
                "level": level,
                "category": category,
                "residents": float(number),
                "residents_share": float(share),
                "ways": _joined(_safe(way.label) for way, _ in reached),
                "last": last.isoformat() if last else "",
                "gap": NOBODY if last is None else NOT_FOR_A_WHILE if last < lapsed else "",
            }
        )
    return shape(pd.DataFrame(rows), LISTENING_GAPS_TABLE) if rows else empty(LISTENING_GAPS_TABLE)


def _reached_by(
    register: Register, name: str, category: str, as_of: datetime.date
) -> list[tuple[Way, datetime.date]]:
    """Ways that reached a group, each with the last day by then."""
    found = []
    for key, way in register.ways.items():
        days = [day for day in way.rounds if day <= as_of]
        groups = way.groups.get(name, ())
        by_way = days and any(_reaches(name, group, category) for group in groups)
        # What a group said through a way shows that the way reached it, on that day.
        said = [
            each.date
            for each in register.heard
            if each.way == key
            and each.characteristic == name
            and each.date <= as_of
            and _reaches(name, each.category, category)
        ]
        if by_way or said:
            found.append((way, max([*(days if by_way else ()), *said])))
    return found


def _reaches(name: str, reached: str, wanted: str) -> bool:
    """Whether listening to one group reaches another: the same, a part of it, or a group that holds it."""
    if reached.casefold() == wanted.casefold():
        return True
    if name in {"age", "birth_date"}:
        return _ages_meet(reached, wanted)
    return wanted in _wider(name).get(reached, ()) or reached in _wider(name).get(wanted, ())


@cache
def _wider(name: str) -> Mapping[str, frozenset[str]]:
    """Category -> the groups of coarser levels that hold it."""
    if name not in characteristics():
        return {}
    found: dict[str, set[str]] = {}
    for level in levels(name).values():
        for category, group in level.items():
            if group != category:
                found.setdefault(category, set()).add(group)
    return {category: frozenset(groups) for category, groups in found.items()}


def _ages_meet(first: str, second: str) -> bool:
    ends = [_age_ends(text) for text in (first, second)]
    if ends[0] is None or ends[1] is None:
        return False
    return ends[0][0] <= ends[1][1] and ends[1][0] <= ends[0][1]


def _age_ends(text: str) -> tuple[int, int] | None:
    for pattern, _ in _BANDS:
        if found := re.fullmatch(pattern, text.strip()):
            return int(found[1]), int(found[2]) if found[2] else OLDEST
    return None


# ---------------------------------------------------------------- evidence


@dataclass(frozen=True)
class _Look:
    """All that a check of the register looks at.

    current : ways with a round within `listening_months` of the day. recent : what was heard in that time.
    """

    register: Register
    gaps: pd.DataFrame
    as_of: datetime.date
    rulebook: Rulebook
    current: Mapping[str, Way]
    recent: Sequence[Heard]

    @property
    def last_round(self) -> datetime.date | None:
        days = [day for way in self.current.values() for day in way.rounds if day <= self.as_of]
        return max(days, default=None)

    @property
    def enough(self) -> float:
        return float(self.rulebook.value("listening_majority"))


def register_evidence(
    register: Register,
    gaps: pd.DataFrame,
    as_of: datetime.date,
    rulebook: Rulebook,
    level: str = "service",
) -> Mapping[str, Shown]:
    """What the register shows of the qualitative criteria of one matrix, by criterion id.

    gaps : shape LISTENING_GAPS_TABLE, empty where no residents are known. level : service or organisation.
    What a register cannot show (access, relationships, the assessment itself) is not among the answers and
    stays attested. Without a register everything is not assessed.
    """
    look = _look(register, gaps, as_of, rulebook)
    found: dict[str, Shown] = {}
    for name, check in listening_rules()["checks"].items():
        rule = rule_in_words(check["rule"], rulebook)
        shown = _CHECKS[name](look, rule) if register.is_given else _nothing(NO_REGISTER_WORDS)
        for criterion in check["criteria"]:
            if criterion.startswith(level[:1].upper() + "-"):
                found[criterion] = shown
    return found


def _look(register: Register, gaps: pd.DataFrame, as_of: datetime.date, rulebook: Rulebook) -> _Look:
    since = months_before(as_of, rulebook.value("listening_months"))
    current = {
        name: way for name, way in register.ways.items() if any(since <= day <= as_of for day in way.rounds)
    }
    recent = tuple(each for each in register.heard if since <= each.date <= as_of)
    return _Look(register, gaps, as_of, rulebook, current, recent)


def _nothing(reason: str) -> Shown:
    return Shown(NOT_ASSESSED, "", None, reason)


def _no_current(look: _Look) -> Shown:
    months = look.rulebook.value("listening_months")
    if not look.register.ways:
        return _nothing("The register holds no way of listening.")
    return Shown(
        NOT_MET,
        f"{_count(len(look.register.ways), 'way')} of listening, none with a round in the last {months} months",
        _last_day(look.register, look.as_of),
        f"No way of listening has had a round in the last {months} months.",
    )


def _last_day(register: Register, as_of: datetime.date) -> datetime.date | None:
    return max((day for way in register.ways.values() for day in way.rounds if day <= as_of), default=None)


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def _judged(met: bool, evidence: str, date: datetime.date | None, rule: str) -> Shown:
    return Shown(MET if met else NOT_MET, evidence, date, rule)


def _methods_audited(look: _Look, rule: str) -> Shown:
    ways = look.register.ways
    if not ways:
        return _no_current(look)
    lacks = {
        "a group or community": [w for w in ways.values() if not (any(w.groups.values()) or w.communities)],
        "an owner": [w for w in ways.values() if not w.owner],
        "a dated round": [w for w in ways.values() if not any(day <= look.as_of for day in w.rounds)],
    }
    short = [f"{len(found)} without {what}" for what, found in lacks.items() if found]
    evidence = f"Register of {_count(len(ways), 'way')} of listening"
    evidence += f": {', '.join(short)}" if short else ", each with group, owner and date"
    return _judged(not short, evidence, _last_day(look.register, look.as_of), rule)


def _gaps_identified(look: _Look, rule: str) -> Shown:
    if not look.register.ways:
        return _no_current(look)
    if look.gaps.empty:
        return _nothing("Residents of the area are not known: give the [service] area.")
    counts = look.gaps["gap"].value_counts()
    nobody, stale = int(counts.get(NOBODY, 0)), int(counts.get(NOT_FOR_A_WHILE, 0))
    evidence = f"{_count(len(look.gaps), 'group')} of the local population looked for: "
    evidence += f"{nobody} that nobody has listened to, {stale} not for a while"
    return Shown(MET, evidence, look.as_of, rule)


def _inclusive_way(way: Way) -> bool:
    other = [language for language in way.languages if language != ENGLISH]
    return bool(other) and bool(accessible_formats() & set(way.formats))


def _inclusive(look: _Look, rule: str) -> Shown:
    if not look.current:
        return _no_current(look)
    ways = look.current.values()
    if not any(way.languages or way.formats for way in ways):
        return _nothing("The register says nothing of languages and formats.")
    number = sum(_inclusive_way(way) for way in ways)
    offered = sorted({language for way in ways for language in way.languages} - {ENGLISH})
    evidence = f"{number} of {len(ways)} current ways offer another language and an accessible format"
    evidence += f"; languages besides English: {', '.join(offered) or 'none'}"
    lacking = _languages_not_offered(look, offered)
    evidence += f"; largest local languages not offered: {', '.join(lacking)}" if lacking else ""
    return _judged(number >= look.enough * len(ways), evidence, look.last_round, rule)


def _languages_not_offered(look: _Look, offered: Sequence[str]) -> list[str]:
    """The three largest languages of residents, besides English, in which nobody can take part."""
    local = look.gaps[(look.gaps["characteristic"] == "language") & (look.gaps["level"] != "english")]
    if local.empty:
        return []
    level = local["level"].iloc[0]
    local = local[local["level"] == level].sort_values("residents", ascending=False, kind="stable")
    return [
        str(category)
        for category in local["category"]
        if not _reaches("language", ENGLISH, str(category))
        and not any(_reaches("language", each, str(category)) for each in offered)
    ][:3]


def _picture_built(look: _Look, rule: str) -> Shown:
    if not look.register.heard:
        return _nothing("The register does not hold what was heard.")
    if not look.recent:
        months = look.rulebook.value("listening_months")
        last = max(each.date for each in look.register.heard)
        return _judged(False, f"Nothing heard in the last {months} months", last, rule)
    linked = [each for each in look.recent if each.measure and each.characteristic != EVERYONE]
    measures = {each.measure for each in linked}
    groups = {(each.characteristic, each.category) for each in linked}
    evidence = f"{_count(len(look.recent), 'entry', 'entries')} in the period"
    evidence += f", {len(linked)} of a named group on a measure ({_count(len(groups), 'group')}, "
    evidence += f"{_count(len(measures), 'measure')})"
    return _judged(bool(linked), evidence, max(each.date for each in look.recent), rule)


def _asking(look: _Look) -> list[Way]:
    return [way for way in look.current.values() if methods()[way.method].questions]


def _quality(look: _Look, rule: str, quality: Callable[[Way], bool | None], words: str) -> Shown:
    """Whether enough of the current ways that ask questions have a quality."""
    if not look.current:
        return _no_current(look)
    asking = _asking(look)
    said = [way for way in asking if quality(way) is not None]
    if not said:
        return _nothing(f"The register does not say whether questions were {words}.")
    number = sum(bool(quality(way)) for way in asking)
    evidence = f"{number} of {len(asking)} current ways that ask questions: {words}"
    return _judged(number >= look.enough * len(asking), evidence, look.last_round, rule)


def _co_designed(look: _Look, rule: str) -> Shown:
    return _quality(look, rule, lambda way: way.co_designed, "co-designed")


def _tested(look: _Look, rule: str) -> Shown:
    return _quality(look, rule, lambda way: way.tested, "tested")


def _regular_survey(look: _Look, rule: str) -> Shown:
    if not look.register.ways:
        return _no_current(look)
    surveys = [way for way in look.register.ways.values() if methods()[way.method].survey]
    if not surveys:
        return _judged(False, "No survey in the register", None, rule)
    months = look.rulebook.value("survey_months")
    fit = [way for way in surveys if way.co_designed and _inclusive_way(way)]
    since = months_before(look.as_of, look.rulebook.value("regular_lookback_months"))
    regular = [way for way in fit if is_regular(way.rounds, look.as_of, months=months, least=2, since=since)]
    evidence = f"{_count(len(surveys), 'survey')}: {len(fit)} inclusive with co-designed questions, "
    evidence += f"{len(regular)} of these in regular rounds"
    days = [day for way in surveys for day in way.rounds if day <= look.as_of]
    return _judged(bool(regular), evidence, max(days, default=None), rule)


def _active_listening(look: _Look, rule: str) -> Shown:
    if not look.current:
        return _no_current(look)
    active = [methods()[way.method] for way in look.current.values() if methods()[way.method].active]
    named = ", ".join(dict.fromkeys(method.label for method in active))
    evidence = f"Active listening: {named}" if active else "No current way of active listening"
    return _judged(bool(active), evidence, look.last_round, rule)


def _used(look: _Look, rule: str) -> Shown:
    if not look.register.heard:
        return _nothing("The register does not hold what was heard.")
    if not look.recent:
        return _picture_built(look, rule)
    used = [each for each in look.recent if each.used_for]
    evidence = f"{len(used)} of {len(look.recent)} entries of what was heard say what they were used for"
    met = len(used) >= look.enough * len(look.recent)
    return _judged(met, evidence, max(each.date for each in look.recent), rule)


def _identifiers_removed(look: _Look, rule: str) -> Shown:
    fields = _free_text(look.register)
    if not fields:
        return _nothing("The register holds no free text.")
    hits = scan_register(look.register)
    reviewed = look.register.reviewed
    read_on = reviewed.date if reviewed and reviewed.date <= look.as_of else None
    if not hits.empty:
        places = [f"{row.entry}, {row.field} ({row.kind})" for row in hits.head(5).itertuples()]
        more = f" and {len(hits) - 5} more" if len(hits) > 5 else ""
        evidence = f"Scan of {_count(len(fields), 'text')} of {look.register.file}"
        reason = f"It looks as if someone could be identified: {'; '.join(places)}{more}."
        return Shown(NOT_MET, evidence, look.as_of, reason)
    evidence = f"No direct identifier seen in {_count(len(fields), 'text')} of {look.register.file}"
    if read_on is None:
        reason = (
            "A scan does not see every name or story: say under [reviewed] who has read the texts, and when."
        )
        return Shown(NOT_ASSESSED, evidence, look.as_of, reason)
    owner = _safe(reviewed.owner) if reviewed else ""
    newest = max((each.date for each in look.register.heard), default=read_on)
    if newest > read_on:
        reason = "Something was added since the texts were last read: read them again and date it under [reviewed]."
        return Shown(NOT_ASSESSED, evidence, read_on, reason, owner)
    return Shown(MET, f"{evidence}; read by a person", read_on, rule, owner)


_CHECKS: Mapping[str, Callable[[_Look, str], Shown]] = {
    "methods_audited": _methods_audited,
    "gaps_identified": _gaps_identified,
    "inclusive": _inclusive,
    "picture_built": _picture_built,
    "co_designed": _co_designed,
    "tested": _tested,
    "regular_survey": _regular_survey,
    "active_listening": _active_listening,
    "used": _used,
    "identifiers_removed": _identifiers_removed,
}
