"""The production model, from the Hub's main branch."""

import io
import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field, SecretStr
from wakee_common.settings import Settings
from wakee_contract.emotions import EMOTIONS, HIGHEST_LEVEL, LOWEST_LEVEL
from wakee_contract.model import INPUT, ONNX, OUTPUT, PUBLIC_HUB
from wakee_contract.pictures import CROPPED, DEVIATION, MEAN, RESIZED

logger = logging.getLogger(__name__)

CHUNK = 1 << 20


class ModelSettings(Settings):
    """Location of the model."""

    endpoint: str = Field(PUBLIC_HUB, alias="HF_ENDPOINT", description="Address of the Hub, or of its stand-in.")
    repository: str = Field(alias="HF_MODEL_REPO", description="The model's repository, namespace/name.")
    token: SecretStr = Field(SecretStr(""), alias="HF_TOKEN", description="Needed for private repositories only.")
    poll_seconds: float = Field(
        5, gt=0, alias="HF_POLL_SECONDS", description="Seconds between two checks whether main has changed."
    )


@dataclass(frozen=True)
class LoadedModel:
    """An onnxruntime session and the commit of its model."""

    revision: str
    session: onnxruntime.InferenceSession

    def predict(self, picture: Image.Image) -> dict[str, float]:
        """Predict the four levels of a face, clipped to the scale."""
        (output,) = self.session.run([OUTPUT], {INPUT: preprocess(picture)[None]})
        levels = np.clip(output[0], LOWEST_LEVEL, HIGHEST_LEVEL).astype(float)
        return dict(zip(EMOTIONS, levels.tolist(), strict=True))


def preprocess(picture: Image.Image) -> NDArray[np.float32]:
    """Preprocess a picture for the model.

    Resize to 256 x 256 (bilinear), crop the central 224 x 224, scale to [0, 1], normalise by ImageNet's mean and SD.

    Returns:
        Shape (3, 224, 224), RGB.
    """
    margin = (RESIZED - CROPPED) // 2
    resized = picture.convert("RGB").resize((RESIZED, RESIZED), Image.Resampling.BILINEAR)
    cropped = resized.crop((margin, margin, margin + CROPPED, margin + CROPPED))
    pixels = (np.asarray(cropped, dtype=np.float32) / 255 - np.array(MEAN, np.float32)) / np.array(
        DEVIATION, np.float32
    )
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def open_picture(content: bytes) -> Image.Image | None:
    """Open a picture as RGB; None if the content is not a picture."""
    try:
        return Image.open(io.BytesIO(content)).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


class ProductionModel:
    """Keeps the newest model of the main branch loaded. If the Hub is unavailable, the last model stays."""

    def __init__(self, settings: ModelSettings) -> None:
        self.current: LoadedModel | None = None
        self._settings = settings
        self._stop = threading.Event()
        token = settings.token.get_secret_value()
        self._client = httpx.Client(
            base_url=settings.endpoint,
            headers={"authorization": f"Bearer {token}"} if token else {},
            follow_redirects=True,
            timeout=30,
        )

    def follow(self) -> None:
        """Poll for a new model in a background thread until `stop`."""
        threading.Thread(target=self._follow, name="model", daemon=True).start()

    def stop(self) -> None:
        """Request the end of the background thread."""
        self._stop.set()

    def refresh(self) -> None:
        """Load the model of the main branch if it has changed.

        Raises:
            httpx.HTTPError: the Hub does not respond, or has no model.
            Exception: the file is not a valid model (onnxruntime's exceptions).
        """
        repository = self._settings.repository
        info = self._client.get(f"/api/models/{repository}/revision/main").raise_for_status().json()
        if self.current is None or self.current.revision != info["sha"]:
            self.current = LoadedModel(info["sha"], self._load(f"/{repository}/resolve/{info['sha']}/{ONNX}"))
            logger.info("serving %s at %s", repository, info["sha"])

    def _load(self, url: str) -> onnxruntime.InferenceSession:
        with TemporaryDirectory() as folder:
            path = Path(folder) / ONNX
            with self._client.stream("GET", url) as answer, path.open("wb") as file:
                for chunk in answer.raise_for_status().iter_bytes(CHUNK):
                    file.write(chunk)
            return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def _follow(self) -> None:
        said = ""
        while not self._stop.is_set():
            try:
                self.refresh()
                said = ""
            except Exception as error:  # an invalid new model must not stop the service
                if said != (said := f"{type(error).__name__}: {error}".splitlines()[0]):
                    logger.warning("cannot load a new model: %s", said)
            self._stop.wait(self._settings.poll_seconds)
