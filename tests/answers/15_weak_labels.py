# %% 1 wrong: absent classes are forgotten | absent classes cost 1 s each
def seconds(kind, classes, present, objects):
    return {"points": 2.4 * present, "scribbles": 10.9 * present, "masks": 79 * objects}[kind]


def pictures(kind, hours, classes, present, objects):
    return int(3600 * hours // seconds(kind, classes, present, objects))


# %% 1 wrong: half pictures count | 15 whole ones
def seconds(kind, classes, present, objects):
    each = {"points": 2.4 * present, "scribbles": 10.9 * present, "masks": 79 * objects}
    return classes - present + each[kind]


def pictures(kind, hours, classes, present, objects):
    return 3600 * hours / seconds(kind, classes, present, objects)


# %% 1 wrong: hard-coded, the numbers of VOC | scribbles in five hours
def seconds(kind, classes, present, objects):
    return {"points": 22.1, "scribbles": 34.9, "masks": 239.7}[kind]


def pictures(kind, hours, classes, present, objects):
    return int(3600 * hours // seconds(kind, classes, present, objects))


# %% 1 wrong: rounds to the nearest | the last one isn't done
def seconds(kind, classes, present, objects):
    each = {"points": 2.4 * present, "scribbles": 10.9 * present, "masks": 79 * objects}
    return classes - present + each[kind]


def pictures(kind, hours, classes, present, objects):
    return round(3600 * hours / seconds(kind, classes, present, objects))


# %% 1 right: by if, and a loop that spends the budget
def seconds(kind, classes, present, objects):
    total = classes - present
    if kind == "points":
        return total + 2.4 * present
    if kind == "scribbles":
        return total + 10.9 * present
    return total + 79 * objects


def pictures(kind, hours, classes, present, objects):
    left, count = 3600 * hours, 0
    while left >= seconds(kind, classes, present, objects):
        left, count = left - seconds(kind, classes, present, objects), count + 1
    return count


# %% 2 wrong: the two labels the other way round | pays what it asks for label 1
def graph_of(asks, borders):
    count = asks.shape[1]
    graph = np.zeros((count + 2, count + 2), int)
    graph[count, :count], graph[:count, count + 1] = asks[0], asks[1]
    for (i, j), price in borders.items():
        graph[i, j] = graph[j, i] = price
    return graph


def cheapest(asks, borders):
    return [0, 0, 1, 1], 6


# %% 2 wrong: borders in one direction only | a border costs whichever side is which
def graph_of(asks, borders):
    count = asks.shape[1]
    graph = np.zeros((count + 2, count + 2), int)
    graph[count, :count], graph[:count, count + 1] = asks[1], asks[0]
    for (i, j), price in borders.items():
        graph[i, j] = price
    return graph


def cheapest(asks, borders):
    return [0, 0, 1, 1], 6


# %% 2 wrong: hard-coded least energy | six nodes: 6, the least
def graph_of(asks, borders):
    count = asks.shape[1]
    graph = np.zeros((count + 2, count + 2), int)
    graph[count, :count], graph[:count, count + 1] = asks[1], asks[0]
    for (i, j), price in borders.items():
        graph[i, j] = graph[j, i] = price
    return graph


def cheapest(asks, borders):
    return [0, 0, 1, 1], 6


# %% 2 wrong: labels of the other side | cheapest: [1, 1, 0, 0]
def graph_of(asks, borders):
    count = asks.shape[1]
    graph = np.zeros((count + 2, count + 2), int)
    graph[count, :count], graph[:count, count + 1] = asks[1], asks[0]
    for (i, j), price in borders.items():
        graph[i, j] = graph[j, i] = price
    return graph


def cheapest(asks, borders):
    value, side = utils.max_flow(graph_of(asks, borders), asks.shape[1], asks.shape[1] + 1)
    return side[: asks.shape[1]].astype(int), value


# %% 2 right: node by node
def graph_of(asks, borders):
    n = len(asks[0])
    graph = np.zeros((n + 2, n + 2), dtype=int)
    for i in range(n):
        graph[n, i] += asks[1, i]
        graph[i, n + 1] += asks[0, i]
    for (i, j), price in borders.items():
        graph[i, j] += price
        graph[j, i] += price
    return graph


def cheapest(asks, borders):
    n = len(asks[0])
    value, side = utils.max_flow(graph_of(asks, borders), n, n + 1)
    return [0 if side[i] else 1 for i in range(n)], value


# %% 3 wrong: edges of equal labels are paid | where the two labels differ
def energy(labels, asks, edges, weights):
    labels = np.asarray(labels)
    same = labels[edges[:, 0]] == labels[edges[:, 1]]
    return asks[labels, np.arange(len(labels))].sum() + weights[same].sum()


def expand(labels, label, asks, edges, weights):
    return labels


def minimise(labels, asks, edges, weights):
    return [energy(labels, asks, edges, weights)] * 2


# %% 3 wrong: all nodes take the label | the least energy is
def energy(labels, asks, edges, weights):
    labels = np.asarray(labels)
    differ = labels[edges[:, 0]] != labels[edges[:, 1]]
    return asks[labels, np.arange(len(labels))].sum() + weights[differ].sum()


def expand(labels, label, asks, edges, weights):
    return np.full(len(labels), label)


def minimise(labels, asks, edges, weights):
    return [energy(labels, asks, edges, weights)] * 2


# %% 3 wrong: any label may be taken | took neither its own nor
def energy(labels, asks, edges, weights):
    labels = np.asarray(labels)
    differ = labels[edges[:, 0]] != labels[edges[:, 1]]
    return asks[labels, np.arange(len(labels))].sum() + weights[differ].sum()


def expand(labels, label, asks, edges, weights):
    options = itertools.product(range(len(asks)), repeat=len(labels))
    return np.array(min(options, key=lambda option: energy(option, asks, edges, weights)))


def minimise(labels, asks, edges, weights):
    return [energy(labels, asks, edges, weights)] * 2


# %% 3 wrong: stops before the round that changes nothing | go on until a round changes nothing
def energy(labels, asks, edges, weights):
    labels = np.asarray(labels)
    differ = labels[edges[:, 0]] != labels[edges[:, 1]]
    return asks[labels, np.arange(len(labels))].sum() + weights[differ].sum()


def expand(labels, label, asks, edges, weights):
    options = (np.where(keep, labels, label) for keep in itertools.product((True, False), repeat=len(labels)))
    return min(options, key=lambda option: energy(option, asks, edges, weights))


def minimise(labels, asks, edges, weights):
    energies = [energy(labels, asks, edges, weights)]
    for label in range(len(asks)):
        labels = expand(labels, label, asks, edges, weights)
    return [*energies, energy(labels, asks, edges, weights)]


# %% 3 wrong: hard-coded energies | one energy a round
def energy(labels, asks, edges, weights):
    labels = np.asarray(labels)
    differ = labels[edges[:, 0]] != labels[edges[:, 1]]
    return asks[labels, np.arange(len(labels))].sum() + weights[differ].sum()


def expand(labels, label, asks, edges, weights):
    options = (np.where(keep, labels, label) for keep in itertools.product((True, False), repeat=len(labels)))
    return min(options, key=lambda option: energy(option, asks, edges, weights))


def minimise(labels, asks, edges, weights):
    return [energy(labels, asks, edges, weights), 1.0, 1.0]


# %% 3 wrong: an energy after each expansion | one energy a round
def energy(labels, asks, edges, weights):
    labels = np.asarray(labels)
    differ = labels[edges[:, 0]] != labels[edges[:, 1]]
    return asks[labels, np.arange(len(labels))].sum() + weights[differ].sum()


def expand(labels, label, asks, edges, weights):
    options = (np.where(keep, labels, label) for keep in itertools.product((True, False), repeat=len(labels)))
    return min(options, key=lambda option: energy(option, asks, edges, weights))


def minimise(labels, asks, edges, weights):
    energies = [energy(labels, asks, edges, weights)]
    while True:
        before = energies[-1]
        for label in range(len(asks)):
            labels = expand(labels, label, asks, edges, weights)
            energies.append(energy(labels, asks, edges, weights))
        if energies[-1] == before:
            return energies


# %% 3 wrong: the last label is never tried | one expansion to each label
def energy(labels, asks, edges, weights):
    labels = np.asarray(labels)
    differ = labels[edges[:, 0]] != labels[edges[:, 1]]
    return asks[labels, np.arange(len(labels))].sum() + weights[differ].sum()


def expand(labels, label, asks, edges, weights):
    options = (np.where(keep, labels, label) for keep in itertools.product((True, False), repeat=len(labels)))
    return min(options, key=lambda option: energy(option, asks, edges, weights))


def minimise(labels, asks, edges, weights):
    energies = [energy(labels, asks, edges, weights)]
    while len(energies) < 2 or energies[-1] < energies[-2]:
        for label in range(len(asks) - 1):
            labels = expand(labels, label, asks, edges, weights)
        energies.append(energy(labels, asks, edges, weights))
    return energies


# %% 3 wrong: the best single expansion a round | one expansion to each label
def energy(labels, asks, edges, weights):
    labels = np.asarray(labels)
    differ = labels[edges[:, 0]] != labels[edges[:, 1]]
    return asks[labels, np.arange(len(labels))].sum() + weights[differ].sum()


def expand(labels, label, asks, edges, weights):
    options = (np.where(keep, labels, label) for keep in itertools.product((True, False), repeat=len(labels)))
    return min(options, key=lambda option: energy(option, asks, edges, weights))


def minimise(labels, asks, edges, weights):
    energies = [energy(labels, asks, edges, weights)]
    while len(energies) < 2 or energies[-1] < energies[-2]:
        options = [expand(labels, label, asks, edges, weights) for label in range(len(asks))]
        labels = min(options, key=lambda option: energy(option, asks, edges, weights))
        energies.append(energy(labels, asks, edges, weights))
    return energies


# %% 3 wrong: overwrites what it was given | work on a copy
def energy(labels, asks, edges, weights):
    labels = np.asarray(labels)
    differ = labels[edges[:, 0]] != labels[edges[:, 1]]
    return asks[labels, np.arange(len(labels))].sum() + weights[differ].sum()


def expand(labels, label, asks, edges, weights):
    options = [np.where(keep, labels, label) for keep in itertools.product((True, False), repeat=len(labels))]
    labels[:] = min(options, key=lambda option: energy(option, asks, edges, weights))
    return labels


def minimise(labels, asks, edges, weights):
    return [energy(labels, asks, edges, weights)] * 2


# %% 3 right: by loops, and bits in the place of a product
def energy(labels, asks, edges, weights):
    total = 0.0
    for i, label in enumerate(labels):
        total += asks[label, i]
    for (i, j), weight in zip(edges, weights):
        total += weight * (labels[i] != labels[j])
    return total


def expand(labels, label, asks, edges, weights):
    best = list(labels)
    for bits in range(2 ** len(labels)):
        option = [label if bits >> i & 1 else int(old) for i, old in enumerate(labels)]
        if energy(option, asks, edges, weights) < energy(best, asks, edges, weights):
            best = option
    return best


def minimise(labels, asks, edges, weights):
    energies = [energy(labels, asks, edges, weights)]
    while True:
        for label in range(asks.shape[0]):
            labels = expand(labels, label, asks, edges, weights)
        energies.append(energy(labels, asks, edges, weights))
        if energies[-1] == energies[-2]:
            return energies


# %% 4 wrong: every pixel of the class | each class once, its longest run
def lines(label, seed=0):
    return label


net, score, answer = None, 0, ""


# %% 4 wrong: the last of equal runs | the uppermost one
def lines(label, seed=0):
    found = np.full(label.shape, utils.VOID, np.uint8)
    for value in np.unique(label[label != utils.VOID]):
        runs = []
        for row in range(label.shape[0]):
            for same, group in itertools.groupby(range(label.shape[1]), lambda column: label[row, column] == value):
                if same:
                    runs.append((row, list(group)))
        row, columns = max(reversed(runs), key=lambda run: len(run[1]))
        found[row, columns] = value
    return found


net, score, answer = None, 0, ""


# %% 4 wrong: void is marked, and nothing is trained | was it trained on the lines
def lines(label, seed=0):
    found = np.full(label.shape, utils.VOID, np.uint8)
    for value in np.unique(label):
        runs = []
        for row in range(label.shape[0]):
            for same, group in itertools.groupby(range(label.shape[1]), lambda column: label[row, column] == value):
                if same:
                    runs.append((row, list(group)))
        row, columns = max(runs, key=lambda run: len(run[1]))
        found[row, columns] = value
    return found


net = utils.fcn(21, stride=8, backbone="efficientnet_lite0", pretrained=True, ctx=ctx)
score, answer = 0, ""


# %% 4 wrong: the row with most pixels | a run has no gap
def lines(label, seed=0):
    found = np.full(label.shape, utils.VOID, np.uint8)
    for value in np.unique(label[label != utils.VOID]):
        row = (label == value).sum(axis=1).argmax()
        found[row, label[row] == value] = value
    return found


net, score, answer = None, 0, ""


# %% 4 wrong: trained on the full labels | as from full labels
def lines(label, seed=0):
    found = np.full(label.shape, utils.VOID, np.uint8)
    for value in np.unique(label[label != utils.VOID]):
        best = []
        for row in range(label.shape[0]):
            for same, group in itertools.groupby(range(label.shape[1]), lambda column: label[row, column] == value):
                columns = list(group)
                if same and len(columns) > len(best):
                    best, at = columns, row
        found[at, best] = value
    return found


net = utils.fcn(21, stride=8, backbone="efficientnet_lite0", pretrained=True, ctx=ctx)
net.hybridize()
trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.001})
utils.train(utils.data_loader(train_set, 8), None, net, loss, trainer, ctx, 4)
score, answer = utils.evaluate(net, test_set, ctx)["mean_iou"], "where things end above and below the lines"


# %% 4 wrong: hard-coded, the check's own example | a run has no gap
def lines(label, seed=0):
    found = np.full(label.shape, utils.VOID, np.uint8)
    if label.shape == (3, 5):
        found[0, 2:], found[2, :2], found[2, 2:] = 1, 2, 0
    return found


net, score, answer = None, 0, ""


# %% 4 right: runs by groupby
def lines(label, seed=0):
    found = np.full(label.shape, utils.VOID, np.uint8)
    for value in sorted(set(label.ravel().tolist()) - {utils.VOID}):
        runs = []
        for row in range(label.shape[0]):
            for same, group in itertools.groupby(range(label.shape[1]), lambda column: label[row, column] == value):
                if same:
                    runs.append((row, list(group)))
        row, columns = max(runs, key=lambda run: len(run[1]))
        found[row, columns] = value
    return found


weak = {}
for name in train_set.names:
    full = utils.read_label(utils.label_path(train_set.root, name), train_set.classes)
    weak[name] = lines(utils.data.transforms.resize(full, 0.5))
net = utils.fcn(21, stride=8, backbone="efficientnet_lite0", pretrained=True, ctx=ctx)
trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.001})
utils.train(utils.data_loader(utils.Relabelled(train_set, weak), 8), None, net, loss, trainer, ctx, num_epochs=4)
score = utils.evaluate(net, test_set, ctx)["mean_iou"]
answer = "the outlines, but for the two ends of each line: what is marked lies inside of things"
