"""Tileable grey textures, made once a process and sampled at any scale and angle.

A texture has mean 0 and standard deviation 1, so that a material is
``colour * (1 + strength * texture)``. Tiles are kept as uint8 (:data:`UNIT` steps a standard
deviation) at several resolutions (mipmaps), which spares the pictures the shimmer of textures
seen from far away.
"""

import functools

import cv2
import numpy as np

TILE = 512
UNIT = 32


def sample(name, box, ppm, metres, angle=0.0, offset=(0.0, 0.0)):
    """The texture under a box of pixels, ``(height, width)`` float32.

    Parameters
    ----------
    box : (y0, x0, y1, x1) in pixels
    ppm : pixels per metre
    metres : what one tile spans on the ground
    angle : heading of the pattern in radians
    offset : where in the tile pixel (0, 0) lies, in tiles
    """
    y0, x0, y1, x1 = box
    step = TILE / (ppm * metres)
    levels = bank()[name]
    level = int(np.clip(np.rint(np.log2(step)), 0, len(levels) - 1))
    step /= 2**level
    c, s = step * np.cos(angle), step * np.sin(angle)
    side = TILE / 2**level
    turn = np.array([[c, s], [-s, c]])
    width, height = x1 - x0, y1 - y0
    corners = turn @ np.array([[0, width, 0, width], [0, 0, height, height]])
    start = turn @ (x0, y0) + np.array(offset) * side
    # Move the box to where its lowest coordinate lies in the first tile.
    low = corners.min(1)
    start = (start + low) % side - low
    tile = _spread(levels[level], corners.max(1) + start)
    return _warp(tile, np.column_stack([turn, start]), (width, height))


def _spread(tile, reach):
    """The tile repeated up to `reach` (x, y): warping inside an array is far faster than wrapping."""
    right, bottom = (max(0, int(r) + 2 - tile.shape[0]) for r in reach)
    return cv2.copyMakeBorder(tile, 0, bottom, 0, right, cv2.BORDER_WRAP)


def _warp(tile, matrix, size):
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(tile, matrix, size, flags=flags, borderMode=cv2.BORDER_WRAP)
    warped = warped.astype(np.float32)
    warped -= 128
    warped *= 1 / UNIT
    return warped


@functools.cache
def bank():
    """All tiles by name, each a list of ever smaller copies."""
    rng = np.random.default_rng(20)
    tiles = {
        "cloud": _fractal(rng, 1.6),
        "grain": _fractal(rng, 0.5),
        "blades": _blades(rng),
        "leaves": _scatter(rng, 2600, 9, 0.5),
        "pebbles": _scatter(rng, 3200, 8, 0.8),
        "bricks": _bricks(rng, rows=16, columns=8, bond=True),
        "slabs": _bricks(rng, rows=6, columns=6, bond=False),
        "planks": _bricks(rng, rows=20, columns=1, bond=True),
        "tiles": _roof_tiles(rng),
        "seams": _seams(),
        "ripples": _ripples(rng),
    }
    return {name: _mipmaps(_normal(tile)) for name, tile in tiles.items()}


def _normal(tile):
    tile = tile.astype(np.float32)
    return (tile - tile.mean()) / tile.std()


def _mipmaps(tile):
    levels = [np.rint(tile * UNIT + 128).clip(0, 255).astype(np.uint8)]
    while levels[-1].shape[0] > 16:
        half = levels[-1].shape[0] // 2
        levels.append(cv2.resize(levels[-1], (half, half), interpolation=cv2.INTER_AREA))
    return levels


def _fractal(rng, power):
    """Noise whose amplitude falls with frequency to the given power."""
    f = np.hypot(
        *np.meshgrid(np.fft.fftfreq(TILE) * TILE, np.fft.rfftfreq(TILE) * TILE, indexing="ij")
    )
    f[0, 0] = 1
    spectrum = np.fft.rfft2(rng.standard_normal((TILE, TILE))) / f**power
    return np.fft.irfft2(spectrum, s=(TILE, TILE))


def _copies(x, y, reach):
    """Every copy of a point, as whole numbers, whose mark touches the tile."""
    for dx in (-TILE, 0, TILE):
        for dy in (-TILE, 0, TILE):
            if -reach < x + dx < TILE + reach and -reach < y + dy < TILE + reach:
                yield int(x + dx), int(y + dy)


def _scatter(rng, count, radius, roundness):
    """Overlapping ellipses lit from one side: leaves, or pebbles when round."""
    tile = np.full((TILE, TILE), 60, np.uint8)
    places = rng.uniform(0, TILE, (count, 2))
    long = rng.uniform(0.5, 1.3, count) * radius
    wide = long * rng.uniform(roundness, 1, count)
    turns, tones = rng.uniform(0, 180, count), rng.uniform(0.3, 1, count)
    for i in range(count):
        for x, y in _copies(*places[i], long[i] + 2):
            for step, size, light in ((0, 1.0, 150), (1, 0.7, 235)):
                axes = max(1, int(long[i] * size)), max(1, int(wide[i] * size))
                tone = int(light * tones[i])
                cv2.ellipse(
                    tile, (x - step, y - step), axes, turns[i], 0, 360, tone, -1, cv2.LINE_AA
                )
    return tile


def _blades(rng):
    """Short strokes in all directions: grass from above."""
    tile = (_normal(_fractal(rng, 0.9)) * 16 + 100).clip(0, 255).astype(np.uint8)
    count = 9000
    places, turns = rng.uniform(0, TILE, (count, 2)), rng.uniform(0, 2 * np.pi, count)
    lengths, tones = rng.uniform(3, 11, count), rng.uniform(40, 200, count)
    ends = (np.stack([np.cos(turns), np.sin(turns)], 1) * lengths[:, None]).astype(int)
    for place, (dx, dy), tone in zip(places, ends.tolist(), tones.tolist(), strict=True):
        for x, y in _copies(*place, 12):
            cv2.line(tile, (x, y), (x + dx, y + dy), int(tone), 1, cv2.LINE_AA)
    return tile


def _bricks(rng, rows, columns, bond):
    """Rectangles with dark joints, each of its own tone."""
    tile = np.zeros((TILE, TILE), np.float32)
    tall, wide = TILE / rows, TILE / columns
    for row in range(rows):
        shift = (wide / 2 if row % 2 else 0) if bond else 0
        shift = rng.uniform(0, TILE) if columns == 1 else shift
        for column in range(columns):
            tone = 160 + 32 * rng.standard_normal()
            x0, x1 = int(column * wide + shift) + 2, int((column + 1) * wide + shift) - 1
            y0, y1 = int(row * tall) + 2, int((row + 1) * tall) - 1
            tile[y0:y1, np.arange(x0, x1) % TILE] = tone
    return cv2.GaussianBlur(tile, (0, 0), 1.0) + 14 * _normal(_fractal(rng, 0.5))


def _roof_tiles(rng):
    """Rows of overlapping tiles: light at the lower edge, dark under the next row."""
    v = np.arange(TILE)[:, None] * 16 / TILE
    u = np.arange(TILE)[None] * 20 / TILE
    row = np.floor(v)
    wave = np.cos(2 * np.pi * (u + 0.5 * (row % 2)))
    tone = rng.standard_normal((16, 20))[
        row.astype(int), np.floor(u + 0.5 * (row % 2)).astype(int) % 20
    ]
    return 1.2 * (v % 1) - 1.6 * ((v % 1) < 0.16) + 0.45 * wave + 0.22 * tone


def _seams():
    """Straight standing seams of a metal roof."""
    u = np.arange(TILE)[None] * 10 / TILE % 1
    line = 1.5 * (u < 0.1) - 1.5 * ((u >= 0.1) & (u < 0.22))
    return np.repeat(line, TILE, axis=0)


def _ripples(rng):
    """The bright net that waves cast on a pool's floor."""
    a, b = (_normal(_fractal(rng, 1.8)) for _ in range(2))
    return np.exp(-((4 * (a - b)) ** 2)) + np.exp(-((5 * (a + b)) ** 2))
