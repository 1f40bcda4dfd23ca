"""The model card that `export` writes: nothing in it is invented, nothing of a stranger's JSON acts in it."""

import utils
from utils.__main__ import main
from utils.models.card import UNKNOWN, card

import json
import re

import numpy as np
import pytest
from conftest import ROOT
from mxnet import nd

HEADINGS = [  # Mitchell et al. 2019, figure 1
    "Model details",
    "Intended use",
    "Factors",
    "Metrics",
    "Evaluation data",
    "Training data",
    "Quantitative analyses",
    "Ethical considerations",
    "Caveats and recommendations",
]
SHIPPED = ROOT / "results/shipped/fcn8s.params"
GIVEN = {"date": "2026-01-02", "version": "9.9"}
CLASSES = utils.LabelMap(["ground", "road", "sky"], [(0, 0, 0), (128, 0, 0), (128, 128, 128)])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small net as a notebook leaves it, with nothing said of its training."""
    utils.seed(0)
    net = utils.fcn(3, 8)
    net(nd.zeros((1, 3, 32, 32)))
    path = tmp_path_factory.mktemp("net") / "small.params"
    utils.save_model(path, net, CLASSES, scale=0.5)
    return path


def export(*words):
    return main(["export", *map(str, words)])


def table(text, head):
    """{first cell: further cells} of the table that begins so."""
    rows = text.split(f"\n| {head} |", 1)[1].split("\n\n")[0].splitlines()[2:]
    return {cells[0]: cells[1:] for cells in ([cell.strip() for cell in row.strip("|").split("|")] for row in rows)}


def test_the_shipped_net_s_card_says_what_its_json_says(tmp_path):
    assert export("--model", SHIPPED, "--output", tmp_path / "net") == 0
    text, known = (tmp_path / "net-card.md").read_text(), json.loads(SHIPPED.with_suffix(".json").read_text())
    assert re.findall("(?m)^## (.*)$", text) == HEADINGS
    net, *_ = utils.load_model(SHIPPED)
    count = sum(p.data().size for p in net.collect_params().values())
    assert f"{count:,} parameters" in text and known["sha256"] in text and f"**Trained:** {known['date']}" in text
    scores, each = table(text, "score"), table(text, "class")
    assert scores["mean IoU"] == [f"{float(known['shipped'][name]):.3f}" for name in ("mean_iou", "baseline_iou")]
    for pair in known["shipped"]["iou"].split("; "):
        name, value = pair.split()
        assert each[name] == [value]
    assert each["dog"] == ["does not occur: not measured"] and list(each) == utils.VOC_CLASSES
    assert (
        "say nothing about photographs" in text and "Photographs: the pictures it was trained on are drawings" in text
    )


def test_with_a_data_set_it_is_scored_as_evaluate_scores_it(voc_folder, tmp_path):
    utils.seed(0)
    net = utils.fcn(len(utils.VOC), 8)
    net(nd.zeros((1, 3, 32, 32)))
    utils.save_model(tmp_path / "net.params", net, utils.VOC)
    words = ["--model", tmp_path / "net.params", "--output", tmp_path / "out", "--dataset", voc_folder]
    assert export(*words) == 0
    text, test_set = (tmp_path / "out-card.md").read_text(), utils.VOCSegDataset(False, None, voc_folder)
    scores = utils.evaluate(utils.load_model(tmp_path / "net.params")[0], test_set)
    labels = np.concatenate([y.asnumpy().ravel() for _, y in test_set]).astype(int)
    shares = np.bincount(labels[labels != utils.VOID], minlength=21) / (labels != utils.VOID).sum()
    found = table(text, "score")
    assert found["pixel accuracy"] == [f"{scores['pixel_acc']:.3f}", f"{shares.max():.3f}"]
    assert f"list val, {len(test_set)} pictures; measured at the export" in text
    assert str(voc_folder) not in text  # which tells of this machine
    code = export(*words)
    assert code == 2  # its scores would change
    assert export(*words, "--force") == 0


def test_what_nobody_knows_is_unknown(small, tmp_path):
    assert export("--model", small, "--output", tmp_path / "net") == 0
    text = (tmp_path / "net-card.md").read_text()
    for line in (
        "**Trained:** unknown",
        "**Settings:** unknown; first weights: unknown",
        "list unknown, unknown pictures",
    ):
        assert line in text
    assert "No score is known, and no baseline" in text and "drawings" not in text
    assert "scaled to 0.5 of their height and width, minus the mean" in " ".join(text.split())
    assert text.count("not measured: `python -m utils export --dataset") == 2


def test_train_tells_the_card(voc_folder, tmp_path):
    words = ["train", "--dataset", voc_folder, "--crop", "32x32", "--epochs", 1, "--batch", 3, "--seed", 5]
    assert main([str(word) for word in [*words, "--output", tmp_path / "t.params"]]) == 0
    assert export("--model", tmp_path / "t.params", "--output", tmp_path / "t") == 0
    text, known = (tmp_path / "t-card.md").read_text(), json.loads((tmp_path / "t.json").read_text())
    assert "epochs 1; batch 3; rate 0.0005;" in text and "seed 5; first weights: ImageNet's weights in the bac" in text
    assert table(text, "score")["mean IoU"] == [
        f"{known['scores']['mean_iou']:.3f}",
        f"{known['baseline']['mean_iou']:.3f}",
    ]
    assert f"list train, {known['train_pictures']} pictures" in text and "training's last epoch" in text
    here = f"{voc_folder}/../{voc_folder.name}"  # the same folder by another name
    words = ["--model", tmp_path / "t.params", "--dataset", here]
    for split, told in ("train", True), ("val", False):
        assert export(*words, "--split", split, "--output", tmp_path / split) == 0
        assert ("was trained on this list" in (tmp_path / f"{split}-card.md").read_text()) == told


def test_a_card_that_somebody_filled_in_stays_and_another_s_is_refused(small, tmp_path, capsys):
    words = ["--model", small, "--output", tmp_path / "net"]
    assert export(*words) == 0
    path = tmp_path / "net-card.md"
    path.write_text(path.read_text().replace("whom to ask:** unknown", "whom to ask:** Anna"))
    assert export(*words, "--onnx") == 0 and "Anna" in path.read_text()
    assert "is of this net already, and stays" in capsys.readouterr().out
    path.write_text("my own")
    (tmp_path / "net.onnx").unlink()
    assert export(*words, "--onnx") == 2 and not (tmp_path / "net.onnx").exists()
    assert (
        "net-card.md: is there already, not this net's card; take another name, or --force" in capsys.readouterr().err
    )
    assert export(*words, "--onnx", "--force") == 0 and path.read_text().startswith("# Model card: net\n")


def test_all_of_it_or_nothing(small, tmp_path, monkeypatch):
    monkeypatch.setattr("utils.cli.export.card", lambda *_, **__: (_ for _ in ()).throw(ValueError("no card")))
    assert export("--model", small, "--output", tmp_path / "net") == 2 and not list(tmp_path.iterdir())
    monkeypatch.undo()
    monkeypatch.setattr("utils.cli.export.export", lambda *_, **__: (_ for _ in ()).throw(OSError("full")))
    assert export("--model", small, "--output", tmp_path / "net") == 2 and not list(tmp_path.iterdir())


def test_a_stranger_s_json_is_text_and_numbers(small):
    net, classes, scale, known = utils.load_model(small)
    bad = "</p><script>x</script>\n# Heading | `code` [a](javascript:x) ![b](c)"
    keys = "dataset", "train_split", "val_split", "train_pictures", "loss", "seed", "date", "weights", "model"
    known |= dict.fromkeys(keys, bad) | {"mean": bad, "deviation": [bad], "options": {bad: bad}, "backbone": [bad]}
    known |= {"scores": {"mean_iou": float("nan"), "pixel_acc": bad, "fw_iou": 10**400, "mean_acc": 0.5}, "iou": [bad]}
    known["baseline"] = {"class": bad, "mean_acc": bad}
    for begin in "# Scores", "- good", "1. good", "===":  # a heading, a list
        lines = card(net, classes, scale, known | {"dataset": begin}, "net", **GIVEN).splitlines()
        assert any(begin in line for line in lines) and not any(line.startswith(begin) for line in lines)
    text = card(net, classes, scale, known, "net", **GIVEN)
    assert not re.search(r"(?<!\\)<(?!https)", text) and not re.search(r"(?<!\\)\]\(", text)
    assert re.findall("(?m)^#+ (.*)$", text) == ["Model card: net", *HEADINGS]
    assert list(table(text, "score").values()) == [["0.500", UNKNOWN]]
    for other in bad, [bad], {bad: bad}:
        known |= dict.fromkeys(["scores", "baseline", "pretrained", "iou", "weights"], other)
        text = card(net, classes, scale, known, "net", **GIVEN)
        assert "first weights: unknown" in text or other is bad
        assert "No score is known" in text or isinstance(other, dict)
