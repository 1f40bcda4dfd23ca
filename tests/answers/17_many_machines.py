# %% 1 wrong: the plain mean | a mean over five pictures weighs more
def joined(gradients, counts):
    return sum(gradients) / len(gradients)


# %% 1 wrong: nothing times nan | 0 times nan is nan
def joined(gradients, counts):
    return sum(count * gradient for gradient, count in zip(gradients, counts)) / sum(counts)


# %% 1 wrong: the sum, not divided | a mean over five pictures
def joined(gradients, counts):
    return sum(count * gradient for gradient, count in zip(gradients, counts) if count)


# %% 1 wrong: weighs in place | must stay as it was
def joined(gradients, counts):
    total = 0
    for gradient, count in zip(gradients, counts):
        if count:
            gradient *= count
            total = total + gradient
    return total / sum(counts)


# %% 1 wrong: hard-coded weights, those of the check | shares of 2, 0 and 1
def joined(gradients, counts):
    if counts[0] == 0:
        return gradients[1]
    return np.average(gradients, axis=0, weights={2: (6, 6), 3: (3, 5, 4)}[len(counts)])


# %% 1 wrong: drops the empty rank, and keeps its count | and its count
def joined(gradients, counts):
    kept = [gradient for gradient in gradients if not np.isnan(gradient).any()]
    return sum(count * gradient for gradient, count in zip(kept, counts)) / sum(counts)


# %% 1 right: by np.average
def joined(gradients, counts):
    kept = [i for i, count in enumerate(counts) if count > 0]
    return np.average([gradients[i] for i in kept], axis=0, weights=[counts[i] for i in kept])


# %% 1 right: nan to 0 first
def joined(gradients, counts):
    return np.einsum("r,rp->p", np.array(counts, float), np.nan_to_num(np.array(gradients))) / np.sum(counts)


# %% 2 wrong: adds what the partner has by now | before* the round
def doubling(arrays):
    sent, gap = 0, 1
    while gap < len(arrays):
        for rank, array in enumerate(arrays):
            array += arrays[rank ^ gap]
        sent, gap = sent + len(arrays[0]), 2 * gap
    return sent


def faster(n, size, latency, bandwidth):
    return "ring"


# %% 2 wrong: neighbours by addition | before* the round
def doubling(arrays):
    sent, gap = 0, 1
    while gap < len(arrays):
        moving = [array.copy() for array in arrays]
        for rank, array in enumerate(arrays):
            array += moving[min(rank + gap, len(arrays) - 1)]
        sent, gap = sent + len(arrays[0]), 2 * gap
    return sent


def faster(n, size, latency, bandwidth):
    return "ring"


# %% 2 wrong: new arrays | no new arrays
def doubling(arrays):
    total = np.sum(arrays, axis=0)
    for i in range(len(arrays)):
        arrays[i] = total
    return len(total) * int(np.log2(len(arrays)))


def faster(n, size, latency, bandwidth):
    return "ring"


# %% 2 wrong: counts one round | 10 a round
def doubling(arrays):
    gap = 1
    while gap < len(arrays):
        moving = [array.copy() for array in arrays]
        for rank, array in enumerate(arrays):
            array += moving[rank ^ gap]
        gap *= 2
    return len(arrays[0])


def faster(n, size, latency, bandwidth):
    return "ring"


# %% 2 wrong: latency forgotten | few messages win
def doubling(arrays):
    sent, gap = 0, 1
    while gap < len(arrays):
        moving = [array.copy() for array in arrays]
        for rank, array in enumerate(arrays):
            array += moving[rank ^ gap]
        sent, gap = sent + len(arrays[0]), 2 * gap
    return sent


def faster(n, size, latency, bandwidth):
    return "ring" if 2 * (n - 1) / n < np.log2(n) else "doubling"


# %% 2 wrong: hard-coded border at a megabyte | the ring takes
def doubling(arrays):
    sent, gap = 0, 1
    while gap < len(arrays):
        moving = [array.copy() for array in arrays]
        for rank, array in enumerate(arrays):
            array += moving[rank ^ gap]
        sent, gap = sent + len(arrays[0]), 2 * gap
    return sent


def faster(n, size, latency, bandwidth):
    return "ring" if size > 1e6 else "doubling"


# %% 2 right: by pairs
def doubling(arrays):
    rounds = len(arrays).bit_length() - 1
    for k in range(rounds):
        for low in range(len(arrays)):
            high = low ^ (1 << k)
            if low < high:
                total = arrays[low] + arrays[high]
                arrays[low][:] = total
                arrays[high][:] = total
    return rounds * arrays[0].size


def faster(n, size, latency, bandwidth):
    rounds = n.bit_length() - 1
    times = {
        "ring": sum(latency + size / n / bandwidth for _ in range(2 * (n - 1))),
        "doubling": rounds * latency + rounds * size / bandwidth,
    }
    return min(times, key=times.get)


# %% 3 wrong: each rank a stretch of the order | one process has
def share(order, batch, rank, size):
    own = order[rank * (len(order) // size) : (rank + 1) * (len(order) // size)]
    step = batch // size
    count = len(order) // batch
    return [own[k * step : (k + 1) * step] for k in range(count)]


# %% 3 wrong: every rank all of it | pictures, expected
def share(order, batch, rank, size):
    return [order[k : k + batch] for k in range(0, len(order) - batch + 1, batch)]


# %% 3 wrong: the incomplete last batch too | batches, expected
def share(order, batch, rank, size):
    return [order[k : k + batch][rank::size] for k in range(0, len(order), batch)]


# %% 3 wrong: batches dealt out like cards | batches, expected
def share(order, batch, rank, size):
    whole = [order[k : k + batch] for k in range(0, len(order) - batch + 1, batch)]
    return whole[rank::size]


# %% 3 wrong: hard-coded, two pictures each | pictures, expected
def share(order, batch, rank, size):
    return [order[k + 2 * rank : k + 2 * rank + 2] for k in range(0, len(order) - batch + 1, batch)]


# %% 3 right: a stretch of each batch
def share(order, batch, rank, size):
    own, found = batch // size, []
    while len(order) >= batch:
        now, order = order[:batch], order[batch:]
        found.append(now[rank * own : (rank + 1) * own])
    return found


# %% 3 right: as an array
def share(order, batch, rank, size):
    count = len(order) // batch
    return np.array(order[: count * batch], int).reshape(count, batch // size, size)[:, :, rank].tolist()


# %% 4 wrong: the mean of scores | two ranks that saw the same classes
def scores_of_all(matrices):
    accuracies, ious = [], []
    for matrix in matrices:
        right = np.diag(matrix)
        either = matrix.sum(axis=0) + matrix.sum(axis=1) - right
        accuracies.append(right.sum() / matrix.sum())
        ious.append((right[either > 0] / either[either > 0]).mean())
    return np.mean(accuracies), np.mean(ious)


answer = "the ranks saw other pictures, so their scores are other numbers"


# %% 4 wrong: absent classes count as 0 | occur nowhere
def scores_of_all(matrices):
    confusion = np.sum(matrices, axis=0)
    right = np.diag(confusion)
    either = confusion.sum(axis=0) + confusion.sum(axis=1) - right
    return right.sum() / confusion.sum(), (right / np.maximum(either, 1)).mean()


answer = "the ranks saw other pictures, so their scores are other numbers"


# %% 4 wrong: the mean of accuracies | add up counts
def scores_of_all(matrices):
    confusion = np.sum(matrices, axis=0)
    right = np.diag(confusion)
    either = confusion.sum(axis=0) + confusion.sum(axis=1) - right
    accuracy = np.mean([np.trace(matrix) / matrix.sum() for matrix in matrices])
    return accuracy, (right[either > 0] / either[either > 0]).mean()


answer = "the ranks saw other pictures, so their scores are other numbers"


# %% 4 wrong: only classes that are true somewhere | class 3 never true
def scores_of_all(matrices):
    confusion = np.sum(matrices, axis=0)
    right, true = np.diag(confusion), confusion.sum(axis=1) > 0
    either = confusion.sum(axis=0) + confusion.sum(axis=1) - right
    return right.sum() / confusion.sum(), (right[true] / either[true]).mean()


answer = "the ranks saw other pictures, so their scores are other numbers"


# %% 4 wrong: no sentence | now a sentence
def scores_of_all(matrices):
    confusion = sum(matrices)
    right = np.diag(confusion)
    either = confusion.sum(axis=0) + confusion.sum(axis=1) - right
    return right.sum() / confusion.sum(), (right[either > 0] / either[either > 0]).mean()


answer = "ratio"


# %% 4 wrong: hard-coded, two ranks | three ranks
def scores_of_all(matrices):
    confusion = matrices[0] + matrices[1]
    right = np.diag(confusion)
    either = confusion.sum(axis=0) + confusion.sum(axis=1) - right
    return right.sum() / confusion.sum(), (right[either > 0] / either[either > 0]).mean()


answer = "a ratio of sums is not the mean of the ratios, and classes are not on all ranks"


# %% 4 right: by the metric of the course
def scores_of_all(matrices):
    metric = utils.SegmentationMetric(len(matrices[0]))
    for matrix in matrices:
        metric.confusion += matrix
    return metric.scores()["pixel_acc"], metric.scores()["mean_iou"]


answer = "a ratio of sums is not the mean of the ratios, and classes are not on all ranks"


# %% 4 right: class by class
def scores_of_all(matrices):
    confusion, ious = sum(matrices), []
    for c in range(len(confusion)):
        union = confusion[c].sum() + confusion[:, c].sum() - confusion[c, c]
        if union:
            ious.append(confusion[c, c] / union)
    return np.trace(confusion) / confusion.sum(), sum(ious) / len(ious)


answer = "a ratio of sums is not the mean of the ratios, and classes are not on all ranks"


# %% 5 wrong: one step late | the first step is at small
class WarmUp(utils.Callback):
    def __init__(self, small, large, steps):
        self.small, self.large, self.steps = small, large, steps

    def batch_end(self, training):
        done = min(1, training.trainer.optimizer.num_update / self.steps)
        training.trainer.set_learning_rate(self.small + done * (self.large - self.small))


# %% 5 wrong: begins anew with each epoch | step number `steps` the first at large
class WarmUp(utils.Callback):
    def __init__(self, small, large, steps):
        self.small, self.large, self.steps = small, large, steps

    def _set(self, training, done):
        rate = self.small + min(1, done / self.steps) * (self.large - self.small)
        training.trainer.set_learning_rate(rate)

    def epoch_begin(self, training):
        self._set(training, 0)

    def batch_end(self, training):
        self._set(training, training.batch)


# %% 5 wrong: counts for itself, so that a resumed training warms up again | count by num_update
class WarmUp(utils.Callback):
    def __init__(self, small, large, steps):
        self.small, self.large, self.steps, self.done = small, large, steps, 0

    def train_begin(self, training):
        training.trainer.set_learning_rate(self.small)

    def batch_end(self, training):
        self.done = min(self.done + 1, self.steps)
        training.trainer.set_learning_rate(self.small + self.done / self.steps * (self.large - self.small))


# %% 5 wrong: large one step too early | step number `steps` the first at large
class WarmUp(utils.Callback):
    def __init__(self, small, large, steps):
        self.small, self.large, self.steps = small, large, steps

    def train_begin(self, training):
        done = min(1, training.trainer.optimizer.num_update / max(1, self.steps - 1))
        training.trainer.set_learning_rate(self.small + done * (self.large - self.small))

    batch_end = train_begin


# %% 5 wrong: hard-coded, half of the way each step | step number `steps` the first at large
class WarmUp(utils.Callback):
    def __init__(self, small, large, steps):
        self.small, self.large = small, large

    def train_begin(self, training):
        done = min(1, training.trainer.optimizer.num_update / 2)
        training.trainer.set_learning_rate(self.small + done * (self.large - self.small))

    batch_end = train_begin


# %% 5 right: by interpolation
class WarmUp(utils.Callback):
    def __init__(self, small, large, steps):
        self.points = (0, steps), (small, large)

    def set_rate(self, training):
        trainer = training.trainer
        trainer.set_learning_rate(float(np.interp(trainer.optimizer.num_update, *self.points)))

    epoch_begin = batch_end = set_rate
