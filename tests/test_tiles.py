"""Pictures of any size: tiles against the whole picture, flips and scales against the same by hand."""

import utils
from utils.data.transforms import normalize
from utils.engine import tiling

import subprocess
import sys

import mxnet as mx
import numpy as np
import pytest
from conftest import ROOT
from mxnet import gluon, nd

CPU = mx.cpu()


class Coarse(gluon.HybridBlock):
    """Scores at stride 32, enlarged as the course's nets do it; a pixel's scores depend on 62 pixels to each side."""

    def __init__(self, classes=4):
        super().__init__()
        with self.name_scope():
            self.features = gluon.nn.HybridSequential()
            for _ in range(5):
                self.features.add(gluon.nn.Conv2D(8, 3, strides=2, padding=1, activation="relu"))
            self.features.add(gluon.nn.Conv2D(classes, 1))
            self.upscore = utils.BilinearUpsampling(classes, 32)

    def hybrid_forward(self, F, x):
        return F.slice_like(self.upscore(self.features(x)), x, axes=(2, 3))


@pytest.fixture
def net():
    net = Coarse()
    net.initialize(mx.init.Xavier(magnitude=12))
    net(nd.zeros((1, 3, 32, 32)))
    return net


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(tiling, "CORE", 64)
    monkeypatch.setattr(tiling, "MARGIN", 64)


def picture(height, width, seed=0):
    """Blobs of all sizes: what a net says of it changes from place to place."""
    rng = np.random.RandomState(seed)
    image = rng.randint(0, 256, (height, width, 3), np.uint8)
    for size in 16, 48:
        rows, columns = -(-height // size), -(-width // size)
        blocks = np.kron(rng.randint(0, 256, (rows, columns, 3)), np.ones((size, size, 1)))[:height, :width]
        image = (0.4 * image + 0.6 * blocks).astype(np.uint8)
    return image


def planes(image):
    return normalize(image).transpose(2, 0, 1)


@pytest.mark.parametrize("size", [(200, 333), (193, 192), (1, 40_000), (70, 2000)])
def test_tiles_give_the_labels_of_the_whole_picture(net, small_tiles, size):
    image = picture(*size)
    whole = net(nd.array(planes(image)[None])).argmax(axis=1)[0].asnumpy()
    assert not tiling.in_one_piece(size) and len(np.unique(whole)) > 1
    np.testing.assert_array_equal(utils.predict(net, image).asnumpy(), whole)


def test_scores_agree_within_the_margin_and_not_without(net, small_tiles, monkeypatch):
    x = planes(picture(200, 333))
    whole = net(nd.array(x[None])).asnumpy()

    def difference():
        return max(
            np.abs(
                tiling.region_scores(net, x, rows, columns, CPU).asnumpy() - whole[:, :, slice(*rows), slice(*columns)]
            ).max()
            for rows, columns in tiling.cores(x.shape[1:])
        )

    assert difference() < 1e-5 * np.abs(whole).max()
    monkeypatch.setattr(tiling, "MARGIN", 0)
    assert difference() > 1e-2 * np.abs(whole).max()


@pytest.mark.parametrize("size", [(3000, 4000), (1537, 1536), (1, 2_400_000), (1025, 9000)])
def test_cores_cover_each_pixel_once(size):
    counts = np.zeros(size, np.uint8)
    for rows, columns in tiling.cores(size):
        assert rows[0] % 32 == columns[0] % 32 == 0 and max(rows[1] - rows[0], columns[1] - columns[0]) <= tiling.CORE
        counts[slice(*rows), slice(*columns)] += 1
    assert (counts == 1).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (31, 33), (32, 32)])
def test_small_pictures(net, size):
    image = picture(*size)
    plain = utils.predict(net, image)
    assert plain.shape == size and plain.dtype == np.int32
    assert utils.predict(net, image, scale=0.3).shape == size
    assert utils.predict(net, image, flip=True, scales=(0.5, 1, 1.5)).shape == size


def by_hand(size, other):
    """Matrix (other, size) that resizes one axis: a tent around each new pixel's centre, wider where it reduces."""
    ratio = size / other
    centre = (np.arange(other)[:, None] + 0.5) * ratio
    weights = np.maximum(0, 1 - np.abs(np.arange(size) + 0.5 - centre) / max(ratio, 1))
    return weights / weights.sum(axis=1, keepdims=True)


def averaged(net, x, scales):
    """Mean softmax over scales, each as it is and mirrored: matrix products in the place of Pillow."""
    total, size = 0, x.shape[1:]
    for scale in scales:
        other = [max(1, round(n * scale)) for n in size]
        down, up = (
            [by_hand(n, m) for n, m in zip(size, other, strict=True)],
            [by_hand(m, n) for n, m in zip(size, other, strict=True)],
        )
        seen = down[0] @ x @ down[1].T
        for step in 1, -1:
            scores = net(nd.array(seen[None, :, :, ::step].copy())).asnumpy()[0].astype(np.float64)
            exp = np.exp(scores - scores.max(axis=0))
            total = total + up[0] @ (exp / exp.sum(axis=0))[:, :, ::step] @ up[1].T
    return total


def test_flips_and_scales_are_the_average_by_hand(net):
    image, scales = picture(90, 141), (0.5, 1, 1.25)
    mean = averaged(net, planes(image), scales)
    found = utils.predict(net, image, flip=True, scales=scales).asnumpy()
    first, second = np.sort(mean, axis=0)[:-3:-1]
    clear = first - second > 1e-4
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(found[clear], mean.argmax(axis=0)[clear])
    assert (found != utils.predict(net, image).asnumpy()).mean() > 0.01


def test_flips_and_scales_in_tiles_too(net, monkeypatch):
    image = picture(200, 333)
    mean = averaged(net, planes(image), (0.75, 1))
    monkeypatch.setattr(tiling, "CORE", 64)
    monkeypatch.setattr(tiling, "MARGIN", 64)
    found = utils.predict(net, image, flip=True, scales=(0.75, 1)).asnumpy()
    first, second = np.sort(mean, axis=0)[:-3:-1]
    clear = first - second > 1e-4
    np.testing.assert_array_equal(found[clear], mean.argmax(axis=0)[clear])
    assert clear.mean() > 0.99


@pytest.mark.parametrize("largest", [1.25, 2])
def test_scales_above_1_get_no_larger_tiles(net, monkeypatch, largest):
    """A picture that would go through whole is cut where its largest view is too large for that."""
    image, seen = picture(190, 185), []
    mean = averaged(net, planes(image), (1, largest))
    monkeypatch.setattr(tiling, "CORE", 64)
    monkeypatch.setattr(tiling, "MARGIN", 64)
    assert tiling.in_one_piece(image.shape[:2])
    seeing = net.register_forward_pre_hook(lambda block, inputs: seen.append(inputs[0].shape[2:]))
    found = utils.predict(net, image, flip=True, scales=(1, largest)).asnumpy()
    seeing.detach()
    assert max(max(shape) for shape in seen) <= tiling.CORE + 2 * tiling.MARGIN + 2 * tiling.STRIDE
    first, second = np.sort(mean, axis=0)[:-3:-1]
    clear = first - second > 1e-4
    np.testing.assert_array_equal(found[clear], mean.argmax(axis=0)[clear])


def test_evaluate_counts_what_predict_says(net, small_tiles):
    images = [picture(200, 300, 1), picture(40, 50, 2), picture(40, 50, 3)]
    labels = [np.random.RandomState(i).choice([0, 1, 2, 3, 255], image.shape[:2]) for i, image in enumerate(images)]
    pairs = [(nd.array(planes(i)), nd.array(label)) for i, label in zip(images, labels, strict=True)]
    for options in {}, {"flip": True}, {"scales": (0.5, 1)}:
        expected = utils.SegmentationMetric(4)
        for image, label in zip(images, labels, strict=True):
            expected.update(nd.array(label), utils.predict(net, image, **options))
        mixed = gluon.data.DataLoader(pairs, 2, batchify_fn=lambda batch: tuple(zip(*batch, strict=True)))
        stacked = gluon.data.DataLoader(pairs[1:], 2)
        assert utils.evaluate(net, pairs, **options) == utils.evaluate(net, mixed, **options) == expected.scores()
        assert (utils.confusion(net, stacked, **options).confusion.sum()) == sum((n < 255).sum() for n in labels[1:])


def test_what_cannot_be_averaged_or_is_not_finite_is_said(net):
    for scales in (), (0, 1), (1, 3):
        with pytest.raises(ValueError, match=r"scales=.*expected numbers above 0, at most 2"):
            utils.predict(net, picture(40, 40), scales=scales)
    with pytest.raises(ValueError, match=r"\(0, 5, 3\) and uint8: expected"):
        utils.predict(net, np.zeros((0, 5, 3), np.uint8))
    net.features[5].bias.set_data(net.features[5].bias.data() * np.nan)
    with pytest.raises(ValueError, match="nan or infinite"):
        utils.predict(net, picture(40, 40))


PEAK = 2.0e9
"""Bytes that predicting 3,000 × 4,000 may take at its peak, all of the process: FCN-8s, ResNet18, 21 classes."""

CHILD = """
import utils
import numpy as np
net = utils.fcn(21, stride=8)
net.hybridize()
image = np.random.RandomState(0).randint(0, 256, (3000, 4000, 3), np.uint8)
label = utils.predict(net, image)
assert label.shape == (3000, 4000)
status = open("/proc/self/status").read()  # not ru_maxrss, which begins with the parent's peak
print(int(status.split("VmHWM:")[1].split()[0]) * 1024)
"""


@pytest.mark.long
def test_peak_memory_at_3000_by_4000(report):
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, cwd=ROOT, timeout=900)
    assert done.returncode == 0, done.stderr
    report("predict, FCN-8s on ResNet18, 3,000 × 4,000 pixels", f"peak memory {int(done.stdout) / 1e9:.2f} GB")
    assert int(done.stdout) < PEAK


def mosaic(rows, columns):
    """Pictures of voc_mini's test split side by side, cut to 160 × 224 each."""
    images, _ = utils.read_images(train=False)
    cut = [image.asnumpy()[:160, :224] for image in images if min(image.shape[0] - 160, image.shape[1] - 224) >= 0]
    places = [cut[i % len(cut)] for i in range(rows * columns)]
    return np.block([[[image] for image in places[row * columns : (row + 1) * columns]] for row in range(rows)])


@pytest.mark.long
def test_share_of_labels_that_differ_falls_with_the_margin(monkeypatch, report):
    """A trained FCN-8s on one picture, whole and in tiles: nothing differs at 256; what less costs."""
    train_set = utils.VOCSegDataset(True, (96, 128), scale=0.5)
    utils.seed(0)
    net = utils.fcn(21, stride=8)
    net.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 1e-3})
    loss = utils.SoftmaxCrossEntropyLoss()
    utils.train(utils.data_loader(train_set, 8), None, net, loss, trainer, CPU, 10)
    x = planes(mosaic(8, 6))  # 1280 × 1344
    whole = net(nd.array(x[None])).argmax(axis=1)[0].asnumpy()
    monkeypatch.setattr(tiling, "CORE", 448)  # more cuts than by default
    monkeypatch.setattr(tiling, "in_one_piece", lambda size, net: False)
    shares = []
    for margin in 0, 64, 128, 192, 256:
        net.receptive_margin = margin
        differ = tiling.labels(net, x, CPU)[0] != whole
        shares.append(differ.mean())
        report(
            f"tiles with a margin of {margin}", f"{100 * shares[-1]:.4f} % of labels differ from the whole picture's"
        )
    assert shares[0] > 0.001 and shares[-1] < 1e-5 and shares[:3] == sorted(shares[:3], reverse=True)


@pytest.mark.long
def test_resnet18_in_tiles_is_the_whole_picture(report):
    """The course's net in tiles of the size they have: scores equal but for rounding."""
    net = utils.fcn(21, stride=8)
    net.score_pool4.initialize(mx.init.Xavier(), force_reinit=True)
    net.score_pool3.initialize(mx.init.Xavier(), force_reinit=True)
    x = planes(picture(1600, 1500))
    whole = net(nd.array(x[None])).asnumpy()
    assert not tiling.in_one_piece(x.shape[1:])
    errors = [
        np.abs(tiling.region_scores(net, x, rows, columns, CPU).asnumpy() - whole[:, :, slice(*rows), slice(*columns)])
        for rows, columns in tiling.cores(x.shape[1:])
    ]
    error = max(part.max() for part in errors) / np.abs(whole).max()
    report("ResNet18 in tiles against the whole picture, 1,600 × 1,500", f"scores {error:.1e} of the largest apart")
    assert error < 1e-5
