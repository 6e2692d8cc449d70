"""U-Net with and without its skips, beside an FCN-8s and an FCN-32s about as large, as lesson 08 trains them.

``python -m benchmarks.unet [SEED …] [--only MODEL]`` works on the data and at the scale that a
lesson would (COURSE_DATA, COURSE_SCALE). All networks take the same number of steps. Each run is
written to the results as it ends, over an older one of that model, seed and length; with
``--folder``, a run that was broken off is taken up again. With ``--bilinear``, U-Net with and without skips
climbs without up-convolutions, as exercise 4 asks; with ``--seams``, it labels in tiles, as exercise 3 asks.
"""

import argparse
import time
from pathlib import Path

import keras
import numpy as np

from benchmarks import results
from course import inference, training
from course.models.fcn import small_fcn
from course.models.unet import small_unet

TILE, NEAR, FAR = 64, 8, 24  # pixels: what counts as near a seam, and as far from all


def trainable(model):
    """How many numbers training may change: not the FCN's fixed enlargement, no moving averages."""
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def fcn_as_large_as(model):
    """The width at which FCN-8s has about as many trainable parameters as `model`."""
    width = 16
    for _ in range(3):  # nearly all of them grow with the square of the width
        width = round(width * (trainable(model) / trainable(small_fcn(8, width=width))) ** 0.5)
    return width


def bilinear_models(scale):
    """Name to a function that builds the model: what exercise 4 of lesson 08 asks."""
    return {
        f"{name}, bilinear": lambda skips=skips: small_unet(
            scale.width, skips=skips, size=scale.size, up="bilinear"
        )
        for name, skips in (("U-Net", True), ("no skips", False))
    }


def models(scale):
    """Name to a function that builds the model."""
    unet = small_unet(scale.width)
    width = fcn_as_large_as(unet)
    share = trainable(small_fcn(8, width=width)) / trainable(unet)
    if abs(share - 1) > 0.06:
        raise ValueError(f"FCN-8s of width {width} has {share:.2f} of the U-Net's parameters.")
    return {
        "U-Net": lambda: small_unet(scale.width, size=scale.size),
        "no skips": lambda: small_unet(scale.width, skips=False, size=scale.size),
        "FCN-8s": lambda: small_fcn(8, width=width, size=scale.size),
        "FCN-32s": lambda: small_fcn(32, width=width, size=scale.size),
    }


def near_seams(shape, tile):
    """For each pixel, how far the nearest line is where tiles meet: (height, width), 0 beside one."""
    rows, columns = (
        np.abs(np.arange(n)[:, None] + 0.5 - np.arange(tile, n, tile)).min(axis=1) for n in shape
    )
    return np.minimum(rows[:, None], columns).astype(int)


def in_tiles(model, scale, validation):
    """Shares of the pixels that get another class in tiles that touch, and in such that overlap by half.

    Where tiles touch, also of the pixels near a seam and of those far from any. Tiles that overlap begin
    and end in each other's middle, so no pixel is far from all their ends.
    """
    whole = inference.predict(model, validation.images)
    free = small_unet(scale.width)  # of any size
    free.set_weights(model.get_weights())
    distance = near_seams(whole.shape[1:], TILE)
    for overlap in (0, TILE // 2):
        tiled = np.stack(
            [inference.predict_tiles(free, image, TILE, overlap) for image in validation.images]
        )
        changed = tiled != whole
        row = {"overlap": overlap, "changed": round(float(changed.mean()), 4)}
        if not overlap:
            row["changed near"] = round(float(changed[:, distance < NEAR].mean()), 4)
            row["changed far"] = round(float(changed[:, distance >= FAR].mean()), 4)
        yield row | results.scores(validation.masks, tiled)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--only", help="a name as in the first column; else all")
    parser.add_argument("--bilinear", action="store_true", help="without up-convolutions")
    parser.add_argument("--seams", action="store_true", help="U-Net in tiles beside one pass")
    parser.add_argument("--epochs", type=int, help="the scale's unless given")
    parser.add_argument("--folder", type=Path, help="where a run's state is kept")
    options = parser.parse_args()
    dataset, scale, train, validation = results.prepare()
    epochs = options.epochs or scale.epochs
    rare = results.rare_classes(train)
    builders = (bilinear_models if options.bilinear else models)(scale)
    if options.seams:
        options.only = "U-Net"
    if options.only and options.only not in builders:
        parser.error(f"there is no model {options.only!r}; the models are {', '.join(builders)}")
    about = results.about(dataset, scale, train, validation) | {"rare classes": rare}
    print(
        "seed  model              parameters   mIoU  fwIoU  accuracy  boundary F  smoothed  rare IoU  seconds"
    )
    for seed in options.seeds:
        for label in [options.only] if options.only else builders:
            keras.utils.set_random_seed(seed)
            model = builders[label]()
            start = time.perf_counter()
            history = training.fit(
                model,
                train,
                validation,
                epochs=epochs,
                batch_size=scale.batch,
                seed=seed,
                folder=options.folder and options.folder / f"{label.replace(' ', '-')}-{seed}",
            )
            seconds = max(history.seconds, time.perf_counter() - start)
            row = {"seed": seed, "model": label, "epochs": epochs, "parameters": trainable(model)}
            row |= {"seconds": round(seconds), "best epoch": history.best_epoch}
            if options.seams:
                for tiles in in_tiles(model, scale, validation):
                    print(seed, *tiles.values(), sep="  ", flush=True)
                    run = ("epochs", "seed", "overlap")
                    results.update("unet-seams", dataset, scale, about, [row | tiles], run)
                continue
            guesses = inference.predict(model, validation.images)
            row |= results.scores(validation.masks, guesses, rare)
            row |= results.smoothed_boundary_f(validation.masks, guesses)
            run = ("epochs", "seed", "model")
            name = "unet-bilinear" if options.bilinear else "unet"
            results.update(name, dataset, scale, about, [row], run)
            print(
                f"{seed:4d}  {label:18s} {row['parameters']:10,d} {row['mIoU']:6.3f} "
                f"{row['fwIoU']:6.3f} {row['accuracy']:9.3f} {row['boundary F']:11.3f} "
                f"{row['boundary F, smoothed']:9.3f} {row['rare IoU']:9.3f} {row['seconds']:8d}",
                flush=True,
            )


if __name__ == "__main__":
    main()
