"""What networks are made of: a convolution with its ReLU, dense or separable, and a pool that may keep the size."""

from keras import layers

from course.layers import AtrousMaxPool


def conv_relu(x, channels, size, name, strides=1, batch_norm=False, rate=1, epsilon=1e-3):
    """A ``size`` × ``size`` convolution with zero padding, normalised if asked, then ReLU.

    (batch, height, width, any) to (batch, ⌈height / strides⌉, ⌈width / strides⌉, channels).
    `rate` is the distance between neighbouring taps of the window, 1 for a dense one.
    With `batch_norm` the convolution has no bias: the normalisation would
    subtract it again. Layers are called `name`, `name`_norm and `name`_relu.
    """
    x = layers.Conv2D(
        channels,
        size,
        strides=strides,
        padding="same",
        dilation_rate=rate,
        use_bias=not batch_norm,
        name=name,
    )(x)
    if batch_norm:
        return norm_relu(x, name, epsilon)
    return layers.Activation("relu", name=f"{name}_relu")(x)


def separable(x, channels, name, strides=1, rate=1, epsilon=1e-3):
    """A 3×3 convolution in two: a window a channel, `name`_depth, then a 1×1 across channels, `name`.

    Shapes as of :func:`conv_relu`; each of the two is normalised and followed by a ReLU.
    """
    x = layers.DepthwiseConv2D(
        3,
        strides=strides,
        padding="same",
        dilation_rate=rate,
        use_bias=False,
        name=f"{name}_depth",
    )(x)
    x = norm_relu(x, f"{name}_depth", epsilon)
    return conv_relu(x, channels, 1, name, batch_norm=True, epsilon=epsilon)


def norm_relu(x, name, epsilon=1e-3):
    """Batch normalization, then ReLU: layers `name`_norm and `name`_relu."""
    x = layers.BatchNormalization(momentum=0.9, epsilon=epsilon, name=f"{name}_norm")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)


def pool(x, size, name, stride, output_stride):
    """A max pool that halves the map, to `stride`; beyond `output_stride`, one that keeps its size.

    The latter sees the same values as the former would, ``stride / (2 · output_stride)``
    places apart: what was a step is now a rate.
    """
    if stride <= output_stride:
        return layers.MaxPooling2D(size, strides=2, padding="same", name=name)(x)
    return AtrousMaxPool(size, rate=stride // (2 * output_stride), name=name)(x)


def rate_at(stride, output_stride):
    """The rate of a convolution made for a map at `stride`, on one no coarser than `output_stride`."""
    return max(1, stride // output_stride)
