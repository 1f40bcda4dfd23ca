"""The figures of `Viewer` and `compare`, uploads, and what both leave in a notebook without a browser."""

import utils
from utils.viz.plotting import BLUE, ORANGE
from utils.viz.widgets import draw_labels, draw_what_and_where, read_upload

import base64
import io

import matplotlib.pyplot as plt
import nbformat
import notebooks
import numpy as np
import pytest
import tiny
from conftest import ROOT
from matplotlib.colors import to_rgb
from mxnet import init, nd
from PIL import Image


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture
def net():
    net = tiny.net_of(dropout=0)
    net.initialize(init.Xavier(magnitude=30))
    return net


@pytest.fixture
def dataset(voc_folder):
    return utils.VOCSegDataset(False, None, voc_folder)


@pytest.fixture
def viewer(net, dataset):
    return utils.Viewer(net, dataset)


def _legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def _truth(dataset, i):
    return utils.read_label(utils.label_path(dataset.root, dataset.names[i]), dataset.classes)


def _right_share(net, dataset, i):
    label = utils.predict(net, utils.read_image(utils.image_path(dataset.root, dataset.names[i]))).asnumpy()
    known = _truth(dataset, i) != utils.VOID
    return (label == _truth(dataset, i))[known].mean()


def test_worst_first_is_the_order_of_an_independent_count(net, dataset, viewer):
    shares = [_right_share(net, dataset, i) for i in range(3)]
    assert len(set(shares)) == 3
    assert viewer.indices("fewest right pixels first") == np.argsort(shares).tolist()
    assert viewer.indices("as listed") == [0, 1, 2]
    alone = []
    for i in range(3):
        counts = utils.confusion_matrix(_truth(dataset, i), viewer.labels[i], 21)
        union = counts.sum(0) + counts.sum(1) - np.diag(counts)
        alone.append(np.mean(np.diag(counts)[union > 0] / union[union > 0]))
    assert viewer.indices("lowest mean IoU first") == np.argsort(alone).tolist()


def test_a_picture_without_a_labelled_pixel_comes_last_and_is_drawn(net, dataset):
    path = utils.label_path(dataset.root, dataset.names[0])
    Image.new("RGB", (60, 40), utils.VOID_COLOR).save(path)
    viewer = utils.Viewer(net, dataset)
    assert viewer.indices("fewest right pixels first")[-1] == viewer.indices("lowest mean IoU first")[-1] == 0
    assert viewer.draw(0).subfigs[0].axes[3].get_title() == "no labelled pixels"


def test_all_pictures_together_score_as_evaluate_says(net, dataset, viewer):
    viewer.predict_all()
    assert viewer.total.scores() == pytest.approx(utils.evaluate(net, dataset))
    assert [label.dtype for label in viewer.labels] == [np.uint8] * 3


def test_pictures_are_predicted_once(net, dataset, viewer, monkeypatch):
    first, told = viewer.draw(0), []
    monkeypatch.setattr("utils.viz.widgets.predict", None)
    viewer.predict_all(told.append)
    assert not told and viewer.draw(1) is not first


def test_how_far_it_is_is_reported(viewer):
    told = []
    viewer.predict_all(told.append)
    assert told[-1] == "predicting: 3 of 3 pictures" and len(told) == 3


def test_the_figure_has_picture_prediction_truth_and_errors(net, dataset, viewer):
    figure = viewer.draw(1, opacity=1)
    above, below = figure.subfigs
    assert [ax.get_title() for ax in above.axes[:3]] == [dataset.names[1], "prediction", "truth"]
    share = f"{1 - _right_share(net, dataset, 1):.0%}"
    assert above.axes[3].get_title() == f"wrong: {share} of the labelled pixels"
    image, prediction, truth, wrong = (ax.images[0].get_array() for ax in above.axes)
    label, known = viewer.labels[1], _truth(dataset, 1) != utils.VOID
    np.testing.assert_array_equal(image, utils.read_image(utils.image_path(dataset.root, dataset.names[1])))
    for shown, drawn in (label, prediction), (_truth(dataset, 1), truth):
        painted = (shown > 0) & (shown != utils.VOID)
        assert painted.any()
        np.testing.assert_array_equal(drawn[painted], utils.label2image(shown).asnumpy()[painted])
    np.testing.assert_array_equal(truth[~known], image[~known])
    orange = (wrong == (213, 94, 0)).all(axis=2)
    np.testing.assert_array_equal(orange, known & (label != _truth(dataset, 1)))
    present = sorted({*np.unique(label), *np.unique(_truth(dataset, 1))} - {0, utils.VOID})
    assert _legend(above) == [utils.VOC_CLASSES[i] for i in present]
    (ax,) = below.axes
    iou = viewer.total.iou
    assert [bar.get_height() for bar in ax.patches] == iou[~np.isnan(iou)].tolist()
    names = [tick.get_text() for tick in ax.get_xticklabels()]
    assert names == [name for name, value in zip(utils.VOC_CLASSES, iou, strict=True) if not np.isnan(value)]
    assert f"{viewer.total.scores()['mean_iou']:.2f}" in ax.get_title() and "all 3 pictures" in ax.get_title()


def test_opacity_mixes_label_and_picture(viewer):
    clear, half = (viewer.draw(0, opacity).subfigs[0].axes for opacity in (0, 0.5))
    for axes in clear[1], clear[2]:
        np.testing.assert_array_equal(axes.images[0].get_array(), clear[0].images[0].get_array())
    assert (half[1].images[0].get_array() != clear[1].images[0].get_array()).any()


def test_a_picture_of_nothing_but_background_needs_no_legend(dataset, viewer):
    viewer.predict_all()
    viewer.labels[0][:] = 0
    path = utils.label_path(dataset.root, dataset.names[0])
    Image.new("RGB", (60, 40)).save(path)
    assert not viewer.draw(0).subfigs[0].legends


def test_an_unknown_order_is_said(net, dataset):
    with pytest.raises(ValueError, match="order='best': expected one of 'as listed', 'fewest right pixels first', "):
        utils.Viewer(net, dataset, order="best")


def test_a_net_of_other_classes_is_said(dataset):
    net = tiny.net_of(classes=40, dropout=0)
    net.initialize(init.Xavier(magnitude=30))
    with pytest.raises(ValueError, match=r"prediction \d+: expected 0 to 20"):
        utils.Viewer(net, dataset).draw(0)


def test_nets_side_by_side(net, dataset):
    image = utils.read_image(utils.image_path(dataset.root, dataset.names[2]))
    figure = draw_labels({"a": net, "b": net}, "x.jpg", image, dataset.classes, _truth(dataset, 2))
    share = f"{_right_share(net, dataset, 2):.0%} right"
    assert [ax.get_title() for ax in figure.axes] == ["x.jpg", f"a: {share}", f"b: {share}", "truth"]
    label = utils.predict(net, image)
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), utils.label2image(label).asnumpy())
    present = np.union1d(label.asnumpy(), _truth(dataset, 2))
    assert _legend(figure) == ["void" if i == utils.VOID else utils.VOC_CLASSES[i] for i in sorted(present)]


def test_an_upload_has_no_truth(net):
    figure = draw_labels({"a": net}, "a" * 99, np.zeros((20, 30, 3), np.uint8), utils.VOC)
    assert [ax.get_title() for ax in figure.axes] == ["a" * 23 + "…", "a"]


def _file(image, kind, **how):
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **how)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_an_upload_that_lies_on_its_side_comes_out_upright(kind):
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:, 24:, 0] = 255  # red on the right
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90°
    found = read_upload("photo", _file(np.rot90(upright), kind, exif=exif))
    assert found.shape == upright.shape and np.abs(found.astype(int) - upright).mean() < 8


def test_a_large_upload_is_reduced_and_a_small_one_is_not():
    image = np.zeros((300, 600, 3), np.uint8)
    assert read_upload("x.png", _file(image, "PNG"), side=200).shape == (100, 200, 3)
    assert read_upload("x.png", _file(image, "PNG"), side=1024).shape == (300, 600, 3)
    assert read_upload("x.png", _file(image, "PNG"), side=1024, scale=0.5).shape == (150, 300, 3)


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", r"^a b\.jpg: empty \(0 bytes\); expected a JPEG or PNG"),
        (b"<html>no picture</html>", r"^a b\.jpg: a text file"),
        (b"GIF89a" + bytes(99), r"^a b\.jpg: a GIF file, whatever its ending says; expected a JPEG or PNG"),
        (_file(np.zeros((64, 64, 3), np.uint8), "JPEG")[:300], r"^a b\.jpg: cannot be read as a picture \("),
    ],
)
def test_a_broken_upload_is_one_sentence_with_its_name(data, message):
    with pytest.raises(ValueError, match=message) as error:
        read_upload("a b.jpg", data)
    assert "tmp" not in str(error.value) and "\n" not in str(error.value)


class Sees:
    """Stands for a classifier of 10 classes: each cell of 32 × 32 pixels has the class that its red says."""

    def __init__(self):
        self.features = self

    def place(self, stride):
        return 31

    def scores(self, x):
        red = utils.denormalize(x)[0, ::32, ::32, 0]
        return nd.array(5 * np.eye(10)[red].transpose(2, 0, 1)[None])

    def __call__(self, x):
        return self.scores(x).mean(axis=(2, 3))


def test_what_and_where_names_the_whole_and_each_place():
    """Two cells of class 3, one of 7, one of each of five more; the rarest by number have no colour."""
    cells = np.array([[3, 3, 7, 7], [3, 9, 0, 1], [2, 4, 5, 6]], np.uint8)
    image = np.repeat(np.kron(cells, np.ones((32, 32), np.uint8))[..., None], 3, axis=2)
    figure = draw_what_and_where(Sees(), list("abcdefghij"), image)
    photograph, whole, places = figure.axes
    np.testing.assert_array_equal(photograph.images[0].get_array(), image)
    assert [tick.get_text() for tick in whole.get_yticklabels()][:2] == ["d", "h"]
    scores = 5 * np.bincount(cells.ravel(), minlength=10) / cells.size
    expected = np.sort(np.exp(scores) / np.exp(scores).sum())[::-1][:5]
    np.testing.assert_allclose([bar.get_width() for bar in whole.patches], expected, rtol=1e-5)
    assert places.get_title() == "each of 3 × 4 places" and _legend(figure) == ["d", "h", "a", "b", "c", "e"]
    squares = places.images[1]
    assert squares.get_extent() == [15, 15 + 4 * 32, 15 + 3 * 32, 15]  # the first around pixel 31
    colors = squares.get_array()
    np.testing.assert_array_equal(colors[..., 3] > 0, np.isin(cells, [3, 7, 0, 1, 2, 4]))
    for color, index in (BLUE, 3), (ORANGE, 7):
        np.testing.assert_allclose(colors[cells == index][:, :3], [to_rgb(color)] * (cells == index).sum())
    assert places.get_xlim() == photograph.get_xlim() and places.get_ylim() == photograph.get_ylim()


def test_what_and_where_of_no_picture_is_the_readers_error(tmp_path):
    (tmp_path / "cat.jpg").write_bytes(b"GIF89a" + bytes(99))
    with pytest.raises(ValueError, match=r"cat\.jpg: a GIF file, whatever its ending says; expected a JPEG or PNG"):
        utils.what_and_where(Sees(), list("abcdefghij"), tmp_path / "cat.jpg")


@pytest.mark.filterwarnings("default")
def test_a_notebook_without_a_front_end_keeps_one_still_figure_each(voc_folder, tmp_path):
    photo = str(ROOT / "data" / "photo" / "chelsea.jpg")
    start = [
        "import utils",
        f"dataset = utils.VOCSegDataset(False, None, {str(voc_folder)!r})",
        "net = utils.fcn(21)",
        "net.hybridize()",
    ]
    cells = [
        "\n".join(start),
        "utils.Viewer(net, dataset).show()",
        "utils.compare({'32s': net, 'again': net}, dataset)",
        f"utils.what_and_where(utils.EfficientNetLite0(), list(range(1000)), {photo!r})",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    assert notebooks.execute(notebook, tmp_path) is None
    for cell in notebook.cells[1:]:
        (output,) = cell.outputs
        assert output.data["text/plain"].startswith("<Figure size")
        picture = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
        assert 800 < picture.width < 900
