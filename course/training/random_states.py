"""Read and set the random state of dropout, which is no part of Keras's weights."""

import keras
import numpy as np


def get_random_states(model):
    """Return the state of each random generator of `model`, as lists that JSON holds."""
    return [keras.ops.convert_to_numpy(v).tolist() for v in _variables(model)]


def set_random_states(model, states):
    for variable, state in zip(_variables(model), states, strict=True):
        variable.assign(np.array(state, variable.dtype))


def _variables(model):
    return [v for v in model.variables if v.name == "seed_generator_state"]
