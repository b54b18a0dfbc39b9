"""The pages say what the code, the rules and the catalogues say, and lead where they say."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "tools"
sys.path.insert(0, str(TOOLS))

pytestmark = pytest.mark.skipif(
    not (TOOLS / "write_docs.py").is_file(), reason="NOT TESTED: the tools are not in this copy"
)
PATTERNS = (
    "*.md",
    "CITATION.cff",
    "docs/**/*.md",
    "notebooks/*.md",
    "reference/**/README.md",
    "sample_data/README.md",
)
PAGES = sorted(path for pattern in PATTERNS for path in ROOT.glob(pattern))
EVERY_PAGE = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
GENERATED = sorted(path for path in PAGES if "<!-- generated:" in path.read_text(encoding="utf-8"))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```[ ]*$", re.MULTILINE | re.DOTALL)
# A name such as "example" + ".org" in any of the domains that registries, mirrors and forges use.
HOST = re.compile(r"\b(?:[a-z0-9-]+\.)+(?:org|com|net|io|dev|cloud|app|co)\b", re.IGNORECASE)


def anchors(page: str) -> set[str]:
    """Anchors that a page's headings make: lower case, punctuation dropped, blanks as hyphens."""
    heads = re.findall(r"^#+ (.+)$", FENCE.sub("", page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.strip().casefold()).replace(" ", "-") for head in heads}


# ---------------------------------------------------------------- generated parts


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_generated_parts_are_what_the_tool_writes_now(path):
    from write_docs import filled

    page = path.read_text(encoding="utf-8")
    assert filled(page) == page, "run python tools/write_docs.py"


def test_every_generated_part_is_on_a_page_and_only_once():
    from write_docs import REGIONS

    text = "".join(path.read_text(encoding="utf-8") for path in GENERATED)
    found = re.findall(r"<!-- generated: ([\w-]+) -->", text)
    assert sorted(found) == sorted(REGIONS)


def test_a_change_of_the_rules_shows_as_an_outdated_page(monkeypatch):
    import write_docs

    page = "<!-- generated: choices -->\n\nold\n\n<!-- end -->\n"
    assert "`count_declined`" in write_docs.filled(page)
    monkeypatch.setattr(write_docs, "REGIONS", {"choices": lambda: "new\n"})
    assert write_docs.filled(page) == "<!-- generated: choices -->\n\nnew\n\n<!-- end -->\n"


def test_every_key_of_the_service_file_has_its_row_and_its_words():
    from equitydata.service import service_schema
    from write_docs import SERVICE_TABLES, service_keys

    models = service_schema()["$defs"]
    assert set(models) == set(SERVICE_TABLES)
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+) \|$", service_keys(), re.MULTILINE)
    assert [row[0] for row in rows] == [key for name in SERVICE_TABLES for key in models[name]["properties"]]
    assert all(len(words) > 5 for _, _, _, words in rows)


def test_the_full_example_shows_every_part_of_the_service_file():
    from equitydata.service import Service

    page = (ROOT / "docs" / "service-file.md").read_text(encoding="utf-8")
    example = tomllib.loads(re.search(r"```toml\n(.*?)```", page, re.DOTALL)[1])
    assert set(example) == set(Service.model_fields) - {"folder", "file"}


def test_cells_cannot_break_a_table():
    from write_docs import table

    assert table(("a",), [("x | y\nz",)]) == "| a |\n| --- |\n| x \\| y z |\n"


# ---------------------------------------------------------------- links and names


@EVERY_PAGE
def test_relative_links_lead_to_a_file_and_a_heading(path):
    page = FENCE.sub("", path.read_text(encoding="utf-8"))
    for link in LINK.findall(page):
        name, _, anchor = link.partition("#")
        target = path if not name else (path.parent / name).resolve()
        assert target.exists(), f"{path.name}: {link}"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{path.name}: {link}"


def test_every_page_of_the_docs_can_be_reached_from_the_readme():
    def linked(path: Path) -> set[Path]:
        names = [link.partition("#")[0] for link in LINK.findall(path.read_text(encoding="utf-8"))]
        return {(path.parent / name).resolve() for name in names if name.endswith(".md")}

    reached, ahead = set(), {ROOT / "README.md"}
    while ahead:
        page = ahead.pop()
        reached.add(page)
        ahead |= linked(page) - reached
    assert set(ROOT.glob("docs/**/*.md")) <= reached


@EVERY_PAGE
def test_no_page_names_a_host(path):
    page = path.read_text(encoding="utf-8")
    assert "://" not in re.sub(r"\b(duckdb|sqlite):///", "", page)
    assert not HOST.findall(page)


def test_a_host_would_be_noticed():
    for name in ("index.example.org", "files.example.io"):
        assert HOST.findall(f"install from {name} today")
    assert not HOST.findall("open index.html, service.toml, 0.95, rating.json and eq.release(result)")


def test_version_is_the_same_everywhere():
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_citation_names_no_person():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert '- name: "The equitydata contributors"' in citation
    assert not re.search(r"family-names|given-names|orcid|email", citation)


def test_what_is_not_there_yet_is_said_once_and_not_promised_elsewhere():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = readme.split("## What it does not do yet")[1].split("\n## ")[0]
    assert "engines" in missing
    for words in ("workbook", "charts", "notebooks"):
        assert words not in missing


def test_every_command_of_the_program_is_in_the_changelog():
    from typer.main import get_command

    from equitydata.cli import app

    group = get_command(app)
    names = []
    for name, command in group.commands.items():
        inner = getattr(command, "commands", {})
        names += [f"{name} {each}" for each in inner] if inner else [name]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert [name for name in names if f"`{name}`" not in changes] == []
