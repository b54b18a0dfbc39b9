"""Make the sample extract: a SYNTHETIC community diabetes service in Newham. No real person is in it.

Run `python sample_data/make_sample.py` to write `contacts.csv` and `planted_truths.json` anew, to the byte.
Only numpy and pandas are used, and nothing of equitydata: what was planted (`plan.py`) and what came of it
(`truths.py`) can be held against any tool.

All chance comes from `Generator.random` (uniform numbers) by named streams, so that a change to one part
leaves the others as they were, and another version of numpy gives the same file.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plan
import truths

Array = npt.NDArray[Any]
Shares = plan.Shares

# --- Chance -----------------------------------------------------------------------------------------------


def uniform(topic: str, size: int) -> Array:
    """Uniform numbers in [0, 1), shape (size,), from the stream of that topic."""
    return np.random.default_rng([plan.SEED, zlib.crc32(topic.encode())]).random(size)


def uniform_within(topic: str, cells: pd.Series) -> Array:
    """Uniform numbers spread evenly over [0, 1) within each cell: a cell of 10 has one in each tenth.

    So what is drawn in a cell comes out close to its chance, and luck makes little difference between groups.
    """
    order = pd.Series(uniform(topic, len(cells)), index=cells.index).groupby(cells)
    place = order.rank(method="first") - 1 + uniform(f"{topic} within", len(cells))
    return (place / order.transform("size")).to_numpy()


def uniform_along(topic: str, keys: pd.DataFrame) -> Array:
    """Uniform numbers in [0, 1), shape (len(keys),), spread evenly over any run of rows in the order of the keys.

    Steps of the golden section: neighbours fall into different parts of [0, 1), so luck makes little difference
    between groups by the first keys, nor, inside them, by the later ones.
    """
    order = keys.assign(_chance=uniform(topic, len(keys))).sort_values([*keys.columns, "_chance"]).index
    steps = (uniform(f"{topic} start", 1)[0] + np.arange(len(keys)) * (5**0.5 - 1) / 2) % 1
    return pd.Series(steps, index=order).loc[keys.index].to_numpy()


def pick(chances: Array, shares: Shares) -> Array:
    """One key of `shares` for each uniform number, by the shares (scaled to sum to 1). Shape as `chances`."""
    edges = np.cumsum(np.array(list(shares.values()), dtype=float))
    place = np.searchsorted(edges / edges[-1], chances, side="right")
    return np.array(list(shares), dtype=object)[np.minimum(place, len(shares) - 1)]


def draw(topic: str, shares: Shares, size: int) -> Array:
    """`size` keys of `shares`, by the shares."""
    return pick(uniform(topic, size), shares)


def draw_by(topic: str, groups: Array, shares_of: Mapping[str, Shares]) -> Array:
    """One key for each member of `groups`, by the shares of the member's group; "" for a group without."""
    chances, drawn = uniform(topic, len(groups)), np.full(len(groups), "", dtype=object)
    for group, shares in shares_of.items():
        member = groups == group
        drawn[member] = pick(chances[member], shares)
    return drawn


def values_of(keys: Array, table: Mapping[str, Any]) -> Array:
    """The table's value for each key. Raises KeyError for a key that is not in the table."""
    distinct, place = np.unique(np.asarray(keys, dtype=str), return_inverse=True)
    return np.array([table[key] for key in distinct])[place]


# --- People -----------------------------------------------------------------------------------------------


def make_people() -> pd.DataFrame:
    """One row per person seen in the period, with all that is true of them, known to the service or not."""
    people = pd.DataFrame(index=pd.RangeIndex(plan.PEOPLE, name="person"))
    people["pseudonym"] = pseudonyms(np.arange(plan.PEOPLE))
    groups = draw("ethnicity and sex", plan.COMPOSITION, plan.PEOPLE).astype(str)
    people["ethnicity"], people["sex"] = pd.Series(groups).str[0], pd.Series(groups).str[1]
    people = people.assign(**ages(people["ethnicity"].to_numpy()), **areas(people["ethnicity"].to_numpy()))
    people["own_site"] = draw("own site", plan.SITES, plan.PEOPLE)
    people["language"] = draw_by("language", people["ethnicity"].to_numpy(), plan.LANGUAGES)
    people["recorded"] = ever_recorded(people)
    people["new"] = uniform("new referral", plan.PEOPLE) < plan.NEW_REFERRAL
    people["contacts"] = draw("contacts", plan.CONTACTS, plan.PEOPLE).astype(int)
    people["forced"] = (uniform("forced", plan.PEOPLE) * people["contacts"]).astype(int)
    return people.assign(**other_characteristics(people), **recording_habits(people))


def pseudonyms(numbers: Array) -> Array:
    """A made-up pseudonym for each number: P and eight hexadecimal digits, none twice."""
    mixed = (numbers.astype(np.uint64) * np.uint64(2654435761) + np.uint64(97531)) % np.uint64(2**32)
    digits = (mixed[:, None] >> np.arange(28, -1, -4, dtype=np.uint64)) & np.uint64(15)
    hexadecimal = np.array(list("0123456789ABCDEF"))[digits.astype(int)]
    return np.array([*pd.DataFrame(hexadecimal).sum(axis=1).radd("P")], dtype=object)


def ages(ethnicity: Array) -> dict[str, Array]:
    """Age band, age in whole years on the first day of the period, and date of birth."""
    profile = dict.fromkeys(plan.LABELS, "middle") | dict.fromkeys(plan.OLDER_GROUPS, "older")
    profile |= dict.fromkeys(plan.YOUNGER_GROUPS, "younger")
    bands = {letter: plan.AGE_PROFILES[each] for letter, each in profile.items()}
    band = draw_by("age band", ethnicity, bands)
    low = values_of(band, {name: ends[0] for name, ends in plan.AGE_BANDS.items()})
    high = values_of(band, {name: ends[1] for name, ends in plan.AGE_BANDS.items()})
    age = low + (uniform("age", len(band)) * (high - low + 1)).astype(int)
    first_of_april = (plan.FIRST_DAY.astype("datetime64[Y]") - age).astype("datetime64[M]") + 3
    born = first_of_april.astype("datetime64[D]") - (uniform("birthday", len(band)) * 365).astype(int)
    unrecorded = uniform("no birth date", len(band)) < plan.NO_BIRTH_DATE
    return {"age_band": band, "age": age, "born": born, "no_birth_date": unrecorded}


def areas(ethnicity: Array) -> dict[str, Array]:
    """LSOA as it is written, and its IMD 2025 decile (0 where there is none)."""
    size = len(ethnicity)
    kind = draw("area", plan.AREA_SHARES, size)
    core20 = uniform("core20", size) < values_of(ethnicity, plan.IN_CORE20)
    place = np.where(kind == "newham", np.where(core20, "core20", "rest"), kind)
    inside, outside = deciles_of(plan.NEWHAM_LSOA), deciles_of(plan.OUTSIDE_LSOA)
    shares: dict[str, Shares] = {
        "core20": {lsoa: 1.0 for lsoa, decile in inside.items() if decile <= 2},
        "rest": {lsoa: 1.0 for lsoa, decile in inside.items() if decile > 2},
        "outside": dict.fromkeys(outside, 1.0),
        "filler": plan.AREA_FILLERS,
    }
    lsoa = draw_by("lsoa", place, shares)
    decile = values_of(lsoa, inside | outside | dict.fromkeys(plan.AREA_FILLERS, 0))
    return {"lsoa": lsoa, "area": kind, "decile": decile}


def deciles_of(table: Mapping[int, str]) -> dict[str, int]:
    """LSOA code to IMD decile, from a table of the plan."""
    return {f"E010{code}": decile for decile, codes in table.items() for code in codes.split()}


def ever_recorded(people: pd.DataFrame) -> Array:
    """Which of ethnicity and language is ever recorded: both, ethnicity only, language only or neither."""
    worst = people["own_site"].isin(plan.WORST_SITES).to_numpy()
    young_men = ((people["sex"] == "1") & (people["age_band"] == "18-34")).to_numpy()
    where = np.char.add(np.where(worst, "worst", "other"), np.where(young_men, " young men", ""))
    added = plan.NEVER_RECORDED["men 18-34, added"]
    shares: dict[str, Shares] = {}
    for name in ("worst", "other"):
        never = plan.NEVER_RECORDED[f"{name} sites"]
        also = {key: share + added[key] for key, share in never.items()}
        shares[name] = never | {"both": 1 - sum(never.values())}
        shares[f"{name} young men"] = also | {"both": 1 - sum(also.values())}
    return draw_by("ever recorded", where, shares)


def other_characteristics(people: pd.DataFrame) -> dict[str, Array]:
    """One value per person of each characteristic beside ethnicity, language, age and area."""
    language = np.where(people["language"] == "en", "en", "other")
    needs = uniform("needs interpreter", plan.PEOPLE) < values_of(language, plan.INTERPRETER)
    religion = {letter: shares for letters, shares in plan.RELIGIONS.items() for letter in letters}
    true = {name: draw(name, shares, plan.PEOPLE) for name, shares in plan.VALUES.items()}
    true["interpreter_needed"] = np.where(needs, "Y", "N")
    true["religion"] = draw_by("religion", people["ethnicity"].to_numpy(), religion)
    indeterminate = uniform("indeterminate", plan.PEOPLE) < 0.001
    true["gender"] = np.where(indeterminate, "9", people["sex"])
    recorded = {}
    for name, share in plan.KNOWN_SHARE.items():
        known = uniform(f"{name} known", plan.PEOPLE) < share
        unknown = draw(f"{name} not known", plan.NOT_KNOWN[name], plan.PEOPLE)
        recorded[name] = np.where(known, true[name], unknown)
    return recorded


def recording_habits(people: pd.DataFrame) -> dict[str, Array]:
    """How a person's ethnicity and language come to be recorded: by whom, and as what else at times."""
    ethnicity = people["ethnicity"].to_numpy()
    residual = uniform("other group", plan.PEOPLE) < plan.RESIDUAL_SHARE
    other = np.where(residual, values_of(ethnicity, plan.RESIDUAL), values_of(ethnicity, plan.NEIGHBOUR))
    specific = people["ethnicity"].isin(list("HJKMN"))  # no rule settles a pair of these with a neighbour
    may_conflict = specific & (people["recorded"] == "both") & (people["contacts"] >= 3)
    rank = np.where(may_conflict, uniform("conflict", plan.PEOPLE), 2.0).argsort(kind="stable")
    conflict = np.isin(np.arange(plan.PEOPLE), rank[: plan.CONFLICTS])
    habits: dict[str, Array] = {
        "other_group": np.where(conflict, values_of(ethnicity, plan.NEIGHBOUR), other),
        "conflict": conflict,
        "disagrees": ~conflict & (uniform("disagrees", plan.PEOPLE) < values_of(ethnicity, plan.DISAGREEING)),
        "uneven": 1 + plan.UNEVEN * (2 * uniform("uneven", plan.PEOPLE) - 1),
    }
    for item, status in (("ethnicity", plan.ETHNICITY_STATUS), ("language", plan.LANGUAGE_STATUS)):
        by_self = uniform(f"{item} self-reported", plan.PEOPLE) < plan.SELF_REPORTED
        others = draw(f"{item} source", plan.OTHER_SOURCES, plan.PEOPLE)
        habits[f"{item}_by"] = np.where(by_self, "PATIENT", others)
        habits[f"{item}_usual_gap"] = draw(f"{item} usual gap", status["never"], plan.PEOPLE)
    return habits


# --- Contacts ---------------------------------------------------------------------------------------------


def make_contacts(people: pd.DataFrame) -> pd.DataFrame:
    """One row per contact in the period with all columns of the person; sorted by day, numbered from 0."""
    contacts = people.loc[people.index.repeat(people["contacts"])].reset_index()
    contacts["number"] = contacts.groupby("person").cumcount()
    contacts["date"] = days(contacts)
    size = len(contacts)
    away = uniform("away", size) < plan.ELSEWHERE
    contacts["site"] = np.where(away, draw("other site", plan.SITES, size), contacts["own_site"])
    hub = (contacts["site"] == "Site 8 Telephone hub").to_numpy()
    setting = draw_by("setting", np.where(hub, "hub", "site"), plan.SETTINGS)
    contacts["setting"] = np.where(contacts["new"] & (contacts["number"] == 0), "Referral", setting)
    contacts = contacts.assign(**ethnicity_recordings(contacts), **language_recordings(contacts))
    contacts = contacts.assign(**outcomes(contacts))
    return contacts.sort_values(["date", "person", "number"], kind="stable", ignore_index=True)


def days(contacts: pd.DataFrame) -> Array:
    """The day of each contact, a weekday; no two of a person on one day, but the last two of a conflict."""
    all_days = np.arange(plan.FIRST_DAY, plan.LAST_DAY + 1)
    weekdays = all_days[np.is_busday(all_days)]
    width = len(weekdays) / contacts["contacts"].to_numpy()
    shift = 0.9 * uniform("day", len(contacts))  # 0.9: the days of two parts of the year never meet
    place = ((contacts["number"].to_numpy() + shift) * width).astype(int)
    last = contacts["conflict"] & (contacts["number"] == contacts["contacts"] - 1)
    place = np.where(last, pd.Series(place).shift(1, fill_value=0), place)
    return weekdays[place]


def known_here(contacts: pd.DataFrame, item: str) -> Array:
    """Whether the contact holds a known value of the item: at least one contact does if any ever does."""
    ever = contacts["recorded"].isin(["both", f"{item} only"])
    here = uniform(f"{item} here", len(contacts)) < plan.KNOWN_ON_A_RECORD
    return (ever & (here | (contacts["number"] == contacts["forced"]))).to_numpy()


def gap_status(contacts: pd.DataFrame, item: str, shares: Mapping[str, Shares]) -> Array:
    """Status of a contact where the item is not known."""
    never = ~contacts["recorded"].isin(["both", f"{item} only"])
    usual = np.where(uniform(f"{item} usual", len(contacts)) < 0.8, contacts[f"{item}_usual_gap"], "missing")
    return np.where(never, usual, draw(f"{item} gap", shares["other"], len(contacts)))


def ethnicity_recordings(contacts: pd.DataFrame) -> dict[str, Array]:
    """Ethnic group, status, source and day of recording at each contact."""
    size, conflict = len(contacts), contacts["conflict"].to_numpy()
    from_end = (contacts["contacts"] - contacts["number"]).to_numpy()
    known = np.where(conflict, from_end <= 2, known_here(contacts, "ethnicity"))
    otherwise = contacts["disagrees"].to_numpy() & (uniform("shown otherwise", size) < plan.SHOWN_OTHERWISE)
    otherwise = np.where(conflict, from_end == 1, otherwise)
    order = pd.Series(known).groupby(contacts["person"].to_numpy()).cumsum().to_numpy()
    later = known & (order > 1) & ~conflict
    copied = later & (uniform("inherited", size) < plan.INHERITED)
    by_self = (contacts["ethnicity_by"] == "PATIENT").to_numpy()
    observed = later & otherwise & by_self & (uniform("observed", size) < plan.OBSERVED)
    value = np.where(otherwise, contacts["other_group"], contacts["ethnicity"])
    first = contacts.assign(value=value).loc[known & (order == 1)].set_index("person")
    value = np.where(copied, contacts["person"].map(first["value"]), value)
    day = np.where(copied, contacts["person"].map(first["date"]), contacts["date"])
    source = np.where(conflict, "PATIENT", np.where(observed, "STAFF", contacts["ethnicity_by"]))
    status = np.where(known, "known", gap_status(contacts, "ethnicity", plan.ETHNICITY_STATUS))
    unknown_source = np.where(status == "declined", "PATIENT", "")
    return {
        "ethnicity_status": status,
        "ethnicity_value": np.where(known, value, ""),
        "ethnicity_source": np.where(known, np.where(copied, "PAS", source), unknown_source),
        "ethnicity_date": day.astype("datetime64[D]"),
    }


def language_recordings(contacts: pd.DataFrame) -> dict[str, Array]:
    """Language, status and source at each contact."""
    known = known_here(contacts, "language")
    status = np.where(known, "known", gap_status(contacts, "language", plan.LANGUAGE_STATUS))
    return {
        "language_status": status,
        "language_value": np.where(known, contacts["language"], ""),
        "language_source": np.where(known, contacts["language_by"], ""),
    }


# --- Outcomes ---------------------------------------------------------------------------------------------


def belongs(records: pd.DataFrame, group: str) -> pd.Series:
    """Whether each row belongs to a planted group ("ethnicity K", "IMD deciles 1-2", ...)."""
    if group.startswith("ethnicity "):
        return records["ethnicity"] == group.removeprefix("ethnicity ")
    return {
        "IMD deciles 1-2": records["decile"].between(1, 2),
        "main language not English": records["language"] != "en",
    }[group]


def chance(records: pd.DataFrame, outcome: str) -> Array:
    """The planted chance of the outcome for each row: of its age, and what is added for its groups."""
    planted = plan.OUTCOMES[outcome]
    total = values_of(records["age_band"].to_numpy(), planted["by_age"])
    for group, added in planted["added"].items():
        total = total + added * belongs(records, group).to_numpy()
    return total


def outcomes(contacts: pd.DataFrame) -> dict[str, Array]:
    """Attendance of each contact; results and waits of each person on the contacts that hold them."""
    result: dict[str, Array] = {"attendance": attendance(contacts), "wait_days": waits(contacts)}
    result |= {f"{outcome}_chance": chance(contacts, outcome) for outcome in plan.OUTCOMES}
    forced = (contacts["number"] == contacts["forced"]).to_numpy()
    for outcome in plan.MEASURED:
        value = contacts["person"].map(results(contacts, outcome))
        shown = forced | (uniform(f"{outcome} shown", len(contacts)) < 0.5)
        result[outcome] = np.where(shown, value, "")
    return result


def results(contacts: pd.DataFrame, outcome: str) -> pd.Series:
    """Y, N or "" (never measured) of each person, indexed by person."""
    people = contacts.drop_duplicates("person").set_index("person").sort_index()
    measured = uniform(f"{outcome} measured", len(people)) < plan.MEASURED[outcome]
    core20 = belongs(people, "IMD deciles 1-2").astype(str)
    cells = (
        people["ethnicity"]
        + people["age_band"]
        + core20
        + pd.Series(measured, index=people.index).astype(str)
    )
    yes = uniform_within(outcome, cells) < chance(people, outcome)
    return pd.Series(np.where(measured, np.where(yes, "Y", "N"), ""), index=people.index)


def attendance(contacts: pd.DataFrame) -> Array:
    """NHS attended or did not attend code; "" for a referral, which nobody attends."""
    size = len(contacts)
    own_chance = chance(contacts, "did_not_attend") * contacts["uneven"].to_numpy()
    core20 = belongs(contacts, "IMD deciles 1-2")
    keys = contacts[["ethnicity", "age_band", "disability"]].assign(core20=core20).reset_index(drop=True)
    missed = (
        uniform_along("did_not_attend", keys[["ethnicity", "age_band", "core20", "disability"]]) < own_chance
    )
    late = uniform("late", size) < plan.LATE
    held = np.where(missed, np.where(late, "7", "3"), np.where(late, "6", "5"))
    cancelled = draw("cancelled", plan.CANCELLED | {"": 1 - sum(plan.CANCELLED.values())}, size)
    return np.where(contacts["setting"] == "Referral", "", np.where(cancelled == "", held, cancelled))


def waits(contacts: pd.DataFrame) -> Array:
    """Days from referral to first appointment as text, on the referral; "" on every other contact."""
    one, two = uniform("wait one", plan.PEOPLE), uniform("wait two", plan.PEOPLE)
    drawn = -np.log((1 - one) * (1 - two)) * plan.WAIT_MEAN / 2  # Erlang of order two: skewed, mean WAIT_MEAN
    total = drawn[contacts["person"].to_numpy()]
    for group, added in plan.WAIT_ADDED.items():
        total = total + added * belongs(contacts, group).to_numpy()
    text = np.minimum(total, plan.WAIT_MOST).astype(int).astype(str)
    return np.where(contacts["setting"] == "Referral", text, "")


# --- The text of the file ---------------------------------------------------------------------------------


def date_text(dates: Array, form: Array) -> Array:
    """Dates as text in the form named for each; no form depends on the machine's language."""
    stamps = pd.Series(np.asarray(dates, dtype="datetime64[D]").astype("datetime64[s]"))
    year = stamps.dt.year.astype(str)
    month, day = (part.astype(str).str.zfill(2) for part in (stamps.dt.month, stamps.dt.day))
    name = pd.Series(np.array(plan.MONTHS)[stamps.dt.month.to_numpy() - 1])
    serial = pd.Series((np.asarray(dates, dtype="datetime64[D]") - np.datetime64("1899-12-30")).astype(int))
    text = {
        "dd/mm/yyyy": day + "/" + month + "/" + year,
        "yyyy-mm-dd": year + "-" + month + "-" + day,
        "dd-Mon-yyyy": day + "-" + name + "-" + year,
        "Excel serial": serial.astype(str),
    }
    columns = [column.to_numpy(dtype=object) for column in text.values()]
    return np.select([form == each for each in text], columns)


def ethnicity_text(contacts: pd.DataFrame) -> Array:
    """What stands in the ethnicity column: code as typed, default code, word, or nothing."""
    form = draw_by("ethnicity text", contacts["ethnicity_status"].to_numpy(), plan.ETHNICITY_TEXT)
    letter = contacts["ethnicity_value"].to_numpy().astype(str)
    known = np.where(form == "lower", np.char.lower(letter), np.char.replace(form.astype(str), "@", letter))
    return np.where(contacts["ethnicity_status"] == "known", known, form)


def language_text(contacts: pd.DataFrame) -> Array:
    """What stands in the language column: code, code in capitals, name, word, or nothing."""
    form = draw_by("language text", contacts["language_status"].to_numpy(), plan.LANGUAGE_TEXT)
    code = contacts["language_value"].to_numpy().astype(str)
    name = values_of(code, plan.LANGUAGE_NAMES | {"": ""})
    known = np.select([form == "upper", form == "name"], [np.char.upper(code), name], code)
    return np.where(contacts["language_status"] == "known", known, form)


def write_out(contacts: pd.DataFrame) -> pd.DataFrame:
    """Every contact as the text of its columns, clean rows only, in the order of COLUMNS."""
    size = len(contacts)
    text = pd.DataFrame(index=contacts.index)
    text["patient_id"] = contacts["pseudonym"]
    text["contact_id"] = contact_ids(np.arange(size))
    text["contact_date"] = date_text(contacts["date"].to_numpy(), draw("date text", plan.DATE_TEXT, size))
    text["ethnic_category"], text["preferred_language"] = ethnicity_text(contacts), language_text(contacts)
    dated = contacts["ethnicity_status"].isin(["known", "declined"])
    day = date_text(contacts["ethnicity_date"].to_numpy(), np.full(size, "dd/mm/yyyy", dtype=object))
    text["ethnicity_recorded_date"] = np.where(dated, day, "")
    born = date_text(contacts["born"].to_numpy(), draw("birth date text", plan.BIRTH_DATE_TEXT, size))
    text["birth_date"] = np.where(contacts["no_birth_date"], "", born)
    may_lack = contacts["number"] != contacts["forced"]
    for name in (*plan.KNOWN_SHARE, "lsoa"):
        left_out = may_lack & (uniform(f"{name} blank", size) < plan.BLANK_RECORD)
        text[name] = np.where(left_out, "", contacts[name])
    text["test_patient"] = "N"
    as_they_are = [name for name in plan.COLUMNS if name not in text]
    return text.assign(**{name: contacts[name] for name in as_they_are})[list(plan.COLUMNS)]


def contact_ids(numbers: Array) -> Array:
    """C and seven digits for each number."""
    return ("C" + pd.Series(numbers).astype(str).str.zfill(7)).to_numpy(dtype=object)


def lines_of(text: pd.DataFrame) -> pd.Series:
    """One line of the file per row: comma between, quoted where a value holds a comma."""
    columns = [text[name].astype(str) for name in text]
    quoted = [column.where(~column.str.contains(",", regex=False), '"' + column + '"') for column in columns]
    return quoted[0].str.cat(pd.concat(quoted[1:], axis=1), sep=",")


def make_dirt(text: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Further rows by kind. Each kind starts from clean rows drawn at random, and no row is of two kinds."""
    kinds = plan.DIRT
    drawn = {
        kind: uniform(f"{kind} rows", len(text)).argsort(kind="stable")[:size] for kind, size in kinds.items()
    }
    dirt = {kind: text.iloc[rows].reset_index(drop=True) for kind, rows in drawn.items()}
    starts = dict(zip(kinds, np.cumsum([9_000_000, *kinds.values()]), strict=False))
    for kind, frame in dirt.items():
        if kind != "duplicate":
            frame["contact_id"] = contact_ids(starts[kind] + np.arange(len(frame)))
    unusable = draw("unusable date", plan.UNUSABLE_DATES, kinds["no_usable_date"])
    dirt["no_usable_date"]["contact_date"] = unusable
    dirt["no_person"]["patient_id"] = draw("no person", plan.NO_PERSON, kinds["no_person"])
    for kind in ("out_of_period", "out_of_period_only"):
        dirt[kind]["contact_date"] = days_outside(kind, kinds[kind])
    strangers, tests = np.arange(kinds["out_of_period_only"]), np.arange(kinds["test_patient"]) // 3
    dirt["out_of_period_only"]["patient_id"] = pseudonyms(plan.PEOPLE + strangers)
    dirt["test_patient"]["patient_id"] = pseudonyms(2 * plan.PEOPLE + tests)
    dirt["test_patient"]["test_patient"] = "Y"
    return dirt


def days_outside(topic: str, size: int) -> Array:
    """Days of the two months before or the month after the period, as text."""
    before = plan.FIRST_DAY - 1 - (uniform(f"{topic} before", size) * 60).astype(int)
    after = plan.LAST_DAY + 1 + (uniform(f"{topic} after", size) * 30).astype(int)
    day = np.where(uniform(f"{topic} side", size) < 0.6, before, after)
    return date_text(day, np.full(size, "dd/mm/yyyy", dtype=object))


def ragged_lines(rows: pd.DataFrame) -> pd.Series:
    """Damaged lines: one cut off after twelve values, the others with one value too many."""
    lines = lines_of(rows)
    whole = lines.str.replace('"', "", regex=False)  # the quotes are lost, so a comma may split a value
    cut = lines_of(rows[list(plan.COLUMNS[:12])])
    return pd.Series([cut.iloc[0], *(whole.iloc[1:] + ",see notes")])


def lay_out(text: pd.DataFrame, dirt: Mapping[str, pd.DataFrame]) -> bytes:
    """The file: titles, header, rows with the dirt among them, a total; UTF-8 with a byte order mark."""
    extra = {kind: ragged_lines(rows) if kind == "ragged" else lines_of(rows) for kind, rows in dirt.items()}
    lines = pd.concat([lines_of(text), *extra.values()], ignore_index=True)
    size = len(lines) - len(text)
    place = np.concatenate([np.arange(len(text), dtype=float), uniform("place of dirt", size) * len(text)])
    body = lines.iloc[place.argsort(kind="stable")]
    total = f"Total,{len(body)}" + "," * (len(plan.COLUMNS) - 2)
    whole = [*plan.TITLES, ",".join(plan.COLUMNS), *body, total, ""]
    return "\n".join(whole).encode("utf-8-sig")


# --- The whole --------------------------------------------------------------------------------------------


def make_sample() -> tuple[bytes, dict[str, Any]]:
    """The bytes of contacts.csv, and the truths about it."""
    people = make_people()
    contacts = make_contacts(people)
    text = write_out(contacts)
    return lay_out(text, make_dirt(text)), truths.summarise(people, contacts)


def main() -> None:
    """Write both files into a folder, the sample's own by default."""
    parser = argparse.ArgumentParser(description="Write the synthetic sample extract and its planted truths.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write into")
    folder: Path = parser.parse_args().out
    extract, found = make_sample()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "contacts.csv").write_bytes(extract)
    (folder / "planted_truths.json").write_bytes((json.dumps(found, indent=1) + "\n").encode())
    print(
        f"{folder / 'contacts.csv'}: {found['file']['rows_used']['value']:,} contacts, {len(extract):,} bytes"
    )


if __name__ == "__main__":
    main()
