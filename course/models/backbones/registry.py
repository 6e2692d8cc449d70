"""Every backbone by its name."""

from functools import partial

from keras import layers

from course.models.backbones import pretrained
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


def backbone(name, images, width=64, weights=None):
    """Feature maps of pictures at strides 2 to 32, from the backbone called `name`.

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
    width : int
        Channels of the first convolution of ours. The three from
        ``keras.applications`` have the width they were published with.
    weights : None or "imagenet"
        Random, or trained on ImageNet, which only the three from
        ``keras.applications`` have. Where those weights cannot be fetched, one
        line says so and the network starts from random ones.

    Returns
    -------
    dict
        Feature maps by stride, ``{2: …, 4: …, 8: …, 16: …, 32: …}``; the map
        at stride s has ⌈height / s⌉ × ⌈width / s⌉ positions.

    Raises
    ------
    ValueError
        For a name that is not in ``BACKBONES``, or weights it does not have.

    Examples
    --------
    >>> images = keras.Input((None, None, 3))
    >>> features = backbone("resnet", images, width=16)
    >>> features[8].shape
    (None, None, None, 32)
    """
    if name not in BACKBONES:
        raise ValueError(f"There is no backbone {name!r}. Known are {', '.join(BACKBONES)}.")
    if weights not in (None, "imagenet"):
        raise ValueError(
            f'Weights are None (random) or "imagenet", not {weights!r}. To load a file, build the '
            "model first and call its load_weights."
        )
    if name in PRETRAINED:
        return PRETRAINED[name](images, weights)
    if weights:
        raise ValueError(
            f"There are no ImageNet weights for {name!r}, a network of this course. "
            f"{', '.join(PRETRAINED)} have them; or say weights=None and train from scratch."
        )
    return OURS[name](layers.Rescaling(1 / 127.5, offset=-1, name="scale")(images), width)
