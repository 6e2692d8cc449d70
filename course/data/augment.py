"""Random changes of a picture and its mask that leave the answer true.

A drone has no upright: flips and quarter turns of an aerial view are as likely
as the view itself. Geometry moves picture and mask together; light and colour
touch the picture alone.
"""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Augmentation:
    """What may be changed, and how far.

    flip   mirror, in one case of two
    turn   turn by 0, 90, 180 or 270 degrees
    zoom   largest magnification; the smallest is its inverse
    light  largest relative change of brightness and of contrast
    color  largest relative change of each colour channel against the others
    """

    flip: bool = True
    turn: bool = True
    zoom: float = 1.25
    light: float = 0.25
    color: float = 0.1

    def __call__(self, image, mask, rng):
        """Change one ``(height, width, 3)`` uint8 picture and its ``(height, width)`` ids.

        Returns the two in the same shapes and dtypes. `rng` is a
        ``numpy.random.Generator`` and the only source of chance.
        """
        image, mask = self.move(image, mask, rng)
        return self.relight(image, rng), mask

    def move(self, image, mask, rng):
        """Flip, turn, scale and crop both by one affine map.

        Where the map looks over the picture's edge (a wide picture turned by
        90 degrees does not cover its frame), picture and mask are mirrored there.
        """
        height, width = mask.shape
        centre = (np.array([width, height]) - 1) / 2
        quarter = int(rng.integers(4)) if self.turn else 0
        mirror = -1 if self.flip and rng.random() < 0.5 else 1
        zoom = np.exp(rng.uniform(-1, 1) * np.log(self.zoom))
        cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarter]
        inverse = np.array([[mirror * cos, -mirror * sin], [sin, cos]]) / zoom
        # What the window leaves of the picture is room to shift it.
        room = np.maximum(0, [width, height] - np.abs(inverse) @ [width, height]) / 2
        shift = rng.uniform(-1, 1, 2) * room
        matrix = np.column_stack([inverse, centre + shift - inverse @ centre])
        return tuple(
            cv2.warpAffine(
                array,
                matrix,
                (width, height),
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
