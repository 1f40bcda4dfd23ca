"""results/transfer: what is compared differs in what it is said to differ in, and in nothing else."""

import utils

import mxnet as mx
import numpy as np
import pytest
from conftest import ROOT
from mxnet import autograd, gluon, nd

from results import common
from results.transfer import run as transfer

LAST = [way for way in transfer.WAYS if way[1] == "last"]
LAYERS = [way for way in transfer.WAYS if way[2] == "learning"]


def _after_a_step(way, change=""):
    """Parameters before and after one step of gradient descent at rate 0.1, as dicts by name."""
    utils.seed(0)
    net, learns = transfer.build(3, way, change)
    x, y = nd.random.normal(shape=(2, 3, 32, 32)), nd.array(np.arange(2 * 32 * 32).reshape(2, 32, 32) // 512 % 3)
    net(x)  # all shapes known
    mx.nd.waitall()  # or oneDNN reorders weights for this pass while they are copied, and the copy is torn
    before = {name: p.data().asnumpy() for name, p in net._collect_params_with_prefix().items()}
    trainer = gluon.Trainer(learns, "sgd", {"learning_rate": 0.1})
    for _ in range(2):  # scores that begin with zeros hand down no gradient at first
        with autograd.record():
            loss = utils.SoftmaxCrossEntropyLoss()(net(x), y)
        loss.backward()
        trainer.step(2)
    mx.nd.waitall()
    return before, {name: p.data().asnumpy() for name, p in net._collect_params_with_prefix().items()}


def _moved(before, after):
    return {name for name in before if not np.array_equal(before[name], after[name])}


@pytest.mark.parametrize("way", LAST, ids=" ".join)
def test_last_leaves_the_weights_of_the_backbone_bit_by_bit(way):
    moved = _moved(*_after_a_step(way))
    assert {name for name in moved if name.startswith("score")} >= {"score_fr.weight", "score_pool3.weight"}
    assert {name for name in moved if not name.startswith("score") and "running_" not in name} == set()


@pytest.mark.parametrize("way", transfer.WAYS, ids=" ".join)
def test_statistics_move_where_they_learn_and_only_there(way):
    before, after = _after_a_step(way)
    statistics = {name for name in before if "running_" in name}
    of_the_input = {name for name in statistics if name.startswith("features.0.")}  # a fixed scale of the picture
    assert len(of_the_input) == 2
    moved = _moved(before, after) & statistics
    assert moved == (statistics - of_the_input if way in LAYERS else set())
    assert len(statistics) == (2 + 2 * 48 if way in LAYERS else 2)


@pytest.mark.parametrize("way", [way for way in transfer.WAYS if way[1] == "all"], ids=" ".join)
def test_all_moves_the_backbone(way):
    before, after = _after_a_step(way)
    weights = {name for name in before if name.startswith("features.") and name.endswith("conv.weight")}
    depthwise = {name for name in weights if before[name].shape[1] == 1}
    still = weights - _moved(before, after)
    assert still == (depthwise if way[0] == "imagenet" else set())


def test_a_change_of_rates_is_by_layers():
    for change, wanted in ("rate x 10 for scores", {10, 1}), ("rate / 10 for the backbone", {1, 0.1}), ("", {1}):
        _, learns = transfer.build(3, transfer.USUAL, change)
        assert {p.lr_mult for p in learns.values()} == wanted
        scores = {p.lr_mult for name, p in learns.items() if name.startswith("score")}
        assert scores == {max(wanted)} and len(scores) == 1


def test_told_wrong_differs_from_same_in_the_enlargement_alone():
    right, wrong = (transfer.build(3, transfer.USUAL, change)[0] for change in ("same", "same, told symmetric"))
    offsets = [[net.upscore2.offset, net.upscore_pool4.offset, net.upscore8.offset] for net in (right, wrong)]
    assert offsets == [[1, 1, 7], [0, 0, 0]]
    x = nd.random.normal(shape=(1, 3, 64, 64))
    assert np.array_equal(right.features(x).asnumpy(), wrong.features(x).asnumpy())


def test_pictures_are_drawn_by_the_seed_and_those_of_fewer_are_among_those_of_more():
    names = utils.read_names(utils.data_root())
    few, more = (transfer.drawn(names, count, 1) for count in (10, 40))
    assert set(few) < set(more) < set(names) and len(set(more)) == 40
    assert few != names[:10] and set(few) != set(transfer.drawn(names, 10, 2))


def test_what_is_scored_is_not_trained_on():
    root = utils.data_root()
    for trial in True, False:
        names, test = transfer.lists("voc_mini", root, trial)
        assert not set(names) & set(test)
    held_out = transfer.lists("voc_mini", root, True)[1]
    assert not set(held_out) & set(utils.read_names(root, split="val")) and len(held_out) == transfer.HELD_OUT


def test_all_ways_are_given_the_same_pictures_and_steps_whole_epochs():
    rows = []  # as if each way had had its best trial at 0.001
    root = str(utils.data_root())
    for way, change, _ in transfer.kinds("voc_mini"):
        rows.append(transfer.row("voc_mini", way, change, 40, 1e-3, transfer.STEPS[40], 0) | {"mean_iou": "0.5"})
    jobs = [job for job, _ in transfer.jobs("voc_mini", root, rows)]
    for count in transfer.PICTURES["voc_mini"]:
        mine = [job for job in jobs if job["pictures"] == str(count) and job["change"] != transfer.FOUR_TIMES]
        assert {(job["steps"], job["pictures_digest"]) for job in mine} == {
            (mine[0]["steps"], mine[0]["pictures_digest"])
        }
        assert int(mine[0]["steps"]) % (count // transfer.BATCH) == 0
    assert len({tuple(job[key] for key in transfer.KEY) for job in jobs}) == len(jobs)


def test_trials_go_on_until_the_best_is_between_others():
    root, rows = str(utils.data_root()), []
    for _ in range(9):
        jobs = [job for job, _ in transfer.trials("voc_mini", root, rows)]
        new = [job for job in jobs if not _known(job, rows)]
        if not new:
            break
        rows += [job | {"mean_iou": f"{_best_at(float(job['rate']), job)}"} for job in new]
    assert not new
    rates = [(transfer.USUAL, change) for change in transfer.CHANGES if change.startswith("rate")]
    for way, change in [*((way, "") for way in transfer.WAYS), *rates]:
        found = transfer.tried(rows, "voc_mini", way, change)
        best = transfer.chosen(rows, "voc_mini", way, change)
        assert min(found) < best < max(found)
        assert best == (1e-2 if way[1] == "all" else 1e-3)
    assert transfer.chosen(rows, "voc_mini", transfer.USUAL, "same") == 1e-2  # another net: the usual way's rate
    longer = [row for row in rows if row["steps"] == str(2 * transfer.STEPS[40])]
    assert [(row["start"], row["rate"]) for row in longer] == [("nothing", "0.01")]


def _known(job, rows):
    return any(all(row[key] == job[key] for key in transfer.COLUMNS) for row in rows)


def _best_at(rate, job):
    """Stands for a training: best at 0.01 where all is trained, else at 0.001, neither tried at first in the middle."""
    return 1 - abs(np.log(rate / (1e-2 if job["trained"] == "all" else 1e-3))) / 10


def test_without_trials_there_is_no_table():
    with pytest.raises(ValueError, match="trials.csv has no trial of imagenet, last, frozen on voc_mini"):
        list(transfer.jobs("voc_mini", str(utils.data_root()), []))


def test_the_tables_of_chapter_11_are_whole():
    """Each job of a data set in it has its row, made by one code, with the rates that the trials say."""
    trials, rows = (common.read(ROOT / "results" / "transfer" / name) for name in ("trials.csv", "table.csv"))
    there = {row["data"] for row in rows}
    assert "voc_mini" in there
    for data in there:
        mine = [row for row in rows if row["data"] == data]
        runs = {tuple(row[key] for key in transfer.KEY) for row in mine}
        pictures = ["10", "40", "160" if data == "voc_mini" else "367"]
        kinds = [(*way, "") for way in transfer.WAYS] + [(*transfer.USUAL, change) for change in transfer.CHANGES]
        whole = [(kind, n) for kind in kinds for n in pictures if not kind[3] or "rate" in kind[3] or n == pictures[-1]]
        whole.append(((*transfer.WAYS[-1], "four times the steps"), pictures[-1]))
        expected = {(data, *kind, n, str(seed)) for kind, n in whole for seed in range(3)}
        assert runs == expected | {(data, *transfer.CEILING, "", "0", "0")}
        for *way, change in [kind for kind, _ in whole]:
            rates = {float(r["rate"]) for r in mine if [r[key] for key in transfer.KEY[1:5]] == [*way, change]}
            assert rates == {transfer.chosen(trials, data, tuple(way), change)}
    assert len({row["code"] for row in rows + trials}) == 1
