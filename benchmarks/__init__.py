"""What the course costs and what its networks reach. Results lie in ``results/``."""

from course import environment

# Before the scripts import Keras themselves, so that TensorFlow's start-up notices stay out.
environment.import_keras()
