import utils

import cv2
import gluoncv
import numpy as np
import pytest
import sklearn.metrics
from mxnet import nd
from PIL import Image


def _random(rng, classes, shape=(4, 20, 30), void=0.1):
    label = rng.randint(0, classes, shape)
    prediction = np.where(rng.rand(*shape) < 0.6, label, rng.randint(0, classes, shape))
    return np.where(rng.rand(*shape) < void, 255, label), prediction


def test_four_metrics_against_scikit_learn():
    label, prediction = _random(np.random.RandomState(0), 7)
    metric = utils.SegmentationMetric(9)  # two classes never occur
    metric.update(nd.array(label), nd.array(prediction))
    truth, guess = label[label != 255], prediction[label != 255]
    present = range(7)
    iou = sklearn.metrics.jaccard_score(truth, guess, average=None, labels=present)
    expected = [
        sklearn.metrics.accuracy_score(truth, guess),
        sklearn.metrics.balanced_accuracy_score(truth, guess),
        iou.mean(),
        sklearn.metrics.jaccard_score(truth, guess, average="weighted", labels=present),
    ]
    names, values = metric.get()
    assert names == ["pixel_acc", "mean_acc", "mean_iou", "fw_iou"]
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    np.testing.assert_allclose(metric.iou[:7], iou)
    assert np.isnan(metric.iou[7:]).all()
    np.testing.assert_array_equal(metric.confusion, sklearn.metrics.confusion_matrix(truth, guess, labels=range(9)))


def test_two_metrics_against_gluoncv():
    rng = np.random.RandomState(1)
    label, prediction = _random(rng, 5)
    scores = np.eye(5)[prediction].transpose(0, 3, 1, 2) + rng.rand(4, 5, 20, 30) * 0.5
    theirs = gluoncv.utils.metrics.SegmentationMetric(5)
    theirs.update(nd.array(np.where(label == 255, -1, label)), nd.array(scores))
    metric = utils.SegmentationMetric(5)
    metric.update(nd.array(label), nd.array(scores))
    ours = metric.scores()
    np.testing.assert_allclose([ours["pixel_acc"], ours["mean_iou"]], theirs.get(), rtol=1e-6)


def test_one_matrix_over_the_split_whatever_the_batches():
    label, prediction = _random(np.random.RandomState(2), 5)
    whole, parts = utils.SegmentationMetric(5), utils.SegmentationMetric(5)
    whole.update(nd.array(label), nd.array(prediction))
    parts.update([nd.array(label[:1])], [nd.array(prediction[:1])])
    parts.update(nd.array(label[1:]), nd.array(prediction[1:]))
    np.testing.assert_array_equal(whole.confusion, parts.confusion)
    parts.reset()
    assert np.isnan(parts.get()[1]).all()


def test_void_and_absent_classes_do_not_count():
    metric = utils.SegmentationMetric(21)
    metric.update(nd.array([[[0, 0, 255, 1]]]), nd.array([[[0, 0, 5, 0]]]))
    assert metric.get()[1] == pytest.approx([2 / 3, 0.5, (2 / 3 + 0) / 2, 2 / 3 * 2 / 3])


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_net_that_diverged_is_noticed(wrong):
    scores = np.zeros((1, 3, 2, 2), np.float32)
    scores[0, 1, 0, 1] = wrong
    for array in scores, nd.array(scores):
        with pytest.raises(ValueError, match="nan or infinite: the net has diverged"):
            utils.SegmentationMetric(3).update(nd.zeros((1, 2, 2)), array)


def test_bad_indices_and_shapes_are_named():
    with pytest.raises(ValueError, match="label 3: expected 0 to 2"):
        utils.confusion_matrix(np.array([3]), np.array([0]), 3)
    with pytest.raises(ValueError, match="prediction -1: expected whole numbers"):
        utils.confusion_matrix(np.array([0]), np.array([-1]), 3)
    with pytest.raises(ValueError, match="prediction 3: expected 0 to 2"):
        utils.confusion_matrix(np.array([0]), np.array([3]), 3)
    assert utils.confusion_matrix(np.array([255]), np.array([9]), 3).sum() == 0  # predicted where nobody knows
    with pytest.raises(ValueError, match=r"shape \(2,\), predictions of \(1,\)"):
        utils.confusion_matrix(np.array([0, 1]), np.array([0]), 3)


def _some_labels(rng):
    """Labels of several sizes with large and small patches of classes and void."""
    for height, width, patch in (1, 1, 1), (1, 17, 3), (13, 9, 2), (24, 31, 5), (40, 25, 12):
        coarse = rng.choice([0, 0, 3, 7, 255], (-(-height // patch), -(-width // patch)))
        yield np.kron(coarse, np.ones((patch, patch), np.int64))[:height, :width]


def _nearest_other(label):
    """Of each pixel, the distance to the nearest pixel of another label, by comparing all with all."""
    place = np.argwhere(np.ones_like(label, bool))
    distance = np.sqrt(((place[:, None] - place[None]) ** 2).sum(2))
    distance[label.ravel()[:, None] == label.ravel()[None]] = np.inf
    return distance.min(1).reshape(label.shape)


def test_trimap_against_brute_force():
    for label in _some_labels(np.random.RandomState(3)):
        nearest = _nearest_other(label)
        for width in 0.5, 1, 1.4, 2, 3, 5, 20, 1000:
            expected = np.where((label != 255) & (nearest <= width), label, 255)
            band = utils.trimap(label, width)
            assert band.dtype == np.uint8
            np.testing.assert_array_equal(band, expected)
            np.testing.assert_array_equal(band, utils.trimap(nd.array(label), width))


def test_trimap_against_opencv():
    for name in utils.read_names(utils.data_root(), train=False)[:5]:
        label = utils.read_label(utils.data_root() / "SegmentationClass" / f"{name}.png")
        for width in 2, 5, 20:
            expected = np.full_like(label, 255)
            for value in set(np.unique(label)) - {255}:
                distance = cv2.distanceTransform((label == value).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
                expected[(label == value) & (distance <= width + 1e-3)] = value
            np.testing.assert_array_equal(utils.trimap(label, width), expected)


@pytest.mark.parametrize("value", [0, 3, 255])
def test_a_label_of_one_value_has_no_border(value):
    assert (utils.trimap(np.full((5, 6), value), 100) == 255).all()


def test_the_picture_s_edge_is_no_border():
    label = np.zeros((9, 9), int)
    label[4, 4] = 1
    assert (utils.trimap(label, 1) != 255).sum() == 5  # the pixel and its four neighbours


def test_trimap_iou_sees_borders_only():
    label = np.zeros((20, 20), int)
    label[:, 10:] = 1
    prediction = label.copy()
    prediction[:, 0], prediction[:, 10] = 1, 0  # wrong far from the border, and at it
    for metric, given in (
        (utils.SegmentationMetric(2), utils.trimap(label, 2)[None]),
        (
            utils.SegmentationMetric(2, trimap=2),
            label[None],
        ),
    ):
        metric.update(given, prediction[None])
        assert metric.confusion.tolist() == [[40, 0], [20, 20]]


def _ceiling_by_opencv(label, stride, num_classes):
    """Values of each class at each pixel: OpenCV's area averages and bilinear enlargement, one class at a time."""
    height, width = label.shape
    rows, columns = -(-height // stride), -(-width // stride)
    values = []
    for i in range(num_classes):
        one = (label == i).astype(np.float64)
        blocks = [
            [one[r * stride : (r + 1) * stride, c * stride : (c + 1) * stride].mean() for c in range(columns)]
            for r in range(rows)
        ]
        size = columns * stride, rows * stride
        large = cv2.resize(np.array(blocks).reshape(rows, columns), size, interpolation=cv2.INTER_LINEAR)
        values.append(large[:height, :width])
    return np.array(values)


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 8, 32, 100])
def test_ceiling_against_opencv(stride):
    for label in _some_labels(np.random.RandomState(4)):
        values = _ceiling_by_opencv(label, stride, 9)
        prediction = utils.ceiling(label, stride, 9)
        assert prediction.shape == label.shape and prediction.dtype == np.uint8
        chosen = np.take_along_axis(values, prediction[None].astype(int), 0)[0]
        np.testing.assert_allclose(chosen, values.max(0), atol=1e-6)  # the highest value, ties aside
        np.testing.assert_array_equal(prediction, utils.ceiling(nd.array(label), stride, 9))


def test_ceiling_against_the_course_s_own_enlargement():
    label = np.kron(np.random.RandomState(5).randint(0, 4, (12, 10)), np.ones((6, 6), int))[:64, :48]
    maps = nd.array(label[None, None] == np.arange(4)[:, None, None]).reshape((1, 4, 64, 48))
    coarse = nd.Pooling(maps, kernel=(8, 8), stride=(8, 8), pool_type="avg")
    enlarge = utils.BilinearUpsampling(4, 8, align=False)
    enlarge.initialize()
    values = enlarge(coarse)[0].asnumpy()
    inside = np.s_[4:-4, 4:-4]  # where it doesn't fade to 0
    chosen = np.take_along_axis(values, utils.ceiling(label, 8, 4)[None].astype(int), 0)[0]
    np.testing.assert_allclose(chosen[inside], values.max(0)[inside], atol=1e-6)


def test_ceiling_of_stride_one_is_the_truth_and_void_is_never_predicted():
    for label in _some_labels(np.random.RandomState(6)):
        np.testing.assert_array_equal(utils.ceiling(label, 1, 9), np.where(label == 255, 0, label))
    assert (utils.ceiling(np.full((5, 5), 255), 2, 3) == 0).all()
    with pytest.raises(ValueError, match="label 2: expected 0 to 1"):
        utils.ceiling(np.array([[0, 1, 2]]), 8, 2)


def test_ceiling_moves_a_straight_border_by_little():
    for border in range(8, 33):
        label = (np.arange(40) >= border) * np.ones((5, 1), int)
        columns = (utils.ceiling(label, 8, 2) == 0).sum(1)
        assert (np.abs(columns - border) <= (1.5 - 2**0.5) * 8 + 0.5).all()


def test_batches_of_labels_are_refused():
    for function in (lambda x: utils.trimap(x, 2)), (lambda x: utils.ceiling(x, 2, 3)):
        with pytest.raises(ValueError, match=r"label of shape \(1, 4, 4\): expected \(height, width\)"):
            function(nd.zeros((1, 4, 4)))


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_baseline_counts_whole_training_labels(voc_folder, scale):
    train = utils.VOCSegDataset(True, (16, 16), voc_folder, scale)
    test = utils.VOCSegDataset(False, None, voc_folder, scale)

    def pixels(names):
        labels = [Image.open(voc_folder / f"SegmentationClass/{name}.png") for name in names]
        size = tuple(int(n * scale) for n in labels[0].size)
        all_of_them = np.concatenate([np.asarray(label.resize(size, Image.NEAREST)).ravel() for label in labels])
        return all_of_them[all_of_them != 255]

    index, scores = utils.baseline(train, test)
    values, counts = np.unique(pixels("abcdef"), return_counts=True)
    truth = pixels("xyz")
    assert index == values[counts.argmax()] and isinstance(index, int)
    guess = np.full_like(truth, index)
    assert scores == pytest.approx(
        {
            "pixel_acc": sklearn.metrics.accuracy_score(truth, guess),
            "mean_acc": 1 / len(np.unique(truth)),
            "mean_iou": sklearn.metrics.jaccard_score(truth, guess, average="macro", zero_division=0),
            "fw_iou": sklearn.metrics.jaccard_score(truth, guess, average="weighted", zero_division=0),
        }
    )
