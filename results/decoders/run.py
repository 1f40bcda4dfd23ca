"""SegNet, U-Net, DeconvNet and FCN-8s on one backbone, in equal seconds (chapter 12): makes two tables.

    make results [CAMVID=FOLDER]        or        python -m results.decoders.run [CAMVID]

trials.csv has the trials by which rates are chosen, table.csv three seeds of each net with these rates.
All stand on EfficientNet-Lite0, with ImageNet's weights or from nothing. Half-size pictures, crops of 80 × 112, Adam,
poly. What is equal is the time, not the number of pictures: `EPOCHS` has as many as fit into `BUDGET`, by
`python -m results.decoders.epochs`; the column seconds says what each took. DeconvNet is of a size that fits: its fc6
sees 3 × 3 cells where the paper's sees 7 × 7, and has 512 channels in the place of 4,096; with ImageNet's weights only.

A net has two rates: the backbone's, and that of what is behind it, whose layers begin with noise. Trials are made on
voc_mini, without the last 40 training pictures, scored on these, in half of the epochs, with one seed. They begin with
`TRIED_FIRST`, and go on until the best pair lies between others that were tried: either rate a step of `RATES` less and
more; from nothing both together. Decoders are tried with one rate for all (`ONE_RATE`) too. CamVid has the same rates.

parameters   of them all, and those that learn
memory_…     MB that MXNet plans for one training step on a batch, and for the scores of one crop, weights left out
boundary_f1  `utils.metrics.BoundaryF1`, within 0.75 % of the picture's diagonal

On two cores: trials 8 minutes, table 24. The processor time of a training is more where other work runs beside it.
"""

import utils
from utils.engine.digest import code_digest, data_digest
from utils.metrics import BoundaryF1

import contextlib
import io
import os

import mxnet as mx
import numpy as np

from results import common, rate_search

os.environ.setdefault("MXNET_SUBGRAPH_VERBOSE", "0")  # or the executor says how it fuses layers
BACKBONE, CROP, SCALE, HELD_OUT = "efficientnet_lite0", (80, 112), 0.5, 40
BUDGET = 60  # seconds of processor time
NETS = {"fcn8s": {}, "segnet": {}, "unet": {}, "deconvnet": {"kernel": 3, "units": 512}}
EPOCHS = {  # of 20 batches on voc_mini, of 46 on CamVid
    "voc_mini": {
        "imagenet": {"fcn8s": 40, "segnet": 25, "unet": 28, "deconvnet": 23},
        "nothing": {"fcn8s": 11, "segnet": 9, "unet": 10},
    },
    "camvid": {
        "imagenet": {"fcn8s": 17, "segnet": 11, "unet": 12, "deconvnet": 10},
        "nothing": {"fcn8s": 5, "segnet": 4, "unet": 4},
    },
}
KINDS = [(start, net) for start in EPOCHS["voc_mini"] for net in EPOCHS["voc_mini"][start]]
TRIED_FIRST = dict.fromkeys(KINDS, (1e-4, 1e-2)) | {("imagenet", "fcn8s"): (1e-3, 1e-3)}
TRIED_FIRST |= {kind: (1e-2, 1e-2) for kind in KINDS if kind[0] == "nothing"}
ONE_RATE = (1e-2, 1e-2)


def lists(data, root, trial):
    """Names that may be trained on, and names that are scored: of a trial, parts of the training list."""
    names = utils.read_names(root)
    if trial:
        return names[:-HELD_OUT], names[-HELD_OUT:]
    return names, utils.read_names(root, split="val")


def datasets(data, root, trial, seed=0):
    """Training crops and whole pictures to score, kept in memory once read."""
    names, scored = lists(data, root, trial)
    train_set = utils.VOCSegDataset(True, CROP, root, SCALE, seed=seed, names=names, cache=True)
    return train_set, utils.VOCSegDataset(False, None, root, SCALE, names=scored, cache=True)


def shared(data, root, trial):
    """What all rows of a table begin with."""
    return {
        "scored": "held out" if trial else "val",
        "settings": f"scale {SCALE}, crop {CROP[0]}x{CROP[1]}, batch {common.BATCH}, adam, poly 0.9, "
        f"trimap {common.TRIMAP}, {BACKBONE}",
        "pictures": " ".join(map(data_digest, datasets(data, root, trial))),
        "code": code_digest((__file__, "one_run")),
    }


def trials(root, same, rows):
    """Jobs of the trials, as far as `rows`, made before, say what to try."""
    for start, net in KINDS:
        pairs = rate_search.to_try(rows, start, net, "mean_iou", TRIED_FIRST[start, net])
        for pair in dict.fromkeys([*pairs, *([ONE_RATE] if net != "fcn8s" else [])]):
            epochs = EPOCHS["voc_mini"][start][net] // 2
            yield rate_search.row("voc_mini", start, net, 0, pair, epochs) | same, str(root)


def jobs(data, root, rows):
    """Jobs of the table, with the rates that the trials' rows say."""
    same = shared(data, root, False)
    for start, net in KINDS:
        for seed in range(3):
            pair = rate_search.chosen(rows, start, net, "mean_iou")
            yield rate_search.row(data, start, net, seed, pair, EPOCHS[data][start][net]) | same, str(root)


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
    graph, crop = net(mx.sym.var("data")), (3, *CROP)
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
    """Train and score once; one row of a table."""
    train_set, test_set = datasets(job["data"], root, job["scored"] == "held out", int(job["seed"]))
    utils.seed(int(job["seed"]))
    net = made(job["net"], job["start"], len(test_set.classes))
    rate = set_rates(net, (float(job["rate_backbone"]), float(job["rate_behind"])))
    with contextlib.redirect_stdout(io.StringIO()):  # a line for each epoch
        seconds = common.train(net, train_set, int(job["epochs"]), rate)
    says, borders = common.by(net), BoundaryF1(len(test_set.classes))

    def predict(x, y):
        scores = says(x, y)
        borders.update(y.expand_dims(0), scores)
        return scores

    scores = common.scores(predict, test_set) | {"boundary_f1": f"{borders.get()[1]:.4f}"}
    return job | scores | sizes(net) | common.circumstances(seconds)


if __name__ == "__main__":
    rate_search.command(__doc__, __file__, shared, trials, jobs, one_run)
