"""DeepLabV3 and V3+ over a small ResNet, at output stride 16 and 8, as lesson 11 trains them.

``python -m benchmarks.deeplab [SEED …] [--epochs N]`` works on the data and at the scale that a
lesson would (COURSE_DATA, COURSE_SCALE). Each network is trained at output stride 16; the same
weights then predict at 16 and at 8. The results take the place of those stored of these seeds and
this length; other seeds stay. With ``--pyramids``, V3 is trained with the paper's rates and with no
windows as well, and stored in a file of its own.
"""

import argparse
import time

import keras

from benchmarks import results
from course import inference, training
from course.models.deeplab import deeplab_v3, deeplab_v3plus

RATES = (2, 4, 6)  # the maps are small: 8×12 at smoke scale


def v3(scale, stride, build=deeplab_v3, rates=RATES, **options):
    width = max(16, scale.width)
    # V3's own dropout is a half; that of V3+ in both, for the decoder is what they are compared by.
    return build(
        "resnet",
        width,
        output_stride=stride,
        channels=4 * width,
        rates=rates,
        dropout=0.1,
        size=scale.size,
        **options,
    )


def v3plus(scale, stride, **options):
    low_channels = 3 * max(16, scale.width) // 4
    return v3(scale, stride, deeplab_v3plus, low_channels=low_channels, **options)


def full_v3plus(scale, stride):
    """V3+ with full windows in place of separable ones, as exercise 5 of lesson 11 asks."""
    return v3plus(scale, stride, separable=False)


def wide_v3(scale, stride):
    """V3 with the paper's rates, which hardly fit on maps of this size."""
    return v3(scale, stride, rates=(6, 12, 18))


def windowless_v3(scale, stride):
    """V3 whose pyramid has its 1×1 convolution and the mean of the map alone."""
    return v3(scale, stride, rates=())


BUILDERS = {"v3": v3, "v3+": v3plus, "v3+, full": full_v3plus}
PYRAMIDS = {"rates 2, 4, 6": v3, "rates 6, 12, 18": wide_v3, "no windows": windowless_v3}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, help="the scale's unless given")
    parser.add_argument("--only", help="a name as in the second column; else all")
    parser.add_argument("--pyramids", action="store_true", help="V3 with other windows and none")
    options = parser.parse_args()
    dataset, scale, train, validation = results.prepare()
    epochs = options.epochs or scale.epochs
    builders = PYRAMIDS if options.pyramids else BUILDERS
    if options.only and options.only not in builders:
        parser.error(
            f"there is no model {options.only!r} here; the models are {'; '.join(builders)}"
        )
    about = results.about(dataset, scale, train, validation)
    print("seed  model                 output stride   mIoU  fwIoU  accuracy  boundary F  seconds")
    for seed in options.seeds:
        for label in [options.only] if options.only else builders:
            build = builders[label]
            keras.utils.set_random_seed(seed)
            trained = build(scale, 16)
            history = training.fit(
                trained, train, validation, epochs=epochs, batch_size=scale.batch, seed=seed
            )
            rows = []
            for stride in (16, 8):
                model = build(scale, stride)
                model.set_weights(trained.get_weights())
                inference.predict(model, validation.images[:1])  # the first call builds the graph
                start = time.perf_counter()
                guesses = inference.predict(model, validation.images)
                row = {"seed": seed, "model": label, "epochs": epochs, "output stride": stride}
                row |= {"parameters": model.count_params(), "seconds": round(history.seconds)}
                row |= {"prediction seconds": round(time.perf_counter() - start, 2)}
                rows.append(row | results.scores(validation.masks, guesses))
                print(
                    f"{seed:4d}  {label:20s} {stride:14d} {rows[-1]['mIoU']:6.3f} "
                    f"{rows[-1]['fwIoU']:6.3f} {rows[-1]['accuracy']:9.3f} "
                    f"{rows[-1]['boundary F']:11.3f} {rows[-1]['seconds']:8d}",
                    flush=True,
                )
            run = ("epochs", "seed", "model", "output stride")
            name = "deeplab-pyramids" if options.pyramids else "deeplab"
            results.update(name, dataset, scale, about, rows, run)


if __name__ == "__main__":
    main()
