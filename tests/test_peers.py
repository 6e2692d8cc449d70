"""How peers are trained and what they leave, with a network that takes no library of theirs."""

import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from benchmarks import peers
from benchmarks.results import labels_at
from course.classes import NUM_CLASSES

SIZE = (8, 12)


def small(rate, steps, size):
    model = keras.Sequential(
        [keras.Input((*size, 3)), keras.layers.Conv2D(NUM_CLASSES, 1, activation="softmax")]
    )
    model.compile(keras.optimizers.SGD(rate), "categorical_crossentropy")
    return model


@pytest.fixture
def options(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "pictures.npz",
        images=rng.integers(0, 256, (6, *SIZE, 3)).astype(np.uint8),
        masks=rng.integers(0, NUM_CLASSES, (6, *SIZE)).astype(np.uint8),
        unseen=rng.integers(0, 256, (3, *SIZE, 3)).astype(np.uint8),
        truth_size=(16, 24),
    )
    return SimpleNamespace(network="small", folder=tmp_path, minutes=[0.01, 0.03], rate=0.1, seed=0)


class Clock:
    """Each look at it is a second later than the last, the second one a minute: tracing."""

    looks = -1

    def perf_counter(self):
        self.looks += 1
        return self.looks + 60 * (self.looks > 0)


def test_a_run_goes_on_from_the_shorter_budget_to_the_longer(options, monkeypatch):
    known = []

    def build(rate, steps, size):
        known.append(steps)
        return small(rate, steps, size)

    monkeypatch.setattr(peers, "VERSIONS", ("keras",))
    monkeypatch.setattr(peers, "time", Clock())
    monkeypatch.setattr(peers, "_seconds_a_step", lambda *of: 0.2)
    monkeypatch.setattr(peers, "_set_seed", keras.utils.set_random_seed)
    options.minutes = [0.01, 0.03]
    report = peers.measure(peers.Peer(build, "here", 2, 0.5, SIZE), options)
    assert [run["steps"] for run in report["runs"]] == [3, 9]
    assert known == [9]
    assert (report["seconds a step"], report["seconds of it in the network"]) == (2, 1)
    assert report["runs"][1]["seconds"] == 62 + 2 * 8
    assert report["versions"] == {"keras": keras.__version__}
    assert (report["rate"], report["batch"], report["parameters"]) == (0.1, 2, 4 * NUM_CLASSES)
    json.dumps(report)
    for minutes in options.minutes:
        labels = np.load(options.folder / f"{minutes:g}.npy")
        assert labels.shape == (3, 16, 24)
        assert labels.dtype == np.uint8


def test_a_step_is_timed_with_its_batch_and_without_tracing(monkeypatch):
    # A clock that only batches, a second each, and steps move.
    clock = [0.0]

    class Network:
        steps = 0

        def train_on_batch(self, images, labels):
            self.steps += 1
            traces, slow = self.steps <= peers.WARM_UP, self.steps == peers.WARM_UP + 2
            clock[0] += 60 if traces or slow else 2

    def stream():
        while True:
            clock[0] += 1
            yield None, None

    monkeypatch.setattr(peers, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    monkeypatch.setattr(peers, "_set_seed", keras.utils.set_random_seed)
    peer = peers.Peer(lambda rate, steps, size: Network(), "here", 2, 0.5)
    assert peers._seconds_a_step(peer, 0.1, stream(), seed=0) == 3


def test_labels_are_one_hot_and_as_small_as_what_the_network_says(options):
    with np.load(options.folder / "pictures.npz") as stored:
        samples = peers.Samples(tuple("abcdef"), stored["images"], stored["masks"])
    peer = peers.Peer(small, "here", 2, 0.5, SIZE, augment="none", output=0.5)
    images, labels = next(peers._stream(peers.Batches(samples, 2), peer))
    assert labels.shape == (2, 4, 6, NUM_CLASSES)
    assert np.array_equal(labels.argmax(axis=-1), samples.masks[:2, ::2, ::2])
    assert np.array_equal(images, samples.images[:2])


def test_pictures_are_prepared_as_their_authors_do():
    grey = np.full((1, 1, 1, 3), 255, np.uint8)
    red = np.array([[[[255, 0, 0]]]], np.uint8)
    assert peers._imagenet(grey).ravel() == pytest.approx([2.249, 2.429, 2.640], abs=1e-3)
    assert peers._caffe(red).ravel() == pytest.approx([-103.939, -116.779, 131.32], abs=1e-3)


def test_the_network_of_the_seed_is_half_as_large_as_its_pictures():
    model = peers._vgg_unet(1e-3, 1, (32, 48))
    assert model.output_shape == (None, 16, 24, NUM_CLASSES)
    # VGG-16's first ten convolutions, four of the way back with their norms, the scores.
    back = [(512, 512), (512 + 256, 256), (256 + 128, 128), (128 + 64, 64)]
    wanted = 7_635_264 + sum(9 * a * b + b + 4 * b for a, b in back) + 9 * 64 * 24 + 24
    assert model.count_params() == wanted


def test_scores_are_enlarged_before_the_highest_wins():
    scores = np.zeros((1, 1, 2, 3), np.float32)
    scores[0, 0, 0, 1], scores[0, 0, 1, 2] = 1, 4
    # A quarter of the way from the first to the second, class 2 is ahead: 1 to .75.
    assert labels_at((1, 4), scores).tolist() == [[[1, 2, 2, 2]]]
