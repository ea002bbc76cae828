"""Photo-like pictures of about 100 KB, as files and as a bucket with its rows of annotations."""

import io
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT, QUALITY = 640, 480, 87
DIFFERENT = 32
"""So many pictures are drawn; copies differ in a few bytes after their end, which decoders do not read."""


def jpegs(count: int) -> Iterator[bytes]:
    """JPEG files, all different."""
    drawn = [_jpeg(np.random.default_rng(number)) for number in range(min(count, DIFFERENT))]
    for number, content in enumerate(itertools.islice(itertools.cycle(drawn), count)):
        yield content + f"{number:08d}".encode()


def _jpeg(chance: np.random.Generator) -> bytes:
    """Soft shapes under the noise of a sensor."""
    shapes = Image.fromarray(chance.integers(0, 256, (12, 16, 3), np.uint8)).resize((WIDTH, HEIGHT))
    noisy = np.asarray(shapes, np.float32) + chance.normal(0, 9, (HEIGHT, WIDTH, 3))
    file = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def fill_bucket(store: Any, count: int) -> None:
    """So many pictures under `pictures/`."""
    store.put_many(((key(number), content) for number, content in enumerate(jpegs(count))), "image/jpeg")


def fill_table(url: str, count: int) -> None:
    """A validated annotation of each."""
    import psycopg2
    from psycopg2.extras import execute_values

    levels = np.random.default_rng(0).uniform(0, 3, (count, 8)).tolist()
    rows = [(f"{number:08d}.jpg", key(number), True, *row) for number, row in enumerate(levels)]
    emotions = ("boredom", "confusion", "engagement", "frustration")
    columns = ", ".join(f"{kind}_{emotion}" for kind in ("predicted", "user") for emotion in emotions)
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE emotion_labels")
        into = f"INSERT INTO emotion_labels (img_name, s3_path, is_validated, {columns}) VALUES %s"
        execute_values(cursor, into, rows, page_size=1000)
    connection.close()


def key(number: int) -> str:
    """Where a picture lies."""
    return f"pictures/{number:08d}.jpg"
