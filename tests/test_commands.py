"""`python -m utils train`, `evaluate`, `predict` and `export`, one after the other, and what each refuses."""

import utils
from utils.__main__ import main
from utils.cli import train as train_command

import errno
import functools
import json
import os
import re
import shutil
import subprocess
import sys

import mxnet as mx
import numpy as np
import pytest
from conftest import ROOT
from mxnet import nd
from PIL import Image

NET = {"stride": 8, "backbone": "resnet18_v2"}
CLASSES = utils.LabelMap(["ground", "road", "sky"], [(0, 0, 0), (128, 0, 0), (128, 128, 128)])


def run(capsys, *words):
    """Exit code, and what was printed on the two streams together."""
    code = main([str(word) for word in words])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def saved(path, classes=CLASSES, scale=0.5):
    """A net with skips that say something, as `train` would save it."""
    net = utils.fcn(len(classes), **NET)
    net(nd.zeros((1, 3, 32, 32)))
    for name, parameter in net._collect_params_with_prefix().items():
        if name.startswith("score") and name.endswith("weight"):
            parameter.set_data(nd.random.normal(scale=0.3, shape=parameter.shape))
    utils.save_model(path, net, classes, scale, force=True)
    return net


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """Folder with street.params and street.json, and a photograph; never written to by a test."""
    utils.seed(0)
    folder = tmp_path_factory.mktemp("street")
    saved(folder / "street.params")
    shutil.copy(next((ROOT / "data/voc_mini/JPEGImages").glob("*.jpg")), folder / "photo.jpg")
    return folder


def test_train_evaluate_predict(voc_folder, tmp_path, capsys):
    """What is trained by the command scores and predicts as the same net does in a notebook."""
    output = tmp_path / "new" / "tiny.params"
    words = ["train", "--dataset", voc_folder, "--crop", "32x32", "--epochs", 2, "--batch", 3, "--output", output]
    code, text = run(capsys, *words)
    assert code == 0 and "epoch 2 of 2: loss" in text and f"Written: {output}" in text, text
    assert sorted(path.name for path in output.parent.iterdir()) == ["tiny.json", "tiny.params"]
    net, classes, scale, known = utils.load_model(output)
    assert classes == utils.VOC and scale == 1 and known["model"] == "fcn8s" and known["scores"]["epoch"] == 2
    test_set = utils.VOCSegDataset(False, None, voc_folder)
    scores = utils.evaluate(net, test_set)
    assert scores["pixel_acc"] == known["scores"]["test_acc"]

    code, text = run(capsys, "evaluate", "--model", output, "--dataset", voc_folder)
    assert code == 0 and re.search(rf"mean_iou +{scores['mean_iou']:.3f}  ", text) and "aeroplane" in text, text
    flipped = utils.evaluate(net, test_set, flip=True, scales=(0.5, 1))
    code, text = run(capsys, "evaluate", "--model", output, "--dataset", voc_folder, "--flip", "--scales", "0.5,1")
    assert code == 0 and f"{flipped['pixel_acc']:.3f}" in text
    code, text = run(capsys, "evaluate", "--model", output, "--dataset", voc_folder, "--split", "train")
    scores = utils.evaluate(net, utils.VOCSegDataset(split="train", train=False, root=voc_folder))
    assert code == 0 and re.search(rf"mean_iou +{scores['mean_iou']:.3f}  ", text) and "6 train pairs" in text, text
    assert "train is the list that the net was trained on" in text
    code, text = run(capsys, "evaluate", "--model", output, "--dataset", voc_folder, "--split", "test")
    assert code == 2 and "test.txt: no such file" in text and "Lists that are there: train, val" in text

    code, text = run(capsys, *words)
    assert code == 2 and "tiny.params: is there already" in text and "--force" in text
    code, text = run(capsys, *words[:-1], output / "inside.params")
    assert code == 2 and f"{output}: cannot be written to" in text


def test_train_takes_other_lists(voc_folder, tmp_path, capsys, monkeypatch):
    """They are handed on, and trained on and scored as a notebook would."""
    for split, names in ("most", "abcd"), ("held_out", "ef"):
        (voc_folder / f"ImageSets/Segmentation/{split}.txt").write_text("".join(f"{name}\n" for name in names))
    output, seen = tmp_path / "tiny.params", []
    monkeypatch.setattr(train_command, "train", lambda *args, **kw: seen.append(args) or utils.train(*args, **kw))
    words = ["train", "--dataset", voc_folder, "--crop", "32x32", "--epochs", 1, "--batch", 2, "--output", output]
    code, text = run(capsys, *words, "--train-split", "most", "--val-split", "held_out")
    batches, test_set, *_ = seen[0]
    assert code == 0 and (batches._dataset.names, test_set.names) == (list("abcd"), list("ef"))
    assert batches._dataset.train and not test_set.train
    net, *_, known = utils.load_model(output)
    assert utils.evaluate(net, test_set)["pixel_acc"] == known["scores"]["test_acc"]


def test_predict_writes_the_label_and_the_overlay(street, tmp_path, capsys):
    folder, photo = tmp_path / "labels", street / "photo.jpg"
    turned, gray = tmp_path / "turned.jpg", tmp_path / "gray.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(photo).save(turned, exif=exif)
    Image.open(photo).convert("L").save(gray)
    code, text = run(capsys, "predict", "--model", street / "street.params", photo, turned, gray, "--output", folder)
    assert code == 0, text
    assert sorted(path.name for path in folder.iterdir()) == [
        f"{name}{end}" for name in ("gray", "photo", "turned") for end in (".png", "_overlay.jpg")
    ]
    net, *_ = utils.load_model(street / "street.params")
    for path in photo, turned, gray:
        image = utils.read_image(path)
        label = utils.predict(net, image, scale=0.5).asnumpy()
        found = Image.open(folder / f"{path.stem}.png")
        assert found.mode == "P"
        np.testing.assert_array_equal(np.asarray(found), label)
        np.testing.assert_array_equal(utils.read_label(folder / f"{path.stem}.png", CLASSES), label)
        painted = np.asarray(Image.open(folder / f"{path.stem}_overlay.jpg")).astype(float)
        assert np.abs(painted - utils.overlay(image, label, CLASSES)).mean() < 6
    share = 100 * (np.asarray(Image.open(folder / "photo.png")) == 1).mean()
    assert f"road {share:.1f} %" in text


def test_predict_refuses_before_it_writes(street, tmp_path, capsys):
    folder, params, photo = tmp_path / "labels", street / "street.params", tmp_path / "photo.jpg"
    shutil.copy(street / "photo.jpg", photo)
    (tmp_path / "other").mkdir()
    namesake, cut, deep = tmp_path / "other" / "Photo.png", tmp_path / "cut.jpg", tmp_path / "deep.png"
    Image.new("RGB", (9, 9)).save(namesake)
    cut.write_bytes(photo.read_bytes()[:-900])
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(deep)
    for images, error in (
        ([photo, namesake], r"photo\.jpg and .*Photo\.png would both become .*photo\.png|Photo\.png: rename one"),
        ([photo, photo], r"would both become"),
        ([photo, cut], r"cut\.jpg: cannot be read as a picture"),
        ([photo, deep], r"deep\.png: a PNG of 16 bits a channel"),
        ([photo, tmp_path / "none.jpg"], r"none\.jpg: no such file"),
        ([photo, tmp_path], r": a folder; expected a JPEG or PNG"),
    ):
        code, text = run(capsys, "predict", "--model", params, *images, "--output", folder)
        assert code == 2 and re.search(error, text) and not folder.exists(), text
    code, text = run(capsys, "predict", "--model", params, namesake, "--output", namesake.parent, "--force")
    assert code == 2 and "would replace the picture itself" in text
    assert run(capsys, "predict", "--model", params, photo, "--output", folder)[0] == 0
    code, text = run(capsys, "predict", "--model", params, photo, "--output", folder)
    assert code == 2 and "photo.png: is there already" in text
    assert run(capsys, "predict", "--model", params, photo, "--output", folder, "--force")[0] == 0
    code, text = run(capsys, "predict", "--model", params, photo, "--output", photo)
    assert code == 2 and "expected a folder" in text


def test_a_net_that_does_not_fit_is_refused(street, voc_folder, tmp_path, capsys):
    copy, record = tmp_path / "a.params", tmp_path / "a.json"

    def fresh():
        shutil.copy(street / "street.params", copy)
        shutil.copy(street / "street.json", record)

    fresh()
    code, text = run(capsys, "evaluate", "--model", copy, "--dataset", voc_folder)
    assert code == 2 and "its classes are background, aeroplane" in text and "trained with ground, road, sky" in text
    copy.write_bytes(copy.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"a\.params: not the parameters that a\.json describes"):
        utils.load_model(copy)
    fresh()
    known = json.loads(record.read_text())
    for change, error in (
        ({"format": "x"}, r"a\.json: not the description of a net \(format 'x'\)"),
        ({"model": "fcn32s"}, r"a\.params: the parameters of another net than a\.json says"),
        ({"classes": ["ground"], "colors": [[0, 0, 0]]}, r"a\.params: the parameters of another net"),
        ({"classes": ["ground"]}, r"1 names but 3 colours"),
        ({"backbone": "alexnet"}, r"alexnet"),
    ):
        record.write_text(json.dumps(known | change))
        with pytest.raises(ValueError, match=error):
            utils.load_model(copy)
    record.write_text("[")
    with pytest.raises(ValueError, match=r"a\.json: damaged \(Expecting value"):
        utils.load_model(copy)
    record.unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.json: no such file; expected the two files"):
        utils.load_model(copy)
    with pytest.raises(ValueError, match=r"expected a name that ends in \.params"):
        utils.load_model(record)


@pytest.mark.parametrize("left", [0, 100, 0.5, -1])
def test_a_disk_that_is_full_leaves_no_net(street, tmp_path, left):
    """MXNet says nothing where it could write only a part."""
    net, *_ = utils.load_model(street / "street.params")
    write = net.save_parameters

    def cut_short(name):
        write(name)
        size = os.path.getsize(name)
        os.truncate(name, {0.5: size // 2, -1: size - 1}.get(left, left))

    net.save_parameters = cut_short
    path = tmp_path / "a.params"
    path.write_bytes(b"before")
    with pytest.raises(OSError, match=r"a\.params: could not be written.*disk full"):
        utils.save_model(path, net, CLASSES, 1, force=True)
    assert [file.name for file in tmp_path.iterdir()] == ["a.params"] and path.read_bytes() == b"before"


def test_train_goes_on_from_a_checkpoint(voc_folder, tmp_path, capsys, monkeypatch):
    """Stopped after one epoch of three, the same command writes the net of a training that was not."""
    ends = []
    for name, stops in ("whole", [None]), ("stopped", [1, None]):
        for stop in stops:
            words = ["train", "--dataset", voc_folder, "--crop", "32x32", "--epochs", 3, "--batch", 3]
            words += ["--output", tmp_path / f"{name}.params", "--checkpoint", tmp_path / f"kept {name}"]
            code, text = _stopped_after(stop, monkeypatch, lambda words=words: run(capsys, *words))
            assert code == (130 if stop else 0), text
        ends.append((tmp_path / f"{name}.params").read_bytes())
    assert "epoch 2 of 3" in text and "epoch 1 of 3: loss" not in text and ends[0] == ends[1]


def _stopped_after(epochs, monkeypatch, call):
    """What the call gives, with Ctrl-C during its training after so many epochs."""

    def interrupt(history):
        if len(history) == epochs:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train_command, "train", functools.partial(utils.train, on_epoch=interrupt))
        return call()


def test_a_training_that_was_stopped_writes_nothing(voc_folder, tmp_path, capsys, monkeypatch):
    seen = {}

    def stopped(*args, **options):
        seen.update(options)
        return [{"epoch": 1}]

    monkeypatch.setattr(train_command, "train", stopped)
    words = ["train", "--dataset", voc_folder, "--crop", "32x32", "--epochs", 2, "--batch", 3]
    words += ["--output", tmp_path / "a.params", "--checkpoint", tmp_path / "kept"]
    code, text = run(capsys, *words)
    assert code == 130 and "Stopped after 1 of 2 epochs" in text and not (tmp_path / "a.params").exists()
    assert seen == {"checkpoint": str(tmp_path / "kept"), "callbacks": []}


def test_help_and_slips(capsys):
    for command in "train", "evaluate", "predict", "export":
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0 and f"-m utils {command} --" in capsys.readouterr().out
    for option, value in ("--rate", "fast"), ("--crop", "160"), ("--epochs", "0"), ("--stride", "3"):
        with pytest.raises(SystemExit) as ended:
            main(["train", "--dataset", "voc_mini", "--output", "a.params", option, value])
        assert ended.value.code == 2 and option in capsys.readouterr().err


def snippets():
    """The Python in docs/command_line.md on exported files: for MXNet, for onnxruntime."""
    page = (ROOT / "docs" / "command_line.md").read_text(encoding="utf-8")
    section = page.split("\n## Without the course\n", 1)[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


def without_the_course(code, folder, count):
    """Run it on 0.jpg, 1.jpg, …, each as photo.jpg, in one process, which cannot import `utils`."""
    code += "\nnp.savez('found', scores=scores if isinstance(scores, np.ndarray) else scores.asnumpy(), label=label)\n"
    each = f"for number in range({count}):\n    os.replace(f'{{number}}.jpg', 'photo.jpg')\n    exec({code!r}, {{}})\n"
    each += "    os.replace('found.npz', f'{number}.npz')\n"
    each = f"import os, sys\nsys.modules['utils'] = None\n{each}"
    done = subprocess.run([sys.executable, "-c", each], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [np.load(folder / f"{number}.npz") for number in range(count)]


@pytest.mark.parametrize("onnx", [False, True])
def test_the_page_s_lines_give_the_net_s_scores_without_the_course(street, tmp_path, capsys, onnx):
    code, text = run(
        capsys, "export", "--model", street / "street.params", "--output", tmp_path / "street", *["--onnx"] * onnx
    )
    assert code == 0 and "Written: " in text, text
    names = ["street.onnx"] if onnx else ["street-0000.params", "street-symbol.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "street-card.md"])
    net, *_ = utils.load_model(street / "street.params")
    sizes, images = [(1, 1), (33, 31), (190, 250), (480, 640)], []
    for number, size in enumerate(sizes):
        Image.open(street / "photo.jpg").resize(size[::-1]).save(tmp_path / f"{number}.jpg")
        images.append(utils.read_image(tmp_path / f"{number}.jpg"))
    for image, found in zip(images, without_the_course(snippets()[onnx], tmp_path, len(sizes)), strict=True):
        scores = net(nd.array(utils.normalize(image).transpose(2, 0, 1)[None])).asnumpy()
        if onnx:
            np.testing.assert_allclose(found["scores"], scores, atol=1e-5 * max(1, np.abs(scores).max()))
        else:
            np.testing.assert_array_equal(found["scores"], scores)
        first, second = np.sort(scores[0], axis=0)[:-3:-1]
        clear = first - second > (2e-5 * max(1, np.abs(scores).max()) if onnx else -1)  # but for ties within rounding
        assert clear.mean() > 0.999
        np.testing.assert_array_equal(found["label"][clear], utils.predict(net, image).asnumpy()[clear])
    code, text = run(
        capsys, "export", "--model", street / "street.params", "--output", tmp_path / "street", *["--onnx"] * onnx
    )
    assert code == 2 and "is there already" in text


@pytest.mark.parametrize("stride, align", [(32, True), (16, False), (16, True)])
def test_every_form_of_the_net_exports(tmp_path, stride, align):
    import onnxruntime

    net = utils.fcn(5, stride=stride, align=align)
    (path,) = utils.export(net, tmp_path / "net", onnx=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = mx.nd.random.normal(shape=(2, 3, 77, 130))
    expected = net(x).asnumpy()
    (found,) = session.run(None, {"data": x.asnumpy()})
    np.testing.assert_allclose(found, expected, atol=1e-5 * max(1, np.abs(expected).max()))


@pytest.mark.long
@pytest.mark.parametrize("stride", [32, 16, 8])
def test_vgg16_exports_too(tmp_path, stride, report):
    import onnxruntime

    net = utils.fcn(3, stride=stride, backbone="vgg16")
    for name, parameter in net._collect_params_with_prefix().items():
        if name.startswith("score"):
            parameter.set_data(nd.random.normal(scale=0.1, shape=parameter.shape))
    (path,) = utils.export(net, tmp_path / "net", onnx=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = mx.nd.random.normal(shape=(1, 3, 50, 70))
    expected = net(x).asnumpy()
    (found,) = session.run(None, {"data": x.asnumpy()})
    error = np.abs(found - expected).max() / max(1, np.abs(expected).max())
    report(f"ONNX of VGG16 at stride {stride} against MXNet", f"scores {error:.1e} of the largest apart")
    assert found.shape == expected.shape and error < 1e-5


def test_output_that_cannot_be_written_is_said_before_the_work(street, tmp_path, capsys):
    """In one line, by its own name: of a file in the place of a folder, of a name that is none."""
    (tmp_path / "file").write_text("")
    for words, error in (
        (["predict", street / "photo.jpg", "--output", tmp_path / "file" / "labels"], r"file: cannot be written to"),
        (["export", "--output", tmp_path / "file" / "street"], r"file: cannot be written to"),
        (["export", "--output", tmp_path], r"expected a name for the new files"),
        (["export", "--output", tmp_path / "a.onnx"], r"for an ONNX file say --onnx too"),
    ):
        code, text = run(capsys, words[0], "--model", street / "street.params", *words[1:])
        assert code == 2 and re.search(error, text) and text.count("\n") == 1, text
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_fills_up_is_named_by_the_file_that_was_wanted(street, tmp_path, capsys, monkeypatch):
    def full(self, beside, *words, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    words = ["predict", "--model", street / "street.params", street / "photo.jpg", "--output", tmp_path / "labels"]
    code, text = run(capsys, *words)
    assert code == 2 and "photo.png: No space left on device. Make room, or name another place" in text
    assert not list((tmp_path / "labels").iterdir())
    monkeypatch.setattr(
        mx.gluon.HybridBlock, "export", lambda *_: (_ for _ in ()).throw(mx.MXNetError("a\nincomplete"))
    )
    words = ["export", "--model", street / "street.params", "--output", tmp_path / "street"]
    code, text = run(capsys, *words)
    assert code == 2 and "street-symbol.json: could not be written (incomplete). Make room" in text


# ---- What train and evaluate say ----


def words_for(folder, output, *more):
    return ["train", "--dataset", folder, "--crop", "32x32", "--batch", 3, "--output", output, *more]


def test_train_says_its_classes_once_and_what_is_to_be_beaten(voc_folder, tmp_path, capsys):
    code, text = run(capsys, *words_for(voc_folder, tmp_path / "a b.params", "--epochs", 1))
    assert code == 0 and text.count("21 classes (VOC's, as there is no labelmap.txt): background, aeroplane") == 1
    train_set, test_set = utils.VOCSegDataset(True, (32, 32), voc_folder), utils.VOCSegDataset(False, None, voc_folder)
    index, scores = utils.baseline(train_set, test_set)
    name = utils.VOC.names[index]
    assert f"To beat: {name} everywhere has pixel accuracy {scores['pixel_acc']:.3f}, mean IoU" in text
    assert f"{name} everywhere: {scores['mean_iou']:.3f}" in text and "9 labels looked at in" in text
    assert f"--model '{tmp_path / 'a b.params'}' photo.jpg" in text
    known = json.loads((tmp_path / "a b.json").read_text())
    assert known["baseline"] == {"class": name} | scores and known["loss"] == "SoftmaxCrossEntropyLoss"
    code, text = run(capsys, "evaluate", "--model", tmp_path / "a b.params", "--dataset", voc_folder)
    assert code == 0 and re.search(rf"mean_iou +0\.\d+  {scores['mean_iou']:.3f}\n", text), text
    assert f"{name} everywhere" in text


@pytest.mark.parametrize("way", ["median", "inverse"])
def test_weights_are_chapter_10_s(voc_folder, tmp_path, capsys, monkeypatch, way):
    """Against the formulas of the experiment that the chapter shows, which count the files themselves."""
    from results.optimisation.run import Loss, class_weights

    for name in "abcd":  # a class in few pictures: else both ways are one
        Image.new("RGB", (60, 40), utils.VOC_COLORMAP[7]).save(voc_folder / f"SegmentationClass/{name}.png")
    seen = []
    monkeypatch.setattr(train_command, "train", lambda *args, **kw: seen.append(args) or utils.train(*args, **kw))
    code, text = run(capsys, *words_for(voc_folder, tmp_path / "a.params", "--epochs", 1, "--weights", way))
    assert code == 0, text
    assert json.loads((tmp_path / "a.json").read_text())["loss"] == f"WeightedCrossEntropyLoss, {way} frequency"
    batches, _, _, loss, *_ = seen[0]
    label = nd.array(np.random.RandomState(0).choice([0, 1, 7, 20, 255], (2, 9, 8)))
    label[1] = 255
    scores = nd.random.normal(shape=(2, 21, 9, 8))
    expected = Loss(weights=class_weights(batches._dataset, way))(scores, label).asnumpy()
    np.testing.assert_allclose(loss(scores, label).asnumpy(), expected, rtol=1e-5)
    assert expected[0] > 0 and loss(scores, label)[1].asscalar() == 0


def test_other_weights_are_another_training(voc_folder, tmp_path, capsys):
    kept = ["--epochs", 1, "--checkpoint", tmp_path / "kept"]
    assert run(capsys, *words_for(voc_folder, tmp_path / "a.params", *kept, "--weights", "median"))[0] == 0
    code, text = run(capsys, *words_for(voc_folder, tmp_path / "b.params", *kept, "--weights", "inverse"))
    assert code == 2 and "of another training: loss WeightedCrossEntropyLoss, median" in text


@pytest.mark.parametrize("epochs", [1, 3])
def test_other_epochs_on_a_checkpoint_are_spoken_of_as_the_option(voc_folder, tmp_path, capsys, epochs):
    kept = tmp_path / "kept"
    assert run(capsys, *words_for(voc_folder, tmp_path / "a.params", "--epochs", 2, "--checkpoint", kept))[0] == 0
    code, text = run(capsys, *words_for(voc_folder, tmp_path / "b.params", "--epochs", epochs, "--checkpoint", kept))
    assert code == 2 and f"epochs over which its rate falls 2, now {epochs}; " in text
    assert "take 2 again (num_epochs, on the command line --epochs)" in text and "max_" not in text


def test_evaluate_refuses_what_data_calls_an_error(voc_folder, tmp_path, capsys):
    saved(tmp_path / "a.params", utils.VOC, 1)
    words = ["evaluate", "--model", tmp_path / "a.params", "--dataset", voc_folder]
    lists = voc_folder / "ImageSets/Segmentation"
    (lists / "val.txt").write_text("x\na\n")
    code, text = run(capsys, *words)
    assert code == 2 and "val.txt: a is in train.txt too" in text
    assert run(capsys, *words, "--split", "train")[0] == 0
    (lists / "val.txt").write_text("x\n")
    for value, told in (0, "val.txt: background is the only class"), (255, "val.txt: 100% of the pixels are void"):
        color = utils.VOC_COLORMAP[0] if value == 0 else utils.VOID_COLOR
        Image.new("RGB", (60, 40), color).save(voc_folder / "SegmentationClass/x.png")
        code, text = run(capsys, *words)
        assert code == 2 and told in text and "mean_iou" not in text, text


def test_a_folder_given_to_predict_names_its_pictures(street, tmp_path, capsys):
    folder = tmp_path / "my holiday"
    folder.mkdir()
    words = ["predict", "--model", street / "street.params", folder, "--output", tmp_path / "labels"]
    code, text = run(capsys, *words)
    assert code == 2 and "there is none in it" in text
    for name in "a.jpg", "b.jpg", "c.JPG", "note.txt", ".d.jpg":
        shutil.copy(street / "photo.jpg", folder / name)
    code, text = run(capsys, *words)
    assert code == 2 and f"name its 3 pictures, '{folder}'/*.jpg '{folder}'/*.JPG" in text and text.count("\n") == 1


def test_the_python_of_a_next_line_is_this_one(tmp_path, monkeypatch):
    """Elsewhere `python` may be another, without MXNet."""
    from utils.core.surroundings import python

    monkeypatch.chdir(tmp_path)
    assert python() == sys.executable
    monkeypatch.setattr(sys, "executable", str(tmp_path / "a b" / "python"))
    assert python() == "'a b/python'"


def test_a_batch_larger_than_the_list_is_spoken_of_as_the_option(voc_folder, tmp_path, capsys):
    words = ["train", "--dataset", voc_folder, "--crop", "32x32", "--batch", 7, "--output", tmp_path / "a.params"]
    code, text = run(capsys, *words)
    assert code == 2 and text.startswith("--batch 7, but") and "take at most 6" in text and text.count("\n") == 1


def test_a_rate_for_the_backbone(voc_folder, tmp_path, capsys, monkeypatch):
    """Told as a factor of the parameters of `features`, which Adam multiplies the rate by; refused without any."""
    seen = {}

    def watched(parameters, *args):
        seen.update({name: parameter.lr_mult for name, parameter in parameters.items()})
        return mx.gluon.trainer.Trainer(parameters, *args)

    monkeypatch.setattr("utils.engine.distributed.gluon.Trainer", watched)
    words = ["train", "--dataset", voc_folder, "--crop", "32x32", "--epochs", 1, "--batch", 6, "--backbone-rate", 1e-5]
    code, text = run(capsys, *words, "--rate", 1e-3, "--output", tmp_path / "net.params")
    assert code == 0, text
    of_backbone = {name for name in seen if name.startswith("efficientnetlite0")}
    assert {round(seen[name], 9) for name in of_backbone} == {0.01}
    assert {seen[name] for name in seen.keys() - of_backbone} == {1}
    with pytest.raises(ValueError, match="--backbone-rate: mine has no backbone .* leave it out"):
        train_command._features_of(mx.gluon.nn.Dense(1), "mine")
