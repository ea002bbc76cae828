"""The API with a real model: the four outputs are a known linear function of the mean pixel."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import httpx
import numpy as np
import pytest
from huggingface_hub import HfApi
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from wakee_common.database import connect
from wakee_common.settings import DatabaseSettings
from wakee_common.storage import ObjectStore
from wakee_contract.emotions import EMOTIONS
from wakee_sandbox.annotations import picture

from support.ports import free_port
from support.sandbox import HUB_TOKEN
from support.waiting import wait_for

from .conftest import sandbox_service

LEVELS = {f"{kind}_{emotion}": "1.5" for kind in ("predicted", "user") for emotion in EMOTIONS}
FACE = picture((1, 2, 0, 1), 5)


def linear_model(offset: float) -> bytes:
    """Output = offset + the mean of the normalised pixels, four times."""
    weights = numpy_helper.from_array(np.full((3, 4), 1 / 3, dtype=np.float32), "weights")
    offsets = numpy_helper.from_array(np.full(4, offset, dtype=np.float32), "offsets")
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "offsets"], ["output"]),
    ]
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, 224, 224])
    made = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 4])
    graph = helper.make_graph(nodes, "linear", [given], [made], [weights, offsets])
    opset = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString())


def expected(content: bytes, offset: float) -> float:
    """By the contract, written down a second time."""
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB").resize((256, 256), Image.Resampling.BILINEAR))
    crop = pixels[16:240, 16:240].astype(np.float64) / 255
    normalised = (crop - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    return offset + float(normalised.mean(axis=(0, 1)).mean())


@pytest.fixture(scope="module")
def repository() -> str:
    return f"team/{uuid4().hex}"


@pytest.fixture(scope="module")
def api(
    data_root: Path, hub_url: str, repository: str, database: DatabaseSettings, r2_environment: dict[str, str]
) -> Iterator[httpx.Client]:
    environment = {
        **r2_environment,
        "NEON_DATABASE_URL": database.url.get_secret_value(),
        "HF_ENDPOINT": hub_url,
        "HF_MODEL_REPO": repository,
        "HF_POLL_SECONDS": "0.1",
    }
    port = free_port()
    service = sandbox_service(["api", "--port", str(port)], environment, data_root / "api.log")
    url = f"http://127.0.0.1:{port}"
    try:
        service.start().wait_for_answer(f"{url}/health")
        with httpx.Client(base_url=url, timeout=20) as client:
            yield client
    finally:
        service.stop()


@pytest.fixture
def publish(api: httpx.Client, hub_url: str, repository: str) -> Callable[[float], None]:
    def upload(offset: float) -> None:
        hub = HfApi(endpoint=hub_url, token=HUB_TOKEN)
        hub.create_repo(repository, exist_ok=True)
        content = linear_model(offset)
        made = hub.upload_file(path_or_fileobj=content, path_in_repo="model.onnx", repo_id=repository)
        served = lambda: api.get("/health").json()["model_revision"] == made.oid  # noqa: E731
        wait_for(served, 60, "the API serves the new model", tolerated=(Exception,))

    return upload


def ask(api: httpx.Client, content: bytes) -> httpx.Response:
    return api.post("/predict", files={"file": ("face.jpg", content, "image/jpeg")})


def test_without_a_model_it_says_so_and_then_follows_main(api: httpx.Client, publish: Callable[[float], None]) -> None:
    health = api.get("/health").json()
    assert (health["status"], health["model_loaded"], health["runtime"]) == ("healthy", False, "ONNX")
    assert ask(api, FACE).status_code == 503

    for offset in (1.2, 1.4):
        publish(offset)
        answer = ask(api, FACE).raise_for_status().json()
        assert {e: answer[e] for e in EMOTIONS} == pytest.approx(
            dict.fromkeys(EMOTIONS, expected(FACE, offset)), abs=1e-4
        )
        assert "timestamp" in answer


def test_predictions_stay_on_the_scale(api: httpx.Client, publish: Callable[[float], None]) -> None:
    publish(99)
    assert [ask(api, FACE).json()[emotion] for emotion in EMOTIONS] == [3, 3, 3, 3]


@pytest.mark.parametrize("content", [b"", b"no picture", FACE[:900]], ids=["empty", "text", "truncated"])
def test_what_is_no_picture_is_refused(api: httpx.Client, publish: Callable[[float], None], content: bytes) -> None:
    publish(1.5)
    assert ask(api, content).status_code == 400


def test_annotation_is_stored_with_its_picture(
    api: httpx.Client, empty_labels: DatabaseSettings, store: ObjectStore
) -> None:
    name = f"{uuid4().hex}.jpg"
    files = {"file": (f"some/folder/{name}", FACE, "image/jpeg")}
    for _ in range(2):
        api.post("/insert", files=files, data=LEVELS | {"user_boredom": "0.3"}).raise_for_status()

    with closing(connect(empty_labels)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT s3_path, user_boredom, predicted_boredom, source, is_validated FROM emotion_labels")
        assert cursor.fetchall() == [(name, 0.3, 1.5, "app_sourcing", True)]
    assert store.get_bytes(store.uri(name)) == FACE


@pytest.mark.parametrize(
    "levels",
    [
        pytest.param({**LEVELS, "user_boredom": "3.5"}, id="out of range"),
        pytest.param({**LEVELS, "user_boredom": "nan"}, id="NaN"),
        pytest.param({key: value for key, value in LEVELS.items() if key != "user_boredom"}, id="one missing"),
    ],
)
def test_annotation_with_wrong_levels_is_refused(api: httpx.Client, levels: dict[str, str]) -> None:
    assert api.post("/insert", files={"file": ("a.jpg", FACE, "image/jpeg")}, data=levels).status_code == 422


def test_load_tells_of_the_newest_rows(api: httpx.Client, empty_labels: DatabaseSettings) -> None:
    for number in range(3):
        files = {"file": (f"{number}.jpg", FACE, "image/jpeg")}
        api.post("/insert", files=files, data=LEVELS).raise_for_status()

    answer = api.get("/load", params={"limit": 2}).raise_for_status().json()
    assert (answer["total_samples"], answer["validated_samples"]) == (3, 3)
    assert [row["img_name"] for row in answer["recent_predictions"]] == ["2.jpg", "1.jpg"]
    assert answer["statistics"]["user_boredom"] == 1.5


def test_faults_are_switched_on_and_off(api: httpx.Client) -> None:
    def switch(mode: str, **how: float) -> None:
        api.post("/_fault", json={"mode": mode, **how}).raise_for_status()

    try:
        switch("down")
        assert (api.get("/health").status_code, api.get("/_live").status_code) == (503, 200)
        switch("wrong")
        assert api.get("/health").json() == {"unexpected": True}
        switch("slow", seconds=2)
        with pytest.raises(httpx.ReadTimeout):
            api.get("/health", timeout=0.3)
    finally:
        switch("none")
    assert api.get("/health").json()["status"] == "healthy"
    assert api.post("/_fault", json={"mode": "unheard of"}).status_code == 422


def test_sourcing_page_answers_as_streamlit_does(data: Path) -> None:
    url = f"http://127.0.0.1:{(port := free_port())}"
    service = sandbox_service(["sourcing", "--port", str(port)], dict(os.environ), data / "sourcing.log")
    try:
        service.start().wait_for_answer(f"{url}/_stcore/health")
        assert "Wakee App Sourcing" in httpx.get(url).text
        httpx.post(f"{url}/_fault", json={"mode": "down"}).raise_for_status()
        assert httpx.get(url).status_code == 503
    finally:
        service.stop()
