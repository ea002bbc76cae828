"""How long the commands take to say `--help`, against a bare interpreter.

    .venvs/drift/bin/python benchmarks/command_start.py
    .venvs/train/bin/python -X importtime -m wakee_train.cli 2>&1 | sort -t'|' -k2 -n | tail   # where the rest goes

`bare` is `python -c pass` in the environment of the drift image. A stage's own libraries are imported inside the stage,
after its flags have been read.
"""

from document import Goal, picture, plot_path, publish, run_table
from harness import REPO, Contestant, Runs, in_turns, median, options_of

BARE = "python -c pass"
IMAGES = ("health", "drift", "train")
LIMIT = 0.3


def contestants() -> list[Contestant]:
    """The interpreter, and each image's command."""
    environments = REPO / ".venvs"
    return [
        Contestant(BARE, [str(environments / "drift/bin/python"), "-c", "pass"]),
        *(
            Contestant(f"wakee-{image} --help", [str(environments / image / "bin" / f"wakee-{image}"), "--help"])
            for image in IMAGES
        ),
    ]


def report(runs: Runs, *, write: bool) -> None:
    """Table, goal and a plot."""
    from plots import bars

    slowest = max((name for name in runs if name != BARE), key=lambda name: median(runs[name]))
    seconds = median(runs[slowest])
    goal = Goal("command start, the slowest of three", f"{LIMIT} s", f"{seconds:.2f} s ({slowest})", seconds < LIMIT)
    text = run_table(runs, BARE, digits=3)
    if write:
        bars(
            plot_path("command_start"),
            "Until --help is printed",
            {name: [run.seconds for run in done] for name, done in runs.items()},
            "seconds",
        )
        text += f"\n\n{picture('command_start', 'Seconds until each command has printed its help')}"
    publish("command_start", [goal], text, write=write, packages=["typer", "pydantic"])


def main() -> None:
    """Measure and tell."""
    options = options_of(__doc__ or "", repetitions=15)
    report(in_turns(contestants(), options.repetitions or (5 if options.quick else 15)), write=options.publish)


if __name__ == "__main__":
    main()
