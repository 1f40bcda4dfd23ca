"""CUDA's libraries for mxnet-cu112: links them where MXNet looks, and names the package of a missing one.

libmxnet.so looks for libraries in its own folder first (its RPATH is $ORIGIN), so links there serve every import,
whatever comes before it, without LD_LIBRARY_PATH. Run as a script, as `make setup` does, this file makes them.
"""

import ctypes
import os
import pathlib
import sys
import sysconfig

# What libmxnet.so asks for besides the driver and the system, and what that asks for in turn (readelf -d).
LIBRARIES = {
    "libcublas.so.11": "nvidia-cublas-cu11",
    "libcublasLt.so.11": "nvidia-cublas-cu11",
    "libcudart.so.11.0": "nvidia-cuda-runtime-cu11",
    "libcudnn.so.8": "nvidia-cudnn-cu11",
    "libcufft.so.10": "nvidia-cufft-cu11",
    "libcurand.so.10": "nvidia-curand-cu11",
    "libcusolver.so.11": "nvidia-cusolver-cu11",
    "libnccl.so.2": "nvidia-nccl-cu11",
    "libnvToolsExt.so.1": "nvidia-nvtx-cu11",
    "libnvrtc.so.11.2": "nvidia-cuda-nvrtc-cu11",
}
REPAIR = (
    "`make distclean`, then `make setup` (conda: `python utils/core/cuda.py`); without the GPU: `make setup DEVICE=cpu`"
)


def explain(error):
    """One sentence for an OSError of `import mxnet`: the library, its package, and what to do."""
    for library, package in LIBRARIES.items():
        if library in str(error):
            return f"{library} of the package {package} is missing or damaged ({error}): {REPAIR}"
    if "libcuda.so.1" in str(error):
        return (
            f"libcuda.so.1 of NVIDIA's driver does not load ({error}), which mxnet-cu112 needs: install the driver "
            "(a container: start it with --gpus all); without the GPU: `make setup DEVICE=cpu`"
        )
    return f"MXNet does not load ({error}): `make check` says what to repair"


def driver():
    """Path of the driver's libcuda.so.1, or None without one."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    maps = pathlib.Path("/proc/self/maps").read_text().splitlines()
    return next(pathlib.Path(line.split(maxsplit=5)[5]) for line in maps if "libcuda.so" in line)


def link(site):
    """Link the libraries of the nvidia packages into mxnet's folder; returns their names.

    site: pathlib.Path of the environment's site-packages. FileNotFoundError names a missing library and its package.
    """
    found = {path.name: path for path in site.glob("nvidia/*/lib/*.so*")}
    for library, package in LIBRARIES.items():
        if library not in found:
            raise FileNotFoundError(f"{library} of the package {package} is missing in {site / 'nvidia'}: {REPAIR}")
    found["libnvrtc.so"] = found["libnvrtc.so.11.2"]  # cuDNN opens these two by names without a number
    if driver():
        found["libcuda.so"] = driver()
    for name, path in found.items():
        place = site / "mxnet" / name
        if place.is_symlink():
            place.unlink()
        place.symlink_to(os.path.relpath(path, place.parent) if site in path.parents else path)
    return sorted(found)


if __name__ == "__main__":
    try:
        print(len(link(pathlib.Path(sysconfig.get_path("purelib")))), "libraries linked into mxnet's folder")
    except OSError as error:
        sys.exit(str(error))
