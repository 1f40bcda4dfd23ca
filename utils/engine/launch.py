"""Starts a command as several ranks on this machine, joined by MXNet's own store, `dist_sync` (chapter 17).

    python -m utils.engine.launch 2 -m utils train --dataset voc_mini --epochs 2 --output mini.params

What follows the number is given to this Python, once a rank. Besides the ranks there are a scheduler, which tells all
where the others are, and a server, which sums; MXNet makes a process one of these by DMLC_ROLE, as it is imported.
MXNet's own launcher, dmlc_tracker, asks for a name that Python 3.9 took away. When a rank died, MXNet
by itself lets the others wait. This launcher ends them, and says which rank it was.
"""

import os
import signal
import socket
import subprocess
import sys
import time

from ..core.device import physical_cores
from ..core.openmp import share_cores


def launch(ranks, words, say=print, **options):
    """Run this Python with `words` as ranks 0 to `ranks` - 1; the exit code: 0, or that of the first that failed.

    say: is told which rank failed, and how. options: for `subprocess.Popen`. Each rank gets its part of the cores,
    where OMP_NUM_THREADS doesn't say otherwise (core/openmp.py).
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = dict(options.pop("env", os.environ))
    share_cores(settings, ranks, physical_cores())
    settings |= {"DMLC_PS_ROOT_URI": "127.0.0.1", "DMLC_PS_ROOT_PORT": str(port), "DMLC_INTERFACE": "lo"}
    settings |= {"DMLC_NUM_WORKER": str(ranks), "DMLC_NUM_SERVER": "1", "DMLC_NODE_HOST": "127.0.0.1"}
    processes = {}
    try:
        for name in "scheduler", "server", *(f"rank {i}" for i in range(ranks)):
            role, _, number = name.partition(" ")
            own = {"DMLC_ROLE": "worker", "DMLC_TASK_ID": number} if number else {"DMLC_ROLE": role}
            processes[name] = subprocess.Popen([sys.executable, *words], env=settings | own, **options)
        while any(process.poll() is None for process in processes.values()):
            failed = [name for name, process in reversed(processes.items()) if process.poll()]
            if failed:  # a rank rather than the server, which may have ended of it
                code = processes[failed[0]].returncode
                how = f"was killed by signal {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
                say(f"{failed[0]} {how}: ending the others")
                return code if code > 0 else 128 - code
            time.sleep(0.1)
        return 0
    except KeyboardInterrupt:  # a terminal tells the ranks too: they say what was kept
        until = time.time() + 3
        while time.time() < until and any(processes[name].poll() is None for name in processes if " " in name):
            time.sleep(0.1)
        raise
    finally:
        for process in processes.values():
            process.kill()
            process.wait()


def main(words):
    if len(words) < 2 or not words[0].isdigit() or int(words[0]) < 1:
        print(f"{' '.join(words)!r}: expected a number of ranks and what each shall run", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # and the ranks with it
    try:
        return launch(int(words[0]), words[1:], lambda text: print(text, file=sys.stderr))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
