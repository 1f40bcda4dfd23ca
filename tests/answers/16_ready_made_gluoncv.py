# %% 1 wrong: centres on centres, as align=False elsewhere | expected the last, 15
def drawn_at(i, cells, side):
    return (i + 0.5) * side / cells - 0.5


def farthest_off(side, stride):
    return stride - 1


# %% 1 wrong: cells rounded down | how many cells are there
def drawn_at(i, cells, side):
    return i * (side - 1) / (cells - 1)


def farthest_off(side, stride):
    cells = side // stride
    return max(abs(drawn_at(i, cells, side) - stride * i) for i in range(cells))


# %% 1 wrong: whole pixels | Gluon draws it at
def drawn_at(i, cells, side):
    return i * (side - 1) // (cells - 1)


def farthest_off(side, stride):
    return (side - 1) % stride


# %% 1 wrong: hard-coded, what the check asks by heart | side 21, stride 6
def drawn_at(i, cells, side):
    return i * (side - 1) / (cells - 1)


def farthest_off(side, stride):
    return {(480, 8): 7, (321, 8): 0, (100, 8): 3, (100, 32): 3, (129, 32): 0}.get((side, stride), 1)


# %% 1 right: by numpy, and the remainder
def drawn_at(i, cells, side):
    return np.linspace(0, side - 1, cells)[i]


def farthest_off(side, stride):
    return (side - 1) % stride


# %% 2 wrong: even parts only | it stops: cannot reshape
def means_of_parts(cells, parts):
    height, width = (length // parts for length in cells.shape)
    return cells.reshape(parts, height, parts, width).mean(axis=(1, 3))


# %% 2 wrong: without overlap | parts may overlap
def means_of_parts(cells, parts):
    rows = np.array_split(cells, parts, axis=0)
    return np.array([[part.mean() for part in np.array_split(row, parts, axis=1)] for row in rows])


# %% 2 wrong: the rest left out | parts may overlap
def means_of_parts(cells, parts):
    height, width = (length // parts for length in cells.shape)
    return cells[: parts * height, : parts * width].reshape(parts, height, parts, width).mean(axis=(1, 3))


# %% 2 wrong: hard-coded for no more parts than cells | 6 × 6 parts: it stops
def means_of_parts(cells, parts):
    if min(cells.shape) < parts:
        raise ValueError("more parts than cells")
    ends = [[(k * n // parts, -(-(k + 1) * n // parts)) for k in range(parts)] for n in cells.shape]
    return np.array([[cells[a:b, c:d].mean() for c, d in ends[1]] for a, b in ends[0]])


# %% 2 right: along one axis, then the other
def means_of_parts(cells, parts):
    def down(cells):
        n = len(cells)
        starts, stops = (np.floor(np.arange(parts) * n / parts), np.ceil(np.arange(1, parts + 1) * n / parts))
        return np.stack([cells[int(a) : int(b)].mean(axis=0) for a, b in zip(starts, stops, strict=True)])

    return down(down(cells).T).T


# %% 3 wrong: their own words | a class that occurs and is never right counts
def to_theirs(label):
    return nd.where(label == 255, -nd.ones_like(label), label)


def in_our_words(metric):
    return dict(zip(("pixel_acc", "mean_iou"), metric.get(), strict=True))


# %% 3 wrong: classes that are never right left out | a class that occurs and is never right counts
def to_theirs(label):
    return nd.where(label == 255, -nd.ones_like(label), label)


def in_our_words(metric):
    found = metric.total_inter > 0
    iou = metric.total_inter[found] / metric.total_union[found]
    return {"pixel_acc": metric.total_correct / metric.total_label, "mean_iou": iou.mean()}


# %% 3 wrong: void left as it is | void must be −1
def to_theirs(label):
    return label


def in_our_words(metric):
    return dict(zip(("pixel_acc", "mean_iou"), metric.get(), strict=True))


# %% 3 wrong: changes what it is given | changed the labels
def to_theirs(label):
    label[:] = nd.where(label == 255, -nd.ones_like(label), label)
    return label


def in_our_words(metric):
    return dict(zip(("pixel_acc", "mean_iou"), metric.get(), strict=True))


# %% 3 wrong: hard-coded number of classes that occur | 21 classes, labels
def to_theirs(label):
    return nd.where(label == 255, -nd.ones_like(label), label)


def in_our_words(metric):
    pixel_acc, mean_iou = metric.get()
    return {"pixel_acc": pixel_acc, "mean_iou": mean_iou * metric.nclass / min(metric.nclass, 4)}


# %% 3 right: by numpy, nan where a class is nowhere
def to_theirs(label):
    values = label.asnumpy().astype(int)
    values[values == 255] = -1
    return nd.array(values)


def in_our_words(metric):
    with np.errstate(invalid="ignore"):
        iou = metric.total_inter / metric.total_union
    return {"pixel_acc": metric.get()[0], "mean_iou": np.nanmean(iou)}


# %% 4 wrong: the size set on the net before each call, forgotten when hybridized | does it work hybridized
class AnySize(gluon.HybridBlock):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def hybrid_forward(self, F, x):
        self.net.size = {"height": x.shape[2], "width": x.shape[3]}
        return self.net(x)


def both_losses(outputs, label):
    plain = utils.SoftmaxCrossEntropyLoss()
    return plain(outputs[0], label) + 0.4 * plain(outputs[1], label)


net4, answer = AnySize(LibraryNet(21, 80, 112)), "its scores have always the same size, the pictures have not"


# %% 4 wrong: hard-coded size | take the size from the picture
AnySize = LibraryNet


def both_losses(outputs, label):
    plain = utils.SoftmaxCrossEntropyLoss()
    return plain(outputs[0], label) + 0.4 * plain(outputs[1], label)


net4, answer = AnySize(21, 80, 112), "its scores have always the same size, the pictures have not"


# %% 4 wrong: enlarged by repeating cells | off what BilinearResize2D makes
class AnySize(gluon.HybridBlock):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def hybrid_forward(self, F, x):
        c3, c4 = self.net.maps(x)
        maps = (self.net.head(c4), 32), (self.net.auxlayer(c3), 16)
        return tuple(
            F.slice_like(F.UpSampling(each, scale=stride, sample_type="nearest"), x, axes=(2, 3))
            for each, stride in maps
        )


def both_losses(outputs, label):
    plain = utils.SoftmaxCrossEntropyLoss()
    return plain(outputs[0], label) + 0.4 * plain(outputs[1], label)


net4, answer = AnySize(LibraryNet(21, 80, 112)), "its scores have always the same size, the pictures have not"


# %% 4 wrong: void counts as a class | is void left out
class AnySize(gluon.HybridBlock):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def hybrid_forward(self, F, x):
        c3, c4 = self.net.maps(x)
        maps = self.net.head(c4), self.net.auxlayer(c3)
        return tuple(F.contrib.BilinearResize2D(each, x, mode="like") for each in maps)


def both_losses(outputs, label):
    plain = gluon.loss.SoftmaxCrossEntropyLoss(axis=1)
    return plain(outputs[0], label) + 0.4 * plain(outputs[1], label)


net4, answer = AnySize(LibraryNet(21, 80, 112)), "its scores have always the same size, the pictures have not"


# %% 4 wrong: a loss through SoftmaxOutput, as GluonCV's | does the weight reach it
class AnySize(gluon.HybridBlock):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def hybrid_forward(self, F, x):
        c3, c4 = self.net.maps(x)
        maps = self.net.head(c4), self.net.auxlayer(c3)
        return tuple(F.contrib.BilinearResize2D(each, x, mode="like") for each in maps)


def both_losses(outputs, label):
    def one(scores):
        said = nd.SoftmaxOutput(scores, label, ignore_label=255, use_ignore=True, multi_output=True)
        known = label != 255
        losses = -nd.log(said).pick(nd.where(known, label, nd.zeros_like(label)), axis=1) * known
        return losses.sum(axis=(1, 2)) / known.sum(axis=(1, 2))

    return one(outputs[0]) + 0.4 * one(outputs[1])


net4, answer = AnySize(LibraryNet(21, 80, 112)), "its scores have always the same size, the pictures have not"


# %% 4 wrong: not trained | expected above 0.2
class AnySize(gluon.HybridBlock):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def hybrid_forward(self, F, x):
        c3, c4 = self.net.maps(x)
        maps = self.net.head(c4), self.net.auxlayer(c3)
        return tuple(F.contrib.BilinearResize2D(each, x, mode="like") for each in maps)


def both_losses(outputs, label):
    plain = utils.SoftmaxCrossEntropyLoss()
    return plain(outputs[0], label) + 0.4 * plain(outputs[1], label)


net4, answer = AnySize(LibraryNet(21, 80, 112)), "its scores have always the same size, the pictures have not"


# %% 4 right: a plain block that reads the picture's shape, and the course's own loss
class AnySize(gluon.Block):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        c3, c4 = self.net.maps(x)
        size = {"height": x.shape[2], "width": x.shape[3]}
        return tuple(nd.contrib.BilinearResize2D(m, **size) for m in (self.net.head(c4), self.net.auxlayer(c3)))


both_losses = utils.losses.AuxiliaryLoss(0.4)
net4 = AnySize(LibraryNet(21, 80, 112))
trainer = gluon.Trainer(net4.collect_params(), "adam", {"learning_rate": 3e-4})
utils.train(utils.data_loader(train_set, 8), None, net4, both_losses, trainer, ctx, num_epochs=5)
answer = "the LibraryNet answers every picture with scores of 80 × 112 pixels"
