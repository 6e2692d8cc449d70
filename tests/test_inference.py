"""Prediction against a network whose answers can be worked out by hand."""

import keras
import numpy as np
import pytest
from keras import layers

from course import metrics
from course.data import Samples
from course.inference import confusion, predict

KERNEL = np.random.default_rng(0).normal(size=(3, 24)).astype("float32")
BIAS = np.random.default_rng(1).normal(0, 50, 24).astype("float32")


@pytest.fixture(scope="module")
def model():
    """One 1×1 convolution: the label of a pixel depends on its colour alone."""
    images = keras.Input((None, None, 3))
    model = keras.Model(images, layers.Conv2D(24, 1)(images))
    model.layers[-1].set_weights([KERNEL[None, None], BIAS])
    return model


def labels(images):
    return np.argmax(images.astype("float32") @ KERNEL + BIAS, axis=-1)


def pictures(count, height=6, width=5):
    return np.random.default_rng(2).integers(0, 256, (count, height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 8])
def test_labels_of_whole_and_odd_batches(model, count):
    images = pictures(count)
    masks = predict(model, images, batch_size=4)
    assert masks.dtype == np.uint8
    assert masks.shape == (count, 6, 5)
    np.testing.assert_array_equal(masks, labels(images))


def test_one_picture_gives_one_mask(model):
    image = pictures(1)[0]
    mask = predict(model, image)
    assert mask.shape == (6, 5)
    np.testing.assert_array_equal(mask, labels(image))


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "int64"])
def test_any_numeric_dtype(model, dtype):
    images = pictures(2)
    np.testing.assert_array_equal(predict(model, images.astype(dtype)), labels(images))


def test_a_mirrored_view_and_a_memory_map(model, tmp_path):
    images = pictures(5)
    np.testing.assert_array_equal(predict(model, images[:, :, ::-1]), labels(images[:, :, ::-1]))
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    masks = predict(model, mapped, batch_size=2)
    np.testing.assert_array_equal(masks, labels(images))
    assert not isinstance(masks, np.memmap)


@pytest.mark.parametrize("shape", [(6, 5), (2, 6, 5, 4), (2, 3, 6, 5), (1, 2, 6, 5, 3)])
def test_another_shape_is_refused_by_name(model, shape):
    with pytest.raises(
        ValueError,
        match=r"\(n, height, width, 3\).*" + str(shape).replace("(", r"\(").replace(")", r"\)"),
    ):
        predict(model, np.zeros(shape, np.uint8))


def test_a_network_without_padding_is_sent_to_the_tiles():
    images = keras.Input((None, None, 3))
    model = keras.Model(images, layers.Conv2D(24, 3)(images))
    with pytest.raises(ValueError, match=r"answers \(4, 3\)\. .* no padding, predict_tiles"):
        predict(model, pictures(2))


@pytest.mark.parametrize(("padding", "answer"), [("same", r"\(2, 2\)"), ("valid", r"\(1, 1\)")])
def test_a_network_that_does_not_enlarge_is_told_to(padding, answer):
    images = keras.Input((None, None, 3))
    pooled = layers.MaxPooling2D(4, padding=padding)(images)
    model = keras.Model(images, layers.Conv2D(24, 1)(pooled))
    with pytest.raises(
        ValueError, match=rf"answers {answer}, one score every 4 pixels.*upsample\(classes, 4"
    ):
        predict(model, pictures(2))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((2, 24), r"answers \(2, 24\)\. Expected are logits"),  # a classifier of windows
        ((2, 6, 5, 257), "up to 256 classes"),
        ((1, 6, 5, 24), r"answers \(1, 6, 5, 24\)"),
    ],
)
def test_what_is_no_logits_is_refused(answer, message):
    with pytest.raises(ValueError, match=message):
        predict(lambda images: np.zeros(answer), pictures(2))


def test_scores_that_are_no_numbers_are_no_class_0():
    def diverged(images):
        logits = np.zeros((*images.shape[:-1], 24), np.float32)
        logits[-1, 2, 3, 7] = np.nan
        return logits

    with pytest.raises(ValueError, match="scores are nan.*lower learning rate"):
        predict(diverged, pictures(2))


def test_any_function_of_pictures_will_do(model):
    images = pictures(3)
    np.testing.assert_array_equal(predict(model.predict_on_batch, images), labels(images))


def test_the_last_batch_is_as_large_as_the_others(model):
    """TensorFlow traces a network anew for each size of batch."""
    sizes = []

    def network(images):
        sizes.append(len(images))
        return model.predict_on_batch(images)

    images = pictures(11)
    np.testing.assert_array_equal(predict(network, images, batch_size=4), labels(images))
    truth = np.zeros(images.shape[:3], np.uint8)
    confusion(network, Samples(tuple("abcdefghijk"), images, truth), batch_size=4)
    assert sizes == [4] * 6


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_of_no_picture_is_refused(model, batch_size):
    with pytest.raises(ValueError, match=f"batch_size is {batch_size}, but"):
        predict(model, pictures(2), batch_size)


@pytest.mark.parametrize("ignore", [0, None])
def test_confusion_pools_all_pictures(model, ignore):
    images = pictures(5)
    truth = np.random.default_rng(3).integers(0, 24, images.shape[:3]).astype(np.uint8)
    samples = Samples(tuple("abcde"), images, truth)
    expected = metrics.confusion_matrix(truth, labels(images), ignore=ignore)
    np.testing.assert_array_equal(confusion(model, samples, batch_size=2, ignore=ignore), expected)


def test_confusion_of_another_number_of_classes(model):
    images = pictures(2)
    truth = np.random.default_rng(3).integers(0, 30, images.shape[:3]).astype(np.uint8)
    cm = confusion(model, Samples(("a", "b"), images, truth), classes=30)
    expected = metrics.confusion_matrix(truth, labels(images), classes=30, ignore=0)
    np.testing.assert_array_equal(cm, expected)


def test_confusion_of_nothing_is_refused(model):
    """Else every score of it would be nan, without a word why."""
    with pytest.raises(ValueError, match="no pictures in these samples.*can be empty"):
        confusion(model, Samples((), pictures(0), np.zeros((0, 6, 5), np.uint8)))
