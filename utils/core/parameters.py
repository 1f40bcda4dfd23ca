"""MXNet's file of arrays, NAME.params, looked at before MXNet reads it: its own reader crashes on damaged ones.

The layout, little-endian: 0x112, 0 and the number of arrays, each of 64 bits. Of each array: its version, 0 for dense,
the number of dimensions, of 32 bits; the dimensions, of 64; device, its number and the type, of 32; the values. Then
the number of names, and of each its length, of 64 bits, and its text.
"""

import math
import os
import struct

import mxnet as mx
import numpy as np

from .files import opened

LIST, ARRAY, DENSE = 0x112, 0xF993FAC9, 0
TYPES = {0: "float32", 1: "float64", 2: "float16", 3: "uint8", 4: "int32", 5: "int8", 6: "int64"}
LARGEST = 4 * 2**30  # bytes; the largest net of the course, on VGG16, has an eighth of it


def read_headers(path, expected):
    """{name: (shape, dtype)} of the arrays in a file, each length in it held against the file's own.

    Of the values nothing is read. ValueError where it is no such file, was cut short, is larger than any net, or holds
    what `net.save_parameters` does not write: sparse arrays, types that no net has, a name twice.
    """
    with opened(path, expected) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            if size > LARGEST:
                raise ValueError(f"{size:,} bytes, and no net has more than {LARGEST:,}")
            return _headers(file, size)
        except (ValueError, struct.error) as error:
            raise ValueError(f"{path}: damaged, or no parameters of MXNet's ({error}); expected {expected}") from None


def _headers(file, size):
    def numbers(kinds):
        return struct.unpack(f"<{kinds}", file.read(struct.calcsize(f"<{kinds}")))

    def count(least):
        (number,) = numbers("Q")
        if number * least > size - file.tell():
            raise ValueError(f"byte {file.tell() - 8} announces more than its {size} bytes hold")
        return number

    if numbers("QQ") != (LIST, 0):
        raise ValueError("it begins with other bytes")
    arrays = []
    for _ in range(count(least=32)):
        start = file.tell()
        version, storage, dimensions = numbers("IiI")
        if (version, storage) != (ARRAY, DENSE) or not 1 <= dimensions <= 32:
            raise ValueError(f"byte {start} begins no dense array")
        shape = numbers(f"{dimensions}q")
        *_, kind = numbers("iii")
        if min(shape) < 1 or kind not in TYPES:
            raise ValueError(f"byte {start} begins an array of shape {shape}, type {kind}")
        length = math.prod(shape) * np.dtype(TYPES[kind]).itemsize
        if length > size - file.tell():
            raise ValueError(f"byte {start} begins an array of {length} bytes; there are {size - file.tell()} more")
        file.seek(length, os.SEEK_CUR)
        arrays.append((shape, TYPES[kind]))
    names = [file.read(count(least=1)).decode() for _ in range(count(least=8))]
    if not len(arrays) == len(names) == len(set(names)) or file.tell() != size:
        raise ValueError(f"{len(arrays)} arrays, {len(set(names))} names, {size - file.tell()} bytes behind them")
    return dict(zip(names, arrays, strict=True))


def load_parameters(net, path, expected, ctx=None, named=None):
    """`net.load_parameters` of a NAME.params that was looked at first: its headers, and array for array how they fit.

    Values of float16 become the net's own type, float32.
    ValueError where it is damaged, or of another net than NAME.json says: which array, and what the two have there.
    named: what says it in the place of NAME.json, of another library's file. Its arrays may have Gluon's names from
    before 1.3, without dots: those MXNet compares itself.
    """
    found, own = read_headers(path, expected), net._collect_params_with_prefix()
    other = f"{path}: the parameters of another net than {named or path.stem + '.json'} says"
    if named and not any("." in name for name in found):
        own = {}
    elif alone := sorted(found.keys() ^ own.keys()):
        raise ValueError(f"{other} ({alone[0]!r} is in one of the two alone)")
    for name, parameter in own.items():
        (shape, kind), known = found[name], parameter.shape or (0,) * len(found[name][0])
        fits = len(shape) == len(known) and all(have in (0, give) for have, give in zip(known, shape, strict=True))
        if not fits or kind not in (np.dtype(parameter.dtype).name, "float16"):  # half as many bytes, for shipping
            here = f"{np.dtype(parameter.dtype).name} {tuple(known)}"
            raise ValueError(f"{other} ({name!r} is {kind} {shape}, in the net {here})")
    try:
        net.load_parameters(str(path), ctx=ctx, cast_dtype=True)
    except (AssertionError, mx.MXNetError) as error:
        raise ValueError(f"{path}: cannot be loaded ({str(error).strip().splitlines()[-1]})") from None
