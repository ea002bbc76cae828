"""The Wakee API: real inference with the model on the Hub, real rows and pictures."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Annotated, Any
from uuid import uuid4

from fastapi import FastAPI, File, Form, HTTPException, Query, Request, UploadFile
from fastapi.responses import JSONResponse
from pydantic import Field, create_model
from wakee_common.errors import WakeeError
from wakee_common.redaction import redact
from wakee_common.settings import DatabaseSettings, R2Settings
from wakee_common.storage import ObjectStore
from wakee_contract.emotions import HIGHEST_LEVEL, LOWEST_LEVEL
from wakee_contract.tables import LABELS, PREDICTED

from wakee_sandbox import annotation_table
from wakee_sandbox.faults import FaultSwitch
from wakee_sandbox.model import ModelSettings, ProductionModel, open_picture

logger = logging.getLogger(__name__)

LONGEST_NAME = 255
Level = Annotated[float, Field(ge=LOWEST_LEVEL, le=HIGHEST_LEVEL, allow_inf_nan=False)]


Levels = create_model("Levels", **dict.fromkeys((*PREDICTED, *LABELS), (Level, ...)))  # type: ignore[call-overload]
"""The model's predictions and a person's labels."""


class Annotation(Levels):  # type: ignore[misc, valid-type]
    """A picture with its levels."""

    file: UploadFile


def application(models: ModelSettings, database: DatabaseSettings, r2: R2Settings) -> FastAPI:
    """Create the web application of the API."""
    model = ProductionModel(models)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        model.follow()
        yield
        model.stop()

    app = FastAPI(title="Wakee API (sandbox)", lifespan=lifespan)
    app.add_middleware(FaultSwitch)
    app.add_exception_handler(WakeeError, _unavailable)
    _add_inference(app, model)
    _add_annotations(app, database, ObjectStore(r2))
    return app


def _add_inference(app: FastAPI, model: ProductionModel) -> None:
    @app.get("/health")
    def health() -> dict[str, Any]:
        current = model.current
        revision = current.revision if current else None
        answer = {"status": "healthy", "model_loaded": current is not None, "runtime": "ONNX"}
        return answer | {"model_revision": revision, "timestamp": _now()}

    @app.post("/predict")
    def predict(file: Annotated[UploadFile, File()]) -> dict[str, Any]:
        if (current := model.current) is None:
            raise HTTPException(503, "Model not loaded")
        if (picture := open_picture(file.file.read())) is None:
            raise HTTPException(400, "File must be an image")
        return {**current.predict(picture), "timestamp": _now()}


def _add_annotations(app: FastAPI, database: DatabaseSettings, store: ObjectStore) -> None:
    @app.post("/insert")
    def insert(annotation: Annotated[Annotation, Form(media_type="multipart/form-data")]) -> dict[str, Any]:
        content = annotation.file.file.read()
        if open_picture(content) is None:
            raise HTTPException(400, "File must be an image")
        name = _name(annotation.file)
        # The picture first, so that no row is without its picture.
        store.put_bytes(store.uri(name), content, annotation.file.content_type or "image/jpeg")
        annotation_table.insert(database, name, annotation.model_dump(exclude={"file"}))
        return {"status": "success", "img_name": name, "s3_path": name, "timestamp": _now()}

    @app.get("/load")
    def load(limit: Annotated[int, Query(ge=1, le=1000)] = 10) -> dict[str, Any]:
        return annotation_table.overview(database, limit)


def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    """Convert an error of the database or the bucket to a 503 response."""
    logger.error("%s", redact(str(error)))
    return JSONResponse({"detail": "storage is unavailable"}, 503)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _name(file: UploadFile) -> str:
    """The uploaded file's base name, or a generated name if it has no valid one."""
    name = PurePosixPath((file.filename or "").replace("\\", "/")).name
    if name and len(name) <= LONGEST_NAME and name.isprintable() and name not in (".", ".."):
        return name
    return f"{datetime.now(UTC):%Y%m%d_%H%M%S}_{uuid4().int % 10_000:04d}.jpg"
