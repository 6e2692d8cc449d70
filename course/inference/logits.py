"""Logits of a network as numpy, and the probabilities they stand for."""

import numpy as np

STRIDES = (2, 4, 8, 16, 32)
MOST = 256  # classes whose ids a uint8 mask can hold


def logits_of(model, images):
    """Logits (n, height, width, classes) of a batch, from a Keras model or any other function of pictures.

    Raises
    ------
    ValueError
        For answers of another shape, for more classes than a mask can hold, and for scores that are
        no numbers: of these argmax would make class 0.
    """
    logits = np.asarray(getattr(model, "predict_on_batch", model)(images))
    if logits.ndim != 4 or len(logits) != len(images) or not 1 <= logits.shape[-1] <= MOST:
        raise ValueError(
            f"For pictures {images.shape} this network answers {logits.shape}. Expected are logits (n, height, "
            f"width, classes), one score a pixel for each of up to {MOST} classes."
        )
    if np.isnan(logits.min(initial=0)):
        raise ValueError(
            "Some of this network's scores are nan, no numbers, so no class is the best. Did its training "
            "diverge (a loss of nan)? Train it again, at a lower learning rate."
        )
    return logits


def stride_of(size, answer):
    """The stride of a map of size `answer` over a picture of `size`, both (height, width); None if it has none."""
    if tuple(size) == tuple(answer):
        return None
    for stride in STRIDES:
        # Pools without padding round down, strides with padding up.
        if all(m in (n // stride, -(-n // stride)) for n, m in zip(size, answer, strict=True)):
            return stride
    return None


def softmax(logits):
    """Probabilities over the last axis, of the same shape and dtype."""
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)
