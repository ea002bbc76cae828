"""Three retrainings, one after the other, and what they left in each place."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from wakee_train.evaluation import quantization

from .environment import Environment
from .places import Places

FIRST, BETTER, WORSE = "drift__scheduled__2026-04-01T02:00:00+00:00", "manual__2026-04-02", "manual__2026-04-03"
MARGIN = 0.05
UI = "https://mlflow.example.org"


@dataclass
class Story(Places):
    """An environment after three retrainings, and what each of their stages returned."""

    first: dict[str, dict[str, Any]]
    better: dict[str, dict[str, Any]]
    worse: dict[str, dict[str, Any]]

    def version(self, which: str) -> str:
        return str(getattr(self, which)["evaluate"]["version"])

    def state(self) -> dict[str, Any]:
        """Everything outside that must stay the same when a stage is run again."""
        refs = self.hub.list_repo_refs(self.repository)
        experiment = self.mlflow.get_experiment_by_name(self.model)
        assert experiment is not None
        runs = self.mlflow.search_runs([experiment.experiment_id])
        versions = self.mlflow.search_model_versions(f"name = '{self.model}'")
        columns = "id, version_name, is_production, deployed_at, mae_boredom, mlflow_run_id, hf_commit, created_at"
        return {
            "branches": {branch.name: branch.target_commit for branch in refs.branches},
            "tags": {tag.name: tag.target_commit for tag in refs.tags},
            "runs": {run.info.run_id: (run.info.status, run.data.metrics, run.data.params) for run in runs},
            "versions": {version.version: version.tags for version in versions},
            "aliases": self.mlflow.get_registered_model(self.model).aliases,
            "rows": self.environment.execute(f"SELECT {columns} FROM model_versions ORDER BY id"),
        }

    def production(self) -> dict[str, str]:
        """Which version each place takes for production."""
        api, folder = self.hub, self.environment.folder
        config = api.hf_hub_download(self.repository, "config.json", cache_dir=folder / "hub")
        alias = self.mlflow.get_model_version_by_alias(self.model, "champion")
        [(row,)] = self.environment.execute("SELECT version_name FROM model_versions WHERE is_production")
        version = json.loads(Path(config).read_text())["version"]
        return {"hub": version, "registry": alias.tags["wakee.version"], "database": row}


def three_retrainings(environment: Environment) -> Story:
    """Retrain three times: a first model from random weights, a better one that starts from it, a worse one."""
    environment.variables["WAKEE_MLFLOW_UI"] = UI
    environment.add_faces(range(220))
    [(report,)] = environment.execute(
        "INSERT INTO drift_reports (report_date, drift_detected, drift_score, num_samples)"
        " VALUES ('2026-04-01', true, 0.3, 100) RETURNING id"
    )
    with pytest.MonkeyPatch.context() as patch:  # only this once: how quick int8 is depends on the machine
        patch.setattr(quantization, "_milliseconds", lambda *_: [(2.0, 1.0)])
        first = environment.retrain(FIRST, epochs=1, drift_report_id=report, int8=True)
    better = environment.retrain(BETTER, start="auto", epochs=8, gate={"min_improvement": MARGIN})
    worse = environment.retrain(WORSE, epochs=1, learning_rate=1e-6)
    return Story(environment, first, better, worse)
