"""DeepLab: strides, heads, and CRFs, three seeds, on drawings and on photographs (chapter 13): makes table.csv.

    make results [CAMVID=FOLDER]        or        python -m results.deeplab.run [CAMVID]

All nets stand on EfficientNet-Lite0 with ImageNet's weights. CAMVID: see results/skips; every second of its pictures is
taken, to train on and to test on. The last 40 training pictures are taken out of training; the CRF's settings are
searched on 8 of them, for each run anew, so that no test picture has a part in it. Rows:

fcn8s             the net of chapter 09
deeplab           32, 16 and 8: the backbone dense at this stride, scored by 1 × 1; 32 is FCN-32s
deeplab_largefov  8: one branch, rate 12
deeplab_meanfield 8: "deeplab", whose last epochs train a CRF at its cells with it

A step of a dense net costs several times as much, and a trained net can be made dense. So every row but fcn8s begins
with the same `FIRST` epochs of "deeplab" at stride 32, takes its weights, and goes on at its own stride for `LAST`
epochs. What is equal is the number of pictures, not the time: time is what density is paid with, and the column seconds
says how much, the common first epochs included. bare: the score before the last epochs, of weights learned at stride
32, where a net has all its weights from there.

ASPP is left out: it costs four of LargeFOV's heads, and at rates of 12 to 24 most of a kernel misses our crops' 20 × 28
cells (chapter 13).

A net has two rates: the backbone's, and that of what is behind it. Tried by hand on voc_mini with one seed, mean IoU of
the 40 pictures held out:

stride 32, 5 or 6 epochs  0.0003 and 0.003: 0.761, 0.774
stride 16, 2 epochs more  0.001 and 0.001: 0.778; 0.0003 and 0.0003: 0.816; 0.0001 and 0.001: 0.810
stride 8, 2 epochs more   0.001 and 0.001: 0.781; 0.0003 and 0.003: 0.823; LargeFOV 0.696; with mean field 0.819
stride 16, from ImageNet's weights, 5 epochs  0.0003 and 0.003: 0.799; half-size pictures and 8 epochs: 0.482 at best

So all have 0.0003 and 0.003; FCN-8s has the rates of chapter 12's trials, and CamVid the rates of voc_mini. There they
are too high for the last epochs, as the table showed: stride 32, seed 0, test pictures, 0.413 before, 0.382 after them,
0.418 with a tenth of the rates. A wider grid for the CRF brings little there: w1 0.5 to 8, alpha 5 to 80, beta 2 to 16,
w2 0 to 3 and gamma 1 to 3, in two rounds, took FCN-8s of seed 0 from 0.455 to 0.457 on the 8 pictures searched, with w1
4, alpha 5, beta 8 and w2 0, and from 0.456 to 0.458 on 16 others that were held out.

Of each the scores without and with a CRF after the net, mean IoU by trimap width too; the settings found; milliseconds
of processor time for a picture of 320 × 480 and for a CRF of default settings on it; and the megabytes of what the net
computes for one training crop. learned: what w1 and w2 of the net's own CRF have become. About 35 minutes on two cores.
"""

import utils
from utils.engine import tiling
from utils.engine.digest import code_digest, data_digest

import contextlib
import functools
import io
import time

import mxnet as mx
import numpy as np
from mxnet import nd
from PIL import Image

from results import common

BACKBONE, HELD_OUT, SEARCHED = "efficientnet_lite0", 40, 8
EVERY = {"voc_mini": 1, "camvid": 2}
RUNS = [
    ("fcn8s", ""),
    ("deeplab", "32"),
    ("deeplab", "16"),
    ("deeplab", "8"),
    ("deeplab_largefov", "8"),
    ("deeplab_meanfield", "8"),
]
FIRST, LAST = 6, 2  # epochs at stride 32, and at a net's own
RATES = dict.fromkeys((net for net, _ in RUNS), (3e-4, 3e-3)) | {"fcn8s": (1e-3, 1e-3)}  # of the backbone, and behind
WEAK = {"w1": 1.0, "w2": 1.0}  # its votes at first: strong ones make one class of all that is unsure (chapter 13)
WIDTHS = (1, 2, 4, 8, 16, 32)
GRID = {"w1": (2, 4, 8), "alpha": (15, 40), "beta": (4, 8, 16)}


def names(data, root):
    """Names to train on, those held out, and those to test on."""
    given = utils.read_names(root)
    return given[:-HELD_OUT][:: EVERY[data]], given[-HELD_OUT:], utils.read_names(root, False)[:: EVERY[data]]


def crops(data, root, seed):
    """Training crops: made anew for each stage of a training, so that it doesn't hang on what was drawn before."""
    return utils.VOCSegDataset(True, common.CROP, root, common.SCALE[data], seed=seed, names=names(data, root)[0])


def whole(data, root, which):
    """Whole pictures: those held out, or those of the test."""
    return utils.VOCSegDataset(False, None, root, common.SCALE[data], names=which)


def jobs(data, root):
    """What each row begins with, and the folder of its pictures."""
    _, held_out, tested = names(data, root)
    sets = crops(data, root, 0), whole(data, root, held_out), whole(data, root, tested)
    for net, stride in RUNS:
        rates = "{:g} and {:g}".format(*RATES[net])
        epochs = str(FIRST + LAST) if net == "fcn8s" else f"{FIRST}+{LAST}"
        same = {
            "settings": f"{common.settings(data, rates)}, held out {HELD_OUT}, searched {SEARCHED}, "
            f"1 picture of {EVERY[data]}, {BACKBONE}",
            "pictures": " ".join(map(data_digest, sets)),
            "code": code_digest((__file__, "one_run")),
        }
        for seed in range(3):
            yield {"data": data, "net": net, "stride": stride, "seed": str(seed), "epochs": epochs} | same, str(root)


def make_net(name, stride, num_classes):
    options = {"stride": int(stride)} if stride else {}
    if name == "deeplab_meanfield":
        options["crf"] = WEAK
    return utils.get_model(name, num_classes, BACKBONE, True, utils.try_gpu(), **options)


def fit(net, train_set, epochs, rates):
    """Seconds of a training with one rate for the backbone and one for what is behind it."""
    backbone, behind = rates
    for name, parameter in net._collect_params_with_prefix().items():
        if not name.startswith("features."):
            parameter.lr_mult = behind / backbone
    with contextlib.redirect_stdout(io.StringIO()):  # a line for each epoch
        return common.train(net, train_set, epochs, backbone)


@functools.cache
def begun(data, root, seed):
    """The net that all but fcn8s begin with, and the seconds of its training: once for all rows of a process."""
    train_set = crops(data, root, seed)
    utils.seed(seed)
    net = make_net("deeplab", 32, len(train_set.classes))
    return net, fit(net, train_set, FIRST, RATES["deeplab"])


def from_it(name, stride, before, num_classes):
    """A net with the weights of another, as far as it has them there."""
    net = make_net(name, stride, num_classes)
    net(nd.zeros((1, 3, 32, 32), ctx=utils.try_gpu()))
    utils.start_from(net, before)
    return net


def trained(job, root):
    """A net, the seconds of its training, and the net that its last epochs began with, where that can score."""
    data, seed, name, stride = job["data"], int(job["seed"]), job["net"], job["stride"]
    train_set = crops(data, root, seed)
    count = len(train_set.classes)
    if name == "fcn8s":
        utils.seed(seed)
        net = make_net(name, stride, count)
        return net, fit(net, train_set, FIRST + LAST, RATES[name]), None
    before, seconds = begun(data, root, seed)
    utils.seed(seed)
    bare = None if name == "deeplab_largefov" else from_it("deeplab", stride, before, count)
    net = from_it(name, stride, before, count)
    return net, seconds + fit(net, train_set, LAST, RATES[name]), bare


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
        everywhere = metrics[kind, None]
        row |= {kind + key: f"{value:.4f}" for key, value in everywhere.scores().items()}
        by_width = {width: metrics[kind, width].scores()["mean_iou"] for width in WIDTHS}
        row[f"{kind}trimaps"] = "; ".join(f"{width} {value:.4f}" for width, value in by_width.items())
        pairs = zip(test_set.classes.names, everywhere.iou, strict=True)
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
    _, held_out, tested = names(job["data"], root)
    net, seconds, bare = trained(job, root)
    search_set = whole(job["data"], root, held_out[:: HELD_OUT // SEARCHED])
    test_set = whole(job["data"], root, tested)
    start = time.process_time()
    crf, tried = utils.search_crf(said(net, search_set), len(test_set.classes), GRID, rounds=1)
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
    row["bare"] = common.scores(common.by(bare), test_set)["mean_iou"] if bare else ""
    if job["net"] == "deeplab_meanfield":
        row["learned"] = " ".join(f"{w:.2f}" for w in net.mean_field.weights.data().asnumpy())
    return job | row | common.circumstances(seconds)


def _without(tried):
    return next(row["mean_iou"] for row in tried if row["w1"] == row["w2"] == 0)


if __name__ == "__main__":
    common.command(__doc__, __file__, jobs, one_run, key=("data", "net", "stride", "seed"))
