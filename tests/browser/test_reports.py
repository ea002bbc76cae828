"""The pages that the pipelines leave open in a browser, with what they promise on them."""

import httpx
import pytest
from playwright.sync_api import expect
from wakee_common.uris import R2Uri

MLFLOW = "http://localhost:5000"


@pytest.mark.usefixtures("model_in_production")
def test_the_health_report(page, visit, airflow, store):
    run_id = airflow.trigger("health_check_weekly")
    airflow.wait("health_check_weekly", run_id, 300)
    report = airflow.result("health_check_weekly", run_id, "generate_summary")["html_uri"]

    visit(store.link(R2Uri.parse(report)), "Wakee health")

    for check in ("test_api", "test_database", "test_storage", "test_app_sourcing", "test_model_hub"):
        expect(page.locator(".tile", has_text=check)).to_be_visible()
    expect(page.locator(".tile.failed")).to_have_count(0)
    history = page.get_by_role("img", name="Status per check and run, and the slowest latency per run")
    expect(history).to_be_visible()
    assert history.locator("rect").count() >= 6


@pytest.mark.usefixtures("retraining_paused")
def test_the_drift_report(page, visit, airflow, seed):
    seed("--labels-only", "--rows", "300", "--days", "30", "--until", "2014-03-31T00:00:00", "--seed", "11")
    run_id = airflow.trigger("drift_detection_daily", {"until": "2014-03-30"})
    airflow.wait("drift_detection_daily", run_id, 300)

    visit(airflow.links("drift_detection_daily", run_id, "generate_report")["Report"], "boredom")

    assert page.locator("canvas, svg").count() >= 4


@pytest.mark.usefixtures("model_in_production")
def test_mlflow_shows_the_figures(page, visit, query):
    (row,) = query("SELECT mlflow_run_id FROM model_versions ORDER BY id DESC LIMIT 1")
    run = httpx.get(f"{MLFLOW}/api/2.0/mlflow/runs/get", params={"run_id": row["mlflow_run_id"]}).json()["run"]
    experiment = run["info"]["experiment_id"]

    visit(f"{MLFLOW}/#/experiments/{experiment}/runs/{row['mlflow_run_id']}/artifacts", "figures")

    page.get_by_text("figures").first.click()
    page.get_by_text(".png").first.click()
    picture = page.locator("img[src*='.png'], img[src^='blob:']").first
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 100
