"""What people do in Airflow's pages: look around, start a training from the form, follow it, read what it left."""

import time

import pytest
from playwright.sync_api import expect

from support.production import publication
from support.waiting import wait_for

from .conftest import AIRFLOW

DAG = "model_retrain"
RUN = f"{AIRFLOW}/dags/{DAG}/runs"
EXPLAINED = {
    "drift_detection_daily": "starts model_retrain with the report's id",
    "health_check_weekly": "a write that is rolled back",
    "model_retrain": "resumes at the last checkpoint",
    "model_rollback": "main gets the files of that version",
}
"""The DAGs, and a few words from the explanation of each."""


def test_the_dags_and_their_tags(page, visit):
    visit(f"{AIRFLOW}/dags", "model_retrain")

    for dag_id in EXPLAINED:
        expect(page.get_by_role("link", name=dag_id)).to_be_visible()
    for tag in ("drift", "health", "retrain"):
        expect(page.get_by_text(tag, exact=True).first).to_be_visible()


@pytest.mark.parametrize(("dag_id", "says"), EXPLAINED.items())
def test_a_dag_explains_itself(page, visit, dag_id, says):
    visit(f"{AIRFLOW}/dags/{dag_id}", "Trigger")

    page.get_by_role("button", name="Dag Docs").click()

    expect(page.get_by_text(says)).to_be_visible()


@pytest.fixture(scope="module")
def run_id(model_in_production):
    return f"browser-{time.time():.0f}"


def test_a_training_from_the_form(page, visit, airflow, run_id):
    visit(f"{AIRFLOW}/dags/{DAG}", "Trigger")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    expect(form.get_by_text("Learning rate", exact=False).first).to_be_visible()
    form.locator('[id="number-input:element_epochs"] input').fill("1")
    form.locator('[id="number-input:element_min_samples"] input').fill("50")
    form.get_by_role("button", name="Advanced Options").click()
    form.locator("input[name=dagRunId]").fill(run_id)

    form.get_by_test_id("trigger-dag-submit").click()

    expect(form).to_be_hidden()
    visit(f"{RUN}/{run_id}", "Running")
    expect(page.get_by_text("Success").first).to_be_visible(timeout=300_000)  # the page follows the run by itself
    assert set(airflow.wait(DAG, run_id, 600).values()) == {"success"}
    assert airflow.run(DAG, run_id)["conf"]["epochs"] == 1


def test_its_log_is_readable_after_the_pod_is_gone(visit, run_id):
    visit(f"{RUN}/{run_id}/tasks/fine_tune", "epoch 1/1")


def test_its_result_is_readable(visit, run_id):
    visit(f"{RUN}/{run_id}/tasks/evaluate/xcom", "return_value")


def test_buttons_lead_to_what_was_made(page, visit, airflow, run_id):
    visit(f"{RUN}/{run_id}/tasks/upload_to_hub/details", "Extra Links")
    commit = airflow.result(DAG, run_id, "upload_to_hub")["commit"]
    link = page.get_by_role("link", name="Hub commit")
    expect(link).to_be_visible()
    visit(link.get_attribute("href"), commit[:12])


def test_its_publication_cleared_and_run_again(page, visit, airflow, run_id):
    """The same commit, the same MLflow run, the same row."""
    before = publication(airflow, run_id)

    def tries() -> list[int]:
        tasks = airflow.tasks(DAG, run_id)
        return [tasks[task_id]["try_number"] for task_id in before]

    visit(f"{RUN}/{run_id}/tasks/upload_to_hub", "StageOperator")
    page.get_by_role("button", name="to clear").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("cell", name="update_model_versions")).to_be_visible()

    dialog.get_by_role("button", name="Confirm").click()

    expect(dialog).to_be_hidden()
    wait_for(lambda: tries() == [2, 2, 2], 300, "the second tries of the publication")  # the page is ahead of the run
    assert set(airflow.wait(DAG, run_id, 300).values()) == {"success"}
    assert tries() == [2, 2, 2]
    assert publication(airflow, run_id) == before
