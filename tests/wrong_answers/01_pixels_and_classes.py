"""Wrong answers to the exercises of lesson 01: grade id → title of the error → source."""

RELABEL = """
def relabel(mask, new_ids):
    unknown = [id for id in np.unique(mask).tolist() if id not in new_ids]
    if unknown:
        raise ValueError(f"There is no new id for {unknown}.")
    table = np.zeros(256, np.uint8)
    for old, new in new_ids.items():
        table[old] = new
    return table[mask]
"""

UNKNOWN = """
def unknown_colors(rgb, palette):
    same = (rgb[:, :, None] == palette).all(axis=-1)
    return ~same.any(axis=-1)
"""

BOXES = """
def boxes_of(panoptic, id):
    boxes = []
    for number in np.unique(panoptic):
        if number // 1000 == id and number % 1000:
            y, x = np.nonzero(panoptic == number)
            left, top = x.min(), y.min()
            boxes.append([left, top, x.max() - left + 1, y.max() - top + 1])
    return boxes
"""

SHARE = """
def share_where_present(masks, classes):
    own, around = np.zeros(classes), np.zeros(classes)
    for mask in masks:
        counts = np.bincount(mask.ravel(), minlength=classes)
        own += counts
        around[counts > 0] += mask.size
    with np.errstate(invalid="ignore"):
        return own / around
"""


PACKED = """
def unknown_colors(rgb, palette):
    weights = np.array({weights})
    return ~np.isin(rgb.astype(int) @ weights, palette.astype(int) @ weights)
"""


def packed(weights):
    return PACKED.format(weights=weights)


def changed(source, old, new):
    """`source` with one piece exchanged, which must be there."""
    assert old in source, old
    return source.replace(old, new)


WRONG = {
    "relabel": {
        "one id after the other in one array": """
def relabel(mask, new_ids):
    if not np.isin(mask, list(new_ids)).all():
        raise ValueError("an id has no new one")
    mask = mask.copy()
    for old, new in new_ids.items():
        mask[mask == old] = new
    return mask
""",
        "an id without a new one becomes 0": changed(RELABEL, "if unknown:", "if False:"),
        "an id without a new one stays": changed(
            changed(RELABEL, "if unknown:", "if False:"),
            "np.zeros(256, np.uint8)",
            "np.arange(256).astype(np.uint8)",
        ),
        "looked up in the dictionary, which raises KeyError": """
def relabel(mask, new_ids):
    return np.vectorize(lambda id: new_ids[id], otypes=[np.uint8])(mask)
""",
        "int64": changed(RELABEL, "np.zeros(256, np.uint8)", "np.zeros(256, int)"),
        "only ids above the largest key are refused": changed(
            RELABEL, "if unknown:", "if mask.max() > max(new_ids):"
        ),
        "a table for the 24 classes only": changed(RELABEL, "np.zeros(256", "np.zeros(24"),
        "new ids looked up the wrong way round": changed(
            RELABEL, "table[old] = new", "table[new] = old"
        ),
        "refuses keys that are not in the mask": changed(
            RELABEL, "if unknown:", "if set(np.unique(mask).tolist()) != set(new_ids):"
        ),
        "id 0 taken for none": changed(
            RELABEL, "if id not in new_ids", "if id and id not in new_ids"
        ),
        "255 taken for no new id (hidden only)": """
def relabel(mask, new_ids):
    table = np.full(256, 255, np.uint8)
    for old, new in new_ids.items():
        table[old] = new
    if (table[mask] == 255).any():
        raise ValueError(f"no new id for {np.unique(mask[table[mask] == 255])}")
    return table[mask]
""",
        "the error does not name the id": changed(
            RELABEL, 'f"There is no new id for {unknown}."', '"There is no new id."'
        ),
        "gives the error back": changed(RELABEL, "raise ValueError(", "return str("),
        "254 taken for no new id (hidden only)": """
def relabel(mask, new_ids):
    table = np.full(256, 254, np.uint8)
    for old, new in new_ids.items():
        table[old] = new
    if (table[mask] == 254).any():
        raise ValueError(f"There is no new id for {np.unique(mask[table[mask] == 254])}.")
    return table[mask]
""",
    },
    "unknown-colors": {
        "each channel on its own": changed(
            UNKNOWN,
            "same = (rgb[:, :, None] == palette).all(axis=-1)\n",
            "same = np.stack([np.isin(rgb[..., i], palette[:, i]) for i in range(3)], -1)\n",
        ).replace("~same.any", "~same.all"),
        "any in place of all": changed(UNKNOWN, ".all(axis=-1)", ".any(axis=-1)"),
        "all in place of any": changed(UNKNOWN, "same.any", "same.all"),
        "True where the colour is known": changed(UNKNOWN, "~same", "same"),
        "the sums of the channels compared": """
def unknown_colors(rgb, palette):
    return ~np.isin(rgb.astype(int).sum(axis=-1), palette.astype(int).sum(axis=-1))
""",
        "packed into one number that overflows": """
def unknown_colors(rgb, palette):
    weights = np.array([65536, 256, 1]).astype(np.uint8)
    return ~np.isin((rgb * weights).sum(axis=-1), (palette * weights).sum(axis=-1))
""",
        "packed in base 255 (hidden only)": packed([255 * 255, 255, 1]),
        "near colours let through": """
def unknown_colors(rgb, palette):
    far = np.abs(rgb[:, :, None].astype(int) - palette).max(axis=-1)
    return far.min(axis=-1) > 1
""",
        "grey levels compared": """
def unknown_colors(rgb, palette):
    return ~np.isin(rgb.mean(axis=-1).astype(int), palette.mean(axis=-1).astype(int))
""",
        "the answers of the visible cases": """
def unknown_colors(rgb, palette):
    listed = [[0, 103, 0], [0, 64, 0], [128, 0, 128]]
    return np.array([[pixel in listed for pixel in row] for row in rgb.tolist()])
""",
        "blue is forgotten (hidden only)": UNKNOWN.replace(
            "[:, :, None] == palette)", "[:, :, None, :2] == palette[:, :2])"
        ),
        "packed with hundreds and ten thousands (hidden only)": packed([10000, 100, 1]),
        "packed with tens and hundreds (hidden only)": packed([100, 10, 1]),
    },
    "boxes-of": {
        "width and height short by one": BOXES.replace(" + 1", ""),
        "x and y exchanged": changed(BOXES, "y, x = np", "x, y = np"),
        "corners in place of sizes": changed(
            BOXES, "x.max() - left + 1, y.max() - top + 1", "x.max(), y.max()"
        ),
        "height before width": changed(
            BOXES, "x.max() - left + 1, y.max() - top + 1", "y.max() - top + 1, x.max() - left + 1"
        ),
        "no object counted as one": changed(BOXES, " and number % 1000", ""),
        "the objects of all classes": changed(BOXES, "number // 1000 == id and ", ""),
        "one box for the whole class": """
def boxes_of(panoptic, id):
    y, x = np.nonzero((panoptic // 1000 == id) & (panoptic % 1000 > 0))
    if not len(x):
        return []
    return [[x.min(), y.min(), x.max() - x.min() + 1, y.max() - y.min() + 1]]
""",
        "blobs in place of objects": """
import cv2

def boxes_of(panoptic, id):
    wanted = ((panoptic // 1000 == id) & (panoptic % 1000 > 0)).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(wanted)
    return stats[1:, :4].tolist()
""",
        "objects numbered without gaps": """
def boxes_of(panoptic, id):
    boxes, number = [], 1
    while (panoptic == id * 1000 + number).any():
        y, x = np.nonzero(panoptic == id * 1000 + number)
        boxes.append([x.min(), y.min(), x.max() - x.min() + 1, y.max() - y.min() + 1])
        number += 1
    return boxes
""",
        "in the order in which they are met": """
def boxes_of(panoptic, id):
    boxes = []
    for number in dict.fromkeys(panoptic.ravel().tolist()):
        if number // 1000 == id and number % 1000:
            y, x = np.nonzero(panoptic == number)
            boxes.append([x.min(), y.min(), x.max() - x.min() + 1, y.max() - y.min() + 1])
    return boxes
""",
        "the number of pixels for the height": changed(
            BOXES, "y.max() - top + 1]", "len(y) // (x.max() - left + 1)]"
        ),
        "the class above has number 1000": BOXES.replace(
            "np.unique(panoptic):", "np.unique(panoptic):\n        number = number - 1"
        )
        .replace("number % 1000", "True")
        .replace("panoptic == number", "panoptic == number + 1"),
        "objects 100, 200 and so on are dropped (hidden only)": changed(
            BOXES, "number % 1000:", "number % 100:"
        ),
    },
    "share-where-present": {
        "the share of all pixels": changed(SHARE, "around[counts > 0]", "around"),
        "the mean of the pictures' shares": """
def share_where_present(masks, classes):
    shares = np.zeros(classes)
    presence = np.zeros(classes)
    for mask in masks:
        counts = np.bincount(mask.ravel(), minlength=classes)
        shares += counts / mask.size
        presence += counts > 0
    with np.errstate(invalid="ignore"):
        return shares / presence
""",
        "the share of pictures": changed(SHARE, "own += counts", "own += counts > 0").replace(
            "+= mask.size", "+= 1"
        ),
        "pixels for each picture": changed(SHARE, "+= mask.size", "+= 1"),
        "absent classes get zero": changed(SHARE, "own / around", "own / np.maximum(around, 1)"),
        "only the classes that occur": changed(SHARE, "own / around", "(own / around)[around > 0]"),
        "only the last picture counts": changed(SHARE, "] += mask.size", "] = mask.size"),
        "sizes of the first picture": changed(SHARE, "mask.size", "masks[0].size"),
        "columns in place of pixels": changed(SHARE, "mask.size", "2 * mask.shape[1]"),
        "the answers of the visible cases": """
def share_where_present(masks, classes):
    found = np.full(classes, np.nan)
    found[3:5] = 3 / 4, 1 / 4
    if masks[0].shape != masks[1].shape:
        found[[1, 3]] = 1 / 2, 7 / 12
    return found
""",
    },
}
