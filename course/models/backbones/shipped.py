"""Weights that come with the course: a small ResNet, trained on synthetic scenes by `benchmarks.pretrain`.

What they were trained on, what they reach and what you may do with them: weights/README.md.
"""

import hashlib
import io
from pathlib import Path

import keras
import numpy as np

from course.models.backbones.resnet import RESNET18_DEPTHS, resnet

FILE = Path(__file__).parent / "weights" / "resnet24_scenes.npz"
SHA256 = "77d0b65007cf3976048d7157f6d4a461fd3d682c3a40a7906949f8e64400a44f"
NAME, WIDTH = "resnet", 24


def load(trunk):
    """Give `trunk`, a model of ``backbone("resnet", …, width=24)``, the shipped weights.

    Raises
    ------
    ValueError
        If the file is missing or is not the one that this version of the
        course was released with.
    """
    weights = _read()
    for layer in trunk.layers:
        layer.set_weights([weights[_key(layer, v)].astype("float32") for v in layer.weights])


def save(model, file=FILE):
    """Write the weights of the trunk in `model` in half precision, and return the file's SHA-256.

    The trunk's layers are those that a fresh one has, by name.
    """
    images = keras.Input((None, None, 3))
    trunk = keras.Model(images, resnet(images, WIDTH, RESNET18_DEPTHS, bottleneck=False)[32])
    arrays = {
        _key(layer, variable): keras.ops.convert_to_numpy(variable).astype("float16")
        for layer in map(model.get_layer, [layer.name for layer in trunk.layers if layer.weights])
        for variable in layer.weights
    }
    with open(file, "wb") as out:
        np.savez_compressed(out, **arrays)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def _key(layer, variable):
    return f"{layer.name}/{variable.name}"


def _read():
    try:
        data = FILE.read_bytes()
    except OSError as error:
        raise ValueError(
            f"The weights {FILE} cannot be read ({error.strerror}). They come with the course: "
            "fetch the file again (git checkout), or say weights=None."
        ) from error
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise ValueError(
            f"The weights {FILE} are damaged or of another version of the course. "
            "Fetch the file again (git checkout), or say weights=None."
        )
    return np.load(io.BytesIO(data))
