"""A champion from the time of the split by names is evaluated with a note, and so are its heirs."""

import json

from wakee_common.uris import R2Uri
from wakee_train.data.splits import RULE_BY_PEOPLE


def test_a_champion_that_may_have_learnt_from_test_people_is_named(release):
    graph = release.environment.store.get_bytes(R2Uri.parse(release.evaluation.onnx_uri))
    release.commit(**{"model.onnx": graph, "config.json": b'{"version": "v0"}'})

    evaluated = release.evaluate()

    assert evaluated["champion_version"] == "v0"
    assert evaluated["notes"][0].startswith("champion: may have been trained on the test people")
    record = release.environment.read_json(evaluated["evaluation_uri"])
    assert (record["split_rule"], record["notes"]) == (RULE_BY_PEOPLE, evaluated["notes"])


def test_a_champion_of_the_split_by_people_needs_no_note(release):
    graph = release.environment.store.get_bytes(R2Uri.parse(release.evaluation.onnx_uri))
    config = json.dumps({"version": "v1", "split_rule": RULE_BY_PEOPLE}).encode()
    release.commit(**{"model.onnx": graph, "config.json": config})

    assert release.evaluate()["notes"] == []
