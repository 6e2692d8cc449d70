"""Wrong answers to the exercises of lesson 08; each must lose the points of its task."""

NETWORK = """
def train_network(pictures, masks):
    def block(x, channels):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        return layers.Activation("relu")(x)

    x = inputs = keras.Input((None, None, 1))
    across = []
    for channels in (8, 16):
        across.append(block(x, channels))
        x = layers.MaxPooling2D(2)(across[-1])
    x = block(x, 32)
    for channels in (16, 8):
        x = layers.Conv2DTranspose(channels, 2, strides=2)(x)
        x = block(layers.Concatenate()([across.pop(), x]), channels)
    model = keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))
    jit = keras.backend.backend() == "jax"
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", jit_compile=jit)
    model.fit(pictures, masks, batch_size=8, epochs=12, verbose=0)
    return model
"""


def network(*changes):
    """The right network with pieces of its source replaced."""
    source = NETWORK
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new)
    return source


WRONG = {
    "lopsided-rims": {
        "the lesson's formula, whatever the levels hold": """
def rims(convolutions, window=3):
    depth = len(convolutions) - 1
    return [6 * 2 ** (depth - level) - 8 for level in range(depth)]
""",
        "lowest skip first": """
def rims(convolutions, window=3):
    cut = window // 2
    found = [2 * cut * convolutions[-1]]
    for number in reversed(convolutions[1:-1]):
        found.append(2 * (found[-1] + 2 * cut * number))
    return found
""",
        "a level's convolutions counted once, not down and up": """
def rims(convolutions, window=3):
    cut = window // 2
    found = [2 * cut * convolutions[-1]]
    for number in reversed(convolutions[1:-1]):
        found.append(2 * (found[-1] + cut * number))
    return found[::-1]
""",
        "the skip's own level counted": """
def rims(convolutions, window=3):
    cut = window // 2
    found = [2 * cut * convolutions[-1]]
    for number in reversed(convolutions[:-2]):
        found.append(2 * (found[-1] + 2 * cut * number))
    return found[::-1]
""",
        "both sides together": """
def rims(convolutions, window=3):
    cut = window - 1
    found = [2 * cut * convolutions[-1]]
    for number in reversed(convolutions[1:-1]):
        found.append(2 * (found[-1] + 2 * cut * number))
    return found[::-1]
""",
        "every window is 3×3 (hidden tests only)": """
def rims(convolutions, window=3):
    found = [2 * convolutions[-1]]
    for number in reversed(convolutions[1:-1]):
        found.append(2 * (found[-1] + 2 * number))
    return found[::-1]
""",
        "doubled before the convolutions are added": """
def rims(convolutions, window=3):
    cut = window // 2
    found = [2 * cut * convolutions[-1]]
    for number in reversed(convolutions[1:-1]):
        found.append(2 * found[-1] + 2 * cut * number)
    return found[::-1]
""",
    },
    "ragged-tiles": {
        "the last tile moved back to end with the picture (hidden tests only)": """
def predict_in_tiles(picture):
    height, width = picture.shape
    padded = np.pad(picture, 3, mode="reflect")
    answer = np.empty((height, width))
    for top in [*range(0, height - 10, 10), height - 10]:
        for left in [*range(0, width - 10, 10), width - 10]:
            tile = padded[top : top + 16, left : left + 16]
            answer[top : top + 10, left : left + 10] = network(tile)
    return answer
""",
        "zeros around the picture": """
def predict_in_tiles(picture):
    height, width = picture.shape
    padded = np.pad(picture, [(3, 3 + -n % 10) for n in (height, width)])
    answer = np.empty((height + -height % 10, width + -width % 10))
    for top in range(0, height, 10):
        for left in range(0, width, 10):
            tile = padded[top : top + 16, left : left + 16]
            answer[top : top + 10, left : left + 10] = network(tile)
    return answer[:height, :width]
""",
        "the border pixel repeated, symmetric instead of reflect": """
def predict_in_tiles(picture):
    height, width = picture.shape
    around = [(3, 3 + -n % 10) for n in (height, width)]
    padded = np.pad(picture, around, mode="symmetric")
    answer = np.empty((height + -height % 10, width + -width % 10))
    for top in range(0, height, 10):
        for left in range(0, width, 10):
            tile = padded[top : top + 16, left : left + 16]
            answer[top : top + 10, left : left + 10] = network(tile)
    return answer[:height, :width]
""",
        "only whole tiles, the rest of the picture dropped": """
def predict_in_tiles(picture):
    rows, columns = picture.shape[0] // 10, picture.shape[1] // 10
    padded = np.pad(picture, 3, mode="reflect")
    answer = np.empty((10 * rows, 10 * columns))
    for i in range(rows):
        for j in range(columns):
            tile = padded[10 * i : 10 * i + 16, 10 * j : 10 * j + 16]
            answer[10 * i : 10 * i + 10, 10 * j : 10 * j + 10] = network(tile)
    return answer
""",
        "the surplus not cut off": """
def predict_in_tiles(picture):
    height, width = picture.shape
    padded = np.pad(picture, [(3, 3 + -n % 10) for n in (height, width)], mode="reflect")
    answer = np.empty((height + -height % 10, width + -width % 10))
    for top in range(0, height, 10):
        for left in range(0, width, 10):
            tile = padded[top : top + 16, left : left + 16]
            answer[top : top + 10, left : left + 10] = network(tile)
    return answer
""",
        "rim in front forgotten: answers shifted": """
def predict_in_tiles(picture):
    height, width = picture.shape
    padded = np.pad(picture, [(0, 6 + -n % 10) for n in (height, width)], mode="reflect")
    answer = np.empty((height + -height % 10, width + -width % 10))
    for top in range(0, height, 10):
        for left in range(0, width, 10):
            tile = padded[top : top + 16, left : left + 16]
            answer[top : top + 10, left : left + 10] = network(tile)
    return answer[:height, :width]
""",
        "mirrored up to the multiple, but no rim behind it (hidden tests only)": """
def predict_in_tiles(picture):
    height, width = picture.shape
    padded = np.pad(picture, [(3, 3), (3, 3)], mode="reflect")
    padded = np.pad(padded, [(0, -n % 10) for n in (height, width)])
    answer = np.empty((height + -height % 10, width + -width % 10))
    for top in range(0, height, 10):
        for left in range(0, width, 10):
            tile = padded[top : top + 16, left : left + 16]
            answer[top : top + 10, left : left + 10] = network(tile)
    return answer[:height, :width]
""",
        "every tile mirrored by itself": """
def predict_in_tiles(picture):
    height, width = picture.shape
    padded = np.pad(picture, [(0, -n % 10) for n in (height, width)], mode="reflect")
    answer = np.empty(padded.shape)
    for top in range(0, height, 10):
        for left in range(0, width, 10):
            tile = np.pad(padded[top : top + 10, left : left + 10], 3, mode="reflect")
            answer[top : top + 10, left : left + 10] = network(tile)
    return answer[:height, :width]
""",
    },
    "swimmers-near-boats": {
        "no skips": network(("layers.Concatenate()([across.pop(), x])", "x")),
        "no way down: a 7×7 view": """
def train_network(pictures, masks):
    x = inputs = keras.Input((None, None, 1))
    for _ in range(3):
        x = layers.Conv2D(16, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.Activation("relu")(x)
    model = keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))
    jit = keras.backend.backend() == "jax"
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", jit_compile=jit)
    model.fit(pictures, masks, batch_size=8, epochs=12, verbose=0)
    return model
""",
        "logits instead of probabilities": network(
            ('layers.Conv2D(1, 1, activation="sigmoid")', "layers.Conv2D(1, 1)"),
            ('"binary_crossentropy"', "keras.losses.BinaryCrossentropy(from_logits=True)"),
        ),
        "never trained": network(
            ("    model.fit(pictures, masks, batch_size=8, epochs=12, verbose=0)\n", "")
        ),
        "softmax over one channel": network(('"sigmoid"', '"softmax"'), ("epochs=12", "epochs=1")),
        "enlarged to the training pictures' sizes (hidden tests only)": network(
            (
                "x = layers.Conv2DTranspose(channels, 2, strides=2)(x)",
                "x = layers.Resizing(32 * 8 // channels, 32 * 8 // channels)(x)",
            )
        ),
        "pictures turned upside down without their masks": network(
            ("model.fit(pictures,", "model.fit(pictures[:, ::-1],")
        ),
        "no padding": network(
            ('padding="same"', 'padding="valid"'),
            ("layers.Concatenate()([across.pop(), x])", "x"),
            ("epochs=12", "epochs=1"),
        ),
    },
}
