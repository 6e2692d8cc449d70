"""The split: by name, the same everywhere and for ever."""

from collections import Counter

import numpy as np
import pytest

from course.data import PARTS, Samples, part_of


def test_sixty_scenes():
    parts = Counter(part_of(f"{i:03d}") for i in range(60))
    assert parts == {"train": 42, "validation": 12, "test": 6}


TEST = [17, 22, 36, 42, 54, 55]
VALIDATION = [4, 6, 8, 20, 23, 28, 29, 35, 40, 48, 51, 53]


def test_never_moves():
    # Written down on the day the split was made: a change here moves pictures between
    # training and test, and makes every score ever reported incomparable.
    first = [part_of(f"{i:03d}") for i in range(60)]
    assert [i for i, part in enumerate(first) if part == "test"] == TEST
    assert [i for i, part in enumerate(first) if part == "validation"] == VALIDATION


def test_shares_hold_for_other_names():
    parts = Counter(part_of(f"picture {i}") for i in range(20_000))
    for part, share in zip(PARTS, (0.7, 0.2, 0.1), strict=True):
        assert abs(parts[part] / 20_000 - share) < 0.015


def test_order_of_the_folder_does_not_matter():
    """Samples in any order give parts of the same pictures, and never one of another part."""
    names = [f"{i:03d}" for i in range(60)]
    for order in (names, names[::-1], sorted(names, key=lambda name: name[::-1])):
        masks = np.stack([np.full((4, 4), int(name), np.uint8) for name in order])
        samples = Samples(tuple(order), np.stack([masks] * 3, -1), masks)
        split = {part: samples.split(part) for part in PARTS}
        assert sorted(name for some in split.values() for name in some.names) == names
        for part, some in split.items():
            assert all(part_of(name) == part for name in some.names)
            assert [int(name) for name in some.names] == some.masks[:, 0, 0].tolist()
            assert some.masks[:, 0, 0].tolist() == some.images[:, 0, 0, 0].tolist()


def test_parts_without_pictures():
    samples = Samples(("017",), np.zeros((1, 4, 4, 3), np.uint8), np.zeros((1, 4, 4), np.uint8))
    assert len(samples.split("test")) == 1
    assert samples.split("train").images.shape == (0, 4, 4, 3)


def test_unknown_part():
    samples = Samples(("017",), np.zeros((1, 4, 4, 3), np.uint8), np.zeros((1, 4, 4), np.uint8))
    with pytest.raises(ValueError, match="'val'.*train, validation, test"):
        samples.split("val")
