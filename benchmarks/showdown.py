"""FCN-8s, U-Net and DeepLabV3+ at one budget of parameters and one of training, as lesson 14 reads them.

``python -m benchmarks.showdown [SEED …] [--only MODEL] [--minutes M | --epochs N | --again BUDGET]
[--folder F]`` works on the data and at the scale that a lesson would (COURSE_DATA, COURSE_SCALE). All three have
about as many trainable parameters as a DeepLabV3+ over the encoder that the course ships; the two
that start from its weights stand beside them. With ``--minutes``, each network gets as many epochs
as fit into that time, by a step measured beforehand; with ``--epochs``, all get as many; with
``--again``, as many as in the stored race of that name, by the clock that it was timed by. Each run is
written to the results as it ends, over an older one of that budget, model and seed; with
``--folder``, a run that was broken off is taken up again.
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path

import keras

from benchmarks import costs, results
from benchmarks.unet import trainable
from course import classes, data, environment, inference, metrics, training
from course.models.deeplab import deeplab_v3plus
from course.models.fcn import small_fcn
from course.models.unet import backbone_unet, small_unet

MINUTES = {"smoke": 0.4, "laptop": 20, "gpu": 30}  # of training, by scale


def fcn(scale):
    return small_fcn(8, width=22, size=scale.size)


def unet(scale):
    return small_unet(15, size=scale.size)


def deeplab(scale, weights=None):
    return deeplab_v3plus(
        *("resnet", 24, weights),
        channels=96,
        low_channels=24,
        rates=(2, 4, 6),
        size=scale.size,
    )


def encoder_unet(scale, weights=None):
    return backbone_unet("resnet", 24, weights, decoder_width=12, stride=2, size=scale.size)


FROM_SCRATCH = {"FCN-8s": fcn, "U-Net": unet, "DeepLabV3+": deeplab}
PRETRAINED = {
    "U-Net, pretrained": partial(encoder_unet, weights="scenes"),
    "DeepLabV3+, pretrained": partial(deeplab, weights="scenes"),
}
MODELS = FROM_SCRATCH | PRETRAINED
COSTS = ("seconds a step", "ms a picture", "MB a picture", "MB a step")


def measured(labels, scale, folder=None):
    """What each network costs, by its name: see :mod:`benchmarks.costs`. With a folder it is
    measured once for all, so that a run which is taken up again has as many epochs as before."""
    file = folder and folder / "costs.json"
    if file and file.exists():
        return json.loads(file.read_text())
    labels = list(MODELS) if file else labels
    environment.import_keras()
    memory = {label: costs.megabytes(MODELS[label], scale) for label in labels}
    times = costs.seconds({label: MODELS[label](scale) for label in labels}, scale)
    found = {label: times[label] | memory[label] for label in labels}
    if file:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found, indent=1) + "\n")
    return found


def stored(budget, dataset, scale):
    """Of the race of that name: what each network cost, and its epochs, by the network's name."""
    rows = results.read("showdown", dataset, scale)["rows"]
    rows = {row["model"]: row for row in rows if row["budget"] == budget}
    costs = {label: {key: row[key] for key in COSTS} for label, row in rows.items()}
    return costs, {label: row["epochs"] for label, row in rows.items()}


def epochs_in(minutes, cost, train, validation, scale):
    """How many epochs fit, each with its look at the validation pictures; at least one."""
    steps = len(train) // scale.batch
    epoch = steps * cost["seconds a step"] + len(validation) * cost["ms a picture"] / 1000
    return max(1, round(60 * minutes / epoch))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--only", action="append", choices=MODELS, help="else all; may be repeated")
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--minutes", type=float, help="of training a network; the scale's if not given"
    )
    length.add_argument("--epochs", type=int, help="the same for all networks")
    length.add_argument(
        "--again", metavar="BUDGET", help="that of a stored race, its costs as well"
    )
    parser.add_argument("--folder", type=Path, help="where a run's state is kept")
    options = parser.parse_args()
    dataset = data.load()
    scale = environment.scale(dataset)
    minutes = options.minutes or MINUTES[scale.name]
    budget = f"{options.epochs} epochs" if options.epochs else f"{minutes:g} min"
    samples = dataset.at(scale.size)
    train, validation = samples.split("train"), samples.split("validation")
    if options.again:
        budget = options.again
        cost, lengths = stored(budget, dataset, scale)
        labels = options.only or list(cost)
        missing = sorted(set(labels) - set(cost))
        if missing or not cost:
            parser.error(f"no race {budget!r} {f'of {missing} ' if cost else ''}is stored")
    else:
        labels = options.only or list(MODELS)
        cost, lengths = measured(labels, scale, options.folder), {}
    environment.setup()
    about = results.about(dataset, scale, train, validation)
    print(
        f"{'seed':4s}  {'model':22s} {'budget':9s} parameters epochs seconds   mIoU  fwIoU accuracy "
        "boundary F  ms/picture  MB/picture  MB/step"
    )
    for seed in options.seeds:
        for label in labels:
            epochs = lengths.get(label) or options.epochs
            epochs = epochs or epochs_in(minutes, cost[label], train, validation, scale)
            keras.utils.set_random_seed(seed)
            model = MODELS[label](scale)
            start = time.perf_counter()
            history = training.fit(
                model,
                train,
                validation,
                epochs=epochs,
                batch_size=scale.batch,
                seed=seed,
                folder=options.folder
                and options.folder / f"{label} {budget} {seed}".replace(" ", "-"),
            )
            took = max(history.seconds, time.perf_counter() - start)
            guesses = inference.predict(model, validation.images)
            iou = metrics.iou(
                metrics.confusion_matrix(validation.masks, guesses, ignore=classes.UNLABELED)
            )
            row = {
                "budget": budget,
                "model": label,
                "seed": seed,
                "parameters": trainable(model),
                "epochs": epochs,
                "seconds": round(took, 1),
                "best epoch": history.best_epoch,
                **results.scores(validation.masks, guesses),
                **results.smoothed_boundary_f(validation.masks, guesses),
                "training mIoU": round(history.curves["mean_iou"][history.best_epoch - 1], 4),
                **cost[label],
                "IoU": {
                    name: round(float(value), 4)
                    for name, value in zip(classes.NAMES, iou, strict=True)
                    if value == value
                },
                "curve": [round(value, 4) for value in history.curves["val_mean_iou"]],
            }
            results.update("showdown", dataset, scale, about, [row], ("budget", "model", "seed"))
            print(
                f"{seed:4d}  {label:22s} {budget:9s} {row['parameters']:10,d} {epochs:6d} {took:7.0f} "
                f"{row['mIoU']:6.3f} {row['fwIoU']:6.3f} {row['accuracy']:8.3f} "
                f"{row['boundary F']:10.3f}  {row['ms a picture']:10.1f}  {row['MB a picture']!s:>10s}"
                f"  {row['MB a step']!s:>7s}",
                flush=True,
            )


if __name__ == "__main__":
    main()
