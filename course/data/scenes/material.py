"""What surfaces look like: functions that make ``material(canvas, box) -> colours``.

Palettes overlap on purpose: a grey may be asphalt, gravel or a roof, a green lawn, hedge or
tree, and only texture, shape and surroundings tell them apart.
"""

import numpy as np


def surface(colour, *layers, drift=0.08, patch=9.0):
    """A colour with textures on it and a slow drift of brightness across the ground.

    Each layer is ``(texture, metres, strength, options)``; options go to Canvas.texture.
    """
    colour = np.asarray(colour, np.float32)

    def material(canvas, box):
        # Nobody sees the texture of what is a few pixels wide.
        area = (box[2] - box[0]) * (box[3] - box[1])
        if area < 150:
            return colour
        tone = np.ones((box[2] - box[0], box[3] - box[1]), np.float32)
        if area > 4000:
            layered = [("cloud", patch, drift, {"angle": 0.4}), *layers]
        else:
            layered = layers if area > 1200 else layers[:1]
        for name, metres, strength, options in layered:
            texture = canvas.texture(name, box, metres, **options)
            texture *= strength
            tone += texture
        return np.maximum(tone, 0.12, out=tone)[..., None] * colour

    return material


def mottled(first, second, metres=5.0, strength=0.45):
    """Two materials mixed by a cloud: lawn with dry patches, mulch among pebbles."""

    def material(canvas, box):
        mix = canvas.texture("cloud", box, metres, angle=1.1)
        mix = np.clip(0.5 + strength * mix, 0, 1)[..., None]
        one, other = first(canvas, box), second(canvas, box)
        return other + mix * (one - other)

    return material


def shift(rng, colour, spread=5):
    """A colour near `colour`: brighter or darker, and a little off in hue."""
    return np.clip(
        np.asarray(colour) * rng.uniform(0.86, 1.14) + rng.normal(0, spread / 2, 3), 8, 248
    )


def pick(rng, colours, weights=None):
    """One of the colours, shifted a little."""
    return shift(rng, colours[int(rng.choice(len(colours), p=weights))])


GREYS = [(146, 146, 148), (124, 124, 127), (168, 167, 163), (104, 105, 110)]
STONES = [
    (172, 168, 161), (190, 177, 154), (146, 143, 141), (172, 148, 132), (158, 130, 116),
    (132, 126, 104), (112, 100, 88), (168, 104, 78),
]  # fmt: skip
GREENS = [(96, 104, 60), (112, 112, 72), (82, 94, 54), (126, 118, 84), (70, 82, 48)]
LEAVES = [(84, 98, 50), (100, 114, 58), (70, 82, 46), (116, 122, 70), (98, 112, 86)]
EARTHS = [(122, 102, 80), (104, 88, 72), (138, 118, 92), (130, 92, 76), (92, 80, 68)]


def paving(rng):
    """Asphalt, concrete, pavers, slabs, cobbles or a wooden deck."""
    style = rng.choice(
        ["asphalt", "bricks", "slabs", "concrete", "cobble", "deck"],
        p=[0.3, 0.3, 0.18, 0.1, 0.08, 0.04],
    )
    if style == "asphalt":
        return surface(
            pick(rng, GREYS), ("grain", 1.6, 0.09, {}), ("cloud", 4.1, 0.03, {}), drift=0.05
        )
    if style == "bricks":
        size = rng.uniform(0.85, 1.5)
        return surface(
            pick(rng, STONES), ("bricks", 3.0 * size, 0.1, {}), ("grain", 2.0, 0.06, {}), drift=0.05
        )
    if style == "slabs":
        size = rng.uniform(2.4, 4.2)
        return surface(
            pick(rng, STONES + GREYS),
            ("slabs", size, 0.07, {}),
            ("grain", 2.3, 0.05, {}),
            drift=0.05,
        )
    if style == "deck":
        wood = pick(rng, [(150, 122, 92), (128, 112, 98)])
        return surface(wood, ("planks", 2.6, 0.12, {}), ("grain", 1.2, 0.05, {}), drift=0.05)
    if style == "cobble":
        size = rng.uniform(2.6, 3.6)
        return surface(
            pick(rng, GREYS + STONES),
            ("pebbles", size, 0.1, {}),
            ("grain", 2.0, 0.05, {}),
            drift=0.05,
        )
    pale = pick(rng, [(190, 187, 180), (160, 159, 157)])
    return surface(pale, ("cloud", 3.6, 0.03, {}), ("grain", 1.2, 0.05, {}), drift=0.05)


def lawn(rng):
    """Grass, lush in one place and dry in another, seldom of one colour."""
    colour = pick(rng, GREENS)
    lush = surface(
        colour,
        ("blades", 1.5, 0.16, {}),
        ("blades", 6.1, 0.09, {}),
        ("grain", 2.6, 0.06, {}),
        drift=0.06,
    )
    dry = surface(
        0.55 * colour + 0.45 * pick(rng, [(128, 116, 84), (112, 104, 74)]),
        ("blades", 1.7, 0.17, {}),
        ("blades", 6.1, 0.09, {}),
        drift=0.05,
    )
    return mottled(lush, dry, rng.uniform(4, 12), rng.uniform(0.15, 0.4))


def gravel(rng):
    colour = pick(
        rng, [(158, 157, 154), (124, 123, 122), (188, 185, 178), (160, 144, 122), (98, 98, 100)]
    )
    size = rng.uniform(0.8, 1.9)
    return surface(
        colour,
        ("pebbles", size, 0.24, {"relief": True}),
        ("pebbles", size, 0.14, {}),
        ("pebbles", 4.7 * size, 0.13, {"angle": 0.9}),
        drift=0.06,
    )


def dirt(rng):
    """Earth, with bark or dead leaves on it."""
    colour = pick(rng, EARTHS)
    soil = surface(
        colour, ("grain", 1.3, 0.14, {"relief": True}), ("cloud", 1.1, 0.06, {}), drift=0.06
    )
    bits = surface(
        0.6 * colour + 0.4 * pick(rng, EARTHS),
        ("leaves", 1.1, 0.18, {}),
        ("leaves", 3.7, 0.16, {}),
        drift=0.06,
    )
    return mottled(soil, bits, 1.8)


def foliage(rng, metres=1.4, colours=LEAVES):
    """Leaves in clumps: relief at two scales makes the clumps round."""
    return surface(
        pick(rng, colours),
        ("leaves", metres, 0.21, {"relief": True, "angle": 0.7}),
        ("cloud", 1.9, 0.32, {"relief": True, "angle": 0.2}),
        ("leaves", metres * 0.6, 0.14, {"angle": 2.0}),
        drift=0.1,
    )


def pond(rng):
    """Still water: dark and green-brown, with a pale reflection of the sky here and there."""
    colours = [
        (60, 64, 50),
        (82, 80, 62),
        (52, 60, 56),
        (92, 96, 90),
        (108, 112, 112),
        (74, 88, 54),
    ]
    colour = shift(rng, colours[int(rng.integers(len(colours)))], 3)
    deep = surface(colour, ("grain", 2.4, 0.04, {}), drift=0.14, patch=7.0)
    sky = surface(colour * 1.2 + (6, 10, 14), ("grain", 1.2, 0.03, {}), drift=0.05, patch=11.0)
    return mottled(deep, sky, metres=rng.uniform(9, 16))


def pool(rng):
    colour = pick(rng, [(206, 224, 236), (164, 206, 224), (220, 230, 236), (140, 176, 196)])
    return surface(colour, ("ripples", 1.7, 0.035, {"angle": 0.6}), ("cloud", 3.0, 0.05, {}))


def stone(rng):
    colour = pick(rng, [(122, 118, 112), (146, 142, 136), (96, 94, 92), (132, 116, 98)])
    return surface(colour, ("cloud", 0.7, 0.22, {"relief": True}), ("grain", 0.9, 0.1, {}))


def plaster(colour):
    return surface(colour, ("cloud", 1.6, 0.04, {}), ("grain", 0.9, 0.03, {}), drift=0.03)


def masonry(rng):
    """A low garden wall: blocks or concrete, in the greys of the paving."""
    colour = pick(rng, STONES + GREYS)
    return surface(colour, ("bricks", 2.2, 0.12, {}), ("cloud", 0.9, 0.12, {"relief": True}))


def timber(rng, colours=((126, 104, 82), (104, 96, 88), (148, 128, 104), (92, 70, 52))):
    return surface(pick(rng, list(colours)), ("planks", 1.3, 0.14, {}), ("grain", 0.8, 0.06, {}))


def plain(colour, strength=0.05):
    """Cloth, metal, plastic: nearly even."""
    return surface(colour, ("grain", 0.7, strength, {}), drift=0.03)
