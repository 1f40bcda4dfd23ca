# %% 1 wrong: hard-coded | are rows and columns confused
def about(counts, index):
    return 0.6, 0.6, 0


# %% 1 wrong: hard-coded for the check's matrix | expected 0.
def about(counts, index):
    return (
        [(0.9, 0.75, 2), (0.6, 0.6, 0), (0.64, 0.8, 1)][index] if len(counts) == 3 and counts[0, 0] != 2 else (0, 0, 1)
    )


# %% 1 wrong: rows and columns confused | are rows and columns confused
def about(counts, index):
    right = counts[index, index]
    mistaken = counts[index].copy()
    mistaken[index] = -1
    return right / counts[:, index].sum(), right / counts[index].sum(), mistaken.argmax()


# %% 1 wrong: the class itself counts as a mistake | of the missed pixels in row 1
def about(counts, index):
    right = counts[index, index]
    return right / counts[index].sum(), right / counts[:, index].sum(), counts[index].argmax()


# %% 1 wrong: the second of the row is always taken | the largest entry of a row need not be
def about(counts, index):
    right = counts[index, index]
    return right / counts[index].sum(), right / counts[:, index].sum(), counts[index].argsort()[-2]


# %% 1 wrong: which class was mistaken for it | went to class
def about(counts, index):
    right = counts[index, index]
    mistaken = counts[:, index].copy()
    mistaken[index] = -1
    return right / counts[index].sum(), right / counts[:, index].sum(), mistaken.argmax()


# %% 1 wrong: index after the class was deleted | 4 pixels went to class 1 and 6 to class 2
def about(counts, index):
    right = counts[index, index]
    return right / counts[index].sum(), right / counts[:, index].sum(), np.delete(counts[index], index).argmax()


# %% 1 wrong: in place | counts was changed
def about(counts, index):
    right = counts[index, index]
    counts[index, index] = 0
    return right / counts[index].sum(), right / counts[:, index].sum(), counts[index].argmax()


# %% 1 wrong: in place, after the sums | counts was changed
def about(counts, index):
    right, row, column = counts[index, index], counts[index].sum(), counts[:, index].sum()
    counts[index, index] = -1
    return right / row, right / column, counts[index].argmax()


# %% 1 right: in plain Python
def about(counts, index):
    row, column = counts[index].tolist(), [line[index] for line in counts.tolist()]
    others = [i for i in range(len(row)) if i != index]
    return [row[index] / sum(row), column[index] / sum(column), max(others, key=row.__getitem__)]


# %% 1 right: all classes at once
def about(counts, index):
    mistakes = np.where(np.eye(len(counts), dtype=bool), -1, counts)
    recall, precision = (np.diag(counts) / counts.sum(axis) for axis in (1, 0))
    return recall[index], precision[index], mistakes.argmax(axis=1)[index]


# %% 2 wrong: hard-coded | expected one value for each
def dice(counts):
    return np.array([0.66, 0.68, 0.69, 0.68, 0.67])


# %% 2 wrong: hard-coded, numbers of the check | scikit-learn's f1_score says
def dice(counts):
    return np.array([0.66, 0.68, 0.69, 0.68, 0.67, np.nan])


# %% 2 wrong: IoU in place of Dice | scikit-learn's f1_score says
def dice(counts):
    both = counts.sum(axis=0) + counts.sum(axis=1) - np.diag(counts)
    return np.where(both > 0, np.diag(counts) / np.maximum(both, 1), np.nan)


# %% 2 wrong: the factor 2 forgotten | scikit-learn's f1_score says
def dice(counts):
    both = counts.sum(axis=0) + counts.sum(axis=1)
    return np.where(both > 0, np.diag(counts) / np.maximum(both, 1), np.nan)


# %% 2 wrong: divides by 0 | don't divide where the class never occurs
def dice(counts):
    return 2 * np.diag(counts) / (counts.sum(axis=0) + counts.sum(axis=1))


# %% 2 wrong: 0 for a class that never occurs | nan for class 5
def dice(counts):
    return 2 * np.diag(counts) / np.maximum(counts.sum(axis=0) + counts.sum(axis=1), 1)


# %% 2 wrong: recall | scikit-learn's f1_score says
def dice(counts):
    truth = counts.sum(axis=1)
    return np.where(truth > 0, np.diag(counts) / np.maximum(truth, 1), np.nan)


# %% 2 wrong: one value for all classes | expected one value for each
def dice(counts):
    return 2 * np.trace(counts) / (2 * counts.sum())


# %% 2 wrong: nan where a class is never right | a class that occurs and is never right has 0
def dice(counts):
    right = np.diag(counts)
    return np.where(right > 0, 2 * right / np.maximum(counts.sum(axis=0) + counts.sum(axis=1), 1), np.nan)


# %% 2 wrong: nan where only the truth lacks the class | one that is only predicted
def dice(counts):
    both = counts.sum(axis=0) + counts.sum(axis=1)
    return np.where(counts.sum(axis=1) > 0, 2 * np.diag(counts) / np.maximum(both, 1), np.nan)


# %% 2 right: from the IoU
def dice(counts):
    metric = utils.SegmentationMetric(len(counts))
    metric.confusion = counts
    return 2 * metric.iou / (1 + metric.iou)


# %% 2 right: a list, class by class
def dice(counts):
    values = []
    for i in range(len(counts)):
        sizes = counts[i].sum() + counts[:, i].sum()
        values.append(2 * counts[i, i] / sizes if sizes else float("nan"))
    return values


# %% 2 right: numpy told not to warn
def dice(counts):
    with np.errstate(invalid="ignore"):
        return 2 * np.diag(counts) / (counts.sum(axis=0) + counts.sum(axis=1))


# %% 3 wrong: hard-coded | relabelling gives
def merge(counts, groups):
    return np.array([[5, 3], [3, 25]])


# %% 3 wrong: hard-coded number of groups | two groups make a matrix of 2 × 2
def merge(counts, groups):
    new = np.zeros((3, 3), int)
    np.add.at(new, np.ix_(groups, groups), counts)
    return new


# %% 3 wrong: the last pair of a group overwrites | 7 + 4 + 6 + 8 = 25
def merge(counts, groups):
    new = np.zeros((max(groups) + 1, max(groups) + 1), int)
    new[np.ix_(groups, groups)] += counts
    return new


# %% 3 wrong: only rows merged | two groups make a matrix of 2 × 2
def merge(counts, groups):
    return np.array([counts[np.array(groups) == group].sum(axis=0) for group in range(max(groups) + 1)])


# %% 3 wrong: true and predicted exchanged | relabelling gives
def merge(counts, groups):
    belongs = np.eye(max(groups) + 1, dtype=int)[list(groups)]
    return belongs.T @ counts.T @ belongs


# %% 3 wrong: mistakes within a group still count as mistakes | 25 pixels are now right
def merge(counts, groups):
    new = np.zeros((max(groups) + 1, max(groups) + 1), int)
    for i, j in np.ndindex(*counts.shape):
        if i == j or groups[i] != groups[j]:
            new[groups[i], groups[j]] += counts[i, j]
    return new


# %% 3 wrong: classes of one group expected side by side | relabelling gives
def merge(counts, groups):
    starts = [groups.index(group) for group in sorted(set(groups))]
    starts = sorted(starts)
    return np.add.reduceat(np.add.reduceat(counts, starts, axis=0), starts, axis=1)


# %% 3 wrong: in place | work on a copy
def merge(counts, groups):
    new = np.zeros((max(groups) + 1, max(groups) + 1), int)
    np.add.at(new, np.ix_(groups, groups), counts)
    counts[:] = 0
    return new


# %% 3 right: by adding number after number
def merge(counts, groups):
    new = [[0] * (max(groups) + 1) for _ in range(max(groups) + 1)]
    for i, row in enumerate(counts.tolist()):
        for j, number in enumerate(row):
            new[groups[i]][groups[j]] += number
    return new


# %% 3 right: by bincount of pairs
def merge(counts, groups):
    groups, n = np.array(groups), max(groups) + 1
    pairs = groups[:, None] * n + groups
    return np.bincount(pairs.ravel(), weights=counts.ravel(), minlength=n * n).reshape(n, n)


# %% 4 wrong: hard-coded mean and deviation | a right and a wrong picture against two wrong ones
def bootstrap(one, other, draws):
    return np.random.normal(mean_iou(one.sum(axis=0)) - mean_iou(other.sum(axis=0)), 0.0076, draws)


# %% 4 wrong: hard-coded number of pictures | draw two, and both can come twice
def bootstrap(one, other, draws):
    picked = [np.random.randint(0, len(one), 20) for _ in range(draws)]
    return np.array([mean_iou(one[p].sum(axis=0)) - mean_iou(other[p].sum(axis=0)) for p in picked])


# %% 4 wrong: without replacement | drawn without replacement
def bootstrap(one, other, draws):
    picked = [np.random.permutation(len(one)) for _ in range(draws)]
    return np.array([mean_iou(one[p].sum(axis=0)) - mean_iou(other[p].sum(axis=0)) for p in picked])


# %% 4 wrong: seeded anew for each draw | seeded anew for each draw
def bootstrap(one, other, draws):
    differences = []
    for _ in range(draws):
        picked = np.random.RandomState(0).randint(0, len(one), len(one))
        differences.append(mean_iou(one[picked].sum(axis=0)) - mean_iou(other[picked].sum(axis=0)))
    return differences


# %% 4 wrong: other pictures for the other net | are the same pictures drawn for both
def bootstrap(one, other, draws):
    def score(matrices):
        return mean_iou(matrices[np.random.randint(0, len(matrices), len(matrices))].sum(axis=0))

    return np.array([score(one) - score(other) for _ in range(draws)])


# %% 4 wrong: the other way round | `one` minus `other`
def bootstrap(one, other, draws):
    picked = [np.random.randint(0, len(one), len(one)) for _ in range(draws)]
    return np.array([mean_iou(other[p].sum(axis=0)) - mean_iou(one[p].sum(axis=0)) for p in picked])


# %% 4 wrong: the mean of the pictures' scores | the mean of two scores: add up matrices
def bootstrap(one, other, draws):
    gains = np.array([mean_iou(a) - mean_iou(b) for a, b in zip(one, other, strict=True)])
    return np.array([np.random.choice(gains, len(gains)).mean() for _ in range(draws)])


# %% 4 wrong: the last picture never drawn | a right and a wrong picture against two wrong ones
def bootstrap(one, other, draws):
    picked = [np.random.randint(0, len(one) - 1, len(one)) for _ in range(draws)]
    return np.array([mean_iou(one[p].sum(axis=0)) - mean_iou(other[p].sum(axis=0)) for p in picked])


# %% 4 wrong: one difference in place of all | expected one difference a draw
def bootstrap(one, other, draws):
    picked = np.random.randint(0, len(one), (draws, len(one)))
    return mean_iou(one[picked].sum(axis=(0, 1))) - mean_iou(other[picked].sum(axis=(0, 1)))


# %% 4 wrong: the matrices' difference instead of the scores' | two scores, then their difference
def bootstrap(one, other, draws):
    picked = [np.random.randint(0, len(one), len(one)) for _ in range(draws)]
    return np.array([mean_iou((one - other)[p].sum(axis=0)) for p in picked])


# %% 4 wrong: a sum that grows in place | the matrices were changed
def bootstrap(one, other, draws):
    differences = []
    for _ in range(draws):
        first, *others = np.random.randint(0, len(one), len(one))
        a, b = one[first], other[first]
        for i in others:
            a += one[i]
            b += other[i]
        differences.append(mean_iou(a) - mean_iou(b))
    return differences


# %% 4 right: how often each picture comes, by multinomial
def bootstrap(one, other, draws):
    number = len(one)
    times = np.random.default_rng(1).multinomial(number, np.full(number, 1 / number), size=draws)
    scores = [[mean_iou(counts) for counts in np.einsum("dp,pij->dij", times, a)] for a in (one, other)]
    return np.subtract(*scores)


# %% 4 right: picture by picture
import random


def bootstrap(one, other, draws):
    differences = []
    for _ in range(draws):
        a, b = np.zeros_like(one[0]), np.zeros_like(other[0])
        for i in random.choices(range(len(one)), k=len(one)):
            a += one[i]
            b += other[i]
        differences.append(mean_iou(a) - mean_iou(b))
    return tuple(differences)


# %% 5 wrong: hard-coded size | expected 5 scores
def cells(border, stride, size):
    return np.arange(4) * 4 + 2 - border


# %% 5 wrong: hard-coded stride | must cross 0 between pixels
def cells(border, stride, size):
    return (np.arange(size // stride) + 0.5) * 4 - border


# %% 5 wrong: plus and minus one | must cross 0 between pixels
def cells(border, stride, size):
    return np.where((np.arange(size // stride) + 0.5) * stride < border, -1.0, 1.0)


# %% 5 wrong: averages of the cells, as the ceiling | must cross 0 between pixels
def cells(border, stride, size):
    line = np.where(np.arange(size) >= border, 1.0, -1.0)
    return line.reshape(-1, stride).mean(axis=1)


# %% 5 wrong: centres at the first pixels of the cells | must cross 0 between pixels
def cells(border, stride, size):
    return np.arange(size // stride) * stride - border + 0.5


# %% 5 wrong: off by one | must cross 0 between pixels
def cells(border, stride, size):
    return (np.arange(size // stride) + 0.5) * stride - border - 1


# %% 5 wrong: the classes exchanged | must cross 0 between pixels
def cells(border, stride, size):
    return border - (np.arange(size // stride) + 0.5) * stride


# %% 5 wrong: a score for each pixel | expected 4 scores
def cells(border, stride, size):
    return np.where(np.arange(size) >= border, 1.0, -1.0)


# %% 5 right: one straight line through all cells
def cells(border, stride, size):
    return [(i + 0.5) * stride - border for i in range(size // stride)]


# %% 5 right: the line cut off, and to another scale
def cells(border, stride, size):
    distance = ((np.arange(size // stride) + 0.5) * stride - border) / stride
    return 100 * distance.clip(-1.5, 1.5)
