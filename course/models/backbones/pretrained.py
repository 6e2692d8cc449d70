"""Networks of ``keras.applications`` as backbones, with ImageNet weights where they can be had."""

import contextlib
import io
import socket
import urllib.error

import keras
from keras import layers, ops

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


def vgg16(images, weights=None):
    """VGG-16 on pictures 0 to 255, as :func:`course.models.backbones.backbone` returns it.

    Our own layers with Keras's weights: the two networks differ only where a
    pool meets an odd number of rows or columns, of which Keras's drops the last.
    """
    scaled = keras.Input((None, None, 3))
    core = keras.Model(scaled, list(vgg(scaled).values()), name="vgg16")
    _load(core, keras.applications.VGG16, "VGG-16", weights)
    return _maps(core, _centred_bgr(images))


def resnet50(images, weights=None):
    """ResNet-50 on pictures 0 to 255, as :func:`course.models.backbones.backbone` returns it."""
    core = _core(keras.applications.ResNet50, RESNET_LAYERS, "resnet50")
    _load(core, keras.applications.ResNet50, "ResNet-50", weights)
    return _maps(core, _centred_bgr(images))


def mobilenet_v2(images, weights=None):
    """MobileNetV2 on pictures 0 to 255, as :func:`course.models.backbones.backbone` returns it.

    Sandler and others, *MobileNetV2: Inverted Residuals and Linear
    Bottlenecks*, CVPR 2018.
    """
    core = _core(keras.applications.MobileNetV2, MOBILENET_LAYERS, "mobilenet_v2")
    for layer in core.layers:
        if isinstance(layer, layers.ZeroPadding2D):
            # Before its strided convolutions Keras pads one row at the bottom, which is right for
            # even sizes. A second row is never read there, and makes odd sizes round up.
            layer.padding = ((0, 2), (0, 2))
    _load(core, keras.applications.MobileNetV2, "MobileNetV2", weights)
    scaled = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(images)
    return _maps(core, scaled)


def _core(application, names, title):
    """A network of ``keras.applications`` for any size, returning the maps of the layers `names`."""
    network = application(include_top=False, weights=None, input_shape=(None, None, 3))
    return keras.Model(
        network.input, [network.get_layer(name).output for name in names], name=title
    )


def _maps(core, scaled):
    return dict(zip(STRIDES, core(scaled), strict=True))


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
        offline = isinstance(cause, OSError) and not isinstance(cause, urllib.error.HTTPError)
        raise _Unreachable("no network" if offline else cause) from error
    finally:
        socket.setdefaulttimeout(before)
    return source.get_weights()
