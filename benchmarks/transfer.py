"""What the shipped encoder is worth, lesson 12 over seeds: ``python -m benchmarks.transfer [SEED …]``.

On the data and at the scale that a lesson would use (COURSE_DATA, COURSE_SCALE), with twelve
labelled pictures and with all of the training part: networks from scratch; with a head trained on
the frozen encoder, then fine-tuned, its statistics kept or not; with the head trained for all of
the steps; with the encoder's early stages frozen for all of them; and fine-tuned at once. Beside
them a linear rule on the maps of the encoder, of a random one, on the responses of lesson 03's
filters, and on maps and filters together; and that lesson's forest, on the encoder's maps, on
filters and on both. No run chooses its epoch by the validation part. Each is written to the results
as it ends, over an older one of the same method, pictures and seed. With ``--long``, networks take
as many steps with twelve pictures as with all, and are stored in a file of their own.
"""

import argparse
import ast
import itertools
import time

import cv2
import keras
import numpy as np
from keras import layers
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier

from benchmarks import classical, results
from course import inference, metrics, training
from course.classes import UNLABELED
from course.layers import ResizeLike
from course.models.backbones import backbone
from course.models.deeplab import deeplab_v3plus

FEW = 12
ROUNDS = 21  # epochs over the few; as many steps as the lesson's runs take
RATE = 4e-3
WIDTH = 24
MODEL = "DeepLabV3+"  # which of the course's networks :func:`build` builds, for the rows


def build(weights, size):
    """Lesson 12's network over the encoder with these weights ("scenes" or None), for pictures of `size`."""
    return deeplab_v3plus(
        "resnet",
        WIDTH,
        channels=96,
        low_channels=24,
        rates=(2, 4, 6),
        weights=weights,
        size=size,
    )


def everything(_layer):
    return True


def nothing(_layer):
    return False


def statistics(layer):
    return isinstance(layer, layers.BatchNormalization)


def early_stages(layer):
    return layer.name.startswith(("conv1", "stage2", "stage3"))


# The encoder's weights, then the stages of training: what the network is called after it, the share
# of the epochs, which of the encoder's layers are frozen, and the peak of the learning rate.
STARTS = {
    "from scratch": (None, [("from scratch", 1, nothing, RATE)]),
    "fine-tuned": (
        "scenes",
        [("head only", 2 / 3, everything, RATE), ("fine-tuned", 1 / 3, nothing, RATE / 10)],
    ),
    "all at once": ("scenes", [("all at once", 1, nothing, RATE)]),
    "head only, all steps": ("scenes", [("head only, all steps", 1, everything, RATE)]),
    "early stages frozen": ("scenes", [("early stages frozen", 1, early_stages, RATE)]),
    "fine-tuned, statistics kept": (
        "scenes",
        [
            ("head only", 2 / 3, everything, RATE),
            ("fine-tuned, statistics kept", 1 / 3, statistics, RATE / 10),
        ],
    ),
}
# What rules that are no network read at each pixel: maps of an encoder, responses of lesson 03's filters.
RULES = {
    "linear, encoder": ["scenes"],
    "linear, random encoder": [None],
    "linear, filters": ["filters"],
    "linear, encoder and filters": ["scenes", "filters"],
    "forest, filters": ["filters"],
    "forest, encoder": ["scenes"],
    "forest, encoder and filters": ["scenes", "filters"],
}
METHODS = (*STARTS, *RULES)
LESSON_03 = ("learn-groups", "bank", "draw", "forest")  # cells whose functions the rules take


def freeze(model, frozen):
    """Freeze the encoder's layers for which `frozen` says yes, and those alone."""
    for layer in model.layers:
        if layer.name.startswith(("conv1", "stage")):
            layer.trainable = not frozen(layer)


def networks(start, train, scale, epochs, seed):
    """Train in stages; after each, its name, the network, and the seconds that its training took."""
    weights, stages = STARTS[start]
    keras.utils.set_random_seed(seed)
    network = build(weights, scale.size)
    for name, share, frozen, rate in stages:
        freeze(network, frozen)
        history = training.fit(
            network,
            train,
            epochs=round(share * epochs),
            batch_size=scale.batch,
            learning_rate=rate,
            seed=seed,
        )
        yield name, network, history.seconds


def encoder_maps(weights):
    """A function from a picture to the encoder's maps at strides 2 to 16, enlarged and stacked."""
    images = keras.Input((None, None, 3))
    maps = backbone("resnet", images, WIDTH, weights)
    stacked = [ResizeLike()([maps[stride], images]) for stride in (2, 4, 8, 16)]
    model = keras.Model(images, layers.Concatenate()(stacked))
    return lambda image: model.predict_on_batch(image[None])[0]


def features_of(sources):
    """A function from a picture to all of `sources`, as in RULES: (height, width, features)."""
    parts = [
        lesson_03()["responses"] if source == "filters" else encoder_maps(source)
        for source in sources
    ]
    return lambda image: np.dstack([part(image) for part in parts])


def label_linearly(features, train, images, seed, total=42_000):
    """Label maps by a linear discriminant on `features`, a function from a picture to its maps."""
    rng, found, labels = np.random.default_rng(seed), [], []
    for image, mask in zip(train.images, train.masks, strict=True):
        rows = rng.choice(np.flatnonzero(mask != UNLABELED), total // len(train), replace=False)
        maps = features(image)
        found.append(maps.reshape(-1, maps.shape[-1])[rows])
        labels.append(mask.ravel()[rows])
    rule = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=1e-3)
    rule.fit(np.concatenate(found), np.concatenate(labels))
    return np.stack(
        [rule.predict(features(i).reshape(-1, maps.shape[-1])).reshape(i.shape[:2]) for i in images]
    )


def label_by_forest(features, train, images, seed):
    """Label maps by lesson 03's forest on `features`, as in :func:`label_linearly`."""
    pixels = train.pixel_counts().sum(axis=0)
    rarity = 1 / np.sqrt(np.maximum(pixels, 1))
    rarity[UNLABELED] = 0
    label = lesson_03(seed, train=train, rarity=rarity)["forest"](features)
    return np.stack([label(image) for image in images])


def lesson_03(seed=0, **given):
    """The functions that cells of lesson 03 define, by name; they find the names `given`."""
    names = {"np": np, "cv2": cv2, "RandomForestClassifier": RandomForestClassifier, **given}
    cells = classical.seeded(seed)
    for cell in LESSON_03:
        functions = [f for f in ast.parse(cells[cell]).body if isinstance(f, ast.FunctionDef)]
        exec(compile(ast.Module(functions, []), cell, "exec"), names)
    return names


def runs(method, train, validation, rare, scale, seed, epochs):
    """Rows of scores of one method: one, or one after each stage of training."""
    if method in STARTS:
        for name, network, seconds in networks(method, train, scale, epochs, seed):
            guesses = inference.predict(network, validation.images)
            learned = metrics.pixel_accuracy(inference.confusion(network, train))
            yield (
                {"model": MODEL, "method": name, "seconds": round(seconds)}
                | results.scores(validation.masks, guesses, rare)
                | {"training accuracy": round(learned, 4)}
            )
        return
    began = time.perf_counter()
    keras.utils.set_random_seed(seed)
    label = label_by_forest if method.startswith("forest") else label_linearly
    guesses = label(features_of(RULES[method]), train, validation.images, seed)
    row = {"model": "none", "method": method, "seconds": round(time.perf_counter() - began)}
    yield row | results.scores(validation.masks, guesses, rare)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--only", nargs="+", choices=METHODS, default=METHODS, metavar="METHOD")
    parser.add_argument("--pictures", nargs="+", type=int, help="12 and all, unless given")
    parser.add_argument("--long", action="store_true", help="as many steps with few as with all")
    options = parser.parse_args()
    dataset, scale, train, validation = results.prepare()
    rare = results.rare_classes(train)
    about = results.about(dataset, scale, train, validation) | {"rare classes": rare}
    print(
        "seed pictures model      method                        mIoU accuracy boundary F  seconds"
    )
    for seed, pictures, method in itertools.product(
        options.seeds, options.pictures or [FEW, len(train)], options.only
    ):
        epochs = ROUNDS if pictures == FEW else scale.epochs
        if options.long:
            epochs = scale.epochs * (len(train) // scale.batch) // (pictures // scale.batch)
        some = train[:pictures]
        for row in runs(method, some, validation, rare, scale, seed, epochs):
            row = {"seed": seed, "pictures": pictures} | row
            run = ("pictures", "model", "method", "seed")
            name = "transfer-long" if options.long else "transfer"
            results.update(name, dataset, scale, about, [row], run)
            print(
                f"{seed:4d} {pictures:8d} {row['model']:10s} {row['method']:27s} "
                f"{row['mIoU']:6.3f} {row['accuracy']:8.3f} {row['boundary F']:10.3f} "
                f"{row['seconds']:8d}",
                flush=True,
            )


if __name__ == "__main__":
    main()
