"""Logits of a network as numpy, and the probabilities they stand for."""

import numpy as np


def logits_of(model, images):
    """Logits (n, height, width, classes) of a batch, from a Keras model or any other function of pictures."""
    return np.asarray(getattr(model, "predict_on_batch", model)(images))


def softmax(logits):
    """Probabilities over the last axis, of the same shape and dtype."""
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)
