"""Figures with controls above them, in a running notebook: predictions one by one, nets side by side (08, 09)."""

import html
import pathlib
import tempfile
import time

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.patches import Patch, Rectangle
from mxnet import nd

from ..data.image_io import read_image
from ..data.labelmap import VOID, LabelMap
from ..data.transforms import normalize, resize
from ..data.voc import read_pair
from ..engine.predict import predict
from ..metrics import SegmentationMetric
from .plotting import BLUE, GREEN, ORANGE, PINK, RED, SKY, add_legend, overlay, show_images

_ORDERS = {"as listed": None, "fewest right pixels first": "pixel_acc", "lowest mean IoU first": "mean_iou"}
PAINTS = BLUE, ORANGE, GREEN, PINK, SKY, RED  # of the classes in `what_and_where`
_ERRORS = LabelMap(["right", "wrong"], [(0, 0, 0), (213, 94, 0)])  # black: `overlay` leaves it clear


class Viewer:
    """Steps through a net's predictions for a data set's pictures (chapter 08).

    net: any net that `predict` takes. dataset: a `VOCSegDataset`, whose pictures are shown whole, at its scale.
    order: "as listed", "fewest right pixels first" or "lowest mean IoU first", each picture scored by itself.
    All pictures are predicted once, when the first is drawn, and kept as uint8 labels: after more training, make a
    new Viewer. A class that the data set doesn't have is a ValueError.

    `show()` shows the figure and, in a running notebook, controls above it; `draw(index)` gives the figure alone.
    """

    def __init__(self, net, dataset, order="as listed"):
        if order not in _ORDERS:
            raise ValueError(f"order={order!r}: expected one of {', '.join(map(repr, _ORDERS))}")
        self.net, self.dataset, self.order = net, dataset, order
        self.labels, self.metrics, self.total = [], [], SegmentationMetric(len(dataset.classes))

    def predict_all(self, report=lambda text: None):
        """Fill `labels`, (H, W) uint8, and `metrics`, a `SegmentationMetric` each; `total` counts all; only once."""
        for i in range(len(self.labels), len(self.dataset)):
            image, truth = _pair(self.dataset, i)
            label, metric = predict(self.net, image).asnumpy(), SegmentationMetric(len(self.dataset.classes))
            metric.update(truth, label)
            self.total.update(truth, label)
            self.metrics.append(metric)
            self.labels.append(label.astype(np.uint8))
            report(f"predicting: {i + 1} of {len(self.dataset)} pictures")

    def indices(self, order):
        """All indices of the data set in one of the orders; pictures without a labelled pixel come last."""
        if _ORDERS[order] is None:
            return list(range(len(self.dataset)))
        self.predict_all()
        return np.argsort([metric.scores()[_ORDERS[order]] for metric in self.metrics], kind="stable").tolist()

    def draw(self, index, opacity=0.6):
        """The figure of one picture: itself; prediction, truth and errors laid over it; the IoU of each class.

        index: place in the data set's list. opacity: of what is laid over, 0 to 1. The legend has the classes that
        are painted: `overlay` leaves void clear, and classes whose colour is black, such as VOC's background.
        """
        self.predict_all()
        classes, metric, label = self.dataset.classes, self.metrics[index], self.labels[index]
        image, truth = _pair(self.dataset, index)
        grey = image.mean(axis=2, keepdims=True).repeat(3, axis=2).astype(np.uint8)
        wrong = np.where(truth == VOID, VOID, label != truth)
        figure = uncropped(plt.figure(figsize=(10.5, 5.2), layout="constrained"))
        above, below = figure.subfigures(2, 1)
        shown = [image, overlay(image, label, classes, opacity), overlay(image, truth, classes, opacity)]
        shown.append(overlay(grey, wrong, _ERRORS, opacity))
        share = (wrong == 1).sum() / max(1, (truth != VOID).sum())
        verdict = f"wrong: {share:.0%} of the labelled pixels" if (truth != VOID).any() else "no labelled pixels"
        titles = [self.dataset.names[index], "prediction", "truth", verdict]
        for ax, picture, title in zip(above.subplots(1, 4), shown, titles, strict=True):
            ax.imshow(picture, interpolation="nearest")
            ax.set_title(title, fontsize=10)
            ax.axis("off")
        painted = {i for i in np.union1d(label, truth) if i != VOID and any(classes.colors[i])}
        if painted:
            add_legend(above, painted, classes)
        self._draw_iou(below.subplots(), metric)
        return figure

    def _draw_iou(self, ax, metric):
        """Bars for all pictures, and dots, which are seen at 0 too, for this one."""
        classes, occurs = self.dataset.classes, np.flatnonzero(~np.isnan(self.total.iou))
        places, colors = np.arange(len(occurs)), np.array([classes.colors[i] for i in occurs]) / 255
        ax.bar(places, self.total.iou[occurs], color="#cccccc")
        ax.scatter(places, metric.iou[occurs], c=colors, edgecolors="black", s=45, zorder=3, clip_on=False)
        ax.set_xticks(places, [classes.names[i] for i in occurs], rotation=40, ha="right", fontsize=8)
        here, everywhere = metric.scores()["mean_iou"], self.total.scores()["mean_iou"]
        dots, bars = f"this picture (mean {here:.2f})", f"all {len(self.dataset)} pictures (mean {everywhere:.2f})"
        ax.set_title(f"IoU of each class: dots for {dots}, bars for {bars}", fontsize=10)
        ax.set(ylabel="IoU, 0 to 1", ylim=(0, 1))

    def show(self):
        """Show the figure; where widgets live, controls above it: previous, next, a slider, order and opacity."""
        import ipywidgets as widgets

        place = widgets.IntSlider(1, 1, len(self.dataset), description="picture")
        back, forth = (widgets.Button(description=text) for text in ("◀ previous", "next ▶"))
        order = widgets.Dropdown(options=list(_ORDERS), value=self.order, description="order")
        opacity = widgets.FloatSlider(0.6, min=0, max=1, step=0.05, description="opacity")
        live = Redrawn(lambda: self.draw(self.indices(order.value)[place.value - 1], opacity.value))

        def step(by):
            place.value += by  # a slider keeps within its ends

        def from_the_first(_):
            if place.value > 1:
                place.value = 1  # which draws
            else:
                live.draw()

        back.on_click(lambda _: step(-1))
        forth.on_click(lambda _: step(1))
        order.observe(from_the_first, "value")
        for slider in place, opacity:
            slider.observe(live.draw, "value")
        controls(widgets.VBox([widgets.HBox([back, forth, place]), widgets.HBox([order, opacity])]))
        self.predict_all(live.say)
        live.draw()


def compare(nets, dataset, index=0, side=1024):
    """Show one picture's labels by several nets side by side; choose the picture, or upload your own (chapter 09).

    nets: dict of a name for each net, such as {"FCN-32s": net32, "FCN-8s": net8}. dataset: the `VOCSegDataset` to
    choose from, whose pictures are shown whole, at its scale, and with the truth; index: the first one.
    side: an upload is reduced by the data set's scale, and further where its longer side still has more pixels than
    this; above 1536, `predict` works in tiles. What can't be read is said above the figure.
    """
    import ipywidgets as widgets

    names = [(name, i) for i, name in enumerate(dataset.names)]
    choice = widgets.Dropdown(options=names, value=index, description="picture")
    message = widgets.HTML()

    def chosen(_=None):
        name, (image, truth) = dataset.names[choice.value], _pair(dataset, choice.value)
        message.value = f"{html.escape(name)}: the nets are predicting …"
        figure = draw_labels(nets, name, image, dataset.classes, truth)
        message.value = f"{html.escape(name)}: {image.shape[0]} × {image.shape[1]} pixels"
        return figure

    def brought(name, image):
        live.put(draw_labels(nets, name, image, dataset.classes))
        choice.value = None  # the picture shown is none of the list

    live = Redrawn(chosen)
    choice.observe(lambda change: change["new"] is not None and live.draw(), "value")
    own = _upload_button(message, brought, side, dataset.scale)
    controls(widgets.VBox([widgets.HBox([choice, own]), message]))
    live.draw()


def what_and_where(classifier, names, path, side=480):
    """Show what a classifier says of a photograph as a whole and at each place; upload your own (chapter 00).

    classifier: a net with `scores` and `features`, as `EfficientNetLite0` has them. names: those of its classes. path:
    a JPEG or PNG. side: a photograph whose longer side has more pixels than this is reduced to it. A file that can't be
    read is the ValueError of `read_image`; of an upload it is said above the figure.
    """
    import ipywidgets as widgets

    message = widgets.HTML()
    live = Redrawn(lambda: draw_what_and_where(classifier, names, first))
    first = read_image(path)
    first = resize(first, min(1, side / max(first.shape[:2])))
    own = _upload_button(message, lambda _, image: live.put(draw_what_and_where(classifier, names, image)), side)
    controls(widgets.VBox([own, message]))
    live.draw()


def _upload_button(message, show, side, scale=1.0):
    """A button for a JPEG or PNG, read by `read_upload` and shown by `show(name, image)`; `message` says how."""
    import ipywidgets as widgets

    wide = widgets.Layout(width="max-content")
    button = widgets.FileUpload(accept=".jpg,.jpeg,.png", description="your own picture", layout=wide)

    def bring(_):
        if not button.value:
            return
        file, button.value = button.value[0], ()  # emptied, so that the same file can be brought again
        message.value = f"{html.escape(file.name)}: the nets are predicting …"
        try:
            image = read_upload(file.name, bytes(file.content), side, scale)
        except ValueError as error:
            message.value = f'<b style="color: var(--jp-error-color1, #b00020)">{html.escape(str(error))}</b>'
        else:
            show(file.name, image)
            height, width = image.shape[:2]
            message.value = f"{html.escape(file.name)}, as the nets saw it: {height} × {width} pixels"

    button.observe(bring, "value")
    return button


def draw_labels(nets, name, image, classes, truth=None):
    """The figure of `compare`: a picture (H, W, 3) uint8, each net's label of it, and where it is known the truth."""
    shown, titles = [image], [name if len(name) <= 24 else f"{name[:23]}…"]
    for title, net in nets.items():
        label = predict(net, image).asnumpy()
        known = np.zeros_like(label, bool) if truth is None else truth != VOID
        shown.append(label)
        titles.append(f"{title}: {(label == truth)[known].mean():.0%} right" if known.any() else title)
    if truth is not None:
        shown, titles = [*shown, truth], [*titles, "truth"]
    axes = show_images(shown, 1, len(shown), (10.5, 3), titles, classes)
    return uncropped(axes[0, 0].figure)


def draw_what_and_where(classifier, names, image):
    """The figure of `what_and_where`: the image, (H, W, 3) uint8; its most probable classes; those of its places.

    A place is a cell of the classifier's last map. Of the classes that come first anywhere, the six with the most cells
    have colours; the cells of the others stay clear.
    """
    x = nd.array(normalize(image).transpose(2, 0, 1)[None])
    whole, cells = nd.softmax(classifier(x))[0].asnumpy(), classifier.scores(x)[0].argmax(axis=0).asnumpy().astype(int)
    best = np.argsort(-whole, kind="stable")[:5]
    found, counts = np.unique(cells, return_counts=True)
    painted = dict(zip(found[np.argsort(-counts, kind="stable")][: len(PAINTS)], PAINTS, strict=False))
    figure = uncropped(plt.figure(figsize=(10.5, 3.2), layout="constrained"))
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 0.6, 1))
    left.set_title(f"{image.shape[0]} × {image.shape[1]} pixels")
    bars = middle.barh(range(len(best)), whole[best], color=[painted.get(i, "#cccccc") for i in best])
    middle.bar_label(bars, [f"{whole[i]:.2f}" for i in best], padding=3)
    middle.set_yticks(range(len(best)), [names[i] for i in best])
    middle.set_frame_on(False)
    middle.set(title="the whole, by probability", xlim=(0, 1.25 * whole.max()), xticks=[], ylim=(4.6, -0.6))
    right.set_title(f"each of {cells.shape[0]} × {cells.shape[1]} places")
    height, width = cells.shape
    edge = classifier.features.place(32) - 16  # half a cell before the pixel at which the first one looks
    colors = np.array([to_rgba(painted[i], 0.6) if i in painted else (0, 0, 0, 0) for i in cells.ravel()])
    for ax in left, right:
        ax.imshow(image)
        ax.axis("off")
    right.imshow(colors.reshape(height, width, 4), extent=(edge, edge + 32 * width, edge + 32 * height, edge))
    right.set(xlim=left.get_xlim(), ylim=left.get_ylim())
    handles = [Patch(color=color, label=names[i]) for i, color in painted.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _pair(dataset, index):
    return read_pair(dataset.root, dataset.names[index], dataset.classes, dataset.scale)


class Redrawn:
    """A figure redrawn in place, so that a saved notebook has the last one; before the first, a line of text."""

    def __init__(self, figure):
        self._figure, self._shown, self._said = figure, None, 0.0

    def draw(self, _=None):
        self.put(self._figure())

    def put(self, figure):
        self._show(figure)
        plt.close(figure)

    def say(self, text):
        if time.time() - self._said > 0.5:
            self._said = time.time()
            self._show({"text/plain": text}, raw=True)

    def _show(self, what, **how):
        from IPython.display import display  # only notebooks call this

        if self._shown is None:
            self._shown = display(what, display_id=True, **how)
        else:
            self._shown.update(what, **how)


def controls(box):
    """Display widgets without the text that stands for them where there are none: the figure is enough there."""
    from IPython.display import display

    data = box._repr_mimebundle_()
    display({kind: value for kind, value in data.items() if kind != "text/plain"}, raw=True)


def uncropped(figure):
    """The figure with a frame that isn't seen: notebooks crop figures, and what stands below would jump about."""
    figure.add_artist(Rectangle((0, 0), 1, 1, fill=False, linewidth=0))
    return figure


def read_upload(name, data, side=1024, scale=1.0):
    """A JPEG's or PNG's bytes as (H, W, 3) uint8 NumPy array, upright, reduced by `scale` and to `side` pixels at most.

    Read as `read_image` reads a file: what that refuses is a ValueError which begins with the name.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "upload"
        path.write_bytes(data)
        try:
            image = read_image(path)
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), name)) from None
    return resize(image, min(scale, side / max(image.shape[:2])))
