"""The container's files name what is there and what the set-up needs. Docker itself is not run."""

import json
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "install"))
import system  # noqa: E402


def steps():
    """The Dockerfile's instructions, continuation lines joined: (word, rest)."""
    text = "\n".join(line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#"))
    joined = re.sub(r"\\\n", " ", text)
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def rest_of(word):
    return [rest for name, rest in steps() if name == word]


def ignored():
    return {line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")}


def test_what_is_copied_is_there_and_not_ignored():
    for copy in rest_of("COPY"):
        *sources, _ = [word for word in copy.split() if not word.startswith("--")]
        for source in sources:
            assert (ROOT / source).exists(), copy
            assert source not in ignored(), copy


def test_the_set_up_has_all_it_reads_before_the_rest_is_copied():
    names = [word for word, _ in steps()]
    first_run = max(i for i, word in enumerate(names) if word == "RUN")
    assert "make setup" in steps()[first_run][1]
    copied = " ".join(rest for word, rest in steps()[:first_run] if word == "COPY")
    readme = re.search(r'^readme = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M).group(1)
    for needed in ("Makefile", "pyproject.toml", "install", "locks", "utils", readme):
        assert needed in copied.split()


def test_debian_packages_are_those_that_make_check_looks_for():
    install = next(run for run in rest_of("RUN") if "apt-get install" in run)
    for library in ("libgomp.so.1", "libquadmath.so.0"):
        assert system.LIBRARIES[library][0] in install
    assert " make " in install


def test_the_course_does_not_run_as_root():
    names = [word for word, _ in steps()]
    assert rest_of("USER") == ["course"] and names.index("USER") < names.index("WORKDIR")
    assert all("--chown=course:course" in copy for copy in rest_of("COPY"))


def test_the_base_has_a_python_that_serves():
    base = re.fullmatch(r"python:(3\.\d+)-slim-\w+ AS machine", rest_of("FROM")[0])
    assert base and base.group(1) in ("3.10", "3.11")


def test_the_command_is_a_target_of_the_makefile():
    command = json.loads(rest_of("CMD")[0])
    seen = subprocess.run([*command, "--dry-run"], cwd=ROOT, capture_output=True, text=True)
    assert seen.returncode == 0 and "jupyterlab" in seen.stdout and "--ip=0.0.0.0" in seen.stdout


@pytest.mark.parametrize("name", [".venv", ".bootstrap", ".git", "build", "wheelhouse"])
def test_nothing_large_or_private_goes_into_the_image(name):
    assert name in ignored()


def test_data_that_git_leaves_out_stays_out_of_the_image():
    lines = {line for line in (ROOT / ".gitignore").read_text().splitlines() if line.startswith("data/")}
    assert lines and lines <= ignored()


def test_devcontainer_uses_the_dockerfile():
    folder = ROOT / ".devcontainer"
    settings = json.loads((folder / "devcontainer.json").read_text())
    build = settings["build"]
    assert (folder / build["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert (folder / build["context"]).resolve() == ROOT
    assert f"AS {build['target']}" in rest_of("FROM")[0]
    assert set(build["args"]) <= {argument.split("=")[0] for argument in rest_of("ARG")}
    assert settings["remoteUser"] == rest_of("USER")[0]
    assert [str(port) for port in settings["forwardPorts"]] == rest_of("EXPOSE")
    assert settings["postCreateCommand"] == "make setup"
    interpreter = settings["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
    assert interpreter == "${containerWorkspaceFolder}/.venv/bin/python"


def test_every_platform_is_on_the_page():
    page = (ROOT / "docs/platforms.md").read_text()
    for words in ("x86-64", "ARM", "NVIDIA", "Intel Mac", "WSL2", "Apple silicon", "Alpine", "JupyterHub", "Colab"):
        assert words in page
    for target in re.findall(r"(?:`|^    |!)make (?:-C \w+ )?(\w+)", page, re.M):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M), target
