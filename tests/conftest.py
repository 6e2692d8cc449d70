"""What the tests share: a home of their own, and small datasets on disk."""

import contextlib
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from course.classes import CLASSES, COLORS

NAMES = ("000", "001", "002", "003", "004", "005")
REAL_DATA = Path(
    os.environ.get("COURSE_REAL_DATA")
    or Path(__file__).resolve().parents[2] / "shared" / "data" / "semantic-drone-dataset"
)

# Begun first: at the end of `make test-fast`, one core would wait for the other.
LONGEST = ("test_training", "test_unet", "test_deeplab", "test_backbones")

# Where pictures, masks and the class file lie, and what a mask's pixels hold.
KAGGLE = "dataset/semantic_drone_dataset"
LAYOUTS = {
    "kaggle": (
        f"{KAGGLE}/original_images",
        f"{KAGGLE}/label_images_semantic",
        "class_dict_seg.csv",
        "ids",
    ),
    "kaggle, colours only": (
        f"{KAGGLE}/original_images",
        "RGB_color_image_masks/RGB_color_image_masks",
        "class_dict_seg.csv",
        "colors",
    ),
    "older": (
        "semantic_drone_dataset/original_images",
        "semantic_drone_dataset/label_images_semantic",
        "class_dict_seg.csv",
        "ids",
    ),
    "doubled": (
        "semantic_drone_dataset/semantic_drone_dataset/original_images",
        "semantic_drone_dataset/semantic_drone_dataset/label_images_semantic",
        "class_dict_seg.csv",
        "ids",
    ),
    "bare": ("original_images", "label_images_semantic", "class_dict_seg.csv", "ids"),
    "graz": (
        "training_set/images",
        "training_set/gt/semantic/label_images",
        "training_set/gt/semantic/class_dict.csv",
        "colors",
    ),
    "train": ("train/images", "train/gt", None, "three channels"),
    "test": ("test/images", "test/gt", None, "three channels"),
}


def pytest_configure():
    """Ctrl-C interrupts, also where a shell's `&` has told us to ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.stem not in LONGEST)


@pytest.fixture(scope="session", autouse=True)
def _home_of_its_own(tmp_path_factory):
    """No test reads or writes the real home folder."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("HOME", str(home))
        for name in ("XDG_CACHE_HOME", "KAGGLEHUB_CACHE"):
            patch.delenv(name, raising=False)
        # Matplotlib takes seconds to list the fonts for a new home; once a machine is enough.
        fonts = Path(tempfile.gettempdir()) / f"segmentation-course-fonts-{os.getuid()}"
        patch.setenv("MPLCONFIGDIR", os.environ.get("MPLCONFIGDIR", str(fonts)))
        yield


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of the test's own, not made yet."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("COURSE_CACHE", str(folder))
    monkeypatch.setenv("COURSE_PROGRESS", "0")
    return folder


@pytest.fixture
def no_choice(monkeypatch):
    """An environment in which nobody has chosen anything for the course."""
    for name in (
        "COURSE_DATA",
        "COURSE_SCALE",
        "CI",
        "KAGGLE_KERNEL_RUN_TYPE",
        "COLAB_RELEASE_TAG",
    ):
        monkeypatch.delenv(name, raising=False)


def a_mask(seed=0, size=(48, 72)):
    """Ids in blocks of 12 pixels, all 24 of them occurring where there is room."""
    rng = np.random.default_rng(seed)
    rows, columns = -(-size[0] // 12), -(-size[1] // 12)
    blocks = rng.permutation(np.arange(rows * columns) % len(CLASSES)).astype(np.uint8)
    blocks = blocks.reshape(rows, columns)
    return blocks.repeat(12, 0).repeat(12, 1)[: size[0], : size[1]].copy()


def picture_of(mask):
    """A picture whose red is ten times the id, green the row and blue the column."""
    rows, columns = np.indices(mask.shape)
    return np.stack([mask * 10, rows * 2, columns * 2], axis=-1).astype(np.uint8)


def write(path, pixels, *options):
    """Save RGB, RGBA or one-channel pixels; the ending tells the format."""
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(
            pixels, cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
        )
    done, data = cv2.imencode(path.suffix, pixels, list(options))
    assert done
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())
    return path


def class_file(path, rows=CLASSES):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["name, r, g, b"] + [", ".join([c.name, *map(str, c.color)]) for c in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def make_dataset(tmp_path):
    """A function that writes a small dataset and returns its folder."""

    def make(folder=None, layout="kaggle", names=NAMES, size=(48, 72), ending=".jpg"):
        folder = Path(folder or tmp_path / "drone")
        images, masks, classes, kind = LAYOUTS[layout]
        for name in names:
            mask = a_mask(int(name), size)
            write(
                folder / images / f"{name}{ending}", picture_of(mask), cv2.IMWRITE_JPEG_QUALITY, 100
            )
            stored = {
                "ids": mask,
                "three channels": np.dstack([mask] * 3),
                "colors": COLORS[mask],
            }[kind]
            # Uncompressed: files of one shape are of one size, whatever they hold.
            write(folder / masks / f"{name}.png", stored, cv2.IMWRITE_PNG_COMPRESSION, 0)
        if classes:
            class_file(folder / classes)
        return folder

    return make


def wait_for(there, what, seconds=60):
    """Return once `there()` is true; `what` names it where it does not become so."""
    until = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < until, f"waited {seconds} seconds for {what}"
        time.sleep(0.01)


@pytest.fixture
def open_folder():
    """A folder that every user of the machine can enter and write to, as pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="course-test-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@contextlib.contextmanager
def ordinary_user():
    """Do without root's rights, for which permissions do not bind."""
    if os.geteuid() != 0:
        yield
        return
    try:
        os.seteuid(65534)
    except OSError:
        pytest.skip("running as root and unable to give its rights up")
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def real_data():
    """The folder of real photographs, where there is one."""
    if not REAL_DATA.is_dir():
        pytest.skip(
            f"the real photographs are not at {REAL_DATA}; COURSE_REAL_DATA names another place"
        )
    return REAL_DATA


@pytest.fixture(scope="module")
def server():
    """A server of boxed kernels. Where no box can be made, its tests are left out, but fail in CI."""
    from course.grading import box, kernels  # which not every test needs

    try:
        kind = box.choose()
    except box.NoBox as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
    with kernels.Server(kind) as server:
        yield server
