"""Chapter 10's experiments: what `results/optimisation` changes about a training, and its table."""

import utils

import csv
import types

import nbformat
import notebooks
import numpy as np
import pytest
from conftest import ROOT
from mxnet import autograd, gluon, init, nd
from mxnet.gluon import nn
from sklearn.utils.class_weight import compute_class_weight

from results import common
from results.dice import run as dice
from results.optimisation import run as optimisation
from results.optimisation.run import Loss

ROWS = common.read(ROOT / "results" / "optimisation" / "table.csv")


@pytest.fixture
def batch():
    """Scores of 5 classes, and labels with void in them; one picture is all void."""
    utils.seed(0)
    labels = nd.random.randint(0, 5, shape=(3, 24, 40)).astype("float32")
    labels[:, 3:9], labels[2] = utils.VOID, utils.VOID
    scores = nd.random.normal(shape=(3, 5, 24, 40))
    scores.attach_grad()
    return scores, labels


def _loss_and_gradient(loss, scores, labels):
    with autograd.record():
        losses = loss(scores, labels)
    losses.backward()
    return losses.asnumpy(), scores.grad.asnumpy()


def test_unchanged_it_is_the_course_s_loss(batch):
    found, expected = (_loss_and_gradient(loss, *batch) for loss in (Loss(), utils.SoftmaxCrossEntropyLoss()))
    assert np.allclose(found[0], expected[0], rtol=1e-5) and np.allclose(found[1], expected[1], atol=1e-7)


def test_weights_and_sum_by_hand(batch):
    scores, labels = (array.asnumpy().astype(float) for array in batch)
    weights = np.array([0.5, 2, 0, 1, 3])
    log_p = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    expected = np.zeros(3)
    for n, row, column in np.argwhere(labels != utils.VOID):
        c = int(labels[n, row, column])
        expected[n] -= weights[c] * log_p[n, c, row, column]
    assert np.allclose(Loss("sum", weights)(*batch).asnumpy(), expected, rtol=1e-4)
    known = (labels != utils.VOID).sum((1, 2)).clip(1)
    assert np.allclose(Loss("mean", weights)(*batch).asnumpy(), expected / known, rtol=1e-4)


@pytest.mark.parametrize("square", [1, 16])
def test_drawn_pixels_alone_count(batch, square):
    scores, labels = batch
    loss = Loss(sample=square, keep=1 / 4)
    utils.seed(1)
    drawn = loss.drawn(labels).asnumpy()
    utils.seed(1)
    found, gradient = _loss_and_gradient(loss, scores, labels)
    kept = nd.array(np.where(drawn, labels.asnumpy(), utils.VOID))
    assert np.allclose(found, utils.SoftmaxCrossEntropyLoss()(scores, kept).asnumpy(), rtol=1e-5)
    assert not gradient.transpose(0, 2, 3, 1)[kept.asnumpy() == utils.VOID].any() and gradient.any()
    corners = drawn[:, ::square, ::square].repeat(square, 1).repeat(square, 2)[:, :24, :40]
    assert (drawn == corners).all() and drawn.shape == (3, 24, 40)


def test_one_in_four_is_drawn_and_anew_each_time(batch):
    labels = nd.zeros((8, 160, 160))
    for square in 1, 16:
        loss = Loss(sample=square, keep=1 / 4)
        first, second = (loss.drawn(labels).asnumpy() for _ in range(2))
        assert abs(first.mean() - 1 / 4) < 0.06 and (first != second).any()


def test_inverse_weights_are_scikit_learn_s_balanced_ones():
    train_set, _ = optimisation.pictures("voc_mini", utils.data_root(), 0)
    train_set = train_set.take(12)
    labels = [utils.read_label(utils.label_path(train_set.root, name)) for name in train_set.names]
    pixels = np.concatenate([label[label != utils.VOID] for label in labels])
    present = np.unique(pixels)
    found = optimisation.class_weights(train_set, "inverse")
    assert np.allclose(found[present], compute_class_weight("balanced", classes=present, y=pixels))
    assert set(np.nonzero(found)[0]) == set(present)


def test_median_weights_count_only_pictures_that_show_a_class(monkeypatch):
    labels = {
        "a": np.array([[0, 0, 0, 1]]),
        "b": np.array([[0, 2, utils.VOID, utils.VOID]]),
        "c": np.zeros((1, 4), int),
    }
    monkeypatch.setattr(optimisation.utils, "read_label", lambda path, classes: labels[path.stem])
    train_set, _ = optimisation.pictures("voc_mini", utils.data_root(), 0)
    train_set.names = list(labels)
    weights = optimisation.class_weights(train_set, "median")
    assert np.allclose(weights[:3] / weights[2], [0.5 / 0.8, 0.5 / 0.25, 1]) and not weights[3:].any()
    assert np.isclose((8 * weights[0] + weights[1] + weights[2]) / 10, 1)


def test_weights_taken_back_are_taken_off_the_scores():
    train_set, _ = optimisation.pictures("voc_mini", utils.data_root(), 0)
    weights = optimisation.class_weights(train_set, "inverse")
    given = {"weights": "inverse", "back": True}
    scores = optimisation.answers(lambda x: nd.zeros((1, 21, 2, 2)), train_set, given)(nd.zeros((3, 2, 2)), None)
    seen = weights > 0
    assert np.allclose(np.exp(-scores[0, :, 0, 0].asnumpy()[seen]), weights[seen], rtol=1e-4)
    assert not scores[0, :, 0, 0].asnumpy()[~seen].any()


def test_the_matched_rate_moves_as_far_as_the_large_batch():
    """Simulated on a stream of gradients whose mean is 1: the formula's promise, not the formula."""
    gradients = 1 + np.random.RandomState(0).randn(8000)

    def walk(batch, momentum, rate):
        place = velocity = 0
        for step in gradients.reshape(-1, batch).mean(1):
            velocity = momentum * velocity - rate * step
            place += velocity
        return place

    large = walk(20, 0.9, 0.05)
    assert walk(1, optimisation.DECAYED, 0.05 * optimisation.MATCHED) == pytest.approx(large, rel=0.01)
    assert walk(1, 0.9, 0.05 / 20) == pytest.approx(large, rel=0.03)
    assert abs(walk(1, optimisation.DECAYED, 0.05 / 20) / large) > 15


def test_one_picture_is_a_batch_like_any_other_where_batches_are_of_any_size():
    """The mean of single pictures' gradients is the batch's: so for both bases of SGD, not with BatchNorm."""
    utils.seed(0)
    x, y = nd.random.normal(shape=(3, 3, 48, 64)), nd.random.randint(0, 5, shape=(3, 48, 64)).astype("float32")

    def off(base):
        net = optimisation.new_net(base, 5)

        def gradient(part):
            with autograd.record():
                losses = Loss()(net(x[part]), y[part])
            losses.backward()
            return net.score_fr.weight.grad().asnumpy() / len(losses)

        gradient(slice(3))  # the shapes are known
        whole = gradient(slice(3))
        singly = np.mean([gradient(slice(i, i + 1)) for i in range(3)], axis=0)
        return np.abs(singly - whole).max() / np.abs(whole).max()

    assert off("pretrained, sgd") < 1e-4 and off("plain") < 1e-4 and off("fcn-8s") > 1e-2


def test_rates_of_a_sweep_are_those_that_their_names_say():
    for base, given in optimisation.BASES.items():
        for kind, factor in {"rate / 10": 0.1, "rate / 3": 1 / 3, "rate × 3": 3, "rate × 10": 10}.items():
            if kind in optimisation.CHANGES[base]:
                assert optimisation.settings("voc_mini", base, kind)["rate"] == pytest.approx(factor * given["rate"])


def test_what_is_scored_is_neither_trained_on_nor_a_test_picture():
    train_set, scored = optimisation.pictures("voc_mini", utils.data_root(), 0)
    names = utils.read_names(utils.data_root(), train=True)
    assert sorted(train_set.names + scored.names) == sorted(names) and len(scored) == optimisation.HELD_OUT
    assert scored.crop_size is None


def test_the_chapter_s_plain_forms_are_the_table_s(batch):
    """`weighted_loss` and `drawn` of the chapter against `Loss`, and its `dice_loss` against the other table's."""
    cells = [c.source for c in nbformat.read(notebooks.find("10")[0], 4).cells if c.cell_type == "code"]
    chapter = {"utils": utils, "nd": nd, "np": np, "classes": range(5)}
    for name in "weighted_loss", "drawn", "dice_loss":
        source = next(cell for cell in cells if f"def {name}(" in cell)
        exec(source.split("\n\n\n")[0], chapter)
    weights = np.array([0.5, 2, 0, 1, 3])
    found = chapter["weighted_loss"](*batch, nd.array(weights)).asnumpy()
    assert np.allclose(found, Loss(weights=weights)(*batch).asnumpy(), rtol=1e-5)
    assert np.array_equal(chapter["dice_loss"](*batch).asnumpy(), dice.dice_loss(*batch).asnumpy())
    mask = chapter["drawn"]((160, 160), 1 / 4, 16, np.random.RandomState(0))
    assert (mask == mask[::16, ::16].repeat(16, 0).repeat(16, 1)).all() and abs(mask.mean() - 1 / 4) < 0.15


def test_accumulated_steps_are_those_of_the_large_batch():
    """`add_gradients` and `step` of the chapter: three unequal parts, momentum, a fixed parameter, several steps."""
    cells = [c.source for c in nbformat.read(notebooks.find("10")[0], 4).cells if c.cell_type == "code"]
    chapter = {"autograd": autograd, "unweighted": utils.SoftmaxCrossEntropyLoss()}
    exec(next(cell for cell in cells if "def add_gradients(" in cell), chapter)
    utils.seed(0)
    x, y = nd.random.normal(shape=(7, 3, 12, 10)), nd.random.randint(0, 4, shape=(7, 12, 10)).astype("float32")
    y[0, 2:] = utils.VOID
    ends = []
    for cuts in (slice(0, 7),), (slice(0, 1), slice(1, 5), slice(5, 7)), (slice(5, 7),):
        utils.seed(1)
        net = nn.HybridSequential()
        net.add(nn.Conv2D(8, 3, padding=1, activation="relu", in_channels=3), nn.Conv2D(4, 1, in_channels=8))
        net.initialize(init.Xavier())
        net[0].bias.grad_req = "null"
        chapter["add_gradients"](net)
        trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.5, "momentum": 0.9})
        for _ in range(3):
            chapter["step"](net, trainer, [(x[cut], y[cut]) for cut in cuts])
        assert not net[0].bias.data().asnumpy().any()
        ends.append(np.concatenate([p.data().asnumpy().ravel() for p in net.collect_params().values()]))
    assert np.abs(ends[0] - ends[1]).max() < 1e-6 < 1e-2 < np.abs(ends[0] - ends[2]).max()


@pytest.fixture
def said(monkeypatch, capsys):
    """The chapter's way to read the table: `values` and `visible`; and what a change of the base gains."""
    monkeypatch.chdir(ROOT / "chapters")
    cells = [c.source for c in nbformat.read(notebooks.find("10")[0], 4).cells if c.cell_type == "code"]
    chapter = {"csv": csv, "np": np}
    for name in "values", "visible":
        exec(next(cell for cell in cells if f"def {name}(" in cell), chapter)

    def gain(kind, key="mean_iou", base="pretrained", data="voc_mini"):
        return chapter["values"](kind, key, base, data).mean() - chapter["values"]("base", key, base, data).mean()

    return types.SimpleNamespace(gain=gain, **chapter)


BOTH = [("pretrained", "fcn-8s"), ("pretrained, sgd", "plain")]  # with ImageNet's weights, and from nothing


def test_what_the_chapter_says_of_weights(said):
    for base in BOTH[0]:
        for way in "weights: median", "weights: inverse":
            assert said.gain(way, "mean_acc", base) > 0.05 and said.gain(way, "mean_acc", base, "camvid") > 0.1
            assert said.gain(way, "pixel_acc", base) < 0 and said.gain(way, "pixel_acc", base, "camvid") < -0.05
        lost = -said.gain("weights: inverse", base=base) / said.values("base", base=base).mean()
        assert 0.15 < lost < 0.22 if base == "pretrained" else 0.28 < lost < 0.333
        back = [
            1 - said.gain(said.taken_back, key, base, data) / said.gain("weights: inverse", key, base, data)
            for key, data in (("pixel_acc", "voc_mini"), ("pixel_acc", "camvid"), ("mean_iou", "voc_mini"))
        ]
        assert min(back[:2]) > 0.6 and (back[2] > 0.65 if base == "pretrained" else 0.4 < back[2] < 0.6)
        assert said.gain(said.taken_back, base=base) < -said.visible(base)
    assert said.gain("weights: median") < -said.visible()
    assert abs(said.gain("weights: median", base="fcn-8s")) < said.visible("fcn-8s")
    assert said.gain("weights: median", data="camvid") > 2 * said.visible(data="camvid")
    assert abs(said.gain("weights: inverse", data="camvid")) < said.visible(data="camvid")
    assert said.gain(said.taken_back, data="camvid") < -said.visible(data="camvid")
    for way in "weights: median", "weights: inverse":
        assert abs(said.gain(way, base="fcn-8s", data="camvid")) < said.visible("fcn-8s", "camvid")


def test_dice_by_hand(batch):
    """1 minus the mean of 2 · both / (one + other) over the classes shown; void counts nowhere, all void is 1."""
    scores, labels = (array.asnumpy().astype(float) for array in batch)
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    for n, found in enumerate(dice.dice_loss(*batch).asnumpy()):
        known = labels[n] != utils.VOID
        shown = [c for c in range(5) if (labels[n] == c).any()]
        truth = [labels[n][known] == c for c in shown]
        each = [
            2 * p[n, c][known][t].sum() / (p[n, c][known].sum() + t.sum()) for c, t in zip(shown, truth, strict=True)
        ]
        assert np.isclose(found, 1 - (np.mean(each) if each else 0), atol=1e-5)


def test_what_the_chapter_says_of_dice(said):
    rows = common.read(ROOT / "results" / "dice" / "table.csv")
    assert len({row["code"] for row in rows}) == 1 and {row["pictures"] for row in rows} < {r["pictures"] for r in ROWS}
    for base in BOTH[0]:
        found = {}
        for kind in dice.RUNS:
            mine = [row for row in rows if (row["base"], row["kind"]) == (base, kind)]
            assert [row["seed"] for row in mine] == ["0", "1", "2"], (base, kind)
            found[kind] = np.array([float(row["mean_iou"]) for row in mine])
        start, line = said.values("base", base=base), said.visible(base)
        assert -line < found["Dice, rate / 3"].mean() - said.values("rate / 3", base=base).mean() < 0
        beside = found["Dice + cross-entropy"].mean() - start.mean()
        if base == "pretrained":
            assert (found["Dice"] < start.mean() / 2).sum() == 2 and abs(beside) < line
        else:
            assert found["Dice"].mean() < 0.75 * start.mean() and 0.95 * line < beside < line
    assert len(rows) == 18


def test_what_the_chapter_says_of_samples(said):
    for base in BOTH[0]:
        for kind in "pixels, 1 in 4", "pixels, 1 in 16":
            assert abs(said.gain(kind, base=base)) < said.visible(base)
        assert -0.1 < said.gain("patches, 1 in 4", base=base) < 0
        more = [said.gain(f"{what}, of 4 × the images", base=base) for what in ("patches, 1 in 4", "all")]
        assert more[1] - more[0] > said.visible(base)
        assert more[0] > said.visible(base) if base == "fcn-8s" else abs(more[0]) < said.visible(base)


def test_what_the_chapter_says_of_sum_batch_and_decay(said):
    for adam, sgd in zip(*BOTH, strict=True):
        line = said.visible(sgd)
        assert abs(said.gain("sum", base=adam)) < said.visible(adam)
        assert abs(said.gain("sum, rate / pixels", base=sgd)) < line and said.gain("rate / 3", base=sgd) < -line
        assert (
            abs(said.gain("decay", base=sgd)) < line > abs(said.gain("decay, biases free and twice as fast", base=sgd))
        )
        assert (
            said.gain("1 image, rate / 20, momentum 0.9", base=sgd)
            > line
            > 0
            > said.gain("1 image, rate / 20", base=sgd)
        )
    assert said.visible("pretrained, sgd") < said.gain("1 image, matched", base="pretrained, sgd") < 0.015
    assert abs(said.gain("1 image, matched", base="plain")) < said.visible("plain")
    broken = said.values("1 image, rate / 20", base="pretrained, sgd")
    assert broken.mean() < said.values("base", base="pretrained, sgd").mean() / 2


def test_what_the_chapter_says_of_rates_and_of_what_to_change_first(said):
    for base in BOTH[0]:
        gains = {kind: said.gain(kind, base=base) for kind in optimisation.CHANGES[base]}
        share = {kind: 1 + gains[kind] / said.values("base", base=base).mean() for kind in gains}
        assert all(gains[kind] < -said.visible(base) for kind in gains if kind.startswith("rate"))
        assert share["rate × 10"] < 0.5 and (0.75 < share["rate / 10"] < 0.85 if base == "pretrained" else True)
        assert max(gains, key=gains.get) == "all, of 4 × the images" and min(gains, key=gains.get).startswith("rate")
        assert all(gains[kind] < said.visible(base) for kind in gains if "4 × the images" not in kind)
    assert 0.28 < share["rate / 10"] < 0.37
    assert said.values("base").mean() - said.values("base", base="fcn-8s").mean() > max(gains.values())
    constant = said.values("constant")
    assert -said.visible() < said.gain("constant") and constant.max() < said.values("base").min()
    middle = said.values("base", base="fcn-8s").mean()
    assert (np.abs(said.values("constant", base="fcn-8s") - middle) < said.visible("fcn-8s")).sum() == 1


def test_the_table_is_whole():
    """Each kind with three seeds, by the same code on the same pictures; only what must diverge has no score."""
    assert len({row["code"] for row in ROWS}) == 1
    wanted = [(d, b, k) for d in ("voc_mini", "camvid") for b, kinds in optimisation.CHANGES.items() for k in kinds]
    twice = {(b, k) for b in optimisation.CAMVID for k in optimisation.AGAIN}
    wanted = [(d, b, k) for d, b, k in wanted if d == "voc_mini" or (b, k) in twice]
    for data, base, kind in wanted:
        mine = [row for row in ROWS if (row["data"], row["base"], row["kind"]) == (data, base, kind)]
        assert [row["seed"] for row in mine] == ["0", "1", "2"], (data, base, kind)
        scores = [float(row["mean_iou"]) for row in mine]
        if "momentum" in optimisation.BASES[base] and kind in ("rate × 3", "sum", "1 image, same rate"):
            assert not max(scores) > 0.2, (base, kind)  # nan: diverged
        else:
            assert min(scores) > 0.1, (data, base, kind)
    assert len(ROWS) == 3 * len(wanted)
    assert all(len({row["pictures"] for row in ROWS if row["data"] == data}) == 1 for data in ("voc_mini", "camvid"))
