"""What training reported, epoch by epoch."""

from dataclasses import dataclass, field

import numpy as np

WATCHED = "val_mean_iou"


@dataclass
class History:
    """What training reported: one number an epoch for each of `curves`, and the time it took.

    curves   "loss", "mean_iou" and, with validation data, "val_loss" and "val_mean_iou"
    seconds  wall time, the sessions before an interruption included
    """

    curves: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0

    def __len__(self):
        return max((len(values) for values in self.curves.values()), default=0)

    @property
    def best_epoch(self):
        """The epoch, counted from 1, whose weights were kept; None before the first."""
        values = self.curves.get(WATCHED) or self.curves.get("mean_iou")
        return int(np.argmax(values)) + 1 if values else None

    def __str__(self):
        if not len(self):
            return "no epoch finished"
        text = f"{len(self)} epoch{'s' if len(self) > 1 else ''} in {self.seconds:.0f} s"
        if WATCHED in self.curves:
            text += (
                f"; best validation mIoU {max(self.curves[WATCHED]):.3f} at epoch {self.best_epoch}"
            )
        return text
