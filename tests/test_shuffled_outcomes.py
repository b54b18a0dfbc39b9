"""Outcomes of the sample dealt out at random: flags are chance then, and few.

The people, groups and contacts are those of the sample; only who has the outcome is shuffled, 200 times over. All
200 go through one call, each as a measure of its own.
"""

import numpy as np
import pandas as pd
import pytest

from equitydata.comparison.table import comparison_table
from equitydata.rulebook import load_rulebook
from equitydata.service import AnalysisSettings
from equitydata.strata import Strata
from plain_strata import measure
from test_planted_truths import LETTERS
from test_sample_data import sample

SEEDS = 200
MOST = 17  # of 200: at 5%, as many or more come about once in fifty times
KINDS = {
    "contacts": ("attendance", {"5", "6", "3", "7"}, {"3", "7"}),
    "people": ("hba1c_controlled", {"Y", "N"}, {"Y"}),
}


def eligible_records(kind):
    """Contacts of people of known ethnic group that count for an outcome, in a fixed order: person, group, met."""
    column, eligible, met = KINDS[kind]
    rows = [
        (
            contact.row["patient_id"].strip(),
            contact.row["ethnic_category"].strip().upper()[:1],
            contact.row[column],
        )
        for contact in sample().contacts
    ]
    frame = pd.DataFrame(rows, columns=["person", "letter", "value"])
    letters = (
        frame[frame["letter"].isin(list(LETTERS))].drop_duplicates("person").set_index("person")["letter"]
    )
    frame = frame[frame["value"].isin(eligible)].assign(eth=frame["person"].map(letters)).dropna(subset="eth")
    frame = frame.assign(x=frame["value"].isin(met).astype(float))
    if kind == "people":
        frame = frame.groupby(["person", "eth"], as_index=False)["x"].max()
    names, groups = (frame["eth"].map(lambda letter, place=place: LETTERS[letter][place]) for place in (0, 1))
    return frame.assign(eth=names, five=groups)


def shuffled_strata(records):
    """Strata of every shuffle: sums over people by ethnic group, at both levels and for everyone."""
    person, first = np.unique(records["person"], return_inverse=True)[1], records.drop_duplicates("person")
    order = np.argsort(first["person"].to_numpy())
    n = np.bincount(person).astype(float)
    levels = {("ethnicity", "detailed"): "eth", ("ethnicity", "groups"): "five"}
    codes = {
        keys: np.unique(first[column].to_numpy()[order], return_inverse=True)
        for keys, column in levels.items()
    }
    codes["all", "all"] = (np.array(["Everyone"]), np.zeros(len(n), dtype=int))
    chance, rows = np.random.default_rng(20250401), []
    for seed in range(SEEDS):
        x = np.bincount(person, weights=chance.permutation(records["x"].to_numpy()))
        sums = {"people": n > 0, "cases": x > 0, "n": n, "x": x, "nn": n * n, "nx": n * x, "xx": x * x}
        for (characteristic, level), (names, code) in codes.items():
            added = {key: np.bincount(code, weights=each.astype(float)) for key, each in sums.items()}
            frame = pd.DataFrame({"category": names, "order": np.arange(1, len(names) + 1), **added})
            rows.append(frame.assign(measure=f"shuffled_{seed}", characteristic=characteristic, level=level))
    strata = pd.concat(rows, ignore_index=True).assign(label="Ethnic group", ordered=False, status="known")
    nothing = pd.DataFrame()
    cells = strata.assign(age_from=40, sex="Female")
    return Strata(
        strata, cells, nothing, nothing, nothing, nothing, {"ethnicity": "Ethnic group", "all": "Everyone"}
    )


@pytest.mark.parametrize("kind", KINDS)
def test_shuffled_outcomes_raise_a_flag_in_about_one_run_of_twenty(kind):
    records = eligible_records(kind)
    assert len(records) > 9_000
    strata = shuffled_strata(records)
    measures = {name: measure(name, counts=kind)[name] for name in strata.strata["measure"].unique()}
    table = comparison_table(strata, measures, AnalysisSettings(), load_rulebook())
    crude = table[(table["comparator"] == "rest") & (table["adjustment"] == "crude")]
    states = crude["flag"].str.startswith("disproportionate")
    runs = states.groupby(crude["measure"]).any()
    assert len(runs) == SEEDS
    assert runs.sum() <= MOST
    evident = crude["evidence"].astype(bool).groupby(crude["measure"]).any()
    assert 0 < evident.sum() <= MOST, "some chance evidence is met, or nothing was tested"
