"""Columns that look like direct identifiers are named, and nothing of what they hold."""

from __future__ import annotations

import hashlib
import random
import uuid
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import nhs_number
import pandas as pd
import pytest

from equitydata.errors import EquityDataError
from equitydata.records.engine import Engine, open_engine
from equitydata.records.extract import open_extract
from equitydata.records.identifiers import header_tokens, kinds_by_header, scan_identifiers

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture
def engine() -> Iterator[Engine]:
    with open_engine(threads=1, memory_limit="500MB") as opened:
        yield opened


def scan(engine: Engine, person: str | None = None, **columns: list[Any]) -> dict[str, dict[str, str]]:
    """Column -> kind -> evidence."""
    found = scan_identifiers(open_extract(pd.DataFrame(columns), engine=engine), person=person)
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
        "ten digits": (TEN_DIGITS[:30] * 2),
        "area": LSOAS,
        "ons code": [f"E0{number:07d}" for number in range(60)],
        "practice": [f"A8{number % 30:04d}" for number in range(60)],
        "contact date": (CONTACTS * 2)[:60],
        "rank": [str(number * 500) for number in range(60)],
        "serial": [str(45000 + number) for number in range(60)],
        "count": [f"{number},{number:03d}" for number in range(60)],
        "stamp": [f"2025-04-01 {number:02d}:00" for number in range(60)],
        "padded": [f"{number % 30:011d}" for number in range(60)],
        "blank": [None] * 60,
    }
    assert scan(engine, **columns) == {}


def test_chance_alone_makes_no_nhs_number(engine: Engine) -> None:
    columns = {}
    for number in range(20):
        columns[f"c{number}"] = [str(CHANCE.randrange(4 * 10**9, 10**10)) for _ in range(40)]
    assert not any("NHS number" in kinds for kinds in scan(engine, **columns).values())


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
    assert first["column"].tolist() == ["x", "number"]


def test_header_tokens_come_apart() -> None:
    assert header_tokens("NHSNumber_1") == "nhs number 1"
    assert header_tokens("Date-of.Birth") == "date of birth"


def test_no_value_leaves_the_scan(engine: Engine) -> None:
    frame = pd.DataFrame({"nhs_number": NUMBERS, "email": ["canary@example.org"] * 60})
    shown = scan_identifiers(open_extract(frame, engine=engine)).to_csv()
    assert "canary" not in shown
    assert not any(number in shown for number in NUMBERS)


# ---------------------------------------------------------------- a seeded set: every format of every kind is found

PEOPLE, CONTACTS_EACH = 150, 3
GIVEN = [
    "Olivia", "Muhammad", "Aisha", "Chloe", "Wei", "Priya", "Tomasz", "Oluwaseun", "Siân", "José", "Mary-Jane", "Ana",
    "Xavier", "Ottoline", "Kwabena", "Saoirse", "Jean-Luc", "Ngozi", "Parveen", "Arthur", "Margaret", "Zdzisław",
    "Thandiwe", "Ye-jin", "Bartholomew", "Ines", "Ruqayyah", "Peter", "Susan", "David",
]  # fmt: skip
FAMILY = [
    "Smith", "O'Brien", "Begum", "Khan", "Patel", "Nguyen", "Kowalska", "Adeyemi", "de la Cruz", "van der Berg",
    "Jones-Baptiste", "Ó Murchú", "Featherstonehaugh", "Öztürk", "Lewis", "Mensah", "Thwaite", "Pryce", "Al-Sayed",
    "Walker", "Hussain", "Brown", "Taylor", "Quilty", "Ramaswamy", "Ferreira", "Wilson", "Gök", "Achterberg", "Evans",
]  # fmt: skip
UNHEARD = ["Zorvel", "Quandrix", "Belwyth", "Ondrell", "Tamsook", "Vashtar", "Ylmeric", "Jorquin", "Haldresh"]
STREETS = [
    "High Street",
    "Mill Lane",
    "Queen's Road",
    "Romford Rd",
    "St. John's Avenue",
    "The Mews",
    "Green Close",
]


def seeded(kind: int) -> tuple[random.Random, list[str], list[str], list[str]]:
    """Chance of its own for a format, and numbers, given and family names of each person."""
    chance = random.Random(kind)
    chance_numbers = NUMBERS_OF_PEOPLE[:]
    chance.shuffle(chance_numbers)
    return chance, chance_numbers, chance.choices(GIVEN, k=PEOPLE), chance.choices(FAMILY, k=PEOPLE)


NUMBERS_OF_PEOPLE = nhs_number.generate(quantity=PEOPLE, for_region=nhs_number.REGION_SYNTHETIC)


def births(chance: random.Random) -> list[date]:
    return [date(1932, 1, 1) + timedelta(days=chance.randrange(365 * 80)) for _ in range(PEOPLE)]


def postcodes(chance: random.Random) -> list[tuple[str, str]]:
    outward = ["LE1", "SW1A", "M1", "EC1A", "B33", "CR2", "DN55", "W1A", "E15", "E6"]
    return [
        (
            chance.choice(outward),
            f"{chance.randrange(10)}{chance.choice('ABDEFGH')}{chance.choice('JLNPQRS')}",
        )
        for _ in range(PEOPLE)
    ]


Made = Callable[[random.Random, list[str], list[str], list[str]], list[Any]]
SEEDED: dict[str, dict[str, Made]] = {
    "NHS number": {
        "plain": lambda c, n, g, f: n,
        "spaced": lambda c, n, g, f: [f"{x[:3]} {x[3:6]} {x[6:]}" for x in n],
        "hyphens": lambda c, n, g, f: [f"{x[:3]}-{x[3:6]}-{x[6:]}" for x in n],
        "padded": lambda c, n, g, f: [f"  {x} " for x in n],
        "labelled": lambda c, n, g, f: [f"NHS No: {x[:3]} {x[3:6]} {x[6:]}" for x in n],
        "whole": lambda c, n, g, f: [int(x) for x in n],
        "floating, with gaps": lambda c, n, g, f: [float(x) if c.random() > 0.2 else None for x in n],
        "with some wrong": lambda c, n, g, f: [x if c.random() > 0.15 else "UNKNOWN" + x[:3] for x in n],
    },
    "name": {
        "Given Family": lambda c, n, g, f: [f"{a} {b}" for a, b in zip(g, f, strict=True)],
        "FAMILY, Given": lambda c, n, g, f: [f"{b.upper()}, {a}" for a, b in zip(g, f, strict=True)],
        "Family,Given": lambda c, n, g, f: [f"{b},{a}" for a, b in zip(g, f, strict=True)],
        "lower case": lambda c, n, g, f: [f"{a} {b}".lower() for a, b in zip(g, f, strict=True)],
        "CAPITALS": lambda c, n, g, f: [f" {a}  {b}".upper() for a, b in zip(g, f, strict=True)],
        "FAMILY Given": lambda c, n, g, f: [f"{b.upper()} {a}" for a, b in zip(g, f, strict=True)],
        "Mr G. Family": lambda c, n, g, f: [
            f"{c.choice(['Mr', 'Mrs.', 'Miss', 'Dr', 'Mx'])} {a[0]}. {b}" for a, b in zip(g, f, strict=True)
        ],
        "Given M Family": lambda c, n, g, f: [f"{a} {c.choice('ABJ')} {b}" for a, b in zip(g, f, strict=True)],
        "Family, G (Mrs)": lambda c, n, g, f: [f"{b}, {a[0]} (Mrs)" for a, b in zip(g, f, strict=True)],
        "no frequent name": lambda c, n, g, f: [
            f"{c.choice(UNHEARD)}{c.choice('aeiou')} {c.choice(UNHEARD)}{c.choice(['son', 'ski', 'ez', 'ani', 'ov'])}"
            for _ in n
        ],
        "family names": lambda c, n, g, f: [b.upper() if c.random() > 0.5 else b for b in f],
        "given names": lambda c, n, g, f: g,
    },
    "address": {
        "one line": lambda c, n, g, f: [f"{c.randrange(1, 250)} {c.choice(STREETS)}" for _ in n],
        "letter": lambda c, n, g, f: [f"{c.randrange(1, 90)}{c.choice('ABab')} {c.choice(STREETS)}, Hull" for _ in n],
        "flat": lambda c, n, g, f: [f"Flat {c.randrange(9)}, {c.randrange(250)} {c.choice(STREETS)}, HULL" for _ in n],
        "CAPITALS": lambda c, n, g, f: [f"{c.randrange(1, 250)}, {c.choice(STREETS)}".upper() for _ in n],
        "with postcode": lambda c, n, g, f: [
            f"Rose Cottage {c.randrange(99)}, Nether Wallop, {a} {b}" for a, b in postcodes(c)
        ],
        "lines": lambda c, n, g, f: [f"{c.randrange(1, 250)} {c.choice(STREETS)}\nStratford\nLondon" for _ in n],
    },
    "postcode": {
        "spaced": lambda c, n, g, f: [f"{a} {b}" for a, b in postcodes(c)],
        "together": lambda c, n, g, f: [a + b for a, b in postcodes(c)],
        "lower case": lambda c, n, g, f: [f"{a}  {b}".lower() for a, b in postcodes(c)],
        "no-break": lambda c, n, g, f: [f" {a}\u00a0{b}" for a, b in postcodes(c)],
    },
    "phone": {
        "mobile": lambda c, n, g, f: [f"07700 900{c.randrange(1000):03d}" for _ in n],
        "brackets": lambda c, n, g, f: [f"(0116) 496 0{c.randrange(1000):03d}" for _ in n],
        "abroad": lambda c, n, g, f: [f"+44 (0)7700 900{c.randrange(1000):03d}" for _ in n],
        "hyphens": lambda c, n, g, f: [f"020-7946-0{c.randrange(1000):03d}" for _ in n],
        "extension": lambda c, n, g, f: [f"Tel: 020 7946 0{c.randrange(1000):03d} ext {c.randrange(99)}" for _ in n],
        "two": lambda c, n, g, f: [f"0207946{c.randrange(9999):04d} / 07700900{c.randrange(999):03d}" for _ in n],
        "without its 0": lambda c, n, g, f: [7700900000 + c.randrange(1000) for _ in n],
    },
    "e-mail": {
        "plain": lambda c, n, g, f: [f"person{x}@example.org" for x in n],
        "Mixed.Case": lambda c, n, g, f: [f"A.Person{x}@Mail.Example.ORG" for x in n],
        "named": lambda c, n, g, f: [f"A Person <p{x}@example.co.uk>" for x in n],
        "in notes": lambda c, n, g, f: [
            f"wrote to p{x}@example.org" if i % 9 == 0 else f"seen {x[:4]}" for i, x in enumerate(n)
        ],
    },
    "date of birth": {
        "ISO": lambda c, n, g, f: [d.isoformat() for d in births(c)],
        "day first": lambda c, n, g, f: [f"{d:%d/%m/%Y}" for d in births(c)],
        "month first": lambda c, n, g, f: [f"{d.month}/{d.day}/{d.year}" for d in births(c)],
        "dots": lambda c, n, g, f: [f"{d:%d.%m.%Y}" for d in births(c)],
        "two digits": lambda c, n, g, f: [f"{d:%d/%m/%y}" for d in births(c)],
        "month in words": lambda c, n, g, f: [f"{d.day} {d:%B %Y}" for d in births(c)],
        "MON": lambda c, n, g, f: [f"{d:%d-%b-%y}".upper() for d in births(c)],
        "month first in words": lambda c, n, g, f: [f"{d:%B} {d.day}, {d.year}" for d in births(c)],
        "compact": lambda c, n, g, f: [f"{d:%Y%m%d}" for d in births(c)],
        "compact, day first": lambda c, n, g, f: [f"{d:%d%m%Y}" for d in births(c)],
        "number with gaps": lambda c, n, g, f: [float(f"{d:%Y%m%d}") if c.random() > 0.1 else None for d in births(c)],
        "timestamp": lambda c, n, g, f: [f"{d.isoformat()}T00:00:00" for d in births(c)],
        "with a time": lambda c, n, g, f: [f"{d:%d/%m/%Y} 00:00" for d in births(c)],
        "dates": lambda c, n, g, f: births(c),
        "datetimes": lambda c, n, g, f: list(pd.to_datetime(births(c))),
    },
    "local number": {
        "letters": lambda c, n, g, f: [f"RX{1_000_000 + i * 17}" for i, _ in enumerate(n)],
        "spaced": lambda c, n, g, f: [f"h {100_000 + i * 31}" for i, _ in enumerate(n)],
        "digits": lambda c, n, g, f: [str(1_000_000 + i * 7919) for i, _ in enumerate(n)],
        "whole": lambda c, n, g, f: [100_000 + i * 797 for i, _ in enumerate(n)],
        "parts": lambda c, n, g, f: [f"{10 + i % 80}-{20_000 + i * 13}-{i % 10}" for i, _ in enumerate(n)],
        "around": lambda c, n, g, f: [f"A{10_000 + i * 13}b" for i, _ in enumerate(n)],
        "few digits": lambda c, n, g, f: [f"{20_000 + i * 13}" for i, _ in enumerate(n)],
        "hash": lambda c, n, g, f: [hashlib.sha256(x.encode()).hexdigest() for x in n],
        "key": lambda c, n, g, f: [str(uuid.UUID(int=int(x) << 90)) for x in n],
    },
}  # fmt: skip


def spread_over_contacts(values: list[Any]) -> list[Any]:
    """The same value in each contact of a person; contacts of one person do not stand together."""
    return values * CONTACTS_EACH


@pytest.mark.parametrize("known", [True, False], ids=["people are known", "people are not known"])
@pytest.mark.parametrize("kind", SEEDED)
def test_every_format_is_found_behind_a_name_that_tells_nothing(
    kind: str, known: bool, engine: Engine
) -> None:
    formats = {f"c{number}": (name, make) for number, (name, make) in enumerate(SEEDED[kind].items())}
    columns = {}
    for column, (name, make) in formats.items():
        values = make(*seeded(len(name)))
        # Where people are not known, each has one record.
        columns[column] = spread_over_contacts(values) if known else values
    people = [f"P{person}" for person in range(PEOPLE)]
    of_people = {"person": "c", "c": spread_over_contacts(people)} if known else {}
    found = scan(engine, **of_people, **columns)
    missed = {formats[column][0] for column in columns if found.get(column) != {kind: "by content"}}
    # Five digits alone could be amounts where nothing shows that they go with people.
    assert missed == ({"few digits"} if kind == "local number" and not known else set())
    assert set(found) <= set(columns)


def test_a_number_of_each_record_is_a_local_number_and_the_columns_that_are_known_are_not(
    engine: Engine,
) -> None:
    rows = PEOPLE * CONTACTS_EACH
    frame = pd.DataFrame(
        {
            "who": spread_over_contacts([f"P{100_000 + person}" for person in range(PEOPLE)]),
            "which": [f"C{row:06d}" for row in range(rows)],
            "other": [f"{row * 7 + 1_000_000}" for row in range(rows)],
        }
    )
    extract = open_extract(frame, engine=engine)
    found = scan_identifiers(extract, person="who", record="which")
    assert found[["column", "kind", "evidence"]].to_numpy().tolist() == [
        ["other", "local number", "by content"]
    ]
    assert set(scan_identifiers(extract)["column"]) == {"which", "other"}


def test_what_many_people_share_is_no_identifier(engine: Engine) -> None:
    rows = PEOPLE * CONTACTS_EACH
    chance = random.Random(3)
    columns = {
        "clinic": [chance.choice(["12 High Street", "3 Mill Lane", "Queen Elizabeth Hospital"]) for _ in range(rows)],
        "nurse": [chance.choice(["Mary Smith", "Aisha Khan", "Peter O'Brien"]) for _ in range(rows)],
        "language": [chance.choice(["British Sign Language", "Bengali", "Polish", "English"]) for _ in range(rows)],
        "practice": [chance.choice([f"A8{number:04d}" for number in range(40)]) for _ in range(rows)],
        "authority": [chance.choice(["Tower Hamlets", "Newham", "Waltham Forest"]) for _ in range(rows)],
        "day": [str(date(2024, 4, 1) + timedelta(days=chance.randrange(730))) for _ in range(rows)],
        "snomed": [chance.choice(["92381000000106", "92391000000108", "73211009"]) for _ in range(rows)],
        "note": [chance.choice(["seen today", "did not attend", "called, no answer"]) for _ in range(rows)],
        "weight": [chance.randrange(40_000, 120_000) for _ in range(rows)],
        "income": [round(chance.lognormvariate(10, 1)) for _ in range(rows)],
        "score": [f"{chance.random() * 100:.3f}" for _ in range(rows)],
        "area": [f"E0100{4300 + chance.randrange(164)}" for _ in range(rows)],
    }  # fmt: skip
    people = spread_over_contacts([f"P{person}" for person in range(PEOPLE)])
    assert scan(engine, person="c", c=people, **columns) == {}
    assert scan(engine, **columns) == {}


def test_the_engine_finds_the_same_nhs_numbers_as_the_library(engine: Engine) -> None:
    chance = random.Random(11)
    for low, high in ((0, 4 * 10**9), (4 * 10**9, 10**10)):
        numbers = [f"{chance.randrange(low, high):010d}" for _ in range(5000)]
        share = sum(map(nhs_number.is_valid, numbers)) / len(numbers)
        found = scan_identifiers(open_extract(pd.DataFrame({"nhs_number": numbers}), engine=engine))
        assert found.set_index("kind").loc["NHS number", "share"] == pytest.approx(share, abs=0.001)


def test_nothing_but_numbers_is_fetched(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every table that leaves the engine holds whole or real numbers, and few rows."""
    fetched = []
    real = Engine.to_frame

    def watched(self: Engine, expression: Any) -> pd.DataFrame:
        frame = real(self, expression)
        fetched.append(frame)
        return frame

    monkeypatch.setattr(Engine, "to_frame", watched)
    monkeypatch.setattr("equitydata.records.identifiers.THIN_ABOVE_ROWS", 200)
    columns = {
        f"c{kind}{number}": spread_over_contacts(make(*seeded(number)))
        for kind, formats in enumerate(SEEDED.values())
        for number, make in enumerate(formats.values())
    }
    people = spread_over_contacts([f"P{person}" for person in range(PEOPLE)])
    assert len(scan(engine, person="c", c=people, **columns)) > 50
    assert fetched
    for frame in fetched:
        assert all(pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes), frame.dtypes
        assert len(frame) <= len(columns) + 1


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet", "frame"])
def test_columns_that_the_analysis_does_not_read_are_looked_at_and_let_go(
    kind: str, engine: Engine, tmp_path: Path
) -> None:
    people = spread_over_contacts([f"P{person}" for person in range(PEOPLE)])
    hidden = {f"c{number}": next(iter(SEEDED[kind].values())) for number, kind in enumerate(SEEDED)}
    frame = pd.DataFrame(
        {"sex": ["1", "2"] * (len(people) // 2), "who": people}
        | {column: spread_over_contacts(make(*seeded(1))) for column, make in hidden.items()}
    )
    path = tmp_path / f"contacts.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    elif kind == "xlsx":
        frame.to_excel(path, index=False)
    elif kind == "parquet":
        frame.to_parquet(path)
    extract = open_extract(frame if kind == "frame" else path, engine=engine, columns=["who", "sex"])
    assert extract.columns == ("sex", "who")
    found = scan_identifiers(extract, person="who")
    assert dict(zip(found["column"], found["kind"], strict=True)) == dict(zip(hidden, SEEDED, strict=True))
    with pytest.raises(EquityDataError, match="does not know a name"):
        engine.count(extract.beside)


# ---------------------------------------------------------------- nothing is found where nothing is


def found_by_content(path: Path, person: str | None = None) -> set[tuple[str, str]]:
    with open_engine(threads=2) as engine:
        found = scan_identifiers(open_extract(path, engine=engine), person=person)
    found = found[found["evidence"] != "by header"]
    return set(zip(found["column"], found["kind"], strict=True))


LARGEST = 7  # of a folder; the others have a few rows each


@pytest.mark.parametrize("folder", ["census2021", "code_lists", "deprivation", "lookups", "population"])
def test_reference_tables_hold_no_identifier(folder: str) -> None:
    tables = [
        path
        for path in (ROOT / "reference" / folder).rglob("*")
        if path.name.endswith((".csv", ".csv.gz", ".parquet"))
    ]
    assert tables
    for path in sorted(tables, key=lambda path: path.stat().st_size)[-LARGEST:]:
        assert found_by_content(path) == set(), path.name


def test_of_the_sample_only_what_it_says_is_found(engine: Engine) -> None:
    extract = open_extract(ROOT / "sample_data" / "contacts.csv", engine=engine)
    found = scan_identifiers(extract, person="patient_id", record="contact_id")
    assert found[["column", "kind", "evidence"]].to_numpy().tolist() == [
        ["patient_id", "local number", "by header"],
        ["birth_date", "date of birth", "by header and content"],
    ]


REAL = {
    "police-stop-search/durham_2020-04_2021-03.csv": set(),
    "police-stop-search/census2021_ethnic_group_by_ltla21.csv": set(),
    "police-stop-search/lad2016_to_police_force_lookup.csv": set(),
    "diabetes-130/diabetic_data.csv.gz": {("encounter_id", "local number")},
    "hes-artificial/artificial_hes_ae_0708_truncated.csv": {
        ("AEKEY", "local number"),
        ("EPIKEY", "local number"),
    },
}


@pytest.mark.skipif(
    not SHARED.is_dir(), reason="LOUD: ../shared is not here, so real extracts are NOT scanned"
)
@pytest.mark.parametrize("name", REAL)
def test_of_real_extracts_only_numbers_of_records_are_found(name: str) -> None:
    assert found_by_content(SHARED / "real-data" / name) == REAL[name]
