"""Losses, added."""

import keras
import numpy as np

from course.losses.pixels import ignored_by, ignored_ids


@keras.saving.register_keras_serializable(package="course")
class Sum(keras.losses.Loss):
    """The sum of losses, weighted or not, for example cross-entropy and Dice.

    Cross-entropy says for each pixel which way to go, also where a class is far
    from being found; Dice says which classes matter. Called as each of them is.

    Parameters
    ----------
    losses : sequence of keras.losses.Loss
        Those that say what they leave out (`ignore`, or `ignore_class` of Keras's own) all leave
        out the same pixels.
    weights : sequence of float, optional
        What each is multiplied with, ``Sum([CrossEntropy(), SoftDice()], [1, 0.5])``;
        1 by default.

    Raises
    ------
    ValueError
        For no loss, or losses that do not ignore the same ids; for weights that are not one
        finite number >= 0 for each loss.
    """

    def __init__(self, losses, weights=None, name="sum"):
        super().__init__(name=name, dtype="float32")
        self.losses = tuple(losses)
        if not self.losses:
            raise ValueError("There is no loss to add: pass one or more.")
        self.weights = None if weights is None else _check_weights(weights, len(self.losses))
        said = [
            loss for loss in self.losses if hasattr(loss, "ignore") or hasattr(loss, "ignore_class")
        ]
        if said:  # else the sum, like its parts, has no say
            self.ignore = ignored_by(said[0])
        for loss in said:
            if set(ignored_ids(ignored_by(loss))) != set(ignored_ids(self.ignore)):
                raise ValueError(
                    f"{said[0].name} ignores {self.ignore!r} and {loss.name} {ignored_by(loss)!r}: the parts "
                    "of a sum must leave out the same pixels."
                )

    def __call__(self, y_true, y_pred, sample_weight=None):
        return self.call(y_true, y_pred, sample_weight)

    def call(self, y_true, y_pred, sample_weight=None):
        values = [loss(y_true, y_pred, sample_weight) for loss in self.losses]
        if self.weights is None:
            return sum(values)
        return sum(weight * value for weight, value in zip(self.weights, values, strict=True))

    def get_config(self):
        losses = [keras.saving.serialize_keras_object(loss) for loss in self.losses]
        return {"name": self.name, "losses": losses, "weights": self.weights}

    @classmethod
    def from_config(cls, config):
        losses = [keras.saving.deserialize_keras_object(loss) for loss in config["losses"]]
        return cls(losses, config.get("weights"), config["name"])


def _check_weights(weights, number):
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != (number,) or not np.all(np.isfinite(weights) & (weights >= 0)):
        raise ValueError(
            f"weights of a sum are one finite number >= 0 for each of the {number} losses, but these are "
            f"{weights.tolist()}."
        )
    return weights.tolist()
