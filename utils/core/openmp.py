"""One team of OpenMP threads, where MXNet would start two (docs/performance.md). To be imported before MXNet copies.

Copies from and to NumPy of more than 200,000 values are made by a team of the main thread, beside that of MXNet's
engine. Once teams have more threads than the machine has cores, GCC's OpenMP puts each to sleep after every operation:
one picture through a small net then takes twice as long. So copies are made by one thread, whatever their size.
"""

import os

os.environ.setdefault("MXNET_CPU_PARALLEL_SIZE", str(2**31 - 1))
