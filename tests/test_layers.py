"""Bilinear upsampling, unpooling and cropping against formulas, brute force, PyTorch; saving."""

import keras
import numpy as np
import pytest
from keras import ops
from models import gradient

from course.layers import (
    AtrousMaxPool,
    Bilinear,
    CropLike,
    MaxPoolWithIndices,
    ResizeLike,
    Unpool,
    bilinear_kernel,
    upsample,
)


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


def pooled_by_loops(x):
    """Values and places of 2×2 max pooling, window by window; windows overhang at bottom and right."""
    batch, height, width, channels = x.shape
    shape = (batch, -(-height // 2), -(-width // 2), channels)
    values, indices = np.zeros(shape, x.dtype), np.zeros(shape, "int32")
    for n, row, column, channel in np.ndindex(shape):
        best = -np.inf
        for place in range(4):
            at = (2 * row + place // 2, 2 * column + place % 2)
            if at[0] < height and at[1] < width and x[n, *at, channel] > best:
                best = x[n, *at, channel]
                values[n, row, column, channel], indices[n, row, column, channel] = best, place
    return values, indices


def unpooled_by_loops(values, indices):
    batch, height, width, channels = values.shape
    x = np.zeros((batch, 2 * height, 2 * width, channels), values.dtype)
    for n, row, column, channel in np.ndindex(values.shape):
        place = indices[n, row, column, channel]
        x[n, 2 * row + place // 2, 2 * column + place % 2, channel] = values[
            n, row, column, channel
        ]
    return x


def pool(x):
    return [ops.convert_to_numpy(out) for out in MaxPoolWithIndices()(x)]


def unpool(values, indices):
    return ops.convert_to_numpy(Unpool()([values, indices]))


def slopes(function, x, step=1e-2):
    """The gradient by finite differences."""
    result = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        shift = np.zeros_like(x)
        shift[at] = step
        result[at] = (float(function(x + shift)) - float(function(x - shift))) / (2 * step)
    return result


def distinct(shape, seed=0):
    """Numbers at least 0.1 apart: no small step makes another one the maximum. Half are negative."""
    size = np.prod(shape)
    order = np.random.default_rng(seed).permutation(size)
    return ((order - size / 2) / 10).reshape(shape).astype("float32")


SIZES = [(4, 6), (5, 6), (4, 7), (5, 7), (1, 1), (2, 1)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("repeats", [False, True])
def test_pooling_is_the_loop_and_the_pooling_of_keras(size, repeats):
    x = distinct((2, *size, 3)) - 50  # all below zero: what pads must not win
    if repeats:
        x = np.floor(x / 5)
        assert len(np.unique(x)) < x.size
    values, indices = pool(x)
    expected_values, expected_indices = pooled_by_loops(x)
    np.testing.assert_array_equal(values, expected_values)
    np.testing.assert_array_equal(indices, expected_indices)
    assert indices.dtype == "int32"
    by_keras = keras.layers.MaxPooling2D(2, padding="same")(x)
    np.testing.assert_array_equal(values, ops.convert_to_numpy(by_keras))


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (3, 5)])
def test_unpooling_is_the_loop(size):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, *size, 3)).astype("float32")
    indices = rng.integers(0, 4, values.shape).astype("int32")
    np.testing.assert_array_equal(unpool(values, indices), unpooled_by_loops(values, indices))


@pytest.mark.parametrize("size", SIZES)
def test_what_is_unpooled_lies_where_it_came_from(size):
    x = distinct((2, *size, 3))
    values, indices = pool(x)
    back = ops.convert_to_numpy(CropLike()([unpool(values, indices), x]))
    at = back != 0
    np.testing.assert_array_equal(back[at], x[at])
    # One place a window, none of them cropped. A value that is itself zero hides its place.
    assert at.sum() == (values != 0).sum()


@pytest.mark.parametrize("size", [(4, 6), (6, 8)])
def test_pooling_and_unpooling_are_pytorchs(size):
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    x = np.floor(distinct((2, *size, 3)) * 2)  # with ties
    values, indices = pool(x)
    first = torch.tensor(x).permute(0, 3, 1, 2)
    expected, flat = torch.nn.functional.max_pool2d(first, 2, return_indices=True)
    np.testing.assert_array_equal(values, expected.permute(0, 2, 3, 1).numpy())
    # PyTorch counts through the whole map, we within the window.
    row, column = np.divmod(flat.permute(0, 2, 3, 1).numpy(), size[1])
    np.testing.assert_array_equal(indices, row % 2 * 2 + column % 2)
    np.testing.assert_array_equal(
        unpool(values, indices),
        torch.nn.functional.max_unpool2d(expected, flat, 2).permute(0, 2, 3, 1).numpy(),
    )


def test_of_equal_maxima_the_first_counts_and_gets_the_gradient():
    x = np.array([[7, 7], [7, 7]], "float32")[None, :, :, None]
    assert pool(x)[1].item() == 0
    slope = gradient(lambda x: ops.sum(MaxPoolWithIndices()(x)[0]), x)
    np.testing.assert_array_equal(slope[0, :, :, 0], [[1, 0], [0, 0]])


@pytest.mark.parametrize("size", [(4, 4), (3, 5)])
def test_gradients_by_finite_differences(size):
    x = distinct((1, *size, 2))
    weights = np.random.default_rng(1).normal(size=(1, *size, 2)).astype("float32")

    def down_and_up(x):
        values, indices = MaxPoolWithIndices()(x)
        back = CropLike()([Unpool()([values, indices]), x])
        return ops.sum(ops.multiply(back**2, weights))

    slope = gradient(down_and_up, x)
    assert np.isfinite(slope).all()
    assert slope.any()
    np.testing.assert_allclose(slope, slopes(down_and_up, x), atol=2e-2)


def test_unpooling_passes_the_gradient_back_by_the_same_places():
    values, indices = pool(distinct((1, 4, 6, 2)))
    weights = np.random.default_rng(2).normal(size=(1, 4, 6, 2)).astype("float32")
    slope = gradient(lambda v: ops.sum(ops.multiply(Unpool()([v, indices]), weights)), values)
    expected = [
        weights[n, 2 * row + place // 2, 2 * column + place % 2, channel]
        for (n, row, column, channel), place in np.ndenumerate(indices)
    ]
    np.testing.assert_allclose(slope.ravel(), expected, rtol=1e-6)


def test_pooling_knows_shapes_and_types_before_any_picture_comes():
    values, indices = MaxPoolWithIndices()(keras.Input((5, 8, 7)))
    assert values.shape == indices.shape == (None, 3, 4, 7)
    assert (values.dtype, indices.dtype) == ("float32", "int32")
    assert Unpool()([values, indices]).shape == (None, 6, 8, 7)
    values, indices = MaxPoolWithIndices()(keras.Input((None, None, 7)))
    assert Unpool()([values, indices]).shape == (None, None, None, 7)


def test_pooling_and_unpooling_keep_half_precision():
    values, indices = MaxPoolWithIndices(dtype="mixed_float16")(distinct((1, 3, 4, 1)))
    out = Unpool(dtype="mixed_float16")([values, indices])
    assert keras.backend.standardize_dtype(values.dtype) == "float16"
    assert keras.backend.standardize_dtype(out.dtype) == "float16"
    assert np.isfinite(ops.convert_to_numpy(out)).all()


def test_one_network_unpools_any_size_and_survives_saving(tmp_path):
    inputs = keras.Input((None, None, 2))
    values, indices = MaxPoolWithIndices()(inputs)
    model = keras.Model(inputs, CropLike()([Unpool()([values, indices]), inputs]))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for size in [(4, 6), (5, 7)]:
        x = distinct((2, *size, 2))
        expected = unpooled_by_loops(*pooled_by_loops(x))[:, : size[0], : size[1]]
        np.testing.assert_array_equal(loaded.predict_on_batch(x), expected)


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize(("size", "rate"), [(2, 1), (2, 2), (3, 1), (3, 2), (3, 4)])
def test_atrous_pooling_equals_its_windows_one_by_one(size, rate, centred):
    x = distinct((2, 6, 7, 3)) - 1000  # below zero, which a padding with zeros would show
    start = -((size - 1) * rate // 2) if centred else 0
    expected = np.full_like(x, -np.inf)
    for n, row, column, channel in np.ndindex(x.shape):
        for down, right in np.ndindex(size, size):
            at = (row + start + down * rate, column + start + right * rate)
            if 0 <= at[0] < 6 and 0 <= at[1] < 7:
                value = max(expected[n, row, column, channel], x[n, *at, channel])
                expected[n, row, column, channel] = value
    pool = AtrousMaxPool(size, rate, centred)
    np.testing.assert_array_equal(ops.convert_to_numpy(pool(x)), expected)


@pytest.mark.parametrize("size", [2, 3])
def test_atrous_pooling_holds_the_values_of_a_pool_with_stride(size):
    x = distinct((1, 8, 6, 2))
    strided = keras.layers.MaxPooling2D(size, strides=2, padding="same")(x)
    around = keras.layers.MaxPooling2D(size, strides=1, padding="same")(x)
    dense = ops.convert_to_numpy(AtrousMaxPool(size)(x))
    np.testing.assert_array_equal(dense[:, ::2, ::2], ops.convert_to_numpy(strided))
    if size == 3:
        centred = AtrousMaxPool(size, centred=True)(x)
        np.testing.assert_array_equal(ops.convert_to_numpy(centred), ops.convert_to_numpy(around))


def test_atrous_pooling_keeps_half_precision():
    out = AtrousMaxPool(3, 2, dtype="mixed_float16")(distinct((1, 3, 4, 1)))
    assert keras.backend.standardize_dtype(out.dtype) == "float16"
    assert np.isfinite(ops.convert_to_numpy(out)).all()


@pytest.mark.parametrize("size", [(12, 14), (13, 22), (60, 7)])
def test_resizing_equals_opencv(size):
    cv2 = pytest.importorskip("cv2")
    x = np.random.default_rng(0).random((2, 6, 7, 3), dtype="float32")
    got = ops.convert_to_numpy(ResizeLike()([x, np.zeros((2, *size, 1), "float32")]))
    for one, picture in zip(got, x, strict=True):
        expected = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(one, expected, atol=1e-5)


def test_resizing_to_sizes_known_only_at_run_time_is_the_same():
    x, like = keras.Input((None, None, 3)), keras.Input((None, None, 1))
    model = keras.Model([x, like], ResizeLike()([x, like]))
    for small, large in (((6, 7), (13, 30)), ((1, 1), (4, 5)), ((8, 3), (8, 3)), ((9, 9), (5, 20))):
        maps = np.random.default_rng(0).random((2, *small, 3), dtype="float32")
        fixed = ResizeLike()([maps, np.zeros((2, *large, 1), "float32")])
        got = model.predict_on_batch([maps, np.zeros((2, *large, 1), "float32")])
        np.testing.assert_allclose(got, ops.convert_to_numpy(fixed), atol=1e-6)


def test_resizing_lays_corners_on_corners():
    line = np.array([0, 8], "float32").reshape(1, 1, 2, 1)
    got = ResizeLike()([line, np.zeros((1, 1, 4, 1), "float32")])
    # The four pixels' centres lie at −¼, ¼, ¾ and 1¼ of the two; beyond the outer ones nothing changes.
    np.testing.assert_allclose(ops.convert_to_numpy(got).ravel(), [0, 2, 6, 8], atol=1e-6)


def test_pooling_and_resizing_know_their_shapes_and_survive_saving(tmp_path):
    x, like = keras.Input((None, None, 2)), keras.Input((None, None, 3))
    assert AtrousMaxPool(3)(keras.Input((5, 8, 7))).shape == (None, 5, 8, 7)
    assert ResizeLike()([x, keras.Input((33, 47, 3))]).shape == (None, 33, 47, 2)
    pooled = AtrousMaxPool(3, 2, centred=True)(x)
    model = keras.Model([x, like], ResizeLike()([pooled, like]))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    maps = [distinct((1, 5, 6, 2)), np.zeros((1, 9, 14, 3), "float32")]
    got = loaded.predict_on_batch(maps)
    assert got.shape == (1, 9, 14, 2)
    np.testing.assert_array_equal(got, model.predict_on_batch(maps))
