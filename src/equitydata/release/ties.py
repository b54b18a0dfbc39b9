"""Rows that are hidden with others: what is worked out from a hidden group is hidden where the group is.

A group that is hidden takes its comparisons with it (its own, and those in which it is the comparator), its change,
what the unknown could do to it, and its findings; where a period is hidden, the change that begins or ends with it is;
the people of a group are hidden beside every area. Counts that stand in several rows need no tie: they are one count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from equitydata.release.book import Flags, Places
from equitydata.release.naming_outcomes import PEOPLE, text
from equitydata.strata import USERS

STRATUM = ["characteristic", "level", "category"]
BY_MEASURE = ["measure", *STRATUM]


@dataclass(frozen=True)
class Ties:
    """Pairs of rows of the release: where the leader is hidden, the follower is."""

    leaders: Places
    followers: Places

    def close(self, hidden: Flags) -> Flags:
        """Hidden rows with all that follow them. Shape (rows,); the flags given are not changed."""
        found = hidden.copy()
        while True:
            more = self.followers[found[self.leaders]]
            if found[more].all():
                return found
            found[more] = True


def tied_rows(tables: Mapping[str, pd.DataFrame], rows: Mapping[str, slice]) -> Ties:
    """Every tie between the rows of some tables.

    tables : of true counts. rows : the rows of the release that each has.
    """
    keyed = {name: frame for name, frame in tables.items() if len(frame)}
    pairs = [
        pair for leader, follower in _tied(keyed) if (pair := _pairs(leader, follower, rows)) is not None
    ]
    if not pairs:
        return Ties(np.empty(0, np.intp), np.empty(0, np.intp))
    leaders, followers = (np.concatenate(each).astype(np.intp) for each in zip(*pairs, strict=True))
    apart = leaders != followers
    return Ties(leaders[apart], followers[apart])


@dataclass(frozen=True)
class _Keyed:
    """Rows of a table by a key: where a leader and a follower share it, they are tied."""

    table: str
    keys: pd.Series
    where: Flags | None = None


def _pairs(leader: _Keyed, follower: _Keyed, rows: Mapping[str, slice]) -> tuple[Places, Places] | None:
    sides = []
    for each in (leader, follower):
        places = np.arange(rows[each.table].start, rows[each.table].stop)
        side = pd.DataFrame({"key": each.keys.to_numpy(dtype=object), "row": places})
        sides.append(side if each.where is None else side[each.where])
    both = sides[0].merge(sides[1], on="key", suffixes=("_leader", "_follower"))
    if both.empty:
        return None
    return both["row_leader"].to_numpy(dtype=np.intp), both["row_follower"].to_numpy(dtype=np.intp)


def _key(frame: pd.DataFrame, columns: list[str], **instead: pd.Series) -> pd.Series:
    parts = [text(instead[column] if column in instead else frame[column]) for column in columns]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined + "|" + part
    return joined


def _tied(tables: Mapping[str, pd.DataFrame]) -> Iterator[tuple[_Keyed, _Keyed]]:
    followers = list(_of_an_outcome(tables))
    if "outcomes" in tables:
        leader = _Keyed("outcomes", _key(tables["outcomes"], BY_MEASURE))
        yield from ((leader, follower) for follower in followers)
    if "comparisons" in tables:
        frame = tables["comparisons"]
        # One small rest hides the group's other comparisons: the largest group and all known ones would tell it.
        rest = np.array(text(frame["comparator"]) == "rest", dtype=bool)
        leader = _Keyed("comparisons", _key(frame, BY_MEASURE), rest)
        yield from ((leader, follower) for follower in followers)
    if "changes" in tables:
        changes = tables["changes"]
        if "trends" in tables:
            periods = _Keyed("trends", _key(tables["trends"], [*BY_MEASURE, "period"]))
            for end in ("first_period", "last_period"):
                yield periods, _Keyed("changes", _key(changes, [*BY_MEASURE, end]))
        if "findings" in tables:
            yield _Keyed("changes", _key(changes, BY_MEASURE)), _findings(tables["findings"], "change")
    if "places" in tables and "findings" in tables:
        key = _key(tables["places"], ["measure", "place"])
        yield _Keyed("places", key), _findings(tables["findings"], "place", ["measure", "category"])
    if "breakdown" in tables and "needs" in tables:
        yield from _who_still_needs_a_value(tables["breakdown"], tables["needs"])
    if "representation" in tables:
        yield from _people_of_a_group(tables)


def _of_an_outcome(tables: Mapping[str, pd.DataFrame]) -> Iterator[_Keyed]:
    """What is worked out from the outcome of a group."""
    if "comparisons" in tables:
        frame = tables["comparisons"]
        yield _Keyed("comparisons", _key(frame, BY_MEASURE))
        yield _Keyed("comparisons", _key(frame, BY_MEASURE, category=frame["comparator_category"]))
    if "changes" in tables:
        yield _Keyed("changes", _key(tables["changes"], BY_MEASURE))
    if "unknowns" in tables:
        frame = tables["unknowns"]
        outcome = np.array(text(frame["of"]) == "outcome", dtype=bool)
        yield _Keyed("unknowns", _key(frame, BY_MEASURE), outcome)
    if "findings" in tables:
        yield _findings(tables["findings"], "outcome")
        yield _findings(tables["findings"], "change")


def _findings(frame: pd.DataFrame, about: str, columns: list[str] | None = None) -> _Keyed:
    return _Keyed(
        "findings", _key(frame, columns or BY_MEASURE), np.array(text(frame["about"]) == about, dtype=bool)
    )


def _who_still_needs_a_value(breakdown: pd.DataFrame, needs: pd.DataFrame) -> Iterator[tuple[_Keyed, _Keyed]]:
    """People of a site without a value are those that its share leaves over: either tells the other."""
    at_sites = np.array(text(breakdown["by"]).eq("site") & text(breakdown["unit"]).eq(PEOPLE), dtype=bool)
    shares = _Keyed("breakdown", _key(breakdown, ["characteristic", "group"]), at_sites)
    lacking = _Keyed("needs", _key(needs, ["characteristic", "site"]))
    yield shares, lacking
    yield lacking, shares


def _people_of_a_group(tables: Mapping[str, pd.DataFrame]) -> Iterator[tuple[_Keyed, _Keyed]]:
    frame = tables["representation"]
    residents = _Keyed("representation", _key(frame, ["of", *STRATUM]))
    yield residents, residents
    if "unknowns" in tables:
        unknowns = tables["unknowns"]
        users = text(unknowns["measure"]).replace({"": USERS})
        of_people = np.array(text(unknowns["of"]) != "outcome", dtype=bool)
        yield residents, _Keyed("unknowns", _key(unknowns, BY_MEASURE, measure=users), of_people)
    if "findings" in tables:
        findings = tables["findings"]
        about = np.array(text(findings["about"]) == "representation", dtype=bool)
        # A finding on users, or on a grade of staff, names no measure.
        of_users = text(findings["measure"]).replace({"": USERS})
        yield residents, _Keyed("findings", _key(findings, BY_MEASURE, measure=of_users), about)
        grades = text(frame["of"]).str.contains(": ", regex=False)
        of_grade = _Keyed(
            "representation", _key(frame, ["of", *STRATUM], of=text(frame["of"]).where(~grades, USERS))
        )
        yield of_grade, _Keyed("findings", _key(findings, BY_MEASURE, measure=of_users), about)
