"""`model_retrain` and `model_rollback` on real pods: one story, in order, from an empty Hub.

A weak first model is promoted; a better one, whose training pod is deleted half-way, replaces it; a worse one does
not; a rollback puts the first one back. After each chapter Hub, registry, database and API must name the same version.
"""

from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from support.production import HUB, REPOSITORY, Production
from support.waiting import wait_for

DAG = "model_retrain"
MARGIN = 0.2
"""By how much the trained model must beat the hardly trained one, in MAE on the 0..3 scale."""


@pytest.fixture(scope="module")
def retrain(airflow):
    def run(during=lambda: None, **params) -> dict[str, Any]:
        run_id = airflow.trigger(DAG, {"start": "random", "min_samples": 100, "train_again": True, **params})
        during()
        states = airflow.wait(DAG, run_id, 900)
        failed = [task_id for task_id, state in states.items() if state == "failed"]
        assert not failed, airflow.log(DAG, run_id, failed[0])[-3000:]
        links = airflow.links(DAG, run_id, "upload_to_hub") | airflow.links(DAG, run_id, "log_to_mlflow")
        return {task_id: airflow.result(DAG, run_id, task_id) for task_id in states} | {"links": links}

    return run


@pytest.fixture(scope="module")
def story(airflow, seed, nothing_in_production, retrain, production, kubernetes):
    """The four chapters; each test below reads one."""
    seed("--reset", "--rows", "1000", "--days", "35", "--seed", "7", "--drift-bias", "confusion=0.5,frustration=0.6")

    def delete_the_training_pod():
        pod = wait_for(lambda: pod_in_epoch(kubernetes, 3), 180, "a training pod in its third epoch")
        kubernetes.delete_namespaced_pod(pod, "wakee")

    chapters = {"first": retrain(epochs=1, accept_any_first_model=True), "first in production": production()}
    chapters["better"] = retrain(delete_the_training_pod, epochs=6)
    chapters["better in production"] = production()
    chapters["worse"] = retrain(epochs=1, seed=1)
    chapters["after the worse"] = production()
    again = airflow.trigger(DAG, {"start": "random", "min_samples": 100, "epochs": 1, "seed": 1})
    chapters["the worse again"] = airflow.wait(DAG, again, 300)
    chapters["the worse again said"] = airflow.log(DAG, again, "fetch_training_data")
    version = chapters["first"]["evaluate"]["version"]
    rollback = airflow.trigger("model_rollback", {"version": version})
    assert airflow.wait("model_rollback", rollback, 120) == {"rollback": "success"}
    chapters["after the rollback"] = production()
    return chapters


def pod_in_epoch(kubernetes, epoch):
    for pod in kubernetes.list_namespaced_pod("wakee", label_selector="wakee.io/task-id=fine_tune").items:
        try:
            log = kubernetes.read_namespaced_pod_log(pod.metadata.name, "wakee", container="airflow-stage")
        except ApiException:
            continue  # not started yet, or already gone
        if f"epoch {epoch}/" in (log or ""):
            return pod.metadata.name
    return None


def everywhere(chapter):
    return Production(*[chapter["evaluate"]["version"]] * 4)


def test_the_first_model_is_promoted(story):
    assert story["first"]["evaluate"]["promote"] is True
    assert story["first in production"] == everywhere(story["first"])


def test_buttons_lead_to_the_hub_commit_and_the_mlflow_run(story):
    links, commit = story["first"]["links"], story["first"]["upload_to_hub"]["commit"]
    assert links["Hub commit"] == f"{HUB}/{REPOSITORY}/tree/{commit}"
    assert links["MLflow run"].endswith(f"/runs/{story['first']['log_to_mlflow']['mlflow_run_id']}")


def test_a_better_model_replaces_it(story):
    evaluation = story["better"]["evaluate"]
    assert evaluation["champion_version"] == story["first"]["evaluate"]["version"]
    assert evaluation["champion_mae"] - evaluation["mae"] > MARGIN
    assert story["better in production"] == everywhere(story["better"])


def test_a_deleted_training_pod_is_started_again_and_resumes_at_its_checkpoint(story):
    assert story["better"]["fine_tune"]["run"]["try_number"] == 1
    assert story["better"]["fine_tune"]["resumed"] is True
    assert story["better"]["fine_tune"]["epochs_run"] == 6


def test_an_unchanged_data_set_is_reused(story):
    assert story["better"]["fetch_training_data"]["reused"] is True
    assert story["better"]["split_dataset"]["samples"] == story["first"]["split_dataset"]["samples"]


def test_the_same_retraining_is_not_done_again(story):
    states = dict(story["the worse again"])
    done = {task_id for task_id, state in states.items() if state == "success"}
    assert done == {"check_targets", "try_backbone", "fetch_training_data"}
    assert set(states.values()) == {"success", "skipped"}
    assert f"{story['worse']['evaluate']['version']} was trained on the same data" in story["the worse again said"]


def test_a_worse_model_stays_a_candidate(story):
    assert story["worse"]["evaluate"]["promote"] is False
    assert story["worse"]["upload_to_hub"]["branch"].startswith("candidate/")
    assert story["worse"]["update_model_versions"]["is_production"] is False
    assert story["after the worse"] == everywhere(story["better"])


def test_a_rollback_puts_the_first_model_back_everywhere(story):
    assert story["after the rollback"] == everywhere(story["first"])


def test_exactly_one_model_is_in_production(query, story):
    assert query("SELECT count(*) AS models FROM model_versions WHERE is_production") == [{"models": 1}]
