"""Generate contacts for the benchmarks: seeded, any size, written by DuckDB as Parquet or CSV.

python benchmarks/generate.py 10_000_000 benchmarks/data/contacts-10m.parquet
"""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb

# A quarter as many people as contacts; characteristics have blanks and not-known codes; the LSOA are Newham's range.
# The last five columns came later and the others are as they were. DuckDB's hash of two numbers differs from that of
# the first alone by a constant, so that columns drawn from it depend on one another; the later ones are drawn apart.
SELECT = """
select
  printf('P%09d', person) as patient_id,
  date '2025-04-01' + (hash(i, 1) % 365)::int as contact_date,
  'Site ' || chr((65 + hash(i, 2) % 12)::int) as site,
  (['GP', 'Outpatient', 'Inpatient', 'Emergency', 'Community'])[(1 + hash(i, 3) % 5)::int] as setting,
  case when hash(i, 4) % 20 = 0 then null when hash(i, 4) % 20 = 1 then '99' when hash(i, 4) % 20 = 2 then 'Z'
       when hash(i, 4) % 20 = 3 then (['A', 'C', 'S', 'K'])[(1 + hash(i, 5) % 4)::int]
       else (['A', 'B', 'C', 'D', 'H', 'J', 'K', 'L', 'M', 'N', 'P', 'S'])[(1 + hash(person, 6) % 12)::int] end
    as ethnic_category,
  (['PATIENT', 'PATIENT', 'PATIENT', 'STAFF', 'CARER', null])[(1 + hash(i, 7) % 6)::int] as ethnicity_source,
  case when hash(i, 8) % 10 = 0 then null
       else (['en', 'en', 'en', 'bn', 'ur', 'pl', 'ro', 'gu', 'ta', 'so'])[(1 + hash(person, 9) % 10)::int] end
    as language,
  (['1', '2', '1', '2', '9', 'X'])[(1 + hash(person, 10) % 6)::int] as sex,
  (18 + hash(person, 11) % 80)::int as age,
  'E0100' || lpad((4300 + hash(person, 12) % 164)::varchar, 4, '0') as lsoa,
  (['A', 'B', 'C', 'D', 'G', 'L', 'N', null])[(1 + hash(person, 13) % 8)::int] as religion,
  (['01', '02', 'NN', 'ZZ', null])[(1 + hash(person, 14) % 5)::int] as disability,
  (['1', '2', '3', 'U', 'Z', '9', null])[(1 + hash(person, 15) % 7)::int] as sexual_orientation,
  (['S', 'M', 'D', 'W', 'P', 'N', '9'])[(1 + hash(person, 16) % 7)::int] as marital_status,
  (['01', '02', '08', 'ZZ', null])[(1 + hash(person, 17) % 5)::int] as employment,
  (['Y', 'N', 'N', 'U', null])[(1 + hash(person * 64 + 18) % 5)::int] as interpreter,
  (['5', '5', '5', '5', '6', '3', '7', '2', '4', null])[(1 + hash(i * 64 + 19) % 10)::int] as attendance,
  (['Y', 'N', 'N', null])[(1 + hash(i * 64 + 20) % 4)::int] as result,
  case when hash(i * 64 + 21) % 8 = 0 then null
       else (hash(i * 64 + 22) % 120 + hash(person * 64 + 23) % 60)::int end as wait_days,
  (['1', '0', '0', '0'])[(1 + hash(i * 64 + 24) % 4)::int] as admitted
from (select i, (hash(i, 0) % greatest({rows} // 4, 1))::bigint as person from range({rows}) t(i))
"""


def generate(rows: int, path: Path) -> None:
    """Write `rows` contacts to a Parquet or CSV file; the same rows each time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = "(format csv, header)" if path.suffix == ".csv" else "(format parquet)"
    with duckdb.connect() as connection:
        connection.execute(f"copy ({SELECT.format(rows=rows)}) to '{path.as_posix()}' {kind}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int)
    parser.add_argument("path", type=Path)
    arguments = parser.parse_args()
    generate(arguments.rows, arguments.path)
