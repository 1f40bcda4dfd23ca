"""Drawing tools of the small data set: colours, outlines and a pen that shades and marks.

Everything is drawn on an 8-bit canvas `SCALE` times as high and wide as the finished picture, which
is later reduced by area averaging. Arithmetic on colours is done in 64-bit floating point and
rounded once per shape, so that the last bit of a sine does not decide about a pixel.
"""

import cv2
import numpy as np

SCALE = 3  # canvas pixels per picture pixel


def mix(first, second, share):
    """The colour that lies `share` of the way from the first to the second."""
    first, second = np.asarray(first, float), np.asarray(second, float)
    return first + (second - first) * share


def lighten(color, share):
    """Move a colour towards white; a negative share moves it towards black."""
    return mix(color, (255, 255, 255) if share > 0 else (0, 0, 0), abs(share))


def vary(rng, color, spread=14):
    """A colour near the given one."""
    return np.clip(np.asarray(color, float) + rng.uniform(-spread, spread, 3), 0, 255)


def pick(rng, choices):
    """One of a list, whatever its members are."""
    return choices[rng.randint(len(choices))]


def smooth(points, rounds=3, closed=True):
    """Round an outline (Chaikin's corner cutting); a point given twice stays a corner."""
    points = np.asarray(points, float)
    for _ in range(rounds):
        following = np.roll(points, -1, axis=0)
        cut = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], 1)
        cut = cut.reshape(-1, 2)
        points = cut if closed else np.concatenate([points[:1], cut[:-2], points[-1:]])
    return points


def ellipse(x, y, rx, ry=None, start=0, stop=360, turn=0, count=36):
    """Points of an ellipse, or of its arc from `start` to `stop` degrees, turned by `turn`."""
    ry = rx if ry is None else ry
    angle = np.radians(np.linspace(start, stop, count, endpoint=stop - start < 360))
    across, down = rx * np.cos(angle), ry * np.sin(angle)
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    return np.stack([x + across * c - down * s, y + across * s + down * c], 1)


def box(x0, y0, x1, y1, radius=0):
    """A rectangle, its corners rounded by `radius`."""
    if not radius:
        return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], float)
    corners = [(x1, y0, -90), (x1, y1, 0), (x0, y1, 90), (x0, y0, 180)]
    arcs = []
    for x, y, start in corners:
        inside = (x - radius if x == x1 else x + radius, y - radius if y == y1 else y + radius)
        arcs.append(ellipse(*inside, radius, start=start, stop=start + 90, count=7))
    return np.concatenate(arcs)


def leaf(x, y, length, width, angle, bend=0.0):
    """The two halves of a pointed leaf that starts at (x, y); `angle` -90 is upright."""
    t = np.linspace(0, 1, 12)
    half = width / 2 * np.sin(np.pi * t**0.8)
    middle = bend * length * t**2
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))

    def turned(offset):
        along, across = t * length, middle + offset
        return np.stack([x + along * c - across * s, y + along * s + across * c], 1)

    rib, left, right = turned(0 * t), turned(-half), turned(half)
    return np.concatenate([left, rib[::-1]]), np.concatenate([right, rib[::-1]])


def placed(x, y, size, mirror=False, turn=0.0, squeeze=1.0, lean=0.0):
    """The matrix from an object's own units to the canvas; x, y and size in picture pixels."""
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    turning = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
    flip = np.array([[-1.0 if mirror else 1.0, lean, 0], [0, squeeze, 0], [0, 0, 1.0]])
    matrix = turning @ flip
    matrix[:2] *= size * SCALE
    matrix[:2, 2] += (x * SCALE, y * SCALE)
    return matrix


def noise_field(rng, height, width, scales, weights=None):
    """Smooth noise of mean 0 and standard deviation about 1: a sum of random grids, enlarged."""
    total = np.zeros((height, width))
    weights = [1.0] * len(scales) if weights is None else weights
    for scale, weight in zip(scales, weights, strict=True):
        grid = rng.normal(size=(int(height / scale) + 3, int(width / scale) + 3))
        total += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return total / np.sqrt(np.sum(np.square(weights)))


class Pen:
    """Draws shaded shapes on a canvas and remembers the pixels covered: the object's mask.

    Outlines are given in an object's own units; a 3 x 3 matrix takes them to the canvas.
    A paint is one colour or a list of colours, a gradient along `axis`: "y" (top to bottom), "x"
    (left to right) or "r" (from a point left above the middle outwards).
    """

    def __init__(self, canvas, grain, matrix=None, mask=None, clip=None):
        self.canvas, self.grain = canvas, grain
        self.matrix = np.diag([SCALE, SCALE, 1.0]) if matrix is None else matrix
        self.mask = np.zeros(canvas.shape[:2], np.uint8) if mask is None else mask
        self.clip = clip

    def on(self, matrix):
        """A pen for a new object on the same canvas."""
        return Pen(self.canvas, self.grain, matrix)

    def turned(self, angle):
        """A pen for this object whose axes are turned by an angle in degrees."""
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        turning = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
        return Pen(self.canvas, self.grain, self.matrix @ turning, self.mask, self.clip)

    def face(self, corners, width, height):
        """A pen for a flat face of this object: (0..width, 0..height) is mapped to four corners."""
        source = box(0, 0, width, height).astype(np.float32)
        bend = cv2.getPerspectiveTransform(source, np.asarray(corners, np.float32))
        return Pen(self.canvas, self.grain, self.matrix @ bend, self.mask, self.clip)

    def clipped(self, points):
        """A pen for this object that leaves everything outside the outline alone."""
        clip = np.zeros(self.mask.shape, np.uint8)
        area, cover = self.coverage(points)
        if area is not None:
            clip[area] = cover
        return Pen(self.canvas, self.grain, self.matrix, self.mask, clip)

    def to_canvas(self, points):
        """Object units to canvas pixels."""
        points = np.asarray(points, float)
        moved = points @ self.matrix[:, :2].T + self.matrix[:, 2]
        return moved[:, :2] / moved[:, 2:]

    def unit(self):
        """Canvas pixels per unit of the object (at its origin)."""
        return np.sqrt(abs(np.linalg.det(self.matrix[:2, :2]))) / self.matrix[2, 2]

    def _area(self, points, margin):
        """Rows and columns of the canvas around points, or None if it shows none of them."""
        low = np.floor(points.min(0) - margin).astype(int)
        high = np.ceil(points.max(0) + margin).astype(int) + 1
        x0, y0 = np.maximum(low, 0)
        x1, y1 = np.minimum(high, self.canvas.shape[1::-1])
        return None if x0 >= x1 or y0 >= y1 else (slice(y0, y1), slice(x0, x1))

    def coverage(self, points, blur=0.0, width=None, closed=False):
        """The area of a shape on the canvas and how far it covers each pixel there (0 to 255)."""
        points = self.to_canvas(points)
        thick = None if width is None else max(1, int(round(width * self.unit())))
        area = self._area(points, 2 + 3 * blur + (thick or 0))
        if area is None:
            return None, None
        offset = (area[1].start + 0.5, area[0].start + 0.5)
        fixed = [np.rint((points - offset) * 16).astype(np.int32)]
        shape = (area[0].stop - area[0].start, area[1].stop - area[1].start)
        cover = np.zeros(shape, np.uint8)
        if thick is None:
            cv2.fillPoly(cover, fixed, 255, cv2.LINE_AA, 4)
        else:
            cv2.polylines(cover, fixed, closed, 255, thick, cv2.LINE_AA, 4)
        if blur:
            size = 2 * int(2.5 * blur) + 1
            cover = cv2.GaussianBlur(cover, (size, size), blur, borderType=cv2.BORDER_REPLICATE)
        if self.clip is not None:
            cover = np.minimum(cover, self.clip[area])
        return area, cover

    def _colors(self, paint, points, axis, area):
        """The paint's colour at each pixel of an area, or one colour for all."""
        stops = np.atleast_2d(np.asarray(paint, float))
        if len(stops) == 1:
            return stops[0]
        points = np.asarray(points, float)
        (left, top), (right, bottom) = points.min(0), points.max(0)
        middle = ((left + right) / 2, (top + bottom) / 2)
        ends = {
            "y": [(middle[0], top), (middle[0], bottom)],
            "x": [(left, middle[1]), (right, middle[1])],
            "r": [(0.62 * left + 0.38 * right, 0.68 * top + 0.32 * bottom), (right, bottom)],
        }
        first, last = self.to_canvas(ends[axis])
        rows = np.arange(area[0].start, area[0].stop)[:, None] + 0.5 - first[1]
        columns = np.arange(area[1].start, area[1].stop)[None, :] + 0.5 - first[0]
        span = last - first
        square = max(span @ span, 1e-6)
        if axis == "r":
            t = np.sqrt((rows**2 + columns**2) / square) * 1.15
        else:
            t = (rows * span[1] + columns * span[0]) / square
        places = np.linspace(0, 1, 256)
        knots = np.linspace(0, 1, len(stops))
        table = np.stack([np.interp(places, knots, stops[:, k]) for k in range(3)], 1)
        return table[np.rint(np.clip(t, 0, 1) * 255).astype(int)]

    def _blend(self, area, cover, colors, alpha, rough):
        """Lay colours over the canvas as far as they cover it."""
        if rough:
            colors = colors * (1 + rough * self.grain[area])[:, :, None]
        under = self.canvas[area].astype(float)
        over = under + (colors - under) * (cover * (alpha / 255.0))[:, :, None]
        self.canvas[area] = np.clip(np.rint(over), 0, 255)

    def fill(self, points, paint, axis="y", alpha=1.0, rough=0.0, mark=True, blur=0.0):
        """Fill an outline; `rough` adds texture, `blur` (units) softens, `mark` enters the mask."""
        area, cover = self.coverage(points, blur * self.unit() if blur else 0.0)
        if area is None:
            return
        self._blend(area, cover, self._colors(paint, points, axis, area), alpha, rough)
        if mark:
            self.mask[area] |= (cover > 127).astype(np.uint8)

    def line(self, points, color, width, alpha=1.0, closed=False, mark=True, blur=0.0):
        """Draw a line `width` units wide."""
        area, cover = self.coverage(points, blur * self.unit() if blur else 0.0, width, closed)
        if area is None:
            return
        self._blend(area, cover, np.asarray(color, float), alpha, 0)
        if mark:
            self.mask[area] |= (cover > 127).astype(np.uint8)

    def glow(self, points, color, alpha, blur):
        """A soft spot, such as a shadow or a reflection, that never belongs to the object."""
        self.fill(points, color, alpha=alpha, blur=blur, mark=False)

    def light(self, left, right, top=1.06, bottom=0.88):
        """Light the object drawn so far: factors at its left, right, top and bottom ends."""
        ys, xs = np.flatnonzero(self.mask.any(1)), np.flatnonzero(self.mask.any(0))
        if not len(ys):
            return
        area = (slice(ys[0], ys[-1] + 1), slice(xs[0], xs[-1] + 1))
        rows = np.linspace(top, bottom, ys[-1] + 1 - ys[0])[:, None]
        columns = np.linspace(left, right, xs[-1] + 1 - xs[0])[None, :]
        factor = np.where(self.mask[area] > 0, rows * columns, 1.0)[:, :, None]
        self.canvas[area] = np.clip(np.rint(self.canvas[area] * factor), 0, 255)

    def close_gaps(self, width):
        """Count narrow gaps between leaves as part of the object, as an annotator would."""
        size = max(1, int(round(width * SCALE))) | 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        self.mask[:] = cv2.morphologyEx(self.mask, cv2.MORPH_CLOSE, kernel)
