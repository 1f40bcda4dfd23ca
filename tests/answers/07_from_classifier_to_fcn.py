# %% 1 wrong: hard-coded, shapes of Dense layers | expected 4 numbers
answers = {"fc6": (50, 2000), "fc7": (7, 50), "field": 92, "stride": 8, "unseen": 4, "grid": (14, 27)}

# %% 1 wrong: conv3's half cell rounded up | its kernel covers the map that conv3 leaves
answers = {"fc6": (50, 20, 11, 11), "fc7": (7, 50, 1, 1), "field": 92, "stride": 8, "unseen": 4, "grid": (14, 27)}

# %% 1 wrong: fc7 as large as fc6 | its input is a single cell
answers = {"fc6": (50, 20, 10, 10), "fc7": (7, 50, 10, 10), "field": 92, "stride": 8, "unseen": 4, "grid": (14, 27)}

# %% 1 wrong: only poolings counted in the stride | multiply the strides of all layers
answers = {"fc6": (50, 20, 10, 10), "fc7": (7, 50, 1, 1), "field": 92, "stride": 4, "unseen": 4, "grid": (14, 27)}

# %% 1 wrong: the field is the picture | (kernel − 1) · (stride so far)
answers = {"fc6": (50, 20, 10, 10), "fc7": (7, 50, 1, 1), "field": 96, "stride": 8, "unseen": 0, "grid": (14, 26)}

# %% 1 wrong: fc6 left out of the field | (kernel − 1) · (stride so far)
answers = {"fc6": (50, 20, 10, 10), "fc7": (7, 50, 1, 1), "field": 20, "stride": 8, "unseen": 4, "grid": (14, 27)}

# %% 1 wrong: all that conv3 leaves taken for scores | where does fc6 still fit
answers = {"fc6": (50, 20, 10, 10), "fc7": (7, 50, 1, 1), "field": 92, "stride": 8, "unseen": 4, "grid": (23, 36)}

# %% 1 wrong: windows of 96 counted, though it sees 92 | where does fc6 still fit
grid = tuple((n - 96) // 8 + 1 for n in (200, 300))
answers = {"fc6": (50, 20, 10, 10), "fc7": (7, 50, 1, 1), "field": 92, "stride": 8, "unseen": 4, "grid": grid}

# %% 1 wrong: two forgotten | missing: ['grid', 'unseen']
answers = {"fc6": (50, 20, 10, 10), "fc7": (7, 50, 1, 1), "field": 92, "stride": 8}

# %% 1 right: from the field, by the library, lists and floats
row = [nn.Conv2D(8, 5), nn.MaxPool2D(), nn.Conv2D(12, 3), nn.MaxPool2D(), nn.Conv2D(20, 3, 2), nn.Conv2D(50, 10)]
field, stride, _ = utils.receptive_field(row)
answers = {"fc6": [50, 20, 10, 10], "fc7": [7, 50, 1, 1], "field": float(field), "stride": stride}
answers["unseen"] = (96 - field) % stride
answers["grid"] = [(n - field) // stride + 1 for n in (200, 300)]


# %% 2 wrong: hard-coded size of the map | your net stops on a picture of
def with_global_mean(classifier, size):
    net = nn.HybridSequential()
    for layer in classifier:
        if isinstance(layer, nn.GlobalAvgPool2D):
            net.add(nn.AvgPool2D(5, strides=1))
        elif isinstance(layer, nn.Dense):
            score = nn.Conv2D(layer.weight.shape[0], 1, in_channels=layer.weight.shape[1])
            score.initialize()
            score.weight.set_data(layer.weight.data().reshape(score.weight.shape))
            score.bias.set_data(layer.bias.data())
            net.add(score)
        elif not isinstance(layer, nn.Flatten):
            net.add(layer)
    return net


# %% 2 wrong: the mean stays global | does the mean still run over everything
def with_global_mean(classifier, size):
    net = nn.HybridSequential()
    for layer in classifier:
        if isinstance(layer, nn.Dense):
            score = nn.Conv2D(layer.weight.shape[0], 1, in_channels=layer.weight.shape[1])
            score.initialize()
            score.weight.set_data(layer.weight.data().reshape(score.weight.shape))
            score.bias.set_data(layer.bias.data())
            net.add(score)
        elif not isinstance(layer, nn.Flatten):
            net.add(layer)
    return net


# %% 2 wrong: the pooling's own stride | at stride 1
def with_global_mean(classifier, size):
    x, net = nd.zeros((1, 3, *size)), nn.HybridSequential()
    for layer in classifier:
        if isinstance(layer, nn.GlobalAvgPool2D):
            layer = nn.AvgPool2D(x.shape[2:])  # strides=None means as far as the pooling is large
        elif isinstance(layer, nn.Dense):
            score = nn.Conv2D(layer.weight.shape[0], 1, in_channels=layer.weight.shape[1])
            score.initialize()
            score.weight.set_data(layer.weight.data().reshape(score.weight.shape))
            score.bias.set_data(layer.bias.data())
            layer = score
        elif isinstance(layer, nn.Flatten):
            continue
        net.add(layer)
        x = layer(x)
    return net


# %% 2 wrong: the bias forgotten | do weights and bias go over
def with_global_mean(classifier, size):
    x, net = nd.zeros((1, 3, *size)), nn.HybridSequential()
    for layer in classifier:
        if isinstance(layer, nn.GlobalAvgPool2D):
            layer = nn.AvgPool2D(x.shape[2:], strides=1)
        elif isinstance(layer, nn.Dense):
            score = nn.Conv2D(layer.weight.shape[0], 1, use_bias=False, in_channels=layer.weight.shape[1])
            score.initialize()
            score.weight.set_data(layer.weight.data().reshape(score.weight.shape))
            layer = score
        elif isinstance(layer, nn.Flatten):
            continue
        net.add(layer)
        x = layer(x)
    return net


# %% 2 wrong: the Dense layer left as it is | at its own size: (2, 5), expected
def with_global_mean(classifier, size):
    x, net = nd.zeros((1, 3, *size)), nn.HybridSequential()
    for layer in classifier:
        net.add(nn.AvgPool2D(x.shape[2:], strides=1) if isinstance(layer, nn.GlobalAvgPool2D) else layer)
        x = layer(x)
    return net


# %% 2 wrong: size taken as (width, height) | your net stops on a picture of
def with_global_mean(classifier, size):
    x, net = nd.zeros((1, 3, size[1], size[0])), nn.HybridSequential()
    for layer in classifier:
        if isinstance(layer, nn.GlobalAvgPool2D):
            layer = nn.AvgPool2D(x.shape[2:], strides=1)
        elif isinstance(layer, nn.Dense):
            score = nn.Conv2D(layer.weight.shape[0], 1, in_channels=layer.weight.shape[1])
            score.initialize()
            score.weight.set_data(layer.weight.data().reshape(score.weight.shape))
            score.bias.set_data(layer.bias.data())
            layer = score
        elif isinstance(layer, nn.Flatten):
            continue
        net.add(layer)
        x = layer(x)
    return net


# %% 2 wrong: one pooling of 2 taken for granted | has another stride: are its layers taken as they come
def with_global_mean(classifier, size):
    convolutions, dense = [layer for layer in classifier if isinstance(layer, nn.Conv2D)], classifier[-1]
    net = nn.HybridSequential()
    net.add(convolutions[0], nn.MaxPool2D(), convolutions[1])
    net.add(nn.AvgPool2D(net(nd.zeros((1, 3, *size))).shape[2:], strides=1))
    score = nn.Conv2D(dense.weight.shape[0], 1, in_channels=dense.weight.shape[1])
    score.initialize()
    score.weight.set_data(dense.weight.data().reshape(score.weight.shape))
    score.bias.set_data(dense.bias.data())
    net.add(score)
    return net


# %% 2 right: scored first, then the mean of the scores, as a function
def with_global_mean(classifier, size):
    *layers, dense = (layer for layer in classifier if not isinstance(layer, (nn.Flatten, nn.GlobalAvgPool2D)))

    def maps(x):
        for layer in layers:
            x = layer(x)
        return x

    kernel = maps(nd.zeros((1, 3, *size))).shape[2:]
    weight = dense.weight.data().reshape((0, 0, 1, 1))

    def net(x):
        scores = nd.Convolution(maps(x), weight, dense.bias.data(), kernel=(1, 1), num_filter=len(weight))
        return nd.Pooling(scores, kernel=kernel, stride=(1, 1), pool_type="avg")

    return net


# %% 2 right: the Dense layer's weight spread over the map, by convolutionize
def with_global_mean(classifier, size):
    dense, layers = classifier[-1], [layer for layer in classifier if not isinstance(layer, nn.GlobalAvgPool2D)]
    x = nd.zeros((1, 3, *size))
    for layer in layers[:-1]:
        x = x if isinstance(layer, nn.Flatten) else layer(x)
    cells = x.shape[2] * x.shape[3]
    spread = nn.Dense(dense.weight.shape[0], in_units=dense.weight.shape[1] * cells)
    spread.initialize()
    spread.weight.set_data(nd.repeat(dense.weight.data(), cells, axis=1) / cells)
    spread.bias.set_data(dense.bias.data())
    return utils.convolutionize([*layers[:-1], spread], size)


# %% 3 wrong: begins one stride late, rows and columns from 1 | begins at (stride · i, stride · j)
def found_windows(heat, size, stride, least):
    at = np.argwhere(heat >= least) + 1
    return np.concatenate([stride * at, stride * at + size], axis=1), heat[heat >= least]


def suppress(windows, scores, most):
    return [int(np.argmax(scores))] if len(scores) else []


# %% 3 wrong: all that overlap a better one go, kept or not | compare with windows that are kept
def found_windows(heat, size, stride, least):
    at = np.argwhere(heat >= least)
    return np.concatenate([stride * at, stride * at + size], axis=1), heat[heat >= least]


def suppress(windows, scores, most):
    def iou(a, b):
        inner = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
        common = max(0, inner[0]) * max(0, inner[1])
        return common / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common)

    order = list(np.argsort(-np.asarray(scores), kind="stable"))
    return [i for n, i in enumerate(order) if all(iou(windows[i], windows[j]) <= most for j in order[:n])]


# %% 3 wrong: hard-coded, windows of 64 at stride 8, and over the smaller area | a small window in a large one
def found_windows(heat, size, stride, least):
    at = np.argwhere(heat >= least)
    return np.concatenate([8 * at, 8 * at + 64], axis=1), heat[heat >= least]


def suppress(windows, scores, most):
    kept = []
    for i in np.argsort(-np.asarray(scores), kind="stable"):
        for k in kept:
            inner = np.minimum(windows[i][2:], windows[k][2:]) - np.maximum(windows[i][:2], windows[k][:2])
            areas = [np.prod(windows[n][2:] - windows[n][:2]) for n in (i, k)]
            if max(0, inner[0]) * max(0, inner[1]) > (most + 0.2) * min(areas):
                break
        else:
            kept.append(i)
    return kept


# %% 3 wrong: in reading order, the best not first | best first
def found_windows(heat, size, stride, least):
    at = np.argwhere(heat >= least)
    return np.concatenate([stride * at, stride * at + size], axis=1), heat[heat >= least]


def suppress(windows, scores, most):
    def iou(a, b):
        inner = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
        common = max(0, inner[0]) * max(0, inner[1])
        return common / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common)

    kept = []
    for i in np.argsort(-np.asarray(scores), kind="stable"):
        if all(iou(windows[i], windows[k]) <= most for k in kept):
            kept.append(i)
    return sorted(kept)


# %% 3 right: by loops over cells, and by counting pixels
def found_windows(heat, size, stride, least):
    windows, scores = [], []
    for i in range(heat.shape[0]):
        for j in range(heat.shape[1]):
            if heat[i, j] >= least:
                windows.append((stride * i, stride * j, stride * i + size, stride * j + size))
                scores.append(heat[i, j])
    return np.array(windows), np.array(scores)


def suppress(windows, scores, most):
    left, kept = sorted(range(len(scores)), key=lambda i: -scores[i]), []
    while left:
        best, *others = left
        kept.append(best)
        canvas = np.zeros((2, 200, 200), bool)
        left = []
        for i in others:
            canvas[:] = False
            for layer, (top, a, bottom, b) in zip(canvas, (windows[best], windows[i]), strict=True):
                layer[top:bottom, a:b] = True
            if canvas.all(0).sum() <= most * canvas.any(0).sum():
                left.append(i)
    return kept
