"""Random changes of a picture and its mask that leave the answer true.

A drone has no upright: flips and quarter turns of an aerial view are as likely
as the view itself. Geometry moves picture and mask together; light and colour
touch the picture alone.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from course.data.cache import scaled


@dataclass(frozen=True)
class Augmentation:
    """What may be changed, and how far.

    flip   mirror, in one case of two
    turn   turn by 0, 90, 180 or 270 degrees
    zoom   largest magnification; the smallest is its inverse
    light  largest relative change of brightness and of contrast
    color  largest relative change of each colour channel against the others
    size   (height, width) of what comes out, where that is not the picture's own
    """

    flip: bool = True
    turn: bool = True
    zoom: float = 1.25
    light: float = 0.25
    color: float = 0.1
    size: tuple[int, int] | None = None

    def __post_init__(self):
        if self.size is not None and (np.shape(self.size) != (2,) or min(self.size) < 1):
            raise ValueError(
                f"size is (height, width) in pixels, two numbers from 1 on, not {self.size!r}."
            )

    def __call__(self, image, mask, rng):
        """Change one ``(height, width, 3)`` uint8 picture and its ``(height, width)`` ids.

        Returns the two in the same dtypes, and in the same shapes if `size` is
        not set. `rng` is a ``numpy.random.Generator`` and the only source of chance.
        """
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
        size = np.array(self.size or mask.shape)[::-1]
        quarter = int(rng.integers(4)) if self.turn else 0
        mirror = -1 if self.flip and rng.random() < 0.5 else 1
        zoom = np.exp(rng.uniform(-1, 1) * np.log(self.zoom))
        if self.size:
            factor = zoom * max(np.array(self.size) / mask.shape)
            height, width = np.maximum(1, np.round(factor * np.array(mask.shape))).astype(int)
            image, mask = scaled(image, mask, (int(height), int(width)))
            zoom = 1
        whole = np.array(mask.shape)[::-1]
        cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarter]
        inverse = np.array([[mirror * cos, -mirror * sin], [sin, cos]]) / zoom
        # What the window leaves of the picture is room to shift it.
        room = np.maximum(0, whole - np.abs(inverse) @ size) / 2
        shift = rng.uniform(-1, 1, 2) * room
        start = (whole - 1) / 2 + shift - inverse @ ((size - 1) / 2)
        if self.size:
            start = start.round()  # whole pixels: nothing is blurred by a shift
        matrix = np.column_stack([inverse, start])
        return tuple(
            cv2.warpAffine(
                array,
                matrix,
                size.tolist(),
                flags=how | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REFLECT_101,
            )
            for array, how in ((image, cv2.INTER_LINEAR), (mask, cv2.INTER_NEAREST))
        )

    def relight(self, image, rng):
        """Change contrast, brightness and colour balance through a table of 256 values a channel."""
        contrast, brightness = 1 + rng.uniform(-self.light, self.light, 2)
        balance = 1 + rng.uniform(-self.color, self.color, 3)
        levels = np.arange(256)[:, None]
        table = ((levels - 128) * contrast + 128 * brightness) * balance
        return cv2.LUT(image, table.round().clip(0, 255).astype(np.uint8)[:, None, :])


# All that `course.training` does to a picture. In a training of minutes turns and light cost accuracy
# (benchmarks/README.md, "The recipe"): they make harder a task that is not yet learned.
FLIPS = Augmentation(turn=False, zoom=1, light=0, color=0)
