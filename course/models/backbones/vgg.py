"""VGG: depth from small convolutions."""

from course.models.backbones.conv import conv_relu, pool, rate_at

VGG16_DEPTHS = (2, 2, 3, 3, 3)
SMALL_DEPTHS = (1, 1, 2, 2, 2)


def vgg(inputs, width=64, depths=VGG16_DEPTHS, batch_norm=False, output_stride=32):
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
    output_stride : 8, 16 or 32
        Of the last map. Strides beyond it are turned into rates: see
        :func:`course.models.backbones.backbone`.

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
    for stage, depth in enumerate(depths, start=1):
        stride = 2**stage
        for i in range(depth):
            x = conv_relu(
                x,
                width * min(stride // 2, 8),
                3,
                f"conv{stage}_{i + 1}",
                batch_norm=batch_norm,
                rate=rate_at(stride // 2, output_stride),
            )
        x = pool(x, 2, f"pool{stage}", stride, output_stride)
        features[min(stride, output_stride)] = x
    return features
