"""What the scripts in this folder share: training as chapters 08 and 09 do it, a row of scores, a table of rows.

A row is kept while its settings, its data and the code that made it, of `utils` and of the script, are the same;
otherwise the run is made anew. Runs are shared out to one process for each processor core, with one thread each: on a
CPU that is faster, in sum, than one run after the other on all cores. With a GPU they run one after the other.
"""

import utils
from utils.core.files import atomic_write
from utils.engine.digest import code_digest, data_digest

import argparse
import concurrent.futures
import csv
import multiprocessing
import os
import pathlib
import platform
import time

import mxnet as mx
import numpy as np
from mxnet import gluon

CROP, BATCH, TRIMAP = (160, 224), 8, 4
SCALE = {"voc_mini": 1.0, "camvid": 0.5}


def datasets(data, root, seed):
    """Training crops and whole test pictures."""
    train_set = utils.VOCSegDataset(True, CROP, root, SCALE[data], seed=seed)
    return train_set, utils.VOCSegDataset(False, None, root, SCALE[data])


def train(net, train_set, epochs, rate):
    """The training of chapter 08: Adam, poly schedule, batches of 8; its seconds of processor time (on a GPU: of time).

    Processor time, summed over threads, so that what else the machine does meanwhile hardly counts.
    """
    net.hybridize()
    data, loss, ctx = utils.data_loader(train_set, BATCH), utils.SoftmaxCrossEntropyLoss(), utils.try_gpu()
    loss.hybridize()
    schedule = mx.lr_scheduler.PolyScheduler(epochs * len(data), rate, pwr=0.9)
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": rate, "lr_scheduler": schedule})
    clock = time.process_time if ctx == mx.cpu() else time.time
    start = clock()
    if utils.train(data, None, net, loss, trainer, ctx, epochs).interrupted:
        raise KeyboardInterrupt  # no row of half a training
    mx.nd.waitall()
    return clock() - start


def settings(data, rate):
    """What every run on a data set shares, as text."""
    return f"scale {SCALE[data]}, crop {CROP[0]}x{CROP[1]}, batch {BATCH}, adam {rate}, poly 0.9, trimap {TRIMAP}"


def scores(predict, test_set):
    """Scores over the test pictures, trimap IoU, IoU of each class, and the baseline, as texts for a row.

    predict(x, y): labels or scores (1, …) of one test picture (3, H, W); y is its truth, for ceilings only.
    """
    whole, border = (utils.SegmentationMetric(len(test_set.classes), trimap=width) for width in (None, TRIMAP))
    for x, y in test_set:
        prediction = predict(x, y)
        for metric in whole, border:
            metric.update(y.expand_dims(0), prediction)
    shares = whole.confusion.sum(1) / whole.confusion.sum()
    row = whole.scores() | {"trimap_iou": border.scores()["mean_iou"]}
    row |= {"baseline_acc": shares.max(), "baseline_iou": shares.max() / np.count_nonzero(shares)}
    row = {key: f"{value:.4f}" for key, value in row.items()}
    pairs = zip(test_set.classes.names, whole.iou, strict=True)
    return row | {"iou": "; ".join(f"{name} {value:.3f}" for name, value in pairs if not np.isnan(value))}


def by(net):
    """What a net says, for `scores`."""
    return lambda x, y: net(x.expand_dims(0).as_in_context(utils.try_gpu()))


def circumstances(seconds):
    """Seconds of training, threads, machine and versions, for a row."""
    threads = os.environ["OMP_NUM_THREADS"]
    return {
        "seconds": f"{seconds:.0f}",
        "machine": f"{platform.machine()}, {utils.physical_cores()} cores, {threads} for this run, {utils.try_gpu()}",
        "versions": f"mxnet {mx.__version__}, numpy {np.__version__}, python {platform.python_version()}",
    }


def read(path):
    """The rows of a table; none where there is no file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def make(path, jobs, one_run, key, adopt=False):
    """Bring a table up to date: keep the rows that match, make the others; rows of other jobs stay as they are.

    jobs: pairs of what a row begins with, a dict, and its folder, in the table's order. one_run(job, root): a whole
    row. key: the columns that tell one job from another, seed last. adopt: see `adopted`. Written after each run, so
    that a stop loses only the runs under way.
    """
    rows = {tuple(row[k] for k in key): row for row in read(path)}
    if adopt:
        rows = adopted(path, rows, jobs, one_run, key)
    names = [tuple(job[k] for k in key) for job, _ in jobs]
    todo = [(name, *job) for name, job in zip(names, jobs, strict=True) if not matches(rows.get(name), job[0])]
    print(f"{path.parent.name}: {len(jobs) - len(todo)} runs kept, {len(todo)} to make", flush=True)
    todo.sort(key=lambda run: run[1]["seed"])  # seed by seed, so that a stop leaves whole sets
    with _pool() as pool:
        running = {pool.submit(one_run, job, root): name for name, job, root in todo}
        try:
            for done in concurrent.futures.as_completed(running):
                rows[running[done]] = done.result()
                order = [name for name in names if name in rows] + [name for name in rows if name not in names]
                write(path, [rows[name] for name in order])
                print(
                    f"{path.parent.name}: {', '.join(running[done])}: mean IoU {done.result()['mean_iou']}", flush=True
                )
        except BaseException:  # one failed, or Ctrl-C: the table holds what was done before
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def adopted(path, rows, jobs, one_run, key):
    """Rows that differ in nothing but the code that made them, taken over if that code gives the same.

    For a change of code that should not touch training: of each kind of run one is repeated, on the first data set that
    has it. If all give the same scores to the last digit, the rows are marked as made by the code as it is now; if one
    doesn't, none is. What a table of before had no column for counts as the same.
    """
    old = {tuple(job[k] for k in key): (job, root) for job, root in jobs}
    old = {name: run for name, run in old.items() if _only_code_differs(rows.get(name), run[0])}
    tries = {}
    for name, run in old.items():
        tries.setdefault(name[1:-1], (name, run))  # the kind: all but the data set and the seed
    tries = dict(tries.values())
    with _pool() as pool:
        done = dict(zip(tries, pool.map(one_run, *zip(*tries.values(), strict=True)), strict=True)) if tries else {}
    passing = {"seconds", "machine", "code"}
    for name, row in done.items():
        if changed := [k for k in row if k not in passing and row[k] != rows[name].get(k, row[k])]:
            where, what = ", ".join(name), ", ".join(changed)
            print(f"{path.parent.name}: {where}: {what} changed with the code, so no row is taken over")
            return rows
    print(f"{path.parent.name}: {len(done)} runs repeated, all the same: {len(old)} rows taken over", flush=True)
    rows |= {name: job | rows[name] | {"code": job["code"]} for name, (job, _) in old.items()}
    if old:
        write(path, list(rows.values()))
    return rows


def _only_code_differs(row, job):
    return row is not None and not matches(row, job) and matches(job | row | {"code": job["code"]}, job)


def _pool():
    """Worker processes: one a core, with one thread each; a single one where there is a GPU."""
    workers = 1 if utils.try_gpu() != mx.cpu() else utils.physical_cores()
    if workers > 1:
        os.environ["OMP_NUM_THREADS"] = "1"
    return concurrent.futures.ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))


def matches(row, job):
    """Whether a row of the table is what a job would make."""
    return row is not None and all(row.get(key) == value for key, value in job.items())


def arguments(doc, trials=False):
    """What the scripts' command line says, and {data set: its folder}. trials: is there a table of trials, too?"""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camvid", nargs="?", help="CamVid in VOC layout")
    parser.add_argument("--adopt", action="store_true", help="take over rows of older code where a repeat is the same")
    if trials:
        parser.add_argument("--trials", action="store_true", help="make trials.csv only")
    args = parser.parse_args()
    return args, {"voc_mini": utils.data_root()} | ({"camvid": args.camvid} if args.camvid else {})


def command(doc, script, jobs_of, one_run, key):
    """The command line that the scripts share. script: the path of one; its table.csv lies beside it."""
    args, roots = arguments(doc)
    jobs = [job for data, root in roots.items() for job in jobs_of(data, root)]
    make(pathlib.Path(script).with_name("table.csv"), jobs, one_run, key, args.adopt)


def write(path, rows):
    """Write a table whole, or not at all."""
    with atomic_write(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        columns = list(dict.fromkeys(key for row in rows for key in row))
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def provenance(script, data, root):
    """Digests of the pictures trained and tested on, and of the code that `one_run` of a script goes through."""
    pictures = " ".join(map(data_digest, datasets(data, root, 0)))
    return {"pictures": pictures, "code": code_digest((script, "one_run"))}
