"""What `make bench` computes with, and that its sides do the same work. No time is asserted here."""

import utils

import math
import mmap
import subprocess

import mxnet as mx
import numpy as np
import pytest
from conftest import ROOT
from mxnet import autograd, gluon, nd

from benchmarks import classic, figure, pictures, plan, processes, report, side

TORCH = ROOT / ".venv-bench" / "bin" / "python"


def _rows(part, task, name, seconds, items=1, megabytes=1.0):
    row = {"part": part, "task": task, "side": name, "items": float(items), "megabytes": megabytes}
    for number, value in enumerate(seconds, 1):
        yield row | {"round": float(number), "seconds": value, "elsewhere": 0.0, "date": "2024-01-01"}


# ---- Ratios ----


def test_a_ratio_is_taken_in_each_round_and_summarised_by_quartiles():
    """A machine that slows down makes both sides slow: the ratio of medians would be 2, as is each round's here."""
    target = plan.Target("", "p", ("t", "slow"), ("t", "fast"), ">=", 2)
    rows = [*_rows("p", "t", "fast", [1, 2, 40, 3, 5]), *_rows("p", "t", "slow", [2, 5, 80, 3, 20])]
    assert report.ratios(rows, target) == ("slow", "fast", [2, 2.5, 2, 1, 4])
    assert report.summary([2, 2.5, 2, 1, 4]) == (2, 2, 2.5)  # sorted by hand: 1 2 2 2.5 4
    assert report.summary([1, 2, 3, 4]) == (2.5, 1.75, 3.25)
    assert report.summary([7]) == (7, 7, 7)


def test_a_ratio_is_of_an_item_and_of_rounds_that_both_have():
    target = plan.Target("", "p", ("t", "step"), ("t", "loader"))
    rows = [*_rows("p", "t", "step", [8, 8, 8], items=8), *_rows("p", "t", "loader", [4, 8], items=16)]
    assert report.ratios(rows, target)[2] == [4, 2]


def test_the_fastest_of_several_forms_counts_by_its_median():
    rows = [*_rows("p", "t", "PyTorch, eager", [1, 9, 9]), *_rows("p", "t", "PyTorch, compiled", [5, 5, 5])]
    rows += [*_rows("p", "t", "course", [2, 2, 2]), *_rows("p", "u", "PyTorch, other", [1, 1, 1])]
    target = plan.Target("", "p", ("t", "PyTorch*"), ("t", "course"), ">=", 2.5)
    assert report.ratios(rows, target) == ("PyTorch, compiled", "course", [2.5, 2.5, 2.5])
    assert report.fastest(rows, "p", "t", "JAX*") is None and report.ratios([], target)[2] == []


VERDICTS = [(">=", 2, 2, True), (">=", 2, 1.9, False), ("<=", 2, 2, True), ("<=", 2, 2.1, False), (">=", None, 1, None)]


@pytest.mark.parametrize("sense, bound, median, verdict", VERDICTS)
def test_whether_a_target_is_reached(sense, bound, median, verdict):
    assert report.reached(plan.Target("", "p", None, None, sense, bound), median) is verdict


def test_every_target_names_sides_that_the_plan_has():
    for target in plan.TARGETS:
        for task, name in filter(None, (target.over, target.under)):
            sides = [one.name for one in plan.parts()[target.part].tasks[task]]
            assert any(one == name or name.endswith("*") and one.startswith(name[:-1]) for one in sides), target.text


# ---- Taking turns ----


class FakeProcess:
    """A side that takes part of its name's length in seconds, and breaks where it is told to."""

    def __init__(self, log, name):
        self.log, self.name = log, name
        log.append(("begin", name))

    def close(self):
        self.log.append(("close", self.name))


def _alternate(names, rounds, fresh=False, breaks=None):
    log, said = [], []

    def start(one):
        if breaks == ("begin", one.name):
            raise processes.SideError("no library")
        return FakeProcess(log, one.name)

    def ask(process, one):
        log.append(("ask", one.name))
        if breaks == ("ask", one.name):
            raise processes.SideError("broken")
        return {"seconds": len(one.name)}

    sides = [plan.Side(name, "course", "step", {}) for name in names]
    found = processes.alternate(sides, rounds, start, ask, lambda text, keep=False: said.append(text), fresh)
    return found, log, said


def test_sides_take_turns_and_every_other_round_goes_backwards():
    found, log, _ = _alternate(["a", "bb"], 3)
    assert [what for what in log if what[0] == "ask"] == [("ask", name) for name in ("a", "bb", "bb", "a", "a", "bb")]
    assert found[0] == ("a", 1, {"seconds": 1}) and found[-1] == ("bb", 3, {"seconds": 2})
    assert {what for what in log[:2]} == {("begin", "a"), ("begin", "bb")} and [w for w, _ in log].count("begin") == 2
    assert {what for what in log[-2:]} == {("close", "a"), ("close", "bb")}


def test_a_fresh_process_for_each_measurement():
    _, log, _ = _alternate(["a"], 2, fresh=True)
    assert [what for what, _ in log] == ["begin", "ask", "close"] * 2


@pytest.mark.parametrize("when", ["begin", "ask"])
def test_a_side_that_fails_is_named_and_left_out_and_the_others_go_on(when):
    found, log, said = _alternate(["a", "bb"], 2, breaks=(when, "a"))
    assert [(name, number) for name, number, _ in found] == [("bb", 1), ("bb", 2)]
    assert sum("a: left out: " in text for text in said) == 1
    assert [w for w, _ in log].count("begin") == [w for w, _ in log].count("close")  # none is left running


def test_a_real_side_answers_measures_and_ends(tmp_path):
    """`label` of the course's side, in its own process."""
    one = plan.Side("course", "course", "label", {"pairs": 3})
    with (tmp_path / "log.txt").open("w") as log:
        process = processes.Process("course", 1, log)
        try:
            assert "seconds" not in process.ask(one, 0.001, prepare=True)
            elsewhere = processes.Elsewhere(process.pid)
            answer = process.ask(one, 0.001)
            busy = elsewhere.cores()
            with pytest.raises(processes.SideError, match="KeyError"):
                process.ask(plan.Side("course", "course", "no such thing", {}), 0)
        finally:
            process.close()
    assert answer["items"] == 3 and 0 < answer["seconds"] < 60 and 0 <= busy < 1000
    assert process._popen.returncode == 0


def test_a_call_is_timed_or_says_its_own_seconds(monkeypatch):
    clock = iter([10.0, 16.0, 20.0, 26.0])
    monkeypatch.setattr(side.time, "perf_counter", lambda: next(clock))
    assert side._timed(lambda: None, 3) == 2
    assert side._timed(lambda: 0.25, 3) == 0.25


def test_memory_is_this_process_s():
    now, peak = side._megabytes("VmRSS"), side._megabytes("VmHWM")
    if math.isnan(now):
        pytest.skip("no /proc here: the system doesn't tell")
    block = mmap.mmap(-1, 200 * 2**20)  # not from malloc, which may have it at hand
    block.write(bytes(len(block)))
    assert side._megabytes("VmRSS") - now > 150 and side._megabytes("VmHWM") >= peak
    del block


# ---- The report ----


def _measured():
    """Rows of every part, made up: each side takes its place in its task, in seconds."""
    for name, part in plan.parts().items():
        for task, sides in part.tasks.items():
            for place, one in enumerate(sides, 1):
                yield from _rows(name, task, one.name, [place, place * 1.1], megabytes=100.0 * place)


def test_results_are_read_as_they_were_written(tmp_path):
    about, rows = {"processor": "one: fast", "cores": "2"}, list(_measured())
    report.write(tmp_path / "results.csv", about, rows)
    there, again = report.read(tmp_path / "results.csv")
    assert there == about and len(again) == len(rows)
    assert [{key: row[key] for key in rows[0]} for row in again] == [
        row | {"seconds": float(f"{row['seconds']:.6g}")} for row in rows
    ]


def test_the_readme_gets_the_tables_and_keeps_the_rest(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    text = report.tables({"cores": "2"}, list(_measured()))
    for _ in range(2):
        report.into_readme(readme, text)
    found = readme.read_text()
    assert found == f"before\n{report.BEGIN}\n{text}{report.END}\nafter\n" and "cores: 2" in text
    assert "not measured" not in text and "not measured" in report.tables({}, [])
    rows = [*_rows("training", "step", "course, FCN-32s", [2, 2]), *_rows("training", "step", "classic", [6, 4])]
    line = "| 1 · training FCN-32s, batch 8: classic, all cores / course | 2.50 (2.25 to 2.75) | ≥ 1.6 | yes |"
    assert line in report.tables({}, rows)


def test_the_figure_is_drawn(tmp_path):
    figure.draw(tmp_path / "all.png", list(_measured()))
    figure.draw(tmp_path / "nothing.png", [])
    assert (tmp_path / "all.png").stat().st_size > (tmp_path / "nothing.png").stat().st_size > 10_000


# ---- The sides do the same work ----


def test_pictures_have_voc_s_palette():
    assert [tuple(color) for color in pictures.palette()[:21]] == utils.VOC_COLORMAP


def test_a_batch_has_the_shapes_asked_for_and_every_side_gets_the_same():
    (x, y), (x2, y2) = (pictures.batch(2, 40, 70, 5) for _ in range(2))
    assert x.shape == (2, 3, 40, 70) and x.dtype == np.float32 and y.shape == (2, 40, 70)
    assert set(np.unique(y)) == {0, 1, 2, 3, 4, pictures.VOID}
    assert (x == x2).all() and (y == y2).all()


def test_classic_labels_are_the_course_s_but_for_void(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "FOLDER", tmp_path)
    monkeypatch.setattr(pictures, "DISTINCT", 2)
    root, table = pictures.make(3), classic.color_table()
    for name in utils.read_names(root, train=True):
        path = utils.label_path(root, name)
        ours, theirs = utils.read_label(path), classic.indices(mx.image.imread(str(path)), table)
        assert ours.shape == pictures.SIZE and {0, 255} < set(np.unique(ours))
        np.testing.assert_array_equal(np.where(ours == 255, 0, ours), theirs)
    assert table.dtype == np.float64 and table.size == 256**3
    image, label = classic.InMemory(root, (320, 480))[2]
    assert image.shape == (3, 320, 480) and label.shape == (320, 480)


def test_classic_and_course_lose_the_same_where_nothing_is_void():
    scores, label = nd.random.normal(shape=(2, 5, 6, 7)), nd.array(np.random.randint(0, 5, (2, 6, 7)))
    found = []
    for loss in classic.loss_function(), utils.SoftmaxCrossEntropyLoss():
        scores.attach_grad()
        with autograd.record():
            losses = loss(scores, label)
        losses.backward()
        found.append((losses.asnumpy(), scores.grad.asnumpy()))
    for theirs, ours in zip(*found, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-7)


def test_the_classic_enlargement_begins_as_the_course_teaches_it():
    np.testing.assert_allclose(classic.bilinear(21, 64).asnumpy(), utils.bilinear_kernel(21, 21, 64).asnumpy(), 1e-6)
    net = classic.fcn(3)
    assert net(nd.zeros((1, 3, 64, 96))).shape == (1, 3, 64, 96)
    assert net[-1].weight.grad_req == "write" and isinstance(net[0], gluon.nn.BatchNorm)


def test_pytorch_s_net_is_the_course_s(tmp_path):
    """The same weights give the same scores, for a picture whose sides are no multiples of 32."""
    if not TORCH.is_file():
        pytest.skip("PyTorch is not here (.venv-bench): `make bench` installs it")
    x = nd.random.normal(shape=(2, 3, 70, 100))
    net = utils.fcn(21)
    net(x)
    nd.waitall()  # oneDNN may reorder weights for this pass while they are copied
    parameters, rng = net._collect_params_with_prefix(), np.random.RandomState(0)
    for name, parameter in parameters.items():  # those of BatchNorm begin as 0 and 1, which would hide a mistake
        if parameter.data().ndim == 1 and name not in ("features.0.gamma", "features.0.beta"):
            parameter.set_data(nd.array(rng.uniform(0.5, 1.5, parameter.shape)))
    arrays = {name: parameter.data().asnumpy() for name, parameter in parameters.items()}
    np.savez(tmp_path / "weights.npz", x=x.asnumpy(), **arrays)
    command = [TORCH, "-m", "benchmarks.pytorch", tmp_path / "weights.npz", tmp_path / "scores.npy"]
    subprocess.run(command, cwd=ROOT, check=True)
    ours, theirs = net(x).asnumpy(), np.load(tmp_path / "scores.npy")
    assert np.abs(ours).max() > 1
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
