"""Memory of large arrays, kept by the process between one step and the next (chapter 00's machine).

A step frees arrays of 100 MB and asks for them again a moment later. By default glibc, Linux's C library, gives each
back to the system and is given pages that must be found and filled with zeros again: half of the time of a loss over
full-size scores. No number changes by it. Elsewhere than on Linux with glibc nothing is done.
"""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8  # malloc.h; see `man mallopt`


def keep():
    """From now on freed memory stays with the process. Before MXNet is imported, whose threads must share one heap."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim"):
        libc.mallopt(M_ARENA_MAX, 1)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, -1)


def give_back():
    """Give the system what is free now, at the end of a training: other notebooks may want it."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
