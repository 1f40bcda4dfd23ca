"""A trained net as files that load without the course: MXNet's symbol and parameters, and ONNX."""

import os
import pathlib

import mxnet as mx
from mxnet import nd

from .fcn import FCN8s, FCN16s, FCN32s, start_from
from .upsampling import MatrixUpsampling

OPSET = 13  # the newest that MXNet's exporter writes; the package's own default would be newer


def export(net, path, onnx=False):
    """Write PATH-symbol.json and PATH-0000.params, for `gluon.SymbolBlock.imports`, or with onnx=True PATH.onnx.

    net: a hybridizable net for (N, 3, H, W) images, with weights; both forms take any N, H and W, and give its scores.
    Returns the paths, a list. What is there under these names is replaced. docs/command_line.md shows how
    to use them.
    """
    targets = export_paths(path, onnx)
    targets[0].parent.mkdir(parents=True, exist_ok=True)
    contexts = next(iter(net.collect_params().values())).list_ctx()
    if onnx:
        net = _plain(net, contexts)
    net.hybridize()
    net(nd.zeros((1, 3, 64, 64), ctx=contexts[0]))  # export wants a net that has seen a picture
    beside = targets[0].with_name(f"{targets[0].name}.{os.getpid()}")
    symbol, params = (pathlib.Path(f"{beside}{ending}") for ending in ("-symbol.json", "-0000.params"))
    written = beside.with_name(beside.name + ".onnx")
    try:
        net.export(str(beside))
        if onnx:
            _write_onnx(mx.sym.load(str(symbol)), nd.load(str(params)), written)
        for source, target in zip([written] if onnx else [symbol, params], targets, strict=True):
            os.replace(source, target)
    except (mx.MXNetError, OSError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise OSError(f"{targets[0]}: could not be written ({reason}). Make room, or take another place") from None
    finally:
        for left in symbol, params, written:
            left.unlink(missing_ok=True)
    return targets


def export_paths(path, onnx=False):
    """The paths that `export` writes; an ending .onnx may stand in `path` already."""
    name = str(path).removesuffix(".onnx") if onnx else str(path)
    return [pathlib.Path(f"{name}{ending}") for ending in ([".onnx"] if onnx else ["-symbol.json", "-0000.params"])]


def _plain(net, contexts):
    """The same net enlarging by transposed convolutions: ONNX has no words for some steps of `MatrixUpsampling`."""
    fast = [layer for layer in net._children.values() if isinstance(layer, MatrixUpsampling)]
    if not fast:
        return net
    if type(net) not in (FCN32s, FCN16s, FCN8s):
        raise ValueError("ONNX: expected BilinearUpsampling in a net of your own, found MatrixUpsampling; exchange it")
    net(nd.zeros((1, 3, 64, 64), ctx=contexts[0]))
    twin = type(net)(net.features, net.score_fr._channels, fast[0].align, plain=True)
    for name, layer in twin._children.items():
        if name != "features":
            layer.initialize(ctx=contexts)
    start_from(twin, net)
    return twin


def _write_onnx(symbol, params, path):
    """One input `data` and one output `scores`, height and width free."""
    import onnx  # here: the course works without it
    from mxnet.onnx.mx2onnx._export_onnx import MXNetGraph

    # `mx.onnx.export_model` would mark as the newest opset what it wrote in the words of 13
    params = {name.split(":", 1)[1]: array for name, array in params.items()}
    graph = MXNetGraph().create_onnx_graph_proto(
        symbol,
        params,
        [(1, 3, 64, 64)],
        [onnx.TensorProto.FLOAT],
        opset_version=OPSET,
        dynamic=True,
        dynamic_input_shapes=[("N", 3, "H", "W")],
    )
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
