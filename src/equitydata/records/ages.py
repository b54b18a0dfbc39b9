"""Ages as extracts write them -> whole years, or the ends of a band."""

from __future__ import annotations

import numpy as np
import pandas as pd

from equitydata import codelists
from equitydata.model import Status
from equitydata.records.matching import (
    COLUMNS,
    CodedValues,
    close,
    fill_blank,
    fill_words,
    keyed,
    missing_answers,
)

OLDEST = 120
AGE_WORDS = r"\b(?:aged?|years?|yrs?|old|yo)\b|(?<=\d)\s?(?:yrs?|yo|y)\b"
# pattern -> what to add to the first and second number for the lowest and highest age; None: no such end
AGE_BANDS: tuple[tuple[str, int | None, int | None], ...] = (
    (r"(\d{1,3}) ?(?:-|to) ?(\d{1,3})", 0, 0),
    (r"\[(\d{1,3}) ?[-,] ?(\d{1,3})\)", 0, -1),
    (r"\[(\d{1,3}) ?[-,] ?(\d{1,3})\]", 0, 0),
    (r"\((\d{1,3}) ?[-,] ?(\d{1,3})\]", 1, 0),
    (r"(\d{1,3}) ?(?:\+|plus|(?:and|or) (?:over|above|older|more))()", 0, None),
    (r"(?:>=|≥) ?(\d{1,3})()", 0, None),
    (r"(?:over|above|>|more than|older than) ?(\d{1,3})()", 1, None),
    (r"()(?:under|below|<|less than|younger than) ?(\d{1,3})", None, -1),
    (r"()(?:up to|<=|≤) ?(\d{1,3})", None, 0),
    (r"()(\d{1,3}) ?(?:and|or) (?:under|below|younger|less)", None, 0),
)
# How many of each unit make a year.
AGE_UNITS = {"m": 12.0, "w": 365.25 / 7, "d": 365.25}


def code_ages(values: pd.DataFrame) -> CodedValues:
    """Ages in whole years, and age bands.

    values : value and records, one row per distinct value.
    The table has the columns of `CodedValues`, and years, lower, upper (nullable integers). A single age
    ("42", "42.0", "18 months", the hospital codes 7001 to 7007 for under one year) is known, its category
    the years as text. A band ("25-34", "over 34", "[10-20)", "85+") is known with the band as its category,
    detail "broad", no years, and its ends in lower and upper ("over 34" starts at 35). An age below 0 or
    above 120 is invalid.
    """
    text = values["value"].astype("string").fillna("").reset_index(drop=True)
    text = text.str.normalize("NFKC").str.replace(r"[\u2010-\u2015]", "-", regex=True)
    shown = text.str.replace(r"\s+", " ", regex=True).str.strip().str.lstrip("'")
    plain = shown.str.casefold()
    bare = plain.str.replace(AGE_WORDS, " ", regex=True).str.replace(r"\s+", " ", regex=True).str.strip()
    years = _single_ages(bare, plain)
    ends = _band_ends(bare)
    single = years.between(0, OLDEST)
    band = years.isna() & _is_band(ends)
    work = keyed(values, "age").assign(
        status=np.select([single | band], [str(Status.KNOWN)], default=""),
        category=shown.where(band, years.where(single).astype("Int64").astype("string"))
        .fillna("")
        .astype(str),
        matched_by=np.where(single | band, "code", "none"),
    )
    work = close(fill_words(fill_blank(work), missing_answers("age"), "missing word", None))
    table = work.assign(
        detail=np.select([single, band], ["detailed", "broad"], default=""),
        years=years.where(single).astype("Int64"),
        lower=ends["lower"].where(band, years.where(single)).astype("Int64"),
        upper=ends["upper"].where(band, years.where(single)).astype("Int64"),
    )
    shaped = table[[*COLUMNS, "years", "lower", "upper"]].astype(dict.fromkeys(COLUMNS[2:], str))
    return CodedValues(table=shaped, matched_share=valid_share(table))


def valid_share(table: pd.DataFrame) -> float:
    """Records known / records known or invalid; NaN where there are none."""
    recorded = table.loc[table["status"].isin([Status.KNOWN, Status.INVALID]), "records"].sum()
    known = table.loc[table["status"].eq(Status.KNOWN), "records"].sum()
    return float(known / recorded) if recorded else float("nan")


def _single_ages(bare: pd.Series, plain: pd.Series) -> pd.Series:
    """Years of plain numbers, hospital codes and ages in months, weeks or days; NaN for the rest."""
    number = bare.where(bare.str.fullmatch(r"[0-9]{1,3}(?:\.[0-9]+)?"))
    codes = codelists.load("hes-age-under-one").codes
    hospital = bare.str.replace(r"\.0+$", "", regex=True).map(
        dict(zip(codes["code"], codes["category"], strict=True))
    )
    parts = plain.str.extract(r"^([0-9]{1,5}(?:\.[0-9]+)?) ?([mwd])(?:onths?|ths?|eeks?|ks?|ays?)?(?: old)?$")
    young = _numbers(parts[0]) / parts[1].map(AGE_UNITS).astype("float64")
    found = _numbers(number).fillna(_numbers(hospital)).fillna(young)
    return found // 1


def _numbers(text: pd.Series) -> pd.Series:
    return pd.to_numeric(text.astype("object"), errors="coerce").astype("float64")


def _band_ends(bare: pd.Series) -> pd.DataFrame:
    """Lowest and highest whole year of each band; a highest that the band leaves open is missing."""
    ends = pd.DataFrame({"lower": np.nan, "upper": np.nan}, index=bare.index)
    for pattern, low, high in AGE_BANDS:
        parts = bare.str.extract(f"^{pattern}$", expand=True)
        hit = bare.str.fullmatch(pattern).astype(bool)
        ends.loc[hit, "lower"] = 0.0 if low is None else _numbers(parts[0])[hit] + low
        if high is not None:
            ends.loc[hit, "upper"] = _numbers(parts[1])[hit] + high
    return ends


def _is_band(ends: pd.DataFrame) -> pd.Series:
    """True for a band that some age from 0 to 120 can be in."""
    upper = ends["upper"].fillna(OLDEST)
    return ends["lower"].notna() & ends["lower"].le(upper) & ends["lower"].le(OLDEST)
