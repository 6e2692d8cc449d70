"""What the input pipeline costs: ``python -m benchmarks.input``.

Two ratios, each from one run of alternating repetitions:

cold decode   time of a bare threaded loop (read, ``cv2.imdecode``, ``cv2.resize``, no checks,
              nothing written) over the time of ``load_samples`` on an empty cache, which also
              hashes the files, checks them and writes the cache. At least 0.9 is wanted.
training      time of an epoch fed by augmented batches over one fed by a constant batch.
              At most 1.05 is wanted.

Decoding is measured on pictures of 6000×4000 pixels, drawn here, and on the dataset found.
Hashing and checking are also measured apart.
"""

import json
import os
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import cv2
import keras
import numpy as np

from benchmarks import results
from course import data, environment, training
from course.data import synthetic
from course.data.cache import load_samples
from course.data.find import find
from course.models.fcn import small_fcn

SIZE = (128, 192)
BATCH = 6
FILE = results.RESULTS / "input.json"


def timed(function):
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def alternate(functions, repetitions):
    """Seconds of each function, by repetition; they take turns, so that a busy minute hits all alike."""
    times = {name: [] for name in functions}
    for repetition in range(repetitions):
        # Whoever goes first finds another machine than who goes last: take turns at that too.
        order = list(functions) if repetition % 2 else list(functions)[::-1]
        for name in order:
            times[name].append(timed(functions[name]))
    return times


def ratio(times, one, other):
    """The median, over the repetitions, of one function's time by another's right beside it."""
    return statistics.median(a / b for a, b in zip(times[one], times[other], strict=True))


def large_photographs(folder, count=6):
    """Pictures and masks of 24 megapixels in the Kaggle layout."""
    synthetic.write(folder, scenes=count)
    for pair in find(folder).pairs:
        for path, how in ((pair.image, cv2.INTER_CUBIC), (pair.mask, cv2.INTER_NEAREST)):
            pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            large = cv2.resize(pixels, (6000, 4000), interpolation=how)
            if (
                path is pair.image
            ):  # sensor noise, without which a JPEG is small and quick to decode
                noise = np.random.default_rng(0).normal(0, 6, (1000, 1000, 3))
                large = (large + np.tile(noise, (4, 6, 1))).clip(0, 255).astype(np.uint8)
            cv2.imwrite(str(path), large)
    return find(folder).pairs


def bare(pairs, workers):
    """The least that any loader must do."""

    def one(pair):
        image = cv2.imdecode(np.fromfile(pair.image, np.uint8), cv2.IMREAD_COLOR)
        mask = cv2.imdecode(np.fromfile(pair.mask, np.uint8), cv2.IMREAD_UNCHANGED)
        size = SIZE[::-1]
        return (
            cv2.resize(image, size, interpolation=cv2.INTER_AREA),
            cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT),
        )

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, pairs))


def cold(pairs, workers):
    """Our loader on an empty cache."""
    with tempfile.TemporaryDirectory() as cache, mock.patch.dict(os.environ, COURSE_CACHE=cache):
        load_samples(pairs, SIZE, workers)


def hashed(pairs, workers):
    """The part of it that reads every file to know its content."""
    from course.data.cache import _key

    with tempfile.TemporaryDirectory() as cache:
        _key(pairs, SIZE, Path(cache), workers)


def decoding(pairs, repetitions):
    workers = os.cpu_count() or 1
    bare(pairs, workers)  # bring the files into memory
    times = alternate(
        {
            "bare": lambda: bare(pairs, workers),
            "cold": lambda: cold(pairs, workers),
            "hashing": lambda: hashed(pairs, workers),
        },
        repetitions,
    )
    return {
        "pictures": len(pairs),
        "repetitions": repetitions,
        **{
            f"{name}_ms": 1000 * statistics.median(values) / len(pairs)
            for name, values in times.items()
        },
        "ratio": ratio(times, "bare", "cold"),
        "wanted": ">= 0.9",
    }


class Constant(keras.utils.PyDataset):
    """One batch, ready in memory, again and again."""

    def __init__(self, batch, steps):
        super().__init__(workers=1)
        self.batch, self.steps = batch, steps

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        return self.batch


def feeding(samples, augment, repetitions):
    """Epochs of the same model, compiled as `course.training.fit` does, on two feeds."""
    # The pictures four times over: what starting and ending an epoch costs is the same for both feeds.
    rows = np.tile(np.arange(len(samples)), 4)
    samples = data.Samples(samples.names * 4, samples.images[rows], samples.masks[rows])
    batches = data.Batches(samples, BATCH, augment, shuffle=True)
    constant = Constant(batches[0], len(batches))
    model = small_fcn(8)
    training.compile(model, samples)

    def epoch(feed):
        return lambda: model.fit(feed, shuffle=False, verbose=0)

    for feed in (constant, batches):  # compile
        epoch(feed)()
    times = alternate({"constant": epoch(constant), "pipeline": epoch(batches)}, repetitions)
    batches.on_epoch_end()  # nothing is prepared already
    alone = timed(lambda: [batches[i] for i in range(len(batches))])
    steps = len(batches)
    return {
        "steps_an_epoch": steps,
        "repetitions": repetitions,
        **{
            f"{name}_ms": 1000 * statistics.median(values) / steps for name, values in times.items()
        },
        "batch_alone_ms": 1000 * alone / steps,
        "ratio": ratio(times, "pipeline", "constant"),
        "wanted": "<= 1.05",
    }


def table(rows):
    print(f"\n{'':28}{'bare/constant':>15}{'course':>10}{'ratio':>8}  wanted")
    for name, row in rows.items():
        base, ours = (
            row.get(a, row.get(b))
            for a, b in (("bare_ms", "constant_ms"), ("cold_ms", "pipeline_ms"))
        )
        print(f"{name:28}{base:12.1f} ms{ours:7.1f} ms{row['ratio']:8.3f}  {row['wanted']}")
        if "hashing_ms" in row:
            print(f"{'    of it hashing':28}{row['hashing_ms']:22.1f} ms")
        if "batch_alone_ms" in row:
            print(f"{'    a batch by itself':28}{row['batch_alone_ms']:22.1f} ms")


def main():
    environment.setup()
    os.environ["COURSE_PROGRESS"] = "0"
    machine = results.machine()
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    dataset = data.load()
    samples = dataset.at(SIZE)
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        rows["decode, 24 megapixels"] = decoding(large_photographs(Path(folder) / "large"), 7)
    height, width = dataset[dataset.names[0]][1].shape
    rows[f"decode, {width}×{height}"] = decoding(dataset.pairs, 7)
    for name, augment in {"mirrored": data.FLIPS, "all augmentation": data.Augmentation()}.items():
        rows[f"training step, {name}"] = feeding(samples.split("train"), augment, 9)
    table(rows)
    FILE.write_text(json.dumps({"data": dataset.title, **machine, "rows": rows}, indent=1) + "\n")
    print(f"\nWritten to {FILE}.")


if __name__ == "__main__":
    main()
