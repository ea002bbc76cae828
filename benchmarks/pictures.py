"""Pictures out of R2 into shards, against plain downloaders.

    .venvs/train/bin/python benchmarks/pictures.py
    .venvs/train/bin/python benchmarks/pictures.py --largest 20000

The pictures are JPEG files of 640 x 480 and about 85 KB; the S3 server runs on the same cores, and answers at once. R2
does not: in one more table every request first waits 50 ms, as over a network. `one by one` and `plain
pool` (16 threads, one boto3 client) only download and forget. `our download` is `ObjectStore.fetch_many`, which does
the same. `our data set` is `fetch-training-data` whole: rows, listing, download, decoding, resizing, lossless WebP,
shards, upload, manifest. `pool, then decode` is what a plain pool has to do for the same pixels before that.
"""

import time
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
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

ONE, POOL, DECODED = "one by one", "plain pool", "pool, then decode"
DOWNLOAD, DATASET = "our download", "our data set"
THREADS = 16
AWAY = 50
"""Milliseconds that a request takes to a server that is not on the same machine."""
STEPS = ("download, the server's part left out", "decode", "resize", "WebP")


def _client(s3: dict[str, str], away: int = 0) -> Any:
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url=s3["R2_ENDPOINT_URL"],
        region_name="auto",
        aws_access_key_id=s3["R2_ACCESS_KEY_ID"],
        aws_secret_access_key=s3["R2_SECRET_ACCESS_KEY"],
        config=Config(max_pool_connections=THREADS, s3={"addressing_style": "path"}),
    )
    return _moved(client, away)


def _moved(client: Any, away: int) -> Any:
    """The client, so many milliseconds from its server: as over a network, a request waits and no core does."""
    if away:  # the wait is what is simulated; a sleep of nothing would still give the core away at every request
        client.meta.events.register("before-send.s3", lambda **_: time.sleep(away / 1000))
    return client


def one_by_one(s3: dict[str, str], count: int, **_: Any) -> dict[str, Any]:
    """A loop."""
    from photos import key

    client, bucket = _client(s3), s3["R2_BUCKET_NAME"]
    total = sum(len(client.get_object(Bucket=bucket, Key=key(n))["Body"].read()) for n in range(count))
    return {"bytes": total}


def plain_pool(s3: dict[str, str], count: int, decode: bool = False, away: int = 0, **_: Any) -> dict[str, Any]:
    """As many threads as `aws s3 cp` and more."""
    from photos import key

    client, bucket = _client(s3, away), s3["R2_BUCKET_NAME"]

    def get(number: int) -> int:
        content = client.get_object(Bucket=bucket, Key=key(number))["Body"].read()
        return len(_decoded(content) if decode else content)

    with ThreadPoolExecutor(THREADS) as pool:
        return {"bytes": sum(pool.map(get, range(count)))}


def _decoded(content: bytes) -> bytes:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        return image.convert("RGB").resize((256, 256), Image.Resampling.BILINEAR).tobytes()


def our_download(s3: dict[str, str], count: int, away: int = 0, **_: Any) -> dict[str, Any]:
    """What all our stages use."""
    from photos import key
    from wakee_common.settings import R2Settings
    from wakee_common.storage import ObjectStore

    store = ObjectStore(R2Settings.model_validate(s3))
    _moved(store._client, away)
    return {"bytes": sum(len(one.data or b"") for one in store.fetch_many(key(n) for n in range(count)))}


def our_dataset(s3: dict[str, str], url: str, count: int, away: int = 0) -> dict[str, Any]:
    """The stage; the data set that it may find made is taken away first."""
    from wakee_common.settings import DatabaseSettings, R2Settings
    from wakee_common.storage import ObjectStore
    from wakee_train.data.dataset import fetch

    store = ObjectStore(R2Settings.model_validate(s3))
    for old in list(store.list_keys("datasets/")):
        store.delete(store.uri(old))
    _moved(store._client, away)
    made = fetch(store, DatabaseSettings.model_validate({"url": url}), min_samples=1, max_bad_share=0)
    if made.reused or made.samples != count:
        raise AssertionError(f"{made.samples} samples of {count}, reused: {made.reused}")
    return {"samples": made.samples}


def costs(s3: dict[str, str], count: int, **_: Any) -> dict[str, Any]:
    """One picture after the other, on one core: milliseconds of that core that each step takes per picture."""
    import io

    from photos import key
    from PIL import Image
    from wakee_common.settings import R2Settings
    from wakee_common.storage import ObjectStore
    from wakee_contract.pictures import RESIZED
    from wakee_train.data.pictures import LEAST_EFFORT

    store, moments = ObjectStore(R2Settings.model_validate(s3)), dict.fromkeys(STEPS, 0.0)
    for number in range(count):
        begun = time.thread_time()
        content = store.get_bytes(store.uri(key(number)))
        downloaded = time.thread_time()
        with Image.open(io.BytesIO(content)) as image:
            pixels = image.convert("RGB")
        decoded = time.thread_time()
        small = pixels.resize((RESIZED, RESIZED), Image.Resampling.BILINEAR)
        resized = time.thread_time()
        small.save(io.BytesIO(), "WEBP", **LEAST_EFFORT)
        ends = (downloaded, decoded, resized, time.thread_time())
        for step, start, end in zip(STEPS, (begun, *ends), ends, strict=False):
            moments[step] += end - start
    return {step: 1000 * seconds / count for step, seconds in moments.items()}


CONTESTANTS: Contestants = {
    "one": one_by_one,
    "pool": plain_pool,
    "download": our_download,
    "dataset": our_dataset,
    "costs": costs,
}


def contestants(s3: dict[str, str], url: str, count: int, away: int = 0) -> list[Contestant]:
    """All of them, over the same pictures; from far away all but the slowest."""
    given: dict[str, Any] = {"s3": s3, "url": url, "count": count, "away": away}
    return [
        *([] if away else [contestant(__file__, ONE, "one", **given)]),
        contestant(__file__, POOL, "pool", **given),
        contestant(__file__, DECODED, "pool", decode=True, **given),
        contestant(__file__, DOWNLOAD, "download", image="train", **given),
        contestant(__file__, DATASET, "dataset", image="train", **given),
    ]


def measure(
    options: Namespace, sizes: list[int], repetitions: int
) -> tuple[dict[tuple[int, int], Runs], dict[str, float]]:
    """The measurements per number of pictures (above 5,000 once) and milliseconds away; and what each step costs."""
    from annotations import make_table
    from photos import fill_bucket, fill_table
    from services import postgres, s3
    from wakee_common.settings import R2Settings
    from wakee_common.storage import ObjectStore

    found = {}
    with postgres() as url, s3() as variables:
        make_table(url)
        for count in sizes:
            fill_bucket(ObjectStore(R2Settings.model_validate(variables)), count)
            fill_table(url, count)
            large = count > 5_000
            for away in (0,) if large else (0, AWAY):
                field = contestants(variables, url, count, away)
                field = competing_with(options.before, field, [DOWNLOAD, DATASET])
                found[count, away] = in_turns(field, 1 if large else repetitions, warm_up=not large)
        answer = run_once(contestant(__file__, "costs", "costs", s3=variables, count=min(sizes))).answer
    return found, {step: answer[step] for step in STEPS}


def report(found: dict[tuple[int, int], Runs], steps: dict[str, float], *, write: bool) -> None:
    """Tables, goals, where the time goes, and a plot."""
    from plots import bars

    names = {(count, away): f"{count:,} pictures{f', {away} ms away' if away else ''}" for count, away in found}
    text = "\n\n".join(f"**{names[key]}**\n\n{run_table(runs, POOL)}" for key, runs in found.items())
    parts = ", ".join(f"{step} {milliseconds:.1f}" for step, milliseconds in steps.items())
    text += f"\n\nMilliseconds of one core per picture: {parts}; together {sum(steps.values()):.1f}."
    goals = [goal for key, runs in found.items() for goal in _goals(names[key], key[0], runs)]
    if write:
        heights = {name: [run.seconds for run in done] for name, done in found[max(found)].items()}
        bars(plot_path("pictures"), f"{names[max(found)]} of 85 KB out of S3", heights, "seconds")
        text += f"\n\n{picture('pictures', 'Seconds per contestant')}"
    publish("pictures", goals, text, write=write, packages=["boto3", "pillow"])


def _goals(name: str, count: int, runs: Runs) -> list[Goal]:
    share = {one: median(runs[POOL]) / median(runs[one]) for one in (DOWNLOAD, DATASET)}
    against, rate = median(runs[DECODED]) / median(runs[DATASET]), count / median(runs[DATASET])
    made = f"{share[DATASET]:.0%} ({rate:.0f} a second; {against:.0%} of a pool that also decodes)"
    downloads = "90 % of a plain pool that only downloads"
    return [
        Goal(f"download of {name}", "90 % of a plain pool", f"{share[DOWNLOAD]:.0%}", share[DOWNLOAD] >= 0.9),
        Goal(f"{name} to shards, decoding included", downloads, made, share[DATASET] >= 0.9),
    ]


def main() -> None:
    """Measure and tell."""
    options = options_of(__doc__ or "", repetitions=5, largest=1_000)
    sizes = [200] if options.quick else sorted({1_000, options.largest})
    report(*measure(options, sizes, options.repetitions or (2 if options.quick else 5)), write=options.publish)


if __name__ == "__main__":
    play(CONTESTANTS)
    main()
