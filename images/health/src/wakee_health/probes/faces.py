"""A picture for test predictions: a drawn face, always the same."""

import io

from PIL import Image, ImageDraw

SIZE = 256


def draw_face() -> Image.Image:
    """Draw a calm face as an RGB picture, 256 x 256 pixels."""
    image = Image.new("RGB", (SIZE, SIZE), (168, 186, 201))
    pen = ImageDraw.Draw(image)
    pen.rectangle((68, 214, 188, 256), fill=(58, 84, 120))
    pen.ellipse((64, 34, 192, 226), fill=(224, 182, 152))
    pen.chord((60, 24, 196, 150), 190, 350, fill=(74, 48, 32))
    for x in (100, 156):
        pen.ellipse((x - 13, 108, x + 13, 124), fill=(248, 246, 242))
        pen.ellipse((x - 6, 110, x + 6, 122), fill=(30, 18, 18))
        pen.line((x - 16, 96, x + 16, 96), fill=(74, 48, 32), width=5)
    pen.line((128, 124, 124, 158, 132, 158), fill=(180, 134, 108), width=3)
    pen.arc((102, 158, 154, 196), 20, 160, fill=(150, 60, 60), width=5)
    return image


def face_png() -> bytes:
    """Return the face as a PNG file, which is lossless: the API and this probe get the same pixels."""
    file = io.BytesIO()
    draw_face().save(file, "PNG")
    return file.getvalue()
