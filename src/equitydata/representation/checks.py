"""How far users and residents can be compared: one row for each check, the passed ones too.

None is fatal. A check says what was found in words, without counts of people.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from equitydata.representation.populations import LOCAL, OLDEST, Place, Population, check_thresholds
from equitydata.roughly import roughly
from equitydata.service import Service
from equitydata.strata import USERS
from equitydata.tables import POPULATION_CHECKS_TABLE, empty, shape

PASSED, NOTE, WARNING, STRONG = "passed", "note", "warning", "strong warning"
SEVERITIES = (PASSED, NOTE, WARNING, STRONG)
NAMED_AT_MOST = 6
HELD = "residents held"


@dataclass(frozen=True)
class Compared:
    """What the checks must know of one comparison.

    total : people whose group is known and who are compared. unknown, everyone : people of unknown group, all people.
    above_residents, only_users : categories with more users than residents, and with no residents.
    shares : the residents' shares of the groups. restricted : how users were cut to the residents' ages.
    reason : why there is no comparison; '' where there is one.
    """

    of: str
    characteristic: str
    label: str
    place: Place
    population: Population | None = None
    total: float = 0.0
    unknown: float = 0.0
    everyone: float = 0.0
    above_residents: tuple[str, ...] = ()
    only_users: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    groups: tuple[str, ...] = ()
    restricted: str = ""
    reason: str = ""

    @classmethod
    def without(cls, of: str, characteristic: str, label: str, place: Place, reason: str) -> Compared:
        """A comparison that could not be made."""
        return cls(of, characteristic, label, place, reason=reason)


Finding = tuple[str, str, str]  # check, severity, finding


def population_checks(
    compared: Sequence[Compared],
    *,
    service: Service,
    lists: Mapping[str, Sequence[str]],
    outside: float | None,
) -> pd.DataFrame:
    """POPULATION_CHECKS_TABLE: every check of every comparison; of several levels the most severe finding.

    outside : share of users who live outside the local area; None where it is not known.
    """
    rows = []
    for each in compared:
        if each.population is None and each.of != USERS:
            continue  # the reason is the residents', and is told once
        for check, severity, finding in _checks(each, service, lists, outside):
            rows.append(
                {
                    "of": each.of,
                    "characteristic": each.characteristic,
                    "label": each.label,
                    "area_kind": each.place.kind,
                    "check": check,
                    "severity": severity,
                    "finding": finding,
                }
            )
    if not rows:
        return empty(POPULATION_CHECKS_TABLE)
    frame = pd.DataFrame(rows)
    worst = frame["severity"].map({name: rank for rank, name in enumerate(SEVERITIES)})
    keys = ["of", "characteristic", "area_kind", "check"]
    kept = frame.loc[worst.groupby([frame[key] for key in keys], sort=False).idxmax()].sort_index()
    # A level that could not be compared says so only where no level of the characteristic could.
    held = kept[kept["check"].ne(HELD)].groupby(keys[:3]).size().rename("held").reset_index()
    kept = kept.merge(held, on=keys[:3], how="left", validate="many_to_one")
    kept = kept[kept["check"].ne(HELD) | kept["held"].isna()]
    return shape(kept, POPULATION_CHECKS_TABLE)


def _checks(
    each: Compared, service: Service, lists: Mapping[str, Sequence[str]], outside: float | None
) -> list[Finding]:
    found = each.population
    if found is None:
        return [(HELD, NOTE, f"Not compared. {each.reason}")]
    own = [_above(each), _large(each), _not_stated(each, found), _ages(each, found, service)]
    if each.of != USERS:
        return own  # what is of the residents alone is told once, with the users
    return [
        *own,
        _one_side(each, found),
        _year(found, service),
        _code_list(found, lists.get(each.characteristic, ())),
        _area(each, found, outside),
        _kind(found),
    ]


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED_AT_MOST])
    return shown + (f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else "")


def _above(each: Compared) -> Finding:
    if each.above_residents:
        words = (
            f"More people than residents in: {_named(each.above_residents)}. Area, ages or codes do not fit."
        )
        return "users within residents", WARNING, words
    return "users within residents", PASSED, "No group has more people than residents."


def _one_side(each: Compared, found: Population) -> Finding:
    check = "categories on both sides"
    parts = []
    if each.only_users:
        parts.append(f"without residents: {_named(each.only_users)}")
    if found.left_out:
        parts.append(f"of residents only: {_named(found.left_out)}")
    if not parts:
        return check, PASSED, "Every category stands on both sides."
    return check, NOTE, f"Categories on one side only; {'; '.join(parts)}. {found.reason}".strip()


def _year(found: Population, service: Service) -> Finding:
    check = "date of residents"
    end = service.service.period.to or service.service.period.from_
    if end is None:
        return check, NOTE, f"Residents of {found.date}; the service file gives no period to hold it against."
    years = abs(end.year + end.month / 12 - _when(found.date))
    limits = check_thresholds()["years"]
    severity = WARNING if years > limits["warning"] else NOTE if years > limits["note"] else PASSED
    return check, severity, f"Residents of {found.date}, {years:.0f} years from the end of the period."


def _when(date: str) -> float:
    try:
        day = datetime.date.fromisoformat(date)
    except ValueError:
        return float(date[:4]) + 0.5 if date[:4].isdigit() else float("nan")
    return day.year + day.month / 12


def _code_list(found: Population, used: Sequence[str]) -> Finding:
    check = "same code list"
    if len(used) > 1 and found.by_list:
        words = (
            f"Two or more lists are in use ({_named(used)}): a group that one of them lacks looks too small."
        )
        return check, WARNING, words
    if not found.folded:
        return check, PASSED, "The list in use and the residents' table have the same groups."
    share = found.folded_people / found.total if found.total else 0.0
    severity = WARNING if share > check_thresholds()["folded"]["warning"] else NOTE
    pairs = _named([f"{ours} in {into}" for ours, into in sorted(found.folded.items())])
    words = "The list in use lacks groups of the residents' table, which are counted within others "
    words += f"({pairs}): {share:.1%} of residents."
    return check, severity, words


def _area(each: Compared, found: Population, outside: float | None) -> Finding:
    check = "same area"
    if each.place.kind != LOCAL:
        words = f"Residents of {found.place.name}, which is wider than the area served."
        return check, NOTE, words
    if outside is None:
        return check, NOTE, "Where people live is not mapped, so how many live elsewhere is not known."
    limits = check_thresholds()["outside"]
    severity = WARNING if outside > limits["warning"] else NOTE if outside > limits["note"] else PASSED
    return (
        check,
        severity,
        f"{_sentence(roughly(outside))} of users of known residence live outside {found.place.name}.",
    )


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:]


def _large(each: Compared) -> Finding:
    check = "large enough"
    least, people = check_thresholds()["share"]["least"], check_thresholds()["people"]["least"]
    tiny = [name for name, share in zip(each.groups, each.shares, strict=True) if share < least]
    if each.total < people:
        return check, WARNING, f"Fewer than {people} people are compared: single people move the shares."
    if tiny:
        return (
            check,
            NOTE,
            f"Groups of under {least:.1%} of residents: {_named(tiny)}. Their ratios are unsteady.",
        )
    return check, PASSED, f"At least {people} people, and no group under {least:.1%} of residents."


def _not_stated(each: Compared, found: Population) -> Finding:
    check = "group stated"
    limits = check_thresholds()["not_stated"]
    share = each.unknown / each.everyone if each.everyone else 0.0
    severity = (
        STRONG if share > limits["strong_warning"] else WARNING if share > limits["warning"] else PASSED
    )
    words = "The group of everybody is known."
    if share > 0:
        words = f"{_sentence(roughly(share))} of people have no known group and are in no share."
    if found.unanswered:
        silent = found.unanswered / (found.total + found.unanswered)
        words += f" {silent:.1%} of residents did not answer and are left out."
        severity = NOTE if severity == PASSED else severity
    return check, severity, words


def _ages(each: Compared, found: Population, service: Service) -> Finding:
    check = "same ages"
    ages = service.service.ages
    living = _span(found.span)
    if ages is not None and (found.span[0] < ages[0] or (found.span[1] > ages[1] and ages[1] < 100)):
        words = f"Residents {living} are not cut to the eligible ages ({_span(ages)}): "
        words += "no table splits these groups by age here."
        if found.estimated:
            words += " The standardised ratio allows for age."
        return check, WARNING, words
    if each.restricted == "no ages":
        severity = NOTE if ages is not None and found.span[0] <= ages[0] else WARNING
        return (
            check,
            severity,
            f"Residents are {living}; ages of users are not known one by one, so users were not cut.",
        )
    if each.restricted == "a band lies across":
        return (
            check,
            NOTE,
            f"Residents are {living}; users could not be cut to the same ages, as an age band lies across.",
        )
    if each.restricted == "done":
        return check, PASSED, f"Residents and users are {living}; users of other ages are left out."
    return check, PASSED, f"Residents are {living}, and so are users."


def _span(span: tuple[int, int]) -> str:
    low, high = span
    if high >= 100 or high == OLDEST:
        return "of all ages" if low == 0 else f"aged {low} and over"
    return f"aged {low} to {high}"


def _kind(found: Population) -> Finding:
    check = "counts of people"
    if found.shares_only or found.approximate:
        return check, WARNING, f"An approximation. {found.reason}"
    if found.own:
        return check, NOTE, f"A table of the analyst's own: {found.reference}."
    return check, PASSED, f"Counts of people: {found.reference}."
