"""Airflow by the official chart and Airflow by the plain manifests of k8s/airflow are the same, object by object.

Needs the chart (CHART). The two are compared as flat tables, path -> value, after what means the same is written the
same way: the chart's airflow.cfg and the plain ConfigMap as variables. Whatever still differs must be on the list in
render-differences.yaml, and whatever is on the list must differ.
"""

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from wakee_tools.deploy.helm_values import environment, values

REPO = Path(__file__).parents[2]
WAKEE = str(Path(sys.executable).with_name("wakee"))
EXPLAINED = yaml.safe_load((Path(__file__).parent / "render-differences.yaml").read_text())
KINDS = {"Deployment", "Job", "Service", "ServiceAccount", "PodDisruptionBudget", "StatefulSet", "CronJob", "Secret"}
OF_THE_CHART = {"chart", "heritage", "executor"}
"""Labels of objects that name the chart."""


@pytest.fixture(scope="module")
def chart():
    """What the chart renders for kind."""
    if not os.environ.get("CHART"):
        pytest.skip("set CHART to the airflow chart 1.22.0 (.tgz, folder or name) to compare it with k8s/airflow")
    settings = os.environ | {"VALUES": str(REPO / "helm/values-kind.yaml"), "CLUSTER": "/nonexistent"}
    done = subprocess.run([WAKEE, "helm", "render"], capture_output=True, text=True, env=settings)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@pytest.fixture(scope="module")
def differences(chart, rendered):
    """Path -> what the chart has and what the plain manifests have, for everything that differs."""
    left, right = table(chart), table(rendered("airflow"))
    left |= settings_of_the_chart(chart)
    right |= {f"settings.{name}": value.lower() for name, value in environment(values("values-kind.yaml")).items()}
    paths = sorted(left.keys() | right.keys())
    return {path: (left.get(path), right.get(path)) for path in paths if left.get(path) != right.get(path)}


def table(objects):
    found = {}
    for document in objects:
        if document["kind"] in KINDS:
            found |= flat(normal(document), f"{document['kind']}/{document['metadata']['name']}")
    return found


def normal(document):
    """The parts that do something."""
    labels = document["metadata"].get("labels", {})
    kept = {name: value for name, value in labels.items() if name not in OF_THE_CHART and "wakee.io" not in name}
    rest = {key: value for key, value in document.items() if key not in {"apiVersion", "kind", "metadata"}}
    return {"labels": kept if document["kind"] == "Service" else {}, **rest}


def flat(value, path):
    """A tree as a table. Empty values are left out, list items are named where they have a name."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = ((named(item, number), item) for number, item in enumerate(value))
    else:
        text = str(value).strip().strip('"')
        return {path: text} if text else {}
    return {key: found for name, item in items for key, found in flat(item, f"{path}.{name}").items()}


def named(item, number):
    """A list item's own name: a mount's path, a source's object, a name, else its place."""
    if not isinstance(item, dict):
        return number
    sources = [f"{kind}/{item[kind]['name']}" for kind in ("configMapRef", "secretRef") if kind in item]
    return sources[0] if sources else item.get("mountPath") or item.get("name") or number


def settings_of_the_chart(objects):
    (text,) = [o["data"]["airflow.cfg"] for o in objects if "airflow.cfg" in (o.get("data") or {})]
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return {
        f"settings.AIRFLOW__{section.upper()}__{option.upper()}": value.lower()
        for section in parser.sections()
        for option, value in parser.items(section)
        if value
    }


def explains(entry, path):
    return any(re.fullmatch(pattern, path) for pattern in entry["paths"])


def test_whatever_differs_is_explained(differences):
    left = {path: pair for path, pair in differences.items() if not any(explains(e, path) for e in EXPLAINED)}
    assert left == {}, "\n".join(f"{path}: chart {a!r}, plain {b!r}" for path, (a, b) in left.items())


def test_every_explanation_is_needed(differences):
    unused = [p for e in EXPLAINED for p in e["paths"] if not any(re.fullmatch(p, path) for path in differences)]
    assert unused == []
    assert all(entry["reason"] for entry in EXPLAINED)
    print(f"\n{len(differences)} differences, all explained:")
    for entry in EXPLAINED:
        print(f"  {sum(explains(entry, path) for path in differences):3d}  {entry['reason']}")
