"""AlexNet: the network that made deep learning the way to classify pictures."""

from keras import layers

from course.models.backbones.conv import conv_relu


def alexnet(inputs, width=64, batch_norm=False):
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

    def conv(x, channels, size, name, strides=1):
        return conv_relu(x, channels, size, name, strides, batch_norm)

    def pool(x, name):
        return layers.MaxPooling2D(3, strides=2, padding="same", name=name)(x)

    features = {2: conv(inputs, width, 3, "beside", strides=2)}
    x = features[4] = conv(inputs, width, 11, "conv1", strides=4)
    x = features[8] = conv(pool(x, "pool1"), 3 * width, 5, "conv2")
    x = conv(pool(x, "pool2"), 6 * width, 3, "conv3")
    x = conv(x, 4 * width, 3, "conv4")
    x = features[16] = conv(x, 4 * width, 3, "conv5")
    features[32] = pool(x, "pool5")
    return features
