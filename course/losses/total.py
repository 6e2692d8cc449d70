"""Losses, added."""

import keras

from course.classes import UNLABELED
from course.losses.pixels import ignored_ids


@keras.saving.register_keras_serializable(package="course")
class Sum(keras.losses.Loss):
    """The sum of losses, for example cross-entropy and Dice.

    Cross-entropy says for each pixel which way to go, also where a class is far
    from being found; Dice says which classes matter. Called as each of them is.

    Parameters
    ----------
    losses : sequence of PixelLoss
        All leave out the same pixels.

    Raises
    ------
    ValueError
        For no loss, or losses that do not ignore the same ids.
    """

    def __init__(self, losses, name="sum"):
        super().__init__(name=name, dtype="float32")
        self.losses = tuple(losses)
        if not self.losses:
            raise ValueError("There is no loss to add: pass one or more.")
        ignoring = [loss for loss in self.losses if hasattr(loss, "ignore")]
        self.ignore = ignoring[0].ignore if ignoring else UNLABELED
        for loss in ignoring:
            if set(ignored_ids(loss.ignore)) != set(ignored_ids(self.ignore)):
                raise ValueError(
                    f"{ignoring[0].name} ignores {self.ignore!r} and {loss.name} {loss.ignore!r}: the parts "
                    "of a sum must leave out the same pixels."
                )

    def __call__(self, y_true, y_pred, sample_weight=None):
        return self.call(y_true, y_pred, sample_weight)

    def call(self, y_true, y_pred, sample_weight=None):
        return sum(loss(y_true, y_pred, sample_weight) for loss in self.losses)

    def get_config(self):
        losses = [keras.saving.serialize_keras_object(loss) for loss in self.losses]
        return {"name": self.name, "losses": losses}

    @classmethod
    def from_config(cls, config):
        losses = [keras.saving.deserialize_keras_object(loss) for loss in config["losses"]]
        return cls(losses, config["name"])
