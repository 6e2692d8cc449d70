"""Decode once: pictures and masks at one size, in memory-mapped arrays on disk.

Decoding a 24-megapixel JPEG takes a third of a second, far longer than a
training step on the small picture made of it. So every file is decoded and
scaled once, in parallel, into two ``.npy`` files; from then on a batch costs
its augmentation.

A cache is built in a folder of its own and renamed into place when it is
whole, so a reader meets a whole one or none, whatever happens to the builder
and however many build at once.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import cv2
import numpy as np

from course import environment
from course.classes import NUM_CLASSES
from course.data.errors import DataError
from course.data.read import read_pair
from course.data.splits import PARTS, check_part, part_of

FORMAT = 2  # raise it when what a cache holds changes
ABANDONED = 3600  # seconds without a write after which an unfinished build is taken for dead
SETTLED = 3  # seconds after which a file's times tell a new change; FAT counts in steps of two
FILES = ("images.npy", "masks.npy")


@dataclass(frozen=True)
class Samples:
    """Pictures and masks of one size, ready for batches.

    names   one a picture
    images  (n, height, width, 3) uint8, RGB; a list of pictures of one size will do
    masks   (n, height, width) uint8, class ids; likewise

    From :func:`load_samples`, the arrays are memory-mapped and read-only: what a
    batch does not touch costs no memory. Pictures that are not uint8, and shapes
    that do not belong together, raise a ValueError.
    """

    names: tuple[str, ...]
    images: np.ndarray
    masks: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "names", tuple(self.names))
        for what in ("images", "masks"):
            object.__setattr__(self, what, _stacked(what, getattr(self, what)))
        if self.images.dtype != np.uint8:
            raise ValueError(
                f"Pictures are uint8, 0 to 255, but these images are {self.images.dtype}. If they go from 0 to 255, "
                "pass images.astype(np.uint8); if from 0 to 1, (255 * images).astype(np.uint8). The networks "
                "scale by themselves."
            )
        shape = (len(self.names), *self.masks.shape[1:3])
        for what, array, wanted in (
            ("masks", self.masks, shape),
            ("images", self.images, (*shape, 3)),
        ):
            if array.shape != wanted:
                raise ValueError(
                    f"{len(self.names)} names, masks of shape {self.masks.shape} and images of shape "
                    f"{self.images.shape} do not belong together: {what} should have "
                    f"({', '.join(map(str, wanted))})."
                )

    def __len__(self):
        return len(self.names)

    def __getitem__(self, key):
        """``samples[i]`` or ``samples["016"]`` is ``(image, mask)``.

        Several rows are Samples: a slice, a list or array of numbers, or one boolean a picture.
        A slice is a view, the others copy.
        """
        if isinstance(key, str):
            if key not in self.names:
                raise KeyError(
                    f"no picture is called {key!r} here; the names are {', '.join(self.names)}"
                )
            key = self.names.index(key)
        if isinstance(key, slice) or np.ndim(key) > 0:
            names = tuple(self.names[row] for row in np.arange(len(self))[key])
            return Samples(names, self.images[key], self.masks[key])
        return self.images[key], self.masks[key]

    def split(self, part):
        """The Samples of ``"train"``, ``"validation"`` or ``"test"``; see :mod:`course.data.splits`.

        Names decide, not numbers: of a handful of pictures a part may be empty.
        """
        check_part(part)
        rows = [i for i, name in enumerate(self.names) if part_of(name) == part]
        if rows and rows[-1] - rows[0] == len(rows) - 1:
            # A view: load_samples lays parts one behind the other.
            return self[rows[0] : rows[-1] + 1]
        return self[rows]

    def pixel_counts(self, classes=NUM_CLASSES, ignore=None):
        """Pixels of each class in each picture: (n, classes) int64.

        The class weights of :mod:`course.losses` are made of them. Pixels of `ignore`, an id
        or a tuple of ids, are not counted. Other ids below 0 and from `classes` on raise a
        ValueError that names the picture.
        """
        counts = np.zeros((len(self), classes), np.int64)
        for name, mask, row in zip(self.names, self.masks, counts, strict=True):
            if ignore is not None:
                mask = mask[~np.isin(mask, ignore)]
            if mask.size and not 0 <= mask.min() <= mask.max() < classes:
                raise ValueError(
                    f"Class ids go from 0 to {classes - 1}, but the mask of picture {name!r} has "
                    f"ids from {mask.min()} to {mask.max()}."
                )
            row[:] = np.bincount(mask.ravel(), minlength=classes)
        return counts


def _stacked(what, arrays):
    """`arrays`, which are one array already or several of one size, as one."""
    try:
        return np.asanyarray(arrays)
    except ValueError:
        shapes = ", ".join(map(str, sorted({np.shape(array) for array in arrays})[:3]))
        raise ValueError(
            f"The {what} have different shapes ({shapes}), but Samples hold one. Scale each pair to one size, "
            "course.data.scaled(image, mask, (height, width)); pictures are RGB, (height, width, 3)."
        ) from None


def scaled(image, mask, size):
    """Scale a picture by area, its mask by nearest neighbour to ``(height, width)``; enlarge bilinearly.

    Averaging suits light: four pixels become their mean. Labels have no mean.
    """
    height, width = size
    if image.shape[:2] == (height, width):
        return image, mask
    less = min(image.shape[0], height), min(image.shape[1], width)
    for (rows, columns), how in ((less, cv2.INTER_AREA), ((height, width), cv2.INTER_LINEAR)):
        if image.shape[:2] != (rows, columns):
            image = cv2.resize(image, (columns, rows), interpolation=how)
    return image, cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def check_size(name, size):
    """Raise ValueError unless `size` is (height, width) in whole pixels."""
    if np.shape(size) != (2,) or not all(isinstance(n, Integral) and n >= 1 for n in size):
        raise ValueError(
            f"{name} is (height, width) in pixels, two whole numbers from 1 on, not {size!r}."
        )


def load_samples(pairs, size, workers=None):
    """All `pairs` at `size`, from the cache if it is there, else decoded and cached.

    Parameters
    ----------
    pairs : sequence of course.data.find.Pair
    size : (height, width)
    workers : int, optional
        Threads that decode; one a core by default.

    Returns
    -------
    Samples
        Training first, then validation, then test; by name within a part.

    Raises
    ------
    DataError
        For the first file that cannot be read. Nothing is cached then.
    ValueError
        For a size that is no pair of whole numbers from 1 on.

    Notes
    -----
    The cache is keyed by the files' content and by `size`. It goes to the
    first of :func:`course.environment.cache_folders` that can take it; where
    none can, the samples stay in memory and a line says so.
    """
    check_size("size", size)
    pairs = sorted(pairs, key=lambda pair: (PARTS.index(part_of(pair.name)), pair.name))
    size = tuple(int(n) for n in size)
    workers = workers or os.cpu_count() or 1
    troubles = []
    for base in environment.cache_folders():
        try:
            folder = base / _key(pairs, size, base, workers)
            if not _whole(folder):
                _build(folder, pairs, size, workers)
            return _open(folder, pairs)
        except OSError as error:
            troubles.append(f"{base}: {error.strerror or error}")
    print(
        "The pictures are kept in memory, for no cache folder can take them "
        f"({'; '.join(troubles)}). To decode only once, set COURSE_CACHE to a folder with space."
    )
    images = np.empty((len(pairs), *size, 3), np.uint8)
    masks = np.empty((len(pairs), *size), np.uint8)
    for i, (image, mask) in enumerate(_decoded(pairs, size, workers)):
        images[i], masks[i] = image, mask
    for array in (images, masks):
        array.setflags(write=False)
    return Samples(tuple(pair.name for pair in pairs), images, masks)


def _decoded(pairs, size, workers):
    """Yield scaled ``(image, mask)`` in order, decoding a few ahead in threads (cv2 releases the GIL)."""

    def one(pair):
        return scaled(*read_pair(pair), size)

    with (
        ThreadPoolExecutor(workers) as pool,
        environment.progress(total=len(pairs), what="decoding") as bar,
    ):
        waiting = deque()
        todo = iter(pairs)
        try:
            # A bounded queue: full-size pictures never pile up behind a slow disk.
            for pair in todo:
                waiting.append(pool.submit(one, pair))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
                    bar.update()
            while waiting:
                yield waiting.popleft().result()
                bar.update()
        finally:
            for future in waiting:
                future.cancel()


def _build(folder, pairs, size, workers):
    """Write a cache aside and rename it to `folder`; on any failure nothing is left."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder.parent)
    aside = Path(tempfile.mkdtemp(prefix="building-", dir=folder.parent))
    try:
        shapes = {"images": (len(pairs), *size, 3), "masks": (len(pairs), *size)}
        # Plain writes, not a memory map: on a full disk a write fails with an
        # error that can be handled, a store to a map kills the process.
        with open(aside / "images.npy", "wb") as images, open(aside / "masks.npy", "wb") as masks:
            for file, shape in ((images, shapes["images"]), (masks, shapes["masks"])):
                np.lib.format.write_array_header_1_0(
                    file, {"descr": "|u1", "fortran_order": False, "shape": shape}
                )
            for image, mask in _decoded(pairs, size, workers):
                images.write(image.tobytes())
                masks.write(mask.tobytes())
            for file in (images, masks):
                file.flush()
                os.fsync(file.fileno())
        (aside / "whole.json").write_text(json.dumps({"format": FORMAT, "bytes": _sizes(aside)}))
        aside.chmod(0o755)  # a cache may serve a whole classroom
        if _key(pairs, size, folder.parent, workers) != folder.name:
            raise DataError(
                f"Files in {pairs[0].image.parent} or {pairs[0].mask.parent} changed while they "
                "were read. Run this again when the download or copy has finished."
            )
        if folder.exists() and not _whole(folder):
            shutil.rmtree(folder)
        os.rename(aside, folder)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST} or not _whole(folder):
            raise
        # Another process finished first; its cache has the same key, so the same content.
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _whole(folder):
    """Whether `folder` is a finished cache whose files have the size they were written with."""
    try:
        note = json.loads((folder / "whole.json").read_text())
        return note == {"format": FORMAT, "bytes": _sizes(folder)}
    except (OSError, ValueError):
        return False


def _sizes(folder):
    return {name: (folder / name).stat().st_size for name in FILES}


def _open(folder, pairs):
    arrays = (np.load(folder / name, mmap_mode="r") for name in FILES)
    return Samples(tuple(pair.name for pair in pairs), *arrays)


def _sweep(base):
    """Remove what builders that were killed have left."""
    for left in base.glob("building-*"):
        with contextlib.suppress(OSError):
            written = max(path.stat().st_mtime for path in [left, *left.glob("*")])
            if time.time() - written > ABANDONED:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _key(pairs, size, base, workers):
    """The name of a cache: a digest of every file's content, of the names, and of `size`."""
    with _Digests(base) as digests, ThreadPoolExecutor(workers) as pool:
        files = [file for pair in pairs for file in (pair.image, pair.mask)]
        contents = list(pool.map(digests.of, files))
    labels = [[pair.name, pair.colored] for pair in pairs]
    digest = hashlib.sha256(json.dumps([FORMAT, labels, contents, size]).encode()).hexdigest()[:20]
    return f"{digest}-{size[1]}x{size[0]}"


class _Digests:
    """Content digests of files, remembered by path, size and time of change.

    Reading 4 GB to learn that nothing changed takes as long as the lesson's
    first epoch; as in Git's index, a file whose size and times are what they
    were is taken to hold what it held, unless it was changed so lately that
    its times could not tell another change.
    """

    def __init__(self, base):
        self.path = base / "digests.json"
        self.known, self.changed = {}, False

    def __enter__(self):
        with contextlib.suppress(OSError, ValueError, TypeError):
            self.known = dict(json.loads(self.path.read_text()))
        return self

    def __exit__(self, *_):
        if self.changed:
            # Only a shortcut: where it cannot be written, files are read again next time.
            with contextlib.suppress(OSError):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                handle, aside = tempfile.mkstemp(prefix="building-", dir=self.path.parent)
                try:
                    with open(handle, "w") as file:
                        json.dump(self.known, file)
                    os.replace(aside, self.path)
                except OSError:
                    os.unlink(aside)

    def of(self, path):
        path = Path(path).resolve()
        try:
            stat = path.stat()
            state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
            known = self.known.get(str(path))
            if known and known[:3] == state:
                return known[3]
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror}).") from error
        if time.time_ns() - max(state[1:]) > SETTLED * 1e9:
            self.known[str(path)] = [*state, digest]
            self.changed = True
        return digest
