"""Every backbone by its name."""

from functools import partial

import keras
from keras import layers

from course.models.backbones import pretrained, shipped
from course.models.backbones.alexnet import alexnet
from course.models.backbones.googlenet import googlenet
from course.models.backbones.resnet import RESNET18_DEPTHS, resnet
from course.models.backbones.vgg import SMALL_DEPTHS, vgg

OURS = {
    "alexnet": partial(alexnet, batch_norm=True),
    "vgg": partial(vgg, depths=SMALL_DEPTHS, batch_norm=True),
    "googlenet": partial(googlenet, batch_norm=True),
    "resnet": partial(resnet, depths=RESNET18_DEPTHS, bottleneck=False),
}
PRETRAINED = {
    "vgg16": pretrained.vgg16,
    "resnet50": pretrained.resnet50,
    "mobilenet_v2": pretrained.mobilenet_v2,
}
BACKBONES = (*OURS, *PRETRAINED)
OUTPUT_STRIDES = (8, 16, 32)
WIDTH = 64  # of ours, where none is named


def backbone(name, images, width=None, weights=None, output_stride=32):
    """Feature maps of pictures at strides 2 to `output_stride`, from the backbone called `name`.

    Parameters
    ----------
    name : str
        Ours, with batch normalization and a width of your choice: ``"alexnet"``,
        ``"vgg"`` (eight convolutions), ``"googlenet"``, ``"resnet"`` (18 layers).
        From ``keras.applications``, as published: ``"vgg16"``, ``"resnet50"``,
        ``"mobilenet_v2"``; each is one layer of the model it is used in, called
        by its name, so that ``model.get_layer("resnet50").trainable = False``
        freezes it.
    images : Keras tensor (batch, height, width, 3)
        RGB pictures, 0 to 255, of any size or of size None. They are scaled
        here as the network expects.
    width : int, optional
        Channels of the first convolution of ours, 64 by default. The three from
        ``keras.applications`` have the width they were published with, and take none.
    weights : None, "imagenet" or "scenes"
        Random; trained on ImageNet, which only the three from
        ``keras.applications`` have; or trained on the course's synthetic
        scenes, which ``"resnet"`` of width 24 has: they come with the course
        and need no network. Where ImageNet's weights cannot be fetched, one
        line says so and the network starts from random ones.
    output_stride : 8, 16 or 32
        Of the last map. Below 32, the strides that would make it coarser are
        left out and all windows after them are spread by as much (their
        *rate*): the same weights give the same values, and more between them,
        for pictures whose sides 32 divides.

    Returns
    -------
    dict
        Feature maps by stride, ``{2: …, 4: …, 8: …, 16: …, 32: …}``; the map
        at stride s has ⌈height / s⌉ × ⌈width / s⌉ positions. With a smaller
        `output_stride` the dictionary ends there, with the network's last map.

    Raises
    ------
    ValueError
        For a name that is not in ``BACKBONES``, weights it does not have, a width
        where it has its own, or another output stride.

    References
    ----------
    Chen and others, *Semantic Image Segmentation with Deep Convolutional Nets
    and Fully Connected CRFs*, ICLR 2015, section 3.1, for the rates.

    Examples
    --------
    >>> images = keras.Input((None, None, 3))
    >>> features = backbone("resnet", images, width=16)
    >>> features[8].shape
    (None, None, None, 32)
    """
    if name not in BACKBONES:
        raise ValueError(f"There is no backbone {name!r}. Known are {', '.join(BACKBONES)}.")
    if weights not in (None, "imagenet", "scenes"):
        raise ValueError(
            f'Weights are None (random), "imagenet" or "scenes", not {weights!r}. To load a file, '
            "build the model first and call its load_weights."
        )
    channels = WIDTH if width is None else width
    if weights == "scenes" and (name, channels) != (shipped.NAME, shipped.WIDTH):
        raise ValueError(
            f'There are weights trained on scenes for "{shipped.NAME}" of width {shipped.WIDTH} '
            f"alone, not for {name!r} of width {channels}."
        )
    if output_stride not in OUTPUT_STRIDES:
        raise ValueError(f"The output stride is 8, 16 or 32, not {output_stride!r}.")
    if name in PRETRAINED:
        if width is not None:
            raise ValueError(
                f"{name!r} has the width it was published with, so width={width!r} would change nothing. Leave "
                f"the width out, or take one of the course's own: {', '.join(OURS)}."
            )
        return PRETRAINED[name](images, weights, output_stride)
    if weights == "imagenet":
        raise ValueError(
            f"There are no ImageNet weights for {name!r}, a network of this course. "
            f"{', '.join(PRETRAINED)} have them; or say weights=None and train from scratch."
        )
    scaled = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(images)
    features = OURS[name](scaled, channels, output_stride=output_stride)
    if weights == "scenes":
        shipped.load(keras.Model(images, list(features.values())))
    return features
