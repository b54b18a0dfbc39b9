"""The fenced blocks of a page: found, run from top to bottom, and held against the output that it shows.

Every block says what it is: `python` and `sh` are run, `toml` is loaded as a service file or a part of one,
`csv NAME` is saved under that name for the blocks below, `text output` is what the block above prints, and
plain `text` is only shown. Commands run in this process (as `python -m equitydata` would), `demo` in one of
its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import equitydata.analysis
from equitydata.cli import main
from equitydata.result import EquityResult
from equitydata.service import Service, make_service

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "sample_data"
# What is shown was rated on this day (1 April 2026), as attestations lapse with time.
EPOCH = "1775001600"
# Lines that set a machine up or run this test itself: shown, not run.
NOT_RUN = frozenset({"pip install uv", "pip install .", "uv run pytest", "uv run python tools/write_docs.py"})
COMMANDS = ("uv run equitydata", "python -m equitydata", "equitydata")
_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)


class ExampleError(Exception):
    """A block that does not do what the page says, with its line."""


@dataclass(frozen=True)
class Block:
    """One fenced block. words : its info string after the language. start, end : of its text in the page."""

    language: str
    words: tuple[str, ...]
    text: str
    start: int
    end: int
    line: int

    @property
    def is_output(self) -> bool:
        return self.language == "text" and self.words == ("output",)


def read_blocks(page: str) -> list[Block]:
    """Every fenced block of a page, in order."""
    blocks = []
    for found in _FENCE.finditer(page):
        language, *words = found["info"].split() or [""]
        line = page.count("\n", 0, found.start()) + 1
        blocks.append(
            Block(language, tuple(words), found["text"], found.start("text"), found.end("text"), line)
        )
    return blocks


def prepare(folder: Path, page: str) -> None:
    """Lay out an analyst's folder: the sample, an extract, and its service file unless the page makes one."""
    (folder / "sample_data").mkdir()
    (folder / "notebooks").mkdir()
    for name in ("contacts.csv", "service.toml"):
        shutil.copy(SAMPLE / name, folder / "sample_data" / name)
    shutil.copy(SAMPLE / "contacts.csv", folder / "contacts.csv")
    if "equitydata init" not in page:
        shutil.copy(SAMPLE / "service.toml", folder / "service.toml")


def run_page(page: str, folder: Path, *, inside: str = ".") -> dict[Block, str]:
    """Run the blocks of a page in a prepared folder; returns what belongs into each block of shown output.

    inside : the folder below it that the page's reader stands in. Raises ExampleError at the first block
    that fails.
    """
    namespace: dict[str, Any] = {"__name__": "example"}
    printed, shown = "", {}
    with contextlib.chdir(folder / inside), mock.patch.dict(os.environ, {"SOURCE_DATE_EPOCH": EPOCH}):
        for block in read_blocks(page):
            if block.is_output:
                shown[block] = _tidy(printed, folder)
                continue
            if block.language not in RUNNERS:
                raise ExampleError(f"line {block.line}: no kind of block is called '{block.language}'")
            try:
                printed = RUNNERS[block.language](block, namespace)
            except Exception as error:
                raise ExampleError(f"line {block.line}: {type(error).__name__}: {error}") from error
    return shown


def with_outputs(page: str, shown: Mapping[Block, str]) -> str:
    """The page with its blocks of output written anew."""
    for block in sorted(shown, key=lambda each: each.start, reverse=True):
        page = page[: block.start] + shown[block] + page[block.end :]
    return page


def _tidy(printed: str, folder: Path) -> str:
    """What was printed, with paths as seen from the folder and no blanks at the ends of lines."""
    for name in (str(folder.resolve()), str(folder)):
        printed = printed.replace(name + os.sep, "")
    return "\n".join(line.rstrip() for line in printed.strip().splitlines()) + "\n"


# ---------------------------------------------------------------- kinds of block


def _run_python(block: Block, namespace: dict[str, Any]) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(block.text, f"<block at line {block.line}>", "exec"), namespace)  # noqa: S102
    return out.getvalue()


def _run_shell(block: Block, namespace: dict[str, Any]) -> str:
    lines = [shlex.split(line, comments=True) for line in block.text.splitlines()]
    return "".join(_run_words(words) for words in lines if words)


def _run_words(words: list[str]) -> str:
    if " ".join(words) in NOT_RUN:
        return ""
    for command in COMMANDS:
        start = command.split()
        if words[: len(start)] == start:
            arguments = words[len(start) :]
            return _run_apart(arguments) if arguments[:1] == ["demo"] else _run_here(arguments)
    raise ExampleError(f"'{' '.join(words)}' is neither run nor known as a line that is only shown")


def _run_here(arguments: list[str]) -> str:
    out, error, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.object(sys, "argv", ["equitydata", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(error),
    ):
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    if code:
        raise ExampleError(f"equitydata {' '.join(arguments)} ends with {code}: {error.getvalue()}")
    return out.getvalue()


def _run_apart(arguments: list[str]) -> str:
    done = subprocess.run(  # noqa: S603 (this interpreter, and words of our own pages)
        [sys.executable, "-m", "equitydata", *arguments], capture_output=True, text=True, encoding="utf-8"
    )
    if done.returncode:
        raise ExampleError(f"equitydata {' '.join(arguments)} ends with {done.returncode}: {done.stderr}")
    return done.stdout


def _load_toml(block: Block, namespace: dict[str, Any]) -> str:
    make_service(tomllib.loads(block.text), text=block.text)
    return _save(block, namespace)


def _save(block: Block, namespace: dict[str, Any]) -> str:
    for name in block.words[:1]:
        Path(name).write_text(block.text, encoding="utf-8")
    return ""


def _parse_json(block: Block, namespace: dict[str, Any]) -> str:
    json.loads(block.text)
    return ""


def _show(block: Block, namespace: dict[str, Any]) -> str:
    return ""


RUNNERS: Mapping[str, Callable[[Block, dict[str, Any]], str]] = {
    "python": _run_python,
    "sh": _run_shell,
    "toml": _load_toml,
    "csv": _save,
    "json": _parse_json,
    "text": _show,
}


# ---------------------------------------------------------------- one run for the same question


@contextlib.contextmanager
def shared_runs() -> Iterator[None]:
    """Within, one service file with one extract is analysed once: pages ask the same question often."""
    real, kept = equitydata.analysis.analyse, {}

    def analyse(service: Service, extract: Any = None, **options: Any) -> EquityResult:
        source = service.folder / str(service.extract.path) if extract is None else extract
        if not isinstance(source, str | Path) or not Path(source).is_file():
            return real(service, extract, **options)
        asked = options.get("as_of"), options.get("outcomes", True)
        key = (service.model_dump_json(), _content(service, source), *asked)
        if key not in kept:
            kept[key] = real(service, extract, **options)
        return kept[key]

    with mock.patch.object(equitydata.analysis, "analyse", analyse):
        yield


def _content(service: Service, extract: str | Path) -> str:
    """Hash of the files that an analysis would read."""
    named = [name for each in service.characteristics.values() for name in (each.code_file, each.map_file)]
    paths = [Path(extract), *(service.folder / name for name in named if name)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
