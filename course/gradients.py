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
    ValueError
        For a place or a channel that the map does not have.
    NotImplementedError
        On a backend other than TensorFlow, JAX and PyTorch.
    """
    x, place = ops.convert_to_tensor(images, dtype="float32"), (row, column, channel)

    def score(x):
        maps = model(x, training=False)
        # JAX would take the nearest place instead, without a word.
        for name, i, n in zip(("row", "column", "channel"), place, maps.shape[1:], strict=True):
            if not -n <= i < n:
                raise ValueError(f"The map has {n} {name}s, 0 to {n - 1}, and {name} is {i}.")
        return ops.sum(maps[:, row, column, channel])

    # Keras has no gradients of its own: each backend is asked in its own words.
    if environment.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            value = score(x)
        return np.asarray(tape.gradient(value, x))
    if environment.backend() == "jax":
        import jax

        return np.asarray(jax.grad(score)(x))
    if environment.backend() == "torch":
        import torch

        x = x.detach().requires_grad_()
        (found,) = torch.autograd.grad(score(x), x)
        return ops.convert_to_numpy(found)
    raise NotImplementedError(
        "input_gradient is written for TensorFlow, JAX and PyTorch, not for "
        f"{environment.backend()}."
    )
