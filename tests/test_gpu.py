"""A GPU without a GPU: what the locks hold, which is chosen, and how libraries are found; against made-up drivers.

What these tests cannot say: that anything runs on a GPU.
"""

from utils.core import cuda

import importlib.metadata
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "install"))
import bootstrap  # noqa: E402
import gpu  # noqa: E402
import machine  # noqa: E402
import system  # noqa: E402

# readelf -d libmxnet.so | grep NEEDED, of mxnet-cu112 1.9.1, without the C and C++ libraries that any Linux has
NEEDED = {
    "libopenblas.so.0", "libgfortran.so.3", "libcudnn.so.8", "libcuda.so.1", "libnccl.so.2", "libcudart.so.11.0",
    "libcufft.so.10", "libcublas.so.11", "libcusolver.so.11", "libcurand.so.10", "libnvrtc.so.11.2",
    "libnvToolsExt.so.1", "libgomp.so.1",
}  # fmt: skip
C_LIBRARIES = {"libdl", "librt", "libpthread", "libstdc++", "libm", "libgcc_s", "libc", "ld-linux-x86-64"}
OWN = {"libopenblas.so.0", "libgfortran.so.3"}  # in the wheel itself

needs_gcc = pytest.mark.skipif(not shutil.which("gcc") or sys.platform != "linux", reason="needs gcc on Linux")


def lock(device):
    """{line without hashes: number of hashes} of a lock."""
    blocks = re.split(r"\n(?=\S)", (ROOT / f"locks/{device}.txt").read_text())
    return {block.split(" \\")[0]: block.count("--hash=sha256:") for block in blocks}


def versions(device):
    return {line.split(" ;")[0] for line in lock(device)}


# ---- The lock ----


def test_locks_differ_in_mxnet_alone():
    cpu, gpu_ = versions("cpu"), versions("gpu")
    assert {pin for pin in gpu_ - cpu if not pin.startswith("nvidia-")} == {"mxnet-cu112==1.9.1"}
    elsewhere = {"appnope", "pywinpty", "opencv-python"}  # macOS, Windows, nowhere
    assert {pin.split("==")[0] for pin in cpu - gpu_} - elsewhere == {"mxnet"}


def test_gpu_lock_is_hashed_and_for_one_platform():
    for line, hashes in lock("gpu").items():
        assert hashes and "platform_machine == 'x86_64' and sys_platform == 'linux'" in line, line


def test_both_locks_leave_out_the_same_package():
    override = re.search(r"override-dependencies.*", (ROOT / "pyproject.toml").read_text()).group()
    assert override in (ROOT / "locks/gpu/pyproject.toml").read_text()


def test_every_library_that_mxnet_needs_has_a_locked_package():
    named = {pin.split("==")[0] for pin in versions("gpu")}
    assert set(cuda.LIBRARIES.values()) == {name for name in named if name.startswith("nvidia-")}
    assert NEEDED - set(cuda.LIBRARIES) == OWN | {"libcuda.so.1", "libgomp.so.1"}


def test_needed_is_what_the_wheel_needs():
    if not shutil.which("readelf") or machine.venv_device() != "gpu":
        pytest.skip("mxnet-cu112 is not installed here")
    library = importlib.metadata.distribution("mxnet-cu112").locate_file("mxnet/libmxnet.so")
    out = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"NEEDED.*\[(.*)\]", out)
    assert {name for name in found if name.split(".so")[0] not in C_LIBRARIES} == NEEDED


# ---- Choosing ----

A4000, H100, K80 = "8.6 NVIDIA RTX A4000", "9.0 NVIDIA H100", "3.7 Tesla K80"
ADA, MAXWELL, BLACKWELL = "8.9 NVIDIA L4", "5.0 GeForce GTX 750", "12.0 NVIDIA RTX 5090"

TABLE = [  # GPUs, the driver's CUDA, device, words of the reason
    ([A4000], 11080, "gpu", "RTX A4000"),
    ([ADA], 12040, "gpu", "L4"),
    ([MAXWELL, A4000], 13000, "gpu", "GTX 750"),
    ([A4000], 11070, "cpu", "driver knows CUDA 11.7, expected 11.8: install driver 520 or newer"),
    ([H100], 12040, "cpu", "5.0 to 8.9, this GPU has 9.0"),
    ([BLACKWELL], 13000, "cpu", "this GPU has 12.0"),
    ([K80], 11040, "cpu", "this GPU has 3.7"),
    ([H100, A4000, K80, ADA], 12040, "cpu", "export CUDA_VISIBLE_DEVICES=1,3"),
    ([], 12040, "cpu", "shows no GPU"),
]


@pytest.fixture
def linux(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


def driver(monkeypatch, gpus, version):
    monkeypatch.setattr(machine, "run", lambda *_, **__: (0, "\n".join([str(version), *gpus]), ""))


@pytest.mark.parametrize("gpus, version, device, words", TABLE)
def test_choice(monkeypatch, linux, gpus, version, device, words):
    driver(monkeypatch, gpus, version)
    assert gpu.choose("")[0] == device and words in gpu.choose("")[1]
    assert gpu.choose("cpu") == ("cpu", "DEVICE=cpu")
    if device == "gpu":
        assert gpu.choose("gpu") == gpu.choose("")
    else:
        with pytest.raises(machine.SetupError, match="DEVICE=gpu: .*" + re.escape(words)):
            gpu.choose("gpu")


@pytest.mark.parametrize(
    "answer, words",
    [
        ((1, "", "no NVIDIA driver was found"), "no NVIDIA driver was found"),
        ((None, "", "no answer within 30 s"), "NVIDIA's driver gives no answer within 30 s"),
        ((-11, "11080\n", ""), "exit code -11"),
    ],
)
def test_without_an_answer_the_cpu(monkeypatch, linux, answer, words):
    monkeypatch.setattr(machine, "run", lambda *_, **__: answer)
    assert gpu.choose("")[0] == "cpu" and words in gpu.choose("")[1]


@pytest.mark.parametrize("kind", [("Linux", "aarch64"), ("Darwin", "x86_64")])
def test_other_platforms_are_not_even_asked(monkeypatch, kind):
    monkeypatch.setattr(platform, "system", lambda: kind[0])
    monkeypatch.setattr(platform, "machine", lambda: kind[1])
    monkeypatch.setattr(machine, "run", lambda *_, **__: 1 / 0)
    assert gpu.choose("")[0] == "cpu" and "Linux on x86-64 alone" in gpu.choose("")[1]


def test_other_devices_are_one_error():
    with pytest.raises(machine.SetupError, match="DEVICE=tpu: expected cpu or gpu"):
        gpu.choose("tpu")


@needs_gcc
@pytest.mark.parametrize("init, words", [(None, ""), ("999", "cuInit: error 999")])
def test_the_driver_itself_is_asked(tmp_path, monkeypatch, linux, init, words):
    build(tmp_path / "libcuda.so.1", source=ROOT / "tests/driver.c")
    settings = {"LD_LIBRARY_PATH": str(tmp_path), "CUDA": "12040", "GPUS": f"{A4000};{H100}"}
    for name, value in {**settings, **({"INIT": init} if init else {})}.items():
        monkeypatch.setenv(name, value)
    gpus, problem = gpu.look()
    assert gpus == ([] if init else [A4000, H100])
    assert (words or "CUDA_VISIBLE_DEVICES=0`") in problem


# ---- The set-up ----


def test_refused_before_anything_is_touched(monkeypatch, linux, tmp_path, capsys):
    monkeypatch.setenv("DEVICE", "gpu")
    driver(monkeypatch, [H100], 12040)
    monkeypatch.setattr(machine, "VENV", str(tmp_path / ".venv"))
    assert bootstrap.main([]) == 1
    assert "DEVICE=gpu: mxnet-cu112 has code for" in capsys.readouterr().out
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize(
    "device, gpus, seen, mark, words",
    [
        (None, [], None, "OK", "none: the course runs on the CPU"),
        (None, [A4000], None, "OK", "after make setup"),
        ("gpu", [A4000], 1, "OK", "used by locks/gpu.txt"),
        ("gpu", [A4000], 0, "FIX", "MXNet sees none"),
        ("gpu", [], None, "FIX", "shows no GPU"),
        ("cpu", [A4000], 0, "note", "make setup DEVICE=gpu"),
        ("cpu", [H100], 0, "note", "this GPU has 9.0"),
    ],
)
def test_row_of_make_check(monkeypatch, linux, device, gpus, seen, mark, words):
    driver(monkeypatch, gpus, 12040)
    monkeypatch.setattr(machine, "venv_device", lambda: device)
    [row] = system.check_gpu({"gpus": seen, "failed": {}})
    assert row.mark == mark and words in row.found + row.todo
    assert mark != "FIX" or "DEVICE=cpu" in row.todo


# ---- The libraries ----


def build(path, source=None, code="", links=(), rpath=""):
    """A shared library whose soname is its file's name, needing others of the same folder as `links`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = source or path.with_suffix(".c")
    if not source:
        text.write_text(code)
    options = ["-shared", "-fPIC", f"-Wl,-soname,{path.name}", "-Wl,--allow-shlib-undefined", "-Wl,--disable-new-dtags"]
    options += [f"-Wl,-rpath,{rpath}"] if rpath else []
    subprocess.run(["gcc", *options, "-o", path, text, *links], check=True)
    return path


@pytest.fixture
def site(tmp_path):
    """site-packages with an mxnet whose library needs the nvidia packages' ones, as the real one does."""
    built = []
    for library, package in cuda.LIBRARIES.items():
        name = re.sub(r"\W", "_", library)
        folder = package[len("nvidia-") : -len("-cu11")].replace("-", "_")
        code, links = f"int {name}(void) {{ return 1; }}", []
        if library == "libcusolver.so.11":
            code = f"int libcublas_so_11(void); int {name}(void) {{ return libcublas_so_11(); }}"
            links = [path for path in built if path.name == "libcublas.so.11"]
        built.append(build(tmp_path / f"nvidia/{folder}/lib/{library}", code=code, links=links))
    names = [re.sub(r"\W", "_", path.name) for path in built]
    total = "".join(f"int {name}(void);\n" for name in names) + f"int total(void) {{ return {'() + '.join(names)}(); }}"
    build(tmp_path / "mxnet/libmxnet.so", code=total, links=built, rpath="$ORIGIN")
    return tmp_path


def load(site):
    """What a fresh Python without LD_LIBRARY_PATH says when it loads libmxnet.so and calls into it."""
    code = f"import ctypes; print(ctypes.CDLL({str(site / 'mxnet/libmxnet.so')!r}).total())"
    env = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    result = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    return (result.stdout or result.stderr).strip().splitlines()[-1]


@needs_gcc
def test_libraries_are_found_after_link_and_not_before(site):
    assert "cannot open shared object file" in load(site)
    assert {*cuda.LIBRARIES, "libnvrtc.so"} <= set(cuda.link(site))
    assert load(site) == str(len(cuda.LIBRARIES))
    cuda.link(site)  # again, over its own links
    moved = site.rename(site.with_name("moved"))
    assert load(moved) == str(len(cuda.LIBRARIES))


@needs_gcc
@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"\x7fELF")])
def test_a_library_that_is_lost_is_named(site, damage):
    cuda.link(site)
    damage(site / "nvidia/cusolver/lib/libcusolver.so.11")
    message = cuda.explain(OSError(load(site)))
    assert message.startswith("libcusolver.so.11 of the package nvidia-cusolver-cu11 is missing or damaged")
    assert "make setup DEVICE=cpu" in message


def test_set_up_and_conda_run_the_script_that_links():
    assert pathlib.Path(machine.CUDA) == pathlib.Path(cuda.__file__).resolve()
    command = f"python {pathlib.Path(machine.CUDA).relative_to(ROOT).as_posix()}"
    assert f"#     {command} " in (ROOT / "environment.yml").read_text() and f"`{command}`" in cuda.REPAIR


def test_link_names_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="libcublas.so.11 of the package nvidia-cublas-cu11 is missing"):
        cuda.link(tmp_path)


@pytest.mark.parametrize(
    "library, words",
    [("libcuda.so.1", "NVIDIA's driver"), ("libgomp.so.1", "make check"), ("libcudnn.so.8", "cudnn-cu11")],
)
def test_import_utils_says_what_is_missing_in_one_sentence(tmp_path, library, words):
    (tmp_path / "mxnet.py").write_text(f"raise OSError('{library}: cannot open shared object file')")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", "import utils"], env=env, capture_output=True, text=True)
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ") and library in last and words in last
    assert result.stderr.count("Traceback") == 1
