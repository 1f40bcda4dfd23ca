"""Which packages suit this machine: locks/cpu.txt, or locks/gpu.txt where MXNet can use its NVIDIA GPUs.

The driver is asked (libcuda.so.1), as MXNet will ask it: an older nvidia-smi doesn't know the compute capability, and
none follows CUDA_VISIBLE_DEVICES. Standard library and Python 3.6, as in machine.py.
"""

import platform
import sys

import machine

OLDEST, NEWEST = (5, 0), (8, 9)  # mxnet-cu112 has machine code for Maxwell to Ada, and no PTX for others
CUDA = (11, 8)  # of locks/gpu.txt: MXNet has kernels compiled as it runs, in a form that older drivers refuse
DRIVER = "520"  # the first with that CUDA

# In a process of its own: a driver out of order may hang or crash. 75 and 76 ask for the compute capability.
ASK = """
import ctypes, sys
try:
    cuda = ctypes.CDLL("libcuda.so.1")
except OSError:
    sys.exit("no NVIDIA driver was found (libcuda.so.1)")
def ask(name, *arguments):
    value = ctypes.c_int()
    error = getattr(cuda, name)(ctypes.byref(value), *arguments)
    if error:
        sys.exit("NVIDIA's driver gives no answer (%s: error %d)" % (name, error))
    return value.value
print(ask("cuDriverGetVersion"))
if cuda.cuInit(0):
    sys.exit("NVIDIA's driver finds no GPU that works (cuInit: error %d)" % cuda.cuInit(0))
for gpu in range(ask("cuDeviceGetCount")):
    name = ctypes.create_string_buffer(256)
    cuda.cuDeviceGetName(name, 256, gpu)
    capability = ask("cuDeviceGetAttribute", 75, gpu), ask("cuDeviceGetAttribute", 76, gpu)
    print("%d.%d %s" % (capability + (name.value.decode("ascii", "replace"),)))
"""


def number(text):
    """(8, 6) of "8.6 NVIDIA RTX A4000"."""
    return tuple(int(part) for part in text.split()[0].split("."))


def look():
    """The GPUs, each as "8.6 NVIDIA RTX A4000", and why MXNet cannot use them ("" if it can)."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return [], "GPUs are used on Linux on x86-64 alone (mxnet-cu112 has no other wheel)"
    code, out, error = machine.run([sys.executable, "-c", ASK])
    if code is None:
        return [], "NVIDIA's driver gives " + error  # no answer within 30 s
    if code != 0:
        return [], machine.last_line(error or f"NVIDIA's driver ends a program that asks it (exit code {code})")
    version, gpus = int(out.splitlines()[0]), out.splitlines()[1:]
    known = version // 1000, version % 1000 // 10
    fit = [i for i, gpu in enumerate(gpus) if OLDEST <= number(gpu) <= NEWEST]
    problem = ""
    if not gpus:
        problem = "NVIDIA's driver shows no GPU"
    elif not fit:
        problem = "mxnet-cu112 has code for compute capability 5.0 to 8.9, this GPU has {}.{}".format(*number(gpus[0]))
    elif len(fit) < len(gpus):
        problem = "mxnet-cu112 has code for compute capability 5.0 to 8.9, which not all of these GPUs have: "
        problem += "hide the others by `export CUDA_VISIBLE_DEVICES={}`".format(",".join(map(str, fit)))
    elif known < CUDA:
        problem = "NVIDIA's driver knows CUDA {}.{}, expected {}.{}: ".format(*(known + CUDA))
        problem += f"install driver {DRIVER} or newer"
    return gpus, problem


def choose(asked):
    """("cpu" or "gpu", why). `asked` is DEVICE's value; SetupError where it cannot be had."""
    if asked not in ("", "cpu", "gpu"):
        raise machine.SetupError(f"DEVICE={asked}: expected cpu or gpu")
    if asked == "cpu":
        return "cpu", "DEVICE=cpu"
    gpus, problem = look()
    if asked == "gpu" and problem:
        seen = " ({})".format("; ".join(gpus)) if gpus else ""
        raise machine.SetupError(f"DEVICE=gpu: {problem}{seen}. Without the GPU: make setup DEVICE=cpu")
    return ("cpu", problem) if problem else ("gpu", "; ".join(gpus))
