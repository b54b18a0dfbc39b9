"""What every chart has: words, numbers, and an SVG that may stand in a page."""

from xml.etree import ElementTree

import pandas as pd
import pytest
from PIL import Image

from equitydata.plots.chart import Chart, Charts, chart_name, short
from equitydata.plots.style import COLOURS

HOSTILE = '<script>alert(1)</script> $\\alpha$ & "x" \u202e'


def parsed(svg):
    return ElementTree.fromstring(svg)  # noqa: S314 - our own


def drawn(canvas):
    axes = canvas.subplots()
    axes.barh([0, 1], [1, 2], color=COLOURS["teal"], label="a")
    axes.plot([0, 2], [0, 1], marker="o", color=COLOURS["plum"])
    axes.text(1, 0, short(HOSTILE, 60))


def chart(name="figure-a", title="Two groups"):
    return Chart(
        name=name,
        title=title,
        subtitle="of nobody",
        source="here",
        alternative="Two bars & a line.",
        table=pd.DataFrame({"Group": ["a", "b"], "People": ["10", "[c]"]}),
        csv="outcomes",
        height=2.0,
        draw=drawn,
    )


def test_the_svg_has_ids_of_its_own_and_its_words():
    root = parsed(chart().svg)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) and all(each.startswith("figure-a-") for each in ids)
    assert root.get("role") == "img"
    titled, described = root.get("aria-labelledby").split()
    words = {element.get("id"): element.text for element in root.iter()}
    assert words[titled] == "Two groups" and words[described] == "Two bars & a line."


def test_every_reference_of_the_svg_leads_to_one_of_its_own_ids():
    root = parsed(chart().svg)
    ids = {element.get("id") for element in root.iter()}
    led = [
        value[1:] if key == "href" else value.partition("url(#")[2].partition(")")[0]
        for element in root.iter()
        for key, value in element.attrib.items()
        if key == "href" or "url(#" in value
    ]
    assert led and set(led) <= ids
    assert "http" not in chart().svg.replace("http://www.w3.org/2000/svg", "")


def test_the_svg_keeps_text_as_text_and_runs_none_of_it():
    svg = chart().svg
    assert "<script" not in svg and "[U+202E]" in svg
    texts = [element.text for element in parsed(svg).iter() if element.tag.endswith("}text")]
    assert any(text.startswith("<script>alert(1)</script> $\\alpha$") for text in texts if text)
    assert "DejaVu" not in svg and "Arial" in svg


def test_the_same_chart_gives_the_same_svg_and_another_name_other_ids():
    assert chart().svg == chart().svg
    assert chart("figure-b").svg.replace("figure-b", "figure-a") != chart().svg or "url(" not in chart().svg


def test_a_chart_saves_itself_with_its_title(tmp_path):
    picture = chart().save(tmp_path / "a.png")
    with Image.open(picture) as image:
        assert image.width > 1000
    text = chart(title="Something to say").save(tmp_path / "a.svg").read_text()
    assert "Something to say" in text and "of nobody" in text and "Source: here" in text


def test_charts_show_themselves_in_a_notebook():
    shown = Charts([chart(title="<b>")])._repr_html_()
    assert "&lt;b&gt;" in shown and "<svg" in shown and "<b>" not in shown
    assert Charts()._repr_html_() == "<p>Nothing to draw.</p>"
    assert repr(chart()) == "Chart('figure-a': Two groups)"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("forest", "Did not attend"), "figure-forest-did-not-attend"),
        (("fall", "ethnicity x sex", ""), "figure-fall-ethnicity-x-sex"),
        (("fall", "<script>"), "figure-fall-script"),
    ],
)
def test_names_of_charts_are_safe_as_ids(words, name):
    assert chart_name(*words) == name


def test_long_labels_are_cut_with_an_ellipsis():
    assert short("x" * 34) == "x" * 34
    assert short("x" * 40_000) == "x" * 33 + "…"
    assert short("a\u202eb") == "a[U+202E]b"
