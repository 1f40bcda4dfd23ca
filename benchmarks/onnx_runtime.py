"""onnxruntime: the course's FCN-32s as `utils` exports it, for inference."""

import os
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime

from . import pictures
from .side import serve

EXPORT = """
import utils
from utils.models.export import export
net = utils.fcn({classes}, stride=32)
export(net, {path!r}, onnx=True)
"""


def exported(classes):
    """Path of the net, written by a process of its own: MXNet must not share this one."""
    path = pictures.FOLDER / f"fcn32s-{classes}.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    code = EXPORT.format(classes=classes, path=str(path))
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, stdout=sys.stderr)
    return path


def predict(batch, height, width, classes, argmax_inside):
    """Normalised image → labels; the argmax by NumPy, or by the graph itself."""
    model = onnx.load(str(exported(classes)))
    if argmax_inside:
        model.graph.node.append(onnx.helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0))
        del model.graph.output[:]
        model.graph.output.append(onnx.helper.make_tensor_value_info("label", onnx.TensorProto.INT64, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    x, _ = pictures.batch(batch, height, width, classes)

    def once():
        (found,) = session.run(None, {"data": x})
        (found if argmax_inside else found.argmax(axis=1)).astype(np.uint8)

    return once, batch


if __name__ == "__main__":
    serve(predict)
