"""The eight kinds of object in the small data set, each drawn by one function in several variants.

Every function takes a pen whose units are the object's own: x to the right, y down. Things that
stand have their foot at y = 0, boats their waterline, aeroplanes their middle. The unit is about
half the object's length (vehicles, aeroplanes, boats) or its height (bottle, plant, sheep, TV).
A shape covers those drawn before it, so the order of the calls is the order from back to front.
"""

import numpy as np
from pen import box, ellipse, leaf, lighten, mix, pick, smooth, vary

PAINTS = [
    (178, 38, 40),
    (38, 76, 150),
    (214, 214, 210),
    (52, 56, 64),
    (150, 156, 164),
    (34, 104, 78),
    (226, 178, 60),
    (120, 168, 200),
    (206, 110, 50),
    (122, 44, 70),
    (232, 226, 206),
    (70, 130, 136),
]
GLASS = [(176, 204, 222), (92, 120, 142), (52, 70, 86)]
RUBBER = (34, 34, 38)


def body_paint(color, bright=0.22, dark=-0.38):
    """Gradient of a painted metal body: sky light above, the ground's shade below."""
    return [lighten(color, bright), color, lighten(color, dark)]


def wheel(pen, rng, x, y, radius, spokes=None):
    """A wheel seen from the side: tyre, rim, spokes and hub."""
    pen.fill(ellipse(x, y, radius), [lighten(RUBBER, 0.12), RUBBER, (18, 18, 20)])
    metal = pick(rng, [(186, 190, 196), (150, 152, 158), (206, 206, 200)])
    pen.fill(ellipse(x, y, radius * 0.64), [lighten(metal, 0.25), lighten(metal, -0.35)])
    for angle in np.linspace(0, 360, spokes or 5, endpoint=False):
        hole = ellipse(x, y, radius * 0.4, start=angle, stop=angle + 1, count=1)[0]
        pen.fill(ellipse(*hole, radius * 0.11), lighten(metal, -0.68))
    pen.fill(ellipse(x, y, radius * 0.13), lighten(metal, 0.3))


# ------------------------------------------------------------------------------------------- cars

CARS = {
    "sedan": dict(
        outline=[
            (-0.98, -0.16),
            (-1, -0.42),
            (-0.95, -0.53),
            (-0.66, -0.57),
            (-0.4, -0.83),
            (-0.1, -0.87),
            (0.16, -0.83),
            (0.48, -0.57),
            (0.86, -0.5),
            (0.98, -0.4),
            (1, -0.22),
            (0.96, -0.14),
        ],
        glass=[(-0.58, -0.57), (-0.37, -0.78), (-0.1, -0.81), (0.13, -0.78), (0.38, -0.56)],
        pillars=[-0.08],
        doors=[-0.46, -0.08, 0.36],
        radius=0.205,
        wheels=(-0.6, 0.62),
    ),
    "hatchback": dict(
        outline=[
            (-0.86, -0.16),
            (-0.9, -0.48),
            (-0.82, -0.78),
            (-0.66, -0.9),
            (-0.1, -0.94),
            (0.16, -0.88),
            (0.46, -0.6),
            (0.82, -0.51),
            (0.93, -0.4),
            (0.95, -0.2),
            (0.9, -0.14),
        ],
        glass=[(-0.76, -0.58), (-0.68, -0.82), (-0.1, -0.87), (0.12, -0.82), (0.36, -0.58)],
        pillars=[-0.42, -0.02],
        doors=[-0.42, -0.02, 0.36],
        radius=0.21,
        wheels=(-0.54, 0.58),
    ),
    "estate": dict(
        outline=[
            (-0.98, -0.16),
            (-1, -0.5),
            (-0.9, -0.8),
            (-0.8, -0.86),
            (-0.1, -0.88),
            (0.16, -0.83),
            (0.48, -0.58),
            (0.86, -0.5),
            (0.98, -0.4),
            (1, -0.22),
            (0.96, -0.14),
        ],
        glass=[(-0.88, -0.57), (-0.8, -0.77), (-0.1, -0.81), (0.12, -0.78), (0.38, -0.57)],
        pillars=[-0.5, -0.06],
        doors=[-0.48, -0.06, 0.36],
        radius=0.205,
        wheels=(-0.6, 0.62),
    ),
    "jeep": dict(
        outline=[
            (-0.93, -0.22),
            (-0.95, -0.6),
            (-0.9, -1.0),
            (-0.8, -1.05),
            (0.12, -1.05),
            (0.36, -0.7),
            (0.86, -0.66),
            (0.95, -0.56),
            (0.96, -0.26),
            (0.92, -0.2),
        ],
        glass=[(-0.84, -0.68), (-0.82, -0.96), (0.08, -0.97), (0.28, -0.68)],
        pillars=[-0.42, -0.04],
        doors=[-0.42, -0.04, 0.32],
        radius=0.25,
        wheels=(-0.56, 0.6),
    ),
    "van": dict(
        outline=[
            (-0.95, -0.16),
            (-0.97, -0.6),
            (-0.94, -1.06),
            (-0.8, -1.12),
            (0.2, -1.12),
            (0.42, -1.0),
            (0.68, -0.64),
            (0.92, -0.52),
            (0.98, -0.34),
            (0.97, -0.18),
        ],
        glass=[(-0.86, -0.66), (-0.86, -1.0), (0.2, -1.0), (0.34, -0.93), (0.56, -0.64)],
        pillars=[-0.46, -0.02],
        doors=[-0.02, 0.44],
        radius=0.2,
        wheels=(-0.58, 0.62),
    ),
    "pickup": dict(
        outline=[
            (-1, -0.22),
            (-1.02, -0.4),
            (-1.02, -0.6),
            (-1.02, -0.6),
            (-0.3, -0.6),
            (-0.3, -0.6),
            (-0.27, -0.92),
            (-0.2, -0.96),
            (0.1, -0.96),
            (0.4, -0.62),
            (0.88, -0.57),
            (0.98, -0.46),
            (0.99, -0.24),
            (0.94, -0.18),
        ],
        glass=[(-0.2, -0.61), (-0.18, -0.88), (0.06, -0.89), (0.3, -0.61)],
        pillars=[0.02],
        doors=[-0.24, 0.3],
        radius=0.23,
        wheels=(-0.62, 0.6),
    ),
    "beetle": dict(
        outline=[
            (-0.92, -0.18),
            (-0.98, -0.4),
            (-0.78, -0.72),
            (-0.42, -0.95),
            (0, -0.98),
            (0.26, -0.84),
            (0.4, -0.62),
            (0.74, -0.58),
            (0.94, -0.4),
            (0.95, -0.2),
            (0.9, -0.14),
        ],
        glass=[(-0.5, -0.62), (-0.4, -0.84), (-0.04, -0.89), (0.16, -0.8), (0.28, -0.62)],
        pillars=[-0.1],
        doors=[-0.12, 0.32],
        radius=0.22,
        wheels=(-0.58, 0.58),
    ),
}


def car(pen, rng):
    """A car, mostly from the side (facing right), now and then from the front."""
    if rng.rand() < 0.14:
        car_front(pen, rng)
        return
    shape = CARS[pick(rng, sorted(CARS))]
    color = vary(rng, pick(rng, PAINTS))
    radius = shape["radius"]
    pen.glow(ellipse(0, 0, 1.05, 0.09), (12, 12, 16), 0.75, 0.05)
    pen.fill(box(-0.8, -0.3, 0.84, -0.1), (24, 24, 28))
    outline = smooth(shape["outline"], 2)
    pen.fill(outline, body_paint(color), rough=0.012)
    car_glass(pen, rng, shape, color)
    for x in shape["doors"]:
        pen.line([(x, -0.55), (x + 0.02, -0.2)], lighten(color, -0.5), 0.014)
        pen.fill(box(x - 0.14, -0.5, x - 0.06, -0.475), lighten(color, -0.45))
    sill = smooth([(-0.96, -0.43), (0, -0.46), (0.97, -0.41)], 2, closed=False)
    pen.line(sill, lighten(color, 0.45), 0.02, alpha=0.7)
    pen.fill(box(-0.94, -0.2, 0.94, -0.14, 0.02), lighten(color, -0.55))
    bumper = lighten(color, -0.5) if rng.rand() < 0.5 else (176, 178, 182)
    pen.fill(box(-1.03, -0.3, -0.86, -0.21, 0.03), bumper)
    pen.fill(box(0.84, -0.29, 1.02, -0.2, 0.03), bumper)
    pen.fill(ellipse(0.91, -0.41, 0.065, 0.05), [(255, 255, 240), (206, 206, 190)])
    pen.fill(box(-1.0, -0.47, -0.93, -0.36, 0.02), [(226, 60, 48), (140, 16, 20)])
    for x in shape["wheels"]:
        pen.fill(ellipse(x, -radius, radius * 1.2, start=180, stop=360), (22, 22, 26))
        wheel(pen, rng, x, -radius, radius)
    pen.light(1.0, 1.0, 1.03, 0.95)


def car_glass(pen, rng, shape, color):
    """Side windows with the sky's reflection, a head rest or two, and the posts between."""
    glass = smooth(shape["glass"], 1)
    pen.fill(glass, lighten(color, -0.6))
    middle = np.mean(shape["glass"], 0)
    inner = smooth([middle + (np.array(p) - middle) * (0.95, 0.88) for p in shape["glass"]], 1)
    pen.fill(inner, GLASS)
    inside = pen.clipped(inner)
    for x in (middle[0] - 0.22, middle[0] + 0.2):
        inside.fill(box(x - 0.06, -0.72, x + 0.06, -0.3, 0.05), (36, 40, 46), alpha=0.75)
    x = middle[0] + rng.uniform(-0.3, 0.2)
    inside.fill([(x, -1.2), (x + 0.16, -1.2), (x - 0.12, -0.4), (x - 0.28, -0.4)], (255, 255, 255), alpha=0.3)
    for x in shape["pillars"]:
        inside.line([(x - 0.02, -1.2), (x + 0.02, -0.5)], lighten(color, -0.45), 0.05)


def car_front(pen, rng):
    """A car from the front: windscreen, two lamps, grille and number plate."""
    color = vary(rng, pick(rng, PAINTS))
    pen.glow(ellipse(0, 0, 0.75, 0.08), (12, 12, 16), 0.75, 0.05)
    for side in (-1, 1):
        pen.fill(box(side * 0.52 - 0.11, -0.34, side * 0.52 + 0.11, 0, 0.05), RUBBER)
        pen.fill(ellipse(side * 0.66, -0.7, 0.09, 0.06), lighten(color, -0.2))
    body = smooth(
        [
            (-0.66, -0.14),
            (-0.68, -0.5),
            (-0.56, -0.68),
            (-0.4, -1.02),
            (0, -1.08),
            (0.4, -1.02),
            (0.56, -0.68),
            (0.68, -0.5),
            (0.66, -0.14),
        ],
        2,
    )
    pen.fill(body, body_paint(color))
    screen = smooth([(-0.5, -0.69), (-0.37, -0.96), (0, -1.0), (0.37, -0.96), (0.5, -0.69), (0, -0.66)], 1)
    pen.fill(screen, lighten(color, -0.6))
    screen = screen * (0.94, 1) + (0, 0.012)
    pen.fill(screen, GLASS)
    pen.clipped(screen).fill([(-0.1, -1.1), (0.1, -1.1), (-0.12, -0.6), (-0.36, -0.6)], (255, 255, 255), alpha=0.28)
    pen.line(smooth([(-0.56, -0.62), (0, -0.58), (0.56, -0.62)], 2, False), lighten(color, 0.4), 0.02)
    pen.fill(box(-0.28, -0.46, 0.28, -0.32, 0.04), (30, 30, 34))
    for y in (-0.42, -0.39, -0.36):
        pen.line([(-0.26, y), (0.26, y)], (150, 150, 154), 0.014)
    for side in (-1, 1):
        pen.fill(ellipse(side * 0.47, -0.44, 0.12, 0.085), (120, 120, 124))
        pen.fill(ellipse(side * 0.47, -0.44, 0.1, 0.07), [(255, 255, 246), (196, 200, 196)])
    pen.fill(box(-0.64, -0.26, 0.64, -0.15, 0.04), lighten(color, -0.45))
    pen.fill(box(-0.17, -0.27, 0.17, -0.18), (236, 236, 226))
    pen.line([(-0.12, -0.225), (0.12, -0.225)], (60, 60, 60), 0.03)


# ------------------------------------------------------------------------------------------ buses


def bus(pen, rng):
    """A bus: a long box with a row of windows; flat from the side or from a front corner."""
    color = vary(rng, pick(rng, PAINTS))
    second = vary(rng, pick(rng, [(236, 234, 226), (44, 52, 70), (238, 190, 70), (190, 44, 40)]))
    decks = 2 if rng.rand() < 0.22 else 1
    pen.glow(box(-1.02, -0.05, 1.02, 0.05, 0.04), (12, 12, 16), 0.75, 0.05)
    if rng.rand() < 0.55:
        style = dict(decks=decks, color=color, second=second, nose=True)
        height = 0.72 if decks == 1 else 1.08
        bus_side(pen.face([(-1, -height), (1, -height), (1, 0), (-1, 0)], 2, height), rng, 2, height, style)
    else:
        style = dict(decks=decks, color=color, second=second, nose=False)
        top = 0.86 if decks == 1 else 1.22
        side = [(-1, -top * 0.76), (0.42, -top), (0.42, 0), (-1, -0.1)]
        front = [(0.42, -top), (0.98, -top * 0.9), (0.98, -0.05), (0.42, 0)]
        bus_side(pen.face(side, 2, 0.8 * decks**0.55), rng, 2, 0.8 * decks**0.55, style)
        bus_front(pen.face(front, 1, 1.2 * decks**0.5), rng, 1, 1.2 * decks**0.5, style)
        pen.line([(0.42, -top), (0.42, -0.1)], lighten(color, 0.35), 0.014)


def bus_side(pen, rng, width, height, style):
    """The long side of a bus in a frame of (0..width, 0..height), the front at the right."""
    color, second = style["color"], style["second"]
    corner = 0.07 if style["nose"] else 0.015
    floor = height - 0.12
    pen.fill(box(0.05, floor - 0.06, width - 0.05, floor + 0.04), (24, 24, 28))
    pen.fill(box(0, 0, width, floor, corner), body_paint(color, 0.2, -0.3), rough=0.012)
    pen.fill(box(0.02, 0.0, width - 0.02, 0.05, 0.02), lighten(second, 0.1))
    stripe = floor - rng.uniform(0.14, 0.2)
    pen.fill(box(0, stripe, width, stripe + 0.075), second)
    tops = [0.1] if style["decks"] == 1 else [0.08, height * 0.47]
    glass_height = 0.28 if style["decks"] == 1 else 0.24
    count = rng.randint(6, 9)
    for top in tops:
        pen.fill(box(0.05, top - 0.02, width - 0.04, top + glass_height + 0.02, 0.03), (36, 40, 46))
        edges = np.linspace(0.06, width - 0.06, count + 1)
        for left, right in zip(edges[:-1], edges[1:], strict=True):
            pane = box(left + 0.012, top, right - 0.012, top + glass_height, 0.02)
            pen.fill(pane, [lighten(GLASS[0], rng.uniform(-0.1, 0.2)), GLASS[1], GLASS[2]])
            low = top + glass_height - 0.02
            pen.fill(
                [(left + 0.05, top + 0.01), (left + 0.1, top + 0.01), (left + 0.05, low), (left + 0.02, low)],
                (255, 255, 255),
                alpha=0.28,
            )
            if rng.rand() < 0.55:
                pen.fill(
                    box(left + 0.06, top + glass_height * 0.55, left + 0.13, top + glass_height, 0.03),
                    (44, 48, 56),
                    alpha=0.8,
                )
    bus_doors(pen, width, tops[-1], floor, lighten(color, -0.3))
    radius = 0.135
    for x in (0.24 * width, 0.74 * width):
        pen.fill(ellipse(x, height - radius, radius * 1.28, start=180, stop=360), (22, 22, 26))
        wheel(pen, rng, x, height - radius, radius, 6)
    pen.fill(ellipse(width - 0.05, floor - 0.1, 0.035, 0.04), (250, 246, 220))
    pen.fill(box(0.01, floor - 0.16, 0.04, floor - 0.06), (196, 36, 34))


def bus_doors(pen, width, top, floor, frame):
    """Two folding doors: at the front end and in the middle."""
    for x in (0.86 * width, 0.5 * width):
        pen.fill(box(x - 0.1, top - 0.01, x + 0.1, floor - 0.02, 0.01), frame)
        for left in (x - 0.09, x + 0.005):
            pen.fill(box(left, top + 0.01, left + 0.085, floor - 0.04, 0.01), GLASS)


def bus_front(pen, rng, width, height, style):
    """The front of a bus: big windscreen, destination board, lamps and plate."""
    color, second = style["color"], style["second"]
    pen.fill(box(0.08, height - 0.16, width - 0.05, height - 0.02), RUBBER)
    pen.fill(box(0, 0, width, height - 0.1, 0.03), body_paint(lighten(color, -0.12), 0.15, -0.3))
    pen.fill(box(0.08, 0.04, width - 0.08, 0.15, 0.02), (26, 26, 28))
    pen.line([(0.22, 0.095), (width - 0.2, 0.095)], (250, 190, 60), 0.05)
    rows = [0.2] if style["decks"] == 1 else [0.2, height * 0.5]
    for top in rows:
        deep = height * (0.42 if style["decks"] == 1 else 0.24)
        pen.fill(box(0.05, top, width - 0.05, top + deep, 0.04), (30, 32, 36))
        pen.fill(box(0.08, top + 0.02, width - 0.08, top + deep - 0.02, 0.03), GLASS)
        pen.line([(width / 2, top), (width / 2, top + deep)], (30, 32, 36), 0.025)
        low = top + deep - 0.04
        pen.fill([(0.2, top + 0.03), (0.36, top + 0.03), (0.26, low), (0.1, low)], (255, 255, 255), alpha=0.28)
    pen.fill(box(0, height - 0.3, width, height - 0.23), second)
    for x in (0.14, width - 0.14):
        pen.fill(ellipse(x, height - 0.25, 0.085, 0.075), (90, 90, 94))
        pen.fill(ellipse(x, height - 0.25, 0.065, 0.058), [(255, 255, 240), (206, 206, 190)])
    pen.fill(box(0.02, height - 0.17, width - 0.02, height - 0.1, 0.02), lighten(color, -0.5))
    pen.fill(box(0.36, height - 0.19, 0.64, height - 0.12), (238, 236, 226))


# ------------------------------------------------------------------------------------- aeroplanes


def aeroplane(pen, rng, where="high"):
    """An aeroplane from the side or, where it flies "high", also from below or above.

    `where` is "ground" (it stands on its wheels), "low" or "high".
    """
    if where == "high" and rng.rand() < 0.55:
        planform(pen.turned(rng.uniform(-60, 60)), rng, rng.uniform(0.7, 1.0))
    else:
        draw = airliner if rng.rand() < 0.65 else light_aircraft
        draw(pen, rng, where == "ground")


LIVERIES = [(236, 238, 240), (206, 212, 220), (232, 222, 200), (160, 174, 190), (120, 128, 138)]


def airliner(pen, rng, grounded):
    """An airliner from the side, its nose to the right; the near wing sweeps down to the left."""
    color = vary(rng, pick(rng, LIVERIES), 8)
    accent = vary(rng, pick(rng, PAINTS[:10]))
    dark = lighten(color, -0.35)
    if grounded:
        pen.glow(ellipse(0, 0.36, 1.0, 0.05), (12, 12, 16), 0.65, 0.04)
        for x in (-0.12, 0.72):
            pen.fill(box(x - 0.015, 0.08, x + 0.015, 0.32), (90, 92, 98))
            for dx in (-0.05, 0.05):
                pen.fill(ellipse(x + dx, 0.31, 0.055), RUBBER)
                pen.fill(ellipse(x + dx, 0.31, 0.022), (170, 170, 174))
    pen.fill([(0.22, -0.1), (-0.2, -0.48), (-0.33, -0.48), (-0.18, -0.08)], [dark, lighten(color, -0.2)])
    pen.fill(
        smooth(
            [
                (-0.58, -0.12),
                (-0.58, -0.12),
                (-0.88, -0.55),
                (-0.9, -0.56),
                (-1.04, -0.56),
                (-0.97, -0.1),
                (-0.97, -0.1),
            ],
            1,
        ),
        [lighten(accent, 0.15), lighten(accent, -0.3)],
    )
    pen.fill(ellipse(-0.9, -0.38, 0.055), lighten(color, 0.2))
    hull = smooth(
        [
            (1, 0.03),
            (0.96, -0.08),
            (0.84, -0.16),
            (0.6, -0.195),
            (-0.6, -0.19),
            (-1.06, -0.13),
            (-1.06, -0.08),
            (-0.55, 0.175),
            (0.7, 0.185),
            (0.93, 0.13),
        ],
        3,
    )
    pen.fill(hull, [lighten(color, 0.35), color, lighten(color, -0.18), lighten(color, -0.5)])
    inside = pen.clipped(hull)
    inside.fill(box(-1.1, 0.0, 1.1, 0.04), accent)
    for x in np.arange(-0.62, 0.72, 0.075):
        pen.fill(box(x, -0.07, x + 0.036, -0.02, 0.012), (44, 56, 72))
    inside.fill([(0.8, -0.16), (0.84, -0.06), (0.97, -0.05), (0.92, -0.16)], (40, 52, 68))
    for x in (-0.7, 0.7):
        pen.line(box(x, -0.08, x + 0.05, 0.06), lighten(color, -0.4), 0.01, closed=True)
    pen.fill([(-0.74, -0.06), (-1.04, 0.04), (-1.13, 0.04), (-1.0, -0.07)], [color, dark])
    engine = smooth([(0.2, 0.14), (0.22, 0.26), (0.16, 0.29), (-0.08, 0.27), (-0.12, 0.2), (-0.06, 0.13)], 2)
    pen.fill(engine, [lighten(color, 0.1), lighten(color, -0.5)])
    pen.fill(ellipse(0.19, 0.21, 0.03, 0.07), (40, 42, 48))
    tip = (-0.48, 0.46) if not grounded and rng.rand() < 0.6 else (-0.42, 0.3)
    pen.fill([(0.26, 0.05), tip, (tip[0] - 0.17, tip[1]), (-0.3, 0.07)], [lighten(color, 0.25), lighten(color, -0.22)])
    pen.line([(0.26, 0.05), tip], lighten(color, 0.5), 0.015)


def light_aircraft(pen, rng, grounded):
    """A small propeller aircraft from the side: high wing, cabin, fixed wheels."""
    color = vary(rng, pick(rng, LIVERIES[:3] + PAINTS[:2] + PAINTS[6:9]))
    accent = vary(rng, pick(rng, PAINTS[:6]))
    if grounded:
        pen.glow(ellipse(0.1, 0.42, 0.9, 0.05), (12, 12, 16), 0.65, 0.04)
    pen.fill(
        smooth([(-0.66, -0.1), (-0.86, -0.5), (-0.92, -0.52), (-1.04, -0.5), (-1.0, -0.04)], 1),
        [lighten(accent, 0.1), lighten(accent, -0.3)],
    )
    for x, y in ((0.12, 0.34), (0.68, 0.35)):
        pen.line([(x + (0.05 if x < 0.5 else -0.05), 0.1), (x, y)], (96, 98, 104), 0.04)
        pen.fill(ellipse(x, y, 0.085), RUBBER)
        pen.fill(ellipse(x, y, 0.035), (180, 180, 184))
    hull = smooth(
        [
            (0.84, -0.12),
            (0.86, 0.08),
            (0.6, 0.2),
            (0.1, 0.2),
            (-1.02, 0.02),
            (-1.04, -0.1),
            (-0.2, -0.2),
            (-0.02, -0.42),
            (0.3, -0.42),
            (0.44, -0.2),
        ],
        2,
    )
    pen.fill(hull, [lighten(color, 0.3), color, lighten(color, -0.25), lighten(color, -0.45)])
    pen.clipped(hull).fill([(-1.1, -0.06), (1, 0.02), (1, 0.08), (-1.1, 0.0)], accent)
    pen.fill(smooth([(-0.1, -0.2), (0.0, -0.36), (0.27, -0.37), (0.39, -0.19)], 1), GLASS)
    pen.line([(0.13, -0.4), (0.13, -0.18)], color, 0.04)
    pen.fill([(-0.66, -0.1), (-0.98, -0.04), (-1.14, -0.06), (-0.98, -0.13)], [color, lighten(color, -0.4)])
    pen.line([(0.2, 0.12), (0.14, -0.4)], lighten(color, -0.5), 0.035)
    wing = smooth([(-0.28, -0.38), (-0.3, -0.4), (-0.2, -0.5), (0.4, -0.5), (0.5, -0.43), (0.46, -0.36)], 2)
    pen.fill(wing, [lighten(color, 0.35), lighten(color, -0.35)])
    pen.fill(smooth([(0.84, -0.1), (0.94, -0.02), (0.84, 0.06)], 1), lighten(accent, -0.1))
    pen.fill(ellipse(0.92, -0.02, 0.03, 0.34), (214, 216, 222), alpha=0.45)
    pen.line([(0.92, -0.34), (0.92, 0.3)], (64, 60, 60), 0.035)


def planform(pen, rng, spread):
    """An aeroplane from below or above, its nose to the right; `spread` foreshortens the wings."""
    color = vary(rng, pick(rng, LIVERIES), 8)
    accent = vary(rng, pick(rng, PAINTS[:10]))
    kind = pick(rng, ["jet", "jet", "jet", "propeller", "delta"])
    span, root, sweep, chord = {
        "jet": (0.95, 0.36, 0.6, 0.16),
        "propeller": (1.0, 0.42, 0.1, 0.3),
        "delta": (0.66, 0.4, 0.95, 0.12),
    }[kind]
    thick = 0.155 if kind == "jet" else 0.135
    span *= spread
    for side, shade in ((-1, 0.12), (1, -0.16)):
        near, far = lighten(color, shade), lighten(color, shade - 0.12)
        trail = {"jet": root - 0.52, "propeller": root - 0.5, "delta": -0.62}[kind]
        wing = [
            (root, 0),
            (root - sweep, side * span),
            (root - sweep - chord, side * span),
            (trail, side * 0.1),
            (trail, 0),
        ]
        pen.fill(wing, [near, far], axis="x")
        pen.line(wing[:2], lighten(color, 0.35), 0.02)
        pen.line([(root - sweep - chord, side * span), wing[3]], lighten(color, -0.35), 0.02)
        tail = [(-0.68, 0), (-0.93, side * 0.38 * spread), (-1.06, side * 0.38 * spread), (-0.95, 0)]
        pen.fill(tail, [lighten(accent, 0.1), lighten(accent, -0.1)], axis="x")
        if kind == "jet":
            for share in [0.36] if rng.rand() < 0.7 else [0.3, 0.6]:
                x, y = root - sweep * share + 0.05, side * span * share
                pen.fill(
                    box(x - 0.16, y - 0.055, x + 0.08, y + 0.055, 0.05), [lighten(color, 0.2), lighten(color, -0.5)]
                )
    if kind == "propeller":
        pen.fill(ellipse(0.84, 0, 0.025, 0.36), (220, 222, 226), alpha=0.5)
    hull = smooth(
        [
            (1.0, 0),
            (0.94, -thick * 0.7),
            (0.72, -thick),
            (-0.5, -thick),
            (-1.08, -0.035),
            (-1.08, 0.035),
            (-0.5, thick),
            (0.72, thick),
            (0.94, thick * 0.7),
        ],
        2,
    )
    pen.fill(hull, [lighten(color, 0.3), color, lighten(color, -0.45)])
    pen.line([(-1.08, 0), (-0.66, 0)], accent, 0.05)
    if kind == "delta" or kind == "propeller":
        x = 0.5 if kind == "delta" else 0.42
        pen.fill(ellipse(x, 0, 0.17, 0.075), [lighten(GLASS[0], 0.1), GLASS[2]])
    else:
        pen.fill([(0.88, -0.07), (0.93, -0.05), (0.93, 0.05), (0.88, 0.07), (0.84, 0)], (48, 58, 72))


# ------------------------------------------------------------------------------------------ boats


def boat(pen, rng):
    """A sailing boat, motor boat, rowing boat or fishing boat with its waterline at y = 0."""
    kind = pick(rng, [sailing_boat, sailing_boat, motor_boat, fishing_boat, rowing_boat])
    kind(pen, rng)


def hull(pen, outline, color, band):
    """A shaded hull with a rubbing strake and a band at the waterline."""
    shape = smooth(outline, 2)
    pen.fill(shape, [lighten(color, 0.2), color, lighten(color, -0.45)], rough=0.012)
    inside = pen.clipped(shape)
    inside.fill(box(-1.3, -0.06, 1.3, 0.2), lighten(band, -0.15))
    top = np.array(outline)
    top = top[top[:, 1] < top[:, 1].max() - 0.12]
    inside.line(top + (0, 0.05), lighten(color, 0.5), 0.03, alpha=0.8)
    return inside


def foam(pen, rng, left, right, strength=0.75):
    """Broken white water along the waterline; it covers a little of the hull."""
    for x in np.linspace(left, right, 14):
        pen.glow(
            ellipse(x + rng.uniform(-0.05, 0.05), 0.045, rng.uniform(0.06, 0.13), 0.025),
            (236, 244, 248),
            strength * rng.uniform(0.4, 1),
            0.012,
        )


def sailing_boat(pen, rng):
    """A yacht: low hull, mast, mainsail and jib filled by the wind."""
    color = vary(rng, pick(rng, PAINTS))
    cloth = vary(
        rng,
        pick(rng, [(240, 238, 228), (240, 238, 228), (226, 206, 168), (186, 60, 48), (70, 110, 160), (236, 196, 90)]),
        8,
    )
    outline = [(-0.68, 0.05), (-0.76, -0.16), (-0.76, -0.16), (0, -0.2), (0.92, -0.25), (0.92, -0.25), (0.62, 0.05)]
    hull(pen, outline, color, pick(rng, PAINTS))
    pen.fill(smooth([(-0.3, -0.18), (-0.24, -0.32), (0.26, -0.32), (0.4, -0.2)], 1), [(246, 244, 236), (190, 188, 180)])
    for x in (-0.14, 0.02, 0.18):
        pen.fill(ellipse(x, -0.25, 0.035), (52, 66, 84))
    height = rng.uniform(1.6, 1.95)
    pen.line([(0.08, -0.2), (0.08, -height - 0.05)], (96, 76, 60), 0.045)
    pen.line([(0.08, -0.38), (-0.72, -0.35)], (96, 76, 60), 0.035)
    belly = rng.uniform(0.04, 0.16)
    main = np.concatenate(
        [
            [(0.05, -height)],
            smooth([(0.05, -height), (-0.3 - belly, -height * 0.55), (-0.72, -0.4)], 3, False),
            [(0.05, -0.42)],
        ]
    )
    pen.fill(main, [lighten(cloth, 0.25), cloth, lighten(cloth, -0.25)], axis="x", rough=0.015)
    jib = np.concatenate(
        [
            smooth([(0.12, -height * 0.93), (0.62 + belly, -height * 0.4), (0.88, -0.3)], 3, False),
            smooth([(0.88, -0.3), (0.4, -0.36), (0.14, -0.38)], 2, False),
        ]
    )
    second = cloth if rng.rand() < 0.6 else vary(rng, pick(rng, PAINTS))
    pen.fill(jib, [lighten(second, -0.22), lighten(second, 0.2), second], axis="x", rough=0.015)
    for share in (0.25, 0.45, 0.65, 0.83):
        y = -height + (height - 0.4) * share
        pen.clipped(main).line([(-0.9, y + 0.05), (0.06, y)], lighten(cloth, -0.3), 0.014)
        pen.clipped(jib).line([(0.1, y), (1, y + 0.1)], lighten(second, -0.3), 0.012)
    if rng.rand() < 0.5:
        pen.fill([(0.08, -height - 0.05), (-0.14, -height), (0.08, -height + 0.04)], pick(rng, PAINTS))
    foam(pen, rng, -0.7, 0.75)


def motor_boat(pen, rng):
    """A motor boat with a raked bow, windscreen and cabin."""
    color = vary(rng, pick(rng, PAINTS))
    white = vary(rng, (240, 238, 230), 8)
    cabin = smooth([(-0.52, -0.32), (-0.46, -0.74), (-0.3, -0.8), (0.14, -0.78), (0.42, -0.36)], 1)
    pen.fill(cabin, [lighten(white, 0.2), white, lighten(white, -0.25)])
    pen.fill(smooth([(-0.4, -0.48), (-0.37, -0.7), (-0.1, -0.71), (-0.1, -0.48)], 1), GLASS)
    pen.fill(smooth([(-0.04, -0.48), (-0.04, -0.71), (0.12, -0.71), (0.27, -0.48)], 1), GLASS)
    pen.line([(-0.2, -0.78), (-0.26, -1.06)], (90, 92, 98), 0.03)
    pen.fill(ellipse(-0.26, -1.06, 0.07, 0.03), (210, 60, 50))
    outline = [(-0.9, 0.06), (-0.96, -0.32), (-0.96, -0.32), (0, -0.36), (1.08, -0.46), (1.08, -0.46), (0.74, 0.06)]
    inside = hull(pen, outline, color, white)
    inside.fill([(-1, -0.2), (1.1, -0.28), (1.1, -0.22), (-1, -0.14)], white)
    rail = [(0.34, -0.4), (0.36, -0.56), (1.02, -0.6), (1.06, -0.46)]
    pen.line(rail, (214, 216, 220), 0.022)
    for x in (0.56, 0.78):
        pen.line([(x, -0.42), (x, -0.58)], (214, 216, 220), 0.02)
    foam(pen, rng, -1.05, 0.85, 0.95)


def fishing_boat(pen, rng):
    """A fishing boat: high bow, wheelhouse, mast with boom, tyres along the side."""
    color = vary(rng, pick(rng, PAINTS))
    house = vary(rng, pick(rng, [(238, 234, 222), (228, 206, 150), (196, 210, 214)]), 8)
    pen.line([(0.22, -0.4), (0.2, -1.32)], (104, 80, 58), 0.045)
    pen.line([(0.2, -0.62), (0.8, -1.06)], (104, 80, 58), 0.035)
    for x, y in ((0.98, -0.5), (-0.88, -0.36), (0.8, -1.06)):
        pen.line([(0.2, -1.28), (x, y)], (84, 78, 72), 0.012, mark=False)
    pen.fill(box(-0.62, -0.84, -0.02, -0.28), [lighten(house, 0.15), lighten(house, -0.2)])
    pen.fill(box(-0.68, -0.92, 0.04, -0.83, 0.02), pick(rng, PAINTS))
    for x in (-0.54, -0.34, -0.15):
        pen.fill(box(x, -0.74, x + 0.13, -0.56, 0.02), GLASS)
    pen.fill(box(-0.8, -0.62, -0.68, -0.28), (70, 72, 78))
    outline = [
        (-0.84, 0.06),
        (-0.94, -0.34),
        (-0.94, -0.34),
        (-0.1, -0.28),
        (0.6, -0.36),
        (1.06, -0.58),
        (1.06, -0.58),
        (0.78, 0.06),
    ]
    hull(pen, outline, color, pick(rng, PAINTS))
    for x in np.linspace(-0.6, 0.5, 4):
        pen.line(ellipse(x, -0.16, 0.065), (36, 36, 40), 0.04, closed=True)
    foam(pen, rng, -0.95, 0.85, 0.6)


def rowing_boat(pen, rng):
    """A rowing boat seen slightly from above, with benches and an oar."""
    color = vary(rng, pick(rng, PAINTS))
    wood = vary(rng, pick(rng, [(150, 104, 62), (176, 138, 92), (116, 82, 56)]), 8)
    outline = [
        (-0.72, 0.08),
        (-0.98, -0.36),
        (-0.98, -0.36),
        (-0.4, -0.22),
        (0.4, -0.22),
        (1.04, -0.46),
        (1.04, -0.46),
        (0.78, 0.08),
    ]
    rim = smooth(
        [
            (-0.98, -0.36),
            (-0.98, -0.36),
            (-0.4, -0.5),
            (0.4, -0.52),
            (1.04, -0.46),
            (1.04, -0.46),
            (0.4, -0.2),
            (-0.4, -0.2),
        ],
        2,
    )
    pen.fill(rim, [lighten(wood, -0.55), lighten(wood, -0.25)])
    for x in (-0.52, -0.02, 0.46):
        pen.fill(
            [(x - 0.07, -0.46), (x + 0.09, -0.46), (x + 0.11, -0.24), (x - 0.09, -0.24)], [lighten(wood, 0.3), wood]
        )
    inside = hull(pen, outline, color, lighten(color, -0.3))
    for y in (-0.14, -0.02):
        inside.line(smooth([(-1, y - 0.14), (0, y), (1, y - 0.16)], 2, False), lighten(color, -0.4), 0.014)
    pen.line(rim, lighten(wood, 0.25), 0.035, closed=True)
    for x0, x1 in ((-0.1, -0.62), (0.3, 0.96)):
        pen.line([(x0, -0.48), (x1, 0.12)], lighten(wood, 0.35), 0.04)
        pen.fill(ellipse(x1, 0.1, 0.15, 0.05, turn=42 if x1 > 0 else 132), lighten(wood, 0.2))
    foam(pen, rng, -0.75, 0.8, 0.5)


# ---------------------------------------------------------------------------------------- bottles

BOTTLES = {  # half widths at heights from the foot (0) to the mouth (-1)
    "wine": [(0.15, 0), (0.155, -0.03), (0.155, -0.56), (0.13, -0.65), (0.055, -0.73), (0.048, -0.97)],
    "burgundy": [(0.165, 0), (0.17, -0.03), (0.17, -0.42), (0.14, -0.56), (0.06, -0.74), (0.048, -0.97)],
    "beer": [(0.17, 0), (0.175, -0.03), (0.175, -0.5), (0.15, -0.6), (0.07, -0.76), (0.06, -0.96)],
    "water": [(0.17, 0), (0.175, -0.04), (0.16, -0.25), (0.175, -0.36), (0.175, -0.66), (0.08, -0.86), (0.07, -0.96)],
    "sauce": [(0.15, 0), (0.17, -0.1), (0.13, -0.5), (0.09, -0.7), (0.06, -0.8), (0.055, -0.96)],
    "spirit": [(0.2, 0), (0.205, -0.03), (0.205, -0.58), (0.19, -0.64), (0.07, -0.7), (0.06, -0.97)],
}
LIQUIDS = [
    (36, 84, 50),
    (60, 34, 26),
    (112, 66, 26),
    (150, 30, 40),
    (176, 206, 214),
    (214, 164, 60),
    (44, 70, 120),
    (226, 232, 230),
    (96, 132, 70),
]


def bottle(pen, rng):
    """A bottle: shoulders, neck and cap, a label, glass lit from one side."""
    profile = np.array(BOTTLES[pick(rng, sorted(BOTTLES))]) * (rng.uniform(0.92, 1.15), 1)
    color = vary(rng, pick(rng, LIQUIDS), 10)
    pen.glow(ellipse(0.06, 0.0, 0.26, 0.035), (10, 10, 14), 0.7, 0.03)
    pen.glow(ellipse(0.22, 0.01, 0.26, 0.03), (10, 10, 14), 0.35, 0.03)
    side = smooth(profile, 3, closed=False)
    outline = np.concatenate([side * (-1, 1), side[::-1]])
    dark, bright = lighten(color, -0.5), lighten(color, 0.25)
    pen.fill(outline, [dark, color, bright, color, color, lighten(color, -0.3), dark], axis="x")
    inside = pen.clipped(outline)
    wide = profile[1, 0]
    level = rng.uniform(-0.7, -0.5)
    inside.fill(box(-0.3, -1, 0.3, level), lighten(color, 0.45), alpha=0.4)
    inside.fill(ellipse(0, level, wide * 0.9, 0.015), lighten(color, 0.5), alpha=0.5)
    inside.fill(box(-0.3, -0.03, 0.3, 0.01), lighten(color, -0.6), alpha=0.6)
    label_low, label_high = rng.uniform(-0.18, -0.1), rng.uniform(-0.5, -0.4)
    paper = vary(
        rng, pick(rng, [(240, 234, 214), (236, 238, 236), (200, 50, 44), (40, 56, 96), (230, 190, 80), (34, 34, 36)]), 8
    )
    if rng.rand() < 0.85:
        tag = box(-0.3, label_high, 0.3, label_low)
        stops = [lighten(paper, f) for f in (-0.45, -0.05, 0.15, 0, -0.1, -0.3, -0.55)]
        inside.fill(tag, stops, axis="x")
        bottle_label(inside, rng, paper, wide, label_low, label_high)
    inside.fill(box(-wide * 0.72, -0.62, -wide * 0.5, -0.06, 0.03), (255, 255, 255), alpha=0.42, blur=0.006)
    inside.fill(box(-0.034, -0.94, -0.016, -0.72), (255, 255, 255), alpha=0.45, blur=0.004)
    inside.line(side * (0.93, 1), lighten(color, 0.55), 0.012, alpha=0.45)
    neck = profile[-1, 0]
    cap = vary(
        rng,
        pick(rng, [(150, 30, 36), (40, 40, 44), (200, 160, 70), (190, 194, 200), (178, 134, 92), (36, 90, 150)]),
        10,
    )
    low = -0.93 if rng.rand() < 0.6 else -0.82
    metal = [lighten(cap, f) for f in (-0.5, 0.1, 0.3, 0, -0.2, -0.55)]
    pen.fill(box(-neck * 1.12, -1.0, neck * 1.12, low, 0.012), metal, axis="x")
    pen.line([(-neck * 1.1, low), (neck * 1.1, low)], lighten(cap, -0.5), 0.012)


def bottle_label(pen, rng, paper, wide, low, high):
    """Bands, a crest and lines of print on a label."""
    ink = lighten(paper, -0.7) if paper.mean() > 110 else (226, 206, 150)
    accent = pick(rng, PAINTS)
    pen.fill(box(-0.3, high + 0.015, 0.3, high + 0.035), accent, alpha=0.85)
    pen.fill(box(-0.3, low - 0.035, 0.3, low - 0.015), accent, alpha=0.85)
    middle = (low + high) / 2
    pen.fill(ellipse(0, middle - 0.05, wide * 0.36), accent, alpha=0.85)
    for k, share in enumerate((0.6, 0.45, 0.52)):
        y = middle + 0.04 + 0.03 * k
        pen.line([(-wide * share, y), (wide * share, y)], ink, 0.011, alpha=0.8)


# ------------------------------------------------------------------------------------------ sheep

FLEECES = [
    (236, 230, 214),
    (226, 216, 194),
    (206, 196, 178),
    (240, 238, 230),
    (150, 134, 116),
    (92, 80, 72),
    (188, 186, 182),
]


def sheep(pen, rng):
    """A sheep: a woolly body with a scalloped edge on four thin legs; standing or grazing."""
    fleece = vary(rng, pick(rng, FLEECES), 8)
    dark = rng.rand() < 0.5
    skin = vary(
        rng, pick(rng, [(46, 42, 42), (66, 56, 50)] if dark else [(214, 190, 168), (196, 176, 158), (226, 214, 198)]), 8
    )
    graze = rng.rand() < 0.35
    pen.glow(ellipse(0, 0, 0.62, 0.06), (16, 22, 10), 0.6, 0.04)
    for x, far in ((-0.3, 1), (0.36, 1), (-0.42, 0), (0.24, 0)):
        tone = lighten(skin, -0.25) if far else skin
        foot = -0.03 if far else 0
        pen.fill(
            [(x - 0.05, -0.4), (x + 0.06, -0.4), (x + 0.04, foot), (x - 0.035, foot)],
            [lighten(tone, -0.3), tone],
            axis="x",
        )
        pen.fill(box(x - 0.045, foot - 0.055, x + 0.05, foot, 0.01), (30, 26, 24))
    if graze:
        neck = smooth([(0.3, -0.8), (0.66, -0.62), (0.84, -0.36), (0.66, -0.28), (0.36, -0.4)], 2)
        pen.fill(neck, [lighten(fleece, -0.05), lighten(fleece, -0.3)], rough=0.05)
    fleece_body(pen, rng, fleece)
    head = pick(rng, [sheep_head_side, sheep_head_front])
    if graze:
        sheep_head_side(pen, rng, 0.78, -0.24, 62, fleece, skin)
    else:
        head(pen, rng, 0.6, -0.86, 28, fleece, skin)


def fleece_body(pen, rng, fleece):
    """The wool: locks along the edge, then rows of curls, bright above and shaded below."""
    rx, ry, middle = 0.56, 0.31, -0.58
    pen.fill(ellipse(-0.58, -0.62, 0.09, 0.13, turn=20), lighten(fleece, -0.2), rough=0.06)
    low, high = lighten(fleece, -0.42), lighten(fleece, 0.3)
    for angle in np.linspace(0, 360, 19, endpoint=False) + rng.uniform(0, 19):
        x, y = rx * np.cos(np.radians(angle)), ry * np.sin(np.radians(angle))
        tone = mix(high, low, 0.5 + 0.5 * y / ry)
        pen.fill(
            ellipse(x, middle + y, rng.uniform(0.1, 0.135)), [lighten(tone, 0.1), lighten(tone, -0.12)], rough=0.05
        )
    pen.fill(ellipse(0, middle, rx * 1.02, ry * 1.04), [high, fleece, fleece, low], rough=0.06)
    for _ in range(75):
        angle, far = rng.uniform(0, 2 * np.pi), np.sqrt(rng.rand()) * 1.08
        x, y = rx * far * np.cos(angle), middle + ry * far * np.sin(angle)
        tone = mix(high, low, np.clip(0.5 + 0.55 * (y - middle) / ry, 0, 1))
        radius, start = rng.uniform(0.035, 0.07), rng.uniform(0, 360)
        pen.line(
            ellipse(x, y, radius, start=start, stop=start + 230, count=12),
            lighten(tone, -0.24),
            0.016,
            alpha=0.75,
            mark=False,
        )
        pen.line(
            ellipse(x - 0.01, y - 0.014, radius, start=start, stop=start + 160, count=10),
            lighten(tone, 0.35),
            0.014,
            alpha=0.6,
            mark=False,
        )


def sheep_head_side(pen, rng, x, y, turn, fleece, skin):
    """A head in profile at (x, y), its muzzle turned down by `turn` degrees."""
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))

    def at(points):
        points = np.asarray(points, float)
        return np.stack([x + points[:, 0] * c - points[:, 1] * s, y + points[:, 0] * s + points[:, 1] * c], 1)

    pen.fill(ellipse(x - 0.1, y + 0.08, 0.2, 0.19), lighten(fleece, -0.08), rough=0.06)
    face = smooth(
        [(-0.14, -0.1), (0.05, -0.15), (0.3, -0.07), (0.34, 0.02), (0.28, 0.1), (0.02, 0.15), (-0.14, 0.1)], 2
    )
    pen.fill(at(face), [lighten(skin, 0.2), lighten(skin, -0.25)])
    pen.fill(at(ellipse(-0.12, -0.03, 0.19, 0.06, turn=160)), [lighten(skin, 0.1), lighten(skin, -0.3)])
    pen.fill(at(ellipse(0.06, -0.05, 0.03)), (16, 14, 14))
    pen.fill(at(ellipse(0.05, -0.06, 0.01)), (250, 250, 250))
    pen.line(at([(0.3, 0.05), (0.2, 0.06)]), lighten(skin, -0.5), 0.016)
    pen.fill(at(ellipse(0.31, -0.02, 0.015)), lighten(skin, -0.6))
    for dx, dy in ((-0.14, -0.12), (-0.04, -0.15), (-0.17, -0.02)):
        pen.fill(at(ellipse(dx, dy, 0.08)), [lighten(fleece, 0.2), lighten(fleece, -0.15)], rough=0.06)


def sheep_head_front(pen, rng, x, y, _turn, fleece, skin):
    """A head that looks at the viewer: two ears out to the sides, a long face."""
    pen.fill(ellipse(x - 0.04, y + 0.06, 0.24, 0.23), lighten(fleece, -0.12), rough=0.06)
    for side in (-1, 1):
        pen.fill(
            ellipse(x + side * 0.22, y - 0.01, 0.13, 0.055, turn=side * 18), [lighten(skin, 0.15), lighten(skin, -0.3)]
        )
        pen.fill(ellipse(x + side * 0.22, y, 0.08, 0.028, turn=side * 18), mix(skin, (214, 150, 140), 0.45))
    face = smooth([(-0.15, -0.13), (0.15, -0.13), (0.13, 0.1), (0.07, 0.25), (-0.07, 0.25), (-0.13, 0.1)], 2)
    pen.fill(face + (x, y), [lighten(skin, 0.2), skin, lighten(skin, -0.25)])
    for side in (-1, 1):
        pen.fill(ellipse(x + side * 0.08, y + 0.01, 0.026, 0.03), (14, 12, 12))
        pen.fill(ellipse(x + side * 0.08 - 0.008, y, 0.009), (250, 250, 250))
        pen.fill(ellipse(x + side * 0.03, y + 0.19, 0.012), lighten(skin, -0.65))
    for dx, dy in ((-0.1, -0.13), (0.1, -0.13), (0, -0.17)):
        pen.fill(ellipse(x + dx, y + dy, 0.1), [lighten(fleece, 0.25), lighten(fleece, -0.12)], rough=0.06)


# ------------------------------------------------------------------------------------ televisions


def tvmonitor(pen, rng):
    """A television or monitor: an old set with knobs and aerial, or a flat screen on a stand."""
    pick(rng, [old_television, flat_monitor, flat_monitor, box_monitor])(pen, rng)


def screen(pen, rng, corners, dark=2):
    """What is on: a landscape, test bars, a desktop, a pitch, or (`dark` odds) nothing."""
    width, height = 1.5, 1.0
    face = pen.face(corners, width, height)
    face = face.clipped(box(0, 0, width, height, 0.04))
    kind = pick(rng, ["landscape", "bars", "desktop", "pitch"] + ["dark"] * dark)
    if kind == "landscape":
        face.fill(box(0, 0, width, height), [(70, 130, 210), (220, 226, 230), (240, 220, 180)])
        peaks = [(-0.2, 0.7), (0.3, 0.3), (0.6, 0.6), (1, 0.2), (1.7, 0.75), (1.7, 1.2), (-0.2, 1.2)]
        face.fill(smooth(peaks, 2), vary(rng, (90, 100, 110), 40))
        face.fill(box(0, 0.72, width, 1), [(90, 150, 70), (40, 80, 40)])
        face.fill(ellipse(1.2, 0.2, 0.09), (255, 244, 200))
    elif kind == "bars":
        tones = [
            (220, 220, 220),
            (220, 210, 40),
            (40, 200, 210),
            (40, 190, 60),
            (200, 50, 190),
            (200, 40, 40),
            (40, 50, 190),
        ]
        for k, tone in enumerate(tones):
            face.fill(box(k * width / 7, 0, (k + 1) * width / 7 + 0.01, 0.76), tone)
        face.fill(box(0, 0.76, width, 1), (30, 30, 34))
    elif kind == "desktop":
        face.fill(box(0, 0, width, height), [vary(rng, (60, 110, 170)), vary(rng, (30, 60, 110))])
        x, y = rng.uniform(0.08, 0.5), rng.uniform(0.08, 0.25)
        face.fill(box(x, y, x + 0.77, y + 0.6), (240, 240, 240))
        face.fill(box(x, y, x + 0.77, y + 0.08), vary(rng, (90, 90, 110), 50))
        for line in np.arange(y + 0.16, y + 0.55, 0.09):
            face.line([(x + 0.06, line), (x + rng.uniform(0.3, 0.7), line)], (120, 124, 130), 0.03)
        x, y = rng.uniform(0.05, 0.8), rng.uniform(0.35, 0.5)
        face.fill(box(x, y, x + 0.6, y + 0.4), vary(rng, (220, 210, 190), 35))
        face.fill(box(0, 0.92, width, 1), (40, 44, 54))
    elif kind == "pitch":
        face.fill(box(0, 0, width, height), [(60, 140, 60), (90, 180, 80)])
        face.line(ellipse(0.75, 0.5, 0.22, 0.16), (236, 240, 236), 0.025, closed=True)
        face.line([(0.75, 0), (0.75, 1)], (236, 240, 236), 0.025)
        face.fill(box(0.05, 0.05, 0.42, 0.14), (30, 30, 60))
    else:
        face.fill(box(0, 0, width, height), [(74, 84, 92), (34, 38, 44), (22, 24, 28)])
    face.fill([(0.12, 0), (0.5, 0), (0.1, 1), (-0.3, 1)], (255, 255, 255), alpha=0.13)
    face.fill(box(0, 0, width, height), [(255, 255, 255), (120, 130, 140)], alpha=0.07)


def old_television(pen, rng):
    """A tube television: deep cabinet, bulging screen, knobs, loudspeaker slots and an aerial."""
    color = vary(
        rng,
        pick(
            rng,
            [
                (134, 86, 48),
                (96, 62, 42),
                (60, 60, 64),
                (200, 196, 186),
                (176, 56, 46),
                (222, 160, 70),
                (120, 158, 150),
            ],
        ),
        10,
    )
    pen.glow(ellipse(0, 0, 0.72, 0.05), (10, 10, 14), 0.7, 0.04)
    if rng.rand() < 0.75:
        for x in (-0.36, 0.4):
            pen.line([(0, -0.9), (x, -1.32)], (150, 152, 158), 0.028)
            pen.fill(ellipse(x, -1.32, 0.03), (190, 192, 196))
        pen.fill(ellipse(0, -0.9, 0.13, 0.09), (50, 50, 54))
    for x in (-0.46, 0.46):
        pen.fill([(x - 0.05, -0.1), (x + 0.05, -0.1), (x + 0.04, 0), (x - 0.04, 0)], lighten(color, -0.5))
    pen.fill(box(-0.63, -0.9, 0.63, -0.06, 0.07), body_paint(color, 0.25, -0.35), axis="y", rough=0.03)
    pen.line(box(-0.6, -0.87, 0.6, -0.09, 0.06), lighten(color, 0.35), 0.018, closed=True)
    pen.fill(box(-0.55, -0.82, 0.3, -0.14, 0.1), (36, 36, 40))
    screen(pen, rng, [(-0.5, -0.77), (0.25, -0.77), (0.25, -0.19), (-0.5, -0.19)])
    pen.line(box(-0.51, -0.78, 0.26, -0.18, 0.09), (24, 24, 28), 0.035, closed=True)
    for y in (-0.72, -0.54):
        pen.fill(ellipse(0.45, y, 0.075), (40, 40, 44))
        pen.fill(ellipse(0.45, y, 0.06), [(230, 230, 226), (120, 120, 122)])
        pen.line([(0.45, y), (0.48, y - 0.05)], (40, 40, 44), 0.018)
    for y in np.arange(-0.42, -0.14, 0.055):
        pen.line([(0.36, y), (0.54, y)], lighten(color, -0.6), 0.022)


def flat_monitor(pen, rng):
    """A flat screen on a foot, seen from the front or turned a little."""
    frame = vary(rng, pick(rng, [(34, 34, 38), (54, 56, 60), (196, 198, 204), (230, 230, 228)]), 6)
    turn = rng.uniform(-0.1, 0.1)
    pen.glow(ellipse(0, 0.0, 0.6, 0.045), (10, 10, 14), 0.65, 0.04)
    pen.fill(box(-0.36, -0.06, 0.36, 0, 0.025), [lighten(frame, 0.3), lighten(frame, -0.3)])
    pen.fill(
        [(-0.07, -0.3), (0.07, -0.3), (0.1, -0.04), (-0.1, -0.04)],
        [lighten(frame, 0.2), lighten(frame, -0.25), lighten(frame, 0.1)],
        axis="x",
    )
    left, right = 0.9 - turn, 0.9 + turn
    middle = -0.58
    outer = [
        (-0.72, middle - 0.46 * left),
        (0.72, middle - 0.46 * right),
        (0.72, middle + 0.4 * right),
        (-0.72, middle + 0.4 * left),
    ]
    pen.fill(outer, [lighten(frame, 0.2), frame, lighten(frame, -0.2)])
    middle_point = np.mean(outer, 0)
    inner = middle_point + (np.array(outer) - middle_point) * (0.93, 0.88) - (0, 0.02)
    pen.fill(inner, (16, 16, 20))
    screen(pen, rng, inner)
    pen.line([outer[0], outer[1]], lighten(frame, 0.4), 0.012)
    pen.fill(ellipse(0.62, outer[2][1] - 0.045, 0.014), (90, 220, 120))


def box_monitor(pen, rng):
    """A tube computer monitor: deep housing seen from a corner, thick frame, round foot."""
    color = vary(rng, pick(rng, [(214, 206, 186), (200, 200, 196), (70, 72, 78), (180, 190, 200)]), 8)
    pen.glow(ellipse(0, 0, 0.6, 0.05), (10, 10, 14), 0.65, 0.04)
    pen.fill(ellipse(-0.03, -0.05, 0.42, 0.06), [lighten(color, 0.1), lighten(color, -0.4)])
    pen.fill([(-0.22, -0.18), (0.2, -0.18), (0.26, -0.06), (-0.3, -0.06)], lighten(color, -0.4))
    back = smooth([(-0.44, -0.98), (-0.44, -0.98), (-0.86, -0.86), (-0.88, -0.4), (-0.5, -0.16), (-0.5, -0.16)], 1)
    pen.fill(back, [lighten(color, -0.15), lighten(color, -0.45)], rough=0.02)
    for y in np.arange(-0.74, -0.4, 0.07):
        pen.line([(-0.8, y), (-0.6, y - 0.03)], lighten(color, -0.62), 0.022)
    pen.fill(box(-0.52, -1.0, 0.66, -0.13, 0.05), body_paint(color, 0.25, -0.22), rough=0.015)
    pen.fill(box(-0.43, -0.92, 0.57, -0.27, 0.06), lighten(color, -0.5))
    screen(pen, rng, [(-0.4, -0.89), (0.54, -0.89), (0.54, -0.3), (-0.4, -0.3)], 0)
    pen.line(box(-0.41, -0.9, 0.55, -0.29, 0.06), lighten(color, -0.6), 0.025, closed=True)
    for x in (0.3, 0.4):
        pen.fill(ellipse(x, -0.2, 0.025), lighten(color, -0.45))
    pen.fill(ellipse(0.52, -0.2, 0.02), (90, 220, 120))


# ----------------------------------------------------------------------------------------- plants

LEAVES = [
    (58, 122, 52),
    (86, 146, 62),
    (44, 98, 70),
    (110, 150, 70),
    (70, 110, 90),
    (130, 156, 96),
    (136, 70, 78),
    (150, 140, 70),
]


def pottedplant(pen, rng):
    """A plant in a pot; the leaves may be broad, upright, hanging over or a flowering bush."""
    pen.glow(ellipse(0.05, 0, 0.34, 0.04), (10, 10, 14), 0.65, 0.03)
    kind = pick(rng, [broad_leaves, blades, fronds, flowering_bush, broad_leaves])
    green = vary(rng, pick(rng, LEAVES), 12)
    top = -rng.uniform(0.34, 0.44)
    kind(pen, rng, green, top + 0.03)
    pen.close_gaps(3)
    pot(pen, rng, top)


def pot(pen, rng, top):
    """A tapering, round or square pot with rim and pattern."""
    color = vary(
        rng,
        pick(
            rng,
            [
                (186, 96, 60),
                (200, 116, 76),
                (232, 228, 218),
                (70, 96, 130),
                (90, 92, 96),
                (210, 170, 90),
                (120, 150, 140),
            ],
        ),
        10,
    )
    wide = rng.uniform(0.2, 0.26)
    stops = [lighten(color, f) for f in (-0.35, 0.1, 0.28, 0.02, -0.2, -0.5)]
    kind = pick(rng, ["taper", "taper", "round", "square"])
    if kind == "round":
        outline = smooth(
            [
                (-wide, top),
                (-wide, top),
                (-wide * 1.25, top * 0.5),
                (-wide * 0.75, 0),
                (-wide * 0.75, 0),
                (wide * 0.75, 0),
                (wide * 0.75, 0),
                (wide * 1.25, top * 0.5),
                (wide, top),
                (wide, top),
            ],
            2,
        )
    else:
        foot = 0.68 if kind == "taper" else 0.92
        outline = [(-wide, top), (wide, top), (wide * foot, 0), (-wide * foot, 0)]
    pen.fill(outline, stops, axis="x", rough=0.025)
    inside = pen.clipped(outline)
    band = vary(rng, pick(rng, PAINTS))
    if rng.rand() < 0.5:
        for x in np.arange(-0.3, 0.3, 0.08):
            y = top * 0.45
            inside.line([(x, y), (x + 0.04, y + 0.05), (x + 0.08, y)], band, 0.02, mark=False)
    rim = -0.085 if kind == "taper" else -0.05
    pen.fill(box(-wide * 1.13, top + rim * 0.5, wide * 1.13, top - rim * 0.6, 0.015), stops, axis="x")
    inside.fill(box(-0.4, top - rim * 0.6, 0.4, top - rim * 0.6 + 0.03), (0, 0, 0), alpha=0.25)


def shaded_leaf(pen, rng, x, y, length, width, angle, color, bend=0.0):
    """One leaf with a bright and a dark half and a rib."""
    first, second = leaf(x, y, length, width, angle, bend)
    tone = lighten(color, rng.uniform(-0.22, 0.16))
    pen.fill(first, [lighten(tone, 0.22), tone], rough=0.03)
    pen.fill(second, [tone, lighten(tone, -0.3)], rough=0.03)
    pen.line(first[-12:], lighten(tone, 0.35), 0.009, alpha=0.7, mark=False)


def broad_leaves(pen, rng, green, top):
    """Large leaves on short stems that fan out from the pot."""
    count = rng.randint(11, 16)
    wide = rng.uniform(0.15, 0.22)
    angles = np.linspace(-172, -8, count) + rng.uniform(-6, 6, count)
    order = np.argsort(np.sin(np.radians(angles)))
    for k in order:
        angle = angles[k]
        stem = rng.uniform(0.06, 0.2)
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        x, y = 0.06 * c + stem * c * 0.7, top + stem * s
        pen.line([(0, top), (x, y)], lighten(green, -0.35), 0.025)
        length = rng.uniform(0.34, 0.46) * (1 + 0.25 * abs(s))
        shaded_leaf(pen, rng, x, y, length, wide, angle, green, 0.2 * np.sign(c) * abs(c))
    for angle in rng.uniform(-130, -50, 3):
        shaded_leaf(pen, rng, 0, top, rng.uniform(0.26, 0.34), wide, angle, lighten(green, 0.1))


def blades(pen, rng, green, top):
    """Upright sword-shaped leaves with pale edges."""
    edge = vary(rng, pick(rng, [(206, 200, 110), (190, 206, 160), (150, 180, 110)]))
    count = rng.randint(8, 12)
    for angle in rng.permutation(np.linspace(-122, -58, count)):
        length = rng.uniform(0.42, 0.68)
        x = 0.14 * np.cos(np.radians(angle)) * 2
        width, bend = rng.uniform(0.1, 0.14), rng.uniform(-0.12, 0.12)
        both = np.concatenate(leaf(x, top + 0.04, length, width, angle, bend))
        first, second = leaf(x, top + 0.04, length, width * 0.68, angle, bend)
        pen.fill(both, edge)
        tone = lighten(green, rng.uniform(-0.25, 0.1))
        pen.fill(first, [lighten(tone, 0.2), tone], rough=0.05)
        pen.fill(second, [tone, lighten(tone, -0.28)], rough=0.05)


def fronds(pen, rng, green, top):
    """Arching fronds with broad leaflets, as of a palm or fern."""
    count = rng.randint(8, 11)
    for k, lean in enumerate(rng.permutation(np.linspace(-1, 1, count))):
        reach, rise = 0.58 * lean, 0.62 - 0.26 * abs(lean) + rng.uniform(-0.05, 0.05)
        t = np.linspace(0, 1, 9)
        xs = 0.05 * lean + reach * t
        ys = top - rise * np.sin(np.pi * 0.5 * np.minimum(t * 1.35, 1.9))
        tone = lighten(green, rng.uniform(-0.2, 0.12))
        pen.line(np.stack([xs, ys], 1), lighten(tone, -0.3), 0.022)
        for j in range(2, 9):
            way = np.degrees(np.arctan2(ys[j] - ys[j - 1], xs[j] - xs[j - 1]))
            for side in (-52, 52):
                length = 0.17 * (1.15 - 0.5 * t[j])
                shaded_leaf(pen, rng, xs[j], ys[j], length, 0.07, way + side, tone)
        if k == 0:
            shaded_leaf(pen, rng, xs[-1], ys[-1], 0.16, 0.07, way, tone)


def flowering_bush(pen, rng, green, top):
    """A round bush of small leaves with flowers."""
    petal = vary(
        rng,
        pick(rng, [(214, 60, 70), (236, 120, 160), (246, 214, 90), (240, 236, 232), (150, 90, 190), (240, 140, 60)]),
    )
    middle, radius = top - 0.26, rng.uniform(0.3, 0.36)
    pen.fill(
        ellipse(0, middle + 0.04, radius * 0.9, radius * 0.86), [lighten(green, -0.1), lighten(green, -0.5)], rough=0.06
    )
    for _ in range(75):
        angle, far = rng.uniform(0, 2 * np.pi), radius * np.sqrt(rng.rand())
        x, y = far * np.cos(angle), middle + far * np.sin(angle)
        tone = lighten(green, 0.25 - 0.55 * (y - middle + radius) / (2 * radius))
        shaded_leaf(pen, rng, x, y, rng.uniform(0.1, 0.15), 0.07, rng.uniform(0, 360), tone)
    for _ in range(rng.randint(7, 12)):
        angle, far = rng.uniform(0, 2 * np.pi), radius * 0.92 * np.sqrt(rng.rand())
        x, y = far * np.cos(angle), middle + far * np.sin(angle)
        size = rng.uniform(0.035, 0.05)
        for k in range(5):
            turn = 72 * k + angle * 57
            px, py = ellipse(x, y, size, start=turn, stop=turn + 1, count=1)[0]
            pen.fill(ellipse(px, py, size * 0.75), [lighten(petal, 0.2), lighten(petal, -0.15)])
        pen.fill(ellipse(x, y, size * 0.5), (240, 200, 70))


CLASSES = {
    "aeroplane": aeroplane,
    "boat": boat,
    "bottle": bottle,
    "bus": bus,
    "car": car,
    "pottedplant": pottedplant,
    "sheep": sheep,
    "tvmonitor": tvmonitor,
}
