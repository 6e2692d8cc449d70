"""The encoder's weights that come with the course: the right file, in the right network, and nothing else."""

import functools
import hashlib

import keras
import numpy as np
import pytest
from models import assert_close, pictures

from course.models.backbones import backbone, shipped
from course.models.deeplab import deeplab_v3plus
from course.models.unet import backbone_unet

LIMIT = 10_000_000  # bytes


@functools.cache
def encoder(weights="scenes", output_stride=32):
    images = keras.Input((None, None, 3))
    maps = backbone("resnet", images, shipped.WIDTH, weights, output_stride)
    return keras.Model(images, list(maps.values()))


def test_the_file_is_small_and_the_one_that_was_released():
    stored = shipped.FILE.read_bytes()
    assert len(stored) <= LIMIT
    assert hashlib.sha256(stored).hexdigest() == shipped.SHA256


def test_each_weight_of_the_network_comes_from_the_file():
    with np.load(shipped.FILE) as stored:
        arrays = {name: stored[name] for name in stored.files}
    for layer in encoder().layers:
        for variable in layer.weights:
            value = arrays.pop(f"{layer.name}/{variable.name}")
            np.testing.assert_array_equal(variable.numpy(), value.astype("float32"))
    assert not arrays, "the file holds weights that the network does not take"


def test_no_weight_is_left_as_it_began():
    """A layer that was never trained would have a scale of 0 or 1 and a mean of 0."""
    beginnings = {"gamma": (0, 1), "beta": (0,), "moving_mean": (0,), "moving_variance": (1,)}
    for variable in encoder().weights:
        value = variable.numpy()
        assert np.isfinite(value).all(), variable.path
        assert not any((value == b).all() for b in beginnings.get(variable.name, ())), variable.path
        assert value.std() > 0, variable.path


def test_a_second_load_gives_the_same_maps_and_random_weights_give_others():
    images = pictures(1, 64, 96)
    first = encoder().predict(images, verbose=0)
    encoder.cache_clear()
    second = encoder().predict(images, verbose=0)
    fresh = encoder(None).predict(images, verbose=0)
    for one, same, other in zip(first, second, fresh, strict=True):
        np.testing.assert_array_equal(one, same)
        assert np.abs(one - other).mean() > 0.1 * np.abs(one).mean()


@pytest.mark.parametrize("output_stride", [8, 16])
def test_a_smaller_output_stride_has_the_same_values_and_more_between_them(output_stride):
    # Far from the edge, where both read the same pixels and no padding.
    images = pictures(1, 512, 512)
    sparse = encoder()(images)[-1]
    dense = encoder(output_stride=output_stride)(images)[-1]
    step = 32 // output_stride
    assert dense.shape[1:] == (step * sparse.shape[1], step * sparse.shape[2], sparse.shape[3])
    middle = slice(7, 9)
    assert_close(
        keras.ops.convert_to_numpy(dense)[:, ::step, ::step][:, middle, middle],
        keras.ops.convert_to_numpy(sparse)[:, middle, middle],
    )


@pytest.mark.parametrize(
    "build",
    [
        lambda weights: backbone_unet("resnet", 24, weights, decoder_width=4),
        lambda weights: deeplab_v3plus("resnet", 24, weights, channels=8, low_channels=4),
    ],
    ids=["U-Net", "DeepLabV3+"],
)
def test_networks_begin_with_it_and_can_freeze_it(build):
    model = build("scenes")
    expected = {w.path: w.numpy() for w in encoder().weights}
    found = {w.path: w for w in model.weights if w.path in expected}
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        np.testing.assert_array_equal(found[path].numpy(), value)
    for layer in encoder().layers:
        if layer.weights:
            model.get_layer(layer.name).trainable = False
    assert not {w.path for w in model.trainable_weights} & expected.keys()


@pytest.mark.parametrize(("name", "width"), [("resnet", 16), ("vgg", 24), ("resnet50", 24)])
def test_another_network_or_width_is_refused(name, width):
    with pytest.raises(
        ValueError, match=f'"resnet" of width 24 .*not for {name!r} of width {width}'
    ):
        backbone(name, keras.Input((None, None, 3)), width, weights="scenes")


def test_one_wrong_byte_is_noticed(monkeypatch, tmp_path):
    stored = bytearray(shipped.FILE.read_bytes())
    stored[len(stored) // 2] ^= 1
    damaged = tmp_path / shipped.FILE.name
    damaged.write_bytes(stored)
    monkeypatch.setattr(shipped, "FILE", damaged)
    with pytest.raises(ValueError, match="damaged.*git checkout.*weights=None"):
        backbone("resnet", keras.Input((None, None, 3)), 24, weights="scenes")


def test_a_missing_file_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "FILE", tmp_path / "gone.npz")
    with pytest.raises(ValueError, match=r"gone\.npz cannot be read.*git checkout.*weights=None"):
        backbone("resnet", keras.Input((None, None, 3)), 24, weights="scenes")


def test_what_is_saved_is_what_is_loaded(monkeypatch, tmp_path):
    """A network's trunk through a file and back, but for the rounding to half precision."""
    keras.utils.set_random_seed(1)
    model = deeplab_v3plus("resnet", 24, channels=8, low_channels=4)
    file = tmp_path / "saved.npz"
    monkeypatch.setattr(shipped, "SHA256", shipped.save(model, file))
    monkeypatch.setattr(shipped, "FILE", file)
    images = keras.Input((None, None, 3))
    loaded = keras.Model(images, backbone("resnet", images, 24, weights="scenes")[32])
    for layer in [layer for layer in loaded.layers if layer.weights]:
        for got, expected in zip(layer.weights, model.get_layer(layer.name).weights, strict=True):
            np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-3, atol=1e-6)
