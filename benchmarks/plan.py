"""What is measured, on which sides, and what is to be reached (the table in README.md follows this order)."""

from collections import namedtuple

Side = namedtuple("Side", "name program what options")
"""program: a key of PROGRAMS. what and options: one of its measures, and what to give it."""

Part = namedtuple("Part", "rounds seconds fresh tasks")
"""seconds: how long a measurement lasts at least; 0: one call without warming up. fresh: each in a process begun for
it, so that its memory can be told. tasks: {name: [Side]}; the sides of one task take turns."""

Target = namedtuple("Target", "text part over under sense bound kind", defaults=(">=", None, "seconds"))
"""over and under: (task, side); a name that ends in * stands for the fastest side that begins so.

The value of a round is what `over` took divided by what `under` took, an item; of `over` alone where `under` is None.
bound: what to reach, None for what is only told. kind: seconds, or megabytes above the framework.
"""

Program = namedtuple("Program", "module environment all_cores settings", defaults=(".venv", True, {}))
"""all_cores: told by OMP_NUM_THREADS to use them. settings: further environment variables."""

# what `import utils` asks of glibc for the course (utils/core/memory.py), asked for PyTorch too
KEEP = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40), "MALLOC_ARENA_MAX": "1"}
PROGRAMS = {
    "course": Program("course", all_cores=False),  # sets its threads itself
    "classic": Program("classic"),
    "classic, default threads": Program("classic", all_cores=False),
    "PyTorch": Program("pytorch", ".venv-bench"),
    "PyTorch keeping memory": Program("pytorch", ".venv-bench", settings=KEEP),
    "PyTorch, Lite0": Program("pytorch_lite", ".venv-bench"),
    "PyTorch, Lite0, keeping memory": Program("pytorch_lite", ".venv-bench", settings=KEEP),
    "onnxruntime": Program("onnx_runtime"),
}

SIZES, BATCHES = (128, 256, 512, 768, 1024), (1, 2, 4, 8, 16)
FEEDING = "loader alone", "step alone", "step fed by the loader"
EAGER, COMPILED, FROZEN = {"compiled": False}, {"compiled": True}, {"compiled": True, "frozen": True}
FORMS = {  # of PyTorch
    "eager": EAGER | {"channels_last": False},
    "eager, channels last": EAGER | {"channels_last": True},
    "compiled": COMPILED | {"channels_last": False},
    "compiled, channels last": COMPILED | {"channels_last": True},
    "frozen, channels last": FROZEN | {"channels_last": True},
}


def parts(quick=False):
    """{name: Part}. quick: everything once, small, without PyTorch's compiled forms, to see that it works."""
    size = {"height": 64, "width": 96} if quick else {"height": 320, "width": 480}
    batch, pairs, counts = (2, 8, (8, 16)) if quick else (8, 100, (100, 2913))
    sizes, batches = ((64, 128), (1, 2)) if quick else (SIZES, BATCHES)
    net = size | {"classes": 21}

    def ours(what, name="course", **options):
        return Side(name, "course", what, options)

    def pytorch(what, program, forms, **options):
        for form in forms:
            if not (quick and FORMS[form]["compiled"]):
                yield Side(f"{program}, {form}", program, what, options | FORMS[form])

    def training():
        given = net | {"batch": batch}
        yield ours("step", "course, FCN-32s", stride=32, **given)
        yield ours("train", "course, FCN-32s, all of utils.train", stride=32, **given)
        yield ours("step", "course, FCN-8s", stride=8, **given)
        yield ours("backbone", "course, backbone alone", **given)
        for name in "classic", "classic, default threads":
            yield Side(name, name, "step", given)
        forms = [form for form in FORMS if "frozen" not in form]
        yield from pytorch("step", "PyTorch", forms, **given)
        yield from pytorch("step", "PyTorch keeping memory", forms[1::2], **given)

    def inference(batch):
        given = net | {"batch": batch}
        yield ours("predict", stride=32, **given)
        yield Side("classic", "classic", "predict", given)
        yield from pytorch("predict", "PyTorch", FORMS, **given)
        yield from pytorch("predict", "PyTorch keeping memory", list(FORMS)[3:], **given)
        for inside in False, True:
            name = f"onnxruntime, argmax {'inside' if inside else 'by NumPy'}"
            yield Side(name, "onnxruntime", "predict", given | {"argmax_inside": inside})

    feed = size | {"pairs": pairs, "batch": batch, "workers": 2}
    loading = {
        "label": [ours("label", pairs=pairs), Side("classic", "classic", "label", {"pairs": pairs})],
        "pair": [
            ours("pair", pairs=pairs, **size),
            ours("pair", "course, cache=True", pairs=pairs, cache=True, **size),
            Side("classic", "classic", "pair", size | {"pairs": pairs, "in_memory": False}),
            Side("classic, after the first epoch", "classic", "pair", size | {"pairs": pairs, "in_memory": True}),
        ],
        "feeding the step": [
            ours("load", "course, loader alone", **feed),
            ours("step", "course, step alone", stride=32, batch=batch, **net),
            ours("fed_step", "course, step fed by the loader", stride=32, classes=21, **feed),
        ],
    }
    memory = {
        f"{count} pairs": [
            ours("epoch", pairs=count, batch=batch, **size),
            ours("epoch", "course, cache=True", pairs=count, batch=batch, cache=True, **size),
            Side("classic", "classic", "epoch", size | {"pairs": count, "batch": batch}),
        ]
        for count in counts
    }
    scored = net | {"batch": 2 * batch, "stride": 32}
    evaluation = [ours("evaluate", "course, utils.evaluate", **scored), ours("forward", "course, forward", **scored)]
    imports = [ours("importing", f"import {module}", module=module) for module in ("utils", "mxnet")]

    small = {"height": 64, "width": 96} if quick else {"height": 160, "width": 224}
    lite, resnet = {"backbone": "efficientnet_lite0", "pretrained": True}, {"backbone": "resnet18_v2"}

    def pretrained(what, batch):
        """FCN-8s on EfficientNet-Lite0 as it is trained by default, and on ResNet18, at the size of chapter 08."""
        given = small | {"classes": 21, "batch": batch}
        yield ours(what, "course, Lite0", stride=8, **given, **lite)
        yield ours(what, "course, ResNet18", stride=8, **given, **resnet)
        if what == "step":
            yield ours("backbone", "course, Lite0 backbone alone", **given, **lite)
            yield ours("backbone", "course, ResNet18 backbone alone", **given, **resnet)
        forms = [form for form in FORMS if what == "predict" or "frozen" not in form]
        yield from pytorch(what, "PyTorch, Lite0", forms, **given)
        yield from pytorch(what, "PyTorch, Lite0, keeping memory", forms[1::2], **given)

    def learning():
        """Seconds of training until a score is reached on voc_mini's val, three seeds."""
        for goal, name, rate, epochs, net in (
            (0.5, "Lite0", 1e-3, 4, lite),
            (0.5, "ResNet18 from nothing", 5e-4, 7, resnet),
            (0.8, "Lite0", 1e-3, 4, lite),
            (0.88, "Lite0", 1e-3, 4, lite),
        ):
            given = {"rate": rate, "epochs": 1 if quick else epochs, "goal": 0 if quick else goal} | net
            yield f"{goal} mean IoU", ours("learn", f"course, {name}", **given)

    learned = {}
    for task, side in learning():
        learned.setdefault(task, []).append(side)

    def curves():
        shapes = [(f"1 × {n} × {n}", 1, n, n) for n in sizes]
        shapes += [(f"{n} × {size['height']} × {size['width']}", n, size["height"], size["width"]) for n in batches]
        for name, number, height, width in shapes:
            given = {"batch": number, "height": height, "width": width, "classes": 21, "stride": 32}
            yield name, [ours("step", "course, step", **given), ours("predict", "course, prediction", **given)]

    rounds, seconds = (2, 0.01) if quick else (7, 1)
    return {
        "training": Part(rounds, seconds, False, {"step": list(training())}),
        "inference": Part(rounds, seconds, False, {f"batch {n}": list(inference(n)) for n in (1, 2)}),
        "loading": Part(rounds, seconds, False, loading),
        "memory": Part(1, 0, True, memory),
        "evaluation": Part(rounds, seconds, False, {"pictures in memory": evaluation}),
        "import": Part(rounds, seconds, False, {"import": imports}),
        "pretrained": Part(
            rounds, seconds, False, {"step": list(pretrained("step", 8)), "one picture": list(pretrained("predict", 1))}
        ),
        "learning": Part(1 if quick else 3, 0, False, learned),
        "size": Part(1 if quick else 2, seconds / 2, True, dict(curves())),
    }


def _targets():
    """What issue 7 wants, point by point, and what else is worth telling."""
    ours, backbone = ("step", "course, FCN-32s"), ("step", "course, backbone alone")
    training = "1 · training FCN-32s, batch 8: "
    yield Target(training + "PyTorch / course", "training", ("step", "PyTorch,*"), ours, ">=", 1.3)
    theirs = "step", "PyTorch keeping memory,*"
    yield Target(training + "PyTorch keeping memory / course", "training", theirs, ours)
    yield Target(training + "classic, all cores / course", "training", ("step", "classic"), ours, ">=", 1.6)
    yield Target(training + "classic, default / course", "training", ("step", "classic, default threads"), ours)
    yield Target("2 · step / backbone: FCN-32s", "training", ours, backbone, "<=", 1.15)
    yield Target("2 · step / backbone: FCN-8s", "training", ("step", "course, FCN-8s"), backbone, "<=", 1.25)
    whole = "step", "course, FCN-32s, all of utils.train"
    yield Target("2 · all of utils.train / step", "training", whole, ours, "<=")
    for task in "batch 1", "batch 2":
        text, course = f"3 · inference, {task}: ", (task, "course")
        yield Target(text + "PyTorch / course", "inference", (task, "PyTorch,*"), course, ">=", 1.1)
        theirs = task, "PyTorch keeping memory,*"
        yield Target(text + "PyTorch keeping memory / course", "inference", theirs, course)
        yield Target(text + "onnxruntime / course", "inference", (task, "onnxruntime*"), course, ">=", 1.0)
        yield Target(text + "classic / course", "inference", (task, "classic"), course)
    yield Target("4 · a label: classic / course", "loading", ("label", "classic"), ("label", "course"), ">=", 8)
    yield Target("4 · a pair: classic / course", "loading", ("pair", "classic"), ("pair", "course"), ">=", 3)
    later = "pair", "classic, after the first epoch"
    cached = "pair", "course, cache=True"
    yield Target("4 · a pair: classic from memory / course, cache=True", "loading", later, cached)
    loader, step, fed = (("feeding the step", f"course, {what}") for what in FEEDING)
    yield Target("4 · 2 workers: step alone / loader alone", "loading", step, loader, ">=", 1)
    yield Target("4 · 2 workers: step fed by the loader / step alone", "loading", fed, step, "<=")
    few, many = ("100 pairs", "course"), ("2913 pairs", "course")
    yield Target("4 · memory, 2,913 pairs / 100 pairs", "memory", many, few, "<=", 1.1, "megabytes")
    yield Target("4 · memory, 2,913 pairs, MB", "memory", many, None, "<=", 300, "megabytes")
    yield Target("4 · memory, 2,913 pairs: classic / course", "memory", (many[0], "classic"), many, kind="megabytes")
    cached = many[0], "course, cache=True"
    yield Target("4 · memory, 2,913 pairs, cache=True, MB", "memory", cached, None, kind="megabytes")
    scored = (("pictures in memory", f"course, {what}") for what in ("utils.evaluate", "forward"))
    yield Target("5 · evaluation / forward passes", "evaluation", *scored, "<=", 1.1)
    imports = (("import", f"import {module}") for module in ("utils", "mxnet"))
    yield Target("6 · import utils / import mxnet", "import", *imports, "<=", 1.3)
    for task, text in ("step", "training FCN-8s, batch 8"), ("one picture", "one picture to labels"):
        course = task, "course, Lite0"
        yield Target(f"7 · {text}: Lite0 / ResNet18", "pretrained", course, (task, "course, ResNet18"), "<=", 0.7)
        theirs = task, "PyTorch, Lite0,*"
        yield Target(f"7 · {text}, Lite0: course / PyTorch", "pretrained", course, theirs, "<=", 1.2)
    for goal, bound in (0.8, 30), (0.88, 60):
        text, course = f"7 · seconds of training to {goal} mean IoU on voc_mini", (f"{goal} mean IoU", "course, Lite0")
        yield Target(text, "learning", course, None, "<=", bound)
    half = (("0.5 mean IoU", f"course, {net}") for net in ("ResNet18 from nothing", "Lite0"))
    yield Target("7 · seconds to 0.5 mean IoU: ResNet18 from nothing / Lite0", "learning", *half)


TARGETS = list(_targets())
