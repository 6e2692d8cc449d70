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
DEPTH = 8  # from a kagglehub cache, the deepest home, to its pictures
# Folders that belong to a dataset: one of them, named alone, stands for the whole.
INSIDE = {"dataset", "semantic_drone_dataset"} | {
    part for layout in LAYOUTS for part in f"{layout.images}/{layout.masks}".split("/")
}


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
        The dataset's folder, any folder above it, or one of the folders it
        consists of.

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
    folder = Path(os.path.abspath(Path(folder).expanduser()))
    _check_folder(folder)
    closed = []
    places, here = _places(folder, closed), folder
    while not places and here.name in INSIDE:
        here = here.parent
        # Of what lies above, only what the named folder is a part of.
        places = [
            (root, layout)
            for root, layout in _places(here, closed)
            if any(
                folder in (part, *part.parents)
                for every in LAYOUTS
                for part in (root / every.images, _masks(root, every))
            )
        ]
    if not places:
        unread = "".join(f"\nThis folder could not be read: {path}." for path in closed[:3])
        expected = "\n".join(f"  {layout.images}  with  {layout.masks}" for layout in LAYOUTS[:5])
        raise NoDatasetError(
            f"There is no drone dataset at or below {folder}. Expected, at most {DEPTH} folders down, "
            f"one of:\n{expected}\nName the folder of the unpacked download (in COURSE_DATA, or where you named "
            f"this one), or none to use the synthetic scenes.{unread}"
        )
    roots = {root for root, _ in places}
    if len(roots) > 1:
        listed = "\n".join(f"  {root}" for root in sorted(roots))
        raise DataError(
            f"{len(roots)} datasets lie below {folder}:\n{listed}\nName one of them in COURSE_DATA, or move the others away."
        )
    found = _pair(roots.pop(), [layout for _, layout in places])
    check_class_files(here, found.pairs[0].mask.parent)
    return found


def _check_folder(folder):
    try:
        empty = not os.listdir(folder)
    except FileNotFoundError:
        raise NoDatasetError(
            f"The data folder {folder} does not exist. Check the path's spelling."
        ) from None
    except NotADirectoryError:
        raise DataError(
            f"{folder} is a file. Expected the folder of the unpacked dataset."
        ) from None
    except OSError as error:
        raise DataError(
            f"The data folder {folder} cannot be read ({error.strerror}). Check its permissions."
        ) from error
    if empty:
        raise NoDatasetError(
            f"The data folder {folder} is empty. Did the download or the unpacking stop early?"
        )


def _places(folder, closed):
    """Every (common folder, layout) at or below `folder`, id masks preferred over colour masks."""
    places = []
    for here in _walk(folder, DEPTH, closed, set()):
        for layout in LAYOUTS:
            if os.path.isdir(here / layout.images) and os.path.isdir(_masks(here, layout)):
                places.append((here, layout))
                if not layout.images.startswith(("train/", "test/")):
                    break
    return places


def _masks(root, layout):
    return Path(os.path.normpath(root / ("../" * layout.up) / layout.masks))


def _walk(folder, depth, closed, seen):
    """`folder` and the folders below it; hidden ones and ones full of pictures are not entered.

    Folders that cannot be listed are added to `closed`; a folder that a
    symbolic link reaches a second time is passed over.
    """
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    try:
        with os.scandir(folder) as entries:
            inside = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    except OSError:
        closed.append(folder)
        return
    yield folder
    full = {"original_images", "label_images_semantic"}
    # By themselves these are names that folders above a dataset have too.
    full |= {"images", "gt"} if {"images", "gt"} <= set(inside) else set()
    for name in inside if depth else ():
        if name not in full:
            yield from _walk(folder / name, depth - 1, closed, seen)


def _pair(root, layouts):
    pairs, lonely_images, lonely_masks = {}, [], []
    for layout in layouts:
        images = _by_stem(root / layout.images, IMAGE_ENDINGS)
        masks = _by_stem(_masks(root, layout), MASK_ENDINGS)
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
        raise DataError(
            f"{folder} cannot be read ({error.strerror}). Check its permissions."
        ) from error
    for path in entries:
        if path.suffix.lower() not in endings or path.name.startswith("."):
            continue
        if path.stem in files:
            raise DataError(f"{path} and {files[path.stem].name} share a name. Remove one of them.")
        files[path.stem] = path
    return files


def check_class_files(folder, masks):
    """Check every class file from `masks` up to `folder`, and to the top of the dataset they lie in."""
    for here in [masks, *masks.parents]:
        for name in CLASS_FILES:
            if os.path.isfile(here / name):
                check_class_file(here / name)
        if here.name not in INSIDE and folder not in here.parents:
            break


def check_class_file(path):
    """Check that a class file lists this course's classes in this course's order.

    Raises
    ------
    DataError
        Naming the file, the first row that differs and what was expected.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read as text ({error}). Restore the original class file."
        ) from error
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
