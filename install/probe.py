"""Runs inside .venv for doctor.py, and prints what it finds as lines of JSON, one a finding.

Apart from doctor.py, as importing MXNet may end the whole process, and a line printed before stays.
"""

import importlib
import importlib.metadata
import json
import os
import re
import sys

import machine
from doctor import MODULES

FIGURE = os.path.join("build", "check.png")
PICTURE = ("JPEGImages/2012_000018.jpg", "SegmentationClass/2012_000018.png")


def tell(**finding):
    sys.stdout.write("\n@" + json.dumps(finding) + "\n")
    sys.stdout.flush()


def packages():
    """Each package that the lock wants for this Python: its version there and here."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        from pip._vendor.packaging.requirements import Requirement
    lines = re.findall(r"^(\w.*?) *\\$", machine.read(machine.lock(machine.venv_device() or "cpu")), re.M)
    for requirement in map(Requirement, lines):
        if requirement.marker and not requirement.marker.evaluate():
            continue
        try:
            found = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            found = None
        tell(package=requirement.name, expected=str(requirement.specifier)[2:], found=found)
    names = {dist.metadata["Name"] for dist in importlib.metadata.distributions()}
    tell(opencv_python="opencv-python" in names)  # it shares its folder with the headless one


class NotFound:
    """Last in sys.meta_path, so asked for what nobody has: the names that gluoncv keeps silent."""

    def __init__(self):
        self.names = []

    def find_spec(self, name, path=None, target=None):
        self.names.append(name)


def imports():
    for name in dict.fromkeys(MODULES.values()):  # MXNet first: others import it
        sys.meta_path.append(NotFound())
        tell(importing=name)
        try:
            importlib.import_module(name)
            error, names = "", []
        except Exception as problem:  # whatever it is, it is what the reader must see
            error, names = f"{type(problem).__name__}: {problem}", sys.meta_path[-1].names
        sys.meta_path.pop()
        tell(imported=name, error=error, not_found=names)


def kernel():
    """The kernel that JupyterLab started from .venv takes for `python3`."""
    from jupyter_client.kernelspec import KernelSpecManager

    spec = KernelSpecManager().get_kernel_spec("python3")
    own = spec.argv[0] in ("python", "python3", "python{}.{}".format(*sys.version_info[:2]))
    tell(kernel=sys.executable if own else spec.argv[0])


def devices():
    import utils

    import mxnet as mx

    tell(cores=utils.physical_cores())
    tell(gpus=mx.context.num_gpus())  # fails where the driver is out of order


def draw():
    """A picture of voc_mini beside its label, in build/check.png."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from PIL import Image

    _, axes = plt.subplots(1, 2, figsize=(7, 3))
    for axis, what, path in zip(axes, ("image", "label"), PICTURE, strict=True):
        axis.imshow(Image.open(os.path.join(machine.ROOT, "data", "voc_mini", path)).convert("RGB"))
        axis.set_title(what)
        axis.set_axis_off()
    os.makedirs(os.path.join(machine.ROOT, "build"), exist_ok=True)
    plt.savefig(os.path.join(machine.ROOT, FIGURE), dpi=80)
    tell(figure=FIGURE)


if __name__ == "__main__":
    sys.path.insert(0, machine.ROOT)
    for part in (packages, imports, kernel, draw, devices):
        try:
            part()
        except Exception as problem:
            tell(failed=part.__name__, error=f"{type(problem).__name__}: {problem}")
