# %% 1 wrong: holes in the layer that loses its stride too | makes holes in the layers after it, not in itself
def made_dense(layers, target):
    found, stride, rate = [], 1, 1
    for kernel, step in layers:
        if stride * step <= target:
            stride *= step
            found.append((kernel, step, rate))
        else:
            rate *= step
            found.append((kernel, 1, rate))
    return found


def field(layers):
    size, stride = 1, 1
    for kernel, step, rate in layers:
        size += (kernel - 1) * rate * stride
        stride *= step
    return size


# %% 1 wrong: the field forgets the rate | taps at −12, 0 and 12
def made_dense(layers, target):
    found, stride, rate = [], 1, 1
    for kernel, step in layers:
        goes = step if stride * step <= target else 1
        found.append((kernel, goes, rate))
        stride, rate = stride * goes, rate * step // goes
    return found


def field(layers):
    size, stride = 1, 1
    for kernel, step, _ in layers:
        size += (kernel - 1) * stride
        stride *= step
    return size


# %% 1 wrong: hard-coded, every step that goes is one of 2 | at stride 2
def made_dense(layers, target):
    found, stride, rate = [], 1, 1
    for kernel, step in layers:
        goes = step if stride * step <= target else 1
        found.append((kernel, goes, rate))
        stride, rate = stride * goes, rate * (2 if goes < step else 1)
    return found


def field(layers):
    size, stride = 1, 1
    for kernel, step, rate in layers:
        size += (kernel - 1) * rate * stride
        stride *= step
    return size


# %% 1 right: backwards, from one cell to the pixels
def made_dense(layers, target):
    found, stride, rate = [], 1, 1
    for kernel, step in layers:
        goes = step if stride * step <= target else 1
        found.append((kernel, goes, rate))
        stride, rate = stride * goes, rate * step // goes
    return found


def field(layers):
    size = 1
    for kernel, step, rate in reversed(layers):
        size = (size - 1) * step + (kernel - 1) * rate + 1
    return size


# %% 2 wrong: hard-coded place of the last stride | (4, 3) is the old stride
def halve_stride(net):
    halved = nn.HybridSequential()
    halved.add(*list(net)[:-3], *utils.atrous(list(net)[-3:]))
    return halved


# %% 2 wrong: all at stride 1 | more is not stride 4
def halve_stride(net):
    return utils.atrous(net)


# %% 2 wrong: the stride taken away, what follows not dilated | lacks the dilation
def halve_stride(net):
    layers = list(net)
    last = max(i for i, layer in enumerate(layers) if getattr(layer, "_kwargs", {}).get("stride", (1, 1)) != (1, 1))
    halved = nn.HybridSequential()
    halved.add(*layers[:last], *utils.atrous(layers[last : last + 1]), *layers[last + 1 :])
    return halved


# %% 2 wrong: poolings only | the last a convolution: (13, 9) cells
def halve_stride(net):
    layers = list(net)
    last = max(i for i, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2D))
    halved = nn.HybridSequential()
    halved.add(*layers[:last], *utils.atrous(layers[last:]))
    return halved


# %% 2 wrong: the old net's layer changed | the old net was changed
def halve_stride(net):
    layers = list(net)
    last = max(i for i, layer in enumerate(layers) if getattr(layer, "_kwargs", {}).get("stride", (1, 1)) != (1, 1))
    halved = nn.HybridSequential()
    halved.add(*layers[:last], *utils.atrous(layers[last:]))
    layers[last]._kwargs["stride"] = (1, 1)
    return halved


# %% 2 wrong: scores enlarged in place of a finer net | aren't the net's scores for the picture shifted
def halve_stride(net):
    def halved(x):
        scores = net(x)
        return nd.contrib.BilinearResize2D(scores, height=2 * scores.shape[2] - 1, width=2 * scores.shape[3] - 1)

    return halved


# %% 2 wrong: stride 1, and cells thrown away | as much work as stride 1
def halve_stride(net):
    stride, halved = utils.receptive_field(net)[1] // 2, utils.atrous(net)
    halved.add(
        nn.HybridLambda(lambda F, x: F.slice(x, begin=(0, 0, 0, 0), end=(None,) * 4, step=(1, 1, stride, stride)))
    )
    return halved


# %% 2 right: the rest found by its stride, from behind
def halve_stride(net):
    split = len(net)
    while utils.receptive_field(net[split:])[1] == 1:
        split -= 1
    rest = utils.atrous(net[split:])
    return lambda x: rest(net[:split](x)) if split else rest(x)


# %% 2 right: the old net on four shifted pictures, put together
def halve_stride(net):
    half = utils.receptive_field(net)[1] // 2

    def halved(x):
        parts = {(i, j): net(x[:, :, i * half :, j * half :]).asnumpy() for i in (0, 1) for j in (0, 1)}
        shape = (parts[0, 0].shape[axis] + parts[1, 1].shape[axis] for axis in (2, 3))
        out = nd.zeros((*parts[0, 0].shape[:2], *shape)).asnumpy()
        for (i, j), part in parts.items():
            out[:, :, i::2, j::2] = part
        return nd.array(out)

    return halved


# %% 3 wrong: every cell up to the farthest | one layer of rate 2 sees
def seen(rates):
    return set(range(-sum(rates), sum(rates) + 1))


def shared(rates):
    return len(seen(rates) & {i + 1 for i in seen(rates)})


def gapless(rates):
    return True


# %% 3 wrong: rates that share no factor are enough | gapless([1, 2, 9])
def seen(rates):
    found = {0}
    for rate in rates:
        found = {i + step for i in found for step in (-rate, 0, rate)}
    return found


def shared(rates):
    return len(seen(rates) & {i + 1 for i in seen(rates)})


def gapless(rates):
    return int(np.gcd.reduce(rates)) == 1


# %% 3 wrong: hard-coded, what the check asks by heart | rates 2 and 7: by gradient
def seen(rates):
    known = {(2,): {-2, 0, 2}, (2, 2): {-4, -2, 0, 2, 4}, (1,): {-1, 0, 1}, (2, 2, 2): {-6, -4, -2, 0, 2, 4, 6}}
    return known.get(tuple(rates), set(range(-sum(rates), sum(rates) + 1)))


def shared(rates):
    return len(seen(rates) & {i + 1 for i in seen(rates)})


def gapless(rates):
    return tuple(rates) in ((1, 2, 3), (1, 2, 5))


# %% 3 right: by convolving ones
def seen(rates):
    row = np.ones(1)
    for rate in rates:
        kernel = np.zeros(2 * rate + 1)
        kernel[[0, rate, 2 * rate]] = 1
        row = np.convolve(row, kernel)
    return {int(i) - sum(rates) for i in np.flatnonzero(row)}


def shared(rates):
    return sum(i + 1 in seen(rates) for i in seen(rates))


def gapless(rates):
    ordered = sorted(seen(rates))
    return all(b - a == 1 for a, b in zip(ordered, ordered[1:]))


# %% 4 wrong: normalised over pixels | beliefs sum to 1, over the classes
def one_round(q, unary, kernel, compatibility):
    scores = np.exp(unary + compatibility @ q @ kernel.T)
    return scores / scores.sum(axis=1, keepdims=True)


def energy(labels, unary, kernel):
    return 0


# %% 4 wrong: votes without the score of one's own | pixel 0: [
def one_round(q, unary, kernel, compatibility):
    scores = np.exp(compatibility @ q @ kernel.T)
    return scores / scores.sum(axis=0)


def energy(labels, unary, kernel):
    return 0


# %% 4 wrong: votes added to what was believed, not to the unary | votes are added to the unary
def one_round(q, unary, kernel, compatibility):
    scores = np.exp(np.log(q) + compatibility @ q @ kernel.T)
    return scores / scores.sum(axis=0)


def energy(labels, unary, kernel):
    return 0


# %% 4 wrong: each pair twice | each pair once
def one_round(q, unary, kernel, compatibility):
    scores = unary + compatibility @ q @ kernel.T
    scores = np.exp(scores - scores.max(axis=0))
    return scores / scores.sum(axis=0)


def energy(labels, unary, kernel):
    differ = labels[:, None] != labels
    return -unary[labels, np.arange(len(labels))].sum() + (kernel * differ).sum()


# %% 4 wrong: hard-coded Potts' model | compatibility[l, m] is what a vote for m says to l
def one_round(q, unary, kernel, compatibility):
    scores = unary + q @ kernel.T
    scores = np.exp(scores - scores.max(axis=0))
    return scores / scores.sum(axis=0)


def energy(labels, unary, kernel):
    differ = labels[:, None] != labels
    return -unary[labels, np.arange(len(labels))].sum() + np.triu(kernel * differ, 1).sum()


# %% 4 wrong: overflows | take the largest off
def one_round(q, unary, kernel, compatibility):
    with np.errstate(all="ignore"):
        scores = np.exp(unary + compatibility @ q @ kernel.T)
        return scores / scores.sum(axis=0)


def energy(labels, unary, kernel):
    differ = labels[:, None] != labels
    return -unary[labels, np.arange(len(labels))].sum() + np.triu(kernel * differ, 1).sum()


# %% 4 right: by einsum, and pairs by a loop
def one_round(q, unary, kernel, compatibility):
    scores = unary + np.einsum("lm,mj,ij->li", compatibility, q, kernel)
    scores = np.exp(scores - scores.max())
    return scores / scores.sum(axis=0)


def energy(labels, unary, kernel):
    total = -sum(unary[label, i] for i, label in enumerate(labels))
    for i, j in itertools.combinations(range(len(labels)), 2):
        total += kernel[i, j] * (labels[i] != labels[j])
    return total


# %% 5 wrong: labelled leaves the CRF out | through the CRF
net = utils.get_model("deeplab", 21, "efficientnet_lite0", pretrained=True, stride=32, ctx=ctx)
net(nd.zeros((1, 3, 32, 32), ctx=ctx))
net.fc8.weight.set_data(nd.random.normal(scale=0.1, shape=net.fc8.weight.shape))
crf, gain, answer = (
    utils.DenseCRF(w1=8, alpha=30, beta=30),
    0,
    "borders moved to where the colours of the picture change",
)


def labelled(net, crf, image):
    return utils.predict(net, image, ctx).asnumpy()


# %% 5 wrong: not trained | was it trained for three epochs
net = utils.get_model("deeplab", 21, "efficientnet_lite0", pretrained=True, stride=32, ctx=ctx)
crf, gain, answer = utils.DenseCRF(), 0, "borders moved to where the colours of the picture change"


def labelled(net, crf, image):
    return utils.predict(net, image, ctx, crf=crf).asnumpy()


# %% 5 wrong: hard-coded gain | gain should be
net = utils.get_model("deeplab", 21, "efficientnet_lite0", pretrained=True, stride=32, ctx=ctx)
net.hybridize()
trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 1e-3, "lr_scheduler": schedule})
utils.train(utils.data_loader(train_set, 8), None, net, loss, trainer, ctx, 3)
crf, gain, answer = utils.DenseCRF(), 0.5, "borders moved to where the colours of the picture change"


def labelled(net, crf, image):
    return utils.predict(net, image, ctx, crf=crf).asnumpy()


# %% 5 right: without utils.predict, and a CRF of w1 alone
utils.seed(1)
net = utils.get_model("deeplab", 21, "efficientnet_lite0", pretrained=True, stride=32, ctx=ctx)
trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 1e-3, "lr_scheduler": schedule})
utils.train(utils.data_loader(train_set, batch_size=8), None, net, loss, trainer, ctx, num_epochs=3)
held_out = [(probabilities_of(net, x), utils.denormalize(x), y.asnumpy()) for x, y in search_set]
crf, tried = utils.search_crf(held_out, 21, {"w1": (2, 4), "beta": (6, 12)}, utils.DenseCRF(alpha=15, w2=0.5), rounds=1)


def labelled(net, crf, image):
    x = nd.array(utils.normalize(image).transpose(2, 0, 1)[None], ctx=ctx)
    return crf(nd.softmax(net(x), axis=1)[0], image).argmax(axis=0)


truths, before, after = [], utils.SegmentationMetric(21), utils.SegmentationMetric(21)
for x, y in test_set:
    before.update(y.expand_dims(0), net(x.expand_dims(0).as_in_context(ctx)))
    after.update(y.expand_dims(0), labelled(net, crf, utils.denormalize(x))[None])
gain = after.scores()["mean_iou"] - before.scores()["mean_iou"]
answer = "the outlines follow the picture now, and a score on pictures that chose the settings would flatter"
