"""How hard the synthetic scenes are: ``python -m benchmarks.difficulty [SEED …]``.

Mean IoU on the validation scenes (pooled, `unlabeled` ignored) of two classifiers trained on the
same 42 training scenes, at 128×192 pixels: a random forest that sees one pixel's colour, and a
small U-Net. Scenes worth a lesson need more than colour: the forest should stay under half of the
network. One row a seed of the scenes, seed 0 is what lessons draw; seeds that are not run keep their
rows. About five minutes a seed.
"""

import argparse
import json
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers
from sklearn.ensemble import RandomForestClassifier

from benchmarks import results
from course import data, environment, inference, metrics, training
from course.classes import NUM_CLASSES, UNLABELED
from course.data import synthetic

SIZE = (128, 192)
SEEDS = (0, 1)  # those of the page
FILE = results.RESULTS / "difficulty.json"


def forest(train, validation):
    """Mean IoU of 50 trees on 200,000 labelled pixels' RGB."""
    colours, ids = train.images.reshape(-1, 3), train.masks.ravel()
    chosen = np.random.default_rng(0).choice(np.flatnonzero(ids), 200_000, replace=False)
    trees = RandomForestClassifier(50, min_samples_leaf=10, n_jobs=-1, random_state=0)
    trees.fit(colours[chosen], ids[chosen])
    guess = trees.predict(validation.images.reshape(-1, 3)).reshape(validation.masks.shape)
    return metrics.mean_iou(metrics.confusion_matrix(validation.masks, guess, ignore=UNLABELED))


def plain_unet(width=16):
    images = keras.Input((*SIZE, 3))
    x, skips = layers.Rescaling(1 / 127.5, offset=-1)(images), []
    for level in range(4):
        x = _block(x, width * 2**level)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = _block(x, width * 16)
    for level in reversed(range(4)):
        x = layers.Conv2DTranspose(width * 2**level, 2, strides=2)(x)
        x = _block(layers.Concatenate()([x, skips[level]]), width * 2**level)
    return keras.Model(images, layers.Conv2D(NUM_CLASSES, 1, dtype="float32")(x))


def _block(x, channels):
    for _ in range(2):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
    return x


def network(train, validation, seed, epochs):
    keras.utils.set_random_seed(seed)
    model = plain_unet()
    training.fit(model, train, validation, epochs=epochs, seed=seed)
    return metrics.mean_iou(inference.confusion(model, validation))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=SEEDS)
    parser.add_argument("--epochs", type=int, default=60)
    options = parser.parse_args()
    environment.setup()
    rows = []
    print("seed  forest   U-Net   ratio")
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            root = synthetic.write(Path(folder) / "scenes", seed=seed)
            samples = data.Dataset("scenes", root, data.find(root).pairs).at(SIZE)
            parts = samples.split("train"), samples.split("validation")
            row = {
                "seed": seed,
                "epochs": options.epochs,
                "forest": forest(*parts),
                "unet": network(*parts, seed, options.epochs),
            }
        rows.append(row | {"ratio": row["unet"] / row["forest"]})
        print(
            f"{seed:4d} {row['forest']:7.3f} {row['unet']:7.3f} {rows[-1]['ratio']:7.2f}",
            flush=True,
        )
    if FILE.exists():
        stored = json.loads(FILE.read_text())["rows"]
        rows += [row for row in stored if row["seed"] not in options.seeds]
        rows.sort(key=lambda row: row["seed"])
    about = {"size": SIZE, **results.machine()}
    FILE.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
