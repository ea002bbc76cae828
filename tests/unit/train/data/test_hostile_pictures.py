"""Whatever lies under a picture's name: it is prepared as the API would see it, or refused for a reason, in memory."""

import io
import struct
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from wakee_common.pictures import UnusablePictureError
from wakee_train.data.pictures import prepare, unpack

GOOD = (0.0, 1.0, 2.0, 3.0)

SIDE = 20_000


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def patched(content: bytes, at: int, values: bytes) -> bytes:
    return content[:at] + values + content[at + len(values) :]


GREY = Image.new("L", (8, 8))
DEEP = Image.fromarray(np.linspace(0, 65535, 64, dtype=np.uint16).reshape(8, 8))
COLOURS = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
JPEG = encoded(COLOURS, "JPEG")
ANIMATED = encoded(COLOURS, "WEBP", save_all=True, append_images=[COLOURS.rotate(90, expand=False)])

PNG, PNG_HEAD = encoded(GREY, "PNG"), struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)

BOMBS = {
    "png": PNG[:16] + PNG_HEAD + struct.pack(">I", zlib.crc32(b"IHDR" + PNG_HEAD)) + PNG[33:],
    "jpeg": patched(JPEG, JPEG.index(b"\xff\xc0") + 5, struct.pack(">HH", SIDE, SIDE)),
    "bmp": patched(encoded(GREY, "BMP"), 18, struct.pack("<ii", SIDE, SIDE)),
    "gif": patched(encoded(GREY, "GIF"), 6, struct.pack("<HH", SIDE, SIDE)),
    "webp": patched(ANIMATED, ANIMATED.index(b"VP8X") + 12, (16_383).to_bytes(3, "little") * 2),
}
REFUSED = {
    "empty": (b"", "not_an_image"),
    "page": (b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "not_an_image"),
    "svg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "not_an_image"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500), "not_an_image"),
    "pdf": (b"%PDF-1.7\n" + bytes(500), "not_an_image"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_an_image"),
    "only-the-head": (JPEG[:100], "not_an_image"),
    "half-a-jpeg": (JPEG[: len(JPEG) // 2], "truncated"),
    "half-a-png": (encoded(COLOURS, "PNG")[:1000], "truncated"),
    "half-a-webp": (encoded(COLOURS, "WEBP")[:200], "not_an_image"),
    "16-bit-png": (encoded(DEEP, "PNG"), "too_deep"),
    "16-bit-tiff": (encoded(DEEP, "TIFF"), "too_deep"),
    "float-tiff": (encoded(GREY.convert("F"), "TIFF"), "too_deep"),
    **{f"bomb-{kind}": (content, "too_large") for kind, content in BOMBS.items()},
}
TAKEN = {
    "trailing-garbage": JPEG + b"<?php system($_GET[0]); ?>" * 1000,
    "gif-named-jpg": encoded(COLOURS.quantize(), "GIF"),
    "animated-webp": ANIMATED,
    "cmyk": encoded(COLOURS.convert("CMYK"), "JPEG"),
    "grey": encoded(COLOURS.convert("L"), "JPEG"),
    "grey-alpha": encoded(COLOURS.convert("LA"), "PNG"),
    "alpha": encoded(COLOURS.convert("RGBA"), "PNG"),
    "palette-alpha": encoded(COLOURS.quantize(4), "PNG", transparency=bytes([0, 128, 255])),
    "black-and-white": encoded(COLOURS.convert("1"), "PNG"),
    "one-pixel": encoded(Image.new("RGB", (1, 1)), "PNG"),
    "a-line": encoded(Image.new("RGB", (10_000, 1)), "PNG"),
    "upside-down": encoded(
        COLOURS, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0"
    ),
}


@pytest.mark.parametrize(("content", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused(content, reason):
    with pytest.raises(UnusablePictureError) as error:
        prepare(content)

    assert error.value.reason == reason


@pytest.mark.parametrize("content", TAKEN.values(), ids=TAKEN)
@pytest.mark.filterwarnings("ignore:Palette images with Transparency")
def test_taken_as_the_api_does(content):
    """The API reads no EXIF, drops alpha and takes the first frame, so training must, too."""
    api = Image.open(io.BytesIO(content)).convert("RGB").resize((256, 256), Image.Resampling.BILINEAR)

    assert np.array_equal(unpack(prepare(content)), np.asarray(api))


def test_the_upside_down_picture_is_one():
    assert Image.open(io.BytesIO(TAKEN["upside-down"])).getexif()[0x0112] == 3


def peak_mebibytes(program: str) -> int:
    """By how much a process of its own grows while it runs the program, which finds the argument in `files`."""
    frame = """
        import sys, pickle
        from support.memory import peak_mib
        from wakee_common.pictures import UnusablePictureError
        from wakee_train.data.pictures import prepare
        files = pickle.load(sys.stdin.buffer)
        prepare(files[0])
        before = peak_mib()
        {}
        print(round(peak_mib() - before))
    """
    import pickle

    large = encoded(Image.new("1", (6_300, 6_300)), "PNG")
    files = pickle.dumps([JPEG, large, *BOMBS.values()])
    source = textwrap.dedent(frame).format(program)
    tests = Path(__file__).parents[3]  # where `support` is
    done = subprocess.run([sys.executable, "-c", source], input=files, capture_output=True, check=True, cwd=tests)
    return int(done.stdout)


def test_bombs_take_no_memory():
    program = "for bomb in files[2:]:\n    try: prepare(bomb)\n    except UnusablePictureError: pass"

    assert peak_mebibytes(program) < 16


def test_large_pictures_are_decoded_one_at_a_time():
    """Eight of almost 40 megapixels at once would take 1.5 GiB; the stage's pod has 2."""
    program = (
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(8) as pool:"
        " print(len(list(pool.map(prepare, [files[1]] * 8))), file=sys.stderr)"
    )

    assert peak_mebibytes(program) < 400


SEEDS = [JPEG, ANIMATED, *(encoded(COLOURS, kind) for kind in ("PNG", "WEBP", "BMP", "TIFF")), TAKEN["gif-named-jpg"]]


@settings(max_examples=500, deadline=None)
@given(data=st.data())
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_file_is_prepared_or_refused(data):
    content = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, min(len(content) - 1, 400)))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))]

    try:
        assert unpack(prepare(bytes(content))).shape == (256, 256, 3)
    except UnusablePictureError as error:
        assert error.reason in ("not_an_image", "truncated", "too_large", "too_deep")  # noqa: PT017


PATHS = ["../../etc/passwd", "😀" * 500, "a/" * 250, "\n", "\x01/\ufffe", "", "/", "//x", "%2e%2e/x", "runs/"]


def test_hostile_rows_cost_only_themselves(environment):
    environment.add_faces(range(40))
    for index, path in enumerate(PATHS):
        environment.add_picture(f"hostile-{index}.jpg", None, GOOD)
        environment.execute(
            "UPDATE emotion_labels SET s3_path = %s WHERE img_name = %s", [path, f"hostile-{index}.jpg"]
        )
    contents = {f"{name}.jpg": content for name, (content, _) in REFUSED.items()}
    for name, content in contents.items():
        environment.add_picture(name, content, GOOD)
    environment.execute("UPDATE emotion_labels SET timestamp = 'infinity' WHERE img_name = 'face-00000.jpg'")
    environment.execute("UPDATE emotion_labels SET timestamp = '4713-01-01 BC' WHERE img_name = 'face-00001.jpg'")

    fetched = environment.stage("fetch-training-data", min_samples=10, max_bad_share=0.9)

    quarantine = {row["name"]: row["reason"] for row in environment.read_json(fetched["quarantine_uri"])["rows"]}
    assert fetched["samples"] == 40
    assert quarantine == {f"hostile-{index}.jpg": "missing_object" for index in range(len(PATHS))} | {
        f"{name}.jpg": reason for name, (_, reason) in REFUSED.items()
    }
