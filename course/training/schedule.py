"""The learning rate of every epoch."""

import math


def learning_rate_at(epoch, epochs, peak):
    """The learning rate of an epoch, counted from 0: ``peak · (1 + cos(π·epoch/epochs)) / 2``, half a cosine.

    Of four epochs and more, the first has a quarter of that, ``peak / 4``, to warm up; `peak`
    itself is then the rate of none.

    Set once an epoch rather than by a schedule inside the step: TensorFlow
    then takes half as long to trace the step, which is most of a short run's start.
    """
    falling = peak * (1 + math.cos(math.pi * epoch / epochs)) / 2
    return falling / 4 if epoch == 0 and epochs > 3 else falling
