"""Wrong answers to the exercises of lesson 05: grade id → title of the error → source."""

BLOCK = """
def build_halving_block(into, channels, gamma):
    def conv_norm(x, size, step, start=1.0):
        x = layers.Conv2D(channels, size, strides=step, padding="same", use_bias=False)(x)
        start = keras.initializers.Constant(start)
        return layers.BatchNormalization(gamma_initializer=start)(x)

    maps = keras.Input((None, None, into))
    branch = {inside}(conv_norm(maps, 3, {steps[0]}))
    branch = conv_norm(branch, 3, {steps[1]}, {gamma})
    shortcut = {shortcut}
    return keras.Model(maps, {out})
"""


def block(**changed):
    parts = {
        "inside": 'layers.Activation("relu")',
        "steps": (2, 1),
        "gamma": "gamma",
        "shortcut": "conv_norm(maps, 1, 2)",
        "out": 'layers.Activation("relu")(layers.Add()([shortcut, branch]))',
    }
    return BLOCK.format(**parts | changed)


STITCH = """
def stitch_all(network, picture, window, step):
    height, width = picture.shape
    scores = np.zeros((height - window + 1, width - window + 1))
    for down in range({steps}):
        for right in range({steps}):
            {line}
    return scores
"""


def stitch(line="scores[down::step, right::step] = network(picture[down:, right:])", steps="step"):
    return STITCH.format(line=line, steps=steps)


WRONG = {
    "window-and-step": {
        "from the first layer on, with each layer's own step": """
def window_and_step(stack):
    window, step = 1, 1
    for size, stride in stack:
        window = (window - 1) * stride + size
        step *= stride
    return window, step
""",
        "steps do not count for the window": """
def window_and_step(stack):
    return 1 + sum(size - 1 for size, _ in stack), int(np.prod([step for _, step in stack]))
""",
        "a layer's own step counts for its own window": """
def window_and_step(stack):
    window, step = 1, 1
    for size, stride in stack:
        step *= stride
        window += (size - 1) * step
    return window, step
""",
        "steps are added": """
def window_and_step(stack):
    window, step = 1, 1
    for size, stride in stack:
        window += (size - 1) * step
        step += stride - 1
    return window, step
""",
        "one too many at each layer": """
def window_and_step(stack):
    window, step = 1, 1
    for size, stride in reversed(stack):
        window = window * stride + size
        step *= stride
    return window, step
""",
        "all windows are taken for 3 wide (hidden only)": """
def window_and_step(stack):
    window, step = 1, 1
    for size, stride in reversed(stack):
        window = (window - 1) * stride + (4 if size == 4 else 3)
        step *= stride
    return window, step
""",
        "all steps are taken for 1 or 2, as in the visible stacks (hidden only)": """
def window_and_step(stack):
    window, step = 1, 1
    for size, stride in reversed(stack):
        window = (window - 1) * min(stride, 2) + size
        step *= min(stride, 2)
    return window, step
""",
        "layers of 1×1 are left out, and their steps with them (hidden only)": """
def window_and_step(stack):
    window, step = 1, 1
    for size, stride in reversed(stack):
        if size > 1:
            window = (window - 1) * stride + size
            step *= stride
    return window, step
""",
    },
    "kernel-from-torch": {
        "the lesson's reshape, on the weights turned over": """
def kernel_from_torch(weights, height, width):
    return weights.T.reshape(height, width, -1, len(weights))
""",
        "one reshape and nothing else": """
def kernel_from_torch(weights, height, width):
    return weights.reshape(height, width, -1, len(weights))
""",
        "the axes of a PyTorch convolution": """
def kernel_from_torch(weights, height, width):
    return weights.reshape(len(weights), -1, height, width)
""",
        "outputs before channels": """
def kernel_from_torch(weights, height, width):
    return weights.reshape(len(weights), -1, height, width).transpose(2, 3, 0, 1)
""",
        "height and width in the wrong order (hidden only)": """
def kernel_from_torch(weights, height, width):
    return weights.reshape(len(weights), -1, width, height).transpose(3, 2, 1, 0)
""",
        "two channels, as in the example": """
def kernel_from_torch(weights, height, width):
    return weights.reshape(len(weights), 2, height, width).transpose(2, 3, 1, 0)
""",
    },
    "stitch-all": {
        "the coarse map, enlarged": """
def stitch_all(network, picture, window, step):
    rows, columns = (side - window + 1 for side in picture.shape)
    return np.kron(network(picture), np.ones((step, step)))[:rows, :columns]
""",
        "down and right exchanged": stitch(
            "part = network(picture[right:, down:]); target = scores[down::step, right::step]; "
            "rows, columns = min(len(part), len(target)), min(part.shape[1], target.shape[1]); "
            "target[:rows, :columns] = part[:rows, :columns]"
        ),
        "maps side by side, not interleaved": """
def stitch_all(network, picture, window, step):
    rows = [[network(picture[d:, r:]) for r in range(step)] for d in range(step)]
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])
""",
        "shifted along the diagonal only": """
def stitch_all(network, picture, window, step):
    height, width = picture.shape
    scores = np.zeros((height - window + 1, width - window + 1))
    for shift in range(step):
        scores[shift::step, shift::step] = network(picture[shift:, shift:])
    return scores
""",
        "the shift in the wrong direction": stitch(
            "scores[down::step, right::step] = network(np.roll(picture, (down, right), (0, 1)))"
            "[: len(scores[down::step]), : len(scores[0, right::step])]"
        ),
        "a call for each window": """
def stitch_all(network, picture, window, step):
    rows, columns = (side - window + 1 for side in picture.shape)
    return np.array([[network(picture[y : y + window, x : x + window])[0, 0]
                      for x in range(columns)] for y in range(rows)])
""",
        "a shift for each window": """
def stitch_all(network, picture, window, step):
    rows, columns = (side - window + 1 for side in picture.shape)
    return np.array([[network(picture[y:, x:])[0, 0] for x in range(columns)] for y in range(rows)])
""",
        "all maps are taken for as large as the first (hidden only)": """
def stitch_all(network, picture, window, step):
    rows, columns = network(picture).shape
    scores = np.zeros((rows * step, columns * step))
    for down in range(step):
        for right in range(step):
            scores[down::step, right::step] = network(picture[down:, right:])
    return scores
""",
        "a step of three (hidden only)": stitch(
            "scores[down::3, right::3] = network(picture[down:, right:])", steps="3"
        ),
        "window and step of one network": """
def stitch_all(network, picture, window, step):
    return scored(picture, 5, 1)
""",
        "the step taken from the window (hidden only)": stitch().replace(
            "    height, width", "    step = window - 2\n    height, width"
        ),
    },
    "halving-block": {
        "the gamma is forgotten": block(gamma="1.0"),
        "ReLU before the sum": block(
            out='layers.Add()([shortcut, layers.Activation("relu")(branch)])'
        ),
        "no ReLU at the end": block(out="layers.Add()([shortcut, branch])"),
        "laid one behind the other, not added": block(
            out='layers.Activation("relu")(layers.Concatenate()([shortcut, branch]))'
        ),
        "multiplied, not added": block(
            out='layers.Activation("relu")(layers.Multiply()([shortcut, branch]))'
        ),
        "a shortcut of 3×3": block(shortcut="conv_norm(maps, 3, 2)"),
        "a shortcut that averages first": block(
            shortcut="conv_norm(layers.AveragePooling2D(2)(maps), 1, 1)"
        ),
        "the lesson's shortcut, the map itself": block(shortcut="maps"),
        "no shortcut at all": block(out='layers.Activation("relu")(branch)'),
        "the step in the second convolution (hidden only)": block(steps=(1, 2)),
        "no ReLU inside (hidden only)": block(inside="layers.Activation('linear')"),
        "ReLU in the shortcut too (hidden only)": block(
            shortcut='layers.Activation("relu")(conv_norm(maps, 1, 2))'
        ),
        "ReLU on the branch, and after the sum (hidden only)": block(
            out='layers.Activation("relu")(layers.Add()([shortcut, layers.Activation("relu")(branch)]))'
        ),
        "no branch: the shortcut alone (hidden only)": block(
            out='layers.Activation("relu")(shortcut)'
        ),
        "gamma is either on or off (hidden only)": block(gamma="float(gamma > 0)"),
        "gamma at the first normalization (hidden only)": block(gamma="1.0").replace(
            "conv_norm(maps, 3, 2)", "conv_norm(maps, 3, 2, gamma)"
        ),
        "gamma at both normalizations (hidden only)": block().replace(
            "conv_norm(maps, 3, 2)", "conv_norm(maps, 3, 2, gamma)"
        ),
        "no first normalization (hidden only)": block().replace(
            "conv_norm(maps, 3, 2)",
            'layers.Conv2D(channels, 3, strides=2, padding="same", use_bias=False)(maps)',
        ),
        "ReLU before the first normalization (hidden only)": block(
            inside="layers.BatchNormalization()"
        ).replace(
            "conv_norm(maps, 3, 2)",
            'layers.Conv2D(channels, 3, strides=2, padding="same", activation="relu")(maps)',
        ),
        "a shortcut without normalization (hidden only)": block(
            shortcut='layers.Conv2D(channels, 1, strides=2, padding="same", use_bias=False)(maps)'
        ),
        "a fixed number of channels (hidden only)": block().replace("Conv2D(channels", "Conv2D(8"),
        "ReLU in front of the block (hidden only)": block()
        .replace(
            "    branch =", "    first = maps\n    maps = layers.ReLU()(maps)\n    branch =", 1
        )
        .replace("Model(maps", "Model(first"),
        "padded on all sides, as PyTorch does (hidden only)": block().replace(
            '        x = layers.Conv2D(channels, size, strides=step, padding="same"',
            '        x = layers.ZeroPadding2D(size // 2)(x)\n        x = layers.Conv2D(channels, size, strides=step, padding="valid"',
        ),
    },
}
