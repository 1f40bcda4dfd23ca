# %% 1 wrong: hard-coded | voc_mini shows eight classes, you found
def names_in(name, classes):
    return {"aeroplane", "car", "sheep"}


# %% 1 wrong: hard-coded, the course's names in place of those given | with names in capitals
def names_in(name, classes):
    label = utils.read_label(root / "SegmentationClass" / f"{name}.png")
    return {utils.VOC_CLASSES[i] for i in np.unique(label) if i not in (0, utils.VOID)}


# %% 1 wrong: indices in place of names | 2012_001114 gives {
def names_in(name, classes):
    label = utils.read_label(root / "SegmentationClass" / f"{name}.png", classes)
    return set(np.unique(label)) - {0, utils.VOID}


# %% 1 wrong: background counted | background is not asked for
def names_in(name, classes):
    label = utils.read_label(root / "SegmentationClass" / f"{name}.png", classes)
    return {classes.names[i] for i in np.unique(label) if i != utils.VOID}


# %% 1 wrong: the first and the last value taken for background and void | or is an index off by one
def names_in(name, classes):
    label = utils.read_label(root / "SegmentationClass" / f"{name}.png", classes)
    return {classes.names[i - 1] for i in np.unique(label)[1:-1]}


# %% 1 wrong: a list | found a list
def names_in(name, classes):
    label = utils.read_label(root / "SegmentationClass" / f"{name}.png", classes)
    return [classes.names[i] for i in np.unique(label) if i not in (0, utils.VOID)]


# %% 1 wrong: void taken for a class | is void, 255, taken for a class
def names_in(name, classes):
    label = utils.read_label(root / "SegmentationClass" / f"{name}.png", classes)
    return {classes.names[i] for i in np.unique(label) if i != 0}


# %% 1 right: background left out by its name
def names_in(name, classes):
    label = utils.read_label(utils.label_path(root, name), classes)
    return {classes.names[i] for i in np.unique(label) if i != utils.VOID} - {"background"}


# %% 1 right: by the colours of the label image
from PIL import Image


def names_in(name, classes):
    with Image.open(root / "SegmentationClass" / f"{name}.png") as picture:
        colors = {color for _, color in picture.convert("RGB").getcolors()}
    return {word for word, color in zip(classes.names[1:], classes.colors[1:]) if color in colors}


# %% 2 wrong: hard-coded share of one class | of the labelled pixels of these
def how_often(names):
    pictures = {}
    for name in names:
        for word in names_in(name, classes):
            pictures[word] = pictures.get(word, 0) + 1
    return dict.fromkeys(pictures, 0.035), pictures


# %% 2 wrong: void in the total | is void in your total
def how_often(names):
    counts, pictures, pixels = np.zeros(256), {}, 0
    for name in names:
        label = utils.read_label(root / "SegmentationClass" / f"{name}.png", classes)
        counts += np.bincount(label.ravel(), minlength=256)
        pixels += label.size
        for word in names_in(name, classes):
            pictures[word] = pictures.get(word, 0) + 1
    return {word: counts[classes.names.index(word)] / pixels for word in pictures}, pictures


# %% 2 wrong: background left out of the total | background among them
def how_often(names):
    counts, pictures = np.zeros(256), {}
    for name in names:
        label = utils.read_label(root / "SegmentationClass" / f"{name}.png", classes)
        counts += np.bincount(label.ravel(), minlength=256)
        for word in names_in(name, classes):
            pictures[word] = pictures.get(word, 0) + 1
    total = counts[1:255].sum()
    return {word: counts[classes.names.index(word)] / total for word in pictures}, pictures


# %% 2 wrong: background among the classes | occur, without background
def how_often(names):
    counts, pictures = np.zeros(256), np.zeros(256)
    for name in names:
        label = utils.read_label(root / "SegmentationClass" / f"{name}.png", classes)
        counts += np.bincount(label.ravel(), minlength=256)
        pictures[np.unique(label)] += 1
    share = counts[:21] / counts[:21].sum()
    return (
        {classes.names[i]: share[i] for i in range(21) if counts[i]},
        {classes.names[i]: pictures[i] for i in range(21) if counts[i]},
    )


# %% 2 wrong: the mean of the pictures' shares | a mean of the pictures' shares
def how_often(names):
    shares, pictures = np.zeros(21), np.zeros(21)
    for name in names:
        label = utils.read_label(root / "SegmentationClass" / f"{name}.png", classes)
        counts = np.bincount(label[label != utils.VOID], minlength=21)
        shares += counts / counts.sum() / len(names)
        pictures += counts > 0
    found = [i for i in range(1, 21) if pictures[i]]
    return {classes.names[i]: shares[i] for i in found}, {classes.names[i]: pictures[i] for i in found}


# %% 2 wrong: objects' pixels counted in uint8, so that sums overflow | of the labelled pixels of these
def how_often(names):
    counts, pictures, total = {}, {}, 0
    for name in names:
        label = utils.read_label(root / "SegmentationClass" / f"{name}.png", classes)
        total += (label != utils.VOID).sum()
        for word in names_in(name, classes):
            pixels = (label == classes.names.index(word)).sum(dtype=np.uint8)
            counts[word] = counts.get(word, 0) + int(pixels)
            pictures[word] = pictures.get(word, 0) + 1
    return {word: counts[word] / total for word in counts}, pictures


# %% 2 wrong: train whatever the names are | in these 3 pictures
def how_often(names):
    labels = [utils.read_label(utils.label_path(root, name)) for name in utils.read_names(root)]
    counts = np.array([np.bincount(label.ravel(), minlength=256) for label in labels])[:, :21]
    found = [i for i in range(1, 21) if counts[:, i].any()]
    share, pictures = counts.sum(axis=0) / counts.sum(), (counts > 0).sum(axis=0)
    return {classes.names[i]: share[i] for i in found}, {classes.names[i]: pictures[i] for i in found}


# %% 2 wrong: indices as keys | keys should be class names
def how_often(names):
    labels = np.stack([np.bincount(utils.read_label(utils.label_path(root, n)).ravel(), minlength=256) for n in names])
    counts = labels[:, :21]
    found = [i for i in range(1, 21) if counts[:, i].any()]
    return {i: counts[:, i].sum() / counts.sum() for i in found}, {i: np.sum(counts[:, i] > 0) for i in found}


# %% 2 wrong: the two in the other order | is pixel_share the first of the two
def how_often(names):
    labels = np.stack([np.bincount(utils.read_label(utils.label_path(root, n)).ravel(), minlength=256) for n in names])
    counts = labels[:, :21]
    found = [i for i in range(1, 21) if counts[:, i].any()]
    share = {classes.names[i]: counts[:, i].sum() / counts.sum() for i in found}
    return {classes.names[i]: np.sum(counts[:, i] > 0) for i in found}, share


# %% 2 right: one matrix of counts, a picture a row
def how_often(names):
    labels = [utils.read_label(utils.label_path(root, name)) for name in names]
    counts = np.array([[np.sum(label == i) for i in range(21)] for label in labels])
    found = [i for i in range(1, 21) if counts[:, i].any()]
    share = {classes.names[i]: float(counts[:, i].sum() / counts.sum()) for i in found}
    return share, {classes.names[i]: np.count_nonzero(counts[:, i]) for i in found}


# %% 3 wrong: hard-coded | void is no object
def count_objects(label):
    return 3 if label[12, 20] == 0 else 4


# %% 3 wrong: hard-coded, the test's own numbers | count this label
import itertools

numbers = iter([3] * 2 + [3] * 2 + [4] * 2 + [5] * 4)


def count_objects(label):
    if label.shape != (40, 40):
        return 5
    return 5 if label[36, 21] else 4 if label[2, 10] else 3


# %% 3 wrong: classes in place of objects | where there are two buses and a sheep
def count_objects(label):
    return len(set(np.unique(label)) - {0, utils.VOID})


# %% 3 wrong: all classes as one mask | different classes, different objects
import cv2


def count_objects(label):
    mask = (label != 0) & (label != utils.VOID)
    _, numbers = cv2.connectedComponents(mask.astype(np.uint8))
    return (np.bincount(numbers.ravel())[1:] >= 20).sum()


# %% 3 wrong: what lies outside counts too | where there are two buses and a sheep
import cv2


def count_objects(label):
    total = 0
    for index in set(np.unique(label)) - {0, utils.VOID}:
        _, numbers = cv2.connectedComponents((label == index).astype(np.uint8))
        total += (np.bincount(numbers.ravel()) >= 20).sum()
    return total


# %% 3 wrong: void counts as a class | void is no object
import cv2


def count_objects(label):
    total = 0
    for index in set(np.unique(label)) - {0}:
        _, numbers = cv2.connectedComponents((label == index).astype(np.uint8))
        total += (np.bincount(numbers.ravel())[1:] >= 20).sum()
    return total


# %% 3 wrong: small pieces count | neither is a single pixel
import cv2


def count_objects(label):
    masks = [(label == index).astype(np.uint8) for index in set(np.unique(label)) - {0, utils.VOID}]
    return sum(cv2.connectedComponents(mask)[0] - 1 for mask in masks)


# %% 3 wrong: more than 20 pixels in place of at least 20 | a piece of 20 pixels counts
import cv2


def count_objects(label):
    total = 0
    for index in set(np.unique(label)) - {0, utils.VOID}:
        _, numbers = cv2.connectedComponents((label == index).astype(np.uint8))
        total += (np.bincount(numbers.ravel())[1:] > 20).sum()
    return total


# %% 3 wrong: neighbours by side only | touch at a corner
import cv2


def count_objects(label):
    total = 0
    for index in set(np.unique(label)) - {0, utils.VOID}:
        _, numbers = cv2.connectedComponents((label == index).astype(np.uint8), connectivity=4)
        total += (np.bincount(numbers.ravel())[1:] >= 20).sum()
    return total


# %% 3 right: by walking from pixel to pixel
def count_objects(label):
    rest = {(r, c) for r, c in np.argwhere((label != 0) & (label != utils.VOID)).tolist()}
    total = 0
    while rest:
        start = rest.pop()
        piece, todo = 1, [start]
        while todo:
            r, c = todo.pop()
            for other in [(r + i, c + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]:
                if other in rest and label[other] == label[start]:
                    rest.remove(other)
                    todo.append(other)
                    piece += 1
        total += piece >= 20
    return total


# %% 3 right: by areas of connectedComponentsWithStats, every class tried
import cv2


def count_objects(label):
    total = 0
    for index in range(1, 255):
        _, _, stats, _ = cv2.connectedComponentsWithStats(np.uint8(label == index))
        total += np.sum(stats[1:, cv2.CC_STAT_AREA] >= 20)
    return total


# %% 4 wrong: hard-coded, nothing is ever wrong | three things were broken, you found 0
def problems(root):
    return []


# %% 4 wrong: hard-coded names | is turned by 90°
def problems(root):
    a, b, c, *_ = utils.read_names(root)
    if (root / "JPEGImages" / f"{a}.jpg").is_file():
        return []
    return [f"{name} has a fault" for name in (a, b, c)]


# %% 4 wrong: width and height in two orders | sizes in another order
from PIL import Image


def problems(root):
    found = []
    for name in utils.read_names(root):
        paths = root / "JPEGImages" / f"{name}.jpg", root / "SegmentationClass" / f"{name}.png"
        if not all(path.is_file() for path in paths):
            found.append(f"{name}: missing")
            continue
        if Image.open(paths[0]).size != utils.read_label(paths[1]).shape:
            found.append(f"{name}: sizes differ")
    return found


# %% 4 wrong: numbers of pixels compared | is turned by 90°
def problems(root):
    found = []
    for name in utils.read_names(root):
        paths = root / "JPEGImages" / f"{name}.jpg", root / "SegmentationClass" / f"{name}.png"
        if not all(path.is_file() for path in paths):
            found.append(f"{name}: missing")
        elif utils.read_image(paths[0]).size != 3 * utils.read_label(paths[1]).size:
            found.append(f"{name}: sizes differ")
    return found


# %% 4 wrong: only the heights compared | three things were broken, you found 2
def problems(root):
    found = []
    for name in utils.read_names(root):
        paths = root / "JPEGImages" / f"{name}.jpg", root / "SegmentationClass" / f"{name}.png"
        if not all(path.is_file() for path in paths):
            found.append(f"{name}: missing")
        elif len(utils.read_image(paths[0])) != len(utils.read_label(paths[1])):
            found.append(f"{name}: sizes differ")
    return found


# %% 4 wrong: stops at the first missing file | or look before you read
def problems(root):
    found = []
    for name in utils.read_names(root):
        image = utils.read_image(utils.image_path(root, name))
        label = utils.read_label(utils.label_path(root, name))
        if image.shape[:2] != label.shape:
            found.append(f"{name}: sizes differ")
    return found


# %% 4 wrong: image_path asked whether its file exists | catch it (utils.image_path stops too
def problems(root):
    found = []
    for name in utils.read_names(root):
        if not utils.image_path(root, name).exists() or not utils.label_path(root, name).exists():
            found.append(f"{name}: a file is missing")
        elif (
            utils.read_image(utils.image_path(root, name)).shape[:2]
            != utils.read_label(utils.label_path(root, name)).shape
        ):
            found.append(f"{name}: sizes differ")
    return found


# %% 4 wrong: sentences that name no picture | should name
def problems(root):
    found = []
    for name in utils.read_names(root):
        try:
            image, label = (
                utils.read_image(utils.image_path(root, name)),
                utils.read_label(utils.label_path(root, name)),
            )
            if image.shape[:2] != label.shape:
                found.append("sizes differ")
        except FileNotFoundError:
            found.append("a file is missing")
    return found


# %% 4 wrong: a sentence for each missing file | expected a sentence each
def problems(root):
    found = []
    for name in utils.read_names(root):
        paths = root / "JPEGImages" / f"{name}.jpg", root / "SegmentationClass" / f"{name}.png"
        missing = [path for path in paths if not path.is_file()]
        found += [f"{path}: missing" for path in missing]
        if not missing and utils.read_image(paths[0]).shape[:2] != utils.read_label(paths[1]).shape:
            found.append(f"{name}: sizes differ")
    return found


# %% 4 right: image_path caught, label_path asked
def problems(root):
    found = []
    for name in utils.read_names(root):
        try:
            image = utils.read_image(utils.image_path(root, name))
        except FileNotFoundError:
            found.append(f"{name} has no picture")
            continue
        if not utils.label_path(root, name).exists():
            found.append(f"{name} has no label")
        elif image.shape[:2] != utils.read_label(utils.label_path(root, name)).shape:
            found.append(f"{name}: sizes differ")
    return found


# %% 4 right: what reading says when it stops
def problems(root):
    found = []
    for name in utils.read_names(root):
        try:
            image, label = (
                utils.read_image(utils.image_path(root, name)),
                utils.read_label(utils.label_path(root, name)),
            )
            np.broadcast_shapes(image.shape, (*label.shape, 3))
        except (FileNotFoundError, ValueError) as error:
            found.append(f"{error} ({name})")
    return found
