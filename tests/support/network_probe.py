"""Runs in a pod: tries to connect to each target and prints which accepted. TARGETS is JSON, name -> [host, port].

A policy takes effect some seconds after its pod has started. A target that should accept is asked again until then; one
that should refuse counts only after it.
"""

import json
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor

SETTLED = time.monotonic() + float(os.environ["SETTLE_SECONDS"])
TRIES = 3


def accepts(address):
    """Whether a connection to (host, port) is accepted once policies hold."""
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
