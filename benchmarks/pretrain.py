"""Train the encoder that the course ships, on scenes that no lesson draws.

``python -m benchmarks.pretrain FOLDER`` draws 1200 scenes into FOLDER (five minutes), trains a
DeepLabV3+ on them for as long as it takes (an hour on two cores; broken off, the same call takes
it up again), and writes the trunk's weights to ``course/models/backbones/weights/``.
"""

import argparse
from dataclasses import dataclass, field
from pathlib import Path

from course import data, environment, inference, metrics, training
from course.data import Augmentation, synthetic
from course.models.backbones import shipped
from course.models.deeplab import deeplab_v3plus

SCENES, SEED = 1200, 1000  # lessons draw seed 0
HELD_OUT = 60
SIZE = (192, 288)
VIEW = (128, 192)
WIDTH = 24
EPOCHS = 24
BATCH = 8


@dataclass(frozen=True)
class Views:
    """A window of random size and place, scaled to `size`, then the usual changes."""

    size: tuple[int, int] = VIEW
    augment: Augmentation = field(default_factory=Augmentation)

    def __call__(self, image, mask, rng):
        share = rng.uniform(self.size[0] / mask.shape[0], 1)
        height, width = (round(share * n) for n in mask.shape)
        top, left = (
            rng.integers(0, mask.shape[0] - height + 1),
            rng.integers(0, mask.shape[1] - width + 1),
        )
        window = slice(top, top + height), slice(left, left + width)
        image, mask = data.scaled(image[window], mask[window], self.size)
        return self.augment(image, mask, rng)


def network(size=(None, None)):
    return deeplab_v3plus("resnet", WIDTH, channels=96, low_channels=24, rates=(2, 4, 6), size=size)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="for the scenes and the state of training")
    folder = parser.parse_args().folder
    environment.setup()
    synthetic.write(folder / "scenes", SCENES, seed=SEED)
    samples = data.load(folder / "scenes").at(SIZE)
    train, validation = samples[HELD_OUT:], samples[:HELD_OUT]
    model = network()
    history = training.fit(
        model,
        train,
        validation,
        epochs=EPOCHS,
        batch_size=BATCH,
        augment=Views(),
        folder=folder / "training",
    )
    cm = inference.confusion(model, validation)
    print(history)
    print(
        f"held-out scenes: mIoU {metrics.mean_iou(cm):.3f}, accuracy {metrics.pixel_accuracy(cm):.3f}"
    )
    print(
        f"Now write this into course/models/backbones/shipped.py: SHA256 = {shipped.save(model)!r}"
    )


if __name__ == "__main__":
    main()
