"""Losses against hand-computed numbers, numpy references, PyTorch, scikit-learn and finite differences."""

import importlib.util
import os
import subprocess
import sys

import keras
import models
import numpy as np
import pytest

from course import metrics
from course.losses import (
    CrossEntropy,
    Focal,
    LovaszSoftmax,
    SoftDice,
    Sum,
    effective_number_weights,
    inverse_frequency_weights,
    median_frequency_weights,
    square_root_weights,
)

SEEDS = range(4)
CLASSES = 5
KINDS = {
    "cross-entropy": CrossEntropy,
    "focal": Focal,
    "focal, gamma 1/2": lambda **options: Focal(0.5, **options),
    "dice": SoftDice,
    "lovasz": LovaszSoftmax,
    "sum": lambda **options: Sum([CrossEntropy(**options), SoftDice(**options)]),
}
every_loss = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())


def batch(seed, dtype=np.uint8):
    """Ids (2, 4, 3), logits (2, 4, 3, 5) and class weights (5,)."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, CLASSES, (2, 4, 3)).astype(dtype)
    logits = rng.normal(scale=3, size=(2, 4, 3, CLASSES)).astype(np.float32)
    return ids, logits, rng.uniform(0.1, 5, CLASSES).astype(np.float32)


def reference(ids, logits, class_weights=None, ignore=0, sample_weight=1.0):
    """The loss and its gradient, in float64."""
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    weights = (
        np.ones(logits.shape[-1]) if class_weights is None else np.asarray(class_weights, float)
    )
    w = weights[ids] * (ids != ignore) * sample_weight
    one_hot = np.eye(logits.shape[-1])[ids]
    loss = -(w * (log_p * one_hot).sum(-1)).sum() / w.sum()
    return loss, w[..., None] * (np.exp(log_p) - one_hot) / w.sum()


def gradient(loss, ids, logits):
    """The gradient by the logits."""
    return models.gradient(lambda x: loss(ids, x), logits)


def test_by_hand():
    """Two counted pixels, of probabilities 1/2 and 1/4, and one that is ignored."""
    logits = np.log(np.array([[[[2, 1, 1], [1, 1, 2], [5, 1, 1]]]], np.float32))
    logits[0, 0, 0] = np.log([1, 2, 1])
    ids = np.array([[[1, 1, 0]]], np.uint8)
    assert float(CrossEntropy()(ids, logits)) == pytest.approx((np.log(2) + np.log(4)) / 2)
    ids = np.array([[[1, 2, 0]]], np.uint8)
    weighted = CrossEntropy(class_weights=[9, 3, 1])
    assert float(weighted(ids, logits)) == pytest.approx((3 * np.log(2) + np.log(2)) / 4)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignore", [None, 0, 3])
def test_is_the_reference(seed, weighted, ignore):
    ids, logits, weights = batch(seed)
    weights = weights if weighted else None
    loss = CrossEntropy(weights, ignore)
    expected, slope = reference(ids, logits, weights, ignore)
    assert float(loss(ids, logits)) == pytest.approx(expected, rel=1e-5)
    assert float(loss(ids[..., None], logits)) == pytest.approx(expected, rel=1e-5)
    assert float(loss(ids.astype(np.float32), logits)) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(gradient(loss, ids, logits), slope, atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_is_pytorchs(seed):
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    ids, logits, weights = batch(seed, np.int64)
    channels_first = torch.tensor(logits).permute(0, 3, 1, 2)
    expected = torch.nn.functional.cross_entropy(
        channels_first, torch.tensor(ids), weight=torch.tensor(weights), ignore_index=3
    )
    assert float(CrossEntropy(weights, ignore=3)(ids, logits)) == pytest.approx(
        float(expected), rel=1e-5
    )


def test_gradient_by_finite_differences():
    ids, logits, weights = batch(0)
    loss = CrossEntropy(weights)
    slope, step = gradient(loss, ids, logits), 0.05
    for place in [(0, 0, 0, 1), (0, 3, 2, 4), (1, 1, 1, 0), (1, 2, 0, 2)]:
        up, down = logits.copy(), logits.copy()
        up[place] += step
        down[place] -= step
        expected = (float(loss(ids, up)) - float(loss(ids, down))) / (2 * step)
        assert slope[place] == pytest.approx(expected, abs=2e-4)
    assert np.abs(slope).max() > 1e-2
    assert (slope[ids == 0] == 0).all()


@every_loss
def test_nothing_to_learn_from(kind):
    """A batch all ignored: loss 0, gradient 0."""
    ids, logits, _ = batch(0)
    ids[:] = 3
    loss = kind(ignore=3)
    assert float(loss(ids, logits)) == 0
    assert (gradient(loss, ids, logits) == 0).all()


@pytest.mark.parametrize("kind", [CrossEntropy, Focal])
def test_nothing_to_learn_from_with_weight_0(kind):
    ids, logits, _ = batch(0)
    ids[:] = 2
    loss = kind(class_weights=[1, 2, 0, 1, 1])
    assert float(loss(ids, logits)) == 0
    assert (gradient(loss, ids, logits) == 0).all()


@every_loss
def test_an_ignored_id_may_be_no_class(kind):
    ids, logits, _ = batch(0)
    expected, slope = kind(ignore=0)(ids, logits), gradient(kind(ignore=0), ids, logits)
    ids[ids == 0] = 255
    loss = kind(ignore=255)
    assert float(loss(ids, logits)) == pytest.approx(float(expected), rel=1e-5)
    np.testing.assert_allclose(gradient(loss, ids, logits), slope, atol=1e-6)


@every_loss
def test_what_is_ignored_does_not_matter(kind):
    """Neither what the network says there, nor how much of it there is: the loss without these pixels."""
    ids, logits, _ = batch(1)
    ids[0] = 2
    ids[1] = 0
    loss, other = kind(ignore=0), logits.copy()
    other[1] = 100 * other[1, ..., ::-1]
    expected = pytest.approx(float(loss(ids[:1], logits[:1])), rel=1e-5)
    assert float(loss(ids, logits)) == expected
    assert float(loss(ids, other)) == expected
    assert (gradient(loss, ids, logits)[1] == 0).all()


@every_loss
@pytest.mark.parametrize("id", [CLASSES, 255, -1])
def test_an_id_that_is_no_class_is_not_passed_over(kind, id):
    ids, logits, _ = batch(0, np.int32)
    ids[1, 2, 1] = id
    assert np.isnan(float(kind()(ids, logits)))


@every_loss
def test_several_ids_are_ignored(kind):
    ids, logits, _ = batch(0)
    one = ids.copy()
    one[ids == 3] = 0
    expected = pytest.approx(float(kind(ignore=0)(one, logits)), rel=1e-5)
    assert float(kind(ignore=(0, 3))(ids, logits)) == expected
    assert float(kind(ignore=[0, 3])(ids, logits)) == expected


@every_loss
def test_a_scaled_mask_is_no_mask(kind):
    ids, logits, _ = batch(0)
    assert np.isnan(float(kind()(ids.astype(np.float32) / 255, logits)))


@pytest.mark.parametrize("shape", [(2,), (2, 1, 1), (2, 4, 3), (2, 4, 3, 1)])
def test_sample_weights(shape):
    ids, logits, weights = batch(1)
    sample_weight = np.random.default_rng(0).uniform(0, 2, shape).astype(np.float32)
    pixels = np.broadcast_to(sample_weight.reshape(shape[:3] + (1,) * (3 - len(shape))), ids.shape)
    expected, _ = reference(ids, logits, weights, sample_weight=pixels)
    loss = CrossEntropy(weights)(ids, logits, sample_weight=sample_weight)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_is_computed_in_float32():
    ids, logits, _ = batch(2)
    halves = keras.ops.cast(30 * logits, "bfloat16")  # softmax in 8 bits would be far off
    loss = CrossEntropy()(ids, halves)
    exact = keras.ops.convert_to_numpy(keras.ops.cast(halves, "float32"))
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    assert float(loss) == pytest.approx(reference(ids, exact)[0], rel=1e-5)


@every_loss
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(kind, dtype):
    ids, logits, _ = batch(2)
    halves = keras.ops.cast(30 * logits, dtype)
    exact = keras.ops.convert_to_numpy(keras.ops.cast(halves, "float32"))
    loss = kind()(ids, halves)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    assert float(loss) == pytest.approx(float(kind()(ids, exact)), rel=1e-6)


@every_loss
@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
@pytest.mark.parametrize("size", [60, 1e4, 1e6])
def test_huge_logits_of_a_reference_stay_finite(kind, right, size):
    """Sure of itself, rightly or wrongly; with classes 2 and 4 absent."""
    ids, _, _ = batch(0)
    ids = np.where(ids % 2, ids, 1)
    logits = size * (2 * np.eye(CLASSES, dtype=np.float32)[ids if right else 4 - ids] - 1)
    value, slope = float(kind()(ids, logits)), gradient(kind(), ids, logits)
    assert np.isfinite(value)
    assert np.isfinite(slope).all()
    if right:
        assert value == pytest.approx(0, abs=1e-6)
        np.testing.assert_allclose(slope, 0, atol=1e-6)
    else:
        assert value > 0.5


@pytest.mark.parametrize(
    ("truth", "logits", "message"),
    [
        ((2, 4, 3, 5), (2, 4, 3, 5), r"one-hot.*\(2, 4, 3, 5\).*argmax"),
        ((2, 4, 4), (2, 4, 3, 5), r"\(2, 4, 4\).*\(2, 4, 3, 5\) do not fit"),
        ((4, 3), (2, 4, 3, 5), r"\(4, 3\).*do not fit"),
        ((2, 4, 3), (2, 4, 3, 6), r"5 class weights.*6 classes"),
    ],
)
def test_wrong_shapes_are_refused(truth, logits, message):
    with pytest.raises(ValueError, match=message):
        CrossEntropy(np.ones(5))(np.zeros(truth, np.uint8), np.zeros(logits, np.float32))


@every_loss
def test_one_hot_is_refused_and_a_last_axis_of_one_is_not(kind):
    ids, logits, _ = batch(0)
    with pytest.raises(ValueError, match=r"one-hot.*argmax"):
        kind()(np.eye(CLASSES)[ids], logits)
    assert float(kind()(ids[..., None], logits)) == float(kind()(ids, logits))


@pytest.mark.parametrize("weights", [[[1, 2]], [1, -1], [1, np.nan], [1, np.inf], 3])
def test_bad_class_weights_are_refused(weights):
    with pytest.raises(ValueError, match="for each class"):
        CrossEntropy(weights)


def small_model(precision="float32", **options):
    layers = [keras.Input((None, None, 3)), keras.layers.Conv2D(CLASSES, 1, dtype=precision)]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(0.1), **options)
    return model


@pytest.mark.parametrize(
    ("precision", "jit_compile"),
    [("float32", False), ("float32", True), ("mixed_bfloat16", "auto")],
)
@pytest.mark.slow
def test_in_fit(precision, jit_compile):
    """It is learned, and reported for a batch as it is called on one."""
    if jit_compile is True and keras.backend.backend() == "torch":
        pytest.skip("torch compiles with a C++ compiler, which a machine may lack")
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    images = rng.random((4, 8, 8, 3)).astype(np.float32)
    masks = (1 + images.argmax(-1)).astype(np.uint8)
    masks[:, 0] = 0
    loss = CrossEntropy(class_weights=[1, 2, 1, 1, 1])
    model = small_model(precision, loss=loss, jit_compile=jit_compile)
    weight = np.array([1, 2, 0, 1], np.float32)
    history = model.fit(images, masks, sample_weight=weight, batch_size=4, epochs=25, verbose=0)
    losses = history.history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    logits = model.predict(images, verbose=0).astype(np.float32)
    expected, _ = reference(masks, logits, [1, 2, 1, 1, 1])
    assert model.evaluate(images, masks, verbose=0) == pytest.approx(expected, rel=1e-2)


def saved_and_loaded(loss, folder):
    model = small_model(loss=loss)
    model.optimizer.build(model.trainable_variables)
    model.save(folder / "model.keras")
    return keras.saving.load_model(folder / "model.keras").loss


def test_is_saved_with_the_model(tmp_path):
    weights = np.array([0, 1, 2.5, 3, 4], np.float32)
    loss = saved_and_loaded(Focal(1.5, weights, ignore=3, name="other"), tmp_path)
    assert isinstance(loss, Focal)
    np.testing.assert_array_equal(loss.class_weights, weights)
    assert (loss.gamma, loss.ignore, loss.name) == (1.5, 3, "other")


@every_loss
def test_every_loss_is_saved_with_the_model(kind, tmp_path):
    ids, logits, _ = batch(3)
    loss = kind(ignore=3)
    again = saved_and_loaded(loss, tmp_path)
    assert type(again) is type(loss)
    assert float(again(ids, logits)) == float(loss(ids, logits)) != float(kind()(ids, logits))


@every_loss
def test_auto_every_loss_is_learned(kind):
    """In fit, with mixed precision, a class that is absent and pixels that are ignored."""
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).random((4, 8, 8, 3)).astype(np.float32)
    masks = (1 + images.argmax(-1)).astype(np.uint8)
    masks[:, 0] = 0
    model = small_model("mixed_bfloat16", loss=kind())
    losses = model.fit(images, masks, batch_size=4, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.6 * losses[0]


# Focal


def focal_reference(ids, logits, gamma, class_weights=None, ignore=0):
    weights = np.ones(CLASSES) if class_weights is None else class_weights
    total = norm = 0.0
    for id, x in zip(ids.ravel(), logits.reshape(-1, CLASSES).astype(np.float64), strict=True):
        if id != ignore:
            p = np.exp(x[id] - x.max()) / np.exp(x - x.max()).sum()
            total += weights[id] * (1 - p) ** gamma * -np.log(p)
            norm += weights[id]
    return total / norm


def numeric_gradient(function, logits, step=1e-5):
    """By central differences in float64."""
    logits = logits.astype(np.float64)
    slope = np.zeros_like(logits)
    for place in np.ndindex(logits.shape):
        up, down = logits.copy(), logits.copy()
        up[place] += step
        down[place] -= step
        slope[place] = (function(up) - function(down)) / (2 * step)
    return slope


def test_focal_by_hand():
    """Probabilities 1/2 and 1/4: factors 1/4 and 9/16."""
    logits = np.log(np.array([[[[1, 2, 1], [1, 1, 2]]]], np.float32))
    ids = np.array([[[1, 1]]], np.uint8)
    expected = (np.log(2) / 4 + np.log(4) * 9 / 16) / 2
    assert float(Focal(gamma=2)(ids, logits)) == pytest.approx(expected)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("gamma", [0.5, 1, 2])
def test_focal_is_its_reference(seed, gamma):
    ids, logits, weights = batch(seed)
    loss = Focal(gamma, weights, ignore=3)
    expected = focal_reference(ids, logits, gamma, weights, ignore=3)
    assert float(loss(ids, logits)) == pytest.approx(expected, rel=1e-5)
    slope = numeric_gradient(lambda x: focal_reference(ids, x, gamma, weights, ignore=3), logits)
    np.testing.assert_allclose(gradient(loss, ids, logits), slope, atol=1e-5)
    assert np.abs(slope).max() > 1e-2


def test_focal_without_gamma_is_cross_entropy():
    ids, logits, weights = batch(0)
    assert float(Focal(0, weights)(ids, logits)) == float(CrossEntropy(weights)(ids, logits))


@pytest.mark.parametrize("gamma", [-1, np.nan, np.inf])
def test_bad_gammas_are_refused(gamma):
    with pytest.raises(ValueError, match="gamma"):
        Focal(gamma)


# Dice and Lovász


def softmax(logits):
    p = np.exp(logits - logits.max(-1, keepdims=True).astype(np.float64))
    return p / p.sum(-1, keepdims=True)


def dice_reference(ids, logits, ignore=0):
    keep = ids != ignore
    p, t = softmax(logits)[keep], ids[keep]
    dice = [
        2 * p[t == c, c].sum() / (p[:, c].sum() + (t == c).sum())
        for c in range(CLASSES)
        if (t == c).any()
    ]
    return 1 - np.mean(dice)


def lovasz_reference(ids, logits, ignore=0):
    """By its other definition, without sorting: the mean of 1 - IoU over all thresholds from 0 to 1.

    At a threshold, the pixels with a larger error are wrong and the rest are right.
    """
    keep = ids != ignore
    p, t = softmax(logits)[keep], ids[keep]
    losses = []
    for c in np.unique(t):
        error = np.abs((t == c) - p[:, c])
        levels = np.unique([0, *error, 1])
        loss = 0.0
        for low, high in zip(levels[:-1], levels[1:], strict=True):
            wrong = error > (low + high) / 2
            hits, union = ((t == c) & ~wrong).sum(), ((t == c) | wrong).sum()
            loss += (high - low) * (1 - hits / union)
        losses.append(loss)
    return np.mean(losses)


OVERLAP = {SoftDice: dice_reference, LovaszSoftmax: lovasz_reference}
overlap_losses = pytest.mark.parametrize("kind", OVERLAP)


@overlap_losses
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("ignore", [None, 0, 3])
def test_overlap_is_its_reference(kind, seed, ignore):
    ids, logits, _ = batch(seed)
    ids[ids == 4] = 1  # absent
    loss, ours = kind(ignore=ignore), OVERLAP[kind]
    assert float(loss(ids, logits)) == pytest.approx(ours(ids, logits, ignore), rel=1e-5)
    slope = numeric_gradient(lambda x: ours(ids, x, ignore), logits)
    np.testing.assert_allclose(gradient(loss, ids, logits), slope, atol=1e-5)
    assert np.abs(slope).max() > 1e-3


@overlap_losses
@pytest.mark.parametrize("seed", SEEDS)
def test_overlap_of_sure_guesses_is_the_metrics(kind, seed):
    """Where all probabilities are 0 or 1, the loss is one minus the mean score."""
    rng = np.random.default_rng(seed)
    ids, guess = rng.integers(0, 4, (2, 3, 9, 8))
    logits = (1000 * np.eye(CLASSES)[guess]).astype(np.float32)
    cm = metrics.confusion_matrix(ids, guess, classes=CLASSES, ignore=0)
    score = metrics.mean_dice(cm) if kind is SoftDice else metrics.mean_iou(cm)
    assert float(kind()(ids, logits)) == pytest.approx(1 - score, rel=1e-6)


@overlap_losses
def test_overlap_of_sure_guesses_is_scikit_learns(kind):
    sklearn = pytest.importorskip("sklearn.metrics", reason="compares with scikit-learn")
    rng = np.random.default_rng(5)
    ids, guess = rng.integers(0, 4, (2, 3, 9, 8))
    logits = (1000 * np.eye(CLASSES)[guess]).astype(np.float32)
    score = sklearn.f1_score if kind is SoftDice else sklearn.jaccard_score
    expected = score(ids.ravel(), guess.ravel(), labels=np.unique(ids), average="macro")
    assert float(kind(ignore=None)(ids, logits)) == pytest.approx(1 - expected, rel=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_lovasz_is_convex_in_the_probabilities(seed):
    rng = np.random.default_rng(seed)
    ids, ends = rng.integers(0, CLASSES, (2, 4, 3)), rng.dirichlet(np.ones(CLASSES), (2, 2, 4, 3))
    along = [
        float(LovaszSoftmax()(ids, np.log((1 - t) * ends[0] + t * ends[1])))
        for t in np.linspace(0, 1, 21)
    ]
    assert np.diff(along, 2).min() > -1e-6
    assert np.ptp(along) > 1e-3


def test_lovasz_of_a_large_batch_is_exact():
    """No precision is lost over half a million pixels: 1 - IoU of a guess with one class."""
    ids = np.zeros((2, 512, 512), np.uint8)
    ids[0, :3, :7] = 1
    logits = np.zeros((2, 512, 512, 2), np.float32)
    logits[..., 0] = 1000
    loss = float(LovaszSoftmax(ignore=None)(ids, logits))
    assert loss == pytest.approx(1 - (1 - 21 / ids.size) / 2, rel=1e-6)


def test_lovasz_refuses_weights_of_pixels():
    ids, logits, _ = batch(0)
    with pytest.raises(ValueError, match="IoU counts each once"):
        LovaszSoftmax()(ids, logits, sample_weight=np.ones(2))


@pytest.mark.parametrize("shape", [(2,), (2, 4, 3), (2, 4, 3, 1)])
def test_dice_with_sample_weights(shape):
    """A weight of two counts a pixel twice, one of zero leaves it out."""
    ids, logits, _ = batch(1)
    times = np.random.default_rng(0).integers(0, 3, shape)
    pixels = np.broadcast_to(times.reshape(shape[:3] + (1,) * (3 - len(shape))), ids.shape).ravel()
    expected = dice_reference(
        ids.ravel().repeat(pixels), logits.reshape(-1, CLASSES).repeat(pixels, axis=0)
    )
    loss = SoftDice()(ids, logits, sample_weight=times.astype(np.float32))
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@overlap_losses
def test_an_absent_class_has_no_say(kind):
    """Raising the score of a class that is nowhere hurts only as it takes from those that are there."""
    ids = np.array([[[1, 1, 2, 2]]])
    logits = np.zeros((1, 1, 4, 4), np.float32)
    wider = np.concatenate([logits, np.full((1, 1, 4, 3), -1000, np.float32)], axis=-1)
    assert float(kind()(ids, wider)) == pytest.approx(float(kind()(ids, logits)), rel=1e-6)


# Sum


def test_sum_adds():
    ids, logits, weights = batch(0)
    parts = [CrossEntropy(weights), SoftDice()]
    expected = sum(float(loss(ids, logits, [1.0, 2.0])) for loss in parts)
    assert float(Sum(parts)(ids, logits, [1.0, 2.0])) == pytest.approx(expected)
    with pytest.raises(ValueError, match="no loss to add"):
        Sum([])


def test_a_sum_can_be_weighted(tmp_path):
    ids, logits, weights = batch(0)
    parts = [CrossEntropy(weights), SoftDice()]
    expected = 2 * float(parts[0](ids, logits)) + 0.5 * float(parts[1](ids, logits))
    loss = Sum(parts, [2, 0.5])
    assert float(loss(ids, logits)) == pytest.approx(expected)
    assert float(saved_and_loaded(loss, tmp_path)(ids, logits)) == pytest.approx(expected)
    before = {"name": "sum", "losses": Sum(parts).get_config()["losses"]}  # of a version without
    assert float(Sum.from_config(before)(ids, logits)) == float(Sum(parts)(ids, logits))
    for wrong in ([1], [1, -1], [1, np.nan], 1):
        with pytest.raises(ValueError, match="one finite number >= 0 for each of the 2 losses"):
            Sum(parts, wrong)


def test_the_parts_of_a_sum_leave_out_the_same_pixels():
    assert Sum([CrossEntropy(ignore=255), SoftDice(ignore=[255])]).ignore == 255
    assert Sum([keras.losses.MeanSquaredError(), SoftDice(ignore=(3, 0))]).ignore == (3, 0)
    keras_loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=255)
    assert Sum([keras_loss, SoftDice(ignore=255)]).ignore == 255
    with pytest.raises(ValueError, match="cross_entropy ignores 0 and soft_dice None"):
        Sum([CrossEntropy(), SoftDice(ignore=None)])
    with pytest.raises(ValueError, match="entropy ignores 255 and soft_dice 0"):
        Sum([keras_loss, SoftDice()])


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "torch"])  # on JAX test_jax.py runs them all
def test_other_backends(backend):
    """Tests of the loss once more, in a process of another backend."""
    if backend == keras.backend.backend():
        pytest.skip(f"{backend} is the backend of this process: tested above")
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    chosen = ("-k", "reference or nothing or no_class or auto or large", __file__)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-p", "no:cacheprovider", *chosen],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "passed" in run.stdout


# Class weights


def test_median_frequency_by_hand():
    counts = [
        [2, 6, 2, 0],  # 8 labelled pixels: class 1 has 6 of them, class 2 has 2
        [0, 4, 0, 0],
    ]
    # Frequencies: class 1 has 10 of the 12 pixels of its two pictures, class 2 has 2 of 8.
    frequency = np.array([10 / 12, 2 / 8])
    expected = np.median(frequency) / frequency
    np.testing.assert_allclose(median_frequency_weights(counts), [0, *expected, 0], rtol=1e-6)
    assert median_frequency_weights(counts).dtype == np.float32


@pytest.mark.parametrize("seed", SEEDS)
def test_median_frequency_counts_only_pictures_with_the_class(seed):
    rng = np.random.default_rng(seed)
    masks = [rng.choice(rng.choice(9, 4, replace=False), (6, 7)) for _ in range(5)]
    frequency = []
    for c in range(9):
        shown = [mask for mask in masks if (mask == c).any()]
        frequency.append(
            np.concatenate(shown).ravel().tolist().count(c) / (42 * len(shown)) if shown else np.nan
        )
    expected = np.nan_to_num(np.nanmedian(frequency) / frequency)
    counts = [np.bincount(mask.ravel(), minlength=9) for mask in masks]
    np.testing.assert_allclose(median_frequency_weights(counts, ignore=None), expected, rtol=1e-6)


def test_median_frequency_of_totals():
    """The median class has weight 1, a class twice as common half of that."""
    np.testing.assert_allclose(median_frequency_weights([50, 10, 20, 40]), [0, 2, 1, 0.5])


WEIGHTS = {
    "inverse": inverse_frequency_weights,
    "median": median_frequency_weights,
    "root": square_root_weights,
    "effective": lambda counts, **options: effective_number_weights(counts, 0.9, **options),
}
every_weighting = pytest.mark.parametrize("weighting", WEIGHTS.values(), ids=WEIGHTS.keys())


def test_inverse_frequency_is_scikit_learns():
    sklearn = pytest.importorskip("sklearn.utils.class_weight", reason="compares with scikit-learn")
    ids = np.random.default_rng(0).choice([1, 2, 4], 1000, p=[0.9, 0.09, 0.01])
    expected = sklearn.compute_class_weight("balanced", classes=np.array([1, 2, 4]), y=ids)
    counts = np.bincount(ids, minlength=6)
    np.testing.assert_allclose(
        inverse_frequency_weights(counts), [0, *expected[:2], 0, expected[2], 0], rtol=1e-6
    )


def test_square_root_by_hand():
    """Median-frequency weights 0.1, 1 and 100."""
    roots = [0, np.sqrt(0.1), 1, 10]
    np.testing.assert_allclose(square_root_weights([9, 1000, 100, 1], np.inf), roots, rtol=1e-6)
    np.testing.assert_allclose(square_root_weights([9, 1000, 100, 1]), [*roots[:3], 5], rtol=1e-6)


def test_effective_number_by_hand():
    """At beta 1/2, one pixel is worth 1, two 3/2, and many 2."""
    weights = effective_number_weights([9, 1, 2, 1000], 0.5)
    np.testing.assert_allclose(weights[1:] / weights[1], [1, 2 / 3, 1 / 2], rtol=1e-6)
    assert weights.mean() == pytest.approx(3 / 4)


def test_effective_number_goes_from_equal_to_inverse():
    counts = [0, 7, 300, 20000]
    np.testing.assert_allclose(effective_number_weights(counts, 0), [0, 1, 1, 1])
    near = effective_number_weights(counts, 1 - 1e-9)
    inverse = inverse_frequency_weights(counts)
    np.testing.assert_allclose(near / near[1], inverse / inverse[1], rtol=1e-4)


@pytest.mark.parametrize("beta", [-0.1, 1, np.nan])
def test_bad_betas_are_refused(beta):
    with pytest.raises(ValueError, match="beta"):
        effective_number_weights([1, 2], beta)


@every_weighting
def test_rarer_classes_weigh_more_and_absent_ones_nothing(weighting):
    weights = weighting([50, 40, 20, 0, 10])
    assert weights.dtype == np.float32
    assert weights[0] == weights[3] == 0
    assert 0 < weights[1] < weights[2] < weights[4]
    CrossEntropy(weights)  # takes them


@every_weighting
def test_several_ids_get_no_weight(weighting):
    weights = weighting([50, 40, 20, 30, 10], ignore=(0, 3))
    np.testing.assert_allclose(weights, weighting([50, 40, 20, 0, 10]))


@every_weighting
def test_weights_leave_their_input_alone(weighting):
    counts = np.array([[5.0, 1.0, 2.0]])
    weighting(counts)
    assert counts.tolist() == [[5, 1, 2]]


@every_weighting
@pytest.mark.parametrize(
    "counts", [[[0, 0, 0]], [[9, 0, 0]], [[1, -1]], [[1, np.nan]], np.ones((2, 2, 2))]
)
def test_bad_counts_are_refused(weighting, counts):
    with pytest.raises(ValueError, match=r"counts"):
        weighting(counts)
