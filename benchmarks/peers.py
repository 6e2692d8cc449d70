"""What else a user would pick: networks of other libraries, each trained as its documentation trains it.

``python -m benchmarks.peers NETWORK FOLDER --minutes M [M …] [--rate R] [--seed S]`` runs in the
environment that :mod:`benchmarks.accuracy` makes from ``peers.txt``, and is called by it. FOLDER holds
the arrays that :func:`benchmarks.accuracy.write_pictures` leaves; into it go the label maps of the
validation pictures, one file for each of the minutes, and ``report.json``.

All start from random weights and see the course's own batches: flipped, turned, scaled and lit anew each
time from the largest copies, except where a library's author trains without, or the caller wants less.
All learn `unlabeled` as a class like any other, for so their documentation trains.
"""

import argparse
import json
import statistics
import time
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.results import labels_at
from course.classes import NUM_CLASSES as CLASSES
from course.data import FLIPS, Augmentation, Batches, Samples

VERSIONS = ("tensorflow", "keras", "tf_keras", "segmentation_models", "keras_hub", "numpy")
WAYS = {
    "all": Augmentation(),
    "flips": FLIPS,
    "flips and zoom": replace(FLIPS, zoom=1.25),
    "none": None,
}
WARM_UP, TIMED = 3, 15  # steps before the time of one is taken, and those it is the median of


@dataclass(frozen=True)
class Peer:
    """A network of another library and how its documentation trains it.

    build     rate, steps, size -> compiled model; called after the library's own imports
    source    where the settings were read
    size      (height, width) of its pictures
    batch     pictures a step
    rate      the documented learning rate
    scheduled whether the rate falls over the run, which then has to know its length
    augment   how pictures are changed at random, one of WAYS
    prepare   pictures (batch, height, width, 3) uint8 -> what the network wants
    output    factor of the labels' size to the pictures'
    """

    build: callable
    source: str
    batch: int
    rate: float
    size: tuple[int, int] = (192, 288)
    scheduled: bool = False
    augment: str = "all"
    prepare: callable = field(default=lambda images: images.astype("float32"))
    output: float = 1.0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=PEERS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, nargs="+", required=True)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--augment", choices=WAYS)
    options = parser.parse_args()
    peer = PEERS[options.network]
    peer = replace(peer, augment=options.augment or peer.augment)
    report = measure(peer, options)
    (options.folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")


def measure(peer, options):
    """Train for each of the minutes in turn, leaving what the network then makes of the pictures."""
    with np.load(options.folder / "pictures.npz") as stored:
        arrays = dict(stored)
    names = tuple(map(str, range(len(arrays["images"]))))
    samples = Samples(names, arrays["images"], arrays["masks"])
    augment = WAYS[peer.augment]
    if augment and augment.zoom > 1:
        augment = replace(augment, size=peer.size)
    stream = _stream(Batches(samples, peer.batch, augment, shuffle=True, seed=options.seed), peer)
    rate = options.rate or peer.rate
    # Beforehand, as for the course's networks: other work during the run then takes no steps away.
    seconds = _seconds_a_step(peer, rate, stream, options.seed)
    _set_seed(options.seed)
    model = peer.build(rate, _steps(options.minutes[-1], seconds), peer.size)
    taken, computing, losses, runs = [], [], [], []
    for minutes in options.minutes:
        while len(taken) < max(2, _steps(minutes, seconds)):
            start = time.perf_counter()
            batch = next(stream)
            ready = time.perf_counter()
            losses.append(float(np.ravel(model.train_on_batch(*batch))[0]))
            taken.append(time.perf_counter() - start)
            computing.append(taken[-1] - (ready - start))
        np.save(options.folder / f"{minutes:g}.npy", _labels(model, peer, arrays))
        recent = losses[-20:]
        runs.append({"minutes": minutes, "steps": len(taken), "seconds": round(sum(taken), 1)})
        runs[-1]["loss"] = round(sum(recent) / len(recent), 4)
        print(options.network, rate, runs[-1], flush=True)
    return {
        "rate": rate,
        "parameters": model.count_params(),
        "seconds a step": round(_usual(taken), 4),
        "seconds of it in the network": round(_usual(computing), 4),
        "batch": peer.batch,
        "size": peer.size,
        "pictures from": arrays["images"].shape[1:3],
        "versions": {name: version(name) for name in VERSIONS},
        "runs": runs,
    }


def _usual(taken):
    """The median time of a step, without the first, in which TensorFlow traces."""
    return statistics.median(taken[1:])


def _steps(minutes, seconds):
    return max(1, round(60 * minutes / seconds))


def _seconds_a_step(peer, rate, stream, seed):
    """By a network that is thrown away: what it costs to trace and to start is no training."""
    _set_seed(seed)
    model, taken = peer.build(rate, 1000, peer.size), []
    for _ in range(WARM_UP + TIMED):
        start = time.perf_counter()
        model.train_on_batch(*next(stream))
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[WARM_UP:])


def _stream(batches, peer):
    """Pictures and one-hot labels without end."""
    one_hot = np.eye(CLASSES, dtype="float32")
    step = round(1 / peer.output)
    while True:
        for i in range(len(batches)):
            images, masks = batches[i]
            yield peer.prepare(images), one_hot[masks[:, ::step, ::step]]
        batches.on_epoch_end()


def _labels(model, peer, arrays):
    """Label maps (pictures, height, width) uint8, as large as the truth."""
    size, found = tuple(arrays["truth_size"]), []
    for start in range(0, len(arrays["unseen"]), 4):
        scores = model.predict_on_batch(peer.prepare(arrays["unseen"][start : start + 4]))
        found.append(labels_at(size, np.asarray(scores, "float32")))
    return np.concatenate(found)


def _set_seed(seed):
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.random.set_seed(seed)


def _segmentation_models(name):
    def build(rate, steps, size):
        import segmentation_models as sm
        import tf_keras

        model = getattr(sm, name)(
            "resnet34",
            classes=CLASSES,
            activation="softmax",
            encoder_weights=None,
            input_shape=(*size, 3),
        )
        loss = sm.losses.DiceLoss() + sm.losses.CategoricalFocalLoss()
        model.compile(tf_keras.optimizers.Adam(rate), loss)
        return model

    return build


def _hub_deeplab(rate, steps, size):
    import keras
    import keras_hub

    encoder = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=[3, 4, 6, 3],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="bottleneck_block",
        image_shape=(*size, 3),
    )
    backbone = keras_hub.models.DeepLabV3Backbone(
        image_encoder=encoder,
        low_level_feature_key="P2",
        spatial_pyramid_pooling_key="P5",
        dilation_rates=[6, 12, 18],
        upsampling_size=8,
        image_shape=(*size, 3),
    )
    model = keras_hub.models.DeepLabV3ImageSegmenter(
        backbone=backbone, num_classes=CLASSES, activation="softmax"
    )
    model.compile(
        keras.optimizers.SGD(
            keras.optimizers.schedules.CosineDecay(rate, steps),
            weight_decay=0.0001,
            momentum=0.9,
            clipnorm=10.0,
        ),
        keras.losses.CategoricalCrossentropy(),
        metrics=[],
    )
    return model


def _hub_segformer(rate, steps, size):
    import keras
    import keras_hub

    encoder = keras_hub.models.MiTBackbone(
        layerwise_depths=[2, 2, 2, 2],
        num_layers=4,
        hidden_dims=[32, 64, 160, 256],
        layerwise_num_heads=[1, 2, 5, 8],
        layerwise_sr_ratios=[8, 4, 2, 1],
        max_drop_path_rate=0.1,
        layerwise_patch_sizes=[7, 3, 3, 3],
        layerwise_strides=[4, 2, 2, 2],
        image_shape=(*size, 3),
    )
    backbone = keras_hub.models.SegFormerBackbone(image_encoder=encoder, projection_filters=256)
    model = keras_hub.models.SegFormerImageSegmenter(backbone=backbone, num_classes=CLASSES)
    # What its own compile() takes by default, with another rate.
    model.compile(
        keras.optimizers.Adam(rate),
        keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=[],
    )
    return model


def _vgg_unet(rate, steps, size):
    """The network that the seed's notebook trains, built anew: its library installs no longer.

    VGG-16's first four stages, one convolution each way back, scores at half the size.
    """
    import keras
    from keras import layers

    x = images = keras.Input((*size, 3))
    levels = []
    for channels, number in ((64, 2), (128, 2), (256, 3), (512, 3)):
        for _ in range(number):
            x = layers.Conv2D(channels, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
        levels.append(x)
    for i, channels in enumerate((512, 256, 128, 64)):
        if i:
            x = layers.UpSampling2D(2)(x)
            x = layers.Concatenate()([x, levels[3 - i]])
        x = layers.Conv2D(channels, 3, padding="same", activation="relu")(x)
        x = layers.BatchNormalization()(x)
    x = layers.Conv2D(CLASSES, 3, padding="same", activation="softmax")(x)
    model = keras.Model(images, x)
    model.compile(keras.optimizers.Adam(rate), "categorical_crossentropy")
    return model


def _imagenet(images):
    """Zero mean and unit deviation on ImageNet, as keras-hub's converters scale."""
    return ((images / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).astype("float32")


def _caffe(images):
    """Blue first, ImageNet's mean taken off, as VGG's authors and the seed's library do."""
    return (images[..., ::-1] - [103.939, 116.779, 123.68]).astype("float32")


SM_EXAMPLE = "its example `multiclass segmentation (camvid)`"
PEERS = {
    "segmentation_models U-Net": Peer(_segmentation_models("Unet"), SM_EXAMPLE, 8, 1e-4),
    "segmentation_models FPN": Peer(_segmentation_models("FPN"), SM_EXAMPLE, 8, 1e-4),
    "keras-hub DeepLabV3+": Peer(
        *(_hub_deeplab, "its guide `Semantic Segmentation with KerasHub`", 4, 0.007 * 4 / 16),
        scheduled=True,
        prepare=_imagenet,
    ),
    "keras-hub SegFormer-B0": Peer(
        *(_hub_segformer, "what its `compile()` takes by default", 4, 5e-5),
        size=(224, 224),  # its attention folds its map into a square: other pictures stop there
        prepare=_imagenet,
    ),
    "vgg_unet": Peer(
        *(_vgg_unet, "`keras_segmentation.train` as the seed's notebook calls it", 2, 1e-3),
        size=(416, 608),
        augment="none",
        prepare=_caffe,
        output=0.5,
    ),
}


if __name__ == "__main__":
    main()
