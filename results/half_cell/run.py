"""Classic and aligned places of cells, on crops that end at an aligned cell and on crops that don't (chapter 09).

    make results        or        python -m results.half_cell.run        makes table.csv

FCN-32s and FCN-8s on ResNet18 from random weights, on the course's drawings, three seeds, rate, epochs and batch as in
`results.skips.run`, whose crops of 160 × 224 have 31 pixels beyond the last aligned cell of stride 32. On crops of
161 × 225 it lies on the last pixel. Scored on whole test pictures, and on two parts of them: `inside` and `beyond`
the last aligned cell of stride 32. On 160 × 224 FCN-32s only, trained as in `results/skips` and scored by part. Ways
"ceiling …": no net, the truth itself, reduced to cells at these places and enlarged again. 15 minutes on two cores.
"""

import utils
from utils.data.labelmap import VOID

import numpy as np
from mxnet import nd

from results import common
from results.skips.run import PLAN

CROPS = {(161, 225): (32, 8), common.CROP: (32,)}  # and the strides of the nets trained on them
NETS = [(stride, way) for stride in (32, 8) for way in ("aligned", "classic")]


def reduced_and_enlarged(label, num_classes, stride, first):
    """The truth, averaged around cells at first, first + stride, … and enlarged from there, the outermost repeated."""
    maps = (label == np.arange(num_classes)[:, None, None]).astype(np.float32)
    for axis in 1, 2:
        pixels = np.arange(label.shape[axis - 1])
        cells = first + stride * np.arange(-(-len(pixels) // stride))
        near = np.abs(pixels - cells[:, None]) <= stride / 2
        at = np.clip(pixels, cells[0], cells[-1])
        tents = np.maximum(0, 1 - np.abs(at[:, None] - cells) / stride)
        maps = np.moveaxis(np.tensordot(tents @ (near / near.sum(axis=1, keepdims=True)), maps, (1, axis)), 0, axis)
    return maps.argmax(axis=0)


class Part:
    """Test pictures whose labels hold only what lies inside, or beyond, the last aligned cell of stride 32."""

    def __init__(self, test_set, beyond):
        self.test_set, self.classes, self.beyond = test_set, test_set.classes, beyond

    def __iter__(self):
        for x, y in self.test_set:
            height, width = ((side - 1) // 32 * 32 + 1 for side in y.shape)
            part = y.copy() if self.beyond else nd.full(y.shape, VOID)
            part[:height, :width] = VOID if self.beyond else y[:height, :width]
            yield x, part


def jobs(data, root):
    """What each row begins with, and the folder of its pictures: runs on drawings only."""
    if data != "voc_mini":
        return
    origin, rate = common.provenance(__file__, data, root), PLAN[data]["rate"]
    for crop, strides in CROPS.items():
        size = f"{crop[0]}x{crop[1]}"
        settings = common.settings(data, rate).replace(f"{common.CROP[0]}x{common.CROP[1]}", size)
        for stride, way in [(stride, way) for stride, way in NETS if stride in strides]:
            for seed in range(3):
                row = {"data": data, "crop": size, "net": f"{stride}s", "way": way, "seed": str(seed)}
                yield row | {"epochs": str(PLAN[data]["epochs"]), "settings": settings} | origin, str(root)
    for stride, way in NETS:
        row = {"data": data, "crop": "none", "net": f"{stride}s", "way": f"ceiling {way}", "seed": "0"}
        yield row | {"epochs": "0", "settings": "scale 1.0, trimap 4"} | origin, str(root)


def _trained(job, root):
    """A net, trained, and its seconds of training."""
    seed, crop, stride = int(job["seed"]), tuple(map(int, job["crop"].split("x"))), int(job["net"][:-1])
    train_set = utils.VOCSegDataset(True, crop, root, common.SCALE[job["data"]], seed=seed)
    utils.seed(seed)
    net = utils.fcn(len(train_set.classes), stride, align=job["way"] == "aligned", plain=True, ctx=utils.try_gpu())
    return net, common.train(net, train_set, int(job["epochs"]), PLAN[job["data"]]["rate"])


def one_run(job, root):
    """Train, where there is a net, and score once; one row of the table."""
    _, test_set = common.datasets(job["data"], root, int(job["seed"]))
    if job["way"].startswith("ceiling"):
        stride = int(job["net"][:-1])
        first = (stride - 1) / 2 if job["way"] == "ceiling classic" else 0
        truth = [reduced_and_enlarged(y.asnumpy(), len(test_set.classes), stride, first)[None] for _, y in test_set]
        said, seconds = [nd.array(labels) for labels in truth], 0
    else:
        net, seconds = _trained(job, root)
        said = [common.by(net)(x, None).argmax(axis=1) for x, _ in test_set]

    def scores(pictures):
        following = iter(said)
        return common.scores(lambda x, y: next(following), pictures)

    row = job | scores(test_set)
    for name in "inside", "beyond":
        part = scores(Part(test_set, name == "beyond"))
        row |= {f"{name}_acc": part["pixel_acc"], f"{name}_iou": part["mean_iou"]}
    return row | common.circumstances(seconds)


if __name__ == "__main__":
    common.command(__doc__, __file__, jobs, one_run, key=("data", "crop", "net", "way", "seed"))
