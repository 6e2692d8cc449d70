"""A small DeepLab v1 before and after its fully connected CRF, as lesson 10 trains it.

``python -m benchmarks.crf [SEED …]`` works on the data and at the scale that a lesson would
(COURSE_DATA, COURSE_SCALE). ``--search`` stores nothing: it scores settings of the CRF on training
pictures, which is where they may be chosen. ``--colours`` tries those of exercise 4 on the validation
pictures, ``--networks`` v1 without atrous convolutions and lesson 06's FCN-8s; both store in files of
their own.
"""

import argparse
import itertools
import time

import keras
import numpy as np
from keras import layers

from benchmarks import results
from course import metrics, training
from course.classes import NAMES, NUM_CLASSES, UNLABELED
from course.inference import DenseCRF
from course.layers import ResizeLike
from course.models.backbones import backbone
from course.models.deeplab import deeplab_v1
from course.models.fcn import small_fcn

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
COLOURS = [3, 10, 200]  # theta_beta, over three channels; lesson 10 takes 10


def v1(scale):
    return deeplab_v1("vgg", scale.width, rate=RATE, size=scale.size)


def strided_v1(scale):
    """DeepLab v1 with the trunk's strides left as they are: no convolution in it is atrous."""
    images = keras.Input((*scale.size, 3))
    x = backbone("vgg", images, scale.width)[32]
    for window in (3, 1):
        x = layers.Conv2D(16 * scale.width, window, padding="same", activation="relu")(x)
        x = layers.Dropout(0.5)(x)
    return keras.Model(
        images, ResizeLike(dtype="float32")([layers.Conv2D(NUM_CLASSES, 1)(x), images])
    )


def fcn_8s(scale):
    return small_fcn(8, width=scale.width, size=scale.size)


# How to build it, and how lessons 10 and 06 train it.
AS_V1 = {"epochs": EPOCHS, "learning_rate": LEARNING_RATE}
NETWORKS = {
    "v1": (v1, AS_V1),
    "v1, strided": (strided_v1, AS_V1),
    "FCN-8s": (fcn_8s, {"epochs": 12}),
}


def trained(name, scale, train, validation, seed):
    """A network, and its training's history."""
    build, options = NETWORKS[name]
    keras.utils.set_random_seed(seed)
    model = build(scale)
    batch = {"batch_size": scale.batch, "seed": seed}
    return model, training.fit(model, train, validation, **batch, **options)


def class_ious(samples, guesses):
    """IoU of the classes in the truth, by name."""
    cm = metrics.confusion_matrix(samples.masks, guesses, ignore=UNLABELED)
    return {NAMES[i]: round(float(metrics.iou(cm)[i]), 4) for i in np.flatnonzero(cm.sum(axis=1))}


def show(label, scores):
    print(f"{label:44s}" + "".join(f"{value:11.3f}" for value in scores.values()), flush=True)


def revised(judged, logits, **setting):
    """The CRF of `setting`, its label maps, and its seconds a picture."""
    stride = judged.images.shape[1] // 42  # 3 at smoke scale: 43×64 pixels vote
    # Distances grow with the picture, as in the lesson; settings are for 128×192.
    far = {"theta_alpha": setting.get("theta_alpha", 40) * stride / 3, "theta_gamma": stride}
    crf = DenseCRF(stride=stride, ignore=UNLABELED, **setting | far)
    start = time.perf_counter()
    after = crf(judged.images, logits).argmax(axis=-1)
    return crf, after, round((time.perf_counter() - start) / len(judged), 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--search", action="store_true", help="score settings on training pictures")
    parser.add_argument("--colours", action="store_true", help="how alike pixels must be to vote")
    parser.add_argument("--networks", action="store_true", help="a strided v1 and FCN-8s as well")
    options = parser.parse_args()
    dataset, scale, train, validation = results.prepare()
    rare = results.rare_classes(train)
    about = results.about(dataset, scale, train, validation) | {"rare classes": rare}
    for seed, name in itertools.product(options.seeds, NETWORKS if options.networks else ["v1"]):
        model, history = trained(name, scale, train, validation, seed)
        judged = train[:SEARCH] if options.search else validation
        logits = model.predict(judged.images, batch_size=scale.batch, verbose=0)
        before = logits.argmax(axis=-1)
        row = {"seed": seed, "epochs": len(history), "seconds": round(history.seconds)}
        row["before"] = results.scores(judged.masks, before, rare)
        show(f"seed {seed}, {name}: {', '.join(row['before'])}", row["before"])
        settings = [{"theta_beta": beta} for beta in COLOURS] if options.colours else [{}]
        for setting in SETTINGS if options.search else settings:
            crf, after, seconds = revised(judged, logits, **setting)
            found = results.scores(judged.masks, after, rare)
            show(" ".join(f"{key} {value}" for key, value in setting.items()), found)
            row |= {"CRF seconds a picture": seconds, "after": found}
            if options.colours:
                changed = {"changed": round(float((after != before).mean()), 4)}
                run = ("seed", "theta_beta")
                results.update("crf-colours", dataset, scale, about, [row | setting | changed], run)
            elif options.networks:
                one = {"network": name, "parameters": model.count_params(), **row}
                results.update("crf-networks", dataset, scale, about, [one], ("seed", "network"))
            elif not options.search:
                row["IoU before"] = class_ious(judged, before)
                row["IoU after"] = class_ious(judged, after)
                results.update("crf", dataset, scale, about | {"CRF": vars(crf)}, [row])


if __name__ == "__main__":
    main()
