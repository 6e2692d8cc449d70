"""GoogLeNet: windows of several sizes side by side, made cheap by 1×1 convolutions."""

from keras import layers

from course.layers import AtrousMaxPool
from course.models.backbones.conv import conv_relu, pool, rate_at

# Channels of each module's four branches as in table 1 of the paper: 1×1; 3×3 and 5×5,
# each after a 1×1 that narrows ("reduce"); 1×1 after a pool.
INCEPTIONS = {
    "3a": (64, (96, 128), (16, 32), 32),
    "3b": (128, (128, 192), (32, 96), 64),
    "4a": (192, (96, 208), (16, 48), 64),
    "4b": (160, (112, 224), (24, 64), 64),
    "4c": (128, (128, 256), (24, 64), 64),
    "4d": (112, (144, 288), (32, 64), 64),
    "4e": (256, (160, 320), (32, 128), 128),
    "5a": (256, (160, 320), (32, 128), 128),
    "5b": (384, (192, 384), (48, 128), 128),
}


def inception(x, branches, name, batch_norm=False, rate=1):
    """An inception module: windows of three sizes and a pool, side by side on the same input.

    Parameters
    ----------
    x : Keras tensor (batch, height, width, channels)
    branches : one, (reduce3, three), (reduce5, five), after_pool
        Channels of the 1×1 branch, of the 3×3 and 5×5 with the 1×1 before
        them, and of the 1×1 after the pool.
    name : str
        Of the module; its layers are called ``name_1x1`` and so on.
    batch_norm : bool
        Normalise after each convolution, as in Inception v2.
    rate : int
        Distance between neighbouring taps of each window.

    Returns
    -------
    Keras tensor (batch, height, width, one + three + five + after_pool)
    """

    def conv(x, channels, size, branch):
        return conv_relu(x, channels, size, f"{name}_{branch}", batch_norm=batch_norm, rate=rate)

    one, (reduce3, three), (reduce5, five), after_pool = branches
    around = AtrousMaxPool(3, rate, centred=True, name=f"{name}_pool")
    return layers.Concatenate(name=name)(
        [
            conv(x, one, 1, "1x1"),
            conv(conv(x, reduce3, 1, "3x3_reduce"), three, 3, "3x3"),
            conv(conv(x, reduce5, 1, "5x5_reduce"), five, 5, "5x5"),
            conv(around(x), after_pool, 1, "pool_proj"),
        ]
    )


def googlenet(inputs, width=64, batch_norm=False, output_stride=32):
    """The convolutional part of GoogLeNet (Inception v1): a stem and nine inception modules.

    Parameters
    ----------
    inputs : Keras tensor (batch, height, width, channels)
    width : int
        Channels of the first convolution; all others keep the paper's
        proportion to it. 64 is the paper's network, 5,973,552 parameters.
    batch_norm : bool
        Normalise after each convolution, which then has no bias. The paper's
        network does not.
    output_stride : 8, 16 or 32
        Of the last map. Strides beyond it are turned into rates: see
        :func:`course.models.backbones.backbone`.

    Returns
    -------
    dict
        Feature maps by stride, ``{2: …, 4: …, 8: …, 16: …, 32: …}``: those of
        the first two convolutions of the stem and of the modules 3b, 4e and
        5b. The map at stride s has ⌈height / s⌉ × ⌈width / s⌉ positions.

    Notes
    -----
    Without local response normalisation and without the two auxiliary
    classifiers of the training.

    References
    ----------
    Szegedy and others, *Going Deeper with Convolutions*, CVPR 2015.
    """

    def scaled(channels):
        if isinstance(channels, tuple):
            return tuple(scaled(c) for c in channels)
        return max(1, round(channels * width / 64))

    def conv(x, channels, size, name, strides=1):
        return conv_relu(x, scaled(channels), size, name, strides, batch_norm)

    features = {}
    x = features[2] = conv(inputs, 64, 7, "conv1", strides=2)
    x = conv(pool(x, 3, "pool1", 4, output_stride), 64, 1, "conv2_reduce")
    x = features[4] = conv(x, 192, 3, "conv2")
    for stride, modules in ((8, "3a 3b"), (16, "4a 4b 4c 4d 4e"), (32, "5a 5b")):
        x = pool(x, 3, f"pool_to_{stride}", stride, output_stride)
        rate = rate_at(stride, output_stride)
        for module in modules.split():
            x = inception(x, scaled(INCEPTIONS[module]), f"inception_{module}", batch_norm, rate)
        features[min(stride, output_stride)] = x
    return features
