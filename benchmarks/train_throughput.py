"""How many pictures a second fine-tuning takes: our trainer against plain loops.

    .venvs/train/bin/python benchmarks/train_throughput.py
    .venvs/train/bin/python benchmarks/train_throughput.py --batch-size 32 --steps 5

EfficientNet-B4 at 224 px from random weights, noise for pictures; no time depends on either. `plain loop`: fp32, NCHW,
pictures normalised and in place already, AdamW, nothing else. `timm's loop`: what timm's train script does in a step at
our settings (channels_last, AdamW, clipping, averaged weights), with timm's own parts, on pictures in place already
(the script itself is in no package). `our trainer`: `Trainer._step`, which also crops, mirrors, relights and
normalises, with the memory allocator set as in our image. `pure compute`: our model, precision and optimizer over one
batch in place already, and nothing else. `compiled`: our trainer with torch.compile; what that takes before the first
step is told below the table. Where there is a GPU it is used, and torch.compile also makes CUDA graphs.
"""

import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from document import Goal, picture, plot_path, publish, run_table
from harness import Contestant, Contestants, Runs, competing_with, contestant, in_turns, median, options_of, play

PLAIN, TIMM, OURS = "plain loop", "timm's loop", "our trainer"
PURE, COMPILED, GRAPHS = "pure compute", "our trainer, compiled", "our trainer, compiled to CUDA graphs"
BACKBONE = "efficientnet_b4"
RATE = "images_per_second"
BEFORE = "seconds_before"
"""Of the steps that do not count."""
AS_IN_A_NEW_POD = {"TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"}
"""Nothing has been compiled before."""
WARM_UP = 2
EPOCH = 1_000
"""Pictures of an epoch, to tell after how many a compilation has paid."""
Step = Callable[[], object]


def plain_loop(batch_size: int, steps: int, backbone: str) -> dict[str, Any]:
    """Forward, backward, AdamW."""
    import torch
    from torch.nn.functional import smooth_l1_loss

    model, pictures, labels = _model_and_batch(batch_size, backbone)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        smooth_l1_loss(model(pictures), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return _timed(step, batch_size, steps)


def timm_loop(batch_size: int, steps: int, backbone: str) -> dict[str, Any]:
    """`train.py --channels-last --opt adamw --clip-grad 1 --model-ema`."""
    import torch
    from torch.nn.functional import smooth_l1_loss

    model, pictures, labels = _model_and_batch(batch_size, backbone)
    from timm.optim import create_optimizer_v2  # type: ignore[attr-defined]
    from timm.utils.clip_grad import dispatch_clip_grad
    from timm.utils.model_ema import ModelEmaV3

    model = model.train().to(memory_format=torch.channels_last)
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    optimizer = create_optimizer_v2(model, opt="adamw", lr=1e-4, weight_decay=0.01)
    average, number = ModelEmaV3(model, decay=0.999, use_warmup=True), iter(range(10**6))

    def step() -> None:
        optimizer.zero_grad()
        smooth_l1_loss(model(pictures), labels).backward()  # type: ignore[no-untyped-call]
        dispatch_clip_grad(model.parameters(), 1.0)
        optimizer.step()
        average.update(model, step=next(number))

    return _timed(step, batch_size, steps)


def our_trainer(batch_size: int, steps: int, backbone: str, compiled: str = "") -> dict[str, Any]:
    """A step as `fine-tune` does it; with a mode of torch.compile, if any."""
    import numpy as np

    trainer = _trainer(backbone, 224, pictures=batch_size, batch_size=batch_size, epochs=1)
    trainer.model.train()
    if compiled:
        trainer.model.compile(mode=compiled)
    return _timed(lambda: trainer._step(trainer._batches.batch(np.arange(batch_size), 1, 0)), batch_size, steps)


def pure_compute(batch_size: int, steps: int, backbone: str) -> dict[str, Any]:
    """Forward, backward and the optimizer's step of our trainer, over and over the same batch."""
    import torch
    from torch.nn.functional import smooth_l1_loss
    from wakee_train.training.backbone import autocast_to

    trainer = _trainer(backbone, 224, pictures=batch_size, batch_size=batch_size, epochs=1)
    trainer.model.train()
    pictures = torch.randn(batch_size, 3, 224, 224, device=trainer.device).contiguous(memory_format=torch.channels_last)
    labels = torch.rand(batch_size, 4, device=trainer.device) * 3

    def step() -> None:
        trainer.optimizer.zero_grad(set_to_none=True)
        with autocast_to(trainer.device, trainer.settings.precision):
            levels = trainer.model(pictures)
        smooth_l1_loss(levels.float(), labels).backward()  # type: ignore[no-untyped-call]
        trainer.optimizer.step()

    return _timed(step, batch_size, steps)


def epochs(count: int) -> dict[str, Any]:
    """For `growth`: a small training of so many epochs, none of them stopped early, checkpoints in memory."""
    import io

    import torch

    trainer = _trainer("test_efficientnet", 112, pictures=64, batch_size=32, epochs=count)
    trainer.run(lambda: False, lambda: torch.save(trainer.state(), io.BytesIO()))
    return {"epochs": len(trainer.progress.history)}


def _trainer(backbone: str, image_size: int, *, pictures: int, batch_size: int, epochs: int) -> Any:
    """Our trainer with so many noisy pictures to learn from, and the same to be judged by."""
    import numpy as np
    from wakee_contract.pictures import RESIZED
    from wakee_train.data.shards import SplitPixels
    from wakee_train.records import TrainingSettings
    from wakee_train.training.backbone import choose_device, make_model
    from wakee_train.training.trainer import Trainer

    chance = np.random.default_rng(0)
    pixels = chance.integers(0, 256, (pictures, RESIZED, RESIZED, 3), np.uint8)
    split = SplitPixels([""] * pictures, pixels, chance.uniform(0, 3, (pictures, 4)).astype(np.float32))
    settings = TrainingSettings(
        backbone=backbone,
        image_size=image_size,
        epochs=epochs,
        learning_rate=1e-4,
        batch_size=batch_size,
        freeze_epochs=0,
        seed=0,
        start="random",
        patience=epochs,
        weight_decay=0.01,
        precision="auto",
    )
    return Trainer(make_model(backbone, image_size), settings, split, split, choose_device())


CONTESTANTS: Contestants = {
    "plain": plain_loop,
    "timm": timm_loop,
    "ours": our_trainer,
    "pure": pure_compute,
    "epochs": epochs,
}


def _model_and_batch(batch_size: int, backbone: str) -> tuple[Any, Any, Any]:
    import torch
    from wakee_train.training.backbone import choose_device, make_model

    device = choose_device()
    pictures = torch.randn(batch_size, 3, 224, 224, device=device)
    return make_model(backbone, 224).to(device), pictures, torch.rand(batch_size, 4, device=device) * 3


def _timed(step: Step, batch_size: int, steps: int) -> dict[str, Any]:
    """Images per second over the steps together, after some that do not count."""
    import torch

    wait: Step = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None

    def seconds_of(count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            step()
        wait()
        return time.perf_counter() - started

    device = "a GPU" if torch.cuda.is_available() else "the CPU"
    return {BEFORE: seconds_of(WARM_UP), RATE: steps * batch_size / seconds_of(steps), "device": device}


def contestants(options: Namespace) -> list[Contestant]:
    """The loops; those that compile not where it has to be quick, CUDA graphs only where there is CUDA."""
    given = {"batch_size": options.batch_size, "steps": options.steps, "backbone": BACKBONE}
    loops = [
        contestant(__file__, PLAIN, "plain", **given),
        contestant(__file__, TIMM, "timm", **given),
        contestant(__file__, OURS, "ours", image="train", **given),
        contestant(__file__, PURE, "pure", image="train", **given),
    ]
    compiled = [
        replace(contestant(__file__, name, "ours", image="train", compiled=mode, **given), environment=AS_IN_A_NEW_POD)
        for name, mode in _modes(options).items()
    ]
    return loops + compiled


def _modes(options: Namespace) -> dict[str, str]:
    import torch

    if options.quick:
        return {}
    return {COMPILED: "default"} | ({GRAPHS: "reduce-overhead"} if torch.cuda.is_available() else {})


def report(runs: Runs, options: Namespace, *, write: bool) -> None:
    """Table, goals, whether compiling pays, and a plot."""
    from plots import bars

    rates = {name: median(done, RATE) for name, done in runs.items()}
    ratio, share = rates[OURS] / max(rates[PLAIN], rates[TIMM]), rates[OURS] / rates[PURE]
    goals = [
        Goal("fine-tuning B4 at 224 px", "ahead of both loops", f"{ratio:.2f} x the better one", ratio > 1),
        Goal(
            "the same, against pure compute",
            "90 % (asked of GPUs)",
            f"{share:.0%} on {runs[OURS][0].answer['device']}",
            share >= 0.9,
        ),
    ]
    text = f"Batches of {options.batch_size}, {options.steps} steps timed together.\n\n"
    text += run_table(runs, PLAIN, RATE, "images/s", more_is_better=True)
    text += "".join(f"\n\n{_compilation(runs, name)}" for name in (COMPILED, GRAPHS) if name in runs)
    if write:
        heights = {name: [run.answer[RATE] for run in done] for name, done in runs.items()}
        bars(plot_path("train_throughput"), f"Fine-tuning {BACKBONE} at 224 px", heights, "images/s")
        text += f"\n\n{picture('train_throughput', 'Images per second of the training loops')}"
    publish("train_throughput", goals, text, write=write, packages=["torch", "timm"])


def _compilation(runs: Runs, name: str) -> str:
    """What compiling took, and after how many pictures the faster steps have made up for it."""
    spent = median(runs[name], BEFORE) - median(runs[OURS], BEFORE)
    saved = 1 / median(runs[OURS], RATE) - 1 / median(runs[name], RATE)
    pays = f"has paid after {spent / saved:,.0f} pictures, {spent / saved / EPOCH:.1f} epochs of {EPOCH:,}"
    return f"{name}: {spent:.0f} s before the first step, which {pays if saved > 0 else 'never pays'}."


def main() -> None:
    """Measure and tell."""
    options = options_of(__doc__ or "", repetitions=5, batch_size=8, steps=8)
    if options.quick:
        options.batch_size, options.steps = 4, 2
    field = competing_with(options.before, contestants(options), [OURS])
    runs = in_turns(field, options.repetitions or (1 if options.quick else 5), warm_up=False)
    report(runs, options, write=options.publish)


if __name__ == "__main__":
    play(CONTESTANTS)
    main()
