import utils

import numpy as np
import pytest
import scipy.special
from mxnet import autograd, gluon, nd


def _expected(scores, label):
    """Each image's mean over its labelled pixels, pixel by pixel in float64."""
    out = []
    for score, lab in zip(scores.astype(np.float64), label, strict=True):
        logp = scipy.special.log_softmax(score, axis=0)
        losses = [-logp[int(lab[i])][i] for i in np.ndindex(lab.shape) if lab[i] != 255]
        out.append(np.mean(losses) if losses else 0.0)
    return out


@pytest.fixture
def pair():
    rng = np.random.RandomState(0)
    scores = rng.randn(3, 5, 4, 6).astype(np.float32)
    label = rng.choice([0, 1, 2, 3, 4, 255], (3, 4, 6)).astype(np.float32)
    label[2] = 255  # an image with nothing labelled
    return scores, label


@pytest.mark.parametrize("hybrid", [False, True])
@pytest.mark.parametrize("axis", [1, -1])
def test_against_scipy(pair, hybrid, axis):
    scores, label = pair
    loss = utils.SoftmaxCrossEntropyLoss(axis=axis)
    if hybrid:
        loss.hybridize()
    given = scores if axis == 1 else scores.transpose(0, 2, 3, 1)
    result = loss(nd.array(given), nd.array(label))
    assert result.shape == (3,) and result[2].asscalar() == 0
    np.testing.assert_allclose(result.asnumpy(), _expected(scores, label), rtol=1e-5)


def test_gluons_loss_where_nothing_is_void():
    rng = np.random.RandomState(0)
    scores, label = nd.array(rng.randn(2, 5, 4, 6)), nd.array(rng.randint(0, 5, (2, 4, 6)))
    theirs = gluon.loss.SoftmaxCrossEntropyLoss(axis=1)(scores, label)
    np.testing.assert_allclose(utils.SoftmaxCrossEntropyLoss()(scores, label).asnumpy(), theirs.asnumpy(), rtol=1e-5)


def test_gradient_is_softmax_minus_truth_and_nothing_at_void(pair):
    scores, label = nd.array(pair[0]), pair[1]
    scores.attach_grad()
    with autograd.record():
        loss = utils.SoftmaxCrossEntropyLoss()(scores, nd.array(label))
    loss.backward()
    known = (label != 255)[:, None]
    truth = (np.arange(5)[:, None, None] == label[:, None]).astype(float)
    count = np.maximum(known.sum(axis=(2, 3), keepdims=True), 1)
    expected = known * (scipy.special.softmax(pair[0].astype(np.float64), axis=1) - truth) / count
    np.testing.assert_allclose(scores.grad.asnumpy(), expected, atol=1e-7)
    assert (scores.grad.asnumpy()[np.broadcast_to(~known, scores.shape)] == 0).all()


def test_extreme_scores_stay_finite():
    scores = nd.array(np.array([1000.0, 0.0]).reshape(1, 2, 1, 1))
    assert utils.SoftmaxCrossEntropyLoss()(scores, nd.array([[[1]]])).asscalar() == pytest.approx(1000)


def test_void_pixels_do_no_harm_even_if_their_scores_are_not_finite():
    scores = nd.array([[[[0.0, np.inf]], [[0.0, np.nan]]]])
    assert utils.SoftmaxCrossEntropyLoss()(scores, nd.array([[[0, 255]]])).asscalar() == pytest.approx(
        np.log(2), rel=1e-5
    )


@pytest.mark.parametrize("dtype", ["int32", "uint8", "float32"])
def test_labels_of_any_type(pair, dtype):
    scores, label = pair
    result = utils.SoftmaxCrossEntropyLoss()(nd.array(scores), nd.array(label, dtype=dtype)).asnumpy()
    np.testing.assert_allclose(result, _expected(scores, label), rtol=1e-5)


def test_a_classifiers_scores():
    scores, label = nd.array([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0]]), nd.array([1, 2])
    theirs = gluon.loss.SoftmaxCrossEntropyLoss()(scores, label).asnumpy()
    np.testing.assert_allclose(utils.SoftmaxCrossEntropyLoss()(scores, label).asnumpy(), theirs, rtol=1e-6)
