"""The layers of a model, wherever they lie in it."""

import keras


def all_layers(model):
    """The layers of a model, and those of the models among them."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)
