"""Find the drone dataset in a folder, in every layout it is met in.

The Kaggle download, its older forms, TU Graz's own archive and a common
re-split differ only in where pictures and masks lie; :data:`LAYOUTS` lists
them. Pictures and masks are paired by file name.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from course.classes import CLASSES
from course.data.errors import DataError, NoDatasetError

IMAGE_ENDINGS = {".jpg", ".jpeg", ".png"}
MASK_ENDINGS = {".png"}
CLASS_FILES = ("class_dict_seg.csv", "class_dict.csv")


@dataclass(frozen=True)
class Layout:
    """Where pictures and masks lie below a common folder, and what the masks hold."""

    images: str
    masks: str
    colored: bool = False
    up: int = 0  # how far above the common folder the masks' path starts


# Id masks stand before colour masks: where a download has both, they are the same masks.
LAYOUTS = (
    Layout("original_images", "label_images_semantic"),
    Layout("training_set/images", "training_set/gt/semantic/label_images", colored=True),
    Layout("train/images", "train/gt"),
    Layout("test/images", "test/gt"),
    Layout("original_images", "RGB_color_image_masks/RGB_color_image_masks", colored=True),
    Layout("original_images", "RGB_color_image_masks", colored=True),
    Layout("original_images", "RGB_color_image_masks/RGB_color_image_masks", colored=True, up=2),
    Layout("original_images", "RGB_color_image_masks/RGB_color_image_masks", colored=True, up=1),
)
DEPTH = 6


@dataclass(frozen=True)
class Pair:
    """One picture and its mask on disk."""

    name: str
    image: Path
    mask: Path
    colored: bool = False


@dataclass(frozen=True)
class Found:
    """What :func:`find` found: the pairs by name, and the files that have no partner."""

    root: Path
    pairs: tuple[Pair, ...]
    images_without_mask: tuple[Path, ...] = ()
    masks_without_image: tuple[Path, ...] = ()


def find(folder):
    """Find the dataset at or below `folder`.

    Parameters
    ----------
    folder : path
        The dataset's folder, any folder above it, or its folder of pictures
        or masks.

    Returns
    -------
    Found
        Pairs sorted by name.

    Raises
    ------
    NoDatasetError
        If the folder is missing, empty or holds no dataset.
    DataError
        If it cannot be read; if no picture has a mask; if two datasets lie
        below it; or if a class file gives ids another order than this course's.
    """
    folder = Path(folder).expanduser()
    _check_folder(folder)
    places = _places(folder)
    if not places and folder.name in {"original_images", "label_images_semantic"}:
        places = _places(folder.parent)
    if not places:
        expected = "\n".join(f"  {layout.images}  with  {layout.masks}" for layout in LAYOUTS[:5])
        raise NoDatasetError(
            f"There is no drone dataset at or below {folder}. Expected, at most {DEPTH} folders down, "
            f"one of:\n{expected}\nPoint COURSE_DATA at the unpacked download, or unset it to use "
            "the synthetic scenes."
        )
    roots = {root for root, _ in places}
    if len(roots) > 1:
        listed = "\n".join(f"  {root}" for root in sorted(roots))
        raise DataError(f"{len(roots)} datasets lie below {folder}:\n{listed}\nName one of them.")
    found = _pair(roots.pop(), [layout for _, layout in places])
    check_class_files(folder, found.root)
    return found


def _check_folder(folder):
    if not folder.exists():
        raise NoDatasetError(f"The data folder {folder} does not exist. Check the path's spelling.")
    if not folder.is_dir():
        raise DataError(f"{folder} is a file. Expected the folder of the unpacked dataset.")
    try:
        empty = not any(os.scandir(folder))
    except OSError as error:
        raise DataError(
            f"The data folder {folder} cannot be read ({error.strerror}). Check its permissions."
        ) from error
    if empty:
        raise NoDatasetError(
            f"The data folder {folder} is empty. Did the download or the unpacking stop early?"
        )


def _places(folder):
    """Every (common folder, layout) at or below `folder`, id masks preferred over colour masks."""
    places = []
    for here in _walk(folder, DEPTH):
        for layout in LAYOUTS:
            masks_base = here.parents[layout.up - 1] if layout.up else here
            if (here / layout.images).is_dir() and (masks_base / layout.masks).is_dir():
                places.append((here, layout))
                if not layout.images.startswith(("train/", "test/")):
                    break
    return places


def _walk(folder, depth):
    """`folder` and the folders below it; hidden ones and ones full of pictures are not entered."""
    yield folder
    if depth == 0:
        return
    try:
        inside = sorted(e.name for e in os.scandir(folder) if e.is_dir() and not e.name.startswith("."))
    except OSError:
        return
    for name in inside:
        if name not in {"original_images", "label_images_semantic", "images", "gt"}:
            yield from _walk(folder / name, depth - 1)


def _pair(root, layouts):
    pairs, lonely_images, lonely_masks = {}, [], []
    for layout in layouts:
        masks_base = root.parents[layout.up - 1] if layout.up else root
        images = _by_stem(root / layout.images, IMAGE_ENDINGS)
        masks = _by_stem(masks_base / layout.masks, MASK_ENDINGS)
        for name in images.keys() & masks.keys():
            if name in pairs:
                raise DataError(
                    f"Two pictures are called {name}: {pairs[name].image} and {images[name]}. "
                    "Names must be unique, for they decide which split a picture belongs to."
                )
            pairs[name] = Pair(name, images[name], masks[name], layout.colored)
        lonely_images += [images[name] for name in sorted(images.keys() - masks.keys())]
        lonely_masks += [masks[name] for name in sorted(masks.keys() - images.keys())]
    if not pairs:
        raise DataError(
            f"No picture below {root} has a mask of the same name ({len(lonely_images)} pictures, "
            f"{len(lonely_masks)} masks). Expected pairs such as 000.jpg and 000.png."
        )
    return Found(
        root,
        tuple(pairs[name] for name in sorted(pairs)),
        tuple(lonely_images),
        tuple(lonely_masks),
    )


def _by_stem(folder, endings):
    """Files of `folder` by name without ending; refuses two of the same name."""
    files = {}
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror}). Check its permissions.") from error
    for path in entries:
        if path.suffix.lower() not in endings or path.name.startswith("."):
            continue
        if path.stem in files:
            raise DataError(f"{path} and {files[path.stem].name} share a name. Remove one of them.")
        files[path.stem] = path
    return files


def check_class_files(folder, root):
    """Check every class file at `root` and the folders between it and `folder`."""
    for here in [root, *root.parents]:
        for name in CLASS_FILES:
            if (here / name).is_file():
                check_class_file(here / name)
        if here == folder:
            break


def check_class_file(path):
    """Check that a class file lists this course's classes in this course's order.

    Raises
    ------
    DataError
        Naming the file, the first row that differs and what was expected.
    """
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    rows = [[field.strip() for field in line.split(",")] for line in lines[1:] if line.strip()]
    for expected, row in zip(CLASSES, rows, strict=False):
        if row != [expected.name, *map(str, expected.color)]:
            raise DataError(
                f"{path}, row {expected.id + 2}: class id {expected.id} is {','.join(row)}, but this "
                f"course has {expected.name},{','.join(map(str, expected.color))} there. The ids in "
                "these masks would mean other classes. Restore the original class file and masks."
            )
    # Copies with and without the never-used last class are both common.
    if len(rows) not in {len(CLASSES), len(CLASSES) - 1}:
        raise DataError(
            f"{path} lists {len(rows)} classes; expected {len(CLASSES)}. "
            "Restore the original class file."
        )
