import utils
from utils.data.voc import image_path, label_path, read_pair

import io

import gluoncv
import mxnet as mx
import numpy as np
import pytest
import tiny
from conftest import write_palette_png
from mxnet import gluon, nd
from PIL import Image


def test_same_pixels_and_labels_as_gluoncv_and_pillow(tmp_path):
    """gluoncv reads `VOC2012/` with OpenCV and takes a palette PNG's bare indices, void as −1."""
    root = utils.data_root("voc_mini")
    (tmp_path / "VOC2012").symlink_to(root)
    theirs = gluoncv.data.VOCSegmentation(str(tmp_path), split="val", mode="testval")
    names = utils.read_names(root, train=False)
    assert len(theirs) == len(names) == 56
    for i, name in enumerate(names):
        image, label = read_pair(root, name)
        their_image, their_label = theirs[i]
        their_label = np.where(np.isin(their_label.asnumpy(), (-1, 255)), 255, their_label.asnumpy())
        np.testing.assert_array_equal(image, their_image.asnumpy())
        np.testing.assert_array_equal(label, their_label)
        np.testing.assert_array_equal(image, np.asarray(Image.open(image_path(root, name))))
        np.testing.assert_array_equal(label, np.asarray(Image.open(label_path(root, name))))


def test_read_images_is_the_whole_split_in_order(voc_folder):
    images, labels = utils.read_images(voc_folder, train=False)
    assert len(images) == len(labels) == 3
    assert images[0].shape == labels[0].shape == (40, 60, 3) and labels[0].dtype == images[0].dtype == np.uint8
    for name, image, label in zip("xyz", images, labels, strict=True):
        np.testing.assert_array_equal(image.asnumpy(), mx.image.imread(str(image_path(voc_folder, name))).asnumpy())
        np.testing.assert_array_equal(utils.image2label(label).asnumpy(), read_pair(voc_folder, name)[1])


def test_colours_decide_not_the_palettes_index(tmp_path):
    """A palette in another order, as other tools write it, gives the same classes; so does an RGB file."""
    path = tmp_path / "label.png"
    write_palette_png(path, np.array([[0, 1, 2]]), [(128, 0, 0), (0, 0, 0), utils.VOID_COLOR])
    assert utils.read_label(path).tolist() == [[1, 0, 255]]
    Image.open(path).convert("RGB").save(path)
    assert utils.read_label(path).tolist() == [[1, 0, 255]]


def test_own_classes(voc_folder):
    (voc_folder / "labelmap.txt").write_text("ground:0,0,0::\nplane:128,0,0::\n")
    dataset = utils.VOCSegDataset(False, None, voc_folder)
    assert dataset.classes.names == ["ground", "plane"]
    with pytest.raises(ValueError, match=r"SegmentationClass.*\.png: unknown colour"):
        [dataset[i] for i in range(3)]


def test_photo_is_turned_as_its_exif_says(tmp_path):
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° clockwise to see it upright
    Image.fromarray(pixels).save(tmp_path / "photo.jpg", exif=exif, quality=100)
    image = utils.read_image(tmp_path / "photo.jpg")
    assert image.shape == (16, 8, 3) and image[:6].min() > 250 and image[10:].max() < 5


def test_names_of_data_sets(voc_folder):
    assert len(utils.read_names("voc_mini")) == 160 and utils.data_classes("voc_mini") == utils.VOC
    with pytest.raises(FileNotFoundError, match="no such folder.*a name: voc_mini, voc2012, camvid"):
        utils.data_classes(voc_folder / "nowhere")


def test_a_turned_photo_is_too_small_as_it_will_be_read(voc_folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 60)).save(image_path(voc_folder, "a"), exif=exif)  # read as 40 × 60 (height × width)
    assert "a" in utils.VOCSegDataset(True, (40, 60), voc_folder, small="skip").names
    Image.new("RGB", (60, 40)).save(image_path(voc_folder, "a"), exif=exif)  # read as 60 × 40
    assert "a" not in utils.VOCSegDataset(True, (40, 60), voc_folder, small="skip").names


def test_pair_of_two_sizes_is_refused(voc_folder):
    Image.new("RGB", (60, 41)).save(image_path(voc_folder, "a"))
    with pytest.raises(ValueError, match=r"a\.png: 40 × 60, but its picture is 41 × 60"):
        read_pair(voc_folder, "a")
    with pytest.raises(ValueError, match=r"a\.png: 40 × 60, but its picture is 41 × 60"):
        utils.read_images(voc_folder)


def test_data_root_says_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder; expected JPEGImages"):
        utils.data_root(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no ImageSets/Segmentation in it"):
        utils.data_root(tmp_path)


@pytest.fixture
def held_out(voc_folder):
    """`voc_folder` with a third list, of one training and two test pictures."""
    (voc_folder / "ImageSets/Segmentation/held_out.txt").write_text("z\nb\nx\n")
    return voc_folder


def _bits(dataset):
    return [tuple(array.asnumpy().tobytes() for array in dataset[1, i]) for i in range(len(dataset))]


def test_a_third_list_is_read_everywhere(held_out):
    """Names, pictures in memory, a data set, the baseline, a net's scores and a training's curve."""
    assert utils.read_names(held_out, split="held_out") == utils.read_names(held_out, False, "held_out") == list("zbx")
    assert utils.read_names(held_out, split="val") == utils.read_names(held_out, train=False) == list("xyz")
    images, _ = utils.read_images(held_out, split="held_out")
    np.testing.assert_array_equal(images[1].asnumpy(), read_pair(held_out, "b")[0])
    dataset = utils.VOCSegDataset(split="held_out", crop_size=None, root=held_out)
    assert dataset.names == list("zbx") and not dataset.train
    assert repr(dataset).startswith("VOCSegDataset: 3 held_out pairs of") and "whole pictures" in repr(dataset)
    np.testing.assert_array_equal(dataset[1][1].asnumpy(), read_pair(held_out, "b")[1])
    labels = np.concatenate([read_pair(held_out, name)[1].ravel() for name in "zbx"])
    index, scores = utils.baseline(utils.VOCSegDataset(True, (32, 32), held_out), dataset)
    assert scores["pixel_acc"] == pytest.approx((labels == index).sum() / (labels != 255).sum())
    given = tiny.setup(held_out)
    history = tiny.train(given, 1, test=dataset)
    assert history[-1]["mean_iou"] == utils.evaluate(given["net"], dataset)["mean_iou"]


def test_the_list_train_is_trained_on_unless_one_says_otherwise(held_out):
    given = {"crop_size": (32, 32), "root": held_out}
    assert _bits(utils.VOCSegDataset(split="train", **given)) == _bits(utils.VOCSegDataset(**given))
    assert _bits(utils.VOCSegDataset(**given)) == _bits(utils.VOCSegDataset(True, **given))
    assert _bits(utils.VOCSegDataset(split="val", **given)) == _bits(utils.VOCSegDataset(False, **given))
    centre, random = (utils.VOCSegDataset(train, split="held_out", **given) for train in (None, True))
    np.testing.assert_array_equal(centre[1][1].asnumpy(), read_pair(held_out, "b")[1][4:36, 14:46])
    assert random.train and _bits(random) != _bits(centre) and repr(random) != repr(centre)
    assert len(utils.data_loader(random, 2)) == 1 and len(utils.data_loader(centre, 2)) == 2  # 3 pictures


def test_a_list_that_is_not_there_is_told_those_that_are(held_out):
    with pytest.raises(
        FileNotFoundError, match=r"/test\.txt: no such file; .*Lists that are there: held_out, train, val$"
    ):
        utils.VOCSegDataset(split="test", root=held_out)
    for wrong in "", "../val", 3:
        with pytest.raises(ValueError, match="expected the name of a list"):
            utils.read_names(held_out, split=wrong)
    for call in utils.VOCSegDataset, lambda train, _, root: utils.read_names(root, train):
        with pytest.raises(ValueError, match="train='val': expected True or False; a list is named by split='val'"):
            call("val", None, held_out)


@pytest.mark.parametrize("cache", [False, True])
def test_pictures_by_name_are_those_that_a_list_would_give(voc_folder, cache):
    given = {"crop_size": (32, 50), "root": voc_folder, "cache": cache}
    named = utils.VOCSegDataset(train=True, names=["e", "b"], **given)
    assigned = utils.VOCSegDataset(train=True, **given)
    assigned.names = ["e", "b"]
    assert _bits(named) == _bits(assigned) and named.names == ["e", "b"]
    assert repr(named).startswith("VOCSegDataset: 2 named pairs of") and "to train with" in repr(named)
    tests = utils.VOCSegDataset(names=["e", "b"], root=voc_folder)
    assert not tests.train and tests[0][0].shape == (3, 40, 60)
    for wrong in "eb", [], ["e", "e"], ["e.jpg"], [3]:
        with pytest.raises(ValueError, match="names=.*each once and without .jpg"):
            utils.VOCSegDataset(names=wrong, root=voc_folder)
    with pytest.raises(ValueError, match="give one"):
        utils.VOCSegDataset(names=["e"], split="val", root=voc_folder)


@pytest.mark.parametrize("cache", [False, True])
def test_gluons_parts_are_data_sets_again(voc_folder, cache):
    dataset = utils.VOCSegDataset(True, (32, 50), voc_folder, cache=cache)
    taken, (first, second), every = dataset.take(2), (dataset.shard(2, i) for i in (0, 1)), dataset.sample(Every(2))
    assert (taken.names, first.names, second.names, every.names) == (list("ab"), list("abc"), list("def"), list("ace"))
    assert taken[1, 1][0].asnumpy().tobytes() == dataset[1, 1][0].asnumpy().tobytes()
    assert [x.shape for x, _ in utils.data_loader(second, 3)] == [(3, 3, 32, 50)] and len(dataset) == 6


class Every(gluon.data.Sampler):
    """Every n-th of six."""

    def __init__(self, step):
        self.step = step

    def __iter__(self):
        return iter(range(0, 6, self.step))

    def __len__(self):
        return 3


def _coordinates(height, width):
    """An image whose pixels are their own row and column, and the label that belongs to it."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, rows], axis=2).astype(np.uint8), (rows * 200 + columns).astype(np.float32)


@pytest.mark.parametrize("wrap", [np.asarray, nd.array])
def test_rand_crop_takes_the_same_rectangle_of_both(wrap):
    image, label = _coordinates(40, 50)
    corners = set()
    for _ in range(200):
        cut, cut_label = utils.rand_crop(wrap(image), wrap(label), 30, 45)
        cut, cut_label = (a.asnumpy() if isinstance(a, nd.NDArray) else a for a in (cut, cut_label))
        assert cut.shape == (30, 45, 3) and cut_label.shape == (30, 45)
        np.testing.assert_array_equal(cut[..., 0] * 200.0 + cut[..., 1], cut_label)
        corners.add((int(cut[0, 0, 0]), int(cut[0, 0, 1])))
    assert {r for r, _ in corners} == set(range(11)) and {c for _, c in corners} == set(range(6))


def test_rand_crop_refuses_what_does_not_fit():
    image, label = _coordinates(20, 20)
    with pytest.raises(ValueError, match="20 × 20 is smaller than the crop of 21 × 20"):
        utils.rand_crop(image, label, 21, 20)
    with pytest.raises(ValueError, match="expected one size"):
        utils.rand_crop(image, label[1:], 5, 5)


def test_whole_test_pictures_are_normalised(voc_folder):
    image, label = utils.VOCSegDataset(False, None, voc_folder)[0]
    raw, raw_label = read_pair(voc_folder, "x")
    assert image.shape == (3, 40, 60) and image.dtype == np.float32 and label.dtype == np.float32
    ours = mx.nd.image.normalize(
        mx.nd.image.to_tensor(nd.array(raw, dtype=np.uint8)), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
    )
    np.testing.assert_allclose(image.asnumpy(), ours.asnumpy(), atol=1e-5)
    np.testing.assert_array_equal(label.asnumpy(), raw_label)


def test_small_pictures_padded_or_left_out(voc_folder):
    Image.fromarray(np.full((20, 60, 3), 200, np.uint8)).save(image_path(voc_folder, "a"))
    write_palette_png(label_path(voc_folder, "a"), np.zeros((20, 60)), utils.VOC_COLORMAP)
    padded = utils.VOCSegDataset(True, (32, 32), voc_folder)
    assert len(padded) == 6 and "1 smaller than the crop padded" in repr(padded)
    image, label = padded[0]
    assert (label[:20].asnumpy() == 0).all() and (label[20:].asnumpy() == 255).all()
    assert (image[:, 20:].asnumpy() == 0).all() and (image[:, :20].asnumpy() != 0).all()
    skipping = utils.VOCSegDataset(True, (32, 32), voc_folder, small="skip")
    assert skipping.names == list("bcdef") and "1 smaller than the crop left out" in repr(skipping)
    with pytest.raises(ValueError, match="every picture is smaller"):
        utils.VOCSegDataset(True, (64, 64), voc_folder, small="skip")


def test_scale_keeps_class_names(voc_folder):
    dataset = utils.VOCSegDataset(False, None, voc_folder, scale=0.5)
    image, label = dataset[0]
    assert image.shape == (3, 20, 30)
    assert set(np.unique(label.asnumpy())) <= set(np.unique(read_pair(voc_folder, "x")[1]))


def test_centre_crop_of_test_pictures(voc_folder):
    label = utils.VOCSegDataset(False, (20, 32), voc_folder)[1][1].asnumpy()
    np.testing.assert_array_equal(label, read_pair(voc_folder, "y")[1][10:30, 14:46])


def test_flips_and_crops_of_image_and_label_agree(tmp_path, voc_folder):
    """The label of each picture is a threshold of its own pixels, so it stays one after crop and flip."""
    label = read_pair(voc_folder, "a")[1] % 2
    for name in "abcdef":
        buffer = io.BytesIO()
        Image.fromarray(np.stack([label * 255] * 3, axis=2).astype(np.uint8)).save(buffer, "JPEG", quality=100)
        image_path(voc_folder, name).write_bytes(buffer.getvalue())
        write_palette_png(label_path(voc_folder, name), label, utils.VOC_COLORMAP)
    dataset = utils.VOCSegDataset(True, (32, 32), voc_folder)
    seen = set()
    for epoch in range(20):
        image, cut = dataset[epoch, 0]
        np.testing.assert_array_equal(image[0].asnumpy() > 0, cut.asnumpy() == 1)
        seen.add(cut.asnumpy().tobytes())
    assert len(seen) > 10


def _epochs(dataset, workers, epochs=2):
    loader = utils.data_loader(dataset, 2, workers)
    return [[(x.asnumpy(), y.asnumpy()) for x, y in loader] for _ in range(epochs)]


def test_batches_do_not_depend_on_workers_and_change_with_the_epoch(voc_folder):
    dataset = utils.VOCSegDataset(True, (32, 32), voc_folder, seed=3)
    alone, again, forked = _epochs(dataset, 0), _epochs(dataset, 0), _epochs(dataset, 2)
    for other in again, forked:
        for epoch, its_epoch in zip(alone, other, strict=True):
            assert len(epoch) == len(its_epoch) == 3
            for (x, y), (its_x, its_y) in zip(epoch, its_epoch, strict=True):
                np.testing.assert_array_equal(x, its_x)
                np.testing.assert_array_equal(y, its_y)
    assert x.shape == (2, 3, 32, 32) and y.shape == (2, 32, 32) and x.dtype == y.dtype == np.float32
    assert not np.array_equal(np.concatenate([y for _, y in alone[0]]), np.concatenate([y for _, y in alone[1]]))


def test_loader_refuses_what_makes_no_batch(voc_folder):
    with pytest.raises(ValueError, match="batch_size 7, but VOCSegDataset: 6 train pairs"):
        utils.data_loader(utils.VOCSegDataset(True, (32, 32), voc_folder), 7)
    with pytest.raises(ValueError, match="whole pictures differ in size"):
        utils.data_loader(utils.VOCSegDataset(False, None, voc_folder), 2)


def test_dataset_works_in_gluons_own_loader(voc_folder):
    loader = gluon.data.DataLoader(utils.VOCSegDataset(True, (32, 32), voc_folder), 3, shuffle=True)
    assert [x.shape for x, _ in loader] == [(3, 3, 32, 32)] * 2
    assert len(list(utils.VOCSegDataset(True, (32, 32), voc_folder))) == 6


def test_wrong_arguments_are_named(voc_folder):
    with pytest.raises(ValueError, match="small='crop'"):
        utils.VOCSegDataset(True, (32, 32), voc_folder, small="crop")
    with pytest.raises(ValueError, match="scale=2"):
        utils.VOCSegDataset(True, (32, 32), voc_folder, scale=2)
    with pytest.raises(ValueError, match="crop_size=None gives whole pictures"):
        utils.VOCSegDataset(True, None, voc_folder)


def test_real_photographs(camvid):
    """CamVid: classes from its labelmap.txt, nothing unknown in any label."""
    dataset = utils.VOCSegDataset(False, None, camvid, scale=0.5)
    assert len(dataset) == 101 and dataset.classes.names[0] == "sky" and len(dataset.classes) == 11
    for i in range(0, 101, 10):
        image, label = dataset[i]
        assert image.shape == (3, 180, 240)
        assert set(np.unique(label.asnumpy())) <= {*range(11), 255}
