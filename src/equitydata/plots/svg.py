"""A drawn figure -> SVG that may stand in a page: real text, ids of its own, title and description to be read out."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from equitydata.plots.style import LAYOUT_FONT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
FONTS = "Arial, Helvetica, 'Liberation Sans', sans-serif"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
# Text that is not turned says so at length; a hundredth of a point is as fine as any screen shows.
_NOT_TURNED = re.compile(r"rotate\(-?0 [^)]*\)")
_LONG_NUMBER = re.compile(r"-?[0-9]+\.[0-9]{3,}")
_FONT = re.compile(rf"font-family: '{LAYOUT_FONT}'[^;]*;?|(?<=px) *'{LAYOUT_FONT}'[^;]*")


def svg_of(figure: Figure, *, name: str, title: str, description: str) -> str:
    """A figure as an SVG element without a prolog. The same figure and words give the same text.

    name : of the chart, a to z, 0 to 9 and -; begins every id. title, description : read out instead of the picture.
    """
    written = io.StringIO()
    figure.savefig(
        written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
    )
    root = ElementTree.fromstring(written.getvalue())  # noqa: S314 - drawn a line above
    # Its own style sheet would reach into the page; the same stands on the root.
    for parent in [*root.iter()]:
        for child in [each for each in parent if each.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style")]:
            parent.remove(child)
    led_to = _references(root)
    for element in root.iter():
        _rename(element, name, led_to)
        _shorten(element)
    _unwrap(root)
    width, height = (root.attrib.pop(side) for side in ("width", "height"))
    for key, value in {
        "viewBox": f"0 0 {_points(width)} {_points(height)}",
        "role": "img",
        "class": "chart",
        "style": f"font-family: {FONTS}; stroke-linejoin: round; stroke-linecap: butt",
        "aria-labelledby": f"{name}-title {name}-description",
    }.items():
        root.set(key, value)
    for place, (tag, words) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(f"{{{SVG}}}{tag}")
        element.set("id", f"{name}-{'title' if tag == 'title' else 'description'}")
        element.text = words
        root.insert(place, element)
    ElementTree.register_namespace("", SVG)
    return ElementTree.tostring(root, encoding="unicode")


def _references(root: ElementTree.Element) -> set[str]:
    """Ids that something in the picture leads to."""
    found = set()
    for element in root.iter():
        for key, value in element.attrib.items():
            if key == f"{{{XLINK}}}href":
                found.add(value.removeprefix("#"))
            found.update(_REFERENCE.findall(value))
    return found


def _rename(element: ElementTree.Element, name: str, led_to: set[str]) -> None:
    """Ids that are led to begin with the chart's name, others go; the font is that of the root."""
    for key, value in list(element.attrib.items()):
        if key == "id":
            del element.attrib[key]
            if value in led_to:
                element.set(key, f"{name}-{value}")
        elif key == f"{{{XLINK}}}href":
            del element.attrib[key]
            element.set("href", f"#{name}-{value.removeprefix('#')}")
        elif "url(#" in value:
            element.set(key, _REFERENCE.sub(rf"url(#{name}-\1)", value))
    style = element.get("style", "")
    if element.tag == f"{{{SVG}}}text" and style:
        element.set("style", " ".join(_FONT.sub("", style).split()))


def _unwrap(parent: ElementTree.Element) -> None:
    """Groups that say nothing are replaced by what they hold, and empty white space goes."""
    children = []
    for child in parent:
        _unwrap(child)
        if child.tag == f"{{{SVG}}}g" and not child.attrib:
            children += list(child)
        else:
            children.append(child)
    for child in list(parent):
        parent.remove(child)
    for child in children:
        child.tail = None
        parent.append(child)
    if children:
        parent.text = None


def _shorten(element: ElementTree.Element) -> None:
    """No number is longer than it need be, and no text turned by nothing: a third of the picture's bytes."""
    for key in ("d", "x", "y", "points", "transform"):
        kept = _NOT_TURNED.sub("", element.attrib.pop(key, "")).strip()
        if kept:
            exact = kept.startswith(("scale", "matrix"))
            element.set(
                key, kept if exact else _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.2f}", kept)
            )


def _points(length: str) -> str:
    return length.removesuffix("pt")
