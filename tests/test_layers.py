"""Bilinear upsampling against formulas and brute force; cropping; saving."""

import keras
import numpy as np
import pytest
from keras import ops

from course.layers import Bilinear, CropLike, bilinear_kernel, upsample


def shelhamer(size):
    """``upsample_filt`` of the authors' published code (fcn.berkeleyvision.org, surgery.py)."""
    factor = (size + 1) // 2
    center = factor - 1 if size % 2 == 1 else factor - 0.5
    og = np.ogrid[:size, :size]
    return (1 - abs(og[0] - center) / factor) * (1 - abs(og[1] - center) / factor)


def enlarge(picture, factor):
    """`picture` (height, width, channels) through the layer."""
    return ops.convert_to_numpy(
        upsample(picture.shape[-1], factor)(picture[None].astype("float32"))
    )[0]


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 8, 16, 32])
def test_kernel_is_the_one_of_the_authors(factor):
    size = 1 if factor == 1 else 2 * factor - factor % 2
    np.testing.assert_allclose(bilinear_kernel(factor), shelhamer(size), atol=1e-6)


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_kernel_shares_every_output_pixel_out_whole(factor):
    # Phases of the stride see disjoint weights: each set must add up to 1, or upsampling is chequered.
    kernel = bilinear_kernel(factor)
    sums = [kernel[y::factor, x::factor].sum() for y in range(factor) for x in range(factor)]
    np.testing.assert_allclose(sums, 1, atol=1e-6)


@pytest.mark.parametrize("factor", [2, 3, 4, 8, 16])
def test_a_ramp_stays_a_ramp_without_a_shift(factor):
    # Pixel centres: output pixel Y lies at (Y + ½) / factor − ½ of the input.
    y, x = np.mgrid[:6, :7]
    at = np.stack([y, x], axis=-1)
    out = enlarge(at, factor)
    rows, columns = np.mgrid[: 6 * factor, : 7 * factor]
    expected = (np.stack([rows, columns], axis=-1) + 0.5) / factor - 0.5
    inside = slice(factor, -factor)
    np.testing.assert_allclose(out[inside, inside], expected[inside, inside], atol=1e-4)


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_equals_opencv_away_from_borders(factor):
    cv2 = pytest.importorskip("cv2")
    picture = np.random.default_rng(0).random((6, 7, 2), dtype="float32")
    expected = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    inside = slice(factor, -factor)
    np.testing.assert_allclose(
        enlarge(picture, factor)[inside, inside], expected[inside, inside], atol=1e-5
    )


def test_channels_do_not_mix_when_their_numbers_differ():
    kernel = ops.convert_to_numpy(Bilinear()((4, 4, 3, 2)))
    for out in range(3):
        for into in range(2):
            expected = bilinear_kernel(2) if out == into else np.zeros((4, 4))
            np.testing.assert_array_equal(kernel[:, :, out, into], expected)


@pytest.mark.parametrize("size", [(4, 6), (3, 3), (2, 2)])
def test_kernel_that_no_factor_has_is_refused(size):
    with pytest.raises(ValueError, match=rf"{size[0]}×{size[1]}.*2·factor"):
        Bilinear()((*size, 1, 1))


def test_crop_keeps_top_and_left():
    x = np.arange(2 * 5 * 6 * 3, dtype="float32").reshape(2, 5, 6, 3)
    out = ops.convert_to_numpy(CropLike()([x, np.zeros((2, 4, 5, 1), "float32")]))
    np.testing.assert_array_equal(out, x[:, :4, :5])


def test_crop_knows_its_shape_before_any_picture_comes():
    x, like = keras.Input((40, 64, 7)), keras.Input((33, 47, 3))
    assert CropLike()([x, like]).shape == (None, 33, 47, 7)
    assert CropLike()([x, keras.Input((None, None, 3))]).shape == (None, None, None, 7)


def test_layers_survive_saving(tmp_path):
    inputs = keras.Input((None, None, 2))
    model = keras.Model(inputs, CropLike()([upsample(2, 4)(inputs), inputs]))
    model.save(tmp_path / "model.keras")
    x = np.random.default_rng(0).random((1, 5, 6, 2), dtype="float32")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(model.predict_on_batch(x), loaded.predict_on_batch(x), atol=1e-6)
