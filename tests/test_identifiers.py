"""Columns that look like direct identifiers are named, and nothing of what they hold."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import nhs_number
import pandas as pd
import pytest

from equitydata.records.engine import Engine, open_engine
from equitydata.records.extract import open_extract
from equitydata.records.identifiers import header_tokens, kinds_by_header, scan_identifiers

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture
def engine() -> Iterator[Engine]:
    with open_engine(threads=1, memory_limit="500MB") as opened:
        yield opened


def scan(engine: Engine, **columns: list[object]) -> dict[str, dict[str, str]]:
    """Column -> kind -> evidence."""
    found = scan_identifiers(open_extract(pd.DataFrame(columns), engine=engine))
    assert list(found.columns) == ["column", "kind", "evidence", "share"]
    shown: dict[str, dict[str, str]] = {}
    for row in found.itertuples():
        shown.setdefault(row.column, {})[row.kind] = row.evidence
    return shown


CHANCE = random.Random(5)
NUMBERS = nhs_number.generate(quantity=60, for_region=nhs_number.REGION_SYNTHETIC)
SPACED = [f"{number[:3]} {number[3:6]} {number[6:]}" for number in NUMBERS]
TEN_DIGITS = [str(CHANCE.randrange(10**9, 10**10)) for _ in range(60)]
POSTCODES = ["LE1 5WW", "SW1A 1AA", "M1 1AE", "EC1A1BB", "b33 8th", "CR2 6XH", "DN55 1PT", "W1A 0AX"]
LSOAS = [f"E010{number:05d}" for number in range(60)]
BIRTHS = [
    f"{day:02d}/{month:02d}/{year}"
    for day, month, year in zip(range(1, 29), [*range(1, 13)] * 3, range(1930, 1986, 2), strict=False)
]
CONTACTS = [f"2025-{month:02d}-{day:02d}" for month in range(1, 13) for day in (3, 17, 25)]


def test_each_kind_is_seen_in_the_content_alone(engine: Engine) -> None:
    assert scan(engine, x=NUMBERS) == {"x": {"NHS number": "by content"}}
    assert scan(engine, x=SPACED) == {"x": {"NHS number": "by content"}}
    assert scan(engine, x=[int(number) for number in NUMBERS]) == {"x": {"NHS number": "by content"}}
    assert scan(engine, x=POSTCODES) == {"x": {"postcode": "by content"}}
    assert scan(engine, x=["a.b@example.org", "c@example.com", None]) == {"x": {"e-mail": "by content"}}
    assert scan(engine, x=["0116 496 0123", "07700 900123", "+44 7700 900456"]) == {
        "x": {"phone": "by content"}
    }
    assert scan(engine, x=BIRTHS) == {"x": {"date of birth": "by content"}}
    assert scan(engine, x=["seen, write to a.b@example.org", *["no note"] * 3]) == {
        "x": {"e-mail": "by content"}
    }


def test_each_kind_is_seen_in_the_name_alone(engine: Engine) -> None:
    names = {
        "NHSNumber": "NHS number", "nhs_no": "NHS number", "Home Postcode": "postcode",
        "EmailAddress": "e-mail", "telephone_1": "phone", "DOB": "date of birth",
        "person_birth_date": "date of birth", "Surname": "name", "PATIENT_NAME": "name", "name": "name",
        "address_line_2": "address", "Address1": "address", "patient_id": "local number",
        "PatientID": "local number", "Hospital No": "local number", "MRN": "local number",
    }  # fmt: skip
    found = scan(engine, **{name: ["x", "y"] for name in names})
    assert found == {name: {kind: "by header"} for name, kind in names.items()}


def test_name_and_content_together_are_said_so(engine: Engine) -> None:
    assert scan(engine, nhs_number=NUMBERS, dob=(BIRTHS * 3)[:60]) == {
        "nhs_number": {"NHS number": "by header and content"},
        "dob": {"date of birth": "by header and content"},
    }


@pytest.mark.parametrize(
    "name",
    ["ethnic_category", "site_name", "Ward Name", "lsoa21_name", "geography_name", "language",
     "postcode_sector", "NHS number status indicator", "telephone_consultation", "birth_weight",
     "year_of_birth", "email_consent", "admission_type_id", "organisation_name", "GP practice code",
     "named nurse", "addressed", "mobile_unit",
     "age", "sex", "imd_rank", "diagnosis"],
)  # fmt: skip
def test_an_ordinary_name_is_left_alone(name: str) -> None:
    assert kinds_by_header(name) == []


def test_ordinary_content_is_left_alone(engine: Engine) -> None:
    columns = {
        "ten digits": TEN_DIGITS,
        "area": LSOAS,
        "ons code": [f"E0{number:07d}" for number in range(60)],
        "practice": [f"A8{number:04d}" for number in range(60)],
        "contact date": (CONTACTS * 2)[:60],
        "rank": [str(number * 500) for number in range(60)],
        "serial": [str(45000 + number) for number in range(60)],
        "count": [f"{number},{number:03d}" for number in range(60)],
        "stamp": [f"2025-04-01 {number:02d}:00" for number in range(60)],
        "padded": [f"{number:011d}" for number in range(60)],
        "blank": [None] * 60,
    }
    assert scan(engine, **columns) == {}


def test_chance_alone_makes_no_nhs_number(engine: Engine) -> None:
    columns = {}
    for number in range(20):
        columns[f"c{number}"] = [str(CHANCE.randrange(4 * 10**9, 10**10)) for _ in range(40)]
    assert scan(engine, **columns) == {}


def test_a_share_is_of_distinct_filled_values(engine: Engine) -> None:
    extract = open_extract(
        pd.DataFrame({"x": [*POSTCODES[:3], *POSTCODES[:3], "none", None, ""]}), engine=engine
    )
    assert scan_identifiers(extract)["share"].tolist() == [0.75]


def test_a_large_extract_is_thinned_the_same_way_each_time(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("equitydata.records.identifiers.SAMPLED_VALUES", 300)
    monkeypatch.setattr("equitydata.records.identifiers.THIN_ABOVE_ROWS", 1000)
    rows = 5000
    frame = pd.DataFrame(
        {
            "x": [(NUMBERS * 100)[row] if row % 2 else SPACED[row % 60] for row in range(rows)],
            "number": [f"{row:010d}" for row in range(rows)],
            "sex": [str(row % 3) for row in range(rows)],
        }
    )
    first, second = (scan_identifiers(open_extract(frame, engine=engine)) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    assert first["column"].tolist() == ["x"]


def test_header_tokens_come_apart() -> None:
    assert header_tokens("NHSNumber_1") == "nhs number 1"
    assert header_tokens("Date-of.Birth") == "date of birth"


def test_no_value_leaves_the_scan(engine: Engine) -> None:
    frame = pd.DataFrame({"nhs_number": NUMBERS, "email": ["canary@example.org"] * 60})
    shown = scan_identifiers(open_extract(frame, engine=engine)).to_csv()
    assert "canary" not in shown
    assert not any(number in shown for number in NUMBERS)


@pytest.mark.skipif(
    not SHARED.is_dir(), reason="LOUD: ../shared is not here, so Census tables are NOT scanned"
)
@pytest.mark.parametrize("folder", ["reference-data", "code-lists"])
def test_census_tables_and_code_lists_hold_no_identifier(folder: str) -> None:
    with open_engine(threads=2) as engine:
        for path in sorted((SHARED / folder).glob("*.csv")):
            assert scan_identifiers(open_extract(path, engine=engine)).empty, path.name
