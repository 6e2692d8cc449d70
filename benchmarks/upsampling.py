"""The comparisons of lesson 07 over seeds: ``python -m benchmarks.upsampling [SEED …]``.

Runs the lesson's own functions on the data that it would take (COURSE_DATA): the share of
checkerboard in random and in trained upsampling, and the loss of four small SegNets, batch
normalization and dropout on and off. What it prints is what the lesson is allowed to claim. With ``--rates``
the plain network and that with batch normalization are trained at these instead, as exercise 4 asks.
"""

import argparse
import json
from pathlib import Path
from types import SimpleNamespace

import keras

from benchmarks import notebook, results
from course.notebooks import read

LESSON = Path(__file__).parents[1] / "notebooks" / "07_upsampling.ipynb"
# The cells that import, load data and define; those that train and draw are not among them.
CELLS = (
    *("setup", "data", "nearest", "measure", "random", "random-shares", "decoder", "redraw"),
    *("pool-indices", "pool-try", "unpool", "unpool-agree", "segnet", "race-data", "race"),
)
NETWORKS = {
    "plain": (False, 0.0),
    "dropout": (False, 0.5),
    "batch norm": (True, 0.0),
    "batch norm + dropout": (True, 0.5),
}
RATE = 0.01  # the lesson's
LOSSES = "losses every 10 steps"  # pairs: training, held out


def functions_of_lesson(rate=RATE):
    """The names that those cells define; `race` trains at this learning rate."""
    cells = {cell.id: cell.source for cell in read(LESSON).cells if cell.id in CELLS}
    line = f"learning_rate = {RATE}"
    if cells["race"].count(line) != 1:
        raise ValueError(f"{LESSON.name} has no longer one line {line!r} to change.")
    cells["race"] = cells["race"].replace(line, f"learning_rate = {rate}")
    return SimpleNamespace(**notebook.run(cells))


def at_rates(rates, seeds):
    """Losses of the plain network and of that with batch normalization, stored by rate."""
    for rate in rates:
        lesson = functions_of_lesson(rate)
        for name in ("plain", "batch norm"):
            found = lesson.race(*NETWORKS[name], seeds=seeds)[0]
            rows = [
                {"network": name, "rate": rate, "seed": seed, LOSSES: curve.round(4).tolist()}
                for seed, curve in zip(seeds, found, strict=True)
            ]
            store("upsampling-rates", lesson, rows, ("network", "rate", "seed"))
            for step in (70, 100):
                training, held = found[:, step // 10].mean(axis=0)
                print(f"{name:10s} rate {rate:g}, step {step}: {training:.2f}, held out {held:.2f}")


def store(name, lesson, rows, run=("seed",)):
    """Put `rows` in the place of those of the same run in the file NAME-{synthetic|real}.json."""
    about = {"data": lesson.dataset.title, **results.machine()}
    results.update(name, lesson.dataset, None, about, rows, run)


def checkerboards(lesson, seed):
    """Shares of checkerboard by way: random kernels of both kinds, and decoders by training step."""
    uniform = keras.initializers.RandomUniform(0, 1)
    shares = {
        "random": lesson.median_shares("glorot_uniform", seed),
        "random, positive": lesson.median_shares(uniform, seed),
    }
    for way in lesson.ways(1):
        for step, drawn in lesson.redraw(way, seed).items():
            shares.setdefault(f"step {step}", {})[way] = lesson.mean_share(drawn)
    return {
        what: {way: round(float(share), 5) for way, share in row.items()}
        for what, row in shares.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument(
        "--rates", nargs="+", type=float, metavar="RATE", help="train at these instead"
    )
    options = parser.parse_args()
    seeds = options.seeds
    if options.rates:
        at_rates(options.rates, seeds)
        return
    lesson = functions_of_lesson()
    boards = {}
    for seed in seeds:
        boards[seed] = checkerboards(lesson, seed)
        print("seed", seed, json.dumps(boards[seed]), flush=True)
    curves = {}
    for name, switches in NETWORKS.items():
        curves[name] = lesson.race(*switches, seeds=seeds)[0].round(4).tolist()
        for seed, curve in zip(seeds, curves[name], strict=True):
            gap = sum(held - training for training, held in curve[-3:]) / 3
            print(
                f"{name:20s} seed {seed}: training, held out at step 50 {curve[5]}, 100 {curve[10]}; "
                f"their gap, mean of the last three {gap:.3f}"
            )
    rows = [
        {
            "seed": seed,
            "checkerboard": boards[seed],
            LOSSES: {name: by_seed[i] for name, by_seed in curves.items()},
        }
        for i, seed in enumerate(seeds)
    ]
    store("upsampling", lesson, rows)


if __name__ == "__main__":
    main()
