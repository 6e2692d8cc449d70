"""ResNet: blocks that add to what they are given, so that depth trains."""

from keras import layers

from course.models.backbones.conv import rate_at

RESNET18_DEPTHS = (2, 2, 2, 2)
RESNET50_DEPTHS = (3, 4, 6, 3)


def resnet(inputs, width=64, depths=RESNET50_DEPTHS, bottleneck=True, output_stride=32):
    """The convolutional part of a residual network: a stem and four stages of residual blocks.

    Parameters
    ----------
    inputs : Keras tensor (batch, height, width, channels)
    width : int
        Channels of the stem and of the first stage's convolutions; they double
        each stage.
    depths : four ints
        Blocks in each stage.
    bottleneck : bool
        Blocks of 1×1, 3×3 and 1×1 convolution, the last with four times the
        channels, as in ResNet-50 (the default depths, 23,508,032 trained
        parameters). Else two 3×3 convolutions, as in ResNet-18
        (``RESNET18_DEPTHS``, 11,176,512).
    output_stride : 8, 16 or 32
        Of the last map. Strides beyond it are turned into rates: see
        :func:`course.models.backbones.backbone`.

    Returns
    -------
    dict
        Feature maps by stride, ``{2: …, 4: …, 8: …, 16: …, 32: …}``: the
        stem's, then the four stages'. The map at stride s has ⌈height / s⌉ ×
        ⌈width / s⌉ positions.

    Notes
    -----
    As in the paper, a stage's stride is in its first convolution; other
    libraries move it to the 3×3. The last normalisation of each block starts
    with factor 0, so that an untrained block passes on what it was given
    (Goyal and others, *Accurate, Large Minibatch SGD*, 2017).

    References
    ----------
    He, Zhang, Ren, Sun, *Deep Residual Learning for Image Recognition*,
    CVPR 2016.
    """
    x = _conv_norm(inputs, width, 7, "conv1", strides=2)
    x = layers.Activation("relu", name="conv1_relu")(x)
    features = {2: x}
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for stage, depth in enumerate(depths, start=2):
        stride = 2**stage
        before, rate = rate_at(stride // 2, output_stride), rate_at(stride, output_stride)
        for block in range(1, depth + 1):
            first = block == 1
            x = residual_block(
                x,
                width * 2 ** (stage - 2),
                strides=2 if first and 4 < stride <= output_stride else 1,
                bottleneck=bottleneck,
                rates=(before if first else rate, rate),
                name=f"stage{stage}_block{block}",
            )
        features[min(stride, output_stride)] = x
    return features


def residual_block(x, width, strides=1, bottleneck=False, name="block", rates=(1, 1)):
    """A residual block: ReLU of what came in plus what two or three convolutions make of it.

    Parameters
    ----------
    x : Keras tensor (batch, height, width, channels)
    width : int
        Channels of the 3×3 convolution.
    strides : int
        Of the first convolution, and of the shortcut.
    bottleneck : bool
        1×1, 3×3 and 1×1 with ``4·width`` channels, instead of two 3×3.
    rates : two ints
        Distance between neighbouring taps of the window: of the first
        convolution, and of those after it. They differ where the first would
        have had a stride.

    Returns
    -------
    Keras tensor (batch, ⌈height / strides⌉, ⌈width / strides⌉, out)
        out is ``4·width`` with `bottleneck`, else `width`. Where that or the
        size is not the input's, the shortcut is a 1×1 convolution.
    """
    plan = [(width, 1), (width, 3), (4 * width, 1)] if bottleneck else [(width, 3), (width, 3)]
    channels = plan[-1][0]
    shortcut = x
    if strides > 1 or x.shape[-1] != channels:
        shortcut = _conv_norm(x, channels, 1, f"{name}_shortcut", strides)
    for i, (out, size) in enumerate(plan, start=1):
        last = i == len(plan)
        x = _conv_norm(
            x,
            out,
            size,
            f"{name}_conv{i}",
            strides if i == 1 else 1,
            "zeros" if last else "ones",
            rates[i > 1],
        )
        if not last:
            x = layers.Activation("relu", name=f"{name}_relu{i}")(x)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=name)(x)


def _conv_norm(x, channels, size, name, strides=1, gamma="ones", rate=1):
    """A convolution without bias, centred on every `strides`-th pixel, and its normalisation."""
    if strides > 1 and size > 1:
        # "same" pads less at the top than at the bottom when the size is even: the windows would
        # be centred on odd pixels, while those of the 1×1 shortcut stand on even ones.
        x = layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x)
        padding = "valid"
    else:
        if strides > 1:
            # A 1×1 window with a stride, in two steps: TensorFlow's (2.21, oneDNN) gradient of it
            # in one writes beyond its memory for fewer than 16 channels.
            x = layers.MaxPooling2D(1, strides=strides, name=f"{name}_stride")(x)
            strides = 1
        padding = "same"
    x = layers.Conv2D(
        channels,
        size,
        strides=strides,
        padding=padding,
        dilation_rate=rate,
        use_bias=False,
        name=name,
    )(x)
    return layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, gamma_initializer=gamma, name=f"{name}_norm"
    )(x)
