"""The parts of the synthetic scenes; the door to them is :mod:`course.data.synthetic`."""
