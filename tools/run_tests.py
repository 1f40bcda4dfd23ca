"""`make test`: lint, unit tests, every chapter and every solution, with the time of each part.

All parts run, whatever fails; the command fails if one of them did. Parts named as arguments run alone.
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


def parts():
    """Name and command of each part, in order."""
    yield "lint", [PYTHON, "-m", "ruff", "check", "."]
    yield "format", [PYTHON, "-m", "ruff", "format", "--check", "."]
    yield "tests", [PYTHON, "-m", "pytest", "-q", "tests", "--durations=5"]
    for folder in "chapters", "chapters/exercises":
        paths = sorted((ROOT / folder).glob("[0-9][0-9]_*.ipynb"))
        yield folder, [*NBVAL, "--durations=5", *(str(path.relative_to(ROOT)) for path in paths)]


def main():
    rows, wanted = [], sys.argv[1:]
    if unknown := set(wanted) - {name for name, _ in parts()}:
        sys.exit(f"no part {', '.join(unknown)}: there are {', '.join(name for name, _ in parts())}")
    for name, command in parts():
        if wanted and name not in wanted:
            continue
        print(f"\n=== {name}", flush=True)
        start = time.time()
        with tempfile.TemporaryDirectory() as kept:  # nothing that was trained before counts
            code = subprocess.run(command, cwd=ROOT, env=os.environ | {"COURSE_KEPT": kept}).returncode
        rows.append((name, code, time.time() - start))
    print("\n=== make test, by part")
    for name, code, seconds in rows:
        print(f"{name:20} {'passed' if code == 0 else 'FAILED':8} {seconds:6.0f} s")
    print(f"{'together':29} {sum(row[2] for row in rows):6.0f} s")
    sys.exit(any(code for _, code, _ in rows))


if __name__ == "__main__":
    main()
