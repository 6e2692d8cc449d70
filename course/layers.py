"""Layers that the course's models share."""

import functools

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
    ``out == in``, zero between different channels. Called for a kernel of a
    size that no whole factor has, it raises ValueError.
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


@keras.saving.register_keras_serializable(package="course")
class AtrousMaxPool(keras.layers.Layer):
    """Max pooling with stride 1 whose window has holes: it keeps the size of the map.

    ``(batch, h, w, c)`` to the same shape. Beyond the edge nothing is larger
    than what is inside.

    Parameters
    ----------
    size : int
        Taps of the window in each direction.
    rate : int
        Distance between neighbouring taps.
    centred : bool
        The window stands around its place (for odd sizes), as in a pool with
        stride 1. Else it starts there, as a pool with stride 2 and padding
        "same" does on an even map; every second place then has that pool's
        value.
    """

    def __init__(self, size, rate=1, centred=False, **options):
        super().__init__(**options)
        self.size, self.rate, self.centred = size, rate, centred

    def call(self, x):
        reach = (self.size - 1) * self.rate
        rim = (reach // 2, reach - reach // 2) if self.centred else (0, reach)
        _, height, width, _ = ops.shape(x)
        x = ops.pad(x, [(0, 0), rim, rim, (0, 0)], constant_values=-float("inf"))
        taps = [tap * self.rate for tap in range(self.size)]
        x = functools.reduce(ops.maximum, [x[:, tap : tap + height] for tap in taps])
        return functools.reduce(ops.maximum, [x[:, :, tap : tap + width] for tap in taps])

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        own = {"size": self.size, "rate": self.rate, "centred": self.centred}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="course")
class ResizeLike(keras.layers.Layer):
    """Resize a map bilinearly to another's height and width.

    ``[(batch, h, w, c), (batch, H, W, ...)]`` to ``(batch, H, W, c)``. Corners
    of the pictures lie on each other, not centres of their corner pixels
    (PyTorch's ``align_corners=False``).
    """

    def call(self, inputs):
        x, like = inputs
        size = ops.shape(like)[1:3]
        if all(isinstance(n, int) for n in size):
            return ops.image.resize(x, size, interpolation="bilinear")
        # Keras compares the size with 0, which TensorFlow refuses for one known only at run time.
        for axis, n in zip((1, 2), size, strict=True):
            x = self._resized(x, n, axis)
        return x

    def _resized(self, x, size, axis):
        last = ops.shape(x)[axis] - 1
        steps = (ops.cast(ops.arange(size), "float32") + 0.5) / ops.cast(size, "float32")
        place = steps * ops.cast(last + 1, "float32") - 0.5
        place = ops.clip(place, 0, ops.cast(last, "float32"))
        before = ops.cast(place, "int32")
        after = ops.minimum(before + 1, last)
        share = ops.cast(place - ops.cast(before, "float32"), x.dtype)
        share = ops.reshape(share, (-1, 1, 1) if axis == 1 else (-1, 1))
        return ops.take(x, before, axis) * (1 - share) + ops.take(x, after, axis) * share

    def compute_output_shape(self, input_shape):
        (batch, _, _, channels), like = input_shape
        return (batch, like[1], like[2], channels)


@keras.saving.register_keras_serializable(package="course")
class MirrorPad(keras.layers.Layer):
    """Enlarge pictures at the bottom and right, by mirroring, to the next multiple of a number.

    ``(batch, h, w, c)`` to ``(batch, H, W, c)``, where H and W are h and w
    rounded up. The edge itself is not repeated, as in ``numpy.pad``'s mode
    "reflect". :class:`CropLike` undoes it.

    Parameters
    ----------
    multiple : int
        What height and width must be divisible by: 2**n for n poolings.
    """

    def __init__(self, multiple, **options):
        super().__init__(**options)
        self.multiple = multiple

    def call(self, x):
        for axis in (1, 2):
            size = ops.shape(x)[axis]
            if isinstance(size, int) and size % self.multiple == 0:
                continue
            # There and back again takes 2·(size − 1) steps. A picture may be smaller than its rim.
            period = ops.maximum(2 * (size - 1), 1)
            steps = ops.arange(self._rounded(size)) % period
            x = ops.take(x, ops.minimum(steps, period - steps), axis=axis)
        return x

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        height, width = (n if n is None else self._rounded(n) for n in (height, width))
        return (batch, height, width, channels)

    def _rounded(self, size):
        return -(-size // self.multiple) * self.multiple

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable(package="course")
class MaxPoolWithIndices(keras.layers.Layer):
    """Max pooling over 2×2 windows that also tells where each maximum lay.

    ``(batch, h, w, c)`` to ``(values, indices)``, both
    ``(batch, ⌈h/2⌉, ⌈w/2⌉, c)``. The values are those of
    ``MaxPooling2D(2, padding="same")``: a window that overhangs at the bottom
    or right takes what it has. The indices are int32, the place within the
    window: 0 and 1 are its upper row, 2 and 3 its lower. Of equal maxima the
    first counts, and it alone gets the gradient.

    References
    ----------
    Badrinarayanan, Kendall, Cipolla, *SegNet*, TPAMI 2017, section 3: two bits
    tell the place in a window. PyTorch's indices count through the whole map.
    """

    def call(self, inputs):
        _, height, width, _ = ops.shape(inputs)
        rows, columns = 2 * ((height + 1) // 2), 2 * ((width + 1) // 2)
        # Minus infinity exceeds no value: a maximum never comes from the rim.
        x = ops.pad(inputs, [(0, 0), (0, 1), (0, 1), (0, 0)], constant_values=-float("inf"))
        x = x[:, :rows, :columns]
        values = x[:, ::2, ::2]
        indices = ops.zeros_like(values, dtype="int32")
        for place in (1, 2, 3):
            rival = x[:, place // 2 :: 2, place % 2 :: 2]
            larger = rival > values
            values = ops.where(larger, rival, values)
            indices = ops.where(larger, place, indices)
        return values, indices

    def compute_output_spec(self, inputs):
        batch, height, width, channels = inputs.shape
        halves = (side if side is None else (side + 1) // 2 for side in (height, width))
        shape = (batch, *halves, channels)
        return keras.KerasTensor(shape, inputs.dtype), keras.KerasTensor(shape, "int32")


@keras.saving.register_keras_serializable(package="course")
class Unpool(keras.layers.Layer):
    """Put each value where its maximum lay, zeros elsewhere: :class:`MaxPoolWithIndices` undone.

    ``[values, indices]``, each ``(batch, h, w, c)``, to ``(batch, 2h, 2w, c)``.
    Where pooling rounded an odd size up, :class:`CropLike` takes the overhang
    off again; no value lies there. The gradient goes back by the same places.

    References
    ----------
    Zeiler, Fergus, *Visualizing and Understanding Convolutional Networks*,
    ECCV 2014; Noh, Hong, Han, *Learning Deconvolution Network for Semantic
    Segmentation*, ICCV 2015.
    """

    def call(self, inputs):
        values, indices = inputs
        batch, height, width, channels = ops.shape(values)
        upper_left, upper_right, lower_left, lower_right = (
            ops.where(indices == place, values, 0) for place in range(4)
        )
        upper = ops.stack([upper_left, upper_right], axis=3)
        lower = ops.stack([lower_left, lower_right], axis=3)
        x = ops.stack([upper, lower], axis=2)  # (batch, h, 2, w, 2, c)
        return ops.reshape(x, (batch, 2 * height, 2 * width, channels))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape[0]
        double = (side if side is None else 2 * side for side in (height, width))
        return (batch, *double, channels)
