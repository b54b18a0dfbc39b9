"""Any extract, and public files as their owners publish them: each shared file is counted again by plain loops."""

import csv
import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import equitydata as eq
from deidentify_helper import PERSON, command, grouped_by
from equitydata.errors import DisclosureError, InputError
from plain_deidentify import fewest_people, fewest_values, groups_of_each_person, read_rows, smallest_group

DATA = Path(__file__).resolve().parents[2] / "shared" / "real-data"
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "patient_id": st.one_of(st.integers(0, 25).map(lambda n: f"P{n}"), st.just("")),
            "contact_date": st.sampled_from(["01/04/2025", "2025-05-02", "", "no date"]),
            "gender": st.sampled_from(["1", "2", "", "X", "?"]),
            "ethnic_category": st.sampled_from(["A", "B", "H", "Z", "", "BAME"]),
            "age": st.sampled_from(["1", "17", "40", "41", "90", "", "old"]),
            "result": st.sampled_from(["Y", "N", "", "=x"]),
            "amount": st.integers(0, 200).map(str),
        }
    ),
    min_size=1,
    max_size=150,
)


@given(ROWS, st.integers(2, 6), st.integers(1, 2), st.sampled_from([0.0, 0.1, 1.0]), st.booleans())
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_extract_gives_a_safe_file_or_a_clear_error(tmp_path_factory, rows, k, variety, most, has_person):
    folder = tmp_path_factory.mktemp("any")
    pd.DataFrame(rows).to_csv(folder / "contacts.csv", index=False)
    person = {"person": "patient_id"} if has_person else {}
    asked = eq.make_service(
        {
            "extract": {"path": "contacts.csv", "date": "contact_date", **person},
            "characteristics": {
                "sex": {"column": "gender"},
                "ethnicity": {"column": "ethnic_category"},
                "age": {"column": "age"},
            },
            "sharing": {
                "quasi_identifiers": ["sex", "ethnicity", "age"],
                "sensitive": ["result"],
                "keep": ["amount"],
                "suppress_at_most": most,
                "k": k,
                "l": variety,
            },
        },
        folder=folder,
    )
    try:
        done = eq.deidentify(asked, out=folder / "out" / "a.csv")
    except (DisclosureError, InputError):
        assert not (folder / "out").exists()
        return
    found, by = read_rows(done.path), grouped_by(done)
    told = done.manifest["rows"]
    assert told["read"] == len(rows) == len(found) + sum(each["rows"] for each in told["left_out"])
    assert smallest_group(found, by, person=PERSON if has_person else None) >= k
    assert fewest_values(found, by, "result") >= variety
    if has_person:
        assert groups_of_each_person(found, by, PERSON) == 1
        for column in {"result", "contact_date", "amount"} & set(found[0]):
            least = fewest_people(found, column, PERSON)
            assert least is None or least >= k


# ---------------------------------------------------------------- public files

PUBLIC = {
    "Leicestershire": ("police-stop-search", "leicestershire_2020-04_2021-03.csv"),
    "accident and emergency": ("hes-artificial", "artificial_hes_ae_0708_truncated.csv"),
    "diabetes": ("diabetes-130", "diabetic_data.csv.gz"),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_public_files_are_made_safe(tmp_path, name):
    path = DATA.joinpath(*PUBLIC[name])
    if not path.is_file():
        pytest.skip(f"NOT TESTED: the public file {'/'.join(PUBLIC[name])} is not on this machine")
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        assert command("init", str(path), "--out", str(tmp_path / "service.toml")) == 0
    asked = eq.load_service(tmp_path / "service.toml")
    quasi = [each for each in ("ethnicity", "sex", "age") if each in asked.characteristics]
    done = eq.deidentify(asked, out=tmp_path / "out" / "a.csv", quasi_identifiers=quasi)
    rows, by = read_rows(done.path), grouped_by(done)
    told = done.manifest["rows"]
    assert told["written"] == len(rows) > 0.97 * told["read"]
    assert told["read"] == len(rows) + sum(each["rows"] for each in told["left_out"])
    person = asked.extract.person
    assert by and smallest_group(rows, by, person=PERSON if person else None) >= 8
    if person and path.suffix == ".csv":
        numbers = column_of(path, person)
        assert numbers and not numbers & {cell for row in rows for cell in row.values()}


def column_of(path, column):
    """The filled values of one column of a public file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        delimiter = max(",|\t;", key=first.count)
        return {row[column] for row in csv.DictReader(file, delimiter=delimiter)} - {"", None}
