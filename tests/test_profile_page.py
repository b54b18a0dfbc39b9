"""The page of a profile, and its charts: valid and closed, every number of the profile, labels harmless."""

# ruff: noqa: E501, S314 (a table drawn as text is as wide as its columns; the pictures are our own)

from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import pandas as pd
import pytest

from equitydata.plots.profile import TICKS, profile_forest, profile_residents, profile_trends
from equitydata.profiles import Profile
from equitydata.release.released import release
from equitydata.report.grid import Column, make_grid
from equitydata.report.profile_page import render_profile
from equitydata.result import EquityResult
from page_checks import (
    HOSTILE,
    check_page,
    numbers_in,
    numbers_of_frames,
    text_of,
    tree_of,
    words_without_pictures,
)
from report_sample import sample_result, without_extract
from tables_helper import table

HIDDEN = {"rules": {"disclosure": "threshold-10"}, "sites": {"A": (3, 5), "B": (2, 4)}, "people": 3}


@cache
def released(kind: str) -> EquityResult:
    made = {
        "sample": sample_result,
        "audit alone": lambda: sample_result(equity=False),
        "without extract": without_extract,
        "true counts": lambda: sample_result(rules={"disclosure": "none"}),
        "hostile": lambda: sample_result(
            name=HOSTILE, site=HOSTILE, value=HOSTILE, file=HOSTILE, measure=HOSTILE
        ),
        "few people": lambda: sample_result(**HIDDEN),
    }
    return release(made[kind]())


@cache
def profile(kind: str) -> Profile:
    of, _, whom = kind.partition(": ")
    result = released(of)
    if whom == "whole":
        return result.community_profile()
    groups = dict(each.split("=") for each in whom.split(" and "))
    return all_hidden(result.profile(**groups)) if of == "few people" else result.profile(**groups)


def all_hidden(made: Profile) -> Profile:
    """The same with every number hidden, as a rule leaves it where all groups are small."""
    kept = {"order", "residents", "residents_share", "residents_total", "hidden"}
    tables = {}
    for name, frame in made.tables.items():
        numbers = [each for each in frame.select_dtypes("number") if each not in kept]
        derived = [each for each in ("flag", "harm", "similar", "robustness", "finding") if each in frame]
        blank = {each: float("nan") for each in numbers} | dict.fromkeys(derived)
        tables[name] = frame.assign(**blank, hidden=True)
    return replace(made, tables=tables)


GROUPS = (
    "sample: ethnicity=Bangladeshi",
    "sample: ethnicity=Black African",
    "true counts: ethnicity=Bangladeshi",
    "hostile: ethnicity=Bangladeshi",
    "few people: ethnicity=Bangladeshi",
)
WHOLES = ("sample: whole", "hostile: whole", "audit alone: whole", "without extract: whole")
PLAIN = pytest.mark.parametrize(
    "kind", [each for each in (*GROUPS, *WHOLES) if not each.startswith("hostile")]
)
EVERY = pytest.mark.parametrize("kind", [*GROUPS, *WHOLES])


@cache
def html(kind: str) -> str:
    return render_profile(released(kind.partition(": ")[0]), profile(kind))


def table_rows(kind: str, name: str) -> list[dict[str, str]]:
    for each in tree_of(html(kind)).iter("table"):
        if each.find("caption").get("id") == name:
            heads = [text_of(head) for head in each.findall("./thead/tr/th")]
            return [dict(zip(heads, map(text_of, row), strict=True)) for row in each.findall("./tbody/tr")]
    raise KeyError(name)


# ---------------------------------------------------------------- the page


@EVERY
def test_the_page_is_valid_closed_and_reachable(kind):
    check_page(html(kind))


@PLAIN
def test_every_number_of_the_page_stands_in_the_profile(kind):
    result, made = released(kind.partition(": ")[0]), profile(kind)
    about, rule = result.about, " ".join(html(kind).split("<footer>")[1].split("</footer>")[0].split())
    frame = " ".join(
        map(str, [*about.areas, about.as_of, about.period_from, about.period_to, about.ages, about.version])
    )
    ours = {"95%", "0", "1", "50"} | numbers_in(rule) | numbers_in(frame.replace("-0", "-"))
    people = {f"{about.people:,}"} if about.people is not None else set()
    words = numbers_in(" ".join([*made.cannot_say, *made.notes, made.title, made.service, about.name[:300]]))
    charts = [*profile_forest(result, made), *profile_residents(result, made), *profile_trends(result, made)]
    own = set()
    for chart in charts:
        own |= numbers_in(f"{chart.title} {chart.subtitle}") if chart.name.endswith("trends") else set()
    allowed = numbers_of_frames(made.tables) | ours | people | words | own
    allowed |= numbers_of_frames({"representation": result.tables["representation"]})
    shown = numbers_in(" ".join(words_without_pictures(tree_of(html(kind)))))
    assert shown - allowed <= day_and_year_numbers(made)


def day_and_year_numbers(made: Profile) -> set[str]:
    """Numbers of days as people read them: of themes, and how many characteristics are folded together."""
    groups = {
        f"{row['label']}, {row['level']}"
        for name in ("age_sex", "groups")
        if name in made.tables
        for _, row in made.tables[name].iterrows()
    }
    return {str(len(groups) - 1)} | {
        each.lstrip("0") for day in made.tables["themes"]["date"] for each in str(day).split("-")
    }


def test_a_number_that_is_not_of_the_profile_is_noticed():
    made = profile("sample: ethnicity=Bangladeshi")
    assert {"22.0%", "1.88", "610"} <= numbers_of_frames(made.tables)
    assert not {"22.1%", "1.89", "608"} & numbers_of_frames(made.tables)


def test_a_group_stands_beside_residents_with_ratio_limits_and_flag():
    newham = table_rows("sample: ethnicity=Black African", "who-table")[0]
    assert newham["Group, against residents of"] == "Black African Newham"
    assert (newham["People seen"], newham["Of residents"]) == ("165 of 1,805", "16.5%")
    assert newham["Of people seen"] == "9.1% 7.9% to 10.6%"
    assert newham["Ratio"].startswith("0.56 0.")
    assert newham["Flag"] == "Disproportionately low If the unknown were known: firm"


def test_an_outcome_stands_with_everyone_elses_ratio_limits_and_flag():
    missed = table_rows("sample: ethnicity=Bangladeshi", "measures-table")[0]
    assert (missed["Measure and group"], missed["People"]) == ("Did not attend Bangladeshi", "610")
    assert missed["Value"].startswith("22.0%") and missed["Everyone else"] == "11.7%"
    assert missed["Ratio"].startswith("1.88")
    assert missed["Flag"].startswith("Disproportionately high, to the group’s disadvantage")


def test_the_page_says_what_was_found_what_was_heard_and_what_cannot_be_said():
    words = text_of(tree_of(html("sample: ethnicity=Bangladeshi")))
    assert "Bangladeshi people did not attend more often than everyone else." in words
    assert "Text messages come in English only" in words
    for sentence in profile("sample: ethnicity=Bangladeshi").cannot_say:
        assert sentence in words
    assert "A flag is a prompt to look, not proof of unfairness or cause." in words


def test_a_hidden_number_reads_c_and_never_nought():
    kind = "few people: ethnicity=Bangladeshi"
    (missed,) = table_rows(kind, "measures-table")
    assert {missed[name] for name in ("People", "Value", "Everyone else", "Ratio", "Difference")} == {"[c]"}
    assert missed["Flag"] == "[c]"
    assert {row["People seen"] for row in table_rows(kind, "who-table")} == {"[c]"}
    assert {row["Of people seen"] for row in table_rows(kind, "who-table")} == {"[c]"}
    assert "every comparison is hidden by the small-number rule" in html(kind)


def test_the_whole_service_shows_every_group_and_what_was_flagged():
    groups = {row["Group"]: row for row in table_rows("sample: whole", "who-table-1")}
    assert groups["Indian"]["People seen"] == "400 of 1,805"
    (flagged,) = table_rows("sample: whole", "flagged-table")
    assert (flagged["Group"], flagged["Measure"]) == ("Bangladeshi", "Did not attend")
    assert table_rows("sample: whole", "measures-table")[1]["Value"].startswith("23.5")


def test_an_audit_alone_says_that_nothing_was_compared():
    words = text_of(tree_of(html("audit alone: whole")))
    assert "No outcome was counted." in words and "Users were not compared with residents" in words
    assert "Nothing is in the register of listening." in words


def test_true_counts_are_stamped_at_both_ends_and_in_the_title():
    page = html("true counts: ethnicity=Bangladeshi")
    assert page.count('<p class="stamp">True counts: not to be shared</p>') == 2
    assert "<title>TRUE COUNTS" in page and "No small number is hidden." in page
    assert "stamp" not in html("sample: whole").split("</style>")[1]


@pytest.mark.parametrize("kind", ["hostile: whole", "hostile: ethnicity=Bangladeshi"])
def test_labels_of_the_data_are_harmless_and_cut(kind):
    page = html(kind)
    assert "<script" not in page and "<img" not in page and "\u202e" not in page and "\x07" not in page
    assert "{{7*7}}" in page and "[U+202E]" in page and "x" * 601 not in page
    assert len(page) < 150_000


@EVERY
def test_the_same_input_gives_the_same_page(kind):
    assert render_profile(released(kind.partition(": ")[0]), profile(kind)) == html(kind)


# ---------------------------------------------------------------- its charts


def charts(kind: str):
    result, made = released(kind.partition(": ")[0]), profile(kind)
    return [
        chart for make in (profile_forest, profile_residents, profile_trends) for chart in make(result, made)
    ]


@EVERY
def test_a_chart_is_sound_and_says_in_words_what_it_shows(kind):
    for chart in charts(kind):
        root = ElementTree.fromstring(chart.svg)
        ids = [each.get("id") for each in root.iter() if each.get("id")]
        assert len(ids) == len(set(ids)) and all(each.startswith(chart.name) for each in ids)
        assert "<script" not in chart.svg and len(chart.svg) < 60_000
        assert chart.title and chart.alternative and chart.source
        assert all(cell for cell in chart.table.to_numpy().ravel())
        assert len(set(chart.table.columns)) == len(chart.table.columns)


@PLAIN
def test_numbers_of_a_picture_are_those_of_its_table_and_of_the_profile(kind):
    made = profile(kind)
    of_profile = numbers_of_frames(made.tables)
    ticks = {f"{each:g}" for each in TICKS}
    for chart in charts(kind):
        in_table = numbers_in(" ".join(map(str, chart.table.to_numpy().ravel())))
        assert in_table <= of_profile
        texts = [
            text_of(each) for each in ElementTree.fromstring(chart.svg).iter() if each.tag.endswith("}text")
        ]
        assert numbers_in(" ".join(texts)) <= in_table | ticks


COMPARED = """
    group       | measure | measure_label       | statistic | status | value | comparator_value | ratio | ratio_lower | ratio_upper | flag                  | harm    | similar | hidden
    Bangladeshi | dna     | Did not attend      | share     | known  | 0.30  | 0.15             | 2.00  | 1.80        | 2.20        | disproportionate_high | harm    | false   | false
    Bangladeshi | hba1c   | HbA1c within target | share     | known  | 0.50  | 0.55             | 0.91  | 0.85        | 0.97        | different_small       | harm    | false   | false
    Bangladeshi | wait    | Days waited         | mean      | known  | 21    | 20               | 1.05  | 0.90        | 1.22        | no_evidence           |         | false   | false
"""


def of_frame(frame: pd.DataFrame) -> Profile:
    return replace(profile("sample: ethnicity=Bangladeshi"), tables={"measures": frame})


def forest_of(frame: pd.DataFrame):
    return profile_forest(released("sample"), of_frame(frame))[0]


def test_the_title_names_what_is_higher_and_what_is_lower():
    chart = forest_of(table(COMPARED))
    assert chart.title == (
        "Bangladeshi: Did not attend higher than everyone else’s; HbA1c within target lower than everyone else’s"
    )
    assert chart.table["Reading"].tolist() == ["Higher", "Slightly lower", "No clear difference"]
    assert chart.table["Ratio"].tolist() == ["2.00", "0.91", "1.05"]
    assert chart.table["Limits of the ratio"].tolist() == ["1.80 to 2.20", "0.85 to 0.97", "0.90 to 1.22"]
    assert chart.table["Value"].tolist() == ["30.0%", "50.0%", "21"]


@pytest.mark.parametrize(
    ("flags", "hidden", "title"),
    [
        (["no_evidence"] * 3, [False] * 3, "no clear difference from everyone else"),
        (
            ["no_evidence", "insufficient_data", "uncertain"],
            [False] * 3,
            "no clear difference from everyone else, where there is enough data",
        ),
        (["insufficient_data"] * 3, [False] * 3, "not enough data to compare it with everyone else"),
        ([None] * 3, [True] * 3, "every comparison is hidden by the small-number rule"),
    ],
)
def test_the_title_claims_no_more_than_the_flags_let_it(flags, hidden, title):
    frame = table(COMPARED).assign(flag=flags, harm="", hidden=hidden)
    frame.loc[frame["hidden"], ["value", "ratio", "ratio_lower", "ratio_upper", "comparator_value"]] = float(
        "nan"
    )
    assert forest_of(frame).title == f"Bangladeshi: {title}"


def test_a_group_that_cannot_be_compared_has_its_line_in_words():
    frame = table(COMPARED).assign(
        flag=["insufficient_data", None, "no_evidence"], hidden=[False, True, False]
    )
    frame.loc[1, ["value", "ratio", "ratio_lower", "ratio_upper", "comparator_value"]] = float("nan")
    chart = forest_of(frame)
    assert chart.table["Reading"].tolist() == ["Not enough data", "Hidden", "No clear difference"]
    assert chart.table.iloc[1].tolist()[1:5] == ["[c]"] * 4
    assert "[c]" in chart.svg and "Not enough data" in chart.svg


def test_a_limit_without_end_stays_on_the_picture():
    frame = table(COMPARED).assign(ratio_upper=[float("inf"), 0.97, 1.22], ratio_lower=[0.0, 0.85, 0.9])
    chart = forest_of(frame)
    assert chart.table["Limits of the ratio"].iloc[0] == "0.00 to no limit"
    assert ElementTree.fromstring(chart.svg) is not None


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("disproportionate_low", ", clearly less"),
        ("disproportionate_high", ", clearly more"),
        ("no_evidence", ", no clear difference"),
        ("insufficient_data", ", too few to judge"),
        (None, ""),
    ],
)
def test_users_beside_residents_are_called_more_or_less_only_where_it_is_clear(flag, words):
    made = profile("sample: ethnicity=Black African")
    who = made.table("who").assign(flag=flag)
    (chart,) = profile_residents(released("sample"), replace(made, tables={"who": who}))
    assert chart.title == f"Black African: 9.1% of people seen against 16.5% of residents of Newham{words}"
    assert chart.table["Share"].tolist()[:2] == ["9.1%", "16.5%"]


def test_a_change_is_named_only_where_its_limits_leave_no_other_side():
    periods = pd.DataFrame(
        {
            "group": "Bangladeshi", "measure": "dna", "measure_label": "Did not attend", "statistic": "share",
            "period": ["2025 Q2", "2025 Q3"], "value": [0.2, 0.24], "lower": [0.18, 0.22], "upper": [0.22, 0.26],
        }
    )  # fmt: skip
    change = {"group": ["Bangladeshi"], "measure_label": ["Did not attend"]}
    for lower, upper, title in (
        (0.01, 0.07, "Did not attend rose from 2025 Q2 to 2025 Q3"),
        (-0.07, -0.01, "Did not attend fell from 2025 Q2 to 2025 Q3"),
        (-0.01, 0.07, "no change that is clear of chance from 2025 Q2 to 2025 Q3"),
    ):
        changes = pd.DataFrame({**change, "change_lower": [lower], "change_upper": [upper]})
        made = replace(
            profile("sample: ethnicity=Bangladeshi"), tables={"trends": periods, "changes": changes}
        )
        (chart,) = profile_trends(released("sample"), made)
        assert chart.title == f"Bangladeshi: {title}"
        assert chart.table["Value"].tolist() == ["20.0%", "24.0%"]


def test_nothing_to_draw_gives_no_chart():
    empty = replace(profile("sample: ethnicity=Bangladeshi"), tables={})
    for make in (profile_forest, profile_residents, profile_trends):
        assert make(released("sample"), empty) == ()


# ---------------------------------------------------------------- tables of a page


def test_a_long_table_is_cut_and_a_column_without_any_number_is_left_out():
    rows = [{"name": f"Group {place}", "ratio": "[x]"} for place in range(60)]
    columns = [Column("Group", lambda row: row["name"]), Column("Ratio", lambda row: (row["ratio"], ""))]
    grid = make_grid("some", "Some", rows, columns)
    assert ([each.words for each in grid.columns], len(grid.rows), grid.left_out) == (["Group"], 50, 10)
    rows[3]["ratio"] = "[c]"
    assert [each.words for each in make_grid("some", "Some", rows, columns).columns] == ["Group", "Ratio"]
