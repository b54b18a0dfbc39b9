"""The command line, as a person and as another program meet it: what it says, where, and with which exit code.

Most commands run in this process (`run`), which is quicker; what must be seen from outside runs in its own
(`apart`). Values that no output may hold are spelt ZZCANARY.
"""

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from unittest import mock

import duckdb
import ibis
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import equitydata as eq
from equitydata import analysis, console
from equitydata.cli import main
from equitydata.drafting import draft_service
from equitydata.release.released import release
from equitydata.service import Measure

ROOT = Path(__file__).parents[1]
CANARY = "ZZCANARY"


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def run(*arguments):
    """A command in this process."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.object(sys, "argv", ["equitydata", *map(str, arguments)]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
    return Ran(code, out.getvalue(), err.getvalue())


def apart(*arguments, cwd=None, program=("-m", "equitydata"), **options):
    """A command in a process of its own."""
    done = subprocess.run(
        [sys.executable, *program, *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        cwd=cwd,
        timeout=120,
        **options,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


# ---------------------------------------------------------------- a small clinic

PEOPLE, ROWS = 30, 60
SERVICE = """
[service]
name = "Clinic"

[extract]
path = "contacts.csv"
person = "person"
date = "date"
point_of_care = "setting"

[characteristics.ethnicity]
column = "ethnic"

[characteristics.language]
column = "lang"
"""


def contacts():
    """Sixty contacts of thirty people; identifiers, notes and some rare codes are canaries."""
    first = date(2025, 4, 7)
    return pd.DataFrame(
        {
            "person": [f"{CANARY}-P{n % PEOPLE:03d}" for n in range(ROWS)],
            "date": [(first + timedelta(days=5 * n)).isoformat() for n in range(ROWS)],
            "setting": ["Clinic" if n % 2 else "Home" for n in range(ROWS)],
            "ethnic": [f"{CANARY}-E{n}" if n % 20 == 0 else "ACHKN"[n % 5] for n in range(ROWS)],
            "lang": ["en" if n % 3 else "bn" for n in range(ROWS)],
            "notes": [f"{CANARY}-N{n}" for n in range(ROWS)],
        }
    )


def write_clinic(folder, service=SERVICE):
    contacts().to_csv(folder / "contacts.csv", index=False)
    (folder / "service.toml").write_text(service, encoding="utf-8")
    return folder


@pytest.fixture
def clinic(tmp_path, monkeypatch):
    """A folder of its own, and in it."""
    monkeypatch.chdir(tmp_path)
    return write_clinic(tmp_path)


def edited(old, new):
    assert old in SERVICE
    return SERVICE.replace(old, new)


def no_canary(ran, *folders):
    assert CANARY not in ran.out
    assert CANARY not in ran.err
    for folder in folders:
        for file in folder.rglob("*"):
            if file.is_file():
                assert CANARY.encode() not in file.read_bytes(), file.name


def refused(ran, code, *words):
    """One clear message with the mend, the right exit code, nothing on stdout, no traceback, no value."""
    assert ran.code == code, ran
    assert ran.out == ""
    assert ran.err.count("Error: ") == 1
    assert ran.err.count("What to do: ") == 1
    assert "Traceback" not in ran.err
    message = ran.err[ran.err.index("Error: ") :]
    assert len(message.splitlines()) == 2
    for word in words:
        assert word in message, message
    no_canary(ran)


# ---------------------------------------------------------------- the commands


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo, as a newcomer runs it: `python -m equitydata demo`, from another folder."""
    folder = tmp_path_factory.mktemp("elsewhere")
    return apart("demo", cwd=folder), folder / "equitydata-report-demo"


def test_the_demo_runs_from_any_folder_and_says_where_the_report_lies(demo):
    ran, folder = demo
    assert ran.code == 0, ran.err
    assert ran.out.rstrip().endswith(str(folder / "index.html"))
    assert (folder / "index.html").is_file()
    assert {each.name for each in folder.iterdir()} >= {
        "index.html",
        "rating.json",
        "manifest.json",
        "tables",
    }


def test_the_demo_tells_rows_shares_tier_and_next_steps(demo):
    out = demo[0].out
    assert "Community diabetes service (synthetic): 12,000 people" in out
    assert "Rows read 40,290 = used 39,741 + rejected 549" in out
    assert "Data domain: Working towards Fundamental" in out
    assert "  FAIL  Ethnicity and language" in out
    steps = " ".join(out[out.index("What would lift the data domain") :].split())
    assert "1. S-QUAN-F1, S-QUAN-F2 615 more people need both a known ethnicity and a known language" in steps
    assert "Site 8 Telephone hub and Site 7 Custom House" in steps
    assert "Counts of 1 to 7 hidden, others rounded to the nearest 5" in out


def test_results_go_to_stdout_and_progress_to_stderr(demo):
    ran, _ = demo
    assert all(line.endswith("...") for line in ran.err.splitlines())
    assert "Writing the report" in ran.err and "Writing the report" not in ran.out


def test_lines_of_the_screen_are_short_enough_to_read(demo):
    assert max(len(line) for line in demo[0].out.splitlines() if not line.startswith("Report: ")) <= 110


def test_no_word_is_said_twice_and_no_sentence_is_left_open(demo):
    out = demo[0].out
    said = out[out.index("What would lift the data domain") : out.index("Small numbers")]
    words = said.split()
    assert [a for a, b in pairwise(words) if a == b] == []
    assert "values need an" not in said
    assert ". ." not in said and ".." not in said.replace("...", "")


def test_the_demos_own_folder_is_replaced_and_a_real_report_is_not(clinic):
    assert run("analyse", "service.toml", "--out", "real").code == 0
    before = (clinic / "real" / "manifest.json").read_bytes()
    refused(run("demo", "--out", "real"), 4, "already holds a report", "--force")
    assert (clinic / "real" / "manifest.json").read_bytes() == before


def test_init_writes_a_service_file_that_the_other_commands_read(clinic):
    ran = run("init", "contacts.csv", "--out", "drafted.toml", "--name", "My clinic")
    assert ran.code == 0
    assert "2 characteristics found: ethnicity, language" in ran.out
    assert "equitydata check drafted.toml" in ran.out
    assert 'path = "contacts.csv"' in (clinic / "drafted.toml").read_text(encoding="utf-8")
    no_canary(ran)
    assert CANARY not in (clinic / "drafted.toml").read_text(encoding="utf-8")
    rated = run("audit", "drafted.toml", "--json").json
    assert rated["about"]["name"] == "My clinic"
    assert rated["about"]["people"] == PEOPLE


def test_init_names_the_extract_relative_to_the_service_file(clinic):
    (clinic / "inner").mkdir()
    assert run("init", "contacts.csv", "--out", "inner/service.toml").code == 0
    assert 'path = "../contacts.csv"' in (clinic / "inner" / "service.toml").read_text(encoding="utf-8")
    assert run("check", "inner/service.toml").code == 0


def test_init_says_what_it_did_not_find(clinic):
    contacts()[["notes", "setting"]].to_csv(clinic / "bare.csv", index=False)
    ran = run("init", "bare.csv", "--out", "bare.toml")
    assert ran.code == 0
    assert "0 characteristics found" in ran.out
    assert "WARN  no column looked like ethnicity" in ran.out
    assert "WARN  no column looked like language" in ran.out
    assert "WARN  no column tells people apart" in ran.out


def test_init_never_replaces_a_service_file_unasked(clinic):
    refused(run("init", "contacts.csv"), 4, "service.toml", "exists already", "--force")
    assert (clinic / "service.toml").read_text(encoding="utf-8") == SERVICE
    assert run("init", "contacts.csv", "--force").code == 0


@pytest.mark.skipif(os.name != "posix", reason="NOT TESTED: only there files have such rights")
def test_a_service_file_can_be_read_by_whom_new_files_can_be_read(clinic):
    assert run("init", "contacts.csv", "--out", "drafted.toml").code == 0
    (clinic / "plain.toml").write_text("")
    assert (clinic / "drafted.toml").stat().st_mode == (clinic / "plain.toml").stat().st_mode
    assert {each.name for each in clinic.iterdir()} == {
        "contacts.csv",
        "service.toml",
        "drafted.toml",
        "plain.toml",
    }


def test_init_gives_json(clinic):
    ran = run("init", "contacts.csv", "--out", "drafted.toml", "--json")
    assert ran.json == {"service_file": "drafted.toml", "characteristics": ["ethnicity", "language"]}


def test_check_says_how_each_column_was_read_and_writes_nothing(clinic):
    before = set(clinic.iterdir())
    ran = run("check", "service.toml")
    assert ran.code == 0
    assert f"Rows read {ROWS} = used {ROWS} + rejected 0" in ran.out
    assert "OK    language (lang): 100.0% of filled values read, by nhs-language" in ran.out
    assert set(clinic.iterdir()) == before
    no_canary(ran)


def test_check_names_values_that_many_records_hold_and_the_nearest_category(clinic):
    frame = contacts().assign(ethnic=["Bangladehsi"] * 20 + ["A"] * 40)
    frame.to_csv(clinic / "contacts.csv", index=False)
    ran = run("check", "service.toml")
    assert "WARN  ethnicity (ethnic): 66.7% of filled values read" in ran.out
    assert "20  'Bangladehsi'   Nearest category: Bangladeshi." in ran.out
    assert ran.out.count("Nearest") == 1 and "nearest:" not in ran.out


def test_check_gives_json(clinic):
    found = run("check", "service.toml", "--json").json
    assert set(found) == {"intake", "measures", "codes", "identifiers", "notes"}
    assert found["intake"]["rows_used"] == ROWS
    assert {row["characteristic"] for row in found["codes"]} == {"ethnicity", "language"}
    assert CANARY not in json.dumps(found)


def test_audit_shows_each_characteristic_and_writes_nothing_unasked(clinic):
    before = set(clinic.iterdir())
    ran = run("audit", "service.toml")
    assert ran.code == 0
    assert "Clinic: 30 people" in ran.out
    assert "Share of people" in ran.out and "Main or preferred language" in ran.out
    assert set(clinic.iterdir()) == before
    assert run("audit", "service.toml", "--out", "report").code == 0
    assert (clinic / "report" / "index.html").is_file()


def test_analyse_writes_the_report_and_says_where(clinic):
    ran = run("analyse", "service.toml")
    assert ran.code == 0
    assert f"Report: {clinic / 'equitydata-report' / 'index.html'}\n" in ran.out
    assert ran.out.rstrip().endswith("equitydata-runs.jsonl")
    no_canary(ran, clinic / "equitydata-report")
    rated = json.loads((clinic / "equitydata-report" / "rating.json").read_text(encoding="utf-8"))
    assert rated["intake"] == {"rows_read": ROWS, "rows_used": ROWS, "rows_rejected": 0, "rejections": []}


def test_a_second_run_needs_force(clinic):
    assert run("analyse", "service.toml").code == 0
    with mock.patch.object(analysis, "analyse", side_effect=AssertionError("the work was done for nothing")):
        refused(run("analyse", "service.toml"), 4, "already holds a report", "--force")
    assert run("analyse", "service.toml", "--force").code == 0


def test_rate_tells_the_tier_of_every_area(clinic):
    ran = run("rate", "service.toml")
    assert ran.code == 0
    assert (
        "Starting the conversation" in ran.out and "Collecting the right data: quantitative data" in ran.out
    )
    assert "What would lift the data domain" in ran.out


def test_rate_needs_no_extract(clinic):
    day = date.today().isoformat()
    (clinic / "attested.toml").write_text(
        '[service]\nname = "Clinic"\n'
        f'[attestations.S-CONV-F1]\nmet = true\nevidence = "Minutes"\nowner = "Manager"\ndate = {day}\n'
    )
    rated = run("rate", "attested.toml", "--json").json
    met = [each["criterion_id"] for each in rated["criteria"] if each["outcome"] == "met"]
    assert met == ["S-CONV-F1"]


def test_rate_reckons_attestations_on_the_day_given(clinic):
    (clinic / "attested.toml").write_text(
        '[service]\nname = "Clinic"\n'
        '[attestations.S-CONV-F1]\nmet = true\nevidence = "Minutes"\nowner = "Manager"\ndate = 2025-01-10\n'
    )

    def outcome(day):
        rated = run("rate", "attested.toml", "--as-of", day, "--json").json
        return next(each["outcome"] for each in rated["criteria"] if each["criterion_id"] == "S-CONV-F1")

    assert [outcome(day) for day in ("2024-12-31", "2025-06-01", "2027-06-01")] == [
        "not assessed",
        "met",
        "not assessed",
    ]


def test_criteria_are_listed_by_level_and_area():
    whole = run("criteria")
    assert whole.code == 0
    assert "S-QUAN-F1" in whole.out and "S-COPR-F4" in whole.out
    part = run("criteria", "organisation", "--area", "quan")
    assert "O-QUAN-F3" in part.out and "O-COPR" not in part.out
    listed = run("criteria", "--area", "QUAN", "--json").json
    assert len(listed) == 22 and {"criterion_id", "criterion", "how_measured"} <= set(listed[0])
    refused(run("criteria", "servce"), 2, "Did you mean 'service'?")
    refused(run("criteria", "--area", "QUAM"), 2, "Did you mean 'QUA")


def test_reference_tables_are_listed_and_shown_with_their_source():
    names = {row["name"] for row in run("reference", "list", "--json").json}
    assert {"ethnic_group", "main_language"} <= names
    ran = run("reference", "show", "ethnic_group", "--area", "Newham", "--rows", "3")
    assert "Source: Office for National Statistics" in ran.out
    assert "351030" in ran.out
    assert ran.out.rstrip().endswith("more rows")
    table = run("reference", "show", "ethnic_group", "--area", "E09000025", "--json").json
    assert max(row["count"] for row in table) == 351_030
    refused(run("reference", "show", "ethnic_groop"), 2, "Did you mean 'ethnic_group'?")
    refused(run("reference", "show", "ethnic_group", "--area", "Newhm"), 2, "Did you mean 'Newham'?")


def test_the_schema_of_the_service_file_is_json():
    schema = run("config", "schema").json
    assert {"service", "extract", "characteristics", "rules"} <= set(schema["properties"])


@pytest.mark.parametrize("command", ["audit", "analyse", "rate", "demo"])
def test_json_is_the_rating_and_nothing_else(command, clinic):
    with mock.patch("equitydata.reference.sample_folder", return_value=clinic):
        ran = run(command, *([] if command == "demo" else ["service.toml"]), "--json")
    assert ran.code == 0
    assert ran.json["schema_version"] == "1.0"
    assert ran.json["data_domain"]["tier"] == "Working towards Fundamental"
    assert all(line.endswith("...") for line in ran.err.splitlines())
    no_canary(ran)


def test_the_json_on_the_screen_is_the_rating_in_the_folder(clinic):
    ran = run("analyse", "service.toml", "--json", "--out", "report")
    assert ran.json == json.loads((clinic / "report" / "rating.json").read_text(encoding="utf-8"))


def test_an_extract_may_stand_in_place_of_a_service_file(clinic):
    ran = run("audit", "contacts.csv", "--json")
    assert ran.code == 0
    assert "Guessing the columns" in ran.err
    assert ran.json["about"]["people"] == PEOPLE


def test_another_extract_than_the_service_file_names(clinic):
    contacts().head(20).to_csv(clinic / "other.csv", index=False)
    assert run("audit", "service.toml", "--extract", "other.csv", "--json").json["intake"]["rows_read"] == 20


def test_a_small_number_rule_of_the_command_line_holds_for_screen_and_folder(clinic):
    ran = run("analyse", "service.toml", "--disclosure", "none")
    assert "True counts" in ran.out
    rated = json.loads((clinic / "equitydata-report" / "rating.json").read_text(encoding="utf-8"))
    assert rated["disclosure"]["rule"] == "none"
    refused(run("audit", "service.toml", "--disclosure", "nsh"), 2, "Did you mean 'nhs'?")


# ---------------------------------------------------------------- outcomes, profiles, runs, organisations

MEASURED = (
    SERVICE.replace('name = "Clinic"', 'name = "Clinic"\narea = ["E09000025"]')
    + """
[measures.at_home]
label = "Seen at home"
kind = "access"
counts = "contacts"
numerator = { column = "setting", in = ["Home"] }
polarity = "favourable"

[measures.bengali]
label = "Spoke Bengali"
kind = "access"
counts = "people"
person = "latest"
denominator = [{ column = "setting", missing = false }, { column = "person", missing = false }]
numerator = { column = "lang", equals = "bn" }
polarity = "neutral"
"""
)


def busy_clinic(folder, service=MEASURED):
    """Six hundred contacts of three hundred people; Bangladeshi people are seen at home less often."""
    frame = pd.concat([contacts()] * 10, ignore_index=True)
    frame["person"] = [f"{CANARY}-P{n % 300:03d}" for n in range(len(frame))]
    frame["ethnic"] = ["AAHKN"[n % 5] for n in range(len(frame))]
    frame["setting"] = [
        "Home" if n % 2 and (n % 5 != 3 or n % 4 == 1) else "Clinic" for n in range(len(frame))
    ]
    frame.to_csv(folder / "contacts.csv", index=False)
    (folder / "service.toml").write_text(service, encoding="utf-8")
    return folder


@pytest.fixture
def busy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return busy_clinic(tmp_path)


def test_check_says_how_each_measure_was_understood(busy):
    ran = run("check", "service.toml")
    assert ran.code == 0, ran.err
    words = " ".join(ran.out.split())
    assert (
        "OK measure at_home: Seen at home share of contacts; kind access; more of it is favourable "
        "out of: every record met by: setting is one of Home"
    ) in words
    assert (
        "out of: setting is filled and person is filled met by: lang is bn, in their latest record" in words
    )
    assert run("check", "service.toml", "--json").json["measures"]["at_home"]["label"] == "Seen at home"
    no_canary(ran)


def test_check_says_where_no_measure_is_defined(clinic):
    assert "NOTE  no measure is defined under [measures]" in run("check", "service.toml").out


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"value": "wait", "kind": "access"}, "mean of wait, over contacts"),
        ({"value": {"from": "a", "to": "b"}, "quantile": 0.5}, "median of days from a to b, over contacts"),
        ({"value": "wait", "standard": 18}, "met by: wait is at most 18"),
        (
            {"numerator": {"column": "n", "between": [1, 5]}, "person_time": "years"},
            "rate per 1000 of years",
        ),
        ({"numerator": {"column": "n", "not_in": ["x"]}, "per_residents": True}, "per 1000 residents"),
        ({"numerator": {"column": "n", "missing": True}}, "met by: n is blank"),
    ],
)
def test_a_measure_is_put_in_words(keys, words):
    measure = Measure.model_validate({"label": "M", "kind": "access", "polarity": "neutral", **keys})
    assert words in " | ".join(console.measure_words(measure))


def test_analyse_shows_findings_and_the_number_of_comparisons(busy):
    ran = run("analyse", "service.toml")
    assert ran.code == 0, ran.err
    assert "Findings: a prompt to look, not proof of unfairness or cause" in ran.out
    assert "Groups compared with the rest: " in ran.out
    rated = json.loads((busy / "equitydata-report" / "rating.json").read_text(encoding="utf-8"))
    assert [each["measure"] for each in rated["measures"]] == ["at_home", "bengali"]
    no_canary(ran, busy / "equitydata-report")


def test_an_audit_counts_no_outcome(busy):
    rated = run("audit", "service.toml", "--json").json
    assert rated["measures"] == [] and rated["findings"] == [] and rated["comparisons"] == []
    assert not (busy / "equitydata-runs.jsonl").exists()


def test_a_run_is_logged_once_and_not_where_that_is_not_wanted(busy):
    assert run("analyse", "service.toml", "--as-of", "2026-01-05", "--audience", "Service board").code == 0
    log = busy / "equitydata-runs.jsonl"
    assert log.read_text(encoding="utf-8").count("\n") == 1 and "Service board" in log.read_text(
        encoding="utf-8"
    )
    assert run("analyse", "service.toml", "--force", "--no-history").code == 0
    assert log.read_text(encoding="utf-8").count("\n") == 1
    assert run("analyse", "service.toml", "--force", "--as-of", "2026-03-05").code == 0
    shown = run("history", "service.toml")
    assert shown.code == 0 and "Clinic: 2 runs" in shown.out and "2026-03-05" in shown.out
    assert [row["date"] for row in run("history", ".", "--json").json] == ["2026-01-05", "2026-03-05"]
    no_canary(shown)


def test_an_audience_that_could_be_a_person_is_refused_before_the_work(busy):
    with mock.patch.object(analysis, "analyse", side_effect=AssertionError("the work was done for nothing")):
        refused(run("analyse", "service.toml", "--audience", "a.person@example.org"), 2, "--audience", "role")


def test_a_history_without_a_run_says_so(clinic):
    assert "No run is in the log" in run("history", "service.toml").out
    refused(run("history", "nowhere"), 2, "no such file or folder")


def test_a_profile_is_of_one_group_of_two_or_of_the_whole_service(busy):
    one = run("profile", "service.toml", "--group", "ethnicity=bangladeshi")
    assert one.code == 0, one.err
    assert one.out.startswith("# Ethnic group: Bangladeshi") and "Seen at home" in one.out
    found = run("profile", "service.toml", "--group", "ethnicity=Bangladeshi", "--json").json
    assert found["stratum"] == {"ethnicity": "Bangladeshi"} and found["disclosure"] == "nhs"
    whole = run("profile", "service.toml", "--out", "profile.md")
    assert whole.code == 0 and (busy / "profile.md").read_text(encoding="utf-8").startswith("# ")
    refused(run("profile", "service.toml", "--out", "profile.md"), 4, "exists already", "--force")
    no_canary(one)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (("ethnicity",), ("is no group", "--group ethnicity=Bangladeshi")),
        (("ethnicity=Indian", "ethnicity=Irish"), ("named twice",)),
        (("ethnicity=Bangladehsi",), ("Did you mean 'Bangladeshi'",)),
    ],
)
def test_a_group_that_is_not_there_is_told_with_the_nearest(groups, words, busy):
    options = [part for each in groups for part in ("--group", each)]
    refused(run("profile", "service.toml", *options), 2, *words)


def test_services_are_combined_into_their_organisation(busy):
    for name in ("North", "South"):
        text = MEASURED.replace('name = "Clinic"', f'name = "{name}"')
        (busy / f"{name}.toml").write_text(text, encoding="utf-8")
        assert run("analyse", f"{name}.toml", "--out", name, "--no-history").code == 0
    (busy / "org.toml").write_text('[service]\nname = "Trust"\nlevel = "organisation"\n', encoding="utf-8")
    ran = run("combine", "North", "South/rating.json", "--organisation", "org.toml", "--out", "trust")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("Trust\nData domain: ") and "Services combined: 2" in ran.out
    page = (busy / "trust" / "index.html").read_text(encoding="utf-8")
    assert "Services in scope" in page and "North" in page
    found = run("combine", "North", "South", "--rule", "pooled", "--json").json
    assert found["about"]["level"] == "organisation"
    refused(run("combine", "North", "South", "--rule", "al"), 2, "roll_up")
    refused(run("combine", "nowhere"), 2, "no such rating")


def test_a_table_of_residents_is_added_beside_the_service_file(busy):
    rows = "area_code,category,count\nE09000025,Bangladeshi,55000\nE09000025,White British,50000\n"
    (busy / "ours.csv").write_text(rows, encoding="utf-8")
    options = (
        "--characteristic",
        "ethnicity",
        "--date",
        "2023",
        "--source",
        "Council estimate",
        "--title",
        "Ours",
    )
    ran = run("reference", "add", "ours.csv", *options)
    assert ran.code == 0, ran.err
    assert "OK    ours: Ours (2023)" in ran.out and (busy / "reference").is_dir()
    refused(run("reference", "add", "ours.csv", *options), 2, "ours")
    assert (
        run("reference", "add", "ours.csv", *options, "--force", "--json").json["characteristic"]
        == "ethnicity"
    )
    refused(run("reference", "add", "not.csv", "--characteristic", "ethnicity"), 2, "no such file")


# ---------------------------------------------------------------- exit codes and the way the program starts


def test_below_the_tier_asked_for_the_exit_code_is_1(clinic):
    ran = run("audit", "service.toml", "--fail-under", "fundamental")
    assert ran.code == 1
    assert ran.err.rstrip().endswith("FAIL  the data domain is below Fundamental")
    assert "Data domain: Working towards Fundamental" in ran.out
    assert run("rate", "service.toml", "--fail-under", "Intermediate").code == 1
    assert run("audit", "service.toml", "--fail-under", "Working towards Fundamental").code == 0


def test_the_exit_code_is_seen_from_outside(clinic):
    assert apart("audit", "service.toml", "--fail-under", "Fundamental", cwd=clinic).code == 1


def test_a_misspelt_tier_is_refused_before_the_work(clinic):
    with mock.patch.object(analysis, "analyse", side_effect=AssertionError("the work was done for nothing")):
        refused(
            run("audit", "service.toml", "--fail-under", "Fundamentl"),
            2,
            "--fail-under: No tier 'Fundamentl'.",
            "Did you mean 'Fundamental'?",
        )


@pytest.mark.parametrize(
    "arguments",
    [("nosuch",), ("audit",), ("audit", "service.toml", "--nosuch"), ("rate", "--as-of", "1.4.25", "x")],
)
def test_wrong_use_is_told_without_a_traceback(arguments):
    ran = run(*arguments)
    assert ran.code == 2
    assert "Error: " in ran.err and "Traceback" not in ran.err
    assert ran.out == ""


def test_interruption_ends_with_130_and_leaves_no_half_report(clinic):
    with mock.patch.object(analysis, "code_records", side_effect=KeyboardInterrupt):
        ran = run("analyse", "service.toml")
    assert ran.code == 130
    assert "Interrupted" in ran.err and "Traceback" not in ran.err
    assert not (clinic / "equitydata-report").exists()


def test_an_unexpected_error_says_where_it_happened_and_nothing_of_the_data(clinic):
    with mock.patch.object(analysis, "resolve_people", side_effect=ValueError(f"could not convert {CANARY}")):
        ran = run("analyse", "service.toml")
    refused(ran, 3, "a fault of equitydata itself (ValueError in ", ".py, line ", "no data is in them")
    assert not (clinic / "equitydata-report").exists()


def test_too_little_memory_is_told_as_such(clinic):
    with mock.patch.object(analysis, "resolve_people", side_effect=MemoryError):
        refused(run("audit", "service.toml"), 3, "not enough memory", "--memory-limit")


@pytest.mark.skipif(os.name != "posix", reason="NOT TESTED: it needs a shell with pipes")
def test_output_that_nobody_reads_on_ends_quietly():
    program = f"{sys.executable} -m equitydata criteria | head -c 60"
    done = subprocess.run(["bash", "-c", program], capture_output=True, encoding="utf-8", timeout=60)
    assert len(done.stdout) == 60
    assert done.stderr == ""


def test_a_screen_that_cannot_show_a_letter_shows_another(clinic):
    (clinic / "service.toml").write_text(
        SERVICE.replace('"Clinic"', '"Llanfair Siân 中文"'), encoding="utf-8"
    )
    ran = apart("audit", "service.toml", cwd=clinic, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert ran.code == 0 and "Llanfair Si?n ??" in ran.out


def test_version_and_help():
    ran = run("--version")
    assert ran.code == 0 and ran.out == f"equitydata {eq.__version__}\n"
    helped = run("--help")
    assert helped.code == 0
    for command in ("demo", "init", "check", "audit", "analyse", "rate", "criteria", "reference", "config"):
        assert command in helped.out


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["analyse", "--help"], ["reference", "--help"]]
)
def test_help_starts_at_once_and_reads_no_heavy_library(arguments):
    program = (
        "import sys\n"
        "from equitydata.cli import main\n"
        f"sys.argv = ['equitydata', *{arguments!r}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code\n"
        "heavy = {'pandas', 'duckdb', 'ibis', 'numpy', 'pyarrow', 'jinja2', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    ran = apart(program=("-c", program))
    assert ran.code == 0, ran.err


# ---------------------------------------------------------------- bad input: service file

BAD_SERVICE = {
    "missing column": (
        ('column = "ethnic"', 'column = "ethnc"'),
        3,
        "no column 'ethnc'",
        "Did you mean 'ethnic'?",
    ),
    "missing person column": (('person = "person"', 'person = "persn"'), 3, "no column 'persn'", "'person'"),
    "unknown code list": (
        ('column = "ethnic"', 'column = "ethnic"\ncode_list = "nhs-ethnic-category-2002"'),
        2,
        "service.toml, line 13: No code list named 'nhs-ethnic-category-2002'.",
        "Did you mean 'nhs-ethnic-category-2001'?",
    ),
    "unknown rule": (
        ("[extract]", "[rules]\ncount_declind = true\n[extract]"),
        2,
        "[rules]: No rule named 'count_declind'.",
        "Did you mean 'count_declined'?",
    ),
    "unknown key": (
        ('person = "person"', 'persn = "person"'),
        2,
        "service.toml, line 7: Unknown key 'persn' in [extract].",
        "Did you mean 'person'?",
    ),
    "unknown characteristic": (("[characteristics.language]", "[characteristics.langage]"), 2, "'language'?"),
    "unknown authority": (
        ('name = "Clinic"', 'name = "Clinic"\narea = ["Newhm"]'),
        2,
        "No area 'Newhm'",
        "Did you mean 'Newham'?",
    ),
    "period that ends before it begins": (
        ('name = "Clinic"', 'name = "Clinic"\nperiod = { from = 2026-03-31, to = 2025-04-01 }'),
        2,
        "service.toml, line 4: service.period: the period ends before it begins.",
    ),
    "ages out of order": (
        ('name = "Clinic"', 'name = "Clinic"\nages = [120, 18]'),
        2,
        "service.toml, line 4: service.ages: ",
        "[18, 120]",
    ),
    "no toml": (('name = "Clinic"', "name = Clinic"), 2, "service.toml, line 3: Not valid TOML"),
    "missing extract": (('"contacts.csv"', '"contact.csv"'), 3, "no file 'contact.csv'", "'contacts.csv'?"),
    "folder that does not exist": (('"contacts.csv"', '"data/"'), 3, "'data'"),
    "no extract": (('path = "contacts.csv"\n', ""), 2, "[extract]: The service file names no extract."),
}


@pytest.mark.parametrize("fault", BAD_SERVICE)
def test_a_fault_of_the_service_file_is_one_message_with_its_mend(fault, clinic):
    change, code, *says = BAD_SERVICE[fault]
    write_clinic(clinic, edited(*change))
    refused(run("analyse", "service.toml"), code, *says)
    assert not (clinic / "equitydata-report").exists()


def test_a_service_file_that_is_not_there_names_the_nearest(clinic):
    refused(run("audit", "servce.toml"), 2, "There is no such service file.", "Did you mean 'service.toml'?")


# ---------------------------------------------------------------- bad input: extract

GOOD_LINES = contacts().head(20).to_csv(index=False)
BAD_EXTRACT = {
    "empty.csv": (b"", "empty.csv: The file is empty."),
    "header.csv": (GOOD_LINES.splitlines()[0].encode() + b"\n", "The extract has no rows."),
    "bytes.csv": (GOOD_LINES.encode() + b"ZZCANARY,2025-04-01,\x81\x8d,A,en,x\n", "neither UTF-8 (byte "),
    "data.pkl": (b"\x80\x04\x95\x0fZZCANARY.", "data.pkl: This is a Python pickle, which cannot be read."),
    "broken.xlsx": (b"PK\x03\x04ZZCANARY", "broken.xlsx: The workbook is damaged or cut short."),
    "old.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1ZZCANARY" * 100, "old.xls: "),
    "broken.parquet": (b"PAR1ZZCANARY" * 20, "broken.parquet: "),
    "page.csv": (b"<!DOCTYPE html><html><body>ZZCANARY</body></html>\n" * 20, "page.csv: "),
}


@pytest.mark.parametrize("name", BAD_EXTRACT)
def test_an_extract_that_cannot_be_read_rightly_is_refused(name, clinic):
    content, says = BAD_EXTRACT[name]
    (clinic / name).write_bytes(content)
    refused(run("analyse", "service.toml", "--extract", name), 3, says)
    assert not (clinic / "equitydata-report").exists()


def test_an_encoding_that_is_forced_and_wrong_is_told_with_its_place(clinic):
    service = edited('path = "contacts.csv"', 'path = "contacts.csv"\nencoding = "utf-8"')
    write_clinic(clinic, service)
    (clinic / "contacts.csv").write_bytes((GOOD_LINES + "ZZCANARY,2025-04-01,Café,A,en,x\n").encode("cp1252"))
    refused(
        run("audit", "service.toml"), 3, "contacts.csv: The file is not utf-8: byte ", "encoding = 'cp1252'"
    )


def test_ragged_rows_are_counted_with_their_lines(clinic):
    ragged = GOOD_LINES + f"{CANARY},2025-04-01,{CANARY}\n{CANARY},2025-04-01,Home,A,en,x,{CANARY}\n"
    (clinic / "contacts.csv").write_text(ragged)
    ran = run("analyse", "service.toml")
    assert ran.code == 0
    assert "Rows read 22 = used 20 + rejected 2" in ran.out
    assert "          1  line has 3 fields, the header has 6 (line 22)" in ran.out
    assert "          1  line has 7 fields, the header has 6 (line 23)" in ran.out
    no_canary(ran, clinic / "equitydata-report")


def test_ragged_rows_stop_the_run_where_that_is_asked(clinic):
    write_clinic(clinic, edited('path = "contacts.csv"', 'path = "contacts.csv"\nbad_rows = "stop"'))
    ragged = GOOD_LINES + f"{CANARY},2025-04-01,{CANARY}\n{CANARY},2025-04-01,Home,A,en,x,{CANARY}\n"
    (clinic / "contacts.csv").write_text(ragged)
    refused(run("audit", "service.toml"), 3, "contacts.csv: ", "line 22", "line 23")


def test_the_mend_of_damaged_lines_names_the_key_of_the_service_file(clinic):
    write_clinic(clinic, edited('path = "contacts.csv"', 'path = "contacts.csv"\nbad_rows = "stop"'))
    (clinic / "contacts.csv").write_text(GOOD_LINES + "x,2025-04-01\n")
    ran = run("audit", "service.toml")
    assert "bad_rows" in ran.err and "on_bad_rows" not in ran.err


def test_a_missing_extract_names_the_nearest_file(clinic):
    refused(
        run("init", "contact.csv", "--out", "x.toml"),
        3,
        "no file 'contact.csv'",
        "Did you mean 'contacts.csv'?",
    )
    assert not (clinic / "x.toml").exists()


def test_a_database_without_the_table_names_those_it_has(clinic):
    frame = contacts()
    with duckdb.connect(str(clinic / "clinic.duckdb")) as connection:
        connection.execute("CREATE TABLE contacts AS SELECT * FROM frame")
        connection.execute("CREATE TABLE clinics AS SELECT 1 AS one")
    assert len(frame) == ROWS
    write_clinic(
        clinic, edited('path = "contacts.csv"', 'url = "duckdb:///clinic.duckdb"\ntable = "contact"')
    )
    refused(run("audit", "service.toml"), 3, "no table 'contact'", "Did you mean 'contacts'?", "clinics")
    write_clinic(clinic, edited('path = "contacts.csv"', 'url = "duckdb:///clinc.duckdb"'))
    refused(run("audit", "service.toml"), 3, "no database file 'clinc.duckdb'")
    write_clinic(clinic, edited('path = "contacts.csv"', f'url = "https://{CANARY}.example/x.csv"'))
    refused(run("audit", "service.toml"), 2, "Nothing is fetched from a https address.")


# ---------------------------------------------------------------- bad output


def test_an_output_folder_that_is_not_ours_is_left_alone(clinic):
    (clinic / "mine").mkdir()
    (clinic / "mine" / "thesis.txt").write_text("years of work")
    for extra in ((), ("--force",)):
        refused(
            run("analyse", "service.toml", "--out", "mine", *extra), 4, "mine: ", "Choose another folder."
        )
    assert [each.name for each in (clinic / "mine").iterdir()] == ["thesis.txt"]


def test_an_output_folder_that_cannot_be_made_is_refused_before_the_work(clinic):
    with mock.patch.object(analysis, "analyse", side_effect=AssertionError("the work was done for nothing")):
        ran = run("analyse", "service.toml", "--out", "contacts.csv/report")
    refused(ran, 4, "contacts.csv: Nothing can be written there.")


def test_a_file_in_the_place_of_the_output_folder_is_refused(clinic):
    refused(run("analyse", "service.toml", "--out", "contacts.csv"), 4, "There is a file of that name.")


def test_a_service_file_is_not_written_into_a_folder_that_is_not_there(clinic):
    refused(run("init", "contacts.csv", "--out", "nowhere/service.toml"), 4, "Cannot be written")


# ---------------------------------------------------------------- every way to hold the same records

TYPED = pd.DataFrame(
    {
        "person": [1000 + n % 25 for n in range(50)],
        "date": [date(2025, 4, 7) + timedelta(days=5 * n) for n in range(50)],
        "setting": ["Clinic" if n % 2 else "Home" for n in range(50)],
        "ethnic": [("A", "C", "H", "K", "Z", "99", None)[n % 7] for n in range(50)],
        "source": [("PATIENT", "STAFF", None)[n % 3] for n in range(50)],
        "lang": [("en", "bn", None, "und")[n % 4] for n in range(50)],
        "gender": [1 + n % 2 for n in range(50)],
        "age": [18 + n % 25 for n in range(50)],
    }
)
TYPED_SERVICE = {
    "service": {
        "name": "Clinic",
        "ages": [20, 90],
        "period": {"from": date(2025, 4, 1), "to": date(2025, 11, 30)},
    },
    "extract": {"person": "person", "date": "date", "point_of_care": "setting", "table": "contacts"},
    "characteristics": {
        "ethnicity": {
            "column": "ethnic",
            "source": {"column": "source", "self_reported": ["PATIENT"], "priority": ["STAFF"]},
        },
        "language": {"column": "lang"},
        "sex": {"column": "gender", "code_list": "person-stated-gender"},
        "age": {"column": "age"},
    },
    "sharing": {"quasi_identifiers": ["sex", "ethnicity"]},
}


def held_as(form, folder):
    """The typed clinic in one of the forms that are read."""
    if form == "csv":
        TYPED.to_csv(folder / "c.csv", index=False)
        return folder / "c.csv"
    if form == "excel":
        TYPED.to_excel(folder / "c.xlsx", index=False, engine="xlsxwriter")
        return folder / "c.xlsx"
    table = pa.Table.from_pandas(TYPED, preserve_index=False)
    if form == "parquet":
        pq.write_table(table, folder / "c.parquet")
        return folder / "c.parquet"
    if form == "duckdb":
        with duckdb.connect(str(folder / "c.duckdb")) as connection:
            connection.register("held", table)
            connection.execute("CREATE TABLE contacts AS SELECT * FROM held")
        return f"duckdb:///{folder / 'c.duckdb'}"
    if form == "ibis":
        return ibis.memtable(table)
    return {"pandas": TYPED.copy(), "polars": pl.from_arrow(table), "pyarrow": table}[form]


def analysed_without_files(form, folder):
    result = eq.analyse(eq.make_service(TYPED_SERVICE), held_as(form, folder), as_of=date(2026, 1, 1))
    content = json.loads(result.to_json())
    content["intake"].pop("files")
    content["intake"].pop("notes")
    return content


@pytest.fixture(scope="module")
def from_pandas(tmp_path_factory):
    return analysed_without_files("pandas", tmp_path_factory.mktemp("pandas"))


@pytest.mark.parametrize("form", ["csv", "excel", "parquet", "polars", "pyarrow", "ibis", "duckdb"])
def test_the_same_records_give_the_same_result_however_they_are_held(form, from_pandas, tmp_path):
    found = analysed_without_files(form, tmp_path)
    assert found["intake"]["rows_read"] == 50
    assert found["intake"]["rejections"], "some rows lie outside the ages and the period"
    for part in found:
        assert found[part] == from_pandas[part], part


def test_a_report_from_a_database_and_from_a_file_rate_the_same(tmp_path):
    rated = []
    for form in ("csv", "duckdb"):
        source = held_as(form, tmp_path)
        (tmp_path / f"{form}.toml").write_text(
            draft_service(str(source), name="Clinic", path="c.csv" if form == "csv" else ""), encoding="utf-8"
        )
        found = run("audit", tmp_path / f"{form}.toml", "--extract", source, "--json").json
        rated.append({key: part for key, part in found.items() if key != "about"})
    assert rated[0]["areas"] == rated[1]["areas"]
    assert rated[0]["headline"] == rated[1]["headline"]


# ---------------------------------------------------------------- what a small or hidden share says


def few_unknown(unknown, people=400):
    frame = pd.DataFrame({"person": range(people), "ethnic": "A", "lang": "en"})
    frame.loc[: unknown - 1, "lang"] = None
    return frame


def said_of(frame, **rules):
    content = {
        "extract": {"person": "person"},
        "characteristics": {"ethnicity": {"column": "ethnic"}, "language": {"column": "lang"}},
        "rules": rules,
    }
    result = eq.analyse(eq.make_service(content), frame)
    out = io.StringIO()
    with redirect_stdout(out):
        console.print_headline(result, release(result))
    return out.getvalue()


def test_a_share_that_is_hidden_still_says_rightly_whether_it_passes():
    # Three people lack a language: their number is hidden, and with it the share, which is 99.25%.
    said = said_of(few_unknown(3))
    assert "  OK    Ethnicity and language        [c]                 [c]    95.0%" in said


def test_only_the_shares_that_decide_are_marked():
    assert [line[2:6] for line in said_of(few_unknown(40)).splitlines()[6:9]] == ["FAIL", "    ", "    "]
    assert [line[2:6] for line in said_of(few_unknown(40), joint=False).splitlines()[6:9]] == [
        "    ",
        "OK  ",
        "FAIL",
    ]


def test_declined_answers_count_where_the_rules_say_so():
    frame = few_unknown(40)
    frame.loc[frame.index >= 360, "ethnic"] = "Z"
    frame["lang"] = "en"
    assert "FAIL  Ethnicity and language" in said_of(frame)
    said = said_of(frame, count_declined=True)
    assert "OK    Ethnicity and language" in said
    assert "with declined answers not counted as collected" in said


def test_too_few_people_to_judge_are_marked_as_such():
    assert "  FEW   Ethnicity and language" in said_of(few_unknown(9, people=20))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            {
                "what": "a known language",
                "needed": 412.0,
                "unit": "people",
                "places": "most at A and B",
                "action": "Ask.",
            },
            "412 more people need a known language, most at A and B. Ask.",
        ),
        (
            {
                "what": "a known language",
                "needed": None,
                "unit": "people",
                "places": "",
                "action": "",
                "hidden": True,
            },
            "A few more people need a known language.",
        ),
        (
            {"what": "", "needed": None, "unit": "", "places": "", "action": "Attested as not met."},
            "Attested as not met.",
        ),
    ],
)
def test_a_next_step_is_a_sentence(row, words):
    assert console.next_step_words(row) == words


# ---------------------------------------------------------------- identifiers


@pytest.mark.parametrize("duplicates", ["drop", "keep"])
def test_identifiers_are_found_in_columns_that_nothing_uses(duplicates, clinic):
    frame = contacts().assign(email=[f"person{n}@{CANARY}.example" for n in range(ROWS)])
    frame.to_csv(clinic / "contacts.csv", index=False)
    service = edited('person = "person"', f'person = "person"\nduplicates = "{duplicates}"')
    write = service + '\n[sharing]\nquasi_identifiers = ["language"]\n'
    (clinic / "service.toml").write_text(write, encoding="utf-8")
    rated = run("audit", "service.toml", "--json").json
    outcome = next(each for each in rated["criteria"] if each["criterion_id"] == "S-QUAN-A4")
    assert outcome["outcome"] == "not met"
    assert "email" in outcome["reason"]
    ran = run("check", "service.toml")
    assert "WARN  'email' may tell who people are" in ran.out
    no_canary(ran)


# ---------------------------------------------------------------- the front page


def test_every_function_of_the_front_page_can_be_called():
    # All of its modules were read above, as the commands read them; none may stand in a function's way.
    assert [name for name in eq.__all__ if not callable(getattr(eq, name))] == []
