# %% 1 wrong: hard-coded, stride taken for half the kernel | ones don't stay ones
answers = {name: (6, (2, 21, 66, 90)) for name in ("up_a", "up_b", "up_c", "up_d")}

# %% 1 wrong: hard-coded, batch and channels forgotten | up_a: your shape is
answers["up_a"] = 6, (66, 90)
answers["up_b"] = 5, (55, 75)
answers["up_c"] = 32, (352, 480)
answers["up_d"] = 1, (11, 15)

# %% 1 wrong: one layer left out | up_d is missing
for name, stride in ("up_a", 6), ("up_b", 5), ("up_c", 32):
    answers[name] = stride, (2, 21, 11 * stride, 15 * stride)

# %% 1 right: written out, shapes as lists
answers["up_a"] = 6, [2, 21, 66, 90]
answers["up_b"] = [5, (2, 21, 55, 75)]
answers["up_c"] = 32, (2, 21, 352, 480)
answers["up_d"] = 1, (2, 21, 11, 15)


# %% 2 wrong: hard-coded | expected (12, 4)
def matrix(n, stride):
    return np.array([[1.0, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])


# %% 2 wrong: centres at the first pixel of each cell | where are the centres
def matrix(n, stride):
    pixels, cells = np.arange(n * stride), np.arange(n)
    return np.maximum(0, 1 - np.abs(pixels[:, None] - stride * cells) / stride)


# %% 2 wrong: resizes, the border repeated | does it fade there
def matrix(n, stride):
    centres = stride * np.arange(n) + (stride - 1) / 2
    return np.stack([np.interp(np.arange(n * stride), centres, row) for row in np.eye(n)], axis=1)


# %% 2 wrong: transposed | has the shape (4, 12)
def matrix(n, stride):
    centres = stride * np.arange(n) + (stride - 1) / 2
    return np.maximum(0, 1 - np.abs(np.arange(n * stride) - centres[:, None]) / stride)


# %% 2 right: each column by chapter 04's stamps
def matrix(n, stride):
    size = 2 * stride - stride % 2
    middle, padding = (size - 1) / 2, (size - stride) // 2
    tent = 1 - np.abs(np.arange(size) - middle) / stride
    columns = np.zeros((n * stride + 2 * padding, n))
    for cell in range(n):
        columns[cell * stride : cell * stride + size, cell] = tent
    return columns[padding : padding + n * stride]


# %% 3 wrong: hard-coded factor at the border | wrong at the border by
def resize_by_layer(x, stride):
    channels, kernel_size = x.shape[1], 2 * stride - stride % 2
    layer = nn.Conv2DTranspose(
        channels,
        kernel_size,
        stride,
        (kernel_size - stride) // 2,
        groups=channels,
        use_bias=False,
        in_channels=channels,
    )
    layer.initialize(init.Zero())
    layer.weight.set_data(utils.bilinear_kernel(channels, 1, kernel_size))
    out = layer(x).asnumpy()
    out[:, :, 0] /= 0.75  # what stride 2 needs
    out[:, :, -1] /= 0.75
    out[:, :, :, 0] /= 0.75
    out[:, :, :, -1] /= 0.75
    return nd.array(out)


# %% 3 wrong: the border left to fade | wrong at the border by
def resize_by_layer(x, stride):
    channels, kernel_size = x.shape[1], 2 * stride - stride % 2
    layer = nn.Conv2DTranspose(
        channels,
        kernel_size,
        stride,
        (kernel_size - stride) // 2,
        groups=channels,
        use_bias=False,
        in_channels=channels,
    )
    layer.initialize(init.Zero())
    layer.weight.set_data(utils.bilinear_kernel(channels, 1, kernel_size))
    return layer(x)


# %% 3 wrong: a resize function | that is a resize function
def resize_by_layer(x, stride):
    return nd.contrib.BilinearResize2D(x, height=x.shape[2] * stride, width=x.shape[3] * stride, align_corners=False)


# %% 3 wrong: two matrix products | use a transposed convolution
def resize_by_layer(x, stride):
    enlarge = utils.MatrixUpsampling(x.shape[1], stride, align=False)
    return enlarge(x) / enlarge(nd.ones_like(x))


# %% 3 wrong: kernel of 2s for odd strides too | stride 3: shape (
def resize_by_layer(x, stride):
    channels = x.shape[1]
    layer = nn.Conv2DTranspose(
        channels, 2 * stride, stride, stride // 2, groups=channels, use_bias=False, in_channels=channels
    )
    layer.initialize(init.Zero())
    layer.weight.set_data(utils.bilinear_kernel(channels, 1, 2 * stride))
    return layer(x) / layer(nd.ones_like(x))


# %% 3 right: the layer of utils, hybridized
def resize_by_layer(x, stride):
    enlarge = utils.BilinearUpsampling(x.shape[1], stride, align=False)
    enlarge.initialize()
    enlarge.hybridize()
    return enlarge(x) / enlarge(nd.ones_like(x))


# %% 3 right: the input mended, each channel alone
def resize_by_layer(x, stride):
    size = 2 * stride - stride % 2
    layer = nn.Conv2DTranspose(1, size, stride, (size - stride) // 2 + stride, use_bias=False, in_channels=1)
    layer.initialize(init.Zero())
    layer.weight.set_data(utils.bilinear_kernel(1, 1, size))
    wide = nd.pad(x, mode="edge", pad_width=(0, 0, 0, 0, 1, 1, 1, 1))
    return nd.concat(*(layer(wide[:, c : c + 1]) for c in range(x.shape[1])), dim=1)


# %% 4 wrong: hard-coded, the tent itself | Was it trained
layer = nn.Conv2DTranspose(1, 8, 4, 2, use_bias=False, in_channels=1)
layer.initialize(init.Zero())
layer.weight.set_data(utils.bilinear_kernel(1, 1, 8))

# %% 4 wrong: too few steps | more steps, or a larger learning rate
layer = nn.Conv2DTranspose(1, 8, 4, 2, use_bias=False, in_channels=1)
layer.initialize(init.Zero())
trainer = gluon.Trainer(layer.collect_params(), "sgd", {"learning_rate": 0.01})
x, y = pairs()
for _ in range(10):
    with autograd.record():
        losses = gluon.loss.L2Loss()(layer(x)[:, :, 4:-4, 4:-4], y)
    losses.backward()
    trainer.step(len(x))

# %% 4 wrong: a mean, divided by the number of maps once more | Was a mean divided
layer = nn.Conv2DTranspose(1, 8, 4, 2, use_bias=False, in_channels=1)
layer.initialize(init.Zero())
trainer = gluon.Trainer(layer.collect_params(), "sgd", {"learning_rate": 0.5})
x, y = pairs()
for _ in range(100):
    with autograd.record():
        losses = ((layer(x)[:, :, 4:-4, 4:-4] - y) ** 2).mean()
    losses.backward()
    trainer.step(len(x))

# %% 4 wrong: kept under another name | keep the trained Conv2DTranspose as `layer`
net = nn.Conv2DTranspose(1, 8, 4, 2, use_bias=False, in_channels=1)
net.initialize(init.Zero())
trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.02})
loss = gluon.loss.L2Loss()
x, y = pairs()
for _ in range(150):
    with autograd.record():
        losses = loss(net(x)[:, :, 4:-4, 4:-4], y)
    losses.backward()
    trainer.step(len(x))

# %% 4 wrong: steps far too large, so that nan is left | the kernel is nan from the tent
layer = nn.Conv2DTranspose(1, 8, 4, 2, use_bias=False, in_channels=1)
layer.initialize(init.Zero())
trainer = gluon.Trainer(layer.collect_params(), "sgd", {"learning_rate": 100})
loss = gluon.loss.L2Loss()
x, y = pairs()
for _ in range(200):
    with autograd.record():
        losses = loss(layer(x)[:, :, 4:-4, 4:-4], y)
    losses.backward()
    trainer.step(1)

# %% 4 wrong: steps too large, numbers left | the steps are too large
layer = nn.Conv2DTranspose(1, 8, 4, 2, use_bias=False, in_channels=1)
layer.initialize(init.Zero())
trainer = gluon.Trainer(layer.collect_params(), "sgd", {"learning_rate": 0.5})
loss = gluon.loss.L2Loss()
x, y = pairs()
for _ in range(10):
    with autograd.record():
        losses = loss(layer(x)[:, :, 4:-4, 4:-4], y)
    losses.backward()
    trainer.step(1)

# %% 4 wrong: with a bias | the layer has a bias
layer = nn.Conv2DTranspose(1, 8, 4, 2, in_channels=1)
layer.initialize(init.Zero())
trainer = gluon.Trainer(layer.collect_params(), "adam", {"learning_rate": 0.02})
x, y = pairs()
for _ in range(150):
    with autograd.record():
        losses = gluon.loss.L2Loss()(layer(x)[:, :, 4:-4, 4:-4], y)
    losses.backward()
    trainer.step(len(x))

# %% 4 right: steepest descent by hand, from random weights
layer = nn.Conv2DTranspose(1, 8, 4, 2, use_bias=False, in_channels=1)
layer.initialize(init.Normal(0.1))
x, y = pairs()
for _ in range(200):
    with autograd.record():
        loss = ((layer(x)[:, :, 4:-4, 4:-4] - y) ** 2).mean()
    loss.backward()
    layer.weight.set_data(layer.weight.data() - 4 * layer.weight.grad())
