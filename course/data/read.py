"""Read one picture or one mask from disk, and refuse what is not what it seems.

OpenCV decodes a truncated JPEG to a picture with a grey rest, and a text file
named ``.jpg`` to nothing at all; both would train in silence.
"""

import re
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
    mask = _decode(Path(path), cv2.IMREAD_UNCHANGED, png_only=True)
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
        "course.classes.encode, or put the folder label_images_semantic of the download in its place. Of a "
        "palette PNG (VOC, CVAT, labelme), whose ids are indices into its table of colours, save the indices: "
        "PIL.Image.fromarray(np.array(PIL.Image.open(path))).save(path)."
    )


def _decode(path, flags, png_only=False):
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
    if png_only:
        _check_png(path, data)
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # a header that promises more pixels than there can be
        picture = None
    if picture is None:
        raise DataError(f"{path} is not a picture that OpenCV can decode. Download it again.")
    return picture


def _check_png(path, data):
    """Refuse masks whose decoded values would not be the ids that were stored."""
    if data.startswith(b"\xff\xd8"):
        raise DataError(
            f"{path} is a JPEG, whatever its name: compression has changed its ids. "
            "Take the PNG masks of the original download."
        )
    # Bytes 24 and 25 of a PNG are bits a sample and colour type; OpenCV stretches
    # grey of less than 8 bits over 0 to 255.
    if data.startswith(b"\x89PNG") and data[24] < 8 and data[25] == 0:
        raise DataError(
            f"{path} stores {data[24]} bits a pixel, so its ids cannot be read safely. "
            "Save it as greyscale PNG with 8 bits."
        )


def _ends_early(data):
    """Whether a JPEG or PNG stops before its end marker."""
    if data.startswith(b"\x89PNG"):
        return b"IEND" not in data
    if not data.startswith(b"\xff\xd8") or _JPEG_END in data[-64:]:
        return False
    # Some cameras write more after the picture, and some copies end in zeros: look where it ends.
    at = 2
    while marker := _JPEG_MARKER.search(data, at):
        if marker[0] == _JPEG_END:
            return False
        # A marker opens a segment that begins with its length; scan data, without one, lie between.
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return True


_JPEG_END = b"\xff\xd9"
_JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
