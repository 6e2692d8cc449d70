"""Paint on picture and mask together, so that they cannot disagree."""

import cv2
import numpy as np

from . import texture


class Canvas:
    """An oversampled picture with its mask of class ids and its layer of shadow.

    Things are painted from the ground up: what is painted hides what lies below, in all three
    layers. Outlines are ``(n, 2)`` arrays of pixels; they are rounded to whole pixels first,
    so that a mask does not depend on the last bit of a sine.

    Attributes
    ----------
    albedo : (height, width, 3) float32, the colour under full light
    mask : (height, width) uint8, class ids
    shade : (height, width) uint8, 255 in full shadow
    """

    def __init__(self, camera, rng):
        self.camera = camera
        self.rng = rng
        self.albedo = np.zeros((*camera.shape, 3), np.float32)
        self.mask = np.zeros(camera.shape, np.uint8)
        self.shade = np.zeros(camera.shape, np.uint8)
        self.offsets = rng.uniform(0, 1, 2)

    def stamp(self, draw, outline, pad=0):
        """Where `draw` marks a small canvas: the box and its boolean pixels, or None."""
        points = np.rint(outline).astype(np.int32).reshape(-1, 2)
        height, width = self.mask.shape
        x0, y0 = np.maximum(points.min(0) - pad, 0)
        x1, y1 = np.minimum(points.max(0) + pad + 1, (width, height))
        if x1 <= x0 or y1 <= y0:
            return None
        hit = np.zeros((y1 - y0, x1 - x0), np.uint8)
        draw(hit, points - np.array([x0, y0], np.int32))
        return (int(y0), int(x0), int(y1), int(x1)), hit > 0

    def area(self, outline):
        return self.stamp(lambda hit, points: cv2.fillPoly(hit, [points], 1), outline)

    def stroke(self, line, thickness, closed=False):
        width = max(1, round(float(thickness)))
        return self.stamp(
            lambda hit, points: cv2.polylines(hit, [points], closed, 1, width), line, width
        )

    def paint(self, stamp, id, material):
        """Give the stamped pixels a class and a material (a colour or a function of the box).

        `id` None leaves the mask as it is, for what only decorates.
        """
        if stamp is None:
            return
        (y0, x0, y1, x1), hit = stamp
        colour = material(self, (y0, x0, y1, x1)) if callable(material) else material
        picture = self.albedo[y0:y1, x0:x1]
        if np.ndim(colour) == 3:
            cv2.copyTo(colour, hit.view(np.uint8), picture)
        else:
            picture[hit] = colour
        if id is not None:
            self.mask[y0:y1, x0:x1][hit] = id
            self.shade[y0:y1, x0:x1][hit] = 0

    def tint(self, stamp, factor):
        """Lighten or darken the stamped pixels; the mask stays."""
        if stamp is not None:
            (y0, x0, y1, x1), hit = stamp
            self.albedo[y0:y1, x0:x1][hit] *= np.asarray(factor, np.float32)

    def dim(self, stamp, depth=255):
        """Put the stamped pixels in shadow."""
        if stamp is not None:
            (y0, x0, y1, x1), hit = stamp
            part = self.shade[y0:y1, x0:x1]
            part[hit] = np.maximum(part[hit], depth)

    def cast(self, base, height, bottom=0.0, depth=255):
        """The shadow of a solid with the ground outline `base` from `bottom` to `height`."""
        camera = self.camera
        both = np.vstack([camera.shadow(base, bottom), camera.shadow(base, height)])
        hull = cv2.convexHull(both.astype(np.float32)).reshape(-1, 2)
        self.dim(self.area(hull), depth)

    def at(self, points):
        """The classes at points of the ground (metres), ``(n,)`` ints, -1 outside the picture."""
        x, y = np.floor(self.camera.pixels(points)).astype(int).T
        height, width = self.mask.shape
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        return np.where(
            inside, self.mask[y.clip(0, height - 1), x.clip(0, width - 1)].astype(int), -1
        )

    def free(self, rng, on, radius=0.4, margin=0.06, tries=24):
        """A random point of the picture that lies, with some room, on classes `on`.

        Where there is none the last try is returned: what must occur occurs.
        """
        spots = rng.uniform(-0.5 + margin, 0.5 - margin, (tries, 2)) * self.camera.extent
        around = radius * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
        found = self.at((spots[:, None] + around).reshape(-1, 2)).reshape(tries, -1)
        good = np.isin(found, (*on, -1)).all(1)
        return spots[int(good.argmax()) if good.any() else -1]

    def texture(self, name, box, metres, angle=None, relief=False):
        """A texture under a box; with relief, lit by the sun as if it stood up."""
        angle = self.camera.heading if angle is None else angle
        ppm = self.camera.ppm
        tile = texture.sample(name, box, ppm, metres, angle, self.offsets)
        if not relief:
            return tile
        shift = self.offsets + self._turned(angle) * 0.012
        return tile - texture.sample(name, box, ppm, metres, angle, shift)

    def _turned(self, angle):
        x, y = self.camera.toward
        c, s = np.cos(angle), np.sin(angle)
        return np.array([c * x + s * y, -s * x + c * y])


def common(stamp, other):
    """The pixels of a stamp that another stamp has too."""
    return stamp and other and (stamp[0], stamp[1] & _aligned(stamp, other))


def without(stamp, other):
    """The pixels of a stamp that another stamp has not."""
    return stamp and other and (stamp[0], stamp[1] & ~_aligned(stamp, other))


def _aligned(stamp, other):
    """The pixels of `other` on the box of `stamp`."""
    (y0, x0, y1, x1), hit = stamp
    (a, b, c, d), wanted = other
    placed = np.zeros_like(hit)
    top, left, bottom, right = max(y0, a), max(x0, b), min(y1, c), min(x1, d)
    if top < bottom and left < right:
        part = wanted[top - a : bottom - a, left - b : right - b]
        placed[top - y0 : bottom - y0, left - x0 : right - x0] = part
    return placed
