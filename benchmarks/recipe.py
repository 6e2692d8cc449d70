"""What gives the most mean IoU a minute: one recipe, then one change of it at a time.

``python -m benchmarks.recipe [CHANGE …] [--epochs E] [--seeds S …]`` trains the base recipe, FCN-8s of
width 16, for so many epochs, and each change of it for as many as fit into the same time: a step of its own
is timed beside one of the base's, in turn, so that a machine which other work slows down shortens no run.
All that is not for validation is trained on; scores are taken at 400×600 pixels. Each run goes to the
results as it ends.
"""

import argparse
import contextlib
import functools
import os
import statistics
import time
from dataclasses import asdict, dataclass, replace
from unittest import mock

import keras
import numpy as np

from benchmarks import results
from course import data, environment, inference, losses, training
from course.classes import UNLABELED
from course.data import Augmentation, Batches, RandomCrops, Samples, part_of
from course.models.deeplab import deeplab_v3plus
from course.models.fcn import small_fcn
from course.models.unet import backbone_unet, small_unet

TRUTH = (400, 600)  # the size of the copies that go round; a hundredth of the camera's pixels
WARM_UP, TIMED = 3, 40  # steps before the time of one is taken, and those it is the median of


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained.

    network    one of NETWORKS
    width      channels of its first stage
    size       (height, width) of what it is trained on
    pictures   (height, width) of the pictures that those are made of at every step, by the
               augmentation; as large as those by default
    windows    whether they are cut from the pictures instead, at their scale
    flip, turn, zoom, light
               how they are changed at random, as by :class:`course.data.Augmentation`; without a turn
               and a zoom they are the pictures scaled beforehand
    look       (height, width) of the pictures that it is scored on; those it is trained on by default
    loss       one of LOSSES
    schedule   one of SCHEDULES, of the rate
    precision  Keras dtype policy of the training step
    weights    what the trunk starts from: None for chance
    views      whether it is scored on the mean of four mirrored views
    average    momentum of the moving average of the weights that it is scored with; 0 for the last weights
    """

    network: str = "FCN-8s"
    width: int = 16
    size: tuple[int, int] = (192, 288)
    pictures: tuple[int, int] | None = TRUTH
    windows: bool = False
    look: tuple[int, int] | None = None
    batch: int = 4
    rate: float = 2e-3
    schedule: str = "half a cosine"
    loss: str = "square-root weights"
    flip: bool = True
    turn: bool = True
    zoom: float = 1.25
    light: float = 0.25
    precision: str = "mixed_bfloat16"
    weights: str | None = None
    views: bool = False
    average: float = 0.0


def _deeplab(recipe):
    return deeplab_v3plus(
        *("resnet", recipe.width, recipe.weights),
        channels=2 * recipe.width,
        low_channels=recipe.width,
        rates=(2, 4, 6),
        separable=False,
    )


def _separable_deeplab(recipe):
    return deeplab_v3plus(
        *("resnet", recipe.width, recipe.weights),
        channels=4 * recipe.width,
        low_channels=recipe.width,
        rates=(2, 4, 6),
    )


def _strided_stem(recipe):
    """FCN-8s whose first convolution takes every second place, and which has no first pool."""

    def changed(layer):
        if layer.name == "pool1":
            return keras.layers.Identity(name=layer.name)
        strides = {"strides": 2} if layer.name == "conv1_1" else {}
        return type(layer).from_config(layer.get_config() | strides)

    return keras.models.clone_model(small_fcn(8, width=recipe.width), clone_function=changed)


NETWORKS = {
    "DeepLabV3+": _deeplab,
    "DeepLabV3+, separable": _separable_deeplab,
    "U-Net": lambda recipe: small_unet(recipe.width),
    "U-Net, residual": lambda recipe: backbone_unet(
        "resnet", recipe.width, recipe.weights, decoder_width=recipe.width // 2, stride=2
    ),
    "FCN-8s": lambda recipe: small_fcn(8, width=recipe.width),
    "FCN-8s, strided stem": _strided_stem,
}

# Each from the epoch, counted from 0, the number of epochs and the recipe's rate.
SCHEDULES = {
    "half a cosine": training.learning_rate_at,
    "constant": lambda epoch, epochs, rate: rate,
}


def _by_root(counts):
    """As `course.training.fit` weighs: by each class's share of all pixels."""
    return losses.CrossEntropy(losses.square_root_weights(counts.sum(axis=0)), UNLABELED)


# Each from the pixels of every class in every picture, (pictures, classes).
LOSSES = {
    "square-root weights": _by_root,
    "inverse-frequency weights": lambda counts: losses.CrossEntropy(
        losses.inverse_frequency_weights(counts), UNLABELED
    ),
    "no weights": lambda counts: losses.CrossEntropy(None, UNLABELED),
    "median-frequency weights": lambda counts: losses.CrossEntropy(
        losses.median_frequency_weights(counts), UNLABELED
    ),
    "and Dice": lambda counts: losses.Sum([_by_root(counts), losses.SoftDice()]),
}

BASE = Recipe()
CHANGES = {
    "base": {},
    "scored on four views": {"views": True},
    "scored on 256×384": {"look": (256, 384)},
    "half the rate": {"rate": 1e-3},
    "twice the rate": {"rate": 4e-3},
    "constant rate": {"schedule": "constant"},
    "averaged weights": {"average": 0.99},
    "float32": {"precision": "float32"},
    "first convolution strided": {"network": "FCN-8s, strided stem"},
    "width 12": {"width": 12},
    "width 24": {"width": 24},
    "width 32": {"width": 32},
    "DeepLabV3+ of width 32": {"network": "DeepLabV3+", "width": 32},
    "DeepLabV3+ of width 24": {"network": "DeepLabV3+", "width": 24},
    "DeepLabV3+ of width 24, its trunk trained on scenes": {
        "network": "DeepLabV3+",
        "width": 24,
        "weights": "scenes",
    },
    "DeepLabV3+ of width 32, separable": {"network": "DeepLabV3+, separable", "width": 32},
    "U-Net of width 32, residual": {"network": "U-Net, residual", "width": 32},
    "U-Net of width 16, plain": {"network": "U-Net"},
    "pictures of 144×216": {"size": (144, 216)},
    "pictures of 256×384": {"size": (256, 384)},
    "scaled before the augmentation": {"pictures": None},
    "windows of 256×384": {"pictures": (256, 384), "windows": True, "look": (256, 384)},
    "batches of 2": {"batch": 2},
    "batches of 8": {"batch": 8},
    "no class weights": {"loss": "no weights"},
    "inverse-frequency weights": {"loss": "inverse-frequency weights"},
    "median-frequency weights": {"loss": "median-frequency weights"},
    "and Dice": {"loss": "and Dice"},
    "no augmentation": {"flip": False, "turn": False, "zoom": 1.0, "light": 0.0},
    "flips alone": {"turn": False, "zoom": 1.0, "light": 0.0},
    "flips and light": {"turn": False, "zoom": 1.0},
    "flips and zoom": {"turn": False, "light": 0.0},
    "flips and turns": {"zoom": 1.0, "light": 0.0},
    "zoom up to 1.6": {"zoom": 1.6},
    "no change of light": {"light": 0.0},
}


def pictures(dataset, size):
    """Samples at `size`: all that are not for validation, and those that are."""
    samples = dataset.at(size)
    rows = [i for i, name in enumerate(samples.names) if part_of(name) != "validation"]
    names = tuple(samples.names[row] for row in rows)
    return Samples(names, samples.images[rows], samples.masks[rows]), samples.split("validation")


def materials(recipe, dataset, seed):
    """What a recipe trains on: its samples, its augmentation, its loss and its batches."""
    moved = recipe.turn or recipe.zoom > 1
    samples, _ = pictures(dataset, (moved and recipe.pictures) or recipe.size)
    augment = Augmentation(
        recipe.flip,
        recipe.turn,
        recipe.zoom,
        recipe.light,
        0.4 * recipe.light,
        size=recipe.size if moved and not recipe.windows else None,
    )
    if recipe.windows:
        augment = RandomCrops(recipe.size, augment)
    batches = Batches(samples, recipe.batch, augment, shuffle=True, seed=seed)
    return samples, augment, LOSSES[recipe.loss](samples.pixel_counts()), batches


def train(recipe, dataset, epochs, seed):
    """Train for so many epochs; the network, and what there is to tell."""
    samples, augment, loss, batches = materials(recipe, dataset, seed)
    keras.utils.set_random_seed(seed)
    model = NETWORKS[recipe.network](recipe)
    with (
        averaging(recipe.average),
        mock.patch.dict(os.environ, COURSE_PRECISION=recipe.precision),
    ):
        history = training.fit(
            *(model, samples),
            epochs=epochs,
            batch_size=recipe.batch,
            learning_rate=recipe.rate,
            schedule=SCHEDULES[recipe.schedule],
            loss=loss,
            augment=augment,
            seed=seed,
        )
    if recipe.average:
        model.optimizer.finalize_variable_values(model.trainable_variables)
    about = {
        "parameters": model.count_params(),
        "epochs": epochs,
        "steps": epochs * len(batches),
        "seconds": round(history.seconds, 1),
        "loss": round(history.curves["loss"][-1], 4),
    }
    return model, about


def averaging(momentum):
    """Inside, :func:`course.training.compile` takes an Adam that averages the weights (none at momentum 0)."""
    if not momentum:
        return contextlib.nullcontext()
    adam = functools.partial(keras.optimizers.Adam, use_ema=True, ema_momentum=momentum)
    return mock.patch.object(keras.optimizers, "Adam", adam)


def seconds_an_epoch(recipes, dataset, seed):
    """What an epoch of each recipe takes: its batches times the median of its steps, taken in turn.

    Of models that are thrown away: what it costs to trace and to start is no training. A batch is part
    of its step, for it is made by the same cores.
    """
    taken = [[] for _ in recipes]
    with contextlib.ExitStack() as stack:
        steps = []
        for recipe in recipes:
            samples, _, loss, batches = materials(recipe, dataset, seed)
            keras.utils.set_random_seed(seed)
            model = NETWORKS[recipe.network](recipe)
            stack.enter_context(training.precision(model, recipe.precision))
            with averaging(recipe.average):
                training.compile(model, samples, recipe.rate, loss)
            steps.append((model, batches))
        for i in range(WARM_UP + TIMED):
            for (model, batches), times in zip(steps, taken, strict=True):
                start = time.perf_counter()
                model.train_on_batch(*batches[i % len(batches)])
                times.append(time.perf_counter() - start)
    return [
        len(batches) * statistics.median(times[WARM_UP:])
        for (_, batches), times in zip(steps, taken, strict=True)
    ]


def guesses(model, recipe, dataset):
    """Label maps of the validation pictures, as large as the truth."""
    _, validation = pictures(dataset, recipe.look or recipe.size)
    look = inference.augmented(model) if recipe.views else model.predict_on_batch
    parts = [validation.images[i : i + 4] for i in range(0, len(validation), 4)]
    return np.concatenate([results.labels_at(TRUTH, np.asarray(look(part))) for part in parts])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("changes", nargs="*", choices=[*CHANGES, []], metavar="CHANGE")
    parser.add_argument("--epochs", type=int, default=24, help="of the base")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument(
        "--precision",
        default=BASE.precision,
        help="of base and changes: a processor without AVX-512 computes bfloat16 slowly, so float32 there",
    )
    options = parser.parse_args()
    base = replace(BASE, precision=options.precision)
    environment.setup()
    dataset = data.load()
    scale = environment.SCALES["laptop"]
    samples, truth = pictures(dataset, TRUTH)
    rare = results.rare_classes(samples)
    about = results.about(dataset, scale, samples, truth) | {"base": asdict(BASE)}
    for seed in options.seeds:
        trained = None
        for name in options.changes or CHANGES:
            recipe = replace(base, **CHANGES[name])
            # How it is scored changes nothing of the training.
            if replace(recipe, views=False, look=None) != trained:
                trained = replace(recipe, views=False, look=None)
                cost, epochs = 1.0, options.epochs
                if trained != base:
                    ours, theirs = seconds_an_epoch([trained, base], dataset, seed)
                    cost = ours / theirs
                    epochs = max(1, round(options.epochs / cost))
                model, told = train(trained, dataset, epochs, seed)
            row = {"change": name, "base's epochs": options.epochs, "seed": seed}
            row |= {"precision": recipe.precision, "cost of an epoch": round(cost, 3), **told}
            row |= results.scores(truth.masks, guesses(model, recipe, dataset), rare)
            key = ("base's epochs", "change", "precision", "seed")
            results.update("recipe", dataset, scale, about, [row], key)
            print(
                f"{name:26s} an epoch {cost:5.2f}  {row['epochs']:3d} epochs {row['seconds']:5.0f} s  "
                f"mIoU {row['mIoU']:.3f}  fwIoU {row['fwIoU']:.3f}  accuracy {row['accuracy']:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
