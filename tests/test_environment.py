"""Where a lesson runs, at which scale, and what reaches stderr."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from course import environment

CHECKOUT = Path(environment.__file__).resolve().parent.parent

pytestmark = pytest.mark.usefixtures("no_choice")


def on(monkeypatch, device):
    monkeypatch.setattr(environment, "device", lambda: device)


# Place


def test_local():
    assert environment.place() == "local"


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("KAGGLE_KERNEL_RUN_TYPE", "Interactive", "kaggle"),
        ("KAGGLE_KERNEL_RUN_TYPE", "", "kaggle"),
        ("COLAB_RELEASE_TAG", "release-colab-20260801", "colab"),
        ("CI", "true", "ci"),
        ("CI", "1", "ci"),
        ("CI", "false", "local"),
        ("CI", "", "local"),
    ],
)
def test_places(monkeypatch, name, value, place):
    monkeypatch.setenv(name, value)
    assert environment.place() == place


def test_colab_by_its_module(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    assert environment.place() == "colab"


# Devices: libraries as they answer on a machine with one


def gpu_of(library):
    """A stand-in for a backend's library where it sees a T4, for what the course asks of it."""
    if library == "torch":
        cuda = SimpleNamespace(
            is_available=lambda: True,
            get_device_name=lambda: "Tesla T4",
            get_device_capability=lambda: (7, 5),
        )
        return SimpleNamespace(cuda=cuda, backends=None)
    if library == "jax":
        found = SimpleNamespace(device_kind="Tesla T4", compute_capability="7.5")
        return SimpleNamespace(devices=lambda: [found])
    details = {"device_name": "Tesla T4", "compute_capability": (7, 5)}
    experimental = SimpleNamespace(get_device_details=lambda device: details)
    config = SimpleNamespace(list_physical_devices=lambda kind: [kind], experimental=experimental)
    return SimpleNamespace(config=config)


@pytest.mark.parametrize("library", environment.BACKENDS)
def test_a_gpu_on_each_backend(monkeypatch, library):
    keras = SimpleNamespace(
        backend=SimpleNamespace(backend=lambda: library),
        distribution=SimpleNamespace(
            list_devices=lambda kind: {"gpu": ["gpu:0"]}[kind] if library != "torch" else 1 / 0
        ),
    )
    monkeypatch.setattr(environment, "import_keras", lambda: keras)
    monkeypatch.setitem(sys.modules, library, gpu_of(library))
    assert environment.device() == "gpu"
    assert environment.device_name() == "Tesla T4"
    assert environment.precision() == "mixed_float16"


def test_no_gpu_on_torch(monkeypatch):
    missing = SimpleNamespace(is_available=lambda: False)
    torch = SimpleNamespace(cuda=missing, backends=SimpleNamespace(mps=missing))
    monkeypatch.setattr(environment, "backend", lambda: "torch")
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert environment.device() == "cpu"
    assert environment.device_name() == "CPU"


# Scale


@pytest.mark.parametrize(
    ("device", "synthetic", "scale"),
    [
        ("cpu", None, "smoke"),
        ("cpu", True, "smoke"),
        ("cpu", False, "laptop"),
        ("gpu", None, "laptop"),
        ("gpu", True, "laptop"),
        ("gpu", False, "gpu"),
        ("tpu", False, "gpu"),
    ],
)
def test_scale_by_device_and_data(monkeypatch, device, synthetic, scale):
    on(monkeypatch, device)
    dataset = None if synthetic is None else SimpleNamespace(synthetic=synthetic)
    assert environment.scale(dataset).name == scale


@pytest.mark.parametrize("name", ["smoke", "laptop", "gpu", " GPU "])
def test_scale_by_choice(monkeypatch, name):
    on(monkeypatch, "cpu")
    monkeypatch.setenv("COURSE_SCALE", name)
    assert environment.scale(SimpleNamespace(synthetic=True)).name == name.strip().lower()


def test_scale_that_is_none(monkeypatch):
    monkeypatch.setenv("COURSE_SCALE", "huge")
    with pytest.raises(ValueError, match="COURSE_SCALE is 'huge'.*smoke, laptop, gpu.*Unset"):
        environment.scale()


def test_scales_grow_and_suit_strides():
    scales = list(environment.SCALES.values())
    for small, large in zip(scales, scales[1:], strict=False):
        assert small.size[0] < large.size[0]
        assert small.width <= large.width
        assert small.epochs <= large.epochs
    for scale in scales:
        assert scale.size[0] % 32 == scale.size[1] % 32 == 0
        assert scale.size[1] / scale.size[0] == 1.5  # the photographs' shape


@pytest.mark.parametrize(
    ("device", "generation", "expected"),
    [
        ("cpu", 9, "float32"),
        ("tpu", 0, "mixed_bfloat16"),
        ("gpu", 6, "float32"),
        ("gpu", 7, "mixed_float16"),
        ("gpu", 8, "mixed_bfloat16"),
        ("gpu", 12, "mixed_bfloat16"),
    ],
)
def test_precision_by_device(monkeypatch, device, generation, expected):
    on(monkeypatch, device)
    monkeypatch.setattr(environment, "_compute_capability", lambda: generation)
    assert environment.precision() == expected
    monkeypatch.setenv("COURSE_PRECISION", " Float32 ")
    assert environment.precision() == "float32"


def test_precision_that_is_none(monkeypatch):
    monkeypatch.setenv("COURSE_PRECISION", "half")
    with pytest.raises(ValueError, match="'half'.*float32, mixed_float16, mixed_bfloat16.*Unset"):
        environment.precision()


def test_a_gpu_without_a_compute_capability(monkeypatch):
    on(monkeypatch, "gpu")
    assert environment._compute_capability() == 0
    assert environment.precision() == "float32"


@pytest.mark.parametrize(
    ("backend", "device", "expected"),
    [("tensorflow", "cpu", False), ("tensorflow", "gpu", "auto"), ("jax", "cpu", "auto")],
)
def test_xla_where_it_helps(monkeypatch, backend, device, expected):
    on(monkeypatch, device)
    monkeypatch.setattr(environment, "backend", lambda: backend)
    assert environment.jit_compile() == expected


# Folders and progress


def test_cache_folder_chosen(monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", "~/somewhere")
    assert environment.cache_folders() == [Path(os.environ["HOME"]) / "somewhere"]


def test_cache_folders_by_default(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folders = environment.cache_folders()
    assert folders[0] == CHECKOUT / "data" / ".cache"
    assert folders[1] == tmp_path / "segmentation-course"
    assert len(folders) == 3


def test_progress_is_silent_when_asked(monkeypatch, capsys):
    for name, value in (("COURSE_PROGRESS", "0"), ("CI", "1"), ("PYTEST_VERSION", "8")):
        with monkeypatch.context() as patch:
            for other in ("COURSE_PROGRESS", "CI", "PYTEST_VERSION"):
                patch.delenv(other, raising=False)
            assert not environment.quiet()
            patch.setenv(name, value)
            assert environment.quiet()
            assert list(environment.progress(range(3))) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_progress_shows_on_stdout(monkeypatch, capsys):
    for name in ("COURSE_PROGRESS", "PYTEST_VERSION"):
        monkeypatch.delenv(name, raising=False)
    assert list(environment.progress(range(3), what="drawing")) == [0, 1, 2]
    out, err = capsys.readouterr()
    assert "drawing" in out
    assert err == ""


# Backend


@pytest.mark.parametrize(
    ("there", "chosen"),
    [({"tensorflow", "jax"}, None), ({"jax", "torch"}, "jax"), ({"torch"}, "torch"), (set(), None)],
)
def test_backend_where_nobody_chose(monkeypatch, there, chosen):
    monkeypatch.setenv("KERAS_BACKEND", "to be removed again")
    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.setattr(environment, "installed", lambda package: package in there)
    assert environment.choose_backend() == chosen


def test_backend_chosen_is_left(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setattr(environment, "installed", lambda package: package == "jax")
    assert environment.choose_backend() == "torch"


def test_installed(monkeypatch):
    assert environment.installed("numpy")
    assert not environment.installed("no_such_package_anywhere")
    monkeypatch.setitem(sys.modules, "blocked_package", None)
    assert not environment.installed("blocked_package")


# stderr

CHATTER = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795183213.613597   22448 port.cc:153] oneDNN custom operations are on. You may see
I0000 00:00:1795183213.613607   22448 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used.
2026-08-01 10:00:00.000000: I tensorflow/core/platform/cpu_feature_guard.cc:210] This TensorFlow binary is optimized
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow with the appropriate compiler flags.
E0000 00:00:1795183213.613597   22448 cuda_dnn.cc:8310] Unable to register cuDNN factory: Attempting to register
W0000 00:00:1795183213.613597   22448 computation_placer.cc:177] computation placer already registered.
"""
REAL = [
    "UserWarning: The structure of `inputs` doesn't match the expected structure.",
    "W0000 00:00:1795183213.613597   22448 gpu_device.cc:2344] Cannot dlopen some GPU libraries.",
    "E0000 00:00:1795183213.613597   22448 cuda_driver.cc:900] failed to allocate 2.0G: out of memory",
    "2026-08-01 10:00:00.000000: F tensorflow/core/platform/env.cc:1] Check failed",
    "Illegal instruction",
    "  indented text without meaning  ",
]


def test_chatter_is_dropped_and_the_rest_passed_on(capfd):
    with environment.filtered_stderr():
        os.write(2, (REAL[0] + "\n" + CHATTER + "\n".join(REAL[1:]) + "\n").encode())
    assert capfd.readouterr().err.splitlines() == REAL


def test_only_chatter_is_silence(capfd):
    with environment.filtered_stderr():
        os.write(2, CHATTER.encode())
    assert capfd.readouterr().err == ""


def test_what_was_held_back_is_shown_when_something_fails(capfd):
    with pytest.raises(ImportError), environment.filtered_stderr():
        os.write(2, b"libcudnn.so.9: cannot open shared object file\n")
        raise ImportError
    assert "libcudnn" in capfd.readouterr().err


def test_stderr_works_as_before_afterwards(capfd):
    with environment.filtered_stderr():
        pass
    os.write(2, CHATTER.encode())
    assert capfd.readouterr().err == CHATTER


@pytest.mark.parametrize("broken", ["closed", "no temporary folder"])
def test_no_stderr_to_hold_back(monkeypatch, broken):
    if broken == "closed":
        monkeypatch.setattr(sys, "stderr", None)
    else:
        monkeypatch.setattr(
            environment.tempfile,
            "TemporaryFile",
            lambda: (_ for _ in ()).throw(FileNotFoundError()),
        )
    with environment.filtered_stderr():
        done = True
    assert done


def run(code, **variables):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), **variables},
    )


def test_a_library_that_ends_the_process_leaves_the_place():
    code = "import os; from course.environment import filtered_stderr as f\nwith f(): os.abort()"
    result = run(code)
    assert result.returncode < 0
    assert "Fatal Python error: Aborted" in result.stderr
    assert "line 2" in result.stderr


def test_importing_the_course_loads_no_framework():
    result = run(
        "import sys, course, course.classes, course.data\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'matplotlib'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    assert (result.stdout, result.stderr) == ("[]\n", "")


def test_setup_names_packages_outside_the_range(monkeypatch, capsys):
    needs = ["keras>=99", "numpy>=2", "opencv-python>=9", "kaggle>=99"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: needs)
    environment.setup()
    _, *more = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in more] == ["keras", "opencv-python-headless"]
    assert "%pip install 'keras>=99', then restart" in more[0]


@pytest.mark.parametrize(
    ("package", "says"),
    [
        ("numpy", "%pip install --no-deps 'numpy>=99'"),
        ("tensorflow", "choose the latest environment"),
    ],
)
def test_on_a_rented_machine_its_tensorflow_stays(package, says, monkeypatch, capsys):
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: [f"{package}>=99"])
    monkeypatch.setattr(environment, "place", lambda: "colab")
    monkeypatch.setattr(environment, "backend", lambda: "tensorflow")
    environment.setup()
    _, line = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{package} ")
    assert says in line


def test_an_old_tensorflow_is_no_matter_on_another_backend(monkeypatch, capsys):
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: ["tensorflow>=99"])
    monkeypatch.setattr(environment, "backend", lambda: "numpy")
    monkeypatch.setitem(environment.BACKENDS, "numpy", "numpy")
    environment.setup()
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_backend_that_is_not_installed_is_named():
    process = run(
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from course import environment\n"
        "environment.setup()\n",
        KERAS_BACKEND="torch",
    )
    assert "KERAS_BACKEND is torch, which is not installed" in process.stderr
    assert "pip install torch" in process.stderr


@pytest.mark.parametrize("name", ["numpy", "openvino", "tf"])
def test_a_backend_that_does_not_train_is_refused(name):
    process = run("from course import environment\nenvironment.setup()\n", KERAS_BACKEND=name)
    assert f"KERAS_BACKEND is '{name}', but the course trains on tensorflow, jax" in process.stderr


def test_setup_says_what_to_do_without_keras():
    process = run(
        "import sys\n"
        "sys.modules['keras'] = None\n"
        "from course import environment\n"
        "environment.setup()\n"
    )
    assert "ModuleNotFoundError: This kernel has no package keras" in process.stderr
    assert "make setup" in process.stderr


@pytest.mark.slow
def test_setup_says_one_line_and_is_silent_on_stderr():
    """In a process of its own, with whatever the libraries of this machine have to say."""
    variables = {name: os.environ[name] for name in ("KERAS_BACKEND",) if name in os.environ}
    result = run(
        "import random, numpy\n"
        "from course import environment\n"
        "environment.setup(seed=4)\n"
        "import keras\n"
        "draw = lambda: (random.random(), numpy.random.rand(), float(keras.random.normal(())))\n"
        "first = draw()\n"
        "keras.utils.set_random_seed(4)\n"
        "print(first == draw())\n"
        "model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])\n"
        "model.compile('adam', 'mse')\n"
        "model.fit(numpy.ones((4, 2)), numpy.ones((4, 1)), verbose=0)\n",
        **variables,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    ready, seeded = result.stdout.splitlines()
    assert ready.startswith("Ready: local, ")
    assert "Keras 3." in ready
    assert seeded == "True"


FREED = """
import ctypes, resource
from course import environment
environment.setup()
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p

def faults(times, size=8_000_000):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        block = ctypes.c_void_p(library.malloc(size))
        library.memset(block, 1, size)
        library.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults(1), faults(100))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="another system's allocator")
def test_memory_that_was_freed_is_used_again():
    if environment.backend() != "tensorflow":
        pytest.skip("of TensorFlow's doing")
    one, hundred = map(int, run(FREED).stdout.split()[-2:])
    assert hundred < 10 * one + 100, (
        "each block is new memory, which the system clears page by page"
    )
    one, hundred = map(int, run(FREED, MALLOC_MMAP_THRESHOLD_="131072").stdout.split()[-2:])
    assert hundred > 50 * one > 0  # as it was chosen, and as it is without the mend
