"""What a scene holds: kind of place, altitude, and how much of each class.

The shares and frequencies are those of the real dataset. Decisions follow additive
recurrences (Weyl, 1916) over consecutive seeds instead of dice: any sixty scenes in a row
hold close to their share of dogs and pools, which dice would not promise.
"""

import numpy as np

PRIMES = {
    "kind": 2, "altitude": 3, "dirt": 5, "grass": 7, "gravel": 11, "water": 13, "rocks": 17,
    "pool": 19, "vegetation": 23, "roof": 29, "wall": 31, "window": 37, "door": 41, "fence": 43,
    "fence-pole": 47, "person": 53, "dog": 59, "car": 61, "bicycle": 67, "tree": 71,
    "bald-tree": 73, "ar-marker": 79, "obstacle": 83, "paved-area": 89,
}  # fmt: skip
# frac(sqrt(prime)) * 2**32 in whole numbers, so that every machine decides alike.
STEPS = {name: int((np.sqrt(prime) % 1) * 2**32) for name, prime in PRIMES.items()}
KINDS = ("garden", "house", "yard", "field", "street")
KIND_EDGES = (0.34, 0.62, 0.80, 0.93, 1.0)

# Chance that a class occurs, for each kind of place in the order of KINDS.
CHANCE = {
    "paved-area": (1.0, 1.0, 1.0, 0.6, 1.0),
    "dirt": (0.95, 0.92, 0.9, 0.95, 0.7),
    "grass": (0.66, 0.66, 0.6, 1.0, 0.35),
    "gravel": (0.97, 0.95, 0.85, 0.35, 0.9),
    "water": (0.6, 0.2, 0.0, 0.05, 0.1),
    "rocks": (0.75, 0.55, 0.35, 0.15, 0.45),
    "pool": (0.2, 0.12, 0.0, 0.0, 0.0),
    "vegetation": (1.0, 1.0, 0.9, 0.55, 0.85),
    "roof": (0.5, 1.0, 0.4, 0.05, 0.25),
    "wall": (0.85, 0.95, 0.65, 0.15, 0.6),
    "window": (0.7, 0.85, 0.6, 0.5, 0.6),
    "door": (0.1, 0.17, 0.1, 0.0, 0.1),
    "fence": (0.55, 0.6, 0.7, 0.25, 0.4),
    "fence-pole": (0.8, 0.8, 0.8, 0.8, 0.8),
    "person": (0.95, 0.88, 0.95, 0.9, 1.0),
    "dog": (0.06, 0.05, 0.04, 0.04, 0.06),
    "car": (0.02, 0.3, 0.2, 0.02, 0.5),
    "bicycle": (0.42, 0.4, 0.4, 0.1, 0.6),
    "tree": (0.5, 0.6, 0.35, 0.25, 0.3),
    "bald-tree": (0.14, 0.18, 0.25, 0.45, 0.1),
    "ar-marker": (0.6, 0.35, 0.45, 0.1, 0.3),
    "obstacle": (1.0, 1.0, 1.0, 0.8, 1.0),
}
# Median share of the picture when the class occurs, by kind, and the spread of its logarithm.
SHARE = {
    "dirt": ((0.05, 0.045, 0.08, 0.015, 0.04), 0.6),
    "grass": ((0.24, 0.2, 0.17, 1.0, 0.12), 0.45),
    "gravel": ((0.14, 0.11, 0.11, 0.05, 0.11), 0.5),
    "water": ((0.075, 0.05, 0.04, 0.04, 0.04), 0.5),
    "pool": ((0.065, 0.06, 0.05, 0.05, 0.05), 0.3),
    "vegetation": ((0.17, 0.16, 0.13, 0.06, 0.12), 0.5),
    "roof": ((0.08, 0.15, 0.06, 0.04, 0.07), 0.45),
    "rocks": ((0.034, 0.03, 0.025, 0.012, 0.025), 0.6),
    "tree": ((0.035, 0.04, 0.04, 0.03, 0.03), 0.5),
    "bald-tree": ((0.15, 0.16, 0.15, 0.15, 0.15), 0.5),
    "obstacle": ((0.03, 0.03, 0.03, 0.008, 0.02), 0.5),
    "person": ((0.008, 0.006, 0.008, 0.005, 0.015), 0.6),
}


def turn_of(seed, name):
    """A number in [0, 1) that runs evenly over consecutive seeds, one sequence each name."""
    return ((seed + 1) * STEPS[name] + STEPS[name] // 3) % 2**32 / 2**32


class Plan:
    """The contents of the scene of `seed`.

    Attributes
    ----------
    kind : one of KINDS
    altitude : metres, 5 to 30
    share : dict from class name to its share of the picture, for those that occur
    """

    def __init__(self, seed, rng):
        index = int(np.searchsorted(KIND_EDGES, turn_of(seed, "kind"), side="right"))
        self.kind = KINDS[index]
        u = turn_of(seed, "altitude")
        low, high = {"house": (14, 30), "street": (5, 16), "yard": (8, 26)}.get(self.kind, (6, 30))
        self.altitude = low + (high - low) * u
        if turn_of(seed, "dog") < CHANCE["dog"][index]:
            self.altitude = min(self.altitude, 10.0)
        self.share = {}
        for name, chances in CHANCE.items():
            spread = rng.normal()
            if turn_of(seed, name) < chances[index]:
                medians, sigma = SHARE.get(name, ((0.01,) * 5, 0.5))
                self.share[name] = float(medians[index] * np.exp(sigma * spread))

    def __contains__(self, name):
        return name in self.share
