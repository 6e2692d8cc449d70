"""Wrong answers to the exercises of lesson 10: each must lose the points of its task."""

WRONG = {
    "pixels-seen": {
        "from the first window to the last": """
def pixels_seen(windows, place):
    first = last = place
    for taps, stride, rate in windows:
        first = first * stride
        last = last * stride + (taps - 1) * rate
    return first, last
""",
        "one pixel too many": """
def pixels_seen(windows, place):
    first = last = place
    for taps, stride, rate in reversed(windows):
        first = first * stride
        last = last * stride + (taps - 1) * rate + 1
    return first, last
""",
        "windows laid on their centres": """
def pixels_seen(windows, place):
    first = last = place
    for taps, stride, rate in reversed(windows):
        first = first * stride - (taps - 1) * rate // 2
        last = last * stride + (taps - 1) * rate // 2
    return first, last
""",
        "only the width": """
def pixels_seen(windows, place):
    width, jump = 1, 1
    for taps, stride, rate in windows:
        width, jump = width + (taps - 1) * rate * jump, jump * stride
    return width
""",
        "the stride counted for its own window too": """
def pixels_seen(windows, place):
    first, width, jump = place, 1, 1
    for taps, stride, rate in windows:
        jump *= stride
        width += (taps - 1) * rate * jump
        first *= stride
    return first, first + width - 1
""",
        "all windows have three taps or a rate of 1 (hidden tests only)": """
def pixels_seen(windows, place):
    first = last = place
    for taps, stride, rate in reversed(windows):
        first = first * stride
        last = last * stride + (2 * rate if taps == 3 else taps - 1)
    return first, last
""",
    },
    "rates-without-holes": {
        "doubling, whatever the width": """
def rates_without_holes(width, depth):
    if not 2 * depth + 1 <= width <= 3**depth:
        raise ValueError("no such rates")
    return 2 ** np.arange(depth)
""",
        "all rates equal": """
def rates_without_holes(width, depth):
    rate, rest = divmod(width // 2, depth)
    if rest or rate < 1:
        raise ValueError("no such rates")
    return np.full(depth, rate)
""",
        "the right sum, with holes": """
def rates_without_holes(width, depth):
    if not 2 * depth + 1 <= width <= 3**depth:
        raise ValueError("no such rates")
    return np.array([1] * (depth - 1) + [width // 2 - depth + 1])
""",
        "rates of zero to fill up (hidden tests only)": """
def rates_without_holes(width, depth):
    left, rates = width // 2, []
    for _ in range(depth):
        rates.append(min(1 + 2 * sum(rates), left))
        left -= rates[-1]
    if left:
        raise ValueError("no such rates")
    return np.array(rates)
""",
        "the next rate at most the last one's double (hidden tests only)": """
def rates_without_holes(width, depth):
    left, rates = width // 2, []
    for later in reversed(range(depth)):
        most = 3 * rates[-1] if len(rates) == 1 else 2 * rates[-1] if rates else 1
        rates.append(min(most, left - later))
        left -= rates[-1]
    if left or min(rates) < 1:
        raise ValueError("no such rates")
    return np.array(rates)
""",
        "None where there are none": """
def rates_without_holes(width, depth):
    left, rates = width // 2, []
    for later in reversed(range(depth)):
        rates.append(min(1 + 2 * sum(rates), left - later))
        left -= rates[-1]
    return None if left or min(rates) < 1 else np.array(rates)
""",
        "the visible cases by heart (hidden tests only)": """
def rates_without_holes(width, depth):
    known = {(3, 1): [1], (5, 2): [1, 1], (7, 2): [1, 2], (9, 2): [1, 3], (17, 3): [1, 2, 5]}
    if (width, depth) not in known:
        raise ValueError("no such rates")
    return np.array(known[width, depth])
""",
    },
    "dense-scores": {
        "strides gone, no rates": """
def dense_scores(images, kernels):
    first, second, third = kernels
    x = ops.relu(ops.conv(images, first, padding="valid"))
    x = ops.relu(ops.conv(x, second, padding="valid"))
    return ops.conv(x, third, padding="valid")
""",
        "a rate in the place of each stride": """
def dense_scores(images, kernels):
    first, second, third = kernels
    x = ops.relu(ops.conv(images, first, padding="valid", dilation_rate=2))
    x = ops.relu(ops.conv(x, second, padding="valid", dilation_rate=2))
    return ops.conv(x, third, padding="valid")
""",
        "rate 2 twice": """
def dense_scores(images, kernels):
    first, second, third = kernels
    x = ops.relu(ops.conv(images, first, padding="valid"))
    x = ops.relu(ops.conv(x, second, padding="valid", dilation_rate=2))
    return ops.conv(x, third, padding="valid", dilation_rate=2)
""",
        "the coarse answers enlarged bilinearly": """
def dense_scores(images, kernels):
    size = images.shape[1] - 14, images.shape[2] - 14
    return ops.image.resize(strided_scores(images, kernels), size, interpolation="bilinear")
""",
        "padded to the picture's size": """
def dense_scores(images, kernels):
    first, second, third = kernels
    x = ops.relu(ops.conv(images, first, padding="same"))
    x = ops.relu(ops.conv(x, second, padding="same", dilation_rate=2))
    return ops.conv(x, third, padding="same", dilation_rate=4)
""",
        "no ReLU between them": """
def dense_scores(images, kernels):
    first, second, third = kernels
    x = ops.conv(images, first, padding="valid")
    x = ops.conv(x, second, padding="valid", dilation_rate=2)
    return ops.conv(x, third, padding="valid", dilation_rate=4)
""",
        "right in every fourth place, repeated between (hidden tests only)": """
def dense_scores(images, kernels):
    size = images.shape[1] - 14, images.shape[2] - 14
    coarse = strided_scores(images, kernels)
    return ops.repeat(ops.repeat(coarse, 4, axis=1), 4, axis=2)[:, : size[0], : size[1]]
""",
    },
    "mean-field-in-turn": {
        "all pixels at once": """
def mean_field_in_turn(unary, kernel, rounds):
    pull = kernel * (1 - np.eye(len(kernel)))
    def softmax(scores):
        e = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)
    q = softmax(-unary)
    for _ in range(rounds):
        q = softmax(pull @ q - unary)
    return q
""",
        "a pixel votes on itself": """
def mean_field_in_turn(unary, kernel, rounds):
    def softmax(scores):
        e = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)
    q = softmax(-unary)
    for _ in range(rounds):
        for i in range(len(q)):
            q[i] = softmax(kernel[i] @ q - unary[i])
    return q
""",
        "softmax over the pixels": """
def mean_field_in_turn(unary, kernel, rounds):
    pull = kernel * (1 - np.eye(len(kernel)))
    def softmax(scores):
        e = np.exp(scores - scores.max(axis=0))
        return e / e.sum(axis=0)
    q = softmax(-unary)
    for _ in range(rounds):
        for i in range(len(q)):
            q[i] = softmax(pull[i] @ q - unary[i])
    return q
""",
        "the unary added": """
def mean_field_in_turn(unary, kernel, rounds):
    pull = kernel * (1 - np.eye(len(kernel)))
    def softmax(scores):
        e = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)
    q = softmax(unary)
    for _ in range(rounds):
        for i in range(len(q)):
            q[i] = softmax(pull[i] @ q + unary[i])
    return q
""",
        "the old q in place of the unary (hidden tests only)": """
def mean_field_in_turn(unary, kernel, rounds):
    pull = kernel * (1 - np.eye(len(kernel)))
    def softmax(scores):
        e = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)
    q = softmax(-unary)
    for _ in range(rounds):
        for i in range(len(q)):
            with np.errstate(divide="ignore"):
                q[i] = softmax(pull[i] @ q + np.log(q[i]))
    return q
""",
        "one round, whatever is asked (hidden tests only)": """
def mean_field_in_turn(unary, kernel, rounds):
    pull = kernel * (1 - np.eye(len(kernel)))
    def softmax(scores):
        e = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)
    q = softmax(-unary)
    for i in range(len(q) if rounds else 0):
        q[i] = softmax(pull[i] @ q - unary[i])
    return q
""",
        "one largest number for all pixels (hidden tests only)": """
def mean_field_in_turn(unary, kernel, rounds):
    pull = kernel * (1 - np.eye(len(kernel)))
    def softmax(scores):
        with np.errstate(all="ignore"):
            e = np.exp(scores - scores.max())
            return e / e.sum(axis=-1, keepdims=True)
    q = softmax(-unary)
    for _ in range(rounds):
        for i in range(len(q)):
            q[i] = softmax(pull[i] @ q - unary[i])
    return q
""",
        "exp of large numbers (hidden tests only)": """
def mean_field_in_turn(unary, kernel, rounds):
    pull = kernel * (1 - np.eye(len(kernel)))
    def softmax(scores):
        with np.errstate(all="ignore"):
            return np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    q = softmax(-unary)
    for _ in range(rounds):
        for i in range(len(q)):
            q[i] = softmax(pull[i] @ q - unary[i])
    return q
""",
    },
}
