"""Public files as their owners publish them: every count of the package against a plain count of the same file.

The files are never copied. Each is read twice: by the package, from the service file that `init` writes and the
few edits shown here; and here, with the csv module and loops. What a raw value means is written down in this
file, from the README beside the data.
"""

import csv
import gzip
import io
import sys
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from datetime import date
from pathlib import Path

import pytest

import equitydata as eq
from equitydata.cli import main
from plain_rule import Recording, categories, points_of_care, statuses, steps, verification

DATA = Path(__file__).parents[1].parent / "shared" / "real-data"


def source_file(*parts):
    path = DATA.joinpath(*parts)
    if not path.is_file():
        pytest.skip(f"NOT TESTED: the public file {'/'.join(parts)} is not on this machine ({DATA})")
    return path


def drafted(path, folder):
    """The text of the service file that `equitydata init` writes for a file."""
    out = folder / "service.toml"
    arguments, sys.argv = sys.argv, ["equitydata", "init", str(path), "--out", str(out), "--force"]
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            main()
    except SystemExit as stop:
        assert not stop.code
    finally:
        sys.argv = arguments
    return out.read_text(encoding="utf-8")


def analysed(path, folder, edit=lambda text: text):
    """The result of a file from its drafted service file, edited as an analyst would."""
    text = edit(drafted(path, folder))
    (folder / "edited.toml").write_text(text, encoding="utf-8")
    return eq.analyse(eq.load_service(folder / "edited.toml"))


def under(table, *lines):
    """An edit: lines added to one table of the service file, which must be there."""
    heading = f"[{table}]"

    def edit(text):
        assert text.count(heading) == 1, heading
        return text.replace(heading, heading + "\n" + "\n".join(lines) + "\n#", 1)

    return edit


def read(path):
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return list(csv.DictReader(io.StringIO(text.decode("utf-8"), newline="")))


# ---------------------------------------------------------------- what the package says


def counted(result, name, unit):
    table = result.statuses
    here = table[table["characteristic"] == name]
    assert len(here) == 7
    return Counter({s: int(n) for s, n in zip(here["status"], here[unit], strict=True) if n})


def people_by_category(result, name, level):
    table = result.categories
    here = table[(table["characteristic"] == name) & (table["level"] == level) & (table["numerator"] > 0)]
    return Counter(dict(zip(here["category"], here["numerator"].astype(int), strict=True)))


def measures(result, name):
    table = result.verification
    here = table[table["characteristic"] == name].set_index("measure")
    return {measure: (int(row["numerator"]), int(row["denominator"])) for measure, row in here.iterrows()}


def agrees(result, name, recordings, *, override=False):
    """Every count of statuses and categories of one characteristic equals the plain count."""
    people, records, carried = statuses(recordings, override=override)
    assert counted(result, name, "people") == people
    assert counted(result, name, "records") == records
    assert counted(result, name, "records_carried_back") == carried
    assert people_by_category(result, name, "detailed") == categories(recordings, override=override)[0]


def points_agree(result, recordings):
    table = result.table("points_of_care")
    here = table[table["characteristic"] == "ethnicity"].set_index("point_of_care")
    found = {point: (int(row["denominator"]), int(row["numerator"])) for point, row in here.iterrows()}
    assert found == points_of_care(recordings)


def intake_agrees(result, rows):
    assert result.intake.rows_read == len(rows)
    assert result.intake.rows_used == len(rows)
    assert result.intake.rejections == ()


# ---------------------------------------------------------------- police: self-defined and observed ethnicity

# The 18 groups of the 2011 Census as data.police.uk writes them.
SELF_DEFINED = {
    "White - English/Welsh/Scottish/Northern Irish/British": ("White British", "White"),
    "White - Irish": ("White Irish", "White"),
    "White - Gypsy or Irish Traveller": ("White Gypsy/Traveller", "White"),
    "White - Any other White background": ("White other", "White"),
    "Mixed/Multiple ethnic groups - White and Black Caribbean": ("Mixed White/Black Caribbean", "Mixed"),
    "Mixed/Multiple ethnic groups - White and Black African": ("Mixed White/Black African", "Mixed"),
    "Mixed/Multiple ethnic groups - White and Asian": ("Mixed White/Asian", "Mixed"),
    "Mixed/Multiple ethnic groups - Any other Mixed/Multiple ethnic background": ("Mixed other", "Mixed"),
    "Asian/Asian British - Indian": ("Indian", "Asian"),
    "Asian/Asian British - Pakistani": ("Pakistani", "Asian"),
    "Asian/Asian British - Bangladeshi": ("Bangladeshi", "Asian"),
    "Asian/Asian British - Chinese": ("Chinese", "Asian"),
    "Asian/Asian British - Any other Asian background": ("Asian other", "Asian"),
    "Black/African/Caribbean/Black British - African": ("Black African", "Black"),
    "Black/African/Caribbean/Black British - Caribbean": ("Black Caribbean", "Black"),
    "Black/African/Caribbean/Black British - Any other Black/African/Caribbean background": (
        "Black other",
        "Black",
    ),
    "Other ethnic group - Arab": ("Arab", "Other"),
    "Other ethnic group - Any other ethnic group": ("Any other", "Other"),
}
FORCES = {
    "leicestershire": {"known": 4505, "declined": 1021},
    "west-yorkshire": {"known": 17794, "declined": 3339, "missing": 22},
    "durham": {"known": 2335, "declined": 59, "missing": 60},
}


def self_defined(value):
    if value == "Other ethnic group - Not stated":
        return "declined", "", ""
    return ("known", *SELF_DEFINED[value]) if value else ("missing", "", "")


def plain_value(value):
    """A column whose every filled value is a category."""
    return ("known", value, value) if value else ("missing", "", "")


def searches(rows, column, meaning, *, applies=lambda row: True):
    """One person for each row: the file has no person."""
    return [
        Recording(
            str(n),
            *(meaning(row[column]) if applies(row) else ("not_applicable", "", "")),
            point="Not recorded",
        )
        for n, row in enumerate(rows)
    ]


@pytest.fixture(scope="module", params=FORCES)
def force(request, tmp_path_factory):
    path = source_file("police-stop-search", f"{request.param}_2020-04_2021-03.csv")
    return request.param, read(path), analysed(path, tmp_path_factory.mktemp("force"))


def test_self_defined_ethnicity_of_a_force_is_counted_as_published(force):
    name, rows, result = force
    assert counted(result, "ethnicity", "people") == FORCES[name]
    assert sum(FORCES[name].values()) == len(rows) == result.intake.rows_read


def test_every_count_of_a_force_is_the_plain_count(force):
    _, rows, result = force
    intake_agrees(result, rows)
    agrees(result, "ethnicity", searches(rows, "Self-defined ethnicity", self_defined))
    agrees(result, "age", searches(rows, "Age range", plain_value))
    agrees(result, "sex", searches(rows, "Gender", plain_value))
    points_agree(result, searches(rows, "Self-defined ethnicity", self_defined))
    groups = categories(searches(rows, "Self-defined ethnicity", self_defined))[1]
    assert people_by_category(result, "ethnicity", "group") == groups


def test_each_month_of_a_force_has_its_searches(force):
    _, rows, result = force
    table = result.breakdown
    here = table[
        (table["characteristic"] == "ethnicity") & (table["by"] == "month") & (table["unit"] == "records")
    ]
    found = {row["group"]: (int(row["numerator"]), int(row["denominator"])) for _, row in here.iterrows()}
    # A search in the first minutes of British summer time stands under the day before, as it is written.
    months = {row["Date"][:7] for row in rows}
    assert found == {
        month: (
            sum(
                self_defined(r["Self-defined ethnicity"])[0] == "known"
                for r in rows
                if r["Date"][:7] == month
            ),
            sum(r["Date"][:7] == month for r in rows),
        )
        for month in months
    }


def test_what_the_officer_saw_is_compared_at_five_groups_and_never_used(force):
    _, rows, result = force
    pairs = Counter()
    for row in rows:
        status, _, group = self_defined(row["Self-defined ethnicity"])
        pairs[
            group if status == "known" else "Not known", row["Officer-defined ethnicity"] or "Not known"
        ] += 1
    table = result.table("observed")
    assert Counter({(r["own"], r["observed"]): r["records"] for _, r in table.iterrows()}) == pairs
    both = {pair: n for pair, n in pairs.items() if "Not known" not in pair}
    same = sum(n for (own, seen), n in both.items() if own == seen)
    assert measures(result, "ethnicity")["observed_agrees"] == (same, sum(both.values()))


def test_no_blank_is_no_proof_that_ethnicity_is_known(tmp_path):
    path = source_file("police-stop-search", "leicestershire_2020-04_2021-03.csv")
    result = analysed(path, tmp_path)
    table = result.completeness
    here = table[(table["characteristic"] == "ethnicity") & (table["unit"] == "people")].set_index("measure")
    assert here.loc["populated", "value"] == 1.0
    assert here.loc["known_or_declined", "value"] == 1.0
    assert round(here.loc["known", "value"], 4) == 0.8152


VEHICLES = {"west-yorkshire": 876, "durham": 60}


@pytest.mark.parametrize("name", VEHICLES)
def test_a_search_of_a_vehicle_alone_concerns_no_person(name, tmp_path):
    path = source_file("police-stop-search", f"{name}_2020-04_2021-03.csv")
    line = 'applies = { column = "Type", not_in = ["Vehicle search"] }'
    result = analysed(path, tmp_path, under("characteristics.ethnicity", line))
    rows = read(path)
    plain = searches(
        rows, "Self-defined ethnicity", self_defined, applies=lambda row: row["Type"] != "Vehicle search"
    )
    agrees(result, "ethnicity", plain)
    assert counted(result, "ethnicity", "people")["not_applicable"] == VEHICLES[name]
    known = result.completeness.set_index(["characteristic", "measure", "unit"]).loc[
        "ethnicity", "known", "people"
    ]
    assert known["denominator"] == len(rows) - VEHICLES[name]
    assert known["numerator"] == sum(each.status == "known" for each in plain)


# ---------------------------------------------------------------- hospital: two code sets in one column

# ETHNOS of 2001/02: letters of the 2001 set, and the digits of the set before it.
ETHNOS = {
    "A": ("White British", "White"),
    "B": ("White Irish", "White"),
    "C": ("White other", "White"),
    "D": ("Mixed White/Black Caribbean", "Mixed"),
    "E": ("Mixed White/Black African", "Mixed"),
    "F": ("Mixed White/Asian", "Mixed"),
    "G": ("Mixed other", "Mixed"),
    "H": ("Indian", "Asian"),
    "J": ("Pakistani", "Asian"),
    "K": ("Bangladeshi", "Asian"),
    "L": ("Asian other", "Asian"),
    "M": ("Black Caribbean", "Black"),
    "N": ("Black African", "Black"),
    "P": ("Black other", "Black"),
    "R": ("Chinese", "Asian"),
    "S": ("Any other", "Other"),
    "0": ("White (broad)", "White"),
    "1": ("Black Caribbean", "Black"),
    "2": ("Black African", "Black"),
    "3": ("Black other", "Black"),
    "4": ("Indian", "Asian"),
    "5": ("Pakistani", "Asian"),
    "6": ("Bangladeshi", "Asian"),
    "7": ("Chinese", "Asian"),
    "8": ("Other (broad)", "Other"),
}
HOSPITAL = {
    "admitted": ("artificial_hes_apc_0102_truncated.csv", "ADMIDATE", "STARTAGE"),
    "emergency": ("artificial_hes_ae_0708_truncated.csv", "ARRIVALDATE", "ARRIVALAGE"),
}
NO_DATE = {"1801-01-01", "1802-01-01", ""}


def ethnos(value):
    if value in ("Z", "9", "X"):
        return {"Z": "declined", "9": "not_known", "X": "not_known"}[value], "", ""
    return "known", *ETHNOS[value]


def hospital_age(value):
    """7001 to 7007 are ages under one year."""
    if not value:
        return "missing", "", ""
    years = int(float(value))
    return "known", "0" if 7001 <= years <= 7007 else str(years), ""


def hospital_sex(value):
    return {"1": ("known", "Male", ""), "2": ("known", "Female", "")}.get(value, ("not_known", "", ""))


def episodes(rows, column, meaning, day):
    return [
        Recording(
            row["PSEUDO_HESID"],
            *meaning(row[column]),
            moment=0 if row[day] in NO_DATE else date.fromisoformat(row[day]).toordinal(),
            point=row["PROCODE3"],
        )
        for row in rows
    ]


@pytest.fixture(scope="module", params=["admitted", "emergency"])
def hospital(request, tmp_path_factory):
    name, day, age = HOSPITAL[request.param]
    path = source_file("hes-artificial", name)
    return request.param, read(path), analysed(path, tmp_path_factory.mktemp("hospital")), day, age


def test_every_count_of_hospital_episodes_is_the_plain_count(hospital):
    _, rows, result, day, age = hospital
    intake_agrees(result, rows)
    agrees(result, "ethnicity", episodes(rows, "ETHNOS", ethnos, day), override=True)
    agrees(result, "age", episodes(rows, age, hospital_age, day))
    agrees(result, "sex", episodes(rows, "SEX", hospital_sex, day))
    grouped = categories(episodes(rows, "ETHNOS", ethnos, day))[1]
    assert people_by_category(result, "ethnicity", "group") == grouped


def test_providers_are_the_points_of_care_however_many_there_are(hospital):
    _, rows, result, day, _ = hospital
    plain = episodes(rows, "ETHNOS", ethnos, day)
    assert len({each.point for each in plain}) > 62  # more than there are bits
    points_agree(result, plain)
    found = measures(result, "ethnicity")
    assert {measure: found[measure] for measure in verification(plain)} == verification(plain)


def test_each_provider_has_its_episodes(hospital):
    _, rows, result, _, _ = hospital
    table = result.breakdown
    here = table[
        (table["characteristic"] == "ethnicity") & (table["by"] == "site") & (table["unit"] == "records")
    ]
    found = {row["group"]: (int(row["numerator"]), int(row["denominator"])) for _, row in here.iterrows()}
    sites = Counter(row["PROCODE3"] for row in rows)
    known = Counter(row["PROCODE3"] for row in rows if ethnos(row["ETHNOS"])[0] == "known")
    assert found == {site: (known[site], n) for site, n in sites.items()}


def test_the_steps_of_the_person_rule_change_what_the_plain_rule_changes(hospital):
    _, rows, result, day, _ = hospital
    table = result.table("steps").set_index(["characteristic", "step"])["changed"]
    plain = steps(episodes(rows, "ETHNOS", ethnos, day))
    for step in ("overridden", "conflict", "carry_back"):
        assert table.get(("ethnicity", step), 0) == plain[step]


@pytest.mark.parametrize("hospital", ["admitted"], indirect=True)
def test_letters_and_digits_of_two_code_sets_are_both_read_and_said(hospital):
    _, rows, result, _, _ = hospital
    assert any(
        "nhs-ethnic-category-2001 (" in note and "hes-ethnicity-1995 (" in note for note in result.notes
    )
    codes = result.codes
    here = codes[codes["characteristic"] == "ethnicity"]
    assert dict(zip(here["value"], here["records"], strict=True)) == Counter(row["ETHNOS"] for row in rows)
    assert "mixed code lists" in set(result.flags["flag"])


@pytest.mark.parametrize("hospital", ["emergency"], indirect=True)
def test_a_code_for_not_known_in_every_row_is_no_one_known(hospital):
    _, rows, result, _, _ = hospital
    assert Counter(row["ETHNOS"] for row in rows) == {"X": 1000}
    people = len({row["PSEUDO_HESID"] for row in rows})
    assert result.about.people == people == 672
    assert counted(result, "ethnicity", "people") == {"not_known": people}
    assert result.figure("ethnicity_known")["value"] == 0.0
    assert people_by_category(result, "ethnicity", "detailed") == {}
    assert not any("code lists" in note for note in result.notes)


@pytest.mark.parametrize("hospital", ["admitted"], indirect=True)
def test_the_codes_7001_to_7007_are_ages_under_one(hospital):
    _, rows, result, day, age = hospital
    assert sum(7001 <= int(row[age]) <= 7007 for row in rows) > 200
    table = result.breakdown
    here = table[
        (table["characteristic"] == "ethnicity") & (table["by"] == "age_band") & (table["group"] == "0")
    ]
    babies = categories(episodes(rows, age, hospital_age, day))[0]["0"]
    assert babies > 50
    assert int(here["denominator"].sum()) == babies


def test_episodes_outside_the_eligible_ages_are_rejected_and_counted(tmp_path):
    name, day, age = HOSPITAL["admitted"]
    path = source_file("hes-artificial", name)
    result = analysed(path, tmp_path, under("service", "ages = [1, 120]"))
    rows = read(path)
    kept = [row for row in rows if hospital_age(row[age])[1] != "0"]
    ledger = {rejection.reason: rejection.rows for rejection in result.intake.rejections}
    assert ledger == {"outside the eligible ages": len(rows) - len(kept)}
    assert result.intake.rows_used == len(kept)
    agrees(result, "ethnicity", episodes(kept, "ETHNOS", ethnos, day), override=True)


def test_only_the_period_is_counted_and_episodes_without_a_date_are_said(tmp_path):
    name, day, _ = HOSPITAL["admitted"]
    path = source_file("hes-artificial", name)
    line = "period = { from = 2001-04-01, to = 2002-03-31 }"
    result = analysed(path, tmp_path, under("service", line))
    rows = read(path)
    kept = [row for row in rows if row[day] not in NO_DATE and "2001-04-01" <= row[day] <= "2002-03-31"]
    undated = sum(row[day] in NO_DATE for row in rows)
    outside = len(rows) - len(kept) - undated
    ledger = {rejection.reason: rejection.rows for rejection in result.intake.rejections}
    planned = {"no readable contact date": undated, "outside the period": outside}
    assert ledger == {reason: n for reason, n in planned.items() if n}
    agrees(result, "ethnicity", episodes(kept, "ETHNOS", ethnos, day), override=True)


# ---------------------------------------------------------------- United States: words of no ONS list

RACE = {
    "Caucasian": ("invalid", "", ""),
    "AfricanAmerican": ("invalid", "", ""),
    "Hispanic": ("invalid", "", ""),
    "Asian": ("known", "Asian (broad)", "Asian"),
    "Other": ("known", "Other (broad)", "Other"),
    "?": ("missing", "", ""),
}
# What an analyst who knows the data might write under the draft's list of values that no list knows.
LOCAL_MAP = {
    "Caucasian": "White (broad)",
    "AfricanAmerican": "Black (broad)",
    "Hispanic": "Other (broad)",
}
MAPPED = RACE | {
    "Caucasian": ("known", "White (broad)", "White"),
    "AfricanAmerican": ("known", "Black (broad)", "Black"),
    "Hispanic": ("known", "Other (broad)", "Other"),
}


def american_sex(value):
    return ("known", value, "") if value in ("Male", "Female") else ("not_known", "", "")


def encounters(rows, column, meaning):
    """No date: every encounter of a person stands at the same moment."""
    return [
        Recording(row["patient_nbr"], *meaning(row[column]), point=row["admission_type_id"]) for row in rows
    ]


@pytest.fixture(scope="module")
def diabetes(tmp_path_factory):
    path = source_file("diabetes-130", "diabetic_data.csv.gz")
    return read(path), analysed(path, tmp_path_factory.mktemp("diabetes"))


def test_many_encounters_are_one_person(diabetes):
    rows, result = diabetes
    intake_agrees(result, rows)
    assert result.about.people == len({row["patient_nbr"] for row in rows}) == 71_518
    table = result.breakdown
    here = table[(table["characteristic"] == "ethnicity") & (table["by"] == "contacts")]
    bands = {row["group"]: int(row["denominator"]) for _, row in here.iterrows()}
    each = Counter(Counter(row["patient_nbr"] for row in rows).values())
    plain = {
        "1": each[1],
        "2": each[2],
        "3 to 4": each[3] + each[4],
        "5 to 9": sum(each[n] for n in range(5, 10)),
        "10 and over": sum(people for n, people in each.items() if n >= 10),
    }
    assert bands == plain


def test_words_of_no_list_are_invalid_and_the_rest_is_the_plain_count(diabetes):
    rows, result = diabetes
    agrees(result, "ethnicity", encounters(rows, "race", RACE.__getitem__), override=True)
    agrees(result, "sex", encounters(rows, "gender", american_sex))
    agrees(result, "age", encounters(rows, "age", plain_value))
    points_agree(result, encounters(rows, "race", RACE.__getitem__))
    records = Counter(row["race"] for row in rows)
    codes = result.codes
    codes = codes[codes["characteristic"] == "ethnicity"].set_index("value")["records"]
    assert {value: codes[value] for value in RACE} == records
    assert any("United States race word" in note for note in result.notes)


@pytest.fixture(scope="module")
def diabetes_mapped(diabetes, tmp_path_factory):
    lines = [f'"{value}" = "{category}"' for value, category in LOCAL_MAP.items()]

    def edit(text):
        for value in LOCAL_MAP:  # the draft listed each of them
            assert f'# "{value}" = ""' in text
        return text + "\n[characteristics.ethnicity.map]\n" + "\n".join(lines) + "\n"

    path = source_file("diabetes-130", "diabetic_data.csv.gz")
    return diabetes[0], analysed(path, tmp_path_factory.mktemp("mapped"), edit)


def test_a_local_map_makes_the_words_known_and_contradictions_count_as_not_known(diabetes_mapped):
    rows, result = diabetes_mapped
    plain = encounters(rows, "race", MAPPED.__getitem__)
    agrees(result, "ethnicity", plain, override=True)
    points_agree(result, plain)
    found = steps(plain)
    table = result.table("steps").set_index(["characteristic", "step"])["changed"]
    assert found["conflict"] > 0
    assert table["ethnicity", "conflict"] == found["conflict"]
    assert people_by_category(result, "ethnicity", "group") == categories(plain)[1]


def test_without_dates_nothing_can_be_an_independent_recording(diabetes_mapped):
    rows, result = diabetes_mapped
    plain = verification(encounters(rows, "race", MAPPED.__getitem__))
    found = measures(result, "ethnicity")
    assert plain["independent"][0] == 0
    assert {measure: found[measure] for measure in plain} == plain


def test_records_carried_back_are_those_whose_person_is_known_from_another(diabetes_mapped):
    rows, result = diabetes_mapped
    table = result.table("steps").set_index(["characteristic", "step"])["changed"]
    assert (
        table["ethnicity", "carry_back"] == steps(encounters(rows, "race", MAPPED.__getitem__))["carry_back"]
    )
