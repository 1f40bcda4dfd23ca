"""What a step on several machines is made of, measured (chapter 17): makes costs.csv. Not a part of `make results`.

    python -m results.machines.costs            all of it, about 25 minutes, on a quiet machine
    python -m results.machines.costs --adopt    take over the rows after a change of code that made no step slower

Needs Horovod (`make setup WITH=horovod`), and for links other than loopback Linux and root: there each rank has a
network namespace, a bridge joins them, and `tc tbf` limits what each sends and receives. Processes have one thread
each. Steps of one, two and four processes and of all shares take turns; sums and whole steps come one after the other.

what      step: forward and backward of a net, for a share of a batch. reduce: the sum of one array over all ranks.
          pieces: the sums of a net's gradient, array by array, as a step asks for them. train: a whole step, that is
          forward and backward of the share, those sums, and the update
net       the net and its crop
by        horovod (a ring, by Gloo) or dist_sync (MXNet's store, one server); empty for step
link      loopback, bridge (namespaces, no limit), or Mbit/s
ranks     processes at once; share: pictures of each; bytes: of the gradient, 4 a weight
seconds   the median over ranks and repeats. slowest_s: of each repeat the slowest rank, the median over repeats
cpu_s     processor time of a rank, the median, where nothing is sent
times_ms  all times, repeat by repeat, and in each rank by rank: `reshape(repeats, ranks)`

A repeat begins on all ranks at once, after a barrier. What takes more than 15 s by the bandwidth alone was left out.
Limits let a burst of 64 kB pass, so what is smaller meets none: fits of bandwidths begin at 400 kB. Four processes
share the two cores of the machine that made the table; other jobs of low priority ran beside steps.
"""

import utils
from utils.engine.digest import code_digest
from utils.engine.distributed import find_ranks

import contextlib
import json
import multiprocessing
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

import mxnet as mx
import numpy as np
from mxnet import autograd, nd

from results import common

LITE, RESNET = ("fcn8s", "efficientnet_lite0"), ("gluoncv_fcn", "resnet101")
SMALL, LARGE = [(LITE, (80, 112)), (LITE, (160, 224))], (RESNET, (512, 512))
SHARES, LARGE_SHARES, TRAINED = (1, 2, 4, 8), (1, 2), (2, 8)
RANKS, BYTES = (1, 2, 4), (4_000, 40_000, 400_000, 4_000_000, 16_000_000)
LINKS, BY = ("loopback", "bridge", "1000", "100", "10"), ("horovod", "dist_sync")
REPEATS, LONGEST = 40, 15
KEY = ("what", "net", "by", "link", "ranks", "share", "bytes")
HERE = pathlib.Path(__file__)
BRIDGE, ADDRESS = "course17", "10.77.0.{}"


def named(net, crop):
    """A net and its crop, as the table names them."""
    return "{} {} {}x{}".format(*net, *crop)


class Step:
    """Forward and backward of a net on a share of a batch."""

    def __init__(self, net, crop):
        utils.seed(0)
        (model, backbone), self.crop = net, crop
        self.name, self.classes = named(net, crop), len(utils.VOC_CLASSES)
        self.net = utils.get_model(model, self.classes, backbone, model == "fcn8s", ctx=mx.cpu())
        self.loss = getattr(self.net, "training_loss", utils.SoftmaxCrossEntropyLoss)()
        self.net.hybridize()
        self.loss.hybridize()
        self(*self.batch(1))  # makes all weights

    def batch(self, share):
        """Random pictures and labels: what they show costs no time."""
        rng = np.random.RandomState(0)
        x = nd.array(rng.normal(size=(share, 3, *self.crop)))
        return x, nd.array(rng.randint(self.classes, size=(share, *self.crop)))

    def __call__(self, x, y):
        with autograd.record():
            value = self.loss(self.net(x), y)
        value.backward()
        nd.waitall()

    def bytes(self):
        """Of the gradient of all weights that learn."""
        return 4 * sum(p.data().size for p in self.net.collect_params().values() if p.grad_req != "null")


def timed(call, *given):
    """Seconds, and seconds of processor time."""
    start, used = time.perf_counter(), time.process_time()
    call(*given)
    return time.perf_counter() - start, time.process_time() - used


def least_seconds(by, link, ranks, size):
    """What the bandwidth alone asks for."""
    through = 2 * (ranks - 1) / ranks * size if by == "horovod" else 2 * ranks * size
    return through * 8 / (float(link) * 1e6) if link.isdigit() else through / 1e9


def row(what, times, **more):
    """A row, of times (repeats, ranks) in seconds."""
    found = dict.fromkeys((*KEY, "repeats", "seconds", "slowest_s", "cpu_s"), "") | {"what": what} | more
    found |= {"repeats": len(times), "seconds": f"{np.median(times):.6f}"}
    found |= {"slowest_s": f"{np.median(times.max(axis=1)):.6f}"}
    found |= {"times_ms": " ".join(f"{1000 * t:.4g}" for t in times.ravel())}
    return {key: str(value) for key, value in found.items()}


def _works(rank, barrier, pipe, nets):
    """A process that makes the steps it is asked for, at the same time as the others."""
    steps = [Step(*net) for net in nets]
    batches = {(step, share): step.batch(share) for step in steps for share in SHARES}
    pipe.send([(step.name, step.bytes()) for step in steps])
    while (asked := pipe.recv()) is not None:
        number, share, together = asked
        work = steps[number], *batches[steps[number], share]
        barrier[together].wait()
        pipe.send(timed(*work))


def steps(nets=SMALL, shares=SHARES, repeats=REPEATS, ranks=RANKS):
    """Rows of `step`: one, two, four processes at once."""
    context = multiprocessing.get_context("spawn")
    barriers = {n: context.Barrier(n) for n in ranks}
    pipes, workers = [], []
    for rank in range(max(ranks)):
        pipe, other = context.Pipe()
        workers.append(context.Process(target=_works, args=(rank, barriers, other, nets), daemon=True))
        pipes.append(pipe)
        workers[-1].start()
    known = [pipe.recv() for pipe in pipes][0]
    todo = [(number, share, n) for number in range(len(nets)) for share in shares for n in ranks]
    found = {asked: [] for asked in todo}
    for repeat in range(repeats + 2):
        for asked in np.random.RandomState(repeat).permutation(len(todo)):
            for pipe in pipes[: todo[asked][2]]:
                pipe.send(todo[asked])
            found[todo[asked]].append([pipe.recv() for pipe in pipes[: todo[asked][2]]])
    for pipe in pipes:
        pipe.send(None)
    for worker in workers:
        worker.join()
    for (number, share, n), all_of in found.items():
        times, used = np.moveaxis(np.array(all_of[2:]), 2, 0)  # the first are slower
        name, size = known[number]
        yield row("step", times, net=name, ranks=n, share=share, bytes=size, cpu_s=f"{np.median(used):.6f}")


def large(repeats):
    """Rows of `step` for ResNet101-FCN: one process."""
    step = Step(*LARGE)
    batches = {share: step.batch(share) for share in LARGE_SHARES}
    found = {share: [] for share in batches}
    for _ in range(repeats):
        for share, batch in batches.items():
            found[share].append(timed(step, *batch))
    for share, both in found.items():
        times, used = np.array(both).T
        given = {"net": step.name, "ranks": 1, "share": share, "bytes": step.bytes()}
        yield row("step", times[:, None], cpu_s=f"{np.median(used):.6f}", **given)


def as_a_rank(by, link, parts):
    """What each rank runs: sums and whole steps; rank 0 prints the rows' times. parts: of reduce, pieces and train."""
    ranks = find_ranks()
    todo, small = [], Step(*SMALL[0])
    barrier = nd.ones(1)
    trainer = ranks.trainer(small.net.collect_params(), "sgd", {"learning_rate": 1e-6})

    def both(share, x, y):
        small(x, y)
        trainer.step(share)
        nd.waitall()

    def adds(name, array):
        ranks.add(name, array)
        array.wait_to_read()

    def pieces():
        trainer.allreduce_grads()
        nd.waitall()

    for size in BYTES:
        todo.append(("reduce", size, None, adds, str(size), nd.ones(size // 4)))
    todo.append(("pieces", small.bytes(), None, pieces))
    todo += [("train", small.bytes(), share, both, share, *small.batch(share)) for share in TRAINED]
    for what, size, share, *work in (one for one in todo if one[0] in parts):
        least = least_seconds(by, link, ranks.size, size)
        if least > LONGEST:
            continue
        repeats, times = int(np.clip(5 / (least + 0.02 * (share or 0)), 3, 20)), []
        for _ in range(repeats + (2 if least < 1 else 1)):
            if what == "reduce":
                work[-1][:] = 1
            adds("barrier", barrier)
            times.append(timed(*work)[0])
        if what == "reduce":
            assert (work[-1] == ranks.size).asnumpy().all(), "no sum of all ranks"
        table = np.zeros((repeats, ranks.size))
        table[:, ranks.rank] = times[-repeats:]
        table = ranks.total(f"times {what} {size} {share}", table)
        if ranks.rank == 0:
            print(json.dumps([what, size, share, table.tolist()]), flush=True)


def _run(*words):
    subprocess.run(words, check=True, capture_output=True)


@contextlib.contextmanager
def joined(link, count):
    """Commands to begin with, and addresses, of so many machines; the one of who asks; the interface's name."""
    if link == "loopback":
        yield [[]] * count, ["127.0.0.1"] * count, "127.0.0.1", "lo", "lo"
        return
    names = [f"{BRIDGE}-{i}" for i in range(count)]  # Horovod asks for its own machine's name: the host's is 127.0.0.1
    try:
        _run("ip", "link", "add", BRIDGE, "type", "bridge")
        _run("ip", "address", "add", ADDRESS.format(254) + "/24", "dev", BRIDGE)
        _run("ip", "link", "set", BRIDGE, "up")
        for i, name in enumerate(names):
            inside = ("ip", "netns", "exec", name)
            _run("ip", "netns", "add", name)
            _run("ip", "link", "add", f"c17v{i}", "type", "veth", "peer", "name", "eth0", "netns", name)
            _run("ip", "link", "set", f"c17v{i}", "master", BRIDGE, "up")
            _run(*inside, "ip", "address", "add", ADDRESS.format(i + 1) + "/24", "dev", "eth0")
            hosts = pathlib.Path("/etc/netns", name, "hosts")  # ip netns exec puts it in the place of /etc/hosts
            hosts.parent.mkdir(parents=True, exist_ok=True)
            hosts.write_text(f"127.0.0.1 localhost\n{ADDRESS.format(i + 1)} {socket.gethostname()}\n")
            for device in "lo", "eth0":
                _run(*inside, "ip", "link", "set", device, "up")
            if link.isdigit():
                limit = max(256, int(link) * 1000 // 8 // 20)  # kB: what 50 ms bring
                shape = ("root", "tbf", "rate", f"{link}mbit", "burst", "64kb", "limit", f"{limit}kb")
                _run("tc", "qdisc", "add", "dev", f"c17v{i}", *shape)
                _run(*inside, "tc", "qdisc", "add", "dev", "eth0", *shape)
        inside = [["ip", "netns", "exec", name] for name in names]
        yield inside, [ADDRESS.format(i + 1) for i in range(count)], ADDRESS.format(254), "eth0", BRIDGE
    finally:
        for i, name in enumerate(names):  # a namespace goes some time after it was deleted, and takes links along
            subprocess.run(["ip", "link", "del", f"c17v{i}"], capture_output=True)
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
            shutil.rmtree(f"/etc/netns/{name}", ignore_errors=True)
        subprocess.run(["ip", "link", "del", BRIDGE], capture_output=True)


def _port(address):
    with socket.socket() as free:
        free.bind((address, 0))
        return free.getsockname()[1]


def _environments(by, ranks, addresses, own, device, own_device):
    """What processes are told: (machine, or None for that of who asks, its variables), ranks first."""
    if by == "horovod":
        from horovod.runner.common.util.hosts import get_host_assignments, parse_hosts
        from horovod.runner.gloo_run import create_run_env_vars, create_slot_env_vars
        from horovod.runner.http.http_server import RendezvousServer

        hosts = ",".join(f"{a}:1" for a in addresses[:ranks]) if device != "lo" else f"127.0.0.1:{ranks}"
        slots, server = get_host_assignments(parse_hosts(hosts), ranks), RendezvousServer(0)
        port = server.start()
        server.init(slots)
        same = create_run_env_vars(own, [device], port)
        return [(i, same | create_slot_env_vars(slot)) for i, slot in enumerate(slots)], server.stop
    same = {"DMLC_PS_ROOT_URI": own, "DMLC_PS_ROOT_PORT": str(_port(own))}
    same |= {"DMLC_NUM_WORKER": str(ranks), "DMLC_NUM_SERVER": "1"}
    there = [same | {"DMLC_INTERFACE": device, "DMLC_NODE_HOST": address} for address in addresses]
    told = [(i, there[i] | {"DMLC_ROLE": "worker", "DMLC_TASK_ID": str(i)}) for i in range(ranks)]
    told += [(ranks, there[ranks] | {"DMLC_ROLE": "server"})]
    scheduler = {"DMLC_ROLE": "scheduler", "DMLC_INTERFACE": own_device, "DMLC_NODE_HOST": own}
    return [*told, (None, same | scheduler)], lambda: None


def sums(by, link, ranks, parts):
    """{(what, bytes, share or None): times (repeats, ranks)} of `ranks` processes, joined by a link."""
    with joined(link, ranks + (by == "dist_sync")) as (inside, addresses, own, device, own_device):
        told, stop = _environments(by, ranks, addresses, own, device, own_device)
        command, processes = [sys.executable, "-m", "results.machines.costs", "rank", by, link, *parts], []
        try:
            for i, variables in told:
                begin = [] if i is None else inside[i]
                environment = os.environ | {key: str(value) for key, value in variables.items()}
                processes.append(subprocess.Popen([*begin, *command], env=environment, stdout=-1, text=True))
            lines = processes[0].communicate(timeout=400)[0].splitlines()
            if processes[0].returncode:
                raise RuntimeError(f"{by}, {link}, {ranks} ranks: rank 0 ended with {processes[0].returncode}")
        finally:
            for process in processes:
                process.kill()
                process.wait()
            stop()
    found = [json.loads(line) for line in lines if line.startswith("[")]
    return {tuple(name): np.array(times) for *name, times in found}


def all_sums(links=LINKS, parts=("reduce", "pieces", "train"), say=print):
    """Measure and save rows of sums and of whole steps."""
    for link in links:
        rows = []
        for ranks in RANKS[1:]:
            for by in BY:
                start = time.time()
                for (what, size, share), times in sums(by, link, ranks, parts).items():
                    given = {"by": by, "link": link, "ranks": ranks, "bytes": size}
                    given |= {} if share is None else {"share": share}
                    given |= {} if what == "reduce" else {"net": named(*SMALL[0])}
                    rows.append(row(what, times, **given))
                say(f"{by}, {link}, {ranks} ranks: {time.time() - start:.0f} s", flush=True)
        save(rows)


def code():
    """Digest of the code of a step. That of sums is Horovod's and MXNet's."""
    return code_digest((__file__, "Step"))


def save(rows):
    """Put rows into costs.csv, in place of those of the same key."""
    path = HERE.with_name("costs.csv")
    kept = {tuple(r[k] for k in KEY): r for r in common.read(path)}
    versions = {key: value for key, value in common.circumstances(0).items() if key != "seconds"}
    kept |= {tuple(r[k] for k in KEY): r | versions for r in rows}
    order = ("step", "reduce", "pieces", "train")
    kept = sorted(kept.values(), key=lambda r: order.index(r["what"]))
    common.write(path, [r | {"code": code()} for r in kept])


def adopt():
    """Mark the rows as of the code as it is, if gradients are as large as before, and a step takes as long, to 20 %."""
    before = {(r["net"], r["share"], r["ranks"]): r for r in common.read(HERE.with_name("costs.csv"))}
    for new in steps(SMALL[:1], SHARES[-1:], 10, (1,)):
        old = before[new["net"], new["share"], new["ranks"]]
        slower = float(new["cpu_s"]) / float(old["cpu_s"])
        if new["bytes"] != old["bytes"] or not 0.8 < slower < 1.25:
            sys.exit(
                f"{slower:.2f} times the time, a gradient of {new['bytes']} bytes, not {old['bytes']}: measure anew"
            )
    save([])


def main(words):
    if words[:1] == ["rank"]:
        as_a_rank(*words[1:3], words[3:])
        return
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that are started
    if words == ["--adopt"]:
        adopt()
        return
    parts = words or ["steps", "sums", "large"]
    if "steps" in parts:
        save(steps())
    if "sums" in parts:
        all_sums()
    if "large" in parts:  # in a process of its own, as this one was imported with all cores
        subprocess.run([sys.executable, "-m", "results.machines.costs", "resnet"], check=True)
    if "resnet" in parts:
        save(large(7))


if __name__ == "__main__":
    main(sys.argv[1:])
