"""Wrong answers to the exercises of lesson 11: each must lose the points of its task."""

WRONG = {
    "tap-use": {
        "rows and columns swapped": """
def tap_use(picture, stride, rate):
    parts = []
    for pixels in picture:
        places = -(-pixels // stride)
        aside = max(places - rate, 0) / places
        parts.append([aside, 1, aside])
    return np.outer(parts[1], parts[0])
""",
        "off by one": """
def tap_use(picture, stride, rate):
    parts = []
    for pixels in picture:
        places = -(-pixels // stride)
        aside = max(places - rate - 1, 0) / places
        parts.append([aside, 1, aside])
    return np.outer(*parts)
""",
        "counts, not parts": """
def tap_use(picture, stride, rate):
    parts = []
    for pixels in picture:
        places = -(-pixels // stride)
        aside = max(places - rate, 0)
        parts.append([aside, places, aside])
    return np.outer(*parts)
""",
        "the mean number of taps": """
def tap_use(picture, stride, rate):
    rows, columns = (max(-(-n // stride) - rate, 0) / -(-n // stride) for n in picture)
    return (1 + 2 * rows) * (1 + 2 * columns)
""",
        "the map rounded down (hidden tests only)": """
def tap_use(picture, stride, rate):
    parts = []
    for pixels in picture:
        places = max(pixels // stride, 1)
        aside = max(places - rate, 0) / places
        parts.append([aside, 1, aside])
    return np.outer(*parts)
""",
        "less than nothing on a small map (hidden tests only)": """
def tap_use(picture, stride, rate):
    parts = []
    for pixels in picture:
        places = -(-pixels // stride)
        aside = (places - rate) / places
        parts.append([aside, 1, aside])
    return np.outer(*parts)
""",
    },
    "pyramid-cost": {
        "image pooling at all places": """
def pyramid_cost(size, into, out, rates, separable):
    places = size[0] * size[1]
    window, between = (9 * into + into * out, 2 * into) if separable else (9 * into * out, 0)
    kernels = 2 * into * out + len(rates) * window + (len(rates) + 2) * out * out
    return kernels + 2 * out * (len(rates) + 3) + between * len(rates), places * kernels
""",
        "running means and variances counted too": """
def pyramid_cost(size, into, out, rates, separable):
    places, one = size[0] * size[1], into * out
    window, between = (9 * into + into * out, 4 * into) if separable else (9 * into * out, 0)
    kernels = 2 * one + len(rates) * window + (len(rates) + 2) * out * out
    weights = kernels + 4 * out * (len(rates) + 3) + between * len(rates)
    return weights, places * (kernels - one) + one
""",
        "an array in place of a tuple": """
def pyramid_cost(size, into, out, rates, separable):
    places, one = size[0] * size[1], into * out
    window, between = (9 * into + into * out, 2 * into) if separable else (9 * into * out, 0)
    kernels = 2 * one + len(rates) * window + (len(rates) + 2) * out * out
    weights = kernels + 2 * out * (len(rates) + 3) + between * len(rates)
    return np.array([weights, places * (kernels - one) + one])
""",
        "the branches added, not joined": """
def pyramid_cost(size, into, out, rates, separable):
    places, one = size[0] * size[1], into * out
    window, between = (9 * into + into * out, 2 * into) if separable else (9 * into * out, 0)
    kernels = 2 * one + len(rates) * window + out * out
    weights = kernels + 2 * out * (len(rates) + 3) + between * len(rates)
    return weights, places * (kernels - one) + one
""",
        "separable, with one normalization": """
def pyramid_cost(size, into, out, rates, separable):
    places, one = size[0] * size[1], into * out
    window = 9 * into + into * out if separable else 9 * into * out
    kernels = 2 * one + len(rates) * window + (len(rates) + 2) * out * out
    return kernels + 2 * out * (len(rates) + 3), places * (kernels - one) + one
""",
        "normalizations in the multiply-adds": """
def pyramid_cost(size, into, out, rates, separable):
    places, one = size[0] * size[1], into * out
    window, between = (9 * into + into * out, 2 * into) if separable else (9 * into * out, 0)
    kernels = 2 * one + len(rates) * window + (len(rates) + 2) * out * out
    weights = kernels + 2 * out * (len(rates) + 3) + between * len(rates)
    return weights, places * (weights - one) + one
""",
        "the depthwise step with the channels of the output (hidden tests only)": """
def pyramid_cost(size, into, out, rates, separable):
    places, one = size[0] * size[1], into * out
    window, between = (9 * out + into * out, 2 * out) if separable else (9 * into * out, 0)
    kernels = 2 * one + len(rates) * window + (len(rates) + 2) * out * out
    weights = kernels + 2 * out * (len(rates) + 3) + between * len(rates)
    return weights, places * (kernels - one) + one
""",
        "the visible cases by heart (hidden tests only)": """
def pyramid_cost(size, into, out, rates, separable):
    return {3: (117, 1746), 256: (15535104, 16343957504)}[out] if not separable else (168, 2349)
""",
    },
    "closest-separable": {
        "the kernel itself": """
def closest_separable(kernel):
    return kernel.copy()
""",
        "the mean window of the outputs, each by its own strength": """
def closest_separable(kernel):
    depth = kernel.mean(axis=3, keepdims=True)
    length = np.maximum((depth**2).sum(axis=(0, 1), keepdims=True), 1e-12)
    return depth * (kernel * depth).sum(axis=(0, 1), keepdims=True) / length
""",
        "without the singular value": """
def closest_separable(kernel):
    close = np.zeros(kernel.shape)
    for c in range(kernel.shape[2]):
        u, s, v = np.linalg.svd(kernel[:, :, c].reshape(-1, kernel.shape[3]), full_matrices=False)
        close[:, :, c] = np.outer(u[:, 0], v[0]).reshape(kernel[:, :, c].shape)
    return close
""",
        "one decomposition for all channels": """
def closest_separable(kernel):
    u, s, v = np.linalg.svd(kernel.reshape(-1, kernel.shape[3]), full_matrices=False)
    return (s[0] * np.outer(u[:, 0], v[0])).reshape(kernel.shape)
""",
        "the column of v, not the row": """
def closest_separable(kernel):
    close = np.zeros(kernel.shape)
    for c in range(kernel.shape[2]):
        u, s, v = np.linalg.svd(kernel[:, :, c].reshape(-1, kernel.shape[3]), full_matrices=False)
        close[:, :, c] = (s[0] * np.outer(u[:, 0], v[:, 0])).reshape(kernel[:, :, c].shape)
    return close
""",
        "the window of the strongest output (hidden tests only)": """
def closest_separable(kernel):
    close = np.zeros(kernel.shape)
    for c in range(kernel.shape[2]):
        matrix = kernel[:, :, c].reshape(-1, kernel.shape[3])
        window = matrix[:, (matrix**2).sum(axis=0).argmax()]
        window = window / max(np.linalg.norm(window), 1e-12)
        close[:, :, c] = np.outer(window, window @ matrix).reshape(kernel[:, :, c].shape)
    return close
""",
        "windows of 3×3 only": """
def closest_separable(kernel):
    into, out = kernel.shape[2:]
    matrices = np.moveaxis(kernel, 2, 0).reshape(into, 9, out)
    u, s, v = np.linalg.svd(matrices, full_matrices=False)
    close = s[:, :1, None] * u[:, :, :1] * v[:, :1]
    return np.moveaxis(close.reshape(into, 3, 3, out), 0, 2)
""",
    },
    "deeplab-decoder": {
        "the broken one": """
decoder = broken_decoder
""",
        "3×3 convolutions without a ReLU (hidden tests only)": """
def decoder(deep_shape, low_shape, channels, narrow, classes):
    deep, low = keras.Input(deep_shape), keras.Input(low_shape)
    x = layers.Concatenate()([conv(low, narrow, 1), layers.Resizing(*low_shape[:2])(deep)])
    for _ in range(2):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(epsilon=1e-5)(x)
    return keras.Model([deep, low], layers.Conv2D(classes, 1)(x))
""",
        "a normalization and a ReLU behind the scores": """
def decoder(deep_shape, low_shape, channels, narrow, classes):
    deep, low = keras.Input(deep_shape), keras.Input(low_shape)
    x = layers.Concatenate()([conv(low, narrow, 1), layers.Resizing(*low_shape[:2])(deep)])
    return keras.Model([deep, low], conv(conv(conv(x, channels, 3), channels, 3), classes, 1))
""",
        "no normalization (hidden tests only)": """
def decoder(deep_shape, low_shape, channels, narrow, classes):
    deep, low = keras.Input(deep_shape), keras.Input(low_shape)
    def bare(x, filters, window):
        return layers.Conv2D(filters, window, padding="same", activation="relu")(x)
    x = layers.Concatenate()([bare(low, narrow, 1), layers.Resizing(*low_shape[:2])(deep)])
    x = bare(bare(x, channels, 3), channels, 3)
    return keras.Model([deep, low], layers.Conv2D(classes, 1)(x))
""",
        "3×3 convolutions without a normalization (hidden tests only)": """
def decoder(deep_shape, low_shape, channels, narrow, classes):
    deep, low = keras.Input(deep_shape), keras.Input(low_shape)
    x = layers.Concatenate()([conv(low, narrow, 1), layers.Resizing(*low_shape[:2])(deep)])
    for _ in range(2):
        x = layers.Conv2D(channels, 3, padding="same", activation="relu")(x)
    return keras.Model([deep, low], layers.Conv2D(classes, 1)(x))
""",
        "the narrowed map without a normalization (hidden tests only)": """
def decoder(deep_shape, low_shape, channels, narrow, classes):
    deep, low = keras.Input(deep_shape), keras.Input(low_shape)
    low_narrow = layers.Conv2D(narrow, 1, activation="relu")(low)
    x = layers.Concatenate()([low_narrow, layers.Resizing(*low_shape[:2])(deep)])
    x = conv(conv(x, channels, 3), channels, 3)
    return keras.Model([deep, low], layers.Conv2D(classes, 1)(x))
""",
        "64 channels, whatever is asked (hidden tests only)": """
def decoder(deep_shape, low_shape, channels, narrow, classes):
    deep, low = keras.Input(deep_shape), keras.Input(low_shape)
    x = layers.Concatenate()([conv(low, narrow, 1), layers.Resizing(*low_shape[:2])(deep)])
    x = conv(conv(x, 64, 3), 64, 3)
    return keras.Model([deep, low], layers.Conv2D(classes, 1)(x))
""",
        "softmax at the end": """
def decoder(deep_shape, low_shape, channels, narrow, classes):
    deep, low = keras.Input(deep_shape), keras.Input(low_shape)
    x = layers.Concatenate()([conv(low, narrow, 1), layers.Resizing(*low_shape[:2])(deep)])
    x = conv(conv(x, channels, 3), channels, 3)
    return keras.Model([deep, low], layers.Conv2D(classes, 1, activation="softmax")(x))
""",
        "scores by a 3×3 convolution": """
def decoder(deep_shape, low_shape, channels, narrow, classes):
    deep, low = keras.Input(deep_shape), keras.Input(low_shape)
    x = layers.Concatenate()([conv(low, narrow, 1), layers.Resizing(*low_shape[:2])(deep)])
    x = conv(conv(x, channels, 3), channels, 3)
    return keras.Model([deep, low], layers.Conv2D(classes, 3, padding="same")(x))
""",
        "one 3×3 convolution": """
def decoder(deep_shape, low_shape, channels, narrow, classes):
    deep, low = keras.Input(deep_shape), keras.Input(low_shape)
    x = layers.Concatenate()([conv(low, narrow, 1), layers.Resizing(*low_shape[:2])(deep)])
    return keras.Model([deep, low], layers.Conv2D(classes, 1)(conv(x, channels, 3)))
""",
        "the trunk's map made small instead": """
def decoder(deep_shape, low_shape, channels, narrow, classes):
    deep, low = keras.Input(deep_shape), keras.Input(low_shape)
    x = layers.Concatenate()([layers.Resizing(*deep_shape[:2])(conv(low, narrow, 1)), deep])
    x = layers.Conv2D(classes, 1)(conv(conv(x, channels, 3), channels, 3))
    return keras.Model([deep, low], layers.Resizing(*low_shape[:2])(x))
""",
        "always four times": """
def decoder(deep_shape, low_shape, channels, narrow, classes):
    deep, low = keras.Input(deep_shape), keras.Input(low_shape)
    enlarged = layers.UpSampling2D(4, interpolation="bilinear")(deep)
    x = layers.Concatenate()([conv(low, narrow, 1), enlarged])
    x = conv(conv(x, channels, 3), channels, 3)
    return keras.Model([deep, low], layers.Conv2D(classes, 1)(x))
""",
        "enlarged without interpolation": """
def decoder(deep_shape, low_shape, channels, narrow, classes):
    deep, low = keras.Input(deep_shape), keras.Input(low_shape)
    enlarged = layers.Resizing(*low_shape[:2], interpolation="nearest")(deep)
    x = layers.Concatenate()([conv(low, narrow, 1), enlarged])
    x = conv(conv(x, channels, 3), channels, 3)
    return keras.Model([deep, low], layers.Conv2D(classes, 1)(x))
""",
        "nothing narrowed (hidden tests only)": """
def decoder(deep_shape, low_shape, channels, narrow, classes):
    deep, low = keras.Input(deep_shape), keras.Input(low_shape)
    x = layers.Concatenate()([low, layers.Resizing(*low_shape[:2])(deep)])
    x = conv(conv(x, channels, 3), channels, 3)
    return keras.Model([deep, low], layers.Conv2D(classes, 1)(x))
""",
        "both maps narrowed (hidden tests only)": """
def decoder(deep_shape, low_shape, channels, narrow, classes):
    deep, low = keras.Input(deep_shape), keras.Input(low_shape)
    enlarged = layers.Resizing(*low_shape[:2])(conv(deep, narrow, 1))
    x = layers.Concatenate()([conv(low, narrow, 1), enlarged])
    x = conv(conv(x, channels, 3), channels, 3)
    return keras.Model([deep, low], layers.Conv2D(classes, 1)(x))
""",
    },
}
