"""Speed beside peers and beside the least there is to do, as ratios within one run: ``python -m benchmarks.speed``.

training    pictures a second of a step, ours over a peer's network of as many parameters, float32 both,
            their batches ready; processes take turns
generator   pictures a second that ``Batches`` hands out, augmented, over a generator that reads, resizes
            and one-hot encodes at every step, as the seed's notebook trains from
epochs      an epoch of ``fit`` over its steps one by one: what Keras and TensorFlow add
memory      an epoch of ``fit`` as the course sets the C library's allocator, over one as TensorFlow sets it;
            processes take turns
inference   a picture of 2000×3000 in tiles: its time over that of one pass over the whole, and over the
            time that its multiply-adds would take at the rate of a matrix product here
start       time of a lesson's first cell over that of importing Keras alone
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from unittest import mock

import cv2
import keras
import numpy as np

from benchmarks import costs, recipe, results
from benchmarks.accuracy import peer_process, write_pictures
from benchmarks.input import alternate, ratio
from benchmarks.peers import PEERS
from benchmarks.recipe import BASE
from course import data, environment, inference, training
from course.classes import NUM_CLASSES
from course.models.deeplab import deeplab_v3plus
from course.models.fcn import small_fcn
from course.models.unet import backbone_unet

TURNS = 3
LARGE = (2000, 3000)
KERAS = "import keras; keras.ops.zeros(1)"
EPOCH = "from benchmarks import speed; print(speed.an_epoch())"
# From 128 kB on, what is freed goes back to the system: as TensorFlow's first generator sets it.
GIVEN_BACK = {"MALLOC_MMAP_THRESHOLD_": "131072"}
FIRST_CELL = "from course import data, environment; environment.setup(); data.load()"


def pairs():
    """Networks of ours beside a peer's of as many parameters: name, ours, peer."""
    size = PEERS["keras-hub DeepLabV3+"].size
    yield (
        *("DeepLabV3+ over ResNet-50", "keras-hub DeepLabV3+"),
        lambda: deeplab_v3plus("resnet50", size=size),
    )
    yield (
        *("U-Net over a residual trunk", "segmentation_models U-Net"),
        lambda: backbone_unet("resnet", 88, size=size),
    )


def beside_peers(dataset):
    """Rows: pictures a second of ours, of the peer, and the ratio."""
    for name, peer_name, build in pairs():
        peer, model = PEERS[peer_name], build()
        ours, theirs = [], []
        with tempfile.TemporaryDirectory() as folder:
            write_pictures(folder, dataset, peer)
            for _ in range(TURNS):
                scale = environment.Scale("", peer.size, 0, 0, peer.batch)
                with mock.patch.dict(os.environ, COURSE_PRECISION="float32"):
                    cost = costs.seconds({name: model}, scale, rounds=5)[name]
                ours.append(peer.batch / cost["seconds a step"])
                report = peer_process(peer_name, folder, [0.5])
                theirs.append(peer.batch / report["seconds of it in the network"])
        yield {
            "group": "training",
            "what": f"{name} / {peer_name}",
            "parameters": [model.count_params(), report["parameters"]],
            "pictures a second": [round(statistics.median(s), 2) for s in (ours, theirs)],
            "ratio": round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 2),
        }


def generator(dataset):
    """Our batches, and a generator that does all of the work again at every step."""
    size, number = (192, 288), 4
    samples = dataset.at(size).split("train")
    found = {pair.name: pair for pair in dataset.pairs}
    files = [found[name] for name in samples.names[:80]]
    batches = data.Batches(samples[:80], number, data.Augmentation(), shuffle=True)
    one_hot = np.eye(NUM_CLASSES, dtype=np.float32)

    def ours():
        for i in range(len(batches)):
            batches[i]
        batches.on_epoch_end()

    def theirs():
        for start in range(0, len(files), number):
            images, masks = [], []
            for pair in files[start : start + number]:
                image = cv2.imread(str(pair.image), cv2.IMREAD_COLOR)
                mask = cv2.imread(str(pair.mask), cv2.IMREAD_UNCHANGED)
                images.append(cv2.resize(image, size[::-1]).astype(np.float32))
                mask = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST)
                masks.append(one_hot[mask if mask.ndim == 2 else mask[..., 0]])
            np.stack(images), np.stack(masks)

    ours(), theirs()
    times = alternate({"ours": ours, "theirs": theirs}, 7)
    yield {
        "group": "generator",
        "what": f"files of {'×'.join(map(str, cv2.imread(str(files[0].image)).shape[1::-1]))}",
        "pictures a second": [
            round(len(files) / statistics.median(times[who])) for who in ("ours", "theirs")
        ],
        "ratio": round(ratio(times, "theirs", "ours"), 2),
    }


def epochs(dataset):
    """The same network on the same batches, by ``fit`` and step by step."""
    samples = dataset.at(BASE.size).split("train")[:120]
    batches = data.Batches(samples, BASE.batch, data.Augmentation(), shuffle=True)
    model = recipe.NETWORKS[BASE.network](BASE)
    training.compile(model, samples)

    def steps():
        for i in range(len(batches)):
            model.train_on_batch(*batches[i])
        batches.on_epoch_end()

    def fit():
        model.fit(batches, shuffle=False, verbose=0)

    steps(), fit()
    times = alternate({"fit": fit, "steps": steps}, 4)
    yield {
        "group": "epochs",
        "what": f"an epoch of fit / its {len(batches)} steps",
        "seconds": [round(statistics.median(times[who]), 2) for who in ("fit", "steps")],
        "ratio": round(ratio(times, "fit", "steps"), 2),
    }


def memory():
    """Processes that train an epoch, on memory that is used again and on new memory."""

    def process(**variables):
        code = [sys.executable, "-c", EPOCH]
        run = subprocess.run(
            code, check=True, capture_output=True, text=True, env=os.environ | variables
        )
        return float(run.stdout.split()[-1])

    used_again, new = [], []
    for _ in range(TURNS):
        used_again.append(process())
        new.append(process(**GIVEN_BACK))
    yield {
        "group": "memory",
        "what": "an epoch of fit on memory used again / on new memory",
        "seconds": [round(statistics.median(s), 2) for s in (used_again, new)],
        "ratio": round(statistics.median(a / b for a, b in zip(used_again, new, strict=True)), 2),
    }


def an_epoch():
    """Seconds of an epoch of fifteen steps of ``fit``, the second one."""
    environment.setup()
    samples = data.load().at(BASE.size).split("train")[:60]
    batches = data.Batches(samples, BASE.batch, data.Augmentation(), shuffle=True)
    model = recipe.NETWORKS[BASE.network](BASE)
    training.compile(model, samples)
    model.fit(batches, shuffle=False, verbose=0)
    start = time.perf_counter()
    model.fit(batches, shuffle=False, verbose=0)
    return time.perf_counter() - start


def tiles():
    """A large picture in tiles, in one pass, and what its multiply-adds are worth."""
    picture = np.random.default_rng(0).integers(0, 256, (*LARGE, 3)).astype(np.uint8)
    model = small_fcn(8, width=16)
    adds = multiply_adds(small_fcn(8, width=16, size=LARGE))
    side = 2048
    matrix = keras.random.normal((side, side))

    def product():
        keras.ops.convert_to_numpy(keras.ops.matmul(matrix, matrix)[0, 0])

    runs = {
        "product": product,
        "whole": lambda: inference.predict(model, picture),
        "tiles": lambda: inference.predict_tiles(model, picture, 512, 64),
    }
    for run in runs.values():
        run()
    times = alternate(runs, 5)
    rate = side**3 / statistics.median(times["product"])
    seconds = statistics.median(times["tiles"])
    yield {
        "group": "inference",
        "what": "tiles of 512, overlap 64 / one pass",
        "seconds": [round(seconds, 2), round(statistics.median(times["whole"]), 2)],
        "ratio": round(ratio(times, "tiles", "whole"), 2),
    }
    yield {
        "group": "inference",
        "what": "tiles of 512, overlap 64 / its multiply-adds",
        "multiply-adds": adds,
        "multiply-adds a second": round(rate),
        "seconds": [round(seconds, 2), round(adds / rate, 2)],
        "ratio": round(seconds / (adds / rate), 2),
    }


def multiply_adds(model):
    """Of the convolutions of a model of fixed size, for one picture."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2DTranspose):
            total += np.prod(layer.kernel.shape) * np.prod(layer.input.shape[1:3])
        elif isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
            total += np.prod(layer.kernel.shape) * np.prod(layer.output.shape[1:3])
    return int(total)


def start():
    """Processes that import Keras, and that do what a lesson's first cell does."""

    def process(code):
        def run():
            subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

        return run

    runs = {"Keras": process(KERAS), "first cell": process(FIRST_CELL)}
    for run in runs.values():
        run()
    times = alternate(runs, 5)
    yield {
        "group": "start",
        "what": "a lesson's first cell / Keras by itself",
        "seconds": [round(statistics.median(times[who]), 2) for who in ("first cell", "Keras")],
        "ratio": round(ratio(times, "first cell", "Keras"), 2),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--without-peers", action="store_true", help="no environment is made")
    options = parser.parse_args()
    environment.setup()
    dataset = data.load()
    scale = environment.SCALES["laptop"]
    samples = dataset.at(scale.size)
    about = results.about(dataset, scale, samples.split("train"), samples.split("validation"))
    groups = [generator(dataset), epochs(dataset), memory(), tiles(), start()]
    if not options.without_peers:
        groups.append(beside_peers(dataset))
    began = time.perf_counter()
    for group in groups:
        for row in group:
            results.update("speed", dataset, scale, about, [row], ("group", "what"))
            print(*row.values(), sep="  ", flush=True)
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
