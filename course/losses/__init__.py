"""What to minimise: losses for masks of class ids, on any Keras backend.

Every loss takes integer ids and *logits* (a network's last layer without
softmax), leaves pixels of the ignored id out, and computes in float32.
"""

from course.losses.cross_entropy import CrossEntropy, Focal
from course.losses.overlap import LovaszSoftmax, SoftDice
from course.losses.pixels import PixelLoss
from course.losses.total import Sum
from course.losses.weights import (
    effective_number_weights,
    inverse_frequency_weights,
    median_frequency_weights,
    square_root_weights,
)

__all__ = [
    "CrossEntropy",
    "Focal",
    "LovaszSoftmax",
    "PixelLoss",
    "SoftDice",
    "Sum",
    "effective_number_weights",
    "inverse_frequency_weights",
    "median_frequency_weights",
    "square_root_weights",
]
