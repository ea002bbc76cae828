"""Pictures as data sets store them: prepared as the model gets them in production, and packed without loss."""

import io

import numpy as np
from PIL import Image
from wakee_common import pictures
from wakee_common.picture_statistics import measure_picture
from wakee_common.pictures import Pixels
from wakee_common.training_sample import PictureStatistics

PREPROCESSING = "rgb-resize256-bilinear-webp-1"
"""Part of a data set's id. Change it when the stored pixels change."""
LEAST_EFFORT = {"lossless": True, "quality": 0, "method": 0}
"""Lossless WebP. Encoding takes a quarter of PNG's time, decoding two thirds, and files are no larger."""


def prepare(content: bytes) -> bytes:
    """Prepare a picture file and encode it as lossless WebP; see `prepare_and_measure`."""
    return prepare_and_measure(content)[0]


def prepare_and_measure(content: bytes) -> tuple[bytes, PictureStatistics]:
    """Decode a picture, resize it to 256 x 256 as the Wakee API does, encode it as lossless WebP, and measure it.

    Raises:
        UnusablePictureError: `not_an_image`, `truncated`, `too_large` or `too_deep` (more than 8 bits a channel).
    """
    prepared = pictures.prepare(content)
    file = io.BytesIO()
    prepared.image.save(file, "WEBP", **LEAST_EFFORT)
    return file.getvalue(), measure_picture(np.asarray(prepared.image), prepared.width, prepared.height)


def unpack(packed: bytes) -> Pixels:
    """Decode a packed picture to pixels of shape (256, 256, 3), RGB."""
    with Image.open(io.BytesIO(packed), formats=("WEBP",)) as image:
        return np.asarray(image.convert("RGB"))
