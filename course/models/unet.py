"""U-Nets: the paper's, a small one to train from scratch, and one over any backbone.

Ronneberger, Fischer, Brox, *U-Net: Convolutional Networks for Biomedical Image
Segmentation*, MICCAI 2015 (arXiv:1505.04597).
"""

import keras
from keras import layers

from course.classes import NUM_CLASSES
from course.layers import CropLike, MirrorPad, ResizeLike
from course.models.backbones import backbone

PADDINGS = ("valid", "same")
WAYS_UP = ("transposed", "bilinear")


def unet(
    *,
    classes=NUM_CLASSES,
    channels=3,
    padding="valid",
    batch_norm=False,
    width=64,
    depth=4,
    size=(None, None),
):
    """U-Net as in the paper: down by poolings, up by 2×2 up-convolutions, each level joined across.

    Parameters
    ----------
    classes : int
    channels : int
        Of the pictures: 3 for RGB, 1 for the paper's grey microscope images.
    padding : "valid" or "same"
        The paper's convolutions use no padding ("valid"): each cuts a rim of
        one pixel off its map, and the logits belong to the middle of the
        picture; :func:`output_size` says how much is left. With "same",
        logits are as large as the picture.
    batch_norm : bool
        Normalise after each 3×3 convolution, which then has no bias. Not in
        the paper.
    width : int
        Channels of the first level; they double with each.
    depth : int
        How many times the picture is halved.
    size : (height, width)
        Of the pictures, where it is fixed. With "same", any size works: inside,
        it is mirrored up to a multiple of 2**depth. With "valid", a size that
        does not fit is refused here; if the size is left open, the first
        picture that does not fit stops at a concatenation, and
        :func:`output_size` explains why.

    Returns
    -------
    keras.Model
        Pictures ``(batch, height, width, channels)``, 0 to 255, to float32
        logits: ``(batch, 388, 388, classes)`` for 572×572 and "valid".
        31,030,658 parameters for one channel and two classes.

    Raises
    ------
    ValueError
        For another padding, or a fixed size that "valid" cannot take.
    """
    if padding not in PADDINGS:
        raise ValueError(f'padding is "valid", as in the paper, or "same", not {padding!r}.')
    if padding == "valid":
        output_size(size, depth)
    images = keras.Input((*size, channels), name="images")
    x = images if padding == "valid" else MirrorPad(2**depth, name="pad")(images)
    x = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(x)
    x = _down_across_up(x, width, [2] * (depth + 1), padding, batch_norm, dropout=0.5)
    return _score(images, x, classes, padding, "unet")


def small_unet(
    width=16, *, depth=4, classes=NUM_CLASSES, skips=True, size=(None, None), up="transposed"
):
    """U-Net with same padding and batch normalization, for training from scratch in minutes.

    Levels, up-convolutions and skips are :func:`unet`'s, whose parameters
    and result it shares; pictures of any size are mirrored up to a multiple of
    2**depth inside, and the logits cropped. The two finest levels, where a
    convolution costs most, have one each way instead of two, and nothing is
    dropped out: a short training fits too little, not too much.

    Parameters
    ----------
    skips : bool
        Without them the way up sees the last map alone, and all else stays.
        The first convolution of each level on the way up then reads half as
        many channels: 765·width² parameters fewer at depth 4, a tenth.
    up : "transposed" or "bilinear"
        How a map is enlarged by two: by the paper's 2×2 up-convolution, whose
        four weights differ at first and leave a woven pattern in a short
        training, or by a 1×1 convolution and bilinear interpolation.

    Raises
    ------
    ValueError
        For another way up.
    """
    images = keras.Input((*size, 3), name="images")
    x = MirrorPad(2**depth, name="pad")(images)
    x = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(x)
    convolutions = [1 if level < 2 else 2 for level in range(depth + 1)]
    x = _down_across_up(x, width, convolutions, "same", batch_norm=True, skips=skips, up=up)
    return _score(images, x, classes, "same", "small_unet")


def backbone_unet(
    name="resnet50",
    width=None,
    weights=None,
    *,
    classes=NUM_CLASSES,
    decoder_width=16,
    stride=1,
    size=(None, None),
):
    """U-Net whose way down is a backbone, trained before or not.

    The way up goes from stride 32 to stride 1; on strides 16 to 2 it joins the
    backbone's map of that stride, and at stride 1, for which a backbone has
    none, it goes on alone. Pictures of any size, as for :func:`small_unet`.

    Parameters
    ----------
    name, width, weights
        As :func:`course.models.backbones.backbone` takes them.
    decoder_width : int
        Channels of the way up at stride 1; twice as many at stride 2, and so
        on to 16 times at stride 16.
    stride : 1, 2, 4, 8 or 16
        Where the way up ends, and the scores are taken; above 1 they are
        enlarged bilinearly from there. The levels that this spares work on the
        most pixels, with the fewest channels.

    Raises
    ------
    ValueError
        For another stride to end at.
    """
    if stride not in (1, 2, 4, 8, 16):
        raise ValueError(f"stride says where the way up ends: 1, 2, 4, 8 or 16, not {stride!r}.")
    images = keras.Input((*size, 3), name="images")
    padded = MirrorPad(32, name="pad")(images)
    features = backbone(name, padded, width, weights)
    x = features[32]
    for at in (level for level in (16, 8, 4, 2, 1) if level >= stride):
        channels, level = decoder_width * at, f"up_{at}"
        x = layers.Conv2DTranspose(channels, 2, strides=2, name=level)(x)
        if at in features:
            x = layers.Concatenate(name=f"{level}_join")([features[at], x])
        x = _convolve(x, channels, 2, level, "same", batch_norm=True)
    return _score(images, x, classes, "same", f"{name}_unet", padded if stride > 1 else None)


def output_size(size, depth=4):
    """What a U-Net without padding leaves of a picture: ``output_size((572, 572)) == (388, 388)``.

    Parameters
    ----------
    size : (height, width)
        Of the picture in pixels; None for one that is not fixed.
    depth : int

    Returns
    -------
    (height, width)
        Of the logits, which belong to the middle of the picture: 92 pixels
        are lost on each side at depth 4, ``6 · 2**depth − 4`` in general.

    Raises
    ------
    ValueError
        If the picture is too small, or a map on the way down is of odd size:
        pooled and enlarged again, it would no longer lie over its skip. The
        message names the nearest sizes that fit.
    """
    return tuple(n if n is None else _output_length(n, depth) for n in size)


def _output_length(length, depth):
    step, lost = 2**depth, 12 * 2**depth - 8
    smallest = lost + (4 % step or step)
    over = (length - smallest) % step
    if length >= smallest and not over:
        return length - lost
    below, above = length - over, length - over + step
    fitting = f"{below} and {above}" if below >= smallest else f"{smallest}"
    raise ValueError(
        f"A U-Net of depth {depth} without padding cannot take a picture {length} pixels high or "
        f"wide: it fits {smallest} and each {step} more, here the nearest is {fitting}. Crop or "
        'mirror the picture to fit, or take padding="same".'
    )


def _down_across_up(
    x, width, convolutions, padding, batch_norm, dropout=0, skips=True, up="transposed"
):
    """The U on a scaled picture, `convolutions` of them at each level, first the finest."""
    depth, across = len(convolutions) - 1, []
    for level, number in enumerate(convolutions):
        if level:
            x = layers.MaxPooling2D(2, name=f"pool_{2**level}")(x)
        x = _convolve(x, width * 2**level, number, f"down_{2**level}", padding, batch_norm)
        if dropout and level >= depth - 1:  # "at the end of the contracting path"
            x = layers.Dropout(dropout, name=f"drop_{2**level}")(x)
        across.append(x)
    for level in reversed(range(depth)):
        channels, name = width * 2**level, f"up_{2**level}"
        x = _enlarge(x, channels, name, up)
        if skips:
            skip = across[level]
            if padding == "valid":
                # What the levels below have cut off: 4 pixels a side below the last skip, then 16, 40, 88.
                rim = 6 * 2 ** (depth - level) - 8
                skip = layers.Cropping2D(rim, name=f"{name}_crop")(skip)
            x = layers.Concatenate(name=f"{name}_join")([skip, x])
        x = _convolve(x, channels, convolutions[level], name, padding, batch_norm)
    return x


def _enlarge(x, channels, name, up):
    """The map `x` at twice its height and width, in so many channels."""
    if up not in WAYS_UP:
        raise ValueError(f'up is "transposed", as in the paper, or "bilinear", not {up!r}.')
    options = {"kernel_initializer": "he_normal", "name": name}
    if up == "transposed":
        return layers.Conv2DTranspose(channels, 2, strides=2, **options)(x)
    x = layers.Conv2D(channels, 1, **options)(x)  # where the map is small
    return layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_bilinear")(x)


def _convolve(x, channels, number, name, padding, batch_norm):
    """3×3 convolutions, each with ReLU."""
    for i in range(1, number + 1):
        x = layers.Conv2D(
            channels,
            3,
            padding=padding,
            use_bias=not batch_norm,
            kernel_initializer="he_normal",
            name=f"{name}_conv{i}",
        )(x)
        if batch_norm:
            x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm{i}")(x)
        x = layers.Activation("relu", name=f"{name}_relu{i}")(x)
    return x


def _score(images, x, classes, padding, name, enlarged_to=None):
    # Logits in float32 also where the rest computes in half precision.
    if padding == "valid":
        x = layers.Conv2D(classes, 1, dtype="float32", name="logits")(x)
    else:
        x = layers.Conv2D(classes, 1, name="score")(x)
        if enlarged_to is not None:
            x = ResizeLike(name="enlarge")([x, enlarged_to])
        x = CropLike(name="logits", dtype="float32")([x, images])
    return keras.Model(images, x, name=name)
