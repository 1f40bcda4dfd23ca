"""Sides as processes that take turns."""

import contextlib
import json
import os
import pathlib
import subprocess
import time

import psutil

from . import plan

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "bench"

OURS = {"OMP_NUM_THREADS", *plan.KEEP}  # variables that the sides are given, or not


class SideError(Exception):
    """Why a side cannot be measured."""


class Process:
    """A side that waits for what to measure. log: a file for what its libraries print."""

    def __init__(self, name, cores, log):
        program = plan.PROGRAMS[name]
        python = ROOT / program.environment / "bin" / "python"
        if not python.is_file():
            raise SideError(f"there is no {program.environment} here")
        environment = {key: value for key, value in os.environ.items() if key not in OURS}
        environment |= {"TORCHINDUCTOR_CACHE_DIR": str(WORK / "inductor"), "PYTHONWARNINGS": "ignore"}
        environment |= program.settings
        if program.all_cores:
            environment["OMP_NUM_THREADS"] = str(cores)
        command, pipe = [python, "-m", f"benchmarks.{program.module}"], subprocess.PIPE
        self._popen = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=log, cwd=ROOT, env=environment, text=True
        )
        self.pid = self._popen.pid

    def ask(self, side, seconds, prepare=False):
        """One measurement (or, first, the preparation for it): seconds of a call, its items, and megabytes so far."""
        asked = {"what": side.what, "options": side.options, "seconds": seconds, "prepare": prepare}
        try:
            self._popen.stdin.write(json.dumps(asked) + "\n")
            self._popen.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: there is no answer
        line = self._popen.stdout.readline()
        if not line:
            raise SideError(f"it ended with exit code {self._popen.wait()} (its last words: {WORK / 'log.txt'})")
        answer = json.loads(line)
        if "error" in answer:
            raise SideError(f"{answer['error']} (more in {WORK / 'log.txt'})")
        return answer

    def close(self):
        """End it: its input ending is the sign."""
        try:
            self._popen.stdin.close()
            self._popen.wait(30)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self._popen.kill()
            self._popen.wait()
        self._popen.stdout.close()


class Elsewhere:
    """How many processor cores are busy with anything but one process and its children."""

    def __init__(self, pid):
        self._process = psutil.Process(pid)
        self._start, self._before = time.perf_counter(), self._seconds()

    def cores(self):
        """Since this was made, on average."""
        return max(0.0, self._seconds() - self._before) / (time.perf_counter() - self._start)

    def _seconds(self):
        machine, own = psutil.cpu_times(), 0.0
        for process in [self._process, *self._process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):  # a child that has ended since
                own += sum(process.cpu_times()[:4])  # user, system, and both of children that have ended
        busy = "user", "nice", "system", "irq", "softirq", "steal"  # steal: taken by other guests of the same host
        return sum(getattr(machine, kind, 0.0) for kind in busy) - own


def alternate(sides, rounds, start, ask, say, fresh=False):
    """[(side's name, round, numbers)]: one measurement of each side a round, every other round backwards.

    start(side) begins a process, ask(process, side) measures; a process has close(). Either may raise a SideError:
    that side is named, and left out from there on. fresh: each measurement has a process of its own; otherwise all
    sides are begun before the first round, and wait for their turns.
    """
    found, running, left = [], {}, list(sides)
    try:
        for number in range(1 if fresh else 0, rounds + 1):
            for side in list(left if number % 2 else left[::-1]):
                say(f"{f'round {number} of {rounds}' if number else 'beginning'}: {side.name}")
                try:
                    if side.name not in running:
                        running[side.name] = start(side)
                    if number:
                        found.append((side.name, number, ask(running[side.name], side)))
                    if fresh:
                        running.pop(side.name).close()
                except SideError as error:
                    say(f"{side.name}: left out: {error}", True)
                    left.remove(side)
    finally:
        for process in running.values():
            process.close()
    return found
