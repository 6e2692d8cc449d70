"""The class "obstacle": furniture, bins, pots, parasols, trampolines, toys, hoses."""

import numpy as np

from ...classes import id_of
from . import material, shapes

OBSTACLE = id_of("obstacle")
BRIGHT = [
    (58, 88, 150),
    (160, 54, 46),
    (210, 208, 202),
    (72, 74, 78),
    (134, 112, 86),
    (88, 104, 70),
]


def _slab(canvas, outline, height, skin, bottom=None):
    """A solid piece whose top is `outline` at `height`."""
    camera = canvas.camera
    canvas.cast(outline, height, height * 0.8 if bottom is None else bottom)
    canvas.paint(canvas.area(camera.pixels(outline, height)), OBSTACLE, skin)


def box(canvas, rng, place):
    """A bin, crate or cupboard: sides first, then the lid."""
    camera = canvas.camera
    size, height = rng.uniform(0.5, 1.4), rng.uniform(0.4, 1.1)
    colour = material.pick(rng, BRIGHT)
    outline = shapes.rectangle(
        place, size, size * rng.uniform(0.5, 1), camera.heading + rng.normal(0, 0.2)
    )
    canvas.cast(outline, height)
    for step in np.linspace(0, 1, 6):
        canvas.paint(canvas.area(camera.pixels(outline, height * step)), OBSTACLE, colour * 0.62)
    canvas.paint(canvas.area(camera.pixels(outline, height)), OBSTACLE, material.plain(colour))
    inner = np.mean(outline, 0) + (outline - np.mean(outline, 0)) * 0.8
    canvas.tint(canvas.stroke(camera.pixels(inner, height), 0.03 * camera.ppm, True), 0.8)


def pot(canvas, rng, place):
    """A plant pot or a round bin."""
    size = rng.uniform(0.28, 0.6)
    colour = material.pick(rng, [(150, 92, 66), (96, 94, 92), (70, 68, 66), (168, 160, 148)])
    rim = shapes.rounded(place, size, size, 0, 2, 18)
    _slab(canvas, rim, 0.4, material.plain(colour), 0.0)
    inner = shapes.rounded(place, size * 0.7, size * 0.7, 0, 2, 14)
    canvas.paint(
        canvas.area(canvas.camera.pixels(inner, 0.4)), OBSTACLE, material.foliage(rng, 0.7)
    )


def chair(canvas, rng, place, angle, colour):
    camera = canvas.camera
    seat = shapes.rectangle(place, 0.46, 0.46, angle)
    _slab(canvas, seat, 0.45, material.plain(colour))
    back = shapes.rectangle(place - shapes.unit(angle) * 0.22, 0.08, 0.46, angle)
    canvas.paint(canvas.area(camera.pixels(back, 0.85)), OBSTACLE, colour * 0.75)


def lounger(canvas, rng, place):
    """A deck chair with its head raised and a bar of cloth every hand's breadth."""
    camera = canvas.camera
    angle = rng.uniform(0, 2 * np.pi)
    colour = material.pick(rng, [*BRIGHT, (196, 182, 150)])
    seat = shapes.rounded(place, 1.9, 0.65, angle, 8, 24)
    _slab(
        canvas,
        seat,
        0.35,
        material.surface(colour, ("planks", 2.2, 0.09, {"angle": angle + np.pi / 2})),
    )
    head = shapes.rectangle(place + shapes.unit(angle) * 0.65, 0.5, 0.6, angle)
    canvas.paint(canvas.area(camera.pixels(head, 0.55)), OBSTACLE, material.plain(colour * 1.1))


def table(canvas, rng, place):
    """A garden table with chairs around it."""
    angle = canvas.camera.heading + rng.choice([0, np.pi / 2])
    wood = material.timber(rng, ((132, 106, 80), (176, 172, 164), (92, 90, 88)))
    colour = material.pick(rng, [(70, 68, 66), (150, 124, 92), (198, 196, 190)])
    length = rng.uniform(1.2, 2.2)
    ahead, beside = shapes.unit(angle), shapes.unit(angle + np.pi / 2)
    for column in np.arange(-length / 2 + 0.4, length / 2, 0.65):
        for flank in (1, -1):
            if rng.uniform() < 0.8:
                spot = place + ahead * column + beside * flank * rng.uniform(0.62, 0.9)
                chair(canvas, rng, spot, angle - flank * np.pi / 2 + rng.normal(0, 0.2), colour)
    power = rng.choice([2.0, 8.0])
    _slab(canvas, shapes.rounded(place, length, 0.95, angle, power, 28), 0.74, wood)


def ping_pong(canvas, rng, place):
    """A table-tennis table: two blue halves, white lines, a net."""
    camera = canvas.camera
    angle = camera.heading + rng.choice([0, np.pi / 2])
    blue = material.pick(rng, [(62, 92, 156), (54, 78, 128), (64, 104, 92)])
    top = shapes.rectangle(place, 2.74, 1.53, angle)
    _slab(canvas, top, 0.76, material.plain(blue, 0.03))
    lines = canvas.stroke(camera.pixels(top, 0.76), max(1.0, 0.04 * camera.ppm), True)
    canvas.paint(lines, OBSTACLE, np.array([216, 218, 220.0]))
    beside = shapes.unit(angle + np.pi / 2)
    net = camera.pixels([place - beside * 0.9, place + beside * 0.9], 0.9)
    canvas.paint(
        canvas.stroke(net, max(2.0, 0.06 * camera.ppm)), OBSTACLE, np.array([58, 60, 62.0])
    )


def parasol(canvas, rng, place):
    """Eight panels of cloth, light and dark by the sun."""
    camera = canvas.camera
    colour = material.pick(rng, [(222, 214, 198), (196, 186, 164), (158, 60, 50), (92, 108, 92)])
    radius = rng.uniform(1.1, 1.7)
    t = np.arange(8) * np.pi / 4 + camera.heading
    rim = place + radius * np.stack([np.cos(t), np.sin(t)], 1)
    canvas.cast(rim, 2.2, 2.0)
    tip = camera.pixels([place], 2.6)
    for i in range(8):
        panel = np.vstack([camera.pixels(rim[[i, (i + 1) % 8]], 2.2), tip])
        light = 1 - 0.13 * float(shapes.unit(t[i] + np.pi / 8) @ camera.toward)
        canvas.paint(canvas.area(panel), OBSTACLE, material.plain(colour * light, 0.02))


def trampoline(canvas, rng, place):
    radius = rng.uniform(1.2, 1.9)
    rim = shapes.rounded(place, 2 * radius, 2 * radius, 0, 2, 40)
    colour = material.pick(rng, [(60, 100, 150), (84, 130, 70), (60, 62, 66)])
    _slab(canvas, rim, 0.7, material.plain(colour), 0.3)
    mat = shapes.rounded(place, 1.6 * radius, 1.6 * radius, 0, 2, 36)
    canvas.paint(
        canvas.area(canvas.camera.pixels(mat, 0.7)),
        OBSTACLE,
        material.plain(np.array([44, 45, 48.0])),
    )


def hose(canvas, rng, place):
    """A hose, a rope or a plank left on the ground."""
    camera = canvas.camera
    end = place + shapes.unit(rng.uniform(0, 2 * np.pi)) * rng.uniform(1.5, 5)
    line = shapes.wavy(rng, place, end, rng.choice([0.0, 0.25]), 16)
    colour = material.pick(rng, [(96, 128, 70), (190, 180, 60), (140, 116, 88), (64, 64, 66)])
    canvas.paint(canvas.stroke(camera.pixels(line), max(2.0, 0.06 * camera.ppm)), OBSTACLE, colour)


def toy(canvas, rng, place):
    """A ball, a bucket, a scooter: small and of any colour."""
    size = rng.uniform(0.15, 0.4)
    colour = material.pick(rng, [*BRIGHT, (190, 150, 50), (60, 140, 90)])
    outline = shapes.blob(rng, place, size, rng.uniform(0.5, 1), rng.uniform(0, 3), 0.1, 12)
    _slab(canvas, outline, 0.25, material.plain(colour), 0.0)


def any_of(canvas, rng, place, budget):
    """One obstacle, large if `budget` (square metres) allows; returns about what it covers."""
    if budget > 2.5 and rng.uniform() < 0.75:
        draw, area = [(table, 3.2), (ping_pong, 4.5), (parasol, 6.5), (trampoline, 7.5)][
            int(rng.choice(4, p=[0.46, 0.24, 0.18, 0.12]))
        ]
    elif budget > 0.2 and rng.uniform() < 0.7:
        draw, area = [(box, 0.8), (lounger, 1.3), (pot, 0.2)][int(rng.integers(3))]
    else:
        draw, area = [(pot, 0.2), (toy, 0.15), (hose, 0.2)][int(rng.choice(3, p=[0.35, 0.4, 0.25]))]
    draw(canvas, rng, place)
    return area
