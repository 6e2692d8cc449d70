"""The packages that the course needs, beside those that this machine has."""

import importlib.metadata

from packaging.requirements import Requirement

COURSE = "segmentation-course"
# opencv-python and its variants bring the same cv2; any of them will do.
OPENCV = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)


# What the command line uses and no lesson does: Colab and Kaggle may have any of it.
TOOLS = ("jupyter", "kaggle", "nbval")


def needed():
    """Requirements of the course, without those of its extras.

    Returns
    -------
    list of packaging.requirements.Requirement, or None
        None where the course is not installed but only lies in a folder.
    """
    try:
        requirements = map(Requirement, importlib.metadata.requires(COURSE) or [])
    except importlib.metadata.PackageNotFoundError:
        return None
    return [requirement for requirement in requirements if requirement.marker is None]


def installed(requirement):
    """(name, version) of what is there for a requirement, of OpenCV under any of its names.

    The version is None where nothing is.
    """
    for name in OPENCV if requirement.name in OPENCV else (requirement.name,):
        try:
            return name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return requirement.name, None


def fits(requirement, version):
    """Whether a version is in a requirement's range; release candidates count."""
    return requirement.specifier.contains(version, prereleases=True)


def outside():
    """Of the packages that lessons import, (name, version, wanted) of those outside the range."""
    for requirement in needed() or []:
        name, version = installed(requirement)
        if name not in TOOLS and version is not None and not fits(requirement, version):
            yield name, version, f"{name}{requirement.specifier}"
