"""Which picture belongs to training, validation or test: decided by its name.

A split by position depends on how a folder happens to be listed, and a split
drawn at random on which pictures happen to be there. A checksum of the name
depends on neither: a picture keeps its part on every machine, for ever.
"""

import zlib

PARTS = ("train", "validation", "test")

# Any salt would do. With this one the shares come out even: 60 synthetic scenes
# give 42/12/6, and the 300-image copy that the course was developed on 210/60/30.
SALT = "drone-6398-"


def check_part(part):
    """Raise ValueError unless `part` is one of PARTS."""
    if part not in PARTS:
        raise ValueError(f"There is no part {part!r}. The parts are {', '.join(PARTS)}.")


def part_of(name):
    """The part of the picture called `name`: ``"train"`` (7 in 10), ``"validation"`` (2), ``"test"`` (1)."""
    lot = zlib.crc32(f"{SALT}{name}".encode()) % 10
    if lot == 0:
        return "test"
    return "validation" if lot < 3 else "train"
