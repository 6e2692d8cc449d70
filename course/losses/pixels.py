"""What all losses share: pictures as one long list of pixels, some of which do not count."""

import keras
import numpy as np
from keras import ops

from course.classes import UNLABELED

NO_CLASS = -(2**31)  # an id that nobody ignores


class PixelLoss(keras.losses.Loss):
    """A loss over the pixels of a batch that are not ignored. Subclasses fill in :meth:`over`.

    Call with `y_true`, ids (batch, height, width) or (batch, height, width, 1),
    and `y_pred`, logits (batch, height, width, classes). Returns a float32
    scalar. A batch without counted pixels has loss 0 and gradient 0. An id that
    is no class makes the loss nan, and so does one that is no whole number.
    `sample_weight`, if given, is (batch,), (batch, height, width) or (batch,
    height, width, 1).

    Parameters
    ----------
    ignore : int or tuple of int, optional
        Pixels with this true id contribute nothing; None counts all.

    Raises
    ------
    ValueError
        When called, if `y_true` is one-hot or the shapes do not fit.
    """

    def __init__(self, ignore=UNLABELED, name=None):
        super().__init__(name=name, dtype="float32")
        self.ignore = ignore

    def __call__(self, y_true, y_pred, sample_weight=None):
        return self.call(y_true, y_pred, sample_weight)

    def call(self, y_true, y_pred, sample_weight=None):
        y_pred = ops.convert_to_tensor(y_pred)
        logits, ids, valid = flatten(y_true, y_pred, self.ignore)
        weight = ops.cast(valid, "float32")
        if sample_weight is not None:
            weight = weight * spread(sample_weight, ops.shape(y_pred)[:-1])
        known = ops.clip(ids, 0, logits.shape[-1] - 1)
        loss = self.over(logits, known, weight)
        # A graph cannot raise, but an id that is no class must not pass as another.
        return ops.where(ops.any(valid & (ids != known)), float("nan"), loss)

    def over(self, logits, ids, weight):
        """The loss of n pixels: logits (n, classes) and weight (n,), float32; ids (n,) int32.

        Ignored pixels are among them, with weight 0 and an id that means nothing.
        """
        raise NotImplementedError

    def get_config(self):
        return {"name": self.name, "ignore": self.ignore}


def weighted_mean(values, weight):
    """sum(weight * values) / sum(weight) of two (n,) tensors, 0 where all weights are 0."""
    total = ops.sum(weight)
    return ops.sum(ops.where(weight > 0, values, 0.0) * weight) / ops.where(total > 0, total, 1.0)


def flatten(y_true, y_pred, ignore):
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
    ids = ops.reshape(whole_ids(y_true), (-1,))
    valid = ops.ones_like(ids, dtype="bool")
    for left_out in ignored_ids(ignore):
        valid = valid & (ids != left_out)
    return logits, ids, valid


def whole_ids(y_true):
    """True ids as int32; what is no whole number is no class."""
    ids = ops.cast(y_true, "int32")
    # Cutting off what stands behind the point would turn a mask that was scaled into class 0.
    return ops.where(ops.cast(ids, y_true.dtype) == y_true, ids, NO_CLASS)


def ignored_ids(ignore):
    """What `ignore` names, an id, several or None, as a tuple of ids."""
    return () if ignore is None else tuple(int(i) for i in np.atleast_1d(ignore))


def ignored_by(loss, otherwise=None):
    """What `loss` leaves out: its `ignore`, or `ignore_class` of Keras's own; `otherwise` if it has neither."""
    return getattr(loss, "ignore", getattr(loss, "ignore_class", otherwise))


def spread(sample_weight, shape):
    """Weights (batch,) up to (batch, height, width, 1) as one float32 for each pixel, (n,)."""
    weight = aligned(ops.cast(sample_weight, "float32"), len(shape))
    return ops.reshape(ops.broadcast_to(weight, shape), (-1,))


def aligned(weight, rank):
    """The same weights in a shape that broadcasts over pixels of `rank` axes."""
    weight = ops.convert_to_tensor(weight)
    if len(weight.shape) > rank:
        return ops.squeeze(weight, -1)
    for _ in range(rank - len(weight.shape)):
        weight = ops.expand_dims(weight, -1)
    return weight
