"""Several devices in one step of training."""


def no_gradient(trainer, contexts):
    """Contexts without an image add 0 to a step, not what the batch before left there."""
    for parameter in trainer._params:
        if parameter.grad_req != "null":
            for ctx in contexts:
                parameter.grad(ctx)[:] = 0
                parameter.data(ctx)._fresh_grad = True  # the trainer would call it stale
