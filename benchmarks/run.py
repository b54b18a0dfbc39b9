"""Measure equitydata beside a scan of the same file and the plain code a user would write, in one run.

python benchmarks/run.py                     the audit, 10 million contacts, Parquet and CSV, three rounds
python benchmarks/run.py --job equity        the equity analysis instead
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
from dataclasses import dataclass
from pathlib import Path

from generate import generate

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Job:
    """What is measured: the floor, ours, the plain code, and what the number is that all print."""

    scan: str
    ours: str
    plain: tuple[str, ...]
    answer: str


JOBS = {
    "audit": Job("scan", "audit", ("sql", "polars", "pandas"), "joint known people"),
    "equity": Job(
        "equity-scan",
        "equity",
        ("equity-polars", "equity-pandas"),
        "contacts not attended, of people of known ethnicity",
    ),
}


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


def compare(path: Path, job: Job, names: list[str], rounds: int) -> None:
    """Print one table of medians for one file."""
    results: dict[str, list[tuple[float, float, float, str]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            results[name].append(measure(name, path))
    answers = {runs[0][3] for name, runs in results.items() if name != job.scan}
    print(f"\n{path.name}: {path.stat().st_size / 1e6:,.0f} MB, {rounds} rounds, medians")
    print(f"{job.answer}: {', '.join(sorted(answers))}")
    print("| contender | wall s | CPU s | peak GB | wall / scan | wall / ours |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    medians = {
        name: [statistics.median(run[k] for run in runs) for k in range(3)] for name, runs in results.items()
    }
    for name, (wall, cpu, memory) in medians.items():
        ratio, against = (
            wall / medians[base][0] if base in medians else float("nan") for base in (job.scan, job.ours)
        )
        print(f"| {name} | {wall:.1f} | {cpu:.1f} | {memory:.2f} | {ratio:.1f} | {against:.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--job", choices=JOBS, default="audit")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", default=["parquet", "csv"])
    parser.add_argument("--contenders", nargs="+", help="all of the job when left out")
    arguments = parser.parse_args()
    job = JOBS[arguments.job]
    for kind in arguments.kinds:
        file = HERE / "data" / f"contacts-{arguments.rows}.{kind}"
        # Made anew where the generator has changed since, so that no column is missing.
        if not file.exists() or file.stat().st_mtime < (HERE / "generate.py").stat().st_mtime:
            generate(arguments.rows, file)
        compare(file, job, arguments.contenders or [job.scan, job.ours, *job.plain], arguments.rounds)
