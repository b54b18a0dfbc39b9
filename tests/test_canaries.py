"""No value of a record appears in any output, message, traceback or temporary file.

Every cell of every identifier and free-text column of the extracts holds a string of its own (a canary); in the
second extract, so do unknown values of coded columns that single records hold. The commands run in processes of
their own, to success and to failure, with warnings and the log of every library on; then every byte that came out is
searched: both streams, every file, what archives and escapes hide, and what stood in the temporary folder meanwhile.
"""

from __future__ import annotations

import base64
import gzip
import html
import io
import itertools
import json
import os
import random
import re
import signal
import stat
import subprocess
import sys
import time
import traceback
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from unittest import mock

import nhs_number
import pandas as pd
import pytest
from typer.main import get_command

import equitydata as eq
from equitydata import cli
from equitydata.records.engine import SPILL_PREFIX
from equitydata.release.released import release
from equitydata.service import make_service

PEOPLE, ROWS = 150, 300
# In no word of any language, and no part of a hash: letters beyond f.
MARK, PLACE_MARK = "zqxkvjwq", "qjxwvkzp"
NHS_NUMBERS = nhs_number.generate(quantity=PEOPLE, for_region=nhs_number.REGION_SYNTHETIC)
BIRTHS = [date(1931, 1, 3) + timedelta(days=137 * person) for person in range(PEOPLE)]
POSTCODES = [
    f"ZE{p % 9 + 1} {p // 9 % 10}{'ABDEFGHJLN'[p % 10]}{'PQRSTUWXYZ'[p // 10 % 10]}" for p in range(PEOPLE)
]
PHONES = [f"07700 9{person:05d}" for person in range(PEOPLE)]


# ---------------------------------------------------------------- the search

DAYS = {
    form: {day.strftime(form) for day in BIRTHS}
    for form in ("%d/%m/%Y", "%Y-%m-%d", "%Y%m%d", "%d %B %Y", "%d-%b-%Y")
}
_NHS = re.compile(r"(?<!\d)\d{3}[ -]?\d{3}[ -]?\d{4}(?!\d)")
_PHONE = re.compile(r"07700 ?9\d{5}")
_POSTCODE = re.compile(r"ZE\d ?\d[A-Z]{2}")
_DAY = re.compile(r"\b(?:\d\d/\d\d/19\d\d|19\d\d-\d\d-\d\d|19\d{6}|\d\d \w+ 19\d\d|\d\d-\w{3}-19\d\d)\b")
_ALL_NHS, _ALL_POSTCODES = set(NHS_NUMBERS), {each.replace(" ", "") for each in POSTCODES}
_ALL_DAYS = set().union(*DAYS.values())


def encoded(mark: str) -> set[str]:
    """How a mark reads inside base64, wherever it begins, and in hexadecimal."""
    found = {mark.encode().hex(), mark.encode().hex().upper()}
    for form, before in itertools.product((mark, mark.upper(), mark.capitalize()), range(3)):
        text = base64.b64encode(b"\0" * before + form.encode()).decode().rstrip("=")
        # The first and last characters also hold bits of what stands beside.
        found.add(text[-(-before * 8 // 6) : len(text) - 1])
    return found


ENCODED = {mark: encoded(mark) for mark in (MARK, PLACE_MARK)}


def leaks(blob: bytes, marks: Iterable[str] = (MARK,)) -> set[str]:
    """Kinds of canary in some bytes, in whatever form, also inside archives."""
    found = set()
    for content in unpacked(blob):
        text = html.unescape(content.replace(b"\0", b"").decode("utf-8", errors="replace")).replace(
            "\u00a0", " "
        )
        low = text.casefold()
        for mark in marks:
            found |= {"text"} if mark in low else set()
            found |= {"encoded text"} if any(each in text for each in ENCODED[mark]) else set()
        if MARK in marks:
            numbers = {re.sub(r"\D", "", each) for each in _NHS.findall(text)}
            codes = {each.replace(" ", "") for each in _POSTCODE.findall(text.upper())}
            found |= {"NHS number"} if numbers & _ALL_NHS else set()
            found |= {"phone"} if _PHONE.search(text) else set()
            found |= {"postcode"} if codes & _ALL_POSTCODES else set()
            found |= {"birth date"} if set(_DAY.findall(text)) & _ALL_DAYS else set()
    return found


def unpacked(blob: bytes) -> Iterator[bytes]:
    """The bytes as they are, and all that lies packed in them."""
    yield blob
    if blob.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(blob)) as archive:
            for part in archive.infolist():
                yield part.filename.encode()
                yield from unpacked(archive.read(part))
    elif blob.startswith(b"\x1f\x8b"):
        yield from unpacked(gzip.decompress(blob))
    elif blob[:2] in (b"\x78\x9c", b"\x78\x01", b"\x78\xda"):
        yield from unpacked(zlib.decompress(blob))
    if b"\\u" in blob or b"\\x" in blob:
        yield (
            blob.decode("utf-8", errors="replace")
            .encode()
            .decode("unicode_escape", errors="replace")
            .encode()
        )


def test_the_search_sees_a_canary_in_every_form() -> None:
    plain = f"a {MARK}son0007, Given"
    archive, page = io.BytesIO(), f"<td>{plain}</td>"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/sharedStrings.xml", page)
    forms = [
        plain.encode(), plain.upper().encode(), plain.title().encode(), plain.encode("utf-16"), page.encode(),
        gzip.compress(plain.encode()), zlib.compress(plain.encode()), archive.getvalue(),
        gzip.compress(archive.getvalue()), plain.encode().hex().encode(),
        "".join(f"\\u{ord(each):04x}" for each in plain).encode(),
        "".join(f"&#{ord(each)};" for each in plain).encode(),
        *(base64.b64encode(b"x" * before + plain.encode()) for before in range(3)),
        *(base64.b64encode(b"x" * before + plain.upper().encode()) for before in range(3)),
    ]  # fmt: skip
    assert [form for form in forms if not leaks(form)] == []
    number = NHS_NUMBERS[3]
    assert leaks(f"no. {number[:3]} {number[3:6]} {number[6:]}".encode()) == {"NHS number"}
    assert (
        leaks(f"born {BIRTHS[5]:%d/%m/%Y}".encode())
        == leaks(json.dumps([str(BIRTHS[5])]).encode())
        == {"birth date"}
    )
    assert leaks(PHONES[9].encode()) == leaks(PHONES[9].replace(" ", "&nbsp;").encode()) == {"phone"}
    assert (
        leaks(POSTCODES[9].lower().encode()) == leaks(POSTCODES[9].replace(" ", "").encode()) == {"postcode"}
    )
    assert leaks(b"White British, 120 of 300 people, 2025-04-01, Newham E09000025, 1234567890") == set()


# ---------------------------------------------------------------- the extracts


def contacts(*, rare: bool = False, places: bool = False) -> pd.DataFrame:
    """Contacts of PEOPLE people. rare, places : single records hold unknown text in coded columns, or in the site."""
    rows, chance = [], random.Random(7)
    for row in range(ROWS):
        p = row % PEOPLE
        rows.append(
            {
                "patient_id": f"{MARK}-id-{p:04d}",
                "nhs_number": NHS_NUMBERS[p],
                "name": f"{MARK.upper()}SON{p:04d}, {MARK.capitalize()}{p:04d}",
                "address": f"{p + 1} {MARK}{p:04d} Street",
                "postcode": POSTCODES[p],
                "birth_date": f"{BIRTHS[p]:%d/%m/%Y}",
                "email": f"{MARK}{p:04d}@example.org",
                "phone": PHONES[p],
                "notes": f"seen {MARK}-note-{row:04d} & <b>\"quoted\"</b>, 'told' €\U0001f642",
                "contact_date": f"{date(2025, 4, 1) + timedelta(days=row * 7 % 360):%d/%m/%Y}",
                "site": ("North", "South", "East")[p % 3],
                "setting": ("Clinic", "Telephone")[row % 2],
                "ethnic_category": "99" if p % 13 == 0 else "AAAABHJKMNZ"[p % 11],
                "preferred_language": ("en", "en", "en", "bn", "ur")[p % 5],
                "gender": "12"[p % 2],
                "religion": "ABCDL"[p % 5],
                "attendance": "5637"[row % 4],
                "source": ("PATIENT", "STAFF")[row % 2],
                "wait_days": str(chance.randrange(80)),
                "grade": ("Band 5", "Band 6")[p % 2],
            }
        )
    frame = pd.DataFrame(rows)
    for number, column in enumerate(RARE if rare else ["site"] if places else []):
        for row in range(number, ROWS, 12):
            frame.loc[row, column] = f"{PLACE_MARK if places else MARK} {column} {row:04d} <&'\">"
    return frame


RARE = (
    "ethnic_category", "preferred_language", "gender", "religion", "attendance", "source", "wait_days", "grade",
    "contact_date", "birth_date",
)  # fmt: skip
LIGHT = """
[service]
name = "Clinic"
[extract]
path = "{path}"
person = "patient_id"
date = "contact_date"
site = "site"
[characteristics.ethnicity]
column = "ethnic_category"
source = {{ column = "source", self_reported = ["PATIENT"] }}
[characteristics.language]
column = "preferred_language"
[measures.not_attended]
label = "Did not attend"
kind = "access"
counts = "contacts"
denominator = {{ column = "attendance", in = ["5", "6", "3", "7"] }}
numerator = {{ column = "attendance", in = ["3", "7"] }}
polarity = "adverse"
[analysis]
crossings = []
"""
FULL = (
    LIGHT.replace("[extract]", "ages = [18, 120]\n[extract]").replace(
        "[characteristics.ethnicity]",
        'point_of_care = "setting"\nduplicates = "drop"\n[characteristics.ethnicity]',
        1,
    )
    + """
[characteristics.sex]
column = "gender"
[characteristics.birth_date]
column = "birth_date"
[characteristics.postcode]
column = "postcode"
[characteristics.religion]
column = "religion"
[measures.wait]
label = "Wait"
kind = "access"
value = "wait_days"
polarity = "adverse"
"""
)


# ---------------------------------------------------------------- running and watching

# Each command in turn, as `equitydata` would run it; --boom breaks the run in its middle, --kill ends it there.
RUNNER = """
import json, logging, os, signal, sys, time, warnings
logging.basicConfig(level=logging.DEBUG)
warnings.simplefilter("always")
from equitydata import analysis, cli
real = analysis.count_all

def boom(people, rulebook):
    base = people.coded.base
    where = people.coded.engine.connection
    where.con.execute(where.compile(base.mutate(broken=base.patient_id.cast("int64")))).fetchall()

def kill(people, rulebook):
    os.kill(os.getpid(), signal.SIGKILL)

for words in json.loads(sys.argv[1]):
    analysis.count_all = boom if "--boom" in words else kill if "--kill" in words else real
    sys.argv = ["equitydata", *(word for word in words if word not in ("--boom", "--kill"))]
    code = 0
    try:
        cli.main()
    except SystemExit as stop:
        code = stop.code or 0
    print("\\nEXIT", code, words, time.process_time(), flush=True)
"""


@dataclass
class Ran:
    """One process: its folder, exit codes of its commands, and all that came out of it, by where it was."""

    folder: Path
    codes: list[int]
    came_out: dict[str, bytes] = field(default_factory=dict)
    left_in_temporary: tuple[Path, ...] = ()

    def leaks(self, marks: Iterable[str] = (MARK,)) -> dict[str, set[str]]:
        found = {where: leaks(blob, marks) for where, blob in self.came_out.items()}
        return {where: kinds for where, kinds in found.items() if kinds}

    @property
    def words(self) -> str:
        return (self.came_out["stdout"] + self.came_out["stderr"]).decode()


def run_watched(folder: Path, arguments: list[str]) -> Ran:
    """Run Python with its working, home and temporary folders inside one folder, and keep all that comes out."""
    work, places = folder / "work", {name: folder / name for name in ("home", "temporary", "work")}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    given = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    env = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("COV_", "PYTEST_"))},
        "HOME": str(places["home"]), "USERPROFILE": str(places["home"]), "XDG_CACHE_HOME": str(places["home"]),
        "TMPDIR": str(places["temporary"]), "TEMP": str(places["temporary"]), "TMP": str(places["temporary"]),
        "PYTHONWARNINGS": "always", "PYTHONFAULTHANDLER": "1", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    out, err = folder / "stdout", folder / "stderr"
    with out.open("wb") as to_out, err.open("wb") as to_err:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=work, env=env, stdout=to_out, stderr=to_err
        )
        seen = watch(process, places["temporary"], ignored={out, err})
    came_out = {"stdout": out.read_bytes(), "stderr": err.read_bytes()} | seen
    for path in (out, err):
        path.unlink()
    codes = [int(code) for code in re.findall(rb"^EXIT (\d+)", came_out["stdout"], re.MULTILINE)]
    for path in sorted(each for each in folder.rglob("*") if each not in given):
        name = str(path.relative_to(folder))
        came_out[f"name {name}"] = name.encode()
        if path.is_file():
            came_out[name] = path.read_bytes()
    assert {path: path.read_bytes() for path in given} == given, "an input was changed"
    return Ran(folder, codes, came_out, tuple(places["temporary"].iterdir()))


def watch(process: subprocess.Popen[bytes], temporary: Path, *, ignored: set[Path]) -> dict[str, bytes]:
    """What the temporary folder holds, and files without a name that are open, until the process ends."""
    seen: dict[str, bytes] = {}
    descriptors = Path(f"/proc/{process.pid}/fd")
    deadline = time.monotonic() + 240
    while process.poll() is None:
        assert time.monotonic() < deadline, "the process does not end"
        found = [path for path in temporary.rglob("*") if path not in ignored]
        with_no_name = [each for each in listed(descriptors) if is_unnamed_file(each)]
        for path in [*found, *with_no_name]:
            try:
                if path.is_file() and (content := path.read_bytes()):
                    seen[f"meanwhile {path} {zlib.crc32(content)}"] = content
            except OSError:
                continue  # it went in the meantime
        time.sleep(0.05)
    return seen


def listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def is_unnamed_file(descriptor: Path) -> bool:
    try:
        return str(descriptor.readlink()).endswith("(deleted)") and stat.S_ISREG(descriptor.stat().st_mode)
    except OSError:
        return False


# ---------------------------------------------------------------- the runs

PROFILE = ["--group", "ethnicity=White British"]
OUT_OF_PLACE = "plain.csv/report"
RUNS: dict[str, list[tuple[list[str], int]]] = {
    "success": [
        (["init", "plain.csv", "--out", "drafted.toml"], 0),
        (["audit", "plain.toml", "--out", "audited"], 0),
        (["rate", "plain.toml"], 0),
        (["profile", "plain.toml", *PROFILE, "--out", "profile.md"], 0),
        (["history", "plain.toml"], 0),
    ],
    "rare values": [
        (["init", "rare.csv", "--out", "drafted.toml"], 0),
        (["check", "rare.toml", "--json"], 0),
        (["analyse", "rare.toml", "--out", "report"], 0),
        (["deidentify", "rare.toml", "--out", "shared/shared.csv", "--make-key", "--key-file", "key.txt"], 0),
        (["history", "rare.toml"], 0),
    ],
    "failure": [
        (["check", "broken.toml"], 3),
        (["check", "dates.toml"], 3),
        (["check", "headless.toml"], 3),
        (["init", "headless.csv", "--out", "drafted.toml"], 3),
        (["init", "damaged.xlsx", "--out", "drafted.toml"], 3),
        (["init", "damaged.parquet", "--out", "drafted.toml"], 3),
        (["check", "column.toml"], 3),
        (["check", "measure.toml"], 2),
        (["audit", "plain.toml", "--out", OUT_OF_PLACE], 4),
        (["check", "workbook.toml"], 0),
        (["audit", "plain.toml", "--out", "report", "--boom"], 3),
    ],
    "places": [(["audit", "places.toml", "--out", "report"], 0)],
    "killed": [(["audit", "plain.toml", "--out", "report", "--kill"], -signal.SIGKILL)],
}


# The most talkative way to run, where the program has one.
VERBOSE = ["-vv"] if any("-v" in option.opts for option in get_command(cli.app).params) else []


def write_inputs(work: Path) -> None:
    work.mkdir(parents=True)
    plain, rare = contacts(), contacts(rare=True)
    text = plain.to_csv(index=False)
    lines = text.splitlines()
    damaged = [*lines]
    damaged[50] += f",{MARK}extra"
    damaged[60] = f'"{MARK} open ' + damaged[60]
    files: dict[str, str] = {
        "plain.csv": text,
        "rare.csv": rare.to_csv(index=False),
        "places.csv": contacts(places=True).to_csv(index=False),
        "places.toml": LIGHT.format(path="places.csv"),
        "broken.csv": "\n".join(damaged),
        "headless.csv": "\n".join(lines[1:]),
        "dates.csv": re.sub(r"/202[56],", f"/{MARK},", text),
        "plain.toml": LIGHT.format(path="plain.csv"),
        "rare.toml": FULL.format(path="rare.csv"),
        "broken.toml": LIGHT.format(path="broken.csv").replace("path =", 'bad_rows = "stop"\npath ='),
        "headless.toml": LIGHT.format(path="headless.csv"),
        "dates.toml": LIGHT.format(path="dates.csv").replace(
            "[extract]", "period = { from = 2025-04-01 }\n[extract]"
        ),
        "column.toml": LIGHT.format(path="plain.csv").replace('"ethnic_category"', '"ethnicity"'),
        "measure.toml": LIGHT.format(path="plain.csv").replace('column = "attendance"', 'column = "notes"'),
        "workbook.toml": LIGHT.format(path="workbook.xlsx"),
    }
    for name, content in files.items():
        (work / name).write_text(content, encoding="utf-8")
    plain.to_excel(work / "workbook.xlsx", index=False)
    plain.to_parquet(work / "whole.parquet", compression=None)
    for name in ("workbook.xlsx", "whole.parquet"):
        content = (work / name).read_bytes()
        half = len(content) // 2
        (work / f"damaged{Path(name).suffix}").write_bytes(
            content[:half] + f"{MARK} ".encode() * 9 + content[half + 99 :]
        )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """Every process of RUNS, two at a time; then the folder of the killed one is used again."""
    top = tmp_path_factory.mktemp("canaries")
    for name in RUNS:
        write_inputs(top / name / "work")

    def run(name: str) -> Ran:
        return run_watched(
            top / name, ["-c", RUNNER, json.dumps([[*VERBOSE, *words] for words, _ in RUNS[name]])]
        )

    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(RUNS, pool.map(run, RUNS), strict=True))
    again = json.dumps([["check", "plain.toml"]])
    return found | {"after the killed": run_watched(top / "killed", ["-c", RUNNER, again])}


@pytest.mark.parametrize("name", [*RUNS, "after the killed"])
def test_no_canary_comes_out(name: str, runs: dict[str, Ran]) -> None:
    assert runs[name].leaks() == {}


@pytest.mark.parametrize("name", ["success", "rare values", "failure"])
def test_the_commands_went_as_they_should_and_leave_no_temporary_file(
    name: str, runs: dict[str, Ran]
) -> None:
    ran = runs[name]
    asked = {" ".join(words): code for words, code in RUNS[name]}
    assert dict(zip(asked, ran.codes, strict=True)) == asked, ran.words[-3000:]
    assert ran.left_in_temporary == ()
    assert "Traceback" not in ran.words


def test_what_was_asked_for_did_come_out(runs: dict[str, Ran]) -> None:
    """The search would find nothing in empty files either."""
    plain, rare, failed = (runs[name] for name in ("success", "rare values", "failure"))
    assert len(rare.came_out["work/report/index.html"]) > 50_000
    assert len([name for name in rare.came_out if name.startswith("work/report/tables/")]) > 20
    assert rare.came_out["work/equitydata-runs.jsonl"]
    assert b"Clinic" in rare.came_out["stdout"] and b"Warning" in rare.came_out["stderr"]
    assert plain.came_out["work/drafted.toml"] and plain.came_out["work/audited/rating.json"]
    assert "White British" in plain.came_out["work/profile.md"].decode()
    assert "a fault of equitydata itself" in failed.words and "ConversionException" in failed.words
    assert "line 51: line has 21 fields" in failed.words
    assert "Line 1 looks like a record and not like a header" in failed.words


def test_the_key_of_the_pseudonyms_is_in_its_file_alone(runs: dict[str, Ran]) -> None:
    came_out = runs["rare values"].came_out
    key = came_out["work/key.txt"]
    forms = {key, key.strip(), key.hex().encode(), base64.b64encode(key), base64.urlsafe_b64encode(key)}
    assert len(key) >= 32
    assert [name for name, content in came_out.items() if any(form in content for form in forms)] == [
        "work/key.txt"
    ]
    assert len(came_out["work/shared/shared.csv"]) > 5_000


def test_audit_warns_of_each_column_that_looks_like_an_identifier_once(runs: dict[str, Ran]) -> None:
    """Also of those that the service file does not name, by their names alone."""
    out = runs["success"].came_out["stdout"].decode()
    audited = out[: [place.end() for place in re.finditer(r"^EXIT", out, re.MULTILINE)][1]]
    warned = re.findall(r"^WARN  '(\w+)' may tell who people are", audited, re.MULTILINE)
    assert warned == [
        "patient_id",
        "nhs_number",
        "name",
        "address",
        "postcode",
        "birth_date",
        "email",
        "phone",
    ]


def test_no_place_of_a_single_record_is_named(runs: dict[str, Ran]) -> None:
    assert (runs["places"].codes, runs["places"].leaks([PLACE_MARK])) == ([0], {})


@pytest.mark.skipif(os.name != "posix", reason="LOUD: folder modes and SIGKILL are NOT tested here")
def test_a_killed_run_leaves_an_empty_private_folder_which_the_next_run_removes(runs: dict[str, Ran]) -> None:
    killed = runs["killed"]
    assert killed.codes == []
    assert not any(name.startswith("work/report") for name in killed.came_out)
    left = [
        name.removeprefix("name temporary/") for name in killed.came_out if name.startswith("name temporary/")
    ]
    assert left and all(name.startswith(SPILL_PREFIX) for name in left)
    assert not any(name.startswith("temporary/") for name in killed.came_out)
    after = runs["after the killed"]
    assert (after.codes, after.left_in_temporary) == ([0], ())


# ---------------------------------------------------------------- in Python


def light(**changes: object) -> eq.Service:
    import tomllib

    content = tomllib.loads(LIGHT.format(path="plain.csv"))
    return make_service(content | changes)


@pytest.fixture(scope="module")
def result() -> eq.EquityResult:
    return eq.analyse(light(), contacts(rare=True), as_of=date(2026, 4, 1))


def test_a_result_shows_and_saves_no_canary(result: eq.EquityResult) -> None:
    shown = [repr(result), str(result), result._repr_html_(), repr(light())]
    released = release(result)
    shown += [released.to_json(), repr(released), released._repr_html_()]
    shown += [released.table(name).to_csv() + released.table(name).to_html() for name in released.tables]
    assert {kind for text in shown for kind in leaks(text.encode())} == set()


def broken_frames() -> dict[str, tuple[eq.Service, object]]:
    """What a public function cannot take: its error must say so without a value."""
    frame = contacts()
    wait = {"wait": {"label": "Wait", "kind": "access", "value": "notes", "polarity": "adverse"}}
    later = {"service": {"name": "Clinic", "period": {"from": date(2031, 1, 1)}}}
    named = frame.rename(columns={"ethnic_category": PHONES[1]})
    return {
        "text for numbers": (light(measures=wait), frame),
        "text for dates": (light(**later), frame.assign(contact_date=frame["notes"])),
        "objects for dates": (light(**later), frame.assign(contact_date=[{name} for name in frame["name"]])),
        "outside the period": (light(**later), frame),
        "a column named by a phone number": (light(), named),
        "a column twice": (light(), pd.concat([frame, frame[["name"]]], axis=1)),
        "names as levels": (light(), pd.concat({name: frame.head(1) for name in frame["name"][:3]}, axis=1)),
        "dictionaries": (light(), frame.to_dict("records")),
        "a series": (light(), frame["name"]),
    }


@pytest.mark.parametrize("name", broken_frames())
def test_an_error_tells_no_value(name: str) -> None:
    service, frame = broken_frames()[name]
    with pytest.raises(eq.EquityDataError) as caught:
        eq.analyse(service, frame)
    assert leaks(as_told(caught.value).encode()) == set()


def as_told(error: BaseException) -> str:
    """An error as Python shows it, with those that it came from, and all that hangs on them."""
    texts, left = ["".join(traceback.format_exception(error))], [error]
    while left:
        here = left.pop()
        texts += [str(here), repr(here), repr(here.args), "".join(getattr(here, "__notes__", ()))]
        texts += [str(value) for value in vars(here).values()]
        if here.__cause__ is not None:
            left.append(here.__cause__)
        if here.__context__ is not None and not here.__suppress_context__:
            left.append(here.__context__)
    return "\n".join(texts)


def test_a_service_file_that_is_an_extract_tells_no_value(tmp_path: Path) -> None:
    for name, content in {
        "extract.toml": contacts().to_csv(index=False),
        "quoted.toml": "\n".join(f'{MARK}{row} = "{name}"' for row, name in enumerate(contacts()["name"])),
    }.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
        with pytest.raises(eq.ConfigError) as caught:
            eq.load_service(tmp_path / name)
        told = as_told(caught.value)
        assert not any(each in told for each in contacts()["name"]), told


def test_what_looks_like_an_identifier_changes_no_result_unless_it_is_named(result: eq.EquityResult) -> None:
    """The same tables come of an extract that never had those columns."""
    personal = ["nhs_number", "name", "address", "postcode", "birth_date", "email", "phone", "notes"]
    bare = eq.analyse(light(), contacts(rare=True).drop(columns=personal), as_of=date(2026, 4, 1))
    for name in bare.tables:
        if name != "identifiers":
            pd.testing.assert_frame_equal(bare.table(name), result.table(name), check_like=False)


# ---------------------------------------------------------------- a leak is found


def test_a_leak_in_a_process_is_found_wherever_it_is(tmp_path: Path) -> None:
    leaky = """
import logging, os, sys, tempfile, time, warnings
from pathlib import Path
value = Path("plain.csv").read_text(encoding="utf-8").splitlines()[7].split(",")[0]
where = sys.argv[1]
if where == "stdout": print(value.upper())
if where == "stderr": logging.basicConfig(level=logging.DEBUG); logging.debug("read %s", value)
if where == "warning": warnings.warn(value)
if where == "traceback": raise ValueError(value)
if where == "home": Path.home().joinpath("cache").write_text(value)
if where == "name": Path(value).touch()
if where == "unnamed":
    file = tempfile.TemporaryFile(); file.write(value.encode()); file.flush(); time.sleep(1)
if where == "temporary":
    with tempfile.NamedTemporaryFile() as file: file.write(value.encode()); file.flush(); time.sleep(1)
"""
    places = ["stdout", "stderr", "warning", "traceback", "home", "name", "unnamed", "temporary", "nowhere"]
    found = {}
    for place in places:
        (tmp_path / place / "work").mkdir(parents=True)
        contacts().head(20).to_csv(tmp_path / place / "work" / "plain.csv", index=False)
        found[place] = run_watched(tmp_path / place, ["-c", leaky, place]).leaks()
    expected = dict.fromkeys(places, True) | {"nowhere": False}
    if not Path("/proc/self/fd").is_dir():
        expected["unnamed"] = found["unnamed"] != {}  # LOUD: open files without a name are NOT watched here
    assert {place: bool(kinds) for place, kinds in found.items()} == expected


def test_a_leak_of_our_own_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were an unforeseen error shown in the words of the library, the runs above would tell."""
    write_inputs(tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")

    def told(error: Exception) -> None:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(3)

    def broken(people: object, rulebook: object) -> None:
        raise ValueError(f"cannot count {contacts()['name'][5]}")

    monkeypatch.setattr("equitydata.analysis.count_all", broken)
    monkeypatch.setattr(sys, "argv", ["equitydata", "check", "plain.toml"])
    kept, leaked = io.StringIO(), io.StringIO()
    for stream, unexpected in ((kept, cli._unexpected), (leaked, told)):
        with (
            mock.patch.object(cli, "_unexpected", unexpected),
            redirect_stdout(io.StringIO()),
            redirect_stderr(stream),
            pytest.raises(SystemExit),
        ):
            cli.main()
    assert "a fault of equitydata itself" in kept.getvalue()
    assert leaks(kept.getvalue().encode()) == set()
    assert leaks(leaked.getvalue().encode()) == {"text"}
