"""Lesson 05's patch classifier over several seeds: ``python -m benchmarks.patches [SEED …]``.

Runs the lesson's own cells once for each seed, on the data and at the scale that the lesson would
use (COURSE_DATA, COURSE_SCALE), and prints what the lesson is allowed to claim: scores of the label
maps, how many times faster the convolutional network is, and the ratio of gradients with and
without shortcuts.
"""

import argparse
import json
from pathlib import Path

from benchmarks import notebook, results
from course import metrics
from course.notebooks import read

LESSON = Path(__file__).parents[1] / "notebooks" / "05_patches_to_pixels.ipynb"


def run(seed):
    """The names that the lesson's cells leave behind when run with `seed`."""
    names = notebook.run(
        {
            cell.id: cell.source.replace(
                "SEED, WINDOW, REACH = 0,", f"SEED, WINDOW, REACH = {seed},"
            )
            for cell in read(LESSON).cells
            if cell.cell_type == "code"
        }
    )
    if names["SEED"] != seed:
        raise ValueError(f"{LESSON.name} no longer sets SEED where this benchmark looks for it.")
    return names


def measured(names):
    """What the lesson claims something about, as numbers."""
    row = {"accuracy on windows": names["history"]["val_accuracy"][-1]}
    for name, cm in names["matrices"].items():
        row[name] = {
            "mIoU": round(float(metrics.mean_iou(cm)), 4),
            "fwIoU": round(float(metrics.frequency_weighted_iou(cm)), 4),
            "accuracy": round(float(metrics.pixel_accuracy(cm)), 4),
        }
    row["times faster"] = round(names["sliding"] / names["once"], 1)
    row["gradient ratio, plain"] = round(float(names["ratios"][False]), 2)
    row["gradient ratio, shortcuts"] = round(float(names["ratios"][True]), 2)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    for seed in options.seeds:
        names = run(seed)
        row = {"seed": seed, **measured(names)}
        print(json.dumps(row), flush=True)
        dataset, scale = names["dataset"], names["scale"]
        about = results.about(dataset, scale, names["train"], names["validation"])
        results.update("patches", dataset, scale, about, [row])


if __name__ == "__main__":
    main()
