"""The dataset a lesson works on: the real photographs where they are, else synthetic scenes."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from course import environment
from course.data import synthetic
from course.data.cache import load_samples
from course.data.errors import DataError, NoDatasetError
from course.data.find import Pair, find
from course.data.read import read_image, read_pair
from course.data.splits import check_part, part_of

KAGGLE_SLUG = "bulentsiyah/semantic-drone-dataset"
KAGGLE_MOUNT = "/kaggle/input"
TITLE = "Semantic Drone Dataset"
SYNTHETIC_TITLE = "Synthetic drone scenes"


@dataclass(frozen=True)
class Dataset:
    """Pictures and their masks on disk, by name.

    title      which dataset this is
    root       its folder
    pairs      picture and mask files, sorted by name
    synthetic  whether the course drew it
    """

    title: str
    root: Path
    pairs: tuple[Pair, ...]
    synthetic: bool = False

    def __len__(self):
        return len(self.pairs)

    @property
    def names(self):
        return tuple(pair.name for pair in self.pairs)

    def __iter__(self):
        """The names, as of a dictionary; ``"016" in dataset`` asks them too."""
        return iter(self.names)

    def __getitem__(self, name):
        """Picture and mask called `name` at full size: RGB ``(h, w, 3)`` and ids ``(h, w)``, uint8."""
        for pair in self.pairs:
            if pair.name == name:
                return read_pair(pair)
        raise KeyError(
            f"no picture is called {name!r}; names run from {self.names[0]} to {self.names[-1]}"
        )

    def names_of(self, part):
        """Names of the pictures in ``"train"``, ``"validation"`` or ``"test"``."""
        check_part(part)
        return tuple(name for name in self.names if part_of(name) == part)

    def at(self, size):
        """All pictures and masks scaled to ``(height, width)``, decoded once: :class:`Samples`."""
        return load_samples(self.pairs, size)


def load(path=None):
    """Find the drone dataset, or draw a synthetic one, and say which in one line.

    Looks, in this order, at `path` or ``COURSE_DATA``; ``data/`` of the
    checkout; the Kaggle mounts; the kagglehub cache. Where none has it, the
    course draws 60 synthetic scenes of the same classes in the same layout,
    once. ``COURSE_DATA=synthetic`` takes those at once.

    Parameters
    ----------
    path : path, optional
        A folder at or above the dataset.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If `path` or ``COURSE_DATA`` holds no usable dataset: what you ask
        for by name is never replaced in silence.
    """
    chosen = path or os.environ.get("COURSE_DATA", "").strip()
    if str(chosen) == "synthetic":
        return _synthetic()
    if chosen:
        return _real(chosen)
    for folder in _usual_folders():
        try:
            return _real(folder)
        except NoDatasetError:
            continue
    return _synthetic()


def _usual_folders():
    """Where the dataset lies if nobody says where."""
    owner, slug = KAGGLE_SLUG.split("/")
    if data := environment.data_folder():
        yield data
    yield Path(KAGGLE_MOUNT) / slug
    yield Path(KAGGLE_MOUNT) / "datasets" / owner / slug
    hub = Path(os.environ.get("KAGGLEHUB_CACHE") or os.path.expanduser("~/.cache/kagglehub"))
    versions = hub / "datasets" / owner / slug / "versions"
    if versions.is_dir():
        yield from sorted(
            (v for v in versions.iterdir() if v.name.isdigit()),
            key=lambda v: int(v.name),
            reverse=True,
        )


def _real(folder):
    found = find(folder)
    height, width = read_image(found.pairs[0].image).shape[:2]
    print(
        f"{TITLE}: {len(found.pairs)} pictures, the first of {width}×{height}, from {found.root}."
    )
    for files, lack in (
        (found.images_without_mask, "mask"),
        (found.masks_without_image, "picture"),
    ):
        if files:
            names = ", ".join(file.name for file in files[:5])
            more = f" and {len(files) - 5} more" if len(files) > 5 else ""
            print(f"  Left out, for they have no {lack}: {names}{more}.")
    return Dataset(TITLE, found.root, found.pairs)


def _synthetic():
    """The scenes, drawn into the first cache folder that can take them."""
    troubles = []
    for base in environment.cache_folders():
        folder = base / f"synthetic-{_drawing_version()}"
        try:
            if not folder.is_dir():
                with environment.progress(total=synthetic.SCENES, what="drawing scenes") as bar:
                    synthetic.write(folder, progress=bar.update)
        except OSError as error:
            troubles.append(f"  {base}: {error.strerror or error}")
            continue
        found = find(folder)
        height, width = read_image(found.pairs[0].image).shape[:2]
        print(
            f"{SYNTHETIC_TITLE}: {len(found.pairs)} pictures of {width}×{height}, drawn by the course."
        )
        return Dataset(SYNTHETIC_TITLE, found.root, found.pairs, synthetic=True)
    raise DataError(
        "The synthetic scenes need a folder to be drawn into, and none of these can take them:\n"
        + "\n".join(troubles)
        + "\nSet COURSE_CACHE to a folder you can write to, with 20 MB free."
    )


def _drawing_version():
    """A digest of the code that draws, so that scenes drawn by older code are not taken for new."""
    here = Path(synthetic.__file__).parent
    files = sorted([here / "synthetic.py", *(here / "scenes").glob("*.py")])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
