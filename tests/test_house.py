"""The house reads downward: no module needs, when it is imported, one that needs it."""

import ast
from pathlib import Path

import equitydata

SRC = Path(equitydata.__file__).parent


def modules():
    found = {}
    for path in SRC.rglob("*.py"):
        parts = path.relative_to(SRC.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path, known):
    """Modules of the package that a module imports when it is itself imported; not inside functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("equitydata"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)


def needs():
    """Module -> modules that must be there first: what it imports, and the packages around that."""
    known = modules()
    found = {}
    for name, path in known.items():
        wanted = set()
        for target in imported(path, known):
            parts = target.split(".")
            around = {".".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
            wanted |= {each for each in around if not f"{name}.".startswith(f"{each}.")}
        found[name] = wanted
    return found


def test_no_module_is_needed_by_what_it_needs():
    graph, done, way = needs(), set(), []

    def visit(name):
        if name in way:
            raise AssertionError(" -> ".join([*way[way.index(name) :], name]))
        if name not in done:
            way.append(name)
            for each in sorted(graph[name]):
                visit(each)
            way.pop()
            done.add(name)

    for name in sorted(graph):
        visit(name)
    assert len(done) > 150


def test_only_the_records_room_knows_the_engine():
    for name, path in modules().items():
        if not name.startswith("equitydata.records"):
            text = path.read_text(encoding="utf-8")
            assert "import ibis" not in text and "import duckdb" not in text, name
