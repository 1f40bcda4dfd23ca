"""Threads and devices (chapter 00). Imported before MXNet: the number of threads is read only once."""

import math
import os
import pathlib
import sys
import warnings

import psutil

from . import memory


def physical_cores():
    """Number of physical processor cores that this process may use, at least 1.

    The smallest of three counts: cores of the machine (hyper-threads not counted), processors
    that the process is bound to, and, in a container with cgroup v2, its CPU quota.
    """
    counts = [psutil.cpu_count(logical=False) or psutil.cpu_count() or 1]
    if hasattr(os, "sched_getaffinity"):  # Linux
        counts.append(len(os.sched_getaffinity(0)))
    limit = pathlib.Path("/sys/fs/cgroup/cpu.max")
    if limit.is_file():
        quota, period = limit.read_text().split()
        if quota != "max":
            counts.append(math.ceil(int(quota) / int(period)))
    return max(1, min(counts))


memory.keep()

# MXNet takes half of the processors it sees, which wastes half of a machine without hyper-threads.
# OMP_NUM_THREADS changes that, but only if it is set before the import; the reader's own value wins.
if "OMP_NUM_THREADS" not in os.environ:
    if "mxnet" in sys.modules:
        warnings.warn(
            "mxnet was imported before utils and runs on a part of the processor's cores only: "
            "restart the kernel and import utils first",
            stacklevel=3,
        )
    os.environ["OMP_NUM_THREADS"] = str(physical_cores())
if os.environ["OMP_NUM_THREADS"]:
    from .surroundings import check_threads

    check_threads()

try:
    import mxnet as mx
except OSError as error:  # a library that it needs is missing or damaged
    from .cuda import explain

    raise ImportError(explain(error)) from None
except AttributeError as error:
    from .surroundings import check_numpy

    check_numpy(error)
    raise


def try_gpu(i=0):
    """`mx.gpu(i)` if that GPU is there, else `mx.cpu()`."""
    return mx.gpu(i) if i < mx.context.num_gpus() else mx.cpu()


def try_all_gpus():
    """Every GPU as a list of contexts, or `[mx.cpu()]` where there is none."""
    return [mx.gpu(i) for i in range(mx.context.num_gpus())] or [mx.cpu()]
