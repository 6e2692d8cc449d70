"""Networks of ``keras.applications`` as backbones, with ImageNet weights where they can be had."""

import contextlib
import io
import re
import socket
import urllib.error

import keras
from keras import layers, ops

from course.models.backbones.conv import rate_at
from course.models.backbones.vgg import vgg

PATIENCE = 10  # seconds without an answer after which a download is given up
BGR_MEAN = (103.939, 116.779, 123.68)  # of ImageNet, blue first

# The last map at each of these strides, and the layer that makes it.
STRIDES = (2, 4, 8, 16, 32)
RESNET_LAYERS = (
    "conv1_relu",
    "conv2_block3_out",
    "conv3_block4_out",
    "conv4_block6_out",
    "conv5_block3_out",
)
MOBILENET_LAYERS = (
    "block_1_expand_relu",
    "block_3_expand_relu",
    "block_6_expand_relu",
    "block_13_expand_relu",
    "out_relu",
)


def vgg16(images, weights=None, output_stride=32):
    """VGG-16 on pictures 0 to 255, as :func:`course.models.backbones.backbone` returns it.

    Our own layers with Keras's weights: the two networks differ only where a
    pool meets an odd number of rows or columns, of which Keras's drops the last.
    """
    scaled = keras.Input((None, None, 3))
    core = keras.Model(
        scaled, list(vgg(scaled, output_stride=output_stride).values()), name="vgg16"
    )
    _load(core, keras.applications.VGG16, "VGG-16", weights)
    return _maps(core, _centred_bgr(images))


def resnet50(images, weights=None, output_stride=32):
    """ResNet-50 on pictures 0 to 255, as :func:`course.models.backbones.backbone` returns it."""
    core = _core(keras.applications.ResNet50, RESNET_LAYERS, "resnet50", output_stride)
    _load(core, keras.applications.ResNet50, "ResNet-50", weights)
    return _maps(core, _centred_bgr(images))


def mobilenet_v2(images, weights=None, output_stride=32):
    """MobileNetV2 on pictures 0 to 255, as :func:`course.models.backbones.backbone` returns it.

    Sandler and others, *MobileNetV2: Inverted Residuals and Linear
    Bottlenecks*, CVPR 2018.
    """
    core = _core(keras.applications.MobileNetV2, MOBILENET_LAYERS, "mobilenet_v2", output_stride)
    for layer in core.layers:
        if isinstance(layer, layers.ZeroPadding2D):
            # Before its strided convolutions Keras pads one row at the bottom, which is right for
            # even sizes. A second row is never read there, and makes odd sizes round up. Where the
            # stride is gone, the window hangs over by two taps.
            reach = 2 * rate_at(_stride_at(layer.name) // 2, output_stride)
            layer.padding = ((0, reach), (0, reach))
    _load(core, keras.applications.MobileNetV2, "MobileNetV2", weights)
    scaled = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(images)
    return _maps(core, scaled)


def _core(application, names, title, output_stride):
    """A network of ``keras.applications`` for any size, returning the maps of the layers `names`.

    `names` are for strides 2 to 32; up to `output_stride`, the last map takes the last place.
    """
    network = application(include_top=False, weights=None, input_shape=(None, None, 3))
    if output_stride < 32:
        network = keras.models.clone_model(
            network, clone_function=lambda layer: _with_rate(layer, output_stride)
        )
    names = (*names[: STRIDES.index(output_stride)], names[-1])
    return keras.Model(
        network.input, [network.get_layer(name).output for name in names], name=title
    )


def _with_rate(layer, output_stride):
    """A copy of `layer` whose stride, where it leads beyond `output_stride`, is a rate instead."""
    config = layer.get_config()
    stride = _stride_at(layer.name)
    if stride > output_stride and "strides" in config:
        if tuple(config["strides"]) != (1, 1):
            stride //= 2  # its own window lies on the map before the stride
            config["strides"] = (1, 1)
        if tuple(config["kernel_size"]) != (1, 1):
            config["dilation_rate"] = rate_at(stride, output_stride)
    return layer.__class__.from_config(config)


def _stride_at(name):
    """The stride of the map that a layer of ResNet-50 or MobileNetV2 makes, by the layer's name."""
    if stage := re.match(r"conv([2-5])_", name):
        return 2 ** int(stage[1])
    if block := re.match(r"block_(\d+)_", name):
        return 2 ** (1 + sum(int(block[1]) >= first for first in (1, 3, 6, 13)))
    return 32 if name.startswith("Conv_1") else 2


def _maps(core, scaled):
    return dict(zip(STRIDES, core(scaled), strict=False))  # fewer with a smaller output stride


def _centred_bgr(images):
    """RGB, 0 to 255, to what VGG-16 and ResNet-50 were trained on: BGR minus ImageNet's mean."""
    offset = [-mean for mean in BGR_MEAN]
    return layers.Rescaling(1.0, offset=offset, name="centre")(ops.flip(images, axis=-1))


def _load(core, application, title, weights):
    """Give `core` the ImageNet weights of `application`, or say in one line why it has none."""
    if weights is None:
        return
    try:
        core.set_weights(_fetch(application))
    except _Unreachable as error:
        print(
            f"ImageNet weights for {title} could not be fetched ({error}): "
            "it starts from random weights."
        )


class _Unreachable(Exception):
    pass


def _fetch(application):
    """The ImageNet weights of `application`, from Keras's cache or its server."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # Keras draws a bar for each download
            source = application(include_top=False, weights="imagenet", input_shape=(224, 224, 3))
    except Exception as error:
        # Keras wraps what urllib raised in a bare Exception.
        cause = error.__context__ or error
        unreached = (urllib.error.URLError, TimeoutError, ConnectionError)
        offline = isinstance(cause, unreached) and not isinstance(cause, urllib.error.HTTPError)
        raise _Unreachable("no network" if offline else cause) from error
    finally:
        socket.setdefaulttimeout(before)
    return source.get_weights()
