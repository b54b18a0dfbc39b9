"""Tables -> what each of their counts is a count of, and which of these add up.

A name says what is counted, of whom: `people|ethnicity|detailed|Irish`, `did_not_attend:numerator|all`. Two rows with
one name show one count. Every table with counts is named here or in `naming_outcomes`; one that is not has rows that
stand by themselves, and a test asks for a reason. A name with "#" in it counts the rows of this release alone; every
other means the same in the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd

from equitydata import codelists
from equitydata.completeness import JOINT, MEASURES, NOT_RECORDED, OWN_DIMENSION
from equitydata.figures import KNOWN_VALUES, PLACES, RECORDED_VALUES
from equitydata.model import Intake, Status
from equitydata.release.book import Book, Counts
from equitydata.release.naming_outcomes import (
    OUTCOME_NAMES,
    PEOPLE,
    Present,
    levels_of_strata,
    name_strata,
    numbers_of,
    strata_of,
    text,
)
from equitydata.strata import STATUS_WORDS
from equitydata.tables import SPECS

UNITS = (PEOPLE, "records", "records_carried_back")
# Tables of which no row tells of another's people.
ALONE: Mapping[str, str] = {
    "swaps": "pairs of recordings of a few of the people, no two alike and no sum shown",
    "steps": "what each step changed; values and not people",
    "next_steps": "how many more are needed: a distance to a threshold",
    "listening": "people heard, as the register says; they are no people of the extract",
    "runs": "earlier runs, released before",
    "services": "counts that other reports released",
}
# Dimension of the breakdown -> the stratum that its groups of people are.
STRATUM_OF = {"age_band": "age|band", "sex": "sex|detailed", "deprivation": "deprivation|quintile"}


def name_counts(
    tables: Mapping[str, pd.DataFrame],
    *,
    people: int | None = None,
    intake: Intake | None = None,
) -> tuple[Counts, dict[str, slice]]:
    """Every count of some tables of true counts, and the rows of the release that each table has.

    people : everyone who is counted, which is written rounded. intake : rows read, which are written as they are.
    """
    starts: dict[str, slice] = {}
    at = 0
    for name, frame in tables.items():
        starts[name] = slice(at, at + len(frame))
        at += len(frame)
    book = Book()
    present = {
        name: Present(frame.reset_index(drop=True), np.arange(starts[name].start, starts[name].stop))
        for name, frame in tables.items()
        if len(frame) and SPECS[name].counts
    }
    if people is not None:
        # The number of people stands in a row of its own behind all tables.
        book.show(pd.Series([f"{PEOPLE}|all"]), pd.Series([people]), np.array([at]))
    if intake is not None:
        book.exactly("records|all", intake.rows_used)
    for name, here in present.items():
        named = NAMES.get(name) or OUTCOME_NAMES.get(name)
        if named is None:
            _alone(book, name, here)
        else:
            named(book, here, present)
    return book.counts(), starts


def _alone(book: Book, name: str, here: Present) -> None:
    """Rows that stand by themselves: each count has a name of its own."""
    frame = here.frame
    row = pd.Series([f"{name}#{place}" for place in here.rows])
    people = _counts_people(frame)
    for column in SPECS[name].counts:
        book.show(f"{column} of " + row, frame[column].where(people), here.rows)
    for share in SPECS[name].shares:
        book.part(
            f"{share.numerator} of " + row,
            f"{share.denominator} of " + row,
            frame[share.numerator].where(people),
            frame[share.denominator].where(people),
            here.rows,
        )


def _pair(book: Book, here: Present, numerators: pd.Series, denominators: pd.Series) -> None:
    """Numerators and denominators of a table under their names, and who is in the one and not in the other."""
    frame = here.frame
    people = _counts_people(frame)
    for names, column in ((numerators, "numerator"), (denominators, "denominator")):
        book.show(names, frame[column].where(people), here.rows)
    top, bottom = frame["numerator"].where(people), frame["denominator"].where(people)
    book.part(numerators, denominators, top, bottom, here.rows)


def _counts_people(frame: pd.DataFrame) -> pd.Series:
    return frame["unit"] != PLACES if "unit" in frame else pd.Series(True, index=frame.index)


# ---------------------------------------------------------------- completeness


def _statuses(book: Book, here: Present, _: Mapping[str, Present]) -> None:
    frame = here.frame
    for unit in UNITS:
        names = [
            _of_status(unit, name, status)
            for name, status in zip(frame["characteristic"], frame["status"], strict=True)
        ]
        book.show(pd.Series(names, index=frame.index), frame[unit], here.rows)
    for name, rows in frame.groupby("characteristic", sort=False):
        met = list(text(rows["status"]))
        for unit in UNITS:
            # Records are counted as recorded, and once more by the status of the person: both are all records.
            whole = f"{PEOPLE}|all" if unit == PEOPLE else "records|all"
            parts = {status: _of_status(unit, str(name), status) for status in met}
            book.sum(whole, parts.values())
            applies = [part for status, part in parts.items() if status != Status.NOT_APPLICABLE]
            book.sum(f"applicable:{name}|all|{unit}", applies)
            for measure, counted in MEASURES.items():
                book.sum(f"{measure}:{name}|all|{unit}", [parts[each] for each in counted if each in parts])
        for status in met:
            # Everyone has a record.
            book.sum(
                _of_status("records_carried_back", str(name), status), [_of_status(PEOPLE, str(name), status)]
            )
        lacking = [_of_status(PEOPLE, str(name), status) for status in met if status != Status.KNOWN]
        book.sum(f"{PEOPLE}|{name}|unknown", lacking)


def _of_status(unit: str, characteristic: str, status: str) -> str:
    """The name of people or records by the status of their value; people as strata name them."""
    if unit != PEOPLE:
        return f"{unit}|{characteristic}|status|{status}"
    if status == Status.KNOWN:
        return f"{PEOPLE}|{characteristic}|known"
    return f"{PEOPLE}|{characteristic}|unknown|{STATUS_WORDS.get(status, status)}"


def _completeness(book: Book, here: Present, present: Mapping[str, Present]) -> None:
    frame = here.frame
    name, unit = text(frame["characteristic"]), text(frame["unit"])
    _pair(
        book,
        here,
        text(frame["measure"]) + ":" + name + "|all|" + unit,
        "applicable:" + name + "|all|" + unit,
    )
    for characteristic in dict.fromkeys(name):
        at = f"{characteristic}|all|{PEOPLE}"
        book.sum(f"known:{at}", [f"detailed:{at}"])
        book.sum(f"detailed:{at}", [f"specific:{at}"])
        book.sum(f"{PEOPLE}|all", [f"applicable:{at}"])
        book.sum(f"known:{at}", [f"{PEOPLE}|{characteristic}|known"])
        if "categories" in present and characteristic != JOINT:
            _detail(book, characteristic)
    for measure in ("known", "known_or_declined"):
        _joint(book, measure, f"all|{PEOPLE}", f"applicable:{JOINT}|all|{PEOPLE}")
    book.sum(f"known_or_declined:{JOINT}|all|{PEOPLE}", [f"known:{JOINT}|all|{PEOPLE}"])


def _joint(book: Book, measure: str, at: str, everyone: str) -> None:
    """Who has both is among those who have each; who has one and not the other are no more than are left of all."""
    both = f"{measure}:{JOINT}|{at}"
    alone = [f"{measure}:{core}|{at} and not both" for core in ("ethnicity", "language")]
    for core, left in zip(("ethnicity", "language"), alone, strict=True):
        book.sum(f"{measure}:{core}|{at}", [both], left=left)
    book.sum(everyone, [both, *alone])


def _detail(book: Book, characteristic: str) -> None:
    try:
        listed = codelists.categories(characteristic)
    except (KeyError, ValueError, OSError):
        return  # the extract's own words have no broad or residual ones
    fine = listed[listed["detail"] != "broad"]
    named = [f"{PEOPLE}|{characteristic}|detailed|{category}" for category in fine["category"]]
    specific = [each for each, residual in zip(named, fine["residual"], strict=True) if residual != 1]
    book.sum(f"detailed:{characteristic}|all|{PEOPLE}", named)
    book.sum(f"specific:{characteristic}|all|{PEOPLE}", specific)


def _breakdown(book: Book, here: Present, _: Mapping[str, Present]) -> None:
    frame = here.frame
    name, by, group, unit = (text(frame[each]) for each in ("characteristic", "by", "group", "unit"))
    where = by + "|" + group + "|" + unit
    of_people = by.map(STRATUM_OF).where(unit == PEOPLE)
    unknown = by.map({key: value.split("|")[0] for key, value in STRATUM_OF.items()})
    words = group.where(by != "deprivation", "Quintile " + group.str[:1])
    strata = f"{PEOPLE}|" + of_people + "|" + words
    strata = strata.where(group != NOT_RECORDED, f"{PEOPLE}|" + unknown + "|unknown")
    wholes = strata.where(of_people.notna(), "all|" + where)
    _pair(book, here, "known:" + name + "|" + where, wholes)
    # Who has a value is everyone of the group less who does not, for whom the measure may not apply.
    for (each, dimension, counted), rows in frame.groupby(["characteristic", "by", "unit"], sort=False):
        met = list(text(rows["group"]))
        book.sum(
            f"known:{each}|all|{counted}", [f"known:{each}|{dimension}|{found}|{counted}" for found in met]
        )
        whole = f"{PEOPLE}|all" if counted == PEOPLE else "records|all"
        book.sum(whole, dict.fromkeys(wholes[rows.index]))
        if each == JOINT:
            for found, everyone in zip(met, wholes[rows.index], strict=True):
                _joint(book, "known", f"{dimension}|{found}|{counted}", str(everyone))
        if each in OWN_DIMENSION.get(str(dimension), ()) and counted == PEOPLE:
            # Whoever stands in a group of age has an age.
            for found, everyone in zip(met, wholes[rows.index], strict=True):
                book.sum(str(everyone), [f"known:{each}|{dimension}|{found}|{counted}"])


def _needs(book: Book, here: Present, _: Mapping[str, Present]) -> None:
    frame = here.frame
    at = text(frame["characteristic"]) + "|site|" + text(frame["site"]) + f"|{PEOPLE}"
    book.show("not known:" + at, frame["people"], here.rows)
    for characteristic, rows in frame.groupby("characteristic", sort=False):
        book.sum(f"not known:{characteristic}|all|{PEOPLE}", at[rows.index].map("not known:{}".format))


def _categories(book: Book, here: Present, _: Mapping[str, Present]) -> None:
    frame = here.frame
    name = text(frame["characteristic"])
    level = levels_of_strata(name, text(frame["level"]))
    _pair(
        book,
        here,
        f"{PEOPLE}|" + name + "|" + level + "|" + text(frame["category"]),
        "known:" + name + f"|all|{PEOPLE}",
    )
    name_strata(book, PEOPLE, strata_of(frame.assign(level=level), pd.Series(True, index=frame.index)))


def _codes(book: Book, here: Present, _: Mapping[str, Present]) -> None:
    frame = here.frame
    names = pd.Series([f"records|code#{place}" for place in range(len(frame))], index=frame.index)
    book.show(names, frame["records"], here.rows)
    for (characteristic, status), rows in frame.groupby(["characteristic", "status"], sort=False):
        book.sum(_of_status("records", str(characteristic), str(status)), names[rows.index])


# ---------------------------------------------------------------- verification


def _points_of_care(book: Book, here: Present, _: Mapping[str, Present]) -> None:
    frame = here.frame
    point = text(frame["point_of_care"])
    seen = f"{PEOPLE}|seen at|" + point
    _pair(book, here, "known:" + text(frame["characteristic"]) + "|seen at|" + point, seen)
    for each in dict.fromkeys(seen):
        book.sum(f"{PEOPLE}|all", [each])


SOURCES = ("self_reported", "proxy", "other_source", "no_source")


def _verification(book: Book, here: Present, _: Mapping[str, Present]) -> None:
    frame = here.frame
    name, measure = text(frame["characteristic"]), text(frame["measure"])
    wholes = pd.Series(
        [
            f"records|{characteristic}|status|{Status.KNOWN}"
            if each in SOURCES
            else f"independent:{characteristic}"
            if each.startswith("agree_")
            else f"{PEOPLE}|repeated"
            if each in ("repeated", "independent")
            else f"of {each}:{characteristic}"
            for characteristic, each in zip(name, measure, strict=True)
        ],
        index=frame.index,
    )
    _pair(book, here, measure + ":" + name, wholes)
    for characteristic in dict.fromkeys(name):
        book.sum(
            f"records|{characteristic}|status|{Status.KNOWN}",
            [f"{each}:{characteristic}" for each in SOURCES],
        )
        book.sum(f"repeated:{characteristic}", [f"independent:{characteristic}"])
        book.sum(f"agree_group:{characteristic}", [f"agree_detailed:{characteristic}"])
    book.sum(f"{PEOPLE}|all", [f"{PEOPLE}|repeated"])


def _agreement(book: Book, here: Present, _: Mapping[str, Present]) -> None:
    frame = here.frame
    name, level, group = (text(frame[each]) for each in ("characteristic", "level", "group"))
    _pair(book, here, "agree_" + level + ":" + name + "|" + group, "independent:" + name + "|" + group)
    for (characteristic, at), rows in frame.groupby(["characteristic", "level"], sort=False):
        groups = list(text(rows["group"]))
        book.sum(f"agree_{at}:{characteristic}", [f"agree_{at}:{characteristic}|{each}" for each in groups])
        book.sum(f"independent:{characteristic}", [f"independent:{characteristic}|{each}" for each in groups])
        for each in groups:
            book.sum(f"agree_group:{characteristic}|{each}", [f"agree_detailed:{characteristic}|{each}"])


def _observed(book: Book, here: Present, _: Mapping[str, Present]) -> None:
    frame = here.frame
    own, observed = text(frame["own"]), text(frame["observed"])
    names = "observed:" + text(frame["characteristic"]) + "|" + own + "|" + observed
    book.show(names, frame["records"], here.rows)
    for characteristic, rows in frame.groupby("characteristic", sort=False):
        here_own, here_observed = own[rows.index], observed[rows.index]
        known = (here_own != "Not known") & (here_observed != "Not known")
        mine = names[rows.index]
        book.sum(f"of observed_agrees:{characteristic}", mine[known])
        book.sum(f"observed_agrees:{characteristic}", mine[known & (here_own == here_observed)])
        book.sum("records|all", mine)


# ---------------------------------------------------------------- figures, flags and criteria repeat the others


def _figure_names(figures: Iterable[str]) -> tuple[list[str], list[str]]:
    """The counts that a figure repeats: `ethnicity_known` is the known share of ethnicity."""
    tops, bottoms = [], []
    for figure in figures:
        measure, characteristic = "", ""
        for ending in ("known_or_declined", "known", "detailed"):
            if figure.endswith(f"_{ending}"):
                measure, characteristic = ending, figure.removesuffix(f"_{ending}")
                break
        at = f"{characteristic}|all|{PEOPLE}"
        tops.append(f"{measure}:{at}" if measure else f"figure:{figure}")
        if measure == "detailed":
            bottoms.append(f"known:{at}")
        else:
            bottoms.append(f"applicable:{at}" if measure else f"of figure:{figure}")
    return tops, bottoms


def _figures(book: Book, here: Present, _: Mapping[str, Present]) -> None:
    frame = here.frame
    tops, bottoms = _figure_names(text(frame["figure"]))
    _pair(book, here, pd.Series(tops, index=frame.index), pd.Series(bottoms, index=frame.index))
    core = ("ethnicity", "language")
    of_figure = {KNOWN_VALUES: "known:{}|all|" + PEOPLE, RECORDED_VALUES: "populated:{}|all|records"}
    for figure, unit in zip(frame["figure"], frame["unit"], strict=True):
        if unit in of_figure and str(figure).startswith("core"):
            book.sum(f"of figure:{figure}", [of_figure[unit].format(name) for name in core])
    book.sum("figure:core_valid", [f"valid:{name}|all|records" for name in core])


def _flags(book: Book, here: Present, present: Mapping[str, Present]) -> None:
    """Flags repeat counts of other tables: each takes the name of the pair of counts that is the same.

    A pair that is another's by chance is then held to be the same, which can only make the release more careful.
    """
    frame = here.frame
    known: dict[tuple[float, float], tuple[str, str]] = {}
    for name in ("breakdown", "agreement", "categories", "verification", "completeness"):
        if name in present:
            known |= numbers_of(present[name], NAMES[name], present)
    pairs = [
        known.get((float(top), float(bottom)), (f"flag#{place}", f"of flag#{place}"))
        for place, (top, bottom) in enumerate(
            zip(
                pd.to_numeric(frame["numerator"], errors="coerce"),
                pd.to_numeric(frame["denominator"], errors="coerce"),
                strict=True,
            )
        )
    ]
    tops, bottoms = zip(*pairs, strict=True)
    _pair(book, here, pd.Series(tops, index=frame.index), pd.Series(bottoms, index=frame.index))


def _criteria(book: Book, here: Present, _: Mapping[str, Present]) -> None:
    frame = here.frame
    figures = text(frame["figure"])
    unnamed = pd.Series([f"criterion {each}" for each in frame["criterion_id"]], index=frame.index)
    tops, bottoms = _figure_names(figures.where(figures != "", unnamed))
    _pair(book, here, pd.Series(tops, index=frame.index), pd.Series(bottoms, index=frame.index))


NAMES: Mapping[str, Callable[[Book, Present, Mapping[str, Present]], None]] = {
    "statuses": _statuses,
    "completeness": _completeness,
    "breakdown": _breakdown,
    "needs": _needs,
    "categories": _categories,
    "codes": _codes,
    "points_of_care": _points_of_care,
    "verification": _verification,
    "agreement": _agreement,
    "observed": _observed,
    "figures": _figures,
    "flags": _flags,
    "criteria": _criteria,
}
