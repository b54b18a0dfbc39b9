"""The summary in Markdown: short, honest, and harmless whatever the labels of the data hold."""

import json
from dataclasses import replace
from functools import cache

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from equitydata.rating import Rating, make_rating
from equitydata.release.released import release
from equitydata.report.summary import plain_markdown, render_summary
from equitydata.result import EquityResult
from equitydata.written import visible
from page_checks import HOSTILE, forms_of, numbers_in, numbers_of_frames
from report_sample import sample_result, without_extract

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
OURS = {"strong_open", "strong_close", "text", "softbreak"}


@cache
def made(kind: str) -> tuple[EquityResult, Rating]:
    result = {
        "sample": sample_result,
        "audit alone": lambda: sample_result(equity=False),
        "without extract": without_extract,
        "true counts": lambda: sample_result(rules={"disclosure": "none"}),
        "hostile": lambda: sample_result(name=HOSTILE, site=HOSTILE, value=HOSTILE, measure=HOSTILE),
    }[kind]()
    released = release(result)
    return released, make_rating(released)


KINDS = ("sample", "audit alone", "without extract", "true counts", "hostile")
EVERY = pytest.mark.parametrize("kind", KINDS)


@cache
def text(kind: str) -> str:
    return render_summary(*made(kind))


def headings(markdown: str) -> list[str]:
    tokens = READER.parse(markdown)
    return [tokens[place + 1].content for place, each in enumerate(tokens) if each.type == "heading_open"]


@EVERY
def test_it_is_short_and_has_its_parts_in_order(kind):
    assert len(text(kind).split()) < 1500
    assert headings(text(kind))[1:] == [
        "Tier",
        "Known ethnicity and language: the 95% rule",
        "Findings",
        "Who is seen",
        "Next steps",
        "Method and limits",
    ]
    assert text(kind).endswith("\n") and "\n\n\n" not in text(kind)


@EVERY
def test_nothing_but_our_own_markdown_is_read_in_it(kind):
    for token in READER.parse(text(kind)):
        assert token.type not in ("html_block", "fence", "code_block", "blockquote_open", "hr")
        for each in token.children or []:
            assert each.type in OURS


def test_labels_are_shown_as_they_are():
    (name, *_) = headings(text("hostile"))
    read = READER.parseInline(name)[0].children
    shown = "".join(each.content for each in read)
    assert shown == f"Health equity data summary: {visible(visible(HOSTILE))}"
    assert "\u202e" not in text("hostile") and "<" not in text("hostile")


def test_the_main_numbers_stand_with_limits_and_denominators():
    words = text("sample")
    assert "- Ethnicity and language, both: **87.0%** (85.5% to 88.4%), 1,740 of 2,000 people." in words
    assert (
        "1. **Bangladeshi people did not attend more often than everyone else.** 22.0% against 11.7%; "
        in words
    )
    assert "610 people in the group." in words
    assert "- Black African: 9.1% of people seen (165 of 1,805), 16.5% of residents; ratio 0.56 (0." in words
    assert "1. **160 more people** need both a known ethnicity and a known language" in words
    assert (
        "Counts of 1 to 7 hidden, others rounded to the nearest 5. [c] means hidden, and never none." in words
    )


def test_a_hidden_finding_is_said_to_be_hidden_and_not_told():
    assert "1 more is hidden by the small-number rule." in text("sample")
    assert "Chinese" not in text("sample")


def test_what_was_not_measured_or_compared_is_said():
    assert "- Language: not measured. No extract was audited." in text("without extract")
    assert "No outcome was compared." in text("audit alone")
    assert "People seen were not compared with residents." in text("audit alone")


def test_nothing_flagged_is_no_proof_that_all_is_well():
    released, rating = made("sample")
    tables = {**released.tables, "findings": released.tables["findings"].head(0)}
    none = render_summary(replace(released, tables=tables, hidden_cells={}), rating)
    assert "Nothing was flagged. That is no proof that all is well." in none


def test_hidden_shares_read_c():
    released, _ = made("sample")
    figures = released.tables["figures"]
    joint = figures["figure"].str.startswith("joint")
    blank = {
        name: figures[name].mask(joint) for name in ("numerator", "denominator", "value", "lower", "upper")
    }
    result = replace(released, tables={**released.tables, "figures": figures.assign(hidden=joint, **blank)})
    assert "- Ethnicity and language, both: [c], hidden by the small-number rule." in render_summary(
        result, make_rating(result)
    )


def test_true_counts_are_stamped_at_both_ends():
    stamp = "**TRUE COUNTS: NOT TO BE SHARED**"
    assert text("true counts").startswith(stamp) and text("true counts").endswith(f"{stamp}\n")
    assert stamp not in text("sample")


def test_long_lists_are_cut_and_the_rest_is_counted():
    released, rating = made("sample")
    findings = released.tables["findings"]
    many = pd.concat([findings.head(1)] * 40, ignore_index=True)
    words = render_summary(replace(released, tables={**released.tables, "findings": many}), rating)
    assert "8. **Bangladeshi" in words and "9. **" not in words and "32 more are in the report." in words
    assert len(words.split()) < 1500


@pytest.mark.parametrize("kind", [each for each in KINDS if each != "hostile"])
def test_every_number_stands_in_the_rating_or_the_tables(kind):
    released, rating = made(kind)
    content = json.loads(rating.model_dump_json())
    allowed = numbers_in(json.dumps(content)) | {str(place) for place in range(1, 120)} | {"0", "2022", "95%"}
    for each in (*content["headline"], *content["next_steps"], {"people": content["about"]["people"]}):
        for value in each.values():
            allowed |= forms_of(value) if not isinstance(value, list | bool) else set()
    allowed |= numbers_of_frames({name: released.tables[name] for name in ("findings", "representation")})
    assert numbers_in(text(kind)) <= allowed


@EVERY
def test_the_same_input_gives_the_same_text(kind):
    assert render_summary(*made(kind)) == text(kind)


# ---------------------------------------------------------------- words in Markdown


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("Did not attend", "Did not attend"),
        ("a*b* `c` [d](e) f|g_h_", "a\\*b\\* \\`c\\` \\[d\\](e) f\\|g\\_h\\_"),
        ("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;"),
        ("Accident & Emergency", "Accident & Emergency"),
        ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
        ("- item", "\\- item"),
        ("-15.1 points", "-15.1 points"),
        ("1. item", "1\\. item"),
        ("1.43", "1.43"),
        ("https://example.org", "https\\://example.org"),
        ("www.example.org", "www\\.example.org"),
        ("[c]", "\\[c\\]"),
    ],
)
def test_words_are_written_so_that_markdown_shows_them(words, written):
    assert plain_markdown(words) == written


@given(
    st.text(
        alphabet=st.sampled_from(list("ab*_`[]()<>|#~!&;:-+=1.\\$@/{} \t\n")) | st.characters(), max_size=60
    )
)
def test_any_words_are_read_back_as_themselves(words):
    (token,) = READER.parseInline(f"A: {plain_markdown(words)} z")
    assert {each.type for each in token.children} <= {"text", "text_special"}
    assert "".join(each.content for each in token.children) == f"A: {visible(words, 600)} z"
    rows = READER.parse(f"| x |\n| --- |\n| {plain_markdown(words)} |\n")
    assert sum(each.type == "td_open" for each in rows) == 1
    alone = [each.type for each in READER.parse(plain_markdown(words)) if each.type.endswith("_open")]
    assert set(alone) <= {"paragraph_open"}
