"""What Airflow sends to statsd for some metrics, as JSON; run in the environment of the Airflow image."""

import json
import os
import socket

receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(("127.0.0.1", 0))
receiver.settimeout(1)
settings = {"ON": "True", "HOST": "127.0.0.1", "PORT": str(receiver.getsockname()[1]), "PREFIX": "airflow"}
os.environ.update({f"AIRFLOW__METRICS__STATSD_{name}": value for name, value in settings.items()})

from airflow.sdk.observability import stats  # noqa: E402 - it reads the settings when imported

TASK = {"dag_id": "model_retrain", "task_id": "fine_tune"}
stats.incr("ti.finish", tags=TASK | {"state": "success"})
stats.timing("task.queued_duration", 3.0, tags=TASK)
stats.timing("dagrun.duration.failed", 3.0, tags={"dag_id": "model_retrain"})
stats.incr("scheduler_heartbeat", 1, 1)
received = []
try:
    while True:
        received.append(receiver.recv(4096).decode().split(":")[0])
except TimeoutError:
    print(json.dumps(received))
