"""FCN against published parameter counts and against implementations written for the test."""

import functools

import keras
import numpy as np
import pytest
from models import assert_close, count, pictures, randomise, unallocated
from numpy.lib.stride_tricks import sliding_window_view

from course.layers import bilinear_kernel
from course.models.backbones import VGG16_DEPTHS, vgg
from course.models.fcn import STRIDES, fcn, small_fcn


@pytest.mark.parametrize(
    ("stride", "classes", "parameters"),
    [
        (32, 21, 136_152_917),
        (16, 21, 134_815_994),
        (8, 21, 134_489_759),
        (32, 23, 136_521_559),
        (8, 23, 134_524_837),
    ],
)
@unallocated()
def test_parameters_of_the_paper(stride, classes, parameters):
    assert count(fcn(stride, classes=classes).weights) == parameters


@unallocated()
def test_parameters_of_vgg16():
    images = keras.Input((None, None, 3))
    assert count(keras.Model(images, vgg(images)[32]).weights) == 14_714_688
    assert sum(VGG16_DEPTHS) == 13


@functools.cache
def random_model(stride, width=2, classes=3):
    """A small FCN of any size with random weights everywhere: fresh scores are zero."""
    return randomise(small_fcn(stride, classes=classes, width=width), seed=stride)


# A second implementation, in plain numpy: one picture, channels last.


def convolve(x, kernel):
    reach = kernel.shape[0] // 2
    windows = sliding_window_view(
        np.pad(x, [(reach, reach)] * 2 + [(0, 0)]), kernel.shape[:2], (0, 1)
    )
    return np.einsum("hwcij,ijco->hwo", windows, kernel)


def pool(x):
    height, width, channels = x.shape
    even = np.pad(x, [(0, height % 2), (0, width % 2), (0, 0)], constant_values=-np.inf)
    return even.reshape(-(-height // 2), 2, -(-width // 2), 2, channels).max((1, 3))


def stamp(x, kernel, factor):
    """Transposed convolution as it is explained: every input pixel stamps its kernel on the output."""
    height, width, _ = x.shape
    size = kernel.shape[0]
    canvas = np.zeros((factor * height + size, factor * width + size, kernel.shape[2]))
    for row in range(height):
        for column in range(width):
            top, left = row * factor, column * factor
            canvas[top : top + size, left : left + size] += kernel @ x[row, column]
    margin = (size - factor) // 2
    return canvas[margin : margin + factor * height, margin : margin + factor * width]


def numpy_fcn(model, image, stride):
    def weights(name):
        return model.get_layer(name).get_weights()

    def normed(x, name):
        gamma, beta, mean, variance = weights(f"{name}_norm")
        x = (convolve(x, *weights(name)) - mean) / np.sqrt(variance + 1e-3)
        return np.maximum(x * gamma + beta, 0)

    def score(x, name):
        kernel, bias = weights(name)
        return x @ kernel[0, 0] + bias

    x, maps = image / 127.5 - 1, {}
    for stage, depth in enumerate((1, 1, 2, 2, 2), start=1):
        for i in range(depth):
            x = normed(x, f"conv{stage}_{i + 1}")
        x = maps[2**stage] = pool(x)
    x = score(normed(x, "fc6"), "score_fr")
    for at in (16, 8):
        if at >= stride:
            x = stamp(x, *weights(f"upscore_to_{at}"), 2)
            finer = score(maps[at], f"score_{at}")
            x = x[: finer.shape[0], : finer.shape[1]] + finer
    return stamp(x, *weights("upscore"), stride)[: image.shape[0], : image.shape[1]]


@pytest.mark.parametrize("size", [(64, 96), (33, 47), (1, 70)])
@pytest.mark.parametrize("stride", STRIDES)
def test_logits_equal_those_of_the_numpy_implementation(stride, size):
    model, images = random_model(stride), pictures(2, *size)
    logits = model.predict_on_batch(images)
    assert logits.shape == (2, *size, 3)
    for image, got in zip(images, logits, strict=True):
        assert_close(got, numpy_fcn(model, image, stride))


@pytest.mark.parametrize("size", [(33, 47), (45, 64)])
def test_a_fixed_size_need_not_be_a_multiple_of_32(size):
    model = small_fcn(8, classes=3, width=2, size=size)
    model.set_weights(random_model(8).get_weights())
    images = pictures(1, *size)
    assert model.output_shape == (None, *size, 3)
    assert_close(model.predict_on_batch(images), random_model(8).predict_on_batch(images))


def test_moving_the_picture_by_32_moves_the_logits_by_32():
    model, scene = random_model(8), pictures(1, 448, 480)
    one = model.predict_on_batch(scene[:, :416, :416])
    other = model.predict_on_batch(scene[:, 32:, 64:])
    # An output depends on less than 160 pixels to each side: away from borders, only the middle is left.
    assert_close(one[:, 192:224, 224:256], other[:, 160:192, 160:192])


@pytest.mark.parametrize("stride", STRIDES)
def test_nothing_drifts_to_one_side(stride):
    # With kernels that are their own mirror image, a mirrored picture gives mirrored logits;
    # a map shifted by half a pixel anywhere between pooling and cropping breaks that.
    model = keras.models.clone_model(random_model(stride))
    model.set_weights(
        [
            w + w[::-1] + w[:, ::-1] + w[::-1, ::-1] if w.ndim == 4 else w
            for w in random_model(stride).get_weights()
        ]
    )
    image = pictures(1, 64, 96)
    logits = model.predict_on_batch(image)
    for axes in (1, 2):
        turned = model.predict_on_batch(np.flip(image, axes).copy())
        assert_close(np.flip(turned, axes), logits)


def test_upsampling_starts_bilinear_and_scores_at_zero():
    keras.utils.set_random_seed(0)
    model = small_fcn(8, classes=3, width=2)
    assert not model.predict_on_batch(pictures(1, 32, 32)).any()
    np.testing.assert_allclose(
        model.get_layer("upscore").get_weights()[0][:, :, 1, 1], bilinear_kernel(8)
    )


@pytest.mark.parametrize("build", [fcn, small_fcn])
def test_another_stride_is_refused_before_anything_is_built(build):
    with pytest.raises(ValueError, match="32, 16 or 8, not 4"):
        build(stride=4)


def test_saved_and_loaded_it_answers_the_same(tmp_path):
    model, images = random_model(8), pictures(1, 40, 50)
    model.save(tmp_path / "fcn.keras")
    loaded = keras.models.load_model(tmp_path / "fcn.keras")
    assert_close(loaded.predict_on_batch(images), model.predict_on_batch(images))


def test_logits_stay_float32_in_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = small_fcn(8, classes=3, width=2)
    finally:
        keras.config.set_dtype_policy(before)
    assert model.get_layer("conv1_1").compute_dtype == "bfloat16"
    assert model.predict_on_batch(pictures(1, 33, 32)).dtype == np.float32


@pytest.mark.slow
@pytest.mark.parametrize("stride", STRIDES)
def test_full_width_logits_equal_those_of_torch(stride):
    torch = pytest.importorskip(
        "torch", reason="PyTorch, the other implementation, is not installed"
    )
    from torch.nn import functional as F

    model = fcn(stride, classes=5)
    rng = np.random.default_rng(stride)
    for layer in model.layers:
        if "score" in layer.name:
            layer.set_weights([rng.normal(0, 0.1, w.shape) for w in layer.get_weights()])
    image = pictures(1, 45, 70)

    def weights(name):
        kernel, *bias = (torch.from_numpy(np.array(w)) for w in model.get_layer(name).get_weights())
        return kernel.permute(3, 2, 0, 1), *bias

    with torch.no_grad():
        x = torch.from_numpy(image.astype("float32") / 127.5 - 1).permute(0, 3, 1, 2)
        maps = {}
        for stage, depth in enumerate((2, 2, 3, 3, 3), start=1):
            for i in range(depth):
                x = F.relu(F.conv2d(x, *weights(f"conv{stage}_{i + 1}"), padding=1))
            x = maps[2**stage] = F.max_pool2d(x, 2, ceil_mode=True)
        x = F.relu(F.conv2d(x, *weights("fc6"), padding=3))
        x = F.relu(F.conv2d(x, *weights("fc7")))
        x = F.conv2d(x, *weights("score_fr"))
        for at in (16, 8):
            if at >= stride:
                x = F.conv_transpose2d(x, *weights(f"upscore_to_{at}"), stride=2, padding=1)
                finer = F.conv2d(maps[at], *weights(f"score_{at}"))
                x = x[:, :, : finer.shape[2], : finer.shape[3]] + finer
        x = F.conv_transpose2d(x, *weights("upscore"), stride=stride, padding=stride // 2)
        expected = x[:, :, :45, :70].permute(0, 2, 3, 1).numpy()
    assert_close(model.predict_on_batch(image), expected)
