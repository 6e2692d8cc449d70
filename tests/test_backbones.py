"""Backbones against published parameter counts, the networks of keras.applications, and numpy."""

import functools
import math
import socket
import urllib.error

import keras
import numpy as np
import pytest
from keras.applications import mobilenet_v2, resnet, vgg16
from models import assert_close, calm, convolve, count, narrow, norm_relu, pictures, unallocated

from course.models.backbones import (
    BACKBONES,
    RESNET18_DEPTHS,
    alexnet,
    backbone,
    googlenet,
    pretrained,
    vgg,
)
from course.models.backbones import resnet as our_resnet
from course.models.backbones.googlenet import INCEPTIONS

OURS, THEIRS = BACKBONES[:4], BACKBONES[4:]
STRIDES = (2, 4, 8, 16, 32)


def trunk(build, size=(None, None)):
    """The model from pictures to the last map of `build`."""
    images = keras.Input((*size, 3))
    return keras.Model(images, build(images)[32])


@functools.cache
def small(name, size=(None, None)):
    """A model of all five maps, random where fresh weights are zero or one and would hide faults."""
    keras.utils.set_random_seed(0)
    images = keras.Input((*size, 3))
    model = keras.Model(images, backbone(name, images, narrow(name, 8)))
    calm(model)
    return model


# -- what was published ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        (alexnet, 2_469_696),  # torchvision alexnet().features
        (vgg, 14_714_688),  # keras.applications.VGG16(include_top=False)
        (googlenet, 6_998_552 - 1_025_000),  # Caffe's bvlc_googlenet less its classifier
        # torchvision's, less its classifier; its 5×5 convolutions are 3×3 by a mistake that stayed.
        (
            functools.partial(googlenet, batch_norm=True),
            5_599_904 + 16 * sum(five[0] * five[1] for _, _, five, _ in INCEPTIONS.values()),
        ),
        (our_resnet, 23_508_032),  # torchvision resnet50() less its classifier
        (
            functools.partial(our_resnet, depths=RESNET18_DEPTHS, bottleneck=False),
            11_176_512,  # torchvision resnet18() less its classifier
        ),
    ],
    ids=["alexnet", "vgg16", "googlenet", "googlenet-bn", "resnet50", "resnet18"],
)
@unallocated()
def test_trained_parameters_as_published(build, parameters):
    assert count(trunk(build).trainable_weights) == parameters


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("vgg16", 14_714_688), ("resnet50", 23_587_712), ("mobilenet_v2", 2_257_984)],
)
@unallocated()
def test_all_parameters_as_in_keras_applications(name, parameters):
    # The numbers of Keras's documentation, without the classifier.
    model = trunk(lambda images: backbone(name, images))
    assert count(model.weights) == parameters


@pytest.mark.parametrize("name", THEIRS)
def test_a_width_that_would_change_nothing_is_refused(name):
    with pytest.raises(
        ValueError, match=f"{name}.*width=16 would change nothing.*Leave the width out.*vgg"
    ):
        backbone(name, keras.Input((32, 32, 3)), width=16)


# -- maps --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(64, 96), (45, 70), (33, 1)])
@pytest.mark.parametrize("name", BACKBONES)
@unallocated()
def test_maps_round_up(name, size):
    features = backbone(name, keras.Input((*size, 3)), narrow(name, 8))
    assert tuple(features) == STRIDES
    for stride, level in features.items():
        assert level.shape[1:3] == tuple(math.ceil(n / stride) for n in size)


@pytest.mark.parametrize("name", OURS)
@unallocated()
def test_width_scales_all_channels(name):
    images = keras.Input((None, None, 3))
    narrow, wide = (backbone(name, images, width) for width in (16, 48))
    assert all(wide[s].shape[-1] == 3 * narrow[s].shape[-1] for s in STRIDES)


@pytest.mark.parametrize("size", [(64, 96), (45, 71)])
@pytest.mark.parametrize("name", [*OURS, "mobilenet_v2"])
def test_a_network_of_any_size_gives_maps_that_round_up(name, size):
    maps = small(name).predict_on_batch(pictures(1, *size))
    for stride, level in maps.items():
        assert level.shape[1:3] == tuple(math.ceil(n / stride) for n in size)
        assert np.isfinite(level).all()


@pytest.mark.parametrize("name", OURS)
def test_saved_and_loaded_it_answers_the_same(tmp_path, name):
    model, images = small(name), pictures(1, 40, 50)
    model.save(tmp_path / "backbone.keras")
    loaded = keras.models.load_model(tmp_path / "backbone.keras").predict_on_batch(images)
    # In the file a key is text, and JAX puts keys in order.
    got = {int(stride): level for stride, level in loaded.items()}
    expected = model.predict_on_batch(images)
    assert set(got) == set(expected) == set(STRIDES)
    for stride in STRIDES:
        assert_close(got[stride], expected[stride])


@pytest.mark.parametrize("name", THEIRS)
@unallocated()
def test_what_comes_from_keras_freezes_as_one_layer(name):
    model = trunk(lambda images: backbone(name, images))
    model.get_layer(name).trainable = False
    assert model.trainable_weights == []


@unallocated()
def test_alexnet_without_its_map_at_stride_2_has_nothing_beside_it():
    assert "beside" not in {layer.name for layer in trunk(alexnet).layers}


def test_an_untrained_residual_block_passes_on_what_it_is_given():
    keras.utils.set_random_seed(0)
    images = keras.Input((None, None, 3))
    features = backbone("resnet", images, width=4)
    model = keras.Model(images, features)
    pool = keras.Model(images, model.get_layer("pool1").output)
    x = pictures(1, 32, 32)
    # Without a change of size, all of stage 2 is shortcuts, after a ReLU already.
    np.testing.assert_array_equal(model.predict_on_batch(x)[4], pool.predict_on_batch(x))


# -- the same answers as others ----------------------------------------------------------------


@pytest.mark.parametrize("size", [(37, 50), (64, 64)])
def test_inception_equals_its_branches_in_numpy(size):
    model = small("googlenet")
    before, after = model.get_layer("pool_to_8").output, model.get_layer("inception_3a").output
    x, got = keras.Model(model.inputs, [before, after]).predict_on_batch(pictures(1, *size))

    def conv(x, name):
        name = f"inception_3a_{name}"
        (kernel,) = model.get_layer(name).get_weights()
        gamma, beta, mean, variance = model.get_layer(f"{name}_norm").get_weights()
        windows = around(x, kernel.shape[0], 0)
        x = (np.einsum("hwcij,ijco->hwo", windows, kernel) - mean) / np.sqrt(variance + 1e-3)
        return np.maximum(x * gamma + beta, 0)

    def around(x, size, fill):
        reach = size // 2
        x = np.pad(x, [(reach, reach), (reach, reach), (0, 0)], constant_values=fill)
        return np.lib.stride_tricks.sliding_window_view(x, (size, size), (0, 1))

    x = x[0]
    branches = [
        conv(x, "1x1"),
        conv(conv(x, "3x3_reduce"), "3x3"),
        conv(conv(x, "5x5_reduce"), "5x5"),
        conv(around(x, 3, -np.inf).max((-2, -1)), "pool_proj"),
    ]
    assert_close(got[0], np.concatenate(branches, -1))


@pytest.mark.parametrize("size", [(45, 71), (64, 64)])
def test_alexnet_equals_its_layers_in_numpy(size):
    model, images = small("alexnet"), pictures(1, *size)

    def conv(x, name, stride=1):
        (kernel,) = model.get_layer(name).get_weights()
        norm = model.get_layer(f"{name}_norm").get_weights()
        return norm_relu(convolve(x, kernel, stride), *norm)

    def pool(x):
        rims = [(0, 1) if n % 2 == 0 else (1, 1) for n in x.shape[:2]]
        x = np.pad(x, [*rims, (0, 0)], constant_values=-np.inf)
        return np.lib.stride_tricks.sliding_window_view(x, (3, 3), (0, 1))[::2, ::2].max((-2, -1))

    image = images[0] / 127.5 - 1
    maps = {2: conv(image, "beside", 2), 4: conv(image, "conv1", 4)}
    maps[8] = conv(pool(maps[4]), "conv2")
    maps[16] = conv(conv(conv(pool(maps[8]), "conv3"), "conv4"), "conv5")
    maps[32] = pool(maps[16])
    got = model(images)
    for stride in STRIDES:
        assert_close(keras.ops.convert_to_numpy(got[stride])[0], maps[stride])


@pytest.mark.slow
@pytest.mark.parametrize("size", [(64, 96), (45, 71)])
def test_our_resnet_50_equals_that_of_keras_applications(size):
    theirs = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(*size, 3))
    calm(theirs)
    images = keras.Input((*size, 3))
    ours = keras.Model(images, our_resnet(images))
    for layer in ours.layers:
        if layer.weights:
            conv, norm = _keras_names(layer.name)
            kernel, bias = theirs.get_layer(conv).get_weights()
            gamma, beta, mean, variance = theirs.get_layer(norm).get_weights()
            # A bias before a normalisation is the same as a mean that is smaller by it.
            folded = [gamma, beta, mean - bias, variance]
            layer.set_weights(folded if layer.name.endswith("_norm") else [kernel])
    x = np.random.default_rng(1).normal(size=(1, *size, 3)).astype("float32")
    outputs = [theirs.get_layer(name).output for name in pretrained.RESNET_LAYERS]
    # Called, not traced: each model answers only once.
    maps, expected = ours(x), keras.Model(theirs.input, outputs)(x)
    for stride, level in zip(STRIDES, expected, strict=True):
        assert_close(maps[stride], level, rounding=1e-3)


def _keras_names(name):
    """Keras's names of a convolution of ours and of its normalisation."""
    name = name.removesuffix("_norm")
    if name == "conv1":
        return "conv1_conv", "conv1_bn"
    stage, block, part = name.split("_")
    prefix = f"{stage.replace('stage', 'conv')}_{block}"
    number = 0 if part == "shortcut" else part.removeprefix("conv")
    return f"{prefix}_{number}_conv", f"{prefix}_{number}_bn"


@pytest.mark.parametrize(
    ("name", "theirs", "layer"),
    [
        ("vgg16", vgg16.preprocess_input, "centre"),
        ("resnet50", resnet.preprocess_input, "centre"),
        ("mobilenet_v2", mobilenet_v2.preprocess_input, "scale"),
        ("resnet", mobilenet_v2.preprocess_input, "scale"),
    ],
)
def test_pictures_are_scaled_as_the_network_expects(name, theirs, layer):
    images = keras.Input((None, None, 3))
    with unallocated():
        model = keras.Model(images, backbone(name, images, narrow(name, 2))[2])
        scaled = model.get_layer(layer).output
    x = pictures(2, 5, 7)
    got = keras.Model(images, scaled).predict_on_batch(x)
    np.testing.assert_allclose(got, theirs(x.astype("float32")), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", THEIRS)
def test_imagenet_weights_are_put_where_they_belong(monkeypatch, tmp_path, name):
    module = {"vgg16": vgg16, "resnet50": resnet, "mobilenet_v2": mobilenet_v2}[name]
    application = {"vgg16": "VGG16", "resnet50": "ResNet50", "mobilenet_v2": "MobileNetV2"}[name]
    original = getattr(keras.applications, application)
    source = original(include_top=False, weights=None, input_shape=(224, 224, 3))
    calm(source)

    def downloaded(weights, **options):
        return source if weights == "imagenet" else original(weights=weights, **options)

    monkeypatch.setattr(keras.applications, application, downloaded)
    images = keras.Input((224, 224, 3))
    model = keras.Model(images, backbone(name, images, weights="imagenet")[32])
    x = pictures(1, 224, 224)
    expected = source(module.preprocess_input(x.astype("float32")))
    assert_close(model(x), expected, rounding=1e-3)
    model.save(tmp_path / "backbone.keras")
    loaded = keras.models.load_model(tmp_path / "backbone.keras")
    assert_close(loaded(x), expected, rounding=1e-3)


# -- what cannot be had ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (urllib.error.URLError("Name or service not known"), "no network"),
        (TimeoutError("timed out"), "no network"),
        (urllib.error.HTTPError("", 403, "Forbidden", {}, None), "HTTP Error 403: Forbidden"),
    ],
)
def test_weights_that_cannot_be_fetched_cost_one_line(monkeypatch, tmp_path, capsys, reason, said):
    def fail(*_args, **_options):
        assert socket.getdefaulttimeout() == pretrained.PATIENCE
        raise reason

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", fail)
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    features = backbone("mobilenet_v2", keras.Input((None, None, 3)), weights="imagenet")
    assert tuple(features) == STRIDES
    out, err = capsys.readouterr()
    assert out == (
        f"ImageNet weights for MobileNetV2 could not be fetched ({said}): "
        "it starts from random weights.\n"
    )
    assert err == ""
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize("name", OURS)
def test_ours_have_no_imagenet_weights(name):
    with pytest.raises(ValueError, match=f"{name}.*vgg16, resnet50, mobilenet_v2 have them"):
        backbone(name, keras.Input((32, 32, 3)), weights="imagenet")


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="'resnet34'.*alexnet, vgg, .*mobilenet_v2"):
        backbone("resnet34", keras.Input((32, 32, 3)))


def test_weights_of_another_kind_are_refused():
    with pytest.raises(ValueError, match='None .*"imagenet" or "scenes", not .my.h5.'):
        backbone("vgg16", keras.Input((32, 32, 3)), weights="my.h5")
