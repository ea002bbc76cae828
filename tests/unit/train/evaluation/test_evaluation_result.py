"""The result of `evaluate` fits into XCom, however many parts the gate reports on."""

import json

import pytest
from wakee_common.stage import LARGEST_OUTCOME
from wakee_contract.emotions import EMOTIONS
from wakee_train.evaluation.evaluate import LONGEST_NOTES, LONGEST_PARTS, LONGEST_REASONS, shortened
from wakee_train.results import EvaluationResult

LINE = "source «Bürö»: 1200 pictures of 30 people, MAE 0.400 -> 0.410 (-0.010 to +0.030), better 0.10"


@pytest.mark.parametrize("most", [LONGEST_REASONS, LONGEST_PARTS, LONGEST_NOTES])
def test_lists_are_shortened_to_their_size(most):
    lines = [f"{LINE} {number}" for number in range(20)]
    found = shortened(lines, most)
    assert found[-1] == f"and {20 - (len(found) - 1)} more: see evaluation.json"
    assert found[:-1] == lines[: len(found) - 1]
    assert len(json.dumps(found[:-1])) <= most


def test_short_lists_stay_whole():
    assert shortened(["one", "two"], LONGEST_NOTES) == ["one", "two"]
    assert shortened([], LONGEST_NOTES) == []


def test_the_largest_result_fits():
    folder = f"r2://{'b' * 40}/{'p' * 60}/runs/model_retrain/{'x' * 161}/evaluate/"
    mae = dict.fromkeys(EMOTIONS, 0.123456)
    lines = [LINE] * 20
    result = EvaluationResult(
        evaluation_uri=folder + "evaluation.json", version="v20260405-1a2b3c4d", promote=False,
        verdict="keep champion", reasons=shortened(lines, LONGEST_REASONS), mae=0.123456, champion_mae=0.123456,
        mae_per_emotion=mae, champion_mae_per_emotion=mae, champion_version="v20260405-1a2b3c4d",
        test_samples=100_000, test_people=10_000, parts=shortened(lines, LONGEST_PARTS),
        notes=shortened(lines, LONGEST_NOTES), second_look_uri=folder + "second_look.html",
    )  # fmt: skip
    assert len(json.dumps(result.model_dump(mode="json"))) < LARGEST_OUTCOME
