"""Answering: one picture and 32, by the ONNX file that we export, against PyTorch and other exports.

    .venvs/train/bin/python benchmarks/inference.py

EfficientNet-B4 at 224 px, pictures normalised already, milliseconds per call. `PyTorch` is eager in inference mode,
`PyTorch compiled` is torch.compile (its compilation is not counted), `naive export` is the old exporter's file,
`our export` what `export-onnx` makes, `our export, int8` its quantised variant, whose accuracy the stage judges by
itself. All run on all cores; answers of the fp32 contestants agree to 1e-3. Two processes differ by more than our
export and the naive one do, so these two are compared by turns, call by call, in one process.
"""

import statistics
import tempfile
import time
import warnings
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from document import Goal, picture, plot_path, publish, run_table
from harness import Contestant, Contestants, Runs, contestant, in_turns, median, options_of, play, values

EAGER, COMPILED, NAIVE, OURS, INT8 = "PyTorch", "PyTorch compiled", "naive export", "our export", "our export, int8"
BACKBONE, SIZES = "efficientnet_b4", (1, 32)
TOLERANCE = 1e-3
UNTIMED = 1
TURNS = "our export and the naive one by turns"
AXES: dict[str, Any] = {"input_names": ["input"], "output_names": ["output"], "dynamic_axes": {"input": {0: "n"}}}


def _model(folder: str) -> Any:
    import torch
    from wakee_train.training.backbone import make_model

    model = make_model(BACKBONE, 224)
    model.load_state_dict(torch.load(f"{folder}/weights.pt"))
    return model.eval()


def _batch(size: int) -> Any:
    import numpy as np

    return np.random.default_rng(0).normal(0, 1, (size, 3, 224, 224)).astype(np.float32)


def pytorch(folder: str, calls: int, compiled: bool = False) -> dict[str, Any]:
    """Eager, or compiled."""
    import torch

    model = _model(folder)
    if compiled:
        model = torch.compile(model)

    def answer(pictures: Any) -> Any:
        with torch.inference_mode():
            return model(torch.from_numpy(pictures)).numpy()

    return _timed(answer, calls)


def onnx(folder: str, calls: int, file: str) -> dict[str, Any]:
    """A file through the class that our stages use."""
    from wakee_train.evaluation.onnx_model import OnnxModel

    return _timed(OnnxModel(Path(folder, file).read_bytes()), calls)


def by_turns(folder: str, calls: int, files: dict[str, str]) -> dict[str, Any]:
    """Two files in one process: how many times as fast as the first one the second one is."""
    from wakee_train.evaluation.onnx_model import OnnxModel

    models = [OnnxModel(Path(folder, file).read_bytes()) for file in files.values()]
    found = dict[str, Any]()
    for size in SIZES:
        batch = _batch(size)
        times = [[_milliseconds(model, batch) for model in models] for _ in range(UNTIMED + max(8, calls // size))]
        first, second = map(statistics.median, zip(*times[UNTIMED:], strict=True))
        found[f"ratio_{size}"] = first / second
    return found


CONTESTANTS: Contestants = {"pytorch": pytorch, "onnx": onnx, "by_turns": by_turns}


def _milliseconds(answer: Callable[[Any], Any], batch: Any) -> float:
    started = time.perf_counter()
    answer(batch)
    return (time.perf_counter() - started) * 1000


def _timed(answer: Callable[[Any], Any], calls: int) -> dict[str, Any]:
    """Milliseconds of a call, and the answer to the first picture."""
    found: dict[str, Any] = {"levels": answer(_batch(1))[0].tolist()}
    for size in SIZES:
        batch = _batch(size)
        times = [_milliseconds(answer, batch) for _ in range(UNTIMED + max(3, calls // size))]
        found[f"ms_{size}"] = statistics.median(times[UNTIMED:])
    return found


def make_files(folder: Path) -> None:
    """The weights, and the model in three formats."""
    import numpy as np
    import torch
    from wakee_train.data.shards import SplitPixels
    from wakee_train.evaluation.onnx_export import to_onnx
    from wakee_train.evaluation.quantization import quantised
    from wakee_train.training.backbone import make_model

    torch.manual_seed(0)
    model = make_model(BACKBONE, 224).eval()
    torch.save(model.state_dict(), folder / "weights.pt")
    content = to_onnx(model)
    (folder / "ours.onnx").write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this exporter is the old one
        torch.onnx.export(model, (torch.zeros(1, 3, 224, 224),), folder / "naive.onnx", dynamo=False, **AXES)
    pixels = np.random.default_rng(0).integers(0, 256, (16, 256, 256, 3), np.uint8)
    pictures = SplitPixels([""] * 16, pixels, np.zeros((16, 4), np.float32))
    (folder / "int8.onnx").write_bytes(quantised(content, pictures))


def contestants(folder: str, calls: int) -> list[Contestant]:
    """Five ways to the same levels, and two of them once more, by turns."""
    given: dict[str, Any] = {"folder": folder, "calls": calls}
    files = {NAIVE: "naive.onnx", OURS: "ours.onnx", INT8: "int8.onnx"}
    return [
        contestant(__file__, EAGER, "pytorch", **given),
        contestant(__file__, COMPILED, "pytorch", compiled=True, **given),
        *(contestant(__file__, name, "onnx", file=file, **given) for name, file in files.items()),
        contestant(__file__, TURNS, "by_turns", files={name: files[name] for name in (NAIVE, OURS)}, **given),
    ]


def report(runs: Runs, *, write: bool) -> None:
    """Tables, goals and plots."""
    from plots import bars

    turns = runs.pop(TURNS)
    _agree(runs)
    parts, goals = [], []
    for size in SIZES:
        what, by_turns = f"ms_{size}", values(turns, f"ratio_{size}")
        parts.append(f"**Batch {size}**\n\n{run_table(runs, EAGER, what, 'ms a call', 1)}")
        said = f"{statistics.median(by_turns):.3f} x ({min(by_turns):.3f} to {max(by_turns):.3f})"
        parts.append(f"By turns in one process our export is {said} as fast as the naive one.")
        ratios = {
            name: median(runs[name], what) / median(runs[OURS], what) for name in (EAGER, COMPILED) if name in runs
        }
        ratios[NAIVE] = statistics.median(by_turns)
        best = min(ratios, key=lambda name: ratios[name])
        measured = f"{ratios[best]:.2f} x the best other ({best})"
        goals.append(Goal(f"ONNX inference, batch {size}", "ahead", measured, ratios[best] > 1))
        if write:
            heights = {name: [run.answer[what] for run in done] for name, done in runs.items()}
            bars(plot_path(f"inference_{size}"), f"{BACKBONE}, batch {size}", heights, "ms a call")
            parts.append(picture(f"inference_{size}", f"Milliseconds for {size} pictures"))
    publish("inference", goals, "\n\n".join(parts), write=write, packages=["torch", "onnxruntime"])


def _agree(runs: Runs) -> None:
    """All but int8 say the same.

    Raises:
        AssertionError: they do not.
    """
    for name, done in runs.items():
        pairs = zip(done[0].answer["levels"], runs[EAGER][0].answer["levels"], strict=True)
        if name != INT8 and max(abs(a - b) for a, b in pairs) > TOLERANCE:
            raise AssertionError(f"{name} answers something else than {EAGER}")


def main() -> None:
    """Measure and tell."""
    options: Namespace = options_of(__doc__ or "", repetitions=5, calls=96)
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder))
        field = contestants(folder, 16 if options.quick else options.calls)
        field = [one for one in field if not options.quick or one.name != COMPILED]  # compiling takes minutes
        repetitions = options.repetitions or (1 if options.quick else 5)
        runs = in_turns(field, repetitions, warm_up=False)
    report(runs, write=options.publish)


if __name__ == "__main__":
    play(CONTESTANTS)
    main()
