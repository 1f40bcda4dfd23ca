"""Memory of large arrays, kept by the process between one step and the next.

A step frees arrays of 100 MB and asks for them again a moment later. By default glibc, Linux's C library, gives each
back to the system and is given pages that must be found and filled with zeros again: a sixth of the time of a training
step of FCN-32s. No number changes by it. The price is memory: arrays don't always fit where older ones lay, and what
was once taken stays until the training ends (docs/performance.md).

Elsewhere than on Linux with glibc nothing is done, nor where the reader has set one of malloc's own variables:
MALLOC_MMAP_MAX_=65536, the default, switches it off.
"""

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8  # malloc.h; see `man mallopt`
_libc = ctypes.CDLL(None)


def keep():
    """From now on freed memory stays with the process. Before MXNet is imported, whose threads must share one heap."""
    own = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if hasattr(_libc, "mallopt") and not own:
        _libc.mallopt(M_ARENA_MAX, 1)
        _libc.mallopt(M_MMAP_MAX, 0)
        _libc.mallopt(M_TRIM_THRESHOLD, -1)


def give_back():
    """Give the system what is free now, at the end of a training: other notebooks may want it."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)
