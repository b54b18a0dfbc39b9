"""Measure the audit beside a scan of the same file and the plain code a user would write, in one run.

python benchmarks/run.py                     10 million contacts, Parquet and CSV, three rounds
python benchmarks/run.py --rows 1_000_000 --rounds 5 --kinds parquet

Each contender runs in a process of its own, in turn within each round, so that all meet the same machine.
Prints medians of wall time, CPU time and peak memory, and their ratios to the scan.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from generate import generate

HERE = Path(__file__).parent


def measure(name: str, path: Path) -> tuple[float, float, float, str]:
    """Wall seconds, CPU seconds, peak memory in GB, and what the process printed."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, str(HERE / "contenders.py"), name, str(path)], stdout=subprocess.PIPE, text=True
    )
    printed = process.stdout.read().strip() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{name} failed with exit code {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6, printed


def compare(path: Path, names: list[str], rounds: int) -> None:
    """Print one table of medians for one file."""
    results: dict[str, list[tuple[float, float, float, str]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            results[name].append(measure(name, path))
    answers = {runs[0][3] for name, runs in results.items() if name != "scan"}
    print(f"\n{path.name}: {path.stat().st_size / 1e6:,.0f} MB, {rounds} rounds, medians")
    print(f"joint known people: {', '.join(sorted(answers))}")
    print("| contender | wall s | CPU s | peak GB | wall / scan | wall / audit |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    medians = {
        name: [statistics.median(run[k] for run in runs) for k in range(3)] for name, runs in results.items()
    }
    for name, (wall, cpu, memory) in medians.items():
        ratio, against = wall / medians["scan"][0], wall / medians["audit"][0]
        print(f"| {name} | {wall:.1f} | {cpu:.1f} | {memory:.2f} | {ratio:.1f} | {against:.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", default=["parquet", "csv"])
    parser.add_argument("--contenders", nargs="+", default=["scan", "audit", "sql", "polars", "pandas"])
    arguments = parser.parse_args()
    for kind in arguments.kinds:
        file = HERE / "data" / f"contacts-{arguments.rows}.{kind}"
        if not file.exists():
            generate(arguments.rows, file)
        compare(file, arguments.contenders, arguments.rounds)
