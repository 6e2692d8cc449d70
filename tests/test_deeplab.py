"""DeepLab against published parameter counts, torchvision, and implementations written for the test."""

import keras
import numpy as np
import pytest
from models import assert_close, calm, count, narrow, pictures, randomise, unallocated
from reference import deeplab_torchvision as torchvision

from course.losses import CrossEntropy
from course.models.backbones import BACKBONES, registry, resnet
from course.models.deeplab import aspp, deeplab_v1, deeplab_v3, deeplab_v3plus

VERSIONS = {"v1": deeplab_v1, "v3": deeplab_v3, "v3plus": deeplab_v3plus}
RATES = (1, 2, 3)  # of the small networks, at output stride 16


@pytest.fixture
def resnet_50(monkeypatch):
    """In the place of "resnet" stands the whole ResNet-50, without biases as elsewhere."""
    monkeypatch.setitem(registry.OURS, "resnet", resnet)


def small(version, name="resnet", **options):
    if version != "v1":
        options = {"channels": 4, "rates": RATES, **options}
    if version == "v3plus":
        options = {"low_channels": 3, **options}
    return VERSIONS[version](name, narrow(name, 2), classes=3, **options)


# -- what was published ------------------------------------------------------------------------


@unallocated()
def test_parameters_of_v1_over_vgg16():
    # "20.5M" in table 2 of the paper; 1024 channels in fc6 and fc7.
    fc6, fc7, score = 9 * 512 * 1024 + 1024, 1024 * 1024 + 1024, 1024 * 21 + 21
    assert count(deeplab_v1(classes=21).weights) == 14_714_688 + fc6 + fc7 + score == 20_505_429


@pytest.mark.parametrize("output_stride", [16, 8])
def test_parameters_of_v3_over_resnet_50_as_in_torchvision(resnet_50, output_stride):
    with unallocated():
        model = deeplab_v3("resnet", classes=21, output_stride=output_stride)
        assert count(model.trainable_weights) == 39_638_869


def test_parameters_of_v3plus_over_resnet_50_as_in_keras_hub(resnet_50):
    """keras-hub's DeepLabV3Plus has 39,190,656: another decoder, the other parts are ours."""
    with unallocated():
        model = deeplab_v3plus("resnet", separable=False)
        before = count(
            w
            for layer in model.layers
            if not layer.name.startswith(("decoder", "score"))
            for w in layer.weights
        )
    decoder = (48 + 256) * 256 + 4 * 256  # one 1×1 convolution where the paper has two 3×3
    assert before + decoder == 39_190_656


@pytest.mark.parametrize(("into", "channels", "rates"), [(2048, 256, (6, 12, 18)), (5, 7, (2,))])
@pytest.mark.parametrize("separable", [False, True])
@unallocated()
def test_parameters_of_the_pyramid(into, channels, rates, separable):
    x = keras.Input((None, None, into))
    model = keras.Model(x, aspp(x, channels, rates, separable=separable))
    window = 9 * into + 2 * into + into * channels if separable else 9 * into * channels
    branches = [into * channels] * 2 + [window] * len(rates)
    joined = len(branches) * channels * channels
    scales = 2 * channels * (len(branches) + 1)
    assert count(model.trainable_weights) == sum(branches) + joined + scales


# -- the same answers as others ----------------------------------------------------------------


@pytest.mark.slow
def test_v3_answers_as_torchvision(resnet_50):
    """The logits stored by tests/reference/deeplab_torchvision.py, from the same weights."""
    model = deeplab_v3("resnet", classes=torchvision.CLASSES, output_stride=8)
    for layer in model.layers:
        names = [(layer.name, v.name, tuple(v.shape)) for v in layer.weights]
        layer.set_weights([torchvision.weight(*name) for name in names])
    got = keras.ops.convert_to_numpy(model(torchvision.picture()))
    every = torchvision.EVERY
    assert_close(got[:, ::every, ::every], np.load(torchvision.FILE)["logits"], rounding=1e-3)


@pytest.mark.slow
def test_torchvision_still_gives_the_stored_logits():
    pytest.importorskip(
        "torchvision", reason="torchvision is not installed: its stored logits stand in for it"
    )
    every = torchvision.EVERY
    got = torchvision.logits()[:, ::every, ::every]
    assert_close(got, np.load(torchvision.FILE)["logits"], rounding=1e-3)


# A second implementation of all that follows the trunk, in plain numpy: one picture, channels last.


def convolve(x, kernel, rate=1):
    """Tap by tap; `kernel` (height, width, in, out), or (height, width, channels) for each channel."""
    taps, (height, width, _) = kernel.shape[0], x.shape
    reach = taps // 2 * rate
    x = np.pad(x, [(reach, reach), (reach, reach), (0, 0)])
    total = 0
    for row, column in np.ndindex(taps, taps):
        seen = x[row * rate : row * rate + height, column * rate : column * rate + width]
        tap = kernel[row, column]
        total = total + (seen @ tap if tap.ndim == 2 else seen * tap)
    return total


def resize(x, like):
    """Bilinear: the corners of the maps lie on each other, beyond the outer centres nothing changes."""

    def shares(into, out):
        at = (np.arange(out) + 0.5) * into / out - 0.5
        return np.array([np.interp(at, np.arange(into), row) for row in np.eye(into)])

    down, across = (shares(x.shape[axis], like.shape[axis]) for axis in (0, 1))
    return np.einsum("hwc,hH,wW->HWc", x, down, across, optimize=True)


class Numpy:
    """What follows the trunk of `model`, with its weights."""

    def __init__(self, model, output_stride):
        self.model, self.output_stride = model, output_stride
        maps = [model.get_layer(f"stage{stage}_block2").output for stage in (2, 5)]
        self.maps = keras.Model(model.inputs, maps)

    def weights(self, name):
        return self.model.get_layer(name).get_weights()

    def norm_relu(self, x, name):
        gamma, beta, mean, variance = self.weights(f"{name}_norm")
        return np.maximum((x - mean) / np.sqrt(variance + 1e-5) * gamma + beta, 0)

    def conv(self, x, name, rate=1, separable=False):
        if separable:
            (kernel,) = self.weights(f"{name}_depth")
            x, rate = self.norm_relu(convolve(x, kernel[..., 0], rate), f"{name}_depth"), 1
        return self.norm_relu(convolve(x, *self.weights(name), rate), name)

    def aspp(self, x, rates, separable):
        branches = [self.conv(x, "aspp_1x1")]
        for rate in rates:
            rate *= 16 // self.output_stride
            branches.append(self.conv(x, f"aspp_rate{rate}", rate, separable))
        mean = self.conv(x.mean((0, 1), keepdims=True), "aspp_image")
        branches.append(np.broadcast_to(mean, branches[0].shape))
        return self.conv(np.concatenate(branches, -1), "aspp")

    def logits(self, image, version, separable=False):
        low, x = (level[0] for level in self.maps.predict_on_batch(image[None]))
        if version == "v1":
            for name, rate in (("fc6", 12), ("fc7", 1)):
                kernel, bias = self.weights(name)
                x = np.maximum(convolve(x, kernel, rate) + bias, 0)
        else:
            x = self.aspp(x, RATES, separable)
        if version == "v3":
            x = self.conv(x, "head")
        if version == "v3plus":
            x = np.concatenate([self.conv(low, "low"), resize(x, low)], -1)
            for name in ("decoder1", "decoder2"):
                x = self.conv(x, name, separable=separable)
        kernel, bias = self.weights("score")
        return resize(x @ kernel[0, 0] + bias, image)


@pytest.mark.parametrize(
    ("version", "output_stride", "separable"),
    [
        ("v1", 8, False),
        ("v3", 16, False),
        ("v3", 8, False),
        ("v3plus", 16, True),
        ("v3plus", 8, False),
        ("v3plus", 8, True),
    ],
)
def test_logits_equal_those_of_the_numpy_implementation(version, output_stride, separable):
    options = {} if version == "v1" else {"output_stride": output_stride}
    if version == "v3plus":
        options["separable"] = separable
    model, images = calm(small(version, **options)), pictures(2, 197, 120)
    logits = model.predict_on_batch(images)
    assert logits.shape == (2, 197, 120, 3)
    other = Numpy(model, output_stride)
    for image, got in zip(images, logits, strict=True):
        assert_close(got, other.logits(image, version, separable), rounding=1e-3)


def test_a_rate_larger_than_the_map_leaves_the_middle_of_the_window():
    x = keras.Input((4, 5, 2))
    model = randomise(keras.Model(x, aspp(x, 3, (5,))))
    maps = np.random.default_rng(0).normal(size=(1, 4, 5, 2))
    window = model.get_layer("aspp_rate5")
    seen = keras.Model(x, window.output).predict_on_batch(maps)
    assert_close(seen, maps @ window.get_weights()[0][1, 1])


# -- output strides ----------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v3", "v3plus"])
@pytest.mark.parametrize(("trained", "used"), [(16, 8), (8, 16)])
def test_weights_of_one_output_stride_fit_the_other(version, trained, used, tmp_path):
    one = randomise(small(version, output_stride=trained), seed=1)
    other = randomise(small(version, output_stride=used), seed=2)
    one.save_weights(tmp_path / "deeplab.weights.h5")
    other.load_weights(tmp_path / "deeplab.weights.h5")
    for expected, got in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_output_stride_8_sees_what_16_does_and_more_between():
    coarse, fine = (small("v3", output_stride=stride) for stride in (16, 8))
    fine.set_weights(calm(coarse).get_weights())
    for at_16, at_8 in (("1x1", "1x1"), *((f"rate{r}", f"rate{2 * r}") for r in RATES)):
        one, other = (
            keras.Model(model.inputs, model.get_layer(f"aspp_{name}").output)
            for model, name in ((coarse, at_16), (fine, at_8))
        )
        images = pictures(1, 93, 131)
        got, expected = other.predict_on_batch(images), one.predict_on_batch(images)
        assert got.shape[1:3] == (12, 17)
        assert_close(got[:, ::2, ::2], expected, rounding=1e-3)


@pytest.mark.parametrize("build", [deeplab_v3, deeplab_v3plus])
@pytest.mark.parametrize("output_stride", [32, 4, None])
def test_another_output_stride_is_refused(build, output_stride):
    with pytest.raises(ValueError, match=f"16 or 8, not {output_stride}"):
        build("resnet", 2, output_stride=output_stride)


# -- over backbones, training and files --------------------------------------------------------


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("version", VERSIONS)
@unallocated()
def test_every_backbone_makes_a_deeplab(version, name):
    model = small(version, name, size=(33, 47))
    assert model.output_shape == (None, 33, 47, 3)
    if version == "v3plus":
        assert model.get_layer("join").output.shape[1:] == (9, 12, 3 + 4)


def assert_learns(model, size=(45, 71), run_eagerly=False):
    """One step of plain gradient descent on an odd size moves every trainable variable."""
    calm(model)
    model.compile(keras.optimizers.SGD(1.0), CrossEntropy(ignore=None), run_eagerly=run_eagerly)
    before = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
    truth = np.random.default_rng(1).integers(0, 3, (2, *size)).astype("uint8")
    assert np.isfinite(model.train_on_batch(pictures(2, *size), truth))
    still = [
        v.path
        for v, old in zip(model.trainable_variables, before, strict=True)
        if np.array_equal(keras.ops.convert_to_numpy(v), old)
    ]
    assert before
    assert still == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alexnet", "vgg", "googlenet", "resnet"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_gradient_reaches_every_variable(version, name):
    """Eagerly: to trace a step takes several times as long as to take one."""
    keras.utils.set_random_seed(0)
    assert_learns(VERSIONS[version](name, 16, classes=3), run_eagerly=True)


def test_a_gradient_reaches_every_variable_of_v3plus_over_resnet():
    keras.utils.set_random_seed(0)
    assert_learns(deeplab_v3plus("resnet", 16, classes=3, channels=16, rates=(1, 2, 3)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "resnet50", "mobilenet_v2"])
@pytest.mark.parametrize("version", VERSIONS)
def test_over_a_published_backbone_it_trains_a_step(version, name):
    model, size = small(version, name), (45, 71)
    model.compile(keras.optimizers.SGD(0.01), CrossEntropy(ignore=None), run_eagerly=True)
    truth = np.random.default_rng(1).integers(0, 3, (1, *size)).astype("uint8")
    assert np.isfinite(model.train_on_batch(pictures(1, *size), truth))


@pytest.mark.parametrize("version", VERSIONS)
def test_saved_and_loaded_it_answers_the_same(version, tmp_path):
    model, images = calm(small(version)), pictures(1, 40, 51)
    model.save(tmp_path / "deeplab.keras")
    loaded = keras.models.load_model(tmp_path / "deeplab.keras")
    assert_close(loaded(images), model(images))


@pytest.mark.parametrize("version", VERSIONS)
@unallocated()
def test_logits_stay_float32_in_mixed_precision(version):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = small(version, size=(33, 47))
    finally:
        keras.config.set_dtype_policy(before)
    assert model.get_layer("conv1").compute_dtype == "bfloat16"
    assert model.output.dtype == "float32"
