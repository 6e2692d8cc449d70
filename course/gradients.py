"""What a score depends on: its gradient with respect to the picture."""

import numpy as np
from keras import ops

from course import environment


def input_gradient(model, images, row, column, channel=0):
    """How much one score changes with each number that goes in.

    Parameters
    ----------
    model : keras.Model
        Pictures to maps ``(batch, height, width, channels)``.
    images : (n, height, width, channels) array
    row, column, channel : int
        The place in the map, and which of its numbers.

    Returns
    -------
    float32 array of the pictures' shape
        Zero where a pixel has no influence: outside the receptive field, and
        inside it where a maximum or a ReLU blocks the way for this picture.

    Raises
    ------
    NotImplementedError
        On a backend other than TensorFlow and JAX.
    """
    x = ops.convert_to_tensor(images, dtype="float32")
    if environment.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            score = ops.sum(model(x, training=False)[:, row, column, channel])
        return np.asarray(tape.gradient(score, x))
    if environment.backend() == "jax":
        import jax

        def score(x):
            return ops.sum(model(x, training=False)[:, row, column, channel])

        return np.asarray(jax.grad(score)(x))
    raise NotImplementedError(
        f"input_gradient is written for TensorFlow and JAX, not for {environment.backend()}."
    )
