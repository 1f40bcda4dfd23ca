"""Backgrounds of the small data set, and things in them that belong to no class.

A place is drawn by one function, which gets a pen in picture pixels, a random state and the
picture's height and width. It returns where objects may go: a dict from the kind of spot to a list
of boxes (left, top, right, bottom) in which an object's foot, waterline or middle is put.
"""

import cv2
import numpy as np
from pen import SCALE, box, ellipse, leaf, lighten, mix, noise_field, pick, smooth, vary

SKIES = [
    [(66, 124, 196), (130, 178, 222), (206, 224, 234)],
    [(98, 150, 204), (168, 200, 224), (226, 230, 226)],
    [(140, 150, 162), (176, 184, 190), (208, 212, 212)],
    [(74, 84, 140), (200, 128, 120), (246, 196, 130)],
    [(58, 92, 158), (150, 160, 196), (240, 206, 180)],
    [(110, 170, 200), (180, 210, 210), (236, 232, 210)],
]
GREENS = [(104, 144, 62), (84, 128, 66), (138, 152, 74), (120, 136, 92), (158, 150, 88)]


# ------------------------------------------------------------------------------------- textures


def plane_noise(rng, height, width, horizon, stretch, spread):
    """Noise that lies on the ground: finer and flatter the nearer to the horizon (canvas size)."""
    tile = noise_field(rng, 384, 384, (4, 10, 30), (1, 0.9, 0.7))
    rows = np.arange(height * SCALE)[:, None] / SCALE - horizon
    depth = spread / np.maximum(rows + 6.0, 3.0)
    columns = np.arange(width * SCALE)[None, :] / SCALE - width / 2
    v = np.rint(np.repeat(depth * 42, width * SCALE, axis=1)).astype(int)
    u = np.rint(columns * depth / stretch * 3.2).astype(int) + 190
    fold = np.concatenate([np.arange(384), np.arange(384)[::-1]])  # mirrored, so without a seam
    return tile[fold[v % 768], fold[u % 768]]


def tint(pen, field, outline, amount):
    """Brighten and darken what lies inside an outline by a noise field of the canvas' size."""
    area, cover = pen.coverage(outline)
    if area is not None:
        factor = 1 + amount * field[area] * (cover / 255.0)
        pen.canvas[area] = np.clip(np.rint(pen.canvas[area] * factor[:, :, None]), 0, 255)


def sky(pen, rng, width, low):
    """A sky down to height `low`; returns the colour at the horizon, for haze."""
    stops = [vary(rng, c, 8) for c in pick(rng, SKIES)]
    pen.fill(box(-2, -2, width + 2, low + 2), stops, mark=False)
    haze = stops[-1]
    draw = rng.rand()
    if draw < 0.25:
        x, y = rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.5) * low
        pen.glow(ellipse(x, y, 16), (255, 246, 214), 0.5, 9)
        pen.fill(ellipse(x, y, rng.uniform(5, 8)), (255, 250, 228), mark=False)
    elif draw < 0.34:
        x, y = rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.5) * low
        pen.fill(ellipse(x, y, 7), (240, 238, 224), mark=False)
        pen.fill(ellipse(x + 2.6, y - 1.2, 6.4), stops[0], alpha=0.8, mark=False)
    if rng.rand() < 0.55:
        rows, columns = int(low * SCALE), width * SCALE
        wisps = noise_field(rng, rows, columns // 3, (20, 48, 110), (0.5, 0.8, 1))
        wisps = cv2.resize(wisps, (columns, rows), interpolation=cv2.INTER_LINEAR)
        share = np.clip((wisps - rng.uniform(-0.1, 0.5)) * 0.8, 0, 0.85)[:, :, None]
        under = pen.canvas[:rows].astype(float)
        bright = np.asarray(lighten(haze, 0.55))
        pen.canvas[:rows] = np.rint(under + (bright - under) * share)
    else:
        for _ in range(rng.randint(1, 5)):
            cloud(pen, rng, rng.uniform(0, width), rng.uniform(0.08, 0.8) * low, rng.uniform(14, 34), haze)
    return haze


def cloud(pen, rng, x, y, size, haze):
    """A heaped cloud of soft puffs with a shaded, flat underside."""
    for layer, tone in ((1, lighten(haze, -0.14)), (0, lighten(haze, 0.75))):
        for k in np.linspace(-1, 1, 9):
            radius = size * (0.5 - 0.27 * abs(k)) * rng.uniform(0.75, 1.15)
            pen.glow(
                ellipse(x + k * size * 1.25, y - radius * 0.75 + layer * size * 0.12, radius * 1.15, radius),
                tone,
                0.72,
                size * 0.05,
            )


def hills(pen, rng, width, low, haze, layers=2, height=30):
    """Rows of hills or mountains, paler the farther they are."""
    base = vary(rng, pick(rng, [(84, 116, 84), (92, 108, 124), (116, 120, 92), (70, 100, 90)]))
    rough = rng.uniform(0.15, 0.5)
    for k in range(layers):
        tall = height * (1 - 0.35 * k)
        count = rng.randint(5, 9)
        xs = np.linspace(-20, width + 20, count)
        ys = low - tall * rng.uniform(0.25, 1, count)
        outline = np.concatenate([np.stack([xs, ys], 1), [(width + 20, low + 1), (-20, low + 1)]])
        outline = smooth(outline, 1 if rough > 0.4 else 3)
        outline[:, 1] = np.minimum(outline[:, 1], low + 1)
        color = mix(haze, base, 0.3 + 0.35 * (k + 1) / layers)
        pen.fill(
            np.concatenate([outline, [(width + 30, low + 1), (-30, low + 1)]]),
            [lighten(color, 0.12), lighten(color, -0.08)],
            mark=False,
            rough=0.05,
        )


def grass(pen, rng, height, width, top, color=None):
    """A meadow from `top` to the lower edge, with patches and some tufts and flowers."""
    color = vary(rng, pick(rng, GREENS)) if color is None else color
    outline = box(-2, top, width + 2, height + 2)
    pen.fill(outline, [mix(color, (190, 200, 170), 0.35), color, lighten(color, -0.3)], mark=False, rough=0.05)
    tint(pen, plane_noise(rng, height, width, top, 2.2, 60), outline, 0.07)
    for _ in range(rng.randint(60, 140)):
        depth = rng.rand() ** 0.7
        x, y = rng.uniform(0, width), top + 2 + depth * (height - top)
        for angle in (-115, -90, -68):
            pen.fill(
                np.concatenate(leaf(x, y, 2 + 6 * depth, 0.9 + depth, angle)),
                lighten(color, rng.uniform(-0.3, 0.2)),
                mark=False,
                alpha=0.8,
            )
    if rng.rand() < 0.4:
        petal = pick(rng, [(250, 246, 230), (246, 214, 70), (220, 90, 110)])
        for _ in range(rng.randint(15, 50)):
            depth = rng.rand() ** 0.8
            pen.fill(
                ellipse(rng.uniform(0, width), top + 3 + depth * (height - top), 0.5 + depth, count=8),
                petal,
                mark=False,
            )
    return color


def water(pen, rng, height, width, top, haze):
    """Water from `top` to the lower edge: it takes up the sky's colour and carries waves."""
    deep = vary(rng, pick(rng, [(36, 88, 122), (54, 110, 130), (64, 98, 106), (40, 70, 110)]))
    outline = box(-2, top, width + 2, height + 2)
    pen.fill(outline, [mix(deep, haze, 0.6), mix(deep, haze, 0.2), lighten(deep, -0.15)], mark=False)
    waves = plane_noise(rng, height, width, top, 7.0, rng.uniform(50, 90))
    tint(pen, waves, outline, rng.uniform(0.06, 0.12))
    for _ in range(rng.randint(20, 60)):
        depth = rng.rand()
        x, y, reach = rng.uniform(0, width), top + 2 + depth * (height - top), 3 + 10 * depth
        arc = smooth([(x - reach, y), (x, y - 0.6 - depth), (x + reach, y)], 2, False)
        pen.line(arc, lighten(haze, 0.4), 0.4 + 0.5 * depth, alpha=0.35, mark=False)


# ------------------------------------------------------------------------------- things outdoors


def tree(pen, rng, x, foot, size, haze, far=0.0):
    """A broad-leaved tree, a conifer or a poplar; `far` blends it with the haze."""
    green = mix(vary(rng, pick(rng, [(62, 98, 50), (86, 114, 56), (50, 84, 62), (136, 122, 56)])), haze, far)
    bark = mix((86, 66, 50), haze, far)
    pen.fill(
        [
            (x - 0.05 * size, foot),
            (x + 0.05 * size, foot),
            (x + 0.03 * size, foot - 0.5 * size),
            (x - 0.03 * size, foot - 0.5 * size),
        ],
        [bark, lighten(bark, -0.4)],
        "x",
        mark=False,
    )
    kind = rng.rand()
    if kind < 0.3:
        for k, wide in enumerate((0.3, 0.25, 0.19, 0.12)):
            y = foot - size * (0.18 + 0.2 * k)
            pen.fill(
                [(x - wide * size, y), (x, y - 0.36 * size), (x + wide * size, y)],
                [lighten(green, 0.12), lighten(green, -0.35)],
                mark=False,
                rough=0.1,
            )
        return
    wide, tall = (0.16, 0.42) if kind < 0.42 else (0.34, 0.3)
    for _ in range(34):
        angle, r = rng.uniform(0, 2 * np.pi), np.sqrt(rng.rand())
        dx, dy = wide * r * np.cos(angle), tall * r * np.sin(angle)
        tone = lighten(green, np.clip(-0.12 - 0.5 * dy / tall * 0.5 - 0.2 * dx, -0.45, 0.3))
        pen.fill(
            ellipse(x + dx * size, foot - (0.68 - dy) * size, 0.11 * size, 0.09 * size, count=14),
            [lighten(tone, 0.14), lighten(tone, -0.16)],
            mark=False,
            rough=0.1,
        )


def house(pen, rng, x0, foot, wide, tall, haze, far=0.0):
    """A house front with roof, door, windows and chimney."""
    wall = pick(
        rng, [(224, 206, 176), (200, 150, 116), (176, 92, 74), (206, 208, 204), (166, 178, 160), (232, 214, 140)]
    )
    wall = mix(vary(rng, wall), haze, far)
    roof = mix(vary(rng, pick(rng, [(140, 70, 54), (86, 84, 92), (110, 84, 66)])), haze, far)
    top = foot - tall
    pen.fill(box(x0 + wide * 0.7, top - wide * 0.3, x0 + wide * 0.8, top), lighten(roof, -0.2), mark=False)
    pen.fill(box(x0, top, x0 + wide, foot), [lighten(wall, 0.08), lighten(wall, -0.14)], mark=False, rough=0.05)
    pitch = rng.uniform(0.22, 0.36)
    pen.fill(
        [
            (x0 - wide * 0.05, top + 1),
            (x0 + wide * 0.14, top - wide * pitch),
            (x0 + wide * 0.86, top - wide * pitch),
            (x0 + wide * 1.05, top + 1),
        ],
        [lighten(roof, 0.1), lighten(roof, -0.2)],
        mark=False,
        rough=0.07,
    )
    frame, floors = lighten(wall, 0.5), max(1, int(tall / 26))
    for row in range(floors):
        y = top + tall * (row + 0.25) / floors
        for share in (0.12, 0.42, 0.72):
            if row == floors - 1 and share == 0.42:
                pen.fill(box(x0 + wide * 0.43, y, x0 + wide * 0.57, foot), lighten(roof, -0.3), mark=False)
                continue
            left, right = x0 + wide * share, x0 + wide * (share + 0.16)
            down = y + tall * 0.42 / floors
            pen.fill(box(left - 1, y - 1, right + 1, down + 1), frame, mark=False)
            pen.fill(
                box(left, y, right, down), [mix((150, 180, 200), haze, far), mix((60, 76, 92), haze, far)], mark=False
            )
            pen.line([((left + right) / 2, y), ((left + right) / 2, down)], frame, 0.8, mark=False)


def lamp_post(pen, rng, x, foot, tall):
    """A street lamp."""
    metal = vary(rng, (66, 70, 74), 8)
    pen.line([(x, foot), (x, foot - tall)], metal, max(1.4, tall / 45))
    pen.line([(x, foot - tall), (x + tall * 0.16, foot - tall * 1.02)], metal, max(1.2, tall / 60))
    pen.fill(ellipse(x + tall * 0.19, foot - tall * 1.01, tall * 0.05, tall * 0.022), (240, 232, 190))
    pen.fill(box(x - tall * 0.02, foot - tall * 0.08, x + tall * 0.02, foot), metal)


def fence(pen, rng, width, foot, tall):
    """A wooden fence across the picture."""
    wood = vary(rng, pick(rng, [(150, 122, 92), (112, 96, 82), (226, 222, 212)]), 8)
    for y in (foot - tall * 0.78, foot - tall * 0.4):
        pen.fill(box(-3, y, width + 3, y + tall * 0.13), [lighten(wood, 0.15), lighten(wood, -0.25)], rough=0.08)
    gap = tall * rng.uniform(1.3, 2.1)
    for x in np.arange(rng.uniform(-gap, 0), width + gap, gap):
        pen.fill(
            box(x, foot - tall, x + tall * 0.16, foot), [lighten(wood, 0.2), lighten(wood, -0.3)], axis="x", rough=0.08
        )


def rock(pen, rng, x, foot, size):
    """A boulder."""
    gray = vary(rng, pick(rng, [(136, 130, 122), (112, 112, 116), (150, 134, 112)]), 8)
    angles = np.linspace(180, 360, 8)
    reach = rng.uniform(0.75, 1.1, 8)
    points = [
        (x + size * r * np.cos(np.radians(a)), foot + 0.7 * size * r * np.sin(np.radians(a)))
        for a, r in zip(angles, reach, strict=True)
    ]
    pen.glow(ellipse(x, foot, size * 1.1, size * 0.15), (20, 20, 20), 0.45, size * 0.06)
    pen.fill(smooth(points, 1), [lighten(gray, 0.22), lighten(gray, -0.4)], mark=False, rough=0.13)


def lighthouse(pen, rng, x, foot, tall):
    """A striped lighthouse on a rock."""
    rock(pen, rng, x, foot + 2, tall * 0.45)
    red = vary(rng, (196, 60, 52))
    for k in range(5):
        low, high = foot - tall * (0.15 + k * 0.14), foot - tall * (0.29 + k * 0.14)
        a, b = tall * (0.11 - k * 0.01), tall * (0.1 - k * 0.01)
        tone = red if k % 2 else np.array((240, 236, 228))
        pen.fill(
            [(x - a, low), (x + a, low), (x + b, high), (x - b, high)],
            [lighten(tone, 0.1), tone, lighten(tone, -0.4)],
            "x",
            mark=False,
        )
    pen.fill(box(x - tall * 0.04, foot - tall * 0.95, x + tall * 0.04, foot - tall * 0.85), (250, 236, 160), mark=False)
    pen.fill(ellipse(x, foot - tall * 0.95, tall * 0.06, tall * 0.05, start=180, stop=360), red, mark=False)


def skyline(pen, rng, width, foot, haze):
    """Far-off blocks of a town."""
    x = -5.0
    base = vary(rng, (120, 120, 132))
    while x < width:
        wide, tall = rng.uniform(9, 24), rng.uniform(8, 40)
        tone = mix(base, haze, rng.uniform(0.35, 0.6))
        pen.fill(box(x, foot - tall, x + wide, foot + 1), tone, mark=False)
        for y in np.arange(foot - tall + 3, foot - 3, 4.5):
            for dx in np.arange(2, wide - 2, 4):
                pen.fill(box(x + dx, y, x + dx + 1.6, y + 2), lighten(tone, 0.25), mark=False)
        x += wide * rng.uniform(0.7, 1.1)


def greenery(pen, rng, width, foot, haze, far, sizes, count):
    """A loose row of trees, the higher ones first."""
    for size in sorted(rng.uniform(*sizes, count))[::-1]:
        tree(pen, rng, rng.uniform(-5, width + 5), foot + rng.uniform(-1, 1.5), size, haze, far)


# --------------------------------------------------------------------------------- places outdoors


def open_sky(pen, rng, height, width):
    """Only sky, at times with hills or roofs at the very bottom."""
    haze = sky(pen, rng, width, height)
    if rng.rand() < 0.5:
        low = height + 2
        hills(pen, rng, width, low, haze, 2, rng.uniform(14, 34))
        if rng.rand() < 0.6:
            greenery(pen, rng, width, low, haze, 0.1, (14, 30), 9)
    return {"air": [(0.22 * width, 0.24 * height, 0.78 * width, 0.7 * height)]}


def airfield(pen, rng, height, width):
    """A runway with grass, hangars and a tower behind."""
    horizon = rng.uniform(0.46, 0.58) * height
    haze = sky(pen, rng, width, horizon)
    hills(pen, rng, width, horizon, haze, 1, 16)
    for _ in range(rng.randint(1, 4)):
        x, wide = rng.uniform(0, width), rng.uniform(30, 60)
        tone = mix(vary(rng, (150, 156, 164)), haze, 0.25)
        roof = ellipse(x, horizon - 9, wide / 2, 9, start=180, stop=360)
        pen.fill(
            np.concatenate([roof, [(x + wide / 2, horizon + 1), (x - wide / 2, horizon + 1)]]),
            [lighten(tone, 0.2), lighten(tone, -0.25)],
            mark=False,
        )
        pen.fill(box(x - wide * 0.3, horizon - 9, x + wide * 0.3, horizon), lighten(tone, -0.4), mark=False)
    if rng.rand() < 0.6:
        x = rng.uniform(0.1, 0.9) * width
        pen.fill(box(x - 3, horizon - 32, x + 3, horizon), (196, 194, 190), mark=False)
        pen.fill(
            [(x - 7, horizon - 42), (x + 7, horizon - 42), (x + 5, horizon - 32), (x - 5, horizon - 32)],
            [(120, 150, 168), (50, 64, 78)],
            mark=False,
        )
    grass(pen, rng, height, width, horizon)
    top = horizon + (height - horizon) * 0.3
    asphalt(pen, rng, height, width, top, height + 2)
    for x in np.arange(-0.5, 1.5, 0.22):
        y0, y1 = top + (height - top) * 0.62, top + (height - top) * 0.7
        pen.fill(
            [(x * width, y1), (x * width + 26, y1), (x * width + 28, y0), (x * width + 5, y0)],
            (222, 220, 210),
            mark=False,
            alpha=0.8,
        )
    return {
        "air": [(0.25 * width, 0.2 * horizon, 0.75 * width, 0.6 * horizon)],
        "runway": [(0.3 * width, top + (height - top) * 0.3, 0.7 * width, 0.93 * height)],
        "road": [(0.15 * width, top + (height - top) * 0.3, 0.85 * width, 0.97 * height)],
    }


def asphalt(pen, rng, height, width, top, bottom):
    """A road surface across the picture."""
    gray = vary(rng, pick(rng, [(112, 112, 116), (132, 128, 124), (96, 98, 106)]), 8)
    outline = box(-2, top, width + 2, bottom)
    pen.fill(outline, [lighten(gray, 0.2), lighten(gray, -0.15)], mark=False, rough=0.06)
    tint(pen, plane_noise(rng, height, width, top - 20, 3, 60), outline, 0.05)
    pen.line([(-2, top), (width + 2, top)], lighten(gray, -0.3), 1, mark=False)


def open_sea(pen, rng, height, width):
    """The sea, with an island, a lighthouse or rocks."""
    horizon = rng.uniform(0.36, 0.58) * height
    haze = sky(pen, rng, width, horizon)
    draw = rng.rand()
    if draw < 0.5:
        hills(pen, rng, width, horizon, haze, 1, rng.uniform(10, 24))
    water(pen, rng, height, width, horizon, haze)
    if draw > 0.4:
        lighthouse(pen, rng, rng.uniform(0.06, 0.94) * width, horizon + 2, rng.uniform(26, 46))
    for _ in range(rng.randint(0, 4)):
        y = horizon + 3 + rng.rand() ** 2 * (height - horizon)
        rock(pen, rng, rng.uniform(0, width), y, 3 + 0.14 * (y - horizon))
    return {
        "air": [(0.25 * width, 0.25 * horizon, 0.75 * width, 0.6 * horizon)],
        "water": [(0.12 * width, horizon + 12, 0.88 * width, 0.93 * height)],
    }


def lake(pen, rng, height, width):
    """A lake before mountains and woods; a strip of shore in front."""
    horizon = rng.uniform(0.36, 0.5) * height
    haze = sky(pen, rng, width, horizon)
    hills(pen, rng, width, horizon, haze, 2, rng.uniform(30, 60))
    greenery(pen, rng, width, horizon + 1, haze, 0.3, (9, 26), rng.randint(8, 22))
    if rng.rand() < 0.4:
        house(pen, rng, rng.uniform(0, 0.8) * width, horizon + 1, 26, 14, haze, 0.2)
    water(pen, rng, height, width, horizon, haze)
    shore = height * rng.uniform(0.8, 0.9)
    edge = np.linspace(-5, width + 5, 9)
    outline = np.stack([edge, shore + rng.uniform(-5, 5, 9)], 1)
    corners = [(width + 5, height + 5), (-5, height + 5)]
    outline = np.concatenate([smooth(outline, 2, False), corners])
    green = vary(rng, pick(rng, GREENS))
    pen.line(outline, mix(green, (214, 200, 160), 0.7), 5, mark=False)
    pen.fill(outline, [lighten(green, 0.1), lighten(green, -0.2)], mark=False, rough=0.12)
    return {
        "air": [(0.25 * width, 0.2 * horizon, 0.75 * width, 0.55 * horizon)],
        "water": [(0.12 * width, horizon + 14, 0.88 * width, shore - 12)],
        "ground": [(0.15 * width, shore + 6, 0.85 * width, height - 3)],
    }


def meadow(pen, rng, height, width):
    """A pasture with hills, trees, now and then a barn and a fence."""
    horizon = rng.uniform(0.3, 0.48) * height
    haze = sky(pen, rng, width, horizon)
    hills(pen, rng, width, horizon, haze, rng.randint(1, 4), rng.uniform(18, 46))
    greenery(pen, rng, width, horizon + 1, haze, 0.25, (10, 26), rng.randint(4, 16))
    if rng.rand() < 0.45:
        house(pen, rng, rng.uniform(0, 0.75) * width, horizon + 3, rng.uniform(28, 46), rng.uniform(14, 22), haze, 0.1)
    grass(pen, rng, height, width, horizon)
    if rng.rand() < 0.4:
        fence(pen, rng, width, horizon + rng.uniform(10, 22), rng.uniform(12, 20))
    if rng.rand() < 0.4:
        side = pick(rng, [0.04, 0.96])
        tree(pen, rng, side * width, horizon + 24, rng.uniform(70, 110), haze)
    for _ in range(rng.randint(0, 4)):
        y = horizon + 8 + rng.rand() * (height - horizon)
        rock(pen, rng, rng.uniform(0, width), y, 3 + 0.1 * (y - horizon))
    return {
        "air": [(0.25 * width, 0.2 * horizon, 0.75 * width, 0.6 * horizon)],
        "ground": [(0.1 * width, horizon + 0.3 * (height - horizon), 0.9 * width, 0.97 * height)],
    }


def country_road(pen, rng, height, width):
    """A road through fields."""
    horizon = rng.uniform(0.36, 0.5) * height
    haze = sky(pen, rng, width, horizon)
    hills(pen, rng, width, horizon, haze, 2, rng.uniform(16, 44))
    greenery(pen, rng, width, horizon + 2, haze, 0.2, (12, 40), rng.randint(5, 14))
    green = grass(pen, rng, height, width, horizon)
    top = horizon + (height - horizon) * rng.uniform(0.28, 0.42)
    bottom = height * rng.uniform(0.9, 0.97)
    asphalt(pen, rng, height, width, top, bottom)
    middle = (top + bottom) / 2
    for x in np.arange(rng.uniform(-30, 0), width, 44):
        pen.fill(box(x, middle - 1, x + 24, middle + 1.2), (226, 222, 206), mark=False, alpha=0.85)
    pen.fill(
        box(-2, bottom, width + 2, height + 2), [lighten(green, -0.05), lighten(green, -0.3)], mark=False, rough=0.12
    )
    if rng.rand() < 0.5:
        lamp_post(pen, rng, rng.uniform(0.05, 0.9) * width, top, rng.uniform(60, 90))
    return {
        "air": [(0.25 * width, 0.2 * horizon, 0.75 * width, 0.5 * horizon)],
        "ground": [(0.12 * width, top - 2, 0.88 * width, height - 3)],
        "road": [(0.12 * width, top + (bottom - top) * 0.3, 0.88 * width, bottom - 4)],
    }


def street(pen, rng, height, width):
    """A street with houses or a town behind, pavement and road."""
    horizon = rng.uniform(0.5, 0.6) * height
    haze = sky(pen, rng, width, horizon)
    if rng.rand() < 0.4:
        skyline(pen, rng, width, horizon, haze)
        greenery(pen, rng, width, horizon + 1, haze, 0.15, (16, 44), rng.randint(4, 9))
    else:
        x = rng.uniform(-30, 0)
        while x < width:
            wide = rng.uniform(48, 82)
            house(pen, rng, x, horizon + 1, wide, rng.uniform(38, 76), haze, 0.08)
            x += wide * rng.uniform(1.02, 1.3)
        greenery(pen, rng, width, horizon + 2, haze, 0.05, (20, 50), rng.randint(1, 5))
    stone = vary(rng, (176, 170, 160), 10)
    kerb = horizon + (height - horizon) * 0.26
    pen.fill(box(-2, horizon, width + 2, kerb), [lighten(stone, -0.1), stone], mark=False, rough=0.06)
    for x in np.arange(rng.uniform(-20, 0), width, 19):
        near = width / 2 + (x - width / 2) * 1.25
        pen.line([(x, horizon), (near, kerb)], lighten(stone, -0.2), 0.5, mark=False)
    for x in rng.uniform(0, width, rng.randint(1, 4)):
        lamp_post(pen, rng, x, horizon + 6, rng.uniform(64, 92))
    pen.fill(box(-2, kerb, width + 2, kerb + 3), lighten(stone, -0.3), mark=False)
    asphalt(pen, rng, height, width, kerb + 3, height + 2)
    middle = kerb + (height - kerb) * rng.uniform(0.4, 0.6)
    for x in np.arange(rng.uniform(-30, 0), width, 50):
        pen.fill(box(x, middle, x + 26, middle + 2.4), (228, 226, 216), mark=False, alpha=0.85)
    return {
        "surface": [(0.06 * width, horizon + 4, 0.94 * width, kerb)],
        "air": [(0.25 * width, 0.2 * horizon, 0.75 * width, 0.4 * horizon)],
        "road": [(0.1 * width, kerb + (height - kerb) * 0.25, 0.9 * width, 0.97 * height)],
    }


def quay(pen, rng, height, width):
    """A harbour: water in the middle, a stone quay in front."""
    horizon = rng.uniform(0.3, 0.4) * height
    haze = sky(pen, rng, width, horizon)
    x = rng.uniform(-20, 30)
    hills(pen, rng, width, horizon, haze, 1, 26)
    while x < width:
        wide = rng.uniform(24, 40)
        house(pen, rng, x, horizon + 1, wide, rng.uniform(16, 32), haze, 0.3)
        x += wide * rng.uniform(1.1, 2)
    water(pen, rng, height, width, horizon, haze)
    edge = height * rng.uniform(0.68, 0.76)
    stone = vary(rng, pick(rng, [(168, 160, 148), (150, 148, 150), (182, 164, 138)]), 8)
    outline = box(-2, edge, width + 2, height + 2)
    pen.fill(outline, [lighten(stone, 0.12), lighten(stone, -0.15)], mark=False, rough=0.06)
    tint(pen, plane_noise(rng, height, width, edge - 20, 3, 60), outline, 0.05)
    pen.fill(box(-2, edge - 1, width + 2, edge + 3), lighten(stone, 0.25), mark=False)
    for x in np.arange(rng.uniform(0, 40), width, 62):
        pen.fill(box(x - 3, edge - 8, x + 3, edge + 2, 1), [(90, 92, 96), (40, 42, 46)], "x", mark=False)
        pen.fill(ellipse(x, edge - 8, 4.5, 2.2), (100, 102, 106), mark=False)
    return {
        "water": [(0.12 * width, horizon + 16, 0.88 * width, edge - 8)],
        "road": [(0.12 * width, edge + (height - edge) * 0.6, 0.88 * width, 0.985 * height)],
        "surface": [(0.08 * width, edge + (height - edge) * 0.35, 0.92 * width, 0.98 * height)],
    }


# ---------------------------------------------------------------------------------- things indoors


def wall(pen, rng, height, width, low):
    """A room's wall with paint, stripes, tiles or wallpaper and soft light from one side."""
    color = vary(
        rng,
        pick(
            rng,
            [
                (214, 204, 184),
                (176, 190, 186),
                (200, 176, 156),
                (160, 172, 190),
                (222, 216, 204),
                (186, 150, 120),
                (150, 160, 140),
            ],
        ),
        12,
    )
    stops = [lighten(color, 0.12), color, lighten(color, -0.25)]
    pen.fill(box(-2, -2, width + 2, low), stops[:: pick(rng, [1, -1])], axis="x", mark=False, rough=0.025)
    kind = rng.rand()
    if kind < 0.3:
        wide = rng.uniform(9, 20)
        for x in np.arange(0, width, wide * 2):
            pen.fill(box(x, -2, x + wide, low), lighten(color, -0.12), alpha=0.4, mark=False)
    elif kind < 0.45:
        size = rng.uniform(16, 26)
        for x in np.arange(0, width, size):
            pen.line([(x, 0), (x, low)], lighten(color, 0.35), 0.9, alpha=0.7, mark=False)
        for y in np.arange(low % size, low, size):
            pen.line([(0, y), (width, y)], lighten(color, 0.35), 0.9, alpha=0.7, mark=False)
    elif kind < 0.6:
        for y in np.arange(6, low, 18):
            for x in np.arange(6 + (y // 18 % 2) * 9, width, 18):
                pen.fill(ellipse(x, y, 2.6, 3.6, count=10), lighten(color, -0.16), alpha=0.6, mark=False)
    return color


def picture_frame(pen, rng, x, y, wide, tall):
    """A framed drawing with a broad pale mount, hung on a cord: plainly not a screen."""
    wood = vary(rng, pick(rng, [(150, 106, 60), (196, 164, 90), (90, 70, 56)]), 10)
    pen.line(
        [(x + wide * 0.2, y), (x + wide * 0.5, y - wide * 0.22), (x + wide * 0.8, y)], (90, 84, 78), 0.6, mark=False
    )
    pen.glow(box(x + 1, y + 2, x + wide + 2, y + tall + 3), (20, 18, 16), 0.35, 1.2)
    pen.fill(box(x, y, x + wide, y + tall), [lighten(wood, 0.25), lighten(wood, -0.3)], mark=False)
    pen.fill(box(x + 2.5, y + 2.5, x + wide - 2.5, y + tall - 2.5), (240, 234, 220), mark=False)
    art = vary(rng, pick(rng, [(180, 130, 110), (120, 140, 150), (170, 160, 110)]), 20)
    cx, cy = x + wide / 2, y + tall / 2
    if rng.rand() < 0.5:
        for k in range(3):
            pen.fill(
                ellipse(cx + (k - 1) * wide * 0.1, cy + (k - 1) * tall * 0.08, wide * 0.16),
                lighten(art, 0.3 - 0.3 * k),
                mark=False,
            )
    else:
        for k in range(4):
            pen.fill(
                box(cx - wide * 0.2, cy + tall * (0.08 * k - 0.2), cx + wide * 0.2, cy + tall * (0.08 * k - 0.14)),
                lighten(art, 0.3 - 0.2 * k),
                mark=False,
            )


def books(pen, rng, x, foot, count, tall):
    """A row of upright books, the last one leaning; returns where it ends."""
    for k in range(count):
        wide, high = rng.uniform(0.13, 0.26) * tall, tall * rng.uniform(0.75, 1)
        tone = vary(
            rng,
            pick(
                rng,
                [
                    (140, 50, 46),
                    (50, 76, 110),
                    (190, 160, 100),
                    (70, 96, 70),
                    (200, 196, 184),
                    (90, 60, 90),
                    (60, 60, 64),
                ],
            ),
            14,
        )
        lean = 0.2 * tall if k == count - 1 and rng.rand() < 0.5 else 0
        top = foot - high
        pen.fill(
            [(x, foot), (x + wide, foot), (x + wide + lean, top), (x + lean, top)],
            [lighten(tone, -0.25), lighten(tone, 0.15), lighten(tone, -0.3)],
            "x",
            mark=False,
        )
        for share in (0.2, 0.8):
            y = foot - high * share
            shift = lean * share
            pen.line([(x + shift, y), (x + wide + shift, y)], lighten(tone, 0.45), 0.8, mark=False)
        x += wide + lean * 0.4
    return x


def ball(pen, rng, x, foot, radius):
    """A striped ball."""
    tone = vary(rng, pick(rng, [(200, 60, 50), (60, 110, 180), (230, 180, 60), (90, 150, 90)]))
    pen.glow(ellipse(x + radius * 0.3, foot, radius, radius * 0.18), (16, 14, 12), 0.5, radius * 0.1)
    disc = ellipse(x, foot - radius, radius)
    pen.fill(disc, [lighten(tone, 0.5), tone, lighten(tone, -0.5)], axis="r", mark=False)
    inside = pen.clipped(disc)
    inside.line(
        ellipse(x - radius * 0.5, foot - radius, radius * 0.8),
        (244, 240, 230),
        radius * 0.2,
        alpha=0.55,
        closed=True,
        mark=False,
    )


def carton(pen, rng, x, foot, wide, tall):
    """A cardboard box or crate."""
    tone = vary(rng, pick(rng, [(186, 148, 104), (160, 124, 88), (120, 140, 150)]), 10)
    pen.glow(box(x - 1, foot - 2, x + wide * 1.25, foot + 1.5), (16, 14, 12), 0.5, 1.5)
    pen.fill(
        [
            (x + wide, foot),
            (x + wide * 1.2, foot - tall * 0.14),
            (x + wide * 1.2, foot - tall * 1.1),
            (x + wide, foot - tall),
        ],
        lighten(tone, -0.32),
        mark=False,
    )
    pen.fill(
        [
            (x, foot - tall),
            (x + wide, foot - tall),
            (x + wide * 1.2, foot - tall * 1.1),
            (x + wide * 0.2, foot - tall * 1.1),
        ],
        lighten(tone, 0.22),
        mark=False,
    )
    pen.fill(box(x, foot - tall, x + wide, foot), [lighten(tone, 0.06), lighten(tone, -0.14)], mark=False, rough=0.05)
    pen.fill(box(x + wide * 0.42, foot - tall, x + wide * 0.58, foot), lighten(tone, 0.28), alpha=0.7, mark=False)


def clutter(pen, rng, x0, x1, foot, size):
    """One or two things that belong to no class, standing at height `foot`."""
    for _ in range(rng.randint(1, 3)):
        x = rng.uniform(x0, x1 - size)
        draw = rng.rand()
        if draw < 0.45:
            books(pen, rng, x, foot, rng.randint(3, 7), size)
        elif draw < 0.7:
            ball(pen, rng, x + size * 0.3, foot, size * rng.uniform(0.22, 0.34))
        else:
            carton(pen, rng, x, foot, size * rng.uniform(0.5, 0.9), size * rng.uniform(0.4, 0.7))


def window(pen, rng, x, y, wide, tall):
    """A window with a view of sky and trees, and curtains."""
    frame = vary(rng, (236, 232, 224), 8)
    pen.fill(box(x - 4, y - 4, x + wide + 4, y + tall + 4), [frame, lighten(frame, -0.2)], mark=False)
    stops = [vary(rng, c, 8) for c in pick(rng, SKIES)]
    view = pen.clipped(box(x, y, x + wide, y + tall))
    view.fill(box(x, y, x + wide, y + tall), stops, mark=False)
    hills(view, rng, int(x + wide), y + tall * 0.8, stops[-1], 1, tall * 0.25)
    view.fill(box(x, y + tall * 0.78, x + wide, y + tall), [(130, 156, 96), (90, 124, 70)], mark=False)
    for _ in range(3):
        tree(view, rng, rng.uniform(x, x + wide), y + tall * 0.84, tall * rng.uniform(0.25, 0.5), stops[-1], 0.2)
    for share in (0.5,) if wide < 80 else (0.33, 0.66):
        pen.fill(
            box(x + wide * share - 2, y, x + wide * share + 2, y + tall), [frame, lighten(frame, -0.3)], "x", mark=False
        )
    pen.fill(box(x, y + tall * 0.4, x + wide, y + tall * 0.4 + 3), [frame, lighten(frame, -0.3)], mark=False)


def curtain(pen, rng, x0, x1, low, color, mark=False):
    """A hanging curtain with folds."""
    edges = np.linspace(x0, x1, rng.randint(4, 7))
    for left, right in zip(edges[:-1], edges[1:], strict=True):
        pen.fill(
            box(left, -2, right + 0.5, low),
            [lighten(color, -0.2), lighten(color, 0.2), lighten(color, -0.25)],
            "x",
            mark=mark,
            rough=0.02,
        )


# ---------------------------------------------------------------------------------- places indoors


def floor_boards(pen, rng, height, width, top):
    """A floor of boards that run into depth, with a skirting board above."""
    wood = pick(rng, [(164, 122, 82), (128, 92, 64), (190, 156, 116), (150, 146, 140)])
    wood = vary(rng, wood, 8)
    pen.fill(box(-2, top, width + 2, height + 2), [lighten(wood, -0.15), lighten(wood, 0.1)], mark=False, rough=0.04)
    for x in np.arange(-2.5, 2.5, 0.11):
        a, b = width * (0.5 + x * 0.62), width * (0.5 + x)
        pen.line([(a, top), (b, height + 2)], lighten(wood, -0.3), 0.8, alpha=0.7, mark=False)
    pale = vary(rng, (228, 222, 210), 8)
    pen.fill(box(-2, top - 7, width + 2, top), [pale, lighten(pale, -0.25)], mark=False)
    pen.glow(box(-2, top - 1, width + 2, top + 4), (20, 16, 12), 0.4, 2)


def room(pen, rng, height, width):
    """A room: wall with pictures or a window, floor, at times a low sideboard."""
    top = rng.uniform(0.62, 0.74) * height
    color = wall(pen, rng, height, width, top)
    free = [0.08, 0.28, 0.48, 0.68, 0.84]
    if rng.rand() < 0.5:
        first = rng.randint(4)
        window(pen, rng, free[first] * width, 0.08 * height, 0.3 * width, 0.36 * height)
        free = free[:first] + free[first + 2 :]
    for share in rng.permutation(free)[: rng.randint(0, 3)]:
        picture_frame(
            pen, rng, share * width, rng.uniform(0.08, 0.16) * height, rng.uniform(20, 26), rng.uniform(30, 42)
        )
    if rng.rand() < 0.35:
        curtain(
            pen,
            rng,
            *pick(rng, [(-3, 0.12 * width), (0.87 * width, width + 3)]),
            top + 3,
            vary(rng, mix(color, (150, 70, 60), rng.rand() * 0.7)),
        )
    floor_boards(pen, rng, height, width, top)
    spots = [(0.1 * width, top + 8, 0.9 * width, 0.97 * height)]
    if rng.rand() < 0.5:
        board = top - rng.uniform(2, 12)
        wood = vary(rng, pick(rng, [(128, 86, 54), (196, 186, 170), (92, 66, 48)]), 10)
        pen.glow(box(-2, top + 14, width + 2, top + 22), (16, 12, 8), 0.6, 4)
        pen.fill(
            box(-2, board, width + 2, top + 18), [lighten(wood, 0.05), lighten(wood, -0.3)], mark=False, rough=0.04
        )
        pen.fill(
            box(-2, board - 5, width + 2, board + 2), [lighten(wood, 0.35), lighten(wood, 0.05)], mark=False, rough=0.04
        )
        for x in np.arange(rng.uniform(0, 40), width, 66):
            pen.line([(x, board + 4), (x, top + 18)], lighten(wood, -0.45), 1, mark=False)
            pen.fill(ellipse(x + 6, board + 12, 1.8), (200, 180, 130), mark=False)
        clutter(pen, rng, 0, width, board - 2, rng.uniform(24, 34))
        spots = [(0.1 * width, board - 3, 0.9 * width, board)]
    elif rng.rand() < 0.6:
        clutter(pen, rng, 0, width, top + 6, rng.uniform(24, 40))
    return {"surface": spots}


def shelf(pen, rng, height, width):
    """A wall with one or two shelf boards and things on them."""
    wall(pen, rng, height, width, height + 2)
    wood = vary(rng, pick(rng, [(150, 108, 68), (210, 200, 184), (98, 70, 52), (180, 140, 96)]), 8)
    tall = height > width
    levels = [0.46, 0.93] if tall else [rng.uniform(0.78, 0.9)]
    spots = []
    if not tall and rng.rand() < 0.6:
        levels = [0.2] + levels
    for share in levels:
        y = share * height
        pen.glow(box(-2, y + 4, width + 2, y + 13), (16, 12, 8), 0.5, 4)
        pen.fill(box(-2, y, width + 2, y + 7), [lighten(wood, 0.12), lighten(wood, -0.3)], mark=False, rough=0.06)
        pen.fill(box(-2, y - 4, width + 2, y + 0.5), [lighten(wood, 0.05), lighten(wood, 0.3)], mark=False, rough=0.05)
        if share > 0.25:
            clutter(pen, rng, 0, width, y - 2.5, rng.uniform(30, 46))
            spots.append((0.1 * width, y - 3, 0.9 * width, y))
    return {"surface": spots, "shelf": spots}


def window_sill(pen, rng, height, width):
    """A broad window sill with the view outside."""
    wall(pen, rng, height, width, height + 2)
    y = height * rng.uniform(0.8, 0.9)
    left, right = rng.uniform(0.02, 0.14) * width, rng.uniform(0.86, 0.98) * width
    window(pen, rng, left, 0.05 * height, right - left, y - 0.05 * height - 8)
    if rng.rand() < 0.5:
        color = vary(rng, pick(rng, [(196, 120, 100), (214, 204, 180), (130, 150, 170)]))
        curtain(pen, rng, -3, left + 14, y - 2, color)
        curtain(pen, rng, right - 14, width + 3, y - 2, color)
    stone = vary(rng, pick(rng, [(226, 222, 212), (176, 150, 120), (150, 150, 152)]), 8)
    pen.fill(box(-2, y - 5, width + 2, y + 4), [lighten(stone, 0.1), lighten(stone, 0.3)], mark=False, rough=0.03)
    pen.fill(box(-2, y + 4, width + 2, y + 10), [lighten(stone, -0.08), lighten(stone, -0.3)], mark=False, rough=0.03)
    if rng.rand() < 0.5:
        clutter(pen, rng, 0, width, y - 3, rng.uniform(22, 32))
    spots = [(0.1 * width, y - 3, 0.9 * width, y + 2)]
    return {"surface": spots, "shelf": spots}


def terrace(pen, rng, height, width):
    """A house wall of brick or plaster and paving stones before it."""
    top = rng.uniform(0.58, 0.7) * height
    brick = vary(rng, pick(rng, [(170, 96, 74), (206, 190, 164), (150, 130, 116), (196, 140, 100)]))
    pen.fill(
        box(-2, -2, width + 2, top), [lighten(brick, 0.15), lighten(brick, -0.15)], axis="x", mark=False, rough=0.05
    )
    size = rng.uniform(6, 9)
    for row, y in enumerate(np.arange(0, top, size)):
        pen.line([(-2, y), (width + 2, y)], lighten(brick, 0.3), 0.7, alpha=0.6, mark=False)
        for x in np.arange(-(row % 2) * size, width, size * 2):
            pen.line([(x, y), (x, min(y + size, top))], lighten(brick, 0.3), 0.7, alpha=0.6, mark=False)
    if rng.rand() < 0.7:
        window(pen, rng, rng.uniform(0.1, 0.55) * width, 0.1 * height, 0.28 * width, 0.3 * height)
    stone = vary(rng, pick(rng, [(186, 176, 160), (160, 158, 158), (196, 172, 140)]), 8)
    pen.fill(box(-2, top, width + 2, height + 2), [lighten(stone, -0.15), lighten(stone, 0.1)], mark=False, rough=0.06)
    for x in np.arange(-2.5, 2.5, 0.2):
        pen.line(
            [(width * (0.5 + x * 0.6), top), (width * (0.5 + x), height + 2)], lighten(stone, -0.25), 0.8, mark=False
        )
    for k in range(1, 6):
        y = top + (height - top) * (k / 5.5) ** 1.5
        pen.line([(-2, y), (width + 2, y)], lighten(stone, -0.25), 0.8, mark=False)
    pen.glow(box(-2, top - 1, width + 2, top + 5), (20, 16, 12), 0.4, 2)
    return {
        "surface": [(0.1 * width, top + 8, 0.9 * width, 0.97 * height)],
        "ground": [(0.15 * width, top + 12, 0.85 * width, 0.97 * height)],
    }
