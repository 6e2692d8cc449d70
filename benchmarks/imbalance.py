"""Losses and crops for rare classes, as lesson 09 compares them: ``python -m benchmarks.imbalance [SEED …]``.

For each seed, one FCN-8s is trained with plain cross-entropy. From its weights each way to serve rare
classes then goes on for the same number of steps, plain cross-entropy among them. Works on the data
and at the scale that a lesson would (COURSE_DATA, COURSE_SCALE). A seed's rows replace those that the
results hold of it already, so seeds may be run one by one.
"""

import argparse
import json
import time
from pathlib import Path

import keras
import numpy as np

from course import data, environment, inference, losses, metrics, training
from course.classes import NUM_CLASSES, UNLABELED
from course.models.fcn import small_fcn

RESULTS = Path(__file__).parent / "results"
RARE = 0.01  # of the training pixels
MORE, PEAK = (
    1 / 3,
    4e-3,
)  # epochs after the first training, as a part of it, and their learning rate


def count(masks):
    """(pictures, classes) pixels of each class, without those unlabeled."""
    counts = np.array([np.bincount(mask.ravel(), minlength=NUM_CLASSES) for mask in masks])
    counts[:, UNLABELED] = 0
    return counts


def rare_classes(train, validation):
    """(classes,) bool: those of the validation part with less than RARE of the training pixels."""
    pixels = count(train.masks).sum(axis=0)
    seen = count(validation.masks).any(axis=0)
    return seen & (pixels > 0) & (pixels < RARE * pixels.sum())


def ways(train, size):
    """Name to arguments of ``training.fit``."""
    counts = count(train.masks)
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


def scores(validation, guesses, rare):
    """Pooled over the validation part; boundary F at 2 pixels."""
    cm = metrics.confusion_matrix(validation.masks, guesses, ignore=UNLABELED)
    edges = metrics.BoundaryF(tolerance=2, ignore=UNLABELED)
    for truth, guess in zip(validation.masks, guesses, strict=True):
        edges.update(truth, guess)
    return {
        "mIoU": metrics.mean_iou(cm),
        "accuracy": metrics.pixel_accuracy(cm),
        "class accuracy": np.nanmean(metrics.class_accuracy(cm)),
        "rare IoU": metrics.iou(cm)[rare].mean(),
        "boundary F": edges.result(),
    }


def rows_of(seed, train, validation, scale):
    """Yield one row of scores for the first training, its adjustments, and each way on from it."""
    rare = rare_classes(train, validation)
    common = {"batch_size": scale.batch, "seed": seed}

    def row(name, guesses, seconds):
        found = scores(validation, guesses, rare)
        rounded = {name: round(float(value), 4) for name, value in found.items()}
        return {"seed": seed, "way": name, "seconds": round(seconds), **rounded}

    keras.utils.set_random_seed(seed)
    base = small_fcn(8, width=scale.width, size=scale.size)
    start = time.perf_counter()
    training.fit(base, train, validation, epochs=scale.epochs, loss=losses.CrossEntropy(), **common)
    seconds = time.perf_counter() - start
    yield row("start", inference.predict(base, validation.images), seconds)
    counts = count(train.masks)
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
    environment.setup()
    dataset = data.load()
    scale = environment.scale(dataset)
    samples = dataset.at(scale.size)
    train, validation = samples.split("train"), samples.split("validation")
    file = RESULTS / f"imbalance-{'synthetic' if dataset.synthetic else 'real'}-{scale.name}.json"
    rows = json.loads(file.read_text())["rows"] if file.exists() else []
    about = {
        "data": dataset.title,
        "pictures": {"train": len(train), "validation": len(validation)},
        "rare classes": int(rare_classes(train, validation).sum()),
        "scale": vars(scale),
        "device": environment.device(),
        "backend": environment.backend(),
        "keras": keras.__version__,
    }
    print(f"seed  {'way':36s}   mIoU  accuracy  class acc.  rare IoU  boundary F  seconds")
    for seed in options.seeds:
        rows = [row for row in rows if row["seed"] != seed]
        for row in rows_of(seed, train, validation, scale):
            rows.append(row)
            print(
                f"{seed:4d}  {row['way']:36s} {row['mIoU']:6.3f} {row['accuracy']:9.3f} "
                f"{row['class accuracy']:11.3f} {row['rare IoU']:9.4f} {row['boundary F']:11.3f} "
                f"{row['seconds']:8d}",
                flush=True,
            )
        rows.sort(key=lambda row: row["seed"])
        RESULTS.mkdir(exist_ok=True)
        file.write_text(json.dumps({**about, "rows": rows}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
