"""Weak labels drawn by rule and read from files, training on them, and what the data check says of them."""

import utils
from utils.__main__ import main
from utils.data import scribbles as module
from utils.data.scribbles import draw_boxes, draw_points, draw_scribbles, longest_path, read_scribbles, strokes
from utils.datacheck import scribbles as check
from utils.viz import strokes as viz
from utils.viz.strokes import segment

import datetime

import numpy as np
import pytest
from conftest import ROOT, VOC_PALETTE, write_palette_png
from mxnet import autograd, gluon, nd
from PIL import Image
from scipy import ndimage
from traitlets import Bunch

from results import common


@pytest.fixture(scope="module")
def label():
    root = utils.data_root()
    return utils.read_label(root / "SegmentationClass" / f"{utils.read_names(root)[0]}.png")


def test_longest_path_leaves_out_the_short_branch():
    thin = np.zeros((9, 12), bool)
    thin[4], thin[2:4, 6] = True, True
    path = longest_path(thin)
    assert len(path) == 12 and (path[:, 0] == 4).all() and (np.abs(np.diff(path, axis=0)).max(axis=1) == 1).all()


def test_scribbles_stay_in_their_class_and_near_the_share(label):
    weak = draw_scribbles(label, seed=1)
    marked = weak != utils.VOID
    assert weak.dtype == np.uint8 and (weak[marked] == label[marked]).all() and 0.02 < marked.mean() < 0.045
    large = [v for v in np.unique(label[label != utils.VOID]) if (label == v).sum() > 200]
    assert set(np.unique(weak[marked])) >= set(large)
    assert (draw_scribbles(label, seed=1) == weak).all() and (draw_scribbles(label, seed=2) != weak).any()
    assert (draw_scribbles(label, share=0.1) != utils.VOID).sum() > 2 * marked.sum()


def test_small_areas_are_missed():
    label = np.zeros((40, 40), np.uint8)
    label[5:8, 5:8], label[20:30, 20:30] = 1, 2
    assert set(np.unique(draw_scribbles(label))) == {0, 2, utils.VOID}
    assert set(np.unique(draw_scribbles(label, least=9))) == {0, 1, 2, utils.VOID}


def test_points_are_one_a_class_and_deep_inside(label):
    weak = draw_points(label, seed=3, radius=0)
    for value in np.unique(weak[weak != utils.VOID]):
        (place,) = np.argwhere(weak == value)
        depth = ndimage.distance_transform_edt(np.pad(label == value, 1))[1:-1, 1:-1]
        assert label[tuple(place)] == value and depth[tuple(place)] >= 1
    assert (draw_points(label, radius=3) != utils.VOID).sum() > (weak != utils.VOID).sum()
    dots = draw_points(label, radius=50)
    assert (dots[dots != utils.VOID] == label[dots != utils.VOID]).all()


def test_boxes_by_hand():
    label = np.zeros((6, 8), np.uint8)
    label[0:4, 0:4] = np.tri(4, dtype=np.uint8)  # half of its box
    label[1, 2] = 2
    boxes = draw_boxes(label, least=1)
    expected = np.zeros((6, 8), np.uint8)
    expected[0:4, 0:4] = 1
    expected[1, 2] = 2
    assert (boxes == expected).all()
    with pytest.raises(ValueError, match="background=2.5: expected a class"):
        draw_boxes(label, background=2.5)
    everything = draw_boxes(label, background=None, least=1)
    assert (everything[0:4, 0:4] == expected[0:4, 0:4]).all() and everything[5, 7] == 0


@pytest.mark.parametrize("draw", [draw_scribbles, draw_points, draw_boxes])
def test_void_stays_void_and_bad_labels_are_refused(draw):
    void = np.full((10, 12), utils.VOID, np.uint8)
    assert set(np.unique(draw(void))) <= {utils.VOID, 0}
    for wrong in np.zeros((10, 12)), np.zeros((10, 12, 3), np.uint8), np.zeros((0, 3), np.uint8):
        with pytest.raises(ValueError, match="expected \\(height, width\\) uint8"):
            draw(wrong)


def test_files_are_read_as_they_were_written(tmp_path, label):
    weak = draw_scribbles(label)
    module.write_scribbles(tmp_path / "new" / "a.png", weak, utils.VOC)
    assert (read_scribbles(tmp_path / "new" / "a.png", utils.VOC, label.shape) == weak).all()
    with pytest.raises(ValueError, match="a.png: .*draw on the picture itself"):
        read_scribbles(tmp_path / "new" / "a.png", utils.VOC, (3, 5))
    write_palette_png(tmp_path / "void.png", np.full((4, 5), utils.VOID), VOC_PALETTE)
    with pytest.raises(ValueError, match="void.png: void only"):
        read_scribbles(tmp_path / "void.png", utils.VOC)
    Image.new("RGB", (5, 4), (255, 0, 255)).save(tmp_path / "pink.png")  # scribbles without a class
    with pytest.raises(ValueError, match="pink.png.*255, 0, 255"):
        read_scribbles(tmp_path / "pink.png", utils.VOC)


def test_strokes_over_a_photograph():
    rng = np.random.RandomState(0)
    image = rng.randint(0, 256, (20, 30, 3)).astype(np.uint8)
    image[0, 0] = utils.VOC_COLORMAP[8]  # the photograph itself has a cat's colour somewhere
    drawn = image.copy()
    drawn[5, 3:20], drawn[12, 3:20] = utils.VOC_COLORMAP[8], utils.VOC_COLORMAP[0]
    drawn[6, 3:20] = (drawn[6, 3:20] // 2 + np.array(utils.VOC_COLORMAP[8]) // 2).astype(np.uint8)  # a soft edge
    found = strokes(drawn, image, utils.VOC)
    assert (found[5, 3:20] == 8).all() and (found[12, 3:20] == 0).all() and (found != utils.VOID).sum() == 34
    with pytest.raises(ValueError, match="no stroke found, 0.0%"):
        strokes(image, image, utils.VOC)
    dark, noise = np.full((20, 30, 3), 1, np.uint8), rng.randint(-1, 2, (20, 30, 3))
    with pytest.raises(ValueError, match="no stroke found"):  # black is a class, but nobody drew
        strokes((dark + noise).astype(np.uint8), dark, utils.VOC)
    with pytest.raises(ValueError, match="expected one size"):
        strokes(drawn[1:], image, utils.VOC)


def weak_of(folder):
    whole = utils.VOCSegDataset(True, (32, 32), folder)
    return whole, module.weak_labels(whole, lambda label, seed: draw_points(label, seed, radius=2, least=1))


def test_relabelled_gives_the_same_pictures_with_other_labels(voc_folder):
    whole, weak = weak_of(voc_folder)
    other = utils.Relabelled(whole, weak)
    for key in (0, 0), (3, 2):
        (x, y), (x2, y2) = whole[key], other[key]
        marked = y2.asnumpy() != utils.VOID
        assert (x == x2).min() == 1 and (y.asnumpy()[marked] == y2.asnumpy()[marked]).all()
        assert marked.mean() < 0.5
    cached = utils.Relabelled(utils.VOCSegDataset(True, (32, 32), voc_folder, cache=True), weak)
    assert (cached[3, 2][1] == other[3, 2][1]).min() == 1
    assert len(other.take(2)) == 2 and (other.take(2)[0, 1][1] == other[0, 1][1]).min() == 1
    with pytest.raises(ValueError, match="no label for 1 of 6 pictures"):
        utils.Relabelled(whole, {name: weak[name] for name in whole.names[1:]})
    with pytest.raises(ValueError, match="label given for .*expected a NumPy array"):
        _ = utils.Relabelled(whole, weak | {whole.names[0]: np.zeros((3, 3), np.uint8)})[0, 0]


def test_the_loss_is_that_of_marked_pixels_and_no_other_has_a_gradient():
    scores = nd.random.normal(shape=(1, 3, 4, 5))
    scores.attach_grad()
    weak = nd.full((1, 4, 5), utils.VOID)
    weak[0, 1, 2], weak[0, 3, 0] = 2, 0
    with autograd.record():
        loss = utils.SoftmaxCrossEntropyLoss()(scores, weak)
    loss.backward()
    p = scores.asnumpy()[0]
    p = np.exp(p) / np.exp(p).sum(axis=0)
    assert loss.asscalar() == pytest.approx(-(np.log(p[2, 1, 2]) + np.log(p[0, 3, 0])) / 2, rel=1e-5)
    touched = np.abs(scores.grad.asnumpy()[0]).max(axis=0) > 0
    assert touched.sum() == 2 and touched[1, 2] and touched[3, 0]


def test_training_runs_on_weak_labels(voc_folder):
    whole, weak = weak_of(voc_folder)
    net = gluon.nn.Conv2D(21, 3, padding=1, in_channels=3)
    net.initialize()
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    data = utils.data_loader(utils.Relabelled(whole, weak), 3)
    history = utils.train(data, None, net, utils.SoftmaxCrossEntropyLoss(), trainer, utils.try_gpu(), 2)
    assert history[-1]["loss"] < history[0]["loss"]


def drawn_folder(folder):
    for name in utils.read_names(folder):
        label = utils.read_label(folder / "SegmentationClass" / f"{name}.png")
        module.write_scribbles(folder / "ScribbleClass" / f"{name}.png", draw_points(label, 0, 2, 1), utils.VOC)
    return folder


def test_the_data_check_says_share_missed_and_void(voc_folder, capsys):
    folder, names = drawn_folder(voc_folder), utils.read_names(voc_folder)
    label = utils.read_label(folder / "SegmentationClass" / f"{names[0]}.png")
    values = np.unique(label[label != utils.VOID])
    weak = np.full(label.shape, utils.VOID, np.uint8)
    weak[label == values[0]] = values[0]
    weak[tuple(np.argwhere(label == values[-1])[0])] = values[0]  # one pixel of another class
    module.write_scribbles(folder / "ScribbleClass" / f"{names[0]}.png", weak, utils.VOC)
    found = check.check(folder, "train", names, utils.VOC)
    mark = found.marks[0]
    assert mark["wrong"] == 1 and mark["missed"] == values[1:].tolist()
    assert mark["share"] == pytest.approx((weak != utils.VOID).mean())
    kinds = {problem.kind for problem in found.problems if names[0] in problem.file}
    assert {"classes missed", "scribbles of one class", "scribbles where its label is of another class"} <= kinds
    code = main(["data", str(folder), "--crop", "32x32", "--scribbles"])
    said = capsys.readouterr().out
    assert "ScribbleClass: 6 of 6 files" in said and "classes missed (1)" in said and code in (0, 1)


@pytest.mark.parametrize("kind", ["missing", "void", "size", "colour", "cut short", "covers", "not there"])
def test_the_data_check_finds_bad_scribbles(voc_folder, kind, capsys):
    folder, names = drawn_folder(voc_folder), utils.read_names(voc_folder)
    path = folder / "ScribbleClass" / f"{names[1]}.png"
    size = utils.read_label(path).shape
    if kind == "missing":
        path.unlink()
    elif kind == "cut short":
        path.write_bytes(path.read_bytes()[:60])
    elif kind == "colour":
        Image.new("RGB", size[::-1], (250, 100, 250)).save(path)
    elif kind == "not there":
        (folder / "ScribbleClass").rename(folder / "elsewhere")
        assert main(["data", str(folder), "--scribbles"]) == 2
        assert "no such folder; expected scribbles" in capsys.readouterr().err
        return
    else:
        fill = {"void": utils.VOID, "size": 1, "covers": 1}[kind]
        write_palette_png(path, np.full((9, 9) if kind == "size" else size, fill), VOC_PALETTE)
    found = check.check(folder, "train", names, utils.VOC)
    words = {
        "missing": "no such file", "void": "void only", "size": "draw on the picture itself",
        "colour": "unknown colour", "cut short": "", "covers": "100% of the pixels are marked",
    }[kind]  # fmt: skip
    about = [str(problem) for problem in found.problems if names[1] in problem.file]
    assert any(words in text for text in about), about


def drawn_over(tmp_path, colors=((255, 0, 0), (0, 0, 255))):
    """A photograph of two halves, 300 × 400, with a stroke in each, as two files."""
    image = np.full((300, 400, 3), (60, 120, 60), np.uint8)
    image[:, 180:] = (170, 150, 90)
    image = (image + np.random.RandomState(0).randint(-8, 9, image.shape)).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "photo.png")
    for color, column in zip(colors, (60, 300), strict=False):
        image[40:260, column : column + 2] = color
    Image.fromarray(image).save(tmp_path / "drawn.png")
    return tmp_path / "photo.png", tmp_path / "drawn.png"


def test_two_strokes_over_a_photograph_divide_it(tmp_path):
    photo, drawn = map(utils.read_image, drawn_over(tmp_path))
    image, marks, label = segment(photo, drawn, side=200)
    assert image.shape == (150, 200, 3) and label.shape == marks.shape == (150, 200)
    truth = np.where(np.arange(200) < 90, 0, 2)
    assert (label == truth).mean() > 0.98
    assert (marks[20:130, 30] == 0).all()  # a stroke of two pixels has no gaps once reduced


def test_strokes_of_one_colour_are_refused(tmp_path):
    photo, drawn = map(utils.read_image, drawn_over(tmp_path, colors=((255, 0, 0),)))
    with pytest.raises(ValueError, match="strokes in red only"):
        segment(photo, drawn)


@pytest.fixture
def easel(monkeypatch):
    """`scribble` without a browser: a function that calls it and gives the box of widgets and what was drawn so far."""
    boxes, drawn, draw = [], [], viz.draw_strokes
    monkeypatch.setattr(viz, "controls", boxes.append)
    monkeypatch.setattr(viz.Redrawn, "put", lambda self, figure: None)
    monkeypatch.setattr(viz, "draw_strokes", lambda *what: [drawn.append(what), draw(*what)][1])

    def show(*files):
        utils.scribble(*files)
        return boxes[0].children, drawn

    return show


def upload(button, path):
    content = path.read_bytes()
    now = datetime.datetime.now(datetime.timezone.utc)
    file = {"name": path.name, "type": "image/png", "size": len(content), "last_modified": now}
    button.value = (Bunch(file, content=memoryview(content)),)


def test_the_figure_of_a_reader_s_strokes_and_its_uploads(tmp_path, easel, monkeypatch):
    photo, drawn = drawn_over(tmp_path)
    monkeypatch.chdir(tmp_path)
    (buttons, message, _, _), shown = easel(photo, drawn)
    assert set(np.unique(shown[-1][2])) == {0, 2}
    first, second, save = buttons.children
    upload(first, photo)
    assert "two colours at least" in message.value and (shown[-1][2] == utils.VOID).all()
    upload(second, photo)  # the photograph a second time: nothing drawn on it
    assert "photo.png: no stroke found" in message.value and len(shown) == 2
    upload(second, drawn)
    assert message.value == "drawn.png read" and set(np.unique(shown[-1][2])) == {0, 2}
    save.click()
    assert message.value == "saved: photo_strokes.png, photo_areas.png"
    assert (np.array(Image.open(tmp_path / "photo_areas.png")) == shown[-1][2]).all()
    assert (read_scribbles(tmp_path / "photo_strokes.png", viz.PENS) == shown[-1][1]).all()
    (tmp_path / "photo_areas.png").unlink()
    before = (tmp_path / "photo_strokes.png").read_bytes()
    save.click()
    assert message.value == "saved: photo_strokes_2.png, photo_areas_2.png"
    assert (tmp_path / "photo_strokes.png").read_bytes() == before


def test_what_is_wrong_with_a_copy_is_said(tmp_path, easel):
    photo, drawn = drawn_over(tmp_path)
    (buttons, message, _, _), shown = easel(photo)
    _, second, _ = buttons.children
    image = np.array(Image.open(drawn))
    Image.fromarray(image).save(tmp_path / "drawn.jpg")
    upload(second, tmp_path / "drawn.jpg")
    assert "drawn.jpg: a JPEG" in message.value and len(shown) == 1
    Image.fromarray(image[:200]).save(tmp_path / "cropped.png")
    upload(second, tmp_path / "cropped.png")
    assert "cropped.png: 200 × 400, but its photograph is 300 × 400" in message.value and len(shown) == 1
    image[100:130, 100:104] = 250, 120, 10
    Image.fromarray(image).save(tmp_path / "other.png")
    upload(second, tmp_path / "other.png")
    assert (
        "other.png read; 1 left out" in message.value
        and "(250, 120, 10); the nearest is red" in message.value
        and len(shown) == 2
    )


def test_strokes_drawn_in_the_notebook_divide_the_photograph(tmp_path, easel):
    photo, drawn = drawn_over(tmp_path)
    (buttons, message, canvas, hand), shown = easel(photo)
    assert 'width="400" height="300"' in canvas.value and canvas.value.count('type="radio"') == 6
    hand.value = "[[1, [[60, 40], [60, 260]]]]"
    assert "two colours at least" in message.value and (shown[-1][2] == utils.VOID).all()
    assert (shown[-1][1][40:261, 60] == 1).all() and (shown[-1][1] != utils.VOID).mean() < 0.02
    hand.value = "[[1, [[60, 40], [60, 260]]], [2, [[300, 150]]]]"  # a click is a dot
    truth = np.where(np.arange(400) < 180, 1, 2)
    assert message.value == "" and (shown[-1][2] == truth).mean() > 0.98
    hand.value = "[]"  # all taken back
    assert "two colours at least" in message.value and (shown[-1][1] == utils.VOID).all()
    hand.value = "[[0, [[3, 3]]]]"
    upload(buttons.children[0], photo)
    assert hand.value == "" and (shown[-1][1] == utils.VOID).all(), "a new photograph begins without strokes"
    before = canvas.value
    upload(buttons.children[1], drawn)
    assert canvas.value != before and set(np.unique(shown[-1][2])) == {0, 2}, "a file's strokes are on the easel too"
    hand.value = "clear"
    assert (shown[-1][1] == utils.VOID).all(), "and go with all others"


def test_what_chapter_15_says_of_its_table():
    """Cuts, few masks, boxes and points, seed by seed; what cuts do to classes of CamVid; and prices."""
    rows = common.read(ROOT / "results" / "scribbles" / "table.csv")

    def of(data, kind, key="mean_iou"):
        return np.array([float(row[key]) for row in rows if (row["data"], row["labels"]) == (data, kind)])

    def classes_of(kind):
        mine = [row["iou"] for row in rows if (row["data"], row["labels"]) == ("camvid", kind)]
        tables = [dict(part.rsplit(" ", 1) for part in text.split("; ")) for text in mine]
        return {name: np.array([float(table[name]) for table in tables]) for name in tables[0]}

    kinds = list(dict.fromkeys(row["labels"] for row in rows))
    for data in "voc_mini", "camvid":
        alone, cuts, few = (of(data, kind) for kind in ("scribbles", "scribbles_cuts", "masks_few"))
        assert (cuts > alone).all() and (few > alone).all() and abs(cuts.mean() - few.mean()) < 0.03
        assert all(of(data, "masks").mean() > of(data, kind).mean() for kind in kinds if kind != "masks")
        assert (of(data, "points") < np.minimum(of(data, "boxes"), alone)).all()
        clicked, drawn = of(data, "boxes", "price_s").mean(), of(data, "boxes", "price_drawn_s").mean()
        assert clicked < of(data, "scribbles", "price_s").mean() < drawn
    assert abs(of("voc_mini", "boxes").mean() - of("voc_mini", "scribbles").mean()) < 0.03
    assert of("camvid", "scribbles").min() - of("camvid", "boxes").max() > 0.03
    alone, cuts, masks = (classes_of(kind) for kind in ("scribbles", "scribbles_cuts", "masks"))
    assert all((cuts[name] > alone[name] + 0.02).all() for name in ("sky", "building", "road", "car"))
    assert all((other[name] < alone[name]).all() for name in ("sign", "pole") for other in (cuts, masks))
