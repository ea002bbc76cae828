"""All five stages, as commands, against a real PostgreSQL and a real S3 server."""

import numpy as np
import pytest
from wakee_common.uris import R2Uri


def test_one_run_leaves_report_and_row(annotations, pipeline, pod):
    predicted, user = annotations.add_drawn(300, 0.3)
    annotations.add_drawn(400, 0.1, seed=1, at=__import__("datetime").datetime(2026, 3, 10), prefix="old")
    results = pipeline.to_the_end()
    print(results)
    import json
    for name in ("report",):
        for uri in ("html_uri", "json_uri", "png_uri"):
            print(pod.store.head(R2Uri.parse(results["report"][uri]))["ContentType"])
    open("/tmp/r.html", "wb").write(pod.store.get_bytes(R2Uri.parse(results["report"]["html_uri"])))
    open("/tmp/r.png", "wb").write(pod.store.get_bytes(R2Uri.parse(results["report"]["png_uri"])))
    print(pod.store.get_bytes(R2Uri.parse(results["calculate"]["metrics_uri"])).decode())
    print(annotations.execute("select * from drift_reports"))
