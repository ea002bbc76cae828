"""How long the commands take to say `--help`, and to begin a stage, against a bare interpreter.

    .venvs/drift/bin/python benchmarks/command_start.py
    .venvs/train/bin/python -X importtime -m wakee_train.cli 2>&1 | sort -t'|' -k2 -n | tail   # where the rest goes

`python -c pass` is in the environment of the drift image. A stage's own libraries are imported inside the stage, after
its flags have been read. `to its settings` is a stage without any: it has imported what it works with, reads them, and
says which are missing.
"""

from document import Goal, picture, plot_path, publish, run_table
from harness import REPO, Contestant, Runs, in_turns, median, options_of

BARE = "python -c pass"
STAGES = {"health": "test-api", "drift": "fetch-annotations", "train": "fine-tune --splits=r2://none/none"}
HELP = "--help"
LIMIT = 0.3
NO_SETTINGS = 2


def contestants() -> list[Contestant]:
    """The interpreter, and each image's command."""
    return [
        Contestant(BARE, [str(REPO / ".venvs/drift/bin/python"), "-c", "pass"]),
        *(Contestant(f"wakee-{image} {HELP}", [_command(image), HELP]) for image in STAGES),
        *(
            Contestant(
                f"wakee-{image} {stage.split()[0]}, to its settings",
                ["bash", "-c", f"{_command(image)} {stage} 2>/dev/null; test $? = {NO_SETTINGS}"],
            )
            for image, stage in STAGES.items()
        ),
    ]


def _command(image: str) -> str:
    return str(REPO / ".venvs" / image / "bin" / f"wakee-{image}")


def report(runs: Runs, *, write: bool) -> None:
    """Table, goal and a plot."""
    from plots import bars

    slowest = max((name for name in runs if name.endswith(HELP)), key=lambda name: median(runs[name]))
    seconds = median(runs[slowest])
    goal = Goal("command start, the slowest of three", f"{LIMIT} s", f"{seconds:.2f} s ({slowest})", seconds < LIMIT)
    text = run_table(runs, BARE, digits=3)
    if write:
        bars(
            plot_path("command_start"),
            "Until --help is printed, or the settings are read",
            {name: [run.seconds for run in done] for name, done in runs.items()},
            "seconds",
        )
        text += f"\n\n{picture('command_start', 'Seconds until help is printed or settings are read')}"
    publish("command_start", [goal], text, write=write, packages=["typer", "pydantic"])


def main() -> None:
    """Measure and tell."""
    options = options_of(__doc__ or "", repetitions=15)
    report(in_turns(contestants(), options.repetitions or (5 if options.quick else 15)), write=options.publish)


if __name__ == "__main__":
    main()
