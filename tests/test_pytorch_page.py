"""docs/pytorch.md: both blocks of each pair run, with the same inputs and weights, and give the same numbers."""

import utils

import ast
import json
import re
import subprocess
import sys

import mxnet as mx
import nbformat
import notebooks
import numpy as np
import pytest
import pytorch_side
from conftest import ROOT
from mxnet import gluon, nd

PAGE = (ROOT / "docs" / "pytorch.md").read_text(encoding="utf-8")
PAIR = re.compile(r"\*\*MXNet\*\*\n\n```python\n(.*?)```\n\n\*\*PyTorch\*\*\n\n```python\n(.*?)```", re.DOTALL)
BEGIN, *PAIRS = [(PAGE[: found.start()].rsplit("\n## ", 1)[-1][:2], *found.groups()) for found in PAIR.finditer(PAGE)]
BEGIN = BEGIN[1:]


def given():
    """What the page calls given: uint8 stays NumPy, the rest becomes the framework's."""
    rng = np.random.RandomState(0)
    label = rng.choice([0, 1, 2, 255], (2, 5, 7))
    label[0, 0, :3], label[1, :2] = (0, 1, 2), 255  # pictures of unequal labelled pixels
    strokes = np.where(rng.uniform(size=label.shape) < 0.2, rng.randint(0, 3, label.shape), 255)
    strokes[1] = 255
    edges = rng.choice([0, 0, 0, 1, 255], (2, 5, 7))
    colormap = np.array(utils.VOC_COLORMAP, np.uint8)

    def noise(*shape):
        return rng.normal(size=shape).astype(np.float32)

    kernel = np.exp(-((np.arange(6) - np.arange(6)[:, None]) ** 2) / 4).astype(np.float32)
    np.fill_diagonal(kernel, 0)
    return {
        "x": noise(2, 3, 5, 7),
        "scores": noise(2, 3, 5, 7),
        "auxiliary": noise(2, 3, 5, 7),
        "fusion": noise(2, 2, 5, 7),
        "side": noise(2, 2, 5, 7),
        "window": noise(2, 3, 2, 2),
        "unary": noise(3, 6),
        "kernel": kernel,
        "weights": np.float32([0.5, 1, 3]),
        "label": label,
        "strokes": strokes,
        "edges": edges,
        "images": rng.randint(0, 256, (7, 4, 6, 3)).astype(np.uint8),
        "classes": rng.randint(0, 21, (7, 4, 6)).astype(np.uint8),
        "image": rng.randint(0, 256, (9, 12, 3)).astype(np.uint8),
        "marks": rng.randint(0, 21, (9, 12)).astype(np.uint8),
        "colormap": colormap,
        "picture": np.concatenate([colormap[rng.randint(0, 21, (4, 6))], np.uint8([[[1, 2, 3]] * 6])]),
        "top": 3,
        "left": 2,
    }


def as_mxnet(value):
    if not isinstance(value, np.ndarray) or value.dtype == np.uint8:
        return value
    return nd.array(value, dtype="float32")


def weights_of(net):
    return list(net._collect_params_with_prefix().values())


def fill(net, rng):
    """Weights of a net that is initialised, drawn; returns them in the order in which PyTorch has them."""
    arrays = []
    for name, parameter in net._collect_params_with_prefix().items():
        array = rng.normal(scale=0.3, size=parameter.shape).astype(np.float32)
        array = np.abs(array) + 0.5 if name.endswith(("running_var", "gamma")) else array
        parameter.set_data(nd.array(array))
        arrays.append(array)
    return arrays


def names(block):
    """What a block defines, in its outermost lines and loops."""
    found = [node.id for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Name) and _stored(node)]
    return set(found) - {"_"}


def _stored(node):
    return isinstance(node.ctx, ast.Store)


def plain(value):
    """An array, or None where it is no number and no list of them."""
    if isinstance(value, nd.NDArray):
        return value.asnumpy()
    if isinstance(value, (int, float, np.number, list, tuple)) and not isinstance(value, bool):
        found = np.array(value)
        return found if found.dtype.kind in "if" else None
    return None


def run_mxnet(block):
    """(results, the weights of each net as it was filled, what the block saved)."""
    space, nets, rng, seen = {}, {}, np.random.RandomState(1), set()
    exec(BEGIN[0], space)
    space |= {name: as_mxnet(value) for name, value in given().items()}
    for statement in ast.parse(block).body:
        exec(compile(ast.Module([statement], []), "docs/pytorch.md", "exec"), space)
        for name, value in list(space.items()):
            if isinstance(value, gluon.Block) and id(value) not in seen and weights_of(value):
                try:
                    [parameter.data() for parameter in weights_of(value)]
                except RuntimeError:
                    continue  # not initialised yet
                seen.add(id(value))
                nets[name] = fill(value, rng)
    results = {name: plain(space[name]) for name in names(block) if name in space}
    return {name: value for name, value in results.items() if value is not None}, nets, space.get("saved", {})


@pytest.fixture(scope="module")
def by_mxnet():
    return [run_mxnet(block) for _, block, _ in PAIRS]


def shared(number, by_mxnet):
    """Names of the results that a pair has in common: what is compared."""
    _, _, block = PAIRS[number]
    return sorted(set(by_mxnet[number][0]) & names(block))


def test_each_chapter_has_its_lines_and_each_pair_a_result(by_mxnet):
    chapters = [path.name[:2] for path in notebooks.find()]
    assert list(dict.fromkeys(number for number, *_ in PAIRS)) == chapters
    for number, (chapter, first, second) in enumerate(PAIRS):
        assert shared(number, by_mxnet), f"chapter {chapter}: both blocks should name the same result"
        last = ast.unparse(ast.parse(first).body[-1])
        results = set(shared(number, by_mxnet)) & names(last)
        assert results, f"chapter {chapter}: {last} names nothing that is compared"
        for block in first, second:
            assert max(map(len, block.splitlines())) <= 96  # more is cut in a window of 1,280 pixels


def test_each_summary_leads_to_its_lines():
    anchors = {heading[:2]: heading.replace(" ", "-") for heading in re.findall(r"\n## (\d\d .*)", PAGE)}
    assert all(re.fullmatch(r"[\d\w-]+", anchor) and anchor == anchor.lower() for anchor in anchors.values())
    for path in notebooks.find():
        last = nbformat.read(path, 4).cells[-1].source
        assert f"[the same lines](../docs/pytorch.md#{anchors[path.name[:2]]})" in last, path.name


def test_code_is_formatted(tmp_path):
    for number, (_, *blocks) in enumerate(PAIRS):
        for side, block in zip("mp", blocks, strict=True):
            (tmp_path / f"{side}{number}.py").write_text(block)
    ruff = [sys.executable, "-m", "ruff", "format", "--diff", "--config", ROOT / "pyproject.toml", tmp_path]
    done = subprocess.run(ruff, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


# ---- In PyTorch ----

PROGRAM = """
import ast, json, sys
import numpy as np
import torch

torch.set_num_threads(1)
torch.manual_seed(0)
pairs = json.load(open("pairs.json"))
arrays = np.load("arrays.npz")


def as_torch(value):
    return value if value.dtype == np.uint8 else value.item() if value.ndim == 0 else torch.from_numpy(value)


def fill(net, weights):
    own = [value for name, value in net.state_dict().items() if not name.endswith("num_batches_tracked")]
    assert [tuple(value.shape) for value in own] == [array.shape for array in weights]
    with torch.no_grad():
        for value, array in zip(own, weights, strict=True):
            value.copy_(torch.from_numpy(array))


def plain(value):
    if isinstance(value, torch.Tensor):
        return value.detach().numpy()
    return np.array(value)


def run(pair):
    space, seen = {}, set()
    exec(pair["begin"], space)
    space |= {name[6:]: as_torch(arrays[name]) for name in arrays.files if name.startswith("given/")}
    number = str(pair["number"])
    begin = f"saved/{number}/"
    space["saved"] = saved = {name[len(begin):]: arrays[name] for name in arrays.files if name.startswith(begin)}
    for statement in ast.parse(pair["block"]).body:
        exec(compile(ast.Module([statement], []), "docs/pytorch.md", "exec"), space)
        for name, value in list(space.items()):
            if isinstance(value, torch.nn.Module) and id(value) not in seen:
                seen.add(id(value))
                if not saved and name in pair["nets"]:
                    fill(value, [arrays[f"net/{number}/{name}/{i}"] for i in range(pair["nets"][name])])
    return {f"{number}/{name}": plain(space[name]) for name in pair["results"]}


several, found = len(sys.argv) > 1, {}
for pair in pairs:
    if ("init_process_group" in pair["block"]) == several:
        found |= run(pair)
import os
np.savez(f"found{os.environ.get('RANK', '')}.npz", **found)
"""


@pytest.fixture(scope="module")
def by_pytorch(by_mxnet, tmp_path_factory):
    """{"number/name": array} of all pairs; those of several processes by torchrun, as two."""
    pytorch_side.needed()
    folder = tmp_path_factory.mktemp("pytorch")
    arrays = {f"given/{name}": np.asarray(value) for name, value in given().items()}
    pairs = []
    for number, (_, _, block) in enumerate(PAIRS):
        _, nets, saved = by_mxnet[number]
        arrays |= {f"net/{number}/{name}/{i}": a for name, weights in nets.items() for i, a in enumerate(weights)}
        arrays |= {f"saved/{number}/{name}": array for name, array in saved.items()}
        pair = {"number": number, "begin": BEGIN[1], "block": block, "results": shared(number, by_mxnet)}
        pairs.append(pair | {"nets": {name: len(weights) for name, weights in nets.items()}})
    np.savez(folder / "arrays.npz", **arrays)
    (folder / "pairs.json").write_text(json.dumps(pairs))
    (folder / "program.py").write_text(PROGRAM)
    pytorch_side.run(["program.py"], folder)
    found = dict(np.load(folder / "found.npz"))
    pytorch_side.run(["-m", "torch.distributed.run", *ALONE, "program.py", "several"], folder)
    ranks = [dict(np.load(folder / f"found{rank}.npz")) for rank in range(2)]
    assert ranks[0]
    for name in ranks[0]:
        np.testing.assert_array_equal(ranks[0][name], ranks[1][name])
    return found | ranks[0]


ALONE = ["--nproc-per-node", "2", "--master-addr", "127.0.0.1", "--master-port", "29517"]


@pytest.mark.long
@pytest.mark.parametrize("number", range(len(PAIRS)), ids=[f"{i}, chapter {pair[0]}" for i, pair in enumerate(PAIRS)])
def test_both_blocks_give_the_same_numbers(number, by_mxnet, by_pytorch, report):
    """To 1e-5 of the largest."""
    errors = {}
    for name in shared(number, by_mxnet):
        expected, found = by_mxnet[number][0][name], by_pytorch[f"{number}/{name}"]
        expected, found = np.atleast_1d(expected).squeeze(), np.atleast_1d(found).squeeze()
        assert expected.shape == found.shape and np.ptp(np.append(expected, 0)) > 0, name
        errors[name] = np.abs(expected - found).max() / max(1, np.abs(expected).max())
    report(f"docs/pytorch.md, pair {number}, chapter {PAIRS[number][0]}", f"at most {max(errors.values()):.1e} apart")
    assert max(errors.values()) < 1e-5, errors


# What the sentences between the blocks say, and no pair shows
FACTS = """
import torch
from torch import nn
from torch.nn import functional

x = torch.ones(2, requires_grad=True)
for _ in range(2):
    x.sum().backward()
assert x.grad.tolist() == [2, 2]  # added up
assert torch.tensor([1, 2]).dtype == torch.int64
net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
assert net.training and net[0].bias.abs().max() > 0 and net[1].eps == 1e-5 and net[1].momentum == 0.1
assert int(torch.tensor([128], dtype=torch.uint8) * 65536) == 0
try:
    torch.arange(3)[::-1]
except ValueError:
    pass
else:
    raise AssertionError("steps may be negative")
nothing = functional.cross_entropy(torch.ones(1, 2, 1, 1), torch.full((1, 1, 1), 255), ignore_index=255)
assert nothing.isnan()
norm, x = nn.BatchNorm2d(1, momentum=1.0), torch.tensor([1.0, 2, 4, 7]).reshape(4, 1, 1, 1)
norm(x)
assert torch.isclose(norm.running_var, x.var(unbiased=True)).all()
assert net[1](torch.ones(1, 4, 1, 1).repeat(2, 1, 1, 1)).shape == (2, 4, 1, 1)
layer, rates = nn.Linear(1, 1, bias=False), [1.0, 0.1]
optimizer = torch.optim.SGD(layer.parameters(), lr=1.0, momentum=0.5)
with torch.no_grad():
    layer.weight.fill_(0)
for rate in rates:
    optimizer.param_groups[0]["lr"] = rate
    layer.weight.grad = torch.ones(1, 1)
    optimizer.step()
print(layer.weight.item())
"""


@pytest.mark.long
def test_what_differs_does():
    pytorch_side.needed()
    momentum = float(pytorch_side.run(FACTS, ROOT / "tests"))
    np.testing.assert_allclose(momentum, -1 - 0.1 * 1.5)  # the new rate is that of the old gradients, too


def test_what_differs_is_so_in_mxnet():
    x = nd.ones(2)
    x.attach_grad()
    for _ in range(2):
        with mx.autograd.record():
            y = x.sum()
        y.backward()
    assert x.grad.asnumpy().tolist() == [1, 1]  # replaced
    norm = gluon.nn.BatchNorm(momentum=0, in_channels=1)
    norm.initialize()
    given = np.float32([1, 2, 4, 7])
    with mx.autograd.record():
        y = norm(nd.array(given).reshape((4, 1, 1, 1))).sum()
    y.backward()  # it moves them here
    np.testing.assert_allclose(norm.running_var.data().asnumpy(), given.var(), rtol=1e-5)  # of all, not of a sample
    layer = gluon.nn.Dense(1, use_bias=False, in_units=1, weight_initializer="zeros")
    layer.initialize()
    trainer = gluon.Trainer(layer.collect_params(), "sgd", {"learning_rate": 1.0, "momentum": 0.5})
    for rate in 1.0, 0.1:
        trainer.set_learning_rate(rate)
        with mx.autograd.record():
            y = layer(nd.ones((1, 1)))
        y.backward()
        trainer.step(1)
    np.testing.assert_allclose(layer.weight.data().asscalar(), -1 - 0.1 - 0.5)  # on new gradients alone
