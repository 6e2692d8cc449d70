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
    zoom   largest magnification; a window of the picture is cropped and enlarged
    light  largest relative change of brightness and of contrast
    color  largest relative change of each colour channel against the others
    """

    flip: bool = True
    turn: bool = True
    zoom: float = 1.5
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
        """Flip, turn, crop and scale both by one affine map."""
        height, width = mask.shape
        quarter = int(rng.integers(4)) if self.turn else 0
        mirror = -1 if self.flip and rng.random() < 0.5 else 1
        # Turned by 90 degrees, a wide picture covers its own frame only if enlarged.
        least = max(height, width) / min(height, width) if quarter % 2 else 1.0
        zoom = least * rng.uniform(1.0, max(1.0, self.zoom))
        cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarter]
        # Output pixel to input pixel, about the centres; then a shift that stays inside.
        inverse = np.array([[mirror * cos, -mirror * sin], [sin, cos]]) / zoom
        reach = np.abs(inverse) @ [width, height]
        slack = np.maximum(0, np.array([width, height]) - reach) / 2
        centre_in = (np.array([width, height]) - 1) / 2 + rng.uniform(-1, 1, 2) * slack
        centre_out = (np.array([width, height]) - 1) / 2
        matrix = np.column_stack([inverse, centre_in - inverse @ centre_out])
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
