"""Gradients with respect to pictures, against windows worked out by hand."""

import keras
import numpy as np
import pytest
from keras import layers

from course.gradients import input_gradient


def stack(*rates, weights=1.0):
    pixels = x = keras.Input((None, None, 1))
    for rate in rates:
        x = layers.Conv2D(1, 3, padding="same", dilation_rate=rate, use_bias=False)(x)
    model = keras.Model(pixels, x)
    model.set_weights([np.full((3, 3, 1, 1), weights, "float32") for _ in rates])
    return model


def test_two_windows_of_ones():
    """1, 2, 3, 2, 1 in each direction, around the place that was asked for."""
    line = np.array([1, 2, 3, 2, 1])
    expected = np.zeros((9, 10))
    expected[2:7, 3:8] = np.outer(line, line)
    found = input_gradient(stack(1, 1), np.ones((1, 9, 10, 1)), row=4, column=5)
    np.testing.assert_allclose(found[0, :, :, 0], expected, rtol=1e-6)


def test_each_picture_has_its_own():
    """Squared, so that the gradient is twice what went in."""
    pixels = keras.Input((None, None, 2))
    model = keras.Model(pixels, pixels * pixels)
    images = np.arange(24.0).reshape(2, 2, 3, 2)
    found = input_gradient(model, images, row=1, column=2, channel=1)
    expected = np.zeros_like(images)
    expected[:, 1, 2, 1] = 2 * images[:, 1, 2, 1]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(("rates", "pixels"), [((2, 2, 2), 7**2), ((1, 2, 5), 17**2)])
def test_holes_are_zero(rates, pixels):
    found = input_gradient(stack(*rates), np.ones((1, 21, 21, 1)), row=10, column=10)
    assert np.count_nonzero(found) == pixels


@pytest.mark.parametrize("name", ["row", "column", "channel"])
def test_a_place_outside_of_the_map_is_refused(name):
    place = {"row": 2, "column": 2, "channel": 0} | {name: 5}
    with pytest.raises(ValueError, match=f"and {name} is 5"):
        input_gradient(stack(1), np.ones((1, 5, 5, 1)), **place)


def test_another_backend_is_refused_by_name(monkeypatch):
    monkeypatch.setattr("course.environment.backend", lambda: "numpy")
    with pytest.raises(NotImplementedError, match="numpy"):
        input_gradient(stack(1), np.ones((1, 5, 5, 1)), row=2, column=2)
