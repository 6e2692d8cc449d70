"""What the course costs and what its networks reach. Results lie in ``results/``."""

import os

from course import environment

# By themselves TensorFlow and JAX take most of an accelerator's memory at once; here processes share one.
os.environ |= {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
# Before the scripts import Keras themselves, so that TensorFlow's start-up notices stay out.
environment.import_keras()
