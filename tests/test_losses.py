"""Losses against hand-computed numbers, a numpy reference, PyTorch and finite differences."""

import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from course.losses import CrossEntropy, median_frequency_weights

SEEDS = range(4)
CLASSES = 5


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
    """The gradient by the logits, on the backend in use."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        x = tf.Variable(logits)
        with tf.GradientTape() as tape:
            value = loss(ids, x)
        return tape.gradient(value, x).numpy()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(lambda x: loss(ids, x))(logits))
    import torch

    x = torch.tensor(logits, requires_grad=True)
    loss(ids, x).backward()
    return x.grad.numpy()


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


@pytest.mark.parametrize(("class_weights", "id"), [(None, 0), ([1, 2, 0, 1, 1], 2)])
def test_nothing_to_learn_from(class_weights, id):
    """A batch all ignored, or all of a class with weight 0: loss 0, gradient 0."""
    ids, logits, _ = batch(0)
    ids[:] = id
    loss = CrossEntropy(class_weights)
    assert float(loss(ids, logits)) == 0
    assert (gradient(loss, ids, logits) == 0).all()


def test_an_ignored_id_may_be_no_class():
    ids, logits, weights = batch(0)
    expected, slope = reference(ids, logits, weights, ignore=0)
    loss = CrossEntropy(weights, ignore=255)
    ids[ids == 0] = 255
    assert float(loss(ids, logits)) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(gradient(loss, ids, logits), slope, atol=1e-6)


@pytest.mark.parametrize("id", [CLASSES, 255, -1])
def test_an_id_that_is_no_class_is_not_passed_over(id):
    ids, logits, weights = batch(0, np.int32)
    ids[1, 2, 1] = id
    assert np.isnan(float(CrossEntropy()(ids, logits)))
    assert np.isnan(float(CrossEntropy(weights)(ids, logits)))


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


def test_huge_logits_stay_finite():
    ids, logits, _ = batch(0)
    assert np.isfinite(float(CrossEntropy()(ids, 1e6 * logits)))
    assert np.isfinite(gradient(CrossEntropy(), ids, 1e6 * logits)).all()


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


def test_is_saved_with_the_model(tmp_path):
    weights = np.array([0, 1, 2.5, 3, 4], np.float32)
    model = small_model(loss=CrossEntropy(weights, ignore=3, name="ce"))
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    loss = keras.saving.load_model(tmp_path / "model.keras").loss
    assert isinstance(loss, CrossEntropy)
    np.testing.assert_array_equal(loss.class_weights, weights)
    assert (loss.ignore, loss.name) == (3, "ce")


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_other_backends(backend):
    """Tests of the loss once more, in a process of another backend."""
    if backend == keras.backend.backend():
        pytest.skip(f"{backend} is the backend of this process: tested above")
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    chosen = ("-k", "reference or nothing or no_class or auto", __file__)
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


def test_median_frequency_leaves_its_input_alone():
    counts = np.array([[5.0, 1.0, 2.0]])
    median_frequency_weights(counts)
    assert counts.tolist() == [[5, 1, 2]]


@pytest.mark.parametrize(
    "counts", [[[0, 0, 0]], [[9, 0, 0]], [[1, -1]], [[1, np.nan]], np.ones((2, 2, 2))]
)
def test_bad_counts_are_refused(counts):
    with pytest.raises(ValueError, match=r"counts"):
        median_frequency_weights(counts)
