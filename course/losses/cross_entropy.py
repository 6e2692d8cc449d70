"""Losses that judge each pixel by itself: cross-entropy and the focal loss."""

import keras
import numpy as np
from keras import ops

from course.classes import UNLABELED
from course.losses.pixels import PixelLoss, weighted_mean


@keras.saving.register_keras_serializable(package="course")
class CrossEntropy(PixelLoss):
    """Cross-entropy over the pixels that are not ignored: sum(w * ce) / sum(w).

    `w` is the class weight of the pixel's true class (1 without
    `class_weights`), times its `sample_weight` if there is one, and 0 where
    the truth is `ignore`. That is ``torch.nn.functional.cross_entropy`` with
    ``weight`` and ``ignore_index``: weights shift attention between classes
    and leave the size of the loss alone. Called as :class:`PixelLoss` says.

    Parameters
    ----------
    class_weights : (classes,) array-like, optional
        For example from :func:`median_frequency_weights`.
    ignore : int or tuple of int, optional
        Pixels with this true id contribute nothing; None counts all.

    Raises
    ------
    ValueError
        If the weights are no vector of finite numbers >= 0; when called, also
        if there is not one weight for each class.
    """

    def __init__(self, class_weights=None, ignore=UNLABELED, name="cross_entropy"):
        super().__init__(ignore, name)
        self.class_weights = None if class_weights is None else _check_weights(class_weights)

    def over(self, logits, ids, weight):
        ce = ops.sparse_categorical_crossentropy(ids, logits, from_logits=True)
        return weighted_mean(self.factor(ce) * ce, weight * self._class_weight(logits, ids))

    def factor(self, ce):
        """What the cross-entropy (n,) of each pixel is multiplied with."""
        return 1.0

    def _class_weight(self, logits, ids):
        if self.class_weights is None:
            return 1.0
        classes = logits.shape[-1]
        if len(self.class_weights) != classes:
            raise ValueError(
                f"There are {len(self.class_weights)} class weights, but the logits have {classes} "
                "classes on their last axis. Pass one weight for each class."
            )
        return ops.take(ops.convert_to_tensor(self.class_weights), ids)

    def get_config(self):
        weights = None if self.class_weights is None else self.class_weights.tolist()
        return {**super().get_config(), "class_weights": weights}


@keras.saving.register_keras_serializable(package="course")
class Focal(CrossEntropy):
    """Focal loss: cross-entropy times (1 - p) ** gamma, p the probability of the true class.

    Pixels that are already right count less. Weighted and averaged as
    :class:`CrossEntropy`, which it is for ``gamma=0``. The factor lowers the
    loss's size as well; the paper makes up for that by dividing by the number of
    anchors that belong to an object, a learning rate can.

    Lin et al. 2017, https://arxiv.org/abs/1708.02002, there for two classes;
    here over the softmax of all.

    Parameters
    ----------
    gamma : float
        0 or more; the paper's choice is 2.
    class_weights : (classes,) array-like, optional
        The paper's alpha.
    ignore : int or tuple of int, optional
        Pixels with this true id contribute nothing; None counts all.

    Raises
    ------
    ValueError
        For a gamma that is negative or not finite; and as :class:`CrossEntropy`.
    """

    def __init__(self, gamma=2.0, class_weights=None, ignore=UNLABELED, name="focal"):
        super().__init__(class_weights, ignore, name)
        if not 0 <= gamma < np.inf:
            raise ValueError(f"gamma is a finite number >= 0, but it is {gamma!r}.")
        self.gamma = float(gamma)

    def factor(self, ce):
        # At p = 1 the power has no finite slope for gamma < 1, hence the floor.
        return ops.power(ops.maximum(1 - ops.exp(-ce), keras.config.epsilon()), self.gamma)

    def get_config(self):
        return {**super().get_config(), "gamma": self.gamma}


def _check_weights(class_weights):
    weights = np.asarray(class_weights, dtype=np.float32)
    if weights.ndim != 1 or not np.all(np.isfinite(weights) & (weights >= 0)):
        raise ValueError(
            f"Class weights are one finite number >= 0 for each class, (classes,), but got {class_weights!r}."
        )
    return weights
