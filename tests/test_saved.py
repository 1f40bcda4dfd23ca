"""What was made before the library was rebuilt still works: a saved net, and every name of the door as it was."""

import utils

import inspect
import json
import lzma
import shutil

import numpy as np
import pytest
from conftest import ROOT

SAVED = ROOT / "tests" / "saved"
DOOR = json.loads((SAVED / "door.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """The net that commit a679460 saved, unpacked."""
    path = tmp_path_factory.mktemp("saved") / "fcn8s.params"
    path.write_bytes(lzma.decompress((SAVED / "fcn8s.params.xz").read_bytes()))
    shutil.copy(SAVED / "fcn8s.json", path.with_suffix(".json"))
    return path


def test_a_net_saved_before_gives_the_same_label(old):
    net, classes, scale, known = utils.load_model(old)
    assert classes == utils.VOC and scale == 1 and isinstance(net, utils.FCN8s)
    assert known["format"] == "segmentation-course net, 1"
    label = utils.predict(net, utils.read_image(utils.image_path(utils.data_root(), "2012_000026")), scale=scale)
    expected = utils.read_label(SAVED / "fcn8s_label.png")
    assert len(np.unique(expected)) > 1
    assert (label.asnumpy() == expected).mean() >= 0.999


def test_saved_again_it_is_the_same_net(old, tmp_path):
    net, classes, _, known = utils.load_model(old)
    utils.save_model(tmp_path / "again.params", net, classes, dataset=known["dataset"])
    again, *_, about = utils.load_model(tmp_path / "again.params")
    assert about["model"] == "fcn8s" and about["options"] == {"align": True} and about["dataset"] == "voc_mini"
    for mine, theirs in zip(again.collect_params().values(), net.collect_params().values(), strict=True):
        np.testing.assert_array_equal(mine.data().asnumpy(), theirs.data().asnumpy())


def parameters(text):
    """The parameters of a signature as text; a default that has no short form stands there as `...`."""
    space = {}
    exec(f"def f{text}: pass", {}, space)
    return list(inspect.signature(space["f"]).parameters.values())


def lost(before, now):
    """What is wrong with a signature for those who call it as it was: a text, empty if nothing is."""
    by_name = {p.name: p for p in now}
    for old in before:
        new = by_name.get(old.name)
        same = new and new.kind == old.kind and (new.default is not new.empty) == (old.default is not old.empty)
        if not same or old.default is not ... and repr(new.default) != repr(old.default):
            return f"{old} is {new}"
    was, places = ([p.name for p in given if p.kind == p.POSITIONAL_OR_KEYWORD] for given in (before, now))
    if places[: len(was)] != was:
        return f"{was} are {places}"
    more = {p.name for p in now if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    return ", ".join(more - {p.name for p in before})


@pytest.mark.parametrize("name", DOOR)
def test_a_name_of_the_door_is_there_with_its_signature_and_members(name):
    known, found = DOOR[name], getattr(utils, name)
    if known["kind"] == "class":
        assert inspect.isclass(found) and set(known["members"]) <= set(dir(found))
        assert not lost(parameters(known["signature"]), list(inspect.signature(found.__init__).parameters.values()))
    elif known["kind"] == "function":
        assert not lost(parameters(known["signature"]), list(inspect.signature(found).parameters.values()))
    else:
        assert type(found).__name__ == known["kind"]


@pytest.mark.parametrize(
    "now, what",
    [
        ("(a, b=1, **c)", ""),
        ("(a, b=1, d=2, **c)", ""),
        ("(a, b=1, *, d=2, **c)", ""),
        ("(a, d=2, b=1, **c)", "['a', 'b'] are ['a', 'd', 'b']"),
        ("(a, b=2, **c)", "b=1 is b=2"),
        ("(a, **c)", "b=1 is None"),
        ("(a, *, b=1, **c)", "b=1 is b=1"),
        ("(a, b=1, *, d, **c)", "d"),
        ("(a, b=1)", "**c is None"),
    ],
)
def test_what_a_signature_may_not_lose(now, what):
    assert lost(parameters("(a, b=1, **c)"), parameters(now)) == what
