"""How often does the drift report call pictures drifted, when nothing has changed and when the camera has?

    .venvs/train/bin/python benchmarks/picture_alarms.py

Drawn faces (`wakee_sandbox.faces`): 40 people whom the model was not trained on, and 30 whom it was, with two earlier
and two later sessions of three pictures each. A session has its own place and light. The model (timm's
test_efficientnet) is trained on the earlier sessions of its people until it fits them. Each run draws 20 people for
each side, and their pictures. The reference is always of earlier sessions, and of people whom the model was not trained
on. The window is of later sessions, of the same people, of other ones, or of people whom the model was trained on.
Counted are the runs in which any property, the embedding, or any of both (what the report says) is called drifted.
"""

import functools
import itertools
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from document import Goal, publish
from harness import REPO, options_of

for image in ("sandbox", "drift"):  # of both, what is used here needs no library of its own
    sys.path.append(str(REPO / "images" / image / "src"))

UNSEEN, SEEN = range(40), range(40, 70)
EARLIER, LATER = ("1", "2"), ("3", "4")
SHOTS, PEOPLE = 3, 20
EPOCHS, BATCH, LEARNING_RATE = 15, 32, 2e-3
LIMIT = 0.08


class Setting(NamedTuple):
    """What is simulated: rows on each side, the window's people, and what the camera did."""

    rows: int
    people: str
    change: str


class Pool(NamedTuple):
    """Pictures: person (N,), properties (N, 5), embeddings (N, features)."""

    people: Any
    properties: Any
    vectors: Any


def changes() -> dict[str, Callable[[Any], Any]]:
    """What the camera did to each picture."""
    from PIL import ImageEnhance, ImageFilter

    return {
        "nothing": lambda picture: picture,
        "15 % darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.85),
        "30 % darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.7),
        "out of focus": lambda picture: picture.filter(ImageFilter.GaussianBlur(1)),
    }


def settings(sizes: tuple[int, ...]) -> Iterator[Setting]:
    """All of them, those without a change first."""
    for people in ("same", "other", "trained on"):
        yield from (Setting(rows, people, "nothing") for rows in sizes)
    for change in list(changes())[1:]:
        yield from (Setting(rows, "other", change) for rows in sizes)


@functools.cache
def pictures(people: range, sessions: tuple[str, ...]) -> list[tuple[int, Any, Any]]:
    """Person, levels and picture of each shot."""
    import numpy as np
    from wakee_sandbox.faces import draw
    from wakee_sandbox.people import Shot

    found = []
    for person, session, number in itertools.product(people, sessions, range(SHOTS)):
        levels = np.random.default_rng((person, int(session), number)).uniform(0, 3, 4)
        found.append((person, levels, draw(tuple(levels), Shot(f"person {person}", session, number))))
    return found


def trained_features() -> Any:
    """The features of a model that fits the earlier sessions of the people whom it was trained on."""
    import numpy as np
    import torch
    from wakee_common.embeddings import FeatureModel
    from wakee_common.pictures import as_the_api_does
    from wakee_train.evaluation.features import features_of
    from wakee_train.evaluation.onnx_export import to_onnx
    from wakee_train.training.backbone import make_model

    torch.manual_seed(0)
    found = pictures(SEEN, EARLIER)
    inputs = torch.from_numpy(as_the_api_does(np.stack([np.asarray(picture) for _, _, picture in found])))
    labels = torch.tensor(np.array([levels for _, levels, _ in found]), dtype=torch.float32)
    model = make_model("test_efficientnet", 112).train()
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE)
    for epoch in range(EPOCHS):
        losses = []
        for rows in torch.randperm(len(inputs)).split(BATCH):
            loss = (model(inputs[rows]) - labels[rows]).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}: MAE {sum(losses) / len(losses):.3f}", file=sys.stderr)
    return FeatureModel(features_of(to_onnx(model.eval())))


def pool(features: Any, people: range, sessions: tuple[str, ...], change: Callable[[Any], Any]) -> Pool:
    """Draw, change, measure and embed pictures."""
    import numpy as np
    from wakee_common.picture_statistics import measure_picture

    found = [(person, np.asarray(change(picture))) for person, _, picture in pictures(people, sessions)]
    properties = [measure_picture(pixels, 256, 256) for _, pixels in found]
    parts = [np.stack([pixels for _, pixels in found[at : at + BATCH]]) for at in range(0, len(found), BATCH)]
    vectors = np.concatenate([features(part) for part in parts]).astype(np.float64)
    return Pool(np.array([person for person, _ in found], np.int64), np.array(properties, np.float64), vectors)


def pools(features: Any) -> dict[str, Pool]:
    """All pictures: of the reference, and of the window per change."""
    found = {"reference": pool(features, UNSEEN, EARLIER, lambda picture: picture)}
    found |= {name: pool(features, UNSEEN, LATER, change) for name, change in changes().items()}
    return found | {"trained on": pool(features, SEEN, LATER, lambda picture: picture)}


def draw_sides(setting: Setting, found: dict[str, Pool], run: int) -> tuple[Pool, Pool]:
    """Window and reference of a run."""
    import numpy as np

    generator = np.random.default_rng((run, setting.rows))
    unseen = generator.permutation(UNSEEN)
    before, others = unseen[:PEOPLE], unseen[PEOPLE : 2 * PEOPLE]
    seen = generator.permutation(SEEN)[:PEOPLE]
    now = {"same": before, "other": others, "trained on": seen}[setting.people]
    source = found["trained on" if setting.people == "trained on" else setting.change]
    return _some(generator, source, now, setting.rows), _some(generator, found["reference"], before, setting.rows)


def _some(generator: Any, source: Pool, people: Any, rows: int) -> Pool:
    import numpy as np

    places = generator.choice(np.flatnonzero(np.isin(source.people, people)), rows)
    return Pool(*(each[places] for each in source))


def alarms(setting: Setting, found: dict[str, Pool], run: int) -> tuple[bool, bool, bool]:
    """Whether any property, the embedding, or any of both is called drifted."""
    from wakee_drift.measure.permutation import Vectors
    from wakee_drift.measure.picture_comparison import compare_embeddings, compare_properties, decide

    now, before = draw_sides(setting, found, run)
    properties, _ = compare_properties(Vectors(now.properties, now.people), Vectors(before.properties, before.people))
    embedding, _ = compare_embeddings(Vectors(now.vectors, now.people), Vectors(before.vectors, before.people))
    any_property, any_embedding, both = (
        any(column.drifted for column in decide(columns).values())
        for columns in (properties, embedding, properties | embedding)
    )
    return any_property, any_embedding, both


def table(found: dict[Setting, list[float]]) -> str:
    """One row per setting."""
    lines = [
        "| rows per side | people of the window | camera | any property | embedding | any, as reported |",
        "|---:|---|---|---:|---:|---:|",
    ]
    for setting, shares in found.items():
        cells = " | ".join(f"{share:.0%}" for share in shares)
        lines.append(f"| {setting.rows} | {setting.people} | {setting.change} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Draw, train, compare and print the shares."""
    options = options_of(__doc__ or "", repetitions=100)
    runs, found = options.repetitions or (20 if options.quick else 100), pools(trained_features())
    shares = {}
    for setting in settings((50,) if options.quick else (50, 200)):
        results = [alarms(setting, found, run) for run in range(runs)]
        shares[setting] = [sum(column) / runs for column in zip(*results, strict=True)]
        print(setting, shares[setting], file=sys.stderr)
    worst = max(each[2] for setting, each in shares.items() if setting.change == "nothing")
    dark = min(each[2] for setting, each in shares.items() if setting.change == "30 % darker")
    goals = [
        Goal("false alarms of pictures, nothing changed", f"{LIMIT:.0%}", f"{worst:.0%}", worst <= LIMIT),
        Goal("a camera that is 30 % darker is found", "90%", f"{dark:.0%}", dark >= 0.9),
    ]
    error = 100 * (0.05 * 0.95 / runs) ** 0.5
    text = f"{table(shares)}\n\n{runs} runs each: the standard error of a share of 5 % is {error:.1f} points."
    publish("picture_alarms", goals, text, write=options.publish, packages=["numpy", "onnxruntime", "torch"])


if __name__ == "__main__":
    main()
