"""Fully convolutional networks: FCN-32s, FCN-16s and FCN-8s.

Long, Shelhamer, Darrell, *Fully Convolutional Networks for Semantic
Segmentation*, CVPR 2015 (arXiv:1411.4038).
"""

import keras
from keras import layers

from course.classes import NUM_CLASSES
from course.layers import CropLike, upsample
from course.models.backbones import SMALL_DEPTHS, vgg
from course.models.backbones.conv import conv_relu

STRIDES = (32, 16, 8)


def fcn(stride=8, *, classes=NUM_CLASSES, size=(None, None)):
    """FCN as in the paper, over VGG-16 with its two 4096-wide layers made convolutional.

    Parameters
    ----------
    stride : 32, 16 or 8
        The finest map that takes part: FCN-32s scores the last map only,
        FCN-16s adds scores of pool4, FCN-8s of pool3 as well.
    classes : int
    size : (height, width)
        Of the pictures, where it is fixed. Any size works; one that 32 does
        not divide is rounded up inside and cropped at the end.

    Returns
    -------
    keras.Model
        Pictures ``(batch, height, width, 3)``, 0 to 255, to logits
        ``(batch, height, width, classes)``. 136,152,917 parameters for
        stride 32 and 21 classes.

    Raises
    ------
    ValueError
        For another stride.

    Notes
    -----
    All windows are padded with zeros, so that maps lie straight over the
    picture; the authors' networks pad the picture by 100 pixels, do not pad
    fc6, and crop the scores.
    """
    _check(stride)
    images, x = _pictures(size)
    features = vgg(x)
    x = layers.Conv2D(4096, 7, padding="same", activation="relu", name="fc6")(features[32])
    x = layers.Dropout(0.5, name="drop6")(x)
    x = layers.Conv2D(4096, 1, activation="relu", name="fc7")(x)
    x = layers.Dropout(0.5, name="drop7")(x)
    return _decode(images, features, x, stride, classes)


def small_fcn(stride=8, *, classes=NUM_CLASSES, width=16, size=(None, None)):
    """FCN over a small VGG with batch normalization, for training from scratch in minutes.

    The stages, skips and upsampling are :func:`fcn`'s. Eight 3×3
    convolutions instead of thirteen, `width` channels in the first stage
    instead of 64, and one 3×3 convolution of ``16·width`` channels in place
    of fc6 and fc7. Parameters, result and errors as for :func:`fcn`.
    """
    _check(stride)
    images, x = _pictures(size)
    features = vgg(x, width, SMALL_DEPTHS, batch_norm=True)
    x = conv_relu(features[32], 16 * width, 3, "fc6", batch_norm=True)
    x = layers.Dropout(0.2, name="drop6")(x)
    return _decode(images, features, x, stride, classes)


def _check(stride):
    if stride not in STRIDES:
        raise ValueError(f"FCN comes with stride 32, 16 or 8, not {stride!r}.")


def _pictures(size):
    images = keras.Input((*size, 3), name="images")
    return images, layers.Rescaling(1 / 127.5, offset=-1, name="scale")(images)


def _decode(images, features, x, stride, classes):
    """Score the last map, add the scores of finer maps, enlarge to the picture's size."""

    def score(x, name):
        # Scores start at zero, as in the paper: a new skip changes nothing until it has learned.
        return layers.Conv2D(classes, 1, kernel_initializer="zeros", name=name)(x)

    x = score(x, "score_fr")
    at = 32
    while at > stride:
        at //= 2
        x = upsample(classes, 2, name=f"upscore_to_{at}")(x)
        x = CropLike(name=f"crop_to_{at}")([x, features[at]])
        x = layers.Add(name=f"fuse_{at}")([x, score(features[at], f"score_{at}")])
    # As in the paper, the last enlargement stays bilinear; the ones before it learn.
    x = upsample(classes, stride, name="upscore", trainable=False)(x)
    # Logits in float32 also where the rest computes in half precision.
    x = CropLike(name="logits", dtype="float32")([x, images])
    return keras.Model(images, x, name=f"fcn_{stride}s")
