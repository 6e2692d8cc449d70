"""Segmentation without a network, as lesson 03 does it: ``python -m benchmarks.classical [SEED …]``.

Works on the data and at the scale that a lesson would (COURSE_DATA, COURSE_SCALE), learns on the
training part and prints the validation scores of each method for each seed: what the lesson's
comparisons are allowed to claim. A seed draws the pixels, the clusters' start and the forest.
"""

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
import sklearn
from skimage.filters import sobel, threshold_otsu
from skimage.segmentation import slic, watershed
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier

from course import classes, data, environment, metrics
from course.classes import NUM_CLASSES, UNLABELED

RESULTS = Path(__file__).parent / "results"
GROUPS = 64
SUPERPIXELS = 400


def excess_green(image):
    red, green, blue = np.moveaxis(image.astype(np.int16), -1, 0)
    return 2 * green - red - blue


def to_lab(image):
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def responses(image, sigmas=(1, 4, 16)):
    """(height, width, 18): smoothed Lab, edge, blob and its energy at each of three scales."""
    lab, found = to_lab(image), []
    for sigma in sigmas:
        smooth = cv2.GaussianBlur(lab, (0, 0), sigma)
        light = smooth[..., 0]
        dx, dy = cv2.Sobel(light, -1, 1, 0), cv2.Sobel(light, -1, 0, 1)
        blob = -(sigma**2) * cv2.Laplacian(light, -1)
        energy = cv2.GaussianBlur(abs(blob), (0, 0), 2 * sigma)
        found += [smooth, sigma * np.hypot(dx, dy), blob, energy]
    return np.dstack(found)


def vote(groups, mask, count):
    """(count, classes): the pixels of each class in each group; unlabeled has no vote."""
    pairs = groups.ravel().astype(int) * NUM_CLASSES + mask.ravel()
    table = np.bincount(pairs, minlength=count * NUM_CLASSES).reshape(count, NUM_CLASSES)
    table[:, UNLABELED] = 0
    return table


def named(group, count, train):
    """A segmenter from `group`, picture to group numbers: each takes its commonest class in `train`."""
    table = sum(vote(group(image), mask, count) for image, mask in zip(*pair(train), strict=True))
    names = table.argmax(axis=1).astype(np.uint8)
    return lambda image: names[group(image)]


def pair(samples):
    return samples.images, samples.masks


def flat(features):
    return features.reshape(-1, features.shape[-1])


def draw(train, features, per_picture, rng):
    """Features and classes of pixels of all training pictures, rare classes drawn more often."""
    pixels = sum(np.bincount(mask.ravel(), minlength=NUM_CLASSES) for mask in train.masks)
    rarity = 1 / np.sqrt(np.maximum(pixels, 1))
    rarity[UNLABELED] = 0
    x, y = [], []
    for image, mask in zip(*pair(train), strict=True):
        chance = rarity[mask.ravel()]
        rows = rng.choice(mask.size, per_picture, replace=False, p=chance / chance.sum())
        x.append(flat(features(image))[rows])
        y.append(mask.ravel()[rows])
    return np.concatenate(x), np.concatenate(y)


def clusters(train, features, seed):
    """A segmenter: k-means of 20,000 pixels' standardised features, groups named by vote."""
    rng = np.random.default_rng(seed)
    per_picture = 20_000 // len(train)
    sample = np.concatenate(
        [rng.permutation(flat(features(image)))[:per_picture] for image in train.images]
    )
    spread = sample.std(axis=0) if sample.shape[1] > 3 else 1
    means = KMeans(GROUPS, n_init=1, random_state=seed).fit(sample / spread)

    def group(image):
        return means.predict(flat(features(image)) / spread).reshape(image.shape[:2])

    return named(group, GROUPS, train)


def forest(train, features, seed):
    x, y = draw(train, features, 42_000 // len(train), np.random.default_rng(seed))
    trees = RandomForestClassifier(30, min_samples_leaf=3, n_jobs=-1, random_state=seed).fit(x, y)
    return lambda image: trees.predict(flat(features(image))).reshape(image.shape[:2])


def in_superpixels(segment):
    def voted(image):
        pieces = slic(image, n_segments=SUPERPIXELS, compactness=10, start_label=0)
        return vote(pieces, segment(image), pieces.max() + 1).argmax(axis=1)[pieces]

    return voted


def flooded(segment, window=5):
    """Flood the edges' relief from where `segment` says one class in a whole window."""

    def flood(image):
        ids, block = segment(image), np.ones((window, window), np.uint8)
        calm = cv2.erode(ids, block) == cv2.dilate(ids, block)
        return watershed(sobel(to_lab(image)[..., 0]), np.where(calm, ids, 0).astype(int))

    return flood


def segmenters(train, seed):
    """Name to segmenter, picture to label map, all learned on `train`."""
    excess = np.stack([excess_green(image) for image in train.images])
    pooled = threshold_otsu(excess)
    colours = clusters(train, to_lab, seed)
    texture = forest(train, responses, seed)
    return {
        "all paved": lambda image: np.full(image.shape[:2], classes.id_of("paved-area")),
        "one threshold": named(lambda i: (excess_green(i) > pooled).astype(int), 2, train),
        "a threshold a picture": named(
            lambda i: (excess_green(i) > threshold_otsu(excess_green(i))).astype(int), 2, train
        ),
        "k-means, colours": colours,
        "… in superpixels": in_superpixels(colours),
        "k-means, textons": clusters(train, responses, seed),
        "forest, colour": forest(train, to_lab, seed),
        "forest, filters": texture,
        "… and superpixels": in_superpixels(texture),
        "… and watershed": flooded(texture),
    }


def scores(segment, validation):
    """Pooled mIoU, fwIoU, pixel accuracy, boundary F at 2 pixels, and seconds a picture."""
    start = time.perf_counter()
    guesses = np.stack([segment(image) for image in validation.images]).astype(np.uint8)
    seconds = (time.perf_counter() - start) / len(validation)
    cm = metrics.confusion_matrix(validation.masks, guesses, ignore=UNLABELED)
    edges = metrics.BoundaryF(tolerance=2, ignore=UNLABELED)
    for truth, guess in zip(validation.masks, guesses, strict=True):
        edges.update(truth, guess)
    return {
        "mIoU": metrics.mean_iou(cm),
        "fwIoU": metrics.frequency_weighted_iou(cm),
        "accuracy": metrics.pixel_accuracy(cm),
        "boundary F": edges.result(),
        "seconds": seconds,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    dataset = data.load()
    scale = environment.scale(dataset)
    samples = dataset.at(scale.size)
    train, validation = samples.split("train"), samples.split("validation")
    rows = []
    print("seed  method                  mIoU  fwIoU  accuracy  boundary F  seconds")
    for seed in options.seeds:
        for name, segment in segmenters(train, seed).items():
            measured = scores(segment, validation)
            row = {k: round(float(v), 4) for k, v in measured.items()}
            rows.append({"seed": seed, "method": name} | row)
            print(
                f"{seed:4d}  {name:22s} {row['mIoU']:5.3f} {row['fwIoU']:6.3f} "
                f"{row['accuracy']:9.3f} {row['boundary F']:11.3f} {row['seconds']:8.3f}",
                flush=True,
            )
    about = {
        "data": dataset.title,
        "pictures": {"train": len(train), "validation": len(validation)},
        "scale": {"name": scale.name, "size": scale.size},
        "scikit-learn": sklearn.__version__,
    }
    name = "synthetic" if dataset.synthetic else "real"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"classical-{name}-{scale.name}.json").write_text(
        json.dumps({**about, "rows": rows}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
