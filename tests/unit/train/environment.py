"""What a retraining needs around it, and the retraining itself, stage by stage."""

import functools
import io
import sys
from typing import Any

import numpy as np
from wakee_common.settings import DatabaseSettings
from wakee_contract.emotions import EMOTIONS
from wakee_train.cli import app

from support.sandbox import REPO
from support.stages import StageEnvironment

sys.path.append(str(REPO / "images" / "sandbox" / "src"))  # for its faces, which need nothing but Pillow and numpy
SMALL = {
    "backbone": "test_efficientnet",
    "image_size": 112,
    "epochs": 2,
    "batch_size": 16,
    "learning_rate": 0.005,
    "start": "random",
}

FEW_PICTURES = {"min_test_samples": 5, "min_test_people": 2, "accept_any_first_model": True}
"""For the gate: the test split of so few pictures has hardly ten."""


@functools.cache
def face(identity: int) -> tuple[bytes, tuple[float, ...]]:
    """A drawn face as a JPEG file, and its four levels."""
    from wakee_sandbox.faces import draw

    levels = tuple(np.random.default_rng(identity).uniform(0, 3, 4).round(3).tolist())
    file = io.BytesIO()
    draw(levels, identity).save(file, "JPEG", quality=88)
    return file.getvalue(), levels


class Environment(StageEnvironment):
    """PostgreSQL, S3, the Hub's double and MLflow, with annotated faces; stages and whole runs of a retraining."""

    app = app

    @property
    def database(self) -> DatabaseSettings:
        return DatabaseSettings(url=self.variables["NEON_DATABASE_URL"], wake_up_seconds=20)

    def add_faces(self, identities: range) -> None:
        """Annotate and store drawn faces."""
        for identity in identities:
            content, levels = face(identity)
            self.add_picture(f"face-{identity:05d}.jpg", content, levels)

    def add_picture(
        self, name: str, content: bytes | None, levels: Any, validated: bool = True, user: str | None = None
    ) -> None:
        if content is not None:
            self.store.put_bytes(self.store.uri(name), content, "image/jpeg")
        columns = ["img_name", "s3_path", "is_validated", "user_id", *(f"predicted_{e}" for e in EMOTIONS)]
        columns += [f"user_{e}" for e in EMOTIONS]
        row = (name, name, validated, user, 1.0, 1.0, 1.0, 1.0, *levels)
        self.execute(f"INSERT INTO emotion_labels ({', '.join(columns)}) VALUES %s", [row])

    def stage(self, name: str, run_id: str = "run-1", exit_code: int = 0, **flags: Any) -> dict[str, Any]:
        """Run one stage of a run; returns what Airflow would get."""
        return self.run_stage(name, run_id, exit_code, flags)[0]

    def prepare(self, run_id: str = "run-1") -> dict[str, Any]:
        """The first two stages."""
        fetched = self.stage("fetch-training-data", run_id, min_samples=10)
        return self.stage("split-dataset", run_id, manifest=fetched["manifest_uri"])

    def train(self, run_id: str = "run-1", splits: str = "", exit_code: int = 0, **flags: Any) -> dict[str, Any]:
        given = {"splits": splits or self.prepare(run_id)["splits_uri"], **SMALL, **flags}
        return self.stage("fine-tune", run_id, exit_code, **given)

    def retrain(
        self,
        run_id: str,
        gate: dict[str, Any] | None = None,
        drift_report_id: int | None = None,
        int8: bool = False,
        **flags: Any,
    ) -> dict[str, dict[str, Any]]:
        """All nine stages; the result of each by its name."""
        checked = self.stage("check-targets", run_id, drift_report_id=drift_report_id)
        split = self.prepare(run_id)
        tuned = self.train(run_id, split["splits_uri"], **flags)
        return {"check": checked, "split": split, "tune": tuned} | self.after_training(
            run_id, tuned, gate, drift_report_id, int8
        )

    def after_training(
        self,
        run_id: str,
        tuned: dict[str, Any],
        gate: dict[str, Any] | None = None,
        drift_report_id: int | None = None,
        int8: bool = False,
    ) -> dict[str, dict[str, Any]]:
        training, options = tuned["training_uri"], {"int8": True, "int8_mae_limit": 1} if int8 else {}
        evaluated = self.stage(
            "evaluate", run_id, training=training, drift_report_id=drift_report_id, **FEW_PICTURES, **(gate or {})
        )
        exported = self.stage(
            "export-onnx", run_id, evaluation=evaluated["evaluation_uri"], parity_samples=16, **options
        )
        uris = {"evaluation": evaluated["evaluation_uri"], "export": exported["export_uri"]}
        published = self.stage("upload-to-hub", run_id, **uris, drift_report_id=drift_report_id)
        tracked = self.stage("log-to-mlflow", run_id, publication=published["publication_uri"])
        updated = self.stage("update-model-versions", run_id, tracking=tracked["tracking_uri"])
        names = ("evaluate", "export", "publish", "track", "update")
        return dict(zip(names, (evaluated, exported, published, tracked, updated), strict=True))
