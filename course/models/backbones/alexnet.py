"""AlexNet: the network that made deep learning the way to classify pictures."""

from course.models.backbones.conv import conv_relu, pool, rate_at


def alexnet(inputs, width=64, batch_norm=False, output_stride=32):
    """The convolutional part of AlexNet: five convolutions, the first 11×11 with stride 4.

    Parameters
    ----------
    inputs : Keras tensor (batch, height, width, channels)
    width : int
        Channels of the first convolution; the others have 3, 6, 4 and 4 times
        as many. 64 is the one-tower network of the second paper, 2,469,696
        parameters.
    batch_norm : bool
        Normalise after each convolution, which then has no bias. The papers'
        networks do not.
    output_stride : 8, 16 or 32
        Of the last map. Strides beyond it are turned into rates: see
        :func:`course.models.backbones.backbone`.

    Returns
    -------
    dict
        Feature maps by stride, ``{2: …, 4: …, 8: …, 16: …, 32: …}``; the map
        at stride s has ⌈height / s⌉ × ⌈width / s⌉ positions.

        AlexNet itself has no map at stride 2, since its first convolution has
        stride 4. The one given is a 3×3 convolution with stride 2 of its own,
        beside the network: nothing follows from it, and a model that does not
        use it does not contain it.

    Notes
    -----
    Without local response normalisation, which Simonyan and Zisserman (2015)
    found to bring nothing, and padded so that each map is as large as its
    stride says.

    References
    ----------
    Krizhevsky, Sutskever, Hinton, *ImageNet Classification with Deep
    Convolutional Neural Networks*, NIPS 2012.
    Krizhevsky, *One weird trick for parallelizing convolutional neural
    networks*, arXiv:1404.5997, 2014.
    """

    def conv(x, channels, size, name, strides=1, rate=1):
        return conv_relu(x, channels, size, name, strides, batch_norm, rate)

    rate = rate_at(16, output_stride)
    features = {2: conv(inputs, width, 3, "beside", strides=2)}
    x = features[4] = conv(inputs, width, 11, "conv1", strides=4)
    x = features[8] = conv(pool(x, 3, "pool1", 8, output_stride), 3 * width, 5, "conv2")
    x = conv(pool(x, 3, "pool2", 16, output_stride), 6 * width, 3, "conv3", rate=rate)
    x = conv(x, 4 * width, 3, "conv4", rate=rate)
    x = features[min(16, output_stride)] = conv(x, 4 * width, 3, "conv5", rate=rate)
    features[output_stride] = pool(x, 3, "pool5", 32, output_stride)
    return features
