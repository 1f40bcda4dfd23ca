"""What goes wrong in a training, each in one message: where, what was found, what to try (`utils.train`)."""

import contextlib
import re

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon

from ..data.labelmap import VOID
from ..metrics import scores_of

NO_MEMORY = re.compile("out of memory|Failed to allocate|ALLOC_FAILED|bad_alloc", re.IGNORECASE)


def check_start(data, net, trainer, contexts):
    """ValueErrors for what can be seen before the first batch."""
    if not len(data):
        raise ValueError(f"{data!r} gave no batch: is the batch size larger than the data?")
    if not contexts or len(set(contexts)) < len(contexts):
        raise ValueError(f"ctx={contexts}: expected a device, or a list of devices, each once")
    own = list(net.collect_params().values())
    for parameter in own:
        if parameter._data is None and not parameter._deferred_init:
            raise ValueError(f"{parameter.name} has no values: call net.initialize(ctx=ctx) before training")
        if set(parameter.list_ctx()) != set(contexts):
            raise ValueError(
                f"the net is on {parameter.list_ctx()}, training was asked for on {contexts}: make the net with "
                "ctx=..., or call net.collect_params().reset_ctx(ctx) before the trainer is made"
            )
    held = [parameter for parameter in trainer._params if parameter in set(own)]
    if not held:
        raise ValueError(
            "the trainer holds no parameter of this net: was the net made anew after it? Make the trainer again: "
            "gluon.Trainer(net.collect_params(), ...)"
        )
    learning = [p for p in held if p.grad_req != "null" and p.lr_mult != 0]
    if not learning:
        raise ValueError(
            "no parameter would learn: those that the trainer holds all have grad_req 'null' or lr_mult 0. "
            "net.collect_params().setattr('grad_req', 'write') lets them all learn"
        )
    if trainer._contexts != own[0].list_ctx():
        raise ValueError(
            f"the trainer was made for {trainer._contexts}, the net is on {own[0].list_ctx()} now: make it anew"
        )
    if len(contexts) > 1 and trainer._kvstore_params["kvstore"] is None:
        raise ValueError("kvstore=None lets the devices drift apart: leave it out where the trainer is made")


class Checked:
    """A loss for the first batches, before their step: looks at shapes and classes once, at void until some was seen.

    passed: whether there is nothing left to look at; from then on the loss itself is called. A loss with
    `uses_void = True` is not asked about void: it has a term over all pixels on purpose.
    """

    def __init__(self, loss):
        self.loss, self.passed, self._first = loss, False, True

    def __call__(self, outputs, labels, *more):
        scores = scores_of(outputs)
        if self._first:
            _check_scores(scores, labels)
            self._first, asked = False, not getattr(self.loss, "uses_void", False)
            self.passed = not (asked and labels.ndim == scores.ndim - 1 > 1 and scores.shape[1] <= VOID)
        if not self.passed:
            with autograd.pause():
                void = (labels == VOID).expand_dims(1)
            if void.max().asscalar():
                self.passed = True
                return self._without_void(outputs, labels, void, *more)
        return self.loss(outputs, labels, *more)

    def _without_void(self, outputs, labels, void, *more):
        """The losses, after a look at their gradient at void pixels, which must be 0.

        The loss is called once, on scores cut off from the net, as a second call might draw other random numbers. What
        comes back has the losses' values, and their gradient: by the chain rule what goes through the scores, as it is
        what does not (a penalty on weights).
        """
        several = isinstance(outputs, (list, tuple))
        parts = list(outputs) if several else [outputs]
        cut_off = [part.detach() for part in parts]
        for part in cut_off:
            part.attach_grad()
        losses = self.loss(type(outputs)(cut_off) if several else cut_off[0], labels, *more)
        gradients = autograd.grad(losses, cut_off, retain_graph=True)  # unlike backward, no parameter's is written
        same = [gradient for gradient in gradients if gradient.shape[2:] == void.shape[2:]]
        if any((gradient * void.astype(gradient.dtype)).abs().max().asscalar() > 0 for gradient in same):
            name = getattr(self.loss, "__qualname__", type(self.loss).__name__)
            raise ValueError(
                f"the loss {name} takes void (label {VOID}) for a class, and teaches the net wrong things there. "
                "Take utils.SoftmaxCrossEntropyLoss(), which leaves void out. If it has a term over all pixels on "
                "purpose, set uses_void = True on it"
            )
        if losses.shape != (len(labels),):  # not one value an image: a loss of its own kind
            return self.loss(outputs, labels, *more)
        for part, gradient in zip(parts, gradients, strict=True):
            carried = (part * gradient).sum(axis=0, exclude=True)
            losses = losses + (carried - carried.detach())
        return losses


def _check_scores(scores, labels):
    if scores.ndim != labels.ndim + 1 or scores.shape[2:] != labels.shape[1:]:
        if scores.ndim == labels.ndim + 1:
            raise ValueError(
                f"the net gives scores of {scores.shape[2:]} for labels of {labels.shape[1:]}: does it enlarge them "
                "to the size of the picture?"
            )
        return  # a loss of its own kind
    known = labels.asnumpy()
    known = known[known != VOID]
    if known.size and not 0 <= known.min() <= known.max() < scores.shape[1]:
        raise ValueError(
            f"labels go from {known.min():g} to {known.max():g}, but the net gives {scores.shape[1]} scores a pixel, "
            f"for classes 0 to {scores.shape[1] - 1}: make it with as many classes as the data has"
        )


class Watch:
    """Looks at a training batch by batch; what goes wrong is said with epoch, batch and what to try.

    classes: the data's `LabelMap`, or None. say: a function that prints a line.
    """

    def __init__(self, trainer, contexts, classes, say):
        self.trainer, self.contexts, self.classes, self.say = trainer, contexts, classes, say
        self._stepped = self._learning = self._void_said = False
        self._metric, self._pixels = None, 0
        if trainer.optimizer.lr_scheduler is None and trainer.optimizer.lr == 0:
            say("learning rate 0: no parameter will change")

    @contextlib.contextmanager
    def at(self, where, x=None):
        """Inside, errors get `where` and advice. where: such as "epoch 1, batch 3". x: the batch's images."""
        try:
            yield
        except gluon.parameter.DeferredInitializationError as error:
            (name,) = re.findall("Parameter '(.*?)'", str(error))
            raise ValueError(
                f"{where}: the net has the parameter {name}, but no layer used it: is its layer called in "
                "hybrid_forward (or forward)? Call it, or leave it out"
            ) from None
        except mx.MXNetError as error:
            if not NO_MEMORY.search(str(error)):
                raise
            raise MemoryError(f"{where}: {self._smaller(x)}; restart the kernel if it happens again") from None
        except UserWarning as error:
            if not (unused := re.search("Gradient of Parameter `(.*?)`.* has not been updated", str(error))):
                raise
            raise ValueError(
                f"{where}: the loss doesn't depend on the parameter {unused[1]}, so it cannot learn. Leave it out of "
                "the trainer, or set its grad_req to 'null'"
            ) from None
        except ValueError as error:
            error.args = (f"{where}: {self._diverged(x) if 'diverged' in str(error) else error}",)
            raise  # itself: a loss or net of one's own keeps its frames

    def seen(self, where, loss, metric):
        """After a step: its loss is a number, and some pixel was labelled."""
        if not np.isfinite(loss):
            raise ValueError("diverged")
        if not self._stepped:
            self._check_classes(metric.num_classes)
        self._stepped = True
        self._learning = self._learning or any(map(_is_something, _gradients(self.trainer)))
        before, self._pixels = (self._pixels if metric is self._metric else 0), metric.confusion.sum()
        self._metric = metric
        if self._pixels == before and not self._void_said:
            self._void_said = True
            self.say(
                f"{where}: no labelled pixel, so nothing to learn from it (said once). Larger crops or batches help; "
                "python -m utils data FOLDER shows how much is void"
            )

    def passed(self, where, metric):
        """After an epoch: some pixel was labelled, and some parameter was given a gradient."""
        if not metric.confusion.any():
            raise ValueError(
                f"{where}: no training batch has a labelled pixel: all labels are {VOID} (void). Look at the data"
            )
        if not self._learning:
            raise ValueError(
                f"{where}: the gradient of every parameter was 0, none was updated: does the loss depend on the net?"
            )

    def _check_classes(self, scores):
        classes = scores if self.classes is None else len(self.classes)
        if scores < classes:
            raise ValueError(
                f"the net gives {scores} scores a pixel, the data has {classes} classes: make it with {classes}"
            )
        if scores > classes:
            self.say(
                f"the net gives {scores} scores a pixel, the data has {classes} classes: the others are never right"
            )

    def _smaller(self, x):
        devices = ", ".join(map(str, self.contexts))
        if x is None:
            return f"no memory left on {devices} for a picture of this size; reduce the pictures by scale"
        text = f"no memory left on {devices} for a batch of {len(x)}"
        if x.ndim < 4:
            return f"{text}. Try batches of {max(1, len(x) // 2)}"
        sides = [max(32, int(0.7 * side) // 32 * 32) for side in x.shape[2:]]
        try_ = (
            f"Try batch_size={len(x) // 2}, or crop_size={tuple(sides)}"
            if len(x) > 1
            else f"Try crop_size={tuple(sides)}"
        )
        return f"{text}, crops of {x.shape[2]} × {x.shape[3]}. {try_}"

    def _diverged(self, x):
        if x is not None and not np.isfinite(x.sum().asscalar()):
            return "the batch's images hold nan or infinite values: look at how they are read and normalised"
        if not self._stepped:
            return "loss or scores are nan or infinite before the first step: look at the net's weights and the loss"
        rate = self.trainer.learning_rate
        return (
            f"loss or scores are nan or infinite: the net has diverged at learning rate {rate:g}. Its weights are "
            f"spoiled: make it anew and try {rate / 10:g}"
        )


def _gradients(trainer):
    return (g for parameter in trainer._params if parameter.grad_req != "null" for g in parameter.list_grad())


def _is_something(gradient):
    return gradient.abs().max().asscalar() > 0
