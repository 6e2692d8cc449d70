"""Folders that are written for Kaggle: only our own are deleted, and the disk's errors explained."""

import contextlib
import json
import shutil

from . import account


@contextlib.contextmanager
def errors_explained():
    """Turn an error of the disk into a KaggleError that says what to do; also a decorator."""
    try:
        yield
    except OSError as error:
        raise account.KaggleError(
            f"{error.filename or 'A file'} cannot be written or deleted ({error.strerror or error}). "
            "Mend that, or name another folder with --out."
        ) from error


def begin(folder, name, about):
    """Begin a folder that is pushed, with its metadata; what an earlier call left there goes.

    Parameters
    ----------
    folder : Path
    name : str
        The name of the metadata's file.
    about : dict
        What is in it: the ``id``, ``user/slug``, and more.

    Raises
    ------
    KaggleError
        If `folder` holds something, and no metadata of this slug.
    """
    if folder.is_dir() and any(folder.iterdir()) and not _is_ours(folder / name, about):
        raise account.KaggleError(
            f"{folder} holds files that no earlier push has written. Move it away, or name another "
            "folder with --out."
        )
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    # The first file, so that the folder is known as ours wherever the rest is interrupted.
    (folder / name).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def _is_ours(metadata, about):
    slug = about["id"].split("/")[1]
    return metadata.is_file() and f'/{slug}"' in metadata.read_text("utf-8", errors="replace")
