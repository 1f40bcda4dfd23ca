"""The wall around students' code in `make grade`: bubblewrap, around the kernel alone.

Behind it the kernel sees the system's programs, the environment, `utils` and `data`, all read-only, and a scratch
folder in memory: no file of yours, no network, no process but its own. nbgrader, gradebook and hand-ins stay outside
and talk to it through sockets that it inherits, so that it shares not even a folder with them.

Run as a program (`main`), this file is the kernel that starts behind the wall.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile

import psutil

PYTHON = os.path.abspath(sys.executable)  # behind the wall nothing leads through ..
ROOT = pathlib.Path(__file__).resolve().parent.parent
GB = 1 << 30
SCRATCH = GB  # /tmp and home
LOADERS = GB // 2  # /dev/shm, where loader workers put their batches
GRADER = 2 * GB  # memory of nbgrader's process, which takes what the kernel sends
MEMORY = 6 * GB  # of a notebook's processes, and of each; what lies in /tmp and /dev/shm counts too
FREE = GB  # memory of the machine that is left: what the system keeps for sockets counts nowhere else
LEFT = "of the machine's memory were left"  # the teacher's machine may be short of it: such a notebook is graded again
PROCESSES = 64  # of a notebook
THREADS = 2000  # of it, where the system can count them for it alone
FILES = 256  # open ones, as on macOS
MESSAGE = 8 << 20  # bytes of one message from the kernel; one that sends more is cut off
NOBODY = "65534"
CALLS = {  # machine → its number in audit.h; of socket, of prctl; of add_key, request_key, keyctl,
    # ptrace, process_vm_*, and of shmget, semget, msgget
    "x86_64": (0xC000003E, 41, 157, [248, 249, 250, 101, 310, 311, 29, 64, 68]),
    "aarch64": (0xC00000B7, 198, 167, [217, 218, 219, 117, 270, 271, 194, 190, 186]),
}
INSTALL = "install bubblewrap 0.8 or newer (Debian 12 and newer: sudo apt-get install bubblewrap)"


def probe(*hidden):
    """Why no wall that hides some folders can be had here, and what to do; None where it stands."""
    if sys.platform != "linux":
        return f"it needs Linux, found {sys.platform}"
    if os.uname().machine not in CALLS:
        return f"it knows {', '.join(CALLS)}, found {os.uname().machine}"
    if not shutil.which("bwrap"):
        return f"bwrap was not found: {INSTALL}"
    look = "import os, sys, ipykernel; print('seen:', *[path for path in sys.argv[1:] if os.path.exists(path)])"
    try:
        with forbidden() as rules:
            words = command([PYTHON, "-c", look, ROOT / "Makefile", ROOT / "chapters", *hidden], rules)
            settings = dict(pass_fds=[rules], capture_output=True, text=True, errors="replace", timeout=60)
            done = subprocess.run(words, **settings)
    except OSError as error:
        return f"bwrap does not start: {error}"
    except subprocess.TimeoutExpired as error:  # whose own words are the whole command
        return f"bwrap had not ended after {error.timeout:.0f} s"
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        if "nknown option" in said:
            return f"this bwrap is too old ({said}): {INSTALL}"
        return f"bwrap says: {said}. Does the system forbid user namespaces?"
    if not done.stdout.startswith("seen:"):
        return f"this bwrap runs nothing, found {shutil.which('bwrap')}: {INSTALL}"
    if seen := done.stdout.removeprefix("seen:").strip():
        return f"behind it {seen} can be seen: move that out of the system's folders, and the course's utils and data"
    return None


def command(words, rules):
    """The words that run a command behind the wall; rules: the number of a file that it inherits, see `forbidden`."""
    wall = ["bwrap", "--unshare-user", "--disable-userns", "--uid", NOBODY, "--gid", NOBODY, "--cap-drop", "ALL"]
    wall += ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    wall += ["--hostname", "wall", "--die-with-parent", "--new-session", "--clearenv", "--seccomp", str(rules)]
    environment = {"HOME": "/tmp", "USER": "student", "LANG": "C.UTF-8", "COURSE_KEPT": "/tmp/kept"}
    environment["PATH"] = f"{os.path.dirname(PYTHON)}:/usr/bin:/bin"
    environment |= {name: os.environ[name] for name in ("OMP_NUM_THREADS",) if name in os.environ}
    for name, value in environment.items():
        wall += ["--setenv", name, value]
    wall += ["--size", str(SCRATCH), "--tmpfs", "/tmp", "--proc", "/proc"]
    wall += ["--dev", "/dev", "--size", str(LOADERS), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
    wall += [*seen(), "--remount-ro", "/", "--chdir", "/tmp", "--", *map(str, words)]
    if os.getuid():
        return wall
    # Linux lets root change its settings, such as /proc/sys, and the modes of /dev, from behind any wall. So root only
    # shows nobody, who might not come to the environment, what there is to see, and nobody builds the wall.
    before = ["bwrap", "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    before += ["--unshare-pid", "--die-with-parent"]  # a process of root's, without its powers, can't end nobody's
    before += ["--tmpfs", "/tmp", "--bind", "/proc", "/proc", "--dev-bind", "/dev", "/dev"]
    before += [*seen(), "--remount-ro", "/"]
    return [*before, "--", "setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--", *wall]


@contextlib.contextmanager
def forbidden():
    """Gives the number of a file with a filter of system calls (seccomp), for bwrap and all behind it.

    It forbids what no namespace keeps apart, sockets to what runs a virtual machine and keyrings; and to trace bwrap's
    own process, or to have a process stay when its parent ends. Sockets are Unix's, IP's or netlink's; io_uring goes
    too, which could open any; and System V's semaphores and queues, whose memory is no process's and counts nowhere.
    """
    machine, call, control, others = CALLS[os.uname().machine]
    load, equal, least, end = 0x20, 0x15, 0x35, 0x06
    known = [socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK]
    lines = [(load, 4, 0, 0), (equal, machine, "next", "no"), (load, 0, 0, 0), (least, 0x40000000, "no", "next")]
    lines += [(equal, number, "no", "next") for number in [425, *others]]  # 425: io_uring_setup
    lines += [(equal, control, "next", 2), (load, 16, 0, 0), (equal, 1, "no", "yes")]  # 1: PR_SET_PDEATHSIG
    lines += [(equal, call, "next", "yes"), (load, 16, 0, 0)] + [(equal, kind, "yes", "next") for kind in known]
    lines += [(end, 0x00050001, 0, 0), (end, 0x7FFF0000, 0, 0)]  # no: not permitted; yes
    targets = {"no": len(lines) - 2, "yes": len(lines) - 1}
    with tempfile.TemporaryFile() as file:
        for place, (what, value, *jumps) in enumerate(lines):
            steps = (0 if to == "next" else targets[to] - place - 1 if to in targets else to for to in jumps)
            file.write(struct.pack("HBBI", what, *steps, value))
        file.seek(0)
        yield file.fileno()


def seen():
    """bwrap's words for what can be read behind the wall."""
    words = []
    for name in "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64":
        if os.path.islink(name):
            words += ["--symlink", os.readlink(name), name]
        elif os.path.isdir(name):
            words += ["--ro-bind", name, name]
    places = [
        "/etc/ld.so.cache",
        "/etc/alternatives",
        "/etc/fonts",
        "/sys/devices/system/cpu",
        "/sys/fs/cgroup/cpu.max",
    ]
    places += [sys.prefix, sys.base_prefix, ROOT / "utils", ROOT / "data", __file__]
    for place in dict.fromkeys(form for path in places for form in (os.path.abspath(path), os.path.realpath(path))):
        if not pathlib.Path(place).is_relative_to("/usr") and os.path.exists(place):
            for parent in [*pathlib.Path(place).parents][-2::-1]:
                words += ["--perms", "0755", "--dir", str(parent)]
            words += ["--ro-bind", place, place]
    return words


def manager(folder):
    """nbclient's kernel manager, whose kernel is behind the wall; its sockets and key are in `folder`."""
    import zmq
    from jupyter_client.manager import AsyncKernelManager

    class Walled(AsyncKernelManager):
        def __init__(self, **settings):
            super().__init__(**settings)
            self.transport, self.connection_file = "ipc", f"{folder}/kernel.json"
            self.kernel_spec.interrupt_mode = "message"  # a signal would reach bwrap, and end it

        async def _async_launch_kernel(self, kernel_cmd, **settings):
            addresses = [f"{self.ip}-{port}" for port in self.ports]
            with contextlib.ExitStack() as stack:
                rules = stack.enter_context(forbidden())
                sockets = [stack.enter_context(listening(address)) for address in addresses]
                connection = pathlib.Path(self.connection_file).read_text(encoding="utf-8")
                numbers = [str(one.fileno()) for one in sockets]
                words = [PYTHON, os.path.abspath(__file__), connection, ",".join(numbers)]
                path = f"{os.path.dirname(shutil.which('bwrap'))}:{os.defpath}"  # yours names folders of your home
                settings |= dict(cwd="/", env={"PATH": path})
                settings |= dict(pass_fds=[rules, *map(int, numbers)])
                settings |= dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                await super()._async_launch_kernel(command(words, rules), **settings)

        def client(self, **settings):
            found = super().client(**settings)
            found.context.setsockopt(zmq.MAXMSGSIZE, MESSAGE)
            found.context.setsockopt(zmq.RCVHWM, 50)
            found.context.setsockopt(zmq.SNDTIMEO, 10_000)  # ms; for a kernel that was cut off, after too much
            return found

    return Walled


def shared_memory():
    """Bytes of the machine's memory in shared segments and in folders of memory, /tmp behind the wall among them."""
    return getattr(psutil.virtual_memory(), "shared", 0)


def too_much(processes, before):
    """Which limit a notebook's processes are over, in words; None where all hold.

    before: `shared_memory()` when it began.
    """
    if len(processes) > PROCESSES:
        return f"more than {PROCESSES} processes"
    used = sum(map(memory, processes)) + max(0, shared_memory() - before)
    if used > MEMORY:
        return f"more than {MEMORY // GB} GB of memory"
    free = psutil.virtual_memory().available
    return f"only {free >> 20} MB {LEFT}" if free < FREE else None


def memory(process):
    """Bytes of a process that are its own; 0 when it has ended."""
    with contextlib.suppress(psutil.Error):
        found = process.memory_info()
        return found.rss - getattr(found, "shared", 0)
    return 0


@contextlib.contextmanager
def family():
    """Gives a function that lists all processes started since, oldest first; at the end they are killed.

    Those count that lost their parent, too. Behind the wall a student's code can take over bwrap's own process, and
    have it stay when the one that started it is killed.
    """
    known = psutil.Process().children(recursive=True)

    def found():
        processes = psutil.Process().children(recursive=True)
        return sorted((one for one in processes if one not in known), key=psutil.Process.create_time)

    with adopting():
        try:
            yield found
        finally:
            for _ in range(50):
                if not (left := found()):
                    break
                kill(left)
                psutil.wait_procs(left, timeout=0.2)


@contextlib.contextmanager
def adopting():
    """Be the parent of grandchildren whose own parent ends, on Linux."""
    prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
    try:
        yield
    finally:
        prctl(36, 0)


def end_with_parent():
    """Be killed when the process that started this one ends, on Linux."""
    prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def prctl(option, value):
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def kill(processes):
    """Kill processes, bwrap first where they come oldest first: all that is behind the wall ends with it."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()


def listening(address):
    one = socket.socket(socket.AF_UNIX)
    one.bind(address)
    one.listen(100)
    return one


def main():
    """Be a kernel: limits first, then IPython's own, on the sockets that were inherited."""
    connection, numbers = sys.argv[1:]
    sys.path.pop(0)  # the folder of this file
    limits = {"DATA": MEMORY, "FSIZE": SCRATCH, "NOFILE": FILES, "CORE": 0, "MSGQUEUE": 0}
    if tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) >= (5, 14):  # before, all processes of yours count
        limits["NPROC"] = THREADS
    for name, most in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    pathlib.Path("/proc/self/oom_score_adj").write_text("1000")  # where memory ends, the system ends this first
    import zmq
    from ipykernel import kernelapp
    from jupyter_client.session import Session

    path, found = pathlib.Path("/tmp/kernel.json"), json.loads(connection)
    path.write_text(connection, encoding="utf-8")
    ports = [found[f"{name}_port"] for name in ("shell", "stdin", "iopub", "hb", "control")]
    inherited = {
        f"ipc://{found['ip']}-{port}": int(number) for port, number in zip(ports, numbers.split(","), strict=True)
    }
    bind = zmq.Socket.bind

    def bind_inherited(self, address):
        if address in inherited:
            self.setsockopt(zmq.USE_FD, inherited[address])
        return bind(self, address)

    serialize = Session.serialize

    def serialize_cut(self, msg, *more):
        content = msg.get("content")
        if isinstance(content, dict) and len(str(content)) > MESSAGE // 8:  # the kernel would be cut off, see MESSAGE
            msg = msg | {"content": {key: short(value) for key, value in content.items()}}
        return serialize(self, msg, *more)

    zmq.Socket.bind, Session.serialize = bind_inherited, serialize_cut
    kernelapp.launch_new_instance(argv=["-f", str(path), "--HistoryManager.hist_file=:memory:"])


def short(value):
    """What of a value in a message can be sent where it is too large."""
    if isinstance(value, list):
        return [short(one) for one in value[-40:]]
    return (
        f"{value[:2000]} …"
        if isinstance(value, str) and len(value) > 2000
        else {}
        if isinstance(value, dict)
        else value
    )


if __name__ == "__main__":
    main()
