"""`test-api --insert`: nothing of it stays, and what does is told and goes next time."""

import pytest
from wakee_common.errors import UnavailableError
from wakee_common.settings import DatabaseSettings, R2Settings
from wakee_common.storage import ObjectStore
from wakee_health.probes.inserting import remove_traces

from ..environment import Environment

LEFT, WITHOUT_A_ROW = (f"health-check-{digit * 32}.png" for digit in "01")
SOMEBODYS = "health-check-of-somebody.png"


def leave(environment: Environment, name: str, path: str) -> None:
    environment.store.put_bytes(environment.store.uri(path), b"picture")
    environment.execute(
        "INSERT INTO emotion_labels (img_name, s3_path, predicted_boredom, predicted_confusion, predicted_engagement,"
        " predicted_frustration, is_validated) VALUES (%s, %s, 1, 1, 1, 1, true)",
        [name, path],
    )


def traces(environment: Environment) -> list[str]:
    """Names of rows, keys of pictures."""
    rows = environment.execute("SELECT img_name FROM emotion_labels WHERE img_name LIKE 'health-check-%'")
    return [name for (name,) in rows] + [key for key in environment.store.list_keys("") if "health-check-" in key]


@pytest.fixture
def undeletable_rows(environment: Environment):
    environment.execute("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''rows stay''; END'")
    environment.execute("CREATE TRIGGER keep BEFORE DELETE ON emotion_labels FOR EACH ROW EXECUTE FUNCTION keep()")
    yield
    environment.execute("DROP FUNCTION keep CASCADE")


def test_what_an_earlier_check_left_is_removed(environment: Environment):
    leave(environment, LEFT, f"elsewhere/{LEFT}")
    environment.store.put_bytes(environment.store.uri(WITHOUT_A_ROW), b"picture")

    result = environment.stage("test-api", insert=True)

    assert result["warnings"] == ["removed 2 annotations of an earlier check"]
    assert traces(environment) == []


def test_what_only_looks_like_ours_stays(environment: Environment):
    leave(environment, SOMEBODYS, SOMEBODYS)

    assert environment.stage("test-api", insert=True)["warnings"] == []
    assert traces(environment) == [SOMEBODYS, SOMEBODYS]


@pytest.mark.usefixtures("undeletable_rows")
def test_a_row_that_stays_is_a_warning_and_its_picture_goes(environment: Environment):
    (warning,) = environment.stage("test-api", insert=True)["warnings"]

    assert warning.startswith(
        "a row of this check may not have been deleted: the database rejected the request: rows stay"
    )
    (row,) = traces(environment)
    assert environment.execute("SELECT img_name FROM emotion_labels WHERE img_name = %s", [row])


def test_a_picture_that_stays_is_a_warning_and_its_row_goes(environment: Environment):
    class KeepingStore(ObjectStore):
        def delete(self, uri):
            raise UnavailableError("R2 request failed")

    leave(environment, LEFT, LEFT)
    store = KeepingStore(R2Settings.model_validate(environment.variables))

    count, warnings = remove_traces(DatabaseSettings(url=environment.url("NEON_DATABASE_URL")), store)

    assert (count, warnings) == (1, ["a picture of this check may not have been deleted: R2 request failed"])
    assert traces(environment) == [LEFT]
    assert environment.execute("SELECT count(*) FROM emotion_labels") == [(4,)]
