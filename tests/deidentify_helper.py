"""An extract with all sorts of columns, the service that reads it, and the shared file that is made of it."""

import datetime
import random
import sys
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

import equitydata as eq
from equitydata.cli import main
from equitydata.deidentifying import Deidentified
from plain_deidentify import read_rows

KEY = bytes(range(7, 47))
PERSON = "person_pseudonym"
QUASI = ("birth_date", "sex", "ethnicity", "geography")
# Stands in every cell of a column that identifies someone or holds free text.
CANARY = "zqx"
AREAS = ["E01003487", "E01003488", "E01003489", "E01003512", "E01003597", "Z99999999", ""]


def letters(number):
    """A number in letters, so that what is written with it is no number of a document."""
    return "".join(chr(97 + int(digit)) for digit in str(number))


def contacts(people=300, seed=1, **columns):
    """An extract of two contacts a person or so. columns : name -> (person, contact, chance) -> value."""
    chance = random.Random(seed)
    rows = []
    for person in range(people):
        born = datetime.date(1930 + chance.randrange(75), 1 + chance.randrange(12), 1 + chance.randrange(28))
        own = {
            "patient_id": f"P{seed}-{person:05d}",
            "nhs_number": f"{CANARY}nhs{person}",
            "surname": f"{CANARY}{letters(person)}",
            "birth_date": f"{born:%d/%m/%Y}",
            "gender": chance.choice(["1", "2", "1", "2", "1", "2", "9", ""]),
            "ethnic_category": chance.choice("ABCDHJKLMNPS") if chance.random() < 0.9 else "Z",
            "lsoa": chance.choice(AREAS),
            "smoker": chance.choice(["Y", "N", "N", ""]),
        }
        for contact in range(1 + chance.randrange(3)):
            day = datetime.date(2025, 4, 1) + datetime.timedelta(chance.randrange(360))
            row = {
                **own,
                "contact_id": f"{CANARY}contact{person}-{contact}",
                "contact_date": f"{day:%d/%m/%Y}",
                "site": chance.choice(["East", "West", "North"]),
                "attendance": chance.choice(["5", "3", "7"]),
                "wait_days": str(int(chance.expovariate(1 / 20))),
                "notes": f"{CANARY} was seen today and will come again {letters(person)} {letters(contact)} soon",
            }
            rows.append(row | {name: make(person, contact, chance) for name, make in columns.items()})
    chance.shuffle(rows)
    return pd.DataFrame(rows)


def service(folder, frame, *, mapped=None, person="patient_id", **sharing):
    """A service whose extract is the frame, as a CSV in the folder. mapped : further characteristics -> column."""
    frame.to_csv(folder / "contacts.csv", index=False)
    columns = {
        "ethnicity": "ethnic_category",
        "sex": "gender",
        "birth_date": "birth_date",
        "geography": "lsoa",
    }
    content = {
        "service": {"name": "Test clinic", "period": {"to": datetime.date(2026, 3, 31)}},
        "extract": {
            "path": "contacts.csv",
            **({"person": person} if person else {}),
            "record": "contact_id",
            "date": "contact_date",
            "site": "site",
        },
        "characteristics": {name: {"column": column} for name, column in (columns | (mapped or {})).items()},
        "measures": {
            "dna": {
                "label": "Did not attend",
                "kind": "access",
                "numerator": {"column": "attendance", "in": ["3", "7"]},
                "polarity": "adverse",
            },
            "wait": {"label": "Wait", "kind": "access", "value": "wait_days", "polarity": "adverse"},
            "noted": {
                "label": "Noted",
                "kind": "quality",
                "numerator": {"column": "notes", "missing": False},
                "polarity": "neutral",
            },
        },
        "sharing": {"quasi_identifiers": QUASI, "sensitive": ["smoker"], **sharing},
    }
    return eq.make_service(content, folder=folder)


def made(folder, frame, *, name="shared.csv", key=None, options=None, **sharing):
    """The shared file of a service, and its rows where it is a CSV."""
    done = eq.deidentify(
        service(folder, frame, **sharing), out=folder / "out" / name, key_file=key, **(options or {})
    )
    return done, read_rows(done.path) if name.endswith(".csv") else []


def kept_key(folder, content=KEY):
    """A key file that only its owner can read, in a folder of its own."""
    path = Path(folder) / "keys" / "own.key"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o600)
    return path


class Standard(NamedTuple):
    """One shared file that many tests look at."""

    folder: Path
    frame: pd.DataFrame
    done: Deidentified
    rows: list[dict[str, str]]


def standard_file(folder):
    """The shared file of 600 people, five of whose rows name nobody."""
    frame = contacts(people=600, colour=lambda person, contact, chance: f"{CANARY}{letters(person)}")
    frame.loc[:4, "patient_id"] = ""
    done, rows = made(folder, frame, key=kept_key(folder))
    return Standard(folder, frame, done, rows)


def grouped_by(done):
    """The columns by which people are alike."""
    return [row["written"] for row in done.manifest["levels"] if row["written"]]


def fails(kind, words, run):
    """The error of a run, which tells no value."""
    with pytest.raises(kind, match=words) as caught:
        run()
    assert CANARY not in str(caught.value)
    return caught.value


def command(*arguments):
    """Exit code of a command."""
    held, sys.argv = sys.argv, ["equitydata", *arguments]
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = held
    return 0
