"""The experiments on CamVid: rough labels, held-out frames, settings; the tables, and what docs say of them."""

import utils

import numpy as np
import pytest
from conftest import ROOT
from mxnet import nd
from scipy import ndimage

from results import common
from results.camvid import run as camvid
from results.own_pictures import run as own

STREET = ["sky", "building", "road", "car", "pole"]


def _street():
    """A true label: sky above, road below, a large and a small car on it, a pole before the sky, some void."""
    label = np.full((200, 240), STREET.index("building"), np.uint8)
    label[:80] = STREET.index("sky")
    label[110:] = STREET.index("road")
    label[100:150, 60:120] = STREET.index("car")
    label[120:126, 200:208] = STREET.index("car")
    label[20:110, 180:183] = STREET.index("pole")
    label[100:105] = utils.VOID
    return label


def test_marks_are_inside_what_they_mark_with_void_around_them():
    label = _street()
    rough = own.marked(label, STREET)
    assert set(np.unique(rough)) == {0, 1, 2, 3, utils.VOID}
    for name in "sky", "road", "car":
        index, true = own.NAMES.index(name), label == STREET.index(name)
        inner = ndimage.distance_transform_edt(true) > 9
        assert (rough[inner & (ndimage.uniform_filter(inner.astype(float), 9) == 1)] != 0).all(), name
        covered = ndimage.binary_closing(true, np.ones((7, 7))) | (label == STREET.index("car"))
        assert covered[rough == index].all(), name  # what is thin, or a car too small to mark, is drawn over
    beside = [np.roll(rough, shift, axis)[2:-2, 2:-2] for shift in (1, -1) for axis in (0, 1)]
    middle = rough[2:-2, 2:-2]
    for other in beside:  # two labels never touch: void is between them
        assert ((middle == other) | (middle == utils.VOID) | (other == utils.VOID)).all()
    assert (rough[118:128, 198:210] == own.NAMES.index("road")).all()  # the small car


def test_truth_keeps_every_pixel():
    label = _street()
    true = own.truth(label, STREET)
    assert ((true == utils.VOID) == (label == utils.VOID)).all()
    for name in STREET:
        expected = own.NAMES.index(name) if name in own.NAMES else 0
        assert (true[label == STREET.index(name)] == expected).all()


def test_a_folder_is_what_the_commands_take(voc_folder, tmp_path):
    """Written from VOC's pictures, read by the data set: the labels are what the function made of the old ones."""
    folder = tmp_path / "made"
    own.write_folder(folder, voc_folder, {"train": list("abc"), "val": ["x"]}, lambda label, names: label % 4)
    made = utils.VOCSegDataset(False, None, folder, split="train")
    assert made.classes == own.CLASSES and made.names == list("abc")
    for name, (_, y) in zip("abc", made, strict=True):
        old = utils.read_label(utils.label_path(voc_folder, name))
        np.testing.assert_array_equal(y.asnumpy(), old % 4)


def test_draws_share_no_frame_with_those_to_compare_by(tmp_path):
    names = [f"f{i}" for i in range(90)]
    (tmp_path / "ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/train.txt").write_text("\n".join(names) + "\n")
    drawn, others = own.draws(tmp_path)
    assert {key: len(set(value)) for key, value in drawn.items()} == {(n, d): n for n in (10, 30) for d in range(3)}
    assert others and not set(others) & set().union(*drawn.values()) and len(set(map(tuple, drawn.values()))) == 6
    assert drawn == own.draws(tmp_path)[0]


GIVEN = camvid.BASE | {"crop": (32, 32), "batch": 2, "epochs": 2, "stride": 4}


def test_held_out_frames_are_not_trained_on(voc_folder, monkeypatch):
    monkeypatch.setattr(camvid, "HELD_OUT", 2)
    train_set, held_out = camvid.pictures(voc_folder, GIVEN, 0, held_out=True)
    assert train_set.names == list("abcd") and held_out.names == list("ef") and held_out.crop_size is None
    train_set, val = camvid.pictures(voc_folder, GIVEN, 0)
    assert train_set.names == list("abcdef") and val.names == list("xyz")


def test_frames_are_enlarged_and_jittered_as_asked(voc_folder):
    given = GIVEN | {"crop": (96, 96)}
    for more, low, high in ({}, 1, 1), ({"zoom": 1.5}, 1.5, 1.5), ({"zoom": 1.5, "jitter": (0.8, 1.2)}, 1.2, 1.8):
        train_set, _ = camvid.pictures(voc_folder, given | more, 0)
        heights = []
        for i in range(24):
            x, _ = train_set[i // 6, i % 6]
            heights.append(int((x.asnumpy() != 0).any((0, 2)).sum()))  # of 40 rows; below them padding
        assert min(heights) >= 40 * low - 1 and max(heights) <= 40 * high + 1
        assert (low == high) == (len(set(heights)) == 1)
    dull, colourful = (camvid.pictures(voc_folder, GIVEN | {"colour": c}, 0)[0][0, 0][0] for c in (0, 0.5))
    assert np.abs((dull - colourful).asnumpy()).max() > 0.1


def test_training_takes_its_epochs_or_its_minutes(voc_folder):
    train_set, _ = camvid.pictures(voc_folder, GIVEN, 0)
    utils.seed(0)
    net = camvid.make_net(21, GIVEN | {"frozen": 4})
    before = {name: p.data().asnumpy() for name, p in net.collect_params().items() if p._data}
    steps, seconds = camvid.train(net, train_set, GIVEN)
    assert steps == 2 * 3 and seconds > 0
    after = {name: net.collect_params()[name].data().asnumpy() for name in before}
    moved = {name for name in before if (before[name] != after[name]).any()}
    of_layers = [{*layer.collect_params()} & moved for layer in net.features]
    assert not any(of_layers[:5]) and all(of_layers[5:])
    assert net.score_pool2.weight.data().asnumpy().any()  # it began with zeros
    given = {k: v for k, v in GIVEN.items() if k != "epochs"} | {"minutes": 2 / 60}
    steps, seconds = camvid.train(net, train_set, given)
    assert steps > 6 and 2 <= seconds < 4


def test_the_rate_falls_to_nothing_and_a_net_that_diverges_is_no_row(voc_folder, monkeypatch):
    train_set, _ = camvid.pictures(voc_folder, GIVEN, 0)
    rates, step = [], camvid.train_batch

    def seen(net, loss, trainer, *more):
        rates.append(trainer.learning_rate)
        return step(net, loss, trainer, *more)

    monkeypatch.setattr(camvid, "train_batch", seen)
    utils.seed(0)
    camvid.train(camvid.make_net(21, GIVEN), train_set, GIVEN)
    np.testing.assert_allclose(rates, [GIVEN["rate"] * (1 - i / 6) ** 0.9 for i in range(6)])
    with pytest.raises(FloatingPointError, match="not finite; take a smaller rate"):
        camvid.train(camvid.make_net(21, GIVEN), train_set, GIVEN | {"rate": 1e30})


def test_views_are_what_predict_says_and_find_the_worst(voc_folder):
    utils.seed(0)
    net = camvid.make_net(21, GIVEN)
    net.score_fr.weight.set_data(nd.random.normal(shape=(21, 320, 1, 1)))
    _, val = camvid.pictures(voc_folder, GIVEN, 0)
    view, scores = camvid.Views(net, 1.5, flip=True), []
    for (x, y), name in zip(val, val.names, strict=True):
        image = utils.read_image(utils.image_path(voc_folder, name))
        expected = utils.predict(net, image, flip=True, scales=(1.5,)).asnumpy()
        np.testing.assert_array_equal(view(x, y)[0].asnumpy(), expected)
        metric = utils.SegmentationMetric(21)
        metric.update(y.expand_dims(0), nd.array(expected[None]))
        scores.append(metric.scores()["mean_iou"])
    worst = view.worst(val, 2).split("; ")
    assert [text.split()[0] for text in worst] == [val.names[i] for i in np.argsort(scores)[:2]]


def test_the_ceiling_is_that_of_the_stride_on_the_enlarged_frame():
    rng = np.random.RandomState(0)
    label = np.kron(rng.randint(0, 11, (12, 15)), np.ones((5, 5))).astype(np.uint8)
    np.testing.assert_array_equal(camvid.most(label, {"stride": 4}), utils.ceiling(label, 4, 11))
    large = label.repeat(2, 0).repeat(2, 1)
    expected = utils.ceiling(large, 4, 11)
    found = camvid.most(label, {"stride": 4, "zoom": 2})
    assert found.shape == label.shape
    pairs = [(found == expected[i::2, j::2]).mean() for i in (0, 1) for j in (0, 1)]
    assert max(pairs) == 1  # of each four pixels of the enlarged frame, one
    right = [(camvid.most(label, {"stride": 4, "zoom": zoom}) == label).mean() for zoom in (1, 1.5, 4)]
    assert right[0] < right[1] < right[2] == 1


def rows(folder, name="table.csv"):
    return common.read(ROOT / "results" / folder / name)


def numbers(folder, key, **given):
    """A column of a table, of the rows that have these values."""
    return [float(row[key]) for row in rows(folder) if all(row[k] == v for k, v in given.items())]


def spread(values):
    """As the page writes three values: their mean, and the lowest and highest."""
    return f"{np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def of_class(text, name):
    """A class's IoU in a table's text."""
    return float(dict(part.split() for part in text.split("; "))[name])


PAGE = (ROOT / "docs/own_pictures.md").read_text(encoding="utf-8")


def test_the_page_says_what_ten_photographs_gave():
    table = rows("own_pictures")
    for photos, way in own.WAYS:
        mine = [row for row in table if (row["photos"], row["way"]) == (str(photos), way)]
        assert [row["seed"] for row in mine] == ["0", "1", "2"] and len({row["code"] for row in mine}) == 1, way
    ten = {way: {"photos": "10", "way": way} for way in ("ResNet18 from nothing", "default")}
    for way, line in (
        ("ResNet18 from nothing", "| the chapter's net, from random"),
        ("default", "| the command line's |"),
    ):
        found = next(text for text in PAGE.splitlines() if text.startswith(line))
        assert spread(numbers("own_pictures", "own_iou", **ten[way])) in found
        assert spread(numbers("own_pictures", "val_mean_iou", **ten[way])) in found
        assert f"| {np.mean(numbers('own_pictures', 'seconds', **ten[way])):.0f} s |" in found
    own_base, val_base = (numbers("own_pictures", key, photos="10") for key in ("own_baseline", "val_baseline_iou"))
    assert f"| one class everywhere | {np.mean(own_base):.2f} | {np.mean(val_base):.2f} |" in PAGE
    own_iou, val_iou = (numbers("own_pictures", key, **ten["default"]) for key in ("own_iou", "val_mean_iou"))
    best = int(np.argmax(own_iou))
    assert f"Where they said {own_iou[best]:.2f}, the net was worth {val_iou[best]:.2f}." in PAGE
    cars = [
        np.mean([of_class(row["val_iou"], "car") for row in table if (row["photos"], row["way"]) == ("10", way)])
        for way in ten
    ]
    assert f"finds hardly any (IoU {cars[0]:.2f}), the other scores {cars[1]:.2f}." in PAGE


def seeds(values):
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


def test_the_page_says_what_camvid_gave():
    full = [row for row in rows("camvid") if row["size"] == "full"]
    assert [row["seed"] for row in full] == ["0", "1", "2"] and "deviation of three seeds" in PAGE
    assert {row["settings"] for row in full} == {camvid.text(camvid.CHOSEN["full"])} and len(
        {r["code"] for r in full}
    ) == 1
    text = (
        "data",
        "size",
        "settings",
        "pictures",
        "code",
        "iou",
        "flip_iou",
        "ceiling_iou",
        "worst",
        "machine",
        "versions",
    )
    column = {key: [float(row[key]) for row in full] for key in full[0] if key not in text}
    assert f"32 epochs: {np.mean(column['seconds']) / 60:.1f} minutes of one core" in PAGE
    assert max(column["seconds"]) < 20 * 60  # two cores, ten minutes
    assert min(column["mean_iou"]) > 0.67
    three = (seeds(column[key]) for key in ("mean_iou", "pixel_acc", "trimap_iou"))
    assert f"| **this net** | {' | '.join(three)} |" in PAGE
    assert f"| and its mirror image | {seeds(column['flip_mean_iou'])} | | {seeds(column['flip_trimap_iou'])} |" in PAGE
    assert f"| one class everywhere | {column['baseline_iou'][0]:.3f} | {column['baseline_acc'][0]:.3f} | |" in PAGE
    half = [row for row in rows("camvid") if row["size"] == "half"]
    assert [row["seed"] for row in half] == ["0", "1", "2"] and {row["code"] for row in half} == {full[0]["code"]}
    three = (seeds([float(row[key]) for row in half]) for key in ("mean_iou", "pixel_acc", "trimap_iou"))
    assert f"at half size, crops of 160 × 224, 20 epochs | {' | '.join(three)} |" in PAGE
    minutes = np.mean([float(row["seconds"]) for row in half]) / 60
    assert f"half size a training takes {minutes:.1f} minutes of one core" in PAGE
    ceiling = f"{column['ceiling_mean_iou'][0]:.3f} | | {column['ceiling_trimap_iou'][0]:.3f}"
    assert f"| the truth at its stride | {ceiling} |" in PAGE
    for name in [part.split()[0] for part in full[0]["iou"].split("; ")]:
        found = seeds([of_class(row["iou"], name) for row in full])
        assert f"| {name} | {found} | {of_class(full[0]['ceiling_iou'], name):.3f} |" in PAGE


def test_the_page_has_the_trials_as_they_were():
    trials = rows("camvid", "trials.csv")
    assert [row["trial"] for row in trials] == list(camvid.TRIALS) and len({row["versions"] for row in trials}) == 1
    for row in trials:
        given = camvid.settings({"trial": row["trial"]})
        assert row["settings"] == camvid.text(given) and abs(float(row["seconds"]) - 60 * camvid.MINUTES) < 5
        assert f"| {row['trial']} | {float(row['mean_iou']):.3f} | {float(row['trimap_iou']):.3f} |" in PAGE
        assert float(row["mean_iou"]) >= float(trials[0]["mean_iou"]) and float(row["flip_mean_iou"]) > float(
            row["mean_iou"]
        )


def test_the_page_says_what_thirty_photographs_gave():
    values = ("own_iou", "others_mean_iou", "val_mean_iou")
    for (photos, way), words in own.WAYS.items():
        if photos == 30:
            given = {"photos": "30", "way": way}
            found = " | ".join(spread(numbers("own_pictures", key, **given)) for key in values)
            assert f"| `{words}` | {found} | {np.mean(numbers('own_pictures', 'seconds', **given)):.0f} s |" in PAGE
    means = [np.mean(numbers("own_pictures", "val_mean_iou", photos=n, way="default")) for n in ("30", "10")]
    assert "{:.2f} on val, where ten photographs gave {:.2f}.".format(*means) in PAGE
    ways = [numbers("own_pictures", "val_mean_iou", photos="30", way=way) for n, way in own.WAYS if n == 30]
    assert np.ptp([np.mean(values) for values in ways]) < np.ptp(ways[0])  # settings matter less than the draw
