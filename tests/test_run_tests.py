"""`make test` itself: what failed is shown and counts, long jobs begin first, an interrupt leaves nothing running."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import kernel_starts
import nbval.kernel
import psutil
import pytest
import run_tests
from conftest import ROOT
from jupyter_client.connect import LocalPortCache
from run_tests import Job


def shell(part, command, seconds=1):
    return Job(part, command, ["sh", "-c", command], seconds)


def main(monkeypatch, jobs, *words):
    """Its exit code, for other jobs."""
    monkeypatch.setattr(run_tests, "jobs", lambda: jobs)
    monkeypatch.setattr(sys, "argv", ["run_tests.py", *words])
    monkeypatch.setattr(signal, "signal", lambda *words: None)  # of this process
    with pytest.raises(SystemExit) as stop:
        run_tests.main()
    return stop.value.code


def test_one_failure_is_shown_and_fails_the_command(monkeypatch, capsys):
    jobs = [shell("lint", "echo fine"), shell("tests", "echo whole words; exit 3"), shell("tests", "true")]
    assert main(monkeypatch, jobs) == 1
    out = capsys.readouterr().out
    assert "=== tests: echo whole words; exit 3, 0 s\nwhole words\n" in out and "fine\n" in out
    table = out.split("by part\n")[1].splitlines()
    assert [line.split()[:2] for line in table[:2]] == [["lint", "passed"], ["tests", "FAILED"]]


def test_a_part_runs_alone_and_another_name_is_refused(monkeypatch, capsys):
    jobs = [shell("lint", "exit 1"), shell("book", "echo only")]
    assert not main(monkeypatch, jobs, "book")
    out = capsys.readouterr().out
    assert "only\n" in out and "lint" not in out
    assert "no part boook: there are lint, format" in main(monkeypatch, jobs, "boook")


def test_two_at_a_time_longest_first_in_one_folder_of_kept_nets():
    jobs = [shell("a", f"sleep 0.3; echo $COURSE_KEPT {i}", seconds=i) for i in range(4)]
    start = time.time()
    printed = [text.split() for _, _, _, text in run_tests.run(jobs, dict(os.environ), workers=2)]
    assert time.time() - start > 0.6 and {text[1] for text in printed[:2]} == {"3", "2"}
    folders = {text[0] for text in printed}
    assert len(folders) == 1 and not pathlib.Path(*folders).exists()


def test_every_notebook_and_every_test_is_in_a_job():
    words = {part: [] for part in run_tests.PARTS}
    for job in run_tests.jobs():
        words[job.part] += job.command
    for folder in "chapters", "chapters/exercises":
        notebooks = [str(path.relative_to(ROOT)) for path in (ROOT / folder).glob("[0-9]*.ipynb")]
        assert sorted(word for word in words[folder] if word.endswith(".ipynb")) == sorted(notebooks)
    first = [word for word in words["tests"] if word.startswith("tests/")]
    assert first and all((ROOT / word).exists() for word in first)
    assert sorted(f"--ignore={word}" for word in first) == sorted(w for w in words["tests"] if "--ignore" in w)
    assert words["tests"].count("tests") == 1
    marked = re.compile(r"(?m)^(pytestmark = .*|@)pytest\.mark\.book\b")
    book = [path for path in sorted((ROOT / "tests").glob("*.py")) if marked.search(path.read_text("utf-8"))]
    assert [ROOT / word for word in words["book"] if word.startswith("tests/")] == book


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_all_children_those_in_sessions_of_their_own_too(tmp_path, number):
    """As kernels of notebooks are."""
    child = "import os, signal, time; os.setsid(); signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)"
    job = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}]).wait()"
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'tools')!r}); import run_tests; "
    code += f"run_tests.jobs = lambda: [run_tests.Job('tests', 'x', [sys.executable, '-c', {job!r}], 1)] * 2; "
    code += "run_tests.PATIENCE = 1; run_tests.main()"
    with (tmp_path / "out").open("w") as out:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=out, stderr=out)
    family, begin = [], time.time()
    while len(family) < 4:  # two jobs, a child each
        family = psutil.Process(process.pid).children(recursive=True)
        assert time.time() - begin < 60, (tmp_path / "out").read_text()
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(60) and "interrupted" in (tmp_path / "out").read_text()
    assert not psutil.wait_procs(family, timeout=10)[1]


@pytest.mark.parametrize("taken, dies", [(1, False), (0, True)])  # the iopub port, the shell's
def test_a_kernel_whose_port_another_process_took_is_started_again(monkeypatch, taken, dies):
    find, found = LocalPortCache.find_available_port, []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def find_port(self, ip):
            found.append(server.getsockname()[1] if len(found) == taken else find(self, ip))
            return found[-1]

        monkeypatch.setattr(LocalPortCache, "find_available_port", find_port)
        with pytest.warns(UserWarning, match="died before" if dies else "didn't respond in 5 seconds: started again"):
            manager, client = nbval.kernel.start_new_kernel(5, stderr=subprocess.DEVNULL)
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    assert len(found) == 10  # five ports of the first kernel, five of the second


def test_a_kernel_that_never_starts_is_an_error():
    tries = []

    def start():
        tries.append(1)
        raise RuntimeError("no answer")

    with pytest.warns(UserWarning), pytest.raises(RuntimeError, match="no answer"):
        kernel_starts.started_again(start)()
    assert len(tries) == kernel_starts.STARTS
