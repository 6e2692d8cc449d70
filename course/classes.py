"""The 24 classes of the Semantic Drone Dataset: ids, names, colours.

A *mask* in this course is an array of class ids, ``(height, width)`` uint8.
Colours are for people; :func:`encode` and :func:`decode` translate.

Source: ``class_dict_seg.csv`` of the dataset (ICG, TU Graz).
"""

import functools
from typing import NamedTuple

import numpy as np


class SegmentationClass(NamedTuple):
    id: int
    name: str
    color: tuple[int, int, int]


CLASSES = tuple(
    SegmentationClass(id, name, color)
    for id, (name, color) in enumerate(
        [
            ("unlabeled", (0, 0, 0)),
            ("paved-area", (128, 64, 128)),
            ("dirt", (130, 76, 0)),
            ("grass", (0, 102, 0)),
            ("gravel", (112, 103, 87)),
            ("water", (28, 42, 168)),
            ("rocks", (48, 41, 30)),
            ("pool", (0, 50, 89)),
            ("vegetation", (107, 142, 35)),
            ("roof", (70, 70, 70)),
            ("wall", (102, 102, 156)),
            ("window", (254, 228, 12)),
            ("door", (254, 148, 12)),
            ("fence", (190, 153, 153)),
            ("fence-pole", (153, 153, 153)),
            ("person", (255, 22, 96)),
            ("dog", (102, 51, 0)),
            ("car", (9, 143, 150)),
            ("bicycle", (119, 11, 32)),
            ("tree", (51, 51, 0)),
            ("bald-tree", (190, 250, 190)),
            ("ar-marker", (112, 150, 146)),
            ("obstacle", (2, 135, 115)),
            ("conflicting", (255, 0, 0)),
        ]
    )
)

NAMES = tuple(c.name for c in CLASSES)
COLORS = np.array([c.color for c in CLASSES], dtype=np.uint8)
COLORS.setflags(write=False)
NUM_CLASSES = len(CLASSES)
UNLABELED = NAMES.index("unlabeled")


def id_of(name):
    """The id of the class called `name`, e.g. ``id_of("person") == 15``."""
    try:
        return NAMES.index(name)
    except ValueError:
        raise ValueError(
            f"There is no class called {name!r}. The classes are: {', '.join(NAMES)}."
        ) from None


def check_names(names, classes):
    """Raise ValueError unless there are as many `names` as `classes`: else a number would bear a wrong one."""
    if len(names) != classes:
        raise ValueError(
            f"There are {classes} classes, but {len(names)} names. Name yours, in the order of their ids: "
            'names=("ground", "road", …).'
        )


def _complain(what, bad, values, remedy):
    """Raise a ValueError that names the first offending value, its count and its place."""
    y, x = (int(i) for i in np.unravel_index(bad.argmax(), bad.shape))
    value = values[y, x]
    same = values == value
    count = int(same.all(-1).sum() if same.ndim == 3 else same.sum())
    shown = tuple(int(v) for v in value) if np.ndim(value) else int(value)
    raise ValueError(
        f"{what} {shown} is none of the {NUM_CLASSES} classes: "
        f"{count} pixel{'s have' if count > 1 else ' has'} it, "
        f"the first at row {y}, column {x}. {remedy}"
    )


def check_ids(mask):
    """Return `mask` as ``(height, width)`` uint8 after checking every id.

    Raises
    ------
    ValueError
        If the array is not two-dimensional, not of integers, or holds an id
        outside 0–23; the message gives the id, its count and first position.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        hint = (
            f" It looks like a colour mask: use encode({'mask' if mask.shape[-1] == 3 else 'mask[..., :3]'})."
            if mask.shape[-1:] in [(3,), (4,)]
            else ""
        )
        raise ValueError(
            f"A mask has shape (height, width), but this array has {mask.shape}.{hint}"
        )
    if mask.dtype.kind not in "iu":
        raise ValueError(
            f"A mask holds integer class ids, but this array is {mask.dtype}. "
            "Masks must not be scaled, averaged or interpolated."
        )
    # Two reductions first: a good mask of 24 megapixels then costs no arrays of its size.
    if mask.size and (mask.min() < 0 or mask.max() >= NUM_CLASSES):
        bad = (mask < 0) | (mask >= NUM_CLASSES)
        _complain("Class id", bad, mask, f"Expected ids 0 to {NUM_CLASSES - 1}.")
    return mask.astype(np.uint8, copy=False)


def decode(mask):
    """Colour a mask: ids ``(height, width)`` to RGB ``(height, width, 3)`` uint8.

    Raises ValueError for an id that is no class (see :func:`check_ids`).
    """
    return COLORS[check_ids(mask)]


def encode(rgb):
    """Read a colour mask: RGB ``(height, width, 3)`` uint8 to ids ``(height, width)`` uint8.

    Raises
    ------
    ValueError
        For a colour that belongs to no class, with its count and first
        position. A colour is never guessed.
    """
    rgb = np.asarray(rgb)
    if rgb.ndim != 3 or rgb.shape[-1] != 3:
        hint = " Drop the transparency: rgb[..., :3]." if rgb.shape[-1:] == (4,) else ""
        raise ValueError(
            f"A colour mask has shape (height, width, 3), but this array has {rgb.shape}.{hint}"
        )
    if rgb.dtype != np.uint8:
        raise ValueError(f"A colour mask is uint8, 0 to 255, but this array is {rgb.dtype}.")
    ids = _ids_of_colors()[_pack(rgb)]
    if ids.size and ids.max() == _NO_CLASS:
        _complain(
            "Colour",
            ids == _NO_CLASS,
            rgb,
            "Was the mask saved as JPEG, or resized with interpolation? "
            "Use PNG and nearest-neighbour.",
        )
    return ids


def _pack(rgb):
    """One integer for each colour."""
    packed = rgb[..., 0].astype(np.int32)
    for channel in (1, 2):
        packed <<= 8
        packed |= rgb[..., channel]
    return packed


_NO_CLASS = 255


@functools.cache
def _ids_of_colors():
    """The id of each of the 2²⁴ colours, 16 MB: a mask of 24 megapixels is read ten times as fast by it."""
    table = np.full(1 << 24, _NO_CLASS, np.uint8)
    table[_pack(COLORS)] = np.arange(NUM_CLASSES)
    return table
