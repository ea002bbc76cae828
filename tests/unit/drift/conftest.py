"""Annotations in the database, and drift stages run as Airflow would run them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import psycopg2
import pytest
from psycopg2.extras import execute_values
from wakee_common.settings import DatabaseSettings
from wakee_contract.emotions import EMOTIONS
from wakee_drift.cli import app

from support.postgres import execute
from support.stages import invoke

UNTIL = "2026-03-31"
WINDOW_START, WINDOW_END = datetime(2026, 3, 25), datetime(2026, 4, 1)
LAST_MONTH = datetime(2026, 3, 10)


@dataclass(frozen=True)
class Annotations:
    """Writes rows of `emotion_labels`."""

    settings: DatabaseSettings

    def execute(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        return execute(self.settings.url.get_secret_value(), statement, values)

    def add(self, predicted: Any, user: Any, *, at: datetime = WINDOW_START, prefix: str = "p", **columns: Any) -> None:
        """Insert rows of four predictions and four labels each; `columns` overrides others for all of them."""
        rows = [
            {
                "img_name": f"{prefix}{index}.jpg",
                "s3_path": f"{prefix}{index}.jpg",
                "timestamp": at + timedelta(minutes=index % 1440),
                "is_validated": True,
                **{f"predicted_{e}": p for e, p in zip(EMOTIONS, prediction, strict=True)},
                **{f"user_{e}": u for e, u in zip(EMOTIONS, label, strict=True)},
                **columns,
            }
            for index, (prediction, label) in enumerate(zip(predicted, user, strict=True))
        ]
        names = ", ".join(f'"{name}"' for name in rows[0])
        connection = psycopg2.connect(self.settings.url.get_secret_value())
        with connection, connection.cursor() as cursor:
            values = [tuple(row.values()) for row in rows]
            execute_values(cursor, f"INSERT INTO emotion_labels ({names}) VALUES %s", values, page_size=1000)
        connection.close()

    def add_drawn(self, rows: int, error: float, *, seed: int = 0, **more: Any) -> tuple[Any, Any]:
        """Insert rows whose predictions are off by `error` on average; returns predictions and labels, (rows, 4)."""
        generator = np.random.default_rng(seed)
        user = generator.uniform(0.5, 2.5, (rows, 4))
        predicted = user + error * generator.choice([-1, 1], (rows, 4))
        self.add(predicted.tolist(), user.tolist(), **more)
        return predicted, user


@pytest.fixture
def annotations(database: DatabaseSettings) -> Annotations:
    return Annotations(database)


@dataclass(frozen=True)
class Pipeline:
    """Runs stages through the command line and reads what Airflow would get."""

    pod: Any

    def stage(self, name: str, exit_code: int = 0, **flags: Any) -> dict[str, Any]:
        invoke(app, name, flags, exit_code)
        return dict(self.pod.result())

    def fetch(self, **flags: Any) -> dict[str, Any]:
        return self.stage("fetch-annotations", **{"until": UNTIL, **flags})

    def load(self, fetched: dict[str, Any], **flags: Any) -> dict[str, Any]:
        uris = {"annotations": fetched["annotations_uri"], "reference": fetched["reference_uri"]}
        return self.stage("load-predictions", **uris, **flags)

    def calculate(self, loaded: dict[str, Any], **flags: Any) -> dict[str, Any]:
        return self.stage("calculate-drift", **_pairs(loaded), **flags)

    def report(self, loaded: dict[str, Any], calculated: dict[str, Any]) -> dict[str, Any]:
        return self.stage("generate-report", metrics=calculated["metrics_uri"], **_pairs(loaded))

    def save(self, calculated: dict[str, Any], reported: dict[str, Any]) -> dict[str, Any]:
        return self.stage("save-report", metrics=calculated["metrics_uri"], report=reported["html_uri"])

    def calculate_with_pictures(self, fetched: dict[str, Any]) -> dict[str, Any]:
        """The pictures' comparison, as `calculate-drift` stores it, under `pictures`; its result under `result`."""
        result = self.calculate(self.load(fetched), pictures=fetched["pictures_uri"])
        metrics = json.loads(self.pod.read(result["metrics_uri"]))
        return {"result": result, "pictures": metrics["pictures"]}

    def to_the_end(self, *, with_report: bool = True) -> dict[str, dict[str, Any]]:
        """All stages; the result of each by the stage's first word. The report takes longest: it can be a stand-in."""
        fetched = self.fetch()
        loaded = self.load(fetched)
        calculated = self.calculate(loaded, pictures=fetched["pictures_uri"])
        reported = self.report(loaded, calculated) if with_report else self.stand_in()
        saved = self.save(calculated, reported)
        return {"fetch": fetched, "load": loaded, "calculate": calculated, "report": reported, "save": saved}

    def stand_in(self) -> dict[str, Any]:
        """What `generate-report` would leave, at once."""
        uri = self.pod.store.uri("stand-in/report.html")
        self.pod.store.put_bytes(uri, b"a report")
        return {"html_uri": str(uri)}


def _pairs(loaded: dict[str, Any]) -> dict[str, Any]:
    names = ("pairs", "reference_pairs", "training_sample")
    return {name: loaded[f"{name}_uri"] for name in names}


@pytest.fixture
def pipeline(pod: Any) -> Pipeline:
    return Pipeline(pod)


@pytest.fixture
def run_stages(pipeline: Pipeline) -> Callable[..., dict[str, dict[str, Any]]]:
    return pipeline.to_the_end
