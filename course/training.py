"""Train a segmentation network with defaults that work on this data."""

import contextlib
import json
import math
import os
import shutil
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from course import distribution, environment
from course.classes import UNLABELED
from course.data import FLIPS, Batches
from course.losses import CrossEntropy, square_root_weights
from course.losses.pixels import ignored_by, ignored_ids
from course.metrics import MeanIoU

WATCHED = "val_mean_iou"


@dataclass
class History:
    """What training reported: one number an epoch for each of `curves`, and the time it took.

    curves   "loss", "mean_iou" and, with validation data, "val_loss" and "val_mean_iou"
    seconds  wall time, the sessions before an interruption included
    """

    curves: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0

    def __len__(self):
        return max((len(values) for values in self.curves.values()), default=0)

    @property
    def best_epoch(self):
        """The epoch, counted from 1, whose weights were kept; None before the first."""
        values = self.curves.get(WATCHED) or self.curves.get("mean_iou")
        return int(np.argmax(values)) + 1 if values else None

    def __str__(self):
        if not len(self):
            return "no epoch finished"
        text = f"{len(self)} epoch{'s' if len(self) > 1 else ''} in {self.seconds:.0f} s"
        if WATCHED in self.curves:
            text += (
                f"; best validation mIoU {max(self.curves[WATCHED]):.3f} at epoch {self.best_epoch}"
            )
        return text


def fit(
    model,
    train,
    validation=None,
    *,
    epochs,
    batch_size=3,
    learning_rate=4e-3,
    loss=None,
    ignore=UNLABELED,
    augment=FLIPS,
    seed=0,
    folder=None,
    devices=None,
):
    """Compile `model` anew, train it on `train`, and leave it with the weights of its best epoch.

    Adam, in place of any optimizer compiled before, with a learning rate that warms
    up and then falls; weighted cross-entropy that ignores unlabeled pixels; half of the
    pictures mirrored left to right, by chance. The best epoch is the one of highest mean
    IoU: on `validation`, without it on `train`. The weights handed in are no candidate: where
    fine-tuning makes them worse, they are lost, unless you score them
    (:func:`course.inference.confusion`) and keep them (``model.get_weights()``) before.

    Parameters
    ----------
    model : keras.Model
        Pictures to logits, as all of :mod:`course.models`.
    train, validation : course.data.Samples
    epochs, batch_size : int
    learning_rate : float
        Epoch e of n, counted from 0, takes all its steps at ``learning_rate · (1 + cos(π·e/n)) / 2``;
        of four epochs and more, the first at a quarter of that.
    loss : keras.losses.Loss, optional
        :func:`weighted_cross_entropy` of `train` by default. The mean IoU leaves out what it ignores:
        its `ignore`, or the `ignore_class` of one of Keras's own.
    ignore : int or tuple of int, optional
        Pixels with this true id are neither trained on nor measured; None counts all. By default 0,
        the course's `unlabeled`: where 0 is a class of yours, pass None, or the id that marks what
        has no class. A `loss` that says what it ignores decides instead (Keras's
        `SparseCategoricalCrossentropy` says None, unless it was given an `ignore_class`); of one
        that does not, only the mean IoU goes by this.
    augment : callable or None
        ``(image, mask, rng)`` to a changed pair, as :class:`course.data.Augmentation`. By default half
        of the pictures are mirrored left to right, and no more: in trainings of ten minutes
        and less, turns and light cost accuracy, and a zoom brings none.
    seed : int
        Of the batches' order and augmentation.
    folder : path, optional
        Save the state here after each epoch. If training is interrupted, the
        same call takes up where it stopped; once finished, it only loads.
    devices : sequence of str, optional
        Names of the devices that share each batch; all GPUs by default, as
        :func:`course.distribution.devices` chooses them.

    Returns
    -------
    History

    Raises
    ------
    FloatingPointError
        If the loss is no longer a number; the best weights so far are kept.
    ValueError
        If `train` or `validation` has no picture. If a mask holds an id that is no class and not
        ignored, or those of `train` hold one class alone. If `loss` expects probabilities, as Keras's
        losses do unless told ``from_logits=True``, and `model` has no softmax. If an `ignore` other
        than the default is given, and `loss` ignores something else. If
        `folder` holds the state of another run, or one that cannot be read; what `augment` does is not
        compared, nor networks of as many parameters. If there is one picture a batch and the network
        normalizes one number a picture, as image pooling does.

    Notes
    -----
    Each step computes in :func:`course.environment.precision`; the weights, and all
    that the model computes afterwards, are float32.

    Interrupting the kernel ends training early and keeps the best weights so
    far, which before the end of the first epoch are those from before training.
    """
    _check_some(train, validation)
    batches = Batches(train, batch_size, augment, shuffle=True, seed=seed)
    names = distribution.devices(batches.batch_size, devices)
    if len(names) > 1:
        print(f"Training on {len(names)} {names[0].split(':')[0].upper()}s.")
    _check_batch(model, batches.batch_size)
    checks = validation is not None and distribution.even(Batches(validation, batch_size), names)
    classes = model.output_shape[-1]
    ignore = _ignored(loss, ignore)
    for samples in filter(None, (train, validation)):
        _check_ids(samples, classes, ignore)
    _check_classes(train, ignore)
    _check_logits(loss, model)
    loss = loss or weighted_cross_entropy(train, classes, ignore=ignore)
    run = _description(model, batches, validation, epochs, learning_rate, loss, ignore)
    if len(names) > 1:
        # Outside of what binds variables to devices.
        compile(model, train, learning_rate, loss, ignore)
    with distribution.spread(model, names) as trained, precision(trained, environment.precision()):
        compile(trained, train, learning_rate, distribution.whole_batch(loss, names), ignore)
        if trained is not model:
            _set_random_states(trained, _get_random_states(model))
        keeper = _Keeper(trained, batches, run, folder)
        try:
            keeper.resume(trained)
            trained.fit(
                batches,
                validation_data=checks or None,
                epochs=epochs,
                initial_epoch=len(keeper.history),
                shuffle=False,  # Batches shuffles itself, from the seed
                callbacks=[
                    keeper,
                    keras.callbacks.LearningRateScheduler(
                        lambda epoch: learning_rate_at(epoch, epochs, learning_rate)
                    ),
                ],
                verbose=0,
            )
        except BaseException as error:
            # JAX gives a step's state away to the next: of a step broken off, nothing is left.
            _set_random_states(trained, keeper.random)
            if not isinstance(error, KeyboardInterrupt):
                raise
            print(f"Interrupted in epoch {len(keeper.history) + 1} of {epochs}; {keeper.kept}.")
        finally:
            keeper.bar.close()
            trained.set_weights(keeper.best)
    if trained is not model:
        model.set_weights(keeper.best)
        _set_random_states(model, _get_random_states(trained))
    if keeper.lost is not None:
        raise FloatingPointError(
            f"The loss became {keeper.lost} in epoch {len(keeper.history) + 1}; {keeper.kept}. "
            f"Try a learning rate below {learning_rate}."
        )
    return keeper.history


def compile(model, train, learning_rate=4e-3, loss=None, ignore=UNLABELED):
    """Give `model` the optimizer, loss and metric that :func:`fit` trains with; the arguments are its."""
    classes = model.output_shape[-1]
    ignore = _ignored(loss, ignore)
    loss = loss or weighted_cross_entropy(train, classes, ignore=ignore)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=loss,
        metrics=[MeanIoU(classes=classes, ignore=ignore, name="mean_iou")],
        jit_compile=environment.jit_compile(),
    )
    # Else Keras makes the optimizer's variables inside the step, and TensorFlow traces it twice.
    model.optimizer.build(model.trainable_variables)


def _description(model, batches, validation, epochs, learning_rate, loss, ignore):
    """What tells one run from another: a saved state is taken up by a run of the same description."""
    train, checks = batches.samples, () if validation is None else validation.names
    settings = loss.get_config() if hasattr(loss, "get_config") else 0
    return {
        "epochs": int(epochs),  # which may be numpy's, as may others: JSON takes none
        "pictures": len(train),
        "pictures' size": list(train.images.shape[1:3]),
        "pictures' names": _fingerprint(train.names),
        "validation pictures": len(checks),
        "validation pictures' names": _fingerprint(checks),
        "batch size": int(batches.batch_size),
        "learning rate": float(learning_rate),
        "loss": getattr(loss, "name", str(loss)),
        "settings of the loss": _fingerprint(settings),
        "ignored ids": sorted(set(ignored_ids(ignore))),
        "seed": int(batches.seed),
        "parameters": model.count_params(),
    }


def _fingerprint(content):
    """Eight digits that tell one content from another, for what is too long to be shown."""
    return f"{zlib.crc32(json.dumps(content, default=str, sort_keys=True).encode()):08x}"


def _ignored(loss, ignore):
    """The id, or ids, whose pixels do not count: as `loss` says; `ignore` where it does not say."""
    says = ignored_by(loss, ignore)
    # The default does not tell whether it was named.
    if set(ignored_ids(ignore)) not in ({UNLABELED}, set(ignored_ids(says))):
        raise ValueError(
            f"ignore is {ignore!r}, but {loss.name} ignores {says!r}. The loss decides what does not count: "
            "build it with the one that you want, and leave out the argument ignore here."
        )
    return says


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
    for layer in _layers(model) if size == 1 else ():
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = getattr(layer, "input", model.inputs[0]).shape
            if tuple(shape[1:-1]) == (1, 1):
                raise ValueError(
                    f"{layer.name} normalizes one number a picture and channel, so a batch must hold two "
                    "pictures or more, but batch_size, or the number of pictures, is 1. To learn one "
                    "picture by heart, hand it over twice: two names, two pictures, two masks."
                )


@contextlib.contextmanager
def precision(model, policy):
    """Let the layers of `model` compute in `policy` inside the context, but for the last ones.

    Only here: what a lesson computes by hand, predicts or saves stays in float32. A model that
    was built with another policy keeps its own.
    """
    if policy == "float32" or model.dtype_policy.name != "float32":
        yield
        return
    layers = [layer for layer in _layers(model) if layer.dtype_policy.name == "float32"]
    # Of Keras's own kinds, only a Functional has names of its outputs.
    outputs = set(getattr(model, "output_names", [model.layers[-1].name]))
    for layer in layers:
        if layer.name not in outputs:
            layer.dtype_policy = policy
    model.dtype_policy = policy  # by which Keras knows whether to scale the loss
    try:
        yield
    finally:
        for layer in [*layers, model]:
            layer.dtype_policy = "float32"
        model.train_function = model.test_function = model.predict_function = None


def _layers(model):
    """The layers of a model, and those of the models among them."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _layers(layer)


def learning_rate_at(epoch, epochs, peak):
    """The learning rate of an epoch, counted from 0: ``peak · (1 + cos(π·epoch/epochs)) / 2``, half a cosine.

    Of four epochs and more, the first has a quarter of that, ``peak / 4``, to warm up; `peak`
    itself is then the rate of none.

    Set once an epoch rather than by a schedule inside the step: TensorFlow
    then takes half as long to trace the step, which is most of a short run's start.
    """
    falling = peak * (1 + math.cos(math.pi * epoch / epochs)) / 2
    return falling / 4 if epoch == 0 and epochs > 3 else falling


def weighted_cross_entropy(train, classes, limit=5.0, ignore=UNLABELED):
    """Cross-entropy that gives rare classes some of the say that their few pixels lack.

    With :func:`course.losses.square_root_weights`. One over the share lets a handful
    of pixels drown the rest; none at all lets a short training run stop at the
    commonest classes. Pixels of `ignore`, an id, several or None, have no say.
    """
    pixels = train.pixel_counts(classes, ignore).sum(axis=0)
    return CrossEntropy(square_root_weights(pixels, limit, ignore), ignore)


class _Keeper(keras.callbacks.Callback):
    """Shows progress, keeps the history and the best weights, saves the state each epoch.

    The folder holds ``history.json``, which names the run and its curves, and
    the weights, with the optimizer's state, after the last and the best epoch.
    """

    def __init__(self, model, batches, run, folder):
        super().__init__()
        self.batches, self.run = batches, run
        self.folder = Path(folder).expanduser() if folder else None
        self.history, self.best, self.lost = History(), model.get_weights(), None
        self.random = _get_random_states(model)
        self.started = time.monotonic()
        self.bar = environment.progress(total=run["epochs"] * len(batches), what="training")

    @property
    def kept(self):
        """Which weights the model is left with, in words."""
        best = self.history.best_epoch
        return (
            f"the weights of epoch {best}, the best, are kept"
            if best
            else "the weights are as before"
        )

    def resume(self, model):
        """Take up the run saved in the folder, if there is one."""
        if self.folder is None or not (self.folder / "history.json").exists():
            return
        try:
            saved = json.loads((self.folder / "history.json").read_text())
            if saved["run"] == self.run:
                self._load(model, saved)
                return
            differences = [
                f"{name} {saved['run'].get(name, 'not known')} there, {here} here"
                for name, here in self.run.items()
                if saved["run"].get(name, "not known") != here
            ]
        except (OSError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(
                f"The state of training in {self.folder} cannot be read: {error}\n"
                "Delete this folder to start over, or name another."
            ) from error
        raise ValueError(
            f"{self.folder} holds another run: {'; '.join(differences)}. "
            "Name another folder, or delete this one."
        )

    def _load(self, model, saved):
        history = History(saved["curves"], saved["seconds"])
        done, epochs = len(history), self.run["epochs"]
        with _without_loss_scale(model):
            model.load_weights(self._file("best", history.best_epoch))
            best = model.get_weights()
            model.load_weights(self._file("last", done))
        _set_random_states(model, saved["random"])
        self.history, self.best = history, best
        self.started -= history.seconds
        self.batches.epoch = done
        self.bar.update(done * len(self.batches))
        if done < epochs:
            print(f"Taking up the run in {self.folder} after epoch {done} of {epochs}.")
        else:
            print(f"The run in {self.folder} is finished: its best weights are loaded.")

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update()

    def on_epoch_end(self, epoch, logs=None):
        logs = {name: float(value) for name, value in (logs or {}).items()}
        if not np.isfinite(logs["loss"]):
            self.lost = logs["loss"]
            self.model.stop_training = True
            return
        for name, value in logs.items():
            self.history.curves.setdefault(name, []).append(value)
        self.history.seconds = time.monotonic() - self.started
        self.bar.set_postfix({name: f"{value:.3f}" for name, value in logs.items()})
        better = self.history.best_epoch == len(self.history)
        if better:
            self.best = self.model.get_weights()
        if self.folder:
            self._save(better)

    def _save(self, better):
        """Write new files, then the note that names them, then drop the old: no moment without a state."""
        self.folder.mkdir(parents=True, exist_ok=True)
        last = self._file("last", len(self.history))
        best = self._file("best", self.history.best_epoch)
        with _without_loss_scale(self.model):
            self.model.save_weights(last)
        if better:
            shutil.copyfile(last, best)
        note = {
            "run": self.run,
            "curves": self.history.curves,
            "seconds": self.history.seconds,
            "random": _get_random_states(self.model),
        }
        aside = self.folder / "history.json.new"
        aside.write_text(json.dumps(note, indent=1))
        os.replace(aside, self.folder / "history.json")
        for kind, current in (("last", last), ("best", best)):
            # Our numbered files only: what else lies in the folder is the student's.
            for old in self.folder.glob(f"{kind}-[0-9]*.weights.h5"):
                if old != current:
                    old.unlink()

    def _file(self, kind, epoch):
        return self.folder / f"{kind}-{epoch}.weights.h5"


@contextlib.contextmanager
def _without_loss_scale(model):
    """Leave out of what is saved the factor that training in float16 puts before the loss.

    So a run that stopped on one GPU goes on where another precision is chosen.
    """
    optimizer = model.optimizer
    model.optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    try:
        yield
    finally:
        model.optimizer = optimizer


def _get_random_states(model):
    """Where dropout stands in its sequence of chance, as lists: it is no part of Keras's weights."""
    return [keras.ops.convert_to_numpy(v).tolist() for v in _random_variables(model)]


def _set_random_states(model, states):
    for variable, state in zip(_random_variables(model), states, strict=True):
        variable.assign(np.array(state, variable.dtype))


def _random_variables(model):
    return [v for v in model.variables if v.name == "seed_generator_state"]
