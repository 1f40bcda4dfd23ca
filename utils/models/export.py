"""A trained net as files that load without the course: MXNet's symbol and parameters, and ONNX."""

import os
import pathlib
import warnings

import mxnet as mx
from mxnet import gluon, nd

from .onnx_layers import teach_exporter
from .upsampling import plain_enlargements

OPSET = 13  # the newest that MXNet's exporter writes; the package's own default would be newer


def export(net, path, onnx=False):
    """Write PATH-symbol.json and PATH-0000.params, for `gluon.SymbolBlock.imports`, or with onnx=True PATH.onnx.

    net: a hybridizable net for (N, 3, H, W) images, with weights; both forms take any N, H and W, and give its scores,
    of several outputs the first. For ONNX each `MatrixUpsampling` in it is written as a `BilinearUpsampling`.
    A net with a layer that can't be written as ONNX is a ValueError.
    Returns the paths, a list. What is there under these names is replaced. docs/command_line.md shows how
    to use them. Load such files from people you trust alone: MXNet's own reader, unlike `load_model`, checks nothing.
    """
    targets = export_paths(path, onnx)
    targets[0].parent.mkdir(parents=True, exist_ok=True)
    ctx = next(iter(net.collect_params().values())).list_ctx()[0]
    side = max(64, getattr(net, "smallest", 1))
    shape = 1, 3, side, side
    if isinstance(net(nd.zeros(shape, ctx=ctx)), (list, tuple)):  # and deferred weights are made
        net = _First(net)
    if not onnx:
        net.hybridize()
        with warnings.catch_warnings():  # layers that serve the other outputs are left out on purpose
            warnings.filterwarnings("ignore", "Parameter .* is not used by any computation", UserWarning)
            net(nd.zeros(shape, ctx=ctx))  # MXNet exports what a hybridized net has seen
    beside = targets[0].with_name(f"{targets[0].name}.{os.getpid()}")
    written = [
        pathlib.Path(f"{beside}{ending}") for ending in ([".onnx"] if onnx else ["-symbol.json", "-0000.params"])
    ]
    try:
        if onnx:
            _write_onnx(*_plain_graph(net), shape, *written)
        else:
            net.export(str(beside))
        for source, target in zip(written, targets, strict=True):
            os.replace(source, target)
    except (mx.MXNetError, OSError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise OSError(f"{targets[0]}: could not be written ({reason}). Make room, or take another place") from None
    finally:
        for left in written:
            left.unlink(missing_ok=True)
    return targets


def export_paths(path, onnx=False):
    """The paths that `export` writes; an ending .onnx may stand in `path` already."""
    name = str(path).removesuffix(".onnx") if onnx else str(path)
    return [pathlib.Path(f"{name}{ending}") for ending in ([".onnx"] if onnx else ["-symbol.json", "-0000.params"])]


class _First(gluon.HybridBlock):
    """A net with several outputs as one that gives the first alone."""

    def __init__(self, net):
        super().__init__(prefix="")
        self.net = net

    def hybrid_forward(self, F, x):
        return self.net(x)[0]


def _plain_graph(net):
    """(symbol, its parameters) of a net, enlarging by transposed convolutions."""
    with plain_enlargements() as layers:
        symbol = net(mx.sym.var("data"))
    parameters = {p.name: p for block in (net, *layers) for p in block.collect_params().values()}
    return symbol, {name: parameters[name]._reduce() for name in symbol.list_inputs() if name != "data"}


def _write_onnx(symbol, params, shape, path):
    """One input `data` and one output `scores`, height and width free."""
    import onnx  # here: the course works without it
    from mxnet.onnx.mx2onnx._export_onnx import MXNetGraph

    teach_exporter()
    # `mx.onnx.export_model` would mark as the newest opset what it wrote in the words of 13
    try:
        graph = MXNetGraph().create_onnx_graph_proto(
            symbol,
            params,
            [shape],
            [onnx.TensorProto.FLOAT],
            opset_version=OPSET,
            dynamic=True,
            dynamic_input_shapes=[("N", 3, "H", "W")],
        )
    except (AttributeError, NotImplementedError) as error:  # what its translations raise
        reason = " ".join(str(error).split())
        raise ValueError(
            f"no ONNX file of this net: MXNet's exporter can't write one of its layers ({reason}). Export it without "
            "onnx, as MXNet's own two files"
        ) from None
    data = next(value for value in graph.input if value.name not in params)
    del graph.input[:]
    graph.input.append(data)  # weights as inputs too, as the exporter has them, could not be optimised
    _rename_output(graph)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _rename_output(graph):
    old = graph.output[0].name
    graph.output[0].name = "scores"
    for dimension, name in zip(graph.output[0].type.tensor_type.shape.dim, ("N", "classes", "H", "W"), strict=True):
        dimension.dim_param = name
    for node in graph.node:
        for names in node.input, node.output:
            for i, name in enumerate(names):
                if name == old:
                    names[i] = "scores"
