"""Lay out a planned scene from the ground up; what is taller comes later and hides the rest."""

import numpy as np

from ...classes import id_of
from . import buildings, ground, material, obstacles, plants, shapes, things
from .lot import Lot

PAVED, GRASS, GRAVEL, DIRT = ground.PAVED, ground.GRASS, ground.GRAVEL, ground.DIRT
OPEN = (PAVED, GRASS, GRAVEL)
PLANTED = (DIRT, GRAVEL, GRASS, ground.ROCKS, id_of("vegetation"))
CELLS = {"garden": (8, 14), "house": (6, 11), "yard": (3, 6), "field": (2, 4), "street": (3, 5)}


def draw(canvas, rng, plan):
    """Paint the scene of `plan`."""
    bend = 0.0 if rng.uniform() < 0.45 else rng.uniform(0.2, 0.8)
    lot = Lot(canvas, rng, int(rng.integers(*CELLS[plan.kind])), bend)
    everything = list(lot.cells)
    ground.cover(canvas, rng, GRASS if plan.kind == "field" else PAVED)
    beds = _cells(canvas, rng, plan, lot)
    _paths(canvas, rng, plan, lot, everything)
    shores = _waters(canvas, rng, plan)
    _small(canvas, rng, plan, beds, shores)
    _shrubs(canvas, rng, plan, lot, everything, beds, shores)
    for _ in range(int(rng.integers(1, 3)) if "fence" in plan else 0):
        _fence(canvas, rng, plan, lot, everything)
    if "roof" in plan:
        _house(canvas, rng, plan)
    _furniture(canvas, rng, plan)
    _people(canvas, rng, plan)
    _trees(canvas, rng, plan)
    if "dog" in plan:
        things.dog(canvas, rng, canvas.free(rng, OPEN, 0.5, 0.12))


def _axis(canvas, rng):
    """One of the four directions of the streets."""
    return canvas.camera.heading + np.pi / 2 * rng.integers(4)


def _cells(canvas, rng, plan, lot):
    """Give the cells their ground; returns the outlines of those to plant."""
    beds = []
    field = plan.kind == "field"
    wanted = {PAVED: 0.05 * rng.uniform(0.3, 2.5)} if field and "paved-area" in plan else {}
    for name, id in (("grass", GRASS), ("gravel", GRAVEL), ("dirt", DIRT)):
        if name in plan and not (field and id == GRASS):
            wanted[id] = min(plan.share[name], 0.6)
    for id, share in sorted(wanted.items(), key=lambda item: -item[1]):
        skin = ground.MATERIALS[id](rng)
        for cell in lot.take(rng, share * (1.15 if id != DIRT else 1.3)):
            outline = lot.outline(cell)
            ground.region(canvas, rng, outline, id, skin)
            _rim(canvas, rng, plan, outline, id)
            if id == DIRT and "vegetation" in plan and rng.uniform() < 0.4:
                _rows(canvas, rng, lot, cell)
            elif id in (DIRT, GRAVEL):
                beds.append(outline)
        if id == DIRT:
            _bare_spots(canvas, rng, share, skin)
    if not field:
        for cell in lot.cells[: int(rng.integers(1, 4))]:
            ground.region(canvas, rng, lot.outline(cell), PAVED)
    return beds


def _rim(canvas, rng, plan, outline, id):
    """Stones around a bed or along a lawn."""
    if "wall" in plan and rng.uniform() < (0.5 if id == DIRT else 0.28):
        ground.border(canvas, rng, outline, rng.uniform(0.14, 0.32), closed=True)
    elif rng.uniform() < 0.35:
        edge = np.vstack([outline, outline[:1]])
        other = GRAVEL if id != GRAVEL and "gravel" in plan else PAVED
        ground.region(canvas, rng, shapes.ribbon(edge, rng.uniform(0.2, 0.5)), other)


def _rows(canvas, rng, lot, cell):
    """A kitchen garden: vegetables in rows, a kind a few rows."""
    u0, v0, u1, v1 = np.array(cell) + np.array([0.3, 0.3, -0.3, -0.3])
    for start in np.arange(v0, v1, 1.5):
        v, u = np.meshgrid(
            np.arange(start, min(start + 1.4, v1), 0.5), np.arange(u0, u1, rng.uniform(0.3, 0.5))
        )
        if v.size:
            places = lot.place(
                np.stack([u.ravel(), v.ravel()], 1) + rng.normal(0, 0.03, (v.size, 2))
            )
            places = places[(canvas.at(places) >= 0) & (rng.uniform(size=len(places)) < 0.85)]
            if len(places):
                plants.dots(canvas, rng, places, rng.uniform(0.1, 0.2), material.foliage(rng, 0.6))


def _bare_spots(canvas, rng, share, skin):
    """Molehills, worn lawn, earth on the paving."""
    camera = canvas.camera
    for _ in range(int(rng.integers(4, 26))):
        radius = (0.06 + 0.5 * rng.uniform() ** 2) * (1 + 6 * share) * (camera.altitude / 15) ** 0.5
        spot = canvas.free(rng, (GRASS,), radius, 0.0, 8)
        ratio, angle = rng.uniform(0.3, 1), rng.uniform(0, 3)
        outline = shapes.blob(rng, spot, radius, ratio, angle, 0.16, 26, 0.14)
        if canvas.at([spot])[0] == GRASS:
            ground.region(canvas, rng, outline, DIRT, skin)


def _waters(canvas, rng, plan):
    shores = []
    if "water" in plan:
        shores.append(ground.lake(canvas, rng, min(plan.share["water"], 0.3), rng.uniform() < 0.25))
        if "vegetation" in plan and rng.uniform() < 0.5:
            middle = shores[0].mean(0)
            nook = middle + 0.6 * (shores[0][int(rng.integers(len(shores[0])))] - middle)
            places = nook + rng.normal(0, 0.5, (int(rng.integers(6, 24)), 2))
            places = places[canvas.at(places) == ground.WATER]
            if len(places):
                plants.dots(
                    canvas,
                    rng,
                    places,
                    0.13,
                    material.plain(material.pick(rng, material.LEAVES), 0.1),
                )
    if "pool" in plan:
        ground.bath(canvas, rng, min(plan.share["pool"], 0.15))
    return shores


def _paths(canvas, rng, plan, lot, cells):
    """Paths between cells, and free-standing garden walls."""
    if plan.kind in ("garden", "house", "street"):
        for _ in range(int(rng.integers(0, 3))):
            line = lot.edge(_one(rng, cells), int(rng.integers(4)))
            if rng.uniform() < 0.75:
                ground.path(
                    canvas, rng, line, rng.uniform(0.8, 1.8), "wall" in plan and rng.uniform() < 0.4
                )
            else:
                ground.stepping_stones(canvas, rng, line)
    if "wall" in plan:
        for _ in range(int(rng.integers(1, 4))):
            line = lot.edge(_one(rng, cells), int(rng.integers(4)), rng.choice([0.0, 0.4]))
            ground.border(canvas, rng, line, rng.uniform(0.18, 0.36))


def _one(rng, cells):
    return cells[int(rng.integers(len(cells)))]


def _near(canvas, rng, beds, shores, loose):
    """A place for a plant or a stone: in a bed, on a shore, now and then anywhere unpaved."""
    lines = beds + shores
    if not lines or rng.uniform() < loose:
        return canvas.free(rng, PLANTED, 0.1, 0.0, 12)
    pick = int(rng.integers(len(lines)))
    outline = lines[pick]
    middle, vertex = outline.mean(0), outline[int(rng.integers(len(outline)))]
    if pick < len(beds):
        return middle + (vertex - middle) * np.sqrt(rng.uniform(0.0, 1.05))
    return middle + (vertex - middle) * rng.uniform(0.95, 1.2)


def _small(canvas, rng, plan, beds, shores):
    """Stones and markers."""
    camera = canvas.camera
    if "rocks" in plan:
        scale = (camera.altitude / 15) ** 0.5
        _fill(
            plan.share["rocks"] * camera.extent.prod(),
            lambda: rng.uniform(0.12, 0.6) * scale,
            lambda size: things.rock(canvas, rng, _near(canvas, rng, beds, shores, 0.2), size),
        )
    if "ar-marker" in plan:
        for _ in range(int(rng.choice([1, 2, 3], p=[0.5, 0.32, 0.18]))):
            things.marker(canvas, rng, canvas.free(rng, OPEN, 0.5, 0.08))


def _fill(area, size_of, put, most=70):
    """Put things of random size until they cover `area` square metres."""
    for _ in range(most):
        size = size_of()
        put(size)
        area -= 2.6 * size * size
        if area <= 0:
            return


def _shrubs(canvas, rng, plan, lot, cells, beds, shores):
    """A hedge along a border, shrubs in the beds."""
    if "vegetation" not in plan:
        return
    camera = canvas.camera
    area = min(plan.share["vegetation"], 0.35) * camera.extent.prod()
    if rng.uniform() < 0.5 and area > 2:
        width = rng.uniform(0.5, 1.1)
        line = lot.edge(_one(rng, cells), int(rng.integers(4)), width / 2)
        plants.hedge(canvas, rng, line, width, rng.uniform(0.5, 1.3))
        area *= 0.7
    scale = (camera.altitude / 15) ** 0.6
    _fill(
        area,
        lambda: (0.14 + 0.9 * rng.uniform() ** 2) * scale,
        lambda size: plants.shrub(canvas, rng, _near(canvas, rng, beds, shores, 0.25), size),
    )


def _fence(canvas, rng, plan, lot, cells):
    """A fence along the border of one of the larger cells."""
    camera = canvas.camera
    options = [lot.edge(cell, side) for cell in cells[:4] for side in range(4)]
    found = [canvas.at(line) for line in options]
    # In the picture, and not through the pond.
    inside = [
        (at >= 0).mean() - 3 * np.isin(at, (ground.WATER, ground.POOL)).mean() for at in found
    ]
    ranked = np.argsort(inside, kind="stable")[::-1]
    line = options[int(ranked[int(rng.integers(min(3, len(ranked))))])]
    length = float(np.hypot(*np.diff(line, axis=0).T).sum())
    count = max(3, int(length / 1.9))
    at = np.linspace(0, len(line) - 1, count)
    knots = np.arange(len(line))
    line = np.stack([np.interp(at, knots, line[:, 0]), np.interp(at, knots, line[:, 1])], 1)
    buildings.fence(
        canvas, rng, line, "fence-pole" in plan, min(rng.uniform(1.0, 1.9), 0.18 * camera.altitude)
    )


def _house(canvas, rng, plan):
    """A house that reaches into the picture from one side, and shows its front."""
    camera = canvas.camera
    share = min(plan.share["roof"], 0.45)
    direction = _axis(canvas, rng)
    if camera.nadir @ shapes.unit(direction) > 0:
        direction += np.pi
    along = shapes.unit(direction)
    across = np.array([-along[1], along[0]])
    height = min(rng.uniform(2.6, 5.0), 0.26 * camera.altitude)
    lift = camera.altitude / (camera.altitude - height)
    length = max(rng.uniform(0.6, 1.0) * camera.extent.max(), 8.0)
    nadir = camera.nadir @ along
    near = nadir + (camera.edge(along, share * 1.25) - nadir) / lift
    depth = rng.uniform(7, 10)
    center = along * (near + depth / 2) + across * rng.uniform(-0.25, 0.25) * camera.extent.min()
    buildings.house(
        canvas,
        rng,
        center,
        length,
        depth,
        direction + np.pi / 2,
        height,
        "window" in plan,
        "door" in plan,
    )


def _furniture(canvas, rng, plan):
    """Cars, obstacles, bicycles."""
    camera = canvas.camera
    if "car" in plan:
        for _ in range(int(rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2]))):
            things.car(
                canvas,
                rng,
                canvas.free(rng, (PAVED,), 1.6),
                _axis(canvas, rng) + rng.normal(0, 0.06),
            )
    if "obstacle" in plan:
        area = min(plan.share["obstacle"], 0.15) * camera.extent.prod()
        for _ in range(int(rng.integers(7, 20))):
            spot = canvas.free(rng, (*OPEN, DIRT), 0.9 if area > 2.5 else 0.2, 0.02)
            area -= obstacles.any_of(canvas, rng, spot, area)
    if "bicycle" in plan:
        for _ in range(int(rng.choice([1, 2, 4], p=[0.45, 0.35, 0.2]))):
            things.bicycle(canvas, rng, canvas.free(rng, OPEN, 0.7))


def _people(canvas, rng, plan):
    """People, alone or in a group."""
    if "person" in plan:
        area = plan.share["person"] * canvas.camera.extent.prod()
        count = int(np.clip(np.rint(area / 0.45), 1, 14))
        group = canvas.free(rng, OPEN, 1.0, 0.12)
        for _ in range(count):
            beside = group + rng.normal(0, 0.8, 2)
            crowd = rng.uniform() < 0.4 and canvas.at([beside])[0] in OPEN
            things.person(canvas, rng, beside if crowd else canvas.free(rng, OPEN, 0.3))


def _trees(canvas, rng, plan):
    """Trees, in leaf and bare, wherever there is ground to root in."""
    camera = canvas.camera
    for name, grow, most in (("tree", plants.tree, 4), ("bald-tree", plants.bald_tree, 3)):
        if name in plan:
            area = min(plan.share[name], 0.3) * camera.extent.prod()
            for part in rng.dirichlet(np.full(int(rng.integers(1, most)), 3.0)):
                place = canvas.free(rng, (*OPEN, DIRT), 0.5, -0.02)
                grow(canvas, rng, place, max(0.5, np.sqrt(area * part / 2.2)))
