"""What goes wrong in a training is said in one message that names the place and what to try."""

import utils
from utils.engine.preflight import Checked

import multiprocessing
import os
import re
import shutil
import signal
import time

import mxnet as mx
import numpy as np
import pytest
import tiny
from conftest import VOC_PALETTE, write_palette_png
from mxnet import autograd, gluon, nd


@pytest.fixture
def fails(report, request):
    """`fails(error, words, given)`: training stops with one error of that type and those words."""

    def check(error, words, given, epochs=2, **options):
        with pytest.raises(error, match=words) as found:
            tiny.train(given, epochs, **options)
        text = str(found.value)
        assert "\n" not in text and len(text) < 400
        report(request.node.name.removeprefix("test_").replace("_", " "), text)

    return check


class Spoiled:
    """The course's loss, with its value changed from the nth call on."""

    def __init__(self, at, factor):
        self.loss, self.left, self.factor = utils.SoftmaxCrossEntropyLoss(), at, factor

    def __call__(self, scores, labels):
        self.left -= 1
        return self.loss(scores, labels) * (self.factor if self.left <= 0 else 1)


@pytest.mark.parametrize("factor", [np.nan, np.inf])
def test_loss_nan_or_infinite(voc_folder, fails, factor):
    words = "epoch 2, batch 1: .*nan or infinite: the net has diverged at learning rate 0.05.* try 0.005"
    fails(ValueError, words, tiny.setup(voc_folder, poly=False) | {"loss": Spoiled(3, factor)})


def test_scores_nan_or_infinite(voc_folder, fails):
    given = tiny.setup(voc_folder, poly=False, learning_rate=1e30)
    fails(ValueError, "epoch 1, batch 2: .*diverged at learning rate 1e", given)


def test_nan_before_the_first_step(voc_folder, fails):
    given = tiny.setup(voc_folder)
    given["net"](nd.zeros((1, 3, 8, 8)))
    given["net"][2].bias.set_data(nd.full((21,), np.nan))
    fails(ValueError, "epoch 1, batch 1: .*before the first step: look at the net's weights", given)


def test_nan_in_the_images(fails):
    x, y = np.zeros((6, 3, 8, 8), np.float32), np.zeros((6, 8, 8), np.float32)
    x[4] = np.nan
    given = _on_arrays(x, y, net=gluon.nn.Conv2D(21, 1))  # ReLU would make 0 of nan
    fails(ValueError, "epoch 1, batch 2: the batch's images hold nan or infinite values", given)


def _on_arrays(x, y, batch=3, net=None):
    net = tiny.net_of() if net is None else net
    net.initialize()
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    data = gluon.data.DataLoader(gluon.data.ArrayDataset(x, y), batch)
    return {
        "train_data": data,
        "net": net,
        "loss": utils.SoftmaxCrossEntropyLoss(),
        "trainer": trainer,
        "ctx": mx.cpu(),
    }


def test_a_batch_without_a_labelled_pixel_is_said_once(capsys, report):
    x, y = np.random.randn(9, 3, 8, 8).astype(np.float32), np.zeros((9, 8, 8), np.float32)
    y[3:6] = utils.VOID
    tiny.train(_on_arrays(x, y), 2)
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("epoch 1, batch 2: no labelled pixel, so nothing to learn from it (said once)")
    assert [line[:7] for line in rest] == ["epoch 1", "epoch 2"] and "labelled" not in "".join(rest)
    report("no labelled pixel in a batch", first)


def test_no_labelled_pixel_at_all(fails):
    x, y = np.zeros((6, 3, 8, 8), np.float32), np.full((6, 8, 8), utils.VOID, np.float32)
    fails(ValueError, "epoch 1: no training batch has a labelled pixel", _on_arrays(x, y))


@pytest.mark.parametrize("hybridize", [False, True])
def test_a_loss_that_counts_void(voc_folder, fails, hybridize):
    given = tiny.setup(voc_folder) | {"loss": gluon.loss.SoftmaxCrossEntropyLoss(axis=1)}
    if hybridize:
        given["net"].hybridize()
        given["loss"].hybridize()
    words = (
        r"epoch 1, batch 1: the loss SoftmaxCrossEntropyLoss takes void \(label 255\) for a class.*utils.SoftmaxCross"
    )
    fails(ValueError, words, given)


def test_a_loss_that_counts_void_is_noticed_where_void_comes_late(fails):
    x, y = np.zeros((6, 3, 8, 8), np.float32), np.zeros((6, 8, 8), np.float32)
    y[5, 0, 0] = utils.VOID
    given = _on_arrays(x, y) | {"loss": gluon.loss.SoftmaxCrossEntropyLoss(axis=1)}
    fails(ValueError, "epoch 1, batch 2: the loss", given)


def test_a_loss_of_ones_own_that_ignores_void_may_draw_random_numbers(voc_folder):
    """The look at void calls the loss no second time, so the numbers drawn after it stay the same."""

    def sampling(scores, labels):
        known = (labels != utils.VOID) * (nd.random.uniform(shape=labels.shape) < 0.5)
        return -(nd.pick(nd.log_softmax(scores, axis=1), labels * known, axis=1) * known).mean((1, 2))

    given = tiny.setup(voc_folder) | {"loss": sampling}
    tiny.train(given, 1)
    by_hand = tiny.setup(voc_folder)
    for x, y in by_hand["train_data"]:
        with autograd.record():
            losses = sampling(by_hand["net"](x), y)
        losses.backward()
        by_hand["trainer"].step(len(x))
    np.testing.assert_array_equal(tiny.weights(given["net"]), tiny.weights(by_hand["net"]))


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int32"])
def test_looking_at_void_changes_no_bit_of_the_gradient(dtype):
    scores, labels = nd.random.normal(shape=(2, 5, 6, 7)), nd.random.randint(0, 5, (2, 6, 7)).astype(dtype)
    labels[0, 2:] = utils.VOID
    loss, found = utils.SoftmaxCrossEntropyLoss(), []
    for each in loss, Checked(loss):
        scores.attach_grad()
        with autograd.record():
            losses = each(scores * 2, labels)
        losses.backward()
        found.append((losses.asnumpy(), scores.grad.asnumpy()))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("penalty", [False, True])
@pytest.mark.parametrize("hybridize", [False, True])
def test_a_loss_with_a_penalty_on_weights_trains_as_by_hand(voc_folder, hybridize, penalty):
    """Not all of a loss goes through the scores; the look at void takes nothing from the rest."""

    def prepared():
        given = tiny.setup(voc_folder)
        net, entropy = given["net"], utils.SoftmaxCrossEntropyLoss()
        if hybridize:
            net.hybridize()
            entropy.hybridize()

        def loss(scores, labels):
            return entropy(scores, labels) + (0.1 * (net[0].weight.data() ** 2).sum() if penalty else 0)

        return given | {"loss": loss}

    given, by_hand = prepared(), prepared()
    tiny.train(given, 1)
    utils.seed(0)
    by_hand = prepared()
    for x, y in by_hand["train_data"]:
        with autograd.record():
            losses = by_hand["loss"](by_hand["net"](x), y)
        losses.backward()
        by_hand["trainer"].step(len(x))
    np.testing.assert_array_equal(tiny.weights(given["net"]), tiny.weights(by_hand["net"]))


class Smooth:
    """Cross-entropy, and a term that wants the scores of all pixels small, void or not."""

    def __init__(self, uses_void):
        self.loss, self.uses_void = utils.SoftmaxCrossEntropyLoss(), uses_void

    def __call__(self, scores, labels):
        return self.loss(scores, labels) + 0.01 * (scores**2).mean((1, 2, 3))


def test_a_loss_that_uses_void_on_purpose_says_so(voc_folder, fails):
    tiny.train(tiny.setup(voc_folder) | {"loss": Smooth(True)}, 1)
    fails(
        ValueError, "the loss Smooth takes void.*set uses_void = True", tiny.setup(voc_folder) | {"loss": Smooth(False)}
    )


def test_a_layer_that_is_never_called(voc_folder, fails):
    net = tiny.net_of()
    net.unused = gluon.nn.Conv2D(4, 1)
    net.forward = lambda x: net[2](net[0](x))
    words = "epoch 1, batch 1: the net has the parameter .*weight, but no layer used it: is its layer called"
    fails(ValueError, words, tiny.setup(voc_folder, net=net))


def test_an_error_in_a_loss_of_ones_own_keeps_its_frames(voc_folder):
    def mistaken(scores, labels):
        raise ValueError("my own")

    with pytest.raises(ValueError, match="^epoch 1, batch 1: my own$") as found:
        tiny.train(tiny.setup(voc_folder) | {"loss": mistaken}, 1)
    assert found.traceback[-1].name == "mistaken"
    assert found.value.__cause__ is None and found.value.__context__ is None


def test_classes_of_a_data_set_of_ones_own_may_be_a_number(voc_folder):
    given = tiny.setup(voc_folder)
    pairs = gluon.data.ArrayDataset(nd.zeros((3, 3, 8, 8)), nd.zeros((3, 8, 8)))
    pairs.classes = 21
    assert len(tiny.train(given | {"train_data": gluon.data.DataLoader(pairs, 3)}, 1)) == 1


def test_a_loader_whose_workers_have_ended(voc_folder, fails):
    given = tiny.setup(voc_folder, workers=1)
    picture = voc_folder / "JPEGImages/c.jpg"
    picture.rename(voc_folder / "away.jpg")
    fails(FileNotFoundError, "c.jpg: no such file", given)
    (voc_folder / "away.jpg").rename(picture)
    fails(ValueError, "the loader's workers have ended after an error: make the loader anew", given)


def test_more_classes_than_the_net_gives(voc_folder, fails):
    words = "epoch 1, batch 1: labels go from 0 to 20, but the net gives 9 scores a pixel.*as many classes"
    fails(ValueError, words, tiny.setup(voc_folder, net=tiny.net_of(9)))


def test_classes_that_the_first_batch_does_not_show(voc_folder, fails):
    for name in "abcdef":
        write_palette_png(voc_folder / f"SegmentationClass/{name}.png", np.zeros((40, 60)), VOC_PALETTE)
    words = "epoch 1, batch 1: the net gives 9 scores a pixel, the data has 21 classes: make it with 21"
    fails(ValueError, words, tiny.setup(voc_folder, net=tiny.net_of(9)))


def test_more_scores_than_classes_is_a_line(voc_folder, capsys):
    tiny.train(tiny.setup(voc_folder, net=tiny.net_of(25)), 1)
    assert "the net gives 25 scores a pixel, the data has 21 classes" in capsys.readouterr().out


def test_scores_of_another_size(voc_folder, fails):
    net = gluon.nn.HybridSequential()
    net.add(gluon.nn.Conv2D(21, 3, strides=2, padding=1))
    fails(
        ValueError, r"scores of \(16, 16\) for labels of \(32, 32\): does it enlarge", tiny.setup(voc_folder, net=net)
    )


def test_net_on_another_device(voc_folder, fails):
    given = tiny.setup(voc_folder) | {"ctx": mx.cpu(1)}
    fails(
        ValueError, r"the net is on \[cpu\(0\)\], training was asked for on \[cpu\(1\)\]: make the net with ctx", given
    )
    given = tiny.setup(voc_folder) | {"ctx": [mx.cpu(0), mx.cpu(0)]}
    fails(ValueError, "each once", given)
    given["net"].collect_params().reset_ctx([mx.cpu(0), mx.cpu(1)])
    fails(ValueError, "the trainer was made for", given | {"ctx": [mx.cpu(0), mx.cpu(1)]})


def test_net_without_values(voc_folder, fails):
    given = tiny.setup(voc_folder) | {"net": tiny.net_of()}
    fails(ValueError, r"has no values: call net.initialize\(ctx=ctx\) before training", given)


def test_devices_that_would_drift_apart(voc_folder, fails):
    given = tiny.setup(voc_folder, ctx=[mx.cpu(0), mx.cpu(1)])
    given["trainer"] = gluon.Trainer(given["net"].collect_params(), "sgd", kvstore=None)
    fails(ValueError, "kvstore=None lets the devices drift apart", given)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_loader_worker_is_noticed_in_seconds(voc_folder, fails, workers):
    given = tiny.setup(voc_folder, workers=workers)
    times = []

    class Killing(Spoiled):
        def __call__(self, scores, labels):
            if self.left == 4:
                times.append(time.time())
                for worker in list(given["train_data"]._worker_pool._pool):
                    os.kill(worker.pid, signal.SIGKILL)
            return super().__call__(scores, labels)

    words = r"a worker of the loader died \(signal 9\), and its batch with it.*num_workers=0"
    fails(RuntimeError, words, given | {"loss": Killing(5, 1)}, epochs=50)
    assert time.time() - times[0] < 30


def test_a_killed_worker_of_the_test_loader_is_noticed_too(voc_folder):
    class Killing(utils.VOCSegDataset):
        def __getitem__(self, index):
            if multiprocessing.parent_process() is not None:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().__getitem__(index)

    net = tiny.net_of()
    net.initialize()
    loader = gluon.data.DataLoader(Killing(False, None, voc_folder), batch_size=1, num_workers=1)
    start = time.time()
    with pytest.raises(RuntimeError, match=r"a worker of the loader died \(signal 9\)"):
        utils.evaluate(net, loader)
    assert time.time() - start < 60


def test_a_parameter_that_the_loss_does_not_depend_on(voc_folder, fails):
    class Forgetful(gluon.nn.HybridSequential):
        def hybrid_forward(self, F, x):
            return self[2](self[0](x))

    net = Forgetful(prefix="net_")
    with net.name_scope():
        net.add(*tiny.net_of()._children.values(), gluon.nn.Conv2D(4, 1, in_channels=8))
    fails(
        ValueError,
        "epoch 1, batch 1: the loss doesn't depend on the parameter .*_bias",
        tiny.setup(voc_folder, net=net),
    )


def test_a_trainer_with_parameters_of_another_net(voc_folder, fails):
    given = tiny.setup(voc_folder) | {"trainer": tiny.setup(voc_folder)["trainer"]}
    fails(ValueError, "the trainer holds no parameter of this net: was the net made anew after it", given)


def test_nothing_that_would_learn(voc_folder, fails):
    given = tiny.setup(voc_folder)
    given["net"].collect_params().setattr("grad_req", "null")
    fails(ValueError, "no parameter would learn.*grad_req 'null'", given)


def test_no_gradient(voc_folder, fails):
    given = tiny.setup(voc_folder) | {
        "loss": lambda scores, labels: utils.SoftmaxCrossEntropyLoss()(scores, labels) * 0
    }
    fails(ValueError, "epoch 1: the gradient of every parameter was 0, none was updated", given)


def test_learning_rate_0_is_a_line(voc_folder, capsys):
    tiny.train(tiny.setup(voc_folder, poly=False, learning_rate=0), 1)
    assert capsys.readouterr().out.startswith("learning rate 0: no parameter will change\n")


@pytest.mark.parametrize("workers", [0, 2])
def test_data_folder_gone(voc_folder, fails, workers):
    given = tiny.setup(voc_folder, workers=workers)
    gone = lambda rows: shutil.rmtree(voc_folder)  # noqa: E731
    words = f"{voc_folder}: the folder of the training pictures is gone. Bring it back"
    fails(FileNotFoundError, re.escape(words[:20]), given, on_epoch=gone)


def test_one_picture_gone_is_named(voc_folder, fails):
    given = tiny.setup(voc_folder)
    (voc_folder / "JPEGImages/c.jpg").unlink()
    fails(FileNotFoundError, "JPEGImages/c.jpg: no such file", given)


@pytest.mark.parametrize(
    "words",
    [
        "cudaMalloc retry failed: out of memory",
        "Failed to allocate CPU Memory",
        "CUBLAS_STATUS_ALLOC_FAILED",
        "std::bad_alloc",
        "CUDA: Check failed: e == 0",
    ],
)
def test_out_of_memory_names_the_batch_and_what_to_try(voc_folder, fails, monkeypatch, words):
    def too_large(*args):
        raise mx.MXNetError(f"Traceback (most recent call last):\n  File storage.cc\nMXNetError: {words}")

    monkeypatch.setattr(utils.engine.train, "train_batch", too_large)
    given = tiny.setup(voc_folder)
    given["train_data"] = utils.data_loader(utils.VOCSegDataset(True, (128, 192), voc_folder), 6)
    if "CUDA" in words:
        with pytest.raises(mx.MXNetError, match="e == 0"):
            tiny.train(given, 1)
        return
    text = r"epoch 1, batch 1: no memory left on cpu\(0\) for a batch of 6, crops of 128 × 192. "
    fails(MemoryError, text + r"Try batch_size=3, or crop_size=\(64, 128\); restart the kernel if", given)


def test_nothing_of_it_costs_time(voc_folder):
    """The checks of a batch take less than a twentieth of a step of that size, side by side."""
    from utils.engine.preflight import Watch

    given = tiny.setup(voc_folder)
    tiny.train(given, 1)
    watch, metric = Watch(given["trainer"], [mx.cpu()], None, print), utils.SegmentationMetric(21)
    checked, scores = Checked(lambda scores, labels: scores), nd.zeros((8, 21, 160, 224))
    x, y = nd.zeros((8, 3, 160, 224)), nd.zeros((8, 160, 224))
    net, loss = utils.fcn(21), utils.SoftmaxCrossEntropyLoss()
    net.hybridize()

    def check():
        metric.confusion += 1
        with watch.at("epoch 1, batch 1", scores):
            checked(scores, y)
            watch.seen("epoch 1, batch 1", 0.5, metric)

    def step():
        with autograd.record():
            value = loss(net(x), y)
        value.backward()
        nd.waitall()

    def seconds(function, times):
        function()
        start = time.process_time()
        for _ in range(times):
            function()
        return (time.process_time() - start) / times

    assert seconds(check, 20) < seconds(step, 2) / 20
