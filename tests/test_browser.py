"""The page as people meet it: in a browser, on a phone, on paper, by keyboard, with settings of their own."""

import io
import warnings
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from axe_playwright_python.sync_playwright import Axe
from pypdf import PdfReader

from browser_helper import (
    DESKTOP,
    PHONE,
    PROGRAMS,
    REQUIRED,
    ChartText,
    browser_is_required,
    chart_colours,
    chromium,
    contrast,
    find_chromium,
    media,
    open_page,
    restyled,
    unfolded,
)
from equitydata.plots.style import COLOURS, STEPS
from report_cases import RESULTS, report

if find_chromium() is None:
    LACKING = f"No Chromium on this machine ({', '.join(PROGRAMS)}): THE PAGE IS NOT TESTED IN A BROWSER."
    if browser_is_required():
        pytest.fail(f"{LACKING} {REQUIRED}=required asks for it.", pytrace=False)
    warnings.warn(LACKING, stacklevel=1)
    pytest.skip(LACKING, allow_module_level=True)

# The page of every kind of report, and the lesser pages where they are full and where they are hostile.
PAGES = [
    *((kind, "index.html") for kind in RESULTS),
    *((kind, page) for kind in ("rich", "hostile") for page in ("maturity.html", "profiles/community.html")),
    ("rich", "profiles/ethnicity-bangladeshi.html"),
    ("all hidden", "profiles/ethnicity-bangladeshi.html"),
    ("hostile", "profiles/ethnicity-script-alert-1-script.html"),
    ("hostile", f"profiles/ethnicity-{'x' * 40}.html"),
]
SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
# WCAG 2.2 AA, and what the makers of axe hold to be good practice beside it.
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
# Only what fails is told in full, which is most of the time that axe takes.
AXE = {"runOnly": {"type": "tag", "values": STANDARDS}, "resultTypes": ["violations"]}
# No colour depends on the width of the window, and contrast is three quarters of the work: it is looked at once.
AXE_FOR = {DESKTOP: AXE, PHONE: {**AXE, "rules": {"color-contrast": {"enabled": False}}}}
# WCAG 2.2, success criterion 1.4.12.
SPACED = """
* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important; }
p { margin-bottom: 2em !important; }
"""
READABLE, SEEN = 4.5, 3.0  # contrast of words, and of shapes
SMALLEST = 8.0  # pixels of a letter of a chart


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module", params=PAGES, ids=lambda each: f"{each[0]}-{Path(each[1]).stem[:30]}")
def opened(request, browser):
    kind, name = request.param
    found = open_page(browser, report(kind).folder / name)
    yield found
    found.page.context.close()


# ---------------------------------------------------------------- it is harmless


def test_nothing_runs_nothing_is_fetched_and_nothing_is_complained_about(opened):
    assert opened.page.evaluate("document.scripts.length") == 0
    assert opened.requests == [opened.page.url]
    assert opened.console == opened.errors == opened.dialogs == []


def test_no_element_of_a_label_became_an_element_of_the_page(opened):
    strangers = "img, iframe, object, embed, form, input, button, video, audio, base, link:not([rel=icon])"
    assert opened.page.locator(strangers).count() == 0
    handlers = (
        "[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()).filter(n => /^on/.test(n))"
    )
    assert opened.page.evaluate(handlers) == []


# ---------------------------------------------------------------- it is accessible


@SIZES
def test_axe_finds_no_violation(opened, size):
    with unfolded(opened.at(size)) as page:
        found = Axe().run(page, options=AXE_FOR[size])
    assert found.violations_count == 0, found.generate_report()
    assert len(found.response["passes"]) > 20


def test_axe_would_find_what_is_wrong(browser):
    page = browser.new_page()
    page.set_content(
        "<main><h3>Pale</h3><p style='color: #bbb; background: #fff'>Pale</p><svg role=img></svg></main>"
    )
    found = {each["id"] for each in Axe().run(page, options=AXE).response["violations"]}
    page.close()
    assert {"color-contrast", "svg-img-alt", "html-has-lang"} <= found


@SIZES
def test_the_page_never_scrolls_sideways(opened, size):
    with unfolded(opened.at(size)) as page:
        assert page.evaluate("document.scrollingElement.scrollWidth") <= size[0], _sticking_out(page)


def _sticking_out(page) -> list[str]:
    """Elements that reach beyond the window and lie in nothing that scrolls."""
    return page.evaluate("""[...document.querySelectorAll('body *')]
      .filter(each => !each.parentElement.closest('[tabindex="0"], svg') && !each.classList.contains('skip')
        && each.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
      .map(each => `${each.tagName}.${each.className} ${each.textContent.trim().slice(0, 60)}`)""")


def test_ids_are_unique_and_references_lead_somewhere(opened):
    ids = opened.page.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
    assert len(ids) == len(set(ids))
    names = "['aria-labelledby', 'aria-describedby', 'aria-details', 'aria-controls', 'for']"
    wanted = opened.page.evaluate(
        f"{names}.flatMap(name => [...document.querySelectorAll(`[${{name}}]`)]"
        ".flatMap(each => each.getAttribute(name).split(' ')))"
    )
    links = opened.page.evaluate("[...document.querySelectorAll('a, use')].map(e => e.getAttribute('href'))")
    inside = {link.removeprefix("#") for link in links if link.startswith("#")}
    assert {*wanted, *inside} <= set(ids)
    here = Path(unquote(opened.page.url).partition("#")[0].removeprefix("file://")).parent
    assert all((here / link.partition("#")[0]).is_file() for link in links if not link.startswith("#"))


def test_headings_go_down_one_level_at_a_time(opened):
    levels = opened.page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(each => Number(each.tagName[1]))"
    )
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in pairwise(levels))


def test_the_keyboard_reaches_the_skip_link_first_and_then_everything_in_order(opened):
    page = opened.at(DESKTOP)
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    with unfolded(page):
        page.evaluate(
            "[...document.querySelectorAll('a[href], summary, [tabindex=\"0\"]')].forEach((e, i) => e.dataset.stop = i)"
        )
        stops = page.locator("[data-stop]").count()
        reached = []
        for _ in range(stops):
            page.keyboard.press("Tab")
            reached.append(page.evaluate(_STOP))
    assert reached[0]["words"] == "Skip to the content"
    assert [each["stop"] for each in reached] == [str(number) for number in range(stops)]
    assert not [each for each in reached if not each["outlined"]]


# What has the focus, and whether that can be seen.
_STOP = """() => {
  const here = document.activeElement, style = getComputedStyle(here);
  return {stop: here.dataset.stop, words: here.textContent.trim().slice(0, 40),
    outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 3};
}"""


def test_the_skip_link_leads_to_the_content(opened):
    page = opened.at(DESKTOP)
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    page.locator("a.skip").focus()
    box = page.locator("a.skip").bounding_box()
    assert box["x"] >= 0 and box["y"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_what_scrolls_can_be_reached(opened):
    with unfolded(opened.at(PHONE)) as page:
        unreached = page.evaluate("""[...document.querySelectorAll('body *')].filter(each =>
          ['auto', 'scroll'].includes(getComputedStyle(each).overflowX) && each.scrollWidth > each.clientWidth
          && each.getAttribute('tabindex') !== '0').map(each => each.outerHTML.slice(0, 80))""")
    assert unreached == []


# ---------------------------------------------------------------- settings of the reader


def test_wider_spacing_of_the_text_loses_nothing(opened):
    with unfolded(opened.at(PHONE)) as page:
        before = page.evaluate(_CUT_OFF)
        with restyled(page, SPACED):
            assert (
                page.evaluate("getComputedStyle(document.querySelector('main p')).letterSpacing") != "normal"
            )
            assert page.evaluate(_CUT_OFF) == before == []
            assert page.evaluate("document.scrollingElement.scrollWidth") <= PHONE[0], _sticking_out(page)


# Words whose box is too small for them and hides the rest; pictures have their words in a table beside them.
_CUT_OFF = """[...document.querySelectorAll('body *:not(svg, svg *)')].filter(each => {
  const style = getComputedStyle(each);
  const hides = over => ['hidden', 'clip'].includes(over);
  const cut = (hides(style.overflowX) && each.scrollWidth > each.clientWidth + 1)
    || (hides(style.overflowY) && each.scrollHeight > each.clientHeight + 1);
  return (cut || style.textOverflow === 'ellipsis') && each.textContent.trim();
}).map(each => each.outerHTML.slice(0, 80))"""


def test_at_four_hundred_per_cent_there_is_one_column(browser):
    near = open_page(browser, report("rich").page, zoom=4)
    page = near.at((320, 256))  # 1280 by 1024 pixels of the screen
    try:
        with unfolded(page):
            assert page.evaluate("devicePixelRatio") == 4
            assert page.evaluate("document.scrollingElement.scrollWidth") <= 320, _sticking_out(page)
            assert page.evaluate(_IN_FRONT) == 0  # of the little that is seen
    finally:
        page.context.close()


_IN_FRONT = """[...document.querySelectorAll('body *')].filter(each =>
  ['fixed', 'sticky'].includes(getComputedStyle(each).position)).length"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_of_the_system_leave_everything_to_be_seen(opened, scheme):
    page = opened.at(DESKTOP)
    with unfolded(page), media(page, forced_colors="active", color_scheme=scheme):
        assert page.evaluate("matchMedia('(forced-colors: active)').matches")
        texts, _ = chart_colours(page)
        assert not _unreadable(texts)
        assert page.evaluate(_UNSEEN_BARS) == []


# Shapes of the page that carry a number and have the colour of what they lie on.
_UNSEEN_BARS = """[...document.querySelectorAll('.bar .fill, .steps .on, .parts span')].filter(each =>
  getComputedStyle(each).backgroundColor === getComputedStyle(document.body).backgroundColor
).map(each => each.outerHTML)"""


# ---------------------------------------------------------------- charts


@SIZES
def test_words_of_charts_are_readable(opened, size):
    with unfolded(opened.at(size)) as page:
        texts, _ = chart_colours(page)
        assert bool(texts) == bool(page.locator("svg[role=img] text").count())
    assert not _unreadable(texts)
    assert not [each for each in texts if each.size < SMALLEST]
    assert not [each for each in texts if not each.inside]


def _unreadable(texts: list[ChartText]) -> list[ChartText]:
    return [each for each in texts if each.contrast < (SEEN if each.is_sign else READABLE)]


def test_words_of_charts_do_not_run_into_each_other(opened):
    with unfolded(opened.at(DESKTOP)) as page:
        texts, _ = chart_colours(page)
    assert not [(one, other) for one, other in combinations(texts, 2) if one.overlaps(other)]


def test_shapes_of_charts_stand_out_from_the_paper_or_are_outlined_or_hold_words(opened):
    with unfolded(opened.at(DESKTOP)) as page:
        _, shapes = chart_colours(page)
    # Lines of the grid, and the shade behind a scale whose edges are said in words.
    decoration = {_rgb(COLOURS["line"]), _rgb(STEPS[0])}
    faint = [
        each
        for each in shapes
        if each.contrast < SEEN
        and not each.labelled
        and not {each.fill, each.stroke} <= {each.paper, *decoration, None}
    ]
    assert not faint


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))


def test_every_chart_has_a_name_a_description_and_its_table(opened):
    for facts in opened.page.evaluate(_FACTS_OF_CHARTS):
        assert all(facts["words"]) and facts["rows"] and not facts["strangers"], facts


_FACTS_OF_CHARTS = """[...document.querySelectorAll('svg[role=img]')].map(svg => ({
  words: svg.getAttribute('aria-labelledby').split(' ').map(id => document.getElementById(id).textContent.trim()),
  rows: svg.closest('figure').querySelectorAll('tbody tr').length,
  strangers: svg.querySelectorAll('script, foreignObject, image, a').length,
}))"""

CHARTS = """<body style="background: white; margin: 0">
<svg role="img" aria-labelledby="t" viewBox="0 0 400 200" width="800">
<title id="t">Chart</title>
<defs><clipPath id="c"><rect x="0" y="0" width="200" height="200"/></clipPath>
<path id="m" d="M -5 -5 L 5 -5 L 5 5 L -5 5 z"/></defs>
<g id="paper"><path d="M 0 0 H 400 V 200 H 0 z" style="fill: #ffffff"/></g>
<g id="bar"><path d="M 10 10 H 150 V 40 H 10 z" style="fill: #28a197"/></g>
<g id="dark"><path d="M 10 50 H 150 V 80 H 10 z" style="fill: #12436d"/></g>
<g id="clipped"><path d="M 10 90 H 390 V 120 H 10 z" clip-path="url(#c)" style="fill: #12436d"/></g>
<g id="pale"><path d="M 10 130 H 150 V 150 H 10 z" style="fill: #eeeeee"/></g>
<g id="cell"><path d="M 160 130 H 300 V 150 H 160 z" style="fill: #eef3f8"/></g>
<g id="outlined"><path d="M 310 130 H 390 V 150 H 310 z" style="fill: #eeeeee; stroke: #3d3d3d; stroke-width: 1"/></g>
<g id="clear"><path d="M 10 160 H 150 V 190 H 10 z" style="fill: #12436d; fill-opacity: 0.1"/></g>
<g id="mark"><use href="#m" x="380" y="30" style="fill: #dddddd"/></g>
<text x="20" y="30" style="fill: #ffffff; font-size: 12px">white on teal</text>
<text x="20" y="70" style="fill: #ffffff; font-size: 12px">white on blue</text>
<text x="140" y="70" style="fill: #ffffff; font-size: 12px">half outside</text>
<text x="240" y="110" style="fill: #3d3d3d; font-size: 12px">behind the clip</text>
<text x="170" y="145" style="fill: #3d3d3d; font-size: 12px">in a cell</text>
<text x="20" y="180" style="fill: #3d3d3d; font-size: 12px">on a tint</text>
<text x="300" y="70" transform="rotate(-90 300 70)" style="fill: #aaaaaa; font-size: 12px">upright</text>
<text x="380" y="100" style="fill: #3d3d3d; font-size: 12px">at the edge</text>
<text x="180" y="148" style="fill: #3d3d3d; font-size: 12px">in the way</text>
<g id="late"><path d="M 160 160 H 300 V 190 H 160 z" style="fill: #000000; opacity: 0"/></g>
</svg></body>"""


def test_what_is_measured_of_charts_is_what_is_painted(browser):
    page = browser.new_page(viewport={"width": 900, "height": 600})
    page.set_content(CHARTS)
    texts, shapes = chart_colours(page)
    page.close()
    by_words = {each.words: each for each in texts}
    assert by_words["white on teal"].behind == ((0x28, 0xA1, 0x97),)
    assert by_words["white on teal"].contrast == pytest.approx(contrast((255, 255, 255), (0x28, 0xA1, 0x97)))
    assert by_words["white on blue"].contrast > 9
    assert by_words["half outside"].contrast == 1  # white on the white paper, for its second half
    assert by_words["behind the clip"].behind == ((255, 255, 255),)
    assert by_words["on a tint"].behind == ((231, 236, 240),)
    assert {each.words for each in texts if each.contrast < READABLE} == {
        "white on teal",
        "half outside",
        "upright",
    }
    assert by_words["in a cell"].size == pytest.approx(24)
    assert {each.words for each in texts if not each.inside} == {"at the edge"}
    pairs = {(one.words, other.words) for one, other in combinations(texts, 2) if one.overlaps(other)}
    assert pairs == {("in a cell", "in the way")}
    faint = {each.id for each in shapes if each.contrast < SEEN and not each.labelled}
    assert faint == {"pale", "mark"}


def test_contrast_is_that_of_the_standard():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((0x76, 0x76, 0x76), (255, 255, 255)) == pytest.approx(4.54, abs=0.005)


# ---------------------------------------------------------------- on paper


@dataclass(frozen=True)
class Print:
    """A page on paper. sheets : text of each sheet. reach : the largest share of a sheet's width where a word begins.
    size : of the largest letters, in points."""

    sheets: tuple[str, ...]
    reach: float
    size: float


@pytest.fixture(scope="module")
def printed(opened):
    """The print of a page with every fold closed."""
    assert opened.page.locator("details[open]").count() == 0
    made = opened.page.pdf(
        format="A4",
        margin=dict.fromkeys(("top", "bottom", "left", "right"), "15mm"),
        prefer_css_page_size=True,
    )
    sheets, begins, sizes = [], [], []
    for sheet in PdfReader(io.BytesIO(made)).pages:
        width = float(sheet.mediabox.width)

        def look(words, view, place, font, size, width=width):
            if words.strip():
                begins.append((place[4] * view[0] + place[5] * view[2] + view[4]) / width)
                sizes.append(abs(size * (view[0] * place[0] + view[2] * place[1])))

        sheets.append(" ".join(sheet.extract_text(visitor_text=look).split()))
    return Print(tuple(sheets), max(begins), max(sizes))


def test_the_print_has_sheets_and_none_is_blank(opened, printed):
    assert len(printed.sheets) > ("/index.html" in opened.page.url)
    assert min(map(len, printed.sheets)) > 40, [len(words) for words in printed.sheets]


def test_the_print_holds_what_the_screen_folds_away_down_to_the_last_line(opened, printed):
    whole = _letters("".join(printed.sheets))
    folded = opened.page.evaluate(
        "[...document.querySelectorAll('details caption, details p, h2, h3')].map(e => e.textContent)"
    )
    assert [words for words in folded if _letters(words) not in whole] == []
    assert _letters(opened.page.locator("footer p").first.inner_text()) in _letters(printed.sheets[-1])


def _letters(words: str) -> str:
    """Words without spaces, which a line break may add or take away."""
    return "".join(words.split())


def test_the_print_fits_the_paper_without_being_shrunk_to_it(opened, printed):
    assert printed.reach < 0.97
    with media(opened.at(DESKTOP), media="print") as page:
        largest = page.evaluate(_LARGEST_LETTERS)
    # A word of two hundred letters may shrink the print, but not beyond reading.
    least = 0.5 if "/hostile/" in opened.page.url else 0.9
    assert printed.size >= least * largest * 72 / 96


_LARGEST_LETTERS = """Math.max(...[...document.querySelectorAll('body *:not(svg *)')]
  .filter(each => [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()))
  .map(each => parseFloat(getComputedStyle(each).fontSize)))"""
