"""Services -> their organisation: three services made from one written rating, with changed numbers."""

import copy
import itertools
import json
from datetime import date
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import equitydata.combining as combining
from equitydata import reference
from equitydata.combining import combine, every_outcome, read_services, share_outcome
from equitydata.errors import ConfigError
from equitydata.rating import make_rating
from equitydata.release.released import release
from equitydata.result import EquityResult
from equitydata.rulebook import criterion_checks, load_rulebook
from equitydata.service import make_service
from equitydata.shown import Shown
from equitydata.tables import SERVICES_TABLE
from report_sample import sample_result

TODAY = date(2026, 4, 2)
MET, NOT_MET, OPEN, NO = "met", "not met", "not assessed", "not applicable"


@cache
def written() -> str:
    """The text of rating.json of the sample service: 1,740 of 2,000 people with both fields known."""
    return json.dumps(make_rating(release(sample_result())).model_dump(mode="json"))


def service(name, *, joint=None, people=2000, **outcomes):
    """The sample's rating under another name.

    joint : (numerator, denominator) of the joint share, "hidden", or None for the sample's own.
    outcomes : S_ANAL_F4="met" and so on, for criteria without counts.
    """
    rating = json.loads(written())
    rating["about"] |= {"name": name, "people": people}
    rows = {row["criterion_id"]: row for row in rating["criteria"]}
    if joint is not None:
        counts = [rows["S-QUAN-F1"], rows["S-QUAN-F2"]]
        counts += [each for each in rating["headline"] if each["characteristic"] == "joint"]
        for row in counts:
            if joint == "hidden":
                row |= {
                    "hidden": True,
                    **dict.fromkeys(("numerator", "denominator", "value", "lower", "upper")),
                }
            else:
                row |= {"numerator": joint[0], "denominator": joint[1], "value": joint[0] / joint[1]}
        if joint != "hidden":
            met = MET if Fraction(*joint) >= Fraction(19, 20) else NOT_MET
            for row in counts[:2]:
                row |= {"outcome": met, "outcome_other_reading": met}
    for key, outcome in outcomes.items():
        rows[key.replace("_", "-")] |= {"outcome": outcome, "outcome_other_reading": outcome}
    return rating


def joined(*services, rules=None, organisation=None):
    return combine(services, organisation, rulebook=load_rulebook(rules), as_of=TODAY)


def criterion(result, identity="O-QUAN-F3"):
    return result.maturity.criteria.set_index("criterion_id").loc[identity]


HIGH, LOW = (1960, 2000), (1740, 2000)


def three(*joints, **more):
    return [service(name, joint=joint, **more) for name, joint in zip("ABC", joints, strict=True)]


# ---------------------------------------------------------------- every


def test_every_service_must_meet_it_by_default():
    found = criterion(joined(*three(HIGH, HIGH, HIGH)))
    assert found[["outcome", "rests_on", "threshold"]].tolist() == [MET, "services", 0.95]
    assert found["evidence"].startswith("3 of 3 services meet it; every one must")
    assert found["reason"] == "" and found["date"] == "2026-04-01"


def test_one_service_that_falls_short_decides_and_is_named_with_the_pooled_value_beside():
    found = criterion(joined(*three((6000, 6000), LOW, HIGH)))
    assert (found["outcome"], found["reason"]) == (NOT_MET, "Not met by: B.")
    assert (found["numerator"], found["denominator"]) == (6000 + 1740 + 1960, 10_000)
    assert found["value"] == pytest.approx(0.97) and found["lower"] < 0.97 < found["upper"]
    assert found["evidence"].startswith("2 of 3 services meet it; every one must. Pooled: ")


@pytest.mark.parametrize(
    ("outcomes", "wanted"),
    [
        ([MET, MET, MET], MET),
        ([MET, NOT_MET, OPEN], NOT_MET),
        ([MET, MET, OPEN], OPEN),
        ([MET, NO, MET], MET),
        ([NO, NO, OPEN], OPEN),
        ([NO, NO, NO], NO),
    ],
)
def test_not_assessed_never_counts_as_met_and_what_does_not_apply_is_left_out(outcomes, wanted):
    services = [service(name, S_ANAL_F4=each) for name, each in zip("ABC", outcomes, strict=True)]
    found = criterion(joined(*services), "O-ANAL-F5")
    assert found["outcome"] == wanted
    assert found["rests_on"] == ("" if wanted == OPEN else "services")


def test_services_that_give_the_same_reason_pass_it_on():
    found = criterion(joined(service("A"), service("B")), "O-ANAL-F4")
    assert found["reason"].startswith("Not assessed in: A, B. It takes two runs or more in the log")


# ---------------------------------------------------------------- share


@pytest.mark.parametrize(
    ("met", "not_met", "open_", "least", "wanted"),
    [
        (9, 1, 0, 0.9, MET),
        (8, 2, 0, 0.9, NOT_MET),
        (8, 1, 1, 0.9, OPEN),
        (9, 0, 1, 0.9, MET),
        (2, 1, 0, 0.67, NOT_MET),
        (2, 1, 0, 0.66, MET),
        (3, 0, 0, 1.0, MET),
        # Binary rounding of 0.1 * 30 must not ask for a fourth service.
        (3, 27, 0, 0.1, MET),
    ],
)
def test_a_share_of_the_services_is_counted_exactly(met, not_met, open_, least, wanted):
    assert share_outcome([MET] * met + [NOT_MET] * not_met + [OPEN] * open_, least) == wanted


@given(
    outcomes=st.lists(st.sampled_from([MET, NOT_MET, OPEN]), min_size=1, max_size=7),
    least=st.sampled_from([0.0, 0.5, 0.75, 0.9, 1.0]),
)
@settings(max_examples=200, deadline=None)
def test_what_is_decided_holds_however_the_open_services_would_turn_out(outcomes, least):
    """By trying every way in which services that are not assessed could be met or not met."""
    ways = itertools.product(*[[MET, NOT_MET] if each == OPEN else [each] for each in outcomes])
    shares = {Fraction(sum(each == MET for each in way), len(way)) for way in ways}
    passes = {share >= Fraction(str(least)) for share in shares}
    wanted = OPEN if len(passes) == 2 else MET if passes == {True} else NOT_MET
    assert share_outcome(outcomes, least) == wanted
    if least == 1.0:
        assert every_outcome(outcomes) == wanted


def test_the_share_rule_asks_for_its_share():
    services = three(HIGH, HIGH, LOW)
    assert criterion(joined(*services, rules={"roll_up": "share"}))["outcome"] == NOT_MET
    loose = criterion(joined(*services, rules={"roll_up": "share", "roll_up_share": 0.66}))
    assert loose["outcome"] == MET and "2 of 3 services meet it; 66% must" in loose["evidence"]


# ---------------------------------------------------------------- pooled


def pooled(*services, identity="O-QUAN-F3", **rules):
    return criterion(joined(*services, rules={"roll_up": "pooled", **rules}), identity)


@pytest.mark.parametrize(
    ("joints", "wanted"),
    [
        # 9,700 of 10,000 together, whatever the one service.
        (((6000, 6000), LOW, HIGH), MET),
        ((HIGH, LOW, LOW), NOT_MET),
        ((HIGH, HIGH, HIGH), MET),
        ((LOW, LOW, LOW), NOT_MET),
    ],
)
def test_pooled_the_patients_of_all_services_together_decide(joints, wanted):
    found = pooled(*three(*joints))
    assert found["outcome"] == wanted
    assert found["numerator"] == sum(n for n, _ in joints)
    assert found["evidence"].startswith("The patients of all services together")


def test_pooled_shares_too_near_the_threshold_for_rounded_counts_are_not_told():
    # 5,700 of 6,000 is 0.95 to the person; true counts may lie 7 people either way.
    found = pooled(*three((1960, 2000), (1900, 2000), (1840, 2000)))
    assert found["outcome"] == OPEN and "rounded and too near the threshold" in found["reason"]
    assert pooled(*three((1960, 2000), (1920, 2000), (1840, 2000)))["outcome"] == MET


def test_pooled_services_that_all_meet_it_meet_it_together_whatever_the_rounding():
    assert pooled(*three((1900, 2000), (1900, 2000), (1900, 2000)))["outcome"] == MET


def hidden(name, outcome, *, people):
    """A service that hides its joint share, but not on which side of the threshold it lies."""
    return service(name, joint="hidden", people=people, S_QUAN_F1=outcome, S_QUAN_F2=outcome)


def test_hidden_counts_are_never_zero_and_are_left_out_of_the_pooled_value():
    found = pooled(service("A", joint=HIGH), service("B", joint=HIGH), hidden("C", MET, people=40))
    assert (found["numerator"], found["denominator"]) == (3920, 4000)
    assert found["outcome"] == MET
    assert found["evidence"].endswith("without C, whose counts are not shown")


@pytest.mark.parametrize(
    ("people", "outcome", "wanted"),
    [
        # Few people cannot turn 3,920 of 4,000 even if none of them is known; many could.
        (40, NOT_MET, MET),
        (90, NOT_MET, MET),
        (3000, NOT_MET, OPEN),
        # However many: a service on the same side cannot turn the others.
        (3000, MET, MET),
        # Hidden people are seven at most.
        (None, NOT_MET, MET),
    ],
)
def test_hidden_counts_leave_it_open_only_where_they_could_turn_it(people, outcome, wanted):
    found = pooled(service("A", joint=HIGH), service("B", joint=HIGH), hidden("C", outcome, people=people))
    assert found["outcome"] == wanted
    if wanted == OPEN:
        assert "What is not shown could turn it: C." in found["reason"]


@given(
    shown=st.tuples(st.integers(0, 400), st.integers(400, 800)),
    few=st.tuples(st.integers(0, 60), st.integers(1, 60)),
)
@settings(max_examples=60, deadline=None)
def test_what_is_said_of_hidden_counts_is_true_of_the_true_ones(shown, few):
    """Rounded and hidden as a release would; then held against the true counts, in fractions."""
    (numerator, denominator), (n, d) = (shown[1] - min(shown[0], 60), shown[1]), (min(few), max(few))
    met = MET if Fraction(n, d) >= Fraction(19, 20) else NOT_MET
    rounded = tuple(5 * round(each / 5) for each in (numerator, denominator))
    a = service("A", joint=rounded)
    own = MET if Fraction(numerator, denominator) >= Fraction(19, 20) else NOT_MET
    for row in a["criteria"]:
        if row["criterion_id"] in ("S-QUAN-F1", "S-QUAN-F2"):
            row |= {"outcome": own, "outcome_other_reading": own}
    people = None if d <= 7 else 5 * round(d / 5)
    found = pooled(a, hidden("C", met, people=people))
    true = Fraction(numerator + n, denominator + d) >= Fraction(19, 20)
    assert found["outcome"] in (OPEN, MET if true else NOT_MET)


def test_a_service_that_could_not_measure_it_leaves_the_pooled_value_open_unless_it_is_small():
    def unmapped(people):
        rating = service("C", joint="hidden", people=people, S_QUAN_F1=OPEN, S_QUAN_F2=OPEN)
        for row in (*rating["criteria"], *rating["headline"]):
            if row.get("criterion_id") in ("S-QUAN-F1", "S-QUAN-F2") or row.get("characteristic") == "joint":
                row |= {"hidden": False, "figure": "", "rests_on": "", "unit": ""}
                row |= {"measured": False} if "measured" in row else {}
        return json.loads(json.dumps(rating))

    def rated(people):
        rating = unmapped(people)
        rating["headline"] = [
            {k: v for k, v in row.items() if k != "figure" and k != "rests_on"} for row in rating["headline"]
        ]
        return pooled(service("A", joint=HIGH), service("B", joint=HIGH), rating)["outcome"]

    assert (rated(2000), rated(50)) == (OPEN, MET)


def test_criteria_that_are_no_share_of_patients_go_by_every_service():
    services = [service("A", S_ANAL_F4=MET), service("B", S_ANAL_F4=NOT_MET)]
    found = pooled(*services, identity="O-ANAL-F5")
    assert found["outcome"] == NOT_MET and "every one must" in found["evidence"]


# ---------------------------------------------------------------- readings, next steps


def test_both_readings_of_declined_answers_are_rolled_up():
    a, b = service("A", joint=HIGH), service("B", joint=LOW)
    for row in b["criteria"]:
        if row["criterion_id"] in ("S-QUAN-F1", "S-QUAN-F2"):
            row["outcome_other_reading"] = MET
    strict, lenient = joined(a, b), joined(a, b, rules={"count_declined": True})
    columns = ["outcome", "outcome_other_reading"]
    assert criterion(strict)[columns].tolist() == [NOT_MET, MET]
    assert criterion(lenient)[columns].tolist() == [MET, NOT_MET]


def test_a_service_rated_under_the_other_reading_is_read_under_the_organisations():
    rating = service("A", joint=LOW)
    rating["data_domain"]["declined_counts"] = True
    for row in rating["criteria"]:
        if row["criterion_id"] == "S-QUAN-F1":
            row |= {"outcome": MET, "outcome_other_reading": NOT_MET}
    assert criterion(joined(rating))["outcome"] == NOT_MET


def steps(result):
    return result.maturity.next_steps.set_index("criterion_id").loc["O-QUAN-F3, O-QUAN-F4"]


def test_the_step_says_how_many_people_and_names_the_services():
    found = steps(joined(*three(HIGH, LOW, (1800, 2000))))
    # 95% of 2,000 is 1,900: 160 more in B and 100 more in C.
    assert (found["needed"], found["unit"], found["places"]) == (260, "people", "most of them at B and C")
    assert found["action"].startswith("Not met by: B, C. ")


def test_under_the_share_rule_the_nearest_services_are_enough():
    found = steps(joined(*three(HIGH, LOW, (1800, 2000)), rules={"roll_up": "share", "roll_up_share": 0.6}))
    assert found["needed"] == 100


def test_pooled_the_step_counts_over_all_services():
    found = steps(joined(*three(HIGH, LOW, (1800, 2000)), rules={"roll_up": "pooled"}))
    assert found["needed"] == 5700 - (1960 + 1740 + 1800)


def test_where_a_service_that_falls_short_hides_its_counts_the_step_has_no_number():
    result = joined(service("A", joint=LOW), hidden("B", NOT_MET, people=30))
    found = result.maturity.next_steps.set_index("criterion_id")
    assert found.loc[["O-QUAN-F3, O-QUAN-F4"], "needed"].isna().all()


# ---------------------------------------------------------------- the organisation's result


def organisation(**more):
    given = {
        "service": {"name": "Trust (made up)", "level": "organisation"},
        "attestations": {
            "O-QUAN-F1": {
                "met": True,
                "evidence": "Data policy, clause 4",
                "owner": "Data lead",
                "date": date(2026, 1, 12),
            },
            "O-QUAN-F3": {
                "met": True,
                "evidence": "A claim beside the counts",
                "owner": "Data lead",
                "date": date(2026, 1, 12),
            },
        },
    }
    return make_service({**given, **more})


def test_the_organisations_own_criteria_are_attested_and_its_effect_criteria_are_not():
    result = joined(*three(HIGH, LOW, HIGH), organisation=organisation())
    assert (result.about.name, result.about.level) == ("Trust (made up)", "organisation")
    assert criterion(result, "O-QUAN-F1")[["outcome", "rests_on"]].tolist() == [MET, "attested"]
    assert criterion(result, "O-QUAN-F3")[["outcome", "rests_on"]].tolist() == [NOT_MET, "services"]
    assert len(result.maturity.criteria) == len(reference.criteria("organisation"))


def test_what_no_service_decides_may_be_attested():
    given = organisation(
        attestations={
            "O-ANAL-F4": {
                "met": True,
                "evidence": "Board papers",
                "owner": "Data lead",
                "date": date(2026, 1, 12),
            }
        }
    )
    found = criterion(joined(service("A"), organisation=given), "O-ANAL-F4")
    assert found[["outcome", "rests_on"]].tolist() == [MET, "attested"]


def test_the_organisations_own_register_and_log_show_what_services_do_not():
    log = Shown(MET, "Two runs", date(2026, 3, 2), "Two runs are regular.")
    result = combine(
        [service("A")], as_of=TODAY, shown={"O-ANAL-F4": log, "O-QUAL-F3": log, "O-QUAN-F3": log}
    )
    rests = result.maturity.criteria.set_index("criterion_id")["rests_on"]
    assert rests[["O-ANAL-F4", "O-QUAL-F3", "O-QUAN-F3"]].tolist() == ["run log", "register", "services"]


def test_the_rules_of_the_organisations_file_are_in_force_when_none_are_given():
    given = organisation(rules={"roll_up": "pooled"})
    result = combine(three((6000, 6000), LOW, HIGH), given, as_of=TODAY)
    assert criterion(result)["outcome"] == MET and result.choices["roll_up"].changed


def test_an_organisation_that_all_services_carry_reaches_its_tier():
    """Everything attested by the organisation, and every effect criterion met in each service."""
    ratings = three(HIGH, HIGH, HIGH)
    for rating in ratings:
        for row in rating["criteria"]:
            row |= {"outcome": MET, "outcome_other_reading": MET}
    own = reference.criteria("organisation")
    own = own[own["evidence_type"] == "attested"]["criterion_id"]
    claims = {
        name: {"met": True, "evidence": "Paper", "owner": "Data lead", "date": date(2026, 1, 12)}
        for name in own
    }
    result = joined(*ratings, organisation=organisation(attestations=claims))
    assert result.maturity.tier == result.maturity.tier_measured == "Advanced"
    areas = result.maturity.areas.set_index("area_code")["rests_on_attestation"]
    assert not areas[["QUAN", "QUAL", "ANAL"]].any() and areas["CONV"]
    fewer = copy.deepcopy(ratings)
    next(row for row in fewer[1]["criteria"] if row["criterion_id"] == "S-ANAL-I5")["outcome"] = NOT_MET
    below = joined(*fewer, organisation=organisation(attestations=claims))
    assert below.maturity.tier == "Fundamental"
    (step,) = below.maturity.next_steps.to_dict("records")
    assert step["criterion_id"] == "O-ANAL-I5" and "Not met by: B." in step["action"]


def test_the_table_of_services_has_a_row_for_each_service_and_effect_criterion():
    result = joined(service("A", joint=HIGH), service("B", joint=LOW), hidden("C", MET, people=40))
    found = result.table("services")
    effects = [
        name for name, check in criterion_checks().items() if check.same_as and check.check != "workforce"
    ]
    assert list(found.columns) == list(SERVICES_TABLE.columns)
    assert len(found) == 3 * len(effects) and set(found["criterion_id"]) == set(effects)
    row = found[found["criterion_id"] == "O-QUAN-F3"].set_index("service")
    assert row["counts_are"].to_dict() == {"A": "shown", "B": "shown", "C": "hidden"}
    assert row["numerator"].isna().tolist() == [False, False, True]
    assert row["in_the_way"].to_dict() == {"A": False, "B": True, "C": False}
    assert row.loc["A", "value"] == 0.98


def test_people_rows_and_periods_are_those_of_all_services():
    result = joined(*three(HIGH, LOW, HIGH))
    assert (result.about.people, result.intake.rows_read, result.intake.rows_rejected) == (6000, 18_036, 36)
    assert result.intake.rows_used == 18_000
    assert (result.about.period_from, result.about.period_to) == (date(2025, 4, 1), date(2026, 3, 31))
    few = joined(service("A"), service("B", people=None))
    assert few.about.people == 2000
    assert "The people of these services are hidden, and not in the sum: B." in few.notes


def test_the_headline_shares_are_pooled_and_name_who_is_left_out():
    result = joined(service("A", joint=HIGH), hidden("C", MET, people=40))
    found = result.figure("joint_known")
    assert (found["numerator"], found["denominator"], found["measured"]) == (1960, 2000, True)
    assert found["label"].endswith("without C")


def test_rules_that_differ_between_services_are_told():
    other = service("B")
    other["changed_choices"] = [
        {"name": "joint", "label": "x", "value": False, "default": True, "reason": "x", "source": "x"}
    ]
    assert "The services were rated under different rules: joint." in joined(service("A"), other).notes


def test_the_result_is_released_and_read_back_as_any_other():
    result = joined(*three(HIGH, LOW, HIGH), organisation=organisation())
    released = release(result)
    assert released.disclosure == "nhs"
    again = EquityResult.from_json(released.to_json())
    assert criterion(again)["outcome"] == NOT_MET and again.about == released.about
    assert again.table("services").shape == released.table("services").shape


# ---------------------------------------------------------------- where ratings come from


def test_a_result_in_memory_and_its_rating_decide_the_same():
    result = sample_result(name="A")
    columns = ["outcome", "outcome_other_reading", "rests_on", "reason"]
    ratings = [json.loads(json.dumps(make_rating(release(result)).model_dump(mode="json")))]
    from_result, from_rating = joined(result).maturity.criteria, joined(*ratings).maturity.criteria
    assert from_result[columns].equals(from_rating[columns])
    # True counts in memory, rounded ones in the file.
    found = joined(result)
    assert (criterion(found)["numerator"], criterion(joined(*ratings))["numerator"]) == (1742, 1740)


def test_ratings_are_read_from_files_folders_and_the_json_of_results(tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "rating.json").write_text(json.dumps(service("A", joint=HIGH)), encoding="utf-8")
    (tmp_path / "b.json").write_text(json.dumps(service("B", joint=LOW)), encoding="utf-8")
    (tmp_path / "c.json").write_text(release(sample_result(name="C")).to_json(), encoding="utf-8")
    found = read_services([tmp_path / "report", tmp_path / "b.json", str(tmp_path / "c.json")])
    assert [each.name for each in found] == ["A", "B", "C"]
    assert criterion(joined(*found))["reason"] == "Not met by: B, C."


@pytest.mark.parametrize(
    ("services", "words"),
    [
        ([], "There is no service to combine"),
        (["A", "a "], "Two services are named 'A'"),
    ],
)
def test_services_that_cannot_be_combined_are_refused(services, words):
    with pytest.raises(ConfigError, match=words):
        joined(*[service(name) for name in services])


def test_other_levels_and_versions_are_refused_with_the_mend():
    whole = service("A")
    whole["about"]["level"] = "organisation"
    with pytest.raises(ConfigError, match=r"level of organisation(.|\n)*What to do"):
        joined(whole, service("B"))
    older = service("A")
    older["tool_version"] = "0.0.9"
    with pytest.raises(ConfigError, match=r"different versions: 0\.0\.9, 0\.1\.0"):
        joined(older, service("B"))
    with pytest.raises(ConfigError, match=r"\[service\] level"):
        joined(service("A"), organisation=make_service({"service": {"name": "Clinic"}}))


@pytest.mark.parametrize("content", ["{}", "[1, 2]", '"text"', '{"schema_version": "1.0"}', '{"about": {}}'])
def test_a_file_that_is_no_rating_is_refused_by_name(tmp_path, content):
    file = tmp_path / "other.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"other\.json: Not a rating of a service"):
        read_services([file])


def test_a_file_that_is_not_there_or_not_json_is_refused_by_name(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.json: There is no such rating"):
        read_services([tmp_path / "gone.json"])
    (tmp_path / "page.html").write_text("<html>", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"page\.html: Not a JSON file"):
        read_services([tmp_path / "page.html"])


def test_an_older_rating_without_a_criterion_leaves_it_not_assessed():
    rating = service("A", joint=HIGH)
    rating["criteria"] = [row for row in rating["criteria"] if row["criterion_id"] != "S-QUAN-F5"]
    rating["criteria"] = [row for row in rating["criteria"] if row["criterion_id"] != "S-QUAN-F4"]
    result = joined(rating, service("B", joint=HIGH))
    assert criterion(result, "O-QUAN-F6")["outcome"] == NOT_MET  # B falls short
    table = result.table("services").set_index(["criterion_id", "service"])
    assert table.loc[("O-QUAN-F6", "A"), "reason"] == "The rating does not hold this criterion."


@pytest.mark.filterwarnings("error")
def test_combining_raises_no_warning():
    for rule in ("every", "pooled", "share"):
        joined(service("A"), hidden("B", OPEN, people=None), rules={"roll_up": rule})


def test_the_three_rules_are_the_options_of_the_choice():
    for rule in ("every", "pooled", "share"):
        assert load_rulebook({"roll_up": rule}).value("roll_up") == rule
    with pytest.raises(ConfigError, match="roll_up"):
        load_rulebook({"roll_up": "any"})
    assert set(
        combining.roll_up([combining.as_service_rating(service("A"))], load_rulebook(), declined=False)
    )
