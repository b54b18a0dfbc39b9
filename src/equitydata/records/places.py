"""Area codes and postcodes -> where people live, without keeping where exactly."""

from __future__ import annotations

import numpy as np
import pandas as pd

from equitydata import codelists
from equitydata.model import Status
from equitydata.records.ages import valid_share
from equitydata.records.matching import (
    COLUMNS,
    CodedValues,
    close,
    describe_records,
    fill,
    fill_blank,
    fill_words,
    keyed,
    look_up,
    missing_answers,
    read_with,
)

INDEXES = {"imd2025_decile": "imd-2025", "imd2019_decile": "imd-2019"}
# Small areas of Scotland (data zones) and Northern Ireland (super output areas, data zones).
ELSEWHERE = r"S01\d{6}|N(?:00|20)\d{6}|95[A-Z]{2}\d{2}[A-Z]\d"
SMALL_AREA = r"[EW]01\d{6}"
OTHER_YEAR = "Has the shape of an LSOA code, but is none of 2011 or 2021."
OUTSIDE = "Outside England and Wales"
POSTCODE = (
    r"(?:GIR0AA|(?:[A-PR-UWYZ](?:[0-9]{1,2}|[A-HK-Y][0-9](?:[0-9]|[ABEHMNPRV-Y])?|[0-9][A-HJKPS-UW]))"
    r"(?P<inward>[0-9][ABD-HJLNP-UW-Z]{2})?)"
)
RECORDED = "Postcode recorded"


def code_areas(values: pd.DataFrame, lookup: pd.DataFrame, *, as_decile: bool = False) -> CodedValues:
    """Lower-layer areas (LSOA): in which authority, and in which decile of deprivation.

    values : value and records, one row per distinct value.
    lookup : `reference.lsoa_lookup()`.
    A code of the look-up is known, its category the authority's name; fillers (Z99999999, Y) are not_known;
    areas of Scotland and Northern Ireland are known, outside the look-up. With `as_decile` the category is
    the decile and an area without one is not_known. One index serves a whole column: of IMD 2025 and IMD
    2019 the one that has more of the records, since their deciles are not comparable.
    The table adds ltla (code), ltla_name, imd_decile (nullable integer), and of areas `finest`: the small area
    itself where it is known, by which people are stratified.
    """
    work = keyed(values, "geography")
    code = work["key"].str.upper()
    place = lookup.set_index("lsoa_code").reindex(code).reset_index(drop=True)
    index = _index_of(work, place)
    decile = place[index].astype("Int64")
    work = fill(fill_blank(work), look_up(work, read_with(codelists.load("area-filler"), "geography")))
    found = (
        _area_answers(work, place, decile, index) if as_decile else _area_answers(work, place, None, "lsoa")
    )
    work = fill(work, found, INDEXES[index] if as_decile else "lsoa")
    work = close(fill_words(work, missing_answers("geography"), "missing word", None))
    other_year = work["status"].eq(Status.INVALID) & code.str.fullmatch(SMALL_AREA).astype(bool)
    table = work.assign(
        suggestion=np.where(other_year, OTHER_YEAR, ""),
        detail=np.where(work["status"].eq(Status.KNOWN), "detailed", ""),
        ltla=place["ltla22_code"].astype("string").fillna("").astype(str),
        ltla_name=place["ltla22_name"].astype("string").fillna("").astype(str),
        imd_decile=decile,
    )
    if as_decile:
        warning = _decile_warning(work, place, index)
        return _placed(table, ["ltla", "ltla_name", "imd_decile"], (warning,) if warning else ())
    inside = place["ltla22_code"].notna() & table["status"].eq(Status.KNOWN)
    table = table.assign(finest=code.where(inside, table["category"]))
    return _placed(table, ["ltla", "ltla_name", "imd_decile", "finest"], ())


def _index_of(work: pd.DataFrame, place: pd.DataFrame) -> str:
    """The index of deprivation that has most of the records; the newer one where they are level."""
    held = {index: int(work.loc[place[index].notna(), "records"].sum()) for index in INDEXES}
    return max(held, key=lambda index: held[index])


def _area_answers(
    work: pd.DataFrame, place: pd.DataFrame, decile: pd.Series | None, index: str
) -> pd.DataFrame:
    """The answer frame of areas: their authority, or their decile where one is given."""
    elsewhere = work["key"].str.upper().str.fullmatch(ELSEWHERE).astype(bool)
    inside = place["ltla22_code"].notna()
    if decile is None:
        category = place["ltla22_name"].astype("string").mask(elsewhere, OUTSIDE)
    else:
        category = decile.astype("string")
    known = category.notna()
    return pd.DataFrame(
        {
            "category": category.fillna("").astype(object),
            "status": np.select(
                [known, inside | elsewhere], [str(Status.KNOWN), str(Status.NOT_KNOWN)], default=""
            ),
            "matched_by": "code",
        }
    )


def _decile_warning(work: pd.DataFrame, place: pd.DataFrame, index: str) -> str:
    without = place["ltla22_code"].notna() & place[index].isna()
    if not without.any():
        return ""
    return (
        f"No decile for {describe_records(work, without)} in Wales or in areas of another year than "
        f"{INDEXES[index]}: the indices are not comparable."
    )


def code_postcodes(values: pd.DataFrame) -> CodedValues:
    """Postcodes by their shape: known without keeping the postcode itself.

    values : value and records, one row per distinct value.
    Categories: Postcode recorded (detail "broad" for the first half alone), No fixed abode (ZZ99 3VZ). Other
    ZZ99 postcodes give no address and are not_known.
    """
    work = keyed(values, "postcode")
    code = work["key"].str.upper().str.replace(" ", "", regex=False)
    pseudo = codelists.load("pseudo-postcode").codes
    abodes = pseudo.loc[pseudo["category"].ne(""), "code"].str.replace(" ", "", regex=False)
    abode = code.isin(abodes)
    nowhere = code.str.startswith("ZZ99") & ~abode
    shaped = code.str.fullmatch(POSTCODE).astype(bool) & ~nowhere & ~abode
    half = shaped & code.str.extract(f"^{POSTCODE}$")["inward"].isna() & code.ne("GIR0AA")
    work = work.assign(
        status=np.select([abode | shaped, nowhere], [str(Status.KNOWN), str(Status.NOT_KNOWN)], default=""),
        category=np.select([abode, shaped], ["No fixed abode", RECORDED], default=""),
        matched_by=np.where(abode | shaped | nowhere, "code", "none"),
    )
    work = close(fill_words(fill_blank(work), missing_answers("postcode"), "missing word", None))
    return _placed(
        work.assign(detail=np.select([half, abode | shaped], ["broad", "detailed"], default="")), [], ()
    )


def _placed(table: pd.DataFrame, further: list[str], warnings: tuple[str, ...]) -> CodedValues:
    met = table[table["code_list"].ne("")].groupby("code_list")["records"].sum()
    return CodedValues(
        table=table[[*COLUMNS, *further]].astype(dict.fromkeys(COLUMNS[2:], str)),
        code_lists={str(name): int(records) for name, records in met.items()},
        matched_share=valid_share(table),
        warnings=warnings,
    )
