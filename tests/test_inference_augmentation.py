"""Test-time augmentation against views made one by one."""

import keras
import numpy as np
import pytest
from keras import layers

from course.inference import augmented, predict_tiles


def pictures(count=2, height=12, width=16):
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3)).astype(np.uint8)


def softmax(x):
    odds = np.exp(x - x.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def lopsided():
    """A network whose answer depends on where left and top are."""
    keras.utils.set_random_seed(0)
    images = keras.Input((None, None, 3))
    x = layers.Rescaling(1 / 64, offset=-2)(images)
    return keras.Model(images, layers.Conv2D(5, 5, padding="same")(x))


def test_one_view_is_the_network_itself(lopsided):
    x = pictures()
    logits = augmented(lopsided, flips=False)(x)
    np.testing.assert_allclose(softmax(logits), softmax(lopsided.predict(x, verbose=0)), atol=1e-5)


def test_four_flips_by_hand(lopsided):
    x = pictures()
    views = [
        softmax(lopsided.predict(x, verbose=0)),
        softmax(lopsided.predict(x[:, :, ::-1], verbose=0))[:, :, ::-1],
        softmax(lopsided.predict(x[:, ::-1], verbose=0))[:, ::-1],
        softmax(lopsided.predict(x[:, ::-1, ::-1], verbose=0))[:, ::-1, ::-1],
    ]
    found = augmented(lopsided)(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.exp(found), np.mean(views, axis=0), atol=1e-5)
    np.testing.assert_allclose(np.exp(found).sum(axis=-1), 1, atol=1e-5)


def test_a_mirrored_picture_gets_the_mirrored_answer(lopsided):
    """What the network itself does not do, its mean over mirrored views does."""
    x, model = pictures(), augmented(lopsided)
    np.testing.assert_allclose(model(x)[:, :, ::-1], model(x[:, :, ::-1]), atol=1e-4)
    alone = lopsided.predict(x, verbose=0)
    assert abs(alone[:, :, ::-1] - lopsided.predict(x[:, :, ::-1], verbose=0)).max() > 0.1


def test_probabilities_are_averaged_so_that_no_view_has_a_veto():
    """Of each pixel three views of four say class 0 with 0.7, and one is sure of class 1."""

    def model(images):
        said = np.log([0.7, 0.3]) * np.ones((*images.shape[:3], 1))
        said[:, 0, 0] = [-30, 0]  # what stands top left, which is another pixel in every view
        return said

    found = np.exp(augmented(model)(np.zeros((1, 2, 2, 3), np.uint8)))
    expected = np.broadcast_to([3 * 0.7 / 4, (3 * 0.3 + 1) / 4], (2, 2, 2))
    np.testing.assert_allclose(found[0], expected, atol=1e-6)


def test_scales_see_larger_and_smaller_pictures_and_stay_probabilities():
    seen = []

    def model(images):
        seen.append(images.shape[1:3])
        return np.stack([images[..., 0] / 50, images[..., 1] / 90], axis=-1)

    flat = np.full((1, 10, 15, 3), (100, 90, 0), np.uint8)
    found = augmented(model, flips=False, scales=(0.5, 1, 1.5))(flat)
    assert seen == [(5, 8), (10, 15), (15, 22)]
    assert found.shape == (1, 10, 15, 2)
    expected = softmax(np.array([2.0, 1.0]))
    np.testing.assert_allclose(np.exp(found), np.broadcast_to(expected, found.shape), atol=1e-5)


def resized(x, size, antialias=False):
    """Bilinear, (n, height, width, c): a tent as wide as the step, or as a larger pixel that is averaged."""

    def shares(into, out):
        step = into / out
        places = (np.arange(out)[:, None] + 0.5) * step - 0.5
        if not antialias:  # beyond the outer centres nothing changes
            places = places.clip(0, into - 1)
        wide = max(1, step) if antialias else 1
        tent = np.maximum(0, 1 - np.abs(places - np.arange(into)) / wide)
        return tent / tent.sum(axis=1, keepdims=True)

    down, across = (shares(x.shape[axis], size[axis - 1]) for axis in (1, 2))
    return np.einsum("nhwc,Hh,Ww->nHWc", x, down, across, optimize=True)


def test_scales_and_flips_of_a_textured_picture_by_hand(lopsided):
    x = pictures()
    total = 0
    for size in ((6, 8), (12, 16), (18, 24)):
        view = resized(x.astype(float), size, antialias=True)
        for axes in ((), (1,), (2,), (1, 2)):
            logits = lopsided(np.flip(view, axes).astype("float32"))
            odds = softmax(keras.ops.convert_to_numpy(logits))
            total = total + resized(np.flip(odds, axes), x.shape[1:3])
    found = np.exp(augmented(lopsided, scales=(0.5, 1, 1.5))(x))
    np.testing.assert_allclose(found, total / 12, atol=1e-5)


def test_a_picture_in_tiles_through_augmented_views(lopsided):
    x = pictures(1, 40, 56)[0]
    tiled = predict_tiles(augmented(lopsided), x, tile=24, overlap=16, rim=4, stride=4)
    assert (tiled == augmented(lopsided)(x[None])[0].argmax(axis=-1)).mean() > 0.999


@pytest.mark.parametrize("scales", [(), (0,), (1, -0.5)])
def test_scales_that_are_none_are_refused(lopsided, scales):
    with pytest.raises(ValueError, match="Scales are positive numbers, one at least"):
        augmented(lopsided, scales=scales)


def test_a_network_without_padding_is_refused():
    images = keras.Input((None, None, 3))
    model = augmented(keras.Model(images, layers.Conv2D(3, 3)(images)))
    with pytest.raises(ValueError, match=r"network with padding.*\(12, 16\).*\(10, 14\)"):
        model(pictures())
