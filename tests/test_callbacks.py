"""The loop: chapter 08's, step for step; callbacks; nets with several outputs; batches with more than labels."""

import utils

import re

import nbformat
import numpy as np
import pytest
import tiny
from conftest import ROOT
from mxnet import autograd, gluon, nd


def test_the_loop_that_runs_is_the_one_that_chapter_08_shows(voc_folder):
    """Its lines, taken from the chapter and run, give the same bits, dropout and all."""
    notebook = nbformat.read(ROOT / "chapters/08_resnet18_fcn.ipynb", 4)
    (shown,) = [
        cell.source for cell in notebook.cells if cell.cell_type == "markdown" and "trainer.step" in cell.source
    ]
    (code,) = re.findall(r"```python\n(.*?)```", shown, re.DOTALL)
    given = tiny.setup(voc_folder)
    tiny.train(given, 2)
    by_hand = tiny.setup(voc_folder)
    for _ in range(2):
        exec(code, {"autograd": autograd, **by_hand})
    np.testing.assert_array_equal(tiny.weights(given["net"]), tiny.weights(by_hand["net"]))


class Diary(utils.Callback):
    def __init__(self):
        self.lines = []

    def train_begin(self, training):
        self.lines.append("begin")

    def epoch_begin(self, training):
        self.lines.append(f"epoch {training.epoch}")

    def batch_end(self, training):
        assert training.scores[0].shape[0] == training.labels[0].shape[0] == training.losses[0].shape[0]
        self.lines.append(f"batch {training.batch}")

    def epoch_end(self, training):
        self.lines.append(f"epoch {training.history[-1]['epoch']} done")

    def train_end(self, training):
        self.lines.append("end")


EPOCH = ["batch 1", "batch 2"]


def test_callbacks_are_told_of_every_moment_in_order(voc_folder):
    diary, functions = Diary(), []
    given = tiny.setup(voc_folder)
    options = {"callbacks": [diary, lambda history: functions.append(("first", len(history)))]}
    tiny.train(given, 2, on_epoch=lambda history: functions.append(("last", len(history))), **options)
    assert diary.lines == ["begin", "epoch 1", *EPOCH, "epoch 1 done", "epoch 2", *EPOCH, "epoch 2 done", "end"]
    assert functions == [("first", 1), ("last", 1), ("first", 2), ("last", 2)]


def test_a_callback_changes_the_rate_and_stops(voc_folder, capsys):
    class Halve(utils.Callback):
        def epoch_end(self, training):
            training.trainer.set_learning_rate(training.trainer.learning_rate / 2)
            training.stop = training.epoch == 3

    given = tiny.setup(voc_folder, poly=False)
    history = tiny.train(given, 5, callbacks=[Halve()])
    assert len(history) == 3 and not history.interrupted
    assert given["trainer"].learning_rate == 0.05 / 8
    assert "stopped by a callback after 3 of 5 epochs" in capsys.readouterr().out


def test_early_stopping_as_the_page_on_changing_the_course_has_it(voc_folder):
    page = (ROOT / "docs/changing.md").read_text(encoding="utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "EarlyStopping" in block]
    names = {"np": np, "utils": utils}
    exec(code, names)

    class Rows(utils.Callback):  # scores that rise, and then don't
        def epoch_end(self, training):
            training.history[-1]["mean_iou"] = [0.1, 0.3, 0.2, 0.3, 0.2, 0.4][training.epoch - 1]

    given = tiny.setup(voc_folder)
    assert len(tiny.train(given, 6, callbacks=[Rows(), names["EarlyStopping"](patience=2)])) == 4


def test_callbacks_change_no_bit_and_know_where_a_resumed_training_is(voc_folder, tmp_path):
    plain = tiny.setup(voc_folder)
    tiny.train(plain, 3, checkpoint=tmp_path / "plain")
    tiny.train(tiny.setup(voc_folder), 1, checkpoint=tmp_path / "kept", callbacks=[Diary()])
    again, diary = tiny.setup(voc_folder), Diary()
    tiny.train(again, 3, checkpoint=tmp_path / "kept", callbacks=[diary])
    assert diary.lines[:2] == ["begin", "epoch 2"]
    np.testing.assert_array_equal(tiny.weights(plain["net"]), tiny.weights(again["net"]))


def test_an_epoch_is_kept_whatever_a_callback_meets_with(voc_folder, tmp_path):
    class Breaks(utils.Callback):
        def epoch_end(self, training):
            raise RuntimeError("no disk for my log")

    with pytest.raises(RuntimeError, match="no disk for my log"):
        tiny.train(tiny.setup(voc_folder), 3, checkpoint=tmp_path / "kept", callbacks=[Breaks()])
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["epoch-0001.npz"]


@pytest.mark.parametrize("wrong, words", [(3, "found 3; expected"), (Diary, "the class Diary; make one: Diary")])
def test_what_is_no_callback_is_said_before_anything_is_trained(voc_folder, wrong, words):
    given = tiny.setup(voc_folder)
    with pytest.raises(TypeError, match=words):
        tiny.train(given, 1, callbacks=[wrong])
    assert given["trainer"].optimizer.num_update == 0


class TwoOutputs(gluon.HybridBlock):
    """Scores, and scores from half way, as deeply supervised nets have them."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.body = gluon.nn.Conv2D(8, 3, padding=1, activation="relu")
            self.half, self.score = gluon.nn.Conv2D(21, 1), gluon.nn.Conv2D(21, 1)

    def __getitem__(self, index):  # what `tiny.setup` asks for
        return self.body

    def hybrid_forward(self, F, x):
        found = self.body(x)
        return self.score(found), self.half(found)


class Both:
    """The first output's loss, and 0.4 of the second's."""

    def __init__(self, loss=None):
        self.loss = loss or utils.SoftmaxCrossEntropyLoss()

    def __call__(self, outputs, labels):
        return self.loss(outputs[0], labels) + 0.4 * self.loss(outputs[1], labels)


@pytest.mark.parametrize("hybridize", [False, True])
def test_a_net_of_two_outputs_trains_as_by_hand(voc_folder, hybridize):
    found = []
    for trained in True, False:
        given = tiny.setup(voc_folder, net=TwoOutputs()) | {"loss": Both()}
        net = given["net"]
        net.hybridize(hybridize)
        if trained:
            tiny.train(given, 1)
        else:
            for x, y in given["train_data"]:
                with autograd.record():
                    losses = given["loss"](net(x), y)
                losses.backward()
                given["trainer"].step(len(x))
        found.append(tiny.weights(net))
    np.testing.assert_array_equal(*found)


def test_the_first_output_is_scored(voc_folder):
    given = tiny.setup(voc_folder, net=TwoOutputs()) | {"loss": Both()}
    test_set = utils.VOCSegDataset(False, None, voc_folder)
    (row,) = tiny.train(given, 1, test=test_set)
    metric = utils.SegmentationMetric(21)
    for x, y in test_set:
        metric.update(y.expand_dims(0), given["net"](x.expand_dims(0))[0])
    assert row["mean_iou"] == metric.scores()["mean_iou"]


def test_void_is_asked_about_in_each_output(voc_folder):
    class SecondTakesVoid(Both):
        def __call__(self, outputs, labels):
            return self.loss(outputs[0], labels) + (outputs[1] ** 2).mean((1, 2, 3))

    with pytest.raises(ValueError, match="epoch 1, batch 1: the loss SecondTakesVoid takes void"):
        tiny.train(tiny.setup(voc_folder, net=TwoOutputs()) | {"loss": SecondTakesVoid()}, 1)


def test_what_a_batch_has_besides_goes_to_the_loss(voc_folder):
    """Such as a weight for each pixel."""
    cross_entropy, seen = utils.SoftmaxCrossEntropyLoss(), []

    def weighted(scores, labels, weights):
        seen.append(weights.shape)
        return cross_entropy(scores, labels) * weights.mean((1, 2))

    found = []
    for loss in weighted, None:
        given = tiny.setup(voc_folder)
        batches = [(x, y, nd.ones_like(y)) for x, y in given["train_data"]]
        if loss:
            tiny.train(given | {"train_data": batches, "loss": loss}, 1)
        for x, y, _ in [] if loss else batches:
            with autograd.record():
                losses = cross_entropy(given["net"](x), y)
            losses.backward()
            given["trainer"].step(len(x))
        found.append(tiny.weights(given["net"]))
    assert set(seen) == {(3, 32, 32)}
    np.testing.assert_allclose(*found, rtol=1e-5)
