"""The class of the largest score."""

import numpy as np


def best_class(scores):
    """(N, ...) NumPy indices, uint8 up to 256 classes, of the largest of scores (N, C, ...); the first of equal ones.

    scores: `NDArray` or NumPy. On a CPU several times faster than argmax along axis 1, MXNet's or NumPy's: each map is
    read once, in order, and compared with the best so far. ValueError where a score is no number.
    """
    if getattr(getattr(scores, "context", None), "device_type", "cpu") == "gpu":  # there argmax is fast, the way is not
        finite, labels = np.isfinite(scores.sum().asscalar()), scores.argmax(axis=1).asnumpy()
    else:
        scores = scores if isinstance(scores, np.ndarray) else scores.asnumpy()
        finite = np.isfinite(scores).all()
        labels = np.zeros((len(scores), *scores.shape[2:]), np.min_scalar_type(scores.shape[1] - 1))
        for i in range(len(scores)):  # image by image: its maps stay in the processor's cache
            best, label = scores[i : i + 1, 0].copy(), labels[i : i + 1]
            for index in range(1, scores.shape[1]):
                one = scores[i : i + 1, index]
                better = one > best
                np.maximum(best, one, out=best)
                np.maximum(label, better * labels.dtype.type(index), out=label)  # later classes have higher indices
    if not finite:
        raise ValueError("scores are nan or infinite: the net has diverged, take a smaller learning rate")
    return labels
