"""Read one picture or one mask from disk, and refuse what is not what it seems.

OpenCV decodes a truncated JPEG to a picture with a grey rest, and a text file
named ``.jpg`` to nothing at all; both would train in silence.
"""

import io
from pathlib import Path

import cv2
import numpy as np

from course.classes import check_ids, encode
from course.data.errors import DataError


def read_image(path):
    """Read a picture.

    Returns
    -------
    (height, width, 3) uint8 array, RGB
        In the file's own pixel order: a rotation noted in its metadata is
        not applied, because masks carry none.

    Raises
    ------
    DataError
        If the file is missing, empty, a Git LFS pointer, truncated or no picture.
    """
    image = _decode(Path(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_mask(path, colored=False):
    """Read a mask as class ids.

    Parameters
    ----------
    path : path of a PNG
    colored : bool
        Whether the file holds the classes' colours instead of their ids.

    Returns
    -------
    (height, width) uint8 array of class ids

    Raises
    ------
    DataError
        For a file that cannot be read, and for any id or colour that is no class.
    """
    mask = _decode(Path(path), cv2.IMREAD_UNCHANGED)
    if mask.ndim == 3:
        mask = mask[..., :3]
        if not colored:
            mask = _single_channel(mask, path)
    try:
        return encode(mask[..., ::-1]) if colored else check_ids(mask)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error


def read_pair(pair):
    """Read a picture and its mask, ``(image, mask)``; raises DataError if their sizes differ."""
    image = read_image(pair.image)
    mask = read_mask(pair.mask, pair.colored)
    if image.shape[:2] != mask.shape:
        raise DataError(
            f"{pair.mask} has {mask.shape[1]}×{mask.shape[0]} pixels, but its picture {pair.image} "
            f"has {image.shape[1]}×{image.shape[0]}. Scale both to one size (masks by nearest "
            "neighbour), or download them again."
        )
    return image, mask


def _single_channel(mask, path):
    """The ids of a mask that was saved with three equal channels."""
    if (mask == mask[..., :1]).all():
        return mask[..., 0]
    raise DataError(
        f"{path} is a colour mask, but masks of class ids are expected here. Convert it once with "
        "course.classes.encode, or put the folder label_images_semantic of the download in its place."
    )


def _decode(path, flags):
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from error
    if not data:
        raise DataError(f"{path} is empty. Download it again.")
    if data.startswith(b"version https://git-lfs"):
        raise DataError(
            f"{path} is a Git LFS pointer, a few lines of text in place of the picture. "
            "Run `git lfs pull` where it came from, or download the dataset from Kaggle."
        )
    if _ends_early(data):
        raise DataError(f"{path} is truncated: its end is missing. Download it again.")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if picture is None:
        raise DataError(f"{path} is not a picture that OpenCV can decode. Download it again.")
    return picture


def _ends_early(data):
    """Whether a JPEG or PNG stops before its end marker."""
    if data.startswith(b"\x89PNG"):
        return b"IEND" not in data[-64:]
    if not data.startswith(b"\xff\xd8") or b"\xff\xd9" in data[-64:]:
        return False
    # Some cameras write more after the end marker: let a strict decoder decide.
    from PIL import Image

    try:
        Image.open(io.BytesIO(data)).load()
    except OSError:
        return True
    return False
