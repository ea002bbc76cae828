"""Prepare picture files as the model gets them in production."""

import io
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from wakee_common.errors import BadInputError, one_line
from wakee_contract.pictures import CROPPED, RESIZED

PREPROCESSING = "rgb-resize256-bilinear-webp-1"
"""Part of a data set's id. Change it when the stored pixels change."""
LARGEST_FILE = 32 << 20
LARGEST_PIXELS = 40_000_000
LARGE_PIXELS = 4_000_000
"""Larger pictures are decoded one at a time, to bound memory: many threads run, and a pixel takes 4 to 8 bytes."""
LARGE_PICTURES = ThreadPoolExecutor(1, "large-pictures")
"""A thread instead of a lock, because malloc keeps freed memory per thread."""
WIDE_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
"""Modes with more than 8 bits per channel. Pillow, here and in the API, turns every value above 255 into white."""
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
LEAST_EFFORT = {"lossless": True, "quality": 0, "method": 0}
"""Lossless WebP. Encoding takes a quarter of PNG's time, decoding two thirds, and files are no larger."""

Pixels = NDArray[np.uint8]


class UnusablePictureError(BadInputError):
    """The file is not a usable picture.

    Attributes:
        reason: Short name of the kind of defect, as counted in the quarantine.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def prepare(content: bytes) -> bytes:
    """Decode a picture, resize it to 256 x 256 as the Wakee API does, and encode it as lossless WebP.

    Raises:
        UnusablePictureError: `not_an_image`, `truncated`, `too_large` or `too_deep` (more than 8 bits a channel).
    """
    image = _resized(_opened(content))
    file = io.BytesIO()
    image.save(file, "WEBP", **LEAST_EFFORT)
    return file.getvalue()


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


def _resized(image: Image.Image) -> Image.Image:
    """Resize as the API does. Like the API, ignore the EXIF orientation."""
    try:
        if image.width * image.height > LARGE_PIXELS:
            return LARGE_PICTURES.submit(_decoded, image).result()
        return _decoded(image)
    except Exception as error:  # decoders raise anything on damaged files
        raise UnusablePictureError("truncated", one_line(error, 200)) from None


def _decoded(image: Image.Image) -> Image.Image:
    return image.convert("RGB").resize((RESIZED, RESIZED), Image.Resampling.BILINEAR)


def unpack(packed: bytes) -> Pixels:
    """Decode a packed picture to pixels of shape (256, 256, 3), RGB."""
    with Image.open(io.BytesIO(packed), formats=("WEBP",)) as image:
        return np.asarray(image.convert("RGB"))


def centre_crop(pixels: Pixels) -> Pixels:
    """Crop one or more pictures as the API does: (..., 256, 256, 3) to (..., 224, 224, 3)."""
    margin = (RESIZED - CROPPED) // 2
    return pixels[..., margin : margin + CROPPED, margin : margin + CROPPED, :]
