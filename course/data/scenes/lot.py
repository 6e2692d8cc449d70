"""A plot of land cut into cells: terraces, lawns, beds, drives."""

import cv2
import numpy as np

from . import shapes

THUMBNAIL = (128, 192)


class Lot:
    """The ground of a scene as cells that share their borders.

    Cells are rectangles along the heading of the scene. One smooth displacement bends all of
    them, so that in a winding garden neighbours still meet.
    """

    def __init__(self, canvas, rng, count, bend):
        self.canvas = canvas
        camera = canvas.camera
        self.bend = bend * rng.uniform(0.6, 1.2)
        self.waves = rng.uniform(0, 2 * np.pi, 4), rng.uniform(0.35, 0.8, 2) * 12 / camera.extent[0]
        reach = float(np.hypot(*camera.extent)) / 2 + bend
        cells = [(-reach, -reach, reach, reach)]
        areas = [1.0]
        while len(cells) < count:
            biggest = int(np.argmax(areas))
            cell = cells.pop(biggest)
            areas.pop(biggest)
            for part in _split(rng, cell):
                cells.append(part)
                areas.append(self.visible(self.outline(part)))
        order = sorted(range(len(cells)), key=lambda i: -areas[i])
        self.cells = [cells[i] for i in order if areas[i] > 0]
        self.areas = [areas[i] for i in order if areas[i] > 0]

    def place(self, points):
        """Points of the lot (metres along and across its heading) on the ground."""
        points = np.asarray(points, float)
        (a, b, c, d), (f, g) = self.waves
        u, v = points.T
        moved = np.stack(
            [
                u + self.bend * np.sin(g * v + a) + 0.4 * self.bend * np.sin(f * u + b),
                v + self.bend * np.sin(f * u + c) + 0.4 * self.bend * np.sin(g * v + d),
            ],
            1,
        )
        return shapes.turn(moved, self.canvas.camera.heading)

    def outline(self, cell, inset=0.0):
        """The border of a cell on the ground, ``(n, 2)`` metres."""
        u0, v0, u1, v1 = cell
        corners = np.array([[u0, v0], [u1, v0], [u1, v1], [u0, v1], [u0, v0]])
        corners = corners + inset * np.array([[1, 1], [-1, 1], [-1, -1], [1, -1], [1, 1]])
        sides = [_line(corners[i], corners[i + 1]) for i in range(4)]
        return self.place(np.vstack(sides))

    def edge(self, cell, side, inset=0.0):
        """One of the four sides of a cell as a line on the ground."""
        u0, v0, u1, v1 = (cell[0] + inset, cell[1] + inset, cell[2] - inset, cell[3] - inset)
        corners = np.array([[u0, v0], [u1, v0], [u1, v1], [u0, v1], [u0, v0]])
        return self.place(_line(corners[side], corners[side + 1]))

    def visible(self, outline):
        """The share of the picture inside an outline, whatever the size of the picture."""
        scale = THUMBNAIL[1] / self.canvas.mask.shape[1]
        points = np.rint(self.canvas.camera.pixels(outline) * scale).astype(np.int32)
        thumbnail = np.zeros(THUMBNAIL, np.uint8)
        cv2.fillPoly(thumbnail, [points], 1)
        return float(thumbnail.mean())

    def take(self, rng, share):
        """Cells, or a part of one, that together cover about `share`; they are used up."""
        taken = []
        while share > 0.004 and self.cells and len(taken) < 5:
            best = int(np.argmin([abs(area - share) for area in self.areas]))
            area = self.areas[best]
            if area > 1.5 * share:
                parts = [_part(rng, self.cells[best], share / area) for _ in range(6)]
                seen = [self.visible(self.outline(part)) for part in parts]
                taken.append(parts[int(np.argmin([abs(area - share) for area in seen]))])
                break
            taken.append(self.cells.pop(best))
            self.areas.pop(best)
            share -= area
        return taken


def _line(start, end, count=16):
    return start + np.linspace(0, 1, count, endpoint=False)[:, None] * (end - start)


def _split(rng, cell):
    u0, v0, u1, v1 = cell
    cut = rng.uniform(0.3, 0.7)
    if (u1 - u0) * rng.uniform(0.8, 1.25) > v1 - v0:
        middle = u0 + cut * (u1 - u0)
        return (u0, v0, middle, v1), (middle, v0, u1, v1)
    middle = v0 + cut * (v1 - v0)
    return (u0, v0, u1, middle), (u0, middle, u1, v1)


def _part(rng, cell, share):
    """A strip along one side of the cell, or a bed inside it."""
    u0, v0, u1, v1 = cell
    width, height = u1 - u0, v1 - v0
    style = rng.integers(3)
    if style == 0:
        return (u0, v0, u0 + share * width, v1)
    if style == 1:
        return (u0, v1 - share * height, u1, v1)
    scale = np.sqrt(share)
    u, v = (
        u0 + rng.uniform(0.1, 0.9) * (1 - scale) * width,
        v0 + rng.uniform(0.1, 0.9) * (1 - scale) * height,
    )
    return (u, v, u + scale * width, v + scale * height)
