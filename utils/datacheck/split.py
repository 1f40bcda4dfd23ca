"""Makes `train.txt` and `val.txt` where a data set has neither: `python -m utils data FOLDER --split`."""

import contextlib

import numpy as np

from ..core.files import atomic_write
from ..data.voc import name_fault
from .lists import SPLITS, TRAIN_LEAST, VAL_LEAST, other_lists, rename_command


def refuse_existing(root):
    """Raise FileExistsError if there is a split, under whatever name: it is never overwritten, nor passed over."""
    for split in SPLITS:
        path = root / "ImageSets" / "Segmentation" / f"{split}.txt"
        if path.exists():
            raise FileExistsError(f"{path}: is there already and stays; move it away to have a new split made")
    for split, path in other_lists(root).items():
        raise FileExistsError(
            f"{path}: seems to be a list for {split} already; expected none where a split is to be made; move it away, "
            f"or: {rename_command(root, split, path)}"
        )


def _names(report):
    """All names, and the ones with a picture and a label."""
    names = list(dict.fromkeys(sum(report.lists.values(), [])))
    return names, [name for name in names if report.pairs[name].complete]


def refusal(report):
    """Why no split can be made of a `Report`'s pairs, or ""."""
    names, complete = _names(report)
    if report.classes is None:
        return "labelmap.txt is to be mended first"
    faulty = [n for n in complete if report.pairs[n].pixels is None or any(p.error for p in report.pairs[n].problems)]
    if faulty:
        return f"{len(faulty)} pairs are to be mended first, such as {faulty[0]}"
    if odd := [name for name in complete if name_fault(name)]:
        return f"{len(odd)} names can't stand in a list, such as {odd[0]!r} ({name_fault(odd[0])}): rename the files"
    if len(complete) < TRAIN_LEAST + VAL_LEAST:
        least = f"expected {TRAIN_LEAST + VAL_LEAST} or more"
        return f"{len(complete)} of {len(names)} names have both a picture and a label: {least}"
    return ""


def write_split(report, share=0.2, seed=0):
    """Write both lists for a `Report` without a split; returns {"train": names, "val": names, "left out": names}.

    share: how many of the pictures are for testing, at least one, and leaving eight to train. Names without a picture
    or a label are left out. The same seed gives the same split. Greedy: the next test picture is the one with most
    classes that no test picture has yet, the first in a random order among equals, and never one with the last
    training picture's worth of a class, as long as there is another; so classes of two or more pictures mostly are on
    both sides. Pictures of the same pixels stay together. Pictures of one burst or video look alike too, which cannot
    be known here: split those by hand.

    A ValueError if pairs are to be mended first, or are too few; a FileExistsError if there is a train.txt or val.txt.
    """
    refuse_existing(report.root)
    names, complete = _names(report)
    reason = refusal(report)
    if reason:
        raise ValueError(reason)
    val = set(_choose(complete, report.pairs, share, seed))
    lists = {"train": [n for n in complete if n not in val], "val": [n for n in complete if n in val]}
    _write(report.root / "ImageSets" / "Segmentation", lists)
    return lists | {"left out": [name for name in names if name not in complete]}


def _choose(names, pairs, share, seed):
    """Names for testing."""
    groups = {}
    for name in names:
        groups.setdefault(pairs[name].digest, []).append(name)
    groups = [list(groups.values())[i] for i in np.random.RandomState(seed).permutation(len(groups))]
    sizes = np.array([len(group) for group in groups])
    has = np.array([np.any([pairs[name].pixels[:-1] > 0 for name in group], axis=0) for group in groups])
    room = max(VAL_LEAST, min(round(share * len(names)), len(names) - TRAIN_LEAST))
    chosen, free = [], np.ones(len(groups), bool)
    while (fits := free & (sizes <= room)).any():
        last = (has & (has[free].sum(0) == 1)).any(1)  # holds a class that no other training picture has
        fits = fits & ~last if (fits & ~last).any() else fits
        new = (has & ~has[~free].any(0)).sum(1)
        best = int(np.argmax(np.where(fits, new, -1)))
        chosen, room = [*chosen, *groups[best]], room - sizes[best]
        free[best] = False
    return chosen


def _write(folder, lists):
    """Both lists or none."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with contextlib.ExitStack() as both:
            for split, names in lists.items():
                beside = both.enter_context(atomic_write(folder / f"{split}.txt"))
                beside.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    except BaseException:  # Ctrl-C too
        for split in lists:
            (folder / f"{split}.txt").unlink(missing_ok=True)
        raise
