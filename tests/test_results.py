"""Tables of long runs: whole, and made anew only where something that matters differs."""

import utils

import concurrent.futures

import pytest
from conftest import ROOT

from results import common
from results.half_cell import run as half_cell
from results.skips import run as skips

KEY = ("data", "net", "seed")


def _jobs(code="a", settings="x", seeds=2):
    for net in "32s", "8s":
        for seed in range(seeds):
            yield {"data": "mini", "net": net, "seed": str(seed), "settings": settings, "code": code}, "folder"


class Runs:
    """Stands for a training: the score depends on the job, and on `bug`."""

    def __init__(self, bug=0):
        self.made, self.bug = [], bug

    def __call__(self, job, root):
        self.made.append((job["net"], job["seed"]))
        return job | {"mean_iou": f"{len(job['net']) + int(job['seed']) + self.bug}", "seconds": f"{len(self.made)}"}


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.setattr(common, "_pool", lambda: concurrent.futures.ThreadPoolExecutor(1))
    return tmp_path / "table.csv"


def _make(table, jobs, **options):
    runs = Runs(options.pop("bug", 0))
    common.make(table, list(jobs), runs, KEY, **options)
    return runs.made


def test_what_is_there_is_not_made_again(table):
    assert len(_make(table, _jobs())) == 4
    before = table.read_text()
    assert _make(table, _jobs()) == [] and table.read_text() == before
    assert _make(table, _jobs(seeds=3)) == [("32s", "2"), ("8s", "2")]
    assert [(row["net"], row["seed"]) for row in common.read(table)] == [(n, s) for n in ("32s", "8s") for s in "012"]


def test_other_settings_or_other_code_are_made_anew_and_other_rows_stay(table):
    _make(table, _jobs())
    assert len(_make(table, [job for job in _jobs(settings="y") if job[0]["net"] == "8s"])) == 2
    assert [row["settings"] for row in common.read(table) if row["net"] == "32s"] == ["x", "x"]
    assert len(_make(table, _jobs(code="b", settings="y"))) == 4


def test_older_code_is_taken_over_where_a_repeat_gives_the_same(table, capsys):
    _make(table, _jobs())
    assert _make(table, _jobs(code="b"), adopt=True) == [("32s", "0"), ("8s", "0")]
    assert "4 rows taken over" in capsys.readouterr().out
    assert {row["code"] for row in common.read(table)} == {"b"}


def test_code_is_tried_even_where_the_first_seed_was_made_by_it(table):
    _make(table, _jobs(seeds=1))
    _make(table, [(job | {"code": "old"}, root) for job, root in _jobs() if job["seed"] == "1"])
    assert _make(table, _jobs(), adopt=True, bug=1)[:2] == [("32s", "1"), ("8s", "1")]
    assert [row["mean_iou"] for row in common.read(table)] == ["3", "5", "2", "4"]


def test_a_run_that_fails_leaves_those_before_it(table):
    def breaks(job, root):
        if job["seed"] == "1":
            raise RuntimeError("no")
        return job | {"mean_iou": "0", "seconds": "0"}

    with pytest.raises(RuntimeError):
        common.make(table, list(_jobs()), breaks, KEY)
    assert [row["seed"] for row in common.read(table)] == ["0", "0"]


def test_and_made_anew_where_it_does_not(table, capsys):
    _make(table, _jobs())
    assert len(_make(table, _jobs(code="b"), adopt=True, bug=1)) == 2 + 4
    assert "mean_iou changed with the code" in capsys.readouterr().out


def test_epochs_are_shared_out():
    assert [skips.shares(7, parts) for parts in (1, 2, 3)] == [[7], [4, 3], [3, 2, 2]]


def test_the_table_of_chapter_09_is_whole():
    """Each net and way with three seeds on both data sets, the same number of epochs within each."""
    rows = common.read(ROOT / "results" / "skips" / "table.csv")
    assert len({row["code"] for row in rows}) == 1
    for data in "voc_mini", "camvid":
        mine = [row for row in rows if row["data"] == data]
        for stride, way in skips.RUNS:
            seeds = [row["seed"] for row in mine if (row["net"], row["way"]) == (f"{stride}s", way)]
            assert seeds == (["0"] if way == "ceiling" else ["0", "1", "2"]), (data, stride, way)
        epochs = {sum(map(int, row["epochs"].split("+"))) for row in mine if row["way"] != "ceiling"}
        assert epochs == {skips.PLAN[data]["epochs"]} and len({row["pictures"] for row in mine}) == 1
        assert all(0 < float(row["mean_iou"]) < 1 and 0 < float(row["trimap_iou"]) < 1 for row in mine)


def test_the_table_of_half_a_cell_is_whole():
    """Three seeds for each net and way, and ceilings, by one state of the code."""
    rows = common.read(ROOT / "results" / "half_cell" / "table.csv")
    assert len({row["code"] for row in rows}) == len({row["pictures"] for row in rows}) == 1
    expected = [
        (f"{crop[0]}x{crop[1]}", f"{stride}s", way, seed)
        for crop, strides in half_cell.CROPS.items()
        for stride in strides
        for way in ("aligned", "classic")
        for seed in "012"
    ]
    expected += [("none", f"{stride}s", f"ceiling {way}", "0") for stride, way in half_cell.NETS]
    assert [tuple(row[k] for k in ("crop", "net", "way", "seed")) for row in rows] == expected
    before = common.read(ROOT / "results" / "skips" / "table.csv")
    before = {(row["data"], row["net"], row["way"], row["seed"]): row["iou"] for row in before}
    for row in rows:
        if row["crop"] == "160x224":
            way = {"aligned": "at once"}.get(row["way"], row["way"])
            assert row["iou"] == before["voc_mini", row["net"], way, row["seed"]]


def test_the_truth_reduced_to_classic_places_is_the_ceiling():
    test_set = utils.VOCSegDataset(train=False, crop_size=None)
    for i in 0, 7:
        label = test_set[i][1].asnumpy()
        found = half_cell.reduced_and_enlarged(label, 21, 32, 15.5)
        assert (found == utils.ceiling(label, 32, 21)).mean() > 0.99


def test_a_part_of_the_test_pictures_ends_at_the_last_aligned_cell():
    test_set = utils.VOCSegDataset(train=False, crop_size=None)
    inside, beyond = (half_cell.Part(test_set, part) for part in (False, True))
    (x, y), (same, near), (_, far) = test_set[0], next(iter(inside)), next(iter(beyond))
    y, near, far = (part.asnumpy() for part in (y, near, far))
    assert (x == same).asnumpy().all() and y.shape == (183, 236)
    assert (near[:161, :225] == y[:161, :225]).all() and (far[:161, :225] == utils.VOID).all()
    assert (far[161:] == y[161:]).all() and (far[:, 225:] == y[:, 225:]).all()
    assert (near[161:] == utils.VOID).all() and (near[:, 225:] == utils.VOID).all()
