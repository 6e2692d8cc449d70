"""What torchvision's DeepLabV3 answers to a picture and weights made by a rule.

``python tests/reference/deeplab_torchvision.py`` (with torch and torchvision installed) writes
deeplab_torchvision.npz beside this file, which tests/test_deeplab.py compares ours with. Neither
the weights nor the picture need be stored: :func:`weight` and :func:`picture` make them again.
"""

import zlib
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_suffix(".npz")
CLASSES = 21
SIZE = (301, 315)  # a map of 38×40 at stride 8, larger than the largest rate
EVERY = 12  # of the logits, so many pixels apart are stored


def picture():
    """(1, height, width, 3) uint8."""
    return np.random.default_rng(0).integers(0, 256, (1, *SIZE, 3)).astype("uint8")


def weight(layer, variable, shape):
    """The weight that our layer `layer` keeps under the name `variable`, from its names and shape."""
    values = np.random.default_rng(zlib.crc32(f"{layer}/{variable}".encode()))
    values = values.normal(size=shape).astype("float32")
    if variable == "kernel":
        return values * np.sqrt(2 / np.prod(shape[:-1]), dtype="float32")
    if variable in ("gamma", "moving_variance"):
        return 0.5 + 0.1 * np.abs(values)
    return 0.1 * values


def logits():
    """Those of torchvision, (1, height, width, classes) float32, at output stride 8."""
    import torch
    from torchvision.models.segmentation import deeplabv3_resnet50

    model = deeplabv3_resnet50(
        weights=None, weights_backbone=None, num_classes=CLASSES, aux_loss=False
    ).eval()
    for stage, rate in ((2, 1), (3, 2), (4, 4)):
        # The paper strides in the first 1×1 of a block, torchvision in the 3×3 after it.
        block = model.backbone[f"layer{stage}"][0]
        block.conv1.stride, block.conv2.stride = block.conv2.stride, (1, 1)
        block.conv2.dilation = block.conv2.padding = (rate, rate)
    names = {theirs: ours for ours, theirs in _names(model)}
    state = {}
    for key, value in model.state_dict().items():
        module, _, parameter = key.rpartition(".")
        if parameter != "num_batches_tracked":
            state[key] = torch.from_numpy(_turned(names[module], parameter, tuple(value.shape)))
    model.load_state_dict(state, strict=False)
    x = torch.from_numpy(picture().astype("float32") / 127.5 - 1).permute(0, 3, 1, 2)
    with torch.no_grad():
        return model(x)["out"].permute(0, 2, 3, 1).numpy()


def _turned(layer, parameter, shape):
    """The weight as torch keeps it: kernels (out, in, height, width)."""
    if len(shape) == 4:
        out, into, height, width = shape
        return weight(layer, "kernel", (height, width, into, out)).transpose(3, 2, 0, 1).copy()
    ours = {
        "weight": "gamma",
        "bias": "bias" if layer == "score" else "beta",
        "running_mean": "moving_mean",
        "running_var": "moving_variance",
    }
    return weight(layer, ours[parameter], shape)


def _names(model):
    """Pairs of our layer's name and torchvision's module with the same weights."""
    yield from [("conv1", "backbone.conv1"), ("conv1_norm", "backbone.bn1")]
    for stage in (1, 2, 3, 4):
        for block in range(len(model.backbone[f"layer{stage}"])):
            ours, theirs = f"stage{stage + 1}_block{block + 1}", f"backbone.layer{stage}.{block}"
            for i in (1, 2, 3):
                yield f"{ours}_conv{i}", f"{theirs}.conv{i}"
                yield f"{ours}_conv{i}_norm", f"{theirs}.bn{i}"
            yield f"{ours}_shortcut", f"{theirs}.downsample.0"
            yield f"{ours}_shortcut_norm", f"{theirs}.downsample.1"
    head = "classifier.0"
    for ours, theirs in (
        ("aspp_1x1", f"{head}.convs.0.0"),
        ("aspp_rate12", f"{head}.convs.1.0"),
        ("aspp_rate24", f"{head}.convs.2.0"),
        ("aspp_rate36", f"{head}.convs.3.0"),
        ("aspp_image", f"{head}.convs.4.1"),
        ("aspp", f"{head}.project.0"),
        ("head", "classifier.1"),
    ):
        module, _, number = theirs.rpartition(".")
        yield from [(ours, theirs), (f"{ours}_norm", f"{module}.{int(number) + 1}")]
    yield "score", "classifier.4"


if __name__ == "__main__":
    np.savez_compressed(FILE, logits=logits()[:, ::EVERY, ::EVERY])
