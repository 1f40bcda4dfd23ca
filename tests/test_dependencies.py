"""What pyproject.toml declares is used, and what is used is declared, in the part of it where it belongs."""

import ast
import json
import re
import sys

import pytest
from conftest import ROOT

FOLDERS = "install", "utils", "tools", "results", "benchmarks", "data", "tests"
# import name -> package, where the two differ by more than case and dashes
PACKAGES = {
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}
# What is run or read and not imported: the file that does so, and the name by which it does
RUN = {
    "axe-core-python": ("tests/browser.py", "axe_core_python"),
    "check-jsonschema": ("tests/test_front.py", "check_jsonschema"),
    "import-linter": ("tests/test_layers.py", "lint-imports"),
    "jupyter-book": ("tools/book.py", "jupyter_book.cli.main"),
    "jupyterlab": ("Makefile", "-m jupyterlab"),
    "ruff": ("tools/run_tests.py", '"ruff"'),
    "setuptools": ("pyproject.toml", "setuptools.build_meta"),
    "sphinx-mathjax-offline": ("tools/book.py", "sphinx-mathjax-offline"),
}
# What is installed apart from the course, and the file that says how
ELSEWHERE = {
    "datumaro": ("tests/exports/make_exports.py", "pip install datumaro=="),
    "horovod": ("locks/horovod.txt", "horovod=="),
    "pip": ("install/bootstrap.py", '"venv"'),
    "pydensecrf": ("tests/crf_oracle.py", "pydensecrf2 1.1"),
    "torch": ("benchmarks/torch.txt", "torch=="),
}
OWN = {path.stem for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}  # scripts reach each other by path
OWN |= {*FOLDERS, "exports"}  # tests/exports


def declared():
    """{"dependencies" or the name of an extra: its packages}. Not by tomllib, which Python 3.10 lacks."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("\n[tool.")[0].split("\n[project]")[1]
    text = re.sub(r"#.*", "", text)
    lists = dict(re.findall(r"^([a-z]+) = \[(.*?)\]", text, re.M | re.S))
    return {key: set(re.findall(r'"([\w.-]+)', packages)) for key, packages in lists.items()}


PARTS = declared()
BASE = PARTS["dependencies"] | PARTS["cpu"]  # the extra gpu has the same MXNet; tests/test_gpu.py has its libraries
COURSE = BASE | PARTS["course"]
ALL = COURSE | PARTS["test"]


def imports(source, functions=True):
    """Packages that a source imports, by the names that pyproject.toml has for them."""
    found, nodes = set(), [ast.parse(source)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.split(".")[0])
        if functions or not isinstance(node, (ast.FunctionDef, ast.Lambda)):
            nodes += ast.iter_child_nodes(node)
    found -= sys.stdlib_module_names | OWN
    return {PACKAGES.get(name, name.lower().replace("_", "-")) for name in found}


def sources(folder):
    """Path relative to the course and source of each module or, in chapters, notebook (its code cells)."""
    for path in sorted((ROOT / folder).rglob("*.ipynb" if folder == "chapters" else "*.py")):
        text, name = path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix()
        if path.suffix == ".ipynb" and ".ipynb_checkpoints" not in path.parts:
            cells = json.loads(text)["cells"]
            yield name, "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        elif path.suffix == ".py":
            yield name, text


@pytest.mark.parametrize("folder", [*FOLDERS, "chapters"])
def test_what_is_imported_is_declared(folder):
    allowed = {"tests": ALL, "benchmarks": ALL}.get(folder, COURSE)
    for name, source in sources(folder):
        missing = imports(source) - allowed - set(ELSEWHERE)
        assert not missing, f"{name} imports {sorted(missing)}, which pyproject.toml has not declared for {folder}/"


def test_import_utils_needs_the_base_alone():
    """Without the extra `course` there is no IPython and no ONNX: only functions may import those."""
    for name, source in sources("utils"):
        missing = imports(source, functions=False) - BASE
        assert not missing, f"{name} imports {sorted(missing)} as it is loaded: declare it, or import in the function"


IMPORTED = {name for folder in [*FOLDERS, "chapters"] for _, source in sources(folder) for name in imports(source)}


@pytest.mark.parametrize("package", sorted(ALL))
def test_what_is_declared_is_used(package):
    if package in RUN:
        path, word = RUN[package]
        assert word in (ROOT / path).read_text(encoding="utf-8"), f"{path} does not run {package} any more"
    else:
        assert package in IMPORTED, f"pyproject.toml declares {package}, which nothing imports, and RUN has no runner"


@pytest.mark.parametrize("package", sorted(ELSEWHERE))
def test_what_comes_from_elsewhere_does(package):
    path, word = ELSEWHERE[package]
    assert package in IMPORTED and word in (ROOT / path).read_text(encoding="utf-8")


def test_tables_hold_nothing_else():
    assert set(RUN) <= ALL and not set(RUN) & IMPORTED
    assert set(PACKAGES.values()) <= IMPORTED
    hidden = OWN & ({name.replace("-", "_") for name in ALL} | set(PACKAGES) | set(ELSEWHERE))
    assert not hidden, f"modules of the course have names of packages: {sorted(hidden)}"
