"""`split-dataset`: people are assigned once, for all data sets, and a data set's splits once."""

import json

import pytest
from wakee_common.storage import ObjectStore
from wakee_train.data.people import KEY, SPLITS
from wakee_train.data.records import Manifest, Sample, Splits

from ..environment import Environment, face


def add(environment: Environment, rows: range, people: int = 8) -> None:
    for row in rows:
        environment.add_picture(f"face-{row:05d}.jpg", *face(row), user=f"user-{row % people}")


def split(environment: Environment, run_id: str = "run-1", exit_code: int = 0):
    fetched = environment.stage("fetch-training-data", run_id, min_samples=1)
    return environment.stage("split-dataset", run_id, exit_code, manifest=fetched["manifest_uri"])


def people(environment: Environment) -> dict[str, str]:
    return json.loads(environment.store.get_bytes(environment.store.uri(KEY)))["splits"]


def test_counts_of_people_sessions_and_levels_are_reported(environment):
    add(environment, range(40))
    environment.execute("UPDATE emotion_labels SET session_id = 's' || id / 2")

    found = split(environment)

    assert sum(found["samples"].values()) == 40
    assert sum(found["people"].values()) == 8
    assert all(found["sessions"].values())
    assert sum(sum(levels["boredom"]) for levels in found["levels"].values()) == 40
    record = environment.read_json(found["splits_uri"])
    assert {name: each["people"] for name, each in record["statistics"].items()} == found["people"]


def test_nobody_moves_when_rows_come_and_new_people_are_added(environment):
    add(environment, range(40))
    first = environment.read_json(split(environment)["splits_uri"])
    before = people(environment)
    add(environment, range(40, 60), people=12)

    second = environment.read_json(split(environment, "run-2")["splits_uri"])

    assert before.items() <= people(environment).items()
    assert len(people(environment)) == 12
    assert all(set(names) <= set(second["names"][name]) for name, names in first["names"].items())
    assert second["left_out"] == {}


def test_a_retry_after_a_crash_in_between_decides_the_same(environment, monkeypatch):
    add(environment, range(40))
    put, fails = ObjectStore.put_bytes, [True]

    def put_bytes(store, uri, *content):
        if uri.key.endswith(SPLITS) and fails.pop():
            raise RuntimeError("crash")
        put(store, uri, *content)

    monkeypatch.setattr(ObjectStore, "put_bytes", put_bytes)
    split(environment, exit_code=1)
    decided, fails[:] = people(environment), [False]

    names = environment.read_json(split(environment)["splits_uri"])["names"]

    assert people(environment) == decided
    assert sum(map(len, names.values())) == 40


def test_splits_of_a_data_set_are_reused(environment):
    add(environment, range(40))
    first = split(environment)
    environment.store.delete(environment.store.uri(KEY))  # nobody is assigned again, so it is not read

    again = split(environment, "run-2")

    same = ("splits_uri", "samples", "people", "sessions", "levels", "left_out")
    assert {name: again[name] for name in same} == {name: first[name] for name in same}


def test_too_few_people_are_not_enough_data(environment):
    add(environment, range(20), people=2)

    found = split(environment)

    assert found["status"] == "insufficient_data"
    assert found["splits_uri"] is None
    assert not environment.store.exists(environment.store.uri(KEY))


def test_people_that_were_lost_are_not_assigned_again(environment):
    add(environment, range(40))
    split(environment)
    environment.store.delete(environment.store.uri(KEY))
    add(environment, range(40, 41))

    assert "people.json is missing, but data sets were split by it" in split(environment, "run-2", 2)["cause"]


@pytest.mark.parametrize("earlier", [True, False], ids=["earlier-data-sets", "a-new-installation"])
def test_where_data_sets_were_split_by_names_the_rows_of_that_time_are_remembered(environment, earlier):
    add(environment, range(100))
    if earlier:
        old = Manifest(dataset_id="old", preprocessing="", shards=[], samples=[], excluded={})
        uri = environment.store.uri("datasets/old/manifest.json")
        environment.store.put_bytes(uri, old.model_dump_json(exclude={"duplicates_rule"}).encode())

    found = split(environment)

    record = json.loads(environment.store.get_bytes(environment.store.uri(KEY)))
    assert record["adopted_until"] == (100 if earlier else 0)
    assert ("was_in_the_test_split" in found["left_out"]) is earlier


def test_records_from_before_can_be_read():
    sample = {"name": "a.jpg", "labels": [0, 1, 2, 3], "facts": [7, None, "app", True]}
    statistics = {"samples": 1, "label_mean": [], "label_deviation": [], "level_counts": {}}
    splits = {"dataset_id": "a", "manifest_uri": "b", "rule": "c", "statistics": {"train": statistics}, "names": {}}

    assert Sample.model_validate_json(json.dumps(sample)).facts.known_by == "user"
    assert Splits.model_validate_json(json.dumps(splits)).statistics["train"].people == 0
