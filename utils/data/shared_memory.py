"""Room for the batches of loader workers: they pass through /dev/shm, of which a container has 64 MB."""

import itertools
import os
import signal
import sys
import tempfile
import time

from .image_io import picture_size
from .transforms import scaled_size
from .voc import image_path

FOLDER = "/dev/shm"
PAGE = "docs/if_something_looks_wrong.md"
ROOMY = 256e6
"""What a loader of two workers fits into with batches of 8 at 480 × 640, and room to spare."""


def room():
    """(all, free) bytes of /dev/shm, or None where there is none, as on a Mac."""
    try:
        found = os.statvfs(FOLDER)
    except OSError:
        return None
    return found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize


def needed(dataset, batch_size, num_workers):
    """Bytes of /dev/shm that a loader fills: two batches for each worker, and the one that is in use.

    A pixel has three channels, a label and the extra targets, of four bytes each. Where no crop decides the size, the
    largest of the first pictures does.
    """
    if dataset.crop_size is not None:
        height, width = dataset.crop_size
    else:
        sizes = [picture_size(image_path(dataset.root, name)) for name in itertools.islice(dataset.names, 16)]
        height, width = max((scaled_size(size, dataset.scale) for size in sizes), key=lambda size: size[0] * size[1])
    return batch_size * height * width * 4 * (4 + len(dataset.extra)) * (2 * num_workers + 1)


def check_room(dataset, batch_size, num_workers):
    """MemoryError where the workers' batches would not fit: they would die of signal 7, or hang.

    OSError where workers can't be had at all: /dev/shm can't be written, or the path for temporary files is too long.
    """
    _check_places()
    found, most = room(), needed(dataset, batch_size, num_workers)
    if found and most > found[1]:
        raise MemoryError(
            f"num_workers={num_workers} with batches of {batch_size} fill up to {_mb(most)} of {FOLDER}, of "
            f"which {_mb(found[1])} are free: workers would die of signal 7, or hang. Take num_workers=0 (the same "
            f"batches) or smaller ones, or start the container with --shm-size=1g ({PAGE})"
        )


def _check_places():
    if sys.platform == "linux" and not os.access(FOLDER, os.W_OK):
        raise OSError(
            f"{FOLDER}: missing, or may not be written, and loader workers need it. Take num_workers=0 (the same "
            f"batches), or have it mounted: a tmpfs of 1 GB that all may write ({PAGE})"
        )
    folder, most = tempfile.gettempdir(), 75 if sys.platform == "linux" else 71
    if len(os.fsencode(folder)) > most:
        raise OSError(
            f"{folder}: the folder for temporary files, a path of {len(os.fsencode(folder))} bytes; workers open "
            f"sockets in it, for which {most} is the most. Set TMPDIR to a shorter one before Python starts, or take "
            f"num_workers=0 ({PAGE})"
        )


def check_death(number):
    """RuntimeError where a worker that was ended by this signal has found no room."""
    found = room()
    if found and (number == signal.SIGBUS or found[0] < ROOMY):
        raise RuntimeError(
            f"a worker of the loader died (signal {number}), and its batch with it: {FOLDER}, through which batches "
            f"pass, has {_mb(found[0])}, {_mb(found[1])} of it free. Start the container with --shm-size=1g, or take "
            f"num_workers=0, and make the loader anew ({PAGE})"
        )


def check_workers(batches):
    """RuntimeError of `Batches` where a worker has died. A batch that it had handed over can't be fetched then."""
    for _ in range(10):
        batches._all_alive()
        time.sleep(0.1)  # it may be dying


def _mb(count):
    return f"{count / 1e6:,.0f} MB"
