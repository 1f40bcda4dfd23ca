"""The wheelhouse: what a lock asks for on each platform, what is refused, and what interruption leaves. No network."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import urllib.parse

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "install"))
import bootstrap  # noqa: E402
import machine  # noqa: E402
import wheelhouse  # noqa: E402

LOCK = """both==1.0 ; python_full_version < '3.12' \\
    --hash=sha256:{digest} \\
    --hash=sha256:22
old==2.0 ; python_full_version < '3.11' \\
    --hash=sha256:33
apple==3.0 ; sys_platform == 'darwin' \\
    --hash=sha256:44
arm==4.0 ; platform_machine == 'aarch64' \\
    --hash=sha256:55
"""
WHEEL = b"a wheel"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course with two small locks, on Linux x86-64; pip and uv are played by functions."""
    (tmp_path / "locks").mkdir()
    for name in "cpu.txt", "gpu.txt":
        (tmp_path / "locks" / name).write_text(LOCK.format(digest=hashlib.sha256(WHEEL).hexdigest()))
    (tmp_path / "locks/bootstrap.txt").write_text("uv==0.1 \\\n    --hash=sha256:66\n")
    monkeypatch.setattr(machine, "ROOT", str(tmp_path))
    monkeypatch.setattr(
        wheelhouse, "this_platform", lambda device="cpu": "linux-x86_64-gpu" if device == "gpu" else "linux-x86_64"
    )
    monkeypatch.setattr(wheelhouse, "fetch_python", lambda target, folder: "")
    monkeypatch.setattr(machine, "free_gb", lambda folder=None: 100.0)  # what is packed here takes no room
    monkeypatch.delenv("WHEELHOUSE", raising=False)

    def download(path, target, python, folder):
        (pathlib.Path(folder) / "both-1.0-py3-none-any.whl").write_bytes(WHEEL)

    monkeypatch.setattr(wheelhouse, "download", download)
    return tmp_path


@pytest.fixture
def packed(course):
    assert wheelhouse.main([]) == 0
    return course / "wheelhouse"


@pytest.mark.parametrize(
    "target, python, names",
    [
        ("linux-x86_64", "3.11", {"both==1.0"}),
        ("linux-x86_64", "3.10", {"both==1.0", "old==2.0"}),
        ("linux-aarch64", "3.11", {"both==1.0", "arm==4.0"}),
        ("macos-x86_64", "3.11", {"both==1.0", "apple==3.0"}),
    ],
)
def test_markers_are_those_of_the_other_machine(course, target, python, names):
    found = wheelhouse.locked(machine.lock("cpu"), target, python)
    assert set(found) == names
    assert found["both==1.0"].count("--hash=sha256:") == 2


def test_the_real_lock_on_this_machine_is_what_is_installed():
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    device = machine.venv_device()
    if device is None:
        pytest.skip("no .venv here: these packages came another way")
    pins = wheelhouse.locked(machine.lock(device), wheelhouse.this_platform(device), version)
    seen = subprocess.run([sys.executable, "-m", "pip", "freeze", "--all"], capture_output=True, text=True, check=True)
    installed = {line.lower().replace("_", "-").replace(".", "-") for line in seen.stdout.splitlines()}
    missing = {pin for pin in pins if pin.lower().replace("_", "-").replace(".", "-") not in installed}
    assert len(pins) > 100 and not missing


def test_packed_and_found(packed, course):
    assert wheelhouse.find() == str(packed)
    assert sorted(path.name for path in packed.iterdir()) == [
        "README.txt", "both-1.0-py3-none-any.whl", "wheelhouse.json",
    ]  # fmt: skip
    assert not (course / "wheelhouse.part").exists()


def test_none_without_a_folder_or_with_the_word_none(course, monkeypatch):
    assert wheelhouse.find() is None
    (course / "wheelhouse").mkdir()
    monkeypatch.setenv("WHEELHOUSE", "none")
    assert wheelhouse.find() is None


def refused(words):
    with pytest.raises(machine.SetupError) as error:
        wheelhouse.find()
    assert words in str(error.value) and len(str(error.value).splitlines()) == 1


def test_refused_for_another_lock(packed):
    with open(machine.lock("cpu"), "a") as file:
        file.write("# changed\n")
    refused("packed for another locks/cpu.txt")


def test_refused_for_another_platform(packed, monkeypatch):
    monkeypatch.setattr(wheelhouse, "this_platform", lambda device="cpu": "linux-aarch64")
    refused("packed for linux-x86_64, expected linux-aarch64")


def test_a_gpu_has_a_wheelhouse_of_its_own(packed, course):
    with pytest.raises(machine.SetupError, match="packed for linux-x86_64, expected linux-x86_64-gpu.*DEVICE"):
        wheelhouse.find("gpu")
    assert wheelhouse.main(["linux-x86_64-gpu", "linux-x86_64"]) == 0
    assert wheelhouse.find("gpu") == wheelhouse.find("cpu") == str(packed)
    with open(machine.lock("gpu"), "a") as file:
        file.write("# changed\n")
    with pytest.raises(machine.SetupError, match="another locks/gpu.txt"):
        wheelhouse.find("gpu")
    assert wheelhouse.find("cpu")


def test_markers_of_the_gpu_s_lock():
    pins = wheelhouse.locked(machine.lock("gpu"), "linux-x86_64-gpu", "3.11")
    assert "mxnet-cu112==1.9.1" in pins and len(pins) > 130


def test_refused_where_the_copy_was_cut_short(packed):
    os.truncate(packed / "both-1.0-py3-none-any.whl", 3)
    refused("1 of 2 files missing or cut short, first both-1.0-py3-none-any.whl")


@pytest.mark.parametrize(
    "text", ["", "[1]", "null", "{}", '{"platforms": 3}', "[" * 100_000, '{"platforms": [], "locks": 1}']
)
def test_refused_where_the_manifest_is_damaged(packed, text):
    (packed / "wheelhouse.json").write_text(text)
    refused("found no wheelhouse.json that can be read")


def test_refused_where_the_named_folder_is_none(course, monkeypatch):
    monkeypatch.setenv("WHEELHOUSE", str(course / "stick"))
    refused("found no wheelhouse.json")


def test_set_up_tells_the_refusal(packed, monkeypatch):
    monkeypatch.setattr(wheelhouse, "this_platform", lambda device="cpu": "linux-aarch64")
    with pytest.raises(machine.SetupError, match="expected linux-aarch64"):
        bootstrap.use_wheelhouse("cpu")


def test_pip_and_uv_are_kept_from_the_network(packed, monkeypatch):
    for name in wheelhouse.settings(str(packed)):
        monkeypatch.delenv(name, raising=False)  # and take it away again afterwards
    moved = packed.rename(packed.parent / "a stick")
    monkeypatch.setenv("WHEELHOUSE", str(moved))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    bootstrap.use_wheelhouse("cpu")
    assert urllib.parse.unquote(os.environ["PIP_FIND_LINKS"]) == f"file://{moved}"
    assert " " not in os.environ["PIP_FIND_LINKS"]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "-d", str(packed.parent / "to"), "absent==1"]
    seen = subprocess.run(command, capture_output=True, text=True)
    assert seen.returncode == 1 and f"Looking in links: {os.environ['PIP_FIND_LINKS']}" in seen.stdout
    assert "127.0.0.1" not in seen.stdout + seen.stderr


def test_interrupted_packing_goes_on_and_is_never_taken_for_whole(course, monkeypatch, capsys):
    whole, calls = wheelhouse.download, []

    def interrupted(*arguments):
        whole(*arguments)
        calls.append(arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(wheelhouse, "download", interrupted)
    assert wheelhouse.main([]) == 130
    assert wheelhouse.find() is None
    part = course / "wheelhouse.part"
    (part / "old-9.whl").write_bytes(b"of an older lock")
    wheelhouse.drop_foreign(str(part))
    assert [path.name for path in part.iterdir()] == ["both-1.0-py3-none-any.whl"]
    monkeypatch.setattr(wheelhouse, "download", whole)
    assert wheelhouse.main([]) == 0 and wheelhouse.find()


def test_packing_anew_replaces(packed, course):
    (packed / "of-yesterday.whl").write_bytes(b"")
    (course / "wheelhouse.old/rest").mkdir(parents=True)  # a run that was stopped at its very end
    assert wheelhouse.main(["linux-x86_64", "linux-aarch64"]) == 0
    assert not (packed / "of-yesterday.whl").exists() and not (course / "wheelhouse.old").exists()
    assert json.loads((packed / "wheelhouse.json").read_text())["platforms"] == ["linux-x86_64", "linux-aarch64"]


def test_packing_refuses(course, monkeypatch, capsys):
    assert wheelhouse.main(["windows"]) == 1
    assert "found windows, expected linux-x86_64" in capsys.readouterr().out
    monkeypatch.setattr(machine, "free_gb", lambda folder=None: 0.1)
    assert wheelhouse.main([]) == 1
    assert "found 0.1 GB free" in capsys.readouterr().out
    (course / "notes").mkdir()
    (course / "notes/mine.txt").write_text("keep")
    monkeypatch.setenv("WHEELHOUSE", str(course / "notes"))
    assert wheelhouse.main([]) == 1
    assert "did not make" in capsys.readouterr().out and (course / "notes/mine.txt").exists()


def test_without_a_python_it_says_so(course, monkeypatch, capsys):
    monkeypatch.setattr(wheelhouse, "fetch_python", lambda target, folder: "no network")
    assert wheelhouse.main([]) == 0
    assert "could not be packed for linux-x86_64: no network" in capsys.readouterr().out
    assert "must be there too" in (course / "wheelhouse/README.txt").read_text()
