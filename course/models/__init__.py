"""Segmentation networks: functions that return a ``keras.Model``.

Every model takes RGB pictures ``(batch, height, width, 3)`` with values 0 to
255 of any numeric dtype, scales them itself, and returns logits
``(batch, height, width, classes)``: one score a class and pixel, not yet a
probability. Channel c is class id c. (A U-Net without padding returns those of
the picture's middle: :func:`course.models.unet.output_size`.)
"""
