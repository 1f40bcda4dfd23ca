"""The front of the repository: the README and its pages, the version's one home, what GitHub and pre-commit run."""

import ast
import fnmatch
import importlib.metadata
import re
import shlex
import shutil
import subprocess
import sys
import textwrap

import pytest
import yaml
from conftest import ROOT
from test_teaching import anchors

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *PAGES, *(ROOT / folder / "README.md" for folder in ("data", "benchmarks"))]
EACH_DOCUMENT = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
EACH_WORKFLOW = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
TARGETS = set(re.findall(r"(?m)^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8")))
FENCE = re.compile(r"(?ms)^ *```python\n(.*?)^ *```")


# ---- The documents ----


def test_the_readme_is_short_and_begins_with_what_to_do():
    assert len(README.splitlines()) <= 150
    assert len(re.findall(r"<img |!\[", README)) == 1
    before = README.split("## The chapters")[0]
    assert before.index("`make course`") < before.index("`make test`")


def test_every_page_is_named_in_the_readme_and_in_the_books_contents():
    contents = (ROOT / "book" / "_toc.yml").read_text(encoding="utf-8")
    for path in PAGES:
        assert f"](docs/{path.name})" in README, path.name
        assert f"- file: docs/{path.stem}\n" in contents, path.name


@EACH_DOCUMENT
def test_links_lead_somewhere(path):
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]+))?\)", path.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        found = (path.parent / target).resolve() if target else path
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), f"{target}#{anchor}"


@EACH_DOCUMENT
def test_every_make_target_is_there(path):
    """In code, by itself or at the start of a line that stands apart."""
    named = re.findall(r"(?m)(?:`|^ {4,})make ([a-z-]+)", path.read_text(encoding="utf-8"))
    assert set(named) <= TARGETS, set(named) - TARGETS


@EACH_DOCUMENT
def test_python_in_documents_is_python(path):
    for code in FENCE.findall(path.read_text(encoding="utf-8")):
        ast.parse(textwrap.dedent(code))


def test_the_lines_for_a_notebook_of_ones_own_run(voc_folder):
    """As docs/own_pictures.md has them, but for the folder and the number of epochs."""
    page = (ROOT / "docs" / "own_pictures.md").read_text(encoding="utf-8")
    code = FENCE.findall(page.split("\n## In a notebook of your own\n")[1])[0]
    code = code.replace('"path/to/folder"', repr(str(voc_folder))).replace("num_epochs=30", "num_epochs=1")
    code = code.replace('"photo.jpg"', repr(str(voc_folder / "JPEGImages" / "x.jpg")))
    assert str(voc_folder) in code and "num_epochs=1)" in code
    with (voc_folder / "ImageSets/Segmentation/train.txt").open("a") as names:  # eight are the least
        for old, new in ("a", "g"), ("b", "h"):
            for part in "JPEGImages/{}.jpg", "SegmentationClass/{}.png":
                shutil.copy(voc_folder / part.format(old), voc_folder / part.format(new))
            names.write(f"{new}\n")
    found = {}
    exec(code, found)
    assert found["label"].shape == (40, 60) and len(found["train_set"]) == 8


# ---- The version ----


def project(key):
    return re.search(rf'(?m)^{key} = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8")).group(1)


def test_the_version_has_one_home():
    """pyproject.toml; what is installed, the citation and the changelog say the same."""
    version = project("version")
    assert importlib.metadata.version(project("name")) == version
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == version
    released = re.findall(r"(?m)^## \[(.+?)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert released[0][0] == version
    dates = [when for _, when in released if when != "unreleased"]
    assert dates == sorted(dates, reverse=True)
    for path in (ROOT / "utils").rglob("*.py"):
        assert not re.search("(?m)^__version__", path.read_text(encoding="utf-8")), path


# ---- What GitHub and pre-commit run ----


@pytest.mark.parametrize(
    "schema, paths",
    [("github-workflows", WORKFLOWS), ("citation-file-format", [ROOT / "CITATION.cff"])],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_files_for_github_follow_their_schema(schema, paths):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert paths and done.returncode == 0, done.stdout + done.stderr


def jobs(path):
    """The jobs of a workflow, and the workflow."""
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    return workflow["jobs"].values(), workflow


@EACH_WORKFLOW
def test_a_workflow_may_only_read_and_ends_by_itself(path):
    each, workflow = jobs(path)
    assert workflow["permissions"] == {"contents": "read"} and "group" in workflow["concurrency"]
    for job in each:
        assert job["runs-on"] == "ubuntu-latest" and 0 < job["timeout-minutes"] <= 360
        for step in job["steps"]:
            assert "uses" not in step or re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]), step
            if step.get("uses", "").startswith("actions/setup-python@"):
                assert step["with"]["python-version"] == "3.11"
                assert (ROOT / step["with"]["cache-dependency-path"]).is_file()


@EACH_WORKFLOW
def test_what_a_workflow_runs_and_keeps_is_there(path):
    """Targets, parts of `make test`, and folders that the Makefile or its tools write to."""
    words, kept = [], []
    for job in jobs(path)[0]:
        words += [shlex.split(step["run"]) for step in job["steps"] if step.get("run", "").startswith("make ")]
        kept += [step["with"]["path"].split() for step in job["steps"] if "path" in step.get("with", {})]
    assert words
    for _, target, *settings in words:
        assert target in TARGETS, target
        for setting in settings:
            name, value = setting.split("=", 1)
            assert (name, target) == ("ARGS", "test"), setting
            done = subprocess.run(
                [sys.executable, ROOT / "tools" / "run_tests.py", "no-such-part"], capture_output=True, text=True
            )
            parts = done.stderr.strip().partition(": there are ")[2].split(", ")
            assert set(value.split()) <= set(parts), f"{setting}: there are {parts}"
    told = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "Makefile", *PAGES))
    for place in sum(kept, []):
        assert place.removesuffix("/*.png") in told, place


def test_together_the_workflows_run_everything():
    runs = {path.stem: [step.get("run", "") for job in jobs(path)[0] for step in job["steps"]] for path in WORKFLOWS}
    assert runs.keys() == {"push", "nightly"}
    assert 'make test ARGS="lint format tests"' in runs["push"]
    assert {"make test-all", "make test-book", "make book"} <= set(runs["nightly"])


def test_pre_commit_runs_the_ruff_of_the_lock():
    """From .venv, whose version is the lock's; a hook of another repository must name that version."""
    locked = set(re.findall(r"(?m)^ruff==(\S+)", (ROOT / "locks" / "cpu.txt").read_text(encoding="utf-8")))
    assert len(locked) == 1
    found = []
    for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]:
        for hook in repo["hooks"]:
            if repo["repo"] == "local":
                assert hook["language"] == "system" and hook["entry"].startswith(".venv/bin/python -m ruff "), hook
                assert importlib.metadata.version("ruff") in locked
                found.append(hook["entry"].split()[3])
            else:
                assert repo["rev"].removeprefix("v") in locked, repo["repo"]
                found.append(hook["id"].removeprefix("ruff-"))
    assert {"check", "format"} <= set(found)


# ---- What docs/changing.md says of the code ----

CHANGING = (ROOT / "docs" / "changing.md").read_text(encoding="utf-8")


def rows_below(line):
    """The rows of the first table from a line on, as lists of cells, without its head."""
    table = re.search(r"(?ms)^\|[-|]+\|\n(.*?)\n(?:\n|\Z)", CHANGING[CHANGING.index(f"{line}\n") :]).group(1)
    return [row.strip("| ").split(" | ") for row in table.splitlines()]


def test_every_module_of_utils_stands_in_its_room():
    named = {}
    for room, what in rows_below("The rooms of `utils`, lowest first:"):
        files = re.findall(r"`(\w+\.py)`", room if ".py`" in room else what)
        named["" if ".py`" in room else room.strip("`/")] = set(files)
    there = {}
    for path in (ROOT / "utils").rglob("*.py"):
        room = path.relative_to(ROOT / "utils").parent.as_posix().removeprefix(".")
        if not path.name.startswith("__") and room != "engine/checkpoint":
            there.setdefault(room, set()).add(path.name)
    assert named == there


def test_what_the_page_says_is_somewhere_is_there():
    rows = rows_below("| where is … | there |")
    assert len(rows) >= 10
    for what, where in rows:
        file, *names = re.findall(r"`([^`]+)`", where)
        text = (ROOT / "utils" / file).read_text(encoding="utf-8")
        for name in names:
            assert re.search(rf"(?m)^(?:def|class) {name}\b", text), f"{what}: {name} is not in {file}"


def test_every_folder_of_the_repository_is_on_the_page():
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()]
    there = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "."}
    there = {name for name in there if not any(fnmatch.fnmatch(name, pattern) for pattern in ignored)}
    assert {row[0].strip("`/") for row in rows_below("## Where is what")} == there
