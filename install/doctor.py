"""`make check`: looks at this machine and at the set-up, changes nothing, says what to repair.

Runs before any set-up, by any Python from 3.6: standard library alone. What needs the packages is
asked of .venv's own Python (probe.py), the machine in system.py; machine.py the set-up uses too.
"""

import json
import os
import re
import sys

sys.dont_write_bytecode = True  # it changes nothing, so it leaves no __pycache__ either
import machine  # noqa: E402
import system  # noqa: E402
from machine import say  # noqa: E402
from system import fix, note, ok  # noqa: E402

MODULES = {  # packages that are imported to see whether they work
    "mxnet": "mxnet",
    "mxnet-cu112": "mxnet",
    "gluoncv": "gluoncv",
    "matplotlib": "matplotlib.pyplot",
    "opencv-python-headless": "cv2",
}
REDO = "make distclean, then make setup"

# ---- The Python and its set-up ----


def check_python():
    """.venv's Python; before the set-up, the one that the set-up would take."""
    state, reason = machine.setup_state()
    if state == "ok":
        _, version, _ = machine.run([machine.venv_python(), "--version"])
        return [ok("Python", version.strip() + " in .venv"), ok("set-up", ".venv is complete")]
    override = os.environ.get("PYTHON")
    found, rejected = machine.find_python(override)
    if found:
        rows = [ok("Python", f"{found.version}: {found.path}")]
    elif override:
        todo = "name a Python {}, or leave PYTHON= out".format(" or ".join(machine.WANTED))
        rows = [fix("Python", f"PYTHON={override}: {rejected[0].problem}", todo)]
    else:
        seen = [f"{c.path}: {c.problem}" for c in rejected]
        todo = "make setup lets uv bring a 3.11, which needs a network"
        rows = [note("Python", "no {} ({})".format(" or ".join(machine.WANTED), "; ".join(seen)), todo)]
    todo = REDO if state == "refuse" else "make setup"
    row = fix if os.path.isdir(machine.VENV) else note  # nothing is broken before the first set-up
    return rows + [row("set-up", ".venv: " + reason, todo)]


# ---- What is asked of .venv ----


def probe():
    """What probe.py found inside .venv, in one dictionary; empty where it could not run."""
    found = {"packages": {}, "imports": {}, "failed": {}, "opencv_python": False}
    found.update(dict.fromkeys(("cores", "gpus", "kernel", "figure")))
    if machine.setup_state()[0] in ("build", "refuse"):
        found["failed"]["draw"] = ".venv is not set up"
        return found
    settings = dict(os.environ)
    if not settings.get("OMP_NUM_THREADS", "1").isdigit():  # a row of its own: not the probe's end
        del settings["OMP_NUM_THREADS"]
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe.py")
    code, out, err = machine.run([machine.venv_python(), script], 180, env=settings)
    importing = None
    for line in (line[1:] for line in out.splitlines() if line.startswith("@{")):
        finding = json.loads(line)
        importing = finding.get("importing")
        if "package" in finding:
            found["packages"][finding["package"]] = finding["expected"], finding["found"]
        elif "imported" in finding:
            found["imports"][finding["imported"]] = finding["error"], finding["not_found"]
        elif "failed" in finding:
            found["failed"][finding["failed"]] = finding["error"]
        found.update((name, value) for name, value in finding.items() if name in found and name != "failed")
    if importing:  # told before the import, and nothing after: the process died of it
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        reason = f"it ends Python ({how}): {machine.last_line(err)}"
        found["imports"][importing] = reason, []
    return found


def direct_packages():
    """The packages that pyproject.toml names, comments left out."""
    text = re.sub(r"#.*", "", machine.read(machine.PYPROJECT)).split("[tool.")[0]
    return re.findall(r"[\"']([A-Za-z0-9._-]+)\s*(?:==|>=|~=|<)", text)


def check_packages(findings):
    """A line for each package that pyproject.toml names, and for each other not as locked."""
    rows, direct, good, bad = [], direct_packages(), 0, []
    state = machine.setup_state()[0]
    todo = REDO if state == "ok" else "make setup"
    if state in ("ok", "complete") and not findings["packages"]:
        error = findings["failed"].get("packages", "no answer from .venv's Python")
        return [fix("packages", "cannot be looked at: " + error, todo)]
    for name, (expected, found) in findings["packages"].items():
        error, not_found = findings["imports"].get(MODULES.get(name), ("", []))
        locked = [missing for missing in not_found if missing in findings["packages"]]
        needed = [*system.LIBRARIES, *system.MXNET_NEEDS["aarch64"], "libcuda.so.1"]
        library = next((lib for lib in needed if lib in error), None)
        if found != expected:
            row = fix(name, "{}, expected {}".format(found or "missing", expected), "make setup")
            (rows if name in direct else bad).append(row)
        elif error:
            reason = "no module {}".format(", ".join(locked)) if locked else error
            found = "{} does not import: {}".format(found, " ".join(reason.split())[:200])
            rows.append(fix(name, found, system.remedy(library) if library else todo))
        elif name in direct:
            rows.append(ok(name, found + (", imports" if name in MODULES else "")))
        else:
            good += 1
    if len(bad) > 3:
        bad = [fix("other packages", f"{len(bad)} missing or not as locked", "make setup")]
    return rows + bad + ([ok("other packages", f"{good}, as locked")] if good else [])


def check_kernel(findings):
    """JupyterLab's `python3` is .venv's Python, not a kernel of that name from elsewhere."""
    if not findings["packages"]:
        return []
    found = findings["kernel"]
    if not found:
        return [fix("Jupyter kernel", "none named python3", "make setup")]
    if os.path.abspath(os.path.dirname(found)) == os.path.dirname(machine.venv_python()):
        return [ok("Jupyter kernel", "python3 is .venv's")]
    todo = "make lab from a shell without JUPYTER_PATH; or: jupyter kernelspec remove python3"
    return [fix("Jupyter kernel", f"python3 runs {found}, expected .venv's Python", todo)]


def check_horovod():
    """An extra, so nothing is wrong where it is missing; it breaks where MXNet was changed after it was built."""
    found = [name for name in machine.installed() if name.startswith("horovod-")]
    if not found:
        return [
            ok("Horovod", "not built: chapter 17 then runs on MXNet's own store (make setup WITH=horovod builds it)")
        ]
    version = found[0].split("-")[1]
    code, _, error = machine.run([machine.venv_python(), "-c", "import horovod.mxnet"], 60)
    if code != 0:
        todo = ".venv/bin/python -m pip uninstall -y horovod, then make setup WITH=horovod"
        return [fix("Horovod", f"{version} does not import: {machine.last_line(error)}", todo)]
    return [ok("Horovod", f"{version}, imports")]


# ---- The table ----


def show(row):
    colour = {"OK": "32", "note": "33", "FIX": "31"}[row.mark]
    mark = row.mark.ljust(4)
    if sys.stdout.isatty():
        mark = f"\033[{colour}m{mark}\033[0m"
    say(f"{mark}  {row.what:22}  {row.found}" + (row.todo and "  -> " + row.todo))


def rows(found):
    """Every row of the table. A check that fails itself is a row too, never a traceback."""
    checks = [system.check_platform, system.check_folder, system.check_disk, system.check_memory]
    checks += [system.check_shared]
    checks += [lambda: system.check_libraries(found), lambda: system.check_threads(found)]
    checks += [lambda: system.check_gpu(found), system.check_data]  # the causes come before what they cause
    checks += [check_python, lambda: check_packages(found), lambda: check_kernel(found)]
    checks += [check_horovod]
    for check in checks:
        try:
            yield from check()
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            yield fix("a check", "could not be made: " + what, "show this line to your teacher")


def main():
    say("Looking at this machine and at .venv (importing MXNet takes some seconds) ...")
    table = []
    try:
        found = probe()
        for row in rows(found):
            table.append(row)
            show(row)
        if found["figure"]:
            say("A figure was drawn: " + found["figure"])
        else:
            say("No figure was drawn: " + found["failed"].get("draw", "Python ended before"))
    except (KeyboardInterrupt, BrokenPipeError):
        return 1
    bad = [row for row in table if row.mark == "FIX"]
    if not bad:
        if os.path.isdir(machine.VENV):
            say(f"All {len(table)} checks passed: `make lab` opens the chapters")
        else:
            say("This machine can run the course: `make setup` installs it")
        return 0
    first = f"{bad[0].what}: {bad[0].todo}"
    verb = "needs" if len(bad) == 1 else "need"
    say(f"{len(bad)} of {len(table)} {verb} attention, first: {first}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
