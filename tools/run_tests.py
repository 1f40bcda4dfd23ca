"""`make test`: lint, unit tests, the book, every chapter and every solution, with the time of each part.

Two jobs run at a time, longest first, each on one thread: together they do up to twice the work of one on two threads.
What a job prints comes when it ends. All jobs run, whatever fails; the command fails if one of them did. Parts named
as arguments run alone. With --all (`make test-all`) the long tests follow and jobs run one at a time on all cores, as
readers run chapters; what tests report (kills survived, what each fault printed) goes to build/test-all.txt.
"""

import contextlib
import os
import pathlib
import signal
import sys
import tempfile
import time
import typing

import notebooks
import psutil

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTEST = [sys.executable, "-m", "pytest", "-q"]
# nbval runs each notebook in its own folder and stops at nothing but a failing cell; output is compared
# where a cell is tagged nbval-check-output
NBVAL = [*PYTEST, "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=900", "--durations=5"]
NBVAL += ["-p", "no:cacheprovider", "-p", "tests.kernel_starts", "-W", "default"]
TOGETHER = [["08", "09"]]  # chapters that are one job: 09 begins with the net that 08 trained and kept
SHORT = 60  # seconds: notebooks that take less are one job, since nbval takes seconds to start
# A third of the tests' time, so that they are two jobs
FIRST = ["chapters", "checkpoint", "commands", "grading"]
SOLUTIONS = {"08": 240, "09": 90, "10": 80}  # seconds of exercises; others take less than their chapters
PATIENCE = 10  # seconds that interrupted jobs have to end by themselves
PARTS = ["lint", "format", "tests", "book", "chapters", "chapters/exercises", "long tests"]


class Job(typing.NamedTuple):
    part: str
    name: str
    command: list
    seconds: float  # about, to begin with the longest


def jobs():
    """Everything that can be asked for."""
    at_once = float("inf")  # it takes a second: first, though it isn't long
    yield Job("lint", "ruff check", [sys.executable, "-m", "ruff", "check", "."], at_once)
    yield Job("format", "ruff format", [sys.executable, "-m", "ruff", "format", "--check", "."], at_once)
    first = [f"tests/test_{name}.py" for name in FIRST]
    yield Job("tests", f"of {', '.join(FIRST)}", [*PYTEST, *first, "--durations=5"], 240)
    rest = [f"--ignore={path}" for path in first]
    yield Job("tests", "all others", [*PYTEST, "tests", *rest, "--durations=5"], 520)
    book = [*PYTEST, "-m", "book", "-rs", "tests/test_book.py", "tests/test_slides.py", "--durations=5"]
    yield Job("book", "the book", book, 150)
    for folder, one_job in ("chapters", TOGETHER), ("chapters/exercises", []):
        for paths in shared_out(notebooks.find(folder=ROOT / folder), one_job):
            words = [str(path.relative_to(ROOT)) for path in paths]
            numbers = ", ".join(path.name[:2] for path in paths)
            yield Job(folder, numbers, [*NBVAL, *words], sum(map(seconds, paths)))
    yield Job("long tests", "long tests", [*PYTEST, "-m", "long", "tests", "--durations=0"], 0)


def seconds(path):
    """About what a notebook takes."""
    number = path.name[:2]
    if path.parent.name == "exercises" and number in SOLUTIONS:
        return SOLUTIONS[number]
    return notebooks.measured(notebooks.find(number)[0])


def shared_out(paths, one_job):
    """Lists of notebooks that are a job each: those of `one_job`, other long ones alone, the short ones together."""
    groups = [[path for path in paths if path.name[:2] in numbers] for numbers in one_job]
    rest = [path for path in paths if not any(path in group for group in groups)]
    groups.append([path for path in rest if seconds(path) < SHORT])
    return [*groups, *([path] for path in rest if seconds(path) >= SHORT)]


def run(chosen, environment, workers):
    """Run jobs, longest first; yields (job, exit code, seconds, what it printed) as they end."""
    waiting, running = sorted(chosen, key=lambda job: -job.seconds), []
    with tempfile.TemporaryDirectory() as outputs, tempfile.TemporaryDirectory() as kept:
        environment = environment | {"COURSE_KEPT": kept}  # nothing that was trained before counts
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    job = waiting.pop(0)
                    path = pathlib.Path(outputs, str(len(waiting)))
                    print(f"begun: {job.part}, {job.name}", flush=True)
                    with path.open("w") as file:
                        process = psutil.Popen(
                            job.command, cwd=ROOT, env=environment, stdout=file, stderr=file, start_new_session=True
                        )
                    running.append((job, process, time.time(), path))
                for row in [row for row in running if row[1].poll() is not None]:
                    running.remove(row)
                    job, process, start, path = row
                    seconds = time.time() - start
                    yield job, process.returncode, seconds, path.read_text(encoding="utf-8", errors="replace")
                time.sleep(0.05)
        finally:
            end([process for _, process, _, _ in running])


def end(processes):
    """End jobs as Ctrl-C does, and soon after whatever of them still runs, such as a kernel."""
    family = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            family += [process, *process.children(recursive=True)]
            process.send_signal(signal.SIGINT)
    for one in psutil.wait_procs(family, timeout=PATIENCE)[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()


def main():
    everything, wanted = "--all" in sys.argv, [word for word in sys.argv[1:] if word != "--all"]
    target, report = "make test-all" if everything else "make test", ROOT / "build" / "test-all.txt"
    parts = PARTS if everything else PARTS[:-1]
    if unknown := set(wanted) - set(parts):
        sys.exit(f"no part {', '.join(unknown)}: there are {', '.join(parts)}")
    chosen = [job for job in jobs() if job.part in (wanted or parts)]
    environment, workers = dict(os.environ), 1 if everything else min(2, os.cpu_count())
    if everything:
        report.parent.mkdir(exist_ok=True)
        report.write_text("", encoding="utf-8")
        environment["COURSE_REPORT"] = str(report)
    elif workers == 2:
        environment["OMP_NUM_THREADS"] = "1"
    for number in signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, signal.default_int_handler)  # these end its jobs too
    print(f"{len(chosen)} jobs, {workers} at a time; what each prints comes when it ends", flush=True)
    rows, begin = [], time.time()
    try:
        for job, code, seconds, printed in run(chosen, environment, workers):
            rows.append((job.part, code, seconds))
            print(f"\n=== {job.part}: {job.name}, {seconds:.0f} s\n{printed}", end="", flush=True)
    except KeyboardInterrupt:
        sys.exit("interrupted")
    table = ""
    for part in parts:
        mine = [row for row in rows if row[0] == part]
        if mine:
            state = "FAILED" if any(code for _, code, _ in mine) else "passed"
            table += f"{part:20} {state:8} {sum(seconds for _, _, seconds in mine):6.0f} s\n"
    table += f"{'together, by the clock':29} {time.time() - begin:6.0f} s\n"
    if everything:
        with report.open("a", encoding="utf-8") as file:
            file.write(f"\n{table}")
        print(f"\n=== {report.relative_to(ROOT)}\n{report.read_text(encoding='utf-8')}")
    print(f"\n=== {target}, by part\n{table}", end="")
    sys.exit(any(code for _, code, _ in rows))


if __name__ == "__main__":
    main()
