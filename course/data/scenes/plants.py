"""Shrubs, hedges, trees in leaf and bare trees."""

import cv2
import numpy as np

from ...classes import id_of
from . import material, shapes
from .canvas import common

VEGETATION, TREE, BALD_TREE = map(id_of, ("vegetation", "tree", "bald-tree"))


def crown(canvas, rng, center, radius, height, id, leaves, lobes=7):
    """A rounded mass of leaves: tufts around a core, lobes lit from the sun, a cast shadow."""
    camera = canvas.camera
    core = shapes.blob(
        rng, center, 0.84 * radius, rng.uniform(0.75, 1), rng.uniform(0, np.pi), 0.1, 26
    )
    canvas.cast(core, height * 0.8, height * 0.25)
    pixels = camera.pixels(core, height * 0.55)
    sizes = np.rint(rng.uniform(0.09, 0.26, len(core)) * radius * camera.ppm).astype(int)
    body = canvas.stamp(_tufts(sizes), pixels, pad=int(sizes.max()) + 1)
    canvas.paint(body, id, leaves)
    canvas.tint(body, 0.76)
    middle = pixels.mean(0)
    for size in np.linspace(0.7, 0.26, lobes):
        # Lobes gather on the sunny side, so that the crown has a light and a dark flank.
        place = rng.normal(0, 0.26 + 0.2 * (0.7 - size), 2) * radius - camera.toward * radius * 0.16
        lobe = shapes.blob(rng, (0, 0), radius * size, 1, 0, 0.15, 22, 0.2)
        spot = canvas.area(middle + (lobe + place) * camera.ppm)
        canvas.tint(common(spot, body), 1.095)


def _tufts(sizes):
    """Draw a polygon with a disc at each of its corners: a scalloped outline."""

    def draw(hit, points):
        cv2.fillPoly(hit, [points], 1)
        for (x, y), size in zip(points.tolist(), sizes.tolist(), strict=True):
            cv2.circle(hit, (x, y), size, 1, -1)

    return draw


def dots(canvas, rng, places, radius, leaves):
    """Many small plants at once: rows of vegetables, lily pads, tufts."""
    camera = canvas.camera
    sizes = np.rint(rng.uniform(0.6, 1.3, len(places)) * radius * camera.ppm).astype(int).clip(1)

    def draw(hit, points):
        for (x, y), size in zip(points.tolist(), sizes.tolist(), strict=True):
            cv2.circle(hit, (x, y), size, 1, -1)

    pixels = camera.pixels(places)
    canvas.dim(
        canvas.stamp(draw, pixels + 0.5 * radius * camera.sun * camera.ppm, int(sizes.max()) + 1),
        190,
    )
    canvas.paint(canvas.stamp(draw, pixels, int(sizes.max()) + 1), VEGETATION, leaves)


def shrub(canvas, rng, center, radius, colours=None):
    """A bush; sometimes red or silver."""
    odd = [(112, 62, 52), (126, 130, 104), (120, 112, 48)]
    colours = colours or (odd if rng.uniform() < 0.15 else material.LEAVES)
    leaves = material.foliage(rng, 0.9, colours)
    crown(canvas, rng, center, radius, radius * rng.uniform(0.7, 1.3), VEGETATION, leaves, lobes=4)


def hedge(canvas, rng, line, width, height=1.2):
    """A clipped hedge along a line."""
    camera = canvas.camera
    outline = shapes.ribbon(line, width * rng.uniform(0.85, 1.15, len(line)))
    for start in range(len(line) - 1):
        piece = shapes.ribbon(line[start : start + 2], width)
        canvas.cast(piece, height)
    canvas.paint(canvas.area(camera.pixels(outline)), VEGETATION, material.foliage(rng, 0.8))
    canvas.tint(canvas.area(camera.pixels(outline)), 0.7)
    top = camera.pixels(outline, height)
    canvas.paint(canvas.area(top), VEGETATION, material.foliage(rng, 1.0))


def tree(canvas, rng, center, radius):
    colours = [(84, 94, 52), (72, 80, 50), (104, 110, 64), (112, 88, 66)]
    leaves = material.foliage(rng, 1.7, colours)
    height = min(radius * rng.uniform(1.5, 2.4), 0.45 * canvas.camera.altitude)
    crown(canvas, rng, center, radius, height, TREE, leaves, lobes=12)


def bald_tree(canvas, rng, center, radius):
    """A tree without leaves: limbs that fork, in a haze of twigs, and their shadow."""
    camera = canvas.camera
    height = min(radius * 1.6, 0.45 * camera.altitude)
    limbs = list(_limbs(rng, np.asarray(center, float), radius, height))
    for (start, end), (low, high), _, level in limbs:
        line = np.vstack([camera.shadow([start], low), camera.shadow([end], high)])
        canvas.dim(
            canvas.stroke(line, max(1.2, 0.07 * camera.ppm / (1 + level))), 150 if level < 3 else 90
        )
    bark = material.plain(material.pick(rng, [(112, 100, 88), (96, 84, 72), (134, 122, 108)]), 0.12)
    haze = _haze(bark)
    ordered = sorted(limbs, key=lambda limb: -limb[3])
    drawn = [
        (camera.pixels([s, e], [a, b]), thick, level) for (s, e), (a, b), thick, level in ordered
    ]
    for line, _, level in drawn:
        if level >= 1:
            canvas.paint(canvas.stroke(line, max(3.0, 0.16 * camera.ppm)), BALD_TREE, haze)
    for line, thick, _ in drawn:
        canvas.paint(canvas.stroke(line, max(1.0, thick * camera.ppm)), BALD_TREE, bark)


def _haze(bark):
    """Twigs too fine to see, mixed with the ground below them."""

    def mixed(canvas, box):
        y0, x0, y1, x1 = box
        below = canvas.albedo[y0:y1, x0:x1]
        return 0.9 * below + 0.1 * bark(canvas, box)

    return mixed


def _limbs(rng, foot, radius, height):
    """Limbs as ((start, end), (low, high), thickness, level), from trunk to twigs."""
    fork = foot + rng.normal(0, 0.04 * radius, 2)
    yield (foot, fork), (0.0, 0.35 * height), 0.1 * radius, 0
    tips = [
        (fork, 0.35 * height, angle, 0.5 * radius)
        for angle in rng.uniform(0, 2 * np.pi)
        + np.arange(7) * 2 * np.pi / 7
        + rng.normal(0, 0.2, 7)
    ]
    for level, thickness in enumerate((0.035, 0.018, 0.010, 0.006), start=1):
        grown = []
        for start, low, angle, length in tips:
            for _ in range(2 if level < 4 else 3):
                heading = angle + rng.normal(0, 0.42)
                end = start + shapes.unit(heading) * length * rng.uniform(0.6, 1.0)
                high = min(low + 0.25 * length, height)
                yield (start, end), (low, high), thickness * radius, level
                grown.append((end, high, heading, length * 0.62))
        tips = grown[: 7 * 2**level]
