"""What stands about: people, dogs, cars, bicycles, markers, rocks."""

import cv2
import numpy as np

from ...classes import id_of
from . import material, shapes

PERSON, DOG, CAR, BICYCLE = map(id_of, ("person", "dog", "car", "bicycle"))
MARKER, ROCKS = map(id_of, ("ar-marker", "rocks"))
CLOTHES = [
    (52, 56, 70),
    (150, 46, 44),
    (206, 204, 200),
    (60, 88, 130),
    (96, 98, 92),
    (40, 40, 42),
    (170, 140, 66),
]
SKIN = np.array([196, 152, 126.0])


def person(canvas, rng, place):
    """Head, shoulders, arms and legs, leaning away from the drone, with a long shadow."""
    camera = canvas.camera
    angle = rng.uniform(0, 2 * np.pi)
    ahead, beside = shapes.unit(angle), shapes.unit(angle + np.pi / 2)
    shirt, trousers = material.pick(rng, CLOTHES), material.pick(rng, CLOTHES)
    hair = material.pick(rng, [(58, 44, 34), (38, 34, 32), (142, 114, 74), (188, 184, 178)])
    stride = rng.uniform(0.05, 0.32)
    trunk = shapes.rounded(place, 0.26, 0.46, angle, 2.5, 16)
    canvas.cast(trunk * 0.6 + np.asarray(place) * 0.4, 1.4)
    canvas.cast(shapes.rounded(place, 0.22, 0.2, angle, 2, 10), 1.75, 1.4)
    for foot in (1, -1):
        at = place + beside * 0.1 * foot + ahead * stride * foot
        leg = camera.pixels([at, place + beside * 0.08 * foot], [0.0, 0.9])
        canvas.paint(canvas.stroke(leg, max(2.0, 0.15 * camera.ppm)), PERSON, trousers)
        shoe = shapes.rounded(at + ahead * 0.06, 0.28, 0.11, angle, 2, 10)
        canvas.paint(canvas.area(camera.pixels(shoe)), PERSON, trousers * 0.5)
    canvas.paint(
        canvas.area(camera.pixels(shapes.rounded(place, 0.3, 0.4, angle, 2.5, 16), 0.95)),
        PERSON,
        trousers,
    )
    for hand in (1, -1):
        swing = place + beside * 0.3 * hand + ahead * rng.uniform(-0.1, 0.36)
        arm = camera.pixels([place + beside * 0.2 * hand, swing], [1.35, 1.0])
        canvas.paint(canvas.stroke(arm, max(2.0, 0.1 * camera.ppm)), PERSON, shirt * 0.9)
        tip = shapes.rounded(swing, 0.1, 0.1, 0, 2, 8)
        canvas.paint(canvas.area(camera.pixels(tip, 1.0)), PERSON, SKIN)
    for height, light in ((1.2, 0.85), (1.42, 1.0)):
        canvas.paint(canvas.area(camera.pixels(trunk, height)), PERSON, shirt * light)
    head = shapes.rounded(place + ahead * 0.05, 0.24, 0.2, angle, 2, 14)
    canvas.paint(canvas.area(camera.pixels(head + ahead * 0.05, 1.55)), PERSON, SKIN)
    canvas.paint(canvas.area(camera.pixels(head, 1.68)), PERSON, hair)


def dog(canvas, rng, place):
    camera = canvas.camera
    angle = rng.uniform(0, 2 * np.pi)
    ahead = shapes.unit(angle)
    fur = material.pick(rng, [(214, 206, 192), (98, 74, 54), (54, 48, 44), (176, 142, 98)])
    body = shapes.rounded(place, 0.78, 0.28, angle, 2.4, 18)
    canvas.cast(body, 0.5, 0.2)
    tail = camera.pixels(
        [place - ahead * 0.35, place - shapes.unit(angle + 0.4) * 0.7], [0.45, 0.5]
    )
    canvas.paint(canvas.stroke(tail, max(2.0, 0.07 * camera.ppm)), DOG, fur * 0.9)
    canvas.paint(canvas.area(camera.pixels(body, 0.45)), DOG, material.plain(fur, 0.1))
    head = shapes.rounded(place + ahead * 0.45, 0.32, 0.22, angle, 2, 12)
    canvas.paint(canvas.area(camera.pixels(head, 0.55)), DOG, fur * 1.08)
    for ear in (1, -1):
        spot = shapes.rounded(
            place + ahead * 0.38 + shapes.unit(angle + np.pi / 2) * 0.09 * ear,
            0.12,
            0.08,
            angle,
            2,
            8,
        )
        canvas.paint(canvas.area(camera.pixels(spot, 0.6)), DOG, fur * 0.6)


def car(canvas, rng, place, angle):
    """A car from above: body, cabin of glass, roof; lamps at both ends."""
    camera = canvas.camera
    length, width = rng.uniform(4.0, 4.8), rng.uniform(1.75, 1.95)
    colour = material.pick(
        rng,
        [
            (196, 198, 200),
            (54, 58, 64),
            (150, 34, 32),
            (44, 70, 116),
            (128, 130, 132),
            (222, 222, 220),
        ],
    )
    body = shapes.rounded(place, length, width, angle, 5, 36)
    canvas.cast(body, 0.9)
    canvas.cast(shapes.rounded(place, length * 0.5, width * 0.85, angle, 4, 20), 1.45, 0.8)
    canvas.paint(canvas.area(camera.pixels(body, 0.35)), CAR, np.array([34, 34, 36.0]))
    canvas.paint(canvas.area(camera.pixels(body, 0.75)), CAR, material.plain(colour, 0.015))
    ahead = shapes.unit(angle)
    hood = shapes.rectangle(place + ahead * length * 0.33, length * 0.2, width * 0.7, angle)
    canvas.tint(canvas.stroke(camera.pixels(hood, 0.85), 0.03 * camera.ppm, True), 0.8)
    cabin = shapes.rounded(place - ahead * length * 0.06, length * 0.58, width * 0.86, angle, 5, 30)
    canvas.paint(canvas.area(camera.pixels(cabin, 1.05)), CAR, glass_dark(rng))
    top = shapes.rounded(place - ahead * length * 0.09, length * 0.34, width * 0.74, angle, 5, 30)
    canvas.paint(canvas.area(camera.pixels(top, 1.4)), CAR, material.plain(colour * 1.04, 0.015))
    for end, lamp in ((0.48, (232, 228, 208)), (-0.48, (150, 32, 28))):
        for lateral in (0.36, -0.36):
            at = (
                place
                + ahead * length * end * 0.98
                + shapes.unit(angle + np.pi / 2) * width * lateral
            )
            canvas.paint(
                canvas.area(camera.pixels(shapes.rectangle(at, 0.12, 0.3, angle), 0.7)),
                None,
                np.array(lamp),
            )


def glass_dark(rng):
    return material.surface(material.pick(rng, [(38, 42, 48), (54, 62, 72)]), drift=0.12)


def bicycle(canvas, rng, place):
    """A bicycle that leans on its stand or lies on the ground."""
    camera = canvas.camera
    angle, lean = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 1.3)
    ahead, beside = shapes.unit(angle), shapes.unit(angle + np.pi / 2)
    colour = material.pick(
        rng, [(180, 40, 38), (40, 44, 48), (60, 110, 150), (198, 196, 190), (90, 130, 60)]
    )

    def at(x, z):
        """A point of the frame: x along the bicycle, z from the ground to the saddle."""
        return np.asarray(place) + ahead * x + beside * z * np.sin(lean), z * np.cos(lean)

    def rod(points, thickness, paint):
        spots, heights = zip(*(at(x, z) for x, z in points), strict=True)
        canvas.dim(canvas.stroke(camera.shadow(spots, heights), thickness * camera.ppm), 190)
        canvas.paint(
            canvas.stroke(camera.pixels(spots, heights), max(2.0, thickness * camera.ppm)),
            BICYCLE,
            paint,
        )

    t = np.linspace(0, 2 * np.pi, 17)
    for hub in (-0.52, 0.52):
        rod(
            np.stack([hub + 0.34 * np.cos(t), 0.34 + 0.34 * np.sin(t)], 1),
            0.055,
            np.array([44, 44, 46.0]),
        )
    rod([(-0.52, 0.34), (-0.1, 0.3), (0.42, 0.8), (-0.2, 0.75), (-0.1, 0.3)], 0.06, colour)
    rod([(0.52, 0.34), (0.42, 0.9)], 0.06, colour)
    rod([(-0.34, 0.9), (-0.08, 0.9)], 0.13, np.array([36, 34, 34.0]))
    bar, height = at(0.4, 0.98)
    handle = camera.pixels([bar - beside * 0.28, bar + beside * 0.28], height)
    canvas.paint(
        canvas.stroke(handle, max(2.0, 0.06 * camera.ppm)), BICYCLE, np.array([50, 50, 52.0])
    )


def marker(canvas, rng, place):
    """A white board with a dark ring and a coded sign, as surveyors lay out."""
    camera = canvas.camera
    angle = rng.uniform(0, 2 * np.pi)
    side = rng.uniform(0.75, 0.95)
    board = shapes.rectangle(place, side, side, angle)
    canvas.paint(
        canvas.area(camera.pixels(board)), MARKER, material.plain(np.array([214, 216, 214.0]), 0.03)
    )
    disc = shapes.rounded(place, side * 0.72, side * 0.72, 0, 2, 32)
    ink = material.plain(np.array([34, 42, 62.0]), 0.08)
    canvas.paint(canvas.area(camera.pixels(disc)), MARKER, ink)
    cell = side * 0.13
    bits = rng.integers(0, 2, (3, 3))
    bits[1, 1] = 1
    for row, column in np.argwhere(bits):
        spot = shapes.turn([(column - 1) * cell, (row - 1) * cell], angle, place)
        square = shapes.rectangle(spot, cell * 1.05, cell * 1.05, angle)
        canvas.paint(canvas.area(camera.pixels(square)), MARKER, np.array([222, 224, 222.0]))


def rock(canvas, rng, place, radius):
    """A boulder: an angular outline, facets lit by the sun."""
    camera = canvas.camera
    outline = shapes.blob(
        rng, place, radius, rng.uniform(0.6, 1), rng.uniform(0, np.pi), 0.16, 11, 0.1
    )
    canvas.cast(outline, radius * 0.8)
    pixels = camera.pixels(outline, radius * 0.25)
    canvas.paint(canvas.area(pixels), ROCKS, material.stone(rng))
    middle = pixels.mean(0)
    for scale, factor in ((0.8, 1.07), (0.55, 1.08)):
        facet = middle + (pixels - middle) * scale - camera.toward * radius * 0.12 * camera.ppm
        hull = cv2.convexHull(facet.astype(np.float32)).reshape(-1, 2)
        canvas.tint(canvas.area(hull), factor)
