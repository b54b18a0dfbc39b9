"""The maintainer's tool that makes the reference tables."""

import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / "tools" / "build_reference.py"
SOURCE = ROOT.parent / "shared" / "reference-data"
CRITERIA = ROOT.parent / "shared" / "criteria.csv"

pytestmark = pytest.mark.skipif(not TOOL.is_file(), reason=f"NOT TESTED: {TOOL.name} is not in this copy")


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_reference", TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules["build_reference"] = module
    spec.loader.exec_module(module)
    return module


def same_maker(first: Path, second: Path) -> bool:
    """Were both Parquet files written by the same version of the library, which signs each file?"""
    return pq.ParquetFile(first).metadata.created_by == pq.ParquetFile(second).metadata.created_by


def test_rebuilding_gives_the_tables_that_are_held(tool: ModuleType, tmp_path: Path):
    if not SOURCE.is_dir():
        pytest.skip(
            "NOT TESTED: ../shared/reference-data is not beside this checkout, nothing to rebuild from"
        )
    catalogue = tool.build_reference(SOURCE, CRITERIA, tmp_path)
    for name in [*catalogue["file"], "catalogue.csv"]:
        made, held = tmp_path / name, ROOT / "reference" / name
        if made.suffix == ".parquet" and not same_maker(made, held):
            pd.testing.assert_frame_equal(pd.read_parquet(made), pd.read_parquet(held))
        else:
            assert made.read_bytes() == held.read_bytes(), name


def test_building_twice_gives_the_same_bytes(tool: ModuleType, tmp_path: Path):
    frame = pd.DataFrame(
        {"code": ["a", "b"], "count": [1, 2], "is_leaf": [True, False], "score": [0.5, 1.25]}
    )
    for suffix in ("parquet", "csv"):
        for name in ("first", "second"):
            tool.write_table(frame, tmp_path / f"{name}.{suffix}")
        assert (tmp_path / f"first.{suffix}").read_bytes() == (tmp_path / f"second.{suffix}").read_bytes()
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "first.parquet"), frame)


def test_a_source_file_that_was_changed_is_refused(tool: ModuleType, tmp_path: Path):
    (tmp_path / "a.csv").write_text("count\n1\n")
    digest = hashlib.sha256((tmp_path / "a.csv").read_bytes()).hexdigest()
    (tmp_path / "MANIFEST.csv").write_text(f"file,sha256\na.csv,{digest}\n")
    tool.check_manifest(tmp_path)
    (tmp_path / "a.csv").write_text("count\n2\n")
    with pytest.raises(SystemExit, match=r"a\.csv"):
        tool.check_manifest(tmp_path)


def test_parents_are_read_from_labels(tool: ModuleType):
    cells = pd.DataFrame(
        {"category_code": ["t", "w", "i", "o"], "category": ["Total: All", "White", "White: Irish", "Other"]}
    )
    found = tool.with_parents(cells)
    assert found["parent_code"].tolist() == ["", "t", "w", "t"]
    assert found["level"].tolist() == [0, 1, 2, 1]


def test_a_cell_is_a_leaf_where_its_area_holds_nothing_below_it(tool: ModuleType):
    cells = tool.with_parents(
        pd.DataFrame({"category_code": ["t", "w", "i"], "category": ["Total: All", "White", "White: Irish"]})
    )
    rows = pd.DataFrame(
        {
            "area_code": ["fine", "fine", "fine", "coarse", "coarse"],
            "category_code": ["t", "w", "i", "t", "w"],
            "count": [5, 5, 5, 7, 7],
            "derivation": "published",
        }
    )
    leaves = tool.finish(rows, cells, "topic").query("is_leaf")
    assert leaves[["area_code", "category_code"]].to_numpy().tolist() == [["coarse", "w"], ["fine", "i"]]


def test_headings_left_out_are_added_as_sums(tool: ModuleType):
    codebook = pd.DataFrame(
        {"category_code": ["1", "2", "3", "4"], "category": ["Total: All", "Owned", "Owned: A", "Owned: B"]}
    )
    rows = pd.DataFrame(
        {
            "area_code": "x",
            "category_code": ["1", "3", "4"],
            "category": ["Total: All", "Owned: A", "Owned: B"],
            "count": [5, 2, 3],
            "derivation": "published",
        }
    )
    added = tool.with_headings(rows, codebook).iloc[-1]
    assert (added["category_code"], added["count"], added["derivation"]) == ("2", 5, "sum_of_leaves")


def test_bands_of_the_census_are_coded_like_all_other_bands(tool: ModuleType):
    labels = pd.Series(["Aged 4 years and under", "Aged 5 to 9 years", "Aged 85 years and over"])
    assert list(tool.census_bands(labels).values()) == ["00-04", "05-09", "85+"]


def test_bands_are_said_in_words(tool: ModuleType):
    assert tool.band_label("00-04") == "Aged 0 to 4 years"
    assert tool.band_label("90+") == "Aged 90 years and over"


def test_notes_of_the_defaults_follow_the_tables_own(tool: ModuleType):
    decided = {
        "defaults": {"census": {"unit": "person", "notes": "Perturbed."}},
        "table": [{"name": "tenure", "defaults": "census", "unit": "household", "notes": "Households."}],
    }
    assert tool.described_tables(decided)[0]["notes"] == "Households. Perturbed."
    assert tool.described_tables(decided)[0]["unit"] == "household"
