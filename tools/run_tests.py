"""`make test`: lint, unit tests, the book, every chapter and every solution, with the time of each part.

All parts run, whatever fails; the command fails if one of them did. Parts named as arguments run alone. With --all
(`make test-all`) the long tests follow, and what tests report (kills survived, what each fault printed) goes to
build/test-all.txt with the times.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON = sys.executable
# nbval runs each notebook in its own folder and stops at nothing but a failing cell; output is compared
# where a cell is tagged nbval-check-output
NBVAL = [PYTHON, "-m", "pytest", "-q", "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=900"]
NBVAL += ["-p", "no:cacheprovider", "-W", "default"]


def parts(everything):
    """Name and command of each part, in order."""
    yield "lint", [PYTHON, "-m", "ruff", "check", "."]
    yield "format", [PYTHON, "-m", "ruff", "format", "--check", "."]
    yield "tests", [PYTHON, "-m", "pytest", "-q", "tests", "--durations=5"]
    yield "book", [PYTHON, "-m", "pytest", "-q", "-m", "book", "-rs", "tests", "--durations=5"]
    for folder in "chapters", "chapters/exercises":
        paths = sorted((ROOT / folder).glob("[0-9][0-9]_*.ipynb"))
        yield folder, [*NBVAL, "--durations=5", *(str(path.relative_to(ROOT)) for path in paths)]
    if everything:
        yield "long tests", [PYTHON, "-m", "pytest", "-q", "-m", "long", "tests", "--durations=0"]


def main():
    everything, wanted = "--all" in sys.argv, [word for word in sys.argv[1:] if word != "--all"]
    target, rows, report = "make test-all" if everything else "make test", [], ROOT / "build" / "test-all.txt"
    environment = dict(os.environ)
    if everything:
        report.parent.mkdir(exist_ok=True)
        report.write_text("", encoding="utf-8")
        environment["COURSE_REPORT"] = str(report)
    if unknown := set(wanted) - {name for name, _ in parts(everything)}:
        sys.exit(f"no part {', '.join(unknown)}: there are {', '.join(name for name, _ in parts(everything))}")
    for name, command in parts(everything):
        if wanted and name not in wanted:
            continue
        print(f"\n=== {name}", flush=True)
        start = time.time()
        with tempfile.TemporaryDirectory() as kept:  # nothing that was trained before counts
            code = subprocess.run(command, cwd=ROOT, env=environment | {"COURSE_KEPT": kept}).returncode
        rows.append((name, code, time.time() - start))
    table = [f"{name:20} {'passed' if code == 0 else 'FAILED':8} {seconds:6.0f} s" for name, code, seconds in rows]
    table = "\n".join([*table, f"{'together':29} {sum(row[2] for row in rows):6.0f} s"])
    if everything:
        with report.open("a", encoding="utf-8") as file:
            file.write(f"\n{table}\n")
        print(f"\n=== {report.relative_to(ROOT)}\n{report.read_text(encoding='utf-8')}")
    print(f"\n=== {target}, by part\n{table}")
    sys.exit(any(code for _, code, _ in rows))


if __name__ == "__main__":
    main()
