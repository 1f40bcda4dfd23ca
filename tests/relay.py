"""A network of namespaces, one a rank, whose packets go through this process: it delays, drops or withholds them.

For Linux as root, where `tc … netem` may be missing from the kernel. Each namespace has one device, `relay0`, at
10.117.0.1, 10.117.0.2, …, the other end of which is a file here, /dev/net/tun. One thread passes packets on.
"""

import contextlib
import fcntl
import heapq
import os
import pathlib
import random
import select
import shutil
import struct
import subprocess
import threading
import time

TUNSETIFF, TUN, NO_HEADER = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h


def missing():
    """Why there can be no such network here, or ""."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not os.access("/dev/net/tun", os.W_OK):
        return "needs root and /dev/net/tun"
    if not shutil.which("ip") or not shutil.which("unshare"):
        return "needs ip and unshare"
    done = subprocess.run(["ip", "netns", "add", "relay-try"], capture_output=True, text=True)
    subprocess.run(["ip", "netns", "delete", "relay-try"], capture_output=True)
    return "" if done.returncode == 0 else f"no network namespaces: {done.stderr.strip()}"


class Relay:
    """delay: seconds, one way; loss: probability of a packet, drawn by `seed`; `cut`: whether all are withheld."""

    def __init__(self, count, delay=0.0, loss=0.0, seed=0):
        self.names = [f"relay-{os.getpid()}-{i}" for i in range(count)]
        self.addresses = [f"10.117.0.{i + 1}" for i in range(count)]
        self.delay, self.loss, self.random, self.cut = delay, loss, random.Random(seed), False
        self.passed = self.dropped = self.withheld = 0

    def __repr__(self):
        return f"{self.passed} packets passed, {self.dropped} dropped, {self.withheld} withheld"

    def words(self, i, *words):
        """The command that runs `words` in namespace i, on a machine that is named by its address.

        Horovod looks its machine's name up, and binds to what it finds, whatever device it is told to use.
        """
        return [*self._inside(i), "sh", "-c", f'hostname {self.addresses[i]} && exec "$@"', "sh", *words]

    def _inside(self, i):
        return ["ip", "netns", "exec", self.names[i], "unshare", "--uts"]

    def ssh(self, folder):
        """Write a program `ssh` into `folder`, for horovodrun: it runs its command in the namespace of an address."""
        known = [f"{a}) host=$1 run='{' '.join(self._inside(i))}' ;;" for i, a in enumerate(self.addresses)]
        lines = ["#!/bin/sh", 'while [ -z "$run" ]; do case $1 in', *known, "esac; shift; done"]
        lines += ['while [ "$1" = -o ]; do shift 2; done', 'exec $run sh -c "hostname $host; $*"', ""]
        path = pathlib.Path(folder, "ssh")
        path.write_text("\n".join(lines))
        path.chmod(0o755)

    @contextlib.contextmanager
    def running(self):
        ends, stop = [], threading.Event()
        thread = threading.Thread(target=self._pass_on, args=[ends, stop])
        try:
            for name, address in zip(self.names, self.addresses, strict=True):
                ip("netns", "add", name)
                ends.append(os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK))
                fcntl.ioctl(ends[-1], TUNSETIFF, struct.pack("16sH", b"relay0", TUN | NO_HEADER))
                ip("link", "set", "relay0", "netns", name)
                for words in f"addr add {address}/24 dev relay0", "link set relay0 up", "link set lo up":
                    ip("-n", name, *words.split())
            thread.start()
            yield self
        finally:
            stop.set()
            if thread.ident:
                thread.join()
            for end in ends:
                os.close(end)
            for name in self.names:
                subprocess.run(["ip", "netns", "delete", name], capture_output=True)

    def _pass_on(self, ends, stop):
        waiting, count = [], 0
        while not stop.is_set():
            left = waiting[0][0] - time.monotonic() if waiting else 0.1
            for end in select.select(ends, [], [], max(0, min(left, 0.1)))[0]:
                packet = os.read(end, 65535)
                to = packet[19] - 1  # the last byte of an IPv4 packet's destination
                if packet[0] >> 4 != 4 or packet[16:19] != bytes([10, 117, 0]) or not 0 <= to < len(ends):
                    continue
                if self.cut:
                    self.withheld += 1
                elif self.random.random() < self.loss:
                    self.dropped += 1
                else:
                    count += 1
                    heapq.heappush(waiting, (time.monotonic() + self.delay, count, to, packet))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, to, packet = heapq.heappop(waiting)
                with contextlib.suppress(BlockingIOError):  # its queue is full: lost, as on a real device
                    os.write(ends[to], packet)
                    self.passed += 1


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)
