"""Layers point one way: chapters → utils → libraries, and inside utils from room to room (docs/changing.md)."""

import utils

import ast
import graphlib
import importlib
import inspect
import json
import pathlib
import pkgutil
import re
import subprocess
import sys
import types

import pytest
from conftest import ROOT

NOTEBOOK_TOOLS = {"papermill", "nbclient", "nbconvert", "nbformat", "nbval", "nbgrader", "pytest", "tests", "tools"}
MODULES = sorted(module.name for module in pkgutil.walk_packages(utils.__path__, "utils."))
FILES = sorted((ROOT / "utils").rglob("*.py"))
SAVED = json.loads((ROOT / "tests/saved/door.json").read_text(encoding="utf-8"))  # of commit a679460, before the rooms


def _imports(path):
    """Modules that a file imports, those inside functions too; relative ones begin with dots."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_no_arrow_points_up():
    """The contract is in pyproject.toml; import-linter reads the imports."""
    linter = subprocess.run(
        [str(pathlib.Path(sys.executable).with_name("lint-imports")), "--no-logo"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert linter.returncode == 0, linter.stdout + linter.stderr


@pytest.mark.parametrize("folder", ["tools", "install", "results", "benchmarks"])
def test_no_circle_among_scripts(folder):
    names = {path.stem for path in (ROOT / folder).rglob("*.py")}
    arrows = {}
    for path in (ROOT / folder).rglob("*.py"):
        arrows.setdefault(path.stem, set()).update({module.split(".")[-1] for module in _imports(path)} & names)
    arrows = {name: others - {name, "__init__"} for name, others in arrows.items()}
    assert list(graphlib.TopologicalSorter(arrows).static_order())  # a CycleError names the circle


def test_utils_never_imports_what_drives_notebooks():
    for path in FILES:
        outer = {module.split(".")[0] for module in _imports(path)}
        assert not outer & NOTEBOOK_TOOLS, path.name


def test_files_that_texts_name_are_there():
    """In comments, docstrings and messages: items.py, cli/validate.py. (my_net.py is a reader's own, as is NAME.py.)"""
    here = ["my_net.py", "NAME.py", "PATH.py"] + [
        str(path.relative_to(ROOT))
        for folder in ("utils", "install", "tools", "results", "tests", "data")
        for path in (ROOT / folder).rglob("*.py")
    ]
    for path in FILES:
        for name in re.findall(r"(?<![\w*])[\w/]+\.py\b", path.read_text(encoding="utf-8")):
            assert any(f"/{known}".endswith(f"/{name}") for known in here), f"{path.name} names {name}"


@pytest.mark.parametrize("name", MODULES)
def test_every_module_can_be_imported_by_its_name_and_says_what_it_is(name):
    module = importlib.import_module(name)
    assert isinstance(module, types.ModuleType) and module.__doc__, name
    parent, _, last = name.rpartition(".")
    assert getattr(importlib.import_module(parent), last) is module, f"a name of {parent} hides {name}"


@pytest.mark.parametrize("name", SAVED)
def test_what_the_door_gave_before_is_there_with_its_signature(name):
    """Arguments may have come to it, behind the others or by keyword; none has gone or moved."""
    saved, now = SAVED[name], getattr(utils, name)
    if saved["kind"] not in ("class", "function"):
        assert type(now).__name__ == saved["kind"]
        return
    assert inspect.isclass(now) == (saved["kind"] == "class")
    if saved["kind"] == "class":
        assert all(hasattr(now, member) for member in saved["members"])
    after = list(inspect.signature(now.__init__ if inspect.isclass(now) else now).parameters.values())
    known, before = {p.name: p for p in after}, saved["parameters"]
    ordered = [name for name, kind, _ in before if kind == "POSITIONAL_OR_KEYWORD"]
    assert [p.name for p in after if p.kind is p.POSITIONAL_OR_KEYWORD][: len(ordered)] == ordered
    for name, _, default in before:
        assert name in known
        if default is not None:
            assert repr(known[name].default) == default
    optional = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    new = [p for p in after if p.name not in {name for name, *_ in before} and p.kind not in optional]
    assert all(p.default is not p.empty for p in new), f"{name}: {new} must have defaults"


def test_every_public_name_of_the_door_has_a_docstring():
    for name in SAVED.keys() | {name for name in dir(utils) if not name.startswith("_")}:
        found = getattr(utils, name)
        if inspect.isfunction(found) or inspect.isclass(found):
            assert inspect.getdoc(found), name
