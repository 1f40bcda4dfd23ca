# %% 1 wrong: hard-coded width | wrong for a picture of 5 × 300
def rand_flip(image, label, rng):
    if rng.randint(2):
        return image[:, 159::-1], label[:, 159::-1]
    return image, label


# %% 1 wrong: hard-coded, never mirrored | mirrored 0 times out of 200
def rand_flip(image, label, rng):
    return image, label


# %% 1 wrong: one draw for each | image and label were treated differently
def rand_flip(image, label, rng):
    image = image[:, ::-1] if rng.randint(2) else image
    return image, label[:, ::-1] if rng.randint(2) else label


# %% 1 wrong: rows in place of columns | mirror columns, not rows
def rand_flip(image, label, rng):
    return (image[::-1], label[::-1]) if rng.randint(2) else (image, label)


# %% 1 wrong: all axes reversed but the rows | colours changed places
def rand_flip(image, label, rng):
    return (image[:, ::-1, ::-1], label[:, ::-1]) if rng.randint(2) else (image, label)


# %% 1 wrong: the label forgotten | image and label were treated differently
def rand_flip(image, label, rng):
    return (image[:, ::-1], label) if rng.randint(2) else (image, label)


# %% 1 wrong: the global generator | draw from rng, not from np.random
def rand_flip(image, label, rng):
    return (image[:, ::-1], label[:, ::-1]) if np.random.rand() < 0.5 else (image, label)


# %% 1 wrong: in place | the image that came in was changed
def rand_flip(image, label, rng):
    if rng.randint(2):
        image[:], label[:] = image[:, ::-1].copy(), label[:, ::-1].copy()
    return image, label


# %% 1 wrong: randint(1) is always 0 | mirrored 0 times out of 200
def rand_flip(image, label, rng):
    return (image[:, ::-1], label[:, ::-1]) if rng.randint(1) else (image, label)


# %% 1 right: by fliplr and rand
def rand_flip(image, label, rng):
    mirror = np.fliplr if rng.rand() < 0.5 else np.array
    return mirror(image), mirror(label)


# %% 1 right: by indices, one step for both
def rand_flip(image, label, rng):
    columns = np.arange(label.shape[1])[:: rng.choice([-1, 1])]
    return image.take(columns, axis=1), label.take(columns, axis=1)


# %% 2 wrong: hard-coded | expected 12: 3 places down, 4 across
def places(height, width, h, w):
    return 1


# %% 2 wrong: hard-coded, the check's own numbers | places down times
def places(height, width, h, w):
    return {(4, 4, 4, 4): 1, (4, 6, 2, 3): 12}.get((height, width, h, w), 0)


# %% 2 wrong: off by one | exactly one place
def places(height, width, h, w):
    return max(0, height - h) * max(0, width - w)


# %% 2 wrong: crops that don't overlap | 3 places down, 4 across
def places(height, width, h, w):
    return (height // h) * (width // w)


# %% 2 wrong: minus times minus | two negative numbers make a positive product
def places(height, width, h, w):
    return max(0, (height - h + 1) * (width - w + 1))


# %% 2 wrong: down plus across | exactly one place
def places(height, width, h, w):
    return max(0, height - h + 1) + max(0, width - w + 1)


# %% 2 wrong: h taken from the width | expected 12: 3 places down, 4 across
def places(height, width, h, w):
    return max(0, width - h + 1) * max(0, height - w + 1)


# %% 2 right: by counting
def places(height, width, h, w):
    return len(range(height - h + 1)) * len(range(width - w + 1))


# %% 2 right: a condition, and a NumPy number
def places(height, width, h, w):
    if h > height or w > width:
        return 0
    return np.prod([height - h + 1, width - w + 1])


# %% 3 wrong: hard-coded place of the bus | is rng handed on to rand_crop
def object_crop(image, label, height, width, rng):
    return image[:50, 60:140], label[:50, 60:140]


# %% 3 wrong: hard-coded 200 pixels | at least 5 % of all pixels
def object_crop(image, label, height, width, rng):
    for _ in range(20):
        crop = utils.rand_crop(image, label, height, width, rng)
        if np.sum((crop[1] != 0) & (crop[1] != utils.VOID)) >= 200:
            break
    return crop


# %% 3 wrong: void counted as an object | neither background nor void
def object_crop(image, label, height, width, rng):
    for _ in range(20):
        crop = utils.rand_crop(image, label, height, width, rng)
        if np.mean(crop[1] != 0) >= 0.05:
            break
    return crop


# %% 3 wrong: any pixel of an object is enough | neither background nor void
def object_crop(image, label, height, width, rng):
    for _ in range(20):
        crop = utils.rand_crop(image, label, height, width, rng)
        if np.any((crop[1] != 0) & (crop[1] != utils.VOID)):
            break
    return crop


# %% 3 wrong: the share of the pixels without void | at least 5 % of all pixels
def object_crop(image, label, height, width, rng):
    for _ in range(20):
        crop = utils.rand_crop(image, label, height, width, rng)
        objects = ((crop[1] != 0) & (crop[1] != utils.VOID)).sum()
        if objects >= 0.05 * max(1, (crop[1] != utils.VOID).sum()):
            break
    return crop


# %% 3 wrong: more than 5 % in place of at least | at least 5 % of all pixels
def object_crop(image, label, height, width, rng):
    for _ in range(20):
        crop = utils.rand_crop(image, label, height, width, rng)
        if np.mean((crop[1] != 0) & (crop[1] != utils.VOID)) > 0.05:
            break
    return crop


# %% 3 wrong: nothing returned when it gives up | return the last crop
def object_crop(image, label, height, width, rng):
    for _ in range(20):
        crop = utils.rand_crop(image, label, height, width, rng)
        if np.mean((crop[1] != 0) & (crop[1] != utils.VOID)) >= 0.05:
            return crop


# %% 3 wrong: one try before the loop | 21 tries on a picture without objects
def object_crop(image, label, height, width, rng):
    crop = utils.rand_crop(image, label, height, width, rng)
    for _ in range(20):
        if np.mean((crop[1] != 0) & (crop[1] != utils.VOID)) >= 0.05:
            break
        crop = utils.rand_crop(image, label, height, width, rng)
    return crop


# %% 3 wrong: rng not handed on | is rng handed on to rand_crop
def object_crop(image, label, height, width, rng):
    for _ in range(20):
        crop = utils.rand_crop(image, label, height, width)
        if np.mean((crop[1] != 0) & (crop[1] != utils.VOID)) >= 0.05:
            break
    return crop


# %% 3 right: rand_crop by its own name, and np.isin
from utils import rand_crop


def object_crop(image, label, height, width, rng):
    tries = 0
    while True:
        img, lab = rand_crop(image, label, height, width, rng=rng)
        tries += 1
        if tries == 20 or np.isin(lab, (0, utils.VOID), invert=True).sum() / lab.size >= 0.05:
            return img, lab


# %% 3 right: calls itself
def object_crop(image, label, height, width, rng, tries=20):
    img, lab = utils.rand_crop(image, label, height, width, rng)
    background, void = (np.count_nonzero(lab == i) for i in (0, utils.VOID))
    if tries > 1 and 20 * (height * width - background - void) < height * width:
        return object_crop(image, label, height, width, rng, tries - 1)
    return img, lab


# %% 4 wrong: hard-coded size | stretched: one factor
def rand_scale(image, label, rng):
    size = round(240 * rng.uniform(0.75, 1.25)), 160
    image = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(image), np.asarray(Image.fromarray(label).resize(size, Image.Resampling.NEAREST))


# %% 4 wrong: hard-coded size of the check's picture | a picture of 90 × 50 became
def rand_scale(image, label, rng):
    factor = rng.uniform(0.75, 1.25)
    size = round(240 * factor), round(160 * factor)
    image = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(image), np.asarray(Image.fromarray(label).resize(size, Image.Resampling.NEAREST))


# %% 4 wrong: height before width | PIL says (width, height)
def rand_scale(image, label, rng):
    factor = rng.uniform(0.75, 1.25)
    size = round(label.shape[0] * factor), round(label.shape[1] * factor)
    image = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(image), np.asarray(Image.fromarray(label).resize(size, Image.Resampling.NEAREST))


# %% 4 wrong: the label bilinearly too | mixed classes
def rand_scale(image, label, rng):
    factor = rng.uniform(0.75, 1.25)
    size = round(label.shape[1] * factor), round(label.shape[0] * factor)
    image = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(image), np.asarray(Image.fromarray(label).resize(size, Image.Resampling.BILINEAR))


# %% 4 wrong: the image by nearest neighbour too | no new brightness between the stripes
def rand_scale(image, label, rng):
    factor = rng.uniform(0.75, 1.25)
    size = round(label.shape[1] * factor), round(label.shape[0] * factor)
    image = Image.fromarray(image).resize(size, Image.Resampling.NEAREST)
    return np.asarray(image), np.asarray(Image.fromarray(label).resize(size, Image.Resampling.NEAREST))


# %% 4 wrong: a factor for each | one factor for both
def rand_scale(image, label, rng):
    def scaled(array, method):
        factor = rng.uniform(0.75, 1.25)
        size = round(array.shape[1] * factor), round(array.shape[0] * factor)
        return np.asarray(Image.fromarray(array).resize(size, method))

    return scaled(image, Image.Resampling.BILINEAR), scaled(label, Image.Resampling.NEAREST)


# %% 4 wrong: a factor for each side | stretched: one factor
def rand_scale(image, label, rng):
    size = round(label.shape[1] * rng.uniform(0.75, 1.25)), round(label.shape[0] * rng.uniform(0.75, 1.25))
    image = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(image), np.asarray(Image.fromarray(label).resize(size, Image.Resampling.NEAREST))


# %% 4 wrong: only ever reduced | factors from
def rand_scale(image, label, rng):
    factor = rng.uniform(0.75, 1)
    size = round(label.shape[1] * factor), round(label.shape[0] * factor)
    image = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(image), np.asarray(Image.fromarray(label).resize(size, Image.Resampling.NEAREST))


# %% 4 wrong: the global generator | draw from rng, not from np.random
def rand_scale(image, label, rng):
    factor = np.random.uniform(0.75, 1.25)
    size = round(label.shape[1] * factor), round(label.shape[0] * factor)
    image = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(image), np.asarray(Image.fromarray(label).resize(size, Image.Resampling.NEAREST))


# %% 4 right: by OpenCV
import cv2


def rand_scale(image, label, rng):
    factor = rng.uniform(0.75, 1.25)
    height, width = (int(n * factor) for n in label.shape)
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return image, cv2.resize(label, (width, height), interpolation=cv2.INTER_NEAREST)


# %% 4 right: the label by its rows and columns, the image as a PIL picture
def rand_scale(image, label, rng):
    factor = 0.75 + 0.5 * rng.uniform()
    h, w = label.shape
    rows = ((np.arange(round(h * factor)) + 0.5) / round(h * factor) * h).astype(int)
    columns = ((np.arange(round(w * factor)) + 0.5) / round(w * factor) * w).astype(int)
    picture = Image.fromarray(image).resize((len(columns), len(rows)), Image.Resampling.BILINEAR)
    return picture, label[rows][:, columns]
