"""What Krähenbühl and Koltun's own program says of small pictures: makes tests/saved/pydensecrf2.json.

PYTHON tests/crf_oracle.py        PYTHON: of an environment with pydensecrf2 1.1, which is built from its source

pydensecrf2 is a package of that program; the course doesn't install it. This file needs nothing else of the course.
"""

import json
import pathlib

import numpy as np

RECORD = pathlib.Path(__file__).resolve().parent / "saved/pydensecrf2.json"
SETTINGS = {"w1": 4.0, "alpha": 40.0, "beta": 8.0, "w2": 3.0, "gamma": 3.0, "iterations": 5}
CASES = {
    "smoothness alone": (3, SETTINGS | {"w1": 0.0}, 0),
    "areas": (3, SETTINGS, 1),
    "five classes, other settings": (
        5,
        {"w1": 3.0, "alpha": 10.0, "beta": 20.0, "w2": 1.0, "gamma": 2.0, "iterations": 3},
        2,
    ),
    "noisy": (3, SETTINGS | {"beta": 12.0}, 3),
}


def case(which, height=18, width=24):
    """(probabilities, image, settings): areas with noise, and scores in blocks that are not the picture's."""
    classes, settings, seed = CASES[which]
    rng = np.random.RandomState(seed)
    image = np.full((height, width, 3), 30.0)
    image[: height // 2, : width // 3], image[height // 2 :, width // 2 :] = (200, 60, 40), (40, 90, 210)
    image = (image + (15 if which == "noisy" else 4) * rng.normal(size=image.shape)).clip(0, 255).astype(np.uint8)
    scores = np.kron(2 * rng.normal(size=(classes, height // 3, width // 3)), np.ones((1, 3, 3)))
    parts = np.exp(scores + 0.5 * rng.normal(size=scores.shape))
    return (parts / parts.sum(0)).astype(np.float32), image, settings


def say(probabilities, image, w1, alpha, beta, w2, gamma, iterations):
    from pydensecrf import densecrf

    classes, height, width = probabilities.shape
    crf = densecrf.DenseCRF2D(width, height, classes)
    crf.setUnaryEnergy(np.ascontiguousarray(-np.log(np.maximum(probabilities, 1e-6)).reshape(classes, -1)))
    crf.addPairwiseGaussian(sxy=gamma, compat=w2)
    if w1:
        crf.addPairwiseBilateral(sxy=alpha, srgb=beta, rgbim=np.ascontiguousarray(image), compat=w1)
    return np.array(crf.inference(iterations))


if __name__ == "__main__":
    cases = {}
    for which in CASES:
        probabilities, image, settings = case(which)
        said = say(probabilities, image, **settings)
        cases[which] = {"probabilities": [round(float(value), 4) for value in said.ravel()]}
    RECORD.write_text(json.dumps({"made by": "pydensecrf2 1.1", "cases": cases}) + "\n", encoding="utf-8")
    print(f"{RECORD.name}: {RECORD.stat().st_size // 1024} kB")
