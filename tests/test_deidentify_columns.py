"""Pseudonyms and columns of a shared file: what stays, under which name, and what is nowhere in it."""

import datetime
import os
import shutil

import pandas as pd
import pytest

from deidentify_helper import (
    CANARY,
    KEY,
    PERSON,
    contacts,
    fails,
    kept_key,
    letters,
    made,
    standard_file,
)
from equitydata.errors import ConfigError, DisclosureError, InputError
from equitydata.records.deidentifying.keys import Key
from equitydata.records.deidentifying.pseudonyms import beside_key
from equitydata.records.deidentifying.pseudonyms import pseudonym as engine_pseudonym
from equitydata.records.engine import open_engine
from plain_deidentify import offset, pseudonym

ON_POSIX = pytest.mark.skipif(
    os.name != "posix", reason="NOT TESTED: rights of files are of another kind here"
)


@pytest.fixture(scope="module")
def standard(tmp_path_factory):
    return standard_file(tmp_path_factory.mktemp("standard"))


# ---------------------------------------------------------------- pseudonyms


def test_a_pseudonym_is_the_hmac_that_python_gives(standard):
    wanted = {pseudonym(KEY, each) for each in standard.frame["patient_id"] if each}
    assert {row[PERSON] for row in standard.rows} <= wanted
    assert standard.done.manifest["pseudonyms"]["key"] == "from a file"


@pytest.mark.parametrize("length", [32, 63, 64, 65, 200])
def test_keys_of_any_length_are_used_as_hmac_uses_them(length):
    key = bytes(n * 7 % 251 for n in range(length))
    texts = ["P1", "Ü-é 😀", "", "x" * 1000, "O'Neil; DROP TABLE"]
    with open_engine(threads=1) as engine:
        table = engine.lookup(pd.DataFrame({"text": texts}), "texts")
        beside, _ = beside_key(table, Key(key), engine)
        found = engine.to_frame(beside.select("text", made=engine_pseudonym(beside, beside["text"])))
    assert dict(zip(found["text"], found["made"], strict=True)) == {
        each: pseudonym(key, each) for each in texts
    }


def test_the_same_key_gives_the_same_pseudonyms_in_every_file_and_another_key_others(tmp_path, standard):
    local = {"local": lambda person, contact, chance: f" {CANARY}-é{person} "}
    later = contacts(people=200, **local)
    _, rows = made(tmp_path, later, key=kept_key(tmp_path), pseudonymise=["local"], suppress_at_most=0.0)
    before, now = {row[PERSON] for row in standard.rows}, {row[PERSON] for row in rows}
    assert len(before & now) > 150
    pairs = {
        (pseudonym(KEY, a), pseudonym(KEY, b))
        for a, b in zip(later["patient_id"], later["local"], strict=True)
    }
    assert {(row[PERSON], row["local_pseudonym"]) for row in rows} == pairs
    other, rows = made(tmp_path, later, key=kept_key(tmp_path, KEY[::-1]), name="other.csv")
    assert not now & {row[PERSON] for row in rows}
    assert other.manifest["pseudonyms"]["key_mark"] != standard.done.manifest["pseudonyms"]["key_mark"]


def test_the_key_is_in_no_output(standard):
    done = standard.done
    held = done.path.read_bytes() + done.manifest_path.read_bytes() + str(done).encode()
    assert KEY not in held and KEY.hex().encode() not in held
    assert str(KEY) not in repr(Key(KEY))


@ON_POSIX
def test_a_key_that_others_can_read_is_refused(tmp_path):
    key = kept_key(tmp_path)
    key.chmod(0o640)
    error = fails(ConfigError, "Others on this machine", lambda: made(tmp_path, contacts(9), key=key))
    assert "chmod 600" in error.mend
    assert not (tmp_path / "out").exists()


def test_a_weak_or_missing_key_is_refused(tmp_path):
    for content, words in ((KEY[:31], "too weak"), (b"a" * 64, "too weak"), (b"x" * 5000, "too large")):
        key = kept_key(tmp_path, content)
        fails(ConfigError, words, lambda key=key: made(tmp_path, contacts(9), key=key))
    missing = tmp_path / "keys" / "none.key"
    fails(ConfigError, "no such key file", lambda: made(tmp_path, contacts(9), key=missing))
    fails(ConfigError, "no file is named", lambda: made(tmp_path, contacts(9), options={"make_key": True}))


def test_a_key_that_would_travel_with_the_file_is_refused(tmp_path):
    (tmp_path / "out" / "deep").mkdir(parents=True)
    for place in ("out", "out/deep"):
        beside = tmp_path / place / "own.key"
        shutil.copy(kept_key(tmp_path), beside)
        beside.chmod(0o600)
        fails(ConfigError, "would lie with", lambda beside=beside: made(tmp_path, contacts(9), key=beside))
        with pytest.raises(ConfigError, match="would lie with"):
            made(tmp_path, contacts(9), key=tmp_path / place / "new.key", options={"make_key": True})
    link = tmp_path / "keys" / "link.key"
    link.symlink_to(tmp_path / "out" / "own.key")
    fails(ConfigError, "would lie with", lambda: made(tmp_path, contacts(9), key=link))


def test_a_key_is_made_once_and_is_its_owners_and_a_key_of_chance_is_another_each_time(tmp_path):
    path, small = tmp_path / "new.key", {"quasi_identifiers": ["ethnicity"], "sensitive": [], "k": 2}
    frame = contacts(60)
    first, rows = made(tmp_path, frame, key=path, options={"make_key": True}, **small)
    content = path.read_bytes()
    assert len(content) >= 32 and (os.name != "posix" or path.stat().st_mode & 0o777 == 0o600)
    assert {row[PERSON] for row in rows} <= {pseudonym(content, each) for each in frame["patient_id"]}
    again, others = made(tmp_path, frame, name="b.csv", **small)
    assert path.read_bytes() == content
    assert first.manifest["pseudonyms"]["key_mark"] and again.manifest["pseudonyms"]["key_mark"] is None
    assert "thrown away" in again.manifest["pseudonyms"]["key"]
    assert not {row[PERSON] for row in rows} & {row[PERSON] for row in others}


# ---------------------------------------------------------------- columns


def test_no_identifier_and_no_free_text_is_anywhere_in_what_is_written(standard):
    held = [name for name in standard.frame if standard.frame[name].str.contains(CANARY).any()]
    assert held == ["nhs_number", "surname", "contact_id", "notes", "colour"]
    done = standard.done
    assert CANARY not in done.path.read_text() + done.manifest_path.read_text() + str(done)
    cells = {cell for row in standard.rows for cell in row.values()}
    for column in ("patient_id", "birth_date", "lsoa"):
        assert not (set(standard.frame[column]) - {""}) & cells, column
    dropped = {row["column"] for row in done.manifest["columns"] if row["action"] == "dropped"}
    assert dropped == set(held)
    why = done.columns.set_index("column")["why"]
    assert why["notes"] == "free text"


def test_a_column_stays_only_by_name_and_each_under_a_name_of_its_own(tmp_path):
    starts = ["=1+1", "+a", "-b", "@c", "plain", "-5"]
    frame = contacts(
        **{
            "colour": lambda person, contact, chance: chance.choice(["red", "blue"]),
            "sex": lambda person, contact, chance: chance.choice(["m", "f"]),
            "referral": lambda person, contact, chance: (
                "GP" if person % 50 else f"{CANARY} {letters(person)}"
            ),
            "shade": lambda person, contact, chance: (
                f"{letters(chance.randrange(90))}/{letters(chance.randrange(9))}"
            ),
            "=odd": lambda person, contact, chance: chance.choice(starts),
        }
    )
    keep = ["sex", "referral", "shade", "=odd"]
    done, rows = made(tmp_path, frame, keep=keep, quasi_identifiers=["sex"])
    told = done.columns.set_index("column")
    assert "colour" not in rows[0] and told.loc["colour", "why"] == "no key of the service file names it"
    assert {row["sex_2"] for row in rows} == {"m", "f"} and "Female" in {row["sex"] for row in rows}
    # What few people have is blank; where that is nearly everything, the column is left out.
    assert {row["referral"] for row in rows} == {"GP", ""}
    assert told.loc["referral", "how"] == "blank where fewer than 8 people have it"
    assert "shade" not in rows[0] and "too few people" in told.loc["shade", "why"]
    # A spreadsheet shows these and calculates none.
    assert {row["'=odd"] for row in rows} == {"'=1+1", "'+a", "'-b", "'@c", "plain", "-5"}


def test_free_text_and_identifiers_cannot_be_kept_by_name(tmp_path):
    frame = contacts(
        mail=lambda person, contact, chance: f"{CANARY}{person}@example.org",
        shade=lambda person, contact, chance: (
            f"{letters(chance.randrange(90))}/{letters(chance.randrange(9))}"
        ),
    )

    def refused(kind, words, **sharing):
        fails(kind, words, lambda: made(tmp_path, frame, **sharing))

    refused(ConfigError, "direct identifier: e-mail", keep=["mail"])
    refused(ConfigError, "only stay in groups", keep=["lsoa"], quasi_identifiers=["sex"])
    refused(InputError, "no column 'colour'", keep=["colour"])
    refused(ConfigError, "under sensitive and under dropped", dropped=["smoker"])
    refused(ConfigError, "free text", keep=["notes"])
    refused(DisclosureError, "held by too few people", sensitive=["shade"])
    assert not (tmp_path / "out").exists()


def days_of(frame):
    return [datetime.datetime.strptime(each, "%d/%m/%Y").date() for each in frame["contact_date"]]


def test_dates_become_the_first_of_their_month_or_quarter(tmp_path, standard):
    assert {row["contact_date"][8:] for row in standard.rows} == {"01"}
    small = {"quasi_identifiers": ["ethnicity"], "sensitive": [], "suppress_at_most": 0.0}
    frame = contacts()
    _, rows = made(tmp_path, frame, dates="quarter", **small)
    wanted = sorted(f"{day.year}-{(day.month - 1) // 3 * 3 + 1:02d}-01" for day in days_of(frame))
    assert sorted(row["contact_date"] for row in rows) == wanted


def test_dates_that_are_moved_keep_their_distance_and_are_moved_as_python_would(tmp_path):
    frame = contacts()
    _, rows = made(tmp_path, frame, key=kept_key(tmp_path), dates="offset", suppress_at_most=0.0)
    wanted = sorted(
        (pseudonym(KEY, person), f"{day + datetime.timedelta(offset(KEY, person))}")
        for person, day in zip(frame["patient_id"], days_of(frame), strict=True)
    )
    assert sorted((row[PERSON], row["contact_date"]) for row in rows) == wanted


def test_postcodes_become_districts_and_areas_by_a_look_up(tmp_path):
    homes = ["E6 1AA", "E62BB", "e7 9pn", "E13 8AA", "ZZ99 3VZ", ""]
    frame = contacts(postcode=lambda person, contact, chance: homes[person % len(homes)])
    wanted = {"quasi_identifiers": ["postcode"], "sensitive": [], "mapped": {"postcode": "postcode"}}
    _, rows = made(tmp_path, frame, **wanted)
    assert {row["postcode_district"] for row in rows} == {"E6", "E7", "E13", "Not known"}
    listed = pd.DataFrame(
        {"pcds": ["E6 1AA", "E6 2BB", "E7 9PN"], "lsoa21": ["E01003487", "E01003488", "E01003512"]}
    )
    pd.concat([listed, listed]).to_csv(tmp_path / "directory.csv", index=False)
    _, rows = made(tmp_path, frame, postcode_lookup="directory.csv", name="b.csv", **wanted)
    assert {row["lsoa"] for row in rows} == {*listed["lsoa21"], "Not known"}
    assert len(rows) == len(frame)
