"""What is released is attacked: no reader works a hidden count out, nor narrows it down more than the rule allows."""

from datetime import date
from itertools import islice

import pytest

import equitydata as eq
from attacker import InconsistentError, attack, laws_broken_by, small_hidden, true_counts
from attacker_laws import Knowledge
from attacker_tables import NHS, Rule
from attacker_words import exact_counts, read_folder, told_in_digits, told_in_rating, told_in_words
from equitydata.errors import DisclosureError
from equitydata.reference import sample_folder
from equitydata.release import release_tables
from random_equity_tables import equity_tables
from tables_helper import table

# Of so many made-up services those of few rows are attacked, which are quick: 556 of them.
SERVICES, BATCH, MOST_ROWS = 840, 84, 120
LEAST_TABLES = 45  # in each batch
# Share of the random tables in which nothing is small, or which are so small that their release is refused.
REFUSED_OR_LARGE = 0.15


def ranges(tables, rule=NHS, guess=True, **exact):
    """Broken counts of hand-made released tables: the last words of their names -> (lowest, highest)."""
    knowledge = Knowledge.of(tables, rule, **exact)
    return {str(each.key[-1]): (each.low, each.high) for each in attack(knowledge, guess=guess)}


def outcomes(text):
    """Rows of shares of contacts; '.' is a hidden row."""
    frame = table(text)
    hidden = frame["denominator"].isna()
    return frame.assign(
        measure="missed",
        unit="contacts",
        statistic="share",
        people=frame["denominator"],
        status="known",
        hidden=hidden,
    )


# ---------------------------------------------------------------- the attacker finds what there is to find


def statuses(text):
    frame = table(text)
    return frame.assign(
        characteristic="ethnicity",
        people=float("nan"),
        records_carried_back=float("nan"),
        hidden=frame["records"].isna(),
    )


STATUSES = """
    status   | records
    known    | 90
    declined |
    missing  | 0
"""


def test_a_hidden_count_alone_in_an_exact_sum_is_found():
    found = ranges({"statuses": statuses(STATUSES)}, exact={("records used",): 97.0})
    assert found["declined"] == (5, 7)


def test_a_rounded_sum_leaves_it_open():
    safe = statuses(STATUSES.replace("| 0", "|"))
    assert not ranges({"statuses": safe}, exact={("records used",): 97.0})


FAMILY = """
    characteristic | level    | category      | numerator | denominator
    all            | all      | Everyone      | 100       | 500
    ethnicity      | detailed | White British | 50        | 250
    ethnicity      | detailed | White Irish   |           |
    ethnicity      | detailed | White other   | 0         | 0
    ethnicity      | detailed | Indian        | 40        | 240
    ethnicity      | groups   | White         | 60        | 260
    ethnicity      | groups   | Asian         | 40        | 240
"""


def test_a_hidden_group_is_found_from_its_parent():
    """58 to 62 less 48 to 52 is 6 to 14: wide enough, unless the reader guesses that the count is small."""
    knowledge = Knowledge.of({"outcomes": outcomes(FAMILY)})
    assert not {each.key[2] for each in attack(knowledge, guess=False)}
    met = next(each for each in attack(knowledge) if each.key[2] == "num")
    assert (met.key[-1], met.low, met.high) == ("White Irish", 6, 7)
    assert any("detailed groups make White" in words for words in met.equations)


MARGINS = """
    characteristic  | level             | category              | numerator | denominator
    all             | all               | Everyone              | 0         | 165
    ethnicity       | groups            | White                 | 0         | 20
    ethnicity       | groups            | Asian                 | 0         | 45
    ethnicity       | groups            | Black                 | 0         | 100
    sex             | detailed          | Male                  | 0         | 52
    sex             | detailed          | Female                | 0         | 55
    sex             | detailed          | Indeterminate         | 0         | 58
    ethnicity x sex | groups x detailed | White × Male          |           |
    ethnicity x sex | groups x detailed | White × Female        |           |
    ethnicity x sex | groups x detailed | White × Indeterminate | 0         | 18
    ethnicity x sex | groups x detailed | Asian × Male          |           |
    ethnicity x sex | groups x detailed | Asian × Female        |           |
    ethnicity x sex | groups x detailed | Asian × Indeterminate | 0         | 30
    ethnicity x sex | groups x detailed | Black × Male          | 0         | 40
    ethnicity x sex | groups x detailed | Black × Female        | 0         | 50
    ethnicity x sex | groups x detailed | Black × Indeterminate | 0         | 10
"""


def test_cells_of_a_crossing_are_chained_through_both_margins():
    """White women are 0 to 2, so Asian women are 3 to 5: a chain of two sums, neither of which tells by itself."""
    knowledge = Knowledge.of({"outcomes": outcomes(MARGINS)}, Rule(hide_up_to=7, round_to=1))
    found = {
        each.key[5]: (each.low, each.high) for each in attack(knowledge, guess=False) if each.key[2] == "den"
    }
    assert found["White × Female"] == (0, 2) and found["Asian × Female"] == (3, 5)
    rounded = outcomes(MARGINS.replace("| 52", "| 50").replace("| 58", "| 60").replace("| 18", "| 20"))
    assert not ranges({"outcomes": rounded}, guess=False)


def test_the_same_count_in_three_tables_is_one_count():
    """Four sites leave the known at 498 at most, the statuses at least; the measure then tells who declined."""
    blank = {"records": float("nan"), "records_carried_back": float("nan")}
    three = {
        "statuses": table("""
            status         | people | hidden
            known          | 500    | false
            declined       |        | true
            missing        |        | true
            not_applicable | 0      | false
        """).assign(characteristic="sex", **blank),
        "completeness": table("""
            measure           | numerator | denominator | hidden
            known_or_declined | 505       | 530         | false
        """).assign(characteristic="sex", unit="people"),
        "breakdown": table("""
            group | numerator | denominator | hidden
            North | 125       | 135         | false
            South | 125       | 135         | false
            East  | 120       | 130         | false
            West  | 120       | 130         | false
        """).assign(characteristic="sex", by="site", unit="people"),
    }
    for names in (("statuses",), ("statuses", "completeness"), ("statuses", "breakdown")):
        assert "?declined" not in ranges({name: three[name] for name in names})
    assert ranges(three)["?declined"] == (5, 7)


def test_digits_of_a_share_narrow_what_rounding_left_open():
    rows = """
        characteristic | level    | category   | period | numerator | denominator
        deprivation    | decile   | 7          | Q1     |           |
        deprivation    | decile   | 8          | Q1     | 10        | 70
        deprivation    | quintile | Quintile 4 | Q1     | 15        | 155
    """
    trends = outcomes(rows)
    changes = table("""
        level    | category   | first | last
        decile   | 8          | 0.145 |
        quintile | Quintile 4 | 0.11  |
    """).assign(
        measure="missed", characteristic="deprivation", first_period="Q1", last_period="Q2", hidden=False
    )
    changes[["people", "gap_first", "gap_last"]] = float("nan")
    assert not {"7"} & set(ranges({"trends": trends}))
    assert ranges({"trends": trends, "changes": changes})["7"] == (7, 7)


def test_a_shown_row_holds_no_small_rest():
    """10 of 15 leaves 8 or 9, or the row were hidden: more than rounding tells."""
    knowledge = Knowledge.of({"outcomes": outcomes(FAMILY.replace("50        | 250", "10        | 15"))})
    place = knowledge.place["missed", "", "not", "ethnicity", "detailed", "White British"]
    assert (knowledge.low[place], knowledge.high[place]) == (8, 9)


def test_tables_that_contradict_each_other_are_no_riddle():
    with pytest.raises(InconsistentError):
        attack(
            Knowledge.of({"outcomes": outcomes(FAMILY.replace("| 40        | 240", "| 90        | 240", 1))})
        )


def test_only_what_the_rule_protects_is_judged():
    assert Rule(hide_up_to=4).behind(5) == (5, 7) and NHS.behind(10) == (8, 12) and NHS.behind(0) == (0, 0)
    assert Rule(0, 1).behind(3) == (3, 3)
    assert [Rule(0, 6, midpoint=True).behind(number) for number in (0, 3, 9)] == [(0, 0), (1, 6), (7, 12)]


def test_words_that_count_too_exactly_are_found(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "rating.json").write_text(
        '{"rows": [{"people": 4, "hidden": false}, {"people": 9, "hidden": true}]}'
    )
    (tmp_path / "manifest.json").write_text('{"notes": ["3 people are left out, and 1,115 records."]}')
    page = '<p>Of 120 people 50.2% | 60 of 120 people.</p><svg aria-label="Bars: 12 people">'
    (tmp_path / "index.html").write_text(page)
    assert [words[:13] for words in told_in_words(tmp_path)] == [
        "index.html: 5",
        "index.html: B",
        "manifest.json",
    ]
    assert len(told_in_rating(tmp_path)) == 3


# ---------------------------------------------------------------- what is released holds


def attacked(seed, **options):
    """Broken counts of one random service, and how many there were to break; none where the release is refused."""
    tables = equity_tables(seed).tables
    try:
        released = release_tables(tables, "nhs", **options).tables
    except DisclosureError:
        return [], 0
    knowledge = Knowledge.of(released)
    truth = true_counts(tables, released)
    assert not laws_broken_by(knowledge, truth), "the attacker has misread the tables"
    wanted = small_hidden(knowledge, truth)
    broken = attack(knowledge, wanted, explain=1)
    for each in broken:
        assert each.low <= truth[each.key] <= each.high, "the attacker is wrong"
    return broken, len(wanted)


def small_services(first, number):
    return [
        seed
        for seed in range(first, first + number)
        if sum(map(len, equity_tables(seed).tables.values())) <= MOST_ROWS
    ]


@pytest.mark.parametrize("first", range(0, SERVICES, BATCH))
def test_random_equity_tables_give_no_hidden_count_away(first):
    found = {seed: attacked(seed) for seed in small_services(first, BATCH)}
    assert len(found) >= LEAST_TABLES
    assert sum(hidden for _, hidden in found.values()) > LEAST_TABLES
    assert sum(hidden == 0 for _, hidden in found.values()) <= REFUSED_OR_LARGE * len(found)
    told = [f"tables {seed}: {each}" for seed, (broken, _) in found.items() for each in broken]
    assert not told, "\n".join(told)


def test_without_the_audit_the_same_attack_succeeds():
    broken = (seed for seed in range(SERVICES) if attacked(seed, audit=False)[0])
    assert len(list(islice(broken, 5))) == 5


# ---------------------------------------------------------------- the whole output folder of the sample


@pytest.fixture(scope="module")
def sample():
    return eq.analyse(eq.load_service(sample_folder() / "service.toml"), as_of=date(2026, 4, 1))


@pytest.fixture(scope="module")
def folder(sample, tmp_path_factory):
    return eq.write_report(sample, tmp_path_factory.mktemp("attack") / "report").folder


def test_the_folder_of_the_sample_gives_no_hidden_count_away(sample, folder):
    released = read_folder(folder)
    knowledge = Knowledge.of(released, exact=exact_counts(folder))
    truth = true_counts(sample.tables, released)
    assert not laws_broken_by(knowledge, truth), "the attacker has misread the tables"
    wanted = small_hidden(knowledge, truth)
    assert len(wanted) > 100
    broken = attack(knowledge, wanted)
    assert not broken, "\n".join(map(str, broken))


def test_neither_words_nor_digits_of_the_folder_tell_more_than_its_tables(folder):
    assert not told_in_words(folder) and not told_in_rating(folder)
    assert not told_in_digits(read_folder(folder))


def test_the_pages_of_the_sample_stay_small(folder):
    """Here, because this is where the whole folder of the sample is made."""
    sizes = {path.name: path.stat().st_size for path in folder.rglob("*.html")}
    assert {"index.html", "maturity.html", "community.html"} <= set(sizes)
    assert max(sizes.values()) < 2_000_000
