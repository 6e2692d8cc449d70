"""Networks written, read again and compared with themselves."""

import keras
import numpy as np
import pytest

from course import environment, export
from course.data import Samples, synthetic
from course.models.mobile import mobile_unet
from course.models.unet import small_unet
from course.training import fit

SIZE = (64, 96)
TENSORFLOW = environment.backend() == "tensorflow"
only_tensorflow = pytest.mark.skipif(not TENSORFLOW, reason="TensorFlow writes these formats")
EVERY = [
    ("net.keras", 32),
    pytest.param("net", 32, marks=only_tensorflow),
    pytest.param("net.tflite", 32, marks=only_tensorflow),
]


def scramble(model):
    """Weights and statistics as after training: nothing is zero, no variance is negative."""
    rng = np.random.default_rng(0)
    for w in model.weights:
        noise = rng.normal(0, 0.1, w.shape).astype("float32")
        w.assign(1 + abs(noise) if "variance" in w.path or "gamma" in w.path else w + noise)
    return model


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return scramble(small_unet(4, depth=2))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(0, 256, (2, *SIZE, 3)).astype(np.uint8)


@pytest.mark.parametrize(("name", "bits"), EVERY)
def test_there_and_back(model, images, tmp_path, name, bits):
    path = export.save(model, tmp_path / "new folder" / name, SIZE, bits)
    expected = model.predict(images, verbose=0)
    found = export.load(path)(images)
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.float32
    # The measured differences are below 3e-6 of the range.
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.ptp(expected))
    assert export.size_of(path) > 4 * model.count_params()


@only_tensorflow
@pytest.mark.slow
def test_8_bits_of_a_random_network(images, tmp_path):
    keras.utils.set_random_seed(0)
    model = scramble(small_unet(8, depth=3))
    small = export.save(model, tmp_path / "small.tflite", SIZE, bits=8)
    large = export.save(model, tmp_path / "large.tflite", SIZE)
    expected, found = model.predict(images, verbose=0), export.load(small)(images)
    assert export.size_of(small) < 0.5 * export.size_of(large)
    assert abs(found - expected).max() < 0.03 * np.ptp(expected)
    assert (found.argmax(-1) == expected.argmax(-1)).mean() > 0.95
    assert abs(found - expected).max() > 1e-4  # or the weights were not rounded at all


@only_tensorflow
@pytest.mark.slow
def test_8_bits_of_a_trained_network(tmp_path):
    pairs = [synthetic.scene(seed, (128, 192)) for seed in range(8)]
    pictures, masks = (np.stack(part) for part in zip(*pairs, strict=True))
    samples = Samples(tuple("abcdefgh"), pictures, masks)
    keras.utils.set_random_seed(0)
    model = mobile_unet(8)
    fit(model, samples, epochs=15, batch_size=2)
    quick = export.load(export.save(model, tmp_path / "net.tflite", (128, 192), bits=8))
    expected = model.predict(pictures, verbose=0).argmax(-1)
    assert len(np.unique(expected)) > 3
    assert (quick(pictures).argmax(-1) == expected).mean() > 0.95


def test_a_keras_file_holds_no_optimizer(tmp_path):
    plain, trained = small_unet(4, depth=2), small_unet(4, depth=2)
    trained.compile("adam", "mse")
    trained.optimizer.build(trained.trainable_variables)
    sizes = [
        export.size_of(export.save(net, tmp_path / f"{i}.keras"))
        for i, net in enumerate((plain, trained))
    ]
    assert abs(sizes[1] - sizes[0]) < 0.02 * sizes[0]


@only_tensorflow
def test_a_network_of_fixed_size_needs_no_size(tmp_path, images):
    fixed = scramble(small_unet(4, depth=2, size=SIZE))
    found = export.load(export.save(fixed, tmp_path / "fixed"))(images)
    np.testing.assert_allclose(found, fixed.predict(images, verbose=0), rtol=1e-4, atol=1e-4)


@only_tensorflow
def test_nothing_is_written_to_stderr(model, tmp_path, images, capfd):
    capfd.readouterr()
    export.load(export.save(model, tmp_path / "net.tflite", SIZE))(images)
    export.load(export.save(model, tmp_path / "net", SIZE))(images)
    written = capfd.readouterr()
    assert written.err == ""
    assert written.out == ""


@only_tensorflow
@pytest.mark.parametrize("name", ["net.tflite", "net"])
def test_a_file_for_one_size_refuses_others(model, tmp_path, images, name):
    quick = export.load(export.save(model, tmp_path / name, SIZE))
    with pytest.raises(ValueError, match=rf"{name} was made for pictures of 64×96, not .*32, 96"):
        quick(images[:, :32])


@pytest.mark.parametrize("name", ["net.h5", "net.onnx", "net.v2"])
def test_other_endings_are_refused(model, tmp_path, name):
    with pytest.raises(ValueError, match=r"NAME\.keras, as NAME\.tflite"):
        export.save(model, tmp_path / name, SIZE)


@pytest.mark.parametrize(("name", "bits"), [("a.keras", 8), ("a", 8), ("a.tflite", 16)])
def test_other_bits_are_refused(model, tmp_path, name, bits):
    with pytest.raises(ValueError, match=f"{name} cannot have {bits}"):
        export.save(model, tmp_path / name, SIZE, bits)


@only_tensorflow
@pytest.mark.parametrize("name", ["a", "a.tflite"])
def test_an_open_size_is_refused(model, tmp_path, name):
    with pytest.raises(ValueError, match=r"say size=\(height, width\)"):
        export.save(model, tmp_path / name)


@pytest.mark.parametrize("name", ["a", "a.tflite"])
def test_other_backends_are_told_the_way(model, tmp_path, name, monkeypatch):
    monkeypatch.setattr(environment, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match=r"runs on jax here.*\.keras file.*KERAS_BACKEND"):
        export.save(model, tmp_path / name, SIZE)


def test_without_tensorflow_reading_is_refused_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "installed", lambda package: False)
    (tmp_path / "folder").mkdir()
    (tmp_path / "net.tflite").write_bytes(b"")
    with pytest.raises(RuntimeError, match="read by TensorFlow, which is not installed"):
        export.load(tmp_path / "folder")
    with pytest.raises(RuntimeError, match="pip install ai-edge-litert"):
        export.load(tmp_path / "net.tflite")


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no net\.keras"):
        export.load(tmp_path / "net.keras")


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "in" / "b").write_bytes(b"123")
    assert export.size_of(tmp_path) == 8
    assert export.size_of(tmp_path / "a") == 5
