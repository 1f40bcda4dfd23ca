"""What is given to make, `make course DATASET=...`, arrives as it was typed, whatever is in it, and runs nothing."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TEXTS = {
    "plain": "voc_mini",
    "backticks": "my`touch ran`data",
    "a command": "$(touch ran)",
    "make's command": "$(shell touch ran)",
    "make's error": "$(error stop)",
    "a variable": "a $HOME ${HOME} $x $$ $@ b",
    "a variable of make's": "$(CURDIR)$(MAKE)",
    "quotes": """a "b" 'c' \\" \\' \\""",
    "the end of a command": '"; touch ran; echo "',
    "and, or": "a && touch ran || touch ran & touch ran | touch ran > ran",
    "stars": "* ? [a-z] {a,b} ~",
    "spaces": "  two  words\t",
    "a new line": "a\ntouch ran\n\ttouch ran",
    "a comment": "a # b",
    "an option": "--help",
    "commas and equals": "a,b=c:d),e(",
    "letters": "Straßen 山 é",
}
ALL = " ".join(TEXTS.values())
# variable: the target that takes it, and the words that the target's last command is given
TAKES = {
    "CHAPTER": ("course", ["tools/book.py", "--execute", "--chapter={}"]),
    "FORMAT": ("book", ["tools/book.py", "--format={}"]),
    "DATASET": ("course", ["tools/book.py", "--execute", "--dataset={}"]),
    "CROP": ("course", ["tools/book.py", "--execute", "--crop={}"]),
    "SCALE": ("course", ["tools/book.py", "--execute", "--scale={}"]),
    "EPOCHS": ("course", ["tools/book.py", "--execute", "--epochs={}"]),
    "CAMVID": ("results", ["-m", "results.optimisation.run", "{}"]),
    "SUBMITTED": ("grade", ["tools/grading.py", "grade", "--submitted={}"]),
    "ROSTER": ("grade", ["tools/grading.py", "grade", "--submitted=in", "--roster={}"]),
    "ARCHIVE": ("data", ["-m", "utils.data.sources", "camvid", "--archive={}"]),
    "TORCH_INDEX": ("bench", ["-m", "benchmarks.run"]),
    "WHEELHOUSE": ("setup", ["install/bootstrap.py"]),
    "DEVICE": ("setup", ["install/bootstrap.py"]),
    "WITH": ("setup", ["install/bootstrap.py"]),
    "PYTHON": ("setup", ["install/bootstrap.py"]),
}
AS_LISTED = {"PLATFORM"}  # words, tried below
PYTHON = f"""#!{sys.executable} -SE
import json, os, sys
with open("called.txt", "a") as file:
    print(json.dumps([sys.argv[1:], {{name: os.environ.get(name) for name in {sorted(TAKES)}}}]), file=file)
"""


@pytest.fixture
def made(tmp_path):
    """A function that runs make on a copy whose Python notes what it is called with: its words and its variables."""
    folder = tmp_path / "a $(touch ran) `touch ran` $x course"
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / "install").mkdir()
    (folder / "bin").mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copy(ROOT / "install/any_python.sh", folder / "install")
    for name in ".venv/bin/python", "bin/python3":
        (folder / name).write_text(PYTHON)
        (folder / name).chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if key not in {*TAKES, "MAKEFLAGS", "MAKELEVEL"}}
    environment["PATH"] = f"{folder}/bin:{environment['PATH']}"

    def run(*words, **variables):
        (folder / "called.txt").unlink(missing_ok=True)
        done = subprocess.run(
            ["make", *words], cwd=folder, env=environment | variables, capture_output=True, text=True, timeout=60
        )
        assert not list(tmp_path.rglob("ran")), (words, variables)
        assert done.returncode == 0, done.stderr
        called = [json.loads(line) for line in (folder / "called.txt").read_text().splitlines()]
        return [call for call in called if call[0][:1] != ["-c"]]  # which asks for the version

    return run


def test_each_variable_of_the_makefile_is_tried():
    listed = re.findall(r"(?m)^([A-Z_]+) *\??=# ", MAKEFILE)
    assert {*listed, "PYTHON"} - {"ARGS"} == TAKES.keys() | AS_LISTED
    names = re.search(r"(?m)^NAMES = (.*)$", MAKEFILE)[1].split()
    assert set(names) == TAKES.keys() | AS_LISTED
    used = set(re.findall(r"\$\((" + "|".join(names) + r")\)", MAKEFILE))
    assert not used, f"make would expand {used} into the shell's text"


@pytest.mark.parametrize("name", TAKES)
def test_what_is_given_arrives_as_it_is(made, name):
    target, words = TAKES[name]
    more = {"ARCHIVE": ["DATASET=camvid"], "ROSTER": ["SUBMITTED=in"]}.get(name, [])
    for text in [*TEXTS.values(), ALL] if name == "DATASET" else [TEXTS["make's command"], ALL]:
        given, seen = made(target, f"{name}={text}", *more)[-1]
        arrived = text.lstrip()  # make takes what is before a value away
        assert given == [word.format(arrived) if "{}" in word else word for word in words], text
        assert seen[name] == arrived, text


@pytest.mark.parametrize("name", ["DEVICE", "WHEELHOUSE", "TORCH_INDEX", "PYTHON"])
def test_what_the_environment_gives_arrives_as_it_is(made, name):
    for text in TEXTS["make's command"], ALL:
        assert made(TAKES[name][0], **{name: text})[-1][1][name] == text


def test_a_data_set_to_fetch_too(made):
    for text in TEXTS["make's command"], ALL:
        assert made("data", f"DATASET={text}")[-1][0] == ["-m", "utils.data.sources", text.lstrip()]


def test_what_is_not_given_is_not_said(made):
    assert made("course")[-1][0] == ["tools/book.py", "--execute"]
    assert made("results")[-1][0] == ["-m", "results.optimisation.run"]
    assert made("exercises")[-1][0] == ["tools/notebooks.py", "exercises"]
    assert made("wheelhouse")[-1][0] == ["install/wheelhouse.py"]
    assert made("wheelhouse")[0][1]["WHEELHOUSE"] == "none"  # its own set-up comes from the network
    assert not any(made("setup")[-1][1].values())


def test_platforms_are_words_and_nothing_more(made):
    for text in TEXTS["make's command"], TEXTS["stars"], ALL:
        assert made("wheelhouse", f"PLATFORM={text}")[-1][0] == ["install/wheelhouse.py", *text.split()]


@pytest.mark.parametrize(("target", "told"), [("grade", "SUBMITTED=FOLDER"), ("data", "DATASET=voc2012 or camvid")])
def test_what_must_be_given_is_asked_for(tmp_path, target, told):
    done = subprocess.run(["make", "-f", str(ROOT / "Makefile"), target], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and f"Which? make {target} {told}" in done.stderr


def test_no_python_is_one_message(tmp_path):
    words = ["/bin/sh", str(ROOT / "install/any_python.sh"), "-c", "print(1)"]
    done = subprocess.run(words, cwd=tmp_path, env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "") and "No Python was found. Install Python 3.11" in done.stderr
    done = subprocess.run(words, env={"PATH": "", "PYTHON": sys.executable}, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
