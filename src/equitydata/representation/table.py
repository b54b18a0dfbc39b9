"""Service users, and people with each outcome, against the residents of the service's area, region and nation.

A group's share of those counted is held against its share of the residents, who are taken as known (a census or
an estimate). People are counted, never contacts, so that one person's many visits cannot weigh more than once.
A service is not expected to mirror its residents: need, age and eligibility differ. A flag is a prompt to look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from equitydata import reference
from equitydata.completeness import band_labels
from equitydata.records.outcomes import cell_ends
from equitydata.representation.checks import Compared, population_checks
from equitydata.representation.populations import (
    KEPT,
    LOCAL,
    OLDEST,
    NoPopulation,
    OwnTable,
    Place,
    Population,
    authorities_in,
    everyone_of,
    own_folder,
    own_tables,
    places,
    plain_texts,
    population,
)
from equitydata.rulebook import Rulebook
from equitydata.service import Service
from equitydata.stats.answers import FloatArray, TextArray, add_note, texts
from equitydata.stats.judgement import Bounds, flag, representation_bounds
from equitydata.stats.judgement.band import side_of_band
from equitydata.stats.many_groups import adjust, representation_gap, representation_ratio, share_test
from equitydata.stats.one_group import expected_events, rate, standardised_ratio, wilson
from equitydata.strata import ALL, ALL_CATEGORY, CROSS, CROSS_CATEGORY, NOT_COLLECTED, USERS, Strata
from equitydata.tables import (
    POPULATION_CHECKS_TABLE,
    REPRESENTATION_TABLE,
    UNKNOWNS_TABLE,
    empty,
    shape,
)

KNOWN = "known"
DOES_NOT_APPLY = "not_applicable"
COUNTED = ("share", "population_rate")  # measures that people with the outcome can be told of
STAFF_STRATA = ("grade", "level")  # strata of a workforce that are compared one by one
PER = 1000.0
BLOCK = ["of", "characteristic", "level", "area_kind"]
FOUND = ("disproportionate_high", "disproportionate_low", "different_small")

NO_GROUP = "people of unknown group are in no share"
NO_COUNTERPART = "no residents are counted in this category: left out of the comparison"
NOT_COUNTED_WHOLE = "residents of this group are not counted on their own"
WIDER = "the residents' table counts this group within: {}"
HOLDS = "holds all that the residents' table counts here: {}"
FOLDED = "the list in use counts this group within: {}"
APPROXIMATE = "an approximation, so shown and not flagged"
SMALL_AREAS = "share of small areas in place of people"
FITTED = "standardised ratio: residents by age are fitted, not counted"
TOO_FEW = "not judged: {}"
AGE_MATTERS = "at the ages and sexes of the residents it looks different: see the standardised ratio"


class Representation(NamedTuple):
    """table : REPRESENTATION_TABLE. checks : POPULATION_CHECKS_TABLE."""

    table: pd.DataFrame
    checks: pd.DataFrame


@dataclass(frozen=True)
class _Of:
    """What is compared: users, the cases of a measure, or one stratum of a workforce.

    rows : strata of one characteristic or crossing, with `count`, the people compared.
    cells : the same by age and sex.
    """

    name: str
    label: str
    rows: pd.DataFrame
    cells: pd.DataFrame


def representation_table(
    strata: Strata, service: Service, lists: Mapping[str, Sequence[str]], rulebook: Rulebook
) -> Representation:
    """Users and people with each outcome against residents: local, region and nation.

    lists : characteristic -> code lists met in it, the most used first.
    One row per what is compared, characteristic, level, category and area; people of unknown group, empty and not
    collected categories stay, without a comparison. Characteristics of which no residents are held have a row in
    the checks only. Without an area both tables say so: the one is empty, the other has one row.
    """
    there = places(service)
    if not there:
        return Representation(empty(REPRESENTATION_TABLE), _no_area())
    own = own_tables(own_folder(service))
    blocks, compared = [], []
    living: dict[tuple[object, ...], Population | NoPopulation] = {}
    ends = cell_ends(rulebook.value("age_bands"))
    in_years = _ages_in_years(strata, rulebook)
    for of in _compared(strata, service):
        for names, rows in of.rows.groupby(["characteristic", "level"], sort=False):
            characteristic, level = (str(name) for name in names)
            cells = of.cells[of.cells["characteristic"].eq(characteristic) & of.cells["level"].eq(level)]
            for place in there:
                key = (characteristic, level, place.kind, *rows["category"], *rows["status"])
                if key not in living:
                    living[key] = _population(strata, rows, place, service, lists, own)
                found = living[key]
                block, facts = _block(of, rows, cells if in_years else cells.head(0), place, found, ends)
                compared.append(facts)
                if block is not None:
                    blocks.append(block)
    checks = population_checks(
        compared, service=service, lists=lists, outside=_outside(strata, there[0], rulebook)
    )
    if not blocks:
        return Representation(empty(REPRESENTATION_TABLE), checks)
    table = _with_statistics(pd.concat(blocks, ignore_index=True), service, rulebook)
    return Representation(shape(table, REPRESENTATION_TABLE), checks)


def residents_table(
    strata: Strata,
    service: Service,
    lists: Mapping[str, Sequence[str]],
    *,
    kind: str = LOCAL,
    apart: bool = False,
) -> pd.DataFrame:
    """Residents of the local area (or region or nation) by every stratum of the users that residents are held of.

    apart : by the groups as they were before those of few users were merged: who lives there does not turn on that.

    Returns characteristic, label, level, category, residents (people), residents_share, reference. The whole is
    characteristic and level all, category Everyone. A group that the table counts within a wider one, and small
    areas that stand in for people, have no residents (missing). Empty without an area.
    """
    columns = ["characteristic", "label", "level", "category", "residents", "residents_share", "reference"]
    here = next((place for place in places(service) if place.kind == kind), None)
    if here is None:
        return pd.DataFrame(columns=columns)
    own = own_tables(own_folder(service))
    everyone, words = everyone_of(here, service.service.ages)
    parts = [pd.DataFrame([(ALL, ALL_CATEGORY, ALL, ALL_CATEGORY, everyone, 1.0, words)], columns=columns)]
    users = plain_texts(strata.strata)
    users = users[users["measure"].eq(USERS) & users["characteristic"].ne(ALL)]
    for _, rows in users.groupby(["characteristic", "level"], sort=False):
        if apart:
            rows = rows.assign(category=pd.Series(_parts_of(strata, rows), index=rows.index)).explode(
                "category"
            )
        found = _population(strata, rows, here, service, lists, own)
        if isinstance(found, NoPopulation):
            continue
        known = rows[rows["status"].eq(KNOWN)]
        people = known["category"].map(dict(found.residents)).astype(float)
        wider = known["category"].isin(list(found.combined.values()))
        parts.append(
            known[["characteristic", "label", "level", "category"]].assign(
                residents=np.where(wider | found.shares_only, np.nan, people),
                residents_share=np.where(wider, np.nan, people / found.total),
                reference=found.reference,
            )
        )
    return pd.concat(parts, ignore_index=True)


def representation_unknowns(table: pd.DataFrame, rulebook: Rulebook) -> pd.DataFrame:
    """What people of unknown group could do to each local comparison, UNKNOWNS_TABLE.

    table : REPRESENTATION_TABLE. One row for each group that was compared with the residents of the local area.
    """
    here = table[table["area_kind"].eq(LOCAL) & table["ratio"].notna() & table["flag"].ne("")]
    if here.empty:
        return empty(UNKNOWNS_TABLE)
    here = here.reset_index(drop=True)
    bounds = _bounds(here, rulebook)
    frame = here.assign(
        people=here["numerator"],
        measure=here["of"],
        measure_label=here["of_label"],
        of="representation",
        ratio=bounds.known,
        ratio_none=bounds.none,
        ratio_all=bounds.everyone,
        ratio_pro_rata=bounds.pro_rata,
        lowest=bounds.lowest,
        highest=bounds.highest,
        turns_at_most=bounds.at_most,
        turns_at_least=bounds.at_least,
        note=bounds.note,
    )
    return shape(frame, UNKNOWNS_TABLE)


# ---- what is compared


def _compared(strata: Strata, service: Service) -> Iterable[_Of]:
    """Users, then the cases of every measure that has them, then each stratum of a workforce."""
    staff = service.service.counted == "staff"
    frame = plain_texts(strata.strata[strata.strata["characteristic"].ne(ALL)])
    cells = plain_texts(strata.cells)
    crossed = frame["characteristic"].str.split(CROSS).map(lambda names: bool(set(names) & set(STAFF_STRATA)))
    plain = frame[~(crossed & staff)]
    yield _of(USERS, "Staff" if staff else "Service users", plain, cells, USERS, "people")
    for name, measure in service.measures.items():
        if measure.statistic in COUNTED:
            yield _of(name, measure.label, plain, cells, name, "cases")
    if staff:
        yield from _workforce(frame[crossed & frame["measure"].eq(USERS)], cells)


def _of(name: str, label: str, rows: pd.DataFrame, cells: pd.DataFrame, measure: str, count: str) -> _Of:
    here = rows[rows["measure"].eq(measure)]
    split = cells[cells["measure"].eq(measure)]
    return _Of(name, label, here.assign(count=here[count]), split.assign(count=split[count]))


def _workforce(rows: pd.DataFrame, cells: pd.DataFrame) -> Iterable[_Of]:
    """Each stratum of grade or level as what is compared, by the characteristic it is crossed with."""
    for characteristic in dict.fromkeys(rows["characteristic"]):
        names = str(characteristic).split(CROSS)
        at = next(place for place, name in enumerate(names) if name in STAFF_STRATA)
        here = _other_side(rows[rows["characteristic"].eq(characteristic)], at)
        split = cells[cells["measure"].eq(USERS) & cells["characteristic"].eq(characteristic)]
        by_age = _other_side(split.assign(label=""), at)
        for stratum in dict.fromkeys(here["stratum"]):
            name = f"{names[at]}: {stratum}"
            yield _Of(
                name,
                f"Staff, {name}",
                here[here["stratum"].eq(stratum)],
                by_age[by_age["stratum"].eq(stratum)],
            )


def _other_side(rows: pd.DataFrame, at: int) -> pd.DataFrame:
    """Rows of a crossing as rows of the other characteristic, with the stratum of grade or level beside them.

    People whose group or grade is not known are in no stratum of the crossing: they are left aside.
    """
    rows = rows[rows["category"].str.contains(CROSS_CATEGORY, regex=False)]
    other = 1 - at
    words = [_side(str(label), CROSS_CATEGORY, other) for label in rows["label"]]
    return rows.assign(
        stratum=[_side(str(category), CROSS_CATEGORY, at) for category in rows["category"]],
        category=[_side(str(category), CROSS_CATEGORY, other) for category in rows["category"]],
        characteristic=[_side(str(name), CROSS, other) for name in rows["characteristic"]],
        level=[_side(str(name), CROSS, other) for name in rows["level"]],
        label=[word[:1].upper() + word[1:] for word in words],
        count=rows["people"],
    )


def _side(text: str, separator: str, at: int) -> str:
    """One side of a crossing; the text itself where it has no such side."""
    sides = text.split(separator)
    return sides[at] if at < len(sides) else text


def _parts_of(strata: Strata, rows: pd.DataFrame) -> list[tuple[str, ...]]:
    """The groups that each row stands for: itself, or those that are shown as one."""
    keys = zip(rows["characteristic"], rows["level"], rows["category"], strict=True)
    return [strata.parts_of(str(name), str(level), str(category)) for name, level, category in keys]


def _population(
    strata: Strata,
    rows: pd.DataFrame,
    place: Place,
    service: Service,
    lists: Mapping[str, Sequence[str]],
    own: Sequence[OwnTable],
) -> Population | NoPopulation:
    listed = rows[rows["status"].isin([KNOWN, NOT_COLLECTED])]
    characteristic, level = str(rows["characteristic"].iloc[0]), str(rows["level"].iloc[0])
    parts = dict(zip(listed["category"], _parts_of(strata, listed), strict=True))
    return population(
        characteristic,
        level,
        place,
        categories=dict(zip(listed["category"], listed["status"].eq(KNOWN), strict=True)),
        merged={name: held for name, held in parts.items() if len(held) > 1},
        ages=service.service.ages,
        code_lists=tuple(lists.get(characteristic, ())),
        own=own,
    )


def _ages_in_years(strata: Strata, rulebook: Rulebook) -> bool:
    """Whether ages came in years: a band of the extract's own says no more than its lower end."""
    ages = strata.strata[strata.strata["characteristic"].eq("age") & strata.strata["status"].eq(KNOWN)]
    return set(ages.loc[ages["people"].gt(0), "category"]) <= set(band_labels(rulebook.value("age_bands")))


# ---- one characteristic, level and place


def _block(
    of: _Of,
    rows: pd.DataFrame,
    cells: pd.DataFrame,
    place: Place,
    found: Population | NoPopulation,
    ends: Sequence[int],
) -> tuple[pd.DataFrame | None, Compared]:
    """Rows of the table without their statistics, and what the checks must know."""
    characteristic, label = str(rows["characteristic"].iloc[0]), str(rows["label"].iloc[0])
    if isinstance(found, NoPopulation):
        return None, Compared.without(of.name, characteristic, label, place, found.reason)
    inside, restricted = _of_span(rows, cells, found.span, ends)
    rows = rows.assign(count=inside)
    known, listed = rows["status"].eq(KNOWN), rows["category"]
    placed = known & listed.isin(list(found.residents))
    narrower = known & listed.isin(list(found.combined)) & ~placed
    compared = known if found.unplaced == KEPT else placed | narrower
    unknown_rows = ~known & ~rows["status"].isin([DOES_NOT_APPLY, NOT_COLLECTED])
    added = rows[narrower].groupby(listed[narrower].map(dict(found.combined)))["count"].sum()
    numerator = rows["count"] + listed.map(added).where(placed).fillna(0.0)
    total = float(rows.loc[compared, "count"].sum())
    unknown = float(rows.loc[unknown_rows, "count"].sum())
    everyone = float(rows.loc[known, "count"].sum()) + unknown
    residents = listed.map(dict(found.residents)).astype(float).where(placed)
    expected = _expected(rows[placed], cells, found, ends)
    block = pd.DataFrame(
        {
            "of": of.name,
            "of_label": of.label,
            "characteristic": characteristic,
            "label": label,
            "level": rows["level"],
            "category": listed,
            "order": rows["order"],
            "status": rows["status"],
            "area_kind": place.kind,
            "area": found.place.name,
            "reference": found.reference,
            "numerator": numerator,
            "denominator": np.where(compared, total, np.nan),
            "unknown": unknown,
            "share_of_all": numerator / everyone if everyone else np.nan,
            "residents": np.nan if found.shares_only else residents,
            "residents_total": np.nan if found.shares_only else found.total,
            "residents_share": residents / found.total,
            "observed": listed.map(expected["observed"]).astype(float).where(placed),
            "expected": listed.map(expected["expected"]).astype(float).where(placed),
            "approximate": found.approximate or found.shares_only,
            "note": _block_notes(rows, found, known, placed, narrower, unknown_rows),
        }
    )
    # Whom the item does not apply to are no part of everyone.
    block.loc[rows["status"].eq(DOES_NOT_APPLY), "share_of_all"] = np.nan
    only_users = tuple(listed[known & ~placed & ~narrower])
    facts = Compared(
        of=of.name,
        characteristic=characteristic,
        label=label,
        place=found.place,
        population=found,
        total=total,
        unknown=unknown,
        everyone=everyone,
        above_residents=tuple(listed[placed & numerator.gt(residents)]) if not found.shares_only else (),
        only_users=only_users,
        groups=tuple(listed[placed]),
        shares=tuple((residents / found.total)[placed]),
        restricted=restricted,
    )
    return block, facts


def _block_notes(
    rows: pd.DataFrame,
    found: Population,
    known: pd.Series,
    placed: pd.Series,
    narrower: pd.Series,
    unknown: pd.Series,
) -> TextArray:
    notes = texts((len(rows),))
    add_note(notes, unknown, NO_GROUP)
    unplaced = known & ~placed & ~narrower
    for ours, reason in found.apart.items():
        add_note(notes, unplaced & rows["category"].eq(ours), reason)
    unplaced &= ~rows["category"].isin(list(found.apart))
    add_note(notes, unplaced, NOT_COUNTED_WHOLE if found.unplaced == KEPT else NO_COUNTERPART)
    for ours, wider in found.combined.items():
        add_note(notes, narrower & rows["category"].eq(ours), WIDER.format(wider))
    for wider in dict.fromkeys(found.combined.values()):
        held = ", ".join(sorted(ours for ours, into in found.combined.items() if into == wider))
        add_note(notes, placed & rows["category"].eq(wider), HOLDS.format(held))
    for ours, into in found.folded.items():
        add_note(notes, ~known & rows["category"].eq(ours), FOLDED.format(into))
    if found.shares_only:
        add_note(notes, placed, SMALL_AREAS)
    if found.approximate or found.shares_only:
        add_note(notes, placed, APPROXIMATE)
    if found.estimated:
        add_note(notes, placed, FITTED)
    return notes


def _of_span(
    rows: pd.DataFrame, cells: pd.DataFrame, span: tuple[int, int], ends: Sequence[int]
) -> tuple[pd.Series, str]:
    """People of each row whose age is among the residents' ages, and how that was done.

    People of unknown age stay. The ages of the cells are bands: where people stand in a band that lies across an
    end of the residents' ages, nobody is taken out, since some of them belong.
    """
    low, high = span
    if low <= 0 and high >= OLDEST:
        return rows["count"], "not needed"
    aged = cells[cells["age_from"].ge(0)]
    if aged.empty:
        return rows["count"], "no ages"
    upper = dict(zip(ends, [*(end - 1 for end in ends[1:]), OLDEST], strict=True))
    last = aged["age_from"].map(upper).fillna(OLDEST)
    outside = last.lt(low) | aged["age_from"].gt(high)
    across = ~outside & (aged["age_from"].lt(low) | last.gt(high))
    if aged.loc[across, "count"].sum() > 0:
        return rows["count"], "a band lies across"
    gone = aged[outside].groupby(["category", "status"])["count"].sum()
    if gone.sum() == 0:
        return rows["count"], "nobody outside"
    keys = pd.MultiIndex.from_frame(rows[["category", "status"]])
    taken = gone.reindex(keys).fillna(0.0).to_numpy()
    return (rows["count"] - taken).clip(lower=0), "done"


def _expected(
    rows: pd.DataFrame, cells: pd.DataFrame, found: Population, ends: Sequence[int]
) -> dict[str, dict[str, float]]:
    """Observed people and those expected at the ages and sexes of the group's residents, by category.

    Expected: over the bands of age and sex, the residents of the group times the share of all residents of that age
    and sex who are counted. People of unknown age or sex, and bands that the residents do not have, are in neither.
    """
    none: dict[str, dict[str, float]] = {"observed": {}, "expected": {}}
    base = found.by_age_sex
    people = cells[cells["status"].eq(KNOWN) & cells["category"].isin(list(rows["category"]))]
    if base.empty or people.empty:
        return none
    by_age, by_sex = bool(base["age_from"].ge(0).all()), bool(base["sex"].ne("").all())
    if by_age:
        common = sorted(set(base["age_from"]) & set(ends))
        people = people[people["age_from"].ge(common[0])] if common else people.head(0)
        base = base.assign(age_from=_lower_end(base["age_from"], common)) if common else base.head(0)
        people = people.assign(age_from=_lower_end(people["age_from"], common)) if common else people
    if by_sex:
        people = people[people["sex"].isin(set(base["sex"]))]
    keys = [*(["age_from"] if by_age else []), *(["sex"] if by_sex else [])]
    if base.empty or people.empty or not keys:
        return none
    # A group that a wider one holds is not apart among the residents, so its people cannot be placed by age.
    living = base.groupby(["category", *keys])["residents"].sum().reset_index()
    all_living = living.groupby(keys)["residents"].sum()
    counted = people.groupby(keys)["count"].sum()
    rates = (counted / all_living.where(all_living > 0)).fillna(0.0).rename("rate").reset_index()
    joined = living.merge(rates, on=keys, how="left", validate="many_to_one").fillna({"rate": 0.0})
    names = sorted(set(joined["category"]))
    expected = expected_events(
        person_time=joined["residents"].to_numpy(dtype=float),
        reference_rates=joined["rate"].to_numpy(dtype=float),
        group=joined["category"].map({name: place for place, name in enumerate(names)}).to_numpy(),
        groups=len(names),
    )
    observed = people.groupby("category")["count"].sum().reindex(names).fillna(0.0)
    return {
        "observed": {name: float(each) for name, each in observed.items()},
        "expected": dict(zip(names, expected.tolist(), strict=True)),
    }


def _lower_end(ages: pd.Series, ends: Sequence[int]) -> np.ndarray:
    """The lower end of the band of each age; an age below the first goes with the first."""
    at = np.searchsorted(np.asarray(ends), ages.to_numpy(dtype=float), side="right") - 1
    return np.asarray(ends)[np.maximum(at, 0)]


def _outside(strata: Strata, local: Place, rulebook: Rulebook) -> float | None:
    """Share of users of known residence who live outside the area; None where residence is not mapped."""
    frame = strata.strata
    here = frame[
        frame["measure"].eq(USERS)
        & frame["characteristic"].eq("geography")
        & frame["level"].eq("authority")
        & frame["status"].eq(KNOWN)
    ]
    people = float(here["people"].sum())
    if not people:
        return None
    places_now = reference.read_table("lsoa21_msoa21_ward24_ltla24_icb24").drop_duplicates("lsoa21_code")
    lookup = reference.lsoa_lookup().set_index("lsoa_code")["ltla22_code"]
    inside = places_now["lsoa21_code"].map(lookup).isin(authorities_in(local.codes))
    names = set(places_now.loc[inside, "ltla24_name"])
    # Authorities of few people that are shown as one may lie on both sides: those tell nothing.
    served = [{name in names for name in held} for held in _parts_of(strata, here)]
    told = np.array([len(each) == 1 for each in served])
    beyond = np.array([each == {False} for each in served])
    counted = here["people"].to_numpy(dtype=float)
    return float(counted[beyond].sum() / counted[told].sum()) if counted[told].sum() else None


# ---- statistics, whole columns at once


def _with_statistics(frame: pd.DataFrame, service: Service, rulebook: Rulebook) -> pd.DataFrame:
    confidence = rulebook.value("confidence")
    band = (rulebook.value("flag_band_low"), rulebook.value("flag_band_high"))
    compared = (frame["denominator"].notna() & frame["residents_share"].notna()).to_numpy()
    x = frame["numerator"].to_numpy(dtype=float)
    total = frame["denominator"].to_numpy(dtype=float)
    pi = np.where(compared, frame["residents_share"].to_numpy(dtype=float), np.nan)
    asked = {"numerator": np.where(compared, x, np.nan), "denominator": np.where(compared, total, np.nan)}
    ratio = representation_ratio(**asked, share=pi, confidence=confidence)
    gap = representation_gap(**asked, share=pi, confidence=confidence)
    in_share = ~np.isnan(total)
    lower, upper = wilson(np.where(in_share, x, np.nan), total, confidence=confidence)
    living = frame["residents"].to_numpy(dtype=float)
    per = rate(np.where(np.isnan(living), np.nan, x), living, multiplier=PER, confidence=confidence)
    standardised = _standardised(frame, confidence)
    judged = compared & ~frame["approximate"].to_numpy(dtype=bool)
    test = share_test(
        numerator=np.where(judged, x, np.nan),
        denominator=np.where(judged, total, np.nan),
        share=np.where(judged, pi, np.nan),
    )
    expected, others = total * pi, total * (1 - pi)
    with np.errstate(invalid="ignore"):
        enough = (total >= rulebook.value("flag_least_people")) & (
            np.minimum(expected, others) >= rulebook.value("flag_least_expected")
        )
    by = (
        ["of", "characteristic", "area_kind"]
        if service.analysis.family == "characteristic"
        else ["area_kind"]
    )
    adjusted = adjust(
        test.p_value,
        method=rulebook.value("flag_adjustment"),
        family=frame.groupby(by, sort=False).ngroup().to_numpy(),
        tested=judged & enough & (pi > 0),
    ).adjusted
    # A group that nobody uses can be the finding itself: what must be enough is all who were counted, and how many
    # of them the residents' share lets expect.
    flags = flag(
        ratio=ratio.value,
        lower=ratio.lower,
        upper=ratio.upper,
        adjusted_p=np.where(np.isnan(adjusted), test.p_value, adjusted),
        people=np.where(compared, total, np.nan),
        expected_events=expected,
        expected_non_events=others,
        alpha=rulebook.value("flag_alpha"),
        band=band,
        least_people=rulebook.value("flag_least_people"),
        least_expected=rulebook.value("flag_least_expected"),
    )
    notes = frame["note"].to_numpy(dtype=object).copy()
    for entry in np.flatnonzero(judged & (flags.note != "")).tolist():
        _append(notes, entry, TOO_FEW.format(flags.note[entry]))
    for entry in np.flatnonzero(compared & (ratio.note != "") & ~judged).tolist():
        _append(notes, entry, str(ratio.note[entry]))
    found = frame.assign(
        share=np.where(in_share & (total > 0), x / np.where(total > 0, total, np.nan), np.nan),
        share_lower=lower,
        share_upper=upper,
        **_three("ratio", ratio.value, ratio.lower, ratio.upper),
        **_three("gap", gap.value, gap.lower, gap.upper),
        gap_people=np.where(compared, x - expected, np.nan),
        **_three("rate", per.value, per.lower, per.upper),
        **standardised,
        p=test.p_value,
        p_adjusted=adjusted,
        flag=np.where(judged, flags.state, ""),
        evidence=flags.evidence & judged,
        size=flags.size & judged,
        information=flags.information & judged,
        similar=flags.similar & judged,
        note=notes,
    )
    for entry in np.flatnonzero(_age_matters(found, band)).tolist():
        _append(notes, entry, AGE_MATTERS)
    return found.assign(robustness=_robustness(found, rulebook), note=notes)


def _age_matters(frame: pd.DataFrame, band: tuple[float, float]) -> NDArray[np.bool_]:
    """Where the standardised ratio says otherwise: a finding that goes, turns, or comes."""
    value = frame["standardised_ratio"].to_numpy(dtype=float)
    lower = frame["standardised_ratio_lower"].to_numpy(dtype=float)
    upper = frame["standardised_ratio_upper"].to_numpy(dtype=float)
    side = (lower > 1).astype(int) - (upper < 1).astype(int)
    ratio = frame["ratio"].to_numpy(dtype=float)
    found = np.where(frame["flag"].isin(FOUND), np.where(ratio > 1, 1, -1), 0)
    comes = (
        frame["flag"].isin(("no_evidence", "uncertain")).to_numpy()
        & (side != 0)
        & (side_of_band(value, band) != 0)
    )
    return ~np.isnan(value) & (comes | ((found != 0) & (side != found)))


def _append(notes: TextArray, entry: int, text: str) -> None:
    notes[entry] = f"{notes[entry]}; {text}" if notes[entry] else text


def _three(name: str, value: FloatArray, lower: FloatArray, upper: FloatArray) -> dict[str, FloatArray]:
    return {name: value, f"{name}_lower": lower, f"{name}_upper": upper}


def _standardised(frame: pd.DataFrame, confidence: float) -> dict[str, FloatArray]:
    expected = frame["expected"].to_numpy(dtype=float)
    usable = expected > 0
    found = standardised_ratio(
        observed=np.where(usable, frame["observed"].to_numpy(dtype=float), np.nan),
        expected=np.where(usable, expected, np.nan),
        confidence=confidence,
    )
    return _three("standardised_ratio", found.value, found.lower, found.upper)


def _bounds(frame: pd.DataFrame, rulebook: Rulebook) -> Bounds:
    return representation_bounds(
        numerator=frame["numerator"].to_numpy(dtype=float),
        denominator=frame["denominator"].to_numpy(dtype=float),
        unknown=frame["unknown"].to_numpy(dtype=float),
        share=frame["residents_share"].to_numpy(dtype=float),
        confidence=rulebook.value("confidence"),
    )


def _robustness(frame: pd.DataFrame, rulebook: Rulebook) -> TextArray:
    """Whether each finding would stand if the people of unknown group were in it, out of it, or in proportion."""
    words = texts((len(frame),))
    here = frame["flag"].isin(FOUND).to_numpy()
    if not here.any():
        return words
    bounds = _bounds(frame[here], rulebook)
    words[here] = np.where(bounds.firm, "firm", np.where(bounds.fragile, "fragile", "turns at a bound"))
    # Adjusted evidence without an interval clear of 1 is no finding that bounds could turn.
    entries = np.flatnonzero(here)
    words[entries[bounds.finding == 0]] = "fragile"
    return words


def _no_area() -> pd.DataFrame:
    row = {
        "of": USERS,
        "characteristic": ALL,
        "label": ALL_CATEGORY,
        "area_kind": LOCAL,
        "check": "area named",
        "severity": "warning",
        "finding": "The service file names no area, so nobody is held against residents: give [service] area.",
    }
    return shape(pd.DataFrame([row]), POPULATION_CHECKS_TABLE)
