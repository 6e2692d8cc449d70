"""Training whose steps compute in half of float32's bits."""

import contextlib

from course.training.layers import all_layers


@contextlib.contextmanager
def precision(model, policy):
    """Let the layers of `model` compute in `policy` inside the context, but for the last ones.

    Only here: what a lesson computes by hand, predicts or saves stays in float32. A model that
    was built with another policy keeps its own.
    """
    if policy == "float32" or model.dtype_policy.name != "float32":
        yield
        return
    layers = [layer for layer in all_layers(model) if layer.dtype_policy.name == "float32"]
    # Of Keras's own kinds, only a Functional has names of its outputs.
    outputs = set(getattr(model, "output_names", [model.layers[-1].name]))
    for layer in layers:
        if layer.name not in outputs:
            layer.dtype_policy = policy
    model.dtype_policy = policy  # by which Keras knows whether to scale the loss
    try:
        yield
    finally:
        for layer in [*layers, model]:
            layer.dtype_policy = "float32"
        model.train_function = model.test_function = model.predict_function = None
