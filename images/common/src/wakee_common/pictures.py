"""Picture files, decoded and prepared as in the Wakee API. Needs the extra `pictures`."""

import io
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from wakee_contract.pictures import CROPPED, DEVIATION, MEAN, RESIZED

from wakee_common.errors import BadInputError, one_line

LARGEST_FILE = 32 << 20
LARGEST_PIXELS = 40_000_000
LARGE_PIXELS = 4_000_000
"""Larger pictures are decoded one at a time, to bound memory: many threads run, and a pixel takes 4 to 8 bytes."""
LARGE_PICTURES = ThreadPoolExecutor(1, "large-pictures")
"""A thread instead of a lock, because malloc keeps freed memory per thread."""
WIDE_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
"""Modes with more than 8 bits per channel. Pillow, here and in the API, turns every value above 255 into white."""
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")

Pixels = NDArray[np.uint8]


class UnusablePictureError(BadInputError):
    """The file is not a usable picture.

    Attributes:
        reason: Short name of the kind of defect, as counted in reports.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class Prepared(NamedTuple):
    """A prepared picture.

    Attributes:
        image: RGB, 256 x 256 pixels.
        width: Width of the file's picture in pixels.
        height: Its height in pixels.
    """

    image: Image.Image
    width: int
    height: int


def prepare(content: bytes) -> Prepared:
    """Decode a picture file and resize it to 256 x 256 as the Wakee API does. Like the API, ignore the orientation.

    Raises:
        UnusablePictureError: `not_an_image`, `truncated`, `too_large` or `too_deep` (more than 8 bits a channel).
    """
    image = _opened(content)
    try:
        if image.width * image.height > LARGE_PIXELS:
            return LARGE_PICTURES.submit(_decoded, image).result()
        return _decoded(image)
    except Exception as error:  # decoders raise anything on damaged files
        raise UnusablePictureError("truncated", one_line(error, 200)) from None


def centre_crop(pixels: Pixels) -> Pixels:
    """Crop one or more pictures as the API does: (..., 256, 256, 3) to (..., 224, 224, 3)."""
    margin = (RESIZED - CROPPED) // 2
    return pixels[..., margin : margin + CROPPED, margin : margin + CROPPED, :]


def as_the_api_does(pixels: Pixels) -> NDArray[np.float32]:
    """Crop and normalise prepared pictures: (N, 256, 256, 3) uint8 to (N, 3, 224, 224) float32."""
    scaled = centre_crop(pixels).astype(np.float32) / 255
    normalised = (scaled - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    return np.ascontiguousarray(normalised.transpose(0, 3, 1, 2))


def _opened(content: bytes) -> Image.Image:
    """Open a picture, reading only its header, and check our limits."""
    try:
        with warnings.catch_warnings():
            # Our own limit is checked below. Pillow warns at half of its limit.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise UnusablePictureError("too_large", str(error)) from None
    except Exception as error:  # decoders raise anything on damaged files
        raise UnusablePictureError("not_an_image", type(error).__name__) from None
    if image.width * image.height > LARGEST_PIXELS:
        raise UnusablePictureError("too_large", f"{image.width} x {image.height} pixels")
    if image.mode in WIDE_MODES:
        raise UnusablePictureError("too_deep", f"mode {image.mode}")
    return image


def _decoded(image: Image.Image) -> Prepared:
    resized = image.convert("RGB").resize((RESIZED, RESIZED), Image.Resampling.BILINEAR)
    return Prepared(resized, image.width, image.height)
