"""The eight kinds of object in the small data set, each drawn by one function in several variants.

Every function takes a pen whose units are the object's own: x to the right, y down. Things that
stand have their foot at y = 0, boats their waterline, aeroplanes their middle. The unit is about
half the object's length (vehicles, aeroplanes, boats) or its height (bottle, plant, sheep, TV).
A shape covers those drawn before it, so the order of the calls is the order from back to front.
"""

import numpy as np
from voc_mini_pen import box, ellipse, leaf, lighten, mix, pick, smooth, vary

PAINTS = [(178, 38, 40), (38, 76, 150), (214, 214, 210), (52, 56, 64), (150, 156, 164),
          (34, 104, 78), (226, 178, 60), (120, 168, 200), (206, 110, 50), (122, 44, 70),
          (232, 226, 206), (70, 130, 136)]
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
        outline=[(-.98, -.16), (-1, -.42), (-.95, -.53), (-.66, -.57), (-.4, -.83), (-.1, -.87),
                 (.16, -.83), (.48, -.57), (.86, -.5), (.98, -.4), (1, -.22), (.96, -.14)],
        glass=[(-.58, -.57), (-.37, -.78), (-.1, -.81), (.13, -.78), (.38, -.56)],
        pillars=[-.08], doors=[-.46, -.08, .36], radius=.205, wheels=(-.6, .62)),
    "hatchback": dict(
        outline=[(-.86, -.16), (-.9, -.48), (-.82, -.78), (-.66, -.9), (-.1, -.94), (.16, -.88),
                 (.46, -.6), (.82, -.51), (.93, -.4), (.95, -.2), (.9, -.14)],
        glass=[(-.76, -.58), (-.68, -.82), (-.1, -.87), (.12, -.82), (.36, -.58)],
        pillars=[-.42, -.02], doors=[-.42, -.02, .36], radius=.21, wheels=(-.54, .58)),
    "estate": dict(
        outline=[(-.98, -.16), (-1, -.5), (-.9, -.8), (-.8, -.86), (-.1, -.88), (.16, -.83),
                 (.48, -.58), (.86, -.5), (.98, -.4), (1, -.22), (.96, -.14)],
        glass=[(-.88, -.57), (-.8, -.77), (-.1, -.81), (.12, -.78), (.38, -.57)],
        pillars=[-.5, -.06], doors=[-.48, -.06, .36], radius=.205, wheels=(-.6, .62)),
    "jeep": dict(
        outline=[(-.93, -.22), (-.95, -.6), (-.9, -1.0), (-.8, -1.05), (.12, -1.05), (.36, -.7),
                 (.86, -.66), (.95, -.56), (.96, -.26), (.92, -.2)],
        glass=[(-.84, -.68), (-.82, -.96), (.08, -.97), (.28, -.68)],
        pillars=[-.42, -.04], doors=[-.42, -.04, .32], radius=.25, wheels=(-.56, .6)),
    "van": dict(
        outline=[(-.95, -.16), (-.97, -.6), (-.94, -1.06), (-.8, -1.12), (.2, -1.12), (.42, -1.0),
                 (.68, -.64), (.92, -.52), (.98, -.34), (.97, -.18)],
        glass=[(-.86, -.66), (-.86, -1.0), (.2, -1.0), (.34, -.93), (.56, -.64)],
        pillars=[-.46, -.02], doors=[-.02, .44], radius=.2, wheels=(-.58, .62)),
    "pickup": dict(
        outline=[(-1, -.22), (-1.02, -.4), (-1.02, -.6), (-1.02, -.6), (-.3, -.6), (-.3, -.6),
                 (-.27, -.92), (-.2, -.96), (.1, -.96), (.4, -.62), (.88, -.57), (.98, -.46),
                 (.99, -.24), (.94, -.18)],
        glass=[(-.2, -.61), (-.18, -.88), (.06, -.89), (.3, -.61)],
        pillars=[.02], doors=[-.24, .3], radius=.23, wheels=(-.62, .6)),
    "beetle": dict(
        outline=[(-.92, -.18), (-.98, -.4), (-.78, -.72), (-.42, -.95), (0, -.98), (.26, -.84),
                 (.4, -.62), (.74, -.58), (.94, -.4), (.95, -.2), (.9, -.14)],
        glass=[(-.5, -.62), (-.4, -.84), (-.04, -.89), (.16, -.8), (.28, -.62)],
        pillars=[-.1], doors=[-.12, .32], radius=.22, wheels=(-.58, .58)),
}


def car(pen, rng):
    """A car, mostly from the side (facing right), now and then from the front."""
    if rng.rand() < 0.14:
        car_front(pen, rng)
        return
    shape = CARS[pick(rng, sorted(CARS))]
    color = vary(rng, pick(rng, PAINTS))
    radius = shape["radius"]
    pen.glow(ellipse(0, 0, 1.05, .09), (12, 12, 16), 0.75, 0.05)
    pen.fill(box(-.8, -.3, .84, -.1), (24, 24, 28))
    outline = smooth(shape["outline"], 2)
    pen.fill(outline, body_paint(color), rough=0.012)
    car_glass(pen, rng, shape, color)
    for x in shape["doors"]:
        pen.line([(x, -.55), (x + .02, -.2)], lighten(color, -.5), .014)
        pen.fill(box(x - .14, -.5, x - .06, -.475), lighten(color, -.45))
    sill = smooth([(-.96, -.43), (0, -.46), (.97, -.41)], 2, closed=False)
    pen.line(sill, lighten(color, .45), .02, alpha=.7)
    pen.fill(box(-.94, -.2, .94, -.14, .02), lighten(color, -.55))
    bumper = lighten(color, -.5) if rng.rand() < .5 else (176, 178, 182)
    pen.fill(box(-1.03, -.3, -.86, -.21, .03), bumper)
    pen.fill(box(.84, -.29, 1.02, -.2, .03), bumper)
    pen.fill(ellipse(.91, -.41, .065, .05), [(255, 255, 240), (206, 206, 190)])
    pen.fill(box(-1.0, -.47, -.93, -.36, .02), [(226, 60, 48), (140, 16, 20)])
    for x in shape["wheels"]:
        pen.fill(ellipse(x, -radius, radius * 1.2, start=180, stop=360), (22, 22, 26))
        wheel(pen, rng, x, -radius, radius)
    pen.light(1.0, 1.0, 1.03, 0.95)


def car_glass(pen, rng, shape, color):
    """Side windows with the sky's reflection, a head rest or two, and the posts between."""
    glass = smooth(shape["glass"], 1)
    pen.fill(glass, lighten(color, -.6))
    middle = np.mean(shape["glass"], 0)
    inner = smooth([middle + (np.array(p) - middle) * (.95, .88) for p in shape["glass"]], 1)
    pen.fill(inner, GLASS)
    inside = pen.clipped(inner)
    for x in (middle[0] - .22, middle[0] + .2):
        inside.fill(box(x - .06, -.72, x + .06, -.3, .05), (36, 40, 46), alpha=.75)
    x = middle[0] + rng.uniform(-.3, .2)
    inside.fill([(x, -1.2), (x + .16, -1.2), (x - .12, -.4), (x - .28, -.4)],
                (255, 255, 255), alpha=.3)
    for x in shape["pillars"]:
        inside.line([(x - .02, -1.2), (x + .02, -.5)], lighten(color, -.45), .05)


def car_front(pen, rng):
    """A car from the front: windscreen, two lamps, grille and number plate."""
    color = vary(rng, pick(rng, PAINTS))
    pen.glow(ellipse(0, 0, .75, .08), (12, 12, 16), 0.75, 0.05)
    for side in (-1, 1):
        pen.fill(box(side * .52 - .11, -.34, side * .52 + .11, 0, .05), RUBBER)
        pen.fill(ellipse(side * .66, -.7, .09, .06), lighten(color, -.2))
    body = smooth([(-.66, -.14), (-.68, -.5), (-.56, -.68), (-.4, -1.02), (0, -1.08), (.4, -1.02),
                   (.56, -.68), (.68, -.5), (.66, -.14)], 2)
    pen.fill(body, body_paint(color))
    screen = smooth([(-.5, -.69), (-.37, -.96), (0, -1.0), (.37, -.96), (.5, -.69), (0, -.66)], 1)
    pen.fill(screen, lighten(color, -.6))
    screen = screen * (.94, 1) + (0, .012)
    pen.fill(screen, GLASS)
    pen.clipped(screen).fill([(-.1, -1.1), (.1, -1.1), (-.12, -.6), (-.36, -.6)],
                             (255, 255, 255), alpha=.28)
    pen.line(smooth([(-.56, -.62), (0, -.58), (.56, -.62)], 2, False), lighten(color, .4), .02)
    pen.fill(box(-.28, -.46, .28, -.32, .04), (30, 30, 34))
    for y in (-.42, -.39, -.36):
        pen.line([(-.26, y), (.26, y)], (150, 150, 154), .014)
    for side in (-1, 1):
        pen.fill(ellipse(side * .47, -.44, .12, .085), (120, 120, 124))
        pen.fill(ellipse(side * .47, -.44, .1, .07), [(255, 255, 246), (196, 200, 196)])
    pen.fill(box(-.64, -.26, .64, -.15, .04), lighten(color, -.45))
    pen.fill(box(-.17, -.27, .17, -.18), (236, 236, 226))
    pen.line([(-.12, -.225), (.12, -.225)], (60, 60, 60), .03)


# ------------------------------------------------------------------------------------------ buses

def bus(pen, rng):
    """A bus: a long box with a row of windows; flat from the side or from a front corner."""
    color = vary(rng, pick(rng, PAINTS))
    second = vary(rng, pick(rng, [(236, 234, 226), (44, 52, 70), (238, 190, 70), (190, 44, 40)]))
    decks = 2 if rng.rand() < .22 else 1
    pen.glow(box(-1.02, -.05, 1.02, .05, .04), (12, 12, 16), 0.75, 0.05)
    if rng.rand() < .55:
        style = dict(decks=decks, color=color, second=second, nose=True)
        height = .72 if decks == 1 else 1.08
        bus_side(pen.face([(-1, -height), (1, -height), (1, 0), (-1, 0)], 2, height),
                 rng, 2, height, style)
    else:
        style = dict(decks=decks, color=color, second=second, nose=False)
        top = .86 if decks == 1 else 1.22
        side = [(-1, -top * .76), (.42, -top), (.42, 0), (-1, -.1)]
        front = [(.42, -top), (.98, -top * .9), (.98, -.05), (.42, 0)]
        bus_side(pen.face(side, 2, .8 * decks**.55), rng, 2, .8 * decks**.55, style)
        bus_front(pen.face(front, 1, 1.2 * decks**.5), rng, 1, 1.2 * decks**.5, style)
        pen.line([(.42, -top), (.42, -.1)], lighten(color, .35), .014)


def bus_side(pen, rng, width, height, style):
    """The long side of a bus in a frame of (0..width, 0..height), the front at the right."""
    color, second = style["color"], style["second"]
    corner = .07 if style["nose"] else .015
    floor = height - .12
    pen.fill(box(.05, floor - .06, width - .05, floor + .04), (24, 24, 28))
    pen.fill(box(0, 0, width, floor, corner), body_paint(color, .2, -.3), rough=.012)
    pen.fill(box(.02, .0, width - .02, .05, .02), lighten(second, .1))
    stripe = floor - rng.uniform(.14, .2)
    pen.fill(box(0, stripe, width, stripe + .075), second)
    tops = [.1] if style["decks"] == 1 else [.08, height * .47]
    glass_height = .28 if style["decks"] == 1 else .24
    count = rng.randint(6, 9)
    for top in tops:
        pen.fill(box(.05, top - .02, width - .04, top + glass_height + .02, .03), (36, 40, 46))
        edges = np.linspace(.06, width - .06, count + 1)
        for left, right in zip(edges[:-1], edges[1:], strict=True):
            pane = box(left + .012, top, right - .012, top + glass_height, .02)
            pen.fill(pane, [lighten(GLASS[0], rng.uniform(-.1, .2)), GLASS[1], GLASS[2]])
            low = top + glass_height - .02
            pen.fill([(left + .05, top + .01), (left + .1, top + .01), (left + .05, low),
                      (left + .02, low)], (255, 255, 255), alpha=.28)
            if rng.rand() < .55:
                pen.fill(box(left + .06, top + glass_height * .55, left + .13, top + glass_height,
                             .03), (44, 48, 56), alpha=.8)
    bus_doors(pen, width, tops[-1], floor, lighten(color, -.3))
    radius = .135
    for x in (.24 * width, .74 * width):
        pen.fill(ellipse(x, height - radius, radius * 1.28, start=180, stop=360), (22, 22, 26))
        wheel(pen, rng, x, height - radius, radius, 6)
    pen.fill(ellipse(width - .05, floor - .1, .035, .04), (250, 246, 220))
    pen.fill(box(.01, floor - .16, .04, floor - .06), (196, 36, 34))


def bus_doors(pen, width, top, floor, frame):
    """Two folding doors: at the front end and in the middle."""
    for x in (.86 * width, .5 * width):
        pen.fill(box(x - .1, top - .01, x + .1, floor - .02, .01), frame)
        for left in (x - .09, x + .005):
            pen.fill(box(left, top + .01, left + .085, floor - .04, .01), GLASS)


def bus_front(pen, rng, width, height, style):
    """The front of a bus: big windscreen, destination board, lamps and plate."""
    color, second = style["color"], style["second"]
    pen.fill(box(.08, height - .16, width - .05, height - .02), RUBBER)
    pen.fill(box(0, 0, width, height - .1, .03), body_paint(lighten(color, -.12), .15, -.3))
    pen.fill(box(.08, .04, width - .08, .15, .02), (26, 26, 28))
    pen.line([(.22, .095), (width - .2, .095)], (250, 190, 60), .05)
    rows = [.2] if style["decks"] == 1 else [.2, height * .5]
    for top in rows:
        deep = height * (.42 if style["decks"] == 1 else .24)
        pen.fill(box(.05, top, width - .05, top + deep, .04), (30, 32, 36))
        pen.fill(box(.08, top + .02, width - .08, top + deep - .02, .03), GLASS)
        pen.line([(width / 2, top), (width / 2, top + deep)], (30, 32, 36), .025)
        low = top + deep - .04
        pen.fill([(.2, top + .03), (.36, top + .03), (.26, low), (.1, low)], (255, 255, 255),
                 alpha=.28)
    pen.fill(box(0, height - .3, width, height - .23), second)
    for x in (.14, width - .14):
        pen.fill(ellipse(x, height - .25, .085, .075), (90, 90, 94))
        pen.fill(ellipse(x, height - .25, .065, .058), [(255, 255, 240), (206, 206, 190)])
    pen.fill(box(.02, height - .17, width - .02, height - .1, .02), lighten(color, -.5))
    pen.fill(box(.36, height - .19, .64, height - .12), (238, 236, 226))


# ------------------------------------------------------------------------------------- aeroplanes

def aeroplane(pen, rng, where="high"):
    """An aeroplane from the side or, where it flies "high", also from below or above.

    `where` is "ground" (it stands on its wheels), "low" or "high".
    """
    if where == "high" and rng.rand() < .55:
        planform(pen.turned(rng.uniform(-60, 60)), rng, rng.uniform(.7, 1.0))
    else:
        draw = airliner if rng.rand() < .65 else light_aircraft
        draw(pen, rng, where == "ground")


LIVERIES = [(236, 238, 240), (206, 212, 220), (232, 222, 200), (160, 174, 190), (120, 128, 138)]


def airliner(pen, rng, grounded):
    """An airliner from the side, its nose to the right; the near wing sweeps down to the left."""
    color = vary(rng, pick(rng, LIVERIES), 8)
    accent = vary(rng, pick(rng, PAINTS[:10]))
    dark = lighten(color, -.35)
    if grounded:
        pen.glow(ellipse(0, .36, 1.0, .05), (12, 12, 16), .65, .04)
        for x in (-.12, .72):
            pen.fill(box(x - .015, .08, x + .015, .32), (90, 92, 98))
            for dx in (-.05, .05):
                pen.fill(ellipse(x + dx, .31, .055), RUBBER)
                pen.fill(ellipse(x + dx, .31, .022), (170, 170, 174))
    pen.fill([(.22, -.1), (-.2, -.48), (-.33, -.48), (-.18, -.08)], [dark, lighten(color, -.2)])
    pen.fill(smooth([(-.58, -.12), (-.58, -.12), (-.88, -.55), (-.9, -.56), (-1.04, -.56),
                     (-.97, -.1), (-.97, -.1)], 1), [lighten(accent, .15), lighten(accent, -.3)])
    pen.fill(ellipse(-.9, -.38, .055), lighten(color, .2))
    hull = smooth([(1, .03), (.96, -.08), (.84, -.16), (.6, -.195), (-.6, -.19), (-1.06, -.13),
                   (-1.06, -.08), (-.55, .175), (.7, .185), (.93, .13)], 3)
    pen.fill(hull, [lighten(color, .35), color, lighten(color, -.18), lighten(color, -.5)])
    inside = pen.clipped(hull)
    inside.fill(box(-1.1, .0, 1.1, .04), accent)
    for x in np.arange(-.62, .72, .075):
        pen.fill(box(x, -.07, x + .036, -.02, .012), (44, 56, 72))
    inside.fill([(.8, -.16), (.84, -.06), (.97, -.05), (.92, -.16)], (40, 52, 68))
    for x in (-.7, .7):
        pen.line(box(x, -.08, x + .05, .06), lighten(color, -.4), .01, closed=True)
    pen.fill([(-.74, -.06), (-1.04, .04), (-1.13, .04), (-1.0, -.07)], [color, dark])
    engine = smooth([(.2, .14), (.22, .26), (.16, .29), (-.08, .27), (-.12, .2), (-.06, .13)], 2)
    pen.fill(engine, [lighten(color, .1), lighten(color, -.5)])
    pen.fill(ellipse(.19, .21, .03, .07), (40, 42, 48))
    tip = (-.48, .46) if not grounded and rng.rand() < .6 else (-.42, .3)
    pen.fill([(.26, .05), tip, (tip[0] - .17, tip[1]), (-.3, .07)],
             [lighten(color, .25), lighten(color, -.22)])
    pen.line([(.26, .05), tip], lighten(color, .5), .015)


def light_aircraft(pen, rng, grounded):
    """A small propeller aircraft from the side: high wing, cabin, fixed wheels."""
    color = vary(rng, pick(rng, LIVERIES[:3] + PAINTS[:2] + PAINTS[6:9]))
    accent = vary(rng, pick(rng, PAINTS[:6]))
    if grounded:
        pen.glow(ellipse(.1, .42, .9, .05), (12, 12, 16), .65, .04)
    pen.fill(smooth([(-.66, -.1), (-.86, -.5), (-.92, -.52), (-1.04, -.5), (-1.0, -.04)], 1),
             [lighten(accent, .1), lighten(accent, -.3)])
    for x, y in ((.12, .34), (.68, .35)):
        pen.line([(x + (.05 if x < .5 else -.05), .1), (x, y)], (96, 98, 104), .04)
        pen.fill(ellipse(x, y, .085), RUBBER)
        pen.fill(ellipse(x, y, .035), (180, 180, 184))
    hull = smooth([(.84, -.12), (.86, .08), (.6, .2), (.1, .2), (-1.02, .02), (-1.04, -.1),
                   (-.2, -.2), (-.02, -.42), (.3, -.42), (.44, -.2)], 2)
    pen.fill(hull, [lighten(color, .3), color, lighten(color, -.25), lighten(color, -.45)])
    pen.clipped(hull).fill([(-1.1, -.06), (1, .02), (1, .08), (-1.1, .0)], accent)
    pen.fill(smooth([(-.1, -.2), (.0, -.36), (.27, -.37), (.39, -.19)], 1), GLASS)
    pen.line([(.13, -.4), (.13, -.18)], color, .04)
    pen.fill([(-.66, -.1), (-.98, -.04), (-1.14, -.06), (-.98, -.13)],
             [color, lighten(color, -.4)])
    pen.line([(.2, .12), (.14, -.4)], lighten(color, -.5), .035)
    wing = smooth([(-.28, -.38), (-.3, -.4), (-.2, -.5), (.4, -.5), (.5, -.43), (.46, -.36)], 2)
    pen.fill(wing, [lighten(color, .35), lighten(color, -.35)])
    pen.fill(smooth([(.84, -.1), (.94, -.02), (.84, .06)], 1), lighten(accent, -.1))
    pen.fill(ellipse(.92, -.02, .03, .34), (214, 216, 222), alpha=.45)
    pen.line([(.92, -.34), (.92, .3)], (64, 60, 60), .035)


def planform(pen, rng, spread):
    """An aeroplane from below or above, its nose to the right; `spread` foreshortens the wings."""
    color = vary(rng, pick(rng, LIVERIES), 8)
    accent = vary(rng, pick(rng, PAINTS[:10]))
    kind = pick(rng, ["jet", "jet", "jet", "propeller", "delta"])
    span, root, sweep, chord = {"jet": (.95, .36, .6, .16), "propeller": (1.0, .42, .1, .3),
                                "delta": (.66, .4, .95, .12)}[kind]
    thick = .155 if kind == "jet" else .135
    span *= spread
    for side, shade in ((-1, .12), (1, -.16)):
        near, far = lighten(color, shade), lighten(color, shade - .12)
        trail = {"jet": root - .52, "propeller": root - .5, "delta": -.62}[kind]
        wing = [(root, 0), (root - sweep, side * span), (root - sweep - chord, side * span),
                (trail, side * .1), (trail, 0)]
        pen.fill(wing, [near, far], axis="x")
        pen.line(wing[:2], lighten(color, .35), .02)
        pen.line([(root - sweep - chord, side * span), wing[3]], lighten(color, -.35), .02)
        tail = [(-.68, 0), (-.93, side * .38 * spread), (-1.06, side * .38 * spread), (-.95, 0)]
        pen.fill(tail, [lighten(accent, .1), lighten(accent, -.1)], axis="x")
        if kind == "jet":
            for share in [.36] if rng.rand() < .7 else [.3, .6]:
                x, y = root - sweep * share + .05, side * span * share
                pen.fill(box(x - .16, y - .055, x + .08, y + .055, .05),
                         [lighten(color, .2), lighten(color, -.5)])
    if kind == "propeller":
        pen.fill(ellipse(.84, 0, .025, .36), (220, 222, 226), alpha=.5)
    hull = smooth([(1.0, 0), (.94, -thick * .7), (.72, -thick), (-.5, -thick), (-1.08, -.035),
                   (-1.08, .035), (-.5, thick), (.72, thick), (.94, thick * .7)], 2)
    pen.fill(hull, [lighten(color, .3), color, lighten(color, -.45)])
    pen.line([(-1.08, 0), (-.66, 0)], accent, .05)
    if kind == "delta" or kind == "propeller":
        x = .5 if kind == "delta" else .42
        pen.fill(ellipse(x, 0, .17, .075), [lighten(GLASS[0], .1), GLASS[2]])
    else:
        pen.fill([(.88, -.07), (.93, -.05), (.93, .05), (.88, .07), (.84, 0)], (48, 58, 72))


# ------------------------------------------------------------------------------------------ boats

def boat(pen, rng):
    """A sailing boat, motor boat, rowing boat or fishing boat with its waterline at y = 0."""
    kind = pick(rng, [sailing_boat, sailing_boat, motor_boat, fishing_boat, rowing_boat])
    kind(pen, rng)


def hull(pen, outline, color, band):
    """A shaded hull with a rubbing strake and a band at the waterline."""
    shape = smooth(outline, 2)
    pen.fill(shape, [lighten(color, .2), color, lighten(color, -.45)], rough=.012)
    inside = pen.clipped(shape)
    inside.fill(box(-1.3, -.06, 1.3, .2), lighten(band, -.15))
    top = np.array(outline)
    top = top[top[:, 1] < top[:, 1].max() - .12]
    inside.line(top + (0, .05), lighten(color, .5), .03, alpha=.8)
    return inside


def foam(pen, rng, left, right, strength=.75):
    """Broken white water along the waterline; it covers a little of the hull."""
    for x in np.linspace(left, right, 14):
        pen.glow(ellipse(x + rng.uniform(-.05, .05), .045, rng.uniform(.06, .13), .025),
                 (236, 244, 248), strength * rng.uniform(.4, 1), .012)


def sailing_boat(pen, rng):
    """A yacht: low hull, mast, mainsail and jib filled by the wind."""
    color = vary(rng, pick(rng, PAINTS))
    cloth = vary(rng, pick(rng, [(240, 238, 228), (240, 238, 228), (226, 206, 168), (186, 60, 48),
                                 (70, 110, 160), (236, 196, 90)]), 8)
    outline = [(-.68, .05), (-.76, -.16), (-.76, -.16), (0, -.2), (.92, -.25), (.92, -.25),
               (.62, .05)]
    hull(pen, outline, color, pick(rng, PAINTS))
    pen.fill(smooth([(-.3, -.18), (-.24, -.32), (.26, -.32), (.4, -.2)], 1),
             [(246, 244, 236), (190, 188, 180)])
    for x in (-.14, .02, .18):
        pen.fill(ellipse(x, -.25, .035), (52, 66, 84))
    height = rng.uniform(1.6, 1.95)
    pen.line([(.08, -.2), (.08, -height - .05)], (96, 76, 60), .045)
    pen.line([(.08, -.38), (-.72, -.35)], (96, 76, 60), .035)
    belly = rng.uniform(.04, .16)
    main = np.concatenate([[(.05, -height)], smooth([(.05, -height), (-.3 - belly, -height * .55),
                                                     (-.72, -.4)], 3, False), [(.05, -.42)]])
    pen.fill(main, [lighten(cloth, .25), cloth, lighten(cloth, -.25)], axis="x", rough=.015)
    jib = np.concatenate([smooth([(.12, -height * .93), (.62 + belly, -height * .4), (.88, -.3)], 3,
                                 False), smooth([(.88, -.3), (.4, -.36), (.14, -.38)], 2, False)])
    second = cloth if rng.rand() < .6 else vary(rng, pick(rng, PAINTS))
    pen.fill(jib, [lighten(second, -.22), lighten(second, .2), second], axis="x", rough=.015)
    for share in (.25, .45, .65, .83):
        y = -height + (height - .4) * share
        pen.clipped(main).line([(-.9, y + .05), (.06, y)], lighten(cloth, -.3), .014)
        pen.clipped(jib).line([(.1, y), (1, y + .1)], lighten(second, -.3), .012)
    if rng.rand() < .5:
        pen.fill([(.08, -height - .05), (-.14, -height), (.08, -height + .04)], pick(rng, PAINTS))
    foam(pen, rng, -.7, .75)


def motor_boat(pen, rng):
    """A motor boat with a raked bow, windscreen and cabin."""
    color = vary(rng, pick(rng, PAINTS))
    white = vary(rng, (240, 238, 230), 8)
    cabin = smooth([(-.52, -.32), (-.46, -.74), (-.3, -.8), (.14, -.78), (.42, -.36)], 1)
    pen.fill(cabin, [lighten(white, .2), white, lighten(white, -.25)])
    pen.fill(smooth([(-.4, -.48), (-.37, -.7), (-.1, -.71), (-.1, -.48)], 1), GLASS)
    pen.fill(smooth([(-.04, -.48), (-.04, -.71), (.12, -.71), (.27, -.48)], 1), GLASS)
    pen.line([(-.2, -.78), (-.26, -1.06)], (90, 92, 98), .03)
    pen.fill(ellipse(-.26, -1.06, .07, .03), (210, 60, 50))
    outline = [(-.9, .06), (-.96, -.32), (-.96, -.32), (0, -.36), (1.08, -.46), (1.08, -.46),
               (.74, .06)]
    inside = hull(pen, outline, color, white)
    inside.fill([(-1, -.2), (1.1, -.28), (1.1, -.22), (-1, -.14)], white)
    rail = [(.34, -.4), (.36, -.56), (1.02, -.6), (1.06, -.46)]
    pen.line(rail, (214, 216, 220), .022)
    for x in (.56, .78):
        pen.line([(x, -.42), (x, -.58)], (214, 216, 220), .02)
    foam(pen, rng, -1.05, .85, .95)


def fishing_boat(pen, rng):
    """A fishing boat: high bow, wheelhouse, mast with boom, tyres along the side."""
    color = vary(rng, pick(rng, PAINTS))
    house = vary(rng, pick(rng, [(238, 234, 222), (228, 206, 150), (196, 210, 214)]), 8)
    pen.line([(.22, -.4), (.2, -1.32)], (104, 80, 58), .045)
    pen.line([(.2, -.62), (.8, -1.06)], (104, 80, 58), .035)
    for x, y in ((.98, -.5), (-.88, -.36), (.8, -1.06)):
        pen.line([(.2, -1.28), (x, y)], (84, 78, 72), .012, mark=False)
    pen.fill(box(-.62, -.84, -.02, -.28), [lighten(house, .15), lighten(house, -.2)])
    pen.fill(box(-.68, -.92, .04, -.83, .02), pick(rng, PAINTS))
    for x in (-.54, -.34, -.15):
        pen.fill(box(x, -.74, x + .13, -.56, .02), GLASS)
    pen.fill(box(-.8, -.62, -.68, -.28), (70, 72, 78))
    outline = [(-.84, .06), (-.94, -.34), (-.94, -.34), (-.1, -.28), (.6, -.36), (1.06, -.58),
               (1.06, -.58), (.78, .06)]
    hull(pen, outline, color, pick(rng, PAINTS))
    for x in np.linspace(-.6, .5, 4):
        pen.line(ellipse(x, -.16, .065), (36, 36, 40), .04, closed=True)
    foam(pen, rng, -.95, .85, .6)


def rowing_boat(pen, rng):
    """A rowing boat seen slightly from above, with benches and an oar."""
    color = vary(rng, pick(rng, PAINTS))
    wood = vary(rng, pick(rng, [(150, 104, 62), (176, 138, 92), (116, 82, 56)]), 8)
    outline = [(-.72, .08), (-.98, -.36), (-.98, -.36), (-.4, -.22), (.4, -.22), (1.04, -.46),
               (1.04, -.46), (.78, .08)]
    rim = smooth([(-.98, -.36), (-.98, -.36), (-.4, -.5), (.4, -.52), (1.04, -.46), (1.04, -.46),
                  (.4, -.2), (-.4, -.2)], 2)
    pen.fill(rim, [lighten(wood, -.55), lighten(wood, -.25)])
    for x in (-.52, -.02, .46):
        pen.fill([(x - .07, -.46), (x + .09, -.46), (x + .11, -.24), (x - .09, -.24)],
                 [lighten(wood, .3), wood])
    inside = hull(pen, outline, color, lighten(color, -.3))
    for y in (-.14, -.02):
        inside.line(smooth([(-1, y - .14), (0, y), (1, y - .16)], 2, False),
                    lighten(color, -.4), .014)
    pen.line(rim, lighten(wood, .25), .035, closed=True)
    for x0, x1 in ((-.1, -.62), (.3, .96)):
        pen.line([(x0, -.48), (x1, .12)], lighten(wood, .35), .04)
        pen.fill(ellipse(x1, .1, .15, .05, turn=42 if x1 > 0 else 132), lighten(wood, .2))
    foam(pen, rng, -.75, .8, .5)


# ---------------------------------------------------------------------------------------- bottles

BOTTLES = {  # half widths at heights from the foot (0) to the mouth (-1)
    "wine": [(.15, 0), (.155, -.03), (.155, -.56), (.13, -.65), (.055, -.73), (.048, -.97)],
    "burgundy": [(.165, 0), (.17, -.03), (.17, -.42), (.14, -.56), (.06, -.74), (.048, -.97)],
    "beer": [(.17, 0), (.175, -.03), (.175, -.5), (.15, -.6), (.07, -.76), (.06, -.96)],
    "water": [(.17, 0), (.175, -.04), (.16, -.25), (.175, -.36), (.175, -.66), (.08, -.86),
              (.07, -.96)],
    "sauce": [(.15, 0), (.17, -.1), (.13, -.5), (.09, -.7), (.06, -.8), (.055, -.96)],
    "spirit": [(.2, 0), (.205, -.03), (.205, -.58), (.19, -.64), (.07, -.7), (.06, -.97)],
}
LIQUIDS = [(36, 84, 50), (60, 34, 26), (112, 66, 26), (150, 30, 40), (176, 206, 214),
           (214, 164, 60), (44, 70, 120), (226, 232, 230), (96, 132, 70)]


def bottle(pen, rng):
    """A bottle: shoulders, neck and cap, a label, glass lit from one side."""
    profile = np.array(BOTTLES[pick(rng, sorted(BOTTLES))]) * (rng.uniform(.92, 1.15), 1)
    color = vary(rng, pick(rng, LIQUIDS), 10)
    pen.glow(ellipse(.06, .0, .26, .035), (10, 10, 14), .7, .03)
    pen.glow(ellipse(.22, .01, .26, .03), (10, 10, 14), .35, .03)
    side = smooth(profile, 3, closed=False)
    outline = np.concatenate([side * (-1, 1), side[::-1]])
    dark, bright = lighten(color, -.5), lighten(color, .25)
    pen.fill(outline, [dark, color, bright, color, color, lighten(color, -.3), dark], axis="x")
    inside = pen.clipped(outline)
    wide = profile[1, 0]
    level = rng.uniform(-.7, -.5)
    inside.fill(box(-.3, -1, .3, level), lighten(color, .45), alpha=.4)
    inside.fill(ellipse(0, level, wide * .9, .015), lighten(color, .5), alpha=.5)
    inside.fill(box(-.3, -.03, .3, .01), lighten(color, -.6), alpha=.6)
    label_low, label_high = rng.uniform(-.18, -.1), rng.uniform(-.5, -.4)
    paper = vary(rng, pick(rng, [(240, 234, 214), (236, 238, 236), (200, 50, 44), (40, 56, 96),
                                 (230, 190, 80), (34, 34, 36)]), 8)
    if rng.rand() < .85:
        tag = box(-.3, label_high, .3, label_low)
        stops = [lighten(paper, f) for f in (-.45, -.05, .15, 0, -.1, -.3, -.55)]
        inside.fill(tag, stops, axis="x")
        bottle_label(inside, rng, paper, wide, label_low, label_high)
    inside.fill(box(-wide * .72, -.62, -wide * .5, -.06, .03), (255, 255, 255), alpha=.42,
                blur=.006)
    inside.fill(box(-.034, -.94, -.016, -.72), (255, 255, 255), alpha=.45, blur=.004)
    inside.line(side * (.93, 1), lighten(color, .55), .012, alpha=.45)
    neck = profile[-1, 0]
    cap = vary(rng, pick(rng, [(150, 30, 36), (40, 40, 44), (200, 160, 70), (190, 194, 200),
                               (178, 134, 92), (36, 90, 150)]), 10)
    low = -.93 if rng.rand() < .6 else -.82
    metal = [lighten(cap, f) for f in (-.5, .1, .3, 0, -.2, -.55)]
    pen.fill(box(-neck * 1.12, -1.0, neck * 1.12, low, .012), metal, axis="x")
    pen.line([(-neck * 1.1, low), (neck * 1.1, low)], lighten(cap, -.5), .012)


def bottle_label(pen, rng, paper, wide, low, high):
    """Bands, a crest and lines of print on a label."""
    ink = lighten(paper, -.7) if paper.mean() > 110 else (226, 206, 150)
    accent = pick(rng, PAINTS)
    pen.fill(box(-.3, high + .015, .3, high + .035), accent, alpha=.85)
    pen.fill(box(-.3, low - .035, .3, low - .015), accent, alpha=.85)
    middle = (low + high) / 2
    pen.fill(ellipse(0, middle - .05, wide * .36), accent, alpha=.85)
    for k, share in enumerate((.6, .45, .52)):
        y = middle + .04 + .03 * k
        pen.line([(-wide * share, y), (wide * share, y)], ink, .011, alpha=.8)


# ------------------------------------------------------------------------------------------ sheep

FLEECES = [(236, 230, 214), (226, 216, 194), (206, 196, 178), (240, 238, 230), (150, 134, 116),
           (92, 80, 72), (188, 186, 182)]


def sheep(pen, rng):
    """A sheep: a woolly body with a scalloped edge on four thin legs; standing or grazing."""
    fleece = vary(rng, pick(rng, FLEECES), 8)
    dark = rng.rand() < .5
    skin = vary(rng, pick(rng, [(46, 42, 42), (66, 56, 50)] if dark else
                          [(214, 190, 168), (196, 176, 158), (226, 214, 198)]), 8)
    graze = rng.rand() < .35
    pen.glow(ellipse(0, 0, .62, .06), (16, 22, 10), .6, .04)
    for x, far in ((-.3, 1), (.36, 1), (-.42, 0), (.24, 0)):
        tone = lighten(skin, -.25) if far else skin
        foot = -.03 if far else 0
        pen.fill([(x - .05, -.4), (x + .06, -.4), (x + .04, foot), (x - .035, foot)],
                 [lighten(tone, -.3), tone], axis="x")
        pen.fill(box(x - .045, foot - .055, x + .05, foot, .01), (30, 26, 24))
    if graze:
        neck = smooth([(.3, -.8), (.66, -.62), (.84, -.36), (.66, -.28), (.36, -.4)], 2)
        pen.fill(neck, [lighten(fleece, -.05), lighten(fleece, -.3)], rough=.05)
    fleece_body(pen, rng, fleece)
    head = pick(rng, [sheep_head_side, sheep_head_front])
    if graze:
        sheep_head_side(pen, rng, .78, -.24, 62, fleece, skin)
    else:
        head(pen, rng, .6, -.86, 28, fleece, skin)


def fleece_body(pen, rng, fleece):
    """The wool: locks along the edge, then rows of curls, bright above and shaded below."""
    rx, ry, middle = .56, .31, -.58
    pen.fill(ellipse(-.58, -.62, .09, .13, turn=20), lighten(fleece, -.2), rough=.06)
    low, high = lighten(fleece, -.42), lighten(fleece, .3)
    for angle in np.linspace(0, 360, 19, endpoint=False) + rng.uniform(0, 19):
        x, y = rx * np.cos(np.radians(angle)), ry * np.sin(np.radians(angle))
        tone = mix(high, low, .5 + .5 * y / ry)
        pen.fill(ellipse(x, middle + y, rng.uniform(.1, .135)),
                 [lighten(tone, .1), lighten(tone, -.12)], rough=.05)
    pen.fill(ellipse(0, middle, rx * 1.02, ry * 1.04), [high, fleece, fleece, low], rough=.06)
    for _ in range(75):
        angle, far = rng.uniform(0, 2 * np.pi), np.sqrt(rng.rand()) * 1.08
        x, y = rx * far * np.cos(angle), middle + ry * far * np.sin(angle)
        tone = mix(high, low, np.clip(.5 + .55 * (y - middle) / ry, 0, 1))
        radius, start = rng.uniform(.035, .07), rng.uniform(0, 360)
        pen.line(ellipse(x, y, radius, start=start, stop=start + 230, count=12),
                 lighten(tone, -.24), .016, alpha=.75, mark=False)
        pen.line(ellipse(x - .01, y - .014, radius, start=start, stop=start + 160, count=10),
                 lighten(tone, .35), .014, alpha=.6, mark=False)


def sheep_head_side(pen, rng, x, y, turn, fleece, skin):
    """A head in profile at (x, y), its muzzle turned down by `turn` degrees."""
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))

    def at(points):
        points = np.asarray(points, float)
        return np.stack([x + points[:, 0] * c - points[:, 1] * s,
                         y + points[:, 0] * s + points[:, 1] * c], 1)

    pen.fill(ellipse(x - .1, y + .08, .2, .19), lighten(fleece, -.08), rough=.06)
    face = smooth([(-.14, -.1), (.05, -.15), (.3, -.07), (.34, .02), (.28, .1), (.02, .15),
                   (-.14, .1)], 2)
    pen.fill(at(face), [lighten(skin, .2), lighten(skin, -.25)])
    pen.fill(at(ellipse(-.12, -.03, .19, .06, turn=160)), [lighten(skin, .1), lighten(skin, -.3)])
    pen.fill(at(ellipse(.06, -.05, .03)), (16, 14, 14))
    pen.fill(at(ellipse(.05, -.06, .01)), (250, 250, 250))
    pen.line(at([(.3, .05), (.2, .06)]), lighten(skin, -.5), .016)
    pen.fill(at(ellipse(.31, -.02, .015)), lighten(skin, -.6))
    for dx, dy in ((-.14, -.12), (-.04, -.15), (-.17, -.02)):
        pen.fill(at(ellipse(dx, dy, .08)), [lighten(fleece, .2), lighten(fleece, -.15)], rough=.06)


def sheep_head_front(pen, rng, x, y, _turn, fleece, skin):
    """A head that looks at the viewer: two ears out to the sides, a long face."""
    pen.fill(ellipse(x - .04, y + .06, .24, .23), lighten(fleece, -.12), rough=.06)
    for side in (-1, 1):
        pen.fill(ellipse(x + side * .22, y - .01, .13, .055, turn=side * 18),
                 [lighten(skin, .15), lighten(skin, -.3)])
        pen.fill(ellipse(x + side * .22, y, .08, .028, turn=side * 18), mix(skin, (214, 150, 140),
                                                                          .45))
    face = smooth([(-.15, -.13), (.15, -.13), (.13, .1), (.07, .25), (-.07, .25), (-.13, .1)], 2)
    pen.fill(face + (x, y), [lighten(skin, .2), skin, lighten(skin, -.25)])
    for side in (-1, 1):
        pen.fill(ellipse(x + side * .08, y + .01, .026, .03), (14, 12, 12))
        pen.fill(ellipse(x + side * .08 - .008, y, .009), (250, 250, 250))
        pen.fill(ellipse(x + side * .03, y + .19, .012), lighten(skin, -.65))
    for dx, dy in ((-.1, -.13), (.1, -.13), (0, -.17)):
        pen.fill(ellipse(x + dx, y + dy, .1), [lighten(fleece, .25), lighten(fleece, -.12)],
                 rough=.06)


# ------------------------------------------------------------------------------------ televisions

def tvmonitor(pen, rng):
    """A television or monitor: an old set with knobs and aerial, or a flat screen on a stand."""
    pick(rng, [old_television, flat_monitor, flat_monitor, box_monitor])(pen, rng)


def screen(pen, rng, corners, dark=2):
    """What is on: a landscape, test bars, a desktop, a pitch, or (`dark` odds) nothing."""
    width, height = 1.5, 1.0
    face = pen.face(corners, width, height)
    face = face.clipped(box(0, 0, width, height, .04))
    kind = pick(rng, ["landscape", "bars", "desktop", "pitch"] + ["dark"] * dark)
    if kind == "landscape":
        face.fill(box(0, 0, width, height), [(70, 130, 210), (220, 226, 230), (240, 220, 180)])
        peaks = [(-.2, .7), (.3, .3), (.6, .6), (1, .2), (1.7, .75), (1.7, 1.2), (-.2, 1.2)]
        face.fill(smooth(peaks, 2), vary(rng, (90, 100, 110), 40))
        face.fill(box(0, .72, width, 1), [(90, 150, 70), (40, 80, 40)])
        face.fill(ellipse(1.2, .2, .09), (255, 244, 200))
    elif kind == "bars":
        tones = [(220, 220, 220), (220, 210, 40), (40, 200, 210), (40, 190, 60), (200, 50, 190),
                 (200, 40, 40), (40, 50, 190)]
        for k, tone in enumerate(tones):
            face.fill(box(k * width / 7, 0, (k + 1) * width / 7 + .01, .76), tone)
        face.fill(box(0, .76, width, 1), (30, 30, 34))
    elif kind == "desktop":
        face.fill(box(0, 0, width, height), [vary(rng, (60, 110, 170)), vary(rng, (30, 60, 110))])
        x, y = rng.uniform(.08, .5), rng.uniform(.08, .25)
        face.fill(box(x, y, x + .77, y + .6), (240, 240, 240))
        face.fill(box(x, y, x + .77, y + .08), vary(rng, (90, 90, 110), 50))
        for line in np.arange(y + .16, y + .55, .09):
            face.line([(x + .06, line), (x + rng.uniform(.3, .7), line)], (120, 124, 130), .03)
        x, y = rng.uniform(.05, .8), rng.uniform(.35, .5)
        face.fill(box(x, y, x + .6, y + .4), vary(rng, (220, 210, 190), 35))
        face.fill(box(0, .92, width, 1), (40, 44, 54))
    elif kind == "pitch":
        face.fill(box(0, 0, width, height), [(60, 140, 60), (90, 180, 80)])
        face.line(ellipse(.75, .5, .22, .16), (236, 240, 236), .025, closed=True)
        face.line([(.75, 0), (.75, 1)], (236, 240, 236), .025)
        face.fill(box(.05, .05, .42, .14), (30, 30, 60))
    else:
        face.fill(box(0, 0, width, height), [(74, 84, 92), (34, 38, 44), (22, 24, 28)])
    face.fill([(.12, 0), (.5, 0), (.1, 1), (-.3, 1)], (255, 255, 255), alpha=.13)
    face.fill(box(0, 0, width, height), [(255, 255, 255), (120, 130, 140)], alpha=.07)


def old_television(pen, rng):
    """A tube television: deep cabinet, bulging screen, knobs, loudspeaker slots and an aerial."""
    color = vary(rng, pick(rng, [(134, 86, 48), (96, 62, 42), (60, 60, 64), (200, 196, 186),
                                 (176, 56, 46), (222, 160, 70), (120, 158, 150)]), 10)
    pen.glow(ellipse(0, 0, .72, .05), (10, 10, 14), .7, .04)
    if rng.rand() < .75:
        for x in (-.36, .4):
            pen.line([(0, -.9), (x, -1.32)], (150, 152, 158), .028)
            pen.fill(ellipse(x, -1.32, .03), (190, 192, 196))
        pen.fill(ellipse(0, -.9, .13, .09), (50, 50, 54))
    for x in (-.46, .46):
        pen.fill([(x - .05, -.1), (x + .05, -.1), (x + .04, 0), (x - .04, 0)], lighten(color, -.5))
    pen.fill(box(-.63, -.9, .63, -.06, .07), body_paint(color, .25, -.35), axis="y", rough=.03)
    pen.line(box(-.6, -.87, .6, -.09, .06), lighten(color, .35), .018, closed=True)
    pen.fill(box(-.55, -.82, .3, -.14, .1), (36, 36, 40))
    screen(pen, rng, [(-.5, -.77), (.25, -.77), (.25, -.19), (-.5, -.19)])
    pen.line(box(-.51, -.78, .26, -.18, .09), (24, 24, 28), .035, closed=True)
    for y in (-.72, -.54):
        pen.fill(ellipse(.45, y, .075), (40, 40, 44))
        pen.fill(ellipse(.45, y, .06), [(230, 230, 226), (120, 120, 122)])
        pen.line([(.45, y), (.48, y - .05)], (40, 40, 44), .018)
    for y in np.arange(-.42, -.14, .055):
        pen.line([(.36, y), (.54, y)], lighten(color, -.6), .022)


def flat_monitor(pen, rng):
    """A flat screen on a foot, seen from the front or turned a little."""
    frame = vary(rng, pick(rng, [(34, 34, 38), (54, 56, 60), (196, 198, 204), (230, 230, 228)]), 6)
    turn = rng.uniform(-.1, .1)
    pen.glow(ellipse(0, .0, .6, .045), (10, 10, 14), .65, .04)
    pen.fill(box(-.36, -.06, .36, 0, .025), [lighten(frame, .3), lighten(frame, -.3)])
    pen.fill([(-.07, -.3), (.07, -.3), (.1, -.04), (-.1, -.04)],
             [lighten(frame, .2), lighten(frame, -.25), lighten(frame, .1)], axis="x")
    left, right = .9 - turn, .9 + turn
    middle = -.58
    outer = [(-.72, middle - .46 * left), (.72, middle - .46 * right),
             (.72, middle + .4 * right), (-.72, middle + .4 * left)]
    pen.fill(outer, [lighten(frame, .2), frame, lighten(frame, -.2)])
    middle_point = np.mean(outer, 0)
    inner = middle_point + (np.array(outer) - middle_point) * (.93, .88) - (0, .02)
    pen.fill(inner, (16, 16, 20))
    screen(pen, rng, inner)
    pen.line([outer[0], outer[1]], lighten(frame, .4), .012)
    pen.fill(ellipse(.62, outer[2][1] - .045, .014), (90, 220, 120))


def box_monitor(pen, rng):
    """A tube computer monitor: deep housing seen from a corner, thick frame, round foot."""
    color = vary(rng, pick(rng, [(214, 206, 186), (200, 200, 196), (70, 72, 78),
                                 (180, 190, 200)]), 8)
    pen.glow(ellipse(0, 0, .6, .05), (10, 10, 14), .65, .04)
    pen.fill(ellipse(-.03, -.05, .42, .06), [lighten(color, .1), lighten(color, -.4)])
    pen.fill([(-.22, -.18), (.2, -.18), (.26, -.06), (-.3, -.06)], lighten(color, -.4))
    back = smooth([(-.44, -.98), (-.44, -.98), (-.86, -.86), (-.88, -.4), (-.5, -.16), (-.5, -.16)],
                  1)
    pen.fill(back, [lighten(color, -.15), lighten(color, -.45)], rough=.02)
    for y in np.arange(-.74, -.4, .07):
        pen.line([(-.8, y), (-.6, y - .03)], lighten(color, -.62), .022)
    pen.fill(box(-.52, -1.0, .66, -.13, .05), body_paint(color, .25, -.22), rough=.015)
    pen.fill(box(-.43, -.92, .57, -.27, .06), lighten(color, -.5))
    screen(pen, rng, [(-.4, -.89), (.54, -.89), (.54, -.3), (-.4, -.3)], 0)
    pen.line(box(-.41, -.9, .55, -.29, .06), lighten(color, -.6), .025, closed=True)
    for x in (.3, .4):
        pen.fill(ellipse(x, -.2, .025), lighten(color, -.45))
    pen.fill(ellipse(.52, -.2, .02), (90, 220, 120))


# ----------------------------------------------------------------------------------------- plants

LEAVES = [(58, 122, 52), (86, 146, 62), (44, 98, 70), (110, 150, 70), (70, 110, 90), (130, 156, 96),
          (136, 70, 78), (150, 140, 70)]


def pottedplant(pen, rng):
    """A plant in a pot; the leaves may be broad, upright, hanging over or a flowering bush."""
    pen.glow(ellipse(.05, 0, .34, .04), (10, 10, 14), .65, .03)
    kind = pick(rng, [broad_leaves, blades, fronds, flowering_bush, broad_leaves])
    green = vary(rng, pick(rng, LEAVES), 12)
    top = -rng.uniform(.34, .44)
    kind(pen, rng, green, top + .03)
    pen.close_gaps(3)
    pot(pen, rng, top)


def pot(pen, rng, top):
    """A tapering, round or square pot with rim and pattern."""
    color = vary(rng, pick(rng, [(186, 96, 60), (200, 116, 76), (232, 228, 218), (70, 96, 130),
                                 (90, 92, 96), (210, 170, 90), (120, 150, 140)]), 10)
    wide = rng.uniform(.2, .26)
    stops = [lighten(color, f) for f in (-.35, .1, .28, .02, -.2, -.5)]
    kind = pick(rng, ["taper", "taper", "round", "square"])
    if kind == "round":
        outline = smooth([(-wide, top), (-wide, top), (-wide * 1.25, top * .5), (-wide * .75, 0),
                          (-wide * .75, 0), (wide * .75, 0), (wide * .75, 0),
                          (wide * 1.25, top * .5), (wide, top), (wide, top)], 2)
    else:
        foot = .68 if kind == "taper" else .92
        outline = [(-wide, top), (wide, top), (wide * foot, 0), (-wide * foot, 0)]
    pen.fill(outline, stops, axis="x", rough=.025)
    inside = pen.clipped(outline)
    band = vary(rng, pick(rng, PAINTS))
    if rng.rand() < .5:
        for x in np.arange(-.3, .3, .08):
            y = top * .45
            inside.line([(x, y), (x + .04, y + .05), (x + .08, y)], band, .02, mark=False)
    rim = -.085 if kind == "taper" else -.05
    pen.fill(box(-wide * 1.13, top + rim * .5, wide * 1.13, top - rim * .6, .015), stops, axis="x")
    inside.fill(box(-.4, top - rim * .6, .4, top - rim * .6 + .03), (0, 0, 0), alpha=.25)


def shaded_leaf(pen, rng, x, y, length, width, angle, color, bend=0.0):
    """One leaf with a bright and a dark half and a rib."""
    first, second = leaf(x, y, length, width, angle, bend)
    tone = lighten(color, rng.uniform(-.22, .16))
    pen.fill(first, [lighten(tone, .22), tone], rough=.03)
    pen.fill(second, [tone, lighten(tone, -.3)], rough=.03)
    pen.line(first[-12:], lighten(tone, .35), .009, alpha=.7, mark=False)


def broad_leaves(pen, rng, green, top):
    """Large leaves on short stems that fan out from the pot."""
    count = rng.randint(11, 16)
    wide = rng.uniform(.15, .22)
    angles = np.linspace(-172, -8, count) + rng.uniform(-6, 6, count)
    order = np.argsort(np.sin(np.radians(angles)))
    for k in order:
        angle = angles[k]
        stem = rng.uniform(.06, .2)
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        x, y = .06 * c + stem * c * .7, top + stem * s
        pen.line([(0, top), (x, y)], lighten(green, -.35), .025)
        length = rng.uniform(.34, .46) * (1 + .25 * abs(s))
        shaded_leaf(pen, rng, x, y, length, wide, angle, green, .2 * np.sign(c) * abs(c))
    for angle in rng.uniform(-130, -50, 3):
        shaded_leaf(pen, rng, 0, top, rng.uniform(.26, .34), wide, angle, lighten(green, .1))


def blades(pen, rng, green, top):
    """Upright sword-shaped leaves with pale edges."""
    edge = vary(rng, pick(rng, [(206, 200, 110), (190, 206, 160), (150, 180, 110)]))
    count = rng.randint(8, 12)
    for angle in rng.permutation(np.linspace(-122, -58, count)):
        length = rng.uniform(.42, .68)
        x = .14 * np.cos(np.radians(angle)) * 2
        width, bend = rng.uniform(.1, .14), rng.uniform(-.12, .12)
        both = np.concatenate(leaf(x, top + .04, length, width, angle, bend))
        first, second = leaf(x, top + .04, length, width * .68, angle, bend)
        pen.fill(both, edge)
        tone = lighten(green, rng.uniform(-.25, .1))
        pen.fill(first, [lighten(tone, .2), tone], rough=.05)
        pen.fill(second, [tone, lighten(tone, -.28)], rough=.05)


def fronds(pen, rng, green, top):
    """Arching fronds with broad leaflets, as of a palm or fern."""
    count = rng.randint(8, 11)
    for k, lean in enumerate(rng.permutation(np.linspace(-1, 1, count))):
        reach, rise = .58 * lean, .62 - .26 * abs(lean) + rng.uniform(-.05, .05)
        t = np.linspace(0, 1, 9)
        xs = .05 * lean + reach * t
        ys = top - rise * np.sin(np.pi * .5 * np.minimum(t * 1.35, 1.9))
        tone = lighten(green, rng.uniform(-.2, .12))
        pen.line(np.stack([xs, ys], 1), lighten(tone, -.3), .022)
        for j in range(2, 9):
            way = np.degrees(np.arctan2(ys[j] - ys[j - 1], xs[j] - xs[j - 1]))
            for side in (-52, 52):
                length = .17 * (1.15 - .5 * t[j])
                shaded_leaf(pen, rng, xs[j], ys[j], length, .07, way + side, tone)
        if k == 0:
            shaded_leaf(pen, rng, xs[-1], ys[-1], .16, .07, way, tone)


def flowering_bush(pen, rng, green, top):
    """A round bush of small leaves with flowers."""
    petal = vary(rng, pick(rng, [(214, 60, 70), (236, 120, 160), (246, 214, 90), (240, 236, 232),
                                 (150, 90, 190), (240, 140, 60)]))
    middle, radius = top - .26, rng.uniform(.3, .36)
    pen.fill(ellipse(0, middle + .04, radius * .9, radius * .86),
             [lighten(green, -.1), lighten(green, -.5)], rough=.06)
    for _ in range(75):
        angle, far = rng.uniform(0, 2 * np.pi), radius * np.sqrt(rng.rand())
        x, y = far * np.cos(angle), middle + far * np.sin(angle)
        tone = lighten(green, .25 - .55 * (y - middle + radius) / (2 * radius))
        shaded_leaf(pen, rng, x, y, rng.uniform(.1, .15), .07, rng.uniform(0, 360), tone)
    for _ in range(rng.randint(7, 12)):
        angle, far = rng.uniform(0, 2 * np.pi), radius * .92 * np.sqrt(rng.rand())
        x, y = far * np.cos(angle), middle + far * np.sin(angle)
        size = rng.uniform(.035, .05)
        for k in range(5):
            turn = 72 * k + angle * 57
            px, py = ellipse(x, y, size, start=turn, stop=turn + 1, count=1)[0]
            pen.fill(ellipse(px, py, size * .75), [lighten(petal, .2), lighten(petal, -.15)])
        pen.fill(ellipse(x, y, size * .5), (240, 200, 70))


CLASSES = {"aeroplane": aeroplane, "boat": boat, "bottle": bottle, "bus": bus, "car": car,
           "pottedplant": pottedplant, "sheep": sheep, "tvmonitor": tvmonitor}
