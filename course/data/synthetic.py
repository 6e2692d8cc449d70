"""Aerial scenes that nobody had to fly for: pictures and masks drawn from a seed.

:func:`scene` draws one, :func:`write` a dataset of them in the layout of the Semantic Drone
Dataset. Shares of pixels, frequencies and sizes follow the real dataset, so that what a
lesson teaches on these scenes holds on the photographs too; but a score reached here is no
score on photographs. How scenes come about is told in :mod:`course.data.scenes`.
"""

import json
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import cv2
import numpy as np

from ..classes import CLASSES
from .scenes.camera import OVERSAMPLING, Camera, develop
from .scenes.canvas import Canvas
from .scenes.compose import draw
from .scenes.plan import Plan

SIZE = (256, 384)
SCENES = 60
ABOUT = "scenes.json"  # which scenes a folder holds


def scene(seed, size=SIZE):
    """Draw one scene.

    Parameters
    ----------
    seed : int, 0 or more. The same seed gives the same scene; neighbours differ.
    size : (height, width) in pixels. A larger size of the same shape shows the same place in finer
        detail; a higher one shows more of the ground.

    Returns
    -------
    image : (height, width, 3) uint8 RGB, the view straight down from 5 to 30 m
    mask : (height, width) uint8 class ids; 23 ("conflicting") never occurs, 0 always
    """
    layout, light, sensor = (np.random.default_rng([seed, part]) for part in range(3))
    plan = Plan(seed, layout)
    camera = Camera(layout, size, plan.altitude)
    canvas = Canvas(camera, light)
    draw(canvas, layout, plan)
    mask = np.ascontiguousarray(
        canvas.mask[OVERSAMPLING // 2 :: OVERSAMPLING, OVERSAMPLING // 2 :: OVERSAMPLING]
    )
    return develop(sensor, camera, canvas.albedo, canvas.shade), _seams(light, mask)


def _seams(rng, mask):
    """Leave thin lines between regions unlabeled, as annotators do: class 0 in every mask."""
    height, width = mask.shape
    differs = np.zeros(mask.shape, bool)
    differs[1:] = mask[1:] != mask[:-1]
    differs[:, 1:] |= mask[:, 1:] != mask[:, :-1]
    coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1), np.uint8)
    stretch = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
    wanted = int(mask.size * np.clip(rng.lognormal(np.log(0.0056), 0.4), 0.0015, 0.015))
    seam = mask.copy()
    edge = int(np.clip(wanted // 2, 1, width - 1))
    seam[-1, :edge] = 0
    order = np.argsort(stretch[differs], kind="stable")[: max(0, wanted - edge)]
    rows, columns = np.nonzero(differs)
    seam[rows[order], columns[order]] = 0
    return seam


def write(folder, scenes=SCENES, size=SIZE, seed=0, progress=None):
    """Write a dataset of scenes in the Kaggle layout and return its folder.

    The dataset appears at `folder` whole or not at all: it is drawn beside it and renamed at
    the end. Where the same scenes are there already, or another process was faster, they are kept.

    Parameters
    ----------
    folder : path that does not exist yet, or of the same scenes
    scenes : int, how many
    size : (height, width) of every image
    seed : int; datasets of different seeds share no scene
    progress : callable without arguments, called after each scene, or None

    Raises
    ------
    FileExistsError
        If `folder` exists and holds something else, be it other scenes.
    """
    folder = Path(folder)
    about = {"scenes": int(scenes), "size": [int(n) for n in size], "seed": int(seed)}
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        return _same(folder, about)
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _fill(aside, scenes, size, seed, progress)
        (aside / ABOUT).write_text(json.dumps(about))
        aside.chmod(0o755)
        try:
            os.rename(aside, folder)
        except OSError:
            return _same(folder, about)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def _same(folder, about):
    """`folder`, if it holds the scenes that were asked for; else FileExistsError."""
    try:
        there = json.loads((folder / ABOUT).read_text())
    except (OSError, ValueError):
        there = "something else"
    if there == about:
        return folder
    raise FileExistsError(
        f"Cannot put the synthetic dataset {about} at {folder}: {there} is there. Name a folder that does not "
        "exist yet, or remove this one."
    )


def _fill(folder, scenes, size, seed, progress):
    base = folder / "dataset" / "semantic_drone_dataset"
    images, labels = base / "original_images", base / "label_images_semantic"
    images.mkdir(parents=True)
    labels.mkdir()

    def one(number):
        image, mask = scene(seed * 100_000 + number, size)
        quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
        _save(images / f"{number:03d}.jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
        _save(labels / f"{number:03d}.png", mask, [])

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        jobs = [pool.submit(one, number) for number in range(scenes)]
        try:
            for job in as_completed(jobs):
                job.result()
                if progress:
                    progress()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    rows = ["name, r, g, b"] + [f"{c.name},{c.color[0]},{c.color[1]},{c.color[2]}" for c in CLASSES]
    (folder / "class_dict_seg.csv").write_text("\n".join(rows) + "\n")


def _save(path, pixels, options):
    """Encode, then write: cv2.imwrite only returns False where a disk is full."""
    done, encoded = cv2.imencode(path.suffix, pixels, options)
    if not done:
        raise OSError(f"Could not encode {path.name}.")
    path.write_bytes(encoded.tobytes())
