"""What is measured side by side, one contender a process: python benchmarks/contenders.py NAME FILE.

scan      the floor: every value of the columns that the audit reads is read once, and nothing else done
audit     equitydata, from the file to the rating
sql       the main tables only, in SQL for DuckDB as a user would write it
pandas    the same main tables in plain pandas
polars    the same in polars

The counts of the equity analysis are in equity.py, with the same contenders: equity-scan, equity (ours),
equity-pandas and equity-polars.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

SERVICE = {
    "service": {"name": "Benchmark", "area": ["E09000025"]},
    "extract": {"person": "patient_id", "date": "contact_date", "point_of_care": "setting", "site": "site"},
    "characteristics": {
        "ethnicity": {
            "column": "ethnic_category",
            "source": {"column": "ethnicity_source", "self_reported": ["PATIENT"], "proxy": ["CARER"]},
        },
        "language": {"column": "language"},
        "sex": {"column": "sex"},
        "age": {"column": "age"},
        "geography": {"column": "lsoa"},
        "religion": {"column": "religion"},
        "disability": {"column": "disability"},
        "sexual_orientation": {"column": "sexual_orientation"},
        "marital_status": {"column": "marital_status"},
        "employment": {"column": "employment"},
    },
}
COLUMNS = [
    "patient_id",
    "contact_date",
    "site",
    "setting",
    "ethnic_category",
    "ethnicity_source",
    "language",
    "sex",
    "age",
    "lsoa",
    "religion",
    "disability",
    "sexual_orientation",
    "marital_status",
    "employment",
]
KNOWN = {
    "ethnic_category": list("ABCDEFGHJKLMNPRS"),
    "language": ["en", "bn", "ur", "pl", "ro", "gu", "ta", "so"],
    "sex": ["1", "2", "9"],
    "religion": list("ABCDEFGHIJKL"),
    "disability": ["01", "02", "NN"],
    "sexual_orientation": ["1", "2", "3"],
    "marital_status": list("SMDWP"),
    "employment": ["01", "02", "08"],
}


def scan(path: Path, columns: Sequence[str] = COLUMNS) -> int:
    """Read every value once: a hash of each column, summed, so that no statistics of the file can stand in."""
    import duckdb

    source = "read_csv(?, all_varchar=true)" if path.suffix == ".csv" else "read_parquet(?)"
    sums = ", ".join(f"sum(hash({column}) % 1000)" for column in columns)
    with duckdb.connect(config={"threads": 2}) as connection:
        return len(connection.execute(f"select {sums} from {source}", [path.as_posix()]).fetchall())


def audit(path: Path) -> int:
    """The audit as a user runs it."""
    import equitydata as eq

    result = eq.analyse(eq.make_service(SERVICE), str(path))
    return int(result.figure("joint_known")["numerator"])


def plain_sql(path: Path) -> int:
    """The main tables by plain SQL: what the engine itself takes, without coding of values, rules or rating."""
    import duckdb

    source = "read_csv(?, all_varchar=true)" if path.suffix == ".csv" else "read_parquet(?)"
    known = {c: f"{c} in ({', '.join(repr(v) for v in codes)})" for c, codes in KNOWN.items()}
    own_first = "(ethnicity_source is not distinct from 'PATIENT', contact_date)"
    orders = dict.fromkeys(known, "contact_date") | {"ethnic_category": own_first}
    best = ", ".join(f"max_by({c}, {orders[c]}) filter ({each}) as {c}" for c, each in known.items())
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("set preserve_insertion_order = false")

        def run(query: str) -> list[tuple]:
            return connection.execute(query, [path.as_posix()] if "?" in query else []).fetchall()

        for each in known.values():
            run(f"select site, {each} as known, count(*) from {source} group by all")
            run(f"select left(contact_date::text, 7), {each} as known, count(*) from {source} group by all")
        run(
            f"""create temp table people as select patient_id, count(*) as contacts, max_by(site, contact_date) as site,
            max_by(setting, contact_date) as setting, max_by(age, contact_date) as age, {best}
            from {source} group by patient_id"""
        )
        run(
            f"""select setting, avg(e::int), avg(l::int) from (select patient_id, setting,
            bool_or({known["ethnic_category"]}) as e, bool_or({known["language"]}) as l
            from {source} group by all) group by all"""
        )
        run(
            f"""select avg(points), avg(names) from (select count(distinct setting) as points,
            count(distinct ethnic_category) as names from {source} where {known["ethnic_category"]}
            group by patient_id)"""
        )
        joint = "ethnic_category is not null and language is not null"
        for by in ("site", "setting", "sex", "age"):
            run(f"select {by}, avg(({joint})::int) from people group by all")
        return int(run(f"select count(*) from people where {joint}")[0][0])


def plain_pandas(path: Path) -> int:
    """Statuses, one value per person, joint share, points of care and breakdowns, as a user would write them."""
    import pandas as pd

    contacts = pd.read_csv(path, dtype=str) if path.suffix == ".csv" else pd.read_parquet(path)
    contacts["contact_date"] = pd.to_datetime(contacts["contact_date"])
    contacts = contacts.sort_values("contact_date")
    people = contacts.groupby("patient_id").agg(
        contacts=("site", "size"),
        site=("site", "last"),
        setting=("setting", "last"),
        age=("age", "last"),
        lsoa=("lsoa", "last"),
        last=("contact_date", "max"),
    )
    for column, codes in KNOWN.items():
        contacts[f"{column}_known"] = contacts[column].isin(codes)
        known = contacts[contacts[f"{column}_known"]]
        if column == "ethnic_category":
            known = known.assign(own=known["ethnicity_source"] == "PATIENT").sort_values(
                ["own", "contact_date"]
            )
        people[column] = known.groupby("patient_id")[column].last()
        contacts.groupby(["site", f"{column}_known"]).size()
        contacts.groupby([contacts["contact_date"].dt.to_period("M"), f"{column}_known"]).size()
    seen = contacts.groupby(["patient_id", "setting"])[["ethnic_category_known", "language_known"]].max()
    seen.groupby("setting").mean()
    known = contacts[contacts["ethnic_category_known"]]
    known.groupby("patient_id").agg(points=("setting", "nunique"), values=("ethnic_category", "nunique"))
    joint = people["ethnic_category"].notna() & people["language"].notna()
    for by in ("site", "setting", "sex", "age"):
        people.assign(joint=joint).groupby(by)["joint"].mean()
    return int(joint.sum())


def plain_polars(path: Path) -> int:
    """The same in polars, lazily."""
    import polars as pl

    contacts = pl.scan_csv(path, infer_schema=False) if path.suffix == ".csv" else pl.scan_parquet(path)
    if path.suffix == ".csv":
        contacts = contacts.with_columns(pl.col("contact_date").str.to_date())
    own = pl.col("ethnicity_source").eq_missing("PATIENT")
    last = [
        pl.col(column)
        .filter(pl.col(column).is_in(codes))
        .sort_by(
            *([own.filter(pl.col(column).is_in(codes))] if column == "ethnic_category" else []),
            pl.col("contact_date").filter(pl.col(column).is_in(codes)),
        )
        .last()
        for column, codes in KNOWN.items()
    ]
    people = contacts.group_by("patient_id").agg(
        pl.len().alias("contacts"),
        pl.col("site").last(),
        pl.col("setting").last(),
        pl.col("age").last(),
        *last,
    )
    known = contacts.with_columns(pl.col(c).is_in(v).alias(f"{c}_known") for c, v in KNOWN.items())
    tables = [
        people,
        *(known.group_by("site", f"{c}_known").len() for c in KNOWN),
        *(known.group_by(pl.col("contact_date").dt.truncate("1mo"), f"{c}_known").len() for c in KNOWN),
        known.group_by("patient_id", "setting")
        .agg(pl.col("ethnic_category_known").max(), pl.col("language_known").max())
        .group_by("setting")
        .agg(pl.col("ethnic_category_known").mean(), pl.col("language_known").mean()),
        known.filter("ethnic_category_known")
        .group_by("patient_id")
        .agg(pl.col("setting").n_unique(), pl.col("ethnic_category").n_unique()),
    ]
    found = pl.collect_all(tables)[0]
    joint = found.with_columns(
        joint=pl.col("ethnic_category").is_not_null() & pl.col("language").is_not_null()
    )
    for by in ("site", "setting", "sex", "age"):
        joint.group_by(by).agg(pl.col("joint").mean())
    return int(joint["joint"].sum())


CONTENDERS = {
    "scan": scan,
    "audit": audit,
    "sql": plain_sql,
    "pandas": plain_pandas,
    "polars": plain_polars,
}


def contender(name: str) -> Callable[[Path], object]:
    """The function of this name; those of the equity analysis are loaded when they are asked for."""
    if not name.startswith("equity"):
        return CONTENDERS[name]
    import equity

    return {
        "equity-scan": equity.scan,
        "equity": equity.analyse,
        "equity-pandas": equity.plain_pandas,
        "equity-polars": equity.plain_polars,
    }[name]


if __name__ == "__main__":
    print(contender(sys.argv[1])(Path(sys.argv[2])))
