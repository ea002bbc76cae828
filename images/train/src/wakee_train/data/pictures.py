"""From a file of bytes to the pixels that the model sees in production."""

import io
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from wakee_common.errors import BadInputError, one_line
from wakee_contract.pictures import CROPPED, RESIZED

PREPROCESSING = "rgb-resize256-bilinear-webp-1"
"""Part of a data set's identity: changes when the stored pixels would."""
LARGEST_FILE = 32 << 20
LARGEST_PIXELS = 40_000_000
LARGE_PIXELS = 4_000_000
"""Pictures above this are decoded one at a time: many threads prepare pictures, and each pixel takes 4 to 8 bytes."""
LARGE_PICTURES = ThreadPoolExecutor(1, "large-pictures")
"""A thread, not a lock: the C library keeps what each thread has freed for that thread."""
WIDE_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
"""More than 8 bits: Pillow, here as in the API, makes everything above the lowest 8 bits white."""
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
LEAST_EFFORT = {"lossless": True, "quality": 0, "method": 0}
"""WebP without loss: packs in a quarter of the time that PNG takes, and unpacks in two thirds; no larger."""

Pixels = NDArray[np.uint8]


class UnusablePictureError(BadInputError):
    """A file that is no usable picture.

    Attributes:
        reason: Short name of the class of defect, as counted in the quarantine.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def prepare(content: bytes) -> bytes:
    """Decode a picture, resize it to 256 x 256 as the Wakee API does, and pack it without loss as WebP.

    Raises:
        UnusablePictureError: `not_an_image`, `truncated`, `too_large` or `too_deep` (more than 8 bits a channel).
    """
    image = _resized(_opened(content))
    file = io.BytesIO()
    image.save(file, "WEBP", **LEAST_EFFORT)
    return file.getvalue()


def _opened(content: bytes) -> Image.Image:
    """A picture of which only the head has been read, within our limits."""
    try:
        with warnings.catch_warnings():
            # The limit that counts is ours, below; Pillow's warning for half of its own is noise.
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
    """The picture as the API sees it: upright only if its pixels are, for the API does not read EXIF either."""
    try:
        if image.width * image.height > LARGE_PIXELS:
            return LARGE_PICTURES.submit(_decoded, image).result()
        return _decoded(image)
    except Exception as error:  # decoders raise anything on damaged files
        raise UnusablePictureError("truncated", one_line(error, 200)) from None


def _decoded(image: Image.Image) -> Image.Image:
    return image.convert("RGB").resize((RESIZED, RESIZED), Image.Resampling.BILINEAR)


def unpack(packed: bytes) -> Pixels:
    """Pixels of a packed picture, shape (256, 256, 3), RGB."""
    with Image.open(io.BytesIO(packed), formats=("WEBP",)) as image:
        return np.asarray(image.convert("RGB"))


def centre_crop(pixels: Pixels) -> Pixels:
    """The API's crop of one or more pictures: (..., 256, 256, 3) to (..., 224, 224, 3)."""
    margin = (RESIZED - CROPPED) // 2
    return pixels[..., margin : margin + CROPPED, margin : margin + CROPPED, :]
