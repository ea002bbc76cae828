"""The row of a report in the database."""


def test_a_second_run_of_the_day_replaces_the_first(annotations, run_stages):
    annotations.add_drawn(50, 0.3)
    first = run_stages(with_report=False)
    [before] = annotations.execute("SELECT id, created_at, updated_at FROM drift_reports")

    annotations.execute("UPDATE emotion_labels SET predicted_boredom = user_boredom")
    second = run_stages(with_report=False)

    [after] = annotations.execute("SELECT id, created_at, updated_at FROM drift_reports")
    assert after[:2] == before[:2]
    assert after[2] > before[2]
    assert second["save"]["drift_report_id"] == first["save"]["drift_report_id"] == before[0]
    assert second["calculate"]["mae"]["boredom"] == 0
    assert annotations.execute("SELECT mae_boredom FROM drift_reports") == [(0,)]


def test_a_report_that_is_not_there_is_not_recorded(annotations, pipeline):
    annotations.add_drawn(20, 0.2)
    calculated = pipeline.calculate(pipeline.load(pipeline.fetch()))

    metrics = calculated["metrics_uri"]
    result = pipeline.stage("save-report", exit_code=2, metrics=metrics, report="r2://wakee-test/absent/report.html")

    assert "no such report" in result["cause"]
    assert annotations.execute("SELECT count(*) FROM drift_reports") == [(0,)]
