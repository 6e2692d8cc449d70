"""Backbones: networks that turn a picture into feature maps at strides 2 to 32.

:func:`backbone` picks one by name and scales the pictures as it expects them;
the other functions build a network of ours on an input that is scaled already.
All return ``{2: …, 4: …, 8: …, 16: …, 32: …}``, where the map at stride s has
⌈height / s⌉ × ⌈width / s⌉ positions, for pictures of any size.
"""

from course.models.backbones.alexnet import alexnet
from course.models.backbones.googlenet import googlenet, inception
from course.models.backbones.registry import BACKBONES, backbone
from course.models.backbones.resnet import RESNET18_DEPTHS, RESNET50_DEPTHS, residual_block, resnet
from course.models.backbones.vgg import SMALL_DEPTHS, VGG16_DEPTHS, vgg

__all__ = [
    "BACKBONES",
    "RESNET18_DEPTHS",
    "RESNET50_DEPTHS",
    "SMALL_DEPTHS",
    "VGG16_DEPTHS",
    "alexnet",
    "backbone",
    "googlenet",
    "inception",
    "residual_block",
    "resnet",
    "vgg",
]
