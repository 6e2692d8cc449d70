"""The shape of pictures, as all of :mod:`course.inference` takes them."""


def check_pictures(images):
    """Raise ValueError unless the array `images` is (n, height, width, 3), or (height, width, 3)."""
    if images.ndim not in (3, 4) or images.shape[-1] != 3:
        raise ValueError(
            "Pictures have shape (n, height, width, 3), or (height, width, 3) for one; "
            f"these have {images.shape}."
        )
