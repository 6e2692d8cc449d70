"""Layers that the course's models share."""

import keras
import numpy as np
from keras import ops


def bilinear_kernel(factor):
    """Weights that enlarge a picture `factor` times by bilinear interpolation.

    Parameters
    ----------
    factor : int
        The stride of the transposed convolution.

    Returns
    -------
    (size, size) float32 array, size = 2·factor − factor mod 2
        A tent: its value falls linearly from the centre.

    References
    ----------
    Long, Shelhamer, Darrell, *Fully Convolutional Networks for Semantic
    Segmentation*, CVPR 2015, section 3.3.
    """
    size = 2 * factor - factor % 2
    centre = (size - 1) / 2
    tent = 1 - np.abs(np.arange(size) - centre) / factor
    return np.outer(tent, tent).astype("float32")


@keras.saving.register_keras_serializable(package="course")
class Bilinear(keras.initializers.Initializer):
    """Initialise a ``Conv2DTranspose`` to bilinear interpolation of each channel by itself.

    For a kernel of shape ``(size, size, out, in)``: the tent on the diagonal
    ``out == in``, zero between different channels.
    """

    def __call__(self, shape, dtype=None):
        height, width, out, into = shape
        kernel = np.zeros(shape, "float32")
        # size = 2·factor − factor mod 2 gives factor = ⌈size / 2⌉.
        tent = bilinear_kernel((height + 1) // 2)
        if tent.shape != (height, width):
            raise ValueError(
                f"No whole factor has a bilinear kernel of {height}×{width}. The kernel of a factor "
                "is square, of size 2·factor − factor mod 2: 4×4 for factor 2, 16×16 for 8."
            )
        for channel in range(min(out, into)):
            kernel[:, :, channel, channel] = tent
        return ops.convert_to_tensor(kernel, dtype=dtype)

    def get_config(self):
        return {}


def upsample(channels, factor, name=None, trainable=True):
    """A transposed convolution that enlarges `factor` times, initialised to bilinear interpolation.

    ``(batch, h, w, channels)`` to ``(batch, factor·h, factor·w, channels)``,
    without a bias.
    """
    return keras.layers.Conv2DTranspose(
        channels,
        kernel_size=2 * factor - factor % 2,
        strides=factor,
        padding="same",
        use_bias=False,
        kernel_initializer=Bilinear(),
        trainable=trainable,
        name=name,
    )


@keras.saving.register_keras_serializable(package="course")
class CropLike(keras.layers.Layer):
    """Crop a map at its bottom and right to another's height and width.

    ``[(batch, h, w, c), (batch, H, W, ...)]`` to ``(batch, H, W, c)``, where
    h ≥ H and w ≥ W. Pooling rounds sizes up, so what is enlarged again can
    overhang by a few pixels.
    """

    def call(self, inputs):
        x, like = inputs
        _, height, width, *_ = ops.shape(like)
        return x[:, :height, :width]

    def compute_output_shape(self, input_shape):
        (batch, _, _, channels), like = input_shape
        return (batch, like[1], like[2], channels)
