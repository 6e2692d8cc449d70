"""From files to batches: find, read, cache, split, augment.

dataset = data.load()                    # real photographs, or synthetic scenes
samples = dataset.at((128, 192))         # decoded once, memory-mapped
train = samples.split("train")
batches = data.Batches(train, augment=data.Augmentation(), shuffle=True)
"""

from course.data.augment import FLIPS, Augmentation
from course.data.cache import Samples, scaled
from course.data.crops import ClassCrops, RandomCrops
from course.data.dataset import Dataset, load
from course.data.errors import DataError, NoDatasetError
from course.data.find import Pair, find
from course.data.read import read_image, read_mask, read_pair
from course.data.splits import PARTS, part_of

__all__ = [
    "FLIPS",
    "PARTS",
    "Augmentation",
    "Batches",
    "ClassCrops",
    "DataError",
    "Dataset",
    "NoDatasetError",
    "Pair",
    "RandomCrops",
    "Samples",
    "find",
    "load",
    "part_of",
    "read_image",
    "read_mask",
    "read_pair",
    "scaled",
]


def __getattr__(name):
    # Batches needs Keras, which takes seconds to import; finding data does not.
    if name == "Batches":
        from course.data.batches import Batches

        return Batches
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
