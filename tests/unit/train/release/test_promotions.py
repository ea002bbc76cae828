"""Every change of production leaves a row, in the same transaction; which version answered on a day is one query."""

from typing import Any

import pytest
from wakee_common.database import transact
from wakee_train.release.promotions import Cause, make_production

from ..environment import Environment

GATE = Cause("gate", "better with probability 0.93", "model_retrain", "drift__1")
ROLLBACK = Cause("rollback", "rollback to previous was requested", "model_rollback", "manual__2")
ANSWERED = "SELECT version_name FROM promotions WHERE promoted_at <= %s ORDER BY promoted_at DESC, id DESC LIMIT 1"


@pytest.fixture
def versions(environment: Environment) -> Environment:
    for name in ("v1", "v2"):
        environment.execute("INSERT INTO model_versions (version_name) VALUES (%s)", (name,))
    return environment


def promote(environment: Environment, version: str, cause: Cause = GATE) -> str | None:
    replaced: str | None = transact(environment.database, lambda cursor: make_production(cursor, version, cause))
    return replaced


def rows(environment: Environment) -> list[tuple[Any, ...]]:
    columns = "version_name, replaced, decided_by, reason, dag_id, run_id"
    return environment.execute(f"SELECT {columns} FROM promotions ORDER BY id")


def test_promotions_and_rollbacks_are_kept(versions):
    assert [promote(versions, "v1"), promote(versions, "v2"), promote(versions, "v1", ROLLBACK)] == [None, "v1", "v2"]

    gate, rollback = ("gate", GATE.reason, *("model_retrain", "drift__1")), ("rollback", ROLLBACK.reason)
    assert rows(versions) == [
        ("v1", None, *gate),
        ("v2", "v1", *gate),
        ("v1", "v2", *rollback, "model_rollback", "manual__2"),
    ]


def test_what_changes_nothing_leaves_no_row(versions):
    promote(versions, "v1")

    assert promote(versions, "v1", ROLLBACK) is None
    assert len(rows(versions)) == 1


def test_a_change_that_is_taken_back_leaves_no_row(versions):
    def work(cursor: Any) -> None:
        make_production(cursor, "v1", GATE)
        raise RuntimeError("the connection drops")

    with pytest.raises(RuntimeError):
        transact(versions.database, work)

    assert rows(versions) == []
    assert versions.execute("SELECT version_name FROM model_versions WHERE is_production") == []


def test_which_version_answered_on_a_day(versions):
    statement = (
        "INSERT INTO promotions (version_name, promoted_at, decided_by, reason) VALUES (%s, %s, 'gate', 'better')"
    )
    for version, day in (("v1", "2026-03-01"), ("v2", "2026-03-10"), ("v1", "2026-03-12")):
        versions.execute(statement, (version, day))

    answered = [versions.execute(ANSWERED, (f"2026-03-{day:02d} 12:00",)) for day in (5, 11, 12, 31)]
    assert answered == [[("v1",)], [("v2",)], [("v1",)], [("v1",)]]
    assert versions.execute(ANSWERED, ("2026-02-28",)) == []
