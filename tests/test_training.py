import utils
from utils.data.voc import image_path, read_pair

import mxnet as mx
import numpy as np
import pytest
import tiny
from mxnet import autograd, gluon, init, nd
from PIL import Image


def _tiny(classes=21):
    """A net without BatchNorm that keeps the size."""
    net = gluon.nn.HybridSequential()
    net.add(gluon.nn.Conv2D(8, 3, padding=1, activation="relu"), gluon.nn.Conv2D(classes, 1))
    return net


def _train(folder, ctx, epochs=2, seed=0, **options):
    mx.random.seed(seed)
    net, dataset = _tiny(), utils.VOCSegDataset(True, (32, 32), folder)
    net.initialize(init.Xavier(), ctx=ctx)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.5, "momentum": 0.9})
    test = utils.VOCSegDataset(False, None, folder)
    loss = utils.SoftmaxCrossEntropyLoss()
    history = utils.train(utils.data_loader(dataset, 3), test, net, loss, trainer, ctx, epochs, **options)
    return net, history


def _weights(net):
    return np.concatenate([p.list_data()[0].asnumpy().ravel() for p in net.collect_params().values()])


def test_history_and_one_line_an_epoch(voc_folder, capsys):
    seen = []
    net, history = _train(voc_folder, mx.cpu(), on_epoch=lambda rows: seen.append(len(rows)))
    assert [list(row) for row in history] == [
        ["epoch", "loss", "train_acc", "test_acc", "mean_iou", "images_per_s"]
    ] * 2
    assert [row["epoch"] for row in history] == [1, 2] and seen == [1, 2]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[1].startswith("epoch 2 of 2: loss ")
    score = utils.evaluate(net, utils.VOCSegDataset(False, None, voc_folder), mx.cpu())
    assert score["pixel_acc"] == history[-1]["test_acc"] and score["mean_iou"] == history[-1]["mean_iou"]


def test_first_loss_is_the_mean_over_images(voc_folder):
    """With all weights 0 every pixel costs log(21), whatever the crops."""
    net, dataset = _tiny(), utils.VOCSegDataset(True, (32, 32), voc_folder)
    net.initialize(init.Zero())
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.0})
    loss = utils.SoftmaxCrossEntropyLoss()
    history = utils.train(utils.data_loader(dataset, 2), None, net, loss, trainer, mx.cpu(), 1)
    assert history[0]["loss"] == pytest.approx(np.log(21), rel=1e-5)
    assert np.isnan(history[0]["test_acc"]) and np.isnan(history[0]["mean_iou"])


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_it_is_the_plain_loop_to_the_bit(voc_folder, optimizer):
    """The loop of chapter 08, written out: nothing that is looked at on the way may change the numbers."""
    ends = []
    for by_hand in False, True:
        given = tiny.setup(voc_folder, optimizer, net=tiny.net_of(norm=True))
        if not by_hand:
            tiny.train(given, 3)
        for _ in range(3 * by_hand):
            for x, y in given["train_data"]:
                with autograd.record():
                    losses = given["loss"](given["net"](x), y)
                losses.backward()
                given["trainer"].step(x.shape[0])
        ends.append(tiny.weights(given["net"]))
    np.testing.assert_array_equal(*ends)


def test_same_seed_same_weights_and_another_seed_others(voc_folder):
    one, again, other = (_weights(_train(voc_folder, mx.cpu(), seed=s)[0]) for s in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_two_contexts_equal_one(voc_folder):
    """Three images on two contexts: an uneven split."""
    one, (two, _) = _train(voc_folder, mx.cpu())[0], _train(voc_folder, [mx.cpu(0), mx.cpu(1)])
    np.testing.assert_allclose(_weights(one), _weights(two), atol=1e-6)


def test_it_learns_a_threshold(voc_folder):
    """Bright is class 7, dark is background: the loss must fall to almost nothing."""
    for name in "abcdefxyz":
        label = (read_pair(voc_folder, name)[1] > 0).astype(np.uint8)
        Image.fromarray(np.stack([label * 200] * 3, 2)).save(image_path(voc_folder, name), quality=95)
        path = voc_folder / f"SegmentationClass/{name}.png"
        Image.fromarray(np.array([[0, 0, 0], [128, 128, 128]], np.uint8)[label]).save(path)
    _, history = _train(voc_folder, mx.cpu(), epochs=15)
    assert history[-1]["loss"] < 0.1 * history[0]["loss"] and history[-1]["mean_iou"] > 0.95


def test_a_classifier_is_trained_by_the_same_call():
    x = np.random.RandomState(0).randn(40, 5).astype(np.float32)
    data = gluon.data.ArrayDataset(x, (x[:, 0] > 0).astype(np.float32))
    net = gluon.nn.Dense(2)
    net.initialize()
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.1})
    batches = gluon.data.DataLoader(data, 10)
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    history = utils.train(batches, batches, net, loss, trainer, mx.cpu(), 10)
    assert history[-1]["test_acc"] > 0.9 and np.isnan(history[-1]["mean_iou"])
    accuracy = mx.metric.Accuracy()
    accuracy.update(nd.array(x[:, 0] > 0), net(nd.array(x)))
    assert utils.evaluate(net, data)["pixel_acc"] == pytest.approx(accuracy.get()[1])


def test_evaluate_takes_a_set_of_mixed_sizes_or_a_loader(voc_folder):
    Image.fromarray(read_pair(voc_folder, "x")[0][:30]).save(image_path(voc_folder, "x"), quality=95)
    path = voc_folder / "SegmentationClass/x.png"
    Image.open(path).crop((0, 0, 60, 30)).save(path)
    net, dataset = _tiny(), utils.VOCSegDataset(False, None, voc_folder)
    net.initialize(init.Xavier())
    expected = utils.SegmentationMetric(21)
    for image, label in dataset:
        expected.update(label.expand_dims(0), net(image.expand_dims(0)))
    assert utils.evaluate(net, dataset) == utils.evaluate(net, utils.data_loader(dataset, 1)) == expected.scores()


def test_predict_is_the_nets_argmax_on_the_image_of_any_size(voc_folder):
    image = read_pair(voc_folder, "x")[0]
    net = _tiny()
    net.initialize(init.Xavier())
    label = utils.predict(net, nd.array(image, dtype=np.uint8))
    assert label.shape == (40, 60) and label.dtype == np.int32
    x, _ = utils.VOCSegDataset(False, None, voc_folder)[0]
    np.testing.assert_array_equal(label.asnumpy(), net(x.expand_dims(0))[0].asnumpy().argmax(0))
    assert utils.predict(net, image[:37, :41], scale=0.5).shape == (37, 41)
    with pytest.raises(ValueError, match=r"\(40, 60\) and uint8: expected \(height, width, 3\)"):
        utils.predict(net, image[..., 0])


def test_predict_refuses_a_net_that_does_not_enlarge(voc_folder):
    net = gluon.nn.Conv2D(21, 3, strides=2, padding=1)
    net.initialize()
    image = read_pair(voc_folder, "x")[0]
    with pytest.raises(ValueError, match=r"gives \(20, 30\) for a picture of \(40, 60\)"):
        utils.predict(net, image)
    with pytest.raises(ValueError, match="scale=2"):
        utils.predict(net, image, scale=2)


def test_nothing_to_train_or_evaluate_is_said():
    net = _tiny()
    net.initialize()
    with pytest.raises(ValueError, match="is empty: nothing to evaluate"):
        utils.evaluate(net, gluon.data.ArrayDataset([], []), mx.cpu())
    with pytest.raises(ValueError, match="gave no batch"):
        utils.train([], None, net, None, None, mx.cpu(), 1)
