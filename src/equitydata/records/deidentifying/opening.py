"""The extract and the service before anything is coded: where it lives, small areas of postcodes, what is needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from equitydata.errors import InputError
from equitydata.records.columns import as_text
from equitydata.records.deidentifying.choices import load_choices
from equitydata.records.deidentifying.plan import VALUES, Asked, Plan
from equitydata.records.engine import Engine
from equitydata.records.extract import Extract, open_extract
from equitydata.service import CharacteristicSettings, Service

AREA_OF_POSTCODE = "__area_of_postcode"


def held_here(extract: Extract, engine: Engine) -> Extract:
    """The extract where pseudonyms can be made: what lives in another kind of database is streamed in."""
    if extract.engine.is_duckdb:
        return extract
    reader = extract.table.to_pyarrow_batches()
    staged = engine.stage_batches(reader, reader.schema, "extract", names=list(extract.columns))
    return replace(extract, table=staged, engine=engine)


def with_areas(extract: Extract, service: Service, asked: Asked) -> tuple[Extract, Service]:
    """The extract with the small area of each postcode, by the analyst's own look-up, and the service that maps it."""
    if asked.postcode_lookup is None:
        return extract, service
    column = service.characteristics["postcode"].column
    found = _read_lookup(asked, extract.engine)
    beside = extract.table.mutate(__squeezed=squeezed(extract.table, column))
    joined = beside.left_join(found, beside["__squeezed"] == found["__postcode"])
    table = joined.select(*extract.columns, **{AREA_OF_POSTCODE: joined["__area"]})
    mapped = dict(service.characteristics)
    mapped["geography"] = CharacteristicSettings(column=AREA_OF_POSTCODE)
    return replace(extract, table=table), service.model_copy(update={"characteristics": mapped})


def _read_lookup(asked: Asked, engine: Engine) -> Any:
    opened = open_extract(asked.postcode_lookup, engine=engine)
    table = opened.table
    # Only one area for a postcode, so that no row of the extract is doubled.
    keyed = table.select(
        __postcode=squeezed(table, _lookup_column(opened, "postcode")),
        __area=table[_lookup_column(opened, "area")],
    )
    return engine.stage(keyed.group_by("__postcode").agg(__area=keyed["__area"].max()), "areas_of_postcodes")


def _lookup_column(opened: Extract, key: str) -> str:
    names = load_choices().lookup[key]
    found = (column for name in names for column in opened.columns if column.strip().lower() == name)
    column = next(found, None)
    if column is None:
        what = "postcodes" if key == "postcode" else "small areas"
        raise InputError(
            f"The look-up of postcodes has no column of {what}.",
            where="[sharing] postcode_lookup",
            mend=f"Call it one of: {', '.join(names)}.",
        )
    return column


def squeezed(table: Any, column: str) -> Any:
    """A column of postcodes without blanks, in capitals."""
    return as_text(table, column).upper().replace(" ", "")


def narrowed(service: Service, plan: Plan) -> Service:
    """The service with the characteristics that are still needed: those that stay, and ages to reject rows by."""
    mapped = service.characteristics
    wanted = {name for name, each in mapped.items() if each.column in plan.grouped.values()} | set(
        plan.grouped
    )
    wanted |= {each.characteristic for each in plan.of(VALUES)}
    if service.service.ages is not None:
        wanted |= {"age", "birth_date"}
    return service.model_copy(
        update={"characteristics": {name: each for name, each in mapped.items() if name in wanted}}
    )
