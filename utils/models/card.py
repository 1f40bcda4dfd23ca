"""A model card of a trained net: what it is, what it learned from, how well it does, and what it is not for.

The headings are those of Mitchell et al., Model Cards for Model Reporting (FAT* 2019, arXiv:1810.03993). All facts are
the net's own, or stand in the JSON beside its parameters; what stands nowhere is "unknown", and whoever passes the net
on fills it in.
"""

import json
import math
import pathlib
import re

import mxnet

UNKNOWN = "unknown"
DATA = {
    "voc_mini": "216 drawings made by a program for the course, 8 of VOC's 20 classes; Apache-2.0. No photograph is "
    "among them: **scores on them say nothing about photographs**",
    "voc2012": "Pascal VOC2012: photographs from Flickr, whose terms of use hold",
    "camvid": "CamVid: frames of a few drives through one town, Cambridge, in its daylight; **not for commercial use** "
    "(CC BY-NC 4.0 in the SegNet tutorial's copy)",
}
DRAWINGS = """\
- Photographs: the pictures it was trained on are drawings.
- Those 12 of VOC's classes that no drawing shows, such as person and dog: it has learned to name them nowhere.
"""
HAS = {"pixel_acc": "pixel accuracy", "mean_acc": "mean accuracy", "mean_iou": "mean IoU"}
HAS |= {"fw_iou": "frequency-weighted IoU"}


def card(net, classes, scale, known, name, *, date, version, measured=None):
    """The text of a card, Markdown.

    net, classes, scale, known: what `load_model` gives. name: the exported files', without endings. date, version: of
    the export, and the course's. measured: what `known` would have as its "dataset", "val_split", "val_pictures",
    "scores" (by the names in HAS), "baseline" (with its "class") and "iou" (class → IoU), measured now; then these
    alone are quoted.
    """
    data = _name(known.get("dataset"))
    return TEXT.format(
        name=_text(pathlib.Path(name).name),
        model=_text(known.get("model")),
        backbone=_text(known.get("backbone")),
        options=_text(json.dumps(known.get("options") or {})),
        parameters=f"{_parameters(net):,}",
        megabytes=f"{4 * _parameters(net) / 1e6:.1f}",
        smallest=f" of at least {net.smallest} pixels each way" if getattr(net, "smallest", 1) > 1 else "",
        fingerprint=fingerprint(known),
        date=date,
        version=f"{version}, MXNet {mxnet.__version__}",
        trained=_text(known.get("date")),
        training=_training(known),
        licence=_licence(known),
        number=len(classes),
        names=", ".join(map(_text, classes.names)),
        mean=_numbers(known, "mean"),
        deviation=_numbers(known, "deviation"),
        reduced="" if scale == 1 else f" scaled to {scale:g} of their height and width,",
        data=f"From {data}, list {_text(known.get('train_split'))}, {_text(known.get('train_pictures'))} pictures.",
        about_data=DATA.get(data, f"{UNKNOWN}: who took and labelled these pictures, where, when, under which licence"),
        drawings=DRAWINGS if data == "voc_mini" else "",
        evaluation=_evaluation(measured or known, bool(measured)),
        scores=_scores(measured or known),
        each=_each(measured or known, classes),
    )


def fingerprint(known):
    """What tells a net from others: the SHA-256 of its file of parameters; of a ready-made one, what it is."""
    return _text(known.get("sha256") or f"{known.get('model')} on {known.get('backbone')}, ready-made")


def _parameters(net):
    return sum(math.prod(parameter.shape) for parameter in net.collect_params().values())


def _text(value):
    """A value as text of one line that Markdown takes for nothing else: a stranger's JSON may hold anything."""
    if value is None or value == "":
        return UNKNOWN
    shown = "".join(c if c.isprintable() else " " for c in str(value)[:300])
    return re.sub(r"([\\`<>|\[\]*])", r"\\\1", shown)


def _name(dataset):
    """A data set's name, or its folder's, without the way there, which tells of its owner's machine."""
    return _text(pathlib.PurePath(dataset).name if isinstance(dataset, str) else None)


def _number(found, key):
    value = found.get(key) if isinstance(found, dict) else None
    return f"{value:.3f}" if isinstance(value, (int, float)) and 0 <= value <= 1 else None  # NaN is neither


def _numbers(known, key):
    found = known.get(key)
    return _text(", ".join(map(str, found)) if isinstance(found, list) else None)


def _training(known):
    keys = {"epochs": "epochs", "batch": "batch", "rate": "rate", "crop": "crop", "loss": "loss", "seed": "seed"}
    start = {"True": "ImageNet's weights in the backbone", "False": "random weights"}
    start = start.get(str(known.get("pretrained")), UNKNOWN)
    start = known["weights"] if isinstance(known.get("weights"), str) else start
    settings = [f"{title} {_text(known[key])}" for key, title in keys.items() if key in known]
    return f"{'; '.join(settings) or UNKNOWN}; first weights: {_text(start)}"


def _licence(known):
    if known.get("pretrained") is False and not isinstance(known.get("weights"), str):
        return f"of the weights: {UNKNOWN}, the trainer's choice"
    return (
        f"of the weights: {UNKNOWN}, the trainer's choice. Where they began with others' (ImageNet's in the course: "
        "Apache-2.0), the course's NOTICE goes along"
    )


def _evaluation(found, now):
    if not isinstance(found.get("scores"), dict):
        return MEASURE
    data, split = _name(found.get("dataset")), _text(found.get("val_split"))
    when = "measured at the export" if now else "by the training's last epoch, which scored these after each one"
    same = data != UNKNOWN and found.get("val_split") == found.get("train_split") is not None
    warning = ". **The net was trained on this list: the scores say nothing of new pictures**" if same else ""
    return f"On {data}, list {split}, {_text(found.get('val_pictures'))} pictures; {when}{warning}."


def _scores(found):
    """Each score with its baseline beside it."""
    scores, nothing = found.get("scores"), found.get("baseline")
    if not isinstance(scores, dict):
        return "No score is known, and no baseline."
    scores = {"pixel_acc": scores.get("test_acc")} | scores  # as a training's history has it
    name = _text(nothing.get("class") if isinstance(nothing, dict) else None)
    rows = [(title, _number(scores, key), _number(nothing, key)) for key, title in HAS.items()]
    lines = [f"| score | this net | {name} everywhere |", "|---|---|---|"]
    return "\n".join(lines + [f"| {title} | {value} | {base or UNKNOWN} |" for title, value, base in rows if value])


def _each(found, classes):
    """The IoU of each class; what does not occur in these pictures was not measured."""
    if not isinstance(iou := found.get("iou"), dict):
        return f"The IoU of each class: {MEASURE}"
    lines = ["| class | IoU |", "|---|---|"]
    lines += [f"| {_text(name)} | {_number(iou, name) or 'does not occur: not measured'} |" for name in classes.names]
    return "\n".join(lines)


MEASURE = "not measured: `python -m utils export --dataset FOLDER --force …` measures it and writes this card anew."
TEXT = """\
# Model card: {name}

Written by `python -m utils export` on {date}, from what is known of the net. "unknown" is for you to fill in before you
pass the net on. The headings follow Mitchell et al., *Model Cards for Model Reporting*, 2019.

## Model details

- **What:** a semantic segmentation net, {model} on {backbone}; options: {options}
- **Size:** {parameters} parameters, {megabytes} MB as float32
- **Net:** {fingerprint} (SHA-256 of the file of parameters that was exported)
- **Trained:** {trained}
- **Settings:** {training}
- **Exported:** {date}, by segmentation-course {version}
- **Licence:** {licence}
- **Who made it, and whom to ask:** unknown

How to use it: it takes pictures{smallest} as (N, 3, H, W): RGB in [0, 1],{reduced} minus the mean
({mean}), divided by the deviation ({deviation}). It gives scores
(N, {number}, H, W); a pixel's class is the index of its largest score. The course's docs/command_line.md, *Without the
course*, has the lines.

Its classes, by index from 0: {names}

## Intended use

To label each pixel of pictures that are like the training pictures, and to learn how that is done.

Not for:

{drawings}- Other pictures: of other places, seasons, cameras, distances or light than those below.
- Classes that are not listed: each pixel gets a listed class, and there is no "none of these".
- Decisions about people, and anything where an error can hurt somebody: driving, medicine, surveillance.

## Factors

What a score may depend on, and was not looked at one by one: light, weather, camera, size of objects, how rare a class
is.

## Metrics

Pixel accuracy, mean accuracy, mean IoU and frequency-weighted IoU (Long et al., 2015), over one confusion matrix of all
pictures. Void pixels, which nobody labelled, are left out of all of them: nothing is known about the net there. Mean
IoU counts the classes that occur. The baseline names one class everywhere, the commonest of the training labels.

## Evaluation data

{evaluation}

## Training data

{data}

{about_data}.

## Quantitative analyses

{scores}

{each}

## Ethical considerations

Pictures of people and of places are their business too: the training data's licence and consent hold for what is made
of it. What the pictures lack, the net has not learned, and it names something there with no less certainty.

## Caveats and recommendations

- The largest score is not a probability that holds: look at its worst pictures before you rely on it.
- Another seed gives another net: differences of a point or two of mean IoU between two nets may be noise.
- Label some pictures of your own, and score it on them: `python -m utils evaluate --model … --dataset FOLDER`.
"""
