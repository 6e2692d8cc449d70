"""Networks as files: Keras's own, TensorFlow's SavedModel, and LiteRT (TFLite) for small devices."""

import contextlib
import io
import logging
import os
import re
import warnings
from pathlib import Path

import keras
import numpy as np

import course.layers  # noqa: F401, a .keras file names these layers and must find them
from course import environment

# What the converter and the interpreter print about themselves on a healthy machine.
_CHATTER = re.compile(
    r"^I\d{4} |^\d{4}-\d\d-\d\d [\d:.]+: I |All log messages before absl::InitializeLog"
    r"|Ignored (output_format|drop_control_dependency)\."
    r"|Created TensorFlow Lite XNNPACK delegate"
)


def save(model, path, size=None, bits=32):
    """Write `model` into a file; the ending of its name tells the format.

    ========== ============ ========================================================
    ending     format       read by
    ========== ============ ========================================================
    .keras     Keras        Keras on any backend: layers, weights, no optimizer
    none       SavedModel   TensorFlow without this course's code: a folder
    .tflite    LiteRT       phones and small boards: a graph for pictures of one size
    ========== ============ ========================================================

    Parameters
    ----------
    model : keras.Model
        Pictures to logits.
    path : path
    size : (height, width), optional
        Of the pictures, for SavedModel and LiteRT; the model's own where that is fixed.
    bits : 32 or 8
        For LiteRT: 8 stores every large weight tensor as 8-bit integers, one
        scale a channel, a quarter of the bytes. Pictures and logits stay float32.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        For an ending, a size or a number of bits that does not fit.
    RuntimeError
        For SavedModel or LiteRT where Keras does not run on TensorFlow.
    """
    path = Path(path)
    kind = _kind(path)
    if bits not in (32, 8) or (bits == 8 and kind != "LiteRT"):
        raise ValueError(
            f"Weights have 32 bits, or 8 in a .tflite file; {path.name} cannot have {bits!r}."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "Keras":
        # The same layers without the optimizer, whose state would triple the file.
        keras.Model(model.inputs, model.outputs, name=model.name).save(path)
        return path
    if environment.backend() != "tensorflow":
        raise RuntimeError(
            f"{kind} files are written by TensorFlow, but Keras runs on {environment.backend()} "
            "here. Save the network as a .keras file; where TensorFlow is installed, start Python "
            "with KERAS_BACKEND=tensorflow, load that file with Keras, and save it from there."
        )
    size = _fixed(model, size)
    with _quiet():
        if kind == "SavedModel":
            pictures = keras.layers.InputSpec(shape=(None, *size, 3), dtype="float32")
            model.export(path, input_signature=[pictures], verbose=False)
        else:
            # Keras 3.13 takes the size from the network itself, whatever signature it is given.
            picture = keras.Input(batch_shape=(1, *size, 3))
            keras.Model(picture, model(picture)).export(
                str(path), "litert", verbose=False, **_optimizations(bits)
            )
    return path


def load(path):
    """Read what :func:`save` wrote, as a function of pictures.

    Returns
    -------
    callable
        Pictures ``(n, height, width, 3)``, 0 to 255, to float32 logits
        ``(n, height, width, classes)``, both numpy arrays.

    Raises
    ------
    FileNotFoundError
        If nothing is there.
    ValueError
        For another ending; and, when called, for pictures of another size than
        a SavedModel or LiteRT file was made for.
    RuntimeError
        For SavedModel, and for LiteRT without ``ai-edge-litert``, where
        TensorFlow is not installed.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no {path.name} in {path.parent}: save it there first.")
    kind = _kind(path)
    if kind == "Keras":
        return keras.saving.load_model(path, compile=False).predict_on_batch
    return _saved_model(path) if kind == "SavedModel" else _litert(path)


def size_of(path):
    """Bytes of a file, or of all files in a folder."""
    path = Path(path)
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _kind(path):
    kinds = {".keras": "Keras", ".tflite": "LiteRT", "": "SavedModel"}
    if path.suffix not in kinds:
        raise ValueError(
            f"{path.name} ends in {path.suffix}; networks are saved as NAME.keras, as NAME.tflite, "
            "or as NAME without an ending, which is a SavedModel."
        )
    return kinds[path.suffix]


def _fixed(model, size):
    size = tuple(size or model.input_shape[1:3])
    if None in size:
        raise ValueError(
            "SavedModel and LiteRT files are made for pictures of one size, which this network "
            "leaves open: say size=(height, width)."
        )
    return size


def _optimizations(bits):
    import tensorflow as tf

    return {"optimizations": [tf.lite.Optimize.DEFAULT]} if bits == 8 else {}


def _saved_model(path):
    if not environment.installed("tensorflow"):
        raise RuntimeError("A SavedModel is read by TensorFlow, which is not installed here.")
    import tensorflow as tf

    with _quiet():
        loaded = tf.saved_model.load(str(path))
    (pictures,) = loaded.signatures["serving_default"].structured_input_signature[1].values()

    def logits(images):  # which also keeps `loaded`: it owns the variables
        images = np.asarray(images, np.float32)
        _check_size(path, images, tuple(pictures.shape[1:3]))
        return loaded.serve(tf.constant(images)).numpy()

    return logits


def _litert(path):
    with _quiet():
        interpreter = _interpreter()(str(path), num_threads=os.cpu_count())
        interpreter.allocate_tensors()
    into, out = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    _, height, width, _ = into["shape"]

    def logits(images):
        images = np.asarray(images, np.float32)
        _check_size(path, images, (height, width))
        answers = np.empty((len(images), *out["shape"][1:]), np.float32)
        for image, answer in zip(images, answers, strict=True):
            interpreter.set_tensor(into["index"], image[None])
            interpreter.invoke()
            answer[:] = interpreter.get_tensor(out["index"])[0]
        return answers

    return logits


def _check_size(path, images, size):
    if images.shape[1:] != (*size, 3):
        raise ValueError(
            f"{path.name} was made for pictures of {size[0]}×{size[1]}, not for an array of "
            f"{images.shape}. Cut tiles of that size, or save the network for another."
        )


def _interpreter():
    """LiteRT's own interpreter where it is installed, else the one within TensorFlow."""
    if environment.installed("ai_edge_litert"):
        from ai_edge_litert.interpreter import Interpreter
    elif environment.installed("tensorflow"):
        from tensorflow import lite

        Interpreter = lite.Interpreter
    else:
        raise RuntimeError(
            "A .tflite file is read by LiteRT's interpreter, which is not installed here: "
            "pip install ai-edge-litert, or tensorflow."
        )
    return Interpreter


@contextlib.contextmanager
def _quiet():
    """Hold back what the converter and the interpreter say about themselves."""
    with (
        environment.filtered_stderr(_CHATTER),
        contextlib.redirect_stdout(io.StringIO()),  # Keras 3.13 minds no verbose=False
        warnings.catch_warnings(),
    ):
        # TensorFlow's interpreter says that it will move to a package of its own.
        warnings.filterwarnings("ignore", message=r"\s*Warning: tf.lite.Interpreter is deprecated")
        threshold = logging.root.manager.disable
        logging.disable(logging.INFO)  # TensorFlow's "Assets written to", in a notebook on stderr
        try:
            yield
        finally:
            logging.disable(threshold)
