"""The comparisons of lesson 07 over seeds: ``python -m benchmarks.upsampling [SEED …]``.

Runs the lesson's own functions on the data that it would take (COURSE_DATA): the share of
checkerboard in random and in trained upsampling, and the loss of four small SegNets, batch
normalization and dropout on and off. What it prints is what the lesson is allowed to claim.
"""

import argparse
import json
from pathlib import Path
from types import SimpleNamespace

import keras

from benchmarks import notebook
from benchmarks.results import RESULTS, machine
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


def functions_of_lesson():
    """The names that those cells define."""
    cells = {cell.id: cell.source for cell in read(LESSON).cells if cell.id in CELLS}
    return SimpleNamespace(**notebook.run(cells))


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
    seeds = parser.parse_args().seeds
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
    about = {"data": lesson.dataset.title, "seeds": seeds, **machine()}
    name = "synthetic" if lesson.dataset.synthetic else "real"
    RESULTS.mkdir(exist_ok=True)
    found = about | {"checkerboard": boards, "losses every 10 steps": curves}
    (RESULTS / f"upsampling-{name}.json").write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
