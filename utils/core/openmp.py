"""One team of OpenMP threads, where MXNet would start two (docs/performance.md). To be imported before MXNet copies.

Copies from and to NumPy of more than 200,000 values are made by a team of the main thread, beside that of MXNet's
engine. Once teams have more threads than the machine has cores, GCC's OpenMP puts each to sleep after every operation:
one picture through a small net then takes twice as long. So copies are made by one thread, whatever their size.

Several ranks that horovodrun starts on one machine share its cores (chapter 17): two of two threads each on two cores
are several times slower than two of one. launch.py does the same for the ranks of MXNet's own store.
"""

import os

import psutil


def share_cores(settings, ranks, cores):
    """Set OMP_NUM_THREADS in `settings`, an environment, to a rank's part of the cores, unless the reader chose it.

    All cores is no choice: `import utils` sets it by itself, also in a notebook that starts ranks.
    """
    if settings.get("OMP_NUM_THREADS", str(cores)) == str(cores):
        settings["OMP_NUM_THREADS"] = str(max(1, cores // ranks))


os.environ.setdefault("MXNET_CPU_PARALLEL_SIZE", str(2**31 - 1))
if (_ranks := int(os.environ.get("HOROVOD_LOCAL_SIZE", 1))) > 1:  # `physical_cores` lies in what imports MXNet
    share_cores(os.environ, _ranks, psutil.cpu_count(logical=False) or psutil.cpu_count() or 1)
