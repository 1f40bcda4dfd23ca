"""What chooses two rates, the backbone's and that of what is behind it, by trials (chapters 12 and 14).

Trials go on until the best pair lies between others that were tried: either rate a step of `RATES` less and more; from
nothing both together. A script keeps them in trials.csv, and makes table.csv with the rates that they say.
"""

import pathlib

from results import common

RATES = [1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1]
KEY = ("data", "start", "net", "seed")


def row(data, start, net, seed, rates=("", ""), epochs=""):
    """What tells one run from another, as texts; without rates where nothing learns."""
    texts = [f"{rate:g}" if rate else "" for rate in rates]
    names = *KEY, "rate_backbone", "rate_behind", "epochs"
    return dict(zip(names, map(str, (data, start, net, seed, *texts, epochs)), strict=True))


def tried(rows, start, net, score):
    """{(rate of the backbone, rate behind it): score} of the trials of a net."""
    mine = [r for r in rows if (r["start"], r["net"]) == (start, net)]
    return {(float(r["rate_backbone"]), float(r["rate_behind"])): float(r[score]) for r in mine}


def chosen(rows, start, net, score):
    """The rates that did best in the trials of a net."""
    found = tried(rows, start, net, score)
    if not found:
        raise ValueError(f"trials.csv has no trial of {net} from {start}: make it first")
    return max(found, key=found.get)


def to_try(rows, start, net, score, first):
    """Pairs that were tried, the best of them and those a step away; before any trial `first` and those beside it."""
    found = tried(rows, start, net, score)
    best = chosen(rows, start, net, score) if found else first
    moves = [(-1, -1), (1, 1)] if start == "nothing" else [(-1, 0), (1, 0), (0, -1), (0, 1)]
    beside = [tuple(RATES[RATES.index(rate) + step] for rate, step in zip(best, move, strict=True)) for move in moves]
    return [*found, best, *beside]


def command(doc, script, shared, trials, jobs, one_run):
    """The command line of a script with two tables; script: its path.

    shared(data, root, trial): what all rows of a table begin with. trials(root, shared, rows): the trials' jobs, as far
    as rows made before say what to try. jobs(data, root, rows): the table's, with the rates that the trials' rows say.
    """
    args, roots = common.arguments(doc, trials=True)
    path = pathlib.Path(script).with_name("trials.csv")
    same, todo, before = shared("voc_mini", roots["voc_mini"], True), None, []
    while todo != before:  # what is tried next hangs on what came out
        before, rows = todo, [trial for trial in common.read(path) if common.matches(trial, same)]
        todo = list(trials(roots["voc_mini"], same, rows))
        common.make(path, todo, one_run, (*KEY, "rate_backbone", "rate_behind"), args.adopt)
    if not args.trials:
        todo = [job for data, root in roots.items() for job in jobs(data, root, rows)]
        common.make(path.with_name("table.csv"), todo, one_run, KEY, args.adopt)
