"""A shared file holds what was asked: counted again from the file itself by plain loops (`plain_deidentify`)."""

import json
import os
import re
import shutil
import sqlite3
from pathlib import Path

import duckdb
import ibis
import numpy as np
import pandas as pd
import pytest

import equitydata as eq
from deidentify_helper import (
    CANARY,
    PERSON,
    command,
    contacts,
    fails,
    grouped_by,
    kept_key,
    made,
    service,
    standard_file,
)
from equitydata.errors import ConfigError, DisclosureError, OutputError
from equitydata.maturity.criteria import _identifiers
from equitydata.rulebook import load_rulebook
from equitydata.sharing.evidence import FAILS, HOLDS, TELLS_NOTHING, shared_evidence
from plain_deidentify import (
    fewest_people,
    fewest_values,
    groups_of_each_person,
    read_rows,
    smallest_group,
)

ON_POSIX = pytest.mark.skipif(
    os.name != "posix", reason="NOT TESTED: rights of files are of another kind here"
)


@pytest.fixture(scope="module")
def standard(tmp_path_factory):
    return standard_file(tmp_path_factory.mktemp("standard"))


# ---------------------------------------------------------------- the groups


def holds(done, rows, k, variety):
    by = grouped_by(done)
    assert smallest_group(rows, by, person=PERSON) >= k
    assert fewest_values(rows, by, "smoker") >= variety
    assert groups_of_each_person(rows, by, PERSON) == 1
    held = done.manifest["protection"]
    assert (held["k_asked"], held["l_asked"]) == (k, variety)
    assert k <= held["k_reached"] <= smallest_group(rows, by, person=PERSON)
    assert held["l_reached"] == fewest_values(rows, by, "smoker")


def test_every_group_is_as_large_and_as_varied_as_the_rules_have_it(standard):
    holds(standard.done, standard.rows, 8, 2)


def test_every_group_is_as_large_and_as_varied_as_asked(tmp_path):
    holds(*made(tmp_path, contacts(), k=25, l=3), 25, 3)


def test_people_are_left_out_only_within_what_is_allowed(standard):
    people = set(standard.frame["patient_id"]) - {""}
    assert 0 <= len(people) - len({row[PERSON] for row in standard.rows}) <= 0.02 * len(people)


def test_each_value_that_is_written_is_of_enough_people(standard):
    for column in ("site", "attendance", "wait_days", "contact_date", "smoker"):
        assert fewest_people(standard.rows, column, PERSON) >= 8, column
    told = standard.done.columns.set_index("column")["how"]
    assert told["wait_days"] == "amounts joined until 8 people share them"


def test_amounts_that_are_joined_keep_their_mean(tmp_path):
    frame = contacts()
    done, rows = made(tmp_path, frame, suppress_at_most=0.0, quasi_identifiers=["ethnicity"], sensitive=[])
    before, after = frame["wait_days"].astype(float), [float(row["wait_days"]) for row in rows]
    assert len(after) == len(before)
    assert abs(np.mean(after) - before.mean()) < 0.2
    assert max(after) < before.max()
    assert done.manifest["people"]["after"] == 300


def test_records_are_counted_where_nobody_is_told_apart(tmp_path):
    done, rows = made(tmp_path, contacts(), person=None, dropped=["patient_id"])
    assert smallest_group(rows, grouped_by(done)) >= 8
    assert PERSON not in rows[0] and done.manifest["people"]["counted"] == "records"
    assert any("No column tells people apart" in note for note in done.manifest["notes"])


def test_one_value_for_each_person_is_the_most_recent_known(tmp_path):
    days = (("01/05/2025", "A"), ("01/07/2025", "H"), ("01/09/2025", "Z"), ("01/06/2025", "K"))
    rows = [
        {"patient_id": f"P{n}", "contact_date": day, "ethnic_category": code}
        for n in range(20)
        for day, code in days
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "contacts.csv", index=False)
    given = eq.make_service(
        {
            "extract": {"path": "contacts.csv", "person": "patient_id", "date": "contact_date"},
            "characteristics": {"ethnicity": {"column": "ethnic_category"}},
        },
        folder=tmp_path,
    )
    done = eq.deidentify(given, out=tmp_path / "out" / "a.csv")
    assert {row["ethnicity"] for row in read_rows(done.path)} == {"Indian"}


# ---------------------------------------------------------------- the file


def test_rows_read_are_rows_written_and_left_out(standard):
    told = standard.done.manifest["rows"]
    assert told["read"] == len(standard.frame) and told["written"] == len(standard.rows)
    assert told["read"] == told["written"] + sum(each["rows"] for each in told["left_out"])
    assert {each["reason"]: each["rows"] for each in told["left_out"]}["no person identifier"] == 5


def test_the_order_of_the_rows_tells_nothing_of_the_order_they_had(tmp_path, standard):
    shuffled = standard.frame.sample(frac=1, random_state=5)
    found, _ = made(tmp_path, shuffled, key=kept_key(tmp_path))
    assert found.path.read_bytes() == standard.done.path.read_bytes()


def test_parquet_holds_the_same_as_csv(tmp_path, standard):
    found, _ = made(tmp_path, standard.frame, key=kept_key(tmp_path), name="b.parquet")
    read = pd.read_parquet(found.path)
    assert list(read.columns) == list(standard.rows[0])
    for column in (PERSON, "site", "ethnicity"):
        assert list(read[column]) == [row[column] for row in standard.rows]
    assert [str(day)[:10] for day in read["contact_date"]] == [row["contact_date"] for row in standard.rows]
    assert found.manifest["file"]["format"] == "parquet"


@ON_POSIX
def test_file_and_manifest_can_be_opened_by_their_owner_alone(standard):
    done = standard.done
    assert {path.stat().st_mode & 0o777 for path in (done.path, done.manifest_path)} == {0o600}
    left = sorted(path.name for path in done.path.parent.iterdir())
    assert left == ["shared.csv", "shared.deidentified.json"]


def test_what_is_read_is_never_written_over(tmp_path, standard):
    given = service(tmp_path, contacts(9))
    held = (tmp_path / "contacts.csv").read_bytes()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "contacts.csv")
    for path in (tmp_path / "contacts.csv", link):
        fails(OutputError, "read in this run", lambda path=path: eq.deidentify(given, out=path, force=True))
    fails(ConfigError, "neither CSV nor Parquet", lambda: eq.deidentify(given, out=tmp_path / "a.xlsx"))
    fails(OutputError, "exists already", lambda: eq.deidentify(given, out=standard.done.path))
    assert (tmp_path / "contacts.csv").read_bytes() == held


def test_nothing_is_left_behind_where_writing_fails(tmp_path, standard, monkeypatch):
    from equitydata import deidentifying
    from equitydata.records.deidentifying import writing

    frame, small = contacts(60), {"quasi_identifiers": ["ethnicity"], "sensitive": [], "k": 2}

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(deidentifying, "json_bytes", full)
        fails(OutputError, "No space left", lambda: made(tmp_path, frame, **small))
    assert not (tmp_path / "out").exists()
    shutil.copytree(standard.done.path.parent, tmp_path / "out")
    held = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    real, failed = Path.rename, []

    def the_last_move_fails(self, target):
        if self.name == "shared.deidentified.json" and self.parent.name.startswith(".") and not failed:
            failed.append(self)
            full()
        return real(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(writing.Path, "rename", the_last_move_fails)
        fails(OutputError, "No space left", lambda: made(tmp_path, frame, options={"force": True}, **small))
    assert failed and {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == held


@pytest.mark.parametrize("kind", ["frame", "parquet", "duckdb", "sqlite"])
def test_any_source_gives_the_same_file(tmp_path, standard, kind):
    frame, source = standard.frame, standard.frame
    if kind == "parquet":
        source = tmp_path / "contacts.parquet"
        frame.to_parquet(source)
    elif kind == "duckdb":
        with duckdb.connect(str(tmp_path / "base.duckdb")) as base:
            base.register("frame", frame)
            base.execute("create table contacts as select * from frame")
        source = ibis.duckdb.connect(str(tmp_path / "base.duckdb"), read_only=True).table("contacts")
    elif kind == "sqlite":
        with sqlite3.connect(tmp_path / "base.sqlite") as base:
            frame.to_sql("contacts", base, index=False)
        source = ibis.sqlite.connect(tmp_path / "base.sqlite").table("contacts")
    given = service(tmp_path, frame)
    found = eq.deidentify(given, source, out=tmp_path / "out" / "a.csv", key_file=kept_key(tmp_path))
    assert found.path.read_bytes() == standard.done.path.read_bytes()


# ---------------------------------------------------------------- what is told


def test_no_small_number_of_people_is_in_the_manifest(tmp_path):
    frame = contacts()
    few = frame["patient_id"].isin(sorted(set(frame["patient_id"]))[:3])
    frame["gender"] = frame["gender"].replace("9", "1").mask(few, "9")
    told = made(tmp_path, frame, quasi_identifiers=["sex"])[0].manifest
    counts = [told["people"]["before"], told["people"]["after"]]
    counts += [row[name] for row in told["levels"] for name in ("known_before", "known_after")]
    counts += [row[name] for row in told["groups"] for name in ("before", "after")]
    counts += [row[name] for row in told["columns"] for name in ("filled", "shown")]
    assert all(each is None or each == 0 or (each > 7 and each % 5 == 0) for each in counts)
    for name in {row["characteristic"] for row in told["groups"]}:
        hidden = [row["hidden"] for row in told["groups"] if row["characteristic"] == name]
        assert sum(hidden) != 1 or len(hidden) == 1
    assert any(row["hidden"] for row in told["groups"])


def test_a_limit_is_kept_to_or_said_with_what_would_help(tmp_path):
    frame = contacts()
    strict = {"birth_date": "five", "ethnicity": "detailed"}
    error = fails(DisclosureError, "Without the limit on", lambda: made(tmp_path, frame, coarsest=strict))
    assert "suppress_at_most" in error.mend
    fails(ConfigError, "no level 'sixteen'", lambda: made(tmp_path, frame, coarsest={"sex": "sixteen"}))
    fails(DisclosureError, "fewer than 8 people", lambda: made(tmp_path, contacts(people=5)))
    fails(DisclosureError, "'smoker' holds fewer than 9 values", lambda: made(tmp_path, frame, l=9))
    assert not (tmp_path / "out").exists()
    done, rows = made(tmp_path, frame, coarsest={"ethnicity": "groups"})
    level = done.levels.set_index("characteristic").loc["ethnicity", "level"]
    assert level in ("detailed", "larger", "groups") and "ethnicity" in rows[0]


def test_the_command_says_what_was_done_in_words(tmp_path, monkeypatch, capsys):
    frame = contacts()
    frame.to_csv(tmp_path / "contacts.csv", index=False)
    (tmp_path / "service.toml").write_text(
        '[extract]\npath = "contacts.csv"\nperson = "patient_id"\ndate = "contact_date"\n'
        '[characteristics.sex]\ncolumn = "gender"\n[characteristics.ethnicity]\ncolumn = "ethnic_category"\n',
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    assert command("deidentify", "service.toml", "-o", "out/a.csv", "--sensitive", "smoker", "--k", "10") == 0
    said = capsys.readouterr()
    assert f"Rows read {len(frame):,} = written " in said.out
    assert re.search(r"OK    1\d people or more are alike in .*ethnicity", said.out)
    assert "it is personal data still" in " ".join(said.out.split())
    assert "The service file names no quasi_identifiers; taken: sex, ethnicity." in said.out
    assert CANARY not in said.out + said.err
    assert command("deidentify", "service.toml", "--out", "out/a.csv") == 4
    assert command("deidentify", "service.toml", "--by", "colour") == 2
    capsys.readouterr()
    before = sorted(path.name for path in tmp_path.rglob("*"))
    trial = ("deidentify", "service.toml", "--dry-run", "--json", "--key-file", "new.key", "--make-key")
    assert command(*trial) == 0
    assert json.loads(capsys.readouterr().out)["file"] is None
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


# ---------------------------------------------------------------- evidence


def test_the_manifest_of_the_shared_file_decides_the_criterion(tmp_path, standard):
    shutil.copytree(standard.done.path.parent, tmp_path / "out")
    given = service(tmp_path, contacts(60), deidentified="out/shared.deidentified.json")
    found = eq.analyse(given, outcomes=False).maturity.criteria.set_index("criterion_id").loc["S-QUAN-A4"]
    assert (found["outcome"], found["rests_on"]) == ("met", "measured")
    left = ", ".join(standard.done.manifest["protection"]["quasi_identifiers_left"])
    assert left and f"8 people or more are alike in {left}" in found["evidence"]
    path, rulebook = tmp_path / "out" / "shared.deidentified.json", load_rulebook()

    def outcome():
        row = _identifiers({"deidentified": shared_evidence(path, k=8)}, rulebook)
        return row.outcome, row.reason

    (tmp_path / "out" / "shared.csv").write_text("changed", encoding="utf-8")
    assert outcome() == ("not met", "shared.csv is not the file that shared.deidentified.json describes.")
    path.unlink()
    assert outcome()[0] == "not assessed" and "`equitydata deidentify` writes it" in outcome()[1]


def test_a_manifest_holds_only_for_what_it_says(tmp_path, standard):
    path, content = tmp_path / "a.deidentified.json", dict(standard.done.manifest)

    def changed(k=8, **parts):
        path.write_text(json.dumps({**content, **parts}), encoding="utf-8")
        return shared_evidence(path, k=k).outcome

    assert changed() == HOLDS and "kept elsewhere" in shared_evidence(path, k=8).words
    assert changed(k=500) == FAILS
    assert changed(direct_identifiers_left=["a (phone)"]) == FAILS
    for broken in ({"file": None}, {"kind": "something else"}, {"protection": {}}, {"made": "once"}):
        assert changed(**broken) == TELLS_NOTHING
    outside = tmp_path.parent / "outside.csv"
    outside.write_text("a", encoding="utf-8")
    assert changed(file={"name": "../outside.csv", "sha256": "0"}) == HOLDS  # no other folder is looked into
    path.write_text("{", encoding="utf-8")
    assert shared_evidence(path, k=8).outcome == TELLS_NOTHING
