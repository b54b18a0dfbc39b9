"""Outcomes by group on public records, through the whole run, against other libraries that see single records."""

import csv
import gzip
import io
from collections import Counter, defaultdict

import numpy as np
import pytest
from scipy.stats import chi2_contingency
from statsmodels.genmod.families import Poisson
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

import equitydata as eq
from equitydata.strata import CROSS_CATEGORY
from test_real_data import source_file

RACES = {
    "Caucasian": "White",
    "AfricanAmerican": "Black",
    "Hispanic": "Other",
    "Asian": "Asian",
    "Other": "Other",
}
MAP = {
    "Caucasian": "White (broad)", "AfricanAmerican": "Black (broad)", "Hispanic": "Other (broad)",
    "Asian": "Asian (broad)", "Other": "Other (broad)",
}  # fmt: skip
READMITTED = {
    "label": "Readmitted within 30 days",
    "kind": "outcome",
    "counts": "contacts",
    "denominator": {"column": "readmitted", "in": ["<30", ">30", "NO"]},
    "numerator": {"column": "readmitted", "equals": "<30"},
    "polarity": "adverse",
}


@pytest.fixture(scope="module")
def stays():
    path = source_file("diabetes-130", "diabetic_data.csv.gz")
    with gzip.open(path, "rb") as file:
        return path, list(csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline="")))


@pytest.fixture(scope="module")
def readmission(stays):
    """Each stay its own person, so that limits are those of independent records."""
    service = eq.make_service(
        {
            "service": {"name": "Diabetes stays"},
            "extract": {"path": str(stays[0]), "person": "encounter_id"},
            "characteristics": {
                "ethnicity": {"column": "race", "map": MAP},
                "sex": {"column": "gender"},
                "age": {"column": "age"},
            },
            "measures": {"readmitted": READMITTED},
            "analysis": {"crossings": ["ethnicity x sex"]},
        }
    )
    return eq.analyse(service)


def counts(rows, group):
    people, events = Counter(), Counter()
    for row in rows:
        key = group(row)
        if key is not None:
            people[key] += 1
            events[key] += row["readmitted"] == "<30"
    return people, events


def crude(result, characteristic, level):
    table = result.comparisons
    here = table[(table["characteristic"] == characteristic) & (table["level"] == level)]
    here = here[(here["comparator"] == "rest") & (here["adjustment"] == "crude")]
    return {row["category"]: row for row in here.to_dict("records")}


GROUPINGS = {
    "ethnicity": ("groups", lambda row: RACES.get(row["race"])),
    "sex": ("detailed", lambda row: row["gender"] if row["gender"] in ("Male", "Female") else None),
    "age": ("band", lambda row: row["age"]),
    "ethnicity x sex": (
        "groups x detailed",
        lambda row: (
            f"{RACES[row['race']]}{CROSS_CATEGORY}{row['gender']}"
            if row["race"] in RACES and row["gender"] in ("Male", "Female")
            else None
        ),
    ),
}


@pytest.mark.parametrize("characteristic", GROUPINGS)
def test_readmission_by_group_is_the_independent_computation(stays, readmission, characteristic):
    level, group = GROUPINGS[characteristic]
    people, events = counts(stays[1], group)
    found = crude(readmission, characteristic, level)
    everyone, every_event = sum(people.values()), sum(events.values())
    assert {key for key, row in found.items() if row["people"]} == set(people)
    for key, n in people.items():
        row, x = found[key], events[key]
        rest = (every_event - x, everyone - n)
        assert (row["numerator"], row["denominator"]) == (x, n)
        assert (row["comparator_numerator"], row["comparator_denominator"]) == rest
        low, high = confint_proportions_2indep(x, n, *rest, method="newcomb")
        assert row["difference"] == pytest.approx(x / n - rest[0] / rest[1])
        assert (row["difference_lower"], row["difference_upper"]) == pytest.approx((low, high))
        assert row["ratio"] == pytest.approx(x / n / (rest[0] / rest[1]))
        if min(n, rest[1]) * every_event / everyone >= 5:
            p = proportions_ztest([x, rest[0]], [n, rest[1]])[1]
            assert row["p"] == pytest.approx(p, rel=1e-6)


def test_the_omnibus_test_is_the_chi_square_of_the_single_records(stays, readmission):
    people, events = counts(stays[1], GROUPINGS["ethnicity"][1])
    cells = [[events[key], people[key] - events[key]] for key in people]
    expected = chi2_contingency(cells, correction=False)
    table = readmission.table("tests")
    row = table[(table["characteristic"] == "ethnicity") & (table["level"] == "groups")].iloc[0]
    assert row["statistic_value"] == pytest.approx(expected.statistic)
    assert row["p"] == pytest.approx(expected.pvalue)


def test_readmission_adjusted_for_age_and_sex_is_the_model_of_single_records(stays, readmission):
    """Standardised risks of a logistic model on 99,000 single rows, group against the people-weighted rest."""
    from statsmodels.genmod.families import Binomial

    rows = [
        (RACES[row["race"]], row["age"], row["gender"], row["readmitted"] == "<30")
        for row in stays[1]
        if row["race"] in RACES and row["gender"] in ("Male", "Female")
    ]
    races, bands = sorted({row[0] for row in rows}), sorted({row[1] for row in rows})
    race = np.array([races.index(row[0]) for row in rows])
    band = np.array([bands.index(row[1]) for row in rows])
    female = np.array([row[2] == "Female" for row in rows], dtype=float)
    y = np.array([row[3] for row in rows], dtype=float)
    covariates = np.column_stack([band[:, None] == np.arange(1, len(bands)), female])
    design = np.column_stack([race[:, None] == np.arange(len(races)), covariates]).astype(float)
    fitted = GLM(y, design, family=Binomial()).fit()
    linear = covariates @ fitted.params[len(races) :]
    risks = np.array([(1 / (1 + np.exp(-(linear + own)))).mean() for own in fitted.params[: len(races)]])
    people = np.bincount(race)
    table = readmission.comparisons
    here = table[(table["characteristic"] == "ethnicity") & (table["level"] == "groups")]
    here = here[(here["comparator"] == "rest") & (here["adjustment"] == "adjusted")].set_index("category")
    for place, name in enumerate(races):
        others = np.arange(len(races)) != place
        rest = (risks[others] * people[others]).sum() / people[others].sum()
        assert here.loc[name, "value"] == pytest.approx(risks[place], rel=1e-3), name
        assert here.loc[name, "difference"] == pytest.approx(risks[place] - rest, abs=2e-4), name


def test_people_with_several_stays_have_the_clustered_limits_of_a_library(stays):
    """Race against readmission with the person as cluster: our design effect against a clustered regression."""
    from statsmodels.regression.linear_model import OLS

    service = eq.make_service(
        {
            "service": {"name": "Diabetes people"},
            "extract": {"path": str(stays[0]), "person": "patient_nbr"},
            "characteristics": {"sex": {"column": "gender"}},
            "measures": {"readmitted": READMITTED},
        }
    )
    result = eq.analyse(service)
    own = defaultdict(set)
    for row in stays[1]:
        own[row["patient_nbr"]].add(row["gender"])
    clear = {person: next(iter(sexes)) for person, sexes in own.items() if len(sexes) == 1}
    women = [row for row in stays[1] if clear.get(row["patient_nbr"]) == "Female"]
    y = np.array([row["readmitted"] == "<30" for row in women], dtype=float)
    person = np.unique([row["patient_nbr"] for row in women], return_inverse=True)[1]
    clustered = OLS(y, np.ones(len(y))).fit(
        cov_type="cluster", cov_kwds={"groups": person, "use_correction": False}
    )
    persons = person.max() + 1
    variance = clustered.bse[0] ** 2 * persons / (persons - 1)
    outcomes = result.table("outcomes")
    row = outcomes[(outcomes["characteristic"] == "sex") & (outcomes["category"] == "Female")].iloc[0]
    assert (row["denominator"], row["numerator"], row["people"]) == (len(y), y.sum(), persons)
    expected = variance / (y.mean() * (1 - y.mean()) / len(y))
    assert row["design_effect"] == pytest.approx(expected, rel=1e-6)
    assert expected > 1.1


HOSPITAL_MEASURES = {
    "died": {
        "label": "Died in hospital", "kind": "outcome", "polarity": "adverse",
        "denominator": {"column": "DISMETH", "in": ["1", "2", "3", "4"]},
        "numerator": {"column": "DISMETH", "equals": "4"},
    },
    "emergency": {
        "label": "Emergency admission", "kind": "access", "polarity": "adverse",
        "denominator": {"column": "ADMIMETH", "missing": False},
        "numerator": {"column": "ADMIMETH", "in": ["21", "22", "23", "24", "28"]},
    },
    "stay": {"label": "Days in hospital", "kind": "quality", "polarity": "neutral", "value": "SPELDUR"},
}  # fmt: skip


def test_columns_that_are_unrelated_raise_no_flag_beyond_chance():
    """Each family of one measure and characteristic may raise a chance flag once in twenty; no more are seen."""
    path = source_file("hes-artificial", "artificial_hes_apc_0102_truncated.csv")
    service = eq.make_service(
        {
            "service": {"name": "Artificial episodes"},
            "extract": {"path": str(path), "person": "EPIKEY"},
            "characteristics": {
                "ethnicity": {"column": "ETHNOS"},
                "sex": {"column": "SEX", "code_list": "person-gender-current"},
                "age": {"column": "STARTAGE"},
            },
            "measures": HOSPITAL_MEASURES,
        }
    )
    result = eq.analyse(service)
    table = result.comparisons
    judged = table[(table["flag"] != "") & (table["flag"] != "insufficient_data")]
    families = judged.groupby(["measure", "characteristic"])["flag"].agg(
        lambda flags: flags.str.startswith(("disproportionate", "different")).any()
    )
    assert len(families) >= 6
    assert families.sum() <= 1, families[families]


def test_poisson_rates_of_a_library_agree_for_a_rate_by_person_time(stays):
    """Emergency visits of the year before, per day in hospital: a rate against statsmodels' Poisson regression."""
    service = eq.make_service(
        {
            "service": {"name": "Diabetes stays"},
            "extract": {"path": str(stays[0]), "person": "encounter_id"},
            "characteristics": {"sex": {"column": "gender"}},
            "measures": {
                "changed": {
                    "label": "Medication changed", "kind": "quality", "polarity": "neutral",
                    "numerator": {"column": "change", "equals": "Ch"}, "person_time": "time_in_hospital",
                }
            },
        }
    )  # fmt: skip
    result = eq.analyse(service)
    rows = [row for row in stays[1] if row["gender"] in ("Male", "Female")]
    events, days = Counter(), Counter()
    for row in rows:
        events[row["gender"]] += row["change"] == "Ch"
        days[row["gender"]] += int(row["time_in_hospital"])
    sexes = ["Female", "Male"]
    fitted = GLM(
        [events[s] for s in sexes], np.array([[1.0, 0.0], [1.0, 1.0]]), family=Poisson(),
        offset=np.log([days[s] for s in sexes]),
    ).fit()  # fmt: skip
    row = crude(result, "sex", "detailed")["Male"]
    assert (row["numerator"], row["denominator"]) == (events["Male"], days["Male"])
    assert row["ratio"] == pytest.approx(np.exp(fitted.params[1]), rel=1e-9)
    low, high = np.exp(fitted.conf_int()[1])
    assert (row["ratio_lower"], row["ratio_upper"]) == pytest.approx((low, high), rel=0.02)
