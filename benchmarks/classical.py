"""Segmentation without a network, lesson 03 over seeds: ``python -m benchmarks.classical [SEED …]``.

Runs the lesson's own cells, once for each seed, on the data and at the scale that the lesson would
use (COURSE_DATA, COURSE_SCALE), and prints the validation scores of each method: what the lesson's
comparisons are allowed to claim. A seed draws the pixels, the clusters' start and the forest.
"""

import argparse
from pathlib import Path
from types import SimpleNamespace

import sklearn

from benchmarks import notebook, results
from course.notebooks import read

LESSON = Path(__file__).parents[1] / "notebooks" / "03_before_deep_learning.ipynb"
# How the lesson writes its seed, and in which cells.
SEEDED = {
    "learn-groups": ("default_rng(0)", "random_state=0"),
    "draw": ("default_rng(0)",),
    "forest": ("random_state=0",),
}


def seeded(seed):
    """The sources of the lesson's code cells by id, with `seed` in the place of its own."""
    cells = {cell.id: cell.source for cell in read(LESSON).cells if cell.cell_type == "code"}
    for cell, places in SEEDED.items():
        for place in places:
            if place not in cells.get(cell, ""):
                raise ValueError(f"{LESSON.name} no longer has {place} in a cell {cell!r}.")
            cells[cell] = cells[cell].replace(place, place.replace("0", str(seed)))
    return cells


def run(seed):
    """The names that the lesson's cells leave behind when run with `seed`."""
    return SimpleNamespace(**notebook.run(seeded(seed)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    print("seed  method                  mIoU  fwIoU  accuracy  boundary F  seconds")
    for seed in options.seeds:
        lesson, rows = run(seed), []
        for name, guesses in lesson.guesses.items():
            row = {"seed": seed, "method": name}
            row |= results.scores(lesson.validation.masks, guesses)
            row["seconds"] = round(lesson.results[name]["seconds"], 4)
            rows.append(row)
            print(
                f"{seed:4d}  {name:22s} {row['mIoU']:5.3f} {row['fwIoU']:6.3f} "
                f"{row['accuracy']:9.3f} {row['boundary F']:11.3f} {row['seconds']:8.3f}",
                flush=True,
            )
        dataset, scale = lesson.dataset, lesson.scale
        about = results.about(dataset, scale, lesson.train, lesson.validation)
        about |= {"scale": {"name": scale.name, "size": scale.size}}  # no network, no epochs
        about |= {"scikit-learn": sklearn.__version__}
        results.update("classical", dataset, scale, about, rows)


if __name__ == "__main__":
    main()
