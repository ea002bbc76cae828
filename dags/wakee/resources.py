"""Resources of each stage's pod: defaults per task id, which a cluster can override by environment variables.

`WAKEE_STAGE_CPU`, `WAKEE_STAGE_MEMORY`, `WAKEE_STAGE_MEMORY_REQUEST` and `WAKEE_STAGE_SCRATCH` apply to all stages. The
same name with a task id, e.g. `WAKEE_STAGE_MEMORY_FINE_TUNE`, applies to one stage and takes precedence.

Imports nothing of Airflow or Kubernetes, because `make configuration` imports this module as well.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

PREFIX = "WAKEE_STAGE_"
CPU, MEMORY, MEMORY_REQUEST, SCRATCH = "CPU", "MEMORY", "MEMORY_REQUEST", "SCRATCH"
SETTINGS = {
    CPU: "CPU request. There is no CPU limit: a stage uses all free CPUs.",
    MEMORY: "Memory limit, and memory request unless the next variable is set.",
    MEMORY_REQUEST: "Memory request, if it should be lower than the limit. It is at most the limit.",
    SCRATCH: "Size of `/tmp`, the only writable place: request and limit of ephemeral storage.",
}

UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
BYTES = re.compile(r"(\d+(?:\.\d+)?)(k|M|G|T|Ki|Mi|Gi|Ti|)")
CORES = re.compile(r"\d+m|\d+(\.\d+)?")
LEAST_BYTES = 2**20


class ResourceSettingError(ValueError):
    """A variable for the resources of stages has an invalid value, or its name matches no stage."""


@dataclass(frozen=True)
class StageResources:
    """Resources of one stage in Kubernetes notation; the memory request is at most the memory limit."""

    cpu: str
    memory: str
    scratch: str
    memory_request: str = ""


_SMALL = StageResources("250m", "1Gi", "2Gi")
_PROBE = StageResources("100m", "768Mi", "1Gi")
_HEAVY_IMPORTS = StageResources("250m", "2Gi", "2Gi")
_MODEL = StageResources("500m", "4Gi", "20Gi")

# Scratch of fine_tune, evaluate and export_onnx holds the unpacked pictures: 0.2 MB each.
DEFAULTS = {
    "fetch_annotations": _SMALL,
    "load_predictions": _SMALL,
    "calculate_drift": StageResources("500m", "2Gi", "2Gi"),
    "generate_report": StageResources("500m", "2Gi", "2Gi"),
    "save_report": _SMALL,
    "test_api": _PROBE,
    "test_database": _PROBE,
    "test_storage": _PROBE,
    "test_app_sourcing": _PROBE,
    "test_model_hub": _PROBE,
    "run_pytest_suite": _PROBE,
    "generate_summary": _PROBE,
    "check_targets": _SMALL,
    "try_backbone": StageResources("500m", "4Gi", "2Gi"),
    "fetch_training_data": StageResources("1", "2Gi", "2Gi"),
    "split_dataset": _SMALL,
    "fine_tune": StageResources("1", "8Gi", "20Gi"),
    "evaluate": _MODEL,
    "export_onnx": _MODEL,
    "upload_to_hub": _HEAVY_IMPORTS,
    "log_to_mlflow": _HEAVY_IMPORTS,
    "update_model_versions": _SMALL,
    "rollback": _HEAVY_IMPORTS,
}


def variable(setting: str, task_id: str = "") -> str:
    """Return the name of the variable for all stages, or for one stage."""
    return "_".join([f"{PREFIX}{setting}", *([task_id.upper()] if task_id else [])])


def stage_resources(task_id: str) -> StageResources:
    """Return the resources of a stage's pod on this cluster.

    Raises:
        ResourceSettingError: a variable has an invalid value, or the stage has no defaults.
    """
    if task_id not in DEFAULTS:
        raise ResourceSettingError(f"Stage {task_id} has no resources. Add it to DEFAULTS in dags/wakee/resources.py.")
    default = DEFAULTS[task_id]
    memory = _bytes(MEMORY, task_id, default.memory)
    return StageResources(
        cpu=_cores(task_id, default.cpu),
        memory=memory,
        memory_request=min(_bytes(MEMORY_REQUEST, task_id, memory), memory, key=_count),
        scratch=_bytes(SCRATCH, task_id, default.scratch),
    )


def check_names() -> None:
    """Check the names of all resource variables, because a misspelt one would be silently ignored.

    Raises:
        ResourceSettingError: a variable names no stage.
    """
    known = {variable(setting, task_id) for setting in SETTINGS for task_id in ("", *DEFAULTS)}
    for name in sorted(_names_in_use() - known):
        raise ResourceSettingError(
            f"Unknown variable {name}: it does not name a stage. Use one of {', '.join(DEFAULTS)}, in upper case."
        )


def _names_in_use() -> set[str]:
    return {name for name in os.environ if name.startswith(tuple(f"{variable(setting)}_" for setting in SETTINGS))}


def _cores(task_id: str, default: str) -> str:
    name, value = _setting(CPU, task_id, default)
    if not CORES.fullmatch(value):
        raise ResourceSettingError(f'Cannot read {name}: "{value}" is not a number of CPUs. Set e.g. 50m, 0.5 or 2.')
    return value


def _bytes(setting: str, task_id: str, default: str) -> str:
    name, value = _setting(setting, task_id, default)
    if not BYTES.fullmatch(value):
        raise ResourceSettingError(f'Cannot read {name}: "{value}" is not a size. Set e.g. 512Mi or 4Gi.')
    if _count(value) < LEAST_BYTES:
        raise ResourceSettingError(f'Cannot use {name}: "{value}" is less than 1Mi. Set e.g. 512Mi or 4Gi.')
    return value


def _setting(setting: str, task_id: str, default: str) -> tuple[str, str]:
    """Return the variable that applies, and its value; an empty one counts as unset."""
    return next(_set_variables(setting, task_id), ("", default))


def _set_variables(setting: str, task_id: str) -> Iterator[tuple[str, str]]:
    for name in (variable(setting, task_id), variable(setting)):
        if value := os.environ.get(name, "").strip():
            yield name, value


def _count(size: str) -> float:
    number, unit = re.fullmatch(BYTES, size).groups()  # type: ignore[union-attr]
    return float(number) * UNITS[unit]
