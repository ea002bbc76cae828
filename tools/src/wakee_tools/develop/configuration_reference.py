"""Generate docs/configuration.md from the code: the settings classes of the stages, and the variables of the DAGs.

A standalone script, run by the Python of the drift image's environment (`make configuration`), in which this package is
not installed. Settings modules import nothing heavier than pydantic.
"""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wakee_contract.parameters import RETRAIN

REPO = Path(__file__).resolve().parents[4]
IMAGES = {"common": "all", "drift": "drift", "health": "health", "train": "train"}
SHARED = ("common", "hub.py")
"""Defines only the base of two images' settings classes, which are listed with those images."""
BOUNDS = {"ge": "at least {}", "gt": "above {}", "le": "at most {}", "lt": "below {}"}

# Descriptions of the DAGs' variables: the fields of PipelineConfig, and others that the DAG files read.
MEANINGS = {
    "NAMESPACE": "Where stage pods run.",
    "VERSION": "The label `app.kubernetes.io/version` of stage pods.",
    "SECRET_NAME": "The Secret that stage pods get by `envFrom`.",
    "CONFIG_NAME": "The ConfigMap that stage pods get by `envFrom`.",
    "SERVICE_ACCOUNT": "The service account of stage pods. It needs no permissions.",
    "PRIORITY_CLASS": "The priority class of stage pods.",
    "IMAGE_PULL_SECRET": "The Secret, in the stages' namespace, with which nodes pull the images. Empty: none.",
    "DISRUPTION_BUDGET": "How often an attempt of a task starts a disrupted pod again (evicted, lost with its node).",
    "GPU_COUNT": "GPUs for `fine_tune`. 0 trains on the CPU.",
    "GPU_RESOURCE": "The resource and the taint of GPU nodes.",
    "GPU_NODE_SELECTOR": 'JSON, e.g. `{"accelerator": "a10"}`.',
    "GPU_WAIT_SECONDS": "How long a pod may wait for a GPU before the task fails.",
    "ALERT_EMAILS": "Recipients of alerts, separated by commas. Needs the connection `smtp_default`.",
    "ALERT_WEBHOOK": "A Slack-compatible incoming webhook for alerts. Its address is a secret.",
    "ALERT_AFTER_HOURS": "An alert is sent when a run has not ended this long after it was queued.",
    "HUB_UI": "Address to which the button *Hub commit* leads.",
    "MLFLOW_UI": "Address to which the button *MLflow run* leads. Empty: no button.",
    "R2_UI": "Address for the button *Report*: `/<bucket>/<key>` below it opens an object. Empty: no button.",
    "XCOM_IMAGE": "The image of the XCom sidecar. Any image with a shell.",
    "TRAINING_HOURS": "Time limit of one attempt of `fine_tune`, without the wait for a GPU.",
}
DEFAULTS = {"HUB_UI": "https://huggingface.co", "ALERT_AFTER_HOURS": "6, or 36 for `model_retrain`"}

HEAD = """# Configuration

Generated from the code by `make configuration`. `tests/docs` fails if it is out of date. The parameters of a run
(windows, thresholds, epochs, ...) are not configuration. They are in each DAG's trigger form, with their ranges.

## Stage pods

Environment variables, from the Secret `wakee-secrets` and the ConfigMap `wakee-config`. A stage without a required
variable ends immediately with exit code 2, and its message names the variable.
"""

AIRFLOW = """## Airflow's components

Environment variables, from the ConfigMap `wakee-images` (namespace `airflow`), and secret ones from
`airflow-connections`. A change needs new pods: `make helm-install` starts them if the ConfigMap has changed.
"""

RESOURCES = """### Resources of the stages

Each variable applies to all stages. With the name of a stage at its end, e.g. `WAKEE_STAGE_MEMORY_FINE_TUNE`, it
applies to that stage only and has priority. Values are in Kubernetes notation, e.g. `50m` or `2` CPUs, `512Mi` or
`4Gi`. An invalid value becomes an import error of the DAG, which names the variable. The second table has the
defaults.
"""


def main() -> None:
    """Write the page, or print it with `-`."""
    page = "\n".join([HEAD, *stage_sections(), AIRFLOW, *airflow_sections()]).rstrip() + "\n"
    if sys.argv[1:] == ["-"]:
        sys.stdout.write(page)
    else:
        (REPO / "docs/configuration.md").write_text(page)


def stage_sections() -> Iterator[str]:
    """Yield a table per image."""
    for image, who in IMAGES.items():
        yield f"### {'Every image' if who == 'all' else f'Image `{who}`'}\n"
        rows = [row for settings in settings_classes(image) for row in setting_rows(settings)]
        yield table(rows)


def settings_classes(image: str) -> list[Any]:
    """Find the settings classes that an image's package defines, in the order of the source."""
    source = REPO / "images" / image / "src"
    sys.path.insert(0, str(source))
    found = []
    for path in sorted(source.rglob("*.py")):
        names = re.findall(r"^class (\w+)\([\w.]*Settings\):", path.read_text(), re.MULTILINE)
        if names and (image, path.name) != SHARED:
            module = importlib.import_module(".".join(path.relative_to(source).with_suffix("").parts))
            found += [getattr(module, name) for name in names]
    return found


def setting_rows(settings: Any) -> Iterator[tuple[str, str, str]]:
    """Yield variable, default and description of each field, except those that the DAGs set for each run."""
    if settings.__name__ == "RunContext":
        return
    for field in settings.model_fields.values():
        secret = "SecretStr" in str(field.annotation)
        bounds = [
            BOUNDS[name].format(f"{value:g}")
            for rule in field.metadata
            for name in BOUNDS
            if (value := getattr(rule, name, None)) is not None
        ]
        default = "required" if field.is_required() else _text(field.default)
        notes = [
            field.description.rstrip(".") + ".",
            *(["Secret."] if secret else []),
            *([_sentence(bounds)] if bounds else []),
        ]
        yield field.alias, default, " ".join(notes)


def airflow_sections() -> Iterator[str]:
    """Yield the sections about the variables that DAG files read."""
    yield table([(f"WAKEE_{name}", default, MEANINGS[name]) for name, default in pipeline_variables()])
    yield RESOURCES
    yield from resource_tables()
    yield "### Defaults of the retraining form\n"
    yield table(list(form_defaults()))


def pipeline_variables() -> Iterator[tuple[str, str]]:
    """Yield name and default of the variables that `dags/wakee` reads, image names first."""
    for image in ("drift", "health", "train"):
        MEANINGS[f"{image.upper()}_IMAGE"] = f"The image of the stages of `images/{image}`, by digest."
        yield f"{image.upper()}_IMAGE", "required"
    yield "XCOM_IMAGE", "required"
    for path in sorted((REPO / "dags/wakee").glob("*.py")):
        text = path.read_text()
        yield from (
            (name, default)
            for name, default in re.findall(r"""_(?:variable|number|selector)\("(\w+)", "(.*?)"\)""", text)
        )
        for name in dict.fromkeys(re.findall(r'(?:os\.environ\.get|parsed)\("WAKEE_(\w+)"', text)):
            yield name, DEFAULTS.get(name, "")


def resource_tables() -> Iterator[str]:
    """Yield the tables of the variables for the stages' resources, and of each stage's defaults."""
    sys.path.insert(0, str(REPO / "dags"))
    resources = importlib.import_module("wakee.resources")
    yield table([(resources.variable(setting), "", what) for setting, what in resources.SETTINGS.items()])
    rows = [f"| `{name}` | {of.cpu} | {of.memory} | {of.scratch} |" for name, of in resources.DEFAULTS.items()]
    yield "\n".join(["| stage | CPU | memory | scratch |", "|---|---|---|---|", *rows, ""])


def form_defaults() -> Iterator[tuple[str, str, str]]:
    """Yield the variables that set defaults of `model_retrain`: variable, default, description of the parameter."""
    for name, parameter in RETRAIN.items():
        if parameter.cluster_default:
            meaning = f"*{parameter.title}*: {parameter.description}"
            yield f"WAKEE_DEFAULT_{name.upper()}", str(parameter.default), meaning
    text = (REPO / "dags/wakee/forms.py").read_text()
    for name, default in re.findall(r'PREFIX\}(\w+)", "(.*?)"\)', text):
        yield f"WAKEE_DEFAULT_{name}", default, MEANINGS[name]


def _text(default: Any) -> str:
    value = default.get_secret_value() if hasattr(default, "get_secret_value") else default
    return str(value)


def _sentence(parts: list[str]) -> str:
    text = ", ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def table(rows: list[tuple[str, str, str]]) -> str:
    """Format a Markdown table. A variable of several classes is listed once, required if any class requires it."""
    best: dict[str, tuple[str, str, str]] = {}
    for row in rows:
        if row[0] not in best or row[1] == "required":
            best[row[0]] = row
    lines = [f"| `{name}` | {_code(default)} | {what} |" for name, default, what in best.values()]
    return "\n".join(["| variable | default | what |", "|---|---|---|", *lines, ""])


def _code(default: str) -> str:
    return default if default in {"", "required"} else f"`{default}`"


if __name__ == "__main__":
    main()
