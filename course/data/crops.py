"""Windows of a picture: drawn anywhere, or so that rare classes are seen more often.

They go where :class:`~course.data.augment.Augmentation` goes, in ``Batches`` or ``training.fit``.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from course.classes import UNLABELED
from course.data.augment import FLIPS
from course.data.cache import check_size


@dataclass(frozen=True)
class RandomCrops:
    """Crop a window; all places in the picture are as likely.

    size     (height, width) of the window, no larger than the picture
    augment  what else to do, on the window: mirror it, by default; None for nothing
    """

    size: tuple[int, int]
    augment: Callable | None = FLIPS

    def __post_init__(self):
        check_size("size", self.size)

    def __call__(self, image, mask, rng):
        """Cut the same window from a ``(height, width, 3)`` picture and its ``(height, width)`` ids.

        `rng` is a ``numpy.random.Generator`` and the only source of chance.
        Raises ValueError if the picture is smaller than the window.
        """
        room = np.subtract(mask.shape, self.size)
        if room.min() < 0:
            raise ValueError(
                f"A window of {self.size} does not fit into a picture of {mask.shape}. Ask for a "
                "smaller one, or for larger pictures: dataset.at((height, width))."
            )
        top, left = self.corner(mask, room, rng)
        window = slice(top, top + self.size[0]), slice(left, left + self.size[1])
        image, mask = image[window], mask[window]
        return self.augment(image, mask, rng) if self.augment else (image, mask)

    def corner(self, mask, room, rng):
        """Row and column of the window's upper left corner, each from 0 to `room`."""
        return rng.integers(room + 1)


@dataclass(frozen=True)
class ClassCrops(RandomCrops):
    """Crop a window around a pixel of a class that is drawn first, all classes present alike.

    Of k classes in a picture, each is looked for in one of k windows, however
    few pixels it has: all its pixels are as likely, and then all windows that
    hold the pixel.

    size, augment  as for RandomCrops
    ignore         this id, or these, are not looked for, unless a picture shows nothing else
    """

    ignore: int | tuple[int, ...] | None = UNLABELED

    def corner(self, mask, room, rng):
        present = np.unique(mask)
        wanted = present[~np.isin(present, [] if self.ignore is None else self.ignore)]
        chosen = rng.choice(wanted if len(wanted) else present)
        pixel = np.unravel_index(rng.choice(np.flatnonzero(mask == chosen)), mask.shape)
        first = np.maximum(0, np.subtract(pixel, self.size) + 1)
        return rng.integers(first, np.minimum(pixel, room) + 1)
