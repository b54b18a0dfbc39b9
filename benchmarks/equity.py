"""The counts of the equity analysis, as equitydata and as a user of pandas or polars would make them.

Four measures (a share of contacts, a share of people, a mean, a share within a standard), 12 characteristics, 10
crossings, quarters. The plain code takes one value a person (the most recent known one), adds up each person's
contacts, and counts every group: people, people with the outcome, n and x, and the sums of their squares and products
that limits need where people come back. It codes no value, knows no rule, and works nothing out from its counts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from contenders import COLUMNS, KNOWN, SERVICE

OUTCOME_COLUMNS = ["interpreter", "attendance", "result", "wait_days", "admitted"]
MEASURES = {
    "did_not_attend": {
        "label": "Did not attend",
        "kind": "access",
        "denominator": {"column": "attendance", "in": ["3", "5", "6", "7"]},
        "numerator": {"column": "attendance", "in": ["3", "7"]},
        "polarity": "adverse",
    },
    "positive": {
        "label": "People with a positive result",
        "kind": "outcome",
        "counts": "people",
        "denominator": {"column": "result", "in": ["Y", "N"]},
        "numerator": {"column": "result", "equals": "Y"},
        "polarity": "neutral",
    },
    "wait": {"label": "Days waited", "kind": "access", "value": "wait_days", "polarity": "adverse"},
    "in_time": {
        "label": "Admitted within 42 days",
        "kind": "access",
        "denominator": {"column": "admitted", "equals": "1"},
        "value": "wait_days",
        "standard": 42,
        "polarity": "favourable",
    },
}
# The name in the service file, and the column of the plain code.
CHARACTERISTICS = {
    "ethnicity": "ethnic_category",
    "language": "language",
    "sex": "sex",
    "age": "age_band",
    "geography": "lsoa",
    "deprivation": "decile",
    "religion": "religion",
    "disability": "disability",
    "sexual_orientation": "sexual_orientation",
    "marital_status": "marital_status",
    "employment": "employment",
    "interpreter_needed": "interpreter",
}
CROSSINGS = [
    ("ethnicity", "sex"),
    ("ethnicity", "deprivation"),
    ("ethnicity", "age"),
    ("ethnicity", "religion"),
    ("ethnicity", "disability"),
    ("language", "sex"),
    ("religion", "sex"),
    ("disability", "sex"),
    ("sexual_orientation", "sex"),
    ("employment", "sex"),
]
TREND_BY = ["ethnicity", "language", "sex", "age", "deprivation", "disability"]
EQUITY_SERVICE: dict[str, Any] = {
    **SERVICE,
    "characteristics": {**SERVICE["characteristics"], "interpreter_needed": {"column": "interpreter"}},
    "measures": MEASURES,
    "analysis": {
        "characteristics": list(CHARACTERISTICS),
        "crossings": [f"{first} x {second}" for first, second in CROSSINGS],
        "trend_by": TREND_BY,
    },
}
LAST_KNOWN = {**KNOWN, "interpreter": ["Y", "N"]}
ETHNIC = "ethnic_category"
AGE_BANDS = [0, 1, 5, 10, 16, 18, 25, 35, 45, 55, 65, 75, 85]
DECILES = Path(__file__).parents[1] / "reference" / "deprivation" / "imd2019_lsoa11.parquet"
# n and x of each measure; of a share of people each person counts once.
SUMMED = [f"{side}_{name}" for name in MEASURES for side in ("n", "x") if name != "positive"]
ONCE = ["n_positive", "x_positive"]
ENDS = ("n0n1", "n0x1", "x0n1", "x0x1")


def scan(path: Path) -> int:
    """The floor: every value of the columns that the analysis reads is read once, and nothing else done."""
    import contenders

    return contenders.scan(path, [*COLUMNS, *OUTCOME_COLUMNS])


def analyse(path: Path) -> str:
    """The analysis as a user runs it: every table, from the file to the rating."""
    import equitydata as eq

    outcomes = eq.analyse(eq.make_service(EQUITY_SERVICE), str(path)).tables["outcomes"]
    here = outcomes[
        (outcomes["measure"] == "did_not_attend")
        & (outcomes["characteristic"] == "ethnicity")
        & (outcomes["level"] == "groups")
        & (outcomes["status"] == "known")
    ]
    return f"{here['numerator'].sum():.0f} of {here['denominator'].sum():.0f}"


def plain_pandas(path: Path) -> str:
    """The same counts in plain pandas."""
    return _known_ethnicity(pandas_counts(path)["strata"])


def plain_polars(path: Path) -> str:
    """The same counts in polars."""
    return _known_ethnicity(polars_counts(path)["strata"].to_pandas())


def _known_ethnicity(strata: Any) -> str:
    here = strata[(strata["characteristic"] == "ethnicity") & strata["category"].notna()]
    return f"{here['x_did_not_attend'].sum():.0f} of {here['n_did_not_attend'].sum():.0f}"


# ---------------------------------------------------------------- pandas


def pandas_counts(path: Path) -> dict[str, Any]:
    """Every count as tidy frames: strata (by age and sex), crossings, quarters, pairs of first and last quarter."""
    import pandas as pd

    contacts = pd.read_csv(path, dtype=str) if path.suffix == ".csv" else pd.read_parquet(path)
    contacts["contact_date"] = pd.to_datetime(contacts["contact_date"])
    contacts["quarter"] = contacts["contact_date"].dt.year * 4 + contacts["contact_date"].dt.quarter
    attendance, result = contacts["attendance"], contacts["result"]
    wait = pd.to_numeric(contacts["wait_days"]).astype(float)
    contacts["n_did_not_attend"] = attendance.isin(["3", "5", "6", "7"]).astype(float)
    contacts["x_did_not_attend"] = attendance.isin(["3", "7"]).astype(float)
    contacts["n_positive"] = result.isin(["Y", "N"]).astype(float)
    contacts["x_positive"] = result.eq("Y").fillna(False).astype(float)
    contacts["n_wait"] = wait.notna().astype(float)
    contacts["x_wait"] = wait.fillna(0)
    admitted = contacts["admitted"].eq("1") & wait.notna()
    contacts["n_in_time"] = admitted.astype(float)
    contacts["x_in_time"] = (admitted & (wait <= 42)).astype(float)

    how = dict.fromkeys(SUMMED, "sum") | dict.fromkeys(ONCE, "max")
    by_quarter = contacts.groupby(["patient_id", "quarter"])[[*SUMMED, *ONCE]].agg(how)
    people = by_quarter.groupby("patient_id").agg(how)

    contacts = contacts.sort_values("contact_date")
    for column, codes in LAST_KNOWN.items():
        known = contacts.loc[
            contacts[column].isin(codes), ["patient_id", "contact_date", "ethnicity_source", column]
        ]
        if column == ETHNIC:
            # Of two values on the same day the later letter stands, so that every contender has the same.
            known = known.assign(own=known["ethnicity_source"].eq("PATIENT").fillna(False))
            known = known.sort_values(["own", "contact_date", column])
        people[column] = known.groupby("patient_id")[column].last()
    latest = contacts.groupby("patient_id")[["age", "lsoa"]].last()
    age = pd.to_numeric(latest["age"])
    people["age_band"] = pd.cut(age, [*AGE_BANDS, 200], right=False, labels=AGE_BANDS).astype(float)
    people["age_five"] = age // 5 * 5
    people["lsoa"] = latest["lsoa"]
    deciles = pd.read_parquet(DECILES, columns=["lsoa11_code", "imd_decile"]).set_index("lsoa11_code")
    people["decile"] = people["lsoa"].map(deciles["imd_decile"])

    def with_squares(frame: pd.DataFrame) -> pd.DataFrame:
        for name in MEASURES:
            n, x = frame[f"n_{name}"], frame[f"x_{name}"]
            frame[f"people_{name}"], frame[f"cases_{name}"] = (n > 0).astype(float), (x > 0).astype(float)
            frame[f"nn_{name}"], frame[f"nx_{name}"], frame[f"xx_{name}"] = n * n, n * x, x * x
        return frame

    people = with_squares(people)
    sums = [f"{side}_{name}" for name in MEASURES for side in ("people", "cases", "n", "x", "nn", "nx", "xx")]

    def counted(frame: pd.DataFrame, name: str, by: list[str], columns: list[str], names: list[str]) -> Any:
        found = frame.groupby(by, dropna=False)[columns].sum().reset_index()
        return found.set_axis([*names, *columns], axis=1).assign(characteristic=name)

    strata = [
        counted(people, name, [column, "age_five", "sex"], sums, ["category", "age", "sex"])
        if column != "sex"
        else counted(
            people.assign(own=people["sex"]),
            name,
            ["own", "age_five", "sex"],
            sums,
            ["category", "age", "sex"],
        )
        for name, column in CHARACTERISTICS.items()
    ]
    crossings = [
        counted(
            people,
            f"{first} x {second}",
            [CHARACTERISTICS[first], CHARACTERISTICS[second]],
            sums,
            ["category", "category_2"],
        )
        for first, second in CROSSINGS
    ]
    columns = [CHARACTERISTICS[name] for name in TREND_BY]
    by_quarter = with_squares(by_quarter.reset_index("quarter")).join(people[columns])
    quarters = [
        counted(by_quarter, name, [CHARACTERISTICS[name], "quarter"], sums, ["category", "quarter"])
        for name in TREND_BY
    ]
    first, last = by_quarter["quarter"].min(), by_quarter["quarter"].max()
    sides = [by_quarter.loc[by_quarter["quarter"] == end, [*SUMMED, *ONCE]] for end in (first, last)]
    pairs = sides[0].add_suffix("_0").join(sides[1].add_suffix("_1"), how="inner")
    products = {
        f"{a}0{b}1_{name}": pairs[f"{a}_{name}_0"] * pairs[f"{b}_{name}_1"]
        for name in MEASURES
        for a in "nx"
        for b in "nx"
    }
    pairs = pd.DataFrame(products).join(people[columns])
    paired = [
        counted(pairs, name, [CHARACTERISTICS[name]], list(products), ["category"]) for name in TREND_BY
    ]
    tables = {"strata": strata, "crossings": crossings, "quarters": quarters, "pairs": paired}
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}


# ---------------------------------------------------------------- polars


def polars_counts(path: Path) -> dict[str, Any]:
    """The same in polars, lazily up to one row a person."""
    import polars as pl

    contacts = pl.scan_csv(path, infer_schema=False) if path.suffix == ".csv" else pl.scan_parquet(path)
    if path.suffix == ".csv":
        contacts = contacts.with_columns(
            pl.col("contact_date").str.to_date(), pl.col("age", "wait_days").cast(pl.Int64)
        )
    date, attendance, result, wait = (
        pl.col(c) for c in ("contact_date", "attendance", "result", "wait_days")
    )
    admitted = pl.col("admitted").eq_missing("1") & wait.is_not_null()
    measured = contacts.with_columns(
        quarter=date.dt.year().cast(pl.Int64) * 4 + date.dt.quarter(),
        n_did_not_attend=attendance.is_in(["3", "5", "6", "7"]).fill_null(False),
        x_did_not_attend=attendance.is_in(["3", "7"]).fill_null(False),
        n_positive=result.is_in(["Y", "N"]).fill_null(False),
        x_positive=result.eq_missing("Y"),
        n_wait=wait.is_not_null(),
        x_wait=wait.fill_null(0),
        n_in_time=admitted,
        x_in_time=admitted & (wait <= 42),
    ).with_columns(pl.col(*SUMMED, *ONCE).cast(pl.Float64))
    how = [pl.col(*SUMMED).sum(), pl.col(*ONCE).max()]
    # Rows keep their order within a group, so the last one that is known is the most recent.
    last = [pl.col(c).filter(pl.col(c).is_in(codes)).last() for c, codes in LAST_KNOWN.items() if c != ETHNIC]
    values = contacts.sort(date).group_by("patient_id").agg(*last, pl.col("age", "lsoa").last())
    own = pl.col("ethnicity_source").eq_missing("PATIENT")
    ethnic = contacts.filter(pl.col(ETHNIC).is_in(LAST_KNOWN[ETHNIC])).sort(own, date, ETHNIC)
    ethnic = ethnic.group_by("patient_id").agg(pl.col(ETHNIC).last())
    by_quarter, values = pl.collect_all(
        [
            measured.group_by("patient_id", "quarter").agg(*how),
            values.join(ethnic, on="patient_id", how="left"),
        ]
    )
    deciles = pl.read_parquet(DECILES, columns=["lsoa11_code", "imd_decile"])
    bands = pl.max_horizontal(pl.when(pl.col("age") >= end).then(end) for end in AGE_BANDS)
    people = (
        by_quarter.group_by("patient_id")
        .agg(*how)
        .join(values, on="patient_id", how="left")
        .join(deciles, left_on="lsoa", right_on="lsoa11_code", how="left")
        .rename({"imd_decile": "decile"})
        .with_columns(age_band=bands, age_five=pl.col("age") // 5 * 5)
    )

    def with_squares(frame: pl.DataFrame) -> pl.DataFrame:
        made = []
        for name in MEASURES:
            n, x = pl.col(f"n_{name}"), pl.col(f"x_{name}")
            made += [
                (n > 0).cast(pl.Float64).alias(f"people_{name}"),
                (x > 0).cast(pl.Float64).alias(f"cases_{name}"),
            ]
            made += [(n * n).alias(f"nn_{name}"), (n * x).alias(f"nx_{name}"), (x * x).alias(f"xx_{name}")]
        return frame.with_columns(made)

    people = with_squares(people)
    sums = [f"{side}_{name}" for name in MEASURES for side in ("people", "cases", "n", "x", "nn", "nx", "xx")]

    def counted(frame: pl.DataFrame, name: str, columns: list[str], **by: str) -> pl.LazyFrame:
        keys = [pl.col(column).cast(pl.String).alias(key) for key, column in by.items()]
        grouped = frame.lazy().group_by(*by.values()).agg(pl.col(columns).sum())
        return grouped.select(pl.lit(name).alias("characteristic"), *keys, *columns)

    strata = [
        counted(people.with_columns(own=column), name, sums, category="own", age="age_five", sex="sex")
        for name, column in CHARACTERISTICS.items()
    ]
    crossings = [
        counted(people, f"{a} x {b}", sums, category=CHARACTERISTICS[a], category_2=CHARACTERISTICS[b])
        for a, b in CROSSINGS
    ]
    columns = [CHARACTERISTICS[name] for name in TREND_BY]
    by_quarter = with_squares(by_quarter).join(people.select("patient_id", *columns), on="patient_id")
    quarters = [
        counted(by_quarter, name, sums, category=CHARACTERISTICS[name], quarter="quarter")
        for name in TREND_BY
    ]
    ends = [by_quarter["quarter"].min(), by_quarter["quarter"].max()]
    first, last_ = (by_quarter.filter(pl.col("quarter") == end) for end in ends)
    products = {
        f"{a}0{b}1_{name}": pl.col(f"{a}_{name}") * pl.col(f"{b}_{name}_1")
        for name in MEASURES
        for a in "nx"
        for b in "nx"
    }
    pairs = first.join(last_.select("patient_id", *SUMMED, *ONCE), on="patient_id", suffix="_1").with_columns(
        **products
    )
    paired = [counted(pairs, name, list(products), category=CHARACTERISTICS[name]) for name in TREND_BY]
    tables = {"strata": strata, "crossings": crossings, "quarters": quarters, "pairs": paired}
    return {name: pl.concat(pl.collect_all(parts)) for name, parts in tables.items()}
