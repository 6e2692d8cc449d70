"""Losses and crops for rare classes, as lesson 09 compares them: ``python -m benchmarks.imbalance [SEED …]``.

For each seed, one FCN-8s is trained with plain cross-entropy. From its weights each way to serve rare
classes then goes on for the same number of steps, plain cross-entropy among them; crops have half the
height and width, so in as many steps the network sees a quarter of the pixels. Works on the data
and at the scale that a lesson would (COURSE_DATA, COURSE_SCALE). A seed's rows replace those that the
results hold of it already, so seeds may be run one by one.
"""

import argparse
import time

import keras
import numpy as np

from benchmarks import results
from course import data, inference, losses, metrics, training
from course.classes import UNLABELED
from course.models.fcn import small_fcn


def ways(train, size):
    """Name to arguments of ``training.fit``."""
    counts = train.pixel_counts()
    plain = losses.CrossEntropy()
    half = tuple(extent // 2 for extent in size)
    by_median = losses.median_frequency_weights(counts)
    by_root = losses.square_root_weights(counts.sum(axis=0))
    return {
        "cross-entropy": {"loss": plain},
        "median frequency": {"loss": losses.CrossEntropy(by_median)},
        "square root": {"loss": losses.CrossEntropy(by_root)},
        "focal": {"loss": losses.Focal()},
        "cross-entropy + Dice": {"loss": losses.Sum([plain, losses.SoftDice()])},
        "Lovász": {"loss": losses.LovaszSoftmax()},
        "random crops": {"loss": plain, "augment": data.RandomCrops(half)},
        "class crops": {"loss": plain, "augment": data.ClassCrops(half)},
    }


def adjusted(model, images, weights):
    """The class of largest weight · probability at each pixel: weighted without training again."""
    with np.errstate(divide="ignore"):
        shift = np.log(weights)
    return np.concatenate(
        [
            np.argmax(model.predict_on_batch(images[i : i + 4]) + shift, axis=-1)
            for i in range(0, len(images), 4)
        ]
    )


def scores(truth, guesses, rare):
    """Those of all benchmarks, and the mean over the classes of the share of each that was found."""
    cm = metrics.confusion_matrix(truth, guesses, ignore=UNLABELED)
    found = round(float(np.nanmean(metrics.class_accuracy(cm))), 4)
    return results.scores(truth, guesses, rare) | {"class accuracy": found}


def rows_of(seed, train, validation, scale):
    """Yield one row of scores for the first training, its adjustments, and each way on from it."""
    rare = results.rare_classes(train)
    common = {"batch_size": scale.batch, "seed": seed}

    def row(name, guesses, seconds):
        found = scores(validation.masks, guesses, rare)
        return {"seed": seed, "way": name, "seconds": round(seconds), **found}

    keras.utils.set_random_seed(seed)
    base = small_fcn(8, width=scale.width, size=scale.size)
    start = time.perf_counter()
    training.fit(base, train, validation, epochs=scale.epochs, loss=losses.CrossEntropy(), **common)
    seconds = time.perf_counter() - start
    yield row("start", inference.predict(base, validation.images), seconds)
    counts = train.pixel_counts()
    for name, weights in (
        ("start, adjusted by median frequency", losses.median_frequency_weights(counts)),
        ("start, adjusted by square root", losses.square_root_weights(counts.sum(axis=0))),
    ):
        yield row(name, adjusted(base, validation.images, weights), 0)
    for name, options in ways(train, scale.size).items():
        keras.utils.set_random_seed(seed)
        model = small_fcn(
            8, width=scale.width, size=(None, None) if "augment" in options else scale.size
        )
        model.set_weights(base.get_weights())
        start = time.perf_counter()
        training.fit(
            model,
            train,
            validation,
            epochs=scale.epochs // 3,
            **common,
            **options,
        )
        yield row(name, inference.predict(model, validation.images), time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    dataset, scale, train, validation = results.prepare()
    about = results.about(dataset, scale, train, validation)
    about |= {"rare classes": results.rare_classes(train)}
    print(f"seed  {'way':36s}   mIoU  accuracy  class acc.  rare IoU  boundary F  seconds")
    for seed in options.seeds:
        rows = []
        for row in rows_of(seed, train, validation, scale):
            rows.append(row)
            print(
                f"{seed:4d}  {row['way']:36s} {row['mIoU']:6.3f} {row['accuracy']:9.3f} "
                f"{row['class accuracy']:11.3f} {row['rare IoU']:9.4f} {row['boundary F']:11.3f} "
                f"{row['seconds']:8d}",
                flush=True,
            )
        results.update("imbalance", dataset, scale, about, rows)


if __name__ == "__main__":
    main()
