"""The picture on top of the README and the book, of what the net that ships says: makes docs/result.png.

    python -m results.shipped.picture

Of all test pictures, ordered by the mean IoU that each has by itself: the one in the middle, and the worst.
"""

import utils
from utils.core.files import atomic_write
from utils.viz.plotting import RED

import pathlib

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from results.shipped.run import NET

PICTURE = pathlib.Path(__file__).parents[2] / "docs" / "result.png"


def chosen(net, test_set):
    """Indices of the picture in the middle and of the worst, and the `Viewer` that scored all."""
    viewer = utils.Viewer(net, test_set)
    order = viewer.indices("lowest mean IoU first")
    return [order[len(order) // 2], order[0]], viewer


def draw(net, test_set):
    """A row each: picture, the net's labels, truth, and where the two differ, void left out."""
    indices, viewer = chosen(net, test_set)
    shown, titles = [], []
    for i in indices:
        name, label = test_set.names[i], viewer.labels[i]
        image = utils.read_image(utils.image_path(test_set.root, name))
        truth = utils.read_label(utils.label_path(test_set.root, name), test_set.classes)
        wrong = (label != truth) & (truth != utils.VOID)
        errors = np.where(wrong[..., None], [int(RED[k : k + 2], 16) for k in (1, 3, 5)], 255 - (255 - image) // 4)
        shown += [image, label, truth, errors.astype(np.uint8)]
        share = wrong.sum() / (truth != utils.VOID).sum()
        titles += ["test picture", "what the net says", "truth", f"wrong: {share:.1%} of the pixels"]
    axes = utils.show_images(shown, len(indices), 4, titles=titles, classes=test_set.classes)
    return axes[0, 0].figure


if __name__ == "__main__":
    net, *_ = utils.load_model(NET)
    figure = draw(net, utils.VOCSegDataset(False, None))
    with atomic_write(PICTURE) as beside:
        figure.savefig(beside, format="png", dpi=100, bbox_inches="tight")
        Image.open(beside).convert("RGB").quantize(256).save(beside, format="PNG", optimize=True)
    plt.close(figure)
    print(f"{PICTURE.name}: {PICTURE.stat().st_size / 1000:.0f} kB")
