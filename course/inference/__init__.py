"""Let a trained network label pictures."""

from course.inference.augmentation import augmented
from course.inference.crf import DenseCRF
from course.inference.labels import confusion, predict
from course.inference.tiles import predict_tiles, strips, windows

__all__ = ["DenseCRF", "augmented", "confusion", "predict", "predict_tiles", "strips", "windows"]
