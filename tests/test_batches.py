"""Batches: the same from the same seed however many fetch them, whole, and fit for Keras."""

import time

import keras
import numpy as np
import pytest
from conftest import a_mask, picture_of
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

from course import environment
from course.data import Augmentation, Batches, Samples

SIZE = (16, 24)


def samples_of(count):
    masks = np.stack([a_mask(i, SIZE) for i in range(count)])
    masks[:, 0, 0] = range(count)  # no two alike
    images = np.stack([picture_of(mask) for mask in masks])
    for array in (images, masks):
        array.setflags(write=False)
    return Samples(tuple(f"{i:03d}" for i in range(count)), images, masks)


SAMPLES = samples_of(10)


def test_without_shuffling_all_in_order_and_the_remainder_kept():
    batches = Batches(SAMPLES, batch_size=4)
    assert [len(images) for images, _ in (batches[i] for i in range(len(batches)))] == [4, 4, 2]
    images = np.concatenate([batches[i][0] for i in range(3)])
    masks = np.concatenate([batches[i][1] for i in range(3)])
    assert (images == SAMPLES.images).all()
    assert (masks == SAMPLES.masks).all()
    assert images.dtype == masks.dtype == np.uint8


def rows_of(batches):
    """Which samples an epoch's batches hold, found again by their masks."""
    return [
        [int(np.argwhere((SAMPLES.masks == mask).all((1, 2)))[0, 0]) for mask in batches[i][1]]
        for i in range(len(batches))
    ]


def test_shuffled_epochs_differ_and_hold_no_sample_twice():
    batches = Batches(SAMPLES, batch_size=4, shuffle=True)
    assert len(batches) == 2
    epochs = []
    for _ in range(12):
        rows = rows_of(batches)
        assert [len(batch) for batch in rows] == [4, 4]
        flat = [row for batch in rows for row in batch]
        assert len(set(flat)) == 8
        epochs.append(tuple(flat))
        batches.on_epoch_end()
    assert len(set(epochs)) == 12
    # What one epoch leaves out, others take.
    assert set().union(*epochs) == set(range(10))


def test_pictures_go_with_their_masks():
    batches = Batches(SAMPLES, batch_size=3, shuffle=True)
    for i in range(len(batches)):
        images, masks = batches[i]
        assert (images[..., 0] == masks * 10).all()


def test_augmented_batches_hold_ids_of_the_right_shape():
    batches = Batches(SAMPLES, batch_size=4, augment=Augmentation(), shuffle=True)
    for i in range(len(batches)):
        images, masks = batches[i]
        assert images.shape == (4, *SIZE, 3)
        assert masks.shape == (4, *SIZE)
        assert images.dtype == masks.dtype == np.uint8
        assert set(masks.flat) <= set(SAMPLES.masks.flat)


def test_same_seed_same_batches_in_any_order_of_asking():
    def fetch(order, seed=7, epochs=0):
        batches = Batches(SAMPLES, 3, Augmentation(), shuffle=True, seed=seed)
        for _ in range(epochs):
            batches.on_epoch_end()
        got = {i: batches[i] for i in order}
        return [got[i][0].tobytes() + got[i][1].tobytes() for i in range(3)]

    first = fetch([0, 1, 2])
    assert fetch([2, 0, 1]) == first
    assert len(set(first)) == 3
    assert not set(fetch([0, 1, 2], seed=8)) & set(first)
    assert not set(fetch([0, 1, 2], epochs=1)) & set(first)


def test_samples_within_a_batch_are_changed_differently():
    same = Samples(("a", "b"), SAMPLES.images[[0, 0]], SAMPLES.masks[[0, 0]])
    images, _ = Batches(same, 2, Augmentation())[0]
    assert (images[0] != images[1]).any()


def test_iterating_ends():
    assert len(list(Batches(SAMPLES, 4))) == 3


@pytest.mark.parametrize("index", [3, 99, -1])
def test_no_such_batch(index):
    with pytest.raises(IndexError, match=f"no batch {index}"):
        Batches(SAMPLES, 4)[index]


def test_slow_and_uneven_augmentation_changes_nothing():
    def slow(image, mask, rng):
        time.sleep(rng.uniform(0, 0.003))
        return Augmentation()(image, mask, rng)

    def epochs(workers):
        batches = Batches(SAMPLES, 2, slow, shuffle=True, workers=workers)
        for _ in range(3):
            yield [images.tobytes() + masks.tobytes() for images, masks in batches]
            batches.on_epoch_end()

    first = list(epochs(1))
    assert list(epochs(4)) == first
    assert len({batch for epoch in first for batch in epoch}) == 15


def test_epoch_given_up_half_way():
    """What was prepared for it is not handed on to the next."""
    whole = Batches(SAMPLES, 2, Augmentation(), shuffle=True, workers=4)
    given_up = Batches(SAMPLES, 2, Augmentation(), shuffle=True, workers=4)
    given_up[0]
    for batches in (whole, given_up):
        batches.on_epoch_end()
    for (one, _), (two, _) in zip(whole, given_up, strict=True):
        assert (one == two).all()


def test_error_in_augmentation_reaches_the_caller():
    def broken(image, mask, rng):
        raise RuntimeError("no such filter")

    with pytest.raises(RuntimeError, match="no such filter"):
        Batches(SAMPLES, 4, broken)[0]


def test_fewer_pictures_than_a_batch():
    batches = Batches(samples_of(3), batch_size=8, shuffle=True)
    assert len(batches) == 1
    assert len(batches[0][0]) == 3


def test_no_pictures():
    with pytest.raises(ValueError, match="no pictures"):
        Batches(SAMPLES[:0])


def test_no_batch_size():
    with pytest.raises(ValueError, match="batch_size is 0"):
        Batches(SAMPLES, batch_size=0)


class Digest(keras.metrics.Metric):
    """The sum of all targets, so that what reached the model can be told."""

    def __init__(self, name="digest"):
        super().__init__(name=name)
        self.total = self.add_variable(shape=(), initializer="zeros", dtype="float32")

    def update_state(self, targets, outputs, sample_weight=None):
        self.total.assign(self.total + keras.ops.sum(keras.ops.cast(targets, "float32")))

    def result(self):
        return self.total * 1.0  # a value of its own: validation sets the variable again


class Spy(Batches):
    """Batches that note what they gave out, by epoch and index."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.given = {}

    def __getitem__(self, index):
        images, masks = super().__getitem__(index)
        self.given[self.epoch, index] = images.tobytes() + masks.tobytes()
        return images, masks


def one_layer():
    """Probabilities from one 1×1 convolution."""
    images = keras.Input((*SIZE, 3))
    scores = keras.layers.Conv2D(24, 1, activation="softmax")(
        keras.layers.Rescaling(1 / 255)(images)
    )
    return keras.Model(images, scores)


@pytest.fixture(scope="module")
def fitted():
    """What model.fit was given over three epochs, by number of workers, and what it reported."""
    results = {}
    for workers in (1, 2, 4):
        keras.utils.set_random_seed(0)
        model = one_layer()
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=[Digest()])
        batches = Spy(SAMPLES, 3, Augmentation(), shuffle=True, seed=5, workers=workers)
        history = model.fit(
            batches,
            validation_data=Batches(SAMPLES, 4, workers=workers),
            epochs=3,
            shuffle=False,
            verbose=0,
        )
        results[workers] = batches, history.history
    return results


def test_fit_trains(fitted):
    for _, history in fitted.values():
        assert history["loss"][-1] < history["loss"][0]
        assert np.isfinite(history["loss"]).all()


def test_fit_asks_for_the_same_batches_with_any_number_of_workers(fitted):
    given = fitted[1][0].given
    # Keras resets before the first epoch, which counts as one.
    assert {(epoch, index) for epoch in (1, 2, 3) for index in range(3)} <= set(given)
    assert len(set(given.values())) == len(given)
    for workers in (2, 4):
        assert fitted[workers][0].given == given
        assert fitted[workers][0].epoch == fitted[1][0].epoch


def test_fit_reports_the_same_with_any_number_of_workers(fitted):
    for workers in (2, 4):
        np.testing.assert_allclose(fitted[workers][1]["loss"], fitted[1][1]["loss"], rtol=1e-5)
        np.testing.assert_allclose(
            fitted[workers][1]["val_loss"], fitted[1][1]["val_loss"], rtol=1e-5
        )


def test_masks_reach_the_model_as_ids(fitted):
    """The sum of all ids that arrived is the sum of all ids given out."""
    batches, history = fitted[2]
    pixels = 3 * SIZE[0] * SIZE[1]
    for epoch in range(3):
        masks = [np.frombuffer(batches.given[epoch + 1, i], np.uint8)[-pixels:] for i in range(3)]
        assert history["digest"][epoch] == sum(int(mask.sum()) for mask in masks)
    assert history["val_digest"] == [int(SAMPLES.masks.sum(dtype=int))] * 3


def test_predict_keeps_the_order_and_the_remainder():
    images = keras.Input((*SIZE, 3))
    model = keras.Model(images, keras.layers.Rescaling(1.0)(images))
    for workers in (1, 3):
        out = model.predict(Batches(SAMPLES, 4, workers=workers), verbose=0)
        assert (np.asarray(out) == SAMPLES.images).all()


def test_no_epoch_waits_for_a_tuner():
    """TensorFlow's, which sleeps for as long as the epoch took when it is told to stop."""
    if environment.backend() != "tensorflow":
        pytest.skip("the other backends do not read through tf.data")
    adapter = PyDatasetAdapter(Batches(SAMPLES, 2), shuffle=False)
    feed = adapter.get_tf_dataset()
    assert feed.options().autotune.enabled is False
    images, masks = next(iter(feed))
    assert np.array_equal(images, SAMPLES.images[:2])
    assert np.array_equal(masks, SAMPLES.masks[:2])
