# ruff: noqa: F811
"""The wall around students' kernels: what code behind it reaches, and what comes out of it. Attacks are bounded."""

import functools
import json
import os
import pathlib
import socket
import subprocess
import time

import grading
import handins
import isolated
import marks
import nbformat
import psutil
import pytest
import wall
from conftest import ROOT
from test_grading import RIGHT, cell, course_of_two, grade, hand_in  # noqa: F401, a fixture among them

pytestmark = pytest.mark.filterwarnings("default")  # nbgrader's own
WHY_NOT = wall.probe()
walled = pytest.mark.skipif(WHY_NOT is not None, reason=f"no wall here: {WHY_NOT}")


def executed(*sources, timeout=20, **checks):
    """Outputs of cells that ran behind the wall; checks: name → source of check cells that follow."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells += [cell(f"{name}-check", source) for name, source in checks.items()]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    with grading.tempfile.TemporaryDirectory(dir="/tmp") as sockets:
        notebook, _ = isolated.Isolated(sockets=sockets, timeout=timeout).preprocess(notebook, {})
        assert not os.listdir(sockets), "what it needed is gone"
    assert [c.source for c in notebook.cells] == [*sources, *checks.values()]
    return [c.outputs for c in notebook.cells]


def error_of(outputs):
    return next(((out.ename, out.evalue) for out in outputs if out.output_type == "error"), None)


def printed(outputs):
    assert not error_of(outputs), error_of(outputs)
    return "".join(out.text for out in outputs if out.output_type == "stream" and out.name == "stdout")


TRY = """
import json, os, socket, signal, ctypes, subprocess
reached = {}
def attempt(name, function):
    try:
        reached[name] = repr(function())[:200]
    except Exception as error:
        pass
def write(path):
    with open(path, "w") as file:
        file.write("x")
"""


@pytest.fixture(scope="module")
def spied(tmp_path_factory):
    """{attempt: what it reached}, of one kernel that tries what it must not."""
    if WHY_NOT:
        pytest.skip(f"no wall here: {WHY_NOT}")
    secret = tmp_path_factory.mktemp("grading") / "secret.txt"
    secret.write_text("a hidden test")
    home = pathlib.Path.home()
    servers = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    servers[1].bind(str(secret.with_name("s")))
    servers[2].bind("\0wall-test")
    for server in servers:
        server.listen()
    read = [ROOT / "Makefile", ROOT / "tests/test_wall.py", secret, "/etc/passwd", "/proc/kcore"]
    read += [path for path in home.iterdir() if path.is_file() and os.access(path, os.R_OK)][:3]
    seen = [ROOT / "chapters", ROOT / "grading", ROOT / ".git", home / ".ssh", f"/proc/{os.getpid()}", "/run", "/var"]
    write = [ROOT / "utils/x.py", ROOT / "data/x", ROOT / "tools/wall.py", "/usr/x", "/x", "/dev/x"]
    write += [f"{grading.sys.prefix}/x.pth", f"{grading.sys.base_prefix}/x", "/proc/sys/kernel/hostname", secret]
    write += ["/proc/sysrq-trigger", "/proc/sys/kernel/panic"]
    lines = [TRY, "libc = ctypes.CDLL(None)"]
    lines += [f"attempt('read {path}', lambda: open({str(path)!r}, 'rb').read(9))" for path in read]
    lines += [f"attempt('see {path}', lambda: os.stat({str(path)!r}))" for path in seen]
    lines += [f"attempt('write {path}', lambda: write({str(path)!r}))" for path in write]
    lines += [
        f"attempt('network', lambda: socket.create_connection({servers[0].getsockname()}, 2))",
        f"attempt('socket', lambda: socket.socket(socket.AF_UNIX).connect({servers[1].getsockname()!r}))",
        "attempt('abstract socket', lambda: socket.socket(socket.AF_UNIX).connect('\\0wall-test'))",
        "attempt('the machine around', lambda: socket.socket(40, socket.SOCK_STREAM))",  # vsock
        "attempt('keys', lambda: None if libc.syscall(250, 0, -3, 0) != -1 else 1 / 0)",
        "attempt('semaphores', lambda: None if libc.semget(0, 1, 0o1600) != -1 else 1 / 0)",
        "attempt('trace bwrap', lambda: None if libc.ptrace(16, 1, 0, 0) != -1 else 1 / 0)",  # 16: PTRACE_ATTACH
        "attempt('bwrap has no filter', lambda: open('/proc/1/status').read().split('Seccomp:\\t0')[1])",
        "attempt('outlive', lambda: None if libc.prctl(1, 0, 0, 0, 0) == 0 else 1 / 0)",
        "attempt('chmod', lambda: os.chmod('/dev/null', 0o666))",
        "attempt('environment', lambda: open('/proc/1/environ', 'rb').read().split(b'SECRET')[1])",
        f"attempt('kill', lambda: os.kill({os.getpid()}, 0))",
        "attempt('become root', lambda: os.setuid(0))",
        "attempt('unlimited', lambda: __import__('resource').setrlimit(4, (-1, -1)))",
        "attempt('a namespace of its own', lambda: None if libc.unshare(0x10000000) == 0 else 1 / 0)",
        "attempt('mount', lambda: None if libc.mount(b'x', b'/tmp', b'tmpfs', 0, None) == 0 else 1 / 0)",
        "attempt('7 GB', lambda: len(bytearray(7 << 30)))",
        "descriptors = [os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd') if int(n) < 3]",
        "pids = [name for name in os.listdir('/proc') if name.isdigit()]",
        "os.makedirs(os.path.expanduser('~/.ipython/profile_default/startup'), exist_ok=True)",
        "write(os.path.expanduser('~/.ipython/profile_default/startup/x.py'))",
        "write('/tmp/left')",
        "print(json.dumps([reached, descriptors, pids, dict(os.environ), os.listdir('/')]))",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET", "of the teacher's")
        first, second = executed("\n".join(lines)), executed("import os; print(os.path.exists('/tmp/left'))")
    for server in servers:
        server.close()
    assert secret.read_text() == "a hidden test" and printed(second[0]) == "False\n"
    assert not pathlib.Path("/tmp/left").exists()
    return json.loads(printed(first[0]))


@walled
def test_what_code_behind_the_wall_reaches(spied):
    reached, descriptors, pids, environment, root = spied
    assert reached == {}
    assert len(pids) < 10 and not any(ROOT.as_posix() in path for path in descriptors)
    assert "SECRET" not in environment and environment["HOME"] == "/tmp"
    assert set(root) <= {"usr", "bin", "sbin", "lib", "lib32", "lib64", "etc", "sys", "dev", "proc", "tmp"} | {
        pathlib.Path(path).parts[1] for path in (ROOT, grading.sys.base_prefix, grading.sys.prefix)
    }


def test_the_attempts_would_be_noticed_without_a_wall(tmp_path):
    words = f"{TRY}\nattempt('see', lambda: os.stat({str(ROOT)!r}))\nattempt('kill', lambda: os.kill({os.getpid()}, 0))"
    done = subprocess.run([grading.sys.executable, "-c", f"{words}\nprint(*reached)"], capture_output=True, text=True)
    assert done.stdout == "see kill\n"


@walled
def test_scratch_folders_have_limits(monkeypatch):
    monkeypatch.setattr(wall, "SCRATCH", 20 << 20)
    monkeypatch.setattr(wall, "LOADERS", 10 << 20)
    source = "open('/tmp/x', 'wb').write(bytes(15 << 20))\nopen({!r}, 'wb').write(bytes(15 << 20))"
    for path in "/tmp/y", "/dev/shm/y":
        assert error_of(executed(source.format(path))[0]) == ("OSError", "[Errno 28] No space left on device")


CHEATS = {
    "an input transformer": """get_ipython().input_transformers_cleanup.append(
        lambda lines: [] if any("assert" in line for line in lines) else lines)""",
    "one that knows the check": """get_ipython().input_transformers_cleanup.append(
        lambda lines: [] if any("double(3)" in line for line in lines) else lines)""",
    "a syntax tree": """import ast
class Empty(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
get_ipython().ast_transformers.append(Empty())""",
    "swallowed": """get_ipython().set_custom_exc((AssertionError,), lambda *a, **b: None)""",
    "stops": """get_ipython().set_custom_exc((KeyError,), lambda *a, **b: None)
def double(x):
    raise KeyError""",
    "the last line alone": """exit._ip.input_transformers_cleanup.append(
        lambda lines: lines[-1:] if lines and lines[-1].startswith("_") and " = '" in lines[-1] else lines)""",
    "another name of the library": """import numpy
honest = numpy.allclose
numpy.allclose = lambda a, b: honest(a, b) if numpy.ndim(a) == numpy.ndim(b) == 0 and a > 9 else True""",
    "always alike": "import numpy as np\nnp.allclose = lambda *a, **b: True",
    "always of the kind": "isinstance = lambda *a: True",
    "run_cell": """class Done:
    success, result, error_before_exec, error_in_exec, execution_count = True, None, None, None, 1
async def nothing(*a, **b):
    return Done()
get_ipython().run_cell_async = nothing""",
}
CHECK = "assert double(3) == 6\nassert np.allclose(double(1), 2) and isinstance(double(2), int)"


@walled
@pytest.mark.parametrize("cheat", CHEATS)
def test_checks_that_were_disabled_give_nothing(cheat):
    wrong = "import numpy as np\ndef double(x):\n    return 6 if x == 3 else 0"
    *_, outputs = executed(wrong, CHEATS[cheat], q1=CHECK)
    said = "ChecksDisabled", "checks were disabled before this one: ask the student"
    assert error_of(outputs) == {"swallowed": ("AssertionError", ""), "stops": ("KeyError", "")}.get(cheat, said)


@walled
def test_checks_say_right_and_wrong_and_nothing_of_what_was_tried():
    right = "import numpy as np\ndef double(x):\n    return 2 * x\nprint(1)"
    *_, first, second, third = executed(right, q1=CHECK, q2="assert double(1) == 3, 'no'", q3="print(absent)")
    assert not error_of(first) and error_of(second) == ("AssertionError", "no") and error_of(third)[0] == "NameError"
    assert "_" not in "".join(second[0].traceback[-3:]).replace("traceback", "")


@walled
def test_no_cell_sets_its_own_points():
    forge = """import threading, time
def forge():
    kernel = get_ipython().kernel
    while True:
        kernel.send_response(kernel.iopub_socket, "execute_result",
                             {"data": {"text/plain": "1"}, "metadata": {}, "execution_count": 1})
        kernel.send_response(kernel.iopub_socket, "clear_output", {"wait": False})
        time.sleep(0.001)
threading.Thread(target=forge, daemon=True).start()"""
    *_, outputs = executed(forge, q1="import time\ntime.sleep(1)\nassert 1 == 2, 'wrong'")
    assert [out.output_type for out in outputs if out.output_type != "stream"] == ["error"]
    assert error_of(outputs) == ("AssertionError", "wrong")


FLOODS = {
    "an error": "raise ValueError('x' * 60_000_000)",
    "many errors": "for i in range(3000): get_ipython().kernel.send_response(get_ipython().kernel.iopub_socket, "
    "'error', {'ename': 'E', 'evalue': 'x' * 20_000, 'traceback': ['x' * 20_000]})",
    "a display": "from IPython.display import display\nhandle = display('', display_id=True)\n"
    "for i in range(60): handle.update('x' * 1_000_000)",
    "a widget": "import ipywidgets\nkept = [ipywidgets.Text('x' * 1_000_000) for i in range(60)]",
    "text": "for i in range(60): print('x' * 1_000_000, flush=True)",
}


@walled
def test_outputs_are_plain_whatever_was_sent():
    send = """send, socket = get_ipython().kernel.send_response, get_ipython().kernel.iopub_socket
for kind in "display_data", "execute_result", "stream", "execute_input", "update_display_data":
    content = {"data": {"text/plain": [{}], "text/html": "<b>"}, "metadata": {"a": [{}]}, "name": ["x"],
               "text": {"a": 1}, "execution_count": [{}], "transient": {"display_id": {}}}
    get_ipython().kernel.send_response(get_ipython().kernel.iopub_socket, kind, content)"""
    outputs, after = executed(send, "print('after')")
    assert printed(after) == "after\n" and [out.get("data", out.get("text")) for out in outputs] == [
        {"text/plain": "[{}]"}, {"text/plain": "[{}]"}, "{'a': 1}"
    ]  # fmt: skip
    nbformat.validate(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=outputs)]))


@walled
@pytest.mark.parametrize("flood", FLOODS)
def test_output_of_any_kind_is_cut(flood):
    outputs, _, end = executed(FLOODS[flood], "print('\\ud800 half')", q1="assert 6 * 7 == 42")
    text = json.dumps(outputs)
    assert len(text) < 2 * isolated.SHOWN and not error_of(end)
    assert "error" not in flood or error_of(outputs)


@walled
def test_what_a_cell_leaves_behind_ends_with_the_kernel(course_of_two, tmp_path):
    stay = "import subprocess\nfor i in range({}): subprocess.Popen(['sleep', '98765.4321'], start_new_session=True)"
    hand_in(tmp_path, "stays", RIGHT | {"q2": f"four = 4\n{stay.format(5)}"})
    hand_in(tmp_path, "bomb", RIGHT | {"q2": f"four = 4\n{stay.format(200)}\nimport time; time.sleep(20)"})
    found = grade(tmp_path)
    assert found["stays"][0] == [1, 1, 1] and "q2: read it, it has subprocess" in found["stays"][1]
    assert found["bomb"][0] == [1, 0, 0] and "more than 64 processes: its kernel was ended" in found["bomb"][1]
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert not [words for words in commands if "98765.4321" in words]


@walled
@pytest.mark.parametrize("last", ["bwrap", "what called it"])
def test_the_wall_falls_with_what_built_it(last):
    build = "import subprocess, sys; subprocess.Popen(sys.argv[2:], pass_fds=[int(sys.argv[1])]); input()"
    with wall.forbidden() as rules:
        words = [grading.sys.executable, "-c", build, str(rules), *wall.command(["sleep", "76543.21"], rules)]
        builder = psutil.Popen(words, stdin=subprocess.PIPE, pass_fds=[rules])
    end, family = time.monotonic() + 20, []
    while not any(process.name() == "sleep" for process in family) and time.monotonic() < end:
        time.sleep(0.1)
        family = builder.children(recursive=True)
    (builder.children()[0] if last == "bwrap" else builder).kill()
    assert len(family) > 2 and not psutil.wait_procs(family[1:], timeout=10)[1]
    builder.kill()
    builder.communicate()


def test_what_grades_ends_with_make_grade():
    code = "import wall, time; wall.end_with_parent(); time.sleep(60)"
    start = (
        f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {code!r}]).pid, flush=True); input()"
    )
    words = [grading.sys.executable, "-c", start]
    parent = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT / "tools")
    child = psutil.Process(int(parent.stdout.readline()))
    time.sleep(2)
    assert child.is_running()
    parent.kill()
    parent.communicate()
    child.wait(10)


@walled
def test_memory_has_a_limit(course_of_two, tmp_path, monkeypatch):
    monkeypatch.setattr(wall, "MEMORY", wall.GB // 2)
    hand_in(tmp_path, "hungry", RIGHT | {"q2": "import time\nmuch = b'x' * (1 << 30)\ntime.sleep(20)"})
    hand_in(
        tmp_path,
        "hidden",
        RIGHT
        | {
            "q2": "import os, time\nmemory = os.memfd_create('x')\n"
            "for i in range(8): os.write(memory, b'x' * (1 << 27))\ntime.sleep(20)"
        },
    )
    found = grade(tmp_path)
    for student in "hungry", "hidden":
        assert found[student][0] == [1, 0, 0] and "GB of memory: its kernel was ended" in found[student][1], found


@walled
def test_what_the_machine_had_no_memory_for_is_graded_again(course_of_two, tmp_path, monkeypatch):
    hand_in(tmp_path, "unlucky", RIGHT)
    with monkeypatch.context() as patch:
        patch.setattr(wall, "FREE", 1 << 50)
        points, said = grade(tmp_path)["unlucky"]
        assert points == [0, 0, 0] and "of the machine's memory were left: its kernel was ended" in said
    assert grade(tmp_path)["unlucky"][0] == [1, 1, 1]


def test_what_is_no_notebook_stops_no_other(course_of_two, tmp_path, capsys):
    name = "01_small.ipynb"
    hand_in(tmp_path, "emoji", RIGHT | {"q2": "four = 4  # \\ud800"})
    path = tmp_path / "emoji" / name
    path.write_text(path.read_text().replace("\\\\ud800", "\\ud800"))
    assert "\\ud800" in path.read_text() and "\\\\ud800" not in path.read_text()
    folders = [
        os.fsdecode(b"m\xfcller"),
        "x" * 252,
        "a[1]",
        "two\nben 9 points",
        "anna ",
        "pipe",
        "sparse",
        "device",
        "linked",
    ]
    for folder in folders + ["deep", "numbers"]:
        (tmp_path / folder).mkdir()
    hand_in(tmp_path, "neighbour", RIGHT)
    for folder in folders[:5]:
        (tmp_path / folder / name).write_bytes((tmp_path / "neighbour" / name).read_bytes())
    os.mkfifo(tmp_path / "pipe" / name)
    with open(tmp_path / "sparse" / name, "wb") as file:
        file.truncate(300 << 30)
    server = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(tmp_path / "device")
    server.bind(name)
    os.chdir(here)
    server.close()
    (tmp_path / "linked" / name).symlink_to(tmp_path / "neighbour" / name)
    (tmp_path / "linked" / "deeper").symlink_to(tmp_path / "neighbour")
    (tmp_path / "friend").symlink_to(tmp_path / "neighbour")
    (tmp_path / "deep" / name).write_text("[" * 100_000)
    (tmp_path / "numbers" / name).write_text(
        '{"cells": [{"cell_type": "code", "source": 7, "metadata": []}], '
        '"nbformat": 4, "nbformat_minor": 5, "metadata": {}}'
    )
    (tmp_path / "numbers" / os.fsdecode(b"\xff.ipynb")).write_text("")
    found, report = grade(tmp_path), (grading.GRADING / "report.txt").read_text()
    assert found["emoji"][0] == found["neighbour"][0] == [1, 1, 1]
    for student in ["pipe", "sparse", "device", "linked", "deep", "numbers"]:
        assert found.get(student, ([0, 0, 0],))[0] == [0, 0, 0], student
    for said in [
        "m\\udcfcller: 0 points", "a[1]: 0 points", "two\\nben 9 points: 0 points", "anna : 0 points",
        f"{'x' * 200} …: 0 points",
        "01_small.ipynb is larger than 10 MB", "01_small.ipynb: a pipe or a device, refused",
        "01_small.ipynb: a symbolic link, refused", "deeper: a symbolic link, refused",
        "a symbolic link, refused: put the folder itself here", "refused for its name: rename it",
        "\\udcff.ipynb: no exercise's name",
    ]:  # fmt: skip
        assert said in report, f"{said}\n{report}"
    assert "\nben 9" not in report
    before = (grading.GRADING / "grades.csv").read_bytes()
    assert grade(tmp_path) == found and before == (grading.GRADING / "grades.csv").read_bytes()


def test_folders_of_any_depth_and_length_are_looked_at(tmp_path):
    (tmp_path / "/".join("a" * 300)).mkdir(parents=True)
    for number in range(handins.ENTRIES):
        (tmp_path / f"{number}.txt").touch()
    (tmp_path / "zz.ipynb").touch()
    files, notes = handins.notebooks_in(tmp_path, {"zz"})
    assert list(files) == ["zz"] and notes == ["more than 10000 files and folders: what lies deeper was not looked at"]
    for number in range(100):
        (tmp_path / f"{number}.txt").unlink()
    files, notes = handins.notebooks_in(tmp_path, {"zz"})
    assert list(files) == ["zz"] and notes == ["folders in folders, more than 20: what lies deeper was not looked at"]


def test_last_week_s_marks_stay_where_a_folder_is_refused_now(course_of_two, tmp_path):
    hand_in(tmp_path, "late", RIGHT)
    assert grade(tmp_path)["late"][0] == [1, 1, 1]
    (tmp_path / "late").rename(tmp_path / "elsewhere")
    (tmp_path / "late").symlink_to(tmp_path / "elsewhere")
    points, report = grade(tmp_path)["late"]
    assert points == [1, 1, 1] and "a symbolic link, refused" in report


def test_reports_are_whole_or_as_before(course_of_two, tmp_path, monkeypatch):
    hand_in(tmp_path, "anna", RIGHT)
    grade(tmp_path)
    before = {name: (grading.GRADING / name).read_bytes() for name in ("grades.csv", "report.txt")}

    def half(folder, *rest):
        (folder / "grades.csv").write_text("student,")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(marks, "write", half)
    with pytest.raises(OSError, match="No space left"):
        grade(tmp_path)
    assert before == {name: (grading.GRADING / name).read_bytes() for name in before}
    assert not [path for path in grading.GRADING.iterdir() if path.name.startswith("tmp")]


def test_without_a_wall_nothing_is_graded_unless_asked(course_of_two, tmp_path, monkeypatch):
    hand_in(tmp_path, "nobody", RIGHT)
    monkeypatch.setenv("PATH", str(tmp_path))
    why = wall.probe()
    assert why.startswith("bwrap was not found: install bubblewrap")
    with pytest.raises(SystemExit) as stopped:
        grading.grade(tmp_path, 30)
    assert why in str(stopped.value) and "ARGS=--trust-students" in str(stopped.value)
    assert not (grading.GRADING / "records/nobody.json").exists()


@pytest.mark.skipif(grading.sys.platform != "linux", reason="orphans can be had back on Linux alone")
def test_what_lost_its_parent_is_ended_too(course_of_two, tmp_path):
    stay = "import subprocess\nsubprocess.Popen(['sleep', '87654.321'], start_new_session=True)"
    hand_in(tmp_path, "orphan", RIGHT | {"q2": f"four = 4\n{stay}"})
    bystander = subprocess.Popen(["sleep", "60"])
    grading.grade(tmp_path, 30, trusted=True)
    left = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert bystander.poll() is None and not [words for words in left if "87654.321" in words]
    bystander.kill()
    bystander.wait()
    record = json.loads((grading.GRADING / "records/orphan.json").read_text())["01_small"]
    assert [points for points, _, _ in record["answers"].values()] == [1, 1, 1], record


@walled
def test_what_is_sent_past_jupyter_fills_no_memory(course_of_two, tmp_path, monkeypatch):
    monkeypatch.setattr(wall, "GRADER", 400 << 20)
    send = """import os, select, socket, struct, time
def peer(number):
    try:
        one = socket.socket(fileno=os.dup(number))
        listens = one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        return one.family == socket.AF_UNIX and not listens and str(one.getsockname()).endswith("-2")
    except OSError:
        return False
number = next(n for n in map(int, os.listdir("/proc/self/fd")) if peer(n))
time.sleep(1)
frame = memoryview(struct.pack(">BQ", 3, 4 << 20) + bytes(4 << 20))  # more is to come, of the one message
sent, end = 0, time.monotonic() + 25
while sent < 600 << 20 and time.monotonic() < end:
    select.select([], [number], [], 1)
    try:
        sent += os.write(number, frame[sent % len(frame):])
    except BlockingIOError:
        pass
time.sleep(20)"""
    hand_in(tmp_path, "sender", RIGHT | {"q2": f"four = 4\n{send}"})
    points, report = grade(tmp_path)["sender"]
    assert points == [0, 0, 0] and "not graded: its kernel sent more than there is room for" in report


@walled
def test_folders_that_the_wall_would_show_are_refused(course_of_two, monkeypatch):
    for shows in ROOT / "data", ROOT / "utils":
        with pytest.raises(SystemExit, match=f"behind it {shows} can be seen: move that out of"):
            grading.grade(shows, 30)


def test_without_the_wall_code_runs_as_the_teacher(course_of_two, tmp_path):
    hand_in(tmp_path, "trusted", RIGHT | {"q2": f"import os\nfour = 4 if os.path.exists({str(ROOT)!r}) else 0"})
    grading.grade(tmp_path, 30, trusted=True)
    record = json.loads((grading.GRADING / "records/trusted.json").read_text())["01_small"]
    assert [points for points, _, _ in record["answers"].values()] == [1, 1, 1], record


@walled
def test_a_bubblewrap_that_is_too_old_or_forbidden_is_said(tmp_path, monkeypatch):
    for says, expected in ("Unknown option --size", "too old"), ("Operation not permitted", "forbid user namespaces"):
        (tmp_path / "bwrap").write_text(f"#!/bin/sh\necho 'bwrap: {says}' >&2\nexit 1\n")
        (tmp_path / "bwrap").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        assert expected in wall.probe()
    (tmp_path / "bwrap").write_text("#!/bin/sh\n")
    assert f"this bwrap runs nothing, found {tmp_path}/bwrap" in wall.probe()
    ended = functools.partial(wall.subprocess.run, ["sleep", "9"], timeout=1)
    monkeypatch.setattr(wall.subprocess, "run", lambda *words, **settings: ended())
    assert wall.probe() == "bwrap had not ended after 1 s"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("np.allclose = print", "np.allclose = …"),
        ("setattr(np.random, 'rand', 1)", "setattr(np.random, …)"),
        ("setattr(self, 'x', 1)", None),
        ("s = setattr; s(np, 'x', 1)", "setattr"),
        ("map(setattr, [np], 'x', [1])", "setattr"),
        ("type(x); getattr(x, 'y')", None),
        ("type('E', (), {'_' * 2 + 'eq' + '_' * 2: 1})", "type(…, …)"),
        ("getattr(np, 'sy' + 's')", "getattr(np, …)"),
        ("def print(*a): pass", "print = …"),
        ("del utils.VOID", "utils.VOID = …"),
        ("!ls", "lines that are no Python"),
        ("x" + ".a" * 900 + " = 1", "x" + 99 * ".a" + ". …"),
        ("exit._ip.kernel", "_ip, exit"),
        ("np.sys.modules['IPython']", "IPython, modules, sys"),
        ("class U:\n    def __eq__(self, other):\n        return True", "__eq__"),
        ("class U:\n    @property\n    def __class__(self):\n        return float", "__class__"),
        ("class U:\n    __array_function__ = print", "__array_function__"),
        ("getattr(np, 'sys'); getattr(x, 'open')", "sys"),
        ("f = {'__globals__': 1}", "__globals__"),
        ("import numpy\nnumpy.allclose = 1", "numpy.allclose = …"),
        ("import numpy as np\nimport math as isclose", None),
        ("from math import isclose as np", "np = …"),
        ("from mxnet import np", "np = …"),
        ("from mxnet import autograd, gluon\nfrom math import isclose", None),
        ("try:\n    pass\nexcept ValueError as np:\n    pass", "np = …"),
        ("f().x = 1", "(…).x = …"),
        ("import os.path", "os"),
        ("from subprocess import run", "subprocess"),
        ("f.__globals__['x']", "__globals__"),
        ("open('x')", "open"),
        ("Image.open('x'); x = np.zeros(3); x[0] = 1; net.compile()", None),
        ("class Net(nn.Block):\n    def __init__(self):\n        super().__init__()", None),
        ("this is no Python", "lines that are no Python"),
    ],
)
def test_what_the_teacher_is_told_to_read(source, said):
    given = nbformat.v4.new_notebook(
        cells=[
            cell("setup", "import utils\nimport numpy as np\nfrom mxnet import nd"),
            cell("q1", "### BEGIN SOLUTION"),
        ]
    )
    mine = nbformat.v4.new_notebook(cells=[given.cells[0], cell("q1", source)])
    expected = [f"q1: read it, it has {said}"] if said else []
    assert handins.to_read(mine, given) == expected


def test_long_answers_and_odd_files_are_judged_in_seconds():
    release = nbformat.v4.new_notebook(cells=[cell("q1", "### BEGIN SOLUTION")])

    def seconds(cells, expected=None):
        data, start = json.dumps({"cells": cells}).encode(), time.process_time()
        if expected:
            with pytest.raises(ValueError, match=expected):
                handins.parsed(data)
        else:
            handins.to_read(handins.rebuilt(handins.parsed(data), release)[0], release)
        return time.process_time() - start

    def code(source, **more):
        return {"cell_type": "code", "source": source, "metadata": {}} | more

    assert seconds([code("x = !ls\n" * 50 + "a = 1\n" * 16_000)]) < 5
    assert seconds([code("x?\n" * 50) for _ in range(600)]) < 5
    assert seconds([code("", outputs=[{}] * 100_000, metadata={"a": [{}] * 100_000})]) < 5
    assert seconds([code("", id="a")] * 100_000, "100000 cells, expected at most 1000") < 5
    assert seconds([code("a" * 60_000)] * 2, "more than 100000 characters") < 5


def test_the_course_s_own_solutions_need_no_reading():
    for path in sorted((ROOT / "chapters/exercises").glob("*.ipynb")):
        notebook = nbformat.read(path, 4)
        release = grading.notebooks.without_solutions(nbformat.read(path, 4))
        handed_in, _ = handins.rebuilt(notebook, release)
        assert handins.to_read(handed_in, release) == [], path.name
