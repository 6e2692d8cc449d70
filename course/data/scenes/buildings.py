"""Houses, sheds and fences: what stands upright and shows a face when it leans away."""

import itertools

import numpy as np

from ...classes import id_of
from . import material, shapes

ROOF, WALL, WINDOW, DOOR = map(id_of, ("roof", "wall", "window", "door"))
FENCE, POLE = map(id_of, ("fence", "fence-pole"))


def house(canvas, rng, center, length, width, angle, height, windows, door):
    """A house with a gable roof.

    Walls that look towards the drone are seen below the eaves, with their windows and door.
    """
    camera = canvas.camera
    height = min(height, 0.4 * camera.altitude)
    base = shapes.rectangle(center, length, width, angle)
    eaves = shapes.rectangle(center, length + 0.7, width + 0.7, angle)
    canvas.cast(eaves, height * 1.15, height * 0.9)
    canvas.cast(base, height)
    paint = material.pick(
        rng, [(206, 200, 190), (186, 168, 128), (150, 148, 146), (128, 104, 84), (108, 112, 116)]
    )
    faces = [(base[i], base[(i + 1) % 4]) for i in range(4)]
    seen = [face for face in faces if _toward(camera, *face) > 0]
    for start, end in sorted(seen, key=lambda face: _toward(camera, *face)):
        _wall(canvas, start, end, height, paint)
        door = door and not _openings(canvas, rng, start, end, height, windows, door)
    _roof(canvas, rng, eaves, height, angle, windows)


def _toward(camera, start, end):
    """How squarely the face looks at the drone; negative when it looks away."""
    out = np.array([(end - start)[1], -(end - start)[0]]) / np.hypot(*(end - start))
    return float(out @ (camera.nadir - (start + end) / 2))


def _lit(camera, start, end):
    """Brightness of a face: it is bright when it looks at the sun."""
    out = np.array([(end - start)[1], -(end - start)[0]]) / np.hypot(*(end - start))
    return 0.78 - 0.3 * (1 - camera.haze) * float(out @ camera.toward)


def _quad(camera, start, end, left, right, low, high):
    """A part of the face between two corners: `left`, `right` in metres from its start."""
    along = (end - start) / np.hypot(*(end - start))
    points = np.array([start + along * left, start + along * right])
    return np.vstack([camera.pixels(points, low), camera.pixels(points[::-1], high)])


def _wall(canvas, start, end, height, paint):
    span = float(np.hypot(*(end - start)))
    stamp = canvas.area(_quad(canvas.camera, start, end, 0, span, 0, height))
    canvas.paint(stamp, WALL, material.plaster(paint * _lit(canvas.camera, start, end)))
    for depth, factor in ((0.24, 0.86), (0.12, 0.8)):
        eaves = _quad(canvas.camera, start, end, 0, span, (1 - depth) * height, height)
        canvas.tint(canvas.area(eaves), factor)


def _openings(canvas, rng, start, end, height, windows, door):
    """Windows and a door in a face; returns whether the door found its place."""
    camera = canvas.camera
    span = float(np.hypot(*(end - start)))
    placed = False
    for left in np.arange(0.7, span - 2.6, 2.3):
        wide = rng.choice([1.1, 2.3])
        quad = _quad(camera, start, end, left, left + wide, 0, min(2.2, height * 0.85))
        if door and not placed and _in_sight(canvas, quad) and rng.uniform() < 0.5:
            colour = material.pick(
                rng, [(92, 62, 40), (58, 54, 52), (176, 172, 164), (120, 88, 60)]
            )
            _pane(canvas, quad, DOOR, material.plain(colour), colour * 0.6)
            placed = True
        elif windows and height > 1.6 and rng.uniform() < 0.75:
            quad = _quad(camera, start, end, left, left + 1.7, 0.24 * height, 0.76 * height)
            _pane(canvas, quad, WINDOW, glass(rng), np.array([206, 204, 198.0]))
    return placed


def _in_sight(canvas, quad):
    """Whether the middle of an outline of pixels lies well inside the picture."""
    x, y = quad.mean(0)
    height, width = canvas.mask.shape
    return 0.03 * width < x < 0.97 * width and 0.03 * height < y < 0.97 * height


def _pane(canvas, quad, id, colour, frame):
    canvas.paint(canvas.area(quad), id, colour)
    canvas.paint(canvas.stroke(quad, 0.07 * canvas.camera.ppm, True), id, frame)


def glass(rng):
    colour = material.pick(rng, [(52, 58, 66), (78, 90, 104), (120, 136, 152)])
    return material.surface(colour, ("cloud", 2.5, 0.2, {}), drift=0.05)


def _roof(canvas, rng, eaves, height, angle, windows):
    camera = canvas.camera
    long = (
        eaves
        if np.hypot(*(eaves[1] - eaves[0])) >= np.hypot(*(eaves[2] - eaves[1]))
        else np.roll(eaves, -1, 0)
    )
    ridge = np.array([(long[0] + long[3]) / 2, (long[1] + long[2]) / 2])
    rise = min(0.3 * float(np.hypot(*(long[2] - long[1]))), 2.2, 0.12 * camera.altitude)
    flat = rng.uniform() < 0.2
    rise = 0.0 if flat else rise
    top = camera.pixels(ridge, height + rise)
    low = camera.pixels(long, height)
    colour = material.pick(
        rng,
        [(86, 86, 90), (66, 68, 74), (128, 126, 126), (146, 92, 72), (170, 94, 62), (118, 104, 98)],
    )
    style = "seams" if flat or rng.uniform() < 0.2 else "tiles"
    metres = 6.0 if style == "seams" else rng.uniform(5.4, 7.0)
    along = np.arctan2(*(long[1] - long[0])[::-1])
    for corners, facing, flip in (
        ([low[0], low[1], top[1], top[0]], long[0] - long[3], np.pi),
        ([low[3], low[2], top[1], top[0]], long[3] - long[0], 0.0),
    ):
        tilt = float(facing @ camera.toward) / float(np.hypot(*facing))
        light = 1.0 if flat else 1 - 0.17 * (1 - camera.haze) * tilt
        skin = material.surface(
            colour * light,
            (style, metres, 0.15, {"angle": along + flip}),
            ("grain", 2.1, 0.04, {}),
            drift=0.05,
        )
        canvas.paint(canvas.area(np.array(corners)), ROOF, skin)
    if not flat:
        canvas.tint(canvas.stroke(top, 0.22 * camera.ppm), 0.82)
    edge = canvas.stroke(low, 0.14 * camera.ppm, True)
    canvas.paint(edge, ROOF, np.array([120, 118, 116.0]))
    if windows:
        _skylights(canvas, rng, low, top)
    _chimney(canvas, rng, ridge, height + rise)


def _skylights(canvas, rng, low, top):
    """One to three windows in the roof's slopes, where they can be seen."""
    wanted = int(rng.integers(1, 4))
    for _ in range(20):
        a, b = [(low[0], low[1]), (low[3], low[2])][int(rng.integers(2))]
        at, wide = rng.uniform(0.08, 0.82), 1.35 * canvas.camera.ppm / np.hypot(*(b - a))
        quad = []
        for s, t in ((at, 0.3), (at + wide, 0.3), (at + wide, 0.66), (at, 0.66)):
            quad.append((a + s * (b - a)) * (1 - t) + (top[0] + s * (top[1] - top[0])) * t)
        if wanted and _in_sight(canvas, np.array(quad)):
            _pane(canvas, np.array(quad), WINDOW, glass(rng), np.array([72, 70, 70.0]))
            wanted -= 1


def _chimney(canvas, rng, ridge, height):
    place = ridge[0] + (ridge[1] - ridge[0]) * rng.uniform(0.2, 0.8)
    stack = shapes.rectangle(place, 0.6, 0.6, canvas.camera.heading)
    pixels = canvas.camera.pixels(stack, height + 0.3)
    shift = canvas.camera.sun * canvas.camera.ppm * 0.7
    canvas.dim(canvas.area(pixels + shift), 220)
    canvas.paint(canvas.area(pixels), ROOF, material.plain(np.array([150, 132, 122.0]), 0.1))
    canvas.tint(canvas.area(pixels.mean(0) + (pixels - pixels.mean(0)) * 0.55), 0.4)


def fence(canvas, rng, line, poles, height=1.1):
    """Panels between posts; the panels lean away from the drone and throw a barred shadow."""
    camera = canvas.camera
    colour = material.pick(
        rng, [(126, 106, 84), (106, 100, 94), (156, 150, 140), (84, 92, 88), (168, 160, 150)]
    )
    for start, end in itertools.pairwise(line):
        canvas.cast(np.array([start, end]), height, depth=150)
    for start, end in itertools.pairwise(line):
        panel = np.vstack([camera.pixels([start, end]), camera.pixels([end, start], height)])
        skin = material.surface(
            colour, ("planks", 1.7, 0.2, {"angle": np.arctan2(*(end - start)[::-1]) + np.pi / 2})
        )
        canvas.paint(canvas.area(panel), FENCE, skin)
        rail = camera.pixels([start, end], height)
        canvas.paint(canvas.stroke(rail, max(2.0, 0.12 * camera.ppm)), FENCE, colour * 1.12)
    for post in line if poles else ():
        post_line = camera.pixels([post, post], [0.0, height * 1.06])
        canvas.dim(
            canvas.stroke(camera.shadow([post, post], [0.0, height]), 0.09 * camera.ppm), 200
        )
        canvas.paint(canvas.stroke(post_line, max(2.0, 0.09 * camera.ppm)), POLE, colour * 0.72)
