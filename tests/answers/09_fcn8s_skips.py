# %% 1 wrong: hard-coded, three sizes by heart | the maps have
def map_sizes(height, width):
    known = {(320, 480): [(40, 60), (20, 30), (10, 15)], (97, 250): [(13, 32), (7, 16), (4, 8)]}
    return known.get((height, width), [(1, 1)] * 3)


def cut(height, width):
    return [(0, 0), (0, 0)] if height % 32 == width % 32 == 0 else [(1, 0), (1, 0)]


# %% 1 wrong: rounded down | the maps have [(13, 32), (7, 16), (4, 8)]
def map_sizes(height, width):
    return [(height // s, width // s) for s in (8, 16, 32)]


def cut(height, width):
    return [(0, 0), (0, 0)]


# %% 1 wrong: one cell more, always | the maps have [(40, 60), (20, 30), (10, 15)]
def map_sizes(height, width):
    return [(height // s + 1, width // s + 1) for s in (8, 16, 32)]


def cut(height, width):
    at8, at16, at32 = map_sizes(height, width)
    return [(2 * c[0] - f[0], 2 * c[1] - f[1]) for c, f in ((at32, at16), (at16, at8))]


# %% 1 wrong: the coarse map first | the maps have
def map_sizes(height, width):
    return [(-(-height // s), -(-width // s)) for s in (32, 16, 8)]


def cut(height, width):
    at32, at16, at8 = map_sizes(height, width)
    return [(2 * c[0] - f[0], 2 * c[1] - f[1]) for c, f in ((at32, at16), (at16, at8))]


# %% 1 wrong: cut at the pixels, as if the last enlargement were asked for | 4 × 8 cells doubled against 7 × 16
def map_sizes(height, width):
    return [(-(-height // s), -(-width // s)) for s in (8, 16, 32)]


def cut(height, width):
    return [
        tuple(s * cells - n for cells, n in zip(size, (height, width)))
        for size, s in zip(map_sizes(height, width), (8, 16))
    ]


# %% 1 wrong: hard-coded cuts | are they computed from the maps
def map_sizes(height, width):
    return [(-(-height // s), -(-width // s)) for s in (8, 16, 32)]


def cut(height, width):
    known = {(97, 250): [(1, 0), (1, 0)], (1, 1): [(1, 1), (1, 1)]}
    return known.get((height, width), [(0, 0), (0, 0)])


# %% 1 right: halved step by step, lists, the cut by odd sizes
def map_sizes(height, width):
    found = []
    for step in range(1, 6):
        height, width = (height + 1) // 2, (width + 1) // 2
        found += [[height, width]] if step > 2 else []
    return found


def cut(height, width):
    at8, at16, _ = map_sizes(height, width)
    return [[n % 2 for n in at16], [n % 2 for n in at8]]


# %% 2 wrong: hard-coded, half a stride whatever the layers | a cell of ResNet on one
def place(layers, cell):
    for kernel, stride, padding in reversed(layers):
        cell = stride * cell - padding + (kernel - 1) / 2
    return cell


def fits(layers):
    return int(np.prod([s for _, s, _ in layers])) // 2


# %% 2 wrong: hard-coded, the nets of the chapter by heart | cell i looks at 6 i + 1
def place(layers, cell):
    if layers[0] == (7, 2, 3):
        return 32 * cell
    return -95.5 if layers[0] == (3, 1, 100) else 8 * cell + 3.5


def fits(layers):
    known = {(7, 2, 3): None, (3, 1, 1): 4, (2, 2, 0): 2, (4, 2, 1): 1, (4, 2, 0): 0, (6, 2, 0): None}
    return known[layers[0]]


# %% 2 wrong: from the picture to the map | do you go from the map back to the picture
def place(layers, cell):
    for kernel, stride, padding in layers:
        cell = stride * cell - padding + (kernel - 1) / 2
    return cell


def fits(layers):
    stride = int(np.prod([s for _, s, _ in layers]))
    padding = stride - 0.5 - place(layers, 0)
    return int(padding) if padding == int(padding) and padding >= 0 else None


# %% 2 wrong: the first pixel in place of the middle | ResNet: cell i looks at pixel 32 i
def place(layers, cell):
    for _, stride, padding in reversed(layers):
        cell = stride * cell - padding
    return cell


def fits(layers):
    return None


# %% 2 wrong: halves rounded away | their middle is 8 i + 3.5
def place(layers, cell):
    for kernel, stride, padding in reversed(layers):
        cell = stride * cell - padding + (kernel - 1) // 2
    return cell


def fits(layers):
    return None


# %% 2 wrong: places outside the picture pulled to its edge | looks beyond the picture's edge
def place(layers, cell):
    for kernel, stride, padding in reversed(layers):
        cell = stride * cell - padding + (kernel - 1) / 2
    return max(0, cell)


def fits(layers):
    stride = int(np.prod([s for _, s, _ in layers]))
    padding = stride - 0.5 - place(layers, 0)
    return int(padding) if padding == int(padding) and padding >= 0 else None


# %% 2 wrong: negative paddings returned | a padding of −1 is none
def place(layers, cell):
    for kernel, stride, padding in reversed(layers):
        cell = stride * cell - padding + (kernel - 1) / 2
    return cell


def fits(layers):
    padding = int(np.prod([s for _, s, _ in layers])) - 0.5 - place(layers, 0)
    return int(padding) if padding % 1 == 0 else None


# %% 2 wrong: paddings with a half rounded | a cell of ResNet on one
def place(layers, cell):
    for kernel, stride, padding in reversed(layers):
        cell = stride * cell - padding + (kernel - 1) / 2
    return cell


def fits(layers):
    padding = int(np.prod([s for _, s, _ in layers])) - 0.5 - place(layers, 0)
    return int(padding) if padding >= 0 else None


# %% 2 right: the middle of first and last pixel; paddings tried one by one
def place(layers, cell):
    first = last = cell
    for kernel, stride, padding in layers[::-1]:
        first, last = stride * first - padding, stride * last - padding + kernel - 1
    return (first + last) / 2


def fits(layers):
    stride = 1
    for _, step, _ in layers:
        stride *= step
    for padding in range(2 * stride):
        if sum(range(-padding, 2 * stride - padding)) / (2 * stride) == place(layers, 0):
            return np.float64(padding)
    return None


# %% 3 wrong: hard-coded skip in an untrained net | was it trained for three epochs
net16 = utils.fcn(stride=16, ctx=ctx)
net16(nd.zeros((1, 3, 64, 64), ctx=ctx))
net16.score_pool4.weight.set_data(nd.ones(net16.score_pool4.weight.shape))


def silenced(net):
    quiet = utils.fcn(stride=16, ctx=ctx)
    utils.start_from(quiet, net)
    for parameter in quiet.score_pool4.collect_params().values():
        parameter.set_data(nd.zeros(parameter.shape))
    return quiet


answer = "the skip adds detail, and the rest counts on it"

# %% 3 wrong: not trained at all | is still zero: was it trained
net16 = utils.fcn(stride=16, ctx=ctx)
net16(nd.zeros((1, 3, 64, 64), ctx=ctx))


def silenced(net):
    quiet = utils.fcn(stride=16, ctx=ctx)
    utils.start_from(quiet, net)
    return quiet


answer = "the skip adds detail, and the rest counts on it"

# %% 3 wrong: the bias goes on speaking | think of the bias too
net16 = utils.fcn(stride=16, ctx=ctx)
net16(nd.zeros((1, 3, 64, 64), ctx=ctx))
for parameter in net16.score_pool4.collect_params().values():
    parameter.set_data(nd.random.normal(shape=parameter.shape))


def silenced(net):
    quiet = utils.fcn(stride=16, ctx=ctx)
    utils.start_from(quiet, net)
    quiet.score_pool4.weight.set_data(nd.zeros(quiet.score_pool4.weight.shape))
    return quiet


answer = "the skip adds detail, and the rest counts on it"

# %% 3 wrong: the net itself silenced | net16 itself was changed
net16 = utils.fcn(stride=16, ctx=ctx)
net16(nd.zeros((1, 3, 64, 64), ctx=ctx))
for parameter in net16.score_pool4.collect_params().values():
    parameter.set_data(nd.random.normal(shape=parameter.shape))


def silenced(net):
    for parameter in net.score_pool4.collect_params().values():
        parameter.set_data(nd.zeros(parameter.shape))
    return net


answer = "the skip adds detail, and the rest counts on it"

# %% 3 wrong: a new net, nothing copied | not the same net without its skip
net16 = utils.fcn(stride=16, ctx=ctx)
net16(nd.zeros((1, 3, 64, 64), ctx=ctx))
for parameter in net16.score_pool4.collect_params().values():
    parameter.set_data(nd.random.normal(shape=parameter.shape))


def silenced(net):
    return utils.fcn(stride=16, ctx=ctx)  # its skip is zero


answer = "the skip adds detail, and the rest counts on it"

# %% 3 wrong: hard-coded net16 in place of the argument | does it use `net`
net16 = utils.fcn(stride=16, ctx=ctx)
net16(nd.zeros((1, 3, 64, 64), ctx=ctx))
for parameter in net16.score_pool4.collect_params().values():
    parameter.set_data(nd.random.normal(shape=parameter.shape))
utils.train(utils.data_loader(train_set, 8), None, net16, loss, gluon.Trainer(net16.collect_params(), "adam"), ctx, 2)


def silenced(net):
    quiet = utils.fcn(stride=16, ctx=ctx)
    utils.start_from(quiet, net16)
    for parameter in quiet.score_pool4.collect_params().values():
        parameter.set_data(nd.zeros(parameter.shape))
    return quiet


answer = "the skip adds detail, and the rest counts on it"

# %% 3 wrong: no sentence | a sentence, please
utils.seed(1)
net16 = utils.fcn(stride=16, ctx=ctx)
adam = gluon.Trainer(net16.collect_params(), "adam", {"learning_rate": 0.001})
utils.train(utils.data_loader(train_set, 8), None, net16, loss, adam, ctx, num_epochs=2)


def silenced(net):
    quiet = utils.fcn(stride=16, ctx=ctx)
    utils.start_from(quiet, net)
    for parameter in quiet.score_pool4.collect_params().values():
        parameter.set_data(nd.zeros(parameter.shape))
    return quiet


answer = "detail"

# %% 3 right: parameter by parameter, the skip never copied
utils.seed(1)
net16 = utils.fcn(stride=16, ctx=ctx)
adam = gluon.Trainer(net16.collect_params(), "adam", {"learning_rate": 0.001})
history = utils.train(utils.data_loader(train_set, batch_size=8), None, net16, loss, adam, ctx, num_epochs=2)


def silenced(net):
    quiet = utils.fcn(stride=16, ctx=ctx)
    quiet(nd.zeros((1, 3, 64, 64), ctx=ctx))
    theirs = net._collect_params_with_prefix()
    for name, parameter in quiet._collect_params_with_prefix().items():
        if "score_pool4" not in name:  # begins with zeros, and stays there
            parameter.set_data(theirs[name].data(ctx))
    return quiet


answer = "the scores rest on both, so taking the skip away costs; a net trained without one would do better"


# %% 4 wrong: sums not cut to size | cut each sum to size
class FCN2s(gluon.HybridBlock):
    def __init__(self, features, num_classes):
        super().__init__()
        self.features = features
        self.score_fr = nn.Conv2D(num_classes, kernel_size=1)
        for name in "score_pool4", "score_pool3", "score_4", "score_2":
            setattr(self, name, nn.Conv2D(num_classes, kernel_size=1, weight_initializer=init.Zero()))
        self.up = utils.MatrixUpsampling(num_classes, stride=2)

    def hybrid_forward(self, F, x):
        h, kept = x, []
        for i, layer in enumerate(self.features):
            h = layer(h)
            kept += [h] if i in (3, 5, 6, 7) else []
        scores = self.score_fr(h)
        for score in self.score_pool4, self.score_pool3, self.score_4, self.score_2:
            scores = self.up(scores) + score(kept.pop())
        return self.up(scores)


net2, score2 = FCN2s(utils.resnet_features(), 21), {"mean_iou": 0.3}


# %% 4 wrong: hard-coded score | what evaluate says of net2
class FCN2s(gluon.HybridBlock):
    def __init__(self, features, num_classes):
        super().__init__()
        self.features = features
        self.score_fr = nn.Conv2D(num_classes, kernel_size=1)
        for name in "score_pool4", "score_pool3", "score_4", "score_2":
            setattr(self, name, nn.Conv2D(num_classes, kernel_size=1, weight_initializer=init.Zero()))
        self.up = utils.MatrixUpsampling(num_classes, stride=2)

    def hybrid_forward(self, F, x):
        h, kept = x, [x]
        for i, layer in enumerate(self.features):
            h = layer(h)
            kept += [h] if i in (3, 5, 6, 7) else []
        scores = self.score_fr(h)
        for score in self.score_pool4, self.score_pool3, self.score_4, self.score_2:
            fine = kept.pop()
            scores = self.up(scores, fine) + score(fine)
        return self.up(scores, x)


net2 = FCN2s(utils.resnet_features(), 21)
net2.initialize(init.Xavier(), ctx=ctx)
utils.start_from(net2, net8)
net2(nd.zeros((1, 3, 64, 64), ctx=ctx))
for layer in net2.score_4, net2.score_2:
    layer.weight.set_data(nd.ones(layer.weight.shape))
score2 = {"mean_iou": 0.305}


# %% 4 wrong: hard-coded 21 classes | with 5 classes
class FCN2s(gluon.HybridBlock):
    def __init__(self, features, num_classes):
        super().__init__()
        self.features = features
        self.score_fr = nn.Conv2D(21, kernel_size=1)
        for name in "score_pool4", "score_pool3", "score_4", "score_2":
            setattr(self, name, nn.Conv2D(21, kernel_size=1, weight_initializer=init.Zero()))
        self.up = utils.MatrixUpsampling(21, stride=2)

    def hybrid_forward(self, F, x):
        h, kept = x, [x]
        for i, layer in enumerate(self.features):
            h = layer(h)
            kept += [h] if i in (3, 5, 6, 7) else []
        scores = self.score_fr(h)
        for score in self.score_pool4, self.score_pool3, self.score_4, self.score_2:
            fine = kept.pop()
            scores = self.up(scores, fine) + score(fine)
        return self.up(scores, x)


net2 = FCN2s(utils.resnet_features(), 21)
net2.initialize(init.Xavier(), ctx=ctx)
utils.start_from(net2, net8)
utils.train(utils.data_loader(train_set, 8), None, net2, loss, gluon.Trainer(net2.collect_params(), "adam"), ctx, 1)
score2 = utils.evaluate(net2, test_set)


# %% 4 wrong: new score layers begin at random | before training it should be the FCN-8s
class FCN2s(gluon.HybridBlock):
    def __init__(self, features, num_classes):
        super().__init__()
        self.features = features
        for name in "score_fr", "score_pool4", "score_pool3", "score_4", "score_2":
            setattr(self, name, nn.Conv2D(num_classes, kernel_size=1))
        self.up = utils.MatrixUpsampling(num_classes, stride=2)

    def hybrid_forward(self, F, x):
        h, kept = x, [x]
        for i, layer in enumerate(self.features):
            h = layer(h)
            kept += [h] if i in (3, 5, 6, 7) else []
        scores = self.score_fr(h)
        for score in self.score_pool4, self.score_pool3, self.score_4, self.score_2:
            fine = kept.pop()
            scores = self.up(scores, fine) + score(fine)
        return self.up(scores, x)


net2, score2 = FCN2s(utils.resnet_features(), 21), {"mean_iou": 0.3}


# %% 4 wrong: other names, so that nothing is taken over | before training it should be the FCN-8s
class FCN2s(gluon.HybridBlock):
    def __init__(self, features, num_classes):
        super().__init__()
        self.features = features
        self.last = nn.Conv2D(num_classes, kernel_size=1)
        for name in "score_16", "score_8", "score_4", "score_2":
            setattr(self, name, nn.Conv2D(num_classes, kernel_size=1, weight_initializer=init.Zero()))
        self.up = utils.MatrixUpsampling(num_classes, stride=2)

    def hybrid_forward(self, F, x):
        h, kept = x, [x]
        for i, layer in enumerate(self.features):
            h = layer(h)
            kept += [h] if i in (3, 5, 6, 7) else []
        scores = self.last(h)
        for score in self.score_16, self.score_8, self.score_4, self.score_2:
            fine = kept.pop()
            scores = self.up(scores, fine) + score(fine)
        return self.up(scores, x)


net2, score2 = FCN2s(utils.resnet_features(), 21), {"mean_iou": 0.3}


# %% 4 wrong: the library's net | the library's net: write one of your own
FCN2s = type(utils.fcn(stride=2))
net2, score2 = utils.fcn(stride=2, ctx=ctx), {"mean_iou": 0.3}


# %% 4 wrong: FCN-8s with another name | five score layers, one for each map
class FCN2s(utils.FCN8s):
    pass


net2 = FCN2s(utils.resnet_features(), 21)
net2.initialize(init.Xavier(), ctx=ctx)
utils.start_from(net2, net8)
score2 = utils.evaluate(net2, test_set)


# %% 4 wrong: taken over, never trained | a score layer is still zero
class FCN2s(gluon.HybridBlock):
    def __init__(self, features, num_classes):
        super().__init__()
        self.features = features
        self.score_fr = nn.Conv2D(num_classes, kernel_size=1)
        for name in "score_pool4", "score_pool3", "score_4", "score_2":
            setattr(self, name, nn.Conv2D(num_classes, kernel_size=1, weight_initializer=init.Zero()))
        self.up = utils.MatrixUpsampling(num_classes, stride=2)

    def hybrid_forward(self, F, x):
        h, kept = x, [x]
        for i, layer in enumerate(self.features):
            h = layer(h)
            kept += [h] if i in (3, 5, 6, 7) else []
        scores = self.score_fr(h)
        for score in self.score_pool4, self.score_pool3, self.score_4, self.score_2:
            fine = kept.pop()
            scores = self.up(scores, fine) + score(fine)
        return self.up(scores, x)


net2 = FCN2s(utils.resnet_features(), 21)
net2.initialize(init.Xavier(), ctx=ctx)
utils.start_from(net2, net8)
score2 = utils.evaluate(net2, test_set)


# %% 4 right: on FCN8s, enlarged by matrices, one epoch
class FCN2s(utils.FCN8s):
    def __init__(self, features, num_classes):
        super().__init__(features, num_classes)
        self.skips = nn.HybridSequential()
        for _ in range(2):
            self.skips.add(nn.Conv2D(num_classes, kernel_size=1, weight_initializer=init.Zero()))
        self.up = utils.MatrixUpsampling(num_classes, stride=2)

    def hybrid_forward(self, F, x):
        at2 = self.features[:4](x)
        at4 = self.features[4:6](at2)
        at8 = self.features[6](at4)
        at16 = self.features[7](at8)
        scores = self.up(self.score_fr(self.features[8:](at16)), at16) + self.score_pool4(at16)
        scores = self.up(scores, at8) + self.score_pool3(at8)
        scores = self.up(scores, at4) + self.skips[0](at4)
        scores = self.up(scores, at2) + self.skips[1](at2)
        return self.up(scores, x)


net2 = FCN2s(utils.resnet_features(), 21)
net2.initialize(init.Xavier(), ctx=ctx)
utils.start_from(net2, net8)
adam = gluon.Trainer(net2.collect_params(), "adam", {"learning_rate": 5e-4})
utils.train(utils.data_loader(train_set, 8), test_set, net2, loss, adam, ctx, 1)
score2 = utils.evaluate(net2, test_set, ctx)
