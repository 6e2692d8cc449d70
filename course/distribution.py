"""Two or more accelerators: each takes its share of every batch, and all keep one set of weights."""

import contextlib
import functools
import os
import sys

import keras
import numpy as np

from course import environment
from course.data import Batches
from course.losses import Sum

MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")  # reductions of Keras's losses


def devices(batch_size, names=None):
    """The devices that share each batch of `batch_size` pictures, by name.

    Parameters
    ----------
    batch_size : int
    names : sequence of str, optional
        As ``keras.distribution.list_devices()`` gives them, ``("gpu:0",
        "gpu:1")``; CPU devices are taken only if they are named here. Without
        it all GPUs, or TPU cores on JAX, at most as many as ``COURSE_DEVICES``
        says if it is set: 1 trains on one whatever there is.

    Returns
    -------
    list of str
        As many of `names` as divide the batch evenly, with a line if these are
        not all that were named; empty for no choice but the backend's own.

    Raises
    ------
    ValueError
        If ``COURSE_DEVICES`` is no number from 1 on, or `names` holds what is no
        device here, or one alone that Keras does not use by itself.
    """
    if names is None:
        return _sharing(batch_size, _accelerators())
    names = [names] if isinstance(names, str) else list(names)
    used = _sharing(batch_size, names)
    _check_names(names, used)
    if len(used) < len(names):
        print(
            f"Training on {', '.join(used)} of the {len(names)} devices named: a batch of "
            f"{batch_size} cannot be shared evenly by more. Take a batch size that their number divides."
        )
    return used


@contextlib.contextmanager
def spread(model, names):
    """A context whose value is `model` itself for one device, else a copy of it on all of `names`.

    A model is bound to the devices it was built on, hence the copy. Train it
    inside the context, with a loss from :func:`whole_batch` and validation
    batches from :func:`even`, then hand its weights back to `model`.

    Notes
    -----
    Batch normalization takes its statistics from the whole batch, wherever its
    parts lie, so that training is what it is on one device. (TensorFlow's own
    way, each part by itself, would leave every device with other moving
    averages.) Dropout draws other units than on one device.
    """
    if len(names) < 2:
        yield model
        return
    with _scope(names):
        copy = _copy(model)
        copy.set_weights(model.get_weights())
        yield copy


def whole_batch(loss, names):
    """`loss`, taken over the whole batch instead of over each device's share of it.

    A mean over the pixels that count, or a Dice coefficient, of a batch is not
    the mean of those of its halves. On JAX every loss sees the whole batch
    anyway; on TensorFlow the logits are gathered first.
    """
    if len(names) < 2 or environment.backend() != "tensorflow":
        return loss
    if isinstance(loss, Sum):  # whose parts Keras may treat unlike: see _Gathered
        return Sum([whole_batch(part, names) for part in loss.losses], loss.weights, loss.name)
    return _Gathered(loss)


def even(batches, names):
    """`batches` of validation such that each divides by the number of devices.

    Where the last one would not, every picture takes part as often as there
    are devices: that changes no mean and no metric, and takes as long as on one.
    """
    n = max(1, len(names))
    if batches.batch_size % n == 0 and len(batches.samples) % n == 0:
        return batches
    return _Repeated(batches.samples, batches.batch_size, n)


def _sharing(batch_size, names):
    """As many of `names`, from the first on, as divide the batch evenly."""
    # Of uneven shares the largest sets the pace, and JAX takes none at all.
    return names[: max((n for n in range(1, len(names) + 1) if batch_size % n == 0), default=0)]


def _accelerators():
    kind = environment.device()
    library = environment.backend()
    if kind == "cpu" or library == "torch" or (library, kind) == ("tensorflow", "tpu"):
        return []
    names = keras.distribution.list_devices(kind)
    limit = os.environ.get("COURSE_DEVICES", "").strip() or len(names)
    try:
        if int(limit) < 1:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"COURSE_DEVICES is {limit!r}, but it is the number of devices to train on at most, "
            "1 or more. Unset it to use all."
        ) from None
    return names[: int(limit)]


def _check_names(names, used):
    """Raise for devices that were named and are not there, or if the one that is `used` is not Keras's own choice."""
    if environment.backend() == "torch":  # which lists none; several are refused later
        return
    found = [device for kind in ("gpu", "tpu", "cpu") for device in _listed(kind)]
    if missing := [name for name in names if name not in found]:
        raise ValueError(
            f"devices names {missing[0]!r}, but Keras finds {', '.join(found)}. Name some of these, or leave "
            "devices out to use all GPUs."
        )
    if len(used) == 1 and used != found[:1]:
        raise ValueError(
            f"Of devices, {used[0]!r} alone would train, but on one device Keras trains on {found[0]!r}. To train on "
            "another, hide the rest before the first import: CUDA_VISIBLE_DEVICES=1 shows the second GPU alone, "
            "and -1 none."
        )


def _listed(kind):
    try:
        return keras.distribution.list_devices(kind)
    except RuntimeError:  # JAX, of a kind that this machine has not
        return []


def _scope(names):
    if environment.backend() == "jax":
        return keras.distribution.DataParallel(devices=names).scope()
    if environment.backend() == "tensorflow":
        return _mirrored(tuple(names)).scope()
    raise ValueError(
        f"Training on several devices works on TensorFlow and JAX, not on {environment.backend()}. "
        "Name one device, or none."
    )


def _copy(model):
    # Of a compiled model Keras compiles the copy too, and then fails for a loss that nobody registered.
    models = list(_models(model))
    compiled = [part.compiled for part in models]
    for part in models:
        part.compiled = False
    try:
        return keras.models.clone_model(model, clone_function=_synchronized, recursive=True)
    finally:
        for part, was in zip(models, compiled, strict=True):
            part.compiled = was


def _models(model):
    """`model` and the models among its layers."""
    yield model
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _models(layer)


def _synchronized(layer):
    config = layer.get_config()
    if isinstance(layer, keras.layers.BatchNormalization):
        config["synchronized"] = environment.backend() == "tensorflow"
    return type(layer).from_config(config)


@functools.cache  # a second one would number its messages like the first, and mix them up
def _mirrored(names):
    return sys.modules["tensorflow"].distribute.MirroredStrategy(names)


class _Gathered(keras.losses.Loss):
    def __init__(self, loss):
        super().__init__(name=loss.name, dtype=loss.dtype)
        self.loss = loss

    def __call__(self, y_true, y_pred, sample_weight=None):
        context = sys.modules["tensorflow"].distribute.get_replica_context()
        if context is None:  # the model is being built
            return self.loss(y_true, y_pred, sample_weight)
        y_true, y_pred = self._gather(context, y_true), self._gather(context, y_pred)
        value = self.loss(y_true, y_pred, sample_weight)
        if self._divided_by_keras(y_true, y_pred):
            return value
        # Each device computes the loss of the whole, and gathering adds up their gradients.
        return value / context.num_replicas_in_sync

    def _divided_by_keras(self, y_true, y_pred):
        """Whether Keras itself divides by the number of devices: it does where it takes the mean."""
        loss = self.loss
        if type(loss).__call__ is not keras.losses.Loss.__call__ or loss.reduction not in MEANS:
            return False
        # As Keras hands them over: a `call` of one's own may count on floats.
        parts = (keras.ops.convert_to_tensor(part, dtype=loss.dtype) for part in (y_true, y_pred))
        return keras.ops.ndim(loss.call(*parts)) > 0

    def _gather(self, context, part):
        part = keras.ops.convert_to_tensor(part)
        if "int" in part.dtype.name:  # the collective operations know no uint8
            part = keras.ops.cast(part, "int32")
        whole = context.all_gather(part, axis=0)
        whole.set_shape((None, *part.shape[1:]))  # which gathering forgets
        return whole


class _Repeated(Batches):
    def __init__(self, samples, batch_size, times):
        super().__init__(samples, batch_size)
        self.times = times

    def _batch(self, epoch, index):
        return tuple(np.repeat(part, self.times, axis=0) for part in super()._batch(epoch, index))
