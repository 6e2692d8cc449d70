"""Losses that judge each class by its overlap: soft Dice and the Lovász-softmax.

Both are averaged over the classes present in the truth of the batch, whose
pictures are pooled. A class that is not there has no overlap to raise; what is
wrongly called by its name is missed by the classes that are there.
"""

import keras
from keras import ops

from course.classes import UNLABELED
from course.losses.pixels import PixelLoss


@keras.saving.register_keras_serializable(package="course")
class SoftDice(PixelLoss):
    """1 - Dice, with probabilities in place of guesses, mean over the classes present.

    For a class of truth t (0 or 1), probability p and the pixel's `sample_weight`
    w: Dice = 2 sum(w p t) / (sum(w p) + sum(w t)). Where all p are 0 or 1 and w
    is 1, this is :func:`course.metrics.dice`. The sums run over all pictures of the
    batch; no smoothing term is needed, for a class present makes them positive.
    Called as :class:`PixelLoss` says.

    Milletari et al. 2016, https://arxiv.org/abs/1606.04797, there for one class
    and with squares below the line; plain sums as in Sudre et al. 2017,
    https://arxiv.org/abs/1707.03237, but classes have equal weights.

    Parameters
    ----------
    ignore : int or tuple of int, optional
        Pixels with this true id contribute nothing; None counts all.
    """

    def __init__(self, ignore=UNLABELED, name="soft_dice"):
        super().__init__(ignore, name)

    def over(self, logits, ids, weight):
        weight = weight[:, None]
        truth, guess = ops.one_hot(ids, logits.shape[-1], dtype="float32"), ops.softmax(logits)
        shared, true, guessed = (ops.sum(weight * x, axis=0) for x in (truth * guess, truth, guess))
        dice = 2 * shared / ops.where(true > 0, true + guessed, 1.0)
        return _mean_of_present(1 - dice, true)


@keras.saving.register_keras_serializable(package="course")
class LovaszSoftmax(PixelLoss):
    """The Lovász extension of 1 - IoU, mean over the classes present.

    For each class, the errors of all pixels, |t - p|, are sorted from the
    largest; each is multiplied by what adding its pixel to the set of wrong
    ones adds to 1 - IoU. Piecewise linear in the errors, convex in them, and
    exactly 1 - IoU where all p are 0 or 1. The pictures of the batch are
    pooled. Called as :class:`PixelLoss` says, but without `sample_weight`.

    Berman, Triki, Blaschko, CVPR 2018, https://arxiv.org/abs/1705.08790

    Parameters
    ----------
    ignore : int or tuple of int, optional
        Pixels with this true id contribute nothing; None counts all.

    Raises
    ------
    ValueError
        When called, if there are sample weights: IoU counts pixels.
    """

    def __init__(self, ignore=UNLABELED, name="lovasz_softmax"):
        super().__init__(ignore, name)

    def call(self, y_true, y_pred, sample_weight=None):
        if sample_weight is not None:
            raise ValueError(
                "The Lovász-softmax loss has no weights for pixels: IoU counts each once. Give "
                "pixels to leave out the ignored id in the masks, or use SoftDice."
            )
        return super().call(y_true, y_pred)

    def over(self, logits, ids, weight):
        # Classes on rows: backends sort along the last axis fastest. Ignored pixels have error 0,
        # and so come last and add nothing.
        truth = ops.transpose(ops.one_hot(ids, logits.shape[-1], dtype="float32")) * weight
        errors = ops.abs(truth - ops.transpose(ops.softmax(logits)) * weight)
        order = ops.argsort(-errors, axis=-1)
        errors = ops.take_along_axis(errors, order, axis=-1)
        steps = _jaccard_steps(ops.take_along_axis(truth, order, axis=-1))
        return _mean_of_present(ops.sum(errors * steps, axis=-1), ops.sum(truth, axis=-1))


def _jaccard_steps(truth):
    """What each pixel, declared wrong in this order, adds to 1 - IoU: (classes, n) like `truth`.

    A wrong pixel of the class leaves the intersection; one that is not of the
    class enters the union.
    """
    shared = ops.sum(truth, axis=-1, keepdims=True) - ops.cumsum(truth, axis=-1)
    union = shared + ops.cumsum(ops.ones_like(truth), axis=-1)
    # As fractions, not as differences of 1 - IoU: those drown in float32 for a large batch.
    return ops.where(truth > 0, 1 / union, shared / (union * ops.maximum(union - 1, 1.0)))


def _mean_of_present(losses, true):
    """Mean of (classes,) losses where the class has true pixels; 0 where none has."""
    present = ops.cast(true > 0, "float32")
    return ops.sum(losses * present) / ops.maximum(ops.sum(present), 1.0)
