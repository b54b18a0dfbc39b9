"""The statistics stand at the bottom of the house: pure, light to import, and every one on its page."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STATS = ROOT / "src" / "equitydata" / "stats"
DOORS = sorted(folder.parent.name for folder in STATS.glob("*/__init__.py"))
MODULES = sorted(STATS.rglob("*.py"))


def imported(path):
    """Modules that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(STATS).as_posix())
def test_a_statistic_imports_nothing_above_it(path):
    for name in imported(path):
        if name.startswith("equitydata"):
            assert name.startswith("equitydata.stats")
        assert name.partition(".")[0] not in ("pandas", "ibis", "duckdb", "matplotlib")


def test_importing_every_door_loads_neither_scipy_nor_statsmodels_nor_pandas():
    doors = "; ".join(f"import equitydata.stats.{door}" for door in DOORS)
    heavy = "sorted({'scipy', 'statsmodels', 'pandas'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {doors}; print({heavy})"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("door", DOORS)
def test_every_public_statistic_is_described_and_on_the_page(door):
    page = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    module = importlib.import_module(f"equitydata.stats.{door}")
    assert module.__all__ == list(dict.fromkeys(module.__all__))
    for name in module.__all__:
        statistic = getattr(module, name)
        assert len(inspect.getdoc(statistic)) > 20
        if inspect.isfunction(statistic):
            assert f"| `{door}` | `{name}` |" in page


def test_every_known_answer_has_a_source():
    import csv

    cases = 0
    for path in sorted((ROOT / "tests" / "known_answers").glob("*.csv")):
        for row in csv.DictReader(path.open(encoding="utf-8")):
            assert row["source"].strip(), path.name
            cases += 1
    assert cases >= 1_000
