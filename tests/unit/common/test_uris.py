"""Addresses of artefacts, and the names of runs in them."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wakee_common.errors import BadInputError
from wakee_common.settings import RunContext
from wakee_common.storage import LONGEST_KEY
from wakee_common.uris import R2Uri, safe_segment

PLAIN = re.compile(r"[A-Za-z0-9._-]+")


def test_uri_round_trip():
    uri = R2Uri.parse("r2://bucket/a/b c/d.parquet")

    assert (uri.bucket, uri.key) == ("bucket", "a/b c/d.parquet")
    assert str(uri) == "r2://bucket/a/b c/d.parquet"
    assert str(R2Uri("bucket", "a/") / "b") == "r2://bucket/a/b"


@pytest.mark.parametrize(
    "text",
    ["", "r2://", "r2://bucket", "r2://bucket/", "r2:///key", "s3://bucket/key", "bucket/key", "r2://b/a/../c", "None"],
)
def test_what_is_no_uri(text):
    with pytest.raises(BadInputError, match="r2://bucket/key"):
        R2Uri.parse(text)


@pytest.mark.parametrize(
    ("text", "segment"),
    [
        ("model_retrain", "model_retrain"),
        ("run-1.2", "run-1.2"),
        ("manual__2026-03-31T02:00:00+00:00", "manual__2026-03-31T02-00-00-00-00-80b8169488"),
        ("undo:1", "undo-1-11c5bcb07d"),
        ("undo-1", "undo-1"),
        ("../../etc/passwd", "etc-passwd-3754d6cb3a"),
        ("..", "5ec1f7e700"),
        ("😀", "f0443a342c"),
    ],
)
def test_safe_segment(text, segment):
    assert safe_segment(text) == segment


@given(st.lists(st.text(max_size=300), unique=True, max_size=20))
@example(["undo:1", "undo-1", "undo+1", "undo-1-11c5bcb07d"])
@example([".", "..", "...", "", "-", "/", "😀"])
@example(["x" * 250, "x" * 249, "x" * 150, "x" * 151])
def test_every_text_has_a_segment_of_its_own(texts):
    segments = [safe_segment(text) for text in texts]
    assert len(set(segments)) == len(texts)
    for segment in segments:
        assert PLAIN.fullmatch(segment)
        assert segment.strip(".")


@given(st.text(min_size=1, max_size=250), st.text(min_size=1, max_size=250), st.text(min_size=1, max_size=250))
def test_every_run_has_a_valid_folder(dag_id, run_id, task_id):
    folder = RunContext.model_construct(dag_id=dag_id, run_id=run_id, task_id=task_id).folder(R2Uri("bucket", ""))
    record = folder / "a-file-of-the-longest-name.parquet"
    assert R2Uri.parse(str(record)) == record
    assert len(record.key.encode()) <= LONGEST_KEY
