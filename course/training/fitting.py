"""Compile a network and train it."""

import keras

from course import distribution, environment
from course.classes import UNLABELED
from course.data import FLIPS, Batches
from course.losses import CrossEntropy, square_root_weights
from course.losses.pixels import ignored_by, ignored_ids
from course.metrics import MeanIoU
from course.training.checks import check
from course.training.keeper import Keeper
from course.training.mixed_precision import precision
from course.training.random_states import get_random_states, set_random_states
from course.training.saved_run import describe
from course.training.schedule import learning_rate_at


def fit(
    model,
    train,
    validation=None,
    *,
    epochs,
    batch_size=3,
    learning_rate=4e-3,
    schedule=learning_rate_at,
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
        The peak of the schedule.
    schedule : callable
        ``(epoch, epochs, learning_rate)``, with epochs counted from 0, to the rate of all steps of that
        epoch; :func:`learning_rate_at` by default, which warms up and then falls.
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
        compared, nor are networks of as many parameters, or schedules of one name. If there is one
        picture a batch and the network normalizes one number a picture, as image pooling does.

    Notes
    -----
    Each step computes in :func:`course.environment.precision`; the weights, and all
    that the model computes afterwards, are float32.

    Interrupting the kernel ends training early and keeps the best weights so
    far, which before the end of the first epoch are those from before training.
    """
    ignore = _ignored(loss, ignore)
    check(model, train, validation, batch_size, loss, ignore)
    batches = Batches(train, batch_size, augment, shuffle=True, seed=seed)
    names = distribution.devices(batches.batch_size, devices)
    checks = validation and distribution.even(Batches(validation, batch_size), names)
    loss = loss or weighted_cross_entropy(train, model.output_shape[-1], ignore=ignore)
    run = describe(model, batches, validation, epochs, learning_rate, schedule, loss, ignore)
    rates = [float(schedule(epoch, epochs, learning_rate)) for epoch in range(epochs)]
    if len(names) > 1:
        print(f"Training on {len(names)} {names[0].split(':')[0].upper()}s.")
        # Outside of what binds variables to devices.
        compile(model, train, learning_rate, loss, ignore)
    with distribution.spread(model, names) as trained, precision(trained, environment.precision()):
        compile(trained, train, learning_rate, distribution.whole_batch(loss, names), ignore)
        if trained is not model:
            set_random_states(trained, get_random_states(model))
        keeper = Keeper(trained, batches, run, folder)
        _run(trained, batches, checks, keeper, rates)
    if trained is not model:
        model.set_weights(keeper.best)
        set_random_states(model, get_random_states(trained))
    if keeper.lost is not None:
        raise FloatingPointError(
            f"The loss became {keeper.lost} in epoch {len(keeper.history) + 1}; {keeper.kept}. "
            f"Try a learning rate below {learning_rate}."
        )
    return keeper.history


def _run(model, batches, checks, keeper, rates):
    """Train to the end, or to an interruption; either way `model` is left with the keeper's best weights."""
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch: rates[epoch])
    try:
        keeper.resume(model)
        model.fit(
            batches,
            validation_data=checks,
            epochs=len(rates),
            initial_epoch=len(keeper.history),
            shuffle=False,  # Batches shuffles itself, from the seed
            callbacks=[keeper, scheduler],
            verbose=0,
        )
    except BaseException as error:
        # JAX gives a step's state away to the next: of a step broken off, nothing is left.
        set_random_states(model, keeper.random)
        if not isinstance(error, KeyboardInterrupt):
            raise
        print(f"Interrupted in epoch {len(keeper.history) + 1} of {len(rates)}; {keeper.kept}.")
    finally:
        keeper.bar.close()
        model.set_weights(keeper.best)


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


def weighted_cross_entropy(train, classes, limit=5.0, ignore=UNLABELED):
    """Cross-entropy that gives rare classes some of the say that their few pixels lack.

    With :func:`course.losses.square_root_weights`. One over the share lets a handful
    of pixels drown the rest; none at all lets a short training run stop at the
    commonest classes. Pixels of `ignore`, an id, several or None, have no say.
    """
    pixels = train.pixel_counts(classes, ignore).sum(axis=0)
    return CrossEntropy(square_root_weights(pixels, limit, ignore), ignore)
