"""How many pictures a second fine-tuning takes: a plain loop against our trainer, in turns, as a Markdown table.

    .venvs/train/bin/python benchmarks/train_throughput.py --backbone efficientnet_b4 --image-size 224 --batch-size 8

The plain loop: fp32, NCHW, pictures normalised and moved already, AdamW, nothing else. Our trainer's step does all that
training does: cropping, light, channels_last, bf16 where it is a GPU, clipping, the averaged weights (EMA). A first
measurement of each is not counted; noise stands in for pictures and weights are random, which no time depends on.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import smooth_l1_loss
from wakee_train.backbone import describe, make_model
from wakee_train.pictures import CROPPED, RESIZED
from wakee_train.records import TrainingSettings
from wakee_train.split_pixels import SplitPixels
from wakee_train.trainer import Trainer


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="efficientnet_b4", help="a timm model (%(default)s)")
    parser.add_argument("--image-size", type=int, default=224, help="pixels at which it works (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=32, help="pictures a step (%(default)s)")
    parser.add_argument("--steps", type=int, default=10, help="steps that are timed together (%(default)s)")
    parser.add_argument("--repetitions", type=int, default=5, help="measurements of each loop (%(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 (%(default)s)")
    parser.add_argument("--threads", type=int, help="of the CPU; torch's own choice unless told")
    return parser.parse_args()


def plain_step(options: argparse.Namespace, device: torch.device) -> Callable[[], object]:
    """One step of the plain loop."""
    model = make_model(options.backbone, options.image_size).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    pictures = torch.randn(options.batch_size, 3, CROPPED, CROPPED, device=device)
    labels = torch.rand(options.batch_size, 4, device=device) * 3

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        smooth_l1_loss(model(pictures), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def our_step(options: argparse.Namespace, device: torch.device) -> Callable[[], object]:
    """One step of our trainer."""
    chance, size = np.random.default_rng(0), options.batch_size
    pixels = chance.integers(0, 256, (size, RESIZED, RESIZED, 3), np.uint8)
    pictures = SplitPixels([""] * size, pixels, chance.uniform(0, 3, (size, 4)).astype(np.float32))
    settings = TrainingSettings(
        backbone=options.backbone,
        image_size=options.image_size,
        epochs=1,
        learning_rate=1e-4,
        batch_size=size,
        freeze_epochs=0,
        seed=0,
        start="random",
        patience=1,
        weight_decay=0.01,
        precision="auto",
    )
    trainer = Trainer(make_model(options.backbone, options.image_size), settings, pictures, pictures, device)
    trainer.model.train()
    rows = np.arange(size)
    return lambda: trainer._step(rows)


def images_per_second(step: Callable[[], object], options: argparse.Namespace, device: torch.device) -> float:
    """Time some steps together."""
    started = time.perf_counter()
    for _ in range(options.steps):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return float(options.steps * options.batch_size / (time.perf_counter() - started))


def measure(options: argparse.Namespace, device: torch.device) -> dict[str, list[float]]:
    """Speeds of both loops, measured in turns."""
    precision = "bf16" if device.type == "cuda" else "fp32"
    loops = {
        "plain, fp32, NCHW": plain_step(options, device),
        f"our step, {precision}, channels_last": our_step(options, device),
    }
    speeds: dict[str, list[float]] = {name: [] for name in loops}
    for repetition in range(options.repetitions + 1):
        for name, step in loops.items():
            speed = images_per_second(step, options, device)
            speeds[name] += [speed] if repetition else []
    return speeds


def table(speeds: dict[str, list[float]]) -> str:
    """Median and spread of each loop; the last column is against the first loop."""
    base = statistics.median(next(iter(speeds.values())))
    rows = ["| loop | images/s, median | lowest to highest | ratio |", "|---|---|---|---|"]
    for name, values in speeds.items():
        median = statistics.median(values)
        rows.append(f"| {name} | {median:.2f} | {min(values):.2f} to {max(values):.2f} | {median / base:.2f} |")
    return "\n".join(rows)


def processor() -> str:
    """The CPU's model, as the system calls it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def main() -> None:
    """Measure and print."""
    options = arguments()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    speeds = measure(options, device)
    print(
        f"{options.backbone} at {options.image_size} px, batches of {options.batch_size}, {describe(device)}; ", end=""
    )
    print(f"{options.repetitions} repetitions of {options.steps} steps, in turns\n\n{table(speeds)}\n")
    cores = len(os.sched_getaffinity(0))
    print(f"Machine: {processor()}, {cores} cores; torch {torch.__version__}, Python {platform.python_version()}")


if __name__ == "__main__":
    main()
