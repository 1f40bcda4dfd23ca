"""A batch shared out to several devices (contexts of the CPU here) trains as on one."""

import utils
from utils.engine.train import train_batch

import mxnet as mx
import numpy as np
import pytest
import tiny
from mxnet import gluon, nd

DEVICES = [mx.cpu(i) for i in range(4)]


def _setup(folder, count, optimizer="sgd", images=6, batch=4, **options):
    """A training of `images` pictures in batches of 4, the last one smaller, on some devices."""
    given = tiny.setup(folder, optimizer, ctx=DEVICES[:count], **options)
    dataset = given["train_data"]._dataset.take(images)
    sampler = given["train_data"]._batch_sampler._sampler
    sampler.length = images
    given["train_data"] = gluon.data.DataLoader(dataset, batch, sampler=sampler, last_batch="keep")
    return given


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("images", [6, 5])  # last batches of 2 and of 1: fewer than devices
def test_several_devices_equal_one(voc_folder, optimizer, images):
    runs = []
    test = utils.VOCSegDataset(False, None, voc_folder)
    for count in 1, 2, 3:
        given = _setup(voc_folder, count, optimizer, images, net=tiny.net_of(dropout=0))
        history = tiny.train(given, 3, test)
        runs.append((_by_device(given["net"]), history))
    (same, rows), *others = runs
    for weights, history in others:
        assert (weights == weights[0]).all()  # no device drifts away
        np.testing.assert_allclose(weights[0], same[0], rtol=0, atol=1e-6)
        for row, other in zip(history, rows, strict=True):
            for key in set(row) - {"images_per_s"}:
                assert row[key] == pytest.approx(other[key], abs=1e-6), key


def _by_device(net):
    """(devices, parameters): all values on each device."""
    mx.nd.waitall()
    arrays = [[array.asnumpy().ravel() for array in p.list_data()] for p in net.collect_params().values()]
    return np.stack([np.concatenate(parts) for parts in zip(*arrays, strict=True)])


def test_a_device_without_an_image_adds_nothing(voc_folder):
    """Its gradient of the batch before would count a second time: on two devices the sums would differ."""
    ends = []
    for count in 1, 4:
        given = _setup(voc_folder, count, net=tiny.net_of(dropout=0), images=5)
        tiny.train(given, 4)
        ends.append(_by_device(given["net"])[0])
    np.testing.assert_allclose(*ends, rtol=0, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("update_on_kvstore", [True, False])
def test_several_devices_go_on_to_the_bit(voc_folder, tmp_path, optimizer, update_on_kvstore):
    """With BatchNorm, whose running statistics differ by device."""
    ends = []
    for stops in (3,), (1, 3):
        for epochs in stops:
            given = _setup(voc_folder, 3, optimizer, net=tiny.net_of(norm=True), poly=False)
            options = {"learning_rate": 0.01}
            parameters = given["net"].collect_params()
            given["trainer"] = gluon.Trainer(parameters, optimizer, options, update_on_kvstore=update_on_kvstore)
            tiny.train(given, epochs, checkpoint=tmp_path / str(len(stops)))
        ends.append(tiny.weights(given["net"]))
    np.testing.assert_array_equal(*ends)


def test_going_on_with_another_number_of_devices_is_said(voc_folder, tmp_path, capsys):
    ends = []
    for counts in (1, 1), (2, 1), (1, 3):
        for epochs, count in enumerate(counts, 1):
            given = _setup(voc_folder, count, "adam", net=tiny.net_of(dropout=0))
            tiny.train(given, epochs, checkpoint=tmp_path / str(counts))
        ends.append(_by_device(given["net"])[0])
    for end in ends[1:]:
        np.testing.assert_allclose(end, ends[0], rtol=0, atol=1e-6)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("devices")]
    assert lines == [
        "devices cpu(0), cpu(1) before, now cpu(0): the same training, but not to the last bit",
        "devices cpu(0) before, now cpu(0), cpu(1), cpu(2): the same training, but not to the last bit",
    ]


def test_what_batch_norm_changes(voc_folder, report):
    """One step from the same weights: BatchNorm normalises by each device's own images, not by the batch's."""
    x, y = (nd.stack(*parts) for parts in zip(*utils.VOCSegDataset(True, (32, 32), voc_folder), strict=False))
    steps = {}
    for norm in False, True:
        for count in 1, 2, 3:
            given = tiny.setup(voc_folder, ctx=DEVICES[:count], net=tiny.net_of(dropout=0, norm=norm))
            loss, trainer = given["loss"], given["trainer"]
            given["net"](nd.zeros((1, 3, 8, 8)))
            before = _by_device(given["net"])[0]
            _, _, losses = train_batch(given["net"], loss, trainer, x, y, DEVICES[:count])
            step = _by_device(given["net"])[0] - before
            train_batch(given["net"], loss, trainer, x, y, DEVICES[:count])  # the first makes all equal
            mean = np.concatenate([part.asnumpy() for part in losses]).mean()
            stats = [p for name, p in given["net"].collect_params().items() if name.endswith("running_mean")]
            apart = max((np.ptp([a.asnumpy() for a in p.list_data()], axis=0).max() for p in stats), default=0)
            steps[norm, count] = step, mean, apart
    for norm in False, True:
        for count in 2, 3:
            step, mean, apart = steps[norm, count]
            one, same_mean, _ = steps[norm, 1]
            change, loss_change = np.linalg.norm(step - one) / np.linalg.norm(one), abs(mean - same_mean) / same_mean
            words = f"step changed by {change:.1e} of its length, loss by {loss_change:.1e}"
            words += f", running means {apart:.1e} apart" if norm else ""
            report(f"{count} devices, 6 images of noise, {'with' if norm else 'without'} BatchNorm", words)
            assert (change > 1e-3 and apart > 0) if norm else (change < 1e-5 and loss_change < 1e-6)
