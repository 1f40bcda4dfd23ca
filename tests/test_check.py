"""`make check` on broken machines: each break is named with what to do, and never a traceback."""

import pathlib
import platform
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "install"))
import doctor  # noqa: E402
import machine  # noqa: E402
import system  # noqa: E402

FINDINGS = {
    "packages": {"mxnet": ("1.9.1", "1.9.1"), "numpy": ("1.23.5", "1.23.5"), "scipy": ("1", "1")},
    "imports": {"mxnet": ("", [])},
    "opencv_python": False,
    "cores": 2,
    "gpus": 0,
    "figure": None,
    "kernel": str(ROOT / ".venv/bin/python"),
    "failed": {},
}


@pytest.fixture
def found(monkeypatch):
    """What the probe tells of a whole set-up, to be broken by each test."""
    monkeypatch.setattr(machine, "setup_state", lambda: ("ok", ""))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return {key: value.copy() if isinstance(value, dict) else value for key, value in FINDINGS.items()}


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "ROOT", str(tmp_path))
    monkeypatch.setattr(machine, "VENV", str(tmp_path / ".venv"))
    return tmp_path


def fixes(rows):
    return [(row.what, row.found, row.todo) for row in rows if row.mark == "FIX"]


# ---- Packages ----


def test_whole_set_up_has_no_fix(found):
    assert fixes(doctor.check_packages(found) + doctor.check_kernel(found)) == []


def test_missing_package(found):
    found["packages"]["scipy"] = "1.15.3", None
    assert fixes(doctor.check_packages(found)) == [("scipy", "missing, expected 1.15.3", "make setup")]


def test_wrong_version(found):
    found["packages"]["numpy"] = "1.23.5", "1.24.4"
    assert fixes(doctor.check_packages(found)) == [("numpy", "1.24.4, expected 1.23.5", "make setup")]


def test_import_that_hides_its_reason(found):
    found["packages"]["gluoncv"] = "0.10.5.post0", "0.10.5.post0"
    found["imports"]["gluoncv"] = "ImportError: missing `mxnet` & `torch`", ["scipy", "torch"]
    [(what, reason, todo)] = fixes(doctor.check_packages(found))
    assert (what, todo) == ("gluoncv", doctor.REDO)
    assert reason.endswith("does not import: no module scipy")


def test_import_that_lacks_a_library(found, monkeypatch):
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    monkeypatch.setattr(system.shutil, "which", lambda name: None)
    found["imports"]["mxnet"] = "OSError: libgomp.so.1: cannot open shared object file", []
    [(what, reason, todo)] = fixes(doctor.check_packages(found))
    assert what == "mxnet" and "libgomp" in reason and todo == "sudo apt install libgomp1"
    found["imports"]["mxnet"] = "OSError: libcuda.so.1: cannot open shared object file", []
    assert fixes(doctor.check_packages(found))[0][2] == system.REPAIR_GPU


def test_import_that_ends_python(root, monkeypatch):
    (root / ".venv/bin").mkdir(parents=True)
    python = root / ".venv/bin/python"
    python.write_text('#!/bin/sh\necho \'@{"importing": "mxnet"}\'\nkill -ILL $$\n')
    python.chmod(0o755)
    monkeypatch.setattr(machine, "setup_state", lambda: ("ok", ""))
    assert "signal 4" in doctor.probe()["imports"]["mxnet"][0]


def test_probe_draws_a_picture_and_says_where(tmp_path, monkeypatch, capsys):
    import probe

    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.setattr(machine, "ROOT", str(tmp_path))
    probe.draw()
    assert "build/check.png" in capsys.readouterr().out and (tmp_path / "build/check.png").stat().st_size > 1000


def test_probe_that_cannot_look(found):
    found.update(packages={}, failed={"packages": "ModuleNotFoundError: pip"})
    [(what, reason, _)] = fixes(doctor.check_packages(found))
    assert what == "packages" and "ModuleNotFoundError: pip" in reason


def test_kernel_from_elsewhere(found):
    found["kernel"] = "/usr/bin/python3"
    [(what, reason, _)] = fixes(doctor.check_kernel(found))
    assert what == "Jupyter kernel" and "/usr/bin/python3" in reason


# ---- The machine ----


@pytest.mark.parametrize("lost", ["libgomp.so.1", "libquadmath.so.0"])
def test_missing_library(found, monkeypatch, lost):
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(system, "loads", lambda library: library != lost)
    assert [what for what, _, _ in fixes(system.check_libraries(found))] == [lost]


def test_missing_library_on_arm(found, monkeypatch):
    """MXNet's wheel for ARM names libraries of Arm, which no one has by chance."""
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(system, "loads", lambda library: library in ("libgomp.so.1", "libGL.so.1"))
    rows = fixes(system.check_libraries(found))
    assert [what for what, _, _ in rows] == ["libarmpl_lp64_mp.so", "libamath.so", "libastring.so"]
    assert all("docs/platforms.md" in todo for _, _, todo in rows)
    assert "\n## ARM\n" in (ROOT / "docs/platforms.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("opencv_python, count", [(False, 0), (True, 1)])
def test_missing_libgl_matters_to_opencv_python_only(found, monkeypatch, opencv_python, count):
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(system, "loads", lambda library: library != "libGL.so.1")
    found["opencv_python"] = opencv_python
    assert len(fixes(system.check_libraries(found))) == count


@pytest.mark.parametrize(
    "value, mark", [(None, "OK"), ("2", "OK"), ("1", "note"), ("abc", "FIX"), ("0", "FIX"), ("", "FIX")]
)
def test_threads(found, monkeypatch, value, mark):
    if value is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", value)
    [row] = system.check_threads(found)
    assert row.mark == mark
    assert value is None or mark == "OK" or "unset OMP_NUM_THREADS" in row.todo


@pytest.mark.parametrize("kind", [("Windows", "AMD64"), ("Darwin", "arm64")])
def test_platform(monkeypatch, kind):
    monkeypatch.setattr(platform, "system", lambda: kind[0])
    monkeypatch.setattr(platform, "machine", lambda: kind[1])
    monkeypatch.setattr(machine, "find_python", lambda override=None: (None, []))
    assert len(fixes(system.check_platform())) == 1


def voc(root, names):
    folder = root / "data/voc_mini"
    for path, text in [("JPEGImages/{}.jpg", "x"), ("SegmentationClass/{}.png", "x")]:
        for name in names:
            file = folder / path.format(name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    (folder / "ImageSets/Segmentation").mkdir(parents=True)
    (folder / "ImageSets/Segmentation/train.txt").write_text("\n".join(names))
    return folder


def test_data(root):
    folder = voc(root, ["a", "b", "c"])
    assert "3 pairs (train 3)" in system.check_data()[0].found
    (folder / "SegmentationClass/b.png").unlink()
    (folder / "JPEGImages/c.jpg").write_text("")
    [(_, found, _)] = fixes(system.check_data())
    assert "2 of 6 files missing or empty, first SegmentationClass/b.png" in found


def test_no_data(root):
    assert len(fixes(system.check_data())) == 1


def test_disk_and_memory(monkeypatch):
    monkeypatch.setattr(machine, "setup_state", lambda: ("build", "there is none yet"))
    monkeypatch.setattr(machine, "venv_device", lambda: "cpu")
    monkeypatch.setattr(machine, "free_gb", lambda folder=None: 1.0)
    monkeypatch.setattr(system, "available_gb", lambda: 1.5)
    assert fixes(system.check_disk())[0][1] == "1.0 GB free, expected 2.5 GB"
    assert fixes(system.check_memory())[0][1] == "1.5 GB available, expected 4 GB"


def test_read_only_folder(monkeypatch):
    def refuse(dir):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(system.tempfile, "TemporaryFile", refuse)
    assert "Read-only file system" in fixes(system.check_folder())[0][1]


# ---- The whole ----


def test_without_a_set_up(root, capsys, monkeypatch):
    monkeypatch.delenv("PYTHON", raising=False)
    voc(root, ["a"])
    assert doctor.main() == 0, "nothing is broken before the first set-up"
    text = capsys.readouterr().out
    assert "note  set-up" in text and "`make setup` installs it" in text.strip().splitlines()[-1]
    assert not (root / ".venv").exists() and not (root / "build").exists()


def test_a_set_up_that_did_not_end_is_to_be_repaired(root, capsys, monkeypatch):
    monkeypatch.setattr(machine, "setup_state", lambda: ("build", "the last set-up did not end"))
    (root / ".venv").mkdir()
    assert doctor.main() == 1
    assert "FIX   set-up                  .venv: the last set-up did not end  -> make setup" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("installed", "answer", "mark", "words"),
    [
        ([], None, "OK", "not built: chapter 17 then runs on MXNet's own store (make setup WITH=horovod builds it)"),
        (["horovod-0.28.1"], (0, "", ""), "OK", "0.28.1, imports"),
        (["horovod-0.28.1"], (1, "", "a\nImportError: undefined symbol"), "FIX", "0.28.1 does not import: ImportError"),
    ],
)
def test_row_of_horovod(installed, answer, mark, words, monkeypatch):
    monkeypatch.setattr(machine, "installed", lambda: ["mxnet-1.9.1", *installed])
    monkeypatch.setattr(machine, "run", lambda *words: answer)
    (row,) = doctor.check_horovod()
    assert row.mark == mark and row.found.startswith(words) and bool(row.todo) == (mark == "FIX")


def test_a_check_that_fails_is_a_row(found, capsys, monkeypatch):
    monkeypatch.setattr(doctor, "probe", lambda: found)
    monkeypatch.setattr(system, "check_gpu", lambda findings: 1 / 0)
    assert doctor.main() == 1
    assert "could not be made: ZeroDivisionError" in capsys.readouterr().out


def test_all_passed(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "rows", lambda found: [doctor.ok("a", "1"), doctor.note("b", "2", "look")])
    assert doctor.main() == 0
    assert "All 2 checks passed: `make lab` opens the chapters" in capsys.readouterr().out


def test_odd_names_in_a_plain_locale(tmp_path):
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'install')!r}); import doctor; doctor.say('\\u00fc \\u4f60')"
    settings = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    result = subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, check=True)
    assert result.stdout == b"\\xfc \\u4f60\n"
