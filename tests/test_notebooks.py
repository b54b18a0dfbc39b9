"""The notebooks tell their story top to bottom, with public names, and show today what they showed."""

import ast
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "notebooks"
TOOL = ROOT / "tools" / "run_notebooks.py"
sys.path.insert(0, str(TOOL.parent))

pytestmark = pytest.mark.skipif(
    not TOOL.is_file() or not FOLDER.is_dir(), reason="NOT TESTED: the notebooks are not in this copy"
)
PATHS = sorted(FOLDER.glob("*.ipynb"))
# What a notebook may import: the package's documented doors, pandas, and the standard library.
PUBLIC = {"equitydata", "equitydata.combining", "equitydata.reference", "equitydata.release", "pandas"}
MOST_BYTES, MOST_ROWS, MOST_CHARTS = 200_000, 12, 4
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")

each_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def cells(path, kind):
    return [cell for cell in read(path)["cells"] if cell["cell_type"] == kind]


def source(cell):
    return "".join(cell["source"])


def outputs(path):
    return [output for cell in cells(path, "code") for output in cell["outputs"]]


def shown(path, kind):
    return ["".join(each["data"][kind]) for each in outputs(path) if kind in each.get("data", {})]


class Rows(HTMLParser):
    """Rows of the body of each table, and how many charts stand between them."""

    def __init__(self):
        super().__init__()
        self.tables, self.charts, self.inside = [], 0, False

    def handle_starttag(self, tag, attrs):
        if tag == "tbody":
            self.tables.append(0)
            self.inside = True
        elif tag == "tr" and self.inside:
            self.tables[-1] += 1
        elif tag == "svg":
            self.charts += 1

    def handle_endtag(self, tag):
        if tag == "tbody":
            self.inside = False


@each_notebook
def test_a_notebook_runs_and_shows_what_it_showed(path):
    # In a process of its own: the kernel needs sockets, which tests do without.
    run = subprocess.run(
        [sys.executable, str(TOOL), "--check", path.name], capture_output=True, text=True, timeout=600
    )
    assert run.returncode == 0, run.stderr


def test_there_are_six_in_order_and_each_is_listed():
    assert [path.stem[:3] for path in PATHS] == ["01_", "02_", "03_", "04_", "05_", "06_"]
    listed = LINK.findall((FOLDER / "README.md").read_text(encoding="utf-8"))
    assert [name for name in listed if name.endswith(".ipynb")] == [path.name for path in PATHS]


@each_notebook
def test_it_was_run_once_from_top_to_bottom(path):
    code = cells(path, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    names = [cell["id"] for cell in read(path)["cells"]]
    assert len(set(names)) == len(names)


@each_notebook
def test_it_holds_no_error_and_nothing_of_the_machine_that_ran_it(path):
    assert {each["output_type"] for each in outputs(path)} <= {"stream", "execute_result", "display_data"}
    assert {each["name"] for each in outputs(path) if each["output_type"] == "stream"} <= {"stdout"}
    notebook = read(path)
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert notebook["metadata"]["language_info"] == {"name": "python"}
    assert not any(cell["metadata"] for cell in notebook["cells"])
    assert not any(each.get("metadata") for each in outputs(path))
    text = path.read_text(encoding="utf-8")
    assert not re.search(r" at 0x[0-9a-f]{6,}|/home/|/tmp/|/work/|[A-Z]:\\\\Users", text)


@each_notebook
def test_it_is_short(path):
    assert path.stat().st_size < MOST_BYTES
    found = Rows()
    for page in shown(path, "text/html"):
        found.feed(page)
    assert found.tables, "a notebook shows tables"
    assert max(found.tables) <= MOST_ROWS
    assert found.charts <= MOST_CHARTS
    assert all(len(words) < 2000 for words in shown(path, "text/plain"))


@each_notebook
def test_it_uses_public_names_only(path):
    for cell in cells(path, "code"):
        for node in ast.walk(ast.parse(source(cell))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
                assert not any(alias.name.startswith("_") for alias in node.names)
            elif isinstance(node, ast.Attribute):
                assert not node.attr.startswith("_"), node.attr
            assert all(name in PUBLIC or name.split(".")[0] in sys.stdlib_module_names for name in names), (
                names
            )


@each_notebook
def test_it_says_what_it_is_and_ends_with_what_to_do(path):
    words = [source(cell) for cell in cells(path, "markdown")]
    assert words[0].startswith(f"# {int(path.stem[:2])}. ")
    assert "synthetic" in words[0] and "true counts" in words[0]
    assert any("write_report" in each or "release(result)" in each for each in words)
    assert words[-1].startswith("## What I would do next")
    assert read(path)["cells"][-1]["cell_type"] == "markdown"


@each_notebook
def test_its_links_lead_somewhere(path):
    for cell in cells(path, "markdown"):
        for target in LINK.findall(source(cell)):
            assert (FOLDER / target).exists(), target


# ---------------------------------------------------------------- the tool


def notebook_of(*sources):
    import nbformat

    made = [
        nbformat.v4.new_code_cell(text, id=f"cell-{number}") for number, text in enumerate(sources, start=1)
    ]
    return nbformat.v4.new_notebook(cells=made)


def run_tool(folder, words):
    """What a few lines of Python with the tool print, in a process of its own."""
    code = f"import sys; sys.path.insert(0, {str(TOOL.parent)!r})\nimport run_notebooks as tool\n{words}"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, timeout=120
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_a_cell_that_fails_or_shows_something_else_is_named(tmp_path):
    import nbformat

    nbformat.write(notebook_of("1", "1 / 0"), tmp_path / "wrong.ipynb")
    nbformat.write(notebook_of("print(1)", "2"), tmp_path / "stale.ipynb")
    words = """
from pathlib import Path
print(tool.checked(Path("wrong.ipynb")))
print(tool.checked(Path("stale.ipynb")))
print(tool.rewritten(Path("stale.ipynb")))
first = Path("stale.ipynb").read_bytes()
print(tool.checked(Path("stale.ipynb")), tool.rewritten(Path("stale.ipynb")))
print(first == Path("stale.ipynb").read_bytes())
"""
    wrong, stale, written, again, same = run_tool(tmp_path, words).splitlines()
    assert "wrong.ipynb, cell 2: fails with ZeroDivisionError" in wrong
    assert "stale.ipynb, cell 1: shows stdout '1'" in stale and "stale.ipynb, cell 2" in stale
    assert written == "[]" and again == "[] []" and same == "True"


def test_a_difference_in_html_is_a_difference_and_a_count_is_none():
    import nbformat

    import run_notebooks as tool

    def with_output(html, count):
        notebook = notebook_of("x")
        data = {"text/plain": "x", "text/html": html}
        notebook.cells[0].outputs = [
            nbformat.v4.new_output("execute_result", data=data, execution_count=count)
        ]
        return notebook

    assert not list(tool.differences(with_output("<p>1</p>", 1), with_output("<p>1</p>", 7)))
    (line,) = tool.differences(with_output("<p>1</p>", 1), with_output("<p>2</p>", 1))
    assert line.startswith("cell 1: shows text/html '<p>2</p>'")
    far = [with_output(f"<p>{'x' * 900}{end}</p>", 1) for end in ("old", "new")]
    (line,) = tool.differences(*far)
    assert "new</p>" in line and "old</p>" in line and len(line) < 300


def test_no_notebook_is_meant_by_a_wrong_name():
    run = subprocess.run([sys.executable, str(TOOL), "--check", "99"], capture_output=True, text=True)
    assert run.returncode == 1 and "No notebook is meant by 99" in run.stderr
