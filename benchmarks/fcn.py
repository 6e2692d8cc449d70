"""FCN-32s, 16s and 8s as lesson 06 trains them: ``python -m benchmarks.fcn [SEED …]``.

With ``--start`` it is what exercise 3 of that lesson asks instead: FCN-32s from nothing for twice the epochs,
and from an FCN-8s for as many epochs as that was trained.

Works on the data and at the scale that a lesson would (COURSE_DATA, COURSE_SCALE), and prints the
validation scores of each network for each seed: what the lesson's comparison is allowed to claim.
"""

import argparse
import contextlib
import io
import time
from pathlib import Path

import keras

from benchmarks import notebook, results
from course import inference, training
from course.models.fcn import STRIDES, small_fcn
from course.notebooks import read

LESSON = Path(__file__).parents[1] / "notebooks" / "06_fcn.ipynb"


def begin_with(model, trained):
    """Give `model` the layers of `trained`, by the lesson's own function."""
    cells = {cell.id: cell.source for cell in read(LESSON).cells if cell.id == "transplant"}
    with contextlib.redirect_stdout(io.StringIO()):  # the names of the layers that are new
        return notebook.run(cells)["begin_with"](model, trained)


def plans(scale, start):
    """What is trained for each seed: a name, and the networks one after another, as (stride, epochs)."""
    once = scale.epochs
    if start:
        return {"FCN-32s, twice": [(32, 2 * once)], "FCN-8s, then 32s": [(8, once), (32, once)]}
    return {f"FCN-{stride}s": [(stride, once)] for stride in STRIDES}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument(
        "--start", action="store_true", help="FCN-32s from an FCN-8s, and from nothing"
    )
    options = parser.parse_args()
    dataset, scale, train, validation = results.prepare()
    about = results.about(dataset, scale, train, validation)
    print("seed  model              mIoU  fwIoU  accuracy  boundary F  seconds")
    for seed in options.seeds:
        rows = []
        for name, plan in plans(scale, options.start).items():
            start, model = time.perf_counter(), None
            for stride, epochs in plan:
                before = model
                keras.utils.set_random_seed(seed)
                model = small_fcn(stride, width=scale.width, size=scale.size)
                if before is not None:
                    begin_with(model, before)
                training.fit(
                    model, train, validation, epochs=epochs, batch_size=scale.batch, seed=seed
                )
            row = {"seed": seed, "stride": stride, "seconds": round(time.perf_counter() - start)}
            row |= {"model": name} if options.start else {}
            row |= results.scores(validation.masks, inference.predict(model, validation.images))
            rows.append(row)
            print(
                f"{seed:4d}  {name:16s} {row['mIoU']:6.3f} {row['fwIoU']:6.3f} "
                f"{row['accuracy']:9.3f} {row['boundary F']:11.3f} {row['seconds']:8d}",
                flush=True,
            )
        results.update("fcn-start" if options.start else "fcn", dataset, scale, about, rows)


if __name__ == "__main__":
    main()
