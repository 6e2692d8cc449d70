"""Where a lesson runs, and what that machine allows.

Answers: which place (local, CI, Kaggle, Colab), which Keras backend, which
device, and which *scale* to work at. Lessons call :func:`setup` first.
"""

import contextlib
import ctypes
import faulthandler
import functools
import importlib.util
import logging
import os
import re
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

from course import packages


@dataclass(frozen=True)
class Scale:
    """How large a lesson works: picture size, network width, length of training.

    size    (height, width) in pixels that pictures are scaled to
    width   channels of a network's first stage
    epochs  passes over the training pictures for a model of average appetite
    batch   pictures a step
    """

    name: str
    size: tuple[int, int]
    width: int
    epochs: int
    batch: int


SCALES = {
    scale.name: scale
    for scale in (
        Scale("smoke", size=(128, 192), width=12, epochs=12, batch=3),
        Scale("laptop", size=(192, 288), width=16, epochs=28, batch=4),
        Scale("gpu", size=(512, 768), width=64, epochs=80, batch=8),
    )
}

BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def place():
    """Where this runs: ``"kaggle"``, ``"colab"``, ``"ci"`` or ``"local"``."""
    if "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        return "kaggle"
    if "COLAB_RELEASE_TAG" in os.environ or "google.colab" in sys.modules:
        return "colab"
    if os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
        return "ci"
    return "local"


def installed(package):
    """Whether `package` can be imported, without importing it."""
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):  # blocked, as tests do it
        return False


def backend():
    """Name of the Keras backend in use: ``"tensorflow"``, ``"jax"`` or ``"torch"``."""
    return import_keras().backend.backend()


def device():
    """What the backend computes on: ``"cpu"``, ``"gpu"`` or ``"tpu"``."""
    if backend() == "torch":  # of whose devices Keras keeps no list
        torch = sys.modules["torch"]
        found = torch.cuda.is_available() or torch.backends.mps.is_available()
        return "gpu" if found and os.environ.get("KERAS_TORCH_DEVICE") != "cpu" else "cpu"
    devices = import_keras().distribution.list_devices
    for kind in ("tpu", "gpu"):
        with contextlib.suppress(Exception):  # a backend without that kind raises its own error
            if devices(kind):
                return kind
    return "cpu"


def device_name():
    """What the device is called, "NVIDIA H100 80GB HBM3" say; "CPU" where there is no other."""
    if device() == "cpu":
        return "CPU"
    library = backend()
    if library == "jax":
        return sys.modules["jax"].devices()[0].device_kind
    if library == "torch":
        cuda = sys.modules["torch"].cuda
        return cuda.get_device_name() if cuda.is_available() else "Apple GPU"
    config = sys.modules["tensorflow"].config
    found = config.list_physical_devices(device().upper())[0]
    return config.experimental.get_device_details(found).get("device_name", device().upper())


def precision():
    """The precision that training computes in, as a Keras dtype policy; weights stay float32.

    ``COURSE_PRECISION`` decides if it is set. Otherwise ``"mixed_bfloat16"`` on
    TPUs and on GPUs from compute capability 8 on (A100, L4, H100),
    ``"mixed_float16"`` on those of 7 (T4, V100), whose tensor cores know no
    bfloat16, and ``"float32"`` on older ones and on CPUs.

    Raises
    ------
    ValueError
        If ``COURSE_PRECISION`` is none of these.
    """
    chosen = os.environ.get("COURSE_PRECISION", "").strip().lower()
    if chosen and chosen not in PRECISIONS:
        raise ValueError(
            f"COURSE_PRECISION is {chosen!r}, but it may be {', '.join(PRECISIONS)}. "
            "Unset it to let the course choose."
        )
    if chosen:
        return chosen
    kind = device()
    if kind == "tpu":
        return "mixed_bfloat16"
    generation = _compute_capability() if kind == "gpu" else 0
    return PRECISIONS[(generation >= 7) + (generation >= 8)]


def _compute_capability():
    """The first number of an NVIDIA GPU's compute capability, 8 for 8.6; 0 for other GPUs."""
    with contextlib.suppress(Exception):  # each library has its own words for a GPU without one
        library = backend()
        if library == "jax":
            return int(float(sys.modules["jax"].devices()[0].compute_capability))
        if library == "torch":
            return sys.modules["torch"].cuda.get_device_capability()[0]
        config = sys.modules["tensorflow"].config
        details = config.experimental.get_device_details(config.list_physical_devices("GPU")[0])
        return details["compute_capability"][0]
    return 0


def jit_compile():
    """What to hand to ``model.compile(jit_compile=…)``.

    XLA makes TensorFlow's training step several times slower on a CPU: it has
    no fast gradient of pooling there. Elsewhere Keras decides.
    """
    return False if (backend(), device()) == ("tensorflow", "cpu") else "auto"


def scale(dataset=None):
    """The :class:`Scale` to work at.

    ``COURSE_SCALE`` decides if it is set. Otherwise real photographs get
    ``laptop`` on a CPU and ``gpu`` on an accelerator, and the synthetic
    scenes get ``smoke`` on a CPU and ``laptop`` on an accelerator.

    Parameters
    ----------
    dataset : course.data.Dataset, optional
        The data to work on; without it, ``smoke`` or ``laptop`` by device.

    Raises
    ------
    ValueError
        If ``COURSE_SCALE`` is none of smoke, laptop, gpu.
    """
    name = os.environ.get("COURSE_SCALE", "").strip().lower()
    if not name:
        real = dataset is not None and not dataset.synthetic
        ladder = ("smoke", "laptop", "gpu")
        name = ladder[(device() != "cpu") + real]
    if name not in SCALES:
        raise ValueError(
            f"COURSE_SCALE is {name!r}, but the scales are {', '.join(SCALES)}. "
            "Unset it to let the course choose."
        )
    return SCALES[name]


def quiet():
    """Whether to leave out progress bars: in CI, under pytest, or with ``COURSE_PROGRESS=0``."""
    return (
        os.environ.get("COURSE_PROGRESS") == "0"
        or "PYTEST_VERSION" in os.environ
        or place() == "ci"
    )


def progress(iterable=None, total=None, what=""):
    """A tqdm progress bar on stdout that erases itself at the end, silent where :func:`quiet`."""
    from tqdm import tqdm

    return tqdm(
        iterable,
        total=total,
        desc=what,
        file=sys.stdout,
        leave=False,
        disable=quiet(),
        dynamic_ncols=True,
    )


def cache_folders():
    """Folders for data that the course makes itself, best first.

    ``COURSE_CACHE`` alone if it is set; else ``data/.cache`` of the checkout
    this package runs from, then the user's cache folder, then the temporary one.
    """
    if chosen := os.environ.get("COURSE_CACHE"):
        return [Path(chosen).expanduser()]
    folders = []
    if data := data_folder():
        folders.append(data / ".cache")
    with contextlib.suppress(RuntimeError):  # no home folder
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folders.append(Path(base) / "segmentation-course")
    folders.append(Path(tempfile.gettempdir()) / "segmentation-course")
    return folders


def data_folder():
    """``data/`` of the checkout that this package runs from; None where it is installed without one."""
    checkout = Path(__file__).resolve().parent.parent
    return checkout / "data" if (checkout / "notebooks").is_dir() else None


def setup(seed=0):
    """Make a lesson ready: choose the backend, fix the seeds, keep start-up chatter out, say hello.

    Prints one line: place, device, backend and version; and one for each package
    that is outside the range the course supports. TensorFlow's start-up
    notices (no GPU found, CPU features, double registration) are left out;
    every other line that the libraries write to stderr is passed on.

    Parameters
    ----------
    seed : int
        For Python's, numpy's and the backend's random numbers.
    """
    keras = import_keras()
    keras.utils.set_random_seed(seed)
    library = backend()
    version = sys.modules[library].__version__
    print(
        f"Ready: {place()}, {device().upper()}, Keras {keras.__version__} "
        f"on {BACKENDS[library]} {version}."
    )
    for name, has, wanted in packages.outside():
        if name != "tensorflow" or library == name:
            print(f"{name} {has} is none that the course supports. {_remedy(name, wanted)}")


def _remedy(name, wanted):
    """What to do about a package whose version is outside the range `wanted`."""
    rented = place() in ("colab", "kaggle")
    if rented and name == "tensorflow":  # pip's may not fit the drivers there
        return "If a cell fails for it, choose the latest environment in the notebook's settings."
    install = f"%pip install {'--no-deps ' * rented}'{wanted}'"
    return f"If a cell fails for it: {install}, then restart the kernel."


def choose_backend():
    """Set ``KERAS_BACKEND`` to an installed one where nobody has chosen; return its name or None.

    Keras falls back on TensorFlow, which Colab's TPU machines do not have.
    """
    if "KERAS_BACKEND" not in os.environ and not installed("tensorflow"):
        for name in ("jax", "torch"):
            if installed(name):
                os.environ["KERAS_BACKEND"] = name
                break
    return os.environ.get("KERAS_BACKEND")


@functools.cache
def import_keras():
    """Import Keras and start its device, with the native libraries' chatter filtered."""
    chosen = choose_backend()
    if chosen and chosen not in BACKENDS:
        raise ValueError(
            f"KERAS_BACKEND is {chosen!r}, but the course trains on {', '.join(BACKENDS)}. Set it to one of "
            "these, or unset it, and restart the kernel."
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # notices off, warnings on
    with filtered_stderr(), warnings.catch_warnings():
        # Keras 3.13 looks for an alias that numpy is about to give another meaning.
        warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)
        try:
            import keras
        except ModuleNotFoundError as error:
            if chosen in ("jax", "torch") and not installed(chosen):
                raise ModuleNotFoundError(
                    f"KERAS_BACKEND is {chosen}, which is not installed. Run `pip install {chosen}`, "
                    "or unset KERAS_BACKEND.",
                    name=error.name,
                ) from None
            raise ModuleNotFoundError(
                f"This kernel has no package {error.name}. On your own machine, run `make setup` and "
                "choose the kernel in .venv; on Colab and Kaggle, take a runtime with TensorFlow, "
                "JAX or PyTorch in it.",
                name=error.name,
            ) from None

        keras.ops.zeros(1)  # the device is searched at the first tensor, not at import
        if keras.backend.backend() == "tensorflow":
            _let_freed_memory_be_used_again()
    _stop_tuning_of_batches()
    # A lesson that predicts with five networks is not "retracing": each has its own function.
    logging.getLogger("tensorflow").addFilter(
        lambda record: "triggered tf.function retracing" not in record.getMessage()
    )
    return keras


def _stop_tuning_of_batches():
    """Let tf.data not tune how Keras reads a ``PyDataset``.

    There is nothing to tune, but whoever ends an epoch waits for the thread that tunes, which
    sleeps for ever longer: in TensorFlow 2.21 every other epoch then takes about twice as long,
    while nothing computes. Keras does the same where it has workers of its own.
    """
    with contextlib.suppress(ImportError, AttributeError):  # another Keras, with another inside
        from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

        make = PyDatasetAdapter.get_tf_dataset

        @functools.wraps(make)
        def get_tf_dataset(self):
            options = sys.modules["tensorflow"].data.Options()
            options.autotune.enabled = False
            return make(self).with_options(options)

        PyDatasetAdapter.get_tf_dataset = get_tf_dataset


def _let_freed_memory_be_used_again():
    """Undo what TensorFlow's first generator does to the C library's allocator.

    In TensorFlow 2.21 that generator, and Keras makes one of every ``PyDataset``, calls
    ``mallopt(M_MMAP_THRESHOLD, 128 kB)``, against a leak seen with Python 3.11. From then on
    each tensor beyond that size is new memory, which the system must clear first, and goes back
    as soon as it is freed. On CPUs where oneDNN does not keep memory of its own, a step of
    training takes 1.7 times as long. The sizes set here are the largest that glibc chooses by
    itself; what somebody chose by its environment variables stays.
    """
    if (
        sys.platform != "linux"
        or {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"} & os.environ.keys()
    ):
        return
    tensorflow = sys.modules["tensorflow"]
    one = tensorflow.TensorSpec((), "int32")
    next(iter(tensorflow.data.Dataset.from_generator(lambda: iter([0]), output_signature=one)))
    with contextlib.suppress(AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
        mallopt(M_TRIM_THRESHOLD, 64 * 2**20)


# What TensorFlow's native code prints on a healthy machine. Anything else passes.
_CHATTER = re.compile(
    r"^I\d{4} "
    r"|All log messages before absl::InitializeLog"
    r"|^To enable the following instructions:"
    r"|^([WE]\d{4}|\d{4}-\d\d-\d\d) .*(oneDNN custom operations|cuda drivers on your machine"
    r"|cpu_feature_guard|failed call to cuInit|Unable to register cu\w+ (factory|plugin)"
    r"|computation_placer|TF-TRT Warning|cuda_diagnostics)"
)


@contextlib.contextmanager
def filtered_stderr(chatter=_CHATTER):
    """Hold back file descriptor 2, then pass on all of it that is not known chatter.

    Native libraries write to the descriptor itself, so replacing
    ``sys.stderr`` would not catch them. If one of them crashes the process, only
    Python's traceback is left.
    """
    try:
        sys.stderr.flush()
        held = tempfile.TemporaryFile()  # noqa: SIM115, closed below
        saved = os.dup(2)
    except (OSError, AttributeError, ValueError):  # no stderr to hold back, or nowhere to hold it
        yield
        return
    with held:
        os.dup2(held.fileno(), 2)
        # If a library ends the process, say by an instruction that the processor lacks, what is
        # held back is lost. Tell at least where it happened.
        telling = not faulthandler.is_enabled()
        try:
            if telling:
                faulthandler.enable(saved)
            yield
        finally:
            if telling:
                faulthandler.disable()
            with contextlib.suppress(Exception):
                sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            held.seek(0)
            lines = held.read().decode(errors="replace").splitlines()
            if kept := [line for line in lines if line.strip() and not chatter.search(line)]:
                print("\n".join(kept), file=sys.stderr)
