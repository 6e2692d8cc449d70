"""The flat parts of a scene: paving, lawn, gravel, earth, water."""

import numpy as np

from ...classes import id_of
from . import material, shapes
from .canvas import without

PAVED, DIRT, GRASS, GRAVEL = map(id_of, ("paved-area", "dirt", "grass", "gravel"))
WATER, POOL, ROCKS, WALL = map(id_of, ("water", "pool", "rocks", "wall"))
MATERIALS = {
    PAVED: material.paving,
    DIRT: material.dirt,
    GRASS: material.lawn,
    GRAVEL: material.gravel,
}


def cover(canvas, rng, id):
    """The whole ground."""
    height, width = canvas.mask.shape
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    canvas.paint(canvas.area(frame), id, MATERIALS[id](rng))


def region(canvas, rng, outline, id, material_of=None):
    canvas.paint(canvas.area(canvas.camera.pixels(outline)), id, material_of or MATERIALS[id](rng))


def path(canvas, rng, line, width, kerb):
    """A path along a line on the ground, with or without a kerb of stones."""
    if kerb:
        region(canvas, rng, shapes.ribbon(line, width + 0.3), WALL, material.masonry(rng))
    region(canvas, rng, shapes.ribbon(line, width), PAVED)


def stepping_stones(canvas, rng, line):
    """Slabs a stride apart."""
    skin = material.stone(rng)
    along = np.cumsum(np.hypot(*np.diff(line, axis=0, prepend=line[:1]).T))
    for at in np.arange(0.3, along[-1], 0.68):
        spot = np.array([np.interp(at, along, line[:, 0]), np.interp(at, along, line[:, 1])])
        region(canvas, rng, shapes.rounded(spot, 0.5, 0.38, rng.uniform(0, 3), 4, 14), PAVED, skin)


def border(canvas, rng, line, width, closed=False):
    """A low wall or kerb of stone along a line, with its little shadow."""
    camera = canvas.camera
    pixels = camera.pixels(line)
    canvas.dim(
        canvas.stroke(pixels + 0.2 * camera.sun * camera.ppm, width * camera.ppm, closed), 200
    )
    canvas.paint(canvas.stroke(pixels, width * camera.ppm, closed), WALL, material.masonry(rng))


def lake(canvas, rng, share, straight):
    """A pond with its shore of gravel and rocks; returns the outline of the water."""
    camera = canvas.camera
    outline = _basin(camera, rng, share, straight)
    shore = shapes.ribbon(np.vstack([outline, outline[:1]]), rng.uniform(0.5, 1.4))
    region(canvas, rng, shore, GRAVEL)
    region(canvas, rng, outline, WATER, material.pond(rng))
    pixels = camera.pixels(outline)
    canvas.tint(canvas.stroke(pixels, 0.12 * camera.ppm, True), 0.72)
    return outline


def _basin(camera, rng, share, straight):
    area = share * camera.extent.prod() * 1.25
    center = camera.spot(rng, 0.1)
    ratio = rng.uniform(0.45, 0.95)
    if straight:
        length = np.sqrt(area / ratio)
        return shapes.rounded(center, length, length * ratio, camera.heading, 7, 40)
    radius = np.sqrt(area / (np.pi * ratio))
    return shapes.blob(rng, center, radius, ratio, rng.uniform(0, np.pi), 0.2, 64)


def bath(canvas, rng, share):
    """A swimming pool with its rim of slabs, steps, and water that moves."""
    camera = canvas.camera
    area = share * camera.extent.prod() * 1.15
    ratio = rng.uniform(0.42, 0.7)
    length = np.sqrt(area / ratio)
    center = camera.spot(rng, 0.2)
    power = rng.choice([3.0, 8.0, 12.0])
    rim = shapes.rounded(center, length + 1.2, length * ratio + 1.2, camera.heading, power, 60)
    basin = shapes.rounded(center, length, length * ratio, camera.heading, power, 60)
    region(canvas, rng, rim, PAVED, material.surface((186, 182, 172), ("slabs", 3.0, 0.06, {})))
    region(canvas, rng, basin, POOL, material.pool(rng))
    water = canvas.area(camera.pixels(basin))
    canvas.dim(without(water, canvas.area(camera.pixels(basin + camera.sun * 0.5))), 130)
    inner = shapes.rounded(center, length - 0.3, length * ratio - 0.3, camera.heading, power, 60)
    canvas.tint(canvas.stroke(camera.pixels(inner), 0.10 * camera.ppm, True), 1.12)
    for step in range(3):
        width = length * ratio * 0.8
        place = center + shapes.unit(camera.heading) * (length / 2 - 0.4 - 0.35 * step)
        tread = shapes.rectangle(place, 0.06, width, camera.heading)
        canvas.tint(canvas.area(camera.pixels(tread)), 1.15)
    return rim
