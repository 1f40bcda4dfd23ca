"""What every side does: prepare what it is asked for, and time it whenever it is told to.

A side is a process of its own, with its own libraries and threads. `run.py` writes one line of JSON for each
measurement, and reads one line back. Between measurements the side waits for the next line, and computes nothing.
"""

import json
import math
import os
import pathlib
import re
import sys
import time
import traceback


def serve(*measures):
    """Answer until the input ends.

    measures: functions, asked for by their names. Each gets options and returns `once`, which does the work and waits
    for its end, and the number of items (images, labels) in it. `once` returns its seconds, or None to be timed here.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints must not come between the answers
    measures = {measure.__name__: measure for measure in measures}
    prepared, framework = {}, _megabytes("VmRSS")
    for line in sys.stdin:
        asked = json.loads(line)
        key = json.dumps([asked["what"], asked["options"]])
        try:
            if key not in prepared:
                prepared[key] = _prepare(measures, asked)
            once, items, calls = prepared[key]
            answer = {} if asked["prepare"] else {"seconds": _timed(once, calls), "items": items}
            answer["megabytes"] = _megabytes("VmHWM") - framework
        except Exception as error:  # of any library; the other sides go on
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
        print(json.dumps(answer), file=answers)


def _prepare(measures, asked):
    """The work, its items, and how many calls of it last as long as a measurement should."""
    once, items = measures[asked["what"]](**asked["options"])
    if not asked["seconds"]:  # once, and cold
        return once, items, 1
    _timed(once, 2)  # memory taken, primitives chosen, nets compiled
    return once, items, max(1, math.ceil(asked["seconds"] / _timed(once, 1)))


def _timed(once, calls):
    """Seconds of one call."""
    start = time.perf_counter()
    own = [once() for _ in range(calls)]
    return (time.perf_counter() - start if own[0] is None else sum(own)) / calls


def _megabytes(what):
    """This process's memory now (VmRSS) or at most so far (VmHWM); nan where the system (macOS) doesn't tell."""
    status = pathlib.Path("/proc/self/status")
    if not status.is_file():
        return math.nan
    return int(re.search(rf"{what}:\s+(\d+) kB", status.read_text())[1]) / 1024
