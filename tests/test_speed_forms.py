"""The fast forms give what the plain ones do: nets, labels, memory. How fast they are is measured in benchmarks/."""

import utils
from utils.data.voc import read_pair
from utils.metrics import best_class

import os
import resource
import subprocess
import sys

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd, nd


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("stride", [32, 16, 8, 4, 2])
def test_the_fast_net_is_the_plain_one(stride, align):
    """Scores, loss, gradients of every parameter and labels, within 1e-5 of the largest."""
    plain, fast = (utils.fcn(4, stride, align=align, plain=plain) for plain in (True, False))
    x, y = nd.random.normal(shape=(2, 3, 70, 101)), nd.random.randint(0, 4, shape=(2, 70, 101))
    loss, found = utils.SoftmaxCrossEntropyLoss(), []
    plain(x)
    for name, parameter in plain.collect_params("score_pool.*weight").items():  # not zeros, or they would be silent
        parameter.set_data(nd.random.normal(0, 0.1, parameter.shape))
        assert "pool" in name
    utils.start_from(fast, plain)
    for net in plain, fast:
        net.hybridize()
        with autograd.record():
            scores = net(x)
            losses = loss(scores, y)
        losses.backward()
        grads = {
            name: parameter.grad().asnumpy()
            for name, parameter in net._collect_params_with_prefix().items()
            if parameter.grad_req != "null"
        }
        found.append({"scores": scores.asnumpy(), "loss": losses.asnumpy(), **grads})
    assert len(found[0]) > 40 and found[0].keys() == found[1].keys()
    for name, expected in found[0].items():
        gap = np.abs(found[1][name] - expected).max()
        assert gap <= 1e-5 * max(1, np.abs(expected).max()), (name, gap)
    first, second = np.sort(found[0]["scores"], axis=1)[:, :-3:-1].transpose(1, 0, 2, 3)
    clear = first - second > 1e-5 * np.abs(first).max()
    assert clear.mean() > 0.99
    labels = [f["scores"].argmax(axis=1)[clear] for f in found]
    np.testing.assert_array_equal(*labels)


@pytest.mark.parametrize("shape", [(2, 21, 13, 17), (3, 1, 4, 5), (5, 7), (1, 300, 6, 3), (2, 256, 3, 2)])
@pytest.mark.parametrize("kind", [np.array, nd.array])
def test_best_class_against_numpy(shape, kind):
    rng = np.random.RandomState(0)
    for scores in rng.normal(size=shape), rng.randint(0, 3, shape), -np.ones(shape):  # the last two: many are equal
        scores = scores.astype(np.float32)
        found = best_class(kind(scores))
        np.testing.assert_array_equal(found, scores.argmax(axis=1))
        assert found.dtype == (np.uint8 if shape[1] <= 256 else np.uint16)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_best_class_refuses_what_is_no_number(value):
    scores = nd.zeros((1, 3, 4, 5))
    scores[0, 2, 3, 4] = value
    with pytest.raises(ValueError, match="nan or infinite: the net has diverged"):
        best_class(scores)


FAULTS = """
import resource
import {}
from mxnet import nd
def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
x = nd.ones((8, 21, 160, 240))
for i in range(150):
    if i == 140:
        before = pages()
    x = x + 1
    nd.waitall()
print(pages() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc")
def test_memory_of_large_arrays_is_kept():
    """Ten times 26 MB, 6,300 pages each: after the first steps `utils` doesn't ask for them anew."""

    def pages(module, **env):
        env = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")} | env
        command = [sys.executable, "-c", FAULTS.format(module)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout)

    size = 8 * 21 * 160 * 240 * 4 / resource.getpagesize()
    assert pages("utils") < 2 * size < pages("utils", MALLOC_MMAP_MAX_="65536", MALLOC_MMAP_THRESHOLD_="131072")


def test_what_is_given_back_is_gone():
    code = """
import utils, psutil
from utils.core import memory
from mxnet import nd
arrays = [nd.ones((8, 21, 320, 480)) for _ in range(4)]
nd.waitall()
del arrays
nd.waitall()
before = psutil.Process().memory_info().rss
memory.give_back()
print(before - psutil.Process().memory_info().rss)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    if sys.platform.startswith("linux"):
        assert int(done.stdout) > 300e6


def test_counting_while_the_net_works_changes_no_score(voc_folder):
    """`evaluate` against a plain loop, with pictures of different sizes."""
    test_set = utils.VOCSegDataset(False, None, voc_folder)
    net = utils.fcn(21, ctx=mx.cpu())
    metric = utils.SegmentationMetric(21)
    for x, y in test_set:
        metric.update(y.expand_dims(0), net(x.expand_dims(0)).argmax(axis=1))
    np.testing.assert_array_equal(utils.confusion(net, test_set).confusion, metric.confusion)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("crop_size", [(24, 40), (70, 60)])  # the second is higher than the pictures: padded
def test_fast_pairs_are_the_plain_ones(voc_folder, train, crop_size):
    """Normalised, padded, cropped and turned one after the other, as chapter 02 does it: the same bits."""
    dataset, (height, width) = utils.VOCSegDataset(train, crop_size, voc_folder), crop_size
    flips = set()
    for i, name in enumerate(dataset.names):
        image, label = read_pair(voc_folder, name, dataset.classes)
        missing = [(0, max(0, want - have)) for want, have in zip(crop_size, label.shape, strict=True)]
        image = np.pad(utils.normalize(image), [*missing, (0, 0)])
        label = np.pad(label, missing, constant_values=utils.VOID)
        rng = np.random.RandomState([0, 5, i])
        if train:
            image, label = utils.rand_crop(image, label, height, width, rng)
            flips.add(flip := bool(rng.randint(2)))
            image, label = (image[:, ::-1], label[:, ::-1]) if flip else (image, label)
        else:
            top, left = (label.shape[0] - height) // 2, (label.shape[1] - width) // 2
            image, label = (a[top : top + height, left : left + width] for a in (image, label))
        x, y = dataset[5, i]
        np.testing.assert_array_equal(x.asnumpy(), image.transpose(2, 0, 1))
        np.testing.assert_array_equal(y.asnumpy(), label)
        assert x.dtype == y.dtype == np.float32
    assert not train or flips == {True, False}


def test_a_cache_changes_no_bit_and_is_not_read_twice(voc_folder, monkeypatch):
    """Nor do workers read again; what does not fit into memory is refused before it is read."""
    crop = 24, 40
    plain, cached = (utils.VOCSegDataset(True, crop, voc_folder, scale=0.9, cache=cache) for cache in (False, True))
    expected = [[x.asnumpy() for x in plain[3, i]] for i in range(len(plain))]
    monkeypatch.setattr("utils.data.dataset.read_pair", None)
    for i, pair in enumerate(expected):
        for found, array in zip(cached[3, i], pair, strict=True):
            np.testing.assert_array_equal(found.asnumpy(), array)
    assert len(list(utils.data_loader(cached, 2, num_workers=2))) == len(cached) // 2
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 1000}))
    with pytest.raises(MemoryError, match="cache=True needs"):
        utils.VOCSegDataset(True, crop, voc_folder, cache=True)
