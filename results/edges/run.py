"""HED with and without its side losses, beside Sobel and Canny, three seeds (chapter 14): makes table.csv.

    make results [CAMVID=FOLDER]        or        python -m results.edges.run [CAMVID]

All nets stand on EfficientNet-Lite0, with ImageNet's weights or from nothing, and see the same number of pictures. The
truth is the borders between classes and objects, `utils.data.edges.EdgeDataset`; CamVid has no numbers of objects, so
there they are borders of classes. Baselines learn nothing: their settings are the best of GRID on 16 training pictures.

net       hed_sides: fusion and each side have a loss; hed_fusion: the fusion alone; sobel, canny
ods, ois, ap    by `utils.postprocess.edges.EdgeMetric`, within 0.75 % of the picture's diagonal
threshold       of the strength, for ods: the best on the test pictures, as in the published tables
ods_held_out    F at the threshold that is best on the 16 training pictures: what a user gets
sides           ods of each side output by itself, from fine to coarse

About TO MEASURE minutes on two cores.
"""

import utils
from utils.data.edges import EdgeDataset
from utils.losses import HEDLoss
from utils.postprocess import edges

import itertools
import time

import mxnet as mx
import numpy as np
from mxnet import gluon

from results import common

BACKBONE, RATE, CHOSEN_ON = "efficientnet_lite0", 1e-3, 16
EPOCHS = {"voc_mini": 10, "camvid": 8}
NETS, STARTS = {"hed_sides": 1.0, "hed_fusion": 0.0}, ["imagenet", "nothing"]  # what the sides' losses count
STEPS = {"sobel": np.arange(1, 20) * 2.5, "canny": np.arange(1, 20) * 2.5}  # thresholds, in steps of grey a pixel
GRID = {"sobel": {"sigma": (1, 1.5, 2)}, "canny": {"sigma": (0.7, 1, 1.5, 2, 3), "ratio": (0.2, 0.4, 0.6)}}


def datasets(data, root, seed):
    """Training crops, the first training pictures whole, whole test pictures: labels are edges."""
    scale = common.SCALE[data]
    names = utils.read_names(utils.data_root(root))[:CHOSEN_ON]
    chosen_on = EdgeDataset(False, None, root, scale, names=names)
    return EdgeDataset(True, common.CROP, root, scale, seed=seed), chosen_on, EdgeDataset(False, None, root, scale)


def jobs(data, root):
    """What each row begins with, and the folder of its pictures."""
    given = f"{common.settings(data, RATE)}, chosen on {CHOSEN_ON}, {BACKBONE}"
    same = {"settings": given} | common.provenance(__file__, data, root)
    runs = [(net, start, str(seed)) for net in NETS for start in STARTS for seed in range(3)]
    for net, start, seed in [*runs, *((name, "", "0") for name in GRID)]:
        epochs = str(EPOCHS[data]) if start else ""
        yield {"data": data, "net": net, "start": start, "seed": seed, "epochs": epochs} | same, str(root)


def train(net, loss, train_set, epochs):
    """As `common.train`, with this loss; seconds of processor time (on a GPU: of time)."""
    net.hybridize()
    loss.hybridize()
    data, ctx = utils.data_loader(train_set, common.BATCH), utils.try_gpu()
    schedule = mx.lr_scheduler.PolyScheduler(epochs * len(data), RATE, pwr=0.9)
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": RATE, "lr_scheduler": schedule})
    clock = time.process_time if ctx == mx.cpu() else time.time
    start = clock()
    if utils.train(data, None, net, loss, trainer, ctx, epochs).interrupted:
        raise KeyboardInterrupt  # no row of half a training
    mx.nd.waitall()
    return clock() - start


def judged(strength_of, dataset, thresholds):
    """`EdgeMetric` of what a function says of each picture (3, H, W)."""
    metric = edges.EdgeMetric(thresholds)
    for x, y in dataset:
        metric.update(y, strength_of(x))
    return metric


def at(metric, threshold):
    """F over a split at one threshold."""
    precision, recall = (values[np.flatnonzero(metric.thresholds == threshold)[0]] for values in metric.curve())
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def row_of(strength_of, chosen_on, test_set, thresholds):
    """Scores as texts, and the metric on the test pictures."""
    metric = judged(strength_of, test_set, thresholds)
    row = {key: f"{value:.4f}" for key, value in metric.scores().items()}
    chosen = judged(strength_of, chosen_on, thresholds).scores()["threshold"]
    return row | {"threshold_chosen": f"{chosen:g}", "ods_held_out": f"{at(metric, chosen):.4f}"}


def best_baseline(name, chosen_on):
    """A function (3, H, W) → strength by the best settings of GRID on these pictures, and those, as text."""

    def by(sigma, ratio=None):
        def strength_of(x):
            image = utils.denormalize(x)
            if name == "sobel":
                return edges.suppress(edges.sobel(image), sigma)
            return edges.canny_strength(image, STEPS[name], sigma, ratio)

        return strength_of

    tried = [dict(zip(GRID[name], values, strict=True)) for values in itertools.product(*GRID[name].values())]
    found = [judged(by(**settings), chosen_on, STEPS[name]).scores()["ods"] for settings in tried]
    best = tried[int(np.argmax(found))]
    return by(**best), "; ".join(f"{key} {value:g}" for key, value in best.items())


def two_classes(label_of, dataset):
    """Mean IoU of "no edge" and "edge", pixel by pixel, as a text: shows why edges are scored otherwise."""
    metric = utils.SegmentationMetric(2)
    for x, y in dataset:
        metric.update(y.expand_dims(0), mx.nd.array(label_of(x)[None]))
    return f"{metric.scores()['mean_iou']:.4f}"


def one_run(job, root):
    """Train, or search, and score once; one row of the table."""
    train_set, chosen_on, test_set = datasets(job["data"], root, int(job["seed"]))
    if job["net"] in GRID:
        start = time.process_time()
        strength_of, settings = best_baseline(job["net"], chosen_on)
        row = row_of(strength_of, chosen_on, test_set, STEPS[job["net"]])
        threshold = float(row["threshold_chosen"])
        row |= {"chosen": settings, "mean_iou": two_classes(lambda x: strength_of(x) >= threshold, test_set)}
        return job | row | common.circumstances(time.process_time() - start)
    utils.seed(int(job["seed"]))
    net = utils.get_model("hed", 2, BACKBONE, job["start"] == "imagenet", ctx=utils.try_gpu())
    seconds = train(net, HEDLoss(NETS[job["net"]]), train_set, int(job["epochs"]))
    says = common.by(net)

    def strength_of(x, output=0):
        return edges.suppress(edges.edge_strength(says(x, None)[output]))

    row = row_of(strength_of, chosen_on, test_set, edges.THRESHOLDS)
    alone = [
        judged(lambda x, i=i: strength_of(x, i), test_set, edges.THRESHOLDS).scores()["ods"]
        for i in range(1, len(net.strides) + 1)
    ]
    row |= {"sides": "; ".join(f"{stride} {ods:.4f}" for stride, ods in zip(net.strides, alone, strict=True))}
    row |= {"fuse": "; ".join(f"{weight:.3f}" for weight in net.fuse.weight.data().asnumpy().ravel())}
    row |= {"mean_iou": two_classes(lambda x: edges.edge_strength(says(x, None)[0]) > 0.5, test_set)}
    return job | row | common.circumstances(seconds)


if __name__ == "__main__":
    common.command(__doc__, __file__, jobs, one_run, key=("data", "net", "start", "seed"))
