"""Days of a pipeline's life, through the stages and the database: when a retraining is triggered, and when not."""

from datetime import datetime, timedelta

import pytest

FIRST_DAY = datetime(2026, 3, 10)
INSERT = (
    "INSERT INTO model_versions (version_name, run_id, is_production, deployed_at, created_at)"
    " VALUES (%s, 'run', %s, %s, %s)"
)
PROMOTE = "INSERT INTO promotions (version_name, promoted_at, decided_by, reason) VALUES (%s, %s, 'gate', 'better')"


@pytest.fixture
def life(annotations, pipeline):
    """Annotations, versions and daily reports."""
    return Life(annotations, pipeline)


class Life:
    def __init__(self, annotations, pipeline):
        self.annotations, self.pipeline = annotations, pipeline

    def annotate(self, day: int, error: float, rows: int = 30, **columns):
        """A day's annotations by five people, whose predictions are off by `error`."""
        at = FIRST_DAY + timedelta(days=day)
        for person in range(5):
            who = {"user_id": f"user {person}", **columns}
            self.annotations.add_drawn(
                rows // 5, error, seed=31 * day + person, at=at, prefix=f"d{day}-{person}-", **who
            )

    def promote(self, version: str, at: datetime, made_at: datetime | None = None):
        self.annotations.execute("UPDATE model_versions SET is_production = false")
        self.annotations.execute(INSERT, (version, True, at, made_at or at))
        self.annotations.execute(PROMOTE, (version, at))

    def report(self, day: int, **flags):
        """The report of a day; returns what `decide` follows."""
        until = f"{FIRST_DAY + timedelta(days=day):%Y-%m-%d}"
        calculated = self.pipeline.calculate(self.pipeline.load(self.pipeline.fetch(until=until)))
        stand_in = self.pipeline.stand_in()
        metrics = calculated["metrics_uri"]
        return self.pipeline.stage("save-report", metrics=metrics, report=stand_in["html_uri"], **flags)


def test_ten_days_of_standing_drift_with_unchanged_data_make_one_training(life):
    """With every pause over: the version that the first training made learnt from all there is."""
    life.promote("v1", FIRST_DAY - timedelta(days=30))
    life.annotate(0, 0.3, rows=60)
    retrained = []
    for day in range(7):
        report = life.report(day)
        assert report["drift_detected"] is True
        if report["retrain"]:
            retrained.append(day)
            # Made, but not promoted: v1 stays, and so does its error.
            made_at = FIRST_DAY + timedelta(days=day, hours=36)
            life.annotations.execute(INSERT, (f"candidate-{day}", False, None, made_at))
    assert retrained == [0]
    assert "0 annotations since the last retraining (20 needed)" in report["reasons"]


def test_after_a_right_promotion_the_old_model_s_errors_trigger_nothing(life):
    """Six days at 0.30, a promotion, one day at 0.10."""
    life.promote("v1", FIRST_DAY - timedelta(days=30))
    for day in range(6):
        life.annotate(day, 0.3)
    assert life.report(5)["retrain"] is True

    life.promote("v2", FIRST_DAY + timedelta(days=5, hours=20))
    life.annotate(6, 0.1)
    report = life.report(6)

    assert report["drift_detected"] is True
    assert report["drift_score"] == pytest.approx((6 * 0.3 + 0.1) / 7)
    assert report["retrain"] is False
    assert report["reasons"][0].startswith("lower bound 0.1")
    [(document,)] = life.annotations.execute("SELECT report_json FROM drift_reports ORDER BY report_date DESC LIMIT 1")
    assert document["production"]["num_samples"] == 30
    assert document["production"]["score"] == pytest.approx(0.1)
    assert document["retraining"]["retrain"] is False


def test_a_new_version_that_errs_triggers_though_the_window_as_a_whole_does_not(life):
    life.promote("v1", FIRST_DAY - timedelta(days=30))
    for day in range(6):
        life.annotate(day, 0.05)
    life.promote("v2", FIRST_DAY + timedelta(days=5, hours=20), made_at=FIRST_DAY)
    life.annotate(6, 0.5)

    report = life.report(6)

    assert report["drift_detected"] is False
    assert report["retrain"] is True


def test_a_retraining_that_goes_on_is_not_asked_for_again(life, monkeypatch):
    """Two reports, one after the other, while the first one's retraining has made no version yet."""
    life.promote("v1", FIRST_DAY - timedelta(days=30))
    life.annotate(0, 0.3)
    monkeypatch.setenv("WAKEE_RUN_ID", "scheduled")
    assert life.report(0)["retrain"] is True
    assert life.report(0)["retrain"] is True, "a retry of the stage decides the same"

    monkeypatch.setenv("WAKEE_RUN_ID", "by hand")
    again = life.report(1)

    assert (again["retrain"], again["reasons"]) == (False, ["a report requested one 0.0 days ago (2 needed)"])


def test_rows_of_the_first_minutes_do_not_count(life):
    promoted_at = FIRST_DAY - timedelta(minutes=15)
    life.promote("v2", promoted_at, made_at=FIRST_DAY - timedelta(days=9))
    life.annotate(0, 0.5)  # at most six minutes after midnight

    assert "v2 predicted 0 rows of the window (10 needed)" in life.report(0)["reasons"]


def test_a_version_that_the_api_wrote_beside_the_prediction_decides(life):
    life.annotations.execute("ALTER TABLE emotion_labels ADD model_version text")
    try:
        life.promote("v2", FIRST_DAY - timedelta(days=9))
        life.annotate(0, 0.3, model_version="v1")
        life.annotate(1, 0.5, model_version="v2")
        life.annotate(2, 0.5)  # not said: by its time
        life.report(2)
    finally:
        life.annotations.execute("ALTER TABLE emotion_labels DROP model_version")

    [(document,)] = life.annotations.execute("SELECT report_json FROM drift_reports")
    assert document["production"]["num_samples"] == 60
    assert document["production"]["score"] == pytest.approx(0.5)


def test_days_in_a_row_are_those_without_a_gap(life):
    life.promote("v1", FIRST_DAY - timedelta(days=30))
    life.annotate(0, 0.3)
    decided = {day: life.report(day, days_in_a_row=3)["retrain"] for day in (0, 1, 3, 4, 5)}
    assert decided == {0: False, 1: False, 3: False, 4: False, 5: True}


def test_without_a_version_in_production_every_row_counts(life):
    life.annotate(0, 0.3)

    report = life.report(0)

    assert report["retrain"] is True
    assert report["reasons"][0] == "the model in production predicted 30 rows of the window (10 needed)"
