"""The shipped sample: it is synthetic on its face, made again to the byte, and holds what its truths say.

Everything is counted here a second time in plain Python from the text of the file (csv module, no pandas, and
nothing of equitydata), under the reading that `planted_truths.json` itself describes.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import math
import re
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from statistics import mean, median
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_data"
SHARED = ROOT.parent / "shared"
PERIOD = (date(2025, 4, 1), date(2026, 3, 31))
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LETTERS = set("ABCDEFGHJKLMNPRS")


@dataclass(frozen=True)
class Contact:
    """One row that is used, as read by this test."""

    row: dict[str, str]
    day: date
    ethnicity: str  # a letter, or "" where not known
    ethnicity_status: str
    language_status: str

    @property
    def person(self) -> str:
        return self.row["patient_id"]

    @property
    def self_reported(self) -> bool:
        return self.row["ethnicity_source"] == "PATIENT"


@dataclass(frozen=True)
class Reading:
    """The whole file as read by this test."""

    titles: list[list[str]]
    header: list[str]
    kinds: Counter[str]
    contacts: list[Contact]


def read_day(text: str) -> date | None:
    """A day in any of the four forms of the sample; None where it is no day."""
    try:
        if re.fullmatch(r"\d{2}/\d{2}/\d{4}", text):
            return date(int(text[6:]), int(text[3:5]), int(text[:2]))
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return date.fromisoformat(text)
        if re.fullmatch(r"\d{2}-[A-Z][a-z]{2}-\d{4}", text):
            return date(int(text[7:]), MONTHS.index(text[3:6]) + 1, int(text[:2]))
    except ValueError:
        return None
    return date(1899, 12, 30) + timedelta(days=int(text)) if re.fullmatch(r"\d{5}", text) else None


def read_ethnicity(text: str) -> tuple[str, str]:
    """Letter and status of what stands in the ethnicity column."""
    code = text.strip().upper()
    if code == "":
        return "", "missing"
    if code == "NULL":
        return "", "null"
    if code in {"99", "NOT RECORDED"}:
        return "", "not_known"
    if len(code) > 2 or code[0] not in LETTERS | {"Z"}:
        return "", "invalid"
    return ("", "declined") if code[0] == "Z" else (code[0], "known")


def read_language(text: str, known: set[str]) -> str:
    """Status of what stands in the language column."""
    word = text.strip().lower()
    if word == "":
        return "missing"
    if word in {"und", "unknown", "not recorded"}:
        return "not_known"
    return "known" if word in known else "invalid"


def kind_of(values: list[str], header: list[str], seen: set[tuple[str, ...]]) -> str:
    """Which of the kinds of rows of the truths this line is."""
    if len(values) != len(header):
        return "ragged_lines"
    row = dict(zip(header, values, strict=True))
    if row["patient_id"] == "Total":
        return "total_rows"
    if not row["patient_id"].strip():
        return "rows_without_person"
    if row["test_patient"] == "Y":
        return "test_rows"
    day = read_day(row["contact_date"])
    if day is None:
        return "rows_without_usable_date"
    if not PERIOD[0] <= day <= PERIOD[1]:
        return "rows_out_of_period"
    return "duplicate_rows" if tuple(values) in seen else "rows_used"


@cache
def truths() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLE / "planted_truths.json").read_text(encoding="utf-8"))
    return found


@cache
def sample() -> Reading:
    text = (SAMPLE / "contacts.csv").read_bytes().decode("utf-8-sig")
    lines = list(csv.reader(io.StringIO(text)))
    above = truths()["file"]["title_lines"]["value"]
    header, kinds, contacts = lines[above], Counter[str](), []
    languages = {*truths()["reading"]["language_codes"], *truths()["reading"]["language_names"]}
    seen: set[tuple[str, ...]] = set()
    for values in lines[above + 1 :]:
        kind = kind_of(values, header, seen)
        kinds[kind] += 1
        if kind == "rows_used":
            seen.add(tuple(values))
            row = dict(zip(header, values, strict=True))
            day = read_day(row["contact_date"])
            assert day is not None
            spoken = read_language(row["preferred_language"], languages)
            contacts.append(Contact(row, day, *read_ethnicity(row["ethnic_category"]), spoken))
    return Reading(lines[:above], header, kinds, contacts)


def by_person(contacts: list[Contact]) -> dict[str, list[Contact]]:
    people = defaultdict(list)
    for contact in contacts:
        people[contact.person].append(contact)
    return people


def value(*path: str) -> Any:
    """A fact of the truths."""
    found = truths()
    for key in path:
        found = found[key]
    return found["value"]


def rows(*path: str) -> list[dict[str, Any]]:
    """The rows of a table of the truths."""
    found: Any = truths()
    for key in path:
        found = found[key]
    return list(found["rows"])


def known_people(item: str) -> set[str]:
    return {c.person for c in sample().contacts if getattr(c, f"{item}_status") == "known"}


def most_recent(contacts: list[Contact]) -> str:
    """The known letter of the latest day; "conflict" where it has two, "not known" where there is none."""
    known = [c for c in contacts if c.ethnicity]
    last = max((c.day for c in known), default=None)
    letters = {c.ethnicity for c in known if c.day == last}
    return "not known" if not letters else letters.pop() if len(letters) == 1 else "conflict"


def self_reported_first(contacts: list[Contact]) -> str:
    known = [c for c in contacts if c.ethnicity]
    return most_recent([c for c in known if c.self_reported] or known)


def chosen_by_person(rule: Any) -> dict[str, str]:
    return {person: rule(contacts) for person, contacts in by_person(sample().contacts).items()}


@cache
def plan() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sample_plan", SAMPLE / "plan.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- On its face ------------------------------------------------------------------------------------------


def test_every_file_says_that_it_is_synthetic() -> None:
    assert sample().titles[0][0].startswith("SYNTHETIC DATA - no real person")
    assert truths()["about"].startswith("SYNTHETIC DATA: no real person")
    for name in ("README.md", "service.toml", "make_sample.py"):
        assert "synthetic" in (SAMPLE / name).read_text(encoding="utf-8")[:400].lower(), name


def test_the_extract_is_small_and_begins_with_a_byte_order_mark() -> None:
    extract = (SAMPLE / "contacts.csv").read_bytes()
    assert extract.startswith(b"\xef\xbb\xbfSYNTHETIC")
    assert len(extract) < 8_000_000
    assert b"\r" not in extract and extract.endswith(b"\n")


def test_making_it_again_gives_the_same_bytes(tmp_path: Path) -> None:
    command = [sys.executable, "-B", str(SAMPLE / "make_sample.py"), "--out", str(tmp_path / "again")]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    for name in ("contacts.csv", "planted_truths.json"):
        assert (tmp_path / "again" / name).read_bytes() == (SAMPLE / name).read_bytes(), name


def test_making_it_needs_nothing_of_equitydata() -> None:
    for name in ("make_sample.py", "plan.py", "truths.py"):
        imported = re.findall(r"^(?:from|import) (\w+)", (SAMPLE / name).read_text(encoding="utf-8"), re.M)
        assert "equitydata" not in imported


# --- No identifiers ---------------------------------------------------------------------------------------


def is_nhs_number(digits: str) -> bool:
    """Ten digits whose last is right by modulus 11."""
    check = (11 - sum(int(d) * (10 - i) for i, d in enumerate(digits[:9])) % 11) % 11
    return len(digits) == 10 and check == int(digits[9])


def nhs_numbers(text: str) -> list[str]:
    runs = re.findall(r"(?<!\d)\d{3}[ -]?\d{3}[ -]?\d{4}(?!\d)", text)
    return [run for run in runs if is_nhs_number(re.sub(r"\D", "", run))]


def test_the_search_for_nhs_numbers_finds_a_made_up_one() -> None:
    # 999 is never issued; of the ten endings just one is right.
    found = [ending for ending in range(10) if nhs_numbers(f"a,999 000 001{ending},b")]
    assert found == [8]


def test_no_nhs_number_is_in_the_extract() -> None:
    assert nhs_numbers((SAMPLE / "contacts.csv").read_text(encoding="utf-8-sig")) == []


def test_no_value_looks_like_a_postcode_an_email_or_a_telephone_number() -> None:
    suspicious = re.compile(r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|.*@.*|(\+44|0)[\d ]{9,}", re.I)
    values = {text.strip() for contact in sample().contacts for text in contact.row.values()}
    assert suspicious.fullmatch("E6 1AA") and suspicious.fullmatch("020 7946 0000")  # the search can find
    assert sorted(text for text in values if suspicious.fullmatch(text)) == []


def test_people_are_pseudonyms_of_one_form() -> None:
    assert all(re.fullmatch(r"P[0-9A-F]{8}", person) for person in by_person(sample().contacts))


# --- Rows and people --------------------------------------------------------------------------------------


def test_every_line_is_of_the_kind_that_was_planted() -> None:
    kinds = sample().kinds
    planted = {kind: value("file", kind) for kind in kinds}
    assert dict(kinds) == planted
    assert sum(kinds.values()) == value("file", "rows")
    assert value("file", "rows_used") + value("file", "rows_rejected") == value("file", "rows")


def test_the_total_line_counts_the_lines_above_it() -> None:
    last = (SAMPLE / "contacts.csv").read_text(encoding="utf-8").splitlines()[-1].split(",")
    assert last[:2] == ["Total", str(value("file", "rows") - 1)]
    assert not any(last[2:])


def test_people_and_their_contacts_are_as_counted() -> None:
    seen = [len(contacts) for contacts in by_person(sample().contacts).values()]
    assert len(seen) == value("people", "people") == 12_000
    assert round(mean(seen), 6) == value("people", "mean_contacts")
    assert max(seen) == value("people", "most_contacts")
    assert seen.count(1) == value("people", "people_with_one_contact")
    assert median(seen) < mean(seen)  # skewed: most people have few


def test_no_record_number_stands_on_two_different_rows_that_are_used() -> None:
    numbers = Counter(contact.row["contact_id"] for contact in sample().contacts)
    assert max(numbers.values()) == 1


def test_everybody_is_an_adult_on_the_first_day() -> None:
    born = {read_day(c.row["birth_date"]) for c in sample().contacts if c.row["birth_date"]}
    assert None not in born
    assert max(day for day in born if day) <= date(2007, 4, 1)


# --- Completeness -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("item", ["ethnicity", "language"])
def test_known_people_and_record_statuses_are_as_counted(item: str) -> None:
    statuses = Counter(getattr(contact, f"{item}_status") for contact in sample().contacts)
    planted = dict(truths()["completeness"]["records_by_status"][item])
    planted.pop("definition")
    assert dict(statuses) == planted
    assert len(known_people(item)) == value("completeness", f"people_with_{item}")


def test_both_known_is_below_95_per_cent_and_the_shortfall_is_right() -> None:
    both = len(known_people("ethnicity") & known_people("language"))
    assert both == value("completeness", "people_with_both")
    assert round(both / 12_000, 6) == value("completeness", "share_with_both")
    assert 0.88 < both / 12_000 < 0.92
    assert math.ceil(0.95 * 12_000) - both == value("completeness", "people_needed_for_95")


def test_most_of_the_people_without_a_language_are_seen_at_the_two_worst_sites() -> None:
    worst = set(truths()["completeness"]["planted"]["worst_sites"])
    without = {c.person for c in sample().contacts} - known_people("language")
    there = {c.person for c in sample().contacts if c.row["site"] in worst} & without
    assert len(without) == value("completeness", "people_without_language")
    assert len(there) == value("completeness", "people_without_language_seen_at_worst_sites")
    assert len(there) > len(without) / 2


def test_each_site_has_the_people_and_known_values_that_were_counted() -> None:
    seen = defaultdict(set)
    for contact in sample().contacts:
        seen[contact.row["site"]].add(contact.person)
    known = {item: known_people(item) for item in ("ethnicity", "language")}
    for row in rows("completeness", "by_site_seen"):
        people = seen.pop(row["group"])
        assert len(people) == row["people"]
        assert len(people & known["ethnicity"]) == row["ethnicity_known"]
        assert len(people & known["language"]) == row["language_known"]
        assert len(people & known["ethnicity"] & known["language"]) == row["both_known"]
    assert not seen
    shares = {row["group"]: row["share_both"] for row in rows("completeness", "by_site_seen")}
    worst = sorted(shares, key=lambda site: shares[site])[:2]
    assert set(worst) == set(truths()["completeness"]["planted"]["worst_sites"])


def test_young_men_are_recorded_less_well_than_any_other_sex_and_age() -> None:
    shares = {row["group"]: row["share_both"] for row in rows("completeness", "by_sex_age")}
    assert min(shares, key=lambda group: shares[group]) == "male 18-34"
    assert shares["male 18-34"] < value("completeness", "share_with_both") - 0.08


UNKNOWN = {"", "NULL", "Unknown", "E99999999"}
NOT_KNOWN = {
    "gender": {"X"},
    "religion": {"M", "N"},
    "disability": {"ZZ"},
    "sexual_orientation": {"U", "Z", "9"},
    "marital_status": {"N", "9"},
    "employment_status": {"ZZ", "UU"},
    "overseas_visitor": {"9"},
}


def test_the_other_characteristics_are_known_of_the_people_counted() -> None:
    table = rows("other_characteristics", "people_known")
    for row in table:
        column = row["characteristic"]
        unknown = UNKNOWN | NOT_KNOWN.get(column, set())
        people = {c.person for c in sample().contacts if c.row[column] not in unknown}
        assert len(people) == row["people_known"], column
        assert abs(len(people) / 12_000 - row["planted"]) < 0.02, column
    assert {row["characteristic"] for row in table} >= {"religion", "lsoa", "birth_date", "mental_illness"}


# --- Self-report, repeats, one value per person -----------------------------------------------------------


def test_self_reported_shares_are_as_counted() -> None:
    known = [c for c in sample().contacts if c.ethnicity]
    people = {c.person for c in known}
    by_self = {c.person for c in known if c.self_reported}
    records = sum(c.self_reported for c in known) / len(known)
    assert round(records, 6) == value("self_report", "ethnicity", "share_of_known_records")
    assert round(len(by_self) / len(people), 6) == value("self_report", "ethnicity", "share_of_people_any")
    assert abs(len(by_self) / len(people) - 0.90) < 0.01


def test_repeat_recordings_and_agreement_are_as_counted() -> None:
    repeated = agreed = several = 0
    for contacts in by_person(sample().contacts).values():
        own = [c for c in contacts if c.ethnicity and c.row["ethnicity_source"] != "PAS"]
        if len({c.day for c in own}) >= 2 and len({c.row["setting"] for c in own}) >= 2:
            repeated += 1
            agreed += len({c.ethnicity for c in own}) == 1
        several += len({c.ethnicity for c in contacts if c.ethnicity}) > 1
    assert repeated == value("verification", "people_with_repeat_recordings")
    assert agreed == value("verification", "people_who_agree")
    assert several == value("verification", "people_with_several_values")
    assert 0.85 < agreed / repeated < 0.95


def test_minority_ethnic_groups_are_recorded_differently_more_often() -> None:
    agreement = {r["group"]: r["agree"] / r["people"] for r in rows("verification", "by_true_ethnicity")}
    assert agreement["A"] > agreement["K"] > agreement["C"]


@pytest.mark.parametrize(
    ("rule", "column"), [(most_recent, "most_recent_known"), (self_reported_first, "self_reported_first")]
)
def test_one_value_per_person_gives_the_groups_counted(rule: Any, column: str) -> None:
    counts = Counter(chosen_by_person(rule).values())
    counts.pop("not known")
    planted = {row["group"]: row[column] for row in rows("one_value_per_person", "by_group")}
    assert dict(counts) == planted
    assert counts["conflict"] == value("one_value_per_person", "people_in_conflict") == 14


def test_the_residual_rule_changes_the_people_counted() -> None:
    parents = ["ABC", "DEFG", "HJKL", "MNP"]
    residual = {letter: parent[-1] for parent in parents for letter in parent[:-1]}
    changed, after = 0, Counter[str]()
    for contacts in by_person(sample().contacts).values():
        letters = {c.ethnicity for c in contacts if c.ethnicity}
        before = settled = self_reported_first(contacts)
        if len(letters) == 2:
            specific = [x for x in letters if letters - {x} <= {"S", residual.get(x, "S")} and x != "S"]
            settled = specific[0] if specific else before
        changed += settled != before
        after[settled] += 1
    after.pop("not known")
    assert changed == value("one_value_per_person", "people_changed_by_override")
    counted = rows("one_value_per_person", "by_group")
    assert dict(after) == {row["group"]: row["self_reported_first_then_override"] for row in counted}


# --- Whom the service sees --------------------------------------------------------------------------------


def test_recorded_composition_is_near_the_planted_one() -> None:
    counts = Counter(chosen_by_person(most_recent).values())
    known = sum(counts[letter] for letter in LETTERS)
    for row in rows("representation", "by_true_ethnicity"):
        assert abs(counts[row["group"]] / known - row["planted_share"]) < 0.02, row["group"]


def test_bangladeshi_women_are_few_and_indian_people_many() -> None:
    sexes = {row["group"]: row for row in rows("representation", "by_true_ethnicity_and_sex")}
    assert 0.50 < sexes["K"]["women"] / sexes["K"]["men"] < 0.60
    ratio = {row["group"]: row["ratio"] for row in rows("representation", "by_true_ethnicity")}
    assert ratio["H"] > 1.2 and ratio["K"] < 0.85
    recorded = Counter(
        (group, contacts[0].row["gender"])
        for contacts in by_person(sample().contacts).values()
        if (group := most_recent(contacts)) == "K"
    )
    assert recorded["K", "2"] < 0.7 * recorded["K", "1"]


# --- Outcomes ---------------------------------------------------------------------------------------------


def counted_outcome(name: str) -> dict[str, tuple[int, int]]:
    """Denominator and numerator by most recent known ethnic group."""
    groups = chosen_by_person(most_recent)
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    if name == "did_not_attend":
        units = [
            (c.person, c.row["attendance"] in {"3", "7"})
            for c in sample().contacts
            if c.row["attendance"] in {"5", "6", "3", "7"}
        ]
    else:
        units = list({(c.person, c.row[name] == "Y") for c in sample().contacts if c.row[name]})
    for person, met in units:
        counts[groups[person]][0] += 1
        counts[groups[person]][1] += met
    return {group: (each[0], each[1]) for group, each in counts.items()}


@pytest.mark.parametrize("name", ["did_not_attend", "hba1c_controlled", "retinal_screening_done"])
def test_outcomes_by_recorded_group_are_as_counted(name: str) -> None:
    counted = rows("outcomes", name, "tables", "most_recent_known")
    assert counted_outcome(name) == {r["group"]: (r["denominator"], r["numerator"]) for r in counted}
    for row in counted:
        assert row["rate"] == pytest.approx(row["numerator"] / row["denominator"], abs=1e-6)


@pytest.mark.parametrize("name", ["hba1c_controlled", "retinal_screening_done"])
def test_a_result_never_differs_within_a_person(name: str) -> None:
    results = defaultdict(set)
    for contact in sample().contacts:
        results[contact.person].update({contact.row[name]} - {""})
    assert max(len(found) for found in results.values()) == 1


@pytest.mark.parametrize(
    ("name", "table", "group", "least", "most"),
    [
        ("hba1c_controlled", "ethnicity", "K", -0.14, -0.07),
        ("hba1c_controlled", "ethnicity", "J", -0.09, -0.01),
        ("retinal_screening_done", "ethnicity", "N", -0.13, -0.04),
        ("retinal_screening_done", "deprivation", "IMD deciles 1-2", -0.10, -0.03),
        ("did_not_attend", "deprivation", "IMD deciles 1-2", 0.03, 0.07),
        ("did_not_attend", "ethnicity", "M", 0.005, 0.07),
    ],
)
def test_a_planted_difference_is_there_against_everybody_else(
    name: str, table: str, group: str, least: float, most: float
) -> None:
    counted = {
        r["group"]: (r["numerator"], r["denominator"]) for r in rows("outcomes", name, "tables", table)
    }
    met, size = counted.pop(group)
    rest = sum(m for m, _ in counted.values()) / sum(n for _, n in counted.values())
    assert least < met / size - rest < most


@pytest.mark.parametrize(("name", "rises"), [("hba1c_controlled", True), ("did_not_attend", False)])
def test_outcomes_depend_on_age(name: str, rises: bool) -> None:
    rates = [row["rate"] for row in rows("outcomes", name, "tables", "age_band")][:4]  # 80+ is small
    assert rates == sorted(rates, reverse=not rises)


def test_waits_stand_once_per_person_and_have_the_mean_counted() -> None:
    waits = [(c.person, int(c.row["wait_days"])) for c in sample().contacts if c.row["wait_days"]]
    assert len({person for person, _ in waits}) == len(waits)
    counted = rows("wait_days", "tables", "all")[0]
    assert (len(waits), sum(days for _, days in waits)) == (counted["denominator"], counted["total_days"])
    by_language = {row["group"]: row["mean"] for row in rows("wait_days", "tables", "english")}
    assert 6 < by_language["not English"] - by_language["English"] < 10


# --- The plan and the service file ------------------------------------------------------------------------


def shared_table(name: str) -> list[dict[str, str]]:
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"{name} is not beside the repository: the restated figures are NOT checked against it")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_restated_census_shares_are_the_published_counts() -> None:
    letters = "KRHJLNMPFEDGABCCCSS"  # of Census codes 1 to 19; 15, 16 fold to C and 18 to S
    folded = Counter[str]()
    for row in shared_table("reference-data/census2021_ts021_ethnic_group.csv"):
        if row["geography_code"] == "E09000025" and row["category_code"] != "0":
            folded[letters[int(row["category_code"]) - 1]] += int(row["count"])
    assert dict(folded) == plan().CENSUS_2021


def test_restated_deciles_are_the_published_ones() -> None:
    published = defaultdict(list)
    for row in shared_table("reference-data/imd2025_england_lsoa21.csv"):
        if row["ltla24_code"] == "E09000025":
            published[int(row["imd_decile"])].append(row["lsoa21_code"].removeprefix("E010"))
    restated = {decile: codes.split() for decile, codes in plan().NEWHAM_LSOA.items()}
    assert {decile: sorted(codes) for decile, codes in published.items()} == restated


def test_every_area_of_the_extract_is_of_the_plan() -> None:
    tables = [*plan().NEWHAM_LSOA.values(), *plan().OUTSIDE_LSOA.values()]
    known = {f"E010{code}" for codes in tables for code in codes.split()}
    areas = {contact.row["lsoa"] for contact in sample().contacts}
    assert areas - known == UNKNOWN


def test_the_service_file_names_columns_that_are_there_and_sources_that_occur() -> None:
    service = tomllib.loads((SAMPLE / "service.toml").read_text(encoding="utf-8"))
    extract = service["extract"]
    assert (SAMPLE / extract["path"]).is_file()
    columns = {extract[key] for key in ("person", "date", "record", "point_of_care", "site")}
    columns |= {condition["column"] for condition in extract["exclude"]}
    for settings in service["characteristics"].values():
        columns.add(settings["column"])
        columns.add(settings.get("source", settings)["column"])
    for measure in service["measures"].values():
        columns |= {measure[part]["column"] for part in ("numerator", "denominator") if part in measure}
        columns |= {measure["value"]} if "value" in measure else set()
    assert columns <= set(sample().header)
    words = service["characteristics"]["ethnicity"]["source"]
    said = {contact.row["ethnicity_source"] for contact in sample().contacts} - {""}
    assert said == {*words["self_reported"], *words["proxy"], *words["priority"]}


def test_attestations_are_of_attested_service_criteria_and_one_has_lapsed() -> None:
    attested = {
        row["criterion_id"]
        for row in shared_table("criteria.csv")
        if row["level"] == "service" and row["evidence_type"] == "attested"
    }
    service = tomllib.loads((SAMPLE / "service.toml").read_text(encoding="utf-8"))
    claims = service["attestations"]
    assert set(claims) <= attested
    assert all("synthetic" in claim["evidence"] for claim in claims.values())
    lapsed = [name for name, claim in claims.items() if claim["date"] < date(2024, 3, 31)]
    assert lapsed == ["S-COPR-F4"]


def test_no_attestation_is_of_what_the_register_or_the_log_of_runs_shows() -> None:
    from equitydata.rulebook import RULES_FOLDER

    service = tomllib.loads((SAMPLE / "service.toml").read_text(encoding="utf-8"))
    rules = [
        tomllib.loads((RULES_FOLDER / name).read_text("utf-8")) for name in ("listening.toml", "history.toml")
    ]
    shown = {
        criterion for rule in rules for check in rule["checks"].values() for criterion in check["criteria"]
    }
    assert {"S-QUAL-F3", "S-ANAL-F3"} <= shown
    assert not shown & set(service["attestations"])


def test_the_service_file_is_read_by_the_package() -> None:
    from equitydata.service import load_service

    service = load_service(SAMPLE / "service.toml")
    assert service.service.area == ("E09000025",)
    assert {"ethnicity", "language", "sex", "birth_date", "geography"} <= set(service.characteristics)
