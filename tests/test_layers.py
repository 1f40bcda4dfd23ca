"""Layers point one way: chapters → utils → libraries, and inside utils upwards only."""

import ast

import pytest
from conftest import ROOT

NOTEBOOK_TOOLS = {"papermill", "nbclient", "nbconvert", "nbformat", "nbval", "nbgrader", "pytest", "tests", "tools"}
MODULES = sorted(path.stem for path in (ROOT / "utils").glob("*.py") if path.stem != "__init__")


def _imports(path):
    """(level, module) of every import in a file, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module in (None, "tools"):  # from .tools import datasets
            yield from ((node.level, f"{node.module or ''}.{alias.name}".lstrip(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module
        elif isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)


DOOR = [module for level, module in _imports(ROOT / "utils" / "__init__.py") if level == 1]


def _inner(path):
    """Modules of `utils` that a file imports, by itself or through `utils.tools`, which stands beside all of them."""
    in_tools = path.parent.name == "tools"
    for level, module in _imports(path):
        if level == 1 and (in_tools or module.startswith("tools.")):
            yield from _inner(ROOT / "utils" / "tools" / f"{module.removeprefix('tools.')}.py")
        elif level == (2 if in_tools else 1):
            yield module


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_what_stands_above_it(name):
    above = DOOR[: DOOR.index(name)] if name in DOOR else []
    if name == "__main__":  # the command line stands on everything, and nothing on it
        above = DOOR
    inner = set(_inner(ROOT / "utils" / f"{name}.py"))
    assert inner - set(above) <= set(MODULES) - {*DOOR, "__main__"}, f"utils/{name}.py imports what stands below it"
    outer = {module.split(".")[0] for level, module in _imports(ROOT / "utils" / f"{name}.py") if level == 0}
    assert not outer & NOTEBOOK_TOOLS


def test_files_are_short_and_every_public_name_has_a_docstring():
    for path in (ROOT / "utils").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 250, path.name
        for node in ast.parse(text).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                assert ast.get_docstring(node) or path.parent.name == "tools", f"{path.name}: {node.name}"
