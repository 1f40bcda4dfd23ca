"""Each entry of docs/if_something_looks_wrong.md is as it says: what one sees, and that the remedy cures it."""

import utils

import pathlib
import re
import subprocess
import sys

import mxnet as mx
import numpy as np
import psutil
import pytest
from mxnet import autograd, gluon, init, nd
from mxnet.gluon import nn
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/if_something_looks_wrong.md").read_text(encoding="utf-8")
ELSEWHERE = {
    "OMP_NUM_THREADS": "test_device.py",
    "A loader hangs, or its worker died": "test_shared_memory.py",
    "AF_UNIX path too long": "test_shared_memory.py",
}
SHOWN = set(ELSEWHERE)


def shows(heading):
    """Marks the test of an entry."""
    assert f"# {heading}\n" in PAGE, heading
    SHOWN.add(heading)
    return lambda function: function


def python(code, folder=ROOT):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, timeout=100)
    return done.stdout + done.stderr


@pytest.fixture
def rare():
    """(1, 40, 60) label of two classes: a strip of a tenth of the pixels is class 1."""
    label = np.zeros((40, 60), np.uint8)
    label[:4] = 1
    return nd.array(label[None])


@shows("Several classes, and the file looks black")
def test_indices_seen_as_grey(tmp_path):
    label = nd.array(np.arange(21, dtype=np.uint8).repeat(20).reshape(20, 21), dtype="uint8")
    Image.fromarray(label.asnumpy()).save(tmp_path / "label.png")
    assert np.asarray(Image.open(tmp_path / "label.png")).max() <= 20 < 0.08 * 255 + 1
    colours = utils.label2image(label).asnumpy()
    assert len(np.unique(colours.reshape(-1, 3), axis=0)) == 21 and colours.max() >= 192


@shows("One class everywhere")
@shows("Accuracy is high, mean IoU isn't")
def test_one_class_everywhere_may_have_a_high_accuracy(rare):
    metric = utils.SegmentationMetric(2)
    metric.update(rare, nd.zeros_like(rare))
    scores = metric.scores()
    assert scores["pixel_acc"] == pytest.approx(0.9) and scores["mean_iou"] == pytest.approx(0.45)
    assert metric.iou.tolist() == pytest.approx([0.9, 0])


@shows("Labels of 0 and 255")
def test_bare_255_is_void():
    label = nd.array(np.where(np.arange(100) < 40, 255, 0).reshape(1, 10, 10))
    scores = nd.random.normal(shape=(1, 2, 10, 10))
    scores.attach_grad()
    with autograd.record():
        loss = utils.SoftmaxCrossEntropyLoss()(scores, label)
    loss.backward()
    assert (scores.grad.asnumpy()[:, :, :4] == 0).all() and (scores.grad.asnumpy()[:, :, 4:] != 0).all()
    metric = utils.SegmentationMetric(2)
    metric.update(label, nd.zeros_like(label))
    assert metric.scores()["pixel_acc"] == metric.scores()["mean_iou"] == 1


@shows("A dense kernel that is filled")
def test_a_filled_kernel_makes_all_channels_equal():
    x = nd.random.normal(shape=(1, 3, 5, 5))
    layer = nn.Conv2DTranspose(3, 4, 2, 1, use_bias=False, in_channels=3)
    layer.initialize(init.Bilinear())
    y = layer(x).asnumpy()
    assert np.allclose(y[:, :1], y, atol=1e-6) and not y.argmax(axis=1).any()
    layer.weight.set_data(utils.bilinear_kernel(3, 3, 4))
    assert len(np.unique(layer(x).asnumpy().argmax(axis=1))) == 3


@shows("A mean IoU near 0 at first")
def test_an_untrained_net_scores_next_to_nothing():
    data = utils.VOCSegDataset(train=False).take(4)
    assert utils.evaluate(utils.fcn(21), data)["mean_iou"] < 0.05


@shows("nan")
def test_nan_in_scores_and_predictions():
    metric = utils.SegmentationMetric(2)
    metric.update(nd.full((1, 4, 4), 255), nd.zeros((1, 4, 4)))
    assert all(np.isnan(value) for value in metric.scores().values())
    net = nn.Conv2D(2, 1)
    net.initialize(init.Constant(np.nan))
    assert not nd.full((1, 2, 3, 3), np.nan).argmax(axis=1).asnumpy().any()
    with pytest.raises(ValueError, match="nan"):
        utils.predict(net, np.zeros((64, 64, 3), np.uint8))


@shows("Memory")
@pytest.mark.skipif(sys.platform != "linux", reason="reads the most memory used from /proc")
def test_memory_grows_with_the_batch():
    """What `train` says where it ran out is in test_faults.py."""
    code = """
import pathlib, re, utils
from mxnet import autograd, nd
net = utils.fcn(21); x = nd.ones((BATCH, 3, 160, 224)); net(x).wait_to_read()
with autograd.record():
    loss = net(x).sum()
loss.backward(); nd.waitall()
print(int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) // 1024)
"""
    one, eight = (int(python(code.replace("BATCH", str(batch))).split()[-1]) for batch in (1, 8))
    assert eight - one > 100  # MB


@shows("received 0 items of ancdata")
@pytest.mark.skipif(sys.platform != "linux", reason="counts its open files in /proc")
@pytest.mark.parametrize("kept, works", [("a", False), ("a.copy()", False), ("a.as_in_context(mx.cpu())", True)])
def test_arrays_from_workers_are_open_files(kept, works):
    found = python(f"""
import os, resource, utils, mxnet as mx
loader = utils.data_loader(utils.VOCSegDataset(True, (64, 64)), 4, 1)
most = len(os.listdir("/proc/self/fd")) + 40
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
every = []
for batch in loader:
    every.append([{kept} for a in batch])
    mx.nd.waitall()
print(len(every), "batches")
""")
    assert ("40 batches" in found) == works and ("received 0 items of ancdata" in found) == (not works)


@shows("NumPy 1.24: no attribute 'bool'")
def test_numpy_without_bool():
    """NumPy 1.23 keeps these names in a table; without it, it answers as 1.24 does."""
    found = python("import numpy; numpy.__deprecated_attrs__.pop('bool'); import mxnet")
    assert "AttributeError: module 'numpy' has no attribute 'bool'" in found
    assert "Error" not in python("import mxnet")


@shows("No module named 'mxnet', or utils has no VOCSegDataset")
def test_a_utils_of_ones_own_hides_the_courses(tmp_path):
    said = "import sys; sys.path.insert(0, ''); import utils; print(utils.__file__, utils.VOCSegDataset)"
    assert str(ROOT / "utils") in python(said, tmp_path)
    (tmp_path / "utils.py").write_text("")
    assert "AttributeError: module 'utils' has no attribute 'VOCSegDataset'" in python(said, tmp_path)
    bare = subprocess.run([sys.executable, "-S", "-c", "import mxnet"], capture_output=True, text=True, cwd=tmp_path)
    assert "ModuleNotFoundError: No module named 'mxnet'" in bare.stderr


@shows("Memory that grows with SyncBatchNorm")
def test_nothing_grows_on_the_cpu():
    layer, x = gluon.contrib.nn.SyncBatchNorm(in_channels=64, num_devices=1), nd.ones((4, 64, 32, 32))
    layer.initialize()

    def steps(count):
        for _ in range(count):
            with autograd.record():
                loss = layer(x).sum()
            loss.backward()
        nd.waitall()
        return psutil.Process().memory_info().rss

    before = steps(100)
    assert steps(200) - before < 20e6  # 200 maps would be 200 MB


@shows("UpSampling(sample_type='bilinear')")
def test_upsampling_wants_a_kernel():
    x = nd.random.normal(shape=(1, 3, 5, 6))
    with pytest.raises(mx.MXNetError, match="expects 2 inputs, but got 1"):
        nd.UpSampling(x, scale=2, sample_type="bilinear")

    class Net(gluon.HybridBlock):
        def hybrid_forward(self, F, x):
            return F.UpSampling(x, scale=2, sample_type="bilinear", num_filter=3)

    net = Net()
    net.hybridize()
    with pytest.raises(AssertionError, match="Unknown input to HybridBlock: .*_weight"):
        net(x)
    kernel = utils.bilinear_kernel(1, 1, 4).tile((3, 1, 1, 1))
    found = nd.UpSampling(x, kernel, scale=2, sample_type="bilinear", num_filter=3)
    classic = utils.BilinearUpsampling(3, 2, align=False)
    classic.initialize()
    assert np.allclose(found.asnumpy(), classic(x).asnumpy(), atol=1e-5)
    assert nd.contrib.BilinearResize2D(x, height=10, width=12).shape == found.shape


@shows("target_shape")
def test_target_shape():
    with pytest.raises(TypeError, match="target_shape"):
        nn.Conv2DTranspose(3, 4, 2, target_shape=(8, 8))
    x, kernel = nd.ones((1, 3, 4, 4)), nd.ones((3, 3, 4, 4))
    given = {"kernel": (4, 4), "stride": (2, 2), "num_filter": 3}
    if mx.runtime.Features().is_enabled("MKLDNN"):
        with pytest.raises(mx.MXNetError, match="could not create a descriptor"):
            nd.Deconvolution(x, kernel, target_shape=(9, 9), **given).asnumpy()
    assert nd.Deconvolution(x, kernel, pad=(1, 1), **given).asnumpy().shape[2:] == (8, 8)
    assert nd.slice_like(nd.Deconvolution(x, kernel, **given), nd.ones((1, 1, 9, 9)), axes=(2, 3)).shape[2:] == (9, 9)


@shows("Weights asked for before the first batch")
def test_deferred_weights(tmp_path):
    def made(**options):
        net = nn.Conv2D(4, 3, **options)
        net.initialize()
        return net

    net = made()
    for ask in (
        net.weight.data,
        lambda: net.save_parameters(str(tmp_path / "x.params")),
        lambda: sum(parameter.data().size for parameter in net.collect_params().values()),
    ):
        with pytest.raises(gluon.parameter.DeferredInitializationError):
            ask()
    net(nd.zeros((1, 3, 64, 64)))
    assert net.weight.data().shape == made(in_channels=3).weight.data().shape == (4, 3, 3, 3)


def test_every_entry_has_its_test_and_says_what_to_do():
    parts = re.split(r"(?m)^##+ (.+)\n", PAGE)[1:]
    entries = {heading: text for heading, text in zip(parts[::2], parts[1::2], strict=True) if "\n- **" in text}
    assert set(entries) == SHOWN
    for heading, text in entries.items():
        assert len(re.findall(r"(?m)^- \*\*", text)) == 3, heading
        assert heading == "nan" or re.findall(r"(?m)^- \*\*(.*?)\*\*", text) == ["You see", "Why:", "Do:"], heading
    assert all((ROOT / "tests" / name).exists() for name in ELSEWHERE.values())
