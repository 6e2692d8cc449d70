"""Wrong answers to the exercises of lesson 04: grade id → title of the error → source."""

PAIR = """
def pair_files(pictures, masks):
    def by_stem(names):
        found = {{}}
        for name in names:
            if {skip}:
                continue
            stem = {stem}
            if stem in found and {refuse}:
                raise ValueError(name)
            found[stem] = name
        return found

    first, second = by_stem(pictures), by_stem(masks)
    pairs = [(first[s], second[s]) for s in {order}(first.keys() & second.keys())]
    alone = [{both}[s] for s in {odd}]
    return pairs, sorted(alone)
"""


def pair(**changed):
    parts = {
        "skip": 'name.startswith(".")',
        "stem": 'name.rpartition(".")[0]',
        "refuse": "True",
        "order": "sorted",
        "both": "(first | second)",
        "odd": "first.keys() ^ second.keys()",
    }
    return PAIR.format(**parts | changed)


PREPARE = """
def prepare(picture, mask, size, mirror, turns, light):
    if mirror:
        {mirror}
    {turn}
    picture = cv2.resize(picture, {size}, interpolation=cv2.{average})
    mask = cv2.resize(mask, {size}, interpolation=cv2.{nearest})
    {light}
    return picture, mask
"""


def prepare(**changed):
    parts = {
        "mirror": "picture, mask = picture[:, ::-1], mask[:, ::-1]",
        "turn": "picture, mask = np.rot90(picture, turns), np.rot90(mask, turns)",
        "size": "size[::-1]",
        "average": "INTER_AREA",
        "nearest": "INTER_NEAREST_EXACT",
        "light": 'picture = np.clip(picture * light, 0, 255).astype("uint8")',
    }
    return PREPARE.format(**parts | changed)


PLACE = """
def part_of_place(name, salt, test, validation):
    place = {place}
    lot = {lot}
    if lot {below} test:
        return "test"
    return "validation" if lot {below} {upper} else "train"
"""


def place(**changed):
    parts = {
        "place": 'name.rpartition("-")[0]',
        "lot": "zlib.crc32((salt + place).encode()) % 100",
        "below": "<",
        "upper": "test + validation",
    }
    return PLACE.format(**parts | changed)


WRONG = {
    "pair-files": {
        "sorted listings, zipped": """
def pair_files(pictures, masks):
    pictures, masks = (sorted(n for n in names if n[0] != ".") for names in (pictures, masks))
    pairs = list(zip(pictures, masks))
    return pairs, sorted(pictures[len(pairs):] + masks[len(pairs):])
""",
        "files whose name begins with a dot stay in": pair(skip="False"),
        "the last of two equal names wins": pair(refuse="False"),
        "pictures without a mask only": pair(odd="first.keys() - second.keys()"),
        "pairs in the order of the listing": pair(
            order="(lambda both: [s for s in first if s in both])"
        ),
        "names without their endings": """
def pair_files(pictures, masks):
    stems = [{n.rpartition(".")[0] for n in names if n[0] != "."} for names in (pictures, masks)]
    return [(s, s) for s in sorted(stems[0] & stems[1])], sorted(stems[0] ^ stems[1])
""",
        "pairs sorted by the whole name (hidden only)": pair(order="").replace(
            "return pairs,", "return sorted(pairs),"
        ),
        "the first dot, not the last (hidden only)": pair(stem='name.partition(".")[0]'),
        "an equal name minds only with a partner (hidden only)": """
def pair_files(pictures, masks):
    def by_stem(names):
        found = {}
        for name in names:
            if not name.startswith("."):
                found.setdefault(name.rpartition(".")[0], []).append(name)
        return found
    first, second = by_stem(pictures), by_stem(masks)
    pairs, alone = [], []
    for stem in sorted(first.keys() | second.keys()):
        if stem in first and stem in second:
            if len(first[stem]) > 1 or len(second[stem]) > 1:
                raise ValueError(stem)
            pairs.append((first[stem][0], second[stem][0]))
        else:
            alone += first.get(stem, []) + second.get(stem, [])
    return pairs, sorted(alone)
""",
        "equal names refused among pictures only (hidden only)": pair(refuse="names is pictures"),
    },
    "prepare-pair": {
        "the mask is not mirrored": prepare(mirror="picture = picture[:, ::-1]"),
        "the size is taken as width, height": prepare(size="size"),
        "the mask is scaled bilinearly": prepare(nearest="INTER_LINEAR"),
        "the picture is scaled by nearest neighbour": prepare(average="INTER_NEAREST_EXACT"),
        "the picture is scaled bilinearly": prepare(average="INTER_LINEAR"),
        "bright values begin again at 0": prepare(
            light='picture = (picture * light).astype("uint8")'
        ),
        "the picture comes back as floats from 0 to 1": prepare(
            light="picture = np.clip(picture * light, 0, 255) / 255"
        ),
        "light falls on the mask too": prepare(
            light="picture, mask = (np.clip(a * light, 0, 255).astype('uint8') for a in (picture, mask))"
        ),
        "clockwise": prepare(
            turn="picture, mask = np.rot90(picture, -turns), np.rot90(mask, -turns)"
        ),
        "one turn at most (hidden only)": prepare(
            turn="picture, mask = (np.rot90(a, min(turns, 1)) for a in (picture, mask))"
        ),
        "turned before mirrored (hidden only)": """
def prepare(picture, mask, size, mirror, turns, light):
    picture, mask = np.rot90(picture, turns), np.rot90(mask, turns)
    if mirror:
        picture, mask = picture[:, ::-1], mask[:, ::-1]
    picture = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
    mask = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return np.clip(picture * light, 0, 255).astype("uint8"), mask
""",
        "the careless version": """
def prepare(picture, mask, size, mirror, turns, light):
    return careless(picture, mask, size, mirror, turns, light)
""",
    },
    "part-of-place": {
        "the whole name draws the lot": place(place="name"),
        "the place ends at the first hyphen": place(place='name.partition("-")[0]'),
        "no salt": place(lot="zlib.crc32(place.encode()) % 100"),
        "the first two digits, not the last": place(
            lot="int(str(zlib.crc32((salt + place).encode()))[:2])"
        ),
        "the last digit only": place(lot="zlib.crc32((salt + place).encode()) % 10 * 10"),
        "a number has three digits (hidden only)": place(place="name[:-4]"),
        "validation up to its own share, not on top of test": place(upper="validation"),
        "one lot too many for each part (hidden only)": place(below="<="),
        "a place has one hyphen at most (hidden only)": place(
            place='"-".join(name.split("-")[: min(2, name.count("-"))])'
        ),
        "shares of the lesson": place()
        .replace("lot < test +", "lot < 10 +")
        .replace("+ validation", "+ 20"),
    },
    "batch-rows": {
        "one generator for all calls": """
generator = np.random.default_rng(0)

def batch_rows(pictures, batch_size, seed, epoch, number):
    order = generator.permutation(pictures)
    return order[number * batch_size : (number + 1) * batch_size]
""",
        "the two numbers written one behind the other (hidden only)": """
def batch_rows(pictures, batch_size, seed, epoch, number):
    import zlib
    order = np.random.default_rng(zlib.crc32(f"{seed}{epoch}".encode())).permutation(pictures)
    return order[number * batch_size : (number + 1) * batch_size]
""",
        "every batch draws for itself": """
def batch_rows(pictures, batch_size, seed, epoch, number):
    return np.random.default_rng((seed, epoch, number)).permutation(pictures)[:batch_size]
""",
        "with replacement": """
def batch_rows(pictures, batch_size, seed, epoch, number):
    rows = np.random.default_rng((seed, epoch)).integers(0, pictures, pictures)
    return rows[number * batch_size : (number + 1) * batch_size]
""",
        "the epoch has no say": """
def batch_rows(pictures, batch_size, seed, epoch, number):
    order = np.random.default_rng(seed).permutation(pictures)
    return order[number * batch_size : (number + 1) * batch_size]
""",
        "the seed has no say": """
def batch_rows(pictures, batch_size, seed, epoch, number):
    order = np.random.default_rng(epoch).permutation(pictures)
    return order[number * batch_size : (number + 1) * batch_size]
""",
        "no shuffling": """
def batch_rows(pictures, batch_size, seed, epoch, number):
    return np.arange(number * batch_size, (number + 1) * batch_size)
""",
        "pieces begin one row apart": """
def batch_rows(pictures, batch_size, seed, epoch, number):
    order = np.random.default_rng((seed, epoch)).permutation(pictures)
    return order[number : number + batch_size]
""",
        "seed plus epoch (hidden only)": """
def batch_rows(pictures, batch_size, seed, epoch, number):
    order = np.random.default_rng(seed + epoch).permutation(pictures)
    return order[number * batch_size : (number + 1) * batch_size]
""",
        "ten epochs at most (hidden only)": """
def batch_rows(pictures, batch_size, seed, epoch, number):
    order = np.random.default_rng(seed * 10 + epoch).permutation(pictures)
    return order[number * batch_size : (number + 1) * batch_size]
""",
        "a hundred epochs at most (hidden only)": """
def batch_rows(pictures, batch_size, seed, epoch, number):
    order = np.random.default_rng(seed * 100 + epoch).permutation(pictures)
    return order[number * batch_size : (number + 1) * batch_size]
""",
        "a thousand seeds at most (hidden only)": """
def batch_rows(pictures, batch_size, seed, epoch, number):
    order = np.random.default_rng(1000 * epoch + seed).permutation(pictures)
    return order[number * batch_size : (number + 1) * batch_size]
""",
        "thirty-one times the seed (hidden only)": """
def batch_rows(pictures, batch_size, seed, epoch, number):
    order = np.random.default_rng(31 * seed + epoch).permutation(pictures)
    return order[number * batch_size : (number + 1) * batch_size]
""",
        "the order of the seed, rolled by the epoch (hidden only)": """
def batch_rows(pictures, batch_size, seed, epoch, number):
    order = np.roll(np.random.default_rng(seed).permutation(pictures), epoch)
    return order[number * batch_size : (number + 1) * batch_size]
""",
        "the end is cut off before shuffling (hidden only)": """
def batch_rows(pictures, batch_size, seed, epoch, number):
    full = pictures // batch_size * batch_size
    order = np.random.default_rng((seed, epoch)).permutation(full)
    return order[number * batch_size : (number + 1) * batch_size]
""",
    },
}
