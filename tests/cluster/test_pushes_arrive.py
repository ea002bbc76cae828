"""No stage of the runs that these tests started lost its metrics: their logs in R2 do not say so."""

import re
from datetime import UTC, datetime

BEGUN = datetime.now(UTC)
RUN = re.compile(r"run_id=manual__(\d{4}-\d\d-\d\dT[^/]+)/")
ENDED = re.compile(r"\w+ ends: ")
LOST = "cannot push metrics"
ENOUGH = 20


def started_here(key):
    found = RUN.search(key)
    return bool(found) and datetime.fromisoformat(found[1]) > BEGUN


def test_no_push_was_lost(store):
    keys = filter(started_here, store.list_keys("airflow-logs/"))
    logs = {key: store.get_bytes(store.uri(key)).decode(errors="replace") for key in keys}
    stages = {key: text for key, text in logs.items() if ENDED.search(text)}
    print(f"\n{len(stages)} stages, {sum(LOST in text for text in stages.values())} lost pushes")
    assert len(stages) >= ENOUGH
    assert [key for key, text in stages.items() if LOST in text] == []
