import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.judgement.flags import STATES, flag
from equitydata.stats.many_groups.multiplicity import adjust
from equitydata.stats.two_groups.proportions import risk_ratio, two_proportion_test

pytestmark = pytest.mark.filterwarnings("error")


def one(**changed):
    """A large group with no difference, but for what is changed."""
    asked = {
        "ratio": [1.0], "lower": [0.9], "upper": [1.1], "adjusted_p": [0.5], "people": [500],
        "expected_events": [50], "expected_non_events": [450],
    } | changed  # fmt: skip
    return flag(**asked)


@pytest.mark.parametrize(
    ("ratio", "adjusted_p", "people", "state"),
    [
        (1.5, 0.01, 500, "disproportionate_high"),
        (0.5, 0.01, 500, "disproportionate_low"),
        (1.1, 0.01, 500, "different_small"),
        (1.5, 0.20, 500, "uncertain"),
        (0.5, 0.20, 500, "uncertain"),
        (1.1, 0.20, 500, "no_evidence"),
        (1.5, 0.01, 29, "insufficient_data"),
        (1.1, 0.20, 29, "insufficient_data"),
    ],
)
def test_the_table_of_states(ratio, adjusted_p, people, state):
    assert one(ratio=[ratio], adjusted_p=[adjusted_p], people=[people]).state[0] == state
    assert state in STATES


def test_the_edges_of_the_rules():
    at_edges = one(
        ratio=[0.16 / 0.20], adjusted_p=[0.05], people=[30], expected_events=[5], expected_non_events=[5]
    )
    assert (at_edges.state[0], at_edges.evidence[0], at_edges.size[0]) == ("no_evidence", False, False)
    assert one(ratio=[1.25], adjusted_p=[0.049]).state[0] == "different_small"
    assert one(ratio=[1.2501], adjusted_p=[0.049]).state[0] == "disproportionate_high"
    assert one(expected_events=[4.99]).state[0] == "insufficient_data"
    assert one(expected_non_events=[4.99]).state[0] == "insufficient_data"


def test_similar_needs_the_whole_interval_inside_the_band():
    assert one(lower=[0.85], upper=[1.2]).similar[0]
    assert not one(lower=[0.7], upper=[1.2]).similar[0]
    assert not one(lower=[np.nan]).similar[0] and one(lower=[np.nan]).state[0] == "no_evidence"


def test_zero_and_infinite_ratios_are_outside_the_band():
    assert one(ratio=[0], lower=[0], adjusted_p=[0.001]).state[0] == "disproportionate_low"
    assert one(ratio=[np.inf], upper=[np.inf], adjusted_p=[0.001]).state[0] == "disproportionate_high"


@pytest.mark.parametrize("name", ["ratio", "adjusted_p", "people", "expected_events", "expected_non_events"])
def test_a_missing_number_is_insufficient_data_with_the_reason(name):
    answer = one(**{name: [np.nan]})
    assert answer.state[0] == "insufficient_data" and "missing" in answer.note[0]


def test_what_is_short_is_named():
    answer = one(people=[5], expected_events=[2])
    assert answer.note[0] == "people: fewer than 30; expected events: fewer than 5"
    assert one().note[0] == ""


def test_rates_and_means_leave_out_what_they_have_not():
    assert one(expected_non_events=None).state[0] == "no_evidence"
    assert one(expected_non_events=None, expected_events=None).state[0] == "no_evidence"


def test_the_idea_preset_counts_events_in_the_group_and_its_comparator():
    enough = {
        "preset": "idea",
        "events": [10],
        "comparator_people": [30],
        "comparator_events": [10],
        "people": [30],
    }
    assert one(**enough).state[0] == "no_evidence"
    for name in ("events", "comparator_people", "comparator_events", "people"):
        assert one(**enough | {name: [9]}).state[0] == "insufficient_data"
    assert one(**enough | {"expected_events": [1]}).state[0] == "no_evidence"
    with pytest.raises(ContractError):
        one(preset="idea")


def test_another_band_and_alpha_are_followed():
    assert one(ratio=[1.15], adjusted_p=[0.01], band=(0.9, 1.1)).state[0] == "disproportionate_high"
    assert one(ratio=[1.5], adjusted_p=[0.01], alpha=0.001).state[0] == "uncertain"
    assert one(people=[20], least_people=10).state[0] == "no_evidence"


def test_numbers_are_spread_and_nothing_gives_nothing():
    answer = flag(ratio=[1.0, 2.0], lower=[0.9, 1.5], upper=[1.1, 3.0], adjusted_p=[0.5, 0.01], people=100)
    assert answer.state.tolist() == ["no_evidence", "disproportionate_high"]
    assert flag(ratio=[], lower=[], upper=[], adjusted_p=[], people=[]).state.shape == (0,)


RATIOS = st.lists(
    st.tuples(st.floats(0, 5), st.floats(0, 1), st.floats(0, 200), st.floats(0, 20)), max_size=20
)


@given(RATIOS)
@settings(max_examples=60, deadline=None)
def test_every_entry_has_one_state_that_its_three_answers_explain(entries):
    ratio, p, people, expected = np.array(entries).reshape(-1, 4).T
    answer = flag(
        ratio=ratio, lower=ratio, upper=ratio, adjusted_p=p, people=people, expected_events=expected
    )
    for i, state in enumerate(answer.state):
        told = (bool(answer.evidence[i]), bool(answer.size[i]))
        names = {(True, False): "different_small", (False, True): "uncertain", (False, False): "no_evidence"}
        high = "disproportionate_high" if ratio[i] > 1 else "disproportionate_low"
        assert state == (names.get(told, high) if answer.information[i] else "insufficient_data")
        assert bool(answer.note[i]) == (state == "insufficient_data")


def test_few_reports_have_any_flag_when_all_groups_are_equal():
    rng = np.random.default_rng(20)
    people = np.array([40, 80, 150, 300, 700, 1500, 3000])
    reports, groups = 1000, len(people)
    n = np.tile(people, (reports, 1))
    x = rng.binomial(n, 0.3)
    rest_n, rest_x = n.sum(1, keepdims=True) - n, x.sum(1, keepdims=True) - x
    counts = {
        "numerator": x,
        "denominator": n,
        "comparator_numerator": rest_x,
        "comparator_denominator": rest_n,
    }
    ratio = risk_ratio(**counts)
    p = two_proportion_test(**counts, method="pooled_score").p_value
    adjusted = adjust(p, family=np.repeat(np.arange(reports), groups).reshape(p.shape)).adjusted
    share = x.sum(1, keepdims=True) / n.sum(1, keepdims=True)
    answer = flag(
        ratio=ratio.value, lower=ratio.lower, upper=ratio.upper, adjusted_p=adjusted, people=n,
        expected_events=n * share, expected_non_events=n * (1 - share),
    )  # fmt: skip
    flagged = np.char.startswith(answer.state.astype(str), "disproportionate").any(axis=1)
    assert flagged.mean() < 0.06
    assert (p < 0.05).any(axis=1).mean() > 0.2  # so that the rule has something to hold back


@pytest.mark.parametrize(
    "changed",
    [
        {"adjusted_p": [1.5]},
        {"ratio": [-1]},
        {"people": [-1]},
        {"ratio": [1, 1]},
        {"band": (1.25, 0.8)},
        {"alpha": 5},
        {"preset": "nhs"},
    ],
)
def test_input_that_cannot_be_is_refused(changed):
    with pytest.raises(ContractError):
        one(**changed)
