"""U-Net against published parameter counts and against implementations written for the test."""

import functools

import cv2
import keras
import numpy as np
import pytest
from keras import ops
from models import (
    assert_close,
    assert_every_layer_shows,
    calm,
    count,
    narrow,
    pictures,
    randomise,
    unallocated,
)
from numpy.lib.stride_tricks import sliding_window_view

from course.layers import MirrorPad
from course.losses import CrossEntropy
from course.models.backbones import BACKBONES
from course.models.unet import WAYS_UP, backbone_unet, output_size, small_unet, unet

# -- the paper's network -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("classes", "channels", "parameters"),
    [(2, 1, 31_030_658), (23, 3, 31_033_175), (24, 3, 31_033_240)],
)
@pytest.mark.parametrize("padding", ["valid", "same"])
@unallocated()
def test_parameters_of_the_paper(classes, channels, padding, parameters):
    assert count(unet(classes=classes, channels=channels, padding=padding).weights) == parameters


@unallocated()
def test_parameters_with_batch_normalization():
    assert count(unet(classes=2, batch_norm=True).trainable_weights) == 31_037_698


@unallocated()
def test_the_paper_makes_388_of_572():
    paper = {"classes": 2, "channels": 1, "size": (572, 572)}
    assert unet(**paper).output_shape == (None, 388, 388, 2)
    assert unet(**paper, padding="same").output_shape == (None, 572, 572, 2)


@unallocated()
def test_maps_of_the_paper():
    # Figure 1 of the paper: the last map of each level, and what is left of the skip.
    wanted = {
        "down_1_relu2": (568, 64),
        "down_2_relu2": (280, 128),
        "down_4_relu2": (136, 256),
        "down_8_relu2": (64, 512),
        "down_16_relu2": (28, 1024),
        "up_8_crop": (56, 512),
        "up_4_crop": (104, 256),
        "up_2_crop": (200, 128),
        "up_1_crop": (392, 64),
        "up_1_relu2": (388, 64),
    }
    model = unet(classes=2, channels=1, size=(572, 572))
    assert {name: model.get_layer(name).output.shape[2:] for name in wanted} == wanted


def test_dropout_stands_at_the_end_of_the_way_down():
    model = unet(classes=2, width=1)
    rates = {layer.name: layer.rate for layer in model.layers if "drop" in layer.name}
    assert rates == {"drop_8": 0.5, "drop_16": 0.5}


# A second implementation, in plain numpy: one picture, channels last.


def convolve(x, kernel, bias, padding):
    if padding == "same":
        x = np.pad(x, [(1, 1), (1, 1), (0, 0)])
    windows = sliding_window_view(x, kernel.shape[:2], (0, 1))
    return np.einsum("hwcij,ijco->hwo", windows, kernel) + bias


def pool(x):
    height, width, channels = x.shape
    assert height % 2 == width % 2 == 0
    return x.reshape(height // 2, 2, width // 2, 2, channels).max((1, 3))


def up_convolve(x, kernel, bias):
    height, width, _ = x.shape
    blocks = np.einsum("hwi,aboi->hawbo", x, kernel)  # each place becomes a block of 2×2
    return blocks.reshape(2 * height, 2 * width, -1) + bias


def middle(x, like):
    top, left = ((a - b) // 2 for a, b in zip(x.shape[:2], like.shape[:2], strict=True))
    return x[top : top + like.shape[0], left : left + like.shape[1]]


def convolutions(model, x, level, padding="same"):
    """Those of one level of `model`, with ReLU, and normalised where it has that."""
    names = {layer.name for layer in model.layers}
    for i in (1, 2):
        if f"{level}_conv{i}" not in names:
            continue
        kernel, *bias = model.get_layer(f"{level}_conv{i}").get_weights()
        x = convolve(x, kernel, bias[0] if bias else 0, padding)
        if f"{level}_norm{i}" in names:
            gamma, beta, mean, variance = model.get_layer(f"{level}_norm{i}").get_weights()
            x = (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta
        x = np.maximum(x, 0)
    return x


def numpy_unet(model, image, depth, padding, skips=True):
    def weights(name):
        return model.get_layer(name).get_weights()

    names = {layer.name for layer in model.layers}
    height, width, _ = image.shape
    x = image / 127.5 - 1
    if padding == "same":
        rim = [(0, -n % 2**depth) for n in (height, width)]
        x = np.pad(x, [*rim, (0, 0)], mode="reflect")
    across = []
    for level in range(depth + 1):
        x = convolutions(model, pool(x) if level else x, f"down_{2**level}", padding)
        across.append(x)
    for level in reversed(range(depth)):
        kernel, bias = weights(f"up_{2**level}")
        if f"up_{2**level}_bilinear" in names:
            size = tuple(2 * n for n in x.shape[1::-1])
            x = cv2.resize(x @ kernel[0, 0] + bias, size, interpolation=cv2.INTER_LINEAR)
        else:
            x = up_convolve(x, kernel, bias)
        if skips:
            x = np.concatenate([middle(across[level], x), x], axis=-1)
        x = convolutions(model, x, f"up_{2**level}", padding)
    kernel, bias = weights("score" if "score" in names else "logits")
    return (x @ kernel[0, 0] + bias)[:height, :width]


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(
    ("padding", "size"), [("valid", (44, 52)), ("same", (40, 52)), ("same", (37, 50))]
)
def test_logits_equal_those_of_the_numpy_implementation(padding, size, batch_norm):
    model = calm(unet(classes=3, padding=padding, batch_norm=batch_norm, width=2, depth=2))
    images = pictures(2, *size)
    for image, got in zip(images, model.predict_on_batch(images), strict=True):
        assert_close(got, numpy_unet(model, image, 2, padding))


@pytest.mark.parametrize("up", WAYS_UP)
@pytest.mark.parametrize("skips", [True, False])
@pytest.mark.parametrize("size", [(32, 48), (33, 47)])
def test_small_unet_equals_the_numpy_implementation(size, skips, up):
    model, images = calm(small_unet(2, classes=3, skips=skips, up=up)), pictures(1, *size)
    (got,) = model.predict_on_batch(images)
    assert_close(got, numpy_unet(model, images[0], 4, "same", skips))


@pytest.mark.parametrize(
    "build",
    [
        functools.partial(unet, padding="valid", batch_norm=True, depth=2),
        functools.partial(unet, padding="same", depth=2),
        functools.partial(small_unet, skips=True, up="bilinear"),
        functools.partial(small_unet, skips=False, up="bilinear"),
        functools.partial(small_unet, skips=False, up="transposed"),
    ],
)
def test_no_layer_is_too_faint_for_these_comparisons(build):
    assert_every_layer_shows(calm(build(width=2, classes=3)), pictures(1, 44, 52))


@pytest.mark.slow
def test_full_width_logits_equal_those_of_torch():
    torch = pytest.importorskip(
        "torch", reason="PyTorch, the other implementation, is not installed"
    )
    from torch.nn import functional as F

    model, image = unet(classes=5, channels=1), pictures(1, 204, 188, channels=1)

    def weights(name):
        kernel, bias = (torch.from_numpy(np.array(w)) for w in model.get_layer(name).get_weights())
        return kernel.permute(3, 2, 0, 1), bias

    def convolutions(x, level):
        for i in (1, 2):
            x = F.relu(F.conv2d(x, *weights(f"{level}_conv{i}")))
        return x

    with torch.no_grad():
        x = torch.from_numpy(image.astype("float32") / 127.5 - 1).permute(0, 3, 1, 2)
        across = []
        for stride in (1, 2, 4, 8, 16):
            x = convolutions(F.max_pool2d(x, 2) if across else x, f"down_{stride}")
            across.append(x)
        for stride, skip in zip((8, 4, 2, 1), across[-2::-1], strict=True):
            x = F.conv_transpose2d(x, *weights(f"up_{stride}"), stride=2)
            top, left = ((a - b) // 2 for a, b in zip(skip.shape[2:], x.shape[2:], strict=True))
            skip = skip[:, :, top : top + x.shape[2], left : left + x.shape[3]]
            x = convolutions(torch.cat([skip, x], 1), f"up_{stride}")
        expected = F.conv2d(x, *weights("logits")).permute(0, 2, 3, 1).numpy()
    assert expected.shape == (1, 20, 4, 5)
    assert_close(model.predict_on_batch(image), expected)


# -- sizes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_output_size_takes_what_even_maps_allow(depth):
    def left_of(n):
        """Follow a length down and up; None where a pool meets an odd map or nothing is left."""
        lengths = []
        for _ in range(depth):
            n -= 4
            lengths.append(n)
            if n <= 0 or n % 2:
                return None
            n //= 2
        n -= 4
        for skip in reversed(lengths):
            n = 2 * n
            if n <= 0 or n > skip:
                return None
            n -= 4
        return n if n > 0 else None

    for length in range(1, 300):
        if left_of(length):
            assert output_size((length, None), depth) == (left_of(length), None)
        else:
            with pytest.raises(ValueError, match=f"depth {depth}.*{length} pixels"):
                output_size((None, length), depth)


def test_a_size_that_does_not_fit_names_those_that_do():
    assert output_size((572, 572)) == (388, 388)
    with pytest.raises(ValueError, match="570 pixels.*nearest is 556 and 572.*same"):
        unet(classes=2, size=(572, 570))
    with pytest.raises(ValueError, match="128 pixels.*nearest is 188"):
        output_size((128, 572))


def test_another_padding_is_refused():
    with pytest.raises(ValueError, match='"valid".*"same".*\'reflect\''):
        unet(padding="reflect")


@pytest.mark.parametrize("size", [(1, 3), (5, 16), (37, 50)])
def test_mirrored_pictures_are_those_of_numpy(size):
    x = np.random.default_rng(0).random((2, *size, 3), dtype="float32")
    rim = [(0, -n % 16) for n in size]
    expected = np.pad(x, [(0, 0), *rim, (0, 0)], mode="reflect")
    np.testing.assert_array_equal(ops.convert_to_numpy(MirrorPad(16)(x)), expected)
    inside = keras.Input((None, None, 3))
    unknown = keras.Model(inside, MirrorPad(16)(inside))
    np.testing.assert_array_equal(unknown.predict_on_batch(x), expected)


def test_mirroring_knows_its_shape_before_any_picture_comes():
    assert MirrorPad(16)(keras.Input((33, 48, 3))).shape == (None, 48, 48, 3)
    assert MirrorPad(16)(keras.Input((None, 50, 3))).shape == (None, None, 64, 3)


@functools.cache
def anywhere():
    return calm(small_unet(2, classes=3))


@pytest.mark.parametrize("size", [(33, 47), (16, 17), (1, 70)])
def test_any_size_is_answered_as_if_mirrored(size):
    images = pictures(2, *size)
    rim = [(0, -n % 16) for n in size]
    mirrored = np.pad(images, [(0, 0), *rim, (0, 0)], mode="reflect")
    expected = anywhere().predict_on_batch(mirrored)[:, : size[0], : size[1]]
    got = anywhere().predict_on_batch(images)
    assert got.shape == (2, *size, 3)
    assert_close(got, expected)


def test_a_fixed_size_answers_as_an_open_one():
    model = small_unet(2, classes=3, size=(33, 47))
    model.set_weights(anywhere().get_weights())
    assert model.output_shape == (None, 33, 47, 3)
    images = pictures(1, 33, 47)
    assert_close(model.predict_on_batch(images), anywhere().predict_on_batch(images))


def test_tiles_without_padding_give_the_whole_pictures_answer():
    model = calm(unet(classes=3, width=2, depth=2))
    scene = pictures(1, 76, 84)
    whole = model.predict_on_batch(scene)  # 36 × 44
    for top in range(0, 36, 12):
        tile = scene[:, top : top + 52, 32:84]
        assert_close(model.predict_on_batch(tile), whole[:, top : top + 12, 32:])
    shifted = model.predict_on_batch(scene[:, 2:54, 32:84])
    assert np.abs(shifted - whole[:, 2:14, 32:]).max() > 0.01 * np.abs(whole).max()


# -- skips -------------------------------------------------------------------------------------


def test_without_skips_nothing_goes_around_the_last_map():
    """A last map that is all zero leaves logits that do not know the picture, unless a skip does."""
    for skips in (True, False):
        model = randomise(small_unet(2, classes=3, skips=skips))
        layer = model.get_layer("down_16_norm2")
        gamma, beta, mean, variance = layer.get_weights()
        layer.set_weights([0 * gamma, 0 * beta - 1, mean, variance])  # ReLU makes it zero
        one, other = model.predict_on_batch(pictures(2, 32, 48))
        assert np.array_equal(one, other) == (not skips)


def test_a_fresh_unet_that_climbs_bilinearly_has_no_weave():
    """Of a flat picture all is flat, where each 2×2 window has written a pattern."""
    flat = np.full((1, 288, 288, 3), 90, np.uint8)
    for up in WAYS_UP:
        keras.utils.set_random_seed(0)
        model = small_unet(2, skips=False, size=(288, 288), up=up)
        middle = model.predict_on_batch(flat)[0, 136:152, 136:152]  # which no padding reaches
        assert (np.ptp(middle, axis=(0, 1)).max() > 1e-3) == (up == "transposed")


def test_another_way_up_is_refused():
    with pytest.raises(ValueError, match='up is "transposed", .* or "bilinear", not \'nearest\''):
        small_unet(up="nearest")


@pytest.mark.parametrize("width", [4, 12])
@unallocated()
def test_what_skips_cost(width):
    with_skips, without = (count(small_unet(width, skips=skips).weights) for skips in (True, False))
    assert with_skips - without == 765 * width**2


# -- training and files ------------------------------------------------------------------------


def assert_gradients_everywhere(model, size):
    """Every trainable variable moves in one step of plain gradient descent."""
    randomise(model)  # a fresh residual block ends in a scale of zero, which stops the gradient
    model.compile(keras.optimizers.SGD(1.0), CrossEntropy(ignore=None))
    before = [ops.convert_to_numpy(v) for v in model.trainable_variables]
    height, width = model(pictures(2, *size)).shape[1:3]
    truth = np.random.default_rng(1).integers(0, 3, (2, height, width)).astype("uint8")
    model.train_on_batch(pictures(2, *size), truth)
    still = [
        v.path
        for v, old in zip(model.trainable_variables, before, strict=True)
        if np.array_equal(ops.convert_to_numpy(v), old)
    ]
    assert before
    assert still == []


@pytest.mark.parametrize("skips", [True, False])
def test_a_gradient_reaches_every_variable(skips):
    keras.utils.set_random_seed(0)
    assert_gradients_everywhere(small_unet(4, classes=3, skips=skips), (33, 47))


@pytest.mark.parametrize(("padding", "size"), [("valid", (60, 44)), ("same", (30, 45))])
def test_a_gradient_reaches_every_variable_of_the_papers_network(padding, size):
    keras.utils.set_random_seed(0)
    assert_gradients_everywhere(unet(classes=3, padding=padding, width=8, depth=2), size)


@pytest.mark.parametrize("build", [small_unet, functools.partial(unet, padding="same", depth=2)])
def test_saved_and_loaded_it_answers_the_same(build, tmp_path):
    model, images = randomise(build(classes=3, width=2)), pictures(1, 40, 50)
    model.save(tmp_path / "unet.keras")
    loaded = keras.models.load_model(tmp_path / "unet.keras")
    assert_close(loaded.predict_on_batch(images), model.predict_on_batch(images))


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_logits_stay_float32_in_mixed_precision(padding):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = unet(classes=3, padding=padding, width=2, depth=2)
    finally:
        keras.config.set_dtype_policy(before)
    assert model.get_layer("down_1_conv1").compute_dtype == "bfloat16"
    assert model.predict_on_batch(pictures(1, 44, 52)).dtype == np.float32


# -- over backbones ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", BACKBONES)
@unallocated()
def test_every_backbone_makes_a_unet(name):
    """Shapes and the four joins; without allocating, for three of them are large."""
    model = backbone_unet(name, narrow(name, 4), classes=3, decoder_width=4, size=(33, 47))
    assert model.output_shape == (None, 33, 47, 3)
    joined = {n.name for n in model.layers if n.name.endswith("_join")}
    assert joined == {f"up_{stride}_join" for stride in (16, 8, 4, 2)}
    assert model.get_layer("up_16").output.shape[1:] == (4, 4, 64)


@pytest.mark.parametrize("stride", [1, 4])
def test_over_a_backbone_the_way_up_equals_the_numpy_implementation(stride):
    """What the backbone's layers make is taken from the model: tests/test_backbones.py has them."""
    keras.utils.set_random_seed(0)
    model = calm(backbone_unet("alexnet", 4, classes=3, decoder_width=2, stride=stride))
    images = pictures(1, 33, 47)
    maps = {2: "beside_relu", 4: "conv1_relu", 8: "conv2_relu", 16: "conv5_relu", 32: "pool5"}
    maps = {at: name for at, name in maps.items() if at >= stride}
    found = keras.Model(model.input, [model.get_layer(name).output for name in maps.values()])
    levels = [ops.convert_to_numpy(level)[0] for level in found(images)]
    maps = dict(zip(maps, levels, strict=True))
    x = maps[32]
    for at in [at for at in (16, 8, 4, 2, 1) if at >= stride]:
        x = up_convolve(x, *model.get_layer(f"up_{at}").get_weights())
        if at > 1:
            x = np.concatenate([maps[at], x], axis=-1)
        x = convolutions(model, x, f"up_{at}")
    kernel, bias = model.get_layer("score").get_weights()
    x = cv2.resize(x @ kernel[0, 0] + bias, (64, 64), interpolation=cv2.INTER_LINEAR)
    assert_close(ops.convert_to_numpy(model(images))[0], x[:33, :47])


@pytest.mark.parametrize("name", ["vgg", pytest.param("resnet", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_over_a_small_backbone_all_variables_learn_and_odd_sizes_are_mirrored(name, tmp_path):
    keras.utils.set_random_seed(0)
    model = backbone_unet(name, width=4, classes=3, decoder_width=4)
    assert_gradients_everywhere(model, (64, 96))
    images = pictures(1, 33, 47)
    mirrored = np.pad(images, [(0, 0), (0, 31), (0, 17), (0, 0)], mode="reflect")
    got = model.predict_on_batch(images)
    assert_close(got, model.predict_on_batch(mirrored)[:, :33, :47])
    model.save(tmp_path / "unet.keras")
    assert_close(keras.models.load_model(tmp_path / "unet.keras").predict_on_batch(images), got)


@pytest.mark.parametrize("stride", [pytest.param(2, marks=pytest.mark.slow), 4])
@pytest.mark.slow
def test_a_way_up_that_ends_early_enlarges_its_scores_bilinearly(stride):
    keras.utils.set_random_seed(0)
    model, images = backbone_unet("resnet", 4, decoder_width=4, stride=stride), pictures(1, 33, 47)
    assert "up_1_conv1" not in {layer.name for layer in model.layers}
    assert_gradients_everywhere(model, (64, 96))
    got = model.predict_on_batch(images)[0]
    assert got.shape[:2] == (33, 47)
    scores = keras.Model(model.input, model.get_layer("score").output).predict_on_batch(images)[0]
    assert scores.shape[:2] == (64 // stride, 64 // stride)
    enlarged = cv2.resize(scores, (64, 64), interpolation=cv2.INTER_LINEAR)
    assert_close(got, enlarged[:33, :47])
    for size in ((64, 96), (50, 70)):  # one network takes any, one after the other
        assert model.predict_on_batch(pictures(1, *size)).shape[1:3] == size


def test_a_stride_that_no_way_up_ends_at_is_refused():
    with pytest.raises(ValueError, match="1, 2, 4, 8 or 16, not 3"):
        backbone_unet(stride=3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "resnet50", "mobilenet_v2"])
def test_over_a_published_backbone_it_answers_and_saves(name, tmp_path):
    model, images = backbone_unet(name, classes=3, decoder_width=4), pictures(1, 33, 47)
    got = model(images)  # not traced: each model answers only once
    assert got.shape == (1, 33, 47, 3)
    model.save_weights(tmp_path / "unet.weights.h5")
    other = backbone_unet(name, classes=3, decoder_width=4)
    other.load_weights(tmp_path / "unet.weights.h5")
    assert_close(other(images), got)


def test_an_unknown_backbone_is_refused():
    with pytest.raises(ValueError, match="no backbone 'vgg19'.*resnet50"):
        backbone_unet("vgg19")
