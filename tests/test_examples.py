"""Whatever the pages show is run: Python, commands, service files, and the output beside them."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "tools"
sys.path.insert(0, str(TOOLS))

pytestmark = pytest.mark.skipif(
    not (TOOLS / "doc_examples.py").is_file(), reason="NOT TESTED: the tools are not in this copy"
)
PAGES = [
    path
    for pattern in ("README.md", "docs/*.md", "notebooks/README.md")
    for path in sorted(ROOT.glob(pattern))
]
REPORT_ROW = re.compile(r"^\| `([\w./]+)` \|", re.MULTILINE)


@pytest.fixture(scope="module", autouse=True)
def each_question_is_analysed_once() -> Iterator[None]:
    from doc_examples import shared_runs

    with shared_runs():
        yield


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_examples_run_and_print_what_the_page_shows(path, tmp_path):
    from doc_examples import prepare, run_page

    page = path.read_text(encoding="utf-8")
    prepare(tmp_path, page)
    shown = run_page(page, tmp_path, inside="notebooks" if path.parent.name == "notebooks" else ".")
    for block, printed in shown.items():
        assert block.text == printed, f"line {block.line}: run python tools/write_docs.py"
    if path.name == "README.md" and path.parent == ROOT:
        listed = REPORT_ROW.findall(page)
        assert len(listed) == 9
        assert all((tmp_path / "equitydata-report" / name).exists() for name in listed)


def test_a_failing_example_is_noticed(tmp_path):
    from doc_examples import ExampleError, prepare, run_page

    wrong = {
        "```python\n1 / 0\n```\n": "ZeroDivisionError",
        "```sh\nequitydata criteria nosuch\n```\n": "ends with 2",
        "```sh\nrm -r everything\n```\n": "neither run nor known",
        '```toml\n[service]\nnmae = "A"\n```\n': "Unknown key",
        "```\nno kind\n```\n": "no kind of block",
    }
    prepare(tmp_path, "")
    for page, words in wrong.items():
        with pytest.raises(ExampleError, match=words):
            run_page(page, tmp_path)


def test_output_that_is_out_of_date_is_written_anew(tmp_path):
    from doc_examples import prepare, run_page, with_outputs

    page = "```python\nprint(1 + 1)\n```\n\n```text output\n3\n```\n"
    prepare(tmp_path, page)
    assert with_outputs(page, run_page(page, tmp_path)) == page.replace("3", "2")


def test_paths_are_shown_as_seen_from_the_folder(tmp_path):
    from doc_examples import prepare, run_page

    page = '```python\nfrom pathlib import Path\nprint(Path("a.csv").resolve())\n```\n\n```text output\na.csv\n```\n'
    prepare(tmp_path, page)
    assert list(run_page(page, tmp_path).values()) == ["a.csv\n"]


def test_the_same_question_is_analysed_once_and_another_anew(tmp_path):
    import equitydata as eq
    from doc_examples import shared_runs

    (tmp_path / "a.csv").write_text("person,sex\nP1,1\nP2,2\n", encoding="utf-8")
    content = {
        "extract": {"path": "a.csv", "person": "person"},
        "characteristics": {"sex": {"column": "sex"}},
    }
    service = eq.make_service(content, folder=tmp_path)
    with shared_runs():
        first, second = eq.analyse(service), eq.analyse(service)
        (tmp_path / "a.csv").write_text("person,sex\nP1,1\nP2,2\nP3,2\n", encoding="utf-8")
        third = eq.analyse(service)
    assert first is second
    assert (first.about.people, third.about.people) == (2, 3)
