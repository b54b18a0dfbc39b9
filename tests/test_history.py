"""The log of runs: added to whole or not at all, read with its damage named, and what it shows of regular work."""

import datetime
import json
import os
import stat
import threading
import time
from itertools import pairwise

import pandas as pd
import pytest

import equitydata as eq
from equitydata import reference
from equitydata.errors import ConfigError, InputError, OutputError
from equitydata.history import log as history
from equitydata.history.log import (
    LOG_NAME,
    Run,
    append_run,
    damaged_lines,
    log_of,
    progress_table,
    read_runs,
    regularity,
    run_evidence,
    run_of,
    with_run,
)
from equitydata.identifier_patterns import WITHHELD
from equitydata.report.folder import log_run
from equitydata.rulebook import load_rulebook
from equitydata.shown import MET, NOT_ASSESSED, NOT_MET
from equitydata.tables import PROGRESS_TABLE, RUNS_TABLE, empty
from tables_helper import analysed, released_as, table

DAY = datetime.date(2026, 4, 1)
RULES = load_rulebook()


def run(day: str = "2026-03-01", **changes: object) -> Run:
    """A run that met everything, with changes."""
    full = {
        "service": "Clinic",
        "measures": ("did_not_attend", "wait_days"),
        "characteristics": ("ethnicity", "sex"),
        "compared": True,
        "profile": True,
        "report": True,
        "recommendations": 4,
        "audience": "Service board",
        "role": "Analyst",
        "tier": "Fundamental",
        "people": 120,
        "joint_known": 0.9,
    }
    return Run(date=day, **(full | changes))


def log(*runs: Run) -> pd.DataFrame:
    found = empty(RUNS_TABLE)
    for each in runs:
        found = with_run(found, each)
    return found


def shown(*runs: Run, level: str = "service", rules: dict[str, object] | None = None):
    return run_evidence(log(*runs), DAY, load_rulebook(rules), level)


def outcome(criterion: str, *runs: Run, **options: object) -> str:
    return shown(*runs, **options)[criterion].outcome


# ---------------------------------------------------------------- the file


def test_what_is_written_is_read_again(tmp_path):
    first, second = run("2025-04-02"), run("2026-03-01", people=None, joint_known=None, measures=())
    append_run(tmp_path, second)
    path = append_run(tmp_path, first)
    assert path == tmp_path / LOG_NAME
    found = read_runs(tmp_path)
    assert list(found.columns) == list(RUNS_TABLE.columns)
    assert found["date"].tolist() == ["2025-04-02", "2026-03-01"]
    assert found["measures"].tolist() == ["did_not_attend; wait_days", ""]
    assert found["people"].tolist()[0] == 120
    assert found[["people", "joint_known"]].isna().to_numpy().tolist() == [[False, False], [True, True]]
    pd.testing.assert_frame_equal(found, log(first, second), check_dtype=False)
    assert [path.name for path in tmp_path.iterdir()] == [LOG_NAME]


def test_no_log_is_no_run(tmp_path):
    assert read_runs(tmp_path / "no.jsonl").empty
    assert damaged_lines(tmp_path / "no.jsonl") == ()


def test_a_log_may_hold_several_services(tmp_path):
    append_run(tmp_path, run(service="A"))
    append_run(tmp_path, run(service="B"))
    assert len(read_runs(tmp_path)) == 2
    assert read_runs(tmp_path, service="B")["service"].tolist() == ["B"]


def test_damaged_lines_are_named_by_number_kept_and_left_out(tmp_path):
    path = append_run(tmp_path, run())
    good = path.read_bytes()
    bad = b'{"date": "canary"\n[]\n{"log": 1, "service": "A", "date": "2026-02-31"}\n\xff\xfe\n{"joint": NaN}\n\n'
    future = good.replace(b'"log": 1', b'"log": 2')
    path.write_bytes(bad + future + good.rstrip(b"\n"))
    assert len(read_runs(path)) == 1
    named = damaged_lines(path)
    assert [words.split(":")[0] for words in named] == [f"{LOG_NAME}, line {n}" for n in (1, 2, 3, 4, 5, 7)]
    assert "date" in named[2]
    assert "canary" not in "".join(named)
    before = path.read_bytes()
    append_run(path, run())
    assert path.read_bytes().startswith(before + b"\n")
    assert len(read_runs(path)) == 2


def test_keys_of_a_later_version_are_passed_over(tmp_path):
    line = json.loads(append_run(tmp_path, run()).read_text(encoding="utf-8")) | {"new": 1}
    (tmp_path / LOG_NAME).write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert len(read_runs(tmp_path)) == 1


def test_a_write_that_fails_changes_nothing(tmp_path, monkeypatch):
    path = append_run(tmp_path, run())
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        append_run(path, run())
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [LOG_NAME]


def test_runs_at_the_same_time_are_all_kept(tmp_path):
    threads = [threading.Thread(target=append_run, args=(tmp_path, run())) for _ in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(read_runs(tmp_path)) == 12


def test_a_lock_that_a_killed_run_left_is_taken_away_and_a_young_one_waited_for(tmp_path, monkeypatch):
    lock = tmp_path / f".{LOG_NAME}.lock"
    lock.touch()
    monkeypatch.setattr(history, "_WAIT_SECONDS", 0.1)
    with pytest.raises(OutputError, match="another run"):
        append_run(tmp_path, run())
    os.utime(lock, (time.time() - 120, time.time() - 120))
    append_run(tmp_path, run())
    assert not lock.exists()


@pytest.mark.skipif(os.name != "posix", reason="file modes are of POSIX")
def test_the_mode_of_the_file_is_kept(tmp_path):
    path = append_run(tmp_path, run())
    path.chmod(0o600)
    append_run(path, run())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("key", ["audience", "role"])
def test_a_person_is_not_named_in_the_log(tmp_path, key):
    with pytest.raises(ConfigError) as error:
        append_run(tmp_path, run(**{key: "Dr Canary"}))
    assert "Canary" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
    by_hand = run(**{key: "Dr Canary"}).model_dump_json()
    (tmp_path / LOG_NAME).write_text(by_hand, encoding="utf-8")
    assert read_runs(tmp_path)[key].tolist() == [WITHHELD]


def test_a_file_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "MAX_LOG_BYTES", 10)
    with pytest.raises(InputError, match="too large"):
        read_runs(append_run(tmp_path, run()))


def test_the_log_stands_beside_the_service_file_or_where_it_says(tmp_path):
    assert log_of(eq.make_service({}, folder=tmp_path)) == tmp_path / LOG_NAME
    named = eq.make_service({"history": {"path": "logs/a.jsonl"}}, folder=tmp_path)
    assert append_run(log_of(named), run()) == tmp_path / "logs" / "a.jsonl"


# ---------------------------------------------------------------- from a result


def test_a_run_keeps_released_numbers_only(tmp_path):
    service = eq.make_service({"service": {"name": analysed().about.name}}, folder=tmp_path)
    log_run(analysed(), service, date=DAY, report=True, audience=" Board ", role="Analyst")
    found = read_runs(tmp_path).iloc[0]
    assert (found["audience"], found["role"], found["report"]) == ("Board", "Analyst", True)
    assert found["people"] == 90
    true = analysed().figure("joint_known")
    assert found["joint_known"] != true["numerator"] / true["denominator"]
    assert found["joint_known"] == round(true["numerator"] / 5) * 5 / 90
    shown = released_as().findings  # hidden findings are in no report
    expected = len(analysed().maturity.next_steps) + len(shown)
    assert found["recommendations"] == expected
    compared = analysed().representation["ratio"].notna().any()
    assert (found["compared"], found["tier"]) == (compared, analysed().maturity.tier)


def test_measures_and_comparison_are_read_from_the_tables():
    outcomes = table("""
        measure | characteristic | status  | value
        dna     | all            | known   | 0.2
        dna     | ethnicity      | known   | 0.2
        dna     | sex            | known   |
        wait    | age            | missing | 3.0
    """)
    compared = table("""
        of    | ratio
        users | 0.9
    """)
    tables = {**analysed().tables, "outcomes": outcomes, "representation": compared}
    found = run_of(tables, analysed().about, date=DAY)
    assert (found.measures, found.characteristics, found.compared) == (("dna",), ("ethnicity",), True)
    without = {**tables, "representation": compared.assign(ratio=None)}
    assert not run_of(without, analysed().about, date=DAY).compared


# ---------------------------------------------------------------- regularity


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([], False),
        (["2026-03-01"], False),
        (["2026-03-01", "2026-03-01"], False),
        (["2025-03-01", "2026-03-01"], True),
        (["2025-02-28", "2026-03-01"], False),
        (["2025-01-01", "2025-04-01"], True),
        (["2025-01-01", "2025-03-31"], False),
        (["2025-03-01", "2026-04-02"], False),
        (["2020-01-01", "2025-06-01", "2026-01-01"], True),
        (["2023-06-01", "2025-06-01", "2026-01-01"], False),
    ],
)
def test_two_runs_no_gap_over_twelve_months_and_the_last_within_twelve(days, expected):
    runs = log(*(run(day) for day in days))
    assert regularity(runs, DAY, RULES).regular is expected
    assert oracle(days) is expected


def oracle(days: list[str]) -> bool:
    """The same rule, in whole days of the calendar counted apart."""

    def a_year_on(day: datetime.date) -> datetime.date:
        return day.replace(year=day.year + 1)

    since = DAY.replace(year=DAY.year - 3)
    kept = sorted({datetime.date.fromisoformat(day) for day in days})
    kept = [day for day in kept if since <= day <= DAY]
    close = all(later <= a_year_on(earlier) for earlier, later in pairwise(kept))
    return len(kept) >= 2 and close and a_year_on(kept[-1]) >= DAY


def test_regularity_counts_days_gaps_and_age():
    found = regularity(log(run("2025-06-01"), run("2026-03-01"), run("2025-12-01")), DAY, RULES)
    assert (found.days, found.longest_gap, found.age) == (3, 183, 31)
    assert (found.first, found.last) == (datetime.date(2025, 6, 1), datetime.date(2026, 3, 1))
    nothing = regularity(empty(RUNS_TABLE), DAY, RULES)
    assert (nothing.days, nothing.longest_gap, nothing.age, nothing.regular) == (0, None, None, False)


# ---------------------------------------------------------------- evidence


def test_regular_full_runs_show_everything_at_both_levels():
    runs = (run("2025-10-01"), run(role="Service manager"))
    assert {key: each.outcome for key, each in shown(*runs).items()} == dict.fromkeys(
        ["S-ANAL-F3", "S-ANAL-F6", "S-ANAL-A2", "S-QUAN-A2", "S-ACCT-A1", "S-ACCT-A2"], MET
    )
    assert {key: each.outcome for key, each in shown(*runs, level="organisation").items()} == dict.fromkeys(
        ["O-ANAL-F4", "O-ANAL-F7", "O-ANAL-A1", "O-QUAN-A2", "O-ACCT-A1", "O-ACCT-A2"], MET
    )


def test_criteria_of_the_log_are_in_the_matrix():
    known = reference.criteria().set_index("criterion_id")
    for level in ("service", "organisation"):
        for criterion in shown(level=level):
            assert known.loc[criterion, "evidence_type"] == "computed"


def test_an_empty_log_shows_nothing_either_way():
    assert {each.outcome for each in shown().values()} == {NOT_ASSESSED}


@pytest.mark.parametrize(
    ("criterion", "changes", "expected"),
    [
        ("S-ANAL-F3", {"measures": ()}, NOT_ASSESSED),
        ("S-ANAL-F6", {"compared": False}, NOT_ASSESSED),
        ("S-ANAL-A2", {"profile": False}, NOT_ASSESSED),
        ("S-QUAN-A2", {"role": ""}, NOT_ASSESSED),
        ("S-QUAN-A2", {"role": "ANALYST "}, NOT_MET),
        ("S-ACCT-A1", {"report": False}, NOT_ASSESSED),
        ("S-ACCT-A2", {"audience": ""}, NOT_ASSESSED),
        ("S-ACCT-A2", {"recommendations": 0}, NOT_MET),
        ("S-ACCT-A2", {"report": False}, NOT_ASSESSED),
    ],
)
def test_each_check_turns_on_what_the_runs_lack(criterion, changes, expected):
    assert outcome(criterion, run("2025-10-01", **changes), run(**changes)) == expected


@pytest.mark.parametrize("criterion", ["S-ANAL-F6", "S-ANAL-A2", "S-ACCT-A2"])
def test_what_was_done_too_long_ago_is_not_met(criterion):
    assert outcome(criterion, run("2025-04-01")) == MET
    assert outcome(criterion, run("2025-03-31")) == NOT_MET
    assert outcome(criterion, run("2026-04-02")) == NOT_ASSESSED


def test_one_run_is_not_regular_and_says_what_to_do():
    found = shown(run())["S-ANAL-F3"]
    assert found.outcome == NOT_MET
    assert found.evidence == "Runs on 1 day with outcomes by group, the last 31 days before"
    assert found.reason == "Run it on 2 days or more: once is not regular."
    assert outcome("S-ANAL-F3", run(), rules={"regular_runs": 1}) == MET


def test_the_rule_is_told_with_the_values_in_force():
    found = shown(run("2025-10-01"), run(), rules={"regular_months": 9})["S-ANAL-F3"]
    assert found.outcome == MET
    assert "none more than 9 months apart" in found.reason


def test_audits_without_outcomes_do_not_make_analysis_regular():
    assert outcome("S-ANAL-F3", run("2025-10-01", measures=()), run()) == NOT_MET


def test_a_log_older_than_the_look_back_is_not_met():
    found = shown(run("2020-01-01"), run("2020-06-01"))["S-ANAL-F3"]
    assert (found.outcome, found.date) == (NOT_MET, datetime.date(2020, 6, 1))


# ---------------------------------------------------------------- progress


def test_progress_follows_tier_and_joint_share():
    runs = log(
        run("2025-04-01", tier="Working towards Fundamental", joint_known=0.80),
        run("2025-10-01", tier="Fundamental", joint_known=0.70),
        run("2025-10-01", tier="Fundamental", joint_known=0.90),
        run("2026-01-01", tier="Fundamental", joint_known=None),
        run("2026-03-01", tier="Working towards Fundamental", joint_known=0.95, measures=()),
    )
    found = progress_table(runs)
    assert list(found.columns) == list(PROGRESS_TABLE.columns)
    assert found["tier_change"].tolist() == ["", "up", "same", "down"]
    assert found["joint_change"].round(4).fillna(-1).tolist() == [-1, 0.10, -1, -1]
    assert found["joint_since_first"].round(4).fillna(-1).tolist() == [-1, 0.10, -1, 0.15]
    assert found["measures"].tolist() == [2, 2, 2, 0]
    assert found["days_since_previous"].fillna(-1).tolist() == [-1, 183, 92, 59]


def test_progress_of_services_does_not_mix():
    found = progress_table(log(run("2025-04-01", service="B"), run("2025-05-01", service="A")))
    assert found["service"].tolist() == ["A", "B"]
    assert found["tier_change"].tolist() == ["", ""]


def test_progress_of_no_run_is_empty():
    assert progress_table(empty(RUNS_TABLE)).empty
