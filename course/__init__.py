"""Helpers of the semantic-segmentation course.

Importing this package starts nothing, downloads nothing and does not load
TensorFlow; import the module you need: ``from course import data, metrics``.
"""

from course import environment
from course.version import __version__ as __version__

environment.choose_backend()  # an environment variable, read when Keras is first imported
