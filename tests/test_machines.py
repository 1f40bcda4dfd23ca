"""Chapter 17's tables: what a step costs, and rate and batch (results/machines)."""

import utils
from utils.engine.digest import code_digest

import mxnet as mx
import numpy as np
import pytest
from conftest import ROOT
from mxnet import gluon, nd

from results import common
from results.machines import costs
from results.machines import run as rates

MACHINES = ROOT / "results" / "machines"


def made_up(scores, optimizer="sgd"):
    """Rows of trials: {batch: {rate: mean IoU}}."""
    return [
        rates.row(optimizer, batch, "trial", rate, seed) | {"mean_iou": str(score)}
        for batch, of_rates in scores.items()
        for rate, score in of_rates.items()
        for seed in rates.TRIAL_SEEDS
    ]


# Rate and batch


def test_the_schedule_warms_up_to_poly():
    """As MXNet's optimiser asks it: the first step has the small rate, those after the warm-up are poly's."""
    plain, warm = rates.Schedule(0.4, 10), rates.Schedule(0.4, 10, 4, 4)
    poly = [0.4 * (1 - step / 10) ** 0.9 for step in range(10)]
    parts = [1 / 4, 1.75 / 4, 2.5 / 4, 3.25 / 4, 1, 1, 1, 1, 1, 1]
    asked = []
    for schedule in plain, warm:
        weight = gluon.Parameter("w", shape=(1,))
        weight.initialize(init="zeros", ctx=mx.cpu())
        trainer, moved = gluon.Trainer([weight], "sgd", {"learning_rate": 0.4, "lr_scheduler": schedule}), []
        for _ in range(10):
            before = weight.data().asscalar()
            weight.grad()[:] = 1
            weight.data()._fresh_grad = True
            trainer.step(1)
            moved.append(before - weight.data().asscalar())
        asked.append(moved)
    np.testing.assert_allclose(asked[0], poly, rtol=1e-5)
    np.testing.assert_allclose(asked[1], np.multiply(poly, parts), rtol=1e-5)


def test_trials_go_on_until_the_best_lies_between_others():
    assert rates.to_try([], "sgd", 8) == [0.001, 0.002, 0.004]
    rows = made_up({8: {0.001: 0.2, 0.002: 0.3, 0.004: 0.4}})
    assert rates.to_try(rows, "sgd", 8) == [0.001, 0.002, 0.004, 0.008]
    rows += made_up({8: {0.008: "nan"}})
    assert rates.to_try(rows, "sgd", 8) == [0.001, 0.002, 0.004, 0.008]
    assert rates.chosen(rows, "sgd", 8) == 0.004 and rates.tried(rows, "sgd", 8)[0.008] == 0


def test_rules_of_a_batch():
    rows = made_up({8: {0.004: 0.4, 0.002: 0.3}, 32: {0.016: 0.4, 0.008: 0.3}, 128: {0.032: 0.4, 0.016: 0.3}})
    assert rates.rules(rows, "sgd", 8) == {"same": 0.004, "quarter": 0.001, "sixteenth": 0.00025}
    expected = {"same": 0.004, "root": 0.008, "linear": 0.016, "warm_up": 0.016, "peak": 0.0124}
    assert rates.rules(rows, "sgd", 32) == expected
    warm = rates.Schedule(0.016, 64, warm=16, times=4)
    assert max(warm(step) for step in range(1, 65)) == pytest.approx(expected["peak"], rel=0.02)
    found = rates.rules(rows, "sgd", 128)
    assert found == {"same": 0.004, "root": 0.016, "linear": 0.064, "warm_up": 0.064, "peak": 0.0494, "own": 0.032}
    rows = made_up({8: {0.004: 0.4}, 32: {0.008: 0.4}, 128: {0.032: 0.4}}, "adam")
    assert rates.rules(rows, "adam", 8) == {"same": 0.004}
    assert rates.rules(rows, "adam", 32) == {"same": 0.004, "root": 0.008}
    assert rates.rules(rows, "adam", 128) == {"same": 0.004, "root": 0.016, "own": 0.032}


def test_rows_of_rates(monkeypatch, voc_folder):
    """Small pictures, one epoch: a row with scores, and one that says that it diverged."""
    for name, value in {"CROP": (32, 32), "TRAINED_ON": 4, "BATCHES": (2, 4)}.items():
        monkeypatch.setattr(rates, name, value)
    monkeypatch.setattr(common, "TRIMAP", 2)
    start = rates.row("sgd", 4, "warm_up", 1e-3, 0) | {"epochs": "2", "warm_up": "1", "scored": "held out"}
    found = rates.one_run(start, voc_folder)
    assert found["steps"] == "2" and 0 <= float(found["mean_iou"]) <= 1 and float(found["loss"]) > 0
    lost = rates.one_run(start | {"rate": "1e9", "batch": "2", "warm_up": "0", "epochs": "4"}, voc_folder)
    assert lost["mean_iou"] == lost["loss"] == "nan"


def test_the_tables_of_rates_are_whole():
    """Each job has its row, all made by one code; rates did best in trials, between others that were tried."""
    trials, table = (common.read(MACHINES / f"{name}.csv") for name in ("trials", "rates"))
    code = code_digest((MACHINES / "run.py", "one_run"))
    assert {row["code"] for row in trials + table} == {code}
    expected = []
    for optimizer in rates.OPTIONS:
        for batch in rates.BATCHES:
            assert {*rates.to_try(trials, optimizer, batch)} == rates.tried(trials, optimizer, batch).keys()
            for rule, rate in rates.rules(trials, optimizer, batch).items():
                given = optimizer, str(batch), rule, f"{rate:g}"
                expected += [(*given, str(seed)) for seed in rates.SEEDS]
    assert [tuple(row[key] for key in ("optimizer", "batch", "rule", "rate", "seed")) for row in table] == expected
    steps = {"8": "256", "32": "64", "128": "16"}
    assert all(row["steps"] == steps[row["batch"]] for row in table if row["mean_iou"] != "nan")


def test_what_chapter_17_says_of_the_rates():
    of = {}
    for row in common.read(MACHINES / "rates.csv"):
        key = row["optimizer"], int(row["batch"]), row["rule"]
        of.setdefault(key, []).append(np.nan_to_num(float(row["mean_iou"])))
    of, trials = {key: np.array(scores) for key, scores in of.items()}, common.read(MACHINES / "trials.csv")
    assert abs(of["sgd", 8, "quarter"].mean() - of["sgd", 32, "same"].mean()) < 0.01
    assert rates.tried(trials, "sgd", 32)[0.004] > rates.tried(trials, "sgd", 32)[0.002] + 0.03
    assert rates.tried(trials, "sgd", 8)[0.008] < 0.1
    assert of["sgd", 8, "sixteenth"].min() > of["sgd", 128, "same"].max() + 0.05
    assert (of["sgd", 32, "linear"] < 0.1).all() and (of["sgd", 32, "warm_up"] > 0.75).all()
    assert sum(of["sgd", 32, "peak"] < 0.1) == 2
    assert all((of["sgd", 128, rule] < 0.1).all() for rule in ("root", "linear", "warm_up", "peak"))
    assert of["adam", 32, "root"].mean() > of["adam", 32, "same"].mean()
    assert of["adam", 128, "root"].max() < of["adam", 128, "same"].min() - 0.2


# What a step costs


def test_a_measured_step_is_that_of_a_whole_net():
    """Every weight that learns has a gradient afterwards (scores that begin with zeros are moved), and bytes count."""
    step = costs.Step(costs.LITE, (32, 32))
    learned = [p for p in step.net.collect_params().values() if p.grad_req != "null"]
    for parameter in learned:
        parameter.set_data(parameter.data() + 0.01 * (parameter.data().abs().max() == 0))
        parameter.grad()[:] = 0
    step(*step.batch(2))
    assert all(np.abs(p.grad().asnumpy()).max() > 0 for p in learned)
    assert step.bytes() == sum(p.grad().asnumpy().nbytes for p in learned)
    assert step.batch(3)[0].shape == (3, 3, 32, 32) and step.batch(3)[1].shape == (3, 32, 32)


def test_times_of_a_row_are_repeats_by_ranks():
    row = costs.row("reduce", np.array([[1.0, 2.0], [3.0, 5.0], [2.0, 2.0]]), ranks=2, bytes=4)
    assert row["times_ms"] == "1000 2000 3000 5000 2000 2000" and row["repeats"] == "3"
    assert (float(row["seconds"]), float(row["slowest_s"])) == (2, 2)


def test_the_table_of_costs_is_whole():
    """Each measurement that takes no longer than `LONGEST`, once; seconds are the median of the times beside them."""
    table = common.read(MACHINES / "costs.csv")
    assert {row["code"] for row in table} == {code_digest((MACHINES / "costs.py", "Step"))}
    names = [costs.named(*one) for one in [*costs.SMALL, costs.LARGE]]
    size = {row["bytes"] for row in table if row["net"] == names[0]}
    assert len(size) == 1
    expected = {("step", name, "", "", str(n), str(s)) for name in names[:2] for n in costs.RANKS for s in costs.SHARES}
    expected |= {("step", names[2], "", "", "1", str(share)) for share in costs.LARGE_SHARES}
    for by in costs.BY:
        for link in costs.LINKS:
            for n in costs.RANKS[1:]:
                if costs.least_seconds(by, link, n, int(*size)) <= costs.LONGEST:
                    expected |= {("train", names[0], by, link, str(n), str(share)) for share in costs.TRAINED}
                    expected.add(("pieces", names[0], by, link, str(n), ""))
                sent = [b for b in costs.BYTES if costs.least_seconds(by, link, n, b) <= costs.LONGEST]
                mine = [row for row in table if (row["what"], row["by"], row["link"]) == ("reduce", by, link)]
                assert [int(row["bytes"]) for row in mine if row["ranks"] == str(n)] == sent
    keys = ("what", "net", "by", "link", "ranks", "share")
    found = [tuple(row[key] for key in keys) for row in table if row["what"] != "reduce"]
    assert len(found) == len({*found}) and {*found} == expected
    for row in table:
        times = np.array(row["times_ms"].split(), float).reshape(int(row["repeats"]), int(row["ranks"])) / 1000
        assert len(times) >= 3 and times.min() > 0
        assert float(row["seconds"]) == pytest.approx(np.median(times), rel=2e-3, abs=2e-6)
        assert float(row["slowest_s"]) == pytest.approx(np.median(times.max(axis=1)), rel=2e-3, abs=2e-6)


def test_no_gradient_came_faster_than_its_link():
    """Large ones, on limited links: as long as the bandwidth alone, at least, and less than half as much again."""
    table = [row for row in common.read(MACHINES / "costs.csv") if row["what"] == "reduce"]
    slow = [row for row in table if row["link"] in ("10", "100") and int(row["bytes"]) >= 4_000_000]
    assert len(slow) >= 8
    for row in slow:
        least = costs.least_seconds(row["by"], row["link"], int(row["ranks"]), int(row["bytes"]))
        assert 0.9 * least < float(row["seconds"]) < 1.5 * least, row


def fitted(table, by, link, ranks):
    """A function (ranks, bytes) → seconds: latency and bandwidth by least squares on relative errors."""

    def terms(n, size):
        return (2 * (n - 1), 2 * (n - 1) / n * size) if by == "horovod" else (2, 2 * n * size)

    mine = [row for row in table if (row["what"], row["by"], row["link"]) == ("reduce", by, link)]
    mine = [row for row in mine if row["ranks"] in ranks and int(row["bytes"]) >= 400_000]  # above the burst of tbf
    seconds = np.array([float(row["seconds"]) for row in mine])
    rows = np.array([terms(int(row["ranks"]), int(row["bytes"])) for row in mine]) / seconds[:, None]
    found = np.linalg.lstsq(rows, np.ones(len(rows)), rcond=None)[0]
    return lambda n, size: float(np.dot(found, terms(n, size)))


def test_lines_fitted_to_some_rows_predict_the_others():
    """Shares of 4 from those of 1, 2, 8; sums of four ranks at 100 Mbit/s from those of two; steps from their parts."""
    table = common.read(MACHINES / "costs.csv")
    for name in (costs.named(*one) for one in costs.SMALL):
        mine = [row for row in table if (row["what"], row["net"], row["ranks"]) == ("step", name, "1")]
        seconds = {int(row["share"]): float(row["seconds"]) for row in mine}
        slope, fixed = np.polyfit([1, 2, 8], [seconds[share] for share in (1, 2, 8)], 1)
        assert slope > 0 and fixed > 0 and abs((fixed + 4 * slope) / seconds[4] - 1) < 0.1
    for by in costs.BY:
        line = fitted(table, by, "100", "2")
        four = [
            row for row in table if (row["what"], row["by"], row["link"], row["ranks"]) == ("reduce", by, "100", "4")
        ]
        for row in (row for row in four if int(row["bytes"]) >= 400_000):
            assert abs(line(4, int(row["bytes"])) / float(row["seconds"]) - 1) < 0.15, row
    steps = {(row["net"], row["ranks"], row["share"]): float(row["seconds"]) for row in table if row["what"] == "step"}
    keys = ("by", "link", "ranks")
    pieces = {tuple(row[k] for k in keys): float(row["seconds"]) for row in table if row["what"] == "pieces"}
    gaps = {"loopback": [], "bridge": [], "1000": [], "100": []}
    for row in (row for row in table if row["what"] == "train" and row["link"] in gaps):
        parts = steps[row["net"], row["ranks"], row["share"]] + pieces[tuple(row[k] for k in keys)]
        gaps[row["link"]].append(abs(parts / float(row["seconds"]) - 1))
    assert max(gaps["100"]) < 0.1 and np.median(sum(gaps.values(), [])) < 0.15 and max(sum(gaps.values(), [])) < 0.5


def test_the_gradient_of_the_table_is_that_of_the_net():
    table = {row["net"]: int(row["bytes"]) for row in common.read(MACHINES / "costs.csv") if row["what"] == "step"}
    net = utils.get_model("fcn8s", len(utils.VOC_CLASSES), "efficientnet_lite0", pretrained=True)
    net(nd.zeros((1, 3, 32, 32)))
    learned = sum(p.data().asnumpy().nbytes for p in net.collect_params().values() if p.grad_req != "null")
    for crop in (80, 112), (160, 224):
        assert table["fcn8s efficientnet_lite0 {}x{}".format(*crop)] == learned
