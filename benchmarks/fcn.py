"""FCN-32s, 16s and 8s as lesson 06 trains them: ``python -m benchmarks.fcn [SEED …]``.

Works on the data and at the scale that a lesson would (COURSE_DATA, COURSE_SCALE), and prints the
validation scores of each network for each seed: what the lesson's comparison is allowed to claim.
"""

import argparse
import time

import keras

from benchmarks import results
from course import inference, training
from course.models.fcn import STRIDES, small_fcn


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    dataset, scale, train, validation = results.prepare()
    about = results.about(dataset, scale, train, validation)
    print("seed  model      mIoU  fwIoU  accuracy  boundary F  seconds")
    for seed in options.seeds:
        rows = []
        for stride in STRIDES:
            keras.utils.set_random_seed(seed)
            model = small_fcn(stride, width=scale.width, size=scale.size)
            start = time.perf_counter()
            training.fit(
                model,
                train,
                validation,
                epochs=scale.epochs,
                batch_size=scale.batch,
                seed=seed,
            )
            row = {"seed": seed, "stride": stride, "seconds": round(time.perf_counter() - start)}
            row |= results.scores(validation.masks, inference.predict(model, validation.images))
            rows.append(row)
            print(
                f"{seed:4d}  FCN-{stride:<3d} {row['mIoU']:8.3f} {row['fwIoU']:6.3f} "
                f"{row['accuracy']:9.3f} {row['boundary F']:11.3f} {row['seconds']:8d}",
                flush=True,
            )
        results.update("fcn", dataset, scale, about, rows)


if __name__ == "__main__":
    main()
