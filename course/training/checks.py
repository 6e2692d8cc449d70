"""Refuse, before a training begins, what would fail late in it or pass unnoticed."""

import keras
import numpy as np

from course.losses.pixels import ignored_ids
from course.training.layers import all_layers


def check(model, train, validation, batch_size, loss, ignore):
    """Raise ValueError for pictures, masks, a batch or a loss that a network cannot learn from.

    The arguments are those of :func:`course.training.fit`, except `ignore`: the id, ids or None whose
    pixels do not count once the loss has had its say.
    """
    _check_some(train, validation)
    _check_batch(model, min(batch_size, len(train)))
    for samples in filter(None, (train, validation)):
        _check_ids(samples, model.output_shape[-1], ignore)
    _check_classes(train, ignore)
    _check_logits(loss, model)


def _check_some(train, validation):
    """Raise where there is nothing to train on, or nothing to validate with."""
    for what, samples in (("train", train), ("validation, which may be left out", validation)):
        if samples is not None and not len(samples):
            raise ValueError(
                f"There are no pictures in {what}. Of a few pictures, a part (samples.split) can be empty: "
                "choose rows yourself, such as samples[:2] and samples[2:]."
            )


def _check_logits(loss, model):
    """Raise for a loss of probabilities on a network that answers logits: it would learn next to nothing."""
    if _has_softmax(model):
        return
    for part in getattr(loss, "losses", (loss,)):
        if getattr(part, "from_logits", True) is False:
            raise ValueError(
                f"The loss {part.name} expects probabilities, but {model.name} answers logits: it has no "
                "softmax. Pass from_logits=True to the loss, as the course does, or end the network in "
                "keras.layers.Softmax()."
            )


def _has_softmax(model):
    """Whether a layer or operation of `model`, or of a model in it, is a softmax by its name."""
    for step in getattr(model, "operations", model.layers):
        if isinstance(step, keras.Model):
            if _has_softmax(step):
                return True
            continue
        function = getattr(step, "activation", None) or type(step)
        if "softmax" in getattr(function, "__name__", type(function).__name__).lower():
            return True
    return False


def _check_ids(samples, classes, ignore):
    """Raise for a mask with an id that is no class: it would make the loss nan, many steps later."""
    if samples.masks.dtype.kind not in "iu":
        raise ValueError(
            f"Masks hold class ids, which are integers, but these are {samples.masks.dtype}. They must not "
            "be scaled, averaged or interpolated: only pictures are."
        )
    for name, mask in zip(samples.names, samples.masks, strict=True):
        # To look at every id of a large mask takes long.
        if mask.max() < classes and (mask.dtype.kind == "u" or mask.min() >= 0):
            continue
        wrong = mask[(mask < 0) | (mask >= classes)]
        wrong = np.setdiff1d(wrong, ignored_ids(ignore))
        if len(wrong):
            raise ValueError(
                f"The mask of {name} holds the id {wrong[0]}, but the network has {classes} classes, 0 to "
                f"{classes - 1}. Give it a class, or leave such pixels out: name the id in ignore, or in that "
                "of your loss."
            )


def _check_classes(samples, ignore):
    """Raise where one class alone counts, or none: there is nothing to learn, and one everywhere scores 1."""
    found = set()
    for mask in samples.masks:
        found.update(np.setdiff1d(mask, ignored_ids(ignore)).tolist())
        if len(found) > 1:  # mostly in the first mask: not all need be looked at
            return
    remedy = "Add pictures that show another."
    if ignored_ids(ignore):
        remedy = (
            f"If what is ignored, {ignore!r}, is a class of yours, pass ignore=None, or the id of pixels "
            "without a class; if you hand in a loss, build it so."
        )
    if not found:
        raise ValueError(f"In the training masks no pixel counts: all are ignored. {remedy}")
    raise ValueError(
        f"In the training masks only one class counts, {found.pop()}: a network that paints it everywhere "
        f"would score 1.0. {remedy}"
    )


def _check_batch(model, size):
    """Raise where a batch holds one number a channel: its variance is 0, and predictions explode by it."""
    for layer in all_layers(model) if size == 1 else ():
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = getattr(layer, "input", model.inputs[0]).shape
            if tuple(shape[1:-1]) == (1, 1):
                raise ValueError(
                    f"{layer.name} normalizes one number a picture and channel, so a batch must hold two "
                    "pictures or more, but batch_size, or the number of pictures, is 1. To learn one "
                    "picture by heart, hand it over twice: two names, two pictures, two masks."
                )
