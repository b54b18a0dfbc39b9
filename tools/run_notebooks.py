"""Run the notebooks and keep their outputs, the same bytes each time.

`python tools/run_notebooks.py` runs every notebook of `notebooks/` from top to bottom, each in a process of its own,
and writes its outputs in place. Names or paths choose some of them. With --check nothing is written: what the cells
show now is held against what the file shows, and the exit code is 1 where they differ; notebook and cell are named.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
# A log of runs beside the sample is evidence: the tiers that the notebooks show would differ.
RUN_LOG = ROOT / "sample_data" / "equitydata-runs.jsonl"
SECONDS = 300
AT_ONCE = 2
BEFORE = 40  # letters shown before a difference
# Notebooks hold only what a reader needs: no times, no versions, no names of a machine.
NOTEBOOK_METADATA: Mapping[str, Any] = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
# 1 April 2026: attestations lapse with time, so the day of a rating is fixed.
SETTINGS: Mapping[str, str] = {
    "SOURCE_DATE_EPOCH": "1775001600",
    "PYTHONHASHSEED": "0",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}


class NotebookError(Exception):
    """A notebook that fails, or does not show what it showed, with its name and cell."""


def notebooks(wanted: Sequence[str] = ()) -> list[Path]:
    """The notebooks in order, or those whose path, name or number is given."""
    every = sorted(NOTEBOOKS.glob("*.ipynb"))
    chosen = [path for path in every if not wanted or any(_is_meant(path, each) for each in wanted)]
    if not chosen:
        raise NotebookError(f"No notebook is meant by {', '.join(wanted) or 'an empty folder'}.")
    return chosen


def _is_meant(path: Path, words: str) -> bool:
    return path.name.startswith(Path(words).name)


def executed(path: Path) -> NotebookNode:
    """The notebook with its outputs as they are now; the file is not touched.

    Raises NotebookError naming the cell that fails.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory(prefix="nb") as folder:
        client = NotebookClient(
            notebook,
            km=_kernel(Path(folder)),
            timeout=SECONDS,
            shutdown_kernel="immediate",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(path.parent)}},
        )
        try:
            client.execute(env=_environment(Path(folder)), cleanup_kc=True)
        except CellExecutionError as error:
            words = f"{error.ename}: {error.evalue}"
            raise NotebookError(f"{path.name}, cell {_failing(notebook)}: fails with {words}") from None
    return cleaned(notebook)


def _failing(notebook: NotebookNode) -> int:
    """The place of the cell that failed."""
    failed = (any(each.output_type == "error" for each in cell.get("outputs", [])) for cell in notebook.cells)
    return next(number for number, error in enumerate(failed, start=1) if error)


def _kernel(folder: Path) -> AsyncKernelManager:
    """A kernel of this Python that keeps no history and, where the system can, opens no port."""
    kernel = AsyncKernelManager(kernel_name="python3", connection_file=str(folder / "kernel.json"))
    kernel.kernel_spec.argv = [
        *(sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"),
        "--HistoryManager.enabled=False",
    ]
    if os.name == "posix":
        kernel.transport, kernel.ip = "ipc", str(folder / "kernel")
    return kernel


def _environment(folder: Path) -> dict[str, str]:
    """The environment of a kernel: settings of the one who runs it are left out."""
    own = {"IPYTHONDIR": str(folder / "ipython"), "JUPYTER_CONFIG_DIR": str(folder / "jupyter")}
    return {**os.environ, **SETTINGS, **own}


def cleaned(notebook: NotebookNode) -> NotebookNode:
    """The notebook without what tells of the run: metadata, and execution counts other than 1, 2, 3."""
    notebook.metadata = nbformat.from_dict(dict(NOTEBOOK_METADATA))
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in notebook.cells:
        cell.metadata = NotebookNode()
    for number, cell in enumerate(code, start=1):
        cell.execution_count = number
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = number
            if "metadata" in output:
                output.metadata = NotebookNode()
    return notebook


def written(notebook: NotebookNode) -> str:
    """The text of a notebook file."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def differences(committed: NotebookNode, now: NotebookNode) -> Iterator[str]:
    """Where two runs of one notebook show different things, by cell; execution counts aside."""
    for number, (old, new) in enumerate(zip(committed.cells, now.cells, strict=True), start=1):
        if old.cell_type != "code":
            continue
        for before, after in zip_longest(_shown(old), _shown(new), fillvalue=("nothing", "")):
            if before != after:
                yield f"cell {number}: shows {_difference(before, after)}"


def _shown(cell: NotebookNode) -> list[tuple[str, str]]:
    """What a cell shows: kind and text of every part of its outputs."""
    parts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            parts.append((output.name, output.text))
        elif output.output_type == "error":
            parts.append(("error", output.evalue))
        else:
            parts += sorted((kind, str(text)) for kind, text in output.data.items())
    return parts


def _difference(before: tuple[str, str], after: tuple[str, str]) -> str:
    """The first words that differ, with a few before them."""
    lines = zip_longest(before[1].splitlines(), after[1].splitlines(), fillvalue="(no line)")
    old, new = next(((a, b) for a, b in lines if a != b), ("", ""))
    alike = next((place for place, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
    start = max(0, alike - BEFORE)
    window = slice(start, start + 4 * BEFORE)
    return f"{after[0]} {new[window]!r}, and in the file {before[0]} {old[window]!r}"


def checked(path: Path) -> list[str]:
    """What is wrong with a notebook: a line for each cell that shows something else than the file."""
    try:
        now = executed(path)
    except NotebookError as error:
        return [str(error)]
    return [f"{path.name}, {each}" for each in differences(nbformat.read(path, as_version=4), now)]


def rewritten(path: Path) -> list[str]:
    """Run a notebook and write it; what is wrong with it, if anything."""
    try:
        text = written(executed(path))
    except NotebookError as error:
        return [str(error)]
    path.write_text(text, encoding="utf-8", newline="\n")
    return []


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Run the notebooks and keep their outputs.")
    parser.add_argument("names", nargs="*", help="notebooks to run, by name or number; all when left out")
    parser.add_argument("--check", action="store_true", help="write nothing; compare what the cells show")
    given = parser.parse_args(arguments)
    if RUN_LOG.exists():
        print(
            f"Move {RUN_LOG.name} out of sample_data: it changes the tiers that are shown.", file=sys.stderr
        )
        return 1
    try:
        chosen = notebooks(given.names)
    except NotebookError as error:
        print(error, file=sys.stderr)
        return 1
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        wrong = [line for lines in pool.map(checked if given.check else rewritten, chosen) for line in lines]
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong and given.check:
        print("Where this is meant: python tools/run_notebooks.py", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
