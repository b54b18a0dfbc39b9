"""What came of the plan: counts of the sample, from the arrays that it was made of.

Everything here is counted before the text of the file is written, so no reader of the file had a part in it.
Each number stands beside its definition. Rows are contacts in the period with a person, unless
said otherwise.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import plan

FIVE_GROUPS = {letter: group for group, letters in plan.FIVE_GROUPS.items() for letter in letters}
HELD, MISSED = ("5", "6", "3", "7"), ("3", "7")  # NHS attended or did not attend codes
OUTCOME_TABLES = {
    "ethnicity": "true ethnic group",
    "most_recent_known": "most recent known ethnic group",
    "sex": "true sex",
    "age_band": "age on 1 April 2025",
    "deprivation": "IMD 2025 decile",
    "english": "true main language",
}
CORE20_LABELS = {True: "IMD deciles 1-2", False: "IMD deciles 3-10"}


def summarise(people: pd.DataFrame, contacts: pd.DataFrame) -> dict[str, Any]:
    """All truths of the sample, ready for JSON. Neither table is changed."""
    people = people.assign(**labels(people), **known_people(people, contacts))
    contacts = contacts.assign(**labels(contacts))
    chosen = chosen_values(contacts)
    return {
        "about": "SYNTHETIC DATA: no real person. Planted figures and realised counts of contacts.csv.",
        "reading": plan.READING,
        "file": file_counts(contacts),
        "people": people_counts(people),
        "completeness": completeness(people, contacts),
        "self_report": {item: self_report(contacts, item) for item in ("ethnicity", "language")},
        "verification": verification(contacts),
        "one_value_per_person": one_value_per_person(people, chosen),
        "representation": representation(people),
        "outcomes": {name: outcome(contacts, chosen, name) for name in plan.OUTCOMES},
        "wait_days": wait(contacts),
        "other_characteristics": other_characteristics(people),
    }


# --- Small helpers ----------------------------------------------------------------------------------------


def fact(value: Any, definition: str) -> dict[str, Any]:
    """One number with its definition."""
    return {"value": round(value, 6) if isinstance(value, float) else value, "definition": definition}


def table(frame: pd.DataFrame, definition: str) -> dict[str, Any]:
    """The rows of a table with its definition; numbers to six places, None where there is none."""
    rounded = frame.round(6).astype(object)
    return {"definition": definition, "rows": rounded.where(frame.notna(), None).to_dict("records")}


def labels(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Columns to group by: deprivation, English or not, and sex with age band."""
    core20 = frame["decile"].between(1, 2).map(CORE20_LABELS)
    return {
        "deprivation": core20.where(frame["decile"] > 0, "no IMD decile"),
        "english": (frame["language"] == "en").map({True: "English", False: "not English"}),
        "sex_age": frame["sex"].map({"1": "male", "2": "female"}) + " " + frame["age_band"],
    }


def known_people(people: pd.DataFrame, contacts: pd.DataFrame) -> dict[str, pd.Series]:
    """Whether any record of the person holds a known ethnicity, a known language, and both."""
    known = {}
    for item in ("ethnicity", "language"):
        holders = contacts.loc[contacts[f"{item}_status"] == "known", "person"].unique()
        known[f"{item}_known"] = pd.Series(people.index.isin(holders), index=people.index)
    return known | {"both_known": known["ethnicity_known"] & known["language_known"]}


# --- Rows and people --------------------------------------------------------------------------------------


def file_counts(contacts: pd.DataFrame) -> dict[str, Any]:
    """Lines of the file by kind; every kind is apart from every other."""
    dirt = plan.DIRT
    rejected = sum(dirt.values()) + 1
    outside = dirt["out_of_period"] + dirt["out_of_period_only"]
    rows = len(contacts) + rejected
    return {
        "title_lines": fact(len(plan.TITLES), "Lines above the header."),
        "header_line": fact(len(plan.TITLES) + 1, "Line of the header, counted from 1."),
        "lines": fact(len(plan.TITLES) + 1 + rows, "All lines of the file."),
        "rows": fact(
            rows, "Lines after the header: rows used plus all rows rejected, the total row included."
        ),
        "rows_used": fact(len(contacts), "Contacts in the period with a person, each once."),
        "rows_rejected": fact(rejected, "Sum of the seven kinds below."),
        "duplicate_rows": fact(dirt["duplicate"], "Exact copies of a row that is used, beyond the first."),
        "rows_without_person": fact(dirt["no_person"], "patient_id is empty or white space."),
        "rows_without_usable_date": fact(
            dirt["no_usable_date"], "contact_date is empty or no day of any calendar."
        ),
        "rows_out_of_period": fact(
            outside, "contact_date is a day before 1 April 2025 or after 31 March 2026."
        ),
        "test_rows": fact(dirt["test_patient"], "test_patient is Y."),
        "ragged_lines": fact(dirt["ragged"], "Lines with fewer or more values than the header."),
        "total_rows": fact(1, "The last line: 'Total', a count, and empty values."),
    }


def people_counts(people: pd.DataFrame) -> dict[str, Any]:
    """How many people there are, and how often they were seen."""
    seen = people["contacts"]
    return {
        "people": fact(len(people), "Distinct patient_id of the rows used."),
        "people_only_out_of_period": fact(
            plan.DIRT["out_of_period_only"], "People all of whose rows are out of period."
        ),
        "test_people": fact(
            plan.DIRT["test_patient"] // 3, "Distinct patient_id of the test rows, three rows each."
        ),
        "mean_contacts": fact(float(seen.mean()), "Rows used / people."),
        "most_contacts": fact(int(seen.max()), "Most rows used of one person."),
        "people_with_one_contact": fact(int((seen == 1).sum()), "People with one row used."),
    }


# --- Completeness -----------------------------------------------------------------------------------------


def completeness(people: pd.DataFrame, contacts: pd.DataFrame) -> dict[str, Any]:
    """Known shares of people, by whom and where; statuses of records; what the 95% rule still needs."""
    never = {"definition": plan.NEVER_RECORDED_MEANS, "shares": plan.NEVER_RECORDED}
    groups = {
        "own_site": "People by the site where most of their contacts were planned.",
        "sex_age": "People by true sex and age on 1 April 2025.",
        "ethnicity": "People by true ethnic group.",
        "deprivation": "People by IMD 2025 decile of their LSOA.",
    }
    return {
        "planted": {**never, "worst_sites": plan.WORST_SITES},
        **known_shares(people),
        **shortfall(people, contacts),
        **{f"by_{column}": table(known_by(people, column), words) for column, words in groups.items()},
        "by_site_seen": table(known_by_site_seen(people, contacts), plan.SITE_SEEN_MEANS),
        "records_by_status": {item: statuses(contacts, item) for item in ("ethnicity", "language")},
    }


def shortfall(people: pd.DataFrame, contacts: pd.DataFrame) -> dict[str, Any]:
    """How many people lack what, and how many of them are of the worst sites."""
    total, both = len(people), int(people["both_known"].sum())
    needed = math.ceil(plan.THRESHOLD * total - 1e-9) - both
    gaps = people.loc[~people["both_known"]]
    no_language = gaps.loc[~gaps["language_known"]]
    of_worst, of_worst_language = (
        int(g["own_site"].isin(plan.WORST_SITES).sum()) for g in (gaps, no_language)
    )
    seen_worst = contacts.loc[contacts["site"].isin(plan.WORST_SITES), "person"]
    at_worst, at_worst_language = (int(g.index.isin(seen_worst).sum()) for g in (gaps, no_language))
    own, seen = (
        "Of these, people whose own site is one of the worst.",
        "Of these, people seen at one of the worst.",
    )
    return {
        "people_needed_for_95": fact(
            needed, "Fewest people with both that are 0.95 of all, less those there are."
        ),
        "people_without_both": fact(len(gaps), "People without both known."),
        "people_without_both_of_worst_sites": fact(of_worst, own),
        "people_without_both_seen_at_worst_sites": fact(at_worst, seen),
        "people_without_language": fact(len(no_language), "People without a known language."),
        "people_without_language_of_worst_sites": fact(of_worst_language, own),
        "people_without_language_seen_at_worst_sites": fact(at_worst_language, seen),
    }


def known_shares(people: pd.DataFrame) -> dict[str, Any]:
    """Counts and shares of people with ethnicity, language, and both known."""
    facts = {}
    named = {"ethnicity": "a known ethnic group", "language": "a known language", "both": "both"}
    for item, words in named.items():
        known = people[f"{item}_known"]
        facts[f"people_with_{item}"] = fact(
            int(known.sum()), f"People with {words} on any row used (most recent known)."
        )
        facts[f"share_with_{item}"] = fact(float(known.mean()), f"People with {words} / people.")
    return facts


def known_by(people: pd.DataFrame, column: str) -> pd.DataFrame:
    """One row per group: people, and those with ethnicity, language and both known."""
    items = ["ethnicity_known", "language_known", "both_known"]
    counts = people.groupby(column, sort=True)[items].agg("sum")
    counts.insert(0, "people", people.groupby(column, sort=True).size())
    counts["share_both"] = counts["both_known"] / counts["people"]
    return counts.reset_index().rename(columns={column: "group"})


def known_by_site_seen(people: pd.DataFrame, contacts: pd.DataFrame) -> pd.DataFrame:
    """One row per site: rows used there, people seen there, and what is known of them."""
    items = ["ethnicity_known", "language_known", "both_known"]
    seen = contacts[["person", "site"]].drop_duplicates().join(people[items], on="person")
    table = known_by(seen, "site")
    here = contacts.loc[contacts["ethnicity_status"] == "known"].groupby("site")["person"].nunique()
    table.insert(1, "records", table["group"].map(contacts.groupby("site").size()))
    return table.assign(ethnicity_known_there=table["group"].map(here))


def statuses(contacts: pd.DataFrame, item: str) -> dict[str, Any]:
    """Rows used by the status of one item."""
    counts = contacts[f"{item}_status"].value_counts().sort_index()
    return {
        "definition": f"Rows used by status of {item}; see reading.",
        **{str(k): int(v) for k, v in counts.items()},
    }


# --- Who said it, and how surely --------------------------------------------------------------------------


def self_report(contacts: pd.DataFrame, item: str) -> dict[str, Any]:
    """Who gave the known values, by record and by person."""
    known = contacts.loc[contacts[f"{item}_status"] == "known"]
    by_self = known[f"{item}_source"] == "PATIENT"
    sources = known[f"{item}_source"].replace("", "blank").value_counts().sort_index()
    anyone = by_self.groupby(known["person"]).any()
    latest = known.loc[known.groupby("person")["date"].transform("max") == known["date"]]
    last = (latest[f"{item}_source"] == "PATIENT").groupby(latest["person"]).any()
    return {
        "planted_share_of_people": plan.SELF_REPORTED,
        "known_records_by_source": {
            "definition": f"Rows used with a known {item}, by source.",
            **{str(source): int(count) for source, count in sources.items()},
        },
        "share_of_known_records": fact(float(by_self.mean()), "Known rows with source PATIENT / known rows."),
        "share_of_people_any": fact(
            float(anyone.mean()), "People with a known row with source PATIENT / people known."
        ),
        "share_of_people_latest": fact(
            float(last.mean()),
            "People whose latest known row (by contact_date) has source PATIENT / people known.",
        ),
    }


def verification(contacts: pd.DataFrame) -> dict[str, Any]:
    """Repeat recordings of ethnicity at different points of care, and whether they agree."""
    settings = contacts.groupby("person")["setting"].nunique()
    known = contacts.loc[contacts["ethnicity_status"] == "known"]
    own = known.loc[known["ethnicity_source"] != "PAS"]
    own = own.assign(recorded_five=own["ethnicity_value"].map(FIVE_GROUPS))
    counted = own.groupby("person")[["date", "setting", "ethnicity_value", "recorded_five"]].nunique()
    repeats = counted.assign(ethnicity=own.groupby("person")["ethnicity"].first())
    repeats = repeats.loc[(repeats["date"] >= 2) & (repeats["setting"] >= 2)]
    repeats = repeats.assign(agree=repeats["ethnicity_value"] == 1, agree_five=repeats["recorded_five"] == 1)
    groups = repeats.groupby("ethnicity").agg(
        people=("agree", "size"), agree=("agree", "sum"), agree_five=("agree_five", "sum")
    )
    values = known.groupby("person")["ethnicity_value"].nunique()
    return {
        "planted_share_recorded_otherwise": {"definition": plan.DISAGREEING_MEANS, **plan.DISAGREEING},
        "people_at_two_settings": fact(
            int((settings >= 2).sum()), "People with rows used in two or more settings."
        ),
        "people_with_repeat_recordings": fact(len(repeats), plan.REPEAT_MEANS),
        "people_who_agree": fact(
            int(repeats["agree"].sum()), "Of these, people with one letter on all such rows."
        ),
        "people_who_agree_on_five_groups": fact(
            int(repeats["agree_five"].sum()),
            "Of these, people with one of the five groups (2021 parents) on all such rows.",
        ),
        "people_with_several_values": fact(
            int((values > 1).sum()), "People with two or more letters on known rows."
        ),
        "by_true_ethnicity": table(
            groups.reset_index().rename(columns={"ethnicity": "group"}), "The same by true group."
        ),
    }


# --- One value per person ---------------------------------------------------------------------------------


def chosen_values(contacts: pd.DataFrame) -> pd.DataFrame:
    """One row per person with a known ethnicity: the value chosen by each of four rules."""
    known = contacts.loc[contacts["ethnicity_status"] == "known"]
    said = known["ethnicity_source"] == "PATIENT"
    best = known.loc[said | ~said.groupby(known["person"]).transform("any")]
    letters = known.groupby("person")["ethnicity_value"].agg(["nunique", "min", "max"])
    pair = (letters["min"] + letters["max"]).where(letters["nunique"] == 2)
    override = pair.map(plan.OVERRIDE)
    chosen = pd.DataFrame(
        {"most_recent_known": latest(known, "date"), "self_reported_first": latest(best, "date")}
    )
    by_day_recorded = latest(best, "ethnicity_date")
    chosen["self_reported_first_then_override"] = override.fillna(chosen["self_reported_first"])
    chosen["same_by_recorded_date"] = override.fillna(by_day_recorded)
    return chosen


def latest(known: pd.DataFrame, day: str) -> pd.Series:
    """The value of each person's latest day; "conflict" where that day has two."""
    at_last = known.loc[known.groupby("person")[day].transform("max") == known[day]]
    values = at_last.groupby("person")["ethnicity_value"].agg(["first", "nunique"])
    return values["first"].where(values["nunique"] == 1, "conflict")


def one_value_per_person(people: pd.DataFrame, chosen: pd.DataFrame) -> dict[str, Any]:
    """How many people each rule puts in each group, beside the true group of everybody and of those known."""
    counts = pd.DataFrame({"true": people["ethnicity"].value_counts()})
    counts["true_of_known"] = people.loc[people["ethnicity_known"], "ethnicity"].value_counts()
    for rule in chosen:
        counts = counts.join(chosen[rule].value_counts().to_frame(str(rule)), how="outer")
    changed = chosen["self_reported_first"] != chosen["self_reported_first_then_override"]
    return {
        "by_group": table(counts.fillna(0).astype(int).rename_axis("group").reset_index(), plan.RULES_MEAN),
        "people_in_conflict": fact(
            int((chosen["most_recent_known"] == "conflict").sum()),
            "People with two letters on their latest known day, both by themselves, and nothing else known.",
        ),
        "people_changed_by_override": fact(
            int(changed.sum()), "People whose value self_reported_first differs after override."
        ),
    }


# --- Whom the service sees, and what comes of it ----------------------------------------------------------


def representation(people: pd.DataFrame) -> dict[str, Any]:
    """People by true ethnic group and sex beside Census 2021, and what was planted."""
    census = pd.Series(plan.CENSUS_2021)
    groups = pd.DataFrame({"people": people["ethnicity"].value_counts(), "census_2021": census})
    groups["share_of_people"] = groups["people"] / len(people)
    groups["census_share"] = census / census.sum()
    weight = pd.Series(plan.COMPOSITION)
    groups["planted_share"] = (weight / weight.sum()).groupby(weight.index.str[0]).sum()
    groups["ratio"] = groups["share_of_people"] / groups["census_share"]
    sexes = people.groupby(["ethnicity", "sex"]).size().unstack("sex")
    sexes.columns = ["men", "women"]
    planted = [
        {"ethnicity": letter, "sex": sex, "times_as_often_seen": times}
        for (letter, sex), times in plan.SEEN_MORE_OR_LESS.items()
    ]
    return {
        "planted": {"definition": plan.SEEN_MEANS, "rows": planted},
        "by_true_ethnicity": table(
            groups.rename_axis("group").reset_index(),
            "People by true group; Census 2021 TS021, Newham, all ages, folded.",
        ),
        "by_true_ethnicity_and_sex": table(
            sexes.rename_axis("group").reset_index(), "People by true group and sex."
        ),
        "by_age_band": table(
            people.groupby("age_band").size().rename("people").reset_index(), "Age on 1 April 2025."
        ),
        "by_deprivation": table(
            people.groupby("deprivation").size().rename("people").reset_index(), "IMD 2025 decile of LSOA."
        ),
    }


def outcome(contacts: pd.DataFrame, chosen: pd.DataFrame, name: str) -> dict[str, Any]:
    """One outcome: what was planted, and counts by true and by recorded group."""
    if plan.OUTCOMES[name]["counts"] == "contacts":
        units = contacts.loc[contacts["attendance"].isin(HELD)]
        units = units.assign(met=units["attendance"].isin(MISSED))
        counted = "Rows used with attendance 5, 6, 3 or 7; met where it is 3 or 7."
    else:
        units = contacts.loc[contacts[name] != ""].drop_duplicates("person")
        units = units.assign(met=units[name] == "Y")
        counted = f"People with {name} Y or N on any row used (always the same of a person); met where Y."
    units = units.join(chosen["most_recent_known"], on="person").fillna({"most_recent_known": "not known"})
    return {
        "planted": {"definition": plan.OUTCOME_MEANS, **plan.OUTCOMES[name]},
        "counted": counted,
        "overall": rates(units.assign(all="all"), "all", name).to_dict("records")[0],
        "tables": {
            column: table(rates(units, column, name), f"{counted} By {words}.")
            for column, words in OUTCOME_TABLES.items()
        },
    }


def rates(units: pd.DataFrame, column: str, name: str) -> pd.DataFrame:
    """One row per group: denominator, numerator, rate, and the mean planted chance."""
    grouped = units.groupby(column, sort=True)
    counts = grouped["met"].agg(["size", "sum"]).set_axis(["denominator", "numerator"], axis=1)
    counts["rate"] = counts["numerator"] / counts["denominator"]
    counts["planted_rate"] = grouped[f"{name}_chance"].mean()
    return counts.round(6).reset_index().rename(columns={column: "group"})


def wait(contacts: pd.DataFrame) -> dict[str, Any]:
    """Days from referral to first appointment, by true language and ethnic group."""
    units = contacts.loc[contacts["wait_days"] != ""]
    units = units.assign(all="all", days=units["wait_days"].astype(int))
    counted = "Rows used with wait_days (the referral: one per person at most)."
    groups = {"all": "everybody", "english": "true main language", "ethnicity": "true ethnic group"}
    tables = {}
    for column, words in groups.items():
        summary = units.groupby(column)["days"].agg(["size", "sum", "mean", "median"]).rename_axis("group")
        summary = summary.set_axis(["denominator", "total_days", "mean", "median"], axis=1)
        tables[column] = table(summary.reset_index(), f"{counted} By {words}.")
    planted = {"definition": plan.WAIT_MEANS, "mean": plan.WAIT_MEAN, "added": plan.WAIT_ADDED}
    return {"planted": planted, "tables": tables}


def other_characteristics(people: pd.DataFrame) -> dict[str, Any]:
    """How many people each other characteristic is known of."""
    known = {name: ~people[name].isin(list(plan.NOT_KNOWN[name])) for name in plan.KNOWN_SHARE}
    known |= {"birth_date": ~people["no_birth_date"], "lsoa": people["area"] != "filler"}
    planted = plan.KNOWN_SHARE | {
        "birth_date": 1 - plan.NO_BIRTH_DATE,
        "lsoa": 1 - plan.AREA_SHARES["filler"],
    }
    counts = pd.DataFrame({"planted": planted, "people_known": pd.DataFrame(known).sum()})
    counts = counts.loc[list(planted)].rename_axis("characteristic").reset_index()
    return {"people_known": table(counts, plan.OTHERS_MEAN)}
