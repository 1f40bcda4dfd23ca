"""Functions that `train` calls at certain moments: `train(callbacks=[...])` (chapter 08)."""


class Callback:
    """Methods that `train` calls at certain moments: write those that you need, the others do nothing.

    Each is given the `Training`. A plain function is a callback too: it is called with the history after each epoch, as
    `LiveCurve` is. Callbacks run in the order of the list. What they change counts: the trainer's learning rate, which
    parameters learn, `training.stop` (early stopping: see docs/changing.md).
    """

    def train_begin(self, training):
        """Before the first epoch, after a checkpoint was read."""

    def epoch_begin(self, training):
        """Before the first batch of an epoch."""

    def batch_end(self, training):
        """After the step of a batch."""

    def epoch_end(self, training):
        """After the test of an epoch, whose row is the last of `training.history`, and before its checkpoint."""

    def train_end(self, training):
        """After the last epoch, or an interrupt."""


class Training:
    """What a callback is given: how a training stands.

    net, loss, trainer, contexts, num_epochs: as `train` was given them. history: rows of the epochs done. epoch, batch:
    where it is, from 1. scores, labels, losses: of the last batch, a list with one entry a context; scores are what the
    net gave, an array or a tuple. stop: set it True, and no epoch follows this one.
    """

    def __init__(self, net, loss, trainer, contexts, num_epochs, history):
        self.net, self.loss, self.trainer, self.contexts = net, loss, trainer, contexts
        self.num_epochs, self.history = num_epochs, history
        self.epoch = self.batch = 0
        self.scores = self.labels = self.losses = ()
        self.stop = False


class _Function(Callback):
    def __init__(self, function):
        self.function = function

    def epoch_end(self, training):
        self.function(training.history)


def teller(callbacks):
    """A function (moment, training) that calls all callbacks in order; a TypeError for what is no callback."""
    told = []
    for callback in callbacks:
        if not isinstance(callback, Callback) and not callable(callback):
            raise TypeError(
                f"callbacks: found {callback!r}; expected utils.Callback objects, or functions of the history"
            )
        if isinstance(callback, type):
            raise TypeError(f"callbacks: found the class {callback.__name__}; make one: {callback.__name__}(...)")
        told.append(callback if isinstance(callback, Callback) else _Function(callback))

    def tell(moment, training):
        for callback in told:
            getattr(callback, moment)(training)

    return tell
