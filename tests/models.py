"""What the tests of networks, layers and losses share."""

import contextlib

import keras
import numpy as np

from course.models.backbones.registry import OURS


@contextlib.contextmanager
def unallocated():
    """Build without allocating: in this scope variables have shapes and no values."""
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        # Forgets the variables that wait for their values. To collect all garbage as well takes
        # a second each time, once a process has traced some networks.
        keras.utils.clear_session(free_memory=False)


def count(weights):
    """How many numbers `weights` hold, a list like ``model.weights``."""
    return sum(int(np.prod(weight.shape)) for weight in weights)


def pictures(*shape, channels=3, seed=0):
    """Noise, (*shape, channels) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (*shape, channels)).astype("uint8")


def narrow(name, width):
    """`width` for a backbone of ours; none for one that has the width it was published with."""
    return width if name in OURS else None


def randomise(model, seed=0):
    """Random weights everywhere: what starts at zero or one would hide faults."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        value = rng.normal(0, 0.3, variable.shape)
        if "seed" not in variable.name:
            variable.assign(1 + np.abs(value) if variable.name == "moving_variance" else value)
    return model


def calm(model, seed=0):
    """Random normalisations and biases that keep the size of the signal through a deep trunk."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if len(variable.shape) == 1 and "seed" not in variable.name:
            centre = variable.name in ("gamma", "moving_variance")
            variable.assign(centre + rng.normal(0, 0.1, variable.shape))
    return model


def convolve(x, kernel, stride=1):
    """In plain numpy, padded as TensorFlow's "same": x (height, width, in), kernel (taps, taps, in, out)."""
    taps, rims = kernel.shape[0], []
    for n in x.shape[:2]:
        rim = max(0, (-(-n // stride) - 1) * stride + taps - n)
        rims.append((rim // 2, rim - rim // 2))
    x = np.pad(x, [*rims, (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(x, (taps, taps), (0, 1))
    return np.einsum("hwcij,ijco->hwo", windows[::stride, ::stride], kernel, optimize=True)


def norm_relu(x, gamma, beta, mean, variance):
    """Batch normalization as in use, then ReLU, in plain numpy."""
    return np.maximum((x - mean) / np.sqrt(variance + 1e-3) * gamma + beta, 0)


def gradient(function, x):
    """Of a scalar function by its array, on the backend in use."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        x = tf.Variable(x)
        with tf.GradientTape() as tape:
            value = function(x)
        return tape.gradient(value, x).numpy()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(function)(x))
    import torch

    x = torch.tensor(x, requires_grad=True)
    function(x).backward()
    return x.grad.numpy()


def assert_every_layer_shows(model, images, rounding=1e-4):
    """Channels swapped in any one layer change the answer by far more than `assert_close` lets pass.

    With weights of any size, normalisations damp what comes from deep layers to below float32's rounding.
    """
    before = model.predict_on_batch(images)
    for layer in model.layers:
        if not (weights := layer.get_weights()):
            continue
        layer.set_weights([weights[0][..., ::-1], *weights[1:]])
        change = np.abs(model.predict_on_batch(images) - before).max()
        assert change > 20 * rounding * np.abs(before).max(), layer.name
        layer.set_weights(weights)


def assert_close(got, expected, rounding=1e-4):
    """Equal but for float32's rounding, and not because all is zero."""
    got, expected = np.asarray(got), np.asarray(expected)
    scale = np.abs(expected).max()
    assert expected.std() > 0.01 * scale
    np.testing.assert_allclose(got, expected, atol=rounding * scale)
