"""The network for small devices: its size by hand, its shapes, its smallness."""

import cv2
import keras
import numpy as np
import pytest
from models import assert_close, calm, convolve, count, norm_relu, pictures, unallocated

from course.models.backbones.conv import separable
from course.models.mobile import mobile_unet
from course.models.unet import small_unet


def by_hand(width, classes=24):
    """Weights a layer: 9 a channel and m·n for a separable block, 4 numbers a normalised channel."""

    def block(m, n):
        return 9 * m + 4 * m + m * n + 4 * n

    total = 27 * width + 4 * width
    at = {2: width, **{s: width * s // 2 for s in (4, 8, 16, 32)}}
    for s in (4, 8, 16, 32):
        total += block(at[s // 2], at[s]) + block(at[s], at[s])
    for s in (16, 8, 4):
        total += at[2 * s] * at[s] + at[s] + block(at[s], at[s])
    return total + at[4] * classes + classes


@pytest.mark.parametrize("width", [8, 12, 16])
@unallocated()
def test_parameters_by_hand(width):
    assert count(mobile_unet(width).weights) == by_hand(width)


@pytest.mark.parametrize("size", [(64, 96), (65, 97), (33, 40), (10, 7)])
def test_logits_are_as_large_as_the_picture(size):
    images = np.zeros((2, *size, 3), np.uint8)
    logits = mobile_unet(4, classes=5).predict(images, verbose=0)
    assert logits.shape == (2, *size, 5)
    assert logits.dtype == np.float32


@unallocated()
def test_it_has_less_than_an_eighth_of_a_unets_parameters():
    assert count(mobile_unet(16).weights) < count(small_unet(16).weights) / 8


def test_a_separable_block_is_keras_own_separable_convolution():
    """Without normalising (as it starts) and before the ReLU, for positive numbers."""
    images = keras.Input((8, 8, 3))
    block = keras.Model(images, separable(images, 5, "b"))
    reference = keras.layers.SeparableConv2D(5, 3, padding="same", use_bias=False)
    reference.build((None, 8, 8, 3))
    rng = np.random.default_rng(0)
    depth, point = rng.random((3, 3, 3, 1)), rng.random((1, 1, 3, 5))
    block.get_layer("b_depth").set_weights([depth])
    block.get_layer("b").set_weights([point])
    reference.set_weights([depth, point])
    x = rng.random((2, 8, 8, 3)).astype("float32")
    found = block.predict(x, verbose=0)
    expected = keras.ops.convert_to_numpy(reference(x))
    np.testing.assert_allclose(found, expected / (1 + 1e-3), rtol=1e-4)  # twice √(1 + epsilon)


def in_numpy(model, image):
    """The logits of one picture, by a second implementation with the weights of `model`."""

    def weights(name):
        return model.get_layer(name).get_weights()

    def conv_relu(x, name, stride=1):
        return norm_relu(convolve(x, *weights(name), stride), *weights(f"{name}_norm"))

    def separable(x, name, stride=1):
        (kernel,) = weights(f"{name}_depth")
        each = np.einsum("ijco,cd->ijcd", kernel, np.eye(x.shape[-1]))  # nothing across channels
        x = norm_relu(convolve(x, each, stride), *weights(f"{name}_depth_norm"))
        return conv_relu(x, name)

    def dense(x, name):
        kernel, bias = weights(name)
        return x @ kernel[0, 0] + bias

    def enlarged(x, size):
        return cv2.resize(x, size[::-1], interpolation=cv2.INTER_LINEAR)

    height, width, _ = image.shape
    x = np.pad(image, [(0, -height % 32), (0, -width % 32), (0, 0)], mode="reflect")
    whole, across = x.shape[:2], {}
    x = conv_relu(x / 127.5 - 1, "stem", 2)
    for stride in (4, 8, 16, 32):
        across[stride] = x = separable(separable(x, f"down_{stride}_1", 2), f"down_{stride}_2")
    for stride in (16, 8, 4):
        skip = across[stride]
        x = enlarged(dense(x, f"up_{stride}_channels"), skip.shape[:2])
        x = separable(x + skip, f"up_{stride}_1")
    return enlarged(dense(x, "score"), whole)[:height, :width]


def test_logits_equal_those_of_the_numpy_implementation():
    model, images = calm(mobile_unet(4, classes=3)), pictures(1, 70, 50)
    rng = np.random.default_rng(0)
    for variable in model.weights:
        if len(variable.shape) == 4:  # Keras's own depthwise kernels let the picture fade
            terms = np.prod(variable.shape[: 2 if "depth" in variable.path else 3])
            variable.assign(rng.normal(0, np.sqrt(2 / terms), variable.shape))
    expected = in_numpy(model, images[0])
    assert expected.std((0, 1)).max() > 0.1  # the picture is still seen
    assert_close(keras.ops.convert_to_numpy(model(images))[0], expected)


def test_one_network_takes_pictures_of_one_size_after_another():
    """Keras's own bilinear layer stops at the second size."""
    model = mobile_unet(4)
    for size in ((64, 64), (96, 64), (32, 128)):
        assert model.predict_on_batch(np.zeros((1, *size, 3), np.uint8)).shape == (1, *size, 24)
