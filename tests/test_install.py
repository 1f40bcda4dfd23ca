"""The set-up: finding a Python, the stamp, messages, and that the environment files follow the lock.

Without a network. The set-up itself is not run here: `make test` has just made one.
"""

import ast
import io
import json
import os
import pathlib
import platform
import re
import stat
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "install"))
import bootstrap  # noqa: E402
import extras  # noqa: E402
import machine  # noqa: E402


def fake_python(path, version="3.11.7", implementation="CPython", arch="x86_64", missing=()):
    """A program that answers machine.PROBE as a Python of that kind would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    answer = "\n".join([version, str(path), implementation, arch, *missing])
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A folder with a lock and a .venv whose set-up is whole."""
    root = tmp_path / "a course"
    packages = root / ".venv/lib/python3.11/site-packages"
    for name in ("mxnet-1.9.1", "numpy-1.23.5", "pip-23.2"):
        (packages / f"{name}.dist-info").mkdir(parents=True)
    (root / ".venv/bin").mkdir()
    (root / ".venv/bin/python").write_text("#!/bin/sh\necho 3.11\n")
    (root / ".venv/bin/python").chmod(0o755)
    (root / "locks").mkdir()
    for device in "cpu", "gpu":
        (root / f"locks/{device}.txt").write_text("numpy==1.23.5\n")
    (root / "pyproject.toml").write_text("[project]\n")
    monkeypatch.setattr(machine, "ROOT", str(root))
    monkeypatch.setattr(machine, "VENV", str(root / ".venv"))
    monkeypatch.setattr(machine, "PYPROJECT", str(root / "pyproject.toml"))
    for name in "DEVICE", "WHEELHOUSE":
        monkeypatch.delenv(name, raising=False)
    machine.write_stamp("3.11", "cpu")
    return root


@pytest.fixture
def only_these(monkeypatch):
    """Make the finder see these folders alone."""

    def see(*folders):
        monkeypatch.setenv("PATH", os.pathsep.join([*map(str, folders), "/bin", "/usr/bin"]))
        monkeypatch.setattr(sys, "executable", "")
        found = machine.python_paths()
        own = [path for path in found if any(path.startswith(str(folder)) for folder in folders)]
        monkeypatch.setattr(machine, "python_paths", lambda: own)

    return see


# ---- Finding a Python ----


def test_finder_takes_the_first_that_serves(tmp_path, only_these):
    shim = fake_python(tmp_path / "shims/python3.11")
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.11: command not found' >&2\nexit 127\n")
    fake_python(tmp_path / "debian/python3.11", missing=["ensurepip"])
    fake_python(tmp_path / "new/python3", version="3.12.1")
    fake_python(tmp_path / "conda/python", version="3.10.13")
    only_these(*(tmp_path / name for name in ("shims", "debian", "new", "conda")))
    found, rejected = machine.find_python()
    assert (found.version, found.path) == ("3.10.13", str(tmp_path / "conda/python"))
    problems = "\n".join(candidate.problem for candidate in rejected)
    assert "does not run: pyenv: python3.11: command not found" in problems
    assert "Python 3.11.7 lacks ensurepip" in problems
    assert "found Python 3.12.1, expected 3.11 or 3.10" in problems


def test_finder_looks_behind_pyenv_shims(tmp_path, monkeypatch):
    (tmp_path / "shims").mkdir()
    path = fake_python(tmp_path / "versions/3.11.4/bin/python")
    monkeypatch.setenv("PATH", str(tmp_path / "shims"))
    assert machine.python_paths()[-1] == str(path)


@pytest.mark.parametrize(
    "kind, words",
    [
        ({"version": "3.12.1"}, "found Python 3.12.1, expected 3.11 or 3.10"),
        ({"implementation": "PyPy"}, "found PyPy, expected CPython"),
        ({"arch": "32-bit"}, "found a 32-bit Python"),
        ({"missing": ["ssl"]}, "lacks ssl"),
    ],
)
def test_wrong_override_is_one_error(tmp_path, monkeypatch, kind, words):
    path = fake_python(tmp_path / "python", **kind)
    monkeypatch.setenv("PYTHON", str(path))
    with pytest.raises(machine.SetupError) as error:
        bootstrap.choose_python()
    assert str(error.value).startswith(f"PYTHON={path}: ")
    assert words in str(error.value)


def test_override_that_is_not_there(monkeypatch):
    monkeypatch.setenv("PYTHON", "/nowhere/python")
    with pytest.raises(machine.SetupError, match="PYTHON=/nowhere/python: does not run"):
        bootstrap.choose_python()


def test_the_running_python_serves():
    assert machine.probe_python(sys.executable).problem == ""


def test_no_python_and_no_uv_is_one_message(tmp_path, monkeypatch, only_these):
    monkeypatch.delenv("PYTHON", raising=False)
    fake_python(tmp_path / "python3", version="3.12.1")
    only_these(tmp_path)

    def no_uv(rejected):
        raise machine.SetupError("uv could not get a Python: no network")

    monkeypatch.setattr(bootstrap, "bring_python", no_uv)
    with pytest.raises(machine.SetupError) as error:
        bootstrap.choose_python()
    for words in ("no network", "3.12.1", "apt install python3.11-venv", "conda create", "uv python"):
        assert words in str(error.value)


# ---- Platforms ----


@pytest.mark.parametrize(
    "system, arch, musl, words",
    [
        ("Windows", "AMD64", False, "wsl --install"),
        ("Darwin", "arm64", False, "Linux container"),
        ("Linux", "ppc64le", False, "none for ppc64le"),
        ("Linux", "x86_64", True, "musl"),
        ("FreeBSD", "amd64", False, "none for FreeBSD"),
    ],
)
def test_platforms_without_a_wheel(system, arch, musl, words):
    assert words in machine.platform_problem(system, arch, musl)


@pytest.mark.parametrize("system, arch", [("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "x86_64")])
def test_platforms_with_a_wheel(system, arch):
    assert machine.platform_problem(system, arch, False) == ""


def test_apple_silicon_stops_before_anything_is_installed(tmp_path, monkeypatch, course, capsys):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setenv("PYTHON", str(fake_python(tmp_path / "python", arch="arm64")))
    (course / "pyproject.toml").write_text("# changed\n")
    (course / ".venv/bin/python").unlink()
    assert bootstrap.main([]) == 1
    assert "no wheel for Apple silicon" in capsys.readouterr().out
    # An Intel Python under Rosetta serves.
    monkeypatch.setenv("PYTHON", str(fake_python(tmp_path / "python")))
    assert bootstrap.choose_python().version == "3.11.7"


# ---- The state of .venv ----


def test_whole_set_up_is_left_alone(course, capsys, monkeypatch):
    monkeypatch.delenv("PYTHON", raising=False)
    monkeypatch.setattr(bootstrap.gpu, "look", lambda: 1 / 0)  # not even the driver is asked
    assert machine.setup_state() == ("ok", "")
    assert bootstrap.main(["--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert bootstrap.main([]) == 0
    assert "Nothing to do" in capsys.readouterr().out


def test_pip_of_venv_may_change(course):
    (course / ".venv/lib/python3.11/site-packages/pip-23.2.dist-info").rmdir()
    assert machine.setup_state()[0] == "ok"


def expect(state, words):
    found, reason = machine.setup_state()
    assert (found, words in reason) == (state, True), (found, reason)


def test_changed_lock(course):
    (course / "locks/gpu.txt").write_text("numpy==1.24\n")  # the other one
    assert machine.setup_state() == ("ok", "")
    (course / "locks/cpu.txt").write_text("numpy==1.24\n")
    expect("complete", "locks/cpu.txt or pyproject.toml changed")


def test_removed_package(course):
    (course / ".venv/lib/python3.11/site-packages/numpy-1.23.5.dist-info").rmdir()
    expect("complete", "numpy-1.23.5")


def test_device_is_kept_until_another_is_named(course, monkeypatch):
    machine.write_stamp("3.11", "gpu")
    assert machine.setup_state() == ("ok", "")
    monkeypatch.setenv("DEVICE", "gpu")
    assert machine.setup_state() == ("ok", "")
    monkeypatch.setenv("DEVICE", "cpu")
    expect("build", ".venv has locks/gpu.txt, DEVICE=cpu")
    pathlib.Path(machine.stamp_path()).unlink()  # by hand: the CPU's mxnet
    expect("complete", "not made by")
    monkeypatch.setenv("DEVICE", "gpu")
    expect("refuse", ".venv has locks/cpu.txt, DEVICE=gpu")


def test_made_by_hand(course):
    pathlib.Path(machine.stamp_path()).unlink()
    expect("complete", "not made by")


def test_made_by_hand_with_another_python(course):
    pathlib.Path(machine.stamp_path()).unlink()
    (course / ".venv/bin/python").write_text("#!/bin/sh\necho 3.12\n")
    expect("refuse", "has Python 3.12, expected 3.11 or 3.10")


@pytest.mark.parametrize("text", ['{"root": "', "[1]", "null", '{"root": 3}'])
def test_half_a_stamp_is_no_stamp(course, text):
    pathlib.Path(machine.stamp_path()).write_text(text)
    expect("complete", "not made by")


def test_a_link_to_the_set_up_of_another_copy_is_not_built_anew_through(course, tmp_path, monkeypatch):
    other = tmp_path / "other"
    (course / ".venv").rename(other)
    (course / ".venv").symlink_to(other)
    expect("ok", "")  # its own, on another disk
    stamp = json.loads(pathlib.Path(machine.stamp_path()).read_text())
    pathlib.Path(machine.stamp_path()).write_text(json.dumps(stamp | {"root": "/another/copy"}))
    expect("refuse", ".venv is a link to that of /another/copy")


def test_interrupted(course):
    pathlib.Path(machine.started_path()).touch()
    expect("build", "did not end")


def test_python_gone(course):
    (course / ".venv/bin/python").unlink()
    expect("build", "does not run")


def test_moved(course):
    stamp = json.loads(pathlib.Path(machine.stamp_path()).read_text())
    pathlib.Path(machine.stamp_path()).write_text(json.dumps({**stamp, "root": "/elsewhere"}))
    expect("build", "moved")


def test_full_disk_stops_before_anything_is_installed(course, capsys, monkeypatch):
    (course / ".venv/bin/python").unlink()
    monkeypatch.setenv("PYTHON", sys.executable)
    monkeypatch.setenv("DEVICE", "cpu")
    monkeypatch.setattr(machine, "free_gb", lambda folder=None: 0.3)
    assert bootstrap.main([]) == 1
    assert "found 0.3 GB free, the set-up needs 2.5 GB" in capsys.readouterr().out
    assert not os.path.exists(machine.started_path())


# ---- Progress and failure ----

PIP_LOG = """Ignoring tomli: markers 'python_version < "3.11"' don't match your environment
Collecting anyio==4.16.0 (from -r locks/cpu.txt (line 1))
Processing /wheels/yacs-0.1.8-py3-none-any.whl (from -r locks/cpu.txt (line 2))
Installing collected packages: yacs, anyio
"""


def test_counter_lines(monkeypatch, capsys, course):
    monkeypatch.setattr(sys, "stdout", Terminal())
    counter = bootstrap.Counter(3)
    shown = sys.stdout
    for line in PIP_LOG.splitlines():
        counter.read(line)
    (course / ".venv/lib/python3.11/site-packages/yacs-0.1.8.dist-info").mkdir()
    counter.look()
    text = shown.getvalue()
    assert re.findall(r"\[.*?\] \S+ \S+", text) == [
        "[  1/2] getting anyio",
        "[  2/2] getting yacs",
        "[  1/2] installing anyio",
    ]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    "log, hint",
    [
        ("NewConnectionError('Connection refused')", "HTTPS_PROXY"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", "differs from the lock"),
        ("No matching distribution found for mxnet", "no file for this platform"),
    ],
)
def test_failure_shows_the_log_and_what_may_help(course, log, hint):
    (course / ".venv/bin/python").write_text(f"#!/bin/sh\ncat <<'END'\n{log}\nEND\nexit 1\n")
    with pytest.raises(machine.SetupError) as error:
        bootstrap.pip(["x"])
    assert log in str(error.value) and "setup.log" in str(error.value) and hint in str(error.value)


# ---- Files ----


INSTALL = sorted((ROOT / "install").glob("*.py"))


@pytest.mark.parametrize("path", INSTALL, ids=lambda path: path.name)
def test_install_imports_the_standard_library_and_itself_alone(path):
    """It runs before there is a package; and nothing of `utils`, which imports MXNet."""
    own = {other.stem for other in INSTALL}
    if path.name == "probe.py":  # runs inside .venv, and imports what it probes
        allowed = {"jupyter_client", "matplotlib", "mxnet", "packaging", "PIL", "pip", "utils"}
    elif path.name == "wheelhouse.py":  # packs by .venv's Python, whose packaging reads the markers of a lock
        allowed = {"packaging"}
    else:
        allowed = set()
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):  # those inside functions too
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}, line {node.lineno}: install/ is no package"
            found.add(node.module)
    outside = {name.split(".")[0] for name in found} - own - sys.stdlib_module_names
    assert outside == allowed, f"{path.name} imports {sorted(outside)}, expected {sorted(allowed)}"


@pytest.mark.parametrize("path", INSTALL, ids=lambda path: path.name)
def test_install_parses_on_python_3_6(path):
    ast.parse(path.read_text(), feature_version=(3, 6))


def pins(name):
    environment = yaml.safe_load((ROOT / name).read_text())
    pip = environment["dependencies"][-1]["pip"]
    return dict(line.split("==") for line in pip if "==" in line)


@pytest.mark.parametrize("name", ["environment.yml", "environment-cpu.yml"])
def test_environment_files_have_the_lock_s_versions(name):
    lock = "cpu.txt" if "cpu" in name else "gpu.txt"
    for package, version in pins(name).items():
        found = re.findall(rf"^{package}(?:-headless)?==(\S+)", (ROOT / "locks" / lock).read_text(), re.M)
        assert version in found, f"{name}: {package}=={version}, locks/{lock} has {found}"


def test_environment_files_have_all_direct_packages():
    import doctor

    wanted = {name.replace("-headless", "") for name in doctor.direct_packages()}
    for_gpus = {name for name in wanted if name.startswith(("mxnet-", "nvidia-"))}
    assert wanted - for_gpus == set(pins("environment-cpu.yml"))
    assert wanted - {"mxnet"} == set(pins("environment.yml"))


def test_environment_twins_differ_in_device_lines_only():
    def common(name):
        lines = (ROOT / name).read_text().splitlines()
        lines = lines[lines.index("channels:") :]
        return [line for line in lines if not line.endswith("# device")]

    assert common("environment.yml") == common("environment-cpu.yml")


def test_uv_is_pinned_for_any_python():
    text = (ROOT / "locks/bootstrap.txt").read_text()
    assert re.match(r"uv==\S+ \\\n +--hash=sha256:", text), "a marker here would keep out Python 3.12"


def test_an_extra_is_locked_by_version_and_hash_and_cmake_comes_first():
    found = extras.locked("horovod")
    assert list(found) == ["cmake", "horovod"] and found["horovod"][0] == "0.28.1"
    for package, (version, lines) in found.items():
        assert lines.startswith(f"{package}=={version}") and re.search(r"--hash=sha256:[0-9a-f]{64}\n$", lines)


def test_an_unknown_extra_is_said(monkeypatch, capsys):
    monkeypatch.setenv("WITH", "horrorvod")
    assert bootstrap.main(["--quiet"]) == 1
    assert "WITH=horrorvod: expected horovod" in capsys.readouterr().out


def test_without_a_compiler_one_message_says_what_to_install_and_nothing_is_built(course, monkeypatch):
    (course / "locks/horovod.txt").write_text((ROOT / "locks/horovod.txt").read_text())
    monkeypatch.setattr(extras.shutil, "which", lambda name: None)
    with pytest.raises(machine.SetupError, match="no C\\+\\+ compiler.*The course works without it"):
        extras.install("horovod", lambda words: 1 / 0)


def test_an_extra_that_is_there_is_not_built_again(course, monkeypatch, capsys):
    (course / "locks/horovod.txt").write_text((ROOT / "locks/horovod.txt").read_text())
    for package, (version, _) in extras.locked("horovod").items():
        (course / f".venv/lib/python3.11/site-packages/{package}-{version}.dist-info").mkdir()
    extras.install("horovod", lambda words: 1 / 0)
    assert "Nothing to do: horovod is in .venv" in capsys.readouterr().out
