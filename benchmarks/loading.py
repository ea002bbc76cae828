"""Pictures for training: from shards as we do it, against a PIL data set over the original files. One core for each.

    .venvs/train/bin/python benchmarks/loading.py

`PIL and torchvision` opens every JPEG file in every epoch: decode, resize to 256, random crop of 224, mirror, change
brightness and contrast, make a normalised tensor. `ours` unpacks the shards once; in every epoch it crops, mirrors,
normalises and relights, in batches of 32. Both see the same pictures and end with float32 batches on the CPU; ours is
charged with the unpacking, spread over the epochs of the stage's default (10).
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from document import Goal, picture, plot_path, publish, run_table
from harness import (
    Contestant,
    Contestants,
    Runs,
    competing_with,
    contestant,
    in_turns,
    median,
    options_of,
    play,
    run_once,
)

PLAIN, OURS, EPOCH = "PIL and torchvision", "ours, 10 epochs from shards", "ours, one epoch once unpacked"
BATCH, EPOCHS = 32, 10


def plain(folder: str, count: int) -> dict[str, Any]:
    """One epoch of a `torch.utils.data.Dataset` over files."""
    _one_core()
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset
    from wakee_train.training.backbone import DEVIATION, MEAN, import_timm

    import_timm()  # lets torchvision import beside the CPU build of torch
    from torchvision import transforms  # type: ignore[import-untyped]

    torch.set_num_threads(1)
    change = transforms.Compose(
        [
            transforms.Resize((256, 256)),
            transforms.RandomCrop(224),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(0.15, 0.15),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, DEVIATION),
        ]
    )

    class Files(Dataset[torch.Tensor]):
        def __len__(self) -> int:
            return count

        def __getitem__(self, index: int) -> torch.Tensor:
            with Image.open(f"{folder}/{index:08d}.jpg") as image:
                changed: torch.Tensor = change(image.convert("RGB"))
            return changed

    started = time.perf_counter()
    seen = sum(len(batch) for batch in DataLoader(Files(), batch_size=BATCH, shuffle=True))
    return {"images_per_second": seen / (time.perf_counter() - started)}


def ours(folder: str, count: int, epochs: int = EPOCHS) -> dict[str, Any]:
    """Our way, from the shards on disk."""
    _one_core()
    import torch

    torch.set_num_threads(1)
    started = time.perf_counter()
    pixels = _unpacked(Path(folder), count)
    unpacked = time.perf_counter()
    for epoch in range(epochs):
        _epoch(pixels, epoch)
    done = time.perf_counter()
    return {
        "images_per_second": epochs * count / (done - started),
        "unpacked_per_second": count / (unpacked - started),
        "epoch_per_second": epochs * count / (done - unpacked),
    }


def _unpacked(folder: Path, count: int) -> Any:
    """As `load_splits` does it, without S3."""
    import numpy as np
    from wakee_contract.pictures import RESIZED
    from wakee_train.data.pictures import unpack
    from wakee_train.data.shards import unpack_shard

    pixels = np.memmap(folder / "train.pixels", np.uint8, "w+", shape=(count, RESIZED, RESIZED, 3))
    packed = (file for shard in sorted(folder.glob("*.tar")) for _, file in unpack_shard(shard.read_bytes()))
    for place, file in enumerate(packed):
        pixels[place] = unpack(file)
    return pixels


def _epoch(pixels: Any, epoch: int) -> None:
    """As the trainer does it."""
    import numpy as np
    import torch
    from wakee_train.data.shards import training_batches
    from wakee_train.training.augmentation import crop_and_mirror, light_factors, places_and_mirrors, relit, shuffled
    from wakee_train.training.backbone import normalised

    order = shuffled(len(pixels), 0, epoch)
    for step, part in enumerate(training_batches(len(pixels), BATCH)):
        rows, chance = np.sort(order[part]), np.random.default_rng((0, epoch, step))
        places, mirrored = places_and_mirrors(len(rows), chance)
        batch = torch.from_numpy(crop_and_mirror(pixels[rows], places, mirrored))
        relit(normalised(batch), light_factors(len(rows), chance)).contiguous(memory_format=torch.channels_last)


def _one_core() -> None:
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])


def shards(folder: str, originals: str, count: int) -> dict[str, Any]:
    """What `ours` reads, by the code that will read it."""
    from wakee_train.data.pictures import prepare
    from wakee_train.data.records import Sample
    from wakee_train.data.shards import SAMPLES_PER_SHARD, pack, shard_name

    names = [f"{number:08d}.jpg" for number in range(count)]
    packed = [
        (Sample(name=name, labels=(0, 1, 2, 3)), prepare((Path(originals) / name).read_bytes())) for name in names
    ]
    for shard, first in enumerate(range(0, count, SAMPLES_PER_SHARD)):
        file = Path(folder) / shard_name(shard)
        file.write_bytes(pack(first, packed[first : first + SAMPLES_PER_SHARD]))
    return {}


CONTESTANTS: Contestants = {"plain": plain, "ours": ours, "shards": shards}


def contestants(folder: Path, count: int, before: str) -> list[Contestant]:
    """Both ways, and ours by the code of an older checkout, if there is one; each over shards of its own making."""
    from photos import jpegs

    for number, content in enumerate(jpegs(count)):
        (folder / f"{number:08d}.jpg").write_bytes(content)
    field = [contestant(__file__, PLAIN, "plain", folder=str(folder), count=count)]
    for name, code in ({"now": ""} | ({"before": before} if before else {})).items():
        (folder / name).mkdir()
        given: dict[str, Any] = {"image": "train", "folder": str(folder / name), "count": count}
        packer = contestant(__file__, OURS, "shards", originals=str(folder), **given)
        run_once(competing_with(code, [packer], [OURS])[-1])
        field.append(competing_with(code, [contestant(__file__, OURS, "ours", **given)], [OURS])[-1])
    return field


def report(runs: Runs, count: int, *, write: bool) -> None:
    """Table, goal and a plot."""
    from plots import bars

    rate = "images_per_second"
    ratio = median(runs[OURS], rate) / median(runs[PLAIN], rate)
    goal = Goal("data loading, images/s per core", "3 x PIL and torchvision", f"{ratio:.1f} x", ratio >= 3)
    parts = {"unpacking once": "unpacked_per_second", "each epoch then": "epoch_per_second"}
    said = ", ".join(f"{name} {median(runs[OURS], what):.0f} images/s" for name, what in parts.items())
    table = run_table(runs, PLAIN, rate, "images/s on one core", 0, more_is_better=True)
    text = f"{count:,} pictures.\n\n{table}\n\nOurs in detail: {said}."
    if write:
        heights = {name: [run.answer[rate] for run in done] for name, done in runs.items()}
        heights[EPOCH] = [run.answer["epoch_per_second"] for run in runs[OURS]]
        bars(plot_path("loading"), "Pictures ready for a training step", heights, "images/s on one core")
        text += f"\n\n{picture('loading', 'Images per second on one core')}"
    publish("loading", [goal], text, write=write, packages=["torch", "torchvision", "pillow"])


def main() -> None:
    """Measure and tell."""
    options = options_of(__doc__ or "", repetitions=5, pictures=1_024)
    count = 128 if options.quick else options.pictures
    with tempfile.TemporaryDirectory() as folder:
        field = contestants(Path(folder), count, options.before)
        runs = in_turns(field, options.repetitions or (2 if options.quick else 5))
    report(runs, count, write=options.publish)


if __name__ == "__main__":
    play(CONTESTANTS)
    main()
