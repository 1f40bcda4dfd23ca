# %% 1 right: by loops
def unpool(values, index, height, width):
    whole = np.zeros((height, width))
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            row, column = divmod(int(index[i, j]), 2)
            whole[2 * i + row, 2 * j + column] = values[i, j]
    return whole


# %% 1 right: one-hot, cut to size
def unpool(values, index, height, width):
    four = np.eye(4)[index] * values[..., None]
    rows, columns = values.shape
    whole = four.reshape(rows, columns, 2, 2).transpose(0, 2, 1, 3).reshape(2 * rows, 2 * columns)
    return whole[:height, :width]


# %% 1 wrong: columns first | index 1 is above on the right
def unpool(values, index, height, width):
    rows, columns = np.indices(values.shape)
    whole = np.zeros((height, width))
    whole[2 * rows + index % 2, 2 * columns + index // 2] = values
    return whole


# %% 1 wrong: not cut | for 2 × 5: the last block is half a block
def unpool(values, index, height, width):
    four = np.eye(4)[index] * values[..., None]
    rows, columns = values.shape
    return four.reshape(rows, columns, 2, 2).transpose(0, 2, 1, 3).reshape(2 * rows, 2 * columns)


# %% 1 wrong: not put back in the order of rows | index 1 is above on the right
def unpool(values, index, height, width):
    four = np.eye(4)[index] * values[..., None]
    return four.reshape(2 * values.shape[0], 2 * values.shape[1])[:height, :width]


# %% 1 wrong: columns cut, rows not | for 3 × 3: the last row of blocks
def unpool(values, index, height, width):
    four = np.eye(4)[index] * values[..., None]
    rows, columns = values.shape
    whole = four.reshape(rows, columns, 2, 2).transpose(0, 2, 1, 3).reshape(2 * rows, 2 * columns)
    return whole[:, :width]


# %% 1 wrong: an NDArray | expected a NumPy array
def unpool(values, index, height, width):
    rows, columns = np.indices(values.shape)
    whole = np.zeros((height, width))
    whole[2 * rows + index // 2, 2 * columns + index % 2] = values
    return nd.array(whole)


# %% 1 wrong: hard-coded | not what MaxUnpool gives
def unpool(values, index, height, width):
    shown = {
        (4, 4): [[0, 10, 0, 0], [0, 0, 20, 0], [0, 0, 0, 0], [0, 30, 0, 40]],
        (2, 5): [[0, 0, 0, 6, 7], [5, 0, 0, 0, 0]],
        (3, 3): [[0, 0, 2], [0, 1, 0], [0, 3, 4]],
    }
    return np.array(shown.get((height, width), np.zeros((height, width))))


# %% 2 right: cells first
def kept(height, width, channels):
    cells = {s: (-(-height // s), -(-width // s)) for s in channels}
    maps = sum(4 * h * w * channels[s] for s, (h, w) in cells.items())
    indices = sum(((h + 1) // 2) * ((w + 1) // 2) * channels[s] for s, (h, w) in cells.items())
    return maps, (2 * indices + 7) // 8


# %% 2 wrong: rounded down | rounded up
def kept(height, width, channels):
    maps = sum(4 * (height // s) * (width // s) * count for s, count in channels.items())
    return maps, maps // 64


# %% 2 wrong: a byte an index | two bits for four times 32
def kept(height, width, channels):
    maps = indices = 0
    for s, count in channels.items():
        h, w = -(-height // s), -(-width // s)
        maps += 4 * h * w * count
        indices += -(-h // 2) * -(-w // 2) * count
    return maps, indices


# %% 2 wrong: hard-coded, a sixty-fourth | expected (16, 1)
def kept(height, width, channels):
    maps = sum(4 * -(-height // s) * -(-width // s) * count for s, count in channels.items())
    return maps, maps // 64


# %% 2 wrong: packed map by map | 12 bits together
def kept(height, width, channels):
    maps = indices = 0
    for s, count in channels.items():
        h, w = -(-height // s), -(-width // s)
        maps += 4 * h * w * count
        indices += -(-2 * -(-h // 2) * -(-w // 2) * count // 8)
    return maps, indices


# %% 2 wrong: without half blocks | 12 bits together
def kept(height, width, channels):
    cells = sum(-(-height // s) * -(-width // s) * count for s, count in channels.items())
    return 4 * cells, -(-2 * cells // 32)


# %% 2 wrong: parts of a byte | 12 bits together
def kept(height, width, channels):
    maps = bits = 0
    for s, count in channels.items():
        h, w = -(-height // s), -(-width // s)
        maps += 4 * h * w * count
        bits += 2 * -(-h // 2) * -(-w // 2) * count
    return maps, bits / 8 if bits > 8 else 1


# %% 3 right: recursion, and a search from above
def scores_size(size, depth, convs):
    size -= 2 * convs
    if size < 1:
        return None
    if depth == 0:
        return size
    if size % 2:
        return None
    inner = scores_size(size // 2, depth - 1, convs)
    if inner is None or 2 * inner - 2 * convs < 1:
        return None
    return 2 * inner - 2 * convs


def picture_size(scores, depth, convs):
    fitting = [
        n for n in range(scores, scores + 4 * convs * 2 ** (depth + 2) + 2**depth) if scores_size(n, depth, convs)
    ]
    return min(n for n in fitting if scores_size(n, depth, convs) >= scores)


# %% 3 wrong: odd maps are halved all the same | 573 pixels, depth 4
def scores_size(size, depth, convs):
    for _ in range(depth):
        size = (size - 2 * convs) // 2
    size -= 2 * convs
    for _ in range(depth):
        size = 2 * size - 2 * convs
    return size if size > 0 else None


def picture_size(scores, depth, convs):
    return scores + 184


# %% 3 wrong: padded | 572 pixels, depth 4, 2 convolutions: 572, expected 388
def scores_size(size, depth, convs):
    return size


def picture_size(scores, depth, convs):
    return scores


# %% 3 wrong: hard-coded, less 184 | 573 pixels, depth 4
def scores_size(size, depth, convs):
    return size - 184


def picture_size(scores, depth, convs):
    return scores + 184


# %% 3 wrong: a convolution of two cells | 2 pixels, depth 0, 1 convolutions: 0, expected None
def scores_size(size, depth, convs):
    for level in range(2 * depth + 1):
        if level > depth:
            size *= 2
        for _ in range(convs):
            if size < 2:
                return None
            size -= 2
        if level < depth:
            if size % 2:
                return None
            size //= 2
    return size


def picture_size(scores, depth, convs):
    size = scores
    while (scores_size(size, depth, convs) or 0) < scores:
        size += 1
    return size


# %% 3 wrong: the picture by a difference, whether it fits or not | for 389 pixels
def scores_size(size, depth, convs):
    for _ in range(depth):
        size -= 2 * convs
        if size < 2 or size % 2:
            return None
        size //= 2
    size -= 2 * convs
    for _ in range(depth):
        if size < 1:
            return None
        size = 2 * size - 2 * convs
    return size if size > 0 else None


def picture_size(scores, depth, convs):
    return scores + 184


# %% 4 wrong: not cut | cut each doubled map, and
class AddNet(gluon.HybridBlock):
    def __init__(self, features, num_classes):
        super().__init__()
        self.features = features
        self.up, self.norm, self.convolve = (nn.HybridSequential() for _ in range(3))
        for before, channels in (320, 112), (112, 40), (40, 24):
            self.up.add(nn.Conv2DTranspose(channels, 2, strides=2, in_channels=before))
            self.norm.add(nn.BatchNorm(in_channels=channels))
            self.convolve.add(nn.Conv2D(channels, 3, padding=1, in_channels=channels))
        self.score = nn.Conv2D(num_classes, 1, in_channels=24)
        self.upscore = utils.MatrixUpsampling(num_classes, 4)

    def hybrid_forward(self, F, x):
        *finer, h = self.features.by_stride(x, (4, 8, 16, 32)).values()
        for fine, up, norm, convolve in zip(reversed(finer), self.up, self.norm, self.convolve):
            h = convolve(F.relu(norm(up(h) + fine)))
        return self.upscore(self.score(h), x)


net4, answer = AddNet(lite0(), 21), "a ReLU and a convolution follow each sum"
net4.initialize(init.Xavier(), ctx=ctx)


# %% 4 wrong: hard-coded, FCN-8s with another name | kernels of 2 × 2
AddNet = utils.FCN8s
net4, answer = AddNet(lite0(), 21), "a ReLU and a convolution follow each sum"
net4.initialize(init.Xavier(), ctx=ctx)


# %% 4 wrong: the finer maps are not added | changes no score: add it
class AddNet(gluon.HybridBlock):
    def __init__(self, features, num_classes):
        super().__init__()
        self.features = features
        self.up, self.norm, self.convolve = (nn.HybridSequential() for _ in range(3))
        for before, channels in (320, 112), (112, 40), (40, 24):
            self.up.add(nn.Conv2DTranspose(channels, 2, strides=2, in_channels=before))
            self.norm.add(nn.BatchNorm(in_channels=channels))
            self.convolve.add(nn.Conv2D(channels, 3, padding=1, in_channels=channels))
        self.score = nn.Conv2D(num_classes, 1, in_channels=24)
        self.upscore = utils.MatrixUpsampling(num_classes, 4)

    def hybrid_forward(self, F, x):
        *finer, h = self.features.by_stride(x, (4, 8, 16, 32)).values()
        for fine, up, norm, convolve in zip(reversed(finer), self.up, self.norm, self.convolve):
            h = convolve(F.relu(norm(F.slice_like(up(h), fine, axes=(2, 3)))))
        return self.upscore(self.score(h), x)


net4, answer = AddNet(lite0(), 21), "a ReLU and a convolution follow each sum"
net4.initialize(init.Xavier(), ctx=ctx)


# %% 4 wrong: no ReLU | a ReLU is missing
class AddNet(gluon.HybridBlock):
    def __init__(self, features, num_classes):
        super().__init__()
        self.features = features
        self.up, self.norm, self.convolve = (nn.HybridSequential() for _ in range(3))
        for before, channels in (320, 112), (112, 40), (40, 24):
            self.up.add(nn.Conv2DTranspose(channels, 2, strides=2, in_channels=before))
            self.norm.add(nn.BatchNorm(in_channels=channels))
            self.convolve.add(nn.Conv2D(channels, 3, padding=1, in_channels=channels))
        self.score = nn.Conv2D(num_classes, 1, in_channels=24)
        self.upscore = utils.MatrixUpsampling(num_classes, 4)

    def hybrid_forward(self, F, x):
        *finer, h = self.features.by_stride(x, (4, 8, 16, 32)).values()
        for fine, up, norm, convolve in zip(reversed(finer), self.up, self.norm, self.convolve):
            h = convolve(norm(F.slice_like(up(h), fine, axes=(2, 3)) + fine))
        return self.upscore(self.score(h), x)


net4, answer = AddNet(lite0(), 21), "a ReLU and a convolution follow each sum"
net4.initialize(init.Xavier(), ctx=ctx)


# %% 4 wrong: ReLUs before the sums | a ReLU is missing
class AddNet(gluon.HybridBlock):
    def __init__(self, features, num_classes):
        super().__init__()
        self.features = features
        self.up, self.norm, self.convolve = (nn.HybridSequential() for _ in range(3))
        for before, channels in (320, 112), (112, 40), (40, 24):
            self.up.add(nn.Conv2DTranspose(channels, 2, strides=2, in_channels=before))
            self.norm.add(nn.BatchNorm(in_channels=channels))
            self.convolve.add(nn.Conv2D(channels, 3, padding=1, in_channels=channels))
        self.score = nn.Conv2D(num_classes, 1, in_channels=24)
        self.upscore = utils.MatrixUpsampling(num_classes, 4)

    def hybrid_forward(self, F, x):
        *finer, h = self.features.by_stride(x, (4, 8, 16, 32)).values()
        for fine, up, norm, convolve in zip(reversed(finer), self.up, self.norm, self.convolve):
            h = convolve(norm(F.slice_like(up(h), fine, axes=(2, 3)) + F.relu(fine)))
        return self.upscore(self.score(h), x)


net4, answer = AddNet(lite0(), 21), "a ReLU and a convolution follow each sum"
net4.initialize(init.Xavier(), ctx=ctx)


# %% 4 wrong: ReLUs on both summands | a ReLU is missing
class AddNet(gluon.HybridBlock):
    def __init__(self, features, num_classes):
        super().__init__()
        self.features = features
        self.up, self.norm, self.convolve = (nn.HybridSequential() for _ in range(3))
        for before, channels in (320, 112), (112, 40), (40, 24):
            self.up.add(nn.Conv2DTranspose(channels, 2, strides=2, in_channels=before))
            self.norm.add(nn.BatchNorm(in_channels=channels))
            self.convolve.add(nn.Conv2D(channels, 3, padding=1, in_channels=channels))
        self.score = nn.Conv2D(num_classes, 1, in_channels=24)
        self.upscore = utils.MatrixUpsampling(num_classes, 4)

    def hybrid_forward(self, F, x):
        *finer, h = self.features.by_stride(x, (4, 8, 16, 32)).values()
        for fine, up, norm, convolve in zip(reversed(finer), self.up, self.norm, self.convolve):
            h = convolve(norm(F.relu(F.slice_like(up(h), fine, axes=(2, 3))) + F.relu(fine)))
        return self.upscore(self.score(h), x)


net4, answer = AddNet(lite0(), 21), "a ReLU and a convolution follow each sum"
net4.initialize(init.Xavier(), ctx=ctx)


# %% 4 wrong: not padded | pad each 3 × 3 convolution by 1
class AddNet(gluon.HybridBlock):
    def __init__(self, features, num_classes):
        super().__init__()
        self.features = features
        self.up, self.norm, self.convolve = (nn.HybridSequential() for _ in range(3))
        for before, channels in (320, 112), (112, 40), (40, 24):
            self.up.add(nn.Conv2DTranspose(channels, 2, strides=2, in_channels=before))
            self.norm.add(nn.BatchNorm(in_channels=channels))
            self.convolve.add(nn.Conv2D(channels, 3, in_channels=channels))
        self.score = nn.Conv2D(num_classes, 1, in_channels=24)
        self.upscore = utils.MatrixUpsampling(num_classes, 4)

    def hybrid_forward(self, F, x):
        *finer, h = self.features.by_stride(x, (4, 8, 16, 32)).values()
        for fine, up, norm, convolve in zip(reversed(finer), self.up, self.norm, self.convolve):
            h = convolve(F.relu(norm(F.slice_like(up(h), fine, axes=(2, 3)) + fine)))
        return self.upscore(self.score(h), x)


net4, answer = AddNet(lite0(), 21), "a ReLU and a convolution follow each sum"
net4.initialize(init.Xavier(), ctx=ctx)


# %% 4 wrong: an enlargement that learns | expected none above 3 × 3
class AddNet(gluon.HybridBlock):
    def __init__(self, features, num_classes):
        super().__init__()
        self.features = features
        self.up, self.norm, self.convolve = (nn.HybridSequential() for _ in range(3))
        for before, channels in (320, 112), (112, 40), (40, 24):
            self.up.add(nn.Conv2DTranspose(channels, 2, strides=2, in_channels=before))
            self.norm.add(nn.BatchNorm(in_channels=channels))
            self.convolve.add(nn.Conv2D(channels, 3, padding=1, in_channels=channels))
        self.score = nn.Conv2D(num_classes, 1, in_channels=24)
        self.upscore = nn.Conv2DTranspose(num_classes, 8, strides=4, padding=2, in_channels=num_classes)

    def hybrid_forward(self, F, x):
        *finer, h = self.features.by_stride(x, (4, 8, 16, 32)).values()
        for fine, up, norm, convolve in zip(reversed(finer), self.up, self.norm, self.convolve):
            h = convolve(F.relu(norm(F.slice_like(up(h), fine, axes=(2, 3)) + fine)))
        return F.slice_like(self.upscore(self.score(h)), x, axes=(2, 3))


net4, answer = AddNet(lite0(), 21), "a ReLU and a convolution follow each sum"
net4.initialize(init.Xavier(), ctx=ctx)


# %% 4 wrong: nearest neighbour | enlarge them bilinearly
class AddNet(gluon.HybridBlock):
    def __init__(self, features, num_classes):
        super().__init__()
        self.features = features
        self.up, self.norm, self.convolve = (nn.HybridSequential() for _ in range(3))
        for before, channels in (320, 112), (112, 40), (40, 24):
            self.up.add(nn.Conv2DTranspose(channels, 2, strides=2, in_channels=before))
            self.norm.add(nn.BatchNorm(in_channels=channels))
            self.convolve.add(nn.Conv2D(channels, 3, padding=1, in_channels=channels))
        self.score = nn.Conv2D(num_classes, 1, in_channels=24)

    def hybrid_forward(self, F, x):
        *finer, h = self.features.by_stride(x, (4, 8, 16, 32)).values()
        for fine, up, norm, convolve in zip(reversed(finer), self.up, self.norm, self.convolve):
            h = convolve(F.relu(norm(F.slice_like(up(h), fine, axes=(2, 3)) + fine)))
        return F.slice_like(F.UpSampling(self.score(h), scale=4, sample_type="nearest"), x, axes=(2, 3))


net4, answer = AddNet(lite0(), 21), "a ReLU and a convolution follow each sum"
net4.initialize(init.Xavier(), ctx=ctx)


# %% 4 wrong: no BatchNorm | BatchNorms are missing
class AddNet(gluon.HybridBlock):
    def __init__(self, features, num_classes):
        super().__init__()
        self.features = features
        self.up, self.convolve = nn.HybridSequential(), nn.HybridSequential()
        for before, channels in (320, 112), (112, 40), (40, 24):
            self.up.add(nn.Conv2DTranspose(channels, 2, strides=2, in_channels=before))
            self.convolve.add(nn.Conv2D(channels, 3, padding=1, in_channels=channels))
        self.score = nn.Conv2D(num_classes, 1, in_channels=24)
        self.upscore = utils.MatrixUpsampling(num_classes, 4)

    def hybrid_forward(self, F, x):
        *finer, h = self.features.by_stride(x, (4, 8, 16, 32)).values()
        for fine, up, convolve in zip(reversed(finer), self.up, self.convolve):
            h = convolve(F.relu(F.slice_like(up(h), fine, axes=(2, 3)) + fine))
        return self.upscore(self.score(h), x)


net4, answer = AddNet(lite0(), 21), "a ReLU and a convolution follow each sum"
net4.initialize(init.Xavier(), ctx=ctx)


# %% 4 wrong: never trained | expected 0.55 to 0.65
class AddNet(gluon.HybridBlock):
    def __init__(self, features, num_classes):
        super().__init__()
        self.features = features
        self.up, self.norm, self.convolve = (nn.HybridSequential() for _ in range(3))
        for before, channels in (320, 112), (112, 40), (40, 24):
            self.up.add(nn.Conv2DTranspose(channels, 2, strides=2, in_channels=before))
            self.norm.add(nn.BatchNorm(in_channels=channels))
            self.convolve.add(nn.Conv2D(channels, 3, padding=1, in_channels=channels))
        self.score = nn.Conv2D(num_classes, 1, in_channels=24)
        self.upscore = utils.MatrixUpsampling(num_classes, 4)

    def hybrid_forward(self, F, x):
        *finer, h = self.features.by_stride(x, (4, 8, 16, 32)).values()
        for fine, up, norm, convolve in zip(reversed(finer), self.up, self.norm, self.convolve):
            h = convolve(F.relu(norm(F.slice_like(up(h), fine, axes=(2, 3)) + fine)))
        return self.upscore(self.score(h), x)


net4, answer = AddNet(lite0(), 21), "a ReLU and a convolution follow each sum"
net4.initialize(init.Xavier(), ctx=ctx)


# %% 4 wrong: 0.01 for the backbone too | the backbone 0.0001
class AddNet(gluon.HybridBlock):
    def __init__(self, features, num_classes):
        super().__init__()
        self.features = features
        self.up, self.norm, self.convolve = (nn.HybridSequential() for _ in range(3))
        for before, channels in (320, 112), (112, 40), (40, 24):
            self.up.add(nn.Conv2DTranspose(channels, 2, strides=2, in_channels=before))
            self.norm.add(nn.BatchNorm(in_channels=channels))
            self.convolve.add(nn.Conv2D(channels, 3, padding=1, in_channels=channels))
        self.score = nn.Conv2D(num_classes, 1, in_channels=24)
        self.upscore = utils.MatrixUpsampling(num_classes, 4)

    def hybrid_forward(self, F, x):
        *finer, h = self.features.by_stride(x, (4, 8, 16, 32)).values()
        for fine, up, norm, convolve in zip(reversed(finer), self.up, self.norm, self.convolve):
            h = convolve(F.relu(norm(F.slice_like(up(h), fine, axes=(2, 3)) + fine)))
        return self.upscore(self.score(h), x)


net4, answer = AddNet(lite0(pretrained=True), 21), "a ReLU and a convolution follow each sum"
for parameter in net4.collect_params().values():
    if parameter._data is None:
        parameter.initialize(default_init=init.Xavier(), ctx=ctx)
net4.upscore.initialize(ctx=ctx, force_reinit=True)
net4.collect_params().reset_ctx(ctx)
net4.hybridize()
adam = gluon.Trainer(net4.collect_params(), "adam", {"learning_rate": 1e-2})
utils.train(utils.data_loader(train_set, 8), None, net4, loss, adam, ctx, 6)


# %% 4 right: names of its own, by the trained features' part first
class AddNet(gluon.HybridBlock):
    def __init__(self, features, num_classes):
        super().__init__()
        self.features, channels = features, {4: 24, 8: 40, 16: 112, 32: 320}
        for stride in 16, 8, 4:
            up = nn.Conv2DTranspose(channels[stride], 2, strides=2, in_channels=channels[2 * stride])
            setattr(self, f"up{stride}", up)
            setattr(self, f"norm{stride}", nn.BatchNorm())
            setattr(self, f"conv{stride}", nn.Conv2D(channels[stride], 3, padding=1, in_channels=channels[stride]))
        self.score = nn.Conv2D(num_classes, 1, in_channels=24)
        self.upscore = utils.BilinearUpsampling(num_classes, 4)

    def hybrid_forward(self, F, x):
        maps = self.features.by_stride(x, (32, 16, 8, 4))
        h = maps[32]
        for stride in 16, 8, 4:
            up, norm, conv = (getattr(self, f"{name}{stride}") for name in ("up", "norm", "conv"))
            h = F.slice_like(up(h), maps[stride], axes=(2, 3)) + maps[stride]
            h = conv(F.Activation(norm(h), act_type="relu"))
        return F.slice_like(self.upscore(self.score(h)), x, axes=(2, 3))


net4 = AddNet(lite0(pretrained=True), 21)
for parameter in net4.collect_params().values():
    if parameter._data is None:
        parameter.initialize(default_init=init.Xavier(), ctx=ctx)
net4.upscore.initialize(ctx=ctx, force_reinit=True)
net4.collect_params().reset_ctx(ctx)
for name, parameter in net4.collect_params().items():
    parameter.lr_mult = 0.01 if name in net4.features.collect_params() else 1
utils.train(
    utils.data_loader(train_set, 8),
    None,
    net4,
    loss,
    gluon.Trainer(net4.collect_params(), "adam", {"learning_rate": 1e-2}),
    ctx,
    6,
)
answer = "behind each sum there is a ReLU, which sees both maps"
