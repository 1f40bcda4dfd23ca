"""The numbers of chapter 00's questions."""

import utils  # noqa: F401

from mxnet import autograd, gluon, init, nd


def question_3():
    """All parameters of a net after its first batch, bias by bias."""
    net = gluon.nn.HybridSequential()
    net.add(gluon.nn.Dense(4, activation="relu"), gluon.nn.Dense(3))
    net.initialize()
    net(nd.ones((5, 2)))
    return sum(p.data().size for p in net.collect_params().values())


def mistakes_3():
    """No biases; one set of weights for each example; the outputs of the two layers alone."""
    return [4 * 2 + 3 * 4, question_3() * 5, 4 * 3]


def _step(mean, n):
    """How far the bias moves in one step, on 40 points."""
    x = nd.arange(40).reshape((-1, 1)) / 40
    net, loss = gluon.nn.Dense(1), gluon.loss.L2Loss()
    net.initialize(init.Zero())
    with autograd.record():
        losses = loss(net(x), 3 * x - 1)
        losses = losses.mean() if mean else losses
    losses.backward()
    gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.5}).step(n)
    return net.bias.data().asscalar()


def question_4():
    """The chapter's step by one that divides twice."""
    return _step(mean=False, n=40) / _step(mean=True, n=40)


def mistakes_4():
    """Divided twice more than in the chapter."""
    return [None, None, _step(mean=False, n=40) / _step(mean=True, n=40 * 40)]
