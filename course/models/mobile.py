"""A network for small devices: depthwise separable convolutions, and no map finer than stride 2.

Howard and others, *MobileNets: Efficient Convolutional Neural Networks for
Mobile Vision Applications*, 2017 (arXiv:1704.04861).
"""

import keras
from keras import layers

from course.classes import NUM_CLASSES
from course.layers import CropLike, MirrorPad, ResizeLike
from course.models.backbones.conv import conv_relu, separable

FINEST = 4  # stride of the map that is scored


def mobile_unet(width=16, *, classes=NUM_CLASSES, size=(None, None)):
    """A U-Net of depthwise separable convolutions from stride 2 to 32 and back to 4.

    Three things save time: the first convolution halves the picture; every
    other 3×3 convolution is split into one a channel and a 1×1 across
    channels; the way up stops at stride 4, adds where U-Net concatenates, and
    the scores are enlarged bilinearly from there.

    Parameters
    ----------
    width : int
        Channels at stride 2; they double with each stride up to 16·width at 32.
    classes : int
    size : (height, width)
        Of the pictures, where it is fixed. Any size works.

    Returns
    -------
    keras.Model
        Pictures ``(batch, height, width, 3)``, 0 to 255, to float32 logits
        ``(batch, height, width, classes)``. 210,000 parameters for width 16.
    """
    images = keras.Input((*size, 3), name="images")
    padded = MirrorPad(32, name="pad")(images)
    x = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(padded)
    x = conv_relu(x, width, 3, "stem", strides=2, batch_norm=True)
    across = {}
    for stride in (4, 8, 16, 32):
        x = separable(x, width * stride // 2, f"down_{stride}_1", strides=2)
        x = across[stride] = separable(x, width * stride // 2, f"down_{stride}_2")
    for stride in (16, 8, FINEST):
        x = layers.Conv2D(width * stride // 2, 1, name=f"up_{stride}_channels")(x)
        x = ResizeLike(name=f"up_{stride}")([x, across[stride]])
        x = layers.Add(name=f"up_{stride}_join")([x, across[stride]])
        x = separable(x, width * stride // 2, f"up_{stride}_1")
    x = layers.Conv2D(classes, 1, name="score")(x)
    x = ResizeLike(name="enlarge")([x, padded])
    # Logits in float32 also where the rest computes in half precision.
    x = CropLike(name="logits", dtype="float32")([x, images])
    return keras.Model(images, x, name="mobile_unet")
