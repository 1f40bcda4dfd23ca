"""A plugin of pytest's for nbval: a kernel that doesn't answer is started again, with other ports.

A kernel's ports are found by binding and closing them. Until the kernel binds them itself, another process can take
one: the other job of `make test` starts kernels and servers too. A kernel whose iopub port is taken neither ends nor
answers, and nbval gives up ("Kernel didn't respond in 60 seconds"); without another port it dies.
"""

import functools
import warnings

import nbval.kernel

STARTS = 3


def started_again(start):
    """`start`, a function, called up to STARTS times, until it raises no RuntimeError."""

    @functools.wraps(start)
    def start_again(*args, **settings):
        for _ in range(STARTS - 1):
            try:
                return start(*args, **settings)
            except RuntimeError as error:
                warnings.warn(f"{error}: started again", stacklevel=2)
        return start(*args, **settings)

    return start_again


nbval.kernel.start_new_kernel = started_again(nbval.kernel.start_new_kernel)
