"""`make bench`: measures each side in turn, round after round, and writes what came out.

.venv/bin/python -m benchmarks.run                     everything: results.csv, README.md's tables, figure.png
.venv/bin/python -m benchmarks.run training loading    these parts anew, the others as results.csv has them
.venv/bin/python -m benchmarks.run --quick             everything, tiny, into build/bench/quick: does it work?
"""

import argparse
import datetime
import importlib.metadata
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import time

import psutil

from . import figure, plan, report
from .processes import ROOT, WORK, Elsewhere, Process, alternate

HERE = pathlib.Path(__file__).resolve().parent
TORCH = ROOT / ".venv-bench"
PINNED = HERE / "torch.txt"


def measure_part(name, part, cores, log, say):
    """Rows of one part."""
    rows, today = [], datetime.date.today().isoformat()

    def start(side):
        process = Process(side.program, cores, log)
        process.ask(side, part.seconds, prepare=True)
        return process

    def ask(process, side):
        elsewhere = Elsewhere(process.pid)
        return process.ask(side, part.seconds) | {"elsewhere": elsewhere.cores()}

    for task, sides in part.tasks.items():
        begun = time.perf_counter()
        found = alternate(sides, part.rounds, start, ask, lambda text, *keep: say(f"{name}, {text}", *keep), part.fresh)
        place = {side.name: i for i, side in enumerate(sides)}
        for side, number, numbers in sorted(found, key=lambda row: (place[row[0]], row[1])):
            rows.append({"part": name, "task": task, "side": side, "round": number, "date": today} | numbers)
        say(f"{name}, {task}: {time.perf_counter() - begun:.0f} s", True)
    return rows


def about(cores):
    """What the numbers depend on, but the course itself: machine and versions."""
    names = "mxnet", "onnxruntime", "numpy", "pillow"
    versions = {name: importlib.metadata.version(name) for name in names}
    folders = [str(path) for path in TORCH.glob("lib/python*/site-packages")]
    for torch in importlib.metadata.distributions(name="torch", path=folders):
        versions["torch"] = torch.version
    memory = f"{psutil.virtual_memory().total / 2**30:.0f} GB"
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return {"processor": _processor(), "cores": str(cores), "memory": memory, "system": system} | versions


def _processor():
    info = pathlib.Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def set_up_torch(say):
    """.venv-bench with what torch.txt names, where it is not there yet, from the package index TORCH_INDEX or pip's."""
    marker, wanted = TORCH / PINNED.name, PINNED.read_text()  # written last, so a set-up cut short is made anew
    if marker.is_file() and marker.read_text() == wanted:
        return
    say(f"setting up {TORCH.name}: {', '.join(wanted.split())} …", True)
    index = ["--index-url", os.environ["TORCH_INDEX"]] if os.environ.get("TORCH_INDEX") else []
    subprocess.run([sys.executable, "-m", "venv", "--clear", TORCH], check=True)
    pip = [TORCH / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, *index, "-r", PINNED]).returncode:
        shutil.rmtree(TORCH)
        say("PyTorch could not be installed: its sides are left out", True)
        return
    marker.write_text(wanted)


def say(text, keep=False):
    """A line of its own, or one that the next replaces where that can be seen."""
    if keep or sys.stdout.isatty():
        print(f"\r\033[K{text}" if sys.stdout.isatty() else text, end="\n" if keep else "", flush=True)


def arguments(words):
    """The command line, checked."""
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    names = ", ".join(plan.parts())
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{names}; without any, all of them")
    parser.add_argument("--quick", action="store_true", help="tiny, nothing compiled: does it work?")
    given = parser.parse_args(words)
    if unknown := set(given.parts) - set(plan.parts()):
        parser.error(f"no part {', '.join(sorted(unknown))}: there are {names}")
    return given


def main(words=None):
    given, begun = arguments(words), time.time()
    folder, parts = WORK / "quick" if given.quick else HERE, plan.parts(given.quick)
    wanted = [name for name in parts if name in given.parts or not given.parts]
    folder.mkdir(parents=True, exist_ok=True)
    WORK.mkdir(parents=True, exist_ok=True)
    if any(side.program == "PyTorch" for name in wanted for sides in parts[name].tasks.values() for side in sides):
        set_up_torch(say)
    cores = physical_cores()
    here, kept = about(cores), []
    if given.parts and (folder / "results.csv").is_file():
        there, kept = report.read(folder / "results.csv")
        if there != here:
            differ = "; ".join(f"{k}: {there.get(k)}, now {here.get(k)}" for k in here if there.get(k) != here.get(k))
            sys.exit(f"{folder / 'results.csv'} is of another machine or other versions ({differ}): measure all parts")
    busy = psutil.cpu_percent(2) / 100 * psutil.cpu_count()
    if busy > 0.1:
        say(f"Something else keeps {busy:.1f} processor cores busy: end it, or trust ratios only", True)
    rows = []
    with (WORK / "log.txt").open("w") as log:
        for name in parts:
            old = [row for row in kept if row["part"] == name]
            rows += measure_part(name, parts[name], cores, log, say) if name in wanted else old
    write(folder, here, rows)
    print("\n" + report.tables(here, rows))
    print(f"{(time.time() - begun) / 60:.1f} minutes; in {folder}: results.csv, README.md, figure.png")


def write(folder, here, rows):
    """The three files."""
    report.write(folder / "results.csv", here, rows)
    readme = folder / "README.md"
    if not readme.is_file():
        readme.write_text(f"{report.BEGIN}\n{report.END}\n")
    report.into_readme(readme, report.tables(here, rows))
    figure.draw(folder / "figure.png", rows)


def physical_cores():
    """As `utils` counts them, asked in a process of its own: `import utils` sets this process's threads."""
    code = "import utils; print(utils.physical_cores())"
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, check=True)
    return int(found.stdout)


if __name__ == "__main__":
    main()
