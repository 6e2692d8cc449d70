"""What to minimise: losses for masks of class ids, on any Keras backend.

Every loss takes integer ids and *logits* (a network's last layer without
softmax), computes in float32, and averages over the pixels that count.
"""

import keras
import numpy as np
from keras import ops

from course.classes import UNLABELED


@keras.saving.register_keras_serializable(package="course")
class CrossEntropy(keras.losses.Loss):
    """Cross-entropy over the pixels that are not ignored: sum(w * ce) / sum(w).

    `w` is the class weight of the pixel's true class (1 without
    `class_weights`), times its `sample_weight` if there is one, and 0 where
    the truth is `ignore`. That is ``torch.nn.functional.cross_entropy`` with
    ``weight`` and ``ignore_index``: weights shift attention between classes
    and leave the size of the loss alone. A batch without counted pixels has
    loss 0 and gradient 0. An id that is no class makes the loss nan.

    Call with `y_true`, ids (batch, height, width) or (batch, height, width, 1),
    and `y_pred`, logits (batch, height, width, classes). Returns a float32 scalar.

    Parameters
    ----------
    class_weights : (classes,) array-like, optional
        For example from :func:`median_frequency_weights`.
    ignore : int, optional
        Pixels with this true id contribute nothing; None counts all.

    Raises
    ------
    ValueError
        If the weights are no vector of finite numbers >= 0; when called, if
        `y_true` is one-hot, the shapes do not fit, or there is not one weight
        for each class.
    """

    def __init__(self, class_weights=None, ignore=UNLABELED, name="cross_entropy"):
        super().__init__(name=name, dtype="float32")
        self.class_weights = None if class_weights is None else _check_weights(class_weights)
        self.ignore = ignore

    def __call__(self, y_true, y_pred, sample_weight=None):
        return self.call(y_true, y_pred, sample_weight)

    def call(self, y_true, y_pred, sample_weight=None):
        y_pred = ops.convert_to_tensor(y_pred)
        logits, ids, valid = _flatten(y_true, y_pred, self.ignore)
        classes = logits.shape[-1]
        known = ops.clip(ids, 0, classes - 1)
        ce = ops.sparse_categorical_crossentropy(known, logits, from_logits=True)
        # A graph cannot raise, but an id that is no class must not pass as another.
        ce = ops.where(ids == known, ce, float("nan"))
        weight = ops.cast(valid, "float32")
        if self.class_weights is not None:
            if len(self.class_weights) != classes:
                raise ValueError(
                    f"There are {len(self.class_weights)} class weights, but the logits have {classes} "
                    f"classes on their last axis: {tuple(y_pred.shape)}. Pass one weight for each class."
                )
            weight = weight * ops.take(ops.convert_to_tensor(self.class_weights), known)
        if sample_weight is not None:
            weight = weight * _spread(sample_weight, ops.shape(y_pred)[:-1])
        total = ops.sum(weight)
        return ops.sum(ops.where(valid, ce, 0.0) * weight) / ops.where(total > 0, total, 1.0)

    def get_config(self):
        weights = None if self.class_weights is None else self.class_weights.tolist()
        return {"name": self.name, "class_weights": weights, "ignore": self.ignore}


def median_frequency_weights(counts, ignore=UNLABELED):
    """Class weights that make up for rare classes: median frequency / frequency.

    A class's frequency is its share of the pixels of those pictures that show
    it. Eigen & Fergus 2015, https://arxiv.org/abs/1411.4734

    Parameters
    ----------
    counts : (pictures, classes) array-like
        Pixels of each class in each training picture, for instance rows of
        ``np.bincount(mask.ravel(), minlength=NUM_CLASSES)``. A single row of
        totals, (classes,), takes all pictures as one.
    ignore : int, optional
        This class gets weight 0, and its pixels are not counted.

    Returns
    -------
    (classes,) float32
        0 for a class without a pixel.

    Raises
    ------
    ValueError
        If the counts are no such table of numbers >= 0, or all are 0.
    """
    counts = np.atleast_2d(np.array(counts, dtype=np.float64))
    if counts.ndim != 2 or not np.all(counts >= 0):
        raise ValueError(
            f"Expected pixel counts >= 0 of shape (pictures, classes), but got {counts.shape}."
        )
    if ignore is not None:
        counts[:, ignore] = 0
    pixels = counts.sum(axis=0)
    shown_in = ((counts > 0) * counts.sum(axis=1, keepdims=True)).sum(axis=0)
    present = pixels > 0
    if not present.any():
        raise ValueError("There is no labelled pixel in these counts, so there are no frequencies.")
    frequency = pixels[present] / shown_in[present]
    weights = np.zeros(len(pixels), np.float32)
    weights[present] = np.median(frequency) / frequency
    return weights


def _flatten(y_true, y_pred, ignore):
    """Logits (n, classes) float32, ids (n,) int32 and the mask (n,) of pixels that count."""
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    shape, truth_shape = tuple(y_pred.shape), tuple(y_true.shape)
    if len(truth_shape) == len(shape) and truth_shape[-1] == 1:
        truth_shape = truth_shape[:-1]
    if len(truth_shape) == len(shape):
        raise ValueError(
            f"The truth looks one-hot: its shape is {truth_shape}, the logits have {shape}. "
            "Pass class ids, (batch, height, width): y_true.argmax(-1) makes them."
        )
    # A size not known before the batch comes is None.
    fits = (a == b or None in (a, b) for a, b in zip(truth_shape, shape, strict=False))
    if len(truth_shape) != len(shape) - 1 or not all(fits):
        raise ValueError(
            f"The truth {truth_shape} and the logits {shape} do not fit. Expected ids "
            "(batch, height, width) and logits (batch, height, width, classes) of the same size."
        )
    logits = ops.reshape(ops.cast(y_pred, "float32"), (-1, shape[-1]))
    ids = ops.reshape(ops.cast(y_true, "int32"), (-1,))
    valid = ops.ones_like(ids, dtype="bool") if ignore is None else ids != ignore
    return logits, ids, valid


def _spread(sample_weight, shape):
    """Weights (batch,) up to (batch, height, width, 1) as one float32 for each pixel, (n,)."""
    weight = ops.cast(sample_weight, "float32")
    if len(weight.shape) > len(shape):
        weight = ops.squeeze(weight, -1)
    while len(weight.shape) < len(shape):
        weight = ops.expand_dims(weight, -1)
    return ops.reshape(ops.broadcast_to(weight, shape), (-1,))


def _check_weights(class_weights):
    weights = np.asarray(class_weights, dtype=np.float32)
    if weights.ndim != 1 or not np.all(np.isfinite(weights) & (weights >= 0)):
        raise ValueError(
            f"Class weights are one finite number >= 0 for each class, (classes,), but got {class_weights!r}."
        )
    return weights
