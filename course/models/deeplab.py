"""DeepLab v1, v3 and v3+: atrous convolution keeps maps dense, several rates side by side see far.

Chen and others: v1 in *Semantic Image Segmentation with Deep Convolutional
Nets and Fully Connected CRFs*, ICLR 2015 (arXiv:1412.7062); v3 in *Rethinking
Atrous Convolution for Semantic Image Segmentation*, 2017 (arXiv:1706.05587);
v3+ in *Encoder-Decoder with Atrous Separable Convolution for Semantic Image
Segmentation*, ECCV 2018 (arXiv:1802.02611).
"""

import keras
from keras import layers

from course.classes import NUM_CLASSES
from course.layers import ResizeLike
from course.models.backbones import backbone, conv
from course.models.backbones.registry import WIDTH

ASPP_RATES = (6, 12, 18)  # on a map at stride 16
EPSILON = 1e-5  # of the normalisation, as in the authors' code


def deeplab_v1(
    name="vgg16",
    width=None,
    weights=None,
    *,
    classes=NUM_CLASSES,
    rate=12,
    size=(None, None),
):
    """DeepLab v1 without its CRF: a trunk at stride 8, one 3×3 convolution with a large rate, scores.

    Parameters
    ----------
    name, width, weights
        As :func:`course.models.backbones.backbone` takes them. The two
        convolutions after the trunk have ``16·width`` channels, 1024 after
        one of ``keras.applications``.
    classes : int
    rate : int
        Of the 3×3 convolution after the trunk; 12 is the paper's
        "DeepLab-LargeFOV".
    size : (height, width)
        Of the pictures, where it is fixed. Any size works.

    Returns
    -------
    keras.Model
        Pictures ``(batch, height, width, 3)``, 0 to 255, to float32 logits
        ``(batch, height, width, classes)``, enlarged bilinearly from stride 8.
        20,505,429 parameters over VGG-16 for 21 classes ("20.5M" in the paper).
        :class:`course.inference.DenseCRF` sharpens what it predicts.

    Raises
    ------
    ValueError
        For a backbone, a width or weights that do not exist: see
        :func:`course.models.backbones.backbone`.

    Notes
    -----
    The trunk's pools have windows of 2×2; those of the authors' network have
    3×3, and a 3×3 average follows the last. They take the loss at stride 8.
    """
    images = keras.Input((*size, 3), name="images")
    x = backbone(name, images, width, weights, output_stride=8)[8]
    channels = 16 * (WIDTH if width is None else width)
    for layer, window, spread in (("fc6", 3, rate), ("fc7", 1, 1)):
        x = layers.Conv2D(
            channels, window, padding="same", dilation_rate=spread, activation="relu", name=layer
        )(x)
        x = layers.Dropout(0.5, name=f"drop{layer[-1]}")(x)
    return _score(images, x, classes, f"{name}_deeplab_v1")


def deeplab_v3(
    name="resnet50",
    width=None,
    weights=None,
    *,
    classes=NUM_CLASSES,
    output_stride=16,
    channels=256,
    rates=ASPP_RATES,
    dropout=0.5,
    size=(None, None),
):
    """DeepLabV3: atrous spatial pyramid pooling on the last map of a trunk.

    Parameters
    ----------
    name, width, weights
        As :func:`course.models.backbones.backbone` takes them.
    classes : int
    output_stride : 16 or 8
        Of the trunk's last map. The weights of one fit the other: train with
        16, predict with 8.
    channels : int
        Of each branch of the pyramid and of what they are joined to.
    rates : ints
        Of the pyramid's 3×3 convolutions at output stride 16; at 8 they are
        doubled. The paper's are for pictures of 513 pixels; a rate larger than
        the map sees nothing but padding around its centre.
    dropout : float
        Share of the joined channels that is dropped in training.
    size : (height, width)
        Of the pictures, where it is fixed. Any size works.

    Returns
    -------
    keras.Model
        Pictures ``(batch, height, width, 3)``, 0 to 255, to float32 logits
        ``(batch, height, width, classes)``. 39,638,869 trained parameters over
        a ResNet-50 without biases for 21 classes, as in torchvision.

    Raises
    ------
    ValueError
        For a backbone, a width or weights that do not exist: see
        :func:`course.models.backbones.backbone`. For another output stride.

    Notes
    -----
    Between the pyramid and the scores stands a 3×3 convolution, as in
    torchvision; the paper goes from one to the other. The paper's last stage
    multiplies its rate by 1, 2 and 4 in turn (multi-grid); here it has one.
    """
    _check(output_stride)
    images = keras.Input((*size, 3), name="images")
    x = backbone(name, images, width, weights, output_stride)[output_stride]
    x = aspp(x, channels, _spread(rates, output_stride), dropout)
    x = _conv_norm(x, channels, 3, "head")
    return _score(images, x, classes, f"{name}_deeplab_v3")


def deeplab_v3plus(
    name="resnet50",
    width=None,
    weights=None,
    *,
    classes=NUM_CLASSES,
    output_stride=16,
    channels=256,
    rates=ASPP_RATES,
    dropout=0.1,
    low_channels=48,
    separable=True,
    size=(None, None),
):
    """DeepLabV3+: the pyramid of v3, and a light decoder that joins it with the trunk's map at stride 4.

    Parameters
    ----------
    name, width, weights, classes, output_stride, channels, rates, dropout, size
        As for :func:`deeplab_v3`.
    low_channels : int
        What the map at stride 4 is narrowed to before it is joined, so that it
        does not drown the pyramid.
    separable : bool
        Depthwise separable 3×3 convolutions in the pyramid and the decoder.

    Returns
    -------
    keras.Model
        As :func:`deeplab_v3`, and with its errors; the logits are enlarged from stride 4.
    """
    _check(output_stride)
    images = keras.Input((*size, 3), name="images")
    features = backbone(name, images, width, weights, output_stride)
    x = aspp(features[output_stride], channels, _spread(rates, output_stride), dropout, separable)
    low = _conv_norm(features[4], low_channels, 1, "low")
    x = ResizeLike(name="enlarge")([x, low])
    x = layers.Concatenate(name="join")([low, x])
    for i in (1, 2):
        x = _conv_norm(x, channels, 3, f"decoder{i}", separable=separable)
    return _score(images, x, classes, f"{name}_deeplab_v3plus")


def aspp(x, channels, rates, dropout=0.0, separable=False):
    """Atrous spatial pyramid pooling: a map seen through windows of several rates, and as a whole.

    Parameters
    ----------
    x : Keras tensor (batch, height, width, any)
    channels : int
        Of each branch, and of the result.
    rates : ints
        Of the 3×3 convolutions, one branch each.
    dropout : float
        Share of the result's values that is dropped in training.
    separable : bool
        Depthwise separable 3×3 convolutions.

    Returns
    -------
    Keras tensor (batch, height, width, channels)
        From a 1×1 convolution, one 3×3 convolution a rate, and the mean of the
        whole map, joined by another 1×1 convolution.
    """
    branches = [_conv_norm(x, channels, 1, "aspp_1x1")]
    for rate in rates:
        branches.append(_conv_norm(x, channels, 3, f"aspp_rate{rate}", rate, separable))
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="aspp_mean")(x)
    mean = _conv_norm(mean, channels, 1, "aspp_image")
    branches.append(ResizeLike(name="aspp_image_spread")([mean, x]))
    x = layers.Concatenate(name="aspp_join")(branches)
    x = _conv_norm(x, channels, 1, "aspp")
    return layers.Dropout(dropout, name="aspp_drop")(x)


def _check(output_stride):
    if output_stride not in (8, 16):
        raise ValueError(f"DeepLabV3 comes with output stride 16 or 8, not {output_stride!r}.")


def _spread(rates, output_stride):
    return [rate * 16 // output_stride for rate in rates]


def _conv_norm(x, channels, window, name, rate=1, separable=False):
    """A convolution without bias, its normalisation, ReLU; with `separable`, in the two parts of one."""
    if separable:
        return conv.separable(x, channels, name, rate=rate, epsilon=EPSILON)
    return conv.conv_relu(x, channels, window, name, batch_norm=True, rate=rate, epsilon=EPSILON)


def _score(images, x, classes, name):
    x = layers.Conv2D(classes, 1, name="score")(x)
    # Logits in float32 also where the rest computes in half precision.
    x = ResizeLike(name="logits", dtype="float32")([x, images])
    return keras.Model(images, x, name=name)
