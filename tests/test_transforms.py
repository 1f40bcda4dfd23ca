"""Transforms against pictures whose pixels are their own coordinates, and colours against Pillow's formulas."""

import utils
from utils.data.transforms import resize
from utils.data.voc import image_path, label_path, read_pair

import pickle
import re

import numpy as np
import pytest
from conftest import ROOT, write_palette_png
from PIL import Image
from scipy.stats import chisquare

MEAN = (255 * utils.RGB_MEAN).round()


def _coordinates(height, width):
    """A sample: red is the row, green the column; the label and the targets follow from them alone."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    image = np.stack([rows, columns, rows ^ columns], axis=2)
    weight = rows * np.float32(1000) + columns
    return {"image": image, "label": _label(image), "row": rows, "column": columns, "weight": weight}


def _label(image):
    return ((3 * image[..., 0].astype(int) + 5 * image[..., 1]) % 21).astype(np.uint8)


def _photo(height=40, width=60, seed=0):
    image = np.random.RandomState(seed).randint(0, 256, (height, width, 3), np.uint8)
    return {"image": image, "label": image[..., 0] % 21}


@pytest.fixture
def coordinates_folder(voc_folder):
    """`voc_folder` with pictures that are their own coordinates, of several sizes, as PNG."""
    for i, name in enumerate("abcdefxyz"):
        sample = _coordinates(40 + 3 * i, 90 - 5 * i)
        image_path(voc_folder, name).unlink()
        Image.fromarray(sample["image"]).save(voc_folder / f"JPEGImages/{name}.png")
        write_palette_png(label_path(voc_folder, name), sample["label"], utils.VOC_COLORMAP)
    return voc_folder


CHAINS = {
    "crop": [utils.RandomCrop((24, 32))],
    "crop, padded": [utils.RandomCrop((64, 50))],
    "flip": [utils.RandomFlip()],
    "crop and flip": [utils.RandomCrop((64, 50)), utils.RandomFlip()],
    "flip and crop": [utils.RandomFlip(), utils.RandomCrop((48, 72))],
    "padded twice, turned between": [utils.RandomCrop((52, 60)), utils.RandomFlip(), utils.RandomCrop((60, 70))],
    "centre": [utils.CenterCrop((24, 70)), utils.RandomFlip()],
}


@pytest.mark.parametrize("chain", CHAINS)
def test_every_pixel_keeps_its_label(chain):
    """To the pixel, in rows and columns that are those of one rectangle, forwards or backwards; the rest is void."""
    transform, turned = utils.Compose(CHAINS[chain]), set()
    for seed in range(30):
        given = _coordinates(50, 60)
        before = {key: array.copy() for key, array in given.items()}
        found = transform(given, np.random.RandomState(seed))
        assert all(np.array_equal(given[key], before[key]) for key in before)  # what came in stays as it was
        padding = found.pop("padding", np.zeros(found["label"].shape, bool))
        known, image = ~padding, found["image"]
        assert transform.size is None or found["label"].shape == transform.size
        np.testing.assert_array_equal(found["label"][known], _label(image)[known])
        np.testing.assert_array_equal(found["row"][known], image[..., 0][known])
        np.testing.assert_array_equal(found["weight"][known], (image[..., 0] * 1000.0 + image[..., 1])[known])
        assert (found["label"][padding] == 255).all() and (found["row"][padding] == 255).all()
        assert (found["weight"][padding] == 0).all() and (image[padding] == MEAN).all()
        lines, places = np.nonzero(known.any(1))[0], np.nonzero(known.any(0))[0]
        inner = image[lines[0] : lines[-1] + 1, places[0] : places[-1] + 1].astype(int)
        assert known.sum() == inner[..., 0].size  # a rectangle, and around it padding
        step = inner[0, 1, 1] - inner[0, 0, 1]
        assert (np.diff(inner[..., 0], axis=0) == 1).all() and (np.diff(inner[..., 1], axis=1) == step).all()
        turned.add(int(step))
    assert turned == ({1} if chain in ("crop", "crop, padded") else {1, -1})


def test_the_quarter_turn_of_the_page_on_changing_the_course(coordinates_folder):
    page = (ROOT / "docs/changing.md").read_text(encoding="utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "quarter_turn" in block]
    names = {"np": np, "utils": utils}
    exec(code, names)
    shapes = set()
    for seed in range(8):
        found = names["quarter_turn"](_coordinates(50, 60), np.random.RandomState(seed))
        np.testing.assert_array_equal(found["label"], _label(found["image"]))
        shapes.add(found["label"].shape)
    assert shapes == {(50, 60), (60, 50)} and names["steps"].size == (160, 224)


def test_the_centre_is_the_centre():
    """Or the pixel above it where two are as near."""
    found = utils.CenterCrop((21, 61))(_coordinates(50, 60), np.random)
    assert found["row"][0, 0] == 14 and found["column"][0, 0] == 0 and found["padding"].sum() == 21


@pytest.mark.parametrize("seed", range(20))
def test_scale_jitter_takes_the_nearest_label_and_the_mean_of_colours(seed):
    """Against pixel centres: output i looks at (i + 1/2) · before / after − 1/2, and so do both, image and label."""
    before = 97, 120
    found = utils.RandomScale(0.5, 2)(_coordinates(*before), np.random.RandomState(seed))
    factor = np.random.RandomState(seed).uniform(0.5, 2)
    assert found["label"].shape == tuple(round(n * factor) for n in before) == found["image"].shape[:2]
    for axis, key in enumerate(("row", "column")):
        centres = (np.arange(found["label"].shape[axis]) + 0.5) * before[axis] / found["label"].shape[axis] - 0.5
        centres = np.broadcast_to(np.expand_dims(centres, 1 - axis), found["label"].shape)
        assert abs(found[key] - centres).max() <= 0.5 + 1e-9
        assert abs(found["image"][..., axis] - centres.clip(0, before[axis] - 1)).max() <= 1
        assert abs(found["image"][3:-3, 3:-3, axis] - centres[3:-3, 3:-3]).max() <= 0.501
        found["weight"] = found["weight"] - centres * (1 if axis else 1000)
    # bilinear: that of the centre itself; reduced, each is a mean of a few rows, nearly as many above as below
    assert abs(found["weight"][3:-3, 3:-3]).max() < (1 if factor > 1 else 150)
    source = np.stack([found["row"], found["column"]], axis=2)
    np.testing.assert_array_equal(found["label"], _label(source))  # class indices, none of them mixed


def test_scale_crop_and_flip_agree():
    chain = utils.Compose([utils.RandomScale(0.5, 2), utils.RandomCrop((64, 96)), utils.RandomFlip()])
    padded = 0
    for seed in range(40):
        found = chain(_coordinates(80, 100), np.random.RandomState(seed))
        padding = found.get("padding", np.zeros((64, 96), bool))
        padded += padding.any()
        difference = found["image"][..., :2].astype(int) - np.stack([found["row"], found["column"]], axis=2)
        assert abs(difference[~padding]).max() <= 1 and (found["label"][padding] == 255).all()
        np.testing.assert_array_equal(
            found["label"][~padding], _label(np.dstack([found["row"], found["column"]]))[~padding]
        )
    assert 5 < padded < 35


def _mixed(image, other, factor):
    return np.clip(factor * image + (1 - factor) * other, 0, 255)


@pytest.mark.parametrize("seed", range(5))
def test_colours_by_pillows_and_torchvisions_formulas(seed):
    """Brightness against black, contrast against the mean grey, saturation against grey; labels stay."""
    sample = _photo(seed=seed)
    image = sample["image"].astype(float)
    grey = image @ [0.299, 0.587, 0.114]
    others = np.zeros_like(image), np.full_like(image, round(grey.mean())), np.repeat(grey[..., None], 3, axis=2)
    for i, other in enumerate(others):
        amounts = np.eye(3)[i] * 0.6
        found = utils.ColorJitter(*amounts)(sample, np.random.RandomState(seed))
        factor = [np.random.RandomState(seed).uniform(1 - a, 1 + a, 3)[i] for a in (0.6,)][0]
        assert abs(found["image"] - _mixed(image, other, factor)).max() <= 1.6
        assert found["label"] is sample["label"] and found["image"].dtype == np.uint8
        assert abs(found["image"] - image).max() > 5
    nothing = utils.ColorJitter()(sample, np.random.RandomState(seed))
    np.testing.assert_array_equal(nothing["image"], sample["image"])


def test_colours_one_after_the_other():
    sample, rng = _photo(seed=8), np.random.RandomState(3)
    found = utils.ColorJitter(0.2, 0.3, 0.4)(sample, np.random.RandomState(3))["image"]
    image = _mixed(sample["image"].astype(float), 0, rng.uniform(0.8, 1.2))
    image = _mixed(image, (image @ [0.299, 0.587, 0.114]).mean(), rng.uniform(0.7, 1.3))
    image = _mixed(image, (image @ [0.299, 0.587, 0.114])[..., None], rng.uniform(0.6, 1.4))
    assert abs(found - image).max() < 5 and abs(found - image).mean() < 2  # three times cut off, half a step each


def test_half_are_turned_and_every_corner_is_as_likely():
    """Chi-square over 4,000 draws of a crop with 6 × 5 places; the seeds are fixed, so this passes always or never."""
    chain = utils.Compose([utils.RandomCrop((15, 16)), utils.RandomFlip()])
    given, counts = _coordinates(20, 20), np.zeros((6, 5, 2), int)
    for i in range(4000):
        image = chain(given, np.random.RandomState([0, i // 100, i % 100]))["image"].astype(int)
        flip = int(image[0, 0, 1] > image[0, 1, 1])
        counts[image[0, 0, 0], image[0, :, 1].min(), flip] += 1
    for table in counts.sum(2).ravel(), counts.sum((0, 1)), counts.ravel():
        assert chisquare(table).pvalue > 0.01


def test_factors_are_drawn_evenly():
    factors = [
        utils.RandomScale(0.5, 2)(_photo(200, 1), np.random.RandomState(i))["label"].shape[0] for i in range(600)
    ]
    assert chisquare(np.histogram(factors, 6, (100, 400))[0]).pvalue > 0.01


CHAIN = utils.Compose(
    [utils.RandomScale(0.7, 1.5), utils.RandomCrop((32, 48)), utils.RandomFlip(), utils.ColorJitter(0.3, 0.3, 0.3)]
)


def _edges(name):
    """An extra target: where the labels of `coordinates_folder` are even. A function of the name alone."""
    i = "abcdefxyz".index(name)
    return _coordinates(40 + 3 * i, 90 - 5 * i)["label"] % 2


def _bits(dataset, epoch):
    return [b"".join(array.asnumpy().tobytes() for array in dataset[epoch, i]) for i in range(len(dataset))]


def test_pairs_of_a_data_set_follow_its_pictures(coordinates_folder):
    """From files to arrays of a net: what stands in the label is computed from the pixel beside it."""
    chain = utils.Compose([utils.RandomCrop((56, 72)), utils.RandomFlip()])
    dataset = utils.VOCSegDataset(split="train", root=coordinates_folder, transform=chain, extra={"edges": _edges})
    assert dataset.train and dataset.crop_size == (56, 72) and "RandomCrop((56, 72)), RandomFlip()" in repr(dataset)
    for epoch in range(4):
        for i in range(len(dataset)):
            x, label, edges = dataset[epoch, i]
            known = label.asnumpy() != 255
            np.testing.assert_array_equal(label.asnumpy()[known], _label(utils.denormalize(x))[known])
            np.testing.assert_array_equal(edges.asnumpy()[known], label.asnumpy()[known] % 2)
            assert (edges.asnumpy()[~known] == 255).all() and (x.asnumpy()[:, ~known] == 0).all()
            assert x.dtype == label.dtype == edges.dtype == np.float32 and 0.3 < known.mean() < 1


def test_the_default_is_a_crop_and_a_flip(voc_folder):
    own = utils.Compose([utils.RandomCrop((32, 70)), utils.RandomFlip()])
    plain = utils.VOCSegDataset(True, (32, 70), voc_folder, seed=4)
    assert _bits(utils.VOCSegDataset(True, root=voc_folder, seed=4, transform=own), 3) == _bits(plain, 3)
    centre = utils.VOCSegDataset(split="val", root=voc_folder, transform=utils.CenterCrop((32, 70)))
    assert _bits(centre, 0) == _bits(utils.VOCSegDataset(False, (32, 70), voc_folder), 0)


def test_the_same_bits_for_a_seed_epoch_and_index_and_no_others(voc_folder):
    given = {"root": voc_folder, "transform": CHAIN}
    dataset, again = utils.VOCSegDataset(True, **given), utils.VOCSegDataset(True, **given, cache=True)
    assert _bits(dataset, 2) == _bits(again, 2) == _bits(pickle.loads(pickle.dumps(dataset)), 2)
    others = [_bits(dataset, 3), _bits(utils.VOCSegDataset(True, **given, seed=1), 2)]
    assert all(a != b for other in others for a, b in zip(_bits(dataset, 2), other, strict=True))
    assert len(set(_bits(dataset, 2))) == len(dataset)


@pytest.mark.parametrize("cache", [False, True])
def test_batches_do_not_depend_on_workers(coordinates_folder, cache):
    dataset = utils.VOCSegDataset(True, root=coordinates_folder, cache=cache, transform=CHAIN, extra={"edges": _edges})
    epochs = []
    for workers in 0, 2:
        loader = utils.data_loader(dataset, 2, workers)
        epochs.append([[array.asnumpy() for array in batch] for _ in range(2) for batch in loader])
    assert len(epochs[0]) == len(epochs[1]) == 6
    for alone, forked in zip(*epochs, strict=True):
        assert [a.shape for a in alone] == [(2, 3, 32, 48), (2, 32, 48), (2, 32, 48)]
        assert all(np.array_equal(a, b) for a, b in zip(alone, forked, strict=True))


def test_a_function_is_a_transform_and_may_add_a_target(voc_folder):
    def darker(sample, rng):
        return {**sample, "image": sample["image"] // 2, "dark": np.float32(sample["label"] == 0)}

    chain = utils.Compose([darker, utils.RandomCrop((20, 30))])
    image, label, dark = utils.VOCSegDataset(True, root=voc_folder, transform=chain)[0, 0]
    assert utils.denormalize(image).max() <= 127
    np.testing.assert_array_equal(dark.asnumpy(), label.asnumpy() == 0)
    whole = utils.VOCSegDataset(split="val", root=voc_folder, transform=darker)
    assert "darker" in repr(whole) and " at 0x" not in repr(whole) and whole[0][0].shape == (3, 40, 60)
    with pytest.raises(ValueError, match="whole pictures differ in size.*RandomCrop.*`size`"):
        utils.data_loader(whole, 2)


WRONG = {
    "another size": (lambda s, rng: {**s, "image": s["image"][1:]}, r"made 'label' of .*: expected \(39, 60\)"),
    "floats": (lambda s, rng: {**s, "image": s["image"] / 2}, "made 'image' float64: expected .* uint8"),
    "a label of int64": (lambda s, rng: {**s, "label": s["label"].astype(int)}, "made 'label' int64: expected"),
    "a grey image": (lambda s, rng: {**s, "image": s["image"][..., 0]}, r"made 'image' of shape \(40, 60\).*width, 3"),
    "a pair": (lambda s, rng: (s["image"], s["label"]), "gave tuple: expected a dict with 'image' and 'label'"),
    "nothing": (lambda s, rng: None, "gave NoneType: expected a dict"),
    "no label": (lambda s, rng: {"image": s["image"]}, "gave a dict of 'image': expected"),
    "a target lost": (lambda s, rng: {"image": s["image"], "label": s["label"]}, "lost 'edges': give back all"),
    "a list": (lambda s, rng: {**s, "edges": s["edges"].tolist()}, "made 'edges' list: expected a NumPy array"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_sample_is_refused_by_the_transforms_name(what):
    transform, message = WRONG[what]
    sample = _photo() | {"edges": np.zeros((40, 60), np.uint8)}
    with pytest.raises(ValueError, match=rf"the transform <function <lambda>> {message}"):
        utils.Compose([utils.RandomFlip(), transform])(sample, np.random.RandomState(0))


def test_wrong_settings_are_named(voc_folder):
    for make, message in (
        (lambda: utils.Compose([utils.RandomFlip]), "RandomFlip.*no transform"),
        (lambda: utils.Compose([3]), "3 is no transform"),
        (lambda: utils.RandomCrop(32), "crop_size=32: expected"),
        (lambda: utils.RandomScale(2, 0.5), r"RandomScale\(2, 0.5\).*smaller one first"),
        (lambda: utils.RandomScale(0, 1), "above 0"),
        (lambda: utils.ColorJitter(1.5), r"ColorJitter\(1.5, 0, 0\).*from 0 to 1"),
        (lambda: utils.VOCSegDataset(True, (8, 8), voc_folder, transform=CHAIN), r"crop_size=\(8, 8\) and a transform"),
        (lambda: utils.VOCSegDataset(True, (8, 8), voc_folder, extra={"label": _edges}), "extra='label': taken"),
        (lambda: utils.VOCSegDataset(True, (8, 8), voc_folder, extra={"e": list})[0], r"'e' of a: list; expected"),
        (lambda: utils.VOCSegDataset(True, (8, 8), voc_folder, extra={"e": _edges})[0], r"'e' of a.*: \(40, 90\)"),
    ):
        with pytest.raises(ValueError, match=message):
            make()


def test_a_cache_is_not_written_into(voc_folder):
    def spoils(sample, rng):
        sample["ones"][:] = 0
        return sample

    given = {"extra": {"ones": lambda name: np.ones((40, 60), np.uint8)}, "transform": spoils}
    with pytest.raises(ValueError, match="read-only"):
        utils.VOCSegDataset(True, root=voc_folder, cache=True, **given)[0, 0]


def test_denormalize_is_the_inverse():
    image = np.arange(256 * 3).reshape(16, 16, 3).astype(np.uint8)
    x = utils.normalize(image).transpose(2, 0, 1)
    found = utils.denormalize(x)
    np.testing.assert_array_equal(found, image)
    assert found.dtype == np.uint8
    batch = np.stack([x, x[:, ::-1] + 0.001, x * 100])
    np.testing.assert_array_equal(utils.denormalize(batch)[1], image[::-1])
    assert set(np.unique(utils.denormalize(batch)[2][[0, -1]])) <= {0, 255}
    for wrong in x[0], x.transpose(1, 2, 0), image.transpose(2, 0, 1):
        with pytest.raises(ValueError, match="expected floats"):
            utils.denormalize(wrong)


def test_every_byte_survives(voc_folder):
    image, _ = read_pair(voc_folder, "x")
    x, _ = utils.VOCSegDataset(False, None, voc_folder)[0]
    np.testing.assert_array_equal(utils.denormalize(x), image)
    np.testing.assert_array_equal(utils.denormalize(x.expand_dims(0))[0], resize(image, 1))
