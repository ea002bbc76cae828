"""What people do in Airflow's pages: look around, start a training from the form, follow it, read what it left."""

import time

import pytest
from playwright.sync_api import expect

from .conftest import AIRFLOW

DAG = "model_retrain"
RUN = f"{AIRFLOW}/dags/{DAG}/runs"


def test_the_dags_and_their_tags(page, visit):
    visit(f"{AIRFLOW}/dags", "model_retrain")

    for dag_id in ("drift_detection_daily", "health_check_weekly", "model_retrain", "model_rollback"):
        expect(page.get_by_role("link", name=dag_id)).to_be_visible()
    expect(page.get_by_text("wakee").first).to_be_visible()


def test_a_dag_explains_itself(page, visit):
    visit(f"{AIRFLOW}/dags/{DAG}", "Trigger")

    page.get_by_role("button", name="Dag Docs").click()

    expect(page.get_by_text("goes on from the last checkpoint")).to_be_visible()


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
    states = airflow.wait(DAG, run_id, 600)
    assert set(states.values()) == {"success"}
    assert airflow.run(DAG, run_id)["conf"]["epochs"] == 1
    visit(f"{RUN}/{run_id}", "Success")


def test_its_log_is_readable_after_the_pod_is_gone(visit, run_id):
    visit(f"{RUN}/{run_id}/tasks/fine_tune", "epoch 1/1")


def test_its_result_is_readable(visit, run_id):
    visit(f"{RUN}/{run_id}/tasks/evaluate/xcom", "return_value")


def test_buttons_lead_to_what_was_made(page, visit, airflow, run_id):
    visit(f"{RUN}/{run_id}/tasks/upload_to_hub/details", "Extra Links")

    address = airflow.links(DAG, run_id, "upload_to_hub")["Hub commit"]
    expect(page.get_by_role("link", name="Hub commit")).to_have_attribute("href", address)
