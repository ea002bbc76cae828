"""Open ONNX models of one input and one output. Needs the extra `pictures`."""

from pathlib import Path
from typing import Any

from wakee_contract.model import INPUT

from wakee_common.errors import BadInputError, one_line


def open_session(source: bytes | Path, output: str, fault: str) -> Any:
    """Open a model with the input `input`; returns an `onnxruntime.InferenceSession` on the CPU.

    Args:
        source: Content or path of the file.
        output: Name of its only output.
        fault: What a model with other inputs or outputs lacks, for the error.

    Raises:
        BadInputError: the file is not an ONNX model, or has other inputs or outputs.
    """
    import onnxruntime  # type: ignore[import-untyped]

    try:
        model = str(source) if isinstance(source, Path) else source
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's exceptions have no common base class
        raise BadInputError(f"Cannot open the ONNX model: {one_line(error, 200)}") from None
    names = [i.name for i in session.get_inputs()], [o.name for o in session.get_outputs()]
    if names != ([INPUT], [output]):
        raise BadInputError(f"This ONNX model {fault}: inputs {names[0]}, outputs {names[1]}.")
    return session
