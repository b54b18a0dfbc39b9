"""Tables drawn as text, and one small extract that is analysed once for all tests that need a whole result."""

import random
from datetime import date, timedelta
from functools import cache

import pandas as pd

import equitydata as eq


def table(text: str) -> pd.DataFrame:
    """A frame drawn as text: the first line names the columns, '|' parts them.

    A column whose filled cells are all numbers is of numbers, with blanks missing; one of true and false is of
    those; any other is of text, with blanks "".
    """
    lines = [line for line in text.splitlines() if line.strip()]
    names, *rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    assert all(len(row) == len(names) for row in rows), "every line has as many cells as the first"
    return pd.DataFrame({name: _cells([row[place] for row in rows]) for place, name in enumerate(names)})


def _cells(cells: list[str]) -> pd.Series:
    filled = [cell for cell in cells if cell]
    if filled and set(filled) <= {"true", "false"}:
        return pd.Series([cell == "true" for cell in cells])
    numbers = pd.to_numeric(pd.Series(cells, dtype="object").replace("", None), errors="coerce")
    return numbers if filled and numbers.notna().sum() == len(filled) else pd.Series(cells)


def small_frame(people: int = 90) -> pd.DataFrame:
    """Contacts of made-up people at two sites and two points of care; seeded, with rare and unread values."""
    chance = random.Random(20210321)
    rows = []
    for number in range(people):
        ethnic = chance.choice(["A", "A", "K", "M", "P", "Z", "99", None, "White <b>British</b>"])
        for _ in range(chance.randrange(1, 4)):
            rows.append(
                {
                    "person": f"P{number:03d}",
                    "date": (date(2025, 4, 1) + timedelta(days=chance.randrange(60))).isoformat(),
                    "point": chance.choice(["Clinic", "Telephone"]),
                    "site": chance.choice(["North", "North", "South", None]),
                    "ethnic": ethnic,
                    "origin": chance.choice(["PATIENT", "STAFF", None]),
                    "lang": chance.choice(["en", "bn", "bn", None]),
                    "sex": chance.choice(["1", "2"]),
                    "age": str(20 + number % 60),
                    "lsoa": chance.choice(["E01003478", "E01003479", None]),
                }
            )
    return pd.DataFrame(rows)


@cache
def analysed() -> eq.EquityResult:
    """The result of the small frame: the only run of the engine in the tests of the tables. Not to be changed."""
    service = eq.make_service(
        {
            "service": {"name": "Clinic <script>alert(1)</script>", "area": ["E09000025"], "ages": [18, 120]},
            "extract": {"person": "person", "date": "date", "point_of_care": "point", "site": "site"},
            "characteristics": {
                "ethnicity": {
                    "column": "ethnic",
                    "code_list": "nhs-ethnic-category-2001",
                    "source": {"column": "origin", "self_reported": ["PATIENT"]},
                },
                "language": {"column": "lang", "code_list": "nhs-language"},
                "sex": {"column": "sex", "code_list": "person-stated-gender"},
                "age": {"column": "age"},
                "geography": {"column": "lsoa"},
            },
            "attestations": {
                "S-QUAN-F8": {
                    "met": True,
                    "evidence": "Leaflet",
                    "owner": "Manager",
                    "date": date(2026, 1, 12),
                }
            },
            "rules": {"contact_bands": [1, 2, 3]},
        }
    )
    return eq.analyse(service, small_frame(), as_of=date(2026, 4, 1))


@cache
def released_as(rule: str = "nhs") -> eq.EquityResult:
    """The released result of the small frame: released once a rule. Not to be changed."""
    from equitydata.release import release

    return release(analysed(), rule)
