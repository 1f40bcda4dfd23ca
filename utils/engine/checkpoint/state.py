"""What a training consists of at one moment, taken out of a net and its trainer and put back (for checkpoints).

By the names of `net.save_parameters`, as a trainer's own numbering follows names that MXNet counts up: a net made a
second time in one process may be numbered in another order.
"""

import mxnet as mx
import numpy as np

BASE = set(vars(mx.optimizer.Optimizer()))  # what every optimiser has; the rest of it is asked for below
SPECIAL = {"lr_scheduler", "lr_mult", "wd_mult", "idx2name", "sym_info", "param_dict"}  # settings, not state
COUNTS = {"_all_index_update_counts", "_index_update_count"}
PLAIN = int, float, str, bool, type(None), np.number


def names_of(net, trainer):
    """{parameter of the trainer: its name in the net}."""
    names = {parameter: name for name, parameter in net._collect_params_with_prefix().items()}
    if foreign := [parameter.name for parameter in trainer._params if parameter not in names]:
        raise ValueError(f"the trainer holds {foreign[0]}, which the net doesn't: a checkpoint would lose it")
    return {parameter: names[parameter] for parameter in trainer._params}


def settings_of(net, trainer):
    """What `on_epoch` may change: the learning rate; gradient, rate and decay of each parameter (unfreezing)."""
    names, found = names_of(net, trainer).items(), {"optimizer's lr": trainer.optimizer.lr}
    return found | {f"parameter {name}": [own.grad_req, own.lr_mult, own.wd_mult] for own, name in names}


def _updaters(trainer):
    """What holds the optimiser's arrays: the store of several devices, or one updater a device."""
    return [trainer._kvstore._updater] if trainer._update_on_kvstore else trainer._updaters


def arrays_of(net, trainer):
    """(name, NumPy array) of all parameters and of all that the optimiser keeps for them."""
    mx.nd.waitall()  # a first forward pass may still be changing the layout of weights
    for name, parameter in net._collect_params_with_prefix().items():
        data = parameter.list_data()
        for i, array in enumerate(data if parameter.grad_req == "null" else data[:1]):  # BatchNorm's differ by device
            array = array.asnumpy()
            if not np.isfinite(array).all():
                raise ValueError(f"{name} is nan or infinite: the net has diverged, take a smaller learning rate")
            yield f"net/{name}" + f"@{i}" * (i > 0), array
    names = list(names_of(net, trainer).values())
    for index, state in _updaters(trainer)[0].states.items():
        for key, array in _flat(f"optimizer/{names[int(index)]}", state):
            yield key, array.asnumpy()


def _flat(key, state):
    """(key, NDArray) of one parameter's state: None, an array, or a tuple of such."""
    if isinstance(state, (tuple, list)):
        for i, part in enumerate(state):
            yield from _flat(f"{key}#{i}", part)
    elif state is not None:
        yield key, state


def _shape(state):
    """How the parts of a state hang together: None, 0 for an array, or a list."""
    return [_shape(part) for part in state] if isinstance(state, (tuple, list)) else None if state is None else 0


def _outline(state):
    return [(key, array.shape, np.dtype(array.dtype).name) for key, array in _flat("", state)]


def _whole(key, shape, arrays):
    if isinstance(shape, list):
        return tuple(_whole(f"{key}#{i}", part, arrays) for i, part in enumerate(shape))
    return None if shape is None else _nd(arrays[key])


def _nd(array):
    return mx.nd.array(array, dtype=array.dtype)


def put_arrays(arrays, net, trainer, numbers):
    """Give net and optimiser the arrays that `arrays_of` took; parameters without values yet get theirs."""
    for name, parameter in net._collect_params_with_prefix().items():
        value = _nd(arrays[f"net/{name}"])
        if not np.isfinite(value.asnumpy()).all():
            raise ValueError(f"{name} is nan or infinite")
        parameter.set_data(value)
        if parameter._deferred_init:
            parameter._finish_deferred_init()
    if not trainer._kv_initialized:
        trainer._init_kvstore()
    if trainer._params_to_init:
        trainer._init_params()  # which gives all devices what the first one has
    for name, parameter in net._collect_params_with_prefix().items():
        for i, own in enumerate(parameter.list_data()):
            if f"net/{name}@{i}" in arrays:
                own[:] = _nd(arrays[f"net/{name}@{i}"])
    index = {name: i for i, name in enumerate(names_of(net, trainer).values())}
    for name, shape in numbers["states"].items():
        like = trainer.optimizer.create_state_multi_precision(index[name], trainer._params[index[name]].list_data()[0])
        have, need = _outline(_whole(f"optimizer/{name}", shape, arrays)), _outline(like)
        if have != need:
            raise ValueError(f"the optimiser's arrays of {name} are {have}, expected {need}")
    for updater in _updaters(trainer):
        updater.states = {index[n]: _whole(f"optimizer/{n}", s, arrays) for n, s in numbers["states"].items()}
        updater.states_synced = dict.fromkeys(updater.states, False)


def numbers_of(net, trainer):
    """Counters and rates of optimiser and scheduler, and how the states hang together: numbers, texts and lists."""
    optimizer, names = trainer.optimizer, list(names_of(net, trainer).values())
    own = {key: value for key, value in vars(optimizer).items() if key not in SPECIAL | COUNTS}
    for key, value in own.items():
        if not isinstance(value, PLAIN) and key not in BASE:
            kind = type(optimizer).__name__
            raise ValueError(f"a checkpoint can't hold {key} of the optimiser {kind}: take sgd, nag, adam or another")
    counts = {}
    for device in optimizer._all_index_update_counts.values():
        for index, count in device.items():
            counts[names[int(index)]] = max(count, counts.get(names[int(index)], 0))
    states = _updaters(trainer)[0].states if trainer._kv_initialized else {}
    return {
        "optimizer": own,
        "counts": counts,
        "states": {names[int(index)]: _shape(state) for index, state in states.items()},
        "settings": settings_of(net, trainer),
        "scheduler": {key: value for key, value in _inside(optimizer.lr_scheduler) if isinstance(value, PLAIN)},
    }


def _inside(scheduler):
    return getattr(scheduler, "__dict__", {}).items()


def check_numbers(numbers, trainer):
    """A ValueError where a file's numbers are none, or would take the place of what an optimiser or scheduler does."""
    for what, thing in ("optimizer", trainer.optimizer), ("scheduler", trainer.optimizer.lr_scheduler):
        for key, value in numbers[what].items():
            own, plain = getattr(thing, key, None), value is None or isinstance(value, PLAIN)
            texts = isinstance(value, str) != isinstance(own, str) and None not in (own, value)
            if key in SPECIAL | COUNTS or callable(own) or not plain or texts:
                raise ValueError(f"{key} of the {what} cannot be {value!r:.60}")
    if not all(isinstance(count, int) for count in numbers["counts"].values()):
        raise ValueError("its counts are no numbers")


def put_numbers(numbers, net, trainer):
    """The reverse of `numbers_of`, into the trainer's own optimiser and scheduler."""
    optimizer = trainer.optimizer
    index = {name: i for i, name in enumerate(names_of(net, trainer).values())}
    vars(optimizer).update(numbers["optimizer"])
    if optimizer.lr_scheduler is not None:
        vars(optimizer.lr_scheduler).update(numbers["scheduler"])  # not its lists: those are settings
    for parameter, name in names_of(net, trainer).items():
        own = numbers["settings"][f"parameter {name}"]
        parameter.grad_req, parameter.lr_mult, parameter.wd_mult = own
    for device in {0, *(ctx.device_id for ctx in trainer._contexts)}:
        counts = {index[name]: count for name, count in numbers["counts"].items()}
        optimizer._all_index_update_counts[device] = counts
    optimizer._set_current_context(0)
