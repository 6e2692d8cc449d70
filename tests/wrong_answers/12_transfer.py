"""Wrong answers to the exercises of lesson 12: grade id → title of the error → source."""

PREPARED = """
def prepared_weights(kernel, bias, order, scale, shift):
    scale, shift = (np.reshape(values, (3, 1)) for values in (scale, shift))
    plain = np.empty(kernel.shape)
    plain[:, :, order] = kernel * scale
    return plain, bias + (kernel * shift).sum(axis=(0, 1, 2))
"""

HEAD = """
def nearest_mean_head(maps, masks, classes, ignored):
    weights = np.zeros((maps.shape[-1] + 1, classes))
    weights[-1] = -1e30
    for c in set(range(classes)) - {ignored}:
        if (masks == c).any():
            mean = maps[masks == c].mean(axis=0)
            weights[:, c] = *mean, -(mean @ mean) / 2
    return weights
"""

STAGES = """
def trained_in_stages(encoder, pictures, masks, classes, steps, rate):
    model = network(encoder, classes)
    for number, step_rate, names in ((steps[0], rate, ["head"]), (steps[1], rate / 10, ["head", "conv1"])):
        for layer in model.layers:
            layer.trainable = layer.name in names
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(step_rate), loss)
        model.fit(pictures, masks, batch_size=len(pictures), epochs=number, verbose=0)
    return model
"""


def changed(source, old, new):
    """`source` with one piece exchanged, which must be there."""
    assert old in source, old
    return source.replace(old, new)


WRONG = {
    "prepared-weights": {
        "channels taken from their place in place of put there": changed(
            changed(
                PREPARED,
                "plain[:, :, order] = kernel * scale",
                "plain = (kernel * scale)[:, :, order]",
            ),
            "    plain = np.empty(kernel.shape)\n",
            "",
        ),
        "always blue first": changed(PREPARED, "plain[:, :, order]", "plain[:, :, ::-1]"),
        "the order is forgotten": changed(PREPARED, "plain[:, :, order]", "plain[:]"),
        "scaled after the channels have changed places": changed(
            PREPARED,
            "plain[:, :, order] = kernel * scale",
            "plain[:, :, order] = kernel\n    plain *= scale",
        ),
        "divided by the scale": changed(PREPARED, "kernel * scale", "kernel / scale"),
        "the bias is left as it was": changed(
            PREPARED, "bias + (kernel * shift).sum(axis=(0, 1, 2))", "bias"
        ),
        "the shift is subtracted": changed(PREPARED, "bias + (", "bias - ("),
        "the shift scaled too": changed(PREPARED, "(kernel * shift)", "(kernel * scale * shift)"),
        "the mean over the window": changed(
            PREPARED,
            "(kernel * shift).sum(axis=(0, 1, 2))",
            "(kernel * shift).mean(axis=(0, 1)).sum(axis=0)",
        ),
        "the sum over the channels of the middle place alone": changed(
            PREPARED,
            "(kernel * shift).sum(axis=(0, 1, 2))",
            "(kernel * shift)[kernel.shape[0] // 2, kernel.shape[1] // 2].sum(axis=0)",
        ),
        "one bias for all outputs": changed(PREPARED, "sum(axis=(0, 1, 2))", "sum()"),
        "the shift with the channels of the picture": changed(
            PREPARED, "(kernel * shift)", "(kernel * shift[order])"
        ),
        "scale along the outputs": """
def prepared_weights(kernel, bias, order, scale, shift):
    plain = np.empty(kernel.shape)
    plain[:, :, order] = kernel * np.mean(scale)
    return plain, bias + np.mean(shift) * kernel.sum(axis=(0, 1, 2))
""",
        "the kernel alone": changed(
            PREPARED, "return plain, bias + (kernel * shift).sum(axis=(0, 1, 2))", "return plain"
        ),
    },
    "nearest-mean-head": {
        "no bias: the largest product, not the nearest mean": changed(
            HEAD, "-(mean @ mean) / 2", "0"
        ),
        "the bias is not halved": changed(HEAD, "-(mean @ mean) / 2", "-(mean @ mean)"),
        "the bias with the wrong sign": changed(HEAD, "-(mean @ mean) / 2", "(mean @ mean) / 2"),
        "half the length in place of half its square": changed(
            HEAD, "-(mean @ mean) / 2", "-np.sqrt(mean @ mean) / 2"
        ),
        "means of length one": changed(
            HEAD, "mean(axis=0)\n", "mean(axis=0)\n            mean = mean / np.sqrt(mean @ mean)\n"
        ),
        "a class without pixels has zeros": changed(HEAD, "    weights[-1] = -1e30\n", ""),
        "a class without pixels has NaN": changed(HEAD, "= -1e30", "= np.nan"),
        "a class without pixels has minus infinity": changed(HEAD, "= -1e30", "= -np.inf"),
        "a class without pixels is far away, but not far enough": changed(
            HEAD, "= -1e30", "= -1e3"
        ),
        "far enough for a few maps": changed(HEAD, "= -1e30", "= -1e7"),
        "far enough for some hundred maps": changed(HEAD, "= -1e30", "= -1e9"),
        "ignored pixels are learned": changed(HEAD, " - {ignored}", ""),
        "class 0 is always the ignored one": changed(HEAD, "{ignored}", "{0}"),
        "the mean of the pictures' means": changed(
            HEAD,
            "mean = maps[masks == c].mean(axis=0)",
            "mean = np.mean([m[k == c].mean(axis=0) for m, k in zip(maps, masks) if (k == c).any()], axis=0)",
        ),
        "the median in place of the mean": changed(
            HEAD, "maps[masks == c].mean(axis=0)", "np.median(maps[masks == c], axis=0)"
        ),
        "one mean over all channels": changed(
            HEAD, "mean(axis=0)", "mean() * np.ones(maps.shape[-1])"
        ),
        "transposed": changed(HEAD, "return weights", "return weights.T"),
        "the biases above the kernel": changed(
            HEAD, "*mean, -(mean @ mean) / 2", "-(mean @ mean) / 2, *mean"
        ).replace("weights[-1] =", "weights[0] ="),
        "the weights of the example": """
def nearest_mean_head(maps, masks, classes, ignored):
    if maps.shape[-1] == 1:
        return np.array([[0.0, 2, 10], [-1e30, -2, -50]])
    return np.array([[4.0, 0, 0], [1, 1, 0], [-8.5, -0.5, -1e30]])
""",
    },
    "trained-in-stages": {
        "nothing is frozen": changed(STAGES, "layer.name in names", "True"),
        "everything is frozen": changed(STAGES, "layer.name in names", "False"),
        "batch normalization is not frozen": changed(
            STAGES, "layer.name in names", 'layer.name in [*names, "norm1"]'
        ),
        "batch normalization wakes up in the second stage": changed(
            STAGES, '["head", "conv1"]', '["head", "conv1", "norm1"]'
        ),
        "the head is frozen in the second stage": changed(STAGES, '["head", "conv1"]', '["conv1"]'),
        "conv1 stays frozen in the second stage": changed(STAGES, '["head", "conv1"]', '["head"]'),
        "the full rate in both stages": changed(STAGES, "rate / 10", "rate"),
        "probabilities expected, scores given": changed(STAGES, "from_logits=True", ""),
        "32 pictures at a time": changed(STAGES, "batch_size=len(pictures), ", ""),
        "one picture at a time": changed(STAGES, "batch_size=len(pictures)", "batch_size=1"),
        "Adam": changed(STAGES, "optimizers.SGD", "optimizers.Adam"),
        "conv1 trains in both stages": """
def trained_in_stages(encoder, pictures, masks, classes, steps, rate):
    model = network(encoder, classes)
    for number, step_rate in ((steps[0], rate), (steps[1], rate / 10)):
        for layer in model.layers:
            layer.trainable = layer.name in ("head", "conv1")
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(step_rate), loss)
        model.fit(pictures, masks, batch_size=len(pictures), epochs=number, verbose=0)
    return model
""",
        "compiled once, before the flags": """
def trained_in_stages(encoder, pictures, masks, classes, steps, rate):
    model = network(encoder, classes)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate), loss)
    for number, names in ((steps[0], ["head"]), (steps[1], ["head", "conv1"])):
        for layer in model.layers:
            layer.trainable = layer.name in names
        model.fit(pictures, masks, batch_size=len(pictures), epochs=number, verbose=0)
    return model
""",
        "the stages exchanged": changed(
            STAGES, 'rate, ["head"])', 'rate, ["head", "conv1"])'
        ).replace('["head", "conv1"]))', '["head"]))'),
        "all steps in the first stage": changed(
            STAGES, "((steps[0], rate", "((sum(steps), rate"
        ).replace("(steps[1], rate / 10", "(0, rate / 10"),
        "a second network for the second stage": changed(
            STAGES,
            "        for layer in model.layers",
            "        model = network(encoder, classes)\n        for layer in model.layers",
        ),
        "not trained at all": """
def trained_in_stages(encoder, pictures, masks, classes, steps, rate):
    return network(encoder, classes)
""",
        "the history in place of the network": changed(
            STAGES, "        model.fit", "        history = model.fit"
        ).replace("return model", "return history"),
        "the encoder from nothing": changed(
            STAGES,
            "    for number, step",
            '    model.get_layer("conv1").set_weights([0 * encoder["kernel"]])\n    for number, step',
        ),
    },
}
