import utils

import gluoncv
import numpy as np
import pytest
import sklearn.metrics
from mxnet import nd


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
