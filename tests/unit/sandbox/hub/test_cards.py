"""The metadata of a model card: shown by the Hub, or refused."""

import json
from collections.abc import Callable

import httpx
import pytest
from huggingface_hub import HfApi

from support.sandbox import HUB_TOKEN

CARD = """---
license: mit
library_name: timm
pipeline_tag: image-classification
tags: [regression, emotion]
base_model: timm/efficientnet_b4.ra2_in1k
date: 2026-04-01
---

# A model
"""


def card(metadata: str) -> bytes:
    return f"---\n{metadata}\n---\n# A model\n".encode()


def test_model_info_shows_the_metadata(api: HfApi, repository: str, commit: Callable[..., str]) -> None:
    commit({"README.md": CARD.encode()})

    info = api.model_info(repository)

    assert info.card_data is not None
    assert (info.card_data.license, info.card_data.tags) == ("mit", ["regression", "emotion"])
    assert info.card_data.base_model == "timm/efficientnet_b4.ra2_in1k"
    assert (info.library_name, info.pipeline_tag) == ("timm", "image-classification")
    assert {"emotion", "license:mit", "base_model:timm/efficientnet_b4.ra2_in1k"} <= set(info.tags or [])


def test_each_revision_has_its_own_metadata(api: HfApi, repository: str, commit: Callable[..., str]) -> None:
    old = commit({"README.md": card("license: mit")})
    commit({"README.md": card("license: apache-2.0")})

    shown = [api.model_info(repository, revision=revision).card_data for revision in (old, "main")]

    assert [one.license for one in shown if one] == ["mit", "apache-2.0"]


@pytest.mark.parametrize("content", [b"# No metadata", b"---\n---\n"], ids=["none", "empty"])
def test_a_card_without_metadata(api: HfApi, repository: str, commit: Callable[..., str], content: bytes) -> None:
    commit({"README.md": content})

    assert api.model_info(repository).card_data is None


INVALID = {
    "no YAML": (": [", "while parsing"),
    "no mapping": ("- a", "not a mapping"),
    "a date that is none": ("date: 2026-13-45", "month"),
    "an unknown license": ("license: my-own", '"license" must be one of'),
    "tags as a text": ("tags: emotion", '"tags" must be an array'),
    "a number among the tags": ("tags: [1]", r'"tags\[0\]" must be a string'),
    "no model's name": ("base_model: a b", '"base_model" with value'),
}


@pytest.mark.parametrize(("metadata", "why"), INVALID.values(), ids=INVALID)
def test_invalid_metadata_are_refused(api: HfApi, repository: str, metadata: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"(?s)Invalid metadata in README.md.*{why}"):
        api.upload_file(path_or_fileobj=card(metadata), path_in_repo="README.md", repo_id=repository)
    assert "README.md" not in api.list_repo_files(repository)


@pytest.mark.parametrize(("metadata", "why"), INVALID.values(), ids=INVALID)
def test_a_client_that_does_not_ask_first_is_refused_too(
    hub_url: str, api: HfApi, repository: str, metadata: str, why: str
) -> None:
    """By the commit itself, with 400."""
    line = {"key": "file", "value": {"path": "README.md", "content": card(metadata).decode()}}
    headers = {"authorization": f"Bearer {HUB_TOKEN}"}

    answer = httpx.post(f"{hub_url}/api/models/{repository}/commit/main", content=json.dumps(line), headers=headers)

    assert answer.status_code == 400
    assert "Invalid metadata in README.md" in answer.json()["error"]
    assert "README.md" not in api.list_repo_files(repository)
