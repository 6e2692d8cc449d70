"""What networks cost: seconds a step of training, milliseconds a picture, megabytes.

Times are taken in turn, one network after the other and over again, so that a machine busy with
something else slows all of them. Memory is taken in a process of its own: what a prediction, or a
step of training, needs at its peak beyond what the process held before.
"""

import contextlib
import ctypes
import gc
import multiprocessing
import os
import re
import statistics
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np

from course import environment, training
from course.classes import NUM_CLASSES
from course.data import Samples

ROUNDS = 12
# Large blocks go back to the system as soon as they are freed, and count again the next time.
# The allocator of oneDNN, TensorFlow's usual one on many processors, gives nothing back.
FREEING = {
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "65536",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}


def seconds(models, scale, rounds=ROUNDS):
    """Time every network of `models`, name to ``keras.Model``.

    Returns
    -------
    dict of name to {"seconds a step", "ms a picture"}
        Medians over `rounds`, after two that are not counted: a step of training on
        ``scale.batch`` pictures in the precision that ``training.fit`` takes, and one picture
        by itself in float32. The models are trained by it.
    """
    pictures = noise(scale.batch, scale.size)
    one = pictures.images[:1]
    times = {name: {"seconds a step": [], "ms a picture": []} for name in models}
    with contextlib.ExitStack() as half:
        for model in models.values():
            half.enter_context(training.precision(model, environment.precision()))
            training.compile(model, pictures)
        for turn in range(rounds + 2):
            for name, model in models.items():
                start = time.perf_counter()
                model.train_on_batch(pictures.images, pictures.masks)
                if turn >= 2:
                    times[name]["seconds a step"].append(time.perf_counter() - start)
    for turn in range(rounds + 2):
        for name, model in models.items():
            start = time.perf_counter()
            model.predict_on_batch(one)
            if turn >= 2:
                times[name]["ms a picture"].append(time.perf_counter() - start)
    return {
        name: {
            "seconds a step": round(statistics.median(of["seconds a step"]), 4),
            "ms a picture": round(1000 * statistics.median(of["ms a picture"]), 2),
        }
        for name, of in times.items()
    }


def megabytes(build, scale):
    """Peak memory of the network that `build(scale)` makes, measured in a new process.

    Returns
    -------
    {"MB a picture", "MB a step"}
        Of 10**6 bytes, beyond the weights and all else that was held before: to predict one
        picture, and for a step of training on ``scale.batch``. Main memory on a CPU, None where
        the system does not count it; the device's own on an accelerator.
    """
    with mock.patch.dict(os.environ, FREEING), multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_megabytes, (build, scale))


def noise(number, size):
    """Pictures and masks of noise: what they show costs nothing."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (number, *size, 3)).astype("uint8")
    masks = rng.integers(0, NUM_CLASSES, (number, *size)).astype("uint8")
    return Samples(tuple(map(str, range(number))), images, masks)


def _megabytes(build, scale):
    environment.import_keras()
    model, pictures = build(scale), noise(scale.batch, scale.size)
    # The smaller first: JAX keeps one peak for the life of the process.
    picture = _peak(lambda: model.predict_on_batch(pictures.images[:1]))
    with training.precision(model, environment.precision()):  # as the steps are that are timed
        training.compile(model, pictures)
        step = _peak(lambda: model.train_on_batch(pictures.images, pictures.masks))
    return {"MB a picture": picture, "MB a step": step}


def _peak(do):
    """Megabytes that `do` takes beyond what is held; what tracing and compiling need is not counted."""
    do()
    gc.collect()
    meter = _main_memory if environment.device() == "cpu" else _device_memory
    try:
        held = meter(reset=True)[0]
        do()
        return round((meter()[1] - held) / 1e6, 1)
    except OSError:
        return None


def _main_memory(reset=False):
    """Bytes held now, and held at the most since `reset`, as Linux counts them."""
    if reset:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return [1024 * int(re.search(rf"{name}:\s+(\d+)", status)[1]) for name in ("VmRSS", "VmHWM")]


def _device_memory(reset=False):
    """The same of the accelerator; on JAX, what the first run takes counts."""
    if environment.backend() == "tensorflow":
        memory = sys.modules["tensorflow"].config.experimental
        if reset:
            memory.reset_memory_stats("GPU:0")
        held = memory.get_memory_info("GPU:0")
        return held["current"], held["peak"]
    if environment.backend() == "torch":
        memory = sys.modules["torch"].cuda
        if reset:
            memory.reset_peak_memory_stats()
        return memory.memory_allocated(), memory.max_memory_allocated()
    held = sys.modules["jax"].local_devices()[0].memory_stats()
    return held["bytes_in_use"], held["peak_bytes_in_use"]
