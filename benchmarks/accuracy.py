"""Accuracy at a fixed budget: the course's networks beside what else a user would pick, all from scratch.

``python -m benchmarks.accuracy [NETWORK …] [--minutes M …] [--rate RATE …] [--seed S …] [--augment HOW]``
trains each network for so many minutes on this machine and scores it on the validation pictures at 400×600
pixels, whatever size the network works at. The pictures are the data's that a lesson would find (COURSE_DATA);
all that are not for validation are trained on, the test part too, and no network sees the validation part
before it is scored: no epoch is chosen by it.

A minute of training is as many steps as fit into it by the median time of a step, taken beforehand. What a
library needs to trace its step and to start is not counted, and a minute in which something else ran is not
shorter. The peers train as :mod:`benchmarks.peers` says, in an environment that is made on first use. What
a training leaves goes to the results as it ends, over an older one of that network, budget, augmentation,
rate, seed and number (``--run``: the same once more, to see how much the machine alone changes).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks import recipe, results
from benchmarks.peers import PEERS, WAYS
from benchmarks.recipe import BASE, TRUTH
from course import data, environment

# Ways to change pictures at random, as the recipe's log calls them.
AUGMENTATIONS = {
    "all": "base",
    "flips": "flips alone",
    "flips and zoom": "flips and zoom",
    "none": "no augmentation",
}
OURS = {
    "FCN-8s": BASE,
    "U-Net": replace(BASE, network="U-Net, residual", width=32),
    "DeepLabV3+": replace(BASE, network="DeepLabV3+", width=32),
}
DEFAULT = "flips"  # of ours, as of `course.training.fit`; each of the peers has its own
PEERS_ENVIRONMENT = Path("build/peers")


def our_rows(name, dataset, truth, rare, minutes, rate, seed, augment=DEFAULT):
    """Train a network of the course for each of `minutes`, each time anew; its rows."""
    how = replace(OURS[name], rate=rate) if rate else OURS[name]
    how = replace(how, **recipe.CHANGES[AUGMENTATIONS[augment]])
    for length in minutes:
        (seconds,) = recipe.seconds_an_epoch([how], dataset, seed)
        epochs = max(1, round(60 * length / seconds))
        model, told = recipe.train(how, dataset, epochs, seed)
        scores = results.scores(truth, recipe.guesses(model, how, dataset), rare)
        yield {
            "source": "the course",
            "augment": augment,
            "rate": how.rate,
            "batch": how.batch,
            "size": how.size,
            "precision": how.precision,
            "minutes": length,
            "seconds an epoch": round(seconds, 2),
            **told,
            **scores,
        }


def peer_rows(name, dataset, truth, rare, minutes, rate, seed, augment=None):
    """Train a peer for each of `minutes`; its rows."""
    peer = replace(PEERS[name], augment=augment) if augment else PEERS[name]
    # Where the rate falls over a run, each length is a run of its own; else the shorter goes on.
    for lengths in [[m] for m in minutes] if peer.scheduled else [sorted(minutes)]:
        with tempfile.TemporaryDirectory() as folder:
            write_pictures(folder, dataset, peer)
            report = peer_process(name, folder, lengths, rate or peer.rate, seed, peer.augment)
            same = {"augment": peer.augment, "precision": "float32"}
            for run in report.pop("runs"):
                guesses = np.load(Path(folder) / f"{run['minutes']:g}.npy")
                scores = results.scores(truth, guesses, rare)
                yield {"source": peer.source, **same, **report, **run, **scores}


def peer_process(name, folder, minutes, rate=None, seed=0, augment=None):
    """Train a peer in a process of its environment; its report. `folder` holds the pictures."""
    python = python_of_peers()
    command = [python, "-m", "benchmarks.peers", name, folder, "--seed", seed]
    command += ["--rate", rate or PEERS[name].rate, "--minutes", *minutes]
    command += ["--augment", augment or PEERS[name].augment]
    # segmentation_models knows no Keras but that of TensorFlow's old days.
    old = {"SM_FRAMEWORK": "tf.keras", "TF_USE_LEGACY_KERAS": "1"}
    subprocess.run([str(part) for part in command], check=True, env=os.environ | old)
    return json.loads((Path(folder) / "report.json").read_text())


def write_pictures(folder, dataset, peer):
    """What a peer's process reads; the truth of the pictures that it is scored on is not among it.

    What is zoomed at random comes as large as the copies are, in the shape that the peer wants:
    scaled down beforehand, it would have no details for a zoom to show.
    """
    size, changes = peer.size, WAYS[peer.augment]
    if changes and changes.zoom > 1:
        largest = min(have / want for have, want in zip(TRUTH, size, strict=True))
        size = tuple(round(largest * n) for n in size)
    train, _ = recipe.pictures(dataset, size)
    _, validation = recipe.pictures(dataset, peer.size)
    np.savez(
        Path(folder) / "pictures.npz",
        images=train.images,
        masks=train.masks,
        unseen=validation.images,
        truth_size=TRUTH,
    )


def python_of_peers():
    """The interpreter of the peers' environment, which is made where it is missing or old."""
    wanted = Path(__file__).with_name("peers.txt")
    python, made = PEERS_ENVIRONMENT / "bin" / "python", PEERS_ENVIRONMENT / "peers.txt"
    if not made.exists() or made.read_text() != wanted.read_text():
        print(f"Making the peers' environment in {PEERS_ENVIRONMENT} …", flush=True)
        shutil.rmtree(PEERS_ENVIRONMENT, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", PEERS_ENVIRONMENT], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", wanted], check=True)
        shutil.copy(wanted, made)
    return python


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    every = [*OURS, *PEERS]
    parser.add_argument("networks", nargs="*", choices=[*every, []], metavar="NETWORK")
    parser.add_argument("--minutes", nargs="+", type=float, default=[10, 30])
    parser.add_argument("--rate", nargs="+", type=float, default=[None], help="else each its own")
    parser.add_argument("--seed", nargs="+", type=int, default=[0])
    parser.add_argument("--run", type=int, default=0, help="number of a repetition")
    parser.add_argument(
        "--augment", choices=AUGMENTATIONS, help="else each as it trains by default"
    )
    options = parser.parse_args()
    environment.setup()
    dataset = data.load()
    scale = environment.SCALES["laptop"]
    train, validation = recipe.pictures(dataset, TRUTH)
    rare = results.rare_classes(train)
    about = results.about(dataset, scale, train, validation) | {"rare classes": rare}
    del about["precision"]  # each row has its own
    print(
        "network                    minutes      rate seed   steps   mIoU  fwIoU accuracy rare IoU"
    )
    for name, rate, seed in (
        (n, r, s) for n in options.networks or every for r in options.rate for s in options.seed
    ):
        rows = our_rows if name in OURS else peer_rows
        augment = options.augment or (PEERS[name].augment if name in PEERS else DEFAULT)
        how = (options.minutes, rate, seed, augment)
        for row in rows(name, dataset, validation.masks, rare, *how):
            row = {"network": name, "seed": seed, "run": options.run, **row}
            key = ("minutes", "network", "augment", "rate", "seed", "run")
            results.update("accuracy", dataset, scale, about, [row], key)
            print(
                f"{name:26s} {row['minutes']:7g} {row['rate']:9.3g} {seed:4d} {row['steps']:7d} "
                f"{row['mIoU']:6.3f} {row['fwIoU']:6.3f} {row['accuracy']:8.3f} "
                f"{row['rare IoU']:8.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
