"""The plain code that the benchmarks measure counts the same in pandas, in polars and by hand."""

import sys
from pathlib import Path

import pandas as pd
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
KEYS = ["characteristic", "category", "category_2", "age", "sex", "quarter"]


@pytest.fixture(scope="module")
def contacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sys.path.insert(0, str(BENCHMARKS))
    from generate import generate

    path = tmp_path_factory.mktemp("benchmarks") / "contacts.parquet"
    generate(20_000, path)
    return path


def tidy(frame: pd.DataFrame) -> pd.DataFrame:
    """Keys as text, so that 1, 1.0 and "1" are one category, and a blank is one too."""
    keys = [key for key in KEYS if key in frame]
    texts = {key: frame[key].map(_text) for key in keys}
    return frame.assign(**texts).set_index(keys).sort_index().sort_index(axis=1).astype(float)


def _text(value: object) -> str:
    if value is None or value != value:
        return "blank"
    return str(int(value)) if isinstance(value, float) else str(value)


def test_the_plain_pandas_and_the_plain_polars_count_the_same(contacts: Path) -> None:
    pytest.importorskip("polars")
    import equity

    ours, theirs = equity.pandas_counts(contacts), equity.polars_counts(contacts)
    assert list(ours) == ["strata", "crossings", "quarters", "pairs"] == list(theirs)
    for name, frame in ours.items():
        pd.testing.assert_frame_equal(tidy(frame), tidy(theirs[name].to_pandas()), check_index_type=False)


def test_the_plain_counts_are_those_of_a_loop_over_the_contacts(contacts: Path) -> None:
    import equity

    counts = equity.pandas_counts(contacts)
    sums: dict[str, list[float]] = {}
    sexes = {}
    for row in pd.read_parquet(contacts).itertuples():
        n, x = sums.setdefault(row.patient_id, [0, 0])
        sums[row.patient_id] = [
            n + (row.attendance in ("3", "5", "6", "7")),
            x + (row.attendance in ("3", "7")),
        ]
        sexes[row.patient_id] = row.sex if row.sex != "X" else None
    women = [sums[person] for person, sex in sexes.items() if sex == "2"]
    here = counts["strata"][counts["strata"]["characteristic"] == "sex"]
    found = here[here["category"] == "2"].filter(like="did_not_attend").sum()
    assert found["people_did_not_attend"] == sum(n > 0 for n, _ in women)
    assert found["nx_did_not_attend"] == sum(n * x for n, x in women)
    assert found["xx_did_not_attend"] == sum(x * x for _, x in women)
    unknown = here[here["category"].isna()].filter(like="did_not_attend").sum()
    assert unknown["n_did_not_attend"] == sum(sums[person][0] for person, sex in sexes.items() if sex is None)


def test_the_service_of_the_benchmark_is_one_that_analyse_takes() -> None:
    sys.path.insert(0, str(BENCHMARKS))
    import equity
    from equitydata.service import make_service

    service = make_service(equity.EQUITY_SERVICE)
    assert (len(service.measures), len(service.analysis.characteristics or ())) == (4, 12)
    assert len(service.analysis.crossings or ()) == 10
    assert [measure.statistic for measure in service.measures.values()] == ["share", "share", "mean", "share"]
