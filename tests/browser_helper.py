"""Headless Chromium of the system for tests: opens a page from a file, listens to it, and measures what it shows."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A folder of the system's Chromium is not ours to write to: profiles are temporary, the network is left alone.
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")
REQUIRED = "EQUITYDATA_BROWSER"
DESKTOP, PHONE = (1280, 900), (320, 640)

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]  # left, top, right, bottom


def find_chromium() -> str | None:
    """The Chromium of the system, or None."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


def browser_is_required() -> bool:
    """Whether the tests must fail, and not be skipped, where there is no Chromium."""
    return os.environ.get(REQUIRED) == "required"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that is closed afterwards; it talks through pipes and opens no port."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True)
class Opened:
    """A page and everything that it did since it was opened.

    console, errors, dialogs, requests : texts and addresses, in the order in which they came.
    """

    page: Page
    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def at(self, size: tuple[int, int]) -> Page:
        """The page in a window of that many pixels."""
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        return self.page


def open_page(browser: Browser, file: Path, *, zoom: int = 1) -> Opened:
    """A file in a window of its own; zoom : device pixels of one pixel of the page."""
    page = browser.new_context(device_scale_factor=zoom).new_page()
    opened = Opened(page)
    page.on("console", lambda message: opened.console.append(message.text))
    page.on("pageerror", lambda error: opened.errors.append(str(error)))
    page.on("request", lambda request: opened.requests.append(request.url))
    page.on("dialog", lambda dialog: (opened.dialogs.append(dialog.message), dialog.dismiss()))
    opened.at(DESKTOP)
    page.goto(file.as_uri())
    return opened


@contextmanager
def unfolded(page: Page) -> Iterator[Page]:
    """The page with every fold open; as it was afterwards."""
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    try:
        yield page
    finally:
        page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = false")


@contextmanager
def restyled(page: Page, style: str) -> Iterator[Page]:
    """The page with a style of the reader's own behind those of the page; as it was afterwards."""
    element = page.add_style_tag(content=style)
    try:
        yield page
    finally:
        element.evaluate("style => style.remove()")


@contextmanager
def media(page: Page, **features: str) -> Iterator[Page]:
    """The page as a medium or a setting of the reader shows it; as it was afterwards."""
    page.emulate_media(**features)
    try:
        yield page
    finally:
        page.emulate_media(**dict.fromkeys(features, "null"))


# ---------------------------------------------------------------- colours


def luminance(colour: Sequence[float]) -> float:
    """Relative luminance of red, green and blue from 0 to 255, WCAG 2.2."""
    parts = [part / 255 for part in colour]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Sequence[float], other: Sequence[float]) -> float:
    """Contrast of two colours from 1 to 21, WCAG 2.2."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@dataclass(frozen=True)
class ChartText:
    """A word in a chart. behind : the colours that it stands on, from the paper to a bar."""

    chart: str
    words: str
    colour: Colour
    behind: tuple[Colour, ...]
    size: float  # pixels of a letter on the screen
    box: Box  # around the word on the screen
    frame: Box  # of the picture
    upright: bool  # not turned by an angle

    @property
    def contrast(self) -> float:
        """The least contrast to anything behind it."""
        return min(contrast(self.colour, colour) for colour in self.behind)

    @property
    def is_sign(self) -> bool:
        """Whether it is a sign such as a square, and no word or number."""
        return not any(letter.isalnum() for letter in self.words)

    @property
    def inside(self) -> bool:
        """Whether the whole word lies in the picture, which cuts off what does not."""
        left, top, right, bottom = self.frame
        return (
            self.box[0] >= left - 1
            and self.box[1] >= top - 1
            and self.box[2] <= right + 1
            and self.box[3] <= bottom + 1
        )

    def overlaps(self, other: "ChartText") -> bool:
        """Whether two words that are not turned cover more than a sixth of the lesser one."""
        if self.chart != other.chart or not (self.upright and other.upright):
            return False
        across = min(self.box[2], other.box[2]) - max(self.box[0], other.box[0])
        down = min(self.box[3], other.box[3]) - max(self.box[1], other.box[1])
        return across > 0 and down > 0 and across * down > min(map(_area, (self.box, other.box))) / 6


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


@dataclass(frozen=True)
class ChartShape:
    """A shape of a chart. labelled : a word stands inside it."""

    chart: str
    id: str
    fill: Colour | None
    stroke: Colour | None
    paper: Colour
    labelled: bool

    @property
    def contrast(self) -> float:
        """The contrast to the paper of its fill or its outline, whichever is seen better."""
        return max(contrast(colour, self.paper) for colour in (self.fill, self.stroke) if colour)


def chart_colours(page: Page, charts: str = "svg[role=img]") -> tuple[list[ChartText], list[ChartShape]]:
    """Words and shapes of every chart with their colours as painted, also where they are out of sight."""
    found: list[dict[str, Any]] = page.evaluate(_CHART_COLOURS, charts)
    texts, shapes = [], []
    for each in found:
        for text in each["texts"]:
            texts.append(
                ChartText(
                    chart=each["chart"],
                    words=text["words"],
                    colour=_colour(text["colour"]),
                    behind=tuple(sorted({_colour(colour) for colour in text["behind"]})),
                    size=text["size"],
                    box=tuple(text["box"]),
                    frame=tuple(each["frame"]),
                    upright=text["upright"],
                )
            )
        for shape in each["shapes"]:
            fill, stroke = (_colour(shape[part]) if shape[part] else None for part in ("fill", "stroke"))
            paper = _colour(shape["paper"])
            shapes.append(ChartShape(each["chart"], shape["id"], fill, stroke, paper, shape["labelled"]))
    return texts, shapes


def _colour(parts: Sequence[float]) -> Colour:
    red, green, blue = (round(part) for part in parts[:3])
    return (red, green, blue)


# An element lies above those before it, and a colour that lets light through is mixed with what is below. Each word is
# held against all that lies below it at fifteen points of its box; thin lines, which hide no letter, are left out.
_CHART_COLOURS = """
selector => {
  const SHAPES = 'path, rect, circle, ellipse, polygon, polyline, line, use';
  const THICK = 3;
  const parsed = text => {
    const parts = (text.match(/^rgba?\\(([^)]*)\\)/) || [, null])[1];
    if (!parts) return null;
    const numbers = parts.split(/[\\s,\\/]+/).map(Number);
    return [...numbers.slice(0, 3), numbers.length > 3 ? numbers[3] : 1];
  };
  const mixed = (above, below) => above.slice(0, 3).map((part, i) => part * above[3] + below[i] * (1 - above[3]));
  const paperBehind = element => {
    const papers = [];
    for (let each = element; each; each = each.parentElement) {
      const colour = parsed(getComputedStyle(each).backgroundColor);
      if (colour && colour[3] > 0) papers.push(colour);
    }
    return papers.reverse().reduce((below, above) => mixed(above, below), [255, 255, 255]);
  };
  const opacity = (element, svg) => {
    let share = 1;
    for (let each = element; each && each !== svg; each = each.parentElement)
      share *= Number(getComputedStyle(each).opacity);
    return share;
  };
  const painted = (element, part, svg) => {
    const style = getComputedStyle(element);
    const colour = parsed(style[part]);
    if (!colour) return null;
    colour[3] *= Number(style[part + 'Opacity']) * opacity(element, svg);
    return colour[3] > 0 ? colour : null;
  };
  const toRoot = (element, x, y) => new DOMPoint(x, y).matrixTransform(element.getCTM());
  const toLocal = (element, point) => point.matrixTransform(element.getCTM().inverse());
  const inBox = (box, point) =>
    point.x >= box.x && point.x <= box.x + box.width && point.y >= box.y && point.y <= box.y + box.height;
  const clip = (element, svg) => {
    const name = (element.getAttribute('clip-path') || '').match(/url\\(#([^)]+)\\)/);
    const box = name && svg.querySelector('#' + CSS.escape(name[1]) + ' > rect');
    if (!box) return null;
    const [x, y, width, height] = ['x', 'y', 'width', 'height'].map(key => Number(box.getAttribute(key)));
    return point => inBox({x, y, width, height}, toLocal(element, point));
  };
  const describe = (element, svg) => {
    const style = getComputedStyle(element);
    const width = parseFloat(style.strokeWidth) || 0;
    const stroke = width > 0 ? painted(element, 'stroke', svg) : null;
    const fill = ['line'].includes(element.tagName) ? null : painted(element, 'fill', svg);
    // A marker is drawn once among the definitions, where its outline may be set.
    const drawn = element.tagName === 'use' && svg.querySelector(element.getAttribute('href') || 'none');
    const outline = stroke || (drawn && drawn.style && painted(drawn, 'stroke', svg)) || null;
    return {element, fill, stroke: outline, width, clip: clip(element, svg), box: element.getBBox()};
  };
  const covers = (shape, root) => {
    if (shape.clip && !shape.clip(root)) return null;
    const point = toLocal(shape.element, root);
    const grown = shape.width / 2;
    const box = {x: shape.box.x - grown, y: shape.box.y - grown,
      width: shape.box.width + 2 * grown, height: shape.box.height + 2 * grown};
    if (!inBox(box, point)) return null;
    if (shape.element.tagName === 'use') return shape.fill;
    if (shape.stroke && shape.width >= THICK && shape.element.isPointInStroke(point)) return shape.stroke;
    return shape.fill && shape.element.isPointInFill(point) ? shape.fill : null;
  };
  const points = text => {
    const box = text.getBBox();
    return [0.1, 0.3, 0.5, 0.7, 0.9].flatMap(across => [0.3, 0.5, 0.7].map(
      down => toRoot(text, box.x + across * box.width, box.y + down * box.height)));
  };
  const flat = text => {
    const box = text.getBoundingClientRect();
    return [box.left, box.top, box.right, box.bottom];
  };
  const below = (one, other) => one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING;
  return [...document.querySelectorAll(selector)].map(svg => {
    const around = paperBehind(svg);
    const shown = element => !element.closest('defs, clipPath, marker, pattern');
    const shapes = [...svg.querySelectorAll(SHAPES)].filter(shown).map(each => describe(each, svg))
      .filter(each => (each.box.width + each.box.height > 0) && (each.fill || each.stroke));
    // What covers the whole picture is its paper.
    const frame = svg.getBoundingClientRect();
    const corners = [[1, 1], [frame.width - 1, 1], [1, frame.height - 1], [frame.width - 1, frame.height - 1]];
    const ground = shapes.filter(shape => corners.every(([x, y]) => covers(shape, new DOMPoint(x, y))));
    const paper = ground.reduce((colour, shape) => mixed(shape.fill, colour), around);
    const words = [...svg.querySelectorAll('text')].filter(each => shown(each) && each.textContent.trim());
    const texts = words.map(text => {
      const under = shapes.filter(shape => below(shape.element, text));
      const sampled = points(text);
      const scale = text.getScreenCTM();
      return {
        words: text.textContent.trim(),
        colour: mixed(painted(text, 'fill', svg) || [255, 255, 255, 0], paper),
        behind: sampled.map(point => under.reduce((colour, shape) => {
          const over = covers(shape, point);
          return over ? mixed(over, colour) : colour;
        }, around)),
        box: flat(text),
        size: parseFloat(getComputedStyle(text).fontSize) * Math.hypot(scale.c, scale.d),
        upright: Math.abs(scale.b) < 0.01 * Math.abs(scale.a),
        sampled,
      };
    });
    return {
      chart: svg.getAttribute('aria-labelledby') || svg.id,
      frame: [frame.left, frame.top, frame.right, frame.bottom],
      texts: texts.map(({sampled, ...text}) => text),
      shapes: shapes.map(shape => ({
        id: shape.element.closest('[id]').id,
        fill: shape.fill && mixed(shape.fill, paper),
        stroke: shape.stroke && shape.width >= 0.5 ? mixed(shape.stroke, paper) : null,
        paper,
        labelled: texts.some(text => text.sampled.every(point => covers(shape, point))),
      })).filter(shape => shape.fill || shape.stroke),
    };
  });
}
"""
