"""Metrics against hand-computed numbers, scikit-learn and brute force."""

import importlib.util
import os
import re
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
from scipy import ndimage
from sklearn import metrics as sk

from course import metrics
from course.losses import CrossEntropy
from course.metrics import BoundaryF, MeanIoU, boundary_f, confusion_matrix

SEEDS = range(5)

# Rows are the truth: class 2 is guessed but never true, class 3 is in neither.
CM = np.array([[3, 1, 0, 0], [2, 4, 2, 0], [0, 0, 0, 0], [0, 0, 0, 0]])


def blobs(rng, shape=(40, 50), classes=4):
    """A random mask with outlines, as masks have them."""
    noise = ndimage.gaussian_filter(rng.normal(size=(classes, *shape)), (0, 3, 3))
    return noise.argmax(0).astype(np.uint8)


# The plain functions


def test_confusion_matrix_by_hand():
    truth = np.array([[0, 0, 1], [1, 2, 2]], np.uint8)
    guess = np.array([[0, 1, 1], [1, 0, 2]], np.uint8)
    cm = confusion_matrix(truth, guess, classes=3)
    assert cm.tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 1]]
    assert cm.dtype == np.int64
    assert confusion_matrix(truth, guess, 3, ignore=0).tolist() == [[0, 0, 0], [0, 2, 0], [1, 0, 1]]
    assert confusion_matrix(truth, guess, 3, ignore=(0, 2)).tolist() == [
        [0, 0, 0],
        [0, 2, 0],
        [0, 0, 0],
    ]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_confusion_matrix_is_scikit_learns(seed, dtype):
    rng = np.random.default_rng(seed)
    truth, guess = rng.integers(0, 24, (2, 3, 31, 17)).astype(dtype)
    expected = sk.confusion_matrix(truth.ravel(), guess.ravel(), labels=range(24))
    np.testing.assert_array_equal(confusion_matrix(truth, guess), expected)
    keep = (truth != 0) & (truth != 7)
    expected = sk.confusion_matrix(truth[keep], guess[keep], labels=range(24))
    np.testing.assert_array_equal(confusion_matrix(truth, guess, ignore=(0, 7)), expected)


def test_ids_of_two_types_are_one():
    ids = np.array([[0, 1], [2, 2]])
    for one, other in ((np.uint8, np.uint64), (np.uint64, np.int32)):
        pair = ids.astype(one), ids.astype(other)
        assert confusion_matrix(*pair, classes=3).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 2]]
        assert boundary_f(*pair, classes=3) == 1


def test_ids_do_not_overflow_their_type():
    """An int8 mask times 24 classes is past 127."""
    ids = np.arange(24, dtype=np.int8)
    np.testing.assert_array_equal(confusion_matrix(ids, ids), np.eye(24))


def test_scores_by_hand():
    np.testing.assert_allclose(metrics.iou(CM), [3 / 6, 4 / 9, 0, np.nan])
    np.testing.assert_allclose(metrics.class_accuracy(CM), [3 / 4, 4 / 8, np.nan, np.nan])
    np.testing.assert_allclose(metrics.dice(CM), [6 / 9, 8 / 13, 0, np.nan])
    assert metrics.mean_iou(CM) == pytest.approx((3 / 6 + 4 / 9) / 2)
    assert metrics.mean_dice(CM) == pytest.approx((6 / 9 + 8 / 13) / 2)
    assert metrics.frequency_weighted_iou(CM) == pytest.approx((4 * 3 / 6 + 8 * 4 / 9) / 12)
    assert metrics.pixel_accuracy(CM) == pytest.approx(7 / 12)


@pytest.mark.parametrize("seed", SEEDS)
def test_scores_are_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 9, 500)
    guess = np.where(rng.random(500) < 0.6, truth, rng.integers(0, 9, 500))
    cm = confusion_matrix(truth, guess, classes=9)
    np.testing.assert_allclose(metrics.iou(cm), sk.jaccard_score(truth, guess, average=None))
    np.testing.assert_allclose(metrics.dice(cm), sk.f1_score(truth, guess, average=None))
    np.testing.assert_allclose(
        metrics.class_accuracy(cm), sk.recall_score(truth, guess, average=None)
    )
    assert metrics.mean_iou(cm) == pytest.approx(sk.jaccard_score(truth, guess, average="macro"))
    weighted = sk.jaccard_score(truth, guess, average="weighted")
    assert metrics.frequency_weighted_iou(cm) == pytest.approx(weighted)
    assert metrics.mean_dice(cm) == pytest.approx(sk.f1_score(truth, guess, average="macro"))
    assert metrics.pixel_accuracy(cm) == pytest.approx(sk.accuracy_score(truth, guess))


def test_mean_is_over_the_classes_of_the_truth():
    """Neither a class that never occurs nor one that is only guessed is in the mean."""
    truth, guess = np.array([1, 1, 1, 2]), np.array([1, 1, 3, 2])
    cm = confusion_matrix(truth, guess, ignore=0)
    assert metrics.mean_iou(cm) == pytest.approx((2 / 3 + 1) / 2)
    assert metrics.iou(cm)[3] == 0
    assert np.isnan(metrics.iou(cm)[23])


def test_pooling_is_not_averaging():
    pairs = [(np.array([1, 1, 1, 1, 2]), np.array([1, 1, 1, 1, 1])), (np.array([1]), np.array([1]))]
    cm = sum(confusion_matrix(*pair, classes=3) for pair in pairs)
    together = (np.concatenate(side) for side in zip(*pairs, strict=True))
    np.testing.assert_array_equal(cm, confusion_matrix(*together, classes=3))
    assert metrics.mean_iou(cm) == pytest.approx((5 / 6 + 0) / 2)


def test_empty_matrix_gives_nan_without_a_warning():
    empty = np.zeros((3, 3), int)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("mean_iou", "frequency_weighted_iou", "pixel_accuracy", "mean_dice"):
            assert np.isnan(getattr(metrics, name)(empty)), name
        for name in ("iou", "class_accuracy", "dice"):
            assert np.isnan(getattr(metrics, name)(empty)).all(), name
        assert np.isnan(BoundaryF().result())
        metrics.report(empty, names="abc")


@pytest.mark.parametrize(
    ("truth", "guess", "message"),
    [
        (np.zeros((2, 3), int), np.zeros((3, 2), int), r"\(2, 3\).*\(3, 2\)"),
        (np.zeros((2, 3), int), np.zeros((2, 3, 24)), r"\(2, 3\).*\(2, 3, 24\).*argmax"),
        (np.zeros((2, 3)), np.zeros((2, 3), int), "truth holds float64"),
        (np.zeros((2, 3), int), np.zeros((2, 3), bool), "guess holds bool"),
        (
            np.array([[0, 24], [24, 99]]),
            np.zeros((2, 2), int),
            r"truth.* 24 in 2 .*\(0, 1\).*0 to 23",
        ),
        (np.zeros((2, 2), int), np.array([[0, 1], [-1, 0]]), r"guess.* -1 in 1 .*\(1, 0\)"),
    ],
)
@pytest.mark.parametrize("function", [confusion_matrix, boundary_f])
def test_bad_masks_are_refused(function, truth, guess, message):
    with pytest.raises(ValueError, match=message):
        function(truth, guess)


def test_an_ignored_id_may_be_no_class():
    truth, guess = np.array([[1, 255], [2, 2]]), np.array([[1, 255], [2, 1]])
    assert confusion_matrix(truth, guess, 3, ignore=255).tolist() == [
        [0, 0, 0],
        [0, 1, 0],
        [0, 1, 1],
    ]
    assert boundary_f(truth, guess, ignore=255, classes=3) > 0
    with pytest.raises(ValueError, match="255"):
        confusion_matrix(truth, guess, 3, ignore=0)


def test_a_matrix_must_be_square():
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        metrics.iou(np.zeros((2, 3)))


def test_report():
    assert metrics.report(100 * CM, names=("grass", "roof", "dog", "car")).splitlines() == [
        "mean IoU                  0.472",
        "frequency-weighted IoU    0.463",
        "pixel accuracy            0.583",
        "mean Dice                 0.641",
        "",
        "class                  pixels %      IoU accuracy     Dice",
        "grass                    33.333    0.500    0.750    0.667",
        "roof                     66.667    0.444    0.500    0.615",
    ]
    with pytest.raises(ValueError, match=r"4 classes.*2 names"):
        metrics.report(CM, names=("grass", "roof"))


# Boundaries


def brute_force_boundary_counts(truth, guess, tolerance, ignored, classes):
    """Pixel by pixel and by exact distances: (true, found, guessed, right) for each class."""

    def outline(mask):
        edge = np.zeros(mask.shape, bool)
        for y, x in np.ndindex(mask.shape):
            for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= v < mask.shape[0] and 0 <= u < mask.shape[1]:
                    edge[y, x] |= mask[v, u] != mask[y, x]
        return edge

    def distance(boundary):
        if not boundary.any():
            return np.full(boundary.shape, np.inf)
        return ndimage.distance_transform_edt(~boundary)

    counts = np.zeros((4, classes), int)
    for c in range(classes):
        if c == ignored:
            continue
        a, b = outline(truth) & (truth == c), outline(guess) & (guess == c)
        found, right = distance(b)[a] <= tolerance, distance(a)[b] <= tolerance
        wrong = ~right & (truth[b] != ignored)
        counts[:, c] = a.sum(), found.sum(), right.sum() + wrong.sum(), right.sum()
    return counts


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("tolerance", [0, 1, 1.5, 2, 5])
@pytest.mark.parametrize("ignored", [None, 0])
def test_boundary_f_is_the_brute_force_one(seed, tolerance, ignored):
    rng = np.random.default_rng(seed)
    pooled, counts, pairs = BoundaryF(tolerance, ignored, classes=6), 0, []
    for _ in range(2):
        truth, guess = blobs(rng), blobs(rng)
        guess = np.where(rng.random(truth.shape) < 0.97, truth, guess)
        guess = np.roll(guess, 2, axis=1)
        pairs.append((truth, guess))
        pooled.update(truth, guess)
        counts = counts + brute_force_boundary_counts(truth, guess, tolerance, ignored, 6)
    true, found, guessed, right = counts
    with np.errstate(invalid="ignore"):
        precision, recall = right / guessed, found / true
        expected = np.nan_to_num(2 * precision * recall / (precision + recall))
    expected[true == 0] = np.nan
    np.testing.assert_allclose(pooled.per_class(), expected)
    assert pooled.result() == pytest.approx(np.nanmean(expected))
    assert 0 < pooled.result() < 1
    truths, guesses = (np.stack(masks) for masks in zip(*pairs, strict=True))
    together = BoundaryF(tolerance, ignored, classes=6).update(truths, guesses)
    np.testing.assert_array_equal(together.per_class(), pooled.per_class())
    assert boundary_f(truths, guesses, tolerance, ignored, classes=6) == pooled.result()


def square(top, left):
    mask = np.zeros((20, 20), np.uint8)
    mask[top : top + 8, left : left + 8] = 1
    return mask


def test_boundary_f_by_hand():
    truth = square(6, 6)
    assert boundary_f(truth, truth, tolerance=0) == 1
    assert boundary_f(truth, square(7, 6), tolerance=1) == 1
    assert boundary_f(truth, square(7, 7), tolerance=1) < 1  # the corner is sqrt(2) away
    assert boundary_f(truth, square(7, 7), tolerance=1.5) == 1
    assert boundary_f(truth, np.zeros_like(truth)) == 0
    # Shifted by one column: 28 outline pixels each, 7 + 7 of the horizontal sides shared.
    only_square = BoundaryF(tolerance=0).update(truth, square(6, 7)).per_class()[1]
    assert only_square == pytest.approx(14 / 28)


def test_the_edge_of_the_picture_is_no_boundary():
    assert np.isnan(boundary_f(np.ones((5, 5), int), np.ones((5, 5), int)))


def test_boundaries_on_ignored_pixels_are_not_held_against_the_guess():
    truth = np.ones((9, 12), int)
    truth[:, 4:8] = 0
    truth[:, 8:] = 2
    guess = np.where(np.arange(12) < 6, 1, 2) * np.ones((9, 1), int)
    assert boundary_f(truth, guess, tolerance=2, ignore=0) == 1
    assert boundary_f(truth, guess, tolerance=1, ignore=0) == 0
    guess[2, 5] = 7
    assert boundary_f(truth, guess, tolerance=2, ignore=0) == 1
    guess[2, 0] = 7
    assert boundary_f(truth, guess, tolerance=2, ignore=0) < 1


def test_no_boundary_between_two_pictures():
    pictures = np.stack([np.full((5, 5), 1), np.full((5, 5), 2)])
    assert np.isnan(boundary_f(pictures, pictures))


@pytest.mark.parametrize("shape", [(4,), (2, 4, 4, 1)])
def test_boundaries_are_of_pictures(shape):
    with pytest.raises(ValueError, match=re.escape(f"width), but truth and guess have {shape}")):
        boundary_f(np.zeros(shape, int), np.zeros(shape, int))


def test_a_bad_id_in_a_later_picture_adds_nothing():
    truth = np.stack([square(6, 6), square(6, 6)])
    guess = truth.copy()
    guess[1, 0, 3] = 24
    pooled = BoundaryF()
    with pytest.raises(ValueError, match=r"guess.* 24 .*\(1, 0, 3\)"):
        pooled.update(truth, guess)
    assert np.isnan(pooled.result())


def test_a_negative_tolerance_is_refused():
    with pytest.raises(ValueError, match="tolerance"):
        BoundaryF(tolerance=-1)


# The Keras metric: some of these run on every installed backend, see the last test


@pytest.mark.parametrize("seed", SEEDS)
def test_keras_metric_is_the_pooled_matrix(seed):
    rng = np.random.default_rng(seed)
    metric, ids_metric, cm = MeanIoU(), MeanIoU(), 0
    for batch in (3, 1):
        truth = rng.integers(0, 20, (batch, 12, 9)).astype(np.uint8)
        logits = rng.normal(size=(batch, 12, 9, 24)).astype(np.float32)
        metric.update_state(truth[..., None] if batch == 1 else truth, logits)
        ids_metric.update_state(truth, logits.argmax(-1).astype(np.int32))
        cm = cm + confusion_matrix(truth, logits.argmax(-1), ignore=0)
    np.testing.assert_array_equal(metric.confusion_matrix(), cm)
    np.testing.assert_array_equal(ids_metric.confusion_matrix(), cm)
    assert metric.confusion_matrix().dtype == np.int64
    assert float(metric.result()) == pytest.approx(metrics.mean_iou(cm), rel=1e-6)


def test_keras_metric_starts_at_zero_and_resets():
    metric = MeanIoU(classes=3)
    assert float(metric.result()) == 0
    ids = np.ones((1, 2, 2), np.int32)
    metric.update_state(ids, ids)
    assert float(metric.result()) == 1
    metric.reset_state()
    assert float(metric.result()) == 0
    assert metric.confusion_matrix().sum() == 0
    metric.update_state(0 * ids, ids)  # all ignored
    assert float(metric.result()) == 0


@pytest.mark.parametrize("shape", [(2,), (2, 1, 1), (2, 3, 4), (2, 3, 4, 1)])
def test_keras_metric_leaves_out_weight_zero(shape):
    rng = np.random.default_rng(0)
    truth, guess = rng.integers(0, 5, (2, 2, 3, 4)).astype(np.int32)
    weight = rng.integers(0, 2, shape) * 0.5
    metric = MeanIoU(classes=5, ignore=(0, 4))
    metric.update_state(truth, guess, sample_weight=weight)
    pixels = np.broadcast_to(weight.reshape(shape[:3] + (1,) * (3 - len(shape))), truth.shape) > 0
    expected = confusion_matrix(truth[pixels], guess[pixels], 5, ignore=(0, 4))
    np.testing.assert_array_equal(metric.confusion_matrix(), expected)


def test_keras_metric_counts_past_float32_and_int32():
    ids = np.ones((1, 2048, 4096), np.uint8)
    metric = MeanIoU(classes=3)
    for _ in range(3):
        metric.update_state(ids, ids)
    metric.update_state(ids[:, :1, :1], ids[:, :1, :1])
    assert metric.confusion_matrix()[1, 1] == 3 * 2**23 + 1  # not a float32
    # As if five thousand million pixels had been counted, the low half about to run over.
    counts = keras.ops.convert_to_numpy(metric.variables[0]).copy()
    counts[:, 4] = 2**20 - 1, 4768
    metric.variables[0].assign(counts)
    metric.update_state(ids[:, :1, :3], ids[:, :1, :3])
    assert metric.confusion_matrix()[1, 1] == 4769 * 2**20 + 2
    assert float(metric.result()) == 1


@pytest.mark.parametrize(("truth", "guess"), [(3, 1), (1, 3), (-1, 1)])
def test_keras_metric_does_not_hide_bad_ids(truth, guess):
    metric = MeanIoU(classes=3)
    metric.update_state(np.array([[[1, truth]]]), np.array([[[1, guess]]]))
    assert np.isnan(float(metric.result()))
    with pytest.raises(ValueError, match=r"1 pixels.*0 to 2"):
        metric.confusion_matrix()
    ignoring = MeanIoU(classes=3, ignore=truth)
    ignoring.update_state(np.array([[[2, truth]]]), np.array([[[2, guess]]]))
    assert float(ignoring.result()) == 1


@pytest.mark.parametrize(
    ("truth", "guess", "dtype"),
    [
        ((2, 3, 4), (2, 3, 4, 5), "float32"),
        ((2, 3, 4), (2, 3, 4), "float32"),
        ((2, 3, 4), (2, 6, 8, 24), "float32"),
        ((2, 3, 4), (2, 3, 5), "int32"),
        ((2, 3, 4, 24), (2, 3, 4, 24), "float32"),
    ],
)
def test_keras_metric_refuses_other_shapes(truth, guess, dtype):
    with pytest.raises(ValueError, match="MeanIoU takes ids"):
        MeanIoU().update_state(np.zeros(truth, np.uint8), np.zeros(guess, dtype))


def test_a_scaled_mask_is_no_mask():
    metric = MeanIoU(classes=3)
    metric.update_state(np.array([[[0.0, 1 / 255]]]), np.array([[[0, 1]]]))
    assert np.isnan(float(metric.result()))


@pytest.mark.parametrize("ignore", [None, 2, (0, 255)])
def test_keras_metric_is_serialised_whole(ignore):
    config = keras.saving.serialize_keras_object(MeanIoU(classes=5, ignore=ignore, name="miou"))
    copy = keras.saving.deserialize_keras_object(config)
    ids = np.array([[[0, 1, 2, 2]]], np.int32)
    copy.update_state(ids, ids)
    assert copy.name == "miou"
    np.testing.assert_array_equal(copy.confusion_matrix(), confusion_matrix(ids, ids, 5, ignore))


@pytest.mark.parametrize(
    ("precision", "jit_compile"),
    [("float32", False), ("float32", True), ("mixed_bfloat16", "auto")],
)
@pytest.mark.slow
def test_keras_metric_in_fit_and_evaluate(precision, jit_compile):
    if jit_compile is True and keras.backend.backend() == "torch":
        pytest.skip("torch compiles with a C++ compiler, which a machine may lack")
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    images = rng.random((6, 16, 16, 3)).astype(np.float32)
    masks = rng.integers(0, 4, (6, 16, 16)).astype(np.uint8)
    layers = [keras.Input((None, None, 3)), keras.layers.Conv2D(4, 1, dtype=precision)]
    model = keras.Sequential(layers)
    model.compile(
        "adam",
        CrossEntropy(),
        metrics=[MeanIoU(4)],
        weighted_metrics=[MeanIoU(4, name="weighted")],
        jit_compile=jit_compile,
    )
    weight = np.array([1, 0, 2, 1, 0, 1], np.float32)
    history = model.fit(images, masks, sample_weight=weight, batch_size=4, epochs=2, verbose=0)
    assert 0 < history.history["mean_iou"][-1] < 1
    result = model.evaluate(
        images, masks, sample_weight=weight, batch_size=4, verbose=0, return_dict=True
    )
    guess = model.predict(images, verbose=0).argmax(-1)
    # Compilers may keep more digits than bfloat16 has, which decides a tie otherwise.
    close = 1e-5 if precision == "float32" else 0.05
    expected = metrics.mean_iou(confusion_matrix(masks, guess, 4, ignore=0))
    assert result["mean_iou"] == pytest.approx(expected, rel=close)
    expected = metrics.mean_iou(confusion_matrix(masks[weight > 0], guess[weight > 0], 4, ignore=0))
    assert result["weighted"] == pytest.approx(expected, rel=close)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "torch"])  # on JAX test_jax.py runs them all
def test_other_backends(backend):
    """Tests of the Keras metric once more, in a process of another backend."""
    if backend == keras.backend.backend():
        pytest.skip(f"{backend} is the backend of this process: tested above")
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    chosen = ("-k", "keras_metric and (auto or past or bad_ids)", __file__)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-p", "no:cacheprovider", *chosen],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "passed" in run.stdout
