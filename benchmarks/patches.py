"""Lesson 05's patch classifier over several seeds: ``python -m benchmarks.patches [SEED …]``.

Runs the lesson's own cells once for each seed, on the data and at the scale that the lesson would
use (COURSE_DATA, COURSE_SCALE), and prints what the lesson is allowed to claim: scores of the label
maps, how many times faster the convolutional network is, and the ratio of gradients with and
without shortcuts. With ``--at-random`` windows are drawn as the pixels are, as exercise 3 asks.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks import notebook, results
from course.notebooks import read

LESSON = Path(__file__).parents[1] / "notebooks" / "05_patches_to_pixels.ipynb"


EQUAL_SHARES = "[rng.choice(np.flatnonzero(samples.masks == c), per_class) for c in present]"
AT_RANDOM = "[rng.choice(np.flatnonzero(samples.masks), per_class * len(present))]"


def run(seed, at_random=False):
    """The names that the lesson's cells leave behind when run with `seed`.

    With `at_random` as many windows are drawn from all labelled pixels.
    """
    changes = {"SEED, WINDOW, REACH = 0,": f"SEED, WINDOW, REACH = {seed},"}
    changes |= {EQUAL_SHARES: AT_RANDOM} if at_random else {}
    cells = {cell.id: cell.source for cell in read(LESSON).cells if cell.cell_type == "code"}
    for old, new in changes.items():
        if sum(old in source for source in cells.values()) != 1:
            raise ValueError(f"{LESSON.name} has no longer one line {old!r} to change.")
        cells = {name: source.replace(old, new) for name, source in cells.items()}
    return notebook.run(cells)


def measured(names):
    """What the lesson claims something about, as numbers."""
    row = {"accuracy on windows": names["history"]["val_accuracy"][-1]}
    rare = results.rare_classes(names["train"])
    for name, maps in names["guesses"].items():
        row[name] = results.scores(names["validation"].masks, np.stack(maps), rare)
    row["times faster"] = round(names["sliding"] / names["once"], 1)
    row["gradient ratio, plain"] = round(float(names["ratios"][False]), 2)
    row["gradient ratio, shortcuts"] = round(float(names["ratios"][True]), 2)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--at-random", action="store_true", help="windows as the pixels are")
    options = parser.parse_args()
    for seed in options.seeds:
        names = run(seed, options.at_random)
        row = {"seed": seed, **measured(names)}
        print(json.dumps(row), flush=True)
        dataset, scale = names["dataset"], names["scale"]
        about = results.about(dataset, scale, names["train"], names["validation"])
        name = "patches-at-random" if options.at_random else "patches"
        results.update(name, dataset, scale, about, [row])


if __name__ == "__main__":
    main()
