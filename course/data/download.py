"""Download the drone dataset from Kaggle: it resumes, it is verified, it is there whole or not at all.

The zip is received into a hidden folder beside the destination and stays
there until it is whole, so that a broken transfer goes on where it stopped.
It is unpacked in that hidden folder too, which checks every file's CRC, and
moved to its destination by one rename.
"""

import contextlib
import errno
import lzma
import os
import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from course import environment
from course.data.dataset import KAGGLE_SLUG
from course.data.errors import DataError, NoDatasetError
from course.data.find import IMAGE_ENDINGS, MASK_ENDINGS, find
from course.kaggle import account

TERMS = (
    "The Semantic Drone Dataset (ICG, TU Graz) is for non-commercial research, teaching and personal use; "
    "do not pass it on,\nchanged or unchanged. In publications, cite it: http://dronedataset.icg.tugraz.at"
)
DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, ValueError)
# What the system says to offsets before a file's start and to a file's name used as a folder's.
DAMAGE_ERRNOS = {errno.EINVAL, errno.ENOTDIR, errno.EISDIR}
NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


class DownloadError(RuntimeError):
    """The dataset could not be downloaded; the message says why and what to do."""


class _BadArchiveError(DownloadError):
    """The zip is whole and yet of no use: it is not worth keeping."""


def download(folder, slug=KAGGLE_SLUG):
    """Download the dataset from Kaggle into `folder`.

    A transfer that broke off is resumed by the next call. What it received
    lies in ``.<name>.download`` beside `folder` until then; nothing else is
    left behind by a call that fails.

    Parameters
    ----------
    folder : path
        Where the dataset shall lie: a folder that is new or empty. One that
        holds the dataset is left alone.
    slug : str
        ``owner/name``, as in the dataset's address on Kaggle.

    Returns
    -------
    Path
        `folder`, absolute.

    Raises
    ------
    DownloadError
        Without valid credentials; if Kaggle refuses or does not know the
        dataset; if the transfer breaks off; if the disk is full or cannot be
        written to; if the zip is damaged, lacks pictures or masks, or holds
        a member that would land outside `folder`; if `folder` holds
        something else.
    """
    folder = Path(folder).expanduser().absolute()
    if not re.fullmatch(r"[\w-]+/[\w-]+", slug):
        raise DownloadError(
            f"{slug!r} is no dataset's name on Kaggle. Expected owner/name, as {KAGGLE_SLUG}."
        )
    if _holds_dataset(folder):
        return folder
    staging = folder.with_name(f".{folder.name}.download")
    archive = staging / f"{slug.split('/')[1]}.zip"
    unpacked = staging / "unpacked"
    try:
        _fetch(slug, archive)
        with _disk_errors_explained(staging):
            pairs = _unpack(archive, unpacked)
            if folder.is_dir():
                folder.rmdir()  # an empty one; Windows does not rename onto it
            unpacked.rename(folder)
        archive.unlink()
    except _BadArchiveError:
        shutil.rmtree(staging)
        raise
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
        with contextlib.suppress(OSError):  # not empty: a transfer to resume
            staging.rmdir()
    print(f"Downloaded {pairs} pictures and their masks to {folder}.\n{TERMS}")
    return folder


def _holds_dataset(folder):
    """Whether `folder` holds the dataset, and say so; raise if it holds something else."""
    if not os.path.lexists(folder):
        return False
    try:
        if folder.is_dir() and not any(folder.iterdir()):
            return False
        found = find(folder)
    except NoDatasetError:
        reason = "It holds other files."
    except (DataError, OSError) as error:
        reason = str(error)
    else:
        print(
            f"The dataset is there already: {len(found.pairs)} pictures and their masks in {found.root}."
        )
        return True
    raise DownloadError(
        f"{folder} is not free to download to. {reason} Move it away, or name a folder that is new or empty."
    )


def _fetch(slug, archive):
    """Receive the zip, or what is missing of it, through the kaggle package."""
    print(f"Downloading https://www.kaggle.com/datasets/{slug}")

    def receive():
        # Releases before 2 fail on what they received earlier, so they start anew.
        account.sign_in().dataset_download_files(
            slug, path=str(archive.parent), quiet=False, force=account.release() < 2
        )

    try:
        account.ask(receive, meaning=lambda error: _explain(error, slug, archive))
    except account.KaggleError as error:
        raise DownloadError(str(error)) from error


def _explain(error, slug, archive):
    """What an error out of the kaggle package means, and what to do."""
    if common := account.explain(error):
        return common
    page = f"https://www.kaggle.com/datasets/{slug}"
    status, _ = account.answer(error)
    if status == 403:
        return (
            f"Kaggle refuses you this dataset (403). Open {page} in a browser, signed in with the account "
            "that your token belongs to, accept the licence or rules shown there, and run this again."
        )
    if status == 404:
        return (
            f"Kaggle has no dataset {slug} (404). Check the spelling: owner/name, as in the address of "
            f"the dataset's page. The course uses {KAGGLE_SLUG}."
        )
    if isinstance(error, OSError) and error.errno is not None:
        return _explain_disk(error, archive.parent)
    trouble = f"Kaggle answered {status}" if status else type(error).__name__
    if archive.is_file():
        return (
            f"The download broke off ({trouble}). {_size(archive.stat().st_size)} have arrived and are kept in "
            f"{archive}. Run this again: it resumes there."
        )
    return (
        f"The download did not start ({trouble}). Check that this machine reaches {page}, "
        "then run this again."
    )


@contextlib.contextmanager
def _disk_errors_explained(place):
    try:
        yield
    except OSError as error:
        raise DownloadError(_explain_disk(error, place)) from error


def _explain_disk(error, place):
    if error.errno in NO_SPACE:
        return (
            f"The disk that holds {place} is full: {_size(_free(place))} are free. Make room and run this "
            "again. What has arrived of the zip is kept."
        )
    return (
        f"{error.filename or place} cannot be written ({error.strerror}). Check its permissions, or name "
        "a folder that you can write to."
    )


def _free(place):
    """Bytes free on the disk that holds `place`, which need not exist yet."""
    return shutil.disk_usage(next(p for p in [place, *place.parents] if p.exists())).free


def _unpack(archive, target):
    """Check the zip, unpack it into `target`, and return how many pictures it holds.

    Raises _BadArchiveError for a zip that is damaged or not the dataset.
    """
    shutil.rmtree(target, ignore_errors=True)  # a killed run's
    try:
        with zipfile.ZipFile(archive) as source:
            members = source.infolist()
            _check_places(members)
            pairs = _check_parts(members)
            _check_space(members, archive)
            for member in environment.progress(members, what="unpacking"):
                source.extract(member, target)  # compares the CRC when it has read the last byte
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno not in DAMAGE_ERRNOS:
            raise
        raise _BadArchiveError(
            f"The zip is damaged ({error}). It has been removed; run this again to download it anew."
        ) from error
    return pairs


def _check_places(members):
    """Refuse members that would land outside the folder, and links, which can point there."""
    for member in members:
        path = PureWindowsPath(member.filename)  # knows both slashes, and drives
        link = stat.S_ISLNK(member.external_attr >> 16)
        if path.anchor or ".." in path.parts or link:
            what = "is a link" if link else "would land outside the dataset's folder"
            raise _BadArchiveError(
                f"The zip has been refused and removed: its member {member.filename!r} {what}. The real "
                f"dataset has none such. Check that you download {KAGGLE_SLUG}."
            )
        if member.flag_bits & 1:
            raise _BadArchiveError(
                f"The zip has been refused and removed: its member {member.filename!r} is encrypted. "
                f"Check that you download {KAGGLE_SLUG}."
            )


def _check_parts(members):
    """Check that every picture has its mask and the reverse; return how many there are."""
    paths = [PurePosixPath(member.filename) for member in members]

    def names(part, endings):
        return {p.stem for p in paths if p.parent.name == part and p.suffix.lower() in endings}

    images = names("original_images", IMAGE_ENDINGS)
    masks = names("label_images_semantic", MASK_ENDINGS)
    if not images or images != masks:
        alone = sorted(images ^ masks)
        example = f", and {len(alone)} are without a partner, such as {alone[0]}" if alone else ""
        raise _BadArchiveError(
            f"The zip is not the whole dataset and has been removed: it holds {len(images)} pictures in "
            f"original_images and {len(masks)} masks in label_images_semantic{example}. Check that you "
            f"download {KAGGLE_SLUG}."
        )
    return len(images)


def _check_space(members, archive):
    needed = sum(member.file_size for member in members)
    free = _free(archive.parent)
    if free < needed:
        raise DownloadError(
            f"Unpacking the dataset takes {_size(needed)}, and the disk that holds {archive.parent} has "
            f"{_size(free)} free. Make room and run this again: the zip is kept, and removed at the end."
        )


def _size(count):
    """Bytes as a person reads them."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
