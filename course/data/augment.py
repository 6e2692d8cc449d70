"""Random changes of a picture and its mask that leave the answer true.

A drone has no upright: flips and quarter turns of an aerial view are as likely
as the view itself. Geometry moves picture and mask together; light and colour
touch the picture alone.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from course.data.cache import check_size, scaled


@dataclass(frozen=True)
class Augmentation:
    """What may be changed, and how far.

    flip   mirror left to right, in one case of two; with `turn`, this mirrors top to bottom as well
    turn   turn by 0, 90, 180 or 270 degrees
    zoom   largest magnification; the smallest is its inverse, and 1 leaves the size alone
    light  largest relative change of brightness and of contrast, from 0 to below 1
    color  largest relative change of each colour channel against the others, likewise
    size   (height, width) of what comes out, where that is not the picture's own

    Raises ValueError for any other zoom, light, color or size.
    """

    flip: bool = True
    turn: bool = True
    zoom: float = 1.25
    light: float = 0.25
    color: float = 0.1
    size: tuple[int, int] | None = None

    def __post_init__(self):
        if not 1 <= self.zoom < np.inf:
            raise ValueError(
                "zoom is the largest magnification, 1 or more; 1 leaves the size alone, and what "
                f"magnifies by 2 also shrinks by 2. This is {self.zoom!r}."
            )
        for name in ("light", "color"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"{name} is a share, from 0 for no change to below 1, not {getattr(self, name)!r}."
                )
        if self.size is not None:
            check_size("size", self.size)

    def __call__(self, image, mask, rng):
        """Change one ``(height, width, 3)`` uint8 picture and its ``(height, width)`` ids, uint8 or int16.

        Returns new arrays of the same dtypes, and of the same shapes if `size` is
        not set. `rng` is a ``numpy.random.Generator`` and the only source of chance.
        Raises ValueError for a picture of another dtype, or a mask of another dtype or size.
        """
        # OpenCV moves no 64-bit integers; 16 bits are for those who mark pixels by -1.
        if mask.dtype not in (np.uint8, np.int16) or mask.shape != image.shape[:2]:
            raise ValueError(
                f"The mask of a picture of {image.shape[:2]} has that shape and is uint8, but this one has "
                f"{mask.shape} and is {mask.dtype}. Class ids fit: mask.astype(np.uint8)."
            )
        if image.dtype != np.uint8:
            raise ValueError(
                f"A picture is changed as it was read, uint8 from 0 to 255, but this one is {image.dtype}. "
                "The networks scale it themselves: pass it unscaled."
            )
        image, mask = self.move(image, mask, rng)
        return self.relight(image, rng), mask

    def move(self, image, mask, rng):
        """Flip, turn, scale and crop both by one affine map.

        Where the map looks over the picture's edge (a wide picture turned by
        90 degrees does not cover its frame), picture and mask are mirrored there.

        With `size`, the picture is scaled to it and by the zoom in one step, by
        area: details that a zoom shows are the picture's, where one that was
        scaled down before has none left.
        """
        quarter = int(rng.integers(4)) if self.turn else 0
        mirrored = self.flip and rng.random() < 0.5
        zoom = np.exp(rng.uniform(-1, 1) * np.log(self.zoom))
        place = rng.uniform(-1, 1, 2)
        if self.size:
            factor = zoom * max(np.array(self.size) / mask.shape)
            height, width = np.maximum(1, np.round(factor * np.array(mask.shape))).astype(int)
            image, mask = scaled(image, mask, (int(height), int(width)))
            zoom = 1
        elif quarter == 0 and zoom == 1:
            return tuple(cv2.flip(x, 1) if mirrored else x.copy() for x in (image, mask))
        size = self.size or mask.shape
        matrix = _matrix(mask.shape, size, quarter, mirrored, zoom, place)
        if self.size:
            matrix[:, 2] = matrix[:, 2].round()  # whole pixels: nothing is blurred by a shift
        return tuple(
            cv2.warpAffine(
                array,
                matrix,
                size[::-1],
                flags=how | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REFLECT_101,
            )
            for array, how in ((image, cv2.INTER_LINEAR), (mask, cv2.INTER_NEAREST))
        )

    def relight(self, image, rng):
        """Change contrast, brightness and colour balance through a table of 256 values a channel."""
        contrast, brightness = 1 + rng.uniform(-self.light, self.light, 2)
        balance = 1 + rng.uniform(-self.color, self.color, 3)
        if not (self.light or self.color):
            return image
        levels = np.arange(256)[:, None]
        table = ((levels - 128) * contrast + 128 * brightness) * balance
        return cv2.LUT(image, table.round().clip(0, 255).astype(np.uint8)[:, None, :])


def _matrix(shape, size, quarter, mirrored, zoom, place):
    """From (x, y) in a window of `size` to (x, y) in a picture of `shape`, as a 2×3 affine matrix.

    `size` and `shape` are (height, width). `place`, two numbers from −1 to 1, says where
    the window lies in what room the picture leaves it; 0 is the middle.
    """
    window, picture = np.array(size)[::-1], np.array(shape)[::-1]
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarter]
    mirror = -1 if mirrored else 1
    turn = np.array([[mirror * cos, -mirror * sin], [sin, cos]]) / zoom
    room = np.maximum(0, picture - np.abs(turn) @ window) / 2
    start = (picture - 1) / 2 + place * room - turn @ ((window - 1) / 2)
    return np.column_stack([turn, start])


# All that `course.training` does to a picture: mirror it left to right, with a chance of one half. In a
# training of minutes turns and light cost accuracy (benchmarks/README.md, "The recipe"): they make harder
# a task that is not yet learned.
FLIPS = Augmentation(turn=False, zoom=1, light=0, color=0)
