"""Annotations joined with their predictions: what is left out is counted."""


def test_unusable_rows_are_counted_and_left_out(annotations, run_stages):
    good, nan, inf = [1, 1, 1, 1], float("nan"), float("inf")
    cases = {
        "label_missing": (good, [None, 1, 1, 1]),
        "label_not_finite": (good, [1, nan, 1, 1]),
        "label_out_of_range": (good, [1, 1, 3.5, 1]),
        "prediction_not_finite": ([1, 1, 1, inf], good),
        "prediction_out_of_range": ([1, -7, 1, 1], good),
    }
    annotations.add([[1.5, 1.5, 1.5, 1.5]] * 10, [good] * 10)
    for reason, (predicted, user) in cases.items():
        annotations.add([predicted] * 2, [user] * 2, prefix=reason)

    results = run_stages(with_report=False)

    assert results["fetch"]["rows"] == 14
    assert results["load"]["rows"] == results["calculate"]["num_samples"] == 10
    assert {k: v for k, v in results["load"]["excluded"].items() if v} == dict.fromkeys(cases, 2)
    assert results["calculate"]["drift_score"] == 0.5
    assert annotations.execute("SELECT num_excluded FROM drift_reports") == [(10,)]


def test_a_prediction_that_vanished_is_counted(annotations, pipeline):
    annotations.add_drawn(12, 0.1)
    fetched = pipeline.fetch()
    annotations.execute("DELETE FROM emotion_labels WHERE img_name = 'p3.jpg'")

    loaded = pipeline.load(fetched)

    assert (loaded["rows"], loaded["excluded"]["prediction_missing"]) == (11, 1)
