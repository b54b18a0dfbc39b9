"""The log of runs: what was analysed when, and what that shows."""

from equitydata.history.log import (
    Run,
    append_run,
    damaged_lines,
    log_of,
    progress_table,
    read_runs,
    run_evidence,
    run_of,
    with_run,
)

__all__ = [
    "Run",
    "append_run",
    "damaged_lines",
    "log_of",
    "progress_table",
    "read_runs",
    "run_evidence",
    "run_of",
    "with_run",
]
