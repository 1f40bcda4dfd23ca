"""DeepLab: strides, heads, and CRFs, three seeds, on drawings and on photographs (chapter 13): makes table.csv.

    make results [CAMVID=FOLDER]        or        python -m results.deeplab.run [CAMVID]

All nets stand on EfficientNet-Lite0 with ImageNet's weights. CAMVID: see results/skips; every second of
its pictures is taken, to train on and to test on. The last 40 training pictures are taken out of training; the CRF's
settings are searched on 8 of them, for each run anew, so that no test picture has a part in it. Each run sees the same
number of pictures, and few of them: some 45 steps. Rows:

fcn8s             the net of chapter 09
deeplab           32, 16 and 8: the backbone dense at this stride, scored by 1 × 1; 32 is FCN-32s
deeplab_largefov  8: one branch, rate 12
deeplab_meanfield 8: "deeplab" for all epochs but the last, then on with a CRF at its cells, which learns with it

ASPP is left out: it costs four of LargeFOV's heads, and at rates of 12 to 24 most of a kernel misses our crops' 20 × 28
cells (chapter 13).

Of each the scores without and with a CRF after the net, mean IoU by trimap width too; the settings found; milliseconds
of processor time for a picture of 320 × 480 and for a CRF of default settings on it; and the megabytes of what the net
computes for one training crop. learned: what w1 and w2 of the net's own CRF have become.
"""

import utils
from utils.engine import tiling

import time

import mxnet as mx
import numpy as np
from mxnet import nd
from PIL import Image

from results import common

BACKBONE, HELD_OUT, SEARCHED = "efficientnet_lite0", 40, 8
PLAN = {
    "voc_mini": {"rate": 1e-3, "epochs": 3, "every": 1},
    "camvid": {"rate": 1e-3, "epochs": 2, "every": 2},
}
RUNS = [
    ("fcn8s", ""),
    ("deeplab", "32"),
    ("deeplab", "16"),
    ("deeplab", "8"),
    ("deeplab_largefov", "8"),
    ("deeplab_meanfield", "8"),
]
LEARNED = 1  # epochs, the last ones, of deeplab_meanfield with its CRF
FASTER = 30  # times the rate, for that CRF's own numbers, which would not move in so few steps
WEAK = {"w1": 1.0, "w2": 1.0}  # its votes at first: strong ones make one class of all that is unsure (chapter 13)
BACKBONE_SHARE = 0.1  # of the rate, where new layers begin with noise: at the whole of it LargeFOV did not learn
WIDTHS = (1, 2, 4, 8, 16, 32)
GRID = {"w1": (2, 4, 8), "alpha": (15, 40), "beta": (4, 8, 16)}


def pictures(data, root, seed):
    """Training crops, whole pictures held out, whole test pictures."""
    names, scale, every = utils.read_names(root), common.SCALE[data], PLAN[data]["every"]
    train_set = utils.VOCSegDataset(True, common.CROP, root, scale, seed=seed, names=names[:-HELD_OUT][::every])
    held_out = utils.VOCSegDataset(False, None, root, scale, names=names[-HELD_OUT:][:: HELD_OUT // SEARCHED])
    tested = utils.read_names(root, False)[::every]
    return train_set, held_out, utils.VOCSegDataset(False, None, root, scale, names=tested)


def jobs(data, root):
    """What each row begins with, and the folder of its pictures."""
    rate, epochs, every = PLAN[data].values()
    given = f"{common.settings(data, rate)}, held out {HELD_OUT}, searched {SEARCHED}, 1 picture of {every}, {BACKBONE}"
    same = {"settings": given} | common.provenance(__file__, data, root)
    for net, stride in RUNS:
        stages = f"{epochs - LEARNED}+{LEARNED}" if net == "deeplab_meanfield" else str(epochs)
        for seed in range(3):
            yield {"data": data, "net": net, "stride": stride, "seed": str(seed), "epochs": stages} | same, str(root)


def make_net(name, stride, num_classes):
    options = {"stride": int(stride)} if stride else {}
    if name == "deeplab_meanfield":
        options["crf"] = WEAK
    net = utils.get_model(name, num_classes, BACKBONE, True, utils.try_gpu(), **options)
    if name == "deeplab_largefov":
        net.features.collect_params().setattr("lr_mult", BACKBONE_SHARE)
    return net


def trained(job, train_set):
    """A net and the seconds of its training."""
    rate, (*before, last) = PLAN[job["data"]]["rate"], map(int, job["epochs"].split("+"))
    count, seconds, start = len(train_set.classes), 0, None
    for epochs in before:
        start = make_net("deeplab", job["stride"], count)
        seconds += common.train(start, train_set, epochs, rate)
    net = make_net(job["net"], job["stride"], count)
    if start is not None:
        net(nd.zeros((1, 3, 32, 32), ctx=utils.try_gpu()))
        utils.start_from(net, start)
        net.mean_field.collect_params().setattr("lr_mult", FASTER)
    return net, seconds + common.train(net, train_set, last, rate)


def said(net, dataset):
    """(probabilities, image, label) of each picture, one after the other."""
    for x, y in dataset:
        probabilities = tiling.probabilities(net, x.asnumpy(), utils.try_gpu())
        yield probabilities, utils.denormalize(x), y.asnumpy()


def judged(net, crf, test_set):
    """Scores without and with the CRF, as texts for a row."""
    metrics = {
        (kind, width): utils.SegmentationMetric(len(test_set.classes), trimap=width)
        for kind in ("", "crf_")
        for width in (None, *WIDTHS)
    }
    for probabilities, image, label in said(net, test_set):
        for kind, found in ("", probabilities), ("crf_", crf(probabilities, image)):
            for width in None, *WIDTHS:
                metrics[kind, width].update(label[None], found[None])
    row = {}
    for kind in "", "crf_":
        whole = metrics[kind, None]
        row |= {kind + key: f"{value:.4f}" for key, value in whole.scores().items()}
        by_width = {width: metrics[kind, width].scores()["mean_iou"] for width in WIDTHS}
        row[f"{kind}trimaps"] = "; ".join(f"{width} {value:.4f}" for width, value in by_width.items())
        pairs = zip(test_set.classes.names, whole.iou, strict=True)
        row[f"{kind}iou"] = "; ".join(f"{name} {value:.3f}" for name, value in pairs if not np.isnan(value))
    shares = metrics["", None].confusion.sum(1) / metrics["", None].confusion.sum()
    return row | {"baseline_iou": f"{shares.max() / np.count_nonzero(shares):.4f}"}


def megabytes(net, size):
    """What the layers compute for one picture, in float32: about what a training step has to keep of it."""
    inner = net(mx.sym.var("data")).get_internals()
    _, shapes, _ = inner.infer_shape(data=(1, 3, *size))
    kept = zip(inner.list_outputs(), shapes, strict=True)
    return sum(float(np.prod(shape)) for name, shape in kept if name.endswith("_output")) * 4 / 1e6


def milliseconds(function, times=4):
    """Of processor time, so that what else the machine does hardly counts; median, without the first call."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        function()
        taken.append(1000 * (time.process_time() - start))
    return f"{np.median(taken[1:]):.0f}"


def one_run(job, root):
    """Train, search and score once; one row of the table."""
    train_set, held_out, test_set = pictures(job["data"], root, int(job["seed"]))
    utils.seed(int(job["seed"]))
    net, seconds = trained(job, train_set)
    start = time.process_time()
    crf, tried = utils.search_crf(said(net, held_out), len(test_set.classes), GRID, rounds=1)
    searched = time.process_time() - start
    row = judged(net, crf, test_set)
    row |= {"crf": "; ".join(f"{key} {value:g}" for key, value in crf.settings.items())}
    row |= {"crf_tried": str(len(tried)), "crf_gain_held_out": f"{tried[0]['mean_iou'] - _without(tried):.4f}"}
    image = np.asarray(Image.fromarray(utils.denormalize(test_set[0][0])).resize((480, 320)))
    x = utils.normalize(image).transpose(2, 0, 1)
    large = tiling.probabilities(net, x, utils.try_gpu())
    row |= {
        "net_ms": milliseconds(lambda: tiling.probabilities(net, x, utils.try_gpu())),
        "crf_ms": milliseconds(lambda: utils.DenseCRF()(large, image)),
        "search_s": f"{searched:.0f}",
        "megabytes": f"{megabytes(net, common.CROP):.0f}",
    }
    if job["net"] == "deeplab_meanfield":
        row["learned"] = " ".join(f"{w:.2f}" for w in net.mean_field.weights.data().asnumpy())
    return job | row | common.circumstances(seconds)


def _without(tried):
    return next(row["mean_iou"] for row in tried if row["w1"] == row["w2"] == 0)


if __name__ == "__main__":
    common.command(__doc__, __file__, jobs, one_run, key=("data", "net", "stride", "seed"))
