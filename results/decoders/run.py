"""SegNet, U-Net, DeconvNet and FCN-8s on one backbone, in equal seconds, three seeds (chapter 12): makes table.csv.

    make results [CAMVID=FOLDER]        or        python -m results.decoders.run [CAMVID]

All stand on EfficientNet-Lite0, with ImageNet's weights or from nothing, and are trained as chapter 09 trains (see
results/skips), but for the rates. What is equal is the time, not the number of pictures: `EPOCHS` has as many as fit
into `BUDGET`, by `python -m results.decoders.epochs`. The column seconds says what each took. DeconvNet is of a size
that fits: its fc6 sees 5 × 5 cells where the paper's sees 7 × 7, and has 512 channels in the place of 4,096.

Rates (`RATES`): FCN-8s has chapter 09's. With 0.001 for all of it a decoder learns nothing in this time: its many
layers begin with noise, and its scores are made of 16 maps where the FCN's are made of hundreds. So a decoder learns at
0.01. Its backbone at 0.0001: on 120 of the training pictures of voc_mini, scored on the other 40, SegNet reached a mean
IoU of 0.225 in 7 epochs so, and 0.174 with 0.001 (one seed). From nothing the backbone has 0.001; no other was tried.

parameters   of them all, and those that learn
memory_…     MB that MXNet plans for one training step on a batch, and for the scores of one crop, weights left out
boundary_f1  `utils.metrics.BoundaryF1`, within 0.75 % of the picture's diagonal

About 35 minutes on two cores.
"""

import utils
from utils.metrics import BoundaryF1

import os

import mxnet as mx
import numpy as np

from results import common

os.environ.setdefault("MXNET_SUBGRAPH_VERBOSE", "0")  # or the executor says how it fuses layers
BACKBONE = "efficientnet_lite0"
BUDGET = {"voc_mini": 60, "camvid": 90}  # seconds of processor time
NETS = {"fcn8s": {}, "segnet": {}, "unet": {}, "deconvnet": {"kernel": 5, "units": 512}}
STARTS = ["imagenet", "nothing"]
RATES = {"fcn8s": {"imagenet": (1e-3, 1e-3), "nothing": (1e-3, 1e-3)}}  # of the backbone, and of what is behind it
RATES |= dict.fromkeys(("segnet", "unet", "deconvnet"), {"imagenet": (1e-4, 1e-2), "nothing": (1e-3, 1e-2)})
EPOCHS = {
    "voc_mini": {
        "imagenet": {"fcn8s": 12, "segnet": 6, "unet": 7, "deconvnet": 6},
        "nothing": {"fcn8s": 3, "segnet": 3, "unet": 3, "deconvnet": 3},
    },
    "camvid": {
        "imagenet": {"fcn8s": 8, "segnet": 4, "unet": 5, "deconvnet": 4},
        "nothing": {"fcn8s": 2, "segnet": 2, "unet": 2, "deconvnet": 2},
    },
}


def jobs(data, root):
    """What each row begins with, and the folder of its pictures."""
    same = common.provenance(__file__, data, root)
    for start in STARTS:
        for net in NETS:
            for seed in range(3):
                row = {"data": data, "net": net, "start": start, "seed": str(seed)}
                rates = "{} and {}".format(*RATES[net][start])
                row |= {"epochs": str(EPOCHS[data][start][net]), "settings": common.settings(data, rates)}
                yield row | same, str(root)


def made(name, start, num_classes):
    """One of the nets."""
    return utils.get_model(name, num_classes, BACKBONE, start == "imagenet", ctx=utils.try_gpu(), **NETS[name])


def set_rates(net, rates):
    """The rate to train with: the backbone's. What is behind it learns faster by its parameters' own factor."""
    backbone, behind = rates
    for name, parameter in net._collect_params_with_prefix().items():
        if not name.startswith("features."):
            parameter.lr_mult = behind / backbone
    return backbone


def sizes(net):
    """Parameters in all and learning, planned megabytes of a training step and of one crop's scores, as texts."""
    parameters = net.collect_params().values()
    counts = [int(np.prod(p.shape)) for p in parameters], [int(np.prod(p.shape)) for p in parameters if _learns(p)]
    graph, crop = net(mx.sym.var("data")), (3, *common.CROP)
    learns = {p.name: p.grad_req for p in parameters if p.name in graph.list_arguments()} | {"data": "null"}
    planned = [_planned(graph, (common.BATCH, *crop), learns), _planned(graph, (1, *crop), "null")]
    names = "parameters", "learning", "memory_training", "memory_scores"
    return dict(zip(names, map(str, [*map(sum, counts), *planned]), strict=True))


def _learns(parameter):
    return parameter.grad_req != "null"


def _planned(graph, shape, grad_req):
    """Megabytes that MXNet's executor takes for the maps between a net's first and last."""
    said = graph.simple_bind(utils.try_gpu(), grad_req=grad_req, data=shape).debug_str()
    (line,) = [line for line in said.splitlines() if line.startswith("Total") and line.endswith("MB allocated")]
    return int(line.split()[1])


def one_run(job, root):
    """Train and score once; one row of the table."""
    train_set, test_set = common.datasets(job["data"], root, int(job["seed"]))
    utils.seed(int(job["seed"]))
    net = made(job["net"], job["start"], len(test_set.classes))
    rate = set_rates(net, RATES[job["net"]][job["start"]])
    seconds = common.train(net, train_set, int(job["epochs"]), rate)
    says, borders = common.by(net), BoundaryF1(len(test_set.classes))

    def predict(x, y):
        scores = says(x, y)
        borders.update(y.expand_dims(0), scores)
        return scores

    scores = common.scores(predict, test_set) | {"boundary_f1": f"{borders.get()[1]:.4f}"}
    return job | scores | sizes(net) | common.circumstances(seconds)


if __name__ == "__main__":
    common.command(__doc__, __file__, jobs, one_run, key=("data", "net", "start", "seed"))
