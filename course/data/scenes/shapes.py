"""Outlines in metres: ``(n, 2)`` float arrays."""

import numpy as np


def turn(points, angle, center=(0.0, 0.0)):
    """Points turned by `angle` (radians) about the origin, then moved to `center`."""
    c, s = np.cos(angle), np.sin(angle)
    return np.asarray(points, float) @ np.array([[c, s], [-s, c]]) + center


def rectangle(center, length, width, angle):
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.5
    return turn(half * (length, width), angle, center)


def rounded(center, length, width, angle, power=4.0, count=28):
    """A superellipse: power 2 is an ellipse, 4 a rectangle with round corners."""
    t = np.arange(count) * 2 * np.pi / count
    c, s = np.cos(t), np.sin(t)
    x = np.sign(c) * np.abs(c) ** (2 / power) * length / 2
    y = np.sign(s) * np.abs(s) ** (2 / power) * width / 2
    return turn(np.stack([x, y], 1), angle, center)


def blob(rng, center, radius, ratio=1.0, angle=0.0, rough=0.16, count=48, jitter=0.0):
    """A closed wavy curve; `jitter` roughens each vertex as leaves do an edge."""
    t = np.arange(count) * 2 * np.pi / count
    k = np.arange(2, 7)[:, None]
    swing = rough * rng.normal(size=(5, 1)) / k**0.7
    r = 1 + (swing * np.cos(k * t + rng.uniform(0, 2 * np.pi, (5, 1)))).sum(0)
    r = np.maximum(r, 0.35) * (1 + jitter * rng.uniform(-1, 1, count))
    points = np.stack([np.cos(t) * r * radius, np.sin(t) * r * radius * ratio], 1)
    return turn(points, angle, center)


def wavy(rng, start, end, amplitude, count=24):
    """A line from start to end that winds sideways by about `amplitude`."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    t = np.linspace(0, 1, count)
    across = np.array([-(end - start)[1], (end - start)[0]])
    across = across / max(float(np.hypot(*across)), 1e-6)
    sway = sum(
        rng.normal() / k * np.sin(k * np.pi * t + rng.uniform(0, 2 * np.pi)) for k in (1, 2, 3)
    )
    return start + t[:, None] * (end - start) + (amplitude * sway)[:, None] * across


def ribbon(line, width):
    """The outline of a line as wide as `width` (a number, or one each point)."""
    along = np.gradient(line, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], 1)
    normal /= np.maximum(np.hypot(*normal.T), 1e-6)[:, None]
    side = normal * np.reshape(width, (-1, 1)) / 2
    return np.vstack([line + side, (line - side)[::-1]])


def unit(angle):
    return np.array([np.cos(angle), np.sin(angle)])
