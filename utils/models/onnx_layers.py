"""Two layers of GluonCV's nets (chapter 16) for ONNX: MXNet's exporter lacks them."""

import numpy as np


def teach_exporter():
    """Let MXNet's exporter write an enlargement to another array's size, and means over any number of parts."""
    from mxnet.onnx.mx2onnx._export_onnx import MXNetGraph

    MXNetGraph.register("_contrib_BilinearResize2D", 13)(_enlargement)  # 13: asked before the exporter's own, 12
    MXNetGraph.register("_contrib_AdaptiveAvgPooling2D", 13)(_means_of_parts)


def _enlargement(node, **graph):
    from mxnet.onnx.mx2onnx._op_translations import _op_translations_opset12 as theirs

    name, inputs, attributes = theirs.get_inputs(node, graph)
    if attributes.get("mode") != "like":
        return theirs.convert_contrib_BilinearResize2D(node, **graph)
    add = _Nodes(name, graph["initializer"])
    size = add("Concat", _shape(add, inputs[0], 0, 2), _shape(add, inputs[1], 2, 4), axis=0)
    nothing = add.constant(np.zeros(0, np.float32))  # no region, no factors: the size says all
    add.last("Resize", inputs[0], nothing, nothing, size, mode="linear", coordinate_transformation_mode="align_corners")
    return add.nodes


def _means_of_parts(node, **graph):
    """A matrix of means on either side: row k of n cells is 1 / length from ⌊k n / p⌋ to before ⌈(k + 1) n / p⌉."""
    from mxnet.onnx.mx2onnx._op_translations import _op_translations_opset12 as theirs

    name, (maps,), attributes = theirs.get_inputs(node, graph)
    parts = theirs.convert_string_to_list(attributes.get("output_size", "1"))
    add = _Nodes(name, graph["initializer"])
    rows = _mean_matrix(add, _shape(add, maps, 2, 3), parts[0])
    columns = _mean_matrix(add, _shape(add, maps, 3, 4), parts[-1])
    add.last("MatMul", add("MatMul", rows, maps), add("Transpose", columns, perm=(1, 0)))
    return add.nodes


def _mean_matrix(add, n, parts):
    """(parts, n) float32."""
    k = np.arange(parts, dtype=np.int64)[:, None]
    begin = add("Div", add("Mul", add.constant(k), n), add.constant([parts]))
    end = add("Div", add("Add", add("Mul", add.constant(k + 1), n), add.constant([parts - 1])), add.constant([parts]))
    zero = add.constant(np.int64(0))
    cells = add("Range", zero, add("Squeeze", n), add.constant(np.int64(1)))
    inside = add("And", add("Less", cells, end), add("Not", add("Less", cells, begin)))
    share = add("Cast", add("Sub", end, begin), to=1)  # 1: float32
    return add("Div", add("Cast", inside, to=1), share)


def _shape(add, array, begin, end):
    return add("Slice", add("Shape", array), add.constant([begin]), add.constant([end]))


class _Nodes:
    """ONNX nodes, each added by its operator and the names of its inputs; its own name comes back."""

    def __init__(self, name, initializer):
        self.name, self.initializer, self.nodes, self.count = name, initializer, [], 0

    def __call__(self, operator, *inputs, output=None, **attributes):
        from onnx.helper import make_node

        self.count += 1
        output = output or f"{self.name}_{self.count}"
        self.nodes.append(make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def last(self, operator, *inputs, **attributes):
        return self(operator, *inputs, output=self.name, **attributes)

    def constant(self, values):
        from onnx.numpy_helper import from_array

        values = np.asarray(values)
        self.count += 1
        name = f"{self.name}_{self.count}"
        self.initializer.append(from_array(values if values.dtype == np.float32 else values.astype(np.int64), name))
        return name
