"""Connect to each target from a pod, and print which targets accepted. TARGETS is JSON, name -> [host, port].

A policy takes effect some seconds after its pod has started, so the probe waits for SETTLE_SECONDS before it connects.
"""

import json
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor

SETTLED = time.monotonic() + float(os.environ["SETTLE_SECONDS"])
TRIES = 3


def accepts(address):
    """Whether a connection to (host, port) is accepted once policies are in effect."""
    time.sleep(max(0, SETTLED - time.monotonic()))
    for _ in range(TRIES):
        try:
            socket.create_connection(address, timeout=3).close()
        except OSError:
            time.sleep(1)
        else:
            return True
    return False


targets = json.loads(os.environ["TARGETS"])
with ThreadPoolExecutor(len(targets)) as pool:
    found = dict(zip(targets, pool.map(lambda target: accepts(tuple(target)), targets.values()), strict=True))
print(json.dumps(found))
