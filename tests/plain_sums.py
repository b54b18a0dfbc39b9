"""Sums over people as `strata` hands them on, made from records by plain pandas; for tests."""

import pandas as pd

SUMS = ["people", "cases", "n", "x", "nn", "nx", "xx"]


def person_sums(records: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """One row per group from records with the columns person, n (denominator), x (numerator or value)."""
    persons = records.groupby([*by, "person"], dropna=False)[["n", "x"]].sum().reset_index()
    persons["people"] = (persons["n"] > 0).astype(float)
    persons["cases"] = (persons["x"] > 0).astype(float)
    persons["nn"] = persons["n"] ** 2
    persons["nx"] = persons["n"] * persons["x"]
    persons["xx"] = persons["x"] ** 2
    return persons.groupby(by, dropna=False)[SUMS].sum().astype(float).reset_index()


def strata_of(
    records: pd.DataFrame,
    *,
    measure: str,
    characteristic: str,
    level: str = "detailed",
    ordered: bool = False,
    status: str = "known",
) -> pd.DataFrame:
    """STRATA of one measure and one characteristic, its categories in the order of their names.

    A record may have its own `status`; then `category` holds the words for it.
    """
    if "status" not in records:
        records = records.assign(status=status)
    frame = person_sums(records, ["status", "category"])
    known = frame["status"] == "known"
    frame["order"] = frame["category"].where(known, "~" + frame["category"]).rank(method="dense").astype(int)
    return frame.assign(
        measure=measure,
        characteristic=characteristic,
        label=characteristic.capitalize(),
        level=level,
        ordered=ordered,
    )


def whole_of(records: pd.DataFrame, *, measure: str) -> pd.DataFrame:
    """The row of everyone."""
    everyone = records.assign(category="Everyone", status="known")
    return strata_of(everyone, measure=measure, characteristic="all", level="all").assign(label="Everyone")


def cells_of(
    records: pd.DataFrame, *, measure: str, characteristic: str, level: str = "detailed"
) -> pd.DataFrame:
    """CELLS of one measure and characteristic; records have age_from and sex too."""
    if "status" not in records:
        records = records.assign(status="known")
    return person_sums(records, ["status", "category", "age_from", "sex"]).assign(
        measure=measure, characteristic=characteristic, level=level
    )


def cells_of_whole(records: pd.DataFrame, *, measure: str) -> pd.DataFrame:
    """CELLS of everyone."""
    everyone = records.assign(category="Everyone", status="known")
    return cells_of(everyone, measure=measure, characteristic="all", level="all")
