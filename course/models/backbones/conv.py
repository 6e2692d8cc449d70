"""The layer that most backbones are made of: a convolution and its ReLU."""

from keras import layers


def conv_relu(x, channels, size, name, strides=1, batch_norm=False):
    """A ``size`` × ``size`` convolution with zero padding, normalised if asked, then ReLU.

    With `batch_norm` the convolution has no bias: the normalisation would
    subtract it again. Layers are called `name`, `name`_norm and `name`_relu.
    """
    x = layers.Conv2D(
        channels, size, strides=strides, padding="same", use_bias=not batch_norm, name=name
    )(x)
    if batch_norm:
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)
