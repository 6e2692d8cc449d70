"""Tiles, views and exported files: what they cost and what they change, as lesson 13 uses them.

``python -m benchmarks.deploy [SEED …] [--speed]`` trains lesson 13's network for each seed and
compares, on the validation pictures, one pass with tiles, with views mirrored and scaled, with 8-bit
weights, and one drawn scene at three sizes. ``--speed`` measures times and file sizes instead, as
ratios within one run; ``--flight`` a video, damped and not, as exercise 4 asks; ``--mobile`` the mobile
U-Net in the FCN's place, as exercise 5 asks. Data and scale are those of a lesson (COURSE_DATA,
COURSE_SCALE).
"""

import argparse
import functools
import statistics
import tempfile
from pathlib import Path

import cv2
import keras
import numpy as np

from benchmarks import results
from benchmarks.input import alternate
from course import data, environment, export, inference, training
from course.classes import UNLABELED
from course.data import synthetic
from course.inference.logits import softmax
from course.models.fcn import small_fcn
from course.models.mobile import mobile_unet
from course.models.unet import small_unet, unet

# Size of the tiles, overlap, rim.
TILINGS = {
    "64, no overlap": (64, 0, 0),
    "64, overlap 32": (64, 32, 0),
    "128, no overlap": (128, 0, 0),
    "128, overlap 64": (128, 64, 0),
    "128, overlap 64, rim 32": (128, 64, 32),
}
SCENE = 1000  # the seed of lesson 13's photograph
REPETITIONS = 7


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--speed", action="store_true", help="times and sizes instead of scores")
    parser.add_argument("--flight", action="store_true", help="how often a video's labels change")
    parser.add_argument("--mobile", action="store_true", help="score a mobile U-Net beside FCN-8s")
    options = parser.parse_args()
    environment.setup()
    dataset = data.load()
    scale = environment.scale(dataset)
    samples = dataset.at(tuple(2 * side for side in scale.size))
    train, validation = samples.split("train"), samples.split("validation")
    about = results.about(dataset, scale, train, validation)
    if options.speed:
        rows = list(speed(scale))
        results.write("deploy-speed", dataset, scale, about, rows)
        return
    for seed in options.seeds:
        if options.mobile:
            name, rows = "deploy-mobile", list(beside_mobile(train, validation, scale, seed))
        else:
            model, _ = trained(lambda: small_fcn(8, width=scale.width), train, scale, seed)
            if options.flight:
                name, rows = "deploy-flight", list(flight(model, validation.images.shape[1:3]))
            else:
                name, rows = "deploy", list(scores(model, validation, scale))
        for row in rows:
            print(seed, *row.values(), sep="  ", flush=True)
        rows = [{"seed": seed, **row} for row in rows]
        results.update(name, dataset, scale, about, rows)


def trained(build, train, scale, seed):
    """A network trained as lesson 13 trains its FCN-8s, on crops of pictures of twice the scale's size;
    and the seconds that took."""
    keras.utils.set_random_seed(seed)
    model = build()
    history = training.fit(
        model,
        train,
        epochs=3 * scale.epochs // 2,
        batch_size=scale.batch,
        augment=data.RandomCrops(scale.size),
        seed=seed,
    )
    return model, history.seconds


def beside_mobile(train, validation, scale, seed):
    """One row a network: its scores after as many steps."""
    for name, build in {
        "FCN-8s": lambda: small_fcn(8, width=scale.width),
        "mobile U-Net": lambda: mobile_unet(16),
    }.items():
        model, seconds = trained(build, train, scale, seed)
        guesses = inference.predict(model, validation.images)
        row = {"what": name, "parameters": model.count_params(), "seconds": round(seconds)}
        yield row | results.scores(validation.masks, guesses)


def flight(model, size, frames=24, step=(8, 12), damping=0.6):
    """One row a way to label lesson 13's video: changes of the shared ground, and what is right."""
    picture, truth = photograph()
    down, across = step
    ground = cv2.resize(picture, (2 * size[1], 2 * size[0]), interpolation=cv2.INTER_AREA)
    truth = cv2.resize(truth, (2 * size[1], 2 * size[0]), interpolation=cv2.INTER_NEAREST)
    windows = [
        (slice(down * t, down * t + size[0]), slice(across * t, across * t + size[1]))
        for t in range(frames)
    ]
    truths = np.stack([truth[window] for window in windows])
    each = [softmax(model.predict_on_batch(ground[window][None])[0]) for window in windows]
    damped = [each[0]]
    for frame in each[1:]:
        mean = frame.copy()
        mean[:-down, :-across] *= 1 - damping
        mean[:-down, :-across] += damping * damped[-1][down:, across:]
        damped.append(mean)
    for what, probabilities in {"each frame by itself": each, "damped": damped}.items():
        labels = np.stack([p.argmax(axis=-1) for p in probabilities])
        same = labels[1:, :-down, :-across] == labels[:-1, down:, across:]
        right = (labels == truths)[truths != UNLABELED]
        changed = round(float(1 - same.mean()), 4)
        yield {"what": what, "changed": changed, "accuracy": round(float(right.mean()), 4)}


def scores(model, validation, scale):
    """One row a way to predict: scores, and the share of pixels that keep the label of one pass."""
    whole = labels(lambda image: inference.predict(model, image), validation)

    def row(what, guesses):
        same = round(float((guesses == whole).mean()), 4)
        return {"what": what, "same": same, **results.scores(validation.masks, guesses)}

    yield row("one pass", whole)
    for name, (tile, overlap, rim) in TILINGS.items():
        guesses = labels(tiled(model, tile, overlap, rim), validation)
        found = row(f"tiles of {name}", guesses)
        if columns := cuts(whole.shape[2], tile, overlap, rim):
            share = edges(guesses, columns) / edges(whole, columns)
            found["edges at cuts"] = round(float(share), 3)
        yield found
    for name, views in {
        "flips": inference.augmented(model),
        "scales": inference.augmented(model, flips=False, scales=(0.75, 1, 1.25)),
    }.items():
        yield row(name, labels(once(views), validation))
    if environment.backend() == "tensorflow":
        with tempfile.TemporaryDirectory() as folder:
            size = validation.images.shape[1:3]
            for bits in (32, 8):
                file = export.save(model, Path(folder) / f"{bits}.tflite", size, bits)
                yield row(f"LiteRT, {bits} bits", labels(once(export.load(file)), validation))
    yield from at_heights(model)


def at_heights(model, heights=(256, 1000, 4000), size=(4000, 6000)):
    """One row a height: lesson 13's photograph, drawn and enlarged to `size`, labelled at that height.

    Scored is every fourth pixel of every fourth row of what was drawn, as the lesson shows it.
    """
    drawn, truth = photograph()
    picture = cv2.resize(drawn, size[::-1], interpolation=cv2.INTER_CUBIC)
    for height in heights:
        guess = label_at(height, model, picture, truth.shape)
        found = results.scores(truth[None, ::4, ::4], guess[None, ::4, ::4])
        yield {"what": f"a scene {height} high", "same": None, **found}


def label_at(height, model, picture, size):
    """A label map of `size`, predicted at this height in tiles, as by `at_height` of lesson 13."""
    small = cv2.resize(picture, (height * 3 // 2, height), interpolation=cv2.INTER_AREA)
    guess = inference.predict_tiles(model, small, tile=512, overlap=64)
    return cv2.resize(guess, size[::-1], interpolation=cv2.INTER_NEAREST)


def labels(function, validation):
    return np.stack([function(image) for image in validation.images])


def cuts(width, tile, overlap, rim):
    """The columns at which one tile takes over from another at once; none where tiles fade into each other."""
    owner = np.full(width, -1)  # the tile that alone answers for a column
    for number, (start, window) in enumerate(inference.windows(width, tile, overlap, rim)):
        owner[start : start + tile][window[: width - start] == 1] = number
    before, after = owner[:-1], owner[1:]
    return (np.flatnonzero((before != after) & (before >= 0) & (after >= 0)) + 1).tolist()


def edges(masks, columns):
    """How often the label changes from the column before to each of `columns`."""
    return (masks[:, :, columns] != masks[:, :, np.subtract(columns, 1)]).mean()


@functools.cache
def photograph():
    return synthetic.scene(SCENE, (2000, 3000))


def tiled(model, tile, overlap, rim):
    return lambda image: inference.predict_tiles(model, image, tile, overlap, rim)


def once(views):
    return lambda image: views(image[None])[0].argmax(axis=-1).astype(np.uint8)


def speed(scale):
    """Seconds a megapixel beside those of the first of each group, and bytes."""
    picture = np.random.default_rng(0).integers(0, 256, (1024, 1536, 3)).astype(np.uint8)
    fcn = small_fcn(8, width=scale.width)
    yield from compared(
        f"FCN-8s of width {scale.width}, tiles with an overlap of 64",
        {
            f"tiles of {tile}": (lambda tile=tile: inference.predict_tiles(fcn, picture, tile, 64))
            for tile in (512, 128, 256, 1024)
        },
    )
    one = picture[None, :256, :384]
    networks = {
        "the paper's U-Net": unet(padding="same", batch_norm=True),
        "small U-Net": small_unet(scale.width),
        "FCN-8s": fcn,
        "mobile U-Net": mobile_unet(16),
    }
    runs = {name: (lambda net=net: net.predict_on_batch(one)) for name, net in networks.items()}
    for row in compared("networks, a picture of 256×384", runs):
        yield {**row, "parameters": networks[row["what"]].count_params()}
    if environment.backend() != "tensorflow":
        return
    for name in ("FCN-8s", "mobile U-Net"):
        with tempfile.TemporaryDirectory() as folder:
            files = {
                label: export.save(networks[name], Path(folder) / file, one.shape[1:3], bits)
                for label, file, bits in (
                    ("Keras", "a.keras", 32),
                    ("SavedModel", "a", 32),
                    ("LiteRT, 32 bits", "a.tflite", 32),
                    ("LiteRT, 8 bits", "b.tflite", 8),
                )
            }
            loaded = {label: export.load(file) for label, file in files.items()}
            runs = {label: (lambda net=net: net(one)) for label, net in loaded.items()}
            for row in compared(f"{name} as a file, a picture of 256×384", runs):
                yield {**row, "bytes": export.size_of(files[row["what"]])}


def compared(group, runs):
    """Median seconds of each, and how many times faster than the first, side by side."""
    for run in runs.values():  # the first call traces
        run()
    times = alternate(runs, REPETITIONS)
    first = next(iter(runs))
    for name, seconds in times.items():
        faster = statistics.median(a / b for a, b in zip(times[first], seconds, strict=True))
        row = {
            "group": group,
            "what": name,
            "seconds": round(statistics.median(seconds), 4),
            "times as fast": round(faster, 2),
        }
        print(*row.values(), sep="  ", flush=True)
        yield row


if __name__ == "__main__":
    main()
