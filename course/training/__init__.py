"""Train a segmentation network with defaults that work on this data."""

from course.training.fitting import compile, fit, weighted_cross_entropy
from course.training.history import History
from course.training.mixed_precision import precision
from course.training.schedule import learning_rate_at

__all__ = [
    "History",
    "compile",
    "fit",
    "learning_rate_at",
    "precision",
    "weighted_cross_entropy",
]
