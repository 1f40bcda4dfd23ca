"""Chapter 14: true edges, HED and its loss, Canny, suppression, matching, ODS, OIS and AP, snapping."""

import utils
from utils.data.edges import EDGES, EdgeDataset, read_objects, true_edges, write_edges
from utils.data.voc import read_pair
from utils.engine.digest import code_digest
from utils.losses import ClassBalancedLoss, HEDLoss
from utils.models.backbones import Features
from utils.models.hed import HED
from utils.postprocess import edges

import edges_oracle
import mxnet as mx
import numpy as np
import pytest
import skimage
from conftest import ROOT, VOC_PALETTE, write_palette_png
from mxnet import autograd, gluon, nd
from PIL import Image
from scipy import ndimage
from test_nets import measured_margin

from results import common, rate_search
from results.edges import run as experiment

CPU, VOID = mx.cpu(), utils.VOID


@pytest.fixture(scope="module")
def record():
    with np.load(edges_oracle.RECORD) as file:
        return dict(file)


def pair(logit):
    """(1, 2, H, W) scores, neither of which is 0, with this difference."""
    other = np.random.RandomState(0).normal(size=logit.shape)
    return nd.array(np.stack([other, other + logit])[None])


# The loss


def test_the_loss_of_four_pixels_by_hand():
    scores, label = pair(np.log([[1.0, 3.0], [1.0, 7.0]])), nd.array([[[1, 0], [0, VOID]]])
    # one edge of three labelled pixels: β = 2/3; probabilities of an edge 1/2, 3/4, 1/2
    expected = (2 / 3 * np.log(2) + 1 / 3 * (np.log(4) + np.log(2))) / 3
    assert ClassBalancedLoss()(scores, label).asnumpy() == pytest.approx([expected], abs=1e-6)


@pytest.mark.parametrize("name", edges_oracle.PICTURES)
@pytest.mark.parametrize("hybrid", [False, True])
def test_the_loss_and_its_gradient_are_pytorchs(record, name, hybrid):
    loss, label = ClassBalancedLoss(), edges_oracle.drawn_label(name)
    loss.hybridize(hybrid)
    scores = pair(3 * edges_oracle.drawn(f"{name} score", label.shape))
    scores.attach_grad()
    with autograd.record():
        value = loss(scores, nd.array(label[None]))
    value.backward()
    gradient = scores.grad[0].asnumpy()
    assert value.asnumpy() == pytest.approx([float(record[f"{name}, loss"])], abs=1e-6)
    np.testing.assert_allclose(gradient[1], record[f"{name}, gradient"], atol=1e-7)
    np.testing.assert_allclose(gradient[0], -gradient[1], atol=1e-8)
    assert (gradient[:, label == VOID] == 0).all()


def test_equal_scores_learn_from_every_pixel():
    """As HED's do at its first step: its filters begin with zeros. The slope is that between a little less and more."""
    label = nd.array([[[1, 0, 0, 0]]])

    def loss_and_gradient(margins):
        scores = nd.array([[np.zeros((1, 4)), [margins]]])
        scores.attach_grad()
        with autograd.record():
            value = ClassBalancedLoss()(scores, label)
        value.backward()
        return value.asscalar(), scores.grad[0, 1, 0].asnumpy()

    _, gradient = loss_and_gradient(np.zeros(4))
    sides = [[loss_and_gradient(step * np.eye(4)[i])[0] for step in (0.01, -0.01)] for i in range(4)]
    np.testing.assert_allclose(gradient, [(more - less) / 0.02 for more, less in sides], atol=1e-5)
    assert (gradient != 0).all()


def test_pictures_of_a_batch_do_not_touch_each_other_and_nothing_overflows():
    label = nd.array(np.stack([edges_oracle.drawn_label(name) for name in edges_oracle.PICTURES]))
    scores = nd.concat(*[pair(edges_oracle.drawn(name, (13, 18))) for name in edges_oracle.PICTURES], dim=0)
    together = ClassBalancedLoss()(scores, label).asnumpy()
    alone = [ClassBalancedLoss()(scores[i : i + 1], label[i : i + 1]).asscalar() for i in range(4)]
    np.testing.assert_allclose(together, alone, rtol=1e-6)
    assert together[0] > 0 and together[2] == together[3] == 0  # without an edge, without a label
    far = nd.array([[[[0, 0]], [[1e4, -1e4]]]])
    assert ClassBalancedLoss()(far, nd.array([[[0, 1]]])).asnumpy() == pytest.approx([1e4 / 2], rel=1e-5)
    with pytest.raises(ValueError, match="side_weight=-1: expected a number from 0 on"):
        HEDLoss(-1)


# The net


def tiny_features():
    """Maps at strides 1, 2 and 4, without a bias."""
    features, before = Features({1: 0, 2: 1, 4: 2}, prefix=""), 3
    for stride, channels in edges_oracle.CHANNELS.items():
        step = 1 if stride == 1 else 2
        layer = gluon.nn.Conv2D(channels, 3, step, 1, activation="relu", use_bias=False, in_channels=before)
        features.add(layer)
        before = channels
    return features


def oracles_net():
    net = HED(tiny_features())
    net.initialize()
    parameters = {f"conv{s}": layer.weight for s, layer in zip(net.strides, net.features, strict=True)}
    parameters |= {f"dsn{s}": layer.weight for s, layer in zip(net.strides, net.score_dsn, strict=True)}
    parameters |= {f"b{s}": layer.bias for s, layer in zip(net.strides, net.score_dsn, strict=True)}
    parameters["fuse"] = net.fuse.weight
    for name, parameter in parameters.items():
        parameter.set_data(nd.array(edges_oracle.drawn(name, parameter.shape)))
    return net, parameters


@pytest.mark.parametrize("hybrid", [False, True])
@pytest.mark.parametrize("sides", [0, 1])
def test_outputs_losses_and_gradients_are_pytorchs(record, sides, hybrid):
    (net, parameters), loss = oracles_net(), HEDLoss(sides)
    if hybrid:
        net.hybridize()
        loss.hybridize()
    x, label = nd.array(edges_oracle.drawn("picture", (1, 3, 13, 18))), edges_oracle.drawn_label("mixed")
    with autograd.record():
        outputs = net(x)
        value = loss(outputs, nd.array(label[None]))
    value.backward()
    found = np.stack([(out[0, 1] - out[0, 0]).asnumpy() for out in outputs])
    np.testing.assert_allclose(found, record["hed outputs"], atol=1e-5)
    assert value.asnumpy() == pytest.approx([float(record[f"hed {sides}, loss"])], abs=1e-5)
    for name, parameter in parameters.items():
        np.testing.assert_allclose(parameter.grad().asnumpy(), record[f"hed {sides}, {name}"], atol=1e-6, err_msg=name)


@pytest.mark.parametrize("backbone, sides", [("resnet18_v2", 5), ("vgg16", 6), ("efficientnet_lite0", 5)])
def test_on_any_backbone_and_any_size(backbone, sides):
    net = utils.get_model("hed", 2, backbone)
    for size in (33, 50), (1, 1):
        outputs = net(nd.random.normal(shape=(1, 3, *size)))
        assert [out.shape for out in outputs] == [(1, 2, *size)] * (1 + sides)
        assert all(float(nd.abs(out).max().asscalar()) == 0 for out in outputs)  # filters begin with 0
    assert net.fuse.weight.data().asnumpy().ravel() == pytest.approx([1 / sides] * sides)
    assert net.training_loss is HEDLoss


@pytest.mark.parametrize("strides", [None, (2,), (1, 4)])
def test_the_margin_is_what_the_gradient_says(strides):
    net = HED(tiny_features(), strides=strides, zero=False)
    net.initialize()
    assert measured_margin(net, period=8) == net.receptive_margin


def test_wrong_settings_are_said():
    for given, message in (
        (
            {"classes": 21},
            "HED for 21 classes: expected 2, no edge and edge, as utils.data.edges.write_edges",
        ),
        ({"strides": (2, 8)}, r"strides=\[8\]: expected some of 1, 2, 4"),
        ({"strides": ()}, r"strides=\(\): expected some of 1, 2, 4"),
    ):
        with pytest.raises(ValueError, match=message):
            HED(tiny_features(), **given)


def test_it_trains_predicts_and_is_saved_as_any_net(voc_folder, tmp_path):
    train_set, test_set = EdgeDataset(True, (32, 48), voc_folder), EdgeDataset(False, root=voc_folder)
    assert set(np.unique(train_set[0][1].asnumpy())) <= {0, 1, VOID}
    utils.backbones["tiny"] = tiny_features
    try:
        net = utils.get_model("hed", 2, "tiny", zero=False)
        trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 1e-2})
        history = utils.train(utils.data_loader(train_set, 2), test_set, net, net.training_loss(), trainer, CPU, 3)
        assert history[-1]["loss"] < history[0]["loss"]
        image = np.random.RandomState(0).randint(0, 256, (40, 50, 3)).astype(np.uint8)
        alone = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 1e-3})  # and with the fusion's loss alone
        assert len(utils.train(utils.data_loader(train_set, 2), None, net, HEDLoss(0), alone, CPU, 1)) == 1
        label = utils.predict(net, image)
        assert label.shape == (40, 50) and set(np.unique(label.asnumpy())) <= {0, 1}
        utils.save_model(tmp_path / "hed.params", net, EDGES)
        again = utils.load_model(tmp_path / "hed.params")
        again = again[0] if isinstance(again, tuple) else again
        assert (utils.predict(again, image) == label).asnumpy().all()
    finally:
        del utils.backbones["tiny"]


# Truth


def label_of(text):
    """One digit a pixel, v = void."""
    return np.array([[VOID if c == "v" else int(c) for c in line] for line in text.split()], np.uint8)


def test_an_edge_is_the_pixel_before_another_class():
    found = true_edges(label_of("0011 0011 2222"))
    assert found.tolist() == [[0, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]]


def test_in_a_band_of_void_the_edge_is_in_the_middle():
    assert true_edges(label_of("000vvv111"), band=2)[0].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert true_edges(label_of("000vv111"), band=2)[0].tolist() == [0, 0, 0, 1, 0, 0, 0, 0]


def test_void_parts_two_objects_of_a_class_and_numbers_part_them_without():
    assert true_edges(label_of("11v11"))[0].sum() == 1
    assert true_edges(label_of("11111"))[0].sum() == 0
    assert true_edges(label_of("11111"), objects=label_of("11222"))[0].tolist() == [0, 1, 0, 0, 0]
    around = label_of("11111 11v11 11111")  # void in the middle of one object parts nothing
    assert true_edges(around, rim=0).tolist() == [[0] * 5, [0, 0, VOID, 0, 0], [0] * 5]


def test_wide_void_is_unknown_and_so_is_its_rim():
    row = label_of("0000" + "v" * 12 + "1111")
    found = true_edges(row, band=2, rim=1)[0]
    assert found.tolist() == [0] * 3 + [VOID] * 14 + [0] * 3
    assert (true_edges(np.full((3, 4), VOID, np.uint8)) == VOID).all()
    assert (true_edges(np.zeros((3, 4), np.uint8)) == 0).all() and true_edges(np.zeros((1, 1))).tolist() == [[0]]


def test_bad_labels_are_said():
    for bad, message in (
        (np.zeros((2, 3, 4)), r"label: shape \(2, 3, 4\)"),
        (np.full((2, 2), 0.5), "label: .*from 0.5 to 0.5; expected"),
        (np.full((2, 2), -1), "label: .*from -1 to -1"),
        (np.zeros((0, 3)), r"label: shape \(0, 3\)"),
    ):
        with pytest.raises(ValueError, match=message):
            true_edges(bad)
    with pytest.raises(ValueError, match=r"objects of shape \(2, 2\), label of \(2, 3\)"):
        true_edges(np.zeros((2, 3)), np.zeros((2, 2)))


def test_the_edges_of_voc_mini_lie_where_labels_change():
    root = utils.data_root()
    for name in utils.read_names(root)[:4]:
        _, label = read_pair(root, name)
        found = true_edges(label)
        assert 0.005 < (found == 1).mean() < 0.04 and (found == VOID).mean() < (label == VOID).mean()
        changes = np.zeros(label.shape, bool)
        changes[:-1] |= label[:-1] != label[1:]
        changes[:, :-1] |= label[:, :-1] != label[:, 1:]
        assert ndimage.distance_transform_edt(~changes)[found == 1].max() <= 5
        assert (found[label == VOID] == VOID).mean() < 0.5  # most void is a band round an object


def test_a_data_set_of_edges_reads_objects_where_there_are_some(voc_folder):
    plain = EdgeDataset(False, root=voc_folder, cache=True)
    name, (image, edges_of) = plain.names[0], plain[0]
    _, label = read_pair(voc_folder, name)
    assert plain.classes is EDGES and (edges_of.asnumpy() == true_edges(label)).all() and image.shape[1:] == label.shape
    assert read_objects(voc_folder, name) is None
    numbers = np.indices(label.shape)[1] // 7
    (voc_folder / "SegmentationObject").mkdir()
    path = voc_folder / "SegmentationObject" / f"{name}.png"
    write_palette_png(path, numbers, VOC_PALETTE)
    found = EdgeDataset(False, root=voc_folder)[0][1].asnumpy()
    assert (found == true_edges(label, numbers)).all() and (found == 1).sum() > (edges_of.asnumpy() == 1).sum()
    small = EdgeDataset(False, root=voc_folder, scale=0.5)[0]
    assert small[0].shape[1:] == small[1].shape
    Image.fromarray(np.zeros(label.shape, np.uint8)).save(path)
    with pytest.raises(ValueError, match=f"{name}.png: mode L; expected a palette PNG"):
        EdgeDataset(False, root=voc_folder)[0]
    path.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=f"{name}.png: no picture that can be read"):
        EdgeDataset(False, root=voc_folder)[0]


def test_a_folder_of_edges_is_a_data_set(voc_folder, tmp_path):
    write_edges(voc_folder, tmp_path / "edges", band=2)
    for split in "train", "val":
        expected = EdgeDataset(False, None, voc_folder, band=2, split=split)
        found = utils.VOCSegDataset(False, None, tmp_path / "edges", split=split)
        assert found.names == expected.names and found.classes == EDGES
        for ours, theirs in zip(found, expected, strict=True):
            assert all((a == b).asnumpy().all() for a, b in zip(ours, theirs, strict=True))
    with pytest.raises(FileExistsError, match="edges is there already: name a folder that is new"):
        write_edges(voc_folder, tmp_path / "edges")


# Canny, thinning and matching


def test_cannys_strength_is_canny_at_each_threshold():
    image, _ = read_pair(utils.data_root(), utils.read_names(utils.data_root())[0])
    grey, highs = skimage.color.rgb2gray(image), [0.1, 0.3, 0.7, 1.5]
    strength, before = edges.canny_strength(image, highs[::-1], sigma=1), np.inf
    for high in highs:
        expected = skimage.feature.canny(grey, 1, 0.4 * high, high, mode="nearest")
        assert ((strength >= high) == expected).all() and 0 < expected.sum() < before
        before = expected.sum()
    assert not edges.canny_strength(np.full((9, 9, 3), 7, np.uint8), highs).any()


def test_suppression_leaves_the_crest():
    rows, columns = np.indices((40, 40))
    for angle in (0, 0.4, np.pi / 4, 1.2, np.pi / 2):
        away = np.cos(angle) * (rows - 20) + np.sin(angle) * (columns - 20)
        kept = edges.suppress(np.exp(-(away**2) / 18)) > 0.3
        assert np.abs(away[kept]).max() <= 1 and kept[5:-5, 5:-5].sum() >= 25
    plateau = np.zeros((20, 30))
    plateau[:, 10:17] = 1
    assert set(np.nonzero(skimage.morphology.thin(edges.suppress(plateau) > 0.5))[1]) <= {12, 13, 14}
    assert edges.suppress(np.ones((1, 1))).shape == (1, 1)


def brute_force(found, truth, tolerance):
    """The largest number of pairs, by trying each partner of the first pixel, or none, then of the next."""
    if not found:
        return 0
    (first, *rest), best = found, brute_force(found[1:], truth, tolerance)
    for i, other in enumerate(truth):
        if np.hypot(*np.subtract(first, other)) <= tolerance:
            best = max(best, 1 + brute_force(rest, truth[:i] + truth[i + 1 :], tolerance))
    return best


def test_matching_is_that_of_trying_everything():
    rng, sizes = np.random.RandomState(0), set()
    for _ in range(60):
        found, truth = (rng.rand(5, 6) < rng.uniform(0, 0.25) for _ in range(2))
        tolerance = rng.choice([0, 1, 1.5, 2, 2.9])
        ours, theirs = edges.match_edges(found, truth, tolerance)
        expected = brute_force(*([tuple(p) for p in np.argwhere(a)] for a in (found, truth)), tolerance)
        assert ours.sum() == theirs.sum() == expected and (ours <= found).all() and (theirs <= truth).all()
        sizes.add(expected)
    assert {0, 1, 2, 3} <= sizes
    with pytest.raises(ValueError, match="tolerance -1: expected one shape"):
        edges.match_edges(found, truth, -1)


# One case for each way to be wrong: a vertical line in column 10 of 20 rows, tolerance 2


def line(*columns, rows=slice(None)):
    drawn = np.zeros((20, 24), np.float32)
    drawn[rows, list(columns)] = 1
    return drawn


WRONG = {
    "right": (line(10), line(10), 20, 20, 20),
    "moved within the tolerance": (line(10), line(12), 20, 20, 20),
    "moved beyond it": (line(10), line(13), 0, 20, 20),
    "half of it missed": (line(10), line(10, rows=slice(10)), 10, 10, 20),
    "one too many": (line(10), line(10, 20), 20, 40, 20),
    "twice, both near enough": (line(10), line(9, 11), 20, 40, 20),
    "thick, which thinning mends": (line(10), line(9, 10, 11), 18, 18, 20),
    "in unknown pixels": (np.where(line(20) > 0, VOID, line(10)), line(10, 20), 20, 20, 20),
    "nothing found": (line(10), 0 * line(10), 0, 0, 20),
    "nothing true": (0 * line(10), line(10), 0, 20, 0),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_way_to_be_wrong_counts(name):
    label, strength, matched, found, true = WRONG[name]
    metric = edges.EdgeMetric([0.5], tolerance=2)
    metric.update(label, strength)
    (counts,) = metric._counts[0].tolist()
    if name.startswith("thick"):  # thinning may take a pixel off each end
        assert counts[0] == counts[1] >= 16 and counts[2] == true
    else:
        assert counts == [matched, found, true]
        scores, expected = metric.scores(), 2 * matched / (found + true)
        assert np.isnan(scores["ods"]) if true == 0 else scores["ods"] == scores["ois"] == pytest.approx(expected)


def test_one_threshold_for_the_set_or_one_for_each_picture():
    metric = edges.EdgeMetric([0.3, 0.6], tolerance=1)
    metric.update(line(10), 0.4 * line(10))  # best at 0.3
    metric.update(line(10), line(10) + 0.4 * line(2, 20))  # best at 0.6
    # at 0.3: matched 40, found 80, true 40; at 0.6: 20, 20, 40
    scores = metric.scores()
    assert scores["ods"] == pytest.approx(2 * 40 / 120) == pytest.approx(2 * 20 / 60) and scores["threshold"] == 0.3
    assert scores["ois"] == 1
    precision, recall = metric.curve()
    assert precision.tolist() == [0.5, 1] and recall.tolist() == [1, 0.5]
    # from recall 0.5 to 1 precision falls from 1 to 0.5 along a line; below 0.5 there is none: 51 recalls, mean 0.75
    assert scores["ap"] == pytest.approx(51 * 0.75 / 101)


def test_the_metric_says_what_it_cannot_score():
    metric = edges.EdgeMetric()
    assert np.isnan(metric.scores()["ods"])
    for label, strength, message in (
        (line(1), line(1)[:5], r"label of shape \(20, 24\), strength of \(5, 24\)"),
        (line(1) * 7, line(1), "label with 7: expected 0, 1 and 255"),
        (line(1), line(1) * np.nan, "nan or infinite"),
    ):
        with pytest.raises(ValueError, match=message):
            metric.update(label, strength)
    for thresholds in [], [0]:
        with pytest.raises(ValueError, match="expected some numbers above 0"):
            edges.EdgeMetric(thresholds)
    with pytest.raises(ValueError, match=r"scores of shape \(3, 4, 5\)"):
        edges.edge_strength(np.zeros((3, 4, 5)))
    assert edges.edge_strength(np.array([[[0.0]], [[np.log(3)]]]))[0, 0] == pytest.approx(0.75)


# Snapping


def test_borders_move_to_the_edge_near_them_and_no_further():
    label, strength = np.zeros((30, 40), np.uint8), np.zeros((30, 40), np.float32)
    label[:, 20:], strength[:, 23] = 1, 1
    found = edges.snap_to_edges(label, strength, width=5)
    assert (found[:, :23] == 0).all() and (found[:, 24:] == 1).all()
    strength = np.roll(strength, 12, axis=1)  # out of reach
    found = edges.snap_to_edges(label, strength, width=5)
    assert (found[:, :15] == 0).all() and (found[:, 25:] == 1).all()


def test_snapping_keeps_small_things_and_whole_pictures():
    label = np.zeros((20, 20), np.uint8)
    label[5, 5], label[12:15, 12:15] = 3, 4
    found = edges.snap_to_edges(label, np.zeros((20, 20)), width=6)
    assert {0, 3, 4} == set(np.unique(found)) and found[5, 5] == 3
    assert (edges.snap_to_edges(np.full((4, 5), 2), np.ones((4, 5)), 3) == 2).all()
    with pytest.raises(ValueError, match="expected one"):
        edges.snap_to_edges(label, np.zeros((2, 2)), 3)
    for bad, strength, width, message in (
        (label - 1.0, 0.0 * label, 3, "label from -1 to 3: expected whole numbers"),
        (label, 0.0 * label, -1, "width=-1"),
        (label, np.nan * label, 3, "strengths from nan to nan"),
    ):
        with pytest.raises(ValueError, match=message):
            edges.snap_to_edges(bad, strength, width)


# Its experiment


def test_rows_of_results(monkeypatch, voc_folder):
    """A net and a baseline as results/edges makes them, two steps on small pictures."""
    monkeypatch.setattr(experiment, "CROP", (32, 32))
    monkeypatch.setattr(experiment, "HELD_OUT", 1)
    monkeypatch.setattr(experiment, "CHOSEN_ON", 2)
    monkeypatch.setattr(common, "BATCH", 2)
    start = rate_search.row("voc_mini", "nothing", "hed_sides", 0, (1e-3, 3e-3), 1) | {"scored": "val"}
    net = experiment.one_run(start, voc_folder)
    assert [part.split()[0] for part in net["sides"].split("; ")] == ["2", "4", "8", "16", "32"]
    assert 0 <= float(net["f_chosen"]) <= float(net["ods"]) <= 1 and len(net["fuse"].split("; ")) == 5
    sobel = experiment.one_run(rate_search.row("voc_mini", "", "sobel", 0) | {"scored": "val"}, voc_folder)
    assert sobel["chosen"].startswith("sigma ") and float(sobel["f_chosen"]) <= float(sobel["ods"])


def test_the_tables_of_chapter_14_are_whole():
    """Each job has its row, all made by one code; rates did best in trials, between others that were tried."""
    tables = {name: common.read(ROOT / "results" / "edges" / f"{name}.csv") for name in ("trials", "table")}
    code = code_digest((ROOT / "results/edges/run.py", "one_run"))
    assert {row["code"] for rows in tables.values() for row in rows} == {code}
    for start, net in experiment.KINDS:
        asked = rate_search.to_try(tables["trials"], start, net, "ods", None)
        assert {*asked} == rate_search.tried(tables["trials"], start, net, "ods").keys()
    for data in "voc_mini", "camvid":
        mine = [row for row in tables["table"] if row["data"] == data]
        expected = [(*kind, str(seed)) for kind in experiment.KINDS for seed in range(3)]
        assert [tuple(row[key] for key in ("start", "net", "seed")) for row in mine] == [
            *expected,
            *(("", name, "0") for name in experiment.GRID),
        ]
        for row in mine[: len(expected)]:
            rates = float(row["rate_backbone"]), float(row["rate_behind"])
            assert rates == rate_search.chosen(tables["trials"], row["start"], row["net"], "ods")
            assert int(row["epochs"]) == experiment.EPOCHS[data]


def test_what_chapter_14_says_of_its_tables():
    """Nets and baselines, with and without side losses, ImageNet's weights, and thresholds chosen in training."""
    table, trials = (common.read(ROOT / "results" / "edges" / f"{name}.csv") for name in ("table", "trials"))

    def of(data, start, net, key="ods"):
        return np.array(
            [float(row[key]) for row in table if (row["data"], row["start"], row["net"]) == (data, start, net)]
        )

    def sides(data, start, net):
        mine = [row["sides"] for row in table if (row["data"], row["start"], row["net"]) == (data, start, net)]
        return np.mean([[float(part.split()[-1]) for part in text.split("; ")] for text in mine], axis=0)

    assert max(float(row["ods"]) - float(row["f_chosen"]) for row in table) < 0.02
    canny = {data: of(data, "", "canny") for data in ("voc_mini", "camvid")}
    worst = min(of("voc_mini", *kind).min() for kind in experiment.KINDS)
    assert worst > max(canny["voc_mini"].max(), of("voc_mini", "", "sobel").max()) + 0.15
    ahead = {kind: (of("camvid", *kind) - canny["camvid"]).mean().round(2) for kind in experiment.KINDS}
    assert list(ahead.values()) == [0.03, 0.08, 0.01, 0.06]  # HED and the fusion alone, by ImageNet's, from nothing
    assert max(of("camvid", *kind, "ap").mean() for kind in experiment.KINDS) < of("camvid", "", "canny", "ap")[0]
    for data in "voc_mini", "camvid":
        for start in "imagenet", "nothing":
            gained = of(data, start, "hed_fusion") - of(data, start, "hed_sides")
            with_, without = sides(data, start, "hed_sides")[-1], sides(data, start, "hed_fusion")[-1]
            if (data, start) == ("voc_mini", "nothing"):
                assert gained.min() < 0 < gained.max()
            else:
                assert gained.min() > 0.01
            assert without < 0.085 < 0.135 < with_ or (data, start) == ("camvid", "nothing")
    gains = {
        (data, net): of(data, "imagenet", net).mean() - of(data, "nothing", net).mean()
        for data in ("voc_mini", "camvid")
        for net in ("hed_sides", "hed_fusion")
    }
    assert [round(gain, 2) for gain in gains.values()] == [0.09, 0.11, 0.02, 0.01]
    pairs = {}
    for row in trials:
        pairs.setdefault((row["start"], row["rate_backbone"], row["rate_behind"]), {})[row["net"]] = float(row["ods"])
    ahead = [pair["hed_fusion"] - pair["hed_sides"] for pair in pairs.values() if len(pair) == 2]
    assert len(ahead) == 9 and sum(gain > 0 for gain in ahead) == 8


def test_strengths_of_a_net_that_diverged_are_refused():
    strength = np.zeros((8, 9), np.float32)
    strength[3, 4] = np.nan
    with pytest.raises(ValueError, match="the net has diverged"):
        edges.suppress(strength)
    with pytest.raises(ValueError, match="the net has diverged"):
        edges.EdgeMetric().update(np.zeros((8, 9)), strength)
