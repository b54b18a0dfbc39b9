"""The engine's counts equal a plain-Python count of generated records: blanks, ties, conflicts, all statuses."""

import random
from collections import Counter
from datetime import date, timedelta

import pandas as pd
import pytest

import equitydata as eq
from plain_count import (
    ETHNICITY,
    LANGUAGE,
    count_categories,
    count_statuses,
    count_steps,
    points_of_care,
    verification,
)

FIRST = date(2025, 4, 1)
POINTS = ["GP", "Clinic", "Ward"]
JOBS = {
    **dict.fromkeys(["01", "02", "08"], "known"),
    **{"ZZ": "declined", "": "missing", "no such code": "invalid"},
}
SAYS_MOST = ["missing", "invalid", "declined", "known"]


def generated(seed, *, rows=400, people=120):
    """Rows with all statuses, repeat persons, same-day conflicts and blanks; seeded."""
    chance = random.Random(seed)
    made = []
    for _ in range(rows):
        made.append(
            {
                "person": f"P{chance.randrange(people):03d}",
                "day": chance.randrange(8),
                "point": chance.choice(POINTS),
                "ethnic": chance.choice(list(ETHNICITY)),
                "origin": chance.choice(["PATIENT", "STAFF", "CARER", None]),
                "lang": chance.choice(list(LANGUAGE)),
            }
        )
    return made


def as_frame(rows):
    frame = pd.DataFrame(rows)
    return frame.assign(date=[(FIRST + timedelta(days=row["day"])).isoformat() for row in rows]).drop(
        columns="day"
    )


def service(**rules):
    return eq.make_service(
        {
            "service": {"name": "Generated"},
            "extract": {"person": "person", "date": "date", "point_of_care": "point"},
            "characteristics": {
                "ethnicity": {
                    "column": "ethnic",
                    "code_list": "nhs-ethnic-category-2001",
                    "source": {"column": "origin", "self_reported": ["PATIENT"], "proxy": ["CARER"]},
                },
                "language": {"column": "lang", "code_list": "nhs-language"},
            },
            "rules": rules,
        }
    )


def statuses(result, name, unit):
    table = result.statuses
    here = table[table["characteristic"] == name]
    return Counter({s: int(n) for s, n in zip(here["status"], here[unit], strict=True) if n})


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("self_first", [True, False])
@pytest.mark.parametrize("override", [True, False])
def test_one_value_per_person_is_the_plain_count(seed, self_first, override):
    rows = generated(seed)
    result = eq.analyse(service(self_reported_first=self_first, residual_override=override), as_frame(rows))
    rule = {"source": "origin", "override": override, "self_first": self_first}
    people, records, carried = count_statuses(rows, "ethnic", ETHNICITY, **rule)
    assert statuses(result, "ethnicity", "people") == people
    assert statuses(result, "ethnicity", "records") == records
    assert statuses(result, "ethnicity", "records_carried_back") == carried
    table = result.categories
    here = table[
        (table["characteristic"] == "ethnicity") & (table["level"] == "detailed") & (table["numerator"] > 0)
    ]
    found = Counter(dict(zip(here["category"], here["numerator"].astype(int), strict=True)))
    assert found == count_categories(rows, "ethnic", ETHNICITY, **rule)
    steps = result.table("steps").set_index(["characteristic", "step"])["changed"]
    for step in ("overridden", "conflict"):
        # A step that the rules leave out is not listed.
        assert steps.get(("ethnicity", step), 0) == count_steps(rows, "ethnic", ETHNICITY, step, **rule)


@pytest.mark.parametrize("seed", range(4))
def test_points_of_care_and_verification_are_the_plain_count(seed):
    rows = generated(seed, rows=300, people=60)
    result = eq.analyse(service(), as_frame(rows))
    for name, column, meaning in (("ethnicity", "ethnic", ETHNICITY), ("language", "lang", LANGUAGE)):
        points = result.table("points_of_care")
        here = points[points["characteristic"] == name].set_index("point_of_care")
        found = {p: (int(row["denominator"]), int(row["numerator"])) for p, row in here.iterrows()}
        assert found == points_of_care(rows, column, meaning)
        table = result.verification
        table = table[table["characteristic"] == name].set_index("measure")
        again, recorded, independent, detailed, grouped = verification(rows, column, meaning)
        assert (table.loc["repeated", "numerator"], table.loc["repeated", "denominator"]) == (recorded, again)
        assert table.loc["independent", "numerator"] == independent
        agreed = table.loc["agree_detailed"]
        assert (agreed["numerator"], agreed["denominator"]) == (detailed, independent)
        if name == "ethnicity":
            assert table.loc["agree_group", "numerator"] == grouped


def test_more_points_of_care_than_bits_are_counted_the_same():
    rows = generated(5, rows=600, people=80)
    chance = random.Random(7)
    for row in rows:
        row["point"] = f"Ward {chance.randrange(80):02d}"
    result = eq.analyse(service(), as_frame(rows))
    points = result.table("points_of_care")
    here = points[points["characteristic"] == "ethnicity"].set_index("point_of_care")
    found = {p: (int(row["denominator"]), int(row["numerator"])) for p, row in here.iterrows()}
    assert found == points_of_care(rows, "ethnic", ETHNICITY)
    table = result.verification
    table = table[table["characteristic"] == "ethnicity"].set_index("measure")
    assert table.loc["independent", "numerator"] == verification(rows, "ethnic", ETHNICITY)[2]


def test_people_resolved_in_parts_are_the_same_people(monkeypatch):
    frame = as_frame(generated(6))
    whole = eq.analyse(service(), frame)
    monkeypatch.setattr("equitydata.records.persons.SHARE_OF_MEMORY", 1e-5)
    assert eq.analyse(service(), frame).to_json() == whole.to_json()


def test_shares_of_statuses_add_up_to_everyone():
    rows = generated(1)
    result = eq.analyse(service(), as_frame(rows))
    totals = result.statuses.groupby("characteristic")[["people", "records"]].sum()
    assert (totals["people"] == len({row["person"] for row in rows})).all()
    assert (totals["records"] == len(rows)).all()


def test_the_order_of_rows_changes_nothing():
    frame = as_frame(generated(2))
    first = eq.analyse(service(), frame)
    second = eq.analyse(service(), frame.sample(frac=1, random_state=3))
    assert first.to_json() == second.to_json()


def test_the_input_is_never_changed():
    frame = as_frame(generated(3))
    before = frame.copy(deep=True)
    eq.analyse(service(), frame)
    pd.testing.assert_frame_equal(frame, before)


def test_the_source_of_the_chosen_value_is_told_under_either_rule():
    frame = pd.DataFrame(
        {
            "person": ["P1", "P1", "P2", "P2"],
            "date": ["2025-04-01", "2025-04-02", "2025-04-01", "2025-04-02"],
            "point": "GP",
            "ethnic": ["K", "A", "A", "H"],
            "origin": ["PATIENT", "STAFF", "STAFF", "PATIENT"],
            "lang": "en",
        }
    )

    def self_reported(**rules):
        from equitydata.records import counting

        seen = {}
        plain = counting.count_categories
        counting.count_categories = lambda *given: seen.setdefault("table", plain(*given))
        try:
            eq.analyse(service(**rules), frame)
        finally:
            counting.count_categories = plain
        table = seen["table"]
        here = table[table["characteristic"] == "ethnicity"]
        return dict(zip(here["category"], here["self_reported"], strict=True))

    assert self_reported(self_reported_first=True) == {"Bangladeshi": 1, "Indian": 1}
    assert self_reported(self_reported_first=False) == {"White British": 0, "Indian": 1}


@pytest.mark.parametrize("categories", [5, 60])
def test_a_field_of_few_or_of_many_categories_takes_the_most_recent_value(categories):
    chance = random.Random(categories)
    rows = [
        {
            "person": f"P{chance.randrange(80):02d}",
            "date": (FIRST + timedelta(days=number)).isoformat(),
            "age": str(20 + chance.randrange(categories)) if chance.random() < 0.8 else "",
            "job": chance.choice(["01", "02", "08", "ZZ", "", "no such code"]),
        }
        for number in range(300)
    ]
    settings = {
        "service": {"name": "Generated"},
        "extract": {"person": "person", "date": "date"},
        "characteristics": {
            "age": {"column": "age"},
            "employment": {"column": "job", "code_list": "employment-status"},
        },
    }
    result = eq.analyse(eq.make_service(settings), pd.DataFrame(rows))
    latest = {row["person"]: row["age"] for row in rows if row["age"]}
    table = result.categories
    here = table[
        (table["characteristic"] == "age") & (table["level"] == "detailed") & (table["numerator"] > 0)
    ]
    found = Counter(dict(zip(here["category"], here["numerator"].astype(int), strict=True)))
    assert found == Counter(latest.values())
    jobs = [{**row, "status": JOBS[row["job"]]} for row in rows]
    best = {}
    for row in jobs:
        best[row["person"]] = max(best.get(row["person"], "missing"), row["status"], key=SAYS_MOST.index)
    assert statuses(result, "employment", "people") == Counter(best.values())


def test_the_joint_share_counts_people_with_both():
    rows = generated(4)
    result = eq.analyse(service(), as_frame(rows))
    from plain_count import by_person, chosen

    both = sum(
        chosen(own, "ethnic", ETHNICITY, source="origin", override=True)[0] == "known"
        and chosen(own, "lang", LANGUAGE)[0] == "known"
        for own in by_person(rows).values()
    )
    assert result.figure("joint_known")["numerator"] == both


def test_most_frequent_known_takes_the_mode():
    frame = pd.DataFrame(
        {
            "person": ["P1"] * 4 + ["P2"] * 3,
            "date": [f"2025-04-0{day}" for day in (1, 2, 3, 4, 1, 2, 3)],
            "point": "GP",
            "ethnic": ["K", "K", "K", "A", "A", "99", "H"],
            "origin": None,
            "lang": "en",
        }
    )
    result = eq.analyse(service(person_rule="most_frequent_known"), frame)
    table = result.categories
    here = table[
        (table["characteristic"] == "ethnicity") & (table["numerator"] > 0) & (table["level"] == "detailed")
    ]
    # P1: Bangladeshi three times; P2: one each, so the more recent.
    assert dict(zip(here["category"], here["numerator"], strict=True)) == {"Bangladeshi": 1, "Indian": 1}


def test_source_priority_goes_before_the_date():
    by_source = service(person_rule="source_priority", self_reported_first=False)
    settings = by_source.model_dump(by_alias=True, exclude_none=True)
    settings["characteristics"]["ethnicity"]["source"]["priority"] = ["GP RECORD", "WARD"]
    settings["characteristics"]["language"]["source"] = {"column": "origin", "priority": ["GP RECORD"]}
    frame = pd.DataFrame(
        {
            "person": ["P1", "P1"],
            "date": ["2025-04-01", "2025-04-09"],
            "point": ["GP", "Ward"],
            "ethnic": ["K", "A"],
            "origin": ["GP RECORD", "WARD"],
            "lang": ["bn", "en"],
        }
    )
    result = eq.analyse(eq.make_service(settings), frame)
    table = result.categories
    here = table[(table["numerator"] > 0) & (table["level"] == "detailed")]
    assert set(here["category"]) == {"Bangladeshi", "Bengali"}


def test_people_below_the_age_of_an_item_are_not_applicable():
    content = service().model_dump(by_alias=True, exclude_none=True)
    content["characteristics"]["age"] = {"column": "age"}
    content["characteristics"]["sexual_orientation"] = {"column": "orientation"}
    frame = pd.DataFrame(
        {
            "person": ["P1", "P2", "P3"],
            "date": "2025-04-01",
            "point": "GP",
            "ethnic": "A",
            "origin": None,
            "lang": "en",
            "age": [15, 16, 40],
            "orientation": ["1", "1", None],
        }
    )
    result = eq.analyse(eq.make_service(content), frame)
    assert statuses(result, "sexual_orientation", "people") == {"not_applicable": 1, "known": 1, "missing": 1}
    known = result.completeness.set_index(["characteristic", "measure", "unit"]).loc[
        ("sexual_orientation", "known", "people")
    ]
    assert (known["numerator"], known["denominator"]) == (1, 2)


@pytest.mark.parametrize(
    "written",
    ["2025-04-09T10:00:01+00:00", "09/04/2025 10:22", "9 April 2025", "09-Apr-2025", "45756", "20250409"],
)
def test_a_contact_date_is_read_however_it_is_written(written):
    frame = pd.DataFrame(
        {
            "person": ["P1"],
            "date": [written],
            "point": ["GP"],
            "ethnic": ["A"],
            "origin": [None],
            "lang": ["en"],
        }
    )
    content = service().model_dump(by_alias=True, exclude_none=True)
    content["service"]["period"] = {"from": "2025-04-09", "to": "2025-04-09"}
    result = eq.analyse(eq.make_service(content), frame)
    assert result.intake.rows_used == 1, result.intake


def test_an_extract_of_which_no_row_can_be_used_is_refused_with_the_reasons():
    content = service().model_dump(by_alias=True, exclude_none=True)
    content["service"]["period"] = {"from": "2031-01-01", "to": "2031-12-31"}
    with pytest.raises(eq.InputError, match=r"None of the 400 rows can be used: 400 outside the period"):
        eq.analyse(eq.make_service(content), as_frame(generated(1)))


def test_constant_lists_and_joins_look_up_the_same(tmp_path, monkeypatch):
    path = tmp_path / "generated.parquet"
    as_frame(generated(8)).to_parquet(path)
    joined = eq.analyse(service(), str(path))
    monkeypatch.setattr("equitydata.records.coded.ROWS_FOR_LISTS", 1)
    assert eq.analyse(service(), str(path)).to_json() == joined.to_json()
