"""Trends and changes: against counts by hand, a bootstrap over people, and a model with clustered errors."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from equitydata.rulebook import load_rulebook
from equitydata.service import Measure
from equitydata.stats.inequality import change
from equitydata.stats.one_group import proportion, rate
from equitydata.strata import SUMS, Strata
from equitydata.tables import CHANGES_TABLE, TRENDS_TABLE
from equitydata.trends import change_table, trend_table
from tables_helper import table

RULES = load_rulebook()
MET = {"column": "attendance", "in": ["5"]}
SHARE = Measure(label="Attended", kind="access", numerator=MET, polarity="favourable")
RATE = Measure(label="Falls", kind="safety", numerator=MET, person_time="days", polarity="adverse")
MEAN = Measure(label="Days waited", kind="access", value="wait_days", polarity="adverse")
OF_PEOPLE = SHARE.model_copy(update={"counts": "people"})
PERIODS = ("2025 Q1", "2025 Q2")
KEY = ["measure", "characteristic", "level", "category", "status"]


def counted(contacts: pd.DataFrame, *, empty: tuple[str, ...] = (), absent: tuple[str, ...] = ()) -> Strata:
    """The sums of contacts, in plain pandas.

    contacts : measure, person, group, period, n, x; a group in brackets is one of people of unknown group.
    empty, absent : groups that nobody belongs to, and groups that the code list does not have.
    """
    named = pd.DataFrame(
        [
            *((m, g) for m in contacts["measure"].unique() for g in contacts["group"].unique()),
            *((m, g) for m in contacts["measure"].unique() for g in (*empty, *absent)),
        ],
        columns=["measure", "group"],
    )
    unknown = named["group"].str.startswith("(")
    groups = named.assign(
        characteristic="ethnicity",
        label="Ethnicity",
        level="groups",
        ordered=False,
        category=named["group"].str.strip("()"),
        order=range(len(named)),
        status=np.select([unknown, named["group"].isin(absent)], ["missing", "not collected"], "known"),
    )
    whole = groups.drop_duplicates("measure").assign(
        group="*",
        characteristic="all",
        label="Everyone",
        level="all",
        category="Everyone",
        status="known",
    )
    groups = pd.concat([whole, groups], ignore_index=True)
    twice = pd.concat([contacts, contacts.assign(group="*")])
    periods = sums(twice, ["measure", "group", "period"])
    order = {label: place for place, label in enumerate(sorted(contacts["period"].unique()))}
    strata = groups.merge(sums(twice, ["measure", "group"]), on=["measure", "group"], how="left")
    strata[list(SUMS)] = strata[list(SUMS)].fillna(0).mask(strata["status"] == "not collected")
    ids = groups[["group", *KEY]]
    nothing = pd.DataFrame()
    return Strata(
        strata=strata.drop(columns="group"),
        cells=nothing,
        values=nothing,
        periods=ids.merge(periods, on=["measure", "group"])
        .assign(order=lambda t: t["period"].map(order))
        .drop(columns="group"),
        pairs=ids.merge(products(twice), on=["measure", "group"]).drop(columns="group"),
        places=nothing,
        labels={"ethnicity": "Ethnicity"},
    )


def sums(contacts: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    each = contacts.groupby([*by, "person"])[["n", "x"]].sum()
    each = each.assign(
        people=each["n"] > 0,
        cases=each["x"] > 0,
        nn=each["n"] ** 2,
        nx=each["n"] * each["x"],
        xx=each["x"] ** 2,
    )
    return each.astype(float).groupby(by).sum().reset_index()


def products(contacts: pd.DataFrame) -> pd.DataFrame:
    """Products between first and last period, person by person."""
    ends = sorted(contacts["period"].unique())
    first, last = (
        contacts[contacts["period"] == end].groupby(["measure", "group", "person"])[["n", "x"]].sum()
        for end in (ends[0], ends[-1])
    )
    each = first.add_suffix("0").join(last.add_suffix("1"), how="outer").fillna(0)
    each = each.assign(
        n0n1=each["n0"] * each["n1"],
        n0x1=each["n0"] * each["x1"],
        x0n1=each["x0"] * each["n1"],
        x0x1=each["x0"] * each["x1"],
        people=((each["n0"] > 0) | (each["n1"] > 0)).astype(float),
    )
    return each.groupby(["measure", "group"])[["n0n1", "n0x1", "x0n1", "x0x1", "people"]].sum().reset_index()


def drawn(
    seed: int = 7,
    people: int = 400,
    *,
    measure: str = "m",
    kind: str = "share",
    returning: bool = True,
    periods: tuple[str, ...] = PERIODS,
) -> pd.DataFrame:
    """Contacts of made-up people of two groups: some people are often met, others hardly ever.

    returning : the same people come in each period; else each period has people of its own.
    """
    chance = np.random.default_rng(seed)
    rows = []
    for place, period in enumerate(periods):
        for number in range(people):
            person = number if returning else number + place * people
            own = np.random.default_rng((seed, person)).normal()
            group = "Black" if number % 3 == 0 else "White"
            for _ in range(chance.integers(1, 4)):
                level = 0.35 + 0.25 * own + (0.1 * place if group == "Black" else 0.04 * place)
                if kind == "mean":
                    n, x = 1.0, 20 + 6 * level + chance.normal() * 2
                elif kind == "rate":
                    n = float(chance.integers(1, 9))
                    x = float(chance.poisson(max(level, 0.01) * n))
                else:
                    n, x = 1.0, float(chance.random() < level)
                rows.append((measure, f"P{person}", group, period, n, x))
    return pd.DataFrame(rows, columns=["measure", "person", "group", "period", "n", "x"])


def row(found: pd.DataFrame, category: str, period: str | None = None) -> pd.Series:
    here = found["category"] == category
    if period is not None:
        here &= found["period"] == period
    (one,) = found.index[here]
    return found.loc[one]


# ---------------------------------------------------------------- trends


def test_a_trend_of_single_contacts_has_the_limits_of_plain_counts() -> None:
    contacts = pd.DataFrame(
        [
            ("m", f"{group}{period}{number}", group, period, 1.0, float(number < met))
            for group, period, met, all_ in (
                ("Black", "2025 Q1", 6, 40),
                ("Black", "2025 Q2", 9, 36),
                ("White", "2025 Q1", 20, 50),
                ("White", "2025 Q2", 21, 60),
            )
            for number in range(all_)
        ],
        columns=["measure", "person", "group", "period", "n", "x"],
    )
    found = trend_table(counted(contacts), {"m": SHARE}, RULES)
    assert list(found.columns) == list(TRENDS_TABLE.columns)
    assert len(found) == 6  # the whole and two groups, in two periods
    one = row(found, "Black", "2025 Q2")
    plain = proportion([9], [36])
    assert (one["numerator"], one["denominator"], one["value"]) == (9, 36, 0.25)
    assert (one["lower"], one["upper"]) == pytest.approx((plain.lower[0], plain.upper[0]))
    assert (one["design_effect"], one["order"], one["note"]) == (1, 2, "")
    assert row(found, "Everyone", "2025 Q1")["numerator"] == 26


def test_repeated_contacts_widen_the_limits_of_their_period() -> None:
    contacts = drawn()
    found = trend_table(counted(contacts), {"m": SHARE}, RULES)
    here = contacts[(contacts["group"] == "White") & (contacts["period"] == "2025 Q2")]
    fit = sm.OLS(here["x"], np.ones(len(here))).fit(
        cov_type="cluster", cov_kwds={"groups": here["person"].str[1:].astype(int)}
    )
    one = row(found, "White", "2025 Q2")
    p, n = here["x"].mean(), len(here)
    # statsmodels multiplies by G/(G-1) (N-1)/(N-K), and the second is 1 here.
    assert one["design_effect"] == pytest.approx(fit.bse.iloc[0] ** 2 / (p * (1 - p) / n), rel=1e-9)
    assert one["design_effect"] > 1.05
    plain = proportion([here["x"].sum()], [n])
    assert one["upper"] - one["lower"] > plain.upper[0] - plain.lower[0]


def test_a_rate_is_events_per_person_time_and_a_mean_has_limits_between_people() -> None:
    of_rate, of_mean = drawn(measure="falls", kind="rate"), drawn(measure="wait", kind="mean")
    found = trend_table(
        counted(pd.concat([of_rate, of_mean])), {"falls": RATE, "wait": MEAN}, RULES
    ).set_index(["measure", "category", "period"])
    one = found.loc[("falls", "Black", "2025 Q1")]
    here = of_rate[(of_rate["group"] == "Black") & (of_rate["period"] == "2025 Q1")]
    plain = rate([here["x"].sum() / one["design_effect"]], [here["n"].sum() / one["design_effect"]])
    assert one["value"] == pytest.approx(here["x"].sum() / here["n"].sum())
    assert (one["lower"], one["upper"]) == pytest.approx((plain.lower[0], plain.upper[0]))

    one = found.loc[("wait", "White", "2025 Q2")]
    here = of_mean[(of_mean["group"] == "White") & (of_mean["period"] == "2025 Q2")]
    fit = sm.OLS(here["x"], np.ones(len(here))).fit(
        cov_type="cluster", cov_kwds={"groups": here["person"].str[1:].astype(int)}, use_t=True
    )
    assert (one["lower"], one["upper"]) == pytest.approx(tuple(fit.conf_int().iloc[0]), rel=1e-9)
    assert np.isnan(one["numerator"])
    assert one["denominator"] == len(here)


def test_every_period_is_listed_for_every_group_and_nobody_is_missing_not_zero() -> None:
    contacts = table("""
        measure | person | group    | period  | n | x
        m       | a      | White    | 2025-01 | 1 | 1
        m       | a      | White    | 2025-02 | 1 | 0
        m       | b      | White    | 2025-04 | 1 | 0
        m       | c      | Black    | 2025-04 | 1 | 1
        m       | d      | (Not known) | 2025-01 | 2 | 1
    """)
    found = trend_table(
        counted(contacts, empty=("Chinese",), absent=("Roma",)), {"m": SHARE}, RULES
    ).set_index(["category", "period"])
    assert list(found.loc["Black"].index) == ["2025-01", "2025-02", "2025-04"]
    assert found["order"].loc["Black"].tolist() == [1, 2, 3]
    gone = found.loc[("Black", "2025-02")]
    assert (gone["people"], gone["denominator"], gone["note"]) == (0, 0, "nobody counted")
    assert np.isnan(gone["value"]) and np.isnan(gone["lower"]) and np.isnan(gone["upper"])
    assert found.loc[("Not known", "2025-01"), "denominator"] == 2
    assert (found.loc["Chinese", "people"] == 0).all()
    assert found.loc["Roma", "people"].isna().all()
    assert set(found.loc["Roma", "note"]) == {"not in the code list in use"}
    # Known and unknown people add up to everyone, period by period.
    rows = found.reset_index()
    parts = rows[rows["characteristic"] != "all"].groupby("period")["denominator"].sum()
    assert parts.tolist() == rows[rows["characteristic"] == "all"]["denominator"].tolist() == [3, 1, 2]


def test_quantiles_and_rates_against_residents_are_not_followed() -> None:
    quantile = Measure(label="Median wait", kind="access", value="w", quantile=0.5, polarity="adverse")
    of_residents = Measure(
        label="Admissions", kind="access", numerator=MET, per_residents=True, polarity="neutral"
    )
    strata = counted(pd.concat([drawn(people=9, measure=name) for name in ("q", "r", "users")]))
    for function, columns in ((trend_table, TRENDS_TABLE.columns), (change_table, CHANGES_TABLE.columns)):
        found = function(strata, {"q": quantile, "r": of_residents}, RULES)
        assert (len(found), list(found.columns)) == (0, list(columns))


# ---------------------------------------------------------------- changes


def by_hand(contacts: pd.DataFrame, group: str) -> tuple[float, float, float]:
    """Change of x / n from first to last period, its variance and that of the log ratio, person by person."""
    here = contacts[contacts["group"] == group]
    each = here.pivot_table(index="person", columns="period", values=["n", "x"], aggfunc="sum").fillna(0)
    ends = sorted(here["period"].unique())
    n = {end: each["n"][end].to_numpy() for end in ends}
    x = {end: each["x"][end].to_numpy() for end in ends}
    r = {end: x[end].sum() / n[end].sum() for end in ends}
    e = {end: (x[end] - r[end] * n[end]) / n[end].sum() for end in ends}
    m = len(each)
    first, last = ends
    return (
        r[last] - r[first],
        float(((e[last] - e[first]) ** 2).sum() * m / (m - 1)),
        float(((e[last] / r[last] - e[first] / r[first]) ** 2).sum() * m / (m - 1)),
    )


@pytest.mark.parametrize(("kind", "measure"), [("share", SHARE), ("mean", MEAN), ("rate", RATE)])
def test_the_change_of_people_seen_in_both_periods_is_that_of_each_person(
    kind: str, measure: Measure
) -> None:
    contacts = drawn(kind=kind)
    found = change_table(counted(contacts), {"m": measure}, RULES)
    assert list(found.columns) == list(CHANGES_TABLE.columns)
    from scipy.stats import norm, t

    for group, people in (("Black", 134), ("White", 266)):
        one = row(found, group)
        value, variance, log_variance = by_hand(contacts, group)
        reach = t.ppf(0.975, people - 1) if kind == "mean" else norm.ppf(0.975)
        error = reach * np.sqrt(variance)
        assert one["people"] == people
        assert one["change"] == pytest.approx(value)
        assert (one["change_lower"], one["change_upper"]) == pytest.approx((value - error, value + error))
        assert one["relative_change_upper"] / one["relative_change"] == pytest.approx(
            np.exp(reach * np.sqrt(log_variance))
        )
        assert one["relative_change"] == pytest.approx(one["last"] / one["first"])


def test_the_change_of_the_gap_equals_a_clustered_model_of_the_single_contacts() -> None:
    contacts = drawn(seed=3)
    one = row(change_table(counted(contacts), {"m": SHARE}, RULES), "Black")
    group, later = (
        (contacts["group"] == "Black").astype(float),
        (contacts["period"] == "2025 Q2").astype(float),
    )
    design = np.column_stack([np.ones(len(contacts)), group, later, group * later])
    fit = sm.OLS(contacts["x"], design).fit(
        cov_type="cluster",
        cov_kwds={"groups": contacts["person"].str[1:].astype(int), "use_correction": False},
    )
    assert one["gap_change"] == pytest.approx(fit.params.iloc[3])
    width = (one["gap_change_upper"] - one["gap_change_lower"]) / 2 / 1.959964
    # Ours has m / (m - 1) in each group, and the model has none: 134 and 266 people.
    assert width == pytest.approx(fit.bse.iloc[3], rel=0.004)
    assert width > fit.bse.iloc[3]


@pytest.mark.parametrize(("kind", "measure"), [("share", SHARE), ("mean", MEAN), ("rate", RATE)])
def test_limits_are_those_of_a_bootstrap_over_people(kind: str, measure: Measure) -> None:
    contacts = drawn(seed=11, people=360, kind=kind)
    found = change_table(counted(contacts), {"m": measure}, RULES)
    one = row(found, "Black")
    each = contacts.pivot_table(
        index=["group", "person"], columns="period", values=["n", "x"], aggfunc="sum"
    ).fillna(0)
    chance = np.random.default_rng(1)
    values = {}
    for group in ("Black", "White"):
        here = each.loc[group].to_numpy()  # n0, n1, x0, x1
        drawn_again = here[chance.integers(0, len(here), (4000, len(here)))].sum(axis=1)
        values[group] = drawn_again[:, 2:] / drawn_again[:, :2]
    black, white = values["Black"], values["White"]
    differences = {"change": black[:, 1] - black[:, 0], "gap_change": (black - white) @ [-1, 1]}
    ratios = {
        "relative_change": black[:, 1] / black[:, 0],
        "ratio_change": np.exp(np.log(black / white) @ [-1, 1]),
    }
    reach = 1.96 if kind != "mean" else 1.98  # Student's t of 119 degrees of freedom
    for name, draws in differences.items():
        assert (one[f"{name}_upper"] - one[name]) / reach == pytest.approx(draws.std(), rel=0.06), name
    for name, draws in ratios.items():
        error = np.log(one[f"{name}_upper"] / one[name]) / reach
        assert error == pytest.approx(np.log(draws).std(), rel=0.06), name


def test_periods_that_share_nobody_are_two_independent_samples() -> None:
    contacts = drawn(returning=False)
    strata = counted(contacts)
    one = row(change_table(strata, {"m": SHARE}, RULES), "Black")
    sides = trend_table(strata, {"m": SHARE}, RULES).set_index(["category", "period"])
    errors = []
    for period in PERIODS:
        side = sides.loc[("Black", period)]
        p = side["value"]
        errors.append(np.sqrt(p * (1 - p) / (side["denominator"] / side["design_effect"])))
    plain = change(
        earlier=one["first"],
        earlier_standard_error=errors[0],
        later=one["last"],
        later_standard_error=errors[1],
    )
    assert (one["change"], one["change_lower"], one["change_upper"]) == pytest.approx(
        (float(plain.value), float(plain.lower), float(plain.upper)), abs=1e-3
    )
    in_logs = change(
        earlier=one["first"],
        earlier_standard_error=errors[0] / one["first"],
        later=one["last"],
        later_standard_error=errors[1] / one["last"],
        ratio=True,
    )
    assert (one["relative_change_lower"], one["relative_change_upper"]) == pytest.approx(
        (float(in_logs.lower), float(in_logs.upper)), rel=2e-2
    )


def test_people_counted_once_in_each_period_are_matched_pairs() -> None:
    # Of 100 people 30 met it both times, 20 only first, 5 only last, 45 never: the change is (5 - 20) / 100.
    patterns = [(1, 1)] * 30 + [(1, 0)] * 20 + [(0, 1)] * 5 + [(0, 0)] * 45
    contacts = pd.DataFrame(
        [
            ("m", f"P{number}", "White", period, 1.0, float(met[place]))
            for number, met in enumerate(patterns)
            for place, period in enumerate(PERIODS)
        ],
        columns=["measure", "person", "group", "period", "n", "x"],
    )
    one = row(change_table(counted(contacts), {"m": OF_PEOPLE}, RULES), "White")
    error = np.sqrt((20 + 5 - 15**2 / 100) / 100**2)
    assert one["change"] == pytest.approx(-0.15)
    assert (one["change_upper"] - one["change"]) / 1.959964 == pytest.approx(error, rel=0.01)
    assert one["note"] == "no other known group: no gap to the rest"
    assert np.isnan(one["gap_change"]) and not one["opposite"]


def test_the_absolute_gap_can_grow_while_the_relative_one_shrinks() -> None:
    contacts = single_contacts(
        {"Black": ((20, 200), (120, 600)), "White": ((10, 200), (84, 600))}
    )  # 10% and 5%, then 20% and 14%
    found = change_table(counted(contacts), {"m": SHARE}, RULES)
    one = row(found, "Black")
    assert (one["gap_first"], one["gap_last"]) == pytest.approx((0.05, 0.06))
    assert (one["ratio_first"], one["ratio_last"]) == pytest.approx((2.0, 20 / 14))
    assert one["gap_change"] == pytest.approx(0.01)
    assert one["ratio_change"] == pytest.approx(20 / 14 / 2)
    assert one["opposite"]
    assert one["note"] == "the absolute gap grew while the relative gap shrank; either may be chance"
    # Seen from the other side it is the same change, mirrored.
    other = row(found, "White")
    assert other["opposite"]
    assert other["gap_change"] == pytest.approx(-one["gap_change"])
    assert other["ratio_change_lower"] == pytest.approx(1 / one["ratio_change_upper"])


def test_a_gap_that_stays_the_same_but_for_rounding_has_not_moved_opposite() -> None:
    contacts = single_contacts({"Black": ((40, 200), (80, 400)), "White": ((20, 200), (40, 400))})
    found = change_table(counted(contacts), {"m": SHARE}, RULES)
    assert not found["opposite"].any()
    assert row(found, "Black")["note"] == ""


def single_contacts(counts: dict[str, tuple[tuple[int, int], tuple[int, int]]]) -> pd.DataFrame:
    """One contact a person: group -> (met, all) of each period."""
    return pd.DataFrame(
        [
            ("m", f"{group}-{period}-{number}", group, period, 1.0, float(number < met))
            for group, ends in counts.items()
            for period, (met, all_) in zip(PERIODS, ends, strict=True)
            for number in range(all_)
        ],
        columns=["measure", "person", "group", "period", "n", "x"],
    )


def test_too_few_people_or_events_say_which_rule_keeps_the_change_back() -> None:
    contacts = single_contacts(
        {
            "Asian": ((10, 29), (40, 90)),
            "Black": ((4, 80), (20, 80)),
            "Mixed": ((76, 80), (40, 80)),
            "White": ((20, 80), (30, 80)),
        }
    )
    found = change_table(counted(contacts), {"m": SHARE}, RULES)
    notes = {group: row(found, group)["note"] for group in ("Asian", "Black", "Mixed", "White")}
    assert notes["Asian"] == "fewer than 30 people in a period"
    assert notes["Black"] == notes["Mixed"] == "fewer than 5 events, or of a share non-events, in a period"
    assert notes["White"] == ""
    few = row(found, "Black")
    assert (few["first"], few["last"]) == (0.05, 0.25)
    kept_back = [name for name in CHANGES_TABLE.estimates if name not in ("first", "last")]
    assert few[kept_back].isna().all()
    assert row(found, "White")[kept_back].notna().all()


def test_the_rest_has_to_hold_enough_people_too() -> None:
    contacts = single_contacts({"Black": ((10, 20), (8, 20)), "White": ((20, 80), (30, 80))})
    one = row(change_table(counted(contacts), {"m": SHARE}, RULES), "White")
    assert one["change"] == pytest.approx(0.125)
    assert np.isnan(one["gap_change"]) and np.isnan(one["gap_first"])
    assert one["note"] == "the rest: fewer than 30 people in a period"


def test_the_rest_is_the_known_others_of_the_level() -> None:
    contacts = pd.concat(
        [
            single_contacts(
                {"Black": ((10, 40), (20, 40)), "Asian": ((10, 50), (10, 40)), "White": ((20, 80), (30, 80))}
            ),
            single_contacts({"(Not known)": ((40, 40), (35, 40))}),
        ]
    )
    found = change_table(counted(contacts), {"m": SHARE}, RULES)
    one = row(found, "Black")
    assert one["gap_first"] == pytest.approx(10 / 40 - 30 / 130)
    assert one["ratio_last"] == pytest.approx((20 / 40) / (40 / 120))
    unknown = row(found, "Not known")
    assert unknown["note"] == "fewer than 5 events, or of a share non-events, in a period; " + (
        "people of unknown group are held against no rest"
    )
    assert row(found, "Everyone")["note"] == "the whole has no rest"
    assert row(found, "Everyone")["change"] == pytest.approx(95 / 200 - 80 / 210)


def test_one_period_has_no_change() -> None:
    contacts = drawn(periods=("2025",))
    found = change_table(counted(contacts), {"m": SHARE}, RULES)
    one = row(found, "Black")
    assert (one["first_period"], one["last_period"]) == ("2025", "")
    assert one["people"] == 134
    assert one["first"] == pytest.approx(contacts[contacts["group"] == "Black"]["x"].mean())
    assert np.isnan(one["last"]) and np.isnan(one["change"]) and not one["opposite"]
    assert one["note"] == "fewer than 2 periods: no change to work out"


def test_groups_without_anybody_or_any_code_are_rows_without_a_change() -> None:
    found = change_table(counted(drawn(), empty=("Chinese",), absent=("Roma",)), {"m": SHARE}, RULES)
    empty, absent = row(found, "Chinese"), row(found, "Roma")
    assert (empty["people"], empty["note"]) == (0, "fewer than 30 people in a period")
    assert np.isnan(absent["people"])
    assert absent["note"] == "not in the code list in use"
    # Neither changes what the others are held against.
    pd.testing.assert_series_equal(
        row(found, "Black"),
        row(change_table(counted(drawn()), {"m": SHARE}, RULES), "Black"),
        check_names=False,
    )


def test_means_near_zero_have_a_change_and_no_relative_change() -> None:
    contacts = drawn(kind="mean")
    contacts["x"] -= contacts["x"].mean()
    one = row(change_table(counted(contacts), {"m": MEAN}, RULES), "Black")
    assert np.isfinite(one["change"]) and np.isfinite(one["gap_change"])
    assert np.isnan(one["relative_change"]) and np.isnan(one["ratio_change"])
    assert "no relative change: a value is not clearly above 0" in one["note"]


def test_uncounted_pairs_leave_the_change_without_limits() -> None:
    strata = counted(drawn())
    strata = Strata(**{**vars(strata), "pairs": strata.pairs.iloc[:0]})
    one = row(change_table(strata, {"m": SHARE}, RULES), "Black")
    assert np.isfinite(one["change"]) and np.isnan(one["change_lower"])
    assert one["note"].startswith("people seen in both periods were not counted: no limits")


def test_limits_of_a_change_hold_the_truth_as_often_as_they_say() -> None:
    # 600 groups of 120 people who come back, with no change in truth.
    groups, people = 600, 120
    chance = np.random.default_rng(5)
    own = np.clip(0.35 + 0.2 * chance.normal(size=groups * people), 0, 1)
    number = chance.integers(1, 5, (2, groups * people))
    contacts = pd.DataFrame(
        {
            "measure": "m",
            "person": np.tile(np.arange(groups * people), 2),
            "group": np.tile(np.repeat([f"Group {place}" for place in range(groups)], people), 2),
            "period": np.repeat(PERIODS, groups * people),
            "n": number.ravel().astype(float),
            "x": chance.binomial(number, own).ravel().astype(float),
        }
    )
    found = change_table(counted(contacts), {"m": SHARE}, RULES)
    found = found[found["characteristic"] != "all"]
    for name, truth in (("change", 0), ("relative_change", 1), ("gap_change", 0), ("ratio_change", 1)):
        held = (found[f"{name}_lower"] <= truth) & (found[f"{name}_upper"] >= truth)
        assert 0.93 <= held.mean() <= 0.97, name
