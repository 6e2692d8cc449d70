"""A small DeepLab v1 before and after its fully connected CRF, as lesson 10 trains it.

``python -m benchmarks.crf [SEED …]`` works on the data and at the scale that a lesson would
(COURSE_DATA, COURSE_SCALE). ``--search`` stores nothing: it scores settings of the CRF on training
pictures, which is where they may be chosen.
"""

import argparse
import time

import keras
import numpy as np

from benchmarks import results
from course import metrics, training
from course.classes import NAMES, UNLABELED
from course.inference import DenseCRF
from course.models.deeplab import deeplab_v1

EPOCHS = 16
RATE = 4  # the paper's 12 would reach over the whole of a map of 16×24
LEARNING_RATE = 1e-3
SEARCH = 12  # training pictures
SETTINGS = [
    {"theta_alpha": alpha, "theta_beta": beta, "appearance": weight}
    for alpha in (20, 40, 80)
    for beta in (5, 10, 20)
    for weight in (4, 10)
] + [{"smoothness": 0}, {"appearance": 0}]


def trained(scale, train, validation, seed):
    """DeepLab v1 over the small VGG, and the training's history."""
    keras.utils.set_random_seed(seed)
    model = deeplab_v1("vgg", scale.width, rate=RATE, size=scale.size)
    history = training.fit(
        model,
        train,
        validation,
        epochs=EPOCHS,
        batch_size=scale.batch,
        learning_rate=LEARNING_RATE,
        seed=seed,
    )
    return model, history


def class_ious(samples, guesses):
    """IoU of the classes in the truth, by name."""
    cm = metrics.confusion_matrix(samples.masks, guesses, ignore=UNLABELED)
    return {NAMES[i]: round(float(metrics.iou(cm)[i]), 4) for i in np.flatnonzero(cm.sum(axis=1))}


def show(label, scores):
    print(f"{label:44s}" + "".join(f"{value:11.3f}" for value in scores.values()), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--search", action="store_true", help="score settings on training pictures")
    options = parser.parse_args()
    dataset, scale, train, validation = results.prepare()
    rare = results.rare_classes(train)
    stride = scale.size[0] // 42  # 3 at smoke scale: 43×64 pixels vote
    for seed in options.seeds:
        model, history = trained(scale, train, validation, seed)
        judged = train[:SEARCH] if options.search else validation
        logits = model.predict(judged.images, batch_size=scale.batch, verbose=0)
        before = logits.argmax(axis=-1)
        row = {"seed": seed, "epochs": EPOCHS, "seconds": round(history.seconds)}
        row["before"] = results.scores(judged.masks, before, rare)
        show(f"seed {seed}: {', '.join(row['before'])}", row["before"])
        for setting in SETTINGS if options.search else [{}]:
            # Distances grow with the picture, as in the lesson; settings are for 128×192.
            far = {
                "theta_alpha": setting.get("theta_alpha", 40) * stride / 3,
                "theta_gamma": stride,
            }
            crf = DenseCRF(stride=stride, ignore=UNLABELED, **setting | far)
            start = time.perf_counter()
            after = crf(judged.images, logits).argmax(axis=-1)
            row["CRF seconds a picture"] = round((time.perf_counter() - start) / len(judged), 2)
            row["after"] = results.scores(judged.masks, after, rare)
            show(" ".join(f"{name} {value}" for name, value in setting.items()), row["after"])
        if not options.search:
            row["IoU before"], row["IoU after"] = (
                class_ious(validation, guesses) for guesses in (before, after)
            )
            about = results.about(dataset, scale, train, validation)
            about |= {"CRF": vars(crf), "rare classes": rare}
            results.update("crf", dataset, scale, about, [row])


if __name__ == "__main__":
    main()
