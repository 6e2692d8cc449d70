"""VGG: depth from small convolutions."""

from keras import layers

from course.models.backbones.conv import conv_relu

VGG16_DEPTHS = (2, 2, 3, 3, 3)
SMALL_DEPTHS = (1, 1, 2, 2, 2)


def vgg(inputs, width=64, depths=VGG16_DEPTHS, batch_norm=False):
    """The convolutional part of a VGG network: five stages of 3×3 convolutions, each ending in a pool.

    Parameters
    ----------
    inputs : Keras tensor (batch, height, width, channels)
    width : int
        Channels of the first stage; they double each stage up to eight times.
        64 with the default depths is VGG-16.
    depths : five ints
        Convolutions in each stage.
    batch_norm : bool
        Normalise after each convolution, which then has no bias. The paper's
        network does not; trained from scratch, it hardly learns without.

    Returns
    -------
    dict
        Feature maps by stride, ``{2: …, 4: …, 8: …, 16: …, 32: …}``, each the
        result of a pool; the map at stride s has ⌈height / s⌉ × ⌈width / s⌉
        positions.

    References
    ----------
    Simonyan, Zisserman, *Very Deep Convolutional Networks for Large-Scale
    Image Recognition*, ICLR 2015.
    """
    x, features = inputs, {}
    for stage, depth in enumerate(depths):
        for i in range(depth):
            name = f"conv{stage + 1}_{i + 1}"
            x = conv_relu(x, width * min(2**stage, 8), 3, name, batch_norm=batch_norm)
        x = layers.MaxPooling2D(2, padding="same", name=f"pool{stage + 1}")(x)
        features[2 ** (stage + 1)] = x
    return features
