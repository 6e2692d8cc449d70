"""Test-time augmentation: several views of a picture, and the mean of what the network says to them."""

import numpy as np
from keras import ops

from course.inference.logits import logits_of, softmax


def augmented(model, flips=True, scales=(1.0,)):
    """A network that looks at each picture several times: mirrored, and at several sizes.

    Every view's logits become probabilities, are brought back to the
    picture's place and size, and are averaged. Probabilities, because every
    view then has one vote of the same weight; a mean of logits would multiply
    the probabilities, and a single view that is sure of its no could veto a
    class that all others see.

    Parameters
    ----------
    model : keras.Model or callable
        Pictures to logits of the same height and width.
    flips : bool
        Mirror left-right, top-bottom and both: an aerial view has no upright.
        Four views for one.
    scales : sequence of float
        Sizes of the views relative to the picture.

    Returns
    -------
    callable
        Pictures ``(n, height, width, 3)`` to the logarithm of the mean
        probability, float32 ``(n, height, width, classes)``: logits again, of
        which softmax makes that mean. :func:`~course.inference.predict_tiles`
        takes it in place of a model.

    Raises
    ------
    ValueError
        For scales that are not positive; when called, for a network whose
        logits are not of the picture's size.
    """
    scales = tuple(scales)
    if not scales or min(scales) <= 0:
        raise ValueError(f"Scales are positive numbers, one at least, not {scales}.")
    mirrors = [(), (2,), (1,), (1, 2)] if flips else [()]

    def look(images):
        images = np.asanyarray(images)
        total = 0.0
        for scale in scales:
            views = _resized(images, scale)
            for axes in mirrors:
                logits = logits_of(model, np.ascontiguousarray(np.flip(views, axes)))
                if logits.shape[:3] != views.shape[:3]:
                    raise ValueError(
                        "Test-time augmentation needs a network with padding, whose logits are as "
                        f"large as the picture: for {views.shape[1:3]} this one answers "
                        f"{logits.shape[1:3]}."
                    )
                total += _enlarged(np.flip(softmax(logits), axes), images.shape[1:3])
        return np.log(np.maximum(total / (len(scales) * len(mirrors)), 1e-30)).astype(np.float32)

    return look


def _resized(images, scale):
    """Pictures, 0 to 255, with sides scaled and rounded; averaged where they shrink."""
    size = tuple(max(1, round(n * scale)) for n in images.shape[1:3])
    if size == images.shape[1:3]:
        return images
    return ops.convert_to_numpy(ops.image.resize(images.astype(np.float32), size, antialias=True))


def _enlarged(maps, size):
    # Probabilities and not logits: between two pixels, their means still sum to one.
    if maps.shape[1:3] == tuple(size):
        return maps
    return ops.convert_to_numpy(ops.image.resize(maps, size))
