"""Weights in PyTorch's old file format, read without PyTorch and without running what a file says.

A pickle is a program: it can name any function of any module and have it called. This reader knows four kinds of names,
and refuses a file that has another.
"""

import collections
import io
import math
import pickle
import struct

import numpy as np

from ..core.files import opened

EXPECTED = "weights in PyTorch's format of before version 1.6"
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
STORAGES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8"}
"""Names of PyTorch's one-dimensional arrays, and their types."""

_Storage = collections.namedtuple("_Storage", "key dtype size")
_Tensor = collections.namedtuple("_Tensor", "storage offset shape strides")
_TENSOR = "_rebuild_tensor_v2"


def read_weights(path):
    """dict {name: NumPy array} of a file that `torch.save(net.state_dict(), path)` of PyTorch before 1.6 wrote.

    Five pickles (magic number, protocol, system, the dictionary, the order of the storages), then each storage as its
    length, 8 bytes, and its raw values. A ValueError names the file and what is wrong with it: another name than
    OrderedDict, _rebuild_tensor_v2 and those of `STORAGES` in a pickle, or a file that is cut, damaged or another.
    """
    with opened(path, EXPECTED) as file:
        data = io.BytesIO(file.read())
    try:
        return _read(data)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path}: {error}; expected {EXPECTED}") from None
    except Exception as error:  # whatever a damaged pickle makes of its reader
        raise ValueError(f"{path}: cut short, damaged, or another format ({error}); expected {EXPECTED}") from None


def _read(data):
    magic, protocol, system, found, order = (_Unpickler(data).load() for _ in range(5))
    if (magic, protocol) != (MAGIC, PROTOCOL) or system["little_endian"] is not True:
        raise ValueError(f"begins with {magic!r:.40}, {protocol!r:.40}, {system!r:.40}")
    wanted = {tensor.storage.key: tensor.storage for tensor in found.values()}
    if sorted(order) != sorted(wanted):
        raise ValueError(f"{len(order)} storages, expected {len(wanted)}")
    storages = {key: _read_storage(data, wanted[key]) for key in order}
    if rest := len(data.read()):
        raise ValueError(f"{rest:,} bytes after its end")
    return {name: _array(tensor, storages[tensor.storage.key]) for name, tensor in found.items()}


def _read_storage(data, storage):
    (size,) = struct.unpack("<q", data.read(8))
    dtype = np.dtype(storage.dtype)
    if size != storage.size:
        raise ValueError(f"a storage of {size:,} values, expected {storage.size:,}")
    raw = data.read(size * dtype.itemsize)
    if len(raw) != size * dtype.itemsize:
        raise ValueError(f"ends within a storage, {size * dtype.itemsize - len(raw):,} bytes early")
    return np.frombuffer(raw, dtype)


def _array(tensor, storage):
    """A tensor's values. Its strides count values, NumPy's bytes."""
    shape, strides, offset = tuple(tensor.shape), tuple(tensor.strides), tensor.offset
    whole = [*shape, *strides, offset]
    if len(shape) != len(strides) or not all(type(number) is int and number >= 0 for number in whole):
        raise ValueError(f"a tensor of shape {shape}, strides {strides} and offset {offset}")
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if math.prod(shape) > storage.size or 0 not in shape and last >= storage.size:
        raise ValueError(f"a tensor of shape {shape} in a storage of {storage.size:,} values")
    steps = [stride * storage.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps).copy()


class _Unpickler(pickle.Unpickler):
    """Knows an ordered dictionary, tensors and storages. The last two it only notes: their values come later."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", _TENSOR):
            return lambda *what: _note_tensor(*what)  # a new one: a pickle may set attributes of what it names
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"names {f'{module}.{name}'!r:.80}, which no weights need: not read")

    def persistent_load(self, what):
        kind, dtype, key, _, size, view = what
        if kind != "storage" or dtype not in STORAGES.values() or type(key) is not str or view is not None:
            raise ValueError(f"a storage of kind {kind!r:.40}")
        return _Storage(key, dtype, size)


def _note_tensor(storage, offset, shape, strides, *_):
    if not isinstance(storage, _Storage):
        raise ValueError(f"a tensor of {storage!r:.40}")
    return _Tensor(storage, offset, shape, strides)
